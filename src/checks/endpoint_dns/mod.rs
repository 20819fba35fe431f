//! Interface endpoints whose private DNS names do not work, because a DNS attribute of the VPC is off.

pub mod rule;
