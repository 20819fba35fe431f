//! Does anything serve the private DNS names of an interface endpoint?
//!
//! Without them, clients reach the endpoint only by its own long name, and the service's usual name leads to public
//! addresses (<https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html>).
//!
//! | given an available interface endpoint without private DNS | then |
//! |---|---|
//! | for S3 or DynamoDB | in order: the names belong to the gateway endpoint; see `dns-bypass` |
//! | whose service is not known | not assessed: `fact_missing` |
//! | whose service has no private names | in order |
//! | and another available one for the service in the VPC has private DNS | in order |
//! | and something central serves the names ([`crate::checks::central_names`]) | in order |
//! | and nobody can say whether something central does | not assessed, with the reason |
//! | any other | `private_dns_off`, `LOW` |

use std::collections::BTreeSet;

use crate::{
    checks::{
        central_names::{Serving, serving},
        check::CheckName,
        endpoint_context::{Decided, Draft, EndpointContext, short_name},
        endpoint_problem::{Defect, EndpointCaution, EndpointFix, EndpointVerdict, Evidence, UnassessedReason},
        needed_facts::NeededFacts,
        severity::Severity,
    },
    network::{
        model::{Endpoint, EndpointKind},
        service::GatewayService,
    },
};

const CHECK: CheckName = CheckName::EndpointPrivateDns;

/// Judges the interface endpoints without private DNS.
pub fn evaluate(context: &EndpointContext<'_>, verdict: &mut EndpointVerdict) {
    let facts = context.input.facts;
    for endpoint in candidates(context) {
        let Some(service) = facts.services.get(endpoint.service_name.as_str()) else {
            context.doubt(CHECK, endpoint, UnassessedReason::FactMissing, [], verdict);
            continue;
        };
        let names = &service.private_dns_names;
        if names.is_empty() {
            continue;
        }
        match serving(facts.central_names.get(&endpoint.vpc_id), names, &endpoint.service_name) {
            Serving::Served => {}
            Serving::InDoubt(reason, ids) => context.doubt(CHECK, endpoint, reason, ids, verdict),
            Serving::NotServed => context.report(CHECK, draft(context, endpoint, names), verdict),
        }
    }
}

/// Adds the facts that [`evaluate`] needs.
pub fn needs(context: &EndpointContext<'_>, needed: &mut NeededFacts) {
    for endpoint in candidates(context) {
        needed.services.insert(endpoint.service_name.to_string());
        needed.central_names_of.insert(endpoint.vpc_id.clone());
    }
}

/// The endpoints whose names neither they nor another endpoint of their VPC serves.
fn candidates<'a>(context: &EndpointContext<'a>) -> impl Iterator<Item = &'a Endpoint> {
    let (network, region) = (context.input.network, &context.input.account_region.region);
    context.available_interfaces().filter(move |endpoint| {
        let has_gateway_endpoints =
            GatewayService::ALL.iter().any(|service| service.is_named(&endpoint.service_name, region));
        let serves_names = |other: &&Endpoint| {
            other.vpc_id == endpoint.vpc_id
                && other.service_name == endpoint.service_name
                && other.kind == EndpointKind::Interface
                && other.is_available()
                && other.private_dns_enabled
        };
        !endpoint.private_dns_enabled && !has_gateway_endpoints && !network.endpoints.iter().any(|e| serves_names(&e))
    })
}

