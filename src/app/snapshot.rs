//! What is read before anything is decided: the network and its alert history, at the same time.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join;
use tokio::time::timeout_at;

use crate::{
    alerts::{
        affected::concerns,
        history::{AlertHistory, AlertRecord, VpcHistory},
    },
    app::deadline::Deadline,
    aws::{dynamodb::history_table::HistoryTable, ec2::reader::Reader},
    error::Error,
    events::scope::Scope,
    network::{model::Network, selection::VpcSelection},
};

/// The network and the alert history of the same VPCs.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The network.
    pub network: Network,
    /// The alert history.
    pub history: AlertHistory,
}

/// Reads what is in scope. The history is read while EC2 is, so that it costs no time. Only what EC2 does not show any more
/// has to be looked up in the history first, and its VPC read after that.
///
/// # Errors
///
/// [`Error::Ec2ReadFailed`]. Without the history there is still a network: findings are sent all the same.
pub async fn take(
    reader: &Reader<'_>,
    table: Option<&HistoryTable<'_>>,
    scope: &Scope,
    recent: &Scope,
    deadline: &Deadline,
) -> Result<Snapshot, Error> {
    let lookup = reader.locate(scope).await?;
    let asked =
        if lookup.is_complete && scope.deleted.is_empty() { lookup.selection.clone() } else { VpcSelection::Region };
    let reading = reader.read_consistently(scope, recent, lookup, deadline.retry_until());
    let Some(table) = table else {
        return Ok(Snapshot { network: reading.await?.0, history: AlertHistory::Off });
    };
    let (read, mut history) = join(reading, read_history(table, &asked, deadline)).await;
    let (mut network, mut selection) = read?;

    // What EC2 showed only after it was asked again.
    let late = selection.beyond(&asked);
    if let (Ok(vpcs), false) = (&mut history, late.is_empty()) {
        match read_history(table, &VpcSelection::Vpcs(late), deadline).await {
            Ok(more) => vpcs.extend(more),
            Err(error) => history = Err(error),
        }
    }
    let mut vpcs = match history {
        Ok(vpcs) => vpcs,
        Err(error) => return Ok(Snapshot { network, history: AlertHistory::Unavailable(error) }),
    };
    // What EC2 does not show any more, and of which the history knows the VPC.
    let recalled = VpcSelection::Vpcs(vpcs_concerned(scope, &vpcs)).beyond(&selection);
    if !recalled.is_empty() {
        network.extend(reader.read_vpcs(&VpcSelection::Vpcs(recalled.clone())).await?);
        selection.add(recalled);
    }
    // Nothing is known of a VPC that was not read, so nothing in it is resolved.
    vpcs.retain(|vpc_id, _| selection.contains(vpc_id));
    // A route table counts as deleted only if EC2 does not show it by its id either.
    network.route_tables.extend(reader.tables(missing_tables(&network, &vpcs)).await?);
    Ok(Snapshot { network, history: AlertHistory::Available(vpcs) })
}

async fn read_history(
    table: &HistoryTable<'_>,
    selection: &VpcSelection,
    deadline: &Deadline,
) -> Result<BTreeMap<String, VpcHistory>, Error> {
    let too_late = || Error::LedgerFailed("Query: not answered in time".to_owned());
    timeout_at(deadline.history_until(), table.read(selection)).await.unwrap_or_else(|_| Err(too_late()))
}

/// The route tables of open findings that are not among the tables of their VPC.
fn missing_tables(network: &Network, vpcs: &BTreeMap<String, VpcHistory>) -> BTreeSet<String> {
    let existing: BTreeSet<&str> = network.route_tables.iter().map(|table| table.id.as_str()).collect();
    records(vpcs)
        .filter(|record| record.is_open() && !existing.contains(record.route_table.id.as_str()))
        .map(|record| record.route_table.id.clone())
        .collect()
}

fn vpcs_concerned(scope: &Scope, vpcs: &BTreeMap<String, VpcHistory>) -> BTreeSet<String> {
    records(vpcs).filter(|record| concerns(scope, record)).map(|record| record.vpc_id.clone()).collect()
}

fn records(vpcs: &BTreeMap<String, VpcHistory>) -> impl Iterator<Item = &AlertRecord> {
    vpcs.values().flat_map(|vpc| &vpc.records)
}
