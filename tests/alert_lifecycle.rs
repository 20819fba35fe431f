//! People who listen. A network changes at random, functions look at it and tell, channels fail, functions die and
//! overtake each other; and what each listener has heard must add up, by the words of the issue alone:
//!
//! - after a sweep that went well, everybody believes exactly what stands and is bad enough to be open, and knows the
//!   worst of it;
//! - nobody hears `opened` twice, or `resolved` twice, unless something failed in between;
//! - to look again at a network that has not changed tells nothing;
//! - nobody is reminded more often than they asked to be, and who asked is.
//!
//! What a network's problems are is told here by hand; nothing is shared with the plan but what goes in and comes out.
//!
//! `PROPTEST_CASES=20000 cargo test --no-default-features --test ledger_model` looks longer than the default.
// All of this is test code, helpers included; clippy knows only functions under `#[test]` as such.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::{
    alerts::{
        affected::{Affected, with_history},
        alert::{Alert, Change},
        channel::Channel,
        history::{AlertHistory, AlertRecord, VpcHistory},
        observation::Observation,
        plan::Plan,
        planner::plans,
        policy::Policy,
        recorded::Recorded,
    },
    checks::{gateway_endpoint::rule::evaluate, severity::Severity},
    error::Error,
    events::{
        payload::Payload,
        record::{Record, Trigger},
        scope::Scope,
    },
    network::{
        account::AccountRegion,
        model::{Association, Endpoint, EndpointKind, Network, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
        service::GatewayService,
    },
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

/// How many lives are lived where `PROPTEST_CASES` says nothing.
const CASES: u32 = 300;

const REGION: &str = "eu-west-1";
const CHANNELS: [Channel; 2] = [Channel::Json, Channel::Text];
const SERVICES: [GatewayService; 2] = [GatewayService::DynamoDb, GatewayService::S3];

/// How long a claim holds.
const LEASE: SignedDuration = SignedDuration::from_mins(15);

/// Of a reminder a week after, an hour early counts as a week.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What happens next.
#[derive(Clone, Debug)]
enum Act {
    /// Something in the network changes. An event tells of it, or got lost.
    Change(Move, Option<How>),
    /// Everything is looked at.
    Sweep(How),
    /// One VPC is looked at.
    LookAt(Index, How),
    /// Time passes.
    Pass(SignedDuration),
    /// A function reads the network and the ledger, and is then slow. One that was slow already is forgotten: it died.
    Begin,
    /// The slow function goes on, with what it read.
    GoOn(How),
}

/// A change of the network.
#[derive(Clone, Debug)]
enum Move {
    /// How a table reaches a service.
    Road(Index, usize, Road),
    /// Where a table's default route goes.
    Egress(Index, usize),
    Exempt(Index, bool),
    SubnetJoins(Index),
    SubnetMoves(Index, Index),
    SubnetIsDeleted(Index),
    TableIsMade(Index),
    TableIsDeleted(Index),
    VpcIsMade,
    VpcIsDeleted(Index),
}

/// How a table reaches a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Road {
    Covered,
    /// An endpoint lists it, and it has no route there: `route_inactive`.
    Routeless,
    /// The endpoint of the VPC does not list it: `not_associated`.
    Unlisted,
}

/// How a function fares.
#[derive(Clone, Debug)]
struct How {
    /// The channels that take nothing.
    failing: BTreeSet<Channel>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Well,
    /// It dies when it has told of the first VPC, and remembers nothing of that.
    Dies,
    /// It cannot read the ledger.
    CannotRead,
    /// It can read the ledger, and not claim.
    CannotClaim,
}

fn how() -> impl Strategy<Value = How> {
    let failing = prop_oneof![
        5 => Just(vec![]),
        1 => Just(vec![Channel::Json]),
        2 => Just(vec![Channel::Text]),
        1 => Just(CHANNELS.to_vec())
    ];
    let end = prop_oneof![12 => Just(End::Well), 1 => Just(End::Dies), 1 => Just(End::CannotRead), 1 => Just(End::CannotClaim)];
    (failing, end).prop_map(|(failing, end)| How { failing: failing.into_iter().collect(), end })
}

