//! Every sentence of the messages about findings: as one sentence for the JSON field `reason`, and as lines for e-mail
//! and chat.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    alert_group::AlertGroup,
    content::{CautionAbout, Group, services, tables},
    message::counted,
    untrusted_text::{Line, plain},
};
use crate::{
    alerts::{
        alert::{Alert, Change, OpenChange, ResolutionReason, ResolvedFinding},
        history::HistoryState,
        recorded::Recorded,
    },
    checks::{
        caution::Caution,
        finding::{EndpointRef, Finding, Gap, SubnetRef},
    },
    events::record::Trigger,
    network::{
        model::{Target, TargetKind},
        service::GatewayService,
    },
};

/// One fact in two forms.
struct Text {
    /// Part of a longer sentence.
    clause: String,
    /// Sentences of their own, one per line.
    lines: Vec<String>,
}

// --- One sentence for the JSON ---------------------------------------------------------------------------------------

/// Why a finding matters: what is missing, and where the traffic goes instead. Contains ids, but no tags.
pub(super) fn reason(finding: &Finding) -> String {
    let service = finding.service.title();
    let interface = (finding.interface_endpoint.as_ref())
        .map_or(String::new(), |endpoint| format!("; interface endpoint {} does not replace this route", endpoint.id));
    let target = finding.egress.id.as_deref();
    format!(
        "Route table {} has no gateway route to {service}: {}, {}{interface}.",
        finding.route_table.id,
        missing(finding.gap, finding.endpoint.as_ref(), service).clause,
        consequence(&finding.egress, target, finding.subnets.len(), service, &[finding.service]).clause,
    )
}

/// How a problem was resolved, and how long it was open.
pub(super) fn resolved_reason(resolved: &ResolvedFinding) -> String {
    let table = format!("Route table {}", resolved.route_table.id);
    let what = outcome(&resolved.resolution.reason, &table, resolved.service.title());
    format!("{what} The problem existed for {}.", duration(resolved.resolution.open_seconds))
}

// --- Facts -----------------------------------------------------------------------------------------------------------

