//! Which accounts and Regions people have to be told about: those that cannot be read, and those that can be read again.
//!
//! One message after each sweep names all of them. A message for each account and Region would be thousands on the day that
//! a hub is deployed before the roles are.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    marker::{Marker, MemberAccount},
    overview::Overview,
};
use crate::network::enrollment::NotEnrolled;

/// The changes since people were last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnrollmentChanges {
    /// Accounts that cannot be read, sorted.
    pub not_enrolled: Vec<EnrollmentChange>,
    /// Accounts that could not be read and can be read now, sorted.
    pub enrolled: Vec<EnrollmentChange>,
}

/// One account, and the Regions in which the same has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrollmentChange {
    /// The account, 12 digits.
    pub account: String,
    /// The name of the account, if it is known: untrusted text.
    pub account_name: Option<String>,
    /// The Regions.
    pub regions: BTreeSet<String>,
    /// Why the account cannot be read; for one that can be read now, why it could not.
    pub reason: NotEnrolled,
}

impl EnrollmentChanges {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.not_enrolled.is_empty() && self.enrolled.is_empty()
    }

    /// The changes, among the accounts and Regions of the overview.
    #[must_use]
    pub fn new(overview: &Overview, markers: &[Marker], accounts: &[MemberAccount]) -> Self {
        let names: BTreeMap<&str, Option<&String>> =
            accounts.iter().map(|account| (account.id.as_str(), account.name.as_ref())).collect();
        let watched: BTreeSet<(&str, &str)> =
            (overview.account_regions.iter()).map(|state| (state.account.as_str(), state.region.as_str())).collect();
        let changes = |change: fn(&Marker) -> Option<NotEnrolled>| {
            let mut by_account: BTreeMap<(&str, NotEnrolled), BTreeSet<String>> = BTreeMap::new();
            for marker in markers {
                if let Some(reason) = change(marker)
                    && watched.contains(&(marker.account.as_str(), marker.region.as_str()))
                {
                    by_account.entry((&marker.account, reason)).or_default().insert(marker.region.clone());
                }
            }
            let change = |((account, reason), regions): ((&str, NotEnrolled), BTreeSet<String>)| EnrollmentChange {
                account: account.to_owned(),
                account_name: names.get(account).copied().flatten().cloned(),
                regions,
                reason,
            };
            by_account.into_iter().map(change).collect()
        };
        Self { not_enrolled: changes(lost), enrolled: changes(gained) }
    }
}

/// Why an account and Region cannot be read, if people do not know that.
fn lost(marker: &Marker) -> Option<NotEnrolled> {
    let (reason, _) = marker.not_enrolled?;
    (marker.reported != Some(reason)).then_some(reason)
}

/// Why people think that an account and Region cannot be read, although they can.
fn gained(marker: &Marker) -> Option<NotEnrolled> {
    if marker.not_enrolled.is_none() { marker.reported } else { None }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::events::part::OpenFindings;

    #[test]
    fn people_are_told_once_that_an_account_cannot_be_read_and_once_that_it_can() {
        use NotEnrolled::{AccessDenied, RegionDisabled};
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        let marker = |account: &str, region: &str, not_enrolled: Option<NotEnrolled>, reported| Marker {
            account: account.into(),
            region: region.into(),
            checked_at: Some(now),
            open: OpenFindings::default(),
            not_enrolled: not_enrolled.map(|reason| (reason, now)),
            reported,
        };
        let markers = vec![
            marker("111122223333", "eu-west-1", Some(AccessDenied), None),
            marker("111122223333", "us-east-1", Some(AccessDenied), None),
            marker("111122223333", "ap-south-1", Some(AccessDenied), None),
            marker("222233334444", "eu-west-1", Some(AccessDenied), Some(AccessDenied)),
            marker("222233334444", "us-east-1", Some(RegionDisabled), Some(AccessDenied)),
            marker("333344445555", "eu-west-1", None, Some(AccessDenied)),
            marker("333344445555", "us-east-1", None, None),
        ];
        let account = MemberAccount {
            id: "111122223333".into(),
            name: Some("team".into()),
            organizational_unit: None,
            is_active: true,
            seen_at: None,
        };
        let regions = ["eu-west-1", "us-east-1"].map(str::to_owned).into();
        let accounts = [account];
        let overview = Overview::new(&markers, &accounts, &regions, SignedDuration::from_hours(1), now);
        let change = |account: &str, name: Option<&str>, regions: &[&str], reason| EnrollmentChange {
            account: account.into(),
            account_name: name.map(str::to_owned),
            regions: regions.iter().map(|&region| region.to_owned()).collect(),
            reason,
        };
        assert_eq!(
            EnrollmentChanges::new(&overview, &markers, &accounts),
            EnrollmentChanges {
                not_enrolled: vec![
                    change("111122223333", Some("team"), &["eu-west-1", "us-east-1"], AccessDenied),
                    change("222233334444", None, &["us-east-1"], RegionDisabled),
                ],
                enrolled: vec![change("333344445555", None, &["eu-west-1"], AccessDenied)],
            }
        );
    }
}
