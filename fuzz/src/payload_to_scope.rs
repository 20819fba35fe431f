//! Checks how gatewatch reads bytes as a payload, finds its scope, and finds the route tables of the scope.

use std::{collections::BTreeSet, sync::LazyLock};

use gatewatch::{
    events::{
        cloudtrail::{API_GATEWAY_CALLS, ec2_calls},
        payload::Payload,
        record::Record,
        scope::Scope,
    },
    messages::json,
    network::{
        account::AccountRegion,
        ids::{self, is_id},
        model::{Association, Endpoint, EndpointKind, Network, RouteTable, Subnet, Vpc},
    },
};
use serde_json::Value;

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-west-1";
const EXEMPT_TAG: &str = "gatewatch:exempt";

/// Checks a payload, given as bytes. Bytes that are not JSON never reach gatewatch, because the runtime refuses them.
pub fn check(bytes: &[u8]) {
    if let Ok(payload) = serde_json::from_slice(bytes) {
        check_value(&payload);
    }
}

/// Checks a payload twice: with a function that knows its account, and with one that does not.
pub fn check_value(payload: &Value) {
    let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:gatewatch");
    for arn in [function.as_str(), "function-arn"] {
        let account_region = AccountRegion::new(arn, REGION);
        match Payload::read(payload, &account_region, EXEMPT_TAG) {
            Ok(read) => check_read(payload, &read, &account_region),
            Err(error) => assert_eq!(error.error_type(), "UnsupportedEvent", "{error}"),
        }
    }
}

