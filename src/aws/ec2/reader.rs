//! Reads the network.
//!
//! A read is complete or it is an error: every page of every call, or no network at all. Filters limit the calls to the VPCs
//! in question. Filters and not id parameters, because an id that does not exist is then an empty answer and not an error
//! (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html>).

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{future::try_join_all, try_join};

use super::{
    known_services::KnownServices,
    known_vpcs::KnownVpcs,
    list::{Filters, Lists},
};
use crate::{
    checks::{gateway_endpoint::missing_facts::MissingFacts, needed_facts::NeededFacts},
    error::Error,
    events::scope::Scope,
    network::{
        endpoint_facts::{EndpointFacts, SecurityGroup},
        model::{Endpoint, EndpointKind, NatGateway, Network, RouteTable, Subnet, Vpc},
        selection::VpcSelection,
    },
};

/// The number of VPCs from which the route tables of a Region are read in several lists. Each VPC has at least its main
/// table, and a page has 100, so these are at least five pages. Several lists take some calls more than one.
const MANY_VPCS: usize = 400;

/// The VPCs of the resources in scope.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The VPCs to read.
    pub selection: VpcSelection,
    /// Whether EC2 shows every resource that had to be looked up.
    pub is_complete: bool,
    /// The endpoints that were looked up.
    endpoints: Vec<Endpoint>,
}

/// Reads the network, with the values of the exemption tag.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// Reads the lists of EC2.
    pub lists: Lists<'a>,
    /// The VPCs of resources that were read before.
    pub known_vpcs: &'a KnownVpcs,
    /// The endpoint services that were read before.
    pub known_services: &'a KnownServices,
    /// Whether a check judges endpoints. If none does, an endpoint that is not of type Gateway affects nothing, and neither
    /// does a security group.
    pub checks_endpoints: bool,
    /// Maximum number of VPCs of a Region that is read as a whole.
    pub max_vpcs: Option<usize>,
}

