//! API calls to EC2 and API Gateway, as CloudTrail records them and EventBridge delivers them
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>).
//!
//! | call | affected resources |
//! |---|---|
//! | `CreateSubnet`, `CreateDefaultSubnet` | the new subnet |
//! | `CreateRouteTable` | the new route table |
//! | `AssociateRouteTable`, `ReplaceRouteTableAssociation` | the route table that the call names, and the subnet if it names one |
//! | `CreateRoute`, `ReplaceRoute`, `DeleteRoute` | the route table that the call names |
//! | `CreateVpc`, `CreateDefaultVpc`, `AttachInternetGateway`, `DetachInternetGateway` | the VPC |
//! | `DeleteNatGateway` | the route tables with a route to the NAT gateway |
//! | `AssociateSubnetCidrBlock`, `DisassociateSubnetCidrBlock` | the subnet |
//! | `AssociateVpcCidrBlock`, `DisassociateVpcCidrBlock` | the VPC |
//! | `ModifyVpcAttribute` | the VPC; none if the request is known to change no DNS attribute |
//! | `CreateVpcEndpoint` | the new endpoint; its VPC too, unless it is known to have another type than Gateway |
//! | `ModifyVpcEndpoint` | the endpoint; gatewatch reads its type and VPC from EC2 |
//! | `AuthorizeSecurityGroupIngress`, `RevokeSecurityGroupIngress`, `ModifySecurityGroupRules` | the security group |
//! | `CreateTags`, `DeleteTags` of the exemption tag | the tagged VPCs, subnets, route tables and endpoints |
//! | `DeleteSubnet`, `DeleteRouteTable`, `DeleteVpc` | the resource in the alert history; none in the network |
//! | `DeleteVpcEndpoints`, `DisassociateRouteTable` | the whole Region, because the record does not say what lost an endpoint or a route |
//! | a call to API Gateway that changes a REST API, its policy or its exemption tag | the REST APIs of the Region |
//! | a failed call, a read-only call, any other call | none |
//!
//! If an id is missing, the scope is the whole Region. This is not an error.
//!
//! Calls about CIDR blocks, DNS attributes and security groups change only what checks of endpoints find. If none of these
//! checks runs, such a call affects nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    envelope::time_of,
    json_path::{exists_at, text_at, texts_at},
    record::{AlertRequest, IdentityCenterUser, Record, Trigger},
    scope::Scope,
};
use crate::{
    error::Error,
    network::ids::{self, is_id, is_id_of_other_kind},
};

/// Finds the affected resources of a call. `None` if it cannot find them; the whole Region is affected then.
type FindScope = fn(&Call<'_>) -> Option<Scope>;

/// The relevant calls. The rules in `template.yaml` let through only these calls.
const CALLS: [(&str, FindScope); 30] = [
    ("AssociateRouteTable", |call| call.associated()),
    ("AssociateSubnetCidrBlock", |call| call.subnet_of_cidr_block()),
    ("AssociateVpcCidrBlock", |call| call.vpc_of_cidr_block()),
    ("AttachInternetGateway", |call| call.id_in_request(ids::VPC, "vpcId").map(vpc)),
    ("AuthorizeSecurityGroupIngress", |call| call.changed_group()),
    ("CreateDefaultSubnet", |call| call.created_subnet()),
    ("CreateDefaultVpc", |call| call.created_vpc()),
    ("CreateRoute", |call| call.requested_table()),
    ("CreateRouteTable", |call| call.created(ids::ROUTE_TABLE, "routeTable", "routeTableId").map(route_tables)),
    ("CreateSubnet", |call| call.created_subnet()),
    ("CreateTags", |call| call.tagged()),
    ("CreateVpc", |call| call.created_vpc()),
    ("CreateVpcEndpoint", |call| call.created_endpoint()),
    ("DeleteNatGateway", |call| call.deleted_nat_gateway()),
    ("DeleteRoute", |call| call.requested_table()),
    ("DeleteRouteTable", |call| call.id_in_request(ids::ROUTE_TABLE, "routeTableId").map(deleted)),
    ("DeleteSubnet", |call| call.id_in_request(ids::SUBNET, "subnetId").map(deleted)),
    ("DeleteTags", |call| call.tagged()),
    ("DeleteVpc", |call| call.id_in_request(ids::VPC, "vpcId").map(deleted)),
    ("DeleteVpcEndpoints", |call| Some(call.deleted_endpoints())),
    ("DetachInternetGateway", |call| call.id_in_request(ids::VPC, "vpcId").map(vpc)),
    ("DisassociateRouteTable", |_| None),
    ("DisassociateSubnetCidrBlock", |call| call.subnet_of_cidr_block()),
    ("DisassociateVpcCidrBlock", |call| call.vpc_of_cidr_block()),
    ("ModifySecurityGroupRules", |call| call.changed_group()),
    ("ModifyVpcAttribute", |call| call.modified_vpc()),
    ("ModifyVpcEndpoint", |call| call.id_in_request(ids::ENDPOINT, "vpcEndpointId").map(|id| endpoints((id, None)))),
    ("ReplaceRoute", |call| call.requested_table()),
    ("ReplaceRouteTableAssociation", |call| call.associated()),
    ("RevokeSecurityGroupIngress", |call| call.changed_group()),
];

/// The relevant calls to API Gateway. Each affects all REST APIs: few accounts have many, and one call reads 500 of them.
pub const API_GATEWAY_CALLS: [&str; 7] =
    ["CreateRestApi", "DeleteRestApi", "ImportRestApi", "PutRestApi", "TagResource", "UntagResource", "UpdateRestApi"];

/// The names of the relevant calls to EC2, sorted.
#[must_use]
pub fn ec2_calls() -> [&'static str; CALLS.len()] {
    CALLS.map(|(name, _)| name)
}

/// The relevant calls that no check of route tables depends on.
const ENDPOINT_CALLS: [&str; 8] = [
    "AssociateSubnetCidrBlock",
    "AssociateVpcCidrBlock",
    "AuthorizeSecurityGroupIngress",
    "DisassociateSubnetCidrBlock",
    "DisassociateVpcCidrBlock",
    "ModifySecurityGroupRules",
    "ModifyVpcAttribute",
    "RevokeSecurityGroupIngress",
];

/// Whether only checks of endpoints depend on the call with this name.
pub(super) fn concerns_only_endpoints(event_name: &str) -> bool {
    ENDPOINT_CALLS.contains(&event_name)
}

/// Reads one call from its EventBridge envelope.
pub(super) fn read(envelope: &Value, exempt_tag: &str) -> Result<Record, Error> {
    let event_name = text_at(envelope, &["detail", "eventName"])
        .ok_or_else(|| Error::UnsupportedEvent("an API call via CloudTrail without detail.eventName".to_owned()))?;
    let call = Call { detail: envelope.get("detail").unwrap_or(&Value::Null), event_name: &event_name, exempt_tag };
    Ok(Record { scope: call.scope(), trigger: call.trigger(), time: time_of(envelope), alerts: AlertRequest::Changes })
}

/// One CloudTrail record.
struct Call<'a> {
    detail: &'a Value,
    event_name: &'a str,
    /// The key of the exemption tag.
    exempt_tag: &'a str,
}

