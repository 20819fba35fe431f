//! Reads what else may serve private names in a VPC: hosted zones, Route 53 Profiles and Resolver rules.
//!
//! | read | calls |
//! |---|---|
//! | hosted zones | one for each VPC, with pauses |
//! | profiles | a list of associations, and a list of resources for each profile |
//! | Resolver rules | a list of associations, and a list of rules if any is associated |
//!
//! All of this is optional: it is no error if a call is denied or still throttled after its retries, or if its service does
//! not answer in this Region.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as StdError,
    fmt::Debug,
    time::Duration,
};

use aws_sdk_route53::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
    types::VpcRegion,
};
use aws_sdk_route53resolver::types::{Filter, RuleTypeOption};
use aws_types::SdkConfig;
use futures_util::{future::try_join_all, try_join};
use tokio::time::sleep;
use tracing::warn;

use super::{complete_response::CompleteResponse, ec2::reader::Reader, error::describe};
use crate::{
    error::Error,
    network::endpoint_facts::{CentralNames, OptionalRead, ProfileResource},
};

/// Route 53 accepts five calls per second of an account, of all its clients together
/// (<https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests>). With this pause,
/// one invocation leaves more than half of them to others. Three can run at once, so calls can still be throttled.
const PAUSE: Duration = Duration::from_millis(450);

/// The domain of a rule that cannot be read: it may forward every name.
const EVERY_NAME: &str = ".";

/// The rules that each VPC has without anybody's doing. They forward nothing to another server.
const PREDEFINED_RULE: &str = "rslvr-autodefined-";

/// By the id of a VPC or a profile.
type ById<T> = BTreeMap<String, T>;

/// Reads what may serve names in these VPCs.
///
/// # Errors
///
/// [`Error::Ec2ReadFailed`], which names the call.
pub(super) async fn read(
    reader: &Reader<'_>,
    shared: &SdkConfig,
    vpc_ids: &BTreeSet<String>,
) -> Result<ById<CentralNames>, Error> {
    if vpc_ids.is_empty() {
        return Ok(ById::new());
    }
    let (zones, (profiles, resources), associated) =
        try_join!(hosted_zones(shared, vpc_ids), profiles(shared, vpc_ids), associated_rules(shared, vpc_ids))?;

    // What the ids stand for.
    let of_profiles = resources.values().filter_map(OptionalRead::value).flatten();
    let endpoint_ids = of_profiles.clone().filter_map(|arn| id_in(arn, ":vpc-endpoint/")).map(str::to_owned).collect();
    let has_rules = associated.value().is_some_and(|by_vpc| !by_vpc.is_empty())
        || of_profiles.clone().any(|arn| id_in(arn, ":resolver-rule/").is_some());
    let (rules, endpoints) = try_join!(
        async { if has_rules { forwarded_domains(shared).await } else { Ok(OptionalRead::Read(ById::new())) } },
        reader.endpoints(endpoint_ids),
    )?;
    let services: ById<String> =
        endpoints.into_iter().map(|endpoint| (endpoint.id, endpoint.service_name.to_string())).collect();

    let names = |vpc_id: &String| {
        let arns = profiles.as_ref().and_then(|by_vpc| {
            let of_vpc = by_vpc.get(vpc_id).into_iter().flatten().filter_map(|profile| resources.get(profile));
            of_vpc.fold(OptionalRead::Read(BTreeSet::new()), |all, more| {
                all.and_then(|all| more.as_ref().map(|more| all.into_iter().chain(more).collect()))
            })
        });
        let domains = associated.as_ref().and_then(|by_vpc| {
            let of_profiles = arns.value().into_iter().flatten().filter_map(|arn| id_in(arn, ":resolver-rule/"));
            let ids = by_vpc.get(vpc_id).into_iter().flatten().map(String::as_str).chain(of_profiles);
            rules.as_ref().map(|rules| ids.filter_map(|id| domain_of(id, rules)).collect())
        });
        let resource = |arn: &String| profile_resource(arn, &services);
        CentralNames {
            hosted_zones: zones.get(vpc_id).cloned().unwrap_or_default(),
            profile_resources: arns.map(|arns| arns.into_iter().map(resource).collect()),
            forwarded_domains: domains,
        }
    };
    Ok(vpc_ids.iter().map(|vpc_id| (vpc_id.clone(), names(vpc_id))).collect())
}

