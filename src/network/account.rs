//! Where the function runs: the one account and Region whose network it may judge.

/// The partition, account and Region of the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRegion {
    /// The partition, such as `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The account, 12 digits. `None` where the function's ARN is not one, as under `cargo lambda watch`.
    pub account: Option<String>,
    /// The Region, such as `eu-west-1`.
    pub region: String,
}

impl AccountRegion {
    /// Reads account and partition from the ARN that Lambda sends with each invocation
    /// (`arn:<partition>:lambda:<region>:<account>:function:<name>`) and the Region that it sets in `AWS_REGION`.
    ///
    /// Text that is no such ARN gives no account, and the partition that the Region belongs to.
    #[must_use]
    pub fn new(function_arn: &str, region: &str) -> Self {
        let parts: Vec<&str> = function_arn.split(':').collect();
        let known = match parts.as_slice() {
            ["arn", partition, "lambda", _, account, "function", ..] if is_account(account) => {
                Some((partition, account))
            }
            _ => None,
        };
        Self {
            partition: known.map_or_else(|| partition_of(region), |(partition, _)| partition).to_owned(),
            account: known.map(|(_, account)| (*account).to_owned()),
            region: region.to_owned(),
        }
    }
}

impl AccountRegion {
    /// Whether this is known to be another account's, by the id of its owner.
    #[must_use]
    pub fn is_foreign(&self, owner_id: Option<&str>) -> bool {
        matches!((owner_id, self.account.as_deref()), (Some(owner), Some(ours)) if owner != ours)
    }
}

/// Whether the text is written like a Region, such as `eu-west-1`.
#[must_use]
pub fn is_region(text: &str) -> bool {
    text.contains('-') && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Whether the text is an account number: 12 digits.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// The partition of a Region, by its prefix
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
fn partition_of(region: &str) -> &'static str {
    const PREFIXES: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    PREFIXES.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_tells_partition_and_account() {
        assert_eq!(
            AccountRegion::new("arn:aws-cn:lambda:cn-north-1:123456789012:function:gatewatch:live", "cn-north-1"),
            AccountRegion {
                partition: "aws-cn".into(),
                account: Some("123456789012".into()),
                region: "cn-north-1".into()
            }
        );
    }

    #[test]
    fn without_an_arn_only_the_region_counts() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-isob-east-1", "aws-iso-b"),
            ("cn-north-1", "aws-cn"),
        ] {
            assert_eq!(
                AccountRegion::new("function-arn", region),
                AccountRegion { partition: partition.into(), account: None, region: region.into() }
            );
        }
    }

    #[test]
    fn only_a_known_other_owner_is_foreign() {
        let account_region =
            AccountRegion { partition: "aws".into(), account: Some("123456789012".into()), region: "eu-west-1".into() };
        let local = AccountRegion { account: None, ..account_region.clone() };
        assert!(account_region.is_foreign(Some("210987654321")));
        assert!(!account_region.is_foreign(Some("123456789012")));
        assert!(!account_region.is_foreign(None));
        assert!(!local.is_foreign(Some("210987654321")));
    }

    #[test]
    fn an_arn_of_something_else_is_none() {
        assert_eq!(AccountRegion::new("arn:aws:sns:eu-west-1:123456789012:topic", "eu-west-1").account, None);
        assert_eq!(AccountRegion::new("arn:aws:lambda:eu-west-1:12345678901x:function:f", "eu-west-1").account, None);
    }
}
