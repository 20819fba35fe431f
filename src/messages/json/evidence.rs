//! The facts that decided a finding, in JSON.

use serde::Serialize;

use super::name::Name;
use crate::checks::endpoint_problem::{self, PolicySide};

/// The facts that decided a finding. The check says which of these forms it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Evidence {
    /// `dns-bypass`
    GatewayEndpoint {
        /// The available gateway endpoint for the same service in the VPC. Null if there is none.
        gateway_endpoint_id: Option<String>,
        /// The route tables in use that have no active route to a gateway endpoint for the service.
        uncovered_route_table_ids: Vec<String>,
    },
    /// `endpoint-dns`: the attributes of the VPC.
    VpcDns {
        /// Whether DNS support is on.
        enable_dns_support: bool,
        /// Whether DNS host names are on.
        enable_dns_hostnames: bool,
    },
    /// `endpoint-access`
    SecurityGroups {
        /// The TCP ports of the service. A client needs one of them.
        ports: Vec<u16>,
        /// The security groups of the endpoint.
        security_groups: Vec<SecurityGroup>,
    },
    /// `endpoint-state`
    State {
        /// The state as EC2 returns it.
        state: String,
        /// The last error of the endpoint. Untrusted text. Null if EC2 returns none.
        last_error: Option<String>,
        /// Why the endpoint failed. Untrusted text. Null if EC2 returns no reason.
        failure_reason: Option<String>,
    },
    /// `endpoint-zones`: ids of zones.
    Zones {
        /// The zones that the endpoint is in.
        zone_ids: Vec<String>,
        /// The zones that the VPC uses and the service offers, and that the endpoint is not in.
        missing_zone_ids: Vec<String>,
    },
    /// `endpoint-policy`
    Policy {
        /// Whether anything bounds who may come through the endpoint.
        principals: Name<PolicySide>,
        /// Whether anything bounds what may be reached through the endpoint.
        resources: Name<PolicySide>,
        /// The open statements: the `Sid`, or `#` and the position from 1. Untrusted text.
        statements: Vec<String>,
    },
    /// `endpoint-private-dns` and `required-endpoints`
    PrivateNames {
        /// The private names that nothing serves.
        private_dns_names: Vec<String>,
    },
    /// `private-api`
    RestApi {
        /// The endpoints that the API names and that exist.
        vpc_endpoint_ids: Vec<String>,
        /// The endpoints that the API names and that do not exist.
        missing_vpc_endpoint_ids: Vec<String>,
        /// Whether the resource policy has a condition on the source VPC or endpoint. Null if nobody can say.
        has_source_condition: Option<bool>,
    },
}

/// What a security group admits on a TCP port of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SecurityGroup {
    /// `sg-…`
    pub id: String,
    /// Whether it is the default group of the VPC.
    pub default: bool,
    /// The address blocks that it admits.
    pub cidrs: Vec<String>,
    /// The groups whose members it admits.
    pub group_ids: Vec<String>,
    /// The prefix lists that it admits.
    pub prefix_list_ids: Vec<String>,
}

impl From<&endpoint_problem::Evidence> for Evidence {
    fn from(evidence: &endpoint_problem::Evidence) -> Self {
        use endpoint_problem::Evidence as Known;
        match evidence.clone() {
            Known::GatewayEndpoint { gateway_endpoint_id, uncovered_route_table_ids } => {
                Self::GatewayEndpoint { gateway_endpoint_id, uncovered_route_table_ids }
            }
            Known::VpcDns { support, host_names } => {
                Self::VpcDns { enable_dns_support: support, enable_dns_hostnames: host_names }
            }
            Known::SecurityGroups { ports, groups } => {
                Self::SecurityGroups { ports, security_groups: groups.into_iter().map(Into::into).collect() }
            }
            Known::State { state, last_error, failure_reason } => Self::State { state, last_error, failure_reason },
            Known::Zones { endpoint, missing } => Self::Zones {
                zone_ids: endpoint.into_iter().collect(),
                missing_zone_ids: missing.into_iter().collect(),
            },
            Known::Policy { principals, resources, statements } => {
                Self::Policy { principals: Name(principals), resources: Name(resources), statements }
            }
            Known::PrivateNames(names) => Self::PrivateNames { private_dns_names: names.into_iter().collect() },
            Known::RestApi { endpoint_ids, gone_endpoint_ids, has_source_condition } => Self::RestApi {
                vpc_endpoint_ids: endpoint_ids,
                missing_vpc_endpoint_ids: gone_endpoint_ids,
                has_source_condition,
            },
        }
    }
}

impl From<endpoint_problem::GroupEvidence> for SecurityGroup {
    fn from(group: endpoint_problem::GroupEvidence) -> Self {
        Self {
            id: group.id,
            default: group.is_default,
            cidrs: group.cidrs,
            group_ids: group.group_ids,
            prefix_list_ids: group.prefix_list_ids,
        }
    }
}
