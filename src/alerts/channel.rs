//! Whom a notice is written for: each channel is a topic and a form.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use crate::network::name::named;

/// A form in which the same notice is sent, each to a topic of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// A JSON object, for programs: `TOPIC_ARN`.
    Json,
    /// Plain text, for e-mail: `TEXT_TOPIC_ARN`.
    Text,
    /// A card for Amazon Q Developer in chat applications: `CHAT_TOPIC_ARN`.
    Chat,
}

named!(Channel { Json => "json", Text => "text", Chat => "chat" });
