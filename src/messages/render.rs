//! Renders the alerts of one VPC as messages.

use super::{alert_group::AlertGroup, chat, email, json, message::Message};
use crate::channel::Channel;

/// Renders the alerts for a channel: one message, or several if one would be too large.
#[must_use]
pub fn render(alerts: &AlertGroup<'_>, channel: Channel) -> Vec<Message> {
    match channel {
        Channel::Json => json::render::messages(alerts),
        Channel::Text => email::messages(alerts),
        Channel::Chat => chat::messages(alerts),
        Channel::Events => json::render::one_by_one(alerts),
    }
}
