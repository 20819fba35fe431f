//! The alerts as one card for Amazon Q Developer in chat applications, in its schema for custom notifications
//! (<https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>). Amazon Q silently drops any other
//! message on its topic, such as plain text.
//!
//! A card is shown in Slack or Microsoft Teams; gatewatch cannot know in which. So the card uses only markup that works
//! in both (`*`, `_`, backticks, a hyphen before each item of a list), and shows untrusted text in a form that is
//! harmless in both:
//!
//! - It is on one line, in quotes and cut to a maximum length. Invisible characters are escaped: see [`quoted`].
//! - It is inside backticks, where neither chat interprets markup: no bold, no emoji, no `[text](url)`.
//! - `&`, `<` and `>` are written as entities. Slack interprets `<!channel>`, `<@U123>` and `<url|text>` even inside
//!   backticks, and shows entities as the characters. Teams shows the entities themselves, which is ugly but safe.
//! - Characters that could end the backticks or start a mention or a URL are escaped: every backtick; each `@` that
//!   could mention somebody (inside an e-mail address it cannot); the first slash after the `:` of a URL. A chat may
//!   still turn a bare domain into a link. The link then shows its own target, so it misleads nobody.
//!
//! The title, the keywords and everything in `metadata` contain only ids and our own words. So do the next steps,
//! except for the key of the exemption tag.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    alert_group::AlertGroup,
    content::{self, Group, SharedFix},
    message::{MAX_SUBJECT, Message, counted, subject},
    prose,
    remediation::exemption,
    service_name::titles,
    untrusted_text::{Line, plain, quoted},
};
use crate::{
    alerts::alert::Change,
    checks::{check::CheckName, severity::Severity},
    network::ids::{self, is_id},
};

/// The maximum length of the title, in characters.
const MAX_TITLE: usize = 250;

/// The maximum length of the description, in characters.
const MAX_DESCRIPTION: usize = 8000;

/// The maximum length of a next step, in characters.
const MAX_NEXT_STEP: usize = 350;

/// The maximum length of a keyword, in characters.
const MAX_KEYWORD: usize = 75;

/// How much of the content a card shows.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// The number of groups that are described in full.
    groups: usize,
    /// The number of subnets for each of these groups.
    subnets: usize,
    /// The number of other groups that get a short line each.
    short_lines: usize,
    /// Whether the cautions are listed. If not, the card says where they are.
    cautions: bool,
    /// The number of lines about the event.
    event_lines: usize,
}

/// From the most that people read in a chat to the least, which always fits, whatever the names are. The cautions go
/// last: a command without them can do harm.
const LIMITS: [Limits; 7] = [
    Limits { groups: 3, subnets: 10, short_lines: 10, cautions: true, event_lines: 10 },
    Limits { groups: 2, subnets: 5, short_lines: 10, cautions: true, event_lines: 10 },
    Limits { groups: 1, subnets: 5, short_lines: 10, cautions: true, event_lines: 10 },
    Limits { groups: 1, subnets: 1, short_lines: 5, cautions: true, event_lines: 10 },
    Limits { groups: 1, subnets: 0, short_lines: 0, cautions: true, event_lines: 10 },
    Limits { groups: 1, subnets: 0, short_lines: 0, cautions: false, event_lines: 10 },
    Limits { groups: 1, subnets: 0, short_lines: 0, cautions: false, event_lines: 3 },
];

/// A custom notification. The optional `id` of the schema is left out: it has to be unique, but two cards can be made
/// of the same facts (reminders).
#[derive(Serialize)]
struct Card {
    version: &'static str,
    source: &'static str,
    content: Content,
    metadata: Metadata,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    text_type: &'static str,
    title: String,
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next_steps: Vec<String>,
    keywords: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    thread_id: String,
    summary: String,
    event_type: &'static str,
    related_resources: Vec<String>,
    additional_context: BTreeMap<&'static str, String>,
}

/// One card about all findings. It describes the worst groups in full; the others get a short line or are only counted.
pub(super) fn messages(alerts: &AlertGroup<'_>) -> Vec<Message> {
    let groups = content::groups(alerts);
    let card = card(alerts, &groups);
    vec![Message {
        subject: subject(prose::message::headline(alerts, None, MAX_SUBJECT)),
        // A card contains only text, lists and objects: JSON can represent all of them.
        body: serde_json::to_string(&card).unwrap_or_default(),
        attributes: alerts.attributes(),
        finding_ids: alerts.finding_ids(),
    }]
}

