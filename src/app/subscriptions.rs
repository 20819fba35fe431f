//! Which topics have subscribers. SNS accepts messages for a topic that nobody is subscribed to, so that has to be looked
//! up.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use tokio::{sync::OnceCell, time::timeout_at};
use tracing::warn;

use crate::{app::deadline::Deadline, aws::sns::SnsTopic, channel::Channel};

/// What is known about the subscriptions of the topics. Each topic is looked up at most once, and only if there is
/// something to send to it.
#[derive(Debug)]
pub(super) struct Subscriptions<'a> {
    topics: &'a [SnsTopic],
    deadline: &'a Deadline,
    has_subscribers: BTreeMap<Channel, OnceCell<bool>>,
}

impl<'a> Subscriptions<'a> {
    /// Nothing is known yet about these topics.
    pub(super) fn new(topics: &'a [SnsTopic], deadline: &'a Deadline) -> Self {
        let has_subscribers = topics.iter().map(|topic| (topic.channel, OnceCell::new())).collect();
        Self { topics, deadline, has_subscribers }
    }

    /// Those of these channels whose topic has no confirmed subscription.
    pub(super) async fn without_subscribers(&self, channels: &BTreeSet<Channel>) -> BTreeSet<Channel> {
        let looking_up = self.topics.iter().filter(|topic| channels.contains(&topic.channel)).map(async |topic| {
            let known = self.has_subscribers.get(&topic.channel)?;
            (!known.get_or_init(|| has_subscribers(topic, self.deadline)).await).then_some(topic.channel)
        });
        join_all(looking_up).await.into_iter().flatten().collect()
    }

    /// The channels that were looked up and have no subscribers.
    pub(super) fn known_without_subscribers(&self) -> BTreeSet<Channel> {
        let known = self.has_subscribers.iter();
        known
            .filter(|(_, has_subscribers)| has_subscribers.get() == Some(&false))
            .map(|(channel, _)| *channel)
            .collect()
    }
}

/// If it is not known whether a topic has subscribers, the alert is published: a lost alert is worse than one that nobody
/// receives.
async fn has_subscribers(topic: &SnsTopic, deadline: &Deadline) -> bool {
    let answer = timeout_at(deadline.acquire_until(), topic.has_subscribers()).await;
    answer.unwrap_or_else(|_| Err("not answered in time".to_owned())).unwrap_or_else(|why| {
        warn!(channel = topic.channel.name(), error = ?why, "it is not known whether the topic has subscribers");
        true
    })
}
