//! The fix of a problem removes the problem.

use std::collections::BTreeSet;

use gatewatch::{
    checks::{
        endpoint_problem::{EndpointFix, EndpointProblem, Evidence},
        fix::{Fix, RouteFix},
    },
    network::{
        endpoint_facts::{IngressRule, RestApi, TrafficSource},
        model::{Endpoint, EndpointKind, Route, RouteTable, Subnet, Target, TargetKind},
    },
};
use proptest::{prop_assert, prop_assert_eq};

use super::{
    CASES,
    networks::{self, Case},
    verdict,
};
use crate::seeds::runner;

/// A policy that lets only principals of the own organization through.
const BOUNDED_POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
    "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}]}"#;

/// The example of AWS for a private API that one VPC may call.
const BOUNDED_API_POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"},
    {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
        "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-0000000a"}}}]}"#;

fn api_of<'a>(case: &'a mut Case, id: &str) -> &'a mut RestApi {
    case.facts.rest_apis.iter_mut().flat_map(|apis| &mut apis.apis).find(|api| api.id == id).unwrap()
}

/// Does what EC2 does if somebody follows this advice: the tables get an active route.
fn give_routes(case: &mut Case, problem: &EndpointProblem, routes: &[RouteFix]) {
    for RouteFix { fix, route_table_ids } in routes {
        let endpoints = &mut case.network.endpoints;
        let target = match fix {
            Fix::AddTable(endpoint) | Fix::ReattachTable(endpoint) => endpoint.id.clone(),
            Fix::Replace { failed, available } => {
                endpoints.retain(|endpoint| endpoint.id != failed.id);
                available.as_ref().map_or("vpce-00000new".to_owned(), |endpoint| endpoint.id.clone())
            }
            Fix::Create => "vpce-00000new".to_owned(),
            Fix::Wait(endpoint) => panic!("{endpoint:?}"),
        };
        if endpoints.iter().all(|endpoint| endpoint.id != target) {
            endpoints.push(Endpoint {
                id: target.clone(),
                vpc_id: problem.vpc_id.as_deref().unwrap().into(),
                kind: EndpointKind::Gateway,
                service_name: problem.service.as_str().into(),
                state: "available".into(),
                ..Endpoint::default()
            });
        }
        let endpoint = endpoints.iter_mut().find(|endpoint| endpoint.id == target).unwrap();
        endpoint.route_table_ids.extend(route_table_ids.iter().map(|id| id.as_str().into()));
        let is_of_fix = |table: &&mut RouteTable| route_table_ids.contains(&table.id);
        for table in case.network.route_tables.iter_mut().filter(is_of_fix) {
            table.routes.push(Route {
                destination: Some("pl-0a1b2c3d".into()),
                target: Target { kind: TargetKind::VpcEndpoint, id: Some(target.clone()) },
                active: true,
            });
        }
    }
}

