//! The checks, one folder each, and what they share: findings, severities, exemptions, fixes and
//! cautions.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

pub mod caution;
pub mod central_names;
pub mod check;
pub mod dns_bypass;
pub mod endpoint_access;
pub mod endpoint_context;
pub mod endpoint_dns;
pub mod endpoint_policy;
pub mod endpoint_private_dns;
pub mod endpoint_problem;
pub mod endpoint_state;
#[cfg(test)]
pub(crate) mod endpoint_testing;
pub mod endpoint_zones;
pub mod exemption;
pub mod finding;
pub mod fix;
pub mod gateway_endpoint;
pub mod list;
pub mod needed_facts;
pub mod policy;
pub mod private_api;
pub mod required_endpoints;
pub mod severity;
pub mod subject;
pub mod subnet_ref;
#[cfg(test)]
pub(crate) mod testing;
