//! Why a finding matters, in one sentence: what is missing, and what the traffic does instead.
//!
//! Pure: names no SDK type, does no I/O and reads no clock. It names ids only, never a tag that somebody wrote.

use crate::{
    finding::{Finding, Gap},
    notice::{Cause, Resolution, in_words},
    service::GatewayService,
    vpc::{Target, TargetKind},
};

/// The sentence for a finding that is otherwise complete.
///
/// It claims a saving only for a NAT gateway: that is the only way out that is charged per byte and that the endpoint
/// takes the traffic off (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-pricing.html>).
#[must_use]
pub fn reason(finding: &Finding) -> String {
    let interface = finding
        .interface_endpoint
        .as_ref()
        .map_or(String::new(), |endpoint| format!("; interface endpoint {} does not cover the table", endpoint.id));
    format!(
        "Route table {} has no gateway route to {}: {}, {}{interface}.",
        finding.route_table.id,
        finding.service.title(),
        missing(finding),
        consequence(finding),
    )
}

/// The sentence for a problem that is over.
#[must_use]
pub fn reason_it_is_over(table_id: &str, service: GatewayService, resolution: &Resolution) -> String {
    let service = service.title();
    let what = match resolution.cause {
        Cause::Covered => format!("Route table {table_id} has a gateway route to {service} again"),
        Cause::Exempt => format!("Route table {table_id} is exempt from a gateway route to {service}"),
        Cause::TableDeleted => format!("Route table {table_id}, which had no gateway route to {service}, was deleted"),
        Cause::VpcDeleted => {
            format!("Route table {table_id}, which had no gateway route to {service}, was deleted with its VPC")
        }
        Cause::EdgeTable => format!(
            "Route table {table_id}, which had no gateway route to {service}, carries ingress traffic of a gateway now \
             and needs none"
        ),
        Cause::NotRequired => {
            format!("Route table {table_id} needs no gateway route to {service} any more")
        }
    };
    format!("{what}. The problem stood for {}.", in_words(resolution.stood_seconds))
}

fn missing(finding: &Finding) -> String {
    let (id, state) = finding.endpoint.as_ref().map_or(("", ""), |endpoint| (&endpoint.id, &endpoint.state));
    match finding.gap {
        Gap::RouteInactive => format!("endpoint {id} lists the table, but the table has no active route to it"),
        Gap::EndpointNotAvailable => format!("endpoint {id} lists the table, but its state is {state}"),
        Gap::NotAssociated => format!("endpoint {id} is in the VPC but does not list the table"),
        Gap::NoEndpoint => "the VPC has no available gateway endpoint for it".to_owned(),
    }
}

fn consequence(finding: &Finding) -> String {
    let service = finding.service.title();
    let (subnets, reach) = match finding.subnets.len() {
        0 => return "though no subnet uses the table now".to_owned(),
        1 => ("1 subnet".to_owned(), "reaches"),
        n => (format!("{n} subnets"), "reach"),
    };
    let Target { kind, id } = &finding.egress;
    let target = id.as_deref().unwrap_or("of unknown id");
    match kind {
        TargetKind::NatGateway => {
            format!("so {subnets} {reach} {service} through NAT gateway {target}, which charges for every byte")
        }
        TargetKind::InternetGateway => {
            format!("so {subnets} {reach} {service} at its public addresses through internet gateway {target}")
        }
        TargetKind::None => {
            format!("and the table has no default route, so {service} is out of reach for {subnets}")
        }
        kind => format!("so {subnets} can reach {service} only by way of {} {target}", way(*kind)),
    }
}

