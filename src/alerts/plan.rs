//! The plan of one VPC: which alerts to send and which records to write, and the result of its delivery.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    alerts::{
        alert::Alert,
        history::{AlertRecord, Incident},
    },
    channel::Channel,
    checks::check::CheckName,
    error::Error,
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
    /// The VPC, or [`REST_APIS`](crate::alerts::history::REST_APIS).
    pub vpc_id: String,
    /// The alerts, sorted by subject, check and service. All of them are [`Alert::Reported`].
    pub outgoing: Vec<Outgoing>,
}

/// The alerts to send and the records to write for one VPC with an alert history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedPlan {
    /// The VPC, or [`REST_APIS`](crate::alerts::history::REST_APIS).
    pub vpc_id: String,
    /// The version of the VPC's history that the plan is based on.
    pub version: u64,
    /// When the lease of another invocation expires; `None` if no other invocation has the lease.
    pub lease_expires_at: Option<Timestamp>,
    /// The newest incident of the VPC after this plan; `None` if there is none.
    pub last_incident: Option<Incident>,
    /// One step for each finding that needs an alert or a new record, sorted by subject, check and service.
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

/// The alerts to send and the record to write for one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The alerts to send. Channels can need different alerts, for example one that was added after the finding opened.
    /// Each channel is in at most one of them. Empty if only the record changes, for example because the severity is
    /// lower.
    pub outgoing: Vec<Outgoing>,
    /// The record to write. Its `undelivered` and `notified` do not know the alerts of this step yet:
    /// [`TrackedPlan::records_before`] and [`TrackedPlan::records_after`] add them. If there are alerts, `undelivered` is
    /// empty, because each channel that missed an alert is in one of them.
    pub record: AlertRecord,
}

/// The result of delivering a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryResult {
    /// The VPC, or [`REST_APIS`](crate::alerts::history::REST_APIS).
    pub vpc_id: String,
    /// The number of messages that were published.
    pub published: usize,
    /// Whether another invocation has the lease of this VPC, or had it after the history was read. If so, nothing was
    /// sent, and the VPC has to be checked again.
    pub lost_lease: bool,
    /// `Ok` if everything was sent and recorded. Errors are [`Error::PublishFailed`], [`Error::LedgerFailed`], and
    /// [`Error::Ec2ReadFailed`] if the VPC had to be read again.
    pub result: Result<(), Error>,
}

impl Plan {
    /// The VPC, or [`REST_APIS`](crate::alerts::history::REST_APIS).
    #[must_use]
    pub fn vpc_id(&self) -> &str {
        match self {
            Self::Untracked(plan) => &plan.vpc_id,
            Self::Tracked(plan) => &plan.vpc_id,
        }
    }

    /// The alerts to send, sorted by subject, check and service, each with the start of its incident. Without an alert
    /// history, an alert belongs to no incident.
    pub fn outgoing(&self) -> impl Iterator<Item = (Option<Timestamp>, &Outgoing)> {
        let (untracked, tracked) = match self {
            Self::Untracked(plan) => (plan.outgoing.as_slice(), &[][..]),
            Self::Tracked(plan) => (&[][..], plan.steps.as_slice()),
        };
        let tracked = tracked.iter().flat_map(|step| {
            let incident = step.record.incident_started_at;
            step.outgoing.iter().map(move |outgoing| (Some(incident), outgoing))
        });
        untracked.iter().map(|outgoing| (None, outgoing)).chain(tracked)
    }

    /// The channels that the plan sends alerts to.
    pub fn channels(&self) -> impl Iterator<Item = Channel> {
        self.outgoing().flat_map(|(_, outgoing)| outgoing.channels.iter().copied())
    }
}

impl Step {
    /// A step that sends one alert and writes the record.
    #[must_use]
    pub fn send(alert: Alert, channels: BTreeSet<Channel>, record: AlertRecord) -> Self {
        Self { outgoing: vec![Outgoing { alert, channels }], record }
    }

    /// A step that only writes the record.
    #[must_use]
    pub fn record_only(record: AlertRecord) -> Self {
        Self { outgoing: Vec::new(), record }
    }

    /// The channels that the step sends an alert to.
    fn channels(&self) -> BTreeSet<Channel> {
        self.outgoing.iter().flat_map(|outgoing| &outgoing.channels).copied().collect()
    }

    /// The sort key: subject, check and service.
    pub(crate) fn sort_key(&self) -> (&str, CheckName, &str) {
        let AlertRecord { subject, problem, .. } = &self.record;
        (&subject.id, problem.check(), problem.service_name())
    }
}

impl TrackedPlan {
    /// The plan to use if the lease cannot be acquired because of an error: the open findings of these records,
    /// sent as without an alert history. `resolved` alerts are left out. A later invocation sends them, because the
    /// history keeps their records.
    #[must_use]
    pub fn to_untracked(&self, is_reported: impl Fn(&AlertRecord) -> bool) -> UntrackedPlan {
        let outgoing = (self.steps.iter()).filter(|step| is_reported(&step.record)).filter_map(|step| {
            let finding = step.outgoing.first()?.alert.open_finding()?;
            Some(Outgoing { alert: Alert::Reported(finding.clone()), channels: step.channels() })
        });
        UntrackedPlan { vpc_id: self.vpc_id.clone(), outgoing: outgoing.collect() }
    }

    /// Records to write before publishing. Each channel that an alert is sent to is marked as undelivered, and as
    /// notified, because after a crash we cannot know which channels received the alert.
    ///
    /// Steps that send nothing are left out: their records are written after publishing.
    #[must_use]
    pub fn records_before(&self) -> Vec<AlertRecord> {
        (self.steps.iter())
            .filter(|step| !step.outgoing.is_empty())
            .map(|step| {
                let (record, channels) = (&step.record, step.channels());
                AlertRecord { notified: &record.notified | &channels, undelivered: channels, ..record.clone() }
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
                let (received, missed): (BTreeSet<Channel>, BTreeSet<Channel>) =
                    step.channels().into_iter().partition(|channel| did_receive(channel, &record.finding_id));
                let undelivered = if step.outgoing.is_empty() { record.undelivered.clone() } else { missed };
                AlertRecord { undelivered, notified: &record.notified | &received, ..record.clone() }
            })
            .collect()
    }
}
