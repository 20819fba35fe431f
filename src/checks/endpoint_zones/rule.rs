//! Is an interface endpoint in every zone that it could be in?
//!
//! Traffic from another zone crosses zones at a price per GB, and stops if the endpoint's only zone fails. Zones are
//! compared by their ids, because names differ between accounts.
//!
//! A zone is missing if all of this holds: an own subnet of the VPC is in it that is not exempt and that has the address
//! families of the endpoint; it is an Availability Zone, and no Local Zone or Wavelength Zone; the service offers it; and
//! no subnet of the endpoint is in it.
//!
//! | given an available interface endpoint | then |
//! |---|---|
//! | in one zone or none, and a zone is missing | `single_zone`, `MEDIUM` |
//! | in several zones, and a zone is missing | `zones_missing`, `LOW` |
//! | that misses only zones in which all subnets are exempt | exempt |
//! | that misses no zone | in order |
//! | whose service or one of whose zones is not known | not assessed: `fact_missing` |
//!
//! A subnet of the VPC whose zone is not known is not assessed: `fact_missing`.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    checks::{
        check::CheckName,
        endpoint_context::{Decided, Draft, EndpointContext},
        endpoint_problem::{Defect, EndpointCaution, EndpointFix, EndpointVerdict, Evidence, UnassessedReason},
        needed_facts::NeededFacts,
        severity::Severity,
    },
    network::model::{Endpoint, Subnet},
};

const CHECK: CheckName = CheckName::EndpointZones;

/// Judges the zones of all available interface endpoints.
pub fn evaluate(context: &EndpointContext<'_>, verdict: &mut EndpointVerdict) {
    let zones: BTreeMap<&str, Option<&str>> = (context.input.network.subnets.iter())
        .map(|subnet| (subnet.id.as_str(), subnet.availability_zone_id.as_deref()))
        .collect();
    for endpoint in context.available_interfaces() {
        judge(context, endpoint, &zones, verdict);
    }
}

/// Adds the facts that [`evaluate`] needs.
pub fn needs(context: &EndpointContext<'_>, needed: &mut NeededFacts) {
    needed.services.extend(context.available_interfaces().map(|endpoint| endpoint.service_name.to_string()));
}

fn judge(
    context: &EndpointContext<'_>,
    endpoint: &Endpoint,
    zones: &BTreeMap<&str, Option<&str>>,
    verdict: &mut EndpointVerdict,
) {
    let service = context.input.facts.services.get(endpoint.service_name.as_str());
    let Some(offered) = service.map(|service| &service.availability_zone_ids).filter(|zones| !zones.is_empty()) else {
        context.doubt(CHECK, endpoint, UnassessedReason::FactMissing, [], verdict);
        return;
    };
    let zone_of = |id: &str| zones.get(id).copied().flatten();
    let unknown: Vec<String> = endpoint.subnet_ids.iter().filter(|id| zone_of(id).is_none()).cloned().collect();
    if !unknown.is_empty() {
        context.doubt(CHECK, endpoint, UnassessedReason::FactMissing, unknown, verdict);
        return;
    }
    let present: BTreeSet<&str> = endpoint.subnet_ids.iter().filter_map(|id| zone_of(id)).collect();
    let usable = context.subnets_of(&endpoint.vpc_id).iter().copied().filter(|subnet| has_families(subnet, endpoint));
    let (known, unknown): (Vec<&Subnet>, Vec<&Subnet>) =
        usable.partition(|subnet| subnet.availability_zone_id.is_some());
    context.doubt_subnets(CHECK, endpoint, UnassessedReason::FactMissing, &unknown, verdict);

    let could_have = |zone: &str| is_availability_zone(zone) && offered.contains(zone) && !present.contains(zone);
    let outside: Vec<&Subnet> =
        known.into_iter().filter(|subnet| subnet.availability_zone_id.as_deref().is_some_and(could_have)).collect();
    if !outside.is_empty() {
        context.report(CHECK, draft(context, endpoint, &present, outside), verdict);
    }
}

/// `outside` has the subnets in missing zones, exempt or not.
fn draft<'a>(
    context: &EndpointContext<'a>,
    endpoint: &'a Endpoint,
    present: &BTreeSet<&str>,
    outside: Vec<&'a Subnet>,
) -> Draft<'a> {
    // One subnet per missing zone. An endpoint has at most one subnet in each zone.
    let mut by_zone = BTreeMap::<String, String>::new();
    for subnet in outside.iter().filter(|subnet| !context.is_subnet_exempt(subnet, CHECK)) {
        if let Some(zone) = &subnet.availability_zone_id {
            by_zone.entry(zone.to_string()).or_insert_with(|| subnet.id.clone());
        }
    }
    let (defect, severity) =
        if present.len() > 1 { (Defect::ZonesMissing, Severity::Low) } else { (Defect::SingleZone, Severity::Medium) };
    let mut subnet_ids: Vec<String> = by_zone.values().cloned().collect();
    subnet_ids.sort();
    Draft::of_endpoint(
        endpoint,
        Decided {
            defect,
            severity,
            subnets: outside,
            evidence: Evidence::Zones {
                endpoint: present.iter().map(|&zone| zone.to_owned()).collect(),
                missing: by_zone.into_keys().collect(),
            },
            fix: EndpointFix::AddSubnets { endpoint_id: endpoint.id.clone(), subnet_ids },
            cautions: BTreeSet::from([EndpointCaution::HourlyCharge]),
        },
    )
}

