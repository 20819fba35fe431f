//! A topic that keeps the messages that it receives, or rejects them.

use std::collections::HashMap;

use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::method};

use super::form;

/// A server for `Publish` and `GetTopicAttributes` calls.
pub struct Sns {
    server: MockServer,
}

struct Topic {
    /// Rejects the messages that contain this text.
    refused: Option<&'static str>,
    /// The number of confirmed subscriptions; `None` to deny the question.
    subscriptions: Option<usize>,
}

impl Sns {
    pub async fn accepting_all() -> Self {
        Self::serving(Topic { refused: None, subscriptions: Some(1) }).await
    }

    pub async fn refusing(text: &'static str) -> Self {
        Self::serving(Topic { refused: Some(text), subscriptions: Some(1) }).await
    }

    /// Accepts all messages. The topics have this number of confirmed subscriptions; `None` to deny the question.
    pub async fn with_subscriptions(subscriptions: Option<usize>) -> Self {
        Self::serving(Topic { refused: None, subscriptions }).await
    }

    async fn serving(topic: Topic) -> Self {
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
        let requests = self.server.received_requests().await.unwrap_or_default();
        requests.iter().map(form).filter(|form| form["Action"] == action).collect()
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
            return self.subscriptions.map_or_else(denied, attributes);
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
