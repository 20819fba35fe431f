//! Requests for the overview of an organization: `{"coverage": …}`.

use jiff::Timestamp;
use serde_json::Value;

use super::json_path::quoted;
use crate::error::Error;

/// A request for the overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverageRequest {
    /// Whether only numbers are requested: `"summary"`. Such a request ends a sweep: it also writes the metrics, and tells
    /// people which accounts cannot be read.
    pub is_summary: bool,
    /// When the sweep began that the answer counts. In whole seconds, like the time of a check: Step Functions names
    /// milliseconds, and the first check begins within the same second.
    pub since: Option<Timestamp>,
}

/// Reads a request for the overview; `None` if the payload is something else.
///
/// # Errors
///
/// [`Error::UnsupportedEvent`] if a key is unknown or a value is malformed.
pub fn read(payload: &Value) -> Result<Option<CoverageRequest>, Error> {
    let Some(fields) = payload.as_object().filter(|fields| fields.contains_key("coverage")) else { return Ok(None) };
    let refused = |why: String| Error::UnsupportedEvent(format!("request for the overview: {why}"));
    if let Some(key) = fields.keys().find(|key| !["coverage", "since"].contains(&key.as_str())) {
        return Err(refused(format!("unknown key {}; allowed are coverage, since", quoted(key))));
    }
    let is_summary = match &fields["coverage"] {
        Value::Bool(true) => false,
        Value::String(text) if text == "summary" => true,
        _ => return Err(refused("\"coverage\" is true or \"summary\"".to_owned())),
    };
    let since = match fields.get("since") {
        None => None,
        Some(since) => Some(
            since
                .as_str()
                .and_then(|text| text.parse::<Timestamp>().ok())
                .and_then(|moment| Timestamp::from_second(moment.as_second()).ok())
                .ok_or_else(|| refused("\"since\" is not a time such as \"2026-11-27T04:00:00Z\"".to_owned()))?,
        ),
    };
    Ok(Some(CoverageRequest { is_summary, since }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_asks_for_everything_or_for_numbers() {
        let since = Some("2026-11-27T04:00:00Z".parse().unwrap());
        for (payload, request) in [
            (json!({"coverage": true}), Some(CoverageRequest { is_summary: false, since: None })),
            (
                json!({"coverage": "summary", "since": "2026-11-27T04:00:00.987Z"}),
                Some(CoverageRequest { is_summary: true, since }),
            ),
            (json!({"check": "region"}), None),
            (json!(["coverage"]), None),
        ] {
            assert_eq!(read(&payload), Ok(request), "{payload}");
        }
    }

    #[test]
    fn a_malformed_request_is_refused_with_the_allowed_values() {
        for (payload, why) in [
            (json!({"coverage": false}), "\"coverage\" is true or \"summary\""),
            (json!({"coverage": true, "account\n": 1}), "unknown key \"account\\n\"; allowed are coverage, since"),
            (
                json!({"coverage": true, "since": "yesterday"}),
                "\"since\" is not a time such as \"2026-11-27T04:00:00Z\"",
            ),
        ] {
            assert_eq!(read(&payload), Err(Error::UnsupportedEvent(format!("request for the overview: {why}"))));
        }
    }
}
