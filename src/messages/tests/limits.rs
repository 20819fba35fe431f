//! Tests with hostile names, with very long text and with very many findings.

use super::*;
use crate::coverage::marker::MemberAccount;

#[test]
fn a_card_has_exactly_the_fields_of_the_schema() {
    let alerts = [opened(finding(&several(0)))];
    let call = api_call();
    let [message] = render(&alert_group(&call, &alerts), Channel::Chat).try_into().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&message.body).unwrap(),
        json!({
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": "🔴 [HIGH] No gateway route to S3: rtb-0a1b2c3d4e5f60004 in vpc-0a1b2c3d4e5f60001, eu-west-1",
                "description": "\
- Route table: rtb-0a1b2c3d4e5f60004 `\"private\"`
- VPC: vpc-0a1b2c3d4e5f60001 `\"prod\"`
- Region: eu-west-1
- Account: 123456789012
- New: first seen 2026-11-20 10:00 UTC.

*What happened*
- API call: `\"CreateRoute\"`
- When: 2026-11-20 09:58 UTC
- Who: `\"arn:aws:sts::123456789012:assumed-role/deploy/ci-4711\"`
- Through AWS service: `\"cloudformation.amazonaws.com\"`

*Why it matters*
- The VPC has no available gateway endpoint for S3.
- 2 subnets reach S3 through NAT gateway nat-0a1b2c3d4e5f60005.
- The NAT gateway charges for every GB; a gateway endpoint charges nothing.

*Subnets affected (2)*
- subnet-0a1b2c3d4e5f60001 eu-west-1a 10.0.1.0/24 `\"app-a\"`
- subnet-0a1b2c3d4e5f60002 eu-west-1b 10.0.2.0/24 `\"app-b\"`

*Before you run this*
- Open connections to S3 close. Applications have to connect again, so choose a time when no critical task runs.
- Requests to S3 will come from private addresses. Conditions on aws:SourceIp in bucket and identity policies stop matching; use aws:VpcSourceIp, aws:SourceVpc or aws:SourceVpce instead.
- Requests to buckets in other Regions do not go through the endpoint. They go the same way as today.
- A new endpoint has the default policy, which allows every request to S3.
- If the VPC uses Amazon's DNS servers, its DNS support and DNS host names must be on; gatewatch does not check this.",
                "nextSteps": [
                    "Fix S3 on rtb-0a1b2c3d4e5f60004: `aws ec2 create-vpc-endpoint --region eu-west-1 --vpc-endpoint-type \
                     Gateway --vpc-id vpc-0a1b2c3d4e5f60001 --service-name com.amazonaws.eu-west-1.s3 --route-table-ids \
                     rtb-0a1b2c3d4e5f60004`",
                    "Or exempt rtb-0a1b2c3d4e5f60004: `aws ec2 create-tags --region eu-west-1 --resources \
                     rtb-0a1b2c3d4e5f60004 --tags Key=gatewatch:exempt,Value=s3` (`s3 until=YYYY-MM-DD` ends after \
                     that day; the command keeps what the tag said at the check)",
                ],
                "keywords": ["gatewatch", "HIGH", "s3", "opened", "eu-west-1"],
            },
            "metadata": {
                "threadId": "vpc-0a1b2c3d4e5f60001-1795168800",
                "summary": "HIGH: rtb-0a1b2c3d4e5f60004 in eu-west-1 has no gateway route to S3.",
                "eventType": "gatewatch",
                "relatedResources": ["vpc-0a1b2c3d4e5f60001", "rtb-0a1b2c3d4e5f60004"],
                "additionalContext": {
                    "account": "123456789012",
                    "region": "eu-west-1",
                    "severity": "HIGH",
                    "vpcId": "vpc-0a1b2c3d4e5f60001",
                },
            },
        })
    );
}

/// The chat card in the message.
pub(super) fn card(message: &Message) -> Value {
    serde_json::from_str(&message.body).unwrap()
}

