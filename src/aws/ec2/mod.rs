//! Reads the network from EC2.

pub mod bucket;
mod consistency;
mod convert;
pub mod known_services;
pub mod known_vpcs;
pub mod list;
pub mod reader;
