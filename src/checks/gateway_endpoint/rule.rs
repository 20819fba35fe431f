//! The rule: finds the route tables in scope that have no gateway route to a required service.
//!
//! The rule checks each route table for each required service. It considers only the endpoints of the table's VPC that
//! have type Gateway and exactly the name of this service in this Region. The first row that holds decides:
//!
//! | given such an endpoint | then |
//! |---|---|
//! | that is available, lists the table, and is the target of an active route of the table | covered |
//! | that is available and lists the table | `route_inactive` |
//! | that lists the table and is not available | `endpoint_not_available` |
//! | that is available | `not_associated` |
//! | none of these | `no_endpoint` |
//!
//! Type and service come from the endpoint's own record, because a route to a `vpce-…` can also lead to a firewall. An
//! endpoint without tables, an Interface endpoint and an endpoint of another VPC cover nothing.
//!
//! | given a table that is not covered | then |
//! |---|---|
//! | the VPC, the table or all its subnets are exempt for the service | exempt |
//! | only some of its subnets are exempt | a finding without these subnets |
//!
//! | given a covered table with a subnet that has no IPv4 and is not exempt | then |
//! |---|---|
//! | every endpoint that covers the table is known to carry no IPv6 | the subnet is not assessed |

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;

use crate::{
    checks::{
        exemption::{self, Exempt, UnreadableExemption},
        finding::{Finding, Gap, MissingRoute, Problem, SubnetRef, finding_id},
        fix::{Fix, RouteFix},
        gateway_endpoint::{
            cautions::{Access, cautions},
            egress::severity_of,
        },
        subject::Subject,
    },
    network::{
        account::AccountRegion,
        model::{Endpoint, EndpointKind, Network, RouteTable, Subnet, TargetKind, Vpc},
        not_assessed::NotAssessed,
        service::GatewayService,
    },
};

/// The result for the tables in scope. A table is covered for a service if it is neither in `findings` nor in `exempt`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The tables without a gateway route that no tag exempts, sorted by VPC id, table id and service.
    pub findings: Vec<Finding>,
    /// The tables without a gateway route that a tag exempts, in the same order.
    pub exempt: Vec<Exempt>,
    /// The IPv6-only subnets behind endpoints that carry no IPv6.
    pub not_assessed: BTreeSet<NotAssessed>,
    /// The exemption tags that cannot be parsed, on the tables in scope, their VPCs and their subnets.
    pub unreadable_exemptions: BTreeSet<UnreadableExemption>,
}

/// Checks these tables for the required services. `today` (UTC) decides which exemptions still apply. Ids that are not
/// in the network are ignored.
#[must_use]
pub fn evaluate(
    network: &Network,
    table_ids: &BTreeSet<String>,
    required: &BTreeSet<GatewayService>,
    account_region: &AccountRegion,
    today: Date,
) -> Verdict {
    let effective = network.effective_tables();
    let mut subnets_of: HashMap<&str, Vec<&Subnet>> = HashMap::new();
    for subnet in network.subnets.iter().filter(|subnet| !account_region.is_foreign(subnet.owner_id.as_deref())) {
        if let Some(table) = effective.of(subnet) {
            subnets_of.entry(&table.id).or_default().push(subnet);
        }
    }
    let vpcs: HashMap<&str, &Vpc> = network.vpcs.iter().map(|vpc| (vpc.id.as_str(), vpc)).collect();
    let mut endpoints_of: HashMap<&str, Vec<&Endpoint>> = HashMap::new();
    for endpoint in &network.endpoints {
        endpoints_of.entry(&endpoint.vpc_id).or_default().push(endpoint);
    }
    let mut verdict = Verdict::default();
    for table in network.route_tables.iter().filter(|table| table_ids.contains(&table.id)) {
        let vpc = vpcs.get(table.vpc_id.as_str()).copied();
        let in_vpc = endpoints_of.get(table.vpc_id.as_str()).map_or(&[][..], Vec::as_slice);
        let subnets = subnets_of.get(table.id.as_str()).map_or(&[][..], Vec::as_slice);
        let tags = (vpc.iter().map(|vpc| (&vpc.id, &vpc.exemption)))
            .chain([(&table.id, &table.exemption)])
            .chain(subnets.iter().map(|subnet| (&subnet.id, &subnet.exemption)));
        verdict.unreadable_exemptions.extend(tags.filter_map(|(id, tag)| exemption::unreadable(id, tag.as_deref())));

        for &service in required {
            let is_exempt = |subnet: &Subnet| exemption::is_subnet_exempt(subnet, service, today);
            let endpoints = ServiceEndpoints::of(in_vpc, service, &account_region.region);
            let Some(gap) = endpoints.gap(table) else {
                if endpoints.covering(table).all(Endpoint::excludes_ipv6) {
                    let ipv6_only = subnets.iter().filter(|subnet| subnet.ipv6_native && !is_exempt(subnet));
                    verdict.not_assessed.extend(ipv6_only.map(|subnet| NotAssessed::ipv6_only(subnet)));
                }
                continue;
            };
            let exempted_by = exemption::exempted_by(vpc, table, subnets, service, today);
            if exempted_by.is_empty() {
                let affected: Vec<&Subnet> = subnets.iter().copied().filter(|subnet| !is_exempt(subnet)).collect();
                let interface = endpoints.preferred_interface();
                let exemption = exemption::in_force(table.exemption.as_deref(), today);
                let finding = finding(table, &affected, service, &gap, interface, account_region);
                verdict.findings.push(Finding { exemption, ..finding });
            } else {
                let (vpc_id, route_table_id) = (table.vpc_id.to_string(), table.id.clone());
                verdict.exempt.push(Exempt { service, vpc_id, route_table_id, exempted_by });
            }
        }
    }
    verdict.findings.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    verdict
        .exempt
        .sort_by(|a, b| (&a.vpc_id, &a.route_table_id, a.service).cmp(&(&b.vpc_id, &b.route_table_id, b.service)));
    verdict
}

