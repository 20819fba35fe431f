//! The services that AWS serves through gateway endpoints.

use crate::network::name::named;

/// A service that AWS serves through gateway endpoints. The settings can require one on every route table.
///
/// See <https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GatewayService {
    /// Amazon DynamoDB.
    DynamoDb,
    /// Amazon S3.
    S3,
    /// Amazon S3 Express One Zone (directory buckets).
    S3Express,
}

named!(GatewayService { DynamoDb => "dynamodb", S3 => "s3", S3Express => "s3express" });

impl GatewayService {
    /// The names of all services, as error messages list them.
    pub const LIST: &str = "s3, dynamodb and s3express";

    /// The name to show to people, such as `S3 Express One Zone`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::DynamoDb => "DynamoDB",
            Self::S3 => "S3",
            Self::S3Express => "S3 Express One Zone",
        }
    }

    /// The service name that `CreateVpcEndpoint` expects in a Region. The names of gateway services begin with
    /// `com.amazonaws` in every partition.
    #[must_use]
    pub fn endpoint_service_name(self, region: &str) -> String {
        format!("com.amazonaws.{region}.{}", self.name())
    }

    /// Whether an endpoint's service name is exactly this service in exactly this Region.
    ///
    /// All of the text after the Region is compared: `com.amazonaws.eu-west-1.s3-global.accesspoint` is not S3. The
    /// prefix `cn.` is ignored, because China lists `cn.com.amazonaws.<region>.s3` in addition to the common name.
    #[must_use]
    pub fn is_named(self, endpoint_service_name: &str, region: &str) -> bool {
        let common = endpoint_service_name.strip_prefix("cn.").unwrap_or(endpoint_service_name);
        common
            .strip_prefix("com.amazonaws.")
            .and_then(|rest| rest.strip_prefix(region))
            .and_then(|rest| rest.strip_prefix('.'))
            == Some(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_names_match_exactly() {
        assert!(GatewayService::S3.is_named("com.amazonaws.eu-west-1.s3", "eu-west-1"));
        assert!(GatewayService::S3.is_named("cn.com.amazonaws.cn-north-1.s3", "cn-north-1"));
        for other in [
            "com.amazonaws.eu-west-1.s3express",
            "com.amazonaws.eu-west-1.s3-outposts",
            "com.amazonaws.eu-west-1.s3-global.accesspoint",
            "com.amazonaws.s3-global.accesspoint",
            "com.amazonaws.eu-west-2.s3",
            "com.amazonaws.eu-west-11.s3",
            "com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d.s3",
            "aws.sagemaker.eu-west-1.s3",
            "s3",
            "",
        ] {
            assert!(!GatewayService::S3.is_named(other, "eu-west-1"), "{other}");
        }
    }

    #[test]
    fn error_messages_list_every_service() {
        let mut listed: Vec<&str> =
            GatewayService::LIST.split([',', ' ']).filter(|word| !["", "and"].contains(word)).collect();
        listed.sort_unstable();
        assert_eq!(listed, GatewayService::ALL.map(GatewayService::name));
    }

    #[test]
    fn every_service_is_found_only_by_its_exact_name() {
        for service in GatewayService::ALL {
            assert_eq!(GatewayService::from_name(service.name()), Some(service));
            assert!(service.is_named(&service.endpoint_service_name("us-gov-west-1"), "us-gov-west-1"));
        }
        assert_eq!(GatewayService::from_name("ec2"), None);
        assert_eq!(GatewayService::from_name("S3"), None);
    }
}
