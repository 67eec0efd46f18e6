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
}

impl Trial {
    /// The first one for this reason.
    pub(super) const fn new(why: Why, before: f32, service: u64) -> Self {
        Self { before, tries: 1, service, why }
    }

    /// Still less is tried, after a window in which such a share failed.
    pub(super) const fn again(self, share: f32) -> Self {
        Self { before: f32::midpoint(self.before, share), tries: self.tries + 1, why: Why::Share, ..self }
    }

    /// Attempts that a window of it needs.
    pub(super) fn wanted(self) -> u32 {
        (TELLING / self.before).clamp(SHORTEST, LONGEST) as u32
    }

    /// Whether less has helped, by what failed in its window.
    pub(super) fn has_helped(self, window: &Window) -> bool {
        let most = if self.why == Why::Beginning { HELPED_AT_FIRST } else { HELPED };
        window.share() <= self.before * most
    }

    /// Whether still less may help: this has moved something, or the host says that it is asked too much, and means it.
    pub(super) fn may_help(self, window: &Window, is_meant: bool) -> bool {
        let most = if self.why == Why::Beginning { MOVED_AT_FIRST } else { MOVED };
        let has_moved = self.tries < TRIES && window.share() <= self.before * most;
        has_moved || (is_meant && self.tries < TRIES_MEANT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

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
