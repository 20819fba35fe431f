//! Snapshots of the text that people read: `snapshots/text_*.snap` are e-mails, `snapshots/chat_*.snap` are chat cards.

use super::*;

/// The message in a form that is easy to read.
fn rendered(channel: Channel, message: &Message) -> String {
    if channel == Channel::Text {
        return format!("Subject: {}\n\n{}", message.subject, message.body);
    }
    let card: Value = serde_json::from_str(&message.body).unwrap();
    let (content, metadata) = (&card["content"], &card["metadata"]);
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let steps: Vec<String> = texts(&content["nextSteps"]).iter().map(|step| format!("\n  > {step}")).collect();
    format!(
        "Title: {}\n\n{}\n\nNext steps:{}\nKeywords: {}\nThread: {}\nSummary: {}\nResources: {}\nContext: {}\n",
        content["title"].as_str().unwrap(),
        content["description"].as_str().unwrap(),
        steps.concat(),
        texts(&content["keywords"]).join(" | "),
        metadata["threadId"].as_str().unwrap(),
        metadata["summary"].as_str().unwrap(),
        texts(&metadata["relatedResources"]).join(" "),
        metadata["additionalContext"],
    )
}

/// Compares the messages of both channels for these scenarios with the snapshots of this name.
#[track_caller]
pub(super) fn assert_snapshots(name: &str, scenarios: &[(&str, AlertGroup<'_>)]) {
    for channel in [Channel::Text, Channel::Chat] {
        let mut texts = Vec::new();
        for (title, group) in scenarios {
            for message in render(group, channel) {
                assert_valid(channel, group, &message);
                texts.push(format!("======== {title} ========\n{}", rendered(channel, &message)));
            }
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("{}_{name}", if channel == Channel::Text { "text" } else { "chat" }), texts.join("\n"));
        });
    }
}

#[test]
fn the_text_of_each_gap() {
    let network = |endpoints| Network { endpoints, ..private(Some(NAT)) };
    let [no_endpoint, not_associated, pending, failed, inactive] = [
        network(vec![]),
        network(vec![endpoint("available", &[])]),
        network(vec![endpoint("Pending", &[TABLE])]),
        network(vec![endpoint("failed", &[TABLE])]),
        network(vec![endpoint("available", &[TABLE])]),
    ]
    .map(|network| [opened(finding(&network))]);
    let gaps = [&no_endpoint, &not_associated, &pending, &inactive]
        .map(|[alert]| alert.open_finding().unwrap().missing_route().unwrap().gap);
    assert_eq!(gaps, [Gap::NoEndpoint, Gap::NotAssociated, Gap::EndpointNotAvailable, Gap::RouteInactive]);
    let call = api_call();
    assert_snapshots(
        "gaps",
        &[
            ("no_endpoint", alert_group(&call, &no_endpoint)),
            ("not_associated", alert_group(&call, &not_associated)),
            ("endpoint_not_available: pending", alert_group(&call, &pending)),
            ("endpoint_not_available: failed", alert_group(&call, &failed)),
            ("route_inactive", alert_group(&call, &inactive)),
        ],
    );
}

#[test]
fn the_text_of_each_severity_and_egress() {
    let unused = Network {
        route_tables: vec![RouteTable { associations: vec![], ..private(Some(NAT)).route_tables.remove(0) }],
        ..Network::default()
    };
    let interface = Endpoint { kind: EndpointKind::Interface, ..endpoint("available", &[]) };
    let [nat, transit, firewall, no_egress, only_interface, internet, unused] = [
        private(Some(NAT)),
        private(Some((TargetKind::TransitGateway, "tgw-0a1b2c3d4e5f60005"))),
        private(Some((TargetKind::VpcEndpoint, "vpce-0a1b2c3d4e5f60005"))),
        private(None),
        Network { endpoints: vec![interface], ..private(None) },
        private(Some((TargetKind::InternetGateway, "igw-0a1b2c3d4e5f60005"))),
        unused,
    ]
    .map(|network| [opened(finding(&network))]);
    let severities = [&nat, &no_egress, &internet].map(|[alert]| alert.severity());
    assert_eq!(severities, [Severity::High, Severity::Medium, Severity::Low]);
    let call = api_call();
    assert_snapshots(
        "severities",
        &[
            ("HIGH: NAT gateway", alert_group(&call, &nat)),
            ("MEDIUM: transit gateway", alert_group(&call, &transit)),
            ("MEDIUM: firewall", alert_group(&call, &firewall)),
            ("MEDIUM: no default route", alert_group(&call, &no_egress)),
            ("MEDIUM: no default route, with an interface endpoint", alert_group(&call, &only_interface)),
            ("LOW: internet gateway", alert_group(&call, &internet)),
            ("LOW: no subnet", alert_group(&call, &unused)),
        ],
    );
}

