//! Every file in `events/`, from payload to scope: they are the README's examples and these tests' input.

use std::{collections::BTreeMap, fs, path::Path};

use gatewatch::{
    error::Error,
    events::{
        payload::Payload,
        record::{Record, Trigger},
        scope::Scope,
    },
    messages::json::notification,
    network::account::AccountRegion,
};
use serde_json::{Value, json};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What a file's payload touches.
enum Touches {
    Nothing,
    Region,
    Vpc(u8),
    /// Subnet, and its VPC where the payload tells it.
    Subnet(u8, Option<u8>),
    /// Route table, and its VPC where the payload tells it.
    Table(u8, Option<u8>),
    TableAndSubnet(u8, u8),
    /// Endpoint, and its VPC where the payload tells it.
    Endpoint(u8, Option<u8>),
    EndpointOfVpc(u8, u8),
    /// What was deleted: its kind and number.
    Deleted(&'static str, u8),
}

/// The scope of every file that holds one event of EventBridge.
const CALLS: [(&str, Touches); 42] = [
    ("associate-route-table", Touches::TableAndSubnet(4, 3)),
    ("associate-route-table-edge", Touches::Nothing),
    ("config-route-table", Touches::Table(3, Some(1))),
    ("config-route-table-oversized", Touches::Table(4, None)),
    ("config-security-group", Touches::Nothing),
    ("config-subnet", Touches::Subnet(3, Some(1))),
    ("config-subnet-deleted", Touches::Deleted("subnet", 9)),
    ("config-vpc", Touches::Vpc(2)),
    ("config-vpc-endpoint", Touches::EndpointOfVpc(1, 1)),
    ("config-vpc-endpoint-deleted", Touches::Vpc(1)),
    ("create-default-subnet", Touches::Subnet(1, Some(1))),
    ("create-default-subnet-flat", Touches::Subnet(1, Some(1))),
    ("create-default-vpc", Touches::Vpc(2)),
    ("create-default-vpc-flat", Touches::Vpc(2)),
    ("create-route", Touches::Table(4, None)),
    ("create-route-dry-run", Touches::Nothing),
    ("create-route-table", Touches::Table(4, Some(1))),
    ("create-security-group", Touches::Nothing),
    ("create-subnet", Touches::Subnet(3, Some(1))),
    ("create-subnet-by-cloudformation", Touches::Subnet(4, Some(1))),
    ("create-subnet-covered", Touches::Subnet(5, Some(2))),
    ("create-subnet-failed", Touches::Nothing),
    ("create-subnet-ids-missing", Touches::Region),
    ("create-tags", Touches::Table(4, None)),
    ("create-tags-other", Touches::Nothing),
    ("create-vpc", Touches::Vpc(1)),
    ("create-vpc-endpoint-gateway", Touches::EndpointOfVpc(1, 1)),
    ("create-vpc-endpoint-gateway-two-tables", Touches::EndpointOfVpc(1, 1)),
    ("create-vpc-endpoint-interface", Touches::Nothing),
    ("delete-route", Touches::Table(1, None)),
    ("delete-route-table", Touches::Deleted("rtb", 9)),
    ("delete-subnet", Touches::Deleted("subnet", 9)),
    ("delete-tags", Touches::Subnet(4, None)),
    ("delete-vpc", Touches::Deleted("vpc", 9)),
    ("delete-vpc-endpoints", Touches::Region),
    ("describe-subnets", Touches::Nothing),
    ("disassociate-route-table", Touches::Region),
    ("modify-vpc-endpoint-gateway", Touches::Endpoint(1, None)),
    ("modify-vpc-endpoint-interface", Touches::Endpoint(2, None)),
    ("replace-route", Touches::Table(3, None)),
    ("replace-route-table-association", Touches::Table(4, None)),
    ("schedule", Touches::Region),
];

/// The files that hold something else. Each has its own test.
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
    match Payload::read(&event(name)?, &account_region(), "gatewatch:exempt")? {
        Payload::Direct(record) => Ok(*record),
        Payload::Batch(_) => Err(format!("{name} is a batch").into()),
    }
}

fn id(prefix: &str, n: u8) -> String {
    format!("{prefix}-0a1b2c3d4e5f6{n:04}")
}

