//! From bytes to a network with hostile names and ids, its findings, and the messages about them.

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::{
    evaluate::evaluate,
    finding::Finding,
    home::Home,
    notification::{Message, Touched, messages},
    payload::{self, Payload, Record, Trigger},
    report::Report,
    scope::Scope,
    service::GatewayService,
    severity::Severity,
    vpc::{Association, Endpoint, EndpointKind, Network, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
};
use serde_json::Value;

/// Stands in every name and tag that is not empty, and so must stand in no command, subject or sentence.
const MARK: char = '¤';

/// What SNS takes, attributes counted.
const MAX_MESSAGE: usize = 262_144;

/// Checks the network that these bytes describe. Any bytes do.
pub fn check(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let region = bytes.one_of(&["eu-west-1", "cn-north-1", "us-gov-west-1"]);
    let account = bytes.one_of(&[Some("123456789012".to_owned()), None]);
    let home = Home { partition: "aws".into(), account, region: region.into() };
    let min_severity = bytes.one_of(&Severity::ALL);
    let required = bytes.some_of(&GatewayService::ALL);
    let network = network(&mut bytes, region);
    let payload = payload(&mut bytes, &network);

    let scope = payload.scope();
    let resolved = scope.resolve(&network, &home);
    let today = jiff::civil::date(2026, 11, 23);
    let verdict = evaluate(&network, &resolved.route_table_ids, &required, &home, today);
    let judged = resolved.route_table_ids.clone();
    let report = Report::new(scope, &network, resolved, verdict);
    check_report(&report, &judged, &required);

    let touched = Touched::by(&payload, &network, &home);
    let messages = messages(&report.findings, min_severity, &network, &touched);
    for message in &messages {
        check_message(message);
    }
    let sent = Sent { network: &network, payload: &payload, min_severity, home: &home };
    check_nothing_lost(&report.findings, &messages, &sent);
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
    network: &'a Network,
    payload: &'a Payload,
    min_severity: Severity,
    home: &'a Home,
}

/// Joins the messages' findings again: they must be those that were to be sent, whole and once.
fn check_nothing_lost(findings: &[Finding], messages: &[Message], sent: &Sent<'_>) {
    let mut by_vpc: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for message in messages {
        by_vpc.entry(&message.vpc_id).or_default().push(serde_json::from_str(&message.body).unwrap_or_default());
    }
    let mut told = Vec::new();
    for (vpc_id, bodies) in by_vpc {
        let mut worst = Value::Null;
        for (n, body) in bodies.iter().enumerate() {
            assert_eq!(body["schema"], "gatewatch.notification/v1");
            assert_eq!(body["vpc"]["id"], vpc_id);
            let name = sent.network.vpcs.iter().find(|vpc| vpc.id == vpc_id).and_then(|vpc| vpc.name.clone());
            assert_eq!(body["vpc"]["name"], name.map_or(Value::Null, Value::String), "the name is intact");
            assert!(!body["summary"].to_string().contains(MARK));
            assert_eq!(body["triggers"], touching(sent, vpc_id));
            let part = serde_json::json!({"index": n + 1, "count": bodies.len()});
            assert_eq!(body["part"], if bodies.len() == 1 { Value::Null } else { part });
            let said = body["findings"].as_array().map_or(&[][..], Vec::as_slice);
            assert!(!said.is_empty(), "a message without findings");
            for finding in said {
                worst = worse(worst, &finding["severity"]);
                join(&mut told, finding);
            }
        }
        assert!(bodies.iter().all(|body| body["severity"] == worst), "{worst}");
    }
    let asked = |finding: &&Finding| {
        finding.severity >= sent.min_severity && sent.payload.records().any(|record| touches(record, finding))
    };
    let expected: Vec<Value> =
        findings.iter().filter(asked).map(|finding| serde_json::to_value(finding).unwrap_or_default()).collect();
    assert_eq!(told, expected);
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

/// The records here name Regions, VPCs and tables only.
fn touches(record: &Record, finding: &Finding) -> bool {
    let Record { scope, publish, .. } = record;
    *publish
        && (scope.region
            || scope.vpc_ids.contains(&finding.vpc_id)
            || scope.route_tables.contains_key(&finding.route_table.id))
}

/// How many records touched the VPC: a table in it that may be judged, so no edge table and none of another account.
fn touching(sent: &Sent<'_>, vpc_id: &str) -> usize {
    let ours = |table: &RouteTable| match (&table.owner_id, &sent.home.account) {
        (Some(owner), Some(account)) => owner == account,
        _ => true,
    };
    let judged = |table: &&RouteTable| table.vpc_id == vpc_id && !table.is_edge() && ours(table);
    let touched = |scope: &Scope| {
        (sent.network.route_tables.iter().filter(judged))
            .any(|table| scope.region || scope.vpc_ids.contains(vpc_id) || scope.route_tables.contains_key(&table.id))
    };
    sent.payload.records().filter(|record| record.publish && touched(&record.scope)).count()
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
