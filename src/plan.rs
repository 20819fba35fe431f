//! What is to be told now, given what has been told before.
//!
//! | given, in the ledger | and now | then |
//! |---|---|---|
//! | nothing, or a finding that is over | a finding | `opened` |
//! | an open finding | of a higher severity, or with subnets that were not in it | `worsened` |
//! | an open finding | another gap | `changed` |
//! | an open finding, last told so many days ago | the same | `reminder` |
//! | an open finding | the same or better | nothing is told; what is better is noted |
//! | an open finding | covered, exempt or gone | `resolved` |
//! | anything that not every channel has had | nothing new | the same again, to those that lack it |
//! | no ledger, or one that cannot be read | a finding | `reported` |
//!
//! Below the least severity nothing is opened, nothing gets worse and nobody is reminded; but what was told is told as
//! resolved, however small it had become.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

mod over;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use self::over::Over;
use crate::{
    channel::Channel,
    error::Error,
    exemption::Exempt,
    finding::Finding,
    home::Home,
    ledger::{Book, Entry, Ledger, Page},
    notice::{Change, Notice},
    service::GatewayService,
    severity::Severity,
    touched::Touched,
    vpc::Network,
};

/// What people who deployed gatewatch want to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What every table needs a gateway route to.
    pub required_services: BTreeSet<GatewayService>,
    /// Findings below it are not told.
    pub min_severity: Severity,
    /// After how long a finding is told again that nobody has acted on.
    pub remind_after: Option<SignedDuration>,
    /// The channels there are.
    pub channels: BTreeSet<Channel>,
}

/// What was seen of the tables that the records touched.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The network.
    pub network: &'a Network,
    /// The findings.
    pub findings: &'a [Finding],
    /// What lacks a gateway route and needs none.
    pub exempt: &'a [Exempt],
    /// What each record touched.
    pub touched: &'a [Touched<'a>],
    /// Where.
    pub home: &'a Home,
    /// When, to the second.
    pub now: Timestamp,
}

/// What is to be done about one VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The VPC.
    pub vpc_id: String,
    /// How often it had been claimed when the ledger was read. `None` without a ledger: nothing is claimed or written.
    pub claims: Option<u64>,
    /// Until when somebody else holds it.
    pub claimed_until: Option<Timestamp>,
    /// The spell of trouble that this belongs to.
    pub thread: Option<Timestamp>,
    /// What is to be done, finding by finding, by table and service.
    pub steps: Vec<Step>,
}

/// What is to be done about one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is told of it. `None` where it is only noted.
    pub notice: Option<Notice>,
    /// To whom.
    pub channels: BTreeSet<Channel>,
    /// What the ledger is to say afterwards, once every channel has had it; `unaware` is as it was before. `None` without a ledger.
    pub entry: Option<Entry>,
}

/// What became of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The VPC.
    pub vpc_id: String,
    /// How many messages were published.
    pub published: usize,
    /// Whether somebody else is telling of this VPC, or has since the ledger was read: nothing was told, and it is to be
    /// looked at anew.
    pub overtaken: bool,
    /// Whether all was told and remembered.
    pub result: Result<(), Error>,
}

impl Plan {
    /// The same findings, told as without a ledger: that something is over is not told then, and not forgotten either.
    #[must_use]
    pub fn without_ledger(&self) -> Self {
        let standing = self.steps.iter().filter_map(|step| {
            let notice = step.notice.as_ref().filter(|notice| !notice.is_resolved())?;
            let notice =
                Notice { finding: notice.finding.clone(), change: Change::Reported, since: None, resolution: None };
            Some(Step { notice: Some(notice), channels: step.channels.clone(), entry: None })
        });
        Self { claims: None, claimed_until: None, thread: None, steps: standing.collect(), vpc_id: self.vpc_id.clone() }
    }

    /// What the ledger is to say while this is being told: everybody may have had it, and nobody is sure to. So whatever
    /// becomes of an invocation that dies, the next one knows what was begun, and tells it again.
    #[must_use]
    pub fn entries_before(&self) -> Vec<Entry> {
        (self.steps.iter())
            .filter(|step| step.notice.is_some() && !step.channels.is_empty())
            .filter_map(|step| {
                let entry = step.entry.as_ref()?;
                let unaware = &entry.unaware - &step.channels;
                Some(Entry { pending: step.channels.clone(), unaware, ..entry.clone() })
            })
            .collect()
    }

    /// What the ledger is to say now that the findings with these ids were told on these channels.
    #[must_use]
    pub fn entries_after(&self, told: &BTreeMap<Channel, BTreeSet<String>>) -> Vec<Entry> {
        let had = |channel: &Channel, id: &str| told.get(channel).is_some_and(|ids| ids.contains(id));
        (self.steps.iter())
            .filter_map(|step| {
                let entry = step.entry.as_ref()?;
                if step.notice.is_none() {
                    return Some(entry.clone());
                }
                let lacking = |channel: &&Channel| !had(channel, &entry.finding_id);
                let pending = step.channels.iter().filter(lacking).copied().collect();
                let unaware = entry.unaware.iter().filter(lacking).copied().collect();
                Some(Entry { pending, unaware, ..entry.clone() })
            })
            .collect()
    }
}

/// What is to be told, VPC by VPC. A VPC of which there is nothing to say or to note has no plan.
#[must_use]
pub fn plans(seen: &Seen<'_>, ledger: &Ledger, policy: &Policy) -> Vec<Plan> {
    let touches = |table: &str| seen.touched.iter().any(|touched| touched.route_table_ids.contains(table));
    let findings = seen.findings.iter().filter(|finding| touches(&finding.route_table.id));
    match ledger {
        Ledger::Off | Ledger::Unavailable(_) => without_ledger(findings, policy),
        Ledger::Open(book) => with_ledger(findings, book, &touches, seen, policy),
    }
}

