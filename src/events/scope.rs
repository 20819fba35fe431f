//! What is to be checked: the resources that a payload touches, and the route tables that they come down to.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::{BTreeMap, BTreeSet};

use crate::network::{
    account::AccountRegion,
    model::{EndpointKind, Network, RouteTable},
    not_assessed::NotAssessed,
};

/// The resources to check. Ids are well formed: see [`crate::network::ids`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Every route table of the Region, whatever else is named.
    pub region: bool,
    /// VPCs, of which every table is checked.
    pub vpc_ids: BTreeSet<String>,
    /// Subnets, of which the effective table is checked, with the VPC where the payload tells it.
    pub subnets: BTreeMap<String, Option<String>>,
    /// Route tables, with the VPC where the payload tells it.
    pub route_tables: BTreeMap<String, Option<String>>,
    /// VPC endpoints, with the VPC where the payload tells it: every table of a Gateway endpoint's VPC is checked, and
    /// nothing for another type.
    pub endpoints: BTreeMap<String, Option<String>>,
    /// VPCs, subnets and route tables that were deleted. There is nothing to judge; what the ledger knows of them is over.
    pub deleted: BTreeSet<String>,
}

/// What a scope comes down to in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The ids of the tables to judge. Edge tables are not among them.
    pub route_table_ids: BTreeSet<String>,
    /// What is in scope and cannot be judged, by id.
    pub unassessed: BTreeSet<NotAssessed>,
    /// The ids that were named and are not in the network.
    pub not_found: BTreeSet<String>,
}

impl Scope {
    /// The whole Region.
    #[must_use]
    pub fn region() -> Self {
        Self { region: true, ..Self::default() }
    }

