//! Which route tables, VPCs and endpoints each input record affects. This decides which findings are sent, which triggers a
//! message lists, and which SQS messages are returned as failed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    alerts::history::{AlertHistory, AlertRecord, REST_APIS},
    channel::Channel,
    checks::subject::{Subject, SubjectKind},
    events::{
        payload::Payload,
        record::{AlertRequest, Record},
        scope::Scope,
    },
    network::{
        account::AccountRegion,
        ids::{self, is_id},
        model::{Network, RouteTable},
    },
};

/// Ids. Records with the same scope share one set.
type Ids = Arc<BTreeSet<String>>;

/// An input record whose findings have to be sent, with the route tables and VPCs that it affects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected<'a> {
    /// The input record.
    pub record: &'a Record,
    /// The ids of the affected tables. They include deleted tables that are in the alert history. Records with the same
    /// scope share the set, because a batch can contain a hundred records for the whole Region.
    pub route_table_ids: Ids,
    /// The ids of the VPCs whose endpoints the record affects: see [`vpcs_with_affected_endpoints`].
    pub endpoint_vpc_ids: Ids,
    /// The ids of the VPCs of these tables and endpoints, and [`REST_APIS`] if the record affects REST APIs: the keys of
    /// the plans that concern the record.
    pub vpc_ids: Ids,
    /// How often SQS has delivered the record; `None` for a direct payload.
    pub receive_count: Option<u32>,
}

impl<'a> Affected<'a> {
    /// The tables and VPCs that each record of the payload affects. Records that ask for no alerts are left out, because
    /// they only ask for the report.
    #[must_use]
    pub fn of_records(
        payload: &'a Payload,
        network: &Network,
        history: &AlertHistory,
        account_region: &AccountRegion,
    ) -> Vec<Self> {
        let mut ids_by_scope: BTreeMap<&Scope, [Ids; 3]> = BTreeMap::new();
        let mut affected_by = |(record, receive_count): (&'a Record, Option<u32>)| {
            let compute_ids = || {
                let (tables, mut vpcs) = affected_ids(&record.scope, network, history, account_region);
                let endpoint_vpcs = vpcs_with_affected_endpoints(&record.scope, network, history);
                vpcs.extend(endpoint_vpcs.iter().cloned());
                vpcs.extend(record.scope.concerns_rest_apis().then(|| REST_APIS.to_owned()));
                [tables, endpoint_vpcs, vpcs].map(Arc::new)
            };
            let ids = ids_by_scope.entry(&record.scope).or_insert_with(compute_ids).clone();
            let [route_table_ids, endpoint_vpc_ids, vpc_ids] = ids;
            Self { record, route_table_ids, endpoint_vpc_ids, vpc_ids, receive_count }
        };
        (payload.records_with_receive_count())
            .filter(|(record, _)| record.alerts != AlertRequest::None)
            .map(&mut affected_by)
            .collect()
    }

    /// Whether the record affects findings about a subject in this VPC.
    #[must_use]
    pub fn affects(&self, subject: &Subject, vpc_id: &str) -> bool {
        match subject.kind {
            SubjectKind::RouteTable => self.route_table_ids.contains(&subject.id),
            SubjectKind::VpcEndpoint | SubjectKind::Vpc => self.endpoint_vpc_ids.contains(vpc_id),
            SubjectKind::RestApi => self.record.scope.concerns_rest_apis(),
        }
    }

    /// Whether findings of this record are sent as `reported` if the alert history is unavailable.
    ///
    /// A check of the whole Region would send every open finding again. It sends nothing: its retry or the next sweep
    /// finds the same. A record from SQS is retried, and most failures of DynamoDB are short, so only its third delivery
    /// sends. A direct request that names resources has no retry.
    #[must_use]
    pub fn reports_without_history(&self) -> bool {
        const REPORTING_DELIVERY: u32 = 3;
        !self.record.scope.region && self.receive_count.is_none_or(|count| count == REPORTING_DELIVERY)
    }

