//! Snapshots and limits of the messages about endpoints, VPCs and REST APIs.

use super::{
    limits::{card, section},
    snapshots::assert_snapshots,
    *,
};
use crate::{
    checks::{
        check::CheckName,
        endpoint_problem::{
            Defect, EndpointCaution, EndpointFix, EndpointProblem, Evidence, GroupEvidence, PolicySide,
        },
        fix::{self, Fix, RouteFix},
        subject::{Subject, SubjectKind},
        subnet_ref::SubnetRef,
    },
    messages::{chat, email, json::finding::NotifiedFinding},
    schemas::assert_notification,
};

const ENDPOINT: &str = "vpce-0a1b2c3d4e5f60007";
const S3: &str = "com.amazonaws.eu-west-1.s3";
const SSM: &str = "com.amazonaws.eu-west-1.ssm";

fn texts<C: FromIterator<String>>(texts: &[&str]) -> C {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// A problem of [`ENDPOINT`] that affects these subnets of [`private`].
fn problem(check: CheckName, defect: Defect, service: &str, subnets: usize) -> EndpointProblem {
    EndpointProblem {
        id: format!("{:064x}", 256 * (check as u32) + defect as u32),
        check,
        subject: Subject { kind: SubjectKind::VpcEndpoint, id: ENDPOINT.into(), name: Some("shared".into()) },
        service: service.into(),
        defect,
        severity: Severity::High,
        account: "123456789012".into(),
        region: REGION.into(),
        vpc_id: Some(VPC.into()),
        subnets: private(None).subnets.iter().take(subnets).map(Into::into).collect(),
        exemption: None,
        evidence: Evidence::PrivateNames(BTreeSet::new()),
        fix: EndpointFix::Inspect { endpoint_id: ENDPOINT.into() },
        cautions: BTreeSet::new(),
    }
}

/// A gateway endpoint, as a fix names it.
fn gateway(id: &str, state: &str) -> fix::Endpoint {
    fix::Endpoint { id: id.into(), state: state.into(), route_table_ids: Vec::new() }
}

fn dns_bypass(gateway: Option<&str>, uncovered: &[&str]) -> EndpointProblem {
    let mut cautions = BTreeSet::from([
        EndpointCaution::ClientFilters,
        EndpointCaution::SourceEndpointConditions,
        EndpointCaution::GatewayEndpointPolicy,
        EndpointCaution::InboundResolverNeeded,
    ]);
    match gateway {
        None => cautions.insert(EndpointCaution::GatewayEndpointFirst),
        Some(_) => !uncovered.is_empty() && cautions.insert(EndpointCaution::UncoveredTablesFirst),
    };
    EndpointProblem {
        evidence: Evidence::GatewayEndpoint {
            gateway_endpoint_id: gateway.map(str::to_owned),
            uncovered_route_table_ids: texts(uncovered),
        },
        fix: EndpointFix::RestrictPrivateDns {
            endpoint_id: ENDPOINT.into(),
            has_gateway_endpoint: gateway.is_some(),
            routes: (!uncovered.is_empty())
                .then(|| RouteFix {
                    fix: gateway.map_or(Fix::Create, |id| Fix::AddTable(self::gateway(id, "available"))),
                    route_table_ids: texts(uncovered),
                })
                .into_iter()
                .collect(),
        },
        cautions,
        ..problem(CheckName::DnsBypass, Defect::PrivateDnsForAllRequests, S3, 2)
    }
}

fn endpoint_dns(support: bool, host_names: bool) -> EndpointProblem {
    let vpc_id = VPC.to_owned();
    let (defect, fix, caution) = if support {
        (Defect::VpcDnsHostNamesOff, EndpointFix::EnableVpcDnsHostNames { vpc_id }, EndpointCaution::PublicHostNames)
    } else {
        (Defect::VpcDnsSupportOff, EndpointFix::EnableVpcDnsSupport { vpc_id }, EndpointCaution::NamesMoveToEndpoint)
    };
    EndpointProblem {
        evidence: Evidence::VpcDns { support, host_names },
        fix,
        cautions: [EndpointCaution::CustomDnsServers, caution].into(),
        ..problem(CheckName::EndpointDns, defect, SSM, 0)
    }
}

fn group(is_default: bool, cidrs: &[&str], groups: &[&str]) -> GroupEvidence {
    GroupEvidence {
        id: "sg-0a1b2c3d4e5f60001".into(),
        is_default,
        cidrs: texts(cidrs),
        group_ids: texts(groups),
        prefix_list_ids: Vec::new(),
    }
}

fn endpoint_access(defect: Defect, group: GroupEvidence, cidrs: &[&str]) -> EndpointProblem {
    EndpointProblem {
        fix: EndpointFix::AuthorizeIngress { group_id: group.id.clone(), port: 443, cidrs: texts(cidrs) },
        evidence: Evidence::SecurityGroups { ports: vec![443], groups: vec![group] },
        severity: if defect == Defect::NoSubnetAdmitted { Severity::High } else { Severity::Medium },
        cautions: [EndpointCaution::GroupIsShared, EndpointCaution::NetworkAcls].into(),
        ..problem(CheckName::EndpointAccess, defect, SSM, cidrs.len().min(2))
    }
}

fn no_subnet_admitted() -> EndpointProblem {
    endpoint_access(Defect::NoSubnetAdmitted, group(false, &[], &[]), &["10.0.1.0/24", "10.0.2.0/24"])
}

fn endpoint_state(state: &str, defect: Defect) -> EndpointProblem {
    let endpoint_id = ENDPOINT.to_owned();
    let (fix, cautions) = match defect {
        Defect::EndpointPartial => (EndpointFix::Inspect { endpoint_id }, BTreeSet::new()),
        Defect::EndpointPendingAcceptance => (EndpointFix::AwaitAcceptance { endpoint_id }, BTreeSet::new()),
        _ => (EndpointFix::DeleteEndpoint { endpoint_id }, BTreeSet::from([EndpointCaution::NewEndpointId])),
    };
    EndpointProblem {
        severity: Severity::Medium,
        evidence: Evidence::State {
            state: state.into(),
            last_error: (defect == Defect::EndpointFailed).then(|| "InvalidParameter: no free address".into()),
            failure_reason: None,
        },
        fix,
        cautions,
        ..problem(CheckName::EndpointState, defect, SSM, 0)
    }
}

fn of_the_other_checks() -> [(&'static str, EndpointProblem); 7] {
    let zones = |defect, endpoint: &[&str]| EndpointProblem {
        severity: Severity::Low,
        evidence: Evidence::Zones { endpoint: texts(endpoint), missing: texts(&["euw1-az3"]) },
        fix: EndpointFix::AddSubnets { endpoint_id: ENDPOINT.into(), subnet_ids: texts(&["subnet-0a1b2c3d4e5f60002"]) },
        cautions: [EndpointCaution::HourlyCharge].into(),
        ..problem(CheckName::EndpointZones, defect, SSM, 1)
    };
    let policy = |defect, resources| EndpointProblem {
        severity: Severity::Low,
        evidence: Evidence::Policy { principals: PolicySide::Open, resources, statements: texts(&["AllowAll", "#2"]) },
        fix: EndpointFix::ReviewPolicy { endpoint_id: ENDPOINT.into(), service: "s3".into() },
        cautions: [EndpointCaution::NarrowPolicy].into(),
        ..problem(CheckName::EndpointPolicy, defect, S3, 0)
    };
    let names = Evidence::PrivateNames(texts(&["ssm.eu-west-1.amazonaws.com"]));
    let private_dns = EndpointProblem {
        severity: Severity::Low,
        evidence: names.clone(),
        fix: EndpointFix::EnablePrivateDns { endpoint_id: ENDPOINT.into() },
        cautions: [EndpointCaution::NamesMoveToEndpoint, EndpointCaution::PrivateDnsMayBeRefused].into(),
        ..problem(CheckName::EndpointPrivateDns, Defect::PrivateDnsOff, SSM, 0)
    };
    let required = EndpointProblem {
        subject: Subject { kind: SubjectKind::Vpc, id: VPC.into(), name: Some("prod".into()) },
        severity: Severity::Medium,
        evidence: names,
        fix: EndpointFix::CreateInterfaceEndpoint {
            vpc_id: VPC.into(),
            service_name: SSM.into(),
            subnet_ids: texts(&["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]),
        },
        cautions: [EndpointCaution::GroupBeforePrivateDns, EndpointCaution::HourlyCharge].into(),
        ..problem(CheckName::RequiredEndpoints, Defect::EndpointMissing, SSM, 0)
    };
    let api = |defect, fix| EndpointProblem {
        subject: Subject { kind: SubjectKind::RestApi, id: "a1b2c3d4e5".into(), name: Some("orders".into()) },
        severity: Severity::Medium,
        vpc_id: None,
        evidence: Evidence::RestApi {
            endpoint_ids: texts(&[ENDPOINT]),
            gone_endpoint_ids: texts(&["vpce-0a1b2c3d4e5f6000f"]),
            has_source_condition: Some(defect != Defect::PolicyWithoutSourceVpc),
        },
        fix,
        cautions: [EndpointCaution::DeployApi].into(),
        ..problem(CheckName::PrivateApi, defect, "com.amazonaws.eu-west-1.execute-api", 0)
    };
    let api_id = || "a1b2c3d4e5".to_owned();
    let remove =
        EndpointFix::RemoveAssociatedEndpoints { api_id: api_id(), endpoint_ids: texts(&["vpce-0a1b2c3d4e5f6000f"]) };
    [
        ("endpoint-zones", zones(Defect::SingleZone, &["euw1-az1"])),
        ("endpoint-policy: default", policy(Defect::DefaultPolicy, PolicySide::Open)),
        ("endpoint-policy: not bounded", policy(Defect::PolicyNotBoundedToOrganization, PolicySide::Bounded)),
        ("endpoint-private-dns", private_dns),
        ("required-endpoints", required),
        ("private-api: gone", api(Defect::AssociatedEndpointGone, remove)),
        ("private-api: open", api(Defect::PolicyWithoutSourceVpc, EndpointFix::ReviewApiPolicy { api_id: api_id() })),
    ]
}

/// One problem with each defect.
fn of_each_defect() -> Vec<EndpointProblem> {
    let default_group = group(true, &[], &["sg-0a1b2c3d4e5f60001"]);
    let some = group(false, &["10.0.2.0/24", "2001:db8::/56"], &[]);
    let mut problems = vec![
        dns_bypass(Some("vpce-0a1b2c3d4e5f60009"), &[]),
        endpoint_dns(false, false),
        endpoint_dns(true, false),
        no_subnet_admitted(),
        endpoint_access(Defect::SomeSubnetsNotAdmitted, some, &["10.0.1.0/24"]),
        endpoint_access(Defect::DefaultGroupOnlyMembers, default_group, &["10.0.1.0/24", "2001:db8::/64"]),
        endpoint_state("failed", Defect::EndpointFailed),
        endpoint_state("rejected", Defect::EndpointRejected),
        endpoint_state("expired", Defect::EndpointExpired),
        endpoint_state("partial", Defect::EndpointPartial),
        endpoint_state("pendingAcceptance", Defect::EndpointPendingAcceptance),
    ];
    problems.extend(of_the_other_checks().map(|(_, problem)| problem));
    let zones = problems.iter().find(|problem| problem.defect == Defect::SingleZone).unwrap().clone();
    let policy = problems.iter().find(|problem| problem.defect == Defect::DefaultPolicy).unwrap().clone();
    problems.push(EndpointProblem { defect: Defect::ZonesMissing, ..zones });
    problems.push(EndpointProblem { defect: Defect::OpenPolicy, ..policy });
    problems
}

/// The group of one alert. A REST API is in no VPC.
fn group_of<'a>(trigger: &'a Trigger, alerts: &'a [Alert]) -> AlertGroup<'a> {
    let group = alert_group(trigger, alerts);
    let vpc_id = alerts[0].open_finding().map_or(VPC, |finding| finding.vpc_id.as_str());
    AlertGroup { vpc_id, vpc_name: group.vpc_name.filter(|_| !vpc_id.is_empty()), ..group }
}

fn assert_snapshots_of(name: &str, problems: &[(&str, EndpointProblem)]) {
    let alerts: Vec<[Alert; 1]> = problems.iter().map(|(_, problem)| [opened(problem.clone().into())]).collect();
    let scenarios: Vec<_> = (problems.iter().zip(&alerts))
        .map(|((title, _), alerts)| (*title, group_of(&Trigger::Schedule, alerts)))
        .collect();
    assert_snapshots(name, &scenarios);
}

#[test]
fn the_text_of_dns_bypass() {
    let gateway = Some("vpce-0a1b2c3d4e5f60009");
    assert_snapshots_of(
        "dns_bypass",
        &[
            ("with a gateway endpoint on all tables", dns_bypass(gateway, &[])),
            ("with a gateway endpoint on some tables", dns_bypass(gateway, &[TABLE])),
            ("without a gateway endpoint", dns_bypass(None, &[TABLE, "rtb-0a1b2c3d4e5f60005"])),
        ],
    );
}

#[test]
fn the_text_of_endpoint_dns() {
    assert_snapshots_of(
        "endpoint_dns",
        &[
            ("DNS support is off", endpoint_dns(false, true)),
            ("both are off", endpoint_dns(false, false)),
            ("DNS host names are off", endpoint_dns(true, false)),
        ],
    );
}

#[test]
fn the_text_of_endpoint_access() {
    let default_group = group(true, &[], &["sg-0a1b2c3d4e5f60001"]);
    let blocks: Vec<String> = (0..14).map(|n| format!("10.1.{n}.0/24")).collect();
    let some = group(false, &blocks.iter().map(String::as_str).collect::<Vec<_>>(), &["sg-0a1b2c3d4e5f60002"]);
    assert_snapshots_of(
        "endpoint_access",
        &[
            ("no subnet", no_subnet_admitted()),
            ("some subnets", endpoint_access(Defect::SomeSubnetsNotAdmitted, some, &["10.0.1.0/24"])),
            (
                "the default group",
                endpoint_access(Defect::DefaultGroupOnlyMembers, default_group, &["10.0.1.0/24", "2001:db8:0:1::/64"]),
            ),
        ],
    );
}

#[test]
fn the_text_of_endpoint_state() {
    assert_snapshots_of(
        "endpoint_state",
        &[
            ("failed", endpoint_state("failed", Defect::EndpointFailed)),
            ("rejected", endpoint_state("rejected", Defect::EndpointRejected)),
            ("expired", endpoint_state("expired", Defect::EndpointExpired)),
            ("partial", endpoint_state("partial", Defect::EndpointPartial)),
            ("pendingAcceptance", endpoint_state("pendingAcceptance", Defect::EndpointPendingAcceptance)),
        ],
    );
}

#[test]
fn the_text_of_the_checks_that_are_off_by_default() {
    assert_snapshots_of("other_checks", &of_the_other_checks());
}

#[test]
fn the_text_of_each_change_of_an_endpoint() {
    let finding = || Finding::from(no_subnet_admitted());
    let deleted = |reason| [resolved(finding(), reason)];
    let alerts = [
        ("reported", [Alert::Reported(finding())]),
        ("worsened", [alert(finding(), OpenChange::Worsened)]),
        ("changed", [alert(finding(), OpenChange::Changed)]),
        ("reminder", [alert(finding(), OpenChange::Reminder)]),
        ("fixed", deleted(ResolutionReason::Fixed)),
        ("exempt", deleted(ResolutionReason::Exempt)),
        ("the endpoint was deleted", deleted(ResolutionReason::EndpointDeleted)),
        ("the VPC was deleted", deleted(ResolutionReason::VpcDeleted)),
        ("the check is off", deleted(ResolutionReason::CheckOff)),
    ];
    let of_vpc = of_the_other_checks().into_iter().map(|(_, problem)| problem);
    let missing = of_vpc.filter(|problem| problem.check == CheckName::RequiredEndpoints);
    let not_required = missing.map(|problem| resolved(problem.into(), ResolutionReason::NotRequired));
    let alerts = alerts.into_iter().chain(not_required.map(|alert| ("not required", [alert]))).collect::<Vec<_>>();
    let call = api_call();
    let scenarios: Vec<_> = alerts.iter().map(|(name, alerts)| (*name, alert_group(&call, alerts))).collect();
    assert_snapshots("endpoint_changes", &scenarios);
}

#[test]
fn the_text_of_a_check_that_is_off() {
    let route = [resolved(finding(&private(Some(NAT))), ResolutionReason::CheckOff)];
    assert_snapshots("check_off", &[("gateway-route", alert_group(&Trigger::Schedule, &route))]);
}

#[test]
fn the_text_of_findings_of_several_checks() {
    let route = || opened(finding(&private(Some(NAT))));
    let bypass = || opened(dns_bypass(Some("vpce-0a1b2c3d4e5f60009"), &[]).into());
    let access = || opened(no_subnet_admitted().into());
    let gone = resolved(endpoint_dns(true, false).into(), ResolutionReason::Fixed);
    let with_route = [route(), bypass(), access(), gone.clone()];
    let all_resolved = [gone, resolved(finding(&private(Some(NAT))), ResolutionReason::Covered)];
    let call = api_call();
    assert_snapshots(
        "several_checks",
        &[
            ("a route table and two endpoints", alert_group(&call, &with_route)),
            ("all are resolved", alert_group(&call, &all_resolved)),
        ],
    );
}

/// The texts of a service with several ports, which shares a group with a service that has one of them.
#[test]
fn a_service_with_several_ports_is_described_with_all_of_them() {
    let access = |ports: &[u16]| {
        let mut problem = endpoint_access(Defect::NoSubnetAdmitted, group(false, &[], &[]), &["10.0.1.0/24"]);
        problem.evidence = Evidence::SecurityGroups { ports: ports.into(), groups: vec![group(false, &[], &[])] };
        problem.cautions.extend((ports.len() > 1).then_some(EndpointCaution::OneOfSeveralPorts));
        problem
    };
    let mut keyspaces = access(&[9142]);
    keyspaces.fix = EndpointFix::AuthorizeIngress {
        group_id: "sg-0a1b2c3d4e5f60001".into(),
        port: 9142,
        cidrs: texts(&["10.0.1.0/24"]),
    };
    let alerts = on_endpoints_of_their_own(&[access(&[443, 8443]), access(&[443]), keyspaces]);
    let body = email::messages(&group_of(&Trigger::Manual, &alerts)).remove(0).body;
    for text in [
        "for ssm in eu-west-1 admits no subnet of its VPC on port 443 or 8443.",
        "Security group sg-0a1b2c3d4e5f60001 admits on port 443 or 8443: nothing.",
        "- Clients of ssm can use one of several ports. Open the one that yours use.",
        "for ec2messages in eu-west-1 admits no subnet of its VPC on port 9142.",
        "'IpProtocol=tcp,FromPort=9142,ToPort=9142,IpRanges=[{CidrIp=10.0.1.0/24}]'",
    ] {
        assert_eq!(body.matches(text).count(), 1, "{text}\n{body}");
    }
    assert_eq!(body.matches("TO FIX IT\nThe command at 1 of 3 fixes this too.").count(), 1, "{body}");
}

/// A route that is not active comes back if its table is removed and added. As long as a gateway endpoint may become available,
/// nothing is to do.
#[test]
fn the_tables_get_their_route_in_the_way_that_gateway_route_advises() {
    let commands = |routes: &[(Fix, &str)]| {
        let routes = routes.iter().map(|(fix, table)| RouteFix { fix: fix.clone(), route_table_ids: texts(&[table]) });
        let fix = EndpointFix::RestrictPrivateDns {
            endpoint_id: ENDPOINT.into(),
            has_gateway_endpoint: true,
            routes: routes.collect(),
        };
        let alerts = [opened(EndpointProblem { fix, ..dns_bypass(None, &[]) }.into())];
        let body = email::messages(&group_of(&Trigger::Schedule, &alerts)).remove(0).body;
        section(&body, "TO FIX IT").join("\n")
    };
    let modify = |id: &str, change: &str| {
        format!("aws ec2 modify-vpc-endpoint --region eu-west-1 --vpc-endpoint-id {id} {change}")
    };
    let option = modify(ENDPOINT, "--dns-options PrivateDnsOnlyForInboundResolverEndpoint=true");
    let (a, b) = ("vpce-0a1b2c3d4e5f60001", "vpce-0a1b2c3d4e5f60002");
    let reattach = (Fix::ReattachTable(gateway(a, "available")), "rtb-0a1b2c3d");
    let replace =
        (Fix::Replace { failed: gateway(b, "failed"), available: Some(gateway(a, "available")) }, "rtb-0a1b2c3e");
    assert_eq!(
        commands(&[reattach.clone(), replace]),
        [
            modify(a, "--remove-route-table-ids rtb-0a1b2c3d"),
            modify(a, "--add-route-table-ids rtb-0a1b2c3d"),
            format!("aws ec2 delete-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids {b}"),
            modify(a, "--add-route-table-ids rtb-0a1b2c3e"),
            option.clone(),
        ]
        .join(" && ")
    );
    let failed = (Fix::Replace { failed: gateway(b, "failed"), available: None }, "rtb-0a1b2c3e");
    assert_eq!(
        commands(&[(Fix::Create, "rtb-0a1b2c3d"), failed]),
        [
            format!("aws ec2 delete-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids {b}"),
            format!(
                "aws ec2 create-vpc-endpoint --region eu-west-1 --vpc-endpoint-type Gateway --vpc-id {VPC} --service-name {S3} \
                 --route-table-ids rtb-0a1b2c3d rtb-0a1b2c3e"
            ),
            option,
        ]
        .join(" && "),
        "one new endpoint for all tables"
    );
    let wait = (Fix::Wait(gateway(b, "pending")), "rtb-0a1b2c3d");
    assert_eq!(
        commands(&[reattach, wait]),
        format!(
            "A gateway endpoint of the VPC has to become available first. To check its state:\n\
             aws ec2 describe-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids {b}"
        )
    );
}

/// An API whose policy was fixed may still name an endpoint that is gone.
#[test]
fn a_fixed_api_is_described_by_what_was_wrong_with_it() {
    let first_line = |defect| {
        let mut problem = problem(CheckName::PrivateApi, defect, "com.amazonaws.eu-west-1.execute-api", 0);
        problem.subject = Subject { kind: SubjectKind::RestApi, id: "a1b2c3d4e5".into(), name: None };
        problem.vpc_id = None;
        let alerts = [resolved(problem.into(), ResolutionReason::Fixed)];
        let body = email::messages(&group_of(&Trigger::Schedule, &alerts)).remove(0).body;
        body.lines().next().unwrap().to_owned()
    };
    assert_eq!(
        [Defect::PolicyWithoutSourceVpc, Defect::AssociatedEndpointGone].map(first_line),
        [
            "RESOLVED: a1b2c3d4e5 in eu-west-1 is not open to every VPC any more.",
            "RESOLVED: a1b2c3d4e5 in eu-west-1 names no missing endpoint any more.",
        ]
    );
}

/// Alerts about these problems, each opened on an endpoint and for a service of its own.
fn on_endpoints_of_their_own(problems: &[EndpointProblem]) -> Vec<Alert> {
    let services =
        ["ssm", "ssmmessages", "ec2messages", "ecr.api"].map(|name| format!("com.amazonaws.eu-west-1.{name}"));
    let on_own_endpoint = |(n, problem): (usize, &EndpointProblem)| {
        let mut problem = EndpointProblem { service: services[n].clone(), ..problem.clone() };
        problem.id = format!("{n:064x}");
        problem.subject.id = format!("vpce-0a1b2c3d4e5f6000{n}");
        problem.subject.name = None;
        opened(problem.into())
    };
    problems.iter().enumerate().map(on_own_endpoint).collect()
}

/// EC2 refuses a rule that exists, so a second command with the same block would fail.
#[test]
fn endpoints_with_one_security_group_share_a_command_with_the_blocks_of_all() {
    let access = |blocks: &[&str]| endpoint_access(Defect::NoSubnetAdmitted, group(false, &[], &[]), blocks);
    let mut other = access(&["10.0.9.0/24"]);
    other.fix = EndpointFix::AuthorizeIngress {
        group_id: "sg-0a1b2c3d4e5f60002".into(),
        port: 443,
        cidrs: texts(&["10.0.9.0/24"]),
    };
    let problems = [access(&["10.0.1.0/24", "10.0.2.0/24"]), other, access(&["10.0.2.0/24", "10.0.3.0/24"])];
    let alerts = on_endpoints_of_their_own(&problems);
    let trigger = Trigger::Manual;
    let message = group_of(&trigger, &alerts);

    let command = |group: &str, blocks: &str| {
        format!(
            "aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id {group} --ip-permissions \
             'IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{blocks}]'"
        )
    };
    let shared = command("sg-0a1b2c3d4e5f60001", "{CidrIp=10.0.1.0/24},{CidrIp=10.0.2.0/23}");
    let own = command("sg-0a1b2c3d4e5f60002", "{CidrIp=10.0.9.0/24}");
    let body = email::messages(&message).remove(0).body;
    let fixes: Vec<&str> = body.split("TO FIX IT\n").skip(1).map(|rest| rest.split("\n\n").next().unwrap()).collect();
    let there = "The command at 1 of 3 fixes this too. Read what stands above it first.";
    assert_eq!(fixes, [shared.as_str(), own.as_str(), there]);
    let caution = "Everything else that uses the security group gets the rule too.";
    assert_eq!(body.matches(caution).count(), 2, "once for each command");

    let steps = card(&chat::messages(&message).remove(0))["content"]["nextSteps"].clone();
    assert_eq!(steps[0], format!("Fix 2 endpoints: `{shared}`"));
    assert_eq!(steps[1], format!("Fix ssmmessages on vpce-0a1b2c3d4e5f60001: `{own}`"));
}

#[test]
fn endpoints_of_a_vpc_without_dns_share_a_command_and_its_cautions_name_all_services() {
    let problems = [endpoint_dns(false, true), endpoint_dns(false, true), endpoint_dns(false, true)];
    let alerts = on_endpoints_of_their_own(&problems);
    let trigger = Trigger::Manual;
    let body = email::messages(&group_of(&trigger, &alerts)).remove(0).body;
    assert_eq!(body.matches("aws ec2 modify-vpc-attribute").count(), 1, "{body}");
    let caution = "- The names of ssmmessages, ssm and ec2messages resolve to private addresses in the whole VPC";
    assert_eq!(body.matches(caution).count(), 1, "{body}");
}

#[test]
fn each_defect_has_every_text() {
    let problems = of_each_defect();
    let defects: BTreeSet<Defect> = problems.iter().map(|problem| problem.defect).collect();
    assert_eq!(defects, Defect::ALL.into());
    for problem in problems {
        let defect = problem.defect;
        let alerts = [opened(problem.into())];
        let group = group_of(&Trigger::Schedule, &alerts);
        for channel in Channel::ALL {
            let [message] = render(&group, channel).try_into().unwrap();
            if channel == Channel::Json {
                assert_notification(&serde_json::from_str(&message.body).unwrap());
            }
            assert_valid(channel, &group, &message);
        }
        let body = render(&group, Channel::Text).remove(0).body;
        for heading in ["WHY IT MATTERS", "TO FIX IT", "TO EXEMPT IT"] {
            assert!(!section(&body, heading).is_empty(), "{defect:?}: {heading}");
        }
        // Only a person can decide what a policy allows.
        let needs_a_person = [
            Defect::DefaultPolicy,
            Defect::OpenPolicy,
            Defect::PolicyNotBoundedToOrganization,
            Defect::PolicyWithoutSourceVpc,
        ];
        let has_command = section(&body, "TO FIX IT").iter().any(|line| line.starts_with("aws "));
        assert_eq!(has_command, !needs_a_person.contains(&defect), "{defect:?}");
        assert!(!body.contains("put-") && !body.contains("policy-document"), "no policy in a command: {body}");
    }
}

#[test]
fn the_json_of_an_endpoint_has_its_evidence_and_its_fix() {
    let finding =
        |problem: EndpointProblem| serde_json::to_value(NotifiedFinding::from(&opened(problem.into()))).unwrap();
    let subnet = json!({
        "id": "subnet-0a1b2c3d4e5f60001", "name": "app-a", "availabilityZone": "eu-west-1a", "cidr": "10.0.1.0/24"
    });
    let some = group(false, &["10.0.2.0/24"], &[]);
    let problem = endpoint_access(Defect::SomeSubnetsNotAdmitted, some, &["10.0.1.0/24"]);
    assert_eq!(
        finding(problem.clone()),
        json!({
            "id": problem.id,
            "check": "endpoint-access",
            "subject": {"type": "vpc_endpoint", "id": ENDPOINT, "name": "shared"},
            "service": SSM,
            "defect": "some_subnets_not_admitted",
            "severity": "MEDIUM",
            "account": "123456789012",
            "region": "eu-west-1",
            "vpcId": VPC,
            "subnets": [subnet],
            "evidence": {
                "ports": [443],
                "securityGroups": [{
                    "id": "sg-0a1b2c3d4e5f60001", "default": false, "cidrs": ["10.0.2.0/24"], "groupIds": [],
                    "prefixListIds": []
                }]
            },
            "reason": "VPC endpoint vpce-0a1b2c3d4e5f60007 for ssm does not admit 1 subnet of its VPC on port 443. Requests \
                       to ssm through the endpoint time out from the affected subnets. Security group \
                       sg-0a1b2c3d4e5f60001 admits on port 443: 10.0.2.0/24.",
            "remediation": {
                "awsCli": "aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id sg-0a1b2c3d4e5f60001 \
                           --ip-permissions 'IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{CidrIp=10.0.1.0/24}]'",
                "cloudFormation": "# In the AWS::EC2::SecurityGroup of sg-0a1b2c3d4e5f60001, add to \
                                   SecurityGroupIngress:\n- {IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: \
                                   \"10.0.1.0/24\"}\n",
                "terraform": "# Assumes that the aws_security_group of sg-0a1b2c3d4e5f60001 has no ingress blocks. If it \
                              does, add blocks there.\nresource \"aws_vpc_security_group_ingress_rule\" \
                              \"sg_0a1b2c3d4e5f60001_cidr_ipv4\" {\n  for_each          = toset([\"10.0.1.0/24\"])\n  \
                              security_group_id = \"sg-0a1b2c3d4e5f60001\"\n  ip_protocol       = \"tcp\"\n  from_port         \
                              = 443\n  to_port           = 443\n  cidr_ipv4         = each.value\n}\n",
                "cautions": [
                    "Everything else that uses the security group gets the rule too.",
                    "Network ACLs of the subnets must allow the traffic in both directions; gatewatch does not check them.",
                ],
            },
            "change": "opened",
            "since": "2026-11-20T10:00:00Z",
        })
    );
    let resolved = resolved(problem.into(), ResolutionReason::Fixed);
    let mut expected = serde_json::to_value(NotifiedFinding::from(&resolved)).unwrap();
    assert_eq!(
        (expected["evidence"].take(), expected["remediation"].take(), expected["resolution"].take()),
        (
            json!(null),
            json!({"awsCli": null, "cloudFormation": null, "terraform": null, "cautions": []}),
            json!({"cause": "fixed", "stoodSeconds": 3 * 86_400 + 7_200}),
        )
    );
}

#[test]
fn the_attributes_and_the_summary_name_the_checks() {
    let alerts = [
        opened(finding(&private(Some(NAT)))),
        opened(dns_bypass(None, &[]).into()),
        opened(no_subnet_admitted().into()),
        resolved(endpoint_dns(true, false).into(), ResolutionReason::Fixed),
    ];
    let [message] = render(&alert_group(&Trigger::Manual, &alerts), Channel::Json).try_into().unwrap();
    let list = |name, value: &str| Attribute { name, data_type: "String.Array", value: value.into() };
    assert_eq!(
        message.attributes[4..],
        [
            list("services", r#"["com.amazonaws.eu-west-1.s3","com.amazonaws.eu-west-1.ssm","s3"]"#),
            list("changes", r#"["opened","resolved"]"#),
            list("checks", r#"["dns-bypass","endpoint-access","endpoint-dns","gateway-route"]"#),
        ]
    );
    assert!(message.attributes.len() <= 10, "a subscription with raw delivery accepts ten");
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(
        body["summary"],
        json!(
            "vpc-0a1b2c3d4e5f60001 in eu-west-1: no gateway route to S3 on 1 route table; dns-bypass on 1 VPC endpoint; \
             endpoint-access on 1 VPC endpoint; resolved: endpoint-dns on 1 VPC endpoint"
        )
    );
}

/// Ids, blocks and service names that nobody may put into a command.
#[test]
fn malformed_text_is_in_no_command() {
    let hostile = "x; rm -rf / $(id) `id` '\n";
    for mut problem in of_each_defect() {
        let bad = || hostile.to_owned();
        match &mut problem.fix {
            EndpointFix::RestrictPrivateDns { endpoint_id: id, .. }
            | EndpointFix::DeleteEndpoint { endpoint_id: id }
            | EndpointFix::AwaitAcceptance { endpoint_id: id }
            | EndpointFix::Inspect { endpoint_id: id }
            | EndpointFix::AddSubnets { endpoint_id: id, .. }
            | EndpointFix::EnablePrivateDns { endpoint_id: id }
            | EndpointFix::EnableVpcDnsSupport { vpc_id: id }
            | EndpointFix::EnableVpcDnsHostNames { vpc_id: id }
            | EndpointFix::CreateInterfaceEndpoint { service_name: id, .. }
            | EndpointFix::RemoveAssociatedEndpoints { api_id: id, .. } => *id = bad(),
            EndpointFix::AuthorizeIngress { cidrs, .. } => cidrs.push(bad()),
            EndpointFix::ReviewPolicy { .. } | EndpointFix::ReviewApiPolicy { .. } => continue,
        }
        let alerts = [opened(problem.into())];
        let group = group_of(&Trigger::Schedule, &alerts);
        let body = render(&group, Channel::Text).remove(0).body;
        assert_eq!(
            section(&body, "TO FIX IT").last().unwrap(),
            &"There is no command, because an id is not a valid AWS id."
        );
        assert!(!body.contains("rm -rf"), "{body}");
        let json = serde_json::to_value(NotifiedFinding::from(&alerts[0])).unwrap();
        let none = json!({"awsCli": null, "cloudFormation": null, "terraform": null, "cautions": []});
        assert_eq!(json["remediation"], none);
    }
}

/// The lists that a fix holds are checked as well as its ids.
#[test]
fn malformed_lists_are_in_no_command() {
    let hostile = || vec!["10.0.0.0/8'; rm -rf /".to_owned()];
    let restrict = |fix, route_table_ids| EndpointFix::RestrictPrivateDns {
        endpoint_id: ENDPOINT.into(),
        has_gateway_endpoint: true,
        routes: vec![RouteFix { fix, route_table_ids }],
    };
    let fixes = [
        restrict(Fix::Create, hostile()),
        restrict(Fix::AddTable(gateway("vpce-$(id)", "available")), texts(&["rtb-0a1b2c3d"])),
        EndpointFix::AuthorizeIngress { group_id: "sg-$(id)".into(), port: 443, cidrs: texts(&["10.0.0.0/8"]) },
        EndpointFix::AuthorizeIngress { group_id: "sg-0a1b2c3d".into(), port: 443, cidrs: texts(&["10.0.0.0/33"]) },
        EndpointFix::AuthorizeIngress { group_id: "sg-0a1b2c3d".into(), port: 443, cidrs: texts(&["10.0.0.0/+8"]) },
        EndpointFix::AuthorizeIngress { group_id: "sg-0a1b2c3d".into(), port: 443, cidrs: texts(&["2001:db8::/129"]) },
        EndpointFix::AuthorizeIngress { group_id: "sg-0a1b2c3d".into(), port: 443, cidrs: Vec::new() },
        EndpointFix::AddSubnets { endpoint_id: ENDPOINT.into(), subnet_ids: hostile() },
        EndpointFix::AddSubnets { endpoint_id: ENDPOINT.into(), subnet_ids: Vec::new() },
        EndpointFix::CreateInterfaceEndpoint { vpc_id: VPC.into(), service_name: SSM.into(), subnet_ids: hostile() },
        EndpointFix::RemoveAssociatedEndpoints { api_id: "a1b2c3d4e5".into(), endpoint_ids: hostile() },
    ];
    for fix in fixes {
        let alerts = [opened(EndpointProblem { fix: fix.clone(), ..dns_bypass(None, &[]) }.into())];
        let json = serde_json::to_value(NotifiedFinding::from(&alerts[0])).unwrap();
        assert_eq!(json["remediation"]["awsCli"], json!(null), "{fix:?}");
    }
}

#[test]
fn untrusted_text_of_endpoints_is_in_no_subject_and_no_command() {
    // The names and errors that an attacker could write, on every kind of subject.
    let with = |text: &str, mut problem: EndpointProblem| {
        problem.subject.name = Some(text.into());
        problem.subnets.iter_mut().for_each(|subnet| subnet.name = Some(text.into()));
        match &mut problem.evidence {
            Evidence::State { last_error, failure_reason, .. } => {
                (*last_error, *failure_reason) = (Some(text.into()), Some(text.into()));
            }
            Evidence::Policy { statements, .. } => *statements = vec![text.into(), text.into()],
            _ => {}
        }
        [opened(problem.into())]
    };
    for name in HOSTILE.into_iter().filter(|name| !name.trim().is_empty()) {
        for problem in of_each_defect() {
            let (hostile, benign) = (with(name, problem.clone()), with("benign", problem));
            let (hostile, benign) = (group_of(&Trigger::Manual, &hostile), group_of(&Trigger::Manual, &benign));
            let [hostile_text, benign_text] = [&hostile, &benign].map(|group| render(group, Channel::Text).remove(0));
            let commands = |message: &Message| -> Vec<String> {
                message.body.lines().filter(|line| line.starts_with("aws ")).map(str::to_owned).collect()
            };
            assert_eq!(hostile_text.subject, benign_text.subject);
            assert_eq!(hostile_text.attributes, benign_text.attributes);
            assert_eq!(commands(&hostile_text), commands(&benign_text));
            assert_eq!(hostile_text.body.lines().count(), benign_text.body.lines().count(), "{name:?} added a line");

            let [hostile_card, benign_card] =
                [&hostile, &benign].map(|group| card(&render(group, Channel::Chat).remove(0)));
            assert_eq!(hostile_card["metadata"], benign_card["metadata"]);
            for field in ["title", "nextSteps", "keywords"] {
                assert_eq!(hostile_card["content"][field], benign_card["content"][field]);
            }
            let description = hostile_card["content"]["description"].as_str().unwrap();
            for active in ["<", "@here", "@channel", "@U", "://", "\r"] {
                assert!(!description.contains(active), "{active} in {description}");
            }
            let reason = |group: &AlertGroup<'_>| {
                serde_json::to_value(NotifiedFinding::from(group.alerts[0])).unwrap()["reason"].clone()
            };
            assert_eq!(reason(&hostile), reason(&benign));
        }
    }
}

/// The fix for a VPC with many subnets and long names still fits into each message.
#[test]
fn a_finding_about_a_thousand_subnets_fits() {
    let blocks: Vec<String> = (0..1000).map(|n| format!("10.{}.{}.0/24", n / 250, n % 250)).collect();
    let mut problem = no_subnet_admitted();
    problem.fix = EndpointFix::AuthorizeIngress { group_id: "sg-0a1b2c3d4e5f60001".into(), port: 443, cidrs: blocks };
    problem.subnets = (0..1000)
        .map(|n| {
            let subnet = subnet(&format!("subnet-0a1b2c3d4e5f7{n:04}"), VPC);
            SubnetRef::from(&Subnet { name: Some("\u{200b}".repeat(256).into()), ..subnet })
        })
        .collect();
    let alerts = [opened(problem.into())];
    let group = alert_group(&Trigger::Schedule, &alerts);
    for channel in Channel::ALL {
        for message in render(&group, channel) {
            assert_valid(channel, &group, &message);
        }
    }
}

/// A service name comes from EC2. If an emulator or an error lets anything through, it must do no harm.
#[test]
fn a_hostile_service_name_does_no_harm() {
    let service = "com.evil\n<!here> `x` $(id)";
    let alerts = [opened(EndpointProblem { service: service.into(), ..no_subnet_admitted() }.into())];
    let group = alert_group(&Trigger::Manual, &alerts);
    for channel in Channel::ALL {
        let [message] = render(&group, channel).try_into().unwrap();
        assert_valid(channel, &group, &message);
        assert!(
            matches!(channel, Channel::Json | Channel::Events) || !message.body.contains("<!here>"),
            "{}",
            message.body
        );
    }
    let services = &group.attributes()[4];
    assert_eq!(serde_json::from_str::<Vec<String>>(&services.value).unwrap(), [service]);
}

#[test]
fn many_findings_about_endpoints_fit() {
    let longest = "`".repeat(256);
    let mut alerts = Vec::new();
    for n in 0..400 {
        let mut problem = no_subnet_admitted();
        problem.id = format!("{n:064}");
        problem.subject.id = format!("vpce-0a1b2c3d4e5f7{n:04}");
        problem.subject.name = Some(longest.clone());
        let fix_cidrs: Vec<String> = (0..100).map(|block| format!("10.0.{block}.0/24")).collect();
        problem.fix =
            EndpointFix::AuthorizeIngress { group_id: "sg-0a1b2c3d4e5f60001".into(), port: 443, cidrs: fix_cidrs };
        problem.evidence = Evidence::SecurityGroups {
            ports: vec![443],
            groups: (0..5)
                .map(|group| GroupEvidence {
                    id: format!("sg-0a1b2c3d4e5f6000{group}"),
                    is_default: false,
                    cidrs: (0..60).map(|block| format!("10.1.{block}.0/24")).collect(),
                    group_ids: Vec::new(),
                    prefix_list_ids: Vec::new(),
                })
                .collect(),
        };
        alerts.push(opened(problem.into()));
    }
    let group = alert_group(&Trigger::Schedule, &alerts);
    for channel in Channel::ALL {
        let messages = render(&group, channel);
        let ids: BTreeSet<String> = messages.iter().flat_map(|message| message.finding_ids.clone()).collect();
        assert_eq!(ids, group.finding_ids());
        // A card counts the rest, the bus gets one event for each finding, and the others get several parts.
        let count = match channel {
            Channel::Chat => 1..=1,
            Channel::Events => 400..=400,
            Channel::Json | Channel::Text => 2..=399,
        };
        assert!(count.contains(&messages.len()), "{channel:?}: {}", messages.len());
        for message in &messages {
            assert_valid(channel, &group, message);
        }
    }
}