fn a_move() -> impl Strategy<Value = Move> {
    let any_one = any::<Index>;
    let road = select(vec![Road::Covered, Road::Covered, Road::Routeless, Road::Unlisted]);
    prop_oneof![
        6 => (any_one(), 0..2_usize, road).prop_map(|(table, service, road)| Move::Road(table, service, road)),
        4 => (any_one(), 0..4_usize).prop_map(|(table, egress)| Move::Egress(table, egress)),
        2 => (any_one(), any::<bool>()).prop_map(|(table, exempt)| Move::Exempt(table, exempt)),
        4 => any_one().prop_map(Move::SubnetJoins),
        2 => (any_one(), any_one()).prop_map(|(subnet, table)| Move::SubnetMoves(subnet, table)),
        2 => any_one().prop_map(Move::SubnetIsDeleted),
        2 => any_one().prop_map(Move::TableIsMade),
        1 => any_one().prop_map(Move::TableIsDeleted),
        1 => Just(Move::VpcIsMade),
        1 => any_one().prop_map(Move::VpcIsDeleted),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let hours = select(vec![6, 23, 3 * 24, 7 * 24 - 1, 8 * 24]);
    prop_oneof![
        8 => (a_move(), proptest::option::weighted(0.8, how())).prop_map(|(change, how)| Act::Change(change, how)),
        3 => how().prop_map(Act::Sweep),
        1 => (any::<Index>(), how()).prop_map(|(vpc, how)| Act::LookAt(vpc, how)),
        2 => (1..60_i64).prop_map(|minutes| Act::Pass(SignedDuration::from_mins(minutes))),
        2 => hours.prop_map(|hours| Act::Pass(SignedDuration::from_hours(hours))),
        1 => Just(Act::Begin),
        1 => how().prop_map(Act::GoOn),
    ]
}

/// A life: the least severity that people want to hear of, whether they want reminders, and what happens.
fn life() -> impl Strategy<Value = (Severity, bool, Vec<Act>)> {
    (select(Severity::ALL.to_vec()), prop::bool::weighted(0.8), vec(act(), 1..60))
}

#[derive(Clone, Debug)]
struct TableNow {
    id: String,
    vpc: String,
    main: bool,
    roads: [Road; 2],
    egress: usize,
    exempt: bool,
}

/// The network as it is.
#[derive(Clone, Debug, Default)]
struct World {
    vpcs: Vec<String>,
    tables: Vec<TableNow>,
    /// Subnet and table, by id. Each subnet names its table.
    subnets: BTreeMap<String, String>,
    made: u32,
}

/// A table and a service: what a problem is about.
type Place = (String, GatewayService);

/// What is wrong, as far as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    severity: Severity,
    gap: &'static str,
    subnets: BTreeSet<String>,
}

const EGRESSES: [(Option<TargetKind>, Severity); 4] = [
    (Some(TargetKind::NatGateway), Severity::High),
    (Some(TargetKind::TransitGateway), Severity::Medium),
    (None, Severity::Medium),
    (Some(TargetKind::InternetGateway), Severity::Low),
];

impl World {
    fn id(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-{:08x}", self.made)
    }

    fn make_vpc(&mut self) -> Scope {
        let vpc = self.id("vpc");
        self.vpcs.push(vpc.clone());
        self.make_table(vpc.clone(), true);
        Scope { vpc_ids: [vpc].into(), ..Scope::default() }
    }

    fn make_table(&mut self, vpc: String, main: bool) -> Scope {
        let id = self.id("rtb");
        let scope = Scope { route_tables: [(id.clone(), Some(vpc.clone()))].into(), ..Scope::default() };
        self.tables.push(TableNow { id, vpc, main, roads: [Road::Unlisted; 2], egress: 0, exempt: false });
        scope
    }

