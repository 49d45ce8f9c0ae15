//! The token bucket that slows a client down to what a person could type.

use std::time::{Duration, Instant};

/// Lets `burst` lines through at once and then `rate` lines a second.
#[derive(Debug)]
pub(crate) struct Bucket {
    burst: f64,
    rate: f64,
    tokens: f64,
    updated: Instant,
}

impl Bucket {
    /// A full bucket. `rate` is in lines a second.
    pub(crate) fn new(burst: u32, rate: f64, now: Instant) -> Bucket {
        Bucket {
            burst: f64::from(burst),
            rate,
            tokens: f64::from(burst),
            updated: now,
        }
    }

    /// Whether a line may pass.
    pub(crate) fn is_open(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens >= 1.0
    }

    /// A line has passed.
    pub(crate) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// When the next token will be there.
    pub(crate) fn next_token(&mut self, now: Instant) -> Instant {
        self.refill(now);
        let missing = (1.0 - self.tokens).max(0.0);
        // A little late rather than a little early, or the timer would fire for nothing.
        now + Duration::from_secs_f64(missing / self.rate) + Duration::from_millis(1)
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.rate).min(self.burst);
        self.updated = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(5, 10.0, start);
        let pass = |bucket: &mut Bucket, now| {
            let mut passed = 0;
            while bucket.is_open(now) {
                bucket.take();
                passed += 1;
            }
            passed
        };
        assert_eq!(pass(&mut bucket, start), 5);
        let next = bucket.next_token(start);
        assert!(next > start && next < start + Duration::from_millis(120));
        assert_eq!(pass(&mut bucket, next), 1);
        assert_eq!(pass(&mut bucket, start + Duration::from_secs(60)), 5);
    }
}
