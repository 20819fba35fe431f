//! An alert: one finding as it is sent, with what has changed since the last alert about it.

use jiff::{SignedDuration, Timestamp};

use crate::{
    alerts::recorded::{Recorded, RecordedProblem, RecordedRoute},
    checks::{
        check::CheckName,
        finding::{Finding, MissingRoute, SubnetRef},
        severity::Severity,
        subject::Subject,
    },
    network::{model::Target, name::named},
};

/// One finding as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alert {
    /// The problem exists. It is not known whether the problem is new, because there is no alert history, or it could
    /// not be read.
    Reported(Finding),
    /// The problem exists, and the alert history was read.
    Open {
        /// The problem.
        finding: Finding,
        /// What has changed since the last alert about it.
        change: OpenChange,
        /// When gatewatch first found the problem.
        since: Timestamp,
    },
    /// The problem does not exist any more.
    Resolved(ResolvedFinding),
}

/// A finding that does not exist any more, with the facts that the alert history has recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedFinding {
    /// The id of the finding.
    pub id: String,
    /// The resource that had the problem.
    pub subject: Subject,
    /// The worst severity that the finding had. Subscribers that filter by severity and received the finding also
    /// receive this alert.
    pub worst_severity: Severity,
    /// The account of the subject, 12 digits.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The VPC of the subject. Empty for a REST API.
    pub vpc_id: String,
    /// The subnets that were affected, as they are now. Of a deleted subnet only the id is known.
    pub subnets: Vec<SubnetRef>,
    /// What was wrong at the last check that found the problem.
    pub problem: RecordedProblem,
    /// When gatewatch first found the problem.
    pub since: Timestamp,
    /// Why the problem is resolved, and how long it was open.
    pub resolution: Resolution,
}

/// The facts about a table without a gateway route that are known even after the problem is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteFacts<'a> {
    /// Whether the table is, or was, the main table of its VPC.
    pub is_main_table: bool,
    /// The default route that decided the severity.
    pub egress: &'a Target,
}

impl Alert {
    /// What has changed since the last alert about the finding.
    #[must_use]
    pub fn change(&self) -> Change {
        match self {
            Self::Reported(_) => Change::Reported,
            Self::Open { change, .. } => (*change).into(),
            Self::Resolved(_) => Change::Resolved,
        }
    }

    /// The finding, if the problem exists.
    #[must_use]
    pub fn open_finding(&self) -> Option<&Finding> {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => Some(finding),
            Self::Resolved(_) => None,
        }
    }

    /// The resolved finding, if the problem does not exist any more.
    #[must_use]
    pub fn resolved_finding(&self) -> Option<&ResolvedFinding> {
        if let Self::Resolved(resolved) = self { Some(resolved) } else { None }
    }

    /// Whether the problem does not exist any more.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.resolved_finding().is_some()
    }

    /// When gatewatch first found the problem; `None` without an alert history.
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

    /// The check that found the problem.
    #[must_use]
    pub fn check(&self) -> CheckName {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => finding.problem.check(),
            Self::Resolved(resolved) => resolved.problem.check(),
        }
    }

    /// The name of the service that the problem concerns, or concerned.
    #[must_use]
    pub fn service_name(&self) -> &str {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => finding.problem.service_name(),
            Self::Resolved(resolved) => resolved.problem.service_name(),
        }
    }

    /// The severity. For a resolved finding: the worst severity that it had.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => finding.severity,
            Self::Resolved(resolved) => resolved.worst_severity,
        }
    }

    /// The table and its default route, if the problem is, or was, a missing gateway route.
    #[must_use]
    pub fn route_facts(&self) -> Option<RouteFacts<'_>> {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => {
                let MissingRoute { is_main_table, egress, .. } = finding.missing_route()?;
                Some(RouteFacts { is_main_table: *is_main_table, egress })
            }
            Self::Resolved(resolved) => {
                let RecordedRoute { is_main_table, egress, .. } = resolved.problem.missing_route()?;
                Some(RouteFacts { is_main_table: *is_main_table, egress })
            }
        }
    }

    /// The account of the subject, 12 digits; empty if it is not known.
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

    /// The resource that has, or had, the problem.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => &finding.subject,
            Self::Resolved(resolved) => &resolved.subject,
        }
    }

    /// The subnets that are affected, or were affected.
    #[must_use]
    pub fn subnets(&self) -> &[SubnetRef] {
        match self {
            Self::Reported(finding) | Self::Open { finding, .. } => &finding.subnets,
            Self::Resolved(resolved) => &resolved.subnets,
        }
    }
}