    /// Makes the change, and gives the scope of the event that AWS sends of it; none where nothing can change so.
    fn change(&mut self, change: &Move) -> Option<Scope> {
        let of_table = |table: &TableNow| Scope { route_tables: [(table.id.clone(), None)].into(), ..Scope::default() };
        let deleted = |id: &String| Scope { deleted: [id.clone()].into(), ..Scope::default() };
        let pick = |n: &Index, many: usize| (many > 0).then(|| n.index(many));
        Some(match change {
            Move::Road(n, service, road) => {
                let n = pick(n, self.tables.len())?;
                self.tables[n].roads[*service] = *road;
                // The endpoint changed, or the table did.
                Scope { vpc_ids: [self.tables[n].vpc.clone()].into(), ..Scope::default() }
            }
            Move::Egress(n, egress) => {
                let n = pick(n, self.tables.len())?;
                self.tables[n].egress = *egress;
                of_table(&self.tables[n])
            }
            Move::Exempt(n, exempt) => {
                let n = pick(n, self.tables.len())?;
                self.tables[n].exempt = *exempt;
                of_table(&self.tables[n])
            }
            Move::SubnetJoins(n) => {
                let table = self.tables[pick(n, self.tables.len())?].clone();
                let id = self.id("subnet");
                self.subnets.insert(id.clone(), table.id);
                Scope { subnets: [(id, Some(table.vpc))].into(), ..Scope::default() }
            }
            Move::SubnetMoves(n, to) => {
                let id = self.subnets.keys().nth(pick(n, self.subnets.len())?)?.clone();
                let vpc = &self.tables.iter().find(|table| table.id == self.subnets[&id])?.vpc;
                let tables: Vec<&TableNow> = self.tables.iter().filter(|table| table.vpc == *vpc).collect();
                let table = tables[pick(to, tables.len())?];
                let scope = Scope { subnets: [(id.clone(), None)].into(), ..of_table(table) };
                self.subnets.insert(id, table.id.clone());
                scope
            }
            Move::SubnetIsDeleted(n) => {
                let id = self.subnets.keys().nth(pick(n, self.subnets.len())?)?.clone();
                self.subnets.remove(&id);
                deleted(&id)
            }
            Move::TableIsMade(n) => {
                let vpc = self.vpcs[pick(n, self.vpcs.len())?].clone();
                self.make_table(vpc, false)
            }
            Move::TableIsDeleted(n) => {
                let (at, id) = {
                    let others: Vec<(usize, &TableNow)> =
                        self.tables.iter().enumerate().filter(|(_, table)| !table.main).collect();
                    let (at, table) = others[pick(n, others.len())?];
                    (at, table.id.clone())
                };
                self.subnets.retain(|_, table| *table != id);
                self.tables.remove(at);
                deleted(&id)
            }
            Move::VpcIsMade if self.vpcs.len() < 3 => self.make_vpc(),
            Move::VpcIsMade => return None,
            Move::VpcIsDeleted(n) => {
                let vpc = self.vpcs.remove(pick(n, self.vpcs.len())?);
                let gone: BTreeSet<String> =
                    self.tables.iter().filter(|table| table.vpc == vpc).map(|table| table.id.clone()).collect();
                self.subnets.retain(|_, table| !gone.contains(table));
                self.tables.retain(|table| !gone.contains(&table.id));
                deleted(&vpc)
            }
        })
    }

    fn subnets_of(&self, table: &TableNow) -> BTreeSet<String> {
        self.subnets.iter().filter(|(_, of)| **of == table.id).map(|(id, _)| id.clone()).collect()
    }

    /// What is wrong, by hand.
    fn problems(&self) -> BTreeMap<Place, Problem> {
        let mut problems = BTreeMap::new();
        for table in self.tables.iter().filter(|table| !table.exempt) {
            for (service, road) in SERVICES.into_iter().zip(table.roads) {
                let gap = match road {
                    Road::Covered => continue,
                    Road::Routeless => "route_inactive",
                    Road::Unlisted => "not_associated",
                };
                let subnets = self.subnets_of(table);
                let severity = if subnets.is_empty() { Severity::Low } else { EGRESSES[table.egress].1 };
                problems.insert((table.id.clone(), service), Problem { severity, gap, subnets });
            }
        }
        problems
    }

