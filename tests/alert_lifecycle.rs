//! A simulation of the alert lifecycle. A network changes at random. Invocations check it and send alerts, channels
//! fail, invocations crash, and two invocations run at the same time. The test compares what each subscriber has
//! received with these requirements:
//!
//! - After a sweep without a fault, each subscriber knows every problem that is severe enough, with its gap and with at
//!   least its current severity and subnets. No subscriber knows a resolved problem as open.
//! - No subscriber receives `opened` twice or `resolved` twice, unless there was a fault in between.
//! - A second check of an unchanged network sends nothing.
//! - No reminder is sent too early, and none is missing if reminders are on.
//! - While a check cannot judge an endpoint, an open finding about it is neither resolved nor lost.
//!
//! The test computes the expected problems itself. It shares no logic with the planner, only the types of its input and
//! output.
//!
//! `PROPTEST_CASES=20000 cargo test --no-default-features --test alert_lifecycle` runs more cases than the default.
// This whole file is test code, but clippy only treats functions with `#[test]` as test code.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/seeds.rs"]
mod seeds;

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::{
    alerts::{
        affected::{Affected, vpcs_with_affected_endpoints, with_history},
        alert::{Alert, Change},
        history::{AlertHistory, AlertRecord, VpcHistory},
        observation::Observation,
        plan::Plan,
        planner::plans,
        policy::Policy,
        recorded::{Recorded, RecordedProblem},
    },
    channel::Channel,
    checks::{
        check::CheckName,
        endpoint_context::{EndpointContext, EndpointInput},
        finding::{Finding, Problem as FoundProblem},
        gateway_endpoint::rule::evaluate,
        list::{default_checks, evaluate_endpoints},
        severity::Severity,
        subject::{Subject, SubjectKind},
    },
    error::Error,
    events::{
        payload::Payload,
        record::{AlertRequest, Record, Trigger},
        scope::Scope,
    },
    network::{
        account::AccountRegion,
        endpoint_facts::{EndpointFacts, IngressRule, SecurityGroup, TrafficSource},
        model::{Association, Endpoint, EndpointKind, Network, Route, RouteTable, Subnet, Target, TargetKind, Vpc},
        selection::VpcSelection,
        service::GatewayService,
    },
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree,
    test_runner::TestRunner,
};

use seeds::runner;

/// The number of simulations, unless `PROPTEST_CASES` gives another number.
const CASES: u32 = 300;

const REGION: &str = "eu-west-1";
const CHANNELS: [Channel; 2] = [Channel::Json, Channel::Text];
/// The service of the interface endpoints.
const SSM: &str = "com.amazonaws.eu-west-1.ssm";
const SERVICES: [GatewayService; 2] = [GatewayService::DynamoDb, GatewayService::S3];

/// How long a lease is valid.
const LEASE: SignedDuration = SignedDuration::from_mins(15);

/// The reminder interval. A reminder may be sent one [`HOUR`] early.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A step of a simulation.
#[derive(Clone, Debug)]
enum Step {
    /// The network changes. The event starts an invocation; without [`Conditions`] the event is lost.
    Change(NetworkChange, Option<Conditions>),
    /// An invocation checks the whole Region.
    Sweep(Conditions),
    /// An invocation checks one VPC.
    CheckVpc(Index, Conditions),
    /// Time passes.
    Wait(SignedDuration),
    /// A slow invocation reads the network and the alert history, and does not send yet. If another slow invocation was
    /// waiting, it never continues.
    StartSlowInvocation,
    /// The slow invocation sends the alerts that follow from what it has read.
    FinishSlowInvocation(Conditions),
    /// The topic of the text channel reaches this state, if it comes later than the current one.
    TextTopic(TextTopic),
}

/// The states of the topic of the text channel, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TextTopic {
    /// There is no topic.
    Missing,
    /// There is a topic. No subscription is confirmed yet.
    WithoutSubscribers,
    /// The subscriber receives what is published.
    Subscribed,
}

/// A change of the network.
#[derive(Clone, Debug)]
enum NetworkChange {
    /// The coverage of a table for a service.
    Coverage(Index, usize, Coverage),
    /// The default route of a table: an index into [`EGRESSES`].
    Egress(Index, usize),
    Exempt(Index, bool),
    CreateSubnet(Index),
    MoveSubnet(Index, Index),
    DeleteSubnet(Index),
    CreateTable(Index),
    DeleteTable(Index),
    CreateVpc,
    DeleteVpc(Index),
    CreateEndpoint(Index),
    DeleteEndpoint(Index),
    /// What the security group of an interface endpoint admits.
    Access(Index, Access),
    /// The state of an interface endpoint: an index into [`STATES`].
    EndpointState(Index, usize),
    /// The exemption tag of an interface endpoint: an index into [`TAGS`].
    ExemptEndpoint(Index, usize),
}

/// What the security group of an interface endpoint admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Everybody,
    /// The subnets with even numbers.
    SomeSubnets,
    Nobody,
    /// It is the default group of the VPC, which admits its own members.
    OwnMembers,
    /// The members of another group. Nobody knows their addresses.
    OtherMembers,
}

/// The states that an interface endpoint can have, with the defect of each. `odd` is a state that nobody knows.
const STATES: [(&str, Option<&str>); 5] = [
    ("available", None),
    ("pending", None),
    ("failed", Some("endpoint_failed")),
    ("pendingAcceptance", Some("endpoint_pending_acceptance")),
    ("odd", None),
];

/// The exemption tags that an interface endpoint can have, with the checks that each exempts from.
const TAGS: [(Option<&str>, &[CheckName]); 5] = [
    (None, &[]),
    (Some("endpoint-access"), &[CheckName::EndpointAccess]),
    (Some("endpoint-state"), &[CheckName::EndpointState]),
    (Some(""), &[CheckName::EndpointAccess, CheckName::EndpointState]),
    (Some("s3"), &[]),
];

/// Whether a table has a gateway route to a service, and if not, which gap it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coverage {
    Covered,
    /// The endpoint lists the table, but the table has no route to it: `route_inactive`.
    RouteInactive,
    /// The endpoint of the VPC does not list the table: `not_associated`.
    NotAssociated,
}

