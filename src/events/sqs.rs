//! Batches of messages from SQS (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>).

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use super::{
    json_path::{quoted, text_at},
    record::Record,
};
use crate::error::Error;

/// One message of an SQS batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<R = Record> {
    /// The `messageId`. The answer returns it to SQS if the message fails.
    pub id: String,
    /// The record in its body, or the reason why the body cannot be read.
    pub record: Result<R, Error>,
    /// How often SQS has delivered the message, this delivery included.
    pub receive_count: u32,
}

/// Reads `Records`, and each body with `read_body`. A wrong body fails only its own message.
///
/// # Errors
///
/// [`Error::UnsupportedEvent`] if `Records` is not a list of SQS messages.
pub(super) fn read<R>(
    records: &Value,
    read_body: impl Fn(&Value) -> Result<R, Error>,
) -> Result<Vec<Message<R>>, Error> {
    let records = records.as_array().filter(|records| !records.is_empty()).ok_or_else(|| {
        Error::UnsupportedEvent("\"Records\" is not a list with members, as an SQS batch has".to_owned())
    })?;
    records
        .iter()
        .map(|record| match (text_at(record, &["eventSource"]), text_at(record, &["messageId"])) {
            (Some(source), Some(id)) if source == "aws:sqs" => {
                Ok(Message { id, record: isolated(|| read_body(&body(record)?)), receive_count: receive_count(record) })
            }
            (Some(source), None) if source == "aws:sqs" => {
                Err(Error::UnsupportedEvent("an SQS record without messageId".to_owned()))
            }
            (source, _) => Err(Error::UnsupportedEvent(format!(
                "\"Records\" with eventSource {}; allowed is \"aws:sqs\"",
                source.map_or("none".to_owned(), |source| quoted(&source))
            ))),
        })
        .collect()
}

/// Reads one message. A panic fails only this message.
fn isolated<R>(read: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(Error::panicked()))
}

/// The attribute `ApproximateReceiveCount`, which is a number in a string. A message without it counts as new.
fn receive_count(record: &Value) -> u32 {
    text_at(record, &["attributes", "ApproximateReceiveCount"]).and_then(|count| count.parse().ok()).unwrap_or(1)
}

fn body(record: &Value) -> Result<Value, Error> {
    let body = record
        .get("body")
        .and_then(Value::as_str)
        .ok_or_else(|| Error::UnsupportedEvent("an SQS record without a body".to_owned()))?;
    serde_json::from_str(body).map_err(|cause| {
        Error::UnsupportedEvent(format!("the body is not JSON (line {}, column {})", cause.line(), cause.column()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        events::{
            event,
            record::{AlertRequest, Trigger},
            scope::Scope,
        },
        network::account::AccountRegion,
    };

    fn account_region() -> AccountRegion {
        AccountRegion { partition: "aws".into(), account: None, region: "eu-west-1".into() }
    }

    fn read_event(body: &Value) -> Result<Record, Error> {
        event::read(body, &account_region(), "gatewatch:exempt")
    }

    fn message(id: &str, body: &Value) -> Value {
        json!({"messageId": id, "eventSource": "aws:sqs", "body": body, "awsRegion": "eu-west-1"})
    }

    #[test]
    fn each_message_succeeds_or_fails_alone() {
        let records = json!([
            message("a", &json!(r#"{"check": "region"}"#)),
            message("b", &json!("{\"secret\": ")),
            message("c", &json!({"check": "region"})),
            message("d", &json!(r#"{"Records": []}"#)),
        ]);
        let failed = |id: &str, why: &str| Message {
            id: id.into(),
            record: Err(Error::UnsupportedEvent(why.into())),
            receive_count: 1,
        };
        assert_eq!(
            read(&records, read_event),
            Ok(vec![
                Message {
                    id: "a".into(),
                    record: Ok(Record {
                        scope: Scope::region(),
                        trigger: Trigger::Manual,
                        time: None,
                        alerts: AlertRequest::Changes
                    }),
                    receive_count: 1,
                },
                failed("b", "the body is not JSON (line 1, column 11)"),
                failed("c", "an SQS record without a body"),
                failed(
                    "d",
                    "unknown payload: an object with \"Records\"; known are API calls to EC2 and API Gateway via CloudTrail, AWS \
                     Config items, scheduled events, SQS batches of these, and an object with \"check\""
                ),
            ])
        );
    }

    #[test]
    fn a_panic_fails_only_its_message() {
        let record =
            || Record { scope: Scope::region(), trigger: Trigger::Manual, time: None, alerts: AlertRequest::Changes };
        assert_eq!(isolated::<Record>(|| panic!("a bug")), Err(Error::panicked()));
        assert_eq!(isolated(|| Ok(record())), Ok(record()));
    }

    #[test]
    fn records_that_are_not_from_sqs_are_refused() {
        let not_a_list = "\"Records\" is not a list with members, as an SQS batch has";
        for (records, why) in [
            (json!([]), not_a_list),
            (json!({}), not_a_list),
            (json!([{"eventSource": "aws:s3"}]), "\"Records\" with eventSource \"aws:s3\"; allowed is \"aws:sqs\""),
            (
                json!([{"EventSource": "aws:sns", "messageId": "a"}]),
                "\"Records\" with eventSource \"aws:sns\"; allowed is \"aws:sqs\"",
            ),
            (json!(["a"]), "\"Records\" with eventSource none; allowed is \"aws:sqs\""),
            (json!([{"eventSource": "aws:sqs", "body": "{}"}]), "an SQS record without messageId"),
        ] {
            assert_eq!(read(&records, read_event), Err(Error::UnsupportedEvent(why.into())), "{records}");
        }
    }
}
