//! Can a host afford another retry? A token account: successes pay in a share, retries take one.
//!
//! Without it a failing host turns every job into `retries + 1` requests, at the worst moment for it. A success pays for all the
//! attempts that it took: where each job needs several, trying again is what helps. For the same reason a part of what is given at
//! first is for jobs that have come further: it would be spent on second attempts else, before a third has shown anything.

use crate::config::RetrySettings;

/// Thousandths of a retry, so that shares add up exactly.
const UNIT: u32 = 1000;

/// One host's account.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    thousandths: u32,
}

impl Budget {
    /// An account that holds the floor.
    #[must_use]
    pub const fn new(settings: &RetrySettings) -> Self {
        Self { thousandths: settings.budget_floor.saturating_mul(UNIT) }
    }

    /// A job ended well, at this attempt.
    pub fn earn(&mut self, attempt: u32, settings: &RetrySettings) {
        // A float-to-integer cast saturates: a negative or absurd ratio becomes 0 or the maximum.
        let share = (settings.budget_ratio * f64::from(UNIT) * f64::from(attempt)) as u32;
        self.thousandths = self.thousandths.saturating_add(share);
    }

    /// Takes one retry out for a job whose attempt of this number failed, if there is one beside those that are kept for jobs that
    /// have come further.
    pub fn spend(&mut self, failed: u32, settings: &RetrySettings) -> bool {
        self.take(Self::kept(failed, settings))
    }

    /// Retries that are kept for jobs whose attempts of higher numbers have failed.
    pub(crate) fn kept(failed: u32, settings: &RetrySettings) -> u32 {
        let given = Self::new(settings).thousandths / UNIT;
        if failed < settings.retries { given.checked_shr(failed).unwrap_or(0) } else { 0 }
    }

    /// Takes one retry out, if there is any.
    pub const fn spend_any(&mut self) -> bool {
        self.take(0)
    }

    const fn take(&mut self, kept: u32) -> bool {
        match self.thousandths.checked_sub(UNIT) {
            Some(rest) if rest / UNIT >= kept => {
                self.thousandths = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_given_and_successes_pay_for_the_rest() {
        let settings = RetrySettings { budget_floor: 2, budget_ratio: 0.2, ..RetrySettings::default() };
        let mut budget = Budget::new(&settings);
        assert!(budget.spend_any() && budget.spend_any() && !budget.spend_any());
        (0..4).for_each(|_| budget.earn(1, &settings));
        assert!(!budget.spend_any());
        budget.earn(1, &settings);
        assert!(budget.spend_any() && !budget.spend_any());
    }

    #[test]
    fn a_success_pays_for_all_its_attempts() {
        let settings = RetrySettings { budget_floor: 0, ..RetrySettings::default() };
        let mut budget = Budget::new(&settings);
        budget.earn(3, &settings);
        assert_eq!((0..9).filter(|_| budget.spend(2, &settings)).count(), 3);
    }

    #[test]
    fn a_part_of_what_is_given_is_for_those_who_have_come_further() {
        for (retries, spent) in [(1, [100, 0, 0, 0]), (2, [50, 50, 0, 0]), (4, [50, 25, 13, 12])] {
            let settings = RetrySettings { retries, ..RetrySettings::default() };
            let mut budget = Budget::new(&settings);
            let each = [1, 2, 3, 4].map(|failed| (0..200).filter(|_| budget.spend(failed, &settings)).count());
            assert_eq!(each, spent, "{retries} retries");
        }
    }

    #[test]
    fn absurd_ratios_saturate() {
        let settings = RetrySettings { budget_floor: 0, budget_ratio: f64::INFINITY, ..RetrySettings::default() };
        let mut budget = Budget::new(&settings);
        budget.earn(1, &settings);
        budget.earn(1, &settings);
        assert!(budget.spend_any());
        let settings = RetrySettings { budget_floor: 0, budget_ratio: -1.0, ..settings };
        let mut budget = Budget::new(&settings);
        budget.earn(1, &settings);
        assert!(!budget.spend_any());
    }
}