#[test]
fn the_text_of_each_change() {
    let finding = finding(&private(Some(NAT)));
    let alerts = Change::ALL.map(|change| {
        let alert = match OpenChange::from_name(change.name()) {
            Some(open) => alert(finding.clone(), open),
            None if change == Change::Reported => Alert::Reported(finding.clone()),
            None => resolved(finding.clone(), ResolutionReason::Covered),
        };
        (change, [alert])
    });
    let call = api_call();
    let mut scenarios: Vec<_> =
        alerts.iter().map(|(change, alerts)| (change.name(), alert_group(&call, alerts))).collect();
    let unavailable = AlertGroup { history: HistoryState::Unavailable, ..alert_group(&call, &alerts[0].1) };
    scenarios.insert(1, ("reported, the alert history is not available", unavailable));
    assert_snapshots("changes", &scenarios);
}

#[test]
fn the_text_of_each_resolution_reason() {
    let finding = finding(&private(Some(NAT)));
    let reasons = [
        ResolutionReason::Covered,
        ResolutionReason::Exempt,
        ResolutionReason::TableDeleted,
        ResolutionReason::VpcDeleted,
        ResolutionReason::EdgeTable,
        ResolutionReason::NotRequired,
    ];
    let alerts = reasons.map(|reason| [resolved(finding.clone(), reason)]);
    let names = ["covered", "exempt", "table deleted", "VPC deleted", "edge table", "not required"];
    let call = api_call();
    let scenarios: Vec<_> =
        names.iter().zip(&alerts).map(|(name, alerts)| (*name, alert_group(&call, alerts))).collect();
    assert_snapshots("resolutions", &scenarios);
}

#[test]
fn the_text_of_each_trigger() {
    let alerts = [opened(finding(&private(Some(NAT))))];
    let minimal = Trigger::ApiCall {
        event_name: "CreateVpc".into(),
        event_id: None,
        event_time: None,
        principal: None,
        on_behalf_of: None,
        invoked_by: None,
    };
    let call = api_call();
    assert_snapshots(
        "triggers",
        &[
            ("an API call, the newest of 4 events", AlertGroup { trigger_count: 4, ..alert_group(&call, &alerts) }),
            ("an API call with few details", alert_group(&minimal, &alerts)),
            ("a configuration item", alert_group(&Trigger::ConfigItem, &alerts)),
            ("the scheduled sweep", alert_group(&Trigger::Schedule, &alerts)),
            ("a manual request", alert_group(&Trigger::Manual, &alerts)),
            ("no trigger", AlertGroup { trigger: None, account: "", vpc_name: None, ..alert_group(&call, &alerts) }),
        ],
    );
}

#[test]
fn the_text_of_several_findings() {
    let call = api_call();
    let one_table: Vec<Alert> = findings(&private(Some(NAT)), &BOTH).into_iter().map(opened).collect();
    let two_tables: Vec<Alert> = findings(&several(1), &BOTH).into_iter().map(opened).collect();
    let mut inactive = several(1);
    inactive.route_tables[1].routes.clear();
    let tables: Vec<&str> = inactive.route_tables.iter().map(|table| table.id.as_str()).collect();
    inactive.endpoints = vec![endpoint("available", &tables)];
    let own_commands: Vec<Alert> = findings(&inactive, &BOTH).into_iter().map(opened).collect();
    assert_snapshots(
        "several",
        &[
            ("two services, one table", alert_group(&call, &one_table)),
            ("two tables", alert_group(&call, &two_tables)),
            ("two tables, one behind a NAT gateway and one without a way out", alert_group(&call, &own_commands)),
        ],
    );
}

#[test]
fn the_text_of_many_findings() {
    let alerts: Vec<Alert> = findings(&several(13), &BOTH).into_iter().map(opened).collect();
    assert_snapshots("many", &[("14 tables", alert_group(&Trigger::Schedule, &alerts))]);
}

#[test]
fn the_text_of_open_and_resolved_findings() {
    let findings = findings(&several(2), &[GatewayService::S3]);
    let [a, b, c] = findings.try_into().unwrap();
    let [reminder, opened] = [alert(a.clone(), OpenChange::Reminder), opened(c.clone())];
    let mixed = [reminder, resolved(b.clone(), ResolutionReason::Exempt), opened];
    let all_resolved = [
        resolved(a, ResolutionReason::Covered),
        resolved(b, ResolutionReason::TableDeleted),
        resolved(c, ResolutionReason::Covered),
    ];
    let call = api_call();
    assert_snapshots(
        "mixed",
        &[
            ("two are open, one is resolved", alert_group(&call, &mixed)),
            ("all are resolved", alert_group(&call, &all_resolved)),
        ],
    );
}

#[test]
fn the_text_with_hostile_names() {
    let (network, trigger) = hostile();
    let alerts = [opened(finding(&network))];
    let group = AlertGroup { vpc_name: Some(HOSTILE[2]), ..alert_group(&trigger, &alerts) };
    assert_snapshots("hostile", &[("hostile names", group)]);
}
