//! The notice as a card for Amazon Q Developer in chat applications: one card per notice, in the schema of its custom
//! notifications (<https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>). Anything else on its topic,
//! such as plain text, it drops without a word.
//!
//! A card is written in the markup of the chat it ends in, Slack or Microsoft Teams, and nobody here knows which. So it uses
//! only what is the same in both (`*`, backticks, a hyphen before each line of a list), and shows what others wrote in one
//! way that is harmless in both:
//!
//! - on one line, in quotes, cut, with what is not visible as an escape: see [`quoted`];
//! - inside backticks, where neither chat reads markup: no bold, no emoji, no `[text](url)`;
//! - with `&`, `<` and `>` as entities. Slack reads `<!channel>`, `<@U123>` and `<url|text>` even inside backticks, and
//!   shows entities as the characters. Teams shows them as they are, which is ugly and safe;
//! - with what could end the backticks or begin something written as escapes: every backtick, the `@` of a name to be
//!   called (the one inside an e-mail address calls nobody), and the slashes behind the `:` of a URL. A bare domain may
//!   still be made a link; it is its own label then, and disguises nothing.
//!
//! Title, next steps, keywords and everything in `metadata` are made of ids and of our own words.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    alert_group::AlertGroup,
    content::{self, Group, TableFix},
    message::{MAX_SUBJECT, Message, counted, subject},
    prose, remediation,
    untrusted_text::{Line, plain, quoted},
};
use crate::{
    alerts::alert::Change,
    checks::severity::Severity,
    network::ids::{self, is_id},
};

/// The longest title, in characters.
const MAX_TITLE: usize = 250;

/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 8000;

/// The longest next step, in characters.
const MAX_NEXT_STEP: usize = 350;

/// The longest keyword, in characters.
const MAX_KEYWORD: usize = 75;

/// How much of a notice a card holds: so many groups in full, so many subnets of each, so many of the other groups by name.
#[derive(Clone, Copy, Debug)]
struct Limits {
    groups: usize,
    subnets: usize,
    briefs: usize,
}

/// From the most that people read in a chat to the least that always fits, whatever the names are.
const LIMITS: [Limits; 5] = [
    Limits { groups: 3, subnets: 10, briefs: 10 },
    Limits { groups: 2, subnets: 5, briefs: 10 },
    Limits { groups: 1, subnets: 5, briefs: 10 },
    Limits { groups: 1, subnets: 1, briefs: 5 },
    Limits { groups: 1, subnets: 0, briefs: 0 },
];

/// A custom notification. The `id` that the schema knows is left out: it is to be different for each notification, and what
/// is told twice (a reminder) is made of the same facts twice.
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

/// One card, which tells of every finding: the worst in full, of the others which they are or how many.
pub(super) fn messages(alerts: &AlertGroup<'_>) -> Vec<Message> {
    let groups = content::groups(alerts);
    let card = card(alerts, &groups);
    vec![Message {
        subject: subject(prose::headline(alerts, None, MAX_SUBJECT)),
        // A card holds text, lists and objects: there is nothing in it that JSON cannot say.
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
            title: format!("{icon} {}", prose::headline(alerts, None, MAX_TITLE - 2)),
            description,
            next_steps: next_steps(alerts, full),
            keywords: keywords(alerts),
        },
        metadata: Metadata {
            thread_id: thread_id(alerts),
            summary: prose::opening(alerts, groups),
            event_type: "gatewatch",
            related_resources: related_resources(alerts, full),
            additional_context: additional_context(alerts),
        },
    }
}

/// The same from the first word on a VPC's spell of trouble to the last; without a ledger there is one thread per VPC.
fn thread_id(alerts: &AlertGroup<'_>) -> String {
    let vpc_id = plain(alerts.vpc_id);
    alerts.incident_started_at.map_or_else(|| vpc_id.clone(), |began| format!("{vpc_id}-{}", began.as_second()))
}

