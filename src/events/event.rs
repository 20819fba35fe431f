//! Recognises a single event by its content.
//!
//! | event | recognised by |
//! |---|---|
//! | a manual request, also from EventBridge Scheduler | `check` |
//! | an EC2 API call | `source` `aws.ec2`, `detail-type` `AWS API Call via CloudTrail` |
//! | an API Gateway API call | `source` `aws.apigateway`, `detail-type` `AWS API Call via CloudTrail` |
//! | an AWS Config item | `source` `aws.config`, `detail-type` `Config Configuration Item Change` |
//! | a schedule | `detail-type` `Scheduled Event` |

use serde_json::Value;

use super::{
    aws_config, cloudtrail,
    envelope::{refuse_foreign, time_of},
    json_path::{quoted, text_at},
    manual,
    record::{AlertRequest, Record, Trigger},
    scope::Scope,
};
use crate::{error::Error, network::account::AccountRegion};

/// Reads one event.
///
/// # Errors
///
/// [`Error::UnsupportedEvent`] if the event is unknown or malformed, or belongs to another account or Region.
pub(super) fn read(payload: &Value, account_region: &AccountRegion, exempt_tag: &str) -> Result<Record, Error> {
    if payload.get("check").is_some() {
        return manual::read(payload);
    }
    match (text_at(payload, &["source"]), text_at(payload, &["detail-type"])) {
        (Some(source), Some(detail_type))
            if ["aws.apigateway", "aws.ec2"].contains(&source.as_str())
                && detail_type == "AWS API Call via CloudTrail" =>
        {
            refuse_foreign(payload, account_region)?;
            cloudtrail::read(payload, exempt_tag)
        }
        (Some(source), Some(detail_type))
            if source == "aws.config" && detail_type == "Config Configuration Item Change" =>
        {
            refuse_foreign(payload, account_region)?;
            aws_config::read(payload)
        }
        (_, Some(detail_type)) if detail_type == "Scheduled Event" => {
            refuse_foreign(payload, account_region)?;
            Ok(Record {
                scope: Scope::region(),
                trigger: Trigger::Schedule,
                time: time_of(payload),
                alerts: AlertRequest::Changes,
            })
        }
        _ => Err(unsupported(payload)),
    }
}

/// The error for an unknown payload. It names what gatewatch saw, and never contains the whole payload.
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
        "unknown payload: {seen}; known are API calls to EC2 and API Gateway via CloudTrail, AWS Config items, scheduled \
         events, SQS batches of these, and an object with \"check\""
    ))
}
