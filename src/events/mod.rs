//! The input: each payload that the function understands, and which resources it affects. One file per payload.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

mod aws_config;
mod cloudtrail;
mod envelope;
mod event;
mod json_path;
mod manual;
pub mod payload;
pub mod record;
pub mod scope;
pub mod sqs;
