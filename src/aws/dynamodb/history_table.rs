//! The alert history in DynamoDB.
//!
//! | `pk` | `sk` | row |
//! |---|---|---|
//! | account`#`Region | VPC`#!lease` | the lease of the VPC: who has it, until when, and how often it has been acquired; and the last incident |
//! | account`#`Region | VPC`#`finding id | what is known of the alerts about a finding: see `row` |
//! | account`#`Region`#resolved` | VPC`#`finding id | the same for a resolved finding, once every channel knows |
//!
//! So one query reads a VPC, and one query reads the Region. Neither reads the resolved findings, of which there are many
//! more: people look them up. Reads are consistent: what another invocation has just written has to be seen
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html>).
//!
//! The lease sorts before the findings. So a version that was read is never newer than the findings that were read after
//! it, even if another invocation writes while pages are read.
//!
//! gatewatch 0.1.0 kept the lease in VPC`#claim`, and resolved findings with the open ones. While a `#claim` has not
//! expired, its VPC is left alone. Resolved findings are skipped, page by page, until they expire.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    error::{BuildError, ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, Delete, DeleteRequest, Put, PutRequest, TransactWriteItem, Update,
        WriteRequest, builders::UpdateBuilder,
    },
};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::row::{Item, ROW_VERSION, from_item, is_newer, to_item};
use crate::{
    alerts::{
        history::{AlertRecord, Incident, VpcHistory},
        plan::TrackedPlan,
    },
    aws::{backoff::Backoff, error::describe},
    error::Error,
    network::{account::AccountRegion, selection::VpcSelection},
};

/// The maximum number of rows that are written together with the lease. A transaction has 100 rows at most
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
pub const MAX_ROWS_WITH_LEASE: usize = 99;
/// The maximum number of rows in a batch
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
const MAX_BATCH: usize = 25;
/// Maximum number of batches written concurrently.
const MAX_CONCURRENT_BATCHES: usize = 4;
/// How long a row is kept after its problem was resolved, for people who want to look it up.
const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long the row of a lease is kept: longer than an incident waits for its next finding.
const LEASE_RETENTION: SignedDuration = SignedDuration::from_hours(2 * 24);
/// The first and the longest wait before rows are sent again that DynamoDB did not accept.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How the sort key of a lease ends. `!` sorts before all digits.
const LEASE: &str = "!lease";
/// The same in the table of gatewatch 0.1.0.
const LEASE_OF_VERSION_0: &str = "claim";

/// The rows of one account and Region.
#[derive(Debug)]
pub struct HistoryTable<'a> {
    client: &'a Client,
    table: &'a str,
    partition: String,
    /// By sort key, the rows that a newer version of gatewatch wrote: what this version does not know of them is written
    /// back.
    newer_rows: Mutex<HashMap<String, Item>>,
}

/// The lease of a VPC: while an invocation has it, no other one sends alerts about the VPC.
#[derive(Clone, Debug)]
pub struct Lease<'a> {
    table: &'a HistoryTable<'a>,
    vpc_id: String,
    version: u64,
    holder: String,
}

impl<'a> HistoryTable<'a> {
    /// The rows of this account and Region.
    #[must_use]
    pub fn new(client: &'a Client, table: &'a str, account_region: &AccountRegion) -> Self {
        let account = account_region.account.as_deref().unwrap_or("unknown");
        Self { client, table, partition: format!("{account}#{}", account_region.region), newer_rows: Mutex::default() }
    }

    /// Reads the history of these VPCs: one query for each, or one for the Region.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`] if any page is missing.
    pub async fn read(&self, selection: &VpcSelection) -> Result<BTreeMap<String, VpcHistory>, Error> {
        let partial_histories: Vec<BTreeMap<String, VpcHistory>> = match selection {
            VpcSelection::Region => vec![self.query(None).await?],
            VpcSelection::Vpcs(ids) => try_join_all(ids.iter().map(|id| self.query(Some(id)))).await?,
        };
        Ok(partial_histories.into_iter().flatten().collect())
    }

