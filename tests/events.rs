//! Every file in `events/` gives the scope that the contract says. The README shows the same files as examples.

use std::{collections::BTreeMap, fs, path::Path};

use gatewatch::{
    error::Error,
    events::{
        payload::Payload,
        record::{AlertRequest, Record, Trigger},
        scope::Scope,
    },
    messages::json::notification,
    network::account::AccountRegion,
};
use serde_json::{Value, json};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The resources that the payload of a file affects.
enum Affects {
    Nothing,
    Region,
    Vpc(u8),
    /// Subnet, and its VPC if the payload names it.
    Subnet(u8, Option<u8>),
    /// Route table, and its VPC if the payload names it.
    Table(u8, Option<u8>),
    TableAndSubnet(u8, u8),
    /// Endpoint, and its VPC if the payload names it.
    Endpoint(u8, Option<u8>),
    /// Endpoint, and its VPC, which is in the scope too.
    EndpointOfVpc(u8, u8),
    /// NAT gateway that is being deleted.
    NatGateway(u8),
    /// Security group whose rules changed.
    SecurityGroup(u8),
    /// Deleted resource: the prefix of its id, and its number.
    Deleted(&'static str, u8),
    /// Deleted endpoints, and the whole Region.
    RegionWithoutEndpoints(&'static [u8]),
    RestApis,
}

/// The files that hold one EventBridge event, and the resources that it affects.
const EVENTS: [(&str, Affects); 65] = [
    ("associate-route-table", Affects::TableAndSubnet(4, 3)),
    ("associate-route-table-edge", Affects::Table(6, None)),
    ("associate-subnet-cidr-block", Affects::Subnet(5, None)),
    ("associate-vpc-cidr-block", Affects::Vpc(2)),
    ("attach-internet-gateway", Affects::Vpc(1)),
    ("authorize-security-group-ingress", Affects::SecurityGroup(1)),
    ("authorize-security-group-ingress-by-name", Affects::SecurityGroup(1)),
    ("config-route-table", Affects::Table(3, Some(1))),
    ("config-route-table-oversized", Affects::Table(4, None)),
    ("config-security-group", Affects::SecurityGroup(1)),
    ("config-subnet", Affects::Subnet(3, Some(1))),
    ("config-subnet-deleted", Affects::Deleted("subnet", 9)),
    ("config-vpc", Affects::Vpc(2)),
    ("config-vpc-endpoint", Affects::EndpointOfVpc(1, 1)),
    ("config-vpc-endpoint-deleted", Affects::Vpc(1)),
    ("config-vpc-endpoint-interface", Affects::Endpoint(2, Some(1))),
    ("create-default-subnet", Affects::Subnet(1, Some(1))),
    ("create-default-subnet-flat", Affects::Subnet(1, Some(1))),
    ("create-default-vpc", Affects::Vpc(2)),
    ("create-default-vpc-flat", Affects::Vpc(2)),
    ("create-rest-api", Affects::RestApis),
    ("create-route", Affects::Table(4, None)),
    ("create-route-dry-run", Affects::Nothing),
    ("create-route-table", Affects::Table(4, Some(1))),
    ("create-security-group", Affects::Nothing),
    ("create-subnet", Affects::Subnet(3, Some(1))),
    ("create-subnet-by-cloudformation", Affects::Subnet(4, Some(1))),
    ("create-subnet-covered", Affects::Subnet(5, Some(2))),
    ("create-subnet-failed", Affects::Nothing),
    ("create-subnet-ids-missing", Affects::Region),
    ("create-tags", Affects::Table(4, None)),
    ("create-tags-endpoint", Affects::Endpoint(2, None)),
    ("create-tags-other", Affects::Nothing),
    ("create-vpc", Affects::Vpc(1)),
    ("create-vpc-endpoint-gateway", Affects::EndpointOfVpc(1, 1)),
    ("create-vpc-endpoint-gateway-two-tables", Affects::EndpointOfVpc(1, 1)),
    ("create-vpc-endpoint-interface", Affects::Endpoint(2, Some(1))),
    ("delete-nat-gateway", Affects::NatGateway(1)),
    ("delete-rest-api", Affects::RestApis),
    ("delete-route", Affects::Table(1, None)),
    ("delete-route-table", Affects::Deleted("rtb", 9)),
    ("delete-subnet", Affects::Deleted("subnet", 9)),
    ("delete-tags", Affects::Subnet(4, None)),
    ("delete-vpc", Affects::Deleted("vpc", 9)),
    ("delete-vpc-endpoints", Affects::RegionWithoutEndpoints(&[8, 9])),
    ("describe-subnets", Affects::Nothing),
    ("detach-internet-gateway", Affects::Vpc(1)),
    ("disassociate-route-table", Affects::Region),
    ("disassociate-subnet-cidr-block", Affects::Subnet(5, None)),
    ("disassociate-vpc-cidr-block", Affects::Vpc(2)),
    ("import-rest-api", Affects::RestApis),
    ("modify-security-group-rules", Affects::SecurityGroup(1)),
    ("modify-vpc-attribute", Affects::Vpc(2)),
    ("modify-vpc-attribute-metrics", Affects::Nothing),
    ("modify-vpc-endpoint-gateway", Affects::Endpoint(1, None)),
    ("modify-vpc-endpoint-interface", Affects::Endpoint(2, None)),
    ("put-rest-api", Affects::RestApis),
    ("replace-route", Affects::Table(3, None)),
    ("replace-route-table-association", Affects::Table(4, None)),
    ("revoke-security-group-ingress", Affects::SecurityGroup(1)),
    ("schedule", Affects::Region),
    ("tag-rest-api", Affects::RestApis),
    ("tag-rest-api-stage", Affects::Nothing),
    ("untag-rest-api", Affects::RestApis),
    ("update-rest-api", Affects::RestApis),
];

/// The other files. Separate tests read them.
const OTHERS: [&str; 10] = [
    "create-subnet-other-region",
    "manual-not-found",
    "manual-quiet",
    "manual-region",
    "manual-subnets-and-tables",
    "manual-vpc",
    "sqs-batch",
    "sqs-batch-one-bad",
    "sqs-batch-schedule-and-manual",
    "unsupported",
];

fn account_region() -> AccountRegion {
    AccountRegion::new("arn:aws:lambda:eu-west-1:123456789012:function:gatewatch", "eu-west-1")
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/events"))
}

fn event(name: &str) -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(folder().join(name).with_extension("json"))?)?)
}

