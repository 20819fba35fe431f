//! How severe a finding is.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

use crate::network::name::named;

/// How severe a finding is, least severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The traffic takes a way that works and costs nothing extra, or nothing uses the route table.
    Low,
    /// The traffic takes another way, or the service is out of reach.
    Medium,
    /// The traffic is charged for every byte.
    High,
}

named!(Severity { Low => "LOW", Medium => "MEDIUM", High => "HIGH" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_ordered_and_found_by_name() {
        assert!(Severity::High > Severity::Medium && Severity::Medium > Severity::Low);
        for severity in Severity::ALL {
            assert_eq!(Severity::from_name(severity.name()), Some(severity));
        }
        assert_eq!(Severity::from_name("high"), None);
    }
}
