//! Prepares the clients while the function starts, so that the first event does not pay for it: connections, TLS,
//! endpoints, credentials.
//!
//! Nothing here can fail the start, or delay it by more than half a second. What is not ready by then, the first event does
//! itself. Lambda can start a process long before its first event
//! (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>). Its connections may be closed by then,
//! like those of any process that waits for a long time.

use std::time::Duration;

use aws_sdk_ec2::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, http::HttpRequest, interceptors::BeforeTransmitInterceptorContextMut,
        retry::RetryConfig,
    },
    error::BoxError,
};
use futures_util::future::{join_all, join3};
use http::{Uri, uri::PathAndQuery};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::{clients::Clients, known_subscribers::KnownSubscribers, sns::SnsTopic};

/// Enough for a topic in the most distant Region: a name look-up and four round trips. Without a route to AWS, which calls
/// wait for in vain, the start takes this much longer.
const TIME_LIMIT: Duration = Duration::from_millis(500);
/// The read of a VPC makes so many calls at once.
const EC2_CONNECTIONS: usize = 4;

/// Opens the connections that the first event uses, and looks up which topics have subscribers.
pub async fn warm_up(clients: &Clients, history_table: Option<&str>, known_subscribers: &KnownSubscribers) {
    let ec2 = join_all((0..EC2_CONNECTIONS).map(|_| ping_ec2(&clients.own.ec2)));
    let dynamodb = async {
        if let Some(table) = history_table {
            ping_dynamodb(&clients.dynamodb, table).await;
        }
    };
    let sns = join_all(clients.topics.iter().map(|topic| look_up(topic, known_subscribers)));
    if timeout(TIME_LIMIT, join3(ec2, dynamodb, sns)).await.is_err() {
        debug!("the clients were not prepared in time");
    }
}

/// The answer to a ping is not the one of the operation, so it never counts as a success.
async fn ping_ec2(client: &aws_sdk_ec2::Client) {
    let one_attempt = aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled());
    let _ = client.describe_vpcs().customize().interceptor(Ping).config_override(one_attempt).send().await;
}

/// With the table, because the endpoint can depend on it.
async fn ping_dynamodb(client: &aws_sdk_dynamodb::Client, table: &str) {
    let one_attempt = aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled());
    let call = client.query().table_name(table);
    let _ = call.customize().interceptor(Ping).config_override(one_attempt).send().await;
}

/// SNS is asked a real question, because its answer is needed.
async fn look_up(topic: &SnsTopic, known_subscribers: &KnownSubscribers) {
    let asked_at = Instant::now();
    match topic.has_subscribers_in_one_attempt().await {
        Ok(true) => known_subscribers.remember(topic.channel, asked_at),
        Ok(false) => {}
        Err(why) => debug!(channel = topic.channel.name(), error = ?why, "the topic was not looked up"),
    }
}

/// Replaces the request of an operation by `GET /ping`, after everything that precedes sending was done for the operation.
///
/// The endpoints of AWS answer it without a signature. It is no API call: it needs no permission, appears in no trail, and
/// takes no token from the bucket of EC2. Only its connection matters.
#[derive(Debug)]
struct Ping;

impl Intercept for Ping {
    fn name(&self) -> &'static str {
        "Ping"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut uri = context.request().uri().parse::<Uri>()?.into_parts();
        uri.path_and_query = Some(PathAndQuery::from_static("/ping"));
        *context.request_mut() = HttpRequest::get(Uri::from_parts(uri)?.to_string())?;
        Ok(())
    }
}
