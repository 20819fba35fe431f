//! The settings that decide which alerts are sent.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::{
    alerts::history::AlertRecord,
    channel::Channel,
    checks::severity::Severity,
    network::service::GatewayService,
};

/// The settings that decide which alerts are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The services that every route table must have a gateway route to.
    pub required_services: BTreeSet<GatewayService>,
    /// The minimum severity. Findings below it send no alert, except `resolved` for a finding that was sent before.
    pub min_severity: Severity,
    /// How long after the last alert a reminder about an open finding is due; `None` for no reminders.
    pub remind_after: Option<SignedDuration>,
    /// The channels that have a topic.
    pub channels: BTreeSet<Channel>,
}

impl Policy {
    /// The channels that did not receive the last alert about a finding, or may not have received it. Channels that
    /// have no topic any more are left out.
    #[must_use]
    pub fn undelivered(&self, record: &AlertRecord) -> BTreeSet<Channel> {
        record.undelivered.intersection(&self.channels).copied().collect()
    }
}
