//! When each request of an open loop is due, whatever became of those before it. Pure.

use std::time::Duration;

use fastrand::Rng;
use haul::config::Rate;
use haul::model::Time;

/// When the plan of every open loop begins, by the run's clock: its threads stand by then.
pub(super) const BEGIN: Time = Time::from_millis(100);

/// The highest rate there is a plan for: no client sends more.
pub(super) const MOST: f64 = 1e6;

/// How the times between two requests are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Arrivals {
    /// All the same
    Constant,
    /// As between visitors who don't know of each other: exponential
    Poisson,
}

impl Arrivals {
    /// As it is written.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }
}

/// A rate, and how long it is held; `None`: until there have been enough requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct RateStep {
    pub(super) rate: Rate,
    pub(super) lasts: Option<Duration>,
}

/// Requests at one rate after the other.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    steps: Vec<RateStep>,
    arrivals: Arrivals,
    random: Rng,
    /// Requests still to plan; `None`: as many as there is time for.
    left: Option<u64>,
    /// How many were taken, and of each step.
    made: u64,
    taken: Vec<u64>,
    /// The current step, and when it began.
    step: usize,
    begin: Time,
    /// Seconds from there to the next request.
    offset: f64,
}

impl Schedule {
    /// `steps`: at least one. `requests`: the most that are planned.
    pub(super) fn new(steps: Vec<RateStep>, arrivals: Arrivals, seed: u64, requests: Option<u64>) -> Self {
        let mut schedule = Self {
            arrivals,
            random: Rng::with_seed(seed),
            left: requests,
            made: 0,
            taken: vec![0; steps.len()],
            step: 0,
            begin: BEGIN,
            offset: 0.0,
            steps,
        };
        schedule.enter();
        schedule.move_on();
        schedule
    }

    /// How many steps there are.
    pub(super) const fn steps(&self) -> usize {
        self.steps.len()
    }

    /// When the next request is due.
    pub(super) fn next(&self) -> Option<Time> {
        (self.left != Some(0) && self.step < self.steps.len())
            .then(|| self.begin + Duration::try_from_secs_f64(self.offset).unwrap_or(Duration::MAX))
    }

    /// Sends the next request, which there must be, on its way. How many came before it.
    pub(super) fn take(&mut self) -> u64 {
        let before = self.made;
        self.made += 1;
        self.taken[self.step] += 1;
        self.left = self.left.map(|left| left - 1);
        let rate = self.steps[self.step].rate.per_second();
        match self.arrivals {
            // By counting, not adding: an interval's rounding must not add up.
            Arrivals::Constant => self.offset = self.taken[self.step] as f64 / rate,
            Arrivals::Poisson => self.offset += self.gap(),
        }
        self.move_on();
        before
    }

    /// Requests of this step, those taken and those that were not. Of a random plan the latter are the number expected.
    pub(super) fn planned(&self, step: usize) -> u64 {
        let RateStep { rate, lasts } = self.steps[step];
        let until = lasts.map_or(f64::INFINITY, |lasts| lasts.as_secs_f64());
        let left = match step.cmp(&self.step) {
            std::cmp::Ordering::Less => 0.0,
            std::cmp::Ordering::Equal => ((until - self.offset) * rate.per_second()).max(0.0),
            std::cmp::Ordering::Greater => until * rate.per_second(),
        };
        self.taken[step] + super::figures::whole(left.ceil()).min(self.left.unwrap_or(u64::MAX))
    }

    /// Whether the number of its requests has ended it, and not its time.
    pub(super) fn is_used_up(&self) -> bool {
        self.left == Some(0)
    }

    /// The plan ends at `at`, for it was stopped then: what was to come after that was not due.
    pub(super) fn stop(&mut self, at: Time) {
        let mut begin = BEGIN;
        for (step, taken) in self.steps.iter_mut().zip(&mut self.taken) {
            let left = at.since(begin);
            let lasts = step.lasts.map_or(left, |lasts| lasts.min(left));
            step.lasts = Some(lasts);
            if self.arrivals == Arrivals::Constant {
                // Who waited for the next request's time took it all the same, and it was not sent.
                let due = lasts.as_secs_f64() * step.rate.per_second();
                *taken = super::figures::whole(due.ceil()).min(*taken);
            }
            begin = begin + lasts;
        }
    }

    /// A random time between two requests.
    fn gap(&mut self) -> f64 {
        -(1.0 - self.random.f64()).ln() / self.steps[self.step].rate.per_second()
    }

    /// Plans the first request of the current step: a constant rate has it at the step's beginning.
    fn enter(&mut self) {
        self.offset = match self.arrivals {
            Arrivals::Constant => 0.0,
            Arrivals::Poisson => self.gap(),
        };
    }

