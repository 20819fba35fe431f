//! The payload of one invocation: one event, or a batch of events from SQS.
//!
//! | payload | recognised by |
//! |---|---|
//! | a batch from SQS | `Records`, each with `eventSource` `aws:sqs`; each body is one event |
//! | one event | see `event` |

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    cloudtrail::concerns_only_endpoints,
    event,
    part::RegionPart,
    record::{Record, Trigger},
    scope::Scope,
    sqs::{self, Message},
};
use crate::{channel::Channel, error::Error, network::account::AccountRegion};

/// A payload that gatewatch knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// One record. Its report is the answer.
    Direct(Box<Record>),
    /// The messages of an SQS batch. Each one succeeds or fails alone.
    Batch(Vec<Message>),
}

impl Payload {
    /// Reads a payload. `account_region` is where the function runs, and `exempt_tag` is the key of the exemption tag.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedEvent`] if the payload is unknown or malformed, or belongs to another account or Region. A
    /// message of a batch has its own error.
    pub fn read(payload: &Value, account_region: &AccountRegion, exempt_tag: &str) -> Result<Self, Error> {
        match payload.get("Records") {
            Some(records) => sqs::read(records, |body| event::read(body, account_region, exempt_tag)).map(Self::Batch),
            None => event::read(payload, account_region, exempt_tag).map(|record| Self::Direct(Box::new(record))),
        }
    }

    /// A direct request for a Region, limited to a part of it.
    #[must_use]
    pub fn limited_to(&self, part: RegionPart) -> Self {
        match self {
            Self::Direct(record) => {
                Self::Direct(Box::new(Record { scope: Scope::region_part(part), ..record.as_ref().clone() }))
            }
            Self::Batch(_) => self.clone(),
        }
    }

    /// The records that could be read.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records_with_receive_count().map(|(record, _)| record)
    }

    /// The records that could be read, each with how often SQS has delivered it; `None` for a direct payload.
    pub fn records_with_receive_count(&self) -> impl Iterator<Item = (&Record, Option<u32>)> {
        let (direct, batch) = match self {
            Self::Direct(record) => (Some((record.as_ref(), None)), &[][..]),
            Self::Batch(messages) => (None, messages.as_slice()),
        };
        let of_batch =
            batch.iter().filter_map(|message| Some((message.record.as_ref().ok()?, Some(message.receive_count))));
        direct.into_iter().chain(of_batch)
    }

    /// The ids of the messages of a batch.
    #[must_use]
    pub fn message_ids(&self) -> Vec<String> {
        let messages = if let Self::Batch(messages) = self { messages.as_slice() } else { &[] };
        messages.iter().map(|message| message.id.clone()).collect()
    }

    /// The payload, if these are the channels that have a topic. A record that names another channel cannot be handled.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedEvent`]. A message of a batch has its own error.
    pub fn for_channels(self, channels: &BTreeSet<Channel>) -> Result<Self, Error> {
        Ok(match self {
            Self::Direct(record) => Self::Direct(Box::new(record.for_channels(channels)?)),
            Self::Batch(messages) => {
                let read = |record: Result<Record, Error>| record?.for_channels(channels);
                let message = |message: Message| Message { record: read(message.record), ..message };
                Self::Batch(messages.into_iter().map(message).collect())
            }
        })
    }

    /// The payload, if no check judges endpoints: see [`Scope::for_tables_only`]. A call that only checks of endpoints
    /// depend on affects nothing, even if its record names a VPC, or nothing at all.
    #[must_use]
    pub fn for_tables_only(self) -> Self {
        match self {
            Self::Direct(record) => Self::Direct(Box::new(for_tables_only(*record))),
            Self::Batch(messages) => {
                let message = |message: Message| Message { record: message.record.map(for_tables_only), ..message };
                Self::Batch(messages.into_iter().map(message).collect())
            }
        }
    }

    /// The union of the scopes of all records. The network is read once for all of them.
    #[must_use]
    pub fn scope(&self) -> Scope {
        union(self.records())
    }

    /// The union of the scopes of all records that are less than 60 s old. EC2 may not return their resources yet
    /// (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>).
    #[must_use]
    pub fn recent_scope(&self, now: Timestamp) -> Scope {
        const RECENT: SignedDuration = SignedDuration::from_secs(60);
        union(self.records().filter(|record| record.time.is_some_and(|time| now.duration_since(time) < RECENT)))
    }
}

