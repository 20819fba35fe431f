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
    Change, MAX_SUBJECT, Message, Notification, counted, subject,
    words::{self, Case, Fix, Line, quoted},
};
use crate::ids::{self, is_id};

/// The longest title, in characters.
const MAX_TITLE: usize = 250;

/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 8000;

/// The longest next step, in characters.
const MAX_NEXT_STEP: usize = 350;

/// The longest keyword, in characters.
const MAX_KEYWORD: usize = 75;

/// How much of a notice a card holds: so many cases in full, so many subnets of each, so many of the other cases by name.
#[derive(Clone, Copy, Debug)]
struct Measure {
    cases: usize,
    subnets: usize,
    briefs: usize,
}

/// From the most that people read in a chat to the least that always fits, whatever the names are.
const MEASURES: [Measure; 5] = [
    Measure { cases: 3, subnets: 10, briefs: 10 },
    Measure { cases: 2, subnets: 5, briefs: 10 },
    Measure { cases: 1, subnets: 5, briefs: 10 },
    Measure { cases: 1, subnets: 1, briefs: 5 },
    Measure { cases: 1, subnets: 0, briefs: 0 },
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
pub(super) fn messages(told: &Notification<'_>) -> Vec<Message> {
    let cases = words::cases(told);
    let card = card(told, &cases);
    vec![Message {
        subject: subject(words::headline(told, None, MAX_SUBJECT)),
        // A card holds text, lists and objects: there is nothing in it that JSON cannot say.
        body: serde_json::to_string(&card).unwrap_or_default(),
        attributes: told.attributes(),
        finding_ids: told.finding_ids(),
    }]
}

fn card(told: &Notification<'_>, cases: &[Case<'_>]) -> Card {
    let (measure, description) = description(told, cases);
    let full = &cases[..measure.cases.min(cases.len())];
    let sign = words::sign(told.standing_severity());
    Card {
        version: "1.0",
        source: "custom",
        content: Content {
            text_type: "client-markdown",
            title: format!("{sign} {}", words::headline(told, None, MAX_TITLE - 2)),
            description,
            next_steps: next_steps(told, full),
            keywords: keywords(told),
        },
        metadata: Metadata {
            thread_id: thread_id(told),
            summary: words::opening(told, cases),
            event_type: "gatewatch",
            related_resources: related_resources(told, full),
            additional_context: additional_context(told),
        },
    }
}

/// The same from the first word on a VPC's spell of trouble to the last; without a ledger there is one thread per VPC.
fn thread_id(told: &Notification<'_>) -> String {
    let vpc_id = words::plain(told.vpc_id);
    told.thread.map_or_else(|| vpc_id.clone(), |began| format!("{vpc_id}-{}", began.as_second()))
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
fn description(told: &Notification<'_>, cases: &[Case<'_>]) -> (Measure, String) {
    let [.., least] = MEASURES;
    (MEASURES.into_iter())
        .map(|measure| (measure, described(told, cases, measure)))
        .find(|(_, description)| length(description) <= MAX_DESCRIPTION)
        .unwrap_or_else(|| (least, described(told, cases, least)))
}

fn described(told: &Notification<'_>, cases: &[Case<'_>], measure: Measure) -> String {
    let (full, others) = cases.split_at(measure.cases.min(cases.len()));
    let mut said: Vec<String> = words::doubt(told).map(|doubt| format!("_{doubt}_")).into_iter().collect();
    if cases.len() > 1 {
        said.push(format!("*In short*\n{}", words::opening(told, cases)));
    }
    let only = if let [case] = cases { Some(case) } else { None };
    let facts =
        (only.map(Case::table).into_iter()).chain(words::place(told)).chain(only.into_iter().flat_map(Case::history));
    said.push(list(facts));
    let happened = words::happened(told);
    if !happened.is_empty() {
        said.push(format!("*What happened*\n{}", list(happened)));
    }
    for case in full {
        said.extend(case_in_full(case, cases.len() > 1, measure.subnets));
    }
    if !others.is_empty() {
        said.push(in_brief(others, measure.briefs));
    }
    if !others.is_empty() || full.iter().any(|case| case.subnets().len() > measure.subnets) {
        said.push(
            "_The notice on the JSON topic holds all of it, and so does the e-mail where there is one._".to_owned(),
        );
    }
    said.join("\n\n")
}

