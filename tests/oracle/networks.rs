//! Generates networks for the comparison. Every outcome is common, and every unusual form occurs.
//!
//! proptest generates drafts, in which resources refer to each other by position. `build` turns them into a
//! [`Network`], in which they refer to each other by id.

use gatewatch::network::{
    account::AccountRegion,
    model::{Association, Endpoint, EndpointKind, Network, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
};
use proptest::{
    collection::vec,
    option,
    prelude::{BoxedStrategy, Just, any},
    prop_oneof,
    sample::{Index, select},
    strategy::Strategy,
};

/// The account that the function runs in.
pub const OWN_ACCOUNT: &str = "111122223333";
/// The account that shares subnets with it.
pub const OTHER_ACCOUNT: &str = "444455556666";

/// Everything that the result depends on.
#[derive(Clone, Debug)]
pub struct Case {
    pub network: Network,
    pub account_region: AccountRegion,
    /// The names of the required services.
    pub services: Vec<&'static str>,
    /// Year, month, day.
    pub today: (i16, i8, i8),
}

/// Maximum number of tables in a VPC, including the main table. An endpoint draft has a link to each of them.
const MAX_TABLES: usize = 5;

#[derive(Clone, Debug)]
struct VpcDraft {
    /// Whether another account shares it. If so, EC2 does not return its endpoints.
    shared: bool,
    /// Whether EC2 returns its tables. In most cases EC2 does not return the tables of a shared VPC.
    tables_visible: bool,
    exemption: Option<String>,
    /// Whether the first table is the main table.
    has_main: bool,
    /// The state of the main association.
    main_state: Option<&'static str>,
    tables: Vec<TableDraft>,
    subnets: Vec<SubnetDraft>,
    endpoints: Vec<EndpointDraft>,
}

#[derive(Clone, Debug)]
struct TableDraft {
    /// Part of the id. Makes the order of ids differ from the order of the list.
    rank: u8,
    /// Whether EC2 returns the owner.
    has_owner: bool,
    exemption: Option<String>,
    /// The state of a main association that does not count.
    former_main: Option<&'static str>,
    /// A gateway whose ingress traffic the table routes, and the state of the association.
    gateway: Option<(&'static str, Option<&'static str>)>,
    routes: Vec<RouteDraft>,
}

#[derive(Clone, Debug)]
struct RouteDraft {
    destination: Option<&'static str>,
    active: bool,
    target: TargetKind,
    /// The endpoint of the network, if the target is an endpoint. `None` for one that is not in the network, such as a
    /// firewall's.
    endpoint: Option<Index>,
}

#[derive(Clone, Debug)]
struct SubnetDraft {
    rank: u8,
    ipv6_native: bool,
    owner: Option<&'static str>,
    exemption: Option<String>,
    /// The table of the explicit association, and its state.
    explicit: Option<(Index, Option<&'static str>)>,
    /// The table of an association that has ended or failed, and its state.
    former: Option<(Index, &'static str)>,
}

#[derive(Clone, Debug)]
struct EndpointDraft {
    rank: u8,
    kind: EndpointKind,
    service_name: String,
    state: &'static str,
    ip_address_type: Option<&'static str>,
    /// One link for each table of the VPC.
    links: Vec<Link>,
    /// A link to any table in the network.
    extra_link: Option<(Index, Link)>,
    /// Whether it lists a table that does not exist.
    lists_unknown_table: bool,
}

/// The relation between an endpoint and a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    None,
    /// Listed, with an active route.
    Complete,
    /// Listed, without a route.
    NoRoute,
    /// Listed, with a route that is not active.
    InactiveRoute,
    /// Not listed, with an active route.
    NotListed,
}

/// Generates a network, account and Region, services and a day.
pub fn case() -> BoxedStrategy<Case> {
    let services = prop_oneof![
        4 => Just(vec!["s3", "dynamodb"]),
        1 => Just(vec!["s3"]),
        1 => Just(vec!["s3express"]),
        1 => Just(vec!["s3", "dynamodb", "s3express"]),
    ];
    let today = select(vec![(2025, 12, 31), (2026, 1, 1), (2026, 2, 28), (2026, 3, 1), (2028, 2, 29)]);
    let account = prop_oneof![9 => Just(Some(OWN_ACCOUNT)), 1 => Just(None)];
    let partition_and_region = prop_oneof![4 => Just(("aws", "eu-west-1")), 1 => Just(("aws-cn", "cn-north-1"))];
    partition_and_region
        .prop_flat_map(move |(partition, region)| {
            let account = account.clone().prop_map(move |account| AccountRegion {
                partition: partition.to_owned(),
                account: account.map(str::to_owned),
                region: region.to_owned(),
            });
            (vec(vpc(region), 1..=3), account, services.clone(), today.clone())
        })
        .prop_map(|(drafts, account_region, services, today)| Case {
            network: build(&drafts),
            account_region,
            services,
            today,
        })
        .boxed()
}

// --- Drafts ----------------------------------------------------------------------------------------------------------

fn vpc(region: &'static str) -> impl Strategy<Value = VpcDraft> {
    let shared = prop_oneof![
        12 => Just((false, true)),
        2 => Just((true, false)),
        1 => Just((true, true)),
    ];
    // EC2 returns the main table of each VPC of the own account. If it does not, the rule must not guess one.
    let has_main = prop_oneof![9 => Just(true), 1 => Just(false)];
    let tables = vec(table(), 1..=MAX_TABLES);
    let endpoints = vec(endpoint(region), 0..=5);
    (shared, exemption(), has_main, state(), tables, vec(subnet(), 0..=6), endpoints).prop_map(
        |((shared, tables_visible), exemption, has_main, main_state, tables, subnets, endpoints)| VpcDraft {
            shared,
            tables_visible,
            exemption,
            has_main,
            main_state,
            tables,
            subnets,
            endpoints,
        },
    )
}

/// The state of an association that counts.
fn state() -> impl Strategy<Value = Option<&'static str>> + Clone {
    prop_oneof![6 => Just(Some("associated")), 1 => Just(Some("associating")), 1 => Just(None)]
}

/// The state of an association that has ended or failed.
fn former_state() -> impl Strategy<Value = &'static str> + Clone {
    select(vec!["disassociating", "disassociated", "failed"])
}

