//! Requests that check a large Region in parts, one invocation for each: `"maxVpcs"` and `"next"`.
//!
//! Only the caller of a direct invocation gets the answer that says where to go on, so only such a request may have them.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    json_path::quoted,
    manual::refused,
    part::{NextPart, OpenFindings, PartRequest},
};
use crate::{
    error::Error,
    network::ids::{self, is_id},
};

/// The keys of a request that [`read`] reads.
pub(super) const KEYS: [&str; 2] = ["maxVpcs", "next"];
/// The largest value of `maxVpcs`.
const MAX_VPCS: u64 = 10_000;
/// The largest number of findings in `open`. No Region has so many, and sums of such numbers do not overflow.
const MAX_FINDINGS: u64 = 1_000_000_000;

/// Reads the keys of a direct request that ask for a part. `None` if it has none of them.
///
/// # Errors
///
/// [`Error::UnsupportedEvent`] if a value is malformed, or if the request is not about a whole Region.
pub(super) fn read(request: &Value) -> Result<Option<PartRequest>, Error> {
    let next = request.get("next");
    let Some(max_vpcs) = request.get("maxVpcs") else {
        return match next {
            None => Ok(None),
            Some(_) => Err(refused("\"next\" is allowed only with \"maxVpcs\"")),
        };
    };
    if request.get("check").and_then(Value::as_str) != Some("region") {
        return Err(refused("\"maxVpcs\" is allowed only with \"check\": \"region\""));
    }
    let allowed = max_vpcs.as_u64().filter(|number| (1..=MAX_VPCS).contains(number));
    let max_vpcs = allowed.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| {
        refused(&format!("\"maxVpcs\" is {}; allowed is a whole number from 1 to {MAX_VPCS}", shown(max_vpcs)))
    })?;
    Ok(Some(PartRequest { max_vpcs, next: next.map(next_part).transpose()? }))
}

/// Refuses the keys in a request that came through the queue: nobody would go on after the first part.
pub(super) fn refuse(body: &Value) -> Result<(), Error> {
    let has_key = |key: &&&str| body.get("check").is_some() && body.get(**key).is_some();
    match KEYS.iter().find(has_key) {
        Some(key) => Err(refused(&format!("\"{key}\" is allowed only in a direct invocation, not through the queue"))),
        None => Ok(()),
    }
}

fn next_part(next: &Value) -> Result<NextPart, Error> {
    let fields = object("next", next, &["afterVpcId", "since", "open"])?;
    let wrong = |name: &str, allowed: &str| {
        refused(&format!("\"{name}\" in \"next\" is {}; allowed is {allowed}", shown(&fields[name])))
    };
    let after_vpc_id = fields["afterVpcId"].as_str().filter(|id| is_id(ids::VPC, id));
    let since = fields["since"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let open = object("open", &fields["open"], &["HIGH", "MEDIUM", "LOW"])?;
    let count = |severity: &str| {
        let count = open[severity].as_u64().filter(|count| *count <= MAX_FINDINGS);
        count.ok_or_else(|| {
            let value = shown(&open[severity]);
            refused(&format!(
                "\"{severity}\" in \"open\" is {value}; allowed is a whole number from 0 to {MAX_FINDINGS}"
            ))
        })
    };
    Ok(NextPart {
        after_vpc_id: after_vpc_id
            .ok_or_else(|| wrong("afterVpcId", "vpc- and 8 to 17 hexadecimal digits in lower case"))?
            .to_owned(),
        since: since
            .and_then(|since| Timestamp::from_second(since.as_second()).ok())
            .ok_or_else(|| wrong("since", "a time such as \"2026-11-27T04:00:00Z\""))?,
        open: OpenFindings { high: count("HIGH")?, medium: count("MEDIUM")?, low: count("LOW")? },
    })
}

/// An object with exactly these keys.
fn object<'a>(name: &str, value: &'a Value, keys: &[&str]) -> Result<&'a Map<String, Value>, Error> {
    (value.as_object())
        .filter(|fields| fields.len() == keys.len() && keys.iter().all(|key| fields.contains_key(*key)))
        .ok_or_else(|| {
            refused(&format!("\"{name}\" is not an object with {}, as the last answer had it", keys.join(", ")))
        })
}