/// The names of the hosted zones of each VPC. If the first call is denied, no other is made.
async fn hosted_zones(
    shared: &SdkConfig,
    vpc_ids: &BTreeSet<String>,
) -> Result<ById<OptionalRead<BTreeSet<String>>>, Error> {
    let config = aws_sdk_route53::config::Builder::from(shared).interceptor(CompleteResponse);
    let client = aws_sdk_route53::Client::from_conf(config.build());
    let region = shared.region().map_or_else(|| VpcRegion::from(""), |region| VpcRegion::from(region.as_ref()));
    let mut zones = ById::new();
    for (number, vpc_id) in vpc_ids.iter().enumerate() {
        if number > 0 {
            sleep(PAUSE).await;
        }
        let of_vpc = pages("ListHostedZonesByVPC", async |token| {
            let call = client.list_hosted_zones_by_vpc().vpc_id(vpc_id).vpc_region(region.clone());
            let page = call.set_next_token(token).send().await?;
            Ok((page.hosted_zone_summaries, page.next_token))
        });
        let of_vpc = of_vpc.await?.map(|zones| zones.into_iter().map(|zone| zone.name).collect());
        if of_vpc == OptionalRead::Denied {
            return Ok(vpc_ids.iter().map(|vpc_id| (vpc_id.clone(), OptionalRead::Denied)).collect());
        }
        zones.insert(vpc_id.clone(), of_vpc);
    }
    Ok(zones)
}

/// The ids of the profiles of each VPC, and the ARNs of the resources of each of these profiles.
async fn profiles(
    shared: &SdkConfig,
    vpc_ids: &BTreeSet<String>,
) -> Result<(OptionalRead<ById<BTreeSet<String>>>, ById<OptionalRead<Vec<String>>>), Error> {
    let client = aws_sdk_route53profiles::Client::new(shared);
    let associations = pages("ListProfileAssociations", async |token| {
        let call = client.list_profile_associations().set_resource_id(only(vpc_ids)).set_next_token(token);
        let page = call.send().await?;
        Ok((page.profile_associations.unwrap_or_default(), page.next_token))
    });
    let profiles = (associations.await?).map(|associations| {
        grouped(associations.into_iter().map(|association| (association.resource_id, association.profile_id)), vpc_ids)
    });
    let ids: BTreeSet<&String> = profiles.value().into_iter().flat_map(ById::values).flatten().collect();
    let resources = ids.into_iter().map(|id| {
        let (client, id) = (&client, id.clone());
        async move {
            let arns = pages("ListProfileResourceAssociations", async |token| {
                let call = client.list_profile_resource_associations().profile_id(&id).set_next_token(token);
                let page = call.send().await?;
                Ok((page.profile_resource_associations.unwrap_or_default(), page.next_token))
            });
            let arns = arns.await?;
            Ok((id, arns.map(|found| found.into_iter().filter_map(|resource| resource.resource_arn).collect())))
        }
    });
    let resources = try_join_all(resources).await?.into_iter().collect();
    Ok((profiles, resources))
}

/// The ids of the Resolver rules that are associated with each VPC.
async fn associated_rules(
    shared: &SdkConfig,
    vpc_ids: &BTreeSet<String>,
) -> Result<OptionalRead<ById<BTreeSet<String>>>, Error> {
    let client = aws_sdk_route53resolver::Client::new(shared);
    let filter = only(vpc_ids).map(|vpc_id| vec![Filter::builder().name("VPCId").values(vpc_id).build()]);
    let associations = pages("ListResolverRuleAssociations", async |token| {
        let call = client.list_resolver_rule_associations().set_filters(filter.clone()).set_next_token(token);
        let page = call.send().await?;
        Ok((page.resolver_rule_associations.unwrap_or_default(), page.next_token))
    });
    let own = |id: Option<String>| id.filter(|id| !id.starts_with(PREDEFINED_RULE));
    Ok(associations.await?.map(|associations| {
        grouped(associations.into_iter().map(|found| (found.vpc_id, own(found.resolver_rule_id))), vpc_ids)
    }))
}