fn card(alerts: &AlertGroup<'_>, groups: &[Group<'_>]) -> Card {
    let (limits, description) = description(alerts, groups);
    let full = &groups[..limits.groups.min(groups.len())];
    let icon = icon(alerts.open_severity());
    Card {
        version: "1.0",
        source: "custom",
        content: Content {
            text_type: "client-markdown",
            title: format!("{icon} {}", prose::message::headline(alerts, None, MAX_TITLE - 2)),
            description,
            next_steps: next_steps(alerts, full),
            keywords: keywords(alerts),
        },
        metadata: Metadata {
            thread_id: thread_id(alerts),
            summary: prose::message::first_line(alerts, groups),
            event_type: "gatewatch",
            related_resources: related_resources(alerts, full),
            additional_context: additional_context(alerts),
        },
    }
}

/// The id that all cards about one incident share, so that a chat shows them as one thread. Without an alert history:
/// one thread for each VPC.
fn thread_id(alerts: &AlertGroup<'_>) -> String {
    // A REST API is in no VPC.
    let vpc_id = if alerts.vpc_id.is_empty() { plain(alerts.region) } else { plain(alerts.vpc_id) };
    alerts.incident_started_at.map_or_else(|| vpc_id.clone(), |time| format!("{vpc_id}-{}", time.as_second()))
}

/// The length of a text in UTF-16 code units, as the chats count. AWS does not document how Amazon Q counts; this
/// number is never too low.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Untrusted text in a form that no chat interprets: see the top of this file.
pub(super) fn code(untrusted: &str) -> String {
    let quoted = quoted(untrusted);
    let mut shown = String::from("`");
    let mut before = ' ';
    for (at, c) in quoted.char_indices() {
        let rest = quoted.get(at + c.len_utf8()..).unwrap_or_default();
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '@' if before.is_alphanumeric() && rest.starts_with(char::is_alphanumeric) => shown.push(c),
            '@' | '`' => shown.extend(c.escape_unicode()),
            '/' if before == ':' && rest.starts_with('/') => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
        before = c;
    }
    shown.push('`');
    shown
}

fn line(Line { text, untrusted }: &Line<'_>) -> String {
    untrusted.map_or_else(|| text.clone(), |untrusted| format!("{text} {}", code(untrusted)))
}

/// A list. The hyphens keep each item on a line of its own: Teams joins lines without a hyphen into one paragraph.
fn list<'a>(lines: impl IntoIterator<Item = Line<'a>>) -> String {
    lines.into_iter().map(|each| format!("- {}", line(&each))).collect::<Vec<_>>().join("\n")
}

/// The most detailed description that fits, and its limits.
fn description(alerts: &AlertGroup<'_>, groups: &[Group<'_>]) -> (Limits, String) {
    let [.., least] = LIMITS;
    (LIMITS.into_iter())
        .map(|limits| (limits, describe(alerts, groups, limits)))
        .find(|(_, description)| length(description) <= MAX_DESCRIPTION)
        .unwrap_or_else(|| (least, describe(alerts, groups, least)))
}

/// The description within these limits.
fn describe(alerts: &AlertGroup<'_>, groups: &[Group<'_>], limits: Limits) -> String {
    let (full, others) = groups.split_at(limits.groups.min(groups.len()));
    let mut sections: Vec<String> =
        prose::message::caveat(alerts).map(|caveat| format!("_{caveat}_")).into_iter().collect();
    if groups.len() > 1 {
        sections.push(format!("*In short*\n{}", prose::message::first_line(alerts, groups)));
    }
    let only = if let [group] = groups { Some(group) } else { None };
    let facts = (only.and_then(prose::finding::only_subject).into_iter())
        .chain(prose::message::location(alerts))
        .chain(only.into_iter().flat_map(prose::finding::change));
    sections.push(list(facts));
    let what_happened = prose::message::what_happened(alerts);
    if !what_happened.is_empty() {
        sections.push(format!("*What happened*\n{}", list(what_happened.into_iter().take(limits.event_lines))));
    }
    for group in full {
        sections.extend(group_in_full(group, groups.len() > 1, limits.subnets));
    }
    if !others.is_empty() {
        sections.push(other_groups(alerts, others, limits.short_lines));
    }
    sections.extend(before_the_commands(&content::fixes(full), limits.cautions));
    if !others.is_empty() || full.iter().any(|group| group.subnets().len() > limits.subnets) {
        sections.push(
            "_The message on the JSON topic has all details, and so does the e-mail, if there is one._".to_owned(),
        );
    }
    sections.join("\n\n")
}

