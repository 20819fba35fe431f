//! The JSON Schemas in `schemas/`, generated from the types of this folder.

use std::{env, fs, path::PathBuf};

use schemars::{JsonSchema, generate::SchemaSettings};

use super::{answer::Answer, enrollment::Enrollment, error::Error, notification::Notification};

/// Compares a file with the schema of a type. Writes the file instead if the environment variable `UPDATE_SCHEMAS` is
/// set.
#[track_caller]
#[allow(clippy::disallowed_methods, reason = "make schemas sets the variable")]
fn check<T: JsonSchema>(file: &str, title: &str) {
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    let expected = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas").join(file);
    if env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(path, expected).unwrap();
    } else {
        let actual = fs::read_to_string(&path).unwrap_or_default();
        assert!(actual == expected, "{file} is out of date: run `make schemas`, and read what changes");
    }
}

#[test]
fn the_schema_of_the_notification_is_up_to_date() {
    check::<Notification<'_>>("notification.schema.json", "gatewatch notification");
}

#[test]
fn the_schema_of_the_answer_is_up_to_date() {
    check::<Answer>("answer.schema.json", "gatewatch answer");
}

#[test]
fn the_schema_of_the_enrollment_message_is_up_to_date() {
    check::<Enrollment<'_>>("enrollment.schema.json", "gatewatch enrollment");
}

#[test]
fn the_schema_of_the_error_is_up_to_date() {
    check::<Error>("error.schema.json", "gatewatch error");
}
