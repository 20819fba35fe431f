//! The templates of an organization's members, and the rules on the hub's bus, are equal to what the hub has for its own
//! account. `tests/local_cloud/test_organization_templates.py` compares what the templates resolve to.
// The helpers are test code too, but clippy recognises only functions under `#[test]`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use gatewatch::{
    checks::list::actions_of,
    error::Error,
    events::{
        aws_config::resource_types,
        cloudtrail::{API_GATEWAY_CALLS, ec2_calls},
    },
};

#[path = "support/template.rs"]
mod template;

use template::{ALWAYS, Template, lists, sets_of_checks};

const HUB: Template = Template(include_str!("../template.yaml"));
const ROLES: Template = Template(include_str!("../organization/roles.yaml"));
const RULES: Template = Template(include_str!("../organization/rules.yaml"));

/// The rules, without the word before their names.
const NAMES: [&str; 4] = ["ChangesRule", "ExemptionsRule", "RestApisRule", "ConfigItemsRule"];

/// The lines of the event pattern of a rule, without comments. A hub has the alert history, so what depends on that is in
/// the pattern.
fn pattern(template: Template, rule: &str) -> Vec<String> {
    let rule = template.resource(rule);
    let lines = rule.lines().skip_while(|line| line.trim() != "EventPattern:").skip(1);
    let lines = lines.take_while(|line| line.trim() != "Targets:").filter(|line| !line.trim().starts_with('#'));
    let pattern: Vec<String> =
        lines.map(|line| line.replace("!If [HasLedger, ", "").replace(", !Ref AWS::NoValue]", "")).collect();
    assert!(!pattern.is_empty());
    pattern
}

#[test]
fn the_rules_on_the_bus_of_the_hub_let_through_what_the_rules_of_its_own_account_do() {
    for name in NAMES {
        assert_eq!(pattern(HUB, &format!("Organization{name}")), pattern(HUB, name), "{name}");
    }
}

#[test]
fn a_member_forwards_exactly_what_the_hub_takes() {
    for name in NAMES {
        assert_eq!(pattern(RULES, name), pattern(HUB, name), "{name}");
    }
    let rules = RULES.0.lines().filter(|line| line.starts_with("  ") && line.ends_with("Rule:"));
    assert_eq!(rules.count(), NAMES.len());
}

#[test]
fn a_member_forwards_exactly_the_relevant_calls_and_items() {
    let calls = |rules: &[&str]| -> BTreeSet<String> {
        rules.iter().flat_map(|rule| lists(&RULES.resource(rule), "eventName")).flatten().collect()
    };
    assert_eq!(calls(&["ChangesRule", "ExemptionsRule"]), ec2_calls().map(str::to_owned).into());
    assert_eq!(calls(&["RestApisRule"]), API_GATEWAY_CALLS.map(str::to_owned).into());
    let types: BTreeSet<String> = resource_types().map(str::to_owned).into();
    assert_eq!(lists(&RULES.resource("ConfigItemsRule"), "resourceType"), [types.clone(), types]);
}

#[test]
fn the_role_of_a_member_reads_exactly_what_the_checks_need() {
    for checks in sets_of_checks() {
        let granted = ROLES.actions_with("ReadRole", &checks, &[]);
        let entered = ["sts:AssumeRole", "sts:SetSourceIdentity"];
        let needed: BTreeSet<&str> = actions_of(&checks).into_iter().chain(ALWAYS).chain(entered).collect();
        assert_eq!(granted.iter().map(String::as_str).collect::<BTreeSet<_>>(), needed, "with {checks:?}");
    }
}

/// An error that comes back with every attempt is not worth an attempt. Errors of Lambda itself are in the file too.
#[test]
fn the_scheduled_check_repeats_what_failed_unless_it_would_fail_again() {
    let sweep = include_str!("../organization/sweep.asl.json");
    let repeated = Error::TYPES.into_iter().filter(|name| sweep.contains(&format!("\"{name}\"")));
    let hopeless = ["ConfigError", "UnsupportedEvent"];
    let others = Error::TYPES.into_iter().filter(|name| !hopeless.contains(name));
    assert_eq!(repeated.collect::<Vec<_>>(), others.collect::<Vec<_>>());
}

/// A parameter that has the same name has the same values, so that the hub's own can be copied.
#[test]
fn the_members_accept_the_values_of_the_hub() {
    let lines = |template: Template, parameter: &str| -> Vec<String> {
        let text = template.resource(parameter);
        let kept = ["Type: ", "Default: ", "AllowedPattern: ", "AllowedValues: "];
        let lines = text.lines().map(str::trim).filter(|line| kept.iter().any(|key| line.starts_with(key)));
        lines.map(str::to_owned).collect()
    };
    for (template, parameters) in [(ROLES, &["Checks"][..]), (RULES, &["Checks", "ExemptTag", "ConfigItems"])] {
        for parameter in parameters {
            assert_eq!(lines(template, parameter), lines(HUB, parameter), "{parameter}");
            assert!(!lines(template, parameter).is_empty());
        }
    }
}
