//! The report: the answer to a direct invocation.

use std::collections::BTreeSet;

use crate::{
    alerts::history::HistoryState,
    channel::Channel,
    checks::{
        exemption::{Exempt, UnreadableExemption},
        finding::Finding,
        gateway_endpoint::rule::Verdict,
    },
    events::scope::{Scope, TablesInScope},
    messages::json::{answer, name::Name},
    network::{model::Network, not_assessed::NotAssessed},
};

/// What was checked and what was found. Lists are sorted by id, so the same network always gives the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the payload affects.
    pub scope: Scope,
    /// How much was checked.
    pub checked: Checked,
    /// The findings of every severity.
    pub findings: Vec<Finding>,
    /// Findings suppressed by an exemption tag.
    pub exempt: Vec<Exempt>,
    /// Subnets that could not be assessed, and why: neither a finding nor covered.
    pub not_assessed: BTreeSet<NotAssessed>,
    /// Ids that the payload names and EC2 does not show: neither a finding nor covered.
    pub not_found: BTreeSet<String>,
    /// Exemption tags with a value that cannot be read. They exempt nothing.
    pub unreadable_exemptions: BTreeSet<UnreadableExemption>,
    /// What was sent.
    pub sent: Sent,
}

/// What an invocation sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Whether alerts are recorded in the alert history, so that each is sent once.
    pub history: HistoryState,
    /// The number of messages that were published.
    pub published: usize,
    /// The channels that an alert was due on, and whose topic has no confirmed subscription.
    pub without_subscribers: BTreeSet<Channel>,
}

impl Report {
    /// Combines the scope, the tables in it and the result of checking them into a report.
    #[must_use]
    pub fn new(scope: Scope, network: &Network, tables: TablesInScope, verdict: Verdict, sent: Sent) -> Self {
        let checked = Checked::count(network, &tables);
        let TablesInScope { mut not_assessed, not_found, .. } = tables;
        let Verdict { findings, exempt, not_assessed: ipv6_only, unreadable_exemptions } = verdict;
        not_assessed.extend(ipv6_only);
        Self { scope, checked, findings, exempt, not_assessed, not_found, unreadable_exemptions, sent }
    }
}

/// How many resources were checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The VPCs of the checked tables.
    pub vpcs: usize,
    /// The subnets that use the checked tables.
    pub subnets: usize,
    /// The checked route tables. Edge tables are not checked.
    pub route_tables: usize,
}

impl Checked {
    /// Counts the tables in scope, their VPCs and the subnets that use them.
    #[must_use]
    pub fn count(network: &Network, tables: &TablesInScope) -> Self {
        let effective = network.effective_tables();
        let is_checked = |id: &String| tables.route_table_ids.contains(id);
        let tables = network.route_tables.iter().filter(|table| is_checked(&table.id));
        Self {
            vpcs: tables.clone().map(|table| &table.vpc_id).collect::<BTreeSet<_>>().len(),
            subnets: (network.subnets.iter())
                .filter(|subnet| effective.of(subnet).is_some_and(|table| is_checked(&table.id)))
                .count(),
            route_tables: tables.count(),
        }
    }
}

impl From<&Report> for answer::Report {
    fn from(report: &Report) -> Self {
        Self {
            scope: (&report.scope).into(),
            checked: answer::Checked {
                vpcs: report.checked.vpcs,
                subnets: report.checked.subnets,
                route_tables: report.checked.route_tables,
            },
            findings: report.findings.iter().map(Into::into).collect(),
            exempt: report.exempt.iter().map(Into::into).collect(),
            unassessed: report.not_assessed.iter().map(Into::into).collect(),
            not_found: report.not_found.iter().cloned().collect(),
            unreadable_exemptions: report.unreadable_exemptions.iter().map(Into::into).collect(),
            ledger: Name(report.sent.history),
            published: report.sent.published,
            without_subscribers: report.sent.without_subscribers.iter().copied().map(Name).collect(),
            omitted: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        network::testing::{main_table, subnet, table_of, vpc},
        schemas::assert_answer,
    };

    #[test]
    fn only_checked_resources_are_counted() {
        let (a, b) = ("vpc-0000000a", "vpc-0000000b");
        let (private, implicit, other) =
            (subnet("subnet-0000000a", a), subnet("subnet-0000000b", a), subnet("subnet-0000000c", b));
        let network = Network {
            vpcs: vec![vpc(a), vpc(b)],
            route_tables: vec![
                main_table("rtb-0000000a", a),
                table_of("rtb-0000000b", &private),
                main_table("rtb-0000000c", b),
            ],
            subnets: vec![private, implicit, other],
            endpoints: Vec::new(),
        };
        let checked = |tables: &[&str]| {
            let route_table_ids = tables.iter().map(|&id| id.to_owned()).collect();
            Checked::count(&network, &TablesInScope { route_table_ids, ..TablesInScope::default() })
        };
        assert_eq!(checked(&["rtb-0000000a"]), Checked { vpcs: 1, subnets: 1, route_tables: 1 });
        assert_eq!(checked(&["rtb-0000000a", "rtb-0000000b"]), Checked { vpcs: 1, subnets: 2, route_tables: 2 });
        assert_eq!(checked(&["rtb-0000000b", "rtb-0000000c"]), Checked { vpcs: 2, subnets: 2, route_tables: 2 });
        assert_eq!(checked(&[]), Checked::default());
    }

    #[test]
    fn an_empty_report_has_every_list() {
        let report = serde_json::to_value(answer::Report::from(&Report::default())).unwrap();
        assert_answer(&report);
        assert_eq!(
            report,
            json!({
                "scope": {"vpcIds": [], "subnetIds": [], "routeTableIds": [], "vpcEndpointIds": []},
                "checked": {"vpcs": 0, "subnets": 0, "routeTables": 0},
                "findings": [], "exempt": [], "unassessed": [], "notFound": [], "unreadableExemptions": [],
                "ledger": "off", "published": 0
            })
        );
    }
}
