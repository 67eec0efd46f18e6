//! A trial: does less help?

use super::window::Window;

/// It has helped when no more than this part of the share of before still fails.
pub(super) const HELPED: f32 = 1.0 / 3.0;

/// And it has moved something, so that still less may help, when no more than this part of it does.
pub(super) const MOVED: f32 = 0.75;

/// Likewise at the beginning, where the share of before is that of a few attempts.
const HELPED_AT_FIRST: f32 = 0.15;
const MOVED_AT_FIRST: f32 = 0.6;

/// How often less is tried before it is taken to be no help: the first measure may have seen a burst that was allowed.
const TRIES: u8 = 2;
const TRIES_MEANT: u8 = 6;

/// Attempts that it takes: some five of those that failed before must be among them.
const TELLING: f32 = 5.0;
pub(super) const SHORTEST: f32 = 8.0;
const LONGEST: f32 = 64.0;

#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    /// The share that failed before.
    pub(super) before: f32,
    /// How often less has been tried.
    pub(super) tries: u8,
    /// How long a good answer took before, in nanoseconds.
    pub(super) service: u64,
    pub(super) why: Why,
}

/// Why less is being tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// More fails than is usual.
    Share,
    /// Many were refused while one was served: others may have been served beside it.
    Crowd,
    /// Likewise, and these were the first.
    FirstCrowd,
    /// Nearly all that was asked at first failed.
    Beginning,
    /// Likewise, and much of what was asked at the first pace.
    Slower,
}

impl Trial {
    /// The first one for this reason.
    pub(super) const fn new(why: Why, before: f32, service: u64) -> Self {
        Self { before, tries: 1, service, why }
    }

    /// Still less is tried, after a window in which such a share failed.
    pub(super) fn again(self, share: f32) -> Self {
        // What failed before the first pace says little of what fails at it.
        let (before, why) = match self.why {
            Why::Beginning => (share, Why::Slower),
            _ => (f32::midpoint(self.before, share), Why::Share),
        };
        Self { before, tries: self.tries + 1, why, ..self }
    }

    /// Attempts that a window of it needs.
    pub(super) fn wanted(self) -> u32 {
        (TELLING / self.before).clamp(SHORTEST, LONGEST) as u32
    }

    /// Whether it is the last, and more has failed already than may fail if it has helped.
    pub(super) fn is_lost(self, window: &Window, is_meant: bool) -> bool {
        let is_last = self.tries >= TRIES && !is_meant;
        is_last && f32::from(window.bad) > self.before * HELPED * self.wanted() as f32
    }

    /// Whether less has helped, by what failed in its window.
    pub(super) fn has_helped(self, window: &Window) -> bool {
        let most = if self.why == Why::Beginning { HELPED_AT_FIRST } else { HELPED };
        window.share() <= self.before * most
    }

    /// Whether still less may help: this has moved something, or the host says that it is asked too much, and means it.
    pub(super) fn may_help(self, window: &Window, is_meant: bool) -> bool {
        let most = if self.why == Why::Beginning { MOVED_AT_FIRST } else { MOVED };
        let has_moved = window.share() <= self.before * most || (self.why == Why::Beginning && window.is_even());
        (has_moved && self.tries < TRIES) || (is_meant && self.tries < TRIES_MEANT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    /// A window of these ends: `.` good, `x` bad.
    fn window(ends: &str) -> Window {
        let mut window = Window::new(Time::ZERO);
        for (end, nth) in ends.chars().zip(1..) {
            let at = Time::from_millis(nth);
            match end {
                'x' => window.bad(),
                _ => assert!(window.good(at, at)),
            }
        }
        window
    }

    #[test]
    fn what_lets_one_through_now_and_then_may_be_a_rate_at_first() {
        for (ends, may) in [
            ("xxx.xxx.", true),
            (".xx.xxxx", true),
            ("xxxxx.x.", false),
            ("xxxxxx..", false),
            ("xxxxxxx.", false),
            // Less than 60 % of what failed before.
            ("x.x..x.x", true),
        ] {
            assert_eq!(Trial::new(Why::Beginning, 1.0, 0).may_help(&window(ends), false), may, "{ends}");
        }
        assert!(!Trial::new(Why::Share, 0.75, 0).may_help(&window("xxx.xxx."), false), "others have moved something");
    }

    #[test]
    fn the_last_try_is_lost_when_more_has_failed_than_may() {
        let first = Trial::new(Why::Beginning, 1.0, 0);
        let last = first.again(0.75);
        assert_eq!((last.before, last.why, last.wanted()), (0.75, Why::Slower, 8), "the first pace is what counts");
        for (ends, lost) in [("xx", false), ("xxx", true), ("..xx.", false), ("x...x.x", true)] {
            assert_eq!(last.is_lost(&window(ends), false), lost, "{ends}");
            assert!(!first.is_lost(&window(ends), false), "less may help");
            assert!(!last.is_lost(&window(ends), true), "who means it is asked for less");
        }
    }

    #[test]
    fn who_means_it_is_asked_less_and_less() {
        // A third of what was asked failed, and still does.
        let at = Time::from_millis;
        let mut window = Window::new(at(0));
        assert!(window.good(at(1), at(2)) && window.good(at(2), at(3)));
        window.bad();
        let tries = |is_meant: bool| {
            let mut trial = Trial::new(Why::Share, 1.0 / 3.0, 0);
            while trial.may_help(&window, is_meant) {
                trial = trial.again(window.share());
            }
            trial.tries
        };
        assert_eq!((tries(false), tries(true)), (1, 6));
    }
}
