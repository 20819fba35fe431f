//! Reads the lists of EC2, page by page.
//!
//! A list is complete or it is an error: every page of every call. Each page is converted as it arrives, because the types
//! of the SDK take several times as much memory as the facts.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::{
    Client,
    error::ProvideErrorMetadata,
    types::{AttributeBooleanValue, Filter, VpcAttributeName},
};
use futures_util::{future::try_join_all, try_join};

use super::{bucket::Bucket, convert};
use crate::{
    aws::error::ec2_read_failed,
    error::Error,
    network::{
        endpoint_facts::{EndpointService, SecurityGroup, VpcDns},
        model::{Endpoint, NatGateway, RouteTable, Subnet, Vpc},
    },
};

/// The maximum number of values in a filter.
const MAX_FILTER_VALUES: usize = 200;
/// The largest page sizes of EC2: for route tables, and for everything else.
const ROUTE_TABLE_PAGE: i32 = 100;
const PAGE: i32 = 1000;
/// The largest page size of `GetManagedPrefixListEntries`.
const PREFIX_LIST_PAGE: i32 = 100;
/// The last digits of the ids in each part of a long list of route tables.
const PARTS: [&str; 4] = ["0123", "4567", "89ab", "cdef"];

/// The resources that a call asks for.
pub(super) enum Filters {
    /// All of the Region.
    All,
    /// Those with one of these values in this filter.
    With(&'static str, BTreeSet<String>),
    /// The default security groups of these VPCs.
    DefaultGroupsOf(BTreeSet<String>),
}

impl Filters {
    /// The filters of each necessary call: one call for all, one for each 200 values, none for no values.
    fn of_calls(&self) -> Vec<Option<Vec<Filter>>> {
        let filter =
            |name: &str, values: &[String]| Filter::builder().name(name).set_values(Some(values.to_vec())).build();
        let (name, values, more) = match self {
            Self::All => return vec![None],
            Self::With(name, values) => (*name, values, None),
            Self::DefaultGroupsOf(vpc_ids) => ("vpc-id", vpc_ids, Some(filter("group-name", &["default".to_owned()]))),
        };
        let values: Vec<String> = values.iter().cloned().collect();
        let filters = |chunk: &[String]| [filter(name, chunk)].into_iter().chain(more.clone()).collect();
        values.chunks(MAX_FILTER_VALUES).map(|chunk| Some(filters(chunk))).collect()
    }
}

/// Reads lists.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a> {
    /// The client.
    pub client: &'a Client,
    /// Limits the calls.
    pub bucket: &'a Bucket,
    /// The key of the exemption tag.
    pub exempt_tag: &'a str,
    /// Whether the policies of endpoints are kept.
    pub keeps_policies: bool,
}

/// A list, as far as it is read.
pub(super) struct List<T> {
    found: Vec<T>,
    /// The token of the next page. `None` if there is no other page.
    next: Option<String>,
}

/// A resource that EC2 lists.
pub(super) trait Listed: Sized {
    /// Its id.
    fn id(&self) -> &str;

