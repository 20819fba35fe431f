//! Configuration items of AWS Config, as EventBridge delivers them
//! (<https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html>).
//!
//! | item | touches |
//! |---|---|
//! | a subnet, route table or VPC | itself |
//! | a VPC endpoint | its VPC; one that is known to be of another type than Gateway nothing |
//! | a subnet, route table or VPC that was deleted | what the ledger knows of it; nothing in the network |
//! | a VPC endpoint that was deleted | its VPC, which may have lost routes |
//! | any other | nothing |
//!
//! An oversized item carries a summary and a place in S3; its id is enough, because the network is read live. A missing
//! id is not an error but a wider scope: the Region.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    envelope::{CONFIG_ITEMS, time_of},
    json_path::{text_at, texts_at},
    record::{Record, Trigger},
    scope::Scope,
};
use crate::{
    error::Error,
    network::ids::{self, is_id},
};

/// Reads the envelope of one item.
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
        publish: true,
    })
}

fn scope(item: &Value, resource_type: &str) -> Scope {
    let id = |prefix| text_at(item, &["resourceId"]).filter(|id| is_id(prefix, id));
    let vpc = |id| Scope { vpc_ids: BTreeSet::from([id]), ..Scope::default() };
    let deleted = |id| Scope { deleted: BTreeSet::from([id]), ..Scope::default() };
    let found = match resource_type {
        "AWS::EC2::Subnet" if is_deleted(item) => id(ids::SUBNET).map(deleted),
        "AWS::EC2::RouteTable" if is_deleted(item) => id(ids::ROUTE_TABLE).map(deleted),
        "AWS::EC2::VPC" if is_deleted(item) => id(ids::VPC).map(deleted),
        "AWS::EC2::Subnet" => {
            id(ids::SUBNET).map(|id| Scope { subnets: BTreeMap::from([(id, vpc_of(item))]), ..Scope::default() })
        }
        "AWS::EC2::RouteTable" => id(ids::ROUTE_TABLE)
            .map(|id| Scope { route_tables: BTreeMap::from([(id, vpc_of(item))]), ..Scope::default() }),
        "AWS::EC2::VPC" => id(ids::VPC).map(vpc),
        "AWS::EC2::VPCEndpoint" if is_of_another_type(item) => Some(Scope::default()),
        "AWS::EC2::VPCEndpoint" if is_deleted(item) => vpc_of(item).map(vpc),
        // Where the VPC is known it is checked whatever has become of the endpoint since. The endpoint is named as well,
        // so that a young one that EC2 does not show yet is waited for.
        "AWS::EC2::VPCEndpoint" => {
            let vpc_id = vpc_of(item);
            id(ids::ENDPOINT).map(|id| Scope {
                vpc_ids: vpc_id.iter().cloned().collect(),
                endpoints: BTreeMap::from([(id, vpc_id)]),
                ..Scope::default()
            })
        }
        _ => Some(Scope::default()),
    };
    found.unwrap_or_else(Scope::region)
}

/// `ResourceDeleted`, `ResourceDeletedNotRecorded`; summaries say `changeType` `DELETE` as well.
fn is_deleted(item: &Value) -> bool {
    text_at(item, &["configurationItemStatus"]).is_some_and(|status| status.starts_with("ResourceDeleted"))
        || text_at(item, &["changeType"]).is_some_and(|change| change == "DELETE")
}

fn is_of_another_type(item: &Value) -> bool {
    text_at(item, &["configuration", "vpcEndpointType"])
        .is_some_and(|kind| kind.bytes().all(|b| b.is_ascii_alphabetic()) && !kind.eq_ignore_ascii_case("gateway"))
}

/// The VPC of the resource: from its configuration, or, where that is gone with it, from its relationships.
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
        Scope { vpc_ids: [VPC.to_owned()].into(), ..Scope::default() }
    }

    #[test]
    fn an_item_touches_its_resource() {
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
                Scope::default(),
            ),
            (json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-0a1b2c3d"}), Scope::default()),
        ] {
            assert_eq!(scope_of(&item), expected, "{item}");
        }
    }

    #[test]
    fn what_was_deleted_is_over_and_an_endpoint_leaves_its_vpc_to_check() {
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
        }
    }

    #[test]
    fn a_missing_or_odd_id_is_the_region() {
        for kind in ["Subnet", "RouteTable", "VPC", "VPCEndpoint"] {
            for id in [json!(null), json!(7), json!("sg-0a1b2c3d"), json!({"a": 1}), json!("")] {
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
                publish: true
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
    fn an_endpoint_type_of_the_wrong_type_is_not_believed() {
        let item = json!({"resourceType": "AWS::EC2::VPCEndpoint", "configuration": {"vpcEndpointType": 7}});
        assert_eq!(scope_of(&item), Scope::region());
    }
}
