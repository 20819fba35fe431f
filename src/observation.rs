//! What one check observed: the input of the planner.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use jiff::Timestamp;

use crate::{exemption::Exempt, finding::Finding, home::Home, touched::Touched, vpc::Network};

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
    pub touched: &'a [Touched<'a>],
    /// The account and Region.
    pub home: &'a Home,
    /// The time of the check, to the second.
    pub now: Timestamp,
}
