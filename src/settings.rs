//! The settings, read from environment variables. An invalid value stops the function at start.
//!
//! Pure: the caller passes the variables, so that tests need no environment.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::{
    channel::Channel,
    checks::{check::CheckName, exemption::is_tag_character, list::default_checks, severity::Severity},
    error::Error,
    network::{
        arn::{Arn, is_region},
        service::GatewayService,
    },
};

/// The settings that were chosen when the function was deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `AWS_REGION`, which Lambda sets: the Region to watch.
    pub region: String,
    /// The topics that receive alerts: `TOPIC_ARN` as JSON and, if they are set, `TEXT_TOPIC_ARN` as plain text and
    /// `CHAT_TOPIC_ARN` as chat cards.
    pub topics: BTreeMap<Channel, Topic>,
    /// `CHECKS`: the checks that run. Never empty.
    pub checks: BTreeSet<CheckName>,
    /// `REQUIRED_SERVICES`: the services that every route table needs a gateway route to. Never empty.
    pub required_services: BTreeSet<GatewayService>,
    /// `REQUIRED_INTERFACES`: the short names of the services that every VPC needs an interface endpoint for, such as
    /// `ssm` or `ecr.api`. The check `required-endpoints` uses them.
    pub required_interfaces: BTreeSet<String>,
    /// `ORGANIZATION_ID`: the organization that the check `endpoint-policy` requires policies to be bounded to.
    pub organization_id: Option<String>,
    /// `MIN_SEVERITY`: findings below it are in the report, but are not sent.
    pub min_severity: Severity,
    /// `EXEMPT_TAG`: the key of the tag that exempts a VPC, route table, subnet, endpoint or REST API.
    pub exempt_tag: String,
    /// `LEDGER_TABLE`: the DynamoDB table with the alert history. Without one, every finding is sent each time.
    pub ledger_table: Option<String>,
    /// `REMIND_DAYS`: the time after the last alert when an open finding is sent again; `None` for never.
    pub remind_after: Option<SignedDuration>,
    /// `EVENT_BUS`: the name or ARN of an event bus that receives each finding as an event.
    pub event_bus: Option<String>,
    /// What the function needs to keep markers of what it has checked. `None` without `MEMBER_ROLE` and `MARKERS`.
    pub markers: Option<Markers>,
}

/// The settings of a function that keeps markers: of a hub, or of one that a state machine sweeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markers {
    /// `MEMBER_ROLE`: the name of the role that a hub assumes in another account. `None` if the function is no hub: then it
    /// watches only its own account and Region.
    pub member_role: Option<String>,
    /// `REGIONS`: the Regions that a hub watches in each account. The default is its own.
    pub regions: BTreeSet<String>,
    /// `STALE_HOURS`: an account and Region whose last complete check is longer ago is stale.
    pub stale_after: SignedDuration,
}

/// A standard SNS topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The complete ARN.
    pub arn: String,
    /// The Region of the topic. It can differ from the Region of the function.
    pub region: String,
}

impl Settings {
    /// Reads the settings. `variable` returns the value of an environment variable, or `None` if it is not set.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if a variable is missing or invalid. It names the variable, its value and the allowed values.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let or_default = |name, default: &str| variable(name).unwrap_or_else(|| default.to_owned());
        let region = region(&required("AWS_REGION", &variable)?)?;
        Ok(Self {
            event_bus: optional("EVENT_BUS", &variable).map(event_bus).transpose()?,
            markers: markers(&region, &variable)?,
            region,
            topics: topics(&variable)?,
            checks: variable("CHECKS").map_or_else(|| Ok(default_checks()), |value| checks(&value))?,
            required_services: services(&or_default("REQUIRED_SERVICES", "s3,dynamodb"))?,
            required_interfaces: optional("REQUIRED_INTERFACES", &variable)
                .map_or_else(|| Ok(BTreeSet::new()), |value| interfaces(&value))?,
            organization_id: optional("ORGANIZATION_ID", &variable).map(organization).transpose()?,
            min_severity: severity(&or_default("MIN_SEVERITY", "LOW"))?,
            exempt_tag: tag_key(or_default("EXEMPT_TAG", "gatewatch:exempt"))?,
            ledger_table: optional("LEDGER_TABLE", &variable).map(table_name).transpose()?,
            remind_after: days(&or_default("REMIND_DAYS", "7"))?,
        })
    }
}

