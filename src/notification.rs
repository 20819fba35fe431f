//! What SNS subscribers receive: one message per VPC, or several where one would be too large.
//!
//! Pure: names no SDK type, does no I/O and reads no clock. Names, tags and principals stand in the JSON alone, where
//! they are data; subjects, summaries and attributes are made of ids and of our own words.

mod parts;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

use self::parts::Part;
use crate::{
    error::Error,
    finding::Finding,
    home::Home,
    payload::{Payload, Record, Trigger},
    scope::Scope,
    service::GatewayService,
    severity::Severity,
    vpc::Network,
};

/// A message as SNS takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The VPC that it is about.
    pub vpc_id: String,
    /// At most 99 printable ASCII characters.
    pub subject: String,
    /// A JSON object of the schema [`SCHEMA`].
    pub body: String,
    /// What filter policies match on
    /// (<https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html>).
    pub attributes: Vec<Attribute>,
}

/// A message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// `String`, or `String.Array` for a JSON list of strings.
    pub data_type: &'static str,
    /// Its value, never empty: SNS takes no empty one.
    pub value: String,
}

/// The schema that each message names.
pub const SCHEMA: &str = "gatewatch.notification/v1";

/// The longest subject, in bytes: SNS wants fewer than 100 characters
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
const MAX_SUBJECT: usize = 99;

/// A record whose findings are to be sent, and what it touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched<'a> {
    /// The record.
    pub record: &'a Record,
    /// The ids of the tables that it touched. Records of the same scope share them: a batch may hold a hundred that
    /// touch the whole Region.
    pub route_table_ids: Arc<BTreeSet<String>>,
    /// The ids of their VPCs.
    pub vpc_ids: BTreeSet<&'a str>,
}

impl<'a> Touched<'a> {
    /// What each record of the payload touched. One that asks for the report alone is left out.
    #[must_use]
    pub fn by(payload: &'a Payload, network: &'a Network, home: &Home) -> Vec<Self> {
        let mut resolved: BTreeMap<&Scope, Arc<BTreeSet<String>>> = BTreeMap::new();
        let mut of = |record: &'a Record| {
            let resolve = || Arc::new(record.scope.resolve(network, home).route_table_ids);
            let route_table_ids = Arc::clone(resolved.entry(&record.scope).or_insert_with(resolve));
            let vpc_ids = (network.route_tables.iter())
                .filter(|table| route_table_ids.contains(&table.id))
                .map(|table| table.vpc_id.as_str())
                .collect();
            Self { record, route_table_ids, vpc_ids }
        };
        payload.records().filter(|record| record.publish).map(&mut of).collect()
    }
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The VPC that it is about.
    pub vpc_id: String,
    /// Whether the topic took it.
    pub result: Result<(), Error>,
}

#[derive(Clone, Copy, Serialize)]
struct Body<'a> {
    schema: &'static str,
    account: &'a str,
    region: &'a str,
    vpc: VpcRef<'a>,
    severity: Severity,
    summary: &'a str,
    trigger: Option<&'a Trigger>,
    triggers: usize,
    part: Option<Part>,
    findings: &'a [Finding],
}

#[derive(Clone, Copy, Serialize)]
struct VpcRef<'a> {
    id: &'a str,
    name: Option<&'a str>,
}

/// Writes the messages about the findings that are bad enough and on tables that these records touched, by VPC. Each
/// tells the newest of the records that touched its VPC, and how many did.
#[must_use]
pub fn messages(
    findings: &[Finding],
    min_severity: Severity,
    network: &Network,
    records: &[Touched<'_>],
) -> Vec<Message> {
    let mut by_vpc: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.severity >= min_severity) {
        if records.iter().any(|touched| touched.route_table_ids.contains(&finding.route_table.id)) {
            by_vpc.entry(&finding.vpc_id).or_default().push(finding);
        }
    }
    by_vpc.into_iter().flat_map(|(vpc_id, findings)| messages_about(vpc_id, &findings, network, records)).collect()
}

