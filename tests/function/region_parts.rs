//! A Region that is checked in parts: what each invocation reads, answers, sends and stores.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    schemas::assert_answer,
    support::{
        dynamodb::DynamoDb,
        ec2::{Ec2, Resources},
        lambda::{Outcome, invoke},
        sns::Sns,
    },
};

const ACCOUNT: &str = "123456789012";

fn vpc(n: usize) -> String {
    format!("vpc-{n:08x}")
}

/// VPCs with one route table each, without endpoints. The table of the third is behind a NAT gateway.
fn region(vpcs: &[usize]) -> Resources {
    let tables = vpcs.iter().map(|&n| {
        let (id, vpc) = (format!("rtb-{n:08x}"), vpc(n));
        let routes = match n {
            3 => {
                "<item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-00000003</natGatewayId>\
                 <state>active</state></item>"
            }
            _ => "",
        };
        let xml = format!(
            "<item><routeTableId>{id}</routeTableId><vpcId>{vpc}</vpcId><routeSet>{routes}</routeSet><associationSet>\
             <item><main>true</main></item></associationSet></item>"
        );
        (id, xml)
    });
    let subnet = format!(
        "<item><subnetId>subnet-00000003</subnetId><vpcId>{}</vpcId><cidrBlock>10.0.0.0/24</cidrBlock></item>",
        vpc(3)
    );
    HashMap::from([
        ("DescribeVpcs", vpcs.iter().map(|&n| (vpc(n), format!("<item><vpcId>{}</vpcId></item>", vpc(n)))).collect()),
        ("DescribeRouteTables", tables.collect()),
        ("DescribeSubnets", vec![("subnet-00000003".to_owned(), subnet)]),
    ])
}

/// The row of an open finding about a route table that EC2 does not have.
fn gone(vpc: usize, table: usize) -> Value {
    let (vpc, table, finding) = (format!("vpc-{vpc:08x}"), format!("rtb-{table:08x}"), format!("{table:064x}"));
    json!({
        "pk": {"S": "123456789012#eu-west-1"}, "sk": {"S": format!("{vpc}#{finding}")},
        "findingId": {"S": finding}, "account": {"S": ACCOUNT}, "vpcId": {"S": vpc},
        "routeTable": {"M": {"id": {"S": table}, "name": {"NULL": true}, "main": {"BOOL": true}}},
        "service": {"S": "s3"}, "gap": {"S": "no_endpoint"}, "severity": {"S": "LOW"}, "worst": {"S": "LOW"},
        "subnets": {"L": []}, "egress": {"M": {"kind": {"S": "none"}, "target": {"NULL": true}}},
        "state": {"S": "open"}, "since": {"S": "2026-11-20T10:00:00Z"}, "told": {"S": "2026-11-20T10:00:00Z"},
        "change": {"S": "opened"}, "resolution": {"NULL": true}, "pending": {"L": []}, "unaware": {"L": []},
        "notified": {"L": [{"S": "json"}]}, "thread": {"S": "2026-11-20T10:00:00Z"}
    })
}

/// The servers that the function calls.
struct Servers {
    ec2: Ec2,
    dynamodb: DynamoDb,
    sns: Sns,
}

impl Servers {
    /// Findings of a VPC that is gone, and of a table that is gone, of the first VPC, are open.
    async fn with_vpcs(vpcs: &[usize]) -> Self {
        let rows = vec![gone(1, 0xa), gone(9, 9)];
        Self {
            ec2: Ec2::of_region(region(vpcs), 100, true).await,
            dynamodb: DynamoDb::holding_rows([("123456789012#eu-west-1", rows)]).await,
            sns: Sns::accepting_all().await,
        }
    }

