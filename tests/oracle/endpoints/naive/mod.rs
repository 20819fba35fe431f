//! The conditions of the checks, a second time. It shares no code with the rules: it compares text,
//! tries every address, and looks through all lists each time.

mod access;
mod central;
mod dns;
mod endpoint_policy;
mod exemption;
mod outcome;
mod policy;
mod private_api;
pub mod requests;
mod required;
mod served;
mod state;
mod zones;

use gatewatch::network::{
    endpoint_facts::RestApi,
    model::{Endpoint, EndpointKind, RouteTable, Subnet},
};

use super::{
    answer::{Answer, Facts, Outcome},
    networks::Case,
};
use requests::{Request, is_allowed};

/// The first request that the policy of the endpoint allows.
pub fn allowed_by_endpoint<'a>(endpoint: &Endpoint, requests: &'a [Request]) -> Option<&'a Request> {
    let statements = policy::read(endpoint.policy_document.as_deref()?)?;
    requests.iter().find(|request| is_allowed(&statements, request))
}

/// Whether each statement of the endpoint's policy is about all actions and all resources of the service.
pub fn reach_of_statements(endpoint: &Endpoint) -> Vec<String> {
    let statements = endpoint.policy_document.as_deref().and_then(policy::read).unwrap_or_default();
    let served = served::Served::by(endpoint, &statements);
    let word = |statement: &policy::Statement| {
        let effect = if statement.is_allow { "Allow" } else { "Deny" };
        let (actions, resources) = (served.every_action(statement), served.every_resource(statement));
        format!("{effect}, all actions: {actions:?}, all resources: {resources:?}")
    };
    statements.iter().map(word).collect()
}

/// The first request that the resource policy of the API allows.
pub fn allowed_by_api<'a>(api: &RestApi, requests: &'a [Request]) -> Option<&'a Request> {
    let statements = policy::read_escaped(api.policy.as_deref()?)?;
    requests.iter().find(|request| is_allowed(&statements, request))
}

/// What the checks say by their conditions.
pub fn evaluate(case: &Case) -> Answer {
    let mut answer = Answer::new();
    for endpoint in &case.network.endpoints {
        if is_never_judged(case, endpoint) {
            continue;
        }
        dns::dns_bypass(case, endpoint, &mut answer);
        dns::endpoint_dns(case, endpoint, &mut answer);
        access::endpoint_access(case, endpoint, &mut answer);
        state::endpoint_state(case, endpoint, &mut answer);
        zones::endpoint_zones(case, endpoint, &mut answer);
        endpoint_policy::endpoint_policy(case, endpoint, &mut answer);
        dns::endpoint_private_dns(case, endpoint, &mut answer);
    }
    required::required_endpoints(case, &mut answer);
    private_api::private_api(case, &mut answer);
    answer
}

/// Never judged: `RequesterManaged` true; tag `GuardDutyManaged` or service `….guardduty-data`; `ServiceRegion` other than
/// home; third-party services; types other than Gateway and Interface; another owner's.
pub fn is_never_judged(case: &Case, endpoint: &Endpoint) -> bool {
    let foreign = match (&endpoint.owner_id, &case.account_region.account) {
        (Some(owner), Some(ours)) => owner != ours,
        _ => false,
    };
    foreign
        || endpoint.requester_managed
        || endpoint.guardduty_managed
        || endpoint.service_name.ends_with(".guardduty-data")
        || endpoint.service_name.contains(".vpce-svc-")
        || matches!(endpoint.service_region.as_deref(), Some(region) if region != "eu-west-1")
        || endpoint.kind == EndpointKind::Other
}

fn is_available_interface(endpoint: &Endpoint) -> bool {
    endpoint.kind == EndpointKind::Interface && endpoint.state.to_lowercase() == "available"
}

fn own_subnets<'a>(case: &'a Case, vpc_id: &str) -> Vec<&'a Subnet> {
    let mut subnets: Vec<&Subnet> = case.network.subnets.iter().filter(|subnet| subnet.vpc_id == vpc_id).collect();
    subnets.retain(|subnet| match (&subnet.owner_id, &case.account_region.account) {
        (Some(owner), Some(ours)) => owner == ours,
        _ => true,
    });
    subnets.sort_by_key(|subnet| subnet.id.clone());
    subnets
}

/// The table that the subnet uses: its own, or the main table.
fn table_of<'a>(case: &'a Case, subnet: &Subnet) -> Option<&'a RouteTable> {
    let explicit = case.network.route_tables.iter().find(|table| {
        table.associations.iter().any(|association| association.subnet_id.as_deref() == Some(subnet.id.as_str()))
    });
    explicit.or_else(|| {
        case.network.route_tables.iter().find(|table| {
            table.vpc_id == subnet.vpc_id && table.associations.iter().any(|association| association.main)
        })
    })
}