/// The sections about one group.
fn group_in_full(group: &Group<'_>, is_one_of_several: bool, max_subnets: usize) -> Vec<String> {
    let mut sections = Vec::new();
    if is_one_of_several {
        let facts = [prose::finding::subject(group)].into_iter().chain(prose::finding::change(group));
        sections.push(format!("*{}: {}*\n{}", group.label(), prose::finding::sentence(group), list(facts)));
    }
    let why = prose::finding::why_it_matters(group);
    if !why.is_empty() {
        sections.push(format!("*Why it matters*\n{}", list(why)));
    }
    let all = group.subnets().len();
    if all > 0 {
        let heading = if group.is_resolved() { "Subnets that were affected" } else { "Subnets affected" };
        let more = (all > max_subnets).then(|| Line::from(format!("and {} more", all - max_subnets.min(all))));
        let subnets = group.subnets().iter().take(max_subnets).map(prose::finding::subnet).chain(more);
        sections.push(format!("*{heading} ({all})*\n{}", list(subnets)));
    }
    sections
}

/// The groups that are not described in full: up to `max` of them in a short line each, then the number of the others.
fn other_groups(alerts: &AlertGroup<'_>, groups: &[Group<'_>], max: usize) -> String {
    let mut lines: Vec<Line<'_>> =
        groups.iter().take(max).map(|group| prose::finding::short_line(alerts, group).into()).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for group in groups.iter().skip(max) {
        *counts.entry(group.label()).or_default() += 1;
    }
    let and = if lines.is_empty() { "" } else { "and " };
    lines.extend(counts.into_iter().map(|(label, count)| format!("{and}{count} {label}").into()));
    format!("*And {} more*\n{}", groups.len(), list(lines))
}

/// What to know before applying these fixes, which are the next steps. A caution that holds for all
/// commands is there once; another one names its command. `None` without cautions.
fn before_the_commands(fixes: &[SharedFix<'_>], is_listed: bool) -> Option<String> {
    let common = content::common_cautions(fixes);
    let others = fixes.iter().flat_map(|fix| {
        let cautions = content::other_cautions(std::slice::from_ref(fix), &common);
        prose::caution::cautions(&cautions).into_iter().map(|caution| format!("For {}: {caution}", what_it_fixes(fix)))
    });
    let cautions: Vec<Line<'_>> = prose::caution::cautions(&common).into_iter().chain(others).map(Line::from).collect();
    if cautions.is_empty() {
        return None;
    }
    let cautions = if is_listed { cautions } else { vec![prose::caution::NO_ROOM_FOR_CAUTIONS.into()] };
    Some(format!("*{}*\n{}", prose::caution::heading(content::have_command(fixes)), list(cautions)))
}

/// The commands that fix these groups, and those that exempt them. Resolved groups have none.
fn next_steps(alerts: &AlertGroup<'_>, full: &[Group<'_>]) -> Vec<String> {
    let fixes = content::fixes(full);
    let open = full.iter().filter(|group| !group.is_resolved());
    let exemptions = open.map(|group| exemption_step(alerts, group));
    fixes.iter().flat_map(fix_steps).chain(exemptions).collect()
}

/// What a fix fixes, such as `S3 on 2 route tables` or `3 endpoints`.
fn what_it_fixes(fix: &SharedFix<'_>) -> String {
    let services = titles(&fix.services());
    match fix.count() {
        1 => format!("{services} on {}", plain(&fix.first().subject.id)),
        tables if fix.is_route() => format!("{services} on {}", counted(tables, "route table")),
        endpoints => counted(endpoints, "endpoint"),
    }
}

