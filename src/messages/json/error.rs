//! An error in JSON, as Lambda returns it to the caller of the function.

use serde::Serialize;

use crate::error;

/// Why an invocation failed or the function did not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Error {
    /// The name of the kind of error. It does not change between versions.
    #[cfg_attr(test, schemars(extend("enum" = error::Error::TYPES)))]
    pub error_type: &'static str,
    /// What failed: the operation, the AWS error code and the request id. Contains no payload and no credentials.
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
    fn each_error_has_its_type_name() {
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
