//! The VPCs that one invocation reads.

use std::collections::BTreeSet;

/// The VPCs to read from EC2 or from the alert history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VpcSelection {
    /// All VPCs of the Region.
    Region,
    /// The VPCs with these ids.
    Vpcs(BTreeSet<String>),
}

impl VpcSelection {
    /// Whether the selection contains the VPC.
    #[must_use]
    pub fn contains(&self, vpc_id: &str) -> bool {
        match self {
            Self::Region => true,
            Self::Vpcs(ids) => ids.contains(vpc_id),
        }
    }

    /// The VPCs of this selection that the other one does not contain. Empty for the Region, whose ids are unknown.
    #[must_use]
    pub fn difference(&self, other: &Self) -> BTreeSet<String> {
        match self {
            Self::Region => BTreeSet::new(),
            Self::Vpcs(ids) => ids.iter().filter(|id| !other.contains(id)).cloned().collect(),
        }
    }

    /// Adds VPCs. The whole Region already contains them.
    pub fn add(&mut self, vpc_ids: BTreeSet<String>) {
        if let Self::Vpcs(ids) = self {
            ids.extend(vpc_ids);
        }
    }
}
