//! Resolved problems: why they are resolved, and which alerts have to be sent about them.

use std::collections::{BTreeSet, HashMap};

use jiff::tz::TimeZone;

use crate::{
    alerts::{
        alert::{Alert, Resolution, ResolutionReason, ResolvedFinding, seconds_between},
        history::{AlertRecord, RecordState, vpc_of_key},
        observation::Observation,
        plan::Step,
        policy::Policy,
        recorded::{Recorded, RecordedDefect, RecordedProblem, RecordedRoute},
    },
    channel::Channel,
    checks::{
        check::CheckName,
        endpoint_context::short_name,
        endpoint_problem::{Defect, Unassessed, UnassessedReason},
        exemption::exempts_from,
        finding::SubnetRef,
        list::judges_state_of,
        subject::SubjectKind,
    },
    network::{
        endpoint_facts::RestApis,
        model::{Endpoint, RouteTable, Subnet, Vpc},
        service::GatewayService,
    },
};

/// Plans the alerts about resolved problems. It looks up tables, endpoints, subnets and exemptions by id.
pub(crate) struct Resolver<'a> {
    observation: &'a Observation<'a>,
    policy: &'a Policy,
    exempt: BTreeSet<(&'a str, GatewayService)>,
    /// Check, subject and service of the problems of endpoints that a tag exempts.
    exempt_problems: BTreeSet<(CheckName, &'a str, &'a str)>,
    /// What could not be judged, by check, subject and service.
    unassessed: HashMap<(CheckName, &'a str, &'a str), Vec<&'a Unassessed>>,
    vpcs: HashMap<&'a str, &'a Vpc>,
    endpoints: HashMap<&'a str, &'a Endpoint>,
    tables: HashMap<&'a str, &'a RouteTable>,
    subnets: HashMap<&'a str, &'a Subnet>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(observation: &'a Observation<'a>, policy: &'a Policy) -> Self {
        let mut unassessed = HashMap::<_, Vec<&Unassessed>>::new();
        for doubt in observation.unassessed {
            let key = (doubt.check, doubt.subject.id.as_str(), doubt.service.as_str());
            unassessed.entry(key).or_default().push(doubt);
        }
        Self {
            observation,
            policy,
            exempt: observation.exempt.iter().map(|exempt| (exempt.route_table_id.as_str(), exempt.service)).collect(),
            exempt_problems: (observation.exempt_problems.iter())
                .map(|exempt| (exempt.check, exempt.subject.id.as_str(), exempt.service.as_str()))
                .collect(),
            unassessed,
            vpcs: observation.network.vpcs.iter().map(|vpc| (vpc.id.as_str(), vpc)).collect(),
            endpoints: (observation.network.endpoints.iter())
                .map(|endpoint| (endpoint.id.as_str(), endpoint))
                .collect(),
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

    /// Why a problem is resolved. `None` if nobody knows whether it still exists.
    fn reason(&self, record: &AlertRecord) -> Option<ResolutionReason> {
        match &record.problem {
            RecordedProblem::MissingRoute(missing) => self.reason_for_route(record, missing),
            RecordedProblem::Endpoint(defect) => self.reason_for_defect(record, defect),
        }
    }

    /// Why an endpoint, a VPC or a REST API does not have the defect any more. `None` if it could not be judged.
    fn reason_for_defect(&self, record: &AlertRecord, defect: &RecordedDefect) -> Option<ResolutionReason> {
        let subject = record.subject.id.as_str();
        let key = (defect.check, subject, defect.service.as_str());
        let has_check = self.policy.checks.contains(&defect.check);
        if let Some(deleted) = self.reason_if_deleted(record) {
            Some(deleted)
        } else if !has_check {
            Some(ResolutionReason::CheckOff)
        } else if self.is_in_doubt(key, record, &defect.defect) {
            None
        } else if self.exempt_problems.contains(&key) || self.has_exempting_tag(record, defect.check) {
            Some(ResolutionReason::Exempt)
        } else if !self.is_required(record, defect) {
            Some(ResolutionReason::NotRequired)
        } else if !self.is_judged(record, defect.check) {
            None
        } else {
            Some(ResolutionReason::Fixed)
        }
    }

    /// Whether the settings still ask for what the finding misses. Only a finding about a VPC depends on them: the VPC needs
    /// the services that the settings name, as long as it has a subnet of its own.
    fn is_required(&self, record: &AlertRecord, defect: &RecordedDefect) -> bool {
        let Observation { account_region, network, .. } = self.observation;
        let is_own_subnet =
            |subnet: &Subnet| subnet.vpc_id == record.vpc_id && !account_region.is_foreign(subnet.owner_id.as_deref());
        record.subject.kind != SubjectKind::Vpc
            || (self.policy.required_interfaces.contains(short_name(&defect.service, &account_region.region))
                && network.subnets.iter().any(is_own_subnet))
    }

    /// Whether the check judged the subject: the REST APIs were read, or the endpoint is in a state that the check judges.
    fn is_judged(&self, record: &AlertRecord, check: CheckName) -> bool {
        let endpoint = self.endpoints.get(record.subject.id.as_str());
        match record.subject.kind {
            SubjectKind::RestApi => self.observation.rest_apis.is_some(),
            _ => endpoint.is_none_or(|endpoint| judges_state_of(check, endpoint)),
        }
    }

    /// Whether the defect may still be there, because the check could not judge its subject.
    fn is_in_doubt(&self, key: (CheckName, &str, &str), record: &AlertRecord, defect: &Recorded<Defect>) -> bool {
        self.unassessed.get(&key).into_iter().flatten().any(|doubt| {
            let may_hide = match defect {
                Recorded::Known(defect) => doubt.reason.may_hide(*defect),
                Recorded::Unknown(_) => true,
            };
            may_hide && !Self::is_about_other_subnets(doubt, record)
        })
    }

    /// Whether the doubt is only about subnets that have no address family in common with the endpoint, and the finding is
    /// about others. Such subnets stay in doubt for good, and the check judges the others all the same.
    fn is_about_other_subnets(doubt: &Unassessed, record: &AlertRecord) -> bool {
        doubt.reason == UnassessedReason::NoCommonAddressFamily
            && record.subnet_ids.iter().all(|id| !doubt.in_doubt.contains(id))
    }

    /// Whether the endpoint, the REST API or the VPC of the record has a tag that exempts from the check. What the check finds
    /// in order, or does not judge in its current state, is no exempt problem.
    fn has_exempting_tag(&self, record: &AlertRecord, check: CheckName) -> bool {
        let today = self.observation.now.to_zoned(TimeZone::UTC).date();
        let subject = record.subject.id.as_str();
        let api = self.observation.rest_apis.into_iter().flat_map(|apis| &apis.apis).find(|api| api.id == subject);
        let own = if record.subject.kind == SubjectKind::RestApi {
            api.map(|api| &api.exemption)
        } else {
            self.endpoints.get(subject).map(|endpoint| &endpoint.exemption)
        };
        let vpc = self.vpcs.get(record.vpc_id.as_str()).map(|vpc| &vpc.exemption);
        own.into_iter().chain(vpc).any(|tag| exempts_from(tag.as_deref(), check, today))
    }

    /// The reason, if the subject does not exist any more.
    fn reason_if_deleted(&self, record: &AlertRecord) -> Option<ResolutionReason> {
        let subject = record.subject.id.as_str();
        if record.subject.kind == SubjectKind::RestApi {
            let is_gone = |apis: &RestApis| !apis.apis.iter().any(|api| api.id == subject);
            self.observation.rest_apis.is_some_and(is_gone).then_some(ResolutionReason::ApiDeleted)
        } else if !self.vpcs.contains_key(record.vpc_id.as_str()) {
            Some(ResolutionReason::VpcDeleted)
        } else {
            let is_gone = record.subject.kind == SubjectKind::VpcEndpoint
                && self.endpoints.get(subject).is_none_or(|endpoint| endpoint.is_deleted());
            is_gone.then_some(ResolutionReason::EndpointDeleted)
        }
    }

    /// Why a route table is not without a gateway route any more. `None` for a table of another account: it exists, but is
    /// not checked.
    fn reason_for_route(&self, record: &AlertRecord, missing: &RecordedRoute) -> Option<ResolutionReason> {
        let Observation { account_region, .. } = self.observation;
        let Some(table) = self.tables.get(record.subject.id.as_str()) else {
            let vpc_exists = self.vpcs.contains_key(record.vpc_id.as_str());
            return Some(if vpc_exists { ResolutionReason::TableDeleted } else { ResolutionReason::VpcDeleted });
        };
        if account_region.is_foreign(table.owner_id.as_deref()) {
            None
        } else if !self.policy.checks.contains(&CheckName::GatewayRoute) {
            Some(ResolutionReason::CheckOff)
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
            vpc_id: vpc_of_key(&record.vpc_id).to_owned(),
            subnets: record.subnet_ids.iter().map(subnet).collect(),
            problem: record.problem.clone(),
            since: record.since,
            resolution,
        })
    }
}
