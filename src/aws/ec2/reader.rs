//! Reads the network.
//!
//! A read is complete or it is an error: every page of every call, or no network at all. Filters limit the calls to the VPCs
//! in question. Filters and not id parameters, because an id that does not exist is then an empty answer and not an error
//! (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html>).

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::{Client, types::Filter};
use futures_util::{future::try_join_all, try_join};

use super::{convert, known_vpcs::KnownVpcs};
use crate::{
    aws::error::describe,
    checks::gateway_endpoint::missing_facts::MissingFacts,
    error::Error,
    events::scope::Scope,
    network::{
        model::{Endpoint, EndpointKind, NatGateway, Network, RouteTable, Subnet, Vpc},
        selection::VpcSelection,
    },
};

/// The maximum number of values in a filter.
const MAX_FILTER_VALUES: usize = 200;
/// The largest page sizes of EC2: for route tables, and for everything else.
const ROUTE_TABLE_PAGE: i32 = 100;
const PAGE: i32 = 1000;
/// The largest page size of `GetManagedPrefixListEntries`.
const PREFIX_LIST_PAGE: i32 = 100;

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
    /// The client.
    pub client: &'a Client,
    /// The key of the exemption tag.
    pub exempt_tag: &'a str,
    /// The VPCs of resources that were read before.
    pub known_vpcs: &'a KnownVpcs,
}

impl Reader<'_> {
    /// Finds the VPCs of a scope. If the payload does not name the VPC of a resource, and this process has not read the
    /// resource before, the resource is looked up. An endpoint that is not of type Gateway affects nothing: its VPC is not
    /// read.
    ///
    /// # Errors
    ///
    /// [`Error::Ec2ReadFailed`], which names the call, if a call fails or a page is missing.
    pub async fn locate(&self, scope: &Scope) -> Result<Lookup, Error> {
        if scope.region {
            return Ok(Lookup { selection: VpcSelection::Region, is_complete: true, endpoints: Vec::new() });
        }
        let &Self { client, exempt_tag, known_vpcs } = self;
        let [(of_subnets, subnet_ids), (of_tables, table_ids), (of_endpoints, endpoint_ids)] =
            [&scope.subnets, &scope.route_tables, &scope.endpoints].map(|ids| known_vpcs.split(without_vpc(ids)));
        let looked_for = subnet_ids.len() + table_ids.len() + endpoint_ids.len();
        let subnets = Filters::With("subnet-id", subnet_ids);
        let route_tables = Filters::With("route-table-id", table_ids);
        let endpoints = Filters::With("vpc-endpoint-id", endpoint_ids);
        // A route that is a black hole already still names the NAT gateway.
        let routes_to_nat_gateways = Filters::With("route.nat-gateway-id", scope.nat_gateways.clone());
        let (subnets, route_tables, endpoints, tables_of_nat_gateways) = try_join!(
            describe_subnets(client, &subnets, exempt_tag),
            describe_route_tables(client, &route_tables, exempt_tag),
            describe_vpc_endpoints(client, &endpoints, exempt_tag),
            describe_route_tables(client, &routes_to_nat_gateways, exempt_tag),
        )?;
        let vpc_ids: BTreeSet<String> = (scope.vpc_ids.iter())
            .chain(
                [&scope.subnets, &scope.route_tables, &scope.endpoints]
                    .into_iter()
                    .flat_map(|placed| placed.values().flatten()),
            )
            .chain(subnets.iter().map(|subnet| &subnet.vpc_id))
            .chain(route_tables.iter().chain(&tables_of_nat_gateways).map(|table| &table.vpc_id))
            .chain(endpoints.iter().filter(|e| e.kind == EndpointKind::Gateway).map(|endpoint| &endpoint.vpc_id))
            .cloned()
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
        describe_route_tables(self.client, &Filters::With("route-table-id", ids), self.exempt_tag).await
    }

    /// Reads the missing facts about a network and adds them to it.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::locate`].
    pub async fn complete(&self, network: &mut Network, missing: &MissingFacts) -> Result<(), Error> {
        let &Self { client, exempt_tag, .. } = self;
        let of_vpcs = Filters::With("vpc-id", missing.nat_gateways_of_vpcs.clone());
        let by_id = Filters::With("nat-gateway-id", missing.nat_gateways.clone());
        let lists = missing.prefix_lists.iter().map(|id| prefix_list(client, id));
        let (of_vpcs, by_id, lists) = try_join!(
            describe_nat_gateways(client, &of_vpcs, exempt_tag),
            describe_nat_gateways(client, &by_id, exempt_tag),
            try_join_all(lists),
        )?;
        of_vpcs.iter().chain(&by_id).for_each(|gateway| network.apply_nat_gateway(gateway));
        network.apply_prefix_lists(&lists.into_iter().collect());
        Ok(())
    }

    /// Reads VPCs and everything in them, with four calls at once.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::locate`].
    pub async fn read_vpcs(&self, selection: &VpcSelection) -> Result<Network, Error> {
        let &Self { client, exempt_tag, known_vpcs } = self;
        let which = match selection {
            VpcSelection::Region => Filters::All,
            VpcSelection::Vpcs(ids) => Filters::With("vpc-id", ids.clone()),
        };
        let (vpcs, subnets, route_tables, endpoints) = try_join!(
            describe_vpcs(client, &which, exempt_tag),
            describe_subnets(client, &which, exempt_tag),
            describe_route_tables(client, &which, exempt_tag),
            describe_vpc_endpoints(client, &which, exempt_tag),
        )?;
        let network = Network { vpcs, subnets, route_tables, endpoints };
        known_vpcs.remember(&network);
        Ok(network)
    }
}