    /// Adds a row to the history that was read so far.
    fn add(&self, history: &mut BTreeMap<String, VpcHistory>, item: Item) {
        let Some(key) = text(&item, "sk").map(str::to_owned) else { return };
        let Some((vpc_id, kind)) = key.split_once('#') else { return };
        let vpc_id = vpc_id.to_owned();
        let lease_expires_at = number(&item, "claimedUntil").and_then(|second| Timestamp::from_second(second).ok());
        match kind {
            LEASE => {
                let vpc = history.entry(vpc_id).or_default();
                vpc.version = number(&item, "claims").and_then(|count| count.try_into().ok()).unwrap_or_default();
                vpc.lease_expires_at = vpc.lease_expires_at.max(lease_expires_at);
                vpc.last_incident = last_incident(&item);
            }
            LEASE_OF_VERSION_0 => {
                let vpc = history.entry(vpc_id).or_default();
                vpc.lease_expires_at = vpc.lease_expires_at.max(lease_expires_at);
            }
            _ => match from_item(&item) {
                Some(record) if record.is_active() => {
                    history.entry(vpc_id).or_default().records.push(record);
                    if is_newer(&item) {
                        self.newer_rows().insert(key, item);
                    }
                }
                // Nothing more is sent about it. A VPC with nothing else gets no entry.
                Some(_) => {}
                // The finding counts as new, and its row is replaced: a repeated alert is better than a lost one.
                None => tracing::warn!(key = ?kind, "a row of the alert history cannot be read"),
            },
        }
    }

