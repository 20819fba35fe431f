//! Isolates panics: a panic that one record causes does not fail the other records of its batch.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::{
    app::{
        report::Report,
        response::{Failure, Outcome},
    },
    error::Error,
    events::{payload::Payload, sqs::Message},
};

/// Processes a payload. If that panics, a direct invocation fails. The messages of a batch are processed again one by one, so
/// that a panic fails only the message that causes it.
///
/// Messages that were published before the panic may be published again: delivery is at least once.
///
/// # Errors
///
/// Those of `process`, and [`Error::Internal`] for a direct invocation that panicked.
pub async fn isolate(
    payload: Payload,
    process: impl AsyncFn(&Payload) -> Result<Outcome, Error>,
) -> Result<Outcome, Error> {
    match run(&process, &payload).await {
        Ok(outcome) => outcome,
        Err(panicked) => match payload {
            Payload::Direct(_) => Err(panicked),
            Payload::Batch(messages) => Ok(one_by_one(messages, &process).await),
        },
    }
}

async fn one_by_one(messages: Vec<Message>, process: &impl AsyncFn(&Payload) -> Result<Outcome, Error>) -> Outcome {
    let mut all = Vec::new();
    for message in messages {
        let message_id = message.id.clone();
        match run(process, &Payload::Batch(vec![message])).await {
            Ok(Ok(Outcome::Batch { failures, .. })) => all.extend(failures),
            Ok(Ok(Outcome::Report(_))) => {}
            Ok(Err(error)) | Err(error) => all.push(Failure { message_id, error }),
        }
    }
    Outcome::Batch { failures: all, report: Report::default() }
}

/// Runs `process`. The outer error means that it panicked.
async fn run(
    process: &impl AsyncFn(&Payload) -> Result<Outcome, Error>,
    payload: &Payload,
) -> Result<Result<Outcome, Error>, Error> {
    AssertUnwindSafe(process(payload)).catch_unwind().await.map_err(|_| Error::panicked())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{
        record::{AlertRequest, Record, Trigger},
        scope::Scope,
    };

    fn message(id: &str) -> Message {
        let scope = Scope { vpc_ids: [id.to_owned()].into(), ..Scope::default() };
        Message {
            id: id.into(),
            record: Ok(Record { scope, trigger: Trigger::Manual, time: None, alerts: AlertRequest::Changes }),
            receive_count: 1,
        }
    }

    fn failure(id: &str, error: Error) -> Failure {
        Failure { message_id: id.into(), error }
    }

    /// Panics for `vpc-panic`, lists the message about `vpc-fail` as failed, and returns an error for `vpc-error`.
    async fn process(payload: &Payload) -> Result<Outcome, Error> {
        let ids: Vec<String> = payload.records().flat_map(|record| record.scope.vpc_ids.clone()).collect();
        assert!(!ids.contains(&"vpc-panic".to_owned()), "a bug");
        if ids.contains(&"vpc-error".to_owned()) {
            return Err(Error::Ec2ReadFailed("DescribeVpcs: Throttled".into()));
        }
        let failures = ids.iter().filter(|id| *id == "vpc-fail");
        let failures = failures.map(|id| failure(id, Error::PublishFailed("Publish: Throttled".into()))).collect();
        Ok(Outcome::Batch { failures, report: Report::default() })
    }

    #[tokio::test]
    async fn a_panic_fails_only_the_record_that_causes_it() {
        let batch = ["vpc-a", "vpc-panic", "vpc-fail", "vpc-error", "vpc-b"].map(message);
        assert_eq!(
            isolate(Payload::Batch(batch.into()), process).await,
            Ok(Outcome::Batch {
                failures: vec![
                    failure("vpc-panic", Error::panicked()),
                    failure("vpc-fail", Error::PublishFailed("Publish: Throttled".into())),
                    failure("vpc-error", Error::Ec2ReadFailed("DescribeVpcs: Throttled".into())),
                ],
                report: Report::default(),
            })
        );
    }

    #[tokio::test]
    async fn a_panic_fails_a_direct_invocation() {
        let record = message("vpc-panic").record.unwrap();
        assert_eq!(isolate(Payload::Direct(Box::new(record)), process).await, Err(Error::panicked()));
    }

    #[tokio::test]
    async fn a_batch_without_a_panic_is_processed_once_as_a_whole() {
        let batch = ["vpc-a", "vpc-error"].map(message);
        assert_eq!(
            isolate(Payload::Batch(batch.into()), process).await,
            Err(Error::Ec2ReadFailed("DescribeVpcs: Throttled".into()))
        );
    }
}
