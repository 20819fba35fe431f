//! How a Region is read whose lists have many pages.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    ec2::{Ec2, Resources},
    lambda::{invoke, invoke_after, report},
};

/// The timeout of the function in the template.
const MINUTE: Duration = Duration::from_mins(1);
const TABLES_PER_VPC: usize = 3;
/// The page size of EC2 for route tables.
const PAGE: usize = 100;

/// VPCs with three route tables each, without endpoints; and as many tables of a VPC that the list of VPCs does not have,
/// because it is created during the read.
fn region(vpcs: usize) -> Resources {
    let vpc = |n: usize| format!("vpc-{n:08x}");
    let table = |n: usize| {
        let (id, vpc) = (format!("rtb-{n:08x}"), vpc(n / TABLES_PER_VPC));
        let used_by = match n % TABLES_PER_VPC {
            0 => "<main>true</main>".to_owned(),
            _ => format!("<subnetId>subnet-{n:08x}</subnetId>"),
        };
        let xml = format!(
            "<item><routeTableId>{id}</routeTableId><vpcId>{vpc}</vpcId><associationSet><item>{used_by}</item>\
             </associationSet></item>"
        );
        (id, xml)
    };
    HashMap::from([
        ("DescribeVpcs", (0..vpcs).map(|n| (vpc(n), format!("<item><vpcId>{}</vpcId></item>", vpc(n)))).collect()),
        ("DescribeRouteTables", (0..TABLES_PER_VPC * (vpcs + 1)).map(table).collect()),
    ])
}

/// The report on the whole Region.
async fn report_of(ec2: &Ec2) -> Value {
    let url = ec2.url();
    let variables = [("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:gatewatch"), ("AWS_ENDPOINT_URL_EC2", &*url)];
    report(invoke(&variables, &json!({"check": "region", "publish": false}), MINUTE).await)
}

/// How often each call was made.
async fn calls(ec2: &Ec2) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in ec2.calls().await {
        *counts.entry(call).or_default() += 1;
    }
    counts
}

/// The calls of a read that lists the route tables with these calls.
fn expected(tables: &[(&str, usize)]) -> BTreeMap<String, usize> {
    let others = [("DescribeSubnets", 1), ("DescribeVpcEndpoints", 1)];
    tables.iter().chain(&others).map(|(call, count)| ((*call).to_owned(), *count)).collect()
}

#[tokio::test]
async fn the_route_tables_of_many_vpcs_are_read_in_four_lists() {
    const VPCS: usize = 400;
    let ec2 = Ec2::of_region(region(VPCS), PAGE, true).await;
    let report = report_of(&ec2).await;
    let tables = TABLES_PER_VPC * (VPCS + 1);
    assert_eq!(report["checked"], json!({"vpcs": VPCS + 1, "subnets": 0, "routeTables": tables}));
    assert_eq!(report["findings"].as_array().unwrap().len(), 2 * tables);
    // 1,203 tables: 304 in the first list, 300 or 299 in the others.
    let mut of_tables = vec![("DescribeVpcs", VPCS / PAGE), ("DescribeRouteTables", 1)];
    of_tables.extend([
        ("DescribeRouteTables route-table-id=rtb-*0,rtb-*1,rtb-*2,rtb-*3", 4),
        ("DescribeRouteTables route-table-id=rtb-*4,rtb-*5,rtb-*6,rtb-*7", 3),
        ("DescribeRouteTables route-table-id=rtb-*8,rtb-*9,rtb-*a,rtb-*b", 3),
        ("DescribeRouteTables route-table-id=rtb-*c,rtb-*d,rtb-*e,rtb-*f", 3),
    ]);
    assert_eq!(calls(&ec2).await, expected(&of_tables));

    // A table of the first page that the four lists do not have was deleted meanwhile; or EC2 has no wildcards, as here.
    let without_wildcards = Ec2::of_region(region(VPCS), PAGE, false).await;
    assert_eq!(report_of(&without_wildcards).await, report, "one list and four lists give the same network");
    let in_one_list = calls(&without_wildcards).await["DescribeRouteTables"];
    assert_eq!(in_one_list, tables.div_ceil(PAGE));
}

#[tokio::test]
async fn the_route_tables_of_few_vpcs_are_read_in_one_list() {
    let ec2 = Ec2::of_region(region(399), PAGE, true).await;
    assert_eq!(report_of(&ec2).await["checked"]["routeTables"], json!(1200));
    assert_eq!(calls(&ec2).await, expected(&[("DescribeVpcs", 4), ("DescribeRouteTables", 12)]));
}

#[tokio::test]
async fn one_page_of_tables_is_not_read_again() {
    let mut resources = region(400);
    resources.remove("DescribeRouteTables");
    let ec2 = Ec2::of_region(resources, PAGE, true).await;
    report_of(&ec2).await;
    assert_eq!(calls(&ec2).await, expected(&[("DescribeVpcs", 4), ("DescribeRouteTables", 1)]));
}

#[tokio::test]
async fn a_long_read_leaves_half_of_the_bucket_of_ec2_to_others() {
    let ec2 = Ec2::of_region(region(20), 1, true).await;
    let start = Instant::now();
    assert_eq!(report_of(&ec2).await["checked"]["routeTables"], json!(63));
    let took = start.elapsed();
    let calls: usize = calls(&ec2).await.values().sum();
    assert_eq!(calls, 20 + 63 + 2);
    // 50 calls at once, and then 20 per second.
    assert!(took >= Duration::from_millis(35 * 50), "{took:?}");
}

#[tokio::test]
async fn events_do_not_wait() {
    let ec2 = Ec2::of_region(HashMap::new(), PAGE, true).await;
    let url = ec2.url();
    let variables = [("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:gatewatch"), ("AWS_ENDPOINT_URL_EC2", &*url)];
    let event = json!({"check": {"vpcIds": ["vpc-0000000a"]}, "publish": false});
    let start = Instant::now();
    report(invoke_after(&variables, &vec![event.clone(); 79], &event, MINUTE).await);
    let took = start.elapsed();
    assert_eq!(ec2.calls().await.len(), 4 * 80);
    // With a limit of 20 per second after 50 calls, they would take longer.
    assert!(took < Duration::from_secs((4 * 80 - 50) / 20), "{took:?}");
}
