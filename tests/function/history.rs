//! The calls to DynamoDB: which, in which order, with which values. `tests/local_cloud` tests the result with a real table.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::method};

use crate::{
    schemas::assert_notification,
    support::{
        dynamodb::DynamoDb,
        ec2::{Ec2, Page},
        form,
        lambda::{Invocation, Outcome, invoke, invoke_after, report},
        sns::{Sns, Subscriptions},
    },
};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:gatewatch";
const VPC: &str = "vpc-0a1b2c3d4e5f60001";
const TABLE: &str = "rtb-0a1b2c3d4e5f60001";
/// `printf 'aws\n123456789012\neu-west-1\nrtb-0a1b2c3d4e5f60001\ns3' | sha256sum`
const FINDING: &str = "b3a881dfa77ca30d1c093830e37f0c0aa2b8afcb0d59f3da37b47f9b3c3adbbb";

/// A VPC without an endpoint. No subnet uses its main table.
pub async fn uncovered() -> Ec2 {
    let page = |items: &str| vec![Page::items(items)];
    Ec2::answering([("DescribeVpcs", page(&vpc())), ("DescribeRouteTables", page(&main_table()))]).await
}

fn vpc() -> String {
    format!("<item><vpcId>{VPC}</vpcId><ownerId>123456789012</ownerId></item>")
}

fn main_table() -> String {
    format!(
        "<item><routeTableId>{TABLE}</routeTableId><vpcId>{VPC}</vpcId><ownerId>123456789012</ownerId><associationSet>\
         <item><main>true</main><associationState><state>associated</state></associationState></item></associationSet>\
         </item>"
    )
}

/// The row of the one finding: its alert was sent some days ago.
fn known_row() -> Value {
    json!({
        "pk": {"S": "123456789012#eu-west-1"}, "sk": {"S": format!("{VPC}#{FINDING}")},
        "findingId": {"S": FINDING}, "account": {"S": "123456789012"}, "vpcId": {"S": VPC},
        "routeTable": {"M": {"id": {"S": TABLE}, "name": {"NULL": true}, "main": {"BOOL": true}}},
        "service": {"S": "s3"}, "gap": {"S": "no_endpoint"}, "severity": {"S": "LOW"}, "worst": {"S": "LOW"}, "subnets": {"L": []},
        "egress": {"M": {"kind": {"S": "none"}, "target": {"NULL": true}}},
        "state": {"S": "open"}, "since": {"S": "2026-11-20T10:00:00Z"}, "told": {"S": "2099-11-20T10:00:00Z"},
        "change": {"S": "opened"}, "resolution": {"NULL": true}, "pending": {"L": []}, "unaware": {"L": []},
        "notified": {"L": [{"S": "chat"}, {"S": "json"}, {"S": "text"}]},
        "thread": {"S": "2026-11-20T10:00:00Z"}
    })
}

/// The row of the lease of the VPC, with these further attributes.
fn lease_row(kind: &str, attributes: &Value) -> Value {
    let mut row = json!({"pk": {"S": "x"}, "sk": {"S": format!("{VPC}#{kind}")}, "claims": {"N": "3"}});
    for (name, value) in attributes.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

async fn run(ec2: &str, sns: &Sns, dynamodb: &str, event: &Value) -> Invocation {
    run_for(Duration::from_mins(1), ec2, sns, dynamodb, event).await
}

async fn run_for(time_left: Duration, ec2: &str, sns: &Sns, dynamodb: &str, event: &Value) -> Invocation {
    invoke(&variables(ec2, &sns.url(), dynamodb), event, time_left).await
}

/// The settings: one topic and an alert history.
pub fn variables<'a>(ec2: &'a str, sns: &'a str, dynamodb: &'a str) -> [(&'static str, &'a str); 6] {
    [
        ("TOPIC_ARN", TOPIC),
        ("REQUIRED_SERVICES", "s3"),
        ("LEDGER_TABLE", "gatewatch-ledger"),
        ("AWS_ENDPOINT_URL_EC2", ec2),
        ("AWS_ENDPOINT_URL_SNS", sns),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb),
    ]
}

pub fn check_vpc() -> Value {
    json!({"check": {"vpcIds": [VPC]}})
}

/// The record of a delete call, as EventBridge delivers it.
fn deleted(name: &str, request: &Value) -> Value {
    json!({
        "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "account": "123456789012",
        "region": "eu-west-1", "detail": {"eventName": name, "requestParameters": request}
    })
}

/// The operations that were called; for queries, with their condition and values.
async fn operations(dynamodb: &DynamoDb) -> Vec<String> {
    let calls = dynamodb.calls().await;
    let told = |(operation, body): &(String, Value)| match body["KeyConditionExpression"].as_str() {
        None => operation.clone(),
        Some(condition) => format!("{operation} {condition} {}", body["ExpressionAttributeValues"]),
    };
    calls.iter().map(told).collect()
}

const QUERY_OF_THE_VPC: &str = "Query pk = :pk AND begins_with(sk, :vpc) \
    {\":pk\":{\"S\":\"123456789012#eu-west-1\"},\":vpc\":{\"S\":\"vpc-0a1b2c3d4e5f60001#\"}}";
const QUERY_OF_THE_REGION: &str = "Query pk = :pk {\":pk\":{\"S\":\"123456789012#eu-west-1\"}}";

