//! The overview of an organization, in JSON.

use jiff::Timestamp;
use serde::Serialize;

use super::{name::Name, size::first_that_fit};
use crate::{coverage::overview, events::part::OpenFindings, network::enrollment::NotEnrolled};

/// Every account and Region that a hub watches, and the same in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Coverage {
    /// Each account and Region, sorted. Absent if only numbers were requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_regions: Option<Vec<AccountRegion>>,
    /// Numbers about all of them.
    pub totals: Totals,
    /// What the sweep did that began at the requested time. Absent if no time was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// The number of accounts and Regions that did not fit into the answer. Absent if it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub omitted: Option<usize>,
}

/// An account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AccountRegion {
    /// The account, 12 digits.
    pub account: String,
    /// The name of the account: untrusted text. Absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    /// Where the account is in the organization: untrusted text. Absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    /// The Region.
    pub region: String,
    /// When the last complete check began (RFC 3339, UTC). Absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_complete_check: Option<String>,
    /// The findings that were open then. Absent if there was no complete check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// Why it cannot be read. Absent if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_enrolled: Option<Name<NotEnrolled>>,
    /// Whether the last complete check is too old.
    pub stale: bool,
}

/// The number of open findings of each severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Open {
    /// Severity HIGH.
    pub high: u64,
    /// Severity MEDIUM.
    pub medium: u64,
    /// Severity LOW.
    pub low: u64,
}

/// Numbers about all accounts and Regions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    pub open: Open,
    /// The oldest last complete check of those that can be read (RFC 3339, UTC). Absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_check: Option<String>,
}

/// What a sweep did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sweep {
    /// When it began (RFC 3339, UTC).
    pub since: String,
    /// The accounts and Regions with a complete check since then.
    pub checked: u64,
    /// Those that cannot be read.
    pub not_enrolled: u64,
    /// The others.
    pub failed: u64,
    /// Whether no account but the hub's own was checked, and access was denied in one that was checked before. Absent if not.
    #[serde(skip_serializing_if = "is_false")]
    pub lost_all_members: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Coverage {
    /// The overview as JSON: with each account and Region, or only the numbers.
    #[must_use]
    pub fn new(overview: &overview::Overview, is_complete: bool, sweep: Option<overview::SweepResult>) -> Self {
        Self {
            account_regions: is_complete.then(|| overview.account_regions.iter().map(Into::into).collect()),
            totals: overview.totals.into(),
            sweep: sweep.map(Into::into),
            omitted: None,
        }
    }

    /// Omits the last accounts and Regions if the answer would be larger than this many bytes.
    #[must_use]
    pub fn truncated_to(mut self, limit: usize) -> Self {
        if let Some(all) = self.account_regions.take() {
            let count = all.len();
            let shown = first_that_fit(all, &self, limit);
            self.omitted = Some(count - shown.len()).filter(|omitted| *omitted > 0);
            self.account_regions = Some(shown);
        }
        self
    }
}

impl From<&overview::AccountRegionState> for AccountRegion {
    fn from(state: &overview::AccountRegionState) -> Self {
        Self {
            account: state.account.clone(),
            account_name: state.account_name.clone(),
            organizational_unit: state.organizational_unit.clone(),
            region: state.region.clone(),
            last_complete_check: state.last_complete_check.as_ref().map(Timestamp::to_string),
            open: state.last_complete_check.map(|_| state.open.into()),
            not_enrolled: state.not_enrolled.map(Name),
            stale: state.is_stale,
        }
    }
}

impl From<OpenFindings> for Open {
    fn from(OpenFindings { high, medium, low }: OpenFindings) -> Self {
        Self { high, medium, low }
    }
}

impl From<overview::Totals> for Totals {
    fn from(totals: overview::Totals) -> Self {
        Self {
            account_regions: totals.account_regions,
            checked: totals.checked,
            not_enrolled: totals.not_enrolled,
            stale: totals.stale,
            open: totals.open.into(),
            oldest_check: totals.oldest_check.as_ref().map(Timestamp::to_string),
        }
    }
}

impl From<overview::SweepResult> for Sweep {
    fn from(sweep: overview::SweepResult) -> Self {
        let overview::SweepResult { since, checked, not_enrolled, failed, lost_all_members } = sweep;
        Self { since: since.to_string(), checked, not_enrolled, failed, lost_all_members }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schemas::assert_answer;

    #[test]
    fn an_overview_names_each_account_and_region() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let checked = overview::AccountRegionState {
            account: "111122223333".into(),
            account_name: Some("team".into()),
            organizational_unit: None,
            region: "eu-west-1".into(),
            last_complete_check: Some(at("2026-11-27T05:00:00Z")),
            open: OpenFindings { high: 1, medium: 0, low: 2 },
            not_enrolled: None,
            is_stale: false,
        };
        let refused = overview::AccountRegionState {
            account: "444455556666".into(),
            account_name: None,
            last_complete_check: None,
            open: OpenFindings::default(),
            not_enrolled: Some(NotEnrolled::AccessDenied),
            ..checked.clone()
        };
        let totals = overview::Totals {
            account_regions: 2,
            checked: 1,
            not_enrolled: 1,
            stale: 0,
            open: checked.open,
            oldest_check: checked.last_complete_check,
        };
        let overview = overview::Overview { account_regions: vec![checked, refused], totals };
        let sweep = overview::SweepResult {
            since: at("2026-11-27T04:00:00Z"),
            checked: 1,
            not_enrolled: 1,
            failed: 0,
            lost_all_members: false,
        };

        let complete = serde_json::to_value(Coverage::new(&overview, true, None)).unwrap();
        assert_answer(&complete);
        let totals = json!({
            "accountRegions": 2, "checked": 1, "notEnrolled": 1, "stale": 0, "open": {"HIGH": 1, "MEDIUM": 0, "LOW": 2},
            "oldestCheck": "2026-11-27T05:00:00Z"
        });
        assert_eq!(
            complete,
            json!({
                "accountRegions": [
                    {
                        "account": "111122223333", "accountName": "team", "region": "eu-west-1",
                        "lastCompleteCheck": "2026-11-27T05:00:00Z", "open": {"HIGH": 1, "MEDIUM": 0, "LOW": 2},
                        "stale": false
                    },
                    {"account": "444455556666", "region": "eu-west-1", "notEnrolled": "access_denied", "stale": false}
                ],
                "totals": totals
            })
        );
        let small = Coverage::new(&overview, true, None).truncated_to(complete.to_string().len() - 100);
        assert_eq!((small.account_regions.unwrap().len(), small.omitted), (1, Some(1)));
        let enough = Coverage::new(&overview, true, None).truncated_to(complete.to_string().len() + 64);
        assert_eq!((enough.account_regions.unwrap().len(), enough.omitted), (2, None));
        let summary = serde_json::to_value(Coverage::new(&overview, false, Some(sweep))).unwrap();
        assert_answer(&summary);
        assert_eq!(
            summary,
            json!({
                "totals": totals,
                "sweep": {"since": "2026-11-27T04:00:00Z", "checked": 1, "notEnrolled": 1, "failed": 0}
            })
        );
    }
}
