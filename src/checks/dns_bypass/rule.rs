//! Does an interface endpoint attract the VPC's own traffic to S3 or DynamoDB?
//!
//! With private DNS, the service's names resolve to the interface endpoint in the whole VPC, so the routes of a gateway
//! endpoint carry nothing: "requests from both your on-premises network and your VPC use the interface endpoint"
//! (<https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-s3.html>). The interface endpoint charges per GB, the
//! gateway endpoint does not. One option limits the private names to an inbound Resolver endpoint.
//!
//! | given an available interface endpoint for S3 or DynamoDB in this Region | then |
//! |---|---|
//! | private DNS is off | in order |
//! | private DNS is on, only for inbound Resolver endpoints | in order |
//! | private DNS is on, and that option is off or absent | `private_dns_for_all_requests`, `HIGH` |
//!
//! | given such a problem, and in the VPC | then the fix is |
//! |---|---|
//! | an available gateway endpoint for the service that covers all tables in use | the option |
//! | one that does not cover all tables in use | what `gateway-route` advises for the uncovered tables, then the option |
//! | one that is not available, but may become so, and lists a table in use | to wait for it |
//! | none | a gateway endpoint with all tables in use, then the option, which EC2 refuses without one |
//!
//! A table is in use if it is the effective table of an own subnet of the VPC.

use std::collections::BTreeSet;

use crate::{
    checks::{
        check::CheckName,
        endpoint_context::{Decided, Draft, EndpointContext},
        endpoint_problem::{Defect, EndpointCaution, EndpointFix, EndpointVerdict, Evidence},
        fix::RouteFix,
        gateway_endpoint::rule::route_fixes,
        severity::Severity,
    },
    network::{
        model::{EffectiveTables, Endpoint, EndpointKind},
        service::GatewayService,
    },
};

const CHECK: CheckName = CheckName::DnsBypass;

/// The services that have both types of endpoint. S3 Express One Zone has no interface endpoints.
const SERVICES: [GatewayService; 2] = [GatewayService::S3, GatewayService::DynamoDb];

/// Judges the interface endpoints for S3 and DynamoDB.
pub fn evaluate(context: &EndpointContext<'_>, verdict: &mut EndpointVerdict) {
    let attracting = |endpoint: &&Endpoint| {
        endpoint.private_dns_enabled && endpoint.private_dns_only_for_inbound_resolver != Some(true)
    };
    let region = &context.input.account_region.region;
    let mut tables = None;
    for endpoint in context.available_interfaces().filter(attracting) {
        let Some(service) = SERVICES.into_iter().find(|service| service.is_named(&endpoint.service_name, region))
        else {
            continue;
        };
        let tables = tables.get_or_insert_with(|| context.input.network.effective_tables());
        context.report(CHECK, draft(context, endpoint, service, tables), verdict);
    }
}

fn draft<'a>(
    context: &EndpointContext<'a>,
    endpoint: &'a Endpoint,
    service: GatewayService,
    tables: &EffectiveTables<'a>,
) -> Draft<'a> {
    let region = &context.input.account_region.region;
    let in_vpc: Vec<&Endpoint> =
        context.input.network.endpoints.iter().filter(|other| other.vpc_id == endpoint.vpc_id).collect();
    let gateway = (in_vpc.iter().filter(|other| other.kind == EndpointKind::Gateway && other.is_available()))
        .filter(|other| service.is_named(&other.service_name, region))
        .min_by_key(|gateway| &gateway.id);
    let subnets = context.subnets_of(&endpoint.vpc_id);
    let routes = route_fixes(&in_vpc, service, region, subnets.iter().filter_map(|subnet| tables.of(subnet)));
    let mut uncovered_route_table_ids: Vec<String> =
        routes.iter().flat_map(|route| &route.route_table_ids).cloned().collect();
    uncovered_route_table_ids.sort();

    let cautions = cautions(gateway.is_some(), &routes);
    Draft::of_endpoint(
        endpoint,
        Decided {
            defect: Defect::PrivateDnsForAllRequests,
            severity: Severity::High,
            subnets: subnets.to_vec(),
            evidence: Evidence::GatewayEndpoint {
                gateway_endpoint_id: gateway.map(|gateway| gateway.id.clone()),
                uncovered_route_table_ids,
            },
            fix: EndpointFix::RestrictPrivateDns {
                endpoint_id: endpoint.id.clone(),
                has_gateway_endpoint: gateway.is_some(),
                routes,
            },
            cautions,
        },
    )
}

