//! Interface endpoints whose security groups keep subnets out.

mod ingress;
pub mod rule;
