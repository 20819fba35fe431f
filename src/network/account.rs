//! The account and Region where the function runs. gatewatch checks only the network of this account and Region.

use super::arn::Arn;

/// The partition, account and Region of the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRegion {
    /// The partition, such as `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The account, 12 digits. `None` if the function has no valid ARN, as under `cargo lambda watch`.
    pub account: Option<String>,
    /// The Region, such as `eu-west-1`.
    pub region: String,
}

impl AccountRegion {
    /// Takes partition and account from the ARN that Lambda sends with each invocation
    /// (`arn:<partition>:lambda:<region>:<account>:function:<name>`), and the Region that Lambda sets in `AWS_REGION`.
    ///
    /// If the text is not the ARN of a function, the account is `None` and the partition is that of the Region.
    #[must_use]
    pub fn new(function_arn: &str, region: &str) -> Self {
        let arn =
            Arn::parse(function_arn).filter(|arn| arn.service == "lambda" && arn.resource.starts_with("function:"));
        Self {
            partition: arn.map_or_else(|| partition_of(region), |arn| arn.partition).to_owned(),
            account: arn.map(|arn| arn.account.to_owned()),
            region: region.to_owned(),
        }
    }

    /// Whether the owner is known to be another account. `false` if either account is unknown.
    #[must_use]
    pub fn is_foreign(&self, owner_id: Option<&str>) -> bool {
        matches!((owner_id, self.account.as_deref()), (Some(owner), Some(ours)) if owner != ours)
    }
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
    fn an_arn_gives_partition_and_account() {
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
    fn without_an_arn_the_region_gives_the_partition() {
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
    fn an_owner_is_foreign_only_if_both_accounts_are_known_and_differ() {
        let account_region =
            AccountRegion { partition: "aws".into(), account: Some("123456789012".into()), region: "eu-west-1".into() };
        let local = AccountRegion { account: None, ..account_region.clone() };
        assert!(account_region.is_foreign(Some("210987654321")));
        assert!(!account_region.is_foreign(Some("123456789012")));
        assert!(!account_region.is_foreign(None));
        assert!(!local.is_foreign(Some("210987654321")));
    }

    #[test]
    fn an_arn_of_anything_else_gives_no_account() {
        assert_eq!(AccountRegion::new("arn:aws:sns:eu-west-1:123456789012:topic", "eu-west-1").account, None);
        assert_eq!(AccountRegion::new("arn:aws:lambda:eu-west-1:12345678901x:function:f", "eu-west-1").account, None);
    }
}
