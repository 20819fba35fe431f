//! A topic that keeps the messages that it receives, or rejects them.

use std::collections::HashMap;

use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::method};

use super::form;

/// A server for `Publish` calls.
pub struct Sns {
    server: MockServer,
}

/// Rejects the messages that contain this text.
struct Refusing(Option<&'static str>);

impl Sns {
    pub async fn accepting_all() -> Self {
        Self::serving(Refusing(None)).await
    }

    pub async fn refusing(text: &'static str) -> Self {
        Self::serving(Refusing(Some(text))).await
    }

    async fn serving(refusing: Refusing) -> Self {
        let server = MockServer::builder().start().await;
        Mock::given(method("POST")).respond_with(refusing).mount(&server).await;
        Self { server }
    }

    pub fn url(&self) -> String {
        self.server.uri()
    }

    /// The forms of the calls that were made.
    pub async fn calls(&self) -> Vec<HashMap<String, String>> {
        self.server.received_requests().await.unwrap_or_default().iter().map(form).collect()
    }
}

impl Respond for Refusing {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let message = &form(request)["Message"];
        if self.0.is_some_and(|text| message.contains(text)) {
            return ResponseTemplate::new(403).insert_header("x-amzn-requestid", "0a1b-request").set_body_string(
                "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
                 <Code>AuthorizationError</Code><Message>secret</Message></Error><RequestId>0a1b-request</RequestId>\
                 </ErrorResponse>",
            );
        }
        ResponseTemplate::new(200).set_body_string(
            "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
             <MessageId>0a1b2c3d-0000-4000-8000-000000000001</MessageId></PublishResult><ResponseMetadata>\
             <RequestId>0a1b-request</RequestId></ResponseMetadata></PublishResponse>",
        )
    }
}
