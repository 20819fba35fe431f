//! The sentences about one finding, and the lines about a group of alerts.

use super::{
    endpoint, missing_route,
    time::{duration, utc_time},
};
use crate::{
    alerts::{
        alert::{Alert, OpenChange, ResolvedFinding},
        recorded::{RecordedDefect, RecordedProblem},
    },
    checks::{
        check::CheckName,
        finding::{EndpointDefect, Finding, Problem, SubnetRef},
        subject::SubjectKind,
    },
    messages::{
        alert_group::AlertGroup,
        content::{Group, has_other_checks},
        service_name::titles,
        untrusted_text::{Line, plain},
    },
};

/// Why a finding matters: what is wrong, and what happens to the traffic. Contains ids, but no tags.
pub(in crate::messages) fn reason(finding: &Finding) -> String {
    match &finding.problem {
        Problem::MissingRoute(missing) => missing_route::reason(finding, missing),
        Problem::Endpoint(defect) => endpoint::reason(finding, defect),
    }
}

/// How a problem was resolved, and how long it was open.
pub(in crate::messages) fn resolved_reason(resolved: &ResolvedFinding) -> String {
    let what = match &resolved.problem {
        RecordedProblem::MissingRoute(missing) => {
            let table = format!("Route table {}", resolved.subject.id);
            missing_route::outcome(&resolved.resolution.reason, &table, missing.service.title())
        }
        RecordedProblem::Endpoint(defect) => {
            let kind = endpoint::kind_name(resolved.subject.kind);
            endpoint_outcome(
                resolved,
                defect,
                &format!("{kind} {}", endpoint::named(&resolved.subject, &defect.service)),
            )
        }
    };
    format!("{what} The problem existed for {}.", duration(resolved.resolution.open_seconds))
}

fn endpoint_outcome(resolved: &ResolvedFinding, defect: &RecordedDefect, named: &str) -> String {
    let reason = &resolved.resolution.reason;
    endpoint::outcome(reason, &resolved.subject, named, defect)
}

/// What is wrong and where; for a resolved group, how it was resolved.
pub(in crate::messages) fn sentence(group: &Group<'_>) -> String {
    let alert = group.first();
    let region = plain(alert.region());
    let named = format!("{} in {region}", endpoint::named(alert.subject(), alert.service_name()));
    if let Some((finding, defect)) = open_defect(alert) {
        return format!("{named} {}.", endpoint::what(finding, defect));
    }
    let service = titles(&group.services());
    let table = format!("{} in {region}", plain(group.subject_id()));
    match alert.resolved_finding() {
        None => format!("{table} has no gateway route to {service}."),
        Some(resolved) => match &resolved.problem {
            RecordedProblem::MissingRoute(_) => missing_route::outcome(&resolved.resolution.reason, &table, &service),
            RecordedProblem::Endpoint(defect) => endpoint_outcome(resolved, defect, &named),
        },
    }
}

/// The defect that an alert is about, if it is open and no missing gateway route.
pub(super) fn open_defect(alert: &Alert) -> Option<(&Finding, &EndpointDefect)> {
    let finding = alert.open_finding()?;
    if let Problem::Endpoint(defect) = &finding.problem { Some((finding, defect)) } else { None }
}

/// The group in one short line, for the list of several groups in this message.
pub(in crate::messages) fn short_line(message: &AlertGroup<'_>, group: &Group<'_>) -> String {
    let services = titles(&group.services());
    let what = match (open_defect(group.first()), group.check()) {
        (Some((_, defect)), _) => endpoint::headline(defect.defect, &services),
        (None, CheckName::GatewayRoute) if has_other_checks(message) && group.is_resolved() => {
            format!("gateway route to {services}")
        }
        (None, CheckName::GatewayRoute) if has_other_checks(message) => format!("no gateway route to {services}"),
        (None, CheckName::GatewayRoute) => services,
        (None, check) => format!("{services} ({})", check.name()),
    };
    format!("{} {}: {what}", group.label(), plain(group.subject_id()))
}

/// The subject, with its name.
pub(in crate::messages) fn subject<'a>(group: &Group<'a>) -> Line<'a> {
    let subject = group.first().subject();
    let is_main = group.first().route_facts().is_some_and(|facts| facts.is_main_table);
    let main = if is_main { " (main)" } else { "" };
    let kind = endpoint::kind_name(subject.kind);
    Line::with(format!("{kind}: {}{main}", plain(&subject.id)), subject.name.as_deref())
}

/// The subject of the only group of a message, with its name. `None` for a VPC, because the message names it anyway.
pub(in crate::messages) fn only_subject<'a>(group: &Group<'a>) -> Option<Line<'a>> {
    (group.subject().kind != SubjectKind::Vpc).then(|| subject(group))
}

/// What has changed since the last alert, and since when the problem is known. Empty without an alert history.
pub(in crate::messages) fn change<'a>(group: &Group<'a>) -> Vec<Line<'a>> {
    let (news, since) = match group.first() {
        Alert::Reported(_) => return Vec::new(),
        Alert::Open { change, since, .. } => {
            let news = match change {
                OpenChange::Opened => return vec![format!("New: first seen {}.", utc_time(*since)).into()],
                OpenChange::Worsened => {
                    "Worse than in the last alert: a higher severity, or subnets that were not affected before."
                        .to_owned()
                }
                OpenChange::Changed => {
                    let is = if group.check() == CheckName::GatewayRoute { "missing" } else { "wrong" };
                    format!("Changed since the last alert: something else is {is} now.")
                }
                OpenChange::Reminder => "Reminder: this problem still exists.".to_owned(),
            };
            (news, since)
        }
        Alert::Resolved(ResolvedFinding { since, resolution, .. }) => {
            (format!("The problem existed for {}.", duration(resolution.open_seconds)), since)
        }
    };
    vec![news.into(), format!("Known since {}.", utc_time(*since)).into()]
}

/// Why it matters: what is missing, and where the traffic goes instead. Empty for a resolved group.
pub(in crate::messages) fn why_it_matters<'a>(group: &Group<'a>) -> Vec<Line<'a>> {
    if group.is_resolved() {
        return Vec::new();
    }
    match open_defect(group.first()) {
        Some((finding, defect)) => endpoint::why_it_matters(finding, defect),
        None => missing_route::why_it_matters(group).into_iter().map(Line::from).collect(),
    }
}

/// What stands above a command that only describes the endpoint.
pub(in crate::messages) fn wait(finding: &Finding) -> &'static str {
    match &finding.problem {
        Problem::MissingRoute(_) => "There is nothing to change yet. To check the state of the endpoint:",
        Problem::Endpoint(defect) => endpoint::wait(&defect.fix),
    }
}

/// What somebody has to do if there is no command for the finding: one sentence per line.
pub(in crate::messages) fn without_command(finding: &Finding) -> Vec<String> {
    let review = match &finding.problem {
        Problem::MissingRoute(_) => Vec::new(),
        Problem::Endpoint(defect) => endpoint::review(&defect.fix),
    };
    if review.is_empty() {
        vec!["There is no command, because an id is not a valid AWS id.".to_owned()]
    } else {
        review
    }
}

/// A subnet, with its name.
pub(in crate::messages) fn subnet(subnet: &SubnetRef) -> Line<'_> {
    let facts = [Some(&subnet.id), subnet.availability_zone.as_ref(), subnet.cidr.as_ref()];
    let facts: Vec<String> = facts.into_iter().flatten().map(|fact| plain(fact)).collect();
    Line::with(facts.join(" "), subnet.name.as_deref())
}