/// What is missing. `endpoint` is the gateway endpoint that decided the gap.
fn missing(gap: Gap, endpoint: Option<&EndpointRef>, service: &str) -> Text {
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
    without_interface: &[GatewayService],
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

/// What somebody has to know before they apply the fix for these services. Contains no ids and no tags.
pub(super) fn caution(caution: Caution, services: &[GatewayService]) -> String {
    let service = titles(services);
    let when = "Applications have to connect again, so choose a time when no critical task runs.";
    match caution {
        Caution::ConnectionsClose => format!("Open connections to {service} close. {when}"),
        Caution::ConnectionsCloseTwice => format!(
            "Open connections to {service} close twice: when the table is removed from the endpoint, and when it is added \
             again. {when}"
        ),
        Caution::SourceIpConditions => {
            let policies = if services.contains(&GatewayService::DynamoDb) { "resource" } else { "bucket" };
            format!(
                "Requests to {service} will come from private addresses. Conditions on aws:SourceIp in {policies} and \
                 identity policies stop matching; use aws:VpcSourceIp, aws:SourceVpc or aws:SourceVpce instead."
            )
        }
        Caution::TrafficFilters => format!(
            "Security groups and network ACLs must allow traffic to and from {service}; gatewatch does not check them. A \
             security group rule can name the prefix list of the service; a network ACL rule needs its address ranges."
        ),
        Caution::OtherRegions => {
            "Requests to buckets in other Regions do not go through the endpoint. They go the same way as today."
                .to_owned()
        }
        Caution::DefaultPolicy => {
            format!("A new endpoint has the default policy, which allows every request to {service}.")
        }
        Caution::DnsSupport => "If the VPC uses Amazon's DNS servers, its DNS support and DNS host names must be on; \
                                gatewatch does not check this."
            .to_owned(),
    }
}

/// How a problem was resolved. A reason that only a newer version of gatewatch knows gets a general text.
fn outcome(reason: &Recorded<ResolutionReason>, table: &str, service: &str) -> String {
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

/// A duration for people: in the largest unit that fits, rounded down, such as `3 days` or `1 minute`.
fn duration(seconds: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(24 * 60 * 60, "day"), (60 * 60, "hour"), (60, "minute"), (1, "second")];
    let seconds = seconds.max(0);
    let (length, unit) = UNITS.into_iter().find(|(length, _)| seconds >= *length).unwrap_or((1, "second"));
    let count = seconds / length;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A time, to the minute.
fn utc_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The names of these services, such as `S3` or `S3 and DynamoDB`.
pub(super) fn titles(services: &[GatewayService]) -> String {
    let titles: Vec<&str> = services.iter().map(|service| service.title()).collect();
    match titles.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What a message says if it has no room for the cautions.
pub(super) const NO_ROOM_FOR_CAUTIONS: &str = "The commands have side effects that do not fit into this card. Read them in \
                                               the message on the JSON topic.";

/// These cautions as sentences.
pub(super) fn cautions(cautions: &[CautionAbout]) -> Vec<String> {
    cautions.iter().map(|(each, services)| caution(*each, services)).collect()
}

// --- Lines about one group of alerts ---------------------------------------------------------------------------------

/// What is wrong and where; for a resolved group, how it was resolved.
pub(super) fn sentence(group: &Group<'_>) -> String {
    let service = titles(&group.services());
    let table = format!("{} in {}", plain(group.table_id()), plain(group.first().region()));
    match group.first().resolved_finding() {
        None => format!("{table} has no gateway route to {service}."),
        Some(resolved) => outcome(&resolved.resolution.reason, &table, &service),
    }
}

/// The group in one short line, for a list of several groups.
pub(super) fn short_line(group: &Group<'_>) -> String {
    format!("{} {}: {}", group.label(), plain(group.table_id()), titles(&group.services()))
}

/// The route table, with its name.
pub(super) fn table<'a>(group: &Group<'a>) -> Line<'a> {
    let table = group.first().route_table();
    let main = if table.main { " (main)" } else { "" };
    Line::with(format!("Route table: {}{main}", plain(&table.id)), table.name.as_deref())
}

/// What has changed since the last alert, and since when the problem is known. Empty without an alert history.
pub(super) fn change<'a>(group: &Group<'a>) -> Vec<Line<'a>> {
    let (news, since) = match group.first() {
        Alert::Reported(_) => return Vec::new(),
        Alert::Open { change, since, .. } => {
            let news = match change {
                OpenChange::Opened => return vec![format!("New: first seen {}.", utc_time(*since)).into()],
                OpenChange::Worsened => {
                    "Worse than in the last alert: a higher severity, or subnets that were not affected before."
                        .to_owned()
                }
                OpenChange::Changed => "Changed since the last alert: something else is missing now.".to_owned(),
                OpenChange::Reminder => "Reminder: this problem still exists.".to_owned(),
            };
            (news, since)
        }
        Alert::Resolved(ResolvedFinding { since, resolution, .. }) => {
            (format!("The problem existed for {}.", duration(resolution.open_seconds)), since)
        }
    };
    vec![news.into(), format!("Known since {}.", utc_time(*since)).into()]
}

/// Why it matters: what is missing, and where the traffic goes instead. Empty for a resolved group.
pub(super) fn why_it_matters<'a>(group: &Group<'a>) -> Vec<Line<'a>> {
    if group.is_resolved() {
        return Vec::new();
    }
    let missing = (group.open_findings())
        .flat_map(|finding| missing(finding.gap, finding.endpoint.as_ref(), finding.service.title()).lines);
    missing.chain(consequences(group)).chain(interface_endpoints(group)).map(Line::from).collect()
}

fn consequences(group: &Group<'_>) -> Vec<String> {
    let egress = group.first().egress();
    let target = egress.id.as_deref().map(plain);
    let has_interface = |alert: &&Alert| alert.open_finding().is_some_and(|f| f.interface_endpoint.is_some());
    let without_interface = services(group.alerts().filter(|alert| !has_interface(alert)));
    consequence(egress, target.as_deref(), group.subnets().len(), &titles(&group.services()), &without_interface).lines
}

fn interface_endpoints(group: &Group<'_>) -> Vec<String> {
    let no_other_way = group.first().egress().kind == TargetKind::None && !group.subnets().is_empty();
    (group.open_findings())
        .filter_map(|finding| {
            let id = plain(&finding.interface_endpoint.as_ref()?.id);
            let service = finding.service.title();
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

/// A subnet, with its name.
pub(super) fn subnet(subnet: &SubnetRef) -> Line<'_> {
    let facts = [Some(&subnet.id), subnet.availability_zone.as_ref(), subnet.cidr.as_ref()];
    let facts: Vec<String> = facts.into_iter().flatten().map(|fact| plain(fact)).collect();
    Line::with(facts.join(" "), subnet.name.as_deref())
}

// --- Lines about the whole message -----------------------------------------------------------------------------------

/// VPC, Region and account.
pub(super) fn location<'a>(message: &AlertGroup<'a>) -> Vec<Line<'a>> {
    let mut lines = vec![
        Line::with(format!("VPC: {}", plain(message.vpc_id)), message.vpc_name),
        format!("Region: {}", plain(message.region)).into(),
    ];
    if !message.account.is_empty() {
        lines.push(format!("Account: {}", plain(message.account)).into());
    }
    lines
}

