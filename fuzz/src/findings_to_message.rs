//! From bytes to a network with hostile names and ids, an alert history, findings, and the messages about them.

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::{
    alerts::{
        affected::{Affected, vpcs_with_affected_endpoints, with_history},
        alert::{Alert, OpenChange, Resolution, ResolutionReason},
        history::{AlertHistory, AlertRecord, RecordState, VpcHistory},
        observation::Observation,
        plan::{Plan, TrackedPlan},
        planner::plans,
        policy::Policy,
        recorded::{Recorded, RecordedDefect, RecordedProblem, RecordedRoute},
    },
    app::report::{Report, Sent},
    channel::Channel,
    checks::{
        check::CheckName,
        endpoint_context::{EndpointContext, EndpointInput},
        endpoint_problem::{Defect, problem_id},
        finding::{Finding, Gap, Problem, finding_id},
        gateway_endpoint::rule::evaluate,
        list::evaluate_endpoints,
        severity::Severity,
        subject::{Subject, SubjectKind},
    },
    error::Error,
    events::{
        payload::Payload,
        record::{AlertRequest, IdentityCenterUser, Record, Trigger},
        scope::Scope,
        sqs,
    },
    messages::{
        alert_group::{AlertGroup, MessageContext},
        json::{answer, finding::NotifiedFinding},
        message::Message,
        render::render,
    },
    network::{
        account::AccountRegion,
        endpoint_facts::{EndpointFacts, EndpointService, IngressRule, SecurityGroup, TrafficSource, VpcDns},
        ids::is_id,
        model::{Association, Endpoint, EndpointKind, Network, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
        selection::VpcSelection,
        service::GatewayService,
    },
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Part of every name and tag that is not empty. Commands, subjects and sentences must not contain it.
const UNTRUSTED_MARK: char = '¤';

/// Maximum size of an SNS message in bytes, including its attributes.
const MAX_MESSAGE_BYTES: usize = 262_144;

/// A record from SQS that is delivered as often as this is sent as `reported` if the alert history cannot be read.
const REPORTING_DELIVERY: u32 = 3;

const CHANNELS: [Channel; 3] = [Channel::Json, Channel::Text, Channel::Chat];

/// 2026-11-23T10:00:00Z.
const NOW: Timestamp = Timestamp::constant(1_795_428_000, 0);

/// Validates a JSON document against its schema.
pub type Validate = fn(&Value);

/// Checks the findings and messages for the network that these bytes describe. All bytes are valid input.
pub fn check(bytes: &[u8], assert_answer: Validate, assert_notification: Validate) {
    let mut bytes = Bytes(bytes);
    let region = bytes.one_of(&["eu-west-1", "cn-north-1", "us-gov-west-1"]);
    let account = bytes.one_of(&[Some("123456789012".to_owned()), None]);
    let account_region = AccountRegion { partition: "aws".into(), account, region: region.into() };
    let min_severity = bytes.one_of(&Severity::ALL);
    let required_services = bytes.some_of(&GatewayService::ALL);
    let mut network = network(&mut bytes, region);
    let mut payload = payload(&mut bytes, &network);
    // The history comes after the network, so inputs that fuzzing found before the history existed keep their meaning.
    let mut history = alert_history(&mut bytes, &network, &account_region);
    add_deletions(&mut bytes, &mut payload, &network, &history);
    let remind_after = bytes.one_of(&[None, Some(SignedDuration::from_hours(7 * 24))]);
    let channels = bytes.some_of(&CHANNELS);
    let without_subscribers = BTreeSet::new();
    // So do the checks of endpoints: inputs that fuzzing found before them end here.
    let mut checks = BTreeSet::from([CheckName::GatewayRoute]);
    let mut facts = EndpointFacts::default();
    if bytes.yes() {
        checks = CheckName::ALL.into();
        facts = endpoint_facts(&mut bytes, &mut network, region);
        add_endpoint_records(&mut bytes, &network, &account_region, &mut history);
    }
    let organization_id = bytes.one_of(&[None, Some("o-a1b2c3d4e5")]);
    let policy = Policy {
        checks,
        required_services,
        required_interfaces: BTreeSet::new(),
        min_severity,
        remind_after,
        channels,
        without_subscribers,
    };

    let scope = payload.scope();
    let resolved = with_history(&scope, &history, &network).tables_in(&network, &account_region);
    let today = jiff::civil::date(2026, 11, 23);
    let verdict = evaluate(&network, &resolved.route_table_ids, &policy.required_services, &account_region, today);
    let checked = resolved.route_table_ids.clone();
    let vpcs = if scope.region {
        VpcSelection::Region
    } else {
        VpcSelection::Vpcs(vpcs_with_affected_endpoints(&scope, &network, &history))
    };
    let of_endpoints = evaluate_endpoints(
        &policy.checks,
        &EndpointContext::new(EndpointInput {
            network: &network,
            facts: &facts,
            account_region: &account_region,
            vpcs: &vpcs,
            checks_rest_apis: scope.concerns_rest_apis(),
            route_table_services: &policy.required_services,
            min_severity: policy.min_severity,
            required_interfaces: &BTreeSet::new(),
            organization_id,
            today,
        }),
    );
    let (exempt_problems, unassessed) = (of_endpoints.exempt.clone(), of_endpoints.unassessed.clone());
    let report = Report::new(scope, &network, resolved, verdict, Sent::default()).with_endpoints(of_endpoints);
    check_report(&report, &checked, &policy.required_services, assert_answer);

    let affected = Affected::of_records(&payload, &network, &history, &account_region);
    let (findings, exempt) = (&report.findings, &report.exempt);
    let observation = Observation {
        network: &network,
        findings,
        exempt,
        exempt_problems: &exempt_problems,
        unassessed: &unassessed,
        rest_apis: None,
        affected: &affected,
        account_region: &account_region,
        now: NOW,
    };
    let plans = plans(&observation, &history, &policy);
    let inputs = Inputs {
        observation: &observation,
        payload: &payload,
        history: &history,
        policy: &policy,
        assert_notification,
    };
    inputs.check_alerts(&plans);
    for plan in &plans {
        inputs.check_messages(plan);
        if let Plan::Tracked(tracked) = plan {
            inputs.check_messages(&Plan::Untracked(tracked.to_untracked(|_| true)));
            check_records_after(tracked);
        }
    }
    inputs.check_no_alert_is_repeated(&plans);
}

/// The gap that the alert history knows.
fn gap_of(problem: &RecordedProblem) -> Option<&Recorded<Gap>> {
    problem.missing_route().map(|missing| &missing.gap)
}

fn check_report(
    report: &Report,
    checked: &BTreeSet<String>,
    required: &BTreeSet<GatewayService>,
    assert_answer: Validate,
) {
    let results: Vec<(&str, GatewayService)> = (report.findings.iter())
        .filter_map(|finding| Some((finding.subject.id.as_str(), finding.missing_route()?.service)))
        .chain(report.exempt.iter().map(|exempt| (exempt.route_table_id.as_str(), exempt.service)))
        .collect();
    let distinct: BTreeSet<_> = results.iter().collect();
    assert_eq!(distinct.len(), results.len(), "more than one result for a table and service");
    assert!(results.iter().all(|(table, service)| checked.contains(*table) && required.contains(service)));
    assert!(report.findings.is_sorted_by_key(Finding::sort_key));
    let answer = answer::Report::from(report);
    for (finding, found) in answer.findings.iter().zip(&report.findings) {
        assert!(!finding.reason().contains(UNTRUSTED_MARK), "{}", finding.reason());
        let fix = finding.remediation();
        if let Some(command) = &fix.aws_cli {
            let is_harmless = |c: char| c.is_ascii_alphanumeric() || " .:&/-=".contains(c);
            // Only the rule of a security group needs quotes. Then nothing in them has a meaning for a shell.
            let mut parts = command.split('\'');
            let outside: String = parts.by_ref().step_by(2).collect();
            assert!(command.starts_with("aws ec2 ") && outside.chars().all(is_harmless), "{command}");
            let is_rule = |c: char| c.is_ascii_alphanumeric() || ".:/=,[]{}".contains(c);
            assert!(command.split('\'').skip(1).step_by(2).all(|part| part.chars().all(is_rule)), "{command}");
        }
        for text in [&fix.cloud_formation, &fix.terraform].into_iter().flatten() {
            assert!(text.chars().all(|c| c == '\n' || c == ' ' || c.is_ascii_graphic()), "{text}");
        }
        let changes_something = fix.aws_cli.as_ref().is_some_and(|command| !command.contains("describe-vpc-endpoints"));
        let is_route = found.missing_route().is_some();
        assert!(!is_route || changes_something || fix.cautions.is_empty(), "cautions without a change: {fix:?}");
        for caution in &fix.cautions {
            assert!(caution.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{caution}");
        }
    }
    let Ok(answer) = serde_json::to_value(&answer) else { unreachable!("an answer that is not JSON") };
    assert_answer(&answer);
}

fn check_message(message: &Message) {
    let attributes = message.attributes.iter().map(|a| a.name.len() + a.data_type.len() + a.value.len());
    let size = message.body.len() + message.subject.len() + attributes.sum::<usize>();
    assert!(size <= MAX_MESSAGE_BYTES, "{size} bytes");
    assert!((1..=99).contains(&message.subject.len()), "{}", message.subject);
    assert!(message.subject.bytes().all(|b| matches!(b, b' '..=b'~')), "{}", message.subject);
    for attribute in &message.attributes {
        assert!(!attribute.value.is_empty() && !attribute.value.contains(UNTRUSTED_MARK), "{attribute:?}");
    }
}

/// The inputs of the planner and of the messages.
struct Inputs<'a> {
    observation: &'a Observation<'a>,
    payload: &'a Payload,
    history: &'a AlertHistory,
    policy: &'a Policy,
    assert_notification: Validate,
}

impl Inputs<'_> {
    /// The plans hold every alert that is due, on every channel that has not received it, and no other alert.
    fn check_alerts(&self, plans: &[Plan]) {
        let affected = self.affected_by_records(|record| self.sends(record));
        let is_affected = |table: &str| affected.iter().flatten().any(|(_, affected)| affected == table);
        let record_of = |id: &str| self.history.records().find(|record| record.finding_id == id);
        let alert_for = |id: &str, channel: Channel| -> Option<&Alert> {
            let mut alerts = (plans.iter().flat_map(Plan::outgoing))
                .map(|(_, outgoing)| outgoing)
                .filter(|outgoing| outgoing.channels.contains(&channel))
                .map(|outgoing| &outgoing.alert)
                .filter(|alert| alert.finding_id() == id);
            let first = alerts.next();
            assert!(alerts.next().is_none(), "more than one alert for {id} on {channel:?}");
            first
        };
        for finding in self.observation.findings {
            let is_affected = match finding.problem {
                Problem::MissingRoute(_) => is_affected(&finding.subject.id),
                Problem::Endpoint(_) => self.affects_endpoints_of(&finding.vpc_id, |record| self.sends(record)),
            };
            let is_reminder_due = finding.severity >= self.policy.min_severity && is_affected;
            for channel in CHANNELS {
                let alert = alert_for(&finding.id, channel);
                let is_configured = self.policy.channels.contains(&channel);
                if let Some(alert) = alert.filter(|alert| !alert.is_resolved()) {
                    assert!(is_reminder_due && is_configured, "not due: {alert:?}");
                    assert_eq!(alert.open_finding(), Some(finding));
                }
                let is_up_to_date = match record_of(&finding.id).filter(|record| record.is_open()) {
                    Some(record) => {
                        let is_changed = gap_of(&record.problem) != gap_of(&(&finding.problem).into());
                        let has_change = finding.severity > record.severity || is_changed;
                        let has_missed = record.undelivered.contains(&channel) || !record.notified.contains(&channel);
                        !has_change && !has_missed
                    }
                    None => false,
                };
                assert!(
                    !is_reminder_due || !is_configured || is_up_to_date || alert.is_some(),
                    "no alert on {channel:?}: {finding:?}"
                );
            }
        }
        for record in self.history.records() {
            let is_found = self.observation.findings.iter().any(|finding| finding.id == record.finding_id);
            if record.subject.kind == SubjectKind::VpcEndpoint {
                for channel in &self.policy.channels {
                    self.check_resolution(record, is_found, *channel, alert_for(&record.finding_id, *channel));
                }
                continue;
            }
            let table = self.observation.network.route_tables.iter().find(|table| table.id == record.subject.id);
            // The state of another account's table is not known, so an open finding about it cannot be resolved. A
            // resolved one stays resolved.
            let is_known = !record.is_open() || table.is_none_or(|table| self.is_own(table));
            let is_resolved_now = !is_found && is_affected(&record.subject.id) && is_known;
            for channel in CHANNELS.into_iter().filter(|channel| self.policy.channels.contains(channel)) {
                let is_undelivered = record.undelivered.contains(&channel);
                let is_reminder_due =
                    if record.is_open() { record.notified.contains(&channel) } else { is_undelivered };
                let alert = alert_for(&record.finding_id, channel).filter(|alert| alert.is_resolved());
                // A finding can come back below the minimum severity. Then its undelivered resolution is still due.
                let reopened = self.observation.findings.iter().find(|finding| finding.id == record.finding_id);
                let is_below_min = reopened.is_some_and(|finding| finding.severity < self.policy.min_severity);
                let is_still_due =
                    !record.is_open() && is_undelivered && is_below_min && is_affected(&record.subject.id);
                assert_eq!(alert.is_some(), (is_resolved_now && is_reminder_due) || is_still_due, "{record:?}");
            }
        }
    }

    /// The finding about an endpoint is resolved only if a record affects it, and if it is known to be gone.
    fn check_resolution(&self, record: &AlertRecord, is_found: bool, channel: Channel, alert: Option<&Alert>) {
        let is_affected = self.affects_endpoints_of(&record.vpc_id, |record| self.sends(record));
        let network = self.observation.network;
        let endpoint = network.endpoints.iter().find(|endpoint| endpoint.id == record.subject.id);
        let is_deleted = endpoint.is_none() || network.vpcs.iter().all(|vpc| vpc.id != record.vpc_id);
        let is_in_doubt = self.observation.unassessed.iter().any(|doubt| {
            (doubt.check, &doubt.subject.id, doubt.service.as_str())
                == (record.problem.check(), &record.subject.id, record.problem.service_name())
        });
        let is_resolved = alert.is_some_and(Alert::is_resolved);
        assert!(!is_resolved || is_affected, "not affected: {record:?}");
        if record.is_open() && is_resolved {
            assert!(!is_found && record.notified.contains(&channel), "not resolved: {record:?}");
            assert!(is_deleted || !is_in_doubt, "nobody knows whether it is resolved: {record:?}");
        }
        if record.is_open() && is_affected && is_deleted && !is_found && record.notified.contains(&channel) {
            assert!(is_resolved, "its endpoint is gone: {record:?}");
        }
    }

    /// Whether one of these records affects the endpoints of the VPC: it names the Region or the VPC, or deletes the VPC,
    /// an endpoint or a subnet that a finding about an endpoint of the VPC names.
    fn affects_endpoints_of(&self, vpc_id: &str, includes: impl Fn(&Record) -> bool) -> bool {
        self.payload
            .records()
            .filter(|record| includes(record))
            .any(|record| self.names_endpoints_of(&record.scope, vpc_id))
    }

    fn names_endpoints_of(&self, scope: &Scope, vpc_id: &str) -> bool {
        let is_deleted = |id: &String| scope.deleted.contains(id);
        let has_deletion = |record: &AlertRecord| {
            record.subject.kind == SubjectKind::VpcEndpoint
                && record.vpc_id == vpc_id
                && (is_deleted(&record.vpc_id)
                    || is_deleted(&record.subject.id)
                    // Malformed ids of a table and an endpoint can be the same.
                    || scope.route_tables.contains_key(&record.subject.id)
                    || record.subnet_ids.iter().any(is_deleted))
        };
        scope.region || scope.vpc_ids.contains(vpc_id) || self.history.records().any(has_deletion)
    }

    /// On each channel, the messages of a plan hold all its alerts, complete and once.
    fn check_messages(&self, plan: &Plan) {
        let Observation { network, affected, .. } = *self.observation;
        let context = MessageContext {
            member_account: None,
            network,
            affected,
            history: self.history.state(),
            exempt_tag: "gatewatch:exempt",
        };
        for channel in CHANNELS {
            let alerts: Vec<&Alert> =
                (plan.outgoing()).filter(|(_, o)| o.channels.contains(&channel)).map(|(_, o)| &o.alert).collect();
            let groups = AlertGroup::of_plan(plan, channel, &context);
            let incidents: BTreeSet<_> = groups.iter().map(|group| group.incident_started_at).collect();
            assert_eq!(incidents.len(), groups.len(), "two groups of one incident");
            assert_eq!(groups.iter().map(|group| group.alerts.len()).sum::<usize>(), alerts.len());
            for group in &groups {
                self.check_messages_of_group(plan, channel, group);
            }
        }
    }

    fn check_messages_of_group(&self, plan: &Plan, channel: Channel, group: &AlertGroup<'_>) {
        let alerts = &group.alerts;
        let messages = render(group, channel);
        assert!(!messages.is_empty() && !alerts.is_empty());
        for message in &messages {
            check_message(message);
            check_attributes(message, alerts);
        }
        let ids: BTreeSet<&str> =
            messages.iter().flat_map(|message| &message.finding_ids).map(String::as_str).collect();
        assert_eq!(ids, alerts.iter().map(|alert| alert.finding_id()).collect());
        if channel == Channel::Json {
            self.check_bodies(plan, &messages, alerts);
        }
    }

    /// The findings of the JSON messages, joined again, are the findings of the alerts.
    fn check_bodies(&self, plan: &Plan, messages: &[Message], alerts: &[&Alert]) {
        let bodies: Vec<Value> =
            messages.iter().map(|message| serde_json::from_str(&message.body).unwrap_or_default()).collect();
        let asking = self.payload.records().filter(|record| record.alerts != AlertRequest::None);
        let triggers = (asking.zip(self.affected()))
            .filter(|(record, tables)| {
                tables.iter().any(|(vpc_id, _)| vpc_id == plan.vpc_id())
                    || self.names_endpoints_of(&record.scope, plan.vpc_id())
            })
            .count();
        let name =
            self.observation.network.vpcs.iter().find(|vpc| vpc.id == plan.vpc_id()).and_then(|vpc| vpc.name.clone());
        let name = name.map_or(Value::Null, Value::String);
        let mut joined = Vec::new();
        let mut worst = Value::Null;
        for (n, (message, body)) in messages.iter().zip(&bodies).enumerate() {
            (self.assert_notification)(body);
            assert_eq!(body["schema"], "gatewatch.notification/v1");
            assert_eq!(body["vpc"]["id"], plan.vpc_id());
            assert_eq!(body["vpc"]["name"], name, "the name differs");
            assert!(!body["summary"].to_string().contains(UNTRUSTED_MARK));
            assert_eq!(body["triggers"], triggers);
            let part = serde_json::json!({"index": n + 1, "count": bodies.len()});
            assert_eq!(body["part"], if bodies.len() == 1 { Value::Null } else { part });
            let findings = body["findings"].as_array().map_or(&[][..], Vec::as_slice);
            assert!(!findings.is_empty(), "a message without findings");
            let ids: BTreeSet<&str> = findings.iter().filter_map(|finding| finding["id"].as_str()).collect();
            assert_eq!(ids, message.finding_ids.iter().map(String::as_str).collect());
            for finding in findings {
                assert!(finding["reason"].as_str().is_some_and(|reason| !reason.contains(UNTRUSTED_MARK)), "{finding}");
                worst = worse(worst, &finding["severity"]);
                join(&mut joined, finding);
            }
        }
        assert!(bodies.iter().all(|body| body["severity"] == worst), "{worst}");
        let expected: Vec<Value> = alerts
            .iter()
            .map(|&alert| serde_json::to_value(NotifiedFinding::from(alert)).unwrap_or_default())
            .collect();
        assert_eq!(joined, expected);
    }

    /// After every alert is delivered and stored, a second check of the same network has nothing to send or to write.
    fn check_no_alert_is_repeated(&self, sent_plans: &[Plan]) {
        let AlertHistory::Available(history) = self.history else {
            assert!(sent_plans.iter().all(|plan| matches!(plan, Plan::Untracked(_))));
            return;
        };
        let mut history = history.clone();
        for plan in sent_plans {
            assert!(matches!(plan, Plan::Tracked(_)), "{plan:?}");
            let Plan::Tracked(plan) = plan else { continue };
            let vpc = history.entry(plan.vpc_id.clone()).or_default();
            for record in plan.records_after(&everything_received(plan)) {
                vpc.records.retain(|before| before.finding_id != record.finding_id);
                vpc.records.push(record);
            }
        }
        assert_eq!(plans(self.observation, &AlertHistory::Available(history), self.policy), []);
    }

    /// The affected tables, with their VPCs, of each record that asks for alerts. The scopes of these records hold the
    /// Region, VPCs, tables and deleted resources.
    fn affected(&self) -> Vec<BTreeSet<(String, String)>> {
        self.affected_by_records(|record| record.alerts != AlertRequest::None)
    }

    fn affected_by_records(&self, includes: impl Fn(&Record) -> bool) -> Vec<BTreeSet<(String, String)>> {
        let records = self.payload.records().filter(|record| includes(record));
        records.map(|record| self.affected_by(&record.scope)).collect()
    }

    /// Whether the findings of a record are sent. If the alert history cannot be read, those of the whole Region are not.
    fn sends(&self, record: &Record) -> bool {
        let is_unavailable = matches!(self.history, AlertHistory::Unavailable(_));
        record.alerts != AlertRequest::None && !(is_unavailable && record.scope.region)
    }

    fn affected_by(&self, scope: &Scope) -> BTreeSet<(String, String)> {
        let checkable = || {
            let tables = self.observation.network.route_tables.iter();
            tables.filter(|table| !table.is_edge() && self.is_own(table))
        };
        let names = |vpc_id: &str, table: &str| {
            scope.region || scope.vpc_ids.contains(vpc_id) || scope.route_tables.contains_key(table)
        };
        let has_deletion = |record: &AlertRecord| {
            let is_deleted = |id: &String| scope.deleted.contains(id);
            is_deleted(&record.vpc_id) || is_deleted(&record.subject.id) || record.subnet_ids.iter().any(is_deleted)
        };
        let mut affected: BTreeSet<(String, String)> = checkable()
            .filter(|table| {
                let mut records = self.history.records().filter(|record| record.subject.id == table.id);
                names(&table.vpc_id, &table.id) || records.any(has_deletion) || self.may_have_lost_subnets(scope, table)
            })
            .map(|table| (table.vpc_id.to_string(), table.id.clone()))
            .collect();
        let vpcs: BTreeSet<String> = affected.iter().map(|(vpc_id, _)| vpc_id.clone()).collect();
        // In a VPC that is checked, findings about tables that are deleted or are edge tables now are resolved.
        for record in self.history.records() {
            let table = self.observation.network.route_tables.iter().find(|table| table.id == record.subject.id);
            let in_scope = names(&record.vpc_id, &record.subject.id) || has_deletion(record);
            if table.is_none_or(RouteTable::is_edge) && (in_scope || vpcs.contains(&record.vpc_id)) {
                affected.insert((record.vpc_id.clone(), record.subject.id.clone()));
            }
        }
        affected
    }

    /// Whether the scope deletes a subnet that no open finding about a table names, so that the table may have used it: it
    /// has no subnet and no open finding now.
    fn may_have_lost_subnets(&self, scope: &Scope, table: &RouteTable) -> bool {
        let open = || self.history.records().filter(|record| record.is_open());
        let names = |record: &AlertRecord, id: &String| {
            record.subject.kind == SubjectKind::RouteTable && record.subnet_ids.contains(id)
        };
        let mut unknown = (scope.deleted.iter())
            .filter(|id| is_id("subnet-", id))
            .filter(|id| open().all(|record| !names(record, id)));
        let effective = self.observation.network.effective_tables();
        let is_used =
            || self.observation.network.subnets.iter().any(|s| effective.of(s).is_some_and(|used| used.id == table.id));
        matches!(self.history, AlertHistory::Available(_))
            && unknown.next().is_some()
            && open().all(|record| record.subject.id != table.id)
            && !is_used()
    }

    /// Whether the own account owns the table. `true` if one of the two accounts is not known.
    fn is_own(&self, table: &RouteTable) -> bool {
        match (&table.owner_id, &self.observation.account_region.account) {
            (Some(owner), Some(account)) => owner == account,
            _ => true,
        }
    }
}

/// The attributes, on which filter policies match, describe all alerts of the group.
fn check_attributes(message: &Message, alerts: &[&Alert]) {
    let value = |name: &str| message.attributes.iter().find(|a| a.name == name).map(|a| a.value.as_str());
    let list =
        |name: &str| -> BTreeSet<String> { serde_json::from_str(value(name).unwrap_or_default()).unwrap_or_default() };
    assert_eq!(list("changes"), alerts.iter().map(|alert| alert.change().name().to_owned()).collect());
    assert_eq!(list("services"), alerts.iter().map(|alert| alert.service_name().to_owned()).collect());
    let worst = alerts.iter().map(|alert| alert.severity()).max();
    assert_eq!(value("severity"), worst.map(Severity::name));
}

/// The records after delivery name the channels that have not received the alert.
fn check_records_after(plan: &TrackedPlan) {
    let by_id = |records: Vec<AlertRecord>| -> BTreeMap<String, AlertRecord> {
        records.into_iter().map(|record| (record.finding_id.clone(), record)).collect()
    };
    let all = by_id(plan.records_after(&everything_received(plan)));
    let none = by_id(plan.records_after(&BTreeMap::new()));
    for channel in CHANNELS {
        let mut received = everything_received(plan);
        received.remove(&channel);
        let all_but_one = by_id(plan.records_after(&received));
        for step in &plan.steps {
            let record = &step.record;
            let id = &record.finding_id;
            let channels: BTreeSet<Channel> =
                step.outgoing.iter().flat_map(|outgoing| outgoing.channels.iter().copied()).collect();
            assert!(channels.is_empty() || record.undelivered.is_empty(), "an alert is missing: {step:?}");
            let after = |missed: &BTreeSet<Channel>| AlertRecord {
                undelivered: &record.undelivered | &(&channels & missed),
                notified: &record.notified | &(&channels - missed),
                ..record.clone()
            };
            assert_eq!(all.get(id), Some(&after(&BTreeSet::new())), "all channels received it");
            assert_eq!(none.get(id), Some(&after(&CHANNELS.into())), "no channel received it");
            assert_eq!(
                all_but_one.get(id),
                Some(&after(&[channel].into())),
                "all channels but {channel:?} received it"
            );
        }
    }
}

/// All outgoing findings of a plan, as received on all channels.
fn everything_received(plan: &TrackedPlan) -> BTreeMap<Channel, BTreeSet<String>> {
    let outgoing = || plan.steps.iter().flat_map(|step| &step.outgoing);
    let ids = || outgoing().map(|outgoing| outgoing.alert.finding_id().to_owned());
    CHANNELS.into_iter().map(|channel| (channel, ids().collect())).collect()
}

/// Adds a finding. If the last finding is another piece of it, adds only its subnets.
fn join(findings: &mut Vec<Value>, finding: &Value) {
    if let Some(last) = findings.last_mut().filter(|last| last["id"] == finding["id"])
        && let (Some(subnets), Some(more)) = (last["subnets"].as_array_mut(), finding["subnets"].as_array())
    {
        subnets.extend(more.iter().cloned());
        let mut whole = finding.clone();
        whole["subnets"] = Value::Array(subnets.clone());
        assert_eq!(*last, whole, "pieces differ in more than their subnets");
    } else {
        findings.push(finding.clone());
    }
}

fn worse(a: Value, b: &Value) -> Value {
    let rank = |value: &Value| ["LOW", "MEDIUM", "HIGH"].iter().position(|name| value == name);
    if rank(b) > rank(&a) { b.clone() } else { a }
}

/// Turns bytes into choices. After the last byte, every choice is the first one.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, n: u8) -> u8 {
        self.next() % n
    }

    fn yes(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[usize::from(self.next()) % all.len()].clone()
    }

    /// A subset with at least one element.
    fn some_of<T: Clone + Ord>(&mut self, all: &[T]) -> BTreeSet<T> {
        let mask = self.next();
        let some: BTreeSet<T> =
            all.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1).map(|(_, one)| one.clone()).collect();
        if some.is_empty() { all.iter().cloned().collect() } else { some }
    }

    /// The value of a tag: at most 256 characters.
    fn name(&mut self) -> Option<String> {
        let text = match self.below(9) {
            0 => return None,
            1 => return Some(String::new()),
            2 => "\"".repeat(255),
            3 => "\u{1}".repeat(255),
            4 => "\u{1f4a5}".repeat(255),
            5 => "<!channel> @here\r\n$(id) `id`; rm -rf / && \\".to_owned(),
            6 => "\u{202e}\u{200f}\u{7f}\u{0}\u{2028}'\"}]".to_owned(),
            7 => char::from_u32(u32::from_le_bytes([self.next(), self.next(), self.next() & 0x1f, 0]))
                .map_or(String::new(), |c| c.to_string().repeat(255)),
            _ => {
                let (text, rest) = self.0.split_at(usize::from(self.next()).min(self.0.len()));
                self.0 = rest;
                String::from_utf8_lossy(text).into_owned()
            }
        };
        Some(std::iter::once(UNTRUSTED_MARK).chain(text.chars().take(255)).collect())
    }

    /// An id, sometimes one that does not match the AWS pattern. Ids are unique.
    fn id(&mut self, prefix: &str, n: usize) -> String {
        match self.below(16) {
            1 => format!("{prefix}{n:08x}; rm -rf / $(id) \"\n\u{1f4a5}"),
            2 => format!("{prefix}{n:08x}{}", "F".repeat(usize::from(self.next()))),
            3 => format!("{n}"),
            _ => format!("{prefix}{n:017x}"),
        }
    }

    fn exemption(&mut self) -> Option<String> {
        match self.below(8) {
            1 => Some("*".into()),
            2 => Some("s3".into()),
            3 => Some("dynamodb until=2026-11-23".into()),
            4 => Some("true,until=2026-11-22".into()),
            5 => self.name(),
            _ => None,
        }
    }
}

