//! The subject of a finding: the one resource that has the problem.

use crate::network::{model::RouteTable, name::named};

/// The resource that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// What kind of resource it is.
    pub kind: SubjectKind,
    /// Its id, such as `rtb-…` or `vpce-…`.
    pub id: String,
    /// The value of its `Name` tag, or the name of a REST API. Untrusted text.
    pub name: Option<String>,
}

/// The kind of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectKind {
    /// A route table.
    RouteTable,
    /// A VPC endpoint.
    VpcEndpoint,
    /// A VPC.
    Vpc,
    /// A REST API of API Gateway.
    RestApi,
}

named!(SubjectKind {
    RouteTable => "route_table",
    VpcEndpoint => "vpc_endpoint",
    Vpc => "vpc",
    RestApi => "rest_api",
});

impl From<&RouteTable> for Subject {
    fn from(table: &RouteTable) -> Self {
        Self { kind: SubjectKind::RouteTable, id: table.id.clone(), name: table.name.as_deref().map(str::to_owned) }
    }
}
