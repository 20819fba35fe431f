//! Servers for the binary: the Lambda Runtime API, and EC2, SNS and DynamoDB with the answers that a test gives them. They
//! do what an emulator cannot: exact answers of the real EC2, and every kind of fault.

// Each server is new and not from the pool of wiremock: a pooled server can wait forever for a long delay of its former user.
pub mod dynamodb;
pub mod ec2;
pub mod lambda;
pub mod sns;

use std::collections::HashMap;

use wiremock::Request;

/// The fields of a form, as the EC2 and SNS query protocols send it.
pub fn form(request: &Request) -> HashMap<String, String> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}
