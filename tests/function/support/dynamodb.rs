//! Canned answers of DynamoDB, in its JSON.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::{answer_pings, api_calls};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::method};

/// A server that answers queries with these pages and accepts every write. It can deny one operation.
pub struct DynamoDb {
    server: MockServer,
}

#[derive(Default)]
struct Canned {
    pages: Vec<Value>,
    /// The rows of partitions, for queries of a partition and for single rows.
    rows: HashMap<&'static str, Vec<Value>>,
    /// An operation, and a text that is in the requests that are denied.
    refused: Option<(&'static str, &'static str)>,
    /// An operation that is not answered.
    hanging: Option<&'static str>,
    /// Cancels the transactions that contain this text, for this reason: the first ones, this many.
    cancelled: Option<(&'static str, &'static str, AtomicUsize)>,
}

impl DynamoDb {
    /// Each page is a list of items in DynamoDB's JSON.
    pub async fn holding(pages: Vec<Value>) -> Self {
        Self::serving(Canned { pages, ..Canned::default() }).await
    }

    /// Answers queries of these partitions, and calls for one of their rows.
    pub async fn holding_rows(rows: impl IntoIterator<Item = (&'static str, Vec<Value>)>) -> Self {
        Self::serving(Canned { rows: rows.into_iter().collect(), ..Canned::default() }).await
    }

    /// Denies this operation.
    pub async fn refusing(operation: &'static str) -> Self {
        Self::serving(Canned { refused: Some((operation, "")), ..Canned::default() }).await
    }

    /// Answers queries with these pages, and denies the requests of this operation that contain this text.
    pub async fn holding_and_refusing(pages: Vec<Value>, operation: &'static str, text: &'static str) -> Self {
        Self::serving(Canned { pages, refused: Some((operation, text)), ..Canned::default() }).await
    }

    /// Does not answer this operation.
    pub async fn hanging(operation: &'static str) -> Self {
        Self::serving(Canned { hanging: Some(operation), ..Canned::default() }).await
    }

    /// Cancels the first transactions that contain this text, for this reason.
    pub async fn cancelling(text: &'static str, reason: &'static str, times: usize) -> Self {
        Self::serving(Canned { cancelled: Some((text, reason, AtomicUsize::new(times))), ..Canned::default() }).await
    }

    async fn serving(canned: Canned) -> Self {
        let server = MockServer::builder().start().await;
        Mock::given(method("POST")).respond_with(canned).mount(&server).await;
        Self { server }
    }

    /// Answers the pings of the warm-up like this.
    pub async fn with_pings(self, answer: ResponseTemplate) -> Self {
        answer_pings(&self.server, answer).await;
        self
    }

    pub fn url(&self) -> String {
        self.server.uri()
    }

    /// The rows that the n-th call writes, without the lease. The first call has number 0.
    pub async fn rows_of_call(&self, n: usize) -> Vec<Value> {
        let calls = self.calls().await;
        let (operation, body) = &calls[n];
        let requests = match operation.as_str() {
            "TransactWriteItems" => body["TransactItems"].as_array().map(|items| &items[1..]),
            _ => body["RequestItems"]["gatewatch-ledger"].as_array().map(Vec::as_slice),
        };
        requests.unwrap_or_default().to_vec()
    }

    /// The calls in their order: the operation and its body.
    pub async fn calls(&self) -> Vec<(String, Value)> {
        let requests = api_calls(&self.server).await;
        requests.iter().map(|request| (operation(request), body(request))).collect()
    }
}

/// The error of a transaction that was cancelled because of its first row
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
fn cancelled(reason: &str) -> ResponseTemplate {
    ResponseTemplate::new(400).insert_header("x-amzn-requestid", "0a1b-request").set_body_json(json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "CancellationReasons": [{"Code": reason, "Message": "secret"}, {"Code": "None"}],
        "Message": format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{reason}, None]"),
    }))
}

fn operation(request: &Request) -> String {
    let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default().to_owned()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_default()
}

impl Respond for Canned {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let operation = operation(request);
        let answer = |body: Value| ResponseTemplate::new(200).set_body_json(body);
        let contains = |text: &str| String::from_utf8_lossy(&request.body).contains(text);
        if self.refused.is_some_and(|(refused, text)| refused == operation && contains(text)) {
            return ResponseTemplate::new(400).insert_header("x-amzn-requestid", "0a1b-request").set_body_json(
                json!({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "secret"}),
            );
        }
        if let Some((text, reason, times)) = &self.cancelled
            && operation == "TransactWriteItems"
            && contains(text)
            && times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        {
            return cancelled(reason);
        }
        if self.hanging == Some(operation.as_str()) {
            return answer(json!({})).set_delay(Duration::from_mins(2));
        }
        let asked = body(request);
        if operation == "GetItem" {
            let rows = self.rows.get(asked["Key"]["pk"]["S"].as_str().unwrap_or_default());
            let row = rows.and_then(|rows| rows.iter().find(|row| row["sk"] == asked["Key"]["sk"]));
            return answer(row.map_or(json!({}), |row| json!({"Item": row})));
        }
        if operation != "Query" {
            return answer(json!({}));
        }
        if let Some(rows) = self.rows.get(asked["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap_or_default()) {
            return answer(json!({"Items": rows}));
        }
        let n = asked["ExclusiveStartKey"]["sk"]["S"].as_str().map_or(0, |key| key.parse().unwrap_or_default());
        let mut page = json!({"Items": self.pages.get(n).cloned().unwrap_or(json!([]))});
        if n + 1 < self.pages.len() {
            page["LastEvaluatedKey"] = json!({"pk": {"S": "x"}, "sk": {"S": (n + 1).to_string()}});
        }
        answer(page)
    }
}
