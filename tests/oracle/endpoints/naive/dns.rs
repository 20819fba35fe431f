//! What the DNS of a VPC does with an endpoint: `dns-bypass`, `endpoint-dns` and `endpoint-private-dns`.

use std::collections::BTreeSet;

use gatewatch::network::model::{Endpoint, EndpointKind};

use super::{
    Answer, Case, Facts,
    central::{Served, served},
    is_available_interface,
    outcome::{doubt, problem},
    own_subnets, table_of,
};

pub(super) fn dns_bypass(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
    let service = endpoint.service_name.trim_start_matches("cn.");
    let is_named = ["com.amazonaws.eu-west-1.s3", "com.amazonaws.eu-west-1.dynamodb"].contains(&service);
    if !is_named || !is_available_interface(endpoint) {
        return;
    }
    if !endpoint.private_dns_enabled || endpoint.private_dns_only_for_inbound_resolver == Some(true) {
        return;
    }
    let gateways: Vec<&Endpoint> = (case.network.endpoints.iter())
        .filter(|other| other.vpc_id == endpoint.vpc_id && other.kind == EndpointKind::Gateway)
        .filter(|other| other.state.to_lowercase() == "available")
        .filter(|other| other.service_name.trim_start_matches("cn.") == service)
        .collect();
    let subnets = own_subnets(case, &endpoint.vpc_id);
    let mut uncovered = BTreeSet::new();
    for subnet in &subnets {
        let Some(table) = table_of(case, subnet) else { continue };
        let is_covered = table.routes.iter().any(|route| {
            route.active
                && gateways.iter().any(|gateway| {
                    route.target.id.as_ref() == Some(&gateway.id)
                        && gateway.route_table_ids.iter().any(|id| *id == table.id)
                })
        });
        if !is_covered {
            uncovered.insert(table.id.clone());
        }
    }
    let gateway = gateways.iter().map(|gateway| gateway.id.clone()).min();
    let evidence = Facts::Gateway(gateway, uncovered.into_iter().collect());
    problem(case, endpoint, "dns-bypass", ("private_dns_for_all_requests", "HIGH"), &subnets, evidence, answer);
}

pub(super) fn endpoint_dns(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
    if !is_available_interface(endpoint) || !endpoint.private_dns_enabled {
        return;
    }
    let Some(dns) = case.facts.vpc_dns.get(&endpoint.vpc_id) else {
        doubt(case, endpoint, "endpoint-dns", "fact_missing", BTreeSet::new(), answer);
        return;
    };
    let defect = match (dns.support, dns.host_names) {
        (true, true) => return,
        (true, false) => "vpc_dns_host_names_off",
        (false, _) => "vpc_dns_support_off",
    };
    let subnets = own_subnets(case, &endpoint.vpc_id);
    problem(case, endpoint, "endpoint-dns", (defect, "HIGH"), &subnets, Facts::None, answer);
}

/// `PrivateDnsEnabled` false, the service has private names, no other endpoint of that service in the VPC has it on, and
/// nothing central serves the name.
pub(super) fn endpoint_private_dns(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
    const CHECK: &str = "endpoint-private-dns";
    let name = endpoint.service_name.trim_start_matches("cn.");
    let has_gateway_endpoints =
        ["s3", "dynamodb", "s3express"].iter().any(|service| name == format!("com.amazonaws.eu-west-1.{service}"));
    let is_served_beside = case.network.endpoints.iter().any(|other| {
        other.vpc_id == endpoint.vpc_id
            && other.service_name == endpoint.service_name
            && is_available_interface(other)
            && other.private_dns_enabled
    });
    if !is_available_interface(endpoint) || endpoint.private_dns_enabled || has_gateway_endpoints || is_served_beside {
        return;
    }
    let Some(service) = case.facts.services.get(endpoint.service_name.as_str()) else {
        doubt(case, endpoint, CHECK, "fact_missing", BTreeSet::new(), answer);
        return;
    };
    if service.private_dns_names.is_empty() {
        return;
    }
    match served(case, &endpoint.vpc_id, &endpoint.service_name, &service.private_dns_names) {
        Served::Yes => {}
        Served::InDoubt(reason, ids) => doubt(case, endpoint, CHECK, reason, ids, answer),
        Served::No => {
            let subnets = own_subnets(case, &endpoint.vpc_id);
            let names = Facts::Names(service.private_dns_names.iter().cloned().collect());
            problem(case, endpoint, CHECK, ("private_dns_off", "LOW"), &subnets, names, answer);
        }
    }
}
