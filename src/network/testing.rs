//! Small networks for the unit tests.

use super::{
    account::AccountRegion,
    model::{Association, Endpoint, EndpointKind, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
    service::GatewayService,
};

/// The Region that all test networks are in.
pub const REGION: &str = "eu-west-1";

/// A VPC without tags.
pub fn vpc(id: &str) -> Vpc {
    Vpc { id: id.into(), ..Vpc::default() }
}

/// A subnet with ids only.
pub fn subnet(id: &str, vpc_id: &str) -> Subnet {
    Subnet { id: id.into(), vpc_id: vpc_id.into(), ..Subnet::default() }
}

/// A route table with only the local route, which every table has.
pub fn table(id: &str, vpc_id: &str) -> RouteTable {
    RouteTable {
        id: id.into(),
        vpc_id: vpc_id.into(),
        name: None,
        owner_id: Some("123456789012".into()),
        exemption: None,
        associations: Vec::new(),
        routes: vec![route("10.0.0.0/16", TargetKind::Local, "local")],
    }
}

/// The main route table of a VPC.
pub fn main_table(id: &str, vpc_id: &str) -> RouteTable {
    let main = Association { main: true, state: Some("associated".into()), ..Association::default() };
    RouteTable { associations: vec![main], ..table(id, vpc_id) }
}

/// A route table that is explicitly associated with one subnet.
pub fn table_of(id: &str, subnet: &Subnet) -> RouteTable {
    RouteTable { associations: vec![explicit(&subnet.id, "associated")], ..table(id, &subnet.vpc_id) }
}

/// An explicit association with a subnet.
pub fn explicit(subnet_id: &str, state: &str) -> Association {
    Association { subnet_id: Some(subnet_id.into()), state: Some(state.into()), ..Association::default() }
}

/// An active route.
pub fn route(destination: &str, kind: TargetKind, id: &str) -> Route {
    Route { destination: Some(destination.into()), target: Target { kind, id: Some(id.into()) }, active: true }
}

/// An available gateway endpoint that lists these tables. Add the routes to the tables with [`route_to`].
pub fn gateway_endpoint(id: &str, vpc_id: &str, service: GatewayService, tables: &[&str]) -> Endpoint {
    Endpoint {
        id: id.into(),
        vpc_id: vpc_id.into(),
        kind: EndpointKind::Gateway,
        service_name: service.endpoint_service_name(REGION),
        state: "available".into(),
        route_table_ids: tables.iter().map(|&table| table.into()).collect(),
        ..Endpoint::default()
    }
}

/// An available interface endpoint of this account, with private DNS names and without subnets or groups. `service` is a
/// short name, such as `ssm`.
pub fn interface_endpoint(id: &str, vpc_id: &str, service: &str) -> Endpoint {
    Endpoint {
        id: id.into(),
        vpc_id: vpc_id.into(),
        kind: EndpointKind::Interface,
        service_name: format!("com.amazonaws.{REGION}.{service}"),
        state: "available".into(),
        owner_id: Some("123456789012".into()),
        private_dns_enabled: true,
        ..Endpoint::default()
    }
}

/// The route that EC2 adds to a table for a gateway endpoint.
pub fn route_to(endpoint: &Endpoint) -> Route {
    route("pl-0a1b2c3d", TargetKind::VpcEndpoint, &endpoint.id)
}

/// The account and Region that all test networks are in.
pub fn account_region() -> AccountRegion {
    AccountRegion { partition: "aws".into(), account: Some("123456789012".into()), region: REGION.into() }
}
