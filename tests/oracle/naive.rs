//! A naive implementation of docs/contract.md, sections 1, 3 and 4. Each block quotes the statement that it implements.
//! It builds no index and calls no method of the model types. It is slow, and easy to compare with the contract.

use gatewatch::network::model::{Association, Endpoint, EndpointKind, Network, Route, RouteTable, Subnet, TargetKind};

use crate::{
    answer::{Answer, Finding, TableResult},
    networks::Case,
};

type Day = (i16, i8, i8);

/// The answer for the whole Region.
pub fn evaluate(case: &Case) -> Answer {
    let network = &case.network;
    let mut answer = Answer::default();

    // "gatewatch judges every route table in scope that is not an edge table and that no other account owns, for every
    // required service."
    for table in &network.route_tables {
        if is_edge(table) || is_other_account(table.owner_id.as_deref(), case) {
            answer.unchecked.insert(table.id.clone());
            continue;
        }
        for service in &case.services {
            let result = evaluate_table(case, table, service);

            // "The subnet is IPv6-native and not exempt, and every endpoint that covers its table has the IP address
            // type `ipv4`."
            if result == TableResult::Covered {
                let endpoints = covering(case, table, service);
                let all_exclude_ipv6 = endpoints.iter().all(|e| e.ip_address_type.as_deref() == Some("ipv4"));
                for subnet in subnets_of(case, table) {
                    let is_exempt = exempts(subnet.exemption.as_ref(), service, case.today);
                    if subnet.ipv6_native && all_exclude_ipv6 && !is_exempt {
                        answer.unassessed.insert((subnet.id.clone(), "ipv6_only_subnet".to_owned()));
                    }
                }
            }
            answer.results.insert((table.id.clone(), (*service).to_owned()), result);
        }
    }

    // "Another account owns the subnet and shares it." "EC2 does not return the route table of the subnet."
    for subnet in &network.subnets {
        let reason = if is_other_account(subnet.owner_id.as_deref(), case) {
            "shared_subnet"
        } else if effective_table(network, subnet).is_none() {
            "route_table_not_visible"
        } else {
            continue;
        };
        answer.unassessed.insert((subnet.id.clone(), reason.to_owned()));
    }

    // "anything else": "nothing; the tag is in `unreadableExemptions`". This covers each checked table, its VPC and its
    // subnets. A tag anywhere else has no effect.
    for table in network.route_tables.iter().filter(|table| !answer.unchecked.contains(&table.id)) {
        let mut tags = vec![(&table.id, &table.exemption)];
        for vpc in network.vpcs.iter().filter(|vpc| vpc.id == table.vpc_id) {
            tags.push((&vpc.id, &vpc.exemption));
        }
        for subnet in subnets_of(case, table) {
            tags.push((&subnet.id, &subnet.exemption));
        }
        for (id, tag) in tags {
            if let Some(value) = tag
                && read_exemption(value).is_none()
            {
                answer.unreadable.insert((id.clone(), value.clone()));
            }
        }
    }
    answer
}

fn evaluate_table(case: &Case, table: &RouteTable, service: &str) -> TableResult {
    // "A table is covered if an endpoint of its VPC …"
    if !covering(case, table, service).is_empty() {
        return TableResult::Covered;
    }

    // "A table is exempt for a service if its VPC is, or if the table is,"
    let mut by = Vec::new();
    for vpc in &case.network.vpcs {
        if vpc.id == table.vpc_id && exempts(vpc.exemption.as_ref(), service, case.today) {
            by.push(vpc.id.clone());
        }
    }
    if exempts(table.exemption.as_ref(), service, case.today) {
        by.push(table.id.clone());
    }
    // "or if at least one subnet uses it and all its subnets are."
    let mut affected = Vec::new();
    let mut exempt_subnets = Vec::new();
    for subnet in subnets_of(case, table) {
        if exempts(subnet.exemption.as_ref(), service, case.today) {
            exempt_subnets.push(subnet.id.clone());
        } else {
            // "The subnets of a finding do not include exempt ones."
            affected.push(subnet.id.clone());
        }
    }
    if by.is_empty() && affected.is_empty() {
        by = exempt_subnets;
    }
    if !by.is_empty() {
        by.sort();
        return TableResult::Exempt { by };
    }

    // "Otherwise the table is exempt, or it is a finding."
    let (gap, endpoint) = gap(case, table, service);
    let (severity, egress) = severity(case, table);
    // "The affected subnets, sorted by id."
    affected.sort();
    TableResult::Finding(Box::new(Finding {
        vpc: table.vpc_id.to_string(),
        main: is_main(table),
        gap: gap.to_owned(),
        severity: severity.to_owned(),
        egress,
        endpoint: endpoint.map(id_and_state),
        interface_endpoint: interface_endpoint(case, table, service).map(id_and_state),
        subnets: affected,
    }))
}