/// How to give these tables their gateway route for the service, without those that have it. `in_vpc` has the endpoints of
/// their VPC. Tables with the same fix are together.
pub(in crate::checks) fn route_fixes<'a>(
    in_vpc: &[&Endpoint],
    service: GatewayService,
    region: &str,
    tables: impl Iterator<Item = &'a RouteTable>,
) -> Vec<RouteFix> {
    let endpoints = ServiceEndpoints::of(in_vpc, service, region);
    let tables: BTreeMap<&str, &RouteTable> = tables.map(|table| (table.id.as_str(), table)).collect();
    let mut fixes: Vec<RouteFix> = Vec::new();
    for table in tables.into_values() {
        let Some(GapResult { fix, .. }) = endpoints.gap(table) else { continue };
        match fixes.iter_mut().find(|other| other.fix == fix) {
            Some(same) => same.route_table_ids.push(table.id.clone()),
            None => fixes.push(RouteFix { fix, route_table_ids: vec![table.id.clone()] }),
        }
    }
    fixes
}

/// The endpoints of one VPC for one service, sorted by id.
struct ServiceEndpoints<'a> {
    gateway: Vec<&'a Endpoint>,
    interface: Vec<&'a Endpoint>,
}

/// Why a table is not covered, and how to fix it.
struct GapResult<'a> {
    gap: Gap,
    /// The gateway endpoint that decided the gap.
    endpoint: Option<&'a Endpoint>,
    fix: Fix,
    /// Whether the table has a route to a gateway endpoint for the service that is not active. EC2 drops what it matches.
    is_dropped: bool,
}

impl<'a> ServiceEndpoints<'a> {
    fn of(in_vpc: &[&'a Endpoint], service: GatewayService, region: &str) -> Self {
        let is_named = |endpoint: &&Endpoint| service.is_named(&endpoint.service_name, region);
        let mut all: Vec<&Endpoint> = in_vpc.iter().copied().filter(is_named).collect();
        all.sort_by_key(|endpoint| &endpoint.id);
        let of_kind = |kind| all.iter().copied().filter(|endpoint| endpoint.kind == kind).collect();
        Self { gateway: of_kind(EndpointKind::Gateway), interface: of_kind(EndpointKind::Interface) }
    }

    /// The available endpoints that list the table and are the target of an active route of the table.
    fn covering(&self, table: &RouteTable) -> impl Iterator<Item = &'a Endpoint> {
        (self.gateway.iter().copied())
            .filter(|endpoint| endpoint.is_available() && endpoint.lists(table) && has_route_to(table, endpoint, true))
    }

    /// Why the table is not covered. `None` if it is covered.
    fn gap(&self, table: &RouteTable) -> Option<GapResult<'a>> {
        if self.covering(table).next().is_some() {
            return None;
        }
        let listing = || self.gateway.iter().copied().filter(|endpoint| endpoint.lists(table));
        let available = |endpoint: &&Endpoint| endpoint.is_available();
        let in_vpc = self.gateway.iter().copied().find(available);
        let (gap, endpoint, fix) = if let Some(endpoint) = listing().find(available) {
            (Gap::RouteInactive, Some(endpoint), Fix::ReattachTable(endpoint.into()))
        } else if let Some(endpoint) = listing().next() {
            (Gap::EndpointNotAvailable, Some(endpoint), fix_for_state(endpoint, in_vpc))
        } else if let Some(endpoint) = in_vpc {
            (Gap::NotAssociated, Some(endpoint), Fix::AddTable(endpoint.into()))
        } else {
            (Gap::NoEndpoint, None, Fix::Create)
        };
        let is_dropped = self.gateway.iter().any(|endpoint| has_route_to(table, endpoint, false));
        Some(GapResult { gap, endpoint, fix, is_dropped })
    }

    /// The interface endpoint that a finding names: an available one if there is one.
    fn preferred_interface(&self) -> Option<&'a Endpoint> {
        self.interface.iter().copied().min_by_key(|endpoint| !endpoint.is_available())
    }
}

/// Whether the table has a route to the endpoint that is active, or one that is not.
fn has_route_to(table: &RouteTable, endpoint: &Endpoint, active: bool) -> bool {
    table.routes.iter().any(|route| {
        route.active == active
            && route.target.kind == TargetKind::VpcEndpoint
            && route.target.id.as_deref() == Some(endpoint.id.as_str())
    })
}