/// The domain that each Resolver rule forwards. `None` for a rule that forwards nothing.
async fn forwarded_domains(shared: &SdkConfig) -> Result<OptionalRead<ById<Option<String>>>, Error> {
    let client = aws_sdk_route53resolver::Client::new(shared);
    let rules = pages("ListResolverRules", async |token| {
        let page = client.list_resolver_rules().set_next_token(token).send().await?;
        Ok((page.resolver_rules.unwrap_or_default(), page.next_token))
    });
    Ok(rules.await?.map(|rules| {
        let domain = |kind, domain: Option<String>| match kind {
            Some(RuleTypeOption::System | RuleTypeOption::Recursive) => None,
            _ => Some(domain.unwrap_or_else(|| EVERY_NAME.to_owned())),
        };
        rules.into_iter().filter_map(|rule| Some((rule.id?, domain(rule.rule_type, rule.domain_name)))).collect()
    }))
}

/// The domain that a rule forwards. A rule of another account that is not shared is not in the list.
fn domain_of(id: &str, rules: &ById<Option<String>>) -> Option<String> {
    rules.get(id).cloned().unwrap_or_else(|| Some(EVERY_NAME.to_owned()))
}

/// What a resource of a profile is. The name of a hosted zone is not looked up: the zone usually belongs to the account of
/// the profile, and Route 53 shows it to nobody else.
fn profile_resource(arn: &str, services: &ById<String>) -> ProfileResource {
    if id_in(arn, ":hostedzone/").is_some() {
        ProfileResource::HostedZone { arn: arn.to_owned(), name: None }
    } else if let Some(id) = id_in(arn, ":vpc-endpoint/") {
        ProfileResource::Endpoint { id: id.to_owned(), service_name: services.get(id).cloned() }
    } else {
        ProfileResource::Other { arn: arn.to_owned() }
    }
}

/// The id that follows the kind of a resource in an ARN.
fn id_in<'a>(arn: &'a str, kind: &str) -> Option<&'a str> {
    arn.split_once(kind).map(|(_, id)| id)
}

/// The VPC, if it is only one. Then only its associations are read.
fn only(vpc_ids: &BTreeSet<String>) -> Option<String> {
    vpc_ids.first().filter(|_| vpc_ids.len() == 1).cloned()
}

/// What is associated with each of these VPCs.
fn grouped(
    associations: impl Iterator<Item = (Option<String>, Option<String>)>,
    vpc_ids: &BTreeSet<String>,
) -> ById<BTreeSet<String>> {
    let mut by_vpc = ById::new();
    for (vpc_id, associated) in associations.filter_map(|(vpc_id, associated)| vpc_id.zip(associated)) {
        if vpc_ids.contains(&vpc_id) {
            by_vpc.entry(vpc_id).or_insert_with(BTreeSet::new).insert(associated);
        }
    }
    by_vpc
}

/// Reads all pages of a call. `page` returns the items of one page, and the token of the next one.
async fn pages<T, E, R>(
    operation: &'static str,
    page: impl AsyncFn(Option<String>) -> Result<(Vec<T>, Option<String>), SdkError<E, R>>,
) -> Result<OptionalRead<Vec<T>>, Error>
where
    E: ProvideErrorMetadata,
    R: Debug,
    SdkError<E, R>: RequestId + StdError,
{
    let (mut items, mut token) = (Vec::new(), None);
    loop {
        // Boxed, because the futures of the SDK are large.
        match Box::pin(page(token)).await {
            Ok((more, next)) => {
                items.extend(more);
                token = next.filter(|token| !token.is_empty());
                if token.is_none() {
                    return Ok(OptionalRead::Read(items));
                }
            }
            Err(error) => return not_read(operation, &error),
        }
    }
}

/// What a failed call means: it was denied; nothing is known, because the resource is gone, the Region does not have the
/// service or too many calls are made; or the read has failed.
fn not_read<T, E, R>(operation: &str, error: &SdkError<E, R>) -> Result<OptionalRead<T>, Error>
where
    E: ProvideErrorMetadata,
    R: Debug,
    SdkError<E, R>: RequestId + StdError,
{
    let why = describe(error);
    let read = match error.code() {
        Some("AccessDenied" | "AccessDeniedException") => OptionalRead::Denied,
        Some("InvalidInput" | "ResourceNotFoundException" | "Throttling" | "ThrottlingException") => {
            OptionalRead::NotRead
        }
        _ if matches!(error, SdkError::DispatchFailure(_)) => OptionalRead::NotRead,
        _ => return Err(Error::Ec2ReadFailed(format!("{operation}: {why}"))),
    };
    warn!(call = operation, reason = why, "what else serves private names is not known");
    Ok(read)
}
