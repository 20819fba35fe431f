//! Does something central serve the private names of a service in a VPC?
//!
//! A hub VPC often has the endpoints of many VPCs, and shares their names through hosted zones, Route 53 Profiles or
//! Resolver rules (<https://docs.aws.amazon.com/whitepapers/latest/building-scalable-secure-multi-vpc-network-infrastructure/centralized-access-to-vpc-private-endpoints.html>).
//!
//! | given in the VPC | then the names are |
//! |---|---|
//! | a hosted zone with one of the names, also through a profile | served |
//! | an endpoint for the service in a profile | served |
//! | else a hosted zone with a parent of a name, such as `amazonaws.com` | in doubt: `may_be_served_centrally` |
//! | else a hosted zone or an endpoint in a profile, of which no more is known | in doubt: `may_be_served_centrally` |
//! | else a rule that forwards a name or a parent of it | in doubt: `may_be_served_centrally` |
//! | else a read that AWS denied | in doubt: `read_denied` |
//! | else a read that nobody made | in doubt: `fact_missing` |
//! | none of these | not served |

use std::collections::BTreeSet;

use crate::{
    checks::endpoint_problem::UnassessedReason,
    network::endpoint_facts::{CentralNames, OptionalRead, ProfileResource},
};

/// Whether something central serves the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// It does.
    Served,
    /// Nothing does.
    NotServed,
    /// Nobody can say, because of these zones, resources or domains.
    InDoubt(UnassessedReason, BTreeSet<String>),
}

/// Whether something central serves one of these private names of the service.
pub(super) fn service_of(central: Option<&CentralNames>, names: &BTreeSet<String>, service_name: &str) -> Service {
    let Some(central) = central else { return Service::InDoubt(UnassessedReason::FactMissing, BTreeSet::new()) };
    let names: Vec<String> = names.iter().map(|name| normal(name)).collect();
    let mut search = Search::default();
    match &central.hosted_zones {
        OptionalRead::Read(zones) => {
            for zone in zones {
                search.zone(zone, zone, &names);
            }
        }
        other => search.not_read(other),
    }
    match &central.profile_resources {
        OptionalRead::Read(resources) => {
            for resource in resources {
                search.profile_resource(resource, &names, service_name);
            }
        }
        other => search.not_read(other),
    }
    match &central.forwarded_domains {
        OptionalRead::Read(domains) => {
            for domain in domains {
                search.rule(domain, &names);
            }
        }
        other => search.not_read(other),
    }
    search.result()
}

/// What the search has found so far.
#[derive(Debug, Default)]
struct Search {
    is_served: bool,
    /// What may serve a name.
    may_serve: BTreeSet<String>,
    is_denied: bool,
    is_incomplete: bool,
}

impl Search {
    fn zone(&mut self, id: &str, zone: &str, names: &[String]) {
        let zone = normal(zone);
        if names.contains(&zone) {
            self.is_served = true;
        } else if names.iter().any(|name| is_in(name, &zone)) {
            self.may_serve.insert(id.to_owned());
        }
    }

    fn profile_resource(&mut self, resource: &ProfileResource, names: &[String], service_name: &str) {
        match resource {
            ProfileResource::HostedZone { arn, name: Some(name) } => self.zone(arn, name, names),
            ProfileResource::Endpoint { service_name: Some(name), .. } => self.is_served |= name == service_name,
            ProfileResource::HostedZone { arn: id, name: None }
            | ProfileResource::Endpoint { id, service_name: None } => {
                self.may_serve.insert(id.clone());
            }
            ProfileResource::Other { .. } => {}
        }
    }

    fn rule(&mut self, domain: &str, names: &[String]) {
        if names.iter().any(|name| is_in(name, &normal(domain))) {
            self.may_serve.insert(domain.to_owned());
        }
    }

    fn not_read<T>(&mut self, read: &OptionalRead<T>) {
        match read {
            OptionalRead::Denied => self.is_denied = true,
            _ => self.is_incomplete = true,
        }
    }

    fn result(self) -> Service {
        if self.is_served {
            Service::Served
        } else if !self.may_serve.is_empty() {
            Service::InDoubt(UnassessedReason::MayBeServedCentrally, self.may_serve)
        } else if self.is_denied {
            Service::InDoubt(UnassessedReason::ReadDenied, BTreeSet::new())
        } else if self.is_incomplete {
            Service::InDoubt(UnassessedReason::FactMissing, BTreeSet::new())
        } else {
            Service::NotServed
        }
    }
}

/// The name in lower case, without the dot at its end and without `*.` at its start. Route 53 writes `*` as `\052`
/// (<https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html>).
fn normal(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace("\\052", "*");
    let name = name.strip_suffix('.').unwrap_or(&name);
    name.strip_prefix("*.").unwrap_or(name).to_owned()
}

