//! Sends the alerts of every plan: acquire the lease, write what will be sent, publish, write what was sent, release the
//! lease.
//!
//! An alert counts as sent once SNS accepts it. An alert that was sent but not recorded as sent is sent again, even if the
//! network has changed since. Two invocations do not send the same alert: only the invocation that has the lease of the VPC
//! sends. The lease outlasts the invocation, so that no other one acquires it from an invocation that is only slow.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, future::join_all, stream};
use jiff::Timestamp;
use tokio::time::timeout_at;

use crate::{
    alerts::{
        history::HistoryState,
        plan::{DeliveryResult, Plan, TrackedPlan},
    },
    channel::Channel,
    app::deadline::Deadline,
    aws::{
        clients::Clients,
        dynamodb::history_table::{HistoryTable, Lease},
        sns::SnsTopic,
    },
    error::Error,
    messages::{
        alert_group::{AlertGroup, MessageContext},
        message::Message,
        render::render,
    },
};

/// Maximum number of VPCs notified concurrently.
const MAX_CONCURRENT_VPCS: usize = 8;

/// Sends alerts and records them.
#[derive(Clone, Copy, Debug)]
pub struct Notifier<'a> {
    /// The AWS clients, with the topics.
    pub clients: &'a Clients,
    /// The alert history, if there is one.
    pub history: Option<&'a HistoryTable<'a>>,
    /// What all messages have in common.
    pub context: MessageContext<'a>,
    /// Unique id of this invocation.
    pub holder: &'a str,
    /// The deadlines of the steps.
    pub deadline: &'a Deadline,
    /// When the network was read.
    pub now: Timestamp,
}

/// The result of publishing a plan.
#[derive(Debug, Default)]
struct Published {
    /// The number of messages that SNS accepted.
    count: usize,
    /// For each channel, the ids of the findings whose messages were all accepted.
    received: BTreeMap<Channel, BTreeSet<String>>,
    /// The first error: why a message was not accepted.
    error: Option<Error>,
}

impl Notifier<'_> {
    /// Carries out all plans. A plan that fails does not affect the others. The results are in the order of the plans.
    ///
    /// Their errors are [`Error::PublishFailed`] and [`Error::LedgerFailed`], also if a deadline passed.
    pub async fn deliver(&self, plans: &[Plan]) -> Vec<DeliveryResult> {
        stream::iter(plans).map(|plan| self.carry_out(plan)).buffered(MAX_CONCURRENT_VPCS).collect().await
    }

    async fn carry_out(&self, plan: &Plan) -> DeliveryResult {
        let (Plan::Tracked(tracked), Some(history)) = (plan, self.history) else {
            let published = self.publish(plan, self.context.history).await;
            return delivered(plan.vpc_id(), &published, None);
        };
        let vpc_id = &tracked.vpc_id;
        if tracked.lease_expires_at.is_some() {
            return lost_lease(vpc_id);
        }
        let lease = match self.acquire(history, tracked).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return lost_lease(vpc_id),
            Err(error) => {
                let untracked = Plan::Untracked(tracked.to_untracked());
                let published = self.publish(&untracked, HistoryState::Unavailable).await;
                return delivered(vpc_id, &published, Some(error));
            }
        };
        let published = self.publish(plan, HistoryState::On).await;
        let recording = async {
            history.write(&tracked.records_after(&published.received)).await?;
            history.release(&lease).await
        };
        let recorded = timeout_at(self.deadline.record_until(), recording).await;
        delivered(vpc_id, &published, recorded.unwrap_or_else(|_| Err(too_late())).err())
    }

    /// Acquires the lease and writes what will be sent. `None` if another invocation has the lease. If the write fails, tries
    /// to release the lease, so that no other invocation waits for a lease that is not used.
    async fn acquire(&self, history: &HistoryTable<'_>, plan: &TrackedPlan) -> Result<Option<Lease>, Error> {
        let until = self.deadline.acquire_until();
        let acquiring = history.acquire(plan, self.holder, self.now, self.deadline.lease_expires_at(self.now));
        let Some(lease) = timeout_at(until, acquiring).await.unwrap_or_else(|_| Err(too_late()))? else {
            return Ok(None);
        };
        let writing = timeout_at(until, history.write(&plan.records_before())).await;
        if let Err(error) = writing.unwrap_or_else(|_| Err(too_late())) {
            let _ = timeout_at(self.deadline.acquire_until(), history.release(&lease)).await;
            return Err(error);
        }
        Ok(Some(lease))
    }

    /// Publishes to all channels concurrently. A failing channel does not block the others.
    async fn publish(&self, plan: &Plan, history: HistoryState) -> Published {
        let context = MessageContext { history, ..self.context };
        let publishing = self.clients.topics.iter().filter_map(|topic| {
            let messages = render(&AlertGroup::new(plan, topic.channel, &context)?, topic.channel);
            Some(self.publish_to(topic, plan.vpc_id(), messages))
        });
        let mut published = Published::default();
        for (channel, results) in join_all(publishing).await {
            let mut accepted = BTreeSet::new();
            let mut missed = BTreeSet::new();
            for (finding_ids, result) in results {
                match result {
                    Ok(()) => {
                        published.count += 1;
                        accepted.extend(finding_ids);
                    }
                    Err(error) => {
                        published.error.get_or_insert(error);
                        missed.extend(finding_ids);
                    }
                }
            }
            published.received.insert(channel, &accepted - &missed);
        }
        published
    }

    async fn publish_to(
        &self,
        topic: &SnsTopic,
        vpc_id: &str,
        messages: Vec<Message>,
    ) -> (Channel, Vec<(BTreeSet<String>, Result<(), Error>)>) {
        let mut results = Vec::with_capacity(messages.len());
        for message in messages {
            let result = topic.publish(vpc_id, &message, self.deadline.publish_until()).await;
            results.push((message.finding_ids, result));
        }
        (topic.channel, results)
    }
}

fn delivered(vpc_id: &str, published: &Published, history_error: Option<Error>) -> DeliveryResult {
    DeliveryResult {
        vpc_id: vpc_id.to_owned(),
        published: published.count,
        lost_lease: false,
        result: published.error.clone().or(history_error).map_or(Ok(()), Err),
    }
}

fn lost_lease(vpc_id: &str) -> DeliveryResult {
    let why = format!("Publish, about {vpc_id}: another invocation has the lease of this VPC and has not finished");
    DeliveryResult { vpc_id: vpc_id.to_owned(), published: 0, lost_lease: true, result: Err(Error::PublishFailed(why)) }
}

fn too_late() -> Error {
    Error::LedgerFailed("not written before the invocation's deadline".to_owned())
}
