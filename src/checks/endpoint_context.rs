//! What all checks of endpoints share: which endpoints they judge, which subnets count, and how a tag exempts a problem.
//!
//! | given an endpoint | then |
//! |---|---|
//! | of a type other than Gateway and Interface | never judged |
//! | that an AWS service made and manages | never judged |
//! | that GuardDuty made: by its tag, or by its service `guardduty-data` | never judged |
//! | whose service is in another Region | never judged |
//! | whose service is not AWS's own (`com.amazonaws.vpce.…`) | never judged |
//! | that another account owns | never judged |
//! | any other | judged |
//!
//! | given a problem | then |
//! |---|---|
//! | whose VPC, endpoint or API has a tag that exempts from the check | exempt |
//! | that affects subnets, all of which have such a tag | exempt |
//! | that affects some subnets with such a tag | a problem without these subnets |
//!
//! | given something that cannot be judged | then |
//! |---|---|
//! | about a VPC, endpoint or API with such a tag, or in such a VPC | exempt |
//! | about subnets with such a tag | nothing is said about these subnets |
//! | any other | not assessed |

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;

use crate::{
    checks::{
        check::CheckName,
        endpoint_problem::{
            Defect, EndpointCaution, EndpointFix, EndpointProblem, EndpointVerdict, Evidence, ExemptProblem, Subject,
            SubjectKind, Unassessed, UnassessedReason, problem_id,
        },
        exemption::{UnreadableExemption, exempts_from, in_force, unreadable},
        finding::SubnetRef,
        severity::Severity,
    },
    network::{
        account::AccountRegion,
        endpoint_facts::EndpointFacts,
        model::{Endpoint, EndpointKind, Network, Subnet, Vpc},
        selection::VpcSelection,
        service::GatewayService,
    },
};

/// The inputs of the checks of endpoints.
#[derive(Clone, Copy, Debug)]
pub struct EndpointInput<'a> {
    /// The network. The VPCs of the selection are complete.
    pub network: &'a Network,
    /// The facts that only these checks read.
    pub facts: &'a EndpointFacts,
    /// The account and Region of the function.
    pub account_region: &'a AccountRegion,
    /// The VPCs whose endpoints are judged.
    pub vpcs: &'a VpcSelection,
    /// Whether the REST APIs of the Region are judged.
    pub checks_rest_apis: bool,
    /// The services that route tables are judged for at the same time. Empty if nothing judges route tables.
    pub route_table_services: &'a BTreeSet<GatewayService>,
    /// `MIN_SEVERITY`: a finding below it is not sent.
    pub min_severity: Severity,
    /// `REQUIRED_INTERFACES`: the short names of the services that every VPC needs, such as `ssm`.
    pub required_interfaces: &'a BTreeSet<String>,
    /// `ORGANIZATION_ID`: the organization that policies have to be bounded to.
    pub organization_id: Option<&'a str>,
    /// The current day (UTC). It decides which exemptions still apply.
    pub today: Date,
}

/// The inputs, indexed.
#[derive(Debug)]
pub struct EndpointContext<'a> {
    /// The inputs.
    pub input: EndpointInput<'a>,
    vpcs: HashMap<&'a str, &'a Vpc>,
    /// The subnets of each VPC that another account does not own, sorted by id. Empty if no check asks for them, because this
    /// takes a lot of memory in a large Region.
    own_subnets: HashMap<&'a str, Vec<&'a Subnet>>,
    /// The judged endpoints, sorted by VPC id and id.
    endpoints: Vec<&'a Endpoint>,
}

/// A problem before anybody has looked at exemptions.
#[derive(Debug)]
pub struct Draft<'a> {
    /// What has the defect.
    pub subject: Subject,
    /// The service name.
    pub service: &'a str,
    /// The id of the VPC.
    pub vpc_id: Option<&'a str>,
    /// The account that owns the subject, if EC2 names it.
    pub owner_id: Option<&'a str>,
    /// The value of the subject's own exemption tag.
    pub exemption: Option<&'a str>,
    /// What the rule decides about it.
    pub decided: Decided<'a>,
}

/// What a rule decides about a subject: everything in a [`Draft`] that does not follow from the subject.
#[derive(Debug)]
pub struct Decided<'a> {
    /// What is wrong.
    pub defect: Defect,
    /// How severe it is.
    pub severity: Severity,
    /// All affected subnets, exempt or not, sorted by id.
    pub subnets: Vec<&'a Subnet>,
    /// The facts that decided.
    pub evidence: Evidence,
    /// The call that fixes it.
    pub fix: EndpointFix,
    /// What somebody has to know first.
    pub cautions: BTreeSet<EndpointCaution>,
}

