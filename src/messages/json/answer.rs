//! The answer of the function, in JSON.

use serde::Serialize;

use super::{
    coverage::{Coverage, Open},
    finding::{Finding, Subject},
    name::Name,
};
use crate::{
    alerts::history::HistoryState,
    channel::Channel,
    checks::{
        check::CheckName,
        endpoint_problem::{ExemptProblem, Unassessed, UnassessedReason},
        exemption,
    },
    events::{part, scope},
    network::{
        enrollment,
        not_assessed::{self, NotAssessedReason},
        service::GatewayService,
    },
};

/// The answer to one invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Answer {
    /// The answer to a direct invocation.
    Report(Box<Report>),
    /// The answer to a batch from SQS.
    Batch(Batch),
    /// The answer to a request for the overview of the organization.
    Coverage(Box<Coverage>),
}

/// The messages of a batch that SQS has to deliver again
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Batch {
    /// The messages that failed, in the order of the batch.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// A failed message of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ItemFailure {
    /// Its SQS message id.
    pub item_identifier: String,
}

/// What was checked and what was found. Lists are sorted by id, so the same network always gives the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The resources that the payload affects.
    pub scope: Scope,
    /// The number of resources that were checked.
    pub checked: Checked,
    /// The findings, whatever their severity.
    pub findings: Vec<Finding>,
    /// Findings suppressed by an exemption tag.
    pub exempt: Vec<Exempt>,
    /// What could not be assessed, and why. It counts neither as a finding nor as in order.
    pub unassessed: Vec<NotAssessed>,
    /// Ids in the payload that EC2 does not return. They count neither as findings nor as covered.
    pub not_found: Vec<String>,
    /// Exemption tags whose value is invalid. They exempt nothing.
    pub unreadable_exemptions: Vec<UnreadableExemption>,
    /// The state of the alert history. `off`: there is none. `on`: it was read. `unavailable`: it could not be read or
    /// written.
    pub ledger: Name<HistoryState>,
    /// The number of messages that were published.
    pub published: usize,
    /// The channels that an alert was due on, and whose topic has no confirmed subscription. Nothing was published to
    /// them. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without_subscribers: Vec<Name<Channel>>,
    /// The number of entries of the lists that did not fit into the answer. Alerts about findings are sent as usual. Absent
    /// if it is 0.
    #[serde(skip_serializing_if = "is_zero")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub omitted: usize,
    /// The account, 12 digits. Absent unless the function keeps markers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The Region. Absent unless the function keeps markers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Why nothing was checked. Absent if the account and Region could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_enrolled: Option<NotEnrolled>,
    /// Where the next part of the Region begins. A request hands it back as it is. Absent unless a request asked for a part,
    /// and another part follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextPart>,
}

/// Where the next part of a Region begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NextPart {
    /// The last VPC of this part. The parts are in the order of the ids.
    pub after_vpc_id: String,
    /// When the check of the first part began (RFC 3339, UTC).
    pub since: String,
    /// The number of findings in this part and the earlier ones.
    pub open: Open,
}

/// An account and Region that a hub cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotEnrolled {
    /// `access_denied`: the account does not have the member role, or the role trusts somebody else. `region_disabled`: the
    /// Region is not enabled in the account.
    pub reason: Name<enrollment::NotEnrolled>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The resources that a payload affects: all of the Region, or those with these ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Scope {
    /// Every route table of the Region.
    Region(WholeRegion),
    /// The resources with these ids.
    Ids(ScopeIds),
}

/// The text `region`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum WholeRegion {
    /// The whole Region.
    Region,
}

/// The ids of the resources that a payload affects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScopeIds {
    /// VPCs.
    pub vpc_ids: Vec<String>,
    /// Subnets.
    pub subnet_ids: Vec<String>,
    /// Route tables.
    pub route_table_ids: Vec<String>,
    /// VPC endpoints.
    pub vpc_endpoint_ids: Vec<String>,
    /// NAT gateways that are being deleted. The tables with a route to them are checked. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nat_gateway_ids: Vec<String>,
    /// Security groups whose rules changed. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_group_ids: Vec<String>,
    /// Whether the REST APIs of the Region are affected. Absent if they are not.
    #[serde(skip_serializing_if = "is_false")]
    pub rest_apis: bool,
    /// VPCs, subnets and route tables that were deleted. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deleted_ids: Vec<String>,
}

/// The number of resources that were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Checked {
    /// The VPCs of the route tables.
    pub vpcs: usize,
    /// The subnets that use the route tables.
    pub subnets: usize,
    /// The route tables.
    pub route_tables: usize,
    /// VPC endpoints that the checks of endpoints judged. Absent if there are none.
    #[serde(skip_serializing_if = "is_zero")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub endpoints: usize,
}

