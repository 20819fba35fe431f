//! Which facts the enabled checks need for these endpoints. gatewatch reads nothing else.

use std::collections::BTreeSet;

/// Maximum number of VPCs whose DNS attributes one invocation reads. EC2 answers one attribute of one VPC per call, and adds 20
/// calls per second, so more would take a large sweep the time that its route tables need. The endpoints of other VPCs are
/// not assessed; an event about them checks them.
const MAX_VPCS_WITH_DNS: usize = 150;

/// Maximum number of VPCs for which one invocation reads what else serves private names. Route 53 accepts five calls per
/// second of an account, one call per VPC, and gatewatch leaves more than half of them to others. So 40 VPCs take 18 s.
const MAX_VPCS_WITH_CENTRAL_NAMES: usize = 40;

/// The facts to read into [`crate::network::endpoint_facts::EndpointFacts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NeededFacts {
    /// The VPCs whose DNS attributes are needed.
    pub dns_of: BTreeSet<String>,
    /// The ids of the security groups.
    pub group_ids: BTreeSet<String>,
    /// The VPCs whose default security group is needed, because an endpoint names no group. Real endpoints always name
    /// their groups; emulators may not.
    pub default_groups_of: BTreeSet<String>,
    /// The names of the endpoint services. A name from a setting may be wrong, so ask with a filter: EC2 fails a request
    /// that names an unknown service otherwise.
    pub services: BTreeSet<String>,
    /// The VPCs for which it is needed what else serves private names.
    pub central_names_of: BTreeSet<String>,
    /// Whether the REST APIs of the Region are needed.
    pub rest_apis: bool,
}

impl NeededFacts {
    /// The same facts, without those that would take too many calls.
    pub(super) fn limited(mut self) -> Self {
        self.dns_of = self.dns_of.into_iter().take(MAX_VPCS_WITH_DNS).collect();
        self.central_names_of = self.central_names_of.into_iter().take(MAX_VPCS_WITH_CENTRAL_NAMES).collect();
        self
    }

    /// Whether nothing is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dns_attributes_of_a_limited_number_of_vpcs_are_needed() {
        let of = |vpcs: usize| NeededFacts {
            dns_of: (0..vpcs).map(|n| format!("vpc-{n:08x}")).collect(),
            group_ids: (0..1000).map(|n| format!("sg-{n:08x}")).collect(),
            ..NeededFacts::default()
        };
        assert_eq!(of(150).limited(), of(150));
        assert_eq!(of(151).limited(), of(150));
    }

    #[test]
    fn the_central_names_of_a_limited_number_of_vpcs_are_needed() {
        let of = |vpcs: usize| NeededFacts {
            central_names_of: (0..vpcs).map(|n| format!("vpc-{n:08x}")).collect(),
            ..NeededFacts::default()
        };
        assert_eq!(of(40).limited(), of(40));
        assert_eq!(of(41).limited(), of(40));
    }
}
