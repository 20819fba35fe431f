//! Where the traffic goes without a gateway route, and how severe that is.
//!
//! | the route table | severity |
//! |---|---|
//! | is used by no subnet | low |
//! | else sends a default route (IPv4 or IPv6) to a NAT gateway | high |
//! | else has a default route to anything but an internet gateway, or none at all | medium |
//! | else, its default routes go to an internet gateway | low |
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

use crate::{
    checks::severity::Severity,
    network::model::{Route, RouteTable, Target, TargetKind},
};

/// The severity of a table that lacks a gateway route, and the default route that decided it.
///
/// Of several default routes the worst decides, and of equally bad ones the first by destination: IPv4 before IPv6.
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

    /// The severity of a table in use with these default routes, given as destination, kind and target.
    fn severity(defaults: &[(&str, TargetKind, &str)]) -> (Severity, TargetKind, Option<String>) {
        let mut table = table("rtb-0000000a", "vpc-0000000a");
        table.routes.extend(defaults.iter().map(|(to, kind, id)| route(to, *kind, id)));
        let (severity, egress) = severity_of(&table, true);
        (severity, egress.kind, egress.id)
    }

    #[test]
    fn a_nat_gateway_is_high_over_ipv4_and_ipv6() {
        for destination in ["0.0.0.0/0", "::/0"] {
            assert_eq!(
                severity(&[(destination, TargetKind::NatGateway, "nat-1")]),
                (Severity::High, TargetKind::NatGateway, Some("nat-1".into()))
            );
        }
    }

    #[test]
    fn every_other_egress_is_medium() {
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
    fn no_egress_is_medium() {
        assert_eq!(severity(&[]), (Severity::Medium, TargetKind::None, None));
        assert_eq!(
            severity(&[("10.0.0.0/8", TargetKind::NatGateway, "nat-1")]),
            (Severity::Medium, TargetKind::None, None)
        );
    }

    #[test]
    fn an_internet_gateway_is_low() {
        assert_eq!(
            severity(&[("0.0.0.0/0", TargetKind::InternetGateway, "igw-1")]),
            (Severity::Low, TargetKind::InternetGateway, Some("igw-1".into()))
        );
    }

    #[test]
    fn the_worst_default_route_decides() {
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
    fn of_equally_bad_routes_the_ipv4_one_is_named() {
        assert_eq!(
            severity(&[("::/0", TargetKind::NatGateway, "nat-6"), ("0.0.0.0/0", TargetKind::NatGateway, "nat-4")]),
            (Severity::High, TargetKind::NatGateway, Some("nat-4".into()))
        );
    }

    #[test]
    fn a_route_that_is_not_active_carries_nothing() {
        let mut table = table("rtb-0000000a", "vpc-0000000a");
        table.routes.push(Route { active: false, ..route("0.0.0.0/0", TargetKind::NatGateway, "nat-1") });
        assert_eq!(severity_of(&table, true), (Severity::Medium, Target { kind: TargetKind::None, id: None }));
    }

    #[test]
    fn a_table_that_no_subnet_uses_is_low_whatever_its_routes() {
        let mut unused = table("rtb-0000000a", "vpc-0000000a");
        assert_eq!(severity_of(&unused, false).0, Severity::Low);
        unused.routes.push(route("0.0.0.0/0", TargetKind::NatGateway, "nat-1"));
        assert_eq!(
            severity_of(&unused, false),
            (Severity::Low, Target { kind: TargetKind::NatGateway, id: Some("nat-1".into()) })
        );
    }
}
