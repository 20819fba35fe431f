//! Findings for the unit tests.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    finding::{Finding, Gap, MissingRoute, Problem},
    fix::Fix,
    severity::Severity,
    subject::{Subject, SubjectKind},
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
        subject: Subject { kind: SubjectKind::RouteTable, id: table.into(), name: None },
        severity: Severity::Medium,
        account: "123456789012".into(),
        region: REGION.into(),
        vpc_id: vpc_id.into(),
        subnets: Vec::new(),
        exemption: None,
        problem: Problem::MissingRoute(missing_route()),
    }
}

/// A missing route to S3 of a table without a default route. A new endpoint fixes it.
pub fn missing_route() -> MissingRoute {
    MissingRoute {
        service: GatewayService::S3,
        gap: Gap::NoEndpoint,
        is_main_table: false,
        egress: Target { kind: TargetKind::None, id: None },
        endpoint: None,
        interface_endpoint: None,
        fix: Fix::Create,
        cautions: BTreeSet::new(),
    }
}

/// The JSON object with these members changed. `null` removes a member.
pub fn with_changes(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}
