//! The content of an e-mail or chat card, before the format renders it: the alerts of one VPC, grouped and ordered, and
//! the fixes for them. Both formats show the same content.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::{
    alert_group::AlertGroup,
    remediation::{
        exemption::exempt_value,
        finding::{FixKey, commands, fix_key, is_wait, needs_a_person},
    },
    service_name::ServiceName,
};
use crate::{
    alerts::alert::Alert,
    checks::{
        caution::Caution,
        check::CheckName,
        endpoint_problem::EndpointCaution,
        finding::{Finding, Problem, SubnetRef},
        subject::Subject,
    },
};

/// Alerts that a message describes together: those about one route table that differ only in the service, or one alert of
/// another check. Never empty.
#[derive(Clone, Debug)]
pub(super) struct Group<'a> {
    /// Stands for all of them in what they have in common.
    first: &'a Alert,
    /// All alerts, including `first`.
    alerts: Vec<&'a Alert>,
}

/// The alerts of a message, grouped: open before resolved, the most severe first.
pub(super) fn groups<'a>(message: &AlertGroup<'a>) -> Vec<Group<'a>> {
    let mut alerts = message.alerts.clone();
    alerts.sort_by_key(|alert| (alert.is_resolved(), Reverse(alert.severity())));
    let mut groups: Vec<Group<'a>> = Vec::new();
    for alert in alerts {
        match groups.last_mut() {
            Some(group) if group.accepts(alert) => group.alerts.push(alert),
            _ => groups.push(Group { first: alert, alerts: vec![alert] }),
        }
    }
    for group in &mut groups {
        group.alerts.sort_by_key(|alert| Reverse(alert.service_name()));
    }
    groups
}

impl<'a> Group<'a> {
    /// Whether the alert differs from this group only in the service.
    fn accepts(&self, alert: &Alert) -> bool {
        let resolution = |alert: &Alert| alert.resolved_finding().map(|resolved| resolved.resolution.clone());
        self.first.check() == CheckName::GatewayRoute
            && self.first.check() == alert.check()
            && self.first.subject().id == alert.subject().id
            && self.first.severity() == alert.severity()
            && self.first.route_facts() == alert.route_facts()
            && (self.first.change(), self.first.since()) == (alert.change(), alert.since())
            && resolution(self.first) == resolution(alert)
            && self.first.subnets() == alert.subnets()
    }

    /// One of the alerts, for the facts that all of them share.
    pub(super) fn first(&self) -> &'a Alert {
        self.first
    }

    /// All alerts, S3 before DynamoDB.
    pub(super) fn alerts(&self) -> impl Iterator<Item = &'a Alert> {
        self.alerts.iter().copied()
    }

    /// The findings that are open.
    pub(super) fn open_findings(&self) -> impl Iterator<Item = &'a Finding> {
        self.alerts().filter_map(Alert::open_finding)
    }

    /// The check that found the problem.
    pub(super) fn check(&self) -> CheckName {
        self.first.check()
    }

    /// The resource that has the problem.
    pub(super) fn subject(&self) -> &'a Subject {
        self.first.subject()
    }

    /// The id of the subject.
    pub(super) fn subject_id(&self) -> &'a str {
        &self.first.subject().id
    }

    /// The affected subnets. For resolved findings: the subnets that were affected.
    pub(super) fn subnets(&self) -> &'a [SubnetRef] {
        self.first.subnets()
    }

    /// The value of the subject's own exemption tag, as far as it is in force.
    pub(super) fn exemption_in_force(&self) -> Option<&'a str> {
        self.first.open_finding()?.exemption.as_deref()
    }

    /// Whether the findings are resolved.
    pub(super) fn is_resolved(&self) -> bool {
        self.first.is_resolved()
    }

    /// The ids of the findings.
    pub(super) fn finding_ids(&self) -> BTreeSet<String> {
        self.alerts().map(|alert| alert.finding_id().to_owned()).collect()
    }

    /// `RESOLVED`, or the severity.
    pub(super) fn label(&self) -> &'static str {
        if self.is_resolved() { "RESOLVED" } else { self.first.severity().name() }
    }

    /// The services, each once, S3 before DynamoDB.
    pub(super) fn services(&self) -> Vec<ServiceName<'a>> {
        services(self.alerts())
    }
}

/// The services of these alerts, each once, S3 before DynamoDB: the order that people are used to.
pub(super) fn services<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<ServiceName<'a>> {
    let services: BTreeSet<ServiceName<'a>> = alerts.map(Alert::service_name).collect();
    services.into_iter().rev().collect()
}

