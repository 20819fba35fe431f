//! The JSON Schemas in `schemas/`. The tests validate every JSON document that they see against them.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

static NOTIFICATION: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../schemas/notification.schema.json")));
static ANSWER: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("../../schemas/answer.schema.json")));
static ENROLLMENT: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../schemas/enrollment.schema.json")));
static ERROR: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("../../schemas/error.schema.json")));

#[allow(clippy::expect_used, reason = "an invalid schema is a bug in the tests")]
fn validator(schema: &str) -> Validator {
    let schema = serde_json::from_str(schema).expect("a schema in JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a valid schema")
}

/// Fails unless the document is a notification, as the JSON topic delivers it.
#[track_caller]
pub fn assert_notification(document: &Value) {
    assert_valid(&NOTIFICATION, document);
}

/// Fails unless the document is an answer of the function.
#[track_caller]
pub fn assert_answer(document: &Value) {
    assert_valid(&ANSWER, document);
}

/// Fails unless the document is the message about accounts that a hub cannot read.
#[track_caller]
#[allow(dead_code, reason = "only some of the tests that share this file use it")]
pub fn assert_enrollment(document: &Value) {
    assert_valid(&ENROLLMENT, document);
}

/// Fails unless the document is an error of the function.
#[track_caller]
pub fn assert_error(document: &Value) {
    assert_valid(&ERROR, document);
}

#[track_caller]
fn assert_valid(validator: &Validator, document: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?} in {document:#}");
}
