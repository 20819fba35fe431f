//! What the checks find in order keeps strangers out. Requests are tried one by one with the evaluation of IAM, so that this
//! test does not depend on what the contract calls bounded.

use std::collections::BTreeSet;

use gatewatch::network::model::EndpointKind;
use proptest::prop_assert_eq;

use super::{
    CASES,
    answer::of_the_rules,
    naive::{allowed_by_api, allowed_by_endpoint, is_never_judged, requests::Request},
    networks::{self, Case},
};
use crate::seeds::runner;

const STRANGER: &str = "arn:aws:iam::444455556666:role/stranger";

/// The ids of the subjects that a check says anything about. Without tags, because a tag hides what is not assessed.
fn mentioned(case: &Case, check: &str) -> BTreeSet<String> {
    let mut case = case.clone();
    case.network.vpcs.iter_mut().for_each(|vpc| vpc.exemption = None);
    case.network.endpoints.iter_mut().for_each(|endpoint| endpoint.exemption = None);
    case.facts.rest_apis.iter_mut().flat_map(|apis| &mut apis.apis).for_each(|api| api.exemption = None);
    of_the_rules(&case).into_iter().filter(|(name, ..)| name == check).map(|(_, id, ..)| id).collect()
}

/// Requests of any principal from a VPC that no policy names.
fn from_another_vpc() -> Vec<Request> {
    let mut requests = Vec::new();
    for principal in ["arn:aws:iam::123456789012:role/app", "arn:aws:iam::123456789012:user/other", STRANGER] {
        for path in ["prod/GET/orders", "prod/POST/items", "test/GET/orders", "other/GET/items", "other/POST/x"] {
            for (address, organization) in
                [("10.0.0.1", "o-a1b2c3d4e5"), ("192.0.2.1", "o-a1b2c3d4e5"), ("10.0.0.1", "o-5stranger5")]
            {
                let source = [("aws:sourcevpc", "vpc-5"), ("aws:sourcevpce", "vpce-5")];
                let others = [("aws:vpcsourceip", address), ("aws:principalorgid", organization)];
                requests.push(Request {
                    principal,
                    action: "execute-api:Invoke",
                    resource: format!("arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/{path}"),
                    keys: source.into_iter().chain(others).collect(),
                });
            }
        }
    }
    requests
}

#[test]
fn an_api_that_is_in_order_admits_no_other_vpc() {
    let requests = from_another_vpc();
    let outcome = runner(CASES / 8).run(&networks::case(), |case| {
        let mentioned = mentioned(&case, "private-api");
        for api in case.facts.rest_apis.iter().flat_map(|apis| &apis.apis) {
            let is_private = api.endpoint_types.iter().any(|kind| kind.eq_ignore_ascii_case("PRIVATE"));
            if is_private && !mentioned.contains(&api.id) {
                prop_assert_eq!(allowed_by_api(api, &requests).map(|request| (request, api)), None);
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Requests of a stranger for something of a stranger, for one service: an action that no policy names.
fn of_a_stranger(action: &'static str, resource: &str) -> Vec<Request> {
    let known = [
        ("aws:principalorgid", "o-5stranger5"),
        ("aws:resourceorgid", "o-5stranger5"),
        ("aws:principalorgpaths", "o-5stranger5/r-1/"),
        ("aws:principalaccount", "444455556666"),
        ("aws:principalarn", STRANGER),
        ("aws:resourceaccount", "444455556666"),
        ("s3:resourceaccount", "444455556666"),
        ("aws:sourcevpc", "vpc-5"),
        ("aws:sourcevpce", "vpce-5"),
        ("aws:principalisawsservice", "false"),
    ];
    let mut requests = Vec::new();
    for keys in [&known[..], &[]] {
        for others in [
            [("aws:securetransport", "true"), ("aws:principaltag/team", "payments")],
            [("aws:securetransport", "false"), ("aws:principaltag/team", "other")],
        ] {
            let keys = keys.iter().copied().chain(others).collect();
            requests.push(Request { principal: STRANGER, action, resource: resource.to_owned(), keys });
        }
    }
    requests
}

/// The check does not know which service an endpoint serves. So this looks at policies that name no other one than S3.
#[test]
fn an_endpoint_that_is_in_order_keeps_strangers_out() {
    let requests = of_a_stranger("s3:Stranger", "arn:aws:s3:::stranger");
    let outcome = runner(CASES / 8).run(&networks::case(), |case| {
        let mentioned = mentioned(&case, "endpoint-policy");
        for endpoint in &case.network.endpoints {
            let supports = case.facts.services.get(endpoint.service_name.as_str());
            let is_judged = !is_never_judged(&case, endpoint)
                && endpoint.kind != EndpointKind::Other
                && endpoint.state.eq_ignore_ascii_case("available")
                && supports.and_then(|service| service.policy_supported) != Some(false);
            let policy = endpoint.policy_document.as_deref().unwrap_or_default();
            let names_others = ["sqs:", "dynamodb:", "iot:"].iter().any(|service| policy.contains(service));
            if is_judged && !names_others && !mentioned.contains(&endpoint.id) {
                prop_assert_eq!(allowed_by_endpoint(endpoint, &requests).map(|request| (request, policy)), None);
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