#[tokio::test]
async fn a_new_finding_takes_a_transaction_a_message_and_a_transaction() {
    let (ec2, sns, dynamodb) = (uncovered().await, Sns::accepting_all().await, DynamoDb::holding(Vec::new()).await);
    let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
    assert_eq!([&report["ledger"], &report["published"]], [&json!("on"), &json!(1)]);
    assert_eq!(operations(&dynamodb).await, [QUERY_OF_THE_VPC, "TransactWriteItems", "TransactWriteItems"]);

    let [message] = <[_; 1]>::try_from(sns.calls().await).unwrap();
    let message: Value = serde_json::from_str(&message["Message"]).unwrap();
    assert_eq!([&message["ledger"], &message["findings"][0]["change"]], [&json!("on"), &json!("opened")]);

    let calls = dynamodb.calls().await;
    let [acquired, released] = [1, 2].map(|n| &calls[n].1["TransactItems"]);
    let claim = &acquired[0]["Update"];
    let [before, after] = [acquired, released].map(|items| &items[1]["Put"]["Item"]);
    assert_eq!([acquired, released].map(|items| items.as_array().map(Vec::len)), [Some(2), Some(2)]);
    assert_eq!(calls[0].1["ConsistentRead"], json!(true));
    assert_eq!(claim["Key"], json!({"pk": {"S": "123456789012#eu-west-1"}, "sk": {"S": format!("{VPC}#!lease")}}));
    assert_eq!(
        claim["ConditionExpression"],
        json!(
            "(attribute_not_exists(claims) AND (attribute_not_exists(claimedUntil) OR claimedUntil < :now)) OR \
             (claims = :count AND holder = :holder)"
        )
    );
    let mut expected = known_row();
    for field in ["since", "told", "thread"] {
        expected[field] = json!({"S": message["findings"][0]["since"]});
    }
    expected["rowVersion"] = json!({"N": "1"});
    expected["notified"] = json!({"L": [{"S": "json"}]});
    expected["unaware"] = json!({"L": [{"S": "chat"}, {"S": "text"}]});
    assert_eq!(after, &expected);
    expected["pending"] = json!({"L": [{"S": "json"}]});
    assert_eq!(before, &expected, "a crash now leaves the alert marked as undelivered");
    assert_eq!(released[0]["Update"]["ConditionExpression"], json!("claims = :count AND holder = :holder"));
    let values = &released[0]["Update"]["ExpressionAttributeValues"];
    assert_eq!([&values[":started"], &values[":told"]], [&expected["since"], &expected["since"]], "the incident");
}

#[tokio::test]
async fn a_known_finding_takes_no_lease_and_no_message() {
    let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
    // The row is on the second of two pages. On the first is a lease that was released.
    let dynamodb = DynamoDb::holding(vec![json!([lease_row("!lease", &json!({}))]), json!([known_row()])]).await;
    let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "the report is complete");
    assert_eq!([&report["ledger"], &report["published"]], [&json!("on"), &json!(0)]);
    assert_eq!(operations(&dynamodb).await, [QUERY_OF_THE_VPC, QUERY_OF_THE_VPC]);
    assert_eq!(sns.calls().await, Vec::new());
}

/// Rows that gatewatch 0.1.0 wrote, and one that a newer version might write. All are about the one finding.
const ROWS: [(&str, &str); 2] =
    [("0.1.0", include_str!("../rows/v0-open.json")), ("newer", include_str!("../rows/newer-open.json"))];

/// A row whose last alert is not so old that a reminder is due.
fn row(text: &str) -> Value {
    let mut row: Value = serde_json::from_str(text).unwrap();
    row["told"] = json!({"S": "2099-11-20T10:00:00Z"});
    row
}

#[tokio::test]
async fn rows_of_another_version_cause_no_repeated_alert() {
    for (version, text) in ROWS {
        let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
        let dynamodb = DynamoDb::holding(vec![json!([row(text)])]).await;
        let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
        assert_eq!([&report["findings"][0]["id"], &report["published"]], [&json!(FINDING), &json!(0)], "{version}");
        assert_eq!(sns.calls().await, Vec::new(), "{version}");
    }
}

#[tokio::test]
async fn rows_of_another_version_lose_no_alert_that_the_finding_is_resolved() {
    for (version, text) in ROWS {
        let sns = Sns::accepting_all().await;
        let ec2 = Ec2::answering([("DescribeVpcs", vec![Page::items(&vpc())])]).await;
        let dynamodb = DynamoDb::holding(vec![json!([row(text)])]).await;
        let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
        assert_eq!(report["published"], json!(1), "{version}");
        let [message] = <[_; 1]>::try_from(sns.calls().await).unwrap();
        let message: Value = serde_json::from_str(&message["Message"]).unwrap();
        assert_notification(&message);
        let finding = &message["findings"][0];
        assert_eq!(
            [&finding["id"], &finding["change"], &finding["resolution"]["cause"], &finding["gap"]],
            [&json!(FINDING), &json!("resolved"), &json!("table_deleted"), &row(text)["gap"]["S"]],
            "{version}"
        );

        let last = dynamodb.calls().await.len() - 1;
        let written = &dynamodb.rows_of_call(last).await[0]["Put"]["Item"];
        for kept in ["acknowledgedBy", "labels", "gap", "severity", "routeTable", "egress", "unaware"] {
            assert_eq!(written[kept], row(text)[kept], "{version}: {kept}");
        }
        assert_eq!(written["state"], json!({"S": "resolved"}), "{version}");
    }
}

