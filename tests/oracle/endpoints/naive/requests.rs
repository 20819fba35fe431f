//! Whether a policy allows a request, by the evaluation of IAM: an `Allow` matches it and no `Deny` does. It knows nothing of
//! what a check calls bounded.

use std::collections::BTreeMap;

use super::policy::{Condition, Statement, is_like};

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The ARN of the caller.
    pub principal: &'static str,
    pub action: &'static str,
    pub resource: String,
    /// The values of the keys, in lower case. Other keys are absent.
    pub keys: BTreeMap<&'static str, &'static str>,
}

/// Whether the statements allow the request.
pub(super) fn is_allowed(statements: &[Statement], request: &Request) -> bool {
    let has =
        |is_allow| statements.iter().any(|statement| statement.is_allow == is_allow && is_about(statement, request));
    has(true) && !has(false)
}

fn is_about(statement: &Statement, request: &Request) -> bool {
    let Statement { users_and_roles: principals, actions, resources, .. } = statement;
    let account = request.principal.split(':').nth(4).unwrap();
    let is_principal = |value: &String| {
        is_like(value, request.principal) || value == account || *value == format!("arn:aws:iam::{account}:root")
    };
    let is_action = |value: &String| is_like(&value.to_lowercase(), &request.action.to_lowercase());
    // A policy of an API may name it in a short form.
    let is_resource = |value: &String| {
        is_like(
            &value.replace("execute-api:/", "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/"),
            &request.resource,
        )
    };
    principals.values.iter().any(is_principal) != principals.is_negated
        && actions.values.iter().any(is_action) != actions.is_negated
        && resources.values.iter().any(is_resource) != resources.is_negated
        && statement.conditions.iter().all(|condition| holds(condition, request))
}

/// Whether the condition holds. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
fn holds(condition: &Condition, request: &Request) -> bool {
    let value = request.keys.get(condition.key.as_str()).copied();
    let of_request = |value: &String| {
        let key = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).filter(|_| condition.has_variables);
        // A variable without a value matches nothing.
        key.map_or(Some(value.clone()), |key| request.keys.get(&*key.to_lowercase()).map(|value| (*value).to_owned()))
    };
    let values: Vec<String> = condition.values.iter().filter_map(of_request).collect();
    let is_equal = |value: &str| match condition.operator.trim_start_matches("string").trim_start_matches("arn") {
        "equals" | "notequals" if condition.operator.starts_with("string") => values.iter().any(|v| v == value),
        "equalsignorecase" | "notequalsignorecase" | "bool" => {
            values.iter().any(|v| v.to_lowercase() == value.to_lowercase())
        }
        "equals" | "notequals" | "like" | "notlike" => values.iter().any(|v| is_like(v, value)),
        _ => false,
    };
    if condition.operator == "null" {
        return condition.values.iter().any(|v| v == if value.is_none() { "true" } else { "false" });
    }
    let is_negated = condition.operator.contains("not");
    match value {
        Some(value) => is_equal(value) != is_negated,
        None if condition.has_if_exists || condition.set == "forallvalues" => true,
        None => is_negated && condition.set != "foranyvalue",
    }
}
