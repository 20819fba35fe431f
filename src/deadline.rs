//! How long each step may take, so that an invocation ends with an answer and not with Lambda's time-out.
//!
//! An error that is returned names what failed; a time-out names nothing, and cuts off what is being sent.

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Context;
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::Error;

/// Kept for handing over the answer.
const MARGIN: Duration = Duration::from_millis(500);
/// How long to go on asking EC2 for what it does not show yet, where there is time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Kept for writing down what was told: a sweep may have told thousands of findings.
const RECORDING: Duration = Duration::from_secs(6);
/// By how much the clocks of two invocations differ at the most.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);
/// The first wait for another invocation to finish. Each is twice the one before.
const FIRST_TURN: Duration = Duration::from_millis(250);
/// What is assumed where the deadline cannot be right: the template's own limit.
const ASSUMED: Duration = Duration::from_mins(1);

/// When the steps of an invocation end.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    patience_until: Instant,
    read_until: Instant,
    publish_until: Instant,
    record_until: Instant,
    left: Duration,
}

impl Deadline {
    /// Shares out what is left of the invocation: three quarters of it at most for reading, the rest for publishing, and a
    /// little for writing down what was told. Patience with EC2 ends at half of the reading, so that it never is what makes
    /// a read fail.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        let left = time_left(context.deadline(), SystemTime::now()).saturating_sub(MARGIN);
        let now = Instant::now();
        let reading = left * 3 / 4;
        Self {
            patience_until: now + PATIENCE.min(reading / 2),
            read_until: now + reading,
            publish_until: now + left.saturating_sub(RECORDING.min(left / 8)),
            record_until: now + left,
            left,
        }
    }

    /// Runs a read of the network to its end, or to the end of its time.
    ///
    /// # Errors
    ///
    /// The read's own, or [`Error::Ec2ReadFailed`] where its time ran out.
    pub async fn read<T>(&self, reading: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        timeout_at(self.read_until, reading).await.unwrap_or_else(|_| {
            Err(Error::Ec2ReadFailed("the network was not read to its end before the invocation's deadline".to_owned()))
        })
    }

    /// When asking again for what EC2 does not show yet ends: 10 s from the start, or earlier.
    #[must_use]
    pub fn patience_until(&self) -> Instant {
        self.patience_until
    }

    /// When claiming ends that begins now, which leaves as much time again for publishing: findings are told without a
    /// claim, too.
    #[must_use]
    pub fn claim_until(&self) -> Instant {
        halfway_to(self.publish_until)
    }

    /// When a read of the ledger ends that begins now, without which findings are told all the same.
    #[must_use]
    pub fn ledger_until(&self) -> Instant {
        halfway_to(self.read_until)
    }

    /// When writing down what was told ends.
    #[must_use]
    pub fn record_until(&self) -> Instant {
        self.record_until
    }

    /// Until when an invocation that began at this moment claims what it tells of: a little longer than it can last, so
    /// that nobody takes over from it while it works.
    #[must_use]
    pub fn claims_until(&self, began: Timestamp) -> Timestamp {
        let lease = SignedDuration::try_from(self.left + CLOCKS_DIFFER).unwrap_or(SignedDuration::MAX);
        began.saturating_add(lease).unwrap_or(Timestamp::MAX)
    }

    /// Waits for another invocation to finish, if there is time to begin anew after that.
    pub async fn allows_another_turn(&self, turn: u32) -> bool {
        let wait = FIRST_TURN * 2u32.saturating_pow(turn);
        let in_time = Instant::now() + wait < self.patience_until;
        if in_time {
            sleep(wait).await;
        }
        in_time
    }

    /// When publishing ends.
    #[must_use]
    pub fn publish_until(&self) -> Instant {
        self.publish_until
    }
}

fn halfway_to(end: Instant) -> Instant {
    let now = Instant::now();
    now + end.saturating_duration_since(now) / 2
}

/// What is left until the deadline. One that has passed before the work began cannot be one: `cargo lambda watch` sends
/// the length of an invocation where Lambda sends the moment at which it ends.
fn time_left(deadline: SystemTime, now: SystemTime) -> Duration {
    deadline.duration_since(now).ok().filter(|left| !left.is_zero()).unwrap_or(ASSUMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_until_the_deadline() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        assert_eq!(time_left(now + Duration::from_secs(7), now), Duration::from_secs(7));
    }

    #[test]
    fn a_deadline_in_the_past_is_none() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        for deadline in [now, SystemTime::UNIX_EPOCH + Duration::from_mins(10), SystemTime::UNIX_EPOCH] {
            assert_eq!(time_left(deadline, now), Duration::from_mins(1));
        }
    }
}
