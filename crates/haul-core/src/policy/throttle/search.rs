//! The search for the highest limit that holds.

use std::time::Duration;

use crate::model::Time;

use super::allowance::{Allowance, FIRST_PACE, SLOWEST};
use super::trial::MOVED;
use super::window::Window;

/// Windows that a limit is kept at most before the next step up is tried.
const LONGEST_WAIT: u16 = 32;

/// Steps up are so many times further apart than the pause lasts that the host asked for after the last one.
const PAUSES_APART: u32 = 16;
/// And each is kept for so many of them before the next.
const PAUSES_TRIED: u32 = 4;

/// A step up is so many tenths of a rate where it doubles it.
const DOUBLE: u32 = 10;

/// How often a limit is lowered before it is taken for none, and before it has to show that this helps.
const MOST_LOWERED: u8 = 8;
const ENOUGH_LOWERED: u8 = 2;

/// Where so many are asked for at once, they are asked for no more than so many times as often as that many can be served.
const SLACK: u64 = 2;

/// The search for the highest limit that holds: steps up that grow while they hold, and after one that did not, ever longer
/// times at the limit below it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    /// The highest that has held.
    pub(super) floor: Allowance,
    /// How long a good answer takes, in microseconds.
    service: u32,
    /// Steps in a row that have held.
    steps: u8,
    /// Windows to pass before the next step, and after the next one that does not hold.
    wait: u16,
    next_wait: u16,
    /// The pause that the host asked for last, which each step up costs that does not hold; and no step up before this time.
    pause: Duration,
    not_before: Time,
    /// How often in a row the floor did not hold and was lowered, and the share that failed when it was lowered first, of 255.
    pub(super) lowered: u8,
    failed: u8,
    /// It was found at the beginning, when nearly all failed, and not by 429, which some URLs always answer: there is a limit.
    pub(super) is_sure: bool,
    /// Nothing has failed at it, and nothing is known of what would: steps are double, and soon follow each other.
    pub(super) is_ascent: bool,
    /// The floor itself did not hold in the window before.
    pub(super) is_shaken: bool,
}

impl Search {
    /// It begins at what has held in this window.
    pub(super) fn new(floor: Allowance, window: &Window) -> Self {
        Self {
            floor,
            service: micros(window.service()),
            steps: 1,
            wait: 0,
            next_wait: 1,
            pause: Duration::ZERO,
            not_before: Time::ZERO,
            lowered: 0,
            failed: 0,
            is_sure: false,
            is_ascent: false,
            is_shaken: false,
        }
    }

    /// The least time between two starts where so many are asked for at once, in nanoseconds: refusals come back at once, and a limit of
    /// this kind may in truth be one of the rate.
    pub(super) fn spacing(&self, requests: u32) -> u64 {
        (u64::from(self.service) * 1000).min(FIRST_PACE) / u64::from(requests) / SLACK
    }

    /// The host asked for a pause, or had to be left alone: the next step up is far away.
    pub(super) fn paused(&mut self, asked: Option<Duration>, now: Time) {
        self.pause = asked.unwrap_or(self.pause);
        self.not_before = now + self.pause * PAUSES_APART;
    }

    /// A step up did not hold: the floor, for longer than the last time.
    pub(super) fn step_back(self) -> Self {
        Self { steps: 0, is_ascent: false, ..self.waits_longer() }
    }

    /// The floor holds no more, for as long as a burst lasted: a fifth less. Nothing, where it was lowered so often that there must be
    /// other reasons.
    pub(super) fn lower(self, window: &Window) -> Option<Self> {
        let floor = match self.floor {
            Allowance::Every(nanos) => Allowance::Every((nanos + nanos / 4).min(SLOWEST)),
            Allowance::AtOnce(1) if window.good > 0 => Allowance::Every(window.service() / 4 * 5),
            Allowance::AtOnce(requests) => Allowance::AtOnce((requests - requests.div_ceil(5)).max(1)),
            Allowance::All => Allowance::All,
        };
        let lowered = self.lowered + 1;
        let failed = if self.lowered == 0 { (window.share() * 255.0) as u8 } else { self.failed };
        let lower = Self { floor, steps: 0, lowered, failed, is_shaken: false, ..self.waits_longer() };
        (lowered <= MOST_LOWERED).then_some(lower)
    }

    /// Whether a third less than at first fails as often as then: it is something else.
    pub(super) fn is_in_vain(&self, window: &Window) -> bool {
        self.lowered >= ENOUGH_LOWERED && window.share() * 255.0 >= f32::from(self.failed) * MOVED
    }

    fn waits_longer(self) -> Self {
        Self { wait: self.next_wait, next_wait: (self.next_wait * 2).min(LONGEST_WAIT), ..self }
    }

