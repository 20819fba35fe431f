//! The topics that had subscribers lately, so that most alerts do not wait for an answer about it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::channel::Channel;

/// How long it counts as known that a topic has subscribers. An alert within this time after the last subscription ended
/// can be lost. Events often come in groups, and this is long enough for most of them.
const MAX_AGE: Duration = Duration::from_mins(5);

/// When each topic was last seen to have subscribers. Nothing else is remembered: a person who has just confirmed a
/// subscription receives the next alert.
#[derive(Debug, Default)]
pub struct KnownSubscribers {
    seen_at: Mutex<BTreeMap<Channel, Instant>>,
}

impl KnownSubscribers {
    /// Whether it is known at this time that the topic of a channel has subscribers.
    #[must_use]
    pub fn includes(&self, channel: Channel, now: Instant) -> bool {
        self.seen_at().get(&channel).is_some_and(|&seen_at| now.saturating_duration_since(seen_at) < MAX_AGE)
    }

    /// Remembers that the topic of a channel had subscribers at this time.
    pub fn remember(&self, channel: Channel, seen_at: Instant) {
        self.seen_at().insert(channel, seen_at);
    }

    fn seen_at(&self) -> MutexGuard<'_, BTreeMap<Channel, Instant>> {
        self.seen_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_counts_as_having_subscribers_for_five_minutes() {
        let (known, seen_at) = (KnownSubscribers::default(), Instant::now());
        let is_known = |channel, seconds| known.includes(channel, seen_at + Duration::from_secs(seconds));
        assert!(!is_known(Channel::Json, 0));
        known.remember(Channel::Json, seen_at);
        assert!(is_known(Channel::Json, 0) && is_known(Channel::Json, 299));
        assert!(!is_known(Channel::Json, 300));
        assert!(!is_known(Channel::Text, 0), "another topic");
        known.remember(Channel::Json, seen_at + Duration::from_mins(5));
        assert!(is_known(Channel::Json, 599) && !is_known(Channel::Json, 600));
    }
}
