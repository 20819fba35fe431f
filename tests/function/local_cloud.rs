//! The binary against the local cloud's EC2 (moto, which answers in pages of two): a network that is built through the
//! real SDK and read back by the function. Run by `make test`; `cargo test` alone says that it was not run.

use std::time::Duration;

use crate::support::{
    lambda::{Outcome, invoke},
    sns::Sns,
};
use aws_sdk_ec2::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::{AddPrefixListEntry, DnsOptionsSpecification, Filter, VpcEndpointType},
};
use serde_json::{Value, json};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const S3: &str = "com.amazonaws.eu-west-1.s3";
const DYNAMODB: &str = "com.amazonaws.eu-west-1.dynamodb";

/// Builds networks with EC2's own calls.
struct Builder(Client);

impl Builder {
    fn new() -> Result<Self> {
        let url = std::env::var("AWS_ENDPOINT_URL_EC2")
            .map_err(|_| "AWS_ENDPOINT_URL_EC2 is not set: run this test with `make test`")?;
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .endpoint_url(url)
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .build();
        Ok(Self(Client::from_conf(config)))
    }

    /// A VPC, and the main table that it came with.
    async fn vpc(&self) -> Result<(String, String)> {
        let answer = self.0.create_vpc().cidr_block("10.9.0.0/16").send().await?;
        let vpc = answer.vpc().and_then(|vpc| vpc.vpc_id()).ok_or("no VPC")?.to_owned();
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let of_vpc = [filter("vpc-id", &vpc), filter("association.main", "true")];
        let tables = self.0.describe_route_tables().set_filters(Some(of_vpc.into())).send().await?;
        let main = tables.route_tables().first().and_then(|table| table.route_table_id()).ok_or("no main table")?;
        Ok((vpc, main.to_owned()))
    }

    async fn table(&self, vpc: &str) -> Result<String> {
        let answer = self.0.create_route_table().vpc_id(vpc).send().await?;
        Ok(answer.route_table().and_then(|table| table.route_table_id()).ok_or("no table")?.to_owned())
    }

    async fn subnet(&self, vpc: &str, n: u8, table: Option<&str>) -> Result<String> {
        let answer = self.0.create_subnet().vpc_id(vpc).cidr_block(format!("10.9.{n}.0/24")).send().await?;
        let subnet = answer.subnet().and_then(|subnet| subnet.subnet_id()).ok_or("no subnet")?.to_owned();
        if let Some(table) = table {
            self.0.associate_route_table().route_table_id(table).subnet_id(&subnet).send().await?;
        }
        Ok(subnet)
    }

    async fn internet_gateway(&self, vpc: &str) -> Result<String> {
        let answer = self.0.create_internet_gateway().send().await?;
        let gateway = answer.internet_gateway().and_then(|igw| igw.internet_gateway_id()).ok_or("no gateway")?;
        self.0.attach_internet_gateway().internet_gateway_id(gateway).vpc_id(vpc).send().await?;
        Ok(gateway.to_owned())
    }

    async fn nat_gateway(&self, subnet: &str) -> Result<String> {
        let answer = self.0.create_nat_gateway().subnet_id(subnet).send().await?;
        Ok(answer.nat_gateway().and_then(|nat| nat.nat_gateway_id()).ok_or("no NAT gateway")?.to_owned())
    }

    /// A customer-managed prefix list with these address ranges.
    async fn prefix_list(&self, blocks: &[&str]) -> Result<String> {
        let entries = blocks.iter().map(|block| AddPrefixListEntry::builder().cidr(*block).build()).collect();
        let answer = (self.0.create_managed_prefix_list().prefix_list_name("all").address_family("IPv4"))
            .max_entries(10)
            .set_entries(Some(entries))
            .send()
            .await?;
        Ok(answer.prefix_list().and_then(|list| list.prefix_list_id()).ok_or("no prefix list")?.to_owned())
    }

