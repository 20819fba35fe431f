//! What the function prepares before its first event, and that a failure of it changes nothing.

use std::{net::TcpListener, time::Duration};

use serde_json::json;
use wiremock::ResponseTemplate;

use crate::{
    history::{check_vpc, uncovered, variables},
    support::{
        connections::CountedConnections,
        dynamodb::DynamoDb,
        lambda::{Outcome, invoke, report, start_without_event},
        sns::{Sns, Subscriptions},
    },
};

const MINUTE: Duration = Duration::from_mins(1);
/// The start waits half a second at most. On a busy machine, everything else takes a while too. A call that hangs would
/// take at least two seconds.
const LONGEST_START: Duration = Duration::from_millis(1900);
const TOPICS: [(&str, &str); 2] = [
    ("TEXT_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:text"),
    ("CHAT_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:chat"),
];

#[tokio::test]
async fn the_connections_of_the_first_event_are_open_before_it_comes() {
    let (ec2, sns, dynamodb) = (uncovered().await, Sns::accepting_all().await, DynamoDb::holding(Vec::new()).await);
    let counted = [ec2.url(), sns.url(), dynamodb.url()].map(|url| CountedConnections::to(&url));
    let count = || counted.each_ref().map(CountedConnections::count);
    let [ec2_url, sns_url, dynamodb_url] = counted.each_ref().map(CountedConnections::url);
    let variables = [&variables(ec2_url, sns_url, dynamodb_url)[..], &TOPICS].concat();

    start_without_event(&variables).await;
    assert_eq!(count(), [4, 3, 1]);
    assert_eq!((ec2.calls().await, dynamodb.calls().await), (Vec::new(), Vec::new()), "no API call");
    assert_eq!((sns.calls_of("GetTopicAttributes").await.len(), sns.calls().await.len()), (3, 0));

    let report = report(invoke(&variables, &check_vpc(), MINUTE).await);
    assert_eq!(report["published"], json!(3));
    assert_eq!(count(), [8, 6, 2], "the event opens no connection");
}

#[tokio::test]
async fn without_a_history_no_connection_to_dynamodb_is_opened() {
    let (ec2, sns, dynamodb) = (uncovered().await, Sns::accepting_all().await, DynamoDb::holding(Vec::new()).await);
    let counted = CountedConnections::to(&dynamodb.url());
    let (ec2_url, sns_url) = (ec2.url(), sns.url());
    let mut variables = variables(&ec2_url, &sns_url, counted.url()).to_vec();
    variables.retain(|(name, _)| *name != "LEDGER_TABLE");
    start_without_event(&variables).await;
    assert_eq!(counted.count(), 0);
}

#[tokio::test]
async fn a_warm_up_that_fails_or_hangs_changes_nothing() {
    let errors = ResponseTemplate::new(500);
    let hanging = ResponseTemplate::new(200).set_delay(MINUTE * 2);
    for (ping, at_start) in [(errors, Subscriptions::Denied), (hanging, Subscriptions::Hangs)] {
        let ec2 = uncovered().await.with_pings(ping.clone()).await;
        let dynamodb = DynamoDb::holding(Vec::new()).await.with_pings(ping).await;
        let (ec2_url, dynamodb_url) = (ec2.url(), dynamodb.url());
        let sns = Sns::with_subscriptions(&[at_start]).await;
        let took = start_without_event(&variables(&ec2_url, &sns.url(), &dynamodb_url)).await;
        assert!(took < LONGEST_START, "{took:?}");
        let sns = Sns::with_subscriptions(&[at_start, Subscriptions::Confirmed(1)]).await;
        let invocation = invoke(&variables(&ec2_url, &sns.url(), &dynamodb_url), &check_vpc(), MINUTE).await;
        assert_eq!(report(invocation)["published"], json!(1));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_a_server_the_function_starts_and_names_the_failure() {
    // Nobody listens at the first address. The second one accepts connections and never answers.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [closed, silent.local_addr().unwrap()] {
        let url = format!("http://{address}");
        let took = start_without_event(&variables(&url, &url, &url)).await;
        assert!(took < LONGEST_START, "{took:?}");
    }
    let url = format!("http://{closed}");
    let invocation = invoke(&variables(&url, &url, &url), &check_vpc(), MINUTE).await;
    let Outcome::Error(error_type, _) = invocation.outcome else { panic!("{invocation:?}") };
    assert_eq!(error_type, "Ec2ReadFailed");
}