    /// These VPCs, as EC2 shows them.
    fn network(&self, vpcs: &BTreeSet<String>) -> Network {
        let mut network = Network::default();
        let route = |destination: &str, kind, id: String| Route {
            destination: Some(destination.to_owned()),
            target: Target { kind, id: Some(id) },
            active: true,
        };
        for vpc_id in self.vpcs.iter().filter(|vpc| vpcs.contains(*vpc)) {
            network.vpcs.push(Vpc { id: vpc_id.clone(), name: None, exemption: None });
            let endpoint_id = |service: GatewayService| vpc_id.replace("vpc-", "vpce-") + service.name();
            for table in self.tables.iter().filter(|table| table.vpc == *vpc_id) {
                let mut associations = vec![Association { main: table.main, ..Association::default() }];
                for subnet_id in self.subnets_of(table) {
                    associations.push(Association { subnet_id: Some(subnet_id.clone()), ..Association::default() });
                    network.subnets.push(Subnet {
                        id: subnet_id,
                        vpc_id: vpc_id.clone(),
                        name: None,
                        availability_zone: None,
                        cidr: None,
                        owner_id: None,
                        ipv6_native: false,
                        exemption: None,
                    });
                }
                let mut routes = Vec::new();
                routes.extend(EGRESSES[table.egress].0.map(|kind| route("0.0.0.0/0", kind, "x-0000000a".into())));
                for (service, road) in SERVICES.into_iter().zip(table.roads) {
                    if road == Road::Covered {
                        routes.push(route("pl-0000000a", TargetKind::VpcEndpoint, endpoint_id(service)));
                    }
                }
                network.route_tables.push(RouteTable {
                    id: table.id.clone(),
                    vpc_id: vpc_id.clone(),
                    name: None,
                    owner_id: None,
                    exemption: table.exempt.then(String::new),
                    associations,
                    routes,
                });
            }
            for (n, service) in SERVICES.into_iter().enumerate() {
                let listed = self.tables.iter().filter(|t| t.vpc == *vpc_id && t.roads[n] != Road::Unlisted);
                network.endpoints.push(Endpoint {
                    id: endpoint_id(service),
                    vpc_id: vpc_id.clone(),
                    kind: EndpointKind::Gateway,
                    service_name: service.endpoint_service_name(REGION),
                    state: "available".into(),
                    route_table_ids: listed.map(|table| table.id.clone()).collect(),
                    ip_address_type: None,
                });
            }
        }
        network
    }
}

/// What one listener knows of one problem.
#[derive(Clone, Debug, Default)]
struct Heard {
    /// Whether they believe that it stands.
    open: bool,
    since: Option<Timestamp>,
    /// What they were told last.
    problem: Option<Problem>,
    /// When they were told; `None` where that came late.
    at: Option<Timestamp>,
    /// Something was said of it that did not reach them, and nothing has since.
    missed: bool,
    /// A function died while it told them, and nothing has come since. "A crash between publishing and writing may repeat a
    /// notice and never lose one": the ledger does not know whether they have heard, and neither is sure to be right.
    untracked: bool,
}

/// What a function has read, and what it is about to say.
#[derive(Clone, Debug)]
struct Begun {
    plans: Vec<Plan>,
    now: Timestamp,
}

/// Everything there is.
struct Life {
    now: Timestamp,
    world: World,
    policy: Policy,
    account_region: AccountRegion,
    ledger: BTreeMap<String, VpcHistory>,
    slow: Option<Begun>,
    listeners: BTreeMap<Channel, BTreeMap<Place, Heard>>,
    /// What came up, by name.
    seen: BTreeMap<String, u32>,
}

impl Life {
    fn new(min_severity: Severity, reminds: bool) -> Self {
        let mut world = World::default();
        world.make_vpc();
        world.make_vpc();
        Self {
            now: "2026-11-23T10:00:00Z".parse().unwrap(),
            world,
            policy: Policy {
                required_services: SERVICES.into(),
                min_severity,
                remind_after: reminds.then_some(WEEK),
                channels: CHANNELS.into(),
            },
            account_region: AccountRegion {
                partition: "aws".into(),
                account: Some("123456789012".into()),
                region: REGION.into(),
            },
            ledger: BTreeMap::new(),
            slow: None,
            listeners: CHANNELS.into_iter().map(|channel| (channel, BTreeMap::new())).collect(),
            seen: BTreeMap::new(),
        }
    }

