//! Exemptions: a tag on a VPC, route table, subnet, endpoint or REST API says that no alert is wanted about it.
//!
//! | value of the tag | gateway services that it exempts | other checks that it exempts |
//! |---|---|---|
//! | empty, `*` or `true` | every service | every check |
//! | service names, separated by spaces, commas or slashes | these services | none |
//! | names of checks, separated in the same way | none | these checks |
//! | `gateway-route` among them | every service, or those that the value also names | |
//! | names of services and of checks | these services | these checks |
//! | one of these and `until=YYYY-MM-DD` | the same, up to and including that day (UTC) | the same |
//! | anything else | none; the tag is reported | none |
//!
//! A table is exempt for a service if its VPC is exempt, if the table itself is exempt, or if at least one subnet uses
//! the table and all its subnets are exempt. A problem of an endpoint is exempt in the same way: by its VPC, by the
//! endpoint, or by all the subnets that it affects. A REST API is in no VPC: only its own tag exempts it.
//!
//! The caller passes the current day, because this folder reads no clock.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::{
    checks::check::CheckName,
    network::{
        model::{RouteTable, Subnet, Vpc},
        service::GatewayService,
    },
};

/// The parsed value of an exemption tag.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exemption {
    /// The services for which tables need no gateway route.
    services: BTreeSet<GatewayService>,
    /// The checks other than `gateway-route`.
    checks: BTreeSet<CheckName>,
    /// The last day on which the exemption applies (UTC).
    until: Option<Date>,
}

/// A table that is not covered for a service, and that a tag exempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exempt {
    /// The service.
    pub service: GatewayService,
    /// The id of the table's VPC.
    pub vpc_id: String,
    /// The id of the table.
    pub route_table_id: String,
    /// The ids of the resources whose tags exempt the table, sorted: the VPC, the table or both, else all its subnets.
    pub exempted_by: Vec<String>,
}

/// An exemption tag whose value cannot be parsed. It exempts nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableExemption {
    /// The id of the VPC, route table, subnet, endpoint or REST API that has the tag.
    pub resource_id: String,
    /// The value of the tag. Untrusted text.
    pub value: String,
    /// What is wrong with it, and what is allowed.
    pub reason: String,
}

/// Whether EC2 accepts the character in a tag key
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>).
#[must_use]
pub fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || " +-=._:/@".contains(c)
}

/// The words of a value: names, and perhaps a last day.
fn words_of(value: &str) -> Vec<&str> {
    value.split([' ', ',', '/']).filter(|word| !word.is_empty()).collect()
}

/// Parses the value of a tag. The error says what is wrong with it and what is allowed.
fn parse(value: &str) -> Result<Exemption, String> {
    let mut words = words_of(value);
    let mut until = None;
    if let Some(index) = words.iter().position(|word| word.starts_with("until=")) {
        until = Some(parse_day(&words.remove(index)["until=".len()..])?);
    }
    let (services, checks) = match words.as_slice() {
        [] | ["*" | "true"] => (GatewayService::ALL.into(), CheckName::ALL.into()),
        names => parse_names(names)?,
    };
    Ok(Exemption { services, checks, until })
}

/// Parses names of services and of checks. `gateway-route` without a service means every service.
fn parse_names(names: &[&str]) -> Result<(BTreeSet<GatewayService>, BTreeSet<CheckName>), String> {
    let (mut services, mut checks) = (BTreeSet::new(), BTreeSet::new());
    for name in names {
        if let Some(service) = GatewayService::from_name(name) {
            services.insert(service);
        } else if let Some(check) = CheckName::from_name(name) {
            checks.insert(check);
        } else {
            return Err(format!(
                "{name:?} is not a service or a check; allowed are {}, and names of checks such as endpoint-zones",
                GatewayService::LIST
            ));
        }
    }
    if checks.remove(&CheckName::GatewayRoute) && services.is_empty() {
        services = GatewayService::ALL.into();
    }
    Ok((services, checks))
}

/// Parses `YYYY-MM-DD`. `Date` alone would accept other formats too.
fn parse_day(text: &str) -> Result<Date, String> {
    let is_format =
        text.bytes().enumerate().all(|(n, b)| if n == 4 || n == 7 { b == b'-' } else { b.is_ascii_digit() });
    (text.parse().ok())
        .filter(|_| is_format)
        .ok_or_else(|| format!("{text:?} is not a day; allowed is until=YYYY-MM-DD, such as until=2027-01-31"))
}

