//! One invocation, from the payload to the answer.

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
