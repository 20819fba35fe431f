//! What is over: what ended it, and what is told of that.

use std::collections::{BTreeSet, HashMap};

use super::{Policy, Seen, Step, lacking};
use crate::{
    finding::{Finding, SubnetRef},
    ledger::{Entry, EntryState},
    notice::{Cause, Change, Notice, Resolution, seconds_between},
    reason::reason_it_is_over,
    remediation::Remediation,
    service::GatewayService,
    vpc::{RouteTable, Subnet},
};

/// What ended the problems that are over, and what is told of that.
pub(super) struct Over<'a> {
    seen: &'a Seen<'a>,
    policy: &'a Policy,
    exempt: BTreeSet<(&'a str, GatewayService)>,
    tables: HashMap<&'a str, &'a RouteTable>,
    subnets: HashMap<&'a str, &'a Subnet>,
}

impl<'a> Over<'a> {
    pub(super) fn new(seen: &'a Seen<'a>, policy: &'a Policy) -> Self {
        Self {
            seen,
            policy,
            exempt: seen.exempt.iter().map(|exempt| (exempt.route_table_id.as_str(), exempt.service)).collect(),
            tables: seen.network.route_tables.iter().map(|table| (table.id.as_str(), table)).collect(),
            subnets: seen.network.subnets.iter().map(|subnet| (subnet.id.as_str(), subnet)).collect(),
        }
    }

    /// A problem that stood and does not any more. Those who never heard of it need not hear that it is over.
    pub(super) fn resolved(&self, entry: &Entry) -> Option<Step> {
        let cause = self.cause(entry)?;
        let now = self.seen.now;
        let resolution = Resolution { cause, stood_seconds: seconds_between(entry.since, now) };
        let channels = &self.policy.channels - &entry.unaware;
        let after = Entry {
            state: EntryState::Resolved,
            told: now,
            change: Change::Resolved,
            resolution: Some(resolution),
            pending: BTreeSet::new(),
            unaware: BTreeSet::new(),
            ..entry.clone()
        };
        Some(Step { notice: Some(self.notice(&after, resolution)), channels, entry: Some(after) })
    }

    /// A problem that is over, of which some channels have not heard that it is.
    pub(super) fn owed(&self, entry: &Entry) -> Option<Step> {
        let channels = lacking(entry, self.policy);
        let resolution = entry.resolution.filter(|_| !channels.is_empty())?;
        let after = Entry { pending: BTreeSet::new(), ..entry.clone() };
        Some(Step { notice: Some(self.notice(entry, resolution)), channels, entry: Some(after) })
    }

    /// What ended it. `None` where it cannot be told: the table is there and was not judged.
    fn cause(&self, entry: &Entry) -> Option<Cause> {
        let Seen { network, home, .. } = self.seen;
        let Some(table) = self.tables.get(entry.route_table.id.as_str()) else {
            let vpc_is_there = network.vpcs.iter().any(|vpc| vpc.id == entry.vpc_id);
            return Some(if vpc_is_there { Cause::TableDeleted } else { Cause::VpcDeleted });
        };
        if home.is_foreign(table.owner_id.as_deref()) {
            None
        } else if table.is_edge() {
            Some(Cause::EdgeTable)
        } else if self.exempt.contains(&(table.id.as_str(), entry.service)) {
            Some(Cause::Exempt)
        } else if !self.policy.required_services.contains(&entry.service) {
            Some(Cause::NotRequired)
        } else {
            Some(Cause::Covered)
        }
    }

    /// The finding as it had been, with what is left of its subnets described as they are now.
    fn notice(&self, entry: &Entry, resolution: Resolution) -> Notice {
        let unknown = |id: &String| SubnetRef { id: id.clone(), name: None, availability_zone: None, cidr: None };
        let subnet = |id: &String| self.subnets.get(id.as_str()).map_or_else(|| unknown(id), |subnet| (*subnet).into());
        let finding = Finding {
            id: entry.finding_id.clone(),
            service: entry.service,
            gap: entry.gap,
            severity: entry.worst,
            account: entry.account.clone(),
            region: self.seen.home.region.clone(),
            vpc_id: entry.vpc_id.clone(),
            route_table: entry.route_table.clone(),
            subnets: entry.subnets.iter().map(subnet).collect(),
            egress: entry.egress.clone(),
            endpoint: None,
            interface_endpoint: None,
            reason: reason_it_is_over(&entry.route_table.id, entry.service, &resolution),
            remediation: Remediation::default(),
        };
        Notice { finding, change: Change::Resolved, since: Some(entry.since), resolution: Some(resolution) }
    }
}