/// Whether a tag with this value exempts a resource for the service on this day. An unreadable value does not.
fn exempts(tag: Option<&str>, service: GatewayService, today: Date) -> bool {
    tag.and_then(|value| parse(value).ok()).is_some_and(|exemption| {
        exemption.services.contains(&service) && exemption.until.is_none_or(|last| today <= last)
    })
}

/// Whether a tag with this value exempts a resource from a check of endpoints on this day. An unreadable value does not.
#[must_use]
pub fn exempts_from(tag: Option<&str>, check: CheckName, today: Date) -> bool {
    tag.and_then(|value| parse(value).ok())
        .is_some_and(|exemption| exemption.checks.contains(&check) && exemption.until.is_none_or(|last| today <= last))
}

/// The value of a tag, if it can be parsed and applies on this day. A value that exempts nothing is not worth keeping.
#[must_use]
pub fn in_force(tag: Option<&str>, today: Date) -> Option<String> {
    let applies = |exemption: &Exemption| exemption.until.is_none_or(|last| today <= last);
    tag.filter(|value| parse(value).is_ok_and(|exemption| applies(&exemption))).map(str::to_owned)
}

/// The value of a tag that exempts from these services and checks too. It keeps what the value that is [`in_force`] says,
/// the last day included.
///
/// The value has only names that gatewatch knows, each once, and at most one day. So it is safe in a shell word or a JSON
/// string, and shorter than the 256 characters that EC2 allows
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>).
#[must_use]
pub fn value_with(in_force: Option<&str>, names: &[&str]) -> String {
    let current = in_force.and_then(|value| Some((value, parse(value).ok()?)));
    let mut words: Vec<&str> = Vec::new();
    let mut last_day = None;
    if let Some((value, exemption)) = &current {
        let (days, known): (Vec<&str>, Vec<&str>) =
            words_of(value).into_iter().partition(|word| word.starts_with("until="));
        last_day = days.first().copied();
        // No name at all exempts from everything.
        words = if known.is_empty() { vec!["*"] } else { known };
        let is_missing = |name: &&&str| {
            let has_service =
                GatewayService::from_name(name).is_some_and(|service| exemption.services.contains(&service));
            let has_check = CheckName::from_name(name).is_some_and(|check| exemption.checks.contains(&check));
            !has_service && !has_check
        };
        words.extend(names.iter().filter(is_missing));
    } else {
        words.extend(names);
    }
    let mut seen = BTreeSet::new();
    words.retain(|word| seen.insert(*word));
    let names = words.join("/");
    if let Some(day) = last_day { names + " " + day } else { names }
}

/// Whether the subnet's own tag exempts it for the service on this day.
#[must_use]
pub fn is_subnet_exempt(subnet: &Subnet, service: GatewayService, today: Date) -> bool {
    exempts(subnet.exemption.as_deref(), service, today)
}

/// The ids of the resources whose tags exempt the table for the service on this day, sorted. Empty if the table is not
/// exempt.
#[must_use]
pub fn exempted_by(
    vpc: Option<&Vpc>,
    table: &RouteTable,
    subnets: &[&Subnet],
    service: GatewayService,
    today: Date,
) -> Vec<String> {
    let mut ids = Vec::new();
    ids.extend(vpc.filter(|vpc| exempts(vpc.exemption.as_deref(), service, today)).map(|vpc| vpc.id.clone()));
    ids.extend(exempts(table.exemption.as_deref(), service, today).then(|| table.id.clone()));
    if ids.is_empty() && subnets.iter().all(|subnet| is_subnet_exempt(subnet, service, today)) {
        ids.extend(subnets.iter().map(|subnet| subnet.id.clone()));
    }
    ids.sort();
    ids
}

