//! Which VPCs are read.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

use std::collections::BTreeSet;

/// Which VPCs are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VpcSelection {
    /// All of the Region.
    Region,
    /// These.
    Vpcs(BTreeSet<String>),
}

impl VpcSelection {
    /// Whether the VPC is read.
    #[must_use]
    pub fn contains(&self, vpc_id: &str) -> bool {
        match self {
            Self::Region => true,
            Self::Vpcs(ids) => ids.contains(vpc_id),
        }
    }

    /// The VPCs that another selection lacks.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> BTreeSet<String> {
        match self {
            Self::Region => BTreeSet::new(),
            Self::Vpcs(ids) => ids.iter().filter(|id| !other.contains(id)).cloned().collect(),
        }
    }

    /// Adds VPCs.
    pub fn add(&mut self, vpc_ids: BTreeSet<String>) {
        if let Self::Vpcs(ids) = self {
            ids.extend(vpc_ids);
        }
    }
}