/// What fails during an invocation.
#[derive(Clone, Debug)]
struct Conditions {
    /// The channels that accept no message.
    failing_channels: BTreeSet<Channel>,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The invocation crashes after it has published the alerts of the first VPC, before it records that.
    Crash,
    /// The invocation cannot read the alert history.
    ReadFails,
    /// The invocation can read the alert history, but the request for the lease fails.
    LeaseFails,
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let failing_channels = prop_oneof![
        5 => Just(vec![]),
        1 => Just(vec![Channel::Json]),
        2 => Just(vec![Channel::Text]),
        1 => Just(CHANNELS.to_vec())
    ];
    let fault = prop_oneof![
        12 => Just(Fault::None),
        1 => Just(Fault::Crash),
        1 => Just(Fault::ReadFails),
        1 => Just(Fault::LeaseFails)
    ];
    (failing_channels, fault)
        .prop_map(|(channels, fault)| Conditions { failing_channels: channels.into_iter().collect(), fault })
}

fn network_change() -> impl Strategy<Value = NetworkChange> {
    let index = any::<Index>;
    let coverage = select(vec![Coverage::Covered, Coverage::Covered, Coverage::RouteInactive, Coverage::NotAssociated]);
    let access =
        select(vec![Access::Everybody, Access::SomeSubnets, Access::Nobody, Access::OwnMembers, Access::OtherMembers]);
    let state = prop_oneof![1 => Just(0), 1 => select(vec![1, 2, 2, 3, 3, 4])];
    prop_oneof![
        6 => (index(), 0..2_usize, coverage)
            .prop_map(|(table, service, coverage)| NetworkChange::Coverage(table, service, coverage)),
        4 => (index(), 0..4_usize).prop_map(|(table, egress)| NetworkChange::Egress(table, egress)),
        2 => (index(), any::<bool>()).prop_map(|(table, exempt)| NetworkChange::Exempt(table, exempt)),
        4 => index().prop_map(NetworkChange::CreateSubnet),
        2 => (index(), index()).prop_map(|(subnet, table)| NetworkChange::MoveSubnet(subnet, table)),
        2 => index().prop_map(NetworkChange::DeleteSubnet),
        2 => index().prop_map(NetworkChange::CreateTable),
        1 => index().prop_map(NetworkChange::DeleteTable),
        1 => Just(NetworkChange::CreateVpc),
        1 => index().prop_map(NetworkChange::DeleteVpc),
        2 => index().prop_map(NetworkChange::CreateEndpoint),
        2 => index().prop_map(NetworkChange::DeleteEndpoint),
        18 => (index(), access).prop_map(|(endpoint, access)| NetworkChange::Access(endpoint, access)),
        12 => (index(), state).prop_map(|(endpoint, state)| NetworkChange::EndpointState(endpoint, state)),
        2 => (index(), 0..TAGS.len()).prop_map(|(endpoint, tag)| NetworkChange::ExemptEndpoint(endpoint, tag)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let hours = select(vec![6, 23, 3 * 24, 7 * 24 - 1, 8 * 24]);
    prop_oneof![
        8 => (network_change(), proptest::option::weighted(0.8, conditions()))
            .prop_map(|(change, conditions)| Step::Change(change, conditions)),
        3 => conditions().prop_map(Step::Sweep),
        1 => (any::<Index>(), conditions()).prop_map(|(vpc, conditions)| Step::CheckVpc(vpc, conditions)),
        2 => (1..60_i64).prop_map(|minutes| Step::Wait(SignedDuration::from_mins(minutes))),
        2 => hours.prop_map(|hours| Step::Wait(SignedDuration::from_hours(hours))),
        1 => Just(Step::StartSlowInvocation),
        1 => conditions().prop_map(Step::FinishSlowInvocation),
        1 => select(vec![TextTopic::WithoutSubscribers, TextTopic::Subscribed]).prop_map(Step::TextTopic),
    ]
}

/// The input of a simulation: the minimum severity, whether reminders are on, whether the text channel has a subscriber
/// from the start, and the steps.
fn simulation_input() -> impl Strategy<Value = (Severity, bool, TextTopic, Vec<Step>)> {
    let text_topic = prop_oneof![1 => Just(TextTopic::Missing), 1 => Just(TextTopic::WithoutSubscribers), 2 => Just(TextTopic::Subscribed)];
    (select(Severity::ALL.to_vec()), prop::bool::weighted(0.8), text_topic, vec(step(), 1..90))
}

#[derive(Clone, Debug)]
struct TableState {
    id: String,
    vpc: String,
    main: bool,
    coverage: [Coverage; 2],
    egress: usize,
    exempt: bool,
}

/// An interface endpoint.
#[derive(Clone, Debug)]
struct EndpointState {
    id: String,
    vpc: String,
    access: Access,
    /// An index into [`STATES`].
    state: usize,
    /// An index into [`TAGS`].
    tag: usize,
}

impl EndpointState {
    fn group_id(&self) -> String {
        self.id.replace("vpce-", "sg-")
    }

    fn key(&self, check: CheckName) -> ProblemKey {
        (self.id.clone(), check, SSM.to_owned())
    }

    fn is_exempt(&self, check: CheckName) -> bool {
        TAGS[self.tag].1.contains(&check)
    }
}

/// The current network.
#[derive(Clone, Debug, Default)]
struct CurrentNetwork {
    vpcs: Vec<String>,
    tables: Vec<TableState>,
    endpoints: Vec<EndpointState>,
    /// The id of the table of each subnet, by the id of the subnet.
    subnets: BTreeMap<String, String>,
    /// The number of ids that were created. Each new id has the next number.
    created: u32,
}

/// What identifies a problem: the id of the subject, the check and the service.
type ProblemKey = (String, CheckName, String);

fn key_of(alert: &Alert) -> ProblemKey {
    (alert.subject().id.clone(), alert.check(), alert.service_name().to_owned())
}

/// A problem, with the facts that an alert reports.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    severity: Severity,
    /// The gap or the defect.
    gap: String,
    subnets: BTreeSet<String>,
}

/// The default routes that a table can have, and the severity of each if the table has subnets.
const EGRESSES: [(Option<TargetKind>, Severity); 4] = [
    (Some(TargetKind::NatGateway), Severity::High),
    (Some(TargetKind::TransitGateway), Severity::Medium),
    (None, Severity::Medium),
    (Some(TargetKind::InternetGateway), Severity::Low),
];

impl CurrentNetwork {
    fn id(&mut self, kind: &str) -> String {
        self.created += 1;
        format!("{kind}-{:08x}", self.created)
    }

    fn create_vpc(&mut self) -> Scope {
        let vpc = self.id("vpc");
        self.vpcs.push(vpc.clone());
        self.create_table(vpc.clone(), true);
        self.create_endpoint(vpc.clone());
        Scope { vpc_ids: [vpc].into(), ..Scope::default() }
    }

    /// Creates an interface endpoint that admits everybody.
    fn create_endpoint(&mut self, vpc: String) -> Scope {
        let id = self.id("vpce");
        self.endpoints.push(EndpointState {
            id: id.clone(),
            vpc: vpc.clone(),
            access: Access::Everybody,
            state: 0,
            tag: 0,
        });
        Scope { endpoints: [(id, Some(vpc))].into(), ..Scope::default() }
    }

    fn create_table(&mut self, vpc: String, main: bool) -> Scope {
        let id = self.id("rtb");
        let scope = Scope { route_tables: [(id.clone(), Some(vpc.clone()))].into(), ..Scope::default() };
        self.tables.push(TableState {
            id,
            vpc,
            main,
            coverage: [Coverage::NotAssociated; 2],
            egress: 0,
            exempt: false,
        });
        scope
    }

    /// Makes the change. Returns the scope of the event that AWS sends, or `None` if the change is not possible.
    fn change(&mut self, change: &NetworkChange) -> Option<Scope> {
        let of_table =
            |table: &TableState| Scope { route_tables: [(table.id.clone(), None)].into(), ..Scope::default() };
        let of_endpoint =
            |endpoint: &EndpointState| Scope { endpoints: [(endpoint.id.clone(), None)].into(), ..Scope::default() };
        let deleted = |id: &String| Scope { deleted: [id.clone()].into(), ..Scope::default() };
        let pick = |n: &Index, many: usize| (many > 0).then(|| n.index(many));
        Some(match change {
            NetworkChange::Coverage(n, service, coverage) => {
                let n = pick(n, self.tables.len())?;
                self.tables[n].coverage[*service] = *coverage;
                // The endpoint or the table may have changed. An event about an endpoint affects the whole VPC.
                Scope { vpc_ids: [self.tables[n].vpc.clone()].into(), ..Scope::default() }
            }
            NetworkChange::Egress(n, egress) => {
                let n = pick(n, self.tables.len())?;
                self.tables[n].egress = *egress;
                of_table(&self.tables[n])
            }
            NetworkChange::Exempt(n, exempt) => {
                let n = pick(n, self.tables.len())?;
                self.tables[n].exempt = *exempt;
                of_table(&self.tables[n])
            }
            NetworkChange::CreateSubnet(n) => {
                let table = self.tables[pick(n, self.tables.len())?].clone();
                let id = self.id("subnet");
                self.subnets.insert(id.clone(), table.id);
                Scope { subnets: [(id, Some(table.vpc))].into(), ..Scope::default() }
            }
            NetworkChange::MoveSubnet(n, to) => {
                let id = self.subnets.keys().nth(pick(n, self.subnets.len())?)?.clone();
                let vpc = &self.tables.iter().find(|table| table.id == self.subnets[&id])?.vpc;
                let tables: Vec<&TableState> = self.tables.iter().filter(|table| table.vpc == *vpc).collect();
                let table = tables[pick(to, tables.len())?];
                let scope = Scope { subnets: [(id.clone(), None)].into(), ..of_table(table) };
                self.subnets.insert(id, table.id.clone());
                scope
            }
            NetworkChange::DeleteSubnet(n) => {
                let id = self.subnets.keys().nth(pick(n, self.subnets.len())?)?.clone();
                self.subnets.remove(&id);
                deleted(&id)
            }
            NetworkChange::CreateTable(n) => {
                let vpc = self.vpcs[pick(n, self.vpcs.len())?].clone();
                self.create_table(vpc, false)
            }
            NetworkChange::DeleteTable(n) => {
                let (at, id) = {
                    let others: Vec<(usize, &TableState)> =
                        self.tables.iter().enumerate().filter(|(_, table)| !table.main).collect();
                    let (at, table) = others[pick(n, others.len())?];
                    (at, table.id.clone())
                };
                self.subnets.retain(|_, table| *table != id);
                self.tables.remove(at);
                deleted(&id)
            }
            NetworkChange::CreateVpc if self.vpcs.len() < 3 => self.create_vpc(),
            NetworkChange::DeleteVpc(n) => {
                let vpc = self.vpcs.remove(pick(n, self.vpcs.len())?);
                let deleted_tables: BTreeSet<String> =
                    self.tables.iter().filter(|table| table.vpc == vpc).map(|table| table.id.clone()).collect();
                self.subnets.retain(|_, table| !deleted_tables.contains(table));
                self.tables.retain(|table| !deleted_tables.contains(&table.id));
                self.endpoints.retain(|endpoint| endpoint.vpc != vpc);
                deleted(&vpc)
            }
            NetworkChange::CreateEndpoint(n) if self.endpoints.len() < 5 => {
                let vpc = self.vpcs[pick(n, self.vpcs.len())?].clone();
                self.create_endpoint(vpc)
            }
            NetworkChange::CreateVpc | NetworkChange::CreateEndpoint(_) => return None,
            NetworkChange::DeleteEndpoint(n) => {
                self.endpoints.remove(pick(n, self.endpoints.len())?);
                // The record does not name the VPC.
                Scope::region()
            }
            NetworkChange::Access(n, access) => {
                let n = pick(n, self.endpoints.len())?;
                self.endpoints[n].access = *access;
                Scope { security_groups: [self.endpoints[n].group_id()].into(), ..Scope::default() }
            }
            NetworkChange::EndpointState(n, state) => {
                let n = pick(n, self.endpoints.len())?;
                self.endpoints[n].state = *state;
                of_endpoint(&self.endpoints[n])
            }
            NetworkChange::ExemptEndpoint(n, tag) => {
                let n = pick(n, self.endpoints.len())?;
                self.endpoints[n].tag = *tag;
                of_endpoint(&self.endpoints[n])
            }
        })
    }

    fn subnets_of(&self, table: &TableState) -> BTreeSet<String> {
        self.subnets.iter().filter(|(_, of)| **of == table.id).map(|(id, _)| id.clone()).collect()
    }

    /// The problems that exist, computed without the rule under test.
    fn problems(&self) -> BTreeMap<ProblemKey, Problem> {
        let mut problems = BTreeMap::new();
        for table in self.tables.iter().filter(|table| !table.exempt) {
            for (service, coverage) in SERVICES.into_iter().zip(table.coverage) {
                let gap = match coverage {
                    Coverage::Covered => continue,
                    Coverage::RouteInactive => "route_inactive",
                    Coverage::NotAssociated => "not_associated",
                };
                let subnets = self.subnets_of(table);
                let severity = if subnets.is_empty() { Severity::Low } else { EGRESSES[table.egress].1 };
                let key = (table.id.clone(), CheckName::GatewayRoute, service.name().to_owned());
                problems.insert(key, Problem { severity, gap: gap.to_owned(), subnets });
            }
        }
        for endpoint in &self.endpoints {
            let of_checks = [
                (CheckName::EndpointAccess, self.access_problem(endpoint)),
                (CheckName::EndpointState, {
                    let problem = |gap: &str| (Severity::Medium, gap.to_owned(), BTreeSet::new());
                    STATES[endpoint.state].1.map(problem)
                }),
            ];
            for (check, problem) in of_checks {
                if let Some((severity, gap, subnets)) = problem.filter(|_| !endpoint.is_exempt(check)) {
                    problems.insert(endpoint.key(check), Problem { severity, gap, subnets });
                }
            }
        }
        problems
    }

    /// The subnets of a VPC, and those of them that the endpoint's group admits by their addresses.
    fn admitted_by(&self, endpoint: &EndpointState) -> (BTreeSet<String>, BTreeSet<String>) {
        let all: BTreeSet<String> = (self.tables.iter())
            .filter(|table| table.vpc == endpoint.vpc)
            .flat_map(|table| self.subnets_of(table))
            .collect();
        let admitted = match endpoint.access {
            Access::Everybody => all.clone(),
            Access::SomeSubnets => all.iter().filter(|id| number(id).is_multiple_of(2)).cloned().collect(),
            Access::Nobody | Access::OwnMembers | Access::OtherMembers => BTreeSet::new(),
        };
        (all, admitted)
    }

    fn access_problem(&self, endpoint: &EndpointState) -> Option<(Severity, String, BTreeSet<String>)> {
        let (all, admitted) = self.admitted_by(endpoint);
        let outside = &all - &admitted;
        if endpoint.state != 0 || outside.is_empty() {
            return None;
        }
        let (severity, gap) = match endpoint.access {
            Access::OtherMembers => return None,
            Access::OwnMembers => (Severity::Medium, "default_group_only_members"),
            _ if admitted.is_empty() => (Severity::High, "no_subnet_admitted"),
            _ => (Severity::Medium, "some_subnets_not_admitted"),
        };
        Some((severity, gap.to_owned(), outside))
    }

    /// What nobody can say anything about: the access to an endpoint that is not available, or whose group admits members
    /// of another group; and a state that nobody knows.
    fn in_doubt(&self) -> BTreeSet<ProblemKey> {
        let mut doubts = BTreeSet::new();
        for endpoint in &self.endpoints {
            let has_subnets = !self.admitted_by(endpoint).0.is_empty();
            let is_access_unknown = endpoint.state != 0 || endpoint.access == Access::OtherMembers && has_subnets;
            let is_state_unknown = STATES[endpoint.state].0 == "odd";
            for (check, is_unknown) in
                [(CheckName::EndpointAccess, is_access_unknown), (CheckName::EndpointState, is_state_unknown)]
            {
                if is_unknown && !endpoint.is_exempt(check) {
                    doubts.insert(endpoint.key(check));
                }
            }
        }
        doubts
    }

    /// The security groups of the endpoints.
    fn facts(&self) -> EndpointFacts {
        let mut facts = EndpointFacts::default();
        for endpoint in &self.endpoints {
            let cidr = |text: String| TrafficSource::Cidr(text);
            let sources = match endpoint.access {
                Access::Everybody => vec![cidr("0.0.0.0/0".into())],
                Access::SomeSubnets => self.admitted_by(endpoint).1.iter().map(|id| cidr(block(id))).collect(),
                Access::Nobody => vec![cidr("192.0.2.0/24".into())],
                Access::OwnMembers => vec![TrafficSource::Group(endpoint.group_id())],
                Access::OtherMembers => vec![TrafficSource::Group("sg-0000ffff".into())],
            };
            let ingress = vec![IngressRule { protocol: "-1".into(), sources, ..IngressRule::default() }];
            let (vpc_id, is_default) = (endpoint.vpc.clone(), endpoint.access == Access::OwnMembers);
            let group =
                SecurityGroup { id: endpoint.group_id(), vpc_id, is_default, ingress, ..SecurityGroup::default() };
            facts.security_groups.insert(group.id.clone(), group);
        }
        facts
    }

    /// The network model of these VPCs.
    fn model_of(&self, vpcs: &BTreeSet<String>) -> Network {
        let mut network = Network::default();
        let route = |destination: &str, kind, id: String| Route {
            destination: Some(destination.into()),
            target: Target { kind, id: Some(id) },
            active: true,
        };
        for vpc_id in self.vpcs.iter().filter(|vpc| vpcs.contains(*vpc)) {
            network.vpcs.push(Vpc { id: vpc_id.clone(), ..Vpc::default() });
            let endpoint_id = |service: GatewayService| vpc_id.replace("vpc-", "vpce-") + service.name();
            for table in self.tables.iter().filter(|table| table.vpc == *vpc_id) {
                let mut associations = vec![Association { main: table.main, ..Association::default() }];
                for subnet_id in self.subnets_of(table) {
                    associations
                        .push(Association { subnet_id: Some(subnet_id.as_str().into()), ..Association::default() });
                    let cidrs = vec![block(&subnet_id).into()];
                    network.subnets.push(Subnet {
                        id: subnet_id,
                        vpc_id: vpc_id.as_str().into(),
                        cidrs,
                        ..Subnet::default()
                    });
                }
                let mut routes = Vec::new();
                routes.extend(EGRESSES[table.egress].0.map(|kind| route("0.0.0.0/0", kind, "x-0000000a".into())));
                for (service, coverage) in SERVICES.into_iter().zip(table.coverage) {
                    if coverage == Coverage::Covered {
                        routes.push(route("pl-0000000a", TargetKind::VpcEndpoint, endpoint_id(service)));
                    }
                }
                network.route_tables.push(RouteTable {
                    id: table.id.clone(),
                    vpc_id: vpc_id.as_str().into(),
                    name: None,
                    owner_id: None,
                    exemption: table.exempt.then(String::new),
                    associations,
                    routes,
                });
            }
            for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.vpc == *vpc_id) {
                network.endpoints.push(Endpoint {
                    id: endpoint.id.clone(),
                    vpc_id: vpc_id.clone(),
                    kind: EndpointKind::Interface,
                    service_name: SSM.into(),
                    state: STATES[endpoint.state].0.into(),
                    ip_address_type: Some("ipv4".into()),
                    security_group_ids: vec![endpoint.group_id()],
                    exemption: TAGS[endpoint.tag].0.map(str::to_owned),
                    ..Endpoint::default()
                });
            }
            for (n, service) in SERVICES.into_iter().enumerate() {
                let listed =
                    self.tables.iter().filter(|t| t.vpc == *vpc_id && t.coverage[n] != Coverage::NotAssociated);
                network.endpoints.push(Endpoint {
                    id: endpoint_id(service),
                    vpc_id: vpc_id.clone(),
                    kind: EndpointKind::Gateway,
                    service_name: service.endpoint_service_name(REGION).into(),
                    state: "available".into(),
                    route_table_ids: listed.map(|table| table.id.as_str().into()).collect(),
                    ..Endpoint::default()
                });
            }
        }
        network
    }
}

