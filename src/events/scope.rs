//! The scope of a check: the resources that a payload affects, and what to check for them.
//!
//! | resource | route tables | endpoints |
//! |---|---|---|
//! | the Region | all | of all VPCs, and the REST APIs |
//! | a VPC | all of the VPC | of the VPC |
//! | a subnet | its effective table | of its VPC |
//! | a route table | the table | none |
//! | a Gateway endpoint | all of its VPC | of its VPC |
//! | an endpoint of another type | none | of its VPC |
//! | a security group | none | of the VPCs of the interface endpoints that use it |
//! | a NAT gateway | those with a route to it | none |
//! | the REST APIs | none | none, but the APIs |
//! | a deleted resource | none | none |

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::part::RegionPart;
use crate::network::{
    account::AccountRegion,
    model::{Endpoint, EndpointKind, Network, RouteTable},
    not_assessed::NotAssessed,
};

/// The resources to check. Ids are well formed: see [`crate::network::ids`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Whether everything in the Region is checked, in addition to the resources named below.
    pub region: bool,
    /// The part of the Region to which `region` is limited. A request asks for a part, and nothing else is in its invocation.
    pub part: Option<Arc<RegionPart>>,
    /// VPCs. Every route table and every endpoint in them is checked.
    pub vpc_ids: BTreeSet<String>,
    /// Subnets, each with its VPC if the payload names it. The effective route table and the endpoints of the VPC are
    /// checked.
    pub subnets: BTreeMap<String, Option<String>>,
    /// Route tables, each with its VPC if the payload names it.
    pub route_tables: BTreeMap<String, Option<String>>,
    /// VPC endpoints of any type, each with its VPC if the payload names it. The endpoints of the VPC are checked. A
    /// Gateway endpoint adds every route table of its VPC; an endpoint of another type adds none.
    pub endpoints: BTreeMap<String, Option<String>>,
    /// NAT gateways that are being deleted. The route tables with a route to one of them are checked.
    pub nat_gateways: BTreeSet<String>,
    /// Security groups whose rules changed. The endpoints of the VPCs whose interface endpoints use one of them are
    /// checked.
    pub security_groups: BTreeSet<String>,
    /// Whether the REST APIs of the Region are checked.
    pub rest_apis: bool,
    /// VPCs, subnets, route tables and endpoints that were deleted. They are not checked; their findings in the alert
    /// history are resolved.
    pub deleted: BTreeSet<String>,
}

/// The route tables of a scope in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TablesInScope {
    /// The ids of the route tables to check, without edge tables.
    pub route_table_ids: BTreeSet<String>,
    /// The subnets in scope that gatewatch cannot check.
    pub not_assessed: BTreeSet<NotAssessed>,
    /// The ids that the scope names and the network does not contain.
    pub not_found: BTreeSet<String>,
}

impl Scope {
    /// The whole Region.
    #[must_use]
    pub fn region() -> Self {
        Self { region: true, ..Self::default() }
    }

    /// The Region, limited to this part.
    #[must_use]
    pub fn region_part(part: RegionPart) -> Self {
        Self { region: true, part: Some(Arc::new(part)), ..Self::default() }
    }

    /// Whether the scope is the Region, or a part of it that includes what is known about the VPC.
    #[must_use]
    pub fn includes_by_region(&self, vpc_id: &str) -> bool {
        self.region && self.part.as_ref().is_none_or(|part| part.contains(vpc_id))
    }

    /// Whether the REST APIs of the Region are checked. They are in no VPC, so they are in the last part of a Region.
    #[must_use]
    pub fn concerns_rest_apis(&self) -> bool {
        self.region && self.part.as_ref().is_none_or(|part| part.is_last()) || self.rest_apis
    }

    /// Whether there is nothing to check.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The scope for checks that judge only route tables: without what concerns only the endpoints of a VPC. A payload that
    /// names the VPC of a Gateway endpoint names the VPC itself too. The type of an endpoint without a VPC is not known.
    #[must_use]
    pub fn for_tables_only(mut self) -> Self {
        let vpc_ids = &self.vpc_ids;
        self.endpoints.retain(|_, vpc_id| vpc_id.as_ref().is_none_or(|vpc_id| vpc_ids.contains(vpc_id)));
        self.security_groups.clear();
        self.rest_apis = false;
        self
    }