fn network(bytes: &mut Bytes<'_>, region: &str) -> Network {
    const TARGETS: [TargetKind; 14] = [
        TargetKind::NatGateway,
        TargetKind::InternetGateway,
        TargetKind::TransitGateway,
        TargetKind::VpcPeering,
        TargetKind::VirtualPrivateGateway,
        TargetKind::NetworkInterface,
        TargetKind::VpcEndpoint,
        TargetKind::CoreNetwork,
        TargetKind::EgressOnlyInternetGateway,
        TargetKind::CarrierGateway,
        TargetKind::LocalGateway,
        TargetKind::Local,
        TargetKind::Other,
        TargetKind::None,
    ];
    let mut network = Network::default();
    for v in 0..=usize::from(bytes.below(3)) {
        let vpc_id = bytes.id("vpc-", v);
        // Many subnets use this name, so that a few bytes make a message that is too large.
        let common_name = bytes.name();
        network.vpcs.push(Vpc {
            id: vpc_id.clone(),
            name: bytes.name(),
            exemption: bytes.exemption(),
            ..Vpc::default()
        });

        // A VPC, its tables and its subnets have one owner.
        let owner = bytes.one_of(&[None, Some("123456789012"), None, Some("210987654321")]).map(str::to_owned);
        let first_table = network.route_tables.len();
        for n in first_table..=first_table + usize::from(bytes.below(6)) {
            let main = (n == first_table && bytes.below(8) != 1).then(|| Association { main: true, ..<_>::default() });
            let edge = (bytes.below(8) == 1)
                .then(|| Association { gateway_id: Some("igw-0000000a".into()), ..Association::default() });
            let routes = (0..bytes.below(4))
                .map(|_| Route {
                    destination: bytes
                        .one_of(&[Some("0.0.0.0/0"), Some("::/0"), Some("pl-0000000a"), None])
                        .map(Into::into),
                    target: Target {
                        kind: bytes.one_of(&TARGETS),
                        id: bytes.yes().then(|| format!("vpce-{:017x}", bytes.below(9))),
                    },
                    active: bytes.below(4) != 1,
                })
                .collect();
            network.route_tables.push(RouteTable {
                id: bytes.id("rtb-", n),
                vpc_id: vpc_id.as_str().into(),
                name: bytes.name().map(Into::into),
                owner_id: owner.as_deref().map(Into::into),
                exemption: bytes.exemption(),
                associations: main.into_iter().chain(edge).collect(),
                routes,
            });
        }

        let subnet_count = if bytes.below(8) == 1 { bytes.next() } else { bytes.below(6) };
        for _ in 0..subnet_count {
            let n = network.subnets.len();
            let id = bytes.id("subnet-", n);
            let tables = &mut network.route_tables[first_table..];
            if bytes.below(4) == 1 {
                let index = usize::from(bytes.next()) % tables.len();
                tables[index]
                    .associations
                    .push(Association { subnet_id: Some(id.as_str().into()), ..Association::default() });
            }
            network.subnets.push(Subnet {
                id,
                vpc_id: vpc_id.as_str().into(),
                name: if bytes.yes() { bytes.name() } else { common_name.clone() }.map(Into::into),
                availability_zone: bytes.yes().then(|| format!("{region}a").into()),
                cidr: bytes.yes().then(|| "10.0.1.0/24".into()),
                owner_id: owner.as_deref().map(Into::into),
                ipv6_native: bytes.yes(),
                exemption: bytes.exemption(),
                ..Subnet::default()
            });
        }

        for _ in 0..bytes.below(4) {
            let n = network.endpoints.len();
            network.endpoints.push(Endpoint {
                id: bytes.id("vpce-", n),
                vpc_id: vpc_id.clone(),
                kind: bytes.one_of(&[EndpointKind::Gateway, EndpointKind::Interface, EndpointKind::Other]),
                service_name: bytes.one_of(&GatewayService::ALL).endpoint_service_name(region).into(),
                state: bytes.one_of(&["available", "Pending", "deleting", "failed", "rejected", "partial", ""]).into(),
                route_table_ids: (network.route_tables[first_table..].iter())
                    .filter(|_| bytes.yes())
                    .map(|table| table.id.as_str().into())
                    .collect(),
                ip_address_type: bytes.one_of(&[None, Some("ipv4"), Some("dualstack")]).map(Into::into),
                ..Endpoint::default()
            });
        }
    }
    network
}

