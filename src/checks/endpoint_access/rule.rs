//! Do the security groups of an interface endpoint admit the subnets of its VPC?
//!
//! For each own subnet of the VPC, the rules of all groups together, for any of the TCP ports of the service (`ports.rs`),
//! in the address families that the endpoint has:
//!
//! | given a subnet | then |
//! |---|---|
//! | a part of one of its blocks is in a block that a rule admits | admitted |
//! | no block of a family that the endpoint has | not assessed: `no_common_address_family` |
//! | no known block | not assessed: `fact_missing` |
//! | a block that cannot be read, or the answer depends on families that EC2 does not name | not assessed: `unknown_value` |
//! | any other | not admitted by address |
//!
//! | given subnets that are not admitted by address, and | then |
//! |---|---|
//! | only the VPC's default group, which admits only itself, and no subnet that is or may be admitted | `default_group_only_members`, `MEDIUM` |
//! | a rule that admits members of a group | these subnets are not assessed: `referenced_group` |
//! | a rule that admits a prefix list | these subnets are not assessed: `prefix_list` |
//! | a rule that cannot be read | these subnets are not assessed: `unknown_value` |
//! | a group that is not visible | these subnets are not assessed: `group_not_visible` |
//! | none of these, and no subnet that is or may be admitted | `no_subnet_admitted`, `HIGH` |
//! | none of these, and subnets that are or may be admitted | `some_subnets_not_admitted`, `MEDIUM` |
//!
//! | given an endpoint | then |
//! |---|---|
//! | without a group | it has the VPC's default group, which EC2 uses if nobody names one; `fact_missing` if that is not known |
//! | in a VPC whose subnets all belong to another account | not assessed: `shared_subnet` |
//! | that is not an available interface endpoint | not judged |

use std::collections::BTreeSet;

use crate::{
    checks::{
        check::CheckName,
        endpoint_access::{
            ingress::{Admission, Families, Ingress, blocks_to_admit},
            ports::ports_of,
        },
        endpoint_context::{Decided, Draft, EndpointContext, short_name},
        endpoint_problem::{Defect, EndpointCaution, EndpointFix, EndpointVerdict, Evidence, UnassessedReason},
        needed_facts::NeededFacts,
        severity::Severity,
    },
    network::{
        endpoint_facts::SecurityGroup,
        model::{Endpoint, Subnet},
    },
};

const CHECK: CheckName = CheckName::EndpointAccess;

/// The number of rules per address family that a security group has room for by default.
const DEFAULT_RULES: usize = 60;

/// Judges the security groups of all available interface endpoints.
pub fn evaluate(context: &EndpointContext<'_>, verdict: &mut EndpointVerdict) {
    for endpoint in context.available_interfaces() {
        judge(context, endpoint, verdict);
    }
}

/// Adds the facts that [`evaluate`] needs.
pub fn needs(context: &EndpointContext<'_>, needed: &mut NeededFacts) {
    for endpoint in context.available_interfaces() {
        if endpoint.security_group_ids.is_empty() {
            needed.default_groups_of.insert(endpoint.vpc_id.clone());
        }
        needed.group_ids.extend(endpoint.security_group_ids.iter().cloned());
    }
}

/// The subnets of an endpoint's VPC, by what its groups say about them.
#[derive(Debug, Default)]
struct Subnets<'a> {
    admitted: Vec<&'a Subnet>,
    not_admitted: Vec<&'a Subnet>,
    no_common_family: Vec<&'a Subnet>,
    no_block: Vec<&'a Subnet>,
    unknown: Vec<&'a Subnet>,
}