    async fn invoke(&self, more: &[(&str, &str)], request: &Value) -> Outcome {
        let (ec2, dynamodb, sns) = (self.ec2.url(), self.dynamodb.url(), self.sns.url());
        let variables = [
            ("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:gatewatch"),
            ("LEDGER_TABLE", "gatewatch-ledger"),
            ("CHECKS", "gateway-route"),
            ("REQUIRED_SERVICES", "s3"),
            ("MEMBER_ROLE", "gatewatch-read"),
            ("AWS_ENDPOINT_URL_EC2", &ec2),
            ("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb),
            ("AWS_ENDPOINT_URL_SNS", &sns),
        ];
        let variables: Vec<(&str, &str)> = variables.into_iter().chain(more.iter().copied()).collect();
        invoke(&variables, request, Duration::from_mins(1)).await.outcome
    }

    async fn answer(&self, request: &Value) -> Value {
        let Outcome::Response(answer) = self.invoke(&[], request).await else { panic!("{request}") };
        assert_answer(&answer);
        answer
    }

    /// How often each call was made.
    async fn calls(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.ec2.calls().await {
            *counts.entry(call).or_default() += 1;
        }
        counts
    }

    /// What subscribers received: the VPC, and table and change of each finding. Sorted.
    async fn sent(&self) -> Vec<String> {
        let told = |form: &HashMap<String, String>| {
            let body: Value = serde_json::from_str(&form["Message"]).unwrap();
            let findings: Vec<String> = (body["findings"].as_array().unwrap().iter())
                .map(|finding| {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    let [table, change, cause] =
                        [&finding["routeTable"]["id"], &finding["change"], &finding["resolution"]["cause"]].map(text);
                    format!("{table} {change} {cause}").trim_end().to_owned()
                })
                .collect();
            format!("{}: {}", body["vpc"]["id"].as_str().unwrap(), findings.join(", "))
        };
        let mut sent: Vec<String> = self.sns.calls().await.iter().map(told).collect();
        sent.sort();
        sent
    }

    /// The values of each marker that was written.
    async fn marked(&self) -> Vec<Value> {
        let calls = self.dynamodb.calls().await.into_iter();
        let updates = calls.filter(|(operation, _)| operation == "UpdateItem");
        updates
            .map(|(_, body)| {
                assert_eq!(body["Key"], json!({"pk": {"S": "markers"}, "sk": {"S": "123456789012#eu-west-1"}}));
                let values = &body["ExpressionAttributeValues"];
                json!([values[":checkedAt"]["S"], values[":high"]["N"], values[":medium"]["N"], values[":low"]["N"]])
            })
            .collect()
    }
}

fn request(max_vpcs: usize, next: &Value) -> Value {
    let mut request = json!({"check": "region", "account": ACCOUNT, "region": "eu-west-1", "maxVpcs": max_vpcs});
    if !next.is_null() {
        request["next"] = next.clone();
    }
    request
}

/// The tables of the findings.
fn tables(answer: &Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["routeTable"]["id"].as_str().unwrap()).collect()
}

fn checked(vpcs: usize, subnets: usize) -> Value {
    json!({"vpcs": vpcs, "subnets": subnets, "routeTables": vpcs})
}

#[tokio::test]
async fn each_part_checks_its_vpcs_and_the_last_one_completes_the_check() {
    let servers = Servers::with_vpcs(&[1, 2, 3, 4, 5]).await;

    let first = servers.answer(&request(2, &json!(null))).await;
    assert_eq!(
        (&first["scope"], &first["checked"], &first["published"]),
        (&json!("region"), &checked(2, 0), &json!(3))
    );
    assert_eq!(tables(&first), ["rtb-00000001", "rtb-00000002"]);
    assert_eq!((&first["account"], &first["region"]), (&json!(ACCOUNT), &json!("eu-west-1")));
    let since = first["next"]["since"].clone();
    assert_eq!(
        first["next"],
        json!({"afterVpcId": vpc(2), "since": since, "open": {"HIGH": 0, "MEDIUM": 0, "LOW": 2}})
    );

    let second = servers.answer(&request(2, &first["next"])).await;
    assert_eq!((&second["checked"], &second["published"]), (&checked(2, 1), &json!(2)));
    assert_eq!(tables(&second), ["rtb-00000003", "rtb-00000004"]);
    assert_eq!(
        second["next"],
        json!({"afterVpcId": vpc(4), "since": since, "open": {"HIGH": 1, "MEDIUM": 0, "LOW": 3}})
    );
    let before_the_last = [
        "vpc-00000001: rtb-00000001 opened",
        "vpc-00000001: rtb-0000000a resolved table_deleted",
        "vpc-00000002: rtb-00000002 opened",
        "vpc-00000003: rtb-00000003 opened",
        "vpc-00000004: rtb-00000004 opened",
    ];
    assert_eq!(servers.sent().await, before_the_last);
    assert_eq!(servers.marked().await, Vec::<Value>::new());

    let last = servers.answer(&request(2, &second["next"])).await;
    assert_eq!((&last["checked"], &last["published"], last.get("next")), (&checked(1, 0), &json!(2), None));
    assert_eq!(tables(&last), ["rtb-00000005"]);
    let after = ["vpc-00000005: rtb-00000005 opened", "vpc-00000009: rtb-00000009 resolved vpc_deleted"];
    assert_eq!(servers.sent().await, [&before_the_last[..], &after[..]].concat());
    assert_eq!(servers.marked().await, [json!([since, "1", "0", "4"])]);
}

#[tokio::test]
async fn a_part_reads_only_its_own_vpcs() {
    let servers = Servers::with_vpcs(&[1, 2, 3, 4, 5]).await;
    let next =
        json!({"afterVpcId": vpc(2), "since": "2026-11-27T04:00:00Z", "open": {"HIGH": 0, "MEDIUM": 0, "LOW": 0}});
    servers.answer(&request(2, &next)).await;
    let calls = [
        ("DescribeRouteTables vpc-id=vpc-00000003,vpc-00000004", 1),
        ("DescribeSubnets vpc-id=vpc-00000003,vpc-00000004", 1),
        ("DescribeVpcEndpoints vpc-id=vpc-00000003,vpc-00000004", 1),
        ("DescribeVpcs", 1),
        ("DescribeVpcs vpc-id=vpc-00000003,vpc-00000004", 1),
    ];
    let expected: BTreeMap<String, usize> = calls.map(|(call, count)| (call.to_owned(), count)).into();
    // What the finding behind the NAT gateway depends on.
    let mut made = servers.calls().await;
    made.retain(|call, _| !call.starts_with("DescribeNatGateways"));
    assert_eq!(made, expected);
    let queries: Vec<Value> = (servers.dynamodb.calls().await.into_iter())
        .filter(|(operation, _)| operation == "Query")
        .map(|(_, body)| body["KeyConditionExpression"].clone())
        .collect();
    assert_eq!(queries, ["pk = :pk"]);
}

