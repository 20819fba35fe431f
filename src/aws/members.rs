//! The accounts of an organization: assumes a role in each, and keeps the clients that read them.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use aws_sdk_ec2::config::{Credentials, IdentityCache, Region, SharedCredentialsProvider};
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_types::SdkConfig;
use lru::LruCache;

use super::{account_clients::AccountClients, error::describe};
use crate::{
    error::Error,
    network::{account::AccountRegion, enrollment::NotEnrolled},
};

/// The session name and the source identity. Both are in each record that CloudTrail of the member account writes about a
/// call of gatewatch.
const SESSION: &str = "gatewatch";
/// The maximum number of sessions that are kept: about a kilobyte each.
const MAX_SESSIONS: NonZeroUsize = NonZeroUsize::new(256).unwrap();
/// The maximum number of accounts and Regions whose clients are kept. A sweep uses each once, and events concern few.
const MAX_CLIENTS: NonZeroUsize = NonZeroUsize::new(32).unwrap();
/// A session that expires sooner than this is not used for a new invocation, which can take a minute.
const MIN_VALIDITY: Duration = Duration::from_mins(5);
/// The function's own credentials are valid as long as its process lives.
const OWN_VALIDITY: Duration = Duration::from_hours(24);

/// The clients that read the accounts of an organization.
#[derive(Debug)]
pub struct Members {
    role_name: String,
    sts: aws_sdk_sts::Client,
    shared: SdkConfig,
    /// By account, with the time when it began.
    sessions: Mutex<LruCache<String, (Credentials, SystemTime)>>,
    /// By account and Region, with the end of their session.
    clients: Mutex<LruCache<Key, (Arc<AccountClients>, SystemTime)>>,
}

/// An account and a Region.
type Key = (String, String);

/// Why an account cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnterError {
    /// It is not enrolled. A retry would not help.
    NotEnrolled(NotEnrolled),
    /// Something else failed.
    Failed(Error),
}

impl Members {
    /// No session yet. `shared` has the function's own credentials, and the Region whose STS endpoint is called: its sessions
    /// are valid in every Region, unlike those of the global endpoint
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_enable-regions.html>).
    pub(super) fn new(role_name: &str, shared: &SdkConfig) -> Self {
        Self {
            role_name: role_name.to_owned(),
            sts: aws_sdk_sts::Client::new(shared),
            shared: shared.clone(),
            sessions: Mutex::new(LruCache::new(MAX_SESSIONS)),
            clients: Mutex::new(LruCache::new(MAX_CLIENTS)),
        }
    }

    /// The clients of an account and Region. For the function's `own` account in another Region, they have the function's own
    /// credentials.
    ///
    /// # Errors
    ///
    /// [`EnterError::NotEnrolled`] if STS does not let the function into the account; [`EnterError::Failed`] with
    /// [`Error::Ec2ReadFailed`] if STS did not answer that.
    pub async fn clients_of(
        &self,
        place: &AccountRegion,
        own: &AccountRegion,
    ) -> Result<Arc<AccountClients>, EnterError> {
        let account = place.account.as_deref().unwrap_or_default();
        let key = (account.to_owned(), place.region.clone());
        let earliest_end = SystemTime::now() + MIN_VALIDITY;
        if let Some((clients, end)) = lock(&self.clients).get(&key)
            && *end > earliest_end
        {
            return Ok(Arc::clone(clients));
        }
        if place.account == own.account {
            let config = self.shared.to_builder().region(Region::new(place.region.clone())).build();
            return Ok(self.keep(key, AccountClients::own(config), SystemTime::now() + OWN_VALIDITY));
        }
        let known = lock(&self.sessions).get(account).filter(|(session, _)| end_of(session) > earliest_end).cloned();
        let (session, began_at) = if let Some(session) = known {
            session
        } else {
            let session = (self.assume_role(account, &place.partition).await?, SystemTime::now());
            lock(&self.sessions).put(account.to_owned(), session.clone());
            session
        };
        let end = end_of(&session);
        let config = self
            .shared
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(session))
            // The session is kept here. The cache of the SDK would keep those of all accounts.
            .identity_cache(IdentityCache::no_cache())
            .region(Region::new(place.region.clone()))
            .build();
        Ok(self.keep(key, AccountClients::with_session(config, began_at), end))
    }

    /// Forgets the session in an account that began at this time, and the clients that use it. Another one stays: the events
    /// of another Region may have begun it meanwhile.
    pub fn forget(&self, account: &str, began_at: SystemTime) {
        let mut sessions = lock(&self.sessions);
        if sessions.peek(account).is_some_and(|(_, of_session)| *of_session == began_at) {
            sessions.pop(account);
        }
        let mut clients = lock(&self.clients);
        let has_session =
            |key: &Key, clients: &AccountClients| key.0 == account && clients.session_began_at == Some(began_at);
        let outdated: Vec<Key> = (clients.iter())
            .filter(|(key, (clients, _))| has_session(key, clients))
            .map(|(key, _)| key.clone())
            .collect();
        for key in outdated {
            clients.pop(&key);
        }
    }

    fn keep(&self, key: Key, clients: AccountClients, end: SystemTime) -> Arc<AccountClients> {
        let clients = Arc::new(clients);
        lock(&self.clients).put(key, (Arc::clone(&clients), end));
        clients
    }

    async fn assume_role(&self, account: &str, partition: &str) -> Result<Credentials, EnterError> {
        let role = format!("arn:{partition}:iam::{account}:role/{}", self.role_name);
        let call = self.sts.assume_role().role_arn(role).role_session_name(SESSION).source_identity(SESSION);
        let answer = call.send().await.map_err(|error| match error.code() {
            Some("AccessDenied") => EnterError::NotEnrolled(NotEnrolled::AccessDenied),
            Some("RegionDisabledException") => EnterError::NotEnrolled(NotEnrolled::RegionDisabled),
            _ => failed(account, &describe(&error)),
        })?;
        let session = answer.credentials.ok_or_else(|| failed(account, "the answer has no credentials"))?;
        let end = SystemTime::try_from(session.expiration)
            .map_err(|_| failed(account, "the answer has an expiration that cannot be read"))?;
        Ok(Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.session_token),
            Some(end),
            "AssumeRole",
        ))
    }
}

