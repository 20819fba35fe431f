//! The list of all checks. The README table, the setting `CHECKS` and the permissions derive from it.

use std::collections::BTreeSet;

use crate::checks::{check::CheckName, endpoint_context::EndpointContext, endpoint_problem::EndpointVerdict};

/// The rule of a check of endpoints. It adds what it finds to the verdict.
pub type EndpointRule = fn(&EndpointContext<'_>, &mut EndpointVerdict);

/// What is known about a check without running it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckInfo {
    /// Its name.
    pub name: CheckName,
    /// Whether it runs unless the settings say otherwise. The default is the checks that find something broken or
    /// something that costs money for nothing.
    pub is_default: bool,
    /// The IAM actions that it needs beyond the four Describe calls that every check uses.
    pub actions: &'static [&'static str],
    /// What it finds, as one sentence for the README.
    pub finds: &'static str,
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
        actions: &[],
        finds: "A route table has no gateway route to a required service.",
    },
    CheckInfo {
        name: CheckName::DnsBypass,
        is_default: true,
        actions: &[],
        finds: "An interface endpoint attracts all traffic of its VPC to S3 or DynamoDB at a price per GB, although a \
                gateway endpoint is free.",
    },
    CheckInfo {
        name: CheckName::EndpointDns,
        is_default: true,
        actions: &["ec2:DescribeVpcAttribute"],
        finds: "An interface endpoint is paid for and not used, because a DNS attribute of its VPC is off.",
    },
    CheckInfo {
        name: CheckName::EndpointAccess,
        is_default: true,
        actions: &["ec2:DescribeSecurityGroups"],
        finds: "The security groups of an interface endpoint admit no subnet of the VPC, or not all of them, on port 443.",
    },
    CheckInfo {
        name: CheckName::EndpointState,
        is_default: true,
        actions: &[],
        finds: "An endpoint is failed, rejected, expired, partial, or waits for its acceptance.",
    },
    CheckInfo {
        name: CheckName::EndpointZones,
        is_default: false,
        actions: &["ec2:DescribeVpcEndpointServices"],
        finds: "An interface endpoint is missing in a zone that the VPC uses and the service offers.",
    },
    CheckInfo {
        name: CheckName::EndpointPolicy,
        is_default: false,
        actions: &["ec2:DescribeVpcEndpointServices"],
        finds: "The policy of an endpoint allows everyone to do everything with every resource.",
    },
    CheckInfo {
        name: CheckName::EndpointPrivateDns,
        is_default: false,
        actions: &CENTRAL_NAMES,
        finds: "An interface endpoint has no private DNS names, and nothing else serves them in its VPC.",
    },
    CheckInfo {
        name: CheckName::RequiredEndpoints,
        is_default: false,
        actions: &CENTRAL_NAMES,
        finds: "A VPC has no interface endpoint for a service of `REQUIRED_INTERFACES`, and nothing else serves its names.",
    },
    CheckInfo {
        name: CheckName::PrivateApi,
        is_default: false,
        actions: &["apigateway:GET"],
        finds: "A private REST API names an endpoint that is gone, or its resource policy lets every VPC call it.",
    },
];

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
}
