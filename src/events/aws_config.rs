//! Configuration items of AWS Config, as EventBridge delivers them
//! (<https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html>).
//!
//! | item | affected resources |
//! |---|---|
//! | a subnet, route table or VPC | the resource |
//! | a VPC endpoint | the endpoint; its VPC too, unless the item names another type than Gateway |
//! | a security group | the group |
//! | a deleted subnet, route table or VPC | the resource in the alert history; none in the network |
//! | a deleted VPC endpoint | its VPC, which may have lost routes |
//! | a deleted security group | none, because EC2 deletes no group that an endpoint uses |
//! | any other | none |
//!
//! An oversized item holds a summary and a location in S3. Its id is enough, because gatewatch reads the live network.
//! If an id is missing, the scope is the whole Region. This is not an error.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    envelope::{CONFIG_ITEMS, time_of},
    json_path::{text_at, texts_at},
    record::{AlertRequest, Record, Trigger},
    scope::Scope,
};
use crate::{
    error::Error,
    network::ids::{self, is_id},
};

/// Reads one item from its EventBridge envelope.
pub(super) fn read(envelope: &Value) -> Result<Record, Error> {
    let item = CONFIG_ITEMS
        .iter()
        .find_map(|name| envelope.get("detail")?.get(name).filter(|item| item.is_object()))
        .ok_or_else(|| {
        Error::UnsupportedEvent("an AWS Config notification without a configuration item".to_owned())
    })?;
    let resource_type = text_at(item, &["resourceType"])
        .ok_or_else(|| Error::UnsupportedEvent("a configuration item without a resourceType".to_owned()))?;
    Ok(Record {
        scope: scope(item, &resource_type),
        trigger: Trigger::ConfigItem,
        time: text_at(item, &["configurationItemCaptureTime"])
            .and_then(|time| time.parse().ok())
            .or_else(|| time_of(envelope)),
        alerts: AlertRequest::Changes,
    })
}

/// Finds the affected resources of an item. `None` if an id is missing; the whole Region is affected then.
type FindScope = fn(&Value) -> Option<Scope>;

/// The relevant resource types. The rule in `template.yaml` lets through only items of these types.
const RESOURCE_TYPES: [(&str, FindScope); 5] = [
    ("AWS::EC2::RouteTable", |item| {
        resource_or_deleted(item, ids::ROUTE_TABLE, |id| Scope {
            route_tables: BTreeMap::from([(id, vpc_of(item))]),
            ..Scope::default()
        })
    }),
    ("AWS::EC2::SecurityGroup", security_group),
    ("AWS::EC2::Subnet", |item| {
        resource_or_deleted(item, ids::SUBNET, |id| Scope {
            subnets: BTreeMap::from([(id, vpc_of(item))]),
            ..Scope::default()
        })
    }),
    ("AWS::EC2::VPC", |item| resource_or_deleted(item, ids::VPC, vpc)),
    ("AWS::EC2::VPCEndpoint", endpoint),
];

/// The names of the relevant resource types, sorted.
#[must_use]
pub fn resource_types() -> [&'static str; RESOURCE_TYPES.len()] {
    RESOURCE_TYPES.map(|(name, _)| name)
}

fn scope(item: &Value, resource_type: &str) -> Scope {
    match RESOURCE_TYPES.iter().find(|(name, _)| *name == resource_type) {
        Some((_, find_scope)) => find_scope(item).unwrap_or_else(Scope::region),
        None => Scope::default(),
    }
}

/// The scope of the item's resource. If the item says that it was deleted, the scope names it as deleted.
fn resource_or_deleted(item: &Value, prefix: &str, existing: impl FnOnce(String) -> Scope) -> Option<Scope> {
    let id = id_of(item, prefix)?;
    Some(if is_deleted(item) { Scope { deleted: BTreeSet::from([id]), ..Scope::default() } } else { existing(id) })
}

fn endpoint(item: &Value) -> Option<Scope> {
    let vpc_id = vpc_of(item);
    if is_deleted(item) {
        return vpc_id.map(vpc);
    }
    // A known VPC is checked even if the endpoint has changed since. The scope also names the endpoint: gatewatch waits
    // for a recent endpoint that EC2 does not return yet. Only a Gateway endpoint concerns the route tables of the VPC.
    Some(Scope {
        vpc_ids: vpc_id.iter().filter(|_| !is_of_another_type(item)).cloned().collect(),
        endpoints: BTreeMap::from([(id_of(item, ids::ENDPOINT)?, vpc_id)]),
        ..Scope::default()
    })
}

