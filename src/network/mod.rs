//! The network as plain facts, without wire formats: what EC2 says, the ids and services it names, and where it is.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

pub mod account;
pub mod ids;
pub mod model;
pub mod name;
pub mod not_assessed;
pub mod selection;
pub mod service;
#[cfg(test)]
pub(crate) mod testing;
