//! What the function answers: a report to a direct invocation, the failed messages to SQS.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use serde::Serialize;

use crate::{
    error::Error,
    notification::{Published, Touched},
    payload::Payload,
    report::Report,
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
    /// The answer to this payload, given what became of the messages about each VPC.
    ///
    /// # Errors
    ///
    /// [`Error::PublishFailed`] where a message of a direct invocation was not taken. In a batch, the records that
    /// touched its VPC fail, and only they.
    pub fn new(
        payload: &Payload,
        mut report: Report,
        touched: &[Touched<'_>],
        published: &[Published],
    ) -> Result<Self, Error> {
        report.published = published.iter().filter(|published| published.result.is_ok()).count();
        match payload {
            Payload::Direct(_) => match published.iter().find_map(|published| published.result.clone().err()) {
                Some(error) => Err(error),
                None => Ok(Self::Report(report.fitted())),
            },
            Payload::Batch(messages) => {
                let untold = |record| {
                    let touched = touched.iter().find(|touched| std::ptr::eq(touched.record, record))?;
                    (published.iter())
                        .filter(|published| touched.vpc_ids.contains(published.vpc_id.as_str()))
                        .find_map(|published| published.result.clone().err())
                };
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

    fn touched<'a>(record: &'a Record, vpc_ids: &[&'a str]) -> Touched<'a> {
        Touched { record, route_table_ids: BTreeSet::new().into(), vpc_ids: vpc_ids.iter().copied().collect() }
    }

    fn published(vpc_id: &str, result: Result<(), Error>) -> Published {
        Published { vpc_id: vpc_id.into(), result }
    }

    fn refused() -> Error {
        Error::PublishFailed("Publish, about vpc-b: Throttled".into())
    }

    #[test]
    fn a_direct_invocation_is_answered_with_the_report() {
        let payload = Payload::Direct(Box::new(record()));
        let both = [published("vpc-a", Ok(())), published("vpc-b", Ok(()))];
        assert_eq!(
            Answer::new(&payload, Report::default(), &[], &both),
            Ok(Answer::Report(Report { published: 2, ..Report::default() }))
        );
    }

    #[test]
    fn a_direct_invocation_fails_with_a_message_that_was_not_taken() {
        let payload = Payload::Direct(Box::new(record()));
        let one = [published("vpc-a", Ok(())), published("vpc-b", Err(refused()))];
        assert_eq!(Answer::new(&payload, Report::default(), &[], &one), Err(refused()));
    }

    #[test]
    fn of_a_batch_those_fail_that_cannot_be_read_or_were_not_told() {
        let unread = Error::UnsupportedEvent("the body is not JSON".into());
        let message = |id: &str, record| Message { id: id.into(), record };
        let payload = Payload::Batch(vec![
            message("told", Ok(record())),
            message("unread", Err(unread.clone())),
            message("untold", Ok(record())),
            message("quiet", Ok(record())),
        ]);
        let records: Vec<&Record> = payload.records().collect();
        let touched = [touched(records[0], &["vpc-a"]), touched(records[1], &["vpc-a", "vpc-b"])];
        let answer = Answer::new(
            &payload,
            Report::default(),
            &touched,
            &[published("vpc-a", Ok(())), published("vpc-b", Err(refused()))],
        )
        .unwrap();
        assert_eq!(
            answer,
            Answer::Batch {
                failures: vec![
                    Failure { item_identifier: "unread".into(), error: unread },
                    Failure { item_identifier: "untold".into(), error: refused() },
                ],
                report: Report { published: 1, ..Report::default() },
            }
        );
        assert_eq!(
            serde_json::to_value(&answer).unwrap(),
            json!({"batchItemFailures": [{"itemIdentifier": "unread"}, {"itemIdentifier": "untold"}]})
        );
    }
}