/// The characters of a text as the chats count them. Nothing says how Amazon Q counts; this is never too few.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// What others wrote, so that no chat acts on it: see the head of this file.
fn code(theirs: &str) -> String {
    let quoted = quoted(theirs);
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

fn line(Line { ours, theirs }: &Line<'_>) -> String {
    theirs.map_or_else(|| ours.clone(), |theirs| format!("{ours} {}", code(theirs)))
}

/// A list: its items stay on lines of their own in Teams, too, which makes one paragraph of lines without a hyphen.
fn list<'a>(lines: impl IntoIterator<Item = Line<'a>>) -> String {
    lines.into_iter().map(|said| format!("- {}", line(&said))).collect::<Vec<_>>().join("\n")
}

/// The description that holds the most and fits, and how much that is.
fn description(alerts: &AlertGroup<'_>, groups: &[Group<'_>]) -> (Limits, String) {
    let [.., least] = LIMITS;
    (LIMITS.into_iter())
        .map(|limits| (limits, described(alerts, groups, limits)))
        .find(|(_, description)| length(description) <= MAX_DESCRIPTION)
        .unwrap_or_else(|| (least, described(alerts, groups, least)))
}

fn described(alerts: &AlertGroup<'_>, groups: &[Group<'_>], limits: Limits) -> String {
    let (full, others) = groups.split_at(limits.groups.min(groups.len()));
    let mut said: Vec<String> = prose::caveat(alerts).map(|caveat| format!("_{caveat}_")).into_iter().collect();
    if groups.len() > 1 {
        said.push(format!("*In short*\n{}", prose::opening(alerts, groups)));
    }
    let only = if let [group] = groups { Some(group) } else { None };
    let facts = (only.map(prose::table).into_iter())
        .chain(prose::place(alerts))
        .chain(only.into_iter().flat_map(prose::history));
    said.push(list(facts));
    let happened = prose::happened(alerts);
    if !happened.is_empty() {
        said.push(format!("*What happened*\n{}", list(happened)));
    }
    for group in full {
        said.extend(case_in_full(group, groups.len() > 1, limits.subnets));
    }
    if !others.is_empty() {
        said.push(in_brief(others, limits.briefs));
    }
    if !others.is_empty() || full.iter().any(|group| group.subnets().len() > limits.subnets) {
        said.push(
            "_The notice on the JSON topic holds all of it, and so does the e-mail where there is one._".to_owned(),
        );
    }
    said.join("\n\n")
}

fn case_in_full(group: &Group<'_>, is_one_of_several: bool, most_subnets: usize) -> Vec<String> {
    let mut said = Vec::new();
    if is_one_of_several {
        let facts = [prose::table(group)].into_iter().chain(prose::history(group));
        said.push(format!("*{}: {}*\n{}", group.label(), prose::sentence(group), list(facts)));
    }
    let why = prose::why(group);
    if !why.is_empty() {
        said.push(format!("*Why it matters*\n{}", list(why)));
    }
    let all = group.subnets().len();
    if all > 0 {
        let heading = if group.is_resolved() { "Subnets that were affected" } else { "Subnets affected" };
        let more = (all > most_subnets).then(|| Line::from(format!("and {} more", all - most_subnets.min(all))));
        let subnets = group.subnets().iter().take(most_subnets).map(prose::subnet).chain(more);
        said.push(format!("*{heading} ({all})*\n{}", list(subnets)));
    }
    said
}

/// The groups that are not told in full: by name as far as there is room, then by number.
fn in_brief(groups: &[Group<'_>], most: usize) -> String {
    let mut said: Vec<Line<'_>> = groups.iter().take(most).map(|group| prose::brief(group).into()).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for group in groups.iter().skip(most) {
        *counts.entry(group.label()).or_default() += 1;
    }
    let and = if said.is_empty() { "" } else { "and " };
    said.extend(counts.into_iter().map(|(label, count)| format!("{and}{count} {label}").into()));
    format!("*And {} more*\n{}", groups.len(), list(said))
}

