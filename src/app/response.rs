//! The answer of the function: a report to a direct invocation, the failed messages to SQS.

use crate::{
    alerts::{affected::Affected, plan::DeliveryResult},
    app::report::Report,
    error::Error,
    events::{
        payload::Payload,
        record::{AlertRequest, Record},
        sqs::Message,
    },
    messages::json::{
        answer::{self, Answer, Batch, ItemFailure},
        size::first_that_fit,
    },
};

/// Maximum size of an answer in bytes: Lambda accepts 6 MB, and 64 KiB of that are reserved for the envelope
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
pub(super) const MAX_ANSWER: usize = 6 * 1024 * 1024 - 64 * 1024;
/// Maximum size of the answer of a function that a state machine sweeps, in bytes: Step Functions accepts 256 KiB, and it
/// wraps the answer
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>).
const MAX_ANSWER_IN_STATE: usize = 192 * 1024;

/// The outcome of one invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of a direct invocation.
    Report(Report),
    /// Of a batch from SQS.
    Batch {
        /// The messages that failed, in the order of the batch.
        failures: Vec<Failure>,
        /// The report on the whole batch, for the log.
        report: Report,
    },
}

/// A message of a batch that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its SQS message id.
    pub message_id: String,
    /// Why it failed, for the log.
    pub error: Error,
}

