//! The services that AWS serves through gateway endpoints.

use crate::network::name::named;

/// A service that can be required to have a gateway endpoint on every route table.
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
    /// The name that people use for it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::DynamoDb => "DynamoDB",
            Self::S3 => "S3",
            Self::S3Express => "S3 Express One Zone",
        }
    }

    /// The name under which `CreateVpcEndpoint` knows the service in a Region. Gateway services go by `com.amazonaws` in
    /// every partition.
    #[must_use]
    pub fn endpoint_service_name(self, region: &str) -> String {
        format!("com.amazonaws.{region}.{}", self.name())
    }

    /// Whether an endpoint's service name is exactly this service in exactly this Region.
    ///
    /// The whole rest after the Region is compared: `com.amazonaws.eu-west-1.s3-global.accesspoint` is not S3, and China
    /// lists `cn.com.amazonaws.<region>.s3` beside the common name.
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
    fn every_service_is_found_by_its_name_and_no_other() {
        for service in GatewayService::ALL {
            assert_eq!(GatewayService::from_name(service.name()), Some(service));
            assert!(service.is_named(&service.endpoint_service_name("us-gov-west-1"), "us-gov-west-1"));
        }
        assert_eq!(GatewayService::from_name("ec2"), None);
        assert_eq!(GatewayService::from_name("S3"), None);
    }
}
