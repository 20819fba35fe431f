//! Interface endpoints that attract all S3 or DynamoDB traffic of their VPC, although a gateway endpoint is free.

pub mod rule;
