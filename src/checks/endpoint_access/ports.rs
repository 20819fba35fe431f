//! On which TCP ports does a service listen?
//!
//! | given an endpoint for | then on |
//! |---|---|
//! | a service of [`OTHER_PORTS`], by its short name or the beginning of it, before a dot | the ports there |
//! | any other | 443, the port of the AWS APIs |
//!
//! A name with `-fips` at the end means the same service. Some services need further ports besides 443, such as `DataSync`
//! and Storage Gateway. Only 443 is judged there.

/// The port of the AWS APIs.
const HTTPS: &[u16] = &[443];

/// The services that a client may use without port 443. A client needs one of the ports. The first is the one that most
/// clients use:
///
/// - <https://docs.aws.amazon.com/keyspaces/latest/devguide/vpc-endpoints.html>
/// - <https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html>
/// - <https://docs.aws.amazon.com/ses/latest/dg/eb-ingress.html>, whose endpoints have names such as `mail-manager-smtp.auth`
/// - <https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html>
/// - <https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html>
/// - <https://docs.aws.amazon.com/transfer/latest/userguide/create-server-in-vpc.html>
const OTHER_PORTS: [(&str, &[u16]); 6] = [
    ("cassandra", &[9142]),
    ("email-smtp", &[587, 25, 465, 2465, 2587]),
    ("iot.data", &[8883, 443, 8443]),
    ("mail-manager-smtp", &[25, 587]),
    ("transcribestreaming", &[443, 8443]),
    ("transfer.server", &[22, 21, 2222, 5080, 22000]),
];

/// The ports of the service with this [short name](crate::checks::endpoint_context::short_name), at least one. A client
/// needs one of them. The first is the one that most clients use.
pub(super) fn ports_of(short_name: &str) -> &'static [u16] {
    let name = short_name.strip_suffix("-fips").unwrap_or(short_name);
    let is_named =
        |service: &str| name.strip_prefix(service).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    OTHER_PORTS.iter().find(|(service, _)| is_named(service)).map_or(HTTPS, |(_, ports)| ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_its_ports_or_that_of_the_aws_apis() {
        for (name, ports) in [
            ("ssm", &[443][..]),
            ("s3", &[443]),
            ("cassandra", &[9142]),
            ("cassandra-fips", &[9142]),
            ("email-smtp", &[587, 25, 465, 2465, 2587]),
            ("email", &[443]),
            ("iot.data", &[8883, 443, 8443]),
            ("iot.credentials", &[443]),
            ("mail-manager-smtp.auth", &[25, 587]),
            ("mail-manager-smtp.open.fips", &[25, 587]),
            ("mail-manager", &[443]),
        ] {
            assert_eq!(ports_of(name), ports, "{name}");
        }
    }
}
