//! Which facts the enabled checks need for these endpoints. gatewatch reads nothing else.

use std::collections::BTreeSet;

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
    /// Whether nothing is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
