//! Whom a notice is written for: each channel is a topic and a form.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use serde::{Deserialize, Serialize};

/// A form in which the same notice is sent, each to a topic of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A JSON object, for programs: `TOPIC_ARN`.
    Json,
    /// Plain text, for e-mail: `TEXT_TOPIC_ARN`.
    Text,
    /// A card for Amazon Q Developer in chat applications: `CHAT_TOPIC_ARN`.
    Chat,
}

impl Channel {
    /// The name in logs, errors and the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Chat => "chat",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_in_the_ledger() {
        for channel in [Channel::Json, Channel::Text, Channel::Chat] {
            assert_eq!(serde_json::to_value(channel).unwrap(), channel.name());
        }
    }
}