#[test]
fn all_cards_of_an_incident_share_a_thread() {
    let finding = finding(&private(Some(NAT)));
    let call = api_call();
    let thread = |alert: Alert, incident_started_at: Option<Timestamp>| {
        let alerts = [alert];
        let group = AlertGroup { incident_started_at, ..alert_group(&call, &alerts) };
        card(&render(&group, Channel::Chat)[0])["metadata"]["threadId"].as_str().unwrap().to_owned()
    };
    let started_at = Some(since());
    let threads: BTreeSet<String> =
        [OpenChange::Opened, OpenChange::Worsened, OpenChange::Changed, OpenChange::Reminder]
            .map(|change| thread(alert(finding.clone(), change), started_at))
            .into_iter()
            .chain([thread(resolved(finding.clone(), ResolutionReason::VpcDeleted), started_at)])
            .collect();
    assert_eq!(threads, BTreeSet::from(["vpc-0a1b2c3d4e5f60001-1795168800".to_owned()]));
    assert_eq!(thread(Alert::Reported(finding.clone()), None), VPC);
    assert_eq!(
        thread(opened(finding), Some(moment("2026-11-23T10:00:00Z"))),
        "vpc-0a1b2c3d4e5f60001-1795428000",
        "another incident has another thread"
    );
}

#[test]
fn the_order_of_the_subnets_does_not_change_the_messages() {
    let (network, trigger) = hostile();
    let mut reversed = network.clone();
    reversed.subnets.reverse();
    let [original, reversed] = [network, reversed].map(|network| [opened(finding(&network))]);
    for channel in [Channel::Text, Channel::Chat] {
        assert_eq!(
            render(&alert_group(&trigger, &original), channel),
            render(&alert_group(&trigger, &reversed), channel)
        );
    }
}

#[test]
fn untrusted_text_is_in_no_subject_and_no_command() {
    let plain = finding(&private(Some(NAT)));
    let mut call = api_call();
    if let Trigger::ApiCall { on_behalf_of, .. } = &mut call {
        *on_behalf_of = Some(IdentityCenterUser { user_id: "0a1b2c3d".into(), identity_store_arn: None });
    }
    for name in HOSTILE.into_iter().filter(|name| !name.trim().is_empty()) {
        let mut network = private(Some(NAT));
        network.route_tables[0].name = Some(name.into());
        network.subnets.iter_mut().for_each(|subnet| subnet.name = Some(name.into()));
        let trigger = Trigger::ApiCall {
            event_name: name.into(),
            event_id: Some(name.into()),
            event_time: Some(name.into()),
            principal: Some(name.into()),
            on_behalf_of: Some(IdentityCenterUser { user_id: name.into(), identity_store_arn: Some(name.into()) }),
            invoked_by: Some(name.into()),
        };
        let [hostile, benign] = [[opened(finding(&network))], [opened(plain.clone())]];
        let hostile = AlertGroup { vpc_name: Some(name), ..alert_group(&trigger, &hostile) };
        let benign = alert_group(&call, &benign);

        let [hostile_text, benign_text] = [&hostile, &benign].map(|group| render(group, Channel::Text).remove(0));
        let commands = |message: &Message| -> Vec<String> {
            message.body.lines().filter(|line| line.starts_with("aws ")).map(str::to_owned).collect()
        };
        assert_eq!(hostile_text.subject, benign_text.subject);
        assert_eq!(commands(&hostile_text), commands(&benign_text));
        assert_eq!(hostile_text.body.lines().count(), benign_text.body.lines().count(), "{name:?} added a line");
        let is_visible =
            |c: char| c == '\n' || c == '\'' || c.is_alphanumeric() || !c.escape_debug().to_string().starts_with("\\u");
        assert!(hostile_text.body.chars().all(is_visible), "{}", hostile_text.body);

        let [hostile_chat, benign_chat] = [&hostile, &benign].map(|group| render(group, Channel::Chat).remove(0));
        assert_eq!(hostile_chat.subject, benign_chat.subject);
        let (hostile, benign) = (card(&hostile_chat), card(&benign_chat));
        assert_eq!(hostile["metadata"], benign["metadata"]);
        for field in ["title", "nextSteps", "keywords"] {
            assert_eq!(hostile["content"][field], benign["content"][field]);
        }
        let description = hostile["content"]["description"].as_str().unwrap();
        assert_eq!(description.lines().count(), benign["content"]["description"].as_str().unwrap().lines().count());
        for active in ["<", "@here", "@channel", "@U", "://", "\r"] {
            assert!(!description.contains(active), "{active} in {description}");
        }
        for line in description.lines() {
            let marks = line.matches('`').count();
            assert!(marks == 0 || marks == 2 && line.ends_with("\"`"), "{line}");
        }
    }
}

