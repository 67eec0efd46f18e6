//! Looks for the highest rate that is sustained: doubles until one is not, then halves what lies between. Pure.

use super::schedule::MOST;

/// The search ends when the highest rate that was sustained and the lowest that was not are this close.
const CLOSE: f64 = 1.05;

/// Rates tried, at most: 14 doublings from 100/s to the highest rate there is, and 5 halvings, are 19.
const TRIALS: usize = 24;

/// Below this rate nothing is looked for.
const LEAST: f64 = 0.1;

/// What is known so far.
#[derive(Clone, Debug)]
pub(super) struct RateSearch {
    first: f64,
    /// The highest rate that was sustained.
    pub(super) sustained: Option<f64>,
    /// The lowest that was not.
    pub(super) too_much: Option<f64>,
    tried: usize,
}

impl RateSearch {
    /// Begins with this rate, above zero.
    pub(super) const fn new(first: f64) -> Self {
        Self { first, sustained: None, too_much: None, tried: 0 }
    }

    /// The rate to try next; `None` when there is nothing left to find out.
    pub(super) fn next(&self) -> Option<f64> {
        let next = match (self.sustained, self.too_much) {
            (None, None) => self.first,
            (Some(sustained), None) if sustained < MOST => (sustained * 2.0).min(MOST),
            (Some(_), None) => return None,
            (None, Some(too_much)) => too_much / 2.0,
            (Some(sustained), Some(too_much)) if too_much / sustained <= CLOSE => return None,
            (Some(sustained), Some(too_much)) => f64::midpoint(sustained, too_much),
        };
        (self.tried < TRIALS && next >= LEAST.min(self.first)).then_some(next)
    }

    /// What came of a rate.
    pub(super) fn note(&mut self, rate: f64, was_borne: bool) {
        self.tried += 1;
        if was_borne {
            self.sustained = Some(rate);
        } else {
            self.too_much = Some(rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Searches a server that sustains this rate; the rates tried.
    fn search(first: f64, sustains: f64) -> (RateSearch, Vec<f64>) {
        let mut search = RateSearch::new(first);
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            tried.push(rate);
            search.note(rate, rate <= sustains);
        }
        (search, tried)
    }

    #[test]
    fn it_doubles_and_then_halves_what_lies_between() {
        let (search, tried) = search(100.0, 700.0);
        assert_eq!(tried, [100.0, 200.0, 400.0, 800.0, 600.0, 700.0, 750.0, 725.0]);
        assert_eq!((search.sustained, search.too_much), (Some(700.0), Some(725.0)));
    }

    #[test]
    fn a_first_rate_that_is_too_much_leads_down() {
        assert_eq!(search(100.0, 26.0).1[..4], [100.0, 50.0, 25.0, 37.5]);
        let (search, tried) = search(1.0, 0.0);
        assert_eq!((search.sustained, tried), (None, vec![1.0, 0.5, 0.25, 0.125]));
    }

    proptest! {
        #[test]
        fn it_ends_and_comes_close(first in 0.1..1e6_f64, sustains in 0.2..2e6_f64) {
            let (search, tried) = search(first, sustains);
            prop_assert!(tried.len() <= TRIALS);
            let sustained = search.sustained.expect("the least rate is sustained");
            prop_assert!(sustained <= sustains && (sustains.min(MOST) / sustained <= CLOSE || tried.len() == TRIALS), "{tried:?}");
        }
    }
}
