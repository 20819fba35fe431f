//! One invocation: read → check → plan → deliver → respond.

use std::{collections::BTreeSet, time::SystemTime};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;
use tracing::Instrument;

use crate::{
    alerts::{
        alert::truncate_to_seconds,
        history::{AlertHistory, HistoryState},
        plan::DeliveryResult,
    },
    app::{
        assessment::{Assessment, Check},
        deadline::Deadline,
        delivery::{Notifier, Rechecked},
        isolation::isolate,
        logging,
        report::{Report, Sent},
        response::Outcome,
        subscriptions::Subscriptions,
    },
    aws::{
        account_clients::AccountClients, clients::Clients, dynamodb::history_table::HistoryTable,
        ec2::known_vpcs::KnownVpcs, known_subscribers::KnownSubscribers, members::EnterError,
    },
    checks::list::has_endpoint_checks,
    error::Error,
    events::{
        coverage_request,
        origin::{self, Group},
        part::PartRequest,
        payload::Payload,
        record::AlertRequest,
    },
    messages::json::{answer::Answer, error},
    network::{account::AccountRegion, enrollment::NotEnrolled},
    settings::Settings,
};

/// Maximum number of accounts and Regions that one invocation reads at the same time.
const MAX_CONCURRENT_GROUPS: usize = 8;

/// The function: its settings, its AWS clients and what it remembers. All invocations of one process share them.
#[derive(Debug)]
pub struct Gatewatch {
    /// The settings, from environment variables.
    pub settings: Settings,
    /// The clients of the AWS services.
    pub clients: Clients,
    /// The VPCs of resources that earlier invocations have read.
    pub known_vpcs: KnownVpcs,
    /// The topics that had subscribers lately.
    pub known_subscribers: KnownSubscribers,
}

