//! The sentences about route tables without a gateway route.

use super::endpoint::check_off;
use crate::{
    alerts::{
        alert::{Alert, ResolutionReason, RouteFacts},
        recorded::Recorded,
    },
    checks::{
        check::CheckName,
        finding::{EndpointRef, Finding, Gap, MissingRoute},
    },
    messages::{
        content::{Group, services},
        message::counted,
        service_name::{ServiceName, titles},
        untrusted_text::plain,
    },
    network::model::{Target, TargetKind},
};

/// One fact in two forms.
struct Text {
    /// Part of a longer sentence.
    clause: String,
    /// Sentences of their own, one per line.
    lines: Vec<String>,
}

/// Why a finding matters: what is missing, and where the traffic goes instead. Contains ids, but no tags.
pub(super) fn reason(finding: &Finding, missing: &MissingRoute) -> String {
    let service = missing.service.title();
    let interface = (missing.interface_endpoint.as_ref())
        .map_or(String::new(), |endpoint| format!("; interface endpoint {} does not replace this route", endpoint.id));
    let target = missing.egress.id.as_deref();
    format!(
        "Route table {} has no gateway route to {service}: {}, {}{interface}.",
        finding.subject.id,
        gap(missing.gap, missing.endpoint.as_ref(), service).clause,
        consequence(&missing.egress, target, finding.subnets.len(), service, &[service]).clause,
    )
}

/// What is missing. `endpoint` is the gateway endpoint that decided the gap.
fn gap(gap: Gap, endpoint: Option<&EndpointRef>, service: &str) -> Text {
    let (id, state) = endpoint.map_or(("", ""), |endpoint| (&endpoint.id, &endpoint.state));
    let (shown_id, shown_state) = (plain(id), plain(state));
    let (clause, line) = match gap {
        Gap::RouteInactive => (
            format!("endpoint {id} lists the table, but the table has no active route to it"),
            format!("Endpoint {shown_id} for {service} lists the table, but the table has no active route to it."),
        ),
        Gap::EndpointNotAvailable => (
            format!("endpoint {id} lists the table, but its state is {state}"),
            format!("Endpoint {shown_id} for {service} lists the table, but its state is {shown_state}."),
        ),
        Gap::NotAssociated => (
            format!("endpoint {id} is in the VPC but does not list the table"),
            format!("Endpoint {shown_id} for {service} is in the VPC, but does not list the table."),
        ),
        Gap::NoEndpoint => (
            "the VPC has no available gateway endpoint for it".to_owned(),
            format!("The VPC has no available gateway endpoint for {service}."),
        ),
    };
    Text { clause, lines: vec![line] }
}

