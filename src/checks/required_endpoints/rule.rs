//! Does every VPC have a private way to the services of `REQUIRED_INTERFACES`?
//!
//! | given a VPC with own subnets and a required service | then |
//! |---|---|
//! | an interface endpoint of the VPC for the service works or is being made, whoever owns it | in order |
//! | else the service is not known by any of its names: it is wrong, or the Region does not have it | not assessed: `fact_missing` |
//! | else something central serves its private names ([`crate::checks::central_names`]) | in order |
//! | else nobody can say whether something central does | not assessed, with the reason |
//! | none of these | `endpoint_missing`, `MEDIUM` |
//!
//! China names some services `cn.com.amazonaws.<region>.<service>`; there the service may have either name, and the problem
//! has the one that EC2 returns.
//!
//! An endpoint works or is being made in the states `available`, `partial`, `pending` and `pendingAcceptance`. A service
//! without private names cannot be served centrally by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    checks::{
        central_names::{Serving, serving},
        check::CheckName,
        endpoint_context::{Decided, Draft, EndpointContext, short_name},
        endpoint_problem::{
            Defect, EndpointCaution, EndpointFix, EndpointVerdict, Evidence, Subject, SubjectKind, Unassessed,
            UnassessedReason,
        },
        needed_facts::NeededFacts,
        severity::Severity,
    },
    network::{
        endpoint_facts::EndpointService,
        model::{Endpoint, EndpointKind, Subnet, Vpc},
    },
};

const CHECK: CheckName = CheckName::RequiredEndpoints;

/// Judges the VPCs of the selection.
pub fn evaluate(context: &EndpointContext<'_>, verdict: &mut EndpointVerdict) {
    let facts = context.input.facts;
    for (vpc, short) in missing(context) {
        let in_doubt = |name: &str, reason, ids: BTreeSet<String>| Unassessed {
            check: CHECK,
            subject: subject_of(vpc),
            service: name.to_owned(),
            vpc_id: Some(vpc.id.clone()),
            reason,
            in_doubt: ids.into_iter().collect(),
        };
        let names = service_names(context, short);
        let Some((name, service)) = names.iter().find_map(|name| facts.services.get_key_value(name)) else {
            for name in names {
                let unknown = in_doubt(&name, UnassessedReason::FactMissing, BTreeSet::new());
                context.add_doubt(unknown, vpc.exemption.as_deref(), verdict);
            }
            continue;
        };
        let central = if service.private_dns_names.is_empty() {
            Serving::NotServed
        } else {
            serving(facts.central_names.get(&vpc.id), &service.private_dns_names, name)
        };
        match central {
            Serving::Served => {}
            Serving::InDoubt(reason, ids) => {
                context.add_doubt(in_doubt(name, reason, ids), vpc.exemption.as_deref(), verdict);
            }
            Serving::NotServed => context.report(CHECK, draft(context, vpc, name, service), verdict),
        }
    }
}

/// Adds the facts that [`evaluate`] needs.
pub fn needs(context: &EndpointContext<'_>, needed: &mut NeededFacts) {
    for (vpc, short) in missing(context) {
        needed.services.extend(service_names(context, short));
        needed.central_names_of.insert(vpc.id.clone());
    }
}

/// The names that a service with this short name can have in the Region.
fn service_names(context: &EndpointContext<'_>, short: &str) -> Vec<String> {
    let region = &context.input.account_region.region;
    let common = format!("com.amazonaws.{region}.{short}");
    if region.starts_with("cn-") { vec![format!("cn.{common}"), common] } else { vec![common] }
}

/// The VPCs that have no interface endpoint for a required service, with the short name of the service.
fn missing<'a>(context: &EndpointContext<'a>) -> Vec<(&'a Vpc, &'a str)> {
    let input = context.input;
    if input.required_interfaces.is_empty() {
        return Vec::new();
    }
    let present: BTreeSet<(&str, &str)> = (input.network.endpoints.iter())
        .filter(|endpoint| endpoint.kind == EndpointKind::Interface && is_in_service(endpoint))
        .map(|endpoint| (endpoint.vpc_id.as_str(), short_name(&endpoint.service_name, &input.account_region.region)))
        .collect();
    let vpcs = context.selected_vpcs().into_iter().filter(|vpc| !context.subnets_of(&vpc.id).is_empty());
    vpcs.flat_map(|vpc| input.required_interfaces.iter().map(move |short| (vpc, short.as_str())))
        .filter(|(vpc, short)| !present.contains(&(vpc.id.as_str(), *short)))
        .collect()
}