/// What the checks of endpoints read: hostile groups, services and policies. Completes the endpoints of the network.
fn endpoint_facts(bytes: &mut Bytes<'_>, network: &mut Network, region: &str) -> EndpointFacts {
    const OPEN: &str = r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}"#;
    let mut facts = EndpointFacts::default();
    for (n, vpc) in network.vpcs.iter().enumerate() {
        if bytes.below(8) != 1 {
            facts.vpc_dns.insert(vpc.id.clone(), VpcDns { support: bytes.yes(), host_names: bytes.yes() });
        }
        let sources = (0..bytes.below(4)).map(|_| match bytes.below(6) {
            0 => TrafficSource::Cidr("10.0.1.0/25".into()),
            1 => TrafficSource::Cidr("::/0".into()),
            2 => TrafficSource::Cidr(bytes.name().unwrap_or_default()),
            3 => TrafficSource::Group(bytes.name().unwrap_or_default()),
            4 => TrafficSource::PrefixList(bytes.name().unwrap_or_default()),
            _ => TrafficSource::Cidr("192.0.2.0/24".into()),
        });
        let rule = IngressRule {
            sources: sources.collect(),
            protocol: bytes.one_of(&["-1", "tcp", "6", "udp", "$(id)"]).into(),
            from_port: bytes.one_of(&[None, Some(443), Some(0), Some(-1)]),
            to_port: bytes.one_of(&[None, Some(443), Some(65535), Some(i32::MIN)]),
        };
        let group = SecurityGroup {
            id: bytes.id("sg-", n),
            name: bytes.name(),
            vpc_id: vpc.id.clone(),
            is_default: bytes.yes(),
            ingress: vec![rule],
        };
        facts.security_groups.insert(group.id.clone(), group);
    }
    for subnet in &mut network.subnets {
        subnet.availability_zone_id = bytes.one_of(&[None, Some("euw1-az1"), Some("euw1-az2")]).map(Into::into);
    }
    for endpoint in &mut network.endpoints {
        if endpoint.kind == EndpointKind::Interface && bytes.yes() {
            endpoint.service_name =
                format!("com.amazonaws.{region}.{}", bytes.one_of(&["ssm", "ecr.api", "logs"])).into();
        }
        endpoint.name = bytes.name();
        endpoint.exemption = match bytes.below(6) {
            1 => Some("endpoint-access/dns-bypass until=2026-11-23".into()),
            2 => Some("endpoint-state".into()),
            3 => bytes.name(),
            _ => None,
        };
        endpoint.private_dns_enabled = bytes.yes();
        endpoint.private_dns_only_for_inbound_resolver = bytes.one_of(&[None, Some(false), Some(true)]);
        let in_vpc = network.subnets.iter().filter(|subnet| subnet.vpc_id == endpoint.vpc_id);
        endpoint.subnet_ids = in_vpc.filter(|_| bytes.yes()).map(|subnet| subnet.id.clone()).collect();
        let groups = facts.security_groups.values().filter(|group| group.vpc_id == endpoint.vpc_id);
        endpoint.security_group_ids = groups.filter(|_| bytes.below(4) != 1).map(|group| group.id.clone()).collect();
        endpoint.policy_document = match bytes.below(5) {
            0 => None,
            1 => Some(OPEN.into()),
            2 => Some(OPEN.replace("\"Effect\"", "\"Sid\": \"¤ $(id) <@here>\", \"Effect\"")),
            3 => bytes.name(),
            _ => Some(OPEN.replace("\"*\"}", "\"arn:aws:s3:::a/*\"}")),
        };
        (endpoint.last_error, endpoint.failure_reason) = (bytes.name(), bytes.name());
        endpoint.requester_managed = bytes.below(8) == 1;
        let service = EndpointService {
            availability_zone_ids: ["euw1-az1", "euw1-az2"]
                .into_iter()
                .filter(|_| bytes.yes())
                .map(str::to_owned)
                .collect(),
            policy_supported: bytes.one_of(&[Some(true), None, Some(false)]),
            ..EndpointService::default()
        };
        if bytes.below(8) != 1 {
            facts.services.insert(endpoint.service_name.to_string(), service);
        }
    }
    facts
}

