//! Resolved problems: why they are resolved, and which alerts have to be sent about them.

use std::collections::{BTreeSet, HashMap};

use crate::{
    alerts::{
        alert::{Alert, Resolution, ResolutionReason, ResolvedFinding, seconds_between},
        history::{AlertRecord, RecordState},
        observation::Observation,
        plan::Step,
        policy::Policy,
        recorded::{Recorded, RecordedProblem},
    },
    channel::Channel,
    checks::finding::SubnetRef,
    network::{
        model::{RouteTable, Subnet},
        service::GatewayService,
    },
};

/// Plans the alerts about resolved problems. It looks up tables, subnets and exemptions by id.
pub(crate) struct Resolver<'a> {
    observation: &'a Observation<'a>,
    policy: &'a Policy,
    exempt: BTreeSet<(&'a str, GatewayService)>,
    tables: HashMap<&'a str, &'a RouteTable>,
    subnets: HashMap<&'a str, &'a Subnet>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(observation: &'a Observation<'a>, policy: &'a Policy) -> Self {
        Self {
            observation,
            policy,
            exempt: observation.exempt.iter().map(|exempt| (exempt.route_table_id.as_str(), exempt.service)).collect(),
            tables: observation.network.route_tables.iter().map(|table| (table.id.as_str(), table)).collect(),
            subnets: observation.network.subnets.iter().map(|subnet| (subnet.id.as_str(), subnet)).collect(),
        }
    }

    /// The step that resolves an open record whose problem was not found again. Channels that were never notified about
    /// the finding do not receive `resolved` either. `None` if it is not known whether the problem still exists.
    pub(crate) fn resolve(&self, record: &AlertRecord) -> Option<Step> {
        let reason = Recorded::Known(self.reason(record)?);
        let now = self.observation.now;
        let resolution = Resolution { reason, open_seconds: seconds_between(record.since, now) };
        let channels = &self.policy.channels & &record.notified;
        let after = AlertRecord {
            state: RecordState::Resolved(resolution.clone()),
            notified_at: now,
            undelivered: BTreeSet::new(),
            ..self.policy.drop_unsubscribed(record.clone())
        };
        Some(self.step(record, resolution, channels, after))
    }

    /// The step that sends `resolved` again to the channels that did not receive it. `None` for an open record, or if
    /// every channel received it.
    pub(crate) fn send_again(&self, record: &AlertRecord) -> Option<Step> {
        let RecordState::Resolved(resolution) = &record.state else { return None };
        let channels = self.policy.undelivered(record);
        let waiting = self.policy.drop_unsubscribed(record.clone());
        if channels.is_empty() {
            return (waiting != *record).then_some(Step::record_only(waiting));
        }
        let after = AlertRecord { undelivered: BTreeSet::new(), ..waiting };
        Some(self.step(record, resolution.clone(), channels, after))
    }

    fn step(
        &self,
        record: &AlertRecord,
        resolution: Resolution,
        channels: BTreeSet<Channel>,
        after: AlertRecord,
    ) -> Step {
        if channels.is_empty() {
            Step::record_only(after)
        } else {
            Step::send(self.alert(record, resolution), channels, after)
        }
    }

    /// Why a problem is resolved. `None` for a route table of another account: it exists, but is not checked.
    fn reason(&self, record: &AlertRecord) -> Option<ResolutionReason> {
        let Observation { network, account_region, .. } = self.observation;
        let RecordedProblem::MissingRoute(missing) = &record.problem;
        let Some(table) = self.tables.get(record.subject.id.as_str()) else {
            let vpc_exists = network.vpcs.iter().any(|vpc| vpc.id == record.vpc_id);
            return Some(if vpc_exists { ResolutionReason::TableDeleted } else { ResolutionReason::VpcDeleted });
        };
        if account_region.is_foreign(table.owner_id.as_deref()) {
            None
        } else if table.is_edge() {
            Some(ResolutionReason::EdgeTable)
        } else if self.exempt.contains(&(table.id.as_str(), missing.service)) {
            Some(ResolutionReason::Exempt)
        } else if !self.policy.required_services.contains(&missing.service) {
            Some(ResolutionReason::NotRequired)
        } else {
            Some(ResolutionReason::Covered)
        }
    }

    /// The alert, with the finding as it was recorded. Subnets that still exist are described as they are now.
    fn alert(&self, record: &AlertRecord, resolution: Resolution) -> Alert {
        let deleted = |id: &String| SubnetRef { id: id.clone(), name: None, availability_zone: None, cidr: None };
        let subnet = |id: &String| self.subnets.get(id.as_str()).map_or_else(|| deleted(id), |subnet| (*subnet).into());
        Alert::Resolved(ResolvedFinding {
            id: record.finding_id.clone(),
            subject: record.subject.clone(),
            worst_severity: record.worst_severity,
            account: record.account.clone(),
            region: self.observation.account_region.region.clone(),
            vpc_id: record.vpc_id.clone(),
            subnets: record.subnet_ids.iter().map(subnet).collect(),
            problem: record.problem.clone(),
            since: record.since,
            resolution,
        })
    }
}
