//! The names of the checks.

use crate::network::name::named;

/// A check, by its name in the setting `CHECKS`, in exemption tags, in messages and in stored rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckName {
    /// Route tables without a gateway route.
    GatewayRoute,
    /// Interface endpoints that attract all S3 or DynamoDB traffic of their VPC.
    DnsBypass,
    /// Endpoints whose private DNS names do not work because of the VPC's DNS attributes.
    EndpointDns,
    /// Endpoints whose security groups keep subnets out.
    EndpointAccess,
    /// Endpoints in a state in which they do not work.
    EndpointState,
    /// Endpoints that lack a zone of their VPC.
    EndpointZones,
    /// Endpoints whose policy allows everything.
    EndpointPolicy,
    /// Endpoints without private DNS names.
    EndpointPrivateDns,
    /// Services that a VPC cannot reach privately.
    RequiredEndpoints,
    /// Private REST APIs that nobody reaches, or that every VPC reaches.
    PrivateApi,
}

named!(CheckName {
    GatewayRoute => "gateway-route",
    DnsBypass => "dns-bypass",
    EndpointDns => "endpoint-dns",
    EndpointAccess => "endpoint-access",
    EndpointState => "endpoint-state",
    EndpointZones => "endpoint-zones",
    EndpointPolicy => "endpoint-policy",
    EndpointPrivateDns => "endpoint-private-dns",
    RequiredEndpoints => "required-endpoints",
    PrivateApi => "private-api",
});
