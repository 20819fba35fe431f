//! A problem that a check of endpoints found: one subject with one defect. One call fixes it.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

pub use crate::checks::subject::{Subject, SubjectKind};
use crate::{
    checks::{
        check::CheckName, exemption::UnreadableExemption, fix::RouteFix, severity::Severity, subnet_ref::SubnetRef,
    },
    network::{account::AccountRegion, name::named},
};

/// One defect of an endpoint, a VPC or a REST API.
///
/// A subject has at most one problem per check and service. If it has several defects, the problem shows the one to fix
/// first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointProblem {
    /// 64 hexadecimal digits. The same problem always has the same id: see [`problem_id`].
    pub id: String,
    /// The check that found it.
    pub check: CheckName,
    /// What has the defect.
    pub subject: Subject,
    /// The service name as EC2 returns it, such as `com.amazonaws.eu-west-1.s3`.
    pub service: String,
    /// What is wrong.
    pub defect: Defect,
    /// How severe it is.
    pub severity: Severity,
    /// The account: 12 digits, or empty if neither the function's ARN nor EC2 names one.
    pub account: String,
    /// The Region of the subject.
    pub region: String,
    /// The id of the subject's VPC. `None` for a REST API, which is in no VPC.
    pub vpc_id: Option<String>,
    /// The subnets that the defect affects and that are not exempt, sorted by id.
    pub subnets: Vec<SubnetRef>,
    /// The value of the subject's own exemption tag, if it is [in force](crate::checks::exemption::in_force). It does not
    /// exempt from this problem.
    pub exemption: Option<String>,
    /// The facts that decided.
    pub evidence: Evidence,
    /// The call that fixes it.
    pub fix: EndpointFix,
    /// What somebody has to know before they apply the fix.
    pub cautions: BTreeSet<EndpointCaution>,
}

/// What a verdict is sorted by: VPC, subject, check and service.
type SortKey<'a> = (Option<&'a str>, &'a str, CheckName, &'a str);

impl EndpointProblem {
    pub(super) fn sort_key(&self) -> SortKey<'_> {
        (self.vpc_id.as_deref(), &self.subject.id, self.check, &self.service)
    }
}

impl ExemptProblem {
    pub(super) fn sort_key(&self) -> SortKey<'_> {
        (self.vpc_id.as_deref(), &self.subject.id, self.check, &self.service)
    }
}

/// What is wrong with a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defect {
    /// `dns-bypass`: the endpoint's private DNS names serve all requests of the VPC, not only those that arrive through
    /// an inbound Resolver endpoint.
    PrivateDnsForAllRequests,
    /// `endpoint-dns`: DNS support of the VPC is off. DNS host names may be off as well.
    VpcDnsSupportOff,
    /// `endpoint-dns`: only DNS host names of the VPC are off.
    VpcDnsHostNamesOff,
    /// `endpoint-access`: the endpoint's groups admit no subnet.
    NoSubnetAdmitted,
    /// `endpoint-access`: the endpoint's groups do not admit all subnets.
    SomeSubnetsNotAdmitted,
    /// `endpoint-access`: the endpoint has only the VPC's default group, which admits only its own members.
    DefaultGroupOnlyMembers,
    /// `endpoint-state`: the state is `failed`.
    EndpointFailed,
    /// `endpoint-state`: the state is `rejected`.
    EndpointRejected,
    /// `endpoint-state`: the state is `expired`.
    EndpointExpired,
    /// `endpoint-state`: the state is `partial`.
    EndpointPartial,
    /// `endpoint-state`: the state is `pendingAcceptance`.
    EndpointPendingAcceptance,
    /// `endpoint-zones`: the endpoint is in several zones, but not in all that it could be in.
    ZonesMissing,
    /// `endpoint-zones`: the endpoint is in one zone only.
    SingleZone,
    /// `endpoint-policy`: the policy is the one that AWS gives every new endpoint.
    DefaultPolicy,
    /// `endpoint-policy`: another policy allows everything.
    OpenPolicy,
    /// `endpoint-policy`: the policy has a bound, but not to the own organization, which the settings require.
    PolicyNotBoundedToOrganization,
    /// `endpoint-private-dns`: private DNS is off.
    PrivateDnsOff,
    /// `required-endpoints`: nothing serves the service in the VPC.
    EndpointMissing,
    /// `private-api`: an endpoint that the API names does not exist.
    AssociatedEndpointGone,
    /// `private-api`: the resource policy has no condition on the source VPC or endpoint.
    PolicyWithoutSourceVpc,
}

