//! Interface endpoints without private DNS names, where nothing else serves the names.

pub mod rule;
