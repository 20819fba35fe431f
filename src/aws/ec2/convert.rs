//! Converts the SDK's types to the network model. A resource without its ids gives `None`.

use aws_sdk_ec2::types;

use crate::network::model::{
    Association, Endpoint, EndpointKind, NatGateway, Route, RouteTable, Subnet, Target, TargetKind, Vpc,
};

pub(super) fn vpc(vpc: types::Vpc, exempt_tag: &str) -> Option<Vpc> {
    Some(Vpc { name: name(vpc.tags()), exemption: tag(vpc.tags(), exempt_tag), id: vpc.vpc_id?, ..Vpc::default() })
}

pub(super) fn subnet(subnet: types::Subnet, exempt_tag: &str) -> Option<Subnet> {
    let ipv6_cidr = subnet
        .ipv6_cidr_block_association_set()
        .iter()
        .find_map(types::SubnetIpv6CidrBlockAssociation::ipv6_cidr_block);
    Some(Subnet {
        name: name(subnet.tags()),
        exemption: tag(subnet.tags(), exempt_tag),
        ipv6_native: subnet.ipv6_native().unwrap_or_default(),
        cidr: subnet.cidr_block().filter(|cidr| !cidr.is_empty()).or(ipv6_cidr).map(str::to_owned),
        availability_zone: subnet.availability_zone,
        owner_id: subnet.owner_id,
        vpc_id: subnet.vpc_id?,
        id: subnet.subnet_id?,
        ..Subnet::default()
    })
}

pub(super) fn route_table(table: types::RouteTable, exempt_tag: &str) -> Option<RouteTable> {
    Some(RouteTable {
        name: name(table.tags()),
        exemption: tag(table.tags(), exempt_tag),
        associations: table.associations().iter().map(association).collect(),
        routes: table.routes().iter().map(route).collect(),
        owner_id: table.owner_id,
        vpc_id: table.vpc_id?,
        id: table.route_table_id?,
    })
}

/// The exemption tag has no meaning on an endpoint.
pub(super) fn endpoint(endpoint: types::VpcEndpoint, _: &str) -> Option<Endpoint> {
    Some(Endpoint {
        kind: match endpoint.vpc_endpoint_type() {
            Some(types::VpcEndpointType::Gateway) => EndpointKind::Gateway,
            Some(types::VpcEndpointType::Interface) => EndpointKind::Interface,
            _ => EndpointKind::Other,
        },
        // The text, not the enum: EC2 writes `available` where the SDK's `State::Available` expects a capital letter.
        state: endpoint.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        route_table_ids: endpoint.route_table_ids().to_vec(),
        ip_address_type: endpoint.ip_address_type().map(|kind| kind.as_str().to_ascii_lowercase()),
        service_name: endpoint.service_name.unwrap_or_default(),
        vpc_id: endpoint.vpc_id?,
        id: endpoint.vpc_endpoint_id?,
        ..Endpoint::default()
    })
}

/// The exemption tag has no meaning on a NAT gateway.
pub(super) fn nat_gateway(gateway: types::NatGateway, _: &str) -> Option<NatGateway> {
    use types::NatGatewayState::{Deleted, Deleting, Failed};
    Some(NatGateway {
        is_gone: matches!(gateway.state(), Some(Deleting | Deleted | Failed)),
        route_table_id: gateway.route_table_id,
        id: gateway.nat_gateway_id?,
    })
}

fn association(association: &types::RouteTableAssociation) -> Association {
    let state = association.association_state().and_then(types::RouteTableAssociationState::state);
    Association {
        main: association.main().unwrap_or_default(),
        subnet_id: association.subnet_id().map(str::to_owned),
        gateway_id: association.gateway_id().map(str::to_owned),
        state: state.map(|state| state.as_str().to_owned()),
    }
}

fn route(route: &types::Route) -> Route {
    let destination =
        (route.destination_cidr_block()).or(route.destination_ipv6_cidr_block()).or(route.destination_prefix_list_id());
    Route {
        destination: destination.map(str::to_owned),
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
        assert_eq!(cidr(sdk.cidr_block("10.0.0.0/24")), Some("10.0.0.0/24".into()));
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
            assert_eq!(nat_gateway(sdk, "exempt"), Some(expected), "{state:?}");
        }
    }

    #[test]
    fn an_edge_association_names_its_gateway() {
        let sdk = types::RouteTableAssociation::builder().gateway_id("nat-1").main(false).build();
        assert_eq!(association(&sdk), Association { gateway_id: Some("nat-1".into()), ..Association::default() });
    }

    #[test]
    fn a_resource_without_its_ids_is_none() {
        assert_eq!(nat_gateway(types::NatGateway::builder().route_table_id("rtb-1").build(), "exempt"), None);
        assert_eq!(vpc(types::Vpc::builder().build(), "exempt"), None);
        assert_eq!(subnet(types::Subnet::builder().subnet_id("subnet-1").build(), "exempt"), None);
        assert_eq!(route_table(types::RouteTable::builder().vpc_id("vpc-1").build(), "exempt"), None);
        assert_eq!(endpoint(types::VpcEndpoint::builder().vpc_endpoint_id("vpce-1").build(), "exempt"), None);
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
}
