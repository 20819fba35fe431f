//! The overview: every account and Region with its last complete check.
//!
//! | given | then |
//! |---|---|
//! | a complete check within `stale_after` | checked |
//! | an older one, or none | stale |
//! | the role or the Region is missing | not enrolled, and not stale: no check is expected |
//! | an active account that nobody checked yet, in each watched Region | listed, without a check, stale |
//! | an account that is not active any more, or that sweeps do not list any more | left out |
//! | a Region that is not watched any more | left out |
//! | an account that no sweep lists and nobody could read, such as a wrong number in a request | left out |

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::marker::{Marker, MemberAccount};
use crate::events::part::OpenFindings;
use crate::network::enrollment::NotEnrolled;

/// What is known of all accounts and Regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Each account and Region, sorted.
    pub account_regions: Vec<AccountRegionState>,
    /// The same in numbers.
    pub totals: Totals,
}

/// What is known of one account and Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRegionState {
    /// The account, 12 digits.
    pub account: String,
    /// The name of the account, if it is known: untrusted text.
    pub account_name: Option<String>,
    /// Where the account is in the organization, if that is known: untrusted text.
    pub organizational_unit: Option<String>,
    /// The Region.
    pub region: String,
    /// When the last complete check began.
    pub last_complete_check: Option<Timestamp>,
    /// The findings that were open then.
    pub open: OpenFindings,
    /// Why it cannot be read.
    pub not_enrolled: Option<NotEnrolled>,
    /// Whether the last complete check is too old.
    pub is_stale: bool,
}

/// Numbers about all accounts and Regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many there are.
    pub account_regions: u64,
    /// How many had a complete check lately.
    pub checked: u64,
    /// How many cannot be read.
    pub not_enrolled: u64,
    /// How many had no complete check lately, although they can be read.
    pub stale: u64,
    /// The open findings.
    pub open: OpenFindings,
    /// The oldest last complete check of those that can be read and had one.
    pub oldest_check: Option<Timestamp>,
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepResult {
    /// When it began.
    pub since: Timestamp,
    /// The accounts and Regions with a complete check since then.
    pub checked: u64,
    /// Those that were found not to be enrolled.
    pub not_enrolled: u64,
    /// The others.
    pub failed: u64,
    /// Whether no account but the hub's own was checked, and access was denied in one that was checked before. Then the hub's
    /// permissions are probably broken, and not the roles of the accounts. A hub that is deployed before the roles has checked
    /// none of them before.
    pub lost_all_members: bool,
}

impl Overview {
    /// Combines what is known. `regions` are those that are watched in each account.
    #[must_use]
    pub fn new(
        markers: &[Marker],
        accounts: &[MemberAccount],
        regions: &BTreeSet<String>,
        stale_after: SignedDuration,
        now: Timestamp,
    ) -> Self {
        let by_id: BTreeMap<&str, &MemberAccount> =
            accounts.iter().map(|account| (account.id.as_str(), account)).collect();
        // An account that has left the organization stays in the table for a while.
        let listed_at = accounts.iter().filter_map(|account| account.seen_at).max();
        let is_listed = |account: &MemberAccount| {
            let has_left = |(listed_at, seen_at): (Timestamp, _)| listed_at.duration_since(seen_at) > stale_after;
            account.is_active && !listed_at.zip(account.seen_at).is_some_and(has_left)
        };
        let is_watched = |marker: &Marker| {
            let member = by_id.get(marker.account.as_str());
            regions.contains(&marker.region) && member.map_or(marker.checked_at.is_some(), |account| is_listed(account))
        };
        let mut by_place: BTreeMap<(String, String), Option<&Marker>> = (accounts.iter())
            .filter(|account| is_listed(account))
            .flat_map(|account| regions.iter().map(|region| ((account.id.clone(), region.clone()), None)))
            .collect();
        for marker in markers.iter().filter(|marker| is_watched(marker)) {
            by_place.insert((marker.account.clone(), marker.region.clone()), Some(marker));
        }
        let state = |((account, region), marker): ((String, String), Option<&Marker>)| {
            let member = by_id.get(account.as_str());
            let last_complete_check = marker.and_then(|marker| marker.checked_at);
            let not_enrolled = marker.and_then(|marker| marker.not_enrolled).map(|(reason, _)| reason);
            let is_recent = last_complete_check.is_some_and(|checked_at| now.duration_since(checked_at) <= stale_after);
            AccountRegionState {
                account_name: member.and_then(|member| member.name.clone()),
                organizational_unit: member.and_then(|member| member.organizational_unit.clone()),
                account,
                region,
                last_complete_check,
                open: marker.map(|marker| marker.open).unwrap_or_default(),
                not_enrolled,
                is_stale: not_enrolled.is_none() && !is_recent,
            }
        };
        let account_regions: Vec<AccountRegionState> = by_place.into_iter().map(state).collect();
        let totals = Totals::of(&account_regions);
        Self { account_regions, totals }
    }
}

