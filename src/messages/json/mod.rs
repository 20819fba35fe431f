//! The JSON formats: notification, answer and error. The files in `schemas/` are generated from these types.

pub mod answer;
pub mod coverage;
pub mod enrollment;
pub mod error;
pub mod evidence;
pub mod finding;
pub mod name;
pub mod notification;
pub(super) mod render;
#[cfg(test)]
mod schemas;
pub mod size;
mod split;