    /// Adds the resources of another scope.
    pub fn merge(&mut self, other: &Self) {
        self.region |= other.region;
        self.part = self.part.take().or_else(|| other.part.clone());
        self.rest_apis |= other.rest_apis;
        self.vpc_ids.extend(other.vpc_ids.iter().cloned());
        self.nat_gateways.extend(other.nat_gateways.iter().cloned());
        self.security_groups.extend(other.security_groups.iter().cloned());
        self.deleted.extend(other.deleted.iter().cloned());
        for (ours, theirs) in [
            (&mut self.subnets, &other.subnets),
            (&mut self.route_tables, &other.route_tables),
            (&mut self.endpoints, &other.endpoints),
        ] {
            for (id, vpc_id) in theirs {
                let known = ours.entry(id.clone()).or_default();
                *known = known.take().or_else(|| vpc_id.clone());
            }
        }
    }

    /// Finds the route tables to check in this network, the subnets that cannot be checked, and the missing ids.
    ///
    /// Resources that another account owns are never checked, because their endpoints are not visible.
    #[must_use]
    pub fn tables_in(&self, network: &Network, account_region: &AccountRegion) -> TablesInScope {
        let effective = network.effective_tables();
        let mut tables = TablesInScope::default();
        let own_tables =
            || network.route_tables.iter().filter(|table| !account_region.is_foreign(table.owner_id.as_deref()));
        for table in own_tables() {
            if self.region
                || self.vpc_ids.contains(table.vpc_id.as_str())
                || self.route_tables.contains_key(&table.id)
                || self.nat_gateways.iter().any(|id| table.routes_to_nat_gateway(id))
            {
                tables.add(table);
            }
        }
        for subnet in &network.subnets {
            if self.region || self.vpc_ids.contains(subnet.vpc_id.as_str()) || self.subnets.contains_key(&subnet.id) {
                match effective.of(subnet) {
                    _ if account_region.is_foreign(subnet.owner_id.as_deref()) => {
                        tables.not_assessed.insert(NotAssessed::shared(subnet));
                    }
                    Some(table) => tables.add(table),
                    None => {
                        tables.not_assessed.insert(NotAssessed::without_table(subnet));
                    }
                }
            }
        }
        for endpoint in &network.endpoints {
            if endpoint.kind == EndpointKind::Gateway && self.endpoints.contains_key(&endpoint.id) {
                own_tables().filter(|table| table.vpc_id == endpoint.vpc_id).for_each(|table| tables.add(table));
            }
        }
        tables.not_found = self.missing_from(network);
        tables
    }

    /// Finds the VPCs whose endpoints are to be checked. A VPC that only the payload names counts too: if it is gone,
    /// what was reported about its endpoints is over.
    ///
    /// A scope that names only route tables or NAT gateways checks no endpoints, so that calls such as `CreateRoute`
    /// cost nothing more.
    #[must_use]
    pub fn endpoint_vpcs_in(&self, network: &Network) -> BTreeSet<String> {
        let all = network.vpcs.iter().filter(|_| self.region).map(|vpc| vpc.id.as_str());
        let of_subnets = (network.subnets.iter())
            .filter(|subnet| self.subnets.contains_key(&subnet.id))
            .map(|subnet| subnet.vpc_id.as_str());
        let of_endpoints = (network.endpoints.iter())
            .filter(|endpoint| self.endpoints.contains_key(&endpoint.id) || self.concerns_groups_of(endpoint))
            .map(|endpoint| endpoint.vpc_id.as_str());
        let in_payload = self.subnets.values().chain(self.endpoints.values()).flatten();
        let named = self.vpc_ids.iter().chain(in_payload).map(String::as_str);
        named.chain(all).chain(of_subnets).chain(of_endpoints).map(str::to_owned).collect()
    }

    /// Whether the endpoint is an interface endpoint that uses one of the named security groups.
    #[must_use]
    pub fn concerns_groups_of(&self, endpoint: &Endpoint) -> bool {
        endpoint.kind == EndpointKind::Interface
            && endpoint.security_group_ids.iter().any(|id| self.security_groups.contains(id))
    }