named!(Defect {
    PrivateDnsForAllRequests => "private_dns_for_all_requests",
    VpcDnsSupportOff => "vpc_dns_support_off",
    VpcDnsHostNamesOff => "vpc_dns_host_names_off",
    NoSubnetAdmitted => "no_subnet_admitted",
    SomeSubnetsNotAdmitted => "some_subnets_not_admitted",
    DefaultGroupOnlyMembers => "default_group_only_members",
    EndpointFailed => "endpoint_failed",
    EndpointRejected => "endpoint_rejected",
    EndpointExpired => "endpoint_expired",
    EndpointPartial => "endpoint_partial",
    EndpointPendingAcceptance => "endpoint_pending_acceptance",
    ZonesMissing => "zones_missing",
    SingleZone => "single_zone",
    DefaultPolicy => "default_policy",
    OpenPolicy => "open_policy",
    PolicyNotBoundedToOrganization => "policy_not_bounded_to_organization",
    PrivateDnsOff => "private_dns_off",
    EndpointMissing => "endpoint_missing",
    AssociatedEndpointGone => "associated_endpoint_gone",
    PolicyWithoutSourceVpc => "policy_without_source_vpc",
});

impl Defect {
    /// Whether the defect is about particular subnets, so that another subnet makes it worse. The subnets of another defect are
    /// those that the subject serves: a new one in the VPC joins them, and nothing else is wrong than before.
    #[must_use]
    pub fn concerns_particular_subnets(self) -> bool {
        match self {
            Self::NoSubnetAdmitted
            | Self::SomeSubnetsNotAdmitted
            | Self::DefaultGroupOnlyMembers
            | Self::ZonesMissing
            | Self::SingleZone => true,
            Self::PrivateDnsForAllRequests
            | Self::VpcDnsSupportOff
            | Self::VpcDnsHostNamesOff
            | Self::EndpointFailed
            | Self::EndpointRejected
            | Self::EndpointExpired
            | Self::EndpointPartial
            | Self::EndpointPendingAcceptance
            | Self::DefaultPolicy
            | Self::OpenPolicy
            | Self::PolicyNotBoundedToOrganization
            | Self::PrivateDnsOff
            | Self::EndpointMissing
            | Self::AssociatedEndpointGone
            | Self::PolicyWithoutSourceVpc => false,
        }
    }
}

/// The facts that decided a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// `dns-bypass`
    GatewayEndpoint {
        /// The available gateway endpoint for the same service in the VPC.
        gateway_endpoint_id: Option<String>,
        /// The route tables in use that have no active route to a gateway endpoint for the service, sorted.
        uncovered_route_table_ids: Vec<String>,
    },
    /// `endpoint-dns`: the attributes of the VPC.
    VpcDns {
        /// `enableDnsSupport`
        support: bool,
        /// `enableDnsHostnames`
        host_names: bool,
    },
    /// `endpoint-access`
    SecurityGroups {
        /// The TCP ports of the service. A client needs one of them.
        ports: Vec<u16>,
        /// The endpoint's groups, sorted by id.
        groups: Vec<GroupEvidence>,
    },
    /// `endpoint-state`
    State {
        /// The state as EC2 wrote it.
        state: String,
        /// The last error. Untrusted text.
        last_error: Option<String>,
        /// Why the endpoint failed. Untrusted text.
        failure_reason: Option<String>,
    },
    /// `endpoint-zones`: zone ids.
    Zones {
        /// The zones that the endpoint is in.
        endpoint: BTreeSet<String>,
        /// The zones that the VPC uses and the service offers, and that the endpoint is not in.
        missing: BTreeSet<String>,
    },
    /// `endpoint-policy`
    Policy {
        /// Who may come through the endpoint.
        principals: PolicySide,
        /// What may be reached through the endpoint.
        resources: PolicySide,
        /// The open statements: the `Sid`, or `#` and the position from 1. Untrusted text.
        statements: Vec<String>,
    },
    /// `endpoint-private-dns` and `required-endpoints`: the private names that nothing serves.
    PrivateNames(BTreeSet<String>),
    /// `private-api`
    RestApi {
        /// The endpoints that the API names and that exist, sorted.
        endpoint_ids: Vec<String>,
        /// The endpoints that the API names and that do not exist, sorted.
        gone_endpoint_ids: Vec<String>,
        /// Whether the resource policy has a condition on the source VPC or endpoint. `None` if nobody can say.
        has_source_condition: Option<bool>,
    },
}

