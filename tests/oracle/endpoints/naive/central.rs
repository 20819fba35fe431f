//! Whether something central serves the private names of a service: a hosted zone, a profile or a rule of the VPC. It
//! compares names label by label.

use std::collections::BTreeSet;

use gatewatch::network::endpoint_facts::{OptionalRead, ProfileResource};

use super::Case;

/// What is known about the private names of a service in a VPC.
pub(super) enum Served {
    Yes,
    No,
    /// Nobody can say: the reason, and what may serve a name.
    InDoubt(&'static str, BTreeSet<String>),
}

/// Whether something central serves a name of the service in the VPC.
pub(super) fn served(case: &Case, vpc_id: &str, service_name: &str, names: &BTreeSet<String>) -> Served {
    let Some(central) = case.facts.central_names.get(vpc_id) else {
        return Served::InDoubt("fact_missing", BTreeSet::new());
    };
    let (mut is_served, mut may_serve) = (false, BTreeSet::new());
    let mut not_read = BTreeSet::new();
    let is_name = |zone: &String| names.iter().any(|name| labels(name) == labels(zone));
    let may_hold_one = |zone: &String| names.iter().any(|name| may_hold(name, zone));
    match &central.hosted_zones {
        OptionalRead::Read(zones) => {
            is_served |= zones.iter().any(is_name);
            may_serve.extend(zones.iter().filter(|zone| may_hold_one(zone)).cloned());
        }
        OptionalRead::Denied => drop(not_read.insert("read_denied")),
        OptionalRead::NotRead => drop(not_read.insert("fact_missing")),
    }
    match &central.profile_resources {
        OptionalRead::Read(resources) => {
            for resource in resources {
                match resource {
                    ProfileResource::Endpoint { service_name: Some(name), .. } => is_served |= name == service_name,
                    ProfileResource::HostedZone { arn, name: Some(zone) } => {
                        is_served |= is_name(zone);
                        may_serve.extend(may_hold_one(zone).then(|| arn.clone()));
                    }
                    ProfileResource::HostedZone { arn: id, .. } | ProfileResource::Endpoint { id, .. } => {
                        may_serve.insert(id.clone());
                    }
                    ProfileResource::Other { .. } => {}
                }
            }
        }
        OptionalRead::Denied => drop(not_read.insert("read_denied")),
        OptionalRead::NotRead => drop(not_read.insert("fact_missing")),
    }
    match &central.forwarded_domains {
        OptionalRead::Read(domains) => may_serve.extend(domains.iter().filter(|domain| may_hold_one(domain)).cloned()),
        OptionalRead::Denied => drop(not_read.insert("read_denied")),
        OptionalRead::NotRead => drop(not_read.insert("fact_missing")),
    }
    if is_served {
        Served::Yes
    } else if !may_serve.is_empty() {
        Served::InDoubt("may_be_served_centrally", may_serve)
    } else if let Some(reason) = not_read.into_iter().next_back() {
        // "read_denied" sorts behind "fact_missing", and is the stronger reason.
        Served::InDoubt(reason, BTreeSet::new())
    } else {
        Served::No
    }
}

/// The labels of a DNS name from the top, without a leading `*`, which Route 53 writes as `\052`.
fn labels(name: &str) -> Vec<String> {
    let mut labels: Vec<String> = name.to_lowercase().split('.').map(str::to_owned).collect();
    labels.retain(|label| !label.is_empty() && label != "*" && label != "\\052");
    labels.reverse();
    labels
}

/// Whether a zone or a rule with this domain can hold the name: it is the name or a parent of it, or it is below a name that
/// stands for all names below it.
fn may_hold(name: &str, domain: &str) -> bool {
    let (of_name, of_domain) = (labels(name), labels(domain));
    of_name.starts_with(&of_domain) || (name.starts_with("*.") && of_domain.starts_with(&of_name))
}
