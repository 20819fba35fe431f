//! What cannot be judged: neither a finding nor covered.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use crate::network::{model::Subnet, name::named};

/// A subnet of which nothing can be said, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotAssessed {
    /// The subnet.
    pub subnet_id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Why it cannot be judged.
    pub reason: NotAssessedReason,
}

/// Why something cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotAssessedReason {
    /// Another account owns the subnet and shares it. Only that account sees its endpoints, and can do anything about
    /// them; whether a participant sees the route table has changed over the years
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html>).
    SharedSubnet,
    /// The subnet's route table was not among those that EC2 listed.
    RouteTableNotVisible,
    /// The subnet has no IPv4, and the endpoint on its route table is known to carry nothing else.
    Ipv6OnlySubnet,
}

named!(NotAssessedReason {
    SharedSubnet => "shared_subnet",
    RouteTableNotVisible => "route_table_not_visible",
    Ipv6OnlySubnet => "ipv6_only_subnet",
});

impl NotAssessed {
    /// Another account's subnet.
    #[must_use]
    pub fn shared(subnet: &Subnet) -> Self {
        Self::new(subnet, NotAssessedReason::SharedSubnet)
    }

    /// A subnet whose route table cannot be seen.
    #[must_use]
    pub fn without_table(subnet: &Subnet) -> Self {
        Self::new(subnet, NotAssessedReason::RouteTableNotVisible)
    }

    /// A subnet that has only IPv6, behind an endpoint that has only IPv4.
    #[must_use]
    pub fn ipv6_only(subnet: &Subnet) -> Self {
        Self::new(subnet, NotAssessedReason::Ipv6OnlySubnet)
    }

    fn new(subnet: &Subnet, reason: NotAssessedReason) -> Self {
        Self { subnet_id: subnet.id.clone(), vpc_id: subnet.vpc_id.clone(), reason }
    }
}
