//! Every outcome occurs often. Otherwise the comparison proves little.

use std::collections::BTreeMap;

use gatewatch::checks::check::CheckName;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use super::{
    answer::{Facts, Outcome},
    naive, networks,
};

#[test]
fn the_generated_endpoints_have_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let networks = networks::case();
    let mut counts = BTreeMap::<String, u32>::new();
    for _ in 0..4_000 {
        let case = networks.new_tree(&mut runner).unwrap().current();
        for (check, _, _, outcome) in naive::evaluate(&case) {
            let word = match outcome {
                Outcome::Problem { defect, severity, facts: Facts::Gateway(gateway, uncovered), .. } => {
                    format!("{defect} {severity}, gateway {}, uncovered {}", gateway.is_some(), !uncovered.is_empty())
                }
                Outcome::Problem { defect, severity, .. } => format!("{defect} {severity}"),
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
        "endpoint-policy: default_policy HIGH",
        "endpoint-policy: default_policy LOW",
        "endpoint-policy: exempt by vpc",
        "endpoint-policy: exempt by vpce",
        "endpoint-policy: fact_missing",
        "endpoint-policy: open_policy HIGH",
        "endpoint-policy: open_policy MEDIUM",
        "endpoint-policy: policy_not_bounded_to_organization HIGH",
        "endpoint-policy: unreadable_policy",
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
        "private-api: associated_endpoint_gone MEDIUM",
        "private-api: endpoint_not_visible",
        "private-api: exempt by a1b2c3d4e8",
        "private-api: exempt by a1b2c3d4e9",
        "private-api: policy_without_source_vpc MEDIUM",
        "private-api: unreadable_policy",
        "required-endpoints: endpoint_missing MEDIUM",
        "required-endpoints: exempt by subnet",
        "required-endpoints: exempt by vpc",
        "required-endpoints: fact_missing",
        "required-endpoints: may_be_served_centrally",
        "required-endpoints: read_denied",
    ];
    let rare: Vec<_> =
        expected.iter().filter(|&&outcome| counts.get(outcome).is_none_or(|&times| times < 10)).collect();
    assert!(rare.is_empty(), "fewer than 10 times: {rare:?} of {counts:#?}");
    assert!(counts.keys().all(|word| CheckName::ALL.iter().any(|check| word.starts_with(check.name()))));
}

/// The policies concern the service of the endpoint, other services, and services that nobody knows.
#[test]
fn the_generated_statements_are_about_all_kinds_of_services() {
    let mut runner = TestRunner::deterministic();
    let networks = networks::case();
    let mut counts = BTreeMap::<String, u32>::new();
    for _ in 0..3_000 {
        let case = networks.new_tree(&mut runner).unwrap().current();
        for reach in case.network.endpoints.iter().flat_map(naive::reach_of_statements) {
            *counts.entry(reach).or_default() += 1;
        }
    }
    for effect in ["Allow", "Deny"] {
        for actions in ["No", "Perhaps", "Yes"] {
            for resources in ["No", "Perhaps", "Yes"] {
                let reach = format!("{effect}, all actions: {actions}, all resources: {resources}");
                assert!(counts.get(&reach).is_some_and(|&times| times >= 20), "{reach}: {counts:#?}");
            }
        }
    }
}
