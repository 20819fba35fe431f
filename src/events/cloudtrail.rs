//! EC2 API calls, as CloudTrail records them and EventBridge delivers them
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>).
//!
//! | call | touches |
//! |---|---|
//! | `CreateSubnet`, `CreateDefaultSubnet` | the new subnet |
//! | `CreateRouteTable` | the new table |
//! | `AssociateRouteTable`, `ReplaceRouteTableAssociation` | the table named, and the subnet where one is; with a gateway nothing |
//! | `CreateRoute`, `ReplaceRoute`, `DeleteRoute` | the table named |
//! | `CreateVpc`, `CreateDefaultVpc`, `CreateVpcEndpoint` (Gateway) | the VPC |
//! | `ModifyVpcEndpoint` | the endpoint: EC2 tells its type and VPC |
//! | `CreateTags`, `DeleteTags` of the exemption tag | the VPCs, subnets and tables that are tagged |
//! | `DeleteSubnet`, `DeleteRouteTable`, `DeleteVpc` | what the ledger knows of it; nothing in the network |
//! | `DeleteVpcEndpoints`, `DisassociateRouteTable` | the Region: the record does not say which table lost its route |
//! | a call that failed or only read, any other call | nothing |
//!
//! A missing id is not an error but a wider scope: the Region.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    envelope::time_of,
    json_path::{text_at, texts_at},
    record::{Record, Trigger},
    scope::Scope,
};
use crate::{
    error::Error,
    network::ids::{self, is_id, is_id_of_none},
};

/// Reads the envelope of one call.
pub(super) fn read(envelope: &Value, exempt_tag: &str) -> Result<Record, Error> {
    let event_name = text_at(envelope, &["detail", "eventName"])
        .ok_or_else(|| Error::UnsupportedEvent("an EC2 API call via CloudTrail without detail.eventName".to_owned()))?;
    let call = Call { detail: envelope.get("detail").unwrap_or(&Value::Null), event_name: &event_name, exempt_tag };
    Ok(Record { scope: call.scope(), trigger: call.trigger(), time: time_of(envelope), publish: true })
}

/// One record of CloudTrail.
struct Call<'a> {
    detail: &'a Value,
    event_name: &'a str,
    /// The key of the tag that exempts.
    exempt_tag: &'a str,
}

