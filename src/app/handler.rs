//! One invocation: read → check → plan → deliver → respond.

use jiff::{Timestamp, tz::TimeZone};
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;

use crate::{
    alerts::{
        affected::{Affected, with_history},
        alert::truncate_to_seconds,
        history::{AlertHistory, HistoryState},
        observation::Observation,
        plan::{DeliveryResult, Plan},
        planner::plans,
        policy::Policy,
    },
    app::{
        deadline::Deadline,
        delivery::Notifier,
        isolation::isolate,
        logging,
        report::Report,
        response::Outcome,
        snapshot::{self, Snapshot},
    },
    aws::{clients::Clients, dynamodb::history_table::HistoryTable, ec2::reader::Reader},
    checks::gateway_endpoint::{
        missing_facts::MissingFacts,
        rule::{Verdict, evaluate},
    },
    error::Error,
    events::{
        payload::Payload,
        scope::{Scope, TablesInScope},
    },
    messages::{
        alert_group::MessageContext,
        json::{answer::Answer, error},
    },
    network::account::AccountRegion,
    settings::Settings,
};

/// The function: its settings and its AWS clients. All invocations of one process share them.
#[derive(Clone, Debug)]
pub struct Gatewatch {
    /// The settings, from environment variables.
    pub settings: Settings,
    /// The clients of the AWS services.
    pub clients: Clients,
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
        let payload = Payload::read(&event.payload, &invocation.account_region, &self.settings.exempt_tag)?;
        let outcome = isolate(payload, async |payload: &Payload| self.process(payload, &invocation).await).await?;
        Ok(outcome.answer())
    }

    /// Processes a payload. If another invocation has the lease of a VPC, waits and makes another attempt.
    async fn process(&self, payload: &Payload, invocation: &Invocation) -> Result<Outcome, Error> {
        let (mut backoff, mut published) = (Deadline::backoff(), 0);
        loop {
            let attempt = self.attempt(payload, invocation, published).await?;
            if !attempt.lost_lease || !invocation.deadline.allows_another_attempt(&mut backoff).await {
                logging::outcome(payload, &attempt.outcome);
                return attempt.outcome;
            }
            published = attempt.published;
        }
    }

    /// One attempt: the five steps. `published_before` is the number of messages that earlier attempts published.
    async fn attempt(
        &self,
        payload: &Payload,
        invocation: &Invocation,
        published_before: usize,
    ) -> Result<Attempt, Error> {
        let now = truncate_to_seconds(Timestamp::now());
        let history_table = self.history_table(payload, &invocation.account_region);

        let mut snapshot = self.read(payload, history_table.as_ref(), &invocation.deadline, now).await?;
        let mut check = self.check(&payload.scope(), &snapshot, &invocation.account_region, now);
        if self.complete(&payload.scope(), &mut snapshot, &check, &invocation.deadline).await? {
            check = self.check(&payload.scope(), &snapshot, &invocation.account_region, now);
        }
        let affected = Affected::of_records(payload, &snapshot.network, &snapshot.history, &invocation.account_region);
        let plans = self.plan(&snapshot, &check, &affected, &invocation.account_region, now);
        let notifier = Notifier {
            clients: &self.clients,
            history: history_table.as_ref(),
            context: MessageContext {
                network: &snapshot.network,
                affected: &affected,
                history: snapshot.history.state(),
                exempt_tag: &self.settings.exempt_tag,
            },
            holder: &invocation.id,
            deadline: &invocation.deadline,
            now,
        };
        let delivered = notifier.deliver(&plans).await;
        Ok(self.respond(payload, &snapshot, check, &affected, &delivered, published_before))
    }

    /// The alert history, if there is one and the payload asks for alerts.
    fn history_table(&self, payload: &Payload, account_region: &AccountRegion) -> Option<HistoryTable<'_>> {
        let publishes = payload.records().any(|record| record.publish);
        let table = self.settings.ledger_table.as_ref().filter(|_| publishes)?;
        Some(HistoryTable::new(&self.clients.dynamodb, table, account_region))
    }

    async fn read(
        &self,
        payload: &Payload,
        history_table: Option<&HistoryTable<'_>>,
        deadline: &Deadline,
        now: Timestamp,
    ) -> Result<Snapshot, Error> {
        let reader = Reader { client: &self.clients.ec2, exempt_tag: &self.settings.exempt_tag };
        let (scope, recent) = (payload.scope(), payload.recent_scope(now));
        deadline.read(snapshot::take(&reader, history_table, &scope, &recent, deadline)).await
    }

    /// Reads what the lists of EC2 do not say and a finding depends on. Returns whether the network is to be checked again.
    async fn complete(
        &self,
        scope: &Scope,
        snapshot: &mut Snapshot,
        check: &Check,
        deadline: &Deadline,
    ) -> Result<bool, Error> {
        let missing = MissingFacts::of(&snapshot.network, &check.verdict.findings, &scope.nat_gateways);
        if missing.is_empty() {
            return Ok(false);
        }
        let reader = Reader { client: &self.clients.ec2, exempt_tag: &self.settings.exempt_tag };
        deadline.read(reader.complete(&mut snapshot.network, &missing)).await?;
        Ok(true)
    }

    fn check(&self, scope: &Scope, snapshot: &Snapshot, account_region: &AccountRegion, now: Timestamp) -> Check {
        let Snapshot { network, history } = snapshot;
        let tables = with_history(scope, history, network).tables_in(network, account_region);
        let today = now.to_zoned(TimeZone::UTC).date();
        let required = &self.settings.required_services;
        let verdict = evaluate(network, &tables.route_table_ids, required, account_region, today);
        Check { tables, verdict }
    }

    fn plan(
        &self,
        snapshot: &Snapshot,
        check: &Check,
        affected: &[Affected<'_>],
        account_region: &AccountRegion,
        now: Timestamp,
    ) -> Vec<Plan> {
        let Verdict { findings, exempt, .. } = &check.verdict;
        let observation = Observation { network: &snapshot.network, findings, exempt, affected, account_region, now };
        plans(&observation, &snapshot.history, &policy(&self.settings))
    }

    fn respond(
        &self,
        payload: &Payload,
        snapshot: &Snapshot,
        check: Check,
        affected: &[Affected<'_>],
        delivered: &[DeliveryResult],
        published_before: usize,
    ) -> Attempt {
        let published = published_before + delivered.iter().map(|result| result.published).sum::<usize>();
        let history_state = match &snapshot.history {
            // There is a history. It was not read because no alert was requested.
            AlertHistory::Off if self.settings.ledger_table.is_some() => HistoryState::On,
            history => history.state(),
        };
        let report =
            Report::new(payload.scope(), &snapshot.network, check.tables, check.verdict, history_state, published);
        Attempt {
            outcome: Outcome::new(payload, report, affected, delivered, snapshot.history.read_error()),
            lost_lease: delivered.iter().any(|result| result.lost_lease),
            published,
        }
    }
}

/// The part of the settings that the planner needs.
fn policy(settings: &Settings) -> Policy {
    Policy {
        required_services: settings.required_services.clone(),
        min_severity: settings.min_severity,
        remind_after: settings.remind_after,
        channels: settings.topics.keys().copied().collect(),
    }
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

/// The tables in scope, and the result of checking them.
#[derive(Debug)]
struct Check {
    tables: TablesInScope,
    verdict: Verdict,
}

/// The result of one attempt.
#[derive(Debug)]
struct Attempt {
    outcome: Result<Outcome, Error>,
    /// Whether another invocation has the lease of a VPC, or had it after the history was read. The VPC has to be read again.
    lost_lease: bool,
    /// The number of messages that were published in all attempts.
    published: usize,
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        let error::Error { error_type, error_message } = (&error).into();
        Self { error_type: error_type.to_owned(), error_message }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::SignedDuration;

    use super::*;
    use crate::{alerts::channel::Channel, checks::severity::Severity, network::service::GatewayService};

    #[test]
    fn the_policy_has_the_values_of_the_settings() {
        const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:gatewatch";
        let settings = Settings::read(|name| {
            let value = match name {
                "AWS_REGION" => "eu-west-1",
                "TOPIC_ARN" | "CHAT_TOPIC_ARN" => TOPIC,
                "MIN_SEVERITY" => "MEDIUM",
                "REMIND_DAYS" => "1",
                _ => return None,
            };
            Some(value.to_owned())
        });
        assert_eq!(
            policy(&settings.unwrap()),
            Policy {
                required_services: BTreeSet::from([GatewayService::S3, GatewayService::DynamoDb]),
                min_severity: Severity::Medium,
                remind_after: Some(SignedDuration::from_hours(24)),
                channels: BTreeSet::from([Channel::Json, Channel::Chat]),
            }
        );
    }
}