fn without_ledger<'a>(findings: impl Iterator<Item = &'a Finding>, policy: &Policy) -> Vec<Plan> {
    let mut plans: BTreeMap<&str, Vec<Step>> = BTreeMap::new();
    for finding in findings.filter(|finding| finding.severity >= policy.min_severity) {
        let notice = Notice { finding: finding.clone(), change: Change::Reported, since: None, resolution: None };
        let step = Step { notice: Some(notice), channels: policy.channels.clone(), entry: None };
        plans.entry(&finding.vpc_id).or_default().push(step);
    }
    (plans.into_iter())
        .map(|(vpc_id, steps)| Plan {
            vpc_id: vpc_id.to_owned(),
            claims: None,
            claimed_until: None,
            thread: None,
            steps,
        })
        .collect()
}

fn with_ledger<'a>(
    findings: impl Iterator<Item = &'a Finding>,
    book: &Book,
    touches: &impl Fn(&str) -> bool,
    seen: &Seen<'_>,
    policy: &Policy,
) -> Vec<Plan> {
    let now_open: HashMap<&str, &Finding> = findings.map(|finding| (finding.id.as_str(), finding)).collect();
    let mut by_vpc: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in now_open.values() {
        by_vpc.entry(&finding.vpc_id).or_default().push(finding);
    }
    let over = Over::new(seen, policy);
    let no_page = Page::default();
    let vpc_ids: BTreeSet<&str> = by_vpc.keys().copied().chain(book.0.keys().map(String::as_str)).collect();
    let mut plans = Vec::new();
    for vpc_id in vpc_ids {
        let page = book.0.get(vpc_id).unwrap_or(&no_page);
        let told: HashMap<&str, &Entry> = page.entries.iter().map(|entry| (entry.finding_id.as_str(), entry)).collect();
        let under_way = page.entries.iter().filter(|entry| entry.is_open() || !lacking(entry, policy).is_empty());
        let thread = under_way.map(|entry| entry.thread).min().unwrap_or(seen.now);

        let mut steps: Vec<Step> = (by_vpc.get(vpc_id).into_iter().flatten())
            .filter_map(|finding| match told.get(finding.id.as_str()) {
                Some(entry) if entry.is_open() => standing(finding, entry, seen.now, policy),
                // What is back and too small to tell is still to be known as over.
                before => opened(finding, before.copied(), thread, seen.now, policy).or_else(|| over.owed(before?)),
            })
            .collect();
        steps.extend(
            (page.entries.iter())
                .filter(|entry| touches(&entry.route_table.id) && !now_open.contains_key(entry.finding_id.as_str()))
                .filter_map(|entry| if entry.is_open() { over.resolved(entry) } else { over.owed(entry) }),
        );
        steps.sort_by(|a, b| a.place().cmp(&b.place()));
        if !steps.is_empty() {
            plans.push(Plan {
                vpc_id: vpc_id.to_owned(),
                claims: Some(page.claims),
                claimed_until: page.claimed_until.filter(|until| *until > seen.now),
                thread: Some(thread),
                steps,
            });
        }
    }
    plans
}

impl Step {
    /// By table and service, as findings are sorted.
    fn place(&self) -> Option<(&str, GatewayService)> {
        self.entry.as_ref().map(|entry| (entry.route_table.id.as_str(), entry.service))
    }
}

/// A finding that is new, or that is back. Who has not heard that it was over believes that it stands all the same.
fn opened(
    finding: &Finding,
    before: Option<&Entry>,
    thread: Timestamp,
    now: Timestamp,
    policy: &Policy,
) -> Option<Step> {
    (finding.severity >= policy.min_severity).then(|| {
        let notice = Notice { finding: finding.clone(), change: Change::Opened, since: Some(now), resolution: None };
        let aware = before.map_or_else(BTreeSet::new, |before| lacking(before, policy));
        let entry = Entry { unaware: &policy.channels - &aware, ..Entry::opened(finding, thread, now) };
        Step { notice: Some(notice), channels: policy.channels.clone(), entry: Some(entry) }
    })
}

/// A finding that was open and still is.
fn standing(finding: &Finding, entry: &Entry, now: Timestamp, policy: &Policy) -> Option<Step> {
    let after = entry.updated(finding);
    let loud = finding.severity >= policy.min_severity;
    let change = entry.change(finding).or_else(|| entry.is_due(policy.remind_after, now).then_some(Change::Reminder));
    let owed = lacking(entry, policy);
    let (change, channels, after) = match change {
        // Who has not heard that it opened hears of it now as a whole.
        Some(change) if loud => {
            (change, policy.channels.clone(), Entry { change, told: now, pending: BTreeSet::new(), ..after })
        }
        _ if loud && !owed.is_empty() => (entry.change, owed, Entry { pending: BTreeSet::new(), ..after }),
        _ => {
            return (after != *entry).then_some(Step { notice: None, channels: BTreeSet::new(), entry: Some(after) });
        }
    };
    let notice = Notice { finding: finding.clone(), change, since: Some(entry.since), resolution: None };
    Some(Step { notice: Some(notice), channels, entry: Some(after) })
}

