//! EC2: lists of resources in pages.

use std::collections::HashMap;

use crate::network::{Filter, Network, Resources};

/// The page size of a call that names none.
const DEFAULT_PAGE: usize = 1000;

/// The answer to a call: status and body.
pub fn answer(network: &Network, action: &str, form: &HashMap<String, String>) -> (u16, String) {
    if action == "DescribeVpcAttribute" {
        return attribute(network, form);
    }
    let (resources, set, largest_page): (&Resources, _, _) = match action {
        "DescribeVpcs" => (&network.vpcs, "vpcSet", 1000),
        "DescribeSubnets" => (&network.subnets, "subnetSet", 1000),
        "DescribeRouteTables" => (&network.route_tables, "routeTableSet", 100),
        "DescribeVpcEndpoints" => (&network.endpoints, "vpcEndpointSet", 1000),
        "DescribeSecurityGroups" => (&network.security_groups, "securityGroupInfo", 1000),
        "DescribeNatGateways" => (&network.nat_gateways, "natGatewaySet", 1000),
        _ => return error(400, "InvalidAction", action),
    };
    let filter = match filter(form) {
        Ok(filter) => filter,
        Err(name) => return error(400, "InvalidParameterValue", &format!("the stand-in has no filter {name}")),
    };
    let number = |name: &str| form.get(name).and_then(|value| value.parse().ok());
    let size: usize = number("MaxResults").unwrap_or(DEFAULT_PAGE.min(largest_page));
    if size > largest_page {
        return error(400, "InvalidMaxResults", "MaxResults is too large");
    }
    let (items, next) = resources.page(filter.as_ref(), number("NextToken").unwrap_or_default(), size);
    let next = next.map(|next| format!("<nextToken>{next}</nextToken>")).unwrap_or_default();
    (200, response(action, &format!("<{set}>{items}</{set}>{next}")))
}

/// The ids of the VPCs or of the security groups that a call asks for.
pub fn named(action: &str, form: &HashMap<String, String>) -> Vec<String> {
    match (action, filter(form)) {
        ("DescribeVpcs", Ok(Some(Filter::Vpcs(ids)))) | ("DescribeSecurityGroups", Ok(Some(Filter::Ids(ids)))) => ids,
        _ => Vec::new(),
    }
}

/// The answer to a question for an attribute of a VPC. All are on.
fn attribute(network: &Network, form: &HashMap<String, String>) -> (u16, String) {
    let [vpc, attribute] = ["VpcId", "Attribute"].map(|name| form.get(name).map(String::as_str).unwrap_or_default());
    if !network.vpcs.has(vpc) {
        return error(400, "InvalidVpcID.NotFound", vpc);
    }
    let content = format!("<vpcId>{vpc}</vpcId><{attribute}><value>true</value></{attribute}>");
    (200, response("DescribeVpcAttribute", &content))
}

fn response(action: &str, content: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>0a1b2c3d-0000-4000-8000-000000000000</requestId>{content}</{action}Response>"
    )
}

/// The answer to a call that the bucket refuses.
pub fn throttled() -> (u16, String) {
    error(503, "RequestLimitExceeded", "Request limit exceeded.")
}

fn error(status: u16, code: &str, message: &str) -> (u16, String) {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
         <RequestID>0a1b2c3d-0000-4000-8000-000000000000</RequestID></Response>"
    );
    (status, body)
}

/// The filter or the ids of a call. The error is the name of a filter that is not supported.
fn filter(form: &HashMap<String, String>) -> Result<Option<Filter>, String> {
    let list =
        |prefix: &str| -> Vec<String> { (1..).map_while(|n| form.get(&format!("{prefix}.{n}"))).cloned().collect() };
    for parameter in ["VpcId", "SubnetId", "RouteTableId", "VpcEndpointId", "NatGatewayId"] {
        let ids = list(parameter);
        if !ids.is_empty() {
            return Ok(Some(Filter::Ids(ids)));
        }
    }
    if form.contains_key("Filter.2.Name") {
        return Err("beside another one".to_owned());
    }
    let values = list("Filter.1.Value");
    let filter = match form.get("Filter.1.Name").map(String::as_str) {
        None => return Ok(None),
        Some("vpc-id") => Filter::Vpcs(values),
        Some("vpc-endpoint-type") if values == ["Interface"] => Filter::InterfaceEndpoints,
        Some("group-id" | "subnet-id" | "route-table-id" | "vpc-endpoint-id" | "nat-gateway-id") => Filter::Ids(values),
        Some(name) => return Err(name.to_owned()),
    };
    Ok(Some(filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(network: &Network, action: &str, form: &[(&str, &str)]) -> (u16, String) {
        answer(network, action, &form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_first_vpcs_have_an_interface_endpoint_with_a_group() {
        let interface = [("Filter.1.Name", "vpc-endpoint-type"), ("Filter.1.Value.1", "Interface")];
        let group = [("Filter.1.Name", "group-id"), ("Filter.1.Value.1", "sg-00000000000000002")];
        for (interface_endpoints, has_group) in [(0, 0), (1, 0), (2, 1)] {
            let network = Network::new(3, 0, interface_endpoints);
            let (_, listed) = call(&network, "DescribeVpcEndpoints", &interface);
            assert_eq!(listed.matches("<groupId>").count(), interface_endpoints);
            let (_, all) = call(&network, "DescribeVpcEndpoints", &[]);
            assert_eq!(all.matches("<vpcEndpointId>").count(), 6 + interface_endpoints);
            let (_, groups) = call(&network, "DescribeSecurityGroups", &group);
            assert_eq!(groups.matches("<groupId>").count(), has_group);
        }
    }

    #[test]
    fn the_attributes_of_a_vpc_are_on() {
        let network = Network::new(1, 0, 0);
        let ask = |vpc| call(&network, "DescribeVpcAttribute", &[("VpcId", vpc), ("Attribute", "enableDnsSupport")]);
        assert!(ask("vpc-00000000000000001").1.contains("<enableDnsSupport><value>true</value></enableDnsSupport>"));
        assert_eq!(ask("vpc-00000000000000002").0, 400);
    }
}
