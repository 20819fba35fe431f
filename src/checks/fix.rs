//! What fixes a finding, as data. [`crate::messages`] renders it as commands and templates.
//!
//! A gateway endpoint takes more route tables through `ModifyVpcEndpoint`. So where an endpoint exists, the table is added
//! to it; a new endpoint is created only where there is none (quota: 20 gateway endpoints per Region,
//! <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-limits-endpoints.html>). EC2 adds and removes the routes itself
//! when a table is added to an endpoint or removed from it
//! (<https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html#gateway-endpoint-routing>).
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use crate::network::model;

/// What fixes a finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fix {
    /// Add the table to an available endpoint.
    AddTable(Endpoint),
    /// The table has no route to an available endpoint that lists it: remove the table from the endpoint and add it again.
    ReattachTable(Endpoint),
    /// The state of the endpoint is about to change: wait and look again.
    Wait(Endpoint),
    /// Create an endpoint for the table.
    Create,
    /// The endpoint that lists the table has failed for good: delete it. Then add the table to an available endpoint, or
    /// create one where there is none.
    Replace {
        /// The endpoint to delete.
        failed: Endpoint,
        /// The endpoint that takes the table.
        available: Option<Endpoint>,
    },
}

/// A gateway endpoint, as far as a fix names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// `vpce-…`
    pub id: String,
    /// Its state, in lower case.
    pub state: String,
    /// The route tables that it lists.
    pub route_table_ids: Vec<String>,
}

impl From<&model::Endpoint> for Endpoint {
    fn from(endpoint: &model::Endpoint) -> Self {
        Self {
            id: endpoint.id.clone(),
            state: endpoint.state.to_ascii_lowercase(),
            route_table_ids: endpoint.route_table_ids.clone(),
        }
    }
}
