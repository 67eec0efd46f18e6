//! Which share of what a host is asked fails between its good answers? And so: is a run of failures chance, or trouble?
//!
//! All shares are equally likely at first, and each answer makes some of them less so (Laplace's rule of succession): the
//! less is known of a host, the longer a run may be chance.

/// Answers that are counted before older ones count half.
const MEMORY: u16 = 128;

/// Answers that tell enough of a host.
const ENOUGH: u16 = 64;

/// A run is no chance when one in so many is as long.
const NO_CHANCE: f32 = 0.001;

/// The fewest failures in a row that are no chance.
pub const SHORTEST_RUN: u8 = 8;
/// The most.
pub const LONGEST_RUN: u8 = 64;
/// And where little is known.
const LONGEST_GUESS: u8 = 32;

/// The share of failures among a host's answers, without those of its outages.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    good: u16,
    bad: u16,
}

impl Share {
    /// No answer has come.
    pub const NOTHING: Self = Self { good: 0, bad: 0 };

    /// So many good answers have come, and no failure.
    #[must_use]
    pub fn new(good: u8) -> Self {
        Self { good: u16::from(good).min(MEMORY), bad: 0 }
    }

    /// A good answer came after so many failures in a row. Those beyond a telling run belong to an outage.
    pub fn good_after(&mut self, run: u8) {
        // Most good answers follow a good one.
        if run > 0 {
            self.bad += u16::from(run.min(self.telling_run()));
        }
        self.good += 1;
        if self.good + self.bad > MEMORY {
            self.good /= 2;
            self.bad /= 2;
        }
    }

    /// Failures in a row that are no chance, between 8 and 64; where little is known, 32 at most.
    #[must_use]
    pub fn telling_run(self) -> u8 {
        let longest = if self.is_known() { LONGEST_RUN } else { LONGEST_GUESS };
        let (mut chance, mut run) = (1.0, 0);
        while run < longest && (run < SHORTEST_RUN || chance > NO_CHANCE) {
            chance *= self.failing_after(run);
            run += 1;
        }
        run
    }

    /// Requests of which one at least probably ends well, after so many failures in a row, if nothing is wrong with the host
    /// but its share of failures: at least 1.
    #[must_use]
    pub fn telling_probes(self, run: u8) -> u32 {
        ((0.5_f32.ln() / self.failing_after(run).ln()).ceil() as u32).max(1)
    }

    /// Whether enough answers have come to tell the share.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.good + self.bad >= ENOUGH
    }

    /// Whether hardly any ends well: fewer than one in nine.
    #[must_use]
    pub const fn is_hopeless(self) -> bool {
        self.bad > self.good * 8
    }

    /// Whether so many fail that it has to be remembered.
    #[must_use]
    pub const fn is_usual(self) -> bool {
        self.bad > self.good / 2
    }

    /// How likely one more failure is after so many in a row: more than 0 and less than 1.
    fn failing_after(self, run: u8) -> f32 {
        let bad = self.bad + u16::from(run);
        f32::from(bad + 1) / f32::from(self.good + bad + 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known after so many rounds of some failures and a good answer.
    fn after(rounds: u32, run: u8) -> Share {
        let mut share = Share::new(0);
        (0..rounds).for_each(|_| share.good_after(run));
        share
    }

    #[test]
    fn the_more_fail_and_the_less_is_known_the_longer_is_a_run_that_tells_something() {
        for (rounds, run, telling) in [
            (0, 0, 32),
            (1, 0, 32),
            (3, 0, 10),
            (8, 0, 8),
            (100, 0, 8),
            (1, 7, 32),
            (100, 1, 11),
            (100, 3, 29),
            (100, 9, 64),
            (100, 40, 64),
        ] {
            assert_eq!(after(rounds, run).telling_run(), telling, "{rounds} times {run} failures");
        }
    }

    #[test]
    fn who_fails_more_or_is_less_known_is_asked_more_at_once() {
        for (rounds, run, lasting, probes) in
            [(0, 0, 0, 1), (0, 0, 8, 7), (100, 0, 8, 1), (100, 0, 255, 3), (100, 1, 32, 2), (100, 9, 64, 12)]
        {
            let asked = after(rounds, run).telling_probes(lasting);
            assert_eq!(asked, probes, "{lasting} failures after {rounds} times {run}");
        }
    }

    #[test]
    fn an_outage_is_no_share_and_the_old_is_forgotten() {
        let mut share = Share::new(255);
        share.good_after(255);
        assert!(!share.is_usual(), "{share:?}");
        let mut share = after(100, 9);
        assert!(share.is_usual() && share.is_known());
        (0..100).for_each(|_| share.good_after(0));
        assert!(!share.is_usual(), "{share:?}");
    }
}
