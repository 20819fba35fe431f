//! JSON: the notification for programs, the answer and the error. The files in `schemas/` are generated from these types.

mod answer;
mod error;
mod finding;
mod name;
mod notification;
#[cfg(test)]
mod schemas;
mod split;

pub(super) use self::notification::messages;
pub use self::{
    answer::{Answer, Batch, Checked, Exempt, ItemFailure, NotAssessed, Report, Scope, ScopeIds, UnreadableExemption},
    error::Error,
    finding::{Finding, NotifiedFinding},
    name::Name,
    notification::{Notification, Trigger},
};