/// The commands that fix these groups, and those that exempt them. None for what is over.
fn next_steps(alerts: &AlertGroup<'_>, full: &[Group<'_>]) -> Vec<String> {
    let fixes = content::fixes(full);
    let standing = full.iter().filter(|group| !group.is_resolved());
    let exempting = standing.map(|group| exempting_step(alerts, group));
    fixes.iter().flat_map(fix_steps).chain(exempting).collect()
}

/// A step for each command. `&&` would join them in a shell, but the chats disagree on how to write an ampersand.
fn fix_steps(fix: &TableFix<'_>) -> Vec<String> {
    let service = fix.service().title();
    let what = match fix.tables.as_slice() {
        [table] => format!("{service} on {}", plain(table)),
        tables => format!("{service} on {}", counted(tables.len(), "route table")),
    };
    let Some(commands) = fix.commands() else {
        return vec![format!("Fix {what}: there is no command, because an id is not what AWS would give.")];
    };
    let first = if fix.is_wait() {
        format!("Nothing to change yet for {what}; look at the endpoint again:")
    } else {
        format!("Fix {what}:")
    };
    (commands.iter().enumerate())
        .map(|(n, command)| {
            let lead = if n == 0 { &first } else { "Then, if that worked:" };
            step([format!("{lead} `{command}`"), format!("`{command}`")])
        })
        .collect()
}

fn exempting_step(alerts: &AlertGroup<'_>, group: &Group<'_>) -> String {
    let tag = alerts.exempt_tag;
    let value = remediation::exempt_value(&group.services());
    let command = remediation::exempt_command(group.table_id(), group.first().region(), tag, &value);
    let how = command.map_or_else(
        || format!("tag it with the value `{value}` and the key {}", code(tag)),
        |command| format!("`{command}`"),
    );
    let lead = format!("Or exempt {}:", plain(group.table_id()));
    step([
        format!("{lead} {how} (`{value} until=YYYY-MM-DD` ends by itself; an older value is replaced)"),
        format!("{lead} {how}"),
    ])
}

/// The first of these that fits.
fn step<const N: usize>(candidates: [String; N]) -> String {
    (candidates.into_iter())
        .find(|step| length(step) <= MAX_NEXT_STEP)
        .unwrap_or_else(|| "A command is too long for a card: it is in the notice on the JSON topic.".to_owned())
}

fn keywords(alerts: &AlertGroup<'_>) -> Vec<String> {
    let services: BTreeSet<&str> = alerts.alerts.iter().map(|alert| alert.service().name()).collect();
    let changes: BTreeSet<Change> = alerts.alerts.iter().map(|alert| alert.change()).collect();
    let mut keywords = vec!["gatewatch".to_owned(), alerts.label().to_owned()];
    keywords.extend(services.into_iter().map(str::to_owned));
    keywords.extend(changes.into_iter().map(|change| change.name().to_owned()));
    keywords.push(plain(alerts.region));
    let mut seen = BTreeSet::new();
    keywords.retain(|word| (1..=MAX_KEYWORD).contains(&length(word)) && seen.insert(word.to_lowercase()));
    keywords
}

/// The VPC, and the tables that are told in full.
fn related_resources(alerts: &AlertGroup<'_>, full: &[Group<'_>]) -> Vec<String> {
    let tables: BTreeSet<&str> = full.iter().map(Group::table_id).filter(|id| is_id(ids::ROUTE_TABLE, id)).collect();
    [alerts.vpc_id].into_iter().filter(|id| is_id(ids::VPC, id)).chain(tables).map(str::to_owned).collect()
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

/// The severity as a colour; a check mark where all is over.
fn icon(severity: Option<Severity>) -> char {
    match severity {
        Some(Severity::High) => '🔴',
        Some(Severity::Medium) => '🟠',
        Some(Severity::Low) => '🟡',
        None => '✅',
    }
}