/// What to know before the option is set. Nothing, as long as there is nothing to do but to wait.
fn cautions(has_gateway_endpoint: bool, routes: &[RouteFix]) -> BTreeSet<EndpointCaution> {
    if routes.iter().any(RouteFix::is_wait) {
        return BTreeSet::new();
    }
    let mut cautions = BTreeSet::from([
        EndpointCaution::ClientFilters,
        EndpointCaution::SourceEndpointConditions,
        EndpointCaution::GatewayEndpointPolicy,
        EndpointCaution::InboundResolverNeeded,
    ]);
    if !has_gateway_endpoint {
        cautions.insert(EndpointCaution::GatewayEndpointFirst);
    } else if !routes.is_empty() {
        cautions.insert(EndpointCaution::UncoveredTablesFirst);
    }
    cautions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::{
            endpoint_problem::EndpointProblem,
            endpoint_testing::{Decision, VPC, World, exempt, only, problem},
            fix::{self, Fix},
        },
        network::{
            model::{Route, Subnet},
            testing::{gateway_endpoint, interface_endpoint, main_table, route_to, subnet, table_of},
        },
    };

    /// An interface endpoint for S3 that attracts all traffic.
    fn endpoint() -> Endpoint {
        Endpoint {
            private_dns_only_for_inbound_resolver: Some(false),
            ..interface_endpoint("vpce-0000000a", VPC, "s3")
        }
    }

    /// A gateway endpoint for S3 that lists these tables.
    fn gateway(tables: &[&str]) -> Endpoint {
        gateway_endpoint("vpce-0000000b", VPC, GatewayService::S3, tables)
    }

    /// The problem, if the VPC has this available gateway endpoint, and if these fixes give these tables in use their route.
    fn expected(gateway: Option<&str>, routes: &[(Fix, &str)], subnets: &[&Subnet]) -> EndpointProblem {
        use EndpointCaution::{
            ClientFilters, GatewayEndpointFirst, GatewayEndpointPolicy, InboundResolverNeeded,
            SourceEndpointConditions, UncoveredTablesFirst,
        };
        let mut uncovered_route_table_ids: Vec<String> = routes.iter().map(|(_, table)| (*table).to_owned()).collect();
        uncovered_route_table_ids.sort();
        let mut cautions = vec![ClientFilters, SourceEndpointConditions, GatewayEndpointPolicy, InboundResolverNeeded];
        match gateway {
            _ if routes.iter().any(|(fix, _)| matches!(fix, Fix::Wait(_))) => cautions.clear(),
            None => cautions.push(GatewayEndpointFirst),
            Some(_) if !routes.is_empty() => cautions.push(UncoveredTablesFirst),
            Some(_) => {}
        }
        let route_fix =
            |(fix, table): &(Fix, &str)| RouteFix { fix: fix.clone(), route_table_ids: vec![(*table).to_owned()] };
        let decision = Decision {
            defect: Defect::PrivateDnsForAllRequests,
            severity: Severity::High,
            evidence: Evidence::GatewayEndpoint {
                gateway_endpoint_id: gateway.map(str::to_owned),
                uncovered_route_table_ids,
            },
            fix: EndpointFix::RestrictPrivateDns {
                endpoint_id: "vpce-0000000a".into(),
                has_gateway_endpoint: gateway.is_some(),
                routes: routes.iter().map(route_fix).collect(),
            },
            cautions,
        };
        problem(CHECK, &endpoint(), subnets, decision)
    }

    /// Whether the endpoint alone in a VPC without subnets is a problem.
    fn is_problem(endpoint: Endpoint) -> bool {
        !World::new(&[], &[endpoint]).verdict(evaluate).problems.is_empty()
    }

    // Private DNS is off: in order.

    #[test]
    fn an_endpoint_without_private_dns_attracts_nothing() {
        for option in [None, Some(false), Some(true)] {
            let endpoint =
                Endpoint { private_dns_enabled: false, private_dns_only_for_inbound_resolver: option, ..endpoint() };
            assert_eq!(World::new(&[], &[endpoint]).verdict(evaluate), EndpointVerdict::default(), "{option:?}");
        }
    }

    // Private DNS is on, only for inbound Resolver endpoints: in order.

    #[test]
    fn an_endpoint_whose_names_are_only_for_inbound_resolvers_is_in_order() {
        let endpoint = Endpoint { private_dns_only_for_inbound_resolver: Some(true), ..endpoint() };
        assert_eq!(World::new(&[], &[endpoint]).verdict(evaluate), EndpointVerdict::default());
    }

    // Private DNS is on, and that option is off or absent: a problem.

    #[test]
    fn an_endpoint_whose_names_are_for_all_requests_is_a_problem() {
        for option in [None, Some(false)] {
            let endpoint = Endpoint { private_dns_only_for_inbound_resolver: option, ..endpoint() };
            assert_eq!(World::new(&[], &[endpoint]).verdict(evaluate), only(expected(None, &[], &[])), "{option:?}");
        }
    }

    #[test]
    fn only_available_interface_endpoints_for_s3_and_dynamodb_of_the_region_are_judged() {
        let service = |name: &str| Endpoint { service_name: name.into(), ..endpoint() };
        assert!(is_problem(service("com.amazonaws.eu-west-1.s3")));
        assert!(is_problem(service("com.amazonaws.eu-west-1.dynamodb")));
        assert!(is_problem(Endpoint { state: "Available".into(), ..endpoint() }));
        for other in [
            service("com.amazonaws.eu-west-1.s3express"),
            service("com.amazonaws.eu-west-1.dynamodb-streams"),
            service("com.amazonaws.us-east-1.s3"),
            service("com.amazonaws.eu-west-1.ssm"),
            service("com.amazonaws.s3-global.accesspoint"),
            Endpoint { state: "pending".into(), ..endpoint() },
            Endpoint { kind: EndpointKind::Gateway, ..endpoint() },
            Endpoint { kind: EndpointKind::Other, ..endpoint() },
            Endpoint { requester_managed: true, ..endpoint() },
        ] {
            assert!(!is_problem(other.clone()), "{other:?}");
        }
    }

    // The fix depends on the gateway endpoint and the tables in use.

    #[test]
    fn the_option_alone_fixes_it_if_all_tables_in_use_are_covered() {
        let (a, gateway) = (subnet("subnet-0000000a", VPC), gateway(&["rtb-0000000a"]));
        let mut world = World::new(std::slice::from_ref(&a), &[endpoint(), gateway.clone()]);
        let mut table = main_table("rtb-0000000a", VPC);
        table.routes.push(route_to(&gateway));
        // No subnet uses this table, so it may stay uncovered.
        world.network.route_tables = vec![table, crate::network::testing::table("rtb-0000000b", VPC)];
        assert_eq!(world.verdict(evaluate), only(expected(Some("vpce-0000000b"), &[], &[&a])));
    }

    #[test]
    fn uncovered_tables_in_use_come_before_the_option() {
        let subnets = ["subnet-0000000a", "subnet-0000000b", "subnet-0000000c"].map(|id| subnet(id, VPC));
        let gateway = gateway(&["rtb-0000000a", "rtb-0000000b"]);
        let mut covered = table_of("rtb-0000000a", &subnets[0]);
        covered.routes.push(route_to(&gateway));
        let mut blackhole = table_of("rtb-0000000b", &subnets[1]);
        blackhole.routes.push(Route { active: false, ..route_to(&gateway) });
        let mut not_listed = main_table("rtb-0000000c", VPC);
        not_listed.routes.push(route_to(&gateway));
        let mut world = World::new(&subnets, &[endpoint(), gateway.clone()]);
        world.network.route_tables = vec![not_listed, blackhole, covered];
        let [a, b, c] = &subnets;
        let to = || fix::Endpoint::from(&gateway);
        let routes = [(Fix::ReattachTable(to()), "rtb-0000000b"), (Fix::AddTable(to()), "rtb-0000000c")];
        assert_eq!(world.verdict(evaluate), only(expected(Some("vpce-0000000b"), &routes, &[a, b, c])));
    }

    #[test]
    fn a_gateway_endpoint_comes_first_if_there_is_none() {
        let a = subnet("subnet-0000000a", VPC);
        let in_state = |state: &str| Endpoint { state: state.into(), ..gateway(&["rtb-0000000a"]) };
        let failed = fix::Endpoint::from(&in_state("failed"));
        let pending = fix::Endpoint::from(&in_state("pending"));
        for (not_one, fix) in [
            (in_state("failed"), Fix::Replace { failed, available: None }),
            (in_state("pending"), Fix::Wait(pending)),
            (Endpoint { vpc_id: "vpc-0000000b".into(), ..gateway(&["rtb-0000000a"]) }, Fix::Create),
            (gateway_endpoint("vpce-0000000b", VPC, GatewayService::DynamoDb, &["rtb-0000000a"]), Fix::Create),
        ] {
            let mut table = main_table("rtb-0000000a", VPC);
            table.routes.push(route_to(&not_one));
            let mut world = World::new(std::slice::from_ref(&a), &[endpoint(), not_one.clone()]);
            world.network.route_tables = vec![table];
            assert_eq!(world.verdict(evaluate), only(expected(None, &[(fix, "rtb-0000000a")], &[&a])), "{not_one:?}");
        }
    }

    #[test]
    fn a_tag_exempts_the_endpoint() {
        let tagged = Endpoint { exemption: Some("dns-bypass".into()), ..endpoint() };
        let verdict = World::new(&[], std::slice::from_ref(&tagged)).verdict(evaluate);
        assert_eq!(verdict, exempt(CHECK, &tagged, &["vpce-0000000a"]));
    }
}
