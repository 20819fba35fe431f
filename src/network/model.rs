//! The resources of the network as EC2 described them, without SDK types.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use compact_str::CompactString;

use crate::network::name::named;

/// The part of an account's network in one Region that was read. Every VPC in it is complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The VPCs.
    pub vpcs: Vec<Vpc>,
    /// The subnets in these VPCs that the account sees: its own, and those that are shared with it.
    pub subnets: Vec<Subnet>,
    /// The route tables that the account sees.
    pub route_tables: Vec<RouteTable>,
    /// The VPC endpoints of type Gateway and Interface.
    pub endpoints: Vec<Endpoint>,
}

/// A VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vpc {
    /// `vpc-…`
    pub id: String,
    /// The value of its `Name` tag.
    pub name: Option<String>,
    /// The value of its exemption tag: see `checks::exemption`.
    pub exemption: Option<String>,
    /// All its CIDR blocks that are associated, IPv4 and IPv6, the primary one first
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Vpc.html>).
    pub cidrs: Vec<String>,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`
    pub id: String,
    /// The VPC it is in.
    pub vpc_id: CompactString,
    /// The value of its `Name` tag.
    pub name: Option<CompactString>,
    /// Such as `eu-west-1a`.
    pub availability_zone: Option<CompactString>,
    /// The id of its zone, such as `euw1-az1`. It means the same zone in every account; the name does not
    /// (<https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html>).
    pub availability_zone_id: Option<CompactString>,
    /// The IPv4 CIDR block, or the IPv6 CIDR block of an IPv6-only subnet.
    pub cidr: Option<CompactString>,
    /// All its CIDR blocks that are associated, IPv4 and IPv6
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Subnet.html>). Empty if `cidr` is the only one: see
    /// [`Subnet::blocks`].
    pub cidrs: Vec<CompactString>,
    /// The account that owns it. It is another account if the subnet is shared with ours
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html>).
    pub owner_id: Option<CompactString>,
    /// Whether it is IPv6-only.
    pub ipv6_native: bool,
    /// The value of its exemption tag.
    pub exemption: Option<String>,
}

impl Subnet {
    /// All its CIDR blocks that are associated. Most subnets have one, so that a list of it would only take memory.
    pub fn blocks(&self) -> impl Iterator<Item = &str> {
        let only = self.cidr.as_ref().filter(|_| self.cidrs.is_empty());
        only.into_iter().chain(&self.cidrs).map(CompactString::as_str)
    }
}

/// A route table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTable {
    /// `rtb-…`
    pub id: String,
    /// The VPC it is in.
    pub vpc_id: CompactString,
    /// The value of its `Name` tag.
    pub name: Option<CompactString>,
    /// The account that owns it.
    pub owner_id: Option<CompactString>,
    /// The value of its exemption tag.
    pub exemption: Option<String>,
    /// What it is associated with.
    pub associations: Vec<Association>,
    /// Its routes, at least those that [can matter](Route::can_matter).
    pub routes: Vec<Route>,
}

/// What a route table is associated with: a subnet, a gateway, or the VPC as its main table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Association {
    /// Whether the table is the main table of its VPC. Such an association names no subnet.
    pub main: bool,
    /// The subnet of an explicit association.
    pub subnet_id: Option<CompactString>,
    /// The gateway of an edge association: an internet gateway, a virtual private gateway or a regional NAT gateway.
    pub gateway_id: Option<CompactString>,
    /// `associating`, `associated`, `disassociating`, `disassociated` or `failed`.
    pub state: Option<CompactString>,
}

impl Association {
    /// Whether EC2 uses the association for routing, or soon will.
    fn is_in_effect(&self) -> bool {
        matches!(self.state.as_deref(), None | Some("associated" | "associating"))
    }
}

/// One route of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// An IPv4 or IPv6 CIDR block, or the id of a prefix list (`pl-…`).
    pub destination: Option<CompactString>,
    /// Where the traffic goes.
    pub target: Target,
    /// Whether its state is `active`. A `blackhole` or `filtered` route carries no traffic.
    pub active: bool,
}

/// The destinations of default routes.
const DEFAULT_DESTINATIONS: [&str; 2] = ["0.0.0.0/0", "::/0"];

impl Route {
    /// Whether this is an active default route for IPv4 or IPv6: all traffic without a more specific route uses it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.active && self.destination.as_deref().is_some_and(|block| DEFAULT_DESTINATIONS.contains(&block))
    }

    /// Whether a verdict can depend on the route: it is a default route or goes through a prefix list, which may contain
    /// one, or its target is an endpoint or a NAT gateway. Others, such as the local route, are not kept: a table can have
    /// hundreds of them.
    #[must_use]
    pub fn can_matter(&self) -> bool {
        matches!(self.target.kind, TargetKind::VpcEndpoint | TargetKind::NatGateway)
            || (self.destination.as_deref())
                .is_some_and(|block| DEFAULT_DESTINATIONS.contains(&block) || block.starts_with("pl-"))
    }
}

/// Where a route sends traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The type of the target.
    pub kind: TargetKind,
    /// Its id, or its ARN if it has no id.
    pub id: Option<String>,
}

impl Target {
    /// Whether this is the NAT gateway with this id.
    fn is_nat_gateway(&self, id: &str) -> bool {
        self.kind == TargetKind::NatGateway && self.id.as_deref() == Some(id)
    }
}

/// The type of a route's target
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    /// A NAT gateway. AWS charges for every byte.
    NatGateway,
    /// An internet gateway.
    InternetGateway,
    /// A transit gateway.
    TransitGateway,
    /// A VPC peering connection.
    VpcPeering,
    /// A virtual private gateway (VPN, Direct Connect).
    VirtualPrivateGateway,
    /// A network interface, such as that of a NAT instance or an appliance.
    NetworkInterface,
    /// A VPC endpoint: a gateway endpoint, or the endpoint of a firewall or a Gateway Load Balancer. The route does not
    /// say which one; see [`Endpoint::kind`].
    VpcEndpoint,
    /// A Cloud WAN core network.
    CoreNetwork,
    /// An egress-only internet gateway (IPv6).
    EgressOnlyInternetGateway,
    /// A carrier gateway (Wavelength).
    CarrierGateway,
    /// A local gateway (Outposts).
    LocalGateway,
    /// The VPC itself.
    Local,
    /// A target that this version does not know.
    Other,
    /// No target: the table has no default route.
    None,
}

named!(TargetKind {
    NatGateway => "nat_gateway",
    InternetGateway => "internet_gateway",
    TransitGateway => "transit_gateway",
    VpcPeering => "vpc_peering",
    VirtualPrivateGateway => "virtual_private_gateway",
    NetworkInterface => "network_interface",
    VpcEndpoint => "vpc_endpoint",
    CoreNetwork => "core_network",
    EgressOnlyInternetGateway => "egress_only_internet_gateway",
    CarrierGateway => "carrier_gateway",
    LocalGateway => "local_gateway",
    Local => "local",
    Other => "other",
    None => "none",
});

/// A VPC endpoint (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// `vpce-…`
    pub id: String,
    /// The VPC it is in.
    pub vpc_id: String,
    /// Gateway, Interface or another type.
    pub kind: EndpointKind,
    /// The name of its service, such as `com.amazonaws.eu-west-1.s3`.
    pub service_name: CompactString,
    /// The state as EC2 wrote it. Responses have `available`; the API model has `Available`.
    pub state: CompactString,
    /// The ids of the route tables that a gateway endpoint lists.
    pub route_table_ids: Vec<CompactString>,
    /// `ipv4`, `dualstack` or `ipv6`, if EC2 returns it.
    pub ip_address_type: Option<CompactString>,
    /// The value of its `Name` tag.
    pub name: Option<String>,
    /// The account that owns it.
    pub owner_id: Option<String>,
    /// The value of its exemption tag.
    pub exemption: Option<String>,
    /// Whether the service's own DNS names resolve to the endpoint in the VPC (`PrivateDnsEnabled`).
    pub private_dns_enabled: bool,
    /// Whether only an inbound Resolver endpoint gives that answer, so that the VPC itself keeps the public addresses
    /// (`DnsOptions.PrivateDnsOnlyForInboundResolverEndpoint`). `None` if EC2 returns no such option.
    pub private_dns_only_for_inbound_resolver: Option<bool>,
    /// The ids of the subnets in which an interface endpoint has a network interface.
    pub subnet_ids: Vec<String>,
    /// The ids of the security groups of its network interfaces.
    pub security_group_ids: Vec<String>,
    /// Its policy: the text of a JSON document. `None` if EC2 returns none. Untrusted text.
    pub policy_document: Option<String>,
    /// The code and the message of its last error (`LastError`), joined by `: `. Untrusted text.
    pub last_error: Option<String>,
    /// Why it failed (`FailureReason`). Untrusted text.
    pub failure_reason: Option<String>,
    /// Whether an AWS service made it and manages it (`RequesterManaged`).
    pub requester_managed: bool,
    /// Whether it has the tag `GuardDutyManaged`, because `GuardDuty` made it
    /// (<https://docs.aws.amazon.com/guardduty/latest/ug/runtime-monitoring-agent-resource-clean-up.html>).
    pub guardduty_managed: bool,
    /// The Region of its service, if EC2 returns it. It can differ from the Region of the endpoint.
    pub service_region: Option<String>,
}

impl Endpoint {
    /// Whether it is known to carry no IPv6 traffic.
    #[must_use]
    pub fn excludes_ipv6(&self) -> bool {
        self.ip_address_type.as_deref() == Some("ipv4")
    }

    /// Whether its state is `available`, compared without regard to case.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.state.eq_ignore_ascii_case("available")
    }

    /// Whether it was deleted. EC2 still returns such an endpoint for a while.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        ["deleting", "deleted"].iter().any(|state| self.state.eq_ignore_ascii_case(state))
    }

    /// Whether it lists the table.
    #[must_use]
    pub fn lists(&self, table: &RouteTable) -> bool {
        self.route_table_ids.iter().any(|id| *id == table.id)
    }
}

/// A NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatGateway {
    /// `nat-…`
    pub id: String,
    /// The route table that EC2 made for a regional NAT gateway
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html>).
    pub route_table_id: Option<String>,
    /// Whether it is being deleted, was deleted, or could not be created.
    pub is_gone: bool,
}

/// The types of VPC endpoint that gatewatch distinguishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointKind {
    /// A route to a service in each route table that the endpoint lists. It is private and free of charge.
    Gateway,
    /// Network interfaces in subnets, reached by DNS name. AWS charges for them.
    Interface,
    /// Gateway Load Balancer, Resource, Service network, and any later type.
    #[default]
    Other,
}

impl RouteTable {
    /// Whether the table is the main table of nothing, and is associated with no subnet and no gateway.
    #[must_use]
    pub fn is_unassociated(&self) -> bool {
        !(self.associations.iter().filter(|a| a.is_in_effect()))
            .any(|a| a.main || a.subnet_id.is_some() || a.gateway_id.is_some())
    }

    /// Whether an active route of the table names the NAT gateway.
    #[must_use]
    pub fn has_active_route_to_nat_gateway(&self, id: &str) -> bool {
        self.routes.iter().any(|route| route.active && route.target.is_nat_gateway(id))
    }

    /// Whether a route of the table names the NAT gateway, in any state.
    #[must_use]
    pub fn routes_to_nat_gateway(&self, id: &str) -> bool {
        self.routes.iter().any(|route| route.target.is_nat_gateway(id))
    }

    /// Whether the table is the main table of its VPC.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(|a| a.main && a.is_in_effect())
    }

    /// Whether the table is an edge table: it carries only the ingress traffic of a gateway. gatewatch never checks it
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/gateway-route-tables.html>).
    #[must_use]
    pub fn is_edge(&self) -> bool {
        !self.is_main()
            && self.associations.iter().any(|a| a.gateway_id.is_some() && a.is_in_effect())
            && self.associations.iter().all(|a| a.subnet_id.is_none())
    }
}

impl Network {
    /// Adds the resources of other VPCs.
    pub fn extend(&mut self, other: Self) {
        self.vpcs.extend(other.vpcs);
        self.subnets.extend(other.subnets);
        self.route_tables.extend(other.route_tables);
        self.endpoints.extend(other.endpoints);
    }

    /// Adds what the NAT gateway says about the route tables.
    ///
    /// EC2 made the table of a regional NAT gateway, and it carries only the traffic that arrives at the gateway: it is an
    /// edge table, whether or not the list of tables shows the association. A route to a NAT gateway that is gone carries
    /// no traffic, even if the list still shows it as active.
    pub fn apply_nat_gateway(&mut self, gateway: &NatGateway) {
        for table in &mut self.route_tables {
            if gateway.route_table_id.as_ref() == Some(&table.id) {
                let gateway_id = Some(gateway.id.as_str().into());
                table.associations.push(Association { gateway_id, ..Association::default() });
            }
            let to_it = |route: &&mut Route| gateway.is_gone && route.target.is_nat_gateway(&gateway.id);
            table.routes.iter_mut().filter(to_it).for_each(|route| route.active = false);
        }
    }

    /// Adds the default routes of prefix lists, each with its address ranges. A route through a list is also a route to
    /// each of its ranges, unless the table has a route to the range itself, which EC2 prefers
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html>).
    pub fn apply_prefix_lists(&mut self, lists: &BTreeMap<String, BTreeSet<String>>) {
        for table in &mut self.route_tables {
            let in_list = |route: &Route, block: &str| {
                let list = route.destination.as_deref().and_then(|id| lists.get(id));
                list.is_some_and(|blocks| blocks.contains(block))
            };
            let mut through_lists = Vec::new();
            for block in DEFAULT_DESTINATIONS {
                if table.routes.iter().all(|route| route.destination.as_deref() != Some(block)) {
                    let routes = table.routes.iter().filter(|route| in_list(route, block));
                    through_lists
                        .extend(routes.map(|route| Route { destination: Some(block.into()), ..route.clone() }));
                }
            }
            table.routes.extend(through_lists);
        }
    }

    /// The effective route tables of all subnets.
    #[must_use]
    pub fn effective_tables(&self) -> EffectiveTables<'_> {
        let mut tables = EffectiveTables { explicit: HashMap::new(), main: HashMap::new() };
        for table in &self.route_tables {
            for association in table.associations.iter().filter(|a| a.is_in_effect()) {
                if let Some(subnet) = &association.subnet_id {
                    tables.explicit.insert(subnet, table);
                } else if association.main {
                    tables.main.insert(&table.vpc_id, table);
                }
            }
        }
        tables
    }
}

/// The route table that each subnet uses
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html>).
#[derive(Debug)]
pub struct EffectiveTables<'a> {
    explicit: HashMap<&'a str, &'a RouteTable>,
    main: HashMap<&'a str, &'a RouteTable>,
}

impl<'a> EffectiveTables<'a> {
    /// The table that the subnet is explicitly associated with, else the main table of its own VPC. `None` if that
    /// table is not visible, as in a VPC that another account shares.
    #[must_use]
    pub fn of(&self, subnet: &Subnet) -> Option<&'a RouteTable> {
        self.explicit.get(subnet.id.as_str()).or_else(|| self.main.get(subnet.vpc_id.as_str())).copied()
    }

    /// The main table of a VPC. `None` if it is not visible.
    #[must_use]
    pub fn main_of(&self, vpc_id: &str) -> Option<&'a RouteTable> {
        self.main.get(vpc_id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{
        service::GatewayService,
        testing::{gateway_endpoint, main_table, route, subnet, table, vpc},
    };

    /// A VPC with one resource of each kind.
    fn network(n: u8) -> Network {
        let id = |kind: &str| format!("{kind}-0000000{n}");
        Network {
            vpcs: vec![vpc(&id("vpc"))],
            subnets: vec![subnet(&id("subnet"), &id("vpc"))],
            route_tables: vec![main_table(&id("rtb"), &id("vpc"))],
            endpoints: vec![gateway_endpoint(&id("vpce"), &id("vpc"), GatewayService::S3, &[])],
        }
    }

    #[test]
    fn only_some_routes_can_matter() {
        use TargetKind::{Local, NatGateway, TransitGateway, VpcEndpoint, VpcPeering};
        for (destination, kind, matters) in [
            ("0.0.0.0/0", TransitGateway, true),
            ("::/0", TransitGateway, true),
            ("pl-0000000a", TransitGateway, true),
            ("10.1.0.0/16", NatGateway, true),
            ("10.1.0.0/16", VpcEndpoint, true),
            ("10.1.0.0/16", VpcPeering, false),
            ("10.0.0.0/16", Local, false),
            ("2001:db8::/56", Local, false),
        ] {
            let route = route(destination, kind, "x-1");
            assert_eq!(route.can_matter(), matters, "{destination} {kind:?}");
            // EC2 prefers an inactive default route to one through a prefix list.
            assert_eq!(Route { active: false, ..route }.can_matter(), matters, "{destination} {kind:?}");
        }
        assert!(!Route { destination: None, ..route("", VpcPeering, "pcx-1") }.can_matter());
    }

    #[test]
    fn the_table_of_a_regional_nat_gateway_is_an_edge_table() {
        let regional = |table: &str| NatGateway {
            id: "nat-0000000a".into(),
            route_table_id: Some(table.to_owned()),
            is_gone: false,
        };
        let edge = |table: RouteTable, gateway: Option<&NatGateway>| {
            let mut network = Network { route_tables: vec![table], ..Network::default() };
            if let Some(gateway) = gateway {
                network.apply_nat_gateway(gateway);
            }
            network.route_tables[0].is_edge()
        };
        let plain = || table("rtb-0000000a", "vpc-0000000a");
        assert!(!edge(plain(), None));
        assert!(edge(plain(), Some(&regional("rtb-0000000a"))));
        assert!(!edge(plain(), Some(&regional("rtb-0000000b"))));
        assert!(!edge(plain(), Some(&NatGateway { route_table_id: None, ..regional("") })));
        assert!(!edge(main_table("rtb-0000000a", "vpc-0000000a"), Some(&regional("rtb-0000000a"))));

        // The list of tables may show the association itself.
        let gateway = Association { gateway_id: Some("nat-0000000a".into()), ..Association::default() };
        assert!(edge(RouteTable { associations: vec![gateway], ..plain() }, None));
    }

    #[test]
    fn a_route_to_a_nat_gateway_that_is_gone_is_not_active() {
        let nat = |id: &str, active| Route { active, ..route("0.0.0.0/0", TargetKind::NatGateway, id) };
        let with = |routes: [Route; 3]| Network {
            route_tables: vec![RouteTable { routes: routes.into(), ..table("rtb-0000000a", "vpc-0000000a") }],
            ..Network::default()
        };
        let other = || route("10.0.0.0/8", TargetKind::TransitGateway, "nat-0000000a");
        let before = with([nat("nat-0000000a", true), nat("nat-0000000b", true), other()]);
        let mut after = before.clone();
        let gateway = |is_gone| NatGateway { id: "nat-0000000a".into(), route_table_id: None, is_gone };
        after.apply_nat_gateway(&gateway(false));
        assert_eq!(after, before);
        after.apply_nat_gateway(&gateway(true));
        assert_eq!(after, with([nat("nat-0000000a", false), nat("nat-0000000b", true), other()]));
    }

    #[test]
    fn a_prefix_list_gives_default_routes_unless_the_table_has_its_own() {
        let with = |routes: &[Route]| Network {
            route_tables: vec![RouteTable { routes: routes.into(), ..table("rtb-0000000a", "vpc-0000000a") }],
            ..Network::default()
        };
        let nat = |destination| route(destination, TargetKind::NatGateway, "nat-0000000a");
        let transit = |destination| route(destination, TargetKind::TransitGateway, "tgw-0000000a");
        let lists = |blocks: &[&str]| {
            let blocks = blocks.iter().map(|&block| block.to_owned()).collect();
            BTreeMap::from([("pl-0000000a".to_owned(), blocks)])
        };
        let applied = |routes: &[Route], blocks: &[&str]| {
            let mut network = with(routes);
            network.apply_prefix_lists(&lists(blocks));
            network
        };
        let list = nat("pl-0000000a");
        let only_list = [list.clone()];
        assert_eq!(applied(&only_list, &["0.0.0.0/0"]), with(&[list.clone(), nat("0.0.0.0/0")]));
        assert_eq!(
            applied(&only_list, &["10.0.0.0/8", "0.0.0.0/0", "::/0"]),
            with(&[list.clone(), nat("0.0.0.0/0"), nat("::/0")])
        );
        for blocks in [&[][..], &["10.0.0.0/8", "0.0.0.0/1"]] {
            assert_eq!(applied(&only_list, blocks), with(&only_list), "{blocks:?}");
        }
        let own = [list.clone(), transit("0.0.0.0/0")];
        assert_eq!(applied(&own, &["0.0.0.0/0"]), with(&own), "the table's own route is preferred");
        let blackhole = [list.clone(), Route { active: false, ..transit("0.0.0.0/0") }];
        assert_eq!(applied(&blackhole, &["0.0.0.0/0"]), with(&blackhole));
        let inactive = Route { active: false, ..list };
        let expected = with(&[inactive.clone(), Route { active: false, ..nat("0.0.0.0/0") }]);
        assert_eq!(applied(&[inactive], &["0.0.0.0/0"]), expected);
        assert_eq!(applied(&[nat("pl-0000000b")], &["0.0.0.0/0"]), with(&[nat("pl-0000000b")]), "another list");
    }

    #[test]
    fn extend_adds_the_resources_of_other_vpcs() {
        let mut both = network(1);
        both.extend(network(2));
        let (one, two) = (network(1), network(2));
        assert_eq!(
            both,
            Network {
                vpcs: [one.vpcs, two.vpcs].concat(),
                subnets: [one.subnets, two.subnets].concat(),
                route_tables: [one.route_tables, two.route_tables].concat(),
                endpoints: [one.endpoints, two.endpoints].concat(),
            }
        );
    }
}
