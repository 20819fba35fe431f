//! One invocation: read → check → plan → deliver → respond.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;

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
        clients::Clients,
        dynamodb::history_table::HistoryTable,
        ec2::{known_services::KnownServices, known_vpcs::KnownVpcs},
        known_subscribers::KnownSubscribers,
    },
    checks::list::has_endpoint_checks,
    error::Error,
    events::{payload::Payload, record::AlertRequest},
    messages::json::{answer::Answer, error},
    network::account::AccountRegion,
    settings::Settings,
};

/// The function: its settings, its AWS clients and what it remembers. All invocations of one process share them.
#[derive(Debug)]
pub struct Gatewatch {
    /// The settings, from environment variables.
    pub settings: Settings,
    /// The clients of the AWS services.
    pub clients: Clients,
    /// The VPCs of resources that earlier invocations have read.
    pub known_vpcs: KnownVpcs,
    /// The endpoint services that earlier invocations have read.
    pub known_services: KnownServices,
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
        let channels = self.settings.topics.keys().copied().collect();
        let payload = Payload::read(&event.payload, &invocation.account_region, &self.settings.exempt_tag)?
            .for_channels(&channels)?;
        let payload = if has_endpoint_checks(&self.settings.checks) { payload } else { payload.for_tables_only() };
        let outcome = isolate(payload, async |payload: &Payload| self.process(payload, &invocation).await).await?;
        Ok(outcome.answer())
    }

    /// Processes a payload. If another invocation has the lease of a VPC, waits and makes another attempt.
    async fn process(&self, payload: &Payload, invocation: &Invocation) -> Result<Outcome, Error> {
        let subscriptions = Subscriptions::new(&self.clients.topics, &self.known_subscribers, &invocation.deadline);
        let mut backoff = Deadline::backoff();
        let mut earlier = Vec::new();
        loop {
            let attempt = self.attempt(payload, invocation, &subscriptions, earlier).await?;
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
        payload: &Payload,
        invocation: &Invocation,
        subscriptions: &Subscriptions<'_>,
        earlier: Vec<DeliveryResult>,
    ) -> Result<Attempt, Error> {
        let now = truncate_to_seconds(Timestamp::now());
        let check = Check {
            settings: &self.settings,
            clients: &self.clients,
            known_vpcs: &self.known_vpcs,
            known_services: &self.known_services,
            payload,
            account_region: &invocation.account_region,
            deadline: &invocation.deadline,
            now,
        };
        let history_table = self.history_table(payload, &invocation.account_region);

        // A large future, which is moved.
        let reading = Box::pin(check.read_and_check(history_table.as_ref()));
        let assessment =
            if asks_for_alerts(payload) { subscriptions.look_up_during(reading).await? } else { reading.await? };
        let mut plans = check.plan(&assessment, subscriptions).await;
        plans.retain(|plan| !earlier.iter().any(|result| result.vpc_id == plan.vpc_id()));
        let notifier = Notifier {
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

/// The context of one invocation, independent of its payload.
#[derive(Debug)]
struct Invocation {
    account_region: AccountRegion,
    deadline: Deadline,
    /// Unique id of this invocation. A retry has the same request id, and so has an event that Lambda delivers twice
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>), so the start time is appended.
    id: String,
}

impl Invocation {
    fn new(context: &Context, settings: &Settings) -> Self {
        Self {
            account_region: AccountRegion::new(&context.invoked_function_arn, &settings.region),
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
