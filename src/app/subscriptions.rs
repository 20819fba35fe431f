//! Which topics have subscribers. SNS accepts messages for a topic that nobody is subscribed to, so that has to be looked
//! up.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use futures_util::{
    FutureExt,
    future::{Either, LocalBoxFuture, Shared, join_all, select},
};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::{
    app::deadline::Deadline,
    aws::{known_subscribers::KnownSubscribers, sns::SnsTopic},
    channel::Channel,
};

/// What one invocation knows about the subscriptions of the topics. It looks up each topic at most once.
#[derive(Debug)]
pub(super) struct Subscriptions<'a> {
    /// Whether the topic of each channel has subscribers. A look-up begins when somebody first waits for it, and continues
    /// whenever somebody does.
    lookups: BTreeMap<Channel, Shared<LocalBoxFuture<'a, bool>>>,
    /// The channels that an alert was due on, and whose topics have no subscribers.
    without_subscribers: RefCell<BTreeSet<Channel>>,
}

impl<'a> Subscriptions<'a> {
    /// Nothing is looked up yet.
    pub(super) fn new(topics: &'a [SnsTopic], known: &'a KnownSubscribers, deadline: &'a Deadline) -> Self {
        let lookup = |topic: &'a SnsTopic| has_subscribers(topic, known, deadline).boxed_local().shared();
        Self {
            lookups: topics.iter().map(|topic| (topic.channel, lookup(topic))).collect(),
            without_subscribers: RefCell::default(),
        }
    }

    /// Runs a read, and looks up the topics meanwhile, so that an alert does not wait for it later. The read does not wait
    /// for the topics: most reads lead to no alert.
    pub(super) async fn look_up_during<T>(&self, reading: impl Future<Output = T> + Unpin) -> T {
        let looking_up = join_all(self.lookups.values().cloned());
        match select(reading, looking_up).await {
            Either::Left((read, _)) => read,
            Either::Right((_, reading)) => reading.await,
        }
    }

    /// Those of these channels, on which an alert is due, whose topic has no confirmed subscription.
    pub(super) async fn without_subscribers(&self, channels: &BTreeSet<Channel>) -> BTreeSet<Channel> {
        let due = self.lookups.iter().filter(|(channel, _)| channels.contains(channel));
        let looking_up = due.map(async |(&channel, lookup)| (!lookup.clone().await).then_some(channel));
        let without_subscribers: BTreeSet<Channel> = join_all(looking_up).await.into_iter().flatten().collect();
        self.without_subscribers.borrow_mut().extend(&without_subscribers);
        without_subscribers
    }

    /// The channels that an alert was due on, and whose topic has no confirmed subscription.
    pub(super) fn known_without_subscribers(&self) -> BTreeSet<Channel> {
        self.without_subscribers.borrow().clone()
    }
}

/// If it is not known whether a topic has subscribers, the alert is published: a lost alert is worse than one that nobody
/// receives.
async fn has_subscribers(topic: &SnsTopic, known: &KnownSubscribers, deadline: &Deadline) -> bool {
    let now = Instant::now();
    if known.includes(topic.channel, now) {
        return true;
    }
    let answer = timeout_at(deadline.acquire_until(), topic.has_subscribers()).await;
    match answer.unwrap_or_else(|_| Err("not answered in time".to_owned())) {
        Ok(has_subscribers) => {
            if has_subscribers {
                known.remember(topic.channel, now);
            }
            has_subscribers
        }
        Err(why) => {
            warn!(channel = topic.channel.name(), error = ?why, "it is not known whether the topic has subscribers");
            true
        }
    }
}
