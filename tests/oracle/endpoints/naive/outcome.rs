//! Adds problems and doubts to the answer. If a tag exempts the subject, adds that.

use std::collections::BTreeSet;

use gatewatch::network::{
    endpoint_facts::RestApi,
    model::{Endpoint, Subnet, Vpc},
};

use super::{Answer, Case, Facts, Outcome, exemption::exempts};

/// What a check judges: an endpoint, a service in a VPC, or a REST API.
#[derive(Clone)]
pub(super) struct Subject<'a> {
    id: &'a str,
    service: String,
    vpc: Option<&'a str>,
    tag: Option<&'a String>,
}

impl<'a> From<&'a Endpoint> for Subject<'a> {
    fn from(endpoint: &'a Endpoint) -> Self {
        Subject {
            id: &endpoint.id,
            service: endpoint.service_name.to_string(),
            vpc: Some(&endpoint.vpc_id),
            tag: endpoint.exemption.as_ref(),
        }
    }
}

impl<'a> From<(&'a Vpc, &str)> for Subject<'a> {
    fn from((vpc, service): (&'a Vpc, &str)) -> Self {
        Subject { id: &vpc.id, service: service.to_owned(), vpc: Some(&vpc.id), tag: vpc.exemption.as_ref() }
    }
}

impl<'a> From<&'a RestApi> for Subject<'a> {
    fn from(api: &'a RestApi) -> Self {
        let service = "com.amazonaws.eu-west-1.execute-api".to_owned();
        Subject { id: &api.id, service, vpc: None, tag: api.exemption.as_ref() }
    }
}

/// The VPC and the subject, as far as their tags exempt. A VPC that is the subject counts once.
fn exempting_owners(case: &Case, subject: &Subject, check: &str) -> Vec<String> {
    let mut by = Vec::new();
    for vpc in &case.network.vpcs {
        if Some(vpc.id.as_str()) == subject.vpc && exempts(case, vpc.exemption.as_ref(), check) {
            by.push(vpc.id.clone());
        }
    }
    if exempts(case, subject.tag, check) && by.iter().all(|id| id != subject.id) {
        by.push(subject.id.to_owned());
    }
    by
}

/// Adds a problem that affects these subnets.
pub(super) fn problem<'a>(
    case: &Case,
    subject: impl Into<Subject<'a>>,
    check: &str,
    (defect, severity): (&str, &str),
    subnets: &[&Subnet],
    facts: Facts,
    answer: &mut Answer,
) {
    let subject = subject.into();
    let mut by = exempting_owners(case, &subject, check);
    let left: Vec<String> = (subnets.iter())
        .filter(|subnet| !exempts(case, subnet.exemption.as_ref(), check))
        .map(|subnet| subnet.id.clone())
        .collect();
    if by.is_empty() && !subnets.is_empty() && left.is_empty() {
        by = subnets.iter().map(|subnet| subnet.id.clone()).collect();
    }
    let outcome = if by.is_empty() {
        Outcome::Problem {
            defect: defect.to_owned(),
            severity: severity.to_owned(),
            vpc: subject.vpc.map(str::to_owned),
            subnets: left,
            facts,
        }
    } else {
        Outcome::Exempt { by }
    };
    answer.insert((check.to_owned(), subject.id.to_owned(), subject.service, outcome));
}

/// Adds what nobody can judge about the subject.
pub(super) fn doubt<'a>(
    case: &Case,
    subject: impl Into<Subject<'a>>,
    check: &str,
    reason: &str,
    ids: BTreeSet<String>,
    answer: &mut Answer,
) {
    let subject = subject.into();
    let by = exempting_owners(case, &subject, check);
    let outcome = if by.is_empty() {
        Outcome::Unassessed { reason: reason.to_owned(), in_doubt: ids.into_iter().collect() }
    } else {
        Outcome::Exempt { by }
    };
    answer.insert((check.to_owned(), subject.id.to_owned(), subject.service, outcome));
}
