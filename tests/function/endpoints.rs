//! The checks of endpoints from the event to the resolved finding: which calls they make, what they answer and what they
//! send.

use std::{slice, time::Duration};

use serde_json::{Value, json};

use crate::{
    schemas::assert_notification,
    support::{
        dynamodb::DynamoDb,
        ec2::{Ec2, Page},
        lambda::{Invocation, Outcome, invoke, invoke_after, report},
        sns::Sns,
    },
};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:gatewatch";
const MINUTE: Duration = Duration::from_mins(1);
const VPC: &str = "vpc-0a1b2c3d4e5f60001";
const SUBNET: &str = "subnet-0a1b2c3d4e5f60001";
const ENDPOINT: &str = "vpce-0a1b2c3d4e5f60007";
const GROUP: &str = "sg-0a1b2c3d4e5f60001";

const VPCS: &str = "<item><vpcId>vpc-0a1b2c3d4e5f60001</vpcId><ownerId>123456789012</ownerId><state>available</state>\
    <cidrBlock>10.0.0.0/16</cidrBlock><cidrBlockAssociationSet><item><cidrBlock>10.0.0.0/16</cidrBlock><associationId>\
    vpc-cidr-assoc-0a1b2c3d</associationId><cidrBlockState><state>associated</state></cidrBlockState></item>\
    </cidrBlockAssociationSet></item>";

const SUBNETS: &str = "<item><subnetId>subnet-0a1b2c3d4e5f60001</subnetId><vpcId>vpc-0a1b2c3d4e5f60001</vpcId>\
    <ownerId>123456789012</ownerId><cidrBlock>10.0.1.0/24</cidrBlock><availabilityZone>eu-west-1a</availabilityZone>\
    <availabilityZoneId>euw1-az1</availabilityZoneId></item>";

/// The only table, behind a NAT gateway and with a route to the gateway endpoint.
const TABLES: &str = "<item><routeTableId>rtb-0a1b2c3d4e5f60001</routeTableId><vpcId>vpc-0a1b2c3d4e5f60001</vpcId>\
    <ownerId>123456789012</ownerId><routeSet><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>\
    <natGatewayId>nat-0a1b2c3d4e5f60001</natGatewayId><state>active</state></item><item><destinationPrefixListId>\
    pl-0a1b2c3d</destinationPrefixListId><gatewayId>vpce-0a1b2c3d4e5f60001</gatewayId><state>active</state></item>\
    </routeSet><associationSet><item><main>true</main><associationState><state>associated</state></associationState>\
    </item></associationSet></item>";

const GATEWAY_ENDPOINT: &str = "<item><vpcEndpointId>vpce-0a1b2c3d4e5f60001</vpcEndpointId>\
    <vpcEndpointType>Gateway</vpcEndpointType><vpcId>vpc-0a1b2c3d4e5f60001</vpcId>\
    <serviceName>com.amazonaws.eu-west-1.s3</serviceName><state>available</state>\
    <routeTableIdSet><item>rtb-0a1b2c3d4e5f60001</item></routeTableIdSet><ownerId>123456789012</ownerId></item>";

/// An interface endpoint, in the format of EC2.
fn interface(service: &str, state: &str, only_for_inbound_resolver: bool) -> String {
    format!(
        "<item><vpcEndpointId>{ENDPOINT}</vpcEndpointId><vpcEndpointType>Interface</vpcEndpointType><vpcId>{VPC}</vpcId>\
         <serviceName>com.amazonaws.eu-west-1.{service}</serviceName><state>{state}</state><policyDocument>{{}}\
         </policyDocument><routeTableIdSet/><subnetIdSet><item>{SUBNET}</item></subnetIdSet><groupSet><item>\
         <groupId>{GROUP}</groupId><groupName>endpoints</groupName></item></groupSet><ipAddressType>ipv4</ipAddressType>\
         <dnsOptions><dnsRecordIpType>ipv4</dnsRecordIpType><privateDnsOnlyForInboundResolverEndpoint>\
         {only_for_inbound_resolver}</privateDnsOnlyForInboundResolverEndpoint></dnsOptions>\
         <privateDnsEnabled>true</privateDnsEnabled><requesterManaged>false</requesterManaged><networkInterfaceIdSet>\
         <item>eni-0a1b2c3d4e5f60001</item></networkInterfaceIdSet><tagSet><item><key>Name</key><value>shared</value>\
         </item></tagSet><ownerId>123456789012</ownerId></item>"
    )
}

