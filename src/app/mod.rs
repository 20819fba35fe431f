//! One invocation, from the payload to the answer.
//!
//! `report` and `response` are pure: no SDK type, no I/O, no clock, no environment.
#![allow(clippy::disallowed_methods, reason = "deadlines need the clock, and the log reads the environment")]

#[cfg(feature = "aws")]
mod assessment;
#[cfg(feature = "aws")]
mod coverage;
#[cfg(feature = "aws")]
pub mod deadline;
#[cfg(feature = "aws")]
pub mod delivery;
#[cfg(feature = "aws")]
pub mod handler;
#[cfg(feature = "aws")]
mod hub;
#[cfg(feature = "aws")]
mod isolation;
#[cfg(feature = "aws")]
pub mod logging;
#[cfg(feature = "aws")]
mod markers;
#[cfg(feature = "aws")]
mod metrics;
#[cfg(feature = "aws")]
mod region_parts;
pub mod report;
pub mod response;
#[cfg(feature = "aws")]
mod snapshot;
#[cfg(feature = "aws")]
mod subscriptions;
