//! How to keep an interface endpoint from attracting the traffic that a gateway endpoint carries for free.
//!
//! EC2 refuses the option without a gateway endpoint, and a table without a route to it would take the public way. So the
//! commands for both come first.

use super::{
    missing_route,
    rendered::{RenderedFix, in_resource},
};
use crate::{
    checks::fix::{Fix, RouteFix},
    network::{
        ids::{self, is_id},
        service::GatewayService,
    },
};

/// Renders the fix for this interface endpoint. `None` if an id does not have the format of AWS ids.
pub(super) fn render(
    endpoint_id: &str,
    vpc: &Vpc<'_>,
    has_gateway_endpoint: bool,
    routes: &[RouteFix],
) -> Option<RenderedFix> {
    let Vpc { region, id, service } = vpc;
    if !is_id(ids::ENDPOINT, endpoint_id) || !is_id(ids::VPC, id) {
        return None;
    }
    let mut commands = Vec::new();
    let mut before = String::new();
    if routes.is_empty() && !has_gateway_endpoint {
        commands.push(missing_route::create_endpoint(region, id, *service));
        before = format!("# First create a gateway endpoint for {} in {id}.\n", service.title());
    }
    for RouteFix { fix, route_table_ids } in routes {
        let tables: Vec<&str> = route_table_ids.iter().map(String::as_str).collect();
        let of_fix = missing_route::commands_for(region, id, *service, fix, &tables)?;
        if !is_wait(routes) || matches!(fix, Fix::Wait(_)) {
            commands.extend(of_fix);
        }
        before.extend([first(fix, &tables.join(" "), id, *service), "\n".to_owned()]);
    }
    if is_wait(routes) {
        let text = format!("{before}# Then, in the resource of {endpoint_id}: the option.\n");
        return Some(RenderedFix { commands, cloud_formation: text.clone(), terraform: text });
    }
    commands.push(format!(
        "aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {endpoint_id} --dns-options \
         PrivateDnsOnlyForInboundResolverEndpoint=true"
    ));
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-ec2-vpcendpoint-dnsoptionsspecification.html
    let cloud_formation = "DnsOptions:\n  PrivateDnsOnlyForInboundResolverEndpoint: OnlyInboundResolver\n";
    let terraform = "dns_options {\n  private_dns_only_for_inbound_resolver_endpoint = true\n}\n";
    Some(RenderedFix {
        commands,
        cloud_formation: before.clone() + &in_resource("AWS::EC2::VPCEndpoint", endpoint_id, cloud_formation),
        terraform: before + &in_resource("aws_vpc_endpoint", endpoint_id, terraform),
    })
}

/// The VPC of the endpoint, and the service that the endpoint attracts.
pub(super) struct Vpc<'a> {
    pub(super) region: &'a str,
    pub(super) id: &'a str,
    pub(super) service: GatewayService,
}

/// Whether a gateway endpoint has to become available first. Then the commands only describe it.
pub(super) fn is_wait(routes: &[RouteFix]) -> bool {
    routes.iter().any(|route| matches!(route.fix, Fix::Wait(_)))
}

/// What to do first, for people who use a template.
fn first(fix: &Fix, tables: &str, vpc_id: &str, service: GatewayService) -> String {
    let create = || format!("create a gateway endpoint for {} in {vpc_id} with these route tables", service.title());
    match fix {
        Fix::AddTable(endpoint) => format!("# First add these route tables to {}: {tables}", endpoint.id),
        Fix::ReattachTable(endpoint) => {
            format!("# First remove these route tables from {}, and add them again: {tables}", endpoint.id)
        }
        Fix::Wait(endpoint) => format!("# First wait until {} is available. It is {}.", endpoint.id, endpoint.state),
        Fix::Create => format!("# First {}: {tables}", create()),
        Fix::Replace { failed, available } => {
            let then =
                available.as_ref().map_or_else(create, |endpoint| format!("add these route tables to {}", endpoint.id));
            format!("# First delete {}, and {then}: {tables}", failed.id)
        }
    }
}
