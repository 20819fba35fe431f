//! What to send and when: the alerts that have been sent, and those that have to be sent now.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

pub mod affected;
pub mod alert;
pub mod channel;
pub mod history;
pub mod observation;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod recorded;
pub mod resolved;
#[cfg(test)]
pub(crate) mod testing;
