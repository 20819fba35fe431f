//! A finding in JSON, as answers and notifications contain it.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    evidence::Evidence,
    name::{Name, RecordedName},
};
use crate::{
    alerts::{
        alert::{Alert, Change, ResolutionReason, ResolvedFinding},
        recorded::{Recorded, RecordedProblem},
    },
    checks::{
        check::CheckName,
        endpoint_problem::Defect,
        finding::{self, Gap, Problem},
        severity::Severity,
        subject::{self, SubjectKind},
    },
    messages::{content::cautions_of, prose, remediation::finding as remediation},
    network::{
        model::{Target, TargetKind},
        service::GatewayService,
    },
};

/// A finding of any check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Finding {
    /// A finding of the check `gateway-route`.
    MissingRoute(Box<RouteFinding>),
    /// A finding of another check.
    Endpoint(Box<EndpointFinding>),
}

/// One route table that has no gateway route to one required service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteFinding {
    /// SHA-256 of partition, account, Region, route table and service: the same problem always has the same id.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub id: String,
    /// The check that found it.
    #[cfg_attr(test, schemars(extend("const" = CheckName::GatewayRoute.name())))]
    pub check: Name<CheckName>,
    /// The route table, as the subject of the finding.
    pub subject: Subject,
    /// The service that the route table has no active gateway route to.
    pub service: Name<GatewayService>,
    /// What is missing.
    pub gap: RecordedName<Gap>,
    /// How severe the problem is. For a resolved finding: the worst severity that it ever had.
    pub severity: Name<Severity>,
    /// The account of the route table: 12 digits, or empty if it is not known.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The VPC of the route table.
    pub vpc_id: String,
    /// The route table.
    pub route_table: RouteTable,
    /// The subnets that use the route table, sorted by id.
    pub subnets: Vec<Subnet>,
    /// The default route that decided the severity.
    pub egress: Egress,
    /// The gateway endpoint that decided the gap. Null if `gap` is `no_endpoint`, and for a resolved finding.
    pub endpoint: Option<Endpoint>,
    /// An interface endpoint for the same service in the VPC. It does not cover the route table. Null if there is none,
    /// and for a resolved finding.
    pub interface_endpoint: Option<Endpoint>,
    /// For people: why the finding matters, or how the problem was resolved.
    pub reason: String,
    /// How to fix it.
    pub remediation: Remediation,
}

/// One endpoint, VPC or REST API with one defect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EndpointFinding {
    /// SHA-256 of partition, account, Region, check, subject and service: the same problem always has the same id.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub id: String,
    /// The check that found it.
    #[cfg_attr(test, schemars(extend("not" = {"const": CheckName::GatewayRoute.name()})))]
    pub check: Name<CheckName>,
    /// The resource that has the defect.
    pub subject: Subject,
    /// The service name as EC2 returns it, such as `com.amazonaws.eu-west-1.ssm`.
    pub service: String,
    /// What is wrong.
    pub defect: RecordedName<Defect>,
    /// How severe the problem is. For a resolved finding: the worst severity that it ever had.
    pub severity: Name<Severity>,
    /// The account of the subject: 12 digits, or empty if it is not known.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The VPC of the subject. Null for a REST API, which is in no VPC.
    pub vpc_id: Option<String>,
    /// The subnets that the defect affects, sorted by id.
    pub subnets: Vec<Subnet>,
    /// The facts that decided. Null for a resolved finding.
    pub evidence: Option<Evidence>,
    /// For people: why the finding matters, or how the problem was resolved.
    pub reason: String,
    /// How to fix it.
    pub remediation: Remediation,
}

/// The resource that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Subject {
    /// What kind of resource it is.
    #[serde(rename = "type")]
    pub kind: Name<SubjectKind>,
    /// Its id.
    pub id: String,
    /// The value of its `Name` tag, or the name of a REST API. Untrusted text.
    pub name: Option<String>,
}

/// The route table of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteTable {
    /// `rtb-…`
    pub id: String,
    /// The value of its `Name` tag.
    pub name: Option<String>,
    /// Whether it is the main route table of its VPC.
    pub main: bool,
}

