//! JSON: the notification for programs, the answer and the error. The files in `schemas/` are generated from these types.

pub mod answer;
pub mod error;
pub mod finding;
pub mod name;
pub mod notification;
pub(super) mod render;
#[cfg(test)]
mod schemas;
mod split;
