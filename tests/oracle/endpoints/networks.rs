//! Generates VPCs with endpoints, groups and DNS attributes. All addresses are in `10.0.0.0/24` and `2001:db8::/120`, so
//! that [`super::naive`] can try each of them.

use std::collections::BTreeSet;

use gatewatch::network::{
    account::AccountRegion,
    endpoint_facts::{CentralNames, EndpointFacts, SecurityGroup, TrafficSource, VpcDns},
    model::{Association, Endpoint, EndpointKind, Network, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
};
use proptest::{
    collection::vec,
    option,
    prelude::{BoxedStrategy, Just, any},
    prop_oneof,
    sample::select,
    strategy::Strategy,
};

use super::{
    groups::groups,
    policies, rest_apis,
    services::{central_names, endpoint_services},
};
use crate::networks::{OTHER_ACCOUNT, OWN_ACCOUNT};

/// The organization of the account.
pub const OWN_ORGANIZATION: &str = "o-a1b2c3d4e5";

/// Everything that the verdict depends on.
#[derive(Clone, Debug)]
pub struct Case {
    pub network: Network,
    pub facts: EndpointFacts,
    pub account_region: AccountRegion,
    pub today: (i16, i8, i8),
    /// The services that `gateway-route` requires. Empty if it does not run.
    pub route_table_services: Vec<&'static str>,
    /// The short names of the services that `required-endpoints` asks for.
    pub required_interfaces: Vec<&'static str>,
    /// The organization that `endpoint-policy` requires.
    pub organization_id: Option<&'static str>,
}

/// The resources of one VPC. They refer to the VPC by the placeholder `vpc-?`.
#[derive(Clone, Debug)]
struct Draft {
    vpc: Vpc,
    dns: Option<VpcDns>,
    central_names: Option<CentralNames>,
    subnets: Vec<Subnet>,
    groups: Vec<SecurityGroup>,
    tables: Vec<(RouteTable, Vec<u8>)>,
    endpoints: Vec<Endpoint>,
}

pub fn case() -> BoxedStrategy<Case> {
    let account = prop_oneof![9 => Just(Some(OWN_ACCOUNT)), 1 => Just(None)];
    let today = select(vec![(2025, 12, 31), (2026, 3, 1)]);
    let services = select(vec![vec!["s3", "dynamodb"], vec!["s3", "dynamodb"], vec!["dynamodb", "s3express"], vec![]]);
    let required = select(vec![vec![], vec!["ssm"], vec!["kms", "ssm"], vec!["ssm", "unknown"]]);
    let settings = (services, required, option::of(Just(OWN_ORGANIZATION)));
    (vec(vpc(), 1..=2), account, today, settings, endpoint_services(), rest_apis::draft())
        .prop_map(|(drafts, account, today, settings, endpoint_services, apis)| {
            let (route_table_services, required_interfaces, organization_id) = settings;
            let (network, mut facts) = build(drafts);
            facts.services = endpoint_services;
            facts.rest_apis = rest_apis::build(apis, &network);
            let account_region = AccountRegion {
                partition: "aws".to_owned(),
                account: account.map(str::to_owned),
                region: "eu-west-1".to_owned(),
            };
            Case { network, facts, account_region, today, route_table_services, required_interfaces, organization_id }
        })
        .boxed()
}

/// The value of an exemption tag.
fn tag() -> impl Strategy<Value = Option<String>> + Clone {
    let value = select(vec![
        "",
        "*",
        "true until=2026-01-01",
        "dns-bypass",
        "dns-bypass endpoint-dns/endpoint-access,endpoint-state",
        "endpoint-access until=2025-12-31",
        "endpoint-state",
        "s3 endpoint-state",
        "gateway-route",
        "s3",
        "endpoint-zones",
        "endpoint-zones endpoint-private-dns",
        "endpoint-policy required-endpoints",
        "required-endpoints/endpoint-policy until=2026-06-30",
        "Endpoint-State",
        "* endpoint-state",
        "endpoint-dns until=yesterday",
    ]);
    option::weighted(0.25, value.prop_map(str::to_owned))
}

fn vpc() -> impl Strategy<Value = Draft> {
    let dns = option::weighted(
        0.9,
        select(vec![(true, true), (true, true), (true, false), (false, true), (false, false)])
            .prop_map(|(support, host_names)| VpcDns { support, host_names }),
    );
    let is_shared = prop_oneof![9 => Just(false), 1 => Just(true)];
    let vpc_tag = prop_oneof![1 => Just(None), 1 => tag()];
    // A tag on all subnets, because tags on some of them rarely exempt anything.
    let subnets_tag = option::weighted(0.1, select(vec!["", "dns-bypass endpoint-state"]));
    (
        (vpc_tag, subnets_tag),
        (dns, option::weighted(0.9, central_names())),
        vec(subnet(), 0..=4),
        groups(),
        vec(table(), 1..=3),
        vec(endpoint(), 1..=4),
        is_shared,
    )
        .prop_map(
            |((exemption, subnets_tag), (dns, central_names), mut subnets, groups, tables, endpoints, is_shared)| {
                for subnet in &mut subnets {
                    subnet.exemption = subnets_tag.map(str::to_owned).or(subnet.exemption.take());
                }
                if is_shared {
                    for subnet in &mut subnets {
                        subnet.owner_id = Some(OTHER_ACCOUNT.into());
                    }
                }
                Draft {
                    vpc: Vpc { exemption, ..Vpc::default() },
                    dns,
                    central_names,
                    subnets,
                    groups,
                    tables,
                    endpoints,
                }
            },
        )
}

/// A block in `10.0.0.0/24`.
pub fn ipv4_block(lengths: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = String> + Clone {
    (any::<u8>(), lengths).prop_map(|(address, length)| {
        let mask = u8::MAX.checked_shl(u32::from(32 - length)).unwrap_or(0);
        format!("10.0.0.{}/{length}", address & mask)
    })
}

/// A block in `2001:db8::/120`.
pub fn ipv6_block(lengths: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = String> + Clone {
    (any::<u8>(), lengths).prop_map(|(address, length)| {
        let mask = u8::MAX.checked_shl(u32::from(128 - length)).unwrap_or(0);
        format!("2001:db8::{:x}/{length}", address & mask)
    })
}

fn subnet() -> impl Strategy<Value = Subnet> {
    let odd = prop_oneof![12 => Just(None), 1 => select(vec![Some("10.0.0/24"), Some("none")])];
    let owner = prop_oneof![12 => Just(Some(OWN_ACCOUNT)), 3 => Just(None), 1 => Just(Some(OTHER_ACCOUNT))];
    let ipv4 = option::weighted(0.85, ipv4_block(26..=28));
    let ipv6 = option::weighted(0.3, ipv6_block(122..=124));
    let zone = select(vec!["euw1-az1", "euw1-az2", "euw1-az3", "euw1-lhr1-az1"]);
    let zone = option::weighted(0.95, zone);
    (ipv4, ipv6, odd, owner, (tag(), zone)).prop_map(|(ipv4, ipv6, odd, owner, (exemption, zone))| Subnet {
        availability_zone_id: zone.map(Into::into),
        cidrs: ipv4.into_iter().chain(ipv6).map(Into::into).chain(odd.map(Into::into)).collect(),
        owner_id: owner.map(Into::into),
        exemption,
        ..Subnet::default()
    })
}

/// A table, with the positions of the subnets that it is explicitly associated with. The first table is the main table.
fn table() -> impl Strategy<Value = (RouteTable, Vec<u8>)> {
    let to_endpoints = vec((0..4_u8, any::<bool>()), 0..=3);
    (to_endpoints, vec(0..4_u8, 0..=2)).prop_map(|(to_endpoints, subnets)| {
        let routes = to_endpoints.into_iter().map(|(endpoint, active)| Route {
            destination: Some("pl-6da54004".into()),
            target: Target { kind: TargetKind::VpcEndpoint, id: Some(endpoint.to_string()) },
            active,
        });
        let table = RouteTable {
            id: String::new(),
            vpc_id: "".into(),
            name: None,
            owner_id: None,
            exemption: None,
            associations: Vec::new(),
            routes: routes.collect(),
        };
        (table, subnets)
    })
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let kind = prop_oneof![
        8 => Just(EndpointKind::Interface),
        3 => Just(EndpointKind::Gateway),
        1 => Just(EndpointKind::Other),
    ];
    let service = prop_oneof![
        5 => Just("com.amazonaws.eu-west-1.s3"),
        2 => Just("com.amazonaws.eu-west-1.dynamodb"),
        4 => Just("com.amazonaws.eu-west-1.ssm"),
        1 => Just("com.amazonaws.eu-west-1.kms"),
        // Policies about a service that nobody knows are rare otherwise.
        1 => select(vec!["com.amazonaws.eu-west-1.groundstation", "com.amazonaws.eu-west-1.emrwal.prod"]),
        2 => select(vec![
            "com.amazonaws.eu-west-1.sqs",
            "com.amazonaws.eu-west-1.monitoring",
            "com.amazonaws.eu-west-1.ecr.dkr",
            "com.amazonaws.eu-west-1.kms-fips",
            "com.amazonaws.eu-west-1.dynamodb-streams",
            // They do not listen on port 443, or not only.
            "com.amazonaws.eu-west-1.cassandra",
            "com.amazonaws.eu-west-1.cassandra-fips",
            "com.amazonaws.eu-west-1.iot.data",
        ]),
        1 => select(vec![
            "cn.com.amazonaws.eu-west-1.s3",
            "cn.com.amazonaws.eu-west-1.ssm",
            "com.amazonaws.us-east-1.s3",
            "com.amazonaws.eu-west-1.s3express",
            "com.amazonaws.s3-global.accesspoint",
            "com.amazonaws.eu-west-1.guardduty-data",
            "com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d",
        ]),
    ];
    let state = prop_oneof![
        8 => Just("available"),
        1 => select(vec!["Available", "pending", "deleting", "deleted"]),
        2 => select(vec!["failed", "Rejected", "expired", "partial", "pendingAcceptance", "PendingAcceptance", "odd"]),
    ];
    let owner = prop_oneof![8 => Just(Some(OWN_ACCOUNT)), 1 => Just(None), 1 => Just(Some(OTHER_ACCOUNT))];
    let managed = prop_oneof![16 => Just((false, false)), 1 => Just((true, false)), 1 => Just((false, true))];
    let service_region = select(vec![None, None, None, None, Some("eu-west-1"), Some("eu-west-1"), Some("us-east-1")]);
    let dns = (select(vec![true, true, false]), select(vec![None, Some(false), Some(true)]));
    let ip_type = select(vec![
        None,
        Some("ipv4"),
        Some("ipv4"),
        Some("ipv4"),
        Some("ipv6"),
        Some("dualstack"),
        Some("DualStack"),
    ]);
    // Positions of groups: 0 is the default group, 9 a group that nobody sees.
    let groups = prop_oneof![
        3 => Just(vec![0_u8]),
        8 => vec(1..3_u8, 1..=2),
        1 => Just(Vec::new()),
        1 => Just(vec![1, 9]),
        1 => Just(vec![0, 1]),
    ];
    let positions = |ids: Vec<u8>| ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>();
    let (in_subnets, tables) = (vec(0..4_u8, 0..=2), vec(0..3_u8, 0..=3));
    let whom = (policies::of_endpoint(), tag());
    ((kind, service, state, owner, managed), (service_region, dns, ip_type), (groups, in_subnets, tables), whom)
        .prop_map(move |(what, how, (groups, in_subnets, tables), (policy_document, exemption))| {
            let (kind, service, state, owner, (requester_managed, guardduty_managed)) = what;
            let (service_region, (private_dns_enabled, option), ip_type) = how;
            let is_gateway = kind == EndpointKind::Gateway;
            Endpoint {
                kind,
                service_name: service.into(),
                state: state.into(),
                route_table_ids: if is_gateway {
                    positions(tables).into_iter().map(Into::into).collect()
                } else {
                    Vec::new()
                },
                ip_address_type: ip_type.map(Into::into),
                owner_id: owner.map(str::to_owned),
                exemption,
                private_dns_enabled,
                private_dns_only_for_inbound_resolver: option,
                subnet_ids: if is_gateway { Vec::new() } else { positions(in_subnets) },
                security_group_ids: if is_gateway { Vec::new() } else { positions(groups) },
                requester_managed,
                guardduty_managed,
                service_region: service_region.map(str::to_owned),
                policy_document,
                ..Endpoint::default()
            }
        })
}

/// An id that is easy to read in a counterexample. The last position comes first, so that ids and lists have different
/// orders.
fn id(kind: &str, vpc: usize, position: usize) -> String {
    format!("{kind}-{:08x}", (vpc + 1) * 0x100 + 0x20 - position)
}

fn build(drafts: Vec<Draft>) -> (Network, EndpointFacts) {
    let (mut network, mut facts) = (Network::default(), EndpointFacts::default());
    for (number, draft) in drafts.into_iter().enumerate() {
        let vpc_id = id("vpc", number, 0);
        let by_position = |kind: &str, position: &str| id(kind, number, position.parse().unwrap());
        facts.vpc_dns.extend(draft.dns.map(|dns| (vpc_id.clone(), dns)));
        facts.central_names.extend(draft.central_names.map(|names| (vpc_id.clone(), names)));
        facts.security_groups.extend(draft.groups.into_iter().enumerate().map(|(position, mut group)| {
            group.id = id("sg", number, position);
            group.vpc_id.clone_from(&vpc_id);
            for source in group.ingress.iter_mut().flat_map(|rule| &mut rule.sources) {
                if *source == TrafficSource::Group("sg-self".to_owned()) {
                    *source = TrafficSource::Group(group.id.clone());
                }
            }
            (group.id.clone(), group)
        }));
        let subnets: Vec<Subnet> = (draft.subnets.into_iter().enumerate())
            .map(|(position, subnet)| Subnet {
                id: id("subnet", number, position),
                vpc_id: vpc_id.as_str().into(),
                ..subnet
            })
            .collect();
        // A subnet has at most one explicit association.
        let mut explicit = BTreeSet::new();
        for (position, (mut table, subnets_of_table)) in draft.tables.into_iter().enumerate() {
            table.id = id("rtb", number, position);
            table.vpc_id = vpc_id.as_str().into();
            table.associations = subnets_of_table
                .into_iter()
                .filter(|subnet| position > 0 && explicit.insert(*subnet))
                .map(|subnet| Association {
                    subnet_id: Some(by_position("subnet", &subnet.to_string()).into()),
                    ..Association::default()
                })
                .collect();
            table.associations.extend((position == 0).then(|| Association { main: true, ..Association::default() }));
            for route in &mut table.routes {
                route.target.id = route.target.id.as_deref().map(|position| by_position("vpce", position));
            }
            network.route_tables.push(table);
        }
        network.endpoints.extend(draft.endpoints.into_iter().enumerate().map(|(position, mut endpoint)| {
            endpoint.id = id("vpce", number, position);
            endpoint.vpc_id.clone_from(&vpc_id);
            for id in &mut endpoint.route_table_ids {
                *id = by_position("rtb", id).into();
            }
            for (kind, ids) in [("subnet", &mut endpoint.subnet_ids), ("sg", &mut endpoint.security_group_ids)] {
                for id in ids.iter_mut() {
                    *id = by_position(kind, id);
                }
            }
            endpoint
        }));
        network.subnets.extend(subnets);
        network.vpcs.push(Vpc { id: vpc_id, ..draft.vpc });
    }
    (network, facts)
}
