//! A second opinion. [`naive`] judges a network from the contract's words alone, and shares no code with the rule. Here
//! both judge thousands of generated networks, and must say the same.
//!
//! `PROPTEST_CASES=50000 cargo test --no-default-features --test oracle` looks longer than the default. A counterexample
//! is shrunk and printed whole. Once understood, it becomes a test of its own in [`by_hand`].
// All of this is test code, helpers included; clippy knows only functions under `#[test]` as such.
#![allow(clippy::unwrap_used, clippy::panic)]

mod answer;
mod by_hand;
mod naive;
mod networks;
#[path = "../support/schemas.rs"]
#[allow(dead_code, reason = "the oracle sees answers only")]
mod schemas;

use std::collections::BTreeMap;

use proptest::{
    prop_assert_eq,
    strategy::{Strategy, ValueTree},
    test_runner::{Config, TestRunner},
};

use answer::{Answer, Judgement};
use networks::Case;

/// How many networks are judged where `PROPTEST_CASES` says nothing.
const CASES: u32 = 2_000;

/// A runner that stores nothing: a counterexample is kept as a named test instead.
fn runner() -> TestRunner {
    // The default has read the variable already.
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { CASES };
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn the_rule_and_the_contract_agree_on_any_network() {
    let outcome = runner().run(&networks::case(), |case| {
        prop_assert_eq!(answer::of_the_rule(&case), naive::judge(&case));
        Ok(())
    });
    outcome.unwrap_or_else(|disagreement| panic!("left the rule, right the contract: {disagreement}"));
}

/// "Lists are sorted by id, so the same network always gives the same bytes."
#[test]
fn the_order_in_which_ec2_lists_things_changes_nothing() {
    let outcome = runner().run(&networks::case(), |case| {
        prop_assert_eq!(answer::report(&case), answer::report(&backwards(&case)));
        Ok(())
    });
    outcome.unwrap_or_else(|difference| panic!("{difference}"));
}

fn backwards(case: &Case) -> Case {
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

/// Agreement says little where nothing happens. So every outcome must come up, on the same networks in every run.
#[test]
fn every_outcome_comes_up() {
    let mut runner = TestRunner::deterministic();
    let networks = networks::case();
    let mut seen = BTreeMap::<String, u32>::new();
    for _ in 0..500 {
        let case = networks.new_tree(&mut runner).unwrap().current();
        for outcome in outcomes(&naive::judge(&case)) {
            *seen.entry(outcome).or_default() += 1;
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
    let rare: Vec<_> = expected.iter().filter(|&&outcome| seen.get(outcome).is_none_or(|&times| times < 10)).collect();
    assert!(rare.is_empty(), "hardly ever: {rare:?} of {seen:#?}");
}

/// What happened in an answer, by the names that `every_outcome_comes_up` counts.
fn outcomes(answer: &Answer) -> Vec<String> {
    let mut outcomes = Vec::new();
    for judgement in answer.judgements.values() {
        match judgement {
            Judgement::Covered => outcomes.push("covered".to_owned()),
            Judgement::Exempt { by } => {
                let kinds: Vec<_> = by.iter().map(|id| id.split('-').next().unwrap_or_default()).collect();
                let by = match (kinds.contains(&"vpc"), kinds.contains(&"rtb")) {
                    (true, true) => "vpc and table",
                    (true, false) => "vpc",
                    (false, true) => "table",
                    (false, false) => "subnets",
                };
                outcomes.push(format!("exempt by its {by}"));
            }
            Judgement::Finding(finding) => {
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
