//! How to keep an interface endpoint from attracting the traffic that a gateway endpoint carries for free.
//!
//! EC2 refuses the option without a gateway endpoint, and a table without a route to it would take the public way. So the
//! commands for both come first.

use super::{
    missing_route,
    rendered::{RenderedFix, in_resource},
};
use crate::{
    checks::fix::{Endpoint, Fix, RouteFix},
    network::{
        ids::{self, is_id},
        service::GatewayService,
    },
};

/// The VPC of the endpoint, and the service that the endpoint attracts.
pub(super) struct Vpc<'a> {
    pub(super) region: &'a str,
    pub(super) id: &'a str,
    pub(super) service: GatewayService,
}

/// What to do before the option is set: commands, and the same in words for people who use a template.
#[derive(Default)]
struct Before {
    commands: Vec<String>,
    words: Vec<String>,
}

/// Renders the fix for this interface endpoint. `None` if an id does not have the format of AWS ids.
pub(super) fn render(
    endpoint_id: &str,
    vpc: &Vpc<'_>,
    has_gateway_endpoint: bool,
    routes: &[RouteFix],
) -> Option<RenderedFix> {
    if !is_id(ids::ENDPOINT, endpoint_id) || !is_id(ids::VPC, vpc.id) {
        return None;
    }
    let waiting: Vec<&RouteFix> = routes.iter().filter(|route| route.is_wait()).collect();
    if !waiting.is_empty() {
        let Before { commands, words } = before(vpc, &waiting)?;
        let text =
            format!("{}# Then limit the private DNS of {endpoint_id} to inbound Resolver endpoints.\n", lines(&words));
        return Some(RenderedFix { commands, cloud_formation: text.clone(), terraform: text });
    }
    let Before { mut commands, mut words } = before(vpc, &routes.iter().collect::<Vec<_>>())?;
    if routes.is_empty() && !has_gateway_endpoint {
        commands.push(missing_route::create_endpoint(vpc.region, vpc.id, vpc.service));
        words.push(format!("create a gateway endpoint for {} in {}", vpc.service.title(), vpc.id));
    }
    commands.push(format!(
        "aws ec2 modify-vpc-endpoint --region {} --vpc-endpoint-id {endpoint_id} --dns-options \
         PrivateDnsOnlyForInboundResolverEndpoint=true",
        vpc.region
    ));
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-ec2-vpcendpoint-dnsoptionsspecification.html
    let cloud_formation = "DnsOptions:\n  PrivateDnsOnlyForInboundResolverEndpoint: OnlyInboundResolver\n";
    let terraform = "dns_options {\n  private_dns_only_for_inbound_resolver_endpoint = true\n}\n";
    Some(RenderedFix {
        commands,
        cloud_formation: lines(&words) + &in_resource("AWS::EC2::VPCEndpoint", endpoint_id, cloud_formation),
        terraform: lines(&words) + &in_resource("aws_vpc_endpoint", endpoint_id, terraform),
    })
}

/// How the tables get their routes. Tables that need a new endpoint share one, after those that failed are deleted.
fn before(vpc: &Vpc<'_>, routes: &[&RouteFix]) -> Option<Before> {
    let mut before = Before::default();
    let mut of_new_endpoint: Vec<&str> = Vec::new();
    for RouteFix { fix, route_table_ids } in routes {
        let tables: Vec<&str> = route_table_ids.iter().map(String::as_str).collect();
        let list = tables.join(" ");
        let add_to = |endpoint: &Endpoint| format!("add these route tables to {}: {list}", endpoint.id);
        let mut commands = missing_route::commands_for(vpc.region, vpc.id, vpc.service, fix, &tables)?;
        match fix {
            Fix::Create => {
                commands.clear();
                of_new_endpoint.extend(tables);
            }
            Fix::Replace { failed, available } => {
                before.words.push(format!("delete {}", failed.id));
                if let Some(endpoint) = available {
                    before.words.push(add_to(endpoint));
                } else {
                    // Only the deletion: the command that creates an endpoint comes last, for all tables.
                    commands.truncate(1);
                    of_new_endpoint.extend(tables);
                }
            }
            Fix::AddTable(endpoint) => before.words.push(add_to(endpoint)),
            Fix::ReattachTable(endpoint) => {
                let again = format!("remove these route tables from {}, and add them again: {list}", endpoint.id);
                before.words.push(again);
            }
            Fix::Wait(endpoint) => {
                before.words.push(format!("wait until {}, which is {}, is available", endpoint.id, endpoint.state));
            }
        }
        before.commands.extend(commands);
    }
    if !of_new_endpoint.is_empty() {
        of_new_endpoint.sort_unstable();
        before.commands.extend(missing_route::commands_for(
            vpc.region,
            vpc.id,
            vpc.service,
            &Fix::Create,
            &of_new_endpoint,
        )?);
        before.words.push(format!(
            "create a gateway endpoint for {} in {} with these route tables: {}",
            vpc.service.title(),
            vpc.id,
            of_new_endpoint.join(" ")
        ));
    }
    Some(before)
}

/// These steps as comments of a template.
fn lines(words: &[String]) -> String {
    let first = |n: usize| if n == 0 { "First" } else { "Then" };
    words.iter().enumerate().flat_map(|(n, step)| ["# ", first(n), " ", step.as_str(), ".\n"]).collect()
}