#[test]
fn an_at_sign_is_escaped_unless_it_is_in_an_email_address() {
    let alerts = [opened(finding(&private(Some(NAT))))];
    let call = api_call();
    let shown = |name: &str| {
        let group = AlertGroup { vpc_name: Some(name), ..alert_group(&call, &alerts) };
        let card = card(&render(&group, Channel::Chat)[0]);
        let description = card["content"]["description"].as_str().unwrap();
        description.lines().find_map(|line| line.strip_prefix("- VPC: vpc-0a1b2c3d4e5f60001 ")).unwrap().to_owned()
    };
    assert_eq!(shown("bob@example.com"), "`\"bob@example.com\"`");
    assert_eq!(shown("@bob"), "`\"\\u{40}bob\"`");
    assert_eq!(shown("x/@here"), "`\"x/\\u{40}here\"`");
    assert_eq!(shown("O'Brien & Söhne"), "`\"O'Brien &amp; Söhne\"`");
    assert_eq!(shown("a://b"), "`\"a:\\u{2f}/b\"`");
    assert_eq!(shown("team:/a//b"), "`\"team:/a//b\"`", "this is not a URL");
}

/// The network of [`private`], with this number of subnets.
fn used_by(subnets: u16) -> Network {
    let mut network = private(Some(NAT));
    network.subnets = (0..subnets).map(|n| subnet(&format!("subnet-0a1b2c3d4e5f7{n:04}"), VPC)).collect();
    network.route_tables[0].associations =
        network.subnets.iter().map(|subnet| explicit(&subnet.id, "associated")).collect();
    network
}

#[test]
fn a_card_lists_ten_subnets_and_refers_to_the_json_for_more() {
    let call = api_call();
    let reference = "_The message on the JSON topic has all details, and so does the e-mail, if there is one._";
    for (subnets, more) in [(9, None), (10, None), (11, Some("- and 1 more"))] {
        let alerts = [opened(finding(&used_by(subnets)))];
        let card = card(&render(&alert_group(&call, &alerts), Channel::Chat)[0]);
        let lines: Vec<&str> = card["content"]["description"].as_str().unwrap().lines().collect();
        assert_eq!(lines.iter().filter(|line| line.starts_with("- subnet-")).count(), usize::from(subnets.min(10)));
        assert_eq!(lines.iter().copied().find(|line| line.starts_with("- and ")), more, "{subnets}");
        assert_eq!(lines.contains(&reference), more.is_some(), "{subnets}");
    }
}

/// The lines of this section of a text, without its heading.
pub(super) fn section<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    text.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.is_empty()).collect()
}

/// The subnets and the short lines go before the cautions. Cautions are listed all or not at all.
#[test]
fn a_card_lists_the_cautions_or_says_where_they_are() {
    let reference =
        "- The commands have side effects that do not fit into this card. Read them in the message on the JSON topic.";
    let call = api_call();
    let mut cases = BTreeSet::new();
    for length in (0..=180).step_by(4) {
        let name = "`".repeat(length);
        let mut network = used_by(10);
        network.route_tables[0].routes = vec![route("0.0.0.0/0", TargetKind::TransitGateway, "tgw-0a1b2c3d4e5f60005")];
        network.route_tables[0].name = Some(name.as_str().into());
        network.subnets.iter_mut().for_each(|subnet| subnet.name = Some(name.as_str().into()));
        let alerts: Vec<Alert> = findings(&network, &GatewayService::ALL).into_iter().map(opened).collect();
        let trigger = Trigger::ApiCall {
            event_name: name.clone(),
            event_id: None,
            event_time: Some(name.clone()),
            principal: Some(name.clone()),
            on_behalf_of: None,
            invoked_by: Some(name.clone()),
        };
        let group = AlertGroup { vpc_name: Some(&name), ..alert_group(&trigger, &alerts) };
        let message = &render(&group, Channel::Chat)[0];
        assert_valid(Channel::Chat, &group, message);
        let card = card(message);
        let description = card["content"]["description"].as_str().unwrap();
        let cautions = section(description, "*Before you run this*");
        let subnets = description.lines().filter(|line| line.starts_with("- subnet-")).count();
        if cautions.len() == 1 {
            assert_eq!(cautions, [reference], "{length}");
            cases.insert((subnets, "reference"));
        } else {
            let plain = render(&alert_group(&call, &alerts), Channel::Text).remove(0).body;
            assert_eq!(cautions, section(&plain, "BEFORE YOU RUN THIS"), "{length}");
            cases.insert((subnets, "cautions"));
        }
    }
    assert_eq!(
        cases,
        [(10, "cautions"), (5, "cautions"), (1, "cautions"), (0, "cautions"), (0, "reference")].into(),
        "from short names to long ones"
    );
}

