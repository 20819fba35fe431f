//! Values in the alert history that a newer version of gatewatch may have written.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

use crate::network::name::Named;

/// A value in the alert history: one that this version knows, or one that only a newer version knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded<T> {
    /// This version knows the value.
    Known(T),
    /// A newer version recorded a value with this name.
    Unknown(String),
}

impl<T: Named> Recorded<T> {
    /// The name in messages and stored rows.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Known(value) => value.name(),
            Self::Unknown(name) => name,
        }
    }
}
