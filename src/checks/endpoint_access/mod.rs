//! Interface endpoints whose security groups keep subnets out.

mod ingress;
mod ports;
pub mod rule;