/// Whether the zone is an Availability Zone, such as `euw1-az1`. A Local Zone (`use1-bos1-az1`) and a Wavelength Zone
/// (`use1-wl1-bos-wlz1`) have more parts (<https://docs.aws.amazon.com/local-zones/latest/ug/available-local-zones.html>).
fn is_availability_zone(zone: &str) -> bool {
    zone.split_once('-').is_some_and(|(region, number)| {
        let is_number =
            number.strip_prefix("az").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        !region.is_empty() && is_number
    })
}

/// Whether the subnet has blocks of all address families of the endpoint. EC2 refuses another subnet
/// (<https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html>).
fn has_families(subnet: &Subnet, endpoint: &Endpoint) -> bool {
    let has = |mark: char| subnet.blocks().any(|block| block.contains(mark));
    let (ipv4, ipv6) = (!subnet.ipv6_native && (subnet.blocks().next().is_none() || has('.')), has(':'));
    match endpoint.ip_address_type.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("ipv6") => ipv6,
        Some("dualstack") => ipv4 && ipv6,
        _ => ipv4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::endpoint_testing::{Decision, VPC, World, doubt, doubts, exempt, only, problem, subnet_with},
        network::{endpoint_facts::EndpointService, testing::interface_endpoint},
    };

    const SERVICE: &str = "com.amazonaws.eu-west-1.ssm";

    fn in_zone(n: u8, zone: &str) -> Subnet {
        Subnet {
            availability_zone_id: Some(zone.into()),
            ..subnet_with(&format!("subnet-0000000{n}"), &[&format!("10.0.{n}.0/24")])
        }
    }

    /// An endpoint in the subnets with these numbers.
    fn endpoint(subnets: &[u8]) -> Endpoint {
        let subnet_ids = subnets.iter().map(|n| format!("subnet-0000000{n}")).collect();
        Endpoint { subnet_ids, ip_address_type: Some("ipv4".into()), ..interface_endpoint("vpce-0000000a", VPC, "ssm") }
    }

    /// A VPC with these subnets, and the service in three zones and a Local Zone.
    fn world(endpoint: Endpoint, subnets: &[Subnet]) -> World {
        let mut world = World::new(subnets, &[endpoint]);
        let zones = ["euw1-az1", "euw1-az2", "euw1-az3", "euw1-lhr1-az1"].map(str::to_owned);
        let service = EndpointService { availability_zone_ids: zones.into(), ..EndpointService::default() };
        world.facts.services.insert(SERVICE.into(), service);
        world
    }

    fn three() -> [Subnet; 3] {
        [in_zone(1, "euw1-az1"), in_zone(2, "euw1-az2"), in_zone(3, "euw1-az3")]
    }

    fn expected(
        defect: (Defect, Severity),
        [present, missing, add]: [&[&str]; 3],
        subnets: &[&Subnet],
    ) -> EndpointVerdict {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<BTreeSet<_>>();
        let decision = Decision {
            defect: defect.0,
            severity: defect.1,
            evidence: Evidence::Zones { endpoint: texts(present), missing: texts(missing) },
            fix: EndpointFix::AddSubnets {
                endpoint_id: "vpce-0000000a".into(),
                subnet_ids: texts(add).into_iter().collect(),
            },
            cautions: vec![EndpointCaution::HourlyCharge],
        };
        only(problem(CHECK, &endpoint(&[]), subnets, decision))
    }

    const SINGLE: (Defect, Severity) = (Defect::SingleZone, Severity::Medium);
    const MISSING: (Defect, Severity) = (Defect::ZonesMissing, Severity::Low);

    #[test]
    fn an_endpoint_in_one_zone_or_none_is_the_larger_problem() {
        let [a, b, c] = &three();
        let two = ["euw1-az2", "euw1-az3"];
        assert_eq!(
            world(endpoint(&[1]), &three()).verdict(evaluate),
            expected(SINGLE, [&["euw1-az1"], &two, &["subnet-00000002", "subnet-00000003"]], &[b, c])
        );
        let all = ["euw1-az1", "euw1-az2", "euw1-az3"];
        let add = ["subnet-00000001", "subnet-00000002", "subnet-00000003"];
        assert_eq!(world(endpoint(&[]), &three()).verdict(evaluate), expected(SINGLE, [&[], &all, &add], &[a, b, c]));
    }

    #[test]
    fn an_endpoint_in_several_zones_is_the_smaller_problem() {
        // Two subnets are in the missing zone. The endpoint needs one of them.
        let [a, b, c] = three();
        let d = in_zone(4, "euw1-az3");
        let zones: [&[&str]; 3] = [&["euw1-az1", "euw1-az2"], &["euw1-az3"], &["subnet-00000003"]];
        let verdict = world(endpoint(&[1, 2]), &[d.clone(), a, b, c.clone()]).verdict(evaluate);
        assert_eq!(verdict, expected(MISSING, zones, &[&c, &d]));
    }

    #[test]
    fn an_endpoint_in_every_zone_that_it_could_be_in_is_in_order() {
        let [a, b, _] = three();
        let ipv6_only = Subnet { ipv6_native: true, cidrs: vec!["2001:db8::/64".into()], ..in_zone(3, "euw1-az3") };
        let foreign = Subnet { owner_id: Some("210987654321".into()), ..in_zone(3, "euw1-az3") };
        for third in [
            in_zone(3, "euw1-az1"),
            in_zone(3, "euw1-az4"),
            in_zone(3, "euw1-lhr1-az1"),
            in_zone(3, "euw1-wl1-lon-wlz1"),
            ipv6_only,
            foreign,
        ] {
            let verdict = world(endpoint(&[1, 2]), &[a.clone(), b.clone(), third.clone()]).verdict(evaluate);
            assert_eq!(verdict, EndpointVerdict::default(), "{third:?}");
        }
        assert_eq!(world(endpoint(&[1, 2, 3]), &three()).verdict(evaluate), EndpointVerdict::default());
    }

    #[test]
    fn the_address_families_decide_which_subnets_count() {
        for (kind, cidrs, counts) in [
            (Some("ipv4"), &["10.0.3.0/24"][..], true),
            (Some("ipv6"), &["10.0.3.0/24"], false),
            (Some("ipv6"), &["10.0.3.0/24", "2001:db8::/64"], true),
            (Some("dualstack"), &["10.0.3.0/24"], false),
            (Some("dualstack"), &["10.0.3.0/24", "2001:db8::/64"], true),
            (None, &["10.0.3.0/24"], true),
            (None, &[], true),
        ] {
            let cidrs = cidrs.iter().map(|&block| block.into()).collect();
            let third = Subnet { cidrs, ..in_zone(3, "euw1-az3") };
            let [a, b, _] = three();
            let endpoint = Endpoint { ip_address_type: kind.map(Into::into), ..endpoint(&[1, 2]) };
            let verdict = world(endpoint, &[a, b, third]).verdict(evaluate);
            assert_eq!(verdict.problems.len(), usize::from(counts), "{kind:?}");
        }
    }

    #[test]
    fn exempt_subnets_do_not_make_a_zone_missing() {
        let [a, b, c] = three();
        let tagged = |subnet: Subnet| Subnet { exemption: Some("endpoint-zones".into()), ..subnet };
        let verdict = world(endpoint(&[1, 2]), &[a.clone(), b.clone(), tagged(c.clone())]).verdict(evaluate);
        assert_eq!(verdict, exempt(CHECK, &endpoint(&[]), &["subnet-00000003"]));
        let zones: [&[&str]; 3] = [&["euw1-az1"], &["euw1-az2"], &["subnet-00000002"]];
        let verdict = world(endpoint(&[1]), &[a, b.clone(), tagged(c)]).verdict(evaluate);
        assert_eq!(verdict, expected(SINGLE, zones, &[&b]));
    }

    #[test]
    fn without_the_zones_nothing_is_judged() {
        let missing = |ids: &[&str]| doubts([doubt(CHECK, &endpoint(&[]), UnassessedReason::FactMissing, ids)]);
        let mut no_service = world(endpoint(&[1]), &three());
        no_service.facts.services.clear();
        assert_eq!(no_service.verdict(evaluate), missing(&[]));
        no_service.facts.services.insert(SERVICE.into(), EndpointService::default());
        assert_eq!(no_service.verdict(evaluate), missing(&[]));

        let [a, b, c] = three();
        let hidden = world(endpoint(&[1, 9]), &[a.clone(), b.clone(), c]).verdict(evaluate);
        assert_eq!(hidden, missing(&["subnet-00000009"]));
        let no_zone = Subnet { availability_zone_id: None, ..in_zone(3, "") };
        assert_eq!(world(endpoint(&[1, 2]), &[a, b, no_zone]).verdict(evaluate), missing(&["subnet-00000003"]));
    }

    #[test]
    fn only_available_interface_endpoints_are_judged() {
        let pending = world(Endpoint { state: "pending".into(), ..endpoint(&[1]) }, &three());
        assert_eq!(pending.verdict(evaluate), EndpointVerdict::default());
        assert_eq!(pending.needed(needs), NeededFacts::default());
        let services = world(endpoint(&[1]), &[]).needed(needs).services;
        assert_eq!(services, BTreeSet::from([SERVICE.to_owned()]));
    }
}
