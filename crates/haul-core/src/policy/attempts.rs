//! Does trying again help on this host? Where it does for a quarter of the attempts, the host had failed, and not the URL.

/// Attempts that are counted before older ones count half.
const MEMORY: u8 = 64;

/// One further attempt that ends well outweighs so many that do not.
const OUTWEIGHS: u8 = 3;

/// Attempts that tell what further ones, and what first ones, are like.
const ENOUGH_FURTHER: u8 = 8;
const ENOUGH_FIRST: u8 = 16;
const ENOUGH_VAIN: u8 = 2;

/// So many times as often is far more often.
const BETTER: u16 = 3;

/// What is no chance any more: many hosts are asked, and each is asked often.
const CHANCE: f32 = 0.01;

/// How the attempts ended that were the first at their jobs, the second, and all others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    first: SuccessCounts,
    second: SuccessCounts,
    later: SuccessCounts,
}

#[derive(Clone, Copy, Debug, Default)]
struct SuccessCounts {
    good: u8,
    bad: u8,
}

impl SuccessCounts {
    const NONE: Self = Self { good: 0, bad: 0 };

    const fn all(self) -> u8 {
        self.good + self.bad
    }

    const fn and(self, other: Self) -> Self {
        Self { good: self.good + other.good, bad: self.bad + other.bad }
    }

    /// Whether hardly any ended well, of so many that failed.
    const fn hardly_any_good(self, of: u8) -> bool {
        self.bad >= of && self.good <= self.bad / ENOUGH_FIRST
    }

    /// Whether most ended well, so many at the least.
    const fn mostly_good(self, at_least: u8) -> bool {
        self.good >= at_least && self.bad <= self.good / OUTWEIGHS
    }

    const fn count(&mut self, good: bool) {
        if good {
            self.good += 1;
        } else {
            self.bad += 1;
        }
        if self.all() > MEMORY {
            self.good /= 2;
            self.bad /= 2;
        }
    }
}

impl Attempts {
    /// None yet.
    pub const NONE: Self = Self { first: SuccessCounts::NONE, second: SuccessCounts::NONE, later: SuccessCounts::NONE };

    /// One ended, well or not, that was its job's of this number: 1 for the first.
    pub const fn ended(&mut self, attempt: u32, good: bool) {
        match attempt {
            0 | 1 => self.first.count(good),
            2 => self.second.count(good),
            _ => self.later.count(good),
        }
    }

    const fn further(self) -> SuccessCounts {
        self.second.and(self.later)
    }

    /// Whether at least a quarter of the further ones ended well.
    #[must_use]
    pub const fn further_help(self) -> bool {
        let further = self.further();
        further.good > 0 && further.bad.div_ceil(OUTWEIGHS) <= further.good
    }

    /// Whether further ones end well far more often than first ones.
    #[must_use]
    pub const fn further_are_better(self) -> bool {
        let (first, further) = (self.first, self.further());
        let (good_first, good) = (first.good as u16 + 1, further.good as u16);
        first.bad >= ENOUGH_FIRST && good * first.all() as u16 > BETTER * good_first * further.all() as u16
    }

    /// Whether a first one has ended well of late.
    #[must_use]
    pub const fn has_good_first(self) -> bool {
        self.first.good > 0
    }

    /// Whether a further one has ended well of late.
    #[must_use]
    pub const fn has_good_further(self) -> bool {
        self.further().good > 0
    }

    /// The share of the first ones that fail, as far as that can be known (Laplace's rule of succession).
    #[must_use]
    pub fn first_share(self) -> f32 {
        f32::from(self.first.bad + 1) / f32::from(self.first.all() + 2)
    }

    /// Whether it is surely the URL: no further one ended well, and if the host failed whatever it is asked that would be no chance.
    ///
    /// What fails whatever it is asked would have drawn those that failed by lot: Fisher's exact test.
    #[must_use]
    pub fn url_fails_for_sure(self) -> bool {
        let (further, all, bad) = (self.further(), self.first.and(self.further()).all(), self.first.bad);
        let by_chance = |nth: u8| f32::from(bad + further.bad - nth) / f32::from(all - nth);
        self.first.good > 0 && further.good == 0 && (0..further.bad).map(by_chance).product::<f32>() <= CHANCE
    }

    /// Whether further ones fail, as they have so far: of many not one ended well, or it is surely the URL.
    #[must_use]
    pub fn further_fail(self) -> bool {
        let further = self.further();
        (further.good == 0 && further.bad >= ENOUGH_FIRST) || self.url_fails_for_sure()
    }

    /// Whether it is the URL: whatever had failed once fails again, and a fifth of what is asked for the first time does not fail.
    #[must_use]
    pub const fn url_fails(self) -> bool {
        self.further().good == 0 && self.further().bad >= ENOUGH_VAIN && self.first.bad.div_ceil(4) <= self.first.good
    }