fn is_in_service(endpoint: &Endpoint) -> bool {
    let state = endpoint.state.to_ascii_lowercase();
    ["available", "partial", "pending", "pendingacceptance"].contains(&state.as_str())
}

fn subject_of(vpc: &Vpc) -> Subject {
    Subject { kind: SubjectKind::Vpc, id: vpc.id.clone(), name: vpc.name.clone() }
}

fn draft<'a>(
    context: &EndpointContext<'a>,
    vpc: &'a Vpc,
    service_name: &'a str,
    service: &EndpointService,
) -> Draft<'a> {
    let subnets = context.subnets_of(&vpc.id);
    // One subnet per zone that the service offers. An endpoint has at most one subnet in each zone.
    let mut by_zone = BTreeMap::<&str, &str>::new();
    for subnet in subnets.iter().filter(|subnet| has_ipv4(subnet) && !context.is_subnet_exempt(subnet, CHECK)) {
        let offers =
            |zone: &&str| service.availability_zone_ids.is_empty() || service.availability_zone_ids.contains(*zone);
        if let Some(zone) = subnet.availability_zone_id.as_deref().filter(offers) {
            by_zone.entry(zone).or_insert(&subnet.id);
        }
    }
    let subnet_ids: BTreeSet<String> = by_zone.into_values().map(str::to_owned).collect();
    Draft {
        subject: subject_of(vpc),
        service: service_name,
        vpc_id: Some(&vpc.id),
        owner_id: subnets.iter().find_map(|subnet| subnet.owner_id.as_deref()),
        exemption: vpc.exemption.as_deref(),
        decided: Decided {
            defect: Defect::EndpointMissing,
            severity: Severity::Medium,
            subnets: subnets.to_vec(),
            evidence: Evidence::PrivateNames(service.private_dns_names.clone()),
            fix: EndpointFix::CreateInterfaceEndpoint {
                vpc_id: vpc.id.clone(),
                service_name: service_name.to_owned(),
                subnet_ids: subnet_ids.into_iter().collect(),
            },
            cautions: BTreeSet::from([EndpointCaution::GroupBeforePrivateDns, EndpointCaution::HourlyCharge]),
        },
    }
}

