//! The result of one check: the input of the planner.

use jiff::Timestamp;

use crate::{
    alerts::affected::Affected,
    checks::{exemption::Exempt, finding::Finding},
    network::{account::AccountRegion, model::Network},
};

/// What one check found at the route tables that the input records affect.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The VPCs that were read.
    pub network: &'a Network,
    /// The findings.
    pub findings: &'a [Finding],
    /// Findings suppressed by an exemption tag.
    pub exempt: &'a [Exempt],
    /// The tables and VPCs that each input record affects.
    pub affected: &'a [Affected<'a>],
    /// The account and Region that gatewatch runs in.
    pub account_region: &'a AccountRegion,
    /// The time of the check, in whole seconds.
    pub now: Timestamp,
}

impl Observation<'_> {
    /// The input records that affect a route table.
    pub(super) fn affecting(&self, table: &str) -> impl Iterator<Item = &Affected<'_>> {
        self.affected.iter().filter(move |affected| affected.route_table_ids.contains(table))
    }
}
