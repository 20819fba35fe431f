//! Do the private DNS names of an interface endpoint work in its VPC?
//!
//! They need both DNS attributes of the VPC
//! (<https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html>). EC2 refuses to create an endpoint with
//! private DNS without them, but lets `ModifyVpcAttribute` turn them off later. Then the service's names resolve to public
//! addresses: the endpoint is paid for and not used.
//!
//! | given an available interface endpoint with private DNS, and of its VPC | then |
//! |---|---|
//! | `enableDnsSupport` is off | `vpc_dns_support_off`, `HIGH`. EC2 sets one attribute per call, and this one comes first |
//! | only `enableDnsHostnames` is off | `vpc_dns_host_names_off`, `HIGH` |
//! | both are on | in order |
//! | the attributes are not known | not assessed: `fact_missing` |
//!
//! An endpoint without private DNS needs neither attribute.

use std::collections::BTreeSet;

use crate::{
    checks::{
        check::CheckName,
        endpoint_context::{Decided, Draft, EndpointContext},
        endpoint_problem::{Defect, EndpointCaution, EndpointFix, EndpointVerdict, Evidence, UnassessedReason},
        needed_facts::NeededFacts,
        severity::Severity,
    },
    network::{endpoint_facts::VpcDns, model::Endpoint},
};

const CHECK: CheckName = CheckName::EndpointDns;

/// Judges the interface endpoints with private DNS.
pub fn evaluate(context: &EndpointContext<'_>, verdict: &mut EndpointVerdict) {
    for endpoint in context.available_interfaces().filter(|endpoint| endpoint.private_dns_enabled) {
        match context.input.facts.vpc_dns.get(&endpoint.vpc_id) {
            Some(VpcDns { support: true, host_names: true }) => {}
            Some(attributes) => context.report(CHECK, draft(context, endpoint, *attributes), verdict),
            None => context.doubt(CHECK, endpoint, UnassessedReason::FactMissing, [], verdict),
        }
    }
}

/// Adds the facts that [`evaluate`] needs.
pub fn needs(context: &EndpointContext<'_>, needed: &mut NeededFacts) {
    let endpoints = context.available_interfaces().filter(|endpoint| endpoint.private_dns_enabled);
    needed.dns_of.extend(endpoints.map(|endpoint| endpoint.vpc_id.clone()));
}

