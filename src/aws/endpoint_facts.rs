//! Reads what only the checks of endpoints need: from EC2, and from the services that few of them ask.

use std::collections::BTreeSet;

use futures_util::try_join;

use super::{account_clients::AccountClients, api_gateway, central_names, ec2::reader::Reader};
use crate::{checks::needed_facts::NeededFacts, error::Error, network::endpoint_facts::EndpointFacts};

/// Reads the facts, all at once. `deleted` has the ids of resources that a record says were deleted.
///
/// # Errors
///
/// [`Error::Ec2ReadFailed`], which names the call, if a call fails or a page is missing. What else may serve private names
/// is optional: if the role may not read it, or the Region does not have the service, the facts say so.
pub async fn read(
    reader: &Reader<'_>,
    clients: &AccountClients,
    needed: &NeededFacts,
    deleted: &BTreeSet<String>,
) -> Result<EndpointFacts, Error> {
    if needed.is_empty() {
        return Ok(EndpointFacts::default());
    }
    let rest_apis = async {
        if needed.rest_apis { api_gateway::read(reader, &clients.shared, deleted).await.map(Some) } else { Ok(None) }
    };
    // Boxed, because these futures are large, and few reads have them.
    let (facts, central_names, rest_apis) = try_join!(
        reader.facts(needed),
        Box::pin(central_names::read(reader, &clients.shared, &needed.central_names_of)),
        Box::pin(rest_apis),
    )?;
    Ok(EndpointFacts { central_names, rest_apis, ..facts })
}
