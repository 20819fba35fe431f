//! `private-api`: may every VPC call a private REST API, and do the endpoints exist that it names? It tries every path
//! of an API.

use std::collections::BTreeSet;

use gatewatch::network::endpoint_facts::RestApi;

use super::{
    Answer, Case, Facts,
    outcome::{doubt, problem},
    policy::{Element, Statement, is_like, read_escaped},
};

/// A private REST API whose resource policy lets every VPC call it; else one that names an endpoint that is gone.
pub(super) fn private_api(case: &Case, answer: &mut Answer) {
    for api in case.facts.rest_apis.iter().flat_map(|apis| &apis.apis) {
        if api.endpoint_types.iter().any(|kind| kind.to_uppercase() == "PRIVATE") {
            of_api(case, api, answer);
        }
    }
}

fn of_api(case: &Case, api: &RestApi, answer: &mut Answer) {
    const CHECK: &str = "private-api";
    let known = case.facts.rest_apis.as_ref().unwrap();
    let (mut there, mut gone, mut unseen) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for id in &api.vpc_endpoint_ids {
        let is_going = (case.network.endpoints.iter())
            .any(|endpoint| endpoint.id == *id && endpoint.state.to_lowercase().starts_with("delet"));
        let list = if is_going || known.deleted_endpoint_ids.contains(id) {
            &mut gone
        } else if known.endpoint_ids.contains(id) {
            &mut there
        } else {
            &mut unseen
        };
        list.insert(id.clone());
    }
    if !unseen.is_empty() {
        doubt(case, api, CHECK, "endpoint_not_visible", unseen, answer);
    }
    let callers = callers(api.policy.as_deref().unwrap_or_default());
    if callers == Callers::InDoubt {
        doubt(case, api, CHECK, "unreadable_policy", BTreeSet::new(), answer);
    }
    let defect = if callers == Callers::EveryVpc {
        "policy_without_source_vpc"
    } else if !gone.is_empty() {
        "associated_endpoint_gone"
    } else {
        return;
    };
    let facts = Facts::Api {
        there: there.into_iter().collect(),
        gone: gone.into_iter().collect(),
        has_source_condition: match callers {
            Callers::EveryVpc => Some(false),
            Callers::SomeVpcs => Some(true),
            Callers::Nobody | Callers::InDoubt => None,
        },
    };
    problem(case, api, CHECK, (defect, "MEDIUM"), &[], facts, answer);
}

/// Who may call an API. The last one that a statement allows counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Callers {
    Nobody,
    SomeVpcs,
    InDoubt,
    EveryVpc,
}

/// The callers that a resource policy admits.
fn callers(text: &str) -> Callers {
    if text.trim().is_empty() {
        return Callers::Nobody;
    }
    let Some(statements) = read_escaped(text) else { return Callers::InDoubt };
    let calling: Vec<&Statement> = statements.iter().filter(|statement| is_about_calls(&statement.actions)).collect();
    let allowing = calling.iter().filter(|statement| statement.is_allow);
    allowing.map(|allow| of_allow(allow, &calling)).max().unwrap_or(Callers::Nobody)
}

fn is_about_calls(actions: &Element) -> bool {
    actions.values.iter().any(|action| is_like(&action.to_lowercase(), "execute-api:invoke")) != actions.is_negated
}

fn of_allow(allow: &Statement, calling: &[&Statement]) -> Callers {
    let mut callers = Callers::EveryVpc;
    for condition in &allow.conditions {
        if ["aws:sourcevpc", "aws:sourcevpce"].contains(&condition.key.as_str()) {
            if condition.never_holds_for_strangers() {
                callers = callers.min(Callers::SomeVpcs);
            } else if condition.may_not_hold_for_strangers() {
                callers = callers.min(Callers::InDoubt);
            }
        }
    }
    // "no `Deny` of the same resources for everyone"
    for deny in calling.iter().filter(|statement| !statement.is_allow && statement.denies_everyone()) {
        let is_about_source = |key: &str| key == "aws:sourcevpc" || key == "aws:sourcevpce";
        let others = (deny.conditions.iter())
            .filter(|condition| is_about_source(&condition.key) && condition.always_holds_for_strangers())
            .count();
        let holds_always = others == deny.conditions.len();
        let concerns_all = !deny.principals.leaves_some_out() && concerns_all_paths(&deny.resources, &allow.resources);
        callers = callers.min(match (others, holds_always && concerns_all) {
            (0, true) => Callers::Nobody,
            (0, false) => Callers::EveryVpc,
            (_, true) => Callers::SomeVpcs,
            (_, false) => Callers::InDoubt,
        });
    }
    callers
}

/// Whether each path that is allowed is denied too. What `NotResource` leaves of an API, nobody looks up.
fn concerns_all_paths(denied: &Element, allowed: &Element) -> bool {
    if denied.is_negated {
        return denied.values.is_empty();
    }
    let has = |element: &Element, path: &str| element.values.iter().any(|pattern| is_like(path_of(pattern), path));
    let mut paths = Vec::new();
    for stage in ["prod", "test", "other"] {
        for method in ["GET", "POST"] {
            for resource in ["orders", "items", "items/1"] {
                paths.push(format!("{stage}/{method}/{resource}"));
            }
        }
    }
    paths.iter().all(|path| has(denied, path) || !(allowed.is_negated || has(allowed, path)))
}

/// The path of a resource: behind the id of the API, or behind `execute-api:/`.
fn path_of(pattern: &str) -> &str {
    pattern.split_once('/').map_or(pattern, |(_, path)| path)
}
