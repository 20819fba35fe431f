//! A test oracle for the checks of endpoints, VPCs and REST APIs. [`naive`] implements them a second time, from their
//! conditions and with other means: it tries every address instead of computing with blocks, and strangers instead of
//! comparing patterns of policies.

mod answer;
mod fixes;
mod groups;
mod naive;
mod networks;
mod outcomes;
mod policies;
mod rest_apis;
mod services;
mod strangers;

use std::collections::BTreeSet;

use gatewatch::{
    checks::{
        check::CheckName,
        endpoint_context::{EndpointContext, EndpointInput},
        endpoint_problem::EndpointVerdict,
        list::evaluate_endpoints,
        severity::Severity,
    },
    network::{selection::VpcSelection, service::GatewayService},
};
use jiff::civil::Date;
use proptest::prop_assert_eq;

use crate::seeds::runner;
use answer::of_the_rules;
use networks::Case;

/// Number of networks, unless `PROPTEST_CASES` gives another one.
const CASES: u32 = 4_000;

fn verdict(case: &Case) -> EndpointVerdict {
    verdict_of(case, &CheckName::ALL.into())
}

fn verdict_of(case: &Case, checks: &BTreeSet<CheckName>) -> EndpointVerdict {
    let (year, month, day) = case.today;
    let required = case.required_interfaces.iter().map(|&short| short.to_owned()).collect();
    let is_required = |service: &GatewayService| case.route_table_services.contains(&service.name());
    let route_table_services = GatewayService::ALL.into_iter().filter(is_required).collect();
    let context = EndpointContext::new(EndpointInput {
        network: &case.network,
        facts: &case.facts,
        account_region: &case.account_region,
        vpcs: &VpcSelection::Region,
        checks_rest_apis: true,
        route_table_services: &route_table_services,
        min_severity: Severity::Low,
        required_interfaces: &required,
        organization_id: case.organization_id,
        today: Date::new(year, month, day).unwrap(),
    });
    evaluate_endpoints(checks, &context)
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
        if let Some(apis) = &mut reversed.facts.rest_apis {
            apis.apis.reverse();
            for api in &mut apis.apis {
                api.vpc_endpoint_ids.reverse();
            }
        }
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
