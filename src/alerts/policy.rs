//! What the people who deployed gatewatch want to be notified about.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::{
    alerts::{channel::Channel, history::AlertRecord},
    checks::severity::Severity,
    network::service::GatewayService,
};

/// What the people who deployed gatewatch want to be notified about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The services that every route table needs a gateway route to.
    pub required_services: BTreeSet<GatewayService>,
    /// No alert is sent about a finding below this severity.
    pub min_severity: Severity,
    /// When a reminder is due about a finding that nobody has acted on; `None` for never.
    pub remind_after: Option<SignedDuration>,
    /// The channels that are configured.
    pub channels: BTreeSet<Channel>,
}

impl Policy {
    /// The channels that are configured and did not receive the last alert about a finding.
    #[must_use]
    pub fn undelivered(&self, record: &AlertRecord) -> BTreeSet<Channel> {
        record.undelivered.intersection(&self.channels).copied().collect()
    }
}
