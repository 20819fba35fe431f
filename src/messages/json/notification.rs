//! The message for programs: a JSON object of the schema `gatewatch.notification/v1`.

use serde::Serialize;

use super::{finding::NotifiedFinding, name::Name};
use crate::{alerts::history::HistoryState, checks::severity::Severity, events::record};

/// The schema that each notification names.
pub(super) const SCHEMA: &str = "gatewatch.notification/v1";

/// All alerts of one VPC.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Notification<'a> {
    /// The version of this format.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    pub(super) schema: &'static str,
    /// The account, 12 digits; empty where it is not known.
    pub(super) account: &'a str,
    /// The Region.
    pub(super) region: &'a str,
    /// The VPC.
    pub(super) vpc: Vpc<'a>,
    /// The worst severity of the findings.
    pub(super) severity: Name<Severity>,
    /// One line for people.
    pub(super) summary: &'a str,
    /// What started the check: the newest record that affects the VPC.
    pub(super) trigger: Option<Trigger<'a>>,
    /// The number of records that affect the VPC.
    pub(super) triggers: usize,
    /// Whether there is an alert history.
    pub(super) ledger: Name<HistoryState>,
    /// Which part this is of a notification that is too large for one message; null for a whole one.
    pub(super) part: Option<Part>,
    /// The findings, by route table and service.
    pub(super) findings: &'a [NotifiedFinding],
}

/// A VPC.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Vpc<'a> {
    /// `vpc-…`
    pub(super) id: &'a str,
    /// The value of its `Name` tag.
    pub(super) name: Option<&'a str>,
}

/// What started a check.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Trigger<'a> {
    /// A call of the EC2 API. Others wrote all of this.
    ApiCall {
        /// The call.
        event_name: &'a str,
        /// CloudTrail's id of the record.
        event_id: Option<&'a str>,
        /// When the call was made (RFC 3339, UTC).
        event_time: Option<&'a str>,
        /// Who made it: an ARN where there is one.
        principal: Option<&'a str>,
        /// The AWS service that made it for them, such as `cloudformation.amazonaws.com`.
        invoked_by: Option<&'a str>,
    },
    /// AWS Config recorded a change.
    ConfigItem,
    /// The scheduled sweep.
    Schedule,
    /// A manual request.
    Manual,
}

impl<'a> From<&'a record::Trigger> for Trigger<'a> {
    fn from(trigger: &'a record::Trigger) -> Self {
        match trigger {
            record::Trigger::ApiCall { event_name, event_id, event_time, principal, invoked_by } => Self::ApiCall {
                event_name,
                event_id: event_id.as_deref(),
                event_time: event_time.as_deref(),
                principal: principal.as_deref(),
                invoked_by: invoked_by.as_deref(),
            },
            record::Trigger::ConfigItem => Self::ConfigItem,
            record::Trigger::Schedule => Self::Schedule,
            record::Trigger::Manual => Self::Manual,
        }
    }
}

/// Which part of a notification a message is.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Part {
    /// From 1.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub(super) index: usize,
    /// The number of parts.
    #[cfg_attr(test, schemars(range(min = 2)))]
    pub(super) count: usize,
}
