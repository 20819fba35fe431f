//! What the alert history records of a problem. A newer version of gatewatch may have written some of the values, for
//! example before a rollback.

use crate::{
    checks::{
        check::CheckName,
        endpoint_problem::Defect,
        finding::{EndpointDefect, Gap, MissingRoute, Problem},
    },
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

impl<T> Recorded<T> {
    /// Whether this version knows the value.
    #[must_use]
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }
}

/// What was wrong with the subject of a finding at the last check that found the problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedProblem {
    /// A route table had no gateway route to a required service.
    MissingRoute(RecordedRoute),
    /// An endpoint, a VPC or a REST API had a defect.
    Endpoint(RecordedDefect),
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

/// A defect of an endpoint, a VPC or a REST API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedDefect {
    /// The check that found it.
    pub check: CheckName,
    /// The service name as EC2 returned it.
    pub service: String,
    /// What was wrong.
    pub defect: Recorded<Defect>,
}

impl From<&Problem> for RecordedProblem {
    fn from(problem: &Problem) -> Self {
        match problem {
            Problem::MissingRoute(missing) => Self::MissingRoute(missing.into()),
            Problem::Endpoint(defect) => Self::Endpoint(defect.into()),
        }
    }
}

impl From<&EndpointDefect> for RecordedDefect {
    fn from(defect: &EndpointDefect) -> Self {
        Self { check: defect.check, service: defect.service.clone(), defect: Recorded::Known(defect.defect) }
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
    /// The check that found the problem.
    #[must_use]
    pub fn check(&self) -> CheckName {
        match self {
            Self::MissingRoute(_) => CheckName::GatewayRoute,
            Self::Endpoint(defect) => defect.check,
        }
    }

    /// The missing gateway route, if this was the problem.
    #[must_use]
    pub fn missing_route(&self) -> Option<&RecordedRoute> {
        if let Self::MissingRoute(missing) = self { Some(missing) } else { None }
    }

    /// The name of the service that the problem concerned.
    #[must_use]
    pub fn service_name(&self) -> &str {
        match self {
            Self::MissingRoute(missing) => missing.service.name(),
            Self::Endpoint(defect) => &defect.service,
        }
    }

    /// The current facts of the problem. A gap or a defect that only a newer version knows is kept: if this version
    /// replaced it, the newer version would report a change.
    #[must_use]
    pub fn updated(&self, now: &Problem) -> Self {
        let mut updated = Self::from(now);
        match (self, &mut updated) {
            (Self::MissingRoute(before), Self::MissingRoute(now)) if !before.gap.is_known() => {
                now.gap.clone_from(&before.gap);
            }
            (Self::Endpoint(before), Self::Endpoint(now)) if !before.defect.is_known() => {
                now.defect.clone_from(&before.defect);
            }
            _ => {}
        }
        updated
    }

    /// Whether something else is wrong now. A gap or a defect that only a newer version knows does not count as
    /// different.
    #[must_use]
    pub fn has_changed(&self, now: &Problem) -> bool {
        match (self, now) {
            (Self::MissingRoute(before), Problem::MissingRoute(now)) => {
                matches!(before.gap, Recorded::Known(gap) if gap != now.gap)
            }
            (Self::Endpoint(before), Problem::Endpoint(now)) => {
                matches!(before.defect, Recorded::Known(defect) if defect != now.defect)
            }
            _ => false,
        }
    }
}
