//! gatewatch finds route tables from which traffic to S3 and DynamoDB has lost its free, private road: the gateway VPC
//! endpoint. This page is the map of the house.
//!
//! One invocation goes one way, and [`handler`] tells it as a story:
//!
//! ```text
//! payload ──→ scope ──→ network ──→ findings ──→ plan ──→ messages ──→ answer
//!                       ledger ─────────────────↗   ↘ ledger
//! ```
//!
//! | room | what it is for |
//! |---|---|
//! | [`payload`] | what was sent, told apart: API calls, AWS Config items, schedules, manual requests, SQS batches. A file each |
//! | [`scope`] | what a payload touches, and which route tables that comes down to in a network |
//! | [`vpc`] | the network as plain facts: VPCs, subnets, route tables, endpoints |
//! | [`evaluate`] | the rule: which tables lack a gateway route to which service. Its given/then table heads the file |
//! | [`exemption`], [`unassessed`] | where no gateway route is wanted, by tag; what cannot be judged |
//! | [`severity`] | how bad that is: what the traffic does instead |
//! | [`finding`], [`reason`], [`remediation`] | what is said of it: as data, in a sentence, as commands that fix it |
//! | [`ledger`] | what people have been told, finding by finding |
//! | [`plan`] | what they are to be told now: what opened, got worse, is over. Its given/then table heads the file |
//! | [`touched`] | whose findings a record is about, and which records fail with a message |
//! | [`notice`] | one finding as it is told: with what has happened to it, and since when |
//! | [`notification`], [`channel`] | what SNS subscribers receive, one message per VPC: as JSON, as an e-mail, as a chat card. A file each |
//! | [`report`], [`answer`] | what the function answers |
//! | [`service`], [`ids`], [`home`] | the gateway services; ids of EC2 resources; the account and Region watched |
//! | [`settings`], [`error`] | the environment variables; the five ways to fail |
//!
//! All of that is pure: it names no SDK type, does no I/O and reads no clock. `cargo test --no-default-features` builds
//! and tests it in seconds. The rest touches the world and is behind the feature `aws`:
//!
//! | room | what it is for |
//! |---|---|
//! | [`ec2`] | the one place where EC2 is read: every page or an error, narrowed to the VPCs in question |
//! | [`ledger_table`] | the one place where DynamoDB is read and written: claims and entries |
//! | [`snapshot`] | both at the same time, about the same VPCs |
//! | [`sns`] | the one place where SNS is written |
//! | [`tell`] | claim, publish, remember: so that a notice is never lost and two invocations do not both send it |
//! | [`clients`], [`deadline`] | one HTTP client for all; how long everything may take |
//! | [`handler`], [`init_error`] | the story of an invocation; the end of a start that failed |

pub mod answer;
#[cfg(feature = "aws")]
mod aws_error;
pub mod channel;
#[cfg(feature = "aws")]
pub mod clients;
#[cfg(feature = "aws")]
pub mod deadline;
#[cfg(feature = "aws")]
pub mod ec2;
pub mod error;
pub mod evaluate;
pub mod exemption;
pub mod finding;
#[cfg(feature = "aws")]
pub mod handler;
pub mod home;
pub mod ids;
#[cfg(feature = "aws")]
pub mod init_error;
#[cfg(feature = "aws")]
pub mod isolation;
pub mod ledger;
#[cfg(feature = "aws")]
pub mod ledger_table;
#[cfg(feature = "aws")]
pub mod logging;
pub mod name;
pub mod notice;
pub mod notification;
pub mod observation;
pub mod payload;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod remediation;
pub mod report;
pub mod resolved;
#[cfg(test)]
#[path = "../tests/support/schemas.rs"]
mod schemas;
pub mod scope;
pub mod service;
pub mod settings;
pub mod severity;
#[cfg(feature = "aws")]
pub mod snapshot;
#[cfg(feature = "aws")]
pub mod sns;
#[cfg(feature = "aws")]
pub mod tell;
#[cfg(test)]
mod testing;
pub mod touched;
pub mod unassessed;
pub mod vpc;
