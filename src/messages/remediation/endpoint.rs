//! How to fix a defect of an endpoint, a VPC or a REST API.
//!
//! A fix changes an existing resource. So the texts for CloudFormation and Terraform show only what to change in it.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{
    rendered::{RenderedFix, in_resource},
    restrict_private_dns,
};
use crate::{
    checks::{
        endpoint_problem::EndpointFix,
        finding::{EndpointDefect, Finding},
    },
    network::{
        arn::is_region,
        ids::{self, is_id},
        service::GatewayService,
    },
};

/// The prefix of the id of a security group.
const SECURITY_GROUP: &str = "sg-";

/// Renders the fix. `None` if text in it does not have the format that AWS gives it, because it must not become a command;
/// and if a person has to decide.
pub(super) fn render(finding: &Finding, defect: &EndpointDefect) -> Option<RenderedFix> {
    render_fix(finding, defect, &defect.fix)
}

/// Only the commands, for one or more findings with the same [`FixKey`](super::finding::FixKey): this one, and all that
/// have these fixes. `None` in the same cases as [`render`].
pub(super) fn commands<'a>(
    finding: &Finding,
    defect: &EndpointDefect,
    fixes: impl Iterator<Item = &'a EndpointFix>,
) -> Option<Vec<String>> {
    let EndpointFix::AuthorizeIngress { group_id, port, .. } = &defect.fix else {
        return Some(render(finding, defect)?.commands);
    };
    let texts =
        fixes.flat_map(|fix| if let EndpointFix::AuthorizeIngress { cidrs, .. } = fix { &cidrs[..] } else { &[] });
    // A block inside another one would take a rule of its own, and a group has room for few.
    let blocks: Vec<IpNet> = texts.map(|text| text.parse().ok()).collect::<Option<_>>()?;
    let cidrs = IpNet::aggregate(&blocks).iter().map(ToString::to_string).collect();
    let all = EndpointFix::AuthorizeIngress { group_id: group_id.clone(), port: *port, cidrs };
    Some(render_fix(finding, defect, &all)?.commands)
}

fn render_fix(finding: &Finding, defect: &EndpointDefect, fix: &EndpointFix) -> Option<RenderedFix> {
    let region = Some(finding.region.as_str()).filter(|region| is_region(region))?;
    let vpc_id = finding.vpc_id.as_str();
    match fix {
        EndpointFix::RestrictPrivateDns { endpoint_id, has_gateway_endpoint, routes } => {
            let service = GatewayService::ALL.into_iter().find(|service| service.is_named(&defect.service, region))?;
            let vpc = restrict_private_dns::Vpc { region, id: vpc_id, service };
            restrict_private_dns::render(endpoint_id, &vpc, *has_gateway_endpoint, routes)
        }
        EndpointFix::EnableVpcDnsSupport { vpc_id } => vpc_attribute(region, vpc_id, &DNS_SUPPORT),
        EndpointFix::EnableVpcDnsHostNames { vpc_id } => vpc_attribute(region, vpc_id, &DNS_HOST_NAMES),
        EndpointFix::AuthorizeIngress { group_id, port, cidrs } => authorize_ingress(region, group_id, *port, cidrs),
        EndpointFix::DeleteEndpoint { endpoint_id } => {
            let text = format!("# Remove {endpoint_id} from its {{}}. If somebody needs it, create it again.\n");
            is_id(ids::ENDPOINT, endpoint_id).then(|| RenderedFix {
                commands: vec![format!(
                    "aws ec2 delete-vpc-endpoints --region {region} --vpc-endpoint-ids {endpoint_id}"
                )],
                cloud_formation: text.replace("{}", "stack"),
                terraform: text.replace("{}", "configuration"),
            })
        }
        EndpointFix::AwaitAcceptance { endpoint_id } => {
            describe(region, endpoint_id, "the owner of its service has to accept the connection")
        }
        EndpointFix::Inspect { endpoint_id } => {
            describe(region, endpoint_id, "its description says which network interface is missing")
        }
        EndpointFix::AddSubnets { endpoint_id, subnet_ids } => add_subnets(region, endpoint_id, subnet_ids),
        EndpointFix::EnablePrivateDns { endpoint_id } => is_id(ids::ENDPOINT, endpoint_id).then(|| RenderedFix {
            commands: vec![format!("{} --private-dns-enabled", modify_endpoint(region, endpoint_id))],
            cloud_formation: in_resource("AWS::EC2::VPCEndpoint", endpoint_id, "PrivateDnsEnabled: true\n"),
            terraform: in_resource("aws_vpc_endpoint", endpoint_id, "private_dns_enabled = true\n"),
        }),
        EndpointFix::CreateInterfaceEndpoint { vpc_id, service_name, subnet_ids } => {
            create_interface_endpoint(region, vpc_id, service_name, subnet_ids)
        }
        EndpointFix::RemoveAssociatedEndpoints { api_id, endpoint_ids } => {
            remove_associated_endpoints(region, api_id, endpoint_ids)
        }
        EndpointFix::ReviewPolicy { .. } | EndpointFix::ReviewApiPolicy { .. } => None,
    }
}