impl<'a> Draft<'a> {
    /// The draft about an endpoint.
    #[must_use]
    pub fn of_endpoint(endpoint: &'a Endpoint, decided: Decided<'a>) -> Self {
        Self {
            subject: subject_of(endpoint),
            service: &endpoint.service_name,
            vpc_id: Some(&endpoint.vpc_id),
            owner_id: endpoint.owner_id.as_deref(),
            exemption: endpoint.exemption.as_deref(),
            decided,
        }
    }
}

impl<'a> EndpointContext<'a> {
    /// Indexes the inputs.
    #[must_use]
    pub fn new(input: EndpointInput<'a>) -> Self {
        let EndpointInput { network, account_region, vpcs: selection, .. } = input;
        let mut endpoints: Vec<&Endpoint> = (network.endpoints.iter())
            .filter(|endpoint| selection.contains(&endpoint.vpc_id) && is_judged(endpoint, account_region))
            .collect();
        endpoints.sort_by(|a, b| (&a.vpc_id, &a.id).cmp(&(&b.vpc_id, &b.id)));
        let vpcs = network.vpcs.iter().map(|vpc| (vpc.id.as_str(), vpc)).collect();
        let mut context = Self { input, vpcs, own_subnets: HashMap::new(), endpoints };
        if context.needs_subnets() {
            for subnet in context.own_subnets() {
                context.own_subnets.entry(&subnet.vpc_id).or_default().push(subnet);
            }
            for subnets in context.own_subnets.values_mut() {
                subnets.sort_by(|a, b| a.id.cmp(&b.id));
            }
        }
        context
    }

    /// Whether a check may ask for the subnets of a VPC. No check does so for a gateway endpoint that is available.
    fn needs_subnets(&self) -> bool {
        let may_affect_subnets =
            |endpoint: &&Endpoint| endpoint.kind != EndpointKind::Gateway || !endpoint.is_available();
        !self.input.required_interfaces.is_empty() || self.endpoints.iter().any(may_affect_subnets)
    }

    /// The subnets that no other account owns.
    fn own_subnets(&self) -> impl Iterator<Item = &'a Subnet> + use<'a> {
        let EndpointInput { network, account_region, .. } = self.input;
        network.subnets.iter().filter(|subnet| !account_region.is_foreign(subnet.owner_id.as_deref()))
    }

