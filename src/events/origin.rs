//! Which account and Region each event is about, and the payload of each account and Region.
//!
//! | function | account and Region |
//! |---|---|
//! | watches its own account and Region | its own; an event or a request that names others is refused |
//! | watches an organization | those of the EventBridge envelope, which EventBridge writes and no sender can choose |
//! | the same, for a manual request | `account` and `region`, if the caller invokes the function; its own without them |
//!
//! A direct request may also ask for a part of a Region: see `part_request`.
//!
//! A request that came through the queue must not name an account or a Region. Only rules send to the queue, so nobody
//! needs that, and what an account of the organization sends must never decide what is checked in another one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    envelope::refuse_foreign,
    event,
    json_path::{quoted, text_at},
    part::PartRequest,
    part_request,
    payload::Payload,
    record::Record,
    sqs::{self, Message},
};
use crate::{
    error::Error,
    network::{account::AccountRegion, arn::is_account},
};

/// The accounts and Regions that the function watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Where the function runs.
    pub own: AccountRegion,
    /// The Regions that it watches in each account of the organization. `None` if it watches only its own account and
    /// Region.
    pub regions: Option<BTreeSet<String>>,
}

/// The events about one account and Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The account and Region.
    pub account_region: AccountRegion,
    /// The events.
    pub payload: Payload,
    /// The part of the Region that a request asks for. `None` for everything else.
    pub part: Option<PartRequest>,
}

/// Reads a payload, and groups its events by account and Region. The groups are sorted. `exempt_tag` is the key of the
/// exemption tag.
///
/// # Errors
///
/// [`Error::UnsupportedEvent`] if the payload is unknown or malformed, or belongs to an account or Region that is not watched.
/// A message of a batch has its own error, in the group of the function's own account and Region.
pub fn read(payload: &Value, watched: &Watched, exempt_tag: &str) -> Result<Vec<Group>, Error> {
    let origin = |event: &Value| match &watched.regions {
        Some(regions) => origin(event, &watched.own, regions),
        // An event is compared where it is read.
        None if is_request(event) => {
            origin(event, &watched.own, &BTreeSet::from([watched.own.region.clone()]))?;
            refuse_foreign(event, &watched.own).map(|()| watched.own.clone())
        }
        None => Ok(watched.own.clone()),
    };
    let Some(records) = payload.get("Records") else {
        let account_region = origin(payload)?;
        let part = if is_request(payload) { part_request::read(payload)? } else { None };
        let payload = Payload::read(&without_keys_of_direct(payload), &account_region, exempt_tag)?;
        return Ok(vec![Group { account_region, payload, part }]);
    };
    let messages = sqs::read(records, |body| {
        refuse_named_origin(body)?;
        part_request::refuse(body)?;
        let account_region = origin(body)?;
        event::read(body, &account_region, exempt_tag).map(|record| (account_region, record))
    })?;
    Ok(grouped(messages, &watched.own))
}