#[tokio::test]
async fn one_query_reads_the_region() {
    let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
    let dynamodb = DynamoDb::holding(vec![json!([known_row()])]).await;
    report(run(&ec2.url(), &sns, &dynamodb.url(), &json!({"check": "region"})).await);
    assert_eq!(operations(&dynamodb).await, [QUERY_OF_THE_REGION]);
}

#[tokio::test]
async fn a_request_without_publish_does_not_read_the_history() {
    let (ec2, sns, dynamodb) = (uncovered().await, Sns::accepting_all().await, DynamoDb::refusing("Query").await);
    let quiet = json!({"check": {"vpcIds": [VPC]}, "publish": false});
    let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &quiet).await);
    assert_eq!([&report["ledger"], &report["published"]], [&json!("on"), &json!(0)]);
    assert_eq!(operations(&dynamodb).await, Vec::<String>::new());
}

/// The read of the whole Region, in one pass.
const READ_OF_THE_REGION: [&str; 4] =
    ["DescribeRouteTables", "DescribeSubnets", "DescribeVpcEndpoints", "DescribeVpcs"];

#[tokio::test]
async fn the_deletion_of_the_last_exempt_subnet_opens_the_finding() {
    let (ec2, sns, dynamodb) = (uncovered().await, Sns::accepting_all().await, DynamoDb::holding(Vec::new()).await);
    let event = deleted("DeleteSubnet", &json!({"subnetId": "subnet-0a1b2c3d4e5f60009"}));
    let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &event).await);
    assert_eq!([&report["findings"][0]["id"], &report["published"]], [&json!(FINDING), &json!(1)]);
    assert_eq!(ec2.calls().await, READ_OF_THE_REGION);
    let [message] = <[_; 1]>::try_from(sns.calls().await).unwrap();
    let message: Value = serde_json::from_str(&message["Message"]).unwrap();
    assert_notification(&message);
    assert_eq!(
        [&message["findings"][0]["change"], &message["findings"][0]["severity"], &message["trigger"]["eventName"]],
        [&json!("opened"), &json!("LOW"), &json!("DeleteSubnet")]
    );
}

#[tokio::test]
async fn the_deletion_of_an_unknown_subnet_sends_nothing_about_open_findings() {
    let mut row = known_row();
    row["told"] = json!({"S": "2026-01-01T10:00:00Z"}); // a reminder is due, but this is no check of the table
    let (ec2, sns, dynamodb) =
        (uncovered().await, Sns::accepting_all().await, DynamoDb::holding(vec![json!([row])]).await);
    let event = deleted("DeleteSubnet", &json!({"subnetId": "subnet-0a1b2c3d4e5f60009"}));
    let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &event).await);
    assert_eq!([&report["findings"], &report["published"]], [&json!([]), &json!(0)]);
    assert_eq!(operations(&dynamodb).await, [QUERY_OF_THE_REGION]);
    assert_eq!(ec2.calls().await, READ_OF_THE_REGION);
    assert_eq!(sns.calls().await, Vec::new());
}

#[tokio::test]
async fn the_deletion_of_a_known_subnet_reads_only_its_vpc() {
    let mut row = known_row();
    row["subnets"] = json!({"L": [{"S": "subnet-0a1b2c3d4e5f60009"}]});
    let (ec2, sns, dynamodb) =
        (uncovered().await, Sns::accepting_all().await, DynamoDb::holding(vec![json!([row])]).await);
    let event = deleted("DeleteSubnet", &json!({"subnetId": "subnet-0a1b2c3d4e5f60009"}));
    report(run(&ec2.url(), &sns, &dynamodb.url(), &event).await);
    assert_eq!(ec2.calls().await, READ_OF_THE_REGION.map(|read| format!("{read} vpc-id={VPC}")));
}

#[tokio::test]
async fn a_deletion_without_a_known_finding_takes_one_query() {
    for (name, request) in [
        ("DeleteRouteTable", json!({"routeTableId": "rtb-0a1b2c3d4e5f60009"})),
        ("DeleteVpc", json!({"vpcId": "vpc-0a1b2c3d4e5f60009"})),
    ] {
        let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
        let dynamodb = DynamoDb::holding(vec![json!([known_row()])]).await;
        report(run(&ec2.url(), &sns, &dynamodb.url(), &deleted(name, &request)).await);
        assert_eq!(operations(&dynamodb).await, [QUERY_OF_THE_REGION], "{name}");
        assert_eq!(ec2.calls().await, Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_deletion_with_a_known_finding_sends_resolved() {
    let (ec2, sns) = (Ec2::answering([]).await, Sns::accepting_all().await);
    let dynamodb = DynamoDb::holding(vec![json!([known_row()])]).await;
    let gone = deleted("DeleteVpc", &json!({"vpcId": VPC}));
    let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &gone).await);
    assert_eq!(report["scope"]["deletedIds"], json!([VPC]));
    let reads = ["DescribeRouteTables", "DescribeSubnets", "DescribeVpcEndpoints", "DescribeVpcs"];
    let by_its_id = format!("DescribeRouteTables route-table-id={TABLE}");
    let of_the_vpc = reads.map(|read| format!("{read} vpc-id={VPC}"));
    assert_eq!(ec2.calls().await, [&[by_its_id], &of_the_vpc[..]].concat());
    let [message] = <[_; 1]>::try_from(sns.calls().await).unwrap();
    assert_eq!(message["Subject"], format!("[RESOLVED] gatewatch: 1 finding in {VPC}, eu-west-1"));
    let message: Value = serde_json::from_str(&message["Message"]).unwrap();
    assert_eq!(message["findings"][0]["change"], json!("resolved"));
    assert_eq!(message["findings"][0]["resolution"]["cause"], json!("vpc_deleted"));
}

#[tokio::test]
async fn a_table_that_a_list_omits_is_read_by_its_id_before_it_counts_as_deleted() {
    // The list omits the table, and the read by its id finds it: it moved from one page to another.
    let sns = Sns::accepting_all().await;
    let ec2 = Ec2::answering([
        ("DescribeVpcs", vec![Page::items(&vpc())]),
        ("DescribeRouteTables", vec![Page::Late(1, main_table())]),
    ])
    .await;
    let dynamodb = DynamoDb::holding(vec![json!([known_row()])]).await;
    let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &json!({"check": "region"})).await);
    assert_eq!([&report["findings"][0]["id"], &report["published"]], [&json!(FINDING), &json!(0)]);
    assert_eq!(sns.calls().await, Vec::new());
}

