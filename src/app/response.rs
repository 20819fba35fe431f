//! What the function answers: a report to a direct invocation, the failed messages to SQS.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use serde::Serialize;

use crate::{
    alerts::{affected::Affected, plan::DeliveryResult},
    app::report::Report,
    error::Error,
    events::{payload::Payload, record::Record},
    messages::json::answer::{self, Answer, Batch, ItemFailure},
};

/// The largest answer that Lambda accepts: 6 MB, less some room for the frame
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MAX_ANSWER: usize = 6 * 1024 * 1024 - 64 * 1024;

/// What came of one invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of a direct invocation.
    Report(Report),
    /// Of a batch from SQS.
    Batch {
        /// The messages that failed, in the order of the batch.
        failures: Vec<Failure>,
        /// What was found, for the log.
        report: Report,
    },
}

/// A message of a batch that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its SQS message id.
    pub message_id: String,
    /// Why, for the log.
    pub error: Error,
}

impl Outcome {
    /// What came of this payload, given what became of the plans, and why the alert history could not be read, if that is
    /// so.
    ///
    /// # Errors
    ///
    /// [`Error::PublishFailed`] if a message of a direct invocation was not accepted, and [`Error::LedgerFailed`] if the
    /// alert history could not be read or written. In a batch only the records that affect the VPC fail; without the alert
    /// history, every record about which an alert may have to be sent.
    pub fn new(
        payload: &Payload,
        report: Report,
        affected: &[Affected<'_>],
        delivered: &[DeliveryResult],
        read_error: Option<&Error>,
    ) -> Result<Self, Error> {
        // Records that publish, in their order, are those in `affected`.
        let mut affected = affected.iter();
        let mut failure = |record: &Record| {
            let affected = if record.publish { affected.next() } else { None }?;
            (delivered.iter())
                .filter(|delivered| affected.vpc_ids.contains(&delivered.vpc_id))
                .find_map(|delivered| delivered.result.as_ref().err())
                .or_else(|| read_error.filter(|_| !record.scope.is_empty()))
                .cloned()
        };
        match payload {
            Payload::Direct(record) => match failure(record) {
                Some(error) => Err(error),
                None => Ok(Self::Report(report)),
            },
            Payload::Batch(messages) => {
                let failures = messages
                    .iter()
                    .filter_map(|message| {
                        let error = match &message.record {
                            Ok(record) => failure(record)?,
                            Err(error) => error.clone(),
                        };
                        Some(Failure { message_id: message.id.clone(), error })
                    })
                    .collect();
                Ok(Self::Batch { failures, report })
            }
        }
    }

    /// The answer in JSON.
    #[must_use]
    pub fn answer(&self) -> Answer {
        match self {
            Self::Report(report) => Answer::Report(Box::new(truncate_to_limit(report.into()))),
            Self::Batch { failures, .. } => {
                let failed = |failure: &Failure| ItemFailure { item_identifier: failure.message_id.clone() };
                Answer::Batch(Batch { batch_item_failures: failures.iter().map(failed).collect() })
            }
        }
    }
}

/// Leaves out the last findings if the answer would be too large. Lambda would reject all of it, count the invocation as
/// failed and run it again; and every message would be sent again.
fn truncate_to_limit(mut report: answer::Report) -> answer::Report {
    let findings = std::mem::take(&mut report.findings);
    let count = findings.len();
    let mut room = MAX_ANSWER.saturating_sub(json_size(&report));
    report.findings = findings
        .into_iter()
        .take_while(|finding| {
            let size = json_size(finding) + ",".len();
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        })
        .collect();
    report.omitted = count - report.findings.len();
    report
}

fn json_size(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::{
        alerts::history::HistoryState,
        checks::gateway_endpoint::rule::evaluate,
        events::{
            record::{Record, Trigger},
            scope::Scope,
            sqs::Message,
        },
        network::{
            account::AccountRegion,
            model::{Network, RouteTable},
            service::GatewayService,
            testing::{REGION, main_table},
        },
        schemas::assert_answer,
    };

    fn record() -> Record {
        Record { scope: Scope::region(), trigger: Trigger::Manual, time: None, publish: true }
    }

    fn affected<'a>(record: &'a Record, vpc_ids: &[&str]) -> Affected<'a> {
        let vpc_ids: BTreeSet<String> = vpc_ids.iter().map(|&id| id.to_owned()).collect();
        Affected { record, route_table_ids: BTreeSet::new().into(), vpc_ids: vpc_ids.into() }
    }

    fn told(vpc_id: &str, result: Result<(), Error>) -> DeliveryResult {
        DeliveryResult { vpc_id: vpc_id.into(), published: 1, lost_lease: false, result }
    }

    fn refused() -> Error {
        Error::PublishFailed("Publish, about vpc-b: Throttled".into())
    }

    fn unread() -> Error {
        Error::LedgerFailed("Query: Throttled".into())
    }

    /// Three published messages, as the handler counts them.
    fn report() -> Report {
        Report { published: 3, ..Report::default() }
    }

    #[test]
    fn a_direct_invocation_is_answered_with_the_report() {
        let payload = Payload::Direct(Box::new(record()));
        let affected: Vec<_> = payload.records().map(|record| affected(record, &["vpc-a", "vpc-b"])).collect();
        let both = [told("vpc-a", Ok(())), told("vpc-b", Ok(()))];
        assert_eq!(Outcome::new(&payload, report(), &affected, &both, None), Ok(Outcome::Report(report())));
    }

    #[test]
    fn a_direct_invocation_fails_with_a_message_that_was_not_taken() {
        let payload = Payload::Direct(Box::new(record()));
        let affected: Vec<_> = payload.records().map(|record| affected(record, &["vpc-a", "vpc-b"])).collect();
        let one = [told("vpc-a", Ok(())), told("vpc-b", Err(refused()))];
        assert_eq!(Outcome::new(&payload, report(), &affected, &one, None), Err(refused()));
    }

    #[test]
    fn a_direct_invocation_that_tells_fails_without_the_ledger() {
        let payload = Payload::Direct(Box::new(record()));
        let records: Vec<_> = payload.records().map(|record| affected(record, &["vpc-a"])).collect();
        let fine = [told("vpc-a", Ok(()))];
        assert_eq!(Outcome::new(&payload, report(), &records, &fine, Some(&unread())), Err(unread()));
        // A message that was not taken is the more telling error.
        let failed = [told("vpc-a", Err(refused()))];
        assert_eq!(Outcome::new(&payload, report(), &records, &failed, Some(&unread())), Err(refused()));
    }

    #[test]
    fn who_asks_for_the_report_alone_or_touches_nothing_needs_no_ledger() {
        let asking = Payload::Direct(Box::new(Record { publish: false, ..record() }));
        assert_eq!(Outcome::new(&asking, report(), &[], &[], Some(&unread())), Ok(Outcome::Report(report())));
        let idle = Payload::Direct(Box::new(Record { scope: Scope::default(), ..record() }));
        let affected: Vec<_> = idle.records().map(|record| affected(record, &[])).collect();
        assert_eq!(Outcome::new(&idle, report(), &affected, &[], Some(&unread())), Ok(Outcome::Report(report())));
    }

    #[test]
    fn of_a_batch_those_fail_that_cannot_be_read_or_were_not_told() {
        let unreadable = Error::UnsupportedEvent("the body is not JSON".into());
        let message = |id: &str, record| Message { id: id.into(), record };
        let payload = Payload::Batch(vec![
            message("told", Ok(record())),
            message("unread", Err(unreadable.clone())),
            message("untold", Ok(record())),
            message("quiet", Ok(record())),
        ]);
        let records: Vec<&Record> = payload.records().collect();
        let affected = [
            affected(records[0], &["vpc-a"]),
            affected(records[1], &["vpc-a", "vpc-b"]),
            affected(records[2], &["vpc-c"]),
        ];
        let told = [told("vpc-a", Ok(())), told("vpc-b", Err(refused()))];
        let answer = Outcome::new(&payload, report(), &affected, &told, None).unwrap();
        assert_eq!(
            answer,
            Outcome::Batch {
                failures: vec![
                    Failure { message_id: "unread".into(), error: unreadable },
                    Failure { message_id: "untold".into(), error: refused() },
                ],
                report: report(),
            }
        );
        let json = serde_json::to_value(answer.answer()).unwrap();
        assert_answer(&json);
        assert_eq!(json, json!({"batchItemFailures": [{"itemIdentifier": "unread"}, {"itemIdentifier": "untold"}]}));
    }

    #[test]
    fn without_the_ledger_every_message_fails_that_was_to_be_told_of() {
        let message = |id: &str, record| Message { id: id.into(), record: Ok(record) };
        let payload = Payload::Batch(vec![
            message("sweep", record()),
            message("idle", Record { scope: Scope::default(), ..record() }),
            message("asking", Record { publish: false, ..record() }),
            message("untold", record()),
        ]);
        let records: Vec<&Record> = payload.records().collect();
        let affected = [affected(records[0], &["vpc-a"]), affected(records[1], &[]), affected(records[3], &["vpc-b"])];
        let told = [told("vpc-a", Ok(())), told("vpc-b", Err(refused()))];
        assert_eq!(
            Outcome::new(&payload, report(), &affected, &told, Some(&unread())),
            Ok(Outcome::Batch {
                failures: vec![
                    Failure { message_id: "sweep".into(), error: unread() },
                    Failure { message_id: "untold".into(), error: refused() },
                ],
                report: report(),
            })
        );
    }

    /// A report on so many tables, each with a finding of some kilobytes.
    fn large(tables: usize) -> answer::Report {
        let network = Network {
            route_tables: (0..tables)
                .map(|n| RouteTable {
                    name: Some("n".repeat(2000)),
                    ..main_table(&format!("rtb-{n:08x}"), &format!("vpc-{n:08x}"))
                })
                .collect(),
            ..Network::default()
        };
        let account_region = AccountRegion { partition: "aws".into(), account: None, region: REGION.into() };
        let resolved = Scope::region().resolve(&network, &account_region);
        let required = [GatewayService::S3].into();
        let verdict =
            evaluate(&network, &resolved.route_table_ids, &required, &account_region, jiff::civil::date(2026, 11, 23));
        (&Report::new(Scope::region(), &network, resolved, verdict, HistoryState::Off, 0)).into()
    }

    #[test]
    fn a_report_that_fits_is_left_alone() {
        let report = large(100);
        assert_eq!(truncate_to_limit(report.clone()), report);
    }

    #[test]
    fn a_report_that_is_too_large_says_how_much_it_leaves_out() {
        let report = large(3000);
        let fitted = truncate_to_limit(report.clone());
        assert_eq!(fitted.findings, report.findings[..fitted.findings.len()]);
        assert_eq!(fitted.findings.len() + fitted.omitted, 3000);
        let json = serde_json::to_value(&fitted).unwrap();
        assert_answer(&json);
        assert_eq!(json["omitted"], fitted.omitted);
        let size = json.to_string().len();
        assert!((6_000_000..6 * 1024 * 1024).contains(&size), "{size}");
    }

    #[test]
    fn a_report_takes_the_findings_that_fit_to_the_byte() {
        let mut report = large(2);
        // What is kept free for a comma after the last finding.
        let free = 6 * 1024 * 1024 - 64 * 1024 - serde_json::to_string(&report).unwrap().len() - ",".len();
        report.findings[1].reason.push_str(&"x".repeat(free));
        assert_eq!(truncate_to_limit(report.clone()).omitted, 0);
        report.findings[1].reason.push('x');
        assert_eq!(truncate_to_limit(report).omitted, 1);
    }
}