fn grouped(messages: Vec<Message<(AccountRegion, Record)>>, own: &AccountRegion) -> Vec<Group> {
    let mut groups: Vec<(AccountRegion, Vec<Message>)> = Vec::new();
    for Message { id, record, receive_count } in messages {
        let (account_region, record) = match record {
            Ok((account_region, record)) => (account_region, Ok(record)),
            Err(error) => (own.clone(), Err(error)),
        };
        let message = Message { id, record, receive_count };
        match groups.iter_mut().find(|(of_group, _)| *of_group == account_region) {
            Some((_, messages)) => messages.push(message),
            None => groups.push((account_region, vec![message])),
        }
    }
    groups.sort_by(|(a, _), (b, _)| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    let group = |(account_region, messages)| Group { account_region, payload: Payload::Batch(messages), part: None };
    groups.into_iter().map(group).collect()
}

/// The account and Region of one event or request. A manual request without them is about the function's own.
fn origin(event: &Value, own: &AccountRegion, regions: &BTreeSet<String>) -> Result<AccountRegion, Error> {
    let (account, region) = if is_request(event) {
        let text = |name: &str| match event.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Error::UnsupportedEvent(format!("manual request: \"{name}\" is not a text"))),
        };
        (text("account")?.or_else(|| own.account.clone()), text("region")?.or_else(|| Some(own.region.clone())))
    } else {
        // JSON that was converted from XML holds an account as a number, without leading zeros.
        (text_at(event, &["account"]).map(|account| format!("{account:0>12}")), text_at(event, &["region"]))
    };
    let shown = |text: &Option<String>| text.as_deref().map_or("none".to_owned(), quoted);
    let region = region.filter(|region| regions.contains(region)).ok_or_else(|| {
        let allowed: Vec<&str> = regions.iter().map(String::as_str).collect();
        Error::UnsupportedEvent(format!(
            "the record is of Region {}, and this function watches {}",
            shown(&text_at(event, &["region"])),
            allowed.join(", ")
        ))
    })?;
    if account.is_some() && !account.as_deref().is_some_and(is_account) || account.is_none() && own.account.is_some() {
        return Err(Error::UnsupportedEvent(format!(
            "the record is of account {}; an account has 12 digits",
            shown(&text_at(event, &["account"]))
        )));
    }
    Ok(AccountRegion { partition: own.partition.clone(), account, region })
}

fn is_request(event: &Value) -> bool {
    event.get("check").is_some()
}

/// A manual request without the keys that only a direct one may have.
fn without_keys_of_direct(payload: &Value) -> Value {
    let mut payload = payload.clone();
    if let (true, Some(fields)) = (is_request(&payload), payload.as_object_mut()) {
        let is_read = |key: &str| ["account", "region"].contains(&key) || part_request::KEYS.contains(&key);
        fields.retain(|key, _| !is_read(key));
    }
    payload
}