#[tokio::test]
async fn a_resolved_finding_is_moved_out_of_the_rows_that_are_read() {
    let sns = Sns::accepting_all().await;
    let ec2 = Ec2::answering([("DescribeVpcs", vec![Page::items(&vpc())])]).await;
    let dynamodb = DynamoDb::holding(vec![json!([known_row()])]).await;
    report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
    let key = |partition: &str| json!({"pk": {"S": partition}, "sk": {"S": format!("{VPC}#{FINDING}")}});
    let (active, resolved) = ("123456789012#eu-west-1", "123456789012#eu-west-1#resolved");
    let [before] = <[Value; 1]>::try_from(dynamodb.rows_of_call(1).await).unwrap();
    let before = &before["Put"]["Item"];
    assert_eq!([&before["pk"], &before["pending"]], [&json!({"S": active}), &json!({"L": [{"S": "json"}]})]);
    let [put, delete] = <[Value; 2]>::try_from(dynamodb.rows_of_call(2).await).unwrap();
    let put = &put["Put"]["Item"];
    assert_eq!(json!({"pk": put["pk"], "sk": put["sk"]}), key(resolved));
    assert_eq!([&put["state"], &put["pending"]], [&json!({"S": "resolved"}), &json!({"L": []})]);
    assert_eq!(delete, json!({"Delete": {"TableName": "gatewatch-ledger", "Key": key(active)}}));
    let seconds = |value: &Value| value["N"].as_str().unwrap().parse::<i64>().unwrap();
    let told: jiff::Timestamp = put["told"]["S"].as_str().unwrap().parse().unwrap();
    assert_eq!(seconds(&put["expiresAt"]), told.as_second() + 90 * 24 * 60 * 60);
}

#[tokio::test]
async fn the_rows_of_resolved_findings_and_the_lease_of_version_0_are_understood() {
    // gatewatch 0.1.0 kept a resolved finding beside the open ones. The finding exists again, so it opens.
    let resolved: Value = serde_json::from_str(include_str!("../rows/v0-resolved.json")).unwrap();
    let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
    let dynamodb = DynamoDb::holding(vec![json!([resolved])]).await;
    assert_eq!(report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await)["published"], json!(1));

    let second = |seconds: i64| json!({"N": (jiff::Timestamp::now().as_second() + seconds).to_string()});
    for (seconds, published) in [(60, None), (-60, Some(json!(1)))] {
        let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
        let held = json!({"claimedUntil": second(seconds), "holder": {"S": "another"}});
        let dynamodb = DynamoDb::holding(vec![json!([lease_row("claim", &held)])]).await;
        let invocation = run_for(Duration::from_secs(4), &ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await;
        match published {
            Some(published) => assert_eq!(report(invocation)["published"], published),
            None => assert_eq!(
                invocation.outcome,
                Outcome::Error(
                    "PublishFailed".into(),
                    format!("Publish, about {VPC}: another invocation has the lease of this VPC and has not finished")
                )
            ),
        }
    }
}

/// Two VPCs without an endpoint, each with its main table.
async fn two_uncovered() -> Ec2 {
    let pages = |items: String| vec![Page::items(&(items.clone() + &items.replace("60001", "60002")))];
    Ec2::answering([("DescribeVpcs", pages(vpc())), ("DescribeRouteTables", pages(main_table()))]).await
}

#[tokio::test]
async fn a_further_attempt_does_not_send_again_what_an_earlier_one_has_sent() {
    // The lease of the first VPC cannot be acquired, and that of the second is held by another invocation.
    const OTHER_VPC: &str = "vpc-0a1b2c3d4e5f60002";
    let expires_at = jiff::Timestamp::now().as_second() + 60;
    let mut held =
        lease_row("!lease", &json!({"claimedUntil": {"N": expires_at.to_string()}, "holder": {"S": "another"}}));
    held["sk"] = json!({"S": format!("{OTHER_VPC}#!lease")});
    let dynamodb = DynamoDb::holding_and_refusing(vec![json!([held])], "TransactWriteItems", VPC).await;
    let (ec2, sns) = (two_uncovered().await, Sns::accepting_all().await);
    let event = json!({"check": {"vpcIds": [VPC, OTHER_VPC]}});
    let invocation = run_for(Duration::from_secs(8), &ec2.url(), &sns, &dynamodb.url(), &event).await;
    let Outcome::Error(error_type, _) = invocation.outcome else { panic!("{invocation:?}") };
    assert_eq!(error_type, "LedgerFailed");
    let acquiring = dynamodb.calls().await.iter().filter(|(operation, _)| operation == "TransactWriteItems").count();
    assert_eq!((sns.calls().await.len(), acquiring), (1, 1));
    let queries = dynamodb.calls().await.iter().filter(|(operation, _)| operation == "Query").count();
    assert!(queries > 2, "there was only one attempt: {queries} queries");
}