/// One step for each command. They are not joined by `&&`, because Slack and Teams need different forms of an
/// ampersand.
fn fix_steps(fix: &SharedFix<'_>) -> Vec<String> {
    let what = what_it_fixes(fix);
    let Some(commands) = fix.commands() else {
        if fix.needs_a_person() {
            let review = prose::finding::without_command(fix.first()).join(" ");
            return vec![step([format!("Fix {what}: {review}"), review])];
        }
        return vec![format!("Fix {what}: there is no command, because an id is not a valid AWS id.")];
    };
    let first = if fix.is_wait() && !fix.is_route() {
        format!("{what}: {}", prose::finding::wait(fix.first()))
    } else if fix.is_wait() {
        format!("Nothing to change yet for {what}. Check the state of the endpoint:")
    } else {
        format!("Fix {what}:")
    };
    (commands.iter().enumerate())
        .map(|(n, command)| {
            let lead = if n == 0 { &first } else { "If that succeeded, then:" };
            step([format!("{lead} `{command}`"), format!("`{command}`")])
        })
        .collect()
}

/// The step that exempts the route table of the group.
fn exemption_step(alerts: &AlertGroup<'_>, group: &Group<'_>) -> String {
    let tag = alerts.exempt_tag;
    let value = exemption::exempt_value(group.check(), &group.services(), group.exemption_in_force());
    let command = exemption::exempt_command(group.subject(), group.first().region(), tag, &value);
    let how = command.map_or_else(
        || format!("add a tag with the value `{value}` and the key {}", code(tag)),
        |command| format!("`{command}`"),
    );
    let lead = format!("Or exempt {}:", plain(group.subject_id()));
    let last_day =
        exemption::with_last_day(&value).map_or(String::new(), |value| format!("`{value}` ends after that day; "));
    step([
        format!("{lead} {how} ({last_day}the command keeps what the tag said at the check)"),
        format!("{lead} {how}"),
    ])
}

/// The first candidate that fits, or a reference to the JSON.
fn step<const N: usize>(candidates: [String; N]) -> String {
    (candidates.into_iter())
        .find(|step| length(step) <= MAX_NEXT_STEP)
        .unwrap_or_else(|| "A command is too long for this card. It is in the message on the JSON topic.".to_owned())
}

/// The words for a search in the chat, each once.
fn keywords(alerts: &AlertGroup<'_>) -> Vec<String> {
    let services: BTreeSet<String> = alerts.alerts.iter().map(|alert| plain(alert.service_name())).collect();
    let changes: BTreeSet<Change> = alerts.alerts.iter().map(|alert| alert.change()).collect();
    let mut keywords = vec!["gatewatch".to_owned(), alerts.label().to_owned()];
    keywords.extend(services);
    let checks: BTreeSet<CheckName> = alerts.alerts.iter().map(|alert| alert.check()).collect();
    let other_checks = checks.into_iter().filter(|check| *check != CheckName::GatewayRoute);
    keywords.extend(other_checks.map(|check| check.name().to_owned()));
    keywords.extend(changes.into_iter().map(|change| change.name().to_owned()));
    keywords.push(plain(alerts.region));
    let mut seen = BTreeSet::new();
    keywords.retain(|word| (1..=MAX_KEYWORD).contains(&length(word)) && seen.insert(word.to_lowercase()));
    keywords
}

/// The VPC, and the route tables and endpoints that are described in full. Malformed ids are left out.
fn related_resources(alerts: &AlertGroup<'_>, full: &[Group<'_>]) -> Vec<String> {
    let is_shown = |id: &&str| is_id(ids::ROUTE_TABLE, id) || is_id(ids::ENDPOINT, id);
    let subjects: BTreeSet<&str> = full.iter().map(Group::subject_id).filter(is_shown).collect();
    [alerts.vpc_id].into_iter().filter(|id| is_id(ids::VPC, id)).chain(subjects).map(str::to_owned).collect()
}

fn additional_context(alerts: &AlertGroup<'_>) -> BTreeMap<&'static str, String> {
    let mut context = BTreeMap::from([
        ("account", plain(alerts.account)),
        ("region", plain(alerts.region)),
        ("severity", alerts.severity().name().to_owned()),
        ("vpcId", plain(alerts.vpc_id)),
    ]);
    context.retain(|_, value| !value.is_empty());
    context
}

/// A card with a title and a text, and nothing else.
pub(super) fn plain_card(title: &str, description: &str) -> String {
    serde_json::json!({
        "version": "1.0",
        "source": "custom",
        "content": {"textType": "client-markdown", "title": title, "description": description}
    })
    .to_string()
}

/// The severity as a colour; a check mark if everything is resolved.
fn icon(severity: Option<Severity>) -> char {
    match severity {
        Some(Severity::High) => '🔴',
        Some(Severity::Medium) => '🟠',
        Some(Severity::Low) => '🟡',
        None => '✅',
    }
}
