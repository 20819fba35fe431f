//! What the function answers to a direct invocation.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::BTreeSet;

use crate::{
    alerts::history::HistoryState,
    checks::{
        exemption::{Exempt, UnreadableExemption},
        finding::Finding,
        gateway_endpoint::rule::Verdict,
    },
    events::scope::{Resolved, Scope},
    messages::json::{answer, name::Name},
    network::{model::Network, not_assessed::NotAssessed},
};

/// What was checked and what was found. Lists are sorted by id, so the same network always gives the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the payload affected.
    pub scope: Scope,
    /// How much was judged.
    pub checked: Checked,
    /// The findings of every severity.
    pub findings: Vec<Finding>,
    /// What lacks a gateway route and needs none.
    pub exempt: Vec<Exempt>,
    /// What could not be judged, and why: neither a finding nor covered.
    pub unassessed: BTreeSet<NotAssessed>,
    /// The ids that were named and that EC2 does not show: neither a finding nor covered.
    pub not_found: BTreeSet<String>,
    /// The exemption tags that cannot be read, and so exempt nothing.
    pub unreadable_exemptions: BTreeSet<UnreadableExemption>,
    /// Whether what is told is remembered, so that it is told once.
    pub ledger: HistoryState,
    /// How many messages were published.
    pub published: usize,
}

impl Report {
    /// The report on a scope and what was found in it.
    #[must_use]
    pub fn new(
        scope: Scope,
        network: &Network,
        resolved: Resolved,
        verdict: Verdict,
        ledger: HistoryState,
        published: usize,
    ) -> Self {
        let checked = Checked::count(network, &resolved);
        let Resolved { mut unassessed, not_found, .. } = resolved;
        let Verdict { findings, exempt, unassessed: ipv6_only, unreadable_exemptions } = verdict;
        unassessed.extend(ipv6_only);
        Self { scope, checked, findings, exempt, unassessed, not_found, unreadable_exemptions, ledger, published }
    }
}

/// How many resources were judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The VPCs of the tables.
    pub vpcs: usize,
    /// The subnets that use the tables.
    pub subnets: usize,
    /// The route tables. Edge tables are not among them.
    pub route_tables: usize,
}

impl Checked {
    /// Counts what was judged.
    #[must_use]
    pub fn count(network: &Network, resolved: &Resolved) -> Self {
        let effective = network.effective_tables();
        let judged = |id: &String| resolved.route_table_ids.contains(id);
        let tables = network.route_tables.iter().filter(|table| judged(&table.id));
        Self {
            vpcs: tables.clone().map(|table| &table.vpc_id).collect::<BTreeSet<_>>().len(),
            subnets: (network.subnets.iter())
                .filter(|subnet| effective.of(subnet).is_some_and(|table| judged(&table.id)))
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
            unassessed: report.unassessed.iter().map(Into::into).collect(),
            not_found: report.not_found.iter().cloned().collect(),
            unreadable_exemptions: report.unreadable_exemptions.iter().map(Into::into).collect(),
            ledger: Name(report.ledger),
            published: report.published,
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
    fn only_what_was_judged_counts() {
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
            Checked::count(&network, &Resolved { route_table_ids, ..Resolved::default() })
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
