//! A subnet as findings show it.

use crate::network::model::Subnet;

/// A subnet that a finding affects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetRef {
    /// `subnet-…`
    pub id: String,
    /// The value of its `Name` tag.
    pub name: Option<String>,
    /// The name of the zone, such as `eu-west-1a`.
    pub availability_zone: Option<String>,
    /// Its IPv4 block, or the IPv6 block of a subnet without IPv4.
    pub cidr: Option<String>,
}

impl From<&Subnet> for SubnetRef {
    fn from(subnet: &Subnet) -> Self {
        Self {
            id: subnet.id.clone(),
            name: subnet.name.as_deref().map(str::to_owned),
            availability_zone: subnet.availability_zone.as_deref().map(str::to_owned),
            cidr: subnet.cidr.as_deref().map(str::to_owned),
        }
    }
}
