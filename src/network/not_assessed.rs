//! Subnets that gatewatch cannot check. They are neither covered nor a finding.

use crate::network::{model::Subnet, name::named};

/// A subnet that gatewatch cannot check, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotAssessed {
    /// The id of the subnet.
    pub subnet_id: String,
    /// The id of its VPC.
    pub vpc_id: String,
    /// Why gatewatch cannot check it.
    pub reason: NotAssessedReason,
}

/// Why gatewatch cannot check a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotAssessedReason {
    /// Another account owns the subnet and shares it. Only the owner sees the endpoints and can change them. Whether a
    /// participant sees the route table has changed over the years
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html>).
    SharedSubnet,
    /// EC2 did not list the route table of the subnet.
    RouteTableNotVisible,
    /// The subnet is IPv6-only, and the endpoint on its route table is known to carry only IPv4.
    Ipv6OnlySubnet,
}

named!(NotAssessedReason {
    SharedSubnet => "shared_subnet",
    RouteTableNotVisible => "route_table_not_visible",
    Ipv6OnlySubnet => "ipv6_only_subnet",
});

impl NotAssessed {
    /// A subnet that another account owns.
    #[must_use]
    pub fn shared(subnet: &Subnet) -> Self {
        Self::new(subnet, NotAssessedReason::SharedSubnet)
    }

    /// A subnet whose route table is not visible.
    #[must_use]
    pub fn without_table(subnet: &Subnet) -> Self {
        Self::new(subnet, NotAssessedReason::RouteTableNotVisible)
    }

    /// An IPv6-only subnet whose endpoint carries only IPv4.
    #[must_use]
    pub fn ipv6_only(subnet: &Subnet) -> Self {
        Self::new(subnet, NotAssessedReason::Ipv6OnlySubnet)
    }

    fn new(subnet: &Subnet, reason: NotAssessedReason) -> Self {
        Self { subnet_id: subnet.id.clone(), vpc_id: subnet.vpc_id.to_string(), reason }
    }
}
