//! The one place where DynamoDB is read and written: the table that remembers what was told.
//!
//! | `pk` | `sk` | item |
//! |---|---|---|
//! | account`#`Region | VPC`#claim` | who tells of the VPC at the moment, until when, and how often it has been claimed |
//! | account`#`Region | VPC`#`finding id | what was told of a finding: [`Entry`] |
//!
//! So one query reads a VPC, and one reads the Region. Reads are consistent: what another invocation has just told is to
//! be seen (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html>).

mod attributes;

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{AttributeValue, PutRequest, WriteRequest},
};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::tracing;
use tokio::time::sleep;

use self::attributes::{from_item, to_item};
use crate::{
    aws_error::describe,
    ec2::Reach,
    error::Error,
    home::Home,
    ledger::{Book, Entry},
    plan::Plan,
};

/// How many items a batch takes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
const MAX_BATCH: usize = 25;
/// How many batches are under way at once.
const BATCHES_AT_ONCE: usize = 4;
/// How long an entry is kept after its problem is over, for people who look.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The first wait for what DynamoDB did not take of a batch. Each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const CLAIM: &str = "claim";

/// The table, for one account and Region.
#[derive(Clone, Debug)]
pub struct LedgerTable<'a> {
    client: &'a Client,
    table: &'a str,
    partition: String,
}

/// A VPC, held for telling of it.
#[derive(Clone, Debug)]
pub struct Claim {
    vpc_id: String,
    count: u64,
    holder: String,
}

impl<'a> LedgerTable<'a> {
    /// The part of the table that is about this account and Region.
    #[must_use]
    pub fn new(client: &'a Client, table: &'a str, home: &Home) -> Self {
        let account = home.account.as_deref().unwrap_or("unknown");
        Self { client, table, partition: format!("{account}#{}", home.region) }
    }

    /// Reads what was told of these VPCs: one query for each, or one for the Region.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`] where any page is missing.
    pub async fn read(&self, reach: &Reach) -> Result<Book, Error> {
        let items = match reach {
            Reach::Region => self.query(None).await?,
            Reach::Vpcs(ids) => try_join_all(ids.iter().map(|id| self.query(Some(id)))).await?.concat(),
        };
        let mut book = Book::default();
        for item in &items {
            let Some((vpc_id, kind)) = text(item, "sk").and_then(|key| key.split_once('#')) else { continue };
            let page = book.0.entry(vpc_id.to_owned()).or_default();
            if kind == CLAIM {
                page.claims = number(item, "claims").and_then(|count| count.try_into().ok()).unwrap_or_default();
                page.claimed_until =
                    number(item, "claimedUntil").and_then(|second| Timestamp::from_second(second).ok());
            } else if let Some(entry) = from_item(item) {
                page.entries.push(entry);
            } else {
                // Told again rather than never: the finding counts as new, and its entry is written anew.
                tracing::warn!(key = ?kind, "an entry of the ledger cannot be read");
            }
        }
        Ok(book)
    }

    async fn query(&self, vpc_id: Option<&String>) -> Result<Vec<HashMap<String, AttributeValue>>, Error> {
        let mut query = self
            .client
            .query()
            .table_name(self.table)
            .consistent_read(true)
            .expression_attribute_values(":pk", AttributeValue::S(self.partition.clone()));
        query = match vpc_id {
            None => query.key_condition_expression("pk = :pk"),
            Some(id) => query
                .key_condition_expression("pk = :pk AND begins_with(sk, :vpc)")
                .expression_attribute_values(":vpc", AttributeValue::S(format!("{id}#"))),
        };
        // Stopping at a token that repeats itself would pass off half a ledger as a whole one.
        let pages = query.into_paginator().stop_on_duplicate_token(false);
        pages.items().send().collect::<Result<_, _>>().await.map_err(|error| failed("Query", &error))
    }

