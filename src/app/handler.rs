//! One invocation: read → check → plan → deliver → respond.

use jiff::{Timestamp, tz::TimeZone};
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;

use crate::{
    alerts::{
        affected::{Affected, with_history},
        alert::to_the_second,
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
    checks::gateway_endpoint::rule::{Verdict, evaluate},
    error::Error,
    events::{
        payload::Payload,
        scope::{Resolved, Scope},
    },
    messages::{
        alert_group::MessageContext,
        json::{answer::Answer, error},
    },
    network::account::AccountRegion,
    settings::Settings,
};

/// The function: its settings and its connections, which outlive an invocation.
#[derive(Clone, Debug)]
pub struct Gatewatch {
    /// What the people who deployed it chose.
    pub settings: Settings,
    /// The clients of the AWS services.
    pub clients: Clients,
}

impl Gatewatch {
    /// Handles one invocation.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedEvent`] for a payload that is not known; [`Error::Ec2ReadFailed`] if the network could not be
    /// read; [`Error::PublishFailed`] if a message of a direct invocation was not accepted; [`Error::LedgerFailed`] if the
    /// alert history could not be read or written; [`Error::Internal`] if a direct invocation panicked. A message of an SQS
    /// batch that fails alone is in the answer instead.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Answer, Error> {
        let invocation = Invocation::new(&event.context, &self.settings);
        let payload = Payload::read(&event.payload, &invocation.account_region, &self.settings.exempt_tag)?;
        let outcome = isolate(payload, async |payload: &Payload| self.process(payload, &invocation).await).await?;
        Ok(outcome.answer())
    }

    /// Processes a payload. If another invocation has the lease of a VPC, everything is read again after a wait.
    async fn process(&self, payload: &Payload, invocation: &Invocation) -> Result<Outcome, Error> {
        let (mut attempts, mut published) = (0, 0);
        loop {
            let attempt = self.attempt(payload, invocation, published).await?;
            if !attempt.lost_lease || !invocation.deadline.allows_another_attempt(attempts).await {
                logging::outcome(payload, &attempt.outcome);
                return attempt.outcome;
            }
            attempts += 1;
            published = attempt.published;
        }
    }

    /// The five steps. `published_before` is the number of messages that earlier attempts published.
    async fn attempt(
        &self,
        payload: &Payload,
        invocation: &Invocation,
        published_before: usize,
    ) -> Result<Attempt, Error> {
        let now = to_the_second(Timestamp::now());
        let history_table = self.history_table(payload, &invocation.account_region);

        let snapshot = self.read(payload, history_table.as_ref(), &invocation.deadline, now).await?;
        let check = self.check(&payload.scope(), &snapshot, &invocation.account_region, now);
        let affected = Affected::by(payload, &snapshot.network, &snapshot.history, &invocation.account_region);
        let plans = self.plan(&snapshot, &check, &affected, &invocation.account_region, now);
        let notifier = Notifier {
            clients: &self.clients,
            history: history_table.as_ref(),
            context: MessageContext {
                network: &snapshot.network,
                affected: &affected,
                ledger: snapshot.history.state(),
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

    fn check(&self, scope: &Scope, snapshot: &Snapshot, account_region: &AccountRegion, now: Timestamp) -> Check {
        let Snapshot { network, history } = snapshot;
        let resolved = with_history(scope, history, network).resolve(network, account_region);
        let today = now.to_zoned(TimeZone::UTC).date();
        let required = &self.settings.required_services;
        let verdict = evaluate(network, &resolved.route_table_ids, required, account_region, today);
        Check { resolved, verdict }
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
        let ledger = match &snapshot.history {
            // Not read, because no alert was asked for.
            AlertHistory::Off if self.settings.ledger_table.is_some() => HistoryState::On,
            history => history.state(),
        };
        let report = Report::new(payload.scope(), &snapshot.network, check.resolved, check.verdict, ledger, published);
        Attempt {
            outcome: Outcome::new(payload, report, affected, delivered, snapshot.history.read_error()),
            lost_lease: delivered.iter().any(|result| result.lost_lease),
            published,
        }
    }
}

/// The policy that the settings ask for.
fn policy(settings: &Settings) -> Policy {
    Policy {
        required_services: settings.required_services.clone(),
        min_severity: settings.min_severity,
        remind_after: settings.remind_after,
        channels: settings.topics.keys().copied().collect(),
    }
}

/// What one invocation has, whatever its payload.
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

/// What was found in the tables in scope.
#[derive(Debug)]
struct Check {
    resolved: Resolved,
    verdict: Verdict,
}

/// How an attempt ended.
#[derive(Debug)]
struct Attempt {
    outcome: Result<Outcome, Error>,
    /// Whether another invocation has or had the lease of a VPC, so that the VPC has to be read again.
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
    fn the_policy_is_that_of_the_settings() {
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