fn record(name: &str) -> Result<Record> {
    read(&event(name)?)
}

fn read(event: &Value) -> Result<Record> {
    match Payload::read(event, &account_region(), "gatewatch:exempt")? {
        Payload::Direct(record) => Ok(*record),
        Payload::Batch(_) => Err("a batch".into()),
    }
}

fn id(prefix: &str, n: u8) -> String {
    format!("{prefix}-0a1b2c3d4e5f6{n:04}")
}

fn scope(affects: &Affects) -> Scope {
    let vpc = |vpc: Option<u8>| vpc.map(|n| id("vpc", n));
    let scope = Scope::default();
    match *affects {
        Affects::Nothing => scope,
        Affects::Region => Scope { region: true, ..scope },
        Affects::RegionWithoutEndpoints(deleted) => {
            Scope { region: true, deleted: deleted.iter().map(|n| id("vpce", *n)).collect(), ..scope }
        }
        Affects::RestApis => Scope { rest_apis: true, ..scope },
        Affects::Vpc(n) => Scope { vpc_ids: [id("vpc", n)].into(), ..scope },
        Affects::Subnet(n, in_vpc) => Scope { subnets: [(id("subnet", n), vpc(in_vpc))].into(), ..scope },
        Affects::Table(n, in_vpc) => Scope { route_tables: [(id("rtb", n), vpc(in_vpc))].into(), ..scope },
        Affects::TableAndSubnet(table, subnet) => Scope {
            route_tables: [(id("rtb", table), None)].into(),
            subnets: [(id("subnet", subnet), None)].into(),
            ..scope
        },
        Affects::Endpoint(n, in_vpc) => Scope { endpoints: [(id("vpce", n), vpc(in_vpc))].into(), ..scope },
        Affects::NatGateway(n) => Scope { nat_gateways: [id("nat", n)].into(), ..scope },
        Affects::SecurityGroup(n) => Scope { security_groups: [id("sg", n)].into(), ..scope },
        Affects::Deleted(prefix, n) => Scope { deleted: [id(prefix, n)].into(), ..scope },
        Affects::EndpointOfVpc(n, in_vpc) => Scope {
            vpc_ids: [id("vpc", in_vpc)].into(),
            endpoints: [(id("vpce", n), vpc(Some(in_vpc)))].into(),
            ..scope
        },
    }
}

#[test]
fn every_file_is_in_one_of_the_tables() -> Result {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    files.sort();
    let mut known: Vec<&str> = EVENTS.iter().map(|(name, _)| *name).chain(OTHERS).collect();
    known.sort_unstable();
    assert_eq!(files, known);
    Ok(())
}

#[test]
fn every_event_has_the_scope_that_the_contract_says() -> Result {
    for (name, affects) in &EVENTS {
        assert_eq!(record(name)?.scope, scope(affects), "{name}");
    }
    Ok(())
}

/// What is left of an event if no check judges endpoints.
#[test]
fn a_call_that_concerns_only_endpoints_affects_nothing_without_a_check_of_endpoints() -> Result {
    let mut without_effect = Vec::new();
    for (name, affects) in &EVENTS {
        let narrow = Payload::read(&event(name)?, &account_region(), "gatewatch:exempt")?.for_tables_only().scope();
        if narrow.is_empty() && !scope(affects).is_empty() {
            without_effect.push(*name);
        } else {
            assert_eq!(narrow, scope(affects), "{name}");
        }
    }
    assert_eq!(
        without_effect,
        [
            "associate-subnet-cidr-block",
            "associate-vpc-cidr-block",
            "authorize-security-group-ingress",
            "authorize-security-group-ingress-by-name",
            "config-security-group",
            "config-vpc-endpoint-interface",
            "create-rest-api",
            "create-vpc-endpoint-interface",
            "delete-rest-api",
            "disassociate-subnet-cidr-block",
            "disassociate-vpc-cidr-block",
            "import-rest-api",
            "modify-security-group-rules",
            "modify-vpc-attribute",
            "put-rest-api",
            "revoke-security-group-ingress",
            "tag-rest-api",
            "untag-rest-api",
            "update-rest-api",
        ]
    );
    Ok(())
}

