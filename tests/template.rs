//! The rules in `template.yaml` let through the relevant events, and no others.
// The helpers are test code too, but clippy recognises only functions under `#[test]`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use gatewatch::{
    checks::{
        check::CheckName,
        list::{CHECKS, actions_of, default_checks},
    },
    events::{aws_config::resource_types, cloudtrail::call_names},
    network::service::GatewayService,
};

const TEMPLATE: &str = include_str!("../template.yaml");

/// The text of the resource with this logical id.
fn resource(id: &str) -> String {
    let lines = TEMPLATE.lines().skip_while(|line| *line != format!("  {id}:")).skip(1);
    lines.take_while(|line| line.is_empty() || line.starts_with("   ")).collect::<Vec<_>>().join("\n")
}

/// The values of every list with this key: `key: [A, B]`, or one `- A` or `- !If [Condition, A, …]` per line. A member
/// that begins a map (`- A:`) ends the list.
fn lists(text: &str, key: &str) -> Vec<BTreeSet<String>> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    let heads = lines.iter().enumerate().filter(|(_, line)| line.starts_with(&format!("{key}:")));
    heads
        .map(|(n, head)| {
            let inline = head.split_once(": [").map(|(_, list)| list.trim_end_matches(']').split(", "));
            let items = lines[n + 1..].iter().map_while(|line| line.strip_prefix("- "));
            let items = items.take_while(|item| !item.ends_with(':')).map(|item| {
                let value = item.strip_prefix("!If [").and_then(|list| list.split(", ").nth(1));
                value.unwrap_or(item)
            });
            inline.map_or_else(|| items.map(str::to_owned).collect(), |list| list.map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn the_rules_let_through_exactly_the_relevant_calls() {
    let calls: BTreeSet<String> = (["ChangesRule", "ExemptionsRule"].iter())
        .flat_map(|rule| lists(&resource(rule), "eventName"))
        .flatten()
        .collect();
    assert_eq!(calls, call_names().map(str::to_owned).into());
}

#[test]
fn the_rule_lets_through_exactly_the_relevant_config_items() {
    let types = lists(&resource("ConfigItemsRule"), "resourceType");
    let expected: BTreeSet<String> = resource_types().map(str::to_owned).into();
    assert_eq!(types, [expected.clone(), expected], "complete items and summaries");
}

#[test]
fn the_parameter_allows_exactly_the_known_services() {
    let alternatives = TEMPLATE.lines().find_map(|line| line.trim().strip_prefix("AllowedPattern: ^(s3|")).unwrap();
    let pattern = format!("s3|{}", alternatives.split(')').next().unwrap());
    assert_eq!(
        pattern.split('|').map(str::to_owned).collect::<BTreeSet<_>>(),
        GatewayService::ALL.map(|service| service.name().to_owned()).into()
    );
}

#[test]
fn the_parameter_has_the_default_checks_and_allows_exactly_the_available_ones() {
    let lines = || TEMPLATE.lines().map(str::trim);
    let default = lines().find_map(|line| line.strip_prefix("Default: gateway-route,")).unwrap();
    let defaults: BTreeSet<&str> = default.split(',').chain(["gateway-route"]).collect();
    assert_eq!(defaults, default_checks().into_iter().map(CheckName::name).collect());

    let pattern = lines().find_map(|line| line.strip_prefix("AllowedPattern: ^(gateway-route|")).unwrap();
    let alternatives = format!("gateway-route|{}", pattern.split(')').next().unwrap());
    let available = CHECKS.iter().filter(|check| check.is_available).map(|check| check.name.name());
    assert_eq!(alternatives.split('|').collect::<Vec<_>>(), available.collect::<Vec<_>>());
    assert_eq!(pattern, format!("{}(,({alternatives}))*$", &format!("{alternatives})")["gateway-route|".len()..]));
}

#[test]
fn the_role_may_read_what_the_available_checks_need_and_nothing_else() {
    let granted: BTreeSet<String> =
        TEMPLATE.lines().filter_map(|line| line.trim().strip_prefix("- ec2:")).map(str::to_owned).collect();
    let available = CHECKS.iter().filter(|check| check.is_available).map(|check| check.name).collect();
    let of_checks = actions_of(&available).into_iter().map(|action| action.trim_start_matches("ec2:"));
    let of_all = [
        "DescribeNatGateways",
        "DescribeRouteTables",
        "DescribeSubnets",
        "DescribeVpcEndpoints",
        "DescribeVpcs",
        "GetManagedPrefixListEntries",
    ];
    assert_eq!(granted, of_all.into_iter().chain(of_checks).map(str::to_owned).collect());
}
