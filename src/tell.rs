//! Tells what there is to tell: claim, write down what is going to be told, publish, write down what was told, let go.
//!
//! Told means published. What is published and not written down as told is told again, however the network has changed
//! until then. Two invocations do not tell the same: the one that claims a VPC tells, and the claim outlasts it, so that
//! nobody takes over from somebody who is only slow.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, future::join_all, stream};
use jiff::Timestamp;
use tokio::time::timeout_at;

use crate::{
    channel::Channel,
    clients::Clients,
    deadline::Deadline,
    error::Error,
    ledger::LedgerState,
    ledger_table::{Claim, LedgerTable},
    notification::{Circumstances, Message, Notification},
    plan::{Plan, Told},
    sns::Outlet,
};

/// Of how many VPCs is told at once. A sweep may find something in many.
const AT_ONCE: usize = 8;

/// Who tells, with what, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Teller<'a> {
    /// How SNS is reached.
    pub clients: &'a Clients,
    /// Where is remembered what was told.
    pub ledger: Option<&'a LedgerTable<'a>>,
    /// What all that is told has in common.
    pub circumstances: Circumstances<'a>,
    /// What no other invocation is called.
    pub holder: &'a str,
    /// When each step ends.
    pub deadline: &'a Deadline,
    /// When the network was read.
    pub now: Timestamp,
}

/// What became of publishing a plan.
#[derive(Debug, Default)]
struct Published {
    /// How many messages were taken.
    count: usize,
    /// The findings that each channel has had whole.
    told: BTreeMap<Channel, BTreeSet<String>>,
    /// Why the first message was not taken.
    error: Option<Error>,
}

impl Teller<'_> {
    /// Carries out every plan, whatever becomes of the others, and tells how each fared, in their order.
    ///
    /// Errors are [`Error::PublishFailed`] and [`Error::LedgerFailed`], also where the time ran out.
    pub async fn tell(&self, plans: &[Plan]) -> Vec<Told> {
        stream::iter(plans).map(|plan| self.carry_out(plan)).buffered(AT_ONCE).collect().await
    }

    async fn carry_out(&self, plan: &Plan) -> Told {
        let (Some(ledger), Some(_)) = (self.ledger, plan.claims) else {
            let published = self.publish(plan, self.circumstances.ledger).await;
            return told(plan, &published, None);
        };
        if plan.claimed_until.is_some() {
            return overtaken(plan);
        }
        let claim = match self.claim(ledger, plan).await {
            Ok(Some(claim)) => claim,
            Ok(None) => return overtaken(plan),
            Err(error) => {
                let published = self.publish(&plan.without_ledger(), LedgerState::Unavailable).await;
                return told(plan, &published, Some(error));
            }
        };
        let published = self.publish(plan, LedgerState::On).await;
        let remembering = async {
            ledger.write(&plan.entries_after(&published.told)).await?;
            ledger.release(&claim).await
        };
        let remembered = timeout_at(self.deadline.record_until(), remembering).await;
        told(plan, &published, remembered.unwrap_or_else(|_| Err(too_late())).err())
    }

    /// Claims the VPC and writes down what is going to be told. Where that fails, the VPC is let go, if that does not fail
    /// as well, so that nobody waits for who does not hold it.
    async fn claim(&self, ledger: &LedgerTable<'_>, plan: &Plan) -> Result<Option<Claim>, Error> {
        let until = self.deadline.claim_until();
        let claiming = ledger.claim(plan, self.holder, self.now, self.deadline.claims_until(self.now));
        let Some(claim) = timeout_at(until, claiming).await.unwrap_or_else(|_| Err(too_late()))? else {
            return Ok(None);
        };
        let writing = timeout_at(until, ledger.write(&plan.entries_before())).await;
        if let Err(error) = writing.unwrap_or_else(|_| Err(too_late())) {
            let _ = timeout_at(self.deadline.claim_until(), ledger.release(&claim)).await;
            return Err(error);
        }
        Ok(Some(claim))
    }

    /// Publishes a plan on every channel at once: one that fails keeps nobody else from hearing.
    async fn publish(&self, plan: &Plan, ledger: LedgerState) -> Published {
        let circumstances = Circumstances { ledger, ..self.circumstances };
        let on_channels = self.clients.outlets.iter().filter_map(|outlet| {
            let messages = Notification::of(plan, outlet.channel, &circumstances)?.messages(outlet.channel);
            Some(self.publish_on(outlet, &plan.vpc_id, messages))
        });
        let mut published = Published::default();
        for (channel, results) in join_all(on_channels).await {
            let mut had = BTreeSet::new();
            let mut missed = BTreeSet::new();
            for (finding_ids, result) in results {
                match result {
                    Ok(()) => {
                        published.count += 1;
                        had.extend(finding_ids);
                    }
                    Err(error) => {
                        published.error.get_or_insert(error);
                        missed.extend(finding_ids);
                    }
                }
            }
            published.told.insert(channel, &had - &missed);
        }
        published
    }

    async fn publish_on(
        &self,
        outlet: &Outlet,
        vpc_id: &str,
        messages: Vec<Message>,
    ) -> (Channel, Vec<(BTreeSet<String>, Result<(), Error>)>) {
        let mut results = Vec::with_capacity(messages.len());
        for message in messages {
            let result = outlet.publish(vpc_id, &message, self.deadline.publish_until()).await;
            results.push((message.finding_ids, result));
        }
        (outlet.channel, results)
    }
}

fn told(plan: &Plan, published: &Published, ledger: Option<Error>) -> Told {
    Told {
        vpc_id: plan.vpc_id.clone(),
        published: published.count,
        overtaken: false,
        result: published.error.clone().or(ledger).map_or(Ok(()), Err),
    }
}

fn overtaken(plan: &Plan) -> Told {
    let why = format!("Publish, about {}: another invocation is telling of it and has not finished", plan.vpc_id);
    Told { vpc_id: plan.vpc_id.clone(), published: 0, overtaken: true, result: Err(Error::PublishFailed(why)) }
}

fn too_late() -> Error {
    Error::LedgerFailed("not written before the invocation's deadline".to_owned())
}
