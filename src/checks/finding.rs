//! A finding: one resource with one problem. One API call, or a short sequence of calls, fixes it.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

pub use crate::checks::subnet_ref::SubnetRef;
use crate::{
    checks::{
        caution::Caution,
        check::CheckName,
        endpoint_problem::{Defect, EndpointCaution, EndpointFix, EndpointProblem, Evidence},
        fix::Fix,
        severity::Severity,
        subject::Subject,
    },
    network::{
        account::AccountRegion,
        model::{Endpoint, Target},
        name::named,
        service::GatewayService,
    },
};

/// One resource with one problem, and the subnets that the problem affects. This is what the findings of all checks have
/// in common; [`Problem`] has the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// 64 hexadecimal digits. The same problem always has the same id: see [`finding_id`] and
    /// [`crate::checks::endpoint_problem::problem_id`].
    pub id: String,
    /// The resource that has the problem.
    pub subject: Subject,
    /// How severe it is.
    pub severity: Severity,
    /// The account: 12 digits, or empty if neither the function's ARN nor the subject names one.
    pub account: String,
    /// The Region of the subject.
    pub region: String,
    /// The id of the VPC of the subject. Empty for a REST API, which is in no VPC.
    pub vpc_id: String,
    /// The affected subnets, without exempt ones, sorted by id.
    pub subnets: Vec<SubnetRef>,
    /// The value of the subject's own exemption tag, if it is [in force](crate::checks::exemption::in_force). It does not
    /// exempt from this problem.
    pub exemption: Option<String>,
    /// What is wrong, and how to fix it.
    pub problem: Problem,
}

impl Finding {
    /// The missing gateway route, if this is the problem.
    #[must_use]
    pub fn missing_route(&self) -> Option<&MissingRoute> {
        if let Problem::MissingRoute(missing) = &self.problem { Some(missing) } else { None }
    }

    /// The defect of an endpoint, a VPC or a REST API, if that is the problem.
    #[must_use]
    pub fn endpoint_defect(&self) -> Option<&EndpointDefect> {
        if let Problem::Endpoint(defect) = &self.problem { Some(defect) } else { None }
    }

    /// The order of findings in answers and messages: by VPC, subject, check and service.
    #[must_use]
    pub fn sort_key(&self) -> (&str, &str, CheckName, &str) {
        (&self.vpc_id, &self.subject.id, self.problem.check(), self.problem.service_name())
    }
}

impl From<EndpointProblem> for Finding {
    fn from(found: EndpointProblem) -> Self {
        let EndpointProblem { check, service, defect, evidence, fix, cautions, .. } = found;
        Self {
            id: found.id,
            subject: found.subject,
            severity: found.severity,
            account: found.account,
            region: found.region,
            vpc_id: found.vpc_id.unwrap_or_default(),
            subnets: found.subnets,
            exemption: found.exemption,
            problem: Problem::Endpoint(EndpointDefect { check, service, defect, evidence, fix, cautions }),
        }
    }
}

/// What is wrong with the subject of a finding, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A route table has no gateway route to a required service.
    MissingRoute(MissingRoute),
    /// An endpoint, a VPC or a REST API has a defect that one of the other checks looks for.
    Endpoint(EndpointDefect),
}

impl Problem {
    /// The check that found the problem.
    #[must_use]
    pub fn check(&self) -> CheckName {
        match self {
            Self::MissingRoute(_) => CheckName::GatewayRoute,
            Self::Endpoint(defect) => defect.check,
        }
    }

    /// Whether an additional subnet makes the problem worse.
    #[must_use]
    pub fn grows_with_subnets(&self) -> bool {
        match self {
            Self::MissingRoute(_) => true,
            Self::Endpoint(defect) => defect.defect.concerns_particular_subnets(),
        }
    }

    /// The name of the service that the problem concerns: the name of a gateway service, such as `s3`, or the name of an
    /// endpoint's service, such as `com.amazonaws.eu-west-1.ssm`.
    #[must_use]
    pub fn service_name(&self) -> &str {
        match self {
            Self::MissingRoute(missing) => missing.service.name(),
            Self::Endpoint(defect) => &defect.service,
        }
    }
}