/// The number in an id.
fn number(id: &str) -> u32 {
    u32::from_str_radix(id.rsplit('-').next().unwrap(), 16).unwrap()
}

/// The addresses of a subnet.
fn block(subnet_id: &str) -> String {
    let [_, _, high, low] = number(subnet_id).to_be_bytes();
    format!("10.{high}.{low}.0/24")
}

/// What one subscriber knows about one problem.
#[derive(Clone, Debug, Default)]
struct SubscriberView {
    /// Whether the last alert said that the problem exists.
    open: bool,
    since: Option<Timestamp>,
    /// The problem as the last alert described it.
    problem: Option<Problem>,
    /// When the last alert was received; `None` if an earlier alert was missed, because the time of the reminder
    /// depends on that one.
    received_at: Option<Timestamp>,
    /// The subscriber missed an alert about the problem, and has received none since.
    missed: bool,
    /// An invocation crashed while it sent the last alert. The alert history does not know whether the subscriber
    /// received it. A crash between publishing and writing may repeat an alert, but never loses one.
    crashed: bool,
}

/// An invocation that has read its input and planned its alerts, and has not sent them yet.
#[derive(Clone, Debug)]
struct Planned {
    plans: Vec<Plan>,
    /// The tables, and the VPCs with the endpoints, whose findings are sent as `reported` if the lease cannot be acquired.
    reported: [BTreeSet<String>; 2],
    now: Timestamp,
}

