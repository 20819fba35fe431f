//! Limits the calls to EC2, so that other programs of the account are not throttled.
//!
//! EC2 has a bucket of 100 tokens for calls that read, and refills it by 20 per second
//! (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>). A sweep that takes them all makes other
//! programs fail. gatewatch keeps a bucket of its own that is half as large and is refilled as fast. So it slows down before
//! EC2 throttles, and never takes more than half of EC2's bucket.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_ec2::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::FinalizerInterceptorContextRef},
    error::BoxError,
};
use tokio::time::{Instant, sleep_until};

/// Half of EC2's bucket.
const TOKENS: u32 = 50;
/// The time in which EC2 adds one token.
const REFILL: Duration = Duration::from_millis(50);
/// The time in which an empty bucket becomes full.
const FULL_REFILL: Duration = REFILL.saturating_mul(TOKENS);

/// The tokens of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// When the bucket is full again, if nothing takes a token until then. It is empty if that takes [`FULL_REFILL`], and
    /// later calls have to wait if it takes longer.
    full_at: Arc<Mutex<Instant>>,
}

impl Default for Bucket {
    /// A full bucket.
    fn default() -> Self {
        Self { full_at: Arc::new(Mutex::new(Instant::now())) }
    }
}

impl Bucket {
    /// Takes a token, and waits until there is one.
    pub(super) async fn take(&self) {
        sleep_until(self.reserve(Instant::now())).await;
    }

    /// Takes a token if there is one. An event reads one page of each of four lists. That is too little to need a limit, and
    /// an alert should not wait.
    pub(super) fn take_without_waiting(&self) {
        self.update(|full_at, now| (full_at + REFILL).min(full_at.max(now + FULL_REFILL)), Instant::now());
    }

    /// Removes all tokens.
    fn empty(&self, now: Instant) {
        self.update(|full_at, now| full_at.max(now + FULL_REFILL), now);
    }

    /// Takes a token, and returns when it is there.
    fn reserve(&self, now: Instant) -> Instant {
        self.update(|full_at, _| full_at + REFILL, now).checked_sub(FULL_REFILL).unwrap_or(now)
    }

    fn update(&self, change: impl FnOnce(Instant, Instant) -> Instant, now: Instant) -> Instant {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at = change((*full_at).max(now), now);
        *full_at
    }
}

/// The status of an answer of EC2 to a call that it throttles
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>).
const THROTTLED: u16 = 503;

/// An attempt that EC2 throttles empties the bucket, because other programs took the tokens of EC2's bucket. The SDK makes the
/// next attempt after a wait of its own. Other failed attempts say nothing about tokens; the warm-up fails each time.
impl Intercept for Bucket {
    fn name(&self) -> &'static str {
        "Bucket"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().is_some_and(|response| response.status().as_u16() == THROTTLED) {
            self.empty(Instant::now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::config::retry::RetryConfig;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

    use super::*;
    use crate::{
        aws::{account_clients::AccountClients, clients::Clients},
        settings::Settings,
    };

    /// The milliseconds after `now` at which each of so many calls gets its token.
    fn waits(bucket: &Bucket, calls: usize, now: Instant) -> Vec<u128> {
        (0..calls).map(|_| bucket.reserve(now).saturating_duration_since(now).as_millis()).collect()
    }

    /// A bucket, and the time at which it is full.
    fn full() -> (Bucket, Instant) {
        let bucket = Bucket::default();
        let now = *bucket.full_at.lock().unwrap();
        (bucket, now)
    }

    #[test]
    fn fifty_calls_wait_for_nothing_and_then_twenty_per_second_go_on() {
        let (bucket, start) = full();
        assert_eq!(waits(&bucket, 50, start), [0; 50]);
        assert_eq!(waits(&bucket, 3, start), [50, 100, 150]);
        // Those three wait already. A second later, 17 of 20 new tokens are left.
        let later = start + Duration::from_secs(1);
        assert_eq!(waits(&bucket, 18, later), [&[0; 17][..], &[50]].concat());
        let much_later = start + Duration::from_mins(1);
        assert_eq!(waits(&bucket, 51, much_later), [&[0; 50][..], &[50]].concat(), "it never holds more than 50");
    }

    #[test]
    fn a_call_that_does_not_wait_takes_a_token_and_leaves_no_debt() {
        let (bucket, start) = full();
        bucket.take_without_waiting();
        assert_eq!(waits(&bucket, 50, start), [&[0; 49][..], &[50]].concat());

        let (bucket, start) = full();
        (0..1000).for_each(|_| bucket.take_without_waiting());
        assert!(waits(&bucket, 1, start)[0] <= 50 + start.elapsed().as_millis());
        // It does not shorten the wait of others either.
        let (bucket, start) = full();
        waits(&bucket, 60, start);
        bucket.take_without_waiting();
        assert_eq!(waits(&bucket, 1, start), [550]);
    }

    #[test]
    fn an_empty_bucket_has_no_tokens_until_it_is_refilled() {
        let (bucket, start) = full();
        bucket.empty(start);
        assert_eq!(waits(&bucket, 2, start), [50, 100]);
        bucket.empty(start);
        assert_eq!(waits(&bucket, 1, start), [150], "calls that wait already keep their turn");
    }

    #[tokio::test]
    async fn only_an_attempt_that_ec2_throttles_empties_the_bucket() {
        for (status, waits_for_more) in [(503, [50, 100]), (400, [0, 0]), (404, [0, 0]), (500, [0, 0])] {
            let server = MockServer::start().await;
            Mock::given(any()).respond_with(ResponseTemplate::new(status)).mount(&server).await;
            let url = server.uri();
            let variable = |name: &str| {
                let value = match name {
                    "AWS_REGION" => "eu-west-1",
                    "TOPIC_ARN" => "arn:aws:sns:eu-west-1:123456789012:gatewatch",
                    "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "test",
                    "AWS_ENDPOINT_URL" => url.as_str(),
                    _ => return None,
                };
                Some(value.to_owned())
            };
            let AccountClients { ec2, ec2_bucket, .. } =
                &*Clients::new(&Settings::read(variable).unwrap(), variable).unwrap().own;
            let once = aws_sdk_ec2::config::Config::builder().retry_config(RetryConfig::disabled());
            ec2.describe_vpcs().customize().config_override(once).send().await.unwrap_err();
            let emptied_at = ec2_bucket.full_at.lock().unwrap().checked_sub(FULL_REFILL);
            let now = if status == 503 { emptied_at.unwrap() } else { Instant::now() };
            assert_eq!(waits(ec2_bucket, 2, now), waits_for_more, "{status}");
        }
    }

    #[tokio::test]
    async fn all_clones_share_the_tokens() {
        let (bucket, start) = full();
        for _ in 0..52 {
            bucket.clone().take().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    }
}
