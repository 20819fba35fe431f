//! Where the two once disagreed, shrunk and named.

use gatewatch::network::{
    account::AccountRegion,
    model::{Association, Network, RouteTable, Subnet, Vpc},
};

use crate::{
    answer::{self, Answer},
    naive,
    networks::{Case, OURS, THEIRS},
};

const VPC: &str = "vpc-00000000000000001";
const TABLE: &str = "rtb-00000000000000001";
const SUBNET: &str = "subnet-00000000000000001";

/// A VPC with a subnet.
fn case() -> Case {
    let subnet = Subnet {
        id: SUBNET.to_owned(),
        vpc_id: VPC.to_owned(),
        name: None,
        availability_zone: None,
        cidr: None,
        owner_id: Some(OURS.to_owned()),
        ipv6_native: false,
        exemption: None,
    };
    Case {
        network: Network {
            vpcs: vec![Vpc { id: VPC.to_owned(), name: None, exemption: None }],
            subnets: vec![subnet],
            ..Network::default()
        },
        account_region: AccountRegion {
            partition: "aws".to_owned(),
            account: Some(OURS.to_owned()),
            region: "eu-west-1".to_owned(),
        },
        services: vec!["s3"],
        today: (2026, 1, 1),
    }
}

fn table(association: Association) -> RouteTable {
    RouteTable {
        id: TABLE.to_owned(),
        vpc_id: VPC.to_owned(),
        name: None,
        owner_id: Some(OURS.to_owned()),
        exemption: None,
        associations: vec![association],
        routes: Vec::new(),
    }
}

/// What both say.
fn agreed(case: &Case) -> Answer {
    let answer = naive::judge(case);
    assert_eq!(answer::of_the_rule(case), answer);
    answer
}

/// An edge table is never checked, so its tag exempts nothing, readable or not.
#[test]
fn an_unreadable_tag_on_an_edge_table_is_not_reported() {
    let mut case = case();
    let mut edge =
        table(Association { gateway_id: Some("igw-00000000000000001".to_owned()), ..Association::default() });
    edge.exemption = Some("s4".to_owned());
    case.network.route_tables.push(edge);
    assert!(agreed(&case).unreadable.is_empty());
}

/// Nor is a shared subnet: there is no table to exempt.
#[test]
fn an_unreadable_tag_on_a_subnet_without_a_table_is_not_reported() {
    let mut case = case();
    case.network.subnets[0].owner_id = Some(THEIRS.to_owned());
    case.network.subnets[0].exemption = Some("s4".to_owned());
    assert!(agreed(&case).unreadable.is_empty());
}

/// The contract names the states of explicit associations only. While the main table moves, both carry the mark.
#[test]
fn a_main_association_that_has_ended_makes_no_main_table() {
    let mut case = case();
    let ended = Association { main: true, state: Some("disassociating".to_owned()), ..Association::default() };
    case.network.route_tables.push(table(ended));
    let reason = "route_table_not_visible".to_owned();
    assert!(agreed(&case).unassessed.contains(&(SUBNET.to_owned(), reason)));
}

/// `until=` is a word's beginning, once.
#[test]
fn a_doubled_until_cannot_be_read() {
    let mut case = case();
    let mut table = table(Association { main: true, ..Association::default() });
    table.exemption = Some("until=until=2028-02-29".to_owned());
    case.network.route_tables.push(table);
    assert_eq!(agreed(&case).unreadable.len(), 1);
}