/// Adds records about endpoints that exist, and about some that were deleted.
fn add_endpoint_records(
    bytes: &mut Bytes<'_>,
    network: &Network,
    account_region: &AccountRegion,
    history: &mut AlertHistory,
) {
    const KNOWN: [(CheckName, Defect); 5] = [
        (CheckName::DnsBypass, Defect::PrivateDnsForAllRequests),
        (CheckName::EndpointDns, Defect::VpcDnsSupportOff),
        (CheckName::EndpointAccess, Defect::SomeSubnetsNotAdmitted),
        (CheckName::EndpointState, Defect::EndpointFailed),
        (CheckName::EndpointPolicy, Defect::OpenPolicy),
    ];
    let AlertHistory::Available(vpcs) = history else { return };
    let existing = network.endpoints.iter().map(|e| (e.vpc_id.clone(), e.id.clone(), e.service_name.to_string()));
    let deleted = (network.vpcs.iter().enumerate())
        .map(|(n, vpc)| (vpc.id.clone(), format!("vpce-{n:015x}ff"), "com.amazonaws.ssm".to_owned()));
    for (vpc_id, id, service) in existing.chain(deleted).collect::<Vec<(String, String, String)>>() {
        for (check, defect) in KNOWN {
            if bytes.below(4) != 1 {
                continue;
            }
            // The subject and the problem of the record of a table are replaced.
            let of_table =
                record_of(bytes, &vpc_id, "rtb-00000000000000fff", GatewayService::S3, network, account_region);
            let account = account_region.account.clone().unwrap_or_default();
            let record = AlertRecord {
                finding_id: problem_id(account_region, &account, check, &id, &service),
                account,
                subject: Subject { kind: SubjectKind::VpcEndpoint, id: id.clone(), name: bytes.name() },
                problem: RecordedProblem::Endpoint(RecordedDefect {
                    check,
                    service: service.clone(),
                    defect: Recorded::Known(defect),
                }),
                ..of_table
            };
            let vpc = vpcs.entry(vpc_id.clone()).or_default();
            vpc.records.retain(|before| before.finding_id != record.finding_id);
            vpc.records.push(record);
        }
    }
}

