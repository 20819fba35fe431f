//! What the people who deployed gatewatch want to be notified about.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::{channel::Channel, ledger::AlertRecord, service::GatewayService, settings::Settings, severity::Severity};

/// What the people who deployed gatewatch want to be notified about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The services that every route table needs a gateway route to.
    pub required_services: BTreeSet<GatewayService>,
    /// No alert is sent about a finding below this severity.
    pub min_severity: Severity,
    /// When a reminder is due about a finding that nobody has acted on; `None` for never.
    pub remind_after: Option<SignedDuration>,
    /// The channels that are configured.
    pub channels: BTreeSet<Channel>,
}

impl Policy {
    /// The policy that the settings ask for.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            required_services: settings.required_services.clone(),
            min_severity: settings.min_severity,
            remind_after: settings.remind_after,
            channels: settings.topics.keys().copied().collect(),
        }
    }

    /// The channels that are configured and did not receive the last alert about a finding.
    #[must_use]
    pub fn undelivered(&self, record: &AlertRecord) -> BTreeSet<Channel> {
        record.undelivered.intersection(&self.channels).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_that_of_the_settings() {
        const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:gatewatch";
        let settings = Settings::read(|name| {
            let value = match name {
                "AWS_REGION" => "eu-west-1",
                "TOPIC_ARN" | "CHAT_TOPIC_ARN" => TOPIC,
                "MIN_SEVERITY" => "MEDIUM",
                "REMIND_DAYS" => "1",
                _ => return None,
            };
            Some(value.to_owned())
        });
        assert_eq!(
            Policy::new(&settings.unwrap()),
            Policy {
                required_services: BTreeSet::from([GatewayService::S3, GatewayService::DynamoDb]),
                min_severity: Severity::Medium,
                remind_after: Some(SignedDuration::from_hours(24)),
                channels: BTreeSet::from([Channel::Json, Channel::Chat]),
            }
        );
    }
}