#[tokio::test]
async fn a_network_that_was_read_long_ago_is_read_again_and_only_what_is_still_true_is_sent() {
    let covered = "<item><vpcEndpointId>vpce-0a1b2c3d4e5f60001</vpcEndpointId><vpcEndpointType>Gateway</vpcEndpointType>\
                   <vpcId>vpc-0a1b2c3d4e5f60001</vpcId><serviceName>com.amazonaws.eu-west-1.s3</serviceName>\
                   <state>available</state><routeTableIdSet><item>rtb-0a1b2c3d4e5f60001</item></routeTableIdSet></item>";
    let route = "<routeSet><item><destinationPrefixListId>pl-0a1b2c3d</destinationPrefixListId>\
                 <gatewayId>vpce-0a1b2c3d4e5f60001</gatewayId><state>active</state></item></routeSet></item>";
    let table_with_route = main_table().trim_end_matches("</item>").to_owned() + route;
    let later = [(false, 0), (true, 1)];
    for (is_still_uncovered, published) in later {
        let table = if is_still_uncovered { main_table() } else { table_with_route.clone() };
        let ec2 = Ec2::answering([
            ("DescribeVpcs", vec![Page::items(&vpc())]),
            ("DescribeRouteTables", vec![Page::Changing(Duration::from_millis(2100), main_table(), table)]),
            ("DescribeVpcEndpoints", vec![Page::items(covered)]),
        ])
        .await;
        let (sns, dynamodb) = (Sns::accepting_all().await, DynamoDb::holding(Vec::new()).await);
        let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
        assert_eq!(report["published"], json!(published));
        assert_eq!(ec2.calls().await.len(), 8);
        let writes: Vec<String> = operations(&dynamodb).await.into_iter().skip(1).collect();
        let expected: &[&str] = if is_still_uncovered {
            &["TransactWriteItems", "BatchWriteItem", "TransactWriteItems"]
        } else {
            &["TransactWriteItems", "TransactWriteItems"]
        };
        assert_eq!(writes, expected, "the lease is released");
        // Nothing is written about a finding before its VPC has been read again.
        assert_eq!(dynamodb.rows_of_call(1).await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn the_networks_of_several_vpcs_are_read_again_together() {
    let both = |items: String| items.clone() + &items.replace("60001", "60002");
    let tables = both(main_table());
    let ec2 = Ec2::answering([
        ("DescribeVpcs", vec![Page::items(&both(vpc()))]),
        ("DescribeRouteTables", vec![Page::Changing(Duration::from_millis(2100), tables.clone(), tables)]),
    ])
    .await;
    let (sns, dynamodb) = (Sns::accepting_all().await, DynamoDb::holding(Vec::new()).await);
    let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &json!({"check": "region"})).await);
    assert_eq!(report["published"], json!(2));
    let calls: Vec<String> =
        ["DescribeRouteTables", "DescribeSubnets", "DescribeVpcEndpoints", "DescribeVpcs"].map(String::from).into();
    let of_both = calls.iter().map(|call| format!("{call} vpc-id={VPC},vpc-0a1b2c3d4e5f60002"));
    let mut expected: Vec<String> = calls.iter().cloned().chain(of_both).collect();
    expected.sort();
    assert_eq!(ec2.calls().await, expected);
}

#[tokio::test]
async fn a_lease_that_is_not_acquired_before_the_deadline_is_left_to_the_retry() {
    for event in [check_vpc(), delivery(3, &check_vpc()), json!({"check": "region"})] {
        let (ec2, sns, dynamodb) =
            (uncovered().await, Sns::accepting_all().await, DynamoDb::hanging("TransactWriteItems").await);
        let outcome = run_for(Duration::from_secs(3), &ec2.url(), &sns, &dynamodb.url(), &event).await.outcome;
        let failed = match event.get("Records") {
            None => Outcome::Error("LedgerFailed".into(), "not written before the invocation's deadline".into()),
            Some(_) => Outcome::Response(json!({"batchItemFailures": [{"itemIdentifier": "0a1b"}]})),
        };
        assert_eq!(outcome, failed, "{event}");
        assert_eq!(sns.calls().await, Vec::new(), "{event}");
        tokio::task::yield_now().await;
    }
}

/// A VPC with 101 tables, so that there are more records than fit into a transaction.
async fn with_101_tables() -> Ec2 {
    let tables: String = (1..=101)
        .map(|n| main_table().replace(TABLE, &format!("rtb-{n:017x}")).replace("<main>true", "<main>false"))
        .collect();
    Ec2::answering([("DescribeVpcs", vec![Page::items(&vpc())]), ("DescribeRouteTables", vec![Page::items(&tables)])])
        .await
}

#[tokio::test]
async fn records_that_do_not_fit_into_the_transaction_are_written_beside_it() {
    let (ec2, sns, dynamodb) =
        (with_101_tables().await, Sns::accepting_all().await, DynamoDb::holding(Vec::new()).await);
    let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(101));
    // Before publishing, the lease comes first. After it, the release comes last.
    let expected = ["TransactWriteItems", "BatchWriteItem", "BatchWriteItem", "TransactWriteItems"];
    assert_eq!(operations(&dynamodb).await[1..], expected);
    let mut rows = Vec::new();
    for call in 1..=4 {
        rows.push(dynamodb.rows_of_call(call).await.len());
    }
    assert_eq!(rows, [99, 2, 2, 99]);
}