fn payload(bytes: &mut Bytes<'_>, network: &Network) -> Payload {
    let records = 0..=bytes.below(4);
    let messages = records.map(|n| sqs::Message {
        id: n.to_string(),
        record: Ok(record(bytes, network)),
        receive_count: REPORTING_DELIVERY,
    });
    Payload::Batch(messages.collect())
}

fn record(bytes: &mut Bytes<'_>, network: &Network) -> Record {
    let scope = match bytes.below(3) {
        0 => Scope::region(),
        1 => Scope { vpc_ids: [bytes.one_of(&network.vpcs).id].into(), ..Scope::default() },
        _ => Scope {
            route_tables: (network.route_tables.iter())
                .filter(|_| bytes.yes())
                .map(|table| (table.id.clone(), None))
                .collect(),
            ..Scope::default()
        },
    };
    let trigger = match bytes.below(4) {
        0 => Trigger::Schedule,
        1 => Trigger::Manual,
        2 => Trigger::ConfigItem,
        _ => Trigger::ApiCall {
            event_name: bytes.name().unwrap_or_default(),
            event_id: bytes.name(),
            event_time: bytes.name(),
            principal: bytes.name(),
            on_behalf_of: (bytes.name())
                .map(|user_id| IdentityCenterUser { user_id, identity_store_arn: bytes.name() }),
            invoked_by: bytes.name(),
        },
    };
    let time = bytes.yes().then(|| jiff::Timestamp::constant(i64::from(bytes.next()), 0));
    let alerts = if bytes.below(4) == 1 { AlertRequest::None } else { AlertRequest::Changes };
    Record { scope, trigger, time, alerts }
}