/// The channels that there are and that have not had what was told last.
fn lacking(entry: &Entry, policy: &Policy) -> BTreeSet<Channel> {
    entry.pending.intersection(&policy.channels).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{Gap, SubnetRef, TableRef},
        ledger::EntryState,
        notice::{Cause, Resolution},
        payload::{Payload, Record, Trigger},
        reason::reason_it_is_over,
        remediation::Remediation,
        scope::Scope,
        testing::{self, REGION, main_table, subnet, table, vpc},
        vpc::{Association, RouteTable, Subnet, Target, TargetKind},
    };

    const A: &str = "vpc-0000000a";
    const B: &str = "vpc-0000000b";
    const TABLE: &str = "rtb-0000000b";

    /// When things are looked at.
    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    /// When what the ledger knows was found: three days ago.
    fn early() -> Timestamp {
        "2026-11-20T10:00:00Z".parse().unwrap()
    }

    fn home() -> Home {
        Home { partition: "aws".into(), account: Some("123456789012".into()), region: REGION.into() }
    }

    /// A finding about S3, of medium severity, that affects one subnet.
    fn finding_on(table: &str, vpc_id: &str) -> Finding {
        Finding {
            id: format!("{table} s3"),
            service: GatewayService::S3,
            gap: Gap::NotAssociated,
            severity: Severity::Medium,
            account: "123456789012".into(),
            region: REGION.into(),
            vpc_id: vpc_id.into(),
            route_table: TableRef { id: table.into(), name: Some("private".into()), main: false },
            subnets: vec![SubnetRef::from(&subnet("subnet-0000000a", vpc_id))],
            egress: Target { kind: TargetKind::TransitGateway, id: Some("tgw-0000000a".into()) },
            endpoint: None,
            interface_endpoint: None,
            reason: "It matters.".into(),
            remediation: Remediation { aws_cli: Some("aws ec2".into()), ..Remediation::default() },
        }
    }

    fn finding() -> Finding {
        finding_on(TABLE, A)
    }

    /// What the ledger says of a finding that everybody heard of three days ago.
    fn entry_of(finding: &Finding) -> Entry {
        Entry::opened(finding, early(), early())
    }

    fn entry() -> Entry {
        entry_of(&finding())
    }

    fn ids<C: FromIterator<String>>(ids: &[&str]) -> C {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    /// The same, over since the day before yesterday.
    fn resolved(cause: Cause) -> Entry {
        Entry {
            state: EntryState::Resolved,
            told: "2026-11-21T10:00:00Z".parse().unwrap(),
            change: Change::Resolved,
            resolution: Some(Resolution { cause, stood_seconds: 24 * 60 * 60 }),
            ..entry()
        }
    }

    /// What there is, what is found, and what was told before.
    struct Given {
        network: Network,
        findings: Vec<Finding>,
        exempt: Vec<Exempt>,
        ledger: Ledger,
        policy: Policy,
        /// What the one record touches.
        scope: Scope,
    }

    fn policy() -> Policy {
        Policy {
            required_services: BTreeSet::from([GatewayService::S3, GatewayService::DynamoDb]),
            min_severity: Severity::Low,
            remind_after: Some(SignedDuration::from_hours(7 * 24)),
            channels: BTreeSet::from([Channel::Json, Channel::Text]),
        }
    }

    /// Two VPCs, the first with a private table; these findings; and a ledger with these entries.
    fn given(findings: impl Into<Vec<Finding>>, entries: impl Into<Vec<Entry>>) -> Given {
        let mut book = Book::default();
        for entry in entries.into() {
            book.0.entry(entry.vpc_id.clone()).or_default().entries.push(entry);
        }
        Given {
            network: Network {
                vpcs: vec![vpc(A), vpc(B)],
                route_tables: vec![main_table("rtb-0000000a", A), table(TABLE, A), main_table("rtb-0000000c", B)],
                subnets: vec![subnet("subnet-0000000a", A)],
                endpoints: Vec::new(),
            },
            findings: findings.into(),
            exempt: Vec::new(),
            ledger: Ledger::Open(book),
            policy: policy(),
            scope: Scope::region(),
        }
    }

    impl Given {
        fn plans_at(&self, now: Timestamp) -> Vec<Plan> {
            let record = Record { scope: self.scope.clone(), trigger: Trigger::Manual, time: None, publish: true };
            let payload = Payload::Direct(Box::new(record));
            let Self { network, findings, exempt, ledger, policy, .. } = self;
            let touched = Touched::by(&payload, network, ledger, &home());
            plans(&Seen { network, findings, exempt, touched: &touched, home: &home(), now }, ledger, policy)
        }

        fn plans(&self) -> Vec<Plan> {
            self.plans_at(now())
        }

        /// The steps of all plans, in their order.
        fn steps(&self) -> Vec<Step> {
            self.plans().into_iter().flat_map(|plan| plan.steps).collect()
        }

        fn page(&mut self, vpc_id: &str) -> &mut Page {
            let Ledger::Open(book) = &mut self.ledger else { panic!() };
            book.0.entry(vpc_id.to_owned()).or_default()
        }

        fn without(mut self, table: &str) -> Self {
            self.network.route_tables.retain(|there| there.id != table);
            self
        }

        fn with_min(mut self, severity: Severity) -> Self {
            self.policy.min_severity = severity;
            self
        }
    }

    fn both() -> BTreeSet<Channel> {
        BTreeSet::from([Channel::Json, Channel::Text])
    }

    fn notice(finding: &Finding, change: Change, since: Timestamp) -> Notice {
        Notice { finding: finding.clone(), change, since: Some(since), resolution: None }
    }

    /// What the ledger is to say of what opens now.
    fn opening(finding: &Finding, thread: Timestamp) -> Entry {
        Entry { unaware: both(), ..Entry::opened(finding, thread, now()) }
    }

    fn told_to_both(finding: &Finding, change: Change, entry: Entry) -> Step {
        Step { notice: Some(notice(finding, change, entry.since)), channels: both(), entry: Some(entry) }
    }

    fn noted(entry: Entry) -> Step {
        Step { notice: None, channels: BTreeSet::new(), entry: Some(entry) }
    }

    /// How the finding of [`entry`] is told once it is over.
    fn over(cause: Cause) -> Notice {
        let resolution = Resolution { cause, stood_seconds: 3 * 24 * 60 * 60 };
        Notice {
            finding: Finding {
                reason: reason_it_is_over(TABLE, GatewayService::S3, &resolution),
                remediation: Remediation::default(),
                ..finding()
            },
            change: Change::Resolved,
            since: Some(early()),
            resolution: Some(resolution),
        }
    }

    /// What the ledger says of it then.
    fn entry_over(cause: Cause) -> Entry {
        Entry {
            state: EntryState::Resolved,
            told: now(),
            change: Change::Resolved,
            resolution: over(cause).resolution,
            ..entry()
        }
    }

    #[test]
    fn a_new_finding_is_opened() {
        assert_eq!(
            given([finding()], []).plans(),
            [Plan {
                vpc_id: A.into(),
                claims: Some(0),
                claimed_until: None,
                thread: Some(now()),
                steps: vec![Step {
                    notice: Some(notice(&finding(), Change::Opened, now())),
                    channels: both(),
                    entry: Some(Entry {
                        finding_id: finding().id,
                        account: "123456789012".into(),
                        vpc_id: A.into(),
                        route_table: finding().route_table,
                        service: GatewayService::S3,
                        gap: Gap::NotAssociated,
                        severity: Severity::Medium,
                        worst: Severity::Medium,
                        subnets: ids(&["subnet-0000000a"]),
                        egress: finding().egress,
                        state: EntryState::Open,
                        since: now(),
                        told: now(),
                        change: Change::Opened,
                        resolution: None,
                        pending: BTreeSet::new(),
                        unaware: both(),
                        thread: now(),
                    }),
                }],
            }]
        );
    }

    #[test]
    fn a_finding_that_is_back_is_opened_anew() {
        let anew = opening(&finding(), now());
        let given = given([finding()], [resolved(Cause::Covered)]);
        assert_eq!(given.steps(), [told_to_both(&finding(), Change::Opened, anew)]);
    }

    #[test]
    fn a_finding_gets_worse_with_its_severity_and_with_subnets_that_join() {
        let mut joined = finding();
        joined.subnets.push(SubnetRef::from(&subnet("subnet-0000000b", A)));
        let mut replaced = finding();
        replaced.subnets = vec![SubnetRef::from(&subnet("subnet-0000000b", A))];
        let high = Finding { severity: Severity::High, ..finding() };
        let less_with_more_subnets = Finding { severity: Severity::Low, ..joined.clone() };
        for worse in [joined, replaced, high, less_with_more_subnets] {
            let after = Entry {
                severity: worse.severity,
                worst: worse.severity.max(Severity::Medium),
                subnets: worse.subnets.iter().map(|subnet| subnet.id.clone()).collect(),
                told: now(),
                change: Change::Worsened,
                ..entry()
            };
            assert_eq!(given([worse.clone()], [entry()]).steps(), [told_to_both(&worse, Change::Worsened, after)]);
        }
    }

    #[test]
    fn another_gap_is_a_change() {
        let other = Finding { gap: Gap::RouteInactive, ..finding() };
        let after = Entry { gap: Gap::RouteInactive, told: now(), change: Change::Changed, ..entry() };
        assert_eq!(given([other.clone()], [entry()]).steps(), [told_to_both(&other, Change::Changed, after)]);
    }

    #[test]
    fn of_another_gap_that_is_also_worse_the_worse_is_told() {
        let worse = Finding { gap: Gap::RouteInactive, severity: Severity::High, ..finding() };
        let after = Entry {
            gap: Gap::RouteInactive,
            severity: Severity::High,
            worst: Severity::High,
            told: now(),
            change: Change::Worsened,
            ..entry()
        };
        assert_eq!(given([worse.clone()], [entry()]).steps(), [told_to_both(&worse, Change::Worsened, after)]);
    }

    #[test]
    fn what_is_known_is_not_told() {
        assert_eq!(given([finding()], [entry()]).plans(), []);
    }

    #[test]
    fn what_is_better_is_noted() {
        let better = Finding { severity: Severity::Low, subnets: Vec::new(), ..finding() };
        let before = Entry { change: Change::Worsened, told: "2026-11-22T10:00:00Z".parse().unwrap(), ..entry() };
        let after = Entry { severity: Severity::Low, subnets: BTreeSet::new(), ..before.clone() };
        assert_eq!(given([better], [before]).steps(), [noted(after.clone())]);
        // And what is worse than that, is worse.
        let again = Entry { told: now(), change: Change::Worsened, ..entry() };
        assert_eq!(given([finding()], [after]).steps(), [told_to_both(&finding(), Change::Worsened, again)]);
    }

    #[test]
    fn another_way_out_or_name_of_the_same_severity_is_noted() {
        let mut other = finding();
        other.egress.id = Some("tgw-0000000b".into());
        other.route_table.name = Some("renamed".into());
        let after = Entry { egress: other.egress.clone(), route_table: other.route_table.clone(), ..entry() };
        assert_eq!(given([other], [entry()]).steps(), [noted(after)]);
    }

    #[test]
    fn nobody_acting_is_a_reminder_to_the_hour() {
        let after = |now| Entry { told: now, change: Change::Reminder, ..entry() };
        let given = given([finding()], [entry()]);
        let hours = |hours: i64| early() + SignedDuration::from_hours(hours);
        for due in [hours(7 * 24 - 1), hours(7 * 24), hours(8 * 24)] {
            let steps: Vec<Step> = given.plans_at(due).into_iter().flat_map(|plan| plan.steps).collect();
            assert_eq!(steps, [told_to_both(&finding(), Change::Reminder, after(due))]);
        }
        assert_eq!(given.plans_at(hours(7 * 24 - 1) - SignedDuration::from_secs(1)), []);
    }

    #[test]
    fn a_reminder_counts_from_when_it_was_last_told() {
        let told = early() + SignedDuration::from_hours(6 * 24);
        let given = given([finding()], [Entry { told, change: Change::Worsened, ..entry() }]);
        assert_eq!(given.plans_at(early() + SignedDuration::from_hours(7 * 24)), []);
        assert_eq!(given.plans_at(told + SignedDuration::from_hours(7 * 24)).len(), 1);
    }

    #[test]
    fn who_wants_no_reminder_gets_none() {
        let mut given = given([finding()], [entry()]);
        given.policy.remind_after = None;
        assert_eq!(given.plans_at(early() + SignedDuration::from_hours(700 * 24)), []);
    }

    #[test]
    fn what_got_worse_is_no_reminder() {
        let worse = Finding { severity: Severity::High, ..finding() };
        let late = early() + SignedDuration::from_hours(8 * 24);
        let after =
            Entry { severity: Severity::High, worst: Severity::High, told: late, change: Change::Worsened, ..entry() };
        let steps: Vec<Step> =
            given([worse.clone()], [entry()]).plans_at(late).into_iter().flat_map(|plan| plan.steps).collect();
        assert_eq!(steps, [told_to_both(&worse, Change::Worsened, after)]);
    }

    #[test]
    fn below_the_least_severity_nothing_is_opened() {
        assert_eq!(given([finding()], []).with_min(Severity::High).plans(), []);
        assert_eq!(given([finding()], [resolved(Cause::Exempt)]).with_min(Severity::High).plans(), []);
        assert_eq!(given([finding()], []).with_min(Severity::Medium).steps().len(), 1);
    }

    #[test]
    fn below_the_least_severity_what_changes_is_noted_and_nobody_is_reminded() {
        let was_low = Entry { severity: Severity::Low, ..entry() };
        assert_eq!(given([finding()], [was_low]).with_min(Severity::High).steps(), [noted(entry())]);
        let other = Entry { gap: Gap::NoEndpoint, ..entry() };
        assert_eq!(given([finding()], [other]).with_min(Severity::High).steps(), [noted(entry())]);
        let known = given([finding()], [entry()]).with_min(Severity::High);
        assert_eq!(known.plans_at(early() + SignedDuration::from_hours(8 * 24)), []);
    }

    #[test]
    fn what_was_told_is_told_as_resolved_however_small() {
        let small = Entry { severity: Severity::Low, ..entry() };
        // With the worst that it was: who hears of the bad ones alone hears of the end of this one.
        let notice = over(Cause::Covered);
        assert_eq!(notice.finding.severity, Severity::Medium);
        let after = Entry { severity: Severity::Low, ..entry_over(Cause::Covered) };
        assert_eq!(
            given([], [small]).with_min(Severity::High).steps(),
            [Step { notice: Some(notice), channels: both(), entry: Some(after) }]
        );
    }

    #[test]
    fn who_has_not_had_it_gets_the_same_again() {
        for change in [Change::Opened, Change::Worsened, Change::Changed, Change::Reminder] {
            let before = Entry { change, pending: [Channel::Text].into(), ..entry() };
            let after = Entry { pending: BTreeSet::new(), ..before.clone() };
            assert_eq!(
                given([finding()], [before]).steps(),
                [Step {
                    notice: Some(notice(&finding(), change, early())),
                    channels: [Channel::Text].into(),
                    entry: Some(after)
                }]
            );
        }
    }

    #[test]
    fn who_has_not_had_it_gets_what_has_happened_since() {
        let before = Entry { pending: [Channel::Text].into(), ..entry() };
        let worse = Finding { severity: Severity::High, ..finding() };
        let after =
            Entry { severity: Severity::High, worst: Severity::High, told: now(), change: Change::Worsened, ..entry() };
        assert_eq!(given([worse.clone()], [before]).steps(), [told_to_both(&worse, Change::Worsened, after)]);
    }

    #[test]
    fn what_is_owed_waits_while_it_is_too_small() {
        let before = Entry { pending: [Channel::Text].into(), ..entry() };
        assert_eq!(given([finding()], [before]).with_min(Severity::High).plans(), []);
    }

    #[test]
    fn a_channel_that_is_there_no_more_is_owed_nothing() {
        let before = Entry { pending: [Channel::Chat].into(), ..entry() };
        assert_eq!(given([finding()], [before]).plans(), []);
        let before = Entry { pending: [Channel::Chat].into(), ..resolved(Cause::Covered) };
        assert_eq!(given([], [before]).plans(), []);
        let before = Entry { pending: [Channel::Chat, Channel::Text].into(), ..entry() };
        assert_eq!(
            given([finding()], [before]).steps(),
            [Step {
                notice: Some(notice(&finding(), Change::Opened, early())),
                channels: [Channel::Text].into(),
                entry: Some(entry())
            }]
        );
    }

    #[test]
    fn each_end_has_its_cause() {
        let exempt = Exempt {
            service: GatewayService::S3,
            vpc_id: A.into(),
            route_table_id: TABLE.into(),
            exempted_by: ids(&[TABLE]),
        };
        let mut exempted = given([], [entry()]);
        exempted.exempt = vec![Exempt { service: GatewayService::DynamoDb, ..exempt.clone() }, exempt];
        let mut other_table = given([], [entry()]);
        other_table.exempt = vec![Exempt { route_table_id: "rtb-0000000a".into(), ..exempted.exempt[1].clone() }];
        let mut vpc_gone = given([], [entry()]).without(TABLE);
        vpc_gone.network.vpcs.retain(|there| there.id != A);
        let edge = |owner: &str| {
            let gateway = Association { gateway_id: Some("igw-0000000a".into()), ..Association::default() };
            let mut given = given([], [entry()]).without(TABLE);
            let associations = vec![gateway];
            let owner_id = Some(owner.to_owned());
            given.network.route_tables.push(RouteTable { owner_id, associations, ..table(TABLE, A) });
            given
        };
        let mut unrequired = given([], [entry()]);
        unrequired.policy.required_services = [GatewayService::DynamoDb].into();
        for (given, cause) in [
            (given([], [entry()]), Cause::Covered),
            (exempted, Cause::Exempt),
            (other_table, Cause::Covered),
            (given([], [entry()]).without(TABLE), Cause::TableDeleted),
            (vpc_gone, Cause::VpcDeleted),
            (edge("123456789012"), Cause::EdgeTable),
            (unrequired, Cause::NotRequired),
        ] {
            assert_eq!(
                given.steps(),
                [Step { notice: Some(over(cause)), channels: both(), entry: Some(entry_over(cause)) }],
                "{cause:?}"
            );
        }
        assert_eq!(edge("210987654321").plans(), [], "of another account's table nothing is known");
    }

    #[test]
    fn who_never_heard_of_it_need_not_hear_that_it_is_over() {
        let step = |unaware: &[Channel], pending: &[Channel]| {
            let of = |channels: &[Channel]| channels.iter().copied().collect();
            let before = Entry { unaware: of(unaware), pending: of(pending), ..entry() };
            let [step] = given([], [before]).steps().try_into().unwrap();
            assert_eq!(step.entry, Some(entry_over(Cause::Covered)));
            assert_eq!(step.notice, Some(over(Cause::Covered)));
            step.channels
        };
        assert_eq!(step(&[], &[]), both());
        assert_eq!(step(&[Channel::Text], &[Channel::Text]), [Channel::Json].into());
        assert_eq!(step(&[Channel::Json, Channel::Text], &[]), BTreeSet::new());
        // They heard of it when it opened, and not how it went on.
        assert_eq!(step(&[], &[Channel::Text]), both());
    }

    /// What the ledger says when only these channels have had what these plans tell.
    fn after(plans: &[Plan], channels: &[Channel]) -> Vec<Entry> {
        let told = |plan: &Plan| -> BTreeMap<Channel, BTreeSet<String>> {
            let ids = plan.steps.iter().filter_map(|step| step.notice.as_ref()).map(|notice| notice.finding.id.clone());
            let ids: BTreeSet<String> = ids.collect();
            channels.iter().map(|channel| (*channel, ids.clone())).collect()
        };
        plans.iter().flat_map(|plan| plan.entries_after(&told(plan))).collect()
    }

    #[test]
    fn who_never_heard_of_it_is_known_however_it_goes_on() {
        let high = Finding { severity: Severity::High, ..finding() };
        let opened = after(&given([finding()], []).plans(), &[Channel::Json]);
        assert_eq!(opened[0].unaware, [Channel::Text].into());
        let worse = after(&given([high.clone()], opened).plans(), &[Channel::Json]);
        assert_eq!((worse[0].change, &worse[0].unaware), (Change::Worsened, &[Channel::Text].into()));
        assert_eq!(given([], worse.clone()).steps()[0].channels, [Channel::Json].into());
        // What is only noted tells nobody.
        let smaller = after(&given([finding()], worse.clone()).with_min(Severity::High).plans(), &[]);
        assert_eq!((smaller[0].severity, &smaller[0].unaware), (Severity::Medium, &[Channel::Text].into()));
        // Any word of it will do.
        let all_know = after(&given([high], worse).plans(), &[Channel::Text]);
        assert_eq!(all_know[0].unaware, BTreeSet::new());
        assert_eq!(given([], all_know).steps()[0].channels, both());
    }

    #[test]
    fn who_heard_that_it_opened_hears_that_it_is_over_however_often_it_did_since() {
        let mut entries = vec![entry()];
        for findings in [vec![], vec![finding()], vec![], vec![finding()]] {
            entries = after(&given(findings, entries).plans(), &[Channel::Json]);
        }
        let [step] = given([], entries).steps().try_into().unwrap();
        assert_eq!(step.channels, both());
    }

    #[test]
    fn who_has_not_heard_that_it_is_over_hears_the_same_again() {
        let before = Entry { pending: [Channel::Text].into(), ..resolved(Cause::Exempt) };
        let resolution = Resolution { cause: Cause::Exempt, stood_seconds: 24 * 60 * 60 };
        let reason = reason_it_is_over(TABLE, GatewayService::S3, &resolution);
        let notice = Notice {
            finding: Finding { reason, ..over(Cause::Exempt).finding },
            resolution: Some(resolution),
            ..over(Cause::Exempt)
        };
        let step =
            Step { notice: Some(notice), channels: [Channel::Text].into(), entry: Some(resolved(Cause::Exempt)) };
        assert_eq!(given([], [before.clone()]).steps(), std::slice::from_ref(&step));
        // It is back, but so small that nobody hears of that.
        assert_eq!(given([finding()], [before.clone()]).with_min(Severity::High).steps(), [step]);
        // It is back: that is what there is to hear. That it stood they know from before.
        let anew = Entry { unaware: [Channel::Json].into(), ..opening(&finding(), early()) };
        assert_eq!(given([finding()], [before]).steps(), [told_to_both(&finding(), Change::Opened, anew)]);
        assert_eq!(given([], [resolved(Cause::Exempt)]).plans(), []);
    }

    #[test]
    fn subnets_of_what_is_over_are_described_as_they_are_now() {
        let before = Entry { subnets: ids(&["subnet-0000000a", "subnet-0000000f"]), ..entry() };
        let mut given = given([], [before]);
        given.network.subnets = vec![Subnet {
            name: Some("app".into()),
            availability_zone: Some("eu-west-1a".into()),
            cidr: Some("10.0.1.0/24".into()),
            ..subnet("subnet-0000000a", A)
        }];
        let [Step { notice: Some(notice), .. }] = &given.steps()[..] else { panic!() };
        assert_eq!(
            notice.finding.subnets,
            [
                SubnetRef {
                    id: "subnet-0000000a".into(),
                    name: Some("app".into()),
                    availability_zone: Some("eu-west-1a".into()),
                    cidr: Some("10.0.1.0/24".into()),
                },
                SubnetRef { id: "subnet-0000000f".into(), name: None, availability_zone: None, cidr: None },
            ]
        );
    }

    /// The thread of what opens on [`TABLE`], given these entries of its VPC.
    fn thread_given(entries: Vec<Entry>) -> Timestamp {
        let [plan] = given([finding()], entries).plans().try_into().unwrap();
        let [Step { entry: Some(entry), notice: Some(_), .. }] = &plan.steps[..] else { panic!() };
        assert_eq!(plan.thread, Some(entry.thread));
        entry.thread
    }

    #[test]
    fn what_opens_while_something_is_open_is_of_the_same_thread() {
        let main = finding_on("rtb-0000000a", A);
        let earlier = early() - SignedDuration::from_hours(1);
        let open = |thread| Entry { thread, ..entry_of(&main) };
        let other = Entry { finding_id: "another".into(), ..open(earlier) };
        // That one is not touched here makes no difference.
        let mut untouched = given([finding()], [open(early()), other.clone()]);
        untouched.scope = Scope { route_tables: [(TABLE.to_owned(), None)].into(), ..Scope::default() };
        let [plan] = untouched.plans().try_into().unwrap();
        assert_eq!(plan.thread, Some(earlier));
        assert_eq!(plan.steps, [told_to_both(&finding(), Change::Opened, opening(&finding(), earlier))]);
        // Another VPC is another thread.
        let elsewhere = Entry { vpc_id: B.into(), ..entry_of(&finding_on("rtb-0000000c", B)) };
        let mut given = given([finding(), finding_on("rtb-0000000c", B)], [elsewhere]);
        given.page(B).claims = 1;
        let plans = given.plans();
        assert_eq!(
            plans.iter().map(|plan| (plan.vpc_id.as_str(), plan.thread)).collect::<Vec<_>>(),
            [(A, Some(now()))]
        );
    }

    #[test]
    fn what_opens_after_all_is_over_begins_a_thread() {
        assert_eq!(thread_given(vec![]), now());
        assert_eq!(thread_given(vec![resolved(Cause::Covered)]), now());
        let owed = |channel| Entry { pending: [channel].into(), ..resolved(Cause::Covered) };
        assert_eq!(thread_given(vec![owed(Channel::Text)]), early(), "somebody has not heard that it is over");
        assert_eq!(thread_given(vec![owed(Channel::Chat)]), now(), "and never will: the channel is gone");
    }

    #[test]
    fn the_thread_of_what_is_open_stays() {
        let worse = Finding { severity: Severity::High, ..finding() };
        for findings in [vec![worse], vec![]] {
            let [plan] = given(findings, [entry()]).plans().try_into().unwrap();
            assert_eq!(plan.thread, Some(early()));
            assert_eq!(plan.steps[0].entry.as_ref().unwrap().thread, early());
        }
    }

    #[test]
    fn a_claim_counts_until_it_ends() {
        let second = SignedDuration::from_secs(1);
        for (until, holds) in [(now() + second, true), (now(), false), (now() - second, false)] {
            let mut given = given([finding()], []);
            *given.page(A) = Page { claims: 7, claimed_until: Some(until), entries: Vec::new() };
            let [plan] = given.plans().try_into().unwrap();
            assert_eq!((plan.claims, plan.claimed_until), (Some(7), holds.then_some(until)));
        }
    }

    #[test]
    fn plans_are_by_vpc_and_steps_by_table_and_service() {
        let of_dynamodb = |finding: Finding| Finding {
            id: finding.id.replace("s3", "dynamodb"),
            service: GatewayService::DynamoDb,
            ..finding
        };
        let (main, other) = (finding_on("rtb-0000000a", A), finding_on("rtb-0000000c", B));
        let findings = [other.clone(), finding(), of_dynamodb(main.clone()), of_dynamodb(finding())];
        let steps: Vec<_> = (given(findings, [entry_of(&main)]).plans().iter())
            .map(|plan| {
                let said = |step: &Step| {
                    let notice = step.notice.clone().unwrap();
                    (notice.finding.id, notice.change)
                };
                (plan.vpc_id.clone(), plan.steps.iter().map(said).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            steps,
            [
                (
                    A.to_owned(),
                    vec![
                        ("rtb-0000000a dynamodb".to_owned(), Change::Opened),
                        ("rtb-0000000a s3".to_owned(), Change::Resolved),
                        ("rtb-0000000b dynamodb".to_owned(), Change::Opened),
                        ("rtb-0000000b s3".to_owned(), Change::Opened),
                    ]
                ),
                (B.to_owned(), vec![("rtb-0000000c s3".to_owned(), Change::Opened)]),
            ]
        );
    }

    #[test]
    fn of_what_no_record_touched_nothing_is_said() {
        let gone = Entry { route_table: TableRef { id: "rtb-0000000f".into(), ..entry().route_table }, ..entry() };
        let gone = Entry { finding_id: "gone".into(), vpc_id: B.into(), ..gone };
        let covered = entry_of(&finding_on("rtb-0000000a", A));
        let mut given = given([finding_on("rtb-0000000c", B)], [covered, gone]);
        given.scope = Scope { route_tables: [(TABLE.to_owned(), None)].into(), ..Scope::default() };
        assert_eq!(given.plans(), []);
        given.scope = Scope::region();
        assert_eq!(given.steps().len(), 3);
    }

    #[test]
    fn without_a_ledger_what_is_found_is_reported() {
        let small = Finding { severity: Severity::Low, ..finding_on("rtb-0000000a", A) };
        let other = finding_on("rtb-0000000c", B);
        let findings = [finding(), small, other.clone()];
        let reported = |finding: &Finding| Plan {
            vpc_id: finding.vpc_id.clone(),
            claims: None,
            claimed_until: None,
            thread: None,
            steps: vec![Step {
                notice: Some(Notice {
                    finding: finding.clone(),
                    change: Change::Reported,
                    since: None,
                    resolution: None,
                }),
                channels: both(),
                entry: None,
            }],
        };
        for ledger in [Ledger::Off, testing::unavailable()] {
            let mut given = Given { ledger, ..given(findings.clone(), []) }.with_min(Severity::Medium);
            assert_eq!(given.plans(), [reported(&finding()), reported(&other)]);
            given.scope = Scope { vpc_ids: ids(&[B]), ..Scope::default() };
            assert_eq!(given.plans(), [reported(&other)]);
        }
    }

    /// One of each: something new, something over, something owed to one channel, and something noted.
    fn plan_of_each() -> Plan {
        let of = |table: &str| finding_on(table, A);
        let owed = Entry { pending: [Channel::Text].into(), ..entry_of(&of("rtb-00000002")) };
        let better =
            Entry { severity: Severity::High, pending: [Channel::Text].into(), ..entry_of(&of("rtb-00000003")) };
        let small = Finding { severity: Severity::Low, ..of("rtb-00000003") };
        let findings = [of("rtb-00000000"), of("rtb-00000002"), small];
        let mut given = given(findings, [entry_of(&of("rtb-00000001")), owed, better]).with_min(Severity::Medium);
        let tables = (0..4).map(|n| table(&format!("rtb-0000000{n}"), A));
        given.network.route_tables.extend(tables);
        *given.page(A) =
            Page { claims: 3, claimed_until: Some(now() + SignedDuration::from_secs(9)), ..given.page(A).clone() };
        let [plan] = given.plans().try_into().unwrap();
        let changes: Vec<_> = plan.steps.iter().map(|step| step.notice.as_ref().map(|notice| notice.change)).collect();
        assert_eq!(changes, [Some(Change::Opened), Some(Change::Resolved), Some(Change::Opened), None]);
        plan
    }

    #[test]
    fn where_the_ledger_fails_what_stands_is_told_as_without_one() {
        let plan = plan_of_each();
        let reported = |step: &Step| {
            let finding = step.notice.as_ref().unwrap().finding.clone();
            let notice = Notice { finding, change: Change::Reported, since: None, resolution: None };
            Step { notice: Some(notice), channels: step.channels.clone(), entry: None }
        };
        assert_eq!(
            plan.without_ledger(),
            Plan {
                vpc_id: A.into(),
                claims: None,
                claimed_until: None,
                thread: None,
                steps: vec![reported(&plan.steps[0]), reported(&plan.steps[2])],
            }
        );
    }

    #[test]
    fn the_ledger_says_what_each_channel_has_had() {
        let plan = plan_of_each();
        let all: Vec<String> = plan.steps.iter().map(|step| step.entry.as_ref().unwrap().finding_id.clone()).collect();
        let [new, over, owed, small]: [Entry; 4] =
            plan.steps.iter().map(|step| step.entry.clone().unwrap()).collect::<Vec<_>>().try_into().unwrap();
        let lacking = |entry: &Entry, channel| Entry { pending: [channel].into(), ..entry.clone() };
        assert_eq!(new.unaware, both());
        let (without_text, without_json, new) = (
            Entry { unaware: [Channel::Text].into(), ..lacking(&new, Channel::Text) },
            Entry { unaware: [Channel::Json].into(), ..lacking(&new, Channel::Json) },
            Entry { unaware: BTreeSet::new(), ..new },
        );
        let told = |json: &[String], text: &[String]| {
            let of = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<String>>();
            plan.entries_after(&[(Channel::Json, of(json)), (Channel::Text, of(text))].into())
        };
        assert_eq!(told(&all, &all), [new.clone(), over.clone(), owed.clone(), small.clone()]);
        let still_owed = lacking(&owed, Channel::Text);
        assert_eq!(
            told(&all, &[]),
            [without_text.clone(), lacking(&over, Channel::Text), still_owed.clone(), small.clone()]
        );
        assert_eq!(told(&[], &all), [without_json, lacking(&over, Channel::Json), owed, small.clone()]);
        assert_eq!(
            told(&all[..1], &all[1..2]),
            [without_text, lacking(&over, Channel::Json), still_owed.clone(), small.clone()]
        );
        let by_nobody = |entry: &Entry| Entry { pending: both(), ..entry.clone() };
        let nobody = [Entry { unaware: both(), ..by_nobody(&new) }, by_nobody(&over), still_owed, small.clone()];
        assert_eq!(told(&[], &[]), nobody, "told means published");
        assert_eq!(plan.entries_after(&BTreeMap::new()), nobody);
        assert_eq!(small.pending, [Channel::Text].into(), "that it is smaller settles no debt");
        assert_eq!(plan.without_ledger().entries_after(&BTreeMap::new()), []);
    }

    #[test]
    fn while_it_is_told_everybody_may_have_had_it_and_nobody_is_sure_to() {
        let plan = plan_of_each();
        let [new, over, owed]: [Entry; 3] =
            (plan.steps.iter().take(3)).map(|step| step.entry.clone().unwrap()).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(
            plan.entries_before(),
            [
                Entry { pending: both(), unaware: BTreeSet::new(), ..new },
                Entry { pending: both(), ..over },
                Entry { pending: [Channel::Text].into(), ..owed },
            ],
            "what is only noted can wait"
        );
    }

    #[test]
    fn what_was_being_told_when_an_invocation_died_is_told_again_and_its_end_too() {
        let begun = given([finding()], []).plans()[0].entries_before();
        let [step] = given([finding()], begun.clone()).steps().try_into().unwrap();
        assert_eq!((step.notice.unwrap().change, step.channels), (Change::Opened, both()));
        let [step] = given([], begun).steps().try_into().unwrap();
        assert_eq!((step.notice.unwrap().change, step.channels), (Change::Resolved, both()));

        let ended = given([], [entry()]).plans()[0].entries_before();
        let [step] = given([], ended.clone()).steps().try_into().unwrap();
        assert_eq!((step.notice.unwrap().change, step.channels), (Change::Resolved, both()));
        let [step] = given([finding()], ended).steps().try_into().unwrap();
        assert_eq!((step.notice.unwrap().change, step.channels), (Change::Opened, both()));
    }

    #[test]
    fn what_nobody_heard_of_and_is_over_is_written_without_a_word() {
        let before = Entry { pending: both(), unaware: both(), ..entry() };
        let [plan] = given([], [before]).plans().try_into().unwrap();
        assert_eq!(plan.entries_before(), [], "nothing is going to be told");
        assert_eq!(plan.entries_after(&BTreeMap::new()), [entry_over(Cause::Covered)]);
    }
}
