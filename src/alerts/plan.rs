//! What has to be sent and recorded about one VPC, and what became of it.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    alerts::{
        alert::{Alert, Change},
        channel::Channel,
        history::AlertRecord,
    },
    error::Error,
    network::service::GatewayService,
};

/// What has to be sent and recorded about one VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Without an alert history: nothing is recorded.
    Untracked(UntrackedPlan),
    /// With an alert history.
    Tracked(TrackedPlan),
}

/// What has to be sent about one VPC without an alert history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrackedPlan {
    /// The VPC.
    pub vpc_id: String,
    /// The alerts, sorted by route table and service. All of them are [`Alert::Reported`].
    pub outgoing: Vec<Outgoing>,
}

/// What has to be sent and recorded about one VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedPlan {
    /// The VPC.
    pub vpc_id: String,
    /// The version of the VPC's history that the plan is based on.
    pub version: u64,
    /// When the lease of another invocation expires, if one has it.
    pub lease_expires_at: Option<Timestamp>,
    /// When the incident began that the alerts belong to.
    pub incident_started_at: Timestamp,
    /// What has to be done about each finding, sorted by route table and service.
    pub steps: Vec<Step>,
}

/// An alert, and the channels that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The alert.
    pub alert: Alert,
    /// The channels. Empty for the end of a problem that no channel was notified about.
    pub channels: BTreeSet<Channel>,
}

/// What has to be done about one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The alert to send; `None` if the record changes in a way that is not worth an alert.
    pub outgoing: Option<Outgoing>,
    /// The record once every channel has received the alert; `not_notified` is as it was before.
    pub record: AlertRecord,
}

/// What became of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryResult {
    /// The VPC.
    pub vpc_id: String,
    /// The number of messages that were published.
    pub published: usize,
    /// Whether another invocation has the lease of this VPC, or had it after the history was read. Nothing was sent, and
    /// the VPC has to be checked again.
    pub lost_lease: bool,
    /// Whether everything was sent and recorded.
    pub result: Result<(), Error>,
}

impl Plan {
    /// The VPC.
    #[must_use]
    pub fn vpc_id(&self) -> &str {
        match self {
            Self::Untracked(plan) => &plan.vpc_id,
            Self::Tracked(plan) => &plan.vpc_id,
        }
    }

    /// When the incident began that the alerts belong to; `None` without an alert history.
    #[must_use]
    pub fn incident_started_at(&self) -> Option<Timestamp> {
        match self {
            Self::Untracked(_) => None,
            Self::Tracked(plan) => Some(plan.incident_started_at),
        }
    }

    /// The alerts to send, sorted by route table and service.
    pub fn outgoing(&self) -> impl Iterator<Item = &Outgoing> {
        let (untracked, tracked) = match self {
            Self::Untracked(plan) => (plan.outgoing.as_slice(), &[][..]),
            Self::Tracked(plan) => (&[][..], plan.steps.as_slice()),
        };
        untracked.iter().chain(tracked.iter().filter_map(|step| step.outgoing.as_ref()))
    }
}

impl Step {
    /// The step that sends an alert and records it.
    #[must_use]
    pub fn send(alert: Alert, channels: BTreeSet<Channel>, record: AlertRecord) -> Self {
        Self { outgoing: Some(Outgoing { alert, channels }), record }
    }

    /// The step that only changes the record.
    #[must_use]
    pub fn record(record: AlertRecord) -> Self {
        Self { outgoing: None, record }
    }

    /// What the alert says, if there is one.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        self.outgoing.as_ref().map(|outgoing| outgoing.alert.change())
    }

    /// The sort key: route table and service.
    pub(crate) fn sort_key(&self) -> (&str, GatewayService) {
        (&self.record.route_table.id, self.record.service)
    }
}

impl TrackedPlan {
    /// The same open findings, sent as without an alert history. What is resolved is neither sent nor forgotten.
    #[must_use]
    pub fn untracked(&self) -> UntrackedPlan {
        let outgoing = self.steps.iter().filter_map(|step| {
            let Outgoing { alert, channels } = step.outgoing.as_ref()?;
            Some(Outgoing { alert: Alert::Reported(alert.open_finding()?.clone()), channels: channels.clone() })
        });
        UntrackedPlan { vpc_id: self.vpc_id.clone(), outgoing: outgoing.collect() }
    }

    /// Records to write before publishing. Each channel is marked as undelivered, because after a crash nobody knows which
    /// channels received the alert.
    #[must_use]
    pub fn records_before(&self) -> Vec<AlertRecord> {
        (self.steps.iter())
            .filter_map(|step| {
                let channels = &step.outgoing.as_ref().filter(|outgoing| !outgoing.channels.is_empty())?.channels;
                let record = &step.record;
                let not_notified = &record.not_notified - channels;
                Some(AlertRecord { undelivered: channels.clone(), not_notified, ..record.clone() })
            })
            .collect()
    }

    /// Records to write after publishing, given the ids of the findings that each channel received.
    #[must_use]
    pub fn records_after(&self, received: &BTreeMap<Channel, BTreeSet<String>>) -> Vec<AlertRecord> {
        let has = |channel: &Channel, id: &str| received.get(channel).is_some_and(|ids| ids.contains(id));
        (self.steps.iter())
            .map(|step| {
                let record = &step.record;
                let Some(outgoing) = &step.outgoing else { return record.clone() };
                let lacks = |channel: &&Channel| !has(channel, &record.finding_id);
                let undelivered = outgoing.channels.iter().filter(lacks).copied().collect();
                let not_notified = record.not_notified.iter().filter(lacks).copied().collect();
                AlertRecord { undelivered, not_notified, ..record.clone() }
            })
            .collect()
    }
}
