//! What a notice says to people, line by line and in no form yet: the e-mail and the chat card say the same, each in its
//! own markup.
//!
//! Text that somebody else wrote stands at the end of its line and nowhere else. So letters that run from right to left
//! have nothing of ours behind them to carry away, and each form needs only one way to show such text: see [`Line`].

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use jiff::Timestamp;

use super::{Notification, counted};
use crate::{
    finding::{Finding, Gap, SubnetRef},
    ids::{self, is_id},
    ledger::LedgerState,
    notice::{Cause, Change, Notice, in_words},
    payload::Trigger,
    reason::way,
    service::GatewayService,
    severity::Severity,
    vpc::{Target, TargetKind},
};

/// A line: our words, and perhaps somebody else's behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Ids and our own words: see [`plain`].
    pub(super) ours: String,
    /// A name, a principal. Not to be shown before it is made harmless: see [`quoted`].
    pub(super) theirs: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn with(ours: impl Into<String>, theirs: Option<&'a str>) -> Self {
        Self { ours: ours.into(), theirs }
    }
}

impl<S: Into<String>> From<S> for Line<'_> {
    fn from(ours: S) -> Self {
        Self::with(ours, None)
    }
}

/// The longest text of somebody else's, in characters as shown: the ARN of a role's session fits, whose end says who it is.
const MAX_THEIRS: usize = 180;

/// Somebody else's text, on one line, in quotes and cut to [`MAX_THEIRS`].
///
/// What is not visible is written as an escape: line breaks and other control characters, marks that turn the direction of
/// writing, characters without width.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    let mut length = 0;
    for (n, c) in text.chars().enumerate() {
        let escaped: String = match c {
            '\'' => c.into(),
            // What combines with the character before it is part of many names. Alone it would combine with our quote.
            _ if n > 0 => format!("a{c}").escape_debug().skip(1).collect(),
            _ => c.escape_debug().collect(),
        };
        length += escaped.chars().count();
        if length > MAX_THEIRS {
            shown.push('…');
            break;
        }
        shown.push_str(&escaped);
    }
    shown.push('"');
    shown
}

/// An id, a zone or a Region. AWS makes these of letters, digits and a few signs; whatever else an emulator might put
/// there is left out, so that it is no markup and no line.
pub(super) fn plain(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(*c)).collect()
}

/// A moment, to the minute.
fn moment(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Such as `S3`, `S3 and DynamoDB`.
fn in_a_row(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Findings of one table that differ in the service alone: they are told in one breath.
#[derive(Clone, Debug)]
pub(super) struct Case<'a> {
    /// Holds what they have in common.
    first: &'a Notice,
    /// All of them.
    notices: Vec<&'a Notice>,
}

/// What there is to tell, case by case: what stands before what is over, the worst first.
pub(super) fn cases<'a>(told: &Notification<'a>) -> Vec<Case<'a>> {
    let mut notices = told.notices.clone();
    notices.sort_by_key(|notice| (notice.is_resolved(), Reverse(notice.finding.severity)));
    let mut cases: Vec<Case<'a>> = Vec::new();
    for notice in notices {
        match cases.last_mut() {
            Some(case) if case.takes(notice) => case.notices.push(notice),
            _ => cases.push(Case { first: notice, notices: vec![notice] }),
        }
    }
    for case in &mut cases {
        case.notices.sort_by_key(|notice| Reverse(notice.finding.service));
    }
    cases
}

impl<'a> Case<'a> {
    fn takes(&self, notice: &Notice) -> bool {
        let Notice { finding, change, since, resolution } = notice;
        let first = self.finding();
        first.route_table.id == finding.route_table.id
            && first.severity == finding.severity
            && first.egress == finding.egress
            && (self.first.change, self.first.since, self.first.resolution) == (*change, *since, *resolution)
            && first.subnets == finding.subnets
    }