/// A security group that admits this block on the port of HTTPS.
fn group(cidr: &str) -> String {
    format!(
        "<item><ownerId>123456789012</ownerId><groupId>{GROUP}</groupId><groupName>endpoints</groupName>\
         <groupDescription>x</groupDescription><vpcId>{VPC}</vpcId><ipPermissions><item><ipProtocol>tcp</ipProtocol>\
         <fromPort>443</fromPort><toPort>443</toPort><groups/><ipRanges><item><cidrIp>{cidr}</cidrIp></item></ipRanges>\
         <ipv6Ranges/><prefixListIds/></item></ipPermissions></item>"
    )
}

/// What EC2 knows.
#[derive(Clone)]
struct World {
    /// The interface endpoints, if there are any.
    interfaces: String,
    group: Page,
    dns: Page,
}

impl World {
    /// An endpoint for SSM that has no defect.
    fn healthy() -> Self {
        Self {
            interfaces: interface("ssm", "available", false),
            group: Page::Items(group("10.0.0.0/16")),
            dns: Page::Attributes { support: true, host_names: true },
        }
    }

    async fn serve(&self) -> Ec2 {
        let endpoints = format!("{GATEWAY_ENDPOINT}{}", self.interfaces);
        Ec2::answering([
            ("DescribeVpcs", vec![Page::items(VPCS)]),
            ("DescribeSubnets", vec![Page::items(SUBNETS)]),
            ("DescribeRouteTables", vec![Page::items(TABLES)]),
            ("DescribeVpcEndpoints", vec![Page::Items(endpoints)]),
            ("DescribeSecurityGroups", vec![self.group.clone()]),
            ("DescribeVpcAttribute", vec![self.dns.clone()]),
        ])
        .await
    }
}

fn call(name: &str, request: &Value, response: &Value) -> Value {
    json!({
        "version": "0", "id": "0a1b2c3d-0000-4000-8000-000000000001", "source": "aws.ec2",
        "detail-type": "AWS API Call via CloudTrail", "account": "123456789012", "region": "eu-west-1",
        "time": "2026-11-20T10:00:00Z", "resources": [],
        "detail": {"eventName": name, "requestParameters": request, "responseElements": response}
    })
}

fn endpoint_created() -> Value {
    let endpoint = json!({"vpcEndpointId": ENDPOINT, "vpcId": VPC, "vpcEndpointType": "Interface"});
    call("CreateVpcEndpoint", &json!({"vpcId": VPC, "vpcEndpointType": "Interface"}), &json!({"vpcEndpoint": endpoint}))
}

fn rule_revoked() -> Value {
    call("RevokeSecurityGroupIngress", &json!({"groupId": GROUP}), &json!({"_return": true}))
}

fn attribute_modified() -> Value {
    let request = json!({"vpcId": VPC, "enableDnsSupport": {"value": false}});
    call("ModifyVpcAttribute", &request, &json!({"_return": true}))
}

fn endpoint_modified() -> Value {
    call("ModifyVpcEndpoint", &json!({"vpcEndpointId": ENDPOINT}), &json!({"_return": true}))
}

fn subnet_created() -> Value {
    let subnet = json!({"subnet": {"subnetId": SUBNET, "vpcId": VPC}});
    call("CreateSubnet", &json!({"vpcId": VPC}), &subnet)
}

/// The four lists of a VPC.
const READ_OF_THE_VPC: [&str; 4] = [
    "DescribeRouteTables vpc-id=vpc-0a1b2c3d4e5f60001",
    "DescribeSubnets vpc-id=vpc-0a1b2c3d4e5f60001",
    "DescribeVpcEndpoints vpc-id=vpc-0a1b2c3d4e5f60001",
    "DescribeVpcs vpc-id=vpc-0a1b2c3d4e5f60001",
];
/// What the default checks read about an available interface endpoint.
const READ_OF_THE_FACTS: [&str; 3] = [
    "DescribeSecurityGroups group-id=sg-0a1b2c3d4e5f60001",
    "DescribeVpcAttribute vpc-0a1b2c3d4e5f60001 enableDnsHostnames",
    "DescribeVpcAttribute vpc-0a1b2c3d4e5f60001 enableDnsSupport",
];
const LOOKUP_BY_GROUP: &str = "DescribeVpcEndpoints vpc-endpoint-type=Interface";
const LOOKUP_BY_ID: &str = "DescribeVpcEndpoints vpc-endpoint-id=vpce-0a1b2c3d4e5f60007";

