//! What the scheduler holds for and against a host: back-off, breaker, adaptive limit.
//!
//! *Events* are counted, not responses: when eight requests fail together, the seven that were begun before the first
//! failure was known belong to it and change neither the back-off's level nor the breaker's count nor the adaptive
//! limit. This is the host's second clock; pacing is the first, and neither touches the other.

use std::time::Duration;

use crate::model::{FailureKind, Time};
use crate::policy::{Adaptive, Blame, Breaker, Verdict};

use super::event::Report;
use super::settings::SchedulerSettings;

#[derive(Debug)]
pub(super) struct Health {
    pub(super) adaptive: Adaptive,
    /// Apart from the host, because most hosts are never in any.
    trouble: Option<Box<Trouble>>,
}

/// What is held against a host. One that is well has none.
#[derive(Debug, Default)]
struct Trouble {
    /// Nothing is started before this time.
    until: Time,
    breaker: Breaker,
    /// When the last failure event was reported.
    last_event: Option<Time>,
    /// Failure events that successes have not yet worn off.
    level: u32,
}

/// What judging needs from outside.
pub(super) struct Bench<'a> {
    pub(super) settings: &'a SchedulerSettings,
    pub(super) rng: &'a mut fastrand::Rng,
    pub(super) now: Time,
}

impl Health {
    pub(super) fn new(max: u32) -> Self {
        Self { adaptive: Adaptive::new(max), trouble: None }
    }

    /// Takes note of how an attempt ended. `max` is the host's fixed limit.
    pub(super) fn note(&mut self, report: Report, max: u32, bench: Bench<'_>) {
        match report.verdict.blame() {
            Blame::Nobody => {}
            Blame::Alive => {
                if let Some(trouble) = &mut self.trouble {
                    trouble.breaker.answered();
                }
                if report.verdict == Verdict::Fine {
                    self.succeeded(report.started, max);
                }
            }
            Blame::Overloaded => self.overloaded(report, bench),
            Blame::Unreachable(kind) => {
                let after = bench.settings.retries.dead_after;
                self.unreachable(kind, after, report.started, bench);
            }
            Blame::Gone(kind) => self.gone(kind, report.started, bench),
        }
    }

    /// Takes note of a name that was not resolved. Each look-up is an event of its own.
    ///
    /// Where the breaker is off, the look-up still ends after as many tries as a request has: a host without an
    /// address would keep its jobs for ever.
    pub(super) fn unresolved(&mut self, kind: FailureKind, bench: Bench<'_>) {
        let retries = &bench.settings.retries;
        let after = if retries.dead_after == 0 { retries.retries.saturating_add(1) } else { retries.dead_after };
        self.trouble().last_event = None;
        match Verdict::Failed(kind).blame() {
            Blame::Gone(kind) => self.gone(kind, bench.now, bench),
            _ => self.unreachable(kind, after, bench.now, bench),
        }
    }

    /// Nothing is started before this time.
    pub(super) fn until(&self) -> Time {
        self.trouble.as_ref().map_or(Time::ZERO, |trouble| trouble.until)
    }

    /// Whether nothing is held against the host.
    pub(super) const fn is_clear(&self) -> bool {
        self.trouble.is_none()
    }

    /// The cause, while the host is dead.
    pub(super) fn dead(&self, now: Time) -> Option<FailureKind> {
        self.trouble.as_ref().and_then(|trouble| trouble.breaker.dead(now))
    }