/// What one security group of an endpoint admits on a TCP port of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupEvidence {
    /// `sg-…`
    pub id: String,
    /// Whether it is the VPC's default group.
    pub is_default: bool,
    /// The CIDR blocks that it admits, sorted.
    pub cidrs: Vec<String>,
    /// The groups whose members it admits, sorted.
    pub group_ids: Vec<String>,
    /// The prefix lists that it admits, sorted.
    pub prefix_list_ids: Vec<String>,
}

/// One of the two questions about a policy: who may come through, and what may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicySide {
    /// Nothing bounds this side.
    Open,
    /// Something bounds it.
    Bounded,
}

named!(PolicySide { Open => "open", Bounded => "bounded" });

/// The call that fixes a problem, as data. It never holds a tightened policy: a wrong one stops package repositories,
/// image downloads and patching.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointFix {
    /// `ModifyVpcEndpoint` with `PrivateDnsOnlyForInboundResolverEndpoint=true`. EC2 refuses it without a gateway
    /// endpoint, and a table without one would take the public way: both come first.
    RestrictPrivateDns {
        /// The interface endpoint.
        endpoint_id: String,
        /// Whether the VPC has an available gateway endpoint for the service. If not, and no route table is in use, create
        /// one first.
        has_gateway_endpoint: bool,
        /// What gives the route tables in use their gateway route first.
        routes: Vec<RouteFix>,
    },
    /// `ModifyVpcAttribute` with `EnableDnsSupport`.
    EnableVpcDnsSupport {
        /// The VPC.
        vpc_id: String,
    },
    /// `ModifyVpcAttribute` with `EnableDnsHostnames`.
    EnableVpcDnsHostNames {
        /// The VPC.
        vpc_id: String,
    },
    /// `AuthorizeSecurityGroupIngress` for a TCP port from these blocks.
    AuthorizeIngress {
        /// The security group.
        group_id: String,
        /// The port of the service that most clients use.
        port: u16,
        /// The blocks of the subnets that are not admitted, in the families that the endpoint has, sorted.
        cidrs: Vec<String>,
    },
    /// `DeleteVpcEndpoints`: the endpoint will never work. Create it again if somebody needs it.
    DeleteEndpoint {
        /// The endpoint.
        endpoint_id: String,
    },
    /// The owner of the service has to accept the connection.
    AwaitAcceptance {
        /// The endpoint.
        endpoint_id: String,
    },
    /// `DescribeVpcEndpoints` shows which network interface is missing, and why.
    Inspect {
        /// The endpoint.
        endpoint_id: String,
    },
    /// `ModifyVpcEndpoint` with subnets, one in each missing zone.
    AddSubnets {
        /// The endpoint.
        endpoint_id: String,
        /// One subnet per missing zone, sorted.
        subnet_ids: Vec<String>,
    },
    /// A person decides what the policy allows. The name of AWS's sample for the service helps.
    ReviewPolicy {
        /// The endpoint.
        endpoint_id: String,
        /// The short name of the service, such as `s3`.
        service: String,
    },
    /// `ModifyVpcEndpoint` with `PrivateDnsEnabled`.
    EnablePrivateDns {
        /// The endpoint.
        endpoint_id: String,
    },
    /// `CreateVpcEndpoint`, with one subnet in each zone that the service offers, and without private DNS: with it, clients
    /// outside the endpoint's group would time out from that moment.
    CreateInterfaceEndpoint {
        /// The VPC.
        vpc_id: String,
        /// The service name.
        service_name: String,
        /// One subnet per zone, sorted.
        subnet_ids: Vec<String>,
    },
    /// `UpdateRestApi`: remove these endpoints from the API.
    RemoveAssociatedEndpoints {
        /// The API.
        api_id: String,
        /// The endpoints, sorted.
        endpoint_ids: Vec<String>,
    },
    /// A person adds a condition on the source VPC or endpoint to the resource policy.
    ReviewApiPolicy {
        /// The API.
        api_id: String,
    },
}

