//! Generates the REST APIs of a Region, and what is known about the endpoints that they name.

use std::collections::BTreeSet;

use gatewatch::network::{
    endpoint_facts::{RestApi, RestApis},
    model::Network,
};
use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::BoxedStrategy,
    prop_oneof,
    sample::select,
    strategy::{Just, Strategy},
};

use super::policies;

/// An API names the endpoints of the network by position. These are none of them.
const ELSEWHERE: [&str; 3] = ["vpce-0000de1e", "vpce-0000beef", "vpce-00005ee5"];

/// The APIs, and the positions of endpoints that are deleted or that nobody sees. `None` if the APIs were not read.
pub type Draft = Option<(Vec<RestApi>, BTreeSet<usize>, BTreeSet<usize>)>;

pub fn draft() -> BoxedStrategy<Draft> {
    option::weighted(0.95, (vec(api(), 0..=3), btree_set(0..11_usize, 0..=3), btree_set(0..11_usize, 0..=3))).boxed()
}

fn api() -> impl Strategy<Value = RestApi> {
    let types = prop_oneof![
        8 => Just(vec!["PRIVATE"]),
        1 => Just(vec!["private"]),
        2 => select(vec![vec!["REGIONAL"], vec!["EDGE"], vec!["REGIONAL", "PRIVATE"], vec![]]),
    ];
    let endpoints = vec((0..11_usize).prop_map(|position| position.to_string()), 0..=2);
    let tag = select(vec![
        "",
        "private-api",
        "private-api until=2026-01-01",
        "endpoint-policy",
        "s3",
        "Private-Api",
        "* private-api",
    ]);
    (types, endpoints, policies::of_api(), option::weighted(0.2, tag)).prop_map(|(types, ids, policy, tag)| RestApi {
        endpoint_types: types.into_iter().map(str::to_owned).collect(),
        vpc_endpoint_ids: ids,
        policy,
        exemption: tag.map(str::to_owned),
        ..RestApi::default()
    })
}

/// The APIs with ids instead of positions.
pub fn build(draft: Draft, network: &Network) -> Option<RestApis> {
    let (mut apis, deleted, unseen) = draft?;
    let of_network: Vec<String> = network.endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
    let all: Vec<String> = of_network.into_iter().chain(ELSEWHERE.map(str::to_owned)).collect();
    let at = |position: usize| all[position % all.len()].clone();
    for (number, api) in apis.iter_mut().enumerate() {
        // The order of ids differs from the order of the list.
        api.id = format!("a1b2c3d4e{}", 9 - number);
        for id in &mut api.vpc_endpoint_ids {
            *id = at(id.parse().unwrap());
        }
    }
    let unseen: BTreeSet<String> = unseen.into_iter().map(at).collect();
    Some(RestApis {
        apis,
        endpoint_ids: all.iter().filter(|id| !unseen.contains(*id)).cloned().collect(),
        deleted_endpoint_ids: deleted.into_iter().map(at).collect(),
    })
}
