//! The rule and the planner alone: nothing is read and nothing is sent. `make bench PART=rule` runs this.

use std::{collections::BTreeSet, hint::black_box};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gatewatch::{
    alerts::{
        affected::Affected,
        history::{AlertHistory, AlertRecord},
        observation::Observation,
        planner::plans,
        policy::Policy,
    },
    channel::Channel,
    checks::{
        finding::Finding,
        gateway_endpoint::rule::{Verdict, evaluate},
        list::default_checks,
        severity::Severity,
    },
    events::{
        payload::Payload,
        record::{AlertRequest, Record, Trigger},
        scope::Scope,
    },
    network::{
        account::AccountRegion,
        model::{Association, Endpoint, EndpointKind, Network, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
        service::GatewayService,
    },
};
use jiff::{Timestamp, civil::Date};

const TODAY: Date = jiff::civil::date(2026, 11, 20);
const SERVICES: [GatewayService; 2] = [GatewayService::S3, GatewayService::DynamoDb];
/// The main table and three others, with the subnets in turn.
const TABLES_PER_VPC: usize = 4;
const SUBNETS_PER_VPC: usize = 8;
/// A verdict is about one table and one service.
const VERDICTS_PER_VPC: usize = TABLES_PER_VPC * SERVICES.len();

fn account_region() -> AccountRegion {
    AccountRegion::new("arn:aws:lambda:eu-west-1:123456789012:function:gatewatch", "eu-west-1")
}

/// A network of as many VPCs, in which endpoints cover all tables or are missing.
fn network(vpcs: usize, is_covered: bool) -> Network {
    let mut network = Network::default();
    for vpc in 0..vpcs {
        add_vpc(&mut network, vpc, is_covered);
    }
    network
}

fn add_vpc(network: &mut Network, number: usize, is_covered: bool) {
    let vpc_id = id("vpc", number);
    let endpoint_ids = [0, 1].map(|n| id("vpce", 2 * number + n));
    let route = |destination: &str, kind, target: &str| Route {
        destination: Some(destination.into()),
        target: Target { kind, id: Some(target.to_owned()) },
        active: true,
    };
    network.vpcs.push(Vpc { id: vpc_id.clone(), name: Some("network".to_owned()), ..Vpc::default() });
    for table in 0..TABLES_PER_VPC {
        let subnets = (0..SUBNETS_PER_VPC).filter(|subnet| 1 + subnet % (TABLES_PER_VPC - 1) == table);
        let mut associations: Vec<Association> = subnets
            .map(|subnet| Association {
                subnet_id: Some(id("subnet", SUBNETS_PER_VPC * number + subnet).into()),
                ..Association::default()
            })
            .collect();
        if table == 0 {
            associations.push(Association { main: true, ..Association::default() });
        }
        let mut routes = vec![
            route("10.0.0.0/16", TargetKind::Local, "local"),
            route("0.0.0.0/0", TargetKind::NatGateway, &id("nat", number)),
        ];
        if is_covered {
            routes.extend(endpoint_ids.iter().map(|endpoint| route("pl-6da54004", TargetKind::VpcEndpoint, endpoint)));
        }
        network.route_tables.push(RouteTable {
            id: id("rtb", TABLES_PER_VPC * number + table),
            vpc_id: vpc_id.as_str().into(),
            name: Some("private".into()),
            owner_id: Some("123456789012".into()),
            exemption: None,
            associations,
            routes,
        });
    }
    for subnet in 0..SUBNETS_PER_VPC {
        network.subnets.push(Subnet {
            id: id("subnet", SUBNETS_PER_VPC * number + subnet),
            vpc_id: vpc_id.as_str().into(),
            name: Some("app".into()),
            availability_zone: Some("eu-west-1a".into()),
            cidr: Some(format!("10.0.{subnet}.0/24").into()),
            owner_id: Some("123456789012".into()),
            ..Subnet::default()
        });
    }
    if is_covered {
        network.endpoints.extend(endpoint_ids.into_iter().zip(SERVICES).map(|(id_of_endpoint, service)| Endpoint {
            id: id_of_endpoint,
            vpc_id: vpc_id.clone(),
            kind: EndpointKind::Gateway,
            service_name: format!("com.amazonaws.eu-west-1.{}", service.name()).into(),
            state: "available".into(),
            route_table_ids:
                (0..TABLES_PER_VPC).map(|table| id("rtb", TABLES_PER_VPC * number + table).into()).collect(),
            ..Endpoint::default()
        }));
    }
}

fn id(kind: &str, number: usize) -> String {
    format!("{kind}-{number:017x}")
}

fn judge(network: &Network, table_ids: &BTreeSet<String>) -> Verdict {
    evaluate(network, table_ids, &SERVICES.into(), &account_region(), TODAY)
}

fn table_ids(network: &Network) -> BTreeSet<String> {
    network.route_tables.iter().map(|table| table.id.clone()).collect()
}

/// Judges a network in which every table is covered: the usual sweep.
fn verdicts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verdicts");
    for count in [1_000, 10_000, 100_000] {
        let network = network(count / VERDICTS_PER_VPC, true);
        let table_ids = table_ids(&network);
        assert_eq!(judge(&network, &table_ids), Verdict::default());
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &network, |bencher, network| {
            bencher.iter(|| judge(black_box(network), &table_ids));
        });
    }
    group.finish();
}

/// The history of findings that every subscriber knows.
fn known(findings: &[Finding], now: Timestamp) -> AlertHistory {
    let mut vpcs = std::collections::BTreeMap::<_, gatewatch::alerts::history::VpcHistory>::new();
    for finding in findings {
        let record = AlertRecord { notified: [Channel::Json].into(), ..AlertRecord::opened(finding, now, now) };
        vpcs.entry(finding.vpc_id.clone()).or_default().records.push(record);
    }
    AlertHistory::Available(vpcs)
}

/// Plans a sweep that finds nothing but what is known.
fn planning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("planning");
    let now = Timestamp::UNIX_EPOCH;
    let account_region = account_region();
    let policy = Policy {
        checks: default_checks(),
        required_services: SERVICES.into(),
        required_interfaces: BTreeSet::new(),
        min_severity: Severity::Low,
        remind_after: None,
        channels: [Channel::Json].into(),
        without_subscribers: BTreeSet::new(),
    };
    let record = Record {
        scope: Scope { region: true, ..Scope::default() },
        trigger: Trigger::Schedule,
        time: None,
        alerts: AlertRequest::Changes,
    };
    let payload = Payload::Direct(Box::new(record));
    for count in [1_000, 5_000, 10_000] {
        let network = network(count / VERDICTS_PER_VPC, false);
        let verdict = judge(&network, &table_ids(&network));
        let history = known(&verdict.findings, now);
        let affected = Affected::of_records(&payload, &network, &history, &account_region);
        let observation = Observation {
            network: &network,
            findings: &verdict.findings,
            exempt: &verdict.exempt,
            exempt_problems: &[],
            unassessed: &BTreeSet::new(),
            rest_apis: None,
            affected: &affected,
            account_region: &account_region,
            now,
        };
        assert_eq!(plans(&observation, &history, &policy), Vec::new());
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &observation, |bencher, observation| {
            bencher.iter(|| plans(black_box(observation), &history, &policy));
        });
    }
    group.finish();
}

criterion_group!(benches, verdicts, planning);
criterion_main!(benches);
