//! One invocation, from the payload to the answer.
#![allow(clippy::disallowed_methods, reason = "an invocation has a clock")]

#[cfg(feature = "aws")]
pub mod deadline;
#[cfg(feature = "aws")]
pub mod delivery;
#[cfg(feature = "aws")]
pub mod handler;
#[cfg(feature = "aws")]
mod isolation;
#[cfg(feature = "aws")]
pub mod logging;
pub mod report;
pub mod response;
#[cfg(feature = "aws")]
mod snapshot;
