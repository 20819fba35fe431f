//! The deadlines of the steps, so that an invocation ends with an answer or an error before Lambda's timeout.
//!
//! An error names what failed. A timeout names nothing, and interrupts publishing.

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Context;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{aws::backoff::Backoff, error::Error};

/// Reserved for returning the answer.
const MARGIN: Duration = Duration::from_millis(500);
/// Maximum duration of the consistency retry, which reads EC2 again until it shows recent resources.
const CONSISTENCY_RETRY: Duration = Duration::from_secs(10);
/// Reserved for recording what was sent: a sweep of the Region may have sent thousands of findings.
const RECORDING: Duration = Duration::from_secs(6);
/// The assumed maximum difference between the clocks of two invocations.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(5);
/// The first wait for another invocation to release a lease.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The assumed time left if the deadline is invalid: the timeout in the template.
const DEFAULT_TIME: Duration = Duration::from_mins(1);

/// The deadlines of the steps of an invocation.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    retry_until: Instant,
    read_until: Instant,
    publish_until: Instant,
    record_until: Instant,
    /// The time that was left at the start, without [`MARGIN`].
    left: Duration,
}

impl Deadline {
    /// Divides the time that is left: at most three quarters for reading, the rest for publishing, and a little for recording
    /// what was sent. The consistency retry ends at half of the reading time, so that it never makes a read fail.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        let left = time_left(context.deadline(), SystemTime::now()).saturating_sub(MARGIN);
        let now = Instant::now();
        let reading_time = left * 3 / 4;
        Self {
            retry_until: now + CONSISTENCY_RETRY.min(reading_time / 2),
            read_until: now + reading_time,
            publish_until: now + left.saturating_sub(RECORDING.min(left / 8)),
            record_until: now + left,
            left,
        }
    }

    /// Runs a read of the network, and cancels it at the deadline for reading.
    ///
    /// # Errors
    ///
    /// Those of the read, and [`Error::Ec2ReadFailed`] if the deadline passed.
    pub async fn read<T>(&self, reading: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        read_until(self.read_until, reading).await
    }

    /// Runs a second read of a VPC, after its lease was acquired. Half of the remaining time is reserved for publishing.
    ///
    /// # Errors
    ///
    /// As in [`Deadline::read`].
    pub async fn read_again<T>(&self, reading: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        read_until(halfway_to(self.publish_until), reading).await
    }

    /// Deadline for the consistency retry: 10 s after the start, or earlier.
    #[must_use]
    pub fn retry_until(&self) -> Instant {
        self.retry_until
    }

    /// Deadline for what precedes publishing, such as acquiring the lease, if that starts now. Half of the remaining time is
    /// reserved for publishing.
    #[must_use]
    pub fn acquire_until(&self) -> Instant {
        halfway_to(self.publish_until)
    }

    /// Deadline for what precedes or accompanies a read, if that starts now: for entering another account, and for reading the
    /// alert history. Half of the remaining time for reading is left for the read, and for the VPCs that only the history knows.
    #[must_use]
    pub fn prepare_until(&self) -> Instant {
        halfway_to(self.read_until)
    }

    /// Deadline for recording what was sent.
    #[must_use]
    pub fn record_until(&self) -> Instant {
        self.record_until
    }

    /// When the leases expire, for an invocation that started at this time: a little after its latest end, so that no other
    /// invocation acquires them while it works.
    #[must_use]
    pub fn lease_expires_at(&self, started_at: Timestamp) -> Timestamp {
        let lease = SignedDuration::try_from(self.left + MAX_CLOCK_DIFFERENCE).unwrap_or(SignedDuration::MAX);
        started_at.saturating_add(lease).unwrap_or(Timestamp::MAX)
    }

    /// The waits between attempts to acquire a lease that another invocation has.
    #[must_use]
    pub fn backoff() -> Backoff {
        Backoff::new(FIRST_WAIT, Duration::MAX)
    }

    /// Waits for another invocation to release a lease, and returns `true`. Returns `false` at once if there is no time for
    /// another attempt after the wait.
    pub async fn allows_another_attempt(&self, backoff: &mut Backoff) -> bool {
        let wait = backoff.next_wait();
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

async fn read_until<T>(until: Instant, reading: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout_at(until, reading).await.unwrap_or_else(|_| {
        Err(Error::Ec2ReadFailed("the network was not read to its end before the invocation's deadline".to_owned()))
    })
}

fn halfway_to(end: Instant) -> Instant {
    let now = Instant::now();
    now + end.saturating_duration_since(now) / 2
}

/// The time until the deadline. A deadline in the past is invalid: `cargo lambda watch` sends the duration of an invocation
/// instead of the time at which it ends.
fn time_left(deadline: SystemTime, now: SystemTime) -> Duration {
    deadline.duration_since(now).ok().filter(|left| !left.is_zero()).unwrap_or(DEFAULT_TIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_ends_at_the_deadline() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        assert_eq!(time_left(now + Duration::from_secs(7), now), Duration::from_secs(7));
    }

    #[test]
    fn a_deadline_in_the_past_gives_the_default_time() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        for deadline in [now, SystemTime::UNIX_EPOCH + Duration::from_mins(10), SystemTime::UNIX_EPOCH] {
            assert_eq!(time_left(deadline, now), Duration::from_mins(1));
        }
    }
}