    /// Whether only a probe may pass.
    pub(super) fn half_open(&self, now: Time) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.breaker.half_open(now))
    }

    /// When nothing is remembered against the host any longer.
    pub(super) fn clear_at(&self) -> Time {
        self.trouble.as_ref().map_or(Time::ZERO, |trouble| trouble.until.max(trouble.breaker.until()))
    }

    /// Drops trouble that is over. To be called while nothing is in flight: what is begun later is news in any case.
    pub(super) fn forgive(&mut self, now: Time) {
        self.trouble.take_if(|trouble| trouble.is_over(now));
    }

    fn trouble(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }

    fn succeeded(&mut self, started: Time, max: u32) {
        match &mut self.trouble {
            Some(trouble) if !trouble.is_news(started) => return,
            Some(trouble) => trouble.level = trouble.level.saturating_sub(1),
            None => {}
        }
        self.adaptive.succeeded(max);
    }

    // Cold, this and what follows: most attempts end well, and noting that should cost little.
    #[cold]
    fn overloaded(&mut self, report: Report, bench: Bench<'_>) {
        let asked = match report.verdict {
            Verdict::PushedBack(Some(pause)) if !pause.is_zero() => {
                Some(pause.min(bench.settings.retries.retry_after_max))
            }
            _ => None,
        };
        let trouble = self.trouble();
        trouble.breaker.answered();
        if trouble.is_news(report.started) {
            self.event(asked, bench);
        } else if let Some(pause) = asked {
            // The same event, but a plain request for a pause all the same.
            trouble.until = trouble.until.max(bench.now + pause);
        }
    }

    #[cold]
    fn unreachable(&mut self, kind: FailureKind, after: u32, started: Time, mut bench: Bench<'_>) {
        let trouble = self.trouble();
        if trouble.is_news(started) && trouble.breaker.is_news(started) {
            self.event(None, bench.again());
            self.trouble().breaker.failed(kind, after, &bench.settings.retries, bench.now);
        }
    }

    #[cold]
    fn gone(&mut self, kind: FailureKind, started: Time, bench: Bench<'_>) {
        let breaker = &mut self.trouble().breaker;
        if breaker.is_news(started) {
            breaker.open(kind, &bench.settings.retries, bench.now);
        }
    }

    fn event(&mut self, pause: Option<Duration>, bench: Bench<'_>) {
        self.adaptive.overloaded();
        let trouble = self.trouble();
        trouble.last_event = Some(bench.now);
        trouble.level = trouble.level.saturating_add(1);
        let pause = pause.unwrap_or_else(|| bench.settings.host_backoff().wait(trouble.level, bench.rng));
        trouble.until = trouble.until.max(bench.now + pause);
    }
}

impl Trouble {
    fn is_news(&self, started: Time) -> bool {
        self.last_event.is_none_or(|last| started > last)
    }

    /// Whether nothing of it is left but the time of the last event.
    fn is_over(&self, now: Time) -> bool {
        self.level == 0 && self.until <= now && self.breaker.is_at_rest()
    }
}

