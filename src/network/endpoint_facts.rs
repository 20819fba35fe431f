//! What only the checks of endpoints read: DNS attributes, security groups, services, central DNS names, REST APIs.
//!
//! gatewatch reads a part only if an enabled check needs it. A check treats a fact that is missing as doubt, never as a
//! defect.

use std::collections::{BTreeMap, BTreeSet};

/// The facts that the checks of endpoints need beyond the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointFacts {
    /// The DNS attributes by VPC id.
    pub vpc_dns: BTreeMap<String, VpcDns>,
    /// The security groups by id.
    pub security_groups: BTreeMap<String, SecurityGroup>,
    /// The endpoint services by name, such as `com.amazonaws.eu-west-1.ssm`.
    pub services: BTreeMap<String, EndpointService>,
    /// What else may serve private names in a VPC, by VPC id.
    pub central_names: BTreeMap<String, CentralNames>,
    /// The REST APIs of the Region. `None` if they were not read.
    pub rest_apis: Option<RestApis>,
}

impl EndpointFacts {
    /// Adds the facts about other VPCs.
    pub fn extend(&mut self, other: Self) {
        self.vpc_dns.extend(other.vpc_dns);
        self.security_groups.extend(other.security_groups);
        self.services.extend(other.services);
        self.central_names.extend(other.central_names);
        self.rest_apis = other.rest_apis.or(self.rest_apis.take());
    }
}

/// The DNS attributes of a VPC
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VpcDns {
    /// `enableDnsSupport`: the VPC has Amazon's DNS server.
    pub support: bool,
    /// `enableDnsHostnames`: instances with public addresses get public DNS names. Private DNS names of endpoints need it
    /// too.
    pub host_names: bool,
}

/// A security group with its ingress rules
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroup.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-…`
    pub id: String,
    /// Its group name. Untrusted text.
    pub name: Option<String>,
    /// The VPC it is in.
    pub vpc_id: String,
    /// Whether it is the default group of its VPC: the group with the reserved name `default`.
    pub is_default: bool,
    /// Its ingress rules.
    pub ingress: Vec<IngressRule>,
}

/// One entry of `IpPermissions`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngressRule {
    /// The protocol as EC2 wrote it: `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all protocols.
    pub protocol: String,
    /// The first port. EC2 returns none if the protocol is `-1`.
    pub from_port: Option<i32>,
    /// The last port.
    pub to_port: Option<i32>,
    /// Who may send such traffic.
    pub sources: Vec<TrafficSource>,
}

/// Who may send the traffic of an ingress rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrafficSource {
    /// The addresses of an IPv4 or IPv6 CIDR block.
    Cidr(String),
    /// The members of a security group, by its id.
    Group(String),
    /// The addresses of a prefix list, by its id.
    PrefixList(String),
}

/// An endpoint service
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ServiceDetail.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointService {
    /// The ids of the zones that offer it, such as `euw1-az1`. Empty if EC2 returns none.
    pub availability_zone_ids: BTreeSet<String>,
    /// `VpcEndpointPolicySupported`. `None` if EC2 does not say.
    pub policy_supported: Option<bool>,
    /// Its private DNS names, such as `ssm.eu-west-1.amazonaws.com`.
    pub private_dns_names: BTreeSet<String>,
    /// The address types that it supports, in lower case: `ipv4`, `ipv6`. Empty if EC2 returns none.
    pub ip_address_types: BTreeSet<String>,
}

impl EndpointService {
    /// Adds the facts of another service with the same name. EC2 returns S3 and DynamoDB twice, once for each type of
    /// endpoint. Only the entry for interface endpoints has private names.
    pub fn add(&mut self, other: Self) {
        self.availability_zone_ids.extend(other.availability_zone_ids);
        self.private_dns_names.extend(other.private_dns_names);
        self.ip_address_types.extend(other.ip_address_types);
        self.policy_supported = self.policy_supported.max(other.policy_supported);
    }
}

/// What may serve a service's private names in a VPC although the VPC has no endpoint for the service: hosted zones,
/// Route 53 Profiles and Resolver rules, which a central (hub) VPC shares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CentralNames {
    /// The names of the private hosted zones of the VPC, such as `ssm.eu-west-1.amazonaws.com.`
    /// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByVPC.html>).
    pub hosted_zones: OptionalRead<BTreeSet<String>>,
    /// The resources of the profiles that are associated with the VPC
    /// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_route53profiles_ListProfileResourceAssociations.html>).
    pub profile_resources: OptionalRead<BTreeSet<ProfileResource>>,
    /// The domain names that Resolver rules forward to other DNS servers, of the rules that are associated with the VPC or
    /// with its profiles. The root, `.`, stands for a rule that cannot be read
    /// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_route53resolver_ResolverRule.html>).
    pub forwarded_domains: OptionalRead<BTreeSet<String>>,
}

