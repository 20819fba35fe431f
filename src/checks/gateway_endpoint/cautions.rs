//! What somebody has to know before they apply the fix. Every row that holds adds a caution:
//!
//! | given a fix and a table | then the caution is |
//! |---|---|
//! | the fix only waits | none, whatever else holds |
//! | subnets reach the service, or perhaps do | connections close; twice if the fix removes the table and adds it again |
//! | subnets reach the service, or perhaps do | conditions on `aws:SourceIp` |
//! | subnets do not reach the service, or perhaps do not | security groups and network ACLs |
//! | S3, and subnets have a default route | buckets in other Regions |
//! | the fix creates an endpoint | its default policy |
//! | the fix creates an endpoint, or subnets do not reach the service, or perhaps do not | DNS of the VPC |
//!
//! Today's traffic has the same destination addresses as the traffic through the endpoint. So if subnets reach the
//! service today, security groups, network ACLs and DNS are fine. If they do not, nothing has shown it yet.

use std::collections::BTreeSet;

use crate::{
    checks::{caution::Caution, fix::Fix},
    network::{model::TargetKind, service::GatewayService},
};

/// Whether the subnets of a table reach the service today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// No subnet uses the table.
    Unused,
    /// There is no default route, or a route that carries no traffic takes precedence for the service.
    Unreachable,
    /// The default route leads to something whose other side is not visible, such as a transit gateway.
    Unknown,
    /// The default route leads to the public addresses of the service.
    Public,
}

impl Access {
    /// The access of a table with this egress. `in_use` says whether a subnet uses the table. `is_dropped` says whether
    /// a route that is not active takes precedence for the service: EC2 drops what such a route matches.
    #[must_use]
    pub fn of(egress: TargetKind, in_use: bool, is_dropped: bool) -> Self {
        match egress {
            _ if !in_use => Self::Unused,
            _ if is_dropped => Self::Unreachable,
            TargetKind::None => Self::Unreachable,
            TargetKind::NatGateway | TargetKind::InternetGateway | TargetKind::EgressOnlyInternetGateway => {
                Self::Public
            }
            _ => Self::Unknown,
        }
    }
}

/// The cautions of a fix for a table with this egress.
#[must_use]
pub fn cautions(fix: &Fix, service: GatewayService, egress: TargetKind, access: Access) -> BTreeSet<Caution> {
    let (closes, creates_endpoint) = match fix {
        Fix::Wait(_) => return BTreeSet::new(),
        Fix::ReattachTable(_) => (Caution::ConnectionsCloseTwice, false),
        Fix::AddTable(_) | Fix::Replace { available: Some(_), .. } => (Caution::ConnectionsClose, false),
        Fix::Create | Fix::Replace { available: None, .. } => (Caution::ConnectionsClose, true),
    };
    let may_reach = matches!(access, Access::Public | Access::Unknown);
    let may_not_reach = matches!(access, Access::Unreachable | Access::Unknown);
    let goes_elsewhere = access != Access::Unused && egress != TargetKind::None;
    let rows = [
        (may_reach, closes),
        (may_reach, Caution::SourceIpConditions),
        (may_not_reach, Caution::TrafficFilters),
        (service == GatewayService::S3 && goes_elsewhere, Caution::OtherRegions),
        (creates_endpoint, Caution::DefaultPolicy),
        (creates_endpoint || may_not_reach, Caution::DnsSupport),
    ];
    rows.into_iter().filter_map(|(holds, caution)| holds.then_some(caution)).collect()
}

#[cfg(test)]
mod tests {
    use Caution::{
        ConnectionsClose, ConnectionsCloseTwice, DefaultPolicy, DnsSupport, OtherRegions, SourceIpConditions,
        TrafficFilters,
    };

    use super::*;
    use crate::checks::fix::Endpoint;

    const NAT: TargetKind = TargetKind::NatGateway;

    fn endpoint() -> Endpoint {
        Endpoint { id: "vpce-0000000a".into(), state: "available".into(), route_table_ids: Vec::new() }
    }

    fn replace(available: Option<Endpoint>) -> Fix {
        Fix::Replace { failed: Endpoint { state: "failed".into(), ..endpoint() }, available }
    }

