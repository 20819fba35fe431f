//! A notice: one finding as people are told of it, with what has happened to it since they last heard.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::finding::Finding;

/// One finding as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// What was found; or, of a problem that is over, what had been found.
    #[serde(flatten)]
    pub finding: Finding,
    /// What has happened to it.
    pub change: Change,
    /// Since when the problem is known. `None` without a ledger.
    pub since: Option<Timestamp>,
    /// How it ended. Absent while it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

impl Notice {
    /// Whether the problem is over.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.change == Change::Resolved
    }
}

/// What has happened to a finding since it was last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It stands. Whether that is news is not known, because no ledger could be read.
    Reported,
    /// It is new.
    Opened,
    /// Its severity rose, or subnets joined.
    Worsened,
    /// Another gap than before.
    Changed,
    /// Nothing: it is told again because nobody acted.
    Reminder,
    /// It is over.
    Resolved,
}

impl Change {
    /// Every change there is.
    pub const ALL: [Self; 6] =
        [Self::Reported, Self::Opened, Self::Worsened, Self::Changed, Self::Reminder, Self::Resolved];

    /// The name in messages and attributes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Opened => "opened",
            Self::Worsened => "worsened",
            Self::Changed => "changed",
            Self::Reminder => "reminder",
            Self::Resolved => "resolved",
        }
    }
}

/// How a problem ended, and how long it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolution {
    /// What ended it.
    pub cause: Cause,
    /// From when it was first known to when it was known to be over, in seconds.
    pub stood_seconds: i64,
}

/// What ended a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The table is covered.
    Covered,
    /// A tag exempts it.
    Exempt,
    /// The table was deleted.
    TableDeleted,
    /// The VPC was deleted.
    VpcDeleted,
    /// The table carries a gateway's ingress traffic now, and is not checked any more.
    EdgeTable,
    /// The service is not required any more.
    NotRequired,
}

impl Cause {
    /// Every cause there is.
    pub const ALL: [Self; 6] =
        [Self::Covered, Self::Exempt, Self::TableDeleted, Self::VpcDeleted, Self::EdgeTable, Self::NotRequired];
}

/// How long that is, for people: in the largest unit that fits, rounded down, such as `3 days` or `1 minute`.
#[must_use]
pub fn in_words(seconds: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(24 * 60 * 60, "day"), (60 * 60, "hour"), (60, "minute"), (1, "second")];
    let seconds = seconds.max(0);
    let (length, unit) = UNITS.into_iter().find(|(length, _)| seconds >= *length).unwrap_or((1, "second"));
    let count = seconds / length;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A moment to the second: finer is of no use to people, and would make notices of the same second differ.
#[must_use]
pub fn to_the_second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

/// From one moment to a later one, in seconds; never below 0, whatever the clocks say.
#[must_use]
pub fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).max(SignedDuration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_is_told_in_the_largest_unit() {
        for (seconds, words) in [
            (-5, "0 seconds"),
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (3599, "59 minutes"),
            (3600, "1 hour"),
            (86_399, "23 hours"),
            (86_400, "1 day"),
            (3 * 86_400 + 5, "3 days"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
    }

    #[test]
    fn names_are_those_in_json() {
        for change in Change::ALL {
            assert_eq!(serde_json::to_value(change).unwrap(), change.name());
        }
    }

    #[test]
    fn moments_are_compared_to_the_second() {
        let moment = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (early, late) = (moment("2026-11-23T10:00:00.9Z"), moment("2026-11-23T10:01:30Z"));
        assert_eq!(to_the_second(early), moment("2026-11-23T10:00:00Z"));
        assert_eq!(seconds_between(moment("2026-11-23T10:00:00Z"), late), 90);
        assert_eq!(seconds_between(late, early), 0);
    }
}
