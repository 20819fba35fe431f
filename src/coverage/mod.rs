//! What a hub knows about the accounts and Regions of the organization: when each was checked, and which cannot be.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

pub mod enrollment_changes;
pub mod marker;
pub mod overview;
