//! The conditions of the default checks of endpoints, a second time. It shares no code with the rules: it compares text,
//! tries every address, and looks through all lists each time.

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::network::{
    endpoint_facts::{IngressRule, OptionalRead, ProfileResource, SecurityGroup, TrafficSource},
    model::{Endpoint, EndpointKind, RouteTable, Subnet},
};

use super::{Answer, Outcome, networks::Case};

pub fn evaluate(case: &Case) -> Answer {
    let mut answer = Answer::new();
    for endpoint in &case.network.endpoints {
        if is_never_judged(case, endpoint) {
            continue;
        }
        dns_bypass(case, endpoint, &mut answer);
        endpoint_dns(case, endpoint, &mut answer);
        endpoint_access(case, endpoint, &mut answer);
        endpoint_state(case, endpoint, &mut answer);
        endpoint_zones(case, endpoint, &mut answer);
        endpoint_private_dns(case, endpoint, &mut answer);
    }
    answer
}

/// Never judged: `RequesterManaged` true; tag `GuardDutyManaged` or service `….guardduty-data`; `ServiceRegion` other than
/// home; third-party services; types other than Gateway and Interface; another owner's.
fn is_never_judged(case: &Case, endpoint: &Endpoint) -> bool {
    let foreign = match (&endpoint.owner_id, &case.account_region.account) {
        (Some(owner), Some(ours)) => owner != ours,
        _ => false,
    };
    foreign
        || endpoint.requester_managed
        || endpoint.guardduty_managed
        || endpoint.service_name.ends_with(".guardduty-data")
        || endpoint.service_name.contains(".vpce-svc-")
        || matches!(endpoint.service_region.as_deref(), Some(region) if region != "eu-west-1")
        || endpoint.kind == EndpointKind::Other
}

fn is_available_interface(endpoint: &Endpoint) -> bool {
    endpoint.kind == EndpointKind::Interface && endpoint.state.to_lowercase() == "available"
}

fn own_subnets<'a>(case: &'a Case, vpc_id: &str) -> Vec<&'a Subnet> {
    let mut subnets: Vec<&Subnet> = case.network.subnets.iter().filter(|subnet| subnet.vpc_id == vpc_id).collect();
    subnets.retain(|subnet| match (&subnet.owner_id, &case.account_region.account) {
        (Some(owner), Some(ours)) => owner == ours,
        _ => true,
    });
    subnets.sort_by_key(|subnet| subnet.id.clone());
    subnets
}

// --- Exemption -------------------------------------------------------------------------------------------------------

const CHECKS: [&str; 10] = [
    "gateway-route",
    "dns-bypass",
    "endpoint-dns",
    "endpoint-access",
    "endpoint-state",
    "endpoint-zones",
    "endpoint-policy",
    "endpoint-private-dns",
    "required-endpoints",
    "private-api",
];

fn exempts(case: &Case, tag: Option<&String>, check: &str) -> bool {
    let Some(value) = tag else { return false };
    let value = value.replace([',', '/'], " ");
    let (year, month, day) = case.today;
    let today = format!("{year:04}-{month:02}-{day:02}");
    let mut names = Vec::new();
    for word in value.split_whitespace() {
        if let Some(last) = word.strip_prefix("until=") {
            let is_day = last.len() == 10 && last.starts_with("20");
            if !is_day || *last < *today {
                return false;
            }
        } else {
            names.push(word);
        }
    }
    if names.is_empty() || names == ["*"] || names == ["true"] {
        return true;
    }
    let is_known = |name: &&str| CHECKS.contains(name) || ["s3", "dynamodb", "s3express"].contains(name);
    names.iter().all(is_known) && names.contains(&check)
}

fn exempting_owners(case: &Case, endpoint: &Endpoint, check: &str) -> Vec<String> {
    let mut by = Vec::new();
    for vpc in &case.network.vpcs {
        if vpc.id == endpoint.vpc_id && exempts(case, vpc.exemption.as_ref(), check) {
            by.push(vpc.id.clone());
        }
    }
    if exempts(case, endpoint.exemption.as_ref(), check) {
        by.push(endpoint.id.clone());
    }
    by
}

/// Adds a problem that affects these subnets.
fn problem(
    case: &Case,
    endpoint: &Endpoint,
    check: &str,
    (defect, severity): (&str, &str),
    subnets: &[&Subnet],
    gateway: Option<(Option<String>, Vec<String>)>,
    answer: &mut Answer,
) {
    let mut by = exempting_owners(case, endpoint, check);
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
            vpc: endpoint.vpc_id.clone(),
            subnets: left,
            gateway,
        }
    } else {
        Outcome::Exempt { by }
    };
    answer.insert((check.to_owned(), endpoint.id.clone(), outcome));
}

