//! All alerts of one VPC for one channel, before a format renders them.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::message::{Attribute, string_array};
use crate::{
    alerts::{
        affected::Affected,
        alert::{Alert, Change},
        channel::Channel,
        history::HistoryState,
        plan::Plan,
    },
    checks::severity::Severity,
    events::record::Trigger,
    network::model::Network,
};

/// All alerts of one VPC for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertGroup<'a> {
    /// The account, 12 digits; empty where it is not known.
    pub account: &'a str,
    /// The Region.
    pub region: &'a str,
    /// The VPC.
    pub vpc_id: &'a str,
    /// The value of its `Name` tag. Somebody else wrote it.
    pub vpc_name: Option<&'a str>,
    /// The newest record that affects the VPC.
    pub trigger: Option<&'a Trigger>,
    /// The number of records that affect it.
    pub triggers: usize,
    /// Whether the alerts are recorded in the alert history.
    pub ledger: HistoryState,
    /// When the incident began that the alerts belong to; `None` without an alert history.
    pub incident_started_at: Option<Timestamp>,
    /// The key of the exemption tag.
    pub exempt_tag: &'a str,
    /// The alerts, sorted by route table and service. Never empty.
    pub alerts: Vec<&'a Alert>,
}

/// What all messages of one invocation have in common.
#[derive(Clone, Copy, Debug)]
pub struct MessageContext<'a> {
    /// The network.
    pub network: &'a Network,
    /// What each record affects.
    pub affected: &'a [Affected<'a>],
    /// Whether the alerts are recorded in the alert history.
    pub ledger: HistoryState,
    /// The key of the exemption tag.
    pub exempt_tag: &'a str,
}

impl<'a> AlertGroup<'a> {
    /// The alerts that a plan sends on a channel; `None` if there are none.
    #[must_use]
    pub fn new(plan: &'a Plan, channel: Channel, context: &MessageContext<'a>) -> Option<Self> {
        let MessageContext { network, affected, ledger, exempt_tag } = *context;
        let vpc_id = plan.vpc_id();
        let alerts: Vec<&Alert> =
            plan.outgoing().filter(|sent| sent.channels.contains(&channel)).map(|sent| &sent.alert).collect();
        let first = alerts.first()?;
        let records = || affected.iter().filter(|t| t.vpc_ids.contains(vpc_id)).map(|affected| affected.record);
        Some(Self {
            account: first.account(),
            region: first.region(),
            vpc_id,
            vpc_name: network.vpcs.iter().find(|vpc| vpc.id == vpc_id).and_then(|vpc| vpc.name.as_deref()),
            // Of records of the same second, and of those without a time, the last in the batch counts as the newest.
            trigger: records().max_by_key(|record| record.time).map(|record| &record.trigger),
            triggers: records().count(),
            ledger,
            incident_started_at: plan.incident_started_at(),
            exempt_tag,
            alerts,
        })
    }

    /// The worst severity of all alerts, resolved ones included: a subscriber to severe findings is also sent their end.
    pub(super) fn severity(&self) -> Severity {
        self.alerts.iter().map(|alert| alert.severity()).max().unwrap_or(Severity::Low)
    }

    /// The worst severity of what is open; `None` if everything is resolved.
    pub(super) fn open_severity(&self) -> Option<Severity> {
        self.open().map(Alert::severity).max()
    }

    /// The alerts about problems that exist.
    pub(super) fn open(&self) -> impl Iterator<Item = &'a Alert> {
        self.alerts.iter().copied().filter(|alert| !alert.is_resolved())
    }

    /// The alerts about problems that are gone.
    pub(super) fn resolved(&self) -> impl Iterator<Item = &'a Alert> {
        self.alerts.iter().copied().filter(|alert| alert.is_resolved())
    }

    /// The word in brackets at the start of a subject or title: the worst severity of what is open, or `RESOLVED`.
    pub(super) fn label(&self) -> &'static str {
        self.open_severity().map_or("RESOLVED", Severity::name)
    }

    /// The message attributes, for filter policies.
    pub(super) fn attributes(&self) -> Vec<Attribute> {
        let string = |name, value: &str| Attribute { name, data_type: "String", value: value.to_owned() };
        let services = self.alerts.iter().map(|alert| alert.service().name()).collect();
        let changes = self.alerts.iter().map(|alert| alert.change()).collect::<BTreeSet<Change>>();
        let mut attributes = vec![
            string("severity", self.severity().name()),
            string("account", self.account),
            string("region", self.region),
            string("vpcId", self.vpc_id),
            string_array("services", &services),
            string_array("changes", &changes.into_iter().map(Change::name).collect()),
        ];
        attributes.retain(|attribute| !attribute.value.is_empty());
        attributes
    }

    /// The ids of all findings that the alerts are about.
    pub(super) fn finding_ids(&self) -> BTreeSet<String> {
        self.alerts.iter().map(|alert| alert.finding_id().to_owned()).collect()
    }
}
