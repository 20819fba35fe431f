//! What cannot be judged: neither a finding nor covered.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use serde::Serialize;

use crate::{home::Home, vpc::Subnet};

/// A subnet of which nothing can be said, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unassessed {
    /// The subnet.
    pub subnet_id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Why it cannot be judged.
    pub reason: UnassessedReason,
}

/// Why something cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnassessedReason {
    /// Another account owns the subnet and shares it: only that account sees its route table and endpoints
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html>).
    SharedSubnet,
    /// The subnet's route table was not among those that EC2 listed.
    RouteTableNotVisible,
    /// The subnet has no IPv4, and the endpoint on its route table is known to carry nothing else.
    Ipv6OnlySubnet,
}

impl Unassessed {
    /// A subnet whose route table cannot be seen: another account's, where that is known.
    #[must_use]
    pub fn without_table(subnet: &Subnet, home: &Home) -> Self {
        let foreign = match (&subnet.owner_id, &home.account) {
            (Some(owner), Some(account)) => owner != account,
            _ => false,
        };
        let reason = if foreign { UnassessedReason::SharedSubnet } else { UnassessedReason::RouteTableNotVisible };
        Self::new(subnet, reason)
    }

    /// A subnet that has only IPv6, behind an endpoint that has only IPv4.
    #[must_use]
    pub fn ipv6_only(subnet: &Subnet) -> Self {
        Self::new(subnet, UnassessedReason::Ipv6OnlySubnet)
    }

    fn new(subnet: &Subnet, reason: UnassessedReason) -> Self {
        Self { subnet_id: subnet.id.clone(), vpc_id: subnet.vpc_id.clone(), reason }
    }
}
