//! The row of one finding, as the history table stores it.
//!
//! The format has a version, [`ROW_VERSION`], in the attribute `rowVersion`. A row without it is of version 0, which gatewatch
//! 0.1.0 wrote; the two differ in nothing else. A newer version may add attributes and values, and must not rename or remove
//! any, so that a rollback loses nothing:
//!
//! | a newer version wrote | this version |
//! |---|---|
//! | an attribute that is not known here | leaves it as it is |
//! | an unknown gap, defect or resolution cause | keeps it, and shows its name |
//! | an unknown state | counts the finding as open |
//! | an unknown severity | counts it as HIGH, so that nothing worsens |
//! | an unknown last change | counts it as a reminder |
//! | an unknown channel | leaves it in the list |
//! | an unknown kind of egress | counts it as `other` |
//! | an unknown check, kind of subject or gateway service | does not read the row, and does not write it |
//!
//! A value that is counted as another one is written back as it was, unless the finding itself has changed.
//!
//! The names of the attributes are those of version 0. They differ from the names in the code: `told` is `notified_at`,
//! `pending` is `undelivered`, `thread` is `incident_started_at`.
//!
//! The row of a missing gateway route has `routeTable`, `gap` and `egress`, and no `check`: it has the form that gatewatch
//! 0.1.0 reads. The row of another finding has `check`, `subject` and `defect` instead. gatewatch 0.1.0 cannot read it, so
//! after a rollback it neither sends nor resolves such a finding, and leaves the row as it is.
//!
//! `notified` is newer than the others. gatewatch 0.1.0 does not know it and reads `unaware` instead: the channels that are
//! not in `notified`. In a row without `notified`, every channel that is not in `unaware` was notified.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attribute_value::{to_attribute, to_json};
use crate::{
    alerts::{
        alert::{OpenChange, Resolution, ResolutionReason},
        history::{AlertRecord, RecordState},
        recorded::{Recorded, RecordedDefect, RecordedProblem, RecordedRoute},
    },
    channel::Channel,
    checks::{
        check::CheckName,
        endpoint_problem::Defect,
        finding::Gap,
        severity::Severity,
        subject::{Subject, SubjectKind},
    },
    network::{
        model::{Target, TargetKind},
        service::GatewayService,
    },
};

/// The attributes of a row.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The version of the format that this version of gatewatch writes.
pub(super) const ROW_VERSION: u32 = 1;

/// The channels of gatewatch 0.1.0. A row without `notified` is about these only.
const CHANNELS_OF_VERSION_0: [Channel; 3] = [Channel::Json, Channel::Text, Channel::Chat];
/// The attributes that the table itself needs.
const KEY_AND_EXPIRY: [&str; 3] = ["pk", "sk", "expiresAt"];

/// The attributes of [`Row`].
const KNOWN: [&str; 23] = [
    "rowVersion",
    "findingId",
    "account",
    "vpcId",
    "check",
    "subject",
    "routeTable",
    "service",
    "gap",
    "defect",
    "severity",
    "worst",
    "subnets",
    "egress",
    "state",
    "since",
    "told",
    "change",
    "resolution",
    "pending",
    "unaware",
    "notified",
    "thread",
];