fn case_in_full(case: &Case<'_>, is_one_of_several: bool, most_subnets: usize) -> Vec<String> {
    let mut said = Vec::new();
    if is_one_of_several {
        let facts = [case.table()].into_iter().chain(case.history());
        said.push(format!("*{}: {}*\n{}", case.label(), case.sentence(), list(facts)));
    }
    let why = case.why();
    if !why.is_empty() {
        said.push(format!("*Why it matters*\n{}", list(why)));
    }
    let all = case.subnets().len();
    if all > 0 {
        let heading = if case.is_resolved() { "Subnets that were affected" } else { "Subnets affected" };
        let more = (all > most_subnets).then(|| Line::from(format!("and {} more", all - most_subnets.min(all))));
        let subnets = case.subnets().iter().take(most_subnets).map(words::subnet).chain(more);
        said.push(format!("*{heading} ({all})*\n{}", list(subnets)));
    }
    said
}

/// The cases that are not told in full: by name as far as there is room, then by number.
fn in_brief(cases: &[Case<'_>], most: usize) -> String {
    let mut said: Vec<Line<'_>> = cases.iter().take(most).map(|case| words::brief(case).into()).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases.iter().skip(most) {
        *counts.entry(case.label()).or_default() += 1;
    }
    let and = if said.is_empty() { "" } else { "and " };
    said.extend(counts.into_iter().map(|(label, count)| format!("{and}{count} {label}").into()));
    format!("*And {} more*\n{}", cases.len(), list(said))
}

/// The commands that fix these cases, and those that exempt them. None for what is over.
fn next_steps(told: &Notification<'_>, full: &[Case<'_>]) -> Vec<String> {
    let fixes = words::fixes(full);
    let standing = full.iter().filter(|case| !case.is_resolved());
    let exempting = standing.map(|case| exempting_step(told, case));
    fixes.iter().flat_map(fix_steps).chain(exempting).collect()
}

/// A step for each command. What the shell would join by `&&` are two: the chats disagree on how to write an ampersand.
fn fix_steps(fix: &Fix<'_>) -> Vec<String> {
    let tables: Vec<String> = fix.tables.iter().map(|table| words::plain(table)).collect();
    let what = match tables.as_slice() {
        [table] => format!("{} on {table}", fix.service.title()),
        tables => format!("{} on {}", fix.service.title(), counted(tables.len(), "route table")),
    };
    let Some(command) = &fix.command else {
        return vec![format!("Fix {what}: there is no command, because an id is not what AWS would give.")];
    };
    let first = if fix.is_to_wait() {
        format!("Nothing to change yet for {what}; look at the endpoint again:")
    } else {
        format!("Fix {what}:")
    };
    (command.split(" && ").enumerate())
        .map(|(n, command)| {
            let lead = if n == 0 { &first } else { "Then, if that worked:" };
            step([format!("{lead} `{command}`"), format!("`{command}`")])
        })
        .collect()
}

fn exempting_step(told: &Notification<'_>, case: &Case<'_>) -> String {
    let table = words::plain(case.table_id());
    let value = case.exempting_value();
    let how = case.exempting_command(told.exempt_tag).map_or_else(
        || format!("tag it with the value `{value}` and the key {}", code(told.exempt_tag)),
        |command| format!("`{command}`"),
    );
    let lead = format!("Or exempt {table}:");
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

fn keywords(told: &Notification<'_>) -> Vec<String> {
    let services: BTreeSet<&str> = told.notices.iter().map(|notice| notice.finding.service.name()).collect();
    let changes: BTreeSet<Change> = told.notices.iter().map(|notice| notice.change).collect();
    let mut keywords = vec!["gatewatch".to_owned(), told.label().to_owned()];
    keywords.extend(services.into_iter().map(str::to_owned));
    keywords.extend(changes.into_iter().map(|change| change.name().to_owned()));
    keywords.push(words::plain(told.region));
    let mut seen = BTreeSet::new();
    keywords.retain(|word| (1..=MAX_KEYWORD).contains(&length(word)) && seen.insert(word.to_lowercase()));
    keywords
}

/// The VPC, and the tables that are told in full.
fn related_resources(told: &Notification<'_>, full: &[Case<'_>]) -> Vec<String> {
    let tables: BTreeSet<&str> = full.iter().map(Case::table_id).filter(|id| is_id(ids::ROUTE_TABLE, id)).collect();
    [told.vpc_id].into_iter().filter(|id| is_id(ids::VPC, id)).chain(tables).map(str::to_owned).collect()
}

fn additional_context(told: &Notification<'_>) -> BTreeMap<&'static str, String> {
    let mut context = BTreeMap::from([
        ("account", words::plain(told.account)),
        ("region", words::plain(told.region)),
        ("severity", told.severity().name().to_owned()),
        ("vpcId", words::plain(told.vpc_id)),
    ]);
    context.retain(|_, value| !value.is_empty());
    context
}