impl Planned {
    fn reports(&self, subject: &Subject, vpc_id: &str) -> bool {
        let [tables, vpcs] = &self.reported;
        if subject.kind == SubjectKind::RouteTable { tables.contains(&subject.id) } else { vpcs.contains(vpc_id) }
    }
}

/// The state of a simulation.
struct Simulation {
    now: Timestamp,
    network: CurrentNetwork,
    policy: Policy,
    account_region: AccountRegion,
    history: BTreeMap<String, VpcHistory>,
    slow_invocation: Option<Planned>,
    /// Whether the topic of the text channel exists and has a subscription. The JSON channel always has one.
    text_topic: TextTopic,
    /// One subscriber per channel.
    subscribers: BTreeMap<Channel, BTreeMap<ProblemKey, SubscriberView>>,
    /// How often each kind of event occurred, by name.
    counts: BTreeMap<String, u32>,
}

impl Simulation {
    fn new(min_severity: Severity, has_reminders: bool) -> Self {
        let mut network = CurrentNetwork::default();
        network.create_vpc();
        network.create_vpc();
        Self {
            now: "2026-11-23T10:00:00Z".parse().unwrap(),
            network,
            policy: Policy {
                checks: default_checks(),
                required_services: SERVICES.into(),
                required_interfaces: BTreeSet::new(),
                min_severity,
                remind_after: has_reminders.then_some(WEEK),
                channels: [Channel::Json].into(),
                without_subscribers: BTreeSet::new(),
            },
            account_region: AccountRegion {
                partition: "aws".into(),
                account: Some("123456789012".into()),
                region: REGION.into(),
            },
            history: BTreeMap::new(),
            slow_invocation: None,
            text_topic: TextTopic::Missing,
            subscribers: CHANNELS.into_iter().map(|channel| (channel, BTreeMap::new())).collect(),
            counts: BTreeMap::new(),
        }
    }

