//! Servers for the binary: the Lambda Runtime API, and EC2, SNS and DynamoDB with the answers that a test gives them. They
//! do what an emulator cannot: exact answers of the real EC2, and every kind of fault.

// Each server is new and not from the pool of wiremock: a pooled server can wait forever for a long delay of its former user.
pub mod connections;
pub mod dynamodb;
pub mod ec2;
pub mod lambda;
pub mod optional_services;
pub mod organization;
pub mod sns;

use std::collections::HashMap;

use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::method};

/// The fields of a form, as the EC2 and SNS query protocols send it.
pub fn form(request: &Request) -> HashMap<String, String> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

/// The API calls that a server has received. The pings of the warm-up are none.
pub async fn api_calls(server: &MockServer) -> Vec<Request> {
    let requests = server.received_requests().await.unwrap_or_default();
    requests.into_iter().filter(|request| request.method == "POST").collect()
}

/// Makes a server answer pings like this. Other servers answer them with 404.
pub async fn answer_pings(server: &MockServer, answer: ResponseTemplate) {
    Mock::given(method("GET")).respond_with(answer).mount(server).await;
}