/// An alert history of this network: records about tables that exist, and about some that were deleted, alone or with
/// their VPC.
fn alert_history(bytes: &mut Bytes<'_>, network: &Network, account_region: &AccountRegion) -> AlertHistory {
    match bytes.below(4) {
        0 => return AlertHistory::Off,
        1 => return AlertHistory::Unavailable(Error::LedgerFailed("Query: timed out".into())),
        _ => {}
    }
    let deleted = (0..bytes.below(4)).map(|n| {
        let vpc_id = if bytes.yes() { bytes.one_of(&network.vpcs).id } else { "vpc-000000000000000ff".to_owned() };
        (vpc_id, format!("rtb-{n:015x}ff"))
    });
    let deleted: Vec<(String, String)> = deleted.collect();
    let existing = network.route_tables.iter().map(|table| (table.vpc_id.to_string(), table.id.clone()));
    let mut history = BTreeMap::<String, VpcHistory>::new();
    for (vpc_id, table) in existing.chain(deleted) {
        let version = u64::from(bytes.next());
        let lease_expires_at =
            bytes.one_of(&[None, Some(NOW - SignedDuration::from_secs(1)), Some(NOW), Some(Timestamp::MAX)]);
        let new_vpc = VpcHistory { version, lease_expires_at, ..VpcHistory::default() };
        let vpc = history.entry(vpc_id.clone()).or_insert(new_vpc);
        for service in GatewayService::ALL {
            if bytes.below(3) == 1 {
                vpc.records.push(record_of(bytes, &vpc_id, &table, service, network, account_region));
            }
        }
    }
    AlertHistory::Available(history)
}

