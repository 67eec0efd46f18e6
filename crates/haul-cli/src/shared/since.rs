//! From when the time of a response counts.

use std::time::Duration;

use haul::model::{Outcome, Source};

/// From when the time of a response counts, wherever a run is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// From when its request was sent on its way.
    Sent,
    /// From when it was due, by the source's own plan. From its sending, a server that stalls would look better than it is:
    /// what waits for it meanwhile is not sent (coordinated omission).
    Due,
}

impl Since {
    /// For the jobs of this source.
    pub(crate) fn of(source: &dyn Source) -> Self {
        if source.sets_times() { Self::Due } else { Self::Sent }
    }

    /// The time of an outcome's last attempt.
    pub(crate) fn time(self, outcome: &Outcome) -> Duration {
        let timings = &outcome.last.timings;
        match self {
            Self::Sent => timings.total,
            Self::Due => timings.queued + timings.total,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use haul::model::{Attempt, Failure, FailureKind, Job, More, Phase, Rejected, Time, Timings, WebUrl};
    use haul::source::Urls;

    use super::*;

    /// A source that has a plan; in it is nothing.
    struct ScheduledSource;

    impl Source for ScheduledSource {
        fn read(&mut self, _: usize, _: Time, _: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
            Ok(More::No)
        }

        fn sets_times(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_plan_counts_the_wait_before_the_sending_in() {
        let job = Job::new(0, WebUrl::parse("http://a.test/").expect("a URL").0, Time::ZERO);
        let mut last = Attempt::unsent(Failure::new(Phase::Head, FailureKind::Timeout, "no"));
        let (queued, total) = (Duration::from_millis(700), Duration::from_millis(30));
        last.timings = Timings { queued, total, ..Timings::default() };
        let outcome = Outcome { job, attempts: 1, last };
        assert_eq!((Since::Sent.time(&outcome), Since::Due.time(&outcome)), (total, queued + total));
    }

    #[test]
    fn times_count_from_when_they_were_due_where_the_source_says_when() {
        assert_eq!((Since::of(&Urls::new([""; 0])), Since::of(&ScheduledSource)), (Since::Sent, Since::Due));
    }
}
