//! What is compared: an answer in words and ids, and how the rule's report is brought into that form.

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::{
    alerts::history::HistoryState, app::report::Report, checks::gateway_endpoint::rule::evaluate, events::scope::Scope,
    messages::json, network::service::GatewayService,
};
use jiff::civil::Date;
use serde_json::Value;

use crate::{networks::Case, schemas::assert_answer};

/// What is said of a whole Region.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The tables that were not checked: edge tables, and another account's.
    pub unchecked: BTreeSet<String>,
    /// By table and service.
    pub judgements: BTreeMap<(String, String), Judgement>,
    /// Subnets, and why they cannot be judged.
    pub unassessed: BTreeSet<(String, String)>,
    /// Resources, and their tags that cannot be read.
    pub unreadable: BTreeSet<(String, String)>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Judgement {
    Covered,
    Exempt { by: Vec<String> },
    Finding(Box<Finding>),
}

/// A finding, without its sentence and commands.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub vpc: String,
    pub main: bool,
    pub gap: String,
    pub severity: String,
    /// Kind and target.
    pub egress: (String, Option<String>),
    /// Id and state.
    pub endpoint: Option<(String, String)>,
    /// Id and state.
    pub interface_endpoint: Option<(String, String)>,
    pub subnets: Vec<String>,
}

/// The rule's report on the whole Region, as a caller reads it.
pub fn report(case: &Case) -> String {
    serde_json::to_string(&judged(case).1).unwrap()
}

/// What the rule says.
pub fn of_the_rule(case: &Case) -> Answer {
    let (checked, report) = judged(case);
    let report = serde_json::to_value(report).unwrap();
    assert_answer(&report);
    let mut answer = Answer::default();
    for table in &case.network.route_tables {
        if checked.contains(&table.id) {
            // Of what is covered a report says nothing.
            for service in &case.services {
                answer.judgements.insert((table.id.clone(), (*service).to_owned()), Judgement::Covered);
            }
        } else {
            answer.unchecked.insert(table.id.clone());
        }
    }
    for finding in list(&report["findings"]) {
        let table = &finding["routeTable"];
        set(&mut answer, &table["id"], &finding["service"], Judgement::Finding(Box::new(read(finding))));
    }
    for exempt in list(&report["exempt"]) {
        let by = list(&exempt["exemptedBy"]).iter().map(text).collect();
        set(&mut answer, &exempt["routeTableId"], &exempt["service"], Judgement::Exempt { by });
    }
    for unassessed in list(&report["unassessed"]) {
        answer.unassessed.insert((text(&unassessed["subnetId"]), text(&unassessed["reason"])));
    }
    for unreadable in list(&report["unreadableExemptions"]) {
        answer.unreadable.insert((text(&unreadable["resourceId"]), text(&unreadable["value"])));
    }
    answer
}

/// The tables that the rule checked, and its report.
fn judged(case: &Case) -> (BTreeSet<String>, json::answer::Report) {
    let scope = Scope { region: true, ..Scope::default() };
    let resolved = scope.resolve(&case.network, &case.account_region);
    let required = case.services.iter().map(|service| match *service {
        "s3" => GatewayService::S3,
        "dynamodb" => GatewayService::DynamoDb,
        "s3express" => GatewayService::S3Express,
        other => panic!("no gateway service: {other}"),
    });
    let (year, month, day) = case.today;
    let today = Date::new(year, month, day).unwrap();
    let checked = resolved.route_table_ids.clone();
    let verdict = evaluate(&case.network, &checked, &required.collect(), &case.account_region, today);
    let report = Report::new(scope, &case.network, resolved, verdict, HistoryState::Off, 0);
    (checked, (&report).into())
}

/// Judges what was covered so far. A table that was not checked, or is named twice, is a bug in itself.
fn set(answer: &mut Answer, table: &Value, service: &Value, judgement: Judgement) {
    let before = answer.judgements.insert((text(table), text(service)), judgement);
    assert_eq!(before, Some(Judgement::Covered), "not checked, or judged twice: {table} {service}");
}

fn read(finding: &Value) -> Finding {
    Finding {
        vpc: text(&finding["vpcId"]),
        main: finding["routeTable"]["main"].as_bool().unwrap(),
        gap: text(&finding["gap"]),
        severity: text(&finding["severity"]),
        egress: (text(&finding["egress"]["kind"]), finding["egress"]["target"].as_str().map(str::to_owned)),
        endpoint: endpoint(&finding["endpoint"]),
        interface_endpoint: endpoint(&finding["interfaceEndpoint"]),
        subnets: list(&finding["subnets"]).iter().map(|subnet| text(&subnet["id"])).collect(),
    }
}

fn endpoint(value: &Value) -> Option<(String, String)> {
    // "Absent values are `null`."
    if value.is_null() { None } else { Some((text(&value["id"]), text(&value["state"]))) }
}

/// "Lists are never absent."
fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