impl Call<'_> {
    fn scope(&self) -> Scope {
        if self.changed_nothing() {
            return Scope::default();
        }
        let found = match self.event_name {
            "CreateSubnet" | "CreateDefaultSubnet" => self.created(ids::SUBNET, "subnet", "subnetId").map(subnets),
            "CreateRouteTable" => self.created(ids::ROUTE_TABLE, "routeTable", "routeTableId").map(route_tables),
            "AssociateRouteTable" | "ReplaceRouteTableAssociation" => self.associated(),
            "CreateRoute" | "ReplaceRoute" | "DeleteRoute" => {
                self.requested(ids::ROUTE_TABLE, "routeTableId").map(|id| route_tables((id, None)))
            }
            "CreateVpc" | "CreateDefaultVpc" => self.answered(ids::VPC, &["vpc", "vpcId"]).map(vpc),
            "CreateVpcEndpoint" if !self.is_of_gateway_endpoint() => Some(Scope::default()),
            "CreateVpcEndpoint" => self.endpoint_created(),
            "ModifyVpcEndpoint" => self.requested(ids::ENDPOINT, "vpcEndpointId").map(|id| endpoints((id, None))),
            "CreateTags" | "DeleteTags" => self.tagged(),
            "DeleteSubnet" => self.requested(ids::SUBNET, "subnetId").map(deleted),
            "DeleteRouteTable" => self.requested(ids::ROUTE_TABLE, "routeTableId").map(deleted),
            "DeleteVpc" => self.requested(ids::VPC, "vpcId").map(deleted),
            "DeleteVpcEndpoints" | "DisassociateRouteTable" => None,
            _ => Some(Scope::default()),
        };
        found.unwrap_or_else(Scope::region)
    }

    /// Whether the call failed, was a dry run (which also answers with an error code), or only read.
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

    /// A resource that the call made, and the VPC that it is in.
    fn created(&self, prefix: &str, resource: &str, id: &str) -> Option<(String, Option<String>)> {
        let vpc_id = self.answered(ids::VPC, &[resource, "vpcId"]).or_else(|| self.requested(ids::VPC, "vpcId"));
        self.answered(prefix, &[resource, id]).map(|id| (id, vpc_id))
    }

    /// The VPC of a new endpoint. The endpoint is named too: where EC2 does not show it yet, the VPC would seem to have none.
    fn endpoint_created(&self) -> Option<Scope> {
        let vpc_id =
            self.answered(ids::VPC, &["vpcEndpoint", "vpcId"]).or_else(|| self.requested(ids::VPC, "vpcId"))?;
        let mut scope = vpc(vpc_id.clone());
        if let Some(id) = self.answered(ids::ENDPOINT, &["vpcEndpoint", "vpcEndpointId"]) {
            scope.merge(&endpoints((id, Some(vpc_id))));
        }
        Some(scope)
    }

    /// A table's association: with a gateway it carries ingress traffic, which nobody pays a NAT gateway for.
    fn associated(&self) -> Option<Scope> {
        let gateways = self.at("requestParameters", "Request", &["gatewayId"]);
        if gateways.iter().any(|id| is_id("igw-", id) || is_id("vgw-", id)) {
            return Some(Scope::default());
        }
        let mut scope = self.requested(ids::ROUTE_TABLE, "routeTableId").map(|id| route_tables((id, None)))?;
        if let Some(subnet) = self.requested(ids::SUBNET, "subnetId") {
            scope.merge(&subnets((subnet, None)));
        }
        Some(scope)
    }

    /// The resources that gained or lost the exemption tag. `DeleteTags` without keys deletes all of them. What has no
    /// id like theirs may be any of them.
    fn tagged(&self) -> Option<Scope> {
        const TAGGED: [&str; 3] = [ids::VPC, ids::SUBNET, ids::ROUTE_TABLE];
        let keys = self.at("requestParameters", "Request", &["tagSet", "key"]);
        if !keys.is_empty() && !keys.iter().any(|key| key == self.exempt_tag) {
            return Some(Scope::default());
        }
        let resources = self.at("requestParameters", "Request", &["resourcesSet", "resourceId"]);
        let is_clear = |id: &String| TAGGED.iter().any(|kind| is_id(kind, id)) || is_id_of_none(&TAGGED, id);
        if resources.is_empty() || !resources.iter().all(is_clear) {
            return None;
        }
        let of_kind = |prefix| resources.iter().filter(move |id| is_id(prefix, id)).cloned();
        Some(Scope {
            vpc_ids: of_kind(ids::VPC).collect(),
            subnets: of_kind(ids::SUBNET).map(|id| (id, None)).collect(),
            route_tables: of_kind(ids::ROUTE_TABLE).map(|id| (id, None)).collect(),
            ..Scope::default()
        })
    }

    /// Whether the endpoint is of type Gateway, which is what EC2 makes when a request names no type
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html>).
    fn is_of_gateway_endpoint(&self) -> bool {
        let answered = self.at("responseElements", "Response", &["vpcEndpoint", "vpcEndpointType"]);
        let requested = self.at("requestParameters", "Request", &["vpcEndpointType"]);
        let is_word = |kind: &&String| kind.bytes().all(|b| b.is_ascii_alphabetic());
        answered.iter().chain(&requested).find(is_word).is_none_or(|kind| kind.eq_ignore_ascii_case("gateway"))
    }

    fn requested(&self, prefix: &str, field: &str) -> Option<String> {
        first_id(self.at("requestParameters", "Request", &[field]), prefix)
    }

    fn answered(&self, prefix: &str, path: &[&str]) -> Option<String> {
        first_id(self.at("responseElements", "Response", path), prefix)
    }

    /// The texts in one half of the record, flat or wrapped in an element named after the call.
    fn at(&self, half: &str, wrapper: &str, path: &[&str]) -> Vec<String> {
        let wrapper = format!("{}{wrapper}", self.event_name);
        let mut texts = texts_at(self.detail, &[&[half], path].concat());
        texts.extend(texts_at(self.detail, &[&[half, &wrapper], path].concat()));
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
                .or_else(|| text(&["userIdentity", "sessionContext", "sessionIssuer", "arn"]))
                .or_else(|| text(&["userIdentity", "principalId"])),
            invoked_by: text(&["userIdentity", "invokedBy"])
                .or_else(|| text(&["sourceIPAddress"]).filter(|source| source.ends_with(".amazonaws.com"))),
        }
    }
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