/// What a tag exempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Exempt {
    /// A route table that has no gateway route to a required service.
    MissingRoute {
        /// The service.
        service: Name<GatewayService>,
        /// The VPC of the route table.
        vpc_id: String,
        /// The route table.
        route_table_id: String,
        /// The resources whose tags exempt it, sorted by id.
        exempted_by: Vec<String>,
    },
    /// An endpoint, a VPC or a REST API with a defect.
    Endpoint {
        /// The check that found the defect.
        check: Name<CheckName>,
        /// The resource that has it.
        subject: Subject,
        /// The service name as EC2 returns it.
        service: String,
        /// The VPC of the subject. Null for a REST API.
        vpc_id: Option<String>,
        /// The resources whose tags exempt it, sorted by id.
        exempted_by: Vec<String>,
    },
}

/// What could not be assessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum NotAssessed {
    /// A subnet, by the check `gateway-route`.
    Subnet {
        /// The subnet.
        subnet_id: String,
        /// Its VPC.
        vpc_id: String,
        /// Why it could not be assessed.
        reason: Name<NotAssessedReason>,
    },
    /// An endpoint, a VPC or a REST API, by another check.
    Endpoint {
        /// The check.
        check: Name<CheckName>,
        /// The resource.
        subject: Subject,
        /// The service name as EC2 returns it.
        service: String,
        /// The VPC of the subject. Null for a REST API.
        vpc_id: Option<String>,
        /// Why it could not be assessed.
        reason: Name<UnassessedReason>,
        /// The ids of what is in doubt, sorted: subnets, groups, prefix lists, zones or endpoints. Empty for the subject
        /// itself.
        in_doubt: Vec<String>,
    },
}

/// An exemption tag whose value is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnreadableExemption {
    /// The VPC, route table or subnet that has the tag.
    pub resource_id: String,
    /// The value of the tag, unchanged.
    pub value: String,
    /// What is wrong with the value, and which values are valid.
    pub reason: String,
}

impl From<&part::NextPart> for NextPart {
    fn from(next: &part::NextPart) -> Self {
        let part::OpenFindings { high, medium, low } = next.open;
        Self {
            after_vpc_id: next.after_vpc_id.clone(),
            since: next.since.to_string(),
            open: Open { high, medium, low },
        }
    }
}

impl From<&scope::Scope> for Scope {
    fn from(scope: &scope::Scope) -> Self {
        if scope.region {
            return Self::Region(WholeRegion::Region);
        }
        Self::Ids(ScopeIds {
            vpc_ids: scope.vpc_ids.iter().cloned().collect(),
            subnet_ids: scope.subnets.keys().cloned().collect(),
            route_table_ids: scope.route_tables.keys().cloned().collect(),
            vpc_endpoint_ids: scope.endpoints.keys().cloned().collect(),
            nat_gateway_ids: scope.nat_gateways.iter().cloned().collect(),
            security_group_ids: scope.security_groups.iter().cloned().collect(),
            rest_apis: scope.rest_apis,
            deleted_ids: scope.deleted.iter().cloned().collect(),
        })
    }
}

impl From<&exemption::Exempt> for Exempt {
    fn from(exempt: &exemption::Exempt) -> Self {
        Self::MissingRoute {
            service: Name(exempt.service),
            vpc_id: exempt.vpc_id.clone(),
            route_table_id: exempt.route_table_id.clone(),
            exempted_by: exempt.exempted_by.clone(),
        }
    }
}

impl From<&not_assessed::NotAssessed> for NotAssessed {
    fn from(subnet: &not_assessed::NotAssessed) -> Self {
        let (subnet_id, vpc_id) = (subnet.subnet_id.clone(), subnet.vpc_id.clone());
        Self::Subnet { subnet_id, vpc_id, reason: Name(subnet.reason) }
    }
}

impl From<&ExemptProblem> for Exempt {
    fn from(exempt: &ExemptProblem) -> Self {
        Self::Endpoint {
            check: Name(exempt.check),
            subject: (&exempt.subject).into(),
            service: exempt.service.clone(),
            vpc_id: exempt.vpc_id.clone(),
            exempted_by: exempt.exempted_by.clone(),
        }
    }
}

impl From<&Unassessed> for NotAssessed {
    fn from(doubt: &Unassessed) -> Self {
        Self::Endpoint {
            check: Name(doubt.check),
            subject: (&doubt.subject).into(),
            service: doubt.service.clone(),
            vpc_id: doubt.vpc_id.clone(),
            reason: Name(doubt.reason),
            in_doubt: doubt.in_doubt.clone(),
        }
    }
}

