//! What must hold whatever is sent and whatever the network holds. The fuzz targets run it on nightly for an hour,
//! `tests/replay.rs` includes it and runs it on stable for seconds.

pub mod findings_to_message;
pub mod payload_to_scope;
