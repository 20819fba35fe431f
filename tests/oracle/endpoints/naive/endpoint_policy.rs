//! `endpoint-policy`: may a stranger do everything with the resources of a stranger through the endpoint?

use std::collections::BTreeSet;

use gatewatch::network::model::Endpoint;

use super::{
    Answer, Case, Facts,
    outcome::{doubt, problem},
    policy::{Condition, Statement, read},
    served::{Served, Whether},
};

/// What bounds the requests that a statement allows: who may come through, and what may be reached.
type Sides = BTreeSet<&'static str>;

const PRINCIPAL: &str = "principal";
const RESOURCE: &str = "resource";

/// An `Allow` open to everyone, everything and every resource with nothing that bounds it. The severity is that of AWS's
/// default policy or of an own one; with an organization, both are high, and so is a policy that names only others.
pub(super) fn endpoint_policy(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
    const CHECK: &str = "endpoint-policy";
    if endpoint.state.to_lowercase() != "available" {
        return;
    }
    let service = case.facts.services.get(endpoint.service_name.as_str());
    if service.is_some_and(|service| service.policy_supported == Some(false)) {
        return;
    }
    let Some(text) = &endpoint.policy_document else {
        doubt(case, endpoint, CHECK, "fact_missing", BTreeSet::new(), answer);
        return;
    };
    let Some(statements) = read(text) else {
        doubt(case, endpoint, CHECK, "unreadable_policy", BTreeSet::new(), answer);
        return;
    };
    let served = Served::by(endpoint, &statements);
    let (mut bounds_of_all, mut is_doubtful) = (Sides::new(), false);
    for statement in &statements {
        match of_deny(statement, &served) {
            Denies::Others(sides) => bounds_of_all.extend(sides),
            Denies::Nobody => {}
            Denies::Doubtful => is_doubtful = true,
        }
    }
    let wide: Vec<(usize, &Statement, Sides)> = (statements.iter().enumerate())
        .filter(|(_, statement)| statement.is_allow && served.every_action(statement) != Whether::No)
        .filter(|(_, statement)| served.some_resource(statement))
        .map(|(number, statement)| (number, statement, &of_allow(statement, &served) | &bounds_of_all))
        .collect();
    let is_certain = |statement: &Statement| served.every_action(statement) == Whether::Yes;
    let (mut open, mut perhaps_open, mut foreign, mut perhaps_foreign) = (Vec::new(), false, Vec::new(), false);
    for one @ (_, statement, sides) in &wide {
        if sides.is_empty() && is_certain(statement) && served.every_resource(statement) == Whether::Yes {
            open.push(one);
        } else if sides.is_empty() {
            perhaps_open = true;
        } else if names_others_only(case, statement, &statements, &served) {
            if is_certain(statement) {
                foreign.push(one);
            } else {
                perhaps_foreign = true;
            }
        }
    }
    let or_high = |severity| if case.organization_id.is_some() { "HIGH" } else { severity };
    let doubted = if open.is_empty() { perhaps_open || (foreign.is_empty() && perhaps_foreign) } else { is_doubtful };
    if doubted {
        doubt(case, endpoint, CHECK, "unreadable_policy", BTreeSet::new(), answer);
        return;
    }
    let (defect, decided) = if open.is_empty() {
        (("policy_not_bounded_to_organization", "HIGH"), foreign)
    } else {
        let defect = match &statements[..] {
            [only] if is_default(only) => ("default_policy", or_high("LOW")),
            _ => ("open_policy", or_high("MEDIUM")),
        };
        (defect, open)
    };
    if decided.is_empty() {
        return;
    }
    let side = |side| if decided.iter().all(|(.., sides)| sides.contains(side)) { "bounded" } else { "open" };
    let facts = Facts::Policy {
        principals: side(PRINCIPAL).to_owned(),
        resources: side(RESOURCE).to_owned(),
        statements: (decided.iter())
            .map(|(number, statement, _)| statement.sid.clone().unwrap_or(format!("#{}", number + 1)))
            .collect(),
    };
    problem(case, endpoint, CHECK, defect, &[], facts, answer);
}

