//! From bytes to a network with hostile names and ids, a ledger of it, its findings, and the messages about them.

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::{
    channel::Channel,
    error::Error,
    evaluate::evaluate,
    finding::{Gap, TableRef, finding_id},
    home::Home,
    ledger::{Book, Entry, EntryState, Ledger, Page},
    notice::{Cause, Change, Notice, Resolution},
    notification::{Circumstances, Message, Notification},
    payload::{self, Payload, Record, Trigger},
    plan::{Plan, Policy, Seen, plans},
    report::Report,
    scope::Scope,
    service::GatewayService,
    severity::Severity,
    touched::Touched,
    vpc::{Association, Endpoint, EndpointKind, Network, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Stands in every name and tag that is not empty, and so must stand in no command, subject or sentence.
const MARK: char = '¤';

/// What SNS takes, attributes counted.
const MAX_MESSAGE: usize = 262_144;

const CHANNELS: [Channel; 3] = [Channel::Json, Channel::Text, Channel::Chat];

/// 2026-11-23T10:00:00Z.
const NOW: Timestamp = Timestamp::constant(1_795_428_000, 0);

/// Checks the network that these bytes describe. Any bytes do.
pub fn check(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let region = bytes.one_of(&["eu-west-1", "cn-north-1", "us-gov-west-1"]);
    let account = bytes.one_of(&[Some("123456789012".to_owned()), None]);
    let home = Home { partition: "aws".into(), account, region: region.into() };
    let min_severity = bytes.one_of(&Severity::ALL);
    let required_services = bytes.some_of(&GatewayService::ALL);
    let network = network(&mut bytes, region);
    let mut payload = payload(&mut bytes, &network);
    // Drawn last: what fuzzing found before there was a ledger means the same as then.
    let ledger = ledger(&mut bytes, &network, &home);
    delete_something(&mut bytes, &mut payload, &network, &ledger);
    let remind_after = bytes.one_of(&[None, Some(SignedDuration::from_hours(7 * 24))]);
    let channels = bytes.some_of(&CHANNELS);
    let policy = Policy { required_services, min_severity, remind_after, channels };

    let scope = payload.scope();
    let resolved = scope.recalling(&ledger, &network).resolve(&network, &home);
    let today = jiff::civil::date(2026, 11, 23);
    let verdict = evaluate(&network, &resolved.route_table_ids, &policy.required_services, &home, today);
    let judged = resolved.route_table_ids.clone();
    let report = Report::new(scope, &network, resolved, verdict);
    check_report(&report, &judged, &policy.required_services);

    let touched = Touched::by(&payload, &network, &ledger, &home);
    let (findings, exempt) = (&report.findings, &report.exempt);
    let seen = Seen { network: &network, findings, exempt, touched: &touched, home: &home, now: NOW };
    let plans = plans(&seen, &ledger, &policy);
    let sent = Sent { seen: &seen, payload: &payload, ledger: &ledger, policy: &policy };
    sent.check_told(&plans);
    for plan in &plans {
        sent.check_messages(plan);
        sent.check_messages(&plan.without_ledger());
        check_entries_after(plan);
    }
    sent.check_nothing_is_told_twice(&plans);
}

fn check_report(report: &Report, judged: &BTreeSet<String>, required: &BTreeSet<GatewayService>) {
    let verdicts: Vec<(&str, GatewayService)> = (report.findings.iter())
        .map(|finding| (finding.route_table.id.as_str(), finding.service))
        .chain(report.exempt.iter().map(|exempt| (exempt.route_table_id.as_str(), exempt.service)))
        .collect();
    let distinct: BTreeSet<_> = verdicts.iter().collect();
    assert_eq!(distinct.len(), verdicts.len(), "one verdict per table and service");
    assert!(verdicts.iter().all(|(table, service)| judged.contains(*table) && required.contains(service)));
    assert!(report.findings.is_sorted_by_key(|f| (&f.vpc_id, &f.route_table.id, f.service)));
    for finding in &report.findings {
        assert!(!finding.reason.contains(MARK), "{}", finding.reason);
        let fix = &finding.remediation;
        if let Some(command) = &fix.aws_cli {
            let harmless = |c: char| c.is_ascii_alphanumeric() || " .:&/-".contains(c);
            assert!(command.starts_with("aws ec2 ") && command.chars().all(harmless), "{command}");
        }
        for text in [&fix.cloud_formation, &fix.terraform].into_iter().flatten() {
            assert!(text.chars().all(|c| c == '\n' || c == ' ' || c.is_ascii_graphic()), "{text}");
        }
    }
    assert!(serde_json::to_string(report).is_ok());
}

fn check_message(message: &Message) {
    let attributes = message.attributes.iter().map(|a| a.name.len() + a.data_type.len() + a.value.len());
    let size = message.body.len() + message.subject.len() + attributes.sum::<usize>();
    assert!(size <= MAX_MESSAGE, "{size} bytes");
    assert!((1..=99).contains(&message.subject.len()), "{}", message.subject);
    assert!(message.subject.bytes().all(|b| matches!(b, b' '..=b'~')), "{}", message.subject);
    for attribute in &message.attributes {
        assert!(!attribute.value.is_empty() && !attribute.value.contains(MARK), "{attribute:?}");
    }
}

/// What the messages are about.
struct Sent<'a> {
    seen: &'a Seen<'a>,
    payload: &'a Payload,
    ledger: &'a Ledger,
    policy: &'a Policy,
}

impl Sent<'_> {
    /// What was to be told is told, on every channel that has not had it; and nothing else is.
    fn check_told(&self, plans: &[Plan]) {
        let touched = self.touched();
        let is_touched = |table: &str| touched.iter().flatten().any(|(_, touched)| touched == table);
        let entry_of = |id: &str| self.ledger.entries().find(|entry| entry.finding_id == id);
        let told = |id: &str, channel: Channel| -> Option<&Notice> {
            let mut told = (plans.iter().flat_map(|plan| &plan.steps))
                .filter(|step| step.channels.contains(&channel))
                .filter_map(|step| step.notice.as_ref().filter(|notice| notice.finding.id == id));
            let first = told.next();
            assert!(told.next().is_none(), "told twice");
            first
        };
        for finding in self.seen.findings {
            let loud = finding.severity >= self.policy.min_severity && is_touched(&finding.route_table.id);
            for channel in CHANNELS {
                let notice = told(&finding.id, channel);
                let is_there = self.policy.channels.contains(&channel);
                if let Some(notice) = notice.filter(|notice| !notice.is_resolved()) {
                    assert!(loud && is_there, "told for nothing: {notice:?}");
                    assert_eq!(notice.finding, *finding);
                }
                let known = match entry_of(&finding.id).filter(|entry| entry.is_open()) {
                    Some(entry) => {
                        let worse = finding.severity > entry.severity || finding.gap != entry.gap;
                        !worse && !entry.pending.contains(&channel)
                    }
                    None => false,
                };
                assert!(!loud || !is_there || known || notice.is_some(), "lost on {channel:?}: {finding:?}");
            }
        }
        for entry in self.ledger.entries() {
            let stands = self.seen.findings.iter().any(|finding| finding.id == entry.finding_id);
            let table = self.seen.network.route_tables.iter().find(|table| table.id == entry.route_table.id);
            // Of another account's table nothing is known; but what is known to be over stays so.
            let is_known = !entry.is_open() || table.is_none_or(|table| self.is_ours(table));
            let over = !stands && is_touched(&entry.route_table.id) && is_known;
            for channel in CHANNELS.into_iter().filter(|channel| self.policy.channels.contains(channel)) {
                let lacks = entry.pending.contains(&channel);
                let owed = if entry.is_open() { !entry.unaware.contains(&channel) } else { lacks };
                let notice = told(&entry.finding_id, channel).filter(|notice| notice.is_resolved());
                // That it was over is owed as well while it is back, but too small to tell.
                let back = self.seen.findings.iter().find(|finding| finding.id == entry.finding_id);
                let too_small = back.is_some_and(|finding| finding.severity < self.policy.min_severity);
                let still_owed = !entry.is_open() && lacks && too_small && is_touched(&entry.route_table.id);
                assert_eq!(notice.is_some(), (over && owed) || still_owed, "{entry:?}");
            }
        }
    }

    /// What the messages of a plan hold is what the plan tells, on each channel, whole and once.
    fn check_messages(&self, plan: &Plan) {
        let Seen { network, touched, .. } = *self.seen;
        let circumstances =
            Circumstances { network, touched, ledger: self.ledger.state(), exempt_tag: "gatewatch:exempt" };
        for channel in CHANNELS {
            let told: Vec<&Notice> = (plan.steps.iter())
                .filter(|step| step.channels.contains(&channel))
                .filter_map(|step| step.notice.as_ref())
                .collect();
            let notification = Notification::of(plan, channel, &circumstances);
            assert_eq!(notification.is_some(), !told.is_empty());
            let messages = notification.map_or(Vec::new(), |notification| notification.messages(channel));
            assert_eq!(messages.is_empty(), told.is_empty());
            for message in &messages {
                check_message(message);
                check_attributes(message, &told);
            }
            let ids: BTreeSet<&String> = messages.iter().flat_map(|message| &message.finding_ids).collect();
            assert_eq!(ids, told.iter().map(|notice| &notice.finding.id).collect());
            for notice in &told {
                assert!(!notice.finding.reason.contains(MARK), "{}", notice.finding.reason);
            }
            if channel == Channel::Json {
                self.check_bodies(plan, &messages, &told);
            }
        }
    }

    /// Joins the findings of the JSON messages again.
    fn check_bodies(&self, plan: &Plan, messages: &[Message], told: &[&Notice]) {
        let bodies: Vec<Value> =
            messages.iter().map(|message| serde_json::from_str(&message.body).unwrap_or_default()).collect();
        let touching =
            self.touched().iter().filter(|tables| tables.iter().any(|(vpc_id, _)| *vpc_id == plan.vpc_id)).count();
        let name = self.seen.network.vpcs.iter().find(|vpc| vpc.id == plan.vpc_id).and_then(|vpc| vpc.name.clone());
        let name = name.map_or(Value::Null, Value::String);
        let mut joined = Vec::new();
        let mut worst = Value::Null;
        for (n, (message, body)) in messages.iter().zip(&bodies).enumerate() {
            assert_eq!(body["schema"], "gatewatch.notification/v1");
            assert_eq!(body["vpc"]["id"], plan.vpc_id);
            assert_eq!(body["vpc"]["name"], name, "the name is intact");
            assert!(!body["summary"].to_string().contains(MARK));
            assert_eq!(body["triggers"], touching);
            let part = serde_json::json!({"index": n + 1, "count": bodies.len()});
            assert_eq!(body["part"], if bodies.len() == 1 { Value::Null } else { part });
            let said = body["findings"].as_array().map_or(&[][..], Vec::as_slice);
            assert!(!said.is_empty(), "a message without findings");
            let ids: BTreeSet<&str> = said.iter().filter_map(|finding| finding["id"].as_str()).collect();
            assert_eq!(ids, message.finding_ids.iter().map(String::as_str).collect());
            for finding in said {
                worst = worse(worst, &finding["severity"]);
                join(&mut joined, finding);
            }
        }
        assert!(bodies.iter().all(|body| body["severity"] == worst), "{worst}");
        let expected: Vec<Value> = told.iter().map(|notice| serde_json::to_value(notice).unwrap_or_default()).collect();
        assert_eq!(joined, expected);
    }

    /// Once all is told and remembered, the same look at the same network has nothing more to say or to write.
    fn check_nothing_is_told_twice(&self, told: &[Plan]) {
        let Ledger::Open(book) = self.ledger else {
            assert!(
                told.iter().all(|plan| plan.claims.is_none() && plan.steps.iter().all(|step| step.entry.is_none()))
            );
            return;
        };
        let mut book = book.clone();
        for plan in told {
            let page = book.0.entry(plan.vpc_id.clone()).or_default();
            for entry in plan.entries_after(&all_of(plan)) {
                page.entries.retain(|before| before.finding_id != entry.finding_id);
                page.entries.push(entry);
            }
        }
        assert_eq!(plans(self.seen, &Ledger::Open(book), self.policy), []);
    }

    /// The tables, with their VPCs, that each record touched that is to be told of. The records here name Regions, VPCs,
    /// tables and what was deleted.
    fn touched(&self) -> Vec<BTreeSet<(String, String)>> {
        let records = self.payload.records().filter(|record| record.publish);
        records.map(|record| self.touched_by(&record.scope)).collect()
    }

    fn touched_by(&self, scope: &Scope) -> BTreeSet<(String, String)> {
        let judged = || {
            let tables = self.seen.network.route_tables.iter();
            tables.filter(|table| !table.is_edge() && self.is_ours(table))
        };
        let names = |vpc_id: &str, table: &str| {
            scope.region || scope.vpc_ids.contains(vpc_id) || scope.route_tables.contains_key(table)
        };
        let bereaved = |entry: &Entry| {
            let lost = |id: &String| scope.deleted.contains(id);
            lost(&entry.vpc_id) || lost(&entry.route_table.id) || entry.subnets.iter().any(lost)
        };
        let mut touched: BTreeSet<(String, String)> = judged()
            .filter(|table| {
                let mut entries = self.ledger.entries().filter(|entry| entry.route_table.id == table.id);
                names(&table.vpc_id, &table.id) || entries.any(bereaved)
            })
            .map(|table| (table.vpc_id.clone(), table.id.clone()))
            .collect();
        let vpcs: BTreeSet<String> = touched.iter().map(|(vpc_id, _)| vpc_id.clone()).collect();
        // Of a VPC that is looked at, what is gone or carries ingress traffic now is over.
        for entry in self.ledger.entries() {
            let table = self.seen.network.route_tables.iter().find(|table| table.id == entry.route_table.id);
            let concerned = names(&entry.vpc_id, &entry.route_table.id) || bereaved(entry);
            if table.is_none_or(RouteTable::is_edge) && (concerned || vpcs.contains(&entry.vpc_id)) {
                touched.insert((entry.vpc_id.clone(), entry.route_table.id.clone()));
            }
        }
        touched
    }

    fn is_ours(&self, table: &RouteTable) -> bool {
        match (&table.owner_id, &self.seen.home.account) {
            (Some(owner), Some(account)) => owner == account,
            _ => true,
        }
    }
}