    /// Reads one page: the first one, or the one of this token.
    async fn page(lists: &Lists<'_>, filters: Option<Vec<Filter>>, token: Option<String>) -> Result<List<Self>, Error>;
}

/// Each operation of the SDK has its own types with methods of the same names, so only a macro can say this once.
macro_rules! listed {
    ($Fact:ty, $call:ident, $operation:literal, $set_filters:ident, $items:ident, $page:expr, $convert:expr) => {
        impl Listed for $Fact {
            fn id(&self) -> &str {
                &self.id
            }

            async fn page(
                lists: &Lists<'_>,
                filters: Option<Vec<Filter>>,
                token: Option<String>,
            ) -> Result<List<Self>, Error> {
                let failed = |why: &str| Error::Ec2ReadFailed(format!(concat!($operation, ": {}"), why));
                let call = lists.client.$call().$set_filters(filters).max_results($page).set_next_token(token);
                // Boxed, because a read has many of these large futures at once.
                let page = Box::pin(call.send()).await.map_err(|error| ec2_read_failed($operation, &error))?;
                let items = page.$items.unwrap_or_default().into_iter();
                let convert: fn(_, &Lists<'_>) -> Option<$Fact> = $convert;
                let found: Option<Vec<Self>> = items.map(|item| convert(item, lists)).collect();
                let found = found.ok_or_else(|| failed("answered a resource without its ids"))?;
                Ok(List { found, next: page.next_token.filter(|token| !token.is_empty()) })
            }
        }
    };
}

listed!(Vpc, describe_vpcs, "DescribeVpcs", set_filters, vpcs, PAGE, |item, lists| convert::vpc(
    item,
    lists.exempt_tag
));
listed!(Subnet, describe_subnets, "DescribeSubnets", set_filters, subnets, PAGE, |item, lists| convert::subnet(
    item,
    lists.exempt_tag
));
listed!(
    RouteTable,
    describe_route_tables,
    "DescribeRouteTables",
    set_filters,
    route_tables,
    ROUTE_TABLE_PAGE,
    |item, lists| convert::route_table(item, lists.exempt_tag)
);
listed!(Endpoint, describe_vpc_endpoints, "DescribeVpcEndpoints", set_filters, vpc_endpoints, PAGE, |item, lists| {
    convert::endpoint(item, lists.exempt_tag, lists.keeps_policies)
});
listed!(NatGateway, describe_nat_gateways, "DescribeNatGateways", set_filter, nat_gateways, PAGE, |item, _| {
    convert::nat_gateway(item)
});
listed!(
    SecurityGroup,
    describe_security_groups,
    "DescribeSecurityGroups",
    set_filters,
    security_groups,
    PAGE,
    |item, _| convert::security_group(item)
);

impl Lists<'_> {
    /// Reads all pages of all necessary calls. The resources are sorted by id.
    pub(super) async fn list<T: Listed>(&self, which: &Filters) -> Result<Vec<T>, Error> {
        let lists = which.of_calls().into_iter().enumerate().map(|(number, filters)| async move {
            // An event reads one page of each list. The calls after that are those of a large read.
            if number > 0 {
                self.bucket.take().await;
            } else {
                self.bucket.take_without_waiting();
            }
            let first_page = T::page(self, filters.clone(), None).await?;
            self.rest(filters, first_page).await
        });
        Ok(sorted(try_join_all(lists).await?))
    }

    /// Reads the first page of the route tables of the Region.
    pub(super) async fn first_tables(&self) -> Result<List<RouteTable>, Error> {
        self.bucket.take_without_waiting();
        RouteTable::page(self, None, None).await
    }

    /// Reads the route tables of the Region after the first page, one page after the other.
    pub(super) async fn tables_in_one_list(&self, first_page: List<RouteTable>) -> Result<Vec<RouteTable>, Error> {
        Ok(sorted(vec![self.rest(None, first_page).await?]))
    }

    /// Reads the route tables of the Region after the first page, in four lists at once: a page has only 100 tables, so this
    /// is by far the longest list. The lists divide the tables by the last digit of their ids, not by their VPCs: a filter
    /// has 200 values at most, so VPCs would take many short lists, and a VPC that is created during the read would be in
    /// none of them. Filters of this call accept wildcards
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>).
    pub(super) async fn tables_in_parts(&self, first_page: List<RouteTable>) -> Result<Vec<RouteTable>, Error> {
        if first_page.next.is_none() {
            return Ok(sorted(vec![first_page.found]));
        }
        let parts = PARTS.map(|digits| {
            Filters::With("route-table-id", digits.chars().map(|digit| format!("rtb-*{digit}")).collect())
        });
        let found = sorted(try_join_all(parts.iter().map(|part| self.list::<RouteTable>(part))).await?);
        let has = |id: &str| found.binary_search_by(|table| table.id.as_str().cmp(id)).is_ok();
        if first_page.found.iter().all(|table| has(&table.id)) {
            return Ok(found);
        }
        // A table of the first page was deleted, or this EC2 does not know wildcards. The long way is right in any case.
        Ok(sorted(vec![self.rest(None, first_page).await?, found]))
    }

