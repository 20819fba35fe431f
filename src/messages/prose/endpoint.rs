//! The sentences about defects of endpoints, VPCs and REST APIs.

use crate::{
    alerts::{
        alert::ResolutionReason,
        recorded::{Recorded, RecordedDefect},
    },
    checks::{
        check::CheckName,
        endpoint_problem::{Defect, EndpointFix, Evidence, GroupEvidence, PolicySide},
        finding::{EndpointDefect, Finding},
        subject::{Subject, SubjectKind},
    },
    messages::{
        message::counted,
        service_name::title,
        untrusted_text::{Line, plain},
    },
    network::service::GatewayService,
};

/// The maximum number of ids in a line. People look the others up in the JSON.
const MAX_IDS: usize = 10;

/// What people call a kind of subject.
pub(super) fn kind_name(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::RouteTable => "Route table",
        SubjectKind::VpcEndpoint => "VPC endpoint",
        SubjectKind::Vpc => "VPC",
        SubjectKind::RestApi => "REST API",
    }
}

/// The subject, and the service if it is an endpoint: such as `vpce-0a1b2c3d for ssm`.
pub(super) fn named(subject: &Subject, service: &str) -> String {
    let id = plain(&subject.id);
    if subject.kind == SubjectKind::VpcEndpoint { format!("{id} for {}", title(service)) } else { id }
}

/// Why a finding matters, as sentences without tags and other untrusted text.
pub(super) fn reason(finding: &Finding, defect: &EndpointDefect) -> String {
    let subject = format!("{} {}", kind_name(finding.subject.kind), named(&finding.subject, &defect.service));
    let first = format!("{subject} {}.", what(finding, defect));
    let why = why_it_matters(finding, defect).into_iter().filter(|line| line.untrusted.is_none()).map(|line| line.text);
    [first].into_iter().chain(why).collect::<Vec<_>>().join(" ")
}

/// What is wrong, to follow the id of the subject.
pub(super) fn what(finding: &Finding, defect: &EndpointDefect) -> String {
    let service = title(&defect.service);
    let subnets = counted(finding.subnets.len(), "subnet");
    match defect.defect {
        Defect::PrivateDnsForAllRequests => {
            format!("attracts all traffic of its VPC to {service}, at a price per GB")
        }
        Defect::VpcDnsSupportOff => "is paid for and not used: DNS support of its VPC is off".to_owned(),
        Defect::VpcDnsHostNamesOff => "is paid for and not used: DNS host names of its VPC are off".to_owned(),
        Defect::NoSubnetAdmitted => format!("admits no subnet of its VPC on {}", ports(defect)),
        Defect::SomeSubnetsNotAdmitted => format!("does not admit {subnets} of its VPC on {}", ports(defect)),
        Defect::DefaultGroupOnlyMembers => {
            "has only the default security group, which admits only its own members".to_owned()
        }
        Defect::EndpointFailed => "has failed".to_owned(),
        Defect::EndpointRejected => "was rejected by the owner of the service".to_owned(),
        Defect::EndpointExpired => "has expired".to_owned(),
        Defect::EndpointPartial => "is only partly available".to_owned(),
        Defect::EndpointPendingAcceptance => "waits for its acceptance".to_owned(),
        Defect::ZonesMissing => match &defect.evidence {
            Evidence::Zones { missing, .. } => {
                format!("is not in {} that its VPC uses", counted(missing.len(), "zone"))
            }
            _ => "is not in all zones that its VPC uses".to_owned(),
        },
        Defect::SingleZone => match &defect.evidence {
            Evidence::Zones { endpoint, .. } if endpoint.is_empty() => "is in no zone".to_owned(),
            _ => "is in one zone only".to_owned(),
        },
        Defect::DefaultPolicy => "has the default policy, which allows everything".to_owned(),
        Defect::OpenPolicy => "has a policy that allows everything".to_owned(),
        Defect::PolicyNotBoundedToOrganization => "has a policy that is not bounded to the organization".to_owned(),
        Defect::PrivateDnsOff => "has no private DNS names".to_owned(),
        Defect::EndpointMissing => {
            format!("has no interface endpoint for {service}, which the settings require")
        }
        Defect::AssociatedEndpointGone => "names a VPC endpoint that does not exist".to_owned(),
        Defect::PolicyWithoutSourceVpc => "can be called from every VPC".to_owned(),
    }
}

