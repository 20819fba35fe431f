//! Endpoints in a state in which they do not work.

pub mod rule;
