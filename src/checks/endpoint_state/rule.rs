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
//!
//! A finding of `gateway-route` names a gateway endpoint that is not available, and its state. So one problem would have
//! two findings:
//!
//! | given a gateway endpoint in one of the first five states | then |
//! |---|---|
//! | that a finding about a route table names as `endpoint_not_available` | in order: that finding reports the state |
//! | that only findings below `MIN_SEVERITY` name, which nobody receives | as above |
//! | that lists no route table | as above |
//! | whose tables are all covered, exempt or never checked | as above |
//! | whose tables lead to findings that name another endpoint | as above |
//! | whose service is not required, or `gateway-route` does not run | as above |
//!
//! All route tables of the VPC count, whether or not they are in scope. Otherwise the result would depend on the event.

use std::collections::BTreeSet;

use crate::{
    checks::{
        check::CheckName,
        endpoint_context::{Decided, Draft, EndpointContext, EndpointInput},
        endpoint_problem::{Defect, EndpointCaution, EndpointFix, EndpointVerdict, Evidence, UnassessedReason},
        finding::Gap,
        gateway_endpoint,
        severity::Severity,
    },
    network::model::{Endpoint, EndpointKind},
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
    let named_elsewhere = named_by_findings_about_tables(context);
    for endpoint in context.endpoints() {
        match meaning(&endpoint.state) {
            Meaning::InOrder => {}
            Meaning::Defect(_) if named_elsewhere.contains(&endpoint.id) => {}
            Meaning::Defect(defect) => context.report(CHECK, draft(context, endpoint, defect), verdict),
            Meaning::Unknown => context.doubt(CHECK, endpoint, UnassessedReason::UnknownValue, [], verdict),
        }
    }
}