fn draft<'a>(context: &EndpointContext<'a>, endpoint: &'a Endpoint, attributes: VpcDns) -> Draft<'a> {
    let vpc_id = endpoint.vpc_id.clone();
    let mut cautions = BTreeSet::from([EndpointCaution::CustomDnsServers, EndpointCaution::NamesMoveToEndpoint]);
    let (defect, fix) = if attributes.support {
        cautions.insert(EndpointCaution::PublicHostNames);
        (Defect::VpcDnsHostNamesOff, EndpointFix::EnableVpcDnsHostNames { vpc_id })
    } else {
        (Defect::VpcDnsSupportOff, EndpointFix::EnableVpcDnsSupport { vpc_id })
    };
    Draft::of_endpoint(
        endpoint,
        Decided {
            defect,
            severity: Severity::High,
            subnets: context.subnets_of(&endpoint.vpc_id).to_vec(),
            evidence: Evidence::VpcDns { support: attributes.support, host_names: attributes.host_names },
            fix,
            cautions,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::endpoint_testing::{Decision, VPC, World, doubt, doubts, exempt, only, problem},
        network::{
            model::EndpointKind,
            testing::{interface_endpoint, subnet},
        },
    };

    fn endpoint() -> Endpoint {
        interface_endpoint("vpce-0000000a", VPC, "ssm")
    }

    /// A VPC with a subnet, the endpoint, and these attributes.
    fn world(endpoint: Endpoint, attributes: Option<(bool, bool)>) -> World {
        let mut world = World::new(&[subnet("subnet-0000000a", VPC)], &[endpoint]);
        let attributes = attributes.map(|(support, host_names)| (VPC.to_owned(), VpcDns { support, host_names }));
        world.facts.vpc_dns = attributes.into_iter().collect();
        world
    }

    // `enableDnsSupport` is off.

    #[test]
    fn dns_support_is_fixed_first() {
        use EndpointCaution::{CustomDnsServers, NamesMoveToEndpoint};
        for host_names in [true, false] {
            let decision = Decision {
                defect: Defect::VpcDnsSupportOff,
                severity: Severity::High,
                evidence: Evidence::VpcDns { support: false, host_names },
                fix: EndpointFix::EnableVpcDnsSupport { vpc_id: VPC.into() },
                cautions: vec![CustomDnsServers, NamesMoveToEndpoint],
            };
            let expected = problem(CHECK, &endpoint(), &[&subnet("subnet-0000000a", VPC)], decision);
            assert_eq!(world(endpoint(), Some((false, host_names))).verdict(evaluate), only(expected));
        }
    }

    // Only `enableDnsHostnames` is off.

    #[test]
    fn dns_host_names_are_needed_too() {
        use EndpointCaution::{CustomDnsServers, NamesMoveToEndpoint, PublicHostNames};
        let decision = Decision {
            defect: Defect::VpcDnsHostNamesOff,
            severity: Severity::High,
            evidence: Evidence::VpcDns { support: true, host_names: false },
            fix: EndpointFix::EnableVpcDnsHostNames { vpc_id: VPC.into() },
            cautions: vec![CustomDnsServers, NamesMoveToEndpoint, PublicHostNames],
        };
        let expected = problem(CHECK, &endpoint(), &[&subnet("subnet-0000000a", VPC)], decision);
        assert_eq!(world(endpoint(), Some((true, false))).verdict(evaluate), only(expected));
    }

    // Both are on: in order.

    #[test]
    fn an_endpoint_in_a_vpc_with_both_attributes_is_in_order() {
        assert_eq!(world(endpoint(), Some((true, true))).verdict(evaluate), EndpointVerdict::default());
    }

    // The attributes are not known: not assessed.

    #[test]
    fn without_the_attributes_nothing_is_judged() {
        let expected = doubts([doubt(CHECK, &endpoint(), UnassessedReason::FactMissing, &[])]);
        assert_eq!(world(endpoint(), None).verdict(evaluate), expected);
        let mut other_vpc = world(endpoint(), None);
        other_vpc.facts.vpc_dns.insert("vpc-0000000b".into(), VpcDns { support: true, host_names: true });
        assert_eq!(other_vpc.verdict(evaluate), expected);
    }

    #[test]
    fn only_available_interface_endpoints_with_private_dns_need_the_attributes() {
        for other in [
            Endpoint { private_dns_enabled: false, ..endpoint() },
            Endpoint { state: "pending".into(), ..endpoint() },
            Endpoint { state: "failed".into(), ..endpoint() },
            Endpoint { kind: EndpointKind::Gateway, ..endpoint() },
            Endpoint { requester_managed: true, ..endpoint() },
        ] {
            for attributes in [None, Some((false, false))] {
                let world = world(other.clone(), attributes);
                assert_eq!(world.verdict(evaluate), EndpointVerdict::default(), "{other:?}");
                assert_eq!(world.needed(needs), NeededFacts::default(), "{other:?}");
            }
        }
        let needed = NeededFacts { dns_of: BTreeSet::from([VPC.to_owned()]), ..NeededFacts::default() };
        assert_eq!(world(endpoint(), None).needed(needs), needed);
    }

    #[test]
    fn a_tag_exempts_the_endpoint() {
        let tagged = Endpoint { exemption: Some("endpoint-dns".into()), ..endpoint() };
        let expected = exempt(CHECK, &tagged, &["vpce-0000000a"]);
        for attributes in [Some((false, false)), None] {
            assert_eq!(world(tagged.clone(), attributes).verdict(evaluate), expected, "{attributes:?}");
        }
    }
}
