//! The function with fixed answers of EC2 and SNS: normal ones, and every kind of failure.

use std::{slice, time::Duration};

use crate::support::{
    ec2::{Ec2, Page},
    lambda::{Invocation, Outcome, invoke, invoke_after, report},
    sns::Sns,
};
use serde_json::{Value, json};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:gatewatch";
/// The timeout of the function in the template.
const MINUTE: Duration = Duration::from_mins(1);
const VPC: &str = "vpc-0a1b2c3d4e5f60001";

const VPCS: &str = "<item><vpcId>vpc-0a1b2c3d4e5f60001</vpcId><ownerId>123456789012</ownerId><state>available</state>\
    <tagSet><item><key>Env</key><value>x</value></item><item><key>Name</key><value>payments</value></item></tagSet></item>";

const SUBNETS: &str = "<item><subnetId>subnet-0a1b2c3d4e5f60001</subnetId><vpcId>vpc-0a1b2c3d4e5f60001</vpcId>\
    <ownerId>123456789012</ownerId><cidrBlock>10.0.1.0/24</cidrBlock><availabilityZone>eu-west-1a</availabilityZone>\
    <tagSet><item><key>Name</key><value>app-a</value></item></tagSet></item>";

/// The main table without subnets, and the table of the subnet: behind a NAT gateway, with a route to an S3 endpoint.
const MAIN_TABLE: &str = "<item><routeTableId>rtb-0a1b2c3d4e5f60001</routeTableId>\
    <vpcId>vpc-0a1b2c3d4e5f60001</vpcId><ownerId>123456789012</ownerId><routeSet><item>\
    <destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId><state>active</state></item>\
    </routeSet><associationSet><item><routeTableAssociationId>rtbassoc-0a1b2c3d4e5f60001</routeTableAssociationId>\
    <routeTableId>rtb-0a1b2c3d4e5f60001</routeTableId><main>true</main><associationState><state>associated</state>\
    </associationState></item></associationSet></item>";
const PRIVATE_TABLE: &str = "<item><routeTableId>rtb-0a1b2c3d4e5f60002</routeTableId>\
    <vpcId>vpc-0a1b2c3d4e5f60001</vpcId><ownerId>123456789012</ownerId><routeSet><item>\
    <destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-0a1b2c3d4e5f60001</natGatewayId>\
    <state>active</state></item><item><destinationPrefixListId>pl-0a1b2c3d</destinationPrefixListId>\
    <gatewayId>vpce-0a1b2c3d4e5f60001</gatewayId><origin>CreateRoute</origin><state>active</state></item></routeSet>\
    <associationSet><item><routeTableAssociationId>rtbassoc-0a1b2c3d4e5f60002</routeTableAssociationId>\
    <routeTableId>rtb-0a1b2c3d4e5f60002</routeTableId><subnetId>subnet-0a1b2c3d4e5f60001</subnetId><main>false</main>\
    <associationState><state>associated</state></associationState></item></associationSet><tagSet><item>\
    <key>Name</key><value>private-a</value></item></tagSet></item>";

/// A table that is not associated with anything, with a route to an internet gateway.
const UNASSOCIATED_TABLE: &str = "<item><routeTableId>rtb-0a1b2c3d4e5f60003</routeTableId>\
    <vpcId>vpc-0a1b2c3d4e5f60001</vpcId><ownerId>123456789012</ownerId><routeSet><item>\
    <destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>igw-0a1b2c3d4e5f60001</gatewayId>\
    <state>active</state></item></routeSet></item>";

/// In the format of EC2: the type starts with a capital letter, the state does not.
const S3_ENDPOINT: &str = "<item><vpcEndpointId>vpce-0a1b2c3d4e5f60001</vpcEndpointId>\
    <vpcEndpointType>Gateway</vpcEndpointType><vpcId>vpc-0a1b2c3d4e5f60001</vpcId>\
    <serviceName>com.amazonaws.eu-west-1.s3</serviceName><state>available</state>\
    <routeTableIdSet><item>rtb-0a1b2c3d4e5f60002</item></routeTableIdSet></item>";

fn network() -> Vec<(&'static str, Vec<Page>)> {
    vec![
        ("DescribeVpcs", vec![Page::items(VPCS)]),
        ("DescribeSubnets", vec![Page::items(SUBNETS)]),
        ("DescribeRouteTables", vec![Page::items(MAIN_TABLE), Page::items(PRIVATE_TABLE)]),
        ("DescribeVpcEndpoints", vec![Page::items(S3_ENDPOINT)]),
    ]
}

/// The network, with other pages for this call.
async fn with_pages(call: &'static str, pages: Vec<Page>) -> Ec2 {
    let rest = network().into_iter().filter(|(name, _)| *name != call);
    Ec2::answering(rest.chain([(call, pages)])).await
}

async fn run(ec2: &Ec2, sns: &Sns, settings: &[(&str, &str)], event: &Value) -> Invocation {
    run_for(MINUTE, ec2, sns, settings, event).await
}

async fn run_for(left: Duration, ec2: &Ec2, sns: &Sns, settings: &[(&str, &str)], event: &Value) -> Invocation {
    let (ec2, sns) = (ec2.url(), sns.url());
    let mut variables =
        vec![("TOPIC_ARN", TOPIC), ("AWS_ENDPOINT_URL_EC2", ec2.as_str()), ("AWS_ENDPOINT_URL_SNS", sns.as_str())];
    variables.extend(settings);
    invoke(&variables, event, left).await
}

