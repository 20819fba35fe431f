//! Reports to Lambda why the function cannot start, so that the error has its stable type instead of `Runtime.ExitError`.

use http::Method;
use lambda_runtime::Diagnostic;
use lambda_runtime_api_client::{BoxError, Client, body::Body, build_request};

use crate::error::Error;

/// Logs the error and sends it to the Runtime API
/// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-initerror>).
///
/// If the Runtime API cannot be reached, only the log line remains: the process ends either way.
pub async fn report(error: &Error) {
    tracing::error!(error_type = error.error_type(), error = ?error.to_string(), "cannot start");
    if let Err(unsent) = send(error).await {
        tracing::error!(error = ?unsent.to_string(), "the error could not be reported to the Runtime API");
    }
}

async fn send(error: &Error) -> Result<(), BoxError> {
    let request = build_request()
        .method(Method::POST)
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", error.error_type())
        .body(Body::from(serde_json::to_vec(&Diagnostic::from(error.clone()))?))?;
    Client::builder().build()?.call(request).await?;
    Ok(())
}