    /// Whether it is the first attempt that fails, or the first two, whatever the job, and further ones end well: a cache that is cold,
    /// a page that is made when it is asked for.
    #[must_use]
    pub const fn first_fail(self) -> bool {
        self.first.hardly_any_good(ENOUGH_FIRST)
            && (self.further().mostly_good(ENOUGH_FURTHER)
                || self.second.hardly_any_good(ENOUGH_FURTHER) && self.later.mostly_good(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(attempts: &mut Attempts, attempt: u32, good: u32, bad: u32) {
        (0..good).for_each(|_| attempts.ended(attempt, true));
        (0..bad).for_each(|_| attempts.ended(attempt, false));
    }

    #[test]
    fn a_quarter_that_ends_well_is_enough_and_the_old_is_forgotten() {
        let mut attempts = Attempts::NONE;
        assert!(!attempts.further_help());
        count(&mut attempts, 2, 1, 3);
        assert!(attempts.further_help());
        count(&mut attempts, 2, 0, 1);
        assert!(!attempts.further_help());
        count(&mut attempts, 2, 0, 1000);
        assert!(!attempts.further_help());
        count(&mut attempts, 2, 40, 0);
        assert!(attempts.further_help());
    }

    #[test]
    fn urls_fail_where_no_further_attempt_ends_well_and_many_first_ones_do() {
        for (first, further, fails) in
            [((10, 2), (0, 1), false), ((10, 2), (0, 2), true), ((10, 2), (1, 40), false), ((1, 5), (0, 4), false)]
        {
            let mut attempts = Attempts::NONE;
            count(&mut attempts, 1, first.0, first.1);
            count(&mut attempts, 2, further.0, further.1);
            assert_eq!(attempts.url_fails(), fails, "{first:?} {further:?}");
        }
    }

    #[test]
    fn urls_fail_for_sure_where_it_is_no_chance_that_all_further_attempts_failed() {
        for (first, further, sure) in [
            ((4, 0), (0, 4), false),
            ((4, 0), (0, 5), true),
            ((4, 0), (1, 40), false),
            ((0, 0), (0, 40), false),
            // One that ended well says nothing, whichever it was.
            ((1, 0), (0, 60), false),
            ((8, 8), (0, 9), false),
            ((8, 8), (0, 10), true),
            ((62, 2), (0, 2), true),
        ] {
            let mut attempts = Attempts::NONE;
            count(&mut attempts, 1, first.0, first.1);
            count(&mut attempts, 2, further.0, further.1);
            assert_eq!(attempts.url_fails_for_sure(), sure, "{first:?} {further:?}");
        }
    }

    #[test]
    fn further_ones_fail_as_ever_where_of_many_none_ended_well() {
        for (first, further, fail) in [
            ((0, 64), (0, 15), false),
            ((0, 64), (0, 16), true),
            ((0, 64), (1, 60), false),
            ((10, 0), (0, 2), false),
            ((62, 2), (0, 2), true),
        ] {
            let mut attempts = Attempts::NONE;
            count(&mut attempts, 1, first.0, first.1);
            count(&mut attempts, 2, further.0, further.1);
            assert_eq!(attempts.further_fail(), fail, "{first:?} {further:?}");
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
            count(&mut attempts, 1, first.0, first.1);
            count(&mut attempts, 2, further.0, further.1);
            assert_eq!(attempts.first_fail(), fail, "{first:?} {further:?}");
        }
    }

    #[test]
    fn the_first_two_fail_where_hardly_any_ends_well_of_them_and_a_later_one_does() {
        for (first, second, later, fail) in [
            ((0, 16), (0, 8), (1, 0), true),
            ((0, 16), (0, 8), (0, 0), false),
            ((0, 16), (0, 7), (1, 0), false),
            ((0, 16), (1, 15), (4, 0), false),
            ((0, 16), (1, 16), (4, 0), true),
            ((0, 16), (0, 8), (3, 1), true),
            ((0, 16), (0, 8), (3, 2), false),
            ((2, 16), (0, 8), (4, 0), false),
        ] {
            let mut attempts = Attempts::NONE;
            count(&mut attempts, 1, first.0, first.1);
            count(&mut attempts, 2, second.0, second.1);
            count(&mut attempts, 3, later.0, later.1);
            assert_eq!(attempts.first_fail(), fail, "{first:?} {second:?} {later:?}");
        }
    }

    #[test]
    fn further_ones_are_better_where_three_times_as_many_of_them_end_well() {
        for (first, further, better) in [
            ((0, 15), (4, 0), false),
            ((0, 16), (0, 8), false),
            ((0, 16), (1, 4), true),
            ((0, 16), (1, 5), false),
            ((8, 16), (8, 8), false),
            ((1, 40), (3, 7), true),
        ] {
            let mut attempts = Attempts::NONE;
            count(&mut attempts, 1, first.0, first.1);
            count(&mut attempts, 2, further.0, further.1);
            assert_eq!(attempts.further_are_better(), better, "{first:?} {further:?}");
        }
    }
}