/// A value as an error shows it.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| quoted(&value.to_string()), quoted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SINCE: &str = "2026-11-27T04:00:00Z";

    fn next() -> Value {
        json!({"afterVpcId": "vpc-0000000a", "since": SINCE, "open": {"HIGH": 1, "MEDIUM": 2, "LOW": 3}})
    }

    #[test]
    fn a_request_names_the_size_of_a_part_and_where_to_go_on() {
        let first = PartRequest { max_vpcs: 1000, next: None };
        let open = OpenFindings { high: 1, medium: 2, low: 3 };
        let next_part = NextPart { after_vpc_id: "vpc-0000000a".into(), since: SINCE.parse().unwrap(), open };
        let mut with_fraction = next();
        with_fraction["since"] = json!("2026-11-27T04:00:00.9Z");
        for (request, part) in [
            (json!({"check": "region"}), None),
            (json!({"check": "region", "maxVpcs": 1000}), Some(first)),
            (
                json!({"check": "region", "maxVpcs": 1, "next": next()}),
                Some(PartRequest { max_vpcs: 1, next: Some(next_part.clone()) }),
            ),
            (
                json!({"check": "region", "maxVpcs": 10_000, "next": with_fraction}),
                Some(PartRequest { max_vpcs: 10_000, next: Some(next_part) }),
            ),
        ] {
            assert_eq!(read(&request), Ok(part), "{request}");
        }
    }

    #[test]
    fn a_malformed_request_for_a_part_is_refused_with_the_allowed_values() {
        let with = |path: &str, value: Value| {
            let mut request = json!({"check": "region", "maxVpcs": 1, "next": next()});
            *request.pointer_mut(path).unwrap() = value;
            request
        };
        let max = |shown: &str| format!("\"maxVpcs\" is {shown}; allowed is a whole number from 1 to 10000");
        let object = "\"next\" is not an object with afterVpcId, since, open, as the last answer had it";
        let ids = "allowed is vpc- and 8 to 17 hexadecimal digits in lower case";
        let counts = |severity: &str, shown: &str| {
            format!("\"{severity}\" in \"open\" is \"{shown}\"; allowed is a whole number from 0 to 1000000000")
        };
        let times = "allowed is a time such as \"2026-11-27T04:00:00Z\"";
        for (request, why) in [
            (json!({"check": "region", "next": next()}), "\"next\" is allowed only with \"maxVpcs\"".to_owned()),
            (
                json!({"check": {"vpcIds": []}, "maxVpcs": 1}),
                "\"maxVpcs\" is allowed only with \"check\": \"region\"".to_owned(),
            ),
            (with("/maxVpcs", json!(0)), max("\"0\"")),
            (with("/maxVpcs", json!(10_001)), max("\"10001\"")),
            (with("/maxVpcs", json!(-1)), max("\"-1\"")),
            (with("/maxVpcs", json!(1.5)), max("\"1.5\"")),
            (with("/maxVpcs", json!("1")), max("\"1\"")),
            (with("/maxVpcs", json!(null)), max("\"null\"")),
            (with("/next", json!(null)), object.to_owned()),
            (with("/next", json!({"afterVpcId": "vpc-0000000a"})), object.to_owned()),
            (with("/next/afterVpcId", json!("vpc-x")), format!("\"afterVpcId\" in \"next\" is \"vpc-x\"; {ids}")),
            (with("/next/afterVpcId", json!(7)), format!("\"afterVpcId\" in \"next\" is \"7\"; {ids}")),
            (with("/next/since", json!("today")), format!("\"since\" in \"next\" is \"today\"; {times}")),
            (
                with("/next/open", json!({"HIGH": 1, "MEDIUM": 2, "LOW": 3, "ALL": 6})),
                "\"open\" is not an object with HIGH, MEDIUM, LOW, as the last answer had it".to_owned(),
            ),
            (with("/next/open/LOW", json!(-1)), counts("LOW", "-1")),
            (with("/next/open/HIGH", json!(1_000_000_001)), counts("HIGH", "1000000001")),
        ] {
            assert_eq!(read(&request), Err(Error::UnsupportedEvent(format!("manual request: {why}"))), "{request}");
        }
    }
}