/// A few words for a subject line, without ids.
pub(super) fn headline(defect: Defect, service: &str) -> String {
    match defect {
        Defect::PrivateDnsForAllRequests => format!("{service} traffic takes a paid endpoint"),
        Defect::VpcDnsSupportOff | Defect::VpcDnsHostNamesOff => format!("Endpoint for {service} not used"),
        Defect::NoSubnetAdmitted => format!("Endpoint for {service} admits no subnet"),
        Defect::SomeSubnetsNotAdmitted => format!("Endpoint for {service} does not admit all subnets"),
        Defect::DefaultGroupOnlyMembers => format!("Endpoint for {service} admits only its group"),
        Defect::EndpointFailed => format!("Endpoint for {service} failed"),
        Defect::EndpointRejected => format!("Endpoint for {service} rejected"),
        Defect::EndpointExpired => format!("Endpoint for {service} expired"),
        Defect::EndpointPartial => format!("Endpoint for {service} partly available"),
        Defect::EndpointPendingAcceptance => format!("Endpoint for {service} not accepted"),
        Defect::ZonesMissing => format!("Endpoint for {service} misses a zone"),
        Defect::SingleZone => format!("Endpoint for {service} in one zone"),
        Defect::DefaultPolicy | Defect::OpenPolicy => format!("Open policy of endpoint for {service}"),
        Defect::PolicyNotBoundedToOrganization => format!("Unbounded policy of endpoint for {service}"),
        Defect::PrivateDnsOff => format!("Endpoint for {service} without private DNS names"),
        Defect::EndpointMissing => format!("No endpoint for {service}"),
        Defect::AssociatedEndpointGone => "API names a missing endpoint".to_owned(),
        Defect::PolicyWithoutSourceVpc => "API open to every VPC".to_owned(),
    }
}

/// These ids in one line, such as `a, b and 3 more`.
fn list<'a>(ids: impl IntoIterator<Item = &'a String>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| plain(id)).collect();
    let shown = ids.iter().take(MAX_IDS).cloned().collect::<Vec<_>>().join(", ");
    match ids.len().saturating_sub(MAX_IDS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What happens to traffic and costs, and the facts that decided.
pub(super) fn why_it_matters<'a>(finding: &Finding, defect: &'a EndpointDefect) -> Vec<Line<'a>> {
    let service = title(&defect.service);
    match &defect.evidence {
        Evidence::GatewayEndpoint { gateway_endpoint_id, uncovered_route_table_ids } => {
            bypass(&service, gateway_endpoint_id.as_deref(), uncovered_route_table_ids)
        }
        Evidence::VpcDns { support, host_names } => dns(&service, *support, *host_names),
        Evidence::SecurityGroups { groups, .. } => access(defect, &service, groups),
        Evidence::State { state, last_error, failure_reason } => {
            let errors = [("Last error:", last_error), ("Reason of the failure:", failure_reason)];
            let shown = errors.into_iter().filter_map(|(label, text)| Some(Line::with(label, Some(text.as_deref()?))));
            (state_lines(defect.defect, &service, state).into_iter().map(Line::from)).chain(shown).collect()
        }
        Evidence::Zones { endpoint, missing } => vec![
            format!("The endpoint is in {}.", zones(endpoint)).into(),
            format!(
                "It is not in {}, although the VPC has subnets there and AWS offers the service there.",
                zones(missing)
            )
            .into(),
            "Requests from there cross a zone boundary.".into(),
            "If the zones of the endpoint fail, these subnets lose the service although their own zone works.".into(),
        ],
        Evidence::Policy { principals, resources, statements } => {
            policy(defect.defect, &service, *principals, *resources, statements)
        }
        Evidence::PrivateNames(names) => private_names(finding, &service, names),
        Evidence::RestApi { endpoint_ids, gone_endpoint_ids, .. } => {
            rest_api(finding, defect.defect, endpoint_ids, gone_endpoint_ids)
        }
    }
}