/// The fix of each problem, applied to the facts, removes the problem.
#[test]
fn the_fix_removes_the_problem() {
    let outcome = runner(CASES / 4).run(&networks::case(), |case| {
        for problem in verdict(&case).problems {
            let mut fixed = case.clone();
            match &problem.fix {
                EndpointFix::AuthorizeIngress { group_id, port, cidrs } => {
                    let sources = cidrs.iter().cloned().map(TrafficSource::Cidr).collect();
                    let rule = IngressRule {
                        protocol: "tcp".into(),
                        from_port: Some(i32::from(*port)),
                        to_port: Some(i32::from(*port)),
                        sources,
                    };
                    fixed.facts.security_groups.get_mut(group_id).unwrap().ingress.push(rule);
                }
                EndpointFix::EnableVpcDnsSupport { vpc_id } => {
                    fixed.facts.vpc_dns.get_mut(vpc_id).unwrap().support = true;
                    // EC2 sets one attribute per call: the second problem appears once the first one is fixed.
                    fixed.facts.vpc_dns.get_mut(vpc_id).unwrap().host_names = true;
                }
                EndpointFix::EnableVpcDnsHostNames { vpc_id } => {
                    fixed.facts.vpc_dns.get_mut(vpc_id).unwrap().host_names = true;
                }
                EndpointFix::RestrictPrivateDns { endpoint_id, routes, .. } => {
                    if routes.iter().any(RouteFix::is_wait) {
                        continue;
                    }
                    give_routes(&mut fixed, &problem, routes);
                    let again = verdict(&fixed).problems.into_iter().find(|other| other.id == problem.id);
                    let Some(Evidence::GatewayEndpoint { gateway_endpoint_id, uncovered_route_table_ids }) =
                        again.map(|problem| problem.evidence)
                    else {
                        panic!("the routes alone fix {problem:?}");
                    };
                    prop_assert_eq!(uncovered_route_table_ids, [""; 0], "{:?}", routes);
                    prop_assert!(gateway_endpoint_id.is_some() || routes.is_empty(), "{:?}", routes);
                    let endpoint = fixed.network.endpoints.iter_mut().find(|endpoint| endpoint.id == *endpoint_id);
                    endpoint.unwrap().private_dns_only_for_inbound_resolver = Some(true);
                }
                EndpointFix::AddSubnets { endpoint_id, subnet_ids } => {
                    let endpoint = fixed.network.endpoints.iter_mut().find(|endpoint| endpoint.id == *endpoint_id);
                    endpoint.unwrap().subnet_ids.extend(subnet_ids.clone());
                }
                EndpointFix::EnablePrivateDns { endpoint_id } => {
                    let endpoint = fixed.network.endpoints.iter_mut().find(|endpoint| endpoint.id == *endpoint_id);
                    endpoint.unwrap().private_dns_enabled = true;
                }
                EndpointFix::DeleteEndpoint { endpoint_id } => {
                    fixed.network.endpoints.retain(|endpoint| endpoint.id != *endpoint_id);
                }
                EndpointFix::CreateInterfaceEndpoint { vpc_id, service_name, subnet_ids } => {
                    // EC2 accepts one subnet per zone, and for a new endpoint only subnets with IPv4 addresses.
                    let of_fix = |subnet: &&Subnet| subnet_ids.contains(&subnet.id);
                    let subnets: Vec<&Subnet> = case.network.subnets.iter().filter(of_fix).collect();
                    let zones: BTreeSet<_> = subnets.iter().map(|subnet| &subnet.availability_zone_id).collect();
                    prop_assert_eq!(zones.len(), subnet_ids.len(), "{:?}", problem.fix);
                    let has_ipv4 = |subnet: &&Subnet| {
                        subnet.cidrs.is_empty() || subnet.cidrs.iter().any(|block| block.contains('.'))
                    };
                    prop_assert!(subnets.iter().all(has_ipv4), "{:?}", problem.fix);
                    fixed.network.endpoints.push(Endpoint {
                        id: "vpce-00000new".into(),
                        vpc_id: vpc_id.clone(),
                        kind: EndpointKind::Interface,
                        service_name: service_name.as_str().into(),
                        state: "available".into(),
                        subnet_ids: subnet_ids.clone(),
                        ..Endpoint::default()
                    });
                }
                // The policies are a person's work. These are bounded ones.
                EndpointFix::ReviewPolicy { endpoint_id, .. } => {
                    let endpoint = fixed.network.endpoints.iter_mut().find(|endpoint| endpoint.id == *endpoint_id);
                    endpoint.unwrap().policy_document = Some(BOUNDED_POLICY.to_owned());
                }
                EndpointFix::ReviewApiPolicy { api_id } => {
                    let api = api_of(&mut fixed, api_id);
                    api.policy = Some(BOUNDED_API_POLICY.to_owned());
                    // An API has one problem at a time: that an endpoint is gone appears once the policy is fixed.
                    api.vpc_endpoint_ids.clear();
                }
                EndpointFix::RemoveAssociatedEndpoints { api_id, endpoint_ids } => {
                    api_of(&mut fixed, api_id).vpc_endpoint_ids.retain(|id| !endpoint_ids.contains(id));
                }
                EndpointFix::AwaitAcceptance { .. } | EndpointFix::Inspect { .. } => continue,
            }
            prop_assert!(
                verdict(&fixed).problems.iter().all(|other| other.id != problem.id),
                "{:?} does not fix {:?}",
                problem.fix,
                problem
            );
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
