//! The lines about a whole message: where and why the check ran, and what it found.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    endpoint,
    finding::{open_defect, sentence},
    time::utc_time,
};
use crate::{
    alerts::{
        alert::{Alert, Change},
        history::HistoryState,
    },
    checks::{check::CheckName, subject::SubjectKind},
    events::record::Trigger,
    messages::{
        alert_group::AlertGroup,
        content::{Group, services, subjects},
        message::counted,
        service_name::{title, titles},
        untrusted_text::{Line, plain},
    },
};

/// VPC, Region and account.
pub(in crate::messages) fn location<'a>(message: &AlertGroup<'a>) -> Vec<Line<'a>> {
    let mut lines = vec![format!("Region: {}", plain(message.region)).into()];
    // A REST API is in no VPC.
    if !message.vpc_id.is_empty() {
        lines.insert(0, Line::with(format!("VPC: {}", plain(message.vpc_id)), message.vpc_name));
    }
    if !message.account.is_empty() {
        lines.push(Line::with(format!("Account: {}", plain(message.account)), message.account_name()));
    }
    lines
}

/// What started the check; for an API call, who made it and when.
pub(in crate::messages) fn what_happened<'a>(message: &AlertGroup<'a>) -> Vec<Line<'a>> {
    let mut lines = match message.trigger {
        None => return Vec::new(),
        Some(Trigger::ApiCall { event_name, event_time, principal, on_behalf_of, invoked_by, .. }) => {
            let when = event_time.as_deref().map(|time| match time.parse::<Timestamp>() {
                Ok(time) => format!("When: {}", utc_time(time)).into(),
                Err(_) => Line::with("When:", Some(time)),
            });
            let who = principal.as_deref().map(|principal| Line::with("Who:", Some(principal)));
            let through = invoked_by.as_deref().map(|service| Line::with("Through AWS service:", Some(service)));
            let person = (on_behalf_of.as_ref())
                .map(|user| Line::with("On behalf of Identity Center user:", Some(user.user_id.as_str())));
            let call = Line::with("API call:", Some(event_name.as_str()));
            [Some(call), when, who, person, through].into_iter().flatten().collect()
        }
        Some(Trigger::ConfigItem) => vec!["AWS Config recorded a change.".into()],
        Some(Trigger::Schedule) => {
            vec!["The scheduled sweep found this. It does not know which change caused it.".into()]
        }
        Some(Trigger::Manual) => vec!["Somebody started this check by hand.".into()],
    };
    if message.trigger_count > 1 {
        lines.push(format!("This is the newest of {} events that affect the VPC.", message.trigger_count).into());
    }
    lines
}

/// A warning that the alert may be a repetition. `None` unless the alert history is unavailable.
pub(in crate::messages) fn caveat(message: &AlertGroup<'_>) -> Option<&'static str> {
    (message.history == HistoryState::Unavailable)
        .then_some("The alert history is not available: this alert may be a repetition.")
}

/// The first line of a message: what is wrong and where.
pub(in crate::messages) fn first_line(message: &AlertGroup<'_>, groups: &[Group<'_>]) -> String {
    if let [group] = groups {
        return format!("{}: {}", group.label(), sentence(group));
    }
    let place = format!("{} in {}", plain(message.vpc_id), plain(message.region));
    let resolved = match message.resolved().count() {
        0 => String::new(),
        1 => " 1 other problem is resolved.".to_owned(),
        n => format!(" {n} other problems are resolved."),
    };
    if !is_about_routes(message) {
        return match message.open().count() {
            0 => format!("{}: {} problems of {place} are resolved.", message.label(), message.alerts.len()),
            open => format!("{}: {} of {place}.{resolved}", message.label(), counted(open, "problem")),
        };
    }
    let open = services(message.open());
    if open.is_empty() {
        return format!(
            "{}: {} problems with gateway routes of {place} are resolved.",
            message.label(),
            message.alerts.len()
        );
    }
    let tables = counted(subjects(message.open()).len(), "route table");
    format!("{}: no gateway route to {} from {tables} of {place}.{resolved}", message.label(), titles(&open))
}

