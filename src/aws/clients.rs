//! The SDK clients: one HTTP client and one TLS stack for all of them, and a time limit for every call.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

use crate::{
    aws::{
        ec2::{bucket::Bucket, complete_response::CompleteResponse},
        sns::SnsTopic,
    },
    channel::Channel,
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
#[derive(Clone, Debug)]
pub struct Clients {
    /// Reads the network.
    pub ec2: aws_sdk_ec2::Client,
    /// Limits the calls to EC2.
    pub ec2_bucket: Bucket,
    /// Reads and writes the alert history.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The topics, each in its Region.
    pub topics: Vec<SnsTopic>,
}

impl Clients {
    /// Creates the clients. Nothing is sent yet. Credentials and endpoints come from the environment, as the SDK reads it.
    pub async fn new(settings: &Settings) -> Self {
        // All clients share one HTTP client, so that they share connections and the TLS set-up is paid once.
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
        let shared = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
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
            .load()
            .await;
        let ec2_bucket = Bucket::default();
        let ec2 =
            aws_sdk_ec2::config::Builder::from(&shared).interceptor(CompleteResponse).interceptor(ec2_bucket.clone());
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
        Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2.build()),
            ec2_bucket,
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            topics: settings.topics.iter().map(topic).collect(),
        }
    }
}
