//! What all SDK clients share and read from environment variables: the credentials, and which endpoints they call.
//!
//! These are the variables that Lambda sets and those that choose an endpoint, with the names and meanings that all AWS
//! SDKs give them (<https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>). `aws-config` reads them
//! too. It also brings profiles, SSO, web identities, a client of STS and the metadata services, which a function on Lambda
//! never uses; `docs/builds.md` says what they weigh.
//!
//! As in `settings`, the caller passes the variables, an empty value counts as not set, and an invalid one stops the
//! function at start.

use std::collections::BTreeMap;

use aws_sdk_ec2::config::{AppName, Credentials, SharedCredentialsProvider};
use aws_types::{
    SdkConfig, sdk_config,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};
use http::Uri;

use crate::{error::Error, settings::invalid};

/// The endpoint of every service that has none of its own.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// The services that gatewatch calls, as the SDK names them, and the variables with their endpoints.
const ENDPOINT_OF_SERVICE: [(&str, &str); 9] = [
    ("API Gateway", "AWS_ENDPOINT_URL_API_GATEWAY"),
    ("DynamoDB", "AWS_ENDPOINT_URL_DYNAMODB"),
    ("EC2", "AWS_ENDPOINT_URL_EC2"),
    ("EventBridge", "AWS_ENDPOINT_URL_EVENTBRIDGE"),
    ("Route 53", "AWS_ENDPOINT_URL_ROUTE_53"),
    ("Route53Profiles", "AWS_ENDPOINT_URL_ROUTE53PROFILES"),
    ("Route53Resolver", "AWS_ENDPOINT_URL_ROUTE53RESOLVER"),
    ("SNS", "AWS_ENDPOINT_URL_SNS"),
    ("STS", "AWS_ENDPOINT_URL_STS"),
];

/// Reads the variables. `variable` returns the value of an environment variable, or `None` if it is not set.
///
/// # Errors
///
/// [`Error::Config`] if the credentials are missing, or if another variable is invalid. It names the variable, its value
/// and the allowed values, but never shows a credential.
pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<sdk_config::Builder, Error> {
    let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let mut config = SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(credentials(variable)?));
    config.set_use_fips(flag("AWS_USE_FIPS_ENDPOINT", variable)?);
    config.set_use_dual_stack(flag("AWS_USE_DUALSTACK_ENDPOINT", variable)?);
    config.set_app_name(app_name(variable)?);
    if flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", variable)? != Some(true) {
        config.set_endpoint_url(url(ENDPOINT, variable)?);
        config.set_service_config(Some(Endpoints::read(variable)?));
    }
    Ok(config)
}

/// Lambda sets the credentials of the function's role once, before it starts the process, and ends the process before they
/// expire (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>).
fn credentials(variable: impl Fn(&str) -> Option<String>) -> Result<Credentials, Error> {
    let required = |name| {
        variable(name).ok_or_else(|| {
            Error::Config(format!(
                "{name} is not set; Lambda sets it to a credential of the function's role. Elsewhere, this command sets it: \
                 eval \"$(aws configure export-credentials --format env)\""
            ))
        })
    };
    let mut credentials = Credentials::builder()
        .access_key_id(required("AWS_ACCESS_KEY_ID")?)
        .secret_access_key(required("AWS_SECRET_ACCESS_KEY")?)
        .provider_name("environment");
    // Credentials of a role have a session token, those of a user have none.
    credentials.set_session_token(variable("AWS_SESSION_TOKEN"));
    Ok(credentials.build())
}

/// The endpoints of single services. The SDK asks for them by the name of the service.
#[derive(Debug)]
struct Endpoints(BTreeMap<&'static str, String>);

impl Endpoints {
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let set = |(service, name)| Ok(url(name, &variable)?.map(|url| (service, url)));
        Ok(Self(ENDPOINT_OF_SERVICE.into_iter().filter_map(|pair| set(pair).transpose()).collect::<Result<_, _>>()?))
    }
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        (key.env() == ENDPOINT).then(|| self.0.get(key.service_id()).cloned())?
    }
}

