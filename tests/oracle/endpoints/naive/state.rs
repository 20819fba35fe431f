//! `endpoint-state`: the word of the state, unless a finding of `gateway-route` says it.

use std::collections::BTreeSet;

use gatewatch::network::model::{Endpoint, EndpointKind, RouteTable, Subnet};

use super::{
    Answer, Case, Facts,
    exemption::exempts_service,
    outcome::{doubt, problem},
    own_subnets, table_of,
};

pub(super) fn endpoint_state(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
    const CHECK: &str = "endpoint-state";
    let defect = match endpoint.state.to_lowercase().as_str() {
        "available" | "pending" | "deleting" | "deleted" => return,
        "failed" => "endpoint_failed",
        "rejected" => "endpoint_rejected",
        "expired" => "endpoint_expired",
        "partial" => "endpoint_partial",
        "pendingacceptance" => "endpoint_pending_acceptance",
        _ => {
            doubt(case, endpoint, CHECK, "unknown_value", BTreeSet::new(), answer);
            return;
        }
    };
    // "that a finding of `gateway-route` names as not available": the finding reports the state.
    if case.network.route_tables.iter().any(|table| names_as_not_available(case, table, endpoint)) {
        return;
    }
    let mut subnets = own_subnets(case, &endpoint.vpc_id);
    subnets.retain(|subnet| endpoint.subnet_ids.contains(&subnet.id));
    problem(case, endpoint, CHECK, (defect, "MEDIUM"), &subnets, Facts::None, answer);
}

/// Whether a finding of `gateway-route` about the table names the endpoint as `endpoint_not_available`: the table is not
/// exempt, no available endpoint lists it, and no other endpoint that lists it has a lower id.
fn names_as_not_available(case: &Case, table: &RouteTable, endpoint: &Endpoint) -> bool {
    let service = endpoint.service_name.trim_start_matches("cn.").trim_start_matches("com.amazonaws.eu-west-1.");
    if !case.route_table_services.contains(&service)
        || endpoint.kind != EndpointKind::Gateway
        || endpoint.vpc_id != table.vpc_id
    {
        return false;
    }
    let listing: Vec<&Endpoint> = (case.network.endpoints.iter())
        .filter(|other| other.kind == EndpointKind::Gateway && other.vpc_id == table.vpc_id)
        .filter(|other| other.service_name.trim_start_matches("cn.") == endpoint.service_name.trim_start_matches("cn."))
        .filter(|other| other.route_table_ids.iter().any(|id| *id == table.id))
        .collect();
    let is_first = listing.iter().map(|other| &other.id).min() == Some(&endpoint.id);
    if !is_first || listing.iter().any(|other| other.state.to_lowercase() == "available") {
        return false;
    }
    let vpc = case.network.vpcs.iter().find(|vpc| vpc.id == table.vpc_id).unwrap();
    let subnets: Vec<&Subnet> = own_subnets(case, &table.vpc_id)
        .into_iter()
        .filter(|subnet| table_of(case, subnet).is_some_and(|used| used.id == table.id))
        .collect();
    let is_exempt = |tag: &Option<String>| exempts_service(case, tag.as_ref(), service);
    !(is_exempt(&vpc.exemption)
        || is_exempt(&table.exemption)
        || (!subnets.is_empty() && subnets.iter().all(|subnet| is_exempt(&subnet.exemption))))
}
