//! The sentences about what people have to know before they apply a fix.

use crate::{
    checks::caution::Caution,
    messages::{
        content::CautionAbout,
        service_name::{ServiceName, titles},
    },
    network::service::GatewayService,
};

/// What somebody has to know before they apply the fix for these services. Contains no ids and no tags.
pub(in crate::messages) fn caution(caution: Caution, services: &[ServiceName<'_>]) -> String {
    let service = titles(services);
    let when = "Applications have to connect again, so choose a time when no critical task runs.";
    match caution {
        Caution::ConnectionsClose => format!("Open connections to {service} close. {when}"),
        Caution::ConnectionsCloseTwice => format!(
            "Open connections to {service} close twice: when the table is removed from the endpoint, and when it is added \
             again. {when}"
        ),
        Caution::SourceIpConditions => {
            let policies = if services.contains(&GatewayService::DynamoDb.name()) { "resource" } else { "bucket" };
            format!(
                "Requests to {service} will come from private addresses. Conditions on aws:SourceIp in {policies} and \
                 identity policies stop matching; use aws:VpcSourceIp, aws:SourceVpc or aws:SourceVpce instead."
            )
        }
        Caution::TrafficFilters => format!(
            "Security groups and network ACLs must allow traffic to and from {service}; gatewatch does not check them. A \
             security group rule can name the prefix list of the service; a network ACL rule needs its address ranges."
        ),
        Caution::OtherRegions => {
            "Requests to buckets in other Regions do not go through the endpoint. They go the same way as today."
                .to_owned()
        }
        Caution::DefaultPolicy => {
            format!("A new endpoint has the default policy, which allows every request to {service}.")
        }
        Caution::DnsSupport => "If the VPC uses Amazon's DNS servers, its DNS support and DNS host names must be on; \
                                gatewatch does not check this."
            .to_owned(),
    }
}

/// What a message says if it has no room for the cautions.
pub(in crate::messages) const NO_ROOM_FOR_CAUTIONS: &str = "The commands have side effects that do not fit into this card. Read them in \
                                               the message on the JSON topic.";

/// These cautions as sentences.
pub(in crate::messages) fn cautions(cautions: &[CautionAbout<'_>]) -> Vec<String> {
    cautions.iter().map(|(each, services)| caution(*each, services)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caution_says_what_happens_and_to_which_service() {
        let s3 = |each| caution(each, &["s3"]);
        let when = "Applications have to connect again, so choose a time when no critical task runs.";
        for (each, sentence) in [
            (Caution::ConnectionsClose, format!("Open connections to S3 close. {when}")),
            (
                Caution::ConnectionsCloseTwice,
                format!(
                    "Open connections to S3 close twice: when the table is removed from the endpoint, and when it is \
                     added again. {when}"
                ),
            ),
            (
                Caution::SourceIpConditions,
                "Requests to S3 will come from private addresses. Conditions on aws:SourceIp in bucket and identity \
                 policies stop matching; use aws:VpcSourceIp, aws:SourceVpc or aws:SourceVpce instead."
                    .to_owned(),
            ),
            (
                Caution::TrafficFilters,
                "Security groups and network ACLs must allow traffic to and from S3; gatewatch does not check them. A \
                 security group rule can name the prefix list of the service; a network ACL rule needs its address \
                 ranges."
                    .to_owned(),
            ),
            (
                Caution::OtherRegions,
                "Requests to buckets in other Regions do not go through the endpoint. They go the same way as today."
                    .to_owned(),
            ),
            (
                Caution::DefaultPolicy,
                "A new endpoint has the default policy, which allows every request to S3.".to_owned(),
            ),
            (
                Caution::DnsSupport,
                "If the VPC uses Amazon's DNS servers, its DNS support and DNS host names must be on; gatewatch does not \
                 check this."
                    .to_owned(),
            ),
        ] {
            assert_eq!(s3(each), sentence);
        }
        let both = ["s3", "dynamodb"];
        assert_eq!(
            caution(Caution::ConnectionsClose, &both),
            format!("Open connections to S3 and DynamoDB close. {when}")
        );
        for services in [&both[..], &both[1..]] {
            let sentence = caution(Caution::SourceIpConditions, services);
            assert!(sentence.contains("in resource and identity policies"), "{sentence}");
        }
    }
}