/// The side that the key of a condition is about.
fn side_of(condition: &Condition) -> Option<&'static str> {
    match condition.key.as_str() {
        "aws:principalorgid"
        | "aws:principalorgpaths"
        | "aws:principalaccount"
        | "aws:principalarn"
        | "aws:sourcevpc"
        | "aws:sourcevpce"
        | "aws:principalisawsservice" => Some(PRINCIPAL),
        "aws:resourceorgid" | "aws:resourceorgpaths" | "aws:resourceaccount" | "s3:resourceaccount" => Some(RESOURCE),
        _ => None,
    }
}

/// What bounds an `Allow`: concrete principals or resources, or a condition that no stranger meets.
fn of_allow(statement: &Statement, served: &Served) -> Sides {
    let mut sides = Sides::new();
    if !statement.has_every_principal() {
        sides.insert(PRINCIPAL);
    }
    if served.every_resource(statement) == Whether::No {
        sides.insert(RESOURCE);
    }
    let met_by_no_stranger = statement.conditions.iter().filter(|condition| condition.never_holds_for_strangers());
    sides.extend(met_by_no_stranger.filter_map(side_of));
    sides
}

/// What a statement denies.
enum Denies {
    Nobody,
    /// All strangers on these sides.
    Others(Sides),
    /// All strangers, under a condition that nobody can say anything about.
    Doubtful,
}

fn of_deny(statement: &Statement, served: &Served) -> Denies {
    let concerns_all = served.every_action(statement).min(served.every_resource(statement));
    if statement.is_allow || !statement.denies_everyone() || concerns_all == Whether::No {
        return Denies::Nobody;
    }
    match denied(statement) {
        Denies::Others(_) if concerns_all == Whether::Perhaps => Denies::Doubtful,
        denied => denied,
    }
}

/// What a `Deny` of everything denies.
fn denied(statement: &Statement) -> Denies {
    let mut sides = Sides::new();
    if statement.principals.leaves_some_out() {
        sides.insert(PRINCIPAL);
    }
    if statement.resources.leaves_some_out() {
        sides.insert(RESOURCE);
    }
    let denying: Vec<&str> = (statement.conditions.iter())
        .filter(|condition| condition.always_holds_for_strangers())
        .filter_map(side_of)
        .collect();
    if statement.conditions.is_empty() && sides.is_empty() {
        // Everything is denied.
        return Denies::Others(Sides::from([PRINCIPAL, RESOURCE]));
    }
    if denying.len() == statement.conditions.len() {
        sides.extend(denying);
        Denies::Others(sides)
    } else if denying.is_empty() {
        Denies::Nobody
    } else {
        Denies::Doubtful
    }
}

/// The policy of every new endpoint: one statement without a name and conditions, with `*` three times.
fn is_default(statement: &Statement) -> bool {
    statement.sid.is_none()
        && statement.conditions.is_empty()
        && [&statement.principals, &statement.actions, &statement.resources]
            .iter()
            .all(|element| !element.is_negated && element.values == ["*"])
}

/// Whether the conditions that bound the statement, its own or those of a `Deny`, name organizations without ours.
fn names_others_only(case: &Case, statement: &Statement, statements: &[Statement], served: &Served) -> bool {
    let Some(ours) = case.organization_id else { return false };
    let own = statement.conditions.iter().filter(|condition| condition.never_holds_for_strangers());
    let of_denies = (statements.iter())
        .filter(|statement| matches!(of_deny(statement, served), Denies::Others(_)))
        .flat_map(|statement| &statement.conditions);
    let named: Vec<&str> = (own.chain(of_denies))
        .filter(|condition| condition.key.contains("orgid") || condition.key.contains("orgpaths"))
        .flat_map(|condition| &condition.values)
        .map(|value| value.split('/').next().unwrap())
        .collect();
    !named.is_empty() && !named.contains(&ours)
}
