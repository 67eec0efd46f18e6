//! The last time for which a host was left alone because of its failures, or because it asked for that.

use std::time::Duration;

use crate::model::Time;

#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    from: Time,
    until: Time,
}

impl Rest {
    pub(super) const NONE: Self = Self { from: Time::ZERO, until: Time::ZERO };

    pub(super) const fn until(self) -> Time {
        self.until
    }

    pub(super) fn is_over(self, now: Time) -> bool {
        self.until <= now
    }

    /// Until this time at least: the same rest, where it is not over yet.
    pub(super) fn extend(&mut self, until: Time, now: Time) {
        if self.is_over(now) && until > now {
            self.from = now;
        }
        self.until = self.until.max(until);
    }

    /// It is over now, if it was not before.
    pub(super) fn end(&mut self, now: Time) {
        self.until = self.until.min(now);
    }

    /// How much of the time from `since` to `now` it took.
    pub(super) fn within(self, since: Time, now: Time) -> Duration {
        self.until.min(now).since(self.from.max(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    /// A rest from 100 to 200 ms.
    fn rest() -> Rest {
        let mut rest = Rest::NONE;
        rest.extend(at(200), at(100));
        rest
    }

    #[test]
    fn a_job_waits_for_the_part_of_a_rest_that_it_was_there_for() {
        let cases = [
            ((0, 300), 100, "all of it"),
            ((150, 300), 50, "it came meanwhile"),
            ((0, 150), 50, "it is not over"),
            ((200, 300), 0, "it came afterwards"),
            ((0, 100), 0, "it was taken before"),
        ];
        for ((since, now), waited, why) in cases {
            assert_eq!(rest().within(at(since), at(now)), Duration::from_millis(waited), "{why}");
        }
        assert_eq!(Rest::NONE.within(at(0), at(300)), Duration::ZERO);
    }

    #[test]
    fn a_longer_pause_asked_for_meanwhile_is_the_same_rest_and_a_good_answer_ends_it() {
        let mut rest = rest();
        rest.extend(at(180), at(150));
        assert_eq!(rest.until(), at(200), "never shorter");
        rest.extend(at(400), at(150));
        assert_eq!(rest.within(at(0), at(500)), Duration::from_millis(300));
        rest.end(at(250));
        assert_eq!(rest.within(at(0), at(500)), Duration::from_millis(150));
        rest.end(at(260));
        assert_eq!(rest.until(), at(250), "it was over before");
        rest.extend(at(255), at(260));
        assert_eq!(
            rest.within(at(0), at(500)),
            Duration::from_millis(155),
            "what is over already is no rest of its own"
        );
    }
}
