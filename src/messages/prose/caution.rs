//! The sentences about what people have to know before they apply a fix.

use crate::{
    checks::{caution::Caution, endpoint_problem::EndpointCaution},
    messages::{
        content::{CautionAbout, FixCaution},
        service_name::{ServiceName, titles},
    },
    network::service::GatewayService,
};

/// What somebody has to know before they apply the fix for these services. Contains no ids and no tags.
pub(in crate::messages) fn caution(caution: FixCaution, services: &[ServiceName<'_>]) -> String {
    match caution {
        FixCaution::Route(caution) => about_route(caution, services),
        FixCaution::Endpoint(caution) => about_endpoint(caution, &titles(services)),
    }
}

fn about_endpoint(caution: EndpointCaution, service: &str) -> String {
    match caution {
        EndpointCaution::GatewayEndpointFirst => format!(
            "EC2 refuses the option without a gateway endpoint for {service}. The commands create one first, with a \
             default policy that allows every request. Leave that out if the VPC has one by now, for example because you \
             have fixed the route tables."
        ),
        EndpointCaution::UncoveredTablesFirst => format!(
            "Run the commands in this order. Until the route tables have their gateway route, their subnets would reach \
             {service} at its public addresses, or not at all. Run only the last command if you have fixed the tables \
             already."
        ),
        EndpointCaution::ClientFilters => format!(
            "Requests of the VPC to {service} go to its public addresses then. Security groups and network ACLs of the clients \
             must let them through; gatewatch does not check them. A security group rule can name the prefix list of the \
             service; a network ACL rule needs its address ranges."
        ),
        EndpointCaution::SourceEndpointConditions => format!(
            "Policies that name the interface endpoint in aws:SourceVpce stop matching requests of the VPC to {service}. \
             Add the gateway endpoint to them first."
        ),
        EndpointCaution::GatewayEndpointPolicy => format!(
            "From then on, the policy of the gateway endpoint decides which requests of the VPC to {service} are allowed, \
             and no longer the policy and the security groups of the interface endpoint."
        ),
        EndpointCaution::InboundResolverNeeded => format!(
            "Clients outside the VPC, for example on premises, get the private addresses of {service} only if they ask an \
             inbound Resolver endpoint of the VPC."
        ),
        EndpointCaution::CustomDnsServers => {
            "The attribute has no effect on clients that ask a DNS server other than Amazon's.".to_owned()
        }
        EndpointCaution::PublicHostNames => "Instances with public addresses get public DNS names as well.".to_owned(),
        EndpointCaution::NamesMoveToEndpoint => format!(
            "The names of {service} resolve to private addresses in the whole VPC from then on. The security groups and the \
             policy of the endpoint decide about all requests, and open connections keep the old way until they close."
        ),
        EndpointCaution::PrivateDnsMayBeRefused => format!(
            "EC2 refuses the command while DNS support or DNS host names of the VPC are off. Only one endpoint for {service} in \
             the VPC can have private DNS names."
        ),
        EndpointCaution::PublicApisUnreachable => {
            "Public APIs of API Gateway cannot be called by their default names from the VPC any more.".to_owned()
        }
        EndpointCaution::GroupIsShared => "Everything else that uses the security group gets the rule too.".to_owned(),
        EndpointCaution::NetworkAcls => {
            "Network ACLs of the subnets must allow the traffic in both directions; gatewatch does not check them."
                .to_owned()
        }
        EndpointCaution::ManyRules => {
            "A security group has room for 60 rules per address family unless its quota is higher, and EC2 refuses the \
             command as a whole. One block that contains the subnets, such as that of the VPC, needs one rule."
                .to_owned()
        }
        EndpointCaution::OneOfSeveralPorts => {
            format!("Clients of {service} can use one of several ports. Open the one that yours use.")
        }
        EndpointCaution::NewEndpointId => {
            "A new endpoint has a new id and new DNS names. Policies and clients that name the old ones need a change."
                .to_owned()
        }
        EndpointCaution::GroupBeforePrivateDns => format!(
            "The new endpoint has the default security group of the VPC and no private DNS names, so requests keep their way. \
             First give it a security group that admits the VPC on the port of {service}, mostly 443. Then turn private DNS \
             on, with aws ec2 modify-vpc-endpoint and --private-dns-enabled: from then on the names of {service} resolve to the endpoint in \
             the whole VPC, and clients that its group does not admit time out."
        ),
        EndpointCaution::HourlyCharge => {
            "AWS charges for the endpoint by the hour in each zone, and for every GB.".to_owned()
        }
        EndpointCaution::NarrowPolicy => {
            "A policy that is too narrow stops package repositories, image downloads and patching. Test it before you \
             apply it."
                .to_owned()
        }
        EndpointCaution::DeployApi => "The change takes effect when the API is deployed again.".to_owned(),
    }
}

fn about_route(caution: Caution, services: &[ServiceName<'_>]) -> String {
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

/// What stands above cautions.
pub(in crate::messages) fn heading(has_command: bool) -> &'static str {
    if has_command { "Before you run this" } else { "Before you change it" }
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
        let s3 = |each| about_route(each, &["s3"]);
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
            about_route(Caution::ConnectionsClose, &both),
            format!("Open connections to S3 and DynamoDB close. {when}")
        );
        for services in [&both[..], &both[1..]] {
            let sentence = about_route(Caution::SourceIpConditions, services);
            assert!(sentence.contains("in resource and identity policies"), "{sentence}");
        }
    }
}
