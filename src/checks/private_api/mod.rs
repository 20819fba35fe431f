//! Private REST APIs that name an endpoint that is gone, or that every VPC may call.

pub mod access;
pub mod rule;
