//! Sends the alerts of every plan: acquire the lease, write what will be sent, publish, write what was sent, release the
//! lease.
//!
//! An alert counts as sent once SNS accepts it. An alert that was sent but not recorded as sent is sent again, even if the
//! network has changed since. Two invocations do not send the same alert: only the invocation that has the lease of the VPC
//! sends. The lease outlasts the invocation, so that no other one acquires it from an invocation that is only slow.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{
    StreamExt,
    future::{join, join_all},
    stream,
};
use jiff::Timestamp;
use tokio::time::timeout_at;

use crate::{
    alerts::{
        history::{AlertRecord, HistoryState},
        plan::{DeliveryResult, Plan, TrackedPlan},
    },
    app::{assessment::Assessment, deadline::Deadline},
    aws::{
        clients::Clients,
        dynamodb::history_table::{HistoryTable, Lease, MAX_ROWS_WITH_LEASE},
        sns::SnsTopic,
    },
    channel::Channel,
    coverage::marker::MemberAccount,
    error::Error,
    messages::{
        alert_group::{AlertGroup, MessageContext},
        message::Message,
        render::render,
    },
};

/// Maximum number of VPCs notified concurrently.
const MAX_CONCURRENT_VPCS: usize = 8;
/// Maximum number of leases that are held at the same time. Their VPCs are read again together.
const MAX_LEASES: usize = 50;
/// A VPC is read again if it was read longer ago than this when its lease is acquired: another invocation may have sent
/// newer alerts in the meantime.
const MAX_AGE: Duration = Duration::from_secs(2);

/// Sends alerts and records them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notifier<'a> {
    /// The AWS clients, with the topics.
    pub(super) clients: &'a Clients,
    /// The alert history, if there is one.
    pub(super) history: Option<&'a HistoryTable<'a>>,
    /// What AWS Organizations says of the account, if a hub knows it.
    pub(super) member_account: Option<&'a MemberAccount>,
    /// The key of the exemption tag.
    pub(super) exempt_tag: &'a str,
    /// Unique id of this invocation.
    pub(super) holder: &'a str,
    /// The deadlines of the steps.
    pub(super) deadline: &'a Deadline,
    /// When the attempt started.
    pub(super) now: Timestamp,
}

/// VPCs that were read and checked again.
#[derive(Debug)]
pub(super) struct Rechecked<'a> {
    /// The new network, and what the records affect in it.
    pub(super) assessment: Assessment<'a>,
    /// What is still to be sent.
    pub(super) plans: Vec<Plan>,
}