fn table() -> impl Strategy<Value = TableDraft> {
    let any_state = prop_oneof![4 => state(), 1 => former_state().prop_map(Some)];
    let gateway = prop_oneof![
        5 => Just(None),
        1 => (select(vec!["igw-0000000000000000f", "vgw-0000000000000000f", "nat-0000000000000000f"]), any_state).prop_map(Some),
    ];
    let routes = (default_route("0.0.0.0/0"), default_route("::/0"), vec(other_route(), 0..=3)).prop_map(
        |(ipv4, ipv6, others)| {
            let mut routes = others;
            routes.extend(ipv4);
            routes.extend(ipv6);
            routes
        },
    );
    let former_main = option::weighted(0.05, former_state());
    (0..4_u8, any::<bool>(), exemption(), former_main, gateway, routes).prop_map(
        |(rank, has_owner, exemption, former_main, gateway, routes)| TableDraft {
            rank,
            has_owner,
            exemption,
            former_main,
            gateway,
            routes,
        },
    )
}

/// At most one, because EC2 allows one route per destination.
fn default_route(destination: &'static str) -> impl Strategy<Value = Option<RouteDraft>> {
    let kind = prop_oneof![
        3 => Just(TargetKind::NatGateway),
        4 => Just(TargetKind::InternetGateway),
        4 => select(OTHER_EGRESS.to_vec()),
    ];
    option::weighted(0.6, route(Just(Some(destination)), kind))
}