/// The resource's exemption tag and what is wrong with it. `None` if there is no tag or its value can be parsed.
#[must_use]
pub fn unreadable(resource_id: &str, tag: Option<&str>) -> Option<UnreadableExemption> {
    let value = tag?;
    let reason = parse(value).err()?;
    Some(UnreadableExemption { resource_id: resource_id.to_owned(), value: value.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::testing::{subnet, table, vpc};

    const TODAY: Date = jiff::civil::date(2026, 11, 23);

    /// The services that a tag with this value exempts.
    fn exempt_services(value: &str) -> Vec<&'static str> {
        let is_exempt = |service: &GatewayService| exempts(Some(value), *service, TODAY);
        GatewayService::ALL.iter().filter(|service| is_exempt(service)).map(|service| service.name()).collect()
    }

    /// Why a tag with this value cannot be parsed.
    fn parse_error(value: &str) -> Option<String> {
        unreadable("vpc-1", Some(value)).map(|unreadable| unreadable.reason)
    }

    #[test]
    fn a_tag_exempts_all_services_or_those_it_names() {
        let all = ["dynamodb", "s3", "s3express"].as_slice();
        for (value, expected) in [
            ("", all),
            (" ", all),
            ("*", all),
            ("true", all),
            ("s3", &["s3"]),
            ("s3 dynamodb", &["dynamodb", "s3"]),
            ("dynamodb,s3", &["dynamodb", "s3"]),
            ("s3/s3express", &["s3", "s3express"]),
            (" s3 , dynamodb / s3express ", all),
            ("s3,s3", &["s3"]),
        ] {
            assert_eq!(exempt_services(value), expected, "{value:?}");
            assert_eq!(parse_error(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_tag_exempts_from_all_checks_or_those_it_names() {
        let all_services = ["dynamodb", "s3", "s3express"].as_slice();
        let all_checks: Vec<&str> = CheckName::ALL.iter().skip(1).map(|check| check.name()).collect();
        for (value, services, checks) in [
            ("", all_services, all_checks.as_slice()),
            ("*", all_services, &all_checks),
            ("true until=2026-11-23", all_services, &all_checks),
            ("s3", &["s3"], &[]),
            ("endpoint-zones", &[], &["endpoint-zones"]),
            ("endpoint-zones until=2027-01-31", &[], &["endpoint-zones"]),
            ("endpoint-zones until=2026-11-22", &[], &[]),
            ("dns-bypass,endpoint-dns/private-api", &[], &["dns-bypass", "endpoint-dns", "private-api"]),
            ("gateway-route", all_services, &[]),
            ("gateway-route s3", &["s3"], &[]),
            ("s3 endpoint-policy", &["s3"], &["endpoint-policy"]),
            ("gateway-route endpoint-policy", all_services, &["endpoint-policy"]),
            ("endpoint-zone", &[], &[]),
            ("Endpoint-Zones", &[], &[]),
            ("endpoint_zones", &[], &[]),
        ] {
            let is_exempt = |check: &&CheckName| exempts_from(Some(value), **check, TODAY);
            let exempt: Vec<&str> = CheckName::ALL.iter().skip(1).filter(is_exempt).map(|check| check.name()).collect();
            assert_eq!((exempt_services(value).as_slice(), exempt.as_slice()), (services, checks), "{value:?}");
        }
        assert!(!exempts_from(None, CheckName::EndpointZones, TODAY));
    }

    #[test]
    fn an_exemption_includes_its_last_day() {
        for (value, expected) in [
            ("until=2026-11-23", &["dynamodb", "s3", "s3express"][..]),
            ("* until=2026-11-24", &["dynamodb", "s3", "s3express"]),
            ("s3 until=2026-11-23", &["s3"]),
            ("until=2026-11-23 s3", &["s3"]),
            ("s3,until=2026-11-23,dynamodb", &["dynamodb", "s3"]),
            ("until=2026-11-22", &[]),
            ("s3 until=2025-12-31", &[]),
        ] {
            assert_eq!(exempt_services(value), expected, "{value:?}");
            assert_eq!(parse_error(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_value_is_in_force_if_it_can_be_parsed_and_has_not_expired() {
        for value in ["", "*", "s3", "endpoint-dns until=2026-11-23"] {
            assert_eq!(in_force(Some(value), TODAY).as_deref(), Some(value));
        }
        for value in ["s3;dynamodb", "until=2026-11-22", "$(id)", "* s3"] {
            assert_eq!(in_force(Some(value), TODAY), None, "{value:?}");
        }
        assert_eq!(in_force(None, TODAY), None);
    }

    #[test]
    fn a_name_joins_what_a_value_says() {
        for (value, names, expected) in [
            (None, &["s3"][..], "s3"),
            (None, &["s3", "dynamodb"], "s3/dynamodb"),
            (None, &["endpoint-dns"], "endpoint-dns"),
            (Some("endpoint-access"), &["endpoint-dns"], "endpoint-access/endpoint-dns"),
            (Some("s3, endpoint-access"), &["endpoint-dns"], "s3/endpoint-access/endpoint-dns"),
            (Some("endpoint-dns"), &["s3"], "endpoint-dns/s3"),
            (Some("gateway-route/s3"), &["dynamodb"], "gateway-route/s3/dynamodb"),
            (Some("endpoint-dns endpoint-dns"), &["endpoint-dns"], "endpoint-dns"),
            (Some("s3 until=2027-01-31"), &["dynamodb"], "s3/dynamodb until=2027-01-31"),
            (Some("until=2027-01-31,s3"), &["dynamodb"], "s3/dynamodb until=2027-01-31"),
            // These exempt from the problem already.
            (Some("gateway-route"), &["s3"], "gateway-route"),
            (Some("*"), &["endpoint-dns"], "*"),
            (Some(""), &["endpoint-dns"], "*"),
            (Some("until=2027-01-31"), &["s3"], "* until=2027-01-31"),
            // Not in force, because it cannot be parsed.
            (Some("yes"), &["s3"], "s3"),
        ] {
            assert_eq!(value_with(value, names), expected, "{value:?}");
            assert_eq!(parse_error(expected), None, "{value:?}");
        }
    }

    #[test]
    fn the_longest_value_fits_into_a_tag() {
        let services = GatewayService::ALL.iter().map(|service| service.name());
        let checks = CheckName::ALL.iter().map(|check| check.name());
        let all: Vec<&str> = services.chain(checks).collect();
        let (last, others) = all.split_last().unwrap();
        let repeated = [others.join(","), others.join("/"), "until=2027-01-31".to_owned()].join("  ");
        let value = value_with(Some(&repeated), &[last]);
        assert_eq!(value, format!("{} until=2027-01-31", all.join("/")));
        assert!(value.len() <= 256, "{}", value.len());
    }

    #[test]
    fn an_unreadable_value_exempts_nothing_and_has_a_reason() {
        let service = |word: &str| {
            format!(
                "{word:?} is not a service or a check; allowed are s3, dynamodb and s3express, and names of checks such as \
                 endpoint-zones"
            )
        };
        let day = |word: &str| format!("{word:?} is not a day; allowed is until=YYYY-MM-DD, such as until=2027-01-31");
        for (value, reason) in [
            ("yes", service("yes")),
            ("True", service("True")),
            ("S3", service("S3")),
            ("s3;dynamodb", service("s3;dynamodb")),
            ("* s3", service("*")),
            ("true,s3", service("true")),
            ("s3 sqs", service("sqs")),
            ("s3\n", service("s3\n")),
            ("until", service("until")),
            ("Until=2026-12-31", service("Until=2026-12-31")),
            ("until=2026-12-31 until=2027-12-31", service("until=2027-12-31")),
            ("until=", day("")),
            ("until=2026-02-30", day("2026-02-30")),
            ("until=20261231", day("20261231")),
            ("until=2026-12-31T00:00:00Z", day("2026-12-31T00:00:00Z")),
            ("until=31.12.2026", day("31.12.2026")),
            ("s3 until=tomorrow", day("tomorrow")),
        ] {
            assert_eq!(exempt_services(value), Vec::<&str>::new(), "{value:?}");
            assert_eq!(parse_error(value), Some(reason), "{value:?}");
        }
        assert_eq!(unreadable("vpc-1", None), None);
    }

    #[test]
    fn a_tag_on_the_vpc_the_table_or_all_its_subnets_exempts_a_table() {
        let tag = |exempt: bool| exempt.then(String::new);
        for (exempt_vpc, exempt_table, exempt_subnets, expected) in [
            (false, false, &[][..], &[][..]),
            (true, false, &[], &["vpc-a"]),
            (false, true, &[], &["rtb-a"]),
            (true, true, &[true], &["rtb-a", "vpc-a"]),
            (false, false, &[true, true], &["subnet-0", "subnet-1"]),
            (false, false, &[true, false], &[]),
        ] {
            let vpc = Vpc { exemption: tag(exempt_vpc), ..vpc("vpc-a") };
            let table = RouteTable { exemption: tag(exempt_table), ..table("rtb-a", "vpc-a") };
            let subnets: Vec<Subnet> = (exempt_subnets.iter().enumerate())
                .map(|(n, exempt)| Subnet { exemption: tag(*exempt), ..subnet(&format!("subnet-{n}"), "vpc-a") })
                .collect();
            let subnets: Vec<&Subnet> = subnets.iter().rev().collect();
            assert_eq!(exempted_by(Some(&vpc), &table, &subnets, GatewayService::S3, TODAY), expected);
        }
    }
}