/// The fix for a table whose endpoint is not available. Some states are temporary, some mean that the endpoint is being
/// deleted, and some mean that it will never work
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html>).
fn fix_for_state(endpoint: &Endpoint, available: Option<&Endpoint>) -> Fix {
    match endpoint.state.as_str().to_ascii_lowercase().as_str() {
        "deleting" | "deleted" => available.map_or(Fix::Create, |endpoint| Fix::AddTable(endpoint.into())),
        "failed" | "rejected" | "expired" => {
            Fix::Replace { failed: endpoint.into(), available: available.map(Into::into) }
        }
        _ => Fix::Wait(endpoint.into()),
    }
}

fn finding(
    table: &RouteTable,
    subnets: &[&Subnet],
    service: GatewayService,
    gap: &GapResult<'_>,
    interface: Option<&Endpoint>,
    account_region: &AccountRegion,
) -> Finding {
    let account =
        account_region.account.clone().or_else(|| table.owner_id.as_deref().map(str::to_owned)).unwrap_or_default();
    let in_use = !subnets.is_empty();
    let (severity, egress) = severity_of(table, in_use);
    let access = Access::of(egress.kind, in_use, gap.is_dropped);
    let mut affected: Vec<SubnetRef> = subnets.iter().copied().map(SubnetRef::from).collect();
    affected.sort_by(|a, b| a.id.cmp(&b.id));
    Finding {
        id: finding_id(account_region, &account, &table.id, service),
        subject: Subject::from(table),
        severity,
        account,
        region: account_region.region.clone(),
        vpc_id: table.vpc_id.to_string(),
        subnets: affected,
        exemption: None,
        problem: Problem::MissingRoute(MissingRoute {
            service,
            gap: gap.gap,
            is_main_table: table.is_main(),
            cautions: cautions(&gap.fix, service, egress.kind, access),
            egress,
            endpoint: gap.endpoint.map(Into::into),
            interface_endpoint: interface.map(Into::into),
            fix: gap.fix.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::{caution::Caution, finding::EndpointRef, fix, severity::Severity, subject::SubjectKind},
        network::{
            model::{Association, Route, Target},
            testing::{
                REGION, account_region, explicit, gateway_endpoint, main_table, route, route_to, subnet, table,
                table_of, vpc,
            },
        },
    };

    const VPC: &str = "vpc-0000000a";
    const S3_ENDPOINT: &str = "vpce-0000000a";
    const TODAY: Date = jiff::civil::date(2026, 11, 23);

    /// The findings for S3 on every table of the network.
    fn findings(network: &Network) -> Vec<Finding> {
        let tables = network.route_tables.iter().map(|table| table.id.clone()).collect();
        evaluate(network, &tables, &BTreeSet::from([GatewayService::S3]), &account_region(), TODAY).findings
    }

    /// The missing route that the finding is about.
    fn missing_route(finding: &Finding) -> MissingRoute {
        finding.missing_route().unwrap().clone()
    }

    /// The findings for S3, as table id, gap and endpoint id.
    fn gaps(network: &Network) -> Vec<(String, Gap, Option<String>)> {
        findings(network)
            .into_iter()
            .map(|f| {
                let missing = missing_route(&f);
                (f.subject.id, missing.gap, missing.endpoint.map(|endpoint| endpoint.id))
            })
            .collect()
    }

    /// The gap and the endpoint of the table `rtb-0000000a` in a VPC with these endpoints. The table has a route to
    /// each endpoint whose id is in `routes_to`.
    fn gap(endpoints: Vec<Endpoint>, routes_to: &[&str]) -> Option<(Gap, Option<String>)> {
        let mut table = main_table("rtb-0000000a", VPC);
        table.routes.extend(endpoints.iter().filter(|e| routes_to.contains(&e.id.as_str())).map(route_to));
        let network = Network { vpcs: vec![vpc(VPC)], subnets: Vec::new(), route_tables: vec![table], endpoints };
        gaps(&network).pop().map(|(_, gap, endpoint)| (gap, endpoint))
    }

    /// An available gateway endpoint for S3 that lists these tables.
    fn s3(id: &str, tables: &[&str]) -> Endpoint {
        gateway_endpoint(id, VPC, GatewayService::S3, tables)
    }

    // Given an available endpoint that lists the table, and an active route to it: covered.

    #[test]
    fn a_listed_table_with_an_active_route_is_covered() {
        assert_eq!(gap(vec![s3(S3_ENDPOINT, &["rtb-0000000a"])], &[S3_ENDPOINT]), None);
    }

    #[test]
    fn the_state_available_is_compared_without_case() {
        for state in ["available", "Available", "AVAILABLE"] {
            let endpoint = Endpoint { state: state.into(), ..s3(S3_ENDPOINT, &["rtb-0000000a"]) };
            assert_eq!(gap(vec![endpoint], &[S3_ENDPOINT]), None, "{state}");
        }
    }

    #[test]
    fn each_of_several_endpoints_covers_its_own_tables() {
        let (a, b) = (subnet("subnet-0000000a", VPC), subnet("subnet-0000000b", VPC));
        let endpoints = vec![s3("vpce-0000000a", &["rtb-0000000a"]), s3("vpce-0000000b", &["rtb-0000000b"])];
        let mut tables = vec![table_of("rtb-0000000a", &a), table_of("rtb-0000000b", &b)];
        for (table, endpoint) in tables.iter_mut().zip(&endpoints) {
            table.routes.push(route_to(endpoint));
        }
        let mut network = Network { vpcs: vec![vpc(VPC)], subnets: vec![a, b], route_tables: tables, endpoints };
        assert_eq!(gaps(&network), []);

        network.route_tables.push(table("rtb-0000000c", VPC));
        assert_eq!(gaps(&network), [("rtb-0000000c".into(), Gap::NotAssociated, Some("vpce-0000000a".into()))]);
    }

    // Given an available endpoint that lists the table, but no active route to it: route_inactive.

    #[test]
    fn a_listed_table_without_a_route_is_not_covered() {
        assert_eq!(
            gap(vec![s3(S3_ENDPOINT, &["rtb-0000000a"])], &[]),
            Some((Gap::RouteInactive, Some(S3_ENDPOINT.into())))
        );
    }

    #[test]
    fn a_blackhole_route_does_not_cover_a_table() {
        let endpoint = s3(S3_ENDPOINT, &["rtb-0000000a"]);
        let mut table = main_table("rtb-0000000a", VPC);
        table.routes.push(Route { active: false, ..route_to(&endpoint) });
        let network =
            Network { vpcs: vec![vpc(VPC)], subnets: Vec::new(), route_tables: vec![table], endpoints: vec![endpoint] };
        assert_eq!(gaps(&network), [("rtb-0000000a".into(), Gap::RouteInactive, Some(S3_ENDPOINT.into()))]);
    }

    #[test]
    fn a_route_to_another_endpoint_does_not_cover_a_table() {
        let dynamodb = gateway_endpoint("vpce-0000000d", VPC, GatewayService::DynamoDb, &["rtb-0000000a"]);
        assert_eq!(
            gap(vec![s3(S3_ENDPOINT, &["rtb-0000000a"]), dynamodb], &["vpce-0000000d"]),
            Some((Gap::RouteInactive, Some(S3_ENDPOINT.into())))
        );
    }

    #[test]
    fn route_inactive_precedes_endpoint_not_available() {
        let pending = Endpoint { state: "pending".into(), ..s3("vpce-00000001", &["rtb-0000000a"]) };
        assert_eq!(
            gap(vec![pending, s3(S3_ENDPOINT, &["rtb-0000000a"])], &["vpce-00000001"]),
            Some((Gap::RouteInactive, Some(S3_ENDPOINT.into())))
        );
    }

    // Given an endpoint that lists the table and is not available: endpoint_not_available.

    #[test]
    fn an_endpoint_that_is_not_available_does_not_cover_a_table() {
        for state in
            ["pending", "pendingAcceptance", "deleting", "deleted", "rejected", "failed", "expired", "partial", ""]
        {
            let endpoint = Endpoint { state: state.into(), ..s3(S3_ENDPOINT, &["rtb-0000000a"]) };
            assert_eq!(
                gap(vec![endpoint], &[S3_ENDPOINT]),
                Some((Gap::EndpointNotAvailable, Some(S3_ENDPOINT.into()))),
                "{state}"
            );
        }
    }

    #[test]
    fn endpoint_not_available_precedes_not_associated() {
        let failed = Endpoint { state: "failed".into(), ..s3("vpce-0000000b", &["rtb-0000000a"]) };
        assert_eq!(
            gap(vec![s3(S3_ENDPOINT, &[]), failed], &["vpce-0000000b"]),
            Some((Gap::EndpointNotAvailable, Some("vpce-0000000b".into())))
        );
    }

    #[test]
    fn the_fix_depends_on_the_state_of_the_endpoint() {
        let fix = |state: &str, other: Option<Endpoint>| {
            let endpoint = Endpoint { state: state.into(), ..s3("vpce-0000000b", &["rtb-0000000a"]) };
            let network = Network {
                vpcs: vec![vpc(VPC)],
                subnets: Vec::new(),
                route_tables: vec![main_table("rtb-0000000a", VPC)],
                endpoints: std::iter::once(endpoint).chain(other).collect(),
            };
            missing_route(&findings(&network).pop().unwrap()).fix
        };
        let other = || s3(S3_ENDPOINT, &[]);
        let listing = |state: &str| fix::Endpoint {
            id: "vpce-0000000b".into(),
            state: state.to_ascii_lowercase(),
            route_table_ids: vec!["rtb-0000000a".into()],
        };
        let available = fix::Endpoint::from(&other());
        for state in ["deleting", "Deleted"] {
            assert_eq!(fix(state, None), Fix::Create, "{state}");
            assert_eq!(fix(state, Some(other())), Fix::AddTable(available.clone()), "{state}");
        }
        for state in ["Failed", "rejected", "expired"] {
            let replace = |available| Fix::Replace { failed: listing(state), available };
            assert_eq!(fix(state, None), replace(None), "{state}");
            assert_eq!(fix(state, Some(other())), replace(Some(available.clone())), "{state}");
        }
        for state in ["pending", "pendingAcceptance", "partial"] {
            assert_eq!(fix(state, None), Fix::Wait(listing(state)), "{state}");
        }
    }

    // Given an available endpoint in the VPC that does not list the table: not_associated.

    #[test]
    fn an_endpoint_without_tables_covers_nothing() {
        assert_eq!(gap(vec![s3(S3_ENDPOINT, &[])], &[]), Some((Gap::NotAssociated, Some(S3_ENDPOINT.into()))));
    }

    #[test]
    fn a_route_does_not_cover_a_table_that_the_endpoint_does_not_list() {
        assert_eq!(
            gap(vec![s3(S3_ENDPOINT, &["rtb-0000000f"])], &[S3_ENDPOINT]),
            Some((Gap::NotAssociated, Some(S3_ENDPOINT.into())))
        );
    }

    // Given none of these: no_endpoint.

    #[test]
    fn a_vpc_without_an_endpoint_has_the_gap_no_endpoint() {
        assert_eq!(gap(Vec::new(), &[]), Some((Gap::NoEndpoint, None)));
    }

    #[test]
    fn an_endpoint_of_another_service_region_or_vpc_covers_nothing() {
        let listing = s3(S3_ENDPOINT, &["rtb-0000000a"]);
        for endpoint in [
            Endpoint { service_name: "com.amazonaws.eu-west-1.dynamodb".into(), ..listing.clone() },
            Endpoint { service_name: "com.amazonaws.eu-west-1.s3express".into(), ..listing.clone() },
            Endpoint { service_name: "com.amazonaws.eu-west-2.s3".into(), ..listing.clone() },
            Endpoint { vpc_id: "vpc-0000000b".into(), ..listing },
        ] {
            assert_eq!(gap(vec![endpoint.clone()], &[S3_ENDPOINT]), Some((Gap::NoEndpoint, None)), "{endpoint:?}");
        }
    }

    #[test]
    fn an_endpoint_that_is_not_available_and_does_not_list_the_table_is_ignored() {
        let pending = Endpoint { state: "pending".into(), ..s3(S3_ENDPOINT, &[]) };
        assert_eq!(gap(vec![pending], &[]), Some((Gap::NoEndpoint, None)));
    }

    #[test]
    fn an_interface_endpoint_covers_nothing_and_is_in_the_finding() {
        let interface = |id: &str, state: &str| Endpoint {
            kind: EndpointKind::Interface,
            state: state.into(),
            ..s3(id, &["rtb-0000000a"])
        };
        let mut table = main_table("rtb-0000000a", VPC);
        let endpoints = vec![interface("vpce-00000001", "pending"), interface("vpce-00000002", "Available")];
        table.routes.extend(endpoints.iter().map(route_to));
        let network = Network { vpcs: vec![vpc(VPC)], subnets: Vec::new(), route_tables: vec![table], endpoints };
        let [finding] = findings(&network).try_into().unwrap();
        let missing = missing_route(&finding);
        assert_eq!(
            (missing.gap, missing.endpoint, missing.interface_endpoint),
            (Gap::NoEndpoint, None, Some(EndpointRef { id: "vpce-00000002".into(), state: "available".into() }))
        );
    }

    #[test]
    fn a_default_route_to_a_firewall_endpoint_does_not_cover_a_table() {
        let firewall = Endpoint {
            kind: EndpointKind::Other,
            service_name: "com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d".into(),
            ..s3("vpce-0000000f", &[])
        };
        let subnet = subnet("subnet-0000000a", VPC);
        let mut table = table_of("rtb-0000000a", &subnet);
        table.routes.push(route("0.0.0.0/0", TargetKind::VpcEndpoint, "vpce-0000000f"));
        let network = Network {
            vpcs: vec![vpc(VPC)],
            subnets: vec![subnet],
            route_tables: vec![table],
            endpoints: vec![firewall],
        };
        let [finding] = findings(&network).try_into().unwrap();
        let missing = missing_route(&finding);
        assert_eq!(
            (missing.gap, finding.severity, missing.egress),
            (
                Gap::NoEndpoint,
                Severity::Medium,
                Target { kind: TargetKind::VpcEndpoint, id: Some("vpce-0000000f".into()) }
            )
        );
    }

    // The subnets that a finding affects.

    /// The ids of the affected subnets of each table.
    fn affected(network: &Network) -> Vec<(String, Vec<String>)> {
        findings(network)
            .into_iter()
            .map(|f| (f.subject.id, f.subnets.into_iter().map(|subnet| subnet.id).collect()))
            .collect()
    }

    #[test]
    fn a_subnet_uses_its_explicit_table_else_the_main_table() {
        let (a, b, c) =
            (subnet("subnet-0000000a", VPC), subnet("subnet-0000000b", VPC), subnet("subnet-0000000c", VPC));
        let network = Network {
            vpcs: vec![vpc(VPC)],
            route_tables: vec![main_table("rtb-0000000a", VPC), table_of("rtb-0000000b", &b)],
            subnets: vec![c, b, a],
            endpoints: Vec::new(),
        };
        assert_eq!(
            affected(&network),
            [
                ("rtb-0000000a".into(), vec!["subnet-0000000a".into(), "subnet-0000000c".into()]),
                ("rtb-0000000b".into(), vec!["subnet-0000000b".into()]),
            ]
        );
    }

    #[test]
    fn an_association_counts_only_while_it_is_associated_or_associating() {
        for (state, counts) in [
            ("associated", true),
            ("associating", true),
            ("disassociating", false),
            ("disassociated", false),
            ("failed", false),
        ] {
            let a = subnet("subnet-0000000a", VPC);
            let mut private = table("rtb-0000000b", VPC);
            private.associations.push(explicit(&a.id, state));
            let network = Network {
                vpcs: vec![vpc(VPC)],
                route_tables: vec![main_table("rtb-0000000a", VPC), private],
                subnets: vec![a],
                endpoints: Vec::new(),
            };
            let subnets = |uses: bool| if uses { vec!["subnet-0000000a".to_owned()] } else { Vec::new() };
            assert_eq!(
                affected(&network),
                [("rtb-0000000a".into(), subnets(!counts)), ("rtb-0000000b".into(), subnets(counts))],
                "{state}"
            );
        }
    }

    #[test]
    fn each_vpc_has_its_own_main_table() {
        let other = "vpc-0000000b";
        let network = Network {
            vpcs: vec![vpc(VPC), vpc(other)],
            route_tables: vec![main_table("rtb-0000000b", other), main_table("rtb-0000000a", VPC)],
            subnets: vec![subnet("subnet-0000000b", other), subnet("subnet-0000000a", VPC)],
            endpoints: Vec::new(),
        };
        assert_eq!(
            affected(&network),
            [
                ("rtb-0000000a".into(), vec!["subnet-0000000a".into()]),
                ("rtb-0000000b".into(), vec!["subnet-0000000b".into()]),
            ]
        );
    }

    #[test]
    fn a_subnet_of_another_account_is_not_affected_and_does_not_count_as_a_user() {
        let own = Subnet { owner_id: Some("123456789012".into()), ..subnet("subnet-0000000a", VPC) };
        let other = Subnet { owner_id: Some("210987654321".into()), ..subnet("subnet-0000000b", VPC) };
        let severity_and_affected = |subnets: Vec<Subnet>| {
            let mut table = main_table("rtb-0000000a", VPC);
            table.routes.push(route("0.0.0.0/0", TargetKind::NatGateway, "nat-0000000a"));
            let network = Network { vpcs: vec![vpc(VPC)], subnets, route_tables: vec![table], endpoints: Vec::new() };
            let [finding] = findings(&network).try_into().unwrap();
            (finding.severity, finding.subnets.into_iter().map(|subnet| subnet.id).collect::<Vec<_>>())
        };
        assert_eq!(severity_and_affected(vec![other.clone()]), (Severity::Low, vec![]));
        assert_eq!(severity_and_affected(vec![other, own]), (Severity::High, vec!["subnet-0000000a".into()]));
    }

    #[test]
    fn a_finding_says_whether_its_table_is_the_main_table() {
        for (table, is_main) in [(main_table("rtb-0000000a", VPC), true), (table("rtb-0000000a", VPC), false)] {
            let network = Network { vpcs: vec![vpc(VPC)], route_tables: vec![table], ..Network::default() };
            assert_eq!(missing_route(&findings(&network).pop().unwrap()).is_main_table, is_main);
        }
    }

    #[test]
    fn only_the_requested_tables_are_checked() {
        let network = Network {
            vpcs: vec![vpc(VPC)],
            route_tables: vec![main_table("rtb-0000000a", VPC), table("rtb-0000000b", VPC)],
            ..Network::default()
        };
        let requested = BTreeSet::from(["rtb-0000000b".to_owned(), "rtb-0000000f".to_owned()]);
        let required = BTreeSet::from([GatewayService::S3, GatewayService::DynamoDb]);
        let found: Vec<_> = evaluate(&network, &requested, &required, &account_region(), TODAY)
            .findings
            .into_iter()
            .map(|finding| {
                let service = missing_route(&finding).service;
                (finding.subject.id, service)
            })
            .collect();
        assert_eq!(
            found,
            [("rtb-0000000b".to_owned(), GatewayService::DynamoDb), ("rtb-0000000b".to_owned(), GatewayService::S3)]
        );
    }

    #[test]
    fn the_account_is_the_table_owner_if_the_arn_has_none() {
        let network = Network {
            vpcs: vec![vpc(VPC)],
            route_tables: vec![RouteTable { owner_id: Some("210987654321".into()), ..main_table("rtb-0000000a", VPC) }],
            ..Network::default()
        };
        let without_account = AccountRegion { account: None, ..account_region() };
        let tables = BTreeSet::from(["rtb-0000000a".to_owned()]);
        let account = |account_region: &AccountRegion| {
            evaluate(&network, &tables, &BTreeSet::from([GatewayService::S3]), account_region, TODAY)
                .findings
                .pop()
                .unwrap()
                .account
        };
        assert_eq!(account(&without_account), "210987654321");
        assert_eq!(account(&account_region()), "123456789012");
    }

    // Exemptions, and subnets that cannot be assessed.

    /// The verdict for S3 and DynamoDB on one table, with these exemption tags on its VPC, the table and its subnets.
    fn verdict_with_tags(vpc_tag: Option<&str>, table_tag: Option<&str>, subnet_tags: &[Option<&str>]) -> Verdict {
        let tag = |value: Option<&str>| value.map(str::to_owned);
        let subnets: Vec<Subnet> = (subnet_tags.iter().enumerate())
            .map(|(n, value)| Subnet { exemption: tag(*value), ..subnet(&format!("subnet-0000000{n}"), VPC) })
            .collect();
        let network = Network {
            vpcs: vec![Vpc { exemption: tag(vpc_tag), ..vpc(VPC) }],
            route_tables: vec![RouteTable { exemption: tag(table_tag), ..main_table("rtb-0000000a", VPC) }],
            subnets,
            endpoints: Vec::new(),
        };
        let (tables, both) =
            (["rtb-0000000a".to_owned()].into(), [GatewayService::S3, GatewayService::DynamoDb].into());
        evaluate(&network, &tables, &both, &account_region(), TODAY)
    }

    /// The findings as service and affected subnets, and the exempt tables as service and ids of the tagged resources.
    fn summary(verdict: &Verdict) -> [Vec<(&str, String)>; 2] {
        let subnets = |f: &Finding| f.subnets.iter().map(|s| s.id.as_str()).collect::<Vec<_>>().join(" ");
        [
            verdict.findings.iter().map(|f| (f.problem.service_name(), subnets(f))).collect(),
            verdict.exempt.iter().map(|e| (e.service.name(), e.exempted_by.join(" "))).collect(),
        ]
    }

    #[test]
    fn a_tag_exempts_a_table_for_the_services_it_names() {
        let both = |by: &str| vec![("dynamodb", by.to_owned()), ("s3", by.to_owned())];
        assert_eq!(summary(&verdict_with_tags(Some(""), None, &[None])), [vec![], both(VPC)]);
        assert_eq!(summary(&verdict_with_tags(None, Some("*"), &[None])), [vec![], both("rtb-0000000a")]);
        assert_eq!(
            summary(&verdict_with_tags(None, Some("s3"), &[None])),
            [vec![("dynamodb", "subnet-00000000".into())], vec![("s3", "rtb-0000000a".into())]]
        );
        assert_eq!(
            summary(&verdict_with_tags(None, None, &[Some("true"), Some("")])),
            [vec![], both("subnet-00000000 subnet-00000001")]
        );
        assert_eq!(
            summary(&verdict_with_tags(None, Some("until=2026-11-22"), &[])),
            [vec![("dynamodb", String::new()), ("s3", String::new())], vec![]]
        );
    }

    #[test]
    fn an_exempt_subnet_is_not_an_affected_subnet() {
        assert_eq!(
            summary(&verdict_with_tags(None, None, &[Some("s3"), None])),
            [vec![("dynamodb", "subnet-00000000 subnet-00000001".into()), ("s3", "subnet-00000001".into())], vec![]]
        );
    }

    #[test]
    fn a_covered_table_is_not_exempt() {
        let mut table = RouteTable { exemption: Some(String::new()), ..main_table("rtb-0000000a", VPC) };
        let endpoint = s3(S3_ENDPOINT, &["rtb-0000000a"]);
        table.routes.push(route_to(&endpoint));
        let network =
            Network { vpcs: vec![vpc(VPC)], subnets: Vec::new(), route_tables: vec![table], endpoints: vec![endpoint] };
        let tables = ["rtb-0000000a".to_owned()].into();
        assert_eq!(
            evaluate(&network, &tables, &[GatewayService::S3].into(), &account_region(), TODAY),
            Verdict::default()
        );
    }

    #[test]
    fn an_unreadable_tag_exempts_nothing_and_is_reported() {
        let verdict = verdict_with_tags(Some("yes"), Some("s3 sqs"), &[Some("soon"), Some("s3")]);
        assert_eq!(
            summary(&verdict),
            [vec![("dynamodb", "subnet-00000000 subnet-00000001".into()), ("s3", "subnet-00000000".into())], vec![]]
        );
        let unreadable: Vec<_> =
            verdict.unreadable_exemptions.iter().map(|tag| (tag.resource_id.as_str(), tag.value.as_str())).collect();
        assert_eq!(unreadable, [("rtb-0000000a", "s3 sqs"), ("subnet-00000000", "soon"), (VPC, "yes")]);
    }

    #[test]
    fn an_ipv6_only_subnet_is_not_assessed_if_its_endpoints_carry_no_ipv6() {
        let ipv6_subnet = Subnet { ipv6_native: true, ..subnet("subnet-0000000a", VPC) };
        // The number of findings, and the subnets that are not assessed.
        let result = |types: &[Option<&str>], tag: Option<&str>| {
            let endpoints: Vec<Endpoint> = (types.iter().enumerate())
                .map(|(n, ip_type)| Endpoint {
                    ip_address_type: ip_type.map(Into::into),
                    ..s3(&format!("vpce-0000000{n}"), &["rtb-0000000a"])
                })
                .collect();
            let mut table = main_table("rtb-0000000a", VPC);
            table.routes.extend(endpoints.iter().map(route_to));
            let tagged = Subnet { exemption: tag.map(str::to_owned), ..ipv6_subnet.clone() };
            let network = Network {
                vpcs: vec![vpc(VPC)],
                subnets: vec![tagged, subnet("subnet-0000000b", VPC)],
                route_tables: vec![table],
                endpoints,
            };
            let verdict = evaluate(
                &network,
                &["rtb-0000000a".to_owned()].into(),
                &[GatewayService::S3].into(),
                &account_region(),
                TODAY,
            );
            (verdict.findings.len(), verdict.not_assessed)
        };
        let not_assessed = BTreeSet::from([NotAssessed::ipv6_only(&ipv6_subnet)]);
        assert_eq!(result(&[Some("ipv4")], None), (0, not_assessed.clone()));
        assert_eq!(result(&[Some("ipv4"), Some("ipv4")], None), (0, not_assessed));
        for types in [&[Some("dualstack")][..], &[Some("ipv6")], &[None], &[Some("ipv4"), Some("dualstack")]] {
            assert_eq!(result(types, None), (0, BTreeSet::new()), "{types:?}");
        }
        assert_eq!(result(&[Some("ipv4")], Some("s3")), (0, BTreeSet::new()), "exempt");
        assert_eq!(result(&[], None), (1, BTreeSet::new()), "not covered: the subnet is in a finding");
    }

    /// All fields of a finding (docs/contract.md, section 5).
    #[test]
    fn a_finding_has_all_fields_of_the_contract() {
        let a = Subnet {
            name: Some("app-a".into()),
            availability_zone: Some("eu-west-1a".into()),
            cidr: Some("10.0.1.0/24".into()),
            ..subnet("subnet-0a1b2c3d", VPC)
        };
        let mut private = RouteTable { name: Some("private-a".into()), ..table_of("rtb-0a1b2c3d", &a) };
        private.associations.push(Association::default());
        private.routes.push(route("0.0.0.0/0", TargetKind::NatGateway, "nat-0a1b2c3d"));
        let network = Network {
            vpcs: vec![vpc(VPC)],
            subnets: vec![a],
            route_tables: vec![private],
            endpoints: vec![s3(S3_ENDPOINT, &[])],
        };
        assert_eq!(
            findings(&network),
            [Finding {
                id: finding_id(&account_region(), "123456789012", "rtb-0a1b2c3d", GatewayService::S3),
                subject: Subject {
                    kind: SubjectKind::RouteTable,
                    id: "rtb-0a1b2c3d".into(),
                    name: Some("private-a".into()),
                },
                severity: Severity::High,
                account: "123456789012".into(),
                region: REGION.into(),
                vpc_id: VPC.into(),
                subnets: vec![SubnetRef {
                    id: "subnet-0a1b2c3d".into(),
                    name: Some("app-a".into()),
                    availability_zone: Some("eu-west-1a".into()),
                    cidr: Some("10.0.1.0/24".into()),
                }],
                exemption: None,
                problem: Problem::MissingRoute(MissingRoute {
                    service: GatewayService::S3,
                    gap: Gap::NotAssociated,
                    is_main_table: false,
                    egress: Target { kind: TargetKind::NatGateway, id: Some("nat-0a1b2c3d".into()) },
                    endpoint: Some(EndpointRef { id: S3_ENDPOINT.into(), state: "available".into() }),
                    interface_endpoint: None,
                    fix: Fix::AddTable(fix::Endpoint::from(&s3(S3_ENDPOINT, &[]))),
                    cautions: [Caution::ConnectionsClose, Caution::SourceIpConditions, Caution::OtherRegions].into(),
                }),
            }]
        );
    }

    /// The rows are in `cautions`; here is what the rule hands to them.
    #[test]
    fn the_cautions_depend_on_the_subnets_and_on_routes_that_drop_the_traffic() {
        let cautions = |route_to_endpoint: Option<bool>, in_use: bool| {
            let (used, unused) = (subnet("subnet-0000000a", VPC), subnet("subnet-0000000a", "vpc-0000000b"));
            let mut table = main_table("rtb-0000000a", VPC);
            table.routes.push(route("0.0.0.0/0", TargetKind::NatGateway, "nat-0000000a"));
            let endpoint = s3(S3_ENDPOINT, if route_to_endpoint == Some(true) { &[] } else { &["rtb-0000000a"] });
            table.routes.extend(route_to_endpoint.map(|active| Route { active, ..route_to(&endpoint) }));
            let network = Network {
                vpcs: vec![vpc(VPC)],
                subnets: vec![if in_use { used } else { unused }],
                route_tables: vec![table],
                endpoints: vec![endpoint],
            };
            missing_route(&findings(&network).pop().unwrap()).cautions
        };
        let (addresses, regions) = (Caution::SourceIpConditions, Caution::OtherRegions);
        assert_eq!(cautions(None, true), [Caution::ConnectionsCloseTwice, addresses, regions].into());
        assert_eq!(cautions(None, false), [].into());
        assert_eq!(cautions(Some(true), true), [Caution::ConnectionsClose, addresses, regions].into());
        let dropped = [Caution::TrafficFilters, regions, Caution::DnsSupport];
        assert_eq!(cautions(Some(false), true), dropped.into());
    }
}
