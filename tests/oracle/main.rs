//! A test oracle for the rule. [`naive`] implements the contract a second time and shares no code with the rule. Both
//! check thousands of generated networks and must give the same results.
//!
//! `PROPTEST_CASES=50000 cargo test --no-default-features --test oracle` runs more cases than the default. proptest
//! shrinks and prints a counterexample. Once its cause is known, it becomes a test of its own in [`regressions`].
// Clippy allows `unwrap` and `panic` only in functions under `#[test]`, but the helpers here are test code too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod answer;
mod endpoints;
mod naive;
mod networks;
mod regressions;
#[path = "../support/schemas.rs"]
#[allow(dead_code, reason = "the oracle sees only answers")]
mod schemas;
#[path = "../support/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;

use proptest::{
    prop_assert_eq,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use answer::{Answer, TableResult};
use networks::Case;
use seeds::runner;

/// Number of networks, unless `PROPTEST_CASES` gives another one.
const CASES: u32 = 2_000;

#[test]
fn the_rule_agrees_with_the_contract_on_any_network() {
    let outcome = runner(CASES).run(&networks::case(), |case| {
        prop_assert_eq!(answer::of_the_rule(&case), naive::evaluate(&case));
        Ok(())
    });
    outcome.unwrap_or_else(|disagreement| panic!("left: the rule, right: the contract: {disagreement}"));
}

/// "The same network gives the same bytes."
#[test]
fn the_order_of_the_ec2_response_does_not_change_the_report() {
    let outcome = runner(CASES).run(&networks::case(), |case| {
        prop_assert_eq!(answer::report(&case), answer::report(&reversed(&case)));
        Ok(())
    });
    outcome.unwrap_or_else(|difference| panic!("{difference}"));
}

fn reversed(case: &Case) -> Case {
    let mut case = case.clone();
    case.network.vpcs.reverse();
    case.network.subnets.reverse();
    case.network.route_tables.reverse();
    case.network.endpoints.reverse();
    for table in &mut case.network.route_tables {
        table.associations.reverse();
        table.routes.reverse();
    }
    for endpoint in &mut case.network.endpoints {
        endpoint.route_table_ids.reverse();
    }
    case
}

/// The comparison proves little if the generated networks are trivial. So every outcome must occur often enough. The
/// networks are the same in every run.
#[test]
fn the_generated_networks_have_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let networks = networks::case();
    let mut counts = BTreeMap::<String, u32>::new();
    for _ in 0..500 {
        let case = networks.new_tree(&mut runner).unwrap().current();
        for outcome in outcomes(&naive::evaluate(&case)) {
            *counts.entry(outcome).or_default() += 1;
        }
    }
    let expected = [
        "covered",
        "egress core_network",
        "egress egress_only_internet_gateway",
        "egress internet_gateway",
        "egress nat_gateway",
        "egress none",
        "egress vpc_endpoint",
        "exempt by its subnets",
        "exempt by its table",
        "exempt by its vpc",
        "exempt by its vpc and table",
        "gap endpoint_not_available",
        "gap no_endpoint",
        "gap not_associated",
        "gap route_inactive",
        "interface endpoint named",
        "severity HIGH",
        "severity LOW",
        "severity MEDIUM",
        "subnets, none",
        "subnets, several",
        "unassessed ipv6_only_subnet",
        "unassessed route_table_not_visible",
        "unassessed shared_subnet",
        "unchecked table",
        "unreadable exemption",
    ];
    let rare: Vec<_> =
        expected.iter().filter(|&&outcome| counts.get(outcome).is_none_or(|&times| times < 10)).collect();
    assert!(rare.is_empty(), "fewer than 10 times: {rare:?} of {counts:#?}");
}

/// The outcomes in an answer, by the names that `the_generated_networks_have_every_outcome` counts.
fn outcomes(answer: &Answer) -> Vec<String> {
    let mut outcomes = Vec::new();
    for result in answer.results.values() {
        match result {
            TableResult::Covered => outcomes.push("covered".to_owned()),
            TableResult::Exempt { by } => {
                let kinds: Vec<_> = by.iter().map(|id| id.split('-').next().unwrap_or_default()).collect();
                let by = match (kinds.contains(&"vpc"), kinds.contains(&"rtb")) {
                    (true, true) => "vpc and table",
                    (true, false) => "vpc",
                    (false, true) => "table",
                    (false, false) => "subnets",
                };
                outcomes.push(format!("exempt by its {by}"));
            }
            TableResult::Finding(finding) => {
                outcomes.push(format!("gap {}", finding.gap));
                outcomes.push(format!("severity {}", finding.severity));
                outcomes.push(format!("egress {}", finding.egress.0));
                if finding.interface_endpoint.is_some() {
                    outcomes.push("interface endpoint named".to_owned());
                }
                match finding.subnets.len() {
                    0 => outcomes.push("subnets, none".to_owned()),
                    1 => {}
                    _ => outcomes.push("subnets, several".to_owned()),
                }
            }
        }
    }
    outcomes.extend(answer.unchecked.iter().map(|_| "unchecked table".to_owned()));
    outcomes.extend(answer.unassessed.iter().map(|(_, reason)| format!("unassessed {reason}")));
    outcomes.extend(answer.unreadable.iter().map(|_| "unreadable exemption".to_owned()));
    outcomes
}
