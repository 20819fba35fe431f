//! How to fix a finding, as data. [`crate::messages`] renders it as commands and templates.
//!
//! `ModifyVpcEndpoint` adds route tables to an existing gateway endpoint. So if an endpoint exists, the fix adds the
//! table to it. The fix creates an endpoint only if there is none (quota: 20 gateway endpoints per Region,
//! <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-limits-endpoints.html>). EC2 adds the routes when a table is
//! added to an endpoint, and removes them when the table is removed
//! (<https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html#gateway-endpoint-routing>).

use crate::network::model;

/// How to fix a finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fix {
    /// Add the table to an available endpoint.
    AddTable(Endpoint),
    /// An available endpoint lists the table, but the table has no active route to it. Remove the table from the
    /// endpoint and add it again.
    ReattachTable(Endpoint),
    /// The endpoint is in a state that can still change, such as `pending`. Wait and check again.
    Wait(Endpoint),
    /// Create an endpoint with the table.
    Create,
    /// The endpoint that lists the table will never work: it is failed, rejected or expired. Delete it. Then add the
    /// table to an available endpoint, or create one if there is none.
    Replace {
        /// The endpoint to delete.
        failed: Endpoint,
        /// The available endpoint to add the table to. `None`: create one.
        available: Option<Endpoint>,
    },
}

/// The same fix for several tables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RouteFix {
    /// The fix.
    pub fix: Fix,
    /// The ids of the tables, sorted. Never empty.
    pub route_table_ids: Vec<String>,
}

impl RouteFix {
    /// Whether there is nothing to do but to wait until an endpoint is available.
    #[must_use]
    pub fn is_wait(&self) -> bool {
        matches!(self.fix, Fix::Wait(_))
    }
}

/// The gateway endpoint that a fix names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// `vpce-…`
    pub id: String,
    /// Its state, in lower case.
    pub state: String,
    /// The ids of the route tables that it lists.
    pub route_table_ids: Vec<String>,
}

impl From<&model::Endpoint> for Endpoint {
    fn from(endpoint: &model::Endpoint) -> Self {
        Self {
            id: endpoint.id.clone(),
            state: endpoint.state.as_str().to_ascii_lowercase(),
            route_table_ids: endpoint.route_table_ids.iter().map(|id| id.as_str().to_owned()).collect(),
        }
    }
}