    /// The judged endpoints in any state, sorted by VPC id and id.
    pub fn endpoints(&self) -> impl Iterator<Item = &'a Endpoint> {
        self.endpoints.iter().copied()
    }

    /// The judged interface endpoints that are available, in the same order. In another state an endpoint either does not
    /// work yet, or has a problem that the check `endpoint-state` finds.
    pub fn available_interfaces(&self) -> impl Iterator<Item = &'a Endpoint> {
        self.endpoints().filter(|endpoint| endpoint.kind == EndpointKind::Interface && endpoint.is_available())
    }

    /// The VPCs of the selection, sorted by id.
    #[must_use]
    pub fn selected_vpcs(&self) -> Vec<&'a Vpc> {
        let mut vpcs: Vec<&Vpc> =
            self.input.network.vpcs.iter().filter(|vpc| self.input.vpcs.contains(&vpc.id)).collect();
        vpcs.sort_by(|a, b| a.id.cmp(&b.id));
        vpcs
    }

    /// The exemption tags that cannot be parsed: on judged endpoints and REST APIs, and on the VPCs and own subnets of the
    /// selection.
    #[must_use]
    pub fn unreadable_exemptions(&self) -> BTreeSet<UnreadableExemption> {
        let vpcs = self.selected_vpcs();
        let selection = self.input.vpcs;
        let subnets = self.own_subnets().filter(|subnet| selection.contains(&subnet.vpc_id));
        let subnets = subnets.map(|subnet| (&subnet.id, &subnet.exemption));
        let apis = self.input.facts.rest_apis.iter().flat_map(|apis| &apis.apis);
        (vpcs.iter().map(|vpc| (&vpc.id, &vpc.exemption)))
            .chain(subnets)
            .chain(self.endpoints().map(|endpoint| (&endpoint.id, &endpoint.exemption)))
            .chain(apis.map(|api| (&api.id, &api.exemption)))
            .filter_map(|(id, tag)| unreadable(id, tag.as_deref()))
            .collect()
    }

    /// The subnets of a VPC that no other account owns, sorted by id.
    #[must_use]
    pub fn subnets_of(&self, vpc_id: &str) -> &[&'a Subnet] {
        self.own_subnets.get(vpc_id).map_or(&[], Vec::as_slice)
    }

    /// Whether the subnet's own tag exempts it from the check.
    #[must_use]
    pub fn is_subnet_exempt(&self, subnet: &Subnet, check: CheckName) -> bool {
        exempts_from(subnet.exemption.as_deref(), check, self.input.today)
    }

    /// The ids of the VPC and the subject, as far as their tags exempt from the check.
    fn exempt_owners(
        &self,
        check: CheckName,
        vpc_id: Option<&str>,
        subject: &Subject,
        tag: Option<&str>,
    ) -> BTreeSet<String> {
        let exempts = |tag: Option<&str>| exempts_from(tag, check, self.input.today);
        let vpc = vpc_id.and_then(|id| self.vpcs.get(id)).filter(|vpc| exempts(vpc.exemption.as_deref()));
        vpc.map(|vpc| vpc.id.clone()).into_iter().chain(exempts(tag).then(|| subject.id.clone())).collect()
    }

    /// Adds a draft to the verdict: as a problem, or as exempt.
    pub fn report(&self, check: CheckName, draft: Draft<'_>, verdict: &mut EndpointVerdict) {
        let Draft { subject, service, vpc_id, owner_id, exemption, decided } = draft;
        let mut exempted_by = self.exempt_owners(check, vpc_id, &subject, exemption);
        let (exempt, affected): (Vec<&Subnet>, Vec<&Subnet>) =
            decided.subnets.into_iter().partition(|subnet| self.is_subnet_exempt(subnet, check));
        if exempted_by.is_empty() && affected.is_empty() {
            exempted_by.extend(exempt.iter().map(|subnet| subnet.id.clone()));
        }
        let (service, vpc_id) = (service.to_owned(), vpc_id.map(str::to_owned));
        if !exempted_by.is_empty() {
            add_exempt(check, subject, service, vpc_id, exempted_by, verdict);
            return;
        }
        let account_region = self.input.account_region;
        let account = account_region.account.as_deref().or(owner_id).unwrap_or_default();
        verdict.problems.push(EndpointProblem {
            id: problem_id(account_region, account, check, &subject.id, &service),
            check,
            subject,
            service,
            defect: decided.defect,
            severity: decided.severity,
            account: account.to_owned(),
            region: account_region.region.clone(),
            vpc_id,
            subnets: affected.into_iter().map(SubnetRef::from).collect(),
            exemption: in_force(exemption, self.input.today),
            evidence: decided.evidence,
            fix: decided.fix,
            cautions: decided.cautions,
        });
    }

    /// Adds what cannot be judged about an endpoint: as unassessed, or as exempt. `in_doubt` has the ids that are in doubt.
    pub fn doubt(
        &self,
        check: CheckName,
        endpoint: &Endpoint,
        reason: UnassessedReason,
        in_doubt: impl IntoIterator<Item = String>,
        verdict: &mut EndpointVerdict,
    ) {
        let unassessed = Unassessed {
            check,
            subject: subject_of(endpoint),
            service: endpoint.service_name.to_string(),
            vpc_id: Some(endpoint.vpc_id.clone()),
            reason,
            in_doubt: in_doubt.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
        };
        self.add_doubt(unassessed, endpoint.exemption.as_deref(), verdict);
    }

    /// The same for any subject. `tag` is the value of the subject's own exemption tag.
    pub fn add_doubt(&self, unassessed: Unassessed, tag: Option<&str>, verdict: &mut EndpointVerdict) {
        let exempted_by = self.exempt_owners(unassessed.check, unassessed.vpc_id.as_deref(), &unassessed.subject, tag);
        if exempted_by.is_empty() {
            verdict.unassessed.insert(unassessed);
        } else {
            let Unassessed { check, subject, service, vpc_id, .. } = unassessed;
            add_exempt(check, subject, service, vpc_id, exempted_by, verdict);
        }
    }

    /// The same for some subnets of the endpoint's VPC, except those that are exempt. Nothing if no subnet is left.
    pub fn doubt_subnets(
        &self,
        check: CheckName,
        endpoint: &Endpoint,
        reason: UnassessedReason,
        subnets: &[&Subnet],
        verdict: &mut EndpointVerdict,
    ) {
        let judged = subnets.iter().filter(|subnet| !self.is_subnet_exempt(subnet, check));
        let ids: Vec<String> = judged.map(|subnet| subnet.id.clone()).collect();
        if !ids.is_empty() {
            self.doubt(check, endpoint, reason, ids, verdict);
        }
    }
}

