//! What the ingress rules of an endpoint's security groups admit on the TCP ports of its service.
//!
//! Rules add up, within a group and across groups: a packet is admitted if one rule admits it
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html>).

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::{
    checks::endpoint_problem::GroupEvidence,
    network::{
        endpoint_facts::{IngressRule, SecurityGroup, TrafficSource},
        model::{Endpoint, Subnet},
    },
};

/// The ids of protocols other than TCP that EC2 returns as names.
const OTHER_PROTOCOLS: [&str; 4] = ["udp", "icmp", "icmpv6", "icmp6"];

/// Whether a rule is about one of the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    /// The rule has a form that this version does not know.
    Unknown,
}

fn matches(rule: &IngressRule, ports: &[u16]) -> Match {
    let protocol = rule.protocol.to_ascii_lowercase();
    match protocol.as_str() {
        // All protocols: EC2 ignores ports.
        "-1" => Match::Yes,
        "tcp" | "6" => match (rule.from_port, rule.to_port) {
            (Some(from), Some(to)) if ports.iter().any(|&port| (from..=to).contains(&i32::from(port))) => Match::Yes,
            (Some(_), Some(_)) => Match::No,
            _ => Match::Unknown,
        },
        name if OTHER_PROTOCOLS.contains(&name) || name.parse::<u8>().is_ok() => Match::No,
        _ => Match::Unknown,
    }
}

/// What the groups of one endpoint admit.
#[derive(Debug, Default)]
pub(super) struct Ingress {
    /// The address blocks.
    blocks: Vec<IpNet>,
    /// What each group admits, for the evidence.
    pub(super) groups: Vec<GroupEvidence>,
    /// The ids of groups with a rule that this version cannot read.
    pub(super) unreadable: BTreeSet<String>,
}

impl Ingress {
    /// What these groups admit on one of the ports.
    pub(super) fn of(groups: &[&SecurityGroup], ports: &[u16]) -> Self {
        let mut ingress = Self::default();
        for group in groups {
            ingress.add(group, ports);
        }
        ingress
    }

    fn add(&mut self, group: &SecurityGroup, ports: &[u16]) {
        let mut evidence = GroupEvidence { id: group.id.clone(), is_default: group.is_default, ..Default::default() };
        for rule in &group.ingress {
            match matches(rule, ports) {
                Match::No => continue,
                Match::Unknown => {
                    self.unreadable.insert(group.id.clone());
                    continue;
                }
                Match::Yes => {}
            }
            for source in &rule.sources {
                match source {
                    TrafficSource::Group(id) => evidence.group_ids.push(id.clone()),
                    TrafficSource::PrefixList(id) => evidence.prefix_list_ids.push(id.clone()),
                    TrafficSource::Cidr(text) => match text.parse() {
                        Ok(block) => {
                            self.blocks.push(block);
                            evidence.cidrs.push(text.clone());
                        }
                        Err(_) => {
                            self.unreadable.insert(group.id.clone());
                        }
                    },
                }
            }
        }
        for list in [&mut evidence.cidrs, &mut evidence.group_ids, &mut evidence.prefix_list_ids] {
            list.sort();
            list.dedup();
        }
        self.groups.push(evidence);
    }

    /// The ids of the groups whose members are admitted.
    pub(super) fn referenced_groups(&self) -> BTreeSet<String> {
        self.groups.iter().flat_map(|group| &group.group_ids).cloned().collect()
    }

    /// The ids of the prefix lists that are admitted.
    pub(super) fn prefix_lists(&self) -> BTreeSet<String> {
        self.groups.iter().flat_map(|group| &group.prefix_list_ids).cloned().collect()
    }

    /// Whether a part of one of the blocks is admitted. Two blocks have a part in common only if one contains the other.
    fn admits_part_of(&self, blocks: &[IpNet]) -> bool {
        let overlap = |a: &IpNet, b: &IpNet| a.contains(b) || b.contains(a);
        self.blocks.iter().any(|admitted| blocks.iter().any(|block| overlap(admitted, block)))
    }

    /// Whether a part of the subnet is admitted.
    pub(super) fn admits(&self, subnet: &Subnet, families: Families) -> Admission {
        let Some(blocks) = blocks_of(subnet) else { return Admission::UnreadableBlock };
        if blocks.is_empty() {
            return Admission::NoBlock;
        }
        match families {
            Families::Unknown => match (self.admission(&blocks, true, false), self.admission(&blocks, true, true)) {
                (as_ipv4, as_dual_stack) if as_ipv4 == as_dual_stack => as_ipv4,
                _ => Admission::UnknownFamily,
            },
            Families::Known { ipv4, ipv6 } => self.admission(&blocks, ipv4, ipv6),
        }
    }

    fn admission(&self, blocks: &[IpNet], ipv4: bool, ipv6: bool) -> Admission {
        let blocks = common_blocks(blocks, ipv4, ipv6);
        if blocks.is_empty() {
            Admission::NoCommonFamily
        } else if self.admits_part_of(&blocks) {
            Admission::Admitted
        } else {
            Admission::NotAdmitted
        }
    }
}