    fn finding(&self) -> &'a Finding {
        &self.first.finding
    }

    /// The id of the table.
    pub(super) fn table_id(&self) -> &'a str {
        &self.finding().route_table.id
    }

    /// The subnets that are affected, or were.
    pub(super) fn subnets(&self) -> &'a [SubnetRef] {
        &self.finding().subnets
    }

    /// Whether it is over.
    pub(super) fn is_resolved(&self) -> bool {
        self.first.is_resolved()
    }

    /// The ids of its findings.
    pub(super) fn finding_ids(&self) -> BTreeSet<String> {
        self.notices.iter().map(|notice| notice.finding.id.clone()).collect()
    }

    /// The severity, or that it is over.
    pub(super) fn label(&self) -> &'static str {
        if self.is_resolved() { "RESOLVED" } else { self.finding().severity.name() }
    }

    fn services(&self) -> Vec<GatewayService> {
        services(self.notices.iter().copied())
    }

    /// Such as `S3 and DynamoDB`.
    pub(super) fn service_titles(&self) -> String {
        titles(&self.services())
    }

    /// What is wrong and where, or how that ended.
    pub(super) fn sentence(&self) -> String {
        let (table, service) = (plain(self.table_id()), self.service_titles());
        let region = plain(&self.finding().region);
        match self.first.resolution.map(|resolution| resolution.cause) {
            _ if !self.is_resolved() => format!("{table} in {region} has no gateway route to {service}."),
            Some(Cause::Covered) => format!("{table} in {region} has a gateway route to {service} again."),
            Some(Cause::Exempt) => {
                format!("{table} in {region} is exempt now: it needs no gateway route to {service}.")
            }
            Some(Cause::TableDeleted) => {
                format!("{table} in {region} was deleted. It had no gateway route to {service}.")
            }
            Some(Cause::VpcDeleted) => {
                format!("{table} in {region} was deleted with its VPC. It had no gateway route to {service}.")
            }
            Some(Cause::EdgeTable) => format!(
                "{table} in {region} carries ingress traffic of a gateway now: it needs no gateway route to {service}."
            ),
            Some(Cause::NotRequired) => {
                format!("{table} in {region} needs no gateway route to {service} any more.")
            }
            None => format!("{table} in {region}: the problem with {service} is over."),
        }
    }

    /// The table, with its name.
    pub(super) fn table(&self) -> Line<'a> {
        let table = &self.finding().route_table;
        let main = if table.main { " (main)" } else { "" };
        Line::with(format!("Route table: {}{main}", plain(&table.id)), table.name.as_deref())
    }

    /// What has happened to it since people last heard of it. Without a ledger nobody knows.
    pub(super) fn history(&self) -> Vec<Line<'a>> {
        let since = self.first.since.map(moment);
        let news = match self.first.change {
            Change::Reported => return Vec::new(),
            Change::Opened => {
                return vec![since.map_or("New.".to_owned(), |since| format!("New: first seen {since}.")).into()];
            }
            Change::Worsened => "Worse than when it was last told: more severe, or more subnets.".to_owned(),
            Change::Changed => "Changed since it was last told: something else is missing now.".to_owned(),
            Change::Reminder => "Reminder: this still stands.".to_owned(),
            Change::Resolved => {
                let stood = self.first.resolution.map_or(0, |resolution| resolution.stood_seconds);
                format!("The problem stood for {}.", in_words(stood))
            }
        };
        [Some(news), since.map(|since| format!("Known since {since}."))].into_iter().flatten().map(Line::from).collect()
    }

    /// Why it matters: what is missing, and what the traffic does instead. Nothing of what is over.
    pub(super) fn why(&self) -> Vec<Line<'a>> {
        if self.is_resolved() {
            return Vec::new();
        }
        let missing = self.notices.iter().map(|notice| missing(&notice.finding));
        missing.chain(self.consequences()).chain(self.interface_endpoints()).map(Line::from).collect()
    }

    /// It claims a saving only for a NAT gateway: that is the only way out that is charged per byte and that the endpoint
    /// takes the traffic off (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-pricing.html>).
    fn consequences(&self) -> Vec<String> {
        let service = self.service_titles();
        let (subnets, reach) = match self.subnets().len() {
            0 => return vec!["No subnet uses the table now: nothing is affected yet.".to_owned()],
            1 => ("1 subnet".to_owned(), "reaches"),
            n => (format!("{n} subnets"), "reach"),
        };
        let Target { kind, id } = &self.finding().egress;
        let target = id.as_deref().map_or("of unknown id".to_owned(), plain);
        match kind {
            TargetKind::NatGateway => vec![
                format!("{subnets} {reach} {service} through NAT gateway {target}."),
                "The NAT gateway charges for every GB; a gateway endpoint charges nothing.".to_owned(),
            ],
            TargetKind::InternetGateway => vec![
                format!("{subnets} {reach} {service} at public addresses, through internet gateway {target}."),
                "That works for what has a public address, and costs nothing extra.".to_owned(),
            ],
            TargetKind::None => {
                let by_way = |notice: &&Notice| notice.finding.interface_endpoint.is_some();
                let unreached = services(self.notices.iter().copied().filter(|notice| !by_way(notice)));
                let mut said = vec!["The table has no default route.".to_owned()];
                if !unreached.is_empty() {
                    let are = if unreached.len() == 1 { "is" } else { "are" };
                    said.push(format!("{} {are} out of reach for {subnets}.", titles(&unreached)));
                }
                said
            }
            kind => vec![
                format!("{subnets} can reach {service} by way of {} {target}.", way(*kind)),
                "Whether that works and what it costs depends on what is behind it.".to_owned(),
            ],
        }
    }

    fn interface_endpoints(&self) -> Vec<String> {
        let no_other_way = self.finding().egress.kind == TargetKind::None && !self.subnets().is_empty();
        (self.notices.iter())
            .filter_map(|notice| {
                let id = plain(&notice.finding.interface_endpoint.as_ref()?.id);
                let service = notice.finding.service.title();
                Some(if no_other_way {
                    format!("Only interface endpoint {id} leads to {service}. It does not cover the table.")
                } else {
                    format!("Interface endpoint {id} for {service} does not cover the table.")
                })
            })
            .collect()
    }

    /// The command that exempts the table. None where an id, the Region or the key is not what belongs there: such text
    /// never becomes a command.
    pub(super) fn exempting_command(&self, tag: &str) -> Option<String> {
        let (table, region) = (self.table_id(), &self.finding().region);
        let is_region = !region.is_empty() && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        // The characters that EC2 takes in a tag. None of them ends a single quote or a string of JSON.
        let is_key = !tag.is_empty() && tag.chars().all(|c| c.is_alphanumeric() || " +-=._:/@".contains(c));
        if !is_id(ids::ROUTE_TABLE, table) || !is_region || !is_key {
            return None;
        }
        let value = self.exempting_value();
        let is_one_word = tag.chars().all(|c| c.is_ascii_alphanumeric() || "-._:/".contains(c))
            && tag.starts_with(|c: char| c.is_ascii_alphanumeric());
        let tags = if is_one_word {
            format!("Key={tag},Value={value}")
        } else {
            format!("'[{{\"Key\":\"{tag}\",\"Value\":\"{value}\"}}]'")
        };
        Some(format!("aws ec2 create-tags --region {region} --resources {table} --tags {tags}"))
    }

    /// The value of the tag that exempts the table for these services: a word, so that no shell has to be told.
    pub(super) fn exempting_value(&self) -> String {
        self.services().into_iter().map(GatewayService::name).collect::<Vec<_>>().join("/")
    }
}