    fn set_text_topic(&mut self, state: TextTopic) {
        self.text_topic = state;
        if state > TextTopic::Missing {
            self.policy.channels.insert(Channel::Text);
        }
    }

    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Change(change, conditions) => {
                    let scope = self.network.change(change);
                    if let (Some(scope), Some(conditions)) = (scope, conditions) {
                        self.invoke(&scope, conditions);
                    }
                }
                Step::Sweep(conditions) => self.invoke(&Scope::region(), conditions),
                Step::CheckVpc(n, conditions) => {
                    if let Some(vpc) = (!self.network.vpcs.is_empty()).then(|| n.get(&self.network.vpcs).clone()) {
                        self.invoke(&Scope { vpc_ids: [vpc].into(), ..Scope::default() }, conditions);
                    }
                }
                Step::Wait(time) => self.now += *time,
                Step::StartSlowInvocation => self.slow_invocation = Some(self.read_and_plan(&Scope::region(), true)),
                Step::TextTopic(state) => self.set_text_topic(self.text_topic.max(*state)),
                Step::FinishSlowInvocation(conditions) => {
                    if let Some(planned) = self.slow_invocation.take() {
                        self.deliver(&planned, conditions);
                    }
                }
            }
        }
        // All leases of crashed invocations have expired by now.
        self.now += HOUR;
        let without_fault = Conditions { failing_channels: BTreeSet::new(), fault: Fault::None };
        self.invoke(&Scope::region(), &without_fault);
        self.now += SignedDuration::from_hours(24);
        self.invoke(&Scope::region(), &without_fault);
    }

    /// Runs one invocation.
    fn invoke(&mut self, scope: &Scope, conditions: &Conditions) {
        let planned = self.read_and_plan(scope, conditions.fault != Fault::ReadFails);
        if conditions.fault == Fault::ReadFails {
            self.check_reported(&planned.plans, scope);
        }
        let all_delivered = self.deliver(&planned, conditions);
        if all_delivered && conditions.fault == Fault::None && conditions.failing_channels.is_empty() {
            let again = self.read_and_plan(scope, true).plans;
            assert!(again.is_empty(), "a second check sends more: {again:#?}");
            if scope.region {
                self.check_subscribers();
            }
        }
    }

    /// Reads the network and the alert history, and plans the alerts. It reads whole VPCs: those that the scope names,
    /// and those with an alert record about a resource that the scope names.
    fn read_and_plan(&self, scope: &Scope, can_read: bool) -> Planned {
        let names = |id: &String| {
            scope.region
                || scope.vpc_ids.contains(id)
                || scope.route_tables.contains_key(id)
                || scope.subnets.contains_key(id)
                || scope.endpoints.contains_key(id)
                || scope.security_groups.contains(id)
                || scope.deleted.contains(id)
        };
        let mut vpcs: BTreeSet<String> = self.network.vpcs.iter().filter(|id| names(id)).cloned().collect();
        for table in &self.network.tables {
            if names(&table.id) || self.network.subnets_of(table).iter().any(names) {
                vpcs.insert(table.vpc.clone());
            }
        }
        for endpoint in &self.network.endpoints {
            if names(&endpoint.id) || names(&endpoint.group_id()) {
                vpcs.insert(endpoint.vpc.clone());
            }
        }
        if can_read {
            for record in self.history.values().flat_map(|vpc| &vpc.records) {
                if names(&record.vpc_id) || names(&record.subject.id) || record.subnet_ids.iter().any(names) {
                    vpcs.insert(record.vpc_id.clone());
                }
            }
        }
        let network = self.network.model_of(&vpcs);
        let history = if can_read {
            let read = self.history.iter().filter(|(vpc, _)| vpcs.contains(*vpc));
            AlertHistory::Available(read.map(|(vpc, history)| (vpc.clone(), history.clone())).collect())
        } else {
            AlertHistory::Unavailable(Error::LedgerFailed("Query: timed out".into()))
        };

        let record =
            Record { scope: scope.clone(), trigger: Trigger::Schedule, time: None, alerts: AlertRequest::Changes };
        let payload = Payload::Direct(Box::new(record));
        let affected = Affected::of_records(&payload, &network, &history, &self.account_region);
        let checked = with_history(scope, &history, &network).tables_in(&network, &self.account_region).route_table_ids;
        let today = self.now.to_zoned(TimeZone::UTC).date();
        let result = evaluate(&network, &checked, &self.policy.required_services, &self.account_region, today);
        let facts = self.network.facts();
        let endpoint_vpcs = if scope.region {
            VpcSelection::Region
        } else {
            VpcSelection::Vpcs(vpcs_with_affected_endpoints(scope, &network, &history))
        };
        let of_endpoints = evaluate_endpoints(
            &self.policy.checks,
            &EndpointContext::new(EndpointInput {
                network: &network,
                facts: &facts,
                account_region: &self.account_region,
                vpcs: &endpoint_vpcs,
                checks_rest_apis: false,
                route_table_services: &self.policy.required_services,
                min_severity: self.policy.min_severity,
                required_interfaces: &BTreeSet::new(),
                organization_id: None,
                today,
            }),
        );
        let findings: Vec<Finding> =
            result.findings.into_iter().chain(of_endpoints.problems.into_iter().map(Finding::from)).collect();
        let observation = Observation {
            network: &network,
            findings: &findings,
            exempt: &result.exempt,
            exempt_problems: &of_endpoints.exempt,
            unassessed: &of_endpoints.unassessed,
            rest_apis: None,
            affected: &affected,
            account_region: &self.account_region,
            now: self.now,
        };
        let mut planned = plans(&observation, &history, &self.policy);
        if !self.has_subscribers(Channel::Text)
            && planned.iter().flat_map(Plan::channels).any(|channel| channel == Channel::Text)
        {
            planned = plans(&observation, &history, &self.policy.clone().without([Channel::Text].into()));
        }
        self.check_that_doubt_resolves_nothing(&planned, &history);
        let reporting = || affected.iter().filter(|affected| affected.reports_without_history());
        let reported = [
            reporting().flat_map(|affected| affected.route_table_ids.iter().cloned()).collect(),
            reporting().flat_map(|affected| affected.endpoint_vpc_ids.iter().cloned()).collect(),
        ];
        Planned { plans: planned, reported, now: self.now }
    }

    /// Acquires the lease of each VPC, publishes its alerts and writes its records. Returns whether every VPC got its
    /// lease and the invocation did not crash.
    fn deliver(&mut self, planned: &Planned, conditions: &Conditions) -> bool {
        let mut all_delivered = true;
        for plan in &planned.plans {
            let Plan::Tracked(tracked) = plan else {
                self.publish(plan, planned.now, conditions);
                continue;
            };
            if conditions.fault == Fault::LeaseFails {
                self.publish(
                    &Plan::Untracked(tracked.to_untracked(|record| planned.reports(&record.subject, &record.vpc_id))),
                    planned.now,
                    conditions,
                );
                continue;
            }
            // The lease is granted if no invocation has it, or has acquired it since the history was read.
            let vpc = self.history.entry(tracked.vpc_id.clone()).or_default();
            let is_free = vpc.lease_expires_at.is_none_or(|expires_at| expires_at < planned.now);
            let is_unchanged = vpc.version == tracked.version;
            assert!(
                tracked.lease_expires_at.is_none() || !is_unchanged || !is_free,
                "the plan has a lease that no invocation has"
            );
            if !is_unchanged || !is_free {
                self.count("lost lease");
                all_delivered = false;
                continue;
            }
            vpc.version += 1;
            vpc.lease_expires_at = Some(planned.now + LEASE);
            vpc.last_incident = tracked.last_incident;
            self.write_records(&tracked.vpc_id, tracked.records_before());
            let received = self.publish(plan, planned.now, conditions);
            if conditions.fault == Fault::Crash {
                self.count("crashed");
                return false;
            }
            self.write_records(&tracked.vpc_id, tracked.records_after(&received));
            let vpc = self.history.get_mut(&tracked.vpc_id).unwrap();
            vpc.lease_expires_at = None;
            // A resolved finding that every channel knows of is not read again.
            vpc.records.retain(AlertRecord::is_active);
        }
        all_delivered
    }

    fn write_records(&mut self, vpc_id: &str, records: Vec<AlertRecord>) {
        let vpc = self.history.get_mut(vpc_id).unwrap();
        for record in records {
            vpc.records.retain(|before| before.finding_id != record.finding_id);
            vpc.records.push(record);
        }
    }

    /// Publishes the alerts. Each subscriber receives or misses the alerts of its channel. Returns the ids of the
    /// findings that each channel received.
    fn publish(&mut self, plan: &Plan, now: Timestamp, conditions: &Conditions) -> BTreeMap<Channel, BTreeSet<String>> {
        let mut received: BTreeMap<Channel, BTreeSet<String>> = BTreeMap::new();
        for (_, outgoing) in plan.outgoing() {
            let alert = &outgoing.alert;
            for channel in &outgoing.channels {
                let key = key_of(alert);
                let view = self.subscribers.get_mut(channel).unwrap().entry(key).or_default();
                if conditions.failing_channels.contains(channel) {
                    view.missed |= alert.change() != Change::Reported;
                    view.crashed |= conditions.fault == Fault::Crash;
                    continue;
                }
                view.receive(alert, now, conditions.fault == Fault::Crash, self.policy.min_severity);
                received.entry(*channel).or_default().insert(alert.finding_id().to_owned());
                self.count(alert.change().name());
                if alert.check() != CheckName::GatewayRoute {
                    self.count(&format!("{} {}", alert.check().name(), alert.change().name()));
                }
                if alert.change() == Change::Opened && alert.since() != Some(now) {
                    self.count("opened later");
                }
                if let Some(resolved) = alert.resolved_finding() {
                    let Recorded::Known(reason) = resolved.resolution.reason else { panic!("{resolved:?}") };
                    self.count(&format!("{reason:?}"));
                }
            }
        }
        received
    }

    fn count(&mut self, name: &str) {
        *self.counts.entry(name.to_owned()).or_default() += 1;
    }

    /// Checks what every subscriber knows after a sweep without a fault.
    fn check_subscribers(&mut self) {
        self.count("sweeps without a fault");
        let (problems, in_doubt) = (self.network.problems(), self.network.in_doubt());
        let mut open_in_doubt = 0;
        for (channel, views) in &self.subscribers {
            let is_subscribed = self.has_subscribers(*channel);
            assert!(is_subscribed || views.is_empty(), "{channel:?} has no subscribers, but received {views:?}");
            for (key, problem) in problems.iter().filter(|_| is_subscribed) {
                if problem.severity < self.policy.min_severity {
                    continue;
                }
                let Some(view) = views.get(key) else {
                    panic!("{channel:?} received nothing about {key:?}: {problem:?}")
                };
                assert!(view.open, "{channel:?} knows {key:?} as resolved: {problem:?}, {view:?}");
                let known = view.problem.as_ref().unwrap();
                assert!(
                    known.severity >= problem.severity,
                    "{channel:?} knows {key:?} as {known:?}, but it is {problem:?}"
                );
                assert!(
                    known.subnets.is_superset(&problem.subnets),
                    "{channel:?} knows {key:?} as {known:?}, but it is {problem:?}"
                );
                assert_eq!(known.gap, problem.gap, "{channel:?}, {key:?}");
                if let (Some(at), Some(_)) = (view.received_at, self.policy.remind_after) {
                    assert!(self.now.duration_since(at) < WEEK, "{channel:?} received no reminder about {key:?}");
                }
            }
            for (key, view) in views.iter().filter(|(_, view)| view.open) {
                assert!(
                    problems.contains_key(key) || in_doubt.contains(key),
                    "{channel:?} knows {key:?} as open: {view:?}"
                );
                open_in_doubt += u32::from(in_doubt.contains(key));
            }
        }
        *self.counts.entry("open and in doubt".to_owned()).or_default() += open_in_doubt;
    }

    /// A plan neither resolves nor reopens a finding that is open in this alert history, and that nobody can judge now.
    fn check_that_doubt_resolves_nothing(&self, planned: &[Plan], history: &AlertHistory) {
        let in_doubt = self.network.in_doubt();
        let key = |record: &AlertRecord| -> ProblemKey {
            (record.subject.id.clone(), record.problem.check(), record.problem.service_name().to_owned())
        };
        let open: BTreeSet<&str> = (history.records())
            .filter(|record| record.is_open() && in_doubt.contains(&key(record)))
            .map(|record| record.finding_id.as_str())
            .collect();
        for (_, outgoing) in planned.iter().flat_map(Plan::outgoing) {
            let alert = &outgoing.alert;
            assert!(!open.contains(alert.finding_id()), "nobody knows whether it still exists: {alert:?}");
        }
    }

    /// Checks that without an alert history every channel receives `reported` for every problem that is severe enough in
    /// the VPCs that the scope names. A check of the whole Region sends nothing.
    fn check_reported(&self, plans: &[Plan], scope: &Scope) {
        let vpc_of = |id: &String| {
            let of_table = self.network.tables.iter().find(|table| table.id == *id).map(|table| &table.vpc);
            of_table
                .or_else(|| self.network.endpoints.iter().find(|endpoint| endpoint.id == *id).map(|e| &e.vpc))
                .unwrap()
        };
        let expected: BTreeSet<ProblemKey> = (self.network.problems().into_iter())
            .filter(|((subject, ..), problem)| {
                scope.vpc_ids.contains(vpc_of(subject)) && problem.severity >= self.policy.min_severity
            })
            .map(|(key, _)| key)
            .collect();
        for channel in CHANNELS {
            let outgoing = plans.iter().flat_map(Plan::outgoing).map(|(_, outgoing)| outgoing);
            let alerts: Vec<&Alert> =
                outgoing.filter(|sent| sent.channels.contains(&channel)).map(|sent| &sent.alert).collect();
            assert!(alerts.iter().all(|alert| alert.change() == Change::Reported));
            let keys: BTreeSet<ProblemKey> = alerts.iter().map(|alert| key_of(alert)).collect();
            if scope.region {
                assert_eq!(keys, BTreeSet::new());
            } else if !scope.vpc_ids.is_empty() && self.has_subscribers(channel) {
                assert_eq!(keys, expected);
            }
        }
    }

    fn has_subscribers(&self, channel: Channel) -> bool {
        channel == Channel::Json || self.text_topic == TextTopic::Subscribed
    }
}