fn check_read(payload: &Value, read: &Payload, account_region: &AccountRegion) {
    check_scope(read, account_region);
    match read {
        Payload::Direct(record) => check_record(payload, record),
        Payload::Batch(messages) => {
            let sent = payload["Records"].as_array().map_or(&[][..], Vec::as_slice);
            assert_eq!(messages.len(), sent.len(), "one message for each record");
            for (message, sent) in messages.iter().zip(sent) {
                assert!(!message.id.is_empty());
                let body = sent["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
                match (&message.record, body) {
                    (Err(error), _) => assert_eq!(error.error_type(), "UnsupportedEvent", "{error}"),
                    (Ok(record), body) => {
                        let body = body.unwrap_or_default();
                        check_record(&body, record);
                        let alone = Payload::read(&body, account_region, EXEMPT_TAG);
                        let is_same = alone == Ok(Payload::Direct(Box::new(record.clone())));
                        assert!(
                            is_same || body.get("Records").is_some(),
                            "differs from the same payload sent alone: {body}"
                        );
                    }
                }
            }
        }
    }
}

fn check_record(payload: &Value, record: &Record) {
    assert!(serde_json::to_string(&json::notification::Trigger::from(&record.trigger)).is_ok());
    assert!(!record.scope.is_empty() || !must_be_checked(payload), "dropped: {payload}");
}

fn check_scope(read: &Payload, account_region: &AccountRegion) {
    let scope = read.scope();
    let known_vpcs = scope.subnets.values().chain(scope.route_tables.values()).chain(scope.endpoints.values());
    let mut vpcs = known_vpcs.flatten().chain(&scope.vpc_ids);
    assert!(vpcs.all(|id| is_id(ids::VPC, id)), "{scope:?}");
    assert!(scope.subnets.keys().all(|id| is_id(ids::SUBNET, id)), "{scope:?}");
    assert!(scope.route_tables.keys().all(|id| is_id(ids::ROUTE_TABLE, id)), "{scope:?}");
    assert!(scope.endpoints.keys().all(|id| is_id(ids::ENDPOINT, id)), "{scope:?}");
    assert!(scope.security_groups.iter().all(|id| is_id(ids::SECURITY_GROUP, id)), "{scope:?}");
    let can_be_deleted =
        |id: &String| [ids::VPC, ids::SUBNET, ids::ROUTE_TABLE, ids::ENDPOINT].iter().any(|kind| is_id(kind, id));
    assert!(scope.deleted.iter().all(can_be_deleted), "{scope:?}");
    assert!(serde_json::to_string(&json::answer::Scope::from(&scope)).is_ok());

    let recent = read.recent_scope(jiff::Timestamp::UNIX_EPOCH);
    let mut both = scope.clone();
    both.merge(&recent);
    assert_eq!(both.region, scope.region);
    assert_eq!(named(&both), named(&scope), "the recent scope is part of the scope");

    check_endpoint_vpcs(&scope);
    let tables_in_scope = scope.tables_in(&NETWORK, account_region);
    let checked: BTreeSet<&str> = tables_in_scope.route_table_ids.iter().map(String::as_str).collect();
    let checkable = BTreeSet::from([MAIN, PRIVATE, OTHER]);
    assert!(checked.is_subset(&checkable), "{checked:?}");
    assert!(!scope.region || checked == checkable, "the Region includes every table: {checked:?}");
    assert!(tables_in_scope.not_found.iter().all(|id| named(&scope).contains(&id.as_str())));
    for id in scope.route_tables.keys() {
        let exists = checkable.contains(id.as_str()) || id == EDGE;
        assert!(exists != tables_in_scope.not_found.contains(id), "{id} either exists or is not found");
        assert!(id == EDGE || !exists || checked.contains(id.as_str()), "{id} is checked");
    }
}

/// Checks the VPCs whose endpoints are checked, for the scopes about which the contract leaves no doubt.
fn check_endpoint_vpcs(scope: &Scope) {
    let vpcs = scope.endpoint_vpcs_in(&NETWORK);
    assert!(vpcs.iter().all(|id| is_id(ids::VPC, id)), "{vpcs:?}");
    assert!(vpcs.is_superset(&scope.vpc_ids), "{vpcs:?}");
    assert!(!scope.region || NETWORK.vpcs.iter().all(|vpc| vpcs.contains(&vpc.id)), "{vpcs:?}");
    for endpoint in &NETWORK.endpoints {
        let is_named = scope.endpoints.contains_key(&endpoint.id)
            || endpoint.security_group_ids.iter().any(|id| scope.security_groups.contains(id));
        assert!(!is_named || vpcs.contains(&endpoint.vpc_id), "{vpcs:?}");
    }
    let has_nothing_with_endpoints = !scope.region
        && scope.vpc_ids.is_empty()
        && scope.subnets.is_empty()
        && scope.endpoints.is_empty()
        && scope.security_groups.is_empty();
    assert!(!has_nothing_with_endpoints || vpcs.is_empty(), "{vpcs:?}");
}

fn named(scope: &Scope) -> BTreeSet<&str> {
    let resources = scope.subnets.keys().chain(scope.route_tables.keys());
    let ids = resources.chain(&scope.vpc_ids).chain(scope.endpoints.keys());
    let ids = ids.chain(&scope.security_groups).chain(&scope.deleted);
    ids.map(String::as_str).collect()
}

/// Whether the payload is certainly a change with a scope that is not empty, by the contract. `false` for an ambiguous
/// record, such as one with two spellings of a key.
#[must_use]
pub fn must_be_checked(payload: &Value) -> bool {
    let Some(detail) = only(payload, "detail") else { return false };
    match (payload["source"].as_str(), payload["detail-type"].as_str()) {
        (Some("aws.ec2"), Some("AWS API Call via CloudTrail")) => must_call_be_checked(detail, &ec2_calls()),
        (Some("aws.apigateway"), Some("AWS API Call via CloudTrail")) => {
            must_call_be_checked(detail, &API_GATEWAY_CALLS)
        }
        (Some("aws.config"), Some("Config Configuration Item Change")) => {
            let item = only(detail, "configurationItem");
            item.or_else(|| only(detail, "configurationItemSummary")).is_some_and(must_item_be_checked)
        }
        _ => false,
    }
}

fn must_call_be_checked(detail: &Value, calls: &[&str]) -> bool {
    let Some(name) = only(detail, "eventName").and_then(Value::as_str).filter(|name| calls.contains(name)) else {
        return false;
    };
    let succeeded = matches!(detail.get("errorCode"), None | Some(Value::Null)) || detail["errorCode"] == "";
    let is_write = !matches!(detail.get("readOnly"), Some(Value::Bool(true) | Value::String(_)));
    // Each field counts anywhere in the record, because the keys above it can have other spellings.
    let may_be_empty = match name {
        "AssociateRouteTable" | "ReplaceRouteTableAssociation" => {
            texts_below(detail, "gatewayId", false).iter().any(|id| is_id("igw-", id) || is_id("vgw-", id))
        }
        "ModifyVpcAttribute" => has_key_below(detail, "enableNetworkAddressUsageMetrics"),
        // Only the plainest form is certain: an unreadable member may be another tag or another resource.
        "CreateTags" | "DeleteTags" => {
            let members = |set: &str| detail["requestParameters"][set]["items"].as_array().cloned().unwrap_or_default();
            let has_exempt_tag = members("tagSet").iter().any(|tag| tag["key"] == EXEMPT_TAG);
            !has_exempt_tag
                || members("resourcesSet")
                    .iter()
                    .filter_map(|one| one["resourceId"].as_str())
                    .all(|id| id.is_empty() || is_of_other_kind(id))
        }
        // The tags of other resources, and other tags, concern no REST API.
        "TagResource" | "UntagResource" => true,
        _ => false,
    };
    succeeded && is_write && !may_be_empty
}

fn must_item_be_checked(item: &Value) -> bool {
    let kind = only(item, "resourceType").and_then(Value::as_str).unwrap_or_default();
    match kind {
        // A deleted resource is not checked, but its scope is not empty: its findings are resolved.
        "AWS::EC2::Subnet" | "AWS::EC2::RouteTable" | "AWS::EC2::VPC" | "AWS::EC2::VPCEndpoint" => true,
        // A deleted group concerns no endpoint. Two fields can say that it was deleted.
        "AWS::EC2::SecurityGroup" => {
            let texts = |field| texts_below(item, field, false);
            !texts("configurationItemStatus").iter().any(|status| status.starts_with("ResourceDeleted"))
                && !texts("changeType").contains(&"DELETE".to_owned())
        }
        _ => false,
    }
}

/// Whether this is the id of a resource that cannot have a useful exemption tag, such as `i-0a1b2c3d`.
fn is_of_other_kind(id: &str) -> bool {
    [ids::VPC, ids::SUBNET, ids::ROUTE_TABLE, ids::ENDPOINT].iter().all(|prefix| !id.starts_with(prefix))
        && id.rsplit_once('-').is_some_and(|(kind, _)| is_id(&id[..=kind.len()], id))
}

/// The field with this name, if the object has no other spelling of the name.
fn only<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let mut spelled = value.as_object()?.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    match (spelled.next(), spelled.next()) {
        (Some((key, value)), None) if key == name => Some(value),
        _ => None,
    }
}

