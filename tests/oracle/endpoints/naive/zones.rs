//! `endpoint-zones`: the zones of the VPC's subnets, one by one.

use std::collections::BTreeSet;

use gatewatch::network::model::Endpoint;

use super::{
    Answer, Case, Facts,
    exemption::exempts,
    is_available_interface,
    outcome::{doubt, problem},
    own_subnets,
};

/// Zone ids of the VPC's subnets less those of the endpoint's subnets, of the zones that the service offers.
pub(super) fn endpoint_zones(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
    const CHECK: &str = "endpoint-zones";
    if !is_available_interface(endpoint) {
        return;
    }
    let offered: Vec<String> = (case.facts.services.iter())
        .filter(|(name, _)| **name == *endpoint.service_name)
        .flat_map(|(_, service)| service.availability_zone_ids.clone())
        .collect();
    if offered.is_empty() {
        doubt(case, endpoint, CHECK, "fact_missing", BTreeSet::new(), answer);
        return;
    }
    let zone_of = |id: &String| -> Option<String> {
        let subnet = case.network.subnets.iter().find(|subnet| subnet.id == *id)?;
        subnet.availability_zone_id.as_ref().map(ToString::to_string)
    };
    let unknown: BTreeSet<String> = endpoint.subnet_ids.iter().filter(|id| zone_of(id).is_none()).cloned().collect();
    if !unknown.is_empty() {
        doubt(case, endpoint, CHECK, "fact_missing", unknown, answer);
        return;
    }
    let present: BTreeSet<String> = endpoint.subnet_ids.iter().filter_map(zone_of).collect();
    let mut outside = Vec::new();
    let mut without_zone = BTreeSet::new();
    for subnet in own_subnets(case, &endpoint.vpc_id) {
        let has_ipv4 = subnet.cidrs.is_empty() || subnet.cidrs.iter().any(|block| block.contains('.'));
        let has_ipv6 = subnet.cidrs.iter().any(|block| block.contains(':'));
        let fits = match endpoint.ip_address_type.as_deref().unwrap_or_default().to_lowercase().as_str() {
            "ipv6" => has_ipv6,
            "dualstack" => has_ipv4 && has_ipv6,
            _ => has_ipv4,
        };
        match zone_of(&subnet.id) {
            _ if !fits => {}
            None => {
                if !exempts(case, subnet.exemption.as_ref(), CHECK) {
                    without_zone.insert(subnet.id.clone());
                }
            }
            // A Local Zone has one more part: `euw1-lhr1-az1`.
            Some(zone) if zone.matches('-').count() == 1 && offered.contains(&zone) && !present.contains(&zone) => {
                outside.push(subnet);
            }
            Some(_) => {}
        }
    }
    if !without_zone.is_empty() {
        doubt(case, endpoint, CHECK, "fact_missing", without_zone, answer);
    }
    if !outside.is_empty() {
        let defect = if present.len() < 2 { ("single_zone", "MEDIUM") } else { ("zones_missing", "LOW") };
        problem(case, endpoint, CHECK, defect, &outside, Facts::None, answer);
    }
}
