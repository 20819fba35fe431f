//! One event or request.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::scope::Scope;
use crate::{channel::Channel, error::Error};

/// One event or request: a direct payload, or one message of an SQS batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The resources that it affects.
    pub scope: Scope,
    /// What caused it. Messages describe this to people.
    pub trigger: Trigger,
    /// When it happened, if the payload says so.
    pub time: Option<Timestamp>,
    /// Which alerts it asks for.
    pub alerts: AlertRequest,
}

/// Which alerts a record asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertRequest {
    /// No alert: a manual request with `"publish": false` asks only for the report.
    None,
    /// Alerts about what has changed.
    Changes,
    /// The same, and on these channels a reminder of every open finding: a manual request with `"resend": true`.
    /// `None` stands for all channels that have a topic.
    Resend(Option<BTreeSet<Channel>>),
}

impl Record {
    /// The record, if these are the channels that have a topic.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedEvent`] if the record names another channel.
    pub(super) fn for_channels(self, channels: &BTreeSet<Channel>) -> Result<Self, Error> {
        let requested =
            if let AlertRequest::Resend(Some(named)) = &self.alerts { named.clone() } else { BTreeSet::new() };
        let names = |channels: &BTreeSet<Channel>| {
            channels.iter().map(|channel| format!("\"{}\"", channel.name())).collect::<Vec<_>>().join(", ")
        };
        match &requested - channels {
            without_topic if without_topic.is_empty() => Ok(self),
            without_topic => Err(Error::UnsupportedEvent(format!(
                "manual request: no topic is set for {} in \"channels\"; allowed are {}",
                names(&without_topic),
                names(channels)
            ))),
        }
    }
}

/// What caused a check, as messages describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A call of the EC2 API. All fields are untrusted text.
    ApiCall {
        /// The name of the call, such as `CreateSubnet`.
        event_name: String,
        /// The id of the CloudTrail record.
        event_id: Option<String>,
        /// When the call was made (RFC 3339, UTC).
        event_time: Option<String>,
        /// The caller: an ARN if the record has one.
        principal: Option<String>,
        /// The person for whom the caller acted, if the credentials carry an identity of IAM Identity Center.
        on_behalf_of: Option<IdentityCenterUser>,
        /// The AWS service that made the call for the caller, such as `cloudformation.amazonaws.com`.
        invoked_by: Option<String>,
    },
    /// AWS Config recorded a change.
    ConfigItem,
    /// The scheduled sweep.
    Schedule,
    /// A manual request.
    Manual,
}

/// A user of IAM Identity Center, as CloudTrail names it
/// (<https://docs.aws.amazon.com/singlesignon/latest/userguide/sso-cloudtrail-use-cases.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityCenterUser {
    /// The id of the user: at most 47 hexadecimal digits and hyphens. It never changes.
    pub user_id: String,
    /// The ARN of the identity store that contains the user. Untrusted text.
    pub identity_store_arn: Option<String>,
}
