//! A test oracle for the checks of endpoints: those that are on by default, `endpoint-zones` and `endpoint-private-dns`. [`naive`] implements them a second time, from their
//! conditions and with other means: it tries every address instead of computing with blocks.

mod naive;
mod networks;

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::{
    checks::{
        check::CheckName,
        endpoint_context::{EndpointContext, EndpointInput},
        endpoint_problem::{EndpointFix, EndpointVerdict, Evidence},
        list::{default_checks, evaluate_endpoints},
    },
    network::{
        endpoint_facts::{IngressRule, TrafficSource},
        selection::VpcSelection,
        service::GatewayService,
    },
};
use jiff::civil::Date;
use proptest::{
    prop_assert, prop_assert_eq,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use crate::seeds::runner;
use networks::Case;

/// Number of networks, unless `PROPTEST_CASES` gives another one.
const CASES: u32 = 4_000;

/// What the checks say about one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Problem {
        defect: String,
        severity: String,
        vpc: String,
        subnets: Vec<String>,
        /// The gateway endpoint and the uncovered tables of `dns-bypass`.
        gateway: Option<(Option<String>, Vec<String>)>,
    },
    Exempt {
        by: Vec<String>,
    },
    Unassessed {
        reason: String,
        in_doubt: Vec<String>,
    },
}

/// What the checks say, by check and endpoint.
type Answer = BTreeSet<(String, String, Outcome)>;

fn verdict(case: &Case) -> EndpointVerdict {
    let more = [CheckName::EndpointZones, CheckName::EndpointPrivateDns];
    verdict_of(case, &default_checks().into_iter().chain(more).collect())
}

fn verdict_of(case: &Case, checks: &BTreeSet<CheckName>) -> EndpointVerdict {
    let (year, month, day) = case.today;
    let required = BTreeSet::from(["ssm".to_owned()]);
    let is_required = |service: &GatewayService| case.route_table_services.contains(&service.name());
    let route_table_services = GatewayService::ALL.into_iter().filter(is_required).collect();
    let context = EndpointContext::new(EndpointInput {
        network: &case.network,
        facts: &case.facts,
        account_region: &case.account_region,
        vpcs: &VpcSelection::Region,
        checks_rest_apis: true,
        route_table_services: &route_table_services,
        required_interfaces: &required,
        organization_id: None,
        today: Date::new(year, month, day).unwrap(),
    });
    evaluate_endpoints(checks, &context)
}

fn of_the_rules(case: &Case) -> Answer {
    let verdict = verdict(case);
    let problems = verdict.problems.into_iter().map(|problem| {
        let gateway = match problem.evidence {
            Evidence::GatewayEndpoint { gateway_endpoint_id, uncovered_route_table_ids } => {
                Some((gateway_endpoint_id, uncovered_route_table_ids))
            }
            _ => None,
        };
        let outcome = Outcome::Problem {
            defect: problem.defect.name().to_owned(),
            severity: problem.severity.name().to_owned(),
            vpc: problem.vpc_id.unwrap(),
            subnets: problem.subnets.into_iter().map(|subnet| subnet.id).collect(),
            gateway,
        };
        (problem.check.name().to_owned(), problem.subject.id, outcome)
    });
    let exempt = verdict
        .exempt
        .into_iter()
        .map(|exempt| (exempt.check.name().to_owned(), exempt.subject.id, Outcome::Exempt { by: exempt.exempted_by }));
    let unassessed = verdict.unassessed.into_iter().map(|unassessed| {
        let outcome =
            Outcome::Unassessed { reason: unassessed.reason.name().to_owned(), in_doubt: unassessed.in_doubt };
        (unassessed.check.name().to_owned(), unassessed.subject.id, outcome)
    });
    problems.chain(exempt).chain(unassessed).collect()
}

#[test]
fn the_rules_agree_with_their_conditions_on_any_network() {
    let outcome = runner(CASES).run(&networks::case(), |case| {
        prop_assert_eq!(of_the_rules(&case), naive::evaluate(&case));
        Ok(())
    });
    outcome.unwrap_or_else(|disagreement| panic!("left: the rules, right: the conditions: {disagreement}"));
}

