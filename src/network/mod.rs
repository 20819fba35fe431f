//! Facts about the network, without wire formats: resources, ids, services, account and Region.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

pub mod account;
pub mod arn;
pub mod endpoint_facts;
pub mod enrollment;
pub mod ids;
pub mod model;
pub mod name;
pub mod not_assessed;
pub mod selection;
pub mod service;
#[cfg(test)]
pub(crate) mod testing;
