//! Endpoints whose policy allows everyone to do everything with every resource.

mod bounds;
pub mod rule;
mod service;
pub mod verdict;
