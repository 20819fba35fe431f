//! What one check observed: the input of the planner.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use jiff::Timestamp;

use crate::{
    alerts::affected::Affected,
    checks::{exemption::Exempt, finding::Finding},
    network::{account::AccountRegion, model::Network},
};

/// What was observed at the route tables that the records affect.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The network.
    pub network: &'a Network,
    /// The findings.
    pub findings: &'a [Finding],
    /// Findings suppressed by an exemption tag.
    pub exempt: &'a [Exempt],
    /// What each record affects.
    pub affected: &'a [Affected<'a>],
    /// The account and Region.
    pub account_region: &'a AccountRegion,
    /// The time of the check, to the second.
    pub now: Timestamp,
}