async fn assert_calls(ec2: &Ec2, expected: &[&[&str]]) {
    let mut expected = expected.concat();
    expected.sort_unstable();
    assert_eq!(ec2.calls().await, expected);
}

async fn run(ec2: &Ec2, sns: &Sns, more: &[(&str, &str)], event: &Value) -> Invocation {
    let (ec2, sns) = (ec2.url(), sns.url());
    let mut variables = vec![
        ("TOPIC_ARN", TOPIC),
        ("REQUIRED_SERVICES", "s3"),
        ("AWS_ENDPOINT_URL_EC2", ec2.as_str()),
        ("AWS_ENDPOINT_URL_SNS", sns.as_str()),
    ];
    variables.extend(more);
    invoke(&variables, event, MINUTE).await
}

/// Runs the event with an alert history of these rows. Returns the answer, the one message, and the row that is stored
/// last.
async fn alert(ec2: &Ec2, rows: &[Value], event: &Value) -> (Value, Value, Value) {
    let pages = if rows.is_empty() { Vec::new() } else { vec![json!(rows)] };
    let (sns, dynamodb) = (Sns::accepting_all().await, DynamoDb::holding(pages).await);
    let url = dynamodb.url();
    let history = [("LEDGER_TABLE", "gatewatch-ledger"), ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str())];
    let report = report(run(ec2, &sns, &history, event).await);
    let [message] = <[_; 1]>::try_from(sns.calls_of("Publish").await).unwrap();
    let message: Value = serde_json::from_str(&message["Message"]).unwrap();
    assert_notification(&message);
    let last = dynamodb.calls().await.len() - 1;
    // A resolved row moves to another partition: it is put there and deleted here.
    let row = dynamodb.rows_of_call(last).await.swap_remove(0);
    (report, message, row["Put"]["Item"].clone())
}

