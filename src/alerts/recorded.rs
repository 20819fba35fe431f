//! Values in the alert history that a newer version of gatewatch may have written, for example before a rollback.

use crate::network::name::Named;

/// A value in the alert history. This version may not know it, because a newer version wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded<T> {
    /// This version knows the value.
    Known(T),
    /// Only a newer version knows the value. It has this name.
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