fn security_group(item: &Value) -> Option<Scope> {
    if is_deleted(item) {
        return Some(Scope::default());
    }
    let id = id_of(item, ids::SECURITY_GROUP)?;
    Some(Scope { security_groups: BTreeSet::from([id]), ..Scope::default() })
}

fn vpc(id: String) -> Scope {
    Scope { vpc_ids: BTreeSet::from([id]), ..Scope::default() }
}

fn id_of(item: &Value, prefix: &str) -> Option<String> {
    text_at(item, &["resourceId"]).filter(|id| is_id(prefix, id))
}

/// Whether the status is `ResourceDeleted` or `ResourceDeletedNotRecorded`. Summaries also have `changeType` `DELETE`.
fn is_deleted(item: &Value) -> bool {
    text_at(item, &["configurationItemStatus"]).is_some_and(|status| status.starts_with("ResourceDeleted"))
        || text_at(item, &["changeType"]).is_some_and(|change| change == "DELETE")
}

/// Whether the item names another endpoint type than Gateway. A type that is not a word is ignored.
fn is_of_another_type(item: &Value) -> bool {
    text_at(item, &["configuration", "vpcEndpointType"])
        .is_some_and(|kind| kind.bytes().all(|b| b.is_ascii_alphabetic()) && !kind.eq_ignore_ascii_case("gateway"))
}