/// A subnet that a finding affects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Subnet {
    /// `subnet-…`
    pub id: String,
    /// The value of its `Name` tag.
    pub name: Option<String>,
    /// Such as `eu-west-1a`.
    pub availability_zone: Option<String>,
    /// Its IPv4 block, or the IPv6 block of a subnet that has no IPv4.
    pub cidr: Option<String>,
}

/// The target of a default route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Egress {
    /// The kind of target.
    pub kind: Name<TargetKind>,
    /// The id of the target, or its ARN if it has no id. Null if there is no default route.
    pub target: Option<String>,
}

/// An endpoint that a finding names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Endpoint {
    /// `vpce-…`
    pub id: String,
    /// Its state as EC2 reports it, in lower case.
    pub state: String,
}

/// The same fix for three tools. For a resolved finding, and if an id does not have the format of AWS ids, the three
/// are null and there are no cautions. They are null as well if a person has to decide what a policy allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Remediation {
    /// A command line for a POSIX shell.
    pub aws_cli: Option<String>,
    /// The resource for a CloudFormation template. A comment states what it assumes.
    pub cloud_formation: Option<String>,
    /// The resource for a Terraform configuration. A comment states what it assumes.
    pub terraform: Option<String>,
    /// For people: what to know before they apply the fix, one caution per item. Empty if there is nothing to say or
    /// nothing to change.
    pub cautions: Vec<String>,
}

/// A finding in a notification, with its change since the last alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotifiedFinding {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// What has happened to the finding since the last alert.
    pub change: Name<Change>,
    /// When gatewatch first found the problem. Null without an alert history.
    #[cfg_attr(test, schemars(with = "Option<String>", extend("format" = "date-time")))]
    pub since: Option<Timestamp>,
    /// How the problem was resolved. Absent unless `change` is `resolved`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Resolution"))]
    pub resolution: Option<Resolution>,
}

/// How a problem was resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resolution {
    /// Why the problem is resolved.
    pub cause: RecordedName<ResolutionReason>,
    /// How long the problem was open, in seconds, since gatewatch first found it.
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub stood_seconds: i64,
}

impl Finding {
    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::MissingRoute(finding) => &finding.id,
            Self::Endpoint(finding) => &finding.id,
        }
    }

    /// The affected subnets.
    #[must_use]
    pub fn subnets(&self) -> &[Subnet] {
        match self {
            Self::MissingRoute(finding) => &finding.subnets,
            Self::Endpoint(finding) => &finding.subnets,
        }
    }

    /// Why the finding matters, or how the problem was resolved.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::MissingRoute(finding) => &finding.reason,
            Self::Endpoint(finding) => &finding.reason,
        }
    }

    /// How to fix it.
    #[must_use]
    pub fn remediation(&self) -> &Remediation {
        match self {
            Self::MissingRoute(finding) => &finding.remediation,
            Self::Endpoint(finding) => &finding.remediation,
        }
    }

    /// The same finding with these subnets.
    #[must_use]
    pub fn with_subnets(&self, subnets: &[Subnet]) -> Self {
        let subnets = subnets.to_vec();
        match self {
            Self::MissingRoute(finding) => Self::MissingRoute(RouteFinding { subnets, ..(**finding).clone() }.into()),
            Self::Endpoint(finding) => Self::Endpoint(EndpointFinding { subnets, ..(**finding).clone() }.into()),
        }
    }
}

