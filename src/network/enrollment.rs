//! Whether gatewatch can read an account and Region of an organization.

use super::name::named;

/// Why an account and Region cannot be read. It counts neither as in order nor as a failure: nobody has enrolled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotEnrolled {
    /// STS does not let the function assume the member role: the account does not have it, or it trusts somebody else.
    AccessDenied,
    /// The Region is not enabled in the account.
    RegionDisabled,
}

named!(NotEnrolled { AccessDenied => "access_denied", RegionDisabled => "region_disabled" });