/// All texts and numbers in the fields with this name, at any depth. `inside` is true within such a field.
fn texts_below(value: &Value, name: &str, inside: bool) -> Vec<String> {
    match value {
        Value::Array(members) => members.iter().flat_map(|member| texts_below(member, name, inside)).collect(),
        Value::Object(fields) => (fields.iter())
            .flat_map(|(key, field)| texts_below(field, name, inside || key.eq_ignore_ascii_case(name)))
            .collect(),
        Value::String(text) if inside && !text.is_empty() => vec![text.clone()],
        Value::Number(number) if inside => vec![number.to_string()],
        _ => Vec::new(),
    }
}

/// Whether a field has this name, at any depth.
fn has_key_below(value: &Value, name: &str) -> bool {
    match value {
        Value::Array(members) => members.iter().any(|member| has_key_below(member, name)),
        Value::Object(fields) => {
            fields.iter().any(|(key, field)| key.eq_ignore_ascii_case(name) || has_key_below(field, name))
        }
        _ => false,
    }
}

const MAIN: &str = "rtb-0a1b2c3d4e5f60001";
const PRIVATE: &str = "rtb-0a1b2c3d4e5f60004";
const OTHER: &str = "rtb-0a1b2c3d4e5f60005";
const EDGE: &str = "rtb-0a1b2c3d4e5f60006";

static NETWORK: LazyLock<Network> = LazyLock::new(network);

/// Two VPCs with the ids of `events/`. The first has a main, a private and an edge table. The second has a main table.
fn network() -> Network {
    let id = |prefix: &str, n: u8| format!("{prefix}0a1b2c3d4e5f6{n:04}");
    let table = |id: &str, vpc_id: String, association: Association| RouteTable {
        id: id.to_owned(),
        vpc_id: vpc_id.into(),
        name: None,
        owner_id: None,
        exemption: None,
        associations: vec![association],
        routes: Vec::new(),
    };
    let main = || Association { main: true, ..Association::default() };
    let subnet =
        |n, in_vpc| Subnet { id: id(ids::SUBNET, n), vpc_id: id(ids::VPC, in_vpc).into(), ..Subnet::default() };
    let gateway = Endpoint {
        id: id(ids::ENDPOINT, 1),
        vpc_id: id(ids::VPC, 1),
        kind: EndpointKind::Gateway,
        service_name: format!("com.amazonaws.{REGION}.s3").into(),
        state: "available".into(),
        ..Endpoint::default()
    };
    let interface = Endpoint {
        id: id(ids::ENDPOINT, 2),
        kind: EndpointKind::Interface,
        security_group_ids: vec![id(ids::SECURITY_GROUP, 1)],
        ..gateway.clone()
    };
    Network {
        vpcs: [1, 2].map(|n| Vpc { id: id(ids::VPC, n), ..Vpc::default() }).into(),
        subnets: vec![subnet(3, 1), subnet(4, 1), subnet(5, 2), subnet(6, 3)],
        route_tables: vec![
            table(MAIN, id(ids::VPC, 1), main()),
            table(
                PRIVATE,
                id(ids::VPC, 1),
                Association { subnet_id: Some(id(ids::SUBNET, 3).into()), ..Association::default() },
            ),
            table(
                EDGE,
                id(ids::VPC, 1),
                Association { gateway_id: Some("igw-0a1b2c3d4e5f60001".into()), ..Association::default() },
            ),
            table(OTHER, id(ids::VPC, 2), main()),
        ],
        endpoints: vec![gateway, interface],
    }
}