/// Adds what a tag exempts to the verdict, once. A rule says everything about one subject in a row.
fn add_exempt(
    check: CheckName,
    subject: Subject,
    service: String,
    vpc_id: Option<String>,
    exempted_by: BTreeSet<String>,
    verdict: &mut EndpointVerdict,
) {
    let exempted_by = exempted_by.into_iter().collect();
    let exempt = ExemptProblem { check, subject, service, vpc_id, exempted_by };
    if verdict.exempt.last() != Some(&exempt) {
        verdict.exempt.push(exempt);
    }
}

/// The endpoint as the subject of a problem.
#[must_use]
pub fn subject_of(endpoint: &Endpoint) -> Subject {
    Subject { kind: SubjectKind::VpcEndpoint, id: endpoint.id.clone(), name: endpoint.name.clone() }
}

/// The short name of an AWS service, such as `ecr.api` for `com.amazonaws.eu-west-1.ecr.api`. The whole name if it has
/// another form.
#[must_use]
pub fn short_name<'a>(service_name: &'a str, region: &str) -> &'a str {
    let common = service_name.strip_prefix("cn.").unwrap_or(service_name);
    (common.strip_prefix("com.amazonaws."))
        .and_then(|rest| rest.strip_prefix(region))
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(service_name)
}

/// Whether the checks judge the endpoint: see the table above.
fn is_judged(endpoint: &Endpoint, account_region: &AccountRegion) -> bool {
    let service = endpoint.service_name.strip_prefix("cn.").unwrap_or(&endpoint.service_name);
    let is_guardduty = endpoint.guardduty_managed
        || service.rsplit('.').next().is_some_and(|name| ["guardduty-data", "guardduty-data-fips"].contains(&name));
    let is_in_other_region = endpoint.service_region.as_ref().is_some_and(|region| *region != account_region.region);
    endpoint.kind != EndpointKind::Other
        && !endpoint.requester_managed
        && !is_guardduty
        && !is_in_other_region
        && !service.starts_with("com.amazonaws.vpce.")
        && !account_region.is_foreign(endpoint.owner_id.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::endpoint_testing::{Decision, VPC, World, doubt, doubts, exempt, only, problem},
        network::testing::{account_region, interface_endpoint, subnet, vpc},
    };

    const CHECK: CheckName = CheckName::EndpointState;

    fn endpoint() -> Endpoint {
        interface_endpoint("vpce-0000000a", VPC, "ssm")
    }

    #[test]
    fn endpoints_that_somebody_else_is_responsible_for_are_never_judged() {
        let judged = |endpoint: &Endpoint| is_judged(endpoint, &account_region());
        let service = |name: &str| Endpoint { service_name: name.into(), ..endpoint() };
        assert!(judged(&endpoint()));
        for endpoint in [
            Endpoint { kind: EndpointKind::Gateway, ..endpoint() },
            Endpoint { service_region: Some("eu-west-1".into()), ..endpoint() },
            Endpoint { owner_id: None, ..endpoint() },
            service("aws.sagemaker.eu-west-1.notebook"),
            service("com.amazonaws.s3-global.accesspoint"),
            service("com.amazonaws.eu-west-1.guardduty"),
            service("cn.com.amazonaws.cn-north-1.ssm"),
        ] {
            assert!(judged(&endpoint), "{endpoint:?}");
        }
        for endpoint in [
            Endpoint { kind: EndpointKind::Other, ..endpoint() },
            Endpoint { requester_managed: true, ..endpoint() },
            Endpoint { guardduty_managed: true, ..endpoint() },
            Endpoint { service_region: Some("us-east-1".into()), ..endpoint() },
            Endpoint { owner_id: Some("210987654321".into()), ..endpoint() },
            service("com.amazonaws.eu-west-1.guardduty-data"),
            service("com.amazonaws.us-east-1.guardduty-data-fips"),
            service("com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d"),
            service("cn.com.amazonaws.vpce.cn-north-1.vpce-svc-0a1b2c3d"),
        ] {
            assert!(!judged(&endpoint), "{endpoint:?}");
        }
    }

    #[test]
    fn the_short_name_is_what_follows_the_region() {
        for (name, short) in [
            ("com.amazonaws.eu-west-1.ssm", "ssm"),
            ("cn.com.amazonaws.eu-west-1.ecr.api", "ecr.api"),
            ("com.amazonaws.us-east-1.ssm", "com.amazonaws.us-east-1.ssm"),
            ("aws.sagemaker.eu-west-1.notebook", "aws.sagemaker.eu-west-1.notebook"),
        ] {
            assert_eq!(short_name(name, "eu-west-1"), short);
        }
    }

    #[test]
    fn only_endpoints_of_the_selected_vpcs_are_judged_in_the_order_of_their_ids() {
        let other = interface_endpoint("vpce-0000000c", "vpc-0000000b", "ssm");
        let pending = Endpoint { state: "pending".into(), ..interface_endpoint("vpce-0000000b", VPC, "kms") };
        let mut world = World::new(&[], &[other, pending, endpoint()]);
        let ids = |world: &World| {
            let context = world.context();
            let all: Vec<String> = context.endpoints().map(|endpoint| endpoint.id.clone()).collect();
            let available: Vec<String> = context.available_interfaces().map(|endpoint| endpoint.id.clone()).collect();
            (all, available)
        };
        let lists = |all: &[&str], available: &[&str]| {
            let list = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
            (list(all), list(available))
        };
        let (a, b, c) = ("vpce-0000000a", "vpce-0000000b", "vpce-0000000c");
        assert_eq!(ids(&world), lists(&[a, b, c], &[a, c]));
        world.vpcs = VpcSelection::Vpcs(BTreeSet::from(["vpc-0000000b".to_owned()]));
        assert_eq!(ids(&world), lists(&[c], &[c]));
    }

    /// A problem of the endpoint that affects these subnets.
    fn reported(world: &World) -> EndpointVerdict {
        let context = world.context();
        let mut verdict = EndpointVerdict::default();
        let endpoint = &world.network.endpoints[0];
        let draft = Draft::of_endpoint(
            endpoint,
            Decided {
                defect: Defect::EndpointFailed,
                severity: Severity::Medium,
                subnets: context.subnets_of(VPC).to_vec(),
                evidence: Evidence::PrivateNames(BTreeSet::new()),
                fix: EndpointFix::Inspect { endpoint_id: endpoint.id.clone() },
                cautions: BTreeSet::new(),
            },
        );
        context.report(CHECK, draft, &mut verdict);
        verdict
    }

    fn problem_with(subnets: &[&Subnet]) -> EndpointVerdict {
        let decision = Decision {
            defect: Defect::EndpointFailed,
            severity: Severity::Medium,
            evidence: Evidence::PrivateNames(BTreeSet::new()),
            fix: EndpointFix::Inspect { endpoint_id: endpoint().id },
            cautions: Vec::new(),
        };
        only(problem(CHECK, &endpoint(), subnets, decision))
    }

    #[test]
    fn a_tag_on_the_vpc_the_endpoint_or_all_affected_subnets_exempts_a_problem() {
        let tag = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        let [a, b] = ["subnet-0000000a", "subnet-0000000b"];
        for (vpc_tag, endpoint_tag, subnet_tags, by) in [
            ("*", "", ["", ""], &[VPC][..]),
            ("", "endpoint-state", ["", ""], &["vpce-0000000a"]),
            ("*", "*", ["*", "*"], &[VPC, "vpce-0000000a"]),
            ("", "", ["*", "endpoint-state"], &[a, b]),
            ("s3", "endpoint-zones", ["*", "endpoint-state until=2026-11-23"], &[a, b]),
        ] {
            let subnets = [(a, subnet_tags[0]), (b, subnet_tags[1])]
                .map(|(id, value)| Subnet { exemption: tag(value), ..subnet(id, VPC) });
            let mut world = World::new(&subnets, &[Endpoint { exemption: tag(endpoint_tag), ..endpoint() }]);
            world.network.vpcs = vec![Vpc { exemption: tag(vpc_tag), ..vpc(VPC) }];
            assert_eq!(reported(&world), exempt(CHECK, &endpoint(), by), "{vpc_tag} {endpoint_tag} {subnet_tags:?}");
        }
    }

    #[test]
    fn an_exempt_subnet_is_not_an_affected_subnet() {
        let tagged = |value: &str| Subnet { exemption: Some(value.into()), ..subnet("subnet-0000000b", VPC) };
        let (a, b) = (subnet("subnet-0000000a", VPC), tagged("s3 dns-bypass"));
        assert_eq!(reported(&World::new(&[b.clone(), a.clone()], &[endpoint()])), problem_with(&[&a, &b]));
        for value in ["*", "endpoint-state", "s3 endpoint-state until=2026-11-23"] {
            assert_eq!(
                reported(&World::new(&[a.clone(), tagged(value)], &[endpoint()])),
                problem_with(&[&a]),
                "{value}"
            );
        }
        assert_eq!(reported(&World::new(&[], &[endpoint()])), problem_with(&[]));
    }

    #[test]
    fn a_subnet_of_another_account_does_not_count() {
        let foreign = Subnet { owner_id: Some("210987654321".into()), ..subnet("subnet-0000000a", VPC) };
        assert_eq!(reported(&World::new(&[foreign], &[endpoint()])), problem_with(&[]));
    }

    #[test]
    fn the_account_is_the_owner_if_the_arn_has_none() {
        let mut world = World::new(&[], &[endpoint()]);
        world.account_region.account = None;
        assert_eq!(reported(&world), problem_with(&[]));
    }

    #[test]
    fn an_unreadable_tag_is_reported() {
        use crate::network::endpoint_facts::{RestApi, RestApis};
        let tag = || Some("s3 sometimes".to_owned());
        let own = Subnet { exemption: tag(), ..subnet("subnet-0000000a", VPC) };
        let foreign = Subnet { owner_id: Some("210987654321".into()), ..own.clone() };
        let other_vpc = Subnet { id: "subnet-0000000b".into(), vpc_id: "vpc-0000000b".into(), ..own.clone() };
        let managed = Endpoint { id: "vpce-0000000b".into(), requester_managed: true, exemption: tag(), ..endpoint() };
        let mut world = World::new(
            &[own, Subnet { id: "subnet-0000000c".into(), ..foreign }, other_vpc],
            &[Endpoint { exemption: tag(), ..endpoint() }, managed],
        );
        world.network.vpcs = vec![Vpc { exemption: tag(), ..vpc(VPC) }, vpc("vpc-0000000b")];
        world.vpcs = VpcSelection::Vpcs(BTreeSet::from([VPC.to_owned()]));
        let api = RestApi { id: "a1b2c3d4e5".into(), exemption: tag(), ..RestApi::default() };
        world.facts.rest_apis = Some(RestApis { apis: vec![api], ..RestApis::default() });
        let unreadable = world.context().unreadable_exemptions();
        let ids: Vec<String> = unreadable.into_iter().map(|unreadable| unreadable.resource_id).collect();
        assert_eq!(ids, ["a1b2c3d4e5", "subnet-0000000a", VPC, "vpce-0000000a"]);
    }

    #[test]
    fn what_is_exempt_is_not_in_doubt_but_listed_once() {
        use UnassessedReason::FactMissing;
        let asked = |world: &World| {
            let mut verdict = EndpointVerdict::default();
            let (context, endpoint) = (world.context(), &world.network.endpoints[0]);
            context.doubt(CHECK, endpoint, FactMissing, [], &mut verdict);
            context.doubt_subnets(CHECK, endpoint, FactMissing, context.subnets_of(VPC), &mut verdict);
            verdict
        };
        let a = subnet("subnet-0000000a", VPC);
        let b = Subnet { exemption: Some("*".into()), ..subnet("subnet-0000000b", VPC) };
        let world = World::new(&[a, b.clone()], &[endpoint()]);
        let about = |ids: &[&str]| doubt(CHECK, &endpoint(), FactMissing, ids);
        assert_eq!(asked(&world), doubts([about(&[]), about(&["subnet-0000000a"])]));
        assert_eq!(asked(&World::new(&[b], &[endpoint()])), doubts([about(&[])]));
        let tagged = Endpoint { exemption: Some("endpoint-state".into()), ..endpoint() };
        assert_eq!(
            asked(&World { network: Network { endpoints: vec![tagged], ..world.network }, ..world }),
            exempt(CHECK, &endpoint(), &["vpce-0000000a"])
        );
    }
}