    /// Whether EC2 returned every named resource, the main table of each named VPC, and the effective table of each
    /// named subnet. The result of the check depends on these tables. A security group is not part of the network, and
    /// most groups belong to no endpoint, so gatewatch does not wait for one.
    #[must_use]
    pub fn is_complete_in(&self, network: &Network) -> bool {
        let effective = network.effective_tables();
        self.missing_from(network).is_empty()
            && self.vpc_ids.iter().all(|id| effective.main_of(id).is_some())
            && (network.subnets.iter())
                .filter(|subnet| self.subnets.contains_key(&subnet.id))
                .all(|subnet| effective.of(subnet).is_some())
    }

    /// The ids that the scope names and the network does not contain. NAT gateways and security groups are never
    /// missing, because the network contains neither. A scope names few ids, so a search for each one costs less than
    /// an index of a large network for every record.
    fn missing_from(&self, network: &Network) -> BTreeSet<String> {
        let missing = |ids: &mut dyn Iterator<Item = &String>, exists: &dyn Fn(&String) -> bool| -> Vec<String> {
            ids.filter(|id| !exists(id)).cloned().collect()
        };
        (missing(&mut self.vpc_ids.iter(), &|id| network.vpcs.iter().any(|vpc| vpc.id == *id)).into_iter())
            .chain(missing(&mut self.subnets.keys(), &|id| network.subnets.iter().any(|subnet| subnet.id == *id)))
            .chain(missing(&mut self.route_tables.keys(), &|id| network.route_tables.iter().any(|t| t.id == *id)))
            .chain(missing(&mut self.endpoints.keys(), &|id| network.endpoints.iter().any(|e| e.id == *id)))
            .collect()
    }
}