fn messages_about(vpc_id: &str, findings: &[&Finding], network: &Network, records: &[Touched<'_>]) -> Vec<Message> {
    let (Some(first), Some(severity)) = (findings.first(), findings.iter().map(|finding| finding.severity).max())
    else {
        return Vec::new();
    };
    let touching = || records.iter().filter(|touched| touched.vpc_ids.contains(vpc_id)).map(|touched| touched.record);
    let summary = summary(vpc_id, findings);
    let body = Body {
        schema: SCHEMA,
        account: &first.account,
        region: &first.region,
        vpc: VpcRef {
            id: vpc_id,
            name: network.vpcs.iter().find(|vpc| vpc.id == vpc_id).and_then(|vpc| vpc.name.as_deref()),
        },
        severity,
        summary: &summary,
        // Of records of the same second, and of those without a time, the last in the batch counts as the newest.
        trigger: touching().max_by_key(|record| record.time).map(|record| &record.trigger),
        triggers: touching().count(),
        part: None,
        findings: &[],
    };
    let subject = subject(severity, vpc_id, findings);
    let attributes = attributes(&body, findings);
    let overhead = subject.len() + attributes.iter().map(Attribute::size).sum::<usize>();
    parts::split(body, findings, overhead)
        .into_iter()
        .map(|body| Message {
            vpc_id: vpc_id.to_owned(),
            subject: subject.clone(),
            body,
            attributes: attributes.clone(),
        })
        .collect()
}

/// Such as `[HIGH] gatewatch: 3 findings in vpc-0a1b2c3d4e5f60001, eu-west-1`. Ids and Regions are ASCII; whatever else
/// an emulator might call an id is left out of the subject.
fn subject(severity: Severity, vpc_id: &str, findings: &[&Finding]) -> String {
    let (count, region) = (findings.len(), findings.first().map_or("", |finding| &finding.region));
    let noun = if count == 1 { "finding" } else { "findings" };
    let mut subject = format!("[{}] gatewatch: {count} {noun} in {vpc_id}, {region}", severity.name());
    subject.retain(|c| c == ' ' || c.is_ascii_graphic());
    subject.truncate(MAX_SUBJECT);
    subject
}

/// Such as `vpc-0a1b in eu-west-1: no gateway route to DynamoDB on 2 route tables, to S3 on 1 route table`.
fn summary(vpc_id: &str, findings: &[&Finding]) -> String {
    let mut tables: BTreeMap<GatewayService, usize> = BTreeMap::new();
    for finding in findings {
        *tables.entry(finding.service).or_default() += 1;
    }
    let lacks: Vec<String> = tables
        .into_iter()
        .map(|(service, count)| {
            format!("to {} on {count} route table{}", service.title(), if count == 1 { "" } else { "s" })
        })
        .collect();
    let region = findings.first().map_or("", |finding| &finding.region);
    format!("{vpc_id} in {region}: no gateway route {}", lacks.join(", "))
}

fn attributes(body: &Body<'_>, findings: &[&Finding]) -> Vec<Attribute> {
    let mut services: Vec<&str> = findings.iter().map(|finding| finding.service.name()).collect();
    services.sort_unstable();
    services.dedup();
    let string = |name, value: &str| Attribute { name, data_type: "String", value: value.to_owned() };
    let mut attributes = vec![
        string("severity", body.severity.name()),
        string("account", body.account),
        string("region", body.region),
        string("vpcId", body.vpc.id),
        Attribute {
            name: "services",
            data_type: "String.Array",
            // Service names are lower-case letters and digits: quotes around each make the JSON list.
            value: format!("[\"{}\"]", services.join("\",\"")),
        },
    ];
    attributes.retain(|attribute| !attribute.value.is_empty());
    attributes
}

impl Attribute {
    /// What SNS counts: name, type and value (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>).
    fn size(&self) -> usize {
        self.name.len() + self.data_type.len() + self.value.len()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        evaluate::evaluate,
        payload,
        testing::{REGION, explicit, main_table, route, subnet, table_of, vpc},
        vpc::{RouteTable, Subnet, TargetKind, Vpc},
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

    fn findings(network: &Network) -> Vec<Finding> {
        let home = Home { partition: "aws".into(), account: None, region: REGION.into() };
        let tables = network.route_tables.iter().map(|table| table.id.clone()).collect();
        evaluate(
            network,
            &tables,
            &BTreeSet::from([GatewayService::S3, GatewayService::DynamoDb]),
            &home,
            jiff::civil::date(2026, 11, 23),
        )
        .findings
    }

    fn call(name: &str, time: Option<&str>) -> Record {
        Record {
            scope: Scope::default(),
            trigger: Trigger::ApiCall {
                event_name: name.into(),
                event_id: Some("0a1b2c3d-0000-4000-8000-000000000001".into()),
                event_time: time.map(str::to_owned),
                principal: Some("arn:aws:sts::123456789012:assumed-role/dev/<!channel>\n".into()),
                invoked_by: None,
            },
            time: time.map(|time| time.parse().unwrap()),
            publish: true,
        }
    }

    /// What is written about every finding of the network, given records that touched all its tables.
    fn written(network: &Network, records: &[(Record, &[&'static str])]) -> Vec<Message> {
        let touched: Vec<_> = records.iter().map(|(record, vpcs)| touching(network, record, vpcs)).collect();
        messages(&findings(network), Severity::Low, network, &touched)
    }

    fn touching<'a>(network: &Network, record: &'a Record, vpcs: &[&'a str]) -> Touched<'a> {
        Touched {
            record,
            route_table_ids: Arc::new(network.route_tables.iter().map(|table| table.id.clone()).collect()),
            vpc_ids: vpcs.iter().copied().collect(),
        }
    }

    fn some_call() -> Vec<(Record, &'static [&'static str])> {
        vec![(call("CreateRoute", None), &[A, B])]
    }

    fn body(message: &Message) -> Value {
        serde_json::from_str(&message.body).unwrap()
    }

    #[test]
    fn a_message_is_what_the_contract_says() {
        let network = network("payments");
        let findings = findings(&network);
        let [message, _] =
            written(&network, &[(call("CreateRoute", Some("2026-11-20T10:00:00Z")), &[A])]).try_into().unwrap();
        assert_eq!(message.vpc_id, A);
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
            ]
        );
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
                "part": null,
                "findings": serde_json::to_value(&findings[..4]).unwrap(),
            })
        );
    }

    #[test]
    fn each_vpc_has_its_own_message() {
        let messages = written(&network("payments"), &some_call());
        let told: Vec<_> = messages
            .iter()
            .map(|message| {
                let body = body(message);
                let tables: Vec<String> = (body["findings"].as_array().unwrap().iter())
                    .map(|finding| finding["routeTable"]["id"].as_str().unwrap().to_owned())
                    .collect();
                (message.vpc_id.as_str(), body["severity"].clone(), body["vpc"]["name"].clone(), tables.join(" "))
            })
            .collect();
        assert_eq!(
            told,
            [
                (A, json!("HIGH"), json!("payments"), "rtb-0000000a rtb-0000000a rtb-0000000b rtb-0000000b".into()),
                (B, json!("LOW"), json!(null), "rtb-0000000c rtb-0000000c".into()),
            ]
        );
        assert_eq!(messages[1].subject, "[LOW] gatewatch: 2 findings in vpc-0a1b2c3d4e5f60002, eu-west-1");
        assert_eq!(messages[1].attributes[0].value, "LOW");
    }

    #[test]
    fn nothing_found_is_nothing_said() {
        let (network, record) = (network("payments"), call("CreateRoute", None));
        assert_eq!(messages(&[], Severity::Low, &network, &[touching(&network, &record, &[A])]), []);
    }

    #[test]
    fn what_is_not_bad_enough_is_not_said() {
        let (network, record) = (network("payments"), call("CreateRoute", None));
        let touched = [touching(&network, &record, &[A, B])];
        let told = |min| -> Vec<(String, usize)> {
            (messages(&findings(&network), min, &network, &touched).iter())
                .map(|message| (message.vpc_id.clone(), body(message)["findings"].as_array().unwrap().len()))
                .collect()
        };
        assert_eq!(told(Severity::Low), [(A.into(), 4), (B.into(), 2)]);
        assert_eq!(told(Severity::Medium), [(A.into(), 4)]);
        assert_eq!(told(Severity::High), [(A.into(), 2)]);
    }

    #[test]
    fn only_the_tables_of_records_that_publish_are_told() {
        let network = network("payments");
        let asking = |table: &str, publish| payload::Message {
            id: table.into(),
            record: Ok(Record {
                scope: Scope { route_tables: [(table.to_owned(), None)].into(), ..Scope::default() },
                publish,
                ..call("CreateRoute", None)
            }),
        };
        let home = Home { partition: "aws".into(), account: None, region: REGION.into() };
        let payload = Payload::Batch(vec![asking("rtb-0000000b", true), asking("rtb-0000000c", false)]);
        let touched = Touched::by(&payload, &network, &home);
        assert_eq!(
            touched,
            [Touched {
                record: payload.records().next().unwrap(),
                route_table_ids: Arc::new(BTreeSet::from(["rtb-0000000b".to_owned()])),
                vpc_ids: BTreeSet::from([A]),
            }]
        );
        let told: Vec<_> = (messages(&findings(&network), Severity::Low, &network, &touched).iter())
            .map(|message| (message.vpc_id.clone(), body(message)["findings"][0]["routeTable"]["id"].clone()))
            .collect();
        assert_eq!(told, [(A.into(), json!("rtb-0000000b"))]);
    }

    #[test]
    fn the_newest_record_of_the_vpc_is_told_and_all_are_counted() {
        let records = [
            (call("CreateSubnet", Some("2026-11-20T10:00:02Z")), &[A][..]),
            (call("CreateRoute", Some("2026-11-20T10:00:01Z")), &[A, B]),
            (call("DeleteRoute", Some("2026-11-20T10:00:09Z")), &[B]),
            (call("ReplaceRoute", None), &[A]),
        ];
        let told: Vec<_> = written(&network("payments"), &records)
            .iter()
            .map(|message| (body(message)["trigger"]["eventName"].clone(), body(message)["triggers"].clone()))
            .collect();
        assert_eq!(told, [(json!("CreateSubnet"), json!(3)), (json!("DeleteRoute"), json!(2))]);
    }

    #[test]
    fn of_records_of_the_same_time_the_last_is_the_newest() {
        for time in [None, Some("2026-11-20T10:00:00Z")] {
            let records = [(call("CreateSubnet", time), &[A][..]), (call("CreateRoute", time), &[A])];
            assert_eq!(body(&written(&network("payments"), &records)[0])["trigger"]["eventName"], json!("CreateRoute"));
        }
    }

    #[test]
    fn other_triggers_say_their_kind_alone() {
        for (trigger, kind) in [(Trigger::Schedule, "schedule"), (Trigger::Manual, "manual")] {
            let record = Record { trigger, ..call("", None) };
            assert_eq!(body(&written(&network("payments"), &[(record, &[A])])[0])["trigger"], json!({"kind": kind}));
        }
    }

    #[test]
    fn one_finding_is_not_findings() {
        let network = network("payments");
        let record = call("CreateRoute", None);
        let message =
            &messages(&findings(&network)[..1], Severity::Low, &network, &[touching(&network, &record, &[A])])[0];
        assert_eq!(message.subject, "[MEDIUM] gatewatch: 1 finding in vpc-0a1b2c3d4e5f60001, eu-west-1");
        assert_eq!(
            body(message)["summary"],
            json!("vpc-0a1b2c3d4e5f60001 in eu-west-1: no gateway route to DynamoDB on 1 route table")
        );
        assert_eq!(message.attributes[4].value, r#"["dynamodb"]"#);
    }

    #[test]
    fn names_are_intact_in_the_json_and_nowhere_else() {
        let plain = written(&network("payments"), &some_call());
        for name in [
            "\u{1f4a5} boom",
            "two\nlines\r\n",
            "\u{202e}right-to-left",
            "<!channel> @here",
            "\"quoted\" \\ 'twice'",
            "\u{1}\u{7f}\u{0}",
            &"ñ".repeat(256),
        ] {
            let hostile = written(&network(name), &some_call());
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
    fn a_subject_is_short_printable_ascii_whatever_the_id() {
        let network = network("payments");
        let finding = findings(&network).remove(0);
        let written = subject(Severity::High, &format!("vpc-\n\u{1f4a5}{}", "x".repeat(200)), &[&finding]);
        assert_eq!(written, format!("[HIGH] gatewatch: 1 finding in vpc-{}", "x".repeat(99 - 35)));
    }

    /// A VPC with this many tables, of this many subnets each, all with long names that JSON has to escape.
    fn large(tables: usize, subnets: usize) -> Network {
        let mut network = Network { vpcs: vec![vpc(A)], ..Network::default() };
        for t in 0..tables {
            let mut table = RouteTable { name: Some("\"".repeat(256)), ..main_table(&format!("rtb-{t:08x}"), A) };
            for s in 0..subnets {
                let id = format!("subnet-{:08x}", t * subnets + s);
                table.associations.push(explicit(&id, "associated"));
                network.subnets.push(Subnet { name: Some("\n".repeat(256)), ..subnet(&id, A) });
            }
            network.route_tables.push(table);
        }
        network
    }

    /// Checks that the parts are within the limit and numbered, and gives what they hold: table, service and subnet.
    fn held(messages: &[Message]) -> Vec<(String, String, String)> {
        let mut held = Vec::new();
        for (n, message) in messages.iter().enumerate() {
            let size = message.body.len()
                + message.subject.len()
                + message.attributes.iter().map(Attribute::size).sum::<usize>();
            assert!(size <= 262_144, "{size}");
            let body = body(message);
            assert_eq!(body["part"], json!({"index": n + 1, "count": messages.len()}));
            for finding in body["findings"].as_array().unwrap() {
                for subnet in finding["subnets"].as_array().unwrap() {
                    let text = |value: &Value| value.as_str().unwrap().to_owned();
                    held.push((text(&finding["routeTable"]["id"]), text(&finding["service"]), text(&subnet["id"])));
                }
            }
        }
        held
    }

    fn expected(network: &Network) -> Vec<(String, String, String)> {
        (findings(network).into_iter())
            .flat_map(|f| {
                let (table, service) = (f.route_table.id, f.service.name().to_owned());
                f.subnets.into_iter().map(move |subnet| (table.clone(), service.clone(), subnet.id))
            })
            .collect()
    }

    #[test]
    fn what_is_too_large_for_a_message_is_split_by_findings() {
        let network = large(40, 10);
        let messages = written(&network, &some_call());
        assert!(messages.len() > 1);
        assert_eq!(held(&messages), expected(&network));
        let sizes: Vec<usize> = messages.iter().map(|message| message.body.len()).collect();
        assert!(sizes[0] > 200_000, "parts are filled: {sizes:?}");
    }

    #[test]
    fn a_finding_that_is_too_large_alone_is_split_by_subnets() {
        let network = large(1, 700);
        let messages = written(&network, &some_call());
        assert_eq!(held(&messages), expected(&network));
    }

    /// The messages about these findings, with that many bytes of something else in each.
    fn with_bytes(findings: &[Finding], network: &Network, bytes: usize) -> Vec<Message> {
        let record = call(&"x".repeat(bytes), None);
        messages(findings, Severity::Low, network, &[touching(network, &record, &[A])])
    }

    /// How many bytes more would fill the first message, when room is kept for a part with these longest numbers and for
    /// a comma after the last finding.
    fn free(messages: &[Message]) -> usize {
        let widest = json!({"index": usize::MAX, "count": usize::MAX}).to_string().len();
        let reserve = widest - body(&messages[0])["part"].to_string().len() + ",".len();
        let attributes = messages[0].attributes.iter().map(Attribute::size).sum::<usize>();
        262_144 - reserve - messages[0].body.len() - messages[0].subject.len() - attributes
    }

    fn counts(messages: &[Message]) -> Vec<usize> {
        messages.iter().map(|message| body(message)["findings"].as_array().unwrap().len()).collect()
    }

    #[test]
    fn a_message_takes_the_findings_that_fit_to_the_byte() {
        let network = large(120, 1);
        let findings = findings(&network);
        let messages = with_bytes(&findings, &network, 0);
        let (bytes, first) = (free(&messages), counts(&messages)[0]);
        assert_eq!(counts(&messages).iter().sum::<usize>(), findings.len(), "whole findings");
        assert_eq!(counts(&with_bytes(&findings, &network, bytes))[0], first);
        assert_eq!(counts(&with_bytes(&findings, &network, bytes + 1))[0], first - 1);
    }

    #[test]
    fn a_finding_stays_whole_where_it_fits_to_the_byte() {
        let network = large(1, 300);
        let finding = &findings(&network)[..1];
        let bytes = free(&with_bytes(finding, &network, 0));
        assert_eq!(counts(&with_bytes(finding, &network, bytes)), [1]);
        assert_eq!(counts(&with_bytes(finding, &network, bytes + 1)), [1, 1]);
    }

    #[test]
    fn a_finding_is_split_down_to_single_subnets_and_no_further() {
        let mut network = large(1, 2);
        for subnet in &mut network.subnets {
            subnet.name = Some("x".repeat(150_000));
        }
        assert_eq!(counts(&with_bytes(&findings(&network)[..1], &network, 0)), [1, 1]);
        let mut network = large(1, 1);
        network.subnets[0].name = Some("x".repeat(300_000));
        assert_eq!(counts(&with_bytes(&findings(&network)[..1], &network, 0)), [1]);
    }

    #[test]
    fn of_an_attribute_name_type_and_value_count() {
        assert_eq!(Attribute { name: "region", data_type: "String", value: "eu-west-1".into() }.size(), 6 + 6 + 9);
    }
}
