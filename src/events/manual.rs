//! Manual requests, from a person, a script or EventBridge Scheduler: `{"check": …}`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    json_path::quoted,
    record::{AlertRequest, Record, Trigger},
    scope::Scope,
};
use crate::{
    channel::Channel,
    error::Error,
    network::ids::{self, is_id},
};

const ALLOWED: &str =
    "\"check\" is \"region\", or an object with a list of ids in \"vpcIds\", \"subnetIds\" or \"routeTableIds\"";

/// Reads a request that has `check`. An unknown key is refused, because a misspelled `publish` would send alerts that
/// nobody wanted. The error quotes the wrong part and shortens it.
///
/// # Errors
///
/// [`Error::UnsupportedEvent`] if a key is unknown or a value is malformed.
pub(super) fn read(payload: &Value) -> Result<Record, Error> {
    if let Some(fields) = payload.as_object() {
        refuse_unknown_keys(fields, &["check", "publish", "resend", "channels"])?;
    }
    let scope = match payload.get("check") {
        Some(Value::String(text)) if text == "region" => Scope::region(),
        Some(Value::Object(check)) => scope(check)?,
        _ => return Err(refused(ALLOWED)),
    };
    Ok(Record { scope, trigger: Trigger::Manual, time: None, alerts: alerts(payload)? })
}

/// Reads `publish`, `resend` and `channels`.
fn alerts(payload: &Value) -> Result<AlertRequest, Error> {
    let publish = boolean(payload, "publish")?.unwrap_or(true);
    let resend = boolean(payload, "resend")?.unwrap_or(false);
    match (publish, resend, channels(payload)?) {
        (true, true, channels) => Ok(AlertRequest::Resend(channels)),
        (false, true, _) => Err(refused("\"resend\" is true, but \"publish\" is false; only one of them is allowed")),
        (_, false, Some(_)) => Err(refused("\"channels\" is allowed only with \"resend\": true")),
        (true, false, None) => Ok(AlertRequest::Changes),
        (false, false, None) => Ok(AlertRequest::None),
    }
}

fn boolean(payload: &Value, name: &str) -> Result<Option<bool>, Error> {
    match payload.get(name) {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(refused(&format!("\"{name}\" is neither true nor false"))),
    }
}

fn channels(payload: &Value) -> Result<Option<BTreeSet<Channel>>, Error> {
    let Some(list) = payload.get("channels") else { return Ok(None) };
    let allowed = || {
        let names = Channel::ALL.map(Channel::name).join("\", \"");
        refused(&format!("\"channels\" is not a list with one or more of \"{names}\""))
    };
    let channel = |name: &Value| name.as_str().and_then(Channel::from_name).ok_or_else(allowed);
    match list.as_array() {
        Some(list) if !list.is_empty() => list.iter().map(channel).collect::<Result<_, _>>().map(Some),
        _ => Err(allowed()),
    }
}

fn scope(check: &Map<String, Value>) -> Result<Scope, Error> {
    refuse_unknown_keys(check, &["vpcIds", "subnetIds", "routeTableIds"])?;
    if check.is_empty() {
        return Err(refused(&format!("\"check\" names nothing; {ALLOWED}")));
    }
    let without_vpc = |id| (id, None);
    Ok(Scope {
        vpc_ids: ids(check, "vpcIds", ids::VPC)?,
        subnets: ids(check, "subnetIds", ids::SUBNET)?.into_iter().map(without_vpc).collect(),
        route_tables: ids(check, "routeTableIds", ids::ROUTE_TABLE)?.into_iter().map(without_vpc).collect(),
        ..Scope::default()
    })
}

fn refuse_unknown_keys(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Error> {
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(refused(&format!("unknown key {}; allowed are {}", quoted(key), known.join(", ")))),
        None => Ok(()),
    }
}