    /// The channels on which the record asks for all open findings again.
    #[must_use]
    pub fn resend(&self) -> BTreeSet<Channel> {
        match &self.record.alerts {
            AlertRequest::Resend(channels) => channels.clone().unwrap_or_else(|| Channel::ALL.into()),
            AlertRequest::None | AlertRequest::Changes => BTreeSet::new(),
        }
    }
}

/// The ids of the route tables that a scope affects, and of their VPCs.
fn affected_ids(
    scope: &Scope,
    network: &Network,
    history: &AlertHistory,
    account_region: &AccountRegion,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut tables = with_history(scope, history, network).tables_in(network, account_region).route_table_ids;
    let mut vpcs: BTreeSet<String> = (network.route_tables.iter())
        .filter(|table| tables.contains(&table.id))
        .map(|table| table.vpc_id.to_string())
        .collect();
    // The snapshot has every table of each VPC that was read. So a table that is only in the history was deleted, or is
    // an edge table now.
    let existing: BTreeSet<&str> =
        network.route_tables.iter().filter(|table| !table.is_edge()).map(|table| table.id.as_str()).collect();
    let no_longer_checked: Vec<&AlertRecord> = (history.records().filter(|record| is_about_table(record)))
        .filter(|record| !existing.contains(record.subject.id.as_str()))
        .filter(|record| concerns(scope, record) || vpcs.contains(&record.vpc_id))
        .collect();
    for record in no_longer_checked {
        tables.insert(record.subject.id.clone());
        vpcs.insert(record.vpc_id.clone());
    }
    (tables, vpcs)
}

/// The ids of the VPCs whose endpoints a scope affects: the checks of endpoints judge all endpoints of a VPC together. They
/// are those [in the network](Scope::endpoint_vpcs_in), and those with a finding about an endpoint that the scope
/// [`concerns`].
#[must_use]
pub fn vpcs_with_affected_endpoints(scope: &Scope, network: &Network, history: &AlertHistory) -> BTreeSet<String> {
    let records = history.records().filter(|record| !is_about_table(record) && concerns(scope, record));
    let mut vpcs = scope.endpoint_vpcs_in(network);
    vpcs.extend(records.map(|record| record.vpc_id.clone()));
    vpcs
}

fn is_about_table(record: &AlertRecord) -> bool {
    record.subject.kind == SubjectKind::RouteTable
}

/// Whether a scope concerns the finding of an alert record: the scope names its VPC, its subject, or a subnet that was
/// affected. The subnet may have been deleted since, or may use another table now.
#[must_use]
pub fn concerns(scope: &Scope, record: &AlertRecord) -> bool {
    let subject = &record.subject.id;
    scope.includes_by_region(&record.vpc_id)
        || scope.vpc_ids.contains(&record.vpc_id)
        || scope.route_tables.contains_key(subject)
        || scope.endpoints.contains_key(subject)
        || [&record.vpc_id, subject].into_iter().chain(&record.subnet_ids).any(|id| scope.deleted.contains(id))
        || record.subnet_ids.iter().any(|id| scope.subnets.contains_key(id))
}

/// Whether the scope names a deleted subnet that no open alert record about a route table names. Then nobody knows which
/// table the subnet used: it was exempt, or its table was covered.
#[must_use]
pub fn has_unknown_subnet<'a>(scope: &Scope, records: impl Iterator<Item = &'a AlertRecord>) -> bool {
    let mut unknown: BTreeSet<&String> = scope.deleted.iter().filter(|id| is_id(ids::SUBNET, id)).collect();
    for id in records.filter(|record| record.is_open() && is_about_table(record)).flat_map(|record| &record.subnet_ids)
    {
        unknown.remove(id);
    }
    !unknown.is_empty()
}