fn check_vpc() -> Value {
    json!({"check": {"vpcIds": [VPC]}})
}

/// One message of an SQS batch.
fn message(id: &str, body: &Value) -> Value {
    json!({"messageId": id, "eventSource": "aws:sqs", "body": body.to_string(), "awsRegion": "eu-west-1"})
}

/// The record of a call, as EventBridge delivers it.
fn call(name: &str, request: &Value, response: &Value) -> Value {
    json!({
        "version": "0", "id": "0a1b2c3d-0000-4000-8000-000000000001", "source": "aws.ec2",
        "detail-type": "AWS API Call via CloudTrail", "account": "123456789012", "region": "eu-west-1",
        "time": "2026-11-20T10:00:00Z", "resources": [],
        "detail": {"eventName": name, "requestParameters": request, "responseElements": response}
    })
}

#[tokio::test]
async fn every_line_of_the_log_names_the_version() {
    for (format, level) in [("JSON", "INFO"), ("JSON", "ERROR"), ("Text", "INFO")] {
        let (ec2, sns) = (Ec2::answering(network()).await, Sns::accepting_all().await);
        let bad = json!({"Records": [message("bad", &json!({"check": 7})), message("good", &check_vpc())]});
        let settings = [("AWS_LAMBDA_LOG_FORMAT", format), ("AWS_LAMBDA_LOG_LEVEL", level)];
        let log = run(&ec2, &sns, &settings, &bad).await.log;
        assert!(log.contains("a message of the batch failed"), "{log}");
        for line in log.lines() {
            assert!(line.contains(env!("CARGO_PKG_VERSION")), "{format}, {level}: {line}");
        }
    }
}

#[tokio::test]
async fn the_real_format_of_ec2_is_read() {
    let (ec2, sns) = (Ec2::answering(network()).await, Sns::accepting_all().await);
    let settings = [("REQUIRED_SERVICES", "s3")];
    let report =
        report(run(&ec2, &sns, &settings, &json!({"check": {"routeTableIds": ["rtb-0a1b2c3d4e5f60002"]}})).await);
    assert_eq!(
        report,
        json!({
            "scope": {"vpcIds": [], "subnetIds": [], "routeTableIds": ["rtb-0a1b2c3d4e5f60002"], "vpcEndpointIds": []},
            "checked": {"vpcs": 1, "subnets": 1, "routeTables": 1},
            "findings": [], "exempt": [], "unassessed": [], "notFound": [], "unreadableExemptions": [], "ledger": "off",
            "published": 0
        })
    );
    assert_eq!(sns.calls().await, Vec::new());
}

#[tokio::test]
async fn a_finding_is_reported_and_published() {
    let (ec2, sns) = (Ec2::answering(network()).await, Sns::accepting_all().await);
    let report = report(run(&ec2, &sns, &[], &check_vpc()).await);
    let found: Vec<_> = (report["findings"].as_array().unwrap().iter())
        .map(|f| [&f["routeTable"]["id"], &f["service"], &f["gap"], &f["severity"]].map(|v| v.as_str().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ["rtb-0a1b2c3d4e5f60001", "dynamodb", "no_endpoint", "LOW"],
            ["rtb-0a1b2c3d4e5f60001", "s3", "not_associated", "LOW"],
            ["rtb-0a1b2c3d4e5f60002", "dynamodb", "no_endpoint", "HIGH"],
        ]
    );
    assert_eq!(report["checked"], json!({"vpcs": 1, "subnets": 1, "routeTables": 2, "endpoints": 1}));
    assert_eq!(report["published"], json!(1));

    let [publish] = <[_; 1]>::try_from(sns.calls().await).unwrap();
    let field = |name: &str| publish.get(name).map(String::as_str);
    assert_eq!(field("Action"), Some("Publish"));
    assert_eq!(field("TopicArn"), Some(TOPIC));
    assert_eq!(field("Subject"), Some("[HIGH] gatewatch: 3 findings in vpc-0a1b2c3d4e5f60001, eu-west-1"));
    assert_eq!(field("MessageStructure"), None, "attributes are not delivered with `json`");
    let mut attributes: Vec<[&str; 3]> = (1..)
        .map_while(|n| {
            let part = |part: &str| field(&format!("MessageAttributes.entry.{n}.{part}"));
            Some([part("Name")?, part("Value.DataType")?, part("Value.StringValue")?])
        })
        .collect();
    attributes.sort_unstable();
    assert_eq!(
        attributes,
        [
            ["account", "String", "123456789012"],
            ["changes", "String.Array", "[\"reported\"]"],
            ["checks", "String.Array", "[\"gateway-route\"]"],
            ["region", "String", "eu-west-1"],
            ["services", "String.Array", "[\"dynamodb\",\"s3\"]"],
            ["severity", "String", "HIGH"],
            ["vpcId", "String", VPC],
        ]
    );
    let message: Value = serde_json::from_str(field("Message").unwrap()).unwrap();
    assert_eq!(message["vpc"], json!({"id": VPC, "name": "payments"}));
    assert_eq!(message["trigger"], json!({"kind": "manual"}));
    assert_eq!(message["ledger"], json!("off"));
    let mut told = report["findings"].clone();
    for finding in told.as_array_mut().unwrap() {
        finding["change"] = json!("reported");
        finding["since"] = json!(null);
    }
    assert_eq!(message["findings"], told);
}

