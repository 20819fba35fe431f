//! Decides which alerts have to be sent, given the alerts that were sent before.
//!
//! | the alert history has | the check found | then |
//! |---|---|---|
//! | no record, or a resolved finding | a finding | `opened` |
//! | an open finding | a higher severity, or subnets that were not affected before | `worsened` |
//! | an open finding | another gap | `changed` |
//! | an open finding, last sent `REMIND_DAYS` ago | the same finding | `reminder` |
//! | an open finding | the same finding, or a less severe one | nothing is sent; differences are recorded |
//! | an open finding | a covered or exempt route table, or no route table | `resolved` |
//! | an alert that some channels did not receive | no other change | the same alert again, to these channels |
//! | no alert history, or one that cannot be read | a finding | `reported` |
//!
//! A finding below the minimum severity sends no alert while it is open. But if an alert was sent about a finding,
//! `resolved` is sent as well, even if its severity is below the minimum by then.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::{
    alerts::{
        alert::{Alert, OpenChange},
        history::{AlertHistory, AlertRecord, RecordState, VpcHistory},
        observation::Observation,
        plan::{Outgoing, Plan, Step, TrackedPlan, UntrackedPlan},
        policy::Policy,
        resolved::Resolver,
    },
    checks::finding::Finding,
};

/// The plans, sorted by VPC id. A VPC with nothing to send and nothing to record has no plan.
#[must_use]
pub fn plans(observation: &Observation<'_>, history: &AlertHistory, policy: &Policy) -> Vec<Plan> {
    let is_affected =
        |table: &str| observation.affected.iter().any(|affected| affected.route_table_ids.contains(table));
    let findings = observation.findings.iter().filter(|finding| is_affected(&finding.route_table.id));
    match history {
        AlertHistory::Off | AlertHistory::Unavailable(_) => {
            without_history(findings, policy).into_iter().map(Plan::Untracked).collect()
        }
        AlertHistory::Available(vpcs) => {
            with_history(findings, vpcs, &is_affected, observation, policy).into_iter().map(Plan::Tracked).collect()
        }
    }
}

fn without_history<'a>(findings: impl Iterator<Item = &'a Finding>, policy: &Policy) -> Vec<UntrackedPlan> {
    let mut by_vpc: BTreeMap<&str, Vec<Outgoing>> = BTreeMap::new();
    for finding in findings.filter(|finding| finding.severity >= policy.min_severity) {
        let outgoing = Outgoing { alert: Alert::Reported(finding.clone()), channels: policy.channels.clone() };
        by_vpc.entry(&finding.vpc_id).or_default().push(outgoing);
    }
    by_vpc.into_iter().map(|(vpc_id, outgoing)| UntrackedPlan { vpc_id: vpc_id.to_owned(), outgoing }).collect()
}

