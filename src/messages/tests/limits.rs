//! What holds whatever the names are and however much there is to tell.

use super::*;

#[test]
fn the_card_is_the_schema_and_nothing_else() {
    let notices = [opened(finding(&several(0)))];
    let call = api_call();
    let [message] = render(&told(&call, &notices), Channel::Chat).try_into().unwrap();
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
- Through: `\"cloudformation.amazonaws.com\"`

*Why it matters*
- The VPC has no available gateway endpoint for S3.
- 2 subnets reach S3 through NAT gateway nat-0a1b2c3d4e5f60005.
- The NAT gateway charges for every GB; a gateway endpoint charges nothing.

*Subnets affected (2)*
- subnet-0a1b2c3d4e5f60001 eu-west-1a 10.0.1.0/24 `\"app-a\"`
- subnet-0a1b2c3d4e5f60002 eu-west-1b 10.0.2.0/24 `\"app-b\"`",
                "nextSteps": [
                    "Fix S3 on rtb-0a1b2c3d4e5f60004: `aws ec2 create-vpc-endpoint --region eu-west-1 --vpc-endpoint-type \
                     Gateway --vpc-id vpc-0a1b2c3d4e5f60001 --service-name com.amazonaws.eu-west-1.s3 --route-table-ids \
                     rtb-0a1b2c3d4e5f60004`",
                    "Or exempt rtb-0a1b2c3d4e5f60004: `aws ec2 create-tags --region eu-west-1 --resources \
                     rtb-0a1b2c3d4e5f60004 --tags Key=gatewatch:exempt,Value=s3` (`s3 until=YYYY-MM-DD` ends by itself; an \
                     older value is replaced)",
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

fn card(message: &Message) -> Value {
    serde_json::from_str(&message.body).unwrap()
}

#[test]
fn a_thread_is_one_from_opened_to_resolved() {
    let finding = finding(&private(Some(NAT)));
    let call = api_call();
    let thread = |notice: Alert, began: Option<Timestamp>| {
        let notices = [notice];
        let told = AlertGroup { incident_started_at: began, ..told(&call, &notices) };
        card(&render(&told, Channel::Chat)[0])["metadata"]["threadId"].as_str().unwrap().to_owned()
    };
    let began = Some(since());
    let threads: BTreeSet<String> =
        [OpenChange::Opened, OpenChange::Worsened, OpenChange::Changed, OpenChange::Reminder]
            .map(|change| thread(alert(finding.clone(), change), began))
            .into_iter()
            .chain([thread(resolved(finding.clone(), ResolutionReason::VpcDeleted), began)])
            .collect();
    assert_eq!(threads, BTreeSet::from(["vpc-0a1b2c3d4e5f60001-1795168800".to_owned()]));
    assert_eq!(thread(Alert::Reported(finding.clone()), None), VPC);
    assert_eq!(
        thread(opened(finding), Some(moment("2026-11-23T10:00:00Z"))),
        "vpc-0a1b2c3d4e5f60001-1795428000",
        "another spell of trouble is another thread"
    );
}

#[test]
fn the_same_network_gives_the_same_bytes() {
    let (network, trigger) = hostile();
    let mut shuffled = network.clone();
    shuffled.subnets.reverse();
    let [there, back] = [network, shuffled].map(|network| [opened(finding(&network))]);
    for channel in [Channel::Text, Channel::Chat] {
        assert_eq!(render(&told(&trigger, &there), channel), render(&told(&trigger, &back), channel));
    }
}

#[test]
fn what_others_wrote_is_in_no_subject_and_no_command() {
    let plain = finding(&private(Some(NAT)));
    let call = api_call();
    for name in HOSTILE.into_iter().filter(|name| !name.trim().is_empty()) {
        let mut network = private(Some(NAT));
        network.route_tables[0].name = Some(name.into());
        network.subnets.iter_mut().for_each(|subnet| subnet.name = Some(name.into()));
        let trigger = Trigger::ApiCall {
            event_name: name.into(),
            event_id: Some(name.into()),
            event_time: Some(name.into()),
            principal: Some(name.into()),
            invoked_by: Some(name.into()),
        };
        let [theirs, ours] = [[opened(finding(&network))], [opened(plain.clone())]];
        let theirs = AlertGroup { vpc_name: Some(name), ..told(&trigger, &theirs) };
        let ours = told(&call, &ours);

        let [theirs_text, ours_text] = [&theirs, &ours].map(|told| render(told, Channel::Text).remove(0));
        let commands = |message: &Message| -> Vec<String> {
            message.body.lines().filter(|line| line.starts_with("aws ")).map(str::to_owned).collect()
        };
        assert_eq!(theirs_text.subject, ours_text.subject);
        assert_eq!(commands(&theirs_text), commands(&ours_text));
        assert_eq!(theirs_text.body.lines().count(), ours_text.body.lines().count(), "{name:?} made a line");
        let is_visible =
            |c: char| c == '\n' || c == '\'' || c.is_alphanumeric() || !c.escape_debug().to_string().starts_with("\\u");
        assert!(theirs_text.body.chars().all(is_visible), "{}", theirs_text.body);

        let [theirs_chat, ours_chat] = [&theirs, &ours].map(|told| render(told, Channel::Chat).remove(0));
        assert_eq!(theirs_chat.subject, ours_chat.subject);
        let (theirs, ours) = (card(&theirs_chat), card(&ours_chat));
        assert_eq!(theirs["metadata"], ours["metadata"]);
        for field in ["title", "nextSteps", "keywords"] {
            assert_eq!(theirs["content"][field], ours["content"][field]);
        }
        let description = theirs["content"]["description"].as_str().unwrap();
        assert_eq!(description.lines().count(), ours["content"]["description"].as_str().unwrap().lines().count());
        for live in ["<", "@here", "@channel", "@U", "://", "\r"] {
            assert!(!description.contains(live), "{live} in {description}");
        }
        for line in description.lines() {
            let marks = line.matches('`').count();
            assert!(marks == 0 || marks == 2 && line.ends_with("\"`"), "{line}");
        }
    }
}

#[test]
fn a_person_in_an_address_is_called_by_nobody() {
    let notices = [opened(finding(&private(Some(NAT))))];
    let call = api_call();
    let shown = |name: &str| {
        let told = AlertGroup { vpc_name: Some(name), ..told(&call, &notices) };
        let card = card(&render(&told, Channel::Chat)[0]);
        let description = card["content"]["description"].as_str().unwrap();
        description.lines().find_map(|line| line.strip_prefix("- VPC: vpc-0a1b2c3d4e5f60001 ")).unwrap().to_owned()
    };
    assert_eq!(shown("bob@example.com"), "`\"bob@example.com\"`");
    assert_eq!(shown("@bob"), "`\"\\u{40}bob\"`");
    assert_eq!(shown("x/@here"), "`\"x/\\u{40}here\"`");
    assert_eq!(shown("O'Brien & Söhne"), "`\"O'Brien &amp; Söhne\"`");
    assert_eq!(shown("a://b"), "`\"a:\\u{2f}/b\"`");
    assert_eq!(shown("team:/a//b"), "`\"team:/a//b\"`", "no URL");
}

/// The private table, used by so many subnets.
fn used_by(subnets: u16) -> Network {
    let mut network = private(Some(NAT));
    network.subnets = (0..subnets).map(|n| subnet(&format!("subnet-0a1b2c3d4e5f7{n:04}"), VPC)).collect();
    network.route_tables[0].associations =
        network.subnets.iter().map(|subnet| explicit(&subnet.id, "associated")).collect();
    network
}

#[test]
fn a_card_names_ten_subnets_and_says_where_the_others_are() {
    let call = api_call();
    let elsewhere = "_The notice on the JSON topic holds all of it, and so does the e-mail where there is one._";
    for (subnets, more) in [(9, None), (10, None), (11, Some("- and 1 more"))] {
        let notices = [opened(finding(&used_by(subnets)))];
        let card = card(&render(&told(&call, &notices), Channel::Chat)[0]);
        let lines: Vec<&str> = card["content"]["description"].as_str().unwrap().lines().collect();
        assert_eq!(lines.iter().filter(|line| line.starts_with("- subnet-")).count(), usize::from(subnets.min(10)));
        assert_eq!(lines.iter().copied().find(|line| line.starts_with("- and ")), more, "{subnets}");
        assert_eq!(lines.contains(&elsewhere), more.is_some(), "{subnets}");
    }
}

#[test]
fn names_are_cut_where_they_get_too_long() {
    let notices = [opened(finding(&private(Some(NAT))))];
    let call = api_call();
    let shown = |name: &str| {
        let told = AlertGroup { vpc_name: Some(name), ..told(&call, &notices) };
        let body = render(&told, Channel::Text).remove(0).body;
        body.lines().find_map(|line| line.strip_prefix("VPC: vpc-0a1b2c3d4e5f60001 ")).unwrap().to_owned()
    };
    assert_eq!(shown(&"é".repeat(180)), format!("\"{}\"", "é".repeat(180)));
    assert_eq!(shown(&"é".repeat(181)), format!("\"{}…\"", "é".repeat(180)));
    assert_eq!(shown(&"\u{200b}".repeat(256)), format!("\"{}…\"", "\\u{200b}".repeat(22)));
    assert_eq!(shown("กำลัง नमस्ते ❤\u{fe0f}"), "\"กำลัง नमस्ते ❤\u{fe0f}\"", "letters that combine are letters");
    assert_eq!(shown("\u{301}a"), "\"\\u{301}a\"", "and do not combine with our quote");
}

/// What the messages tell of, all in all.
fn told_of(messages: &[Message]) -> BTreeSet<String> {
    messages.iter().flat_map(|message| message.finding_ids.clone()).collect()
}

#[test]
fn a_message_that_would_be_too_large_is_shared_out() {
    let notices: Vec<Alert> = findings(&several(999), &GatewayService::ALL).into_iter().map(opened).collect();
    assert_eq!(notices.len(), 3000);
    let trigger = Trigger::Schedule;
    let told = told(&trigger, &notices);
    for channel in [Channel::Text, Channel::Chat] {
        let messages = render(&told, channel);
        assert_eq!(told_of(&messages), told.finding_ids());
        for message in &messages {
            holds_what_it_must(channel, &told, message);
        }
        if channel == Channel::Chat {
            assert_eq!(messages.len(), 1, "a chat gets one card");
            continue;
        }
        assert!(messages.len() > 1);
        let filled = messages.iter().rev().skip(1).all(|message| message.body.len() > 250_000);
        assert!(filled, "no part begins before the one before it is full");
        for (n, message) in messages.iter().enumerate() {
            let part = format!(" (part {} of {})", n + 1, messages.len());
            assert!(message.subject.ends_with(&part), "{}", message.subject);
            assert!(message.body.lines().next().unwrap().ends_with(&part));
            let here: BTreeSet<&str> =
                message.body.lines().filter_map(|line| line.strip_prefix("Route table: ")?.split(' ').next()).collect();
            let told_here = notices.iter().filter(|notice| message.finding_ids.contains(notice.finding_id()));
            assert_eq!(told_here.map(|notice| notice.route_table().id.as_str()).collect::<BTreeSet<_>>(), here);
        }
    }
}

#[test]
fn one_finding_with_thousands_of_subnets_is_told_whole() {
    let mut network = private(Some(NAT));
    network.subnets = (0..3000)
        .map(|n| Subnet { name: Some("\u{200b}".repeat(256)), ..subnet(&format!("subnet-0a1b2c3d4e5f7{n:04}"), VPC) })
        .collect();
    network.route_tables[0].associations =
        network.subnets.iter().map(|subnet| explicit(&subnet.id, "associated")).collect();
    let notices = [opened(finding(&network))];
    let call = api_call();
    let told = told(&call, &notices);
    for channel in [Channel::Text, Channel::Chat] {
        let messages = render(&told, channel);
        assert!(messages.iter().all(|message| message.finding_ids == told.finding_ids()));
        for message in &messages {
            holds_what_it_must(channel, &told, message);
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
fn the_least_card_always_fits() {
    let longest = "`".repeat(256);
    let mut notices = Vec::new();
    for mut finding in findings(&several(40), &GatewayService::ALL) {
        finding.route_table.name = Some(longest.clone());
        finding.region = "ap-southeast-2".into();
        finding.subnets.iter_mut().for_each(|subnet| subnet.name = Some(longest.clone()));
        notices.push(Alert::Reported(finding));
    }
    let trigger = Trigger::ApiCall {
        event_name: longest.clone(),
        event_id: None,
        event_time: Some(longest.clone()),
        principal: Some(longest.clone()),
        invoked_by: Some(longest.clone()),
    };
    let told = AlertGroup {
        vpc_name: Some(&longest),
        ledger: HistoryState::Unavailable,
        region: "ap-southeast-2",
        triggers: usize::MAX,
        ..told(&trigger, &notices)
    };
    let [message] = render(&told, Channel::Chat).try_into().unwrap();
    holds_what_it_must(Channel::Chat, &told, &message);
    assert_eq!(message.finding_ids, told.finding_ids());
}

#[test]
fn a_subject_that_would_be_too_long_says_less_and_never_half() {
    let call = api_call();
    let subjects = |more: usize, services: &[GatewayService], change: OpenChange| {
        let mut network = private(None);
        network.route_tables.extend(several(more).route_tables.into_iter().skip(1));
        let notices: Vec<Alert> = findings(&network, services).into_iter().map(|found| alert(found, change)).collect();
        let told = AlertGroup { region: "ap-southeast-2", ..told(&call, &notices) };
        render(&told, Channel::Text).remove(0).subject
    };
    assert_eq!(
        subjects(0, &BOTH, OpenChange::Opened),
        "[MEDIUM] No gateway route to S3 and DynamoDB: rtb-0a1b2c3d4e5f60004, ap-southeast-2"
    );
    assert_eq!(
        subjects(0, &GatewayService::ALL, OpenChange::Reminder),
        "[MEDIUM] Still no gateway route: rtb-0a1b2c3d4e5f60004 in vpc-0a1b2c3d4e5f60001, ap-southeast-2"
    );
    assert_eq!(
        subjects(3, &GatewayService::ALL, OpenChange::Worsened),
        "[MEDIUM] Worse: no gateway route: 4 route tables in vpc-0a1b2c3d4e5f60001, ap-southeast-2"
    );
}

#[test]
fn commands_that_end_in_different_tables_are_one() {
    let endpoints = vec![endpoint("failed", &[TABLE, "rtb-0a1b2c3d4e5f70000"])];
    let network = Network { endpoints, ..several(1) };
    let notices: Vec<Alert> = findings(&network, &BOTH).into_iter().map(opened).collect();
    let call = api_call();
    let told = told(&call, &notices);
    let body = render(&told, Channel::Text).remove(0).body;
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
    let card = card(&render(&told, Channel::Chat)[0]);
    let steps: Vec<&str> =
        card["content"]["nextSteps"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    assert_eq!(
        steps[..3],
        [
            format!("Fix S3 on 2 route tables: `{delete}`"),
            format!("Then, if that worked: `{}`", create("s3")),
            format!("Fix DynamoDB on 2 route tables: `{}`", create("dynamodb")),
        ]
    );
}

#[test]
fn a_table_that_is_taken_off_and_added_again_is_fixed_alone() {
    let mut network = several(1);
    let tables: Vec<String> = network.route_tables.iter().map(|table| table.id.clone()).collect();
    network.endpoints = vec![endpoint("available", &[&tables[0], &tables[1]])];
    let notices: Vec<Alert> = findings(&network, &[GatewayService::S3]).into_iter().map(opened).collect();
    let call = api_call();
    let body = render(&told(&call, &notices), Channel::Text).remove(0).body;
    assert!(!body.contains("AT ONCE"), "{body}");
    assert_eq!(body.matches("--remove-route-table-ids").count(), 2);
}

#[test]
fn the_key_of_the_exempting_tag_is_one_word_of_the_shell() {
    let notices = [opened(finding(&private(Some(NAT))))];
    let call = api_call();
    let how = |tag| {
        let told = AlertGroup { exempt_tag: tag, ..told(&call, &notices) };
        let body = render(&told, Channel::Text).remove(0).body;
        let card = card(&render(&told, Channel::Chat)[0]);
        assert_eq!(card["content"]["nextSteps"].as_array().unwrap().len(), 2);
        holds_what_it_must(Channel::Chat, &told, &render(&told, Channel::Chat)[0]);
        let (_, how) = body.split_once("TO EXEMPT IT\n").unwrap();
        how.lines().next().unwrap().to_owned()
    };
    let command = "aws ec2 create-tags --region eu-west-1 --resources rtb-0a1b2c3d4e5f60004 --tags";
    assert_eq!(how("gatewatch:exempt"), format!("{command} Key=gatewatch:exempt,Value=s3"));
    for tag in ["team/no endpoint été", "@here", "=", "a=b", "+1", " "] {
        assert_eq!(how(tag), format!(r#"{command} '[{{"Key":"{tag}","Value":"s3"}}]'"#));
    }
    for tag in ["it's", "$(id)", "a,b", "`id`", "\"", "a\nb", "<!here>", "\\"] {
        assert!(how(tag).starts_with("Give it a tag with the value s3 and the key \""), "{}", how(tag));
    }
    holds_what_it_must(
        Channel::Chat,
        &told(&call, &notices),
        &render(&AlertGroup { exempt_tag: &"ü ".repeat(64), ..told(&call, &notices) }, Channel::Chat)[0],
    );
}

#[test]
fn what_is_no_id_is_in_no_command() {
    let mut network = private(Some(NAT));
    network.route_tables[0].id = "rtb-0a1b2c3d; rm -rf / `x`\n".into();
    let notices = [opened(finding(&network))];
    let call = api_call();
    let told = told(&call, &notices);
    let text = render(&told, Channel::Text).remove(0);
    assert_eq!(text.subject, "[HIGH] No gateway route to S3: rtb-0a1b2c3drm-rf/x in vpc-0a1b2c3d4e5f60001, eu-west-1");
    assert!(!text.body.lines().any(|line| line.starts_with("aws ")), "{}", text.body);
    let card = card(&render(&told, Channel::Chat)[0]);
    assert_eq!(
        card["content"]["nextSteps"],
        json!([
            "Fix S3 on rtb-0a1b2c3drm-rf/x: there is no command, because an id is not what AWS would give.",
            "Or exempt rtb-0a1b2c3drm-rf/x: tag it with the value `s3` and the key `\"gatewatch:exempt\"` (`s3 \
             until=YYYY-MM-DD` ends by itself; an older value is replaced)"
        ])
    );
    assert_eq!(card["metadata"]["relatedResources"], json!([VPC]));
}
