//! gatewatch
pub mod answer;
#[cfg(feature = "aws")]
mod aws_error;
#[cfg(feature = "aws")]
pub mod clients;
#[cfg(feature = "aws")]
pub mod deadline;
#[cfg(feature = "aws")]
pub mod ec2;
pub mod error;
pub mod evaluate;
pub mod finding;
#[cfg(feature = "aws")]
pub mod handler;
pub mod home;
pub mod ids;
#[cfg(feature = "aws")]
pub mod init_error;
pub mod notification;
pub mod payload;
pub mod reason;
pub mod remediation;
pub mod report;
pub mod scope;
pub mod service;
pub mod settings;
pub mod severity;
#[cfg(feature = "aws")]
pub mod sns;
#[cfg(test)]
mod testing;
pub mod vpc;
