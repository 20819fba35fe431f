//! The message for programs about accounts that a hub cannot read, and about those that it can read again.

use std::collections::BTreeSet;

use serde::Serialize;

use super::name::Name;
use crate::{coverage::enrollment_changes::EnrollmentChange, network::enrollment::NotEnrolled};

/// The value of `schema` in each message.
const SCHEMA: &str = "gatewatch.enrollment/v1";

/// Accounts that a hub cannot read, and those that it can read again, since the last message.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Enrollment<'a> {
    /// The version of this format.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    schema: &'static str,
    /// Accounts that cannot be read.
    not_enrolled: Vec<Account<'a>>,
    /// Accounts that could not be read and can be read now.
    enrolled: Vec<Account<'a>>,
    /// The number of accounts that did not fit into the message. The overview has them.
    omitted: usize,
}

/// An account, and the Regions in which the same holds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Account<'a> {
    /// The account, 12 digits.
    account: &'a str,
    /// The name of the account: untrusted text. Absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_name: Option<&'a str>,
    /// The Regions.
    regions: &'a BTreeSet<String>,
    /// Why the account cannot be read, or could not.
    reason: Name<NotEnrolled>,
}

impl<'a> Enrollment<'a> {
    /// These changes, and the number of others that did not fit.
    pub(in crate::messages) fn new(
        not_enrolled: &'a [EnrollmentChange],
        enrolled: &'a [EnrollmentChange],
        omitted: usize,
    ) -> Self {
        let accounts = |changes: &'a [EnrollmentChange]| changes.iter().map(Into::into).collect();
        Self { schema: SCHEMA, not_enrolled: accounts(not_enrolled), enrolled: accounts(enrolled), omitted }
    }
}

impl<'a> From<&'a EnrollmentChange> for Account<'a> {
    fn from(change: &'a EnrollmentChange) -> Self {
        Self {
            account: &change.account,
            account_name: change.account_name.as_deref(),
            regions: &change.regions,
            reason: Name(change.reason),
        }
    }
}
