//! Runs the checks of the fuzz targets on stable Rust and in seconds. The inputs are the samples in `events/`, the
//! inputs that fuzzing has found, samples with values of the wrong type, and random bytes.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;
#[path = "support/schemas.rs"]
#[allow(dead_code, reason = "this test sees no error documents")]
mod schemas;
#[path = "support/seeds.rs"]
mod seeds;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use gatewatch::{events::payload::Payload, network::account::AccountRegion};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::{
    fuzz::{findings_to_message, payload_to_scope},
    schemas::{assert_answer, assert_notification},
    seeds::runner,
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

/// Whether the scope of a payload is not empty. `None` if the payload cannot be read.
fn has_scope(payload: &Value) -> Option<bool> {
    let account_region = AccountRegion::new("arn:aws:lambda:eu-west-1:123456789012:function:gatewatch", "eu-west-1");
    let payload = Payload::read(payload, &account_region, "gatewatch:exempt").ok()?;
    Some(!payload.scope().is_empty())
}

/// The JSON pointers of all values inside this one.
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

/// Wrong values to replace this one with.
fn wrong_values(value: &Value) -> Vec<Value> {
    let text = value.as_str().unwrap_or("x");
    let mut values = vec![
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
    // One level is missing, so each field takes the place of its parent.
    values.extend(value.as_object().into_iter().flat_map(|fields| fields.values().cloned()));
    values
}

/// A wrong value in one of these fields may make gatewatch refuse the record or give it an empty scope.
const DECISIVE_FIELDS: [&str; 16] = [
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
fn samples_and_fuzzing_corpora_pass_the_checks() -> Result {
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
fn a_value_of_the_wrong_type_does_not_drop_the_event() -> Result {
    let mut checked = 0;
    for (name, event) in events()? {
        let is_record_with_scope = event.get("detail").is_some() && has_scope(&event) == Some(true);
        for path in paths(&event) {
            let Some(value) = event.pointer(&path) else { continue };
            for wrong in wrong_values(value) {
                let mut payload = event.clone();
                payload.pointer_mut(&path).into_iter().for_each(|place| *place = wrong.clone());
                payload_to_scope::check_value(&payload);
                let field = path.rsplit('/').find(|step| step.parse::<u8>().is_err()).unwrap_or_default();
                // A tag or a resource that is missing from its list looks as if it never was in the list.
                let is_list_member = ["resourcesSet", "tagSet", "tagKeys", "requestParameters/tags"]
                    .iter()
                    .any(|list| path.contains(list));
                if is_record_with_scope && !DECISIVE_FIELDS.contains(&field) && !is_list_member {
                    assert_eq!(has_scope(&payload), Some(true), "{}: {path} is {wrong}", name.display());
                }
                checked += 1;
            }
        }
    }
    println!("{checked} payloads");
    assert!(checked > 10_000, "{checked} payloads");
    Ok(())
}

/// Number of cases, unless `PROPTEST_CASES` gives another one.
const CASES: u32 = 256;

#[test]
fn events_with_several_wrong_values_pass_the_checks() -> Result {
    let events = events()?;
    let picks = prop::collection::vec((any::<Index>(), any::<Index>()), 2..6);
    let outcome = runner(CASES).run(&(picks, any::<Index>()), |(picks, event)| {
        let (_, mut payload) = event.get(&events).clone();
        for (path_index, value_index) in &picks {
            let paths = paths(&payload);
            if let Some(value) =
                (!paths.is_empty()).then(|| path_index.get(&paths)).and_then(|path| payload.pointer_mut(path))
            {
                *value = value_index.get(&wrong_values(value)).clone();
            }
        }
        payload_to_scope::check_value(&payload);
        Ok(())
    });
    Ok(outcome?)
}

#[test]
fn messages_for_random_networks_pass_the_checks() -> Result {
    let outcome = runner(CASES).run(&prop::collection::vec(any::<u8>(), 0..4000), |bytes| {
        findings_to_message::check(&bytes, assert_answer, assert_notification);
        Ok(())
    });
    Ok(outcome?)
}