impl SubscriberView {
    /// Receives an alert. Panics if the alert contradicts the alerts before it.
    fn receive(&mut self, alert: &Alert, now: Timestamp, invocation_crashes: bool, min_severity: Severity) {
        let had_fault = self.missed || self.crashed;
        assert!(alert.severity() >= min_severity || alert.is_resolved(), "below the minimum severity: {alert:?}");
        let context = || format!("after {self:?}: {alert:?}");
        match alert.change() {
            // `reported` does not depend on the alerts before it.
            Change::Reported => return,
            Change::Opened => assert!(!self.open || had_fault, "opened twice, {}", context()),
            Change::Worsened | Change::Changed => assert!(self.open || had_fault, "not open, {}", context()),
            Change::Reminder => {
                assert!(self.open || had_fault, "not open, {}", context());
                let is_early = self.received_at.is_some_and(|at| now.duration_since(at) < WEEK - HOUR);
                assert!(!is_early || had_fault, "reminder too early, {}", context());
            }
            // A subscriber that missed `opened` does not receive `resolved`.
            Change::Resolved => assert!(self.open || self.crashed, "resolved twice, {}", context()),
        }
        if !had_fault && alert.change() != Change::Opened {
            assert_eq!(alert.since(), self.since, "`since` has changed, {}", context());
        }
        let gap = match (alert.open_finding(), alert.resolved_finding()) {
            (Some(finding), _) => match &finding.problem {
                FoundProblem::MissingRoute(missing) => missing.gap.name(),
                FoundProblem::Endpoint(defect) => defect.defect.name(),
            },
            (None, Some(resolved)) => {
                let open_for = now.duration_since(resolved.since).as_secs();
                assert!(had_fault || resolved.resolution.open_seconds == open_for);
                match &resolved.problem {
                    RecordedProblem::MissingRoute(missing) => missing.gap.name(),
                    RecordedProblem::Endpoint(defect) => defect.defect.name(),
                }
            }
            (None, None) => panic!("{alert:?}"),
        };
        *self = Self {
            open: !alert.is_resolved(),
            since: alert.since(),
            problem: Some(Problem {
                severity: alert.severity(),
                gap: gap.to_owned(),
                subnets: alert.subnets().iter().map(|subnet| subnet.id.clone()).collect(),
            }),
            // The reminder to a channel that was informed later is due when it is due for the others.
            received_at: (!had_fault && (alert.change() != Change::Opened || alert.since() == Some(now)))
                .then_some(now),
            missed: false,
            crashed: invocation_crashes,
        };
    }
}

