//! Reading JSON of which the shape has changed over the years: by path, tolerantly.
//!
//! CloudTrail writes older EC2 calls flat, with lists as `{"items": […]}`, and newer ones as JSON made from XML: one
//! element is an object, several are an array, none is `""`, a list member of a request is
//! `{"tag": 1, "content": "rtb-…"}`, and digits arrive as a number.

use serde_json::Value;

/// The names under which a list holds its members, and a member its text.
const CONTAINERS: [&str; 3] = ["items", "item", "content"];

/// Every text at the path, through lists and their wrappers. Keys are compared without case.
pub(super) fn texts_at(value: &Value, path: &[&str]) -> Vec<String> {
    match (value, path) {
        (Value::Array(members), _) => members.iter().flat_map(|member| texts_at(member, path)).collect(),
        (Value::Object(fields), [name, rest @ ..]) => {
            let named: Vec<&Value> =
                fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, field)| field).collect();
            if named.is_empty() {
                contained(value).flat_map(|inner| texts_at(inner, path)).collect()
            } else {
                named.into_iter().flat_map(|field| texts_at(field, rest)).collect()
            }
        }
        (Value::Object(_), []) => contained(value).flat_map(|inner| texts_at(inner, path)).collect(),
        (Value::String(text), []) => vec![text.clone()],
        (Value::Number(number), []) => vec![number.to_string()],
        _ => Vec::new(),
    }
}

/// The first text at the path that is not empty.
pub(super) fn text_at(value: &Value, path: &[&str]) -> Option<String> {
    texts_at(value, path).into_iter().find(|text| !text.is_empty())
}

fn contained(value: &Value) -> impl Iterator<Item = &Value> {
    CONTAINERS.iter().filter_map(move |name| value.get(name))
}

/// Text that somebody else wrote, for an error message: quoted, escaped and not too long.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_shape_of_a_list_is_read() {
        for list in [
            json!("rtb-1"),
            json!(["rtb-1"]),
            json!({"items": [{"routeTableId": "rtb-1"}]}),
            json!({"items": ["rtb-1"]}),
            json!({"item": {"routeTableId": "rtb-1"}}),
            json!({"tag": 1, "content": "rtb-1"}),
            json!([{"tag": 1, "content": "rtb-1"}]),
        ] {
            let record = json!({"request": {"RouteTableId": list}});
            let found = texts_at(&record, &["request", "routeTableId"]);
            let deeper = texts_at(&record, &["request", "routeTableId", "routeTableId"]);
            assert_eq!([found, deeper].concat(), ["rtb-1"], "{record}");
        }
    }

    #[test]
    fn several_members_are_several_texts() {
        let record = json!({"set": [{"tag": 1, "content": "a"}, {"tag": 2, "content": "b"}]});
        assert_eq!(texts_at(&record, &["set"]), ["a", "b"]);
        assert_eq!(text_at(&record, &["set"]), Some("a".into()));
    }

    #[test]
    fn what_is_not_there_is_nothing() {
        for record in [
            json!(null),
            json!({}),
            json!({"a": null}),
            json!({"a": ""}),
            json!({"a": []}),
            json!({"a": {}}),
            json!({"a": {"items": []}}),
            json!({"a": true}),
            json!("a"),
            json!([[], {}]),
        ] {
            assert_eq!(text_at(&record, &["a"]), None, "{record}");
        }
    }

    #[test]
    fn numbers_are_text() {
        assert_eq!(text_at(&json!({"ownerId": 123_456_789_012_u64}), &["ownerId"]), Some("123456789012".into()));
    }
}
