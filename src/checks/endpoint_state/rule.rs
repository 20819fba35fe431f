//! Is an endpoint in a state in which it does not work?
//!
//! The states are those of <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html>, compared without
//! regard to case: the API model has `PendingAcceptance`, and responses have `pendingAcceptance`.
//!
//! | given a gateway or interface endpoint in the state | then | the fix |
//! |---|---|---|
//! | `failed` | `endpoint_failed`, `MEDIUM` | delete it |
//! | `rejected` | `endpoint_rejected`, `MEDIUM` | delete it |
//! | `expired` | `endpoint_expired`, `MEDIUM` | delete it |
//! | `partial` | `endpoint_partial`, `MEDIUM` | look up which network interface is missing |
//! | `pendingAcceptance` | `endpoint_pending_acceptance`, `MEDIUM` | the owner of the service accepts it |
//! | `available`, `pending`, `deleting`, `deleted` | in order: it works, or somebody is at work | |
//! | any other | not assessed: `unknown_value` | |

use std::collections::BTreeSet;

use crate::{
    checks::{
        check::CheckName,
        endpoint_context::{Draft, EndpointContext, subject_of},
        endpoint_problem::{Defect, EndpointCaution, EndpointFix, EndpointVerdict, Evidence, UnassessedReason},
        severity::Severity,
    },
    network::model::Endpoint,
};

const CHECK: CheckName = CheckName::EndpointState;

/// What a state means.
enum Meaning {
    /// The endpoint works, or its state will change by itself.
    InOrder,
    /// The endpoint does not work.
    Defect(Defect),
    /// This version does not know the state.
    Unknown,
}

/// Judges the state of all endpoints.
pub fn evaluate(context: &EndpointContext<'_>, verdict: &mut EndpointVerdict) {
    for endpoint in context.endpoints() {
        match meaning(&endpoint.state) {
            Meaning::InOrder => {}
            Meaning::Defect(defect) => context.report(CHECK, draft(context, endpoint, defect), verdict),
            Meaning::Unknown => context.doubt(CHECK, endpoint, UnassessedReason::UnknownValue, [], verdict),
        }
    }
}

fn meaning(state: &str) -> Meaning {
    match state.to_ascii_lowercase().as_str() {
        "failed" => Meaning::Defect(Defect::EndpointFailed),
        "rejected" => Meaning::Defect(Defect::EndpointRejected),
        "expired" => Meaning::Defect(Defect::EndpointExpired),
        "partial" => Meaning::Defect(Defect::EndpointPartial),
        "pendingacceptance" => Meaning::Defect(Defect::EndpointPendingAcceptance),
        "available" | "pending" | "deleting" | "deleted" => Meaning::InOrder,
        _ => Meaning::Unknown,
    }
}