fn doubt(case: &Case, endpoint: &Endpoint, check: &str, reason: &str, ids: BTreeSet<String>, answer: &mut Answer) {
    if exempting_owners(case, endpoint, check).is_empty() {
        let outcome = Outcome::Unassessed { reason: reason.to_owned(), in_doubt: ids.into_iter().collect() };
        answer.insert((check.to_owned(), endpoint.id.clone(), outcome));
    }
}

// --- dns-bypass ------------------------------------------------------------------------------------------------------

fn dns_bypass(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
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
    let evidence = Some((gateway, uncovered.into_iter().collect()));
    problem(case, endpoint, "dns-bypass", ("private_dns_for_all_requests", "HIGH"), &subnets, evidence, answer);
}

// --- endpoint-dns ----------------------------------------------------------------------------------------------------

fn endpoint_dns(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
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
    problem(case, endpoint, "endpoint-dns", (defect, "HIGH"), &subnets, None, answer);
}

// --- endpoint-access -------------------------------------------------------------------------------------------------

/// All addresses that generated subnets can have: `10.0.0.0/24` and `2001:db8::/120`, as 32 and 128 bits.
fn addresses(is_ipv4: bool) -> impl Iterator<Item = u128> {
    let first = if is_ipv4 { 0x0a00_0000_u128 } else { 0x2001_0db8_u128 << 96 };
    first..first + 256
}

/// The first address and the length of a block, and whether it is IPv4. `None` if it is not a block.
fn parse(block: &str) -> Option<(u128, u32, bool)> {
    let (address, length) = block.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    if let Ok(address) = address.parse::<std::net::Ipv4Addr>() {
        return Some((u128::from(u32::from(address)), length, true));
    }
    let address: std::net::Ipv6Addr = address.parse().ok()?;
    Some((u128::from(address), length, false))
}

/// Whether the block contains the address: their first bits are the same, compared one by one.
fn contains(block: (u128, u32, bool), address: u128, is_ipv4: bool) -> bool {
    let (first, length, block_is_ipv4) = block;
    let width = if is_ipv4 { 32 } else { 128 };
    block_is_ipv4 == is_ipv4 && (0..length).all(|n| (first >> (width - 1 - n)) & 1 == (address >> (width - 1 - n)) & 1)
}

/// `None` if nobody can say whether the rule is about TCP port 443.
fn is_about_https(rule: &IngressRule) -> Option<bool> {
    if rule.protocol == "-1" {
        return Some(true);
    }
    if rule.protocol != "tcp" && rule.protocol != "6" {
        return if rule.protocol == "any" { None } else { Some(false) };
    }
    Some((rule.from_port?..=rule.to_port?).contains(&443))
}

/// Whether the blocks admit an address of the subnet in one of these families. `None`: it has no address in them.
fn reaches(subnet: &Subnet, admitted: &[(u128, u32, bool)], families: &[bool]) -> Option<bool> {
    let mut has_address = false;
    for &is_ipv4 in families {
        for address in addresses(is_ipv4) {
            let is_in_subnet =
                subnet.cidrs.iter().filter_map(|block| parse(block)).any(|block| contains(block, address, is_ipv4));
            if is_in_subnet {
                has_address = true;
                if admitted.iter().any(|&block| contains(block, address, is_ipv4)) {
                    return Some(true);
                }
            }
        }
    }
    has_address.then_some(false)
}

/// The blocks that the groups admit on TCP port 443. What is not a block becomes a doubt.
fn admitted_blocks(groups: &[&SecurityGroup], doubts: &mut BTreeMap<&str, BTreeSet<String>>) -> Vec<(u128, u32, bool)> {
    let mut admitted = Vec::new();
    for group in groups {
        for rule in &group.ingress {
            let Some(is_about_https) = is_about_https(rule) else {
                doubts.entry("unknown_value").or_default().insert(group.id.clone());
                continue;
            };
            for source in rule.sources.iter().filter(|_| is_about_https) {
                match source {
                    TrafficSource::Cidr(text) => match parse(text) {
                        Some(block) => admitted.push(block),
                        None => {
                            doubts.entry("unknown_value").or_default().insert(group.id.clone());
                        }
                    },
                    TrafficSource::Group(id) => {
                        doubts.entry("referenced_group").or_default().insert(id.clone());
                    }
                    TrafficSource::PrefixList(id) => {
                        doubts.entry("prefix_list").or_default().insert(id.clone());
                    }
                }
            }
        }
    }
    admitted
}