/// What somebody has to know before they apply a fix. The order is the order in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointCaution {
    /// EC2 refuses the option as long as the VPC has no gateway endpoint for the service.
    GatewayEndpointFirst,
    /// Some route tables have no route to the gateway endpoint. Their traffic would take the public way.
    UncoveredTablesFirst,
    /// Security groups and network ACLs of the clients must let the addresses of the service through. They are not checked.
    ClientFilters,
    /// Policies that name the interface endpoint in `aws:SourceVpce` stop matching requests of the VPC.
    SourceEndpointConditions,
    /// The policy of the gateway endpoint decides about requests of the VPC from now on.
    GatewayEndpointPolicy,
    /// Clients outside the VPC get the private addresses only through an inbound Resolver endpoint.
    InboundResolverNeeded,
    /// The attributes have no effect on clients that ask a DNS server other than Amazon's.
    CustomDnsServers,
    /// Instances with public addresses get public DNS names.
    PublicHostNames,
    /// The service's names resolve to the endpoint in the whole VPC. Its groups and its policy decide about all requests.
    NamesMoveToEndpoint,
    /// EC2 refuses private DNS while a DNS attribute of the VPC is off, or while another endpoint of the VPC has the same names.
    PrivateDnsMayBeRefused,
    /// The names of public APIs cannot be reached through the endpoint either
    /// (<https://repost.aws/knowledge-center/api-gateway-vpc-connections>).
    PublicApisUnreachable,
    /// Everything else that uses the security group gets the rule too.
    GroupIsShared,
    /// The network ACLs of the subnets must allow the traffic. They are not checked.
    NetworkAcls,
    /// The command adds more rules than a group has room for with EC2's default quota
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups>).
    ManyRules,
    /// The service listens on several ports. The command opens one of them.
    OneOfSeveralPorts,
    /// A new endpoint has a new id and new DNS names. Policies and clients that name the old ones need a change.
    NewEndpointId,
    /// The new endpoint has the VPC's default group and no private DNS. Its names must come last: clients outside the group
    /// would time out.
    GroupBeforePrivateDns,
    /// AWS charges for the endpoint by the hour in each zone, and per GB.
    HourlyCharge,
    /// A policy that is too narrow stops package repositories, image layers and patching.
    NarrowPolicy,
    /// The change of an API takes effect only after a deployment.
    DeployApi,
}

/// Something that a check of endpoints cannot judge. It is neither in order nor a problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unassessed {
    /// The check.
    pub check: CheckName,
    /// What cannot be judged.
    pub subject: Subject,
    /// The service name as EC2 returns it.
    pub service: String,
    /// The id of the subject's VPC. `None` for a REST API.
    pub vpc_id: Option<String>,
    /// Why it cannot be judged.
    pub reason: UnassessedReason,
    /// The ids of what is in doubt, sorted: subnets, groups, prefix lists, zones or endpoints. Empty for the subject
    /// itself.
    pub in_doubt: Vec<String>,
}

/// Why a check cannot judge something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnassessedReason {
    /// A fact that the check needs is missing: AWS did not return it.
    FactMissing,
    /// AWS denied an optional read.
    ReadDenied,
    /// A value has a form that this version does not know.
    UnknownValue,
    /// A security group admits members of a group. Their addresses are not known.
    ReferencedGroup,
    /// A security group admits a prefix list. Its addresses are not known.
    PrefixList,
    /// A security group of the endpoint is not visible.
    GroupNotVisible,
    /// An endpoint that an API names is not visible: it is gone, or it belongs to another account.
    EndpointNotVisible,
    /// The subnet and the endpoint have no address family in common.
    NoCommonAddressFamily,
    /// Another account owns the subnets.
    SharedSubnet,
    /// A central hosted zone, profile or Resolver rule may serve the name.
    MayBeServedCentrally,
    /// The policy is not a JSON document of the known form.
    UnreadablePolicy,
}

impl UnassessedReason {
    /// Whether the subject may have the defect all the same. An endpoint of a private API that is not visible may be gone,
    /// and says nothing about the policy of the API.
    #[must_use]
    pub fn may_hide(self, defect: Defect) -> bool {
        self != Self::EndpointNotVisible || defect == Defect::AssociatedEndpointGone
    }
}

