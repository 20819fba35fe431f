//! Converts the SDK's types to the network model. A resource without its ids gives `None`.

use aws_sdk_ec2::types;
use compact_str::CompactString;

use crate::network::{
    endpoint_facts::{EndpointService, IngressRule, SecurityGroup, TrafficSource},
    model::{Association, Endpoint, EndpointKind, NatGateway, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
};

/// The tag of an endpoint that `GuardDuty` made.
const GUARDDUTY_TAG: &str = "GuardDutyManaged";

pub(super) fn vpc(vpc: types::Vpc, exempt_tag: &str) -> Option<Vpc> {
    Some(Vpc {
        name: name(vpc.tags()),
        exemption: tag(vpc.tags(), exempt_tag),
        cidrs: vpc_blocks(&vpc),
        id: vpc.vpc_id?,
    })
}

pub(super) fn subnet(subnet: types::Subnet, exempt_tag: &str) -> Option<Subnet> {
    let blocks = subnet_blocks(&subnet);
    Some(Subnet {
        name: name(subnet.tags()).map(Into::into),
        exemption: tag(subnet.tags(), exempt_tag),
        ipv6_native: subnet.ipv6_native().unwrap_or_default(),
        cidr: blocks.first().cloned(),
        cidrs: if blocks.len() > 1 { blocks } else { Vec::new() },
        availability_zone: subnet.availability_zone.map(Into::into),
        availability_zone_id: subnet.availability_zone_id.map(Into::into),
        owner_id: subnet.owner_id.map(Into::into),
        vpc_id: subnet.vpc_id?.into(),
        id: subnet.subnet_id?,
    })
}

pub(super) fn route_table(table: types::RouteTable, exempt_tag: &str) -> Option<RouteTable> {
    let mut routes: Vec<Route> = table.routes().iter().map(route).filter(Route::can_matter).collect();
    routes.shrink_to_fit();
    Some(RouteTable {
        name: name(table.tags()).map(Into::into),
        exemption: tag(table.tags(), exempt_tag),
        associations: table.associations().iter().map(association).collect(),
        routes,
        owner_id: table.owner_id.map(Into::into),
        vpc_id: table.vpc_id?.into(),
        id: table.route_table_id?,
    })
}

/// A policy is kept only if a check reads it: it can have 20 KB, and the largest Regions have thousands of endpoints.
pub(super) fn endpoint(endpoint: types::VpcEndpoint, exempt_tag: &str, keeps_policy: bool) -> Option<Endpoint> {
    let options = endpoint.dns_options();
    Some(Endpoint {
        kind: match endpoint.vpc_endpoint_type() {
            Some(types::VpcEndpointType::Gateway) => EndpointKind::Gateway,
            Some(types::VpcEndpointType::Interface) => EndpointKind::Interface,
            _ => EndpointKind::Other,
        },
        // The text, not the enum: EC2 writes `available` where the SDK's `State::Available` expects a capital letter.
        state: endpoint.state().map(|state| state.as_str().into()).unwrap_or_default(),
        route_table_ids: endpoint.route_table_ids().iter().map(CompactString::from).collect(),
        ip_address_type: endpoint.ip_address_type().map(|kind| kind.as_str().to_ascii_lowercase().into()),
        name: name(endpoint.tags()),
        exemption: tag(endpoint.tags(), exempt_tag),
        guardduty_managed: tag(endpoint.tags(), GUARDDUTY_TAG).is_some(),
        private_dns_enabled: endpoint.private_dns_enabled().unwrap_or_default(),
        private_dns_only_for_inbound_resolver: options
            .and_then(types::DnsOptions::private_dns_only_for_inbound_resolver_endpoint),
        security_group_ids: endpoint.groups().iter().filter_map(|group| group.group_id().map(str::to_owned)).collect(),
        last_error: endpoint.last_error().and_then(last_error),
        requester_managed: endpoint.requester_managed().unwrap_or_default(),
        subnet_ids: endpoint.subnet_ids.unwrap_or_default(),
        policy_document: endpoint.policy_document.filter(|_| keeps_policy),
        failure_reason: endpoint.failure_reason.filter(|reason| !reason.is_empty()),
        owner_id: endpoint.owner_id,
        service_region: endpoint.service_region,
        service_name: endpoint.service_name.unwrap_or_default().into(),
        vpc_id: endpoint.vpc_id?,
        id: endpoint.vpc_endpoint_id?,
    })
}

pub(super) fn nat_gateway(gateway: types::NatGateway) -> Option<NatGateway> {
    use types::NatGatewayState::{Deleted, Deleting, Failed};
    Some(NatGateway {
        is_gone: matches!(gateway.state(), Some(Deleting | Deleted | Failed)),
        route_table_id: gateway.route_table_id,
        id: gateway.nat_gateway_id?,
    })
}

pub(super) fn security_group(group: types::SecurityGroup) -> Option<SecurityGroup> {
    Some(SecurityGroup {
        // EC2 reserves the name for the group that each VPC has
        // (<https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html>).
        is_default: group.group_name() == Some("default"),
        ingress: group.ip_permissions().iter().map(ingress_rule).collect(),
        name: group.group_name,
        vpc_id: group.vpc_id.unwrap_or_default(),
        id: group.group_id?,
    })
}

/// A service with its name.
pub(super) fn endpoint_service(service: types::ServiceDetail) -> Option<(String, EndpointService)> {
    let names = service.private_dns_names().iter().filter_map(types::PrivateDnsDetails::private_dns_name);
    let facts = EndpointService {
        availability_zone_ids: service.availability_zone_ids().iter().cloned().collect(),
        policy_supported: service.vpc_endpoint_policy_supported(),
        private_dns_names: names.chain(service.private_dns_name()).map(str::to_owned).collect(),
        ip_address_types: (service.supported_ip_address_types().iter())
            .map(|kind| kind.as_str().to_ascii_lowercase())
            .collect(),
    };
    Some((service.service_name?, facts))
}

/// The blocks of a VPC that are associated, the primary one first.
fn vpc_blocks(vpc: &types::Vpc) -> Vec<String> {
    use types::VpcCidrBlockStateCode::{Associated, Associating};
    let is_in_use = |state: Option<&types::VpcCidrBlockState>| {
        state.and_then(types::VpcCidrBlockState::state).is_none_or(|state| matches!(state, Associated | Associating))
    };
    let primary = vpc.cidr_block().filter(|block| !block.is_empty());
    let ipv4 = (vpc.cidr_block_association_set().iter())
        .filter(|block| is_in_use(block.cidr_block_state()))
        .filter_map(types::VpcCidrBlockAssociation::cidr_block)
        .filter(|block| Some(*block) != primary);
    let ipv6 = (vpc.ipv6_cidr_block_association_set().iter())
        .filter(|block| is_in_use(block.ipv6_cidr_block_state()))
        .filter_map(types::VpcIpv6CidrBlockAssociation::ipv6_cidr_block);
    primary.into_iter().chain(ipv4).chain(ipv6).map(str::to_owned).collect()
}

/// The blocks of a subnet that are associated.
fn subnet_blocks(subnet: &types::Subnet) -> Vec<CompactString> {
    use types::SubnetCidrBlockStateCode::{Associated, Associating};
    let is_in_use = |block: &&types::SubnetIpv6CidrBlockAssociation| {
        (block.ipv6_cidr_block_state().and_then(types::SubnetCidrBlockState::state))
            .is_none_or(|state| matches!(state, Associated | Associating))
    };
    let ipv4 = subnet.cidr_block().filter(|block| !block.is_empty());
    let ipv6 = (subnet.ipv6_cidr_block_association_set().iter())
        .filter(is_in_use)
        .filter_map(types::SubnetIpv6CidrBlockAssociation::ipv6_cidr_block);
    let mut blocks: Vec<CompactString> = ipv4.into_iter().chain(ipv6).map(Into::into).collect();
    blocks.shrink_to_fit();
    blocks
}

/// The code and the message, as far as EC2 returns them.
fn last_error(error: &types::LastError) -> Option<String> {
    let parts: Vec<&str> = [error.code(), error.message()].into_iter().flatten().filter(|t| !t.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

fn ingress_rule(rule: &types::IpPermission) -> IngressRule {
    let owned = |text: &str| text.to_owned();
    let ipv4 = rule.ip_ranges().iter().filter_map(types::IpRange::cidr_ip).map(owned).map(TrafficSource::Cidr);
    let ipv6 = rule.ipv6_ranges().iter().filter_map(types::Ipv6Range::cidr_ipv6).map(owned).map(TrafficSource::Cidr);
    let groups = rule.user_id_group_pairs().iter().filter_map(types::UserIdGroupPair::group_id);
    let lists = rule.prefix_list_ids().iter().filter_map(types::PrefixListId::prefix_list_id);
    IngressRule {
        protocol: rule.ip_protocol().unwrap_or_default().to_owned(),
        from_port: rule.from_port(),
        to_port: rule.to_port(),
        sources: (ipv4.chain(ipv6))
            .chain(groups.map(owned).map(TrafficSource::Group))
            .chain(lists.map(owned).map(TrafficSource::PrefixList))
            .collect(),
    }
}

fn association(association: &types::RouteTableAssociation) -> Association {
    let state = association.association_state().and_then(types::RouteTableAssociationState::state);
    Association {
        main: association.main().unwrap_or_default(),
        subnet_id: association.subnet_id().map(Into::into),
        gateway_id: association.gateway_id().map(Into::into),
        state: state.map(|state| state.as_str().into()),
    }
}

fn route(route: &types::Route) -> Route {
    let destination =
        (route.destination_cidr_block()).or(route.destination_ipv6_cidr_block()).or(route.destination_prefix_list_id());
    Route {
        destination: destination.map(Into::into),
        target: target(route),
        active: route.state() == Some(&types::RouteState::Active),
    }
}

/// The target of the route. EC2 names one target; for an instance it names the network interface as well.
fn target(route: &types::Route) -> Target {
    let named = [
        (TargetKind::NatGateway, route.nat_gateway_id()),
        (TargetKind::TransitGateway, route.transit_gateway_id()),
        (TargetKind::VpcPeering, route.vpc_peering_connection_id()),
        (TargetKind::EgressOnlyInternetGateway, route.egress_only_internet_gateway_id()),
        (TargetKind::CarrierGateway, route.carrier_gateway_id()),
        (TargetKind::LocalGateway, route.local_gateway_id()),
        (TargetKind::CoreNetwork, route.core_network_arn()),
        (TargetKind::NetworkInterface, route.network_interface_id()),
        (TargetKind::NetworkInterface, route.instance_id()),
        (TargetKind::Other, route.odb_network_arn()),
    ];
    let (kind, id) = (route.gateway_id().map(|id| (gateway_kind(id), id)))
        .or_else(|| named.into_iter().find_map(|(kind, id)| Some((kind, id?))))
        .map_or((TargetKind::Other, None), |(kind, id)| (kind, Some(id.to_owned())));
    Target { kind, id }
}

/// The kind of a `gatewayId`. EC2 shows it only by the prefix. A `vpce-` may be a gateway endpoint, and also the endpoint of
/// a firewall or of a Gateway Load Balancer.
fn gateway_kind(id: &str) -> TargetKind {
    const PREFIXES: [(&str, TargetKind); 5] = [
        ("igw-", TargetKind::InternetGateway),
        ("vgw-", TargetKind::VirtualPrivateGateway),
        ("vpce-", TargetKind::VpcEndpoint),
        ("cagw-", TargetKind::CarrierGateway),
        ("lgw-", TargetKind::LocalGateway),
    ];
    if id == "local" {
        return TargetKind::Local;
    }
    PREFIXES.iter().find(|(prefix, _)| id.starts_with(prefix)).map_or(TargetKind::Other, |(_, kind)| *kind)
}

/// The value of the `Name` tag, unless it is empty.
fn name(tags: &[types::Tag]) -> Option<String> {
    tag(tags, "Name").filter(|name| !name.is_empty())
}

/// The value of the tag with this key, which may be empty.
fn tag(tags: &[types::Tag], key: &str) -> Option<String> {
    let tag = tags.iter().find(|tag| tag.key() == Some(key))?;
    Some(tag.value().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_target_is_recognised() {
        type Named = fn(types::builders::RouteBuilder, &'static str) -> types::builders::RouteBuilder;
        let cases: [(Named, &str, TargetKind); 17] = [
            (|route, id| route.gateway_id(id), "local", TargetKind::Local),
            (|route, id| route.gateway_id(id), "igw-1", TargetKind::InternetGateway),
            (|route, id| route.gateway_id(id), "vgw-1", TargetKind::VirtualPrivateGateway),
            (|route, id| route.gateway_id(id), "vpce-1", TargetKind::VpcEndpoint),
            (|route, id| route.gateway_id(id), "cagw-1", TargetKind::CarrierGateway),
            (|route, id| route.gateway_id(id), "lgw-1", TargetKind::LocalGateway),
            (|route, id| route.gateway_id(id), "new-1", TargetKind::Other),
            (|route, id| route.nat_gateway_id(id), "nat-1", TargetKind::NatGateway),
            (|route, id| route.transit_gateway_id(id), "tgw-1", TargetKind::TransitGateway),
            (|route, id| route.vpc_peering_connection_id(id), "pcx-1", TargetKind::VpcPeering),
            (|route, id| route.egress_only_internet_gateway_id(id), "eigw-1", TargetKind::EgressOnlyInternetGateway),
            (|route, id| route.carrier_gateway_id(id), "cagw-1", TargetKind::CarrierGateway),
            (|route, id| route.local_gateway_id(id), "lgw-1", TargetKind::LocalGateway),
            (|route, id| route.core_network_arn(id), "arn:core", TargetKind::CoreNetwork),
            (|route, id| route.network_interface_id(id).instance_id("i-1"), "eni-1", TargetKind::NetworkInterface),
            (|route, id| route.instance_id(id), "i-1", TargetKind::NetworkInterface),
            (|route, id| route.odb_network_arn(id), "arn:odb", TargetKind::Other),
        ];
        for (named, id, kind) in cases {
            let route = named(types::Route::builder(), id).build();
            assert_eq!(target(&route), Target { kind, id: Some(id.into()) });
        }
        assert_eq!(target(&types::Route::builder().build()), Target { kind: TargetKind::Other, id: None });
    }

    #[test]
    fn a_route_that_cannot_matter_is_not_kept() {
        let to = |block: &str| types::Route::builder().destination_cidr_block(block).gateway_id("vgw-1").build();
        let table = types::RouteTable::builder().route_table_id("rtb-1").vpc_id("vpc-1");
        let table = table.routes(to("10.0.0.0/8")).routes(to("0.0.0.0/0")).build();
        assert_eq!(route_table(table, "exempt").unwrap().routes, [route(&to("0.0.0.0/0"))]);
    }

    #[test]
    fn only_an_active_route_is_active() {
        for (state, active) in [
            (Some("active"), true),
            (Some("blackhole"), false),
            (Some("filtered"), false),
            (Some("Active"), false),
            (None, false),
        ] {
            let sdk = types::Route::builder().set_state(state.map(types::RouteState::from)).build();
            assert_eq!(route(&sdk).active, active, "{state:?}");
        }
    }

    #[test]
    fn a_destination_is_a_block_or_a_prefix_list() {
        let destination = |route: types::builders::RouteBuilder| super::route(&route.build()).destination;
        let route = types::Route::builder;
        assert_eq!(destination(route().destination_cidr_block("0.0.0.0/0")), Some("0.0.0.0/0".into()));
        assert_eq!(destination(route().destination_ipv6_cidr_block("::/0")), Some("::/0".into()));
        assert_eq!(destination(route().destination_prefix_list_id("pl-1")), Some("pl-1".into()));
        assert_eq!(destination(route()), None);
    }

    #[test]
    fn a_subnet_without_ipv4_shows_its_ipv6_block() {
        let ipv6 = types::SubnetIpv6CidrBlockAssociation::builder().ipv6_cidr_block("2001:db8::/64").build();
        let sdk = types::Subnet::builder().subnet_id("subnet-1").vpc_id("vpc-1").ipv6_cidr_block_association_set(ipv6);
        let cidr = |sdk: types::builders::SubnetBuilder| subnet(sdk.build(), "exempt").unwrap().cidr;
        assert_eq!(cidr(sdk.clone()), Some("2001:db8::/64".into()));
        assert_eq!(cidr(sdk.clone().cidr_block("10.0.0.0/24")), Some("10.0.0.0/24".into()));
        let only = subnet(sdk.build(), "exempt").unwrap();
        assert!(only.cidrs.is_empty() && only.blocks().eq(["2001:db8::/64"]), "the only block");
    }

    #[test]
    fn a_nat_gateway_that_does_not_work_any_more_is_gone() {
        let gateway = types::NatGateway::builder().nat_gateway_id("nat-1").route_table_id("rtb-1");
        for (state, is_gone) in [
            (Some("pending"), false),
            (Some("available"), false),
            (Some("deleting"), true),
            (Some("deleted"), true),
            (Some("failed"), true),
            (Some("new"), false),
            (None, false),
        ] {
            let sdk = gateway.clone().set_state(state.map(types::NatGatewayState::from)).build();
            let expected = NatGateway { id: "nat-1".into(), route_table_id: Some("rtb-1".into()), is_gone };
            assert_eq!(nat_gateway(sdk), Some(expected), "{state:?}");
        }
    }

    #[test]
    fn an_edge_association_names_its_gateway() {
        let sdk = types::RouteTableAssociation::builder().gateway_id("nat-1").main(false).build();
        assert_eq!(association(&sdk), Association { gateway_id: Some("nat-1".into()), ..Association::default() });
    }

    #[test]
    fn a_resource_without_its_ids_is_none() {
        assert_eq!(nat_gateway(types::NatGateway::builder().route_table_id("rtb-1").build()), None);
        assert_eq!(vpc(types::Vpc::builder().build(), "exempt"), None);
        assert_eq!(subnet(types::Subnet::builder().subnet_id("subnet-1").build(), "exempt"), None);
        assert_eq!(route_table(types::RouteTable::builder().vpc_id("vpc-1").build(), "exempt"), None);
        assert_eq!(endpoint(types::VpcEndpoint::builder().vpc_endpoint_id("vpce-1").build(), "exempt", true), None);
        assert_eq!(security_group(types::SecurityGroup::builder().vpc_id("vpc-1").build()), None);
        assert_eq!(endpoint_service(types::ServiceDetail::builder().build()), None);
    }

    #[test]
    fn an_exemption_is_the_value_of_its_tag_even_if_empty() {
        let tagged = |key: &str, value: Option<&str>| {
            let tag = types::Tag::builder().key(key).set_value(value.map(str::to_owned)).build();
            let sdk = types::Vpc::builder().vpc_id("vpc-1").tags(tag).build();
            vpc(sdk, "exempt").unwrap()
        };
        let plain = Vpc { id: "vpc-1".into(), ..Vpc::default() };
        assert_eq!(tagged("exempt", Some("s3")), Vpc { exemption: Some("s3".into()), ..plain.clone() });
        assert_eq!(tagged("exempt", Some("")), Vpc { exemption: Some(String::new()), ..plain.clone() });
        assert_eq!(tagged("exempt", None), Vpc { exemption: Some(String::new()), ..plain.clone() });
        assert_eq!(tagged("Exempt", Some("s3")), plain);
        assert_eq!(tagged("Name", Some("s3")), Vpc { name: Some("s3".into()), ..plain.clone() });
        assert_eq!(tagged("Name", Some("")), plain);
    }

    #[test]
    fn an_endpoint_has_what_its_checks_need() {
        let tag = |key: &str, value: &str| types::Tag::builder().key(key).value(value).build();
        let options = types::DnsOptions::builder().private_dns_only_for_inbound_resolver_endpoint(true).build();
        let sdk = types::VpcEndpoint::builder()
            .vpc_endpoint_id("vpce-1")
            .vpc_id("vpc-1")
            .vpc_endpoint_type(types::VpcEndpointType::Interface)
            .service_name("com.amazonaws.eu-west-1.s3")
            .state("failed".into())
            .private_dns_enabled(true)
            .dns_options(options)
            .subnet_ids("subnet-1")
            .groups(types::SecurityGroupIdentifier::builder().group_id("sg-1").group_name("web").build())
            .policy_document("{}")
            .last_error(types::LastError::builder().code("C").message("m").build())
            .failure_reason("why")
            .requester_managed(true)
            .service_region("us-east-1")
            .owner_id("123456789012")
            .tags(tag("Name", "shared"))
            .tags(tag("exempt", "endpoint-dns"))
            .tags(tag("GuardDutyManaged", "true"))
            .build();
        let expected = Endpoint {
            id: "vpce-1".into(),
            vpc_id: "vpc-1".into(),
            kind: EndpointKind::Interface,
            service_name: "com.amazonaws.eu-west-1.s3".into(),
            state: "failed".into(),
            route_table_ids: Vec::new(),
            ip_address_type: None,
            name: Some("shared".into()),
            owner_id: Some("123456789012".into()),
            exemption: Some("endpoint-dns".into()),
            private_dns_enabled: true,
            private_dns_only_for_inbound_resolver: Some(true),
            subnet_ids: vec!["subnet-1".into()],
            security_group_ids: vec!["sg-1".into()],
            policy_document: Some("{}".into()),
            last_error: Some("C: m".into()),
            failure_reason: Some("why".into()),
            requester_managed: true,
            guardduty_managed: true,
            service_region: Some("us-east-1".into()),
        };
        let without_policy = Endpoint { policy_document: None, ..expected.clone() };
        assert_eq!(endpoint(sdk.clone(), "exempt", true), Some(expected));
        assert_eq!(endpoint(sdk, "exempt", false), Some(without_policy));
    }

    #[test]
    fn only_associated_blocks_count() {
        let ipv6 = |block: &str, state: &str| {
            let state = types::SubnetCidrBlockState::builder().state(state.into()).build();
            types::SubnetIpv6CidrBlockAssociation::builder().ipv6_cidr_block(block).ipv6_cidr_block_state(state).build()
        };
        let sdk = types::Subnet::builder().subnet_id("subnet-1").vpc_id("vpc-1").cidr_block("10.0.0.0/24");
        let sdk = sdk.availability_zone_id("euw1-az1");
        let sdk = (sdk.ipv6_cidr_block_association_set(ipv6("2001:db8:1::/64", "disassociated")))
            .ipv6_cidr_block_association_set(ipv6("2001:db8:2::/64", "associated"));
        let subnet = subnet(sdk.build(), "exempt").unwrap();
        assert_eq!(subnet.cidrs, ["10.0.0.0/24", "2001:db8:2::/64"]);
        assert!(subnet.blocks().eq(["10.0.0.0/24", "2001:db8:2::/64"]));
        assert_eq!(subnet.availability_zone_id.as_deref(), Some("euw1-az1"));

        let ipv4 = |block: &str, state: &str| {
            let state = types::VpcCidrBlockState::builder().state(state.into()).build();
            types::VpcCidrBlockAssociation::builder().cidr_block(block).cidr_block_state(state).build()
        };
        let sdk = types::Vpc::builder().vpc_id("vpc-1").cidr_block("10.1.0.0/16");
        let sdk = (sdk.cidr_block_association_set(ipv4("10.0.0.0/16", "associated")))
            .cidr_block_association_set(ipv4("10.1.0.0/16", "associated"))
            .cidr_block_association_set(ipv4("10.2.0.0/16", "failed"));
        assert_eq!(vpc(sdk.build(), "exempt").unwrap().cidrs, ["10.1.0.0/16", "10.0.0.0/16"]);
    }

    #[test]
    fn a_security_group_has_the_sources_of_its_rules() {
        let rule = types::IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(443)
            .to_port(443)
            .ip_ranges(types::IpRange::builder().cidr_ip("10.0.0.0/8").build())
            .ipv6_ranges(types::Ipv6Range::builder().cidr_ipv6("::/0").build())
            .user_id_group_pairs(types::UserIdGroupPair::builder().group_id("sg-2").build())
            .prefix_list_ids(types::PrefixListId::builder().prefix_list_id("pl-1").build())
            .build();
        let sdk = types::SecurityGroup::builder().group_id("sg-1").group_name("default").vpc_id("vpc-1");
        let expected = SecurityGroup {
            id: "sg-1".into(),
            name: Some("default".into()),
            vpc_id: "vpc-1".into(),
            is_default: true,
            ingress: vec![IngressRule {
                protocol: "tcp".into(),
                from_port: Some(443),
                to_port: Some(443),
                sources: vec![
                    TrafficSource::Cidr("10.0.0.0/8".into()),
                    TrafficSource::Cidr("::/0".into()),
                    TrafficSource::Group("sg-2".into()),
                    TrafficSource::PrefixList("pl-1".into()),
                ],
            }],
        };
        assert_eq!(security_group(sdk.ip_permissions(rule).build()), Some(expected));
    }
}
