//! An alert: one finding as it is sent, with what has happened to it since it was last sent.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use jiff::{SignedDuration, Timestamp};

use crate::{
    alerts::recorded::Recorded,
    checks::{
        finding::{Finding, Gap, SubnetRef, TableRef},
        severity::Severity,
    },
    network::{model::Target, name::named, service::GatewayService},
};

/// One finding as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alert {
    /// The problem exists. Whether that is new is not known, because there is no alert history, or it could not be read.
    Reported(Finding),
    /// The problem exists.
    Open {
        /// The problem.
        finding: Finding,
        /// What has happened to it.
        change: OpenChange,
        /// When it was first known.
        since: Timestamp,
    },
    /// The problem is gone.
    Resolved(ResolvedFinding),
}

/// A finding that does not exist any more, as the alert history knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedFinding {
    /// The id of the finding.
    pub id: String,
    /// The service.
    pub service: GatewayService,
    /// The last gap.
    pub gap: Recorded<Gap>,
    /// The worst severity that it had: a subscriber to severe findings only is also sent their end.
    pub worst_severity: Severity,
    /// The account of the route table, 12 digits.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The VPC of the route table.
    pub vpc_id: String,
    /// The route table.
    pub route_table: TableRef,
    /// The subnets that were affected, as they are now; only the id is known of one that is gone.
    pub subnets: Vec<SubnetRef>,
    /// The default route that decided the severity.
    pub egress: Target,
    /// When the problem was first known.
    pub since: Timestamp,
    /// How it ended.
    pub resolution: Resolution,
}

impl Alert {
    /// What has happened to the finding.
    #[must_use]
    pub fn change(&self) -> Change {
        match self {
            Self::Reported(_) => Change::Reported,
            Self::Open { change, .. } => (*change).into(),
            Self::Resolved(_) => Change::Resolved,
        }
    }

    /// The problem, unless it is gone.
    #[must_use]
    pub fn open_finding(&self) -> Option<&Finding> {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => Some(finding),
            Self::Resolved(_) => None,
        }
    }

    /// The problem, if it is gone.
    #[must_use]
    pub fn resolved_finding(&self) -> Option<&ResolvedFinding> {
        if let Self::Resolved(resolved) = self { Some(resolved) } else { None }
    }

    /// Whether the problem is gone.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.resolved_finding().is_some()
    }

    /// When the problem was first known; `None` without an alert history.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        match self {
            Self::Reported(_) => None,
            Self::Open { since, .. } | Self::Resolved(ResolvedFinding { since, .. }) => Some(*since),
        }
    }

    /// The id of the finding.
    #[must_use]
    pub fn finding_id(&self) -> &str {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => &finding.id,
            Self::Resolved(resolved) => &resolved.id,
        }
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> GatewayService {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => finding.service,
            Self::Resolved(resolved) => resolved.service,
        }
    }

    /// The severity; the worst that a resolved finding had.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => finding.severity,
            Self::Resolved(resolved) => resolved.worst_severity,
        }
    }

    /// The account of the route table, 12 digits; empty where it is not known.
    #[must_use]
    pub fn account(&self) -> &str {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => &finding.account,
            Self::Resolved(resolved) => &resolved.account,
        }
    }

    /// The Region.
    #[must_use]
    pub fn region(&self) -> &str {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => &finding.region,
            Self::Resolved(resolved) => &resolved.region,
        }
    }

    /// The route table.
    #[must_use]
    pub fn route_table(&self) -> &TableRef {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => &finding.route_table,
            Self::Resolved(resolved) => &resolved.route_table,
        }
    }

    /// The subnets that are affected, or were.
    #[must_use]
    pub fn subnets(&self) -> &[SubnetRef] {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => &finding.subnets,
            Self::Resolved(resolved) => &resolved.subnets,
        }
    }

    /// The default route that decided the severity.
    #[must_use]
    pub fn egress(&self) -> &Target {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => &finding.egress,
            Self::Resolved(resolved) => &resolved.egress,
        }
    }
}

/// What has happened to a finding since it was last sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It exists. Whether that is new is not known, because no alert history could be read.
    Reported,
    /// It is new.
    Opened,
    /// Its severity rose, or more subnets are affected.
    Worsened,
    /// Its gap is another one than before.
    Changed,
    /// Nothing: it is sent again because nobody acted.
    Reminder,
    /// It is gone.
    Resolved,
}

named!(Change {
    Reported => "reported",
    Opened => "opened",
    Worsened => "worsened",
    Changed => "changed",
    Reminder => "reminder",
    Resolved => "resolved",
});

/// What has happened to a finding that still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenChange {
    /// It is new.
    Opened,
    /// Its severity rose, or more subnets are affected.
    Worsened,
    /// Its gap is another one than before.
    Changed,
    /// Nothing: it is sent again because nobody acted.
    Reminder,
}

named!(OpenChange { Opened => "opened", Worsened => "worsened", Changed => "changed", Reminder => "reminder" });

impl From<OpenChange> for Change {
    fn from(change: OpenChange) -> Self {
        match change {
            OpenChange::Opened => Self::Opened,
            OpenChange::Worsened => Self::Worsened,
            OpenChange::Changed => Self::Changed,
            OpenChange::Reminder => Self::Reminder,
        }
    }
}

/// How a problem ended, and how long it was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// What ended it.
    pub reason: Recorded<ResolutionReason>,
    /// From when the problem was first known to when it was known to be gone, in seconds.
    pub open_seconds: i64,
}

/// What ended a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResolutionReason {
    /// The route table is covered.
    Covered,
    /// A tag exempts it.
    Exempt,
    /// The route table was deleted.
    TableDeleted,
    /// The VPC was deleted.
    VpcDeleted,
    /// The route table carries a gateway's ingress traffic now and is not checked any more.
    EdgeTable,
    /// The service is not required any more.
    NotRequired,
}

named!(ResolutionReason {
    Covered => "covered",
    Exempt => "exempt",
    TableDeleted => "table_deleted",
    VpcDeleted => "vpc_deleted",
    EdgeTable => "edge_table",
    NotRequired => "not_required",
});

/// A moment to the second: finer is of no use to people, and would make notices of the same second differ.
#[must_use]
pub fn to_the_second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

/// From one moment to a later one, in seconds; never below 0, whatever the clocks say.
#[must_use]
pub fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).max(SignedDuration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_an_open_finding_is_a_change() {
        assert_eq!(OpenChange::ALL.map(|change| Change::from(change).name()), OpenChange::ALL.map(OpenChange::name));
    }

    #[test]
    fn moments_are_compared_to_the_second() {
        let moment = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (early, late) = (moment("2026-11-23T10:00:00.9Z"), moment("2026-11-23T10:01:30Z"));
        assert_eq!(to_the_second(early), moment("2026-11-23T10:00:00Z"));
        assert_eq!(seconds_between(moment("2026-11-23T10:00:00Z"), late), 90);
        assert_eq!(seconds_between(late, early), 0);
    }
}
