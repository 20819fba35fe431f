//! Exemptions: a tag on a VPC, route table or subnet that says where no gateway route is wanted.
//!
//! | the tag's value | exempts for |
//! |---|---|
//! | empty, `*` or `true` | every service |
//! | names of services, separated by spaces, commas or slashes | these services |
//! | either, and `until=YYYY-MM-DD` | the same, up to and including that day (UTC) |
//! | anything else | nothing, and is reported |
//!
//! A table is exempt for a service when its VPC or it is, or when it has subnets and all of them are.
//!
//! Pure: names no SDK type, does no I/O and reads no clock; what day it is is handed in.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::network::{
    model::{RouteTable, Subnet, Vpc},
    service::GatewayService,
};

/// What a tag's value says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exemption {
    services: BTreeSet<GatewayService>,
    until: Option<Date>,
}

/// A table that is not covered for a service, and need not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exempt {
    /// The service.
    pub service: GatewayService,
    /// The VPC of the table.
    pub vpc_id: String,
    /// The table.
    pub route_table_id: String,
    /// The resources whose tags exempt it, by id: the VPC, the table, or all its subnets.
    pub exempted_by: Vec<String>,
}

/// A tag whose value cannot be read, and so exempts nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableExemption {
    /// The VPC, route table or subnet that has the tag.
    pub resource_id: String,
    /// The value. Somebody else wrote it.
    pub value: String,
    /// What is wrong with it, and what is allowed.
    pub reason: String,
}

/// Whether EC2 accepts the character in the key of a tag
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>).
#[must_use]
pub fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || " +-=._:/@".contains(c)
}

/// Reads a tag's value.
fn read(value: &str) -> Result<Exemption, String> {
    let mut words: Vec<&str> = value.split([' ', ',', '/']).filter(|word| !word.is_empty()).collect();
    let mut until = None;
    if let Some(place) = words.iter().position(|word| word.starts_with("until=")) {
        until = Some(day(&words.remove(place)["until=".len()..])?);
    }
    let services = match words.as_slice() {
        [] | ["*" | "true"] => GatewayService::ALL.into(),
        names => names
            .iter()
            .map(|name| {
                GatewayService::from_name(name)
                    .ok_or_else(|| format!("{name:?} is not a service; allowed are s3, dynamodb and s3express"))
            })
            .collect::<Result<_, _>>()?,
    };
    Ok(Exemption { services, until })
}

/// Reads `YYYY-MM-DD`, and no other way to write a day.
fn day(text: &str) -> Result<Date, String> {
    let shaped = text.bytes().enumerate().all(|(n, b)| if n == 4 || n == 7 { b == b'-' } else { b.is_ascii_digit() });
    (text.parse().ok())
        .filter(|_| shaped)
        .ok_or_else(|| format!("{text:?} is not a day; allowed is until=YYYY-MM-DD, such as until=2027-01-31"))
}

/// Whether the tag with this value exempts for the service on this day. A value that cannot be read does not.
fn exempts(tag: Option<&str>, service: GatewayService, today: Date) -> bool {
    tag.and_then(|value| read(value).ok()).is_some_and(|exemption| {
        exemption.services.contains(&service) && exemption.until.is_none_or(|last| today <= last)
    })
}

/// Whether the subnet itself is exempt for the service.
#[must_use]
pub fn is_subnet_exempt(subnet: &Subnet, service: GatewayService, today: Date) -> bool {
    exempts(subnet.exemption.as_deref(), service, today)
}

/// The resources whose tags exempt the table for the service; none where it is not exempt.
#[must_use]
pub fn exempted_by(
    vpc: Option<&Vpc>,
    table: &RouteTable,
    subnets: &[&Subnet],
    service: GatewayService,
    today: Date,
) -> Vec<String> {
    let mut by = Vec::new();
    by.extend(vpc.filter(|vpc| exempts(vpc.exemption.as_deref(), service, today)).map(|vpc| vpc.id.clone()));
    by.extend(exempts(table.exemption.as_deref(), service, today).then(|| table.id.clone()));
    if by.is_empty() && subnets.iter().all(|subnet| is_subnet_exempt(subnet, service, today)) {
        by.extend(subnets.iter().map(|subnet| subnet.id.clone()));
    }
    by.sort();
    by
}