/// What started the check; for an API call, who made it and when.
pub(super) fn what_happened<'a>(message: &AlertGroup<'a>) -> Vec<Line<'a>> {
    let mut lines = match message.trigger {
        None => return Vec::new(),
        Some(Trigger::ApiCall { event_name, event_time, principal, on_behalf_of, invoked_by, .. }) => {
            let when = event_time.as_deref().map(|time| match time.parse::<Timestamp>() {
                Ok(time) => format!("When: {}", utc_time(time)).into(),
                Err(_) => Line::with("When:", Some(time)),
            });
            let who = principal.as_deref().map(|principal| Line::with("Who:", Some(principal)));
            let through = invoked_by.as_deref().map(|service| Line::with("Through AWS service:", Some(service)));
            let person = (on_behalf_of.as_ref())
                .map(|user| Line::with("On behalf of Identity Center user:", Some(user.user_id.as_str())));
            let call = Line::with("API call:", Some(event_name.as_str()));
            [Some(call), when, who, person, through].into_iter().flatten().collect()
        }
        Some(Trigger::ConfigItem) => vec!["AWS Config recorded a change.".into()],
        Some(Trigger::Schedule) => {
            vec!["The scheduled sweep found this. It does not know which change caused it.".into()]
        }
        Some(Trigger::Manual) => vec!["Somebody started this check by hand.".into()],
    };
    if message.trigger_count > 1 {
        lines.push(format!("This is the newest of {} events that affect the VPC.", message.trigger_count).into());
    }
    lines
}

/// A warning that the alert may be a repetition. `None` unless the alert history is unavailable.
pub(super) fn caveat(message: &AlertGroup<'_>) -> Option<&'static str> {
    (message.history == HistoryState::Unavailable)
        .then_some("The alert history is not available: this alert may be a repetition.")
}

/// The first line of a message: what is wrong and where.
pub(super) fn first_line(message: &AlertGroup<'_>, groups: &[Group<'_>]) -> String {
    if let [group] = groups {
        return format!("{}: {}", group.label(), sentence(group));
    }
    let place = format!("{} in {}", plain(message.vpc_id), plain(message.region));
    let resolved = match message.resolved().count() {
        0 => String::new(),
        1 => " 1 other problem is resolved.".to_owned(),
        n => format!(" {n} other problems are resolved."),
    };
    let open = services(message.open());
    if open.is_empty() {
        return format!(
            "{}: {} problems with gateway routes of {place} are resolved.",
            message.label(),
            message.alerts.len()
        );
    }
    let tables = counted(tables(message.open()).len(), "route table");
    format!("{}: no gateway route to {} from {tables} of {place}.{resolved}", message.label(), titles(&open))
}