/// The ids of the resources whose VPC is not known.
fn without_vpc(resources: &BTreeMap<String, Option<String>>) -> BTreeSet<String> {
    resources.iter().filter(|(_, vpc_id)| vpc_id.is_none()).map(|(id, _)| id.clone()).collect()
}

/// The resources that a call asks for.
enum Filters {
    /// All of the Region.
    All,
    /// Those with one of these values in this filter.
    With(&'static str, BTreeSet<String>),
}

impl Filters {
    /// The filters of each necessary call: one call for all, one for each 200 values, none for no values.
    fn filters(&self) -> Vec<Option<Vec<Filter>>> {
        match self {
            Self::All => vec![None],
            Self::With(name, values) => {
                let values: Vec<String> = values.iter().cloned().collect();
                let filter = |chunk: &[String]| Filter::builder().name(*name).set_values(Some(chunk.to_vec())).build();
                values.chunks(MAX_FILTER_VALUES).map(|chunk| Some(vec![filter(chunk)])).collect()
            }
        }
    }
}

/// Defines the read of one kind of resource: all pages of all necessary calls, converted, sorted by id. A resource that moves
/// to the next page during the read comes twice and counts once.
///
/// Each operation of the SDK has its own types with methods of the same names, so only a macro can say this once.
macro_rules! describe {
    ($name:ident, $operation:literal, $set_filters:ident, $page:expr, $fact:path, $Fact:ty) => {
        async fn $name(client: &Client, which: &Filters, exempt_tag: &str) -> Result<Vec<$Fact>, Error> {
            let calls = which.filters().into_iter().map(|filters| {
                client
                    .$name()
                    .$set_filters(filters)
                    .into_paginator()
                    .page_size($page)
                    // If the read stopped at a repeated token, a partial read would look complete.
                    .stop_on_duplicate_token(false)
                    .items()
                    .send()
                    .collect::<Result<Vec<_>, _>>()
            });
            let failed = |why: &str| Error::Ec2ReadFailed(format!(concat!($operation, ": {}"), why));
            let answers = try_join_all(calls).await.map_err(|error| failed(&describe(&error)))?;
            let convert: BTreeMap<String, $Fact> = (answers.into_iter().flatten())
                .map(|resource| {
                    let fact = $fact(resource, exempt_tag)?;
                    Some((fact.id.clone(), fact))
                })
                .collect::<Option<_>>()
                .ok_or_else(|| failed("answered a resource without its ids"))?;
            Ok(convert.into_values().collect())
        }
    };
}

describe!(describe_vpcs, "DescribeVpcs", set_filters, PAGE, convert::vpc, Vpc);
describe!(describe_subnets, "DescribeSubnets", set_filters, PAGE, convert::subnet, Subnet);
describe!(
    describe_route_tables,
    "DescribeRouteTables",
    set_filters,
    ROUTE_TABLE_PAGE,
    convert::route_table,
    RouteTable
);
describe!(describe_vpc_endpoints, "DescribeVpcEndpoints", set_filters, PAGE, convert::endpoint, Endpoint);
describe!(describe_nat_gateways, "DescribeNatGateways", set_filter, PAGE, convert::nat_gateway, NatGateway);

/// Reads the address ranges of a prefix list, all pages.
async fn prefix_list(client: &Client, id: &str) -> Result<(String, BTreeSet<String>), Error> {
    let entries = client
        .get_managed_prefix_list_entries()
        .prefix_list_id(id)
        .into_paginator()
        .page_size(PREFIX_LIST_PAGE)
        .stop_on_duplicate_token(false)
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .map_err(|error| Error::Ec2ReadFailed(format!("GetManagedPrefixListEntries: {}", describe(&error))))?;
    Ok((id.to_owned(), entries.into_iter().filter_map(|entry| entry.cidr).collect()))
}
