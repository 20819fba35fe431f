//! The answer of the function, in JSON.

use serde::Serialize;

use super::{finding::Finding, name::Name};
use crate::{
    alerts::history::HistoryState,
    channel::Channel,
    checks::exemption,
    events::scope,
    network::{
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
    /// Subnets that could not be assessed, and why. They count neither as findings nor as covered.
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
    /// The number of findings that did not fit into the answer. Alerts about them are sent as usual. Absent if it is 0.
    #[serde(skip_serializing_if = "is_zero")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub omitted: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
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
}

/// A route table that has no gateway route to a required service, but is exempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Exempt {
    /// The service.
    pub service: Name<GatewayService>,
    /// The VPC of the route table.
    pub vpc_id: String,
    /// The route table.
    pub route_table_id: String,
    /// The resources whose tags exempt it, sorted by id.
    pub exempted_by: Vec<String>,
}

/// A subnet that could not be assessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotAssessed {
    /// The subnet.
    pub subnet_id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Why it could not be assessed.
    pub reason: Name<NotAssessedReason>,
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
            deleted_ids: scope.deleted.iter().cloned().collect(),
        })
    }
}

impl From<&exemption::Exempt> for Exempt {
    fn from(exempt: &exemption::Exempt) -> Self {
        Self {
            service: Name(exempt.service),
            vpc_id: exempt.vpc_id.clone(),
            route_table_id: exempt.route_table_id.clone(),
            exempted_by: exempt.exempted_by.clone(),
        }
    }
}

impl From<&not_assessed::NotAssessed> for NotAssessed {
    fn from(subnet: &not_assessed::NotAssessed) -> Self {
        Self { subnet_id: subnet.subnet_id.clone(), vpc_id: subnet.vpc_id.clone(), reason: Name(subnet.reason) }
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