/// The result of a read that the function's role may be denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OptionalRead<T> {
    /// Nobody has asked.
    #[default]
    NotRead,
    /// AWS denied it.
    Denied,
    /// The answer.
    Read(T),
}

impl<T> OptionalRead<T> {
    /// The answer, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        if let Self::Read(value) = self { Some(value) } else { None }
    }

    /// The same with a reference to the answer.
    #[must_use]
    pub fn as_ref(&self) -> OptionalRead<&T> {
        match self {
            Self::NotRead => OptionalRead::NotRead,
            Self::Denied => OptionalRead::Denied,
            Self::Read(value) => OptionalRead::Read(value),
        }
    }

    /// What another read makes of the answer.
    pub fn and_then<U>(self, read: impl FnOnce(T) -> OptionalRead<U>) -> OptionalRead<U> {
        match self {
            Self::NotRead => OptionalRead::NotRead,
            Self::Denied => OptionalRead::Denied,
            Self::Read(value) => read(value),
        }
    }

    /// The answer in another form.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> OptionalRead<U> {
        self.and_then(|value| OptionalRead::Read(convert(value)))
    }
}

/// A resource of a Route 53 Profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProfileResource {
    /// A private hosted zone. The profile returns its ARN. The name is `None` unless somebody looked it up.
    HostedZone {
        /// The ARN of the zone.
        arn: String,
        /// The name of the zone.
        name: Option<String>,
    },
    /// An interface endpoint.
    Endpoint {
        /// `vpce-…`
        id: String,
        /// The name of its service. `None` if the endpoint is in another account or in a VPC that was not read.
        service_name: Option<String>,
    },
    /// Anything that serves no private name, or that this version does not know.
    Other {
        /// The ARN of the resource.
        arn: String,
    },
}

/// The REST APIs of the Region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestApis {
    /// All REST APIs, private or not.
    pub apis: Vec<RestApi>,
    /// The ids of the VPC endpoints of the account in the Region that exist. An id that is missing here may belong to
    /// another account.
    pub endpoint_ids: BTreeSet<String>,
    /// The ids of endpoints that are known to be deleted, such as from the record of the deletion.
    pub deleted_endpoint_ids: BTreeSet<String>,
}

/// A REST API (<https://docs.aws.amazon.com/apigateway/latest/api/API_RestApi.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestApi {
    /// The id: ten lower-case letters and digits.
    pub id: String,
    /// Its name. Untrusted text.
    pub name: Option<String>,
    /// The types of its endpoint configuration: `EDGE`, `REGIONAL` or `PRIVATE`.
    pub endpoint_types: Vec<String>,
    /// The ids of the VPC endpoints that are associated with it.
    pub vpc_endpoint_ids: Vec<String>,
    /// Its resource policy as API Gateway returns it: JSON that is escaped once more. Untrusted text.
    pub policy: Option<String>,
    /// The value of its exemption tag.
    pub exemption: Option<String>,
}

impl RestApi {
    /// Whether it can be called only through VPC endpoints.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.endpoint_types.iter().any(|kind| kind.eq_ignore_ascii_case("PRIVATE"))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        EndpointService,
        OptionalRead::{self, Denied, NotRead, Read},
    };

    #[test]
    fn two_services_with_one_name_are_joined() {
        let set = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let service = |zones: &[&str], policy_supported, names: &[&str], types: &[&str]| EndpointService {
            availability_zone_ids: set(zones),
            policy_supported,
            private_dns_names: set(names),
            ip_address_types: set(types),
        };
        let gateway = || service(&["euw1-az1", "euw1-az2"], Some(true), &[], &["ipv4"]);
        let interface = || service(&["euw1-az1"], Some(false), &["s3.eu-west-1.amazonaws.com"], &["ipv4", "ipv6"]);
        for (mut first, second) in [(gateway(), interface()), (interface(), gateway())] {
            first.add(second);
            let names = &["s3.eu-west-1.amazonaws.com"];
            assert_eq!(first, service(&["euw1-az1", "euw1-az2"], Some(true), names, &["ipv4", "ipv6"]));
        }
    }

    #[test]
    fn what_was_not_read_stays_so() {
        assert_eq!([NotRead, Denied, Read(1)].map(|read| read.value().copied()), [None, None, Some(1)]);
        assert_eq!([NotRead, Denied, Read(1)].map(|read| read.map(|value| value + 1)), [NotRead, Denied, Read(2)]);
        let denied = |read: OptionalRead<i32>| read.and_then(|_| OptionalRead::<i32>::Denied);
        assert_eq!([NotRead, Denied, Read(1)].map(denied), [NotRead, Denied, Denied]);
        assert_eq!([NotRead, Denied, Read(1)].each_ref().map(OptionalRead::as_ref), [NotRead, Denied, Read(&1)]);
    }
}