fn modify_endpoint(region: &str, endpoint_id: &str) -> String {
    format!("aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {endpoint_id}")
}

/// These lines, each with a line feed.
fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// Whether the list has ids with this prefix only, and at least one.
fn are_ids(prefix: &str, ids: &[String]) -> bool {
    !ids.is_empty() && ids.iter().all(|id| is_id(prefix, id))
}

/// A DNS attribute of a VPC, as the three tools call it.
struct VpcAttribute {
    aws_cli: &'static str,
    cloud_formation: &'static str,
    terraform: &'static str,
}

const DNS_SUPPORT: VpcAttribute = VpcAttribute {
    aws_cli: "--enable-dns-support",
    cloud_formation: "EnableDnsSupport: true\n",
    terraform: "enable_dns_support = true\n",
};

const DNS_HOST_NAMES: VpcAttribute = VpcAttribute {
    aws_cli: "--enable-dns-hostnames",
    cloud_formation: "EnableDnsHostnames: true\n",
    terraform: "enable_dns_hostnames = true\n",
};

fn vpc_attribute(region: &str, vpc_id: &str, attribute: &VpcAttribute) -> Option<RenderedFix> {
    is_id(ids::VPC, vpc_id).then(|| RenderedFix {
        commands: vec![format!(
            "aws ec2 modify-vpc-attribute --region {region} --vpc-id {vpc_id} {}",
            attribute.aws_cli
        )],
        cloud_formation: in_resource("AWS::EC2::VPC", vpc_id, attribute.cloud_formation),
        terraform: in_resource("aws_vpc", vpc_id, attribute.terraform),
    })
}

/// Whether the text is an IPv4 block (`Some(true)`) or an IPv6 block (`Some(false)`).
fn is_ipv4_block(block: &str) -> Option<bool> {
    let (address, length) = block.split_once('/')?;
    let length: u8 = length.parse().ok().filter(|_| length.bytes().all(|digit| digit.is_ascii_digit()))?;
    if address.parse::<Ipv4Addr>().is_ok() && length <= 32 {
        Some(true)
    } else {
        (address.parse::<Ipv6Addr>().is_ok() && length <= 128).then_some(false)
    }
}

fn authorize_ingress(region: &str, group_id: &str, port: u16, cidrs: &[String]) -> Option<RenderedFix> {
    let families: Vec<(bool, &str)> =
        cidrs.iter().map(|block| Some((is_ipv4_block(block)?, block.as_str()))).collect::<Option<_>>()?;
    if families.is_empty() || !is_id(SECURITY_GROUP, group_id) {
        return None;
    }
    let ranges = |is_ipv4: bool, list: &str, key: &str| {
        let blocks: Vec<String> = (families.iter().filter(|(family, _)| *family == is_ipv4))
            .map(|(_, block)| format!("{{{key}={block}}}"))
            .collect();
        if blocks.is_empty() { String::new() } else { format!(",{list}=[{}]", blocks.join(",")) }
    };
    // One quoted word: a shell would expand brackets and braces.
    let permissions = format!(
        "'IpProtocol=tcp,FromPort={port},ToPort={port}{}{}'",
        ranges(true, "IpRanges", "CidrIp"),
        ranges(false, "Ipv6Ranges", "CidrIpv6")
    );
    Some(RenderedFix {
        commands: vec![format!(
            "aws ec2 authorize-security-group-ingress --region {region} --group-id {group_id} --ip-permissions \
             {permissions}"
        )],
        cloud_formation: ingress_in_cloud_formation(group_id, port, &families),
        terraform: ingress_in_terraform(group_id, port, &families),
    })
}

/// One short line per block: a VPC can have hundreds of subnets.
fn ingress_in_cloud_formation(group_id: &str, port: u16, families: &[(bool, &str)]) -> String {
    let rule = |(is_ipv4, block): &(bool, &str)| {
        let key = if *is_ipv4 { "CidrIp" } else { "CidrIpv6" };
        format!("- {{IpProtocol: tcp, FromPort: {port}, ToPort: {port}, {key}: \"{block}\"}}")
    };
    format!(
        "# In the AWS::EC2::SecurityGroup of {group_id}, add to SecurityGroupIngress:\n{}",
        lines(families.iter().map(rule))
    )
}