impl Call<'_> {
    fn scope(&self) -> Scope {
        if self.changed_nothing() {
            return Scope::default();
        }
        // No call to API Gateway has the name of one to EC2.
        if API_GATEWAY_CALLS.contains(&self.event_name) {
            return Scope { rest_apis: self.may_concern_a_rest_api(), ..Scope::default() };
        }
        match CALLS.iter().find(|(name, _)| *name == self.event_name) {
            Some((_, find_scope)) => find_scope(self).unwrap_or_else(Scope::region),
            None => Scope::default(),
        }
    }

    /// Whether the call may concern a REST API. Two kinds of calls are known not to: those that tag another resource, which
    /// they name by its ARN, such as `arn:aws:apigateway:eu-west-1::/restapis/a1b2c3d4e5/stages/test`
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html>), and those with other
    /// tags. A value of an unexpected type says nothing.
    fn may_concern_a_rest_api(&self) -> bool {
        let request = &self.detail["requestParameters"];
        let is_of_other_resource = request["resourceArn"].as_str().is_some_and(|arn| {
            let api = arn.split_once("/restapis/").map(|(_, path)| path.trim_end_matches('/'));
            arn.contains(":apigateway:") && api.is_none_or(|id| id.contains('/'))
        });
        let has_other_tags = match (&request["tags"], &request["tagKeys"]) {
            (Value::Object(tags), Value::Null) => !tags.is_empty() && !tags.contains_key(self.exempt_tag),
            (Value::Null, Value::Array(keys)) => {
                !keys.is_empty() && keys.iter().all(|key| key.as_str().is_some_and(|key| key != self.exempt_tag))
            }
            _ => false,
        };
        !is_of_other_resource && !has_other_tags
    }

    /// Whether the call failed, was a dry run (which also has an error code), or was read-only.
    fn changed_nothing(&self) -> bool {
        let failed = match self.detail.get("errorCode") {
            None | Some(Value::Null) => false,
            Some(Value::String(code)) => !code.is_empty(),
            Some(_) => true,
        };
        let read_only = match self.detail.get("readOnly") {
            Some(Value::Bool(read_only)) => *read_only,
            Some(Value::String(text)) => text == "true",
            _ => false,
        };
        failed || read_only
    }

    /// The id of the resource that the call created, and its VPC.
    fn created(&self, prefix: &str, resource: &str, id: &str) -> Option<(String, Option<String>)> {
        let vpc_id =
            self.id_in_response(ids::VPC, &[resource, "vpcId"]).or_else(|| self.id_in_request(ids::VPC, "vpcId"));
        self.id_in_response(prefix, &[resource, id]).map(|id| (id, vpc_id))
    }

    fn created_subnet(&self) -> Option<Scope> {
        self.created(ids::SUBNET, "subnet", "subnetId").map(subnets)
    }

    fn created_vpc(&self) -> Option<Scope> {
        self.id_in_response(ids::VPC, &["vpc", "vpcId"]).map(vpc)
    }

    fn requested_table(&self) -> Option<Scope> {
        self.id_in_request(ids::ROUTE_TABLE, "routeTableId").map(|id| route_tables((id, None)))
    }

    /// A new endpoint, and the VPC of a Gateway endpoint, whose route tables it serves. gatewatch waits until EC2
    /// returns an endpoint that the scope names. Otherwise the VPC could seem to have no endpoint.
    fn created_endpoint(&self) -> Option<Scope> {
        let vpc_id =
            self.id_in_response(ids::VPC, &["vpcEndpoint", "vpcId"]).or_else(|| self.id_in_request(ids::VPC, "vpcId"));
        let id = self.id_in_response(ids::ENDPOINT, &["vpcEndpoint", "vpcEndpointId"]);
        match (id, vpc_id) {
            (Some(id), vpc_id) if !self.creates_gateway_endpoint() => Some(endpoints((id, vpc_id))),
            (Some(id), Some(vpc_id)) => {
                let mut scope = vpc(vpc_id.clone());
                scope.merge(&endpoints((id, Some(vpc_id))));
                Some(scope)
            }
            (None, Some(vpc_id)) => Some(vpc(vpc_id)),
            (_, None) => None,
        }
    }

    /// The whole Region, because the record does not say what lost an endpoint. The ids say which endpoints are gone. The call
    /// can fail for some of them, such as those of another account, and the response names these
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcEndpoints.html>).
    fn deleted_endpoints(&self) -> Scope {
        let named = self.texts_in("requestParameters", "Request", &["vpcEndpointId"]);
        let failed = self.texts_in("responseElements", "Response", &["unsuccessful", "item", "resourceId"]);
        let is_deleted = |id: &String| is_id(ids::ENDPOINT, id) && !failed.contains(id);
        Scope { deleted: named.into_iter().filter(is_deleted).collect(), ..Scope::region() }
    }

    /// The VPC that gained or lost a CIDR block. A request to disassociate one holds only the id of the association, and
    /// the response names the VPC
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateVpcCidrBlock.html>).
    fn vpc_of_cidr_block(&self) -> Option<Scope> {
        self.id_in_response(ids::VPC, &["vpcId"]).or_else(|| self.id_in_request(ids::VPC, "vpcId")).map(vpc)
    }

    /// The subnet that gained or lost a CIDR block, in the same way
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateSubnetCidrBlock.html>).
    fn subnet_of_cidr_block(&self) -> Option<Scope> {
        self.id_in_response(ids::SUBNET, &["subnetId"])
            .or_else(|| self.id_in_request(ids::SUBNET, "subnetId"))
            .map(|id| subnets((id, None)))
    }

    /// The VPC whose DNS attributes may have changed. Of the attributes that a request can change, only
    /// `enableNetworkAddressUsageMetrics` concerns no endpoint
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html>).
    fn modified_vpc(&self) -> Option<Scope> {
        let concerns_dns = self.requests("enableDnsSupport") || self.requests("enableDnsHostnames");
        if self.requests("enableNetworkAddressUsageMetrics") && !concerns_dns {
            return Some(Scope::default());
        }
        self.id_in_request(ids::VPC, "vpcId").map(vpc)
    }

    /// The security group whose rules changed. A request may name the group of a default VPC by its group name. The
    /// response then still holds the id, in the rules that were added or removed
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html>).
    fn changed_group(&self) -> Option<Scope> {
        let in_rules = |set: &str| self.id_in_response(ids::SECURITY_GROUP, &[set, "groupId"]);
        self.id_in_request(ids::SECURITY_GROUP, "groupId")
            .or_else(|| in_rules("securityGroupRuleSet"))
            .or_else(|| in_rules("revokedSecurityGroupRuleSet"))
            .map(|id| Scope { security_groups: BTreeSet::from([id]), ..Scope::default() })
    }

    /// The NAT gateway that will be deleted. The record names no VPC, so EC2 is asked which tables have a route to it.
    fn deleted_nat_gateway(&self) -> Option<Scope> {
        self.id_in_request(ids::NAT_GATEWAY, "natGatewayId")
            .or_else(|| self.id_in_response(ids::NAT_GATEWAY, &["natGatewayId"]))
            .map(|id| Scope { nat_gateways: BTreeSet::from([id]), ..Scope::default() })
    }

    /// The route table and the subnet of an association. An association with a gateway names no subnet. It makes the
    /// table an edge table, which resolves what was reported about it.
    fn associated(&self) -> Option<Scope> {
        let mut scope = self.id_in_request(ids::ROUTE_TABLE, "routeTableId").map(|id| route_tables((id, None)))?;
        if let Some(subnet) = self.id_in_request(ids::SUBNET, "subnetId") {
            scope.merge(&subnets((subnet, None)));
        }
        Some(scope)
    }

    /// The resources that gained or lost the exemption tag. `DeleteTags` without keys deletes all tags. A malformed id
    /// can mean any resource, so the whole Region is affected.
    fn tagged(&self) -> Option<Scope> {
        const KINDS: [&str; 4] = [ids::VPC, ids::SUBNET, ids::ROUTE_TABLE, ids::ENDPOINT];
        let keys = self.texts_in("requestParameters", "Request", &["tagSet", "key"]);
        if !keys.is_empty() && !keys.iter().any(|key| key == self.exempt_tag) {
            return Some(Scope::default());
        }
        let resources = self.texts_in("requestParameters", "Request", &["resourcesSet", "resourceId"]);
        let is_certain = |id: &String| KINDS.iter().any(|kind| is_id(kind, id)) || is_id_of_other_kind(&KINDS, id);
        if resources.is_empty() || !resources.iter().all(is_certain) {
            return None;
        }
        let of_kind = |prefix| resources.iter().filter(move |id| is_id(prefix, id)).cloned();
        Some(Scope {
            vpc_ids: of_kind(ids::VPC).collect(),
            subnets: of_kind(ids::SUBNET).map(|id| (id, None)).collect(),
            route_tables: of_kind(ids::ROUTE_TABLE).map(|id| (id, None)).collect(),
            endpoints: of_kind(ids::ENDPOINT).map(|id| (id, None)).collect(),
            ..Scope::default()
        })
    }

    /// Whether the new endpoint has type Gateway. EC2 creates this type if the request names none
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html>).
    fn creates_gateway_endpoint(&self) -> bool {
        let in_response = self.texts_in("responseElements", "Response", &["vpcEndpoint", "vpcEndpointType"]);
        let in_request = self.texts_in("requestParameters", "Request", &["vpcEndpointType"]);
        let is_word = |kind: &&String| kind.bytes().all(|b| b.is_ascii_alphabetic());
        in_response.iter().chain(&in_request).find(is_word).is_none_or(|kind| kind.eq_ignore_ascii_case("gateway"))
    }

    /// Whether the request has this field, with a value of any type.
    fn requests(&self, field: &str) -> bool {
        let wrapper = format!("{}Request", self.event_name);
        exists_at(self.detail, &["requestParameters", field])
            || exists_at(self.detail, &["requestParameters", &wrapper, field])
    }

    /// The first id with this prefix in a field of the request.
    fn id_in_request(&self, prefix: &str, field: &str) -> Option<String> {
        first_id(self.texts_in("requestParameters", "Request", &[field]), prefix)
    }

    /// The first id with this prefix at a path in the response.
    fn id_in_response(&self, prefix: &str, path: &[&str]) -> Option<String> {
        first_id(self.texts_in("responseElements", "Response", path), prefix)
    }

    /// The texts at a path in the request or the response, either directly or in an element such as `CreateVpcRequest`.
    fn texts_in(&self, section: &str, suffix: &str, path: &[&str]) -> Vec<String> {
        let wrapper = format!("{}{suffix}", self.event_name);
        let mut texts = texts_at(self.detail, &[&[section], path].concat());
        texts.extend(texts_at(self.detail, &[&[section, &wrapper], path].concat()));
        texts.retain(|text| !text.is_empty());
        texts
    }

    fn trigger(&self) -> Trigger {
        let text = |path: &[&str]| text_at(self.detail, path);
        Trigger::ApiCall {
            event_name: self.event_name.to_owned(),
            event_id: text(&["eventID"]),
            event_time: text(&["eventTime"]),
            principal: text(&["userIdentity", "arn"])
                .or_else(|| text(&["userIdentity", "userName"]))
                .or_else(|| text(&["userIdentity", "sessionContext", "sessionIssuer", "arn"]))
                .or_else(|| text(&["userIdentity", "principalId"])),
            on_behalf_of: text(&["userIdentity", "onBehalfOf", "userId"]).filter(|id| is_identity_center_user(id)).map(
                |user_id| IdentityCenterUser {
                    user_id,
                    identity_store_arn: text(&["userIdentity", "onBehalfOf", "identityStoreArn"]),
                },
            ),
            invoked_by: text(&["userIdentity", "invokedBy"])
                .into_iter()
                .chain(text(&["sourceIPAddress"]).filter(|source| source.ends_with(".amazonaws.com")))
                .find(|service| !is_console(service)),
        }
    }
}

