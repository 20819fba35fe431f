#![doc = "gatewatch"]
pub mod error;
pub mod evaluate;
pub mod finding;
pub mod home;
pub mod ids;
pub mod payload;
pub mod reason;
pub mod remediation;
pub mod scope;
pub mod service;
pub mod severity;
#[cfg(test)]
mod testing;
pub mod vpc;
