//! What people get to read, kept as files that a person can read: `snapshots/text_*.snap` are e-mails,
//! `snapshots/chat_*.snap` are chat cards.

use super::*;

/// The message as a person sees it.
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

/// Keeps what both channels make of these scenarios.
#[track_caller]
fn keep(name: &str, scenarios: &[(&str, AlertGroup<'_>)]) {
    for channel in [Channel::Text, Channel::Chat] {
        let mut kept = Vec::new();
        for (title, told) in scenarios {
            for message in render(told, channel) {
                holds_what_it_must(channel, told, &message);
                kept.push(format!("======== {title} ========\n{}", rendered(channel, &message)));
            }
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("{}_{name}", if channel == Channel::Text { "text" } else { "chat" }), kept.join("\n"));
        });
    }
}

#[test]
fn each_gap() {
    let network = |endpoints| Network { endpoints, ..private(Some(NAT)) };
    let [no_endpoint, not_associated, pending, failed, inactive] = [
        network(vec![]),
        network(vec![endpoint("available", &[])]),
        network(vec![endpoint("Pending", &[TABLE])]),
        network(vec![endpoint("failed", &[TABLE])]),
        network(vec![endpoint("available", &[TABLE])]),
    ]
    .map(|network| [opened(finding(&network))]);
    let gaps = [&no_endpoint, &not_associated, &pending, &inactive].map(|[notice]| notice.open_finding().unwrap().gap);
    assert_eq!(gaps, [Gap::NoEndpoint, Gap::NotAssociated, Gap::EndpointNotAvailable, Gap::RouteInactive]);
    let call = api_call();
    keep(
        "gaps",
        &[
            ("no_endpoint", told(&call, &no_endpoint)),
            ("not_associated", told(&call, &not_associated)),
            ("endpoint_not_available: pending", told(&call, &pending)),
            ("endpoint_not_available: failed", told(&call, &failed)),
            ("route_inactive", told(&call, &inactive)),
        ],
    );
}

#[test]
fn each_severity_and_way_out() {
    let unused = Network {
        route_tables: vec![RouteTable { associations: vec![], ..private(Some(NAT)).route_tables.remove(0) }],
        ..Network::default()
    };
    let interface = Endpoint { kind: EndpointKind::Interface, ..endpoint("available", &[]) };
    let [nat, transit, firewall, nothing, only_interface, internet, unused] = [
        private(Some(NAT)),
        private(Some((TargetKind::TransitGateway, "tgw-0a1b2c3d4e5f60005"))),
        private(Some((TargetKind::VpcEndpoint, "vpce-0a1b2c3d4e5f60005"))),
        private(None),
        Network { endpoints: vec![interface], ..private(None) },
        private(Some((TargetKind::InternetGateway, "igw-0a1b2c3d4e5f60005"))),
        unused,
    ]
    .map(|network| [opened(finding(&network))]);
    let severities = [&nat, &nothing, &internet].map(|[notice]| notice.severity());
    assert_eq!(severities, [Severity::High, Severity::Medium, Severity::Low]);
    let call = api_call();
    keep(
        "severities",
        &[
            ("HIGH: NAT gateway", told(&call, &nat)),
            ("MEDIUM: transit gateway", told(&call, &transit)),
            ("MEDIUM: firewall", told(&call, &firewall)),
            ("MEDIUM: no way out", told(&call, &nothing)),
            ("MEDIUM: no way out but an interface endpoint", told(&call, &only_interface)),
            ("LOW: internet gateway", told(&call, &internet)),
            ("LOW: no subnet", told(&call, &unused)),
        ],
    );
}

#[test]
fn each_change() {
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
    let mut scenarios: Vec<_> = alerts.iter().map(|(change, alerts)| (change.name(), told(&call, alerts))).collect();
    let doubted = AlertGroup { ledger: HistoryState::Unavailable, ..told(&call, &alerts[0].1) };
    scenarios.insert(1, ("reported, the ledger out of reach", doubted));
    keep("changes", &scenarios);
}

#[test]
fn each_end() {
    let finding = finding(&private(Some(NAT)));
    let ends = ResolutionReason::ALL.map(|cause| [resolved(finding.clone(), cause)]);
    let names = ["covered", "exempt", "table deleted", "VPC deleted", "edge table", "not required"];
    let call = api_call();
    let scenarios: Vec<_> = names.iter().zip(&ends).map(|(name, notices)| (*name, told(&call, notices))).collect();
    keep("ends", &scenarios);
}

#[test]
fn each_trigger() {
    let notices = [opened(finding(&private(Some(NAT))))];
    let bare = Trigger::ApiCall {
        event_name: "CreateVpc".into(),
        event_id: None,
        event_time: None,
        principal: None,
        invoked_by: None,
    };
    let call = api_call();
    keep(
        "triggers",
        &[
            ("an API call, the newest of 4 events", AlertGroup { triggers: 4, ..told(&call, &notices) }),
            ("an API call of which little is known", told(&bare, &notices)),
            ("a configuration item", told(&Trigger::ConfigItem, &notices)),
            ("the sweep", told(&Trigger::Schedule, &notices)),
            ("by hand", told(&Trigger::Manual, &notices)),
            ("nothing known", AlertGroup { trigger: None, account: "", vpc_name: None, ..told(&call, &notices) }),
        ],
    );
}

#[test]
fn several_findings() {
    let call = api_call();
    let one_table: Vec<Alert> = findings(&private(Some(NAT)), &BOTH).into_iter().map(opened).collect();
    let two_tables: Vec<Alert> = findings(&several(1), &BOTH).into_iter().map(opened).collect();
    keep("several", &[("two services, one table", told(&call, &one_table)), ("two tables", told(&call, &two_tables))]);
}

#[test]
fn many_findings() {
    let notices: Vec<Alert> = findings(&several(13), &BOTH).into_iter().map(opened).collect();
    keep("many", &[("14 tables", told(&Trigger::Schedule, &notices))]);
}

#[test]
fn what_stands_and_what_is_over() {
    let findings = findings(&several(2), &[GatewayService::S3]);
    let [a, b, c] = findings.try_into().unwrap();
    let [reminder, opened] = [alert(a.clone(), OpenChange::Reminder), opened(c.clone())];
    let mixed = [reminder, resolved(b.clone(), ResolutionReason::Exempt), opened];
    let all_over = [
        resolved(a, ResolutionReason::Covered),
        resolved(b, ResolutionReason::TableDeleted),
        resolved(c, ResolutionReason::Covered),
    ];
    let call = api_call();
    keep("mixed", &[("two stand, one is over", told(&call, &mixed)), ("all are over", told(&call, &all_over))]);
}

#[test]
fn hostile_names() {
    let (network, trigger) = hostile();
    let notices = [opened(finding(&network))];
    let told = AlertGroup { vpc_name: Some(HOSTILE[2]), ..told(&trigger, &notices) };
    keep("hostile", &[("names of others", told)]);
}
