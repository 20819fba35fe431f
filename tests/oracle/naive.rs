//! The contract, read aloud. Every block quotes the line that it follows, and does that and nothing else: no index, no
//! early way out, no method of the types it reads. Slow, and easy to check against the words.

use gatewatch::network::model::{Association, Endpoint, EndpointKind, Network, Route, RouteTable, Subnet, TargetKind};

use crate::{
    answer::{Answer, Finding, Judgement},
    networks::Case,
};

type Day = (i16, i8, i8);

/// The whole Region.
pub fn judge(case: &Case) -> Answer {
    let network = &case.network;
    let mut answer = Answer::default();

    // "For every table in scope that is not an edge table, and every required service: covered, exempt, or a finding"
    for table in &network.route_tables {
        if edge(table) || another_owns(table.owner_id.as_ref(), case) {
            answer.unchecked.insert(table.id.clone());
            continue;
        }
        for service in &case.services {
            let judgement = judge_table(case, table, service);

            // "An ipv6-native subnet behind an endpoint whose IP address type is known and excludes IPv6 is
            // `unassessed` (reason `ipv6_only_subnet`)." One endpoint that may carry IPv6 is enough to serve it, and
            // where nothing is required nothing is left to assess.
            if judgement == Judgement::Covered {
                let behind = covering(case, table, service);
                let all_exclude_ipv6 = behind.iter().all(|e| e.ip_address_type.as_deref() == Some("ipv4"));
                for subnet in subnets_of(case, table) {
                    let wanted = !exempts(subnet.exemption.as_ref(), service, case.today);
                    if subnet.ipv6_native && all_exclude_ipv6 && wanted {
                        answer.unassessed.insert((subnet.id.clone(), "ipv6_only_subnet".to_owned()));
                    }
                }
            }
            answer.judgements.insert((table.id.clone(), (*service).to_owned()), judgement);
        }
    }

    // "Subnets that another account owns, and tables that cannot be seen, are `unassessed` with a reason."
    for subnet in &network.subnets {
        let reason = if another_owns(subnet.owner_id.as_ref(), case) {
            "shared_subnet"
        } else if effective_table(network, subnet).is_none() {
            "route_table_not_visible"
        } else {
            continue;
        };
        answer.unassessed.insert((subnet.id.clone(), reason.to_owned()));
    }

    // "A value that cannot be read exempts nothing and is reported in `unreadableExemptions`." Of what is checked, that
    // is: each table, its VPC and its subnets. Nothing else could be exempt.
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

fn judge_table(case: &Case, table: &RouteTable, service: &str) -> Judgement {
    // "A route table is covered for a service when an endpoint of its VPC …"
    if !covering(case, table, service).is_empty() {
        return Judgement::Covered;
    }

    // "A table is exempt for a service when its VPC or it is,"
    let mut by = Vec::new();
    for vpc in &case.network.vpcs {
        if vpc.id == table.vpc_id && exempts(vpc.exemption.as_ref(), service, case.today) {
            by.push(vpc.id.clone());
        }
    }
    if exempts(table.exemption.as_ref(), service, case.today) {
        by.push(table.id.clone());
    }
    // "or when it has subnets and all of them are."
    let mut affected = Vec::new();
    let mut exempt_subnets = Vec::new();
    for subnet in subnets_of(case, table) {
        if exempts(subnet.exemption.as_ref(), service, case.today) {
            exempt_subnets.push(subnet.id.clone());
        } else {
            // "Exempt subnets leave the list of affected ones."
            affected.push(subnet.id.clone());
        }
    }
    if by.is_empty() && affected.is_empty() {
        by = exempt_subnets;
    }
    if !by.is_empty() {
        by.sort();
        return Judgement::Exempt { by };
    }

    // "or a finding whose `gap` is the first that holds"
    let (gap, endpoint) = gap(case, table, service);
    let (severity, egress) = severity(case, table);
    // "Lists are sorted by id".
    affected.sort();
    Judgement::Finding(Box::new(Finding {
        vpc: table.vpc_id.clone(),
        main: main(table),
        gap: gap.to_owned(),
        severity: severity.to_owned(),
        egress,
        endpoint: endpoint.map(named),
        interface_endpoint: interface_endpoint(case, table, service).map(named),
        subnets: affected,
    }))
}

// --- Words ------------------------------------------------------------------------------------------------------------

/// "Edge table: a route table whose associations name a gateway (`gatewayId`), no subnet, and that is not the main table."
/// An association with a gateway that has ended carries no ingress traffic, so it does not excuse the table any more.
fn edge(table: &RouteTable) -> bool {
    let mut gateway = false;
    let mut subnet = false;
    for association in &table.associations {
        gateway |= association.gateway_id.is_some() && holds(association);
        subnet |= association.subnet_id.is_some();
    }
    gateway && !subnet && !main(table)
}

/// Made so by an association, which like any other has to hold: while the main table moves, two name themselves.
fn main(table: &RouteTable) -> bool {
    table.associations.iter().any(|association| association.main && holds(association))
}

/// "Effective route table of a subnet".
fn effective_table<'a>(network: &'a Network, subnet: &Subnet) -> Option<&'a RouteTable> {
    // "the table it is explicitly associated with (association state `associated` or `associating`, or no state),"
    for table in &network.route_tables {
        for association in &table.associations {
            if association.subnet_id.as_ref() == Some(&subnet.id) && holds(association) {
                return Some(table);
            }
        }
    }
    // "else the main table *of its own VPC*."
    network.route_tables.iter().find(|table| table.vpc_id == subnet.vpc_id && main(table))
}