/// What leads to a service again.
#[derive(Clone, Debug)]
pub(super) struct Fix<'a> {
    /// The service.
    pub(super) service: GatewayService,
    /// The tables that it is for.
    pub(super) tables: BTreeSet<&'a str>,
    /// The command. None where an id is not shaped as AWS shapes it.
    pub(super) command: Option<String>,
}

impl Fix<'_> {
    /// Whether the command only looks: there is nothing to change before the endpoint has become something.
    pub(super) fn is_to_wait(&self) -> bool {
        self.command.as_ref().is_some_and(|command| command.starts_with("aws ec2 describe-"))
    }
}

/// What fixes these cases. Nothing for what is over.
///
/// Commands that differ in the table they end with become one, which lists the tables: whoever ran one after the other
/// would make an endpoint for each, or delete the same one twice.
pub(super) fn fixes<'a>(cases: &[Case<'a>]) -> Vec<Fix<'a>> {
    let mut fixes: Vec<Fix<'a>> = Vec::new();
    let mut places: HashMap<(GatewayService, &str), usize> = HashMap::new();
    for notice in cases.iter().flat_map(|case| &case.notices).filter(|notice| !notice.is_resolved()) {
        let (service, table) = (notice.finding.service, notice.finding.route_table.id.as_str());
        let command = notice.finding.remediation.aws_cli.as_deref();
        let before_table = command
            .and_then(|command| command.strip_suffix(table))
            .filter(|before_table| before_table.ends_with("-route-table-ids "));
        let place = before_table.map(|before_table| *places.entry((service, before_table)).or_insert(fixes.len()));
        match place.and_then(|place| fixes.get_mut(place)) {
            Some(fix) => {
                fix.command = fix.command.take().map(|command| format!("{command} {table}"));
                fix.tables.insert(table);
            }
            None => fixes.push(Fix { service, tables: [table].into(), command: command.map(str::to_owned) }),
        }
    }
    fixes
}

