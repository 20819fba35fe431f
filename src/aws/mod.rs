//! AWS: the only code that uses SDK types.
#![allow(clippy::disallowed_methods, reason = "retries have a clock")]

pub mod account_clients;
mod api_gateway;
pub mod backoff;
mod central_names;
pub mod clients;
mod complete_response;
pub mod dynamodb;
pub mod ec2;
pub mod endpoint_facts;
mod error;
pub mod event_bus;
pub mod init_error;
pub mod known_subscribers;
pub mod members;
mod sdk_config;
pub mod sns;
pub mod warm_up;
