//! The report: the answer to a direct invocation.

use std::collections::BTreeSet;

use crate::{
    alerts::history::HistoryState,
    channel::Channel,
    checks::{
        endpoint_problem::{EndpointVerdict, ExemptProblem, Unassessed},
        exemption::{Exempt, UnreadableExemption},
        finding::Finding,
        gateway_endpoint::rule::Verdict,
    },
    events::{
        part::NextPart,
        scope::{Scope, TablesInScope},
    },
    messages::json::{answer, name::Name},
    network::{account::AccountRegion, enrollment::NotEnrolled, model::Network, not_assessed::NotAssessed},
};

/// What was checked and what was found. Lists are sorted by id, so the same network always gives the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the payload affects.
    pub scope: Scope,
    /// How much was checked.
    pub checked: Checked,
    /// The findings of all checks, of every severity.
    pub findings: Vec<Finding>,
    /// Missing gateway routes that an exemption tag suppresses.
    pub exempt: Vec<Exempt>,
    /// Problems of endpoints that an exemption tag suppresses.
    pub exempt_problems: Vec<ExemptProblem>,
    /// Subnets that could not be assessed, and why: neither a finding nor covered.
    pub not_assessed: BTreeSet<NotAssessed>,
    /// What the checks of endpoints could not judge, and why: neither a finding nor in order.
    pub unassessed: BTreeSet<Unassessed>,
    /// Ids that the payload names and EC2 does not show: neither a finding nor covered.
    pub not_found: BTreeSet<String>,
    /// Exemption tags with a value that cannot be read. They exempt nothing.
    pub unreadable_exemptions: BTreeSet<UnreadableExemption>,
    /// What was sent.
    pub sent: Sent,
    /// The account and Region, if the function keeps markers.
    pub member: Option<Member>,
    /// Where to go on, if this is a part of a Region and not the last one.
    pub next: Option<NextPart>,
}