/// What filter policies match on is what the whole notice says.
fn check_attributes(message: &Message, told: &[&Notice]) {
    let value = |name: &str| message.attributes.iter().find(|a| a.name == name).map(|a| a.value.as_str());
    let list =
        |name: &str| -> BTreeSet<String> { serde_json::from_str(value(name).unwrap_or_default()).unwrap_or_default() };
    assert_eq!(list("changes"), told.iter().map(|notice| notice.change.name().to_owned()).collect());
    assert_eq!(list("services"), told.iter().map(|notice| notice.finding.service.name().to_owned()).collect());
    let worst = told.iter().map(|notice| notice.finding.severity).max();
    assert_eq!(value("severity"), worst.map(Severity::name));
}

/// What the ledger says afterwards: all of it, with the channels that lack it.
fn check_entries_after(plan: &Plan) {
    let by_id = |entries: Vec<Entry>| -> BTreeMap<String, Entry> {
        entries.into_iter().map(|entry| (entry.finding_id.clone(), entry)).collect()
    };
    let all = by_id(plan.entries_after(&all_of(plan)));
    let none = by_id(plan.entries_after(&BTreeMap::new()));
    for channel in CHANNELS {
        let mut but_one = all_of(plan);
        but_one.remove(&channel);
        let some = by_id(plan.entries_after(&but_one));
        for step in &plan.steps {
            let Some(entry) = &step.entry else { continue };
            let id = &entry.finding_id;
            let aware = |channels: &BTreeSet<Channel>| &entry.unaware - channels;
            let told = |channels: &BTreeSet<Channel>| match &step.notice {
                Some(_) => Entry { unaware: aware(channels), ..entry.clone() },
                None => entry.clone(),
            };
            assert_eq!(all.get(id), Some(&told(&CHANNELS.into())), "all have had it");
            let lacked = Entry { pending: step.channels.clone(), ..entry.clone() };
            let heard_nothing = if step.notice.is_some() { &lacked } else { entry };
            assert_eq!(none.get(id), Some(heard_nothing), "nobody has had it");
            let others = CHANNELS.into_iter().filter(|other| *other != channel).collect();
            let expected = if step.channels.contains(&channel) {
                Entry { pending: BTreeSet::from([channel]), ..told(&others) }
            } else {
                told(&others)
            };
            assert_eq!(some.get(id), Some(&expected), "all but {channel:?}");
        }
    }
}

