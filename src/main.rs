//! The Lambda function: reads its settings, creates and prepares its AWS clients, and waits for events.
#![allow(clippy::disallowed_methods, reason = "settings are environment variables")]

use std::process::ExitCode;

use gatewatch::{
    app::{handler::Gatewatch, logging},
    aws::{
        clients::Clients, ec2::known_vpcs::KnownVpcs, init_error, known_subscribers::KnownSubscribers, warm_up::warm_up,
    },
    error::Error,
    settings::Settings,
};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tracing::{Instrument, error, error_span};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logging::init();
    // The span has the level ERROR, so that no filter removes the version from the log lines.
    run().instrument(error_span!("gatewatch", version = env!("CARGO_PKG_VERSION"))).await
}

/// Reads the settings and creates the clients.
fn start() -> Result<Gatewatch, Error> {
    let variable = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
    let settings = Settings::read(variable)?;
    Ok(Gatewatch {
        clients: Clients::new(&settings, variable)?,
        settings,
        known_vpcs: KnownVpcs::default(),
        known_subscribers: KnownSubscribers::default(),
    })
}

async fn run() -> ExitCode {
    let gatewatch = match start() {
        Ok(gatewatch) => gatewatch,
        Err(error) => {
            init_error::report(&error).await;
            return ExitCode::FAILURE;
        }
    };
    warm_up(&gatewatch.clients, gatewatch.settings.ledger_table.as_deref(), &gatewatch.known_subscribers).await;
    match lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| gatewatch.handle(event))).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = ?error.to_string(), "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}