#[test]
fn a_message_names_the_caller_and_the_time_of_a_call() -> Result {
    let trigger =
        |name| -> Result<Value> { Ok(serde_json::to_value(notification::Trigger::from(&record(name)?.trigger))?) };
    assert_eq!(
        trigger("create-subnet")?,
        json!({
            "kind": "api_call",
            "eventName": "CreateSubnet",
            "eventId": event("create-subnet")?["detail"]["eventID"],
            "eventTime": "2026-11-20T09:14:02Z",
            "principal": "arn:aws:sts::123456789012:assumed-role/terraform-deploy/pipeline-4711",
            "invokedBy": null
        })
    );
    assert_eq!(trigger("create-subnet-by-cloudformation")?["invokedBy"], json!("cloudformation.amazonaws.com"));
    let mut by_a_person = event("create-subnet")?;
    by_a_person["detail"]["userIdentity"]["onBehalfOf"] = json!({
        "userId": "0a1b2c3d-0000-4000-8000-000000000009",
        "identityStoreArn": "arn:aws:identitystore::123456789012:identitystore/d-0a1b2c3d4e"
    });
    assert_eq!(
        serde_json::to_value(notification::Trigger::from(&read(&by_a_person)?.trigger))?["onBehalfOf"],
        by_a_person["detail"]["userIdentity"]["onBehalfOf"]
    );
    assert_eq!(trigger("config-subnet")?, json!({"kind": "config_item"}));
    assert_eq!(trigger("schedule")?, json!({"kind": "schedule"}));
    assert_eq!(trigger("manual-vpc")?, json!({"kind": "manual"}));
    assert_eq!(record("create-subnet")?.time, Some("2026-11-20T09:14:02Z".parse()?));
    Ok(())
}

#[test]
fn a_manual_request_has_the_scope_that_it_names() -> Result {
    let manual = |scope, alerts| Record { scope, trigger: Trigger::Manual, time: None, alerts };
    assert_eq!(record("manual-region")?, manual(scope(&Affects::Region), AlertRequest::Changes));
    assert_eq!(record("manual-vpc")?, manual(scope(&Affects::Vpc(1)), AlertRequest::Changes));
    assert_eq!(record("manual-quiet")?, manual(scope(&Affects::Vpc(1)), AlertRequest::None));
    assert_eq!(
        record("manual-not-found")?.scope.subnets,
        BTreeMap::from([("subnet-0a1b2c3d4e5f6ffff".to_owned(), None)])
    );
    let mut several = scope(&Affects::TableAndSubnet(3, 4));
    several.merge(&scope(&Affects::Subnet(5, None)));
    assert_eq!(record("manual-subnets-and-tables")?, manual(several, AlertRequest::Changes));
    Ok(())
}

#[test]
fn a_batch_has_one_record_per_message() -> Result {
    let messages = |name| -> Result<Vec<std::result::Result<Record, Error>>> {
        match Payload::read(&event(name)?, &account_region(), "gatewatch:exempt")? {
            Payload::Batch(messages) => Ok(messages.into_iter().map(|message| message.record).collect()),
            Payload::Direct(_) => Err(format!("{name} is not a batch").into()),
        }
    };
    let records = |names: &[&str]| -> Result<Vec<std::result::Result<Record, Error>>> {
        names.iter().map(|name| Ok(Ok(record(name)?))).collect()
    };
    assert_eq!(messages("sqs-batch")?, records(&["create-subnet", "associate-route-table", "create-route"])?);
    assert_eq!(messages("sqs-batch-schedule-and-manual")?, records(&["schedule", "manual-vpc"])?);
    let one_bad = messages("sqs-batch-one-bad")?;
    assert_eq!(one_bad[..1], records(&["replace-route"])?);
    let [_, Err(bad)] = one_bad.as_slice() else { return Err("two messages, the second one bad".into()) };
    assert!(bad.to_string().starts_with("the body is not JSON"), "{bad}");
    Ok(())
}

#[test]
fn an_event_of_another_region_or_of_an_unknown_kind_is_refused() -> Result {
    let refused = |name| -> Result<String> {
        match Payload::read(&event(name)?, &account_region(), "gatewatch:exempt") {
            Err(Error::UnsupportedEvent(why)) => Ok(why),
            other => Err(format!("{name}: {other:?}").into()),
        }
    };
    assert_eq!(
        refused("create-subnet-other-region")?,
        "the record is of Region \"us-east-1\", and this function watches eu-west-1"
    );
    assert_eq!(
        refused("unsupported")?,
        "unknown payload: source \"aws.s3\", detail-type \"Object Created\"; known are API calls to EC2 and API Gateway via CloudTrail, \
         AWS Config items, scheduled events, SQS batches of these, and an object with \"check\""
    );
    Ok(())
}
