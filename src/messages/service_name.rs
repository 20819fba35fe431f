//! The names of services, and what people call them.

use crate::network::service::GatewayService;

/// The name of a service, as findings have it.
pub(super) type ServiceName<'a> = &'a str;

/// The name of a service as people know it, such as `S3`.
fn title(service: ServiceName<'_>) -> &str {
    GatewayService::from_name(service).map_or(service, |service| service.title())
}

/// The names of these services, such as `S3` or `S3 and DynamoDB`.
pub(super) fn titles(services: &[ServiceName<'_>]) -> String {
    let titles: Vec<&str> = services.iter().map(|service| title(service)).collect();
    match titles.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