fn draft<'a>(context: &EndpointContext<'a>, endpoint: &'a Endpoint, defect: Defect) -> Draft<'a> {
    let endpoint_id = endpoint.id.clone();
    let (fix, cautions) = match defect {
        Defect::EndpointPendingAcceptance => (EndpointFix::AwaitAcceptance { endpoint_id }, BTreeSet::new()),
        Defect::EndpointPartial => (EndpointFix::Inspect { endpoint_id }, BTreeSet::new()),
        _ => (EndpointFix::DeleteEndpoint { endpoint_id }, BTreeSet::from([EndpointCaution::NewEndpointId])),
    };
    let own_subnets = context.subnets_of(&endpoint.vpc_id).iter().copied();
    Draft {
        subject: subject_of(endpoint),
        service: &endpoint.service_name,
        vpc_id: Some(&endpoint.vpc_id),
        owner_id: endpoint.owner_id.as_deref(),
        exemption: endpoint.exemption.as_deref(),
        defect,
        severity: Severity::Medium,
        subnets: own_subnets.filter(|subnet| endpoint.subnet_ids.contains(&subnet.id)).collect(),
        evidence: Evidence::State {
            state: endpoint.state.clone(),
            last_error: endpoint.last_error.clone(),
            failure_reason: endpoint.failure_reason.clone(),
        },
        fix,
        cautions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::endpoint_testing::{Decision, VPC, World, doubt, doubts, exempt, only, problem},
        network::{
            model::EndpointKind,
            service::GatewayService,
            testing::{gateway_endpoint, interface_endpoint, subnet},
        },
    };

    fn endpoint(state: &str) -> Endpoint {
        Endpoint {
            state: state.into(),
            subnet_ids: vec!["subnet-0000000b".into(), "subnet-0000000a".into()],
            last_error: Some("InsufficientFreeAddressesInSubnet: no free address".into()),
            failure_reason: Some("no network interface".into()),
            ..interface_endpoint("vpce-0000000a", VPC, "ssm")
        }
    }

    /// A VPC with three subnets, two of which have a network interface of the endpoint.
    fn world(endpoint: &Endpoint) -> World {
        let subnets = ["subnet-0000000a", "subnet-0000000b", "subnet-0000000c"].map(|id| subnet(id, VPC));
        World::new(&subnets, std::slice::from_ref(endpoint))
    }

    #[test]
    fn an_endpoint_that_does_not_work_is_a_problem() {
        let id = || "vpce-0000000a".to_owned();
        let delete = || (EndpointFix::DeleteEndpoint { endpoint_id: id() }, vec![EndpointCaution::NewEndpointId]);
        let accept = || (EndpointFix::AwaitAcceptance { endpoint_id: id() }, Vec::new());
        for (state, defect, (fix, cautions)) in [
            ("failed", Defect::EndpointFailed, delete()),
            ("Failed", Defect::EndpointFailed, delete()),
            ("rejected", Defect::EndpointRejected, delete()),
            ("expired", Defect::EndpointExpired, delete()),
            ("partial", Defect::EndpointPartial, (EndpointFix::Inspect { endpoint_id: id() }, Vec::new())),
            ("pendingAcceptance", Defect::EndpointPendingAcceptance, accept()),
            ("PendingAcceptance", Defect::EndpointPendingAcceptance, accept()),
        ] {
            let evidence = Evidence::State {
                state: state.into(),
                last_error: endpoint(state).last_error,
                failure_reason: endpoint(state).failure_reason,
            };
            let decision = Decision { defect, severity: Severity::Medium, evidence, fix, cautions };
            let subnets = [subnet("subnet-0000000a", VPC), subnet("subnet-0000000b", VPC)];
            let expected = problem(CHECK, &endpoint(state), &[&subnets[0], &subnets[1]], decision);
            assert_eq!(world(&endpoint(state)).verdict(evaluate), only(expected), "{state}");
        }
    }

    #[test]
    fn an_endpoint_that_works_or_that_somebody_works_on_is_in_order() {
        for state in ["available", "Available", "pending", "Pending", "deleting", "deleted"] {
            assert_eq!(world(&endpoint(state)).verdict(evaluate), EndpointVerdict::default(), "{state}");
        }
    }

    #[test]
    fn an_unknown_state_is_not_assessed() {
        for state in ["", "suspended"] {
            let expected = doubts([doubt(CHECK, &endpoint(state), UnassessedReason::UnknownValue, &[])]);
            assert_eq!(world(&endpoint(state)).verdict(evaluate), expected, "{state}");
        }
    }

    #[test]
    fn gateway_endpoints_are_judged_and_other_types_are_not() {
        let failed = |kind| Endpoint {
            kind,
            state: "failed".into(),
            ..gateway_endpoint("vpce-0000000a", VPC, GatewayService::S3, &[])
        };
        let defects = |kind| world(&failed(kind)).verdict(evaluate).problems.len();
        assert_eq!([EndpointKind::Gateway, EndpointKind::Interface, EndpointKind::Other].map(defects), [1, 1, 0]);
    }

    #[test]
    fn a_tag_exempts_the_endpoint() {
        let tagged = Endpoint { exemption: Some("endpoint-state".into()), ..endpoint("failed") };
        assert_eq!(world(&tagged).verdict(evaluate), exempt(CHECK, &tagged, &["vpce-0000000a"]));
    }
}
