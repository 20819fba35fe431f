//! `endpoint-access`: it tries every address instead of computing with blocks.

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::network::{
    endpoint_facts::{IngressRule, SecurityGroup, TrafficSource},
    model::{Endpoint, Subnet},
};

use super::{
    Answer, Case, Facts,
    exemption::exempts,
    is_available_interface,
    outcome::{doubt, problem},
    own_subnets,
};

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

/// The ports of a service. A client needs one of them.
fn ports(endpoint: &Endpoint) -> &'static [i32] {
    match endpoint.service_name.as_str() {
        "com.amazonaws.eu-west-1.cassandra" | "com.amazonaws.eu-west-1.cassandra-fips" => &[9142],
        "com.amazonaws.eu-west-1.iot.data" => &[443, 8443, 8883],
        _ => &[443],
    }
}

/// `None` if nobody can say whether the rule is about one of the TCP ports.
fn is_about(ports: &[i32], rule: &IngressRule) -> Option<bool> {
    if rule.protocol == "-1" {
        return Some(true);
    }
    if rule.protocol != "tcp" && rule.protocol != "6" {
        return if rule.protocol == "any" { None } else { Some(false) };
    }
    let range = rule.from_port?..=rule.to_port?;
    Some(ports.iter().any(|port| range.contains(port)))
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

/// The blocks that the groups admit on one of the ports. What is not a block becomes a doubt.
fn admitted_blocks(
    ports: &[i32],
    groups: &[&SecurityGroup],
    doubts: &mut BTreeMap<&str, BTreeSet<String>>,
) -> Vec<(u128, u32, bool)> {
    let mut admitted = Vec::new();
    for group in groups {
        for rule in &group.ingress {
            let Some(is_about_ports) = is_about(ports, rule) else {
                doubts.entry("unknown_value").or_default().insert(group.id.clone());
                continue;
            };
            for source in rule.sources.iter().filter(|_| is_about_ports) {
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

pub(super) fn endpoint_access(case: &Case, endpoint: &Endpoint, answer: &mut Answer) {
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
    let admitted = admitted_blocks(ports(endpoint), &groups, &mut doubts);

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
        problem(case, endpoint, CHECK, ("default_group_only_members", "MEDIUM"), outside, Facts::None, answer);
    } else if !doubts.is_empty() {
        for (reason, ids) in doubts.into_iter().filter(|_| !not_exempt(outside).is_empty()) {
            doubt(case, endpoint, CHECK, reason, ids, answer);
        }
    } else if nobody_else {
        problem(case, endpoint, CHECK, ("no_subnet_admitted", "HIGH"), outside, Facts::None, answer);
    } else {
        problem(case, endpoint, CHECK, ("some_subnets_not_admitted", "MEDIUM"), outside, Facts::None, answer);
    }
}
