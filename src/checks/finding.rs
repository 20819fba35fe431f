//! A finding: one route table without a gateway route to one required service. One API call fixes it.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use sha2::{Digest, Sha256};

use crate::{
    checks::{fix::Fix, severity::Severity},
    network::{
        account::AccountRegion,
        model::{Endpoint, RouteTable, Subnet, Target},
        name::named,
        service::GatewayService,
    },
};

/// One route table that is not covered for one required service, with the subnets it affects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The same problem always has the same id: see [`finding_id`].
    pub id: String,
    /// The service that the table has no active gateway route to.
    pub service: GatewayService,
    /// What is missing.
    pub gap: Gap,
    /// How bad it is.
    pub severity: Severity,
    /// The account of the table, 12 digits.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The VPC of the table.
    pub vpc_id: String,
    /// The table.
    pub route_table: TableRef,
    /// The subnets that use the table, by id.
    pub subnets: Vec<SubnetRef>,
    /// The default route that decided the severity.
    pub egress: Target,
    /// The gateway endpoint that decided the gap; none for [`Gap::NoEndpoint`].
    pub endpoint: Option<EndpointRef>,
    /// An interface endpoint for the same service in the VPC. It does not cover the table.
    pub interface_endpoint: Option<EndpointRef>,
    /// What fixes it.
    pub fix: Fix,
}

/// What is missing: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// An available gateway endpoint lists the table, but the table has no active route to it.
    RouteInactive,
    /// A gateway endpoint lists the table, but is not available.
    EndpointNotAvailable,
    /// An available gateway endpoint is in the VPC, but does not list the table.
    NotAssociated,
    /// None of these: there is nothing to build on.
    NoEndpoint,
}

named!(Gap {
    RouteInactive => "route_inactive",
    EndpointNotAvailable => "endpoint_not_available",
    NotAssociated => "not_associated",
    NoEndpoint => "no_endpoint",
});

/// The route table of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRef {
    /// `rtb-…`
    pub id: String,
    /// The value of its `Name` tag.
    pub name: Option<String>,
    /// Whether it is the main table of its VPC.
    pub main: bool,
}

impl From<&RouteTable> for TableRef {
    fn from(table: &RouteTable) -> Self {
        Self { id: table.id.clone(), name: table.name.clone(), main: table.is_main() }
    }
}

/// A subnet that a finding affects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetRef {
    /// `subnet-…`
    pub id: String,
    /// The value of its `Name` tag.
    pub name: Option<String>,
    /// Such as `eu-west-1a`.
    pub availability_zone: Option<String>,
    /// Its IPv4 block, or the IPv6 block of a subnet that has only that.
    pub cidr: Option<String>,
}

impl From<&Subnet> for SubnetRef {
    fn from(subnet: &Subnet) -> Self {
        Self {
            id: subnet.id.clone(),
            name: subnet.name.clone(),
            availability_zone: subnet.availability_zone.clone(),
            cidr: subnet.cidr.clone(),
        }
    }
}

/// An endpoint that a finding names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRef {
    /// `vpce-…`
    pub id: String,
    /// Its state, in lower case.
    pub state: String,
}

impl From<&Endpoint> for EndpointRef {
    fn from(endpoint: &Endpoint) -> Self {
        Self { id: endpoint.id.clone(), state: endpoint.state.to_ascii_lowercase() }
    }
}

/// The id of a finding: SHA-256, in hexadecimal, over partition, account, Region, route table and service, joined by
/// line feeds. None of the five can hold one, so no two problems share an id.
#[must_use]
pub fn finding_id(account_region: &AccountRegion, account: &str, table_id: &str, service: GatewayService) -> String {
    let identity = [&account_region.partition, account, &account_region.region, table_id, service.name()].join("\n");
    Sha256::digest(identity.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        for nibble in [byte >> 4, byte & 0xf] {
            hex.extend(char::from_digit(nibble.into(), 16));
        }
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_problem_has_the_same_id() {
        let account_region =
            AccountRegion::new("arn:aws:lambda:eu-west-1:123456789012:function:gatewatch", "eu-west-1");
        // printf 'aws\n123456789012\neu-west-1\nrtb-0a1b2c3d4e5f60001\ns3' | sha256sum
        assert_eq!(
            finding_id(&account_region, "123456789012", "rtb-0a1b2c3d4e5f60001", GatewayService::S3),
            "b3a881dfa77ca30d1c093830e37f0c0aa2b8afcb0d59f3da37b47f9b3c3adbbb"
        );
    }

    #[test]
    fn every_part_counts() {
        let aws = AccountRegion { partition: "aws".into(), account: None, region: "eu-west-1".into() };
        let china = AccountRegion { partition: "aws-cn".into(), ..aws.clone() };
        let london = AccountRegion { region: "eu-west-2".into(), ..aws.clone() };
        let ids = std::collections::BTreeSet::from([
            finding_id(&aws, "123456789012", "rtb-0000000a", GatewayService::S3),
            finding_id(&china, "123456789012", "rtb-0000000a", GatewayService::S3),
            finding_id(&london, "123456789012", "rtb-0000000a", GatewayService::S3),
            finding_id(&aws, "210987654321", "rtb-0000000a", GatewayService::S3),
            finding_id(&aws, "123456789012", "rtb-0000000b", GatewayService::S3),
            finding_id(&aws, "123456789012", "rtb-0000000a", GatewayService::DynamoDb),
        ]);
        assert_eq!(ids.len(), 6);
    }

    #[test]
    fn a_table_is_told_with_whether_it_is_the_main_one() {
        use crate::network::testing::{main_table, table};
        let told = |main| TableRef { id: "rtb-0000000a".into(), name: None, main };
        assert_eq!(TableRef::from(&main_table("rtb-0000000a", "vpc-0000000a")), told(true));
        assert_eq!(TableRef::from(&table("rtb-0000000a", "vpc-0000000a")), told(false));
    }
}
