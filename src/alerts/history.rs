//! The alert history: which alerts have been sent about each finding. Settings and JSON call it the `ledger`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    alerts::{
        alert::{Change, OpenChange, Resolution},
        recorded::RecordedProblem,
    },
    channel::Channel,
    checks::{finding::Finding, severity::Severity, subject::Subject},
    error::Error,
    network::name::named,
};

/// The key of the part of the alert history that is about REST APIs. They are in no VPC, so they share one lease, one
/// incident and one message. No VPC has this id.
pub const REST_APIS: &str = "rest-apis";

/// The key of the part of the alert history that has the findings of a VPC: its id, or [`REST_APIS`] without a VPC.
#[must_use]
pub fn history_key(vpc_id: &str) -> &str {
    if vpc_id.is_empty() { REST_APIS } else { vpc_id }
}

/// The VPC that a key of the alert history stands for. Empty for [`REST_APIS`].
#[must_use]
pub fn vpc_of_key(key: &str) -> &str {
    if key == REST_APIS { "" } else { key }
}

/// The alerts that have been sent, as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertHistory {
    /// There is no alert history, because no table is configured.
    Off,
    /// The alert history could not be read, because of this error.
    Unavailable(Error),
    /// The alert history was read. The key is the VPC id, or [`REST_APIS`].
    Available(BTreeMap<String, VpcHistory>),
}

/// Whether an alert history was used: the value of `ledger` in messages and responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistoryState {
    /// There is no alert history. Every finding is sent each time.
    #[default]
    Off,
    /// The alert history was read, and alerts are recorded.
    On,
    /// The alert history could not be read or written. Findings are sent as if there were none.
    Unavailable,
}

named!(HistoryState { Off => "off", On => "on", Unavailable => "unavailable" });

impl AlertHistory {
    /// Whether there is an alert history, and whether it was read.
    #[must_use]
    pub fn state(&self) -> HistoryState {
        match self {
            Self::Off => HistoryState::Off,
            Self::Unavailable(_) => HistoryState::Unavailable,
            Self::Available(_) => HistoryState::On,
        }
    }

    /// Why the alert history could not be read; `None` if there is none, or if it was read.
    #[must_use]
    pub fn read_error(&self) -> Option<&Error> {
        if let Self::Unavailable(error) = self { Some(error) } else { None }
    }

    /// Every record that was read, of all VPCs.
    pub fn records(&self) -> impl Iterator<Item = &AlertRecord> {
        let vpcs = if let Self::Available(vpcs) = self { Some(vpcs) } else { None };
        vpcs.into_iter().flat_map(BTreeMap::values).flat_map(|vpc| &vpc.records)
    }
}

/// The alert history of one VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VpcHistory {
    /// How often the lease of the VPC has been acquired. An invocation gets the lease only if this number has not
    /// changed since it read the records. So no plan is based on records that another invocation has changed.
    pub version: u64,
    /// When the lease of another invocation expires, unless that invocation releases it earlier.
    pub lease_expires_at: Option<Timestamp>,
    /// The incident of the newest alert. `None` if no alert was sent for two days or more.
    pub last_incident: Option<Incident>,
    /// One record for each finding that is open, or whose `resolved` alert some channel has not received.
    pub records: Vec<AlertRecord>,
}

/// Alerts about one VPC that belong together. A chat shows them as one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incident {
    /// When the last alert was sent.
    pub last_alert_at: Timestamp,
    /// When the incident began: when its first finding opened.
    pub started_at: Timestamp,
}

impl VpcHistory {
    /// When the incident began that a finding belongs to if it opens now. It joins the incident with the newest alert if
    /// that alert is at most one day old. Otherwise it begins a new incident.
    #[must_use]
    pub fn incident_of_new_finding(&self, now: Timestamp) -> Timestamp {
        const MAX_AGE: SignedDuration = SignedDuration::from_hours(24);
        let of_records = self.records.iter().map(AlertRecord::incident);
        (self.last_incident.into_iter().chain(of_records).max())
            .filter(|incident| now.duration_since(incident.last_alert_at) <= MAX_AGE)
            .map_or(now, |incident| incident.started_at)
    }
}

/// One finding that alerts were sent about, and what the last alert said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRecord {
    /// See [`crate::checks::finding::finding_id`].
    pub finding_id: String,
    /// The resource that has, or had, the problem.
    pub subject: Subject,
    /// The account of the subject, 12 digits.
    pub account: String,
    /// The VPC of the subject, or [`REST_APIS`].
    pub vpc_id: String,
    /// The severity at the last check.
    pub severity: Severity,
    /// The worst severity since the finding opened. The `resolved` alert has this severity, so that subscribers that
    /// filter by severity and received the finding also receive that alert.
    pub worst_severity: Severity,
    /// The ids of the subnets that were affected at the last check.
    pub subnet_ids: BTreeSet<String>,
    /// What was wrong at the last check.
    pub problem: RecordedProblem,
    /// Whether the last alert reported the finding as open or as resolved.
    pub state: RecordState,
    /// When gatewatch first found the problem.
    pub since: Timestamp,
    /// When the last alert was sent.
    pub notified_at: Timestamp,
    /// The channels that did not receive the last alert, or may not have received it.
    pub undelivered: BTreeSet<Channel>,
    /// The channels that received an alert since the finding opened, or may have received one.
    pub notified: BTreeSet<Channel>,
    /// When the incident of the finding began: see [`Incident`].
    pub incident_started_at: Timestamp,
}

