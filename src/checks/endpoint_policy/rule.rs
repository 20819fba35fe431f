//! Does the policy of an endpoint allow everyone to do everything with every resource?
//!
//! [`super::verdict`] says what a policy allows. The subjects are available gateway and interface endpoints.
//!
//! | given a policy | then | with `ORGANIZATION_ID` |
//! |---|---|---|
//! | that AWS gives every new endpoint | `default_policy`, `LOW` | `HIGH` |
//! | of one's own that is open | `open_policy`, `MEDIUM` | `HIGH` |
//! | that is bounded, with a statement that names other organizations only | in order | `policy_not_bounded_to_organization`, `HIGH` |
//! | that is bounded otherwise | in order | in order |
//! | that cannot be read, or whose effect nobody can say | not assessed: `unreadable_policy` | the same |
//! | that EC2 does not return | not assessed: `fact_missing` | the same |
//!
//! An endpoint of a service that supports no policies (`VpcEndpointPolicySupported` is false) is never judged. If EC2 does
//! not say whether the service supports policies, the policy decides.
//!
//! The fix is a text. A policy that a program tightens stops package repositories, image layers and patching.

use std::collections::BTreeSet;

use crate::{
    checks::{
        check::CheckName,
        endpoint_context::{Decided, Draft, EndpointContext, short_name},
        endpoint_policy::verdict::{PolicyVerdict, Sides, judge},
        endpoint_problem::{Defect, EndpointCaution, EndpointFix, EndpointVerdict, Evidence, UnassessedReason},
        needed_facts::NeededFacts,
        severity::Severity,
    },
    network::model::Endpoint,
};

const CHECK: CheckName = CheckName::EndpointPolicy;

/// Judges the policies of all available endpoints.
pub fn evaluate(context: &EndpointContext<'_>, verdict: &mut EndpointVerdict) {
    let organization = context.input.organization_id;
    let or_high = |severity| if organization.is_some() { Severity::High } else { severity };
    for endpoint in judged(context) {
        let service = context.input.facts.services.get(endpoint.service_name.as_str());
        if service.and_then(|service| service.policy_supported) == Some(false) {
            continue;
        }
        let Some(document) = &endpoint.policy_document else {
            context.doubt(CHECK, endpoint, UnassessedReason::FactMissing, [], verdict);
            continue;
        };
        let (defect, severity, sides) = match judge(document, service_of(context, endpoint), organization) {
            PolicyVerdict::Bounded => continue,
            PolicyVerdict::InDoubt => {
                context.doubt(CHECK, endpoint, UnassessedReason::UnreadablePolicy, [], verdict);
                continue;
            }
            PolicyVerdict::Default(sides) => (Defect::DefaultPolicy, or_high(Severity::Low), sides),
            PolicyVerdict::Open(sides) => (Defect::OpenPolicy, or_high(Severity::Medium), sides),
            PolicyVerdict::OtherOrganization(sides) => (Defect::PolicyNotBoundedToOrganization, Severity::High, sides),
        };
        context.report(CHECK, draft(context, endpoint, (defect, severity), sides), verdict);
    }
}

/// Adds the facts that [`evaluate`] needs.
pub fn needs(context: &EndpointContext<'_>, needed: &mut NeededFacts) {
    needed.services.extend(judged(context).map(|endpoint| endpoint.service_name.to_string()));
}

fn judged<'a>(context: &EndpointContext<'a>) -> impl Iterator<Item = &'a Endpoint> {
    context.endpoints().filter(|endpoint| endpoint.is_available())
}

/// The short name of the endpoint's service.
fn service_of<'a>(context: &EndpointContext<'_>, endpoint: &'a Endpoint) -> &'a str {
    short_name(&endpoint.service_name, &context.input.account_region.region)
}

