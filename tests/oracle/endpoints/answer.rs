//! What the tests compare, made of words and ids only, and the conversion of the rules' verdict to it.

use std::collections::BTreeSet;

use gatewatch::checks::endpoint_problem::Evidence;

use super::{networks::Case, verdict};

/// What the checks say about one subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Problem {
        defect: String,
        severity: String,
        /// `None` for a REST API, which is in no VPC.
        vpc: Option<String>,
        subnets: Vec<String>,
        facts: Facts,
    },
    Exempt {
        by: Vec<String>,
    },
    Unassessed {
        reason: String,
        in_doubt: Vec<String>,
    },
}

/// The evidence, of the checks whose evidence follows from a decision. The rest only repeats what was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facts {
    None,
    /// `dns-bypass`: the gateway endpoint and the uncovered tables.
    Gateway(Option<String>, Vec<String>),
    /// `endpoint-policy`: who may come through, what may be reached, and the statements that decided.
    Policy {
        principals: String,
        resources: String,
        statements: Vec<String>,
    },
    /// `endpoint-private-dns` and `required-endpoints`: the names that nothing serves.
    Names(Vec<String>),
    /// `private-api`: the endpoints that exist, those that are gone, and whether the policy names its callers.
    Api {
        there: Vec<String>,
        gone: Vec<String>,
        has_source_condition: Option<bool>,
    },
}

/// What the checks say, by check, subject and service.
pub type Answer = BTreeSet<(String, String, String, Outcome)>;

/// What the rules say.
pub fn of_the_rules(case: &Case) -> Answer {
    let verdict = verdict(case);
    let problems = verdict.problems.into_iter().map(|problem| {
        let outcome = Outcome::Problem {
            defect: problem.defect.name().to_owned(),
            severity: problem.severity.name().to_owned(),
            vpc: problem.vpc_id,
            subnets: problem.subnets.into_iter().map(|subnet| subnet.id).collect(),
            facts: facts(problem.evidence),
        };
        (problem.check.name().to_owned(), problem.subject.id, problem.service, outcome)
    });
    let exempt = verdict.exempt.into_iter().map(|exempt| {
        let outcome = Outcome::Exempt { by: exempt.exempted_by };
        (exempt.check.name().to_owned(), exempt.subject.id, exempt.service, outcome)
    });
    let unassessed = verdict.unassessed.into_iter().map(|unassessed| {
        let outcome =
            Outcome::Unassessed { reason: unassessed.reason.name().to_owned(), in_doubt: unassessed.in_doubt };
        (unassessed.check.name().to_owned(), unassessed.subject.id, unassessed.service, outcome)
    });
    problems.chain(exempt).chain(unassessed).collect()
}

fn facts(evidence: Evidence) -> Facts {
    match evidence {
        Evidence::GatewayEndpoint { gateway_endpoint_id, uncovered_route_table_ids } => {
            Facts::Gateway(gateway_endpoint_id, uncovered_route_table_ids)
        }
        Evidence::Policy { principals, resources, statements } => Facts::Policy {
            principals: principals.name().to_owned(),
            resources: resources.name().to_owned(),
            statements,
        },
        Evidence::PrivateNames(names) => Facts::Names(names.into_iter().collect()),
        Evidence::RestApi { endpoint_ids, gone_endpoint_ids, has_source_condition } => {
            Facts::Api { there: endpoint_ids, gone: gone_endpoint_ids, has_source_condition }
        }
        Evidence::VpcDns { .. } | Evidence::SecurityGroups { .. } | Evidence::State { .. } | Evidence::Zones { .. } => {
            Facts::None
        }
    }
}