/// The route tables that may have a finding now because the last subnet that used them was deleted: they are exempt as
/// long as they have subnets and all of these are exempt. A table with an open finding is not one of them, because it
/// was not exempt.
fn tables_that_lost_their_subnets<'a>(history: &'a AlertHistory, network: &'a Network) -> Vec<&'a RouteTable> {
    let open: BTreeSet<&str> =
        (history.records().filter(|record| record.is_open())).map(|record| record.subject.id.as_str()).collect();
    let effective = network.effective_tables();
    let used: BTreeSet<&str> =
        (network.subnets.iter().filter_map(|subnet| effective.of(subnet))).map(|table| table.id.as_str()).collect();
    let is_candidate = |table: &&RouteTable| !used.contains(table.id.as_str()) && !open.contains(table.id.as_str());
    network.route_tables.iter().filter(is_candidate).collect()
}

/// The scope, extended by the existing route tables of the alert records that it [`concerns`]. For example, a deleted
/// subnet adds the table that it used. If the alert history does not know a deleted subnet, the scope is extended by all
/// tables that no subnet uses and that have no open finding.
#[must_use]
pub fn with_history(scope: &Scope, history: &AlertHistory, network: &Network) -> Scope {
    let mut extended = scope.clone();
    // A scope that names the whole Region or the VPC includes the table already.
    let adds_a_table =
        |record: &&AlertRecord| !scope.region && !scope.vpc_ids.contains(&record.vpc_id) && concerns(scope, record);
    for record in history.records().filter(adds_a_table) {
        if network.route_tables.iter().any(|table| table.id == record.subject.id) {
            let vpc_id = || Some(record.vpc_id.clone());
            extended.route_tables.entry(record.subject.id.clone()).or_insert_with(vpc_id);
        }
    }
    let is_available = matches!(history, AlertHistory::Available(_));
    if is_available && !scope.region && has_unknown_subnet(scope, history.records()) {
        for table in tables_that_lost_their_subnets(history, network) {
            if !scope.vpc_ids.contains(table.vpc_id.as_str()) {
                let vpc_id = || Some(table.vpc_id.to_string());
                extended.route_tables.entry(table.id.clone()).or_insert_with(vpc_id);
            }
        }
    }
    extended
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alerts::{
            alert::{Resolution, ResolutionReason},
            history::{RecordState, VpcHistory},
            recorded::Recorded,
            testing::{record as alert_record, unavailable},
        },
        events::{
            part::{NextPart, OpenFindings, PartRequest, RegionPart},
            record::Trigger,
            sqs::Message,
        },
        network::{
            model::{Association, RouteTable},
            service::GatewayService,
            testing::{account_region, gateway_endpoint, interface_endpoint, main_table, subnet, table, table_of, vpc},
        },
    };

    const A: &str = "vpc-0000000a";
    const B: &str = "vpc-0000000b";
    const DELETED_VPC: &str = "vpc-0000000f";

    /// Two VPCs. The first has a main table, a private table with one subnet, and an edge table. The second has a main
    /// table.
    fn network() -> Network {
        let private = subnet("subnet-0000000a", A);
        let gateway = Association { gateway_id: Some("igw-0000000a".into()), ..Association::default() };
        let edge = RouteTable { associations: vec![gateway], ..table("rtb-0000000e", A) };
        Network {
            vpcs: vec![vpc(A), vpc(B)],
            route_tables: vec![
                main_table("rtb-0000000a", A),
                table_of("rtb-0000000b", &private),
                edge,
                main_table("rtb-0000000c", B),
            ],
            subnets: vec![private],
            endpoints: Vec::new(),
        }
    }

    /// An alert history with one record for each of these VPCs, tables and lists of subnets.
    fn history_with(records: &[(&str, &str, &[&str])]) -> AlertHistory {
        let mut history = BTreeMap::<String, VpcHistory>::new();
        for (vpc_id, table, subnets) in records {
            history.entry((*vpc_id).to_owned()).or_default().records.push(alert_record(vpc_id, table, subnets));
        }
        AlertHistory::Available(history)
    }

    fn ids<C: FromIterator<String>>(ids: &[&str]) -> C {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    fn record(scope: Scope) -> Record {
        Record { scope, trigger: Trigger::Manual, time: None, alerts: AlertRequest::Changes }
    }

    fn tables(tables: &[&str]) -> Scope {
        Scope { route_tables: tables.iter().map(|&id| (id.to_owned(), None)).collect(), ..Scope::default() }
    }

    fn deleted(id: &str) -> Scope {
        Scope { deleted: ids(&[id]), ..Scope::default() }
    }

    /// The tables and VPCs that an input record with this scope affects, each as ids separated by spaces.
    fn affected(scope: Scope, history: &AlertHistory) -> (String, String) {
        let payload = Payload::Direct(Box::new(record(scope)));
        let [affected] = Affected::of_records(&payload, &network(), history, &account_region()).try_into().unwrap();
        let joined = |ids: &BTreeSet<String>| ids.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        (joined(&affected.route_table_ids), joined(&affected.vpc_ids))
    }

    fn expected(tables: &str, vpcs: &str) -> (String, String) {
        (tables.to_owned(), vpcs.to_owned())
    }

    #[test]
    fn a_record_that_does_not_publish_is_left_out() {
        let message = |table: &str, alerts| Message {
            id: table.into(),
            record: Ok(Record { alerts, ..record(tables(&[table])) }),
            receive_count: 2,
        };
        let payload = Payload::Batch(vec![
            message("rtb-0000000b", AlertRequest::Changes),
            message("rtb-0000000c", AlertRequest::None),
        ]);
        assert_eq!(
            Affected::of_records(&payload, &network(), &AlertHistory::Off, &account_region()),
            [Affected {
                record: payload.records().next().unwrap(),
                route_table_ids: Arc::new(ids(&["rtb-0000000b"])),
                endpoint_vpc_ids: Arc::default(),
                vpc_ids: Arc::new(ids(&[A])),
                receive_count: Some(2),
            }]
        );
    }

    #[test]
    fn findings_are_reported_without_a_history_once_and_never_for_the_whole_region() {
        let reports = |scope: Scope, receive_count| {
            let record = record(scope);
            let no_ids = || Arc::new(BTreeSet::new());
            Affected {
                record: &record,
                route_table_ids: no_ids(),
                endpoint_vpc_ids: no_ids(),
                vpc_ids: no_ids(),
                receive_count,
            }
            .reports_without_history()
        };
        for (receive_count, of_a_table) in
            [(None, true), (Some(1), false), (Some(2), false), (Some(3), true), (Some(4), false), (Some(5), false)]
        {
            assert_eq!(reports(tables(&["rtb-0000000b"]), receive_count), of_a_table, "{receive_count:?}");
            assert!(!reports(Scope::region(), receive_count), "{receive_count:?}");
        }
    }

    #[test]
    fn each_record_has_its_own_tables_and_records_with_the_same_scope_share_them() {
        let message = |scope| Message { id: "m".into(), record: Ok(record(scope)), receive_count: 1 };
        let payload = Payload::Batch(vec![
            message(Scope::region()),
            message(tables(&["rtb-0000000c"])),
            message(Scope::region()),
            message(Scope::default()),
        ]);
        let affected = Affected::of_records(&payload, &network(), &history_with(&[]), &account_region());
        let all = ids::<BTreeSet<_>>(&["rtb-0000000a", "rtb-0000000b", "rtb-0000000c"]);
        let ids_of_each: Vec<_> =
            affected.iter().map(|affected| (&*affected.route_table_ids, &*affected.vpc_ids)).collect();
        assert_eq!(
            ids_of_each,
            [
                (&all, &ids(&[REST_APIS, A, B])),
                (&ids(&["rtb-0000000c"]), &ids(&[B])),
                (&all, &ids(&[REST_APIS, A, B])),
                (&BTreeSet::new(), &BTreeSet::new()),
            ]
        );
        assert!(Arc::ptr_eq(&affected[0].route_table_ids, &affected[2].route_table_ids));
        assert!(payload.records().zip(&affected).all(|(record, affected)| std::ptr::eq(record, affected.record)));
    }

    #[test]
    fn a_part_of_a_region_concerns_its_own_vpcs_and_the_last_part_those_that_are_gone() {
        let part = |after: Option<&str>| {
            let next = |id: &str| NextPart {
                after_vpc_id: id.into(),
                since: "2026-11-27T04:00:00Z".parse().unwrap(),
                open: OpenFindings::default(),
            };
            let request = PartRequest { max_vpcs: 1, next: after.map(next) };
            Scope::region_part(RegionPart::new(ids(&[A, B]), &request))
        };
        let records = [A, B, DELETED_VPC, REST_APIS].map(|vpc_id| alert_record(vpc_id, "rtb-0000000a", &[]));
        let concerned = |scope: &Scope| records.each_ref().map(|record| concerns(scope, record));
        assert_eq!(concerned(&part(None)), [true, false, false, false]);
        assert_eq!(concerned(&part(Some(A))), [false, true, true, true]);
    }

    #[test]
    fn a_deleted_table_is_affected_only_if_it_is_in_the_history() {
        let history = history_with(&[(A, "rtb-0000000f", &[])]);
        assert_eq!(affected(deleted("rtb-0000000f"), &history), expected("rtb-0000000f", A));
        for history in [AlertHistory::Off, unavailable(), history_with(&[])] {
            assert_eq!(affected(deleted("rtb-0000000f"), &history), expected("", ""));
        }
    }

    #[test]
    fn a_scope_that_names_a_deleted_table_affects_it() {
        let history = history_with(&[(A, "rtb-0000000f", &[])]);
        assert_eq!(affected(tables(&["rtb-0000000f"]), &history), expected("rtb-0000000f", A));
    }

    #[test]
    fn a_deleted_subnet_affects_the_table_that_it_used() {
        let history = history_with(&[(A, "rtb-0000000b", &["subnet-0000000f"]), (B, "rtb-0000000c", &[])]);
        assert_eq!(affected(deleted("subnet-0000000f"), &history), expected("rtb-0000000b", A));
        let table_deleted_too = history_with(&[(A, "rtb-0000000f", &["subnet-0000000f"])]);
        assert_eq!(affected(deleted("subnet-0000000f"), &table_deleted_too), expected("rtb-0000000f", A));
    }

    #[test]
    fn a_subnet_that_moved_to_another_table_affects_both_tables() {
        let history = history_with(&[(A, "rtb-0000000a", &["subnet-0000000a"])]);
        let moved = Scope { subnets: [("subnet-0000000a".to_owned(), None)].into(), ..Scope::default() };
        assert_eq!(affected(moved.clone(), &history), expected("rtb-0000000a rtb-0000000b", A));
        assert_eq!(affected(moved, &AlertHistory::Off), expected("rtb-0000000b", A));
    }

    #[test]
    fn a_deleted_vpc_affects_every_table_that_the_history_has_in_it() {
        let history = history_with(&[
            (DELETED_VPC, "rtb-00000001", &[]),
            (DELETED_VPC, "rtb-00000002", &[]),
            (A, "rtb-0000000a", &[]),
        ]);
        assert_eq!(affected(deleted(DELETED_VPC), &history), expected("rtb-00000001 rtb-00000002", DELETED_VPC));
        let named = Scope { vpc_ids: ids(&[DELETED_VPC]), ..Scope::default() };
        assert_eq!(affected(named, &history), expected("rtb-00000001 rtb-00000002", DELETED_VPC));
        assert_eq!(
            affected(Scope::region(), &history),
            expected(
                "rtb-00000001 rtb-00000002 rtb-0000000a rtb-0000000b rtb-0000000c",
                "rest-apis vpc-0000000a vpc-0000000b vpc-0000000f"
            )
        );
    }

    #[test]
    fn a_deleted_table_is_affected_by_any_scope_in_its_vpc() {
        let history = history_with(&[(A, "rtb-0000000f", &[]), (B, "rtb-0000000d", &[])]);
        assert_eq!(affected(tables(&["rtb-0000000b"]), &history), expected("rtb-0000000b rtb-0000000f", A));
        assert_eq!(affected(tables(&["rtb-0000000c"]), &history), expected("rtb-0000000c rtb-0000000d", B));
    }

    #[test]
    fn an_edge_table_is_affected_only_if_it_is_in_the_history() {
        let history = history_with(&[(A, "rtb-0000000e", &[])]);
        assert_eq!(affected(tables(&["rtb-0000000e"]), &history), expected("rtb-0000000e", A));
        assert_eq!(affected(tables(&["rtb-0000000b"]), &history), expected("rtb-0000000b rtb-0000000e", A));
        assert_eq!(affected(tables(&["rtb-0000000e"]), &history_with(&[])), expected("", ""));
    }

    #[test]
    fn an_existing_table_is_affected_only_by_a_scope_that_names_it() {
        let history = history_with(&[(A, "rtb-0000000a", &["subnet-0000000b"]), (B, "rtb-0000000c", &[])]);
        assert_eq!(affected(tables(&["rtb-0000000b"]), &history), expected("rtb-0000000b", A));
        assert_eq!(affected(deleted("subnet-0000000c"), &history), expected("", ""));
    }

    #[test]
    fn an_unknown_deleted_subnet_affects_the_tables_that_no_subnet_uses_and_that_have_no_open_finding() {
        let unknown = || deleted("subnet-0000000c");
        assert_eq!(
            affected(unknown(), &history_with(&[])),
            expected("rtb-0000000a rtb-0000000c", "vpc-0000000a vpc-0000000b")
        );
        let one_is_open = history_with(&[(B, "rtb-0000000c", &[])]);
        assert_eq!(affected(unknown(), &one_is_open), expected("rtb-0000000a", A));

        // The subnet is in a finding that was resolved: it may use another table since.
        let mut resolved = history_with(&[(A, "rtb-0000000b", &["subnet-0000000c"])]);
        if let AlertHistory::Available(vpcs) = &mut resolved {
            vpcs.get_mut(A).unwrap().records[0].state = RecordState::Resolved(Resolution {
                reason: Recorded::Known(ResolutionReason::Exempt),
                open_seconds: 60,
            });
        }
        assert_eq!(
            affected(unknown(), &resolved),
            expected("rtb-0000000a rtb-0000000b rtb-0000000c", "vpc-0000000a vpc-0000000b")
        );

        let known = history_with(&[(A, "rtb-0000000b", &["subnet-0000000c"])]);
        assert_eq!(affected(unknown(), &known), expected("rtb-0000000b", A));
        for other in [deleted("rtb-0000000d"), deleted(DELETED_VPC)] {
            assert_eq!(affected(other, &history_with(&[])), expected("", ""));
        }
        for history in [AlertHistory::Off, unavailable()] {
            assert_eq!(affected(unknown(), &history), expected("", ""));
        }
    }

    fn subnets(subnets: &[&str]) -> Scope {
        Scope { subnets: subnets.iter().map(|&id| (id.to_owned(), None)).collect(), ..Scope::default() }
    }

    #[test]
    fn a_scope_concerns_the_records_of_its_vpc_table_and_subnets() {
        let record = alert_record(A, "rtb-0000000b", &["subnet-0000000a", "subnet-0000000f"]);
        let of_vpc = |id: &str| Scope { vpc_ids: ids(&[id]), ..Scope::default() };
        for scope in [
            Scope::region(),
            of_vpc(A),
            tables(&["rtb-0000000b"]),
            subnets(&["subnet-0000000f"]),
            deleted(A),
            deleted("rtb-0000000b"),
            deleted("subnet-0000000a"),
        ] {
            assert!(concerns(&scope, &record), "{scope:?}");
        }
        for scope in [
            Scope::default(),
            of_vpc(B),
            Scope { route_tables: tables(&["rtb-0000000a"]).route_tables, ..subnets(&["subnet-0000000b"]) },
            deleted(B),
            deleted("rtb-0000000a"),
            deleted("subnet-0000000b"),
            Scope { endpoints: [("vpce-0000000a".to_owned(), Some(A.to_owned()))].into(), ..Scope::default() },
        ] {
            assert!(!concerns(&scope, &record), "{scope:?}");
        }
    }

    #[test]
    fn a_scope_is_extended_by_the_existing_tables_of_the_records_that_it_concerns() {
        let history =
            history_with(&[(A, "rtb-0000000b", &["subnet-0000000f"]), (A, "rtb-0000000f", &["subnet-0000000f"])]);
        let extended = |scope: &Scope| with_history(scope, &history, &network());
        let with_table = Scope {
            route_tables: [("rtb-0000000b".to_owned(), Some(A.to_owned()))].into(),
            ..deleted("subnet-0000000f")
        };
        assert_eq!(extended(&deleted("subnet-0000000f")), with_table);
        let both = [("rtb-0000000a".to_owned(), None), ("rtb-0000000b".to_owned(), Some(A.to_owned()))];
        assert_eq!(
            extended(&Scope { route_tables: tables(&["rtb-0000000a"]).route_tables, ..subnets(&["subnet-0000000f"]) }),
            Scope { route_tables: both.into(), ..subnets(&["subnet-0000000f"]) }
        );
        // A scope that includes the table already, or does not concern it, does not change.
        for scope in [
            Scope::region(),
            Scope { vpc_ids: ids(&[A]), ..deleted("subnet-0000000f") },
            tables(&["rtb-0000000b"]),
            deleted("rtb-0000000d"),
            Scope::default(),
        ] {
            assert_eq!(extended(&scope), scope);
        }
        for history in [AlertHistory::Off, unavailable()] {
            let scope = deleted("subnet-0000000f");
            assert_eq!(with_history(&scope, &history, &network()), scope);
        }
    }

    /// A record about an endpoint of this VPC that affects these subnets.
    fn endpoint_record(vpc_id: &str, endpoint: &str, subnets: &[&str]) -> AlertRecord {
        let subject = Subject { kind: SubjectKind::VpcEndpoint, id: endpoint.into(), name: None };
        AlertRecord { subject, ..alert_record(vpc_id, endpoint, subnets) }
    }

    fn history_of(records: Vec<AlertRecord>) -> AlertHistory {
        let mut history = BTreeMap::<String, VpcHistory>::new();
        for record in records {
            history.entry(record.vpc_id.clone()).or_default().records.push(record);
        }
        AlertHistory::Available(history)
    }

    fn endpoints(id: &str) -> Scope {
        Scope { endpoints: [(id.to_owned(), None)].into(), ..Scope::default() }
    }

    #[test]
    fn a_scope_affects_the_endpoints_of_each_vpc_that_it_names_or_that_has_what_it_names() {
        let mut network = network();
        network.endpoints = vec![
            interface_endpoint("vpce-0000000a", A, "ssm"),
            gateway_endpoint("vpce-0000000b", B, GatewayService::S3, &[]),
        ];
        let history = history_of(vec![
            endpoint_record(A, "vpce-0000000a", &["subnet-0000000f"]),
            endpoint_record(DELETED_VPC, "vpce-0000000f", &[]),
            alert_record(B, "rtb-0000000c", &["subnet-0000000e"]),
        ]);
        let vpcs = |scope: Scope| vpcs_with_affected_endpoints(&scope, &network, &history);
        for (scope, expected) in [
            (Scope::region(), &[A, B, DELETED_VPC][..]),
            (Scope { vpc_ids: ids(&[A]), ..Scope::default() }, &[A]),
            (endpoints("vpce-0000000a"), &[A]),
            (endpoints("vpce-0000000b"), &[B]),
            (subnets(&["subnet-0000000a"]), &[A]),
            // What only the history knows: a deleted VPC, endpoint or subnet.
            (deleted(DELETED_VPC), &[DELETED_VPC]),
            (Scope { vpc_ids: ids(&[DELETED_VPC]), ..Scope::default() }, &[DELETED_VPC]),
            (endpoints("vpce-0000000f"), &[DELETED_VPC]),
            (deleted("vpce-0000000f"), &[DELETED_VPC]),
            (deleted("subnet-0000000f"), &[A]),
            // A table, and the subnet of a finding about a table.
            (tables(&["rtb-0000000b"]), &[]),
            (deleted("subnet-0000000e"), &[]),
            (deleted("vpce-0000000e"), &[]),
            (Scope::default(), &[]),
        ] {
            assert_eq!(vpcs(scope.clone()), ids(expected), "{scope:?}");
        }
        assert_eq!(
            vpcs_with_affected_endpoints(&Scope::region(), &network, &AlertHistory::Off),
            ids(&[A, B]),
            "without a history"
        );
    }

    #[test]
    fn a_record_affects_subjects_by_their_kind() {
        let mut network = network();
        network.endpoints = vec![interface_endpoint("vpce-0000000a", A, "ssm")];
        let subject = |kind, id: &str| Subject { kind, id: id.into(), name: None };
        let (endpoint, vpc) = (subject(SubjectKind::VpcEndpoint, "vpce-0000000a"), subject(SubjectKind::Vpc, A));
        let (table, api) =
            (subject(SubjectKind::RouteTable, "rtb-0000000b"), subject(SubjectKind::RestApi, "a1b2c3d4e5"));
        let affects = |scope: Scope| {
            let payload = Payload::Direct(Box::new(record(scope)));
            let [affected] =
                Affected::of_records(&payload, &network, &AlertHistory::Off, &account_region()).try_into().unwrap();
            [(&table, A), (&endpoint, A), (&vpc, A), (&endpoint, B), (&api, "")]
                .map(|(subject, vpc_id)| affected.affects(subject, vpc_id))
        };
        assert_eq!(affects(Scope::region()), [true, true, true, true, true]);
        assert_eq!(affects(Scope { vpc_ids: ids(&[A]), ..Scope::default() }), [true, true, true, false, false]);
        assert_eq!(affects(endpoints("vpce-0000000a")), [false, true, true, false, false]);
        assert_eq!(affects(tables(&["rtb-0000000b"])), [true, false, false, false, false]);
    }

    /// A record that names an endpoint is one of the triggers of the message about its VPC, and fails with it.
    #[test]
    fn the_vpcs_of_a_record_include_those_of_its_endpoints() {
        let mut network = network();
        network.endpoints = vec![interface_endpoint("vpce-0000000b", B, "ssm")];
        let payload = Payload::Direct(Box::new(record(endpoints("vpce-0000000b"))));
        assert_eq!(
            Affected::of_records(&payload, &network, &AlertHistory::Off, &account_region()),
            [Affected {
                record: payload.records().next().unwrap(),
                route_table_ids: Arc::default(),
                endpoint_vpc_ids: Arc::new(ids(&[B])),
                vpc_ids: Arc::new(ids(&[B])),
                receive_count: None,
            }]
        );
    }

    /// Only the record of a table says which table a deleted subnet used.
    #[test]
    fn the_record_of_an_endpoint_does_not_say_which_table_a_deleted_subnet_used() {
        let history = history_of(vec![endpoint_record(A, "vpce-0000000a", &["subnet-0000000c"])]);
        assert!(has_unknown_subnet(&deleted("subnet-0000000c"), history.records()));
        assert_eq!(
            affected(deleted("subnet-0000000c"), &history),
            expected("rtb-0000000a rtb-0000000c", "vpc-0000000a vpc-0000000b")
        );
        // An endpoint is not a table that was deleted.
        assert_eq!(affected(tables(&["rtb-0000000b"]), &history), expected("rtb-0000000b", A));
    }
}