    /// The cautions for S3 on a table that subnets use.
    fn cautions_for(fix: &Fix, egress: TargetKind) -> Vec<Caution> {
        let access = Access::of(egress, true, false);
        cautions(fix, GatewayService::S3, egress, access).into_iter().collect()
    }

    #[test]
    fn a_fix_that_only_waits_has_no_cautions() {
        for egress in TargetKind::ALL {
            assert_eq!(cautions_for(&Fix::Wait(endpoint()), egress), [], "{egress:?}");
        }
    }

    #[test]
    fn behind_a_nat_or_internet_gateway_connections_close_and_addresses_change() {
        for egress in [NAT, TargetKind::InternetGateway, TargetKind::EgressOnlyInternetGateway] {
            let cautions = |fix| cautions_for(&fix, egress);
            let added = [ConnectionsClose, SourceIpConditions, OtherRegions];
            let created = [ConnectionsClose, SourceIpConditions, OtherRegions, DefaultPolicy, DnsSupport];
            assert_eq!(cautions(Fix::AddTable(endpoint())), added, "{egress:?}");
            assert_eq!(cautions(replace(Some(endpoint()))), added, "{egress:?}");
            assert_eq!(cautions(Fix::Create), created, "{egress:?}");
            assert_eq!(cautions(replace(None)), created, "{egress:?}");
            assert_eq!(
                cautions(Fix::ReattachTable(endpoint())),
                [ConnectionsCloseTwice, SourceIpConditions, OtherRegions],
                "{egress:?}"
            );
        }
    }

    #[test]
    fn behind_a_target_that_hides_its_other_side_the_filters_may_matter_too() {
        for egress in [
            TargetKind::TransitGateway,
            TargetKind::VpcPeering,
            TargetKind::VirtualPrivateGateway,
            TargetKind::NetworkInterface,
            TargetKind::VpcEndpoint,
            TargetKind::CoreNetwork,
            TargetKind::CarrierGateway,
            TargetKind::LocalGateway,
            TargetKind::Local,
            TargetKind::Other,
        ] {
            assert_eq!(
                cautions_for(&Fix::AddTable(endpoint()), egress),
                [ConnectionsClose, SourceIpConditions, TrafficFilters, OtherRegions, DnsSupport],
                "{egress:?}"
            );
        }
    }

    #[test]
    fn without_a_way_out_no_connection_can_be_open() {
        let cautions = |fix| cautions_for(&fix, TargetKind::None);
        for fix in [Fix::AddTable(endpoint()), Fix::ReattachTable(endpoint()), replace(Some(endpoint()))] {
            assert_eq!(cautions(fix), [TrafficFilters, DnsSupport]);
        }
        assert_eq!(cautions(Fix::Create), [TrafficFilters, DefaultPolicy, DnsSupport]);
        assert_eq!(cautions(replace(None)), [TrafficFilters, DefaultPolicy, DnsSupport]);
    }

    /// Only requests to other Regions take the default route.
    #[test]
    fn a_route_that_drops_the_traffic_to_the_service_leaves_no_connection_open() {
        let access = Access::of(NAT, true, true);
        assert_eq!(
            cautions(&Fix::ReattachTable(endpoint()), GatewayService::S3, NAT, access),
            [TrafficFilters, OtherRegions, DnsSupport].into()
        );
    }

    #[test]
    fn for_a_table_that_no_subnet_uses_only_a_new_endpoint_has_cautions() {
        for egress in [NAT, TargetKind::TransitGateway, TargetKind::None] {
            let access = Access::of(egress, false, false);
            let cautions = |fix: Fix| cautions(&fix, GatewayService::S3, egress, access);
            assert_eq!(cautions(Fix::AddTable(endpoint())), [].into(), "{egress:?}");
            assert_eq!(cautions(Fix::ReattachTable(endpoint())), [].into(), "{egress:?}");
            assert_eq!(cautions(Fix::Create), [DefaultPolicy, DnsSupport].into(), "{egress:?}");
        }
    }

    #[test]
    fn only_s3_has_buckets_in_other_regions() {
        for service in [GatewayService::DynamoDb, GatewayService::S3Express] {
            assert_eq!(
                cautions(&Fix::AddTable(endpoint()), service, NAT, Access::Public),
                [ConnectionsClose, SourceIpConditions].into(),
                "{service:?}"
            );
        }
    }
}