fn draft<'a>(
    context: &EndpointContext<'a>,
    endpoint: &'a Endpoint,
    (defect, severity): (Defect, Severity),
    sides: Sides,
) -> Draft<'a> {
    Draft::of_endpoint(
        endpoint,
        Decided {
            defect,
            severity,
            subnets: Vec::new(),
            evidence: Evidence::Policy {
                principals: sides.principals,
                resources: sides.resources,
                statements: sides.statements,
            },
            fix: EndpointFix::ReviewPolicy {
                endpoint_id: endpoint.id.clone(),
                service: service_of(context, endpoint).to_owned(),
            },
            cautions: BTreeSet::from([EndpointCaution::NarrowPolicy]),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::{
            endpoint_problem::PolicySide,
            endpoint_testing::{Decision, VPC, World, doubt, doubts, exempt, only, problem},
        },
        network::{
            endpoint_facts::EndpointService,
            model::EndpointKind,
            testing::{interface_endpoint, subnet},
        },
    };

    const DEFAULT: &str =
        r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
    const OWN: &str = r#"{"Statement":{"Sid":"All","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#;
    const OTHER: &str = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*",
        "Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-z9y8x7w6v5"}}}}"#;

    fn endpoint(policy: Option<&str>) -> Endpoint {
        Endpoint { policy_document: policy.map(str::to_owned), ..interface_endpoint("vpce-0000000a", VPC, "ecr.api") }
    }

    fn world(endpoint: Endpoint) -> World {
        World::new(&[subnet("subnet-0000000a", VPC)], &[endpoint])
    }

    fn expected(defect: Defect, severity: Severity, principals: PolicySide, statement: &str) -> EndpointVerdict {
        let decision = Decision {
            defect,
            severity,
            evidence: Evidence::Policy {
                principals,
                resources: PolicySide::Open,
                statements: vec![statement.to_owned()],
            },
            fix: EndpointFix::ReviewPolicy { endpoint_id: "vpce-0000000a".into(), service: "ecr.api".into() },
            cautions: vec![EndpointCaution::NarrowPolicy],
        };
        only(problem(CHECK, &endpoint(None), &[], decision))
    }

    #[test]
    fn the_severity_depends_on_the_policy_and_the_organization() {
        use PolicySide::{Bounded, Open};
        let none = EndpointVerdict::default;
        for (policy, without, with) in [
            (
                DEFAULT,
                expected(Defect::DefaultPolicy, Severity::Low, Open, "#1"),
                expected(Defect::DefaultPolicy, Severity::High, Open, "#1"),
            ),
            (
                OWN,
                expected(Defect::OpenPolicy, Severity::Medium, Open, "All"),
                expected(Defect::OpenPolicy, Severity::High, Open, "All"),
            ),
            (OTHER, none(), expected(Defect::PolicyNotBoundedToOrganization, Severity::High, Bounded, "#1")),
            (r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}"#, none(), none()),
        ] {
            for kind in [EndpointKind::Interface, EndpointKind::Gateway] {
                let mut world = world(Endpoint { kind, ..endpoint(Some(policy)) });
                assert_eq!(world.verdict(evaluate), without, "{policy}");
                world.organization_id = Some("o-a1b2c3d4e5".into());
                assert_eq!(world.verdict(evaluate), with, "{policy}");
            }
        }
    }

    #[test]
    fn a_policy_that_is_missing_or_cannot_be_read_is_not_assessed() {
        for (policy, reason) in
            [(None, UnassessedReason::FactMissing), (Some("{}"), UnassessedReason::UnreadablePolicy)]
        {
            let expected = doubts([doubt(CHECK, &endpoint(None), reason, &[])]);
            assert_eq!(world(endpoint(policy)).verdict(evaluate), expected, "{policy:?}");
        }
    }

    #[test]
    fn a_service_without_policies_is_never_judged() {
        let judged = |policy_supported, policy| {
            let mut world = world(endpoint(policy));
            let service = EndpointService { policy_supported, ..EndpointService::default() };
            world.facts.services.insert("com.amazonaws.eu-west-1.ecr.api".into(), service);
            world.verdict(evaluate) != EndpointVerdict::default()
        };
        assert!(!judged(Some(false), Some(DEFAULT)));
        assert!(!judged(Some(false), None));
        assert!(judged(Some(true), Some(DEFAULT)));
        assert!(judged(None, Some(DEFAULT)));
    }

    #[test]
    fn only_available_endpoints_are_judged() {
        let names = |endpoint: Endpoint| world(endpoint).needed(needs).services;
        assert_eq!(names(endpoint(None)), BTreeSet::from(["com.amazonaws.eu-west-1.ecr.api".to_owned()]));
        let pending = Endpoint { state: "pending".into(), ..endpoint(Some(DEFAULT)) };
        assert_eq!(world(pending.clone()).verdict(evaluate), EndpointVerdict::default());
        assert_eq!(names(pending), BTreeSet::new());
    }

    #[test]
    fn a_tag_exempts_the_endpoint_but_tags_on_subnets_do_not() {
        for policy in [Some(DEFAULT), Some("{}"), None] {
            let tagged = Endpoint { exemption: Some("endpoint-policy".into()), ..endpoint(policy) };
            assert_eq!(world(tagged.clone()).verdict(evaluate), exempt(CHECK, &tagged, &["vpce-0000000a"]));
        }
        let mut world = world(endpoint(Some(DEFAULT)));
        world.network.subnets[0].exemption = Some("*".into());
        assert_eq!(world.verdict(evaluate).problems.len(), 1);
    }
}
