//! The rows that a hub keeps about accounts and Regions.

use jiff::Timestamp;

use crate::{
    checks::{finding::Finding, severity::Severity},
    events::part::OpenFindings,
    network::enrollment::NotEnrolled,
};

/// What is known of one account and Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The account, 12 digits.
    pub account: String,
    /// The Region.
    pub region: String,
    /// When the last complete check began. `None` if there was none.
    pub checked_at: Option<Timestamp>,
    /// The findings that were open after that check.
    pub open: OpenFindings,
    /// Why the account and Region cannot be read, if they could not be read lately, and since when.
    pub not_enrolled: Option<(NotEnrolled, Timestamp)>,
    /// What people were last told about the enrollment: that it is missing for this reason. `None` if they were told nothing,
    /// or that it is there again.
    pub reported: Option<NotEnrolled>,
}

impl Marker {
    /// Whether the account could not be entered lately.
    #[must_use]
    pub fn is_access_denied(&self) -> bool {
        matches!(self.not_enrolled, Some((NotEnrolled::AccessDenied, _)))
    }
}

/// The number of these findings of each severity.
#[must_use]
pub fn count_by_severity(findings: &[Finding]) -> OpenFindings {
    findings.iter().fold(OpenFindings::default(), |mut counts, finding| {
        match finding.severity {
            Severity::High => counts.high += 1,
            Severity::Medium => counts.medium += 1,
            Severity::Low => counts.low += 1,
        }
        counts
    })
}

/// What AWS Organizations says of an account. The sweep writes it before it checks the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberAccount {
    /// The account, 12 digits.
    pub id: String,
    /// Its name: untrusted text.
    pub name: Option<String>,
    /// Where it is in the organization, if that is known: untrusted text.
    pub organizational_unit: Option<String>,
    /// Whether it is listed as active. Others are not checked.
    pub is_active: bool,
    /// When a sweep last listed it, if the row says so.
    pub seen_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::finding;

    #[test]
    fn findings_are_counted_by_severity() {
        let of = |severity| Finding { severity, ..finding("vpc-0000000a", "rtb-0000000a") };
        let [high, medium, low] = [Severity::High, Severity::Medium, Severity::Low].map(of);
        let findings = [high.clone(), high.clone(), high, medium.clone(), medium, low];
        assert_eq!(count_by_severity(&findings), OpenFindings { high: 3, medium: 2, low: 1 });
    }
}