/// Whether the text can be the id of a user of IAM Identity Center: a UUID, often with ten more digits in front
/// (<https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_User.html>).
fn is_identity_center_user(text: &str) -> bool {
    text.len() <= 47 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// Whether the name stands for the AWS console. There a person acts, and not a service for somebody.
fn is_console(service: &str) -> bool {
    service == "signin.amazonaws.com" || service.ends_with(".signin.amazonaws.com")
}

fn first_id(texts: Vec<String>, prefix: &str) -> Option<String> {
    texts.into_iter().find(|text| is_id(prefix, text))
}

fn vpc(id: String) -> Scope {
    Scope { vpc_ids: BTreeSet::from([id]), ..Scope::default() }
}

fn deleted(id: String) -> Scope {
    Scope { deleted: BTreeSet::from([id]), ..Scope::default() }
}

fn subnets(id_and_vpc: (String, Option<String>)) -> Scope {
    Scope { subnets: BTreeMap::from([id_and_vpc]), ..Scope::default() }
}

fn endpoints(id_and_vpc: (String, Option<String>)) -> Scope {
    Scope { endpoints: BTreeMap::from([id_and_vpc]), ..Scope::default() }
}

fn route_tables(id_and_vpc: (String, Option<String>)) -> Scope {
    Scope { route_tables: BTreeMap::from([id_and_vpc]), ..Scope::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TAG: &str = "gatewatch:exempt";

    fn scope(detail: &Value) -> Scope {
        read(&json!({"detail": detail}), TAG).unwrap().scope
    }

    #[test]
    fn a_relevant_call_without_its_ids_affects_the_region() {
        for name in ec2_calls() {
            for section in [
                json!(null),
                json!(""),
                json!([]),
                json!(7),
                json!({}),
                json!({"items": []}),
                json!({"routeTableId": "", "vpcId": "no-id", "subnet": "", "vpc": [], "routeTable": {"items": {}}}),
                json!({"routeTableId": 7, "vpcId": true, "subnet": {"subnetId": ["vpc-0a1b2c3d"]}, "vpc": "vpc-0a1b2c3d"}),
            ] {
                let detail = json!({"eventName": name, "requestParameters": section, "responseElements": section});
                assert_eq!(scope(&detail), Scope::region(), "{detail}");
            }
            assert_eq!(scope(&json!({"eventName": name})), Scope::region(), "{name}");
        }
    }

    #[test]
    fn a_failed_or_read_only_call_affects_nothing() {
        for name in ec2_calls() {
            for (field, value) in [
                ("errorCode", json!("Client.UnauthorizedOperation")),
                ("errorCode", json!("Client.DryRunOperation")),
                ("errorCode", json!({})),
                ("readOnly", json!(true)),
                ("readOnly", json!("true")),
            ] {
                let detail = json!({"eventName": name, field: value});
                assert_eq!(scope(&detail), Scope::default(), "{detail}");
            }
        }
    }

    #[test]
    fn a_call_with_an_empty_error_code_or_a_false_read_only_is_a_successful_write() {
        for (field, value) in [
            ("errorCode", json!(null)),
            ("errorCode", json!("")),
            ("readOnly", json!(false)),
            ("readOnly", json!("false")),
            ("readOnly", json!(null)),
        ] {
            let detail = json!({"eventName": "DeleteVpcEndpoints", field: value});
            assert_eq!(scope(&detail), Scope::region(), "{detail}");
        }
    }

    #[test]
    fn deleted_endpoints_affect_the_region_and_are_named() {
        let (a, b) = ("vpce-0a1b2c3d", "vpce-0a1b2c3e");
        let scope_of = |ids: &Value| {
            let request = json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": ids}});
            scope(&json!({"eventName": "DeleteVpcEndpoints", "requestParameters": request}))
        };
        let without = |ids: &[&str]| Scope { deleted: ids.iter().map(|&id| id.into()).collect(), ..Scope::region() };
        assert_eq!(scope_of(&json!({"tag": 1, "content": a})), without(&[a]));
        assert_eq!(scope_of(&json!([{"tag": 1, "content": a}, {"tag": 2, "content": b}])), without(&[a, b]));
        assert_eq!(scope_of(&json!("rtb-0a1b2c3d")), Scope::region());

        // The call failed for some of them.
        let of_failed = |items: &Value| {
            let request = json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": [{"content": a}, {"content": b}]}});
            let response = json!({"DeleteVpcEndpointsResponse": {"unsuccessful": {"item": items}}});
            scope(
                &json!({"eventName": "DeleteVpcEndpoints", "requestParameters": request, "responseElements": response}),
            )
        };
        let failed = |id: &str| json!({"error": {"code": "InvalidVpcEndpoint.NotFound"}, "resourceId": id});
        assert_eq!(of_failed(&failed(b)), without(&[a]));
        assert_eq!(of_failed(&json!([failed(a), failed(b)])), Scope::region());
    }

    #[test]
    fn a_call_that_changes_a_rest_api_affects_the_rest_apis() {
        let (apis, nothing) = (Scope { rest_apis: true, ..Scope::default() }, Scope::default());
        for name in API_GATEWAY_CALLS {
            let call = |fields: Value| {
                let mut detail = json!({"eventName": name});
                detail.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
                detail
            };
            assert_eq!(scope(&call(json!({}))), apis, "{name}");
            assert_eq!(scope(&call(json!({"errorCode": "NotFoundException"}))), nothing, "{name}");
            assert_eq!(scope(&call(json!({"readOnly": true}))), nothing, "{name}");
        }
        for name in ["CreateDeployment", "GetRestApis"] {
            assert_eq!(scope(&json!({"eventName": name})), nothing, "{name}");
        }
    }

    #[test]
    fn a_tag_of_a_rest_api_matters_if_it_is_the_exemption_tag() {
        let api = "arn:aws:apigateway:eu-west-1::/restapis/a1b2c3d4e5";
        let affects =
            |name: &str, request: &Value| scope(&json!({"eventName": name, "requestParameters": request})).rest_apis;
        for (arn, is_api) in [
            (api.to_owned(), true),
            (format!("{api}/"), true),
            (format!("{api}/stages/test"), false),
            ("arn:aws:apigateway:eu-west-1::/apis/a1b2c3d4e5".to_owned(), false),
        ] {
            assert_eq!(affects("TagResource", &json!({"resourceArn": arn, "tags": {TAG: "*"}})), is_api, "{arn}");
            assert_eq!(affects("UntagResource", &json!({"resourceArn": arn, "tagKeys": ["a", TAG]})), is_api, "{arn}");
        }
        assert!(!affects("TagResource", &json!({"resourceArn": api, "tags": {"team": TAG}})));
        assert!(!affects("UntagResource", &json!({"resourceArn": api, "tagKeys": ["team"]})));
        assert!(affects("TagResource", &json!({"resourceArn": api})), "an unknown form is no reason to do nothing");
        assert!(affects("UntagResource", &json!({"resourceArn": api})));
    }

    #[test]
    fn a_delete_call_names_the_deleted_resource() {
        for (name, field, id) in [
            ("DeleteSubnet", "subnetId", "subnet-0a1b2c3d"),
            ("DeleteRouteTable", "routeTableId", "rtb-0a1b2c3d"),
            ("DeleteVpc", "vpcId", "vpc-0a1b2c3d"),
        ] {
            let wrapper = format!("{name}Request");
            for parameters in [json!({field: id}), json!({wrapper: {field: id}})] {
                let detail =
                    json!({"eventName": name, "requestParameters": parameters, "responseElements": {"_return": true}});
                assert_eq!(scope(&detail), deleted(id.into()), "{detail}");
            }
            let detail = json!({"eventName": name, "requestParameters": {field: "eni-0a1b2c3d"}});
            assert_eq!(scope(&detail), Scope::region(), "{detail}");
        }
    }

    #[test]
    fn a_call_about_an_internet_gateway_affects_its_vpc() {
        for name in ["AttachInternetGateway", "DetachInternetGateway"] {
            let request = json!({"internetGatewayId": "igw-0a1b2c3d", "vpcId": "vpc-0a1b2c3d"});
            for parameters in [request.clone(), json!({format!("{name}Request"): request})] {
                let detail = json!({"eventName": name, "requestParameters": parameters});
                assert_eq!(scope(&detail), vpc("vpc-0a1b2c3d".into()), "{detail}");
            }
        }
    }

    #[test]
    fn a_deleted_nat_gateway_comes_from_the_request_or_the_response() {
        let of = |request: Value, response: Value| {
            let (name, request, response) = ("DeleteNatGateway", request, response);
            scope(&json!({"eventName": name, "requestParameters": request, "responseElements": response}))
        };
        let expected = Scope { nat_gateways: ["nat-0a1b2c3d".to_owned()].into(), ..Scope::default() };
        assert_eq!(of(json!({"DeleteNatGatewayRequest": {"NatGatewayId": "nat-0a1b2c3d"}}), json!(null)), expected);
        assert_eq!(of(json!(null), json!({"DeleteNatGatewayResponse": {"natGatewayId": "nat-0a1b2c3d"}})), expected);
        assert_eq!(of(json!({"natGatewayId": "nat-0a1b2c3d"}), json!({})), expected);
        assert_eq!(of(json!({"natGatewayId": "igw-0a1b2c3d"}), json!({})), Scope::region());
    }

    #[test]
    fn a_call_about_a_cidr_block_affects_its_vpc() {
        let of = |name: &str, request: Value, response: Value| {
            scope(&json!({"eventName": name, "requestParameters": request, "responseElements": response}))
        };
        let expected = vpc("vpc-0a1b2c3d".into());
        for name in ["AssociateVpcCidrBlock", "DisassociateVpcCidrBlock"] {
            let in_response = json!({"vpcId": "vpc-0a1b2c3d", "cidrBlockAssociation": {"associationId": "a"}});
            assert_eq!(of(name, json!({}), in_response.clone()), expected, "{name}");
            assert_eq!(of(name, json!({}), json!({format!("{name}Response"): in_response})), expected, "{name}");
            let only_association = json!({format!("{name}Request"): {"AssociationId": "vpc-cidr-assoc-0a1b2c3d"}});
            assert_eq!(of(name, only_association, json!({"_return": true})), Scope::region(), "{name}");
        }
        let (name, in_request) =
            ("AssociateVpcCidrBlock", json!({"vpcId": "vpc-0a1b2c3d", "cidrBlock": "10.1.0.0/16"}));
        assert_eq!(of(name, in_request.clone(), json!(null)), expected);
        assert_eq!(of(name, json!({"AssociateVpcCidrBlockRequest": in_request}), json!(null)), expected);
    }

    #[test]
    fn a_call_about_a_cidr_block_of_a_subnet_affects_the_subnet() {
        let of = |name: &str, request: Value, response: Value| {
            scope(&json!({"eventName": name, "requestParameters": request, "responseElements": response}))
        };
        let expected = subnets(("subnet-0a1b2c3d".into(), None));
        for name in ["AssociateSubnetCidrBlock", "DisassociateSubnetCidrBlock"] {
            let in_response =
                json!({"subnetId": "subnet-0a1b2c3d", "ipv6CidrBlockAssociation": {"associationId": "a"}});
            assert_eq!(of(name, json!({}), in_response.clone()), expected, "{name}");
            assert_eq!(of(name, json!({}), json!({format!("{name}Response"): in_response})), expected, "{name}");
            let only_association = json!({format!("{name}Request"): {"AssociationId": "subnet-cidr-assoc-0a1b2c3d"}});
            assert_eq!(of(name, only_association, json!({"_return": true})), Scope::region(), "{name}");
        }
        let name = "AssociateSubnetCidrBlock";
        assert_eq!(of(name, json!({"subnetId": "subnet-0a1b2c3d"}), json!(null)), expected);
        let wrapped = json!({"AssociateSubnetCidrBlockRequest": {"SubnetId": "subnet-0a1b2c3d"}});
        assert_eq!(of(name, wrapped, json!(null)), expected);
    }

    #[test]
    fn every_call_about_endpoints_only_is_a_relevant_call() {
        assert!(ENDPOINT_CALLS.iter().all(|name| ec2_calls().contains(name)));
        assert!(ENDPOINT_CALLS.is_sorted());
    }

    #[test]
    fn a_vpc_attribute_affects_the_vpc_unless_it_certainly_concerns_no_dns() {
        let metrics = json!({"enableNetworkAddressUsageMetrics": {"value": true}});
        let wrapped = |attributes: &Value| {
            let fields = attributes.as_object().into_iter().flatten();
            let capital = |key: &String| format!("E{}", &key[1..]);
            let mut request: Value = fields.map(|(key, value)| (capital(key), value.clone())).collect();
            request["VpcId"] = json!("vpc-0a1b2c3d");
            json!({"ModifyVpcAttributeRequest": request})
        };
        let flat = |attributes: &Value| {
            let mut request = attributes.clone();
            request["vpcId"] = json!("vpc-0a1b2c3d");
            request
        };
        for (attributes, expected) in [
            (json!({"enableDnsSupport": {"value": false}}), vpc("vpc-0a1b2c3d".into())),
            (json!({"enableDnsHostnames": {"value": true}}), vpc("vpc-0a1b2c3d".into())),
            (json!({"enableDnsHostnames": false}), vpc("vpc-0a1b2c3d".into())),
            (json!({}), vpc("vpc-0a1b2c3d".into())),
            (json!({"enableSomethingNew": {"value": true}}), vpc("vpc-0a1b2c3d".into())),
            (
                json!({"enableNetworkAddressUsageMetrics": {"value": true}, "enableDnsSupport": {"value": true}}),
                vpc("vpc-0a1b2c3d".into()),
            ),
            (json!({"enableNetworkAddressUsageMetrics": null}), vpc("vpc-0a1b2c3d".into())),
            (metrics.clone(), Scope::default()),
        ] {
            for parameters in [flat(&attributes), wrapped(&attributes)] {
                let detail = json!({"eventName": "ModifyVpcAttribute", "requestParameters": parameters});
                assert_eq!(scope(&detail), expected, "{detail}");
            }
        }
        let without_vpc = json!({"eventName": "ModifyVpcAttribute", "requestParameters": {"enableDnsSupport": true}});
        assert_eq!(scope(&without_vpc), Scope::region());
    }

    #[test]
    fn a_call_about_rules_affects_the_security_group() {
        let group = Scope { security_groups: ["sg-0a1b2c3d".to_owned()].into(), ..Scope::default() };
        for name in ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "ModifySecurityGroupRules"] {
            let of = |request: Value, response: Value| {
                scope(&json!({"eventName": name, "requestParameters": request, "responseElements": response}))
            };
            // The groups that a rule refers to do not count: their own rules did not change.
            let rule = json!({"items": [{"ipProtocol": "tcp", "groups": {"items": [{"groupId": "sg-0a1b2c3e"}]}}]});
            let flat = json!({"groupId": "sg-0a1b2c3d", "ipPermissions": rule});
            assert_eq!(of(flat, json!({"_return": true})), group, "{name}");
            let wrapped = json!({format!("{name}Request"): {"GroupId": "sg-0a1b2c3d",
                "SecurityGroupRule": {"SecurityGroupRule": {"ReferencedGroupId": "sg-0a1b2c3e"}, "tag": 1}}});
            assert_eq!(of(wrapped, json!(null)), group, "{name}");

            let by_name = json!({"groupName": "endpoints", "ipPermissions": rule});
            for set in ["securityGroupRuleSet", "revokedSecurityGroupRuleSet"] {
                let rules = json!({"items": [{"securityGroupRuleId": "sgr-0a1b2c3d", "groupId": "sg-0a1b2c3d",
                    "referencedGroupInfo": {"groupId": "sg-0a1b2c3e"}}]});
                assert_eq!(of(by_name.clone(), json!({set: rules})), group, "{name}");
            }
            assert_eq!(of(by_name, json!({"_return": true})), Scope::region(), "{name}");
            assert_eq!(of(json!({"groupId": "sgr-0a1b2c3d"}), json!(null)), Scope::region(), "{name}");
        }
    }

    #[test]
    fn any_other_call_affects_nothing() {
        assert_eq!(scope(&json!({"eventName": "CreateNatGateway"})), Scope::default());
        assert_eq!(scope(&json!({"eventName": "createsubnet"})), Scope::default());
    }

    #[test]
    fn a_record_without_an_event_name_is_refused() {
        for envelope in [json!({}), json!({"detail": "x"}), json!({"detail": {"eventName": ""}})] {
            assert_eq!(
                read(&envelope, TAG),
                Err(Error::UnsupportedEvent("an API call via CloudTrail without detail.eventName".into())),
                "{envelope}"
            );
        }
    }

    #[test]
    fn the_vpc_of_a_new_resource_comes_from_the_request_or_the_response() {
        for detail in [
            json!({"requestParameters": {"vpcId": "vpc-0a1b2c3d"},
                   "responseElements": {"subnet": {"subnetId": "subnet-0a1b2c3d"}}}),
            json!({"responseElements": {"subnet": {"subnetId": "subnet-0a1b2c3d", "vpcId": "vpc-0a1b2c3d"}}}),
            json!({"responseElements": {"CreateSubnetResponse": {"subnet":
                   {"subnetId": "subnet-0a1b2c3d", "vpcId": "vpc-0a1b2c3d"}}}}),
        ] {
            let mut detail = detail;
            detail["eventName"] = json!("CreateSubnet");
            let id_and_vpc = ("subnet-0a1b2c3d".to_owned(), Some("vpc-0a1b2c3d".to_owned()));
            assert_eq!(scope(&detail), subnets(id_and_vpc), "{detail}");
        }
    }

    #[test]
    fn a_new_endpoint_affects_the_tables_of_its_vpc_unless_it_is_known_to_have_another_type() {
        let vpc_only = vpc("vpc-0a1b2c3d".into());
        let endpoint_only = endpoints(("vpce-0a1b2c3d".into(), Some("vpc-0a1b2c3d".into())));
        let mut both = vpc_only.clone();
        both.merge(&endpoint_only);
        for (in_request, in_response, expected) in [
            (json!(null), json!(null), &both),
            (json!("Gateway"), json!(null), &both),
            (json!(null), json!("gateway"), &both),
            (json!("Interface"), json!("Gateway"), &both),
            (json!(7), json!(7), &both),
            (json!("Interface"), json!(null), &endpoint_only),
            (json!(null), json!("GatewayLoadBalancer"), &endpoint_only),
        ] {
            let of = |vpc_id: Value, endpoint_id: Value| {
                scope(&json!({
                    "eventName": "CreateVpcEndpoint",
                    "requestParameters": {"CreateVpcEndpointRequest": {"VpcId": vpc_id, "VpcEndpointType": in_request}},
                    "responseElements": {"CreateVpcEndpointResponse":
                        {"vpcEndpoint": {"vpcEndpointId": endpoint_id, "vpcEndpointType": in_response}}},
                }))
            };
            assert_eq!(of(json!("vpc-0a1b2c3d"), json!("vpce-0a1b2c3d")), *expected, "{in_request} {in_response}");
            assert_eq!(of(json!("vpc-0a1b2c3d"), json!(null)), vpc_only, "an unknown endpoint: {in_request}");
            let without_vpc =
                if *expected == both { Scope::region() } else { endpoints(("vpce-0a1b2c3d".into(), None)) };
            assert_eq!(of(json!(null), json!("vpce-0a1b2c3d")), without_vpc, "an unknown VPC: {in_request}");
            assert_eq!(of(json!(null), json!(null)), Scope::region());
        }
    }

    #[test]
    fn the_principal_is_the_best_name_in_the_record() {
        let trigger = |identity: Value, source: &str| {
            let detail = json!({"eventName": "CreateVpc", "userIdentity": identity, "sourceIPAddress": source});
            match read(&json!({"detail": detail}), TAG).unwrap().trigger {
                Trigger::ApiCall { principal, invoked_by, .. } => (principal, invoked_by),
                other => panic!("{other:?}"),
            }
        };
        let text = |text: &str| Some(text.to_owned());
        let issuer = json!({"sessionIssuer": {"arn": "arn:role"}});
        assert_eq!(
            trigger(json!({"arn": "arn:user", "sessionContext": issuer, "principalId": "AIDA"}), "203.0.113.10"),
            (text("arn:user"), None)
        );
        assert_eq!(trigger(json!({"sessionContext": issuer, "principalId": "AROA"}), ""), (text("arn:role"), None));
        assert_eq!(trigger(json!({"principalId": "AROA"}), ""), (text("AROA"), None));
        assert_eq!(
            trigger(json!({"userName": "alice", "sessionContext": issuer, "principalId": "AIDA"}), ""),
            (text("alice"), None)
        );
        assert_eq!(
            trigger(json!({"invokedBy": "cloudformation.amazonaws.com"}), "203.0.113.10"),
            (None, text("cloudformation.amazonaws.com"))
        );
        assert_eq!(trigger(json!(null), "ram.amazonaws.com"), (None, text("ram.amazonaws.com")));
    }

    #[test]
    fn the_console_is_not_a_service_that_acts_for_somebody() {
        let invoked_by = |invoked_by: &str, source: &str| {
            let detail = json!({
                "eventName": "CreateVpc", "sourceIPAddress": source, "userIdentity": {"invokedBy": invoked_by},
            });
            match read(&json!({"detail": detail}), TAG).unwrap().trigger {
                Trigger::ApiCall { invoked_by, .. } => invoked_by,
                other => panic!("{other:?}"),
            }
        };
        for console in ["signin.amazonaws.com", "eu-west-1.signin.amazonaws.com"] {
            assert_eq!(invoked_by(console, "203.0.113.10"), None);
            assert_eq!(invoked_by("", console), None);
            assert_eq!(invoked_by(console, "ram.amazonaws.com"), Some("ram.amazonaws.com".into()));
        }
        assert_eq!(invoked_by("notsignin.amazonaws.com", ""), Some("notsignin.amazonaws.com".into()));
    }

    #[test]
    fn a_user_of_identity_center_is_the_person_behind_the_caller() {
        const STORE: &str = "arn:aws:identitystore::123456789012:identitystore/d-0a1b2c3d4e";
        const USER: &str = "0a1b2c3d-0000-4000-8000-000000000001";
        let person = |on_behalf_of: Value| {
            let detail = json!({"eventName": "CreateVpc", "userIdentity": {"onBehalfOf": on_behalf_of}});
            match read(&json!({"detail": detail}), TAG).unwrap().trigger {
                Trigger::ApiCall { on_behalf_of, .. } => on_behalf_of,
                other => panic!("{other:?}"),
            }
        };
        let user = |store: Option<&str>| {
            Some(IdentityCenterUser { user_id: USER.into(), identity_store_arn: store.map(str::to_owned) })
        };
        assert_eq!(person(json!({"userId": USER, "identityStoreArn": STORE})), user(Some(STORE)));
        assert_eq!(person(json!({"userId": USER})), user(None));
        let with_digits = format!("9067642ac7-{USER}");
        assert_eq!(person(json!({"userId": with_digits})).map(|user| user.user_id), Some(with_digits));
        for malformed in ["a".repeat(48), format!("{USER}\n"), "<!channel>".to_owned()] {
            assert_eq!(person(json!({"userId": malformed})), None, "{malformed}");
        }
        for nobody in [json!(null), json!({}), json!({"userId": ""}), json!({"identityStoreArn": STORE}), json!(USER)] {
            assert_eq!(person(nobody.clone()), None, "{nobody}");
        }
    }

    #[test]
    fn only_the_exemption_tag_affects_the_tagged_resources() {
        let ids = ["vpc-0a1b2c3d", "i-0a1b2c3d", "subnet-0a1b2c3d", "rtb-0a1b2c3d", "rtb-0a1b2c3e", "vpce-0a1b2c3d"];
        let resources: Vec<Value> = ids.iter().map(|id| json!({"resourceId": id})).collect();
        let tagged = |name: &str, tags: Value| {
            scope(
                &json!({"eventName": name, "requestParameters": {"resourcesSet": {"items": resources}, "tagSet": tags}}),
            )
        };
        let all = Scope {
            vpc_ids: [ids[0].to_owned()].into(),
            subnets: [(ids[2].to_owned(), None)].into(),
            route_tables: [(ids[3].to_owned(), None), (ids[4].to_owned(), None)].into(),
            endpoints: [(ids[5].to_owned(), None)].into(),
            ..Scope::default()
        };
        let exempt = json!({"items": [{"key": "Name", "value": "x"}, {"key": "gatewatch:exempt", "value": "s3"}]});
        let other = json!({"items": [{"key": "Name", "value": "gatewatch:exempt"}]});
        for name in ["CreateTags", "DeleteTags"] {
            assert_eq!(tagged(name, exempt.clone()), all, "{name}");
            assert_eq!(tagged(name, json!({})), all, "{name} of every tag");
            assert_eq!(tagged(name, other.clone()), Scope::default(), "{name} of another tag");
        }
    }

    #[test]
    fn the_exemption_tag_on_other_kinds_of_resources_affects_nothing() {
        let tags = json!({"items": [{"key": "gatewatch:exempt"}]});
        let resources = json!({"items": [{"resourceId": "i-0a1b2c3d"}, {"resourceId": "igw-0a1b2c3d"}]});
        let detail =
            json!({"eventName": "CreateTags", "requestParameters": {"resourcesSet": resources, "tagSet": tags}});
        assert_eq!(scope(&detail), Scope::default());
    }

    #[test]
    fn a_malformed_gateway_endpoint_type_or_resource_never_narrows_the_scope() {
        let request =
            |name: &str, parameters: Value| scope(&json!({"eventName": name, "requestParameters": parameters}));
        let associated = |gateway| json!({"routeTableId": "rtb-0a1b2c3d", "gatewayId": gateway});
        let tagged = |id| json!({"resourcesSet": {"items": [{"resourceId": "i-0a1b2c3d"}, {"resourceId": id}]}});
        let doubled = json!("subnet-0a1b2c3dsubnet-0a1b2c3d");
        let misspelled = json!("rtb-i-0a1b2c3d4e5f60001");
        for malformed in [json!(7), json!("no-id"), json!("rtb-"), doubled, misspelled, json!({"items": [0.5]})] {
            let table = route_tables(("rtb-0a1b2c3d".into(), None));
            assert_eq!(request("AssociateRouteTable", associated(malformed.clone())), table, "{malformed}");
            assert_eq!(request("DeleteTags", tagged(malformed.clone())), Scope::region(), "{malformed}");
        }
        for gateway in ["igw-0a1b2c3d", "vgw-0a1b2c3d"] {
            let table = route_tables(("rtb-0a1b2c3d".into(), None));
            assert_eq!(request("AssociateRouteTable", associated(json!(gateway))), table, "{gateway}");
        }
        let endpoint = json!({"vpcId": "vpc-0a1b2c3d", "vpcEndpointType": 7});
        assert_eq!(request("CreateVpcEndpoint", endpoint), vpc("vpc-0a1b2c3d".into()));
    }
}
