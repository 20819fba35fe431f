//! The alert history: which alerts have been sent, finding by finding. Settings and JSON call it the `ledger`.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    alerts::{
        alert::{Change, OpenChange, Resolution},
        channel::Channel,
        recorded::Recorded,
    },
    checks::{
        finding::{Finding, Gap, TableRef},
        severity::Severity,
    },
    error::Error,
    network::{model::Target, name::named, service::GatewayService},
};

/// What is known of the alerts that have been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertHistory {
    /// There is none: no table is configured.
    Off,
    /// It could not be read, for this reason.
    Unavailable(Error),
    /// It was read: by VPC.
    Available(BTreeMap<String, VpcHistory>),
}

/// Whether there is an alert history, as answers and messages say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistoryState {
    /// There is none: every finding is sent each time.
    #[default]
    Off,
    /// Alerts are recorded.
    On,
    /// It could not be read or written: findings are sent as without one.
    Unavailable,
}

named!(HistoryState { Off => "off", On => "on", Unavailable => "unavailable" });

impl AlertHistory {
    /// Whether there is one.
    #[must_use]
    pub fn state(&self) -> HistoryState {
        match self {
            Self::Off => HistoryState::Off,
            Self::Unavailable(_) => HistoryState::Unavailable,
            Self::Available(_) => HistoryState::On,
        }
    }

    /// Why it could not be read, if that is so.
    #[must_use]
    pub fn read_error(&self) -> Option<&Error> {
        if let Self::Unavailable(error) = self { Some(error) } else { None }
    }

    /// Every record that was read.
    pub fn records(&self) -> impl Iterator<Item = &AlertRecord> {
        let vpcs = if let Self::Available(vpcs) = self { Some(vpcs) } else { None };
        vpcs.into_iter().flat_map(BTreeMap::values).flat_map(|vpc| &vpc.records)
    }
}

/// The alert history of one VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VpcHistory {
    /// How often the lease of the VPC has been acquired. A lease is granted only for the version that was read, so that a
    /// plan is never based on records that another invocation has changed since.
    pub version: u64,
    /// When the lease of another invocation expires, unless that invocation releases it earlier.
    pub lease_expires_at: Option<Timestamp>,
    /// The findings that alerts were sent about, open and resolved.
    pub records: Vec<AlertRecord>,
}

/// What is known of the alerts about one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRecord {
    /// See [`crate::checks::finding::finding_id`].
    pub finding_id: String,
    /// The account of the route table, 12 digits.
    pub account: String,
    /// The VPC of the route table.
    pub vpc_id: String,
    /// The route table.
    pub route_table: TableRef,
    /// The service.
    pub service: GatewayService,
    /// The gap at the last check.
    pub gap: Recorded<Gap>,
    /// The severity at the last check.
    pub severity: Severity,
    /// The worst severity so far: a subscriber to severe findings only is also sent their end.
    pub worst_severity: Severity,
    /// The ids of the subnets that were affected at the last check.
    pub subnet_ids: BTreeSet<String>,
    /// The default route that decided the severity.
    pub egress: Target,
    /// Whether the problem existed, and what the last alert said.
    pub state: RecordState,
    /// When the problem was first known.
    pub since: Timestamp,
    /// When the last alert was sent.
    pub notified_at: Timestamp,
    /// The channels that did not receive the last alert, or may not have received it.
    pub undelivered: BTreeSet<Channel>,
    /// The channels that received no alert since the finding opened.
    pub not_notified: BTreeSet<Channel>,
    /// When the incident began that the finding belongs to: findings of a VPC that are open at the same time share one
    /// thread in a chat.
    pub incident_started_at: Timestamp,
}

/// Whether a problem existed, and what the last alert said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// It existed.
    Open(OpenChange),
    /// It was gone.
    Resolved(Resolution),
}

impl RecordState {
    /// What the last alert said.
    #[must_use]
    pub fn change(&self) -> Change {
        match self {
            Self::Open(change) => (*change).into(),
            Self::Resolved(_) => Change::Resolved,
        }
    }
}

impl AlertRecord {
    /// Whether the problem existed when the last alert was sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, RecordState::Open(_))
    }

    /// The record of a finding about which the first alert is sent now.
    #[must_use]
    pub fn opened(finding: &Finding, incident_started_at: Timestamp, now: Timestamp) -> Self {
        Self {
            finding_id: finding.id.clone(),
            account: finding.account.clone(),
            vpc_id: finding.vpc_id.clone(),
            route_table: finding.route_table.clone(),
            service: finding.service,
            gap: Recorded::Known(finding.gap),
            severity: finding.severity,
            worst_severity: finding.severity,
            subnet_ids: finding.subnets.iter().map(|subnet| subnet.id.clone()).collect(),
            egress: finding.egress.clone(),
            state: RecordState::Open(OpenChange::Opened),
            since: now,
            notified_at: now,
            undelivered: BTreeSet::new(),
            not_notified: BTreeSet::new(),
            incident_started_at,
        }
    }

    /// The record with the facts of the finding as it is now. A gap that only a newer version knows is kept: to replace it
    /// would look like a change to that version.
    #[must_use]
    pub fn updated(&self, finding: &Finding) -> Self {
        let gap = match &self.gap {
            Recorded::Known(_) => Recorded::Known(finding.gap),
            Recorded::Unknown(_) => self.gap.clone(),
        };
        Self {
            gap,
            worst_severity: self.worst_severity.max(finding.severity),
            state: self.state.clone(),
            since: self.since,
            undelivered: self.undelivered.clone(),
            not_notified: self.not_notified.clone(),
            ..Self::opened(finding, self.incident_started_at, self.notified_at)
        }
    }

    /// What has happened to a finding that was open; `None` if that is not worth an alert.
    #[must_use]
    pub fn change(&self, finding: &Finding) -> Option<OpenChange> {
        let joined = finding.subnets.iter().any(|subnet| !self.subnet_ids.contains(&subnet.id));
        if finding.severity > self.severity || joined {
            Some(OpenChange::Worsened)
        } else if matches!(self.gap, Recorded::Known(gap) if gap != finding.gap) {
            Some(OpenChange::Changed)
        } else {
            None
        }
    }

    /// Whether a reminder is due. One hour early counts: a daily sweep that starts a minute earlier than the last one must
    /// not put a reminder off by a day.
    #[must_use]
    pub fn is_due(&self, remind_after: Option<SignedDuration>, now: Timestamp) -> bool {
        const SLACK: SignedDuration = SignedDuration::from_hours(1);
        remind_after.is_some_and(|after| now.duration_since(self.notified_at) >= after - SLACK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alerts::testing, checks};

    #[test]
    fn a_history_says_whether_there_is_one() {
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
    fn a_gap_that_only_a_newer_version_knows_is_kept_and_is_no_change() {
        let record = AlertRecord {
            gap: Recorded::Unknown("route_shadowed".into()),
            ..testing::record("vpc-0000000a", "rtb-0000000a", &[])
        };
        let finding = checks::testing::finding("vpc-0000000a", "rtb-0000000a");
        assert_eq!(record.change(&finding), None);
        assert_eq!(record.updated(&finding).gap, Recorded::Unknown("route_shadowed".into()));
        assert_eq!(record.gap.name(), "route_shadowed");
    }
}
