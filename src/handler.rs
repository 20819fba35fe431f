//! The story of one invocation: payload → scope → network → findings → messages → answer.

use jiff::{Timestamp, tz::TimeZone};
use lambda_runtime::{Diagnostic, LambdaEvent, tracing};
use serde_json::Value;

use crate::{
    answer::Answer,
    clients::Clients,
    deadline::Deadline,
    ec2,
    error::Error,
    evaluate::evaluate,
    home::Home,
    notification::{self, Touched},
    payload::Payload,
    report::Report,
    settings::Settings,
    sns,
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
    /// Handles one invocation.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedEvent`] for a payload that is not known, [`Error::Ec2ReadFailed`] where the network could not
    /// be read, and [`Error::PublishFailed`] where a message of a direct invocation was not taken. A message of an SQS
    /// batch that fails alone is in the answer instead.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Answer, Error> {
        let Self { settings, clients } = self;
        let deadline = Deadline::of(&event.context);
        let home = Home::new(&event.context.invoked_function_arn, &settings.region);

        let now = Timestamp::now();

        let payload = Payload::read(&event.payload, &home, &settings.exempt_tag)?;
        let (scope, young) = (payload.scope(), payload.young_scope(now));
        let reading =
            ec2::read_patiently(&clients.ec2, &scope, &young, &settings.exempt_tag, deadline.patience_until());
        let network = deadline.read(reading).await?;
        let resolved = scope.resolve(&network, &home);
        let today = now.to_zoned(TimeZone::UTC).date();
        let verdict = evaluate(&network, &resolved.route_table_ids, &settings.required_services, &home, today);
        let report = Report::new(scope, &network, resolved, verdict);

        let touched = Touched::by(&payload, &network, &home);
        let messages = notification::messages(&report.findings, settings.min_severity, &network, &touched);
        let published = sns::publish(&clients.sns, &settings.topic, &messages, deadline.publish_until()).await;

        let answer = Answer::new(&payload, report, &touched, &published);
        log(&payload, &answer);
        answer
    }
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