fn with_history<'a>(
    findings: impl Iterator<Item = &'a Finding>,
    history: &BTreeMap<String, VpcHistory>,
    is_affected: &impl Fn(&str) -> bool,
    observation: &Observation<'_>,
    policy: &Policy,
) -> Vec<TrackedPlan> {
    let open_findings: HashMap<&str, &Finding> = findings.map(|finding| (finding.id.as_str(), finding)).collect();
    let mut by_vpc: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in open_findings.values() {
        by_vpc.entry(&finding.vpc_id).or_default().push(finding);
    }
    let resolver = Resolver::new(observation, policy);
    let no_history = VpcHistory::default();
    let vpc_ids: BTreeSet<&str> = by_vpc.keys().copied().chain(history.keys().map(String::as_str)).collect();
    let mut plans = Vec::new();
    for vpc_id in vpc_ids {
        let vpc = history.get(vpc_id).unwrap_or(&no_history);
        let records_by_finding: HashMap<&str, &AlertRecord> =
            vpc.records.iter().map(|record| (record.finding_id.as_str(), record)).collect();
        let active = vpc.records.iter().filter(|record| record.is_open() || !policy.undelivered(record).is_empty());
        let incident_started_at = active.map(|record| record.incident_started_at).min().unwrap_or(observation.now);

        let mut steps: Vec<Step> = (by_vpc.get(vpc_id).into_iter().flatten())
            .filter_map(|finding| match records_by_finding.get(finding.id.as_str()) {
                Some(record) if record.is_open() => still_open(finding, record, observation.now, policy),
                // If a resolved finding is found again below the minimum severity, `opened` is not sent. Then an
                // undelivered `resolved` is still sent.
                before => opened(finding, before.copied(), incident_started_at, observation.now, policy)
                    .or_else(|| resolver.send_again(before?)),
            })
            .collect();
        steps.extend(
            (vpc.records.iter())
                .filter(|record| {
                    is_affected(&record.route_table.id) && !open_findings.contains_key(record.finding_id.as_str())
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
                lease_expires_at: vpc.lease_expires_at.filter(|expires| *expires > observation.now),
                incident_started_at,
                steps,
            });
        }
    }
    plans
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
        let alert = Alert::Open { finding: finding.clone(), change: OpenChange::Opened, since: now };
        let notified = before.map_or_else(BTreeSet::new, |before| policy.undelivered(before));
        let not_notified = &policy.channels - &notified;
        let record = AlertRecord { not_notified, ..AlertRecord::opened(finding, incident_started_at, now) };
        Step::send(alert, policy.channels.clone(), record)
    })
}