    /// Claims a VPC for this invocation until then. `None` where somebody else holds it, or has since the plan was made.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`].
    pub async fn claim(
        &self,
        plan: &Plan,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Claim>, Error> {
        let seen = plan.claims.unwrap_or_default();
        let claim = Claim { vpc_id: plan.vpc_id.clone(), count: seen + 1, holder: holder.to_owned() };
        let unturned = if seen == 0 { "attribute_not_exists(claims)" } else { "claims = :seen" };
        let mut update = self
            .update(&claim)
            .update_expression("SET claims = :count, claimedUntil = :until, holder = :holder, expiresAt = :expires")
            // The second half: a try of ours that arrived and whose answer did not.
            .condition_expression(format!(
                "({unturned} AND (attribute_not_exists(claimedUntil) OR claimedUntil < :now)) \
                 OR (claims = :count AND holder = :holder)"
            ))
            .expression_attribute_values(":now", seconds(now))
            .expression_attribute_values(":until", seconds(until))
            .expression_attribute_values(":expires", seconds(now.saturating_add(KEPT).unwrap_or(until)));
        if seen > 0 {
            update = update.expression_attribute_values(":seen", AttributeValue::N(seen.to_string()));
        }
        match update.send().await {
            Ok(_) => Ok(Some(claim)),
            Err(error) if is_condition(&error) => Ok(None),
            Err(error) => Err(failed("UpdateItem", &error)),
        }
    }

    /// Writes entries, over those there are.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`].
    pub async fn write(&self, entries: &[Entry]) -> Result<(), Error> {
        let requests = (entries.iter())
            .map(|entry| self.put(entry))
            .collect::<Option<Vec<WriteRequest>>>()
            .ok_or_else(|| Error::LedgerFailed("an entry cannot be written".to_owned()))?;
        stream::iter(requests.chunks(MAX_BATCH).map(<[_]>::to_vec).map(|batch| self.write_batch(batch)))
            .buffer_unordered(BATCHES_AT_ONCE)
            .try_collect::<()>()
            .await
    }

    /// Lets a VPC go.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`]. The VPC is then held until the claim ends.
    pub async fn release(&self, claim: &Claim) -> Result<(), Error> {
        let released = self
            .update(claim)
            .update_expression("REMOVE claimedUntil, holder")
            .condition_expression("claims = :count AND holder = :holder")
            .send()
            .await;
        match released {
            Ok(_) => Ok(()),
            // The first try arrived, or the claim ended and somebody else has it: either way it is not ours any more.
            Err(error) if is_condition(&error) => Ok(()),
            Err(error) => Err(failed("UpdateItem", &error)),
        }
    }

    /// The update of a claim, with the values that every one names.
    fn update(&self, claim: &Claim) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(self.table)
            .key("pk", AttributeValue::S(self.partition.clone()))
            .key("sk", AttributeValue::S(format!("{}#{CLAIM}", claim.vpc_id)))
            .expression_attribute_values(":count", AttributeValue::N(claim.count.to_string()))
            .expression_attribute_values(":holder", AttributeValue::S(claim.holder.clone()))
    }

    fn put(&self, entry: &Entry) -> Option<WriteRequest> {
        let mut item = to_item(entry)?;
        item.insert("pk".to_owned(), AttributeValue::S(self.partition.clone()));
        item.insert("sk".to_owned(), AttributeValue::S(format!("{}#{}", entry.vpc_id, entry.finding_id)));
        if !entry.is_open() {
            item.insert("expiresAt".to_owned(), seconds(entry.told.saturating_add(KEPT).ok()?));
        }
        let put = PutRequest::builder().set_item(Some(item)).build().ok()?;
        Some(WriteRequest::builder().put_request(put).build())
    }

    /// Writes one batch, again and again what DynamoDB does not take of it: it takes what it has capacity for, under HTTP
    /// 200. The invocation's deadline ends this.
    async fn write_batch(&self, mut batch: Vec<WriteRequest>) -> Result<(), Error> {
        let mut wait = FIRST_WAIT;
        loop {
            let answer = (self.client.batch_write_item().request_items(self.table, batch).send().await)
                .map_err(|error| failed("BatchWriteItem", &error))?;
            match answer.unprocessed_items.unwrap_or_default().remove(self.table) {
                Some(rest) if !rest.is_empty() => batch = rest,
                _ => return Ok(()),
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

fn text<'a>(item: &'a HashMap<String, AttributeValue>, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn number(item: &HashMap<String, AttributeValue>, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn seconds(moment: Timestamp) -> AttributeValue {
    AttributeValue::N(moment.as_second().to_string())
}

fn is_condition<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("ConditionalCheckFailedException")
}

fn failed<E, R>(operation: &str, error: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata,
    R: std::fmt::Debug,
    SdkError<E, R>: aws_sdk_dynamodb::operation::RequestId + std::error::Error,
{
    Error::LedgerFailed(format!("{operation}: {}", describe(error)))
}