/// Severity, problem and location for a subject or title. Contains only ids and our own words.
///
/// Leaves out details until the text has at most `max` bytes. The shortest form may still be longer.
pub(in crate::messages) fn headline(message: &AlertGroup<'_>, part: Option<(usize, usize)>, max: usize) -> String {
    if !is_about_routes(message) {
        return headline_of_checks(message, part, max);
    }
    let (label, region) = (message.label(), plain(message.region));
    let all_resolved = message.open_severity().is_none();
    let changes: BTreeSet<Change> = message.open().map(Alert::change).collect();
    let what = match changes.first() {
        None => "Gateway route",
        Some(Change::Worsened) if changes.len() == 1 => "Worse: no gateway route",
        Some(Change::Changed) if changes.len() == 1 => "Changed: no gateway route",
        // The last change in the order: with a reminder first, there is nothing else.
        Some(Change::Reminder) => "Still no gateway route",
        Some(_) => "No gateway route",
    };
    let (services, subjects) = if all_resolved {
        (services(message.resolved()), subjects(message.resolved()))
    } else {
        (services(message.open()), subjects(message.open()))
    };
    let to = format!(" to {}", titles(&services));
    let within = format!(" in {}", plain(message.vpc_id));
    let one_table = subjects.len() == 1;
    let on = if one_table { subjects.into_iter().map(plain).collect() } else { counted(subjects.len(), "route table") };
    let resolved = match message.resolved().count() {
        0 => String::new(),
        _ if all_resolved => String::new(),
        n => format!(", {n} resolved"),
    };
    let part = part.map_or(String::new(), |(index, count)| format!(" (part {index} of {count})"));
    let render = |to: &str, within: &str| format!("[{label}] {what}{to}: {on}{within}, {region}{resolved}{part}");
    // The id of one route table identifies its VPC, so the VPC may be left out first. A number of tables does not.
    let shorter =
        if one_table { [(to.as_str(), ""), ("", within.as_str())] } else { [("", within.as_str()), ("", "")] };
    let forms = [(to.as_str(), within.as_str())].into_iter().chain(shorter).map(|(to, within)| render(to, within));
    let forms: Vec<String> = forms.collect();
    let longest_that_fits = forms.iter().find(|text| text.len() <= max).or(forms.last());
    longest_that_fits.cloned().unwrap_or_default()
}

/// Whether what a message says first is about gateway routes only: its open findings, or its resolved ones if none is open.
fn is_about_routes(message: &AlertGroup<'_>) -> bool {
    leading(message).iter().all(|alert| alert.check() == CheckName::GatewayRoute)
}

/// The alerts that a headline is about: the open ones, or the resolved ones if none is open.
fn leading<'a>(message: &AlertGroup<'a>) -> Vec<&'a Alert> {
    let open: Vec<&Alert> = message.open().collect();
    if open.is_empty() { message.resolved().collect() } else { open }
}

/// The headline if not all of the findings are about gateway routes.
fn headline_of_checks(message: &AlertGroup<'_>, part: Option<(usize, usize)>, max: usize) -> String {
    let (label, region) = (message.label(), plain(message.region));
    let alerts = leading(message);
    let all_resolved = message.open_severity().is_none();
    let resolved = match message.resolved().count() {
        n if n > 0 && !all_resolved => format!(", {n} resolved"),
        _ => String::new(),
    };
    let part = part.map_or(String::new(), |(index, count)| format!(" (part {index} of {count})"));
    // A REST API is in no VPC, and a VPC is not in itself.
    let is_vpc = matches!(alerts.as_slice(), [alert] if alert.subject().kind == SubjectKind::Vpc);
    let within =
        if is_vpc || message.vpc_id.is_empty() { String::new() } else { format!(" in {}", plain(message.vpc_id)) };
    let end = format!(", {region}{resolved}{part}");
    let forms = if let [alert] = alerts.as_slice() {
        let id = plain(&alert.subject().id);
        let what = match open_defect(alert) {
            Some((_, defect)) => endpoint::headline(defect.defect, &title(&defect.service)),
            None => format!("{} of {}", alert.check().name(), title(alert.service_name())),
        };
        let news = match alert.change() {
            Change::Worsened => "Worse: ",
            Change::Changed => "Changed: ",
            Change::Reminder => "Still open: ",
            Change::Reported | Change::Opened | Change::Resolved => "",
        };
        let check = alert.check().name();
        // The id of an endpoint identifies its VPC, so the VPC may be left out.
        vec![
            format!("[{label}] {news}{what}: {id}{within}{end}"),
            format!("[{label}] {news}{what}: {id}{end}"),
            format!("[{label}] {news}{check}: {id}{end}"),
        ]
    } else {
        let problems = counted(alerts.len(), "problem");
        let checks: BTreeSet<CheckName> = alerts.iter().map(|alert| alert.check()).collect();
        let checks: Vec<&str> = checks.into_iter().map(CheckName::name).collect();
        vec![
            format!("[{label}] {problems} ({}){within}{end}", checks.join(", ")),
            format!("[{label}] {problems}{within}{end}"),
        ]
    };
    let longest_that_fits = forms.iter().find(|text| text.len() <= max).or(forms.last());
    longest_that_fits.cloned().unwrap_or_default()
}