/// The value of an exemption tag, as an example for the open findings of a message. `None` if none is open.
pub(super) fn example_exemption(message: &AlertGroup<'_>) -> Option<&'static str> {
    let checks: BTreeSet<CheckName> = message.open().map(Alert::check).collect();
    let first = checks.into_iter().next()?;
    Some(if first == CheckName::GatewayRoute { "s3" } else { first.name() })
}

/// The value of an exemption tag that exempts a subject from several findings of the message. `None` if no subject has
/// findings that need different values.
pub(super) fn joint_exemption(groups: &[Group<'_>]) -> Option<String> {
    let mut values = BTreeMap::<&str, String>::new();
    let mut joint = None;
    for group in groups.iter().filter(|group| !group.is_resolved()) {
        let earlier = values.get(group.subject_id()).map(String::as_str);
        let value = exempt_value(group.check(), &group.services(), earlier.or(group.exemption_in_force()));
        if earlier.is_some_and(|earlier| earlier != value) {
            joint = Some(value.clone());
        }
        values.insert(group.subject_id(), value);
    }
    joint
}

/// Whether the message has findings of other checks than `gateway-route`.
pub(super) fn has_other_checks(message: &AlertGroup<'_>) -> bool {
    message.alerts.iter().any(|alert| alert.check() != CheckName::GatewayRoute)
}

/// The ids of the subjects of these alerts, each once.
pub(super) fn subjects<'a>(alerts: impl Iterator<Item = &'a Alert>) -> BTreeSet<&'a str> {
    alerts.map(|alert| alert.subject().id.as_str()).collect()
}

/// One fix, for one or more findings.
#[derive(Clone, Debug)]
pub(super) struct SharedFix<'a> {
    /// The findings that it fixes. Never empty: [`Self::first`] is one of them.
    findings: Vec<&'a Finding>,
    /// The first of the findings.
    first: &'a Finding,
}

/// A caution of any check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum FixCaution {
    /// About a gateway route.
    Route(Caution),
    /// About an endpoint, a VPC or a REST API.
    Endpoint(EndpointCaution),
}

/// The cautions of a finding.
pub(super) fn cautions_of(finding: &Finding) -> BTreeSet<FixCaution> {
    match &finding.problem {
        Problem::MissingRoute(missing) => missing.cautions.iter().copied().map(FixCaution::Route).collect(),
        Problem::Endpoint(defect) => defect.cautions.iter().copied().map(FixCaution::Endpoint).collect(),
    }
}

impl<'a> SharedFix<'a> {
    /// The first of the findings that it fixes.
    pub(super) fn first(&self) -> &'a Finding {
        self.first
    }

    /// The number of findings that it fixes: at least 1. Each is about another subject.
    pub(super) fn count(&self) -> usize {
        self.findings.len()
    }

    /// Whether it fixes this finding.
    pub(super) fn fixes(&self, finding: &Finding) -> bool {
        self.findings.iter().any(|other| other.id == finding.id)
    }

    /// Whether it gives route tables their gateway route.
    pub(super) fn is_route(&self) -> bool {
        self.first.missing_route().is_some()
    }

    /// The services that the problems concern, each once, S3 before DynamoDB. Route tables share a fix for one service
    /// only.
    pub(super) fn services(&self) -> Vec<ServiceName<'a>> {
        let services: BTreeSet<ServiceName<'a>> =
            self.findings.iter().map(|finding| finding.problem.service_name()).collect();
        services.into_iter().rev().collect()
    }

    /// The cautions of the findings about this service.
    fn cautions_about(&self, service: ServiceName<'_>) -> BTreeSet<FixCaution> {
        let about = self.findings.iter().filter(|finding| finding.problem.service_name() == service);
        about.flat_map(|finding| cautions_of(finding)).collect()
    }

    /// Whether there is nothing to change until the state of the endpoint changes.
    pub(super) fn is_wait(&self) -> bool {
        is_wait(self.first)
    }

    /// Whether no command fixes it, because a person has to decide what a policy allows.
    pub(super) fn needs_a_person(&self) -> bool {
        needs_a_person(self.first)
    }

    /// Whether the fix changes something.
    fn changes_something(&self) -> bool {
        !self.is_wait() && (self.needs_a_person() || self.commands().is_some())
    }

    /// The commands. `None` if an id does not have the format of AWS ids.
    pub(super) fn commands(&self) -> Option<Vec<String>> {
        commands(&self.findings)
    }
}

