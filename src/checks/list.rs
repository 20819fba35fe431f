//! The list of all checks. The README table, the setting `CHECKS` and the permissions derive from it.

use std::collections::BTreeSet;

use crate::{
    checks::{
        check::CheckName, dns_bypass, endpoint_access, endpoint_context::EndpointContext, endpoint_dns,
        endpoint_policy, endpoint_private_dns, endpoint_problem::EndpointVerdict, endpoint_state, endpoint_zones,
        needed_facts::NeededFacts, private_api, required_endpoints,
    },
    network::model::Endpoint,
};

/// The rule of a check of endpoints. It adds what it finds to the verdict.
pub type EndpointRule = fn(&EndpointContext<'_>, &mut EndpointVerdict);

/// Adds the facts that the rule of a check of endpoints needs.
pub type EndpointNeeds = fn(&EndpointContext<'_>, &mut NeededFacts);

/// What a check judges, and how.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Route tables: [`crate::checks::gateway_endpoint::rule::evaluate`].
    RouteTables,
    /// Endpoints, VPCs or REST APIs.
    Endpoints {
        /// Judges them.
        evaluate: EndpointRule,
        /// Says which facts that needs.
        needs: EndpointNeeds,
    },
}

/// A check.
#[derive(Clone, Copy, Debug)]
pub struct CheckInfo {
    /// Its name.
    pub name: CheckName,
    /// Whether it runs unless the settings say otherwise. The default is the checks that find something broken or
    /// something that costs money for nothing.
    pub is_default: bool,
    /// Whether it judges an endpoint only while the endpoint is available. In another state nobody knows whether the problem
    /// still exists.
    pub only_available: bool,
    /// The IAM actions that it needs beyond the four Describe calls that every check uses.
    pub actions: &'static [&'static str],
    /// What it finds, as one sentence for the README.
    pub finds: &'static str,
    /// What it judges, and how.
    pub rule: Rule,
}

/// The IAM actions that show what else may serve private names in a VPC. If one is denied, the check says so for the
/// VPC and finds nothing there.
const CENTRAL_NAMES: [&str; 6] = [
    "ec2:DescribeVpcEndpointServices",
    "route53:ListHostedZonesByVPC",
    "route53profiles:ListProfileAssociations",
    "route53profiles:ListProfileResourceAssociations",
    "route53resolver:ListResolverRuleAssociations",
    "route53resolver:ListResolverRules",
];

/// All checks, in the order of the README table.
pub const CHECKS: [CheckInfo; CheckName::ALL.len()] = [
    CheckInfo {
        name: CheckName::GatewayRoute,
        is_default: true,
        only_available: false,
        actions: &[],
        finds: "A route table has no gateway route to a required service.",
        rule: Rule::RouteTables,
    },
    CheckInfo {
        name: CheckName::DnsBypass,
        is_default: true,
        only_available: true,
        actions: &[],
        finds: "An interface endpoint attracts all traffic of its VPC to S3 or DynamoDB at a price per GB, although a \
                gateway endpoint is free.",
        rule: Rule::Endpoints { evaluate: dns_bypass::rule::evaluate, needs: no_facts },
    },
    CheckInfo {
        name: CheckName::EndpointDns,
        is_default: true,
        only_available: true,
        actions: &["ec2:DescribeVpcAttribute"],
        finds: "An interface endpoint is paid for and not used, because a DNS attribute of its VPC is off.",
        rule: Rule::Endpoints { evaluate: endpoint_dns::rule::evaluate, needs: endpoint_dns::rule::needs },
    },
    CheckInfo {
        name: CheckName::EndpointAccess,
        is_default: true,
        only_available: true,
        actions: &["ec2:DescribeSecurityGroups"],
        finds: "The security groups of an interface endpoint admit no subnet of the VPC, or not all of them, on the port of its service.",
        rule: Rule::Endpoints { evaluate: endpoint_access::rule::evaluate, needs: endpoint_access::rule::needs },
    },
    CheckInfo {
        name: CheckName::EndpointState,
        is_default: true,
        only_available: false,
        actions: &[],
        finds: "An endpoint is failed, rejected, expired, partial, or waits for its acceptance.",
        rule: Rule::Endpoints { evaluate: endpoint_state::rule::evaluate, needs: no_facts },
    },
    CheckInfo {
        name: CheckName::EndpointZones,
        is_default: false,
        only_available: true,
        actions: &["ec2:DescribeVpcEndpointServices"],
        finds: "An interface endpoint is missing in a zone that the VPC uses and the service offers.",
        rule: Rule::Endpoints { evaluate: endpoint_zones::rule::evaluate, needs: endpoint_zones::rule::needs },
    },
    CheckInfo {
        name: CheckName::EndpointPolicy,
        is_default: false,
        only_available: true,
        actions: &["ec2:DescribeVpcEndpointServices"],
        finds: "The policy of an endpoint allows everyone to do everything with every resource.",
        rule: Rule::Endpoints { evaluate: endpoint_policy::rule::evaluate, needs: endpoint_policy::rule::needs },
    },
    CheckInfo {
        name: CheckName::EndpointPrivateDns,
        is_default: false,
        only_available: true,
        actions: &CENTRAL_NAMES,
        finds: "An interface endpoint has no private DNS names, and nothing else serves them in its VPC.",
        rule: Rule::Endpoints {
            evaluate: endpoint_private_dns::rule::evaluate,
            needs: endpoint_private_dns::rule::needs,
        },
    },
    CheckInfo {
        name: CheckName::RequiredEndpoints,
        is_default: false,
        only_available: false,
        actions: &CENTRAL_NAMES,
        finds: "A VPC has no interface endpoint for a service of `REQUIRED_INTERFACES`, and nothing else serves its names.",
        rule: Rule::Endpoints { evaluate: required_endpoints::rule::evaluate, needs: required_endpoints::rule::needs },
    },
    CheckInfo {
        name: CheckName::PrivateApi,
        is_default: false,
        only_available: false,
        actions: &["apigateway:GET"],
        finds: "A private REST API names an endpoint that is gone, or its resource policy lets every VPC call it.",
        rule: Rule::Endpoints { evaluate: private_api::rule::evaluate, needs: private_api::rule::needs },
    },
];