fn endpoint_access(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
    const CHECK: &str = "endpoint-access";
    if !is_available_interface(endpoint) {
        return;
    }
    let not_exempt = |subnets: &[&Subnet]| -> BTreeSet<String> {
        let left = subnets.iter().filter(|subnet| !exempts(case, subnet.exemption.as_ref(), CHECK));
        left.map(|subnet| subnet.id.clone()).collect()
    };
    let own = own_subnets(case, &endpoint.vpc_id);
    if own.is_empty() {
        let all: Vec<&Subnet> = case.network.subnets.iter().filter(|subnet| subnet.vpc_id == endpoint.vpc_id).collect();
        let ids = not_exempt(&all);
        if !ids.is_empty() {
            doubt(case, endpoint, CHECK, "shared_subnet", ids, answer);
        }
        return;
    }
    let all_groups = || case.facts.security_groups.values();
    let mut wanted: BTreeSet<String> = endpoint.security_group_ids.iter().cloned().collect();
    if wanted.is_empty() {
        let default = all_groups().find(|group| group.is_default && group.vpc_id == endpoint.vpc_id).unwrap();
        wanted.insert(default.id.clone());
    }
    let groups: Vec<_> = all_groups().filter(|group| wanted.contains(&group.id)).collect();
    let mut doubts = BTreeMap::<&str, BTreeSet<String>>::new();
    for id in &wanted {
        if groups.iter().all(|group| group.id != *id) {
            doubts.entry("group_not_visible").or_default().insert(id.clone());
        }
    }
    let admitted = admitted_blocks(&groups, &mut doubts);

    let mut sorted = BTreeMap::<&str, Vec<&Subnet>>::new();
    for subnet in own {
        let of = |families: &[bool]| match reaches(subnet, &admitted, families) {
            Some(true) => "admitted",
            Some(false) => "not admitted",
            None => "no_common_address_family",
        };
        let word = if subnet.cidrs.iter().any(|block| parse(block).is_none()) {
            "unknown_value"
        } else if subnet.cidrs.is_empty() {
            "fact_missing"
        } else {
            match endpoint.ip_address_type.as_deref().unwrap_or_default().to_lowercase().as_str() {
                "ipv4" => of(&[true]),
                "ipv6" => of(&[false]),
                "dualstack" => of(&[true, false]),
                _ if of(&[true]) == of(&[true, false]) => of(&[true]),
                _ => "unknown_value",
            }
        };
        sorted.entry(word).or_default().push(subnet);
    }
    let empty = Vec::new();
    let subnets = |word: &str| sorted.get(word).unwrap_or(&empty);
    for reason in ["no_common_address_family", "fact_missing", "unknown_value"] {
        let ids = not_exempt(subnets(reason));
        if !ids.is_empty() {
            doubt(case, endpoint, CHECK, reason, ids, answer);
        }
    }
    let outside = subnets("not admitted");
    if outside.is_empty() {
        return;
    }
    let nobody_else = ["admitted", "fact_missing", "unknown_value"].iter().all(|word| subnets(word).is_empty());
    let is_default_alone = groups.len() == 1
        && groups[0].is_default
        && doubts == BTreeMap::from([("referenced_group", BTreeSet::from([groups[0].id.clone()]))]);
    if is_default_alone && nobody_else {
        problem(case, endpoint, CHECK, ("default_group_only_members", "MEDIUM"), outside, None, answer);
    } else if !doubts.is_empty() {
        for (reason, ids) in doubts.into_iter().filter(|_| !not_exempt(outside).is_empty()) {
            doubt(case, endpoint, CHECK, reason, ids, answer);
        }
    } else if nobody_else {
        problem(case, endpoint, CHECK, ("no_subnet_admitted", "HIGH"), outside, None, answer);
    } else {
        problem(case, endpoint, CHECK, ("some_subnets_not_admitted", "MEDIUM"), outside, None, answer);
    }
}

// --- endpoint-state --------------------------------------------------------------------------------------------------