impl From<&exemption::UnreadableExemption> for UnreadableExemption {
    fn from(tag: &exemption::UnreadableExemption) -> Self {
        Self { resource_id: tag.resource_id.clone(), value: tag.value.clone(), reason: tag.reason.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checks::subject::{self, SubjectKind};

    fn scope_in_json(scope: &scope::Scope) -> serde_json::Value {
        serde_json::to_value(Scope::from(scope)).unwrap()
    }

    #[test]
    fn a_scope_is_the_text_region_or_lists_of_ids() {
        assert_eq!(scope_in_json(&scope::Scope::region()), json!("region"));
        let ids = scope::Scope {
            subnets: [("subnet-0000000a".to_owned(), None)].into(),
            route_tables: [("rtb-0000000a".to_owned(), None)].into(),
            ..scope::Scope::default()
        };
        assert_eq!(
            scope_in_json(&ids),
            json!({
                "vpcIds": [], "subnetIds": ["subnet-0000000a"], "routeTableIds": ["rtb-0000000a"], "vpcEndpointIds": []
            })
        );
    }

    #[test]
    fn what_is_exempt_or_in_doubt_names_its_check_and_subject_unless_it_is_about_gateway_routes() {
        let (check, service) = (CheckName::EndpointAccess, "com.amazonaws.eu-west-1.ssm".to_owned());
        let subject = || subject::Subject {
            kind: SubjectKind::VpcEndpoint,
            id: "vpce-0000000a".into(),
            name: Some("ssm".into()),
        };
        let vpc_id = Some("vpc-0000000a".to_owned());
        let exempt = ExemptProblem {
            check,
            subject: subject(),
            service: service.clone(),
            vpc_id: vpc_id.clone(),
            exempted_by: vec!["vpce-0000000a".into()],
        };
        assert_eq!(
            serde_json::to_value(Exempt::from(&exempt)).unwrap(),
            json!({
                "check": "endpoint-access",
                "subject": {"type": "vpc_endpoint", "id": "vpce-0000000a", "name": "ssm"},
                "service": "com.amazonaws.eu-west-1.ssm", "vpcId": "vpc-0000000a", "exemptedBy": ["vpce-0000000a"]
            })
        );
        let in_doubt = vec!["sg-0000000b".to_owned()];
        let reason = UnassessedReason::ReferencedGroup;
        let doubt = Unassessed { check, subject: subject(), service, vpc_id, reason, in_doubt };
        assert_eq!(
            serde_json::to_value(NotAssessed::from(&doubt)).unwrap(),
            json!({
                "check": "endpoint-access",
                "subject": {"type": "vpc_endpoint", "id": "vpce-0000000a", "name": "ssm"},
                "service": "com.amazonaws.eu-west-1.ssm", "vpcId": "vpc-0000000a", "reason": "referenced_group",
                "inDoubt": ["sg-0000000b"]
            })
        );
        let exempt = exemption::Exempt {
            service: GatewayService::S3,
            vpc_id: "vpc-0000000a".into(),
            route_table_id: "rtb-0000000a".into(),
            exempted_by: vec!["rtb-0000000a".into()],
        };
        assert_eq!(
            serde_json::to_value(Exempt::from(&exempt)).unwrap(),
            json!({
                "service": "s3", "vpcId": "vpc-0000000a", "routeTableId": "rtb-0000000a",
                "exemptedBy": ["rtb-0000000a"]
            })
        );
    }

    #[test]
    fn a_scope_lists_nat_gateways_if_there_are_any() {
        let deleting = scope::Scope { nat_gateways: ["nat-0000000a".to_owned()].into(), ..scope::Scope::default() };
        assert_eq!(
            scope_in_json(&deleting),
            json!({
                "vpcIds": [], "subnetIds": [], "routeTableIds": [], "vpcEndpointIds": [],
                "natGatewayIds": ["nat-0000000a"]
            })
        );
    }

    #[test]
    fn a_scope_lists_security_groups_if_there_are_any() {
        let changed = scope::Scope { security_groups: ["sg-0000000a".to_owned()].into(), ..scope::Scope::default() };
        assert_eq!(
            scope_in_json(&changed),
            json!({
                "vpcIds": [], "subnetIds": [], "routeTableIds": [], "vpcEndpointIds": [],
                "securityGroupIds": ["sg-0000000a"]
            })
        );
    }

    #[test]
    fn a_scope_names_the_rest_apis_if_they_are_affected() {
        assert_eq!(
            scope_in_json(&scope::Scope { rest_apis: true, ..scope::Scope::default() }),
            json!({"vpcIds": [], "subnetIds": [], "routeTableIds": [], "vpcEndpointIds": [], "restApis": true})
        );
    }

    #[test]
    fn a_scope_lists_deleted_ids_if_there_are_any() {
        let deleted = scope::Scope { deleted: ["rtb-0000000a".to_owned()].into(), ..scope::Scope::default() };
        assert_eq!(
            scope_in_json(&deleted),
            json!({
                "vpcIds": [], "subnetIds": [], "routeTableIds": [], "vpcEndpointIds": [],
                "deletedIds": ["rtb-0000000a"]
            })
        );
    }
}