fn holds(association: &Association) -> bool {
    match &association.state {
        None => true,
        Some(state) => state == "associated" || state == "associating",
    }
}

/// The subnets that use a table. Those "that another account owns … are never a finding and never count as covered".
fn subnets_of<'a>(case: &'a Case, table: &RouteTable) -> Vec<&'a Subnet> {
    let mut subnets = Vec::new();
    for subnet in &case.network.subnets {
        if let Some(used) = effective_table(&case.network, subnet)
            && used.id == table.id
            && !another_owns(subnet.owner_id.as_ref(), case)
        {
            subnets.push(subnet);
        }
    }
    subnets
}

/// Where an owner or our own account is not known, nothing says that it is another's.
fn another_owns(owner: Option<&String>, case: &Case) -> bool {
    match (owner, &case.account_region.account) {
        (Some(owner), Some(ours)) => owner != ours,
        _ => false,
    }
}

/// The endpoints that make "a route table … covered for a service".
fn covering<'a>(case: &'a Case, table: &RouteTable, service: &str) -> Vec<&'a Endpoint> {
    let mut covering = Vec::new();
    for endpoint in gateway_endpoints(case, table, service) {
        // "state `available` (compared without regard to case), lists the table in its route table ids,"
        if available(endpoint) && lists(endpoint, table) {
            // "*and* the table holds an `active` route whose target is that endpoint."
            for route in &table.routes {
                if route.active && route.target.id.as_ref() == Some(&endpoint.id) {
                    covering.push(endpoint);
                }
            }
        }
    }
    covering
}

/// "an endpoint of its VPC has type `Gateway`, a service name that is exactly that service in that Region"
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

/// From the facts: "Names are `com.amazonaws.<region>.<service>` in every partition for gateway services; China lists
/// `cn.com.amazonaws.<region>.s3` too."
fn is_service(endpoint: &Endpoint, service: &str, region: &str) -> bool {
    endpoint.service_name == format!("com.amazonaws.{region}.{service}")
        || endpoint.service_name == format!("cn.com.amazonaws.{region}.{service}")
}

fn available(endpoint: &Endpoint) -> bool {
    endpoint.state.to_lowercase() == "available"
}

fn lists(endpoint: &Endpoint, table: &RouteTable) -> bool {
    endpoint.route_table_ids.contains(&table.id)
}

// --- Verdict ----------------------------------------------------------------------------------------------------------

/// Of a table that is not covered. Where several endpoints decide the gap, the lowest id is named.
fn gap<'a>(case: &'a Case, table: &RouteTable, service: &str) -> (&'static str, Option<&'a Endpoint>) {
    let endpoints = gateway_endpoints(case, table, service);

    // "an available Gateway endpoint for the service lists the table, but the table has no active route to it"
    if let Some(it) = lowest(endpoints.iter().filter(|it| available(it) && lists(it, table))) {
        return ("route_inactive", Some(it));
    }
    // "a Gateway endpoint for the service lists the table, but its state is not `available`"
    if let Some(it) = lowest(endpoints.iter().filter(|it| !available(it) && lists(it, table))) {
        return ("endpoint_not_available", Some(it));
    }
    // "an available Gateway endpoint for the service is in the VPC, but does not list the table"
    if let Some(it) = lowest(endpoints.iter().filter(|it| available(it) && !lists(it, table))) {
        return ("not_associated", Some(it));
    }
    // "none of these"
    ("no_endpoint", None)
}