#[test]
fn an_email_says_once_what_holds_for_all_commands() {
    let mut network = used_by(1);
    for n in 0..30 {
        let subnet = subnet(&format!("subnet-0a1b2c3d4e5f8{n:04}"), VPC);
        let mut table = table(&format!("rtb-0a1b2c3d4e5f8{n:04}"), VPC);
        table.associations = vec![explicit(&subnet.id, "associated")];
        table.routes.push(route("0.0.0.0/0", NAT.0, NAT.1));
        network.subnets.push(subnet);
        network.route_tables.push(table);
    }
    let tables: Vec<String> = network.route_tables.iter().map(|table| table.id.clone()).collect();
    network.endpoints = vec![endpoint("available", &tables.iter().map(String::as_str).collect::<Vec<_>>())];
    let alerts: Vec<Alert> = findings(&network, &[GatewayService::S3]).into_iter().map(opened).collect();
    let call = api_call();
    let body = render(&alert_group(&call, &alerts), Channel::Text).remove(0).body;
    assert_eq!(body.matches("--remove-route-table-ids").count(), 31, "each table has its own commands");
    assert_eq!(body.matches("BEFORE YOU RUN THIS").count(), 1);
    assert_eq!(
        section(&body, "BEFORE YOU RUN THIS"),
        [
            "For all fixes below:",
            "- Open connections to S3 close twice: when the table is removed from the endpoint, and when it is added \
             again. Applications have to connect again, so choose a time when no critical task runs.",
            "- Requests to S3 will come from private addresses. Conditions on aws:SourceIp in bucket and identity \
             policies stop matching; use aws:VpcSourceIp, aws:SourceVpc or aws:SourceVpce instead.",
            "- Requests to buckets in other Regions do not go through the endpoint. They go the same way as today.",
        ]
    );
}

#[test]
fn the_cautions_of_the_only_open_table_stand_directly_above_its_command() {
    let [a, b] = findings(&several(1), &[GatewayService::S3]).try_into().unwrap();
    let alerts = [opened(a), resolved(b, ResolutionReason::Covered)];
    let call = api_call();
    let body = render(&alert_group(&call, &alerts), Channel::Text).remove(0).body;
    let (_, from_heading) = body.split_once("BEFORE YOU RUN THIS\n").unwrap();
    let (cautions, command) = from_heading.split_once("\n\n").unwrap();
    assert!(cautions.lines().all(|line| line.starts_with("- ")), "{cautions}");
    assert!(command.starts_with("TO FIX IT\naws ec2 create-vpc-endpoint "), "{command}");
}

