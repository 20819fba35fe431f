//! The message for programs: a JSON object with the schema `gatewatch.notification/v1`.

use serde::Serialize;

use super::{finding::NotifiedFinding, name::Name};
use crate::{alerts::history::HistoryState, checks::severity::Severity, events::record};

/// The value of `schema` in each notification.
pub(super) const SCHEMA: &str = "gatewatch.notification/v1";

/// All alerts of one VPC.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Notification<'a> {
    /// The version of this format.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    pub(super) schema: &'static str,
    /// The account: 12 digits, or empty if it is not known.
    pub(super) account: &'a str,
    /// The name of the account in its organization: untrusted text. Absent unless a hub knows it.
    #[serde(rename = "accountName", skip_serializing_if = "Option::is_none")]
    pub(super) account_name: Option<&'a str>,
    /// Where the account is in its organization: untrusted text. Absent unless a hub knows it.
    #[serde(rename = "organizationalUnit", skip_serializing_if = "Option::is_none")]
    pub(super) organizational_unit: Option<&'a str>,
    /// The Region.
    pub(super) region: &'a str,
    /// The VPC.
    pub(super) vpc: Vpc<'a>,
    /// The worst severity of the findings, including resolved ones.
    pub(super) severity: Name<Severity>,
    /// One line for people: the services and the number of route tables.
    pub(super) summary: &'a str,
    /// What started the check: the newest record that affects the VPC. Null if no record affects it.
    pub(super) trigger: Option<Trigger<'a>>,
    /// The number of records that affect the VPC.
    pub(super) triggers: usize,
    /// The state of the alert history. `off`: there is none. `on`: it was read. `unavailable`: it could not be read or
    /// written.
    pub(super) ledger: Name<HistoryState>,
    /// Which part of a notification this is, if it is too large for one message. Null otherwise.
    pub(super) part: Option<Part>,
    /// The findings, sorted by route table and service.
    pub(super) findings: &'a [NotifiedFinding],
}

/// A VPC.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Vpc<'a> {
    /// `vpc-…`
    pub(super) id: &'a str,
    /// The value of its `Name` tag: untrusted text. Null without the tag.
    pub(super) name: Option<&'a str>,
}

/// What started a check.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Trigger<'a> {
    /// A call of the EC2 API. The values are copied from the record: untrusted text.
    ApiCall {
        /// The name of the call, such as `CreateRoute`.
        event_name: &'a str,
        /// The id that CloudTrail gave the record.
        event_id: Option<&'a str>,
        /// When the call was made (RFC 3339, UTC).
        event_time: Option<&'a str>,
        /// Who made the call: an ARN, if the record has one.
        principal: Option<&'a str>,
        /// The person for whom the principal acted. Absent if the record names nobody.
        #[serde(skip_serializing_if = "Option::is_none")]
        on_behalf_of: Option<IdentityCenterUser<'a>>,
        /// The AWS service that made the call for the principal, such as `cloudformation.amazonaws.com`.
        invoked_by: Option<&'a str>,
    },
    /// AWS Config recorded a change.
    ConfigItem,
    /// The scheduled sweep.
    Schedule,
    /// A manual request.
    Manual,
}

/// A user of IAM Identity Center. The values are copied from the record: untrusted text.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IdentityCenterUser<'a> {
    /// The id of the user.
    user_id: &'a str,
    /// The ARN of the identity store that contains the user.
    identity_store_arn: Option<&'a str>,
}

impl<'a> From<&'a record::Trigger> for Trigger<'a> {
    fn from(trigger: &'a record::Trigger) -> Self {
        match trigger {
            record::Trigger::ApiCall { event_name, event_id, event_time, principal, on_behalf_of, invoked_by } => {
                Self::ApiCall {
                    event_name,
                    event_id: event_id.as_deref(),
                    event_time: event_time.as_deref(),
                    principal: principal.as_deref(),
                    on_behalf_of: on_behalf_of.as_ref().map(|user| IdentityCenterUser {
                        user_id: &user.user_id,
                        identity_store_arn: user.identity_store_arn.as_deref(),
                    }),
                    invoked_by: invoked_by.as_deref(),
                }
            }
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
    /// The number of this part, starting at 1.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub(super) index: usize,
    /// The number of parts.
    #[cfg_attr(test, schemars(range(min = 2)))]
    pub(super) count: usize,
}
