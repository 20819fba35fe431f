//! The function's binary, driven over the Lambda Runtime API, with servers in place of EC2, SNS and DynamoDB that answer what a
//! test tells them to. For what an emulator cannot be made to do: exact answers of real EC2, and every kind of fault.

// Each server is started by itself, not taken from wiremock's pool: a pooled one can wait for ever on a long delay of its
// former user.
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