    /// To the step that the next request belongs to.
    fn move_on(&mut self) {
        while let Some(RateStep { lasts: Some(lasts), .. }) = self.steps.get(self.step).copied() {
            if self.offset < lasts.as_secs_f64() {
                return;
            }
            self.begin = self.begin + lasts;
            self.step += 1;
            if self.step < self.steps.len() {
                self.enter();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(rate: f64, millis: u64) -> RateStep {
        RateStep { rate: Rate::new(rate).expect("a rate"), lasts: Some(Duration::from_millis(millis)) }
    }

    /// Milliseconds from the beginning to each request.
    fn times(mut schedule: Schedule) -> Vec<u128> {
        let mut times = Vec::new();
        while let Some(next) = schedule.next() {
            assert_eq!(schedule.take(), times.len() as u64);
            times.push(next.since(BEGIN).as_millis());
        }
        times
    }

    #[test]
    fn a_constant_rate_has_its_requests_evenly_and_none_at_the_end() {
        let schedule = Schedule::new(vec![step(100.0, 50)], Arrivals::Constant, 0, None);
        assert_eq!(schedule.planned(0), 5);
        assert_eq!(times(schedule), [0, 10, 20, 30, 40]);
    }

    #[test]
    fn steps_follow_each_other() {
        let schedule = Schedule::new(vec![step(100.0, 30), step(50.0, 40)], Arrivals::Constant, 0, None);
        assert_eq!((schedule.planned(0), schedule.planned(1)), (3, 2));
        assert_eq!(times(schedule), [0, 10, 20, 30, 50]);
    }

    #[test]
    fn a_number_ends_the_plan() {
        let endless = RateStep { lasts: None, ..step(100.0, 0) };
        assert_eq!(times(Schedule::new(vec![endless], Arrivals::Constant, 0, Some(3))), [0, 10, 20]);
        let schedule = Schedule::new(vec![step(100.0, 50)], Arrivals::Constant, 0, Some(3));
        assert_eq!(schedule.planned(0), 3);
        assert_eq!(times(schedule), [0, 10, 20]);
    }

    #[test]
    fn random_arrivals_have_the_rate_and_the_spread_of_a_poisson_process() {
        let mut schedule = Schedule::new(vec![step(1000.0, 100_000)], Arrivals::Poisson, 7, None);
        let mut gaps = Vec::new();
        let mut last = BEGIN;
        while let Some(next) = schedule.next() {
            gaps.push(next.since(last).as_secs_f64() * 1e3);
            last = next;
            schedule.take();
        }
        let count = gaps.len() as f64;
        assert!((count / 1e5 - 1.0).abs() < 0.01, "{count}");
        let mean = gaps.iter().sum::<f64>() / count;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "an exponential spreads as much as its mean");
    }

    #[test]
    fn what_was_to_come_after_a_stop_was_not_due() {
        let mut schedule = Schedule::new(vec![step(100.0, 1000), step(200.0, 1000)], Arrivals::Constant, 0, None);
        (0..40).for_each(|_| _ = schedule.take());
        schedule.stop(BEGIN + Duration::from_millis(500));
        assert_eq!((schedule.planned(0), schedule.planned(1)), (50, 0));
        let mut ahead = Schedule::new(vec![step(100.0, 1000)], Arrivals::Constant, 0, None);
        (0..40).for_each(|_| _ = ahead.take());
        ahead.stop(BEGIN + Duration::from_millis(300));
        assert_eq!(ahead.planned(0), 30, "ten were taken before their time");
        let mut early = Schedule::new(vec![step(100.0, 1000)], Arrivals::Constant, 0, None);
        early.stop(Time::ZERO);
        assert_eq!(early.planned(0), 0);
    }

    #[test]
    fn a_seed_gives_the_same_plan_again() {
        let plan = |seed| times(Schedule::new(vec![step(100.0, 1000)], Arrivals::Poisson, seed, None));
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
    }

    proptest! {
        #[test]
        fn times_never_go_back_and_stay_within_their_steps(
            rates in prop::collection::vec(0.1..3000.0_f64, 1..5), millis in 1..300_u64, poisson: bool, seed: u64,
        ) {
            let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Constant };
            let steps: Vec<_> = rates.iter().map(|rate| step(*rate, millis)).collect();
            let expected: u64 = (0..steps.len())
                .map(|at| Schedule::new(steps.clone(), Arrivals::Constant, 0, None).planned(at))
                .sum();
            let times = times(Schedule::new(steps, arrivals, seed, None));
            prop_assert!(times.is_sorted());
            prop_assert!(times.last().is_none_or(|last| *last < u128::from(millis) * rates.len() as u128));
            prop_assert!(poisson || times.len() as u64 == expected);
        }
    }
}