impl TablesInScope {
    fn add(&mut self, table: &RouteTable) {
        if !table.is_edge() {
            self.route_table_ids.insert(table.id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::part::PartRequest;
    use crate::network::{
        model::{Association, Route, Subnet, TargetKind},
        not_assessed::NotAssessedReason,
        service::GatewayService,
        testing::{
            account_region, gateway_endpoint, interface_endpoint, main_table, route, subnet, table, table_of, vpc,
        },
    };

    const A: &str = "vpc-0000000a";
    const B: &str = "vpc-0000000b";

    /// Two VPCs. The first has a main table, a private table, an edge table and a Gateway endpoint. The second has a main
    /// table and an Interface endpoint.
    fn network() -> Network {
        let (private, implicit, other) =
            (subnet("subnet-0000000a", A), subnet("subnet-0000000c", A), subnet("subnet-0000000b", B));
        let gateway = Association { gateway_id: Some("igw-0000000a".into()), ..Association::default() };
        let edge = RouteTable { associations: vec![gateway], ..table("rtb-0000000e", A) };
        Network {
            vpcs: vec![vpc(A), vpc(B)],
            route_tables: vec![
                main_table("rtb-0000000a", A),
                table_of("rtb-0000000c", &private),
                edge,
                main_table("rtb-0000000b", B),
            ],
            subnets: vec![private, implicit, other],
            endpoints: vec![
                gateway_endpoint("vpce-0000000a", A, GatewayService::S3, &[]),
                Endpoint {
                    kind: EndpointKind::Interface,
                    ..gateway_endpoint("vpce-0000000b", B, GatewayService::S3, &[])
                },
            ],
        }
    }

    fn ids<C: FromIterator<String>>(ids: &[&str]) -> C {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    fn named(subnets: &[&str], tables: &[&str]) -> Scope {
        let without_vpc = |ids: &[&str]| ids.iter().map(|&id| (id.to_owned(), None)).collect();
        Scope { subnets: without_vpc(subnets), route_tables: without_vpc(tables), ..Scope::default() }
    }

    #[test]
    fn the_region_includes_every_table_except_edge_tables() {
        let found = Scope::region().tables_in(&network(), &account_region());
        assert_eq!(
            found,
            TablesInScope {
                route_table_ids: ids(&["rtb-0000000a", "rtb-0000000b", "rtb-0000000c"]),
                ..TablesInScope::default()
            }
        );
    }

    #[test]
    fn a_vpc_includes_its_tables() {
        let scope = Scope { vpc_ids: ids(&[A]), ..Scope::default() };
        assert_eq!(
            scope.tables_in(&network(), &account_region()).route_table_ids,
            ids::<BTreeSet<_>>(&["rtb-0000000a", "rtb-0000000c"])
        );
    }

    #[test]
    fn a_subnet_includes_its_effective_table() {
        let tables = |subnet| named(&[subnet], &[]).tables_in(&network(), &account_region()).route_table_ids;
        assert_eq!(tables("subnet-0000000a"), ids::<BTreeSet<_>>(&["rtb-0000000c"]));
        assert_eq!(tables("subnet-0000000c"), ids::<BTreeSet<_>>(&["rtb-0000000a"]));
        assert_eq!(tables("subnet-0000000b"), ids::<BTreeSet<_>>(&["rtb-0000000b"]));
    }

    #[test]
    fn a_named_table_is_checked_unless_it_is_an_edge_table() {
        assert_eq!(
            named(&[], &["rtb-0000000c"]).tables_in(&network(), &account_region()).route_table_ids,
            ids::<BTreeSet<_>>(&["rtb-0000000c"])
        );
        assert_eq!(named(&[], &["rtb-0000000e"]).tables_in(&network(), &account_region()), TablesInScope::default());

        let mut disassociated = network();
        for association in disassociated.route_tables.iter_mut().flat_map(|table| &mut table.associations) {
            if association.gateway_id.is_some() {
                association.state = Some("disassociated".into());
            }
        }
        assert_eq!(
            named(&[], &["rtb-0000000e"]).tables_in(&disassociated, &account_region()).route_table_ids,
            ids::<BTreeSet<_>>(&["rtb-0000000e"]),
            "no longer an edge table"
        );
    }

    #[test]
    fn a_gateway_endpoint_includes_the_tables_of_its_vpc_and_an_interface_endpoint_none() {
        let resolve = |id: &str| {
            Scope { endpoints: [(id.to_owned(), None)].into(), ..Scope::default() }
                .tables_in(&network(), &account_region())
        };
        assert_eq!(resolve("vpce-0000000a").route_table_ids, ids::<BTreeSet<_>>(&["rtb-0000000a", "rtb-0000000c"]));
        assert_eq!(resolve("vpce-0000000b"), TablesInScope::default());
    }

    #[test]
    fn a_nat_gateway_includes_the_tables_with_a_route_to_it() {
        let mut network = network();
        let nat = |id: &str| route("0.0.0.0/0", TargetKind::NatGateway, id);
        network.route_tables[0].routes.push(nat("nat-0000000a"));
        network.route_tables[1].routes.push(Route { active: false, ..nat("nat-0000000a") });
        network.route_tables[3].routes.push(nat("nat-0000000b"));
        let tables = |id: &str| {
            let scope = Scope { nat_gateways: ids(&[id]), ..Scope::default() };
            assert!(!scope.is_empty() && scope.is_complete_in(&network));
            scope.tables_in(&network, &account_region())
        };
        let route_table_ids = ids(&["rtb-0000000a", "rtb-0000000c"]);
        assert_eq!(tables("nat-0000000a"), TablesInScope { route_table_ids, ..TablesInScope::default() });
        assert_eq!(tables("nat-0000000f"), TablesInScope::default(), "no table routes to it any more");
    }

    /// Three VPCs: the two of `network`, whose Interface endpoint uses two security groups here, and one without
    /// endpoints.
    fn network_with_group() -> Network {
        let mut network = network();
        network.vpcs.push(vpc("vpc-0000000c"));
        network.endpoints[1].security_group_ids = ids(&["sg-0000000a", "sg-0000000b"]);
        network
    }

    #[test]
    fn the_region_a_vpc_a_subnet_and_an_endpoint_include_the_endpoints_of_their_vpcs() {
        let vpcs = |scope: &Scope| scope.endpoint_vpcs_in(&network_with_group());
        assert_eq!(vpcs(&Scope::region()), ids(&[A, B, "vpc-0000000c"]));
        assert_eq!(vpcs(&Scope { vpc_ids: ids(&["vpc-0000000c"]), ..Scope::default() }), ids(&["vpc-0000000c"]));
        assert_eq!(vpcs(&named(&["subnet-0000000a", "subnet-0000000c"], &[])), ids(&[A]));
        assert_eq!(vpcs(&named(&["subnet-0000000b"], &["rtb-0000000a"])), ids(&[B]));
        let endpoint = |id: &str| Scope { endpoints: [(id.to_owned(), None)].into(), ..Scope::default() };
        assert_eq!(vpcs(&endpoint("vpce-0000000a")), ids(&[A]));
        assert_eq!(vpcs(&endpoint("vpce-0000000b")), ids(&[B]));
    }

    #[test]
    fn a_vpc_that_only_the_payload_knows_is_checked_too() {
        let gone = || Some("vpc-0000000f".to_owned());
        for scope in [
            Scope { vpc_ids: ids(&["vpc-0000000f"]), ..Scope::default() },
            Scope { subnets: [("subnet-0000000f".to_owned(), gone())].into(), ..Scope::default() },
            Scope { endpoints: [("vpce-0000000f".to_owned(), gone())].into(), ..Scope::default() },
        ] {
            assert_eq!(scope.endpoint_vpcs_in(&network_with_group()), ids(&["vpc-0000000f"]), "{scope:?}");
        }
        let unknown =
            Scope { endpoints: [("vpce-0000000f".to_owned(), None)].into(), ..named(&["subnet-0000000f"], &[]) };
        assert_eq!(unknown.endpoint_vpcs_in(&network_with_group()), BTreeSet::new());
    }

    #[test]
    fn route_tables_nat_gateways_and_deleted_resources_include_no_endpoints() {
        for scope in [
            Scope::default(),
            named(&[], &["rtb-0000000a"]),
            Scope { route_tables: [("rtb-0000000a".to_owned(), Some(A.to_owned()))].into(), ..Scope::default() },
            Scope { nat_gateways: ids(&["nat-0000000a"]), ..Scope::default() },
            deleted("subnet-0000000a"),
        ] {
            assert_eq!(scope.endpoint_vpcs_in(&network_with_group()), BTreeSet::new(), "{scope:?}");
        }
    }

    #[test]
    fn a_security_group_includes_the_vpcs_of_the_interface_endpoints_that_use_it() {
        let mut network = network_with_group();
        network.endpoints.push(Endpoint {
            security_group_ids: ids(&["sg-0000000b"]),
            ..interface_endpoint("vpce-0000000c", "vpc-0000000c", "ssm")
        });
        network.endpoints[0].security_group_ids = ids(&["sg-0000000d"]);
        for (group, vpcs) in [
            ("sg-0000000a", &[B][..]),
            ("sg-0000000b", &[B, "vpc-0000000c"]),
            ("sg-0000000d", &[]),
            ("sg-0000000f", &[]),
        ] {
            let scope = Scope { security_groups: ids(&[group]), ..Scope::default() };
            assert_eq!(scope.endpoint_vpcs_in(&network), ids(vpcs), "{group}");
            assert!(!scope.is_empty() && scope.is_complete_in(&network), "{group}");
            assert_eq!(scope.tables_in(&network, &account_region()), TablesInScope::default(), "{group}");
        }
    }

    #[test]
    fn an_interface_endpoint_that_ec2_does_not_return_yet_is_missing() {
        let scope = |id: &str| Scope { endpoints: [(id.to_owned(), Some(B.to_owned()))].into(), ..Scope::default() };
        assert!(scope("vpce-0000000b").is_complete_in(&network()));
        assert!(!scope("vpce-0000000f").is_complete_in(&network()));
        let expected = TablesInScope { not_found: ids(&["vpce-0000000f"]), ..TablesInScope::default() };
        assert_eq!(scope("vpce-0000000f").tables_in(&network(), &account_region()), expected);
    }

    #[test]
    fn merge_keeps_all_security_groups() {
        let scope = |groups: &[&str]| Scope { security_groups: ids(groups), ..Scope::default() };
        let mut merged = scope(&["sg-0000000a"]);
        merged.merge(&scope(&["sg-0000000b"]));
        assert_eq!(merged, scope(&["sg-0000000a", "sg-0000000b"]));
    }

    #[test]
    fn merge_keeps_all_nat_gateways() {
        let scope = |gateways: &[&str]| Scope { nat_gateways: ids(gateways), ..Scope::default() };
        let mut merged = scope(&["nat-0000000a"]);
        merged.merge(&scope(&["nat-0000000b"]));
        assert_eq!(merged, scope(&["nat-0000000a", "nat-0000000b"]));
    }

    #[test]
    fn a_named_id_that_is_not_in_the_network_is_not_found() {
        let missing = ["rtb-0000000f", "subnet-0000000f", "vpc-0000000f", "vpce-0000000f"];
        let scope = Scope {
            region: true,
            vpc_ids: ids(&["vpc-0000000f", A]),
            endpoints: ["vpce-0000000f", "vpce-0000000a"].map(|id| (id.to_owned(), None)).into(),
            ..named(&["subnet-0000000f", "subnet-0000000a"], &["rtb-0000000f", "rtb-0000000a"])
        };
        assert_eq!(scope.tables_in(&network(), &account_region()).not_found, ids::<BTreeSet<_>>(&missing));
    }

    #[test]
    fn a_subnet_without_a_visible_table_is_not_assessed() {
        let shared = Subnet { owner_id: Some("210987654321".into()), ..subnet("subnet-0000000d", "vpc-0000000d") };
        let hidden = Subnet { owner_id: Some("123456789012".into()), ..subnet("subnet-0000000f", "vpc-0000000d") };
        let mut network = network();
        network.subnets.extend([hidden, shared]);
        let expected = BTreeSet::from([
            NotAssessed {
                subnet_id: "subnet-0000000d".into(),
                vpc_id: "vpc-0000000d".into(),
                reason: NotAssessedReason::SharedSubnet,
            },
            NotAssessed {
                subnet_id: "subnet-0000000f".into(),
                vpc_id: "vpc-0000000d".into(),
                reason: NotAssessedReason::RouteTableNotVisible,
            },
        ]);
        for scope in [Scope::region(), named(&["subnet-0000000d", "subnet-0000000f"], &[])] {
            assert_eq!(scope.tables_in(&network, &account_region()).not_assessed, expected);
        }
        assert_eq!(
            named(&["subnet-0000000a"], &[]).tables_in(&network, &account_region()).not_assessed,
            BTreeSet::new()
        );
    }

    #[test]
    fn merge_keeps_the_known_vpc_of_each_resource() {
        let with_vpc = |vpc: Option<&str>| Scope {
            subnets: BTreeMap::from([("subnet-0000000a".to_owned(), vpc.map(str::to_owned))]),
            ..Scope::default()
        };
        for (first, second) in [(Some(A), None), (None, Some(A))] {
            let mut scope = with_vpc(first);
            scope.merge(&with_vpc(second));
            scope.merge(&Scope { vpc_ids: ids(&[B]), ..Scope::default() });
            assert_eq!(scope, Scope { vpc_ids: ids(&[B]), ..with_vpc(Some(A)) });
        }
        let mut scope = Scope::default();
        scope.merge(&Scope::region());
        assert_eq!(scope, Scope::region());
        assert!(!scope.is_empty() && Scope::default().is_empty());
    }

    #[test]
    fn a_subnet_of_another_account_is_not_assessed_even_if_its_table_is_visible() {
        let theirs = "vpc-0000000d";
        let owner = Some("210987654321".into());
        let shared = Subnet { owner_id: owner.clone(), ..subnet("subnet-0000000d", theirs) };
        let mut network = network();
        network.vpcs.push(vpc(theirs));
        network.route_tables.push(RouteTable { owner_id: owner.clone(), ..table_of("rtb-0000000d", &shared) });
        network.route_tables.push(RouteTable { owner_id: owner, ..main_table("rtb-0000000f", theirs) });
        network.subnets.push(shared);
        let in_theirs = Scope { vpc_ids: ids(&[theirs]), ..Scope::default() };
        for scope in [in_theirs, named(&["subnet-0000000d"], &["rtb-0000000d"])] {
            assert_eq!(
                scope.tables_in(&network, &account_region()),
                TablesInScope {
                    not_assessed: BTreeSet::from([NotAssessed {
                        subnet_id: "subnet-0000000d".into(),
                        vpc_id: theirs.into(),
                        reason: NotAssessedReason::SharedSubnet,
                    }]),
                    ..TablesInScope::default()
                }
            );
        }
        let ours = ids::<BTreeSet<_>>(&["rtb-0000000a", "rtb-0000000b", "rtb-0000000c"]);
        assert_eq!(Scope::region().tables_in(&network, &account_region()).route_table_ids, ours);
    }

    #[test]
    fn a_resource_is_shown_if_the_network_contains_it_and_its_table() {
        let complete = network();
        let scope = Scope { vpc_ids: ids(&[A]), ..named(&["subnet-0000000c"], &["rtb-0000000c"]) };
        assert!(scope.is_complete_in(&complete));
        assert!(Scope::region().is_complete_in(&Network::default()));

        let without = |change: fn(&mut Network)| {
            let mut network = complete.clone();
            change(&mut network);
            network
        };
        assert!(!scope.is_complete_in(&without(|network| network.subnets.retain(|s| s.id != "subnet-0000000c"))));
        assert!(!scope.is_complete_in(&without(|network| network.route_tables.retain(|t| t.id != "rtb-0000000c"))));
        let without_main_table = without(|network| network.route_tables.retain(|t| t.id != "rtb-0000000a"));
        assert!(!Scope { vpc_ids: ids(&[A]), ..Scope::default() }.is_complete_in(&without_main_table));
        assert!(!named(&["subnet-0000000c"], &[]).is_complete_in(&without_main_table));
        assert!(named(&["subnet-0000000a"], &[]).is_complete_in(&without_main_table));
    }

    #[test]
    fn the_region_and_a_vpc_include_tables_that_no_subnet_uses() {
        let network =
            Network { vpcs: vec![vpc(A)], route_tables: vec![table("rtb-0000000a", A)], ..Network::default() };
        for scope in [Scope::region(), Scope { vpc_ids: ids(&[A]), ..Scope::default() }, named(&[], &["rtb-0000000a"])]
        {
            assert_eq!(
                scope.tables_in(&network, &account_region()).route_table_ids,
                ids::<BTreeSet<_>>(&["rtb-0000000a"])
            );
        }
    }

    fn deleted(id: &str) -> Scope {
        Scope { deleted: ids(&[id]), ..Scope::default() }
    }

    #[test]
    fn a_deleted_resource_is_neither_checked_nor_searched_for() {
        let scope = Scope { deleted: ids(&["vpc-0000000f", "rtb-0000000a", "subnet-0000000a"]), ..Scope::default() };
        assert!(!scope.is_empty());
        assert_eq!(scope.tables_in(&network(), &account_region()), TablesInScope::default());
        assert!(scope.is_complete_in(&Network::default()));
    }

    #[test]
    fn the_rest_apis_are_in_the_last_part_of_a_region() {
        let request = PartRequest { max_vpcs: 1, next: None };
        let part = |existing: &[&str]| Scope::region_part(RegionPart::new(ids(existing), &request));
        let [first, last] = [part(&[A, B]), part(&[A])];
        assert_eq!([&first, &last].map(Scope::concerns_rest_apis), [false, true]);
        assert_eq!([A, B].map(|id| first.includes_by_region(id)), [true, false]);
        assert_eq!([A, B].map(|id| last.includes_by_region(id)), [true, true], "the other VPC is gone");
        assert_eq!([Scope::region(), Scope::default()].map(|scope| scope.includes_by_region(A)), [true, false]);
        let mut merged = Scope::default();
        merged.merge(&first);
        assert_eq!(merged, first, "the union of one");
    }

    #[test]
    fn merge_keeps_all_deleted_resources() {
        let mut scope = deleted("rtb-0000000a");
        scope.merge(&deleted("subnet-0000000a"));
        assert_eq!(scope, Scope { deleted: ids(&["rtb-0000000a", "subnet-0000000a"]), ..Scope::default() });
    }
}
