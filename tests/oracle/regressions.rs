//! Networks on which the rule and [`naive`] once disagreed, reduced to the cause.

use gatewatch::network::{
    account::AccountRegion,
    model::{Association, Network, RouteTable, Subnet, Vpc},
};

use crate::{
    answer::{self, Answer},
    naive,
    networks::{Case, OTHER_ACCOUNT, OWN_ACCOUNT},
};

const VPC: &str = "vpc-00000000000000001";
const TABLE: &str = "rtb-00000000000000001";
const SUBNET: &str = "subnet-00000000000000001";

/// A VPC with one subnet and no route table.
fn case() -> Case {
    let subnet =
        Subnet { id: SUBNET.to_owned(), vpc_id: VPC.into(), owner_id: Some(OWN_ACCOUNT.into()), ..Subnet::default() };
    Case {
        network: Network {
            vpcs: vec![Vpc { id: VPC.to_owned(), ..Vpc::default() }],
            subnets: vec![subnet],
            ..Network::default()
        },
        account_region: AccountRegion {
            partition: "aws".to_owned(),
            account: Some(OWN_ACCOUNT.to_owned()),
            region: "eu-west-1".to_owned(),
        },
        services: vec!["s3"],
        today: (2026, 1, 1),
    }
}

fn table(association: Association) -> RouteTable {
    RouteTable {
        id: TABLE.to_owned(),
        vpc_id: VPC.into(),
        name: None,
        owner_id: Some(OWN_ACCOUNT.into()),
        exemption: None,
        associations: vec![association],
        routes: Vec::new(),
    }
}

/// The answer, after a check that the rule and [`naive`] agree on it.
fn agreed_answer(case: &Case) -> Answer {
    let answer = naive::evaluate(case);
    assert_eq!(answer::of_the_rule(case), answer);
    answer
}

/// gatewatch never checks an edge table, so its tag has no effect, readable or not.
#[test]
fn an_unreadable_tag_on_an_edge_table_is_not_reported() {
    let mut case = case();
    let mut edge = table(Association { gateway_id: Some("igw-00000000000000001".into()), ..Association::default() });
    edge.exemption = Some("s4".to_owned());
    case.network.route_tables.push(edge);
    assert!(agreed_answer(&case).unreadable.is_empty());
}

/// The subnet is shared and no route table is visible, so there is no table that its tag could exempt.
#[test]
fn an_unreadable_tag_on_a_shared_subnet_is_not_reported() {
    let mut case = case();
    case.network.subnets[0].owner_id = Some(OTHER_ACCOUNT.into());
    case.network.subnets[0].exemption = Some("s4".to_owned());
    assert!(agreed_answer(&case).unreadable.is_empty());
}

/// While a VPC changes its main table, EC2 marks both tables as main. Only the state of the association tells which one
/// counts.
#[test]
fn a_main_association_that_has_ended_does_not_count() {
    let mut case = case();
    let ended = Association { main: true, state: Some("disassociating".into()), ..Association::default() };
    case.network.route_tables.push(table(ended));
    let reason = "route_table_not_visible".to_owned();
    assert!(agreed_answer(&case).unassessed.contains(&(SUBNET.to_owned(), reason)));
}

/// The text after the first `until=` must be a day.
#[test]
fn a_tag_with_a_repeated_until_is_unreadable() {
    let mut case = case();
    let mut table = table(Association { main: true, ..Association::default() });
    table.exemption = Some("until=until=2028-02-29".to_owned());
    case.network.route_tables.push(table);
    assert_eq!(agreed_answer(&case).unreadable.len(), 1);
}
