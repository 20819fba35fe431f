//! What is judged, and the result. One folder per check; what all checks share is beside them.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

pub mod exemption;
pub mod finding;
pub mod fix;
pub mod gateway_endpoint;
pub mod severity;
#[cfg(test)]
pub(crate) mod testing;
