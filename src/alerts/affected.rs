//! Which tables and VPCs each record affected: whose findings it is about, and which records fail with a message.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    alerts::history::{AlertHistory, AlertRecord},
    events::{payload::Payload, record::Record, scope::Scope},
    network::{account::AccountRegion, model::Network},
};

/// Ids that several records share.
type Ids = Arc<BTreeSet<String>>;

/// A record whose findings are to be sent, and what it affected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected<'a> {
    /// The record.
    pub record: &'a Record,
    /// The ids of the tables that it affected, those that are gone and that the ledger knows included. Records of the same
    /// scope share them: a batch may hold a hundred that touch the whole Region.
    pub route_table_ids: Ids,
    /// The ids of their VPCs.
    pub vpc_ids: Ids,
}

impl<'a> Affected<'a> {
    /// What each record of the payload affected. One that asks for the report alone is left out.
    #[must_use]
    pub fn by(
        payload: &'a Payload,
        network: &Network,
        history: &AlertHistory,
        account_region: &AccountRegion,
    ) -> Vec<Self> {
        let mut known: BTreeMap<&Scope, (Ids, Ids)> = BTreeMap::new();
        let mut of = |record: &'a Record| {
            let touch = || {
                let (tables, vpcs) = touched_by(&record.scope, network, history, account_region);
                (Arc::new(tables), Arc::new(vpcs))
            };
            let (route_table_ids, vpc_ids) = known.entry(&record.scope).or_insert_with(touch).clone();
            Self { record, route_table_ids, vpc_ids }
        };
        payload.records().filter(|record| record.publish).map(&mut of).collect()
    }
}

fn touched_by(
    scope: &Scope,
    network: &Network,
    history: &AlertHistory,
    account_region: &AccountRegion,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut tables = with_history(scope, history, network).resolve(network, account_region).route_table_ids;
    let mut vpcs: BTreeSet<String> = (network.route_tables.iter())
        .filter(|table| tables.contains(&table.id))
        .map(|table| table.vpc_id.clone())
        .collect();
    // VPCs are read whole, so a table that the history knows and that is not among the tables of its VPC is gone.
    let existing: BTreeSet<&str> =
        network.route_tables.iter().filter(|table| !table.is_edge()).map(|table| table.id.as_str()).collect();
    let gone: Vec<&AlertRecord> = (history.records())
        .filter(|record| !existing.contains(record.route_table.id.as_str()))
        .filter(|record| concerns(scope, record) || vpcs.contains(&record.vpc_id))
        .collect();
    for record in gone {
        tables.insert(record.route_table.id.clone());
        vpcs.insert(record.vpc_id.clone());
    }
    (tables, vpcs)
}

/// Whether a scope concerns the finding of a record: its VPC, its route table, or a subnet that it affected and that may
/// have been deleted or use another table now.
#[must_use]
pub fn concerns(scope: &Scope, record: &AlertRecord) -> bool {
    let table = &record.route_table.id;
    scope.region
        || scope.vpc_ids.contains(&record.vpc_id)
        || scope.route_tables.contains_key(table)
        || [&record.vpc_id, table].into_iter().chain(&record.subnet_ids).any(|id| scope.deleted.contains(id))
        || record.subnet_ids.iter().any(|id| scope.subnets.contains_key(id))
}

