//! The ledger: what people have been told, finding by finding, so that they are told once and hear when it is over.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    channel::Channel,
    error::Error,
    finding::{Finding, Gap, TableRef},
    notice::{Change, Resolution},
    service::GatewayService,
    severity::Severity,
    vpc::Target,
};

/// What is known of what has been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ledger {
    /// Nothing is kept: no table is set.
    Off,
    /// It could not be read, for this reason.
    Unavailable(Error),
    /// It was read.
    Open(Book),
}

/// Whether there is a ledger, as reports and messages say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerState {
    /// Nothing is kept: every finding is told each time.
    #[default]
    Off,
    /// What is told is remembered.
    On,
    /// It could not be read or written: findings are told as without one.
    Unavailable,
}

impl Ledger {
    /// Whether there is one.
    #[must_use]
    pub fn state(&self) -> LedgerState {
        match self {
            Self::Off => LedgerState::Off,
            Self::Unavailable(_) => LedgerState::Unavailable,
            Self::Open(_) => LedgerState::On,
        }
    }

    /// Why it could not be read, where that is so.
    #[must_use]
    pub fn unread(&self) -> Option<&Error> {
        if let Self::Unavailable(why) = self { Some(why) } else { None }
    }

    /// Every entry that was read.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let book = if let Self::Open(book) = self { Some(book) } else { None };
        book.into_iter().flat_map(|book| book.0.values()).flat_map(|page| &page.entries)
    }
}

/// What has been told, VPC by VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book(pub BTreeMap<String, Page>);

/// What has been told of one VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// How often the VPC has been claimed. A claim succeeds only on the count that it has seen, so that nobody tells
    /// from a page that somebody else has turned since.
    pub claims: u64,
    /// Until when somebody else holds the VPC, unless they let go earlier.
    pub claimed_until: Option<Timestamp>,
    /// The findings that were told, open and over.
    pub entries: Vec<Entry>,
}

/// What was told of one finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// See [`crate::finding::finding_id`].
    pub finding_id: String,
    /// The account of the table, 12 digits.
    pub account: String,
    /// The VPC of the table.
    pub vpc_id: String,
    /// The table.
    pub route_table: TableRef,
    /// The service.
    pub service: GatewayService,
    /// The gap at the last check.
    pub gap: Gap,
    /// The severity at the last check.
    pub severity: Severity,
    /// The worst severity that it has had: who wants to hear of the bad ones alone is to hear of their end.
    pub worst: Severity,
    /// The ids of the subnets affected at the last check.
    pub subnets: BTreeSet<String>,
    /// The default route that decided the severity.
    pub egress: Target,
    /// Whether it stands, or is over and was told so.
    pub state: EntryState,
    /// Since when the problem is known.
    pub since: Timestamp,
    /// When it was last told.
    pub told: Timestamp,
    /// What was told then.
    pub change: Change,
    /// How it ended, where it has.
    pub resolution: Option<Resolution>,
    /// The channels that have not had what was told last.
    pub pending: BTreeSet<Channel>,
    /// The channels that do not know that it stands: it opened, and no word of it has reached them since.
    pub unaware: BTreeSet<Channel>,
    /// When the spell of trouble began in which the VPC is: what was open together is one thread in a chat.
    pub thread: Timestamp,
}

/// Whether a problem stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryState {
    /// It stands.
    Open,
    /// It is over.
    Resolved,
}

impl Entry {
    /// Whether the problem stood when it was last told.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == EntryState::Open
    }

    /// What this finding would be, told for the first time.
    #[must_use]
    pub fn opened(finding: &Finding, thread: Timestamp, now: Timestamp) -> Self {
        Self {
            finding_id: finding.id.clone(),
            account: finding.account.clone(),
            vpc_id: finding.vpc_id.clone(),
            route_table: finding.route_table.clone(),
            service: finding.service,
            gap: finding.gap,
            severity: finding.severity,
            worst: finding.severity,
            subnets: ids_of_subnets(finding),
            egress: finding.egress.clone(),
            state: EntryState::Open,
            since: now,
            told: now,
            change: Change::Opened,
            resolution: None,
            pending: BTreeSet::new(),
            unaware: BTreeSet::new(),
            thread,
        }
    }

    /// The entry, brought up to what the finding says now.
    #[must_use]
    pub fn updated(&self, finding: &Finding) -> Self {
        Self {
            worst: self.worst.max(finding.severity),
            since: self.since,
            change: self.change,
            pending: self.pending.clone(),
            unaware: self.unaware.clone(),
            ..Self::opened(finding, self.thread, self.told)
        }
    }

    /// What has happened to a finding that was open, `None` where it is not worth a word.
    #[must_use]
    pub fn change(&self, finding: &Finding) -> Option<Change> {
        let joined = finding.subnets.iter().any(|subnet| !self.subnets.contains(&subnet.id));
        if finding.severity > self.severity || joined {
            Some(Change::Worsened)
        } else if finding.gap != self.gap {
            Some(Change::Changed)
        } else {
            None
        }
    }

    /// Whether nobody has been told for so long. An hour early counts: a daily sweep that starts a minute earlier than the
    /// last one is not to put a reminder off by a day.
    #[must_use]
    pub fn is_due(&self, remind_after: Option<SignedDuration>, now: Timestamp) -> bool {
        const SLACK: SignedDuration = SignedDuration::from_hours(1);
        remind_after.is_some_and(|after| now.duration_since(self.told) >= after - SLACK)
    }
}

fn ids_of_subnets(finding: &Finding) -> BTreeSet<String> {
    finding.subnets.iter().map(|subnet| subnet.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_ledger_says_whether_there_is_one() {
        let open = Ledger::Open(Book::default());
        for (ledger, state, name) in [
            (Ledger::Off, LedgerState::Off, "off"),
            (open, LedgerState::On, "on"),
            (testing::unavailable(), LedgerState::Unavailable, "unavailable"),
        ] {
            assert_eq!(ledger.state(), state);
            assert_eq!(ledger.unread().is_some(), state == LedgerState::Unavailable);
            assert_eq!(serde_json::to_value(state).unwrap(), name);
        }
    }
}