/// What has changed since the last alert about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// The problem exists. It is not known whether the problem is new, because there is no alert history, or it could
    /// not be read.
    Reported,
    /// The problem is new, or it exists again after it was resolved.
    Opened,
    /// The severity is higher, or subnets are affected that were not affected before.
    Worsened,
    /// Something else is wrong with the subject than before.
    Changed,
    /// Nothing has changed. The finding is sent again because it is still open.
    Reminder,
    /// The problem does not exist any more.
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

/// What has changed since the last alert about a finding that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenChange {
    /// The problem is new, or it exists again after it was resolved.
    Opened,
    /// The severity is higher, or subnets are affected that were not affected before.
    Worsened,
    /// Something else is wrong with the subject than before.
    Changed,
    /// Nothing has changed. The finding is sent again because it is still open.
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

/// Why a problem is resolved, and how long it was open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Why it is resolved.
    pub reason: Recorded<ResolutionReason>,
    /// The time from the check that first found the problem to the check that found it resolved, in seconds.
    pub open_seconds: i64,
}

/// Why a problem is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResolutionReason {
    /// The route table has an active gateway route to the service.
    Covered,
    /// A tag exempts the route table.
    Exempt,
    /// The route table was deleted.
    TableDeleted,
    /// The VPC was deleted.
    VpcDeleted,
    /// The route table is associated with a gateway now. It routes that gateway's ingress traffic and is not checked
    /// any more (<https://docs.aws.amazon.com/vpc/latest/userguide/gateway-route-tables.html>).
    EdgeTable,
    /// The settings do not require the service any more.
    NotRequired,
    /// The defect is gone.
    Fixed,
    /// The VPC endpoint was deleted.
    EndpointDeleted,
    /// The REST API was deleted.
    ApiDeleted,
    /// The settings turned the check off.
    CheckOff,
}

named!(ResolutionReason {
    Covered => "covered",
    Exempt => "exempt",
    TableDeleted => "table_deleted",
    VpcDeleted => "vpc_deleted",
    EdgeTable => "edge_table",
    NotRequired => "not_required",
    Fixed => "fixed",
    EndpointDeleted => "endpoint_deleted",
    ApiDeleted => "api_deleted",
    CheckOff => "check_off",
});

/// The moment, cut to whole seconds. People do not need fractions, and alerts of the same second must not differ.
#[must_use]
pub fn truncate_to_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

/// The time from one moment to a later one, in whole seconds. It is never below 0, even if the clocks of two hosts
/// differ.
#[must_use]
pub fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).max(SignedDuration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_change_has_the_same_name_as_its_change() {
        assert_eq!(OpenChange::ALL.map(|change| Change::from(change).name()), OpenChange::ALL.map(OpenChange::name));
    }

    #[test]
    fn times_have_whole_seconds_and_durations_are_never_negative() {
        let moment = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (early, late) = (moment("2026-11-23T10:00:00.9Z"), moment("2026-11-23T10:01:30Z"));
        assert_eq!(truncate_to_seconds(early), moment("2026-11-23T10:00:00Z"));
        assert_eq!(seconds_between(moment("2026-11-23T10:00:00Z"), late), 90);
        assert_eq!(seconds_between(late, early), 0);
    }
}