named!(UnassessedReason {
    FactMissing => "fact_missing",
    ReadDenied => "read_denied",
    UnknownValue => "unknown_value",
    ReferencedGroup => "referenced_group",
    PrefixList => "prefix_list",
    GroupNotVisible => "group_not_visible",
    EndpointNotVisible => "endpoint_not_visible",
    NoCommonAddressFamily => "no_common_address_family",
    SharedSubnet => "shared_subnet",
    MayBeServedCentrally => "may_be_served_centrally",
    UnreadablePolicy => "unreadable_policy",
});

/// A problem that a tag exempts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExemptProblem {
    /// The check.
    pub check: CheckName,
    /// What has the defect.
    pub subject: Subject,
    /// The service name as EC2 returns it.
    pub service: String,
    /// The id of the subject's VPC. `None` for a REST API.
    pub vpc_id: Option<String>,
    /// The ids of the resources whose tags exempt it, sorted: the VPC, the endpoint or both, else all affected subnets.
    pub exempted_by: Vec<String>,
}

/// The result of one or more checks of endpoints. A subject is in order if it is in none of the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointVerdict {
    /// How many endpoints were judged, in any state. Endpoints that are never judged do not count.
    pub judged_endpoints: usize,
    /// The problems that no tag exempts.
    pub problems: Vec<EndpointProblem>,
    /// What a tag exempts: problems, and what could not be judged. Each check, subject and service once.
    pub exempt: Vec<ExemptProblem>,
    /// What could not be judged.
    pub unassessed: BTreeSet<Unassessed>,
    /// The exemption tags that cannot be parsed: on judged endpoints and REST APIs, and on the VPCs and own subnets of the
    /// selection.
    pub unreadable_exemptions: BTreeSet<UnreadableExemption>,
}

/// The id of a problem: SHA-256, in hexadecimal, over partition, account, Region, check, subject and service, joined by
/// line feeds. None of the six can contain a line feed, so different problems have different ids.
#[must_use]
pub fn problem_id(
    account_region: &AccountRegion,
    account: &str,
    check: CheckName,
    subject_id: &str,
    service: &str,
) -> String {
    let AccountRegion { partition, region, .. } = account_region;
    let identity = [partition, account, region, check.name(), subject_id, service].join("\n");
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
    use crate::network::testing::account_region;

    const S3: &str = "com.amazonaws.eu-west-1.s3";

    #[test]
    fn the_same_problem_has_the_same_id() {
        // printf 'aws\n123456789012\neu-west-1\ndns-bypass\nvpce-0a1b2c3d4e5f60001\ncom.amazonaws.eu-west-1.s3' | sha256sum
        assert_eq!(
            problem_id(&account_region(), "123456789012", CheckName::DnsBypass, "vpce-0a1b2c3d4e5f60001", S3),
            "3eaae6322c029075973ffd0efd7e44052f0c45faa2591105098faa830c83b32e"
        );
    }

    #[test]
    fn each_part_of_the_identity_changes_the_id() {
        let aws = account_region();
        let china = AccountRegion { partition: "aws-cn".into(), ..aws.clone() };
        let london = AccountRegion { region: "eu-west-2".into(), ..aws.clone() };
        let ids = BTreeSet::from([
            problem_id(&aws, "123456789012", CheckName::DnsBypass, "vpce-0000000a", S3),
            problem_id(&china, "123456789012", CheckName::DnsBypass, "vpce-0000000a", S3),
            problem_id(&london, "123456789012", CheckName::DnsBypass, "vpce-0000000a", S3),
            problem_id(&aws, "210987654321", CheckName::DnsBypass, "vpce-0000000a", S3),
            problem_id(&aws, "123456789012", CheckName::EndpointDns, "vpce-0000000a", S3),
            problem_id(&aws, "123456789012", CheckName::DnsBypass, "vpce-0000000b", S3),
            problem_id(&aws, "123456789012", CheckName::DnsBypass, "vpce-0000000a", "com.amazonaws.eu-west-1.dynamodb"),
        ]);
        assert_eq!(ids.len(), 7);
    }

    #[test]
    fn only_an_endpoint_that_is_not_visible_hides_a_single_defect() {
        for reason in UnassessedReason::ALL {
            for defect in Defect::ALL {
                let hides_all = reason != UnassessedReason::EndpointNotVisible;
                assert_eq!(reason.may_hide(defect), hides_all || defect == Defect::AssociatedEndpointGone);
            }
        }
    }
}
