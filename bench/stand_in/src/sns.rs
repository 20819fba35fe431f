//! SNS: accepts every message. Every topic has one confirmed subscription.

/// The answer to a call: status and body.
pub fn answer(action: &str) -> (u16, String) {
    let result = match action {
        "Publish" => "<MessageId>0a1b2c3d-0000-4000-8000-000000000001</MessageId>",
        "GetTopicAttributes" => {
            "<Attributes><entry><key>SubscriptionsPending</key><value>0</value></entry><entry>\
             <key>SubscriptionsConfirmed</key><value>1</value></entry></Attributes>"
        }
        _ => return (400, "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>".to_owned()),
    };
    let body = format!(
        "<{action}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>0a1b2c3d-0000-4000-8000-000000000000</RequestId></ResponseMetadata>\
         </{action}Response>"
    );
    (200, body)
}