/// The first step of carrying out a plan.
#[derive(Debug)]
enum Start<'a> {
    /// The lease was acquired. The records of what will be sent that do not fit into its transaction are not written yet.
    Lease(Lease<'a>, Vec<AlertRecord>),
    /// The plan is done: it needs no lease, or did not get one.
    Done(DeliveryResult),
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
    /// Carries out all plans, which follow from this assessment. A plan that fails does not affect the others. The results
    /// are in the order of the plans.
    ///
    /// `check_again` reads and checks VPCs again, if their network was read too long ago. Many VPCs are read at once: in a
    /// sweep that sends hundreds of alerts, one read for each VPC would exceed the limits of EC2.
    ///
    /// Their errors are [`Error::PublishFailed`], [`Error::LedgerFailed`] and, of `check_again`, [`Error::Ec2ReadFailed`],
    /// also if a deadline passed.
    pub(super) async fn deliver<'p>(
        &self,
        plans: &[Plan],
        assessment: &Assessment<'_>,
        check_again: impl AsyncFn(&BTreeSet<String>) -> Result<Rechecked<'p>, Error>,
    ) -> Vec<DeliveryResult> {
        let mut results = Vec::with_capacity(plans.len());
        for plans in plans.chunks(MAX_LEASES) {
            // Decided before the leases are acquired: with a lease come the records of the plan, which a new plan may not have.
            let is_old = assessment.snapshot.read_at.elapsed() > MAX_AGE;
            let starting = plans.iter().map(|plan| self.start(plan, assessment, is_old));
            let starts: Vec<Start<'_>> = stream::iter(starting).buffered(MAX_CONCURRENT_VPCS).collect().await;
            let has_lease = |(plan, start): (&Plan, &Start<'_>)| {
                matches!(start, Start::Lease(..)).then(|| plan.vpc_id().to_owned())
            };
            let with_lease: BTreeSet<String> = plans.iter().zip(&starts).filter_map(has_lease).collect();
            let rechecked = if is_old && !with_lease.is_empty() { Some(check_again(&with_lease).await) } else { None };
            let finishing = plans.iter().zip(starts).map(async |(plan, start)| match start {
                Start::Done(result) => result,
                Start::Lease(lease, unwritten) => {
                    self.finish(plan, &lease, &unwritten, assessment, rechecked.as_ref()).await
                }
            });
            results.extend(stream::iter(finishing).buffered(MAX_CONCURRENT_VPCS).collect::<Vec<_>>().await);
        }
        results
    }

    /// Acquires the lease of a plan with an alert history, and writes what will be sent, unless the VPC is read again first.
    /// Carries out a plan without an alert history.
    async fn start(&self, plan: &Plan, assessment: &Assessment<'_>, is_old: bool) -> Start<'_> {
        let (Plan::Tracked(tracked), Some(history)) = (plan, self.history) else {
            let published = self.publish(plan, assessment, assessment.snapshot.history.state()).await;
            return Start::Done(delivered(plan.vpc_id(), &published, None));
        };
        let vpc_id = &tracked.vpc_id;
        if tracked.lease_expires_at.is_some() {
            return Start::Done(lost_lease(vpc_id));
        }
        let expires_at = self.deadline.lease_expires_at(self.now);
        let mut records = if is_old { Vec::new() } else { tracked.records_before() };
        let unwritten = records.split_off(records.len().min(MAX_ROWS_WITH_LEASE));
        let acquiring = history.acquire(tracked, &records, self.holder, self.now, expires_at);
        match timeout_at(self.deadline.acquire_until(), acquiring).await {
            Ok(Ok(Some(lease))) => Start::Lease(lease, unwritten),
            Ok(Ok(None)) => Start::Done(lost_lease(vpc_id)),
            Ok(Err(error)) => Start::Done(self.report_without_lease(tracked, assessment, error).await),
            Err(_) => Start::Done(failed(vpc_id, too_late())),
        }
    }

    /// Carries out a plan whose lease was acquired, or the plan that takes its place after the VPC was checked again.
    async fn finish(
        &self,
        plan: &Plan,
        lease: &Lease<'_>,
        unwritten: &[AlertRecord],
        assessment: &Assessment<'_>,
        rechecked: Option<&Result<Rechecked<'_>, Error>>,
    ) -> DeliveryResult {
        let vpc_id = plan.vpc_id();
        let (plan, assessment) = match rechecked {
            None => (Some(plan), assessment),
            Some(Ok(again)) => (again.plans.iter().find(|plan| plan.vpc_id() == vpc_id), &again.assessment),
            Some(Err(error)) => {
                let _ = self.release(lease).await;
                return failed(vpc_id, error.clone());
            }
        };
        if let Some(plan @ Plan::Tracked(tracked)) = plan {
            // Nothing of a new plan is written yet.
            let of_new_plan = rechecked.map(|_| tracked.records_before());
            let records = of_new_plan.as_deref().unwrap_or(unwritten);
            return match self.write_before_publishing(lease, records, tracked, assessment).await {
                Ok(()) => self.publish_with_lease(lease, plan, tracked, assessment).await,
                Err(result) => result,
            };
        }
        let released = self.release(lease).await;
        delivered(vpc_id, &Published::default(), released.err())
    }

    /// Writes those records of what will be sent that were not written together with the lease. If that fails, tries to
    /// release the lease, so that no other invocation waits for a lease that is not used. The error is the result of the plan,
    /// which is done then.
    async fn write_before_publishing(
        &self,
        lease: &Lease<'_>,
        records: &[AlertRecord],
        plan: &TrackedPlan,
        assessment: &Assessment<'_>,
    ) -> Result<(), DeliveryResult> {
        let written = timeout_at(self.deadline.acquire_until(), lease.write(records)).await;
        if let Ok(Ok(())) = written {
            return Ok(());
        }
        let _ = self.release(lease).await;
        Err(match written {
            Ok(Err(error)) => self.report_without_lease(plan, assessment, error).await,
            _ => failed(&plan.vpc_id, too_late()),
        })
    }

    /// Publishes, writes what was sent, and releases the lease. `tracked` is the content of the plan.
    async fn publish_with_lease(
        &self,
        lease: &Lease<'_>,
        plan: &Plan,
        tracked: &TrackedPlan,
        assessment: &Assessment<'_>,
    ) -> DeliveryResult {
        let published = self.publish(plan, assessment, HistoryState::On).await;
        let records = tracked.records_after(&published.received);
        let recording = lease.release(&records, tracked.last_incident);
        let recorded = timeout_at(self.deadline.record_until(), recording).await;
        delivered(&tracked.vpc_id, &published, recorded.unwrap_or_else(|_| Err(too_late())).err())
    }

    /// Releases a lease of which nothing was sent.
    async fn release(&self, lease: &Lease<'_>) -> Result<(), Error> {
        timeout_at(self.deadline.acquire_until(), lease.release(&[], None)).await.unwrap_or_else(|_| Err(too_late()))
    }

    /// Sends the findings of those records that are sent without an alert history. The others wait for their retry.
    async fn report_without_lease(
        &self,
        plan: &TrackedPlan,
        assessment: &Assessment<'_>,
        error: Error,
    ) -> DeliveryResult {
        let is_reported = |record: &AlertRecord| {
            let mut reporting = assessment.affected.iter().filter(|affected| affected.reports_without_history());
            reporting.any(|affected| affected.affects(&record.subject, &record.vpc_id))
        };
        let untracked = Plan::Untracked(plan.to_untracked(is_reported));
        let published = self.publish(&untracked, assessment, HistoryState::Unavailable).await;
        delivered(&plan.vpc_id, &published, Some(error))
    }

    /// Publishes to all channels concurrently. A failing channel does not block the others.
    async fn publish(&self, plan: &Plan, assessment: &Assessment<'_>, history: HistoryState) -> Published {
        let context = MessageContext {
            member_account: self.member_account,
            network: &assessment.snapshot.network,
            affected: &assessment.affected,
            history,
            exempt_tag: self.exempt_tag,
        };
        let messages = |channel| {
            let groups = AlertGroup::of_plan(plan, channel, &context);
            groups.iter().flat_map(|group| render(group, channel)).collect::<Vec<Message>>()
        };
        let topics = self.clients.topics.iter();
        let to_topics = topics.map(|topic| self.publish_to(topic, plan.vpc_id(), messages(topic.channel)));
        let to_event_bus = async {
            let bus = self.clients.event_bus.as_ref()?;
            let messages = messages(Channel::Events);
            Some((Channel::Events, bus.publish(plan.vpc_id(), messages, self.deadline.publish_until()).await))
        };
        let mut published = Published::default();
        let (of_topics, of_event_bus) = join(join_all(to_topics), to_event_bus).await;
        for (channel, results) in of_topics.into_iter().chain(of_event_bus) {
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

fn failed(vpc_id: &str, error: Error) -> DeliveryResult {
    delivered(vpc_id, &Published::default(), Some(error))
}

fn lost_lease(vpc_id: &str) -> DeliveryResult {
    let why = format!("Publish, about {vpc_id}: another invocation has the lease of this VPC and has not finished");
    DeliveryResult { vpc_id: vpc_id.to_owned(), published: 0, lost_lease: true, result: Err(Error::PublishFailed(why)) }
}

fn too_late() -> Error {
    Error::LedgerFailed("not written before the invocation's deadline".to_owned())
}
