//! The severity of a finding.

use crate::network::name::named;

/// The severity of a finding, in ascending order. Each check decides how severe its findings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The traffic reaches the service through an internet gateway at no extra cost, or no subnet uses the route table.
    Low,
    /// The traffic takes another path, or the service cannot be reached.
    Medium,
    /// The traffic goes through a NAT gateway, which charges for every byte.
    High,
}

named!(Severity { Low => "LOW", Medium => "MEDIUM", High => "HIGH" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_ordered_and_parsed_by_name() {
        assert!(Severity::High > Severity::Medium && Severity::Medium > Severity::Low);
        for severity in Severity::ALL {
            assert_eq!(Severity::from_name(severity.name()), Some(severity));
        }
        assert_eq!(Severity::from_name("high"), None);
    }
}