/// All findings of a plan, told on all channels.
fn all_of(plan: &Plan) -> BTreeMap<Channel, BTreeSet<String>> {
    let ids = || plan.steps.iter().filter_map(|step| step.notice.as_ref()).map(|notice| notice.finding.id.clone());
    CHANNELS.into_iter().map(|channel| (channel, ids().collect())).collect()
}

/// Adds a finding, or its subnets where the last one told is another piece of it.
fn join(told: &mut Vec<Value>, finding: &Value) {
    if let Some(last) = told.last_mut().filter(|last| last["id"] == finding["id"])
        && let (Some(subnets), Some(more)) = (last["subnets"].as_array_mut(), finding["subnets"].as_array())
    {
        subnets.extend(more.iter().cloned());
        let mut whole = finding.clone();
        whole["subnets"] = Value::Array(subnets.clone());
        assert_eq!(*last, whole, "pieces differ in their subnets alone");
    } else {
        told.push(finding.clone());
    }
}

fn worse(a: Value, b: &Value) -> Value {
    let rank = |value: &Value| ["LOW", "MEDIUM", "HIGH"].iter().position(|name| value == name);
    if rank(b) > rank(&a) { b.clone() } else { a }
}

/// Bytes as choices. After the last one every choice is the first.
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

    /// At least one of them.
    fn some_of<T: Clone + Ord>(&mut self, all: &[T]) -> BTreeSet<T> {
        let mask = self.next();
        let some: BTreeSet<T> =
            all.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1).map(|(_, one)| one.clone()).collect();
        if some.is_empty() { all.iter().cloned().collect() } else { some }
    }

    /// What a tag can hold: at most 256 characters.
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
        Some(std::iter::once(MARK).chain(text.chars().take(255)).collect())
    }

    /// An id, now and then one that AWS would not give. No two are equal.
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
        // Shared by subnets that have no name of their own, so that a few bytes make a message that is too large.
        let usual = bytes.name();
        network.vpcs.push(Vpc { id: vpc_id.clone(), name: bytes.name(), exemption: bytes.exemption() });

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
                vpc_id: vpc_id.clone(),
                name: bytes.name(),
                owner_id: owner.clone(),
                exemption: bytes.exemption(),
                associations: main.into_iter().chain(edge).collect(),
                routes,
            });
        }

        let many = if bytes.below(8) == 1 { bytes.next() } else { bytes.below(6) };
        for _ in 0..many {
            let n = network.subnets.len();
            let id = bytes.id("subnet-", n);
            let tables = &mut network.route_tables[first_table..];
            if bytes.below(4) == 1 {
                let place = usize::from(bytes.next()) % tables.len();
                tables[place].associations.push(Association { subnet_id: Some(id.clone()), ..Association::default() });
            }
            network.subnets.push(Subnet {
                id,
                vpc_id: vpc_id.clone(),
                name: if bytes.yes() { bytes.name() } else { usual.clone() },
                availability_zone: bytes.yes().then(|| format!("{region}a")),
                cidr: bytes.yes().then(|| "10.0.1.0/24".into()),
                owner_id: owner.clone(),
                ipv6_native: bytes.yes(),
                exemption: bytes.exemption(),
            });
        }

        for _ in 0..bytes.below(4) {
            let n = network.endpoints.len();
            network.endpoints.push(Endpoint {
                id: bytes.id("vpce-", n),
                vpc_id: vpc_id.clone(),
                kind: bytes.one_of(&[EndpointKind::Gateway, EndpointKind::Interface, EndpointKind::Other]),
                service_name: bytes.one_of(&GatewayService::ALL).endpoint_service_name(region),
                state: bytes.one_of(&["available", "Pending", "deleting", "failed", "rejected", "partial", ""]).into(),
                route_table_ids: (network.route_tables[first_table..].iter())
                    .filter(|_| bytes.yes())
                    .map(|table| table.id.clone())
                    .collect(),
                ip_address_type: bytes.one_of(&[None, Some("ipv4"), Some("dualstack")]).map(Into::into),
            });
        }
    }
    network
}

