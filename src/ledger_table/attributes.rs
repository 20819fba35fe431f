//! Between an entry and the attributes of an item. Both are trees of the same kinds of values, and JSON is in between.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

use crate::ledger::Entry;

/// The attributes of an entry, without its key.
pub(super) fn to_item(entry: &Entry) -> Option<HashMap<String, AttributeValue>> {
    let Value::Object(fields) = serde_json::to_value(entry).ok()? else { return None };
    Some(fields.into_iter().map(|(name, value)| (name, to_attribute(value))).collect())
}

/// The entry of an item; `None` where the item is none of ours.
pub(super) fn from_item(item: &HashMap<String, AttributeValue>) -> Option<Entry> {
    serde_json::from_value(Value::Object(fields(item)?)).ok()
}

fn to_attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(yes) => AttributeValue::Bool(yes),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(members) => AttributeValue::L(members.into_iter().map(to_attribute).collect()),
        Value::Object(fields) => {
            AttributeValue::M(fields.into_iter().map(|(name, value)| (name, to_attribute(value))).collect())
        }
    }
}

fn to_value(attribute: &AttributeValue) -> Option<Value> {
    Some(match attribute {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(yes) => Value::Bool(*yes),
        AttributeValue::N(number) => Value::Number(number.parse::<Number>().ok()?),
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::L(members) => Value::Array(members.iter().map(to_value).collect::<Option<_>>()?),
        AttributeValue::M(item) => Value::Object(fields(item)?),
        _ => return None,
    })
}

fn fields(item: &HashMap<String, AttributeValue>) -> Option<Map<String, Value>> {
    item.iter().map(|(name, attribute)| Some((name.clone(), to_value(attribute)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        channel::Channel,
        finding::{Gap, TableRef},
        ledger::EntryState,
        notice::{Cause, Change, Resolution},
        service::GatewayService,
        severity::Severity,
        vpc::{Target, TargetKind},
    };

    fn entry() -> Entry {
        let moment = |text: &str| text.parse().unwrap();
        Entry {
            finding_id: "0a1b".into(),
            account: "123456789012".into(),
            vpc_id: "vpc-0a1b2c3d".into(),
            route_table: TableRef { id: "rtb-0a1b2c3d".into(), name: Some("a \"b\"\n🦀".into()), main: true },
            service: GatewayService::S3,
            gap: Gap::NotAssociated,
            severity: Severity::High,
            worst: Severity::High,
            subnets: BTreeSet::from(["subnet-0a1b2c3d".into()]),
            egress: Target { kind: TargetKind::NatGateway, id: None },
            state: EntryState::Resolved,
            since: moment("2026-11-20T10:00:00Z"),
            told: moment("2026-11-23T10:00:00Z"),
            change: Change::Resolved,
            resolution: Some(Resolution { cause: Cause::Covered, stood_seconds: 259_200 }),
            pending: BTreeSet::from([Channel::Text]),
            unaware: BTreeSet::from([Channel::Chat]),
            thread: moment("2026-11-19T10:00:00Z"),
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let mut item = to_item(&entry()).unwrap();
        item.insert("pk".into(), AttributeValue::S("123456789012#eu-west-1".into()));
        item.insert("sk".into(), AttributeValue::S("vpc-0a1b2c3d#0a1b".into()));
        item.insert("expiresAt".into(), AttributeValue::N("1795000000".into()));
        assert_eq!(from_item(&item), Some(entry()));
        assert_eq!(item["severity"], AttributeValue::S("HIGH".into()));
        assert_eq!(item["since"], AttributeValue::S("2026-11-20T10:00:00Z".into()));
    }

    #[test]
    fn what_is_no_entry_is_none() {
        let mut item = to_item(&entry()).unwrap();
        item.insert("severity".into(), AttributeValue::S("CRITICAL".into()));
        assert_eq!(from_item(&item), None);
        item.insert("severity".into(), AttributeValue::Ss(vec!["HIGH".into()]));
        assert_eq!(from_item(&item), None);
        assert_eq!(from_item(&HashMap::new()), None);
    }
}
