//! The log: one line for each invocation, and one for each failure that the answer does not explain.

use std::env;

use tracing::{error, info, level_filters::LevelFilter, warn};
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    app::{
        report::Report,
        response::{Failure, Outcome},
    },
    error::Error,
    events::payload::Payload,
};

/// Maximum number of unreadable exemption tags in the log of one invocation.
const MAX_TAGS: usize = 20;

/// Sets up the log in the format and at the level that Lambda requests (`AWS_LAMBDA_LOG_FORMAT`, `AWS_LAMBDA_LOG_LEVEL`).
/// `RUST_LOG` sets filters by module.
pub fn init() {
    let variable = |name| env::var(name).unwrap_or_default();
    let filter = filter(&variable("AWS_LAMBDA_LOG_LEVEL"), &variable("RUST_LOG"));
    let log = tracing_subscriber::registry().with(filter);
    // Lambda itself adds the time.
    let lines = fmt::layer().with_target(false).without_time();
    if variable("AWS_LAMBDA_LOG_FORMAT").eq_ignore_ascii_case("json") {
        log.with(lines.json()).init();
    } else {
        log.with(lines).init();
    }
}

/// What is logged: the filters of `RUST_LOG`, or everything at the level that Lambda requests if no filter can be read.
/// `Targets` filters by module and level. `EnvFilter` would also filter by the fields of spans, and needs regular
/// expressions for that.
fn filter(level: &str, filters: &str) -> Targets {
    let is_readable = |text: &&str| !text.is_empty() && text.parse::<Targets>().is_ok();
    let filters: Vec<&str> = filters.split(',').map(str::trim).filter(is_readable).collect();
    let default = || Targets::new().with_default(level_or_info(level));
    if filters.is_empty() { default() } else { filters.join(",").parse().unwrap_or_else(|_| default()) }
}

/// An empty text would parse as the level ERROR.
fn level_or_info(text: &str) -> LevelFilter {
    text.parse().ok().filter(|_| !text.is_empty()).unwrap_or(LevelFilter::INFO)
}

/// Logs the outcome of an invocation: why each message of a batch failed, which exemption tags cannot be read, and counts.
/// The tags are logged because the answer to a batch or a schedule is discarded. The Lambda runtime logs a returned error.
pub fn outcome(payload: &Payload, outcome: &Result<Outcome, Error>) {
    let (report, failures) = match outcome {
        Ok(Outcome::Report(report)) => (report, &[][..]),
        Ok(Outcome::Batch { failures, report }) => (report, failures.as_slice()),
        Err(_) => return,
    };
    failures.iter().for_each(failure);
    for tag in report.unreadable_exemptions.iter().take(MAX_TAGS) {
        warn!(
            resource = ?tag.resource_id,
            reason = ?tag.reason,
            "an exemption tag cannot be read and exempts nothing"
        );
    }
    log_counts(payload, report, failures.len());
}

/// Logs why the messages of one account and Region failed, if those of others did not: the Lambda runtime does not log it then.
pub fn group_failures(message_ids: &[String], outcome: &Result<Outcome, Error>) {
    if let Err(error) = outcome {
        for message_id in message_ids {
            failure(&Failure { message_id: message_id.clone(), error: error.clone() });
        }
    }
}

/// Logs why a message of a batch failed.
pub fn failure(failure: &Failure) {
    error!(
        message_id = ?failure.message_id,
        error_type = failure.error.error_type(),
        error = ?failure.error.to_string(),
        "a message of the batch failed"
    );
}

fn log_counts(payload: &Payload, report: &Report, failed: usize) {
    info!(
        records = payload.records().count(),
        failed,
        route_tables = report.checked.route_tables,
        findings = report.findings.len(),
        exempt = report.exempt.len(),
        unassessed = report.not_assessed.len(),
        not_found = report.not_found.len(),
        unreadable_exemptions = report.unreadable_exemptions.len(),
        ledger = ?report.sent.history,
        published = report.sent.published,
        without_subscribers = ?report.sent.without_subscribers,
        "checked"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_of_lambda_applies_to_everything() {
        for (level, expected) in [
            ("", LevelFilter::INFO),
            ("loud", LevelFilter::INFO),
            ("ERROR", LevelFilter::ERROR),
            ("debug", LevelFilter::DEBUG),
        ] {
            assert_eq!(filter(level, ""), Targets::new().with_default(expected), "{level}");
        }
    }

    #[test]
    fn rust_log_replaces_the_level_of_lambda() {
        let one_module = Targets::new().with_target("hyper", LevelFilter::DEBUG);
        let module_and_rest =
            Targets::new().with_default(LevelFilter::WARN).with_target("gatewatch::aws", LevelFilter::TRACE);
        for (filters, expected) in [
            ("warn", Targets::new().with_default(LevelFilter::WARN)),
            ("hyper=debug", one_module.clone()),
            ("warn, gatewatch::aws=trace", module_and_rest),
            ("hyper=debug,aws=loud,,a=b=c", one_module),
            (",aws=loud", Targets::new().with_default(LevelFilter::ERROR)),
        ] {
            assert_eq!(filter("ERROR", filters), expected, "{filters}");
        }
    }
}