/// Whether the domain is the name or a parent of it. The root, an empty text, is a parent of every name.
fn is_in(name: &str, domain: &str) -> bool {
    domain.is_empty() || name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn read<T>(value: T) -> OptionalRead<T> {
        OptionalRead::Read(value)
    }

    /// Everything was read, and nothing was found.
    fn nothing() -> CentralNames {
        CentralNames {
            hosted_zones: read(BTreeSet::new()),
            profile_resources: read(BTreeSet::new()),
            forwarded_domains: read(BTreeSet::new()),
        }
    }

    fn of(central: &CentralNames) -> Service {
        let names = set(&["ssm.eu-west-1.amazonaws.com", "*.ssm.eu-west-1.api.aws"]);
        service_of(Some(central), &names, "com.amazonaws.eu-west-1.ssm")
    }

    fn may_be(ids: &[&str]) -> Service {
        Service::InDoubt(UnassessedReason::MayBeServedCentrally, set(ids))
    }

    #[test]
    fn a_hosted_zone_serves_its_name_and_may_serve_names_below() {
        for (zone, expected) in [
            ("ssm.eu-west-1.amazonaws.com.", Service::Served),
            ("SSM.eu-west-1.amazonaws.com", Service::Served),
            ("ssm.eu-west-1.api.aws.", Service::Served),
            ("\\052.ssm.eu-west-1.api.aws.", Service::Served),
            ("amazonaws.com.", may_be(&["amazonaws.com."])),
            (".", may_be(&["."])),
            ("ssm.eu-west-2.amazonaws.com.", Service::NotServed),
            ("m.eu-west-1.amazonaws.com.", Service::NotServed),
            ("a.ssm.eu-west-1.amazonaws.com.", Service::NotServed),
            ("corp.example.", Service::NotServed),
        ] {
            assert_eq!(of(&CentralNames { hosted_zones: read(set(&[zone])), ..nothing() }), expected, "{zone}");
        }
    }

    #[test]
    fn a_profile_may_have_zones_and_endpoints() {
        let zone = |name: Option<&str>| ProfileResource::HostedZone {
            arn: "arn:aws:route53:::hostedzone/Z1".into(),
            name: name.map(str::to_owned),
        };
        let endpoint = |name: Option<&str>| ProfileResource::Endpoint {
            id: "vpce-0000000f".into(),
            service_name: name.map(str::to_owned),
        };
        for (resource, expected) in [
            (zone(Some("ssm.eu-west-1.amazonaws.com.")), Service::Served),
            (zone(Some("corp.example.")), Service::NotServed),
            (zone(None), may_be(&["arn:aws:route53:::hostedzone/Z1"])),
            (endpoint(Some("com.amazonaws.eu-west-1.ssm")), Service::Served),
            (endpoint(Some("com.amazonaws.eu-west-1.kms")), Service::NotServed),
            (endpoint(None), may_be(&["vpce-0000000f"])),
            (ProfileResource::Other { arn: "arn:aws:route53resolver:::x".into() }, Service::NotServed),
        ] {
            let central = CentralNames { profile_resources: read([resource.clone()].into()), ..nothing() };
            assert_eq!(of(&central), expected, "{resource:?}");
        }
    }

    #[test]
    fn a_rule_may_forward_a_name() {
        for (domain, expected) in [
            ("amazonaws.com.", may_be(&["amazonaws.com."])),
            ("ssm.eu-west-1.amazonaws.com", may_be(&["ssm.eu-west-1.amazonaws.com"])),
            (".", may_be(&["."])),
            ("corp.example", Service::NotServed),
        ] {
            assert_eq!(
                of(&CentralNames { forwarded_domains: read(set(&[domain])), ..nothing() }),
                expected,
                "{domain}"
            );
        }
    }

    #[test]
    fn what_nobody_could_read_is_in_doubt_unless_something_else_serves_the_name() {
        let in_doubt = |reason| Service::InDoubt(reason, BTreeSet::new());
        let denied = || CentralNames { profile_resources: OptionalRead::Denied, ..nothing() };
        assert_eq!(of(&nothing()), Service::NotServed);
        assert_eq!(of(&denied()), in_doubt(UnassessedReason::ReadDenied));
        assert_eq!(of(&CentralNames::default()), in_doubt(UnassessedReason::FactMissing));
        assert_eq!(service_of(None, &set(&["a"]), "b"), in_doubt(UnassessedReason::FactMissing));
        let both = CentralNames { forwarded_domains: OptionalRead::NotRead, ..denied() };
        assert_eq!(of(&both), in_doubt(UnassessedReason::ReadDenied));
        let served = CentralNames { hosted_zones: read(set(&["ssm.eu-west-1.amazonaws.com."])), ..both };
        assert_eq!(of(&served), Service::Served);
        assert_eq!(of(&CentralNames { forwarded_domains: read(set(&["."])), ..denied() }), may_be(&["."]));
    }
}
