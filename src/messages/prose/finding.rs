//! The sentences about one finding, and the lines about a group of alerts.

use super::{
    missing_route,
    time::{duration, utc_time},
};
use crate::{
    alerts::{
        alert::{Alert, OpenChange, ResolvedFinding},
        recorded::RecordedProblem,
    },
    checks::finding::{Finding, Problem, SubnetRef},
    messages::{
        content::Group,
        service_name::titles,
        untrusted_text::{Line, plain},
    },
};

/// Why a finding matters: what is wrong, and what happens to the traffic. Contains ids, but no tags.
pub(in crate::messages) fn reason(finding: &Finding) -> String {
    match &finding.problem {
        Problem::MissingRoute(missing) => missing_route::reason(finding, missing),
    }
}

/// How a problem was resolved, and how long it was open.
pub(in crate::messages) fn resolved_reason(resolved: &ResolvedFinding) -> String {
    let what = match &resolved.problem {
        RecordedProblem::MissingRoute(missing) => {
            let table = format!("Route table {}", resolved.subject.id);
            missing_route::outcome(&resolved.resolution.reason, &table, missing.service.title())
        }
    };
    format!("{what} The problem existed for {}.", duration(resolved.resolution.open_seconds))
}

/// What is wrong and where; for a resolved group, how it was resolved.
pub(in crate::messages) fn sentence(group: &Group<'_>) -> String {
    let service = titles(&group.services());
    let table = format!("{} in {}", plain(group.subject_id()), plain(group.first().region()));
    match group.first().resolved_finding() {
        None => format!("{table} has no gateway route to {service}."),
        Some(resolved) => missing_route::outcome(&resolved.resolution.reason, &table, &service),
    }
}

/// The group in one short line, for a list of several groups.
pub(in crate::messages) fn short_line(group: &Group<'_>) -> String {
    format!("{} {}: {}", group.label(), plain(group.subject_id()), titles(&group.services()))
}

/// The subject, with its name.
pub(in crate::messages) fn subject<'a>(group: &Group<'a>) -> Line<'a> {
    let subject = group.first().subject();
    let is_main = group.first().route_facts().is_some_and(|facts| facts.is_main_table);
    let main = if is_main { " (main)" } else { "" };
    Line::with(format!("Route table: {}{main}", plain(&subject.id)), subject.name.as_deref())
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
                OpenChange::Changed => "Changed since the last alert: something else is missing now.".to_owned(),
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
    missing_route::why_it_matters(group).into_iter().map(Line::from).collect()
}

/// A subnet, with its name.
pub(in crate::messages) fn subnet(subnet: &SubnetRef) -> Line<'_> {
    let facts = [Some(&subnet.id), subnet.availability_zone.as_ref(), subnet.cidr.as_ref()];
    let facts: Vec<String> = facts.into_iter().flatten().map(|fact| plain(fact)).collect();
    Line::with(facts.join(" "), subnet.name.as_deref())
}