fn endpoint_state(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
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
    problem(case, endpoint, CHECK, (defect, "MEDIUM"), &subnets, None, answer);
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

/// The table that the subnet uses: its own, or the main table.
fn table_of<'a>(case: &'a Case, subnet: &Subnet) -> Option<&'a RouteTable> {
    let explicit = case.network.route_tables.iter().find(|table| {
        table.associations.iter().any(|association| association.subnet_id.as_deref() == Some(subnet.id.as_str()))
    });
    explicit.or_else(|| {
        case.network.route_tables.iter().find(|table| {
            table.vpc_id == subnet.vpc_id && table.associations.iter().any(|association| association.main)
        })
    })
}

/// Whether a tag exempts from `gateway-route` for the service. `gateway-route` alone means every service.
fn exempts_service(case: &Case, tag: Option<&String>, service: &str) -> bool {
    let names_a_service = tag
        .is_some_and(|value| value.split([' ', ',', '/']).any(|word| ["s3", "dynamodb", "s3express"].contains(&word)));
    exempts(case, tag, service) || (!names_a_service && exempts(case, tag, "gateway-route"))
}

// --- endpoint-zones --------------------------------------------------------------------------------------------------

/// Zone ids of the VPC's subnets less those of the endpoint's subnets, of the zones that the service offers.
fn endpoint_zones(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
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
        problem(case, endpoint, CHECK, defect, &outside, None, answer);
    }
}

// --- endpoint-private-dns --------------------------------------------------------------------------------------------

/// `PrivateDnsEnabled` false, the service has private names, no other endpoint of that service in the VPC has it on, and
/// nothing central serves the name.
fn endpoint_private_dns(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
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
    let Some(central) = case.facts.central_names.get(&endpoint.vpc_id) else {
        doubt(case, endpoint, CHECK, "fact_missing", BTreeSet::new(), answer);
        return;
    };
    let (mut is_served, mut may_serve) = (false, BTreeSet::new());
    let mut not_read = BTreeSet::new();
    match &central.hosted_zones {
        OptionalRead::Read(zones) => {
            for zone in zones {
                is_served |= service.private_dns_names.iter().any(|name| labels(name) == labels(zone));
                if service.private_dns_names.iter().any(|name| may_hold(name, zone)) {
                    may_serve.insert(zone.clone());
                }
            }
        }
        OptionalRead::Denied => drop(not_read.insert("read_denied")),
        OptionalRead::NotRead => drop(not_read.insert("fact_missing")),
    }
    match &central.profile_resources {
        OptionalRead::Read(resources) => {
            for resource in resources {
                match resource {
                    ProfileResource::Endpoint { service_name: Some(name), .. } => {
                        is_served |= *name == *endpoint.service_name;
                    }
                    ProfileResource::HostedZone { arn: id, .. } | ProfileResource::Endpoint { id, .. } => {
                        may_serve.insert(id.clone());
                    }
                    ProfileResource::Other { .. } => {}
                }
            }
        }
        OptionalRead::Denied => drop(not_read.insert("read_denied")),
        OptionalRead::NotRead => drop(not_read.insert("fact_missing")),
    }
    match &central.forwarded_domains {
        OptionalRead::Read(domains) => {
            let names = &service.private_dns_names;
            let forwards = |domain: &&String| names.iter().any(|name| may_hold(name, domain));
            may_serve.extend(domains.iter().filter(forwards).cloned());
        }
        OptionalRead::Denied => drop(not_read.insert("read_denied")),
        OptionalRead::NotRead => drop(not_read.insert("fact_missing")),
    }
    if is_served {
    } else if !may_serve.is_empty() {
        doubt(case, endpoint, CHECK, "may_be_served_centrally", may_serve, answer);
    } else if let Some(reason) = not_read.into_iter().next_back() {
        // "read_denied" sorts behind "fact_missing", and is the stronger reason.
        doubt(case, endpoint, CHECK, reason, BTreeSet::new(), answer);
    } else {
        let subnets = own_subnets(case, &endpoint.vpc_id);
        problem(case, endpoint, CHECK, ("private_dns_off", "LOW"), &subnets, None, answer);
    }
}

/// The labels of a DNS name from the top, without a leading `*`.
fn labels(name: &str) -> Vec<String> {
    let mut labels: Vec<String> = name.to_lowercase().split('.').map(str::to_owned).collect();
    labels.retain(|label| !label.is_empty() && label != "*");
    labels.reverse();
    labels
}

/// Whether a zone or a rule with this domain can hold the name: it is the name or a parent of it, or it is below a name that
/// stands for all names below it.
fn may_hold(name: &str, domain: &str) -> bool {
    let (of_name, of_domain) = (labels(name), labels(domain));
    of_name.starts_with(&of_domain) || (name.starts_with("*.") && of_domain.starts_with(&of_name))
}
