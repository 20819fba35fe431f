//! Alert records and alert histories for the unit tests.

use super::{
    alert::OpenChange,
    history::{AlertHistory, AlertRecord, RecordState},
    recorded::{Recorded, RecordedProblem, RecordedRoute},
};
use crate::{
    channel::Channel,
    checks::{
        finding::Gap,
        severity::Severity,
        subject::{Subject, SubjectKind},
    },
    error::Error,
    network::{
        model::{Target, TargetKind},
        service::GatewayService,
    },
};

/// The record of an open finding for S3 on this table, with these subnets.
pub fn record(vpc_id: &str, table: &str, subnets: &[&str]) -> AlertRecord {
    let moment = jiff::Timestamp::constant(1_795_168_800, 0);
    AlertRecord {
        finding_id: format!("{table} s3"),
        subject: Subject { kind: SubjectKind::RouteTable, id: table.into(), name: None },
        account: "123456789012".into(),
        vpc_id: vpc_id.into(),
        severity: Severity::High,
        worst_severity: Severity::High,
        subnet_ids: subnets.iter().map(|&id| id.into()).collect(),
        problem: RecordedProblem::MissingRoute(recorded_route()),
        state: RecordState::Open(OpenChange::Opened),
        since: moment,
        notified_at: moment,
        undelivered: [].into(),
        notified: Channel::ALL.into(),
        incident_started_at: moment,
    }
}

/// A missing route to S3 of a table behind a NAT gateway.
pub fn recorded_route() -> RecordedRoute {
    RecordedRoute {
        service: GatewayService::S3,
        gap: Recorded::Known(Gap::NoEndpoint),
        is_main_table: false,
        egress: Target { kind: TargetKind::NatGateway, id: None },
    }
}

/// An alert history that could not be read.
pub fn unavailable() -> AlertHistory {
    AlertHistory::Unavailable(Error::LedgerFailed("Query: timed out".into()))
}
