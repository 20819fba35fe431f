//! Reads the network from EC2.

pub mod bucket;
pub mod complete_response;
mod consistency;
mod convert;
pub mod known_vpcs;
mod list;
pub mod reader;
