//! A hub: which accounts and Regions it reads, as whom, and what happens if one of them cannot be read.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    schemas::assert_enrollment,
    support::{
        dynamodb::DynamoDb,
        lambda::{Invocation, Outcome, invoke, invoke_after, report},
        organization::{EventBus, Fault, Organization},
        sns::Sns,
    },
};

const OWN: &str = "123456789012";
const A: &str = "111122223333";
const B: &str = "222233334444";
const C: &str = "333344445555";
const DENIED: Fault = Fault::Sts(403, "AccessDenied");

/// The servers that a hub calls.
struct Servers {
    organization: Organization,
    dynamodb: DynamoDb,
    sns: Sns,
}

impl Servers {
    async fn with(faults: impl IntoIterator<Item = (&'static str, Fault)>) -> Self {
        Self {
            organization: Organization::with(faults).await,
            dynamodb: DynamoDb::holding(vec![]).await,
            sns: Sns::accepting_all().await,
        }
    }

    fn variables(&self) -> BTreeMap<&'static str, String> {
        let mut variables: BTreeMap<&str, String> = [
            ("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:gatewatch"),
            ("LEDGER_TABLE", "gatewatch-ledger"),
            ("CHECKS", "gateway-route"),
            ("REQUIRED_SERVICES", "s3"),
            ("MEMBER_ROLE", "gatewatch-read"),
            ("REGIONS", "eu-west-1,us-east-1"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into();
        variables.extend(self.organization.variables());
        variables.insert("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.url());
        variables.insert("AWS_ENDPOINT_URL_SNS", self.sns.url());
        variables
    }

    async fn invoke(&self, event: &Value) -> Outcome {
        self.invoke_with(&[], event).await
    }

    async fn invoke_with(&self, more: &[(&'static str, &str)], event: &Value) -> Outcome {
        let mut variables = self.variables();
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        invoke(&variables, event, Duration::from_mins(1)).await.outcome
    }

    /// The changes of markers: the sort key of each row, and the values that it got.
    async fn marked(&self) -> Vec<(String, Value)> {
        let calls = self.dynamodb.calls().await.into_iter();
        let updates =
            calls.filter(|(operation, body)| operation == "UpdateItem" && body["Key"]["pk"] == json!({"S": "markers"}));
        let key = |body: &Value| body["Key"]["sk"]["S"].as_str().unwrap().to_owned();
        let mut marked: Vec<(String, Value)> =
            updates.map(|(_, body)| (key(&body), body["ExpressionAttributeValues"].clone())).collect();
        marked.sort_by(|(a, _), (b, _)| a.cmp(b));
        marked
    }

    /// The accounts and Regions that notifications are about.
    async fn notified(&self) -> Vec<(String, String)> {
        let text = |body: &Value, name: &str| body[name].as_str().unwrap().to_owned();
        let place = |form: &std::collections::HashMap<String, String>| {
            let body: Value = serde_json::from_str(&form["Message"]).unwrap();
            (text(&body, "account"), text(&body, "region"))
        };
        let mut notified: Vec<(String, String)> = self.sns.calls().await.iter().map(place).collect();
        notified.sort();
        notified
    }
}

fn sweep_of(account: &str, region: &str) -> Value {
    json!({"check": "region", "account": account, "region": region})
}

fn create_route(account: &str, region: &str) -> Value {
    json!({
        "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "account": account, "region": region,
        "detail": {
            "eventSource": "ec2.amazonaws.com", "eventName": "CreateRoute", "awsRegion": region,
            "recipientAccountId": account, "requestParameters": {"routeTableId": "rtb-0000000a"},
            "responseElements": {"_return": true}
        }
    })
}

fn batch(events: &[(&str, Value)]) -> Value {
    let message =
        |(id, event): &(&str, Value)| json!({"messageId": id, "eventSource": "aws:sqs", "body": event.to_string()});
    json!({"Records": events.iter().map(message).collect::<Vec<_>>()})
}

fn places(places: &[(&str, &str)]) -> Vec<(String, String)> {
    places.iter().map(|&(account, region)| (account.to_owned(), region.to_owned())).collect()
}

#[tokio::test]
async fn each_account_and_region_of_a_batch_is_read_with_its_own_session_and_fails_alone() {
    let servers = Servers::with([(B, Fault::Ec2("eu-west-1", 403, "UnauthorizedOperation")), (C, DENIED)]).await;
    let events = [
        ("a", create_route(A, "eu-west-1")),
        ("b", create_route(B, "eu-west-1")),
        ("c", create_route(C, "us-east-1")),
        ("d", create_route(A, "us-east-1")),
        ("e", create_route(B, "us-east-1")),
        ("f", create_route(OWN, "eu-west-1")),
        ("g", create_route(A, "ap-south-1")),
    ];
    let variables = servers.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let Invocation { outcome, log } = invoke(&variables, &batch(&events), Duration::from_mins(1)).await;
    for (id, account, why) in [("b", B, "Ec2ReadFailed"), ("g", OWN, "UnsupportedEvent")] {
        let is_logged = |line: &str| {
            line.contains(&format!("\"message_id\":\"\\\"{id}\\\"\"")) && line.contains(account) && line.contains(why)
        };
        assert!(log.lines().any(is_logged), "{id}: {log}");
    }
    assert_eq!(
        outcome,
        Outcome::Response(json!({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "g"}]}))
    );
    let told = [(A, "eu-west-1"), (A, "us-east-1"), (OWN, "eu-west-1"), (B, "us-east-1")];
    assert_eq!(servers.notified().await, places(&told));
    let mut read = places(&[told[0], told[1], (B, "eu-west-1"), told[3], ("test", "eu-west-1")]);
    read.sort();
    assert_eq!(servers.organization.accounts_read().await, read);
    let [(key, values)] = servers.marked().await.try_into().unwrap();
    assert_eq!((key.as_str(), &values[":reason"]), ("333344445555#us-east-1", &json!({"S": "access_denied"})));
}

/// A member can cause as many events as it likes. They name tables that exist and tables that do not.
#[tokio::test]
async fn a_flood_of_events_of_one_account_costs_what_one_event_costs_and_keeps_no_other_account_out() {
    // The first list says which VPC a table belongs to.
    const ONE_EVENT: [&str; 5] =
        ["DescribeRouteTables", "DescribeRouteTables", "DescribeSubnets", "DescribeVpcEndpoints", "DescribeVpcs"];
    let servers = Servers::with([]).await;
    let flood = (0..97).map(|n| {
        let mut event = create_route(A, "eu-west-1");
        event["detail"]["requestParameters"]["routeTableId"] = json!(format!("rtb-{n:08x}"));
        event
    });
    let others = [create_route(A, "us-east-1"), create_route(B, "eu-west-1"), create_route(OWN, "eu-west-1")];
    let ids: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let events: Vec<(&str, Value)> = ids.iter().map(String::as_str).zip(flood.chain(others)).collect();
    assert_eq!(events.len(), 100, "a whole batch");
    assert_eq!(servers.invoke(&batch(&events)).await, Outcome::Response(json!({"batchItemFailures": []})));
    let told = [(A, "eu-west-1"), (A, "us-east-1"), (OWN, "eu-west-1"), (B, "eu-west-1")];
    assert_eq!(servers.notified().await, places(&told));
    for (account, region) in [(A, "eu-west-1"), (A, "us-east-1"), ("test", "eu-west-1"), (B, "eu-west-1")] {
        assert_eq!(servers.organization.ec2_calls(account, region).await, ONE_EVENT, "{account} {region}");
    }
    assert!(servers.organization.sts_calls().await.len() <= 3, "at most one session for each account and Region");
}

#[tokio::test]
async fn an_account_that_is_not_checked_in_time_comes_back_alone() {
    for (fault, why) in [
        (Fault::Ec2Hangs("eu-west-1"), "the network was not read to its end before the invocation's deadline"),
        (Fault::StsHangs, "AssumeRole: not answered before the invocation's deadline"),
    ] {
        // Accounts are handled in order of their numbers, and this one is the first.
        let servers = Servers::with([(A, fault)]).await;
        let events = [
            ("slow", create_route(A, "eu-west-1")),
            ("b", create_route(B, "eu-west-1")),
            ("slow too", create_route(A, "eu-west-1")),
            ("own", create_route(OWN, "eu-west-1")),
        ];
        let variables = servers.variables();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (time_left, began_at) = (Duration::from_secs(6), Instant::now());
        let Invocation { outcome, log } = invoke(&variables, &batch(&events), time_left).await;
        assert!(began_at.elapsed() < time_left, "the answer came before the timeout of the function");
        let back = json!({"batchItemFailures": [{"itemIdentifier": "slow"}, {"itemIdentifier": "slow too"}]});
        assert_eq!(outcome, Outcome::Response(back), "{why}");
        assert_eq!(servers.notified().await, places(&[(OWN, "eu-west-1"), (B, "eu-west-1")]));
        assert_eq!(servers.marked().await, [], "a check that has not ended says nothing about the account");
        assert!(log.lines().any(|line| line.contains(A) && line.contains(why)), "{log}");
    }
}

#[tokio::test]
async fn a_session_is_used_for_all_regions_of_an_account_and_for_later_events() {
    let servers = Servers::with([]).await;
    let variables = servers.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let earlier = [sweep_of(A, "eu-west-1"), sweep_of(A, "us-east-1"), sweep_of(A, "eu-west-1")];
    let invocation = invoke_after(&variables, &earlier, &sweep_of(B, "eu-west-1"), Duration::from_mins(1)).await;
    assert_eq!(report(invocation)["account"], json!(B));
    let calls = servers.organization.sts_calls().await;
    let arns: Vec<&str> = calls.iter().map(|call| call["RoleArn"].as_str()).collect();
    assert_eq!(
        arns,
        ["arn:aws:iam::111122223333:role/gatewatch-read", "arn:aws:iam::222233334444:role/gatewatch-read"]
    );
    for call in &calls {
        assert_eq!((call["Action"].as_str(), call["RoleSessionName"].as_str()), ("AssumeRole", "gatewatch"));
        assert_eq!(call["SourceIdentity"], "gatewatch");
    }
}

#[tokio::test]
async fn the_own_account_is_read_with_the_own_credentials_in_every_region() {
    let servers = Servers::with([]).await;
    for region in ["eu-west-1", "us-east-1"] {
        let Outcome::Response(answer) = servers.invoke(&sweep_of(OWN, region)).await else { panic!() };
        assert_eq!((&answer["account"], &answer["region"]), (&json!(OWN), &json!(region)));
    }
    assert_eq!(servers.organization.accounts_read().await, places(&[("test", "eu-west-1"), ("test", "us-east-1")]));
    assert!(servers.organization.sts_calls().await.is_empty());
}

#[tokio::test]
async fn a_sweep_marks_the_account_and_region_as_checked() {
    let servers = Servers::with([]).await;
    let Outcome::Response(answer) = servers.invoke(&sweep_of(A, "us-east-1")).await else { panic!() };
    assert_eq!(answer["findings"].as_array().unwrap().len(), 1);
    assert_eq!(answer["findings"][0]["account"], json!(A));
    assert_eq!(answer.get("notEnrolled"), None);
    let [(key, values)] = servers.marked().await.try_into().unwrap();
    assert_eq!(key, "111122223333#us-east-1");
    assert_eq!(
        [&values[":high"], &values[":medium"], &values[":low"]],
        [&json!({"N": "1"}), &json!({"N": "0"}), &json!({"N": "0"})]
    );
    // A check of single resources is not complete.
    let servers = Servers::with([]).await;
    servers.invoke(&json!({"check": {"vpcIds": ["vpc-0000000a"]}, "account": A})).await;
    assert_eq!(servers.marked().await, []);
}

#[tokio::test]
async fn an_account_that_cannot_be_entered_is_not_enrolled() {
    for (fault, reason) in [
        (DENIED, "access_denied"),
        (Fault::Sts(403, "RegionDisabledException"), "region_disabled"),
        (Fault::Ec2("eu-west-1", 401, "AuthFailure"), "region_disabled"),
        (Fault::Ec2("eu-west-1", 403, "OptInRequired"), "region_disabled"),
    ] {
        let servers = Servers::with([(A, fault)]).await;
        let Outcome::Response(answer) = servers.invoke(&sweep_of(A, "eu-west-1")).await else { panic!("{reason}") };
        assert_eq!(answer["notEnrolled"], json!({"reason": reason}));
        assert_eq!((&answer["account"], &answer["findings"]), (&json!(A), &json!([])));
        let [(key, values)] = servers.marked().await.try_into().unwrap();
        assert_eq!((key.as_str(), &values[":reason"]), ("111122223333#eu-west-1", &json!({"S": reason})));
        assert!(servers.notified().await.is_empty());
    }
}

#[tokio::test]
async fn an_error_of_sts_or_ec2_is_an_error_of_the_check() {
    for (fault, why) in [
        (Fault::Sts(400, "ExpiredToken"), "AssumeRole in account 111122223333: ExpiredToken (request id 0a1b-request)"),
        (Fault::Ec2("eu-west-1", 403, "UnauthorizedOperation"), "UnauthorizedOperation (request id 0a1b-request)"),
    ] {
        let servers = Servers::with([(A, fault)]).await;
        let Outcome::Error(kind, message) = servers.invoke(&sweep_of(A, "eu-west-1")).await else { panic!("{why}") };
        assert_eq!(kind, "Ec2ReadFailed");
        assert!(message.ends_with(why), "{message}");
        assert_eq!(servers.marked().await, []);
    }
}

#[tokio::test]
async fn an_older_session_that_ec2_refuses_is_replaced_once() {
    // The session began with the read of another Region.
    let after_another_region = async |faults: &[Fault]| {
        let servers = Servers::with(faults.iter().map(|fault| (A, *fault))).await;
        let variables = servers.variables();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (earlier, event) = ([sweep_of(A, "us-east-1")], sweep_of(A, "eu-west-1"));
        let answer = report(invoke_after(&variables, &earlier, &event, Duration::from_mins(1)).await);
        (
            answer["notEnrolled"]["reason"].clone(),
            answer["ledger"].clone(),
            servers.organization.sts_calls().await.len(),
        )
    };
    let refused = Fault::Ec2("eu-west-1", 401, "AuthFailure");
    assert_eq!(after_another_region(&[refused]).await, (json!("region_disabled"), json!("on"), 2));
    // The role was deleted after the session began.
    assert_eq!(after_another_region(&[refused, Fault::StsLater(1)]).await, (json!("access_denied"), json!("on"), 2));
    // A new session is not replaced.
    let servers = Servers::with([(A, refused)]).await;
    servers.invoke(&sweep_of(A, "eu-west-1")).await;
    assert_eq!(servers.organization.sts_calls().await.len(), 1);
}

#[tokio::test]
async fn all_regions_that_an_older_session_reads_at_once_are_read_with_a_new_one() {
    for (denied_later, reason) in [(None, None), (Some(Fault::StsLater(1)), Some(json!({"S": "access_denied"})))] {
        let faults = [Some(Fault::FirstSession), denied_later];
        let servers = Servers::with(faults.into_iter().flatten().map(|fault| (A, fault))).await;
        let variables = servers.variables();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let events = [("a", create_route(A, "eu-west-1")), ("b", create_route(A, "us-east-1"))];
        let earlier = [json!({"check": {"vpcIds": ["vpc-0000000a"]}, "account": A})];
        let invocation = invoke_after(&variables, &earlier, &batch(&events), Duration::from_mins(1)).await;
        assert_eq!(invocation.outcome, Outcome::Response(json!({"batchItemFailures": []})));
        let both = places(&[(A, "eu-west-1"), (A, "us-east-1")]);
        assert_eq!(servers.notified().await, if reason.is_none() { both } else { vec![] });
        // The first mark is that of the earlier event: its session was new.
        let marked: Vec<Value> = servers.marked().await.iter().map(|(_, values)| values[":reason"].clone()).collect();
        let region_disabled = json!({"S": "region_disabled"});
        let expected = [Some(region_disabled), reason.clone(), reason];
        let mut expected: Vec<Value> = expected.into_iter().flatten().collect();
        let mut marked = marked;
        marked.sort_by_key(ToString::to_string);
        expected.sort_by_key(ToString::to_string);
        assert_eq!(marked, expected);
    }
}

#[tokio::test]
async fn credentials_that_ec2_refuses_in_the_own_account_are_an_error() {
    let servers = Servers::with([("test", Fault::Ec2("us-east-1", 401, "AuthFailure"))]).await;
    let Outcome::Error(kind, message) = servers.invoke(&sweep_of(OWN, "us-east-1")).await else { panic!() };
    assert_eq!(kind, "Ec2ReadFailed");
    assert!(message.ends_with("AuthFailure (request id 0a1b-request)"), "{message}");
    assert_eq!(servers.marked().await, []);
}

#[tokio::test]
async fn the_overview_cannot_be_requested_through_the_queue() {
    let servers = two_accounts().await;
    assert_eq!(
        servers.invoke(&batch(&[("a", json!({"coverage": "summary"}))])).await,
        Outcome::Response(json!({"batchItemFailures": [{"itemIdentifier": "a"}]}))
    );
    assert!(servers.sns.calls().await.is_empty());
}

#[tokio::test]
async fn a_bus_in_another_region_is_called_there() {
    let bus = EventBus::refusing_first_entry("", 0).await;
    let servers = Servers::with([]).await;
    let url = bus.url();
    let arn = "arn:aws:events:us-west-2:444455556666:event-bus/findings";
    let more = [("EVENT_BUS", arn), ("AWS_ENDPOINT_URL_EVENTBRIDGE", url.as_str())];
    servers.invoke_with(&more, &sweep_of(A, "eu-west-1")).await;
    assert_eq!(bus.regions().await, ["us-west-2"]);
    assert_eq!(bus.calls().await[0][0]["EventBusName"], json!(arn));
}

#[tokio::test]
async fn a_marker_that_cannot_be_written_fails_the_sweep() {
    let servers = Servers { dynamodb: DynamoDb::refusing("UpdateItem").await, ..Servers::with([]).await };
    let Outcome::Error(kind, message) = servers.invoke(&sweep_of(A, "eu-west-1")).await else { panic!() };
    assert_eq!(kind, "LedgerFailed");
    assert_eq!(message, "UpdateItem: AccessDeniedException (request id 0a1b-request)");
}

#[tokio::test]
async fn an_alert_names_the_account_and_a_missing_name_does_no_harm() {
    let name = json!({"sk": {"S": A}, "accountName": {"S": "team\u{7} a"}, "organizationalUnit": {"S": "o/r/ou"}});
    let servers =
        Servers { dynamodb: DynamoDb::holding_rows([("accounts", vec![name])]).await, ..Servers::with([]).await };
    servers.invoke(&sweep_of(A, "eu-west-1")).await;
    let [call] = servers.sns.calls().await.try_into().unwrap();
    let body: Value = serde_json::from_str(&call["Message"]).unwrap();
    assert_eq!((&body["account"], &body["accountName"]), (&json!(A), &json!("team\u{7} a")));
    assert_eq!(body["organizationalUnit"], json!("o/r/ou"));
    let attributes: BTreeMap<&str, &str> = (1..9)
        .filter_map(|n| {
            let field = |part: &str| call.get(&format!("MessageAttributes.entry.{n}.{part}")).map(String::as_str);
            Some((field("Name")?, field("Value.StringValue")?))
        })
        .collect();
    assert_eq!(attributes["accountName"], "team a");

    let servers = Servers { dynamodb: DynamoDb::refusing("GetItem").await, ..Servers::with([]).await };
    servers.invoke(&sweep_of(A, "eu-west-1")).await;
    let [call] = servers.sns.calls().await.try_into().unwrap();
    let body: Value = serde_json::from_str(&call["Message"]).unwrap();
    assert_eq!((&body["account"], body.get("accountName")), (&json!(A), None));
}

#[tokio::test]
async fn the_event_bus_gets_one_event_for_each_finding_and_refused_ones_again() {
    let bus = EventBus::refusing_first_entry("ThrottlingException", 2).await;
    let servers = Servers::with([]).await;
    let url = bus.url();
    let more = [
        ("EVENT_BUS", "findings"),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", url.as_str()),
        ("REQUIRED_SERVICES", "s3,dynamodb"),
    ];
    let Outcome::Response(answer) = servers.invoke_with(&more, &sweep_of(A, "eu-west-1")).await else { panic!() };
    assert_eq!(answer["published"], json!(3), "one message to the topic, two events");
    let calls = bus.calls().await;
    assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1]);
    assert_eq!((&calls[0][0], &calls[0][0]), (&calls[1][0], &calls[2][0]), "only the refused event is sent again");
    for entry in &calls[0] {
        assert_eq!((&entry["Source"], &entry["DetailType"]), (&json!("gatewatch"), &json!("gatewatch finding")));
        assert_eq!(entry["EventBusName"], json!("findings"));
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        crate::schemas::assert_notification(&detail);
        assert_eq!(detail["findings"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_event_that_the_bus_refuses_for_good_fails_the_check_and_is_sent_again_later() {
    let bus = EventBus::refusing_first_entry("AccessDeniedException", 9).await;
    let servers = Servers::with([]).await;
    let url = bus.url();
    let more = [("EVENT_BUS", "findings"), ("AWS_ENDPOINT_URL_EVENTBRIDGE", url.as_str())];
    let Outcome::Error(kind, message) = servers.invoke_with(&more, &sweep_of(A, "eu-west-1")).await else { panic!() };
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("PublishFailed", "PutEvents, about vpc-0000000a: AccessDeniedException")
    );
    let writes = servers.dynamodb.calls().await;
    let last = writes.iter().rev().find(|(operation, _)| operation == "TransactWriteItems").unwrap();
    assert!(last.1.to_string().contains("\"pending\":{\"L\":[{\"S\":\"events\"}]}"), "{}", last.1);
    assert_eq!(servers.marked().await, []);
}

fn marker(place: &str, attributes: &Value) -> Value {
    let mut row = json!({"pk": {"S": "markers"}, "sk": {"S": place}});
    row.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    row
}

/// An organization of two accounts: one was checked in one Region, the other cannot be entered.
async fn two_accounts() -> Servers {
    let checked_at = json!({"S": "2099-01-01T00:00:00Z"});
    let account = |id: &str| json!({"pk": {"S": "accounts"}, "sk": {"S": id}, "accountName": {"S": "team"}});
    let rows = [
        (
            "markers",
            vec![
                marker(
                    "111122223333#eu-west-1",
                    &json!({"checkedAt": {"S": "2098-12-31T00:00:00Z"}, "openHigh": {"N": "2"}}),
                ),
                marker(
                    "222233334444#eu-west-1",
                    &json!({"notEnrolled": {"S": "access_denied"}, "notEnrolledAt": checked_at}),
                ),
                marker("222233334444#us-east-1", &json!({"checkedAt": checked_at, "reported": {"S": "access_denied"}})),
            ],
        ),
        ("accounts", vec![account(A), account(B)]),
    ];
    Servers { dynamodb: DynamoDb::holding_rows(rows).await, ..Servers::with([]).await }
}

#[tokio::test]
async fn the_overview_has_every_account_and_region() {
    let servers = two_accounts().await;
    let place = |account: &str, region: &str, more: &Value| {
        let mut place = json!({"account": account, "accountName": "team", "region": region, "stale": false});
        place.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        place
    };
    let checked_at = "2099-01-01T00:00:00Z";
    assert_eq!(
        servers.invoke(&json!({"coverage": true})).await,
        Outcome::Response(json!({
            "accountRegions": [
                place(A, "eu-west-1", &json!({
                    "lastCompleteCheck": "2098-12-31T00:00:00Z", "open": {"HIGH": 2, "MEDIUM": 0, "LOW": 0}
                })),
                place(A, "us-east-1", &json!({"stale": true})),
                place(B, "eu-west-1", &json!({"notEnrolled": "access_denied"})),
                place(B, "us-east-1", &json!({
                    "lastCompleteCheck": checked_at, "open": {"HIGH": 0, "MEDIUM": 0, "LOW": 0}
                })),
            ],
            "totals": {
                "accountRegions": 4, "checked": 2, "notEnrolled": 1, "stale": 1,
                "open": {"HIGH": 2, "MEDIUM": 0, "LOW": 0}, "oldestCheck": "2098-12-31T00:00:00Z"
            }
        }))
    );
    assert!(servers.sns.calls().await.is_empty(), "only the end of a sweep tells people");
    assert_eq!(servers.marked().await, []);
}

#[tokio::test]
async fn the_end_of_a_sweep_counts_tells_and_writes_metrics() {
    let servers = two_accounts().await;
    let variables = servers.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let event = json!({"coverage": "summary", "since": "2098-12-31T00:00:00.999Z"});
    let invocation = invoke(&variables, &event, Duration::from_mins(1)).await;
    let metrics = invocation.log.lines().find(|line| line.contains("CloudWatchMetrics")).unwrap();
    let metrics: Value = serde_json::from_str(metrics).unwrap();
    assert_eq!((&metrics["FailedChecks"], &metrics["OpenFindingsHigh"]), (&json!(1.0), &json!(2.0)));
    let answer = report(invocation);
    assert_eq!(answer.get("accountRegions"), None);
    assert_eq!(answer["sweep"], json!({"since": "2098-12-31T00:00:00Z", "checked": 2, "notEnrolled": 1, "failed": 1}));
    let [call] = servers.sns.calls().await.try_into().unwrap();
    let body: Value = serde_json::from_str(&call["Message"]).unwrap();
    assert_enrollment(&body);
    let account =
        |region: &str| json!([{"account": B, "accountName": "team", "regions": [region], "reason": "access_denied"}]);
    assert_eq!((&body["notEnrolled"], &body["enrolled"]), (&account("eu-west-1"), &account("us-east-1")));
    let queries = servers.dynamodb.calls().await.into_iter().filter(|(operation, _)| operation == "Query");
    assert!(queries.map(|(_, body)| body["ConsistentRead"].clone()).all(|consistent| consistent == json!(true)));
    let updates = servers.marked().await;
    assert_eq!(
        updates,
        [
            ("222233334444#eu-west-1".to_owned(), json!({":reason": {"S": "access_denied"}})),
            ("222233334444#us-east-1".to_owned(), json!(null)),
        ]
    );
}

#[tokio::test]
async fn the_end_of_a_sweep_says_that_no_account_can_be_entered_any_more() {
    let (before, since) = (json!({"S": "2099-01-01T00:00:00Z"}), json!({"S": "2099-01-02T00:00:00Z"}));
    let refused = json!({"checkedAt": before, "notEnrolled": {"S": "access_denied"}, "notEnrolledAt": since});
    let own = marker("123456789012#eu-west-1", &json!({"checkedAt": since}));
    let rows = [("markers", vec![own, marker("111122223333#eu-west-1", &refused)])];
    let servers = Servers { dynamodb: DynamoDb::holding_rows(rows).await, ..Servers::with([]).await };
    let summary = json!({"coverage": "summary", "since": "2099-01-02T00:00:00Z"});
    let Outcome::Response(answer) = servers.invoke(&summary).await else { panic!() };
    assert_eq!(
        answer["sweep"],
        json!({"since": "2099-01-02T00:00:00Z", "checked": 1, "notEnrolled": 1, "failed": 0, "lostAllMembers": true})
    );
}

#[tokio::test]
async fn what_people_could_not_be_told_about_the_enrollment_is_told_by_the_next_attempt() {
    let servers = Servers { sns: Sns::refusing("notEnrolled").await, ..two_accounts().await };
    let Outcome::Error(kind, message) = servers.invoke(&json!({"coverage": "summary"})).await else { panic!() };
    assert_eq!(kind, "PublishFailed");
    assert!(message.starts_with("Publish, about the organization: "), "{message}");
    assert_eq!(servers.marked().await, []);
}

/// The settings of a function of one account that keeps markers.
const OWN_MARKER: [(&str, &str); 3] = [("MEMBER_ROLE", ""), ("REGIONS", ""), ("MARKERS", "on")];

#[tokio::test]
async fn a_function_of_one_account_can_keep_a_marker() {
    let servers = Servers::with([]).await;
    let Outcome::Response(answer) = servers.invoke_with(&OWN_MARKER, &sweep_of(OWN, "eu-west-1")).await else {
        panic!()
    };
    assert_eq!((&answer["account"], &answer["region"]), (&json!(OWN), &json!("eu-west-1")));
    let [(key, values)] = servers.marked().await.try_into().unwrap();
    assert_eq!((key.as_str(), &values[":high"]), ("123456789012#eu-west-1", &json!({"N": "1"})));
    let operations: Vec<String> = servers.dynamodb.calls().await.into_iter().map(|(operation, _)| operation).collect();
    let without_name = ["Query", "TransactWriteItems", "TransactWriteItems", "UpdateItem"];
    assert_eq!(operations, without_name, "only a hub knows names of accounts");
    assert!(servers.organization.sts_calls().await.is_empty());

    for (account, region) in [(A, "eu-west-1"), (OWN, "us-east-1")] {
        let Outcome::Error(kind, _) = servers.invoke_with(&OWN_MARKER, &sweep_of(account, region)).await else {
            panic!("{account} {region}")
        };
        assert_eq!(kind, "UnsupportedEvent");
    }
    let events = batch(&[("a", create_route(A, "eu-west-1"))]);
    let failed = json!({"batchItemFailures": [{"itemIdentifier": "a"}]});
    assert_eq!(servers.invoke_with(&OWN_MARKER, &events).await, Outcome::Response(failed));
}

#[tokio::test]
async fn the_summary_of_one_account_counts_its_check() {
    let checked = marker("123456789012#eu-west-1", &json!({"checkedAt": {"S": "2099-01-01T00:00:00Z"}}));
    // From a time when the stack was a hub.
    let other = marker("111122223333#eu-west-1", &json!({"checkedAt": {"S": "2026-11-20T00:00:00Z"}}));
    let sweep = |checked: u8, failed: u8| json!({"since": "2099-01-01T00:00:00Z", "checked": checked, "notEnrolled": 0, "failed": failed});
    for (rows, expected) in
        [(vec![checked, other.clone()], sweep(1, 0)), (vec![other], sweep(0, 1)), (vec![], sweep(0, 1))]
    {
        let dynamodb = DynamoDb::holding_rows([("markers", rows)]).await;
        let servers = Servers { dynamodb, ..Servers::with([]).await };
        let mut variables = servers.variables();
        variables.extend(OWN_MARKER.map(|(name, value)| (name, value.to_owned())));
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let event = json!({"coverage": "summary", "since": "2099-01-01T00:00:00Z"});
        let invocation = invoke(&variables, &event, Duration::from_mins(1)).await;
        assert!(!invocation.log.contains("CloudWatchMetrics"), "each metric has a price");
        let answer = report(invocation);
        assert_eq!((&answer["sweep"], &answer["totals"]["accountRegions"]), (&expected, &json!(1)));
        assert!(servers.sns.calls().await.is_empty());
    }
}

#[tokio::test]
async fn a_function_of_one_account_knows_no_other_account_and_no_overview() {
    let servers = Servers::with([]).await;
    for event in [sweep_of(A, "eu-west-1"), json!({"coverage": true})] {
        let Outcome::Error(kind, _) = servers.invoke_with(&[("MEMBER_ROLE", "")], &event).await else {
            panic!("{event}")
        };
        assert_eq!(kind, "UnsupportedEvent");
    }
    let own = json!({"check": {"vpcIds": ["vpc-0000000a"]}});
    let Outcome::Response(answer) = servers.invoke_with(&[("MEMBER_ROLE", "")], &own).await else { panic!() };
    assert_eq!((answer.get("account"), answer.get("region")), (None, None));
    let operations: Vec<String> = servers.dynamodb.calls().await.into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(operations, ["Query", "TransactWriteItems", "TransactWriteItems"]);
}