#[tokio::test]
async fn a_request_without_publish_returns_only_the_report() {
    let (ec2, sns) = (Ec2::answering(network()).await, Sns::accepting_all().await);
    let quiet = json!({"check": {"vpcIds": [VPC]}, "publish": false});
    let report = report(run(&ec2, &sns, &[], &quiet).await);
    assert_eq!((report["findings"].as_array().unwrap().len(), &report["published"]), (3, &json!(0)));
    assert_eq!(sns.calls().await, Vec::new());
}

#[tokio::test]
async fn a_finding_below_the_minimum_severity_is_reported_and_not_published() {
    let (ec2, sns) = (Ec2::answering(network()).await, Sns::accepting_all().await);
    let main = json!({"check": {"routeTableIds": ["rtb-0a1b2c3d4e5f60001"]}});
    let report = report(run(&ec2, &sns, &[("MIN_SEVERITY", "MEDIUM")], &main).await);
    assert_eq!((report["findings"].as_array().unwrap().len(), &report["published"]), (2, &json!(0)));
    assert_eq!(sns.calls().await, Vec::new());
}

#[tokio::test]
async fn a_resource_on_two_pages_counts_once() {
    let ec2 = with_pages("DescribeSubnets", vec![Page::items(SUBNETS), Page::items(SUBNETS)]).await;
    let report = report(run(&ec2, &Sns::accepting_all().await, &[], &check_vpc()).await);
    assert_eq!(report["checked"], json!({"vpcs": 1, "subnets": 1, "routeTables": 2, "endpoints": 1}));
}

#[tokio::test]
async fn an_exemption_is_reported_and_a_tag_that_cannot_be_read_is_logged() {
    let tagged = |value: &str| {
        let tag = format!("<tagSet><item><key>no-road</key><value>{value}</value></item><item>");
        VPCS.replacen("<tagSet><item>", &tag, 1)
    };
    let settings = [("EXEMPT_TAG", "no-road")];
    let sns = Sns::accepting_all().await;

    let exempt = with_pages("DescribeVpcs", vec![Page::Items(tagged("dynamodb"))]).await;
    let report_of_exempt =
        report(run(&exempt, &sns, &settings, &json!({"check": {"vpcIds": [VPC]}, "publish": false})).await);
    let by_vpc = |table: &str| json!({"service": "dynamodb", "vpcId": VPC, "routeTableId": table, "exemptedBy": [VPC]});
    assert_eq!(report_of_exempt["exempt"], json!([by_vpc("rtb-0a1b2c3d4e5f60001"), by_vpc("rtb-0a1b2c3d4e5f60002")]));
    assert_eq!(report_of_exempt["findings"].as_array().unwrap().len(), 1);

    let unreadable = with_pages("DescribeVpcs", vec![Page::Items(tagged("soon"))]).await;
    let batch = json!({"Records": [message("a", &check_vpc())]});
    let invocation = run(&unreadable, &sns, &settings, &batch).await;
    let warned: Vec<Value> = (invocation.log.lines())
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["level"] == "WARN")
        .map(|line| json!([line["fields"]["resource"], line["fields"]["reason"]]))
        .collect();
    let reason = "\"\\\"soon\\\" is not a service or a check; allowed are s3, dynamodb and s3express, and names of checks such as endpoint-zones\"";
    assert_eq!(warned, [json!([format!("\"{VPC}\""), reason])]);
}

// Only the VPCs in question are read, and only if there is something to check.

const READ_OF_THE_VPC: [&str; 5] = [
    "DescribeRouteTables vpc-id=vpc-0a1b2c3d4e5f60001",
    "DescribeRouteTables vpc-id=vpc-0a1b2c3d4e5f60001",
    "DescribeSubnets vpc-id=vpc-0a1b2c3d4e5f60001",
    "DescribeVpcEndpoints vpc-id=vpc-0a1b2c3d4e5f60001",
    "DescribeVpcs vpc-id=vpc-0a1b2c3d4e5f60001",
];

async fn reads(event: &Value) -> Vec<String> {
    let (ec2, sns) = (Ec2::answering(network()).await, Sns::accepting_all().await);
    report(run(&ec2, &sns, &[], event).await);
    ec2.calls().await
}

#[tokio::test]
async fn only_the_vpc_that_a_record_names_is_read() {
    let subnet = json!({"subnet": {"subnetId": "subnet-0a1b2c3d4e5f60001", "vpcId": VPC}});
    assert_eq!(reads(&call("CreateSubnet", &json!({"vpcId": VPC}), &subnet)).await, READ_OF_THE_VPC);
    assert_eq!(reads(&check_vpc()).await, READ_OF_THE_VPC);
}

#[tokio::test]
async fn a_resource_without_a_known_vpc_is_looked_up_first() {
    let table = json!({"routeTableId": "rtb-0a1b2c3d4e5f60002"});
    let looked_up = "DescribeRouteTables route-table-id=rtb-0a1b2c3d4e5f60002";
    let mut expected = vec![looked_up, looked_up];
    expected.extend(READ_OF_THE_VPC);
    assert_eq!(reads(&call("CreateRoute", &table, &json!(null))).await, expected);
}

