//! Does trying again help on this host? Where it does for a quarter of the attempts, the host had failed, and not the URL.

/// Attempts that are counted before older ones count half.
const MEMORY: u16 = 64;

/// One further attempt that ends well outweighs so many that do not.
const OUTWEIGHS: u16 = 3;

/// Attempts that tell what further ones, and what first ones, are like.
const ENOUGH_FURTHER: u16 = 8;
const ENOUGH_FIRST: u16 = 16;
const ENOUGH_VAIN: u16 = 2;

/// What is no chance any more: many hosts are asked, and each is asked often.
const CHANCE: f32 = 0.002;

/// How the attempts ended that were the first at their jobs, and how the others did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    first: Tally,
    further: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    good: u16,
    bad: u16,
}

impl Tally {
    const NONE: Self = Self { good: 0, bad: 0 };

    const fn count(&mut self, good: bool) {
        if good {
            self.good += 1;
        } else {
            self.bad += 1;
        }
        if self.good + self.bad > MEMORY {
            self.good /= 2;
            self.bad /= 2;
        }
    }
}

impl Attempts {
    /// None yet.
    pub const NONE: Self = Self { first: Tally::NONE, further: Tally::NONE };

    /// One ended, well or not. `again`: not the first at its job.
    pub const fn ended(&mut self, again: bool, good: bool) {
        if again { self.further.count(good) } else { self.first.count(good) }
    }

    /// Whether at least a quarter of the further ones ended well.
    #[must_use]
    pub const fn further_help(self) -> bool {
        self.further.good > 0 && self.further.good * OUTWEIGHS >= self.further.bad
    }

    /// Whether a first one has ended well of late.
    #[must_use]
    pub const fn has_good_first(self) -> bool {
        self.first.good > 0
    }

    /// Whether a further one has ended well of late.
    #[must_use]
    pub const fn has_good_further(self) -> bool {
        self.further.good > 0
    }

    /// The share of the first ones that fail, as far as that can be known (Laplace's rule of succession).
    #[must_use]
    pub fn first_share(self) -> f32 {
        f32::from(self.first.bad + 1) / f32::from(self.first.good + self.first.bad + 2)
    }

    /// Whether it is surely the URL: no further one ended well, and if the host failed whatever it is asked that would be no chance.
    #[must_use]
    pub fn url_fails_for_sure(self) -> bool {
        let by_chance = self.first_share().powi(i32::from(self.further.bad));
        self.first.good > 0 && self.further.good == 0 && by_chance <= CHANCE
    }

    /// Whether it is the URL: whatever had failed once fails again, and a fifth of what is asked for the first time does not fail.
    #[must_use]
    pub const fn url_fails(self) -> bool {
        self.further.good == 0 && self.further.bad >= ENOUGH_VAIN && self.first.good * 4 >= self.first.bad
    }

    /// Whether it is the first attempt that fails, whatever the job, and further ones end well: a cache that is cold, a page
    /// that is made when it is asked for.
    #[must_use]
    pub const fn first_fail(self) -> bool {
        let (first, further) = (self.first, self.further);
        first.bad >= ENOUGH_FIRST
            && first.good * ENOUGH_FIRST <= first.bad
            && further.good >= ENOUGH_FURTHER
            && further.bad * OUTWEIGHS <= further.good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(attempts: &mut Attempts, again: bool, good: u32, bad: u32) {
        (0..good).for_each(|_| attempts.ended(again, true));
        (0..bad).for_each(|_| attempts.ended(again, false));
    }

    #[test]
    fn a_quarter_that_ends_well_is_enough_and_the_old_is_forgotten() {
        let mut attempts = Attempts::NONE;
        assert!(!attempts.further_help());
        count(&mut attempts, true, 1, 3);
        assert!(attempts.further_help());
        count(&mut attempts, true, 0, 1);
        assert!(!attempts.further_help());
        count(&mut attempts, true, 0, 1000);
        assert!(!attempts.further_help());
        count(&mut attempts, true, 40, 0);
        assert!(attempts.further_help());
    }

    #[test]
    fn urls_fail_where_no_further_attempt_ends_well_and_many_first_ones_do() {
        for (first, further, fails) in
            [((10, 2), (0, 1), false), ((10, 2), (0, 2), true), ((10, 2), (1, 40), false), ((1, 5), (0, 4), false)]
        {
            let mut attempts = Attempts::NONE;
            count(&mut attempts, false, first.0, first.1);
            count(&mut attempts, true, further.0, further.1);
            assert_eq!(attempts.url_fails(), fails, "{first:?} {further:?}");
        }
    }

    #[test]
    fn urls_fail_for_sure_where_it_is_no_chance_that_all_further_attempts_failed() {
        for (first, further, sure) in [
            // A sixth of the first ones fails, as far as four can say.
            ((4, 0), (0, 3), false),
            ((4, 0), (0, 4), true),
            ((4, 0), (1, 40), false),
            ((0, 0), (0, 40), false),
            // Half of them.
            ((8, 8), (0, 8), false),
            ((8, 8), (0, 9), true),
        ] {
            let mut attempts = Attempts::NONE;
            count(&mut attempts, false, first.0, first.1);
            count(&mut attempts, true, further.0, further.1);
            assert_eq!(attempts.url_fails_for_sure(), sure, "{first:?} {further:?}");
        }
    }

    #[test]
    fn first_ones_fail_where_hardly_any_ends_well_and_further_ones_do() {
        for (first, further, fail) in [
            ((0, 15), (8, 0), false),
            ((0, 16), (7, 0), false),
            ((0, 16), (8, 0), true),
            ((1, 15), (8, 0), false),
            ((2, 32), (8, 0), true),
            ((3, 32), (8, 0), false),
            ((0, 16), (9, 3), true),
            ((0, 16), (9, 4), false),
        ] {
            let mut attempts = Attempts::NONE;
            count(&mut attempts, false, first.0, first.1);
            count(&mut attempts, true, further.0, further.1);
            assert_eq!(attempts.first_fail(), fail, "{first:?} {further:?}");
        }
    }
}