/// A defect of an endpoint, a VPC or a REST API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointDefect {
    /// The check that found it.
    pub check: CheckName,
    /// The service name as EC2 returns it, such as `com.amazonaws.eu-west-1.ssm`. Untrusted text: a VPC endpoint can be
    /// for a service of anybody.
    pub service: String,
    /// What is wrong.
    pub defect: Defect,
    /// The facts that decided.
    pub evidence: Evidence,
    /// The call that fixes it.
    pub fix: EndpointFix,
    /// What somebody has to know before they apply the fix.
    pub cautions: BTreeSet<EndpointCaution>,
}

/// A route table that is not covered for one required service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRoute {
    /// The service that the table has no active gateway route to.
    pub service: GatewayService,
    /// Why the table is not covered.
    pub gap: Gap,
    /// Whether the table is the main table of its VPC.
    pub is_main_table: bool,
    /// The target of the default route that decided the severity.
    pub egress: Target,
    /// The gateway endpoint that decided the gap. `None` for [`Gap::NoEndpoint`].
    pub endpoint: Option<EndpointRef>,
    /// An interface endpoint for the same service in the VPC, an available one first. It does not cover the table.
    pub interface_endpoint: Option<EndpointRef>,
    /// How to fix it.
    pub fix: Fix,
    /// What somebody has to know before they apply the fix.
    pub cautions: BTreeSet<Caution>,
}

/// Why a table is not covered: the first of these conditions that holds. They concern gateway endpoints for the service
/// of the finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// An available gateway endpoint lists the table, but the table has no active route to it.
    RouteInactive,
    /// A gateway endpoint lists the table, but is not available.
    EndpointNotAvailable,
    /// An available gateway endpoint is in the VPC, but does not list the table.
    NotAssociated,
    /// None of the above: no gateway endpoint lists the table, and none in the VPC is available.
    NoEndpoint,
}

named!(Gap {
    RouteInactive => "route_inactive",
    EndpointNotAvailable => "endpoint_not_available",
    NotAssociated => "not_associated",
    NoEndpoint => "no_endpoint",
});

/// An endpoint that a finding names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRef {
    /// `vpce-…`
    pub id: String,
    /// Its state, in lower case.
    pub state: String,
}

impl From<&Endpoint> for EndpointRef {
    fn from(endpoint: &Endpoint) -> Self {
        Self { id: endpoint.id.clone(), state: endpoint.state.as_str().to_ascii_lowercase() }
    }
}

/// The id of a finding: SHA-256, in hexadecimal, over partition, account, Region, route table and service, joined by
/// line feeds. None of the five can contain a line feed, so different problems have different ids.
#[must_use]
pub fn finding_id(account_region: &AccountRegion, account: &str, table_id: &str, service: GatewayService) -> String {
    let identity = [&account_region.partition, account, &account_region.region, table_id, service.name()].join("\n");
    Sha256::digest(identity.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        for nibble in [byte >> 4, byte & 0xf] {
            hex.extend(char::from_digit(nibble.into(), 16));
        }
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_problem_has_the_same_id() {
        let account_region =
            AccountRegion::new("arn:aws:lambda:eu-west-1:123456789012:function:gatewatch", "eu-west-1");
        // printf 'aws\n123456789012\neu-west-1\nrtb-0a1b2c3d4e5f60001\ns3' | sha256sum
        assert_eq!(
            finding_id(&account_region, "123456789012", "rtb-0a1b2c3d4e5f60001", GatewayService::S3),
            "b3a881dfa77ca30d1c093830e37f0c0aa2b8afcb0d59f3da37b47f9b3c3adbbb"
        );
    }

    #[test]
    fn each_part_of_the_identity_changes_the_id() {
        let aws = AccountRegion { partition: "aws".into(), account: None, region: "eu-west-1".into() };
        let china = AccountRegion { partition: "aws-cn".into(), ..aws.clone() };
        let london = AccountRegion { region: "eu-west-2".into(), ..aws.clone() };
        let ids = std::collections::BTreeSet::from([
            finding_id(&aws, "123456789012", "rtb-0000000a", GatewayService::S3),
            finding_id(&china, "123456789012", "rtb-0000000a", GatewayService::S3),
            finding_id(&london, "123456789012", "rtb-0000000a", GatewayService::S3),
            finding_id(&aws, "210987654321", "rtb-0000000a", GatewayService::S3),
            finding_id(&aws, "123456789012", "rtb-0000000b", GatewayService::S3),
            finding_id(&aws, "123456789012", "rtb-0000000a", GatewayService::DynamoDb),
        ]);
        assert_eq!(ids.len(), 6);
    }
}