/// Runs the event while EC2 has the defect, and again after it is fixed.
async fn opens_and_resolves(
    event: &Value,
    (broken, fixed): (&World, &World),
    (calls_while_broken, calls_when_fixed): (&[&[&str]], &[&[&str]]),
    [check, defect, severity]: [&str; 3],
) {
    let ec2 = broken.serve().await;
    let (report, message, row) = alert(&ec2, &[], event).await;
    assert_calls(&ec2, calls_while_broken).await;
    let [found] = report["findings"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    let subject = json!({"type": "vpc_endpoint", "id": ENDPOINT, "name": "shared"});
    assert_eq!(found["subject"], subject);
    assert_eq!(
        ["check", "defect", "severity"].map(|key| &found[key]),
        [check, defect, severity].map(|v| json!(v)).each_ref()
    );
    let [sent] = message["findings"].as_array().unwrap().as_slice() else { panic!("{message:#}") };
    assert_eq!([&sent["id"], &sent["change"]], [&found["id"], &json!("opened")]);
    assert_eq!(sent["remediation"], found["remediation"]);

    let ec2 = fixed.serve().await;
    let (report, message, row) = alert(&ec2, &[row], event).await;
    assert_calls(&ec2, calls_when_fixed).await;
    assert_eq!([&report["findings"], &report["unassessed"]], [&json!([]), &json!([])]);
    let [resolved] = message["findings"].as_array().unwrap().as_slice() else { panic!("{message:#}") };
    assert_eq!([&resolved["id"], &resolved["change"]], [&found["id"], &json!("resolved")]);
    assert_eq!(resolved["resolution"]["cause"], json!("fixed"));
    assert_eq!(row["state"], json!({"S": "resolved"}));
}

#[tokio::test]
async fn an_endpoint_that_attracts_all_traffic_is_found_when_it_is_created() {
    let s3 = |option| World { interfaces: interface("s3", "available", option), ..World::healthy() };
    let calls: &[&[&str]] = &[&READ_OF_THE_VPC, &READ_OF_THE_FACTS];
    let expected = ["dns-bypass", "private_dns_for_all_requests", "HIGH"];
    opens_and_resolves(&endpoint_created(), (&s3(false), &s3(true)), (calls, calls), expected).await;
}

#[tokio::test]
async fn an_endpoint_without_dns_is_found_when_the_attribute_changes() {
    let broken = World { dns: Page::Attributes { support: false, host_names: true }, ..World::healthy() };
    let calls: &[&[&str]] = &[&READ_OF_THE_VPC, &READ_OF_THE_FACTS];
    let expected = ["endpoint-dns", "vpc_dns_support_off", "HIGH"];
    opens_and_resolves(&attribute_modified(), (&broken, &World::healthy()), (calls, calls), expected).await;
}

#[tokio::test]
async fn an_endpoint_that_nobody_reaches_is_found_when_a_rule_of_its_group_changes() {
    let broken = World { group: Page::Items(group("192.168.0.0/16")), ..World::healthy() };
    let calls: &[&[&str]] = &[&[LOOKUP_BY_GROUP], &READ_OF_THE_VPC, &READ_OF_THE_FACTS];
    let expected = ["endpoint-access", "no_subnet_admitted", "HIGH"];
    opens_and_resolves(&rule_revoked(), (&broken, &World::healthy()), (calls, calls), expected).await;
}

#[tokio::test]
async fn a_failed_endpoint_is_found_when_it_is_modified() {
    let broken = World { interfaces: interface("ssm", "failed", false), ..World::healthy() };
    let calls: &[&[&str]] = &[&[LOOKUP_BY_ID], &READ_OF_THE_VPC];
    let expected = ["endpoint-state", "endpoint_failed", "MEDIUM"];
    let calls_when_fixed: &[&[&str]] = &[&[LOOKUP_BY_ID], &READ_OF_THE_VPC, &READ_OF_THE_FACTS];
    opens_and_resolves(&endpoint_modified(), (&broken, &World::healthy()), (calls, calls_when_fixed), expected).await;
}

#[tokio::test]
async fn a_deleted_endpoint_is_looked_up_once_more_and_resolved() {
    let broken = World { interfaces: interface("ssm", "failed", false), ..World::healthy() };
    let check = json!({"check": {"vpcIds": [VPC]}});
    let (_, _, row) = alert(&broken.serve().await, &[], &check).await;
    let deleted = World { interfaces: String::new(), ..World::healthy() };
    let ec2 = deleted.serve().await;
    let (_, message, _) = alert(&ec2, &[row], &check).await;
    assert_calls(&ec2, &[&READ_OF_THE_VPC, &[LOOKUP_BY_ID]]).await;
    assert_eq!(message["findings"][0]["resolution"]["cause"], json!("endpoint_deleted"));
}

#[tokio::test]
async fn an_event_that_checks_no_endpoint_resolves_no_finding_about_one() {
    let broken = World { interfaces: interface("ssm", "failed", false), ..World::healthy() };
    let (_, _, row) = alert(&broken.serve().await, &[], &json!({"check": {"vpcIds": [VPC]}})).await;
    let (ec2, sns, dynamodb) =
        (World::healthy().serve().await, Sns::accepting_all().await, DynamoDb::holding(vec![json!([row])]).await);
    let url = dynamodb.url();
    let history = [("LEDGER_TABLE", "gatewatch-ledger"), ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str())];
    let table = json!({"check": {"routeTableIds": ["rtb-0a1b2c3d4e5f60001"]}});
    assert_eq!(report(run(&ec2, &sns, &history, &table).await)["findings"], json!([]));
    assert_eq!(sns.calls_of("Publish").await, Vec::new());
    assert_calls(&ec2, &[&["DescribeRouteTables route-table-id=rtb-0a1b2c3d4e5f60001"], &READ_OF_THE_VPC]).await;
}

#[tokio::test]
async fn a_group_that_no_endpoint_uses_takes_one_call() {
    let other = call("RevokeSecurityGroupIngress", &json!({"groupId": "sg-0a1b2c3d4e5f60009"}), &json!(null));
    let (ec2, sns, dynamodb) =
        (World::healthy().serve().await, Sns::accepting_all().await, DynamoDb::holding(Vec::new()).await);
    let url = dynamodb.url();
    let history = [("LEDGER_TABLE", "gatewatch-ledger"), ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str())];
    let report = report(run(&ec2, &sns, &history, &other).await);
    assert_eq!([&report["findings"], &report["notFound"]], [&json!([]), &json!([])]);
    assert_calls(&ec2, &[&[LOOKUP_BY_GROUP]]).await;
    assert_eq!(dynamodb.calls().await, Vec::new());
    assert_eq!(sns.calls_of("Publish").await, Vec::new());
}

