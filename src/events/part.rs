//! The parts of a Region that is too large for one invocation.
//!
//! The parts are VPCs in the order of their ids. Each invocation reads the ids again, so a VPC that is created or deleted
//! between two parts harms neither.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// A request for one part of a Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRequest {
    /// Maximum number of VPCs in a part. A Region with no more VPCs is checked at once. At least 1.
    pub max_vpcs: usize,
    /// Where to go on. `None` for the first part.
    pub next: Option<NextPart>,
}

/// Where to go on after a part, as its answer said, and what the marker of the whole Region needs of the earlier parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPart {
    /// The last VPC of the part. It may have been deleted since.
    pub after_vpc_id: String,
    /// When the check of the first part began, in whole seconds.
    pub since: Timestamp,
    /// The number of findings in the earlier parts.
    pub open: OpenFindings,
}

/// The number of open findings of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFindings {
    /// Severity HIGH.
    pub high: u64,
    /// Severity MEDIUM.
    pub medium: u64,
    /// Severity LOW.
    pub low: u64,
}

impl std::ops::Add for OpenFindings {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { high: self.high + other.high, medium: self.medium + other.medium, low: self.low + other.low }
    }
}

/// The VPCs of one part of a Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegionPart {
    /// The ids of the VPCs in this part.
    pub vpc_ids: BTreeSet<String>,
    /// All VPCs of the Region, in the last part. What the alert history knows about any other VPC is in the last part too:
    /// that VPC is gone.
    existing: Option<BTreeSet<String>>,
}

impl RegionPart {
    /// The part that a request asks for, in a Region with these VPCs.
    #[must_use]
    pub fn new(existing: BTreeSet<String>, request: &PartRequest) -> Self {
        let after = request.next.as_ref().map(|next| &next.after_vpc_id);
        let mut rest = existing.iter().filter(|id| after.is_none_or(|after| *id > after));
        let vpc_ids = rest.by_ref().take(request.max_vpcs).cloned().collect();
        let is_last = rest.next().is_none();
        Self { vpc_ids, existing: is_last.then_some(existing) }
    }

    /// Whether no part follows. The last part includes everything that is in no VPC.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.existing.is_some()
    }

    /// Whether this part includes what is known about the VPC.
    #[must_use]
    pub fn contains(&self, vpc_id: &str) -> bool {
        self.vpc_ids.contains(vpc_id) || self.existing.as_ref().is_some_and(|existing| !existing.contains(vpc_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: impl Iterator<Item = usize>) -> BTreeSet<String> {
        numbers.map(|n| format!("vpc-{n:08x}")).collect()
    }

    fn part(existing: impl Iterator<Item = usize>, max_vpcs: usize, after: Option<usize>) -> RegionPart {
        let next = |n: usize| NextPart {
            after_vpc_id: format!("vpc-{n:08x}"),
            since: "2026-11-27T04:00:00Z".parse().unwrap(),
            open: OpenFindings::default(),
        };
        RegionPart::new(ids(existing), &PartRequest { max_vpcs, next: after.map(next) })
    }

    #[test]
    fn the_findings_of_two_parts_are_added_by_severity() {
        let sum = OpenFindings { high: 1, medium: 20, low: 300 } + OpenFindings { high: 4, medium: 50, low: 600 };
        assert_eq!(sum, OpenFindings { high: 5, medium: 70, low: 900 });
    }

    #[test]
    fn the_parts_are_vpcs_in_the_order_of_their_ids() {
        let middle = |vpc_ids| RegionPart { vpc_ids, existing: None };
        let last = |vpc_ids, existing| RegionPart { vpc_ids, existing: Some(existing) };
        assert_eq!(part(1..=5, 2, None), middle(ids(1..=2)));
        assert_eq!(part(1..=5, 2, Some(2)), middle(ids(3..=4)));
        assert_eq!(part(1..=5, 2, Some(4)), last(ids(5..=5), ids(1..=5)));
        assert_eq!(part(1..=4, 2, Some(2)), last(ids(3..=4), ids(1..=4)));
    }

    #[test]
    fn a_vpc_that_is_deleted_between_two_parts_harms_neither() {
        let remaining = || [1, 4, 5].into_iter();
        assert_eq!(part(remaining(), 2, Some(2)).vpc_ids, ids(4..=5), "the last one of the part before is gone");
        let nothing_left = part(1..=2, 2, Some(2));
        assert_eq!((nothing_left.vpc_ids.len(), nothing_left.is_last()), (0, true));
    }

    #[test]
    fn the_last_part_includes_vpcs_that_are_gone() {
        let [first, last] = [part(1..=3, 2, None), part(1..=3, 2, Some(2))];
        let contains = |part: &RegionPart| [1, 2, 3, 9].map(|n| part.contains(&format!("vpc-{n:08x}")));
        assert_eq!((contains(&first), first.is_last()), ([true, true, false, false], false));
        assert_eq!((contains(&last), last.is_last()), ([false, false, true, true], true));
    }
}