/// The targets of a default route, except the two that have their own severity.
const OTHER_EGRESS: [TargetKind; 10] = [
    TargetKind::TransitGateway,
    TargetKind::VpcPeering,
    TargetKind::VirtualPrivateGateway,
    TargetKind::NetworkInterface,
    TargetKind::VpcEndpoint,
    TargetKind::CoreNetwork,
    TargetKind::EgressOnlyInternetGateway,
    TargetKind::CarrierGateway,
    TargetKind::LocalGateway,
    TargetKind::Other,
];

fn other_route() -> impl Strategy<Value = RouteDraft> {
    let destination = select(vec![
        Some("10.0.0.0/16"),
        // Not default routes: each covers half of the addresses, or only looks like a default route.
        Some("0.0.0.0/1"),
        Some("128.0.0.0/1"),
        Some("2000::/3"),
        Some("10.0.0.0/0"),
        Some("pl-6da54004"),
        None,
    ]);
    let mut kinds = OTHER_EGRESS.to_vec();
    kinds.extend([TargetKind::NatGateway, TargetKind::InternetGateway, TargetKind::Local]);
    route(destination, select(kinds))
}

fn route(
    destination: impl Strategy<Value = Option<&'static str>>,
    target: impl Strategy<Value = TargetKind>,
) -> impl Strategy<Value = RouteDraft> {
    let active = prop_oneof![5 => Just(true), 1 => Just(false)];
    (destination, active, target, option::of(any::<Index>()))
        .prop_map(|(destination, active, target, endpoint)| RouteDraft { destination, active, target, endpoint })
}

fn subnet() -> impl Strategy<Value = SubnetDraft> {
    let ipv6_native = prop_oneof![3 => Just(false), 1 => Just(true)];
    let any_state = prop_oneof![5 => state(), 1 => former_state().prop_map(Some)];
    let explicit = option::weighted(0.6, (any::<Index>(), any_state));
    let former = option::weighted(0.15, (any::<Index>(), former_state()));
    // The owner of a VPC owns all its subnets. If EC2 names another owner, the subnet is not assessed.
    let owner = prop_oneof![12 => Just(Some(OWN_ACCOUNT)), 4 => Just(None), 1 => Just(Some(OTHER_ACCOUNT))];
    (0..4_u8, ipv6_native, owner, exemption(), explicit, former).prop_map(
        |(rank, ipv6_native, owner, exemption, explicit, former)| SubnetDraft {
            rank,
            ipv6_native,
            owner,
            exemption,
            explicit,
            former,
        },
    )
}

fn endpoint(region: &'static str) -> impl Strategy<Value = EndpointDraft> {
    let kind = prop_oneof![
        7 => Just(EndpointKind::Gateway),
        2 => Just(EndpointKind::Interface),
        1 => Just(EndpointKind::Other),
    ];
    let service = select(vec!["s3", "s3", "s3", "dynamodb", "dynamodb", "s3express"]);
    let service_name = prop_oneof![
        12 => service.clone().prop_map(move |service| format!("com.amazonaws.{region}.{service}")),
        // The second form, which AWS uses only in China.
        1 => service.prop_map(move |service| {
            let prefix = if region.starts_with("cn-") { "cn." } else { "" };
            format!("{prefix}com.amazonaws.{region}.{service}")
        }),
        1 => select(vec![
            "com.amazonaws.us-east-1.s3".to_owned(),
            "com.amazonaws.s3-global.accesspoint".to_owned(),
            format!("com.amazonaws.{region}.ec2"),
            format!("com.amazonaws.{region}.s3-outposts"),
            format!("com.amazonaws.{region}.s3.vpce"),
            format!("com.amazonaws.{region}.dynamodb-fips"),
            format!("com.amazonaws.{region}.s3tables"),
            format!("com.amazonaws.{region}a.s3"),
            format!("com.amazonaws.{region}"),
            format!("com.amazonaws.{region}."),
            format!("com.amazonaws.vpce.{region}.vpce-svc-0123456789abcdef0"),
            format!("com.amazonaws.vpce.{region}.s3"),
            format!("aws.api.{region}.s3"),
            format!("org.com.amazonaws.{region}.s3"),
            "s3".to_owned(),
            String::new(),
        ]),
    ];
    let state = prop_oneof![
        8 => Just("available"),
        1 => select(vec!["Available", "AVAILABLE"]),
        3 => one_of(
            "pending|Pending|pendingAcceptance|deleting|Deleting|deleted|rejected|failed|expired|partial|unavailable|",
            '|',
        ),
    ];
    let ip_address_type = select(vec![None, Some("ipv4"), Some("ipv4"), Some("dualstack"), Some("ipv6")]);
    let extra_link = option::weighted(0.1, (any::<Index>(), link()));
    let lists_unknown_table = prop_oneof![6 => Just(false), 1 => Just(true)];
    let links = vec(link(), MAX_TABLES);
    (0..4_u8, kind, service_name, state, ip_address_type, links, extra_link, lists_unknown_table).prop_map(
        |(rank, kind, service_name, state, ip_address_type, links, extra_link, lists_unknown_table)| EndpointDraft {
            rank,
            kind,
            service_name,
            state,
            ip_address_type,
            links,
            extra_link,
            lists_unknown_table,
        },
    )
}

