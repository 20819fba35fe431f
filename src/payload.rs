//! What was sent to the function: told apart by what it holds, never guessed.
//!
//! | payload | recognised by |
//! |---|---|
//! | a batch from SQS | `Records`, each with `eventSource` `aws:sqs`; each body is one of the payloads below |
//! | a request by hand, or by EventBridge Scheduler | `check` |
//! | an EC2 API call | `source` `aws.ec2`, `detail-type` `AWS API Call via CloudTrail` |
//! | a configuration item | `source` `aws.config`, `detail-type` `Config Configuration Item Change` |
//! | a schedule | `detail-type` `Scheduled Event` |
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

mod cloudtrail;
mod config;
mod lookup;
mod manual;
mod sqs;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::lookup::{quoted, text_at};
use crate::{error::Error, home::Home, scope::Scope};

/// A payload that gatewatch knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// One record, whose report is the answer.
    Direct(Box<Record>),
    /// The messages of an SQS batch, of which each fails or succeeds alone.
    Batch(Vec<Message>),
}

/// One message of an SQS batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id by which SQS is told that the message failed.
    pub id: String,
    /// What its body holds.
    pub record: Result<Record, Error>,
}

/// One thing that happened, or was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it touches.
    pub scope: Scope,
    /// What people are told about it.
    pub trigger: Trigger,
    /// When it happened, where the payload says so.
    pub time: Option<Timestamp>,
    /// Whether findings are sent; a manual request can ask for the report alone.
    pub publish: bool,
}

/// What made gatewatch look, as a message tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody called the EC2 API. Everything here was written by others.
    ApiCall {
        /// The call.
        event_name: String,
        /// CloudTrail's id of the record.
        event_id: Option<String>,
        /// When the call was made (RFC 3339, UTC).
        event_time: Option<String>,
        /// Who made it: an ARN where there is one.
        principal: Option<String>,
        /// The AWS service that made it for them, such as `cloudformation.amazonaws.com`.
        invoked_by: Option<String>,
    },
    /// AWS Config recorded a change.
    ConfigItem,
    /// It was time for the sweep.
    Schedule,
    /// Somebody asked.
    Manual,
}

impl Payload {
    /// Recognises a payload that was sent to the function that runs at `home`, where resources are exempted by the tag
    /// with this key.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedEvent`] for a payload of no known kind, one that is malformed, and one of another account or
    /// Region. A message of a batch carries its own error.
    pub fn read(payload: &Value, home: &Home, exempt_tag: &str) -> Result<Self, Error> {
        match payload.get("Records") {
            Some(records) => sqs::read(records, home, exempt_tag).map(Self::Batch),
            None => read_record(payload, home, exempt_tag).map(|record| Self::Direct(Box::new(record))),
        }
    }
}

impl Payload {
    /// The records that could be read.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        let (direct, batch) = match self {
            Self::Direct(record) => (Some(record.as_ref()), &[][..]),
            Self::Batch(messages) => (None, messages.as_slice()),
        };
        direct.into_iter().chain(batch.iter().filter_map(|message| message.record.as_ref().ok()))
    }

    /// What the records touch together: the network is read once for all of them.
    #[must_use]
    pub fn scope(&self) -> Scope {
        union(self.records())
    }

    /// What those records touch that are so recent that EC2 may not show it yet
    /// (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>).
    #[must_use]
    pub fn recent_scope(&self, now: Timestamp) -> Scope {
        const RECENT: SignedDuration = SignedDuration::from_secs(60);
        union(self.records().filter(|record| record.time.is_some_and(|time| now.duration_since(time) < RECENT)))
    }
}

fn union<'a>(records: impl Iterator<Item = &'a Record>) -> Scope {
    let mut scope = Scope::default();
    for record in records {
        scope.merge(&record.scope);
    }
    scope
}