fn ingress_in_terraform(group_id: &str, port: u16, families: &[(bool, &str)]) -> String {
    let resource = |is_ipv4: bool, key: &str| {
        let of_family = families.iter().filter(|(family, _)| *family == is_ipv4);
        let blocks: Vec<String> = of_family.map(|(_, block)| format!("\"{block}\"")).collect();
        if blocks.is_empty() {
            return String::new();
        }
        format!(
            "resource \"aws_vpc_security_group_ingress_rule\" \"{}_{key}\" {{\n  for_each          = toset([{}])\n  \
             security_group_id = \"{group_id}\"\n  ip_protocol       = \"tcp\"\n  from_port         = {port}\n  to_port           \
             = {port}\n  {key}         = each.value\n}}\n",
            group_id.replace('-', "_"),
            blocks.join(", ")
        )
    };
    format!(
        "# Assumes that the aws_security_group of {group_id} has no ingress blocks. If it does, add blocks there.\n{}{}",
        resource(true, "cidr_ipv4"),
        resource(false, "cidr_ipv6")
    )
}

/// A command that only describes an endpoint.
fn describe(region: &str, endpoint_id: &str, what: &str) -> Option<RenderedFix> {
    let comment = format!("# Nothing to change here for {endpoint_id}: {what}.\n");
    is_id(ids::ENDPOINT, endpoint_id).then(|| RenderedFix {
        commands: vec![format!("aws ec2 describe-vpc-endpoints --region {region} --vpc-endpoint-ids {endpoint_id}")],
        cloud_formation: comment.clone(),
        terraform: comment,
    })
}

fn add_subnets(region: &str, endpoint_id: &str, subnet_ids: &[String]) -> Option<RenderedFix> {
    if !is_id(ids::ENDPOINT, endpoint_id) || !are_ids(ids::SUBNET, subnet_ids) {
        return None;
    }
    let list = lines(subnet_ids.iter().map(|id| format!("  - {id}")));
    let add = |resource: &str, property: &str, lines: &str| {
        format!("# In the {resource} of {endpoint_id}, add to {property}:\n{lines}")
    };
    Some(RenderedFix {
        commands: vec![format!("{} --add-subnet-ids {}", modify_endpoint(region, endpoint_id), subnet_ids.join(" "))],
        cloud_formation: add("AWS::EC2::VPCEndpoint", "SubnetIds", &list),
        terraform: add("aws_vpc_endpoint", "subnet_ids", &format!("[\"{}\"]\n", subnet_ids.join("\", \""))),
    })
}

fn create_interface_endpoint(
    region: &str,
    vpc_id: &str,
    service_name: &str,
    subnet_ids: &[String],
) -> Option<RenderedFix> {
    let is_service = service_name.contains('.')
        && service_name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b))
        && service_name.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_service || !is_id(ids::VPC, vpc_id) || !are_ids(ids::SUBNET, subnet_ids) {
        return None;
    }
    let list = lines(subnet_ids.iter().map(|id| format!("      - {id}")));
    let label = service_name.replace(['.', '-'], "_");
    Some(RenderedFix {
        commands: vec![format!(
            "aws ec2 create-vpc-endpoint --region {region} --vpc-endpoint-type Interface --vpc-id {vpc_id} --service-name \
             {service_name} --subnet-ids {} --no-private-dns-enabled",
            subnet_ids.join(" ")
        )],
        cloud_formation: format!(
            "InterfaceEndpoint:\n  Type: AWS::EC2::VPCEndpoint\n  Properties:\n    VpcEndpointType: Interface\n    VpcId: \
             {vpc_id}\n    ServiceName: {service_name}\n    PrivateDnsEnabled: false\n    SubnetIds:\n{list}"
        ),
        terraform: format!(
            "resource \"aws_vpc_endpoint\" \"{label}\" {{\n  vpc_endpoint_type   = \"Interface\"\n  vpc_id              = \
             \"{vpc_id}\"\n  service_name        = \"{service_name}\"\n  private_dns_enabled = false\n  subnet_ids          = \
             [\"{}\"]\n}}\n",
            subnet_ids.join("\", \"")
        ),
    })
}

fn remove_associated_endpoints(region: &str, api_id: &str, endpoint_ids: &[String]) -> Option<RenderedFix> {
    let is_api = !api_id.is_empty() && api_id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !is_api || !are_ids(ids::ENDPOINT, endpoint_ids) {
        return None;
    }
    let patches: Vec<String> = (endpoint_ids.iter())
        .map(|id| format!("op=remove,path=/endpointConfiguration/vpcEndpointIds,value={id}"))
        .collect();
    let remove = |resource: &str, property: &str| {
        format!("# In the {resource} of {api_id}, remove from {property}: {}\n", endpoint_ids.join(" "))
    };
    Some(RenderedFix {
        commands: vec![format!(
            "aws apigateway update-rest-api --region {region} --rest-api-id {api_id} --patch-operations {}",
            patches.join(" ")
        )],
        cloud_formation: remove("AWS::ApiGateway::RestApi", "EndpointConfiguration.VpcEndpointIds"),
        terraform: remove("aws_api_gateway_rest_api", "endpoint_configuration.vpc_endpoint_ids"),
    })
}