// --- Terms -----------------------------------------------------------------------------------------------------------

/// "A route table that has an association with a gateway (`gatewayId`), has no subnet association, and is not the main
/// table of its VPC." A gateway association that has ended does not count, because it carries no ingress traffic.
fn is_edge(table: &RouteTable) -> bool {
    let mut has_gateway = false;
    let mut has_subnet = false;
    for association in &table.associations {
        has_gateway |= association.gateway_id.is_some() && counts(association);
        has_subnet |= association.subnet_id.is_some();
    }
    has_gateway && !has_subnet && !is_main(table)
}

/// Whether a main association of the table counts. While a VPC changes its main table, two tables have one.
fn is_main(table: &RouteTable) -> bool {
    table.associations.iter().any(|association| association.main && counts(association))
}

/// "The route table that a subnet uses."
fn effective_table<'a>(network: &'a Network, subnet: &Subnet) -> Option<&'a RouteTable> {
    // "It is the table of the subnet's explicit association,"
    for table in &network.route_tables {
        for association in &table.associations {
            if association.subnet_id.as_deref() == Some(&subnet.id) && counts(association) {
                return Some(table);
            }
        }
    }
    // "else the main table of the subnet's own VPC."
    network.route_tables.iter().find(|table| table.vpc_id == subnet.vpc_id && is_main(table))
}

/// "An association counts if its state is `associated` or `associating`, or if EC2 returns no state."
fn counts(association: &Association) -> bool {
    match &association.state {
        None => true,
        Some(state) => state == "associated" || state == "associating",
    }
}

/// The subnets that use a table. "Subnets of other accounts do not count as users of the table."
fn subnets_of<'a>(case: &'a Case, table: &RouteTable) -> Vec<&'a Subnet> {
    let mut subnets = Vec::new();
    for subnet in &case.network.subnets {
        if let Some(used) = effective_table(&case.network, subnet)
            && used.id == table.id
            && !is_other_account(subnet.owner_id.as_deref(), case)
        {
            subnets.push(subnet);
        }
    }
    subnets
}

/// Whether another account is the owner. `false` if the owner or our own account is not known.
fn is_other_account(owner: Option<&str>, case: &Case) -> bool {
    match (owner, &case.account_region.account) {
        (Some(owner), Some(own)) => owner != own,
        _ => false,
    }
}

/// The endpoints that cover the table for the service.
fn covering<'a>(case: &'a Case, table: &RouteTable, service: &str) -> Vec<&'a Endpoint> {
    let mut covering = Vec::new();
    for endpoint in gateway_endpoints(case, table, service) {
        // "has state `available`, compared without regard to case, lists the table in its route table ids,"
        if is_available(endpoint) && lists(endpoint, table) {
            // "and is the target of an `active` route of the table."
            for route in &table.routes {
                if route.active && route.target.id.as_ref() == Some(&endpoint.id) {
                    covering.push(endpoint);
                }
            }
        }
    }
    covering
}