fn zones<'a>(zones: impl IntoIterator<Item = &'a String, IntoIter: ExactSizeIterator>) -> String {
    let zones = zones.into_iter();
    match zones.len() {
        0 => "no zone".to_owned(),
        1 => format!("zone {}", list(zones)),
        _ => format!("zones {}", list(zones)),
    }
}

fn bypass(service: &str, gateway: Option<&str>, uncovered: &[String]) -> Vec<Line<'static>> {
    let mut lines = vec![
        format!("The private DNS names of the endpoint answer for {service} in the whole VPC."),
        format!(
            "So requests of the VPC to {service} go through this endpoint, where AWS charges for every GB, even if every \
             route table has a gateway route. A gateway endpoint charges nothing."
        ),
    ];
    lines.push(gateway.map_or_else(
        || format!("The VPC has no available gateway endpoint for {service}. The fix needs one."),
        |id| format!("Gateway endpoint {} for {service} is in the VPC, but requests by name do not use it.", plain(id)),
    ));
    if !uncovered.is_empty() {
        let (tables, have) =
            (counted(uncovered.len(), "route table"), if uncovered.len() == 1 { "has" } else { "have" });
        lines.push(format!("{tables} in use {have} no gateway route to {service}: {}.", list(uncovered)));
    }
    lines.into_iter().map(Line::from).collect()
}

fn dns(service: &str, support: bool, host_names: bool) -> Vec<Line<'static>> {
    let mut lines = vec![
        "Private DNS names of endpoints work only while DNS support and DNS host names of the VPC are on.".to_owned(),
        format!(
            "If the VPC uses Amazon's DNS servers, requests to {service} by name do not use the endpoint: they take the \
             public way, or fail."
        ),
        "AWS charges for the endpoint by the hour all the same.".to_owned(),
    ];
    if !support && !host_names {
        lines.push("Both attributes are off. EC2 changes one at a time: DNS support comes first.".to_owned());
    }
    lines.into_iter().map(Line::from).collect()
}

/// The ports of the service, such as `port 443` or `port 443 or 8443`.
fn ports(defect: &EndpointDefect) -> String {
    let Evidence::SecurityGroups { ports, .. } = &defect.evidence else { return "the port of the service".to_owned() };
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    match ports.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("port {} or {last}", first.join(", ")),
        ports => format!("port {}", ports.concat()),
    }
}

fn access(defect: &EndpointDefect, service: &str, groups: &[GroupEvidence]) -> Vec<Line<'static>> {
    let mut lines = match defect.defect {
        Defect::DefaultGroupOnlyMembers => vec![
            "EC2 gives an endpoint the default security group of the VPC if nobody names another.".to_owned(),
            format!("Only network interfaces with that group reach {service} through the endpoint. Others time out."),
        ],
        Defect::NoSubnetAdmitted => vec![
            format!("Requests to {service} through the endpoint time out from every subnet of the VPC."),
            "AWS charges for the endpoint by the hour all the same.".to_owned(),
        ],
        _ => vec![format!("Requests to {service} through the endpoint time out from the affected subnets.")],
    };
    lines.extend(groups.iter().take(MAX_IDS).map(|group| {
        let sources = group.cidrs.iter().chain(&group.group_ids).chain(&group.prefix_list_ids);
        let admitted = if sources.clone().next().is_none() { "nothing".to_owned() } else { list(sources) };
        let default = if group.is_default { " (default)" } else { "" };
        format!("Security group {}{default} admits on {}: {admitted}.", plain(&group.id), ports(defect))
    }));
    lines.into_iter().map(Line::from).collect()
}

fn state_lines(defect: Defect, service: &str, state: &str) -> Vec<String> {
    let consequence = match defect {
        Defect::EndpointPartial => {
            format!("Some of its network interfaces do not work: requests to {service} may fail in some zones.")
        }
        Defect::EndpointPendingAcceptance => {
            format!("It carries no traffic to {service} until the owner of the service accepts the connection.")
        }
        _ => format!(
            "It carries no traffic and will not recover. If its names are in use, requests to {service} fail or take another \
             way."
        ),
    };
    vec![format!("The state of the endpoint is {}.", plain(state)), consequence]
}