impl Outcome {
    /// The outcome of a payload. `delivered` are the results of its plans; `read_error` says why the alert history could not
    /// be read.
    ///
    /// # Errors
    ///
    /// For a direct invocation, [`Error::PublishFailed`] if a message was not accepted, and [`Error::LedgerFailed`] if the
    /// alert history could not be read or written. In a batch, only the records that affect the VPC fail; if the alert
    /// history could not be read, every record that may need an alert fails.
    pub fn new(
        payload: &Payload,
        report: Report,
        affected: &[Affected<'_>],
        delivered: &[DeliveryResult],
        read_error: Option<&Error>,
    ) -> Result<Self, Error> {
        // `affected` has one item for each record that publishes, in the same order.
        let mut affected = affected.iter();
        let mut failure = |record: &Record| {
            let affected = if record.alerts == AlertRequest::None { None } else { affected.next() }?;
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

    /// The failures of those messages of a batch that could not be read.
    #[must_use]
    pub fn unreadable(messages: &[Message]) -> Vec<Failure> {
        let failure = |message: &Message| {
            Some(Failure { message_id: message.id.clone(), error: message.record.as_ref().err()?.clone() })
        };
        messages.iter().filter_map(failure).collect()
    }

    /// The outcome of several groups of one batch, in any order. A group that failed as a whole fails with all its messages, and
    /// no other. The failures are sorted.
    ///
    /// # Errors
    ///
    /// That of the only group.
    pub fn of_groups(mut groups: Vec<(Vec<String>, Result<Self, Error>)>) -> Result<Self, Error> {
        if groups.len() == 1
            && let Some((_, outcome)) = groups.pop()
        {
            return outcome;
        }
        let of_group = |(message_ids, outcome): (Vec<String>, Result<Self, Error>)| match outcome {
            Ok(Self::Batch { failures, .. }) => failures,
            Ok(Self::Report(_)) => Vec::new(),
            Err(error) => {
                let failure = |message_id| Failure { message_id, error: error.clone() };
                message_ids.into_iter().map(failure).collect()
            }
        };
        let mut failures: Vec<Failure> = groups.into_iter().flat_map(of_group).collect();
        failures.sort_by(|a, b| a.message_id.cmp(&b.message_id));
        Ok(Self::Batch { failures, report: Report::default() })
    }

    /// The answer in JSON.
    #[must_use]
    pub fn answer(&self) -> Answer {
        match self {
            Self::Report(report) => {
                let limit = if report.member.is_some() { MAX_ANSWER_IN_STATE } else { MAX_ANSWER };
                Answer::Report(Box::new(truncate_to_limit(report.into(), limit)))
            }
            Self::Batch { failures, .. } => {
                let failed = |failure: &Failure| ItemFailure { item_identifier: failure.message_id.clone() };
                Answer::Batch(Batch { batch_item_failures: failures.iter().map(failed).collect() })
            }
        }
    }
}

/// Omits the last entries of lists if the answer would be too large, findings first: they are sent as messages. Lambda would
/// reject the whole answer, count the invocation as failed and run it again, so every message would be sent again. A state
/// machine would not learn that another part of the Region follows.
fn truncate_to_limit(mut report: answer::Report, limit: usize) -> answer::Report {
    let count = entries(&report);
    let not_found = std::mem::take(&mut report.not_found);
    let unreadable_exemptions = std::mem::take(&mut report.unreadable_exemptions);
    let unassessed = std::mem::take(&mut report.unassessed);
    let exempt = std::mem::take(&mut report.exempt);
    let findings = std::mem::take(&mut report.findings);
    report.not_found = first_that_fit(not_found, &report, limit);
    report.unreadable_exemptions = first_that_fit(unreadable_exemptions, &report, limit);
    report.unassessed = first_that_fit(unassessed, &report, limit);
    report.exempt = first_that_fit(exempt, &report, limit);
    report.findings = first_that_fit(findings, &report, limit);
    report.omitted = count - entries(&report);
    report
}

/// The number of entries in the lists that can be shortened.
fn entries(report: &answer::Report) -> usize {
    report.not_found.len()
        + report.unreadable_exemptions.len()
        + report.unassessed.len()
        + report.exempt.len()
        + report.findings.len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::{
        app::report::{Member, Sent},
        checks::gateway_endpoint::rule::evaluate,
        events::{
            record::{AlertRequest, Record, Trigger},
            scope::Scope,
            sqs::Message,
        },
        messages::json::{coverage::Open, finding::Finding},
        network::{
            account::AccountRegion,
            model::{Network, RouteTable},
            service::GatewayService,
            testing::{REGION, main_table},
        },
        schemas::assert_answer,
    };

    fn record() -> Record {
        Record { scope: Scope::region(), trigger: Trigger::Manual, time: None, alerts: AlertRequest::Changes }
    }

    fn affected<'a>(record: &'a Record, vpc_ids: &[&str]) -> Affected<'a> {
        let vpc_ids: BTreeSet<String> = vpc_ids.iter().map(|&id| id.to_owned()).collect();
        let no_ids = || BTreeSet::new().into();
        Affected {
            record,
            route_table_ids: no_ids(),
            endpoint_vpc_ids: no_ids(),
            vpc_ids: vpc_ids.into(),
            receive_count: None,
        }
    }

    fn delivery(vpc_id: &str, result: Result<(), Error>) -> DeliveryResult {
        DeliveryResult { vpc_id: vpc_id.into(), published: 1, lost_lease: false, result }
    }

    fn publish_error() -> Error {
        Error::PublishFailed("Publish, about vpc-b: Throttled".into())
    }

    fn history_error() -> Error {
        Error::LedgerFailed("Query: Throttled".into())
    }

    /// Three published messages, as the handler counts them.
    fn report() -> Report {
        Report { sent: Sent { published: 3, ..Sent::default() }, ..Report::default() }
    }

    #[test]
    fn a_direct_invocation_returns_the_report() {
        let payload = Payload::Direct(Box::new(record()));
        let affected: Vec<_> = payload.records().map(|record| affected(record, &["vpc-a", "vpc-b"])).collect();
        let both = [delivery("vpc-a", Ok(())), delivery("vpc-b", Ok(()))];
        assert_eq!(Outcome::new(&payload, report(), &affected, &both, None), Ok(Outcome::Report(report())));
    }

    #[test]
    fn a_direct_invocation_fails_if_a_message_is_not_accepted() {
        let payload = Payload::Direct(Box::new(record()));
        let affected: Vec<_> = payload.records().map(|record| affected(record, &["vpc-a", "vpc-b"])).collect();
        let one = [delivery("vpc-a", Ok(())), delivery("vpc-b", Err(publish_error()))];
        assert_eq!(Outcome::new(&payload, report(), &affected, &one, None), Err(publish_error()));
    }

    #[test]
    fn a_direct_invocation_that_publishes_fails_without_the_history() {
        let payload = Payload::Direct(Box::new(record()));
        let records: Vec<_> = payload.records().map(|record| affected(record, &["vpc-a"])).collect();
        let accepted = [delivery("vpc-a", Ok(()))];
        assert_eq!(Outcome::new(&payload, report(), &records, &accepted, Some(&history_error())), Err(history_error()));
        // The error of a message that was not accepted takes precedence.
        let failed = [delivery("vpc-a", Err(publish_error()))];
        assert_eq!(Outcome::new(&payload, report(), &records, &failed, Some(&history_error())), Err(publish_error()));
    }

    #[test]
    fn a_direct_invocation_without_alerts_or_without_a_scope_needs_no_history() {
        let report_only = Payload::Direct(Box::new(Record { alerts: AlertRequest::None, ..record() }));
        assert_eq!(
            Outcome::new(&report_only, report(), &[], &[], Some(&history_error())),
            Ok(Outcome::Report(report()))
        );
        let without_scope = Payload::Direct(Box::new(Record { scope: Scope::default(), ..record() }));
        let affected: Vec<_> = without_scope.records().map(|record| affected(record, &[])).collect();
        assert_eq!(
            Outcome::new(&without_scope, report(), &affected, &[], Some(&history_error())),
            Ok(Outcome::Report(report()))
        );
    }

    #[test]
    fn unreadable_and_undelivered_messages_of_a_batch_fail() {
        let unreadable = Error::UnsupportedEvent("the body is not JSON".into());
        let message = |id: &str, record| Message { id: id.into(), record, receive_count: 1 };
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
        let results = [delivery("vpc-a", Ok(())), delivery("vpc-b", Err(publish_error()))];
        let answer = Outcome::new(&payload, report(), &affected, &results, None).unwrap();
        assert_eq!(
            answer,
            Outcome::Batch {
                failures: vec![
                    Failure { message_id: "unread".into(), error: unreadable },
                    Failure { message_id: "untold".into(), error: publish_error() },
                ],
                report: report(),
            }
        );
        let json = serde_json::to_value(answer.answer()).unwrap();
        assert_answer(&json);
        assert_eq!(json, json!({"batchItemFailures": [{"itemIdentifier": "unread"}, {"itemIdentifier": "untold"}]}));
    }

    #[test]
    fn every_message_that_may_need_an_alert_fails_without_the_history() {
        let message = |id: &str, record| Message { id: id.into(), record: Ok(record), receive_count: 1 };
        let payload = Payload::Batch(vec![
            message("sweep", record()),
            message("idle", Record { scope: Scope::default(), ..record() }),
            message("asking", Record { alerts: AlertRequest::None, ..record() }),
            message("untold", record()),
        ]);
        let records: Vec<&Record> = payload.records().collect();
        let affected = [affected(records[0], &["vpc-a"]), affected(records[1], &[]), affected(records[3], &["vpc-b"])];
        let results = [delivery("vpc-a", Ok(())), delivery("vpc-b", Err(publish_error()))];
        assert_eq!(
            Outcome::new(&payload, report(), &affected, &results, Some(&history_error())),
            Ok(Outcome::Batch {
                failures: vec![
                    Failure { message_id: "sweep".into(), error: history_error() },
                    Failure { message_id: "untold".into(), error: publish_error() },
                ],
                report: report(),
            })
        );
    }

    /// A report on this many tables, each with a finding of a few kilobytes.
    fn large(table_count: usize) -> answer::Report {
        (&large_report(table_count)).into()
    }

    fn large_report(table_count: usize) -> Report {
        let network = Network {
            route_tables: (0..table_count)
                .map(|n| RouteTable {
                    name: Some("n".repeat(2000).into()),
                    ..main_table(&format!("rtb-{n:08x}"), &format!("vpc-{n:08x}"))
                })
                .collect(),
            ..Network::default()
        };
        let account_region = AccountRegion { partition: "aws".into(), account: None, region: REGION.into() };
        let tables = Scope::region().tables_in(&network, &account_region);
        let required = [GatewayService::S3].into();
        let verdict =
            evaluate(&network, &tables.route_table_ids, &required, &account_region, jiff::civil::date(2026, 11, 23));
        Report::new(Scope::region(), &network, tables, verdict, Sent::default())
    }

    #[test]
    fn a_report_that_fits_is_not_changed() {
        let report = large(100);
        assert_eq!(truncate_to_limit(report.clone(), MAX_ANSWER), report);
    }

    #[test]
    fn a_report_that_is_too_large_says_how_many_findings_it_omits() {
        let report = large(3000);
        let truncated = truncate_to_limit(report.clone(), MAX_ANSWER);
        assert_eq!(truncated.findings, report.findings[..truncated.findings.len()]);
        assert_eq!(truncated.findings.len() + truncated.omitted, 3000);
        let json = serde_json::to_value(&truncated).unwrap();
        assert_answer(&json);
        assert_eq!(json["omitted"], truncated.omitted);
        let size = json.to_string().len();
        assert!((6_000_000..6 * 1024 * 1024).contains(&size), "{size}");
    }

    #[test]
    fn the_answer_of_a_hub_fits_into_a_state_of_step_functions() {
        let account_region =
            AccountRegion { partition: "aws".into(), account: Some("111122223333".into()), region: REGION.into() };
        let member = Some(Member { account_region, not_enrolled: None });
        let report = Report { member, ..large_report(200) };
        let json = serde_json::to_value(Outcome::Report(report).answer()).unwrap();
        assert_answer(&json);
        let size = json.to_string().len();
        assert!((180 * 1024..256 * 1024).contains(&size), "{size}");
        assert_eq!(json["findings"].as_array().unwrap().len() as u64 + json["omitted"].as_u64().unwrap(), 200);
    }

    #[test]
    fn every_list_is_shortened_and_the_answer_still_says_where_the_next_part_begins() {
        let mut report = large(2);
        report.next = Some(answer::NextPart {
            after_vpc_id: "vpc-0000000a".into(),
            since: "2026-11-27T04:00:00Z".into(),
            open: Open { high: 1, medium: 2, low: 3 },
        });
        report.not_found = (0..20_000).map(|number| format!("subnet-{number:017x}")).collect();
        let truncated = truncate_to_limit(report.clone(), MAX_ANSWER_IN_STATE);
        let not_found = report.not_found[..truncated.not_found.len()].to_vec();
        assert!(not_found.len() > 5_000, "{}", not_found.len());
        let omitted = 20_000 - not_found.len() + 2;
        assert_eq!(truncated, answer::Report { findings: Vec::new(), not_found, omitted, ..report });
        let json = serde_json::to_value(&truncated).unwrap();
        assert_answer(&json);
        assert!((180 * 1024..200 * 1024).contains(&json.to_string().len()));
    }

    fn lengthen_last_reason(report: &mut answer::Report, text: &str) {
        let Some(Finding::MissingRoute(finding)) = report.findings.last_mut() else { panic!() };
        finding.reason.push_str(text);
    }

    #[test]
    fn a_finding_is_omitted_if_it_is_one_byte_too_large() {
        let mut report = large(2);
        // The bytes that are left, without the comma that is counted after the last finding.
        let free = 6 * 1024 * 1024 - 64 * 1024 - serde_json::to_string(&report).unwrap().len() - ",".len();
        lengthen_last_reason(&mut report, &"x".repeat(free));
        assert_eq!(truncate_to_limit(report.clone(), MAX_ANSWER).omitted, 0);
        lengthen_last_reason(&mut report, "x");
        assert_eq!(truncate_to_limit(report, MAX_ANSWER).omitted, 1);
    }
}