fn payload(bytes: &mut Bytes<'_>, network: &Network) -> Payload {
    let records = 0..=bytes.below(4);
    let messages = records.map(|n| payload::Message { id: n.to_string(), record: Ok(record(bytes, network)) });
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
            invoked_by: bytes.name(),
        },
    };
    let time = bytes.yes().then(|| jiff::Timestamp::constant(i64::from(bytes.next()), 0));
    Record { scope, trigger, time, publish: bytes.below(4) != 1 }
}

/// What was told of this network before: of tables that are there, and of some that are gone, alone or with their VPC.
fn ledger(bytes: &mut Bytes<'_>, network: &Network, home: &Home) -> Ledger {
    match bytes.below(4) {
        0 => return Ledger::Off,
        1 => return Ledger::Unavailable(Error::LedgerFailed("Query: timed out".into())),
        _ => {}
    }
    let gone = (0..bytes.below(4)).map(|n| {
        let vpc_id = if bytes.yes() { bytes.one_of(&network.vpcs).id } else { "vpc-000000000000000ff".to_owned() };
        (vpc_id, format!("rtb-{n:015x}ff"))
    });
    let gone: Vec<(String, String)> = gone.collect();
    let there = network.route_tables.iter().map(|table| (table.vpc_id.clone(), table.id.clone()));
    let mut book = Book::default();
    for (vpc_id, table) in there.chain(gone) {
        let claims = u64::from(bytes.next());
        let claimed_until =
            bytes.one_of(&[None, Some(NOW - SignedDuration::from_secs(1)), Some(NOW), Some(Timestamp::MAX)]);
        let page = book.0.entry(vpc_id.clone()).or_insert(Page { claims, claimed_until, entries: Vec::new() });
        for service in GatewayService::ALL {
            if bytes.below(3) == 1 {
                page.entries.push(entry(bytes, &vpc_id, &table, service, network, home));
            }
        }
    }
    Ledger::Open(book)
}