/// Two tables are added to the endpoint together. The third is removed and added again, which closes connections twice.
#[test]
fn a_caution_that_holds_for_one_command_only_stands_directly_above_it() {
    let mut network = Network { endpoints: vec![endpoint("available", &[TABLE])], ..several(3) };
    network.route_tables.retain(|table| !table.associations.is_empty());
    let alerts: Vec<Alert> = findings(&network, &[GatewayService::S3]).into_iter().map(opened).collect();
    let call = api_call();
    let body = render(&alert_group(&call, &alerts), Channel::Text).remove(0).body;
    let above = |command: &str| {
        let (before, _) = body.split_once(command).unwrap();
        before.trim_end().rsplit_once("\n\n").unwrap().1.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let reconnect = "Applications have to connect again, so choose a time when no critical task runs.";
    assert_eq!(
        above("TO FIX S3 ON 2 ROUTE TABLES TOGETHER"),
        ["BEFORE YOU RUN THIS", &format!("- Open connections to S3 close. {reconnect}")]
    );
    assert_eq!(
        above("TO FIX IT\naws ec2 modify-vpc-endpoint"),
        [
            "BEFORE YOU RUN THIS",
            &format!(
                "- Open connections to S3 close twice: when the table is removed from the endpoint, and when it is added \
                 again. {reconnect}"
            ),
        ]
    );
    assert_eq!(body.matches("aws:SourceIp").count(), 1, "this holds for both commands");
}

#[test]
fn a_message_without_a_command_that_changes_something_has_no_cautions() {
    let pending = Network { endpoints: vec![endpoint("pending", &[TABLE])], ..private(Some(NAT)) };
    let mut malformed = private(Some(NAT));
    malformed.route_tables[0].id = "rtb-$(id)".into();
    let mut unused = Network { endpoints: vec![endpoint("available", &[])], ..private(Some(NAT)) };
    unused.subnets.clear();
    unused.route_tables[0].associations.clear();
    let alerts = [&pending, &malformed, &unused].map(|network| opened(finding(network)));
    let resolved = resolved(finding(&private(Some(NAT))), ResolutionReason::Covered);
    let call = api_call();
    for alert in alerts.into_iter().chain([resolved]) {
        let alerts = [alert];
        let group = alert_group(&call, &alerts);
        for channel in [Channel::Text, Channel::Chat] {
            let body = render(&group, channel).remove(0).body;
            assert!(!body.to_uppercase().contains("BEFORE YOU RUN THIS"), "{body}");
        }
    }
}

/// A part may be all that somebody reads.
#[test]
fn each_part_of_an_email_has_the_cautions_for_its_commands() {
    let alerts: Vec<Alert> = findings(&several(999), &BOTH).into_iter().map(opened).collect();
    let trigger = Trigger::Schedule;
    let messages = render(&alert_group(&trigger, &alerts), Channel::Text);
    assert!(messages.len() > 1);
    for message in &messages {
        let before_the_command = message.body.split_once("TO FIX S3 ON 1000 ROUTE TABLES TOGETHER").unwrap().0;
        assert_eq!(section(before_the_command, "BEFORE YOU RUN THIS").len(), 6, "an introduction and five cautions");
    }
}

#[test]
fn long_names_are_cut() {
    let alerts = [opened(finding(&private(Some(NAT))))];
    let call = api_call();
    let shown = |name: &str| {
        let group = AlertGroup { vpc_name: Some(name), ..alert_group(&call, &alerts) };
        let body = render(&group, Channel::Text).remove(0).body;
        body.lines().find_map(|line| line.strip_prefix("VPC: vpc-0a1b2c3d4e5f60001 ")).unwrap().to_owned()
    };
    assert_eq!(shown(&"é".repeat(180)), format!("\"{}\"", "é".repeat(180)));
    assert_eq!(shown(&"é".repeat(181)), format!("\"{}…\"", "é".repeat(180)));
    assert_eq!(shown(&"\u{200b}".repeat(256)), format!("\"{}…\"", "\\u{200b}".repeat(22)));
    assert_eq!(shown("กำลัง नमस्ते ❤\u{fe0f}"), "\"กำลัง नमस्ते ❤\u{fe0f}\"", "combining characters are not escaped");
    assert_eq!(shown("\u{301}a"), "\"\\u{301}a\"", "a combining character at the start is escaped");
}

/// The ids of the findings of all messages.
fn finding_ids(messages: &[Message]) -> BTreeSet<String> {
    messages.iter().flat_map(|message| message.finding_ids.clone()).collect()
}

#[test]
fn an_email_that_would_be_too_large_is_split() {
    let alerts: Vec<Alert> = findings(&several(999), &GatewayService::ALL).into_iter().map(opened).collect();
    assert_eq!(alerts.len(), 3000);
    let trigger = Trigger::Schedule;
    let group = alert_group(&trigger, &alerts);
    for channel in [Channel::Text, Channel::Chat] {
        let messages = render(&group, channel);
        assert_eq!(finding_ids(&messages), group.finding_ids());
        for message in &messages {
            assert_valid(channel, &group, message);
        }
        if channel == Channel::Chat {
            assert_eq!(messages.len(), 1, "there is always one card");
            continue;
        }
        assert!(messages.len() > 1);
        let all_are_full = messages.iter().rev().skip(1).all(|message| message.body.len() > 250_000);
        assert!(all_are_full, "each part except the last is full");
        for (n, message) in messages.iter().enumerate() {
            let part = format!(" (part {} of {})", n + 1, messages.len());
            assert!(message.subject.ends_with(&part), "{}", message.subject);
            assert!(message.body.lines().next().unwrap().ends_with(&part));
            let tables: BTreeSet<&str> =
                message.body.lines().filter_map(|line| line.strip_prefix("Route table: ")?.split(' ').next()).collect();
            let alerts_of_part = alerts.iter().filter(|alert| message.finding_ids.contains(alert.finding_id()));
            assert_eq!(alerts_of_part.map(|alert| alert.subject().id.as_str()).collect::<BTreeSet<_>>(), tables);
        }
    }
}

#[test]
fn an_email_lists_thousands_of_subnets_of_one_finding() {
    let mut network = private(Some(NAT));
    network.subnets = (0..3000)
        .map(|n| Subnet {
            name: Some("\u{200b}".repeat(256).into()),
            ..subnet(&format!("subnet-0a1b2c3d4e5f7{n:04}"), VPC)
        })
        .collect();
    network.route_tables[0].associations =
        network.subnets.iter().map(|subnet| explicit(&subnet.id, "associated")).collect();
    let alerts = [opened(finding(&network))];
    let call = api_call();
    let group = alert_group(&call, &alerts);
    for channel in [Channel::Text, Channel::Chat] {
        let messages = render(&group, channel);
        assert!(messages.iter().all(|message| message.finding_ids == group.finding_ids()));
        for message in &messages {
            assert_valid(channel, &group, message);
        }
        if channel == Channel::Text {
            let lines: Vec<&str> = messages.iter().flat_map(|message| message.body.lines()).collect();
            let subnets: BTreeSet<&str> = lines.iter().filter_map(|line| line.strip_prefix("- subnet-")).collect();
            assert_eq!(subnets.len(), 3000);
            assert!(messages.len() > 1 && messages[0].body.contains(" of 3000)\n"));
        } else {
            assert_eq!(messages.len(), 1);
            assert!(messages[0].body.contains("*Subnets affected (3000)*"));
        }
    }
}

#[test]
fn the_shortest_card_always_fits() {
    let longest = "`".repeat(256);
    let mut alerts = Vec::new();
    for mut finding in findings(&several(40), &GatewayService::ALL) {
        finding.subject.name = Some(longest.clone());
        finding.region = "ap-southeast-2".into();
        finding.subnets.iter_mut().for_each(|subnet| subnet.name = Some(longest.clone()));
        alerts.push(Alert::Reported(finding));
    }
    let trigger = Trigger::ApiCall {
        event_name: longest.clone(),
        event_id: None,
        event_time: Some(longest.clone()),
        principal: Some(longest.clone()),
        on_behalf_of: Some(IdentityCenterUser { user_id: "`".repeat(47), identity_store_arn: Some(longest.clone()) }),
        invoked_by: Some(longest.clone()),
    };
    let member_account = MemberAccount {
        id: "123456789012".into(),
        name: Some(longest.clone()),
        organizational_unit: Some(longest.clone()),
        is_active: true,
        seen_at: None,
    };
    let group = AlertGroup {
        member_account: Some(&member_account),
        vpc_name: Some(&longest),
        history: HistoryState::Unavailable,
        region: "ap-southeast-2",
        trigger_count: usize::MAX,
        ..alert_group(&trigger, &alerts)
    };
    let [message] = render(&group, Channel::Chat).try_into().unwrap();
    assert_valid(Channel::Chat, &group, &message);
    assert_eq!(message.finding_ids, group.finding_ids());
}

#[test]
fn a_subject_that_would_be_too_long_leaves_out_details() {
    let call = api_call();
    let subject = |more: usize, services: &[GatewayService], change: OpenChange| {
        let mut network = private(None);
        network.route_tables.extend(several(more).route_tables.into_iter().skip(1));
        let alerts: Vec<Alert> =
            findings(&network, services).into_iter().map(|finding| alert(finding, change)).collect();
        let group = AlertGroup { region: "ap-southeast-2", ..alert_group(&call, &alerts) };
        render(&group, Channel::Text).remove(0).subject
    };
    assert_eq!(
        subject(0, &BOTH, OpenChange::Opened),
        "[MEDIUM] No gateway route to S3 and DynamoDB: rtb-0a1b2c3d4e5f60004, ap-southeast-2"
    );
    assert_eq!(
        subject(0, &GatewayService::ALL, OpenChange::Reminder),
        "[MEDIUM] Still no gateway route: rtb-0a1b2c3d4e5f60004 in vpc-0a1b2c3d4e5f60001, ap-southeast-2"
    );
    assert_eq!(
        subject(3, &GatewayService::ALL, OpenChange::Worsened),
        "[MEDIUM] Worse: no gateway route: 4 route tables in vpc-0a1b2c3d4e5f60001, ap-southeast-2"
    );
}

#[test]
fn tables_with_the_same_fix_share_one_command() {
    let endpoints = vec![endpoint("failed", &[TABLE, "rtb-0a1b2c3d4e5f70000"])];
    let network = Network { endpoints, ..several(1) };
    let alerts: Vec<Alert> = findings(&network, &BOTH).into_iter().map(opened).collect();
    let call = api_call();
    let group = alert_group(&call, &alerts);
    let body = render(&group, Channel::Text).remove(0).body;
    let commands: Vec<&str> =
        body.lines().filter(|line| line.starts_with("aws ") && !line.contains("create-tags")).collect();
    let create = |service: &str| {
        format!(
            "aws ec2 create-vpc-endpoint --region eu-west-1 --vpc-endpoint-type Gateway --vpc-id vpc-0a1b2c3d4e5f60001 \
             --service-name com.amazonaws.eu-west-1.{service} --route-table-ids rtb-0a1b2c3d4e5f60004 rtb-0a1b2c3d4e5f70000"
        )
    };
    let delete = "aws ec2 delete-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids vpce-0a1b2c3d4e5f60009";
    assert_eq!(commands, [format!("{delete} && {}", create("s3")), create("dynamodb")]);
    let card = card(&render(&group, Channel::Chat)[0]);
    let steps: Vec<&str> =
        card["content"]["nextSteps"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    assert_eq!(
        steps[..3],
        [
            format!("Fix S3 on 2 route tables: `{delete}`"),
            format!("If that succeeded, then: `{}`", create("s3")),
            format!("Fix DynamoDB on 2 route tables: `{}`", create("dynamodb")),
        ]
    );
}

#[test]
fn tables_that_have_to_be_reattached_share_no_command() {
    let mut network = several(1);
    let tables: Vec<String> = network.route_tables.iter().map(|table| table.id.clone()).collect();
    network.endpoints = vec![endpoint("available", &[&tables[0], &tables[1]])];
    let alerts: Vec<Alert> = findings(&network, &[GatewayService::S3]).into_iter().map(opened).collect();
    let call = api_call();
    let body = render(&alert_group(&call, &alerts), Channel::Text).remove(0).body;
    assert!(!body.contains("TOGETHER"), "{body}");
    assert_eq!(body.matches("--remove-route-table-ids").count(), 2);
}

#[test]
fn the_exemption_command_quotes_the_tag_key_for_the_shell() {
    let alerts = [opened(finding(&private(Some(NAT))))];
    let call = api_call();
    let how = |tag| {
        let group = AlertGroup { exempt_tag: tag, ..alert_group(&call, &alerts) };
        let body = render(&group, Channel::Text).remove(0).body;
        let card = card(&render(&group, Channel::Chat)[0]);
        assert_eq!(card["content"]["nextSteps"].as_array().unwrap().len(), 2);
        assert_valid(Channel::Chat, &group, &render(&group, Channel::Chat)[0]);
        let (_, how) = body.split_once("TO EXEMPT IT\n").unwrap();
        how.lines().next().unwrap().to_owned()
    };
    let command = "aws ec2 create-tags --region eu-west-1 --resources rtb-0a1b2c3d4e5f60004 --tags";
    assert_eq!(how("gatewatch:exempt"), format!("{command} Key=gatewatch:exempt,Value=s3"));
    for tag in ["team/no endpoint été", "@here", "=", "a=b", "+1", " "] {
        assert_eq!(how(tag), format!(r#"{command} '[{{"Key":"{tag}","Value":"s3"}}]'"#));
    }
    for tag in ["it's", "$(id)", "a,b", "`id`", "\"", "a\nb", "<!here>", "\\"] {
        assert!(how(tag).starts_with("Add a tag with the value s3 and the key \""), "{}", how(tag));
    }
    assert_valid(
        Channel::Chat,
        &alert_group(&call, &alerts),
        &render(&AlertGroup { exempt_tag: &"ü ".repeat(64), ..alert_group(&call, &alerts) }, Channel::Chat)[0],
    );
}

#[test]
fn the_exemption_command_keeps_what_the_tag_says() {
    let call = api_call();
    let how = |tag: Option<&str>| {
        let mut network = private(Some(NAT));
        network.route_tables[0].exemption = tag.map(str::to_owned);
        let alerts = [opened(finding(&network))];
        let group = alert_group(&call, &alerts);
        let body = render(&group, Channel::Text).remove(0).body;
        let card = card(&render(&group, Channel::Chat)[0]);
        let step = card["content"]["nextSteps"][1].as_str().unwrap().to_owned();
        let command = body.split_once("TO EXEMPT IT\n").unwrap().1.lines().next().unwrap().to_owned();
        let note = step.split_once(&format!("`{command}` ")).unwrap().1.to_owned();
        (command.split_once(" --tags ").unwrap().1.to_owned(), note)
    };
    let kept = "the command keeps what the tag said at the check)";
    let one_word = |value: &str| {
        (
            format!("Key=gatewatch:exempt,Value={value}"),
            format!("(`{value} until=YYYY-MM-DD` ends after that day; {kept}"),
        )
    };
    assert_eq!(how(None), one_word("s3"));
    assert_eq!(how(Some("dynamodb")), one_word("dynamodb/s3"));
    assert_eq!(how(Some("endpoint-dns, dynamodb")), one_word("endpoint-dns/dynamodb/s3"));
    assert_eq!(how(Some("dynamodb until=2020-01-31")), one_word("s3"), "expired");
    assert_eq!(how(Some("$(id)")), one_word("s3"), "gatewatch cannot read it");
    let with_day = r#"'[{"Key":"gatewatch:exempt","Value":"dynamodb/s3 until=2999-01-31"}]'"#;
    assert_eq!(how(Some("dynamodb until=2999-01-31")), (with_day.to_owned(), format!("({kept}")));
}

#[test]
fn a_malformed_id_is_in_no_command() {
    let mut network = private(Some(NAT));
    network.route_tables[0].id = "rtb-0a1b2c3d; rm -rf / `x`\n".into();
    let alerts = [opened(finding(&network))];
    let call = api_call();
    let group = alert_group(&call, &alerts);
    let text = render(&group, Channel::Text).remove(0);
    assert_eq!(text.subject, "[HIGH] No gateway route to S3: rtb-0a1b2c3drm-rf/x in vpc-0a1b2c3d4e5f60001, eu-west-1");
    assert!(!text.body.lines().any(|line| line.starts_with("aws ")), "{}", text.body);
    let card = card(&render(&group, Channel::Chat)[0]);
    assert_eq!(
        card["content"]["nextSteps"],
        json!([
            "Fix S3 on rtb-0a1b2c3drm-rf/x: there is no command, because an id is not a valid AWS id.",
            "Or exempt rtb-0a1b2c3drm-rf/x: add a tag with the value `s3` and the key `\"gatewatch:exempt\"` (`s3 \
             until=YYYY-MM-DD` ends after that day; the command keeps what the tag said at the check)"
        ])
    );
    assert_eq!(card["metadata"]["relatedResources"], json!([VPC]));
}

#[test]
fn a_headline_names_a_change_only_if_all_alerts_have_it() {
    let call = api_call();
    let headline = |changes: [OpenChange; 2]| {
        let findings = findings(&several(1), &[GatewayService::S3]);
        let alerts: Vec<Alert> =
            findings.into_iter().zip(changes).map(|(finding, change)| alert(finding, change)).collect();
        render(&alert_group(&call, &alerts), Channel::Text).remove(0).subject
    };
    let with = |what: &str| format!("[HIGH] {what} to S3: 2 route tables in vpc-0a1b2c3d4e5f60001, eu-west-1");
    for (changes, what) in [
        ([OpenChange::Worsened, OpenChange::Worsened], "Worse: no gateway route"),
        ([OpenChange::Worsened, OpenChange::Reminder], "No gateway route"),
        ([OpenChange::Changed, OpenChange::Changed], "Changed: no gateway route"),
        ([OpenChange::Changed, OpenChange::Reminder], "No gateway route"),
        ([OpenChange::Reminder, OpenChange::Reminder], "Still no gateway route"),
        ([OpenChange::Opened, OpenChange::Reminder], "No gateway route"),
    ] {
        assert_eq!(headline(changes), with(what), "{changes:?}");
    }
}

#[test]
fn an_interface_endpoint_is_the_only_way_if_subnets_have_no_default_route() {
    let call = api_call();
    let line = |egress: Option<(TargetKind, &str)>, subnets: bool| {
        let interface = Endpoint { kind: EndpointKind::Interface, ..endpoint("available", &[]) };
        let mut network = Network { endpoints: vec![interface], ..private(egress) };
        if !subnets {
            network.route_tables[0].associations.clear();
        }
        let alerts = [opened(finding(&network))];
        let body = render(&alert_group(&call, &alerts), Channel::Text).remove(0).body;
        body.lines().find(|line| line.to_lowercase().contains("interface endpoint")).unwrap().to_owned()
    };
    let only =
        "S3 can be reached only through interface endpoint vpce-0a1b2c3d4e5f60009. It does not replace this route.";
    let beside = "Interface endpoint vpce-0a1b2c3d4e5f60009 for S3 does not replace this route.";
    assert_eq!(line(None, true), only);
    assert_eq!(line(Some(NAT), true), beside);
    assert_eq!(line(None, false), beside);
}
