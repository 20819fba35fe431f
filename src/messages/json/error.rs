//! An error in JSON, as Lambda returns it to who invoked the function.

use serde::Serialize;

use crate::error;

/// Why an invocation failed or the function did not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Error {
    /// The stable name of the error.
    #[cfg_attr(test, schemars(extend("enum" = error::Error::TYPES)))]
    pub error_type: &'static str,
    /// What failed: the operation, the AWS error code and the request id. Never a payload or a credential.
    pub error_message: String,
}

impl From<&error::Error> for Error {
    fn from(error: &error::Error) -> Self {
        Self { error_type: error.error_type(), error_message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schemas::assert_error;

    #[test]
    fn every_error_has_its_stable_type() {
        type Kind = fn(String) -> error::Error;
        let kinds: [Kind; 6] = [
            error::Error::Config,
            error::Error::UnsupportedEvent,
            error::Error::Ec2ReadFailed,
            error::Error::PublishFailed,
            error::Error::LedgerFailed,
            error::Error::Internal,
        ];
        for (kind, name) in kinds.into_iter().zip(error::Error::TYPES) {
            let json = serde_json::to_value(Error::from(&kind("why".to_owned()))).unwrap();
            assert_error(&json);
            assert_eq!(json, json!({"errorType": name, "errorMessage": "why"}));
        }
    }
}
