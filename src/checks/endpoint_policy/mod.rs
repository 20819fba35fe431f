//! Endpoints whose policy allows everyone to do everything with every resource.

pub mod rule;
pub mod verdict;
