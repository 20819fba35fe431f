//! What a message for people contains, before a format renders it: the alerts of one VPC, grouped and ordered, and the
//! fixes for them. The e-mail and the chat card show the same content.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use super::{alert_group::AlertGroup, remediation};
use crate::{
    alerts::alert::Alert,
    checks::{
        finding::{Finding, SubnetRef},
        fix::Fix,
    },
    network::service::GatewayService,
};

/// Alerts about one route table that differ only in the service: a message describes them together. Never empty.
#[derive(Clone, Debug)]
pub(super) struct Group<'a> {
    /// Has what all of them have in common.
    first: &'a Alert,
    /// All of them, the first one included.
    alerts: Vec<&'a Alert>,
}

/// The alerts of a message, grouped: open before resolved, the most severe first.
pub(super) fn groups<'a>(message: &AlertGroup<'a>) -> Vec<Group<'a>> {
    let mut alerts = message.alerts.clone();
    alerts.sort_by_key(|alert| (alert.is_resolved(), Reverse(alert.severity())));
    let mut groups: Vec<Group<'a>> = Vec::new();
    for alert in alerts {
        match groups.last_mut() {
            Some(group) if group.accepts(alert) => group.alerts.push(alert),
            _ => groups.push(Group { first: alert, alerts: vec![alert] }),
        }
    }
    for group in &mut groups {
        group.alerts.sort_by_key(|alert| Reverse(alert.service()));
    }
    groups
}

impl<'a> Group<'a> {
    fn accepts(&self, alert: &Alert) -> bool {
        let resolution = |alert: &Alert| alert.resolved_finding().map(|resolved| resolved.resolution.clone());
        self.first.route_table().id == alert.route_table().id
            && self.first.severity() == alert.severity()
            && self.first.egress() == alert.egress()
            && (self.first.change(), self.first.since()) == (alert.change(), alert.since())
            && resolution(self.first) == resolution(alert)
            && self.first.subnets() == alert.subnets()
    }

    /// The alert that has what all of them have in common.
    pub(super) fn first(&self) -> &'a Alert {
        self.first
    }

    /// All alerts, S3 before DynamoDB.
    pub(super) fn alerts(&self) -> impl Iterator<Item = &'a Alert> {
        self.alerts.iter().copied()
    }

    /// The findings that are open.
    pub(super) fn open_findings(&self) -> impl Iterator<Item = &'a Finding> {
        self.alerts().filter_map(Alert::open_finding)
    }

    /// The id of the route table.
    pub(super) fn table_id(&self) -> &'a str {
        &self.first.route_table().id
    }

    /// The subnets that are affected, or were.
    pub(super) fn subnets(&self) -> &'a [SubnetRef] {
        self.first.subnets()
    }

    /// Whether the problem is gone.
    pub(super) fn is_resolved(&self) -> bool {
        self.first.is_resolved()
    }

    /// The ids of the findings.
    pub(super) fn finding_ids(&self) -> BTreeSet<String> {
        self.alerts().map(|alert| alert.finding_id().to_owned()).collect()
    }

    /// `RESOLVED`, or the severity.
    pub(super) fn label(&self) -> &'static str {
        if self.is_resolved() { "RESOLVED" } else { self.first.severity().name() }
    }

    /// The services, each once, S3 before DynamoDB.
    pub(super) fn services(&self) -> Vec<GatewayService> {
        services(self.alerts())
    }
}

/// The services of these alerts, each once, S3 before DynamoDB: the order in which people say them.
pub(super) fn services<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<GatewayService> {
    let services: BTreeSet<GatewayService> = alerts.map(Alert::service).collect();
    services.into_iter().rev().collect()
}

/// The ids of the route tables of these alerts.
pub(super) fn tables<'a>(alerts: impl Iterator<Item = &'a Alert>) -> BTreeSet<&'a str> {
    alerts.map(|alert| alert.route_table().id.as_str()).collect()
}

/// One fix, for one or more route tables.
#[derive(Clone, Debug)]
pub(super) struct TableFix<'a> {
    /// A finding that it fixes.
    finding: &'a Finding,
    /// The route tables that it is for. Never empty.
    pub(super) tables: Vec<&'a str>,
}

impl TableFix<'_> {
    /// The service.
    pub(super) fn service(&self) -> GatewayService {
        self.finding.service
    }

    /// Whether there is nothing to change before the state of the endpoint has changed.
    pub(super) fn is_wait(&self) -> bool {
        matches!(self.finding.fix, Fix::Wait(_))
    }

    /// The commands. `None` where an id is not shaped as AWS shapes it.
    pub(super) fn commands(&self) -> Option<Vec<String>> {
        remediation::commands(self.finding, &self.tables)
    }
}

/// The fixes for these groups. None for what is resolved.
///
/// Route tables that need the same change of the same endpoint share one fix: separate commands would create one endpoint
/// per table, or delete the same endpoint twice.
pub(super) fn fixes<'a>(groups: &[Group<'a>]) -> Vec<TableFix<'a>> {
    let mut fixes: Vec<TableFix<'a>> = Vec::new();
    let mut shared: HashMap<(GatewayService, &Fix), usize> = HashMap::new();
    for finding in groups.iter().flat_map(Group::open_findings) {
        let table = finding.route_table.id.as_str();
        let is_shareable = match finding.fix {
            Fix::Create | Fix::AddTable(_) | Fix::Replace { .. } => remediation::commands(finding, &[table]).is_some(),
            Fix::ReattachTable(_) | Fix::Wait(_) => false,
        };
        let position = is_shareable.then(|| *shared.entry((finding.service, &finding.fix)).or_insert(fixes.len()));
        match position.and_then(|position| fixes.get_mut(position)) {
            Some(fix) => fix.tables.push(table),
            None => fixes.push(TableFix { finding, tables: vec![table] }),
        }
    }
    fixes
}