fn policy<'a>(
    defect: Defect,
    service: &str,
    principals: PolicySide,
    resources: PolicySide,
    statements: &'a [String],
) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    if principals == PolicySide::Open {
        lines.push("Anybody with credentials of any account may send requests through the endpoint.".into());
    }
    if resources == PolicySide::Open {
        lines.push(
            format!(
                "Everything in {service} can be reached, also what belongs to other accounts: data can leave this way."
            )
            .into(),
        );
    }
    lines.push("This changes neither traffic nor cost.".into());
    let label = if defect == Defect::PolicyNotBoundedToOrganization {
        "Statement that names only other organizations:"
    } else {
        "Open statement:"
    };
    let shown = statements.iter().take(MAX_IDS).map(|name| Line::with(label, Some(name.as_str())));
    lines.extend(shown);
    lines
}

fn private_names<'a>(
    finding: &Finding,
    service: &str,
    names: impl IntoIterator<Item = &'a String>,
) -> Vec<Line<'static>> {
    let mut lines = vec![format!("Nothing in the VPC serves these names privately: {}.", list(names))];
    if finding.subject.kind == SubjectKind::Vpc {
        lines
            .push(format!("So requests to {service} take the public way, for example through a NAT gateway, or fail."));
    } else {
        lines.push(format!("So requests to {service} by its usual names do not use the endpoint."));
        lines.push("AWS charges for the endpoint by the hour all the same.".to_owned());
    }
    lines.into_iter().map(Line::from).collect()
}

/// The DNS names of a private API
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-api-test-invoke-url.html>).
struct ApiNames {
    /// In a VPC whose endpoint for `execute-api` has private DNS.
    private: String,
    /// Through an endpoint that the API names.
    associated: String,
    /// The name of an endpoint. The API is in a header.
    of_endpoint: String,
}

impl ApiNames {
    fn of(finding: &Finding) -> Self {
        let (api, region) = (plain(&finding.subject.id), plain(&finding.region));
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        Self {
            private: format!("{api}.execute-api.{region}.{suffix}"),
            associated: format!("{api}-(endpoint id).execute-api.{region}.{suffix}"),
            of_endpoint: format!("(endpoint DNS name).execute-api.{region}.vpce.{suffix}"),
        }
    }
}

fn rest_api(finding: &Finding, defect: Defect, existing: &[String], gone: &[String]) -> Vec<Line<'static>> {
    let ApiNames { private, associated, of_endpoint } = ApiNames::of(finding);
    let with_header = format!("{of_endpoint}, with the API in the header Host or x-apigw-api-id");
    let lines = if defect == Defect::AssociatedEndpointGone {
        let rest = if existing.is_empty() {
            "The API names no other endpoint.".to_owned()
        } else {
            format!("These endpoints of the API exist: {}.", list(existing))
        };
        vec![
            format!("These endpoints of the API do not exist: {}.", list(gone)),
            format!("Calls by a name with their ids fail: {associated}."),
            rest,
            format!(
                "Calls through other endpoints work as before: by {private}, if the endpoint has private DNS, or by \
                 {with_header}."
            ),
            "Removing the ids changes neither traffic nor cost.".to_owned(),
        ]
    } else {
        let open = [
            "Its resource policy allows requests without naming their VPC or endpoint (aws:SourceVpc, aws:SourceVpce)."
                .to_owned(),
            "So callers whom it allows may use every VPC with an endpoint for execute-api, also in other accounts."
                .to_owned(),
            format!("Callers use one of these names: {private}; {associated}; or {with_header}."),
            "A condition changes neither the way of the traffic nor the cost: it refuses calls from other VPCs."
                .to_owned(),
        ];
        let missing = format!("These endpoints of the API do not exist: {}. Remove them as well.", list(gone));
        open.into_iter().chain((!gone.is_empty()).then_some(missing)).collect()
    };
    lines.into_iter().map(Line::from).collect()
}

