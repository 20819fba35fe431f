//! The plan of one VPC: which alerts to send and which records to write, and the result of its delivery.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    alerts::{
        alert::{Alert, Change},
        history::AlertRecord,
    },
    channel::Channel,
    error::Error,
    network::service::GatewayService,
};

/// The alerts to send and the records to write for one VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The plan without an alert history. No record is written.
    Untracked(UntrackedPlan),
    /// The plan with an alert history.
    Tracked(TrackedPlan),
}

/// The alerts to send for one VPC without an alert history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrackedPlan {
    /// The VPC.
    pub vpc_id: String,
    /// The alerts, sorted by route table and service. All of them are [`Alert::Reported`].
    pub outgoing: Vec<Outgoing>,
}

/// The alerts to send and the records to write for one VPC with an alert history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedPlan {
    /// The VPC.
    pub vpc_id: String,
    /// The version of the VPC's history that the plan is based on.
    pub version: u64,
    /// When the lease of another invocation expires; `None` if no other invocation has the lease.
    pub lease_expires_at: Option<Timestamp>,
    /// When the incident of the alerts began.
    pub incident_started_at: Timestamp,
    /// One step for each finding that needs an alert or a new record, sorted by route table and service.
    pub steps: Vec<Step>,
}

/// An alert, and the channels that it is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The alert.
    pub alert: Alert,
    /// The channels. Empty if a finding is resolved that no channel was notified about.
    pub channels: BTreeSet<Channel>,
}

/// The alert to send and the record to write for one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The alert to send; `None` if only the record changes, for example because the severity is lower.
    pub outgoing: Option<Outgoing>,
    /// The record to write if every channel receives the alert. But `not_notified` still has the channels from before
    /// the alert: [`TrackedPlan::records_after`] removes those that received it.
    pub record: AlertRecord,
}

/// The result of delivering a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryResult {
    /// The VPC.
    pub vpc_id: String,
    /// The number of messages that were published.
    pub published: usize,
    /// Whether another invocation has the lease of this VPC, or had it after the history was read. If so, nothing was
    /// sent, and the VPC has to be checked again.
    pub lost_lease: bool,
    /// `Ok` if everything was sent and recorded. Errors are [`Error::PublishFailed`] and [`Error::LedgerFailed`].
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

    /// When the incident of the alerts began; `None` without an alert history.
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
    /// A step that sends an alert and writes the record.
    #[must_use]
    pub fn send(alert: Alert, channels: BTreeSet<Channel>, record: AlertRecord) -> Self {
        Self { outgoing: Some(Outgoing { alert, channels }), record }
    }

    /// A step that only writes the record.
    #[must_use]
    pub fn record_only(record: AlertRecord) -> Self {
        Self { outgoing: None, record }
    }

    /// The change that the alert reports; `None` if no alert is sent.
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
    /// The plan to use if the alert history cannot be written: the same open findings, sent as without an alert
    /// history. `resolved` alerts are left out. A later invocation sends them, because the history keeps their
    /// records.
    #[must_use]
    pub fn to_untracked(&self) -> UntrackedPlan {
        let outgoing = self.steps.iter().filter_map(|step| {
            let Outgoing { alert, channels } = step.outgoing.as_ref()?;
            Some(Outgoing { alert: Alert::Reported(alert.open_finding()?.clone()), channels: channels.clone() })
        });
        UntrackedPlan { vpc_id: self.vpc_id.clone(), outgoing: outgoing.collect() }
    }

    /// Records to write before publishing. Each channel is marked as undelivered, because after a crash we cannot know
    /// which channels received the alert. For the same reason these channels are removed from `not_notified`.
    ///
    /// Steps that send nothing are left out: their records are written after publishing.
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

    /// Records to write after publishing. `received` has the ids of the findings that each channel received.
    #[must_use]
    pub fn records_after(&self, received: &BTreeMap<Channel, BTreeSet<String>>) -> Vec<AlertRecord> {
        let did_receive = |channel: &Channel, id: &str| received.get(channel).is_some_and(|ids| ids.contains(id));
        (self.steps.iter())
            .map(|step| {
                let record = &step.record;
                let Some(outgoing) = &step.outgoing else { return record.clone() };
                let did_not_receive = |channel: &&Channel| !did_receive(channel, &record.finding_id);
                let undelivered = outgoing.channels.iter().filter(did_not_receive).copied().collect();
                let not_notified = record.not_notified.iter().filter(did_not_receive).copied().collect();
                AlertRecord { undelivered, not_notified, ..record.clone() }
            })
            .collect()
    }
}