/// Whether an endpoint admits a part of a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// A part of it is admitted.
    Admitted,
    /// No part of it is admitted by address.
    NotAdmitted,
    /// The subnet has no block of an address family that the endpoint has.
    NoCommonFamily,
    /// The answer depends on the address families of the endpoint, which are not known.
    UnknownFamily,
    /// The subnet has no block that is known.
    NoBlock,
    /// A block of the subnet cannot be read.
    UnreadableBlock,
}

/// The address families of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Families {
    /// EC2 returned the address type.
    Known {
        /// Whether it has IPv4 addresses.
        ipv4: bool,
        /// Whether it has IPv6 addresses.
        ipv6: bool,
    },
    /// EC2 returned none, or one that this version does not know. Such an endpoint has IPv4 addresses, because all
    /// endpoints had them before there was a choice.
    Unknown,
}

impl From<&Endpoint> for Families {
    fn from(endpoint: &Endpoint) -> Self {
        match endpoint.ip_address_type.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("ipv4") => Self::Known { ipv4: true, ipv6: false },
            Some("ipv6") => Self::Known { ipv4: false, ipv6: true },
            Some("dualstack") => Self::Known { ipv4: true, ipv6: true },
            _ => Self::Unknown,
        }
    }
}

/// The blocks of these subnets that the endpoint's families have, merged where they adjoin. They are what a new rule has
/// to admit.
pub(super) fn blocks_to_admit(subnets: &[&Subnet], families: Families) -> Vec<String> {
    let (ipv4, ipv6) = match families {
        Families::Known { ipv4, ipv6 } => (ipv4, ipv6),
        Families::Unknown => (true, false),
    };
    let blocks: Vec<IpNet> = subnets.iter().filter_map(|subnet| blocks_of(subnet)).flatten().collect();
    IpNet::aggregate(&common_blocks(&blocks, ipv4, ipv6)).iter().map(ToString::to_string).collect()
}

fn common_blocks(blocks: &[IpNet], ipv4: bool, ipv6: bool) -> Vec<IpNet> {
    blocks.iter().copied().filter(|block| if matches!(block, IpNet::V4(_)) { ipv4 } else { ipv6 }).collect()
}

/// All blocks of a subnet. `None` if one cannot be read.
fn blocks_of(subnet: &Subnet) -> Option<Vec<IpNet>> {
    subnet.blocks().map(|block| block.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(protocol: &str, ports: Option<(i32, i32)>) -> IngressRule {
        IngressRule {
            protocol: protocol.into(),
            from_port: ports.map(|(from, _)| from),
            to_port: ports.map(|(_, to)| to),
            sources: Vec::new(),
        }
    }

    #[test]
    fn a_rule_matches_if_it_includes_a_port() {
        for (protocol, ports, expected) in [
            ("tcp", Some((443, 443)), Match::Yes),
            ("TCP", Some((0, 65535)), Match::Yes),
            ("6", Some((400, 443)), Match::Yes),
            ("6", Some((443, 500)), Match::Yes),
            ("-1", None, Match::Yes),
            ("-1", Some((22, 22)), Match::Yes),
            ("tcp", Some((444, 65535)), Match::No),
            ("tcp", Some((0, 442)), Match::No),
            ("tcp", Some((500, 400)), Match::No),
            ("udp", Some((443, 443)), Match::No),
            ("17", Some((443, 443)), Match::No),
            ("icmp", Some((-1, -1)), Match::No),
            ("58", None, Match::No),
            ("icmpv6", None, Match::No),
            ("tcp", None, Match::Unknown),
            ("all", Some((443, 443)), Match::Unknown),
            ("256", None, Match::Unknown),
            ("", None, Match::Unknown),
        ] {
            assert_eq!(matches(&rule(protocol, ports), &[443]), expected, "{protocol} {ports:?}");
        }
        let half = IngressRule { from_port: Some(0), ..rule("tcp", None) };
        assert_eq!(matches(&half, &[443]), Match::Unknown);
        for (from, to, expected) in [(8443, 8443, Match::Yes), (443, 443, Match::Yes), (444, 8442, Match::No)] {
            assert_eq!(matches(&rule("tcp", Some((from, to))), &[443, 8443]), expected, "{from} to {to}");
        }
    }

    #[test]
    fn the_address_type_is_compared_without_case() {
        let families = |kind: Option<&str>| {
            Families::from(&Endpoint { ip_address_type: kind.map(Into::into), ..Endpoint::default() })
        };
        let known = |ipv4, ipv6| Families::Known { ipv4, ipv6 };
        assert_eq!(families(Some("ipv4")), known(true, false));
        assert_eq!(families(Some("IPv6")), known(false, true));
        assert_eq!(families(Some("dualstack")), known(true, true));
        assert_eq!([families(None), families(Some("")), families(Some("ipv8"))], [Families::Unknown; 3]);
    }
}
