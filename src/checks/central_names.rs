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
//! | else a hosted zone below a name that began with `*.`, such as `*.execute-api.eu-west-1.amazonaws.com` | in doubt: `may_be_served_centrally` |
//! | else a hosted zone or an endpoint in a profile, of which no more is known | in doubt: `may_be_served_centrally` |
//! | else a rule that forwards a name, a parent of it, or something below a name that began with `*.` | in doubt: `may_be_served_centrally` |
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
pub(super) enum Serving {
    /// It does.
    Served,
    /// Nothing does.
    NotServed,
    /// Nobody can say, because of these zones, resources or domains.
    InDoubt(UnassessedReason, BTreeSet<String>),
}

/// Whether something central serves one of these private names of the service.
pub(super) fn serving(central: Option<&CentralNames>, names: &BTreeSet<String>, service_name: &str) -> Serving {
    let Some(central) = central else { return Serving::InDoubt(UnassessedReason::FactMissing, BTreeSet::new()) };
    let names: Vec<PrivateName> = names.iter().map(|name| PrivateName::new(name)).collect();
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
    fn zone(&mut self, id: &str, zone: &str, names: &[PrivateName]) {
        let zone = normal(zone);
        if names.iter().any(|name| name.text == zone) {
            self.is_served = true;
        } else if names.iter().any(|name| name.may_be_in(&zone)) {
            self.may_serve.insert(id.to_owned());
        }
    }

    fn profile_resource(&mut self, resource: &ProfileResource, names: &[PrivateName], service_name: &str) {
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

    fn rule(&mut self, domain: &str, names: &[PrivateName]) {
        let domain_name = normal(domain);
        if names.iter().any(|name| name.may_be_in(&domain_name)) {
            self.may_serve.insert(domain.to_owned());
        }
    }

    fn not_read<T>(&mut self, read: &OptionalRead<T>) {
        match read {
            OptionalRead::Denied => self.is_denied = true,
            _ => self.is_incomplete = true,
        }
    }

    fn result(self) -> Serving {
        if self.is_served {
            Serving::Served
        } else if !self.may_serve.is_empty() {
            Serving::InDoubt(UnassessedReason::MayBeServedCentrally, self.may_serve)
        } else if self.is_denied {
            Serving::InDoubt(UnassessedReason::ReadDenied, BTreeSet::new())
        } else if self.is_incomplete {
            Serving::InDoubt(UnassessedReason::FactMissing, BTreeSet::new())
        } else {
            Serving::NotServed
        }
    }
}

/// A private name of the service.
#[derive(Debug)]
struct PrivateName {
    /// The name, [normal](normal).
    text: String,
    /// Whether it began with `*.`: clients use names below it, such as that of a registry or an API.
    is_wildcard: bool,
}

impl PrivateName {
    fn new(name: &str) -> Self {
        let text = normal(name);
        Self { is_wildcard: name.starts_with('*') || name.starts_with("\\052"), text }
    }

    /// Whether this zone or domain has the name or a part of what it stands for.
    fn may_be_in(&self, domain: &str) -> bool {
        is_in(&self.text, domain) || (self.is_wildcard && is_in(domain, &self.text))
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
    use crate::checks::endpoint_testing::nothing_central;

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn read<T>(value: T) -> OptionalRead<T> {
        OptionalRead::Read(value)
    }

    fn of(central: &CentralNames) -> Serving {
        let names = set(&["ssm.eu-west-1.amazonaws.com", "*.ssm.eu-west-1.api.aws"]);
        serving(Some(central), &names, "com.amazonaws.eu-west-1.ssm")
    }

    fn may_be(ids: &[&str]) -> Serving {
        Serving::InDoubt(UnassessedReason::MayBeServedCentrally, set(ids))
    }

    #[test]
    fn a_hosted_zone_serves_its_name_and_may_serve_names_below() {
        for (zone, expected) in [
            ("ssm.eu-west-1.amazonaws.com.", Serving::Served),
            ("SSM.eu-west-1.amazonaws.com", Serving::Served),
            ("ssm.eu-west-1.api.aws.", Serving::Served),
            ("\\052.ssm.eu-west-1.api.aws.", Serving::Served),
            ("amazonaws.com.", may_be(&["amazonaws.com."])),
            (".", may_be(&["."])),
            ("ssm.eu-west-2.amazonaws.com.", Serving::NotServed),
            ("m.eu-west-1.amazonaws.com.", Serving::NotServed),
            ("a.ssm.eu-west-1.amazonaws.com.", Serving::NotServed),
            // Below a name that began with `*.`, one zone serves one of many names.
            ("a.ssm.eu-west-1.api.aws.", may_be(&["a.ssm.eu-west-1.api.aws."])),
            ("a.b.ssm.eu-west-1.api.aws.", may_be(&["a.b.ssm.eu-west-1.api.aws."])),
            ("assm.eu-west-1.api.aws.", Serving::NotServed),
            ("corp.example.", Serving::NotServed),
        ] {
            assert_eq!(of(&CentralNames { hosted_zones: read(set(&[zone])), ..nothing_central() }), expected, "{zone}");
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
            (zone(Some("ssm.eu-west-1.amazonaws.com.")), Serving::Served),
            (zone(Some("corp.example.")), Serving::NotServed),
            (zone(None), may_be(&["arn:aws:route53:::hostedzone/Z1"])),
            (endpoint(Some("com.amazonaws.eu-west-1.ssm")), Serving::Served),
            (endpoint(Some("com.amazonaws.eu-west-1.kms")), Serving::NotServed),
            (endpoint(None), may_be(&["vpce-0000000f"])),
            (ProfileResource::Other { arn: "arn:aws:route53resolver:::x".into() }, Serving::NotServed),
        ] {
            let central = CentralNames { profile_resources: read([resource.clone()].into()), ..nothing_central() };
            assert_eq!(of(&central), expected, "{resource:?}");
        }
    }

    #[test]
    fn a_rule_may_forward_a_name() {
        for (domain, expected) in [
            ("amazonaws.com.", may_be(&["amazonaws.com."])),
            ("ssm.eu-west-1.amazonaws.com", may_be(&["ssm.eu-west-1.amazonaws.com"])),
            (".", may_be(&["."])),
            ("corp.example", Serving::NotServed),
            ("a.ssm.eu-west-1.amazonaws.com", Serving::NotServed),
            ("123456789012.ssm.eu-west-1.api.aws", may_be(&["123456789012.ssm.eu-west-1.api.aws"])),
        ] {
            assert_eq!(
                of(&CentralNames { forwarded_domains: read(set(&[domain])), ..nothing_central() }),
                expected,
                "{domain}"
            );
        }
    }

    #[test]
    fn what_nobody_could_read_is_in_doubt_unless_something_else_serves_the_name() {
        let in_doubt = |reason| Serving::InDoubt(reason, BTreeSet::new());
        let denied = || CentralNames { profile_resources: OptionalRead::Denied, ..nothing_central() };
        assert_eq!(of(&nothing_central()), Serving::NotServed);
        assert_eq!(of(&denied()), in_doubt(UnassessedReason::ReadDenied));
        assert_eq!(of(&CentralNames::default()), in_doubt(UnassessedReason::FactMissing));
        assert_eq!(serving(None, &set(&["a"]), "b"), in_doubt(UnassessedReason::FactMissing));
        let both = CentralNames { forwarded_domains: OptionalRead::NotRead, ..denied() };
        assert_eq!(of(&both), in_doubt(UnassessedReason::ReadDenied));
        let served = CentralNames { hosted_zones: read(set(&["ssm.eu-west-1.amazonaws.com."])), ..both };
        assert_eq!(of(&served), Serving::Served);
        assert_eq!(of(&CentralNames { forwarded_domains: read(set(&["."])), ..denied() }), may_be(&["."]));
    }
}