#[tokio::test]
async fn a_resource_that_this_process_has_read_is_not_looked_up_again() {
    let table = json!({"routeTableId": "rtb-0a1b2c3d4e5f60002"});
    let event = call("CreateRoute", &table, &json!(null));
    let (ec2, sns) = (Ec2::answering(network()).await, Sns::accepting_all().await);
    let (ec2_url, sns_url) = (ec2.url(), sns.url());
    let variables =
        [("TOPIC_ARN", TOPIC), ("AWS_ENDPOINT_URL_EC2", ec2_url.as_str()), ("AWS_ENDPOINT_URL_SNS", sns_url.as_str())];
    let again = invoke_after(&variables, slice::from_ref(&event), &event, MINUTE).await;
    assert_eq!(report(again)["checked"], json!({"vpcs": 1, "subnets": 1, "routeTables": 1}));
    let looked_up = "DescribeRouteTables route-table-id=rtb-0a1b2c3d4e5f60002";
    let mut expected = [&[looked_up, looked_up], READ_OF_THE_VPC.as_slice(), READ_OF_THE_VPC.as_slice()].concat();
    expected.sort_unstable();
    assert_eq!(ec2.calls().await, expected);
}

// What the lists do not say is read only where a finding depends on it.

/// The network, with these route tables and other pages for one more call.
async fn with_tables(tables: &[&str], call: &'static str, pages: Vec<Page>) -> Ec2 {
    let rest = network().into_iter().filter(|(name, _)| *name != "DescribeRouteTables");
    let tables = ("DescribeRouteTables", vec![Page::items(&tables.concat())]);
    Ec2::answering(rest.chain([tables, (call, pages)])).await
}

/// The table, severity and target of each finding for DynamoDB.
async fn dynamodb_findings(ec2: &Ec2, event: &Value) -> Value {
    let settings = [("REQUIRED_SERVICES", "dynamodb")];
    let report = report(run(ec2, &Sns::accepting_all().await, &settings, event).await);
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|f| json!([f["routeTable"]["id"], f["severity"], f["egress"]["target"]])).collect()
}

fn nat_gateway(state: &str, table: &str) -> String {
    format!(
        "<item><natGatewayId>nat-0a1b2c3d4e5f60001</natGatewayId><vpcId>{VPC}</vpcId><state>{state}</state>\
         <availabilityMode>regional</availabilityMode>{table}</item>"
    )
}

#[tokio::test]
async fn the_table_of_a_regional_nat_gateway_is_not_reported() {
    let used = json!(["rtb-0a1b2c3d4e5f60002", "HIGH", "nat-0a1b2c3d4e5f60001"]);
    let unassociated = json!(["rtb-0a1b2c3d4e5f60003", "LOW", "igw-0a1b2c3d4e5f60001"]);
    let of_gateway = nat_gateway("available", "<routeTableId>rtb-0a1b2c3d4e5f60003</routeTableId>");
    for (gateways, expected) in [
        (vec![Page::items(&of_gateway)], json!([used])),
        (vec![Page::items(""), Page::items(&of_gateway)], json!([used])),
        (vec![Page::items(&nat_gateway("available", ""))], json!([used, unassociated])),
        (vec![], json!([used, unassociated])),
    ] {
        let ec2 = with_tables(&[PRIVATE_TABLE, UNASSOCIATED_TABLE], "DescribeNatGateways", gateways).await;
        assert_eq!(dynamodb_findings(&ec2, &check_vpc()).await, expected);
        let asked = ec2.calls().await.into_iter().find(|call| call.starts_with("DescribeNatGateways"));
        assert_eq!(asked, Some(format!("DescribeNatGateways vpc-id={VPC}")));
    }
}

#[tokio::test]
async fn a_table_that_names_a_nat_gateway_in_its_association_is_not_reported() {
    let association = "<associationSet><item><routeTableAssociationId>rtbassoc-0a1b2c3d4e5f60003\
        </routeTableAssociationId><gatewayId>nat-0a1b2c3d4e5f60001</gatewayId><main>false</main><associationState><state>\
        associated</state></associationState></item></associationSet></item>";
    let table = UNASSOCIATED_TABLE.replace("</routeSet></item>", &format!("</routeSet>{association}"));
    let ec2 = with_tables(&[PRIVATE_TABLE, &table], "DescribeNatGateways", vec![]).await;
    let used = json!(["rtb-0a1b2c3d4e5f60002", "HIGH", "nat-0a1b2c3d4e5f60001"]);
    assert_eq!(dynamodb_findings(&ec2, &check_vpc()).await, json!([used]));
    assert_eq!(ec2.calls().await.iter().filter(|call| call.starts_with("DescribeNatGateways")).count(), 0);
}

#[tokio::test]
async fn a_route_to_a_nat_gateway_that_is_being_deleted_does_not_count() {
    let request = json!({"DeleteNatGatewayRequest": {"NatGatewayId": "nat-0a1b2c3d4e5f60001"}});
    let event = call("DeleteNatGateway", &request, &json!(null));
    for (state, expected) in [
        ("deleting", json!(["rtb-0a1b2c3d4e5f60002", "MEDIUM", null])),
        ("deleted", json!(["rtb-0a1b2c3d4e5f60002", "MEDIUM", null])),
        ("available", json!(["rtb-0a1b2c3d4e5f60002", "HIGH", "nat-0a1b2c3d4e5f60001"])),
    ] {
        let gateways = vec![Page::items(&nat_gateway(state, ""))];
        let ec2 = with_tables(&[PRIVATE_TABLE], "DescribeNatGateways", gateways).await;
        assert_eq!(dynamodb_findings(&ec2, &event).await, json!([expected]), "{state}");
        let asked = ec2.calls().await.into_iter().find(|call| call.starts_with("DescribeNatGateways"));
        assert_eq!(asked.as_deref(), Some("DescribeNatGateways nat-gateway-id=nat-0a1b2c3d4e5f60001"));
    }
    // A route that EC2 shows as a black hole needs no question.
    let blackhole = PRIVATE_TABLE.replacen("<state>active</state>", "<state>blackhole</state>", 1);
    let ec2 = with_tables(&[&blackhole], "DescribeNatGateways", vec![]).await;
    let expected = json!([["rtb-0a1b2c3d4e5f60002", "MEDIUM", null]]);
    assert_eq!(dynamodb_findings(&ec2, &event).await, expected);
    assert_eq!(ec2.calls().await.iter().filter(|call| call.starts_with("DescribeNatGateways")).count(), 0);
}

