//! Describes a failed AWS call in one line, for error messages.

use std::error::Error as StdError;

use aws_sdk_ec2::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};

use crate::error::Error;

/// The error of a call to EC2 that failed.
///
/// A valid session is refused with these codes if the Region is not enabled in its account
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>).
pub(crate) fn ec2_read_failed<E, R>(operation: &str, error: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata,
    R: std::fmt::Debug,
    SdkError<E, R>: RequestId + StdError,
{
    let text = format!("{operation}: {}", describe(error));
    let code = if let SdkError::ServiceError(service) = error { service.err().code() } else { None };
    match code {
        Some("AuthFailure" | "OptInRequired") => Error::RegionDisabled(text),
        _ => Error::Ec2ReadFailed(text),
    }
}

/// The AWS error code and the request id; or, without a readable answer, the cause.
///
/// Never the message of AWS: the one of `UnauthorizedOperation` contains an encoded copy of the request.
pub(crate) fn describe<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata,
    R: std::fmt::Debug,
    SdkError<E, R>: RequestId + StdError,
{
    let what = match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("an error without a code").to_owned(),
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timed out while connecting".to_owned(),
        SdkError::DispatchFailure(_) => format!("got no answer: {}", root_cause(error)),
        SdkError::ResponseError(_) => "got an answer that cannot be read".to_owned(),
        _ => format!("could not be sent: {}", root_cause(error)),
    };
    match error.request_id() {
        Some(id) => format!("{what} (request id {id})"),
        None => what,
    }
}

fn root_cause(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
