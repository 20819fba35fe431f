//! The VPCs of resources that this process has seen, so that a further event about them takes one round trip less.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::network::model::{EndpointKind, Network};

/// Maximum number of remembered resources. At this number, all are forgotten: about 4 MB. A larger network is not remembered:
/// it would only replace itself.
const MAX_RESOURCES: usize = 20_000;

/// The VPC of each subnet, route table and endpoint that was read. They never move to another VPC, so an entry is
/// true as long as the resource exists. It says nothing about whether the resource still exists: its VPC is read each time.
#[derive(Debug, Default)]
pub struct KnownVpcs {
    vpc_of: Mutex<HashMap<String, String>>,
}

impl KnownVpcs {
    /// The VPCs of those of these resources that are known, and the other resources.
    pub(super) fn split(&self, ids: BTreeSet<String>) -> (BTreeSet<String>, BTreeSet<String>) {
        let vpc_of = self.vpc_of();
        let (known, unknown): (BTreeSet<_>, BTreeSet<_>) = ids.into_iter().partition(|id| vpc_of.contains_key(id));
        (known.iter().filter_map(|id| vpc_of.get(id)).cloned().collect(), unknown)
    }

    /// Remembers the resources of a network. If no check judges endpoints, an endpoint that is not of type Gateway affects
    /// nothing, so its VPC must not be read because it is known.
    pub(super) fn remember(&self, network: &Network, checks_endpoints: bool) {
        let endpoints =
            network.endpoints.iter().filter(|endpoint| checks_endpoints || endpoint.kind == EndpointKind::Gateway);
        if network.subnets.len() + network.route_tables.len() + network.endpoints.len() > MAX_RESOURCES {
            return;
        }
        let resources = (network.subnets.iter().map(|subnet| (&subnet.id, subnet.vpc_id.as_str())))
            .chain(network.route_tables.iter().map(|table| (&table.id, table.vpc_id.as_str())))
            .chain(endpoints.map(|endpoint| (&endpoint.id, endpoint.vpc_id.as_str())));
        let mut vpc_of = self.vpc_of();
        for (id, vpc_id) in resources {
            if vpc_of.contains_key(id) {
                continue;
            }
            if vpc_of.len() >= MAX_RESOURCES {
                vpc_of.clear();
            }
            vpc_of.insert(id.clone(), vpc_id.to_owned());
        }
    }

    fn vpc_of(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.vpc_of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{
        model::Endpoint,
        service::GatewayService,
        testing::{gateway_endpoint, main_table, subnet},
    };

    const VPC: &str = "vpc-0000000a";

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    #[test]
    fn the_resources_of_a_network_are_known() {
        let gateway = gateway_endpoint("vpce-0000000a", VPC, GatewayService::S3, &[]);
        let interface = Endpoint { id: "vpce-0000000b".into(), kind: EndpointKind::Interface, ..gateway.clone() };
        let network = Network {
            subnets: vec![subnet("subnet-0000000a", VPC)],
            route_tables: vec![main_table("rtb-0000000a", VPC), main_table("rtb-0000000b", "vpc-0000000b")],
            endpoints: vec![gateway, interface],
            ..Network::default()
        };
        let known = KnownVpcs::default();
        known.remember(&network, false);
        let asked = ids(&["subnet-0000000a", "rtb-0000000a", "vpce-0000000a", "vpce-0000000b", "rtb-0000000f"]);
        assert_eq!(known.split(asked), (ids(&[VPC]), ids(&["vpce-0000000b", "rtb-0000000f"])));
        assert_eq!(known.split(ids(&["rtb-0000000b"])), (ids(&["vpc-0000000b"]), ids(&[])));
        assert_eq!(known.split(ids(&[])), (ids(&[]), ids(&[])));
        known.remember(&network, true);
        assert_eq!(known.split(ids(&["vpce-0000000b"])), (ids(&[VPC]), ids(&[])));
    }

    #[test]
    fn the_number_of_known_resources_is_limited() {
        let tables = |from: usize, to: usize| Network {
            route_tables: (from..to).map(|n| main_table(&format!("rtb-{n:08x}"), VPC)).collect(),
            ..Network::default()
        };
        let known = KnownVpcs::default();
        known.remember(&tables(0, MAX_RESOURCES), false);
        assert_eq!(known.vpc_of().len(), MAX_RESOURCES);
        known.remember(&tables(0, MAX_RESOURCES), false);
        assert_eq!(known.vpc_of().len(), MAX_RESOURCES, "no resource is new");
        known.remember(&tables(MAX_RESOURCES, 2 * MAX_RESOURCES + 1), false);
        assert_eq!(known.vpc_of().len(), MAX_RESOURCES, "a larger network is not remembered");
        known.remember(&tables(MAX_RESOURCES, MAX_RESOURCES + 1), false);
        assert_eq!(known.vpc_of().len(), 1);
    }
}
