//! Interface endpoints that are missing in a zone of their VPC.

pub mod rule;