/// The table of the subnet, whose traffic goes to the NAT gateway through a prefix list.
fn table_with_list() -> String {
    let list = "<destinationPrefixListId>pl-0a1b2c3d4e5f60009</destinationPrefixListId>";
    PRIVATE_TABLE.replace("<destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>", list)
}

#[tokio::test]
async fn a_default_route_through_a_prefix_list_counts() {
    let entry = |cidr: &str| format!("<item><cidr>{cidr}</cidr><description>x</description></item>");
    let [narrow, all_ipv4, all_ipv6] = ["10.0.0.0/8", "0.0.0.0/0", "::/0"].map(entry);
    let high = json!(["rtb-0a1b2c3d4e5f60002", "HIGH", "nat-0a1b2c3d4e5f60001"]);
    let medium = json!(["rtb-0a1b2c3d4e5f60002", "MEDIUM", null]);
    for (pages, expected) in [
        (vec![Page::items(&all_ipv4)], &high),
        (vec![Page::items(&all_ipv6)], &high),
        (vec![Page::items(&narrow), Page::items(&all_ipv4)], &high),
        (vec![Page::items(&narrow)], &medium),
        (vec![], &medium),
    ] {
        let ec2 = with_tables(&[&table_with_list()], "GetManagedPrefixListEntries", pages).await;
        assert_eq!(dynamodb_findings(&ec2, &check_vpc()).await, json!([expected]));
        let calls = ec2.calls().await;
        assert!(calls.contains(&"GetManagedPrefixListEntries pl-0a1b2c3d4e5f60009".to_owned()), "{calls:?}");
    }
}

#[tokio::test]
async fn the_prefix_list_of_a_gateway_endpoint_is_not_read() {
    let ec2 = with_tables(&[PRIVATE_TABLE], "GetManagedPrefixListEntries", vec![Page::Error(403, "Denied")]).await;
    dynamodb_findings(&ec2, &check_vpc()).await;
    let blackhole = PRIVATE_TABLE.replacen("<state>active</state>", "<state>blackhole</state>", 1);
    let ec2 = with_tables(&[&blackhole], "GetManagedPrefixListEntries", vec![Page::Error(403, "Denied")]).await;
    dynamodb_findings(&ec2, &check_vpc()).await;
    assert_eq!(ec2.calls().await, READ_OF_THE_VPC[1..]);
}

#[tokio::test]
async fn a_fact_that_cannot_be_read_fails_the_invocation() {
    for (call, tables) in [
        ("DescribeNatGateways", vec![PRIVATE_TABLE.to_owned(), UNASSOCIATED_TABLE.to_owned()]),
        ("GetManagedPrefixListEntries", vec![table_with_list()]),
    ] {
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let denied = Page::Error(403, "UnauthorizedOperation");
        for pages in [vec![denied.clone()], vec![Page::items(""), denied.clone()]] {
            let ec2 = with_tables(&tables, call, pages).await;
            let expected = format!("{call}: UnauthorizedOperation (request id 0a1b-request)");
            assert_eq!(failed_read(&ec2, MINUTE).await, expected);
        }
        let ec2 = with_tables(&tables, call, vec![Page::Truncated("<item>")]).await;
        assert_eq!(failed_read(&ec2, MINUTE).await, format!("{call}: got an answer that cannot be read"));
    }
}

