//! How to exempt the subject of a finding.

use crate::{
    checks::{
        check::CheckName,
        exemption,
        subject::{Subject, SubjectKind},
    },
    messages::service_name::ServiceName,
    network::{
        arn::is_region,
        ids::{self, is_id},
    },
};

/// The command that exempts a subject. `None` if the id, the Region or the tag key is malformed, because such text must not
/// become a command; and for a REST API, whose tags EC2 does not know.
pub(in crate::messages) fn exempt_command(
    subject: &Subject,
    region: &str,
    tag_key: &str,
    value: &str,
) -> Option<String> {
    let prefix = match subject.kind {
        SubjectKind::RouteTable => ids::ROUTE_TABLE,
        SubjectKind::VpcEndpoint => ids::ENDPOINT,
        SubjectKind::Vpc => ids::VPC,
        SubjectKind::RestApi => return None,
    };
    // A tag key contains no character that would end a single-quoted shell word or a JSON string.
    let is_safe = is_id(prefix, &subject.id)
        && is_region(region)
        && !tag_key.is_empty()
        && tag_key.chars().all(exemption::is_tag_character);
    if !is_safe {
        return None;
    }
    let is_one_word = tag_key.chars().all(|c| c.is_ascii_alphanumeric() || "-._:/".contains(c))
        && tag_key.starts_with(|c: char| c.is_ascii_alphanumeric());
    let tags = if is_one_word && !value.contains(' ') {
        format!("Key={tag_key},Value={value}")
    } else {
        format!("'[{{\"Key\":\"{tag_key}\",\"Value\":\"{value}\"}}]'")
    };
    Some(format!("aws ec2 create-tags --region {region} --resources {} --tags {tags}", subject.id))
}

/// The value of the exemption tag for the findings of this check about these services. It keeps the value of the tag that is
/// in force. Without a last day it is one word, so that a shell needs no quotes.
pub(in crate::messages) fn exempt_value(
    check: CheckName,
    services: &[ServiceName<'_>],
    in_force: Option<&str>,
) -> String {
    let names = if check == CheckName::GatewayRoute { services } else { &[check.name()] };
    exemption::value_with(in_force, names)
}

/// The value with a last day, as an example. `None` if it has a last day already, because a value has only one.
pub(in crate::messages) fn with_last_day(value: &str) -> Option<String> {
    (!value.contains("until=")).then(|| format!("{value} until=YYYY-MM-DD"))
}