/// Whether the subnet has IPv4 addresses. EC2 refuses another subnet for a new endpoint, which has the address type `ipv4`
/// unless the call names one. A subnet without known blocks counts.
fn has_ipv4(subnet: &Subnet) -> bool {
    !subnet.ipv6_native && (subnet.blocks().next().is_none() || subnet.blocks().any(|block| block.contains('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::{
            endpoint_problem::{EndpointProblem, ExemptProblem, problem_id},
            endpoint_testing::{VPC, World, doubts, nothing_central, only},
            finding::SubnetRef,
        },
        network::{
            endpoint_facts::{CentralNames, OptionalRead},
            testing::{REGION, account_region, interface_endpoint, subnet, vpc},
        },
    };

    const SERVICE: &str = "com.amazonaws.eu-west-1.ssm";

    fn names() -> BTreeSet<String> {
        BTreeSet::from(["ssm.eu-west-1.amazonaws.com".to_owned()])
    }

    fn subnets() -> [Subnet; 4] {
        [
            ("subnet-0000000a", "euw1-az1"),
            ("subnet-0000000b", "euw1-az1"),
            ("subnet-0000000c", "euw1-az2"),
            ("subnet-0000000d", "euw1-az4"),
        ]
        .map(|(id, zone)| Subnet { availability_zone_id: Some(zone.into()), ..subnet(id, VPC) })
    }

    /// A VPC that needs `ssm`, which nothing central serves.
    fn world(endpoints: &[Endpoint]) -> World {
        let mut world = World::new(&subnets(), endpoints);
        world.required_interfaces = BTreeSet::from(["ssm".to_owned()]);
        let zones = ["euw1-az1", "euw1-az2", "euw1-az3"].map(str::to_owned);
        let service = EndpointService {
            availability_zone_ids: zones.into(),
            private_dns_names: names(),
            ..EndpointService::default()
        };
        world.facts.services.insert(SERVICE.into(), service);
        world.facts.central_names.insert(VPC.into(), nothing_central());
        world
    }

    fn subject() -> Subject {
        Subject { kind: SubjectKind::Vpc, id: VPC.into(), name: None }
    }

    fn expected() -> EndpointVerdict {
        only(EndpointProblem {
            id: problem_id(&account_region(), "123456789012", CHECK, VPC, SERVICE),
            check: CHECK,
            subject: subject(),
            service: SERVICE.into(),
            defect: Defect::EndpointMissing,
            severity: Severity::Medium,
            account: "123456789012".into(),
            region: REGION.into(),
            vpc_id: Some(VPC.into()),
            subnets: subnets().iter().map(SubnetRef::from).collect(),
            exemption: None,
            evidence: Evidence::PrivateNames(names()),
            fix: EndpointFix::CreateInterfaceEndpoint {
                vpc_id: VPC.into(),
                service_name: SERVICE.into(),
                subnet_ids: vec!["subnet-0000000a".into(), "subnet-0000000c".into()],
            },
            cautions: BTreeSet::from([EndpointCaution::GroupBeforePrivateDns, EndpointCaution::HourlyCharge]),
        })
    }

    fn in_doubt(reason: UnassessedReason) -> EndpointVerdict {
        doubts([Unassessed {
            check: CHECK,
            subject: subject(),
            service: SERVICE.into(),
            vpc_id: Some(VPC.into()),
            reason,
            in_doubt: Vec::new(),
        }])
    }

    #[test]
    fn a_vpc_without_a_required_endpoint_is_a_problem() {
        assert_eq!(world(&[]).verdict(evaluate), expected());
        let needed = NeededFacts {
            services: BTreeSet::from([SERVICE.to_owned()]),
            central_names_of: BTreeSet::from([VPC.to_owned()]),
            ..NeededFacts::default()
        };
        assert_eq!(world(&[]).needed(needs), needed);
        let mut nothing_required = world(&[]);
        nothing_required.required_interfaces.clear();
        assert_eq!(nothing_required.verdict(evaluate), EndpointVerdict::default());
        assert_eq!(nothing_required.needed(needs), NeededFacts::default());
    }

    #[test]
    fn an_endpoint_of_the_vpc_serves_it_whoever_owns_it() {
        let endpoint = interface_endpoint("vpce-0000000a", VPC, "ssm");
        let in_state = |state: &str| Endpoint { state: state.into(), ..endpoint.clone() };
        for (endpoint, serves) in [
            (endpoint.clone(), true),
            (Endpoint { requester_managed: true, private_dns_enabled: false, ..endpoint.clone() }, true),
            (Endpoint { owner_id: Some("210987654321".into()), ..endpoint.clone() }, true),
            (Endpoint { service_name: format!("cn.{SERVICE}").into(), ..endpoint.clone() }, true),
            (Endpoint { private_dns_enabled: false, ..endpoint.clone() }, true),
            (in_state("Pending"), true),
            (in_state("pendingAcceptance"), true),
            (in_state("failed"), false),
            (in_state("deleting"), false),
            (Endpoint { vpc_id: "vpc-0000000b".into(), ..endpoint.clone() }, false),
            (interface_endpoint("vpce-0000000a", VPC, "ssmmessages"), false),
        ] {
            let verdict = world(std::slice::from_ref(&endpoint)).verdict(evaluate);
            assert_eq!(verdict, if serves { EndpointVerdict::default() } else { expected() }, "{endpoint:?}");
        }
    }

    #[test]
    fn in_china_the_service_has_one_of_two_names() {
        const COMMON: &str = "com.amazonaws.cn-north-1.ssm";
        const CHINESE: &str = "cn.com.amazonaws.cn-north-1.ssm";
        let mut world = world(&[]);
        world.account_region.region = "cn-north-1".into();
        let service = world.facts.services.remove(SERVICE).unwrap();
        assert_eq!(world.needed(needs).services, BTreeSet::from([COMMON.to_owned(), CHINESE.to_owned()]));
        let unknown: Vec<String> =
            world.verdict(evaluate).unassessed.into_iter().map(|unassessed| unassessed.service).collect();
        assert_eq!(unknown, [CHINESE, COMMON], "an open finding with either name stays open");
        for name in [COMMON, CHINESE] {
            world.facts.services = [(name.to_owned(), service.clone())].into();
            let [problem] = world.verdict(evaluate).problems.try_into().unwrap();
            assert_eq!(problem.service, name);
            let EndpointFix::CreateInterfaceEndpoint { service_name, .. } = problem.fix else { panic!() };
            assert_eq!(service_name, name);
        }
    }

    #[test]
    fn an_unknown_service_is_not_assessed() {
        let mut world = world(&[]);
        world.facts.services.clear();
        assert_eq!(world.verdict(evaluate), in_doubt(UnassessedReason::FactMissing));
    }

    #[test]
    fn something_central_may_serve_it() {
        let mut world = world(&[]);
        let central = world.facts.central_names[VPC].clone();
        for (hosted_zones, verdict) in [
            (OptionalRead::Read(BTreeSet::from(["ssm.eu-west-1.amazonaws.com.".into()])), EndpointVerdict::default()),
            (OptionalRead::Denied, in_doubt(UnassessedReason::ReadDenied)),
            (OptionalRead::NotRead, in_doubt(UnassessedReason::FactMissing)),
        ] {
            world.facts.central_names.insert(VPC.into(), CentralNames { hosted_zones, ..central.clone() });
            assert_eq!(world.verdict(evaluate), verdict);
        }
        // A service without private names cannot be served by name.
        world.facts.services.get_mut(SERVICE).unwrap().private_dns_names.clear();
        assert_eq!(world.verdict(evaluate).problems.len(), 1);
    }

    /// A new endpoint has IPv4 addresses unless somebody asks for others.
    #[test]
    fn the_new_endpoint_is_in_no_subnet_without_ipv4() {
        let mut world = world(&[]);
        world.network.subnets[0].cidrs = vec!["2001:db8::/64".into()];
        world.network.subnets[1].cidrs = vec!["10.0.0.0/24".into(), "2001:db8:0:1::/64".into()];
        world.network.subnets[2].ipv6_native = true;
        let [problem] = world.verdict(evaluate).problems.try_into().unwrap();
        let EndpointFix::CreateInterfaceEndpoint { subnet_ids, .. } = problem.fix else { panic!() };
        assert_eq!(subnet_ids, ["subnet-0000000b"]);
    }

    #[test]
    fn a_vpc_without_own_subnets_needs_nothing() {
        let mut world = world(&[]);
        world.network.vpcs.push(vpc("vpc-0000000b"));
        assert_eq!(world.verdict(evaluate), expected());
        for subnet in &mut world.network.subnets {
            subnet.owner_id = Some("210987654321".into());
        }
        assert_eq!(world.verdict(evaluate), EndpointVerdict::default());
    }

    #[test]
    fn a_tag_exempts_the_vpc() {
        let mut world = world(&[]);
        world.network.vpcs = vec![Vpc { exemption: Some("required-endpoints".into()), ..vpc(VPC) }];
        let problem = ExemptProblem {
            check: CHECK,
            subject: subject(),
            service: SERVICE.into(),
            vpc_id: Some(VPC.into()),
            exempted_by: vec![VPC.into()],
        };
        let expected = EndpointVerdict { exempt: vec![problem], ..EndpointVerdict::default() };
        assert_eq!(world.verdict(evaluate), expected);
        world.facts.services.clear();
        assert_eq!(world.verdict(evaluate), expected, "nor can it be judged");
    }
}
