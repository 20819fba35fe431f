//! The input: the payloads that gatewatch understands, and the resources that each one affects. One file per payload.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

pub mod aws_config;
pub mod cloudtrail;
pub mod coverage_request;
mod envelope;
mod event;
mod json_path;
mod manual;
pub mod origin;
pub mod part;
mod part_request;
pub mod payload;
pub mod record;
pub mod scope;
pub mod sqs;
