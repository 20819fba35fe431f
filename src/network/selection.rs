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

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn the_difference_has_the_vpcs_that_the_other_selection_lacks() {
        let [none, one, two] = [&[][..], &["vpc-0000000a"], &["vpc-0000000a", "vpc-0000000b"]].map(ids);
        for (selection, other, difference) in [
            (VpcSelection::Vpcs(two.clone()), VpcSelection::Vpcs(one.clone()), ids(&["vpc-0000000b"])),
            (VpcSelection::Vpcs(one.clone()), VpcSelection::Vpcs(two.clone()), none.clone()),
            (VpcSelection::Vpcs(two), VpcSelection::Region, none.clone()),
            (VpcSelection::Region, VpcSelection::Vpcs(one), none),
        ] {
            assert_eq!(selection.difference(&other), difference, "{selection:?} without {other:?}");
        }
    }

    #[test]
    fn a_vpc_can_be_added_unless_the_selection_is_the_region() {
        let mut vpcs = VpcSelection::Vpcs(ids(&["vpc-0000000a"]));
        vpcs.add(ids(&["vpc-0000000b"]));
        assert_eq!(vpcs, VpcSelection::Vpcs(ids(&["vpc-0000000a", "vpc-0000000b"])));
        let mut region = VpcSelection::Region;
        region.add(ids(&["vpc-0000000b"]));
        assert_eq!(region, VpcSelection::Region);
    }
}