/// The ids of the gateway endpoints whose state a finding about a route table reports.
fn named_by_findings_about_tables(context: &EndpointContext<'_>) -> BTreeSet<String> {
    let EndpointInput { network, account_region, route_table_services, min_severity, today, .. } = context.input;
    let is_defective = |endpoint: &&Endpoint| matches!(meaning(&endpoint.state), Meaning::Defect(_));
    let defective = context.endpoints().filter(|endpoint| endpoint.kind == EndpointKind::Gateway).filter(is_defective);
    let vpc_ids: BTreeSet<&str> = defective.map(|endpoint| endpoint.vpc_id.as_str()).collect();
    // Almost always: gateway endpoints rarely fail.
    if vpc_ids.is_empty() || route_table_services.is_empty() {
        return BTreeSet::new();
    }
    let tables = (network.route_tables.iter())
        .filter(|table| vpc_ids.contains(table.vpc_id.as_str()) && !table.is_edge())
        .filter(|table| !account_region.is_foreign(table.owner_id.as_deref()));
    let table_ids = tables.map(|table| table.id.clone()).collect();
    let verdict = gateway_endpoint::rule::evaluate(network, &table_ids, route_table_services, account_region, today);
    (verdict.findings.iter().filter(|finding| finding.severity >= min_severity))
        .filter_map(|finding| finding.missing_route())
        .filter(|missing| missing.gap == Gap::EndpointNotAvailable)
        .filter_map(|missing| Some(missing.endpoint.as_ref()?.id.clone()))
        .collect()
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
    Draft::of_endpoint(
        endpoint,
        Decided {
            defect,
            severity: Severity::Medium,
            subnets: own_subnets.filter(|subnet| endpoint.subnet_ids.contains(&subnet.id)).collect(),
            evidence: Evidence::State {
                state: endpoint.state.to_string(),
                last_error: endpoint.last_error.clone(),
                failure_reason: endpoint.failure_reason.clone(),
            },
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
            model::{Association, RouteTable},
            service::GatewayService,
            testing::{gateway_endpoint, interface_endpoint, main_table, route_to, subnet, table},
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

    const MAIN: &str = "rtb-0000000a";

    fn failed_gateway(tables: &[&str]) -> Endpoint {
        Endpoint { state: "failed".into(), ..gateway_endpoint("vpce-0000000a", VPC, GatewayService::S3, tables) }
    }

    /// The endpoints with a problem, if S3 is required.
    fn found(endpoints: &[Endpoint], tables: Vec<RouteTable>) -> Vec<String> {
        let mut world = World::new(&[subnet("subnet-0000000a", VPC)], endpoints);
        world.network.route_tables = tables;
        world.route_table_services = BTreeSet::from([GatewayService::S3]);
        world.verdict(evaluate).problems.into_iter().map(|problem| problem.subject.id).collect()
    }

    #[test]
    fn a_state_that_a_finding_about_a_table_reports_is_not_reported_twice() {
        for state in ["failed", "rejected", "expired", "partial", "pendingAcceptance"] {
            let endpoint = Endpoint { state: state.into(), ..failed_gateway(&[MAIN]) };
            assert_eq!(found(&[endpoint], vec![main_table(MAIN, VPC)]), [""; 0], "{state}");
        }
        let unknown = Endpoint { state: "suspended".into(), ..failed_gateway(&[MAIN]) };
        let mut world = World::new(&[], std::slice::from_ref(&unknown));
        world.network.route_tables = vec![main_table(MAIN, VPC)];
        world.route_table_services = BTreeSet::from([GatewayService::S3]);
        let expected = doubts([doubt(CHECK, &unknown, UnassessedReason::UnknownValue, &[])]);
        assert_eq!(world.verdict(evaluate), expected, "an unknown state is not a defect");
    }

    #[test]
    fn a_state_that_no_finding_about_a_table_reports_is_not_lost() {
        let found_anyway = ["vpce-0000000a"];
        assert_eq!(found(&[failed_gateway(&[])], vec![main_table(MAIN, VPC)]), found_anyway, "no table");

        let other = gateway_endpoint("vpce-0000000b", VPC, GatewayService::S3, &[MAIN]);
        let mut covered = main_table(MAIN, VPC);
        covered.routes.push(route_to(&other));
        let both = [failed_gateway(&[MAIN]), other];
        assert_eq!(found(&both, vec![covered]), found_anyway, "covered by another endpoint");
        assert_eq!(found(&both, vec![main_table(MAIN, VPC)]), found_anyway, "the finding names another endpoint");

        let two = [failed_gateway(&[MAIN]), Endpoint { id: "vpce-0000000c".into(), ..failed_gateway(&[MAIN]) }];
        assert_eq!(found(&two, vec![main_table(MAIN, VPC)]), ["vpce-0000000c"], "a finding names one endpoint");

        let exempt = RouteTable { exemption: Some(String::new()), ..main_table(MAIN, VPC) };
        assert_eq!(found(&[failed_gateway(&[MAIN])], vec![exempt]), found_anyway, "exempt");
        let gateway = Association { gateway_id: Some("igw-0000000a".into()), ..Association::default() };
        let edge = RouteTable { associations: vec![gateway], ..table(MAIN, VPC) };
        assert_eq!(found(&[failed_gateway(&[MAIN])], vec![edge]), found_anyway, "an edge table");
        let foreign = RouteTable { owner_id: Some("210987654321".into()), ..main_table(MAIN, VPC) };
        assert_eq!(found(&[failed_gateway(&[MAIN])], vec![foreign]), found_anyway, "another account's table");
        assert_eq!(found(&[failed_gateway(&[MAIN])], Vec::new()), found_anyway, "a table that EC2 does not return");

        let dynamodb = Endpoint {
            state: "failed".into(),
            ..gateway_endpoint("vpce-0000000a", VPC, GatewayService::DynamoDb, &[MAIN])
        };
        assert_eq!(found(&[dynamodb], vec![main_table(MAIN, VPC)]), found_anyway, "not required");

        let mut world = World::new(&[], &[failed_gateway(&[MAIN])]);
        world.network.route_tables = vec![main_table(MAIN, VPC)];
        assert_eq!(world.verdict(evaluate).problems.len(), 1, "route tables are not judged");

        // The finding about a table without subnets is LOW.
        world.route_table_services = BTreeSet::from([GatewayService::S3]);
        let found_from = |severity| World { min_severity: severity, ..world.clone() }.verdict(evaluate).problems.len();
        assert_eq!([Severity::Low, Severity::Medium].map(found_from), [0, 1], "nobody receives the finding");
    }

    #[test]
    fn a_tag_exempts_the_endpoint() {
        let tagged = Endpoint { exemption: Some("endpoint-state".into()), ..endpoint("failed") };
        assert_eq!(world(&tagged).verdict(evaluate), exempt(CHECK, &tagged, &["vpce-0000000a"]));
    }
}
