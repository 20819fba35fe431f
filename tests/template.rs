//! The rules in `template.yaml` let through the relevant events, and no others. The parameters allow what the settings
//! allow, and the role has the permissions of the checks that run.
// The helpers are test code too, but clippy recognises only functions under `#[test]`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use gatewatch::{
    checks::{
        check::CheckName,
        list::{CHECKS, actions_of, default_checks, is_available},
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

/// The available checks, in the order of the list.
fn available() -> Vec<CheckName> {
    CHECKS.into_iter().map(|check| check.name).filter(|name| is_available(*name)).collect()
}

/// The value of this line in the parameter `Checks`.
fn of_checks(key: &str) -> String {
    let parameter = resource("Checks");
    parameter.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: "))).unwrap().to_owned()
}

#[test]
fn the_parameter_allows_exactly_the_available_checks() {
    let names = available().into_iter().map(CheckName::name).collect::<Vec<_>>().join("|");
    assert_eq!(of_checks("AllowedPattern"), format!("^({names})(,({names}))*$"));
}

#[test]
fn the_parameter_writes_the_default_checks_out() {
    let default: Vec<&str> =
        available().into_iter().filter(|name| default_checks().contains(name)).map(CheckName::name).collect();
    assert_eq!(of_checks("Default"), default.join(","));
}

/// The conditions test whether a name is a part of the list. That is the same as being one of the names only then.
#[test]
fn no_name_of_a_check_is_a_part_of_another() {
    for name in CheckName::ALL {
        let others = CheckName::ALL.into_iter().filter(|other| *other != name);
        assert_eq!(others.filter(|other| other.name().contains(name.name())).collect::<Vec<_>>(), []);
    }
}

/// Whether a condition of the template holds if these checks run.
fn holds(condition: &str, checks: &BTreeSet<CheckName>) -> bool {
    let line = TEMPLATE.lines().find_map(|line| line.strip_prefix(&format!("  {condition}: "))).unwrap();
    if let Some(alternatives) = line.strip_prefix("!Or [") {
        let names = alternatives.trim_end_matches(']').split(", ");
        return names.map(|name| name.strip_prefix("!Condition ").unwrap()).any(|name| holds(name, checks));
    }
    let head = "!Not [!Equals [!Join [\"\", !Split [";
    let name = line.strip_prefix(head).and_then(|rest| rest.strip_suffix(", !Ref Checks]], !Ref Checks]]")).unwrap();
    checks.contains(&CheckName::from_name(name).unwrap())
}

#[test]
fn the_role_reads_exactly_what_the_checks_need() {
    let always = [
        "ec2:DescribeNatGateways",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcEndpoints",
        "ec2:DescribeVpcs",
        "ec2:GetManagedPrefixListEntries",
    ];
    let role = resource("FunctionRole");
    let (_, statement) = role.split_once("Sid: ReadNetwork").unwrap();
    let (actions, limits) = statement.split_once("Resource: \"*\"").unwrap();
    assert!(limits.trim_start().starts_with("Condition:\n"), "limited to the Region");
    let actions: Vec<&str> = actions.lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
    let available = available();
    for subset in 1..1_u32 << available.len() {
        let checks: BTreeSet<CheckName> =
            available.iter().enumerate().filter(|(n, _)| subset >> n & 1 == 1).map(|(_, name)| *name).collect();
        let granted: BTreeSet<&str> = (actions.iter())
            .filter_map(|action| match action.strip_prefix("!If [") {
                None => Some(*action),
                Some(rest) => {
                    let (condition, rest) = rest.split_once(", ").unwrap();
                    holds(condition, &checks).then(|| rest.strip_suffix(", !Ref AWS::NoValue]").unwrap())
                }
            })
            .collect();
        let needed: BTreeSet<&str> = actions_of(&checks).into_iter().chain(always).collect();
        assert_eq!(granted, needed, "with {checks:?}");
    }
    assert_eq!(role.matches("ec2:Describe").count(), 8, "no other statement lets the function read EC2");
}
