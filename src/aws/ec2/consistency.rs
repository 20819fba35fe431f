//! Asks EC2 again for resources that it does not show yet.
//!
//! EC2 is eventually consistent: a describe call right after a create call may not show the resource
//! (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>). The settle window makes that rare. Without
//! one, and in direct invocations, it happens.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::reader::{Lookup, Reader};
use crate::{
    aws::backoff::Backoff,
    error::Error,
    events::scope::Scope,
    network::{model::Network, selection::VpcSelection},
};

/// The first wait before EC2 is asked again.
const FIRST_WAIT: Duration = Duration::from_millis(500);

impl Reader<'_> {
    /// Reads the scope, and reads it again while EC2 does not show all of `recent`, until `until` at the latest.
    ///
    /// The whole scope is read each time, so that the result is one consistent picture and not parts of several.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::locate`].
    pub async fn read_consistently(
        &self,
        scope: &Scope,
        recent: &Scope,
        mut lookup: Lookup,
        until: Instant,
    ) -> Result<(Network, VpcSelection), Error> {
        let mut backoff = Backoff::new(FIRST_WAIT, Duration::MAX);
        loop {
            let (network, selection) = self.read(lookup).await?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || recent.is_complete_in(&network) {
                return Ok((network, selection));
            }
            sleep(backoff.next_wait().min(left)).await;
            lookup = self.locate(scope).await?;
        }
    }
}
