//! What has to be asked about a network before its findings hold, because the lists of EC2 do not say it. Most networks
//! need nothing of this, so it is asked only where an answer can change a finding.
//!
//! | given a finding about a table | then it is asked |
//! |---|---|
//! | that is not associated with anything | which tables EC2 made for the regional NAT gateways of the VPC |
//! | that a subnet uses, that is not high, and that has a route through a customer's prefix list | which address ranges the list contains |
//! | with an active route to a NAT gateway that somebody deletes | the state of the NAT gateway, which still shows the route as active for a while |

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    checks::{finding::Finding, severity::Severity},
    network::{
        ids::{PREFIX_LIST, is_id},
        model::{EndpointKind, Network, RouteTable},
    },
};

/// What has to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingFacts {
    /// The VPCs whose NAT gateways have to be read.
    pub nat_gateways_of_vpcs: BTreeSet<String>,
    /// The NAT gateways whose state has to be read.
    pub nat_gateways: BTreeSet<String>,
    /// The prefix lists whose entries have to be read.
    pub prefix_lists: BTreeSet<String>,
}

impl MissingFacts {
    /// What has to be asked about the findings of a network. `deleted_nat_gateways` are those that an event says are
    /// being deleted.
    #[must_use]
    pub fn of(network: &Network, findings: &[Finding], deleted_nat_gateways: &BTreeSet<String>) -> Self {
        let tables: BTreeMap<&str, &RouteTable> =
            network.route_tables.iter().map(|table| (table.id.as_str(), table)).collect();
        let lists_of_services = lists_of_services(network);
        let mut missing = Self::default();
        for finding in findings {
            let Some(table) = tables.get(finding.subject.id.as_str()) else { continue };
            if finding.subnets.is_empty() {
                if table.is_unassociated() {
                    missing.nat_gateways_of_vpcs.insert(table.vpc_id.to_string());
                }
                continue;
            }
            let still_active = |id: &&String| table.has_active_route_to_nat_gateway(id);
            missing.nat_gateways.extend(deleted_nat_gateways.iter().filter(still_active).cloned());
            if finding.severity != Severity::High {
                let lists = (table.routes.iter().filter(|route| route.active))
                    .filter_map(|route| route.destination.as_deref())
                    .filter(|id| is_id(PREFIX_LIST, id) && !lists_of_services.contains(id));
                missing.prefix_lists.extend(lists.map(str::to_owned));
            }
        }
        missing
    }

    /// Whether nothing has to be asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// AWS's prefix lists of the services that the network has gateway endpoints for. They never contain a default route.
fn lists_of_services(network: &Network) -> BTreeSet<&str> {
    let gateway_endpoints: BTreeSet<&str> = (network.endpoints.iter())
        .filter(|endpoint| endpoint.kind == EndpointKind::Gateway)
        .map(|endpoint| endpoint.id.as_str())
        .collect();
    (network.route_tables.iter().flat_map(|table| &table.routes))
        .filter(|route| route.target.id.as_deref().is_some_and(|id| gateway_endpoints.contains(id)))
        .filter_map(|route| route.destination.as_deref())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::gateway_endpoint::rule::evaluate,
        network::{
            model::{Association, Route, TargetKind},
            service::GatewayService,
            testing::{
                account_region, explicit, gateway_endpoint, main_table, route, route_to, subnet, table, table_of, vpc,
            },
        },
    };

    const VPC: &str = "vpc-0000000a";

    /// A VPC with these tables, and one subnet that the table `rtb-0000000a` can use.
    fn network(route_tables: Vec<RouteTable>) -> Network {
        let subnets = vec![subnet("subnet-0000000a", VPC)];
        Network { vpcs: vec![vpc(VPC)], subnets, route_tables, endpoints: Vec::new() }
    }

    /// What has to be asked about S3, if somebody deletes the NAT gateway `nat-0000000a`.
    fn missing(network: &Network) -> MissingFacts {
        let tables = network.route_tables.iter().map(|table| table.id.clone()).collect();
        let today = jiff::civil::date(2026, 11, 23);
        let verdict = evaluate(network, &tables, &[GatewayService::S3].into(), &account_region(), today);
        MissingFacts::of(network, &verdict.findings, &["nat-0000000a".to_owned()].into())
    }

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    /// The table of the subnet, with these routes.
    fn used(routes: &[Route]) -> RouteTable {
        let mut table = table_of("rtb-0000000a", &subnet("subnet-0000000a", VPC));
        table.routes.extend_from_slice(routes);
        table
    }