fn read_record(payload: &Value, home: &Home, exempt_tag: &str) -> Result<Record, Error> {
    if payload.get("check").is_some() {
        return manual::read(payload);
    }
    match (text_at(payload, &["source"]), text_at(payload, &["detail-type"])) {
        (Some(source), Some(detail_type)) if source == "aws.ec2" && detail_type == "AWS API Call via CloudTrail" => {
            refuse_foreign(payload, home)?;
            cloudtrail::read(payload, exempt_tag)
        }
        (Some(source), Some(detail_type))
            if source == "aws.config" && detail_type == "Config Configuration Item Change" =>
        {
            refuse_foreign(payload, home)?;
            config::read(payload)
        }
        (_, Some(detail_type)) if detail_type == "Scheduled Event" => {
            refuse_foreign(payload, home)?;
            Ok(Record { scope: Scope::region(), trigger: Trigger::Schedule, time: time_of(payload), publish: true })
        }
        _ => Err(unsupported(payload)),
    }
}

/// Refuses a record of another account or Region: its ids would be looked for in the wrong network.
fn refuse_foreign(payload: &Value, home: &Home) -> Result<(), Error> {
    let said = |envelope: &str, call: &str, item: &str| -> Vec<String> {
        (text_at(payload, &[envelope]).into_iter())
            .chain(text_at(payload, &["detail", call]))
            .chain(config::ITEMS.iter().filter_map(|name| text_at(payload, &["detail", name, item])))
            .collect()
    };
    if let Some(region) = said("region", "awsRegion", "awsRegion").into_iter().find(|region| *region != home.region) {
        return Err(Error::UnsupportedEvent(format!(
            "the record is of Region {}, and this function watches {}",
            quoted(&region),
            home.region
        )));
    }
    let Some(ours) = &home.account else { return Ok(()) };
    // JSON that was made from XML holds an account as a number, without its leading zeros.
    let is_foreign = |account: &String| format!("{account:0>12}") != *ours;
    match said("account", "recipientAccountId", "awsAccountId").into_iter().find(is_foreign) {
        Some(account) => Err(Error::UnsupportedEvent(format!(
            "the record is of account {}, and this function watches {ours}",
            quoted(&account)
        ))),
        None => Ok(()),
    }
}

/// When the call was made, or the event sent.
fn time_of(payload: &Value) -> Option<Timestamp> {
    text_at(payload, &["detail", "eventTime"])
        .and_then(|time| time.parse().ok())
        .or_else(|| text_at(payload, &["time"])?.parse().ok())
}

