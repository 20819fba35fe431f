//! `required-endpoints`: does each VPC with own subnets have a private way to each required service?

use std::collections::BTreeSet;

use gatewatch::network::model::{Endpoint, EndpointKind};

use super::{
    Answer, Case, Facts,
    central::{Served, served},
    outcome::{doubt, problem},
    own_subnets,
};

/// A service that the VPC has no endpoint for, whoever owns it, and that nothing central serves. A service that AWS does
/// not know is in doubt. One without private names cannot be served by name.
pub(super) fn required_endpoints(case: &Case, answer: &mut Answer) {
    const CHECK: &str = "required-endpoints";
    for vpc in &case.network.vpcs {
        let subnets = own_subnets(case, &vpc.id);
        for short in &case.required_interfaces {
            let service = format!("com.amazonaws.eu-west-1.{short}");
            let subject = (vpc, service.as_str());
            let has_endpoint =
                (case.network.endpoints.iter()).any(|endpoint| endpoint.vpc_id == vpc.id && serves(endpoint, &service));
            if subnets.is_empty() || has_endpoint {
                continue;
            }
            let Some(known) = case.facts.services.get(&service) else {
                doubt(case, subject, CHECK, "fact_missing", BTreeSet::new(), answer);
                continue;
            };
            let names = &known.private_dns_names;
            let by_name = if names.is_empty() { Served::No } else { served(case, &vpc.id, &service, names) };
            match by_name {
                Served::Yes => {}
                Served::InDoubt(reason, ids) => doubt(case, subject, CHECK, reason, ids, answer),
                Served::No => {
                    let names = Facts::Names(names.iter().cloned().collect());
                    problem(case, subject, CHECK, ("endpoint_missing", "MEDIUM"), &subnets, names, answer);
                }
            }
        }
    }
}

/// Whether the endpoint is an interface endpoint for the service that works or is being made. China names some services
/// with `cn.` in front.
fn serves(endpoint: &Endpoint, service: &str) -> bool {
    endpoint.kind == EndpointKind::Interface
        && (endpoint.service_name == service || endpoint.service_name == format!("cn.{service}"))
        && !["failed", "rejected", "expired", "deleting", "deleted", "odd"]
            .contains(&endpoint.state.to_lowercase().as_str())
}