fn failed(account: &str, why: &str) -> EnterError {
    EnterError::Failed(Error::Ec2ReadFailed(format!("AssumeRole in account {account}: {why}")))
}

/// A session without an end cannot be kept.
fn end_of(session: &Credentials) -> SystemTime {
    session.expiry().unwrap_or(SystemTime::UNIX_EPOCH)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::{
        config::{
            BehaviorVersion, ConfigBag, Intercept, RuntimeComponents,
            interceptors::BeforeTransmitInterceptorContextRef, retry::RetryConfig,
        },
        error::BoxError,
    };

    use super::*;

    /// Keeps the address of a call, which is not sent.
    #[derive(Clone, Debug, Default)]
    struct Recorder(Arc<Mutex<String>>);

    impl Intercept for Recorder {
        fn name(&self) -> &'static str {
            "Recorder"
        }

        fn read_before_transmit(
            &self,
            context: &BeforeTransmitInterceptorContextRef<'_>,
            _: &RuntimeComponents,
            _: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            context.request().uri().clone_into(&mut *lock(&self.0));
            Err("not sent".into())
        }
    }

    #[tokio::test]
    async fn a_role_is_assumed_at_the_sts_endpoint_of_the_region() {
        for (region, endpoint) in [
            ("eu-west-1", "https://sts.eu-west-1.amazonaws.com/"),
            ("us-east-1", "https://sts.us-east-1.amazonaws.com/"),
            ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"),
        ] {
            let shared = SdkConfig::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .retry_config(RetryConfig::disabled())
                .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                    "key", "secret", None, None, "test",
                )))
                .region(Region::new(region))
                .build();
            let recorder = Recorder::default();
            let call =
                Members::new("gatewatch-read", &shared).sts.assume_role().role_arn("arn").role_session_name(SESSION);
            call.customize().interceptor(recorder.clone()).send().await.unwrap_err();
            assert_eq!(*lock(&recorder.0), endpoint);
        }
    }
}