#[test]
fn the_order_of_the_ec2_response_does_not_change_the_verdict() {
    let outcome = runner(CASES / 4).run(&networks::case(), |case| {
        let mut reversed = case.clone();
        reversed.network.vpcs.reverse();
        reversed.network.subnets.reverse();
        reversed.network.route_tables.reverse();
        reversed.network.endpoints.reverse();
        for endpoint in &mut reversed.network.endpoints {
            endpoint.security_group_ids.reverse();
            endpoint.subnet_ids.reverse();
        }
        for group in reversed.facts.security_groups.values_mut() {
            group.ingress.reverse();
        }
        prop_assert_eq!(verdict(&case), verdict(&reversed));
        Ok(())
    });
    outcome.unwrap_or_else(|difference| panic!("{difference}"));
}

/// The fix of each problem, applied to the facts, removes the problem.
#[test]
fn the_fix_removes_the_problem() {
    let outcome = runner(CASES / 4).run(&networks::case(), |case| {
        for problem in verdict(&case).problems {
            let mut fixed = case.clone();
            match &problem.fix {
                EndpointFix::AuthorizeIngress { group_id, cidrs } => {
                    let sources = cidrs.iter().cloned().map(TrafficSource::Cidr).collect();
                    let rule =
                        IngressRule { protocol: "tcp".into(), from_port: Some(443), to_port: Some(443), sources };
                    fixed.facts.security_groups.get_mut(group_id).unwrap().ingress.push(rule);
                }
                EndpointFix::EnableVpcDnsSupport { vpc_id } => {
                    fixed.facts.vpc_dns.get_mut(vpc_id).unwrap().support = true;
                    // EC2 sets one attribute per call: the second problem appears once the first one is fixed.
                    fixed.facts.vpc_dns.get_mut(vpc_id).unwrap().host_names = true;
                }
                EndpointFix::EnableVpcDnsHostNames { vpc_id } => {
                    fixed.facts.vpc_dns.get_mut(vpc_id).unwrap().host_names = true;
                }
                EndpointFix::RestrictPrivateDns { endpoint_id, .. } => {
                    let endpoint = fixed.network.endpoints.iter_mut().find(|endpoint| endpoint.id == *endpoint_id);
                    endpoint.unwrap().private_dns_only_for_inbound_resolver = Some(true);
                }
                EndpointFix::AddSubnets { endpoint_id, subnet_ids } => {
                    let endpoint = fixed.network.endpoints.iter_mut().find(|endpoint| endpoint.id == *endpoint_id);
                    endpoint.unwrap().subnet_ids.extend(subnet_ids.clone());
                }
                EndpointFix::EnablePrivateDns { endpoint_id } => {
                    let endpoint = fixed.network.endpoints.iter_mut().find(|endpoint| endpoint.id == *endpoint_id);
                    endpoint.unwrap().private_dns_enabled = true;
                }
                EndpointFix::DeleteEndpoint { endpoint_id } => {
                    fixed.network.endpoints.retain(|endpoint| endpoint.id != *endpoint_id);
                }
                EndpointFix::AwaitAcceptance { .. } | EndpointFix::Inspect { .. } => continue,
                other => panic!("not a fix of these checks: {other:?}"),
            }
            prop_assert!(
                verdict(&fixed).problems.iter().all(|other| other.id != problem.id),
                "{:?} does not fix {:?}",
                problem.fix,
                problem
            );
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Each check says the same whether or not the others run.
#[test]
fn the_checks_do_not_depend_on_each_other() {
    let outcome = runner(CASES / 8).run(&networks::case(), |case| {
        let all = verdict_of(&case, &CheckName::ALL.into());
        for check in CheckName::ALL {
            let alone = verdict_of(&case, &BTreeSet::from([check]));
            let problems: Vec<_> = all.problems.iter().filter(|problem| problem.check == check).cloned().collect();
            prop_assert_eq!(alone.problems, problems);
            let exempt: Vec<_> = all.exempt.iter().filter(|exempt| exempt.check == check).cloned().collect();
            prop_assert_eq!(alone.exempt, exempt);
            let unassessed: BTreeSet<_> = all.unassessed.iter().filter(|doubt| doubt.check == check).cloned().collect();
            prop_assert_eq!(alone.unassessed, unassessed);
        }
        let ids: BTreeSet<&String> = all.problems.iter().map(|problem| &problem.id).collect();
        prop_assert_eq!(ids.len(), all.problems.len(), "every problem has its own id");
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn the_generated_endpoints_have_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let networks = networks::case();
    let mut counts = BTreeMap::<String, u32>::new();
    for _ in 0..4_000 {
        let case = networks.new_tree(&mut runner).unwrap().current();
        for (check, _, outcome) in naive::evaluate(&case) {
            let word = match outcome {
                Outcome::Problem { defect, severity, gateway, .. } => {
                    let gateway = gateway.map_or(String::new(), |(gateway, uncovered)| {
                        format!(", gateway {}, uncovered {}", gateway.is_some(), !uncovered.is_empty())
                    });
                    format!("{defect} {severity}{gateway}")
                }
                Outcome::Exempt { by } => {
                    format!("exempt by {}", by[0].split('-').next().unwrap())
                }
                Outcome::Unassessed { reason, .. } => reason,
            };
            *counts.entry(format!("{check}: {word}")).or_default() += 1;
        }
    }
    let expected = [
        "dns-bypass: exempt by subnet",
        "dns-bypass: exempt by vpc",
        "dns-bypass: exempt by vpce",
        "dns-bypass: private_dns_for_all_requests HIGH, gateway false, uncovered false",
        "dns-bypass: private_dns_for_all_requests HIGH, gateway false, uncovered true",
        "dns-bypass: private_dns_for_all_requests HIGH, gateway true, uncovered false",
        "dns-bypass: private_dns_for_all_requests HIGH, gateway true, uncovered true",
        "endpoint-access: default_group_only_members MEDIUM",
        "endpoint-access: exempt by subnet",
        "endpoint-access: exempt by vpc",
        "endpoint-access: exempt by vpce",
        "endpoint-access: fact_missing",
        "endpoint-access: group_not_visible",
        "endpoint-access: no_common_address_family",
        "endpoint-access: no_subnet_admitted HIGH",
        "endpoint-access: prefix_list",
        "endpoint-access: referenced_group",
        "endpoint-access: shared_subnet",
        "endpoint-access: some_subnets_not_admitted MEDIUM",
        "endpoint-access: unknown_value",
        "endpoint-dns: exempt by vpc",
        "endpoint-dns: fact_missing",
        "endpoint-dns: vpc_dns_host_names_off HIGH",
        "endpoint-dns: vpc_dns_support_off HIGH",
        "endpoint-private-dns: fact_missing",
        "endpoint-private-dns: may_be_served_centrally",
        "endpoint-private-dns: private_dns_off LOW",
        "endpoint-private-dns: read_denied",
        "endpoint-state: endpoint_expired MEDIUM",
        "endpoint-state: endpoint_failed MEDIUM",
        "endpoint-state: endpoint_partial MEDIUM",
        "endpoint-state: endpoint_pending_acceptance MEDIUM",
        "endpoint-state: endpoint_rejected MEDIUM",
        "endpoint-state: exempt by subnet",
        "endpoint-state: unknown_value",
        "endpoint-zones: exempt by subnet",
        "endpoint-zones: exempt by vpc",
        "endpoint-zones: exempt by vpce",
        "endpoint-zones: fact_missing",
        "endpoint-zones: single_zone MEDIUM",
        "endpoint-zones: zones_missing LOW",
    ];
    let rare: Vec<_> =
        expected.iter().filter(|&&outcome| counts.get(outcome).is_none_or(|&times| times < 10)).collect();
    assert!(rare.is_empty(), "fewer than 10 times: {rare:?} of {counts:#?}");
    assert!(counts.keys().all(|word| CheckName::ALL.iter().any(|check| word.starts_with(check.name()))));
}