fn draft<'a>(context: &EndpointContext<'a>, endpoint: &'a Endpoint, names: &BTreeSet<String>) -> Draft<'a> {
    let mut cautions = BTreeSet::from([EndpointCaution::NamesMoveToEndpoint, EndpointCaution::PrivateDnsMayBeRefused]);
    if short_name(&endpoint.service_name, &context.input.account_region.region) == "execute-api" {
        cautions.insert(EndpointCaution::PublicApisUnreachable);
    }
    Draft::of_endpoint(
        endpoint,
        Decided {
            defect: Defect::PrivateDnsOff,
            severity: Severity::Low,
            subnets: context.subnets_of(&endpoint.vpc_id).to_vec(),
            evidence: Evidence::PrivateNames(names.clone()),
            fix: EndpointFix::EnablePrivateDns { endpoint_id: endpoint.id.clone() },
            cautions,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::endpoint_testing::{Decision, VPC, World, doubt, doubts, exempt, nothing_central, only, problem},
        network::{
            endpoint_facts::{CentralNames, EndpointService, OptionalRead},
            testing::{interface_endpoint, subnet},
        },
    };

    fn endpoint(service: &str) -> Endpoint {
        Endpoint { private_dns_enabled: false, ..interface_endpoint("vpce-0000000a", VPC, service) }
    }

    fn names() -> BTreeSet<String> {
        BTreeSet::from(["ssm.eu-west-1.amazonaws.com".to_owned()])
    }

    /// A VPC where nothing central serves the names of the endpoint's service.
    fn world(endpoint: &Endpoint) -> World {
        let mut world = World::new(&[subnet("subnet-0000000a", VPC)], std::slice::from_ref(endpoint));
        let service = EndpointService { private_dns_names: names(), ..EndpointService::default() };
        world.facts.services.insert(endpoint.service_name.to_string(), service);
        world.facts.central_names.insert(VPC.into(), nothing_central());
        world
    }

    fn expected(service: &str, cautions: Vec<EndpointCaution>) -> EndpointVerdict {
        let decision = Decision {
            defect: Defect::PrivateDnsOff,
            severity: Severity::Low,
            evidence: Evidence::PrivateNames(names()),
            fix: EndpointFix::EnablePrivateDns { endpoint_id: "vpce-0000000a".into() },
            cautions,
        };
        only(problem(CHECK, &endpoint(service), &[&subnet("subnet-0000000a", VPC)], decision))
    }

    #[test]
    fn an_endpoint_whose_names_nothing_serves_is_a_problem() {
        use EndpointCaution::{NamesMoveToEndpoint, PrivateDnsMayBeRefused, PublicApisUnreachable};
        assert_eq!(
            world(&endpoint("ssm")).verdict(evaluate),
            expected("ssm", vec![NamesMoveToEndpoint, PrivateDnsMayBeRefused])
        );
        assert_eq!(
            world(&endpoint("execute-api")).verdict(evaluate),
            expected("execute-api", vec![NamesMoveToEndpoint, PrivateDnsMayBeRefused, PublicApisUnreachable])
        );
    }

    #[test]
    fn an_endpoint_for_a_service_with_gateway_endpoints_is_in_order() {
        for service in ["s3", "dynamodb"] {
            let mut world = world(&endpoint(service));
            assert_eq!(world.verdict(evaluate), EndpointVerdict::default());
            world.facts = crate::network::endpoint_facts::EndpointFacts::default();
            assert_eq!(world.verdict(evaluate), EndpointVerdict::default());
        }
    }

    #[test]
    fn without_the_service_nothing_is_judged() {
        let mut world = world(&endpoint("ssm"));
        world.facts.services.clear();
        let expected = doubts([doubt(CHECK, &endpoint("ssm"), UnassessedReason::FactMissing, &[])]);
        assert_eq!(world.verdict(evaluate), expected);
    }

    #[test]
    fn a_service_without_private_names_is_in_order() {
        let mut world = world(&endpoint("ssm"));
        world.facts.services.insert(endpoint("ssm").service_name.to_string(), EndpointService::default());
        assert_eq!(world.verdict(evaluate), EndpointVerdict::default());
    }

    #[test]
    fn another_endpoint_of_the_vpc_may_serve_the_names() {
        let other = interface_endpoint("vpce-0000000b", VPC, "ssm");
        for (other, serves) in [
            (other.clone(), true),
            (Endpoint { owner_id: Some("210987654321".into()), ..other.clone() }, true),
            (Endpoint { private_dns_enabled: false, requester_managed: true, ..other.clone() }, false),
            (Endpoint { state: "failed".into(), ..other.clone() }, false),
            (Endpoint { vpc_id: "vpc-0000000b".into(), ..other.clone() }, false),
            (interface_endpoint("vpce-0000000b", VPC, "ssmmessages"), false),
        ] {
            let mut world = world(&endpoint("ssm"));
            world.network.endpoints.push(other.clone());
            assert_eq!(world.verdict(evaluate).problems.is_empty(), serves, "{other:?}");
            let needed = NeededFacts {
                services: BTreeSet::from([endpoint("ssm").service_name.to_string()]),
                central_names_of: BTreeSet::from([VPC.to_owned()]),
                ..NeededFacts::default()
            };
            let expected = if serves { NeededFacts::default() } else { needed };
            assert_eq!(world.needed(needs), expected, "{other:?}");
        }
    }

    #[test]
    fn something_central_may_serve_the_names() {
        let mut world = world(&endpoint("ssm"));
        let zones = |zone: &str| OptionalRead::Read(BTreeSet::from([zone.to_owned()]));
        let central = world.facts.central_names[VPC].clone();
        let with = |hosted_zones| CentralNames { hosted_zones, ..central.clone() };
        world.facts.central_names.insert(VPC.into(), with(zones("ssm.eu-west-1.amazonaws.com.")));
        assert_eq!(world.verdict(evaluate), EndpointVerdict::default());
        let in_doubt = |reason, ids: &[&str]| doubts([doubt(CHECK, &endpoint("ssm"), reason, ids)]);
        world.facts.central_names.insert(VPC.into(), with(zones("amazonaws.com.")));
        let expected = in_doubt(UnassessedReason::MayBeServedCentrally, &["amazonaws.com."]);
        assert_eq!(world.verdict(evaluate), expected);
        world.facts.central_names.insert(VPC.into(), with(OptionalRead::Denied));
        assert_eq!(world.verdict(evaluate), in_doubt(UnassessedReason::ReadDenied, &[]));
        world.facts.central_names.clear();
        assert_eq!(world.verdict(evaluate), in_doubt(UnassessedReason::FactMissing, &[]));
    }

    #[test]
    fn a_tag_exempts_the_endpoint() {
        let tagged = Endpoint { exemption: Some("endpoint-private-dns".into()), ..endpoint("ssm") };
        assert_eq!(world(&tagged).verdict(evaluate), exempt(CHECK, &tagged, &["vpce-0000000a"]));
    }
}
