//! The binary itself, driven over the Lambda Runtime API: real SDK clients and real requests.
#![cfg(feature = "aws")]
// All of this is test code, helpers included; clippy knows only functions under `#[test]` as such.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod canned_answers;
mod endpoints;
mod history;
mod hub;
mod large_region;
mod local_cloud;
mod optional_services;
mod region_parts;
#[path = "../support/schemas.rs"]
mod schemas;
mod support;
mod warm_up;