/// Severity, problem and location for a subject or title. Contains only ids and our own words.
///
/// Leaves out details until the text has at most `max` bytes. The shortest form may still be longer.
pub(super) fn headline(message: &AlertGroup<'_>, part: Option<(usize, usize)>, max: usize) -> String {
    let (label, region) = (message.label(), plain(message.region));
    let all_resolved = message.open_severity().is_none();
    let changes: BTreeSet<Change> = message.open().map(Alert::change).collect();
    let what = match changes.first() {
        None => "Gateway route",
        Some(Change::Worsened) if changes.len() == 1 => "Worse: no gateway route",
        Some(Change::Changed) if changes.len() == 1 => "Changed: no gateway route",
        // The last change in the order: with a reminder first, there is nothing else.
        Some(Change::Reminder) => "Still no gateway route",
        Some(_) => "No gateway route",
    };
    let (services, tables) = if all_resolved {
        (services(message.resolved()), tables(message.resolved()))
    } else {
        (services(message.open()), tables(message.open()))
    };
    let to = format!(" to {}", titles(&services));
    let within = format!(" in {}", plain(message.vpc_id));
    let one_table = tables.len() == 1;
    let on = if one_table { tables.into_iter().map(plain).collect() } else { counted(tables.len(), "route table") };
    let resolved = match message.resolved().count() {
        0 => String::new(),
        _ if all_resolved => String::new(),
        n => format!(", {n} resolved"),
    };
    let part = part.map_or(String::new(), |(index, count)| format!(" (part {index} of {count})"));
    let render = |to: &str, within: &str| format!("[{label}] {what}{to}: {on}{within}, {region}{resolved}{part}");
    // The id of one route table identifies its VPC, so the VPC may be left out first. A number of tables does not.
    let shorter =
        if one_table { [(to.as_str(), ""), ("", within.as_str())] } else { [("", within.as_str()), ("", "")] };
    let forms = [(to.as_str(), within.as_str())].into_iter().chain(shorter).map(|(to, within)| render(to, within));
    let forms: Vec<String> = forms.collect();
    let longest_that_fits = forms.iter().find(|text| text.len() <= max).or(forms.last());
    longest_that_fits.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alerts::alert::Resolution,
        checks::{finding::TableRef, gateway_endpoint::rule::evaluate, severity::Severity},
        network::{
            account::AccountRegion,
            model::{Endpoint, EndpointKind, Network},
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
            consequence(&egress, Some("x-1"), 2, "S3", &[GatewayService::S3]).lines
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
    fn each_caution_says_what_happens_and_to_which_service() {
        let s3 = |each| caution(each, &[GatewayService::S3]);
        let when = "Applications have to connect again, so choose a time when no critical task runs.";
        for (each, sentence) in [
            (Caution::ConnectionsClose, format!("Open connections to S3 close. {when}")),
            (
                Caution::ConnectionsCloseTwice,
                format!(
                    "Open connections to S3 close twice: when the table is removed from the endpoint, and when it is \
                     added again. {when}"
                ),
            ),
            (
                Caution::SourceIpConditions,
                "Requests to S3 will come from private addresses. Conditions on aws:SourceIp in bucket and identity \
                 policies stop matching; use aws:VpcSourceIp, aws:SourceVpc or aws:SourceVpce instead."
                    .to_owned(),
            ),
            (
                Caution::TrafficFilters,
                "Security groups and network ACLs must allow traffic to and from S3; gatewatch does not check them. A \
                 security group rule can name the prefix list of the service; a network ACL rule needs its address \
                 ranges."
                    .to_owned(),
            ),
            (
                Caution::OtherRegions,
                "Requests to buckets in other Regions do not go through the endpoint. They go the same way as today."
                    .to_owned(),
            ),
            (
                Caution::DefaultPolicy,
                "A new endpoint has the default policy, which allows every request to S3.".to_owned(),
            ),
            (
                Caution::DnsSupport,
                "If the VPC uses Amazon's DNS servers, its DNS support and DNS host names must be on; gatewatch does not \
                 check this."
                    .to_owned(),
            ),
        ] {
            assert_eq!(s3(each), sentence);
        }
        let both = [GatewayService::S3, GatewayService::DynamoDb];
        assert_eq!(
            caution(Caution::ConnectionsClose, &both),
            format!("Open connections to S3 and DynamoDB close. {when}")
        );
        for services in [&both[..], &both[1..]] {
            let sentence = caution(Caution::SourceIpConditions, services);
            assert!(sentence.contains("in resource and identity policies"), "{sentence}");
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
            service: GatewayService::DynamoDb,
            gap: Recorded::Known(Gap::NoEndpoint),
            worst_severity: Severity::High,
            account: "123456789012".into(),
            region: REGION.into(),
            vpc_id: VPC.into(),
            route_table: TableRef { id: "rtb-0000000a".into(), name: None, main: false },
            subnets: Vec::new(),
            egress: Target { kind: TargetKind::None, id: None },
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
            first_line(&message, &super::super::content::groups(&message)),
            "RESOLVED: rtb-0000000a in eu-west-1: the problem with DynamoDB is resolved."
        );
    }

    #[test]
    fn a_duration_is_in_the_largest_unit() {
        for (seconds, words) in [
            (-5, "0 seconds"),
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (3599, "59 minutes"),
            (3600, "1 hour"),
            (86_399, "23 hours"),
            (86_400, "1 day"),
            (3 * 86_400 + 5, "3 days"),
        ] {
            assert_eq!(duration(seconds), words);
        }
    }
}
