//! The names of services, and what people call them.

use super::untrusted_text::plain;
use crate::network::{arn::is_region, service::GatewayService};

/// The name of a service, as findings have it: `s3`, or the service name of an endpoint such as
/// `com.amazonaws.eu-west-1.ssm`.
pub(super) type ServiceName<'a> = &'a str;

/// What people call a service, such as `S3` or `ssm`. Anybody can offer a service for endpoints, so the name is filtered.
pub(super) fn title(service: ServiceName<'_>) -> String {
    let short = short_name(service);
    GatewayService::from_name(short).map_or_else(|| plain(short), |service| service.title().to_owned())
}

/// The name of a service of AWS without the Region: `ssm` for `com.amazonaws.eu-west-1.ssm`. Other names stay as they are.
fn short_name(service: ServiceName<'_>) -> &str {
    let common = service.strip_prefix("cn.").unwrap_or(service);
    (common.strip_prefix("com.amazonaws."))
        .and_then(|rest| rest.split_once('.'))
        .filter(|(region, short)| is_region(region) && !short.is_empty())
        .map_or(service, |(_, short)| short)
}

/// What people call these services, such as `S3` or `S3 and DynamoDB`. Each title once.
pub(super) fn titles(services: &[ServiceName<'_>]) -> String {
    let mut titles: Vec<String> = Vec::new();
    for title in services.iter().map(|service| title(service)) {
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    match titles.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_common_name_or_the_short_name() {
        for (name, expected) in [
            ("s3", "S3"),
            ("dynamodb", "DynamoDB"),
            ("com.amazonaws.eu-west-1.s3", "S3"),
            ("com.amazonaws.eu-west-1.ssm", "ssm"),
            ("com.amazonaws.eu-west-1.ecr.dkr", "ecr.dkr"),
            ("cn.com.amazonaws.cn-north-1.ecr.api", "ecr.api"),
            ("com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d", "com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d"),
            ("aws.sagemaker.eu-west-1.notebook", "aws.sagemaker.eu-west-1.notebook"),
            ("evil\n<b>`x`", "evilbx"),
        ] {
            assert_eq!(title(name), expected, "{name}");
        }
        assert_eq!(titles(&[]), "");
        assert_eq!(titles(&["com.amazonaws.eu-west-1.s3", "s3", "dynamodb"]), "S3 and DynamoDB");
        assert_eq!(titles(&["s3express", "s3", "dynamodb"]), "S3 Express One Zone, S3 and DynamoDB");
    }
}
