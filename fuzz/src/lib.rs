//! Properties that must hold for every payload and every network. The fuzz targets check them on nightly for an hour.
//! `tests/replay.rs` includes this file and checks them on stable in seconds.

pub mod findings_to_message;
pub mod payload_to_scope;
