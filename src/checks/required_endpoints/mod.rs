//! Services that a VPC cannot reach privately although the settings require it.

pub mod rule;