#[tokio::test]
async fn the_lease_is_released_if_a_record_beside_the_transaction_is_not_written() {
    let (ec2, sns) = (with_101_tables().await, Sns::accepting_all().await);
    let dynamodb = DynamoDb::refusing("BatchWriteItem").await;
    let outcome = run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await.outcome;
    let why = "BatchWriteItem: AccessDeniedException (request id 0a1b-request)";
    assert_eq!(outcome, Outcome::Error("LedgerFailed".into(), why.into()));
    assert_eq!(operations(&dynamodb).await[1..], ["TransactWriteItems", "BatchWriteItem", "TransactWriteItems"]);
    assert_eq!(dynamodb.rows_of_call(3).await, Vec::<Value>::new());
    let message: Value = serde_json::from_str(&sns.calls().await[0]["Message"]).unwrap();
    assert_eq!(message["findings"][0]["change"], json!("reported"));
}

/// How the expression begins that acquires a lease, and the one that releases it.
const ACQUIRES: &str = "SET claims";
const RELEASES: &str = "REMOVE claimedUntil";

#[tokio::test]
async fn a_lease_that_another_invocation_acquires_first_leads_to_another_attempt() {
    for reason in ["ConditionalCheckFailed", "TransactionConflict"] {
        let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
        let dynamodb = DynamoDb::cancelling(ACQUIRES, reason, 1).await;
        let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
        assert_eq!(report["published"], json!(1), "{reason}");
        let attempt = [QUERY_OF_THE_VPC, "TransactWriteItems"];
        assert_eq!(operations(&dynamodb).await, [&attempt[..], &attempt, &["TransactWriteItems"]].concat(), "{reason}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_transaction_is_made_again_if_dynamodb_has_no_capacity_or_the_release_meets_another_invocation() {
    for (cancelled, reason, calls) in [
        (ACQUIRES, "ThrottlingError", [3, 1]),
        (ACQUIRES, "ProvisionedThroughputExceeded", [3, 1]),
        (RELEASES, "ThrottlingError", [1, 3]),
        (RELEASES, "TransactionConflict", [1, 3]),
        // Released by an earlier attempt whose answer did not arrive.
        (RELEASES, "ConditionalCheckFailed", [1, 1]),
    ] {
        let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
        let dynamodb = DynamoDb::cancelling(cancelled, reason, 2).await;
        let report = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
        assert_eq!(report["published"], json!(1), "{reason}");
        let bodies: Vec<String> = dynamodb.calls().await.iter().map(|(_, body)| body.to_string()).collect();
        let count = |text| bodies.iter().filter(|body| body.contains(text)).count();
        assert_eq!([count(ACQUIRES), count(RELEASES)], calls, "{reason}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_transaction_that_is_cancelled_for_another_reason_fails() {
    let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
    let dynamodb = DynamoDb::cancelling(ACQUIRES, "ValidationError", 1).await;
    let outcome = run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await.outcome;
    let why = "TransactWriteItems: TransactionCanceledException (request id 0a1b-request)";
    assert_eq!(outcome, Outcome::Error("LedgerFailed".into(), why.into()));
}

#[test]
fn the_lease_sorts_before_every_finding() {
    assert!(format!("{VPC}#!lease") < format!("{VPC}#{}", "0".repeat(64)));
}

#[tokio::test]
async fn a_network_that_was_read_just_now_is_not_read_again() {
    let (ec2, sns, dynamodb) = (uncovered().await, Sns::accepting_all().await, DynamoDb::holding(Vec::new()).await);
    assert_eq!(report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await)["published"], json!(1));
    assert_eq!(ec2.calls().await.len(), 4);
}

#[tokio::test]
async fn nothing_is_published_to_a_topic_without_subscribers_until_it_has_some() {
    let (ec2, dynamodb) = (uncovered().await, DynamoDb::holding(Vec::new()).await);
    let nobody = Sns::with_subscriptions(&[Subscriptions::Confirmed(0)]).await;
    let answer = report(run(&ec2.url(), &nobody, &dynamodb.url(), &check_vpc()).await);
    assert_eq!([&answer["published"], &answer["withoutSubscribers"]], [&json!(0), &json!(["json"])]);
    // Once during the start, and once during the invocation.
    assert_eq!((nobody.calls().await.len(), nobody.calls_of("GetTopicAttributes").await.len()), (0, 2));
    let written = dynamodb.rows_of_call(2).await[0]["Put"]["Item"].clone();
    assert_eq!([&written["notified"], &written["pending"]], [&json!({"L": []}), &json!({"L": []})]);

    let (dynamodb, sns) = (DynamoDb::holding(vec![json!([written])]).await, Sns::accepting_all().await);
    let answer = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
    assert_eq!([&answer["published"], &answer["withoutSubscribers"]], [&json!(1), &Value::Null]);
    let [message] = <[_; 1]>::try_from(sns.calls().await).unwrap();
    let message: Value = serde_json::from_str(&message["Message"]).unwrap();
    let finding = &message["findings"][0];
    assert_eq!([&finding["change"], &finding["since"]], [&json!("opened"), &written["since"]["S"]]);
}

#[tokio::test]
async fn a_topic_that_had_subscribers_at_the_start_is_not_looked_up_again() {
    let (ec2, dynamodb, sns) = (uncovered().await, DynamoDb::holding(Vec::new()).await, Sns::accepting_all().await);
    assert_eq!(report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await)["published"], json!(1));
    assert_eq!(sns.calls_of("GetTopicAttributes").await.len(), 1);
}

#[tokio::test]
async fn a_topic_that_an_invocation_has_looked_up_is_not_looked_up_by_the_next_one() {
    let (ec2, dynamodb) = (uncovered().await, DynamoDb::holding(Vec::new()).await);
    let sns = Sns::with_subscriptions(&[Subscriptions::Denied, Subscriptions::Confirmed(1)]).await;
    let (ec2_url, sns_url, dynamodb_url) = (ec2.url(), sns.url(), dynamodb.url());
    let variables = variables(&ec2_url, &sns_url, &dynamodb_url);
    let earlier = [check_vpc(), check_vpc()];
    report(invoke_after(&variables, &earlier, &check_vpc(), Duration::from_mins(1)).await);
    assert_eq!((sns.calls().await.len(), sns.calls_of("GetTopicAttributes").await.len()), (3, 2));
}

#[tokio::test]
async fn only_that_a_topic_has_subscribers_is_remembered() {
    use Subscriptions::{Confirmed, Denied};
    for (at_start, now, published) in
        [(Confirmed(0), Confirmed(1), 1), (Denied, Confirmed(0), 0), (Denied, Confirmed(1), 1), (Denied, Denied, 1)]
    {
        let (ec2, dynamodb) = (uncovered().await, DynamoDb::holding(Vec::new()).await);
        let sns = Sns::with_subscriptions(&[at_start, now]).await;
        let answer = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
        let without_subscribers = if published == 0 { json!(["json"]) } else { Value::Null };
        assert_eq!([&answer["published"], &answer["withoutSubscribers"]], [&json!(published), &without_subscribers]);
        assert_eq!(sns.calls_of("GetTopicAttributes").await.len(), 2);
    }
}

#[tokio::test]
async fn a_topic_without_subscribers_is_named_only_if_an_alert_is_due() {
    let (ec2, sns) = (uncovered().await, Sns::with_subscriptions(&[Subscriptions::Confirmed(0)]).await);
    let mut row = known_row();
    row["notified"] = json!({"L": []});
    row["unaware"] = json!({"L": []});
    for (row, without_subscribers) in [(known_row(), Value::Null), (row, json!(["json"]))] {
        let dynamodb = DynamoDb::holding(vec![json!([row])]).await;
        let answer = report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
        assert_eq!([&answer["published"], &answer["withoutSubscribers"]], [&json!(0), &without_subscribers]);
    }
}

#[tokio::test]
async fn a_request_without_publish_looks_up_no_topic() {
    let (ec2, dynamodb) = (uncovered().await, DynamoDb::holding(Vec::new()).await);
    let sns = Sns::with_subscriptions(&[Subscriptions::Denied]).await;
    let quiet = json!({"check": {"vpcIds": [VPC]}, "publish": false});
    report(run(&ec2.url(), &sns, &dynamodb.url(), &quiet).await);
    assert_eq!(sns.calls_of("GetTopicAttributes").await.len(), 1, "only during the start");
}

#[tokio::test]
async fn an_invocation_without_an_alert_does_not_wait_for_the_topics() {
    let (ec2, sns) = (uncovered().await, Sns::with_subscriptions(&[Subscriptions::Hangs]).await);
    let dynamodb = DynamoDb::holding(vec![json!([known_row()])]).await;
    let started_at = Instant::now();
    report(run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await);
    // One attempt alone would take five seconds.
    assert!(started_at.elapsed() < Duration::from_secs(4), "{:?}", started_at.elapsed());
}

#[tokio::test]
async fn a_resend_sends_a_known_finding_again() {
    let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
    let dynamodb = DynamoDb::holding(vec![json!([known_row()])]).await;
    let event = json!({"check": {"vpcIds": [VPC]}, "resend": true, "channels": ["json"]});
    assert_eq!(report(run(&ec2.url(), &sns, &dynamodb.url(), &event).await)["published"], json!(1));
    let [message] = <[_; 1]>::try_from(sns.calls().await).unwrap();
    let message: Value = serde_json::from_str(&message["Message"]).unwrap();
    assert_eq!(message["findings"][0]["change"], json!("reminder"));
    let event = json!({"check": {"vpcIds": [VPC]}, "resend": true, "channels": ["text"]});
    assert_eq!(
        run(&ec2.url(), &sns, &dynamodb.url(), &event).await.outcome,
        Outcome::Error(
            "UnsupportedEvent".into(),
            "manual request: no topic is set for \"text\" in \"channels\"; allowed are \"json\"".into()
        )
    );
}

/// The event as a message that SQS delivers for this time.
fn delivery(receive_count: u32, event: &Value) -> Value {
    json!({"Records": [{
        "messageId": "0a1b", "eventSource": "aws:sqs", "body": event.to_string(),
        "attributes": {"ApproximateReceiveCount": receive_count.to_string()}
    }]})
}

#[tokio::test]
async fn without_the_history_a_record_is_reported_at_its_third_delivery_and_the_region_never() {
    let region = json!({"check": "region"});
    let (ec2, sns) = (uncovered().await, Sns::accepting_all().await);
    for refused in ["Query", "TransactWriteItems"] {
        let dynamodb = DynamoDb::refusing(refused).await;
        for (event, messages) in [
            (delivery(1, &check_vpc()), 0),
            (delivery(2, &check_vpc()), 0),
            (delivery(3, &check_vpc()), 1),
            (delivery(4, &check_vpc()), 0),
            (delivery(3, &region), 0),
            (region.clone(), 0),
            (check_vpc(), 1),
        ] {
            let sent_before = sns.calls().await.len();
            let outcome = run(&ec2.url(), &sns, &dynamodb.url(), &event).await.outcome;
            match outcome {
                Outcome::Response(answer) => {
                    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "0a1b"}]}), "{event}");
                }
                Outcome::Error(error_type, _) => assert_eq!(error_type, "LedgerFailed", "{event}"),
                Outcome::InitError(..) => panic!("{event}"),
            }
            let calls = sns.calls().await.split_off(sent_before);
            assert_eq!(calls.len(), messages, "{refused} is refused, {event}");
            for call in calls {
                let message: Value = serde_json::from_str(&call["Message"]).unwrap();
                assert_eq!(message["findings"][0]["change"], json!("reported"));
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn without_the_history_named_findings_are_sent_and_the_invocation_fails() {
    let (ec2, sns, dynamodb) = (uncovered().await, Sns::accepting_all().await, DynamoDb::refusing("Query").await);
    let invocation = run(&ec2.url(), &sns, &dynamodb.url(), &check_vpc()).await;
    assert_eq!(
        invocation.outcome,
        Outcome::Error("LedgerFailed".into(), "Query: AccessDeniedException (request id 0a1b-request)".into())
    );
    let [message] = <[_; 1]>::try_from(sns.calls().await).unwrap();
    let message: Value = serde_json::from_str(&message["Message"]).unwrap();
    assert_eq!([&message["ledger"], &message["findings"][0]["change"]], [&json!("unavailable"), &json!("reported")]);
}

/// Answers once the other server has received a request as well, or after 1.5 s.
struct Meeting {
    asked: Arc<AtomicBool>,
    other: Arc<AtomicBool>,
    met: Arc<AtomicBool>,
    answer: fn(&Request) -> ResponseTemplate,
}

impl Respond for Meeting {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        self.asked.store(true, Ordering::SeqCst);
        let until = Instant::now() + Duration::from_millis(1500);
        while !self.other.load(Ordering::SeqCst) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        self.met.fetch_and(self.other.load(Ordering::SeqCst), Ordering::SeqCst);
        (self.answer)(request)
    }
}

