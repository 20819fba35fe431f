//! The time that each step has, so that an invocation ends with an answer and not with Lambda's time-out.
//!
//! An error names what failed. A time-out names nothing, and interrupts what is being sent.

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Context;
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::Error;

/// Reserved for returning the answer.
const MARGIN: Duration = Duration::from_millis(500);
/// How long to ask EC2 again for what it does not show yet, if there is time.
const CONSISTENCY_RETRY: Duration = Duration::from_secs(10);
/// Reserved for recording what was sent: a sweep may have sent thousands of findings.
const RECORDING: Duration = Duration::from_secs(6);
/// The maximum difference between the clocks of two invocations.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(5);
/// The first wait for another invocation to release a lease. Each wait is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The time that is assumed if the deadline cannot be right: the limit in the template.
const DEFAULT_TIME: Duration = Duration::from_mins(1);

/// When the steps of an invocation have to end.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    retry_until: Instant,
    read_until: Instant,
    publish_until: Instant,
    record_until: Instant,
    left: Duration,
}

impl Deadline {
    /// Divides what is left of the invocation: at most three quarters for reading, the rest for publishing, and a little for
    /// recording what was sent. The consistency retry ends at half of the reading, so that it never makes a read fail.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        let left = time_left(context.deadline(), SystemTime::now()).saturating_sub(MARGIN);
        let now = Instant::now();
        let reading = left * 3 / 4;
        Self {
            retry_until: now + CONSISTENCY_RETRY.min(reading / 2),
            read_until: now + reading,
            publish_until: now + left.saturating_sub(RECORDING.min(left / 8)),
            record_until: now + left,
            left,
        }
    }

    /// Runs a read of the network to its end, or until its time is over.
    ///
    /// # Errors
    ///
    /// Those of the read, or [`Error::Ec2ReadFailed`] if its time ran out.
    pub async fn read<T>(&self, reading: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        timeout_at(self.read_until, reading).await.unwrap_or_else(|_| {
            Err(Error::Ec2ReadFailed("the network was not read to its end before the invocation's deadline".to_owned()))
        })
    }

    /// Deadline for asking EC2 again for what it does not show yet: 10 s from the start, or earlier.
    #[must_use]
    pub fn retry_until(&self) -> Instant {
        self.retry_until
    }

    /// Deadline for acquiring the lease, if that starts now. Half of the remaining time is reserved for publishing: findings
    /// are sent without a lease, too.
    #[must_use]
    pub fn acquire_until(&self) -> Instant {
        halfway_to(self.publish_until)
    }

    /// Deadline for reading the alert history, if that starts now. Findings are sent without it, too.
    #[must_use]
    pub fn history_until(&self) -> Instant {
        halfway_to(self.read_until)
    }

    /// Deadline for recording what was sent.
    #[must_use]
    pub fn record_until(&self) -> Instant {
        self.record_until
    }

    /// When the leases of an invocation expire that began at this moment: a little later than it can end, so that nobody
    /// takes over from it while it works.
    #[must_use]
    pub fn lease_expires_at(&self, began: Timestamp) -> Timestamp {
        let lease = SignedDuration::try_from(self.left + MAX_CLOCK_DIFFERENCE).unwrap_or(SignedDuration::MAX);
        began.saturating_add(lease).unwrap_or(Timestamp::MAX)
    }

    /// Waits for another invocation to release a lease, if there is time for another attempt after that. Returns whether
    /// there is.
    pub async fn allows_another_attempt(&self, attempts: u32) -> bool {
        let wait = FIRST_WAIT * 2u32.saturating_pow(attempts);
        let in_time = Instant::now() + wait < self.retry_until;
        if in_time {
            sleep(wait).await;
        }
        in_time
    }

    /// Deadline for publishing.
    #[must_use]
    pub fn publish_until(&self) -> Instant {
        self.publish_until
    }
}

fn halfway_to(end: Instant) -> Instant {
    let now = Instant::now();
    now + end.saturating_duration_since(now) / 2
}

/// The time until the deadline. A deadline that is over before the work began cannot be right: `cargo lambda watch` sends
/// the length of an invocation where Lambda sends the moment at which it ends.
fn time_left(deadline: SystemTime, now: SystemTime) -> Duration {
    deadline.duration_since(now).ok().filter(|left| !left.is_zero()).unwrap_or(DEFAULT_TIME)
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