/// The endpoints of the table's VPC of "type `Gateway`" for the service.
fn gateway_endpoints<'a>(case: &'a Case, table: &RouteTable, service: &str) -> Vec<&'a Endpoint> {
    let mut endpoints = Vec::new();
    for endpoint in &case.network.endpoints {
        if endpoint.vpc_id == table.vpc_id
            && endpoint.kind == EndpointKind::Gateway
            && is_service(endpoint, service, &case.account_region.region)
        {
            endpoints.push(endpoint);
        }
    }
    endpoints
}

/// "has exactly the service name `com.amazonaws.<region>.<service>`, or the same name after `cn.`"
fn is_service(endpoint: &Endpoint, service: &str, region: &str) -> bool {
    endpoint.service_name == format!("com.amazonaws.{region}.{service}")
        || endpoint.service_name == format!("cn.com.amazonaws.{region}.{service}")
}

fn is_available(endpoint: &Endpoint) -> bool {
    endpoint.state.to_lowercase() == "available"
}

fn lists(endpoint: &Endpoint, table: &RouteTable) -> bool {
    endpoint.route_table_ids.iter().any(|id| *id == table.id)
}

// --- Finding ---------------------------------------------------------------------------------------------------------

/// "The `gap` is the first that holds". If several endpoints match, the finding names the one with the lowest id.
fn gap<'a>(case: &'a Case, table: &RouteTable, service: &str) -> (&'static str, Option<&'a Endpoint>) {
    let endpoints = gateway_endpoints(case, table, service);

    // "An available Gateway endpoint for the service lists the table, but the table has no active route to it."
    if let Some(e) = lowest_id(endpoints.iter().filter(|e| is_available(e) && lists(e, table))) {
        return ("route_inactive", Some(e));
    }
    // "A Gateway endpoint for the service lists the table, but its state is not `available`."
    if let Some(e) = lowest_id(endpoints.iter().filter(|e| !is_available(e) && lists(e, table))) {
        return ("endpoint_not_available", Some(e));
    }
    // "An available Gateway endpoint for the service is in the VPC, but does not list the table."
    if let Some(e) = lowest_id(endpoints.iter().filter(|e| is_available(e) && !lists(e, table))) {
        return ("not_associated", Some(e));
    }
    // "None of these."
    ("no_endpoint", None)
}

fn lowest_id<'a: 'b, 'b>(endpoints: impl Iterator<Item = &'b &'a Endpoint>) -> Option<&'a Endpoint> {
    endpoints.copied().min_by(|a, b| a.id.cmp(&b.id))
}

/// "An Interface endpoint for the same service in the VPC, an available one first." Among equals, the finding names the
/// one with the lowest id.
fn interface_endpoint<'a>(case: &'a Case, table: &RouteTable, service: &str) -> Option<&'a Endpoint> {
    let mut endpoints = Vec::new();
    for endpoint in &case.network.endpoints {
        if endpoint.vpc_id == table.vpc_id
            && endpoint.kind == EndpointKind::Interface
            && is_service(endpoint, service, &case.account_region.region)
        {
            endpoints.push(endpoint);
        }
    }
    lowest_id(endpoints.iter().filter(|e| is_available(e))).or_else(|| lowest_id(endpoints.iter()))
}

fn id_and_state(endpoint: &Endpoint) -> (String, String) {
    (endpoint.id.clone(), endpoint.state.as_str().to_lowercase())
}

