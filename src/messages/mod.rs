//! The text that subscribers and callers receive: the alerts of one VPC in the format of each channel, and the answer.
//! One file per format.
//!
//! Names, tags and principals are untrusted: they appear only in bodies, escaped for the format. Subjects, summaries
//! and attributes contain only ids and our own words.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

pub mod alert_group;
mod chat;
mod content;
mod email;
pub mod enrollment;
pub mod json;
pub mod message;
mod prose;
mod remediation;
pub mod render;
mod service_name;
#[cfg(test)]
mod tests;
mod untrusted_text;
