//! Rejects an incomplete response of EC2 or Route 53, which answer in XML.
//!
//! The SDK reads XML as far as it goes: if a proxy cuts a response under HTTP 200, the SDK returns a shorter list without an
//! error. A route table without its routes, or a missing endpoint or hosted zone, would become a false finding.

use aws_sdk_ec2::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::AfterDeserializationInterceptorContextRef},
    error::BoxError,
};

/// Checks every response before it is used.
#[derive(Debug)]
pub struct CompleteResponse;

impl Intercept for CompleteResponse {
    fn name(&self) -> &'static str {
        "CompleteResponse"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if response.status().is_success() && !response.body().bytes().is_some_and(is_complete) {
            return Err("the answer breaks off".into());
        }
        Ok(())
    }
}

/// Whether the body ends with the end tag of its root element, such as `</DescribeVpcsResponse>`.
fn is_complete(body: &[u8]) -> bool {
    let body = body.trim_ascii_end();
    let last_tag = body.iter().rposition(|b| *b == b'<').map_or(&[][..], |start| &body[start..]);
    let reads = [&b"</Describe"[..], b"</Get", b"</List"];
    reads.iter().any(|read| last_tag.starts_with(read)) && last_tag.ends_with(b"Response>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_body_with_its_end_tag_is_complete() {
        for operation in ["DescribeVpcs", "GetManagedPrefixListEntries", "ListHostedZonesByVPC"] {
            let answer = format!("<{operation}Response><set><item/></set></{operation}Response>\n").into_bytes();
            assert!(is_complete(&answer));
            assert!(is_complete(answer.trim_ascii_end()));
            for end in 0..answer.len() - 1 {
                assert!(!is_complete(&answer[..end]), "{:?}", str::from_utf8(&answer[..end]));
            }
        }
    }
}