fn record_of(
    bytes: &mut Bytes<'_>,
    vpc_id: &str,
    table_id: &str,
    service: GatewayService,
    network: &Network,
    account_region: &AccountRegion,
) -> AlertRecord {
    const GAPS: [Gap; 4] = [Gap::RouteInactive, Gap::EndpointNotAvailable, Gap::NotAssociated, Gap::NoEndpoint];
    let table = network.route_tables.iter().find(|table| table.id == table_id);
    // The account that the finding would have, so that the id is the same.
    let account =
        account_region.account.clone().or_else(|| table?.owner_id.as_deref().map(str::to_owned)).unwrap_or_default();
    let is_open = bytes.yes();
    let in_vpc = network.subnets.iter().filter(|subnet| subnet.vpc_id == vpc_id).map(|subnet| subnet.id.clone());
    let mut subnets: BTreeSet<String> = in_vpc.filter(|_| bytes.yes()).collect();
    subnets.extend(bytes.yes().then(|| "subnet-000000000000000ff".to_owned()));
    let ago = |bytes: &mut Bytes<'_>| NOW - SignedDuration::from_mins(i64::from(bytes.next()) * 60);
    let (since, notified_at, incident_started_at) = (ago(bytes), ago(bytes), ago(bytes));
    let reason = Recorded::Known(bytes.one_of(&ResolutionReason::ALL));
    let resolution = Resolution { reason, open_seconds: i64::from(bytes.next()) };
    AlertRecord {
        finding_id: finding_id(account_region, &account, table_id, service),
        account,
        vpc_id: vpc_id.to_owned(),
        subject: Subject { kind: SubjectKind::RouteTable, id: table_id.to_owned(), name: bytes.name() },
        problem: RecordedProblem::MissingRoute(RecordedRoute {
            service,
            is_main_table: bytes.yes(),
            gap: Recorded::Known(bytes.one_of(&GAPS)),
            egress: Target { kind: TargetKind::NatGateway, id: bytes.yes().then(|| "nat-0000000a".to_owned()) },
        }),
        severity: bytes.one_of(&Severity::ALL),
        worst_severity: Severity::High,
        subnet_ids: subnets,
        state: if is_open {
            RecordState::Open(bytes.one_of(&OpenChange::ALL))
        } else {
            RecordState::Resolved(resolution)
        },
        since,
        notified_at,
        undelivered: CHANNELS.into_iter().filter(|_| bytes.below(4) == 1).collect(),
        notified: CHANNELS.into_iter().filter(|_| !is_open || bytes.below(8) != 1).collect(),
        incident_started_at,
    }
}

/// Adds deletions to the scopes of some records: of resources in the network, and of resources that only the alert
/// history knows.
fn add_deletions(bytes: &mut Bytes<'_>, payload: &mut Payload, network: &Network, history: &AlertHistory) {
    let recorded = history.records().flat_map(|record| {
        [&record.vpc_id, &record.subject.id].into_iter().chain(&record.subnet_ids).cloned().collect::<Vec<_>>()
    });
    let existing = (network.subnets.iter().map(|subnet| subnet.id.clone()))
        .chain(network.route_tables.iter().map(|table| table.id.clone()));
    let ids: Vec<String> = recorded.chain(existing).collect();
    let Payload::Batch(messages) = payload else { return };
    for record in messages.iter_mut().filter_map(|message| message.record.as_mut().ok()) {
        match bytes.below(4) {
            1 => record.scope = Scope { deleted: [bytes.one_of(&ids)].into(), ..Scope::default() },
            2 => record.scope.deleted.extend([bytes.one_of(&ids)]),
            _ => {}
        }
    }
}
