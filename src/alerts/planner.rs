//! Decides which alerts have to be sent, given those that were sent before.
//!
//! | the alert history has | and now there is | then |
//! |---|---|---|
//! | nothing, or a resolved finding | a finding | `opened` |
//! | an open finding | a higher severity, or subnets that were not affected before | `worsened` |
//! | an open finding | another gap | `changed` |
//! | an open finding, last sent `REMIND_DAYS` ago | the same | `reminder` |
//! | an open finding | the same or a better one | nothing is sent; what is better is recorded |
//! | an open finding | a covered or exempt route table, or none | `resolved` |
//! | an alert that some channels did not receive | nothing new | the same alert again, to these channels |
//! | no alert history, or one that cannot be read | a finding | `reported` |
//!
//! Below the minimum severity nothing is opened, nothing worsens and no reminder is due. But a finding about which an alert
//! was sent is resolved with an alert, however low its severity is by then.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

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

/// What has to be sent and recorded, VPC by VPC. There is no plan for a VPC about which nothing has to be done.
#[must_use]
pub fn plans(seen: &Observation<'_>, history: &AlertHistory, policy: &Policy) -> Vec<Plan> {
    let is_affected = |table: &str| seen.affected.iter().any(|affected| affected.route_table_ids.contains(table));
    let findings = seen.findings.iter().filter(|finding| is_affected(&finding.route_table.id));
    match history {
        AlertHistory::Off | AlertHistory::Unavailable(_) => {
            without_history(findings, policy).into_iter().map(Plan::Untracked).collect()
        }
        AlertHistory::Available(vpcs) => {
            with_history(findings, vpcs, &is_affected, seen, policy).into_iter().map(Plan::Tracked).collect()
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
    seen: &Observation<'_>,
    policy: &Policy,
) -> Vec<TrackedPlan> {
    let now_open: HashMap<&str, &Finding> = findings.map(|finding| (finding.id.as_str(), finding)).collect();
    let mut by_vpc: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in now_open.values() {
        by_vpc.entry(&finding.vpc_id).or_default().push(finding);
    }
    let resolver = Resolver::new(seen, policy);
    let no_history = VpcHistory::default();
    let vpc_ids: BTreeSet<&str> = by_vpc.keys().copied().chain(history.keys().map(String::as_str)).collect();
    let mut plans = Vec::new();
    for vpc_id in vpc_ids {
        let vpc = history.get(vpc_id).unwrap_or(&no_history);
        let known: HashMap<&str, &AlertRecord> =
            vpc.records.iter().map(|record| (record.finding_id.as_str(), record)).collect();
        let active = vpc.records.iter().filter(|record| record.is_open() || !policy.undelivered(record).is_empty());
        let incident_started_at = active.map(|record| record.incident_started_at).min().unwrap_or(seen.now);

        let mut steps: Vec<Step> = (by_vpc.get(vpc_id).into_iter().flatten())
            .filter_map(|finding| match known.get(finding.id.as_str()) {
                Some(record) if record.is_open() => still_open(finding, record, seen.now, policy),
                // A finding that is back, but below the minimum severity: the channels still have to know that it was
                // resolved.
                before => opened(finding, before.copied(), incident_started_at, seen.now, policy)
                    .or_else(|| resolver.send_again(before?)),
            })
            .collect();
        steps.extend(
            (vpc.records.iter())
                .filter(|record| {
                    is_affected(&record.route_table.id) && !now_open.contains_key(record.finding_id.as_str())
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
                lease_expires_at: vpc.lease_expires_at.filter(|expires| *expires > seen.now),
                incident_started_at,
                steps,
            });
        }
    }
    plans
}

/// The step for a finding that is new or back. A channel that did not receive that it was resolved still counts it as open.
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

/// The step for a finding that was open and still is.
fn still_open(finding: &Finding, record: &AlertRecord, now: Timestamp, policy: &Policy) -> Option<Step> {
    let after = record.updated(finding);
    let is_severe_enough = finding.severity >= policy.min_severity;
    let change =
        record.change(finding).or_else(|| record.is_due(policy.remind_after, now).then_some(OpenChange::Reminder));
    let undelivered = policy.undelivered(record);
    let (change, channels, after) = match (change, &record.state) {
        // A channel that did not receive that the finding opened receives all of it now.
        (Some(change), _) if is_severe_enough => {
            (change, policy.channels.clone(), AlertRecord { notified_at: now, ..after })
        }
        (_, RecordState::Open(last_change)) if is_severe_enough && !undelivered.is_empty() => {
            (*last_change, undelivered, after)
        }
        _ => return (after != *record).then_some(Step::record(after)),
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

    /// When things are looked at.
    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    /// When what the ledger knows was found: three days ago.
    fn early() -> Timestamp {
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
        }
    }

    fn finding() -> Finding {
        finding_on(TABLE, A)
    }

    /// What the ledger says of a finding that everybody heard of three days ago.
    fn record_of(finding: &Finding) -> AlertRecord {
        AlertRecord::opened(finding, early(), early())
    }

    fn record() -> AlertRecord {
        record_of(&finding())
    }

    fn ids<C: FromIterator<String>>(ids: &[&str]) -> C {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    /// The same finding, resolved since the day before yesterday.
    fn resolved(reason: ResolutionReason) -> AlertRecord {
        let resolution = Resolution { reason: Recorded::Known(reason), open_seconds: 24 * 60 * 60 };
        AlertRecord {
            state: RecordState::Resolved(resolution),
            notified_at: "2026-11-21T10:00:00Z".parse().unwrap(),
            ..record()
        }
    }

    /// What there is, what is found, and what was told before.
    struct Given {
        network: Network,
        findings: Vec<Finding>,
        exempt: Vec<Exempt>,
        ledger: AlertHistory,
        policy: Policy,
        /// What the one record touches.
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

    /// Two VPCs, the first with a private table; these findings; and a ledger with these entries.
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
            ledger: AlertHistory::Available(history),
            policy: policy(),
            scope: Scope::region(),
        }
    }

    impl Given {
        fn plans_at(&self, now: Timestamp) -> Vec<Plan> {
            let record = Record { scope: self.scope.clone(), trigger: Trigger::Manual, time: None, publish: true };
            let payload = Payload::Direct(Box::new(record));
            let Self { network, findings, exempt, ledger, policy, .. } = self;
            let affected = Affected::by(&payload, network, ledger, &account_region());
            plans(
                &Observation { network, findings, exempt, affected: &affected, account_region: &account_region(), now },
                ledger,
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
            let AlertHistory::Available(history) = &mut self.ledger else { panic!() };
            history.entry(vpc_id.to_owned()).or_default()
        }

        fn without(mut self, table: &str) -> Self {
            self.network.route_tables.retain(|there| there.id != table);
            self
        }

        fn with_min(mut self, severity: Severity) -> Self {
            self.policy.min_severity = severity;
            self
        }
    }

    fn both() -> BTreeSet<Channel> {
        BTreeSet::from([Channel::Json, Channel::Text])
    }

    fn open_alert(finding: &Finding, change: OpenChange, since: Timestamp) -> Alert {
        Alert::Open { finding: finding.clone(), change, since }
    }

    /// The record of what opens now.
    fn opening(finding: &Finding, incident_started_at: Timestamp) -> AlertRecord {
        AlertRecord { not_notified: both(), ..AlertRecord::opened(finding, incident_started_at, now()) }
    }

    fn send_to_both(finding: &Finding, change: OpenChange, record: AlertRecord) -> Step {
        Step::send(open_alert(finding, change, record.since), both(), record)
    }

    /// The alert for the finding of [`record`] once it is resolved, after so many days.
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
            since: early(),
            resolution: Resolution { reason: Recorded::Known(reason), open_seconds: days * 24 * 60 * 60 },
        }
    }

    fn resolved_alert(reason: ResolutionReason) -> Alert {
        Alert::Resolved(resolved_finding(reason, 3))
    }

    /// Its record then.
    fn record_resolved(reason: ResolutionReason) -> AlertRecord {
        AlertRecord {
            state: RecordState::Resolved(resolved_finding(reason, 3).resolution),
            notified_at: now(),
            ..record()
        }
    }

    #[test]
    fn a_new_finding_is_opened() {
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
    fn a_finding_that_is_back_is_opened_anew() {
        let anew = opening(&finding(), now());
        let given = given([finding()], [resolved(ResolutionReason::Covered)]);
        assert_eq!(given.steps(), [send_to_both(&finding(), OpenChange::Opened, anew)]);
    }

    #[test]
    fn a_finding_gets_worse_with_its_severity_and_with_subnets_that_join() {
        let mut joined = finding();
        joined.subnets.push(SubnetRef::from(&subnet("subnet-0000000b", A)));
        let mut replaced = finding();
        replaced.subnets = vec![SubnetRef::from(&subnet("subnet-0000000b", A))];
        let high = Finding { severity: Severity::High, ..finding() };
        let less_with_more_subnets = Finding { severity: Severity::Low, ..joined.clone() };
        for worse in [joined, replaced, high, less_with_more_subnets] {
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
    fn another_gap_is_a_change() {
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
    fn of_another_gap_that_is_also_worse_the_worse_is_told() {
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
    fn what_is_known_is_not_told() {
        assert_eq!(given([finding()], [record()]).plans(), []);
    }

    #[test]
    fn what_is_better_is_recorded() {
        let better = Finding { severity: Severity::Low, subnets: Vec::new(), ..finding() };
        let before = AlertRecord {
            state: RecordState::Open(OpenChange::Worsened),
            notified_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            ..record()
        };
        let after = AlertRecord { severity: Severity::Low, subnet_ids: BTreeSet::new(), ..before.clone() };
        assert_eq!(given([better], [before]).steps(), [Step::record(after.clone())]);
        // And what is worse than that, is worse.
        let again = AlertRecord { notified_at: now(), state: RecordState::Open(OpenChange::Worsened), ..record() };
        assert_eq!(given([finding()], [after]).steps(), [send_to_both(&finding(), OpenChange::Worsened, again)]);
    }

    #[test]
    fn another_way_out_or_name_of_the_same_severity_is_recorded() {
        let mut other = finding();
        other.egress.id = Some("tgw-0000000b".into());
        other.route_table.name = Some("renamed".into());
        let after = AlertRecord { egress: other.egress.clone(), route_table: other.route_table.clone(), ..record() };
        assert_eq!(given([other], [record()]).steps(), [Step::record(after)]);
    }

    #[test]
    fn nobody_acting_is_a_reminder_to_the_hour() {
        let after = |now| AlertRecord { notified_at: now, state: RecordState::Open(OpenChange::Reminder), ..record() };
        let given = given([finding()], [record()]);
        let hours = |hours: i64| early() + SignedDuration::from_hours(hours);
        for due in [hours(7 * 24 - 1), hours(7 * 24), hours(8 * 24)] {
            assert_eq!(given.steps_at(due), [send_to_both(&finding(), OpenChange::Reminder, after(due))]);
        }
        assert_eq!(given.plans_at(hours(7 * 24 - 1) - SignedDuration::from_secs(1)), []);
    }

    #[test]
    fn a_reminder_counts_from_when_it_was_last_told() {
        let told = early() + SignedDuration::from_hours(6 * 24);
        let given = given(
            [finding()],
            [AlertRecord { notified_at: told, state: RecordState::Open(OpenChange::Worsened), ..record() }],
        );
        assert_eq!(given.plans_at(early() + SignedDuration::from_hours(7 * 24)), []);
        assert_eq!(given.plans_at(told + SignedDuration::from_hours(7 * 24)).len(), 1);
    }

    #[test]
    fn who_wants_no_reminder_gets_none() {
        let mut given = given([finding()], [record()]);
        given.policy.remind_after = None;
        assert_eq!(given.plans_at(early() + SignedDuration::from_hours(700 * 24)), []);
    }

    #[test]
    fn what_got_worse_is_no_reminder() {
        let worse = Finding { severity: Severity::High, ..finding() };
        let late = early() + SignedDuration::from_hours(8 * 24);
        let after = AlertRecord {
            severity: Severity::High,
            worst_severity: Severity::High,
            notified_at: late,
            state: RecordState::Open(OpenChange::Worsened),
            ..record()
        };
        assert_eq!(
            given([worse.clone()], [record()]).steps_at(late),
            [send_to_both(&worse, OpenChange::Worsened, after)]
        );
    }

    #[test]
    fn below_the_least_severity_nothing_is_opened() {
        assert_eq!(given([finding()], []).with_min(Severity::High).plans(), []);
        assert_eq!(given([finding()], [resolved(ResolutionReason::Exempt)]).with_min(Severity::High).plans(), []);
        assert_eq!(given([finding()], []).with_min(Severity::Medium).steps().len(), 1);
    }

    #[test]
    fn below_the_least_severity_what_changes_is_noted_and_nobody_is_reminded() {
        let was_low = AlertRecord { severity: Severity::Low, ..record() };
        assert_eq!(given([finding()], [was_low]).with_min(Severity::High).steps(), [Step::record(record())]);
        let other = AlertRecord { gap: Recorded::Known(Gap::NoEndpoint), ..record() };
        assert_eq!(given([finding()], [other]).with_min(Severity::High).steps(), [Step::record(record())]);
        let known = given([finding()], [record()]).with_min(Severity::High);
        assert_eq!(known.plans_at(early() + SignedDuration::from_hours(8 * 24)), []);
    }

    #[test]
    fn what_was_told_is_told_as_resolved_however_small() {
        let small = AlertRecord { severity: Severity::Low, ..record() };
        // With the worst that it was: who hears of the bad ones alone hears of the end of this one.
        let alert = resolved_alert(ResolutionReason::Covered);
        assert_eq!(alert.severity(), Severity::Medium);
        let after = AlertRecord { severity: Severity::Low, ..record_resolved(ResolutionReason::Covered) };
        assert_eq!(given([], [small]).with_min(Severity::High).steps(), [Step::send(alert, both(), after)]);
    }

    #[test]
    fn who_has_not_had_it_gets_the_same_again() {
        for change in OpenChange::ALL {
            let before =
                AlertRecord { state: RecordState::Open(change), undelivered: [Channel::Text].into(), ..record() };
            let after = AlertRecord { undelivered: BTreeSet::new(), ..before.clone() };
            assert_eq!(
                given([finding()], [before]).steps(),
                [Step::send(open_alert(&finding(), change, early()), [Channel::Text].into(), after)]
            );
        }
    }

    #[test]
    fn who_has_not_had_it_gets_what_has_happened_since() {
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
    fn what_is_owed_waits_while_it_is_too_small() {
        let before = AlertRecord { undelivered: [Channel::Text].into(), ..record() };
        assert_eq!(given([finding()], [before]).with_min(Severity::High).plans(), []);
    }

    #[test]
    fn a_channel_that_is_there_no_more_is_owed_nothing() {
        let before = AlertRecord { undelivered: [Channel::Chat].into(), ..record() };
        assert_eq!(given([finding()], [before]).plans(), []);
        let before = AlertRecord { undelivered: [Channel::Chat].into(), ..resolved(ResolutionReason::Covered) };
        assert_eq!(given([], [before]).plans(), []);
        let before = AlertRecord { undelivered: [Channel::Chat, Channel::Text].into(), ..record() };
        assert_eq!(
            given([finding()], [before]).steps(),
            [Step::send(open_alert(&finding(), OpenChange::Opened, early()), [Channel::Text].into(), record())]
        );
    }

    #[test]
    fn each_end_has_its_cause() {
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
        let mut vpc_gone = given([], [record()]).without(TABLE);
        vpc_gone.network.vpcs.retain(|there| there.id != A);
        let edge = |owner: &str| {
            let gateway = Association { gateway_id: Some("igw-0000000a".into()), ..Association::default() };
            let mut given = given([], [record()]).without(TABLE);
            let associations = vec![gateway];
            let owner_id = Some(owner.to_owned());
            given.network.route_tables.push(RouteTable { owner_id, associations, ..table(TABLE, A) });
            given
        };
        let mut unrequired = given([], [record()]);
        unrequired.policy.required_services = [GatewayService::DynamoDb].into();
        for (given, reason) in [
            (given([], [record()]), ResolutionReason::Covered),
            (exempted, ResolutionReason::Exempt),
            (other_table, ResolutionReason::Covered),
            (given([], [record()]).without(TABLE), ResolutionReason::TableDeleted),
            (vpc_gone, ResolutionReason::VpcDeleted),
            (edge("123456789012"), ResolutionReason::EdgeTable),
            (unrequired, ResolutionReason::NotRequired),
        ] {
            assert_eq!(
                given.steps(),
                [Step::send(resolved_alert(reason), both(), record_resolved(reason))],
                "{reason:?}"
            );
        }
        assert_eq!(edge("210987654321").plans(), [], "of another account's table nothing is known");
    }

    #[test]
    fn who_never_heard_of_it_need_not_hear_that_it_is_over() {
        let step = |unaware: &[Channel], pending: &[Channel]| {
            let of = |channels: &[Channel]| channels.iter().copied().collect();
            let before = AlertRecord { not_notified: of(unaware), undelivered: of(pending), ..record() };
            let [step] = given([], [before]).steps().try_into().unwrap();
            let Step { outgoing: Some(outgoing), record } = step else { panic!() };
            assert_eq!(record, record_resolved(ResolutionReason::Covered));
            assert_eq!(outgoing.alert, resolved_alert(ResolutionReason::Covered));
            outgoing.channels
        };
        assert_eq!(step(&[], &[]), both());
        assert_eq!(step(&[Channel::Text], &[Channel::Text]), [Channel::Json].into());
        assert_eq!(step(&[Channel::Json, Channel::Text], &[]), BTreeSet::new());
        // They heard of it when it opened, and not how it went on.
        assert_eq!(step(&[], &[Channel::Text]), both());
    }

    /// What the ledger says when only these channels have had what these plans tell.
    fn after(plans: &[TrackedPlan], channels: &[Channel]) -> Vec<AlertRecord> {
        let told = |plan: &TrackedPlan| -> BTreeMap<Channel, BTreeSet<String>> {
            let outgoing = plan.steps.iter().filter_map(|step| step.outgoing.as_ref());
            let ids: BTreeSet<String> = outgoing.map(|outgoing| outgoing.alert.finding_id().to_owned()).collect();
            channels.iter().map(|channel| (*channel, ids.clone())).collect()
        };
        plans.iter().flat_map(|plan| plan.records_after(&told(plan))).collect()
    }

    #[test]
    fn who_never_heard_of_it_is_known_however_it_goes_on() {
        let high = Finding { severity: Severity::High, ..finding() };
        let opened = after(&given([finding()], []).tracked(), &[Channel::Json]);
        assert_eq!(opened[0].not_notified, [Channel::Text].into());
        let worse = after(&given([high.clone()], opened).tracked(), &[Channel::Json]);
        assert_eq!((worse[0].state.change(), &worse[0].not_notified), (Change::Worsened, &[Channel::Text].into()));
        assert_eq!(given([], worse.clone()).steps()[0].outgoing.as_ref().unwrap().channels, [Channel::Json].into());
        // What is only noted tells nobody.
        let smaller = after(&given([finding()], worse.clone()).with_min(Severity::High).tracked(), &[]);
        assert_eq!((smaller[0].severity, &smaller[0].not_notified), (Severity::Medium, &[Channel::Text].into()));
        // Any word of it will do.
        let all_know = after(&given([high], worse).tracked(), &[Channel::Text]);
        assert_eq!(all_know[0].not_notified, BTreeSet::new());
        assert_eq!(given([], all_know).steps()[0].outgoing.as_ref().unwrap().channels, both());
    }

    #[test]
    fn who_heard_that_it_opened_hears_that_it_is_over_however_often_it_did_since() {
        let mut records = vec![record()];
        for findings in [vec![], vec![finding()], vec![], vec![finding()]] {
            records = after(&given(findings, records).tracked(), &[Channel::Json]);
        }
        let [step] = given([], records).steps().try_into().unwrap();
        assert_eq!(step.outgoing.as_ref().unwrap().channels, both());
    }

    #[test]
    fn who_has_not_heard_that_it_is_over_hears_the_same_again() {
        let before = AlertRecord { undelivered: [Channel::Text].into(), ..resolved(ResolutionReason::Exempt) };
        let alert = Alert::Resolved(resolved_finding(ResolutionReason::Exempt, 1));
        let step = Step::send(alert, [Channel::Text].into(), resolved(ResolutionReason::Exempt));
        assert_eq!(given([], [before.clone()]).steps(), std::slice::from_ref(&step));
        // It is back, but so small that nobody hears of that.
        assert_eq!(given([finding()], [before.clone()]).with_min(Severity::High).steps(), [step]);
        // It is back: that is what there is to hear. That it stood they know from before.
        let anew = AlertRecord { not_notified: [Channel::Json].into(), ..opening(&finding(), early()) };
        assert_eq!(given([finding()], [before]).steps(), [send_to_both(&finding(), OpenChange::Opened, anew)]);
        assert_eq!(given([], [resolved(ResolutionReason::Exempt)]).plans(), []);
    }

    #[test]
    fn subnets_of_what_is_over_are_described_as_they_are_now() {
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

    /// The thread of what opens on [`TABLE`], given these entries of its VPC.
    fn thread_given(records: Vec<AlertRecord>) -> Timestamp {
        let [plan] = given([finding()], records).tracked().try_into().unwrap();
        let [Step { outgoing: Some(_), record }] = &plan.steps[..] else { panic!() };
        assert_eq!(plan.incident_started_at, record.incident_started_at);
        record.incident_started_at
    }

    #[test]
    fn what_opens_while_something_is_open_is_of_the_same_thread() {
        let main = finding_on("rtb-0000000a", A);
        let earlier = early() - SignedDuration::from_hours(1);
        let open = |incident_started_at| AlertRecord { incident_started_at, ..record_of(&main) };
        let other = AlertRecord { finding_id: "another".into(), ..open(earlier) };
        // That one is not affected here makes no difference.
        let mut untouched = given([finding()], [open(early()), other.clone()]);
        untouched.scope = Scope { route_tables: [(TABLE.to_owned(), None)].into(), ..Scope::default() };
        let [plan] = untouched.tracked().try_into().unwrap();
        assert_eq!(plan.incident_started_at, earlier);
        assert_eq!(plan.steps, [send_to_both(&finding(), OpenChange::Opened, opening(&finding(), earlier))]);
        // Another VPC is another thread.
        let elsewhere = AlertRecord { vpc_id: B.into(), ..record_of(&finding_on("rtb-0000000c", B)) };
        let mut given = given([finding(), finding_on("rtb-0000000c", B)], [elsewhere]);
        given.vpc_history(B).version = 1;
        let plans = given.tracked();
        assert_eq!(
            plans.iter().map(|plan| (plan.vpc_id.as_str(), plan.incident_started_at)).collect::<Vec<_>>(),
            [(A, now())]
        );
    }

    #[test]
    fn what_opens_after_all_is_over_begins_a_thread() {
        assert_eq!(thread_given(vec![]), now());
        assert_eq!(thread_given(vec![resolved(ResolutionReason::Covered)]), now());
        let owed = |channel| AlertRecord { undelivered: [channel].into(), ..resolved(ResolutionReason::Covered) };
        assert_eq!(thread_given(vec![owed(Channel::Text)]), early(), "somebody has not heard that it is over");
        assert_eq!(thread_given(vec![owed(Channel::Chat)]), now(), "and never will: the channel is gone");
    }

    #[test]
    fn the_thread_of_what_is_open_stays() {
        let worse = Finding { severity: Severity::High, ..finding() };
        for findings in [vec![worse], vec![]] {
            let [plan] = given(findings, [record()]).tracked().try_into().unwrap();
            assert_eq!(plan.incident_started_at, early());
            assert_eq!(plan.steps[0].record.incident_started_at, early());
        }
    }

    #[test]
    fn a_claim_counts_until_it_ends() {
        let second = SignedDuration::from_secs(1);
        for (until, holds) in [(now() + second, true), (now(), false), (now() - second, false)] {
            let mut given = given([finding()], []);
            *given.vpc_history(A) = VpcHistory { version: 7, lease_expires_at: Some(until), records: Vec::new() };
            let [plan] = given.tracked().try_into().unwrap();
            assert_eq!((plan.version, plan.lease_expires_at), (7, holds.then_some(until)));
        }
    }

    #[test]
    fn plans_are_by_vpc_and_steps_by_table_and_service() {
        let of_dynamodb = |finding: Finding| Finding {
            id: finding.id.replace("s3", "dynamodb"),
            service: GatewayService::DynamoDb,
            ..finding
        };
        let (main, other) = (finding_on("rtb-0000000a", A), finding_on("rtb-0000000c", B));
        let findings = [other.clone(), finding(), of_dynamodb(main.clone()), of_dynamodb(finding())];
        let steps: Vec<_> = (given(findings, [record_of(&main)]).tracked().iter())
            .map(|plan| {
                let said = |step: &Step| {
                    let alert = &step.outgoing.as_ref().unwrap().alert;
                    (alert.finding_id().to_owned(), alert.change())
                };
                (plan.vpc_id.clone(), plan.steps.iter().map(said).collect::<Vec<_>>())
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
    fn of_what_no_record_touched_nothing_is_said() {
        let gone =
            AlertRecord { route_table: TableRef { id: "rtb-0000000f".into(), ..record().route_table }, ..record() };
        let gone = AlertRecord { finding_id: "gone".into(), vpc_id: B.into(), ..gone };
        let covered = record_of(&finding_on("rtb-0000000a", A));
        let mut given = given([finding_on("rtb-0000000c", B)], [covered, gone]);
        given.scope = Scope { route_tables: [(TABLE.to_owned(), None)].into(), ..Scope::default() };
        assert_eq!(given.plans(), []);
        given.scope = Scope::region();
        assert_eq!(given.steps().len(), 3);
    }

    #[test]
    fn without_a_ledger_what_is_found_is_reported() {
        let small = Finding { severity: Severity::Low, ..finding_on("rtb-0000000a", A) };
        let other = finding_on("rtb-0000000c", B);
        let findings = [finding(), small, other.clone()];
        let reported = |finding: &Finding| {
            Plan::Untracked(UntrackedPlan {
                vpc_id: finding.vpc_id.clone(),
                outgoing: vec![Outgoing { alert: Alert::Reported(finding.clone()), channels: both() }],
            })
        };
        for ledger in [AlertHistory::Off, unavailable()] {
            let mut given = Given { ledger, ..given(findings.clone(), []) }.with_min(Severity::Medium);
            assert_eq!(given.plans(), [reported(&finding()), reported(&other)]);
            given.scope = Scope { vpc_ids: ids(&[B]), ..Scope::default() };
            assert_eq!(given.plans(), [reported(&other)]);
        }
    }

    /// One of each: something new, something over, something owed to one channel, and something noted.
    fn plan_of_each() -> TrackedPlan {
        let of = |table: &str| finding_on(table, A);
        let owed = AlertRecord { undelivered: [Channel::Text].into(), ..record_of(&of("rtb-00000002")) };
        let better = AlertRecord {
            severity: Severity::High,
            undelivered: [Channel::Text].into(),
            ..record_of(&of("rtb-00000003"))
        };
        let small = Finding { severity: Severity::Low, ..of("rtb-00000003") };
        let findings = [of("rtb-00000000"), of("rtb-00000002"), small];
        let mut given = given(findings, [record_of(&of("rtb-00000001")), owed, better]).with_min(Severity::Medium);
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
    fn where_the_ledger_fails_what_stands_is_told_as_without_one() {
        let plan = plan_of_each();
        let reported = |step: &Step| {
            let Outgoing { alert, channels } = step.outgoing.as_ref().unwrap();
            let finding = alert.open_finding().unwrap().clone();
            Outgoing { alert: Alert::Reported(finding), channels: channels.clone() }
        };
        assert_eq!(
            plan.untracked(),
            UntrackedPlan { vpc_id: A.into(), outgoing: vec![reported(&plan.steps[0]), reported(&plan.steps[2])] }
        );
    }

    #[test]
    fn the_ledger_says_what_each_channel_has_had() {
        let plan = plan_of_each();
        let all: Vec<String> = plan.steps.iter().map(|step| step.record.finding_id.clone()).collect();
        let [new, over, owed, small]: [AlertRecord; 4] =
            plan.steps.iter().map(|step| step.record.clone()).collect::<Vec<_>>().try_into().unwrap();
        let lacking = |entry: &AlertRecord, channel| AlertRecord { undelivered: [channel].into(), ..entry.clone() };
        assert_eq!(new.not_notified, both());
        let (without_text, without_json, new) = (
            AlertRecord { not_notified: [Channel::Text].into(), ..lacking(&new, Channel::Text) },
            AlertRecord { not_notified: [Channel::Json].into(), ..lacking(&new, Channel::Json) },
            AlertRecord { not_notified: BTreeSet::new(), ..new },
        );
        let told = |json: &[String], text: &[String]| {
            let of = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<String>>();
            plan.records_after(&[(Channel::Json, of(json)), (Channel::Text, of(text))].into())
        };
        assert_eq!(told(&all, &all), [new.clone(), over.clone(), owed.clone(), small.clone()]);
        let still_owed = lacking(&owed, Channel::Text);
        assert_eq!(
            told(&all, &[]),
            [without_text.clone(), lacking(&over, Channel::Text), still_owed.clone(), small.clone()]
        );
        assert_eq!(told(&[], &all), [without_json, lacking(&over, Channel::Json), owed, small.clone()]);
        assert_eq!(
            told(&all[..1], &all[1..2]),
            [without_text, lacking(&over, Channel::Json), still_owed.clone(), small.clone()]
        );
        let by_nobody = |entry: &AlertRecord| AlertRecord { undelivered: both(), ..entry.clone() };
        let nobody =
            [AlertRecord { not_notified: both(), ..by_nobody(&new) }, by_nobody(&over), still_owed, small.clone()];
        assert_eq!(told(&[], &[]), nobody, "told means published");
        assert_eq!(plan.records_after(&BTreeMap::new()), nobody);
        assert_eq!(small.undelivered, [Channel::Text].into(), "that it is smaller settles no debt");
    }

    #[test]
    fn while_it_is_told_everybody_may_have_had_it_and_nobody_is_sure_to() {
        let plan = plan_of_each();
        let [new, over, owed]: [AlertRecord; 3] =
            (plan.steps.iter().take(3)).map(|step| step.record.clone()).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(
            plan.records_before(),
            [
                AlertRecord { undelivered: both(), not_notified: BTreeSet::new(), ..new },
                AlertRecord { undelivered: both(), ..over },
                AlertRecord { undelivered: [Channel::Text].into(), ..owed },
            ],
            "what is only noted can wait"
        );
    }

    fn change_and_channels(step: &Step) -> (Change, BTreeSet<Channel>) {
        let outgoing = step.outgoing.as_ref().unwrap();
        (outgoing.alert.change(), outgoing.channels.clone())
    }

    #[test]
    fn what_was_being_told_when_an_invocation_died_is_told_again_and_its_end_too() {
        let begun = given([finding()], []).tracked()[0].records_before();
        let [step] = given([finding()], begun.clone()).steps().try_into().unwrap();
        assert_eq!(change_and_channels(&step), (Change::Opened, both()));
        let [step] = given([], begun).steps().try_into().unwrap();
        assert_eq!(change_and_channels(&step), (Change::Resolved, both()));

        let ended = given([], [record()]).tracked()[0].records_before();
        let [step] = given([], ended.clone()).steps().try_into().unwrap();
        assert_eq!(change_and_channels(&step), (Change::Resolved, both()));
        let [step] = given([finding()], ended).steps().try_into().unwrap();
        assert_eq!(change_and_channels(&step), (Change::Opened, both()));
    }

    #[test]
    fn what_nobody_heard_of_and_is_over_is_written_without_a_word() {
        let before = AlertRecord { undelivered: both(), not_notified: both(), ..record() };
        let [plan] = given([], [before]).tracked().try_into().unwrap();
        assert_eq!(plan.records_before(), [], "nothing is going to be told");
        assert_eq!(plan.records_after(&BTreeMap::new()), [record_resolved(ResolutionReason::Covered)]);
    }
}
