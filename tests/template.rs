//! The rules in `template.yaml` let through the relevant events, and no others. The parameters allow what the settings
//! allow, and the role has the permissions of the checks that run.
// The helpers are test code too, but clippy recognises only functions under `#[test]`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use gatewatch::{
    checks::{
        check::CheckName,
        list::{actions_of, default_checks},
    },
    events::{
        aws_config::resource_types,
        cloudtrail::{API_GATEWAY_CALLS, ec2_calls},
    },
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
    let calls = |rules: &[&str]| -> BTreeSet<String> {
        rules.iter().flat_map(|rule| lists(&resource(rule), "eventName")).flatten().collect()
    };
    assert_eq!(calls(&["ChangesRule", "ExemptionsRule"]), ec2_calls().map(str::to_owned).into());
    assert_eq!(calls(&["RestApisRule"]), API_GATEWAY_CALLS.map(str::to_owned).into());
}

#[test]
fn the_rule_lets_through_exactly_the_relevant_config_items() {
    let types = lists(&resource("ConfigItemsRule"), "resourceType");
    let expected: BTreeSet<String> = resource_types().map(str::to_owned).into();
    assert_eq!(types, [expected.clone(), expected], "complete items and summaries");
}

/// The rules that a queue policy lets send.
fn senders(policy: &str) -> BTreeSet<String> {
    let text = resource(policy);
    let rules = text.split("!GetAtt ").skip(1).filter_map(|rest| rest.split_once(".Arn").map(|(rule, _)| rule));
    rules.filter(|rule| rule.ends_with("Rule")).map(str::to_owned).collect()
}

#[test]
fn each_rule_may_send_to_its_queues() {
    let rules = TEMPLATE.lines().filter_map(|line| line.strip_prefix("  ").and_then(|line| line.strip_suffix("Rule:")));
    let rules: BTreeSet<String> =
        rules.filter(|name| !name.starts_with(' ')).map(|name| format!("{name}Rule")).collect();
    assert_eq!(senders("DeliveryDeadLetterQueuePolicy"), rules);
    let without_sweep: BTreeSet<String> = rules.into_iter().filter(|rule| rule != "SweepRule").collect();
    assert_eq!(senders("ChangesQueuePolicy"), without_sweep);
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

/// The value of this line in the parameter `Checks`.
fn of_checks(key: &str) -> String {
    let parameter = resource("Checks");
    parameter.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: "))).unwrap().to_owned()
}

#[test]
fn the_parameter_allows_exactly_the_checks() {
    let names = CheckName::ALL.map(CheckName::name).join("|");
    assert_eq!(of_checks("AllowedPattern"), format!("^({names})(,({names}))*$"));
}

#[test]
fn the_parameter_writes_the_default_checks_out() {
    let default: Vec<&str> =
        CheckName::ALL.into_iter().filter(|name| default_checks().contains(name)).map(CheckName::name).collect();
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

/// The actions of the role's statements, each with the conditions of the template that it depends on.
fn granted_actions() -> Vec<(String, Vec<String>)> {
    let role = resource("FunctionRole");
    let mut actions = Vec::new();
    let (mut of_statement, mut in_list) = (Vec::new(), false);
    for line in role.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let item = line.strip_prefix("- ").unwrap_or(line);
        if line == "- !If" {
            of_statement = vec![String::new()];
        } else if of_statement == [String::new()] {
            of_statement = vec![item.to_owned()];
        } else if let Some(list) = line.strip_prefix("Action: [") {
            actions.extend(list.trim_end_matches(']').split(", ").map(|one| (one.to_owned(), of_statement.clone())));
        } else if let Some(action) = line.strip_prefix("Action:") {
            in_list = action.is_empty();
            let one = Some(action.trim()).filter(|one| !one.is_empty());
            actions.extend(one.map(|one| (one.to_owned(), of_statement.clone())));
        } else if line == "- !Ref AWS::NoValue" {
            of_statement.clear();
        } else if in_list && line.starts_with("- ") {
            let conditional = item.strip_prefix("!If [").and_then(|rest| rest.strip_suffix(", !Ref AWS::NoValue]"));
            let (condition, action) = conditional.and_then(|rest| rest.split_once(", ")).unzip();
            let conditions = of_statement.iter().cloned().chain(condition.map(str::to_owned)).collect();
            actions.push((action.unwrap_or(item).to_owned(), conditions));
        } else {
            in_list = false;
        }
    }
    actions
}

#[test]
fn the_role_reads_exactly_what_the_checks_need() {
    const ALWAYS: [&str; 6] = [
        "ec2:DescribeNatGateways",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcEndpoints",
        "ec2:DescribeVpcs",
        "ec2:GetManagedPrefixListEntries",
    ];
    // What the function does with its findings and its queue.
    const OTHER_SERVICES: [&str; 5] = ["dynamodb:", "kms:", "logs:", "sns:", "sqs:"];
    let granted = granted_actions();
    for subset in 1..1_u32 << CheckName::ALL.len() {
        let checks: BTreeSet<CheckName> = (CheckName::ALL.into_iter().enumerate())
            .filter(|(n, _)| subset >> n & 1 == 1)
            .map(|(_, name)| name)
            .collect();
        let reads: BTreeSet<&str> = (granted.iter())
            .filter(|(_, conditions)| {
                conditions.iter().filter(|name| *name != "HasLedger").all(|name| holds(name, &checks))
            })
            .map(|(action, _)| action.as_str())
            .filter(|action| *action != "sts:AssumeRole")
            .filter(|action| !OTHER_SERVICES.iter().any(|service| action.starts_with(service)))
            .collect();
        let needed: BTreeSet<&str> = actions_of(&checks).into_iter().chain(ALWAYS).collect();
        assert_eq!(reads, needed, "with {checks:?}");
    }
}