impl<'a> Subnets<'a> {
    fn of(subnets: &[&'a Subnet], ingress: &Ingress, families: Families) -> Self {
        let mut sorted = Self::default();
        for &subnet in subnets {
            match ingress.admits(subnet, families) {
                Admission::Admitted => sorted.admitted.push(subnet),
                Admission::NotAdmitted => sorted.not_admitted.push(subnet),
                Admission::NoCommonFamily => sorted.no_common_family.push(subnet),
                Admission::NoBlock => sorted.no_block.push(subnet),
                Admission::UnknownFamily | Admission::UnreadableBlock => sorted.unknown.push(subnet),
            }
        }
        sorted
    }

    /// Whether a subnet is admitted, or may be.
    fn may_admit_any(&self) -> bool {
        !(self.admitted.is_empty() && self.no_block.is_empty() && self.unknown.is_empty())
    }
}

fn judge(context: &EndpointContext<'_>, endpoint: &Endpoint, verdict: &mut EndpointVerdict) {
    let own = context.subnets_of(&endpoint.vpc_id);
    if own.is_empty() {
        let foreign = context.input.network.subnets.iter().filter(|subnet| subnet.vpc_id == endpoint.vpc_id);
        let foreign: Vec<&Subnet> = foreign.collect();
        context.doubt_subnets(CHECK, endpoint, UnassessedReason::SharedSubnet, &foreign, verdict);
        return;
    }
    let (groups, invisible) = groups_of(context, endpoint);
    if groups.is_empty() && invisible.is_empty() {
        context.doubt(CHECK, endpoint, UnassessedReason::FactMissing, [], verdict);
        return;
    }
    let ports = ports_of(short_name(&endpoint.service_name, &context.input.account_region.region));
    let (ingress, families) = (Ingress::of(&groups, ports), Families::from(endpoint));
    let subnets = Subnets::of(own, &ingress, families);
    for (reason, in_doubt) in [
        (UnassessedReason::NoCommonAddressFamily, &subnets.no_common_family),
        (UnassessedReason::FactMissing, &subnets.no_block),
        (UnassessedReason::UnknownValue, &subnets.unknown),
    ] {
        context.doubt_subnets(CHECK, endpoint, reason, in_doubt, verdict);
    }
    if subnets.not_admitted.is_empty() {
        return;
    }
    let decision = if admits_only_itself(&groups, &invisible, &ingress) && !subnets.may_admit_any() {
        Some((Defect::DefaultGroupOnlyMembers, Severity::Medium))
    } else if report_doubts_of_groups(context, endpoint, &ingress, invisible, &subnets.not_admitted, verdict) {
        None
    } else if subnets.may_admit_any() {
        Some((Defect::SomeSubnetsNotAdmitted, Severity::Medium))
    } else {
        Some((Defect::NoSubnetAdmitted, Severity::High))
    };
    let (Some((defect, severity)), Some(group), [port, other_ports @ ..]) = (decision, groups.first(), ports) else {
        return;
    };
    let affected = subnets.not_admitted;
    let to_admit: Vec<&Subnet> =
        affected.iter().copied().filter(|subnet| !context.is_subnet_exempt(subnet, CHECK)).collect();
    let cidrs = blocks_to_admit(&to_admit, families);
    let mut cautions = BTreeSet::from([EndpointCaution::GroupIsShared, EndpointCaution::NetworkAcls]);
    cautions.extend((!other_ports.is_empty()).then_some(EndpointCaution::OneOfSeveralPorts));
    let of_ipv6 = cidrs.iter().filter(|block| block.contains(':')).count();
    let of_one_family = of_ipv6.max(cidrs.len() - of_ipv6);
    cautions.extend((of_one_family > DEFAULT_RULES).then_some(EndpointCaution::ManyRules));
    let decided = Decided {
        defect,
        severity,
        subnets: affected,
        evidence: Evidence::SecurityGroups { ports: ports.to_vec(), groups: ingress.groups },
        fix: EndpointFix::AuthorizeIngress { group_id: group.id.clone(), port: *port, cidrs },
        cautions,
    };
    context.report(CHECK, Draft::of_endpoint(endpoint, decided), verdict);
}

/// The visible groups of the endpoint, sorted by id, and the ids of the others.
fn groups_of<'a>(context: &EndpointContext<'a>, endpoint: &Endpoint) -> (Vec<&'a SecurityGroup>, BTreeSet<String>) {
    let known = &context.input.facts.security_groups;
    if endpoint.security_group_ids.is_empty() {
        let default = known.values().filter(|group| group.is_default && group.vpc_id == endpoint.vpc_id);
        return (default.collect(), BTreeSet::new());
    }
    let ids: BTreeSet<&String> = endpoint.security_group_ids.iter().collect();
    let invisible = ids.iter().filter(|id| !known.contains_key(**id)).map(|&id| id.clone()).collect();
    (ids.into_iter().filter_map(|id| known.get(id)).collect(), invisible)
}