fn for_tables_only(record: Record) -> Record {
    let concerns_tables = match &record.trigger {
        Trigger::ApiCall { event_name, .. } => !concerns_only_endpoints(event_name),
        Trigger::ConfigItem | Trigger::Schedule | Trigger::Manual => true,
    };
    let scope = if concerns_tables { record.scope.for_tables_only() } else { Scope::default() };
    Record { scope, ..record }
}

fn union<'a>(records: impl Iterator<Item = &'a Record>) -> Scope {
    let mut scope = Scope::default();
    for record in records {
        scope.merge(&record.scope);
    }
    scope
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{events::record::AlertRequest, network::testing::account_region};

    fn error(payload: &Value) -> String {
        match Payload::read(payload, &account_region(), "gatewatch:exempt") {
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
    fn a_schedule_affects_the_whole_region() {
        assert_eq!(
            Payload::read(&scheduled(), &account_region(), "gatewatch:exempt"),
            Ok(Payload::Direct(Box::new(Record {
                scope: Scope::region(),
                trigger: Trigger::Schedule,
                time: Some("2026-11-20T04:00:00Z".parse().unwrap()),
                alerts: AlertRequest::Changes
            })))
        );
    }

    #[test]
    fn the_error_for_an_unknown_payload_names_it_and_does_not_contain_it() {
        let known = "; known are API calls to EC2 and API Gateway via CloudTrail, AWS Config items, scheduled events, SQS \
                     batches of these, and an object with \"check\"";
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
    fn the_error_for_an_unknown_payload_shortens_many_or_long_keys() {
        let many: serde_json::Map<String, Value> =
            (0..11).map(|n| (format!("{n:02}{}", "k".repeat(100)), json!(1))).collect();
        let message = error(&Value::Object(many));
        assert!(message.contains(&format!("\"09{}…\", …;", "k".repeat(58))), "{message}");
        assert!(!message.contains("\"10"), "{message}");
    }

    #[test]
    fn a_record_of_another_region_or_account_is_refused() {
        let mut payload = scheduled();
        payload["region"] = json!("us-east-1");
        assert_eq!(error(&payload), "the record is of Region \"us-east-1\", and this function watches eu-west-1");

        let mut payload = scheduled();
        payload["account"] = json!("210987654321");
        assert_eq!(
            error(&payload),
            "the record is of account \"210987654321\", and this function watches 123456789012"
        );
        let local = AccountRegion { account: None, ..account_region() };
        assert!(
            Payload::read(&payload, &local, "gatewatch:exempt").is_ok(),
            "without an ARN, only the Region is compared"
        );
    }

    #[test]
    fn an_account_can_be_a_number_without_leading_zeros() {
        let mut payload = scheduled();
        payload["account"] = json!(12_345_678_901_u64);
        let account_region = AccountRegion { account: Some("012345678901".into()), ..account_region() };
        assert!(Payload::read(&payload, &account_region, "gatewatch:exempt").is_ok());
    }

    #[test]
    fn every_account_and_region_in_an_event_is_compared() {
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
    fn a_configuration_item_is_recognised() {
        let payload = json!({"source": "aws.config", "detail-type": "Config Configuration Item Change",
            "account": "123456789012", "region": "eu-west-1", "time": "2026-11-20T10:00:00Z",
            "detail": {"configurationItem": {"resourceType": "AWS::EC2::VPC", "resourceId": "vpc-0a1b2c3d"}}});
        assert_eq!(
            Payload::read(&payload, &account_region(), "gatewatch:exempt"),
            Ok(Payload::Direct(Box::new(Record {
                scope: Scope { vpc_ids: ["vpc-0a1b2c3d".to_owned()].into(), ..Scope::default() },
                trigger: Trigger::ConfigItem,
                time: Some("2026-11-20T10:00:00Z".parse().unwrap()),
                alerts: AlertRequest::Changes
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
                alerts: AlertRequest::Changes,
            }),
            receive_count: 1,
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
    fn the_scope_of_a_batch_is_the_union_of_its_readable_messages() {
        let message = |id: &str, record| Message { id: id.into(), record, receive_count: 1 };
        let manual = |scope| Record { scope, trigger: Trigger::Manual, time: None, alerts: AlertRequest::Changes };
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
    fn an_event_is_recognised_by_both_source_and_detail_type() {
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