/// The step for a finding that is still open; `None` if there is nothing to send and nothing to record.
fn still_open(finding: &Finding, record: &AlertRecord, now: Timestamp, policy: &Policy) -> Option<Step> {
    let after = record.updated(finding);
    let is_severe_enough = finding.severity >= policy.min_severity;
    let change = record
        .change(finding)
        .or_else(|| record.is_reminder_due(policy.remind_after, now).then_some(OpenChange::Reminder));
    let undelivered = policy.undelivered(record);
    let (change, channels, after) = match (change, &record.state) {
        // All channels receive the alert, also those that did not receive `opened`: it describes the whole finding.
        (Some(change), _) if is_severe_enough => {
            (change, policy.channels.clone(), AlertRecord { notified_at: now, ..after })
        }
        (_, RecordState::Open(last_change)) if is_severe_enough && !undelivered.is_empty() => {
            (*last_change, undelivered, after)
        }
        _ => return (after != *record).then_some(Step::record_only(after)),
    };
    let alert = Alert::Open { finding: finding.clone(), change, since: record.since };
    let after = AlertRecord { state: RecordState::Open(change), undelivered: BTreeSet::new(), ..after };
    Some(Step::send(alert, channels, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alerts::{
            affected::Affected,
            alert::{Change, Resolution, ResolutionReason, ResolvedFinding},
            channel::Channel,
            recorded::Recorded,
            testing::unavailable,
        },
        checks::{
            exemption::Exempt,
            finding::{Gap, SubnetRef, TableRef},
            fix::Fix,
            severity::Severity,
        },
        events::{
            payload::Payload,
            record::{Record, Trigger},
            scope::Scope,
        },
        network::{
            model::{Association, Network, RouteTable, Subnet, Target, TargetKind},
            service::GatewayService,
            testing::{REGION, account_region, main_table, subnet, table, vpc},
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
            service: GatewayService::S3,
            gap: Gap::NotAssociated,
            severity: Severity::Medium,
            account: "123456789012".into(),
            region: REGION.into(),
            vpc_id: vpc_id.into(),
            route_table: TableRef { id: table.into(), name: Some("private".into()), main: false },
            subnets: vec![SubnetRef::from(&subnet("subnet-0000000a", vpc_id))],
            egress: Target { kind: TargetKind::TransitGateway, id: Some("tgw-0000000a".into()) },
            endpoint: None,
            interface_endpoint: None,
            fix: Fix::Create,
            cautions: BTreeSet::new(),
        }
    }

    fn finding() -> Finding {
        finding_on(TABLE, A)
    }

    /// The record of a finding that opened three days ago, and that every channel received.
    fn record_of(finding: &Finding) -> AlertRecord {
        AlertRecord::opened(finding, three_days_ago(), three_days_ago())
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
        history: AlertHistory,
        policy: Policy,
        /// The scope of the only input record.
        scope: Scope,
    }

    fn policy() -> Policy {
        Policy {
            required_services: BTreeSet::from([GatewayService::S3, GatewayService::DynamoDb]),
            min_severity: Severity::Low,
            remind_after: Some(SignedDuration::from_hours(7 * 24)),
            channels: BTreeSet::from([Channel::Json, Channel::Text]),
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
            history: AlertHistory::Available(history),
            policy: policy(),
            scope: Scope::region(),
        }
    }

    impl Given {
        fn plans_at(&self, now: Timestamp) -> Vec<Plan> {
            let record = Record { scope: self.scope.clone(), trigger: Trigger::Manual, time: None, publish: true };
            let payload = Payload::Direct(Box::new(record));
            let Self { network, findings, exempt, history, policy, .. } = self;
            let affected = Affected::of_records(&payload, network, history, &account_region());
            plans(
                &Observation { network, findings, exempt, affected: &affected, account_region: &account_region(), now },
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
        AlertRecord { not_notified: both(), ..AlertRecord::opened(finding, incident_started_at, now()) }
    }

    fn send_to_both(finding: &Finding, change: OpenChange, record: AlertRecord) -> Step {
        Step::send(open_alert(finding, change, record.since), both(), record)
    }

    /// The finding of [`record`], resolved after this number of days.
    fn resolved_finding(reason: ResolutionReason, days: i64) -> ResolvedFinding {
        ResolvedFinding {
            id: finding().id,
            service: GatewayService::S3,
            gap: Recorded::Known(Gap::NotAssociated),
            worst_severity: Severity::Medium,
            account: "123456789012".into(),
            region: REGION.into(),
            vpc_id: A.into(),
            route_table: finding().route_table,
            subnets: finding().subnets,
            egress: finding().egress,
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

    #[test]
    fn a_new_finding_sends_opened() {
        assert_eq!(
            given([finding()], []).plans(),
            [Plan::Tracked(TrackedPlan {
                vpc_id: A.into(),
                version: 0,
                lease_expires_at: None,
                incident_started_at: now(),
                steps: vec![Step::send(
                    open_alert(&finding(), OpenChange::Opened, now()),
                    both(),
                    AlertRecord {
                        finding_id: finding().id,
                        account: "123456789012".into(),
                        vpc_id: A.into(),
                        route_table: finding().route_table,
                        service: GatewayService::S3,
                        gap: Recorded::Known(Gap::NotAssociated),
                        severity: Severity::Medium,
                        worst_severity: Severity::Medium,
                        subnet_ids: ids(&["subnet-0000000a"]),
                        egress: finding().egress,
                        state: RecordState::Open(OpenChange::Opened),
                        since: now(),
                        notified_at: now(),
                        undelivered: BTreeSet::new(),
                        not_notified: both(),
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
        let other = Finding { gap: Gap::RouteInactive, ..finding() };
        let after = AlertRecord {
            gap: Recorded::Known(Gap::RouteInactive),
            notified_at: now(),
            state: RecordState::Open(OpenChange::Changed),
            ..record()
        };
        assert_eq!(given([other.clone()], [record()]).steps(), [send_to_both(&other, OpenChange::Changed, after)]);
    }

    #[test]
    fn another_gap_with_a_higher_severity_sends_worsened() {
        let worse = Finding { gap: Gap::RouteInactive, severity: Severity::High, ..finding() };
        let after = AlertRecord {
            gap: Recorded::Known(Gap::RouteInactive),
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
        let mut other = finding();
        other.egress.id = Some("tgw-0000000b".into());
        other.route_table.name = Some("renamed".into());
        let after = AlertRecord { egress: other.egress.clone(), route_table: other.route_table.clone(), ..record() };
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
        let had_other_gap = AlertRecord { gap: Recorded::Known(Gap::NoEndpoint), ..record() };
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
        let after = AlertRecord {
            severity: Severity::High,
            worst_severity: Severity::High,
            notified_at: now(),
            state: RecordState::Open(OpenChange::Worsened),
            ..record()
        };
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
            let owner_id = Some(owner.to_owned());
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
        let resolved_channels = |not_notified: &[Channel], undelivered: &[Channel]| {
            let set = |channels: &[Channel]| channels.iter().copied().collect();
            let before = AlertRecord { not_notified: set(not_notified), undelivered: set(undelivered), ..record() };
            let [step] = given([], [before]).steps().try_into().unwrap();
            let Step { outgoing: Some(outgoing), record } = step else { panic!() };
            assert_eq!(record, record_resolved_now(ResolutionReason::Covered));
            assert_eq!(outgoing.alert, resolved_alert(ResolutionReason::Covered));
            outgoing.channels
        };
        assert_eq!(resolved_channels(&[], &[]), both());
        assert_eq!(resolved_channels(&[Channel::Text], &[Channel::Text]), [Channel::Json].into());
        assert_eq!(resolved_channels(&[Channel::Json, Channel::Text], &[]), BTreeSet::new());
        // The text channel received `opened`, but not the last alert.
        assert_eq!(resolved_channels(&[], &[Channel::Text]), both());
    }

    /// The records after these plans, if only these channels received their alerts.
    fn records_after(plans: &[TrackedPlan], channels: &[Channel]) -> Vec<AlertRecord> {
        let received = |plan: &TrackedPlan| -> BTreeMap<Channel, BTreeSet<String>> {
            let outgoing = plan.steps.iter().filter_map(|step| step.outgoing.as_ref());
            let ids: BTreeSet<String> = outgoing.map(|outgoing| outgoing.alert.finding_id().to_owned()).collect();
            channels.iter().map(|channel| (*channel, ids.clone())).collect()
        };
        plans.iter().flat_map(|plan| plan.records_after(&received(plan))).collect()
    }

    #[test]
    fn a_channel_is_not_notified_until_it_receives_an_alert() {
        let high = Finding { severity: Severity::High, ..finding() };
        let opened = records_after(&given([finding()], []).tracked(), &[Channel::Json]);
        assert_eq!(opened[0].not_notified, [Channel::Text].into());
        let worse = records_after(&given([high.clone()], opened).tracked(), &[Channel::Json]);
        assert_eq!((worse[0].state.change(), &worse[0].not_notified), (Change::Worsened, &[Channel::Text].into()));
        assert_eq!(given([], worse.clone()).steps()[0].outgoing.as_ref().unwrap().channels, [Channel::Json].into());
        // A step that sends nothing notifies no channel.
        let less_severe =
            records_after(&given([finding()], worse.clone()).with_min_severity(Severity::High).tracked(), &[]);
        assert_eq!(
            (less_severe[0].severity, &less_severe[0].not_notified),
            (Severity::Medium, &[Channel::Text].into())
        );
        // Any alert about the finding notifies the channel.
        let all_notified = records_after(&given([high], worse).tracked(), &[Channel::Text]);
        assert_eq!(all_notified[0].not_notified, BTreeSet::new());
        assert_eq!(given([], all_notified).steps()[0].outgoing.as_ref().unwrap().channels, both());
    }

    #[test]
    fn a_channel_that_received_opened_receives_resolved_after_it_missed_several_alerts() {
        let mut records = vec![record()];
        for findings in [vec![], vec![finding()], vec![], vec![finding()]] {
            records = records_after(&given(findings, records).tracked(), &[Channel::Json]);
        }
        let [step] = given([], records).steps().try_into().unwrap();
        assert_eq!(step.outgoing.as_ref().unwrap().channels, both());
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
        let opened =
            AlertRecord { not_notified: [Channel::Json].into(), ..record_opened_now(&finding(), three_days_ago()) };
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
            step.outgoing.as_ref().unwrap().alert.subnets(),
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

    /// The incident start of a finding that opens on [`TABLE`], given these records of its VPC.
    fn incident_start_given(records: Vec<AlertRecord>) -> Timestamp {
        let [plan] = given([finding()], records).tracked().try_into().unwrap();
        let [Step { outgoing: Some(_), record }] = &plan.steps[..] else { panic!() };
        assert_eq!(plan.incident_started_at, record.incident_started_at);
        record.incident_started_at
    }

    #[test]
    fn a_finding_that_opens_while_another_is_open_joins_its_incident() {
        let main = finding_on("rtb-0000000a", A);
        let earlier = three_days_ago() - SignedDuration::from_hours(1);
        let open = |incident_started_at| AlertRecord { incident_started_at, ..record_of(&main) };
        let other = AlertRecord { finding_id: "another".into(), ..open(earlier) };
        // The incident is the same if the input record does not affect the table of the open finding.
        let mut unaffected = given([finding()], [open(three_days_ago()), other.clone()]);
        unaffected.scope = Scope { route_tables: [(TABLE.to_owned(), None)].into(), ..Scope::default() };
        let [plan] = unaffected.tracked().try_into().unwrap();
        assert_eq!(plan.incident_started_at, earlier);
        assert_eq!(plan.steps, [send_to_both(&finding(), OpenChange::Opened, record_opened_now(&finding(), earlier))]);
        // A finding in another VPC belongs to another incident.
        let in_other_vpc = AlertRecord { vpc_id: B.into(), ..record_of(&finding_on("rtb-0000000c", B)) };
        let mut given = given([finding(), finding_on("rtb-0000000c", B)], [in_other_vpc]);
        given.vpc_history(B).version = 1;
        let plans = given.tracked();
        assert_eq!(
            plans.iter().map(|plan| (plan.vpc_id.as_str(), plan.incident_started_at)).collect::<Vec<_>>(),
            [(A, now())]
        );
    }

    #[test]
    fn a_finding_that_opens_after_all_others_are_resolved_starts_an_incident() {
        assert_eq!(incident_start_given(vec![]), now());
        assert_eq!(incident_start_given(vec![record_resolved_earlier(ResolutionReason::Covered)]), now());
        let undelivered_to = |channel| AlertRecord {
            undelivered: [channel].into(),
            ..record_resolved_earlier(ResolutionReason::Covered)
        };
        assert_eq!(
            incident_start_given(vec![undelivered_to(Channel::Text)]),
            three_days_ago(),
            "a channel has not received `resolved`"
        );
        assert_eq!(incident_start_given(vec![undelivered_to(Channel::Chat)]), now(), "the channel was removed");
    }

    #[test]
    fn an_open_finding_keeps_its_incident() {
        let worse = Finding { severity: Severity::High, ..finding() };
        for findings in [vec![worse], vec![]] {
            let [plan] = given(findings, [record()]).tracked().try_into().unwrap();
            assert_eq!(plan.incident_started_at, three_days_ago());
            assert_eq!(plan.steps[0].record.incident_started_at, three_days_ago());
        }
    }

    #[test]
    fn a_plan_has_the_lease_of_another_invocation_until_it_expires() {
        let second = SignedDuration::from_secs(1);
        for (expires_at, is_held) in [(now() + second, true), (now(), false), (now() - second, false)] {
            let mut given = given([finding()], []);
            *given.vpc_history(A) = VpcHistory { version: 7, lease_expires_at: Some(expires_at), records: Vec::new() };
            let [plan] = given.tracked().try_into().unwrap();
            assert_eq!((plan.version, plan.lease_expires_at), (7, is_held.then_some(expires_at)));
        }
    }

    #[test]
    fn plans_are_sorted_by_vpc_and_steps_by_table_and_service() {
        let of_dynamodb = |finding: Finding| Finding {
            id: finding.id.replace("s3", "dynamodb"),
            service: GatewayService::DynamoDb,
            ..finding
        };
        let (main, other) = (finding_on("rtb-0000000a", A), finding_on("rtb-0000000c", B));
        let findings = [other.clone(), finding(), of_dynamodb(main.clone()), of_dynamodb(finding())];
        let steps: Vec<_> = (given(findings, [record_of(&main)]).tracked().iter())
            .map(|plan| {
                let id_and_change = |step: &Step| {
                    let alert = &step.outgoing.as_ref().unwrap().alert;
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
        let deleted =
            AlertRecord { route_table: TableRef { id: "rtb-0000000f".into(), ..record().route_table }, ..record() };
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
        for history in [AlertHistory::Off, unavailable()] {
            let mut given = Given { history, ..given(findings.clone(), []) }.with_min_severity(Severity::Medium);
            assert_eq!(given.plans(), [reported(&finding()), reported(&other)]);
            given.scope = Scope { vpc_ids: ids(&[B]), ..Scope::default() };
            assert_eq!(given.plans(), [reported(&other)]);
        }
    }

    /// A plan with four steps: send `opened`, send `resolved`, send an undelivered `opened` to one channel, and only
    /// record.
    fn plan_with_each_step() -> TrackedPlan {
        let on = |table: &str| finding_on(table, A);
        let undelivered = AlertRecord { undelivered: [Channel::Text].into(), ..record_of(&on("rtb-00000002")) };
        let more_severe = AlertRecord {
            severity: Severity::High,
            undelivered: [Channel::Text].into(),
            ..record_of(&on("rtb-00000003"))
        };
        let less_severe = Finding { severity: Severity::Low, ..on("rtb-00000003") };
        let findings = [on("rtb-00000000"), on("rtb-00000002"), less_severe];
        let mut given = given(findings, [record_of(&on("rtb-00000001")), undelivered, more_severe])
            .with_min_severity(Severity::Medium);
        let tables = (0..4).map(|n| table(&format!("rtb-0000000{n}"), A));
        given.network.route_tables.extend(tables);
        *given.vpc_history(A) = VpcHistory {
            version: 3,
            lease_expires_at: Some(now() + SignedDuration::from_secs(9)),
            ..given.vpc_history(A).clone()
        };
        let [plan] = given.tracked().try_into().unwrap();
        let changes: Vec<_> = plan.steps.iter().map(Step::change).collect();
        assert_eq!(changes, [Some(Change::Opened), Some(Change::Resolved), Some(Change::Opened), None]);
        plan
    }

    #[test]
    fn an_untracked_plan_sends_reported_for_open_findings() {
        let plan = plan_with_each_step();
        let reported = |step: &Step| {
            let Outgoing { alert, channels } = step.outgoing.as_ref().unwrap();
            let finding = alert.open_finding().unwrap().clone();
            Outgoing { alert: Alert::Reported(finding), channels: channels.clone() }
        };
        assert_eq!(
            plan.to_untracked(),
            UntrackedPlan { vpc_id: A.into(), outgoing: vec![reported(&plan.steps[0]), reported(&plan.steps[2])] }
        );
    }

    #[test]
    fn records_after_have_the_channels_that_did_not_receive_the_alert() {
        let plan = plan_with_each_step();
        let all: Vec<String> = plan.steps.iter().map(|step| step.record.finding_id.clone()).collect();
        let [new, resolved, resent, recorded]: [AlertRecord; 4] =
            plan.steps.iter().map(|step| step.record.clone()).collect::<Vec<_>>().try_into().unwrap();
        let undelivered_to =
            |channel, record: &AlertRecord| AlertRecord { undelivered: [channel].into(), ..record.clone() };
        assert_eq!(new.not_notified, both());
        let (without_text, without_json, new) = (
            AlertRecord { not_notified: [Channel::Text].into(), ..undelivered_to(Channel::Text, &new) },
            AlertRecord { not_notified: [Channel::Json].into(), ..undelivered_to(Channel::Json, &new) },
            AlertRecord { not_notified: BTreeSet::new(), ..new },
        );
        let records_if_received = |json: &[String], text: &[String]| {
            let set = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<String>>();
            plan.records_after(&[(Channel::Json, set(json)), (Channel::Text, set(text))].into())
        };
        assert_eq!(records_if_received(&all, &all), [new.clone(), resolved.clone(), resent.clone(), recorded.clone()]);
        let still_undelivered = undelivered_to(Channel::Text, &resent);
        assert_eq!(
            records_if_received(&all, &[]),
            [
                without_text.clone(),
                undelivered_to(Channel::Text, &resolved),
                still_undelivered.clone(),
                recorded.clone()
            ]
        );
        assert_eq!(
            records_if_received(&[], &all),
            [without_json, undelivered_to(Channel::Json, &resolved), resent, recorded.clone()]
        );
        assert_eq!(
            records_if_received(&all[..1], &all[1..2]),
            [without_text, undelivered_to(Channel::Json, &resolved), still_undelivered.clone(), recorded.clone()]
        );
        let undelivered_to_both = |record: &AlertRecord| AlertRecord { undelivered: both(), ..record.clone() };
        let none_received = [
            AlertRecord { not_notified: both(), ..undelivered_to_both(&new) },
            undelivered_to_both(&resolved),
            still_undelivered,
            recorded.clone(),
        ];
        assert_eq!(records_if_received(&[], &[]), none_received);
        assert_eq!(plan.records_after(&BTreeMap::new()), none_received);
        assert_eq!(recorded.undelivered, [Channel::Text].into(), "a step that sends nothing delivers nothing");
    }

    #[test]
    fn records_before_mark_every_channel_of_the_alert_as_undelivered() {
        let plan = plan_with_each_step();
        let [new, resolved, resent]: [AlertRecord; 3] =
            (plan.steps.iter().take(3)).map(|step| step.record.clone()).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(
            plan.records_before(),
            [
                AlertRecord { undelivered: both(), not_notified: BTreeSet::new(), ..new },
                AlertRecord { undelivered: both(), ..resolved },
                AlertRecord { undelivered: [Channel::Text].into(), ..resent },
            ],
            "a step that sends nothing is written after publishing"
        );
    }

    fn change_and_channels(step: &Step) -> (Change, BTreeSet<Channel>) {
        let outgoing = step.outgoing.as_ref().unwrap();
        (outgoing.alert.change(), outgoing.channels.clone())
    }

    #[test]
    fn both_channels_receive_the_current_state_after_a_crash() {
        let crashed_at_opened = given([finding()], []).tracked()[0].records_before();
        let [step] = given([finding()], crashed_at_opened.clone()).steps().try_into().unwrap();
        assert_eq!(change_and_channels(&step), (Change::Opened, both()));
        let [step] = given([], crashed_at_opened).steps().try_into().unwrap();
        assert_eq!(change_and_channels(&step), (Change::Resolved, both()));

        let crashed_at_resolved = given([], [record()]).tracked()[0].records_before();
        let [step] = given([], crashed_at_resolved.clone()).steps().try_into().unwrap();
        assert_eq!(change_and_channels(&step), (Change::Resolved, both()));
        let [step] = given([finding()], crashed_at_resolved).steps().try_into().unwrap();
        assert_eq!(change_and_channels(&step), (Change::Opened, both()));
    }

    #[test]
    fn a_finding_that_no_channel_received_is_resolved_without_an_alert() {
        let before = AlertRecord { undelivered: both(), not_notified: both(), ..record() };
        let [plan] = given([], [before]).tracked().try_into().unwrap();
        assert_eq!(plan.records_before(), [], "no alert is sent");
        assert_eq!(plan.records_after(&BTreeMap::new()), [record_resolved_now(ResolutionReason::Covered)]);
    }
}
