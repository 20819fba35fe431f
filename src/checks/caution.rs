//! What somebody has to know before they apply a fix, as data. [`crate::messages`] renders it as sentences. Each check
//! decides which cautions its findings have.

/// A side effect of a fix, or something that has to be true for the fix to work. The order is the order in messages.
///
/// The facts come from <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-s3.html> and
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-ddb.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caution {
    /// Open connections to the service close, because the traffic takes another way.
    ConnectionsClose,
    /// The same, twice: the fix removes the table from the endpoint and adds it again.
    ConnectionsCloseTwice,
    /// Requests come from private addresses, so conditions on `aws:SourceIp` in policies stop matching.
    SourceIpConditions,
    /// Security groups and network ACLs must allow the traffic. They are not checked.
    TrafficFilters,
    /// Requests to buckets in other Regions do not go through the endpoint.
    OtherRegions,
    /// The default policy of a new endpoint allows every request.
    DefaultPolicy,
    /// DNS support and DNS host names of the VPC must be on. They are not checked.
    DnsSupport,
}
