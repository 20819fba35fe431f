//! Reads JSON by path, in each of the formats that AWS has used over the years.
//!
//! CloudTrail writes older EC2 calls flat, with lists as `{"items": […]}`. It writes newer calls as JSON converted from
//! XML: one element is an object, several are an array, none is `""`, a list member of a request is
//! `{"tag": 1, "content": "rtb-…"}`, and a text of digits is a number.

use serde_json::Value;

/// The keys under which a list holds its members, or a member holds its text.
const CONTAINERS: [&str; 3] = ["items", "item", "content"];

/// All texts at the path, including those in lists and their wrappers. Keys are compared without regard to case.
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

/// The first non-empty text at the path.
pub(super) fn text_at(value: &Value, path: &[&str]) -> Option<String> {
    texts_at(value, path).into_iter().find(|text| !text.is_empty())
}

/// Whether there is a value at the path, of any type but null. Keys are compared without regard to case.
pub(super) fn exists_at(value: &Value, path: &[&str]) -> bool {
    match (value, path) {
        (Value::Null, _) => false,
        (_, []) => true,
        (Value::Array(members), _) => members.iter().any(|member| exists_at(member, path)),
        (Value::Object(fields), [name, rest @ ..]) => {
            fields.iter().any(|(key, field)| key.eq_ignore_ascii_case(name) && exists_at(field, rest))
        }
        _ => false,
    }
}

/// The values in the wrappers of a list.
fn contained(value: &Value) -> impl Iterator<Item = &Value> {
    CONTAINERS.iter().filter_map(move |name| value.get(name))
}

/// Untrusted text for an error message: quoted, escaped and cut to 60 characters.
pub(super) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut short: String = text.chars().take(MAX_CHARS).collect();
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
    fn every_format_of_a_list_is_read() {
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
    fn several_members_give_several_texts() {
        let record = json!({"set": [{"tag": 1, "content": "a"}, {"tag": 2, "content": "b"}]});
        assert_eq!(texts_at(&record, &["set"]), ["a", "b"]);
        assert_eq!(text_at(&record, &["set"]), Some("a".into()));
    }

    #[test]
    fn a_missing_or_empty_value_gives_no_text() {
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
    fn a_value_of_any_type_but_null_exists() {
        for present in [
            json!({"a": {"b": true}}),
            json!({"A": {"B": {}}}),
            json!({"a": [{"c": 1}, {"b": ""}]}),
            json!({"a": null, "A": {"b": []}}),
        ] {
            assert!(exists_at(&present, &["a", "b"]), "{present}");
        }
        for absent in
            [json!({"a": {"b": null}}), json!({"a": {"bb": 1}}), json!({"a": "b"}), json!({"a": []}), json!({})]
        {
            assert!(!exists_at(&absent, &["a", "b"]), "{absent}");
        }
    }

    #[test]
    fn a_number_is_read_as_text() {
        assert_eq!(text_at(&json!({"ownerId": 123_456_789_012_u64}), &["ownerId"]), Some("123456789012".into()));
    }
}