fn ids(check: &Map<String, Value>, name: &str, prefix: &str) -> Result<BTreeSet<String>, Error> {
    let allowed = format!("allowed is {prefix} and 8 to 17 hexadecimal digits in lower case");
    let list = match check.get(name) {
        None => return Ok(BTreeSet::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(refused(&format!("\"{name}\" is not a list of ids; {allowed}"))),
    };
    list.iter()
        .map(|id| match id.as_str() {
            Some(id) if is_id(prefix, id) => Ok(id.to_owned()),
            Some(id) => Err(refused(&format!("{} in \"{name}\" is not an id; {allowed}", quoted(id)))),
            None => Err(refused(&format!("\"{name}\" holds something that is not an id; {allowed}"))),
        })
        .collect()
}

pub(super) fn refused(why: &str) -> Error {
    Error::UnsupportedEvent(format!("manual request: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manual(scope: Scope, alerts: AlertRequest) -> Record {
        Record { scope, trigger: Trigger::Manual, time: None, alerts }
    }

    #[test]
    fn a_request_names_the_region_or_ids() {
        assert_eq!(read(&json!({"check": "region"})), Ok(manual(Scope::region(), AlertRequest::Changes)));
        assert_eq!(
            read(&json!({"check": {"vpcIds": ["vpc-0a1b2c3d"]}, "publish": false})),
            Ok(manual(
                Scope { vpc_ids: BTreeSet::from(["vpc-0a1b2c3d".into()]), ..Scope::default() },
                AlertRequest::None
            ))
        );
        assert_eq!(
            read(&json!({"check": {
                "vpcIds": [], "subnetIds": ["subnet-0a1b2c3d"], "routeTableIds": ["rtb-0a1b2c3d", "rtb-0a1b2c3d"]
            }})),
            Ok(manual(
                Scope {
                    subnets: [("subnet-0a1b2c3d".to_owned(), None)].into(),
                    route_tables: [("rtb-0a1b2c3d".to_owned(), None)].into(),
                    ..Scope::default()
                },
                AlertRequest::Changes
            ))
        );
    }

    #[test]
    fn a_request_can_ask_for_all_open_findings_again() {
        let resend = |channels: Option<&[Channel]>| {
            let channels = channels.map(|channels| channels.iter().copied().collect());
            Ok(manual(Scope::region(), AlertRequest::Resend(channels)))
        };
        for (payload, record) in [
            (json!({"check": "region", "resend": true}), resend(None)),
            (
                json!({"check": "region", "resend": true, "publish": true, "channels": ["text"]}),
                resend(Some(&[Channel::Text])),
            ),
            (
                json!({"check": "region", "resend": true, "channels": ["chat", "json", "chat"]}),
                resend(Some(&[Channel::Json, Channel::Chat])),
            ),
            (json!({"check": "region", "resend": false}), Ok(manual(Scope::region(), AlertRequest::Changes))),
            (
                json!({"check": "region", "resend": false, "publish": false}),
                Ok(manual(Scope::region(), AlertRequest::None)),
            ),
        ] {
            assert_eq!(read(&payload), record, "{payload}");
        }
    }

    #[test]
    fn empty_lists_give_an_empty_scope() {
        assert_eq!(
            read(&json!({"check": {"vpcIds": [], "subnetIds": [], "routeTableIds": []}})),
            Ok(manual(Scope::default(), AlertRequest::Changes))
        );
    }

    #[test]
    fn a_malformed_request_is_refused_with_the_allowed_values() {
        let allowed = "\"check\" is \"region\", or an object with a list of ids in \"vpcIds\", \"subnetIds\" or \
                       \"routeTableIds\"";
        let channels = "\"channels\" is not a list with one or more of \"json\", \"text\", \"chat\", \"events\"";
        let ids = "allowed is vpc- and 8 to 17 hexadecimal digits in lower case";
        for (payload, why) in [
            (json!({"check": "Region"}), allowed.to_owned()),
            (json!({"check": null}), allowed.to_owned()),
            (json!({"check": ["vpc-0a1b2c3d"]}), allowed.to_owned()),
            (json!({"check": {}}), format!("\"check\" names nothing; {allowed}")),
            (
                json!({"check": {"vpcs": ["vpc-0a1b2c3d"]}}),
                "unknown key \"vpcs\"; allowed are vpcIds, subnetIds, routeTableIds".to_owned(),
            ),
            (json!({"check": {"vpcIds": "vpc-0a1b2c3d"}}), format!("\"vpcIds\" is not a list of ids; {ids}")),
            (json!({"check": {"vpcIds": null}}), format!("\"vpcIds\" is not a list of ids; {ids}")),
            (json!({"check": {"vpcIds": [7]}}), format!("\"vpcIds\" holds something that is not an id; {ids}")),
            (
                json!({"check": {"vpcIds": ["vpc-0a1b2c3d", "subnet-0a1b2c3d\n"]}}),
                format!("\"subnet-0a1b2c3d\\n\" in \"vpcIds\" is not an id; {ids}"),
            ),
            (
                json!({"check": {"vpcIds": ["x".repeat(100_000)]}}),
                format!("\"{}…\" in \"vpcIds\" is not an id; {ids}", "x".repeat(60)),
            ),
            (json!({"check": "region", "publish": "no"}), "\"publish\" is neither true nor false".to_owned()),
            (json!({"check": "region", "resend": 1}), "\"resend\" is neither true nor false".to_owned()),
            (json!({"check": "region", "resend": true, "channels": []}), channels.to_owned()),
            (json!({"check": "region", "resend": true, "channels": "text"}), channels.to_owned()),
            (json!({"check": "region", "resend": true, "channels": ["text", "sms"]}), channels.to_owned()),
            (json!({"check": "region", "resend": true, "channels": [7]}), channels.to_owned()),
            (
                json!({"check": "region", "channels": ["text"]}),
                "\"channels\" is allowed only with \"resend\": true".to_owned(),
            ),
            (
                json!({"check": "region", "resend": true, "publish": false}),
                "\"resend\" is true, but \"publish\" is false; only one of them is allowed".to_owned(),
            ),
            (
                json!({"check": "region", "Publish\n": false}),
                "unknown key \"Publish\\n\"; allowed are check, publish, resend, channels".to_owned(),
            ),
        ] {
            assert_eq!(read(&payload), Err(Error::UnsupportedEvent(format!("manual request: {why}"))), "{payload}");
        }
    }
}
