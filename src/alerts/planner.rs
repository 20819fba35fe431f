//! Decides which alerts have to be sent, given the alerts that were sent before.
//!
//! | the alert history has | the check found | then |
//! |---|---|---|
//! | no record, or a resolved finding | a finding | `opened` |
//! | an open finding | a higher severity, or subnets that were not affected before | `worsened` |
//! | an open finding | another gap or defect | `changed` |
//! | an open finding, last sent `REMIND_DAYS` ago | the same finding | `reminder` |
//! | an open finding | the same finding, or a less severe one | nothing is sent; differences are recorded |
//! | an open finding | no problem any more, an exemption, or no subject | `resolved` |
//! | an open finding of a check that does not run any more | | `resolved` |
//! | an open finding | a subject that could not be judged | nothing is sent; the finding stays open |
//! | an open finding | doubts only about other subnets, which have no address family in common with the endpoint | `resolved` |
//! | an open finding that a channel was never notified about | the same finding | `opened`, to this channel |
//! | an alert that some channels did not receive | no other change | the same alert again, to these channels |
//! | an open finding that a request asks for again | no other change | `reminder`, to the channels of the request |
//! | no alert history | a finding | `reported` |
//! | an alert history that cannot be read | a finding | see [`Affected::reports_without_history`] |
//!
//! A finding below the minimum severity sends no alert while it is open. But if an alert was sent about a finding,
//! `resolved` is sent as well, even if its severity is below the minimum by then.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::{
    alerts::{
        affected::Affected,
        alert::{Alert, OpenChange},
        history::{AlertHistory, AlertRecord, Incident, RecordState, VpcHistory, history_key},
        observation::Observation,
        plan::{Outgoing, Plan, Step, TrackedPlan, UntrackedPlan},
        policy::Policy,
        resolved::Resolver,
    },
    channel::Channel,
    checks::{finding::Finding, subject::Subject},
    events::record::AlertRequest,
};

/// The plans, sorted by VPC id. A VPC with nothing to send and nothing to record has no plan.
#[must_use]
pub fn plans(observation: &Observation<'_>, history: &AlertHistory, policy: &Policy) -> Vec<Plan> {
    match history {
        AlertHistory::Off => untracked(observation, policy, true),
        AlertHistory::Unavailable(_) => untracked(observation, policy, false),
        AlertHistory::Available(vpcs) => {
            with_history(observation, vpcs, policy).into_iter().map(Plan::Tracked).collect()
        }
    }
}

/// The plans without an alert history: `reported` for every finding about a subject that an input record affects. If there is a
/// history, and it could not be read, not every record reports its findings.
fn untracked(observation: &Observation<'_>, policy: &Policy, every_record_reports: bool) -> Vec<Plan> {
    let mut by_vpc: BTreeMap<&str, Vec<Outgoing>> = BTreeMap::new();
    for finding in observation.findings.iter().filter(|finding| finding.severity >= policy.min_severity) {
        let channels: BTreeSet<Channel> = (observation.affecting(&finding.subject, &finding.vpc_id))
            .filter(|affected| every_record_reports || affected.reports_without_history())
            .flat_map(|affected| match &affected.record.alerts {
                AlertRequest::Resend(Some(channels)) => &policy.channels & channels,
                _ => policy.channels.clone(),
            })
            .collect();
        if !channels.is_empty() {
            let outgoing = Outgoing { alert: Alert::Reported(finding.clone()), channels };
            by_vpc.entry(history_key(&finding.vpc_id)).or_default().push(outgoing);
        }
    }
    let plan = |(vpc_id, outgoing): (&str, _)| Plan::Untracked(UntrackedPlan { vpc_id: vpc_id.to_owned(), outgoing });
    by_vpc.into_iter().map(plan).collect()
}

fn with_history(
    observation: &Observation<'_>,
    history: &BTreeMap<String, VpcHistory>,
    policy: &Policy,
) -> Vec<TrackedPlan> {
    let now = observation.now;
    let is_affected = |subject: &Subject, vpc_id: &str| observation.affecting(subject, vpc_id).next().is_some();
    let open_findings: HashMap<&str, &Finding> = (observation.findings.iter())
        .filter(|finding| is_affected(&finding.subject, &finding.vpc_id))
        .map(|finding| (finding.id.as_str(), finding))
        .collect();
    let mut by_vpc: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in open_findings.values() {
        by_vpc.entry(history_key(&finding.vpc_id)).or_default().push(finding);
    }
    let resolver = Resolver::new(observation, policy);
    let no_history = VpcHistory::default();
    let vpc_ids: BTreeSet<&str> = by_vpc.keys().copied().chain(history.keys().map(String::as_str)).collect();
    let mut plans = Vec::new();
    for vpc_id in vpc_ids {
        let vpc = history.get(vpc_id).unwrap_or(&no_history);
        let records_by_finding: HashMap<&str, &AlertRecord> =
            vpc.records.iter().map(|record| (record.finding_id.as_str(), record)).collect();
        let new_incident = vpc.incident_of_new_finding(now);

        let mut steps: Vec<Step> = (by_vpc.get(vpc_id).into_iter().flatten())
            .filter_map(|finding| match records_by_finding.get(finding.id.as_str()) {
                Some(record) if record.is_open() => {
                    let affecting = observation.affecting(&finding.subject, &finding.vpc_id);
                    let resend = affecting.flat_map(Affected::resend).collect();
                    still_open(finding, record, &resend, now, policy)
                }
                // If a resolved finding is found again below the minimum severity, `opened` is not sent. Then an
                // undelivered `resolved` is still sent.
                before => {
                    opened(finding, before.copied(), new_incident, now, policy).or_else(|| resolver.send_again(before?))
                }
            })
            .collect();
        steps.extend(
            (vpc.records.iter())
                .filter(|record| {
                    is_affected(&record.subject, &record.vpc_id)
                        && !open_findings.contains_key(record.finding_id.as_str())
                })
                .filter_map(
                    |record| if record.is_open() { resolver.resolve(record) } else { resolver.send_again(record) },
                ),
        );
        steps.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        if !steps.is_empty() {
            plans.push(TrackedPlan {
                vpc_id: vpc_id.to_owned(),
                version: vpc.version,
                lease_expires_at: vpc.lease_expires_at.filter(|expires| *expires > now),
                last_incident: last_incident(vpc, &steps, now),
                steps,
            });
        }
    }
    plans
}

/// The newest incident of a VPC after these steps.
fn last_incident(vpc: &VpcHistory, steps: &[Step], now: Timestamp) -> Option<Incident> {
    let sending = steps.iter().filter(|step| !step.outgoing.is_empty());
    let continued = sending.map(|step| Incident { last_alert_at: now, started_at: step.record.incident_started_at });
    continued.chain(vpc.last_incident).max()
}

/// The step for a finding that is new, or that is found again after it was resolved; `None` below the minimum severity.
///
/// A channel that did not receive the last `resolved` counts as notified, because the finding is still open for it.
fn opened(
    finding: &Finding,
    before: Option<&AlertRecord>,
    incident_started_at: Timestamp,
    now: Timestamp,
    policy: &Policy,
) -> Option<Step> {
    (finding.severity >= policy.min_severity).then(|| {
        let notified = before.map_or_else(BTreeSet::new, |before| policy.undelivered(before));
        let record = AlertRecord { notified, ..AlertRecord::opened(finding, incident_started_at, now) };
        let outgoing = outgoing(finding, &record, [(OpenChange::Opened, policy.channels.clone())]);
        Step { outgoing, record }
    })
}

/// The step for a finding that is still open; `None` if there is nothing to send and nothing to record.
///
/// A channel that was never notified about the finding receives `opened`, for example because its topic is new. The
/// other channels receive what has changed. If nothing has changed, they receive the last alert if they missed it, or a
/// reminder if `resend` names them.
fn still_open(
    finding: &Finding,
    record: &AlertRecord,
    resend: &BTreeSet<Channel>,
    now: Timestamp,
    policy: &Policy,
) -> Option<Step> {
    let after = policy.drop_unsubscribed(record.updated(finding));
    let record_only = || (after != *record).then_some(Step::record_only(after.clone()));
    if finding.severity < policy.min_severity {
        return record_only();
    }
    let notified = &policy.channels & &after.notified;
    let not_notified = &policy.channels - &after.notified;
    let change = record
        .change(finding)
        .or_else(|| record.is_reminder_due(policy.remind_after, now).then_some(OpenChange::Reminder));
    let (after, alerts) = match (change, &record.state) {
        (Some(change), _) => {
            let after = AlertRecord { state: RecordState::Open(change), notified_at: now, ..after.clone() };
            (after, vec![(OpenChange::Opened, not_notified), (change, notified)])
        }
        (None, RecordState::Open(last_change)) => {
            let missed = &notified & &record.undelivered;
            let again = &(&notified - &missed) & resend;
            let alerts =
                vec![(OpenChange::Opened, not_notified), (*last_change, missed), (OpenChange::Reminder, again)];
            (after.clone(), alerts)
        }
        (None, RecordState::Resolved(_)) => return record_only(),
    };
    let outgoing = outgoing(finding, &after, alerts);
    if outgoing.is_empty() {
        return record_only();
    }
    // Each channel that misses an alert is in one of the alerts.
    Some(Step { outgoing, record: AlertRecord { undelivered: BTreeSet::new(), ..after } })
}