impl Totals {
    fn of(states: &[AccountRegionState]) -> Self {
        states.iter().fold(Self::default(), |totals, state| {
            let is_readable = state.not_enrolled.is_none();
            let check = state.last_complete_check.filter(|_| is_readable);
            Self {
                account_regions: totals.account_regions + 1,
                checked: totals.checked + u64::from(is_readable && !state.is_stale),
                not_enrolled: totals.not_enrolled + u64::from(!is_readable),
                stale: totals.stale + u64::from(state.is_stale),
                open: totals.open + state.open,
                oldest_check: totals.oldest_check.into_iter().chain(check).min(),
            }
        })
    }
}

impl SweepResult {
    /// What happened since a sweep began, in the accounts and Regions of this overview. `own_account` is the hub's.
    #[must_use]
    pub fn new(overview: &Overview, markers: &[Marker], own_account: Option<&str>, since: Timestamp) -> Self {
        let by_place: BTreeMap<(&str, &str), &Marker> =
            markers.iter().map(|marker| ((marker.account.as_str(), marker.region.as_str()), marker)).collect();
        let mut result = Self { since, checked: 0, not_enrolled: 0, failed: 0, lost_all_members: false };
        let (mut checked_a_member, mut lost_a_member) = (false, false);
        for state in &overview.account_regions {
            let is_member = own_account != Some(state.account.as_str());
            let marker = by_place.get(&(state.account.as_str(), state.region.as_str()));
            if marker.is_some_and(|marker| marker.checked_at.is_some_and(|checked_at| checked_at >= since)) {
                result.checked += 1;
                checked_a_member |= is_member;
            } else if marker.is_some_and(|marker| marker.not_enrolled.is_some_and(|(_, seen_at)| seen_at >= since)) {
                result.not_enrolled += 1;
                let is_refused = marker.is_some_and(|marker| marker.is_access_denied());
                lost_a_member |= is_member && is_refused && state.last_complete_check.is_some();
            } else {
                result.failed += 1;
            }
        }
        Self { lost_all_members: lost_a_member && !checked_a_member, ..result }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-27T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn marker(account: &str, region: &str) -> Marker {
        Marker {
            account: account.into(),
            region: region.into(),
            checked_at: Some(at("2026-11-27T05:00:00Z")),
            open: OpenFindings::default(),
            not_enrolled: None,
            reported: None,
        }
    }

    fn account(id: &str) -> MemberAccount {
        MemberAccount {
            id: id.into(),
            name: Some(format!("team {id}")),
            organizational_unit: None,
            is_active: true,
            seen_at: None,
        }
    }

    fn state(account: &str, region: &str, is_stale: bool) -> AccountRegionState {
        AccountRegionState {
            account: account.into(),
            account_name: Some(format!("team {account}")),
            organizational_unit: None,
            region: region.into(),
            last_complete_check: Some(at("2026-11-27T05:00:00Z")),
            open: OpenFindings::default(),
            not_enrolled: None,
            is_stale,
        }
    }

    fn overview(markers: &[Marker], accounts: &[MemberAccount]) -> Overview {
        let regions = ["eu-west-1", "us-east-1"].map(str::to_owned).into();
        Overview::new(markers, accounts, &regions, SignedDuration::from_hours(8), at(NOW))
    }

    #[test]
    fn every_active_account_is_listed_in_every_watched_region() {
        const A: &str = "111122223333";
        const B: &str = "444455556666";
        let high = OpenFindings { high: 2, medium: 0, low: 1 };
        let old = Some(at("2026-11-27T03:59:59Z"));
        let refused = Some((NotEnrolled::AccessDenied, at("2026-11-27T05:00:00Z")));
        let markers = vec![
            Marker { open: high, ..marker(A, "eu-west-1") },
            Marker { checked_at: old, ..marker(A, "us-east-1") },
            Marker { checked_at: old, not_enrolled: refused, ..marker(B, "eu-west-1") },
            marker(A, "ap-south-1"),
            marker("777788889999", "eu-west-1"),
        ];
        let suspended = MemberAccount { is_active: false, ..account("777788889999") };
        assert_eq!(
            overview(&markers, &[account(A), account(B), suspended]),
            Overview {
                account_regions: vec![
                    AccountRegionState { open: high, ..state(A, "eu-west-1", false) },
                    AccountRegionState { last_complete_check: old, ..state(A, "us-east-1", true) },
                    AccountRegionState {
                        last_complete_check: old,
                        not_enrolled: Some(NotEnrolled::AccessDenied),
                        ..state(B, "eu-west-1", false)
                    },
                    AccountRegionState { last_complete_check: None, ..state(B, "us-east-1", true) },
                ],
                totals: Totals {
                    account_regions: 4,
                    checked: 1,
                    not_enrolled: 1,
                    stale: 2,
                    open: high,
                    oldest_check: old,
                },
            }
        );
    }

    #[test]
    fn an_account_that_left_the_organization_is_left_out_after_some_time() {
        let account = |id: &str, seen_at| MemberAccount { seen_at: Some(at(seen_at)), ..account(id) };
        let accounts = [
            account("111122223333", "2026-11-27T12:00:00Z"),
            account("222233334444", "2026-11-27T04:00:00Z"),
            account("333344445555", "2026-11-27T03:59:59Z"),
        ];
        let markers = accounts.clone().map(|account| marker(&account.id, "eu-west-1"));
        let states = overview(&markers, &accounts).account_regions;
        let listed: BTreeSet<&str> = states.iter().map(|state| state.account.as_str()).collect();
        assert_eq!(listed, BTreeSet::from(["111122223333", "222233334444"]));
    }

    #[test]
    fn an_account_that_the_organization_does_not_list_is_listed_if_it_was_checked() {
        let state = AccountRegionState { account_name: None, ..state("111122223333", "eu-west-1", false) };
        let refused = Some((NotEnrolled::AccessDenied, at("2026-11-27T05:00:00Z")));
        let wrong = Marker { checked_at: None, not_enrolled: refused, ..marker("999988887777", "eu-west-1") };
        assert_eq!(overview(&[marker("111122223333", "eu-west-1"), wrong], &[]).account_regions, [state]);
    }

    #[test]
    fn a_sweep_counts_what_happened_since_it_began() {
        let since = at("2026-11-27T05:00:00Z");
        let before = at("2026-11-27T04:59:59Z");
        let markers = vec![
            marker("111122223333", "eu-west-1"),
            Marker { checked_at: Some(before), ..marker("111122223333", "us-east-1") },
            Marker {
                checked_at: Some(before),
                not_enrolled: Some((NotEnrolled::RegionDisabled, since)),
                ..marker("444455556666", "eu-west-1")
            },
            Marker {
                checked_at: None,
                not_enrolled: Some((NotEnrolled::RegionDisabled, before)),
                ..marker("444455556666", "us-east-1")
            },
        ];
        let overview = overview(&markers, &[account("111122223333"), account("444455556666"), account("777788889999")]);
        assert_eq!(
            SweepResult::new(&overview, &markers, None, since),
            SweepResult { since, checked: 1, not_enrolled: 1, failed: 4, lost_all_members: false }
        );
    }

    #[test]
    fn a_hub_that_can_enter_no_account_any_more_has_lost_all_members() {
        const OWN: &str = "123456789012";
        let (since, before) = (at("2026-11-27T05:00:00Z"), at("2026-11-26T05:00:00Z"));
        let refused = |account: &str, checked_at| Marker {
            checked_at,
            not_enrolled: Some((NotEnrolled::AccessDenied, since)),
            ..marker(account, "eu-west-1")
        };
        let (own, a, b) = (marker(OWN, "eu-west-1"), "111122223333", "444455556666");
        for (members, has_lost, why) in [
            (vec![refused(a, Some(before)), refused(b, Some(before))], true, "all were entered before"),
            (vec![refused(a, Some(before)), refused(b, None)], true, "one was entered before"),
            (vec![refused(a, None), refused(b, None)], false, "the roles are not deployed yet"),
            (vec![refused(a, Some(before)), marker(b, "eu-west-1")], false, "one account was removed"),
            (vec![Marker { checked_at: Some(before), ..marker(a, "eu-west-1") }], false, "it failed"),
            (
                vec![refused(a, Some(before)), Marker { checked_at: Some(before), ..marker(b, "eu-west-1") }],
                true,
                "one failed",
            ),
            (
                vec![Marker { not_enrolled: Some((NotEnrolled::RegionDisabled, since)), ..refused(a, Some(before)) }],
                false,
                "the Region was disabled",
            ),
            (vec![], false, "the hub's account is alone"),
        ] {
            let markers = [vec![own.clone()], members].concat();
            let accounts: Vec<MemberAccount> = markers.iter().map(|marker| account(&marker.account)).collect();
            let overview = overview(&markers, &accounts);
            assert_eq!(SweepResult::new(&overview, &markers, Some(OWN), since).lost_all_members, has_lost, "{why}");
        }
    }
}