/// The services of findings, each once.
fn services<'a>(notices: impl Iterator<Item = &'a Notice>) -> Vec<GatewayService> {
    let services: BTreeSet<GatewayService> = notices.map(|notice| notice.finding.service).collect();
    // S3 before DynamoDB, as people say it.
    services.into_iter().rev().collect()
}

/// Such as `S3 and DynamoDB`.
pub(super) fn titles(services: &[GatewayService]) -> String {
    in_a_row(&services.iter().map(|service| service.title()).collect::<Vec<_>>())
}

fn missing(finding: &Finding) -> String {
    let service = finding.service.title();
    let (id, state) = (finding.endpoint.as_ref())
        .map_or((String::new(), String::new()), |endpoint| (plain(&endpoint.id), plain(&endpoint.state)));
    match finding.gap {
        Gap::RouteInactive => {
            format!("Endpoint {id} for {service} lists the table, but the table has no active route to it.")
        }
        Gap::EndpointNotAvailable => format!("Endpoint {id} for {service} lists the table, but its state is {state}."),
        Gap::NotAssociated => format!("Endpoint {id} for {service} is in the VPC, but does not list the table."),
        Gap::NoEndpoint => format!("The VPC has no available gateway endpoint for {service}."),
    }
}

/// A subnet, with its name.
pub(super) fn subnet(subnet: &SubnetRef) -> Line<'_> {
    let facts = [Some(&subnet.id), subnet.availability_zone.as_ref(), subnet.cidr.as_ref()];
    let facts: Vec<String> = facts.into_iter().flatten().map(|fact| plain(fact)).collect();
    Line::with(facts.join(" "), subnet.name.as_deref())
}

/// Where all of it is.
pub(super) fn place<'a>(told: &Notification<'a>) -> Vec<Line<'a>> {
    let mut lines = vec![
        Line::with(format!("VPC: {}", plain(told.vpc_id)), told.vpc_name),
        format!("Region: {}", plain(told.region)).into(),
    ];
    if !told.account.is_empty() {
        lines.push(format!("Account: {}", plain(told.account)).into());
    }
    lines
}

/// Who did what and when; or what else made gatewatch look.
pub(super) fn happened<'a>(told: &Notification<'a>) -> Vec<Line<'a>> {
    let mut lines = match told.trigger {
        None => return Vec::new(),
        Some(Trigger::ApiCall { event_name, event_time, principal, invoked_by, .. }) => {
            let when = event_time.as_deref().map(|time| match time.parse::<Timestamp>() {
                Ok(time) => format!("When: {}", moment(time)).into(),
                Err(_) => Line::with("When:", Some(time)),
            });
            let who = principal.as_deref().map(|principal| Line::with("Who:", Some(principal)));
            let through = invoked_by.as_deref().map(|service| Line::with("Through:", Some(service)));
            let call = Line::with("API call:", Some(event_name.as_str()));
            [Some(call), when, who, through].into_iter().flatten().collect()
        }
        Some(Trigger::ConfigItem) => vec!["AWS Config recorded a change.".into()],
        Some(Trigger::Schedule) => {
            vec!["The scheduled sweep came by. No single change is known to be the cause.".into()]
        }
        Some(Trigger::Manual) => vec!["Somebody asked for this check.".into()],
    };
    if told.triggers > 1 {
        lines.push(format!("This is the newest of {} events that touched the VPC.", told.triggers).into());
    }
    lines
}

