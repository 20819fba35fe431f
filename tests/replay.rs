//! What the fuzz targets check, on stable and in seconds: over `events/`, over what fuzzing has found, and over events of
//! which values have the wrong type.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;
#[path = "support/schemas.rs"]
#[allow(dead_code, reason = "no errors are seen here")]
mod schemas;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use gatewatch::{events::payload::Payload, network::account::AccountRegion};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    fuzz::{findings_to_message, payload_to_scope},
    schemas::{assert_answer, assert_notification},
};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The files of a folder, by path.
fn files(folder: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))? {
        let path = entry?.path();
        files.push((path.clone(), fs::read(path)?));
    }
    files.sort();
    Ok(files)
}

fn events() -> Result<Vec<(PathBuf, Value)>> {
    files("events")?
        .into_iter()
        .filter(|(name, _)| name.extension().is_some_and(|extension| extension == "json"))
        .map(|(name, bytes)| Ok((name, serde_json::from_slice(&bytes)?)))
        .collect()
}

/// A scope that is not empty, given a payload that is one record and no request by hand.
fn touches(payload: &Value) -> Option<bool> {
    let account_region = AccountRegion::new("arn:aws:lambda:eu-west-1:123456789012:function:gatewatch", "eu-west-1");
    let read = Payload::read(payload, &account_region, "gatewatch:exempt").ok()?;
    Some(!read.scope().is_empty())
}

/// The path to every value below this one.
fn paths(value: &Value) -> Vec<String> {
    let below = |step: String, value: &Value| {
        let deeper: Vec<String> = paths(value).into_iter().map(|rest| format!("/{step}{rest}")).collect();
        std::iter::once(format!("/{step}")).chain(deeper).collect::<Vec<_>>()
    };
    match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(key, value)| below(key.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(members) => {
            members.iter().enumerate().flat_map(|(n, value)| below(n.to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}

/// Ways to get a value wrong.
fn wrong(value: &Value) -> Vec<Value> {
    let text = value.as_str().unwrap_or("x");
    let mut wrong = vec![
        json!(null),
        json!(""),
        json!(7),
        json!(-0.5),
        json!(true),
        json!(false),
        json!([]),
        json!({}),
        json!("no-id"),
        json!(text.to_ascii_uppercase()),
        json!(format!("{text}\n")),
        json!([value]),
        json!([[value, value]]),
        json!({"items": []}),
        json!({"items": [value]}),
        json!({"item": value}),
        json!({"tag": 1, "content": value}),
        json!({"unknown": value}),
    ];
    // A level is missing, and what was in it stands one higher.
    wrong.extend(value.as_object().into_iter().flat_map(|fields| fields.values().cloned()));
    wrong
}

/// The fields that may turn a record that is checked into one that is refused, or that touches nothing.
const DECIDING: [&str; 16] = [
    "source",
    "detail-type",
    "account",
    "region",
    "awsRegion",
    "awsAccountId",
    "recipientAccountId",
    "detail",
    "eventName",
    "errorCode",
    "readOnly",
    "configurationItem",
    "configurationItemSummary",
    "resourceType",
    "vpcEndpointType",
    "key",
];

#[test]
fn what_was_sent_or_found_before_holds() -> Result {
    for (name, bytes) in files("events")?.into_iter().chain(files("fuzz/corpus/payload_to_scope")?) {
        println!("{}", name.display());
        payload_to_scope::check(&bytes);
    }
    for (name, bytes) in files("fuzz/corpus/findings_to_message")? {
        println!("{}", name.display());
        findings_to_message::check(&bytes, assert_answer, assert_notification);
    }
    Ok(())
}

#[test]
fn a_value_of_the_wrong_type_drops_no_event() -> Result {
    let mut checked = 0;
    for (name, event) in events()? {
        let is_record = event.get("detail").is_some() && touches(&event) == Some(true);
        for path in paths(&event) {
            let Some(value) = event.pointer(&path) else { continue };
            for wrong in wrong(value) {
                let mut payload = event.clone();
                payload.pointer_mut(&path).into_iter().for_each(|place| *place = wrong.clone());
                payload_to_scope::check_value(&payload);
                let field = path.rsplit('/').find(|step| step.parse::<u8>().is_err()).unwrap_or_default();
                // A tag or a tagged resource that is gone from its list cannot be told from one that never was in it.
                let listed = ["resourcesSet", "tagSet"].iter().any(|list| path.contains(list));
                if is_record && !DECIDING.contains(&field) && !listed {
                    assert_eq!(touches(&payload), Some(true), "{}: {path} is {wrong}", name.display());
                }
                checked += 1;
            }
        }
    }
    println!("{checked} payloads");
    assert!(checked > 10_000, "{checked} payloads");
    Ok(())
}

proptest! {
    // A case that fails becomes a test by name, here or where the bug is.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn several_wrong_values_break_nothing(
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 2..6),
        event in any::<prop::sample::Index>(),
    ) {
        let events = events().unwrap_or_default();
        let (_, mut payload) = event.get(&events).clone();
        for (place, way) in &picks {
            let paths = paths(&payload);
            if let Some(value) = (!paths.is_empty()).then(|| place.get(&paths)).and_then(|path| payload.pointer_mut(path)) {
                *value = way.get(&wrong(value)).clone();
            }
        }
        payload_to_scope::check_value(&payload);
    }

    #[test]
    fn no_finding_is_lost_on_its_way_to_a_message(bytes in prop::collection::vec(any::<u8>(), 0..1000)) {
        findings_to_message::check(&bytes, assert_answer, assert_notification);
    }
}
