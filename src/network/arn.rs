//! Amazon Resource Names.

/// An ARN with a Region and an account: `arn:<partition>:<service>:<region>:<account>:<resource>`
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// The partition, such as `aws` or `aws-cn`.
    pub partition: &'a str,
    /// The service, such as `sns`.
    pub service: &'a str,
    /// The Region, such as `eu-west-1`.
    pub region: &'a str,
    /// The account, 12 digits.
    pub account: &'a str,
    /// The rest of the ARN. It may contain colons.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads an ARN. `None` if the text is not one.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        let ("arn", partition, service, region, account, resource) =
            (next()?, next()?, next()?, next()?, next()?, next()?)
        else {
            return None;
        };
        let is_arn = partition.starts_with("aws") && is_region(region) && is_account(account);
        is_arn.then_some(Self { partition, service, region, account, resource })
    }
}

/// Whether the text has the form of a Region name, such as `eu-west-1`.
#[must_use]
pub fn is_region(text: &str) -> bool {
    text.contains('-') && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Whether the text is an account number: 12 digits.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_six_parts() {
        assert_eq!(
            Arn::parse("arn:aws-cn:lambda:cn-north-1:123456789012:function:gatewatch:live"),
            Some(Arn {
                partition: "aws-cn",
                service: "lambda",
                region: "cn-north-1",
                account: "123456789012",
                resource: "function:gatewatch:live",
            })
        );
    }

    #[test]
    fn other_text_is_not_an_arn() {
        for text in [
            "",
            "gatewatch",
            "arn:aws:sns:eu-west-1:123456789012",
            "ARN:aws:sns:eu-west-1:123456789012:topic",
            "arn:azure:sns:eu-west-1:123456789012:topic",
            "arn:aws:sns::123456789012:topic",
            "arn:aws:sns:ireland:123456789012:topic",
            "arn:aws:sns:eu-west-1:12345678901:topic",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }
}