/// Whether the last alert reported a finding as open or as resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// As open, with this change.
    Open(OpenChange),
    /// As resolved, with this resolution.
    Resolved(Resolution),
}

impl RecordState {
    /// The change that the last alert reported.
    #[must_use]
    pub fn change(&self) -> Change {
        match self {
            Self::Open(change) => (*change).into(),
            Self::Resolved(_) => Change::Resolved,
        }
    }
}

impl AlertRecord {
    /// Whether the last alert reported the finding as open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, RecordState::Open(_))
    }

    /// Whether an alert about the finding may follow: the finding is open, or some channel has not received `resolved`.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_open() || !self.undelivered.is_empty()
    }

    /// The incident of the finding, as far as this record knows it.
    fn incident(&self) -> Incident {
        Incident { last_alert_at: self.notified_at, started_at: self.incident_started_at }
    }

    /// The record of a finding that opens now. No channel is marked as undelivered or notified.
    #[must_use]
    pub fn opened(finding: &Finding, incident_started_at: Timestamp, now: Timestamp) -> Self {
        Self {
            finding_id: finding.id.clone(),
            subject: finding.subject.clone(),
            account: finding.account.clone(),
            vpc_id: history_key(&finding.vpc_id).to_owned(),
            severity: finding.severity,
            worst_severity: finding.severity,
            subnet_ids: finding.subnets.iter().map(|subnet| subnet.id.clone()).collect(),
            problem: (&finding.problem).into(),
            state: RecordState::Open(OpenChange::Opened),
            since: now,
            notified_at: now,
            undelivered: BTreeSet::new(),
            notified: BTreeSet::new(),
            incident_started_at,
        }
    }

    /// The record with the current facts of the finding.
    #[must_use]
    pub fn updated(&self, finding: &Finding) -> Self {
        Self {
            problem: self.problem.updated(&finding.problem),
            worst_severity: self.worst_severity.max(finding.severity),
            state: self.state.clone(),
            since: self.since,
            undelivered: self.undelivered.clone(),
            notified: self.notified.clone(),
            ..Self::opened(finding, self.incident_started_at, self.notified_at)
        }
    }

    /// What has changed between an open record and the finding as it is now; `None` if nothing got worse and the
    /// same thing is wrong.
    #[must_use]
    pub fn change(&self, finding: &Finding) -> Option<OpenChange> {
        let has_grown = finding.problem.grows_with_subnets()
            && finding.subnets.iter().any(|subnet| !self.subnet_ids.contains(&subnet.id));
        if finding.severity > self.severity || has_grown {
            Some(OpenChange::Worsened)
        } else if self.problem.has_changed(&finding.problem) {
            Some(OpenChange::Changed)
        } else {
            None
        }
    }

    /// Whether a reminder is due; `remind_after` is the time from the last alert to the reminder. It is due one hour
    /// early, because a daily sweep that starts a minute earlier than the last one must not delay a reminder by a day.
    #[must_use]
    pub fn is_reminder_due(&self, remind_after: Option<SignedDuration>, now: Timestamp) -> bool {
        const EARLY_BY: SignedDuration = SignedDuration::from_hours(1);
        remind_after.is_some_and(|after| now.duration_since(self.notified_at) >= after - EARLY_BY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alerts::{
            alert::ResolutionReason,
            recorded::{Recorded, RecordedRoute},
            testing,
        },
        checks::{self, finding::Gap},
    };

    #[test]
    fn a_history_state_is_off_on_or_unavailable() {
        for (history, state, name) in [
            (AlertHistory::Off, HistoryState::Off, "off"),
            (AlertHistory::Available(BTreeMap::new()), HistoryState::On, "on"),
            (testing::unavailable(), HistoryState::Unavailable, "unavailable"),
        ] {
            assert_eq!(history.state(), state);
            assert_eq!(history.read_error().is_some(), state == HistoryState::Unavailable);
            assert_eq!(state.name(), name);
        }
    }

    #[test]
    fn a_record_is_active_while_an_alert_about_it_may_follow() {
        let resolved =
            RecordState::Resolved(Resolution { reason: Recorded::Known(ResolutionReason::Covered), open_seconds: 60 });
        let text = BTreeSet::from([Channel::Text]);
        for (state, undelivered, is_active) in [
            (RecordState::Open(OpenChange::Opened), BTreeSet::new(), true),
            (RecordState::Open(OpenChange::Opened), text.clone(), true),
            (resolved.clone(), text, true),
            (resolved, BTreeSet::new(), false),
        ] {
            let record = AlertRecord { state, undelivered, ..testing::record("vpc-0000000a", "rtb-0000000a", &[]) };
            assert_eq!(record.is_active(), is_active, "{record:?}");
        }
    }

    #[test]
    fn a_gap_of_a_newer_version_is_kept_and_is_not_a_change() {
        let unknown = RecordedProblem::MissingRoute(RecordedRoute {
            gap: Recorded::Unknown("route_shadowed".into()),
            ..testing::recorded_route()
        });
        let record = AlertRecord { problem: unknown, ..testing::record("vpc-0000000a", "rtb-0000000a", &[]) };
        let finding = checks::testing::finding("vpc-0000000a", "rtb-0000000a");
        assert_eq!(record.change(&finding), None);
        let updated = RecordedProblem::MissingRoute(RecordedRoute {
            gap: Recorded::Unknown("route_shadowed".into()),
            ..RecordedRoute::from(finding.missing_route().unwrap())
        });
        assert_eq!(record.updated(&finding).problem, updated);
        assert_eq!(Recorded::<Gap>::Unknown("route_shadowed".into()).name(), "route_shadowed");
    }
}