/// A server that answers once the other server has received a request as well.
async fn meeting([asked, other, met]: [&Arc<AtomicBool>; 3], answer: fn(&Request) -> ResponseTemplate) -> MockServer {
    let server = MockServer::builder().start().await;
    let meeting = Meeting { asked: asked.clone(), other: other.clone(), met: met.clone(), answer };
    Mock::given(method("POST")).respond_with(meeting).mount(&server).await;
    server
}

fn empty_set(request: &Request) -> ResponseTemplate {
    let action = form(request)["Action"].clone();
    ResponseTemplate::new(200).set_body_string(format!("<{action}Response></{action}Response>"))
}

#[tokio::test]
async fn the_history_and_ec2_are_read_at_the_same_time() {
    let [of_ec2, of_dynamodb, met] = [false, false, true].map(|flag| Arc::new(AtomicBool::new(flag)));
    let ec2 = meeting([&of_ec2, &of_dynamodb, &met], empty_set).await;
    let no_items = |_: &Request| ResponseTemplate::new(200).set_body_json(json!({"Items": []}));
    let dynamodb = meeting([&of_dynamodb, &of_ec2, &met], no_items).await;
    let report = report(run(&ec2.uri(), &Sns::accepting_all().await, &dynamodb.uri(), &check_vpc()).await);
    assert_eq!([&report["ledger"], &report["notFound"]], [&json!("on"), &json!([VPC])]);
    assert!(met.load(Ordering::SeqCst), "one read started only after the other had ended");
}

#[tokio::test]
async fn a_topic_is_looked_up_while_ec2_is_read() {
    let [of_ec2, of_sns, met] = [false, false, true].map(|flag| Arc::new(AtomicBool::new(flag)));
    let ec2 = meeting([&of_ec2, &of_sns, &met], empty_set).await;
    // The first question is asked during the start, without EC2.
    let sns = MockServer::builder().start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(403)).up_to_n_times(1).mount(&sns).await;
    let meeting = Meeting { asked: of_sns, other: of_ec2, met: met.clone(), answer: empty_set };
    Mock::given(method("POST")).respond_with(meeting).mount(&sns).await;
    let (ec2, sns, dynamodb) = (ec2.uri(), sns.uri(), DynamoDb::holding(Vec::new()).await);
    report(invoke(&variables(&ec2, &sns, &dynamodb.url()), &check_vpc(), Duration::from_mins(1)).await);
    assert!(met.load(Ordering::SeqCst), "the topic was looked up only after the read, or the read waited for it");
}
