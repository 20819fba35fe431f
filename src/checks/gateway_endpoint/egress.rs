//! The path of the traffic without a gateway route, and the severity that follows. The first row that holds decides:
//!
//! | given a route table | then the severity is |
//! |---|---|
//! | that no subnet uses | low |
//! | with a default route (IPv4 or IPv6) to a NAT gateway | high |
//! | with a default route to anything but an internet gateway, or with no default route | medium |
//! | whose default routes all go to an internet gateway | low |
//!
//! `network::model` adds the default routes of prefix lists to the tables, so they count like the others.

use crate::{
    checks::severity::Severity,
    network::model::{Route, RouteTable, Target, TargetKind},
};

/// The severity of a table without a gateway route, and the target of the default route that decided it
/// ([`TargetKind::None`] if there is no active default route). `in_use` says whether a subnet uses the table.
///
/// The default route with the highest severity decides. If several have it, the first by destination decides: IPv4
/// before IPv6.
#[must_use]
pub fn severity_of(table: &RouteTable, in_use: bool) -> (Severity, Target) {
    let mut defaults: Vec<&Route> = table.routes.iter().filter(|route| route.is_default()).collect();
    defaults.sort_by_key(|route| (std::cmp::Reverse(severity_of_egress(route.target.kind)), &route.destination));
    let egress = defaults.first().map_or(Target { kind: TargetKind::None, id: None }, |route| route.target.clone());
    let severity = if in_use { severity_of_egress(egress.kind) } else { Severity::Low };
    (severity, egress)
}

fn severity_of_egress(kind: TargetKind) -> Severity {
    match kind {
        TargetKind::NatGateway => Severity::High,
        TargetKind::InternetGateway => Severity::Low,
        _ => Severity::Medium,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::testing::{route, table};

    /// The severity and the egress of a table in use. Each route is a destination, a target kind and a target id.
    fn severity(routes: &[(&str, TargetKind, &str)]) -> (Severity, TargetKind, Option<String>) {
        let mut table = table("rtb-0000000a", "vpc-0000000a");
        table.routes.extend(routes.iter().map(|(destination, kind, id)| route(destination, *kind, id)));
        let (severity, egress) = severity_of(&table, true);
        (severity, egress.kind, egress.id)
    }

    #[test]
    fn a_default_route_to_a_nat_gateway_is_high_for_ipv4_and_ipv6() {
        for destination in ["0.0.0.0/0", "::/0"] {
            assert_eq!(
                severity(&[(destination, TargetKind::NatGateway, "nat-1")]),
                (Severity::High, TargetKind::NatGateway, Some("nat-1".into()))
            );
        }
    }

    #[test]
    fn a_default_route_to_any_other_target_is_medium() {
        for kind in [
            TargetKind::TransitGateway,
            TargetKind::VpcPeering,
            TargetKind::VirtualPrivateGateway,
            TargetKind::NetworkInterface,
            TargetKind::VpcEndpoint,
            TargetKind::CoreNetwork,
            TargetKind::EgressOnlyInternetGateway,
            TargetKind::CarrierGateway,
            TargetKind::LocalGateway,
            TargetKind::Other,
        ] {
            assert_eq!(
                severity(&[("0.0.0.0/0", kind, "x-1")]),
                (Severity::Medium, kind, Some("x-1".into())),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_table_without_a_default_route_is_medium() {
        assert_eq!(severity(&[]), (Severity::Medium, TargetKind::None, None));
        assert_eq!(
            severity(&[("10.0.0.0/8", TargetKind::NatGateway, "nat-1")]),
            (Severity::Medium, TargetKind::None, None)
        );
    }

    #[test]
    fn a_default_route_to_an_internet_gateway_is_low() {
        assert_eq!(
            severity(&[("0.0.0.0/0", TargetKind::InternetGateway, "igw-1")]),
            (Severity::Low, TargetKind::InternetGateway, Some("igw-1".into()))
        );
    }

    #[test]
    fn the_default_route_with_the_highest_severity_decides() {
        assert_eq!(
            severity(&[
                ("0.0.0.0/0", TargetKind::InternetGateway, "igw-1"),
                ("::/0", TargetKind::EgressOnlyInternetGateway, "eigw-1")
            ]),
            (Severity::Medium, TargetKind::EgressOnlyInternetGateway, Some("eigw-1".into()))
        );
        assert_eq!(
            severity(&[("0.0.0.0/0", TargetKind::TransitGateway, "tgw-1"), ("::/0", TargetKind::NatGateway, "nat-1")]),
            (Severity::High, TargetKind::NatGateway, Some("nat-1".into()))
        );
    }

    #[test]
    fn the_ipv4_route_decides_between_routes_of_equal_severity() {
        assert_eq!(
            severity(&[("::/0", TargetKind::NatGateway, "nat-6"), ("0.0.0.0/0", TargetKind::NatGateway, "nat-4")]),
            (Severity::High, TargetKind::NatGateway, Some("nat-4".into()))
        );
    }

    #[test]
    fn a_route_that_is_not_active_is_ignored() {
        let mut table = table("rtb-0000000a", "vpc-0000000a");
        table.routes.push(Route { active: false, ..route("0.0.0.0/0", TargetKind::NatGateway, "nat-1") });
        assert_eq!(severity_of(&table, true), (Severity::Medium, Target { kind: TargetKind::None, id: None }));
    }

    #[test]
    fn a_table_that_no_subnet_uses_is_low_with_any_routes() {
        let mut unused = table("rtb-0000000a", "vpc-0000000a");
        assert_eq!(severity_of(&unused, false).0, Severity::Low);
        unused.routes.push(route("0.0.0.0/0", TargetKind::NatGateway, "nat-1"));
        assert_eq!(
            severity_of(&unused, false),
            (Severity::Low, Target { kind: TargetKind::NatGateway, id: Some("nat-1".into()) })
        );
    }
}
