//! One thing that happened or was asked for.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

use jiff::Timestamp;

use super::scope::Scope;

/// One thing that happened, or was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it touches.
    pub scope: Scope,
    /// What people are told about it.
    pub trigger: Trigger,
    /// When it happened, where the payload says so.
    pub time: Option<Timestamp>,
    /// Whether findings are sent; a manual request can ask for the report alone.
    pub publish: bool,
}

/// What made gatewatch look, as a message tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody called the EC2 API. Everything here was written by others.
    ApiCall {
        /// The call.
        event_name: String,
        /// CloudTrail's id of the record.
        event_id: Option<String>,
        /// When the call was made (RFC 3339, UTC).
        event_time: Option<String>,
        /// Who made it: an ARN where there is one.
        principal: Option<String>,
        /// The AWS service that made it for them, such as `cloudformation.amazonaws.com`.
        invoked_by: Option<String>,
    },
    /// AWS Config recorded a change.
    ConfigItem,
    /// It was time for the sweep.
    Schedule,
    /// Somebody asked.
    Manual,
}
