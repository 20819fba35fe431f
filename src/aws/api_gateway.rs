//! Reads the REST APIs of the Region, with the endpoints that the private ones name.

use std::collections::BTreeSet;

use aws_sdk_apigateway::{
    Client,
    types::{EndpointConfiguration, EndpointType, RestApi as SdkRestApi},
};
use aws_types::SdkConfig;

use super::{ec2::reader::Reader, error::describe};
use crate::{
    error::Error,
    network::{
        endpoint_facts::{RestApi, RestApis},
        model::Endpoint,
    },
};

/// The largest page (<https://docs.aws.amazon.com/apigateway/latest/api/API_GetRestApis.html>).
const PAGE: i32 = 500;

/// Reads all pages, and looks up the endpoints. An endpoint that EC2 does not return counts as deleted only if `deleted` has
/// it: it may also belong to another account.
pub(super) async fn read(
    reader: &Reader<'_>,
    shared: &SdkConfig,
    deleted: &BTreeSet<String>,
) -> Result<RestApis, Error> {
    let client = Client::new(shared);
    let failed = |why: String| Error::Ec2ReadFailed(format!("GetRestApis: {why}"));
    let (mut apis, mut position) = (Vec::new(), None);
    loop {
        let call = client.get_rest_apis().limit(PAGE).set_position(position);
        let page = Box::pin(call.send()).await.map_err(|error| failed(describe(&error)))?;
        for api in page.items.unwrap_or_default() {
            let id = api.id.clone().ok_or_else(|| failed("answered an API without its id".to_owned()))?;
            apis.push(rest_api(id, api, reader.lists.exempt_tag));
        }
        position = page.position.filter(|position| !position.is_empty());
        if position.is_none() {
            break;
        }
    }
    let private = apis.iter().filter(|api| api.is_private());
    let named: BTreeSet<String> = private.flat_map(|api| &api.vpc_endpoint_ids).cloned().collect();
    let found = reader.endpoints(named.clone()).await?;
    let (going, there): (Vec<_>, Vec<_>) = found.into_iter().partition(Endpoint::is_deleted);
    let ids = |endpoints: Vec<Endpoint>| endpoints.into_iter().map(|endpoint| endpoint.id);
    let endpoint_ids: BTreeSet<String> = ids(there).collect();
    let gone = named.intersection(deleted).filter(|id| !endpoint_ids.contains(*id)).cloned();
    Ok(RestApis { apis, deleted_endpoint_ids: gone.chain(ids(going)).collect(), endpoint_ids })
}

fn rest_api(id: String, api: SdkRestApi, exempt_tag: &str) -> RestApi {
    let EndpointConfiguration { types, vpc_endpoint_ids, .. } =
        api.endpoint_configuration.unwrap_or_else(|| EndpointConfiguration::builder().build());
    let endpoint_types: Vec<String> =
        types.unwrap_or_default().iter().map(EndpointType::as_str).map(str::to_owned).collect();
    let facts = RestApi {
        id,
        name: api.name,
        endpoint_types,
        vpc_endpoint_ids: vpc_endpoint_ids.unwrap_or_default(),
        policy: api.policy,
        exemption: api.tags.and_then(|mut tags| tags.remove(exempt_tag)),
    };
    // The policies of the others are not judged, and may be large.
    if facts.is_private() { facts } else { RestApi { policy: None, ..facts } }
}
