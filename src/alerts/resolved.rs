//! Which problems are resolved, what ended them, and what has to be sent about that.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use std::collections::{BTreeSet, HashMap};

use crate::{
    alerts::{
        alert::{Alert, Resolution, ResolutionReason, ResolvedFinding, seconds_between},
        history::{AlertRecord, RecordState},
        observation::Observation,
        plan::Step,
        policy::Policy,
        recorded::Recorded,
    },
    checks::finding::SubnetRef,
    network::{
        model::{RouteTable, Subnet},
        service::GatewayService,
    },
};

/// Finds out what ended problems, on one network.
pub(crate) struct Resolver<'a> {
    seen: &'a Observation<'a>,
    policy: &'a Policy,
    exempt: BTreeSet<(&'a str, GatewayService)>,
    tables: HashMap<&'a str, &'a RouteTable>,
    subnets: HashMap<&'a str, &'a Subnet>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(seen: &'a Observation<'a>, policy: &'a Policy) -> Self {
        Self {
            seen,
            policy,
            exempt: seen.exempt.iter().map(|exempt| (exempt.route_table_id.as_str(), exempt.service)).collect(),
            tables: seen.network.route_tables.iter().map(|table| (table.id.as_str(), table)).collect(),
            subnets: seen.network.subnets.iter().map(|subnet| (subnet.id.as_str(), subnet)).collect(),
        }
    }

    /// The step for a problem that existed and is gone. Channels that were never notified about it are not notified about
    /// its end. `None` if nobody can say whether it is gone.
    pub(crate) fn resolve(&self, record: &AlertRecord) -> Option<Step> {
        let reason = Recorded::Known(self.reason(record)?);
        let now = self.seen.now;
        let resolution = Resolution { reason, open_seconds: seconds_between(record.since, now) };
        let channels = &self.policy.channels - &record.not_notified;
        let after = AlertRecord {
            state: RecordState::Resolved(resolution.clone()),
            notified_at: now,
            undelivered: BTreeSet::new(),
            not_notified: BTreeSet::new(),
            ..record.clone()
        };
        Some(Step::send(self.alert(record, resolution), channels, after))
    }

    /// The step for a problem that is resolved already, if some channels did not receive that.
    pub(crate) fn send_again(&self, record: &AlertRecord) -> Option<Step> {
        let RecordState::Resolved(resolution) = &record.state else { return None };
        let channels = self.policy.undelivered(record);
        if channels.is_empty() {
            return None;
        }
        let after = AlertRecord { undelivered: BTreeSet::new(), ..record.clone() };
        Some(Step::send(self.alert(record, resolution.clone()), channels, after))
    }

    /// What ended a problem. `None` for a route table that exists and was not checked.
    fn reason(&self, record: &AlertRecord) -> Option<ResolutionReason> {
        let Observation { network, account_region, .. } = self.seen;
        let Some(table) = self.tables.get(record.route_table.id.as_str()) else {
            let vpc_exists = network.vpcs.iter().any(|vpc| vpc.id == record.vpc_id);
            return Some(if vpc_exists { ResolutionReason::TableDeleted } else { ResolutionReason::VpcDeleted });
        };
        if account_region.is_foreign(table.owner_id.as_deref()) {
            None
        } else if table.is_edge() {
            Some(ResolutionReason::EdgeTable)
        } else if self.exempt.contains(&(table.id.as_str(), record.service)) {
            Some(ResolutionReason::Exempt)
        } else if !self.policy.required_services.contains(&record.service) {
            Some(ResolutionReason::NotRequired)
        } else {
            Some(ResolutionReason::Covered)
        }
    }

    /// The finding as it was. The subnets that still exist are described as they are now.
    fn alert(&self, record: &AlertRecord, resolution: Resolution) -> Alert {
        let unknown = |id: &String| SubnetRef { id: id.clone(), name: None, availability_zone: None, cidr: None };
        let subnet = |id: &String| self.subnets.get(id.as_str()).map_or_else(|| unknown(id), |subnet| (*subnet).into());
        Alert::Resolved(ResolvedFinding {
            id: record.finding_id.clone(),
            service: record.service,
            gap: record.gap.clone(),
            worst_severity: record.worst_severity,
            account: record.account.clone(),
            region: self.seen.account_region.region.clone(),
            vpc_id: record.vpc_id.clone(),
            route_table: record.route_table.clone(),
            subnets: record.subnet_ids.iter().map(subnet).collect(),
            egress: record.egress.clone(),
            since: record.since,
            resolution,
        })
    }
}