/// Whether one of these fixes has a command.
pub(super) fn have_command(fixes: &[SharedFix<'_>]) -> bool {
    fixes.iter().any(|fix| fix.commands().is_some())
}

/// A caution, and the services that it concerns: never none, S3 before DynamoDB.
pub(super) type CautionAbout<'a> = (FixCaution, Vec<ServiceName<'a>>);

/// The cautions that a message says once for all commands: those that hold for every gateway route of a service. The
/// cautions about an endpoint name no endpoint, so they stand above their command unless it is the only one, for one
/// endpoint.
pub(super) fn common_cautions<'a>(fixes: &[SharedFix<'a>]) -> Vec<CautionAbout<'a>> {
    let of_routes = |fix: &&SharedFix<'a>| fix.is_route() || (fixes.len() == 1 && fix.count() == 1);
    cautions_by_service(fixes.iter().filter(of_routes))
}

/// The cautions that hold for every one of these fixes of a service.
fn cautions_by_service<'a: 'f, 'f>(fixes: impl Iterator<Item = &'f SharedFix<'a>>) -> Vec<CautionAbout<'a>> {
    let mut by_service: BTreeMap<ServiceName<'a>, BTreeSet<FixCaution>> = BTreeMap::new();
    for fix in fixes.filter(|fix| fix.changes_something()) {
        for service in fix.services() {
            let cautions = fix.cautions_about(service);
            (by_service.entry(service))
                .and_modify(|common| common.retain(|caution| cautions.contains(caution)))
                .or_insert(cautions);
        }
    }
    let mut common: BTreeMap<FixCaution, Vec<ServiceName<'a>>> = BTreeMap::new();
    for (service, cautions) in by_service.into_iter().rev() {
        for caution in cautions {
            common.entry(caution).or_default().push(service);
        }
    }
    common.into_iter().collect()
}

/// The cautions of these fixes without those that `said` contains.
pub(super) fn other_cautions<'a>(fixes: &[SharedFix<'a>], said: &[CautionAbout<'_>]) -> Vec<CautionAbout<'a>> {
    // DNS is a setting of the VPC, whatever the service.
    let dns = FixCaution::Route(Caution::DnsSupport);
    let is_said = |caution: FixCaution, service: ServiceName<'_>| {
        said.iter().any(|(other, services)| *other == caution && (caution == dns || services.contains(&service)))
    };
    let mut others = cautions_by_service(fixes.iter());
    for (caution, services) in &mut others {
        services.retain(|service| !is_said(*caution, service));
    }
    others.retain(|(_, services)| !services.is_empty());
    others
}

