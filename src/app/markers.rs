//! Markers: what a function keeps of each account and Region that it has checked, if it is a hub or a state machine sweeps it.

use tokio::time::timeout_at;

use crate::{
    app::{
        deadline::Deadline,
        handler::{Gatewatch, Invocation},
        region_parts::began_and_found,
        report::{Member, Report},
        response::Outcome,
    },
    aws::dynamodb::marker_table::MarkerTable,
    error::Error,
    events::part::PartRequest,
    network::account::AccountRegion,
};

impl Gatewatch {
    /// Stores that an account and Region was checked completely, and says in the report which one it is. A check of single
    /// resources, or one with a failure, is not complete. Of a Region in parts, the last one completes the check.
    pub(super) async fn write_marker(
        &self,
        outcome: Outcome,
        part: Option<&PartRequest>,
        place: &AccountRegion,
        Invocation { started_at, deadline, .. }: &Invocation,
    ) -> Result<Outcome, Error> {
        let Some(table) = self.marker_table() else { return Ok(outcome) };
        let (report, is_complete) = match &outcome {
            Outcome::Report(report) => (report, true),
            Outcome::Batch { failures, report } => (report, failures.is_empty()),
        };
        let is_complete = is_complete && report.scope.region && report.next.is_none();
        if let (true, Some(account)) = (is_complete, &place.account) {
            let (began_at, open) = began_and_found(part, report, *started_at);
            in_time(deadline, table.write_checked(account, &place.region, began_at, *started_at, open)).await?;
        }
        let member = Member { account_region: place.clone(), not_enrolled: None };
        Ok(match outcome {
            Outcome::Report(report) => Outcome::Report(Report { member: Some(member), ..report }),
            batch @ Outcome::Batch { .. } => batch,
        })
    }

    /// The rows about accounts and Regions, if the function keeps markers.
    pub(super) fn marker_table(&self) -> Option<MarkerTable<'_>> {
        self.settings.markers.as_ref()?;
        let table = self.settings.ledger_table.as_ref()?;
        Some(MarkerTable { client: &self.clients.dynamodb, table })
    }
}

/// Writes a marker before the invocation's deadline.
pub(super) async fn in_time(
    deadline: &Deadline,
    writing: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let too_late = || Error::LedgerFailed("UpdateItem: not written before the invocation's deadline".to_owned());
    timeout_at(deadline.record_until(), Box::pin(writing)).await.unwrap_or_else(|_| Err(too_late()))
}
