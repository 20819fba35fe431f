//! The answer that the tests compare, made of words and ids only, and the conversion of the rule's report to it.

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::{
    app::report::{Report, Sent},
    checks::gateway_endpoint::rule::evaluate,
    events::scope::Scope,
    messages::json,
    network::service::GatewayService,
};
use jiff::civil::Date;
use serde_json::Value;

use crate::{networks::Case, schemas::assert_answer};

/// The result for a whole Region.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The tables that are not checked: edge tables and tables of other accounts.
    pub unchecked: BTreeSet<String>,
    /// The results by table id and service.
    pub results: BTreeMap<(String, String), TableResult>,
    /// The ids of the subnets that cannot be assessed, with the reason.
    pub unassessed: BTreeSet<(String, String)>,
    /// The ids of the resources with an unreadable exemption tag, with its value.
    pub unreadable: BTreeSet<(String, String)>,
}

/// The result for one table and service.
#[derive(Debug, PartialEq, Eq)]
pub enum TableResult {
    Covered,
    Exempt { by: Vec<String> },
    Finding(Box<Finding>),
}

/// A finding without its reason and remediation.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub vpc: String,
    pub main: bool,
    pub gap: String,
    pub severity: String,
    /// Kind and target id.
    pub egress: (String, Option<String>),
    /// Id and state.
    pub endpoint: Option<(String, String)>,
    /// Id and state.
    pub interface_endpoint: Option<(String, String)>,
    pub subnets: Vec<String>,
}

/// The JSON of the rule's report on the whole Region.
pub fn report(case: &Case) -> String {
    serde_json::to_string(&check(case).1).unwrap()
}

/// The rule's answer for the whole Region.
pub fn of_the_rule(case: &Case) -> Answer {
    let (checked, report) = check(case);
    let report = serde_json::to_value(report).unwrap();
    assert_answer(&report);
    let mut answer = Answer::default();
    for table in &case.network.route_tables {
        if checked.contains(&table.id) {
            // A report does not list covered tables, so a checked table is covered unless the report says otherwise.
            for service in &case.services {
                answer.results.insert((table.id.clone(), (*service).to_owned()), TableResult::Covered);
            }
        } else {
            answer.unchecked.insert(table.id.clone());
        }
    }
    for finding in list(&report["findings"]) {
        let table = &finding["routeTable"];
        set(&mut answer, &table["id"], &finding["service"], TableResult::Finding(Box::new(finding_of(finding))));
    }
    for exempt in list(&report["exempt"]) {
        let by = list(&exempt["exemptedBy"]).iter().map(text).collect();
        set(&mut answer, &exempt["routeTableId"], &exempt["service"], TableResult::Exempt { by });
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
fn check(case: &Case) -> (BTreeSet<String>, json::answer::Report) {
    let scope = Scope { region: true, ..Scope::default() };
    let resolved = scope.tables_in(&case.network, &case.account_region);
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
    let report = Report::new(scope, &case.network, resolved, verdict, Sent::default());
    (checked, (&report).into())
}

/// Replaces the result `Covered`. It is a bug if the table was not checked or is in the report twice.
fn set(answer: &mut Answer, table: &Value, service: &Value, result: TableResult) {
    let before = answer.results.insert((text(table), text(service)), result);
    assert_eq!(before, Some(TableResult::Covered), "not checked, or reported twice: {table} {service}");
}

fn finding_of(finding: &Value) -> Finding {
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
    // Section 5: "Every field is present." An endpoint that does not exist is `null`.
    if value.is_null() { None } else { Some((text(&value["id"]), text(&value["state"]))) }
}

/// Lists are never absent (sections 5 and 8.1).
fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