    /// Whether there is nothing to check.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another scope holds.
    pub fn merge(&mut self, other: &Self) {
        self.region |= other.region;
        self.vpc_ids.extend(other.vpc_ids.iter().cloned());
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

    /// The tables that the scope comes down to in this network, what of it cannot be judged, and what is not there.
    ///
    /// What another account owns is never judged: its endpoints cannot be seen from here.
    #[must_use]
    pub fn resolve(&self, network: &Network, account_region: &AccountRegion) -> Resolved {
        let effective = network.effective_tables();
        let mut resolved = Resolved::default();
        let own_tables =
            || network.route_tables.iter().filter(|table| !account_region.is_foreign(table.owner_id.as_deref()));
        for table in own_tables() {
            if self.region || self.vpc_ids.contains(&table.vpc_id) || self.route_tables.contains_key(&table.id) {
                resolved.add(table);
            }
        }
        for subnet in &network.subnets {
            if self.region || self.vpc_ids.contains(&subnet.vpc_id) || self.subnets.contains_key(&subnet.id) {
                match effective.of(subnet) {
                    _ if account_region.is_foreign(subnet.owner_id.as_deref()) => {
                        resolved.unassessed.insert(NotAssessed::shared(subnet));
                    }
                    Some(table) => resolved.add(table),
                    None => {
                        resolved.unassessed.insert(NotAssessed::without_table(subnet));
                    }
                }
            }
        }
        for endpoint in &network.endpoints {
            if endpoint.kind == EndpointKind::Gateway && self.endpoints.contains_key(&endpoint.id) {
                own_tables().filter(|table| table.vpc_id == endpoint.vpc_id).for_each(|table| resolved.add(table));
            }
        }
        resolved.not_found = self.missing_from(network);
        resolved
    }

    /// Whether EC2 shows all that is named, with the tables that its verdict depends on: a VPC comes with a main table.
    #[must_use]
    pub fn is_shown_in(&self, network: &Network) -> bool {
        let effective = network.effective_tables();
        self.missing_from(network).is_empty()
            && self.vpc_ids.iter().all(|id| effective.main_of(id).is_some())
            && (network.subnets.iter())
                .filter(|subnet| self.subnets.contains_key(&subnet.id))
                .all(|subnet| effective.of(subnet).is_some())
    }

    /// The ids that are named and not in the network. Few are named, so each is looked for: to index a large network for
    /// every record would cost more.
    fn missing_from(&self, network: &Network) -> BTreeSet<String> {
        let missing = |ids: &mut dyn Iterator<Item = &String>, there: &dyn Fn(&String) -> bool| -> Vec<String> {
            ids.filter(|id| !there(id)).cloned().collect()
        };
        (missing(&mut self.vpc_ids.iter(), &|id| network.vpcs.iter().any(|vpc| vpc.id == *id)).into_iter())
            .chain(missing(&mut self.subnets.keys(), &|id| network.subnets.iter().any(|subnet| subnet.id == *id)))
            .chain(missing(&mut self.route_tables.keys(), &|id| network.route_tables.iter().any(|t| t.id == *id)))
            .chain(missing(&mut self.endpoints.keys(), &|id| network.endpoints.iter().any(|e| e.id == *id)))
            .collect()
    }
}

impl Resolved {
    fn add(&mut self, table: &RouteTable) {
        if !table.is_edge() {
            self.route_table_ids.insert(table.id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{
        model::{Association, Endpoint, Subnet},
        not_assessed::NotAssessedReason,
        service::GatewayService,
        testing::{account_region, gateway_endpoint, main_table, subnet, table, table_of, vpc},
    };

    const A: &str = "vpc-0000000a";
    const B: &str = "vpc-0000000b";

    /// Two VPCs: the first with a main table, a private table with a subnet and an edge table.
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
        let unplaced = |ids: &[&str]| ids.iter().map(|&id| (id.to_owned(), None)).collect();
        Scope { subnets: unplaced(subnets), route_tables: unplaced(tables), ..Scope::default() }
    }

    #[test]
    fn the_region_is_every_table_but_edge_tables() {
        let found = Scope::region().resolve(&network(), &account_region());
        assert_eq!(
            found,
            Resolved { route_table_ids: ids(&["rtb-0000000a", "rtb-0000000b", "rtb-0000000c"]), ..Resolved::default() }
        );
    }

    #[test]
    fn a_vpc_is_its_tables() {
        let scope = Scope { vpc_ids: ids(&[A]), ..Scope::default() };
        assert_eq!(
            scope.resolve(&network(), &account_region()).route_table_ids,
            ids::<BTreeSet<_>>(&["rtb-0000000a", "rtb-0000000c"])
        );
    }

    #[test]
    fn a_subnet_is_its_effective_table() {
        let tables = |subnet| named(&[subnet], &[]).resolve(&network(), &account_region()).route_table_ids;
        assert_eq!(tables("subnet-0000000a"), ids::<BTreeSet<_>>(&["rtb-0000000c"]));
        assert_eq!(tables("subnet-0000000c"), ids::<BTreeSet<_>>(&["rtb-0000000a"]));
        assert_eq!(tables("subnet-0000000b"), ids::<BTreeSet<_>>(&["rtb-0000000b"]));
    }

    #[test]
    fn a_table_is_itself_unless_it_is_an_edge_table() {
        assert_eq!(
            named(&[], &["rtb-0000000c"]).resolve(&network(), &account_region()).route_table_ids,
            ids::<BTreeSet<_>>(&["rtb-0000000c"])
        );
        assert_eq!(named(&[], &["rtb-0000000e"]).resolve(&network(), &account_region()), Resolved::default());

        let mut ended = network();
        for association in ended.route_tables.iter_mut().flat_map(|table| &mut table.associations) {
            if association.gateway_id.is_some() {
                association.state = Some("disassociated".into());
            }
        }
        assert_eq!(
            named(&[], &["rtb-0000000e"]).resolve(&ended, &account_region()).route_table_ids,
            ids::<BTreeSet<_>>(&["rtb-0000000e"]),
            "no longer an edge table"
        );
    }

    #[test]
    fn a_gateway_endpoint_is_the_tables_of_its_vpc_and_an_interface_endpoint_nothing() {
        let resolve = |id: &str| {
            Scope { endpoints: [(id.to_owned(), None)].into(), ..Scope::default() }
                .resolve(&network(), &account_region())
        };
        assert_eq!(resolve("vpce-0000000a").route_table_ids, ids::<BTreeSet<_>>(&["rtb-0000000a", "rtb-0000000c"]));
        assert_eq!(resolve("vpce-0000000b"), Resolved::default());
    }

    #[test]
    fn what_is_named_and_not_there_is_not_found() {
        let missing = ["rtb-0000000f", "subnet-0000000f", "vpc-0000000f", "vpce-0000000f"];
        let scope = Scope {
            region: true,
            vpc_ids: ids(&["vpc-0000000f", A]),
            endpoints: ["vpce-0000000f", "vpce-0000000a"].map(|id| (id.to_owned(), None)).into(),
            ..named(&["subnet-0000000f", "subnet-0000000a"], &["rtb-0000000f", "rtb-0000000a"])
        };
        assert_eq!(scope.resolve(&network(), &account_region()).not_found, ids::<BTreeSet<_>>(&missing));
    }

    #[test]
    fn a_subnet_whose_table_cannot_be_seen_is_unassessed() {
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
            assert_eq!(scope.resolve(&network, &account_region()).unassessed, expected);
        }
        assert_eq!(named(&["subnet-0000000a"], &[]).resolve(&network, &account_region()).unassessed, BTreeSet::new());
    }

    #[test]
    fn a_union_keeps_what_is_known_of_each_resource() {
        let placed = |vpc: Option<&str>| Scope {
            subnets: BTreeMap::from([("subnet-0000000a".to_owned(), vpc.map(str::to_owned))]),
            ..Scope::default()
        };
        for (first, second) in [(Some(A), None), (None, Some(A))] {
            let mut scope = placed(first);
            scope.merge(&placed(second));
            scope.merge(&Scope { vpc_ids: ids(&[B]), ..Scope::default() });
            assert_eq!(scope, Scope { vpc_ids: ids(&[B]), ..placed(Some(A)) });
        }
        let mut scope = Scope::default();
        scope.merge(&Scope::region());
        assert_eq!(scope, Scope::region());
        assert!(!scope.is_empty() && Scope::default().is_empty());
    }

    #[test]
    fn what_another_account_owns_is_unassessed_even_where_its_table_can_be_seen() {
        let theirs = "vpc-0000000d";
        let owner = Some("210987654321".to_owned());
        let shared = Subnet { owner_id: owner.clone(), ..subnet("subnet-0000000d", theirs) };
        let mut network = network();
        network.vpcs.push(vpc(theirs));
        network.route_tables.push(RouteTable { owner_id: owner.clone(), ..table_of("rtb-0000000d", &shared) });
        network.route_tables.push(RouteTable { owner_id: owner, ..main_table("rtb-0000000f", theirs) });
        network.subnets.push(shared);
        let in_theirs = Scope { vpc_ids: ids(&[theirs]), ..Scope::default() };
        for scope in [in_theirs, named(&["subnet-0000000d"], &["rtb-0000000d"])] {
            assert_eq!(
                scope.resolve(&network, &account_region()),
                Resolved {
                    unassessed: BTreeSet::from([NotAssessed {
                        subnet_id: "subnet-0000000d".into(),
                        vpc_id: theirs.into(),
                        reason: NotAssessedReason::SharedSubnet,
                    }]),
                    ..Resolved::default()
                }
            );
        }
        let ours = ids::<BTreeSet<_>>(&["rtb-0000000a", "rtb-0000000b", "rtb-0000000c"]);
        assert_eq!(Scope::region().resolve(&network, &account_region()).route_table_ids, ours);
    }

    #[test]
    fn a_resource_is_shown_when_it_is_there_with_its_table() {
        let whole = network();
        let scope = Scope { vpc_ids: ids(&[A]), ..named(&["subnet-0000000c"], &["rtb-0000000c"]) };
        assert!(scope.is_shown_in(&whole));
        assert!(Scope::region().is_shown_in(&Network::default()));

        let without = |change: fn(&mut Network)| {
            let mut network = whole.clone();
            change(&mut network);
            network
        };
        assert!(!scope.is_shown_in(&without(|network| network.subnets.retain(|s| s.id != "subnet-0000000c"))));
        assert!(!scope.is_shown_in(&without(|network| network.route_tables.retain(|t| t.id != "rtb-0000000c"))));
        let mainless = without(|network| network.route_tables.retain(|t| t.id != "rtb-0000000a"));
        assert!(!Scope { vpc_ids: ids(&[A]), ..Scope::default() }.is_shown_in(&mainless));
        assert!(!named(&["subnet-0000000c"], &[]).is_shown_in(&mainless));
        assert!(named(&["subnet-0000000a"], &[]).is_shown_in(&mainless));
    }

    #[test]
    fn a_table_that_no_subnet_uses_is_of_the_region_and_of_its_vpc() {
        let network =
            Network { vpcs: vec![vpc(A)], route_tables: vec![table("rtb-0000000a", A)], ..Network::default() };
        for scope in [Scope::region(), Scope { vpc_ids: ids(&[A]), ..Scope::default() }, named(&[], &["rtb-0000000a"])]
        {
            assert_eq!(
                scope.resolve(&network, &account_region()).route_table_ids,
                ids::<BTreeSet<_>>(&["rtb-0000000a"])
            );
        }
    }

    fn deleted(id: &str) -> Scope {
        Scope { deleted: ids(&[id]), ..Scope::default() }
    }

    #[test]
    fn what_was_deleted_is_neither_judged_nor_looked_for() {
        let scope = Scope { deleted: ids(&["vpc-0000000f", "rtb-0000000a", "subnet-0000000a"]), ..Scope::default() };
        assert!(!scope.is_empty());
        assert_eq!(scope.resolve(&network(), &account_region()), Resolved::default());
        assert!(scope.is_shown_in(&Network::default()));
    }

    #[test]
    fn a_union_holds_all_that_was_deleted() {
        let mut scope = deleted("rtb-0000000a");
        scope.merge(&deleted("subnet-0000000a"));
        assert_eq!(scope, Scope { deleted: ids(&["rtb-0000000a", "subnet-0000000a"]), ..Scope::default() });
    }
}