    fn live(&mut self, acts: &[Act]) {
        for act in acts {
            match act {
                Act::Change(change, how) => {
                    let scope = self.world.change(change);
                    if let (Some(scope), Some(how)) = (scope, how) {
                        self.look(&scope, how);
                    }
                }
                Act::Sweep(how) => self.look(&Scope::region(), how),
                Act::LookAt(n, how) => {
                    if let Some(vpc) = (!self.world.vpcs.is_empty()).then(|| n.get(&self.world.vpcs).clone()) {
                        self.look(&Scope { vpc_ids: [vpc].into(), ..Scope::default() }, how);
                    }
                }
                Act::Pass(time) => self.now += *time,
                Act::Begin => self.slow = Some(self.begin(&Scope::region(), true)),
                Act::GoOn(how) => {
                    if let Some(begun) = self.slow.take() {
                        self.go_on(&begun, how);
                    }
                }
            }
        }
        // Whoever held a VPC has let go of it by now.
        self.now += HOUR;
        let well = How { failing: BTreeSet::new(), end: End::Well };
        self.look(&Scope::region(), &well);
        self.now += SignedDuration::from_hours(24);
        self.look(&Scope::region(), &well);
    }

    /// One invocation from beginning to end.
    fn look(&mut self, scope: &Scope, how: &How) {
        let begun = self.begin(scope, how.end != End::CannotRead);
        if how.end == End::CannotRead && scope.region {
            self.check_all_is_reported(&begun.plans);
        }
        let went_well = self.go_on(&begun, how);
        if went_well && how.end == End::Well && how.failing.is_empty() {
            let again = self.begin(scope, true).plans;
            assert!(again.is_empty(), "told to all, and there is more to say: {again:#?}");
            if scope.region {
                self.check_beliefs();
            }
        }
    }

    /// Reads the network and the ledger: whole VPCs, those that the scope names, and those in which the ledger knows
    /// something that it names.
    fn begin(&self, scope: &Scope, can_read: bool) -> Begun {
        let names = |id: &String| {
            scope.region
                || scope.vpc_ids.contains(id)
                || scope.route_tables.contains_key(id)
                || scope.subnets.contains_key(id)
                || scope.deleted.contains(id)
        };
        let mut vpcs: BTreeSet<String> = self.world.vpcs.iter().filter(|id| names(id)).cloned().collect();
        for table in &self.world.tables {
            if names(&table.id) || self.world.subnets_of(table).iter().any(names) {
                vpcs.insert(table.vpc.clone());
            }
        }
        if can_read {
            for record in self.ledger.values().flat_map(|vpc| &vpc.records) {
                if names(&record.vpc_id) || names(&record.route_table.id) || record.subnet_ids.iter().any(names) {
                    vpcs.insert(record.vpc_id.clone());
                }
            }
        }
        let network = self.world.network(&vpcs);
        let ledger = if can_read {
            let read = self.ledger.iter().filter(|(vpc, _)| vpcs.contains(*vpc));
            AlertHistory::Available(read.map(|(vpc, history)| (vpc.clone(), history.clone())).collect())
        } else {
            AlertHistory::Unavailable(Error::LedgerFailed("Query: timed out".into()))
        };

        let record = Record { scope: scope.clone(), trigger: Trigger::Schedule, time: None, publish: true };
        let payload = Payload::Direct(Box::new(record));
        let affected = Affected::by(&payload, &network, &ledger, &self.account_region);
        let judged = with_history(scope, &ledger, &network).resolve(&network, &self.account_region).route_table_ids;
        let today = self.now.to_zoned(TimeZone::UTC).date();
        let verdict = evaluate(&network, &judged, &self.policy.required_services, &self.account_region, today);
        let (findings, exempt) = (&verdict.findings, &verdict.exempt);
        let seen = Observation {
            network: &network,
            findings,
            exempt,
            affected: &affected,
            account_region: &self.account_region,
            now: self.now,
        };
        Begun { plans: plans(&seen, &ledger, &self.policy), now: self.now }
    }