/// Whether the only group is the VPC's default group, and all that it admits without an address is its own members.
fn admits_only_itself(groups: &[&SecurityGroup], invisible: &BTreeSet<String>, ingress: &Ingress) -> bool {
    let [group] = groups else { return false };
    group.is_default
        && invisible.is_empty()
        && ingress.unreadable.is_empty()
        && ingress.prefix_lists().is_empty()
        && ingress.referenced_groups() == BTreeSet::from([group.id.clone()])
}

/// Reports why the groups may admit these subnets in a way that addresses do not show. `false` if they cannot. Says
/// nothing about subnets that are exempt.
fn report_doubts_of_groups(
    context: &EndpointContext<'_>,
    endpoint: &Endpoint,
    ingress: &Ingress,
    invisible: BTreeSet<String>,
    subnets: &[&Subnet],
    verdict: &mut EndpointVerdict,
) -> bool {
    let doubts = [
        (UnassessedReason::ReferencedGroup, ingress.referenced_groups()),
        (UnassessedReason::PrefixList, ingress.prefix_lists()),
        (UnassessedReason::UnknownValue, ingress.unreadable.clone()),
        (UnassessedReason::GroupNotVisible, invisible),
    ];
    let is_in_doubt = doubts.iter().any(|(_, ids)| !ids.is_empty());
    let is_exempt = subnets.iter().all(|subnet| context.is_subnet_exempt(subnet, CHECK));
    for (reason, ids) in doubts.into_iter().filter(|(_, ids)| !ids.is_empty() && !is_exempt) {
        context.doubt(CHECK, endpoint, reason, ids, verdict);
    }
    is_in_doubt
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::{
            endpoint_problem::{EndpointProblem, GroupEvidence, Unassessed},
            endpoint_testing::{Decision, VPC, World, doubt, doubts, exempt, only, problem, subnet_with},
        },
        network::{
            endpoint_facts::{IngressRule, TrafficSource},
            testing::interface_endpoint,
        },
    };

    const A: &str = "subnet-0000000a";
    const B: &str = "subnet-0000000b";
    const GROUP: &str = "sg-0000000a";

    /// An endpoint with these groups.
    fn endpoint(groups: &[&str]) -> Endpoint {
        Endpoint {
            ip_address_type: Some("ipv4".into()),
            security_group_ids: groups.iter().map(|&id| id.to_owned()).collect(),
            ..interface_endpoint("vpce-0000000a", VPC, "ssm")
        }
    }

    fn cidr(block: &str) -> TrafficSource {
        TrafficSource::Cidr(block.into())
    }

    fn members_of(group: &str) -> TrafficSource {
        TrafficSource::Group(group.into())
    }

    /// A rule for TCP port 443.
    fn https(sources: &[TrafficSource]) -> IngressRule {
        IngressRule { protocol: "tcp".into(), from_port: Some(443), to_port: Some(443), sources: sources.into() }
    }

    fn group(id: &str, ingress: &[IngressRule]) -> SecurityGroup {
        SecurityGroup { id: id.into(), vpc_id: VPC.into(), ingress: ingress.into(), ..SecurityGroup::default() }
    }

    /// The VPC's default group, which admits its own members and these sources.
    fn default_group(sources: &[TrafficSource]) -> SecurityGroup {
        let all = IngressRule { protocol: "-1".into(), sources: vec![members_of(GROUP)], ..IngressRule::default() };
        SecurityGroup { is_default: true, ..group(GROUP, &[all, https(sources)]) }
    }

    fn world(endpoint: &Endpoint, subnets: &[Subnet], groups: &[SecurityGroup]) -> World {
        let mut world = World::new(subnets, std::slice::from_ref(endpoint));
        world.facts.security_groups = groups.iter().map(|group| (group.id.clone(), group.clone())).collect();
        world
    }

    /// What the rule says about an endpoint whose only group has these rules.
    fn verdict(subnets: &[Subnet], ingress: &[IngressRule]) -> EndpointVerdict {
        world(&endpoint(&[GROUP]), subnets, &[group(GROUP, ingress)]).verdict(evaluate)
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn evidence(cidrs: &[&str]) -> GroupEvidence {
        GroupEvidence { id: GROUP.into(), cidrs: texts(cidrs), ..GroupEvidence::default() }
    }

    fn expected(
        (defect, severity): (Defect, Severity),
        subnets: &[&Subnet],
        groups: Vec<GroupEvidence>,
        to_admit: &[&str],
    ) -> EndpointProblem {
        let decision = Decision {
            defect,
            severity,
            evidence: Evidence::SecurityGroups { ports: vec![443], groups },
            fix: EndpointFix::AuthorizeIngress { group_id: GROUP.into(), port: 443, cidrs: texts(to_admit) },
            cautions: vec![EndpointCaution::GroupIsShared, EndpointCaution::NetworkAcls],
        };
        problem(CHECK, &endpoint(&[GROUP]), subnets, decision)
    }

    fn none_admitted(subnets: &[&Subnet], groups: Vec<GroupEvidence>, to_admit: &[&str]) -> EndpointVerdict {
        only(expected((Defect::NoSubnetAdmitted, Severity::High), subnets, groups, to_admit))
    }

    fn some_not_admitted(subnets: &[&Subnet], groups: Vec<GroupEvidence>, to_admit: &[&str]) -> EndpointVerdict {
        only(expected((Defect::SomeSubnetsNotAdmitted, Severity::Medium), subnets, groups, to_admit))
    }

    fn in_doubt(reason: UnassessedReason, ids: &[&str]) -> Unassessed {
        doubt(CHECK, &endpoint(&[GROUP]), reason, ids)
    }

    #[test]
    fn a_service_with_other_ports_is_judged_on_them() {
        let rule = |port| IngressRule { from_port: Some(port), to_port: Some(port), ..https(&[cidr("10.0.0.0/16")]) };
        let subnets = [subnet_with(A, &["10.0.1.0/24"])];
        let judged = |service: &str, port| {
            let service_name = format!("com.amazonaws.eu-west-1.{service}").into();
            let endpoint = Endpoint { service_name, ..endpoint(&[GROUP]) };
            let verdict = world(&endpoint, &subnets, &[group(GROUP, &[rule(port)])]).verdict(evaluate);
            let [EndpointProblem { evidence, fix, cautions, .. }] = verdict.problems.try_into().ok()?;
            let Evidence::SecurityGroups { ports, .. } = evidence else { panic!("{evidence:?}") };
            let EndpointFix::AuthorizeIngress { port, .. } = fix else { panic!("{fix:?}") };
            Some((ports, port, cautions.contains(&EndpointCaution::OneOfSeveralPorts)))
        };
        assert_eq!(judged("cassandra", 9142), None);
        assert_eq!(judged("cassandra", 443), Some((vec![9142], 9142, false)));
        assert_eq!(judged("email-smtp", 465), None);
        assert_eq!(judged("email-smtp", 443), Some((vec![587, 25, 465, 2465, 2587], 587, true)));
        assert_eq!(judged("ssm", 9142), Some((vec![443], 443, false)));
    }

    #[test]
    fn more_rules_of_one_family_than_a_group_has_room_for_are_told() {
        let is_told = |ipv4: usize, ipv6: usize| {
            let in_ipv4 = (0..ipv4).map(|n| format!("10.0.{}.0/24", 2 * n));
            let in_ipv6 = (0..ipv6).map(|n| format!("2001:db8:0:{:x}::/64", 2 * n));
            let subnets: Vec<Subnet> = (in_ipv4.chain(in_ipv6).enumerate())
                .map(|(n, block)| subnet_with(&format!("subnet-{n:08}"), &[&block]))
                .collect();
            let endpoint = Endpoint { ip_address_type: Some("dualstack".into()), ..endpoint(&[GROUP]) };
            let [EndpointProblem { cautions, .. }] =
                world(&endpoint, &subnets, &[group(GROUP, &[])]).verdict(evaluate).problems.try_into().unwrap();
            cautions.contains(&EndpointCaution::ManyRules)
        };
        assert_eq!([is_told(60, 60), is_told(61, 0), is_told(0, 61)], [false, true, true]);
    }

    /// A subnet in the primary block of the VPC, and one in a secondary block.
    fn two_subnets() -> [Subnet; 2] {
        [subnet_with(A, &["10.0.1.0/24"]), subnet_with(B, &["100.64.0.0/26"])]
    }

    // A part of one of its blocks is in a block that a rule admits: admitted.

    #[test]
    fn an_endpoint_that_admits_a_part_of_every_subnet_is_in_order() {
        for sources in [
            &[cidr("0.0.0.0/0")][..],
            &[cidr("10.0.0.0/16"), cidr("100.64.0.0/10")],
            &[cidr("10.0.1.0/24"), cidr("100.64.0.0/26")],
            &[cidr("10.0.1.77/32"), cidr("100.64.0.63/32")],
            &[cidr("10.0.1.128/25"), cidr("100.64.0.0/27")],
        ] {
            assert_eq!(verdict(&two_subnets(), &[https(sources)]), EndpointVerdict::default(), "{sources:?}");
        }
    }

    #[test]
    fn the_rules_of_all_groups_add_up() {
        let groups =
            [group(GROUP, &[https(&[cidr("10.0.1.0/24")])]), group("sg-0000000b", &[https(&[cidr("100.64.0.0/26")])])];
        let world = world(&endpoint(&[GROUP, "sg-0000000b"]), &two_subnets(), &groups);
        assert_eq!(world.verdict(evaluate), EndpointVerdict::default());
        let two_rules = [https(&[cidr("10.0.1.0/24")]), https(&[cidr("100.64.0.0/26")])];
        assert_eq!(verdict(&two_subnets(), &two_rules), EndpointVerdict::default());
    }

    #[test]
    fn a_referenced_group_is_no_doubt_if_addresses_admit_every_subnet() {
        let sources = [cidr("0.0.0.0/0"), members_of("sg-0000000c"), TrafficSource::PrefixList("pl-0000000a".into())];
        assert_eq!(verdict(&two_subnets(), &[https(&sources)]), EndpointVerdict::default());
    }

    // No block of a family that the endpoint has: not assessed.

    #[test]
    fn the_families_of_the_endpoint_decide_which_blocks_count() {
        let dual = subnet_with(A, &["10.0.1.0/24", "2001:db8:0:1::/64"]);
        let ipv6_only = subnet_with(A, &["2001:db8:0:1::/64"]);
        let ipv4_only = subnet_with(A, &["10.0.1.0/24"]);
        let no_family = || Err(UnassessedReason::NoCommonAddressFamily);
        let unknown = || Err(UnassessedReason::UnknownValue);
        for (kind, subnet, source, expected) in [
            (Some("ipv4"), &dual, "10.0.1.0/24", Ok(true)),
            (Some("ipv4"), &dual, "2001:db8::/32", Ok(false)),
            (Some("ipv6"), &dual, "10.0.1.0/24", Ok(false)),
            (Some("ipv6"), &dual, "2001:db8::/32", Ok(true)),
            (Some("dualstack"), &dual, "10.0.1.0/24", Ok(true)),
            (Some("dualstack"), &dual, "::/0", Ok(true)),
            (Some("dualstack"), &dual, "2001:db8:0:2::/64", Ok(false)),
            (Some("ipv4"), &ipv6_only, "::/0", no_family()),
            (Some("ipv6"), &ipv4_only, "0.0.0.0/0", no_family()),
            (Some("dualstack"), &ipv6_only, "::/0", Ok(true)),
            (None, &dual, "10.0.1.0/24", Ok(true)),
            (None, &dual, "::/0", unknown()),
            (None, &dual, "192.0.2.0/24", Ok(false)),
            (None, &ipv6_only, "::/0", unknown()),
            (None, &ipv4_only, "10.0.1.0/24", Ok(true)),
        ] {
            let endpoint = Endpoint { ip_address_type: kind.map(Into::into), ..endpoint(&[GROUP]) };
            let groups = [group(GROUP, &[https(&[cidr(source)])])];
            let verdict = world(&endpoint, std::slice::from_ref(subnet), &groups).verdict(evaluate);
            let seen = match verdict.unassessed.first() {
                Some(unassessed) => Err(unassessed.reason),
                None => Ok(verdict.problems.is_empty()),
            };
            assert_eq!(seen, expected, "{kind:?} {:?} {source}", subnet.cidrs);
        }
    }

    // No known block, or one that cannot be read: not assessed.

    #[test]
    fn a_subnet_whose_blocks_are_not_known_is_not_assessed() {
        let [known, _] = two_subnets();
        let rules = [https(&[cidr("10.0.0.0/8")])];
        for (cidrs, reason) in
            [(&[][..], UnassessedReason::FactMissing), (&["10.0.2.0/24", "10.0.3"], UnassessedReason::UnknownValue)]
        {
            let subnets = [known.clone(), subnet_with(B, cidrs)];
            assert_eq!(verdict(&subnets, &rules), doubts([in_doubt(reason, &[B])]), "{cidrs:?}");
        }
    }

    // Only the VPC's default group, which admits only itself.

    fn default_evidence(cidrs: &[&str]) -> GroupEvidence {
        GroupEvidence { is_default: true, group_ids: texts(&[GROUP]), ..evidence(cidrs) }
    }

    #[test]
    fn the_default_group_alone_admits_only_its_members() {
        let [a, b] = two_subnets();
        let expected = only(expected(
            (Defect::DefaultGroupOnlyMembers, Severity::Medium),
            &[&a, &b],
            vec![default_evidence(&[])],
            &["10.0.1.0/24", "100.64.0.0/26"],
        ));
        let named = world(&endpoint(&[GROUP]), &[a.clone(), b.clone()], &[default_group(&[])]);
        assert_eq!(named.verdict(evaluate), expected);
        // An endpoint without a group has the default group.
        let unnamed = world(&endpoint(&[]), &[a, b], &[default_group(&[]), group("sg-0000000b", &[])]);
        assert_eq!(unnamed.verdict(evaluate), expected);
    }

    #[test]
    fn the_default_group_with_other_sources_is_judged_like_any_group() {
        let [a, b] = two_subnets();
        let referenced = |ids: &[&str]| doubts([in_doubt(UnassessedReason::ReferencedGroup, ids)]);
        for (sources, expected) in [
            (&[cidr("10.0.1.0/24")][..], referenced(&[GROUP])),
            (&[members_of("sg-0000000c")], referenced(&[GROUP, "sg-0000000c"])),
            (&[cidr("0.0.0.0/0")], EndpointVerdict::default()),
        ] {
            let world = world(&endpoint(&[GROUP]), &[a.clone(), b.clone()], &[default_group(sources)]);
            assert_eq!(world.verdict(evaluate), expected, "{sources:?}");
        }
    }

    #[test]
    fn a_default_group_without_rules_admits_nobody() {
        let [a, b] = two_subnets();
        let group = SecurityGroup { is_default: true, ..group(GROUP, &[]) };
        let none = GroupEvidence { is_default: true, ..evidence(&[]) };
        let world = world(&endpoint(&[GROUP]), &[a.clone(), b.clone()], &[group]);
        assert_eq!(world.verdict(evaluate), none_admitted(&[&a, &b], vec![none], &["10.0.1.0/24", "100.64.0.0/26"]));
    }

    // A rule that admits members of a group or a prefix list, or that cannot be read; a group that is not visible.

    #[test]
    fn what_cannot_be_judged_by_address_is_not_assessed() {
        let unreadable = || vec![in_doubt(UnassessedReason::UnknownValue, &[GROUP])];
        for (rule, expected) in [
            (https(&[members_of("sg-0000000c")]), vec![in_doubt(UnassessedReason::ReferencedGroup, &["sg-0000000c"])]),
            (https(&[members_of(GROUP)]), vec![in_doubt(UnassessedReason::ReferencedGroup, &[GROUP])]),
            (
                https(&[TrafficSource::PrefixList("pl-0000000a".into()), cidr("10.0.1.0/24")]),
                vec![in_doubt(UnassessedReason::PrefixList, &["pl-0000000a"])],
            ),
            (
                https(&[TrafficSource::PrefixList("pl-0000000a".into()), members_of("sg-0000000c")]),
                vec![
                    in_doubt(UnassessedReason::PrefixList, &["pl-0000000a"]),
                    in_doubt(UnassessedReason::ReferencedGroup, &["sg-0000000c"]),
                ],
            ),
            (https(&[cidr("anywhere")]), unreadable()),
            (IngressRule { from_port: None, ..https(&[cidr("0.0.0.0/0")]) }, unreadable()),
        ] {
            assert_eq!(verdict(&two_subnets(), std::slice::from_ref(&rule)), doubts(expected), "{rule:?}");
        }
        let hidden = world(&endpoint(&[GROUP, "sg-0000000b"]), &two_subnets(), &[group(GROUP, &[])]);
        let expected = doubt(CHECK, &endpoint(&[]), UnassessedReason::GroupNotVisible, &["sg-0000000b"]);
        assert_eq!(hidden.verdict(evaluate), doubts([expected]));
    }

    #[test]
    fn a_referenced_group_in_a_rule_for_another_port_is_no_doubt() {
        let [a, _] = two_subnets();
        let ssh = IngressRule { from_port: Some(22), to_port: Some(22), ..https(&[members_of("sg-0000000c")]) };
        let expected = none_admitted(&[&a], vec![evidence(&[])], &["10.0.1.0/24"]);
        assert_eq!(verdict(std::slice::from_ref(&a), &[ssh]), expected);
    }

    // None of these.

    #[test]
    fn an_endpoint_that_admits_no_subnet_is_a_problem() {
        let [a, b] = two_subnets();
        for (sources, cidrs) in [
            (vec![], vec![]),
            (vec![cidr("10.0.2.0/24"), cidr("10.0.0.0/24")], vec!["10.0.0.0/24", "10.0.2.0/24"]),
            (vec![cidr("::/0")], vec!["::/0"]),
        ] {
            let expected = none_admitted(&[&a, &b], vec![evidence(&cidrs)], &["10.0.1.0/24", "100.64.0.0/26"]);
            assert_eq!(verdict(&[b.clone(), a.clone()], &[https(&sources)]), expected, "{sources:?}");
        }
    }

    #[test]
    fn an_endpoint_that_does_not_admit_a_secondary_block_is_a_smaller_problem() {
        let [a, b] = two_subnets();
        let expected = some_not_admitted(&[&b], vec![evidence(&["10.0.0.0/16"])], &["100.64.0.0/26"]);
        assert_eq!(verdict(&[a, b], &[https(&[cidr("10.0.0.0/16")])]), expected);
    }

    #[test]
    fn a_subnet_in_doubt_may_be_admitted() {
        let [a, _] = two_subnets();
        let unknown = subnet_with(B, &[]);
        let mut expected = some_not_admitted(&[&a], vec![evidence(&[])], &["10.0.1.0/24"]);
        expected.unassessed.insert(in_doubt(UnassessedReason::FactMissing, &[B]));
        assert_eq!(verdict(&[a, unknown], &[]), expected);
    }

    #[test]
    fn the_fix_admits_what_is_missing_merged_and_in_the_families_of_the_endpoint() {
        let subnets = [
            subnet_with(A, &["10.0.0.0/24", "2001:db8:0:1::/64"]),
            subnet_with(B, &["10.0.1.0/24"]),
            Subnet { exemption: Some("*".into()), ..subnet_with("subnet-0000000c", &["10.0.2.0/24"]) },
        ];
        for (kind, to_admit) in [("ipv4", &["10.0.0.0/23"][..]), ("dualstack", &["10.0.0.0/23", "2001:db8:0:1::/64"])] {
            let endpoint = Endpoint { ip_address_type: Some(kind.into()), ..endpoint(&[GROUP]) };
            let world = world(&endpoint, &subnets, &[group(GROUP, &[])]);
            let expected = none_admitted(&[&subnets[0], &subnets[1]], vec![evidence(&[])], to_admit);
            assert_eq!(world.verdict(evaluate), expected, "{kind}");
        }
    }

    // Endpoints.

    #[test]
    fn without_any_group_nothing_is_judged() {
        let world = world(&endpoint(&[]), &two_subnets(), &[group(GROUP, &[])]);
        assert_eq!(world.verdict(evaluate), doubts([in_doubt(UnassessedReason::FactMissing, &[])]));
    }

    #[test]
    fn shared_subnets_are_not_judged() {
        let foreign = two_subnets().map(|subnet| Subnet { owner_id: Some("210987654321".into()), ..subnet });
        let all_foreign = world(&endpoint(&[GROUP]), &foreign, &[group(GROUP, &[])]);
        assert_eq!(all_foreign.verdict(evaluate), doubts([in_doubt(UnassessedReason::SharedSubnet, &[A, B])]));
        let none = world(&endpoint(&[GROUP]), &[], &[group(GROUP, &[])]);
        assert_eq!(none.verdict(evaluate), EndpointVerdict::default());
    }

    #[test]
    fn only_available_interface_endpoints_need_their_groups() {
        use crate::network::model::EndpointKind;
        for other in [
            Endpoint { state: "pending".into(), ..endpoint(&[GROUP]) },
            Endpoint { kind: EndpointKind::Gateway, ..endpoint(&[GROUP]) },
            Endpoint { guardduty_managed: true, ..endpoint(&[GROUP]) },
        ] {
            let world = world(&other, &two_subnets(), &[]);
            assert_eq!(world.verdict(evaluate), EndpointVerdict::default(), "{other:?}");
            assert_eq!(world.needed(needs), NeededFacts::default(), "{other:?}");
        }
        let needed = |endpoint: &Endpoint| world(endpoint, &[], &[]).needed(needs);
        let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<BTreeSet<_>>();
        let both = NeededFacts { group_ids: ids(&[GROUP, "sg-0000000b"]), ..NeededFacts::default() };
        assert_eq!(needed(&endpoint(&["sg-0000000b", GROUP])), both);
        let default = NeededFacts { default_groups_of: ids(&[VPC]), ..NeededFacts::default() };
        assert_eq!(needed(&endpoint(&[])), default);
    }

    #[test]
    fn tags_on_the_subnets_exempt_problems_and_doubts() {
        let [a, b] = two_subnets();
        let b = Subnet { exemption: Some("endpoint-access".into()), ..b };
        let subnets = [a, b];
        let admits_a = https(&[cidr("10.0.1.0/24")]);
        assert_eq!(verdict(&subnets, std::slice::from_ref(&admits_a)), exempt(CHECK, &endpoint(&[GROUP]), &[B]));
        let with_doubt = [admits_a, https(&[members_of("sg-0000000c")])];
        assert_eq!(verdict(&subnets, &with_doubt), EndpointVerdict::default());
    }
}