/// Where the traffic to these services goes instead, and which part of the way charges for it. `without_interface`
/// lists the services that have no interface endpoint.
///
/// Several targets charge per GB: see [`charge`]. A gateway endpoint charges nothing. An internet gateway and an
/// egress-only internet gateway charge nothing either, because traffic to a service of the same Region is free
/// (<https://aws.amazon.com/ec2/pricing/on-demand/#Data_Transfer>). No price is named: prices differ between Regions.
fn consequence(
    egress: &Target,
    target: Option<&str>,
    subnets: usize,
    service: &str,
    without_interface: &[ServiceName<'_>],
) -> Text {
    if subnets == 0 {
        return Text {
            clause: "but no subnet uses the table now".to_owned(),
            lines: vec!["No subnet uses the table now: nothing is affected yet.".to_owned()],
        };
    }
    let verb = |verb: &str, verbs: &str| if subnets == 1 { verb.to_owned() } else { verbs.to_owned() };
    let (reach, send) = (verb("reaches", "reach"), verb("sends", "send"));
    let subnets = counted(subnets, "subnet");
    let target = target.unwrap_or("(unknown id)");
    let way = target_name(egress.kind);
    let (clause, lines) = match egress.kind {
        TargetKind::NatGateway => (
            format!("so {subnets} {reach} {service} through {way} {target}"),
            vec![format!("{subnets} {reach} {service} through {way} {target}.")],
        ),
        TargetKind::InternetGateway => (
            format!("so {subnets} {reach} {service} at its public addresses through {way} {target}"),
            vec![
                format!("{subnets} {reach} {service} at public addresses, through {way} {target}."),
                "This works only for resources with a public IP address. AWS charges for public IPv4 addresses, but not \
                 for this traffic."
                    .to_owned(),
            ],
        ),
        TargetKind::EgressOnlyInternetGateway => (
            format!("so {subnets} {reach} {service} over IPv6 through {way} {target}"),
            vec![
                format!("{subnets} {reach} {service} over IPv6, through {way} {target}."),
                "This works only for resources with an IPv6 address. AWS does not charge for this traffic.".to_owned(),
            ],
        ),
        TargetKind::None => {
            let mut lines = vec!["The table has no default route.".to_owned()];
            if !without_interface.is_empty() {
                lines.push(format!("{subnets} cannot reach {}.", titles(without_interface)));
            }
            (format!("and the table has no default route, so {subnets} cannot reach {service}"), lines)
        }
        _ => (
            format!("so {subnets} {send} traffic for {service} to {way} {target}"),
            vec![
                format!("{subnets} {send} traffic for {service} to {way} {target}."),
                match egress.kind {
                    // https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations
                    TargetKind::VpcPeering => "This probably fails: a VPC cannot use the NAT gateway, internet gateway \
                                               or gateway endpoint of its peer."
                        .to_owned(),
                    kind if charge(kind).is_some() => format!("What is behind the {way} decides whether this works."),
                    _ => format!("What is behind the {way} decides whether this works and what it costs."),
                },
            ],
        ),
    };
    match charge(egress.kind) {
        None => Text { clause, lines },
        Some(charge) => Text {
            clause: format!("{clause}, {}", charge.clause),
            lines: lines.into_iter().chain(charge.lines).collect(),
        },
    }
}

/// What a target charges for the traffic. `None` if it charges nothing per GB, or if that depends on what is behind it.
fn charge(kind: TargetKind) -> Option<Text> {
    let way = target_name(kind);
    let (clause, line) = match kind {
        // https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-pricing.html,
        // https://aws.amazon.com/network-firewall/pricing/, https://aws.amazon.com/privatelink/pricing/
        TargetKind::NatGateway | TargetKind::VpcEndpoint => (
            "which charges for every byte",
            format!("The {way} charges for every GB; a gateway endpoint charges nothing."),
        ),
        // https://aws.amazon.com/transit-gateway/pricing/, https://aws.amazon.com/cloud-wan/pricing/
        TargetKind::TransitGateway | TargetKind::CoreNetwork => (
            "which charges for every byte, as does any NAT gateway behind it",
            format!(
                "The {way} charges for every GB, and any NAT gateway behind it charges again; a gateway endpoint \
                 charges nothing."
            ),
        ),
        // https://aws.amazon.com/vpn/pricing/, https://aws.amazon.com/directconnect/pricing/
        TargetKind::VirtualPrivateGateway => (
            "where AWS charges for every byte that leaves AWS",
            "AWS charges for every GB that leaves AWS this way; a gateway endpoint charges nothing.".to_owned(),
        ),
        _ => return None,
    };
    Some(Text { clause: clause.to_owned(), lines: vec![line] })
}

/// How a problem was resolved. A reason that only a newer version of gatewatch knows gets a general text.
pub(super) fn outcome(reason: &Recorded<ResolutionReason>, table: &str, service: &str) -> String {
    let Recorded::Known(reason) = reason else {
        return format!("{table}: the problem with {service} is resolved.");
    };
    match reason {
        ResolutionReason::Covered => format!("{table} has a gateway route to {service} again."),
        ResolutionReason::Exempt => format!("{table} is exempt now: it needs no gateway route to {service}."),
        ResolutionReason::TableDeleted => format!("{table} was deleted. It had no gateway route to {service}."),
        ResolutionReason::VpcDeleted => {
            format!("{table} was deleted with its VPC. It had no gateway route to {service}.")
        }
        ResolutionReason::EdgeTable => {
            format!("{table} now routes ingress traffic of a gateway: it needs no gateway route to {service}.")
        }
        ResolutionReason::NotRequired => format!("{table} no longer needs a gateway route to {service}."),
        ResolutionReason::CheckOff => check_off(table, CheckName::GatewayRoute),
        // These are for the other checks.
        ResolutionReason::Fixed | ResolutionReason::EndpointDeleted | ResolutionReason::ApiDeleted => {
            format!("{table}: the problem with {service} is resolved.")
        }
    }
}

/// The common name of a kind of route target.
fn target_name(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::NatGateway => "NAT gateway",
        TargetKind::InternetGateway => "internet gateway",
        TargetKind::TransitGateway => "transit gateway",
        TargetKind::VpcPeering => "peering connection",
        TargetKind::VirtualPrivateGateway => "virtual private gateway",
        TargetKind::NetworkInterface => "network interface",
        TargetKind::VpcEndpoint => "firewall or Gateway Load Balancer endpoint",
        TargetKind::CoreNetwork => "core network",
        TargetKind::EgressOnlyInternetGateway => "egress-only internet gateway",
        TargetKind::CarrierGateway => "carrier gateway",
        TargetKind::LocalGateway => "local gateway",
        TargetKind::Local | TargetKind::Other | TargetKind::None => "target",
    }
}

