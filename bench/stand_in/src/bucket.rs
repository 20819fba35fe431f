//! EC2's token bucket for calls that read. Each account has one in each Region
//! (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>).

use std::time::Instant;

const CAPACITY: f64 = 100.0;
const REFILL_PER_SECOND: f64 = 20.0;

/// A bucket, which is full at the beginning.
pub struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(now: Instant) -> Self {
        Self { tokens: CAPACITY, at: now }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        let refilled = (now - self.at).as_secs_f64() * REFILL_PER_SECOND;
        self.tokens = CAPACITY.min(self.tokens + refilled);
        self.at = now;
        let has_token = self.tokens >= 1.0;
        if has_token {
            self.tokens -= 1.0;
        }
        has_token
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_gives_100_tokens_at_once_and_20_per_second_after_that() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let given = |bucket: &mut Bucket, now| (0..200).filter(|_| bucket.take(now)).count();
        assert_eq!(given(&mut bucket, start), 100);
        assert_eq!(given(&mut bucket, start + Duration::from_secs(2)), 40);
        assert_eq!(given(&mut bucket, start + Duration::from_mins(1)), 100);
    }
}