    fn newer_rows(&self) -> MutexGuard<'_, HashMap<String, Item>> {
        self.newer_rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the history of one VPC, or of the Region. Each page is read and released before the next one, so that the
    /// memory does not grow with rows that are skipped.
    async fn query(&self, vpc_id: Option<&String>) -> Result<BTreeMap<String, VpcHistory>, Error> {
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
        // If the read stopped at a repeated token, a partial history would look complete.
        let mut pages = query.into_paginator().stop_on_duplicate_token(false).send();
        let mut history = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed("Query", &error))?;
            page.items.unwrap_or_default().into_iter().for_each(|item| self.add(&mut history, item));
        }
        Ok(history)
    }

    /// Acquires the lease of a VPC for an invocation, and writes these records over the stored ones: both, or nothing. `None`
    /// if another invocation has the lease, or had it after the plan was made.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`], also for more than [`MAX_ROWS_WITH_LEASE`] records.
    pub async fn acquire(
        &self,
        plan: &TrackedPlan,
        records: &[AlertRecord],
        holder: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Option<Lease<'_>>, Error> {
        let (vpc_id, version) = (plan.vpc_id.clone(), plan.version + 1);
        let lease = Lease { table: self, vpc_id, version, holder: holder.to_owned() };
        let is_unchanged = if plan.version == 0 { "attribute_not_exists(claims)" } else { "claims = :seen" };
        let mut update = self
            .update(&lease)
            .update_expression(
                "SET claims = :count, claimedUntil = :until, holder = :holder, expiresAt = :expires, \
                 rowVersion = :rowVersion",
            )
            // The second half: an attempt of ours was accepted, and its answer did not arrive.
            .condition_expression(format!(
                "({is_unchanged} AND (attribute_not_exists(claimedUntil) OR claimedUntil < :now)) \
                 OR (claims = :count AND holder = :holder)"
            ))
            .expression_attribute_values(":now", seconds(now))
            .expression_attribute_values(":until", seconds(expires_at))
            .expression_attribute_values(":expires", seconds(now.saturating_add(LEASE_RETENTION).unwrap_or(expires_at)))
            .expression_attribute_values(":rowVersion", AttributeValue::N(ROW_VERSION.to_string()));
        if plan.version > 0 {
            update = update.expression_attribute_values(":seen", AttributeValue::N(plan.version.to_string()));
        }
        let requests = self.write_requests(records)?;
        Ok(self.transact(update, &requests, &[Cancelled::Throttled]).await?.then_some(lease))
    }

    /// An update of a lease row, with the values that every update names.
    fn update(&self, lease: &Lease<'_>) -> UpdateBuilder {
        Update::builder()
            .table_name(self.table)
            .set_key(Some(primary_key(&self.partition, &format!("{}#{LEASE}", lease.vpc_id))))
            .expression_attribute_values(":count", AttributeValue::N(lease.version.to_string()))
            .expression_attribute_values(":holder", AttributeValue::S(lease.holder.clone()))
    }

    /// Updates the row of a lease and carries out these requests: all of them, or none. Tries again if the transaction is
    /// cancelled for one of these reasons, until the caller ends it. `false` if another invocation has the lease or is
    /// acquiring it.
    async fn transact(
        &self,
        lease: UpdateBuilder,
        requests: &[WriteRequest],
        retried: &[Cancelled],
    ) -> Result<bool, Error> {
        let not_built = |_| Error::LedgerFailed("TransactWriteItems: a row cannot be written".to_owned());
        let lease = TransactWriteItem::builder().update(lease.build().map_err(not_built)?).build();
        let others = requests.iter().map(|request| in_transaction(self.table, request)).collect::<Result<Vec<_>, _>>();
        let items: Vec<TransactWriteItem> = [vec![lease], others.map_err(not_built)?].concat();
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            // Each attempt of the SDK has the same token, so DynamoDB carries out a transaction once.
            let Err(error) = self.client.transact_write_items().set_transact_items(Some(items.clone())).send().await
            else {
                return Ok(true);
            };
            match Cancelled::by(&error) {
                Some(why) if retried.contains(&why) => sleep(backoff.next_wait()).await,
                Some(Cancelled::Condition | Cancelled::Conflict) => return Ok(false),
                _ => return Err(failed("TransactWriteItems", &error)),
            }
        }
    }

    /// The requests that write these records.
    fn write_requests(&self, records: &[AlertRecord]) -> Result<Vec<WriteRequest>, Error> {
        let requests = records.iter().map(|record| self.write_requests_of(record)).collect::<Option<Vec<_>>>();
        Ok(requests.ok_or_else(|| Error::LedgerFailed("a row cannot be written".to_owned()))?.concat())
    }

    fn write_requests_of(&self, record: &AlertRecord) -> Option<Vec<WriteRequest>> {
        let key = format!("{}#{}", record.vpc_id, record.finding_id);
        let mut item = to_item(record, self.newer_rows().get(&key))?;
        if !record.is_open() {
            item.insert("expiresAt".to_owned(), seconds(record.notified_at.saturating_add(RETENTION).ok()?));
        }
        if record.is_active() {
            return Some(vec![put(item, &self.partition, &key)?]);
        }
        // If only the first of them is written, a later check sends `resolved` again and moves the row. If only the second is
        // written, people cannot look the record up, and no alert depends on it.
        Some(vec![put(item, &format!("{}#resolved", self.partition), &key)?, delete(&self.partition, &key)?])
    }

    /// Writes in batches. Some may be written and others not.
    async fn write_batches(&self, requests: &[WriteRequest]) -> Result<(), Error> {
        stream::iter(requests.chunks(MAX_BATCH).map(<[_]>::to_vec).map(|batch| self.write_batch(batch)))
            .buffer_unordered(MAX_CONCURRENT_BATCHES)
            .try_collect::<()>()
            .await
    }

    /// Writes one batch, and sends again what DynamoDB did not accept: it accepts what it has capacity for, under HTTP 200.
    /// The deadline of the invocation ends this.
    async fn write_batch(&self, mut batch: Vec<WriteRequest>) -> Result<(), Error> {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            let answer = (self.client.batch_write_item().request_items(self.table, batch).send().await)
                .map_err(|error| failed("BatchWriteItem", &error))?;
            match answer.unprocessed_items.unwrap_or_default().remove(self.table) {
                Some(rest) if !rest.is_empty() => batch = rest,
                _ => return Ok(()),
            }
            sleep(backoff.next_wait()).await;
        }
    }
}