/// That nobody knows whether this is news.
pub(super) fn doubt(told: &Notification<'_>) -> Option<&'static str> {
    (told.ledger == LedgerState::Unavailable)
        .then_some("What was told before could not be looked up: this may be a repetition.")
}

/// The first line: what is wrong and where.
pub(super) fn opening(told: &Notification<'_>, cases: &[Case<'_>]) -> String {
    if let [case] = cases {
        return format!("{}: {}", case.label(), case.sentence());
    }
    let place = format!("{} in {}", plain(told.vpc_id), plain(told.region));
    let over = match told.resolved().count() {
        0 => String::new(),
        1 => " 1 other problem is over.".to_owned(),
        n => format!(" {n} other problems are over."),
    };
    let standing = services(told.standing());
    if standing.is_empty() {
        return format!("{}: {} problems with gateway routes of {place} are over.", told.label(), told.notices.len());
    }
    let tables = counted(tables(told.standing()).len(), "route table");
    format!("{}: no gateway route to {} from {tables} of {place}.{over}", told.label(), titles(&standing))
}

/// One line for one of several cases.
pub(super) fn brief(case: &Case<'_>) -> String {
    format!("{} {}: {}", case.label(), plain(case.table_id()), case.service_titles())
}

fn tables<'a>(notices: impl Iterator<Item = &'a Notice>) -> BTreeSet<&'a str> {
    notices.map(|notice| notice.finding.route_table.id.as_str()).collect()
}

/// Severity, what and where, in at most so many characters where that can be done. Ids and our own words alone.
pub(super) fn headline(told: &Notification<'_>, part: Option<(usize, usize)>, max: usize) -> String {
    let (label, region) = (told.label(), plain(told.region));
    let all_over = told.standing_severity().is_none();
    let news: BTreeSet<Change> = told.standing().map(|notice| notice.change).collect();
    let what = match news.first() {
        None => "Gateway route",
        Some(Change::Worsened) if news.len() == 1 => "Worse: no gateway route",
        Some(Change::Changed) if news.len() == 1 => "Changed: no gateway route",
        Some(Change::Reminder) if news.len() == 1 => "Still no gateway route",
        Some(_) => "No gateway route",
    };
    let (services, tables) = if all_over {
        (services(told.resolved()), tables(told.resolved()))
    } else {
        (services(told.standing()), tables(told.standing()))
    };
    let to = format!(" to {}", titles(&services));
    let within = format!(" in {}", plain(told.vpc_id));
    let one_table = tables.len() == 1;
    let on = if one_table { tables.into_iter().map(plain).collect() } else { counted(tables.len(), "route table") };
    let over = match told.resolved().count() {
        0 => String::new(),
        _ if all_over => String::new(),
        n => format!(", {n} resolved"),
    };
    let part = part.map_or(String::new(), |(index, count)| format!(" (part {index} of {count})"));
    let written = |to: &str, within: &str| format!("[{label}] {what}{to}: {on}{within}, {region}{over}{part}");
    // A table's id says in which VPC it is; a number of tables does not.
    let shorter =
        if one_table { [(to.as_str(), ""), ("", within.as_str())] } else { [("", within.as_str()), ("", "")] };
    let written = [(to.as_str(), within.as_str())].into_iter().chain(shorter).map(|(to, within)| written(to, within));
    let written: Vec<String> = written.collect();
    let fits = written.iter().find(|text| text.len() <= max).or(written.last());
    fits.cloned().unwrap_or_default()
}

/// The severity as a colour; a check mark where all is over.
pub(super) fn sign(severity: Option<Severity>) -> char {
    match severity {
        Some(Severity::High) => '🔴',
        Some(Severity::Medium) => '🟠',
        Some(Severity::Low) => '🟡',
        None => '✅',
    }
}