impl Settings {
    /// The markers, if the function is a hub, which watches the accounts of an organization.
    #[must_use]
    pub fn hub(&self) -> Option<&Markers> {
        self.markers.as_ref().filter(|markers| markers.member_role.is_some())
    }

    /// The channels that alerts are sent on: those with a topic, and [`Channel::Events`] with an event bus.
    #[must_use]
    pub fn channels(&self) -> BTreeSet<Channel> {
        self.topics.keys().copied().chain(self.event_bus.as_ref().map(|_| Channel::Events)).collect()
    }
}

/// The value of an optional variable. An empty value counts as not set, because a template can pass one.
fn optional(name: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    variable(name).filter(|value| !value.is_empty())
}

fn required(name: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, Error> {
    variable(name).ok_or_else(|| Error::Config(format!("{name} is not set; it is required")))
}

/// The error of a variable whose value is invalid.
pub(crate) fn invalid(name: &str, value: &str, allowed: &str) -> Error {
    Error::Config(format!("{name} is {value:?}; allowed is {allowed}"))
}

/// The Region becomes part of commands and service names, so only the characters of a Region name are allowed.
fn region(value: &str) -> Result<String, Error> {
    if is_region(value) {
        Ok(value.to_owned())
    } else {
        Err(invalid("AWS_REGION", value, "a Region such as eu-west-1"))
    }
}

fn topics(variable: impl Fn(&str) -> Option<String>) -> Result<BTreeMap<Channel, Topic>, Error> {
    let mut topics = BTreeMap::from([(Channel::Json, topic("TOPIC_ARN", &required("TOPIC_ARN", &variable)?)?)]);
    for (channel, name) in [(Channel::Text, "TEXT_TOPIC_ARN"), (Channel::Chat, "CHAT_TOPIC_ARN")] {
        if let Some(arn) = optional(name, &variable) {
            topics.insert(channel, topic(name, &arn)?);
        }
    }
    Ok(topics)
}

/// Reads `arn:<partition>:sns:<region>:<account>:<name>`. A FIFO topic is refused: it requires a message
/// group and delivers only to queues (<https://docs.aws.amazon.com/sns/latest/dg/sns-fifo-topics.html>).
fn topic(variable: &str, value: &str) -> Result<Topic, Error> {
    match Arn::parse(value) {
        Some(arn) if arn.service == "sns" && is_topic_name(arn.resource) => {
            Ok(Topic { arn: value.to_owned(), region: arn.region.to_owned() })
        }
        _ => Err(invalid(
            variable,
            value,
            "the ARN of a standard SNS topic, such as arn:aws:sns:eu-west-1:123456789012:gatewatch",
        )),
    }
}

/// Whether the text has 1 to 256 letters, digits, hyphens and underscores. The name of a FIFO topic has a dot
/// (<https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>).
fn is_topic_name(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn services(value: &str) -> Result<BTreeSet<GatewayService>, Error> {
    value.split(',').map(|name| GatewayService::from_name(name.trim())).collect::<Option<_>>().ok_or_else(|| {
        let allowed = format!("one or more of {}, separated by commas", GatewayService::LIST);
        invalid("REQUIRED_SERVICES", value, &allowed)
    })
}

fn checks(value: &str) -> Result<BTreeSet<CheckName>, Error> {
    let names: Option<BTreeSet<CheckName>> = value.split(',').map(|name| CheckName::from_name(name.trim())).collect();
    names.ok_or_else(|| {
        let known: Vec<&str> = CheckName::ALL.into_iter().map(CheckName::name).collect();
        invalid("CHECKS", value, &format!("one or more of {}, separated by commas", known.join(", ")))
    })
}

/// Reads the last parts of service names. A name becomes part of a service name and of commands, so only its characters
/// are allowed. A service that has gateway endpoints would get an interface endpoint that costs money for nothing.
fn interfaces(value: &str) -> Result<BTreeSet<String>, Error> {
    let is_name = |name: &str| {
        (1..=64).contains(&name.len())
            && name.split(['.', '-']).all(|part| !part.is_empty())
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
    };
    let names: BTreeSet<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
    let of_gateway = GatewayService::ALL.iter().any(|service| names.contains(service.name()));
    if of_gateway {
        let allowed = "services other than s3, dynamodb and s3express: a gateway endpoint serves these, so they belong to \
                       REQUIRED_SERVICES";
        Err(invalid("REQUIRED_INTERFACES", value, allowed))
    } else if names.iter().all(|name| is_name(name)) {
        Ok(names)
    } else {
        let allowed = "short names of AWS services, such as ssm or ecr.api, separated by commas: lower-case letters, digits, \
                       dots and hyphens";
        Err(invalid("REQUIRED_INTERFACES", value, allowed))
    }
}

/// Checks the format of an organization id
/// (<https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html>).
fn organization(value: String) -> Result<String, Error> {
    let is_id = value
        .strip_prefix("o-")
        .is_some_and(|id| (10..=32).contains(&id.len()) && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9')));
    if is_id {
        Ok(value)
    } else {
        Err(invalid("ORGANIZATION_ID", &value, "o- and 10 to 32 lower-case letters and digits, such as o-a1b2c3d4e5"))
    }
}

/// Checks that EventBridge accepts the name or ARN of a bus
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html>).
fn event_bus(value: String) -> Result<String, Error> {
    let is_name = |name: &str| {
        (1..=256).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_'))
    };
    let name = match Arn::parse(&value) {
        Some(arn) if arn.service == "events" => arn.resource.strip_prefix("event-bus/"),
        Some(_) => None,
        None => Some(value.as_str()),
    };
    if name.is_some_and(is_name) {
        Ok(value)
    } else {
        let allowed = "the name or the ARN of an event bus, such as findings or \
                       arn:aws:events:eu-west-1:123456789012:event-bus/findings";
        Err(invalid("EVENT_BUS", &value, allowed))
    }
}

/// Reads the settings of a function that keeps markers. `REGIONS` means nothing without `MEMBER_ROLE`.
fn markers(own_region: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Markers>, Error> {
    let member_role = optional("MEMBER_ROLE", &variable).map(role_name).transpose()?;
    let is_on = match optional("MARKERS", &variable).as_deref() {
        None | Some("off") => false,
        Some("on") => true,
        Some(value) => return Err(invalid("MARKERS", value, "on or off")),
    };
    let reason = if member_role.is_some() { "MEMBER_ROLE" } else { "MARKERS=on" };
    if !is_on && member_role.is_none() {
        return Ok(None);
    } else if optional("LEDGER_TABLE", &variable).is_none() {
        return Err(Error::Config(format!(
            "LEDGER_TABLE is not set; it is required with {reason}, because the function keeps there what it has checked"
        )));
    }
    let named = optional("REGIONS", &variable).filter(|_| member_role.is_some());
    Ok(Some(Markers {
        member_role,
        regions: named
            .map_or_else(|| Ok(BTreeSet::from([own_region.to_owned()])), |value| regions(&value, own_region))?,
        stale_after: hours(&optional("STALE_HOURS", &variable).unwrap_or_else(|| "48".to_owned()))?,
    }))
}

/// Checks that the text is the name of a role without a path. It becomes part of an ARN
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
fn role_name(value: String) -> Result<String, Error> {
    let is_name =
        (1..=64).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
    if is_name {
        Ok(value)
    } else {
        Err(invalid("MEMBER_ROLE", &value, "the name of a role without its path: 1 to 64 letters, digits and +=,.@_-"))
    }
}

/// Reads the Regions that a hub watches. Its own must be among them: events of its own Region come to it in any case.
fn regions(value: &str, own_region: &str) -> Result<BTreeSet<String>, Error> {
    let names: BTreeSet<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().all(|name| is_region(name)) && names.contains(own_region) {
        Ok(names)
    } else {
        let allowed =
            format!("Regions such as eu-west-1, separated by commas, with {own_region}, where the function runs");
        Err(invalid("REGIONS", value, &allowed))
    }
}

fn hours(value: &str) -> Result<SignedDuration, Error> {
    match value.parse::<i64>() {
        Ok(hours @ 1..=8760) if value.bytes().all(|b| b.is_ascii_digit()) => Ok(SignedDuration::from_hours(hours)),
        _ => Err(invalid("STALE_HOURS", value, "a whole number of hours from 1 to 8760")),
    }
}

fn severity(value: &str) -> Result<Severity, Error> {
    Severity::from_name(value).ok_or_else(|| invalid("MIN_SEVERITY", value, "LOW, MEDIUM or HIGH"))
}

/// Checks that EC2 accepts the tag key
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>).
fn tag_key(value: String) -> Result<String, Error> {
    let allowed = (1..=128).contains(&value.chars().count())
        && !value.starts_with("aws:")
        && value.trim() == value
        && value.chars().all(is_tag_character);
    if allowed {
        Ok(value)
    } else {
        Err(invalid(
            "EXEMPT_TAG",
            &value,
            "a tag key of 1 to 128 letters, digits, spaces and + - = . _ : / @, without a space at either end, that does \
             not start with aws:",
        ))
    }
}

/// Checks that DynamoDB accepts the table name
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>).
fn table_name(value: String) -> Result<String, Error> {
    let allowed = (3..=255).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if allowed {
        Ok(value)
    } else {
        Err(invalid(
            "LEDGER_TABLE",
            &value,
            "the name of a DynamoDB table: 3 to 255 letters, digits, hyphens, underscores and dots",
        ))
    }
}

fn days(value: &str) -> Result<Option<SignedDuration>, Error> {
    let is_number = value.bytes().all(|b| b.is_ascii_digit());
    match value.parse::<i64>() {
        Ok(0) if is_number => Ok(None),
        Ok(days @ 1..=365) if is_number => Ok(Some(SignedDuration::from_hours(24 * days))),
        _ => Err(invalid("REMIND_DAYS", value, "a whole number of days from 1 to 365, or 0 for never")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:gatewatch";

    fn topic(arn: &str, region: &str) -> Topic {
        Topic { arn: arn.into(), region: region.into() }
    }

    /// Reads settings from these variables. Required variables that are not among them have a default here.
    fn read(variables: &[(&str, &str)]) -> Result<Settings, Error> {
        let defaults = [("AWS_REGION", "eu-west-1"), ("TOPIC_ARN", TOPIC)];
        Settings::read(|name| {
            variables.iter().chain(&defaults).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn config_error(variables: &[(&str, &str)]) -> String {
        match read(variables) {
            Err(Error::Config(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_defaults_match_the_contract() {
        assert_eq!(
            read(&[]),
            Ok(Settings {
                region: "eu-west-1".into(),
                topics: BTreeMap::from([(Channel::Json, topic(TOPIC, "eu-west-1"))]),
                checks: BTreeSet::from([
                    CheckName::GatewayRoute,
                    CheckName::DnsBypass,
                    CheckName::EndpointDns,
                    CheckName::EndpointAccess,
                    CheckName::EndpointState,
                ]),
                required_services: BTreeSet::from([GatewayService::S3, GatewayService::DynamoDb]),
                required_interfaces: BTreeSet::new(),
                organization_id: None,
                min_severity: Severity::Low,
                exempt_tag: "gatewatch:exempt".into(),
                ledger_table: None,
                remind_after: Some(SignedDuration::from_hours(7 * 24)),
                event_bus: None,
                markers: None,
            })
        );
    }

    #[test]
    fn every_setting_is_read() {
        let arn = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:a_b-c";
        assert_eq!(
            read(&[
                ("AWS_REGION", "us-gov-east-1"),
                ("TOPIC_ARN", arn),
                ("TEXT_TOPIC_ARN", TOPIC),
                ("CHAT_TOPIC_ARN", arn),
                ("CHECKS", "endpoint-policy, gateway-route,endpoint-policy"),
                ("REQUIRED_SERVICES", "s3express, s3,s3"),
                ("REQUIRED_INTERFACES", "ssm, ecr.api,execute-api,ssm"),
                ("ORGANIZATION_ID", "o-a1b2c3d4e5"),
                ("MIN_SEVERITY", "HIGH"),
                ("EXEMPT_TAG", "team/no-endpoint été"),
                ("LEDGER_TABLE", "gatewatch.Ledger_1-A"),
                ("REMIND_DAYS", "365"),
                ("EVENT_BUS", "arn:aws:events:eu-west-1:123456789012:event-bus/a.b"),
                ("MEMBER_ROLE", "gatewatch-read"),
                ("REGIONS", "us-gov-east-1, eu-west-1"),
                ("STALE_HOURS", "6"),
            ]),
            Ok(Settings {
                region: "us-gov-east-1".into(),
                topics: BTreeMap::from([
                    (Channel::Json, topic(arn, "us-gov-west-1")),
                    (Channel::Text, topic(TOPIC, "eu-west-1")),
                    (Channel::Chat, topic(arn, "us-gov-west-1")),
                ]),
                checks: BTreeSet::from([CheckName::GatewayRoute, CheckName::EndpointPolicy]),
                required_services: BTreeSet::from([GatewayService::S3, GatewayService::S3Express]),
                required_interfaces: ["ssm", "ecr.api", "execute-api"].map(str::to_owned).into(),
                organization_id: Some("o-a1b2c3d4e5".into()),
                min_severity: Severity::High,
                exempt_tag: "team/no-endpoint été".into(),
                ledger_table: Some("gatewatch.Ledger_1-A".into()),
                remind_after: Some(SignedDuration::from_hours(365 * 24)),
                event_bus: Some("arn:aws:events:eu-west-1:123456789012:event-bus/a.b".into()),
                markers: Some(Markers {
                    member_role: Some("gatewatch-read".into()),
                    regions: ["eu-west-1", "us-gov-east-1"].map(str::to_owned).into(),
                    stale_after: SignedDuration::from_hours(6),
                }),
            })
        );
    }

    #[test]
    fn an_empty_optional_variable_counts_as_not_set() {
        let names = [
            "LEDGER_TABLE",
            "TEXT_TOPIC_ARN",
            "CHAT_TOPIC_ARN",
            "REQUIRED_INTERFACES",
            "ORGANIZATION_ID",
            "EVENT_BUS",
            "MARKERS",
            "MEMBER_ROLE",
            "REGIONS",
            "STALE_HOURS",
        ];
        assert_eq!(read(&names.map(|name| (name, ""))), read(&[]));
    }

    #[test]
    fn a_hub_watches_its_own_region_by_default() {
        let settings = read(&[("MEMBER_ROLE", "gatewatch-read"), ("LEDGER_TABLE", "ledger")]).unwrap();
        assert_eq!(
            settings.hub(),
            Some(&Markers {
                member_role: Some("gatewatch-read".into()),
                regions: BTreeSet::from(["eu-west-1".to_owned()]),
                stale_after: SignedDuration::from_hours(48),
            })
        );
    }

    #[test]
    fn a_function_can_keep_a_marker_of_its_own_account_and_region() {
        let variables = [("MARKERS", "on"), ("LEDGER_TABLE", "ledger"), ("REGIONS", "us-east-1"), ("STALE_HOURS", "6")];
        let settings = read(&variables).unwrap();
        assert_eq!(
            settings.markers,
            Some(Markers {
                member_role: None,
                regions: BTreeSet::from(["eu-west-1".to_owned()]),
                stale_after: SignedDuration::from_hours(6),
            })
        );
        assert_eq!(settings.hub(), None);
        assert_eq!(read(&[("MARKERS", "off")]).unwrap().markers, None);
        assert_eq!(config_error(&[("MARKERS", "yes")]), "MARKERS is \"yes\"; allowed is on or off");
    }

    #[test]
    fn markers_need_an_alert_history() {
        for (name, value, reason) in [("MEMBER_ROLE", "gatewatch-read", "MEMBER_ROLE"), ("MARKERS", "on", "MARKERS=on")]
        {
            assert_eq!(
                config_error(&[(name, value)]),
                format!(
                    "LEDGER_TABLE is not set; it is required with {reason}, because the function keeps there what it has \
                     checked"
                )
            );
        }
    }

    #[test]
    fn an_invalid_setting_of_a_hub_stops_the_start() {
        let regions = "Regions such as eu-west-1, separated by commas, with eu-west-1, where the function runs";
        for (name, value, allowed) in [
            (
                "MEMBER_ROLE",
                "team/gatewatch-read",
                "the name of a role without its path: 1 to 64 letters, digits and +=,.@_-",
            ),
            ("REGIONS", "eu-west-1,", regions),
            ("REGIONS", "eu-west-1 us-east-1", regions),
            ("REGIONS", "us-east-1", regions),
            ("STALE_HOURS", "0", "a whole number of hours from 1 to 8760"),
            ("STALE_HOURS", "+5", "a whole number of hours from 1 to 8760"),
            (
                "EVENT_BUS",
                "arn:aws:sns:eu-west-1:123456789012:findings",
                "the name or the ARN of an event bus, such as findings or \
                 arn:aws:events:eu-west-1:123456789012:event-bus/findings",
            ),
            (
                "EVENT_BUS",
                "two words",
                "the name or the ARN of an event bus, such as findings or \
                 arn:aws:events:eu-west-1:123456789012:event-bus/findings",
            ),
        ] {
            let variables = [(name, value), ("MEMBER_ROLE", "gatewatch-read"), ("LEDGER_TABLE", "ledger")];
            assert_eq!(config_error(&variables), format!("{name} is {value:?}; allowed is {allowed}"));
        }
    }

    #[test]
    fn zero_days_turn_reminders_off() {
        assert_eq!(read(&[("REMIND_DAYS", "0")]).unwrap().remind_after, None);
    }

    #[test]
    fn the_error_names_a_required_variable_that_is_not_set() {
        for (name, other, value) in [("AWS_REGION", "TOPIC_ARN", TOPIC), ("TOPIC_ARN", "AWS_REGION", "eu-west-1")] {
            let only_the_other = |variable: &str| (variable == other).then(|| value.to_owned());
            assert_eq!(
                Settings::read(only_the_other),
                Err(Error::Config(format!("{name} is not set; it is required")))
            );
        }
    }

    #[test]
    fn the_error_names_an_invalid_value_and_the_allowed_values() {
        for (name, value, allowed) in [
            ("AWS_REGION", "", "a Region such as eu-west-1"),
            ("AWS_REGION", "eu-west-1; id", "a Region such as eu-west-1"),
            ("AWS_REGION", "ireland", "a Region such as eu-west-1"),
            ("REQUIRED_SERVICES", "", "one or more of s3, dynamodb and s3express, separated by commas"),
            ("REQUIRED_SERVICES", "s3,", "one or more of s3, dynamodb and s3express, separated by commas"),
            ("REQUIRED_SERVICES", "s3,sqs", "one or more of s3, dynamodb and s3express, separated by commas"),
            ("REQUIRED_SERVICES", "S3", "one or more of s3, dynamodb and s3express, separated by commas"),
            ("MIN_SEVERITY", "", "LOW, MEDIUM or HIGH"),
            ("MIN_SEVERITY", "high", "LOW, MEDIUM or HIGH"),
            ("MIN_SEVERITY", "CRITICAL\n", "LOW, MEDIUM or HIGH"),
            ("REMIND_DAYS", "", "a whole number of days from 1 to 365, or 0 for never"),
            ("REMIND_DAYS", "+7", "a whole number of days from 1 to 365, or 0 for never"),
            ("REMIND_DAYS", "-0", "a whole number of days from 1 to 365, or 0 for never"),
            ("REMIND_DAYS", "366", "a whole number of days from 1 to 365, or 0 for never"),
            ("REMIND_DAYS", "1.5", "a whole number of days from 1 to 365, or 0 for never"),
            (
                "LEDGER_TABLE",
                "ab",
                "the name of a DynamoDB table: 3 to 255 letters, digits, hyphens, underscores and dots",
            ),
            (
                "LEDGER_TABLE",
                "a table",
                "the name of a DynamoDB table: 3 to 255 letters, digits, hyphens, underscores and dots",
            ),
        ] {
            assert_eq!(config_error(&[(name, value)]), format!("{name} is {value:?}; allowed is {allowed}"));
        }
    }

    #[test]
    fn a_check_must_have_a_known_name() {
        for value in ["", "gateway-route,", "gateway_route", "Gateway-Route", "gateway-route;dns-bypass", "all"] {
            assert_eq!(
                config_error(&[("CHECKS", value)]),
                format!(
                    "CHECKS is {value:?}; allowed is one or more of gateway-route, dns-bypass, endpoint-dns, \
                     endpoint-access, endpoint-state, endpoint-zones, endpoint-policy, endpoint-private-dns, \
                     required-endpoints, private-api, separated by commas"
                )
            );
        }
    }

    #[test]
    fn exactly_the_listed_checks_run() {
        for check in CheckName::ALL {
            assert_eq!(read(&[("CHECKS", check.name())]).unwrap().checks, BTreeSet::from([check]));
        }
    }

    #[test]
    fn a_required_interface_must_be_a_short_name() {
        for value in [
            " ",
            "ssm,",
            "SSM",
            "ssm kms",
            "ssm;kms",
            ".ssm",
            "ecr..api",
            "ssm-",
            "s\nsm",
            "com/amazonaws",
            &"x".repeat(65),
        ] {
            assert_eq!(
                config_error(&[("REQUIRED_INTERFACES", value)]),
                format!(
                    "REQUIRED_INTERFACES is {value:?}; allowed is short names of AWS services, such as ssm or ecr.api, \
                     separated by commas: lower-case letters, digits, dots and hyphens"
                )
            );
        }
    }

    #[test]
    fn a_gateway_service_is_no_required_interface() {
        for value in ["s3", "ssm, dynamodb", "s3express,ecr.api"] {
            assert_eq!(
                config_error(&[("REQUIRED_INTERFACES", value)]),
                format!(
                    "REQUIRED_INTERFACES is {value:?}; allowed is services other than s3, dynamodb and s3express: a gateway \
                     endpoint serves these, so they belong to REQUIRED_SERVICES"
                )
            );
        }
        assert!(read(&[("REQUIRED_INTERFACES", "s3tables,s3-outposts")]).is_ok());
    }

    #[test]
    fn an_organization_id_must_have_its_format() {
        for value in [
            "a1b2c3d4e5",
            "o-",
            "o-a1b2c3d4e",
            "o-A1B2C3D4E5",
            "o-a1b2c3d4e5 ",
            "o-a1b2c3d4-5",
            &format!("o-{}", "a".repeat(33)),
        ] {
            assert_eq!(
                config_error(&[("ORGANIZATION_ID", value)]),
                format!(
                    "ORGANIZATION_ID is {value:?}; allowed is o- and 10 to 32 lower-case letters and digits, such as \
                     o-a1b2c3d4e5"
                )
            );
        }
        let longest = format!("o-{}", "a".repeat(32));
        assert_eq!(read(&[("ORGANIZATION_ID", &longest)]).unwrap().organization_id, Some(longest));
    }

    #[test]
    fn an_exempt_tag_must_be_a_valid_tag_key() {
        for value in ["", " ", "exempt ", "aws:exempt", "a;b", "a\nb", &"x".repeat(129)] {
            assert_eq!(
                config_error(&[("EXEMPT_TAG", value)]),
                format!(
                    "EXEMPT_TAG is {value:?}; allowed is a tag key of 1 to 128 letters, digits, spaces and + - = . _ : / @, \
                     without a space at either end, that does not start with aws:"
                )
            );
        }
    }

    #[test]
    fn a_topic_must_be_a_standard_topic() {
        assert!(config_error(&[("TOPIC_ARN", "")]).starts_with("TOPIC_ARN is \"\"; allowed is"));
        for value in [
            " ",
            "gatewatch",
            "arn:aws:sqs:eu-west-1:123456789012:gatewatch",
            "arn:aws:sns:eu-west-1:123456789012:gatewatch.fifo",
            "arn:aws:sns:eu-west-1:123456789012:gatewatch:0a1b2c3d",
            "arn:aws:sns:eu-west-1:12345678901:gatewatch",
            "arn:aws:sns::123456789012:gatewatch",
            "arn:azure:sns:eu-west-1:123456789012:gatewatch",
            "arn:aws:sns:eu-west-1:123456789012:",
        ] {
            for name in ["TOPIC_ARN", "TEXT_TOPIC_ARN", "CHAT_TOPIC_ARN"] {
                assert_eq!(
                    config_error(&[(name, value)]),
                    format!(
                        "{name} is {value:?}; allowed is the ARN of a standard SNS topic, such as \
                         arn:aws:sns:eu-west-1:123456789012:gatewatch"
                    )
                );
            }
        }
    }
}