    /// What it is given held once more: a step up, when it is time for one. `max`: the most that may be given at once.
    pub(super) fn raise(&mut self, given: Allowance, window: &Window, now: Time, max: u32) -> Allowance {
        (self.is_shaken, self.service) = (false, micros(window.service()));
        if now < self.not_before {
            self.wait = self.wait.saturating_sub(1);
            return given;
        }
        if self.floor != given {
            (self.floor, self.lowered) = (given, 0);
        }
        if self.wait > 0 {
            self.wait -= 1;
            return given;
        }
        // A burst may hide for a while that it is too much.
        let tried = if self.is_ascent { Duration::from_nanos(FIRST_PACE) } else { self.pause * PAUSES_TRIED };
        self.not_before = now + tried;
        let step = if self.is_ascent { DOUBLE } else { 1_u32 << self.steps.min(3) };
        self.steps = self.steps.saturating_add(1);
        match given {
            Allowance::Every(nanos) => {
                let nanos = (nanos as f32 / (1.0 + 0.1 * step as f32)) as u64;
                if nanos <= window.service() { Allowance::AtOnce(1) } else { Allowance::Every(nanos) }
            }
            Allowance::AtOnce(requests) => Allowance::AtOnce(requests.saturating_add(step.min(requests)).min(max)),
            Allowance::All => Allowance::All,
        }
    }
}

fn micros(nanoseconds: u64) -> u32 {
    u32::try_from(nanoseconds / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u32 = 8;

    /// A window of four good answers of 10 ms each.
    fn window() -> Window {
        let mut window = Window::new(Time::ZERO);
        for nth in 0..4 {
            window.good(Time::from_millis(nth), Time::from_millis(nth + 10));
        }
        window
    }

    #[test]
    fn steps_grow_while_they_hold_and_are_further_apart_after_one_that_did_not() {
        let (mut search, mut given, now) =
            (Search::new(Allowance::AtOnce(2), &window()), Allowance::AtOnce(2), Time::ZERO);
        let raised = |search: &mut Search, given| search.raise(given, &window(), now, 64);
        let mut seen = Vec::new();
        for _ in 0..4 {
            given = raised(&mut search, given);
            seen.push(given);
        }
        assert_eq!(seen, [4, 8, 16, 24].map(Allowance::AtOnce));
        search = search.step_back();
        assert_eq!(search.floor, Allowance::AtOnce(16));
        assert_eq!(raised(&mut search, Allowance::AtOnce(16)), Allowance::AtOnce(16), "it waits for a window");
        assert_eq!(raised(&mut search, Allowance::AtOnce(16)), Allowance::AtOnce(17));
        search = search.step_back();
        let waits = (0..5).take_while(|_| raised(&mut search, Allowance::AtOnce(16)) == Allowance::AtOnce(16)).count();
        assert_eq!(waits, 2, "and for two");
    }

    #[test]
    fn a_rate_becomes_one_at_once_where_answers_take_as_long_and_an_ascent_doubles_it() {
        let mut search = Search { is_ascent: true, ..Search::new(Allowance::Every(30_000_000), &window()) };
        let at = Time::from_millis;
        let twice = search.raise(Allowance::Every(30_000_000), &window(), at(1), MAX);
        assert_eq!(twice, Allowance::Every(15_000_000));
        assert_eq!(search.raise(twice, &window(), at(250), MAX), twice, "each is kept for a while");
        assert_eq!(search.raise(twice, &window(), at(251), MAX), Allowance::AtOnce(1));
    }

    #[test]
    fn what_does_not_hold_is_lowered_by_a_fifth_eight_times() {
        let mut search = Search::new(Allowance::AtOnce(10), &window());
        let mut seen = Vec::new();
        while let Some(lower) = search.lower(&window()) {
            seen.push(lower.floor);
            search = lower;
        }
        let every = [12_500_000, 15_625_000].map(Allowance::Every);
        assert_eq!(seen[..6], [8, 6, 4, 3, 2, 1].map(Allowance::AtOnce));
        assert_eq!(seen[6..], every, "a rate, where one at once is too much");
    }

    #[test]
    fn lowering_has_to_help_before_long() {
        // Four good answers, and so many bad ones.
        let window = |bad: u16| {
            let mut window = window();
            (0..bad).for_each(|_| window.bad());
            window
        };
        let search = Search::new(Allowance::Every(1_000_000), &window(0));
        let once = search.lower(&window(4)).expect("it is the first time");
        assert!(!once.is_in_vain(&window(4)), "once is not enough to say");
        let twice = once.lower(&window(4)).expect("it is the second time");
        assert!(twice.is_in_vain(&window(4)) && twice.is_in_vain(&window(3)), "half failed, and three of seven do");
        assert!(!twice.is_in_vain(&window(2)), "a third is less");
    }

    #[test]
    fn so_many_at_once_are_asked_for_twice_as_often_as_they_are_served_at_most() {
        let search = Search::new(Allowance::AtOnce(4), &window());
        assert_eq!(search.spacing(4), 1_250_000);
        let slow = Search { service: 10_000_000, ..search };
        assert_eq!(slow.spacing(1), FIRST_PACE / 2, "ten seconds an answer");
    }
}
