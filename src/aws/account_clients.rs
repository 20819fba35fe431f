//! The clients that read one account and Region.

use std::time::SystemTime;

use aws_sdk_ec2::config::{
    Builder,
    retry::{RetryPartition, TokenBucket},
};
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
    /// When the session in another account began; `None` for the function's own credentials.
    pub session_began_at: Option<SystemTime>,
    /// What the clients share. Clients of services that only some checks need are created from it when they are needed.
    pub(super) shared: SdkConfig,
}

impl AccountClients {
    /// Creates the clients with the function's own credentials. Nothing is sent yet.
    pub(super) fn own(shared: SdkConfig) -> Self {
        Self::new(shared, None, |config| config)
    }

    /// Creates the clients with a session in another account, which began at this time. Nothing is sent yet.
    ///
    /// They have a budget of retries of their own. The default is one for each Region: an account that always fails would
    /// leave none to the others. A partition with a name would be kept by the SDK for good; this one ends with the clients.
    pub(super) fn with_session(shared: SdkConfig, began_at: SystemTime) -> Self {
        let partition = RetryPartition::custom("member").token_bucket(TokenBucket::default()).build();
        Self::new(shared, Some(began_at), |config| config.retry_partition(partition))
    }

    fn new(shared: SdkConfig, session_began_at: Option<SystemTime>, change: impl FnOnce(Builder) -> Builder) -> Self {
        let ec2_bucket = Bucket::default();
        let ec2 = Builder::from(&shared).interceptor(CompleteResponse).interceptor(ec2_bucket.clone());
        let ec2 = change(ec2);
        Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2.build()),
            ec2_bucket,
            known_services: KnownServices::default(),
            session_began_at,
            shared,
        }
    }
}