/// What a person has to do if no command fixes the finding.
pub(super) fn review(fix: &EndpointFix) -> Vec<String> {
    match fix {
        EndpointFix::ReviewPolicy { service, .. } => vec![
            "There is no command: a person has to decide what the policy allows.".to_owned(),
            format!(
                "AWS publishes policies with the usual bounds. See the folder vpc_endpoint_policies for {} in \
                 github.com/aws-samples/data-perimeter-policy-examples",
                title(service)
            ),
        ],
        EndpointFix::ReviewApiPolicy { .. } => vec![
            "There is no command: a person has to decide which VPCs may call the API.".to_owned(),
            "Add a condition on aws:SourceVpc or aws:SourceVpce to its resource policy, and deploy the API.".to_owned(),
        ],
        _ => Vec::new(),
    }
}

/// What stands above a command that only describes the endpoint.
pub(super) fn wait(fix: &EndpointFix) -> &'static str {
    match fix {
        EndpointFix::AwaitAcceptance { .. } => {
            "The owner of the service has to accept the connection. To check the state of the endpoint:"
        }
        EndpointFix::RestrictPrivateDns { .. } => {
            "A gateway endpoint of the VPC has to become available first. To check its state:"
        }
        _ => "To see which network interface is missing:",
    }
}

/// How a problem was resolved.
pub(super) fn outcome(
    reason: &Recorded<ResolutionReason>,
    subject: &Subject,
    named: &str,
    problem: &RecordedDefect,
) -> String {
    let (check, service) = (problem.check, &title(&problem.service));
    match reason {
        Recorded::Known(ResolutionReason::Fixed) => fixed(named, problem, service),
        Recorded::Known(ResolutionReason::Exempt) => {
            format!("{named} is exempt now from the check {}.", check.name())
        }
        Recorded::Known(ResolutionReason::NotRequired) => {
            format!("{named} does not need a private way to {service} any more. It may have none.")
        }
        Recorded::Known(ResolutionReason::EndpointDeleted | ResolutionReason::ApiDeleted) => {
            format!("{named} was deleted. This ends the problem that {} found.", check.name())
        }
        Recorded::Known(ResolutionReason::VpcDeleted) => {
            let with_vpc = if subject.kind == SubjectKind::Vpc { "" } else { " with its VPC" };
            format!("{named} was deleted{with_vpc}. This ends the problem that {} found.", check.name())
        }
        Recorded::Known(ResolutionReason::CheckOff) => check_off(named, check),
        _ => format!("{named}: the problem that {} found is resolved.", check.name()),
    }
}

/// The sentence if the settings turned a check off.
pub(super) fn check_off(named: &str, check: CheckName) -> String {
    format!("{named}: the check {} is off now. Nobody knows whether the problem still exists.", check.name())
}

fn fixed(named: &str, problem: &RecordedDefect, service: &str) -> String {
    match problem.check {
        CheckName::DnsBypass => format!("{named} does not attract all traffic of its VPC to {service} any more."),
        CheckName::EndpointDns => {
            format!("{named}: its VPC has the DNS attributes that its private DNS names need, or it has no such names.")
        }
        CheckName::EndpointAccess => format!("{named} admits the subnets of its VPC."),
        CheckName::EndpointState => {
            let works = format!("{named} is in a state in which it works, or on the way there.");
            let is_gateway_service = GatewayService::ALL.iter().any(|gateway| gateway.title() == service);
            let elsewhere = " If not, a finding about a route table names it.";
            if is_gateway_service { works + elsewhere } else { works }
        }
        CheckName::EndpointZones => format!("{named} is in every zone that its VPC uses and {service} offers."),
        CheckName::EndpointPolicy => format!("{named} has a policy with bounds."),
        CheckName::EndpointPrivateDns => format!("{named}: its VPC reaches {service} by its usual names privately."),
        CheckName::RequiredEndpoints => format!("{named} reaches {service} privately."),
        CheckName::PrivateApi => match problem.defect {
            Recorded::Known(Defect::PolicyWithoutSourceVpc) => format!("{named} is not open to every VPC any more."),
            _ => format!("{named} names no missing endpoint any more."),
        },
        CheckName::GatewayRoute => format!("{named} has a gateway route to {service} again."),
    }
}