/// Names what was seen of a payload that is of no known kind, and never the payload.
fn unsupported(payload: &Value) -> Error {
    let seen = match payload {
        Value::Object(fields) if fields.contains_key("source") || fields.contains_key("detail-type") => {
            let field = |name| text_at(payload, &[name]).map_or("none".to_owned(), |text| quoted(&text));
            format!("source {}, detail-type {}", field("source"), field("detail-type"))
        }
        Value::Object(fields) if fields.is_empty() => "an empty object".to_owned(),
        Value::Object(fields) => {
            let mut keys: Vec<String> = fields.keys().take(10).map(|key| quoted(key)).collect();
            if fields.len() > keys.len() {
                keys.push("…".to_owned());
            }
            format!("an object with {}", keys.join(", "))
        }
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
    };
    Error::UnsupportedEvent(format!(
        "unknown payload: {seen}; known are EC2 API calls via CloudTrail, AWS Config items, scheduled events, SQS \
         batches of these, and an object with \"check\""
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn home() -> Home {
        Home { partition: "aws".into(), account: Some("123456789012".into()), region: "eu-west-1".into() }
    }

    fn error(payload: &Value) -> String {
        match Payload::read(payload, &home(), "gatewatch:exempt") {
            Err(Error::UnsupportedEvent(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    fn scheduled() -> Value {
        json!({
            "version": "0", "id": "0a1b2c3d-0000-4000-8000-000000000001", "detail-type": "Scheduled Event",
            "source": "aws.events", "account": "123456789012", "time": "2026-11-20T04:00:00Z",
            "region": "eu-west-1", "resources": [], "detail": {}
        })
    }

    #[test]
    fn a_schedule_is_the_whole_region() {
        assert_eq!(
            Payload::read(&scheduled(), &home(), "gatewatch:exempt"),
            Ok(Payload::Direct(Box::new(Record {
                scope: Scope::region(),
                trigger: Trigger::Schedule,
                time: Some("2026-11-20T04:00:00Z".parse().unwrap()),
                publish: true
            })))
        );
    }

    #[test]
    fn what_is_unknown_is_named_and_not_shown() {
        let known = "; known are EC2 API calls via CloudTrail, AWS Config items, scheduled events, SQS batches of these, \
                     and an object with \"check\"";
        for (payload, seen) in [
            (
                json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {"secret": 1}}),
                "source \"aws.s3\", detail-type \"Object Created\"",
            ),
            (
                json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification"}),
                "source \"aws.ec2\", detail-type \"EC2 Instance State-change Notification\"",
            ),
            (json!({"source": "aws.ec2"}), "source \"aws.ec2\", detail-type none"),
            (json!({"detail-type": "x\ny"}), "source none, detail-type \"x\\ny\""),
            (json!({"b": 1, "a\n": 2}), "an object with \"a\\n\", \"b\""),
            (json!({}), "an empty object"),
            (json!([{"check": "region"}]), "a list"),
            (json!(null), "null"),
            (json!("region"), "a string"),
            (json!(1), "a number"),
            (json!(true), "a boolean"),
        ] {
            assert_eq!(error(&payload), format!("unknown payload: {seen}{known}"));
        }
    }

    #[test]
    fn of_many_or_long_keys_only_the_beginning_is_named() {
        let many: serde_json::Map<String, Value> =
            (0..11).map(|n| (format!("{n:02}{}", "k".repeat(100)), json!(1))).collect();
        let message = error(&Value::Object(many));
        assert!(message.contains(&format!("\"09{}…\", …;", "k".repeat(58))), "{message}");
        assert!(!message.contains("\"10"), "{message}");
    }

    #[test]
    fn another_region_or_account_is_refused() {
        let mut payload = scheduled();
        payload["region"] = json!("us-east-1");
        assert_eq!(error(&payload), "the record is of Region \"us-east-1\", and this function watches eu-west-1");

        let mut payload = scheduled();
        payload["account"] = json!("210987654321");
        assert_eq!(
            error(&payload),
            "the record is of account \"210987654321\", and this function watches 123456789012"
        );
        let local = Home { account: None, ..home() };
        assert!(Payload::read(&payload, &local, "gatewatch:exempt").is_ok(), "without an ARN only the Region counts");
    }

    #[test]
    fn an_account_may_be_a_number_and_lose_its_zeros() {
        let mut payload = scheduled();
        payload["account"] = json!(12_345_678_901_u64);
        let home = Home { account: Some("012345678901".into()), ..home() };
        assert!(Payload::read(&payload, &home, "gatewatch:exempt").is_ok());
    }

    #[test]
    fn every_place_that_names_an_account_or_region_counts() {
        let event = |source: &str, detail_type: &str, detail: Value| {
            json!({"source": source, "detail-type": detail_type, "account": "123456789012", "region": "eu-west-1",
                   "detail": detail})
        };
        let call = |detail| event("aws.ec2", "AWS API Call via CloudTrail", detail);
        let item = |detail| event("aws.config", "Config Configuration Item Change", detail);
        for payload in [
            call(json!({"eventName": "CreateVpc", "awsRegion": "us-east-1"})),
            item(json!({"configurationItem": {"resourceType": "AWS::EC2::VPC", "awsRegion": "us-east-1"}})),
            item(json!({"configurationItemSummary": {"resourceType": "AWS::EC2::VPC", "awsRegion": "us-east-1"}})),
        ] {
            assert_eq!(error(&payload), "the record is of Region \"us-east-1\", and this function watches eu-west-1");
        }
        for payload in [
            call(json!({"eventName": "CreateVpc", "recipientAccountId": "210987654321"})),
            item(json!({"configurationItem": {"resourceType": "AWS::EC2::VPC", "awsAccountId": "210987654321"}})),
            item(json!({"configurationItemSummary": {"resourceType": "x", "awsAccountId": 210_987_654_321_u64}})),
        ] {
            assert_eq!(
                error(&payload),
                "the record is of account \"210987654321\", and this function watches 123456789012"
            );
        }
    }

    #[test]
    fn a_configuration_item_is_known() {
        let payload = json!({"source": "aws.config", "detail-type": "Config Configuration Item Change",
            "account": "123456789012", "region": "eu-west-1", "time": "2026-11-20T10:00:00Z",
            "detail": {"configurationItem": {"resourceType": "AWS::EC2::VPC", "resourceId": "vpc-0a1b2c3d"}}});
        assert_eq!(
            Payload::read(&payload, &home(), "gatewatch:exempt"),
            Ok(Payload::Direct(Box::new(Record {
                scope: Scope { vpc_ids: ["vpc-0a1b2c3d".to_owned()].into(), ..Scope::default() },
                trigger: Trigger::ConfigItem,
                time: Some("2026-11-20T10:00:00Z".parse().unwrap()),
                publish: true
            })))
        );
    }

    #[test]
    fn a_record_is_recent_for_a_minute() {
        let record = |id: &str, time: Option<&str>| Message {
            id: id.into(),
            record: Ok(Record {
                scope: Scope { vpc_ids: [id.to_owned()].into(), ..Scope::default() },
                trigger: Trigger::Manual,
                time: time.map(|time| time.parse().unwrap()),
                publish: true,
            }),
        };
        let payload = Payload::Batch(vec![
            record("vpc-59s", Some("2026-11-20T10:00:01Z")),
            record("vpc-60s", Some("2026-11-20T10:00:00Z")),
            record("vpc-ahead", Some("2026-11-20T10:01:05Z")),
            record("vpc-timeless", None),
        ]);
        let recent = payload.recent_scope("2026-11-20T10:01:00Z".parse().unwrap());
        assert_eq!(recent.vpc_ids.iter().collect::<Vec<_>>(), ["vpc-59s", "vpc-ahead"]);
    }

    #[test]
    fn what_a_batch_touches_is_what_its_readable_messages_touch() {
        let message = |id: &str, record| Message { id: id.into(), record };
        let manual = |scope| Record { scope, trigger: Trigger::Manual, time: None, publish: true };
        let vpc = |id: &str| Scope { vpc_ids: [id.to_owned()].into(), ..Scope::default() };
        let payload = Payload::Batch(vec![
            message("a", Ok(manual(vpc("vpc-0000000a")))),
            message("b", Err(Error::UnsupportedEvent("the body is not JSON".into()))),
            message("c", Ok(manual(vpc("vpc-0000000b")))),
        ]);
        let both = ["vpc-0000000a", "vpc-0000000b"].map(str::to_owned);
        assert_eq!(payload.scope(), Scope { vpc_ids: both.into(), ..Scope::default() });
        assert_eq!(Payload::Direct(Box::new(manual(Scope::region()))).scope(), Scope::region());
    }

    #[test]
    fn source_and_detail_type_both_count() {
        let detail = json!({"eventName": "CreateVpc", "configurationItem": {"resourceType": "AWS::EC2::VPC"}});
        for (source, detail_type) in [
            ("aws.ec2", "Config Configuration Item Change"),
            ("aws.s3", "AWS API Call via CloudTrail"),
            ("aws.config", "AWS API Call via CloudTrail"),
            ("aws.config", "Config Rules Compliance Change"),
            ("aws.s3", "Config Configuration Item Change"),
        ] {
            let message = error(&json!({"source": source, "detail-type": detail_type, "detail": detail}));
            assert!(message.starts_with("unknown payload: "), "{message}");
        }
    }
}