impl Reader<'_> {
    /// Reads the ids of all VPCs of the Region.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::locate`].
    pub async fn vpc_ids(&self) -> Result<BTreeSet<String>, Error> {
        Ok(self.lists.list::<Vpc>(&Filters::All).await?.into_iter().map(|vpc| vpc.id).collect())
    }

    /// Finds the VPCs of a scope. If the payload does not name the VPC of a resource, and this process has not read the
    /// resource before, the resource is looked up. Endpoints have no filter by security group, so all interface endpoints are
    /// listed to find those that use a group.
    ///
    /// # Errors
    ///
    /// [`Error::Ec2ReadFailed`], which names the call, if a call fails or a page is missing.
    pub async fn locate(&self, scope: &Scope) -> Result<Lookup, Error> {
        if scope.region {
            let of_part = scope.part.as_ref().map(|part| VpcSelection::Vpcs(part.vpc_ids.clone()));
            let selection = of_part.unwrap_or(VpcSelection::Region);
            return Ok(Lookup { selection, is_complete: true, endpoints: Vec::new() });
        }
        let [(of_subnets, subnet_ids), (of_tables, table_ids), (of_endpoints, endpoint_ids)] =
            [&scope.subnets, &scope.route_tables, &scope.endpoints].map(|ids| self.known_vpcs.split(without_vpc(ids)));
        let looked_for = subnet_ids.len() + table_ids.len() + endpoint_ids.len();
        let subnets = Filters::With("subnet-id", subnet_ids);
        let route_tables = Filters::With("route-table-id", table_ids);
        let endpoints = Filters::With("vpc-endpoint-id", endpoint_ids);
        // A route that is a black hole already still names the NAT gateway.
        let routes_to_nat_gateways = Filters::With("route.nat-gateway-id", scope.nat_gateways.clone());
        let has_groups = self.checks_endpoints && !scope.security_groups.is_empty();
        let interfaces = has_groups.then(|| "Interface".to_owned()).into_iter().collect();
        let interfaces = Filters::With("vpc-endpoint-type", interfaces);
        let (subnets, route_tables, endpoints, tables_of_nat_gateways, interfaces) = try_join!(
            self.lists.list::<Subnet>(&subnets),
            self.lists.list::<RouteTable>(&route_tables),
            self.lists.list::<Endpoint>(&endpoints),
            self.lists.list::<RouteTable>(&routes_to_nat_gateways),
            self.lists.list::<Endpoint>(&interfaces),
        )?;
        let affects = |endpoint: &&Endpoint| self.checks_endpoints || endpoint.kind == EndpointKind::Gateway;
        let uses_group = |endpoint: &&Endpoint| scope.concerns_groups_of(endpoint);
        let placed = [&scope.subnets, &scope.route_tables, &scope.endpoints];
        let in_payload = scope.vpc_ids.iter().chain(placed.into_iter().flat_map(|placed| placed.values().flatten()));
        let vpc_ids: BTreeSet<String> = in_payload
            .map(String::as_str)
            .chain(subnets.iter().map(|subnet| subnet.vpc_id.as_str()))
            .chain(route_tables.iter().chain(&tables_of_nat_gateways).map(|table| table.vpc_id.as_str()))
            .chain(endpoints.iter().filter(affects).map(|endpoint| endpoint.vpc_id.as_str()))
            .chain(interfaces.iter().filter(uses_group).map(|endpoint| endpoint.vpc_id.as_str()))
            .map(str::to_owned)
            .chain([of_subnets, of_tables, of_endpoints].into_iter().flatten())
            .collect();
        let is_complete = subnets.len() + route_tables.len() + endpoints.len() == looked_for;
        Ok(Lookup { selection: VpcSelection::Vpcs(vpc_ids), is_complete, endpoints })
    }

    /// Reads the VPCs that were located, each as a whole: a subnet may use the main table, and an endpoint serves a VPC.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::locate`].
    pub(super) async fn read(&self, lookup: Lookup) -> Result<(Network, VpcSelection), Error> {
        let Lookup { selection, endpoints, .. } = lookup;
        let mut network = self.read_vpcs(&selection).await?;
        for endpoint in endpoints {
            if network.endpoints.iter().all(|known| known.id != endpoint.id) {
                network.endpoints.push(endpoint);
            }
        }
        Ok((network, selection))
    }

    /// Reads these route tables by their ids. A list of many pages can omit a table that exists: it may have moved from one
    /// page to another during the read.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::locate`].
    pub async fn tables(&self, ids: BTreeSet<String>) -> Result<Vec<RouteTable>, Error> {
        self.lists.list(&Filters::With("route-table-id", ids)).await
    }

    /// Reads these endpoints by their ids, for the same reason.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::locate`].
    pub async fn endpoints(&self, ids: BTreeSet<String>) -> Result<Vec<Endpoint>, Error> {
        self.lists.list(&Filters::With("vpc-endpoint-id", ids)).await
    }

    /// Reads the missing facts about a network and adds them to it.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::locate`].
    pub async fn complete(&self, network: &mut Network, missing: &MissingFacts) -> Result<(), Error> {
        let of_vpcs = Filters::With("vpc-id", missing.nat_gateways_of_vpcs.clone());
        let by_id = Filters::With("nat-gateway-id", missing.nat_gateways.clone());
        let lists = missing.prefix_lists.iter().map(|id| self.lists.prefix_list(id));
        let (of_vpcs, by_id, lists) = try_join!(
            self.lists.list::<NatGateway>(&of_vpcs),
            self.lists.list::<NatGateway>(&by_id),
            try_join_all(lists),
        )?;
        of_vpcs.iter().chain(&by_id).for_each(|gateway| network.apply_nat_gateway(gateway));
        network.apply_prefix_lists(&lists.into_iter().collect());
        Ok(())
    }

    /// Reads those of the facts that the checks of endpoints need that EC2 knows.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::locate`].
    pub async fn facts(&self, needed: &NeededFacts) -> Result<EndpointFacts, Error> {
        let groups = Filters::With("group-id", needed.group_ids.clone());
        let default_groups = Filters::DefaultGroupsOf(needed.default_groups_of.clone());
        let (known_services, service_names) = self.known_services.split(&needed.services);
        let (vpc_dns, groups, default_groups, mut services) = try_join!(
            try_join_all(needed.dns_of.iter().map(|vpc_id| self.lists.vpc_dns(vpc_id))),
            self.lists.list::<SecurityGroup>(&groups),
            self.lists.list::<SecurityGroup>(&default_groups),
            self.lists.services(service_names),
        )?;
        self.known_services.remember(&services);
        services.extend(known_services);
        Ok(EndpointFacts {
            vpc_dns: vpc_dns.into_iter().flatten().collect(),
            security_groups: groups.into_iter().chain(default_groups).map(|group| (group.id.clone(), group)).collect(),
            services,
            ..EndpointFacts::default()
        })
    }

    /// Reads VPCs and everything in them, with four calls at once.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::locate`], and [`Error::TooManyVpcs`] for a Region with more than [`Reader::max_vpcs`]. The other
    /// calls end then.
    pub async fn read_vpcs(&self, selection: &VpcSelection) -> Result<Network, Error> {
        let which = match selection {
            VpcSelection::Region => Filters::All,
            VpcSelection::Vpcs(ids) => Filters::With("vpc-id", ids.clone()),
        };
        let vpcs_and_route_tables = async {
            if *selection != VpcSelection::Region {
                return try_join!(self.lists.list::<Vpc>(&which), self.lists.list::<RouteTable>(&which));
            }
            let (vpcs, first_tables) = try_join!(self.lists.list::<Vpc>(&which), self.lists.first_tables())?;
            if let Some(max_vpcs) = self.max_vpcs.filter(|max_vpcs| vpcs.len() > *max_vpcs) {
                return Err(Error::TooManyVpcs(max_vpcs));
            }
            let route_tables = if vpcs.len() < MANY_VPCS {
                self.lists.tables_in_one_list(first_tables).await?
            } else {
                self.lists.tables_in_parts(first_tables).await?
            };
            Ok((vpcs, route_tables))
        };
        let (subnets, endpoints, (vpcs, route_tables)) =
            try_join!(self.lists.list::<Subnet>(&which), self.lists.list::<Endpoint>(&which), vpcs_and_route_tables)?;
        let network = Network { vpcs, subnets, route_tables, endpoints };
        self.known_vpcs.remember(&network, self.checks_endpoints);
        Ok(network)
    }
}

/// The ids of the resources whose VPC is not known.
fn without_vpc(resources: &BTreeMap<String, Option<String>>) -> BTreeSet<String> {
    resources.iter().filter(|(_, vpc_id)| vpc_id.is_none()).map(|(id, _)| id.clone()).collect()
}