#[test]
fn subscribers_receive_consistent_alerts() {
    let outcome = runner(CASES).run(&simulation_input(), |(min_severity, has_reminders, text_topic, steps)| {
        let mut simulation = Simulation::new(min_severity, has_reminders);
        simulation.set_text_topic(text_topic);
        simulation.run(&steps);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// The test above proves little if some events never occur. So each kind of event must occur at least ten times. The
/// simulations are the same in every run.
#[test]
fn each_kind_of_event_occurs_in_the_simulations() {
    let mut runner = TestRunner::deterministic();
    let inputs = simulation_input();
    let mut counts = BTreeMap::<String, u32>::new();
    for _ in 0..CASES {
        let (min_severity, has_reminders, text_topic, steps) = inputs.new_tree(&mut runner).unwrap().current();
        let mut simulation = Simulation::new(min_severity, has_reminders);
        simulation.set_text_topic(text_topic);
        simulation.run(&steps);
        for (name, count) in simulation.counts {
            *counts.entry(name).or_default() += count;
        }
    }
    let expected = [
        "Covered",
        "EndpointDeleted",
        "Exempt",
        "Fixed",
        "TableDeleted",
        "VpcDeleted",
        "changed",
        "crashed",
        "endpoint-access changed",
        "endpoint-access opened",
        "endpoint-access reminder",
        "endpoint-access reported",
        "endpoint-access resolved",
        "endpoint-access worsened",
        "endpoint-state changed",
        "endpoint-state opened",
        "endpoint-state reminder",
        "endpoint-state resolved",
        "lost lease",
        "open and in doubt",
        "opened",
        "opened later",
        "reminder",
        "reported",
        "resolved",
        "sweeps without a fault",
        "worsened",
    ];
    let rare: Vec<_> = expected.iter().filter(|&&name| counts.get(name).is_none_or(|&count| count < 10)).collect();
    assert!(rare.is_empty(), "fewer than 10 times: {rare:?} of {counts:#?}");
}
