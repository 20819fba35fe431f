//! Generates security groups.

use gatewatch::network::endpoint_facts::{IngressRule, SecurityGroup, TrafficSource};
use proptest::{collection::vec, prelude::Just, prop_oneof, sample::select, strategy::Strategy};

use super::networks::{ipv4_block, ipv6_block};

fn rule() -> impl Strategy<Value = IngressRule> {
    let protocol_and_ports = prop_oneof![
        8 => select(vec![
            ("tcp", Some(443), Some(443)),
            ("6", Some(0), Some(65535)),
            ("-1", None, None),
            ("-1", Some(-1), Some(-1)),
            ("tcp", Some(400), Some(500)),
            ("tcp", Some(8443), Some(9142)),
        ]),
        2 => select(vec![
            ("tcp", Some(80), Some(442)),
            ("tcp", Some(444), Some(500)),
            ("udp", Some(443), Some(443)),
            ("17", Some(0), Some(65535)),
            ("icmp", Some(-1), Some(-1)),
            ("icmpv6", None, None),
        ]),
    ];
    let unreadable = select(vec![("tcp", None, None), ("tcp", Some(443), None), ("any", Some(443), Some(443))]);
    let protocol_and_ports = prop_oneof![40 => protocol_and_ports, 1 => unreadable];
    let source = prop_oneof![
        12 => ipv4_block(24..=32).prop_map(TrafficSource::Cidr),
        6 => ipv6_block(120..=128).prop_map(TrafficSource::Cidr),
        2 => select(vec!["0.0.0.0/0", "::/0", "10.0.0.0/8", "2001:db8::/32", "192.0.2.0/24"])
            .prop_map(|block| TrafficSource::Cidr(block.to_owned())),
        1 => Just(TrafficSource::Cidr("10.0.0.0".to_owned())),
        1 => select(vec!["sg-0000000000000dead", "sg-self"]).prop_map(|id| TrafficSource::Group(id.to_owned())),
        1 => Just(TrafficSource::PrefixList("pl-0000000a".to_owned())),
    ];
    (protocol_and_ports, vec(source, 0..=2)).prop_map(|((protocol, from_port, to_port), sources)| IngressRule {
        protocol: protocol.to_owned(),
        from_port,
        to_port,
        sources,
    })
}

/// The default group of the VPC, and up to two more. `sg-self` stands for the group's own id.
pub fn groups() -> impl Strategy<Value = Vec<SecurityGroup>> {
    let admits_itself = IngressRule {
        protocol: "-1".to_owned(),
        sources: vec![TrafficSource::Group("sg-self".to_owned())],
        ..IngressRule::default()
    };
    let of_default = prop_oneof![
        4 => Just(vec![admits_itself.clone()]),
        1 => Just(Vec::new()),
        2 => rule().prop_map(move |rule| vec![admits_itself.clone(), rule]),
    ];
    (of_default, vec(vec(rule(), 0..=3), 0..=2)).prop_map(|(of_default, others)| {
        let default = SecurityGroup { is_default: true, ingress: of_default, ..SecurityGroup::default() };
        let others = others.into_iter().map(|ingress| SecurityGroup { ingress, ..SecurityGroup::default() });
        std::iter::once(default).chain(others).collect()
    })
}