    /// Reads the pages that are left, one after the other.
    async fn rest<T: Listed>(&self, filters: Option<Vec<Filter>>, mut list: List<T>) -> Result<Vec<T>, Error> {
        while let Some(token) = list.next.take() {
            self.bucket.take().await;
            let page = T::page(self, filters.clone(), Some(token)).await?;
            list.found.extend(page.found);
            list.next = page.next;
        }
        Ok(list.found)
    }

    /// Reads the DNS attributes of a VPC. `None` if the VPC is gone: a sweep must not fail because somebody deletes a VPC.
    pub(super) async fn vpc_dns(&self, vpc_id: &str) -> Result<Option<(String, VpcDns)>, Error> {
        let (support, host_names) = try_join!(
            self.vpc_attribute(vpc_id, VpcAttributeName::EnableDnsSupport),
            self.vpc_attribute(vpc_id, VpcAttributeName::EnableDnsHostnames),
        )?;
        let dns = support.zip(host_names).map(|(support, host_names)| VpcDns { support, host_names });
        Ok(dns.map(|dns| (vpc_id.to_owned(), dns)))
    }

    /// EC2 returns one attribute per call
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcAttribute.html>).
    async fn vpc_attribute(&self, vpc_id: &str, attribute: VpcAttributeName) -> Result<Option<bool>, Error> {
        self.bucket.take().await;
        let call = self.client.describe_vpc_attribute().vpc_id(vpc_id).attribute(attribute);
        match Box::pin(call.send()).await {
            Ok(answer) => Ok((answer.enable_dns_support())
                .or(answer.enable_dns_hostnames())
                .and_then(AttributeBooleanValue::value)),
            Err(error) if error.code() == Some("InvalidVpcID.NotFound") => Ok(None),
            Err(error) => Err(ec2_read_failed("DescribeVpcAttribute", &error)),
        }
    }

    /// Reads endpoint services by their names, all pages. A service that does not exist is missing in the result.
    pub(super) async fn services(&self, names: BTreeSet<String>) -> Result<BTreeMap<String, EndpointService>, Error> {
        let mut services = BTreeMap::new();
        for filters in Filters::With("service-name", names).of_calls() {
            let mut token = None;
            loop {
                self.bucket.take().await;
                let call = self.client.describe_vpc_endpoint_services().set_filters(filters.clone());
                let page = Box::pin(call.max_results(PAGE).set_next_token(token).send())
                    .await
                    .map_err(|error| ec2_read_failed("DescribeVpcEndpointServices", &error))?;
                let found = page.service_details.unwrap_or_default().into_iter().filter_map(convert::endpoint_service);
                for (name, service) in found {
                    services.entry(name).or_insert_with(EndpointService::default).add(service);
                }
                token = page.next_token.filter(|token| !token.is_empty());
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(services)
    }

    /// Reads the address ranges of a prefix list, all pages.
    pub(super) async fn prefix_list(&self, id: &str) -> Result<(String, BTreeSet<String>), Error> {
        let (mut ranges, mut token) = (BTreeSet::new(), None);
        loop {
            self.bucket.take().await;
            let call = self.client.get_managed_prefix_list_entries().prefix_list_id(id);
            let page = (Box::pin(call.max_results(PREFIX_LIST_PAGE).set_next_token(token).send()).await)
                .map_err(|error| ec2_read_failed("GetManagedPrefixListEntries", &error))?;
            ranges.extend(page.entries.unwrap_or_default().into_iter().filter_map(|entry| entry.cidr));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok((id.to_owned(), ranges));
            }
        }
    }
}

/// The resources of lists, sorted by id. A resource that moves to the next page during the read comes twice and counts once.
/// Nothing here needs memory for a second copy of a large list.
fn sorted<T: Listed>(lists: Vec<Vec<T>>) -> Vec<T> {
    let append = |mut all: Vec<T>, list| {
        all.extend(list);
        all
    };
    let mut all = lists.into_iter().reduce(append).unwrap_or_default();
    all.sort_unstable_by(|a, b| a.id().cmp(b.id()));
    all.dedup_by(|a, b| a.id() == b.id());
    all.shrink_to_fit();
    all
}
