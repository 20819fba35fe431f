//! What the unit tests of the checks of endpoints share.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{
    check::CheckName,
    endpoint_context::{EndpointContext, EndpointInput, subject_of},
    endpoint_problem::{
        Defect, EndpointCaution, EndpointFix, EndpointProblem, EndpointVerdict, Evidence, ExemptProblem, Unassessed,
        UnassessedReason, problem_id,
    },
    exemption::in_force,
    finding::SubnetRef,
    list::{EndpointNeeds, EndpointRule},
    needed_facts::NeededFacts,
    severity::Severity,
};
use compact_str::CompactString;

use crate::network::{
    account::AccountRegion,
    endpoint_facts::{CentralNames, EndpointFacts, OptionalRead},
    model::{Endpoint, Network, Subnet},
    selection::VpcSelection,
    service::GatewayService,
    testing::{REGION, account_region, subnet, vpc},
};

/// The VPC that the tests use.
pub const VPC: &str = "vpc-0000000a";

/// The day on which the tests judge.
pub const TODAY: Date = jiff::civil::date(2026, 11, 23);

/// The inputs of a check, owned.
#[derive(Clone, Debug)]
pub struct World {
    pub network: Network,
    pub facts: EndpointFacts,
    pub account_region: AccountRegion,
    pub vpcs: VpcSelection,
    pub checks_rest_apis: bool,
    pub route_table_services: BTreeSet<GatewayService>,
    pub min_severity: Severity,
    pub required_interfaces: BTreeSet<String>,
    pub organization_id: Option<String>,
}

impl World {
    /// A VPC without tags, with these subnets and endpoints.
    pub fn new(subnets: &[Subnet], endpoints: &[Endpoint]) -> Self {
        Self {
            network: Network {
                vpcs: vec![vpc(VPC)],
                subnets: subnets.to_vec(),
                endpoints: endpoints.to_vec(),
                ..Network::default()
            },
            facts: EndpointFacts::default(),
            account_region: account_region(),
            vpcs: VpcSelection::Region,
            checks_rest_apis: true,
            route_table_services: BTreeSet::new(),
            min_severity: Severity::Low,
            required_interfaces: BTreeSet::new(),
            organization_id: None,
        }
    }

    /// The context of this world.
    pub fn context(&self) -> EndpointContext<'_> {
        EndpointContext::new(EndpointInput {
            network: &self.network,
            facts: &self.facts,
            account_region: &self.account_region,
            vpcs: &self.vpcs,
            checks_rest_apis: self.checks_rest_apis,
            route_table_services: &self.route_table_services,
            min_severity: self.min_severity,
            required_interfaces: &self.required_interfaces,
            organization_id: self.organization_id.as_deref(),
            today: TODAY,
        })
    }

    /// What a rule needs to know.
    pub fn needed(&self, needs: EndpointNeeds) -> NeededFacts {
        let mut needed = NeededFacts::default();
        needs(&self.context(), &mut needed);
        needed
    }

    /// What the rule says.
    pub fn verdict(&self, rule: EndpointRule) -> EndpointVerdict {
        let mut verdict = EndpointVerdict::default();
        rule(&self.context(), &mut verdict);
        verdict
    }
}

/// Everything that may serve private names was read, and nothing was found.
pub fn nothing_central() -> CentralNames {
    CentralNames {
        hosted_zones: OptionalRead::Read(BTreeSet::new()),
        profile_resources: OptionalRead::Read(BTreeSet::new()),
        forwarded_domains: OptionalRead::Read(BTreeSet::new()),
    }
}

/// A subnet of the test VPC with these blocks.
pub fn subnet_with(id: &str, cidrs: &[&str]) -> Subnet {
    let cidrs: Vec<CompactString> = cidrs.iter().map(|&cidr| cidr.into()).collect();
    Subnet { cidr: cidrs.first().cloned(), cidrs, ..subnet(id, VPC) }
}

/// The verdict with only this problem.
pub fn only(problem: EndpointProblem) -> EndpointVerdict {
    EndpointVerdict { problems: vec![problem], ..EndpointVerdict::default() }
}

/// The verdict with only these doubts.
pub fn doubts(doubts: impl IntoIterator<Item = Unassessed>) -> EndpointVerdict {
    EndpointVerdict { unassessed: doubts.into_iter().collect(), ..EndpointVerdict::default() }
}

/// Something that cannot be judged about the endpoint.
pub fn doubt(check: CheckName, endpoint: &Endpoint, reason: UnassessedReason, in_doubt: &[&str]) -> Unassessed {
    Unassessed {
        check,
        subject: subject_of(endpoint),
        service: endpoint.service_name.to_string(),
        vpc_id: Some(endpoint.vpc_id.clone()),
        reason,
        in_doubt: in_doubt.iter().map(|&id| id.to_owned()).collect(),
    }
}

/// The verdict that the problem of the endpoint is exempt.
pub fn exempt(check: CheckName, endpoint: &Endpoint, by: &[&str]) -> EndpointVerdict {
    let problem = ExemptProblem {
        check,
        subject: subject_of(endpoint),
        service: endpoint.service_name.to_string(),
        vpc_id: Some(endpoint.vpc_id.clone()),
        exempted_by: by.iter().map(|&id| id.to_owned()).collect(),
    };
    EndpointVerdict { exempt: vec![problem], ..EndpointVerdict::default() }
}

/// What a check decides about an endpoint: everything in a problem that does not follow from check, endpoint and subnets.
pub struct Decision {
    pub defect: Defect,
    pub severity: Severity,
    pub evidence: Evidence,
    pub fix: EndpointFix,
    pub cautions: Vec<EndpointCaution>,
}

/// The problem that a check finds at an endpoint.
pub fn problem(check: CheckName, endpoint: &Endpoint, subnets: &[&Subnet], decision: Decision) -> EndpointProblem {
    EndpointProblem {
        id: problem_id(&account_region(), "123456789012", check, &endpoint.id, &endpoint.service_name),
        check,
        subject: subject_of(endpoint),
        service: endpoint.service_name.to_string(),
        defect: decision.defect,
        severity: decision.severity,
        account: "123456789012".into(),
        region: REGION.into(),
        vpc_id: Some(endpoint.vpc_id.clone()),
        subnets: subnets.iter().map(|&subnet| SubnetRef::from(subnet)).collect(),
        exemption: in_force(endpoint.exemption.as_deref(), TODAY),
        evidence: decision.evidence,
        fix: decision.fix,
        cautions: decision.cautions.into_iter().collect(),
    }
}
