//! Which tables and VPCs each record touched: whose findings it is about, and which records fail with a message.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    home::Home,
    ledger::{Entry, Ledger},
    payload::{Payload, Record},
    scope::Scope,
    vpc::Network,
};

/// Ids that several records share.
type Ids = Arc<BTreeSet<String>>;

/// A record whose findings are to be sent, and what it touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched<'a> {
    /// The record.
    pub record: &'a Record,
    /// The ids of the tables that it touched, those that are gone and that the ledger knows included. Records of the same
    /// scope share them: a batch may hold a hundred that touch the whole Region.
    pub route_table_ids: Ids,
    /// The ids of their VPCs.
    pub vpc_ids: Ids,
}

impl<'a> Touched<'a> {
    /// What each record of the payload touched. One that asks for the report alone is left out.
    #[must_use]
    pub fn by(payload: &'a Payload, network: &Network, ledger: &Ledger, home: &Home) -> Vec<Self> {
        let mut known: BTreeMap<&Scope, (Ids, Ids)> = BTreeMap::new();
        let mut of = |record: &'a Record| {
            let touch = || {
                let (tables, vpcs) = touched_by(&record.scope, network, ledger, home);
                (Arc::new(tables), Arc::new(vpcs))
            };
            let (route_table_ids, vpc_ids) = known.entry(&record.scope).or_insert_with(touch).clone();
            Self { record, route_table_ids, vpc_ids }
        };
        payload.records().filter(|record| record.publish).map(&mut of).collect()
    }
}