impl Gatewatch {
    /// Handles one invocation.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedEvent`] if the payload is not supported; [`Error::Ec2ReadFailed`] if the network could not be
    /// read; [`Error::PublishFailed`] if SNS did not accept a message of a direct invocation; [`Error::LedgerFailed`] if the
    /// alert history could not be read or written; [`Error::Internal`] if a direct invocation panicked. If a message of an
    /// SQS batch fails alone, the answer lists it instead.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Answer, Error> {
        let invocation = Invocation::new(&event.context, &self.settings);
        if let (Some(settings), Some(table)) = (&self.settings.markers, self.marker_table())
            && let Some(request) = coverage_request::read(&event.payload)?
        {
            return self.coverage(request, settings, table, &invocation).await;
        }
        let watched = self.watched(invocation.own.clone());
        let groups = origin::read(&event.payload, &watched, &self.settings.exempt_tag)?;
        let is_one_of_several = groups.len() > 1;
        let handling = groups.into_iter().map(async |group| {
            let (message_ids, span) = (group.payload.message_ids(), self.span_of(&group.account_region));
            let outcome = self.handle_group(group, &invocation).instrument(span.clone()).await;
            if is_one_of_several {
                span.in_scope(|| logging::group_failures(&message_ids, &outcome));
            }
            (message_ids, outcome)
        });
        // Unordered: a group that is done makes room for the next one, even if an earlier one is slow.
        let outcomes = stream::iter(handling).buffer_unordered(MAX_CONCURRENT_GROUPS).collect().await;
        Ok(Outcome::of_groups(outcomes)?.answer())
    }

    /// Handles the events about one account and Region.
    async fn handle_group(&self, group: Group, invocation: &Invocation) -> Result<Outcome, Error> {
        let Group { account_region, payload, part } = group;
        let part = part.as_ref();
        let payload = payload.for_channels(&self.settings.channels())?;
        let payload = if has_endpoint_checks(&self.settings.checks) { payload } else { payload.for_tables_only() };
        let place = &account_region;
        isolate(payload, async |payload: &Payload| {
            match self.enter_and_process(payload, part, place, invocation).await {
                Ok(outcome) => self.write_marker(outcome, part, place, invocation).await,
                Err(EnterError::NotEnrolled(reason)) => {
                    self.not_enrolled(payload, place, reason, &invocation.deadline).await
                }
                Err(EnterError::Failed(Error::RegionDisabled(_))) if place.account != invocation.own.account => {
                    self.not_enrolled(payload, place, NotEnrolled::RegionDisabled, &invocation.deadline).await
                }
                Err(EnterError::Failed(error)) => Err(error),
            }
        })
        .await
    }

    /// Enters the account and processes a payload. If EC2 refuses a session that is older than this call, does both once more
    /// with a new one.
    async fn enter_and_process(
        &self,
        payload: &Payload,
        part: Option<&PartRequest>,
        place: &AccountRegion,
        invocation: &Invocation,
    ) -> Result<Outcome, EnterError> {
        let began_at = SystemTime::now();
        loop {
            let clients = self.enter(place, invocation).await?;
            let entered = Entered { account_region: place, clients: &clients };
            // Boxed, because these are large futures.
            let outcome = match part {
                Some(request) => Box::pin(self.process_part(payload, request, &entered, invocation)).await,
                None => Box::pin(self.process(payload, None, &entered, invocation)).await,
            };
            match outcome {
                Err(Error::RegionDisabled(_)) if self.forget_older_session(place, &clients, began_at) => {}
                outcome => return outcome.map_err(EnterError::Failed),
            }
        }
    }

    /// Processes a payload. If another invocation has the lease of a VPC, waits and makes another attempt.
    ///
    /// # Errors
    ///
    /// Those of [`Gatewatch::handle`], and [`Error::TooManyVpcs`] if the payload is about a Region with more than `max_vpcs`.
    pub(super) async fn process(
        &self,
        payload: &Payload,
        max_vpcs: Option<usize>,
        entered: &Entered<'_>,
        invocation: &Invocation,
    ) -> Result<Outcome, Error> {
        let subscriptions = Subscriptions::new(&self.clients.topics, &self.known_subscribers, &invocation.deadline);
        let mut backoff = Deadline::backoff();
        let mut earlier = Vec::new();
        loop {
            let check = self.prepare_check(payload, max_vpcs, entered, invocation);
            let attempt = self.attempt(&check, entered, invocation, &subscriptions, earlier).await?;
            if !attempt.lost_lease() || !invocation.deadline.allows_another_attempt(&mut backoff).await {
                logging::outcome(payload, &attempt.outcome);
                return attempt.outcome;
            }
            earlier = attempt.delivered.into_iter().filter(|result| !result.lost_lease).collect();
        }
    }

    /// One attempt: the five steps. `earlier` has the results of the VPCs that earlier attempts have dealt with. Nothing
    /// more is sent about these VPCs.
    async fn attempt(
        &self,
        check: &Check<'_>,
        entered: &Entered<'_>,
        invocation: &Invocation,
        subscriptions: &Subscriptions<'_>,
        earlier: Vec<DeliveryResult>,
    ) -> Result<Attempt, Error> {
        let (payload, now) = (check.payload, check.now);
        let history_table = self.history_table(payload, entered.account_region);

        // A large future, which is moved.
        let reading = Box::pin(check.read_and_check(history_table.as_ref()));
        let assessment =
            if asks_for_alerts(payload) { subscriptions.look_up_during(reading).await? } else { reading.await? };
        let mut plans = check.plan(&assessment, subscriptions).await;
        plans.retain(|plan| !earlier.iter().any(|result| result.vpc_id == plan.vpc_id()));
        let member_account = if plans.is_empty() { None } else { self.member_account(entered.account_region).await };
        let notifier = Notifier {
            member_account: member_account.as_ref(),
            clients: &self.clients,
            history: history_table.as_ref(),
            exempt_tag: &self.settings.exempt_tag,
            holder: &invocation.id,
            deadline: &invocation.deadline,
            now,
        };
        let check_again = async |vpc_ids: &BTreeSet<String>| {
            let assessment = check.read_and_check_again(vpc_ids, &assessment).await?;
            let plans = check.plan(&assessment, subscriptions).await;
            Ok(Rechecked { assessment, plans })
        };
        let delivered = notifier.deliver(&plans, &assessment, check_again).await;
        let delivered = [earlier, delivered].concat();
        let outcome = self.respond(payload, assessment, &delivered, subscriptions);
        Ok(Attempt { outcome, delivered })
    }

    /// The inputs of an attempt that begins now.
    pub(super) fn prepare_check<'a>(
        &'a self,
        payload: &'a Payload,
        max_vpcs: Option<usize>,
        entered: &Entered<'a>,
        invocation: &'a Invocation,
    ) -> Check<'a> {
        Check {
            settings: &self.settings,
            clients: entered.clients,
            known_vpcs: &self.known_vpcs,
            payload,
            max_vpcs,
            account_region: entered.account_region,
            deadline: &invocation.deadline,
            now: truncate_to_seconds(Timestamp::now()),
        }
    }

    /// The alert history, if there is one and the payload asks for alerts.
    fn history_table(&self, payload: &Payload, account_region: &AccountRegion) -> Option<HistoryTable<'_>> {
        let table = self.settings.ledger_table.as_ref().filter(|_| asks_for_alerts(payload))?;
        Some(HistoryTable::new(&self.clients.dynamodb, table, account_region))
    }

    fn respond(
        &self,
        payload: &Payload,
        assessment: Assessment<'_>,
        delivered: &[DeliveryResult],
        subscriptions: &Subscriptions<'_>,
    ) -> Result<Outcome, Error> {
        let Assessment { snapshot, tables, verdict, endpoints, affected, .. } = assessment;
        let sent = Sent {
            history: match &snapshot.history {
                // There is a history. It was not read because no alert was requested.
                AlertHistory::Off if self.settings.ledger_table.is_some() => HistoryState::On,
                history => history.state(),
            },
            published: delivered.iter().map(|result| result.published).sum(),
            without_subscribers: subscriptions.known_without_subscribers(),
        };
        let report = Report::new(payload.scope(), &snapshot.network, tables, verdict, sent).with_endpoints(endpoints);
        Outcome::new(payload, report, &affected, delivered, snapshot.history.read_error())
    }
}

