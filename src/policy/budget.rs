//! Can a host afford another retry? A token account: successes pay in a share, retries take one.
//!
//! Without it a failing host turns every job into `retries + 1` requests, at the worst moment for it.

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

    /// A job ended well.
    pub fn earn(&mut self, settings: &RetrySettings) {
        // A float-to-integer cast saturates: a negative or absurd ratio becomes 0 or the maximum.
        let share = (settings.budget_ratio * f64::from(UNIT)) as u32;
        self.thousandths = self.thousandths.saturating_add(share);
    }

    /// Takes one retry out, if there is one.
    pub const fn spend(&mut self) -> bool {
        match self.thousandths.checked_sub(UNIT) {
            Some(rest) => {
                self.thousandths = rest;
                true
            }
            None => false,
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
        assert!(budget.spend() && budget.spend() && !budget.spend());
        (0..4).for_each(|_| budget.earn(&settings));
        assert!(!budget.spend());
        budget.earn(&settings);
        assert!(budget.spend() && !budget.spend());
    }

    #[test]
    fn absurd_ratios_saturate() {
        let settings = RetrySettings { budget_floor: 0, budget_ratio: f64::INFINITY, ..RetrySettings::default() };
        let mut budget = Budget::new(&settings);
        budget.earn(&settings);
        budget.earn(&settings);
        assert!(budget.spend());
        let settings = RetrySettings { budget_floor: 0, budget_ratio: -1.0, ..settings };
        let mut budget = Budget::new(&settings);
        budget.earn(&settings);
        assert!(!budget.spend());
    }
}