/// What is missing, and where the traffic goes instead.
pub(super) fn why_it_matters(group: &Group<'_>) -> Vec<String> {
    let gaps = missing_routes(group)
        .flat_map(|missing| gap(missing.gap, missing.endpoint.as_ref(), missing.service.title()).lines);
    gaps.chain(consequences(group)).chain(interface_endpoints(group)).collect()
}

/// The missing routes of the open findings of a group.
fn missing_routes<'a>(group: &Group<'a>) -> impl Iterator<Item = &'a MissingRoute> {
    group.open_findings().filter_map(Finding::missing_route)
}

fn consequences(group: &Group<'_>) -> Vec<String> {
    let Some(RouteFacts { egress, .. }) = group.first().route_facts() else { return Vec::new() };
    let target = egress.id.as_deref().map(plain);
    let has_interface = |alert: &&Alert| {
        let missing = alert.open_finding().and_then(Finding::missing_route);
        missing.is_some_and(|missing| missing.interface_endpoint.is_some())
    };
    let without_interface = services(group.alerts().filter(|alert| !has_interface(alert)));
    consequence(egress, target.as_deref(), group.subnets().len(), &titles(&group.services()), &without_interface).lines
}

fn interface_endpoints(group: &Group<'_>) -> Vec<String> {
    let has_no_egress = group.first().route_facts().is_some_and(|facts| facts.egress.kind == TargetKind::None);
    let no_other_way = has_no_egress && !group.subnets().is_empty();
    missing_routes(group)
        .filter_map(|missing| {
            let id = plain(&missing.interface_endpoint.as_ref()?.id);
            let service = missing.service.title();
            Some(if no_other_way {
                format!(
                    "{service} can be reached only through interface endpoint {id}. It does not replace this route."
                )
            } else {
                format!("Interface endpoint {id} for {service} does not replace this route.")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;

    use super::{
        super::{
            finding::{reason, resolved_reason},
            message::first_line,
        },
        *,
    };
    use crate::{
        alerts::{
            alert::{Resolution, ResolvedFinding},
            history::HistoryState,
            recorded::{RecordedProblem, RecordedRoute},
        },
        checks::{
            gateway_endpoint::rule::evaluate,
            severity::Severity,
            subject::{Subject, SubjectKind},
        },
        messages::{alert_group::AlertGroup, content},
        network::{
            account::AccountRegion,
            model::{Endpoint, EndpointKind, Network},
            service::GatewayService,
            testing::{REGION, explicit, gateway_endpoint, route, subnet, table},
        },
    };

    const VPC: &str = "vpc-0000000a";

    /// The reason of the finding for a table with this number of subnets, this default route and these endpoints.
    fn reason_for(subnets: usize, egress: Option<(TargetKind, &str)>, endpoints: Vec<Endpoint>) -> String {
        let subnets: Vec<_> = (0..subnets).map(|n| subnet(&format!("subnet-0000000{n}"), VPC)).collect();
        let mut table = table("rtb-0000000a", VPC);
        table.name = Some("<!channel>".into());
        table.associations = subnets.iter().map(|subnet| explicit(&subnet.id, "associated")).collect();
        table.routes.extend(egress.map(|(kind, id)| route("0.0.0.0/0", kind, id)));
        let network = Network { subnets, route_tables: vec![table], endpoints, ..Network::default() };
        let account_region = AccountRegion { partition: "aws".into(), account: None, region: REGION.into() };
        let tables = BTreeSet::from(["rtb-0000000a".to_owned()]);
        let required = BTreeSet::from([GatewayService::S3]);
        let result = evaluate(&network, &tables, &required, &account_region, jiff::civil::date(2026, 11, 23));
        reason(&result.findings[0])
    }

    fn s3(state: &str, tables: &[&str]) -> Endpoint {
        Endpoint { state: state.into(), ..gateway_endpoint("vpce-0000000a", VPC, GatewayService::S3, tables) }
    }

    #[test]
    fn the_reason_of_each_gap_says_what_is_missing() {
        let reason = |endpoints| reason_for(0, None, endpoints);
        let rest = ", but no subnet uses the table now.";
        let head = "Route table rtb-0000000a has no gateway route to S3: ";
        assert_eq!(reason(vec![]), format!("{head}the VPC has no available gateway endpoint for it{rest}"));
        assert_eq!(
            reason(vec![s3("available", &[])]),
            format!("{head}endpoint vpce-0000000a is in the VPC but does not list the table{rest}")
        );
        assert_eq!(
            reason(vec![s3("Pending", &["rtb-0000000a"])]),
            format!("{head}endpoint vpce-0000000a lists the table, but its state is pending{rest}")
        );
        assert_eq!(
            reason(vec![s3("available", &["rtb-0000000a"])]),
            format!("{head}endpoint vpce-0000000a lists the table, but the table has no active route to it{rest}")
        );
    }

    #[test]
    fn the_reason_of_each_egress_says_where_the_traffic_goes() {
        let reason = |subnets, egress| reason_for(subnets, egress, vec![]);
        let head = "Route table rtb-0000000a has no gateway route to S3: the VPC has no available gateway endpoint for \
                    it, ";
        assert_eq!(
            reason(2, Some((TargetKind::NatGateway, "nat-1"))),
            format!("{head}so 2 subnets reach S3 through NAT gateway nat-1, which charges for every byte.")
        );
        assert_eq!(
            reason(1, Some((TargetKind::InternetGateway, "igw-1"))),
            format!("{head}so 1 subnet reaches S3 at its public addresses through internet gateway igw-1.")
        );
        assert_eq!(reason(2, None), format!("{head}and the table has no default route, so 2 subnets cannot reach S3."));
        assert_eq!(
            reason(2, Some((TargetKind::EgressOnlyInternetGateway, "eigw-1"))),
            format!("{head}so 2 subnets reach S3 over IPv6 through egress-only internet gateway eigw-1.")
        );
        let twice = ", which charges for every byte, as does any NAT gateway behind it";
        for (kind, way, charge) in [
            (TargetKind::TransitGateway, "transit gateway", twice),
            (TargetKind::CoreNetwork, "core network", twice),
            (TargetKind::VpcEndpoint, "firewall or Gateway Load Balancer endpoint", ", which charges for every byte"),
            (
                TargetKind::VirtualPrivateGateway,
                "virtual private gateway",
                ", where AWS charges for every byte that leaves AWS",
            ),
            (TargetKind::VpcPeering, "peering connection", ""),
            (TargetKind::NetworkInterface, "network interface", ""),
            (TargetKind::CarrierGateway, "carrier gateway", ""),
            (TargetKind::LocalGateway, "local gateway", ""),
            (TargetKind::Other, "target", ""),
        ] {
            assert_eq!(
                reason(1, Some((kind, "x-1"))),
                format!("{head}so 1 subnet sends traffic for S3 to {way} x-1{charge}.")
            );
        }
    }

    #[test]
    fn people_read_where_the_traffic_goes_and_what_it_costs() {
        let lines = |kind| {
            let egress = Target { kind, id: Some("x-1".into()) };
            consequence(&egress, Some("x-1"), 2, "S3", &["s3"]).lines
        };
        let free = "a gateway endpoint charges nothing.";
        for (kind, expected) in [
            (
                TargetKind::NatGateway,
                vec![
                    "2 subnets reach S3 through NAT gateway x-1.".to_owned(),
                    format!("The NAT gateway charges for every GB; {free}"),
                ],
            ),
            (
                TargetKind::InternetGateway,
                vec![
                    "2 subnets reach S3 at public addresses, through internet gateway x-1.".to_owned(),
                    "This works only for resources with a public IP address. AWS charges for public IPv4 addresses, \
                     but not for this traffic."
                        .to_owned(),
                ],
            ),
            (
                TargetKind::EgressOnlyInternetGateway,
                vec![
                    "2 subnets reach S3 over IPv6, through egress-only internet gateway x-1.".to_owned(),
                    "This works only for resources with an IPv6 address. AWS does not charge for this traffic."
                        .to_owned(),
                ],
            ),
            (
                TargetKind::TransitGateway,
                vec![
                    "2 subnets send traffic for S3 to transit gateway x-1.".to_owned(),
                    "What is behind the transit gateway decides whether this works.".to_owned(),
                    format!("The transit gateway charges for every GB, and any NAT gateway behind it charges again; {free}"),
                ],
            ),
            (
                TargetKind::CoreNetwork,
                vec![
                    "2 subnets send traffic for S3 to core network x-1.".to_owned(),
                    "What is behind the core network decides whether this works.".to_owned(),
                    format!("The core network charges for every GB, and any NAT gateway behind it charges again; {free}"),
                ],
            ),
            (
                TargetKind::VpcEndpoint,
                vec![
                    "2 subnets send traffic for S3 to firewall or Gateway Load Balancer endpoint x-1.".to_owned(),
                    "What is behind the firewall or Gateway Load Balancer endpoint decides whether this works."
                        .to_owned(),
                    format!("The firewall or Gateway Load Balancer endpoint charges for every GB; {free}"),
                ],
            ),
            (
                TargetKind::VirtualPrivateGateway,
                vec![
                    "2 subnets send traffic for S3 to virtual private gateway x-1.".to_owned(),
                    "What is behind the virtual private gateway decides whether this works.".to_owned(),
                    format!("AWS charges for every GB that leaves AWS this way; {free}"),
                ],
            ),
            (
                TargetKind::VpcPeering,
                vec![
                    "2 subnets send traffic for S3 to peering connection x-1.".to_owned(),
                    "This probably fails: a VPC cannot use the NAT gateway, internet gateway or gateway endpoint of its \
                     peer."
                        .to_owned(),
                ],
            ),
            (
                TargetKind::NetworkInterface,
                vec![
                    "2 subnets send traffic for S3 to network interface x-1.".to_owned(),
                    "What is behind the network interface decides whether this works and what it costs.".to_owned(),
                ],
            ),
            (
                TargetKind::CarrierGateway,
                vec![
                    "2 subnets send traffic for S3 to carrier gateway x-1.".to_owned(),
                    "What is behind the carrier gateway decides whether this works and what it costs.".to_owned(),
                ],
            ),
            (
                TargetKind::LocalGateway,
                vec![
                    "2 subnets send traffic for S3 to local gateway x-1.".to_owned(),
                    "What is behind the local gateway decides whether this works and what it costs.".to_owned(),
                ],
            ),
            (
                TargetKind::None,
                vec!["The table has no default route.".to_owned(), "2 subnets cannot reach S3.".to_owned()],
            ),
        ] {
            assert_eq!(lines(kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn the_reason_names_an_interface_endpoint() {
        let interface = Endpoint { kind: EndpointKind::Interface, ..s3("available", &[]) };
        assert_eq!(
            reason_for(0, None, vec![interface]),
            "Route table rtb-0000000a has no gateway route to S3: the VPC has no available gateway endpoint for it, \
             but no subnet uses the table now; interface endpoint vpce-0000000a does not replace this route."
        );
    }

    #[test]
    fn each_resolution_has_a_reason_and_a_duration() {
        for (reason, what) in [
            (ResolutionReason::Covered, "has a gateway route to DynamoDB again."),
            (ResolutionReason::Exempt, "is exempt now: it needs no gateway route to DynamoDB."),
            (ResolutionReason::TableDeleted, "was deleted. It had no gateway route to DynamoDB."),
            (ResolutionReason::VpcDeleted, "was deleted with its VPC. It had no gateway route to DynamoDB."),
            (
                ResolutionReason::EdgeTable,
                "now routes ingress traffic of a gateway: it needs no gateway route to DynamoDB.",
            ),
            (ResolutionReason::NotRequired, "no longer needs a gateway route to DynamoDB."),
        ] {
            assert_eq!(
                resolved_reason(&resolved(Recorded::Known(reason))),
                format!("Route table rtb-0000000a {what} The problem existed for 2 hours.")
            );
        }
    }

    fn resolved(reason: Recorded<ResolutionReason>) -> ResolvedFinding {
        ResolvedFinding {
            id: "0a1b".into(),
            subject: Subject { kind: SubjectKind::RouteTable, id: "rtb-0000000a".into(), name: None },
            worst_severity: Severity::High,
            account: "123456789012".into(),
            region: REGION.into(),
            vpc_id: VPC.into(),
            subnets: Vec::new(),
            problem: RecordedProblem::MissingRoute(RecordedRoute {
                service: GatewayService::DynamoDb,
                gap: Recorded::Known(Gap::NoEndpoint),
                is_main_table: false,
                egress: Target { kind: TargetKind::None, id: None },
            }),
            since: Timestamp::UNIX_EPOCH,
            resolution: Resolution { reason, open_seconds: 7200 },
        }
    }

    #[test]
    fn a_reason_of_a_newer_version_gets_a_general_text() {
        let resolved = resolved(Recorded::Unknown("migrated".into()));
        assert_eq!(
            resolved_reason(&resolved),
            "Route table rtb-0000000a: the problem with DynamoDB is resolved. The problem existed for 2 hours."
        );
        let alert = Alert::Resolved(resolved);
        let message = AlertGroup {
            member_account: None,
            account: "123456789012",
            region: REGION,
            vpc_id: VPC,
            vpc_name: None,
            trigger: None,
            trigger_count: 0,
            history: HistoryState::On,
            incident_started_at: None,
            exempt_tag: "gatewatch:exempt",
            alerts: vec![&alert],
        };
        assert_eq!(
            first_line(&message, &content::groups(&message)),
            "RESOLVED: rtb-0000000a in eu-west-1: the problem with DynamoDB is resolved."
        );
    }
}
