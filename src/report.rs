//! What the function answers to a direct invocation.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    evaluate::Verdict,
    exemption::{Exempt, UnreadableExemption},
    finding::Finding,
    ledger::LedgerState,
    scope::{Resolved, Scope},
    unassessed::Unassessed,
    vpc::Network,
};

/// What was checked and what was found. Lists are sorted by id, so the same network always gives the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What the payload touched.
    pub scope: Scope,
    /// How much was judged.
    pub checked: Checked,
    /// The findings of every severity.
    pub findings: Vec<Finding>,
    /// What lacks a gateway route and needs none.
    pub exempt: Vec<Exempt>,
    /// What could not be judged, and why: neither a finding nor covered.
    pub unassessed: BTreeSet<Unassessed>,
    /// The ids that were named and that EC2 does not show: neither a finding nor covered.
    pub not_found: BTreeSet<String>,
    /// The exemption tags that cannot be read, and so exempt nothing.
    pub unreadable_exemptions: BTreeSet<UnreadableExemption>,
    /// Whether what is told is remembered, so that it is told once.
    pub ledger: LedgerState,
    /// How many messages were published.
    pub published: usize,
    /// How many findings were left out of the answer because it would have been too large. They were published like the
    /// others. Absent where all are there.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted: usize,
}

/// The largest answer that Lambda takes: 6 MB, less something for the frame
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MAX_ANSWER: usize = 6 * 1024 * 1024 - 64 * 1024;

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Report {
    /// The report on a scope and what it came down to. Nothing has been published yet.
    #[must_use]
    pub fn new(scope: Scope, network: &Network, resolved: Resolved, verdict: Verdict) -> Self {
        let checked = Checked::count(network, &resolved);
        let Resolved { mut unassessed, not_found, .. } = resolved;
        let Verdict { findings, exempt, unassessed: ipv6_only, unreadable_exemptions } = verdict;
        unassessed.extend(ipv6_only);
        Self {
            scope,
            checked,
            findings,
            exempt,
            unassessed,
            not_found,
            unreadable_exemptions,
            ledger: LedgerState::Off,
            published: 0,
            omitted: 0,
        }
    }

    /// Leaves out the last findings where the answer would be too large. Lambda would refuse it whole, take the
    /// invocation for failed and run it again, and every message would be sent again with it.
    #[must_use]
    pub fn fitted(mut self) -> Self {
        let findings = std::mem::take(&mut self.findings);
        let count = findings.len();
        let mut room = MAX_ANSWER.saturating_sub(json_size(&self));
        self.findings = findings
            .into_iter()
            .take_while(|finding| {
                let size = json_size(finding) + ",".len();
                let fits = size <= room;
                room = room.saturating_sub(size);
                fits
            })
            .collect();
        self.omitted = count - self.findings.len();
        self
    }
}

fn json_size(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// How many resources were judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evaluate::evaluate,
        home::Home,
        service::GatewayService,
        testing::{REGION, main_table, subnet, table_of, vpc},
    };

    /// A report on so many tables, each with a finding of some kilobytes.
    fn large(tables: usize) -> Report {
        let network = Network {
            route_tables: (0..tables)
                .map(|n| crate::vpc::RouteTable {
                    name: Some("n".repeat(2000)),
                    ..main_table(&format!("rtb-{n:08x}"), &format!("vpc-{n:08x}"))
                })
                .collect(),
            ..Network::default()
        };
        let home = Home { partition: "aws".into(), account: None, region: REGION.into() };
        let resolved = Scope::region().resolve(&network, &home);
        let required = [GatewayService::S3].into();
        let verdict = evaluate(&network, &resolved.route_table_ids, &required, &home, jiff::civil::date(2026, 11, 23));
        Report::new(Scope::region(), &network, resolved, verdict)
    }

    #[test]
    fn a_report_that_fits_is_left_alone() {
        let report = large(100);
        assert_eq!(report.clone().fitted(), report);
    }

    #[test]
    fn a_report_that_is_too_large_says_how_much_it_leaves_out() {
        let report = large(3000);
        let fitted = report.clone().fitted();
        assert_eq!(fitted.findings, report.findings[..fitted.findings.len()]);
        assert_eq!(fitted.findings.len() + fitted.omitted, 3000);
        let json = serde_json::to_value(&fitted).unwrap();
        assert_eq!(json["omitted"], fitted.omitted);
        let size = json.to_string().len();
        assert!((6_000_000..6 * 1024 * 1024).contains(&size), "{size}");
    }

    #[test]
    fn an_empty_report_has_every_list() {
        assert_eq!(
            serde_json::to_value(Report::default()).unwrap(),
            serde_json::json!({
                "scope": {"vpcIds": [], "subnetIds": [], "routeTableIds": [], "vpcEndpointIds": []},
                "checked": {"vpcs": 0, "subnets": 0, "routeTables": 0},
                "findings": [], "exempt": [], "unassessed": [], "notFound": [], "unreadableExemptions": [],
                "ledger": "off", "published": 0
            })
        );
    }

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
    fn a_report_takes_the_findings_that_fit_to_the_byte() {
        let mut report = large(2);
        // What is kept free for a comma after the last finding.
        let free = 6 * 1024 * 1024 - 64 * 1024 - serde_json::to_string(&report).unwrap().len() - ",".len();
        report.findings[1].reason.push_str(&"x".repeat(free));
        assert_eq!(report.clone().fitted().omitted, 0);
        report.findings[1].reason.push('x');
        assert_eq!(report.fitted().omitted, 1);
    }
}
