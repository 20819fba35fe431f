//! The story of one invocation: payload → scope → network and ledger → findings → what is to be told → answer.

use jiff::{Timestamp, tz::TimeZone};
use lambda_runtime::{Diagnostic, LambdaEvent, tracing};
use serde_json::Value;

use crate::{
    answer::Answer,
    clients::Clients,
    deadline::Deadline,
    ec2::Reader,
    error::Error,
    evaluate::evaluate,
    home::Home,
    ledger::LedgerState,
    ledger_table::LedgerTable,
    notice::to_the_second,
    notification::Circumstances,
    payload::Payload,
    plan::{Seen, plans},
    report::Report,
    settings::Settings,
    snapshot,
    tell::Teller,
    touched::Touched,
};

/// The function: its settings and its connections, which outlive an invocation.
#[derive(Clone, Debug)]
pub struct Gatewatch {
    /// What the people who deployed it chose.
    pub settings: Settings,
    /// How it reaches AWS.
    pub clients: Clients,
}

impl Gatewatch {
    /// Handles one invocation. It looks again where another invocation told of the same VPC in the meantime.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedEvent`] for a payload that is not known, [`Error::Ec2ReadFailed`] where the network could not
    /// be read, [`Error::PublishFailed`] where a message of a direct invocation was not taken, and
    /// [`Error::LedgerFailed`] where what it told could not be looked up or remembered. A message of an SQS batch that
    /// fails alone is in the answer instead.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Answer, Error> {
        let home = Home::new(&event.context.invoked_function_arn, &self.settings.region);
        let payload = Payload::read(&event.payload, &home, &self.settings.exempt_tag)?;
        let deadline = Deadline::of(&event.context);
        let id = format!("{}/{}", event.context.request_id, Timestamp::now().as_nanosecond());
        let invocation = Invocation { payload, home, deadline, id };
        let (mut turn, mut published) = (0, 0);
        loop {
            let end = self.look_and_tell(&invocation, published).await?;
            published = end.published;
            if !end.overtaken || !invocation.deadline.allows_another_turn(turn).await {
                log(&invocation.payload, &end.answer);
                return end.answer;
            }
            turn += 1;
        }
    }

    /// Looks at the network and tells what there is to tell, when so many messages were published before.
    async fn look_and_tell(&self, invocation: &Invocation, published_before: usize) -> Result<End, Error> {
        let Self { settings, clients } = self;
        let Invocation { payload, home, deadline, id } = invocation;
        let now = to_the_second(Timestamp::now());
        // Who asks for the report alone is told nothing, so nothing is to be remembered.
        let tells = payload.records().any(|record| record.publish);
        let table = settings.ledger_table.as_ref().filter(|_| tells);
        let ledger = table.map(|table| LedgerTable::new(&clients.dynamodb, table, home));

        let (scope, young) = (payload.scope(), payload.young_scope(now));
        let reader = Reader { client: &clients.ec2, exempt_tag: &settings.exempt_tag };
        let seen = deadline.read(snapshot::take(&reader, ledger.as_ref(), &scope, &young, deadline)).await?;
        let resolved = scope.recalling(&seen.ledger, &seen.network).resolve(&seen.network, home);
        let today = now.to_zoned(TimeZone::UTC).date();
        let verdict = evaluate(&seen.network, &resolved.route_table_ids, &settings.required_services, home, today);
        let report = Report::new(scope, &seen.network, resolved, verdict);

        let touched = Touched::by(payload, &seen.network, &seen.ledger, home);
        let (network, findings, exempt) = (&seen.network, &report.findings, &report.exempt);
        let seen_now = Seen { network, findings, exempt, touched: &touched, home, now };
        let plans = plans(&seen_now, &seen.ledger, &settings.policy());
        let circumstances =
            Circumstances { network, touched: &touched, ledger: seen.ledger.state(), exempt_tag: &settings.exempt_tag };
        let teller = Teller { clients, ledger: ledger.as_ref(), circumstances, holder: id, deadline, now };
        let told = teller.tell(&plans).await;

        let published = published_before + told.iter().map(|told| told.published).sum::<usize>();
        let ledger = match seen.ledger.state() {
            LedgerState::Off if settings.ledger_table.is_some() => LedgerState::On,
            state => state,
        };
        let report = Report { ledger, published, ..report };
        let overtaken = told.iter().any(|told| told.overtaken);
        Ok(End { answer: Answer::new(payload, report, &touched, &told, seen.ledger.unread()), overtaken, published })
    }
}

/// What an invocation is about, and what it has.
#[derive(Debug)]
struct Invocation {
    payload: Payload,
    home: Home,
    deadline: Deadline,
    /// What no other invocation is called. The request id alone is not enough: a retry has the same, and so has an event
    /// that Lambda delivers twice (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>).
    id: String,
}

/// How a turn ended.
#[derive(Debug)]
struct End {
    answer: Result<Answer, Error>,
    /// Whether another invocation told of something in the meantime, so that it has to be looked at anew.
    overtaken: bool,
    /// How many messages were published in all turns.
    published: usize,
}

/// Says how an invocation went, in one line; why each message of a batch failed; and which exemption tags cannot be read,
/// because the answer to a batch or a schedule is read by nobody. What is returned as an error is logged by the runtime.
fn log(payload: &Payload, answer: &Result<Answer, Error>) {
    let (report, failures) = match answer {
        Ok(Answer::Report(report)) => (report, &[][..]),
        Ok(Answer::Batch { failures, report }) => (report, failures.as_slice()),
        Err(_) => return,
    };
    for failure in failures {
        tracing::error!(
            message_id = ?failure.item_identifier,
            error_type = failure.error.error_type(),
            error = ?failure.error.to_string(),
            "a message of the batch failed"
        );
    }
    for tag in report.unreadable_exemptions.iter().take(MOST_TAGS) {
        tracing::warn!(
            resource = ?tag.resource_id,
            reason = ?tag.reason,
            "an exemption tag cannot be read and exempts nothing"
        );
    }
    tracing::info!(
        records = payload.records().count(),
        failed = failures.len(),
        route_tables = report.checked.route_tables,
        findings = report.findings.len() + report.omitted,
        exempt = report.exempt.len(),
        unassessed = report.unassessed.len(),
        not_found = report.not_found.len(),
        unreadable_exemptions = report.unreadable_exemptions.len(),
        ledger = ?report.ledger,
        published = report.published,
        "checked"
    );
}

/// How many exemption tags that cannot be read are named in the log of one invocation.
const MOST_TAGS: usize = 20;

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: error.error_type().to_owned(), error_message: error.to_string() }
    }
}
