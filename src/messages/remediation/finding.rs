//! How to fix a finding of any check.

use super::{endpoint, missing_route, rendered::RenderedFix};
use crate::checks::{
    endpoint_problem::EndpointFix,
    finding::{Finding, Problem},
    fix::Fix,
};

/// Renders the fix. `None` if an id does not have the format of AWS ids, because such text must not become a command; and
/// if a person has to decide: see [`needs_a_person`].
pub(in crate::messages) fn render(finding: &Finding) -> Option<RenderedFix> {
    match &finding.problem {
        Problem::MissingRoute(missing) => missing_route::render(finding, missing),
        Problem::Endpoint(defect) => endpoint::render(finding, defect),
    }
}

/// Only the commands, for one or more subjects that need the same fix as this finding. `None` in the same cases as
/// [`render`].
pub(in crate::messages) fn commands(finding: &Finding, subjects: &[&str]) -> Option<Vec<String>> {
    match &finding.problem {
        Problem::MissingRoute(missing) => missing_route::commands(finding, missing, subjects),
        // Endpoints share no fix.
        Problem::Endpoint(defect) => Some(endpoint::render(finding, defect)?.commands),
    }
}

/// Whether the commands only describe the subject, because there is nothing to change yet.
pub(in crate::messages) fn is_wait(finding: &Finding) -> bool {
    match &finding.problem {
        Problem::MissingRoute(missing) => matches!(missing.fix, Fix::Wait(_)),
        Problem::Endpoint(defect) => {
            matches!(defect.fix, EndpointFix::AwaitAcceptance { .. } | EndpointFix::Inspect { .. })
        }
    }
}

/// Whether no command fixes it, because a person has to decide what a policy allows.
pub(in crate::messages) fn needs_a_person(finding: &Finding) -> bool {
    match &finding.problem {
        Problem::MissingRoute(_) => false,
        Problem::Endpoint(defect) => {
            matches!(defect.fix, EndpointFix::ReviewPolicy { .. } | EndpointFix::ReviewApiPolicy { .. })
        }
    }
}
