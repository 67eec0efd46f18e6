//! A token bucket: so many at once, and then so many a second. Pure: time is an argument.

use std::time::Duration;

use haul_core::model::Time;

/// A rate limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RateLimit {
    rate: f64,
    burst: f64,
}

impl RateLimit {
    /// `rate` requests a second, above 0, and `burst` at once.
    pub(super) fn new(rate: f64, burst: u32) -> Self {
        Self { rate, burst: f64::from(burst) }
    }

    /// Two limits are the same when these are.
    pub(super) fn key(self) -> (u64, u64) {
        (self.rate.to_bits(), self.burst.to_bits())
    }
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    tokens: f64,
    at: Time,
}

impl Bucket {
    /// With everything left.
    pub(super) const fn full(limit: RateLimit, now: Time) -> Self {
        Self { tokens: limit.burst, at: now }
    }

    /// Takes one, or says how long until there is one.
    pub(super) fn take(&mut self, limit: RateLimit, now: Time) -> Result<(), Duration> {
        let gained = now.since(self.at).as_secs_f64() * limit.rate;
        self.tokens = (self.tokens + gained).min(limit.burst);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::try_from_secs_f64((1.0 - self.tokens) / limit.rate).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let limit = RateLimit::new(2.0, 3);
        let mut bucket = Bucket::full(limit, Time::ZERO);
        let mut taken = |millis| bucket.take(limit, Time::from_millis(millis));
        assert_eq!([taken(0), taken(0), taken(0)], [Ok(()); 3]);
        assert_eq!(taken(0), Err(Duration::from_millis(500)));
        assert_eq!(taken(250), Err(Duration::from_millis(250)));
        assert_eq!(taken(500), Ok(()));
        assert!(taken(500).is_err());
        assert_eq!([taken(60_000), taken(60_000), taken(60_000)], [Ok(()); 3], "never more than the burst");
        assert!(taken(60_000).is_err());
    }

    #[test]
    fn the_slowest_rate_does_not_overflow() {
        let limit = RateLimit::new(f64::MIN_POSITIVE, 1);
        let mut bucket = Bucket::full(limit, Time::ZERO);
        assert_eq!(bucket.take(limit, Time::ZERO), Ok(()));
        assert_eq!(bucket.take(limit, Time::from_millis(1)), Err(Duration::MAX));
    }
}