/// The fixes for these groups, in their order. Resolved groups have none. Findings with the same [`FixKey`] share one.
pub(super) fn fixes<'a>(groups: &[Group<'a>]) -> Vec<SharedFix<'a>> {
    let mut fixes: Vec<SharedFix<'a>> = Vec::new();
    let mut shared: HashMap<FixKey<'a>, usize> = HashMap::new();
    for finding in groups.iter().flat_map(Group::open_findings) {
        let position = fix_key(finding).map(|key| *shared.entry(key).or_insert(fixes.len()));
        match position.and_then(|position| fixes.get_mut(position)) {
            Some(fix) => fix.findings.push(finding),
            None => fixes.push(SharedFix { findings: vec![finding], first: finding }),
        }
    }
    fixes
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{NAT, VPC, alert_group, api_call, findings, private, since},
        *,
    };
    use crate::{
        alerts::alert::OpenChange,
        checks::{
            finding::MissingRoute,
            fix::{self, Fix},
            testing::{finding, missing_route},
        },
        events::record::Trigger,
        network::service::GatewayService,
    };

    #[test]
    fn alerts_about_one_table_share_a_group_if_they_are_open_since_the_same_time() {
        let findings = findings(&private(Some(NAT)), &[GatewayService::S3, GatewayService::DynamoDb]);
        let group_count = |times: [jiff::Timestamp; 2]| {
            let alerts: Vec<Alert> = (findings.iter().cloned().zip(times))
                .map(|(finding, since)| Alert::Open { finding, change: OpenChange::Reminder, since })
                .collect();
            groups(&alert_group(&api_call(), &alerts)).len()
        };
        assert_eq!(group_count([since(), since()]), 1);
        assert_eq!(group_count([since(), since() + jiff::SignedDuration::from_secs(1)]), 2);
    }

    /// An alert about a finding for this service on this table, with this fix and these cautions.
    fn alert(table: &str, service: GatewayService, fix: Fix, cautions: &[Caution]) -> Alert {
        let cautions = cautions.iter().copied().collect();
        let problem = Problem::MissingRoute(MissingRoute { service, fix, cautions, ..missing_route() });
        Alert::Reported(Finding { problem, ..finding(VPC, table) })
    }

    fn endpoint(state: &str) -> fix::Endpoint {
        fix::Endpoint { id: "vpce-0000000a".into(), state: state.into(), route_table_ids: Vec::new() }
    }

    const S3: GatewayService = GatewayService::S3;
    const DYNAMODB: GatewayService = GatewayService::DynamoDb;

    /// What is common to all fixes, and what each fix has besides.
    #[allow(clippy::type_complexity, reason = "the type of one list says more than an alias")]
    fn cautions(alerts: &[Alert]) -> (Vec<(Caution, Vec<&str>)>, Vec<Vec<(Caution, Vec<&str>)>>) {
        fn of_routes(cautions: Vec<CautionAbout<'_>>) -> Vec<(Caution, Vec<&str>)> {
            let of_route = |(caution, services)| match caution {
                FixCaution::Route(caution) => (caution, services),
                FixCaution::Endpoint(_) => panic!("{caution:?}"),
            };
            cautions.into_iter().map(of_route).collect()
        }
        let fixes = fixes(&groups(&alert_group(&Trigger::Manual, alerts)));
        let common = common_cautions(&fixes);
        let others = fixes.iter().map(|fix| of_routes(other_cautions(std::slice::from_ref(fix), &common))).collect();
        (of_routes(common), others)
    }

    #[test]
    fn a_shared_fix_has_the_cautions_of_all_its_tables() {
        let alerts = [
            alert("rtb-0000000a", S3, Fix::Create, &[Caution::ConnectionsClose, Caution::DnsSupport]),
            alert("rtb-0000000b", S3, Fix::Create, &[Caution::TrafficFilters, Caution::DnsSupport]),
        ];
        let expected = [Caution::ConnectionsClose, Caution::TrafficFilters, Caution::DnsSupport];
        assert_eq!(cautions(&alerts), (expected.map(|caution| (caution, vec!["s3"])).into(), vec![vec![]]));
    }

    #[test]
    fn a_caution_is_common_to_the_services_for_which_all_fixes_have_it() {
        let reattach = || Fix::ReattachTable(endpoint("available"));
        let (twice, filters) = (Caution::ConnectionsCloseTwice, Caution::TrafficFilters);
        let (regions, dns) = (Caution::OtherRegions, Caution::DnsSupport);
        let alerts = [
            alert("rtb-0000000a", DYNAMODB, reattach(), &[twice, dns]),
            alert("rtb-0000000a", S3, reattach(), &[twice, regions, dns]),
            alert("rtb-0000000b", S3, reattach(), &[filters, dns]),
        ];
        assert_eq!(
            cautions(&alerts),
            (
                vec![(twice, vec!["dynamodb"]), (dns, vec!["s3", "dynamodb"])],
                vec![vec![(twice, vec!["s3"]), (regions, vec!["s3"])], vec![], vec![(filters, vec!["s3"])]],
            )
        );
    }

    #[test]
    fn the_caution_about_dns_is_said_once_for_the_vpc() {
        let reattach = || Fix::ReattachTable(endpoint("available"));
        let dns = Caution::DnsSupport;
        let alerts = [
            alert("rtb-0000000a", DYNAMODB, Fix::Create, &[dns]),
            alert("rtb-0000000a", S3, reattach(), &[]),
            alert("rtb-0000000b", S3, reattach(), &[dns]),
        ];
        assert_eq!(cautions(&alerts), (vec![(dns, vec!["dynamodb"])], vec![vec![], vec![], vec![]]));
    }

    /// Otherwise no caution would be common to all fixes.
    #[test]
    fn a_fix_that_changes_nothing_has_no_cautions_and_hides_none() {
        let alerts = [
            alert("rtb-0000000a", S3, Fix::Wait(endpoint("pending")), &[]),
            alert("rtb-0000000b", S3, Fix::Create, &[Caution::DnsSupport]),
            alert("rtb-$(id)", S3, Fix::Create, &[Caution::OtherRegions]),
        ];
        assert_eq!(cautions(&alerts), (vec![(Caution::DnsSupport, vec!["s3"])], vec![vec![], vec![], vec![]]));
    }
}