#[tokio::test]
async fn the_vpcs_with_a_route_to_a_deleted_nat_gateway_are_looked_up() {
    let request = json!({"DeleteNatGatewayRequest": {"NatGatewayId": "nat-0a1b2c3d4e5f60001"}});
    let looked_up = "DescribeRouteTables route.nat-gateway-id=nat-0a1b2c3d4e5f60001";
    let calls = reads(&call("DeleteNatGateway", &request, &json!(null))).await;
    let expected = [&[looked_up, looked_up], &READ_OF_THE_VPC[..]].concat();
    assert_eq!(calls.iter().filter(|call| !call.contains("DescribeNatGateways")).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_region_is_read_without_filters() {
    assert_eq!(
        reads(&json!({"check": "region"})).await,
        ["DescribeRouteTables", "DescribeRouteTables", "DescribeSubnets", "DescribeVpcEndpoints", "DescribeVpcs"]
    );
}

#[tokio::test]
async fn a_record_that_affects_nothing_reads_nothing() {
    assert_eq!(reads(&call("CreateSecurityGroup", &json!({}), &json!({}))).await, Vec::<String>::new());
}

#[tokio::test]
async fn more_than_200_values_take_several_calls() {
    let ids: Vec<String> = (0..201).map(|n| format!("vpc-{n:08x}")).collect();
    let calls = reads(&json!({"check": {"vpcIds": ids}})).await;
    let sizes: Vec<(&str, usize)> =
        calls.iter().filter_map(|call| call.split_once(" vpc-id=")).map(|(c, v)| (c, v.split(',').count())).collect();
    assert_eq!(sizes.iter().filter(|size| **size == ("DescribeVpcs", 200)).count(), 1, "{sizes:?}");
    assert_eq!(sizes.iter().filter(|size| **size == ("DescribeVpcs", 1)).count(), 1, "{sizes:?}");
}

#[tokio::test]
async fn a_resource_that_ec2_does_not_show_is_not_found() {
    let (ec2, sns) = (Ec2::answering([]).await, Sns::accepting_all().await);
    let report = report(run(&ec2, &sns, &[], &json!({"check": {"subnetIds": ["subnet-0a1b2c3d"]}})).await);
    assert_eq!(report["notFound"], json!(["subnet-0a1b2c3d"]));
    assert_eq!(report["findings"], json!([]));
}

#[tokio::test]
async fn pages_of_two_give_the_same_answer_as_one_page() {
    let many = |of: fn(usize) -> String| -> Vec<String> { (0..5).map(of).collect() };
    let sets = [
        ("DescribeVpcs", many(|n| format!("<item><vpcId>vpc-0000000{n}</vpcId></item>"))),
        (
            "DescribeSubnets",
            many(|n| format!("<item><subnetId>subnet-0000000{n}</subnetId><vpcId>vpc-0000000{n}</vpcId></item>")),
        ),
        (
            "DescribeRouteTables",
            many(|n| {
                format!(
                    "<item><routeTableId>rtb-0000000{n}</routeTableId><vpcId>vpc-0000000{n}</vpcId>\
                 <ownerId>123456789012</ownerId><associationSet><item><main>true</main></item></associationSet></item>"
                )
            }),
        ),
        (
            "DescribeVpcEndpoints",
            many(|n| {
                format!(
                    "<item><vpcEndpointId>vpce-0000000{n}</vpcEndpointId><vpcEndpointType>Gateway</vpcEndpointType>\
                 <vpcId>vpc-0000000{n}</vpcId><serviceName>com.amazonaws.eu-west-1.s3</serviceName>\
                 <state>available</state></item>"
                )
            }),
        ),
    ];
    let mut reports = Vec::new();
    for size in [5, 2] {
        let pages = sets
            .clone()
            .map(|(call, items)| (call, items.chunks(size).map(|page| Page::Items(page.concat())).collect::<Vec<_>>()));
        let (ec2, sns) = (Ec2::answering(pages).await, Sns::accepting_all().await);
        reports.push(report(run(&ec2, &sns, &[], &json!({"check": "region", "publish": false})).await));
        assert_eq!(ec2.calls().await.len(), 4 * 5_usize.div_ceil(size));
    }
    assert_eq!(reports[0]["checked"], json!({"vpcs": 5, "subnets": 5, "routeTables": 5, "endpoints": 5}));
    assert_eq!(reports[0]["findings"].as_array().unwrap().len(), 10);
    assert_eq!(reports[0], reports[1]);
}

// EC2 is eventually consistent.

/// The call that created the subnet, so many seconds ago.
fn subnet_created(seconds_ago: i64) -> Value {
    let subnet = json!({"subnet": {"subnetId": "subnet-0a1b2c3d4e5f60001", "vpcId": VPC}});
    let mut event = call("CreateSubnet", &json!({}), &subnet);
    event["time"] = json!((jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds_ago)).to_string());
    event
}

fn subnet_reads(calls: &[String]) -> usize {
    calls.iter().filter(|call| call.starts_with("DescribeSubnets")).count()
}

#[tokio::test]
async fn a_resource_of_a_recent_record_is_requested_again() {
    let (ec2, sns) =
        (with_pages("DescribeSubnets", vec![Page::Late(2, SUBNETS.into())]).await, Sns::accepting_all().await);
    let report = report(run(&ec2, &sns, &[], &subnet_created(5)).await);
    assert_eq!((&report["notFound"], &report["checked"]["subnets"]), (&json!([]), &json!(1)));
    assert_eq!(subnet_reads(&ec2.calls().await), 3);
}

#[tokio::test]
async fn an_endpoint_that_ec2_does_not_show_yet_does_not_count_as_missing() {
    let (ec2, sns) =
        (with_pages("DescribeVpcEndpoints", vec![Page::Late(2, S3_ENDPOINT.into())]).await, Sns::accepting_all().await);
    let endpoint = json!({"vpcEndpoint": {"vpcEndpointId": "vpce-0a1b2c3d4e5f60001", "vpcId": VPC}});
    let mut event = call("CreateVpcEndpoint", &json!({}), &json!({"CreateVpcEndpointResponse": endpoint}));
    event["time"] = json!(jiff::Timestamp::now().to_string());
    let report = report(run(&ec2, &sns, &[("REQUIRED_SERVICES", "s3")], &event).await);
    let gaps: Vec<&Value> = report["findings"].as_array().unwrap().iter().map(|finding| &finding["gap"]).collect();
    assert_eq!(gaps, ["not_associated"], "only the main table has a finding");
}

#[tokio::test]
async fn a_resource_of_an_older_record_is_not_requested_again() {
    let (ec2, sns) =
        (with_pages("DescribeSubnets", vec![Page::Late(1, SUBNETS.into())]).await, Sns::accepting_all().await);
    let report = report(run(&ec2, &sns, &[], &subnet_created(61)).await);
    assert_eq!(report["notFound"], json!(["subnet-0a1b2c3d4e5f60001"]));
    assert_eq!(report["findings"], json!([]));
    assert_eq!(subnet_reads(&ec2.calls().await), 1);
}

#[tokio::test]
async fn the_consistency_retry_ends_before_the_invocation() {
    let (ec2, sns) = (with_pages("DescribeSubnets", vec![Page::items("")]).await, Sns::accepting_all().await);
    let report = report(run_for(Duration::from_secs(8), &ec2, &sns, &[], &subnet_created(5)).await);
    assert_eq!(report["notFound"], json!(["subnet-0a1b2c3d4e5f60001"]));
    assert_eq!(sns.calls().await, Vec::new());
    let reads = subnet_reads(&ec2.calls().await);
    assert!((3..=5).contains(&reads), "after 0, 0.5, 1.5 and 2.8 s: {reads}");
}

// A partial read is an error.

async fn failed_read(ec2: &Ec2, left: Duration) -> String {
    let sns = Sns::accepting_all().await;
    let invocation = run_for(left, ec2, &sns, &[], &check_vpc()).await;
    assert_eq!(sns.calls().await, Vec::new(), "nothing is published");
    match invocation.outcome {
        Outcome::Error(error_type, message) if error_type == "Ec2ReadFailed" => message,
        other => panic!("{other:?}\n{}", invocation.log),
    }
}

#[tokio::test]
async fn a_denied_second_page_fails_the_invocation() {
    for call in ["DescribeVpcs", "DescribeSubnets", "DescribeRouteTables", "DescribeVpcEndpoints"] {
        let first = network().into_iter().find(|(name, _)| *name == call).unwrap().1.remove(0);
        let ec2 = with_pages(call, vec![first, Page::Error(403, "UnauthorizedOperation")]).await;
        assert_eq!(failed_read(&ec2, MINUTE).await, format!("{call}: UnauthorizedOperation (request id 0a1b-request)"));
    }
}

#[tokio::test]
async fn a_second_page_that_keeps_failing_fails_the_invocation() {
    let ec2 = with_pages("DescribeRouteTables", vec![Page::items(MAIN_TABLE), Page::Error(503, "Unavailable")]).await;
    assert_eq!(failed_read(&ec2, MINUTE).await, "DescribeRouteTables: Unavailable (request id 0a1b-request)");
    let tries = ec2.calls().await.iter().filter(|call| call.starts_with("DescribeRouteTables")).count();
    assert_eq!(tries, 1 + 5, "five attempts for the page");
}

#[tokio::test]
async fn endless_pages_fail_the_invocation() {
    let ec2 = with_pages("DescribeSubnets", vec![Page::Endless]).await;
    assert_eq!(
        failed_read(&ec2, Duration::from_secs(3)).await,
        "the network was not read to its end before the invocation's deadline"
    );
}

#[tokio::test]
async fn a_hanging_call_fails_the_invocation_before_its_deadline() {
    let ec2 = with_pages("DescribeVpcEndpoints", vec![Page::Hangs]).await;
    assert_eq!(
        failed_read(&ec2, Duration::from_secs(3)).await,
        "the network was not read to its end before the invocation's deadline"
    );
}

#[tokio::test]
async fn an_answer_in_another_format_fails_the_invocation() {
    let ec2 =
        with_pages("DescribeSubnets", vec![Page::items("<item><subnetId>subnet-0a1b2c3d</subnetId></item>")]).await;
    assert_eq!(failed_read(&ec2, MINUTE).await, "DescribeSubnets: answered a resource without its ids");
}

#[tokio::test]
async fn an_incomplete_answer_fails_the_invocation() {
    let whole = "<item><subnetId>subnet-0a1b2c3d4e5f60001</subnetId><vpcId>vpc-0a1b2c3d4e5f60001</vpcId></item>";
    for rest in ["", whole, "<item><subnetId>subnet-0a1b"] {
        let ec2 = with_pages("DescribeSubnets", vec![Page::Truncated(rest)]).await;
        assert_eq!(failed_read(&ec2, MINUTE).await, "DescribeSubnets: got an answer that cannot be read", "{rest}");
    }
}

// An error names what failed.

#[tokio::test]
async fn a_message_that_sns_rejects_fails_a_direct_invocation() {
    let (ec2, sns) = (Ec2::answering(network()).await, Sns::refusing(VPC).await);
    let invocation = run(&ec2, &sns, &[], &check_vpc()).await;
    assert_eq!(
        invocation.outcome,
        Outcome::Error(
            "PublishFailed".into(),
            "Publish, about vpc-0a1b2c3d4e5f60001: AuthorizationError (request id 0a1b-request)".into()
        )
    );
    assert!(!invocation.log.contains("secret"), "{}", invocation.log);
}

#[tokio::test]
async fn an_unknown_payload_is_rejected_and_named() {
    let (ec2, sns) = (Ec2::answering(network()).await, Sns::accepting_all().await);
    let outcome = run(&ec2, &sns, &[], &json!({"source": "aws.s3", "detail-type": "Object Created"})).await.outcome;
    let Outcome::Error(error_type, message) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error_type, "UnsupportedEvent");
    assert!(message.starts_with("unknown payload: source \"aws.s3\", detail-type \"Object Created\";"), "{message}");
    assert_eq!(ec2.calls().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_setting_that_cannot_be_read_stops_the_function_at_start() {
    let (ec2, sns) = (Ec2::answering(network()).await, Sns::accepting_all().await);
    for (name, value, why) in [
        ("MIN_SEVERITY", "SEVERE", "MIN_SEVERITY is \"SEVERE\"; allowed is LOW, MEDIUM or HIGH"),
        (
            "TOPIC_ARN",
            "gatewatch\n",
            "TOPIC_ARN is \"gatewatch\\n\"; allowed is the ARN of a standard SNS topic, such as \
             arn:aws:sns:eu-west-1:123456789012:gatewatch",
        ),
        (
            "AWS_SECRET_ACCESS_KEY",
            "",
            "AWS_SECRET_ACCESS_KEY is not set; Lambda sets it to a credential of the function's role. Elsewhere, this command \
             sets it: eval \"$(aws configure export-credentials --format env)\"",
        ),
        ("AWS_USE_FIPS_ENDPOINT", "1", "AWS_USE_FIPS_ENDPOINT is \"1\"; allowed is true or false"),
    ] {
        assert_eq!(
            run(&ec2, &sns, &[(name, value)], &check_vpc()).await.outcome,
            Outcome::InitError("ConfigError".into(), why.into())
        );
    }
}

// Each message of a batch fails on its own.

const OTHER_VPC: &str = "vpc-0a1b2c3d4e5f60002";
const OTHER_VPCS: &str =
    "<item><vpcId>vpc-0a1b2c3d4e5f60001</vpcId></item><item><vpcId>vpc-0a1b2c3d4e5f60002</vpcId></item>";
const OTHER_TABLE: &str = "<item><routeTableId>rtb-0a1b2c3d4e5f60009</routeTableId><vpcId>vpc-0a1b2c3d4e5f60002</vpcId>\
    <ownerId>123456789012</ownerId><associationSet><item><main>true</main></item></associationSet></item>";

async fn two_vpcs() -> Ec2 {
    Ec2::answering([
        ("DescribeVpcs", vec![Page::items(OTHER_VPCS)]),
        ("DescribeRouteTables", vec![Page::items(MAIN_TABLE), Page::items(OTHER_TABLE)]),
    ])
    .await
}

fn vpc_created(vpc: &str) -> Value {
    call("CreateVpc", &json!({}), &json!({"vpc": {"vpcId": vpc}}))
}

#[tokio::test]
async fn a_batch_takes_one_read_and_one_message_per_vpc() {
    let (ec2, sns) = (two_vpcs().await, Sns::accepting_all().await);
    let batch = json!({"Records": [
        message("a", &vpc_created(VPC)),
        message("b", &vpc_created(OTHER_VPC)),
        message("c", &vpc_created(VPC)),
    ]});
    assert_eq!(report(run(&ec2, &sns, &[], &batch).await), json!({"batchItemFailures": []}));
    let both = format!("vpc-id={VPC},{OTHER_VPC}");
    assert_eq!(
        ec2.calls().await,
        ["DescribeRouteTables", "DescribeRouteTables", "DescribeSubnets", "DescribeVpcEndpoints", "DescribeVpcs"]
            .map(|call| format!("{call} {both}"))
    );
    let mut told: Vec<_> = (sns.calls().await.iter())
        .map(|call| serde_json::from_str::<Value>(&call["Message"]).unwrap())
        .map(|message| (message["vpc"]["id"].clone(), message["triggers"].clone()))
        .collect();
    told.sort_by_key(|(vpc, _)| vpc.to_string());
    assert_eq!(told, [(json!(VPC), json!(2)), (json!(OTHER_VPC), json!(1))]);
}

#[tokio::test]
async fn a_bad_message_of_a_batch_fails_alone_and_is_logged() {
    let (ec2, sns) = (Ec2::answering(network()).await, Sns::accepting_all().await);
    let mut bad = message("b", &json!(null));
    bad["body"] = json!("{\"password\": \"hunter2\"");
    let batch = json!({"Records": [message("a", &vpc_created(VPC)), bad, message("c", &json!({"x": 1}))]});
    let invocation = run(&ec2, &sns, &[], &batch).await;
    let logged: Vec<Value> = (invocation.log.lines())
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["level"] == "ERROR")
        .map(|line| json!([line["fields"]["message_id"], line["fields"]["error_type"], line["fields"]["error"]]))
        .collect();
    assert_eq!(
        logged,
        [
            json!(["\"b\"", "UnsupportedEvent", "\"the body is not JSON (line 1, column 22)\""]),
            json!([
                "\"c\"",
                "UnsupportedEvent",
                "\"unknown payload: an object with \\\"x\\\"; known are API calls to EC2 and API Gateway via \
                CloudTrail, AWS Config items, scheduled events, SQS batches of these, and an object with \\\"check\\\"\""
            ]),
        ]
    );
    assert!(!invocation.log.contains("hunter2"), "{}", invocation.log);
    assert_eq!(report(invocation), json!({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "c"}]}));
    assert_eq!(sns.calls().await.len(), 1);
}

#[tokio::test]
async fn only_the_records_of_a_vpc_without_a_published_message_fail() {
    let (ec2, sns) = (two_vpcs().await, Sns::refusing(OTHER_VPC).await);
    let batch = json!({"Records": [
        message("a", &vpc_created(VPC)),
        message("b", &vpc_created(OTHER_VPC)),
        message("c", &json!({"check": "region"})),
        message("d", &json!({"check": "region", "publish": false})),
    ]});
    assert_eq!(
        report(run(&ec2, &sns, &[], &batch).await),
        json!({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "c"}]})
    );
}

#[tokio::test]
async fn a_batch_fails_as_a_whole_if_the_network_cannot_be_read() {
    let (ec2, sns) =
        (with_pages("DescribeVpcs", vec![Page::Error(403, "UnauthorizedOperation")]).await, Sns::accepting_all().await);
    let batch = json!({"Records": [message("a", &vpc_created(VPC))]});
    assert_eq!(
        run(&ec2, &sns, &[], &batch).await.outcome,
        Outcome::Error("Ec2ReadFailed".into(), "DescribeVpcs: UnauthorizedOperation (request id 0a1b-request)".into())
    );
}