/// The tag's fault, where the resource has a tag that cannot be read.
#[must_use]
pub fn unreadable(resource_id: &str, tag: Option<&str>) -> Option<UnreadableExemption> {
    let value = tag?;
    let reason = read(value).err()?;
    Some(UnreadableExemption { resource_id: resource_id.to_owned(), value: value.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::testing::{subnet, table, vpc};

    const TODAY: Date = jiff::civil::date(2026, 11, 23);

    fn services(value: &str) -> Vec<&'static str> {
        let exempt = |service: &GatewayService| exempts(Some(value), *service, TODAY);
        GatewayService::ALL.iter().filter(|service| exempt(service)).map(|service| service.name()).collect()
    }

    fn fault(value: &str) -> Option<String> {
        unreadable("vpc-1", Some(value)).map(|unreadable| unreadable.reason)
    }

    #[test]
    fn a_value_exempts_for_every_service_or_for_those_it_names() {
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
            assert_eq!(services(value), expected, "{value:?}");
            assert_eq!(fault(value), None, "{value:?}");
        }
    }

    #[test]
    fn it_holds_up_to_and_including_its_last_day() {
        for (value, expected) in [
            ("until=2026-11-23", &["dynamodb", "s3", "s3express"][..]),
            ("* until=2026-11-24", &["dynamodb", "s3", "s3express"]),
            ("s3 until=2026-11-23", &["s3"]),
            ("until=2026-11-23 s3", &["s3"]),
            ("s3,until=2026-11-23,dynamodb", &["dynamodb", "s3"]),
            ("until=2026-11-22", &[]),
            ("s3 until=2025-12-31", &[]),
        ] {
            assert_eq!(services(value), expected, "{value:?}");
            assert_eq!(fault(value), None, "{value:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_exempts_nothing_and_says_why() {
        let service = |word: &str| format!("{word:?} is not a service; allowed are s3, dynamodb and s3express");
        let day = |word: &str| format!("{word:?} is not a day; allowed is until=YYYY-MM-DD, such as until=2027-01-31");
        for (value, why) in [
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
            assert_eq!(services(value), Vec::<&str>::new(), "{value:?}");
            assert_eq!(fault(value), Some(why), "{value:?}");
        }
        assert_eq!(unreadable("vpc-1", None), None);
    }

    #[test]
    fn a_table_is_exempt_by_its_vpc_by_itself_or_by_all_its_subnets() {
        let tagged = |exempt: bool| exempt.then(String::new);
        for (of_vpc, of_table, of_subnets, expected) in [
            (false, false, &[][..], &[][..]),
            (true, false, &[], &["vpc-a"]),
            (false, true, &[], &["rtb-a"]),
            (true, true, &[true], &["rtb-a", "vpc-a"]),
            (false, false, &[true, true], &["subnet-0", "subnet-1"]),
            (false, false, &[true, false], &[]),
        ] {
            let vpc = Vpc { exemption: tagged(of_vpc), ..vpc("vpc-a") };
            let table = RouteTable { exemption: tagged(of_table), ..table("rtb-a", "vpc-a") };
            let subnets: Vec<Subnet> = (of_subnets.iter().enumerate())
                .map(|(n, exempt)| Subnet { exemption: tagged(*exempt), ..subnet(&format!("subnet-{n}"), "vpc-a") })
                .collect();
            let subnets: Vec<&Subnet> = subnets.iter().rev().collect();
            assert_eq!(exempted_by(Some(&vpc), &table, &subnets, GatewayService::S3, TODAY), expected);
        }
    }
}