/// The network alone is enough.
fn no_facts(_: &EndpointContext<'_>, _: &mut NeededFacts) {}

/// Whether the check judges the endpoint in its current state.
#[must_use]
pub fn judges_state_of(name: CheckName, endpoint: &Endpoint) -> bool {
    endpoint.is_available() || !CHECKS.iter().any(|check| check.name == name && check.only_available)
}

/// The rules of these checks, as far as they judge endpoints.
fn endpoint_rules(checks: &BTreeSet<CheckName>) -> impl Iterator<Item = (EndpointRule, EndpointNeeds)> {
    CHECKS.into_iter().filter(|check| checks.contains(&check.name)).filter_map(|check| match check.rule {
        Rule::RouteTables => None,
        Rule::Endpoints { evaluate, needs } => Some((evaluate, needs)),
    })
}

/// The facts that these checks need for the endpoints of the context. Empty if there is no endpoint to judge, except for
/// the checks that judge VPCs or REST APIs.
#[must_use]
pub fn needed_facts(checks: &BTreeSet<CheckName>, context: &EndpointContext<'_>) -> NeededFacts {
    let mut needed = NeededFacts::default();
    for (_, needs) in endpoint_rules(checks) {
        needs(context, &mut needed);
    }
    needed.limited(context.input.today)
}

/// Whether one of these checks judges endpoints.
#[must_use]
pub fn has_endpoint_checks(checks: &BTreeSet<CheckName>) -> bool {
    endpoint_rules(checks).next().is_some()
}

/// Runs these checks, except `gateway-route`. The result is sorted by VPC id, subject, check and service.
#[must_use]
pub fn evaluate_endpoints(checks: &BTreeSet<CheckName>, context: &EndpointContext<'_>) -> EndpointVerdict {
    let mut verdict = EndpointVerdict::default();
    for (evaluate, _) in endpoint_rules(checks) {
        evaluate(context, &mut verdict);
    }
    if has_endpoint_checks(checks) {
        verdict.judged_endpoints = context.endpoints().count();
        verdict.unreadable_exemptions = context.unreadable_exemptions();
    }
    verdict.problems.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    verdict.exempt.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    verdict
}

/// The checks that run unless the settings say otherwise.
#[must_use]
pub fn default_checks() -> BTreeSet<CheckName> {
    CHECKS.iter().filter(|check| check.is_default).map(|check| check.name).collect()
}

/// The IAM actions that these checks need beyond the four Describe calls, without duplicates.
#[must_use]
pub fn actions_of(checks: &BTreeSet<CheckName>) -> BTreeSet<&'static str> {
    CHECKS.iter().filter(|check| checks.contains(&check.name)).flat_map(|check| check.actions).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::endpoint_testing::{VPC, World, subnet_with},
        network::{
            endpoint_facts::RestApis,
            service::GatewayService,
            testing::{gateway_endpoint, interface_endpoint},
        },
    };

    #[test]
    fn the_list_has_every_check_once_and_in_order() {
        assert_eq!(CHECKS.map(|check| check.name), CheckName::ALL);
        for check in CHECKS {
            assert!(check.finds.ends_with('.') && !check.finds.contains('\n'), "{check:?}");
        }
    }

    #[test]
    fn the_default_is_what_is_broken_or_paid_for_nothing() {
        assert_eq!(
            default_checks(),
            BTreeSet::from([
                CheckName::GatewayRoute,
                CheckName::DnsBypass,
                CheckName::EndpointDns,
                CheckName::EndpointAccess,
                CheckName::EndpointState,
            ])
        );
    }

    #[test]
    fn the_actions_of_several_checks_are_listed_once() {
        assert_eq!(
            actions_of(&default_checks()),
            BTreeSet::from(["ec2:DescribeSecurityGroups", "ec2:DescribeVpcAttribute"])
        );
        let two = BTreeSet::from([CheckName::EndpointZones, CheckName::EndpointPolicy]);
        assert_eq!(actions_of(&two), BTreeSet::from(["ec2:DescribeVpcEndpointServices"]));
    }

    #[test]
    fn with_the_default_checks_only_interface_endpoints_need_facts() {
        let gateway = gateway_endpoint("vpce-0000000b", VPC, GatewayService::S3, &[]);
        let subnets = [subnet_with("subnet-0000000a", &["10.0.0.0/24"])];
        let without = World::new(&subnets, std::slice::from_ref(&gateway));
        assert!(needed_facts(&default_checks(), &without.context()).is_empty());
        let interface = Endpoint {
            security_group_ids: vec!["sg-0000000a".into()],
            ..interface_endpoint("vpce-0000000a", VPC, "ssm")
        };
        let with = World::new(&subnets, &[gateway, interface]);
        let needed = NeededFacts {
            dns_of: BTreeSet::from([VPC.to_owned()]),
            group_ids: BTreeSet::from(["sg-0000000a".to_owned()]),
            ..NeededFacts::default()
        };
        assert_eq!(needed_facts(&default_checks(), &with.context()), needed);
        let only_gateway_route = BTreeSet::from([CheckName::GatewayRoute]);
        assert!(needed_facts(&only_gateway_route, &with.context()).is_empty());
    }

    #[test]
    fn only_the_state_of_an_endpoint_that_is_not_available_is_judged() {
        let pending = Endpoint { state: "pending".into(), ..interface_endpoint("vpce-0000000a", VPC, "ssm") };
        let of_endpoints = [
            CheckName::DnsBypass,
            CheckName::EndpointDns,
            CheckName::EndpointAccess,
            CheckName::EndpointZones,
            CheckName::EndpointPolicy,
            CheckName::EndpointPrivateDns,
        ];
        for check in CheckName::ALL {
            assert_eq!(judges_state_of(check, &pending), !of_endpoints.contains(&check), "{check:?}");
            assert!(judges_state_of(check, &Endpoint { state: "Available".into(), ..pending.clone() }), "{check:?}");
        }
    }

    #[test]
    fn exactly_the_enabled_checks_run_in_a_fixed_order() {
        let failed = |id: &str| Endpoint { state: "failed".into(), ..interface_endpoint(id, "vpc-0000000b", "ssm") };
        let s3 = |id: &str| interface_endpoint(id, VPC, "s3");
        let mut world = World::new(
            &[],
            &[failed("vpce-0000000d"), s3("vpce-0000000b"), s3("vpce-0000000a"), failed("vpce-0000000c")],
        );
        world.facts.rest_apis = Some(RestApis::default());
        let found = |checks: &[CheckName]| {
            let verdict = evaluate_endpoints(&checks.iter().copied().collect(), &world.context());
            verdict.problems.into_iter().map(|problem| (problem.check, problem.subject.id)).collect::<Vec<_>>()
        };
        let bypass = ["vpce-0000000a", "vpce-0000000b"].map(|id| (CheckName::DnsBypass, id.to_owned()));
        let state = ["vpce-0000000c", "vpce-0000000d"].map(|id| (CheckName::EndpointState, id.to_owned()));
        assert_eq!(found(&[CheckName::DnsBypass]), bypass);
        assert_eq!(found(&[CheckName::EndpointState]), state);
        assert_eq!(found(&[CheckName::EndpointState, CheckName::DnsBypass]), [bypass, state].concat());
        assert_eq!(found(&[CheckName::GatewayRoute]), []);
    }

    #[test]
    fn the_judged_endpoints_are_counted_if_a_check_of_endpoints_runs() {
        let managed = Endpoint { requester_managed: true, ..interface_endpoint("vpce-0000000c", VPC, "ssm") };
        let gateway = gateway_endpoint("vpce-0000000b", VPC, GatewayService::S3, &[]);
        let world = World::new(&[], &[interface_endpoint("vpce-0000000a", VPC, "ssm"), gateway, managed]);
        let judged = |check| evaluate_endpoints(&BTreeSet::from([check]), &world.context()).judged_endpoints;
        assert_eq!([CheckName::GatewayRoute, CheckName::DnsBypass, CheckName::EndpointState].map(judged), [0, 2, 2]);
    }
}