    /// Claim, publish, remember. Whether every VPC could be told of.
    fn go_on(&mut self, begun: &Begun, how: &How) -> bool {
        let mut all = true;
        for plan in &begun.plans {
            let Plan::Tracked(tracked) = plan else {
                self.publish(plan, begun.now, how);
                continue;
            };
            if how.end == End::CannotClaim {
                self.publish(&Plan::Untracked(tracked.untracked()), begun.now, how);
                continue;
            }
            // Nobody has acquired the lease since the history was read, and nobody has it.
            let vpc = self.ledger.entry(tracked.vpc_id.clone()).or_default();
            let is_free = vpc.lease_expires_at.is_none_or(|until| until < begun.now);
            let is_unchanged = vpc.version == tracked.version;
            assert!(tracked.lease_expires_at.is_none() || !is_unchanged || !is_free, "the plan knew better");
            if !is_unchanged || !is_free {
                self.count("overtaken");
                all = false;
                continue;
            }
            vpc.version += 1;
            vpc.lease_expires_at = Some(begun.now + LEASE);
            self.remember(&tracked.vpc_id, tracked.records_before());
            let told = self.publish(plan, begun.now, how);
            if how.end == End::Dies {
                self.count("died");
                return false;
            }
            self.remember(&tracked.vpc_id, tracked.records_after(&told));
            self.ledger.get_mut(&tracked.vpc_id).unwrap().lease_expires_at = None;
        }
        all
    }

    fn remember(&mut self, vpc_id: &str, records: Vec<AlertRecord>) {
        let vpc = self.ledger.get_mut(vpc_id).unwrap();
        for record in records {
            vpc.records.retain(|before| before.finding_id != record.finding_id);
            vpc.records.push(record);
        }
    }

    /// Everybody hears, or misses, what is told on their channel.
    fn publish(&mut self, plan: &Plan, now: Timestamp, how: &How) -> BTreeMap<Channel, BTreeSet<String>> {
        let mut told: BTreeMap<Channel, BTreeSet<String>> = BTreeMap::new();
        for outgoing in plan.outgoing() {
            let alert = &outgoing.alert;
            for channel in &outgoing.channels {
                let place = (alert.route_table().id.clone(), alert.service());
                let heard = self.listeners.get_mut(channel).unwrap().entry(place).or_default();
                if how.failing.contains(channel) {
                    heard.missed |= alert.change() != Change::Reported;
                    heard.untracked |= how.end == End::Dies;
                    continue;
                }
                heard.hear(alert, now, how.end == End::Dies, self.policy.min_severity);
                told.entry(*channel).or_default().insert(alert.finding_id().to_owned());
                self.count(alert.change().name());
                if let Some(resolved) = alert.resolved_finding() {
                    let Recorded::Known(reason) = resolved.resolution.reason else { panic!("{resolved:?}") };
                    self.count(&format!("{reason:?}"));
                }
            }
        }
        told
    }

    fn count(&mut self, what: &str) {
        *self.seen.entry(what.to_owned()).or_default() += 1;
    }

    /// What everybody believes after a sweep that went well.
    fn check_beliefs(&mut self) {
        self.count("sweeps that went well");
        let problems = self.world.problems();
        for (channel, heard) in &self.listeners {
            for (place, problem) in &problems {
                if problem.severity < self.policy.min_severity {
                    continue;
                }
                let Some(heard) = heard.get(place) else { panic!("{channel:?} never heard of {place:?}: {problem:?}") };
                assert!(heard.open, "{channel:?} believes that {place:?} is over: {problem:?}, {heard:?}");
                let known = heard.problem.as_ref().unwrap();
                assert!(known.severity >= problem.severity, "{channel:?}, {place:?}: {known:?} is {problem:?}");
                assert!(
                    known.subnets.is_superset(&problem.subnets),
                    "{channel:?}, {place:?}: {known:?} is {problem:?}"
                );
                assert_eq!(known.gap, problem.gap, "{channel:?}, {place:?}");
                if let (Some(at), Some(_)) = (heard.at, self.policy.remind_after) {
                    assert!(self.now.duration_since(at) < WEEK, "{channel:?} has not been reminded of {place:?}");
                }
            }
            for (place, heard) in heard.iter().filter(|(_, heard)| heard.open) {
                assert!(problems.contains_key(place), "{channel:?} believes that {place:?} stands: {heard:?}");
            }
        }
    }

