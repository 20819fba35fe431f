//! Small networks for the unit tests.

use crate::{
    error::Error,
    finding::{Finding, Gap, TableRef},
    home::Home,
    ledger::{AlertHistory, AlertRecord, RecordState, Recorded},
    notice::OpenChange,
    remediation::Fix,
    service::GatewayService,
    severity::Severity,
    vpc::{Association, Endpoint, EndpointKind, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
};

/// The Region that all test networks are in.
pub const REGION: &str = "eu-west-1";

pub fn vpc(id: &str) -> Vpc {
    Vpc { id: id.into(), name: None, exemption: None }
}

pub fn subnet(id: &str, vpc_id: &str) -> Subnet {
    Subnet {
        id: id.into(),
        vpc_id: vpc_id.into(),
        name: None,
        availability_zone: None,
        cidr: None,
        owner_id: None,
        ipv6_native: false,
        exemption: None,
    }
}

/// A table with the route to its own VPC that every table has.
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

pub fn main_table(id: &str, vpc_id: &str) -> RouteTable {
    let main = Association { main: true, state: Some("associated".into()), ..Association::default() };
    RouteTable { associations: vec![main], ..table(id, vpc_id) }
}

/// A table that is explicitly associated with one subnet.
pub fn table_of(id: &str, subnet: &Subnet) -> RouteTable {
    RouteTable { associations: vec![explicit(&subnet.id, "associated")], ..table(id, &subnet.vpc_id) }
}

pub fn explicit(subnet_id: &str, state: &str) -> Association {
    Association { subnet_id: Some(subnet_id.into()), state: Some(state.into()), ..Association::default() }
}

pub fn route(destination: &str, kind: TargetKind, id: &str) -> Route {
    Route { destination: Some(destination.into()), target: Target { kind, id: Some(id.into()) }, active: true }
}

/// An available gateway endpoint that lists these tables. The tables get their routes from [`route_to`].
pub fn gateway_endpoint(id: &str, vpc_id: &str, service: GatewayService, tables: &[&str]) -> Endpoint {
    Endpoint {
        id: id.into(),
        vpc_id: vpc_id.into(),
        kind: EndpointKind::Gateway,
        service_name: service.endpoint_service_name(REGION),
        state: "available".into(),
        route_table_ids: tables.iter().map(|&table| table.into()).collect(),
        ip_address_type: None,
    }
}

/// The route that EC2 adds to a table for a gateway endpoint.
pub fn route_to(endpoint: &Endpoint) -> Route {
    route("pl-0a1b2c3d", TargetKind::VpcEndpoint, &endpoint.id)
}

/// The record of an open finding for S3 on this table, with these subnets.
pub fn record(vpc_id: &str, table: &str, subnets: &[&str]) -> AlertRecord {
    let moment = jiff::Timestamp::constant(1_795_168_800, 0);
    AlertRecord {
        finding_id: format!("{table} s3"),
        account: "123456789012".into(),
        vpc_id: vpc_id.into(),
        route_table: TableRef { id: table.into(), name: None, main: false },
        service: GatewayService::S3,
        gap: Recorded::Known(Gap::NoEndpoint),
        severity: Severity::High,
        worst_severity: Severity::High,
        subnet_ids: subnets.iter().map(|&id| id.into()).collect(),
        egress: Target { kind: TargetKind::NatGateway, id: None },
        state: RecordState::Open(OpenChange::Opened),
        since: moment,
        notified_at: moment,
        undelivered: [].into(),
        not_notified: [].into(),
        incident_started_at: moment,
    }
}

/// An alert history that could not be read.
pub fn unavailable() -> AlertHistory {
    AlertHistory::Unavailable(Error::LedgerFailed("Query: timed out".into()))
}

/// The account and Region that all test networks are in.
pub fn home() -> Home {
    Home { partition: "aws".into(), account: Some("123456789012".into()), region: REGION.into() }
}

/// A finding for S3 of medium severity, without subnets, that a new endpoint fixes.
pub fn finding(vpc_id: &str, table: &str) -> Finding {
    Finding {
        id: format!("{table} s3"),
        service: GatewayService::S3,
        gap: Gap::NoEndpoint,
        severity: Severity::Medium,
        account: "123456789012".into(),
        region: REGION.into(),
        vpc_id: vpc_id.into(),
        route_table: TableRef { id: table.into(), name: None, main: false },
        subnets: Vec::new(),
        egress: Target { kind: TargetKind::None, id: None },
        endpoint: None,
        interface_endpoint: None,
        fix: Fix::Create,
    }
}