fn url(name: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<String>, Error> {
    let is_url = |value: &str| {
        value.parse::<Uri>().is_ok_and(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some())
    };
    match variable(name) {
        Some(value) if !is_url(&value) => {
            Err(invalid(name, &value, "a URL such as https://ec2.eu-west-1.amazonaws.com"))
        }
        value => Ok(value),
    }
}

fn flag(name: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<bool>, Error> {
    match variable(name) {
        None => Ok(None),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(value) => Err(invalid(name, &value, "true or false")),
    }
}

/// The name that the calls carry in their user agent.
fn app_name(variable: impl Fn(&str) -> Option<String>) -> Result<Option<AppName>, Error> {
    const NAME: &str = "AWS_SDK_UA_APP_ID";
    let read = |value: String| {
        AppName::new(value.clone()).map_err(|_| invalid(NAME, &value, "letters, digits and !#$%&'*+-.^_`|~"))
    };
    variable(NAME).map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::config::ProvideCredentials;

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")];

    fn read_from(variables: &[(&str, &str)]) -> Result<SdkConfig, Error> {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Ok(read(variable)?.build())
    }

    fn with_keys(variables: &[(&'static str, &'static str)]) -> Result<SdkConfig, Error> {
        read_from(&[&KEYS, variables].concat())
    }

    async fn credentials_of(variables: &[(&str, &str)]) -> (String, String, Option<String>) {
        let provider = read_from(variables).unwrap().credentials_provider().unwrap();
        let credentials = provider.provide_credentials().await.unwrap();
        (
            credentials.access_key_id().to_owned(),
            credentials.secret_access_key().to_owned(),
            credentials.session_token().map(str::to_owned),
        )
    }

    /// The endpoint that the SDK finds for a service: its own, or that of all services.
    fn endpoint_of(service: &str, config: &SdkConfig) -> Option<String> {
        let key =
            ServiceConfigKey::builder().service_id(service).env(ENDPOINT).profile("endpoint_url").build().unwrap();
        let own = config.service_config().and_then(|endpoints| endpoints.load_config(key));
        own.or_else(|| config.endpoint_url().map(str::to_owned))
    }

    #[tokio::test]
    async fn the_credentials_are_those_of_a_role_or_of_a_user() {
        let of = |token: Option<&str>| ("key".to_owned(), "secret".to_owned(), token.map(str::to_owned));
        assert_eq!(credentials_of(&[&KEYS[..], &[("AWS_SESSION_TOKEN", "token")]].concat()).await, of(Some("token")));
        assert_eq!(credentials_of(&KEYS).await, of(None));
        assert_eq!(credentials_of(&[&KEYS[..], &[("AWS_SESSION_TOKEN", "")]].concat()).await, of(None));
    }

    #[test]
    fn without_credentials_the_error_says_how_to_set_them() {
        for (missing, other) in [(KEYS[0].0, KEYS[1]), (KEYS[1].0, KEYS[0])] {
            for variables in [&[other][..], &[other, (missing, "")], &[other, (missing, " ")]] {
                let error = read_from(variables).unwrap_err();
                assert_eq!(
                    error,
                    Error::Config(format!(
                        "{missing} is not set; Lambda sets it to a credential of the function's role. Elsewhere, this \
                         command sets it: eval \"$(aws configure export-credentials --format env)\""
                    ))
                );
            }
        }
    }

    #[test]
    fn a_service_has_its_own_endpoint_or_that_of_all_services() {
        let (all, own) = (("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), "https://localhost:2/path");
        for (service, name) in ENDPOINT_OF_SERVICE {
            for (variables, expected) in [
                (vec![], None),
                (vec![(name, ""), ("AWS_ENDPOINT_URL", "")], None),
                (vec![all], Some(all.1)),
                (vec![(name, own)], Some(own)),
                (vec![all, (name, own)], Some(own)),
                (vec![all, (name, own), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false")], Some(own)),
                (vec![all, (name, own), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE")], None),
            ] {
                let config = with_keys(&variables).unwrap();
                assert_eq!(endpoint_of(service, &config).as_deref(), expected, "{service}: {variables:?}");
            }
        }
        let config = with_keys(&[("AWS_ENDPOINT_URL_SNS", own)]).unwrap();
        assert_eq!(endpoint_of("EC2", &config), None);
    }

    #[test]
    fn fips_dual_stack_and_the_name_in_the_user_agent_can_be_set() {
        let read = |variables: &[_]| {
            let config = with_keys(variables).unwrap();
            (config.use_fips(), config.use_dual_stack(), config.app_name().map(|name| name.as_ref().to_owned()))
        };
        assert_eq!(read(&[]), (None, None, None));
        assert_eq!(
            read(&[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "false")]),
            (Some(true), Some(false), None)
        );
        assert_eq!(
            read(&[("AWS_USE_DUALSTACK_ENDPOINT", "True"), ("AWS_SDK_UA_APP_ID", "team.app")]),
            (None, Some(true), Some("team.app".to_owned()))
        );
    }

    #[test]
    fn an_invalid_value_stops_the_start() {
        let (url, flag) = ("a URL such as https://ec2.eu-west-1.amazonaws.com", "true or false");
        for (name, value, allowed) in [
            ("AWS_ENDPOINT_URL", "localhost", url),
            ("AWS_ENDPOINT_URL_EC2", "/path", url),
            ("AWS_ENDPOINT_URL_SNS", "ftp://localhost", url),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://", url),
            ("AWS_USE_FIPS_ENDPOINT", "1", flag),
            ("AWS_USE_DUALSTACK_ENDPOINT", "yes", flag),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "no", flag),
            ("AWS_SDK_UA_APP_ID", "two words", "letters, digits and !#$%&'*+-.^_`|~"),
        ] {
            let expected = Error::Config(format!("{name} is {value:?}; allowed is {allowed}"));
            assert_eq!(with_keys(&[(name, value)]).unwrap_err(), expected);
        }
    }
}
