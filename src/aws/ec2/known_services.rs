//! The endpoint services that this process has read. AWS changes them rarely, and a process lives for some hours.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::network::endpoint_facts::EndpointService;

/// The endpoint services by name.
#[derive(Debug, Default)]
pub struct KnownServices {
    services: Mutex<BTreeMap<String, EndpointService>>,
}

impl KnownServices {
    /// Those of these services that are known, and the names of the others.
    pub(super) fn split(&self, names: &BTreeSet<String>) -> (BTreeMap<String, EndpointService>, BTreeSet<String>) {
        let services = self.services();
        let known: BTreeMap<String, EndpointService> =
            names.iter().filter_map(|name| Some((name.clone(), services.get(name)?.clone()))).collect();
        let unknown = names.iter().filter(|name| !known.contains_key(*name)).cloned().collect();
        (known, unknown)
    }

    /// Remembers services.
    pub(super) fn remember(&self, services: &BTreeMap<String, EndpointService>) {
        self.services().extend(services.iter().map(|(name, service)| (name.clone(), service.clone())));
    }

    fn services(&self) -> MutexGuard<'_, BTreeMap<String, EndpointService>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_were_read_are_known() {
        let known = KnownServices::default();
        let service = EndpointService { policy_supported: Some(true), ..EndpointService::default() };
        let services = BTreeMap::from([("com.amazonaws.eu-west-1.ssm".to_owned(), service)]);
        let asked =
            BTreeSet::from(["com.amazonaws.eu-west-1.kms".to_owned(), "com.amazonaws.eu-west-1.ssm".to_owned()]);
        assert_eq!(known.split(&asked), (BTreeMap::new(), asked.clone()));
        known.remember(&services);
        assert_eq!(known.split(&asked), (services, BTreeSet::from(["com.amazonaws.eu-west-1.kms".to_owned()])));
    }
}
