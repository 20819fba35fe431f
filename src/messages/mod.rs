//! What subscribers and callers receive, as text: the alerts of one VPC in the format of each channel, and the answer. One
//! file per format.
//!
//! Names, tags and principals are data: they appear only in bodies, escaped for the format. Subjects, summaries and attributes
//! consist of ids and of our own words.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

pub mod alert_group;
mod chat;
mod content;
mod email;
pub mod json;
pub mod message;
mod prose;
mod remediation;
pub mod render;
#[cfg(test)]
mod tests;
mod untrusted_text;
