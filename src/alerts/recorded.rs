//! What the alert history records of a problem. A newer version of gatewatch may have written some of the values, for
//! example before a rollback.

use crate::{
    checks::finding::{Gap, MissingRoute, Problem},
    network::{model::Target, name::Named, service::GatewayService},
};

/// A value in the alert history. This version may not know it, because a newer version wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded<T> {
    /// This version knows the value.
    Known(T),
    /// Only a newer version knows the value. It has this name.
    Unknown(String),
}

impl<T: Named> Recorded<T> {
    /// The name in messages and stored rows.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Known(value) => value.name(),
            Self::Unknown(name) => name,
        }
    }
}

/// What was wrong with the subject of a finding at the last check that found the problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedProblem {
    /// A route table had no gateway route to a required service.
    MissingRoute(RecordedRoute),
}

/// A route table that was not covered for one required service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRoute {
    /// The service that the table had no active gateway route to.
    pub service: GatewayService,
    /// Why the table was not covered.
    pub gap: Recorded<Gap>,
    /// Whether the table was the main table of its VPC.
    pub is_main_table: bool,
    /// The default route that decided the severity.
    pub egress: Target,
}

impl From<&Problem> for RecordedProblem {
    fn from(problem: &Problem) -> Self {
        match problem {
            Problem::MissingRoute(missing) => Self::MissingRoute(missing.into()),
        }
    }
}

impl From<&MissingRoute> for RecordedRoute {
    fn from(missing: &MissingRoute) -> Self {
        Self {
            service: missing.service,
            gap: Recorded::Known(missing.gap),
            is_main_table: missing.is_main_table,
            egress: missing.egress.clone(),
        }
    }
}

impl RecordedProblem {
    /// The name of the service that the problem concerned.
    #[must_use]
    pub fn service_name(&self) -> &str {
        match self {
            Self::MissingRoute(missing) => missing.service.name(),
        }
    }

    /// The current facts of the problem. A gap that only a newer version knows is kept: if this version replaced it, the
    /// newer version would report a change.
    #[must_use]
    pub fn updated(&self, now: &Problem) -> Self {
        let mut updated = Self::from(now);
        let Self::MissingRoute(updated_route) = &mut updated;
        let Self::MissingRoute(before) = self;
        if matches!(before.gap, Recorded::Unknown(_)) {
            updated_route.gap.clone_from(&before.gap);
        }
        updated
    }

    /// Whether something else is wrong now. A gap that only a newer version knows does not count as different.
    #[must_use]
    pub fn has_changed(&self, now: &Problem) -> bool {
        match (self, now) {
            (Self::MissingRoute(before), Problem::MissingRoute(now)) => {
                matches!(before.gap, Recorded::Known(gap) if gap != now.gap)
            }
        }
    }
}