impl Lease<'_> {
    /// Writes records over the stored ones.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`].
    pub async fn write(&self, records: &[AlertRecord]) -> Result<(), Error> {
        self.table.write_batches(&self.table.write_requests(records)?).await
    }

    /// Writes records over the stored ones, releases the lease, and stores the last incident of its VPC. Records that nothing
    /// more is sent about are moved to the resolved findings. Few records are written together with the release, or nothing
    /// is. Of many, some are written before.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`]. The lease is then held until it expires.
    pub async fn release(&self, records: &[AlertRecord], last_incident: Option<Incident>) -> Result<(), Error> {
        let requests = self.table.write_requests(records)?;
        let (before, with_lease) = requests.split_at(requests.len().saturating_sub(MAX_ROWS_WITH_LEASE));
        self.table.write_batches(before).await?;
        let mut update = self.table.update(self).condition_expression("claims = :count AND holder = :holder");
        update = match last_incident {
            None => update.update_expression("REMOVE claimedUntil, holder"),
            Some(incident) => update
                .update_expression("SET thread = :started, told = :told REMOVE claimedUntil, holder")
                .expression_attribute_values(":started", AttributeValue::S(incident.started_at.to_string()))
                .expression_attribute_values(":told", AttributeValue::S(incident.last_alert_at.to_string())),
        };
        // A conflict: another invocation tries to acquire the lease in this moment.
        self.table.transact(update, with_lease, &[Cancelled::Throttled, Cancelled::Conflict]).await?;
        // If it was not carried out, an earlier attempt was accepted; or the lease expired and another invocation has it.
        // Either way it is not ours.
        Ok(())
    }
}

/// Why DynamoDB did not carry out a transaction
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancelled {
    /// The condition on the row of the lease does not hold.
    Condition,
    /// Another transaction is writing one of the rows.
    Conflict,
    /// DynamoDB has no capacity for it at the moment. The SDK does not try again in this case.
    Throttled,
}

impl Cancelled {
    /// `None` if the error is another one.
    fn by<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Self> {
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
            return None;
        };
        let codes: Vec<&str> = cancelled.cancellation_reasons().iter().filter_map(CancellationReason::code).collect();
        let has = |code: &str| codes.contains(&code);
        if has("ConditionalCheckFailed") {
            Some(Self::Condition)
        } else if has("TransactionConflict") {
            Some(Self::Conflict)
        } else {
            (has("ThrottlingError") || has("ProvisionedThroughputExceeded")).then_some(Self::Throttled)
        }
    }
}

/// The same request as a part of a transaction.
fn in_transaction(table: &str, request: &WriteRequest) -> Result<TransactWriteItem, BuildError> {
    let item = TransactWriteItem::builder();
    let put =
        request.put_request().map(|put| Put::builder().table_name(table).set_item(Some(put.item.clone())).build());
    let delete = (request.delete_request())
        .map(|delete| Delete::builder().table_name(table).set_key(Some(delete.key.clone())).build());
    Ok(item.set_put(put.transpose()?).set_delete(delete.transpose()?).build())
}

fn put(mut item: Item, partition: &str, key: &str) -> Option<WriteRequest> {
    item.extend(primary_key(partition, key));
    let put = PutRequest::builder().set_item(Some(item)).build().ok()?;
    Some(WriteRequest::builder().put_request(put).build())
}

fn delete(partition: &str, key: &str) -> Option<WriteRequest> {
    let delete = DeleteRequest::builder().set_key(Some(primary_key(partition, key))).build().ok()?;
    Some(WriteRequest::builder().delete_request(delete).build())
}

fn primary_key(partition: &str, key: &str) -> Item {
    [("pk", partition), ("sk", key)].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).into()
}

/// The last incident of a VPC, from the row of its lease.
fn last_incident(item: &Item) -> Option<Incident> {
    let time = |name| text(item, name)?.parse().ok();
    Some(Incident { last_alert_at: time("told")?, started_at: time("thread")? })
}

pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(super) fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn seconds(moment: Timestamp) -> AttributeValue {
    AttributeValue::N(moment.as_second().to_string())
}

pub(super) fn failed<E, R>(operation: &str, error: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata,
    R: std::fmt::Debug,
    SdkError<E, R>: aws_sdk_dynamodb::operation::RequestId + std::error::Error,
{
    Error::LedgerFailed(format!("{operation}: {}", describe(error)))
}
