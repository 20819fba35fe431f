//! Asks EC2 again for what it does not show yet.
//!
//! EC2 is eventually consistent: a describe right after a create may not show the resource
//! (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>). The settle window makes that rare; where
//! it is set to nothing, or the function is invoked directly, it is not.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::reader::{Lookup, Reader};
use crate::{
    error::Error,
    events::scope::Scope,
    network::{model::Network, selection::VpcSelection},
};

/// The first wait. Each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);

impl Reader<'_> {
    /// Reads what is in scope and was located, and locates and reads it again while something of `recent` is not shown, up
    /// to this moment.
    ///
    /// The whole scope is read each time, so that the verdict is about one picture and not about pieces of several.
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
        let mut wait = FIRST_WAIT;
        loop {
            let (network, selection) = self.read(lookup).await?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || recent.is_shown_in(&network) {
                return Ok((network, selection));
            }
            sleep(wait.min(left)).await;
            wait *= 2;
            lookup = self.locate(scope).await?;
        }
    }
}
