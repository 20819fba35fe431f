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

#[path = "support/template.rs"]
mod template;

use template::{ALWAYS, Template, lists, sets_of_checks};

const TEMPLATE: Template = Template(include_str!("../template.yaml"));

#[test]
fn the_rules_let_through_exactly_the_relevant_calls() {
    let calls = |rules: &[&str]| -> BTreeSet<String> {
        rules.iter().flat_map(|rule| lists(&TEMPLATE.resource(rule), "eventName")).flatten().collect()
    };
    assert_eq!(calls(&["ChangesRule", "ExemptionsRule"]), ec2_calls().map(str::to_owned).into());
    assert_eq!(calls(&["RestApisRule"]), API_GATEWAY_CALLS.map(str::to_owned).into());
}

#[test]
fn the_rule_lets_through_exactly_the_relevant_config_items() {
    let types = lists(&TEMPLATE.resource("ConfigItemsRule"), "resourceType");
    let expected: BTreeSet<String> = resource_types().map(str::to_owned).into();
    assert_eq!(types, [expected.clone(), expected], "complete items and summaries");
}

/// The rules that a queue policy lets send.
fn senders(policy: &str) -> BTreeSet<String> {
    let text = TEMPLATE.resource(policy);
    let rules = text.split("!GetAtt ").skip(1).filter_map(|rest| rest.split_once(".Arn").map(|(rule, _)| rule));
    rules.filter(|rule| rule.ends_with("Rule")).map(str::to_owned).collect()
}

#[test]
fn each_rule_may_send_to_its_queues() {
    let rules =
        TEMPLATE.0.lines().filter_map(|line| line.strip_prefix("  ").and_then(|line| line.strip_suffix("Rule:")));
    let rules: BTreeSet<String> =
        rules.filter(|name| !name.starts_with(' ')).map(|name| format!("{name}Rule")).collect();
    assert_eq!(senders("DeliveryDeadLetterQueuePolicy"), rules);
    let of_changes: BTreeSet<String> = rules.into_iter().filter(|rule| !rule.ends_with("SweepRule")).collect();
    assert_eq!(senders("ChangesQueuePolicy"), of_changes);
}

#[test]
fn the_parameter_allows_exactly_the_known_services() {
    let alternatives = TEMPLATE.0.lines().find_map(|line| line.trim().strip_prefix("AllowedPattern: ^(s3|")).unwrap();
    let pattern = format!("s3|{}", alternatives.split(')').next().unwrap());
    assert_eq!(
        pattern.split('|').map(str::to_owned).collect::<BTreeSet<_>>(),
        GatewayService::ALL.map(|service| service.name().to_owned()).into()
    );
}

/// The value of this line in the parameter `Checks`.
fn of_checks(key: &str) -> String {
    let parameter = TEMPLATE.resource("Checks");
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

#[test]
fn the_role_reads_exactly_what_the_checks_need() {
    // What the function does with its findings and its queue, and how a hub gets into other accounts.
    const OTHER_SERVICES: [&str; 7] = ["dynamodb:", "events:", "kms:", "logs:", "sns:", "sqs:", "sts:"];
    for checks in sets_of_checks() {
        let granted =
            TEMPLATE.actions_with("FunctionRole", &checks, &["HasEventBus", "HasLedger", "HasStateMachine", "IsHub"]);
        let reads: BTreeSet<&str> = (granted.iter().map(String::as_str))
            .filter(|action| !OTHER_SERVICES.iter().any(|service| action.starts_with(service)))
            .collect();
        let needed: BTreeSet<&str> = actions_of(&checks).into_iter().chain(ALWAYS).collect();
        assert_eq!(reads, needed, "with {checks:?}");
    }
}
