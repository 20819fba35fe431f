//! A topic that keeps the messages that it receives, or rejects them.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::method};

use super::{api_calls, form};

/// A server for `Publish` and `GetTopicAttributes` calls.
pub struct Sns {
    server: MockServer,
}

struct Topic {
    /// Rejects the messages that contain this text.
    refused: Option<&'static str>,
    /// The answers to `GetTopicAttributes`, one after the other. The last one is repeated.
    subscriptions: Vec<Subscriptions>,
    /// How often `GetTopicAttributes` was called.
    asked: AtomicUsize,
}

/// An answer to `GetTopicAttributes`.
#[derive(Clone, Copy)]
pub enum Subscriptions {
    /// The number of confirmed subscriptions.
    Confirmed(usize),
    /// The question is denied.
    Denied,
    /// No answer for two minutes.
    Hangs,
}

impl Sns {
    pub async fn accepting_all() -> Self {
        Self::serving(None, &[Subscriptions::Confirmed(1)]).await
    }

    pub async fn refusing(text: &'static str) -> Self {
        Self::serving(Some(text), &[Subscriptions::Confirmed(1)]).await
    }

    /// Accepts all messages, and gives these answers about subscriptions one after the other. The last one is repeated.
    pub async fn with_subscriptions(subscriptions: &[Subscriptions]) -> Self {
        Self::serving(None, subscriptions).await
    }

    async fn serving(refused: Option<&'static str>, subscriptions: &[Subscriptions]) -> Self {
        let topic = Topic { refused, subscriptions: subscriptions.to_vec(), asked: AtomicUsize::new(0) };
        let server = MockServer::builder().start().await;
        Mock::given(method("POST")).respond_with(topic).mount(&server).await;
        Self { server }
    }

    pub fn url(&self) -> String {
        self.server.uri()
    }

    /// The forms of the `Publish` calls that were made.
    pub async fn calls(&self) -> Vec<HashMap<String, String>> {
        self.calls_of("Publish").await
    }

    /// The forms of the calls of this action that were made.
    pub async fn calls_of(&self, action: &str) -> Vec<HashMap<String, String>> {
        api_calls(&self.server).await.iter().map(form).filter(|form| form["Action"] == action).collect()
    }
}

fn denied() -> ResponseTemplate {
    ResponseTemplate::new(403).insert_header("x-amzn-requestid", "0a1b-request").set_body_string(
        "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
         <Code>AuthorizationError</Code><Message>secret</Message></Error><RequestId>0a1b-request</RequestId>\
         </ErrorResponse>",
    )
}

fn attributes(subscriptions: usize) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(format!(
        "<GetTopicAttributesResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><GetTopicAttributesResult>\
         <Attributes><entry><key>SubscriptionsPending</key><value>1</value></entry><entry>\
         <key>SubscriptionsConfirmed</key><value>{subscriptions}</value></entry></Attributes>\
         </GetTopicAttributesResult></GetTopicAttributesResponse>"
    ))
}

impl Respond for Topic {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let form = form(request);
        if form["Action"] == "GetTopicAttributes" {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst);
            return match self.subscriptions[asked.min(self.subscriptions.len() - 1)] {
                Subscriptions::Confirmed(subscriptions) => attributes(subscriptions),
                Subscriptions::Denied => denied(),
                Subscriptions::Hangs => attributes(1).set_delay(Duration::from_mins(2)),
            };
        }
        if self.refused.is_some_and(|text| form["Message"].contains(text)) {
            return denied();
        }
        ResponseTemplate::new(200).set_body_string(
            "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
             <MessageId>0a1b2c3d-0000-4000-8000-000000000001</MessageId></PublishResult><ResponseMetadata>\
             <RequestId>0a1b-request</RequestId></ResponseMetadata></PublishResponse>",
        )
    }
}
