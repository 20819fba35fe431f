//! Generates what AWS returns about services, and what else may serve their names in a VPC.

use std::collections::{BTreeMap, BTreeSet};

use gatewatch::network::endpoint_facts::{CentralNames, EndpointService, OptionalRead, ProfileResource};
use proptest::{collection::vec, option, prelude::Just, prop_oneof, sample::select, strategy::Strategy};

/// The services that AWS returns, by name.
pub fn endpoint_services() -> impl Strategy<Value = BTreeMap<String, EndpointService>> {
    const NAMES: [&str; 4] = ["s3", "dynamodb", "ssm", "kms"];
    let zones = select(vec![
        vec!["euw1-az1", "euw1-az2", "euw1-az3", "euw1-lhr1-az1"],
        vec!["euw1-az1", "euw1-az2"],
        vec!["euw1-az3"],
        vec![],
    ]);
    let private_names = select(vec![
        vec!["ssm.eu-west-1.amazonaws.com"],
        vec!["SSM.eu-west-1.amazonaws.com", "*.ssm.eu-west-1.api.aws"],
        vec!["kms.eu-west-1.amazonaws.com"],
        vec![],
    ]);
    let supports_policies = select(vec![None, Some(true), Some(true), Some(false)]);
    vec(option::weighted(0.9, (zones, private_names, supports_policies)), NAMES.len()).prop_map(|services| {
        let texts = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
        let named = NAMES.iter().zip(services).filter_map(|(name, service)| {
            let (zones, names, policy_supported) = service?;
            let service = EndpointService {
                availability_zone_ids: texts(zones),
                private_dns_names: texts(names),
                policy_supported,
                ..EndpointService::default()
            };
            Some((format!("com.amazonaws.eu-west-1.{name}"), service))
        });
        named.collect()
    })
}

/// What else may serve the names of SSM.
pub fn central_names() -> impl Strategy<Value = CentralNames> {
    fn read<T: Clone + std::fmt::Debug + Ord + 'static>(
        some: &[T],
    ) -> impl Strategy<Value = OptionalRead<BTreeSet<T>>> + use<T> {
        let of_few =
            vec(select(some.to_vec()), 0..=1).prop_map(|items| OptionalRead::Read(items.into_iter().collect()));
        prop_oneof![12 => of_few, 1 => Just(OptionalRead::Denied), 1 => Just(OptionalRead::NotRead)]
    }
    let zones = [
        "ssm.eu-west-1.amazonaws.com.",
        "\\052.ssm.eu-west-1.api.aws.",
        "amazonaws.com.",
        "a.ssm.eu-west-1.api.aws.",
        "corp.example.",
        "b.example.",
    ];
    let domains = [".", "eu-west-1.api.aws", "a.ssm.eu-west-1.api.aws.", "corp.example.", "b.example."];
    let ssm = || Some("com.amazonaws.eu-west-1.ssm".to_owned());
    let other = || Some("com.amazonaws.eu-west-1.kms".to_owned());
    let zone = |number: u8, name: Option<&str>| ProfileResource::HostedZone {
        arn: format!("arn:aws:route53:::hostedzone/Z{number}"),
        name: name.map(str::to_owned),
    };
    let resources = [
        zone(1, None),
        zone(2, Some("ssm.eu-west-1.amazonaws.com.")),
        zone(3, Some("eu-west-1.amazonaws.com.")),
        zone(4, Some("corp.example.")),
        ProfileResource::Endpoint { id: "vpce-0000000e".to_owned(), service_name: ssm() },
        ProfileResource::Endpoint { id: "vpce-0000000e".to_owned(), service_name: other() },
        ProfileResource::Endpoint { id: "vpce-0000000e".to_owned(), service_name: None },
        ProfileResource::Other { arn: "arn:aws:route53resolver:::x".to_owned() },
    ];
    (read(&zones.map(str::to_owned)), read(&resources), read(&domains.map(str::to_owned))).prop_map(
        |(hosted_zones, profile_resources, forwarded_domains)| CentralNames {
            hosted_zones,
            profile_resources,
            forwarded_domains,
        },
    )
}