fn touched_by(scope: &Scope, network: &Network, ledger: &Ledger, home: &Home) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut tables = scope.recalling(ledger, network).resolve(network, home).route_table_ids;
    let mut vpcs: BTreeSet<String> = (network.route_tables.iter())
        .filter(|table| tables.contains(&table.id))
        .map(|table| table.vpc_id.clone())
        .collect();
    // VPCs are read whole, so a table that the ledger knows and that is not among its VPC's is gone.
    let there: BTreeSet<&str> =
        network.route_tables.iter().filter(|table| !table.is_edge()).map(|table| table.id.as_str()).collect();
    let is_over = |entry: &&Entry| !there.contains(entry.route_table.id.as_str());
    let over: Vec<&Entry> = (ledger.entries().filter(is_over))
        .filter(|entry| scope.concerns(entry) || vpcs.contains(&entry.vpc_id))
        .collect();
    for entry in over {
        tables.insert(entry.route_table.id.clone());
        vpcs.insert(entry.vpc_id.clone());
    }
    (tables, vpcs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::{Book, Page},
        payload::{Message, Trigger},
        testing::{self, REGION, entry, main_table, subnet, table, table_of, vpc},
        vpc::{Association, RouteTable},
    };

    const A: &str = "vpc-0000000a";
    const B: &str = "vpc-0000000b";
    const GONE: &str = "vpc-0000000f";

    fn home() -> Home {
        Home { partition: "aws".into(), account: Some("123456789012".into()), region: REGION.into() }
    }

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
    fn ledger(told: &[(&str, &str, &[&str])]) -> Ledger {
        let mut book = Book::default();
        for (vpc_id, table, subnets) in told {
            let page = book.0.entry((*vpc_id).to_owned()).or_insert_with(Page::default);
            page.entries.push(entry(vpc_id, table, subnets));
        }
        Ledger::Open(book)
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

    /// The tables and VPCs that a record of this scope touched.
    fn touched(scope: Scope, ledger: &Ledger) -> (String, String) {
        let payload = Payload::Direct(Box::new(record(scope)));
        let [touched] = Touched::by(&payload, &network(), ledger, &home()).try_into().unwrap();
        let joined = |ids: &BTreeSet<String>| ids.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        (joined(&touched.route_table_ids), joined(&touched.vpc_ids))
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
            Touched::by(&payload, &network(), &Ledger::Off, &home()),
            [Touched {
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
        let touched = Touched::by(&payload, &network(), &ledger(&[]), &home());
        let all = ids::<BTreeSet<_>>(&["rtb-0000000a", "rtb-0000000b", "rtb-0000000c"]);
        let of: Vec<_> = touched.iter().map(|touched| (&*touched.route_table_ids, &*touched.vpc_ids)).collect();
        assert_eq!(
            of,
            [
                (&all, &ids(&[A, B])),
                (&ids(&["rtb-0000000c"]), &ids(&[B])),
                (&all, &ids(&[A, B])),
                (&BTreeSet::new(), &BTreeSet::new()),
            ]
        );
        assert!(Arc::ptr_eq(&touched[0].route_table_ids, &touched[2].route_table_ids));
        assert!(payload.records().zip(&touched).all(|(record, touched)| std::ptr::eq(record, touched.record)));
    }

    #[test]
    fn a_table_that_was_deleted_is_touched_where_the_ledger_knows_it() {
        let told = ledger(&[(A, "rtb-0000000f", &[])]);
        assert_eq!(touched(deleted("rtb-0000000f"), &told), said("rtb-0000000f", A));
        for ledger in [Ledger::Off, testing::unavailable(), ledger(&[])] {
            assert_eq!(touched(deleted("rtb-0000000f"), &ledger), said("", ""));
        }
    }

    #[test]
    fn a_record_of_a_table_that_is_gone_touches_it_too() {
        let told = ledger(&[(A, "rtb-0000000f", &[])]);
        assert_eq!(touched(tables(&["rtb-0000000f"]), &told), said("rtb-0000000f", A));
    }

    #[test]
    fn a_subnet_that_was_deleted_touches_the_table_that_it_used() {
        let told = ledger(&[(A, "rtb-0000000b", &["subnet-0000000f"]), (B, "rtb-0000000c", &[])]);
        assert_eq!(touched(deleted("subnet-0000000f"), &told), said("rtb-0000000b", A));
        let gone_too = ledger(&[(A, "rtb-0000000f", &["subnet-0000000f"])]);
        assert_eq!(touched(deleted("subnet-0000000f"), &gone_too), said("rtb-0000000f", A));
    }

    #[test]
    fn a_subnet_that_uses_another_table_now_touches_both() {
        let told = ledger(&[(A, "rtb-0000000a", &["subnet-0000000a"])]);
        let moved = Scope { subnets: [("subnet-0000000a".to_owned(), None)].into(), ..Scope::default() };
        assert_eq!(touched(moved.clone(), &told), said("rtb-0000000a rtb-0000000b", A));
        assert_eq!(touched(moved, &Ledger::Off), said("rtb-0000000b", A));
    }

    #[test]
    fn a_vpc_that_was_deleted_touches_all_that_was_told_of_it() {
        let told = ledger(&[(GONE, "rtb-00000001", &[]), (GONE, "rtb-00000002", &[]), (A, "rtb-0000000a", &[])]);
        assert_eq!(touched(deleted(GONE), &told), said("rtb-00000001 rtb-00000002", GONE));
        let named = Scope { vpc_ids: ids(&[GONE]), ..Scope::default() };
        assert_eq!(touched(named, &told), said("rtb-00000001 rtb-00000002", GONE));
        assert_eq!(
            touched(Scope::region(), &told),
            said(
                "rtb-00000001 rtb-00000002 rtb-0000000a rtb-0000000b rtb-0000000c",
                "vpc-0000000a vpc-0000000b vpc-0000000f"
            )
        );
    }

    #[test]
    fn what_is_gone_from_a_vpc_that_is_looked_at_is_touched() {
        let told = ledger(&[(A, "rtb-0000000f", &[]), (B, "rtb-0000000d", &[])]);
        assert_eq!(touched(tables(&["rtb-0000000b"]), &told), said("rtb-0000000b rtb-0000000f", A));
        assert_eq!(touched(tables(&["rtb-0000000c"]), &told), said("rtb-0000000c rtb-0000000d", B));
    }

    #[test]
    fn a_table_that_became_an_edge_table_is_touched_where_the_ledger_knows_it() {
        let told = ledger(&[(A, "rtb-0000000e", &[])]);
        assert_eq!(touched(tables(&["rtb-0000000e"]), &told), said("rtb-0000000e", A));
        assert_eq!(touched(tables(&["rtb-0000000b"]), &told), said("rtb-0000000b rtb-0000000e", A));
        assert_eq!(touched(tables(&["rtb-0000000e"]), &ledger(&[])), said("", ""));
    }

    #[test]
    fn a_table_that_is_there_is_touched_only_by_what_names_it() {
        let told = ledger(&[(A, "rtb-0000000a", &["subnet-0000000b"]), (B, "rtb-0000000c", &[])]);
        assert_eq!(touched(tables(&["rtb-0000000b"]), &told), said("rtb-0000000b", A));
        assert_eq!(touched(deleted("subnet-0000000c"), &told), said("", ""));
    }
}