/// What people call the thing that traffic goes to.
pub(crate) fn way(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::NatGateway => "NAT gateway",
        TargetKind::InternetGateway => "internet gateway",
        TargetKind::TransitGateway => "transit gateway",
        TargetKind::VpcPeering => "peering connection",
        TargetKind::VirtualPrivateGateway => "virtual private gateway",
        TargetKind::NetworkInterface => "network interface",
        TargetKind::VpcEndpoint => "VPC endpoint",
        TargetKind::CoreNetwork => "core network",
        TargetKind::EgressOnlyInternetGateway => "egress-only internet gateway",
        TargetKind::CarrierGateway => "carrier gateway",
        TargetKind::LocalGateway => "local gateway",
        TargetKind::Local | TargetKind::Other | TargetKind::None => "target",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        evaluate::evaluate,
        home::Home,
        service::GatewayService,
        testing::{REGION, explicit, gateway_endpoint, route, subnet, table},
        vpc::{Endpoint, EndpointKind, Network},
    };

    const VPC: &str = "vpc-0000000a";

    /// The reason for a table with so many subnets, this default route and these endpoints.
    fn written(subnets: usize, egress: Option<(TargetKind, &str)>, endpoints: Vec<Endpoint>) -> String {
        let subnets: Vec<_> = (0..subnets).map(|n| subnet(&format!("subnet-0000000{n}"), VPC)).collect();
        let mut table = table("rtb-0000000a", VPC);
        table.name = Some("<!channel>".into());
        table.associations = subnets.iter().map(|subnet| explicit(&subnet.id, "associated")).collect();
        table.routes.extend(egress.map(|(kind, id)| route("0.0.0.0/0", kind, id)));
        let network = Network { subnets, route_tables: vec![table], endpoints, ..Network::default() };
        let home = Home { partition: "aws".into(), account: None, region: REGION.into() };
        let tables = BTreeSet::from(["rtb-0000000a".to_owned()]);
        evaluate(&network, &tables, &BTreeSet::from([GatewayService::S3]), &home, jiff::civil::date(2026, 11, 23))
            .findings
            .pop()
            .unwrap()
            .reason
    }

    fn s3(state: &str, tables: &[&str]) -> Endpoint {
        Endpoint { state: state.into(), ..gateway_endpoint("vpce-0000000a", VPC, GatewayService::S3, tables) }
    }

    #[test]
    fn each_gap_says_what_is_missing() {
        let written = |endpoints| written(0, None, endpoints);
        let rest = ", though no subnet uses the table now.";
        let head = "Route table rtb-0000000a has no gateway route to S3: ";
        assert_eq!(written(vec![]), format!("{head}the VPC has no available gateway endpoint for it{rest}"));
        assert_eq!(
            written(vec![s3("available", &[])]),
            format!("{head}endpoint vpce-0000000a is in the VPC but does not list the table{rest}")
        );
        assert_eq!(
            written(vec![s3("Pending", &["rtb-0000000a"])]),
            format!("{head}endpoint vpce-0000000a lists the table, but its state is pending{rest}")
        );
        assert_eq!(
            written(vec![s3("available", &["rtb-0000000a"])]),
            format!("{head}endpoint vpce-0000000a lists the table, but the table has no active route to it{rest}")
        );
    }

    #[test]
    fn each_egress_says_what_the_traffic_does_instead() {
        let written = |subnets, egress| written(subnets, egress, vec![]);
        let head = "Route table rtb-0000000a has no gateway route to S3: the VPC has no available gateway endpoint for \
                    it, ";
        assert_eq!(
            written(2, Some((TargetKind::NatGateway, "nat-1"))),
            format!("{head}so 2 subnets reach S3 through NAT gateway nat-1, which charges for every byte.")
        );
        assert_eq!(
            written(1, Some((TargetKind::InternetGateway, "igw-1"))),
            format!("{head}so 1 subnet reaches S3 at its public addresses through internet gateway igw-1.")
        );
        assert_eq!(
            written(2, None),
            format!("{head}and the table has no default route, so S3 is out of reach for 2 subnets.")
        );
        for (kind, way) in [
            (TargetKind::TransitGateway, "transit gateway"),
            (TargetKind::VpcPeering, "peering connection"),
            (TargetKind::VirtualPrivateGateway, "virtual private gateway"),
            (TargetKind::NetworkInterface, "network interface"),
            (TargetKind::VpcEndpoint, "VPC endpoint"),
            (TargetKind::CoreNetwork, "core network"),
            (TargetKind::EgressOnlyInternetGateway, "egress-only internet gateway"),
            (TargetKind::CarrierGateway, "carrier gateway"),
            (TargetKind::LocalGateway, "local gateway"),
            (TargetKind::Other, "target"),
        ] {
            assert_eq!(
                written(1, Some((kind, "x-1"))),
                format!("{head}so 1 subnet can reach S3 only by way of {way} x-1.")
            );
        }
    }

    #[test]
    fn an_interface_endpoint_is_named() {
        let interface = Endpoint { kind: EndpointKind::Interface, ..s3("available", &[]) };
        assert_eq!(
            written(0, None, vec![interface]),
            "Route table rtb-0000000a has no gateway route to S3: the VPC has no available gateway endpoint for it, \
             though no subnet uses the table now; interface endpoint vpce-0000000a does not cover the table."
        );
    }

    #[test]
    fn each_end_says_what_ended_it_and_how_long_it_stood() {
        let had_none = "Route table rtb-0000000a, which had no gateway route to DynamoDB,";
        for (cause, what) in [
            (Cause::Covered, "Route table rtb-0000000a has a gateway route to DynamoDB again".to_owned()),
            (Cause::Exempt, "Route table rtb-0000000a is exempt from a gateway route to DynamoDB".to_owned()),
            (Cause::TableDeleted, format!("{had_none} was deleted")),
            (Cause::VpcDeleted, format!("{had_none} was deleted with its VPC")),
            (Cause::EdgeTable, format!("{had_none} carries ingress traffic of a gateway now and needs none")),
            (Cause::NotRequired, "Route table rtb-0000000a needs no gateway route to DynamoDB any more".to_owned()),
        ] {
            let resolution = Resolution { cause, stood_seconds: 7200 };
            assert_eq!(
                reason_it_is_over("rtb-0000000a", GatewayService::DynamoDb, &resolution),
                format!("{what}. The problem stood for 2 hours.")
            );
        }
    }
}
