//! The settings that decide which alerts are sent.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::{
    alerts::history::AlertRecord,
    channel::Channel,
    checks::{check::CheckName, severity::Severity},
    network::service::GatewayService,
};

/// The settings that decide which alerts are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The checks that run. Findings of the others are resolved.
    pub checks: BTreeSet<CheckName>,
    /// The services that every route table must have a gateway route to.
    pub required_services: BTreeSet<GatewayService>,
    /// The short names of the services that every VPC must have a private way to, such as `ssm`.
    pub required_interfaces: BTreeSet<String>,
    /// The minimum severity. Findings below it send no alert, except `resolved` for a finding that was sent before.
    pub min_severity: Severity,
    /// How long after the last alert a reminder about an open finding is due; `None` for no reminders.
    pub remind_after: Option<SignedDuration>,
    /// The channels to send to: those that have a topic with subscribers, as far as that is known.
    pub channels: BTreeSet<Channel>,
    /// The channels whose topic has no confirmed subscription. Alerts to them would reach nobody, so they count as not
    /// notified.
    pub without_subscribers: BTreeSet<Channel>,
}

impl Policy {
    /// The channels that did not receive the last alert about a finding, or may not have received it. Channels that
    /// have no topic any more are left out.
    #[must_use]
    pub fn undelivered(&self, record: &AlertRecord) -> BTreeSet<Channel> {
        &record.undelivered & &self.channels
    }

    /// The policy if the topics of these channels have no confirmed subscription.
    #[must_use]
    pub fn without(self, without_subscribers: BTreeSet<Channel>) -> Self {
        Self { channels: &self.channels - &without_subscribers, without_subscribers, ..self }
    }

    /// The record without the channels that have no subscribers, so that they count as not notified.
    pub(super) fn drop_unsubscribed(&self, record: AlertRecord) -> AlertRecord {
        AlertRecord {
            undelivered: &record.undelivered - &self.without_subscribers,
            notified: &record.notified - &self.without_subscribers,
            ..record
        }
    }
}
