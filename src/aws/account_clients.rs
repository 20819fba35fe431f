//! The clients that read one account and Region.

use aws_types::SdkConfig;

use super::{
    complete_response::CompleteResponse,
    ec2::{bucket::Bucket, known_services::KnownServices},
};

/// The clients that read one account and Region, and what they remember of it.
#[derive(Debug)]
pub struct AccountClients {
    /// Reads the network.
    pub ec2: aws_sdk_ec2::Client,
    /// Limits the calls to EC2. EC2 counts the calls of each account and Region for themselves.
    pub ec2_bucket: Bucket,
    /// The endpoint services that earlier invocations have read. The zones in them are those of the account.
    pub known_services: KnownServices,
    /// What the clients share. Clients of services that only some checks need are created from it when they are needed.
    pub(super) shared: SdkConfig,
}

impl AccountClients {
    /// Creates the clients. Nothing is sent yet.
    pub(super) fn new(shared: SdkConfig) -> Self {
        let ec2_bucket = Bucket::default();
        let ec2 =
            aws_sdk_ec2::config::Builder::from(&shared).interceptor(CompleteResponse).interceptor(ec2_bucket.clone());
        Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2.build()),
            ec2_bucket,
            known_services: KnownServices::default(),
            shared,
        }
    }
}