fn subnets(placed: (String, Option<String>)) -> Scope {
    Scope { subnets: BTreeMap::from([placed]), ..Scope::default() }
}

fn endpoints(placed: (String, Option<String>)) -> Scope {
    Scope { endpoints: BTreeMap::from([placed]), ..Scope::default() }
}

fn route_tables(placed: (String, Option<String>)) -> Scope {
    Scope { route_tables: BTreeMap::from([placed]), ..Scope::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TAG: &str = "gatewatch:exempt";
    const LISTED: [&str; 19] = [
        "AssociateRouteTable",
        "CreateDefaultSubnet",
        "CreateDefaultVpc",
        "CreateRoute",
        "CreateRouteTable",
        "CreateSubnet",
        "CreateVpc",
        "CreateTags",
        "CreateVpcEndpoint",
        "DeleteRoute",
        "DeleteRouteTable",
        "DeleteSubnet",
        "DeleteTags",
        "DeleteVpc",
        "DeleteVpcEndpoints",
        "DisassociateRouteTable",
        "ModifyVpcEndpoint",
        "ReplaceRoute",
        "ReplaceRouteTableAssociation",
    ];

    fn scope(detail: &Value) -> Scope {
        read(&json!({"detail": detail}), TAG).unwrap().scope
    }

    #[test]
    fn a_listed_call_without_its_ids_is_checked_as_the_region() {
        for name in LISTED {
            for half in [
                json!(null),
                json!(""),
                json!([]),
                json!(7),
                json!({}),
                json!({"items": []}),
                json!({"routeTableId": "", "vpcId": "no-id", "subnet": "", "vpc": [], "routeTable": {"items": {}}}),
                json!({"routeTableId": 7, "vpcId": true, "subnet": {"subnetId": ["vpc-0a1b2c3d"]}, "vpc": "vpc-0a1b2c3d"}),
            ] {
                let detail = json!({"eventName": name, "requestParameters": half, "responseElements": half});
                assert_eq!(scope(&detail), Scope::region(), "{detail}");
            }
            assert_eq!(scope(&json!({"eventName": name})), Scope::region(), "{name}");
        }
    }

    #[test]
    fn a_call_that_failed_or_only_read_touches_nothing() {
        for name in LISTED {
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
    fn a_call_that_did_not_fail_says_so_in_several_ways() {
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
    fn what_was_deleted_is_named_and_not_judged() {
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
    fn another_call_touches_nothing() {
        assert_eq!(scope(&json!({"eventName": "CreateNatGateway"})), Scope::default());
        assert_eq!(scope(&json!({"eventName": "createsubnet"})), Scope::default());
    }

    #[test]
    fn a_record_without_a_call_is_refused() {
        for envelope in [json!({}), json!({"detail": "x"}), json!({"detail": {"eventName": ""}})] {
            assert_eq!(
                read(&envelope, TAG),
                Err(Error::UnsupportedEvent("an EC2 API call via CloudTrail without detail.eventName".into())),
                "{envelope}"
            );
        }
    }

    #[test]
    fn the_vpc_of_a_new_resource_is_taken_from_either_half() {
        for detail in [
            json!({"requestParameters": {"vpcId": "vpc-0a1b2c3d"},
                   "responseElements": {"subnet": {"subnetId": "subnet-0a1b2c3d"}}}),
            json!({"responseElements": {"subnet": {"subnetId": "subnet-0a1b2c3d", "vpcId": "vpc-0a1b2c3d"}}}),
            json!({"responseElements": {"CreateSubnetResponse": {"subnet":
                   {"subnetId": "subnet-0a1b2c3d", "vpcId": "vpc-0a1b2c3d"}}}}),
        ] {
            let mut detail = detail;
            detail["eventName"] = json!("CreateSubnet");
            let placed = ("subnet-0a1b2c3d".to_owned(), Some("vpc-0a1b2c3d".to_owned()));
            assert_eq!(scope(&detail), subnets(placed), "{detail}");
        }
    }

    #[test]
    fn only_an_endpoint_that_is_known_to_be_of_another_type_touches_nothing() {
        let vpc_only = vpc("vpc-0a1b2c3d".into());
        for (requested, answered, expected) in [
            (json!(null), json!(null), vpc_only.clone()),
            (json!("Gateway"), json!(null), vpc_only.clone()),
            (json!(null), json!("gateway"), vpc_only.clone()),
            (json!("Interface"), json!("Gateway"), vpc_only),
            (json!("Interface"), json!(null), Scope::default()),
            (json!(null), json!("GatewayLoadBalancer"), Scope::default()),
        ] {
            let detail = json!({
                "eventName": "CreateVpcEndpoint",
                "requestParameters": {"CreateVpcEndpointRequest":
                    {"VpcId": "vpc-0a1b2c3d", "VpcEndpointType": requested}},
                "responseElements": {"CreateVpcEndpointResponse": {"vpcEndpoint": {"vpcEndpointType": answered}}},
            });
            assert_eq!(scope(&detail), expected, "{detail}");
        }
    }

    #[test]
    fn who_called_is_told_by_the_best_name_there_is() {
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
            trigger(json!({"invokedBy": "cloudformation.amazonaws.com"}), "203.0.113.10"),
            (None, text("cloudformation.amazonaws.com"))
        );
        assert_eq!(trigger(json!(null), "ram.amazonaws.com"), (None, text("ram.amazonaws.com")));
    }

    #[test]
    fn only_the_exemption_tag_touches_what_is_tagged() {
        let ids = ["vpc-0a1b2c3d", "i-0a1b2c3d", "subnet-0a1b2c3d", "rtb-0a1b2c3d", "rtb-0a1b2c3e"];
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
    fn the_exemption_tag_on_anything_else_touches_nothing() {
        let tags = json!({"items": [{"key": "gatewatch:exempt"}]});
        let resources = json!({"items": [{"resourceId": "i-0a1b2c3d"}, {"resourceId": "igw-0a1b2c3d"}]});
        let detail =
            json!({"eventName": "CreateTags", "requestParameters": {"resourcesSet": resources, "tagSet": tags}});
        assert_eq!(scope(&detail), Scope::default());
    }

    #[test]
    fn a_gateway_an_endpoint_type_or_a_resource_of_the_wrong_type_is_not_believed() {
        let request =
            |name: &str, parameters: Value| scope(&json!({"eventName": name, "requestParameters": parameters}));
        let associated = |gateway| json!({"routeTableId": "rtb-0a1b2c3d", "gatewayId": gateway});
        let tagged = |id| json!({"resourcesSet": {"items": [{"resourceId": "i-0a1b2c3d"}, {"resourceId": id}]}});
        let doubled = json!("subnet-0a1b2c3dsubnet-0a1b2c3d");
        let misspelled = json!("rtb-i-0a1b2c3d4e5f60001");
        for odd in [json!(7), json!("no-id"), json!("rtb-"), doubled, misspelled, json!({"items": [0.5]})] {
            let table = route_tables(("rtb-0a1b2c3d".into(), None));
            assert_eq!(request("AssociateRouteTable", associated(odd.clone())), table, "{odd}");
            assert_eq!(request("DeleteTags", tagged(odd.clone())), Scope::region(), "{odd}");
        }
        for gateway in ["igw-0a1b2c3d", "vgw-0a1b2c3d"] {
            assert_eq!(request("AssociateRouteTable", associated(json!(gateway))), Scope::default(), "{gateway}");
        }
        let made = json!({"vpcId": "vpc-0a1b2c3d", "vpcEndpointType": 7});
        assert_eq!(request("CreateVpcEndpoint", made), vpc("vpc-0a1b2c3d".into()));
    }
}