fn asks_for_alerts(payload: &Payload) -> bool {
    payload.records().any(|record| record.alerts != AlertRequest::None)
}

/// The account and Region that events are about, and the clients that read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entered<'a> {
    account_region: &'a AccountRegion,
    clients: &'a AccountClients,
}

/// The context of one invocation, independent of its payload.
#[derive(Debug)]
pub(super) struct Invocation {
    /// Where the function runs.
    pub(super) own: AccountRegion,
    pub(super) started_at: Timestamp,
    pub(super) deadline: Deadline,
    /// Unique id of this invocation. A retry has the same request id, and so has an event that Lambda delivers twice
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>), so the start time is appended.
    id: String,
}

impl Invocation {
    fn new(context: &Context, settings: &Settings) -> Self {
        Self {
            own: AccountRegion::new(&context.invoked_function_arn, &settings.region),
            started_at: truncate_to_seconds(Timestamp::now()),
            deadline: Deadline::of(context),
            id: format!("{}/{}", context.request_id, Timestamp::now().as_nanosecond()),
        }
    }
}

/// The result of one attempt.
#[derive(Debug)]
struct Attempt {
    outcome: Result<Outcome, Error>,
    /// The results of this attempt and of the earlier ones.
    delivered: Vec<DeliveryResult>,
}

impl Attempt {
    /// Whether another invocation has the lease of a VPC, or had it after the history was read. The VPC has to be read
    /// again.
    fn lost_lease(&self) -> bool {
        self.delivered.iter().any(|result| result.lost_lease)
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        let error::Error { error_type, error_message } = (&error).into();
        Self { error_type: error_type.to_owned(), error_message }
    }
}