/// The VPC of the resource, from its configuration. A deleted resource can have it only in its relationships.
fn vpc_of(item: &Value) -> Option<String> {
    let configured = texts_at(item, &["configuration", "vpcId"]);
    let related = texts_at(item, &["relationships", "resourceId"]);
    configured.into_iter().chain(related).find(|id| is_id(ids::VPC, id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VPC: &str = "vpc-0a1b2c3d";

    fn scope_of(item: &Value) -> Scope {
        read(&json!({"detail": {"configurationItem": item}})).unwrap().scope
    }

    fn vpc() -> Scope {
        super::vpc(VPC.to_owned())
    }

    #[test]
    fn an_item_affects_its_resource() {
        let in_vpc = json!({"vpcId": VPC});
        let related = json!([{"resourceType": "AWS::EC2::NetworkInterface", "resourceId": "eni-0a1b2c3d"},
            {"resourceType": "AWS::EC2::VPC", "resourceId": VPC, "name": "Is contained in Vpc"}]);
        let known = Some(VPC.to_owned());
        for (item, expected) in [
            (
                json!({"resourceType": "AWS::EC2::Subnet", "resourceId": "subnet-0a1b2c3d", "configuration": in_vpc}),
                Scope { subnets: [("subnet-0a1b2c3d".to_owned(), known.clone())].into(), ..Scope::default() },
            ),
            (
                json!({"resourceType": "AWS::EC2::Subnet", "resourceId": "subnet-0a1b2c3d"}),
                Scope { subnets: [("subnet-0a1b2c3d".to_owned(), None)].into(), ..Scope::default() },
            ),
            (
                json!({"resourceType": "AWS::EC2::RouteTable", "resourceId": "rtb-0a1b2c3d", "relationships": related}),
                Scope { route_tables: [("rtb-0a1b2c3d".to_owned(), known.clone())].into(), ..Scope::default() },
            ),
            (json!({"resourceType": "AWS::EC2::VPC", "resourceId": VPC}), vpc()),
            (
                json!({"resourceType": "AWS::EC2::VPCEndpoint", "resourceId": "vpce-0a1b2c3d",
                       "configuration": {"vpcId": VPC, "vpcEndpointType": "Gateway", "state": {"value": "available"}}}),
                Scope { endpoints: [("vpce-0a1b2c3d".to_owned(), known.clone())].into(), ..vpc() },
            ),
            (
                json!({"resourceType": "AWS::EC2::VPCEndpoint", "resourceId": "vpce-0a1b2c3d"}),
                Scope { endpoints: [("vpce-0a1b2c3d".to_owned(), None)].into(), ..Scope::default() },
            ),
            (
                json!({"resourceType": "AWS::EC2::VPCEndpoint", "resourceId": "vpce-0a1b2c3d",
                       "configuration": {"vpcId": VPC, "vpcEndpointType": "Interface"}}),
                Scope { endpoints: [("vpce-0a1b2c3d".to_owned(), known.clone())].into(), ..Scope::default() },
            ),
            (
                json!({"resourceType": "AWS::EC2::VPCEndpoint", "resourceId": "vpce-0a1b2c3d",
                       "configuration": {"vpcEndpointType": "Interface"}}),
                Scope { endpoints: [("vpce-0a1b2c3d".to_owned(), None)].into(), ..Scope::default() },
            ),
            (
                json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-0a1b2c3d"}),
                Scope { security_groups: ["sg-0a1b2c3d".to_owned()].into(), ..Scope::default() },
            ),
            (json!({"resourceType": "AWS::EC2::NetworkInterface", "resourceId": "eni-0a1b2c3d"}), Scope::default()),
        ] {
            assert_eq!(scope_of(&item), expected, "{item}");
        }
    }

    #[test]
    fn a_deletion_affects_the_resource_or_for_an_endpoint_its_vpc() {
        for status in [json!({"configurationItemStatus": "ResourceDeleted"}), json!({"changeType": "DELETE"})] {
            for (kind, id) in [("Subnet", "subnet-0a1b2c3d"), ("RouteTable", "rtb-0a1b2c3d"), ("VPC", VPC)] {
                let mut item = status.clone();
                item["resourceType"] = json!(format!("AWS::EC2::{kind}"));
                item["resourceId"] = json!(id);
                item["relationships"] = json!([{"resourceType": "AWS::EC2::VPC", "resourceId": VPC}]);
                let deleted = Scope { deleted: [id.to_owned()].into(), ..Scope::default() };
                assert_eq!(scope_of(&item), deleted, "{item}");
                item["resourceId"] = json!("eni-0a1b2c3d");
                assert_eq!(scope_of(&item), Scope::region(), "{item}");
            }
            let mut endpoint = status.clone();
            endpoint["resourceType"] = json!("AWS::EC2::VPCEndpoint");
            endpoint["resourceId"] = json!("vpce-0a1b2c3d");
            endpoint["configuration"] = json!(null);
            assert_eq!(scope_of(&endpoint), Scope::region(), "{endpoint}");
            endpoint["relationships"] = json!([{"resourceType": "AWS::EC2::VPC", "resourceId": VPC}]);
            assert_eq!(scope_of(&endpoint), vpc(), "{endpoint}");
            endpoint["configuration"] = json!({"vpcEndpointType": "Interface"});
            assert_eq!(scope_of(&endpoint), vpc(), "{endpoint}");
            let mut group = status.clone();
            group["resourceType"] = json!("AWS::EC2::SecurityGroup");
            for id in [json!("sg-0a1b2c3d"), json!(null)] {
                group["resourceId"] = id;
                assert_eq!(scope_of(&group), Scope::default(), "{group}");
            }
        }
    }

    #[test]
    fn a_missing_or_malformed_id_affects_the_region() {
        for kind in ["SecurityGroup", "Subnet", "RouteTable", "VPC", "VPCEndpoint"] {
            for id in [json!(null), json!(7), json!("eni-0a1b2c3d"), json!({"a": 1}), json!("")] {
                let item = json!({"resourceType": format!("AWS::EC2::{kind}"), "resourceId": id});
                assert_eq!(scope_of(&item), Scope::region(), "{item}");
            }
        }
    }

    #[test]
    fn the_summary_of_an_oversized_item_is_enough() {
        let envelope = json!({"detail": {"messageType": "OversizedConfigurationItemChangeNotification",
            "configurationItemSummary": {"resourceType": "AWS::EC2::VPC", "resourceId": VPC, "changeType": "UPDATE",
                "configurationItemCaptureTime": "2026-11-20T10:00:00.000Z"},
            "s3DeliverySummary": {"s3BucketLocation": "bucket/key"}}});
        assert_eq!(
            read(&envelope),
            Ok(Record {
                scope: vpc(),
                trigger: Trigger::ConfigItem,
                time: Some("2026-11-20T10:00:00Z".parse().unwrap()),
                alerts: AlertRequest::Changes
            })
        );
    }

    #[test]
    fn a_notification_without_an_item_is_refused() {
        for (envelope, why) in [
            (json!({}), "an AWS Config notification without a configuration item"),
            (json!({"detail": {"configurationItem": "x"}}), "an AWS Config notification without a configuration item"),
            (json!({"detail": {"configurationItem": {}}}), "a configuration item without a resourceType"),
        ] {
            assert_eq!(read(&envelope), Err(Error::UnsupportedEvent(why.into())), "{envelope}");
        }
    }

    #[test]
    fn an_endpoint_type_that_is_not_a_word_is_ignored() {
        let item = json!({"resourceType": "AWS::EC2::VPCEndpoint", "configuration": {"vpcEndpointType": 7}});
        assert_eq!(scope_of(&item), Scope::region());
    }
}
