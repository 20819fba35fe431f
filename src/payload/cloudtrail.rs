//! EC2 API calls, as `CloudTrail` records them and EventBridge delivers them
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
//! | `DeleteVpcEndpoints`, `DisassociateRouteTable` | the Region: the record does not say which table lost its route |
//! | a call that failed or only read, any other call | nothing |
//!
//! A missing id is not an error but a wider scope: the Region.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Record, Trigger,
    lookup::{text_at, texts_at},
    time_of,
};
use crate::{
    error::Error,
    ids::{self, is_id},
    scope::Scope,
};

/// Reads the envelope of one call.
pub(super) fn read(envelope: &Value) -> Result<Record, Error> {
    let event_name = text_at(envelope, &["detail", "eventName"])
        .ok_or_else(|| Error::UnsupportedEvent("an EC2 API call via CloudTrail without detail.eventName".to_owned()))?;
    let call = Call { detail: envelope.get("detail").unwrap_or(&Value::Null), event_name: &event_name };
    Ok(Record { scope: call.scope(), trigger: call.trigger(), time: time_of(envelope), publish: true })
}

/// One record of `CloudTrail`.
struct Call<'a> {
    detail: &'a Value,
    event_name: &'a str,
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
            "CreateVpcEndpoint" => self
                .answered(ids::VPC, &["vpcEndpoint", "vpcId"])
                .or_else(|| self.requested(ids::VPC, "vpcId"))
                .map(vpc),
            "ModifyVpcEndpoint" => self
                .requested(ids::ENDPOINT, "vpcEndpointId")
                .map(|id| Scope { endpoint_ids: BTreeSet::from([id]), ..Scope::default() }),
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

    /// A table's association: with a gateway it carries ingress traffic, which nobody pays a NAT gateway for.
    fn associated(&self) -> Option<Scope> {
        if !self.at("requestParameters", "Request", &["gatewayId"]).is_empty() {
            return Some(Scope::default());
        }
        let mut scope = self.requested(ids::ROUTE_TABLE, "routeTableId").map(|id| route_tables((id, None)))?;
        if let Some(subnet) = self.requested(ids::SUBNET, "subnetId") {
            scope.merge(&subnets((subnet, None)));
        }
        Some(scope)
    }

    /// Whether the endpoint is of type Gateway, which is what EC2 makes when a request names no type
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html>).
    fn is_of_gateway_endpoint(&self) -> bool {
        let answered = self.at("responseElements", "Response", &["vpcEndpoint", "vpcEndpointType"]);
        let requested = self.at("requestParameters", "Request", &["vpcEndpointType"]);
        answered.iter().chain(&requested).next().is_none_or(|kind| kind.eq_ignore_ascii_case("gateway"))
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

fn subnets(placed: (String, Option<String>)) -> Scope {
    Scope { subnets: BTreeMap::from([placed]), ..Scope::default() }
}

fn route_tables(placed: (String, Option<String>)) -> Scope {
    Scope { route_tables: BTreeMap::from([placed]), ..Scope::default() }
}
