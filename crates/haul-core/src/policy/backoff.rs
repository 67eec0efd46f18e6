//! How long to wait after the n-th failure: doubling, capped, with jitter from a given generator.

use std::time::Duration;

/// How much of a wait is left to chance, so that what failed together does not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Anything from nothing to the whole wait: for jobs, which their host's own back-off holds as well.
    Full,
    /// From half to the whole wait: for hosts, which must get some rest in every case.
    Equal,
}

/// A doubling wait.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The wait after the first failure, before jitter.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
    /// How much of it is left to chance.
    pub jitter: Jitter,
}

impl Backoff {
    /// The wait after the `nth` failure in a row, counted from 1. Never more than [`Self::max`].
    #[must_use]
    pub fn wait(&self, nth: u32, rng: &mut fastrand::Rng) -> Duration {
        let doublings = nth.saturating_sub(1).min(31);
        let whole = self.base.saturating_mul(1 << doublings).min(self.max);
        let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
        let least = match self.jitter {
            Jitter::Full => 0,
            Jitter::Equal => nanos / 2,
        };
        Duration::from_nanos(rng.u64(least..=nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extremes(backoff: Backoff, nth: u32) -> (Duration, Duration) {
        let mut rng = fastrand::Rng::with_seed(7);
        let waits: Vec<_> = (0..2000).map(|_| backoff.wait(nth, &mut rng)).collect();
        (*waits.iter().min().expect("some"), *waits.iter().max().expect("some"))
    }

    #[test]
    fn waits_double_up_to_the_cap_within_their_jitter() {
        let ms = Duration::from_millis;
        let equal = Backoff { base: ms(500), max: ms(60_000), jitter: Jitter::Equal };
        for (nth, whole) in [(1, 500), (2, 1000), (5, 8000), (8, 60_000), (u32::MAX, 60_000)] {
            let (least, most) = extremes(equal, nth);
            assert!(least >= ms(whole / 2) && least < ms(whole * 6 / 10), "{nth}: {least:?}");
            assert!(most <= ms(whole) && most > ms(whole * 9 / 10), "{nth}: {most:?}");
        }
        let (least, most) = extremes(Backoff { jitter: Jitter::Full, ..equal }, 2);
        assert!(least < ms(100) && most > ms(900) && most <= ms(1000));
    }

    #[test]
    fn a_base_of_zero_never_waits_and_a_huge_one_stops_at_the_cap() {
        let mut rng = fastrand::Rng::with_seed(1);
        let none = Backoff { base: Duration::ZERO, max: Duration::MAX, jitter: Jitter::Equal };
        assert_eq!(none.wait(9, &mut rng), Duration::ZERO);
        let huge = Backoff { base: Duration::MAX, max: Duration::from_secs(1), jitter: Jitter::Equal };
        assert!(huge.wait(9, &mut rng) <= Duration::from_secs(1));
    }
}