/// The scope, with the existing route tables of the records that it concerns: a subnet that was deleted affects the table
/// that it used.
#[must_use]
pub fn with_history(scope: &Scope, history: &AlertHistory, network: &Network) -> Scope {
    let mut extended = scope.clone();
    // The whole Region and whole VPCs include every table of theirs already.
    let is_new =
        |record: &&AlertRecord| !scope.region && !scope.vpc_ids.contains(&record.vpc_id) && concerns(scope, record);
    for record in history.records().filter(is_new) {
        if network.route_tables.iter().any(|table| table.id == record.route_table.id) {
            let vpc_id = || Some(record.vpc_id.clone());
            extended.route_tables.entry(record.route_table.id.clone()).or_insert_with(vpc_id);
        }
    }
    extended
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alerts::{
            history::VpcHistory,
            testing::{record as known, unavailable},
        },
        events::{record::Trigger, sqs::Message},
        network::{
            model::{Association, RouteTable},
            testing::{account_region, main_table, subnet, table, table_of, vpc},
        },
    };

    const A: &str = "vpc-0000000a";
    const B: &str = "vpc-0000000b";
    const GONE: &str = "vpc-0000000f";

    /// Two VPCs: the first with a main table, a private table with a subnet and an edge table.
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

    /// A ledger with findings on these tables of these VPCs, with these subnets.
    fn ledger(told: &[(&str, &str, &[&str])]) -> AlertHistory {
        let mut history = BTreeMap::<String, VpcHistory>::new();
        for (vpc_id, table, subnets) in told {
            history.entry((*vpc_id).to_owned()).or_default().records.push(known(vpc_id, table, subnets));
        }
        AlertHistory::Available(history)
    }

    fn ids<C: FromIterator<String>>(ids: &[&str]) -> C {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    fn record(scope: Scope) -> Record {
        Record { scope, trigger: Trigger::Manual, time: None, publish: true }
    }

    fn tables(tables: &[&str]) -> Scope {
        Scope { route_tables: tables.iter().map(|&id| (id.to_owned(), None)).collect(), ..Scope::default() }
    }

    fn deleted(id: &str) -> Scope {
        Scope { deleted: ids(&[id]), ..Scope::default() }
    }

    /// The tables and VPCs that a record of this scope affected.
    fn affected(scope: Scope, ledger: &AlertHistory) -> (String, String) {
        let payload = Payload::Direct(Box::new(record(scope)));
        let [affected] = Affected::by(&payload, &network(), ledger, &account_region()).try_into().unwrap();
        let joined = |ids: &BTreeSet<String>| ids.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        (joined(&affected.route_table_ids), joined(&affected.vpc_ids))
    }

    fn said(tables: &str, vpcs: &str) -> (String, String) {
        (tables.to_owned(), vpcs.to_owned())
    }

    #[test]
    fn only_records_that_publish_touch_something() {
        let asking = |table: &str, publish| Message {
            id: table.into(),
            record: Ok(Record { publish, ..record(tables(&[table])) }),
        };
        let payload = Payload::Batch(vec![asking("rtb-0000000b", true), asking("rtb-0000000c", false)]);
        assert_eq!(
            Affected::by(&payload, &network(), &AlertHistory::Off, &account_region()),
            [Affected {
                record: payload.records().next().unwrap(),
                route_table_ids: Arc::new(ids(&["rtb-0000000b"])),
                vpc_ids: Arc::new(ids(&[A])),
            }]
        );
    }

    #[test]
    fn each_record_touches_its_own_and_records_of_one_scope_share_it() {
        let message = |scope| Message { id: "m".into(), record: Ok(record(scope)) };
        let payload = Payload::Batch(vec![
            message(Scope::region()),
            message(tables(&["rtb-0000000c"])),
            message(Scope::region()),
            message(Scope::default()),
        ]);
        let affected = Affected::by(&payload, &network(), &ledger(&[]), &account_region());
        let all = ids::<BTreeSet<_>>(&["rtb-0000000a", "rtb-0000000b", "rtb-0000000c"]);
        let of: Vec<_> = affected.iter().map(|affected| (&*affected.route_table_ids, &*affected.vpc_ids)).collect();
        assert_eq!(
            of,
            [
                (&all, &ids(&[A, B])),
                (&ids(&["rtb-0000000c"]), &ids(&[B])),
                (&all, &ids(&[A, B])),
                (&BTreeSet::new(), &BTreeSet::new()),
            ]
        );
        assert!(Arc::ptr_eq(&affected[0].route_table_ids, &affected[2].route_table_ids));
        assert!(payload.records().zip(&affected).all(|(record, affected)| std::ptr::eq(record, affected.record)));
    }

    #[test]
    fn a_table_that_was_deleted_is_touched_where_the_ledger_knows_it() {
        let told = ledger(&[(A, "rtb-0000000f", &[])]);
        assert_eq!(affected(deleted("rtb-0000000f"), &told), said("rtb-0000000f", A));
        for ledger in [AlertHistory::Off, unavailable(), ledger(&[])] {
            assert_eq!(affected(deleted("rtb-0000000f"), &ledger), said("", ""));
        }
    }

    #[test]
    fn a_record_of_a_table_that_is_gone_touches_it_too() {
        let told = ledger(&[(A, "rtb-0000000f", &[])]);
        assert_eq!(affected(tables(&["rtb-0000000f"]), &told), said("rtb-0000000f", A));
    }

    #[test]
    fn a_subnet_that_was_deleted_touches_the_table_that_it_used() {
        let told = ledger(&[(A, "rtb-0000000b", &["subnet-0000000f"]), (B, "rtb-0000000c", &[])]);
        assert_eq!(affected(deleted("subnet-0000000f"), &told), said("rtb-0000000b", A));
        let gone_too = ledger(&[(A, "rtb-0000000f", &["subnet-0000000f"])]);
        assert_eq!(affected(deleted("subnet-0000000f"), &gone_too), said("rtb-0000000f", A));
    }

    #[test]
    fn a_subnet_that_uses_another_table_now_touches_both() {
        let told = ledger(&[(A, "rtb-0000000a", &["subnet-0000000a"])]);
        let moved = Scope { subnets: [("subnet-0000000a".to_owned(), None)].into(), ..Scope::default() };
        assert_eq!(affected(moved.clone(), &told), said("rtb-0000000a rtb-0000000b", A));
        assert_eq!(affected(moved, &AlertHistory::Off), said("rtb-0000000b", A));
    }

    #[test]
    fn a_vpc_that_was_deleted_touches_all_that_was_told_of_it() {
        let told = ledger(&[(GONE, "rtb-00000001", &[]), (GONE, "rtb-00000002", &[]), (A, "rtb-0000000a", &[])]);
        assert_eq!(affected(deleted(GONE), &told), said("rtb-00000001 rtb-00000002", GONE));
        let named = Scope { vpc_ids: ids(&[GONE]), ..Scope::default() };
        assert_eq!(affected(named, &told), said("rtb-00000001 rtb-00000002", GONE));
        assert_eq!(
            affected(Scope::region(), &told),
            said(
                "rtb-00000001 rtb-00000002 rtb-0000000a rtb-0000000b rtb-0000000c",
                "vpc-0000000a vpc-0000000b vpc-0000000f"
            )
        );
    }

    #[test]
    fn what_is_gone_from_a_vpc_that_is_looked_at_is_touched() {
        let told = ledger(&[(A, "rtb-0000000f", &[]), (B, "rtb-0000000d", &[])]);
        assert_eq!(affected(tables(&["rtb-0000000b"]), &told), said("rtb-0000000b rtb-0000000f", A));
        assert_eq!(affected(tables(&["rtb-0000000c"]), &told), said("rtb-0000000c rtb-0000000d", B));
    }

    #[test]
    fn a_table_that_became_an_edge_table_is_touched_where_the_ledger_knows_it() {
        let told = ledger(&[(A, "rtb-0000000e", &[])]);
        assert_eq!(affected(tables(&["rtb-0000000e"]), &told), said("rtb-0000000e", A));
        assert_eq!(affected(tables(&["rtb-0000000b"]), &told), said("rtb-0000000b rtb-0000000e", A));
        assert_eq!(affected(tables(&["rtb-0000000e"]), &ledger(&[])), said("", ""));
    }

    #[test]
    fn a_table_that_is_there_is_touched_only_by_what_names_it() {
        let told = ledger(&[(A, "rtb-0000000a", &["subnet-0000000b"]), (B, "rtb-0000000c", &[])]);
        assert_eq!(affected(tables(&["rtb-0000000b"]), &told), said("rtb-0000000b", A));
        assert_eq!(affected(deleted("subnet-0000000c"), &told), said("", ""));
    }

    fn subnets(subnets: &[&str]) -> Scope {
        Scope { subnets: subnets.iter().map(|&id| (id.to_owned(), None)).collect(), ..Scope::default() }
    }

    #[test]
    fn a_scope_concerns_what_was_told_of_its_vpc_table_and_subnets() {
        let record = known(A, "rtb-0000000b", &["subnet-0000000a", "subnet-0000000f"]);
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
    fn a_table_that_the_ledger_knows_to_be_concerned_is_looked_at() {
        let history = ledger(&[(A, "rtb-0000000b", &["subnet-0000000f"]), (A, "rtb-0000000f", &["subnet-0000000f"])]);
        let recalled = |scope: &Scope| with_history(scope, &history, &network());
        let looked_at = Scope {
            route_tables: [("rtb-0000000b".to_owned(), Some(A.to_owned()))].into(),
            ..deleted("subnet-0000000f")
        };
        assert_eq!(recalled(&deleted("subnet-0000000f")), looked_at);
        let both = [("rtb-0000000a".to_owned(), None), ("rtb-0000000b".to_owned(), Some(A.to_owned()))];
        assert_eq!(
            recalled(&Scope { route_tables: tables(&["rtb-0000000a"]).route_tables, ..subnets(&["subnet-0000000f"]) }),
            Scope { route_tables: both.into(), ..subnets(&["subnet-0000000f"]) }
        );
        // What has the table in scope already, or does not concern it, stays as it is.
        for scope in [
            Scope::region(),
            Scope { vpc_ids: ids(&[A]), ..deleted("subnet-0000000f") },
            tables(&["rtb-0000000b"]),
            deleted("subnet-0000000b"),
            Scope::default(),
        ] {
            assert_eq!(recalled(&scope), scope);
        }
        for none in [AlertHistory::Off, unavailable()] {
            let scope = deleted("subnet-0000000f");
            assert_eq!(with_history(&scope, &none, &network()), scope);
        }
    }
}
