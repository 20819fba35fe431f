//! Renders alerts as notifications: JSON for programs.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    name::Name,
    notification::{Notification, SCHEMA, Vpc},
    split::split,
};
use crate::{
    alerts::alert::Alert,
    checks::{check::CheckName, subject::SubjectKind},
    messages::{
        alert_group::AlertGroup,
        message::{Attribute, Message, counted, subject},
        service_name::titles,
    },
};

/// One message, or several if one would be too large.
pub(in crate::messages) fn messages(alerts: &AlertGroup<'_>) -> Vec<Message> {
    let summary = summary(alerts);
    let notification = Notification {
        schema: SCHEMA,
        account: alerts.account,
        account_name: alerts.account_name(),
        organizational_unit: alerts.organizational_unit(),
        region: alerts.region,
        vpc: Vpc { id: alerts.vpc_id, name: alerts.vpc_name },
        severity: Name(alerts.severity()),
        summary: &summary,
        trigger: alerts.trigger.map(Into::into),
        triggers: alerts.trigger_count,
        ledger: Name(alerts.history),
        part: None,
        findings: &[],
    };
    let label = alerts.label();
    // A REST API is in no VPC.
    let vpc = if alerts.vpc_id.is_empty() { String::new() } else { format!("{}, ", alerts.vpc_id) };
    let subject = subject(format!("[{label}] gatewatch: {} in {vpc}{}", counts(alerts), alerts.region));
    let attributes = alerts.attributes();
    let overhead = subject.len() + attributes.iter().map(Attribute::size).sum::<usize>();
    split(&notification, &alerts.alerts, overhead)
        .into_iter()
        .map(|(body, finding_ids)| Message {
            subject: subject.clone(),
            body,
            attributes: attributes.clone(),
            finding_ids,
        })
        .collect()
}

/// A message for each alert. Each is an event of its own for the rules of EventBridge.
pub(in crate::messages) fn one_by_one(alerts: &AlertGroup<'_>) -> Vec<Message> {
    alerts.alerts.iter().flat_map(|alert| messages(&AlertGroup { alerts: vec![alert], ..alerts.clone() })).collect()
}

/// Such as `3 findings`, or `2 findings and 1 resolved`. If all are resolved, only their number, because the label says
/// `RESOLVED`.
fn counts(alerts: &AlertGroup<'_>) -> String {
    match (alerts.open().count(), alerts.resolved().count()) {
        (open, 0) => counted(open, "finding"),
        (0, resolved) => counted(resolved, "finding"),
        (open, resolved) => format!("{} and {resolved} resolved", counted(open, "finding")),
    }
}

/// One line for people, such as
/// `vpc-0a1b in eu-west-1: no gateway route to DynamoDB on 2 route tables; resolved: S3 on 1 route table`.
fn summary(alerts: &AlertGroup<'_>) -> String {
    let open = by_service(alerts.open());
    let resolved: Vec<String> = by_service(alerts.resolved()).into_iter().chain(by_check(alerts.resolved())).collect();
    let mut parts = Vec::new();
    if !open.is_empty() {
        parts.push(format!("no gateway route to {}", open.join(", to ")));
    }
    parts.extend(by_check(alerts.open()));
    if !resolved.is_empty() {
        parts.push(format!("resolved: {}", resolved.join(", ")));
    }
    // A REST API is in no VPC.
    let place = if alerts.vpc_id.is_empty() { String::new() } else { format!("{} in ", alerts.vpc_id) };
    format!("{place}{}: {}", alerts.region, parts.join("; "))
}

/// The number of route tables of each service, such as `DynamoDB on 2 route tables` and `S3 on 1 route table`.
fn by_service<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<String> {
    let mut tables: BTreeMap<&str, usize> = BTreeMap::new();
    for alert in alerts.filter(|alert| alert.check() == CheckName::GatewayRoute) {
        *tables.entry(alert.service_name()).or_default() += 1;
    }
    let on = |(service, count): (&str, usize)| format!("{} on {}", titles(&[service]), counted(count, "route table"));
    tables.into_iter().map(on).collect()
}

