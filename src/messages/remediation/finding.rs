//! How to fix a finding of any check.

use super::{endpoint, missing_route, rendered::RenderedFix};
use crate::{
    checks::{
        endpoint_problem::EndpointFix,
        finding::{Finding, Problem},
        fix::{Fix, RouteFix},
    },
    network::service::GatewayService,
};

/// Renders the fix. `None` if an id does not have the format of AWS ids, because such text must not become a command; and
/// if a person has to decide: see [`needs_a_person`].
pub(in crate::messages) fn render(finding: &Finding) -> Option<RenderedFix> {
    match &finding.problem {
        Problem::MissingRoute(missing) => missing_route::render(finding, missing),
        Problem::Endpoint(defect) => endpoint::render(finding, defect),
    }
}

/// Only the commands, for findings with the same [`FixKey`]. `None` in the same cases as [`render`].
pub(in crate::messages) fn commands(findings: &[&Finding]) -> Option<Vec<String>> {
    let first = findings.first()?;
    match &first.problem {
        Problem::MissingRoute(missing) => {
            let tables: Vec<&str> = findings.iter().map(|finding| finding.subject.id.as_str()).collect();
            missing_route::commands(first, missing, &tables)
        }
        Problem::Endpoint(defect) => {
            let fixes = findings.iter().filter_map(|finding| Some(&finding.endpoint_defect()?.fix));
            endpoint::commands(first, defect, fixes)
        }
    }
}

/// What findings have in common if the same commands fix them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::messages) enum FixKey<'a> {
    /// The same change of the same gateway endpoint, for route tables.
    Route(GatewayService, &'a Fix),
    /// The same attribute of the VPC.
    Vpc(&'a EndpointFix),
    /// Rules of this security group for this port. The commands have the blocks of all findings.
    SecurityGroup(&'a str, u16),
}

/// What the finding can share with other findings, so that a message has the commands once. Separate commands would create
/// one endpoint per route table, delete the same endpoint twice, or add the same rule twice, which EC2 refuses. `None` if
/// it has a fix of its own, or if its commands cannot be written.
pub(in crate::messages) fn fix_key(finding: &Finding) -> Option<FixKey<'_>> {
    let key = match &finding.problem {
        Problem::MissingRoute(missing) => match &missing.fix {
            fix @ (Fix::Create | Fix::AddTable(_) | Fix::Replace { .. }) => FixKey::Route(missing.service, fix),
            Fix::ReattachTable(_) | Fix::Wait(_) => return None,
        },
        Problem::Endpoint(defect) => match &defect.fix {
            fix @ (EndpointFix::EnableVpcDnsSupport { .. } | EndpointFix::EnableVpcDnsHostNames { .. }) => {
                FixKey::Vpc(fix)
            }
            EndpointFix::AuthorizeIngress { group_id, port, .. } => FixKey::SecurityGroup(group_id, *port),
            _ => return None,
        },
    };
    commands(&[finding]).is_some().then_some(key)
}

/// Whether the commands only describe the subject, because there is nothing to change yet.
pub(in crate::messages) fn is_wait(finding: &Finding) -> bool {
    match &finding.problem {
        Problem::MissingRoute(missing) => matches!(missing.fix, Fix::Wait(_)),
        Problem::Endpoint(defect) => match &defect.fix {
            EndpointFix::RestrictPrivateDns { routes, .. } => routes.iter().any(RouteFix::is_wait),
            fix => matches!(fix, EndpointFix::AwaitAcceptance { .. } | EndpointFix::Inspect { .. }),
        },
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
