//! Findings for the unit tests.

use std::collections::BTreeSet;

use super::{
    finding::{Finding, Gap, TableRef},
    fix::Fix,
    severity::Severity,
};
use crate::network::{
    model::{Target, TargetKind},
    service::GatewayService,
    testing::REGION,
};

/// A finding for S3 with medium severity and no subnets. A new endpoint fixes it.
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
        cautions: BTreeSet::new(),
    }
}
