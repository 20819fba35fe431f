//! What a statement bounds at an endpoint. [`super::verdict`] has the table.

use super::service::{Coverage, Service};
use crate::checks::policy::{Bounds, Condition, Statement, Values, is_everything};

/// What a `Deny` leaves of the requests that other statements allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shut {
    /// It denies too little to bound anything.
    No,
    /// It shuts out everything outside these bounds.
    Outside(Bounds),
    /// It may: it has conditions whose effect this version does not know, or nobody knows whether it concerns the service.
    Unknown,
}

/// The sides that an `Allow` bounds, by its principals, its resources or its conditions.
pub(super) fn of_allow(statement: &Statement, service: Service<'_>) -> Bounds {
    let named = Bounds {
        principals: !statement.principals.is_open(is_everything),
        resources: service.resources(statement) == Coverage::NotAll,
    };
    statement.conditions.iter().fold(named, |bounds, condition| bounds.and(condition.bounds()))
}

/// Whether the statement is about every action and every resource of the service, as far as anybody knows.
pub(super) fn reach(statement: &Statement, service: Service<'_>) -> Coverage {
    service.actions(&statement.actions).min(service.resources(statement))
}

/// What a statement leaves if it is a `Deny`.
pub(super) fn of_deny(statement: &Statement, service: Service<'_>) -> Shut {
    if statement.is_allow || !statement.is_for_everyone {
        return Shut::No;
    }
    match (reach(statement, service), shut_of_all(statement)) {
        (Coverage::NotAll, _) | (_, Shut::No) => Shut::No,
        (Coverage::Unknown, _) => Shut::Unknown,
        (Coverage::All, shut) => shut,
    }
}

/// What a `Deny` leaves if it is about every action and every resource of the service.
fn shut_of_all(statement: &Statement) -> Shut {
    let names_some = |values: &Values| matches!(values, Values::Except(values) if !values.is_empty());
    // Everybody but the principals of `NotPrincipal` is shut out, and everything but the resources of `NotResource`.
    let named = Bounds { principals: names_some(&statement.principals), resources: names_some(&statement.resources) };
    if statement.conditions.is_empty() {
        // Without a condition it denies every request, or every request but the named ones.
        return Shut::Outside(if named.any() { named } else { Bounds::BOTH });
    }
    let shut_out: Vec<Bounds> = statement.conditions.iter().map(Condition::shuts_out).collect();
    match (shut_out.iter().all(|bounds| bounds.any()), shut_out.iter().any(|bounds| bounds.any())) {
        (true, _) => Shut::Outside(shut_out.into_iter().fold(named, Bounds::and)),
        (false, true) => Shut::Unknown,
        (false, false) => Shut::No,
    }
}

/// The organizations that the conditions of a statement bound requests to. Other conditions on the same keys, such as `Null`,
/// name none.
pub(super) fn organizations(statement: &Statement) -> impl Iterator<Item = &str> {
    let bounds = |condition: &Condition| if statement.is_allow { condition.bounds() } else { condition.shuts_out() };
    (statement.conditions.iter())
        .filter(move |condition| condition.is_about_organizations() && bounds(condition).any())
        .flat_map(|condition| &condition.values)
        .map(|value| value.split('/').next().unwrap_or_default())
}