fn scope(touches: &Touches) -> Scope {
    let vpc = |vpc: Option<u8>| vpc.map(|n| id("vpc", n));
    let scope = Scope::default();
    match *touches {
        Touches::Nothing => scope,
        Touches::Region => Scope { region: true, ..scope },
        Touches::Vpc(n) => Scope { vpc_ids: [id("vpc", n)].into(), ..scope },
        Touches::Subnet(n, in_vpc) => Scope { subnets: [(id("subnet", n), vpc(in_vpc))].into(), ..scope },
        Touches::Table(n, in_vpc) => Scope { route_tables: [(id("rtb", n), vpc(in_vpc))].into(), ..scope },
        Touches::TableAndSubnet(table, subnet) => Scope {
            route_tables: [(id("rtb", table), None)].into(),
            subnets: [(id("subnet", subnet), None)].into(),
            ..scope
        },
        Touches::Endpoint(n, in_vpc) => Scope { endpoints: [(id("vpce", n), vpc(in_vpc))].into(), ..scope },
        Touches::Deleted(prefix, n) => Scope { deleted: [id(prefix, n)].into(), ..scope },
        Touches::EndpointOfVpc(n, in_vpc) => Scope {
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
    let mut known: Vec<&str> = CALLS.iter().map(|(name, _)| *name).chain(OTHERS).collect();
    known.sort_unstable();
    assert_eq!(files, known);
    Ok(())
}

#[test]
fn every_event_touches_what_the_contract_says() -> Result {
    for (name, touches) in &CALLS {
        assert_eq!(record(name)?.scope, scope(touches), "{name}");
    }
    Ok(())
}

#[test]
fn a_call_is_told_by_whom_and_when() -> Result {
    let told =
        |name| -> Result<Value> { Ok(serde_json::to_value(notification::Trigger::from(&record(name)?.trigger))?) };
    assert_eq!(
        told("create-subnet")?,
        json!({
            "kind": "api_call",
            "eventName": "CreateSubnet",
            "eventId": event("create-subnet")?["detail"]["eventID"],
            "eventTime": "2026-11-20T09:14:02Z",
            "principal": "arn:aws:sts::123456789012:assumed-role/terraform-deploy/pipeline-4711",
            "invokedBy": null
        })
    );
    assert_eq!(told("create-subnet-by-cloudformation")?["invokedBy"], json!("cloudformation.amazonaws.com"));
    assert_eq!(told("config-subnet")?, json!({"kind": "config_item"}));
    assert_eq!(told("schedule")?, json!({"kind": "schedule"}));
    assert_eq!(told("manual-vpc")?, json!({"kind": "manual"}));
    assert_eq!(record("create-subnet")?.time, Some("2026-11-20T09:14:02Z".parse()?));
    Ok(())
}

#[test]
fn manual_requests_are_taken_at_their_word() -> Result {
    let manual = |scope, publish| Record { scope, trigger: Trigger::Manual, time: None, publish };
    assert_eq!(record("manual-region")?, manual(scope(&Touches::Region), true));
    assert_eq!(record("manual-vpc")?, manual(scope(&Touches::Vpc(1)), true));
    assert_eq!(record("manual-quiet")?, manual(scope(&Touches::Vpc(1)), false));
    assert_eq!(
        record("manual-not-found")?.scope.subnets,
        BTreeMap::from([("subnet-0a1b2c3d4e5f6ffff".to_owned(), None)])
    );
    let mut several = scope(&Touches::TableAndSubnet(3, 4));
    several.merge(&scope(&Touches::Subnet(5, None)));
    assert_eq!(record("manual-subnets-and-tables")?, manual(several, true));
    Ok(())
}

#[test]
fn a_batch_is_its_messages() -> Result {
    let messages = |name| -> Result<Vec<std::result::Result<Record, Error>>> {
        match Payload::read(&event(name)?, &account_region(), "gatewatch:exempt")? {
            Payload::Batch(messages) => Ok(messages.into_iter().map(|message| message.record).collect()),
            Payload::Direct(_) => Err(format!("{name} is no batch").into()),
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
fn what_is_not_for_gatewatch_is_refused() -> Result {
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
        "unknown payload: source \"aws.s3\", detail-type \"Object Created\"; known are EC2 API calls via CloudTrail, \
         AWS Config items, scheduled events, SQS batches of these, and an object with \"check\""
    );
    Ok(())
}