/// The severity, and `egress`: "The target of the default route that decided the severity". Among equals, the IPv4
/// route decides.
fn severity(case: &Case, table: &RouteTable) -> (&'static str, (String, Option<String>)) {
    // "A default route is an `active` route to `0.0.0.0/0` or `::/0`."
    let mut defaults: Vec<&Route> = Vec::new();
    for destination in ["0.0.0.0/0", "::/0"] {
        for route in &table.routes {
            if route.active && route.destination.as_deref() == Some(destination) {
                defaults.push(route);
            }
        }
    }

    // "Otherwise the worst default route decides".
    let to_nat = defaults.iter().find(|route| route.target.kind == TargetKind::NatGateway);
    let to_internet = defaults.iter().find(|route| route.target.kind == TargetKind::InternetGateway);
    let to_other = defaults
        .iter()
        .find(|route| !matches!(route.target.kind, TargetKind::NatGateway | TargetKind::InternetGateway));
    let (severity, route) = if to_nat.is_some() {
        // "A default route goes to a NAT gateway".
        ("HIGH", to_nat)
    } else if to_other.is_some() {
        // "A default route goes to anything else but an internet gateway,"
        ("MEDIUM", to_other)
    } else if to_internet.is_some() {
        // "All default routes go to an internet gateway."
        ("LOW", to_internet)
    } else {
        // "or the table has no default route".
        ("MEDIUM", None)
    };
    // "A table that no subnet uses has severity `LOW`."
    let severity = if subnets_of(case, table).is_empty() { "LOW" } else { severity };
    let egress = match route {
        Some(route) => (kind_name(route.target.kind).to_owned(), route.target.id.clone()),
        None => ("none".to_owned(), None),
    };
    (severity, egress)
}

/// The values of `egress.kind`.
fn kind_name(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::NatGateway => "nat_gateway",
        TargetKind::InternetGateway => "internet_gateway",
        TargetKind::TransitGateway => "transit_gateway",
        TargetKind::VpcPeering => "vpc_peering",
        TargetKind::VirtualPrivateGateway => "virtual_private_gateway",
        TargetKind::NetworkInterface => "network_interface",
        TargetKind::VpcEndpoint => "vpc_endpoint",
        TargetKind::CoreNetwork => "core_network",
        TargetKind::EgressOnlyInternetGateway => "egress_only_internet_gateway",
        TargetKind::CarrierGateway => "carrier_gateway",
        TargetKind::LocalGateway => "local_gateway",
        TargetKind::Other => "other",
        TargetKind::Local => panic!("a default route cannot have the target `local`"),
        TargetKind::None => "none",
    }
}

// --- Exemption -------------------------------------------------------------------------------------------------------

/// Whether a tag exempts its resource for a service on a day.
fn exempts(tag: Option<&String>, service: &str, today: Day) -> bool {
    let Some(Some((services, until))) = tag.map(|value| read_exemption(value)) else {
        return false;
    };
    // "the same, up to and including that day (UTC)"
    let applies = match until {
        Some(last) => today <= last,
        None => true,
    };
    applies && (services.is_empty() || services.iter().any(|exempt| exempt == service))
}

/// The services (empty for every service) and the last day. `None` if the value is "anything else".
fn read_exemption(value: &str) -> Option<(Vec<String>, Option<Day>)> {
    // "names of services, separated by spaces, commas or slashes"
    let mut words: Vec<&str> = value.split([' ', ',', '/']).filter(|word| !word.is_empty()).collect();

    // "one of these and `until=YYYY-MM-DD`"
    let mut until = None;
    if let Some(index) = words.iter().position(|word| word.starts_with("until=")) {
        until = Some(read_day(&words.remove(index)["until=".len()..])?);
    }
    // "empty, `*` or `true`": "every service"
    if words.is_empty() || words == ["*"] || words == ["true"] {
        return Some((Vec::new(), until));
    }
    // The services are "`s3`, `dynamodb` and `s3express`". A second `until=` is none of them.
    for word in &words {
        if !["s3", "dynamodb", "s3express"].contains(word) {
            return None;
        }
    }
    Some((words.into_iter().map(str::to_owned).collect(), until))
}

/// A day that exists, written as `YYYY-MM-DD`.
fn read_day(text: &str) -> Option<Day> {
    if text.len() != 10 || text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
        return None;
    }
    let (year, month, day) = (number(text.get(..4)?)?, number(text.get(5..7)?)?, number(text.get(8..)?)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if day < 1 || day > last {
        return None;
    }
    Some((year, i8::try_from(month).ok()?, i8::try_from(day).ok()?))
}

/// A number of digits only, without sign or space.
fn number(digits: &str) -> Option<i16> {
    if digits.chars().all(|digit| digit.is_ascii_digit()) { digits.parse().ok() } else { None }
}