/// The alerts about an open finding, without those that no channel needs. Channels that need the same change share an
/// alert.
fn outgoing(
    finding: &Finding,
    record: &AlertRecord,
    alerts: impl IntoIterator<Item = (OpenChange, BTreeSet<Channel>)>,
) -> Vec<Outgoing> {
    let mut by_change = BTreeMap::<OpenChange, BTreeSet<Channel>>::new();
    for (change, channels) in alerts {
        by_change.entry(change).or_default().extend(channels);
    }
    (by_change.into_iter())
        .filter(|(_, channels)| !channels.is_empty())
        .map(|(change, channels)| {
            let alert = Alert::Open { finding: finding.clone(), change, since: record.since };
            Outgoing { alert, channels }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alerts::{
            affected::Affected,
            alert::{Change, Resolution, ResolutionReason, ResolvedFinding},
            history::REST_APIS,
            recorded::{Recorded, RecordedDefect, RecordedProblem, RecordedRoute},
            testing::unavailable,
        },
        checks::{
            check::CheckName,
            endpoint_problem::{Defect, EndpointFix, Evidence, ExemptProblem, Unassessed, UnassessedReason},
            exemption::Exempt,
            finding::{EndpointDefect, Gap, MissingRoute, Problem, SubnetRef},
            list::default_checks,
            severity::Severity,
            subject::{Subject, SubjectKind},
            testing,
        },
        events::{
            payload::Payload,
            record::{Record, Trigger},
            scope::Scope,
            sqs::Message,
        },
        network::{
            endpoint_facts::{RestApi, RestApis},
            model::{Association, Network, RouteTable, Subnet, Target, TargetKind},
            service::GatewayService,
            testing::{REGION, account_region, interface_endpoint, main_table, subnet, table, vpc},
        },
    };
    use jiff::SignedDuration;

    const A: &str = "vpc-0000000a";
    const B: &str = "vpc-0000000b";
    const TABLE: &str = "rtb-0000000b";

    /// The time of the check.
    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    /// When the recorded findings opened: three days before the check.
    fn three_days_ago() -> Timestamp {
        "2026-11-20T10:00:00Z".parse().unwrap()
    }

    /// A finding about S3, of medium severity, that affects one subnet.
    fn finding_on(table: &str, vpc_id: &str) -> Finding {
        Finding {
            id: format!("{table} s3"),
            subject: Subject { kind: SubjectKind::RouteTable, id: table.into(), name: Some("private".into()) },
            severity: Severity::Medium,
            account: "123456789012".into(),
            region: REGION.into(),
            vpc_id: vpc_id.into(),
            subnets: vec![SubnetRef::from(&subnet("subnet-0000000a", vpc_id))],
            exemption: None,
            problem: Problem::MissingRoute(missing_route()),
        }
    }

    /// A missing route to S3 of a table behind a transit gateway.
    fn missing_route() -> MissingRoute {
        MissingRoute {
            gap: Gap::NotAssociated,
            egress: Target { kind: TargetKind::TransitGateway, id: Some("tgw-0000000a".into()) },
            ..testing::missing_route()
        }
    }

    /// The finding of [`finding`] with this gap.
    fn with_gap(gap: Gap) -> Finding {
        Finding { problem: Problem::MissingRoute(MissingRoute { gap, ..missing_route() }), ..finding() }
    }

    fn recorded(missing: &MissingRoute) -> RecordedProblem {
        RecordedProblem::MissingRoute(missing.into())
    }

    fn finding() -> Finding {
        finding_on(TABLE, A)
    }

    /// The record of a finding that opened three days ago, and that both channels received.
    fn record_of(finding: &Finding) -> AlertRecord {
        AlertRecord { notified: both(), ..AlertRecord::opened(finding, three_days_ago(), three_days_ago()) }
    }

    fn record() -> AlertRecord {
        record_of(&finding())
    }

    fn ids<C: FromIterator<String>>(ids: &[&str]) -> C {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    /// The record of [`finding`], resolved two days ago.
    fn record_resolved_earlier(reason: ResolutionReason) -> AlertRecord {
        let resolution = Resolution { reason: Recorded::Known(reason), open_seconds: 24 * 60 * 60 };
        AlertRecord {
            state: RecordState::Resolved(resolution),
            notified_at: "2026-11-21T10:00:00Z".parse().unwrap(),
            ..record()
        }
    }

    /// The input of the planner.
    struct Given {
        network: Network,
        findings: Vec<Finding>,
        exempt: Vec<Exempt>,
        exempt_problems: Vec<ExemptProblem>,
        unassessed: BTreeSet<Unassessed>,
        rest_apis: Option<RestApis>,
        history: AlertHistory,
        policy: Policy,
        /// The scope of the only input record.
        scope: Scope,
        /// The alerts that it asks for.
        alerts: AlertRequest,
        /// How often SQS has delivered it; `None` for a direct payload.
        receive_count: Option<u32>,
    }

    fn policy() -> Policy {
        Policy {
            checks: default_checks(),
            required_services: BTreeSet::from([GatewayService::S3, GatewayService::DynamoDb]),
            required_interfaces: BTreeSet::from(["ssm".to_owned()]),
            min_severity: Severity::Low,
            remind_after: Some(SignedDuration::from_hours(7 * 24)),
            channels: BTreeSet::from([Channel::Json, Channel::Text]),
            without_subscribers: BTreeSet::new(),
        }
    }

    /// Two VPCs, the first with a private table; these findings; and an alert history with these records.
    fn given(findings: impl Into<Vec<Finding>>, records: impl Into<Vec<AlertRecord>>) -> Given {
        let mut history = BTreeMap::<String, VpcHistory>::new();
        for record in records.into() {
            history.entry(record.vpc_id.clone()).or_default().records.push(record);
        }
        Given {
            network: Network {
                vpcs: vec![vpc(A), vpc(B)],
                route_tables: vec![main_table("rtb-0000000a", A), table(TABLE, A), main_table("rtb-0000000c", B)],
                subnets: vec![subnet("subnet-0000000a", A)],
                endpoints: Vec::new(),
            },
            findings: findings.into(),
            exempt: Vec::new(),
            exempt_problems: Vec::new(),
            unassessed: BTreeSet::new(),
            rest_apis: None,
            history: AlertHistory::Available(history),
            policy: policy(),
            scope: Scope::region(),
            alerts: AlertRequest::Changes,
            receive_count: None,
        }
    }

    impl Given {
        fn plans_at(&self, now: Timestamp) -> Vec<Plan> {
            let alerts = self.alerts.clone();
            let record = Record { scope: self.scope.clone(), trigger: Trigger::Manual, time: None, alerts };
            let payload = match self.receive_count {
                None => Payload::Direct(Box::new(record)),
                Some(receive_count) => {
                    Payload::Batch(vec![Message { id: "message".into(), record: Ok(record), receive_count }])
                }
            };
            let Self { network, findings, exempt, exempt_problems, unassessed, rest_apis, history, policy, .. } = self;
            let affected = Affected::of_records(&payload, network, history, &account_region());
            plans(
                &Observation {
                    network,
                    findings,
                    exempt,
                    exempt_problems,
                    unassessed,
                    rest_apis: rest_apis.as_ref(),
                    affected: &affected,
                    account_region: &account_region(),
                    now,
                },
                history,
                policy,
            )
        }

        fn plans(&self) -> Vec<Plan> {
            self.plans_at(now())
        }

        /// The plans with an alert history.
        fn tracked_at(&self, now: Timestamp) -> Vec<TrackedPlan> {
            let tracked = |plan| if let Plan::Tracked(plan) = plan { plan } else { panic!("{plan:?}") };
            self.plans_at(now).into_iter().map(tracked).collect()
        }

        fn tracked(&self) -> Vec<TrackedPlan> {
            self.tracked_at(now())
        }

        /// The steps of all plans, in their order.
        fn steps_at(&self, now: Timestamp) -> Vec<Step> {
            self.tracked_at(now).into_iter().flat_map(|plan| plan.steps).collect()
        }

        fn steps(&self) -> Vec<Step> {
            self.steps_at(now())
        }

        fn vpc_history(&mut self, vpc_id: &str) -> &mut VpcHistory {
            let AlertHistory::Available(history) = &mut self.history else { panic!() };
            history.entry(vpc_id.to_owned()).or_default()
        }

        fn without_table(mut self, table: &str) -> Self {
            self.network.route_tables.retain(|existing| existing.id != table);
            self
        }

        fn with_min_severity(mut self, severity: Severity) -> Self {
            self.policy.min_severity = severity;
            self
        }
    }

    /// Both channels of [`policy`].
    fn both() -> BTreeSet<Channel> {
        BTreeSet::from([Channel::Json, Channel::Text])
    }

    fn open_alert(finding: &Finding, change: OpenChange, since: Timestamp) -> Alert {
        Alert::Open { finding: finding.clone(), change, since }
    }

    /// The record of a finding that opens now.
    fn record_opened_now(finding: &Finding, incident_started_at: Timestamp) -> AlertRecord {
        AlertRecord::opened(finding, incident_started_at, now())
    }

    fn send_to_both(finding: &Finding, change: OpenChange, record: AlertRecord) -> Step {
        Step::send(open_alert(finding, change, record.since), both(), record)
    }

    /// The finding of [`record`], resolved after this number of days.
    fn resolved_finding(reason: ResolutionReason, days: i64) -> ResolvedFinding {
        ResolvedFinding {
            id: finding().id,
            subject: finding().subject,
            worst_severity: Severity::Medium,
            account: "123456789012".into(),
            region: REGION.into(),
            vpc_id: A.into(),
            subnets: finding().subnets,
            problem: recorded(&missing_route()),
            since: three_days_ago(),
            resolution: Resolution { reason: Recorded::Known(reason), open_seconds: days * 24 * 60 * 60 },
        }
    }

    fn resolved_alert(reason: ResolutionReason) -> Alert {
        Alert::Resolved(resolved_finding(reason, 3))
    }

    /// The record of [`finding`], resolved now.
    fn record_resolved_now(reason: ResolutionReason) -> AlertRecord {
        AlertRecord {
            state: RecordState::Resolved(resolved_finding(reason, 3).resolution),
            notified_at: now(),
            ..record()
        }
    }

    /// The record after an alert that the severity is high now.
    fn worsened_to_high(before: AlertRecord) -> AlertRecord {
        AlertRecord {
            severity: Severity::High,
            worst_severity: Severity::High,
            notified_at: now(),
            state: RecordState::Open(OpenChange::Worsened),
            ..before
        }
    }

    #[test]
    fn a_new_finding_sends_opened() {
        assert_eq!(
            given([finding()], []).plans(),
            [Plan::Tracked(TrackedPlan {
                vpc_id: A.into(),
                version: 0,
                lease_expires_at: None,
                last_incident: Some(Incident { last_alert_at: now(), started_at: now() }),
                steps: vec![Step::send(
                    open_alert(&finding(), OpenChange::Opened, now()),
                    both(),
                    AlertRecord {
                        finding_id: finding().id,
                        subject: finding().subject,
                        account: "123456789012".into(),
                        vpc_id: A.into(),
                        severity: Severity::Medium,
                        worst_severity: Severity::Medium,
                        subnet_ids: ids(&["subnet-0000000a"]),
                        problem: RecordedProblem::MissingRoute(RecordedRoute {
                            service: GatewayService::S3,
                            gap: Recorded::Known(Gap::NotAssociated),
                            is_main_table: false,
                            egress: Target { kind: TargetKind::TransitGateway, id: Some("tgw-0000000a".into()) },
                        }),
                        state: RecordState::Open(OpenChange::Opened),
                        since: now(),
                        notified_at: now(),
                        undelivered: BTreeSet::new(),
                        notified: BTreeSet::new(),
                        incident_started_at: now(),
                    }
                )],
            })]
        );
    }

    #[test]
    fn a_resolved_finding_that_is_found_again_sends_opened() {
        let after = record_opened_now(&finding(), now());
        let given = given([finding()], [record_resolved_earlier(ResolutionReason::Covered)]);
        assert_eq!(given.steps(), [send_to_both(&finding(), OpenChange::Opened, after)]);
    }

    #[test]
    fn a_higher_severity_or_a_new_subnet_sends_worsened() {
        let mut with_added_subnet = finding();
        with_added_subnet.subnets.push(SubnetRef::from(&subnet("subnet-0000000b", A)));
        let mut with_replaced_subnet = finding();
        with_replaced_subnet.subnets = vec![SubnetRef::from(&subnet("subnet-0000000b", A))];
        let high = Finding { severity: Severity::High, ..finding() };
        let low_with_added_subnet = Finding { severity: Severity::Low, ..with_added_subnet.clone() };
        for worse in [with_added_subnet, with_replaced_subnet, high, low_with_added_subnet] {
            let after = AlertRecord {
                severity: worse.severity,
                worst_severity: worse.severity.max(Severity::Medium),
                subnet_ids: worse.subnets.iter().map(|subnet| subnet.id.clone()).collect(),
                notified_at: now(),
                state: RecordState::Open(OpenChange::Worsened),
                ..record()
            };
            assert_eq!(given([worse.clone()], [record()]).steps(), [send_to_both(&worse, OpenChange::Worsened, after)]);
        }
    }

    #[test]
    fn an_open_finding_with_another_gap_sends_changed() {
        let other = with_gap(Gap::RouteInactive);
        let after = AlertRecord {
            problem: (&other.problem).into(),
            notified_at: now(),
            state: RecordState::Open(OpenChange::Changed),
            ..record()
        };
        assert_eq!(given([other.clone()], [record()]).steps(), [send_to_both(&other, OpenChange::Changed, after)]);
    }

    #[test]
    fn another_gap_with_a_higher_severity_sends_worsened() {
        let worse = Finding { severity: Severity::High, ..with_gap(Gap::RouteInactive) };
        let after = AlertRecord {
            problem: (&worse.problem).into(),
            severity: Severity::High,
            worst_severity: Severity::High,
            notified_at: now(),
            state: RecordState::Open(OpenChange::Worsened),
            ..record()
        };
        assert_eq!(given([worse.clone()], [record()]).steps(), [send_to_both(&worse, OpenChange::Worsened, after)]);
    }

    #[test]
    fn an_unchanged_finding_sends_nothing() {
        assert_eq!(given([finding()], [record()]).plans(), []);
    }

    #[test]
    fn a_less_severe_finding_is_recorded_and_sends_nothing() {
        let better = Finding { severity: Severity::Low, subnets: Vec::new(), ..finding() };
        let before = AlertRecord {
            state: RecordState::Open(OpenChange::Worsened),
            notified_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            ..record()
        };
        let after = AlertRecord { severity: Severity::Low, subnet_ids: BTreeSet::new(), ..before.clone() };
        assert_eq!(given([better], [before]).steps(), [Step::record_only(after.clone())]);
        // The finding gets worse again, compared with the new record.
        let after_worsened =
            AlertRecord { notified_at: now(), state: RecordState::Open(OpenChange::Worsened), ..record() };
        assert_eq!(
            given([finding()], [after]).steps(),
            [send_to_both(&finding(), OpenChange::Worsened, after_worsened)]
        );
    }

    #[test]
    fn another_default_route_or_table_name_is_recorded_and_sends_nothing() {
        let subject = Subject { name: Some("renamed".into()), ..finding().subject };
        let egress = Target { id: Some("tgw-0000000b".into()), ..missing_route().egress };
        let missing = MissingRoute { egress, is_main_table: true, ..missing_route() };
        let other = Finding { subject: subject.clone(), problem: Problem::MissingRoute(missing.clone()), ..finding() };
        let after = AlertRecord { subject, problem: recorded(&missing), ..record() };
        assert_eq!(given([other], [record()]).steps(), [Step::record_only(after)]);
    }

    #[test]
    fn a_reminder_is_due_up_to_one_hour_early() {
        let after = |now| AlertRecord { notified_at: now, state: RecordState::Open(OpenChange::Reminder), ..record() };
        let given = given([finding()], [record()]);
        let after_hours = |hours: i64| three_days_ago() + SignedDuration::from_hours(hours);
        for due in [after_hours(7 * 24 - 1), after_hours(7 * 24), after_hours(8 * 24)] {
            assert_eq!(given.steps_at(due), [send_to_both(&finding(), OpenChange::Reminder, after(due))]);
        }
        assert_eq!(given.plans_at(after_hours(7 * 24 - 1) - SignedDuration::from_secs(1)), []);
    }

    #[test]
    fn the_reminder_interval_starts_at_the_last_alert() {
        let last_alert_at = three_days_ago() + SignedDuration::from_hours(6 * 24);
        let given = given(
            [finding()],
            [AlertRecord { notified_at: last_alert_at, state: RecordState::Open(OpenChange::Worsened), ..record() }],
        );
        assert_eq!(given.plans_at(three_days_ago() + SignedDuration::from_hours(7 * 24)), []);
        assert_eq!(given.plans_at(last_alert_at + SignedDuration::from_hours(7 * 24)).len(), 1);
    }

    #[test]
    fn no_reminder_is_sent_if_reminders_are_off() {
        let mut given = given([finding()], [record()]);
        given.policy.remind_after = None;
        assert_eq!(given.plans_at(three_days_ago() + SignedDuration::from_hours(700 * 24)), []);
    }

    #[test]
    fn a_worse_finding_sends_worsened_when_a_reminder_is_due() {
        let worse = Finding { severity: Severity::High, ..finding() };
        let due = three_days_ago() + SignedDuration::from_hours(8 * 24);
        let after = AlertRecord {
            severity: Severity::High,
            worst_severity: Severity::High,
            notified_at: due,
            state: RecordState::Open(OpenChange::Worsened),
            ..record()
        };
        assert_eq!(
            given([worse.clone()], [record()]).steps_at(due),
            [send_to_both(&worse, OpenChange::Worsened, after)]
        );
    }

    #[test]
    fn a_finding_below_the_minimum_severity_does_not_open() {
        assert_eq!(given([finding()], []).with_min_severity(Severity::High).plans(), []);
        assert_eq!(
            given([finding()], [record_resolved_earlier(ResolutionReason::Exempt)])
                .with_min_severity(Severity::High)
                .plans(),
            []
        );
        assert_eq!(given([finding()], []).with_min_severity(Severity::Medium).steps().len(), 1);
    }

    #[test]
    fn an_open_finding_below_the_minimum_severity_is_recorded_and_sends_nothing() {
        let was_low = AlertRecord { severity: Severity::Low, ..record() };
        assert_eq!(
            given([finding()], [was_low]).with_min_severity(Severity::High).steps(),
            [Step::record_only(record())]
        );
        let had_other_gap = AlertRecord { problem: (&with_gap(Gap::NoEndpoint).problem).into(), ..record() };
        assert_eq!(
            given([finding()], [had_other_gap]).with_min_severity(Severity::High).steps(),
            [Step::record_only(record())]
        );
        let unchanged = given([finding()], [record()]).with_min_severity(Severity::High);
        assert_eq!(unchanged.plans_at(three_days_ago() + SignedDuration::from_hours(8 * 24)), []);
    }

    #[test]
    fn a_finding_below_the_minimum_severity_sends_resolved_if_an_alert_was_sent() {
        let low = AlertRecord { severity: Severity::Low, ..record() };
        // The alert has the worst severity, so that subscribers that filter by severity receive it.
        let alert = resolved_alert(ResolutionReason::Covered);
        assert_eq!(alert.severity(), Severity::Medium);
        let after = AlertRecord { severity: Severity::Low, ..record_resolved_now(ResolutionReason::Covered) };
        assert_eq!(given([], [low]).with_min_severity(Severity::High).steps(), [Step::send(alert, both(), after)]);
    }

    #[test]
    fn an_undelivered_alert_is_sent_again_to_its_channel() {
        for change in OpenChange::ALL {
            let before =
                AlertRecord { state: RecordState::Open(change), undelivered: [Channel::Text].into(), ..record() };
            let after = AlertRecord { undelivered: BTreeSet::new(), ..before.clone() };
            assert_eq!(
                given([finding()], [before]).steps(),
                [Step::send(open_alert(&finding(), change, three_days_ago()), [Channel::Text].into(), after)]
            );
        }
    }

    #[test]
    fn a_new_change_replaces_an_undelivered_alert() {
        let before = AlertRecord { undelivered: [Channel::Text].into(), ..record() };
        let worse = Finding { severity: Severity::High, ..finding() };
        let after = worsened_to_high(record());
        assert_eq!(given([worse.clone()], [before]).steps(), [send_to_both(&worse, OpenChange::Worsened, after)]);
    }

    #[test]
    fn an_undelivered_alert_is_not_sent_again_below_the_minimum_severity() {
        let before = AlertRecord { undelivered: [Channel::Text].into(), ..record() };
        assert_eq!(given([finding()], [before]).with_min_severity(Severity::High).plans(), []);
    }

    #[test]
    fn an_undelivered_alert_is_not_sent_again_to_a_removed_channel() {
        let before = AlertRecord { undelivered: [Channel::Chat].into(), ..record() };
        assert_eq!(given([finding()], [before]).plans(), []);
        let before =
            AlertRecord { undelivered: [Channel::Chat].into(), ..record_resolved_earlier(ResolutionReason::Covered) };
        assert_eq!(given([], [before]).plans(), []);
        let before = AlertRecord { undelivered: [Channel::Chat, Channel::Text].into(), ..record() };
        assert_eq!(
            given([finding()], [before]).steps(),
            [Step::send(
                open_alert(&finding(), OpenChange::Opened, three_days_ago()),
                [Channel::Text].into(),
                record()
            )]
        );
    }

    #[test]
    fn each_resolution_has_its_reason() {
        let exempt = Exempt {
            service: GatewayService::S3,
            vpc_id: A.into(),
            route_table_id: TABLE.into(),
            exempted_by: ids(&[TABLE]),
        };
        let mut exempted = given([], [record()]);
        exempted.exempt = vec![Exempt { service: GatewayService::DynamoDb, ..exempt.clone() }, exempt];
        let mut other_table = given([], [record()]);
        other_table.exempt = vec![Exempt { route_table_id: "rtb-0000000a".into(), ..exempted.exempt[1].clone() }];
        let mut vpc_deleted = given([], [record()]).without_table(TABLE);
        vpc_deleted.network.vpcs.retain(|vpc| vpc.id != A);
        let edge_table_of = |owner: &str| {
            let gateway = Association { gateway_id: Some("igw-0000000a".into()), ..Association::default() };
            let mut given = given([], [record()]).without_table(TABLE);
            let associations = vec![gateway];
            let owner_id = Some(owner.into());
            given.network.route_tables.push(RouteTable { owner_id, associations, ..table(TABLE, A) });
            given
        };
        let mut not_required = given([], [record()]);
        not_required.policy.required_services = [GatewayService::DynamoDb].into();
        for (given, reason) in [
            (given([], [record()]), ResolutionReason::Covered),
            (exempted, ResolutionReason::Exempt),
            (other_table, ResolutionReason::Covered),
            (given([], [record()]).without_table(TABLE), ResolutionReason::TableDeleted),
            (vpc_deleted, ResolutionReason::VpcDeleted),
            (edge_table_of("123456789012"), ResolutionReason::EdgeTable),
            (not_required, ResolutionReason::NotRequired),
        ] {
            assert_eq!(
                given.steps(),
                [Step::send(resolved_alert(reason), both(), record_resolved_now(reason))],
                "{reason:?}"
            );
        }
        assert_eq!(edge_table_of("210987654321").plans(), [], "a table of another account is not checked");
    }

    #[test]
    fn a_channel_that_was_not_notified_does_not_receive_resolved() {
        let resolved = |notified: &[Channel], undelivered: &[Channel]| {
            let before = AlertRecord { notified: set(notified), undelivered: set(undelivered), ..record() };
            let [step] = given([], [before]).steps().try_into().unwrap();
            let after = AlertRecord { notified: set(notified), ..record_resolved_now(ResolutionReason::Covered) };
            assert_eq!(step.record, after);
            step.outgoing
        };
        let to = |channels: &[Channel]| {
            vec![Outgoing { alert: resolved_alert(ResolutionReason::Covered), channels: set(channels) }]
        };
        let (json, text) = (Channel::Json, Channel::Text);
        assert_eq!(resolved(&[json, text], &[]), to(&[json, text]));
        assert_eq!(resolved(&[json], &[text]), to(&[json]));
        assert_eq!(resolved(&[], &[]), []);
        // The text channel received `opened`, but not the last alert.
        assert_eq!(resolved(&[json, text], &[text]), to(&[json, text]));
        // The topic of the chat channel was removed.
        assert_eq!(resolved(&[json, Channel::Chat], &[]), to(&[json]));
    }

    /// Each change that a step reports, with its channels.
    fn changes_of(step: &Step) -> Vec<(Change, BTreeSet<Channel>)> {
        step.outgoing.iter().map(|outgoing| (outgoing.alert.change(), outgoing.channels.clone())).collect()
    }

    fn set(channels: &[Channel]) -> BTreeSet<Channel> {
        channels.iter().copied().collect()
    }

    fn outgoing_to(finding: &Finding, change: OpenChange, since: Timestamp, channels: &[Channel]) -> Outgoing {
        Outgoing { alert: open_alert(finding, change, since), channels: set(channels) }
    }

    #[test]
    fn a_channel_that_was_added_later_receives_opened_with_the_original_since() {
        let before = AlertRecord { notified: set(&[Channel::Json]), ..record() };
        let opened = outgoing_to(&finding(), OpenChange::Opened, three_days_ago(), &[Channel::Text]);
        assert_eq!(
            given([finding()], [before.clone()]).steps(),
            [Step { outgoing: vec![opened.clone()], record: before.clone() }]
        );
        // The other channel receives the change.
        let worse = Finding { severity: Severity::High, ..finding() };
        let after = worsened_to_high(before.clone());
        let opened = outgoing_to(&worse, OpenChange::Opened, three_days_ago(), &[Channel::Text]);
        let worsened = outgoing_to(&worse, OpenChange::Worsened, three_days_ago(), &[Channel::Json]);
        assert_eq!(
            given([worse], [before.clone()]).steps(),
            [Step { outgoing: vec![opened, worsened], record: after }]
        );
        // Below the minimum severity, nothing is sent.
        assert_eq!(given([finding()], [before]).with_min_severity(Severity::High).plans(), []);
    }

    #[test]
    fn a_late_channel_receives_opened_until_it_is_delivered_and_then_nothing() {
        let before = AlertRecord { notified: set(&[Channel::Json]), ..record() };
        let missed = records_after(&given([finding()], [before.clone()]).tracked(), &[]);
        assert_eq!(missed, [AlertRecord { undelivered: set(&[Channel::Text]), ..before }]);
        let [step] = given([finding()], missed.clone()).steps().try_into().unwrap();
        assert_eq!(changes_of(&step), [(Change::Opened, set(&[Channel::Text]))]);
        let received = records_after(&given([finding()], missed).tracked(), &[Channel::Text]);
        assert_eq!(received, [record()]);
        assert_eq!(given([finding()], received).plans(), []);
    }

    #[test]
    fn a_channel_without_subscribers_counts_as_not_notified() {
        let without_text = |mut given: Given| {
            given.policy = given.policy.without(set(&[Channel::Text]));
            given
        };
        let json = [Channel::Json];
        // A new finding.
        let opened = outgoing_to(&finding(), OpenChange::Opened, now(), &json);
        let record_opened = record_opened_now(&finding(), now());
        let new = without_text(given([finding()], []));
        assert_eq!(new.steps(), [Step { outgoing: vec![opened], record: record_opened.clone() }]);
        // An open finding that the channel received when it had subscribers. With a subscription, it receives `opened`.
        let notified_json = AlertRecord { notified: set(&json), ..record() };
        let missed = AlertRecord { undelivered: set(&[Channel::Text]), ..record() };
        for before in [record(), missed] {
            let open = without_text(given([finding()], [before]));
            assert_eq!(open.steps(), [Step::record_only(notified_json.clone())]);
        }
        assert_eq!(without_text(given([finding()], [notified_json.clone()])).plans(), []);
        let [step] = given([finding()], [notified_json.clone()]).steps().try_into().unwrap();
        assert_eq!(changes_of(&step), [(Change::Opened, set(&[Channel::Text]))]);
        // A resolved finding.
        let resolved = without_text(given([], [record()]));
        let after = AlertRecord { notified: set(&json), ..record_resolved_now(ResolutionReason::Covered) };
        assert_eq!(resolved.steps(), [Step::send(resolved_alert(ResolutionReason::Covered), set(&json), after)]);
        // A `resolved` that only this channel did not receive.
        let resolved_earlier = record_resolved_earlier(ResolutionReason::Covered);
        let missed = AlertRecord { undelivered: set(&[Channel::Text]), ..resolved_earlier.clone() };
        let after = AlertRecord { notified: set(&json), ..resolved_earlier };
        assert_eq!(without_text(given([], [missed])).steps(), [Step::record_only(after)]);
    }

    #[test]
    fn a_finding_opens_without_an_alert_if_no_channel_has_subscribers() {
        let mut without_any = given([finding()], []);
        without_any.policy = without_any.policy.without(both());
        let opened = record_opened_now(&finding(), now());
        assert_eq!(without_any.steps(), [Step::record_only(opened.clone())]);
        assert_eq!(without_any.tracked()[0].last_incident, None);
        // The channels receive `opened` once they have subscribers, with the time at which the problem was found.
        let later = given([finding()], [opened.clone()]);
        assert_eq!(later.steps(), [send_to_both(&finding(), OpenChange::Opened, opened)]);
    }

    #[test]
    fn a_resend_sends_a_reminder_of_every_open_finding_to_its_channels() {
        let resend = |findings: Vec<Finding>, record: AlertRecord, channels: Option<&[Channel]>| {
            let alerts = AlertRequest::Resend(channels.map(set));
            Given { alerts, ..given(findings, [record]) }
        };
        let unchanged = resend(vec![finding()], record(), None);
        let reminder = outgoing_to(&finding(), OpenChange::Reminder, three_days_ago(), &[Channel::Json, Channel::Text]);
        assert_eq!(unchanged.steps(), [Step { outgoing: vec![reminder], record: record() }]);
        let to_text = resend(vec![finding()], record(), Some(&[Channel::Text]));
        let reminder = outgoing_to(&finding(), OpenChange::Reminder, three_days_ago(), &[Channel::Text]);
        assert_eq!(to_text.steps(), [Step { outgoing: vec![reminder], record: record() }]);
        // What each channel needs is sent as well, and a channel receives one alert.
        let change_and_channels = |given: &Given| given.steps().iter().flat_map(changes_of).collect::<Vec<_>>();
        let late = AlertRecord { notified: set(&[Channel::Json]), ..record() };
        assert_eq!(
            change_and_channels(&resend(vec![finding()], late, None)),
            [(Change::Opened, set(&[Channel::Text])), (Change::Reminder, set(&[Channel::Json]))]
        );
        let missed = AlertRecord { undelivered: set(&[Channel::Text]), ..record() };
        assert_eq!(
            change_and_channels(&resend(vec![finding()], missed, None)),
            [(Change::Opened, set(&[Channel::Text])), (Change::Reminder, set(&[Channel::Json]))]
        );
        let worse = Finding { severity: Severity::High, ..finding() };
        assert_eq!(
            change_and_channels(&resend(vec![worse], record(), Some(&[Channel::Text]))),
            [(Change::Worsened, both())]
        );
        // A resolved finding is not sent again, nor is one below the minimum severity.
        let resolved = record_resolved_earlier(ResolutionReason::Covered);
        assert_eq!(resend(vec![], resolved, None).plans(), []);
        let low = resend(vec![finding()], record(), None).with_min_severity(Severity::High);
        assert_eq!(low.plans(), []);
        // A table that the request does not name is not sent again.
        let mut other = resend(vec![finding()], record(), None);
        other.scope = Scope { vpc_ids: ids(&[B]), ..Scope::default() };
        assert_eq!(other.plans(), []);
    }

    #[test]
    fn a_resend_without_a_history_sends_reported_to_its_channels() {
        let plans = |alerts| Given { alerts, history: AlertHistory::Off, ..given([finding()], []) }.plans();
        let reported = |channels: &[Channel]| {
            let outgoing = vec![Outgoing { alert: Alert::Reported(finding()), channels: set(channels) }];
            [Plan::Untracked(UntrackedPlan { vpc_id: A.into(), outgoing })]
        };
        assert_eq!(plans(AlertRequest::Resend(None)), reported(&[Channel::Json, Channel::Text]));
        assert_eq!(plans(AlertRequest::Resend(Some(set(&[Channel::Text])))), reported(&[Channel::Text]));
        assert_eq!(plans(AlertRequest::Resend(Some(set(&[Channel::Chat])))), []);
    }

    #[test]
    fn a_history_that_cannot_be_read_reports_findings_on_named_tables_at_the_third_delivery() {
        let plans = |scope: &Scope, receive_count| {
            let history = unavailable();
            let given = Given { history, scope: scope.clone(), receive_count, ..given([finding()], []) };
            given.plans().len()
        };
        let named = Scope { vpc_ids: ids(&[A]), ..Scope::default() };
        let counts = [None, Some(1), Some(2), Some(3), Some(4)];
        assert_eq!(counts.map(|count| plans(&named, count)), [1, 0, 0, 1, 0]);
        assert_eq!(counts.map(|count| plans(&Scope::region(), count)), [0; 5]);
    }

    /// The records after these plans, if only these channels received their alerts.
    fn records_after(plans: &[TrackedPlan], channels: &[Channel]) -> Vec<AlertRecord> {
        let received = |plan: &TrackedPlan| -> BTreeMap<Channel, BTreeSet<String>> {
            let outgoing = plan.steps.iter().flat_map(|step| &step.outgoing);
            let ids: BTreeSet<String> = outgoing.map(|outgoing| outgoing.alert.finding_id().to_owned()).collect();
            channels.iter().map(|channel| (*channel, ids.clone())).collect()
        };
        plans.iter().flat_map(|plan| plan.records_after(&received(plan))).collect()
    }

    #[test]
    fn a_channel_is_not_notified_until_it_receives_an_alert() {
        let high = Finding { severity: Severity::High, ..finding() };
        let resolved_channels = |records: &[AlertRecord]| {
            let [step] = given([], records).steps().try_into().unwrap();
            changes_of(&step)
        };
        let opened = records_after(&given([finding()], []).tracked(), &[Channel::Json]);
        assert_eq!(opened[0].notified, set(&[Channel::Json]));
        let worse = records_after(&given([high.clone()], opened).tracked(), &[Channel::Json]);
        assert_eq!((worse[0].state.change(), &worse[0].notified), (Change::Worsened, &set(&[Channel::Json])));
        assert_eq!(resolved_channels(&worse), [(Change::Resolved, set(&[Channel::Json]))]);
        // A step that sends nothing notifies no channel.
        let less_severe =
            records_after(&given([finding()], worse.clone()).with_min_severity(Severity::High).tracked(), &[]);
        assert_eq!((less_severe[0].severity, &less_severe[0].notified), (Severity::Medium, &set(&[Channel::Json])));
        // Any alert about the finding notifies the channel.
        let all_notified = records_after(&given([high], worse).tracked(), &[Channel::Text]);
        assert_eq!(all_notified[0].notified, both());
        assert_eq!(resolved_channels(&all_notified), [(Change::Resolved, both())]);
    }

    #[test]
    fn a_channel_that_received_opened_receives_resolved_after_it_missed_several_alerts() {
        let mut records = vec![record()];
        for findings in [vec![], vec![finding()], vec![], vec![finding()]] {
            records = records_after(&given(findings, records).tracked(), &[Channel::Json]);
        }
        let [step] = given([], records).steps().try_into().unwrap();
        assert_eq!(changes_of(&step), [(Change::Resolved, both())]);
    }

    #[test]
    fn an_undelivered_resolved_is_sent_again_unless_the_finding_opens() {
        let before =
            AlertRecord { undelivered: [Channel::Text].into(), ..record_resolved_earlier(ResolutionReason::Exempt) };
        let alert = Alert::Resolved(resolved_finding(ResolutionReason::Exempt, 1));
        let step = Step::send(alert, [Channel::Text].into(), record_resolved_earlier(ResolutionReason::Exempt));
        assert_eq!(given([], [before.clone()]).steps(), std::slice::from_ref(&step));
        // The finding exists again, but below the minimum severity.
        assert_eq!(given([finding()], [before.clone()]).with_min_severity(Severity::High).steps(), [step]);
        // The finding opens again: only `opened` is sent. The text channel counts as notified from before.
        let opened = AlertRecord { notified: set(&[Channel::Text]), ..record_opened_now(&finding(), now()) };
        assert_eq!(given([finding()], [before]).steps(), [send_to_both(&finding(), OpenChange::Opened, opened)]);
        assert_eq!(given([], [record_resolved_earlier(ResolutionReason::Exempt)]).plans(), []);
    }

    #[test]
    fn subnets_of_a_resolved_finding_are_described_as_they_are_now() {
        let before = AlertRecord { subnet_ids: ids(&["subnet-0000000a", "subnet-0000000f"]), ..record() };
        let mut given = given([], [before]);
        given.network.subnets = vec![Subnet {
            name: Some("app".into()),
            availability_zone: Some("eu-west-1a".into()),
            cidr: Some("10.0.1.0/24".into()),
            ..subnet("subnet-0000000a", A)
        }];
        let [step] = given.steps().try_into().unwrap();
        assert_eq!(
            step.outgoing[0].alert.subnets(),
            [
                SubnetRef {
                    id: "subnet-0000000a".into(),
                    name: Some("app".into()),
                    availability_zone: Some("eu-west-1a".into()),
                    cidr: Some("10.0.1.0/24".into()),
                },
                SubnetRef { id: "subnet-0000000f".into(), name: None, availability_zone: None, cidr: None },
            ]
        );
    }

    /// The incident start of a finding that opens now on [`TABLE`], in a VPC with these records and this last incident.
    fn incident_start_given(records: Vec<AlertRecord>, last_incident: Option<Incident>) -> Timestamp {
        let mut given = given([finding()], records);
        given.vpc_history(A).last_incident = last_incident;
        // The incident is the same if the input record does not affect the tables of the other findings.
        given.scope = Scope { route_tables: [(TABLE.to_owned(), None)].into(), ..Scope::default() };
        let [plan] = given.tracked().try_into().unwrap();
        let [Step { record, .. }] = &plan.steps[..] else { panic!() };
        let started_at = record.incident_started_at;
        assert_eq!(plan.last_incident, Some(Incident { last_alert_at: now(), started_at }));
        assert_eq!(
            plan.steps,
            [send_to_both(&finding(), OpenChange::Opened, record_opened_now(&finding(), started_at))]
        );
        started_at
    }

    #[test]
    fn a_finding_that_opens_within_a_day_of_the_last_alert_joins_its_incident() {
        let day = SignedDuration::from_hours(24);
        let second = SignedDuration::from_secs(1);
        let ago = |last_alert_at| AlertRecord {
            notified_at: now() - last_alert_at,
            ..record_of(&finding_on("rtb-0000000a", A))
        };
        let incident = |last_alert_at| Incident { last_alert_at: now() - last_alert_at, started_at: three_days_ago() };
        assert_eq!(incident_start_given(vec![], None), now());
        // The alert history has the last incident if its findings are resolved, and the records if they are open.
        assert_eq!(incident_start_given(vec![], Some(incident(day))), three_days_ago());
        assert_eq!(incident_start_given(vec![], Some(incident(day + second))), now());
        assert_eq!(incident_start_given(vec![ago(day)], None), three_days_ago());
        assert_eq!(incident_start_given(vec![ago(day + second)], None), now());
        // The incident with the newest alert counts.
        let newer = Incident { last_alert_at: now(), started_at: now() - day };
        assert_eq!(incident_start_given(vec![ago(second)], Some(newer)), now() - day);
        assert_eq!(incident_start_given(vec![ago(second)], Some(incident(day))), three_days_ago());
        // A finding in another VPC belongs to another incident.
        let in_other_vpc = AlertRecord { vpc_id: B.into(), ..ago(second) };
        assert_eq!(incident_start_given(vec![in_other_vpc], None), now());
    }

    #[test]
    fn an_open_finding_keeps_its_incident() {
        let worse = Finding { severity: Severity::High, ..finding() };
        let newer = Incident { last_alert_at: now() - SignedDuration::from_hours(1), started_at: now() };
        for findings in [vec![worse], vec![]] {
            let mut given = given(findings, [record()]);
            given.vpc_history(A).last_incident = Some(newer);
            let [plan] = given.tracked().try_into().unwrap();
            assert_eq!(plan.steps[0].record.incident_started_at, three_days_ago());
            let continued = Incident { last_alert_at: now(), started_at: three_days_ago() };
            assert_eq!(plan.last_incident, Some(continued));
        }
    }

    #[test]
    fn a_plan_that_sends_nothing_keeps_the_last_incident() {
        let better = Finding { severity: Severity::Low, ..finding() };
        let last = Incident { last_alert_at: now() - SignedDuration::from_hours(1), started_at: three_days_ago() };
        let mut given = given([better], [record()]);
        given.vpc_history(A).last_incident = Some(last);
        assert_eq!(given.tracked()[0].last_incident, Some(last));
    }

    #[test]
    fn a_plan_has_the_lease_of_another_invocation_until_it_expires() {
        let second = SignedDuration::from_secs(1);
        for (expires_at, is_held) in [(now() + second, true), (now(), false), (now() - second, false)] {
            let mut given = given([finding()], []);
            *given.vpc_history(A) =
                VpcHistory { version: 7, lease_expires_at: Some(expires_at), ..VpcHistory::default() };
            let [plan] = given.tracked().try_into().unwrap();
            assert_eq!((plan.version, plan.lease_expires_at), (7, is_held.then_some(expires_at)));
        }
    }

    #[test]
    fn plans_are_sorted_by_vpc_and_steps_by_table_and_service() {
        let of_dynamodb = |finding: Finding| Finding {
            id: finding.id.replace("s3", "dynamodb"),
            problem: Problem::MissingRoute(MissingRoute { service: GatewayService::DynamoDb, ..missing_route() }),
            ..finding
        };
        let (main, other) = (finding_on("rtb-0000000a", A), finding_on("rtb-0000000c", B));
        let findings = [other.clone(), finding(), of_dynamodb(main.clone()), of_dynamodb(finding())];
        let steps: Vec<_> = (given(findings, [record_of(&main)]).tracked().iter())
            .map(|plan| {
                let id_and_change = |step: &Step| {
                    let alert = &step.outgoing[0].alert;
                    (alert.finding_id().to_owned(), alert.change())
                };
                (plan.vpc_id.clone(), plan.steps.iter().map(id_and_change).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            steps,
            [
                (
                    A.to_owned(),
                    vec![
                        ("rtb-0000000a dynamodb".to_owned(), Change::Opened),
                        ("rtb-0000000a s3".to_owned(), Change::Resolved),
                        ("rtb-0000000b dynamodb".to_owned(), Change::Opened),
                        ("rtb-0000000b s3".to_owned(), Change::Opened),
                    ]
                ),
                (B.to_owned(), vec![("rtb-0000000c s3".to_owned(), Change::Opened)]),
            ]
        );
    }

    #[test]
    fn a_table_that_is_not_affected_sends_nothing() {
        let deleted = AlertRecord { subject: Subject { id: "rtb-0000000f".into(), ..record().subject }, ..record() };
        let deleted = AlertRecord { finding_id: "deleted".into(), vpc_id: B.into(), ..deleted };
        let covered = record_of(&finding_on("rtb-0000000a", A));
        let mut given = given([finding_on("rtb-0000000c", B)], [covered, deleted]);
        given.scope = Scope { route_tables: [(TABLE.to_owned(), None)].into(), ..Scope::default() };
        assert_eq!(given.plans(), []);
        given.scope = Scope::region();
        assert_eq!(given.steps().len(), 3);
    }

    #[test]
    fn a_finding_without_a_history_sends_reported() {
        let low = Finding { severity: Severity::Low, ..finding_on("rtb-0000000a", A) };
        let other = finding_on("rtb-0000000c", B);
        let findings = [finding(), low, other.clone()];
        let reported = |finding: &Finding| {
            Plan::Untracked(UntrackedPlan {
                vpc_id: finding.vpc_id.clone(),
                outgoing: vec![Outgoing { alert: Alert::Reported(finding.clone()), channels: both() }],
            })
        };
        let mut given = Given { history: AlertHistory::Off, ..given(findings, []) }.with_min_severity(Severity::Medium);
        assert_eq!(given.plans(), [reported(&finding()), reported(&other)]);
        given.scope = Scope { vpc_ids: ids(&[B]), ..Scope::default() };
        assert_eq!(given.plans(), [reported(&other)]);
    }

    /// A plan with five steps: send `opened`; send `resolved`; send an undelivered `opened` to one channel; send
    /// `worsened` to one channel and `opened` to the other; and only record.
    fn plan_with_each_step() -> TrackedPlan {
        let on = |table: &str| finding_on(table, A);
        let undelivered = AlertRecord { undelivered: set(&[Channel::Text]), ..record_of(&on("rtb-00000002")) };
        let late = AlertRecord { notified: set(&[Channel::Json]), ..record_of(&on("rtb-00000003")) };
        let more_severe = AlertRecord {
            severity: Severity::High,
            undelivered: set(&[Channel::Text]),
            ..record_of(&on("rtb-00000004"))
        };
        let worse = Finding { severity: Severity::High, ..on("rtb-00000003") };
        let less_severe = Finding { severity: Severity::Low, ..on("rtb-00000004") };
        let findings = [on("rtb-00000000"), on("rtb-00000002"), worse, less_severe];
        let mut given = given(findings, [record_of(&on("rtb-00000001")), undelivered, late, more_severe])
            .with_min_severity(Severity::Medium);
        let tables = (0..5).map(|n| table(&format!("rtb-0000000{n}"), A));
        given.network.route_tables.extend(tables);
        let [plan] = given.tracked().try_into().unwrap();
        let changes: Vec<_> = plan.steps.iter().map(changes_of).collect();
        let (json, text) = (set(&[Channel::Json]), set(&[Channel::Text]));
        assert_eq!(
            changes,
            [
                vec![(Change::Opened, both())],
                vec![(Change::Resolved, both())],
                vec![(Change::Opened, text.clone())],
                vec![(Change::Opened, text), (Change::Worsened, json)],
                vec![],
            ]
        );
        plan
    }

    #[test]
    fn an_untracked_plan_sends_reported_for_open_findings_on_these_tables() {
        let plan = plan_with_each_step();
        let reported = |step: &Step, channels: &[Channel]| {
            let finding = step.outgoing[0].alert.open_finding().unwrap().clone();
            Outgoing { alert: Alert::Reported(finding), channels: set(channels) }
        };
        let (json, text) = (Channel::Json, Channel::Text);
        let all = vec![
            reported(&plan.steps[0], &[json, text]),
            reported(&plan.steps[2], &[text]),
            reported(&plan.steps[3], &[json, text]),
        ];
        assert_eq!(plan.to_untracked(|_| true), UntrackedPlan { vpc_id: A.into(), outgoing: all.clone() });
        assert_eq!(
            plan.to_untracked(|record| record.subject.id == "rtb-00000002"),
            UntrackedPlan { vpc_id: A.into(), outgoing: all[1..2].to_vec() }
        );
    }

    #[test]
    fn a_plan_names_the_channels_that_it_sends_to_and_the_incident_of_each_alert() {
        let plan = plan_with_each_step();
        let untracked = Plan::Untracked(plan.to_untracked(|record| record.subject.id == "rtb-00000002"));
        assert_eq!(untracked.channels().collect::<Vec<_>>(), [Channel::Text]);
        assert_eq!(untracked.outgoing().map(|(incident, _)| incident).collect::<Vec<_>>(), [None]);
        let tracked = Plan::Tracked(plan);
        assert_eq!(tracked.channels().collect::<BTreeSet<_>>(), both());
        let (new, old) = (Some(now()), Some(three_days_ago()));
        assert_eq!(tracked.outgoing().map(|(incident, _)| incident).collect::<Vec<_>>(), [new, old, old, old, old]);
    }

    #[test]
    fn records_after_have_the_channels_that_did_and_did_not_receive_the_alert() {
        let plan = plan_with_each_step();
        let all: Vec<String> = plan.steps.iter().map(|step| step.record.finding_id.clone()).collect();
        let (json, text) = (Channel::Json, Channel::Text);
        // The undelivered and the notified channels of each record.
        let channels_if_received = |by_json: &[String], by_text: &[String]| {
            let set = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<String>>();
            let after = plan.records_after(&[(json, set(by_json)), (text, set(by_text))].into());
            let other_facts = |record: &AlertRecord| AlertRecord {
                undelivered: BTreeSet::new(),
                notified: BTreeSet::new(),
                ..record.clone()
            };
            let planned = plan.steps.iter().map(|step| other_facts(&step.record));
            assert_eq!(after.iter().map(other_facts).collect::<Vec<_>>(), planned.collect::<Vec<_>>());
            after.into_iter().map(|record| (record.undelivered, record.notified)).collect::<Vec<_>>()
        };
        let channels = |undelivered: &[Channel], notified: &[Channel]| (set(undelivered), set(notified));
        let both = [json, text];
        // A step that sends nothing delivers nothing.
        let recorded = channels(&[text], &both);
        let all_received = vec![
            channels(&[], &both),
            channels(&[], &both),
            channels(&[], &both),
            channels(&[], &both),
            recorded.clone(),
        ];
        assert_eq!(channels_if_received(&all, &all), all_received);
        assert_eq!(
            channels_if_received(&all, &[]),
            [
                channels(&[text], &[json]),
                channels(&[text], &both),
                channels(&[text], &both),
                channels(&[text], &[json]),
                recorded.clone(),
            ]
        );
        assert_eq!(
            channels_if_received(&[], &all),
            [
                channels(&[json], &[text]),
                channels(&[json], &both),
                channels(&[], &both),
                channels(&[json], &both),
                recorded.clone(),
            ]
        );
        let none_received = [
            channels(&both, &[]),
            channels(&both, &both),
            channels(&[text], &both),
            channels(&both, &[json]),
            recorded,
        ];
        assert_eq!(channels_if_received(&[], &[]), none_received);
        assert_eq!(plan.records_after(&BTreeMap::new())[0].undelivered, set(&both));
    }

    #[test]
    fn records_before_mark_every_channel_of_the_alert_as_undelivered_and_notified() {
        let plan = plan_with_each_step();
        let text = set(&[Channel::Text]);
        let marked = |step: &Step, undelivered| AlertRecord { undelivered, notified: both(), ..step.record.clone() };
        assert_eq!(
            plan.records_before(),
            [
                marked(&plan.steps[0], both()),
                marked(&plan.steps[1], both()),
                marked(&plan.steps[2], text),
                marked(&plan.steps[3], both()),
            ],
            "a step that sends nothing is written after publishing"
        );
    }

    #[test]
    fn both_channels_receive_the_current_state_after_a_crash() {
        let next = |findings: &[Finding], records: &[AlertRecord]| {
            let [step] = given(findings, records).steps().try_into().unwrap();
            changes_of(&step)
        };
        let crashed_at_opened = given([finding()], []).tracked()[0].records_before();
        assert_eq!(next(&[finding()], &crashed_at_opened), [(Change::Opened, both())]);
        assert_eq!(next(&[], &crashed_at_opened), [(Change::Resolved, both())]);

        let crashed_at_resolved = given([], [record()]).tracked()[0].records_before();
        assert_eq!(next(&[], &crashed_at_resolved), [(Change::Resolved, both())]);
        assert_eq!(next(&[finding()], &crashed_at_resolved), [(Change::Opened, both())]);
    }

    #[test]
    fn a_finding_that_no_channel_received_is_resolved_without_an_alert() {
        let before = AlertRecord { undelivered: both(), notified: BTreeSet::new(), ..record() };
        let [plan] = given([], [before]).tracked().try_into().unwrap();
        assert_eq!(plan.records_before(), [], "no alert is sent");
        let after = AlertRecord { notified: BTreeSet::new(), ..record_resolved_now(ResolutionReason::Covered) };
        assert_eq!(plan.records_after(&BTreeMap::new()), [after]);
    }

    // Findings about endpoints.

    const ENDPOINT: &str = "vpce-0000000a";
    const SSM: &str = "com.amazonaws.eu-west-1.ssm";

    fn endpoint_subject() -> Subject {
        Subject { kind: SubjectKind::VpcEndpoint, id: ENDPOINT.into(), name: Some("shared".into()) }
    }

    /// A finding about an endpoint that keeps one subnet out.
    fn endpoint_finding() -> Finding {
        Finding {
            id: "endpoint ssm".into(),
            subject: endpoint_subject(),
            problem: Problem::Endpoint(EndpointDefect {
                check: CheckName::EndpointAccess,
                service: SSM.into(),
                defect: Defect::SomeSubnetsNotAdmitted,
                evidence: Evidence::SecurityGroups { ports: vec![443], groups: Vec::new() },
                fix: EndpointFix::AuthorizeIngress { group_id: "sg-0000000a".into(), port: 443, cidrs: Vec::new() },
                cautions: BTreeSet::new(),
            }),
            ..finding()
        }
    }

    fn with_defect(defect: Defect) -> Finding {
        let Problem::Endpoint(before) = endpoint_finding().problem else { panic!() };
        Finding { problem: Problem::Endpoint(EndpointDefect { defect, ..before }), ..endpoint_finding() }
    }

    fn endpoint_record() -> AlertRecord {
        record_of(&endpoint_finding())
    }

    /// A network with the endpoint, these findings and these records.
    fn given_endpoint(findings: impl Into<Vec<Finding>>, records: impl Into<Vec<AlertRecord>>) -> Given {
        let mut given = given(findings, records);
        given.network.endpoints = vec![interface_endpoint(ENDPOINT, A, "ssm")];
        given
    }

    fn changes(given: &Given) -> Vec<Vec<(Change, BTreeSet<Channel>)>> {
        given.steps().iter().map(changes_of).collect()
    }

    fn to_both(change: Change) -> Vec<Vec<(Change, BTreeSet<Channel>)>> {
        vec![vec![(change, both())]]
    }

    #[test]
    fn a_new_finding_about_an_endpoint_sends_opened_and_records_its_subject_and_defect() {
        let record = AlertRecord {
            finding_id: "endpoint ssm".into(),
            subject: endpoint_subject(),
            problem: RecordedProblem::Endpoint(RecordedDefect {
                check: CheckName::EndpointAccess,
                service: SSM.into(),
                defect: Recorded::Known(Defect::SomeSubnetsNotAdmitted),
            }),
            ..record_opened_now(&finding(), now())
        };
        assert_eq!(
            given_endpoint([endpoint_finding()], []).steps(),
            [send_to_both(&endpoint_finding(), OpenChange::Opened, record)]
        );
    }

    #[test]
    fn a_finding_about_an_endpoint_worsens_changes_and_is_reminded_of() {
        let high = Finding { severity: Severity::High, ..endpoint_finding() };
        let mut more_subnets = endpoint_finding();
        more_subnets.subnets.push(SubnetRef::from(&subnet("subnet-0000000b", A)));
        let other = with_defect(Defect::DefaultGroupOnlyMembers);
        for (finding, change) in
            [(high, Change::Worsened), (more_subnets, Change::Worsened), (other.clone(), Change::Changed)]
        {
            assert_eq!(changes(&given_endpoint([finding], [endpoint_record()])), to_both(change));
        }
        let unchanged = given_endpoint([endpoint_finding()], [endpoint_record()]);
        assert_eq!(unchanged.plans(), []);
        let week_later = three_days_ago() + SignedDuration::from_hours(7 * 24);
        let reminders: Vec<_> = unchanged.steps_at(week_later).iter().map(changes_of).collect();
        assert_eq!(reminders, to_both(Change::Reminder));
        // A defect that only a newer version knows is kept, and is no change.
        let unknown = RecordedDefect {
            check: CheckName::EndpointAccess,
            service: SSM.into(),
            defect: Recorded::Unknown("subnet_on_fire".into()),
        };
        let before = AlertRecord { problem: RecordedProblem::Endpoint(unknown), ..endpoint_record() };
        assert_eq!(given_endpoint([other], [before]).plans(), []);
    }

    #[test]
    fn a_new_subnet_is_recorded_and_not_sent_if_the_defect_concerns_the_whole_vpc() {
        let more = |defect| {
            let mut finding = with_defect(defect);
            finding.subnets.push(SubnetRef::from(&subnet("subnet-0000000b", A)));
            finding
        };
        for defect in [Defect::PrivateDnsForAllRequests, Defect::VpcDnsSupportOff, Defect::EndpointMissing] {
            let before = record_of(&with_defect(defect));
            let subnet_ids = &before.subnet_ids | &BTreeSet::from(["subnet-0000000b".to_owned()]);
            let after = AlertRecord { subnet_ids, ..before.clone() };
            assert_eq!(given_endpoint([more(defect)], [before]).steps(), [Step::record_only(after)], "{defect:?}");
        }
        for defect in [Defect::NoSubnetAdmitted, Defect::DefaultGroupOnlyMembers, Defect::SingleZone] {
            let before = record_of(&with_defect(defect));
            assert_eq!(changes(&given_endpoint([more(defect)], [before])), to_both(Change::Worsened), "{defect:?}");
        }
    }

    /// The finding of [`endpoint_record`], resolved now.
    fn endpoint_resolved(record: &AlertRecord, reason: ResolutionReason) -> Step {
        let resolution = Resolution { reason: Recorded::Known(reason), open_seconds: 3 * 24 * 60 * 60 };
        let alert = Alert::Resolved(ResolvedFinding {
            id: record.finding_id.clone(),
            subject: record.subject.clone(),
            problem: record.problem.clone(),
            vpc_id: record.vpc_id.clone(),
            resolution: resolution.clone(),
            ..resolved_finding(reason, 3)
        });
        let after = AlertRecord { state: RecordState::Resolved(resolution), notified_at: now(), ..record.clone() };
        Step::send(alert, both(), after)
    }

    fn exempt_problem() -> ExemptProblem {
        ExemptProblem {
            check: CheckName::EndpointAccess,
            subject: endpoint_subject(),
            service: SSM.into(),
            vpc_id: Some(A.into()),
            exempted_by: ids(&[ENDPOINT]),
        }
    }

    fn doubt() -> Unassessed {
        Unassessed {
            check: CheckName::EndpointAccess,
            subject: endpoint_subject(),
            service: SSM.into(),
            vpc_id: Some(A.into()),
            reason: UnassessedReason::ReferencedGroup,
            in_doubt: Vec::new(),
        }
    }

    #[test]
    fn each_resolution_of_an_endpoint_has_its_reason() {
        let gone = || given_endpoint([], [endpoint_record()]);
        let with = |change: fn(&mut Given)| {
            let mut given = gone();
            change(&mut given);
            given
        };
        let exempt = Given { exempt_problems: vec![exempt_problem()], ..gone() };
        let of_other_check = ExemptProblem { check: CheckName::EndpointDns, ..exempt_problem() };
        let other_exempt = Given { exempt_problems: vec![of_other_check], ..gone() };
        let check_off = |given: &mut Given| {
            given.policy.checks.remove(&CheckName::EndpointAccess);
        };
        for (given, reason) in [
            (gone(), ResolutionReason::Fixed),
            (exempt, ResolutionReason::Exempt),
            (other_exempt, ResolutionReason::Fixed),
            (
                with(|given| given.network.endpoints[0].exemption = Some("endpoint-access".into())),
                ResolutionReason::Exempt,
            ),
            (with(|given| given.network.endpoints[0].exemption = Some("endpoint-dns".into())), ResolutionReason::Fixed),
            (with(|given| given.network.vpcs[0].exemption = Some("*".into())), ResolutionReason::Exempt),
            (with(|given| given.network.endpoints.clear()), ResolutionReason::EndpointDeleted),
            (with(|given| given.network.vpcs.retain(|vpc| vpc.id != A)), ResolutionReason::VpcDeleted),
            (with(check_off), ResolutionReason::CheckOff),
        ] {
            assert_eq!(given.steps(), [endpoint_resolved(&endpoint_record(), reason)], "{reason:?}");
        }
        // The finding of a check that is off is resolved although its endpoint could not be judged.
        let mut off = Given { unassessed: [doubt()].into(), ..gone() };
        check_off(&mut off);
        assert_eq!(off.steps(), [endpoint_resolved(&endpoint_record(), ResolutionReason::CheckOff)]);
    }

    #[test]
    fn a_finding_about_an_endpoint_that_could_not_be_judged_stays_open() {
        let judged = |doubt: Unassessed| {
            let given = Given { unassessed: [doubt].into(), ..given_endpoint([], [endpoint_record()]) };
            given.steps().len()
        };
        assert_eq!(judged(doubt()), 0);
        assert_eq!(judged(Unassessed { in_doubt: ids(&["subnet-0000000a"]), ..doubt() }), 0);
        // A subnet that cannot reach the endpoint at all says nothing about others. Any other doubt may concern all of them.
        let no_family = |subnets: &[&str]| Unassessed {
            reason: UnassessedReason::NoCommonAddressFamily,
            in_doubt: ids(subnets),
            ..doubt()
        };
        assert_eq!(judged(no_family(&["subnet-0000000b"])), 1);
        assert_eq!(judged(no_family(&["subnet-0000000a", "subnet-0000000b"])), 0);
        assert_eq!(judged(Unassessed { in_doubt: ids(&["subnet-0000000b"]), ..doubt() }), 0);
        // The doubt is about another check, service or endpoint.
        assert_eq!(judged(Unassessed { check: CheckName::EndpointDns, ..doubt() }), 1);
        assert_eq!(judged(Unassessed { service: "com.amazonaws.eu-west-1.sqs".into(), ..doubt() }), 1);
        let other = Subject { id: "vpce-0000000b".into(), ..endpoint_subject() };
        assert_eq!(judged(Unassessed { subject: other, ..doubt() }), 1);
        // A problem that was found is sent, whatever else is in doubt. A deleted endpoint is not in doubt.
        let worse = Finding { severity: Severity::High, ..endpoint_finding() };
        let found = Given { unassessed: [doubt()].into(), ..given_endpoint([worse], [endpoint_record()]) };
        assert_eq!(changes(&found), to_both(Change::Worsened));
        let mut deleted = Given { unassessed: [doubt()].into(), ..given_endpoint([], [endpoint_record()]) };
        deleted.network.endpoints.clear();
        assert_eq!(deleted.steps(), [endpoint_resolved(&endpoint_record(), ResolutionReason::EndpointDeleted)]);
    }

    /// While an endpoint is changed, it is `pending`. Then most checks say nothing about it.
    #[test]
    fn a_finding_stays_open_while_its_check_does_not_judge_the_state_of_the_endpoint() {
        let in_state = |state: &str| {
            let mut given = given_endpoint([], [endpoint_record()]);
            given.network.endpoints[0].state = state.into();
            given
        };
        for state in ["pending", "failed", "odd"] {
            assert_eq!(in_state(state).plans(), [], "{state}");
        }
        for state in ["deleting", "Deleted"] {
            let deleted = [endpoint_resolved(&endpoint_record(), ResolutionReason::EndpointDeleted)];
            assert_eq!(in_state(state).steps(), deleted, "{state}");
        }
        let fixed = [endpoint_resolved(&endpoint_record(), ResolutionReason::Fixed)];
        assert_eq!(in_state("Available").steps(), fixed);

        let mut exempt = in_state("pending");
        exempt.network.endpoints[0].exemption = Some("endpoint-access".into());
        assert_eq!(exempt.steps(), [endpoint_resolved(&endpoint_record(), ResolutionReason::Exempt)]);

        let problem = RecordedDefect {
            check: CheckName::EndpointState,
            service: SSM.into(),
            defect: Recorded::Known(Defect::EndpointFailed),
        };
        let record = AlertRecord { problem: RecordedProblem::Endpoint(problem), ..endpoint_record() };
        let mut of_state = given_endpoint([], [record.clone()]);
        of_state.network.endpoints[0].state = "pending".into();
        assert_eq!(of_state.steps(), [endpoint_resolved(&record, ResolutionReason::Fixed)], "it judges every state");
    }

    #[test]
    fn the_findings_of_gateway_route_are_resolved_if_that_check_is_off() {
        let mut given = given([], [record()]);
        given.policy.checks.remove(&CheckName::GatewayRoute);
        let reason = ResolutionReason::CheckOff;
        assert_eq!(given.steps(), [Step::send(resolved_alert(reason), both(), record_resolved_now(reason))]);
    }

    #[test]
    fn a_finding_about_a_vpc_is_resolved_with_its_vpc() {
        let subject = Subject { kind: SubjectKind::Vpc, id: A.into(), name: None };
        let record = AlertRecord { subject, ..endpoint_record() };
        let fixed = given_endpoint([], [record.clone()]);
        assert_eq!(fixed.steps(), [endpoint_resolved(&record, ResolutionReason::Fixed)]);
        let mut deleted = given_endpoint([], [record.clone()]);
        deleted.network.vpcs.retain(|vpc| vpc.id != A);
        assert_eq!(deleted.steps(), [endpoint_resolved(&record, ResolutionReason::VpcDeleted)]);
    }

    #[test]
    fn a_finding_about_a_vpc_is_not_fixed_if_the_settings_or_its_subnets_do_not_need_the_service_any_more() {
        let subject = Subject { kind: SubjectKind::Vpc, id: A.into(), name: None };
        let record = AlertRecord { subject, ..endpoint_record() };
        let resolved = |reason| [endpoint_resolved(&record, reason)];
        let with = |change: fn(&mut Given)| {
            let mut given = given_endpoint([], [record.clone()]);
            change(&mut given);
            given.steps()
        };
        let other_service = |given: &mut Given| given.policy.required_interfaces = BTreeSet::from(["kms".to_owned()]);
        assert_eq!(with(other_service), resolved(ResolutionReason::NotRequired));
        let no_subnets = |given: &mut Given| given.network.subnets.retain(|subnet| subnet.vpc_id != A);
        assert_eq!(reasons(with(no_subnets)), [ResolutionReason::NotRequired]);
        let foreign_subnets = |given: &mut Given| {
            for subnet in &mut given.network.subnets {
                subnet.owner_id = Some("210987654321".into());
            }
        };
        assert_eq!(reasons(with(foreign_subnets)), [ResolutionReason::NotRequired]);
        // Only a finding about a VPC depends on the setting.
        let mut of_endpoint = given_endpoint([], [endpoint_record()]);
        other_service(&mut of_endpoint);
        assert_eq!(of_endpoint.steps(), [endpoint_resolved(&endpoint_record(), ResolutionReason::Fixed)]);
    }

    /// Why the steps resolve.
    fn reasons(steps: Vec<Step>) -> Vec<ResolutionReason> {
        let reason = |step: Step| match step.record.state {
            RecordState::Resolved(Resolution { reason: Recorded::Known(reason), .. }) => reason,
            other => panic!("{other:?}"),
        };
        steps.into_iter().map(reason).collect()
    }

    #[test]
    fn a_finding_about_a_rest_api_is_resolved_only_if_the_apis_were_read() {
        let subject = Subject { kind: SubjectKind::RestApi, id: "a1b2c3d4e5".into(), name: None };
        let problem = RecordedProblem::Endpoint(RecordedDefect {
            check: CheckName::PrivateApi,
            service: "com.amazonaws.eu-west-1.execute-api".into(),
            defect: Recorded::Known(Defect::PolicyWithoutSourceVpc),
        });
        let record = AlertRecord { subject, problem, vpc_id: REST_APIS.into(), ..endpoint_record() };
        let with = |apis: Option<&[&str]>| {
            let rest_apis = apis.map(|apis| RestApis {
                apis: apis.iter().map(|&id| RestApi { id: id.into(), ..RestApi::default() }).collect(),
                ..RestApis::default()
            });
            let mut given = Given { rest_apis, ..given_endpoint([], [record.clone()]) };
            given.policy.checks.insert(CheckName::PrivateApi);
            for step in given.steps() {
                assert_eq!(step.record.vpc_id, REST_APIS, "the row has a key that is not empty");
                let [Outgoing { alert: Alert::Resolved(resolved), .. }] = &step.outgoing[..] else {
                    panic!("{step:?}")
                };
                assert_eq!(resolved.vpc_id, "", "people read of no VPC");
            }
            given
        };
        assert_eq!(with(None).plans(), []);
        let reason = |given: Given| {
            let [step] = given.steps().try_into().unwrap();
            let RecordState::Resolved(resolution) = step.record.state else { panic!() };
            resolution.reason
        };
        assert_eq!(reason(with(Some(&["a1b2c3d4e5"]))), Recorded::Known(ResolutionReason::Fixed));
        assert_eq!(reason(with(Some(&["f6a7b8c9d0"]))), Recorded::Known(ResolutionReason::ApiDeleted));
        // An endpoint that is not visible may be gone. That says nothing about the policy.
        for (doubt, resolves) in
            [(UnassessedReason::EndpointNotVisible, true), (UnassessedReason::UnreadablePolicy, false)]
        {
            let mut given = with(Some(&["a1b2c3d4e5"]));
            given.unassessed.insert(Unassessed {
                check: CheckName::PrivateApi,
                subject: record.subject.clone(),
                service: "com.amazonaws.eu-west-1.execute-api".into(),
                vpc_id: None,
                reason: doubt,
                in_doubt: Vec::new(),
            });
            assert_eq!(given.steps().len(), usize::from(resolves), "{doubt:?}");
        }
        // A tag on the API exempts it, also from what could not be judged.
        let mut tagged = with(Some(&["a1b2c3d4e5"]));
        tagged.rest_apis.as_mut().unwrap().apis[0].exemption = Some("private-api".into());
        assert_eq!(reason(tagged), Recorded::Known(ResolutionReason::Exempt));
        // A scope that names a VPC affects no REST API.
        let mut of_a_vpc = with(Some(&[]));
        of_a_vpc.scope = Scope { vpc_ids: ids(&[A]), ..Scope::default() };
        assert_eq!(of_a_vpc.plans(), []);
    }

    #[test]
    fn findings_about_rest_apis_share_a_part_of_the_history_that_no_vpc_has() {
        let subject = Subject { kind: SubjectKind::RestApi, id: "a1b2c3d4e5".into(), name: None };
        let finding = Finding { id: "api".into(), subject, vpc_id: String::new(), ..endpoint_finding() };
        let mut given = given_endpoint([finding.clone(), endpoint_finding()], []);
        given.vpc_history(REST_APIS).version = 7;
        let tracked: Vec<(String, u64, Vec<String>)> = (given.plans().into_iter())
            .map(|plan| {
                let Plan::Tracked(plan) = plan else { panic!("{plan:?}") };
                let vpcs = plan.steps.into_iter().map(|step| step.record.vpc_id).collect();
                (plan.vpc_id, plan.version, vpcs)
            })
            .collect();
        assert_eq!(tracked, [(REST_APIS.into(), 7, vec![REST_APIS.into()]), (A.into(), 0, vec![A.into()])]);

        let record = AlertRecord::opened(&finding, now(), now());
        assert_eq!(record.updated(&finding), record);
        let without = Given { history: AlertHistory::Off, ..given_endpoint([finding.clone()], []) };
        let outgoing = vec![Outgoing { alert: Alert::Reported(finding), channels: both() }];
        assert_eq!(without.plans(), [Plan::Untracked(UntrackedPlan { vpc_id: REST_APIS.into(), outgoing })]);
    }

    #[test]
    fn a_record_that_affects_only_tables_sends_nothing_about_endpoints() {
        let mut given = given_endpoint([endpoint_finding(), finding()], [endpoint_record()]);
        given.scope = Scope { route_tables: [(TABLE.to_owned(), None)].into(), ..Scope::default() };
        assert_eq!(given.steps().iter().map(|step| step.record.finding_id.clone()).collect::<Vec<_>>(), [finding().id]);
        // And the other way round.
        given.scope = Scope { endpoints: [(ENDPOINT.to_owned(), None)].into(), ..Scope::default() };
        assert_eq!(given.steps(), []);
        given.findings.remove(0);
        assert_eq!(given.steps(), [endpoint_resolved(&endpoint_record(), ResolutionReason::Fixed)]);
    }

    #[test]
    fn an_endpoint_without_a_history_sends_reported() {
        let given = Given { history: AlertHistory::Off, ..given_endpoint([endpoint_finding()], []) };
        let outgoing = vec![Outgoing { alert: Alert::Reported(endpoint_finding()), channels: both() }];
        assert_eq!(given.plans(), [Plan::Untracked(UntrackedPlan { vpc_id: A.into(), outgoing })]);
    }

    #[test]
    fn steps_about_one_subject_are_sorted_by_check_and_service() {
        let of = |id: &str, check, service: &str| {
            let Problem::Endpoint(defect) = endpoint_finding().problem else { panic!() };
            let problem = Problem::Endpoint(EndpointDefect { check, service: service.into(), ..defect });
            Finding { id: id.into(), problem, ..endpoint_finding() }
        };
        let findings = [
            of("4", CheckName::EndpointState, SSM),
            of("3", CheckName::EndpointAccess, SSM),
            of("2", CheckName::EndpointAccess, "com.amazonaws.eu-west-1.sqs"),
            of("1", CheckName::EndpointDns, SSM),
        ];
        let steps = given_endpoint(findings, []).steps();
        let order: Vec<_> = steps.iter().map(|step| step.record.finding_id.as_str()).collect();
        assert_eq!(order, ["1", "2", "3", "4"]);
    }
}