/// The attributes of a row that this version knows, without its key and its expiry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(default)]
    row_version: u32,
    finding_id: String,
    account: String,
    vpc_id: String,
    /// `gateway-route` where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<SubjectRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route_table: Option<TableRow>,
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    defect: Option<String>,
    severity: String,
    /// The worst severity so far; that of the last check where it is absent.
    worst: Option<String>,
    #[serde(default)]
    subnets: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    egress: Option<EgressRow>,
    state: String,
    since: Timestamp,
    told: Timestamp,
    change: String,
    resolution: Option<ResolutionRow>,
    #[serde(default)]
    pending: BTreeSet<String>,
    #[serde(default)]
    unaware: BTreeSet<String>,
    /// Every channel that is not in `unaware`, where it is absent.
    notified: Option<BTreeSet<String>>,
    /// `since` where it is absent.
    thread: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TableRow {
    id: String,
    name: Option<String>,
    #[serde(default)]
    main: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct SubjectRow {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    name: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EgressRow {
    kind: String,
    target: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResolutionRow {
    cause: String,
    stood_seconds: i64,
}

/// The record of a row; `None` if it is not the row of a finding that this version knows.
pub(super) fn from_item(item: &Item) -> Option<AlertRecord> {
    let fields: Map<String, Value> =
        item.iter().filter_map(|(name, value)| Some((name.clone(), to_json(value)?))).collect();
    from_row(serde_json::from_value(Value::Object(fields)).ok()?)
}

/// The attributes of a record, without its key and its expiry. `stored` is the row that it replaces, if that has something
/// that this version does not know.
pub(super) fn to_item(record: &AlertRecord, stored: Option<&Item>) -> Option<Item> {
    let mut item = attributes(&to_row(record))?;
    if let Some(stored) = stored {
        let mut stored = stored.clone();
        stored.retain(|name, _| !KEY_AND_EXPIRY.contains(&name.as_str()));
        let stored = &stored;
        let read = attributes(&to_row(&from_item(stored)?))?;
        keep_unknown(&mut item, &read, stored);
        keep_unknown_channels(&mut item, stored);
        keep_newer_version(&mut item, stored);
    }
    Some(item)
}

/// Whether a row has something that this version does not know.
pub(super) fn is_newer(item: &Item) -> bool {
    version(item) > ROW_VERSION || item.keys().any(|name| !is_known(name))
}

fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || KEY_AND_EXPIRY.contains(&name)
}

fn version(item: &Item) -> u32 {
    item.get("rowVersion").and_then(|version| version.as_n().ok()?.parse().ok()).unwrap_or_default()
}

fn from_row(row: Row) -> Option<AlertRecord> {
    let resolution = row.resolution.map(|resolution| Resolution {
        reason: recorded(resolution.cause, ResolutionReason::from_name),
        open_seconds: resolution.stood_seconds,
    });
    let state = match (row.state.as_str(), resolution) {
        ("resolved", resolution) => RecordState::Resolved(resolution?),
        _ => RecordState::Open(OpenChange::from_name(&row.change).unwrap_or(OpenChange::Reminder)),
    };
    let severity = severity(&row.severity);
    let (subject, problem) = match row.check.as_deref().map(CheckName::from_name) {
        None | Some(Some(CheckName::GatewayRoute)) => {
            missing_route(row.route_table?, &row.service, row.gap?, row.egress?)?
        }
        Some(check) => endpoint_defect(check?, row.subject?, row.service, row.defect?)?,
    };
    let channels = |names: BTreeSet<String>| -> BTreeSet<Channel> {
        names.iter().filter_map(|name| Channel::from_name(name)).collect()
    };
    let notified = row.notified.map_or_else(|| CHANNELS_OF_VERSION_0.into(), channels);
    Some(AlertRecord {
        finding_id: row.finding_id,
        subject,
        account: row.account,
        vpc_id: row.vpc_id,
        severity,
        worst_severity: row.worst.map_or(severity, |worst| self::severity(&worst)),
        subnet_ids: row.subnets,
        problem,
        state,
        since: row.since,
        notified_at: row.told,
        undelivered: channels(row.pending),
        notified: &notified - &channels(row.unaware),
        incident_started_at: row.thread.unwrap_or(row.since),
    })
}

fn missing_route(table: TableRow, service: &str, gap: String, egress: EgressRow) -> Option<(Subject, RecordedProblem)> {
    let problem = RecordedProblem::MissingRoute(RecordedRoute {
        service: GatewayService::from_name(service)?,
        gap: recorded(gap, Gap::from_name),
        is_main_table: table.main,
        egress: Target { kind: TargetKind::from_name(&egress.kind).unwrap_or(TargetKind::Other), id: egress.target },
    });
    Some((Subject { kind: SubjectKind::RouteTable, id: table.id, name: table.name }, problem))
}

fn endpoint_defect(
    check: CheckName,
    subject: SubjectRow,
    service: String,
    defect: String,
) -> Option<(Subject, RecordedProblem)> {
    let kind = SubjectKind::from_name(&subject.kind)?;
    let defect = recorded(defect, Defect::from_name);
    let problem = RecordedProblem::Endpoint(RecordedDefect { check, service, defect });
    Some((Subject { kind, id: subject.id, name: subject.name }, problem))
}

fn severity(name: &str) -> Severity {
    Severity::from_name(name).unwrap_or(Severity::High)
}

fn recorded<T>(name: String, known: fn(&str) -> Option<T>) -> Recorded<T> {
    known(&name).map_or(Recorded::Unknown(name), Recorded::Known)
}

fn to_row(record: &AlertRecord) -> Row {
    let resolution = match &record.state {
        RecordState::Open(_) => None,
        RecordState::Resolved(resolution) => {
            Some(ResolutionRow { cause: resolution.reason.name().to_owned(), stood_seconds: resolution.open_seconds })
        }
    };
    let channels = |channels: &BTreeSet<Channel>| channels.iter().map(|channel| channel.name().to_owned()).collect();
    let mut row = Row {
        row_version: ROW_VERSION,
        finding_id: record.finding_id.clone(),
        account: record.account.clone(),
        vpc_id: record.vpc_id.clone(),
        check: None,
        subject: None,
        route_table: None,
        service: record.problem.service_name().to_owned(),
        gap: None,
        defect: None,
        severity: record.severity.name().to_owned(),
        worst: Some(record.worst_severity.name().to_owned()),
        subnets: record.subnet_ids.clone(),
        egress: None,
        state: if record.is_open() { "open" } else { "resolved" }.to_owned(),
        since: record.since,
        told: record.notified_at,
        change: record.state.change().name().to_owned(),
        resolution,
        pending: channels(&record.undelivered),
        unaware: channels(&(&BTreeSet::from(CHANNELS_OF_VERSION_0) - &record.notified)),
        notified: Some(channels(&record.notified)),
        thread: Some(record.incident_started_at),
    };
    let Subject { kind, id, name } = record.subject.clone();
    match &record.problem {
        RecordedProblem::MissingRoute(missing) => {
            let egress = &missing.egress;
            row.route_table = Some(TableRow { id, name, main: missing.is_main_table });
            row.gap = Some(missing.gap.name().to_owned());
            row.egress = Some(EgressRow { kind: egress.kind.name().to_owned(), target: egress.id.clone() });
        }
        RecordedProblem::Endpoint(defect) => {
            row.check = Some(defect.check.name().to_owned());
            row.subject = Some(SubjectRow { kind: kind.name().to_owned(), id, name });
            row.defect = Some(defect.defect.name().to_owned());
        }
    }
    row
}

fn attributes(row: &Row) -> Option<Item> {
    let Value::Object(fields) = serde_json::to_value(row).ok()? else { return None };
    Some(fields.into_iter().map(|(name, value)| (name, to_attribute(value))).collect())
}

/// Keeps what this version does not know of a stored row: attributes that it has no name for, and values that it reads as
/// another value and has not changed. `read` is what it makes of the stored row.
fn keep_unknown(item: &mut Item, read: &Item, stored: &Item) {
    for (name, stored) in stored {
        let Some(value) = item.get_mut(name) else {
            item.insert(name.clone(), stored.clone());
            continue;
        };
        if read.get(name) == Some(&*value) {
            *value = stored.clone();
        } else if let (AttributeValue::M(value), Some(AttributeValue::M(read)), AttributeValue::M(stored)) =
            (value, read.get(name), stored)
        {
            keep_unknown(value, read, stored);
        }
    }
}

/// Keeps the channels that this version does not know in the lists of channels.
fn keep_unknown_channels(item: &mut Item, stored: &Item) {
    for name in ["pending", "unaware", "notified"] {
        let Some(AttributeValue::L(stored)) = stored.get(name) else { continue };
        let Some(AttributeValue::L(channels)) = item.get_mut(name) else { continue };
        for channel in stored {
            let is_known = channel.as_s().is_ok_and(|channel| Channel::from_name(channel).is_some());
            if !is_known && !channels.contains(channel) {
                channels.push(channel.clone());
            }
        }
    }
}

fn keep_newer_version(item: &mut Item, stored: &Item) {
    let version = version(stored).max(ROW_VERSION);
    item.insert("rowVersion".to_owned(), AttributeValue::N(version.to_string()));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn route_table(id: &str, name: &str) -> Subject {
        Subject { kind: SubjectKind::RouteTable, id: id.into(), name: Some(name.into()) }
    }

    fn record() -> AlertRecord {
        AlertRecord {
            finding_id: "0a1b".into(),
            subject: route_table("rtb-0a1b2c3d", "a \"b\"\n🦀"),
            account: "123456789012".into(),
            vpc_id: "vpc-0a1b2c3d".into(),
            severity: Severity::High,
            worst_severity: Severity::High,
            subnet_ids: BTreeSet::from(["subnet-0a1b2c3d".into()]),
            problem: RecordedProblem::MissingRoute(RecordedRoute {
                service: GatewayService::S3,
                gap: Recorded::Known(Gap::NotAssociated),
                is_main_table: true,
                egress: Target { kind: TargetKind::NatGateway, id: None },
            }),
            state: RecordState::Resolved(Resolution {
                reason: Recorded::Known(ResolutionReason::Covered),
                open_seconds: 259_200,
            }),
            since: moment("2026-11-20T10:00:00Z"),
            notified_at: moment("2026-11-23T10:00:00Z"),
            undelivered: BTreeSet::from([Channel::Text]),
            notified: BTreeSet::from([Channel::Json, Channel::Text]),
            incident_started_at: moment("2026-11-19T10:00:00Z"),
        }
    }

    /// The item of a row, as DynamoDB's JSON of the files in `tests/rows` has it.
    fn item(row: &str) -> Item {
        fn value(typed: &Value) -> AttributeValue {
            let (kind, inner) = typed.as_object().unwrap().iter().next().unwrap();
            let text = || inner.as_str().unwrap().to_owned();
            match kind.as_str() {
                "S" => AttributeValue::S(text()),
                "N" => AttributeValue::N(text()),
                "BOOL" => AttributeValue::Bool(inner.as_bool().unwrap()),
                "NULL" => AttributeValue::Null(true),
                "L" => AttributeValue::L(inner.as_array().unwrap().iter().map(value).collect()),
                "M" => AttributeValue::M(fields(inner)),
                "SS" => AttributeValue::Ss(
                    inner.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
                ),
                other => panic!("{other}"),
            }
        }
        fn fields(map: &Value) -> Item {
            map.as_object().unwrap().iter().map(|(name, inner)| (name.clone(), value(inner))).collect()
        }
        fields(&serde_json::from_str(row).unwrap())
    }

    fn without_key_and_expiry(mut item: Item) -> Item {
        item.retain(|name, _| !KEY_AND_EXPIRY.contains(&name.as_str()));
        item
    }

    /// Rows that gatewatch 0.1.0 wrote, and one that a newer version might write.
    const V0_OPEN: &str = include_str!("../../../tests/rows/v0-open.json");
    const V0_RESOLVED: &str = include_str!("../../../tests/rows/v0-resolved.json");
    const NEWER_OPEN: &str = include_str!("../../../tests/rows/newer-open.json");
    const V1_ENDPOINT_OPEN: &str = include_str!("../../../tests/rows/v1-endpoint-open.json");
    const NEWER_RESOLVED: &str = include_str!("../../../tests/rows/newer-resolved.json");

    fn v0_route() -> RecordedRoute {
        RecordedRoute {
            service: GatewayService::S3,
            gap: Recorded::Known(Gap::NoEndpoint),
            is_main_table: false,
            egress: Target { kind: TargetKind::NatGateway, id: Some("nat-0a1b2c3d4e5f60001".into()) },
        }
    }

    fn v0_open() -> AlertRecord {
        AlertRecord {
            finding_id: "b3a881dfa77ca30d1c093830e37f0c0aa2b8afcb0d59f3da37b47f9b3c3adbbb".into(),
            vpc_id: "vpc-0a1b2c3d4e5f60001".into(),
            subject: route_table("rtb-0a1b2c3d4e5f60001", "private-a"),
            subnet_ids: BTreeSet::from(["subnet-0a1b2c3d4e5f60001".into(), "subnet-0a1b2c3d4e5f60002".into()]),
            problem: RecordedProblem::MissingRoute(v0_route()),
            state: RecordState::Open(OpenChange::Worsened),
            notified_at: moment("2026-11-21T10:00:00Z"),
            undelivered: BTreeSet::from([Channel::Text]),
            notified: CHANNELS_OF_VERSION_0.into(),
            incident_started_at: moment("2026-11-20T10:00:00Z"),
            ..record()
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut item = to_item(&record(), None).unwrap();
        assert_eq!(item["severity"], AttributeValue::S("HIGH".into()));
        assert_eq!(item["since"], AttributeValue::S("2026-11-20T10:00:00Z".into()));
        item.insert("pk".into(), AttributeValue::S("123456789012#eu-west-1".into()));
        item.insert("sk".into(), AttributeValue::S("vpc-0a1b2c3d#0a1b".into()));
        item.insert("expiresAt".into(), AttributeValue::N("1795000000".into()));
        assert_eq!(from_item(&item), Some(record()));
        assert!(!is_newer(&item));
    }

    /// The open record of an endpoint that keeps subnets out.
    fn endpoint_record() -> AlertRecord {
        AlertRecord {
            finding_id: "4c1d".into(),
            subject: Subject {
                kind: SubjectKind::VpcEndpoint,
                id: "vpce-0a1b2c3d".into(),
                name: Some("ssm \"a\"".into()),
            },
            problem: RecordedProblem::Endpoint(RecordedDefect {
                check: CheckName::EndpointAccess,
                service: "com.amazonaws.eu-west-1.ssm".into(),
                defect: Recorded::Known(Defect::NoSubnetAdmitted),
            }),
            state: RecordState::Open(OpenChange::Opened),
            ..record()
        }
    }

    #[test]
    fn the_known_attributes_are_those_that_are_written() {
        let of_route = to_item(&record(), None).unwrap();
        let of_endpoint = to_item(&endpoint_record(), None).unwrap();
        let written = |item: &Item| -> BTreeSet<String> { item.keys().cloned().collect() };
        let known: BTreeSet<String> = KNOWN.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(known.len(), KNOWN.len());
        assert_eq!(known, &written(&of_route) | &written(&of_endpoint));
        let names = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|&name| name.to_owned()).collect() };
        assert_eq!(&known - &written(&of_route), names(&["check", "defect", "subject"]));
        assert_eq!(&known - &written(&of_endpoint), names(&["egress", "gap", "routeTable"]));
    }

    #[test]
    fn the_record_of_an_endpoint_is_read_as_it_was_written() {
        let record = endpoint_record();
        let item = to_item(&record, None).unwrap();
        let text = |text: &str| AttributeValue::S(text.into());
        assert_eq!(item["check"], text("endpoint-access"));
        assert_eq!(item["defect"], text("no_subnet_admitted"));
        let subject = [
            ("type".to_owned(), text("vpc_endpoint")),
            ("id".to_owned(), text("vpce-0a1b2c3d")),
            ("name".to_owned(), text("ssm \"a\"")),
        ];
        assert_eq!(item["subject"], AttributeValue::M(subject.into()));
        assert_eq!(from_item(&item), Some(record));
        assert!(!is_newer(&item));
    }

    #[test]
    fn a_stored_row_of_an_endpoint_is_read_and_written_back_as_it_was() {
        let stored = item(V1_ENDPOINT_OPEN);
        let read = from_item(&stored).unwrap();
        let subject = Subject { kind: SubjectKind::VpcEndpoint, id: "vpce-0a1b2c3d4e5f60001".into(), name: None };
        let problem = RecordedProblem::Endpoint(RecordedDefect {
            check: CheckName::DnsBypass,
            service: "com.amazonaws.eu-west-1.s3".into(),
            defect: Recorded::Known(Defect::PrivateDnsForAllRequests),
        });
        let expected = AlertRecord {
            finding_id: "3eaae6322c029075973ffd0efd7e44052f0c45faa2591105098faa830c83b32e".into(),
            subject,
            problem,
            subnet_ids: BTreeSet::from(["subnet-0a1b2c3d4e5f60001".into()]),
            state: RecordState::Open(OpenChange::Opened),
            ..v0_open()
        };
        assert_eq!(read, expected);
        assert_eq!(to_item(&read, None), Some(without_key_and_expiry(stored)));
    }

    #[test]
    fn a_row_may_name_the_check_gateway_route() {
        let mut item = to_item(&record(), None).unwrap();
        item.insert("check".into(), AttributeValue::S("gateway-route".into()));
        assert_eq!(from_item(&item), Some(record()));
    }

    #[test]
    fn the_row_of_an_unknown_check_or_kind_of_subject_is_not_read() {
        for (name, odd) in [
            ("check", json!("endpoint-color")),
            ("subject", json!({"type": "lattice_service", "id": "svc-0a1b2c3d", "name": null})),
            ("subject", json!(null)),
            ("defect", json!(null)),
        ] {
            let mut item = to_item(&endpoint_record(), None).unwrap();
            item.insert(name.into(), to_attribute(odd));
            assert_eq!(from_item(&item), None, "{name}");
        }
    }

    #[test]
    fn an_unknown_defect_is_kept() {
        let mut stored = to_item(&endpoint_record(), None).unwrap();
        stored.insert("defect".into(), AttributeValue::S("subnet_on_fire".into()));
        let read = from_item(&stored).unwrap();
        let expected = RecordedProblem::Endpoint(RecordedDefect {
            check: CheckName::EndpointAccess,
            service: "com.amazonaws.eu-west-1.ssm".into(),
            defect: Recorded::Unknown("subnet_on_fire".into()),
        });
        assert_eq!(read.problem, expected);
        assert_eq!(to_item(&read, Some(&stored)), Some(stored));
    }

    #[test]
    fn a_row_of_version_0_is_read() {
        assert_eq!(from_item(&item(V0_OPEN)), Some(v0_open()));
        assert!(!is_newer(&item(V0_OPEN)));
        let resolution = Resolution { reason: Recorded::Known(ResolutionReason::TableDeleted), open_seconds: 86_400 };
        let resolved =
            AlertRecord { state: RecordState::Resolved(resolution), undelivered: BTreeSet::new(), ..v0_open() };
        assert_eq!(from_item(&item(V0_RESOLVED)), Some(resolved));
    }

    #[test]
    fn a_row_without_the_notified_channels_has_those_that_are_not_in_unaware() {
        let mut stored = item(V0_OPEN);
        let text = |text: &str| AttributeValue::S(text.into());
        stored.insert("unaware".into(), AttributeValue::L(vec![text("text"), text("webhook")]));
        let read = from_item(&stored).unwrap();
        assert_eq!(read.notified, BTreeSet::from([Channel::Json, Channel::Chat]));
        // gatewatch 0.1.0 may have written `unaware` after this version wrote `notified`.
        stored.insert("notified".into(), AttributeValue::L(vec![text("json"), text("text")]));
        assert_eq!(from_item(&stored).unwrap().notified, BTreeSet::from([Channel::Json]));
        // A version that knows more channels has written this row. They are not in `unaware`.
        stored.insert("unaware".into(), AttributeValue::L(Vec::new()));
        stored.insert("notified".into(), AttributeValue::L(vec![text("json")]));
        assert_eq!(from_item(&stored).unwrap().notified, BTreeSet::from([Channel::Json]));
    }

    #[test]
    fn this_version_adds_only_its_version_and_the_notified_channels_to_a_row_of_version_0() {
        for row in [V0_OPEN, V0_RESOLVED] {
            let stored = without_key_and_expiry(item(row));
            let mut written = to_item(&from_item(&stored).unwrap(), None).unwrap();
            assert_eq!(written.remove("rowVersion"), Some(AttributeValue::N("1".into())));
            let channels = ["chat", "json", "text"].map(|name| AttributeValue::S(name.into()));
            assert_eq!(written.remove("notified"), Some(AttributeValue::L(channels.into())));
            assert_eq!(written, stored);
        }
    }

    #[test]
    fn what_only_a_newer_version_knows_is_read_as_the_nearest_that_this_version_knows() {
        let read = AlertRecord {
            problem: RecordedProblem::MissingRoute(RecordedRoute {
                gap: Recorded::Unknown("route_shadowed".into()),
                egress: Target { kind: TargetKind::Other, id: Some("nat-0a1b2c3d4e5f60001".into()) },
                ..v0_route()
            }),
            state: RecordState::Open(OpenChange::Reminder),
            ..v0_open()
        };
        assert_eq!(from_item(&item(NEWER_OPEN)), Some(read));
        assert!(is_newer(&item(NEWER_OPEN)));
        let resolution = Resolution { reason: Recorded::Unknown("migrated".into()), open_seconds: 86_400 };
        let resolved =
            AlertRecord { state: RecordState::Resolved(resolution), undelivered: BTreeSet::new(), ..v0_open() };
        assert_eq!(from_item(&item(NEWER_RESOLVED)), Some(resolved));
    }

    #[test]
    fn a_row_of_a_newer_version_is_written_back_as_it_was() {
        for row in [NEWER_OPEN, NEWER_RESOLVED] {
            let stored = item(row);
            let written = to_item(&from_item(&stored).unwrap(), Some(&stored)).unwrap();
            assert_eq!(written, without_key_and_expiry(stored));
        }
    }

    #[test]
    fn only_what_has_changed_changes_in_a_row_of_a_newer_version() {
        let stored = item(NEWER_OPEN);
        let before = from_item(&stored).unwrap();
        let resolution = Resolution { reason: Recorded::Known(ResolutionReason::Covered), open_seconds: 7 };
        let after = AlertRecord {
            subject: Subject { name: Some("renamed".into()), ..before.subject.clone() },
            state: RecordState::Resolved(resolution),
            undelivered: BTreeSet::from([Channel::Json]),
            ..before
        };
        let mut expected = without_key_and_expiry(stored.clone());
        let text = |text: &str| AttributeValue::S(text.into());
        let Some(AttributeValue::M(table)) = expected.get_mut("routeTable") else { panic!() };
        table.insert("name".into(), text("renamed"));
        expected.insert("state".into(), text("resolved"));
        expected.insert("change".into(), text("resolved"));
        let resolution = [("cause".into(), text("covered")), ("stoodSeconds".into(), AttributeValue::N("7".into()))];
        expected.insert("resolution".into(), AttributeValue::M(resolution.into()));
        expected.insert("pending".into(), AttributeValue::L(vec![text("json"), text("webhook")]));
        assert_eq!(to_item(&after, Some(&stored)), Some(expected));
    }

    #[test]
    fn a_row_without_what_has_a_default_is_read() {
        let mut stored = item(V0_OPEN);
        for name in ["worst", "subnets", "pending", "unaware", "thread", "resolution"] {
            stored.remove(name);
        }
        let read = AlertRecord { subnet_ids: BTreeSet::new(), undelivered: BTreeSet::new(), ..v0_open() };
        assert_eq!(from_item(&stored), Some(read));
    }

    #[test]
    fn what_is_not_the_row_of_a_finding_is_not_read() {
        assert_eq!(from_item(&HashMap::new()), None);
        for (name, odd) in [
            ("service", json!("sqs")),
            ("since", json!("yesterday")),
            ("routeTable", json!("rtb-0a1b2c3d")),
            ("findingId", json!(null)),
        ] {
            let mut item = to_item(&record(), None).unwrap();
            item.insert(name.into(), to_attribute(odd));
            assert_eq!(from_item(&item), None, "{name}");
        }
        let mut without_resolution = to_item(&record(), None).unwrap();
        without_resolution.insert("resolution".into(), AttributeValue::Null(true));
        assert_eq!(from_item(&without_resolution), None);
    }
}
