//! Decides what to send and when: compares the findings with the alert history and plans the alerts.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

pub mod affected;
pub mod alert;
pub mod history;
pub mod observation;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod recorded;
pub mod resolved;
#[cfg(test)]
pub(crate) mod testing;