    async fn endpoint(&self, kind: VpcEndpointType, service: &str, vpc: &str, tables: &[&str]) -> Result<String> {
        let tables = tables.iter().map(|&table| table.to_owned()).collect();
        // EC2 sets the option by default, and refuses it in a VPC without a gateway endpoint.
        let dns = DnsOptionsSpecification::builder().private_dns_only_for_inbound_resolver_endpoint(false).build();
        let dns = Some(dns).filter(|_| kind == VpcEndpointType::Interface);
        let answer = (self.0.create_vpc_endpoint().vpc_endpoint_type(kind).service_name(service).vpc_id(vpc))
            .set_route_table_ids(Some(tables))
            .set_dns_options(dns)
            .send()
            .await?;
        Ok(answer.vpc_endpoint().and_then(|endpoint| endpoint.vpc_endpoint_id()).ok_or("no endpoint")?.to_owned())
    }
}

/// The function's report on these VPCs.
async fn report(vpcs: &[&str]) -> Result<Value> {
    report_on(&json!({"check": {"vpcIds": vpcs}})).await
}

/// The function's report on this payload.
async fn report_on(payload: &Value) -> Result<Value> {
    let sns = Sns::accepting_all().await;
    let (ec2, sns) = (std::env::var("AWS_ENDPOINT_URL_EC2")?, sns.url());
    let variables = [
        ("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:gatewatch"),
        ("AWS_ENDPOINT_URL_EC2", ec2.as_str()),
        ("AWS_ENDPOINT_URL_SNS", sns.as_str()),
    ];
    let invocation = invoke(&variables, payload, Duration::from_mins(1)).await;
    match invocation.outcome {
        Outcome::Response(report) => Ok(report),
        other => Err(format!("{other:?}\n{}", invocation.log).into()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The findings about route tables as table, service, gap, severity, kind of egress, subnets.
fn findings(report: &Value) -> Result<Vec<[String; 6]>> {
    let findings = report["findings"].as_array().ok_or("no findings")?;
    Ok(findings
        .iter()
        .filter(|finding| finding["check"] == "gateway-route")
        .map(|f| {
            let subnets: Vec<String> = f["subnets"].as_array().into_iter().flatten().map(|s| text(&s["id"])).collect();
            let [table, service, gap, severity, egress] =
                [&f["routeTable"]["id"], &f["service"], &f["gap"], &f["severity"], &f["egress"]["kind"]].map(text);
            [table, service, gap, severity, egress, subnets.join(" ")]
        })
        .collect())
}

/// The findings about endpoints as endpoint, check and defect.
fn defects(report: &Value) -> Vec<[String; 3]> {
    let findings = report["findings"].as_array().into_iter().flatten();
    let of_endpoints = findings.filter(|finding| finding["subject"]["type"] == "vpc_endpoint");
    of_endpoints.map(|f| [&f["subject"]["id"], &f["check"], &f["defect"]].map(text)).collect()
}

#[tokio::test]
#[ignore = "needs the local cloud: run `make test`"]
async fn a_network_with_every_kind_of_resource_is_read_completely() -> Result {
    let build = Builder::new()?;
    let (vpc, main) = build.vpc().await?;
    let (private_a, private_b, public) = (build.table(&vpc).await?, build.table(&vpc).await?, build.table(&vpc).await?);
    let outside = build.subnet(&vpc, 0, Some(&public)).await?;
    let a = build.subnet(&vpc, 1, Some(&private_a)).await?;
    let b = build.subnet(&vpc, 2, Some(&private_b)).await?;
    let mut implicit = [build.subnet(&vpc, 3, None).await?, build.subnet(&vpc, 4, None).await?];
    implicit.sort();
    let edge = build.table(&vpc).await?;
    let internet = build.internet_gateway(&vpc).await?;
    build.0.associate_route_table().route_table_id(&edge).gateway_id(&internet).send().await?;
    let nat = build.nat_gateway(&outside).await?;
    let default = |table: &str| build.0.create_route().route_table_id(table).destination_cidr_block("0.0.0.0/0");
    default(&public).gateway_id(&internet).send().await?;
    default(&private_a).nat_gateway_id(&nat).send().await?;
    default(&private_b).nat_gateway_id(&nat).send().await?;
    // Two S3 endpoints on a table each, a DynamoDB endpoint on none.
    build.endpoint(VpcEndpointType::Gateway, S3, &vpc, &[&private_a]).await?;
    build.endpoint(VpcEndpointType::Gateway, S3, &vpc, &[&main]).await?;
    build.endpoint(VpcEndpointType::Gateway, DYNAMODB, &vpc, &[]).await?;

    // A second VPC with a main table of its own, an Interface endpoint for S3, and DynamoDB covered.
    let (other, other_main) = build.vpc().await?;
    let c = build.subnet(&other, 1, None).await?;
    let interface = build.endpoint(VpcEndpointType::Interface, S3, &other, &[]).await?;
    build.endpoint(VpcEndpointType::Gateway, DYNAMODB, &other, &[&other_main]).await?;

    let report = report(&[&vpc, &other]).await?;
    let implicit = implicit.join(" ");
    let mut expected = vec![
        (&vpc, [&main, "dynamodb", "not_associated", "MEDIUM", "none", &implicit]),
        (&vpc, [&private_a, "dynamodb", "not_associated", "HIGH", "nat_gateway", &a]),
        (&vpc, [&private_b, "dynamodb", "not_associated", "HIGH", "nat_gateway", &b]),
        (&vpc, [&private_b, "s3", "not_associated", "HIGH", "nat_gateway", &b]),
        (&vpc, [&public, "dynamodb", "not_associated", "LOW", "internet_gateway", &outside]),
        (&vpc, [&public, "s3", "not_associated", "LOW", "internet_gateway", &outside]),
        (&other, [&other_main, "s3", "no_endpoint", "MEDIUM", "none", &c]),
    ];
    expected.sort();
    let expected: Vec<[String; 6]> = expected.into_iter().map(|(_, finding)| finding.map(str::to_owned)).collect();
    assert_eq!(findings(&report)?, expected);
    // A new VPC has no DNS host names, and an endpoint without a group gets the default group.
    let of_interface = [
        ("dns-bypass", "private_dns_for_all_requests"),
        ("endpoint-dns", "vpc_dns_host_names_off"),
        ("endpoint-access", "default_group_only_members"),
    ];
    assert_eq!(defects(&report), of_interface.map(|(check, defect)| [&interface, check, defect].map(str::to_owned)));
    assert_eq!(report["checked"], json!({"vpcs": 2, "subnets": 6, "routeTables": 5, "endpoints": 5}));
    let named = (report["findings"].as_array().into_iter().flatten()).find(|finding| finding["vpcId"] == json!(other));
    assert_eq!(named.map(|finding| &finding["interfaceEndpoint"]["id"]), Some(&json!(interface)));
    Ok(())
}

#[tokio::test]
#[ignore = "needs the local cloud: run `make test`"]
async fn what_the_lists_do_not_say_is_read_where_a_finding_depends_on_it() -> Result {
    let build = Builder::new()?;
    let (vpc, main) = build.vpc().await?;
    let (private, unassociated) = (build.table(&vpc).await?, build.table(&vpc).await?);
    let subnet = build.subnet(&vpc, 1, Some(&private)).await?;
    let nat = build.nat_gateway(&subnet).await?;
    // Three entries, and the default route is on the second page.
    let list = build.prefix_list(&["10.0.0.0/8", "192.168.0.0/16", "0.0.0.0/0"]).await?;
    let route = build.0.create_route().route_table_id(&private).nat_gateway_id(&nat);
    route.destination_prefix_list_id(&list).send().await?;
    build.endpoint(VpcEndpointType::Gateway, DYNAMODB, &vpc, &[&private, &main, &unassociated]).await?;

    let mut expected = [
        [&main, "s3", "no_endpoint", "LOW", "none", ""],
        [&private, "s3", "no_endpoint", "HIGH", "nat_gateway", &subnet],
        [&unassociated, "s3", "no_endpoint", "LOW", "none", ""],
    ]
    .map(|finding| finding.map(str::to_owned));
    expected.sort();
    assert_eq!(findings(&report(&[&vpc]).await?)?, expected);

    let deleting = json!({
        "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "account": "123456789012",
        "region": "eu-west-1",
        "detail": {
            "eventName": "DeleteNatGateway",
            "requestParameters": {"DeleteNatGatewayRequest": {"NatGatewayId": nat}}
        }
    });
    let report = report_on(&deleting).await?;
    assert_eq!(report["scope"]["natGatewayIds"], json!([nat]));
    let high = [&private, "s3", "no_endpoint", "HIGH", "nat_gateway", &subnet].map(str::to_owned);
    assert_eq!(findings(&report)?, [high], "it is still there");
    Ok(())
}