/// The account and Region that a function with markers has checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account and Region.
    pub account_region: AccountRegion,
    /// Why nothing could be read there. `None` if it was checked.
    pub not_enrolled: Option<NotEnrolled>,
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
        Self {
            scope,
            checked,
            findings,
            exempt,
            not_assessed,
            not_found,
            unreadable_exemptions,
            sent,
            ..Self::default()
        }
    }

    /// Adds the result of the checks of endpoints.
    #[must_use]
    pub fn with_endpoints(mut self, verdict: EndpointVerdict) -> Self {
        let EndpointVerdict { judged_endpoints, problems, exempt, unassessed, unreadable_exemptions } = verdict;
        self.findings.extend(problems.into_iter().map(Finding::from));
        self.findings.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        self.checked.endpoints = judged_endpoints;
        self.exempt_problems = exempt;
        self.exempt_problems.sort_by(|a, b| (&a.vpc_id, a).cmp(&(&b.vpc_id, b)));
        self.unassessed = unassessed;
        self.unreadable_exemptions.extend(unreadable_exemptions);
        self
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
    /// The endpoints that the checks of endpoints judged.
    pub endpoints: usize,
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
            endpoints: 0,
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
                endpoints: report.checked.endpoints,
            },
            findings: report.findings.iter().map(Into::into).collect(),
            exempt: (report.exempt.iter().map(Into::into))
                .chain(report.exempt_problems.iter().map(Into::into))
                .collect(),
            unassessed: (report.not_assessed.iter().map(Into::into))
                .chain(report.unassessed.iter().map(Into::into))
                .collect(),
            not_found: report.not_found.iter().cloned().collect(),
            unreadable_exemptions: report.unreadable_exemptions.iter().map(Into::into).collect(),
            ledger: Name(report.sent.history),
            published: report.sent.published,
            without_subscribers: report.sent.without_subscribers.iter().copied().map(Name).collect(),
            omitted: 0,
            account: report.member.as_ref().and_then(|member| member.account_region.account.clone()),
            region: report.member.as_ref().map(|member| member.account_region.region.clone()),
            not_enrolled: (report.member.as_ref().and_then(|member| member.not_enrolled))
                .map(|reason| answer::NotEnrolled { reason: Name(reason) }),
            next: report.next.as_ref().map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        checks::{
            check::CheckName,
            endpoint_problem::{Defect, EndpointFix, EndpointProblem, Evidence, UnassessedReason},
            severity::Severity,
            subject::{Subject, SubjectKind},
            testing,
        },
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
        assert_eq!(checked(&["rtb-0000000a"]), Checked { vpcs: 1, subnets: 1, route_tables: 1, endpoints: 0 });
        assert_eq!(
            checked(&["rtb-0000000a", "rtb-0000000b"]),
            Checked { vpcs: 1, subnets: 2, route_tables: 2, endpoints: 0 }
        );
        assert_eq!(
            checked(&["rtb-0000000b", "rtb-0000000c"]),
            Checked { vpcs: 2, subnets: 2, route_tables: 2, endpoints: 0 }
        );
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

    #[test]
    fn the_result_of_the_checks_of_endpoints_joins_the_report() {
        let subject = |id: &str| Subject { kind: SubjectKind::VpcEndpoint, id: id.into(), name: None };
        let (check, service) = (CheckName::EndpointState, "com.amazonaws.eu-west-1.ssm");
        let vpc_id = Some("vpc-0000000a".to_owned());
        let problem = EndpointProblem {
            id: "0".repeat(64),
            check,
            subject: subject("vpce-0000000a"),
            service: service.into(),
            defect: Defect::EndpointFailed,
            severity: Severity::Medium,
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            vpc_id: vpc_id.clone(),
            subnets: Vec::new(),
            exemption: None,
            evidence: Evidence::State { state: "failed".into(), last_error: None, failure_reason: None },
            fix: EndpointFix::DeleteEndpoint { endpoint_id: "vpce-0000000a".into() },
            cautions: BTreeSet::new(),
        };
        let exempt = |id: &str, vpc: &str| ExemptProblem {
            check,
            subject: subject(id),
            service: service.into(),
            vpc_id: Some(vpc.into()),
            exempted_by: vec![id.into()],
        };
        let doubt = Unassessed {
            check,
            subject: subject("vpce-0000000c"),
            service: service.into(),
            vpc_id,
            reason: UnassessedReason::UnknownValue,
            in_doubt: Vec::new(),
        };
        let exempt_later = exempt("vpce-00000001", "vpc-0000000b");
        let exempt_first = exempt("vpce-00000002", "vpc-0000000a");
        let unreadable =
            UnreadableExemption { resource_id: "vpce-0000000d".into(), value: "yes".into(), reason: "…".into() };
        let route = testing::finding("vpc-0000000a", "rtb-0000000a");
        let report = Report { findings: vec![route.clone()], ..Report::default() }.with_endpoints(EndpointVerdict {
            judged_endpoints: 4,
            problems: vec![problem.clone()],
            exempt: vec![exempt_later.clone(), exempt_first.clone()],
            unassessed: [doubt.clone()].into(),
            unreadable_exemptions: [unreadable.clone()].into(),
        });
        assert_eq!(
            report,
            Report {
                checked: Checked { endpoints: 4, ..Checked::default() },
                findings: vec![route, problem.into()],
                exempt_problems: vec![exempt_first, exempt_later],
                unassessed: [doubt].into(),
                unreadable_exemptions: [unreadable].into(),
                ..Report::default()
            }
        );
        let mut answer = serde_json::to_value(answer::Report::from(&report)).unwrap();
        answer["findings"].as_array_mut().unwrap().remove(0);
        assert_answer(&answer);
        assert_eq!(answer["findings"][0]["check"], json!("endpoint-state"));
        assert_eq!(answer["checked"], json!({"vpcs": 0, "subnets": 0, "routeTables": 0, "endpoints": 4}));
        assert_eq!(answer["exempt"].as_array().unwrap().len(), 2);
        assert_eq!(answer["unassessed"][0]["reason"], json!("unknown_value"));
    }
}
