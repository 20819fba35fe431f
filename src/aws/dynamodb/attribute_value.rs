//! Between JSON and the attribute values of DynamoDB: both are trees of the same kinds of values.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Number, Value};

pub(super) fn to_attribute(value: Value) -> AttributeValue {
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

/// The value in JSON. Sets and binary values have no counterpart: they give `None`, and are left out of lists and maps.
pub(super) fn to_json(attribute: &AttributeValue) -> Option<Value> {
    Some(match attribute {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(yes) => Value::Bool(*yes),
        AttributeValue::N(number) => Value::Number(number.parse::<Number>().ok()?),
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::L(members) => Value::Array(members.iter().filter_map(to_json).collect()),
        AttributeValue::M(fields) => {
            Value::Object(fields.iter().filter_map(|(name, value)| Some((name.clone(), to_json(value)?))).collect())
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_read_as_it_was_written() {
        let value = json!({"null": null, "yes": true, "number": 7, "text": "a", "list": [1, "b"], "map": {"c": {}}});
        assert_eq!(to_json(&to_attribute(value.clone())), Some(value));
    }

    #[test]
    fn what_json_cannot_represent_is_left_out() {
        let set = AttributeValue::Ss(vec!["a".into()]);
        assert_eq!(to_json(&set), None);
        let map =
            AttributeValue::M([("set".into(), set.clone()), ("text".into(), AttributeValue::S("b".into()))].into());
        assert_eq!(to_json(&map), Some(json!({"text": "b"})));
        assert_eq!(to_json(&AttributeValue::L(vec![set, AttributeValue::Bool(true)])), Some(json!([true])));
    }
}
