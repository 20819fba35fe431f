//! The first step: reads the network and its alert history concurrently.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{future::join, try_join};
use tokio::time::{Instant, timeout_at};

use crate::{
    alerts::{
        affected::{concerns, has_unknown_subnet},
        history::{AlertHistory, AlertRecord, REST_APIS, VpcHistory},
    },
    app::deadline::Deadline,
    aws::{dynamodb::history_table::HistoryTable, ec2::reader::Reader},
    checks::subject::SubjectKind,
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
    /// When the network was read: the start of the reading.
    pub read_at: Instant,
}

/// Reads the VPCs in scope. The history is read concurrently with EC2, so that it adds no time. A resource that EC2 does not
/// show any more is looked up in the history first, and its VPC is read after that.
///
/// # Errors
///
/// [`Error::Ec2ReadFailed`]. If the history cannot be read, the snapshot has the network without it: findings are sent
/// anyway.
pub async fn take(
    reader: &Reader<'_>,
    table: Option<&HistoryTable<'_>>,
    scope: &Scope,
    recent: &Scope,
    deadline: &Deadline,
) -> Result<Snapshot, Error> {
    let read_at = Instant::now();
    let lookup = reader.locate(scope).await?;
    // Of a part of a Region as well: one query reads the Region, and each VPC would take another. The last part finds in it
    // what is gone.
    let needs_region = !lookup.is_complete || !scope.deleted.is_empty() || scope.part.is_some();
    let mut requested = if needs_region { VpcSelection::Region } else { lookup.selection.clone() };
    if scope.concerns_rest_apis() {
        requested.add(BTreeSet::from([REST_APIS.to_owned()]));
    }
    let reading = reader.read_consistently(scope, recent, lookup, deadline.retry_until());
    let Some(table) = table else {
        return Ok(Snapshot { network: reading.await?.0, history: AlertHistory::Off, read_at });
    };
    let (read, mut history) = join(reading, read_history(table, &requested, deadline)).await;
    let (mut network, mut selection) = read?;

    // VPCs that EC2 showed only during the consistency retry.
    let shown_late = selection.difference(&requested);
    if let (Ok(vpcs), false) = (&mut history, shown_late.is_empty()) {
        match read_history(table, &VpcSelection::Vpcs(shown_late), deadline).await {
            Ok(more) => vpcs.extend(more),
            Err(error) => history = Err(error),
        }
    }
    let mut vpcs = match history {
        Ok(vpcs) => vpcs,
        Err(error) => return Ok(Snapshot { network, history: AlertHistory::Unavailable(error), read_at }),
    };
    if selection != VpcSelection::Region && has_unknown_subnet(scope, records(&vpcs)) {
        // Nobody knows the VPC of the subnet. Its table may be in any.
        selection = VpcSelection::Region;
        network = reader.read_vpcs(&selection).await?;
    }
    // VPCs of resources that EC2 does not show any more: only the history knows these VPCs.
    let from_history = VpcSelection::Vpcs(affected_vpcs(scope, &vpcs)).difference(&selection);
    if !from_history.is_empty() {
        network.extend(reader.read_vpcs(&VpcSelection::Vpcs(from_history.clone())).await?);
        selection.add(from_history);
    }
    // The state of a VPC that was not read is unknown, so its findings must not be resolved.
    vpcs.retain(|key, _| selection.contains(key) || key == REST_APIS && scope.concerns_rest_apis());
    add_missing(reader, &mut network, &vpcs).await?;
    Ok(Snapshot { network, history: AlertHistory::Available(vpcs), read_at })
}

/// Reads the network of VPCs again, for the part of the alert history about them that was read before.
///
/// # Errors
///
/// [`Error::Ec2ReadFailed`].
pub async fn take_again(
    reader: &Reader<'_>,
    vpc_ids: &BTreeSet<String>,
    history: &AlertHistory,
) -> Result<Snapshot, Error> {
    let read_at = Instant::now();
    let mut vpcs = if let AlertHistory::Available(vpcs) = history { vpcs.clone() } else { BTreeMap::new() };
    vpcs.retain(|vpc_id, _| vpc_ids.contains(vpc_id));
    let vpc_ids = vpc_ids.iter().filter(|key| *key != REST_APIS).cloned().collect();
    let mut network = reader.read_vpcs(&VpcSelection::Vpcs(vpc_ids)).await?;
    add_missing(reader, &mut network, &vpcs).await?;
    Ok(Snapshot { network, history: AlertHistory::Available(vpcs), read_at })
}

async fn read_history(
    table: &HistoryTable<'_>,
    selection: &VpcSelection,
    deadline: &Deadline,
) -> Result<BTreeMap<String, VpcHistory>, Error> {
    let too_late = || Error::LedgerFailed("Query: not answered in time".to_owned());
    timeout_at(deadline.prepare_until(), table.read(selection)).await.unwrap_or_else(|_| Err(too_late()))
}

/// Reads the route tables and endpoints of open findings that the network does not have. One of them counts as deleted only
/// if a lookup by its id does not return it either.
async fn add_missing(
    reader: &Reader<'_>,
    network: &mut Network,
    vpcs: &BTreeMap<String, VpcHistory>,
) -> Result<(), Error> {
    let tables = missing(SubjectKind::RouteTable, network.route_tables.iter().map(|table| table.id.as_str()), vpcs);
    let endpoints = missing(SubjectKind::VpcEndpoint, network.endpoints.iter().map(|e| e.id.as_str()), vpcs);
    let (tables, endpoints) = try_join!(reader.tables(tables), reader.endpoints(endpoints))?;
    network.route_tables.extend(tables);
    network.endpoints.extend(endpoints);
    Ok(())
}

/// The subjects of this kind of open findings that are not among the existing ones.
fn missing<'a>(
    kind: SubjectKind,
    existing: impl Iterator<Item = &'a str>,
    vpcs: &BTreeMap<String, VpcHistory>,
) -> BTreeSet<String> {
    let existing: BTreeSet<&str> = existing.collect();
    records(vpcs)
        .filter(|record| record.is_open() && record.subject.kind == kind)
        .map(|record| record.subject.id.clone())
        .filter(|id| !existing.contains(id.as_str()))
        .collect()
}

fn affected_vpcs(scope: &Scope, vpcs: &BTreeMap<String, VpcHistory>) -> BTreeSet<String> {
    let is_in_a_vpc = |record: &&AlertRecord| record.vpc_id != REST_APIS;
    records(vpcs)
        .filter(is_in_a_vpc)
        .filter(|record| concerns(scope, record))
        .map(|record| record.vpc_id.clone())
        .collect()
}

fn records(vpcs: &BTreeMap<String, VpcHistory>) -> impl Iterator<Item = &AlertRecord> {
    vpcs.values().flat_map(|vpc| &vpc.records)
}