impl From<&finding::Finding> for Finding {
    fn from(finding: &finding::Finding) -> Self {
        let subnets = finding.subnets.iter().map(Into::into).collect();
        match &finding.problem {
            Problem::MissingRoute(missing) => Self::MissingRoute(Box::new(RouteFinding {
                id: finding.id.clone(),
                check: Name(CheckName::GatewayRoute),
                subject: (&finding.subject).into(),
                service: Name(missing.service),
                gap: RecordedName(Recorded::Known(missing.gap)),
                severity: Name(finding.severity),
                account: finding.account.clone(),
                region: finding.region.clone(),
                vpc_id: finding.vpc_id.clone(),
                route_table: RouteTable::new(&finding.subject, missing.is_main_table),
                subnets,
                egress: (&missing.egress).into(),
                endpoint: missing.endpoint.as_ref().map(Into::into),
                interface_endpoint: missing.interface_endpoint.as_ref().map(Into::into),
                reason: prose::finding::reason(finding),
                remediation: finding.into(),
            })),
            Problem::Endpoint(defect) => Self::Endpoint(Box::new(EndpointFinding {
                id: finding.id.clone(),
                check: Name(defect.check),
                subject: (&finding.subject).into(),
                service: defect.service.clone(),
                defect: RecordedName(Recorded::Known(defect.defect)),
                severity: Name(finding.severity),
                account: finding.account.clone(),
                region: finding.region.clone(),
                vpc_id: vpc_id(&finding.vpc_id),
                subnets,
                evidence: Some((&defect.evidence).into()),
                reason: prose::finding::reason(finding),
                remediation: finding.into(),
            })),
        }
    }
}

/// The id of a VPC. `None` for a REST API.
fn vpc_id(id: &str) -> Option<String> {
    Some(id.to_owned()).filter(|id| !id.is_empty())
}

impl From<&Alert> for NotifiedFinding {
    fn from(alert: &Alert) -> Self {
        let change = Name(alert.change());
        match alert {
            Alert::Reported(finding) => Self { finding: finding.into(), change, since: None, resolution: None },
            Alert::Open { finding, since, .. } => {
                Self { finding: finding.into(), change, since: Some(*since), resolution: None }
            }
            Alert::Resolved(resolved) => Self {
                finding: resolved.into(),
                change,
                since: Some(resolved.since),
                resolution: Some(Resolution {
                    cause: RecordedName(resolved.resolution.reason.clone()),
                    stood_seconds: resolved.resolution.open_seconds,
                }),
            },
        }
    }
}

impl From<&ResolvedFinding> for Finding {
    fn from(resolved: &ResolvedFinding) -> Self {
        let subnets = resolved.subnets.iter().map(Into::into).collect();
        match &resolved.problem {
            RecordedProblem::MissingRoute(missing) => Self::MissingRoute(Box::new(RouteFinding {
                id: resolved.id.clone(),
                check: Name(CheckName::GatewayRoute),
                subject: (&resolved.subject).into(),
                service: Name(missing.service),
                gap: RecordedName(missing.gap.clone()),
                severity: Name(resolved.worst_severity),
                account: resolved.account.clone(),
                region: resolved.region.clone(),
                vpc_id: resolved.vpc_id.clone(),
                route_table: RouteTable::new(&resolved.subject, missing.is_main_table),
                subnets,
                egress: (&missing.egress).into(),
                endpoint: None,
                interface_endpoint: None,
                reason: prose::finding::resolved_reason(resolved),
                remediation: Remediation::default(),
            })),
            RecordedProblem::Endpoint(defect) => Self::Endpoint(Box::new(EndpointFinding {
                id: resolved.id.clone(),
                check: Name(defect.check),
                subject: (&resolved.subject).into(),
                service: defect.service.clone(),
                defect: RecordedName(defect.defect.clone()),
                severity: Name(resolved.worst_severity),
                account: resolved.account.clone(),
                region: resolved.region.clone(),
                vpc_id: vpc_id(&resolved.vpc_id),
                subnets,
                evidence: None,
                reason: prose::finding::resolved_reason(resolved),
                remediation: Remediation::default(),
            })),
        }
    }
}

impl From<&subject::Subject> for Subject {
    fn from(subject: &subject::Subject) -> Self {
        Self { kind: Name(subject.kind), id: subject.id.clone(), name: subject.name.clone() }
    }
}

impl RouteTable {
    fn new(subject: &subject::Subject, main: bool) -> Self {
        Self { id: subject.id.clone(), name: subject.name.clone(), main }
    }
}

impl From<&finding::SubnetRef> for Subnet {
    fn from(subnet: &finding::SubnetRef) -> Self {
        Self {
            id: subnet.id.clone(),
            name: subnet.name.clone(),
            availability_zone: subnet.availability_zone.clone(),
            cidr: subnet.cidr.clone(),
        }
    }
}

