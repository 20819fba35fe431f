//! The result of one check: the input of the planner.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    alerts::affected::Affected,
    checks::{
        endpoint_problem::{ExemptProblem, Unassessed},
        exemption::Exempt,
        finding::Finding,
        subject::Subject,
    },
    network::{account::AccountRegion, endpoint_facts::RestApis, model::Network},
};

/// What one run of the checks found at the subjects that the input records affect.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The VPCs that were read.
    pub network: &'a Network,
    /// The findings of all checks.
    pub findings: &'a [Finding],
    /// Missing gateway routes that an exemption tag suppresses.
    pub exempt: &'a [Exempt],
    /// Problems of endpoints that an exemption tag suppresses.
    pub exempt_problems: &'a [ExemptProblem],
    /// What the checks of endpoints could not judge. Open findings about it stay open.
    pub unassessed: &'a BTreeSet<Unassessed>,
    /// The REST APIs of the Region; `None` if they were not read. Then open findings about them stay open.
    pub rest_apis: Option<&'a RestApis>,
    /// The tables and VPCs that each input record affects.
    pub affected: &'a [Affected<'a>],
    /// The account and Region that gatewatch runs in.
    pub account_region: &'a AccountRegion,
    /// The time of the check, in whole seconds.
    pub now: Timestamp,
}

impl Observation<'_> {
    /// The input records that affect a subject in this VPC.
    pub(super) fn affecting(&self, subject: &Subject, vpc_id: &str) -> impl Iterator<Item = &Affected<'_>> {
        self.affected.iter().filter(move |affected| affected.affects(subject, vpc_id))
    }
}
