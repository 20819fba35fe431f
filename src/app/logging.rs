//! The log: one line for each invocation, and one for each failure that the answer does not explain.

use std::{env, str::FromStr};

use tracing::{error, info, level_filters::LevelFilter, warn};
use tracing_subscriber::EnvFilter;

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
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").or_else(|_| env::var("RUST_LOG")).unwrap_or_default();
    let level = LevelFilter::from_str(&level).ok().filter(|_| !level.is_empty()).unwrap_or(LevelFilter::INFO);
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    // Lambda itself adds the time.
    let lines = tracing_subscriber::fmt().with_target(false).without_time().with_env_filter(filter);
    if env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json")) {
        lines.json().init();
    } else {
        lines.init();
    }
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
