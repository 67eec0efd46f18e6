//! What is tried again, when, and how often; and when a host is given up.

use std::time::Duration;

/// Retries, back-off and the dead-host breaker.
#[derive(Clone, Debug)]
pub struct RetrySettings {
    /// Retries per job after its first attempt. Default 2. 0 turns them off. A refusal that says when to come again (429 or 503 with
    /// `Retry-After`), or a 429 that only repeats what its host has said already, is not counted, 64 times at most, unless it seems to
    /// be what some of the host's URLs always answer.
    pub retries: u32,
    /// Whether requests that are not idempotent (POST, PATCH) are repeated too. Default no: the peer may have acted.
    pub unsafe_methods: bool,
    /// Statuses that are tried again. Default 408, 429, 502, 503 and 504.
    pub retry_statuses: Vec<u16>,
    /// Those of them that ask for fewer requests: all of the host's requests wait for as long as `Retry-After` says.
    /// Default 429. After another status the job alone waits, unless nothing else comes back from the host.
    pub hold_statuses: Vec<u16>,
    /// The first wait before a retry, and of a host's back-off. Default 500 ms. Doubles each time, with jitter.
    pub backoff_base: Duration,
    /// The longest such wait. Default 60 s. 0 turns all back-off off, what is learnt of a host's limits included.
    pub backoff_max: Duration,
    /// The longest `Retry-After` that is waited for. Default 5 minutes. A job that is asked to wait for longer is not tried
    /// again; a host that answers nothing else is dead.
    pub retry_after_max: Duration,
    /// Retries a host's successes pay for: each job that ends well adds this share of one retry for each attempt that it took.
    /// Default 1.
    pub budget_ratio: f64,
    /// Retries every host may have regardless of its successes. Default 100. A retry is paid for when its wait is over. Half of them
    /// are kept for jobs that have failed twice, half of these for those that have failed three times, and so on, as far as
    /// `retries` allows.
    pub budget_floor: u32,
    /// Failure events in a row (concurrent ones count once, time-outs as much as half of these) after which a host is dead.
    /// Default 5. 0: never.
    pub dead_after: u32,
    /// How long a host that has answered well before may fail without an end before it is dead. Default 90 s: it may be
    /// restarting. One that has answered, but never well, has a third of it; one that could not be reached is dead after
    /// [`Self::dead_after`] alone.
    pub outage: Duration,
    /// How long a dead host stays dead before one probe is let through. Default 5 minutes.
    pub dead_for: Duration,
    /// How long an idle host's state (pace, back-off, protocol) is remembered. Default 5 minutes. About 300 bytes a
    /// host.
    pub host_memory: Duration,
    /// Idle hosts that are remembered, per shard. Default 1,000,000. Over that the one that has been idle for longest is
    /// forgotten, though never before its pace and back-off have run out.
    pub max_idle_hosts: usize,
}

impl RetrySettings {
    /// How long a host that can't be reached is asked again before it is dead, if each attempt fails at once: at least and at
    /// most. `None`: for ever.
    ///
    /// ```
    /// # extern crate haul_core as haul;
    /// let (least, most) = haul::config::RetrySettings::default().until_dead().expect("hosts may die");
    /// assert_eq!((least.as_millis(), most.as_millis()), (3750, 7500));
    /// ```
    #[must_use]
    pub fn until_dead(&self) -> Option<(Duration, Duration)> {
        let most = self.all_rests(self.dead_after.checked_sub(1)?);
        Some((most / 2, most))
    }

    /// How long a host that answers nothing but errors, at once and each with this `Retry-After` (0: none), is asked again before
    /// it is dead: at least and at most. `None`: for ever. One that asks for longer than [`Self::retry_after_max`] is dead at
    /// its second event, a rest after the first.
    ///
    /// ```
    /// # extern crate haul_core as haul;
    /// use std::time::Duration;
    ///
    /// let retries = haul::config::RetrySettings::default();
    /// let after = |seconds| {
    ///     let (least, most) = retries.until_refused(Duration::from_secs(seconds)).expect("hosts may die");
    ///     (least.as_secs(), most.as_secs())
    /// };
    /// assert_eq!((after(0), after(5), after(7), after(60), after(3600)), ((30, 62), (30, 30), (35, 35), (240, 240), (0, 0)));
    /// ```
    #[must_use]
    pub fn until_refused(&self, retry_after: Duration) -> Option<(Duration, Duration)> {
        let rests = self.dead_after.checked_sub(1)?;
        let patience = self.outage / 3;
        if retry_after > self.retry_after_max {
            return Some((self.rest(0) / 2, self.rest(0)));
        }
        if !retry_after.is_zero() {
            let pauses = patience.as_nanos().div_ceil(retry_after.as_nanos()).min(u32::MAX.into()) as u32;
            let all = retry_after.saturating_mul(rests.max(pauses));
            return Some((all, all));
        }
        let (least, most) = self.until_dead()?;
        // The rests are over half of their lengths when the patience is, at the latest with the one that is then under way.
        let half = |rests: u32| self.all_rests(rests) / 2;
        let last = (0..32).find(|nth| half(nth + 1) >= patience).unwrap_or(31);
        Some((least.max(patience), most.max(patience.saturating_add(self.rest(last)))))
    }

    /// The longest rest after so many others in a row.
    fn rest(&self, nth: u32) -> Duration {
        self.backoff_base.saturating_mul(1 << nth.min(31)).min(self.backoff_max)
    }

    /// The longest that so many rests in a row can take.
    fn all_rests(&self, rests: u32) -> Duration {
        // All from the 32nd on are the longest.
        let doubling = (0..rests.min(32)).map(|nth| self.rest(nth)).fold(Duration::ZERO, Duration::saturating_add);
        doubling.saturating_add(self.rest(31).saturating_mul(rests.saturating_sub(32)))
    }
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            retries: 2,
            unsafe_methods: false,
            retry_statuses: vec![408, 429, 502, 503, 504],
            hold_statuses: vec![429],
            backoff_base: Duration::from_millis(500),
            backoff_max: Duration::from_secs(60),
            retry_after_max: Duration::from_secs(300),
            budget_ratio: 1.0,
            budget_floor: 100,
            dead_after: 5,
            outage: Duration::from_secs(90),
            dead_for: Duration::from_secs(300),
            host_memory: Duration::from_secs(300),
            max_idle_hosts: 1_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_host_that_only_refuses_is_bounded_whatever_the_settings() {
        let seconds = Duration::from_secs;
        let of = |dead_after, outage, base, max| {
            let retries = RetrySettings {
                dead_after,
                outage: seconds(outage),
                backoff_base: base,
                backoff_max: max,
                ..RetrySettings::default()
            };
            retries.until_refused(Duration::ZERO).map(|(least, most)| (least.as_secs_f64(), most.as_secs_f64()))
        };
        let half = Duration::from_millis(500);
        for (got, expected) in [
            (of(5, 90, half, seconds(60)), Some((30.0, 62.0))),
            (of(10, 90, half, seconds(60)), Some((91.75, 183.5))),
            (of(5, 0, half, seconds(60)), Some((3.75, 7.5))),
            (of(5, 90, Duration::ZERO, seconds(60)), Some((30.0, 30.0))),
            (of(5, 90, half, Duration::ZERO), Some((30.0, 30.0))),
            (of(1, 0, half, seconds(60)), Some((0.0, 0.5))),
            (of(0, 90, half, seconds(60)), None),
        ] {
            assert_eq!(got, expected);
        }
    }
}