    #[test]
    fn only_a_table_without_any_association_can_belong_to_a_nat_gateway() {
        let of_the_vpc = MissingFacts { nat_gateways_of_vpcs: ids(&[VPC]), ..MissingFacts::default() };
        let with = |association: Association| {
            let table = RouteTable { associations: vec![association], ..table("rtb-0000000b", VPC) };
            missing(&network(vec![used(&[]), table]))
        };
        assert_eq!(missing(&network(vec![used(&[]), table("rtb-0000000b", VPC)])), of_the_vpc);
        assert_eq!(with(explicit("subnet-0000000c", "disassociated")), of_the_vpc);
        assert_eq!(with(Association::default()), of_the_vpc, "an association with something unknown");

        assert_eq!(with(explicit("subnet-0000000c", "associated")), MissingFacts::default());
        let gateway = |id: &str| Association { gateway_id: Some(id.into()), ..Association::default() };
        for id in ["igw-0000000a", "nat-0000000a"] {
            assert_eq!(with(gateway(id)), MissingFacts::default(), "{id}");
        }
        assert_eq!(missing(&network(vec![used(&[]), main_table("rtb-0000000b", VPC)])), MissingFacts::default());
    }

    #[test]
    fn nothing_is_asked_about_a_table_without_a_finding() {
        let exempt = RouteTable { exemption: Some(String::new()), ..table("rtb-0000000b", VPC) };
        assert_eq!(missing(&network(vec![used(&[]), exempt])), MissingFacts::default());

        let endpoint = gateway_endpoint("vpce-0000000a", VPC, GatewayService::S3, &["rtb-0000000a"]);
        let list = route("pl-0000000b", TargetKind::NatGateway, "nat-0000000a");
        let mut covered = network(vec![used(&[route_to(&endpoint), list])]);
        covered.endpoints.push(endpoint);
        assert_eq!(missing(&covered), MissingFacts::default());
    }

    #[test]
    fn a_customers_prefix_list_is_asked_for_if_it_can_change_the_severity() {
        let list = |kind, id| route("pl-0000000b", kind, id);
        let asked = MissingFacts { prefix_lists: ids(&["pl-0000000b"]), ..MissingFacts::default() };
        let transit = || list(TargetKind::TransitGateway, "tgw-0000000a");
        assert_eq!(missing(&network(vec![used(&[transit()])])), asked);
        assert_eq!(
            missing(&network(vec![used(&[list(TargetKind::VpcEndpoint, "vpce-0000000f")])])),
            asked,
            "a firewall"
        );

        let blackhole = Route { active: false, ..transit() };
        assert_eq!(missing(&network(vec![used(&[blackhole])])), MissingFacts::default());
        let high = [transit(), route("0.0.0.0/0", TargetKind::NatGateway, "nat-0000000b")];
        assert_eq!(missing(&network(vec![used(&high)])), MissingFacts::default(), "it cannot get worse");
        let mut unused = main_table("rtb-0000000b", VPC);
        unused.routes.push(transit());
        assert_eq!(missing(&network(vec![used(&[]), unused])), MissingFacts::default(), "low with any routes");
        let malformed = route("pl-0000000B", TargetKind::TransitGateway, "tgw-0000000a");
        assert_eq!(missing(&network(vec![used(&[malformed])])), MissingFacts::default());
    }

    #[test]
    fn the_prefix_list_of_a_gateway_endpoint_is_never_asked_for() {
        let endpoint = gateway_endpoint("vpce-0000000a", VPC, GatewayService::DynamoDb, &["rtb-0000000a"]);
        // A second table sends the same list to a NAT gateway.
        let to_nat = Route { target: route("", TargetKind::NatGateway, "nat-0000000b").target, ..route_to(&endpoint) };
        let mut other = main_table("rtb-0000000b", VPC);
        other.routes.push(to_nat);
        let mut network = network(vec![used(&[route_to(&endpoint)]), other]);
        network.subnets.push(subnet("subnet-0000000b", VPC));
        network.endpoints.push(endpoint);
        assert_eq!(missing(&network), MissingFacts::default());
    }

    #[test]
    fn the_state_of_a_deleted_nat_gateway_is_asked_for_while_a_route_to_it_is_active() {
        let default_route = |id| route("0.0.0.0/0", TargetKind::NatGateway, id);
        let asked = MissingFacts { nat_gateways: ids(&["nat-0000000a"]), ..MissingFacts::default() };
        assert_eq!(missing(&network(vec![used(&[default_route("nat-0000000a")])])), asked);
        assert_eq!(missing(&network(vec![used(&[default_route("nat-0000000b")])])), MissingFacts::default());
        let blackhole = Route { active: false, ..default_route("nat-0000000a") };
        assert_eq!(missing(&network(vec![used(&[blackhole])])), MissingFacts::default());
    }
}