#[tokio::test]
async fn with_gateway_route_only_endpoints_are_not_read() {
    let only = [("CHECKS", "gateway-route")];
    let none: &[&[&str]] = &[];
    for (event, calls) in [
        (rule_revoked(), none),
        (endpoint_created(), none),
        (endpoint_modified(), &[&[LOOKUP_BY_ID]]),
        (subnet_created(), &[&READ_OF_THE_VPC]),
    ] {
        let broken = World { interfaces: interface("s3", "failed", false), ..World::healthy() };
        // The mock answers a lookup with all its endpoints, so it must not have the gateway endpoint.
        let ec2 = match calls {
            [[LOOKUP_BY_ID]] => Ec2::answering([("DescribeVpcEndpoints", vec![Page::Items(broken.interfaces)])]).await,
            _ => broken.serve().await,
        };
        let report = report(run(&ec2, &Sns::accepting_all().await, &only, &event).await);
        assert_eq!(report["findings"], json!([]), "{event}");
        assert_calls(&ec2, calls).await;
    }
}

#[tokio::test]
async fn with_a_vpc_without_interface_endpoints_nothing_more_is_read() {
    let without = World { interfaces: String::new(), ..World::healthy() };
    for event in [subnet_created(), attribute_modified(), json!({"check": {"vpcIds": [VPC]}})] {
        let ec2 = without.serve().await;
        assert_eq!(report(run(&ec2, &Sns::accepting_all().await, &[], &event).await)["findings"], json!([]));
        assert_calls(&ec2, &[&READ_OF_THE_VPC]).await;
    }
}

#[tokio::test]
async fn a_fact_that_a_check_needs_and_cannot_be_read_fails_the_invocation() {
    let denied = || Page::Error(403, "UnauthorizedOperation");
    for (world, operation) in [
        (World { group: denied(), ..World::healthy() }, "DescribeSecurityGroups"),
        (World { dns: denied(), ..World::healthy() }, "DescribeVpcAttribute"),
    ] {
        let invocation = run(&world.serve().await, &Sns::accepting_all().await, &[], &subnet_created()).await;
        let Outcome::Error(kind, message) = invocation.outcome else { panic!("{operation}") };
        assert_eq!(kind, "Ec2ReadFailed");
        assert!(message.starts_with(operation), "{message}");
    }
}

#[tokio::test]
async fn a_vpc_that_is_deleted_during_the_read_is_not_assessed() {
    let world = World { dns: Page::Error(400, "InvalidVpcID.NotFound"), ..World::healthy() };
    let report = report(run(&world.serve().await, &Sns::accepting_all().await, &[], &subnet_created()).await);
    assert_eq!(report["findings"], json!([]));
    assert_eq!(report["unassessed"][0]["reason"], json!("fact_missing"), "{report:#}");
}

/// The check `endpoint-zones` reads services. A process asks for each service once.
#[tokio::test]
async fn a_service_is_read_once_per_process() {
    let service = "<item><serviceName>com.amazonaws.eu-west-1.ssm</serviceName><serviceType><item><serviceType>Interface\
        </serviceType></item></serviceType><availabilityZoneIdSet><item>euw1-az1</item></availabilityZoneIdSet>\
        <vpcEndpointPolicySupported>true</vpcEndpointPolicySupported></item>";
    let ec2 = Ec2::answering([
        ("DescribeVpcs", vec![Page::items(VPCS)]),
        ("DescribeSubnets", vec![Page::items(SUBNETS)]),
        ("DescribeVpcEndpoints", vec![Page::Items(World::healthy().interfaces)]),
        ("DescribeVpcEndpointServices", vec![Page::items(service)]),
    ])
    .await;
    let (ec2_url, sns) = (ec2.url(), Sns::accepting_all().await);
    let sns_url = sns.url();
    let variables = [
        ("TOPIC_ARN", TOPIC),
        ("CHECKS", "endpoint-zones"),
        ("AWS_ENDPOINT_URL_EC2", ec2_url.as_str()),
        ("AWS_ENDPOINT_URL_SNS", sns_url.as_str()),
    ];
    let event = json!({"check": {"vpcIds": [VPC]}});
    let again = invoke_after(&variables, slice::from_ref(&event), &event, MINUTE).await;
    assert_eq!(report(again)["findings"], json!([]));
    let service = "DescribeVpcEndpointServices service-name=com.amazonaws.eu-west-1.ssm";
    assert_calls(&ec2, &[&[service], &READ_OF_THE_VPC, &READ_OF_THE_VPC]).await;
}
