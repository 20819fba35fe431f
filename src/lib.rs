//! gatewatch finds route tables without a gateway VPC endpoint for S3 or DynamoDB, and VPC endpoints that do not work or cost
//! money for nothing. It sends alerts about them.
//!
//! One invocation takes five steps, in [`app::handler`]: read → check → plan → deliver → respond.
//!
//! | folder | what it is for |
//! |---|---|
//! | [`network`] | facts about the network: VPCs, subnets, route tables, endpoints; ids, services, account and Region |
//! | [`events`] | the input: API calls, AWS Config items, schedules, manual requests, SQS batches; which resources they affect |
//! | [`checks`] | the rules: one folder per check, with findings, severities and exemptions |
//! | [`alerts`] | what to send and when: the alert history, and the plan that follows from it |
//! | [`coverage`] | what a hub knows about accounts and Regions: when each was checked, and which cannot be read |
//! | [`messages`] | what subscribers and callers receive: JSON, e-mail, chat; one file per format |
//! | [`aws`] | the only code that uses SDK types: EC2, STS, DynamoDB, SNS, EventBridge, Route 53, API Gateway |
//! | [`app`] | one invocation: the handler, the delivery of alerts, the answer |
//!
//! [`settings`] reads the environment variables. [`channel`] lists the message formats, [`error`] the kinds of error.
//! Dependencies point one way:
//!
//! ```text
//! app → aws → messages → alerts, coverage → checks, events → network
//! ```
//!
//! `tests/architecture.rs` checks this. Everything except `aws` and most of `app` is pure: no SDK type, no I/O, no
//! clock, no environment. `cargo test --no-default-features` builds and tests the pure part in seconds.

pub mod alerts;
pub mod app;
#[cfg(feature = "aws")]
pub mod aws;
pub mod channel;
pub mod checks;
pub mod coverage;
pub mod error;
pub mod events;
pub mod messages;
pub mod network;
#[cfg(test)]
#[path = "../tests/support/schemas.rs"]
mod schemas;
pub mod settings;