fn refuse_named_origin(body: &Value) -> Result<(), Error> {
    if is_request(body) && (body.get("account").is_some() || body.get("region").is_some()) {
        let why =
            "manual request: \"account\" and \"region\" are allowed only in a direct invocation, not through the queue";
        return Err(Error::UnsupportedEvent(why.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        events::{
            record::{AlertRequest, Trigger},
            scope::Scope,
        },
        network::testing::account_region,
    };

    const MEMBER: &str = "111122223333";

    /// A function that watches an organization in two Regions.
    fn hub() -> Watched {
        Watched { own: account_region(), regions: Some(["eu-west-1", "us-east-1"].map(str::to_owned).into()) }
    }

    fn of(account: &str, region: &str) -> AccountRegion {
        AccountRegion { partition: "aws".into(), account: Some(account.into()), region: region.into() }
    }

    fn read(payload: &Value, watched: &Watched) -> Result<Vec<Group>, Error> {
        super::read(payload, watched, "gatewatch:exempt")
    }

    fn create_vpc(account: &str, region: &str, vpc_id: &str) -> Value {
        json!({
            "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "account": account, "region": region,
            "detail": {
                "eventSource": "ec2.amazonaws.com", "eventName": "CreateVpc", "awsRegion": region,
                "recipientAccountId": account, "responseElements": {"vpc": {"vpcId": vpc_id}}
            }
        })
    }

    fn sqs_message(id: &str, body: &Value) -> Value {
        json!({"messageId": id, "eventSource": "aws:sqs", "body": body.to_string()})
    }

    fn manual(scope: Scope) -> Record {
        Record { scope, trigger: Trigger::Manual, time: None, alerts: AlertRequest::Changes }
    }

    fn refusal(payload: &Value) -> String {
        match read(payload, &hub()) {
            Err(Error::UnsupportedEvent(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_events_of_a_batch_are_grouped_by_account_and_region() {
        let batch = json!({"Records": [
            sqs_message("a", &create_vpc(MEMBER, "us-east-1", "vpc-0000000a")),
            sqs_message("b", &create_vpc(MEMBER, "eu-west-1", "vpc-0000000b")),
            sqs_message("c", &json!("not an event")),
            sqs_message("d", &create_vpc(MEMBER, "us-east-1", "vpc-0000000d")),
            sqs_message("e", &create_vpc("123456789012", "eu-west-1", "vpc-0000000e")),
        ]});
        let groups = read(&batch, &hub()).unwrap();
        let ids = |group: &Group| match &group.payload {
            Payload::Batch(messages) => messages.iter().map(|message| message.id.clone()).collect::<Vec<_>>(),
            Payload::Direct(_) => panic!(),
        };
        assert_eq!(
            groups.iter().map(|group| (group.account_region.clone(), ids(group))).collect::<Vec<_>>(),
            [
                (of(MEMBER, "eu-west-1"), vec!["b".to_owned()]),
                (of(MEMBER, "us-east-1"), vec!["a".to_owned(), "d".to_owned()]),
                (of("123456789012", "eu-west-1"), vec!["c".to_owned(), "e".to_owned()]),
            ]
        );
        let vpcs = groups[1].payload.scope().vpc_ids;
        assert_eq!(vpcs, ["vpc-0000000a", "vpc-0000000d"].map(str::to_owned).into());
    }

    #[test]
    fn a_direct_request_names_an_account_and_a_region() {
        let group = |account: &str, region: &str| {
            let payload = Payload::Direct(Box::new(manual(Scope::region())));
            Ok(vec![Group { account_region: of(account, region), payload, part: None }])
        };
        for (request, expected) in [
            (json!({"check": "region", "account": MEMBER, "region": "us-east-1"}), group(MEMBER, "us-east-1")),
            (json!({"check": "region", "account": MEMBER}), group(MEMBER, "eu-west-1")),
            (json!({"check": "region"}), group("123456789012", "eu-west-1")),
        ] {
            assert_eq!(read(&request, &hub()), expected, "{request}");
        }
    }

    #[test]
    fn a_request_that_names_something_else_is_refused() {
        for (request, why) in [
            (
                json!({"check": "region", "account": MEMBER, "region": "ap-south-1"}),
                "the record is of Region \"ap-south-1\", and this function watches eu-west-1, us-east-1",
            ),
            (
                json!({"check": "region", "account": "11112222333"}),
                "the record is of account \"11112222333\"; an account has 12 digits",
            ),
            (json!({"check": "region", "account": 111_122_223_333_u64}), "manual request: \"account\" is not a text"),
            (json!({"check": "region", "region": ["eu-west-1"]}), "manual request: \"region\" is not a text"),
        ] {
            assert_eq!(refusal(&request), why, "{request}");
        }
    }

    #[test]
    fn a_request_through_the_queue_cannot_choose_an_account_or_region() {
        for request in [
            json!({"check": "region", "account": MEMBER}),
            json!({"check": "region", "region": "us-east-1"}),
            json!({"check": "region", "account": MEMBER, "source": "aws.ec2", "detail-type": "x"}),
        ] {
            let groups = read(&json!({"Records": [sqs_message("a", &request)]}), &hub()).unwrap();
            let why = "manual request: \"account\" and \"region\" are allowed only in a direct invocation, not through the queue";
            let record = Err(Error::UnsupportedEvent(why.into()));
            let payload = Payload::Batch(vec![Message { id: "a".into(), record, receive_count: 1 }]);
            assert_eq!(groups, [Group { account_region: account_region(), payload, part: None }], "{request}");
        }
    }

    #[test]
    fn a_direct_request_can_ask_for_a_part_and_one_through_the_queue_cannot() {
        let own = Watched { own: account_region(), regions: None };
        let request = json!({"check": "region", "maxVpcs": 1000});
        for watched in [hub(), own] {
            let [group] = read(&request, &watched).unwrap().try_into().unwrap();
            assert_eq!(group.part, Some(PartRequest { max_vpcs: 1000, next: None }));
            assert_eq!(group.payload, Payload::Direct(Box::new(manual(Scope::region()))));

            for (key, value) in [("maxVpcs", json!(1000)), ("next", json!({}))] {
                let mut request = json!({"check": "region"});
                request[key] = value;
                let [group] =
                    read(&json!({"Records": [sqs_message("a", &request)]}), &watched).unwrap().try_into().unwrap();
                let why =
                    format!("manual request: \"{key}\" is allowed only in a direct invocation, not through the queue");
                let record = Err(Error::UnsupportedEvent(why));
                let message = Message { id: "a".into(), record, receive_count: 1 };
                assert_eq!((group.payload, group.part), (Payload::Batch(vec![message]), None));
            }
        }
        assert_eq!(
            refusal(&json!({"check": "region", "maxVpcs": 0})),
            "manual request: \"maxVpcs\" is \"0\"; allowed is a whole number from 1 to 10000"
        );
        // Only a request has these keys.
        let mut event = create_vpc(MEMBER, "eu-west-1", "vpc-0000000a");
        event["maxVpcs"] = json!(0);
        assert_eq!(read(&event, &hub()).unwrap()[0].part, None);
    }

    #[test]
    fn an_event_whose_detail_names_another_account_or_region_than_its_envelope_is_refused() {
        for (key, value, why) in [
            (
                "recipientAccountId",
                "123456789012",
                "the record is of account \"123456789012\", and this function watches 111122223333",
            ),
            ("awsRegion", "us-east-1", "the record is of Region \"us-east-1\", and this function watches eu-west-1"),
        ] {
            let mut event = create_vpc(MEMBER, "eu-west-1", "vpc-0000000a");
            event["detail"][key] = json!(value);
            assert_eq!(refusal(&event), why);
        }
    }

    #[test]
    fn an_event_without_an_account_or_of_an_unwatched_region_is_refused() {
        let mut event = create_vpc(MEMBER, "eu-west-1", "vpc-0000000a");
        event["account"] = json!(null);
        assert_eq!(refusal(&event), "the record is of account none; an account has 12 digits");
        assert_eq!(
            refusal(&create_vpc(MEMBER, "ap-south-1", "vpc-0000000a")),
            "the record is of Region \"ap-south-1\", and this function watches eu-west-1, us-east-1"
        );
        let mut event = create_vpc(MEMBER, "eu-west-1", "vpc-0000000a");
        event["region"] = json!(null);
        assert_eq!(refusal(&event), "the record is of Region none, and this function watches eu-west-1, us-east-1");
    }

    #[test]
    fn a_function_of_one_account_reads_payloads_as_one_group() {
        let own = Watched { own: account_region(), regions: None };
        let payload = Payload::Direct(Box::new(manual(Scope::region())));
        for request in
            [json!({"check": "region"}), json!({"check": "region", "account": "123456789012", "region": "eu-west-1"})]
        {
            let group = Group { account_region: account_region(), payload: payload.clone(), part: None };
            assert_eq!(read(&request, &own), Ok(vec![group]), "{request}");
        }
        for (key, value, why) in [
            ("account", MEMBER, "the record is of account \"111122223333\", and this function watches 123456789012"),
            ("region", "us-east-1", "the record is of Region \"us-east-1\", and this function watches eu-west-1"),
        ] {
            let mut request = json!({"check": "region"});
            request[key] = json!(value);
            assert_eq!(read(&request, &own), Err(Error::UnsupportedEvent(why.into())), "{request}");
        }
        for key in ["account", "region"] {
            for value in [json!(null), json!({}), json!(123_456_789_012_u64), json!(["123456789012"])] {
                let mut request = json!({"check": "region"});
                request[key] = value;
                let why = format!("manual request: \"{key}\" is not a text");
                assert_eq!(read(&request, &own), Err(Error::UnsupportedEvent(why)), "{request}");
            }
            let empty = json!({"check": "region", key: ""});
            assert!(read(&empty, &own).is_err(), "{empty}");
        }
        assert_eq!(
            read(&create_vpc(MEMBER, "eu-west-1", "vpc-0000000a"), &own),
            Err(Error::UnsupportedEvent(
                "the record is of account \"111122223333\", and this function watches 123456789012".into()
            ))
        );
    }
}
