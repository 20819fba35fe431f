//! The SDK clients: one HTTP client and one TLS stack for all of them, and a time limit for every call.

use std::{sync::Arc, time::Duration};

use aws_sdk_ec2::config::{BehaviorVersion, IdentityCache, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

use crate::{
    aws::{account_clients::AccountClients, event_bus::EventBus, members::Members, sdk_config, sns::SnsTopic},
    channel::Channel,
    error::Error,
    settings::{Settings, Topic},
};

/// The limit of one attempt of one call. A page of 1,000 subnets takes well under a second. The SDK has no such limit by
/// default: a connection that a firewall drops silently would hang until the invocation ends.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// The limit of one call with all its attempts and the waits between them.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// EC2 refills its bucket of 100 describe calls by 20 per second, so short throttling ends within seconds
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>).
const MAX_ATTEMPTS: u32 = 5;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(4);

/// The limits for DynamoDB, which answers in milliseconds: findings do not wait long for a history that is down.
const HISTORY_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const HISTORY_OPERATION_TIMEOUT: Duration = Duration::from_secs(5);

/// The clients of the services that the function calls.
#[derive(Debug)]
pub struct Clients {
    /// Read the function's own account and Region, with its own credentials.
    pub own: Arc<AccountClients>,
    /// Read the other accounts of the organization. `None` if the function is not a hub.
    pub members: Option<Members>,
    /// Reads and writes the alert history.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The topics, each in its Region.
    pub topics: Vec<SnsTopic>,
    /// The event bus that receives findings, if there is one.
    pub event_bus: Option<EventBus>,
}

impl Clients {
    /// Creates the clients. Nothing is sent yet. `variable` returns the environment variables with the credentials and the
    /// endpoints.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the credentials are missing or a variable is invalid.
    pub fn new(settings: &Settings, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        // All clients share one HTTP client, so that they share connections and the TLS set-up is paid once.
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let shared = sdk_config::read(variable)?
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .identity_cache(IdentityCache::lazy().build())
            .region(Region::new(settings.region.clone()))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            )
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(MAX_ATTEMPTS)
                    .with_initial_backoff(FIRST_BACKOFF)
                    .with_max_backoff(MAX_BACKOFF),
            )
            .build();
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(&shared).timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(HISTORY_ATTEMPT_TIMEOUT)
                .operation_attempt_timeout(HISTORY_ATTEMPT_TIMEOUT)
                .operation_timeout(HISTORY_OPERATION_TIMEOUT)
                .build(),
        );
        let topic = |(&channel, settings): (&Channel, &Topic)| {
            let sns = aws_sdk_sns::config::Builder::from(&shared).region(Region::new(settings.region.clone()));
            let client = aws_sdk_sns::Client::from_conf(sns.build());
            SnsTopic { channel, topic_arn: settings.arn.clone(), client }
        };
        Ok(Self {
            members: (settings.markers.as_ref().and_then(|markers| markers.member_role.as_ref()))
                .map(|role| Members::new(role, &shared)),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            topics: settings.topics.iter().map(topic).collect(),
            event_bus: settings.event_bus.as_ref().map(|bus| EventBus::new(bus, &shared)),
            own: Arc::new(AccountClients::own(shared)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

    /// A server that answers every call with an error that is not retried.
    async fn refusing() -> MockServer {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(400)).mount(&server).await;
        server
    }

    /// For each call that the server received: the scope of its signature, its token and the name in its user agent.
    async fn calls(server: &MockServer) -> Vec<[String; 3]> {
        let requests = server.received_requests().await.unwrap_or_default();
        let call = |request: &wiremock::Request| {
            let header = |name| request.headers[name].to_str().unwrap().to_owned();
            let scope = header("authorization").replace('/', " ");
            let scope = scope.split_once("Credential=").unwrap().1.split(',').next().unwrap().to_owned();
            let without_date = scope.split(' ').enumerate().filter(|(at, _)| *at != 1).map(|(_, part)| part);
            let agent = header("user-agent").split(' ').find(|part| part.starts_with("app/")).unwrap().to_owned();
            [without_date.collect::<Vec<_>>().join(" "), header("x-amz-security-token"), agent]
        };
        requests.iter().map(call).collect()
    }

    #[tokio::test]
    async fn the_clients_use_the_credentials_and_endpoints_of_the_variables() {
        let (of_ec2, of_the_others) = (refusing().await, refusing().await);
        let (url_of_ec2, url) = (of_ec2.uri(), of_the_others.uri());
        let topic = "arn:aws:sns:us-east-1:123456789012:gatewatch";
        let variables = BTreeMap::from([
            ("AWS_REGION", "eu-west-1"),
            ("TOPIC_ARN", topic),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_ENDPOINT_URL_EC2", url_of_ec2.as_str()),
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_SDK_UA_APP_ID", "test"),
        ]);
        let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        let clients = Clients::new(&Settings::read(variable).unwrap(), variable).unwrap();

        clients.own.ec2.describe_vpcs().send().await.unwrap_err();
        clients.dynamodb.list_tables().send().await.unwrap_err();
        clients.topics[0].client.publish().topic_arn(topic).message("text").send().await.unwrap_err();

        let call = |scope: &str| [format!("key {scope} aws4_request"), "token".to_owned(), "app/test".to_owned()];
        assert_eq!(calls(&of_ec2).await, [call("eu-west-1 ec2")]);
        assert_eq!(calls(&of_the_others).await, [call("eu-west-1 dynamodb"), call("us-east-1 sns")]);
    }

    #[test]
    fn clients_without_credentials_are_not_created() {
        let variable = |name: &str| match name {
            "AWS_REGION" => Some("eu-west-1".to_owned()),
            "TOPIC_ARN" => Some("arn:aws:sns:eu-west-1:123456789012:gatewatch".to_owned()),
            _ => None,
        };
        let error = Clients::new(&Settings::read(variable).unwrap(), variable).unwrap_err();
        assert!(error.to_string().starts_with("AWS_ACCESS_KEY_ID is not set"), "{error}");
    }
}
