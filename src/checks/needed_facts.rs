//! Which facts the enabled checks need for these endpoints. gatewatch reads nothing else.

use std::collections::BTreeSet;

use jiff::civil::Date;

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
    /// The same facts, without those that would take too many calls. Which VPCs are left out depends on the day, so that
    /// daily sweeps read each in its turn.
    pub(super) fn limited(self, today: Date) -> Self {
        Self {
            dns_of: in_turn(self.dns_of, MAX_VPCS_WITH_DNS, today),
            central_names_of: in_turn(self.central_names_of, MAX_VPCS_WITH_CENTRAL_NAMES, today),
            ..self
        }
    }

    /// Whether nothing is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// At most this many of the ids. Each day has the next ones.
fn in_turn(ids: BTreeSet<String>, max: usize, today: Date) -> BTreeSet<String> {
    if ids.len() <= max {
        return ids;
    }
    let days = today.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
    let skipped = usize::try_from(days).unwrap_or_default().wrapping_mul(max) % ids.len();
    ids.iter().cycle().skip(skipped).take(max).cloned().collect()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    const DAY: Date = Date::constant(2026, 11, 20);

    fn vpcs(numbers: impl Iterator<Item = usize>) -> BTreeSet<String> {
        numbers.map(|n| format!("vpc-{n:08x}")).collect()
    }

    #[test]
    fn up_to_the_limit_every_vpc_is_read() {
        let needed = NeededFacts {
            dns_of: vpcs(0..150),
            central_names_of: vpcs(0..40),
            group_ids: (0..1000).map(|n| format!("sg-{n:08x}")).collect(),
            ..NeededFacts::default()
        };
        assert_eq!(needed.clone().limited(DAY), needed);
    }

    #[test]
    fn above_the_limit_each_vpc_has_its_turn() {
        let all = NeededFacts { dns_of: vpcs(0..400), central_names_of: vpcs(0..100), ..NeededFacts::default() };
        let of_days = DAY.series(1.day()).take(3).map(|day| all.clone().limited(day)).collect::<Vec<_>>();
        for of_day in &of_days {
            assert_eq!([of_day.dns_of.len(), of_day.central_names_of.len()], [150, 40]);
        }
        let read = |ids: fn(&NeededFacts) -> &BTreeSet<String>| of_days.iter().flat_map(ids).cloned().collect();
        let read: [BTreeSet<String>; 2] = [read(|needed| &needed.dns_of), read(|needed| &needed.central_names_of)];
        assert_eq!(read, [all.dns_of, all.central_names_of]);
    }
}