fn lowest<'a: 'b, 'b>(endpoints: impl Iterator<Item = &'b &'a Endpoint>) -> Option<&'a Endpoint> {
    endpoints.copied().min_by(|a, b| a.id.cmp(&b.id))
}

/// "An Interface endpoint for the same service in the VPC does not cover a table, and is named in the finding." Of
/// several, one that is available; then the lowest id.
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
    lowest(endpoints.iter().filter(|it| available(it))).or_else(|| lowest(endpoints.iter()))
}

fn named(endpoint: &Endpoint) -> (String, String) {
    (endpoint.id.clone(), endpoint.state.to_lowercase())
}

/// The severity, and `egress`: "the default route that decided the severity". Of equals, the one for IPv4.
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

    // "else the worst that applies"
    let to_nat = defaults.iter().find(|route| route.target.kind == TargetKind::NatGateway);
    let to_internet = defaults.iter().find(|route| route.target.kind == TargetKind::InternetGateway);
    let to_other = defaults
        .iter()
        .find(|route| !matches!(route.target.kind, TargetKind::NatGateway | TargetKind::InternetGateway));
    let (severity, route) = if to_nat.is_some() {
        // "the table's default route (IPv4 or IPv6) goes to a NAT gateway"
        ("HIGH", to_nat)
    } else if to_other.is_some() {
        // "any other egress (transit gateway, peering, …)"
        ("MEDIUM", to_other)
    } else if to_internet.is_some() {
        // "the default route goes to an internet gateway"
        ("LOW", to_internet)
    } else {
        // "or no egress at all"
        ("MEDIUM", None)
    };
    // "A table that no subnet uses is `LOW` whatever its routes"
    let severity = if subnets_of(case, table).is_empty() { "LOW" } else { severity };
    let egress = match route {
        Some(route) => (kind_name(route.target.kind).to_owned(), route.target.id.clone()),
        None => ("none".to_owned(), None),
    };
    (severity, egress)
}

/// "`egress.kind` is one of …"
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
        TargetKind::Local => panic!("the VPC itself is no way out of it"),
        TargetKind::None => "none",
    }
}

// --- Exemption --------------------------------------------------------------------------------------------------------

/// Whether a tag exempts what carries it, for a service on a day.
fn exempts(tag: Option<&String>, service: &str, today: Day) -> bool {
    let Some(Some((services, until))) = tag.map(|value| read_exemption(value)) else {
        return false;
    };
    // "`until=YYYY-MM-DD`, the last day on which it holds"
    let holds = match until {
        Some(last) => today <= last,
        None => true,
    };
    holds && (services.is_empty() || services.iter().any(|named| named == service))
}

/// The services, none for every service, and the last day. `None` for "a value that cannot be read".
fn read_exemption(value: &str) -> Option<(Vec<String>, Option<Day>)> {
    // "service names, separated by spaces, commas or slashes;"
    let mut words: Vec<&str> = value.split([' ', ',', '/']).filter(|word| !word.is_empty()).collect();

    // "and optionally `until=YYYY-MM-DD`"
    let mut until = None;
    if let Some(at) = words.iter().position(|word| word.starts_with("until=")) {
        until = Some(read_day(&words.remove(at)["until=".len()..])?);
    }
    // "Its value: empty, `*` or `true` for every service;"
    if words.is_empty() || words == ["*"] || words == ["true"] {
        return Some((Vec::new(), until));
    }
    // "else service names": "`s3`, `dynamodb`, and `s3express`". A second `until=` is none of them.
    for word in &words {
        if !["s3", "dynamodb", "s3express"].contains(word) {
            return None;
        }
    }
    Some((words.into_iter().map(str::to_owned).collect(), until))
}

/// "YYYY-MM-DD", and a day that the calendar has.
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

/// Digits alone: no sign, no space.
fn number(digits: &str) -> Option<i16> {
    if digits.chars().all(|digit| digit.is_ascii_digit()) { digits.parse().ok() } else { None }
}