#[tokio::test]
async fn a_region_that_is_not_too_large_is_checked_as_without_a_limit() {
    let mut seen = Vec::new();
    for limited in [true, false] {
        let servers = Servers::with_vpcs(&[1, 2, 3]).await;
        let mut request = request(3, &json!(null));
        if !limited {
            request.as_object_mut().unwrap().remove("maxVpcs");
        }
        let answer = servers.answer(&request).await;
        assert_eq!(answer.get("next"), None);
        let counts: Vec<Value> = servers.marked().await.into_iter().map(|mut marked| marked[1].take()).collect();
        let operations: Vec<String> =
            (servers.dynamodb.calls().await.into_iter()).map(|(operation, _)| operation).collect();
        seen.push((answer, servers.calls().await, servers.sent().await, counts, operations.len()));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!((seen[0].1["DescribeVpcs"], seen[0].3.as_slice()), (1, &[json!("1")][..]));
}

#[tokio::test]
async fn vpcs_that_are_deleted_between_two_parts_harm_neither() {
    // The last VPC of the part before, and everything after it.
    let servers = Servers::with_vpcs(&[1]).await;
    let next =
        json!({"afterVpcId": vpc(2), "since": "2026-11-27T04:00:00Z", "open": {"HIGH": 0, "MEDIUM": 7, "LOW": 2}});
    let last = servers.answer(&request(2, &next)).await;
    assert_eq!((&last["checked"], &last["findings"], last.get("next")), (&checked(0, 0), &json!([]), None));
    assert_eq!(servers.sent().await, ["vpc-00000009: rtb-00000009 resolved vpc_deleted"]);
    assert_eq!(servers.marked().await, [json!(["2026-11-27T04:00:00Z", "0", "7", "2"])]);
}

#[tokio::test]
async fn a_part_that_fails_marks_nothing_and_can_be_repeated() {
    let servers = Servers { sns: Sns::refusing("vpc-00000005").await, ..Servers::with_vpcs(&[1, 2, 3, 4, 5]).await };
    let next =
        json!({"afterVpcId": vpc(4), "since": "2026-11-27T04:00:00Z", "open": {"HIGH": 1, "MEDIUM": 0, "LOW": 3}});
    let Outcome::Error(kind, _) = servers.invoke(&[], &request(2, &next)).await else { panic!() };
    assert_eq!(kind, "PublishFailed");
    assert_eq!(servers.marked().await, Vec::<Value>::new());

    let servers = Servers::with_vpcs(&[1, 2, 3, 4, 5]).await;
    for _ in 0..2 {
        servers.answer(&request(2, &next)).await;
    }
    let marked = json!(["2026-11-27T04:00:00Z", "1", "0", "4"]);
    assert_eq!(servers.marked().await, [marked.clone(), marked], "a part counts once");
}

#[tokio::test]
async fn a_region_whose_history_cannot_be_read_sends_nothing_also_in_parts() {
    let servers = Servers { dynamodb: DynamoDb::refusing("Query").await, ..Servers::with_vpcs(&[1, 2, 3]).await };
    let Outcome::Error(kind, _) = servers.invoke(&[], &request(2, &json!(null))).await else { panic!() };
    assert_eq!(kind, "LedgerFailed");
    assert_eq!(servers.sent().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_function_of_one_account_checks_parts_too() {
    let servers = Servers::with_vpcs(&[1, 2, 3]).await;
    let request = json!({"check": "region", "maxVpcs": 2, "publish": false});
    let Outcome::Response(answer) = servers.invoke(&[("MEMBER_ROLE", "")], &request).await else { panic!() };
    assert_eq!((&answer["checked"], &answer["next"]["afterVpcId"]), (&checked(2, 0), &json!(vpc(2))));
    assert_eq!(answer.get("account"), None);
}

#[tokio::test]
async fn a_wrong_request_for_a_part_is_refused() {
    let servers = Servers::with_vpcs(&[1]).await;
    let unknown =
        json!({"afterVpcId": "vpc-1", "since": "2026-11-27T04:00:00Z", "open": {"HIGH": 0, "MEDIUM": 0, "LOW": 0}});
    for (request, why) in [
        (request(0, &json!(null)), "\"maxVpcs\" is \"0\"; allowed is a whole number from 1 to 10000"),
        (
            request(1, &unknown),
            "\"afterVpcId\" in \"next\" is \"vpc-1\"; allowed is vpc- and 8 to 17 hexadecimal digits in lower case",
        ),
    ] {
        assert_eq!(
            servers.invoke(&[], &request).await,
            Outcome::Error("UnsupportedEvent".into(), format!("manual request: {why}"))
        );
    }
    assert_eq!(servers.calls().await, BTreeMap::new());
}
