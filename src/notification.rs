//! What subscribers receive: the alerts of one VPC, rendered for each channel in its own format.
//!
//! Pure: names no SDK type, does no I/O and reads no clock. Names, tags and principals are data: they appear only in bodies,
//! escaped for the format. Subjects, summaries and attributes consist of ids and of our own words.

mod alert_group;
mod chat;
mod content;
pub mod json;
mod message;
#[cfg(test)]
mod people;
mod prose;
mod remediation;
mod text;
mod untrusted_text;

pub use self::{
    alert_group::{AlertGroup, MessageContext},
    message::{Attribute, Message},
};
use crate::channel::Channel;

/// Renders the alerts for a channel: one message, or several where one would be too large.
#[must_use]
pub fn render(alerts: &AlertGroup<'_>, channel: Channel) -> Vec<Message> {
    match channel {
        Channel::Json => json::messages(alerts),
        Channel::Text => text::messages(alerts),
        Channel::Chat => chat::messages(alerts),
    }
}