impl From<&Target> for Egress {
    fn from(target: &Target) -> Self {
        Self { kind: Name(target.kind), target: target.id.clone() }
    }
}

impl From<&finding::EndpointRef> for Endpoint {
    fn from(endpoint: &finding::EndpointRef) -> Self {
        Self { id: endpoint.id.clone(), state: endpoint.state.clone() }
    }
}

impl From<&finding::Finding> for Remediation {
    fn from(finding: &finding::Finding) -> Self {
        let service = finding.problem.service_name();
        let cautions =
            || cautions_of(finding).into_iter().map(|caution| prose::caution::caution(caution, &[service])).collect();
        match remediation::render(finding) {
            Some(fix) => Self {
                aws_cli: Some(fix.aws_cli()),
                cloud_formation: Some(fix.cloud_formation),
                terraform: Some(fix.terraform),
                cautions: cautions(),
            },
            None if remediation::needs_a_person(finding) => Self { cautions: cautions(), ..Self::default() },
            None => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checks::{caution::Caution, fix, fix::Fix, testing};

    #[test]
    fn a_finding_has_every_field_and_its_fix_for_three_ways_of_working() {
        let endpoint = fix::Endpoint {
            id: "vpce-0a1b2c3d".into(),
            state: "pending".into(),
            route_table_ids: vec!["rtb-0a1b2c3d".into()],
        };
        let missing = finding::MissingRoute {
            gap: Gap::EndpointNotAvailable,
            endpoint: Some(finding::EndpointRef { id: "vpce-0a1b2c3d".into(), state: "pending".into() }),
            fix: Fix::Wait(endpoint),
            ..testing::missing_route()
        };
        let finding = finding::Finding {
            problem: Problem::MissingRoute(missing),
            ..testing::finding("vpc-0a1b2c3d", "rtb-0a1b2c3d")
        };
        assert_eq!(
            serde_json::to_value(Finding::from(&finding)).unwrap(),
            json!({
                "id": "rtb-0a1b2c3d s3",
                "check": "gateway-route",
                "subject": {"type": "route_table", "id": "rtb-0a1b2c3d", "name": null},
                "service": "s3",
                "gap": "endpoint_not_available",
                "severity": "MEDIUM",
                "account": "123456789012",
                "region": "eu-west-1",
                "vpcId": "vpc-0a1b2c3d",
                "routeTable": {"id": "rtb-0a1b2c3d", "name": null, "main": false},
                "subnets": [],
                "egress": {"kind": "none", "target": null},
                "endpoint": {"id": "vpce-0a1b2c3d", "state": "pending"},
                "interfaceEndpoint": null,
                "reason": "Route table rtb-0a1b2c3d has no gateway route to S3: endpoint vpce-0a1b2c3d lists the table, but \
                           its state is pending, but no subnet uses the table now.",
                "remediation": {
                    "awsCli": "aws ec2 describe-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids vpce-0a1b2c3d",
                    "cloudFormation": "# Nothing to change yet: vpce-0a1b2c3d is pending.\n",
                    "terraform": "# Nothing to change yet: vpce-0a1b2c3d is pending.\n",
                    "cautions": [],
                },
            })
        );
    }

    #[test]
    fn the_cautions_are_sentences_beside_the_commands() {
        let cautions = [Caution::DnsSupport, Caution::DefaultPolicy].into();
        let missing = finding::MissingRoute { cautions, ..testing::missing_route() };
        let finding = finding::Finding {
            problem: Problem::MissingRoute(missing),
            ..testing::finding("vpc-0a1b2c3d", "rtb-0a1b2c3d")
        };
        assert_eq!(
            Remediation::from(&finding).cautions,
            [
                "A new endpoint has the default policy, which allows every request to S3.",
                "If the VPC uses Amazon's DNS servers, its DNS support and DNS host names must be on; gatewatch does not \
                 check this.",
            ]
        );
        let malformed = finding::Finding { vpc_id: "vpc-$(id)".into(), ..finding };
        assert_eq!(Remediation::from(&malformed), Remediation::default(), "no caution without a fix");
    }
}