fn link() -> impl Strategy<Value = Link> + Clone {
    prop_oneof![
        4 => Just(Link::None),
        4 => Just(Link::Complete),
        1 => Just(Link::NoRoute),
        1 => Just(Link::InactiveRoute),
        1 => Just(Link::NotListed),
    ]
}

/// Selects one of the texts between the separators. A text can be empty.
fn one_of(texts: &'static str, separator: char) -> impl Strategy<Value = &'static str> + Clone {
    select(texts.split(separator).collect::<Vec<_>>())
}

/// The value of an exemption tag. In most cases there is no tag.
fn exemption() -> impl Strategy<Value = Option<String>> + Clone {
    let day = one_of(
        "2025-12-30 2025-12-31 2026-01-01 2026-02-27 2026-02-28 2026-03-01 2028-02-29 0001-01-01 9999-12-31",
        ' ',
    );
    let invalid_day = one_of(
        "|soon|until=2028-02-29|2026-02-29|2026-02-30|2026-04-31|2026-13-01|2026-00-10|2026-01-00|2026-1-1|20260301|\
         26-03-01|2026-03-01Z|2026-03-01T00:00|+002026-03-01|-002026-03-01|2026_03_01|2026-03-011|\
         2026-W09-7",
        '|',
    );
    let word = prop_oneof![
        8 => select(vec!["s3", "dynamodb", "s3express"]).prop_map(str::to_owned),
        1 => select(vec!["s4", "none", "false", "s3;dynamodb", "com.amazonaws.eu-west-1.s3", "S\u{b3}", "s3-express"])
            .prop_map(str::to_owned),
    ];
    let separator = select(vec![" ", ",", "/", ", ", "  ", " / "]);
    let services = prop_oneof![
        1 => Just(String::new()),
        1 => Just("*".to_owned()),
        1 => Just("true".to_owned()),
        4 => (vec(word, 1..=3), separator.clone()).prop_map(|(words, separator)| words.join(separator)),
    ];
    let until = prop_oneof![
        5 => Just(None),
        4 => day.prop_map(|day| Some(format!("until={day}"))),
        1 => invalid_day.prop_map(|day| Some(format!("until={day}"))),
    ];
    let value =
        (services, until, separator, any::<bool>()).prop_map(|(services, until, separator, until_first)| match until {
            None => services,
            Some(until) if services.is_empty() => until,
            Some(until) if until_first => format!("{until}{separator}{services}"),
            Some(until) => format!("{services}{separator}{until}"),
        });
    // Values that people may write by mistake.
    let unusual = one_of(
        " |,|\t|*,s3|s3 *|true s3|* true|TRUE|S3|S3 DynamoDB| s3 |s3,|s3 s3|s3,,dynamodb|s3\tdynamodb|s3\n|\
         \u{a0}s3|until|until= 2028-02-29|until=2028/02/29|*until=2028-02-29|Until=2028-02-29|\
         until=2028-02-29 until=2025-12-30|until=２028-02-29",
        '|',
    );
    option::weighted(0.2, prop_oneof![8 => value, 1 => unusual.prop_map(str::to_owned)])
}

// --- Networks --------------------------------------------------------------------------------------------------------

/// An id that is easy to read in a counterexample: kind, VPC, rank and position.
fn id(prefix: &str, vpc_index: usize, rank: u8, position: usize) -> String {
    format!("{prefix}{:017x}", (vpc_index + 1) * 0x1_0000 + usize::from(rank) * 0x100 + position)
}

fn build(drafts: &[VpcDraft]) -> Network {
    let mut network = Network::default();
    for (vpc_index, draft) in drafts.iter().enumerate() {
        let vpc_id = id("vpc-", vpc_index, 0, 0);
        network.vpcs.push(Vpc { id: vpc_id.clone(), exemption: draft.exemption.clone(), ..Vpc::default() });
        for (position, subnet) in draft.subnets.iter().enumerate() {
            network.subnets.push(Subnet {
                id: id("subnet-", vpc_index, subnet.rank, position),
                vpc_id: vpc_id.as_str().into(),
                owner_id: if draft.shared { Some(OTHER_ACCOUNT.into()) } else { subnet.owner.map(Into::into) },
                ipv6_native: subnet.ipv6_native,
                exemption: subnet.exemption.clone(),
                ..Subnet::default()
            });
        }
        if draft.tables_visible {
            network.route_tables.extend(tables(vpc_index, draft));
        }
        if !draft.shared {
            network.endpoints.extend(endpoints(vpc_index, draft));
        }
    }
    // Links need the ids of endpoints and tables, so they come last.
    link_endpoints(&mut network, drafts);
    network
}

fn tables(vpc_index: usize, draft: &VpcDraft) -> Vec<RouteTable> {
    let mut tables = Vec::new();
    for (position, table) in draft.tables.iter().enumerate() {
        let mut associations = Vec::new();
        let main = (draft.has_main && position == 0).then_some(draft.main_state);
        for state in main.into_iter().chain(table.former_main.map(Some)) {
            associations.push(Association { main: true, state: state.map(Into::into), ..Association::default() });
        }
        if let Some((gateway, state)) = table.gateway {
            associations.push(Association {
                gateway_id: Some(gateway.into()),
                state: state.map(Into::into),
                ..Association::default()
            });
        }
        tables.push(RouteTable {
            id: id("rtb-", vpc_index, table.rank, position),
            vpc_id: id("vpc-", vpc_index, 0, 0).into(),
            name: None,
            owner_id: if draft.shared {
                Some(OTHER_ACCOUNT.into())
            } else {
                table.has_owner.then(|| OWN_ACCOUNT.into())
            },
            exemption: table.exemption.clone(),
            associations,
            routes: vec![route_to("10.0.0.0/16", "local", true, TargetKind::Local)],
        });
    }
    for (position, subnet) in draft.subnets.iter().enumerate() {
        let former = subnet.former.map(|(table, state)| (table, Some(state)));
        for (table, state) in subnet.explicit.into_iter().chain(former) {
            table.get_mut(&mut tables).associations.push(Association {
                subnet_id: Some(id("subnet-", vpc_index, subnet.rank, position).into()),
                state: state.map(Into::into),
                ..Association::default()
            });
        }
    }
    tables
}

fn endpoints(vpc_index: usize, draft: &VpcDraft) -> Vec<Endpoint> {
    let endpoints = draft.endpoints.iter().enumerate().map(|(position, endpoint)| Endpoint {
        id: id("vpce-", vpc_index, endpoint.rank, position),
        vpc_id: id("vpc-", vpc_index, 0, 0),
        kind: endpoint.kind,
        service_name: endpoint.service_name.as_str().into(),
        state: endpoint.state.into(),
        route_table_ids: if endpoint.lists_unknown_table { vec!["rtb-0000000000000dead".into()] } else { Vec::new() },
        ip_address_type: endpoint.ip_address_type.map(Into::into),
        ..Endpoint::default()
    });
    endpoints.collect()
}

fn link_endpoints(network: &mut Network, drafts: &[VpcDraft]) {
    let with_tables = || drafts.iter().filter(|draft| draft.tables_visible);
    // The endpoints and tables of the network are in the order of the drafts, so positions in both match.
    let mut endpoint_index = 0;
    let mut first_table = 0;
    for draft in with_tables() {
        for endpoint in draft.endpoints.iter().filter(|_| !draft.shared) {
            for (position, link) in endpoint.links.iter().enumerate().take(draft.tables.len()) {
                connect(network, endpoint_index, first_table + position, *link);
            }
            if let Some((table, link)) = endpoint.extra_link {
                let table_index = table.index(network.route_tables.len());
                connect(network, endpoint_index, table_index, link);
            }
            endpoint_index += 1;
        }
        first_table += draft.tables.len();
    }
    let table_drafts = with_tables().flat_map(|draft| &draft.tables);
    for (table, draft) in network.route_tables.iter_mut().zip(table_drafts) {
        for route in &draft.routes {
            let target = match (route.target, route.endpoint) {
                (TargetKind::VpcEndpoint, Some(index)) if !network.endpoints.is_empty() => {
                    Some(index.get(&network.endpoints).id.clone())
                }
                (kind, _) => target_id(kind).map(str::to_owned),
            };
            table.routes.push(Route {
                destination: route.destination.map(Into::into),
                target: Target { kind: route.target, id: target },
                active: route.active,
            });
        }
    }
}

fn connect(network: &mut Network, endpoint_index: usize, table_index: usize, link: Link) {
    let endpoint = &mut network.endpoints[endpoint_index];
    let table = &mut network.route_tables[table_index];
    if matches!(link, Link::Complete | Link::NoRoute | Link::InactiveRoute) {
        endpoint.route_table_ids.push(table.id.as_str().into());
    }
    if matches!(link, Link::Complete | Link::InactiveRoute | Link::NotListed) {
        let active = link != Link::InactiveRoute;
        table.routes.push(route_to("pl-6da54004", &endpoint.id, active, TargetKind::VpcEndpoint));
    }
}

fn route_to(destination: &str, target: &str, active: bool, kind: TargetKind) -> Route {
    let target = Target { kind, id: Some(target.to_owned()) };
    Route { destination: Some(destination.into()), target, active }
}

/// The id of a target of this kind.
fn target_id(kind: TargetKind) -> Option<&'static str> {
    match kind {
        TargetKind::NatGateway => Some("nat-0000000000000000a"),
        TargetKind::InternetGateway => Some("igw-0000000000000000a"),
        TargetKind::TransitGateway => Some("tgw-0000000000000000a"),
        TargetKind::VpcPeering => Some("pcx-0000000000000000a"),
        TargetKind::VirtualPrivateGateway => Some("vgw-0000000000000000a"),
        TargetKind::NetworkInterface => Some("eni-0000000000000000a"),
        TargetKind::VpcEndpoint => Some("vpce-0000000000000000a"),
        TargetKind::CoreNetwork => Some("arn:aws:networkmanager::111122223333:core-network/core-network-0a"),
        TargetKind::EgressOnlyInternetGateway => Some("eigw-0000000000000000a"),
        TargetKind::CarrierGateway => Some("cagw-0000000000000000a"),
        TargetKind::LocalGateway => Some("lgw-0000000000000000a"),
        TargetKind::Local => Some("local"),
        TargetKind::Other | TargetKind::None => None,
    }
}