impl Bench<'_> {
    const fn again(&mut self) -> Bench<'_> {
        Bench { settings: self.settings, rng: self.rng, now: self.now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Limits, RetrySettings};

    struct Case {
        settings: SchedulerSettings,
        rng: fastrand::Rng,
        health: Health,
    }

    impl Case {
        fn new(retries: RetrySettings) -> Self {
            let settings = SchedulerSettings::new(&Limits::default(), &retries);
            Self { settings, rng: fastrand::Rng::with_seed(3), health: Health::new(8) }
        }

        fn note(&mut self, started: u64, now: u64, verdict: Verdict) {
            let report = Report { started: Time::from_millis(started), verdict };
            let bench = Bench { settings: &self.settings, rng: &mut self.rng, now: Time::from_millis(now) };
            self.health.note(report, 8, bench);
        }

        fn rest(&self, now: u64) -> u128 {
            self.health.until().since(Time::from_millis(now)).as_millis()
        }

        fn level(&self) -> u32 {
            self.health.trouble.as_ref().map_or(0, |trouble| trouble.level)
        }

        fn is_forgiven(&mut self, now: u64) -> bool {
            self.health.forgive(Time::from_millis(now));
            self.health.trouble.is_none()
        }
    }

    const PUSHED: Verdict = Verdict::PushedBack(None);
    const REFUSED: Verdict = Verdict::Failed(FailureKind::Refused);

    #[test]
    fn concurrent_failures_are_one_event_and_successes_wear_it_off_step_by_step() {
        let mut case = Case::new(RetrySettings::default());
        case.note(10, 100, PUSHED);
        let first = case.health.until();
        for started in [10, 20, 99, 100] {
            case.note(started, 101, PUSHED);
        }
        assert_eq!((case.level(), case.health.until()), (1, first));
        case.note(101, 2000, PUSHED);
        case.note(2001, 5000, Verdict::Troubled);
        assert_eq!(case.level(), 3);
        case.note(4000, 5001, Verdict::Fine);
        assert_eq!(case.level(), 3);
        case.note(5001, 5002, Verdict::Fine);
        assert_eq!(case.level(), 2);
    }

    #[test]
    fn retry_after_is_obeyed_capped_and_zero_falls_through_to_backing_off() {
        let seconds = |s| Verdict::PushedBack(Some(Duration::from_secs(s)));
        let mut case =
            Case::new(RetrySettings { retry_after_max: Duration::from_secs(60), ..RetrySettings::default() });
        case.note(1, 2, seconds(7));
        assert_eq!(case.rest(2), 7000);
        case.note(1, 3, seconds(9));
        assert_eq!((case.rest(3), case.level()), (9000, 1));
        case.note(1, 4, seconds(2));
        assert_eq!(case.rest(3), 9000);
        case.note(20_000, 20_001, seconds(1_000_000));
        assert_eq!(case.rest(20_001), 60_000);
        case.note(90_000, 90_001, seconds(0));
        assert!((1000..=2000).contains(&case.rest(90_001)), "{}", case.rest(90_001));
    }

    #[test]
    fn answers_of_any_kind_keep_the_host_from_being_called_dead() {
        let mut case = Case::new(RetrySettings { dead_after: 2, ..RetrySettings::default() });
        let now = |case: &Case, at| case.health.dead(Time::from_millis(at)).is_some();
        case.note(1, 2, REFUSED);
        case.note(1000, 1001, Verdict::Failed(FailureKind::BadFraming));
        case.note(2000, 2001, REFUSED);
        assert!(!now(&case, 2001));
        case.note(3000, 3001, REFUSED);
        assert!(now(&case, 3001));
        // Stragglers of the time before don't lengthen it, a late answer ends it.
        let until = case.health.clear_at();
        case.note(3000, 4000, REFUSED);
        assert_eq!(case.health.clear_at(), until);
        case.note(2999, 5000, Verdict::Fine);
        assert!(!now(&case, 5000));
    }

    #[test]
    fn look_ups_end_even_with_the_breaker_off() {
        let mut case = Case::new(RetrySettings { dead_after: 0, retries: 2, ..RetrySettings::default() });
        for step in 1..=3 {
            let now = Time::from_millis(step);
            assert_eq!(case.health.dead(now), None);
            let bench = Bench { settings: &case.settings, rng: &mut case.rng, now };
            case.health.unresolved(FailureKind::ServerFailure, bench);
        }
        assert_eq!(case.health.dead(Time::from_millis(3)), Some(FailureKind::ServerFailure));
    }

    #[test]
    fn pushing_back_halves_the_adaptive_limit_once_an_event() {
        let mut case = Case::new(RetrySettings::default());
        for at in 0..100 {
            case.note(at, at + 1, Verdict::Fine);
        }
        assert_eq!(case.health.adaptive.limit(), 8);
        (0..8).for_each(|_| case.note(150, 200, PUSHED));
        assert_eq!(case.health.adaptive.limit(), 4);
    }

    #[test]
    fn trouble_is_forgiven_when_successes_have_worn_it_off_and_no_clock_runs() {
        let mut case = Case::new(RetrySettings { dead_after: 2, ..RetrySettings::default() });
        case.note(0, 1, Verdict::Fine);
        assert!(case.is_forgiven(1), "nothing to forgive");
        case.note(2, 3, PUSHED);
        case.note(2, 4, Verdict::Fine);
        assert!(!case.is_forgiven(100_000), "time alone wears nothing off");
        case.note(4, 5, Verdict::Fine);
        assert!(!case.is_forgiven(5), "the back-off runs");
        assert!(case.is_forgiven(100_000));
        case.note(200_000, 200_001, Verdict::Failed(FailureKind::NameNotFound));
        assert!(!case.is_forgiven(10_000_000), "it is half-open");
        case.note(10_000_000, 10_000_001, Verdict::Fine);
        assert!(case.is_forgiven(10_000_001));
    }
}
