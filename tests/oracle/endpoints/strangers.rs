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
fn of_a_stranger(action: &'static str, resources: &[&str]) -> Vec<Request> {
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
            for &resource in resources {
                let keys = keys.iter().copied().chain(others).collect();
                requests.push(Request { principal: STRANGER, action, resource: resource.to_owned(), keys });
            }
        }
    }
    requests
}

/// Requests of a stranger that come through an endpoint for this service. None if nobody knows which these are.
fn through_an_endpoint(service_name: &str) -> Vec<Request> {
    let (action, resources): (_, &[&str]) = match service_name.trim_start_matches("cn.") {
        "com.amazonaws.eu-west-1.s3" | "com.amazonaws.s3-global.accesspoint" => {
            ("s3:Stranger", &["arn:aws:s3:::stranger", "arn:aws:s3:::stranger/object"])
        }
        "com.amazonaws.eu-west-1.dynamodb" | "com.amazonaws.eu-west-1.dynamodb-streams" => {
            ("dynamodb:Stranger", &["arn:aws:dynamodb:eu-west-1:444455556666:table/stranger"])
        }
        "com.amazonaws.eu-west-1.ssm" => (
            "ssm:Stranger",
            &[
                "arn:aws:ssm:eu-west-1:444455556666:parameter/stranger",
                "arn:aws:ssm:eu-west-1:444455556666:document/stranger",
            ],
        ),
        "com.amazonaws.eu-west-1.sqs" => ("sqs:Stranger", &["arn:aws:sqs:eu-west-1:444455556666:stranger"]),
        "com.amazonaws.eu-west-1.kms" | "com.amazonaws.eu-west-1.kms-fips" => (
            "kms:Stranger",
            &["arn:aws:kms:eu-west-1:444455556666:key/stranger", "arn:aws:kms:eu-west-1:444455556666:alias/stranger"],
        ),
        "com.amazonaws.eu-west-1.cassandra" | "com.amazonaws.eu-west-1.cassandra-fips" => {
            ("cassandra:Stranger", &["arn:aws:cassandra:eu-west-1:444455556666:/keyspace/stranger/"])
        }
        "com.amazonaws.eu-west-1.iot.data" => (
            "iot:Stranger",
            &["arn:aws:iot:eu-west-1:444455556666:topic/stranger", "arn:aws:iot:eu-west-1:444455556666:thing/stranger"],
        ),
        "com.amazonaws.eu-west-1.ecr.dkr" => {
            ("ecr:Stranger", &["arn:aws:ecr:eu-west-1:444455556666:repository/stranger"])
        }
        "com.amazonaws.eu-west-1.monitoring" => {
            ("cloudwatch:Stranger", &["arn:aws:cloudwatch:eu-west-1:444455556666:alarm:stranger"])
        }
        "com.amazonaws.eu-west-1.groundstation" => {
            ("groundstation:Stranger", &["arn:aws:groundstation:eu-west-1:444455556666:config/stranger"])
        }
        // The actions of EMR WAL have a prefix that gatewatch does not know.
        "com.amazonaws.eu-west-1.emrwal.prod" => {
            ("elasticmapreduce:Stranger", &["arn:aws:elasticmapreduce:eu-west-1:444455556666:stranger"])
        }
        _ => return Vec::new(),
    };
    of_a_stranger(action, resources)
}

#[test]
fn an_endpoint_that_is_in_order_keeps_strangers_out() {
    let outcome = runner(CASES / 4).run(&networks::case(), |case| {
        let mentioned = mentioned(&case, "endpoint-policy");
        for endpoint in &case.network.endpoints {
            let supports = case.facts.services.get(endpoint.service_name.as_str());
            let is_judged = !is_never_judged(&case, endpoint)
                && endpoint.kind != EndpointKind::Other
                && endpoint.state.eq_ignore_ascii_case("available")
                && supports.and_then(|service| service.policy_supported) != Some(false);
            if is_judged && !mentioned.contains(&endpoint.id) {
                let requests = through_an_endpoint(&endpoint.service_name);
                let passed = allowed_by_endpoint(endpoint, &requests);
                prop_assert_eq!(passed.map(|request| (request, &endpoint.policy_document)), None);
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