    /// Without the ledger, all that is bad enough is told, to everybody.
    fn check_all_is_reported(&self, plans: &[Plan]) {
        let expected: BTreeSet<Place> = (self.world.problems().into_iter())
            .filter(|(_, problem)| problem.severity >= self.policy.min_severity)
            .map(|(place, _)| place)
            .collect();
        for channel in CHANNELS {
            let outgoing = plans.iter().flat_map(Plan::outgoing).filter(|sent| sent.channels.contains(&channel));
            let alerts: Vec<&Alert> = outgoing.map(|sent| &sent.alert).collect();
            assert!(alerts.iter().all(|alert| alert.change() == Change::Reported));
            let places = alerts.iter().map(|alert| (alert.route_table().id.clone(), alert.service()));
            assert_eq!(places.collect::<BTreeSet<_>>(), expected);
        }
    }
}

impl Heard {
    /// Takes in what is told, and complains where it makes no sense.
    fn hear(&mut self, alert: &Alert, now: Timestamp, is_forgotten: bool, min_severity: Severity) {
        let failed = self.missed || self.untracked;
        assert!(alert.severity() >= min_severity || alert.is_resolved(), "too small to tell: {alert:?}");
        let repeats = || format!("after {self:?}: {alert:?}");
        match alert.change() {
            // Says nothing of what was before.
            Change::Reported => return,
            Change::Opened => assert!(!self.open || failed, "opened twice, {}", repeats()),
            Change::Worsened | Change::Changed => assert!(self.open || failed, "not open, {}", repeats()),
            Change::Reminder => {
                assert!(self.open || failed, "not open, {}", repeats());
                let early = self.at.is_some_and(|at| now.duration_since(at) < WEEK - HOUR);
                assert!(!early || failed, "reminded early, {}", repeats());
            }
            // Who has missed that it opened is not told that it is over.
            Change::Resolved => assert!(self.open || self.untracked, "resolved twice, {}", repeats()),
        }
        if !failed && alert.change() != Change::Opened {
            assert_eq!(alert.since(), self.since, "since when it stands does not change, {}", repeats());
        }
        let gap = match (alert.open_finding(), alert.resolved_finding()) {
            (Some(finding), _) => finding.gap.name(),
            (None, Some(resolved)) => {
                let open_for = now.duration_since(resolved.since).as_secs();
                assert!(failed || resolved.resolution.open_seconds == open_for);
                resolved.gap.name()
            }
            (None, None) => panic!("{alert:?}"),
        };
        *self = Self {
            open: !alert.is_resolved(),
            since: alert.since(),
            problem: Some(Problem {
                severity: alert.severity(),
                gap: ["route_inactive", "not_associated"].into_iter().find(|name| gap == *name).unwrap(),
                subnets: alert.subnets().iter().map(|subnet| subnet.id.clone()).collect(),
            }),
            at: (!failed).then_some(now),
            missed: false,
            untracked: is_forgotten,
        };
    }
}

fn runner() -> TestRunner {
    // The default has read the variable already.
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { CASES };
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn what_people_hear_adds_up() {
    let outcome = runner().run(&life(), |(min_severity, reminds, acts)| {
        Life::new(min_severity, reminds).live(&acts);
        Ok(())
    });
    outcome.unwrap_or_else(|contradiction| panic!("{contradiction}"));
}

/// That all adds up says little where nothing happens. So everything must come up, in the same lives in every run.
#[test]
fn everything_comes_up() {
    let mut runner = TestRunner::deterministic();
    let lives = life();
    let mut seen = BTreeMap::<String, u32>::new();
    for _ in 0..CASES {
        let (min_severity, reminds, acts) = lives.new_tree(&mut runner).unwrap().current();
        let mut life = Life::new(min_severity, reminds);
        life.live(&acts);
        for (what, times) in life.seen {
            *seen.entry(what).or_default() += times;
        }
    }
    let expected = [
        "Covered",
        "Exempt",
        "TableDeleted",
        "VpcDeleted",
        "changed",
        "died",
        "opened",
        "overtaken",
        "reminder",
        "reported",
        "resolved",
        "sweeps that went well",
        "worsened",
    ];
    let rare: Vec<_> = expected.iter().filter(|&&what| seen.get(what).is_none_or(|&times| times < 10)).collect();
    assert!(rare.is_empty(), "hardly ever: {rare:?} of {seen:#?}");
}
