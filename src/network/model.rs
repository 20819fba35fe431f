//! The network as plain facts: what EC2 said, without the SDK's types.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::HashMap;

use crate::network::name::named;

/// What was read of an account's network in one Region: whole VPCs, never half of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The VPCs.
    pub vpcs: Vec<Vpc>,
    /// The subnets that the account sees in them, its own and those that are shared with it.
    pub subnets: Vec<Subnet>,
    /// The route tables that the account sees.
    pub route_tables: Vec<RouteTable>,
    /// The VPC endpoints of type Gateway and Interface.
    pub endpoints: Vec<Endpoint>,
}

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vpc {
    /// `vpc-…`
    pub id: String,
    /// The value of its `Name` tag.
    pub name: Option<String>,
    /// The value of its exemption tag: see `checks::exemption`.
    pub exemption: Option<String>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`
    pub id: String,
    /// The VPC it is in.
    pub vpc_id: String,
    /// The value of its `Name` tag.
    pub name: Option<String>,
    /// Such as `eu-west-1a`.
    pub availability_zone: Option<String>,
    /// The IPv4 block, or the IPv6 block of a subnet that has only that.
    pub cidr: Option<String>,
    /// The account that owns it: another one than ours where the subnet is shared with us
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html>).
    pub owner_id: Option<String>,
    /// Whether it has no IPv4 at all.
    pub ipv6_native: bool,
    /// The value of its exemption tag.
    pub exemption: Option<String>,
}

/// A route table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTable {
    /// `rtb-…`
    pub id: String,
    /// The VPC it is in.
    pub vpc_id: String,
    /// The value of its `Name` tag.
    pub name: Option<String>,
    /// The account that owns it.
    pub owner_id: Option<String>,
    /// The value of its exemption tag.
    pub exemption: Option<String>,
    /// What it is associated with.
    pub associations: Vec<Association>,
    /// Its routes.
    pub routes: Vec<Route>,
}

/// What a route table is associated with: a subnet, a gateway, or the VPC as its main table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Association {
    /// Whether this makes the table the main one of its VPC. The implicit main association names no subnet.
    pub main: bool,
    /// The subnet of an explicit association.
    pub subnet_id: Option<String>,
    /// The internet or virtual private gateway of an edge association.
    pub gateway_id: Option<String>,
    /// `associating`, `associated`, `disassociating`, `disassociated` or `failed`.
    pub state: Option<String>,
}

impl Association {
    /// Whether the association holds: EC2 routes by it, or is about to.
    fn holds(&self) -> bool {
        matches!(self.state.as_deref(), None | Some("associated" | "associating"))
    }
}

/// One route of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// An IPv4 or IPv6 block, or the id of a prefix list (`pl-…`).
    pub destination: Option<String>,
    /// Where the traffic goes.
    pub target: Target,
    /// Whether its state is `active`; a `blackhole` or `filtered` route carries nothing.
    pub active: bool,
}

impl Route {
    /// Whether this is an active route for everything that no other route takes, over IPv4 or IPv6.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.active && matches!(self.destination.as_deref(), Some("0.0.0.0/0" | "::/0"))
    }
}

/// Where a route sends traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What kind of thing it is.
    pub kind: TargetKind,
    /// Its id, or its ARN where it has no id.
    pub id: Option<String>,
}

/// What kind of thing a route sends traffic to
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    /// A NAT gateway: charged for every byte.
    NatGateway,
    /// An internet gateway.
    InternetGateway,
    /// A transit gateway.
    TransitGateway,
    /// A peering connection.
    VpcPeering,
    /// A virtual private gateway (VPN, Direct Connect).
    VirtualPrivateGateway,
    /// A network interface, such as a NAT instance's or an appliance's.
    NetworkInterface,
    /// A VPC endpoint: a gateway endpoint, or a firewall's or Gateway Load Balancer's. Only its own record tells.
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
    /// Something that this version does not know.
    Other,
    /// Nothing: the table has no default route.
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

/// A VPC endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `vpce-…`
    pub id: String,
    /// The VPC it is in.
    pub vpc_id: String,
    /// Gateway, Interface or another type.
    pub kind: EndpointKind,
    /// Such as `com.amazonaws.eu-west-1.s3`.
    pub service_name: String,
    /// The state as EC2 wrote it: `available` in practice, `Available` in the model.
    pub state: String,
    /// The tables that a gateway endpoint lists.
    pub route_table_ids: Vec<String>,
    /// `ipv4`, `dualstack` or `ipv6`, where EC2 says it.
    pub ip_address_type: Option<String>,
}

impl Endpoint {
    /// Whether it is known to carry no IPv6.
    #[must_use]
    pub fn excludes_ipv6(&self) -> bool {
        self.ip_address_type.as_deref() == Some("ipv4")
    }

    /// Whether its state is `available`, in whatever case.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.state.eq_ignore_ascii_case("available")
    }

    /// Whether it lists the table.
    #[must_use]
    pub fn lists(&self, table: &RouteTable) -> bool {
        self.route_table_ids.contains(&table.id)
    }
}

/// The types of VPC endpoint that gatewatch tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointKind {
    /// A route to a service, listed per route table: the free, private road.
    Gateway,
    /// Network interfaces in subnets, reached by DNS name and charged for.
    Interface,
    /// Gateway Load Balancer, Resource, Service network and what may come.
    Other,
}

impl RouteTable {
    /// Whether this is the main table of its VPC.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(|a| a.main && a.holds())
    }

    /// Whether this table carries the ingress traffic of a gateway and nothing else. Such a table is never checked
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/gateway-route-tables.html>).
    #[must_use]
    pub fn is_edge(&self) -> bool {
        !self.is_main()
            && self.associations.iter().any(|a| a.gateway_id.is_some() && a.holds())
            && self.associations.iter().all(|a| a.subnet_id.is_none())
    }
}

impl Network {
    /// Adds what was read of other VPCs.
    pub fn extend(&mut self, other: Self) {
        self.vpcs.extend(other.vpcs);
        self.subnets.extend(other.subnets);
        self.route_tables.extend(other.route_tables);
        self.endpoints.extend(other.endpoints);
    }

    /// The route table that each subnet uses, for all subnets at once.
    #[must_use]
    pub fn effective_tables(&self) -> EffectiveTables<'_> {
        let mut tables = EffectiveTables { explicit: HashMap::new(), main: HashMap::new() };
        for table in &self.route_tables {
            for association in table.associations.iter().filter(|a| a.holds()) {
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

/// Which route table each subnet uses
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html>).
#[derive(Debug)]
pub struct EffectiveTables<'a> {
    explicit: HashMap<&'a str, &'a RouteTable>,
    main: HashMap<&'a str, &'a RouteTable>,
}

impl<'a> EffectiveTables<'a> {
    /// The table that the subnet is explicitly associated with, else the main table of its own VPC. `None` where that
    /// table cannot be seen, as in a VPC that another account shares.
    #[must_use]
    pub fn of(&self, subnet: &Subnet) -> Option<&'a RouteTable> {
        self.explicit.get(subnet.id.as_str()).or_else(|| self.main.get(subnet.vpc_id.as_str())).copied()
    }

    /// The main table of a VPC, where it can be seen.
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
        testing::{gateway_endpoint, main_table, subnet, vpc},
    };

    /// A VPC with one of each kind.
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
    fn what_was_read_of_other_vpcs_is_added() {
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
