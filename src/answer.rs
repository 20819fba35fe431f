//! What the function answers: a report to a direct invocation, the failed messages to SQS.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use serde::Serialize;

use crate::{
    error::Error,
    payload::{Payload, Record},
    plan::Told,
    report::Report,
    touched::Touched,
};

/// The answer to one invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a direct invocation.
    Report(Report),
    /// To a batch from SQS: which messages it is to deliver again
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>).
    Batch {
        /// The messages that failed, in their order.
        #[serde(rename = "batchItemFailures")]
        failures: Vec<Failure>,
        /// What was found, for the log.
        #[serde(skip)]
        report: Report,
    },
}

/// A message of a batch that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Its message id.
    pub item_identifier: String,
    /// Why, for the log.
    #[serde(skip)]
    pub error: Error,
}

impl Answer {
    /// The answer to this payload, given what became of what there was to tell about each VPC, and why the ledger could
    /// not be read, where that is so.
    ///
    /// # Errors
    ///
    /// [`Error::PublishFailed`] where a message of a direct invocation was not taken, and [`Error::LedgerFailed`] where
    /// what was told could not be looked up or remembered. In a batch, the records that touched its VPC fail, and only
    /// they; without the ledger, every record that was to be told of.
    pub fn new(
        payload: &Payload,
        report: Report,
        touched: &[Touched<'_>],
        told: &[Told],
        unread: Option<&Error>,
    ) -> Result<Self, Error> {
        let untold = |record: &Record| {
            let touched = touched.iter().find(|touched| std::ptr::eq(touched.record, record))?;
            (told.iter())
                .filter(|told| touched.vpc_ids.contains(&told.vpc_id))
                .find_map(|told| told.result.as_ref().err())
                .or_else(|| unread.filter(|_| !record.scope.is_empty()))
                .cloned()
        };
        match payload {
            Payload::Direct(record) => match untold(record) {
                Some(error) => Err(error),
                None => Ok(Self::Report(report.fitted())),
            },
            Payload::Batch(messages) => {
                let failures = messages
                    .iter()
                    .filter_map(|message| {
                        let error = match &message.record {
                            Ok(record) => untold(record)?,
                            Err(error) => error.clone(),
                        };
                        Some(Failure { item_identifier: message.id.clone(), error })
                    })
                    .collect();
                Ok(Self::Batch { failures, report })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::{
        payload::{Message, Record, Trigger},
        scope::Scope,
    };

    fn record() -> Record {
        Record { scope: Scope::region(), trigger: Trigger::Manual, time: None, publish: true }
    }

    fn touched<'a>(record: &'a Record, vpc_ids: &[&str]) -> Touched<'a> {
        let vpc_ids: BTreeSet<String> = vpc_ids.iter().map(|&id| id.to_owned()).collect();
        Touched { record, route_table_ids: BTreeSet::new().into(), vpc_ids: vpc_ids.into() }
    }

    fn told(vpc_id: &str, result: Result<(), Error>) -> Told {
        Told { vpc_id: vpc_id.into(), published: 1, overtaken: false, result }
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
        let touched: Vec<_> = payload.records().map(|record| touched(record, &["vpc-a", "vpc-b"])).collect();
        let both = [told("vpc-a", Ok(())), told("vpc-b", Ok(()))];
        assert_eq!(Answer::new(&payload, report(), &touched, &both, None), Ok(Answer::Report(report())));
    }

    #[test]
    fn a_direct_invocation_fails_with_a_message_that_was_not_taken() {
        let payload = Payload::Direct(Box::new(record()));
        let touched: Vec<_> = payload.records().map(|record| touched(record, &["vpc-a", "vpc-b"])).collect();
        let one = [told("vpc-a", Ok(())), told("vpc-b", Err(refused()))];
        assert_eq!(Answer::new(&payload, report(), &touched, &one, None), Err(refused()));
    }

    #[test]
    fn a_direct_invocation_that_tells_fails_without_the_ledger() {
        let payload = Payload::Direct(Box::new(record()));
        let records: Vec<_> = payload.records().map(|record| touched(record, &["vpc-a"])).collect();
        let fine = [told("vpc-a", Ok(()))];
        assert_eq!(Answer::new(&payload, report(), &records, &fine, Some(&unread())), Err(unread()));
        // A message that was not taken is the more telling error.
        let failed = [told("vpc-a", Err(refused()))];
        assert_eq!(Answer::new(&payload, report(), &records, &failed, Some(&unread())), Err(refused()));
    }

    #[test]
    fn who_asks_for_the_report_alone_or_touches_nothing_needs_no_ledger() {
        let asking = Payload::Direct(Box::new(Record { publish: false, ..record() }));
        assert_eq!(Answer::new(&asking, report(), &[], &[], Some(&unread())), Ok(Answer::Report(report())));
        let idle = Payload::Direct(Box::new(Record { scope: Scope::default(), ..record() }));
        let touched: Vec<_> = idle.records().map(|record| touched(record, &[])).collect();
        assert_eq!(Answer::new(&idle, report(), &touched, &[], Some(&unread())), Ok(Answer::Report(report())));
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
        let touched = [
            touched(records[0], &["vpc-a"]),
            touched(records[1], &["vpc-a", "vpc-b"]),
            touched(records[2], &["vpc-c"]),
        ];
        let told = [told("vpc-a", Ok(())), told("vpc-b", Err(refused()))];
        let answer = Answer::new(&payload, report(), &touched, &told, None).unwrap();
        assert_eq!(
            answer,
            Answer::Batch {
                failures: vec![
                    Failure { item_identifier: "unread".into(), error: unreadable },
                    Failure { item_identifier: "untold".into(), error: refused() },
                ],
                report: report(),
            }
        );
        assert_eq!(
            serde_json::to_value(&answer).unwrap(),
            json!({"batchItemFailures": [{"itemIdentifier": "unread"}, {"itemIdentifier": "untold"}]})
        );
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
        let touched = [touched(records[0], &["vpc-a"]), touched(records[1], &[]), touched(records[3], &["vpc-b"])];
        let told = [told("vpc-a", Ok(())), told("vpc-b", Err(refused()))];
        assert_eq!(
            Answer::new(&payload, report(), &touched, &told, Some(&unread())),
            Ok(Answer::Batch {
                failures: vec![
                    Failure { item_identifier: "sweep".into(), error: unread() },
                    Failure { item_identifier: "untold".into(), error: refused() },
                ],
                report: report(),
            })
        );
    }
}
