//! What is read before anything is said: the network, and what was told of it, at the same time.

use std::collections::BTreeSet;

use futures_util::future::join;
use tokio::time::timeout_at;

use crate::{
    deadline::Deadline,
    ec2::{Reach, Reader},
    error::Error,
    ledger::{Book, Ledger},
    ledger_table::LedgerTable,
    scope::Scope,
    vpc::Network,
};

/// The network and the ledger, of the same VPCs.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The network.
    pub network: Network,
    /// What was told of it.
    pub ledger: Ledger,
}

/// Reads what is in scope. The ledger is read while EC2 is, so that it costs no time. Only what EC2 does not show any more
/// has to be placed by the ledger, and read after it.
///
/// # Errors
///
/// [`Error::Ec2ReadFailed`]. Without the ledger there is still a network: findings are told all the same.
pub async fn take(
    reader: &Reader<'_>,
    ledger: Option<&LedgerTable<'_>>,
    scope: &Scope,
    young: &Scope,
    deadline: &Deadline,
) -> Result<Snapshot, Error> {
    let located = reader.locate(scope).await?;
    let asked = if located.is_whole && scope.deleted.is_empty() { located.reach.clone() } else { Reach::Region };
    let reading = reader.read_patiently(scope, young, located, deadline.patience_until());
    let Some(table) = ledger else {
        return Ok(Snapshot { network: reading.await?.0, ledger: Ledger::Off });
    };
    let (read, mut remembered) = join(reading, recall(table, &asked, deadline)).await;
    let (mut network, mut reach) = read?;

    // What EC2 came to show only while it was waited for.
    let late = reach.beyond(&asked);
    if let (Ok(book), false) = (&mut remembered, late.is_empty()) {
        match recall(table, &Reach::Vpcs(late), deadline).await {
            Ok(more) => book.0.extend(more.0),
            Err(error) => remembered = Err(error),
        }
    }
    let mut book = match remembered {
        Ok(book) => book,
        Err(error) => return Ok(Snapshot { network, ledger: Ledger::Unavailable(error) }),
    };
    // What EC2 shows no more, and the ledger knows the VPC of.
    let recalled = Reach::Vpcs(vpcs_concerned(scope, &book)).beyond(&reach);
    if !recalled.is_empty() {
        network.extend(reader.read_vpcs(&Reach::Vpcs(recalled.clone())).await?);
        reach.add(recalled);
    }
    // Of a VPC that was not read nothing is known, so nothing of it is over.
    book.0.retain(|vpc_id, _| reach.holds(vpc_id));
    // That a table was deleted is told only of one that EC2 does not show by its id either.
    network.route_tables.extend(reader.tables(tables_missing(&network, &book)).await?);
    Ok(Snapshot { network, ledger: Ledger::Open(book) })
}

/// Reads the ledger, or says that it took too long.
async fn recall(table: &LedgerTable<'_>, reach: &Reach, deadline: &Deadline) -> Result<Book, Error> {
    let too_late = || Error::LedgerFailed("Query: not answered in time".to_owned());
    timeout_at(deadline.ledger_until(), table.read(reach)).await.unwrap_or_else(|_| Err(too_late()))
}

/// The tables of open findings that are not among their VPC's.
fn tables_missing(network: &Network, book: &Book) -> BTreeSet<String> {
    let there: BTreeSet<&str> = network.route_tables.iter().map(|table| table.id.as_str()).collect();
    (book.0.values().flat_map(|page| &page.entries))
        .filter(|entry| entry.is_open() && !there.contains(entry.route_table.id.as_str()))
        .map(|entry| entry.route_table.id.clone())
        .collect()
}

fn vpcs_concerned(scope: &Scope, book: &Book) -> BTreeSet<String> {
    (book.0.values().flat_map(|page| &page.entries))
        .filter(|entry| scope.concerns(entry))
        .map(|entry| entry.vpc_id.clone())
        .collect()
}