fn entry(
    bytes: &mut Bytes<'_>,
    vpc_id: &str,
    table_id: &str,
    service: GatewayService,
    network: &Network,
    home: &Home,
) -> Entry {
    const GAPS: [Gap; 4] = [Gap::RouteInactive, Gap::EndpointNotAvailable, Gap::NotAssociated, Gap::NoEndpoint];
    const CHANGES: [Change; 4] = [Change::Opened, Change::Worsened, Change::Changed, Change::Reminder];
    let table = network.route_tables.iter().find(|table| table.id == table_id);
    // The same id as its finding would have.
    let account = home.account.clone().or_else(|| table?.owner_id.clone()).unwrap_or_default();
    let is_open = bytes.yes();
    let of_vpc = network.subnets.iter().filter(|subnet| subnet.vpc_id == vpc_id).map(|subnet| subnet.id.clone());
    let mut subnets: BTreeSet<String> = of_vpc.filter(|_| bytes.yes()).collect();
    subnets.extend(bytes.yes().then(|| "subnet-000000000000000ff".to_owned()));
    let ago = |bytes: &mut Bytes<'_>| NOW - SignedDuration::from_mins(i64::from(bytes.next()) * 60);
    let (since, told, thread) = (ago(bytes), ago(bytes), ago(bytes));
    let resolution = Resolution { cause: bytes.one_of(&Cause::ALL), stood_seconds: i64::from(bytes.next()) };
    Entry {
        finding_id: finding_id(home, &account, table_id, service),
        account,
        vpc_id: vpc_id.to_owned(),
        route_table: TableRef { id: table_id.to_owned(), name: bytes.name(), main: bytes.yes() },
        service,
        gap: bytes.one_of(&GAPS),
        severity: bytes.one_of(&Severity::ALL),
        worst: Severity::High,
        subnets,
        egress: Target { kind: TargetKind::NatGateway, id: bytes.yes().then(|| "nat-0000000a".to_owned()) },
        state: if is_open { EntryState::Open } else { EntryState::Resolved },
        since,
        told,
        change: if is_open { bytes.one_of(&CHANGES) } else { Change::Resolved },
        resolution: (!is_open).then_some(resolution),
        pending: CHANNELS.into_iter().filter(|_| bytes.below(4) == 1).collect(),
        unaware: CHANNELS.into_iter().filter(|_| is_open && bytes.below(8) == 1).collect(),
        thread,
    }
}

/// Says of some records that something was deleted: of what is there, and of what the ledger alone knows.
fn delete_something(bytes: &mut Bytes<'_>, payload: &mut Payload, network: &Network, ledger: &Ledger) {
    let told = ledger.entries().flat_map(|entry| {
        [&entry.vpc_id, &entry.route_table.id].into_iter().chain(&entry.subnets).cloned().collect::<Vec<_>>()
    });
    let there = (network.subnets.iter().map(|subnet| subnet.id.clone()))
        .chain(network.route_tables.iter().map(|table| table.id.clone()));
    let ids: Vec<String> = told.chain(there).collect();
    let Payload::Batch(messages) = payload else { return };
    for record in messages.iter_mut().filter_map(|message| message.record.as_mut().ok()) {
        match bytes.below(4) {
            1 => record.scope = Scope { deleted: [bytes.one_of(&ids)].into(), ..Scope::default() },
            2 => record.scope.deleted.extend([bytes.one_of(&ids)]),
            _ => {}
        }
    }
}
