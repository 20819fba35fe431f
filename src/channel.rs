//! The channels that alerts are sent to. Each channel is one message format, and one SNS topic or event bus.

use crate::network::name::named;

/// A message format. The same alerts are sent in each format, to one SNS topic per format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// A JSON object, for programs: `TOPIC_ARN`.
    Json,
    /// Plain text, for e-mail: `TEXT_TOPIC_ARN`.
    Text,
    /// A card for Amazon Q Developer in chat applications: `CHAT_TOPIC_ARN`.
    Chat,
    /// One event for each finding, for rules of EventBridge: `EVENT_BUS`.
    Events,
}

named!(Channel { Json => "json", Text => "text", Chat => "chat", Events => "events" });