/// The number of subjects of each other check, such as `endpoint-access on 2 VPC endpoints`.
fn by_check<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<String> {
    let mut subjects: BTreeMap<(CheckName, SubjectKind), BTreeSet<&str>> = BTreeMap::new();
    for alert in alerts.filter(|alert| alert.check() != CheckName::GatewayRoute) {
        let subject = alert.subject();
        subjects.entry((alert.check(), subject.kind)).or_default().insert(&subject.id);
    }
    let on = |((check, kind), ids): ((CheckName, SubjectKind), BTreeSet<&str>)| {
        let noun = match kind {
            SubjectKind::RouteTable => "route table",
            SubjectKind::VpcEndpoint => "VPC endpoint",
            SubjectKind::Vpc => "VPC",
            SubjectKind::RestApi => "REST API",
        };
        format!("{} on {}", check.name(), counted(ids.len(), noun))
    };
    subjects.into_iter().map(on).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        alerts::{
            affected::Affected,
            alert::Change,
            history::{AlertHistory, AlertRecord, HistoryState, VpcHistory},
            observation::Observation,
            plan::Plan,
            planner::plans,
            policy::Policy,
        },
        channel::Channel,
        checks::{finding::Finding, gateway_endpoint::rule::evaluate, list::default_checks, severity::Severity},
        events::{
            record::{AlertRequest, Record, Trigger},
            scope::Scope,
        },
        messages::{alert_group::MessageContext, json, render::render},
        network::{
            account::AccountRegion,
            model::{Network, RouteTable, Subnet, TargetKind, Vpc},
            service::GatewayService,
            testing::{REGION, explicit, main_table, route, subnet, table_of, vpc},
        },
        schemas::assert_notification,
    };

    const A: &str = "vpc-0a1b2c3d4e5f60001";
    const B: &str = "vpc-0a1b2c3d4e5f60002";

    /// Two VPCs without endpoints: the first with a main table and a private one behind a NAT gateway.
    fn network(name: &str) -> Network {
        let private = subnet("subnet-0000000a", A);
        let mut behind_nat = table_of("rtb-0000000b", &private);
        behind_nat.routes.push(route("0.0.0.0/0", TargetKind::NatGateway, "nat-0000000a"));
        Network {
            vpcs: vec![Vpc { name: Some(name.into()), ..vpc(A) }, vpc(B)],
            route_tables: vec![main_table("rtb-0000000a", A), behind_nat, main_table("rtb-0000000c", B)],
            subnets: vec![private, subnet("subnet-0000000b", A)],
            endpoints: Vec::new(),
        }
    }

    fn account_region() -> AccountRegion {
        AccountRegion { partition: "aws".into(), account: None, region: REGION.into() }
    }

    fn required() -> BTreeSet<GatewayService> {
        BTreeSet::from([GatewayService::S3, GatewayService::DynamoDb])
    }

    fn findings(network: &Network) -> Vec<Finding> {
        let tables = network.route_tables.iter().map(|table| table.id.clone()).collect();
        evaluate(network, &tables, &required(), &account_region(), jiff::civil::date(2026, 11, 23)).findings
    }

    fn call(name: &str, time: Option<&str>) -> Record {
        Record {
            scope: Scope::default(),
            trigger: Trigger::ApiCall {
                event_name: name.into(),
                event_id: Some("0a1b2c3d-0000-4000-8000-000000000001".into()),
                event_time: time.map(str::to_owned),
                principal: Some("arn:aws:sts::123456789012:assumed-role/dev/<!channel>\n".into()),
                on_behalf_of: None,
                invoked_by: None,
            },
            time: time.map(|time| time.parse().unwrap()),
            alerts: AlertRequest::Changes,
        }
    }

    /// The plans for these findings.
    fn plans_for(
        findings: &[Finding],
        min_severity: Severity,
        network: &Network,
        affected: &[Affected<'_>],
        history: &AlertHistory,
    ) -> Vec<Plan> {
        let policy = Policy {
            checks: default_checks(),
            required_services: required(),
            required_interfaces: BTreeSet::new(),
            min_severity,
            remind_after: None,
            channels: BTreeSet::from([Channel::Json]),
            without_subscribers: BTreeSet::new(),
        };
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        plans(
            &Observation {
                network,
                findings,
                exempt: &[],
                exempt_problems: &[],
                unassessed: &BTreeSet::new(),
                rest_apis: None,
                affected,
                account_region: &account_region(),
                now,
            },
            history,
            &policy,
        )
    }

    /// The messages of these plans, each with its VPC.
    fn messages_of_plans(
        plans: &[Plan],
        network: &Network,
        affected: &[Affected<'_>],
        history: HistoryState,
    ) -> Vec<(String, Message)> {
        let context =
            MessageContext { member_account: None, network, affected, history, exempt_tag: "gatewatch:exempt" };
        (plans.iter())
            .flat_map(|plan| {
                let groups = AlertGroup::of_plan(plan, Channel::Json, &context);
                let messages = groups.iter().flat_map(|alerts| render(alerts, Channel::Json));
                messages.map(|message| (plan.vpc_id().to_owned(), message)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The messages about these findings without an alert history, each with its VPC.
    fn messages_about(
        findings: &[Finding],
        min_severity: Severity,
        network: &Network,
        affected: &[Affected<'_>],
    ) -> Vec<(String, Message)> {
        messages_of_plans(
            &plans_for(findings, min_severity, network, affected, &AlertHistory::Off),
            network,
            affected,
            HistoryState::Off,
        )
    }

    /// The messages about all findings of the network, if these records affect all its route tables.
    fn messages_after(network: &Network, records: &[(Record, &[&'static str])]) -> Vec<Message> {
        let affected: Vec<_> = records.iter().map(|(record, vpcs)| affected(network, record, vpcs)).collect();
        let messages = messages_about(&findings(network), Severity::Low, network, &affected);
        messages.into_iter().map(|(_, message)| message).collect()
    }

    /// A record that affects these VPCs and all route tables of the network.
    fn affected<'a>(network: &Network, record: &'a Record, vpcs: &[&str]) -> Affected<'a> {
        Affected {
            record,
            endpoint_vpc_ids: Arc::new(BTreeSet::new()),
            route_table_ids: Arc::new(network.route_tables.iter().map(|table| table.id.clone()).collect()),
            vpc_ids: Arc::new(vpcs.iter().map(|&id| id.to_owned()).collect()),
            receive_count: None,
        }
    }

    fn some_call() -> Vec<(Record, &'static [&'static str])> {
        vec![(call("CreateRoute", None), &[A, B])]
    }

    fn body(message: &Message) -> Value {
        let body = serde_json::from_str(&message.body).unwrap();
        assert_notification(&body);
        body
    }

    fn in_json(finding: &Finding) -> Value {
        serde_json::to_value(json::finding::Finding::from(finding)).unwrap()
    }

    /// The findings in the JSON of a notification without an alert history.
    fn reported(findings: &[Finding]) -> Value {
        let with_change = |finding: &Finding| {
            let mut finding = in_json(finding);
            finding["change"] = json!("reported");
            finding["since"] = json!(null);
            finding
        };
        findings.iter().map(with_change).collect()
    }

    #[test]
    fn a_message_follows_the_contract() {
        let network = network("payments");
        let findings = findings(&network);
        let [message, _] =
            messages_after(&network, &[(call("CreateRoute", Some("2026-11-20T10:00:00Z")), &[A])]).try_into().unwrap();
        assert_eq!(message.subject, "[HIGH] gatewatch: 4 findings in vpc-0a1b2c3d4e5f60001, eu-west-1");
        let string = |name, value: &str| Attribute { name, data_type: "String", value: value.into() };
        assert_eq!(
            message.attributes,
            [
                string("severity", "HIGH"),
                string("account", "123456789012"),
                string("region", "eu-west-1"),
                string("vpcId", A),
                Attribute { name: "services", data_type: "String.Array", value: r#"["dynamodb","s3"]"#.into() },
                Attribute { name: "changes", data_type: "String.Array", value: r#"["reported"]"#.into() },
                Attribute { name: "checks", data_type: "String.Array", value: r#"["gateway-route"]"#.into() },
            ]
        );
        assert_eq!(message.finding_ids, findings[..4].iter().map(|finding| finding.id.clone()).collect());
        assert_eq!(
            body(&message),
            json!({
                "schema": "gatewatch.notification/v1",
                "account": "123456789012",
                "region": "eu-west-1",
                "vpc": {"id": A, "name": "payments"},
                "severity": "HIGH",
                "summary": "vpc-0a1b2c3d4e5f60001 in eu-west-1: no gateway route to DynamoDB on 2 route tables, to S3 \
                            on 2 route tables",
                "trigger": {
                    "kind": "api_call", "eventName": "CreateRoute",
                    "eventId": "0a1b2c3d-0000-4000-8000-000000000001", "eventTime": "2026-11-20T10:00:00Z",
                    "principal": "arn:aws:sts::123456789012:assumed-role/dev/<!channel>\n", "invokedBy": null
                },
                "triggers": 1,
                "ledger": "off",
                "part": null,
                "findings": reported(&findings[..4]),
            })
        );
    }

    /// The message contains a resolved, a worsened and a new finding.
    #[test]
    fn with_an_alert_history_each_finding_has_its_change() {
        let network = network("payments");
        let findings = findings(&network);
        let record = call("CreateRoute", None);
        let affected = [affected(&network, &record, &[A])];
        let (since, notified_at) = ("2026-11-20T10:00:00Z".parse().unwrap(), "2026-11-23T09:00:00Z".parse().unwrap());
        let [covered, unchanged, worse, new] = &findings[..4] else { panic!() };
        let known = |finding| AlertRecord {
            since,
            notified: [Channel::Json].into(),
            ..AlertRecord::opened(finding, since, notified_at)
        };
        let vpc = VpcHistory {
            version: 3,
            lease_expires_at: None,
            last_incident: None,
            records: vec![known(covered), known(unchanged), AlertRecord { severity: Severity::Low, ..known(worse) }],
        };
        let history = AlertHistory::Available([(A.to_owned(), vpc)].into());
        let plans = plans_for(&findings[1..4], Severity::Low, &network, &affected, &history);
        let [(vpc_id, message)] = messages_of_plans(&plans, &network, &affected, HistoryState::On).try_into().unwrap();
        assert_eq!(vpc_id, A);
        assert_eq!(message.subject, "[HIGH] gatewatch: 2 findings and 1 resolved in vpc-0a1b2c3d4e5f60001, eu-west-1");
        assert_eq!(message.finding_ids, [covered, worse, new].map(|finding| finding.id.clone()).into());
        let attribute = |name| message.attributes.iter().find(|a| a.name == name).map(|a| a.value.as_str());
        assert_eq!(attribute("changes"), Some(r#"["opened","resolved","worsened"]"#));
        assert_eq!(attribute("services"), Some(r#"["dynamodb","s3"]"#));
        let body = body(&message);
        assert_eq!(body["ledger"], "on");
        assert_eq!(
            body["summary"],
            "vpc-0a1b2c3d4e5f60001 in eu-west-1: no gateway route to DynamoDB on 1 route table, to S3 on 1 route table; \
             resolved: DynamoDB on 1 route table"
        );
        let mut resolved = in_json(covered);
        resolved["endpoint"] = json!(null);
        resolved["reason"] =
            json!("Route table rtb-0000000a has a gateway route to DynamoDB again. The problem existed for 3 days.");
        resolved["remediation"] = json!({"awsCli": null, "cloudFormation": null, "terraform": null, "cautions": []});
        resolved["change"] = json!("resolved");
        resolved["since"] = json!("2026-11-20T10:00:00Z");
        resolved["resolution"] = json!({"cause": "covered", "stoodSeconds": 3 * 24 * 60 * 60});
        let changed = |finding, change: Change, since: &str| {
            let mut finding = in_json(finding);
            finding["change"] = json!(change.name());
            finding["since"] = json!(since);
            finding
        };
        assert_eq!(
            body["findings"],
            json!([
                resolved,
                changed(worse, Change::Worsened, "2026-11-20T10:00:00Z"),
                changed(new, Change::Opened, "2026-11-23T10:00:00Z"),
            ])
        );
    }

    #[test]
    fn a_message_about_resolved_findings_only_has_the_label_resolved() {
        let network = network("payments");
        let findings = findings(&network);
        let record = call("CreateRoute", None);
        let affected = [affected(&network, &record, &[A])];
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        let records = (findings[2..4].iter())
            .map(|finding| AlertRecord { notified: [Channel::Json].into(), ..AlertRecord::opened(finding, now, now) })
            .collect();
        let vpc = VpcHistory { version: 1, records, ..VpcHistory::default() };
        let history = AlertHistory::Available([(A.to_owned(), vpc)].into());
        let plans = plans_for(&[], Severity::Low, &network, &affected, &history);
        let [(_, message)] = messages_of_plans(&plans, &network, &affected, HistoryState::On).try_into().unwrap();
        assert_eq!(message.subject, "[RESOLVED] gatewatch: 2 findings in vpc-0a1b2c3d4e5f60001, eu-west-1");
        assert_eq!(
            body(&message)["summary"],
            "vpc-0a1b2c3d4e5f60001 in eu-west-1: resolved: DynamoDB on 1 route table, S3 on 1 route table"
        );
        // A subscriber that filters for severe findings also receives the alert that they are resolved.
        assert_eq!(body(&message)["severity"], "HIGH");
        assert_eq!(message.attributes[0].value, "HIGH");
    }

    #[test]
    fn each_vpc_has_its_own_message() {
        let messages = messages_after(&network("payments"), &some_call());
        let contents: Vec<_> = messages
            .iter()
            .map(|message| {
                let body = body(message);
                let tables: Vec<String> = (body["findings"].as_array().unwrap().iter())
                    .map(|finding| finding["routeTable"]["id"].as_str().unwrap().to_owned())
                    .collect();
                (body["vpc"].clone(), body["severity"].clone(), tables.join(" "))
            })
            .collect();
        assert_eq!(
            contents,
            [
                (
                    json!({"id": A, "name": "payments"}),
                    json!("HIGH"),
                    "rtb-0000000a rtb-0000000a rtb-0000000b rtb-0000000b".into()
                ),
                (json!({"id": B, "name": null}), json!("LOW"), "rtb-0000000c rtb-0000000c".into()),
            ]
        );
        assert_eq!(messages[1].subject, "[LOW] gatewatch: 2 findings in vpc-0a1b2c3d4e5f60002, eu-west-1");
        assert_eq!(messages[1].attributes[0].value, "LOW");
    }

    #[test]
    fn without_findings_there_is_no_message() {
        let (network, record) = (network("payments"), call("CreateRoute", None));
        assert_eq!(messages_about(&[], Severity::Low, &network, &[affected(&network, &record, &[A])]), []);
    }

    #[test]
    fn a_finding_below_the_minimum_severity_is_not_sent() {
        let (network, record) = (network("payments"), call("CreateRoute", None));
        let affected = [affected(&network, &record, &[A, B])];
        let sent = |min| -> Vec<(String, usize)> {
            (messages_about(&findings(&network), min, &network, &affected).iter())
                .map(|(vpc_id, message)| (vpc_id.clone(), body(message)["findings"].as_array().unwrap().len()))
                .collect()
        };
        assert_eq!(sent(Severity::Low), [(A.into(), 4), (B.into(), 2)]);
        assert_eq!(sent(Severity::Medium), [(A.into(), 4)]);
        assert_eq!(sent(Severity::High), [(A.into(), 2)]);
    }

    #[test]
    fn only_findings_of_affected_route_tables_are_sent() {
        let network = network("payments");
        let record = call("CreateRoute", None);
        let affected = [Affected {
            route_table_ids: Arc::new(BTreeSet::from(["rtb-0000000b".to_owned()])),
            ..affected(&network, &record, &[A])
        }];
        let sent: Vec<_> = (messages_about(&findings(&network), Severity::Low, &network, &affected).iter())
            .map(|(vpc_id, message)| (vpc_id.clone(), body(message)["findings"][0]["routeTable"]["id"].clone()))
            .collect();
        assert_eq!(sent, [(A.into(), json!("rtb-0000000b"))]);
    }

    #[test]
    fn a_message_names_the_newest_record_of_its_vpc_and_counts_all() {
        let records = [
            (call("CreateSubnet", Some("2026-11-20T10:00:02Z")), &[A][..]),
            (call("CreateRoute", Some("2026-11-20T10:00:01Z")), &[A, B]),
            (call("DeleteRoute", Some("2026-11-20T10:00:09Z")), &[B]),
            (call("ReplaceRoute", None), &[A]),
        ];
        let triggers: Vec<_> = messages_after(&network("payments"), &records)
            .iter()
            .map(|message| (body(message)["trigger"]["eventName"].clone(), body(message)["triggers"].clone()))
            .collect();
        assert_eq!(triggers, [(json!("CreateSubnet"), json!(3)), (json!("DeleteRoute"), json!(2))]);
    }

    #[test]
    fn the_last_of_several_records_with_the_same_time_is_the_newest() {
        for time in [None, Some("2026-11-20T10:00:00Z")] {
            let records = [(call("CreateSubnet", time), &[A][..]), (call("CreateRoute", time), &[A])];
            assert_eq!(
                body(&messages_after(&network("payments"), &records)[0])["trigger"]["eventName"],
                json!("CreateRoute")
            );
        }
    }

    #[test]
    fn other_triggers_have_only_a_kind() {
        for (trigger, kind) in [(Trigger::Schedule, "schedule"), (Trigger::Manual, "manual")] {
            let record = Record { trigger, ..call("", None) };
            assert_eq!(
                body(&messages_after(&network("payments"), &[(record, &[A])])[0])["trigger"],
                json!({"kind": kind})
            );
        }
    }

    #[test]
    fn a_message_about_one_finding_uses_the_singular() {
        let network = network("payments");
        let record = call("CreateRoute", None);
        let (_, message) =
            &messages_about(&findings(&network)[..1], Severity::Low, &network, &[affected(&network, &record, &[A])])[0];
        assert_eq!(message.subject, "[MEDIUM] gatewatch: 1 finding in vpc-0a1b2c3d4e5f60001, eu-west-1");
        assert_eq!(
            body(message)["summary"],
            json!("vpc-0a1b2c3d4e5f60001 in eu-west-1: no gateway route to DynamoDB on 1 route table")
        );
        assert_eq!(message.attributes[4].value, r#"["dynamodb"]"#);
    }

    #[test]
    fn names_are_unchanged_in_the_json_and_appear_nowhere_else() {
        let plain = messages_after(&network("payments"), &some_call());
        for name in [
            "\u{1f4a5} boom",
            "two\nlines\r\n",
            "\u{202e}right-to-left",
            "<!channel> @here",
            "\"quoted\" \\ 'twice'",
            "\u{1}\u{7f}\u{0}",
            &"ñ".repeat(256),
        ] {
            let hostile = messages_after(&network(name), &some_call());
            assert_eq!(body(&hostile[0])["vpc"]["name"], json!(name));
            let outside = |messages: &[Message]| -> Vec<(String, Vec<Attribute>, Value)> {
                (messages.iter())
                    .map(|m| (m.subject.clone(), m.attributes.clone(), body(m)["summary"].clone()))
                    .collect()
            };
            assert_eq!(outside(&hostile), outside(&plain));
        }
    }

    #[test]
    fn a_subject_is_short_printable_ascii_for_any_id() {
        let mut network = network("payments");
        let id = format!("vpc-\n\u{1f4a5}{}", "x".repeat(200));
        network.vpcs[0].id.clone_from(&id);
        for table in network.route_tables.iter_mut().filter(|table| table.vpc_id == A) {
            table.vpc_id = id.as_str().into();
        }
        let subjects: Vec<_> =
            messages_after(&network, &some_call()).into_iter().map(|message| message.subject).collect();
        let expected = format!("[HIGH] gatewatch: 4 findings in vpc-{}", "x".repeat(99 - 36));
        assert!(subjects.contains(&expected), "{subjects:?}");
    }

    /// A VPC with this number of tables and of subnets for each table. All have long names that JSON has to escape.
    fn large(tables: usize, subnets: usize) -> Network {
        let mut network = Network { vpcs: vec![vpc(A)], ..Network::default() };
        for t in 0..tables {
            let mut table =
                RouteTable { name: Some("\"".repeat(256).into()), ..main_table(&format!("rtb-{t:08x}"), A) };
            for s in 0..subnets {
                let id = format!("subnet-{:08x}", t * subnets + s);
                table.associations.push(explicit(&id, "associated"));
                network.subnets.push(Subnet { name: Some("\n".repeat(256).into()), ..subnet(&id, A) });
            }
            network.route_tables.push(table);
        }
        network
    }

    /// Checks that each part is within the limit, is numbered, and lists the ids of its findings. Returns what the
    /// parts contain: table, service and subnet.
    fn checked_contents(messages: &[Message]) -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut contents = Vec::new();
        for (n, message) in messages.iter().enumerate() {
            let size = message.body.len()
                + message.subject.len()
                + message.attributes.iter().map(Attribute::size).sum::<usize>();
            assert!(size <= 262_144, "{size}");
            let body = body(message);
            assert_eq!(body["part"], json!({"index": n + 1, "count": messages.len()}));
            let findings = body["findings"].as_array().unwrap();
            assert_eq!(message.finding_ids, findings.iter().map(|finding| text(&finding["id"])).collect());
            for finding in findings {
                for subnet in finding["subnets"].as_array().unwrap() {
                    contents.push((text(&finding["routeTable"]["id"]), text(&finding["service"]), text(&subnet["id"])));
                }
            }
        }
        contents
    }

    /// All combinations of table, service and subnet that the messages have to contain.
    fn expected_contents(network: &Network) -> Vec<(String, String, String)> {
        (findings(network).into_iter())
            .flat_map(|f| {
                let (table, service) = (f.subject.id.clone(), f.problem.service_name().to_owned());
                f.subnets.into_iter().map(move |subnet| (table.clone(), service.clone(), subnet.id))
            })
            .collect()
    }

    #[test]
    fn a_notification_that_is_too_large_is_split_by_findings() {
        let network = large(40, 10);
        let messages = messages_after(&network, &some_call());
        assert!(messages.len() > 1);
        assert_eq!(checked_contents(&messages), expected_contents(&network));
        let sizes: Vec<usize> = messages.iter().map(|message| message.body.len()).collect();
        assert!(sizes[0] > 200_000, "the first part is full: {sizes:?}");
    }

    #[test]
    fn a_finding_that_is_too_large_alone_is_split_by_subnets() {
        let network = large(1, 700);
        let messages = messages_after(&network, &some_call());
        assert_eq!(checked_contents(&messages), expected_contents(&network));
    }

    /// The messages about these findings, each with this number of additional bytes.
    fn messages_with_padding(findings: &[Finding], network: &Network, bytes: usize) -> Vec<Message> {
        let record = call(&"x".repeat(bytes), None);
        let affected = [affected(network, &record, &[A])];
        messages_about(findings, Severity::Low, network, &affected).into_iter().map(|(_, message)| message).collect()
    }

    /// The number of free bytes in the first message, beside the room that is reserved for the longest `part` and for a
    /// comma after the last finding.
    fn free_bytes(messages: &[Message]) -> usize {
        let longest = json!({"index": usize::MAX, "count": usize::MAX}).to_string().len();
        let reserved = longest - body(&messages[0])["part"].to_string().len() + ",".len();
        let attributes = messages[0].attributes.iter().map(Attribute::size).sum::<usize>();
        262_144 - reserved - messages[0].body.len() - messages[0].subject.len() - attributes
    }

    /// The number of findings in each message.
    fn finding_counts(messages: &[Message]) -> Vec<usize> {
        messages.iter().map(|message| body(message)["findings"].as_array().unwrap().len()).collect()
    }

    #[test]
    fn a_message_takes_the_findings_that_fit_to_the_byte() {
        let network = large(120, 1);
        let findings = findings(&network);
        let messages = messages_with_padding(&findings, &network, 0);
        let (bytes, first) = (free_bytes(&messages), finding_counts(&messages)[0]);
        assert_eq!(finding_counts(&messages).iter().sum::<usize>(), findings.len(), "no finding is split");
        assert_eq!(finding_counts(&messages_with_padding(&findings, &network, bytes))[0], first);
        assert_eq!(finding_counts(&messages_with_padding(&findings, &network, bytes + 1))[0], first - 1);
    }

    #[test]
    fn a_finding_that_fits_to_the_byte_stays_whole() {
        let network = large(1, 300);
        let finding = &findings(&network)[..1];
        let bytes = free_bytes(&messages_with_padding(finding, &network, 0));
        assert_eq!(finding_counts(&messages_with_padding(finding, &network, bytes)), [1]);
        assert_eq!(finding_counts(&messages_with_padding(finding, &network, bytes + 1)), [1, 1]);
    }

    #[test]
    fn a_finding_is_split_down_to_single_subnets_and_no_further() {
        let mut network = large(1, 2);
        for subnet in &mut network.subnets {
            subnet.name = Some("x".repeat(150_000).into());
        }
        assert_eq!(finding_counts(&messages_with_padding(&findings(&network)[..1], &network, 0)), [1, 1]);
        let mut network = large(1, 1);
        network.subnets[0].name = Some("x".repeat(300_000).into());
        assert_eq!(finding_counts(&messages_with_padding(&findings(&network)[..1], &network, 0)), [1]);
    }
}
