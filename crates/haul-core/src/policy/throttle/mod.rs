//! How much does a host take? Learnt from how attempts end while a part of them fails.
//!
//! A share of failing attempts says little by itself: some URLs of a host may always fail, or it may be asked for more
//! than it takes. So slowing down is a *trial*. When more attempts fail than is usual for the host, it is given a little
//! less than it was seen to serve: by Little's law the mean number of requests that it served at once, or, where that is
//! less than one, the rate at which it served. If the share of failing attempts falls to a third, the limit was real and
//! stays: it rises step by step while little fails and falls back to what is served when more does. If the share does not
//! fall, slowing down does not help: the host gets everything again, and that share counts as usual for it.
//!
//! Judges in windows of attempts begun under one and the same allowance. Knows no queue, no pause and no breaker.

mod allowance;
mod search;
mod trial;
mod window;

use std::time::Duration;

use crate::model::Time;

pub use allowance::Allowance;

use allowance::FIRST_PACE;
use search::Search;
use trial::{HELPED, SHORTEST, Trial, Why};
use window::{GOOD, Rest, Window, nanos};

/// Attempts that a window needs before it is judged, unless it belongs to a trial, and while nothing is known of a limit's height.
const WINDOW: u32 = 16;
const ASCENT: u32 = 3;

/// Good answers after a rest that show that the host has recovered: twice as many each time it was no lasting recovery.
const RECOVERED: u32 = 8;
const MOST_RELAPSES: u8 = 3;

/// Failing attempts beyond the usual share that start a trial.
const SUSPECT: f32 = 0.19;

/// Failing attempts beyond the usual share at which a limit that was found is too high.
const TOO_MANY: f32 = 0.0625;

/// A trial in which nothing ends well has to last for so many times as long as a good answer took before: the first attempts
/// of it may still meet those of before.
const LASTING: u64 = 4;

/// Failures while one request was served that start a trial with one at once: twice as many after each that did not help, and
/// more than are counted in the end.
const CROWD: u32 = 16;
const MOST_IDLE_CROWDS: u8 = 4;
/// And where these were the first, if that took so long.
const FIRST_CROWD: u8 = 8;
const SLOW: Duration = Duration::from_millis(50);

/// Where more than this share failed, and too few answers came to say how much is served, the first trial is at the first pace.
const HOPELESS: f32 = 0.9;
/// And is over when so many fail without a good answer; where it was as many at once as had been served, two are enough.
const VAIN: u16 = 4;
const CROWD_VAIN: u16 = 2;

/// The most that is usual of a host which says itself that it is asked too much.
const TOLD: f32 = 0.5;

/// The weight of one more window in what is usual.
const DRIFT: f32 = 0.1;

/// Windows until the next trial after one that did not help, at first; twice as many each time.
const REST: u16 = 4;
const LONGEST_REST: u16 = 1024;

/// What has been learnt of a host.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    allowance: Allowance,
    stage: Stage,
    window: Window,
    /// The share of attempts that fails however slowly the host is asked.
    usual: f32,
    /// Windows to pass before the next trial, and after the next one that does not help.
    rest: u16,
    next_rest: u16,
    /// How often it seemed to have recovered since the last trial.
    relapses: u8,
    /// Trials with so many at once that did not help: twice as many failures are needed for the next.
    idle_crowds: u8,
    /// The last failure said that the host is asked too much.
    is_told: bool,
    /// And means all that it is asked: it serves first attempts, and further ones at what it had refused.
    is_meant: bool,
    /// No trial has been.
    is_untried: bool,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Nothing is known that would help.
    Free,
    /// It is being tried whether less helps.
    Trial(Trial),
    /// A limit was found.
    Limited(Search),
}

impl Throttle {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new(now: Time) -> Self {
        Self {
            allowance: Allowance::All,
            stage: Stage::Free,
            window: Window::new(now),
            usual: 0.0,
            rest: 0,
            next_rest: REST,
            relapses: 0,
            idle_crowds: 0,
            is_told: false,
            is_meant: false,
            is_untried: true,
        }
    }

    /// What the host is given now.
    #[must_use]
    pub const fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// The least time between two starts.
    #[must_use]
    pub fn spacing(&self) -> Duration {
        let nanos = match (self.stage, self.allowance) {
            (_, Allowance::Every(nanos)) => nanos,
            // Refusals come back at once: many would be used up by the time that one is served.
            (Stage::Trial(Trial { why: Why::FirstCrowd, service, .. }), Allowance::AtOnce(requests)) => {
                service.min(FIRST_PACE) / u64::from(requests)
            }
            (Stage::Limited(search), Allowance::AtOnce(requests)) => search.spacing(requests),
            (_, Allowance::AtOnce(_) | Allowance::All) => 0,
        };
        Duration::from_nanos(nanos)
    }

    /// Whether the host gets everything.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self.stage, Stage::Free)
    }

    /// Whether less is asked for, or tried, because more failed: so it is with URLs that always fail, until that shows.
    #[must_use]
    pub const fn is_suspicious(&self) -> bool {
        matches!(
            self.stage,
            Stage::Trial(Trial { why: Why::Beginning | Why::Slower | Why::Share, .. }) | Stage::Limited(_)
        )
    }

    /// Whether what was begun at this time was begun under the present allowance.
    #[must_use]
    pub fn is_news(&self, started: Time) -> bool {
        started > self.window.since
    }

    /// Whether a share of its attempts fails however slowly it is asked.
    #[must_use]
    pub const fn expects_failures(&self) -> bool {
        self.next_rest > REST
    }

    /// An attempt ended well. `max`: the host's limit on requests at once.
    pub fn good(&mut self, started: Time, now: Time, max: u32) {
        if started < self.window.since {
            self.served_before(nanos(now.since(started)), max);
        }
        if self.is_news(started) && self.window.good(started, now) {
            self.judge(now, max);
        }
    }

    /// What was begun before less was asked for is served all the same: that much at once may be what the host takes.
    fn served_before(&mut self, service: u64, max: u32) {
        match (&mut self.stage, self.allowance) {
            // It was served beside the one that the trial began with.
            (Stage::Trial(Trial { why: Why::Crowd | Why::FirstCrowd, .. }), Allowance::AtOnce(requests)) => {
                self.allowance = Allowance::AtOnce((requests + 1).min(max));
            }
            (Stage::Trial(trial @ Trial { why: Why::Beginning, .. }), _)
                if self.idle_crowds == 0 && self.window.attempts() == 0 =>
            {
                // The second one: a rate would have to allow bursts.
                if trial.service > 0 {
                    trial.why = Why::FirstCrowd;
                    self.allowance = Allowance::AtOnce(2.min(max));
                }
                trial.service = service;
            }
            _ => {}
        }
    }

    /// While it worked at one request for so long it refused `run` others, all that were begun meanwhile: it may serve no more
    /// than that one at once. Most hosts refuse at once, so that each attempt that is begun until more is known fails.
    /// Whether that starts a trial.
    pub fn crowded(&mut self, run: u8, service: Duration, now: Time) -> bool {
        let before = f32::from(run) / f32::from(run.saturating_add(1));
        let is_many = match self.stage {
            // Where answers take no longer than refusals a rate is more likely.
            Stage::Trial(Trial { why: Why::Beginning, .. }) => run >= FIRST_CROWD && service >= SLOW,
            Stage::Free => u32::from(run) >= CROWD << self.idle_crowds && self.rest == 0,
            Stage::Trial(_) | Stage::Limited(_) => false,
        };
        let is_suspect = is_many && before > self.usual + SUSPECT;
        if is_suspect {
            (self.relapses, self.is_untried) = (0, false);
            let why = if self.is_free() { Why::Crowd } else { Why::FirstCrowd };
            self.stage = Stage::Trial(Trial::new(why, before, nanos(service)));
            self.allowance = Allowance::AtOnce(1);
            self.window = Window::new(now);
        }
        is_suspect
    }

    /// Nearly all that it was asked at first failed: before more is tried in vain, whether that is the pace. Whether that starts a
    /// trial.
    pub fn begins_badly(&mut self, now: Time) -> bool {
        let is_new = self.is_free() && self.is_untried;
        if is_new {
            self.is_untried = false;
            self.stage = Stage::Trial(Trial::new(Why::Beginning, 1.0, 0));
            self.allowance = Allowance::Every(FIRST_PACE);
            self.window = Window::new(now);
        }
        is_new
    }

    /// It is URLs that fail, such a share of them: everything again. Should it have been the host after all, that is soon seen.
    pub fn urls_fail(&mut self, share: f32, now: Time) {
        (self.stage, self.allowance) = (Stage::Free, Allowance::All);
        (self.usual, self.rest) = (share, 0);
        self.window = Window::new(now);
    }

    /// That it says so is of no account: it is the URL that is answered like this.
    pub fn is_not_told(&mut self, now: Time) {
        (self.is_told, self.is_meant) = (false, false);
        if let Stage::Trial(trial) = self.stage {
            self.release(trial.before);
            self.window = Window::new(now);
        }
    }

    /// An attempt failed in a way that less might help against. `is_told`: the host said that it is asked too much. `is_meant`: it means
    /// all that it is asked, of which some is served at the first attempt, and some that had failed at a further one.
    pub fn bad(&mut self, started: Time, now: Time, max: u32, (is_told, is_meant): (bool, bool)) {
        (self.is_told, self.is_meant) = (is_told, is_told && is_meant);
        if self.is_news(started) {
            self.window.bad();
            self.judge(now, max);
        }
    }

    /// A connection ended under a request. Most do so by chance; while less is asked for, such ends show as failures do whether it helps.
    pub fn cut_off(&mut self, started: Time, now: Time, max: u32) {
        if !self.is_free() && self.is_news(started) {
            self.window.bad();
            self.judge(now, max);
        }
    }

    /// Nothing has come back well of late, and the host will be left alone for a while. What it served since the first
    /// such time, the rests included, is what it takes, once that says enough.
    pub fn rests(&mut self, now: Time, max: u32, asked: Option<Duration>) {
        match self.stage {
            Stage::Trial(..) => return,
            Stage::Limited(mut search) if asked.is_some() || search.floor != self.allowance => {
                search.paused(asked, now);
                return if search.floor == self.allowance {
                    self.lower(search, now)
                } else {
                    self.step_back(search, now, max)
                };
            }
            Stage::Limited(_) | Stage::Free => {}
        }
        let Some(last) = self.window.rests(now) else { return };
        let window = self.window;
        // What came at once after a rest is no rate: there has to be one within. One that was asked for may be for a few URLs.
        let is_little = asked.is_some() && window.attempts() < WINDOW;
        if last < window.since || is_little || !window.says_how_many_are_served(now) {
            return;
        }
        match self.stage {
            Stage::Free if self.rest == 0 && window.share() > self.usual + SUSPECT => self.slow_down(now, max),
            Stage::Limited(search) => self.step_back(search, now, max),
            Stage::Free | Stage::Trial(..) => {}
        }
    }

    /// The highest limit that has held holds no more: less, or none, where that has not helped.
    fn lower(&mut self, search: Search, now: Time) {
        match search.lower(&self.window) {
            Some(lower) => (self.stage, self.allowance) = (Stage::Limited(lower), lower.floor),
            None => (self.stage, self.allowance, self.rest) = (Stage::Free, Allowance::All, self.next_rest),
        }
        self.window = Window::new(now);
    }

    /// A limit did not hold: back to the one that did, or, if it is that one for the second time in a row, less.
    fn step_back(&mut self, mut search: Search, now: Time, max: u32) {
        if search.floor != self.allowance {
            (self.stage, self.allowance) = (Stage::Limited(search.step_back()), search.floor);
        } else if !search.is_shaken {
            search.is_shaken = true;
            self.stage = Stage::Limited(search);
        } else if search.is_in_vain(&self.window) {
            self.release(self.window.share());
        } else if search.is_sure && (search.lowered == 0 || self.window.share() <= HELPED) {
            return self.lower(search, now);
        } else {
            return self.slow_down(now, max);
        }
        self.window = Window::new(now);
    }

    /// Less from now on, and it is looked whether that helps.
    fn slow_down(&mut self, now: Time, max: u32) {
        let trial = match self.stage {
            Stage::Trial(trial) => trial.again(self.window.share()),
            Stage::Free | Stage::Limited(_) => Trial::new(Why::Share, self.window.share(), self.window.service()),
        };
        (self.relapses, self.is_untried) = (0, false);
        let is_first = trial.tries == 1 && !self.expects_failures();
        let is_hopeless = self.window.good < GOOD && self.window.share() > HOPELESS;
        let allowance = match self.window.what_is_served(now, max) {
            Allowance::Every(_) if is_first && is_hopeless => Allowance::Every(FIRST_PACE),
            allowance => allowance,
        };
        (self.stage, self.allowance) = (Stage::Trial(trial), allowance);
        self.window = Window::new(now);
    }

    fn judge(&mut self, now: Time, max: u32) {
        let window = self.window;
        if let Some(Rest { good, .. }) = window.rest {
            // It ends with a later rest, or is of no use when none comes.
            if good >= RECOVERED << self.relapses {
                self.relapses = (self.relapses + 1).min(MOST_RELAPSES);
                self.window = Window::new(now);
            }
            return;
        }
        let vain = match self.stage {
            Stage::Trial(Trial { why: Why::FirstCrowd, .. }) => CROWD_VAIN,
            _ if self.allowance == Allowance::Every(FIRST_PACE) => VAIN,
            _ => u16::MAX,
        };
        let is_vain = window.good == 0 && window.bad >= vain;
        // Those that failed before them were the end of an outage, or there is no limit below this pace.
        let is_clear =
            window.well >= GOOD && matches!(self.stage, Stage::Trial(Trial { why: Why::Beginning | Why::Slower, .. }));
        let is_lost = matches!(self.stage, Stage::Trial(trial) if trial.is_lost(&window, self.is_meant));
        let is_told_early = is_vain || is_clear || is_lost && self.has_seen_enough(now) || self.is_step_too_far();
        if (window.attempts() < self.wanted() || !self.has_seen_enough(now)) && !is_told_early {
            return;
        }
        let share = window.share();
        match self.stage {
            // What looks bad is looked at twice as long: chance alone seldom lasts.
            Stage::Free if self.is_too_much(share) && window.attempts() < 2 * WINDOW => return,
            Stage::Free if self.is_too_much(share) => return self.slow_down(now, max),
            Stage::Limited(search) if self.is_too_much(share) => return self.step_back(search, now, max),
            Stage::Free => {
                self.rest = self.rest.saturating_sub(1);
                self.usual += (share - self.usual) * DRIFT;
            }
            Stage::Trial(trial) if is_clear || trial.has_helped(&window) => {
                let mut search = Search::new(self.allowance, &window);
                search.is_sure = trial.why == Why::Beginning && !self.is_told;
                search.is_ascent = is_clear;
                self.stage = Stage::Limited(search);
                self.next_rest = REST;
            }
            Stage::Trial(trial @ Trial { why: Why::FirstCrowd, .. }) => {
                self.stage = Stage::Trial(Trial { why: Why::Beginning, ..trial });
                self.allowance = Allowance::Every(FIRST_PACE);
                self.idle_crowds += 1;
            }
            Stage::Trial(trial) if trial.may_help(&window, self.is_meant) => return self.slow_down(now, max),
            // It may be down: nothing is known of it.
            Stage::Trial(Trial { why: Why::Beginning, .. }) if window.good == 0 => {
                (self.stage, self.allowance) = (Stage::Free, Allowance::All);
            }
            // It said nothing of a rate, which is for others to try.
            Stage::Trial(Trial { why: Why::Crowd, .. }) => {
                (self.stage, self.allowance) = (Stage::Free, Allowance::All);
                self.idle_crowds = (self.idle_crowds + 1).min(MOST_IDLE_CROWDS);
            }
            Stage::Trial(trial) if window.good == 0 => self.release(trial.before),
            Stage::Trial(trial) => self.release(f32::midpoint(trial.before, share)),
            // At its own limit it is free again.
            Stage::Limited(_) if matches!(self.allowance, Allowance::AtOnce(requests) if requests >= max) => {
                (self.stage, self.allowance) = (Stage::Free, Allowance::All);
            }
            Stage::Limited(mut search) => {
                self.allowance = search.raise(self.allowance, &window, now, max);
                self.stage = Stage::Limited(search);
            }
        }
        self.window = Window::new(now);
    }

    /// Whether more has failed at a step up than the whole window may. Where the host says so itself it may ask for a pause besides.
    fn is_step_too_far(&self) -> bool {
        let is_step = matches!(self.stage, Stage::Limited(search) if search.floor != self.allowance);
        is_step && !self.is_told && f32::from(self.window.bad) > (self.usual + TOO_MANY) * self.wanted() as f32
    }

    fn is_too_much(&self, share: f32) -> bool {
        match self.stage {
            Stage::Free => self.rest == 0 && share > self.usual + SUSPECT,
            Stage::Limited(_) => share > self.usual + TOO_MANY,
            Stage::Trial(..) => false,
        }
    }

    /// Attempts that the present window needs.
    fn wanted(&self) -> u32 {
        match self.stage {
            Stage::Trial(trial) => trial.wanted(),
            Stage::Limited(Search { is_ascent: true, .. }) => ASCENT,
            Stage::Limited(_) if matches!(self.allowance, Allowance::Every(_)) => SHORTEST as u32,
            Stage::Free | Stage::Limited(_) => WINDOW,
        }
    }

    /// Whether the window lasted for long enough to say what its stage asks: whether anything is served with less, or how
    /// much is, where that may be given next.
    fn has_seen_enough(&self, now: Time) -> bool {
        let window = &self.window;
        match self.stage {
            Stage::Trial(trial) => window.good > 0 || window.lasted(now, LASTING, trial.service),
            Stage::Limited(search) if search.floor != self.allowance => true,
            Stage::Limited(_) | Stage::Free => window.says_how_many_are_served(now),
        }
    }

    /// Less did not help: everything again.
    fn release(&mut self, usual: f32) {
        (self.stage, self.allowance) = (Stage::Free, Allowance::All);
        // A host that says so is not soon disbelieved.
        (self.usual, self.rest) =
            if self.is_told { (usual.min(TOLD), self.next_rest / REST) } else { (usual, self.next_rest) };
        self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u32 = 8;

    const fn is_limited(throttle: &Throttle) -> bool {
        matches!(throttle.stage, Stage::Limited(_))
    }

    /// Attempts of 10 ms in rounds of as many as are allowed, at most 8; `fails` says of each, by its number and how many
    /// are at once, whether it fails. Returns the allowance after each round.
    fn rounds(throttle: &mut Throttle, count: u32, fails: impl Fn(u32, u32) -> bool) -> Vec<Allowance> {
        let (mut now, mut number, mut seen) = (Time::from_millis(1), 0, Vec::new());
        for _ in 0..count {
            let (at_once, apart) = match throttle.allowance() {
                Allowance::All => (MAX, 0),
                Allowance::AtOnce(requests) => (requests, 0),
                Allowance::Every(nanos) => (1, nanos),
            };
            let started = now;
            now = now + Duration::from_millis(10).max(Duration::from_nanos(apart));
            for _ in 0..at_once {
                let ended = started + Duration::from_millis(10);
                if fails(number, at_once) {
                    throttle.bad(started, ended, MAX, (false, false));
                } else {
                    throttle.good(started, ended, MAX);
                }
                number += 1;
            }
            seen.push(throttle.allowance());
        }
        seen
    }

    #[test]
    fn urls_that_always_fail_cost_a_short_trial_and_are_then_expected() {
        let mut throttle = Throttle::new(Time::ZERO);
        let seen = rounds(&mut throttle, 200, |number, _| number % 4 == 0);
        let slowed = seen.iter().filter(|allowance| **allowance != Allowance::All).count();
        assert!((1..40).contains(&slowed), "{slowed} rounds of 200");
        assert!(throttle.is_free() && throttle.expects_failures());
    }

    /// Starts that a trial at the first pace takes of a host that fails for the first 0.3 s of each second, until it gets everything again.
    fn starts_of_a_trial_in_bursts(fails: impl Fn(&mut Throttle, Time, Time)) -> Option<u32> {
        let mut throttle = Throttle::new(Time::ZERO);
        assert!(throttle.begins_badly(Time::from_millis(1)));
        let mut at = Time::from_millis(1);
        (0..100).find(|_| {
            at = at + throttle.spacing();
            let ended = at + Duration::from_millis(2);
            if at.as_nanos() % 1_000_000_000 < 300_000_000 {
                fails(&mut throttle, at, ended);
            } else {
                throttle.good(at, ended, MAX);
            }
            throttle.is_free()
        })
    }

    #[test]
    fn kept_connections_that_end_show_that_less_does_not_help() {
        let failures = starts_of_a_trial_in_bursts(|throttle, at, ended| throttle.bad(at, ended, MAX, (false, false)));
        let ends = starts_of_a_trial_in_bursts(|throttle, at, ended| throttle.cut_off(at, ended, MAX));
        assert!(failures.is_some_and(|starts| starts < 32) && ends == failures, "{failures:?} {ends:?}");
        assert_eq!(starts_of_a_trial_in_bursts(|_, _, _| ()), None, "unseen, they leave a limit that is none");
    }

    #[test]
    fn a_connection_that_ends_starts_no_trial() {
        let mut throttle = Throttle::new(Time::ZERO);
        for nth in 1..200 {
            throttle.cut_off(Time::from_millis(nth), Time::from_millis(nth + 1), MAX);
        }
        assert!(throttle.is_free() && throttle.allowance() == Allowance::All);
    }

    #[test]
    fn a_few_failures_start_no_trial() {
        let mut throttle = Throttle::new(Time::ZERO);
        let seen = rounds(&mut throttle, 200, |number, _| number % 50 == 0);
        assert!(seen.iter().all(|allowance| *allowance == Allowance::All));
    }

    #[test]
    fn a_host_that_takes_four_at_once_is_given_about_four() {
        let mut throttle = Throttle::new(Time::ZERO);
        let seen = rounds(&mut throttle, 400, |number, at_once| at_once > 4 && number % at_once >= 4);
        let given = |allowance: &Allowance| matches!(allowance, Allowance::AtOnce(3..=5));
        let fitting = seen.iter().skip(20).filter(|allowance| given(allowance)).count();
        assert!(fitting > 250, "{fitting} of 380: {seen:?}");
    }

    #[test]
    fn a_limit_that_is_gone_is_forgotten() {
        let mut throttle = Throttle::new(Time::ZERO);
        rounds(&mut throttle, 40, |number, at_once| at_once > 2 && number % at_once >= 2);
        assert_ne!(throttle.allowance(), Allowance::All);
        throttle.window = Window::new(Time::ZERO);
        rounds(&mut throttle, 100, |_, _| false);
        assert_eq!(throttle.allowance(), Allowance::All);
    }

    #[test]
    fn attempts_begun_before_the_allowance_changed_say_nothing_of_it() {
        let mut throttle = Throttle::new(Time::from_millis(100));
        for _ in 0..100 {
            throttle.bad(Time::from_millis(99), Time::from_millis(200), MAX, (false, false));
            throttle.good(Time::from_millis(99), Time::from_millis(200), MAX);
        }
        assert_eq!(throttle.allowance(), Allowance::All);
    }

    #[test]
    fn many_failures_while_one_is_served_start_a_trial_that_helps_or_is_not_soon_repeated() {
        let at = Time::from_millis;
        let crowded = |throttle: &mut Throttle, run| throttle.crowded(run, Duration::from_millis(100), at(100));
        let mut throttle = Throttle::new(Time::ZERO);
        assert!(!crowded(&mut throttle, 15));
        assert_eq!(throttle.allowance(), Allowance::All);
        assert!(crowded(&mut throttle, 16));
        assert_eq!(throttle.allowance(), Allowance::AtOnce(1));
        let mut helped = throttle;
        (0..8).for_each(|nth| helped.good(at(101 + nth), at(200 + nth), MAX));
        assert!(!helped.is_free() && !helped.expects_failures());
        (0..7).for_each(|nth| throttle.bad(at(101 + nth), at(200 + nth), MAX, (false, false)));
        throttle.good(at(110), at(210), MAX);
        assert!(throttle.is_free() && !throttle.expects_failures(), "a rate may help");
        assert!(!crowded(&mut throttle, 31) && crowded(&mut throttle, 32));
    }

    #[test]
    fn one_at_once_at_the_beginning_is_asked_no_quicker_than_it_answers_and_then_four_times_a_second() {
        let at = Time::from_millis;
        let mut throttle = Throttle::new(Time::ZERO);
        throttle.begins_badly(at(10));
        assert_eq!(throttle.spacing(), Duration::from_millis(250));
        assert!(!throttle.crowded(7, Duration::from_millis(100), at(100)), "too few were refused beside it");
        assert!(!throttle.crowded(8, Duration::from_millis(49), at(100)), "it took no longer than a refusal may");
        assert!(throttle.crowded(8, Duration::from_millis(100), at(100)));
        assert_eq!((throttle.allowance(), throttle.spacing()), (Allowance::AtOnce(1), Duration::from_millis(100)));
        throttle.good(at(5), at(120), MAX);
        assert_eq!((throttle.allowance(), throttle.spacing()), (Allowance::AtOnce(2), Duration::from_millis(50)));
        // Half is served: for a limit on requests at once too little.
        for nth in 0..4 {
            throttle.bad(at(121 + 50 * nth), at(122 + 50 * nth), MAX, (false, false));
            throttle.good(at(121 + 50 * nth), at(221 + 50 * nth), MAX);
        }
        assert_eq!((throttle.allowance(), is_limited(&throttle)), (Allowance::Every(250_000_000), false));
        // Two of eight may be chance: that is not taken for the limit at once.
        for nth in 0..8 {
            let (started, ended) = (at(600 + 250 * nth), at(700 + 250 * nth));
            if nth == 2 || nth == 5 {
                throttle.bad(started, ended, MAX, (false, false))
            } else {
                throttle.good(started, ended, MAX)
            }
        }
        assert!(!is_limited(&throttle) && !throttle.is_free());
    }

    #[test]
    fn four_good_answers_in_a_row_at_the_first_pace_are_the_end_of_an_outage_or_no_limit_below_it() {
        let at = Time::from_millis;
        let mut throttle = Throttle::new(Time::ZERO);
        throttle.begins_badly(at(10));
        (1..4).for_each(|nth| throttle.bad(at(250 * nth), at(250 * nth + 2), MAX, (false, false)));
        (4..8).for_each(|nth| throttle.good(at(250 * nth), at(250 * nth + 2), MAX));
        assert!(is_limited(&throttle));
        (8..11).for_each(|nth| throttle.good(at(250 * nth), at(250 * nth + 2), MAX));
        assert_eq!(throttle.allowance(), Allowance::Every(FIRST_PACE / 2), "the rate is doubled");
    }

    #[test]
    fn a_limit_of_the_beginning_is_lowered_by_a_fifth_and_is_none_where_that_does_not_help() {
        let at = Time::from_millis;
        let mut throttle = Throttle::new(Time::ZERO);
        throttle.begins_badly(at(10));
        // Each window of eight, half of which fails, at four a second and less.
        let mut now = 10;
        let mut half = |throttle: &mut Throttle, good: u64| {
            for nth in 0..8 {
                now += 1000;
                if nth < 8 - good {
                    throttle.bad(at(now), at(now + 2), MAX, (false, false))
                } else {
                    throttle.good(at(now), at(now + 10), MAX)
                }
            }
            throttle.allowance()
        };
        (0..4).for_each(|nth| throttle.good(at(11 + nth), at(12 + nth), MAX));
        assert_eq!((throttle.allowance(), is_limited(&throttle)), (Allowance::Every(FIRST_PACE), true));
        assert_eq!((half(&mut throttle, 4), is_limited(&throttle)), (Allowance::Every(FIRST_PACE / 2), true));
        assert_eq!((half(&mut throttle, 4), is_limited(&throttle)), (Allowance::Every(FIRST_PACE), true));
        assert_eq!(half(&mut throttle, 4), Allowance::Every(FIRST_PACE), "once may be chance");
        assert_eq!((half(&mut throttle, 4), is_limited(&throttle)), (Allowance::Every(312_500_000), true));
        half(&mut throttle, 4);
        half(&mut throttle, 4);
        assert!(!is_limited(&throttle), "it is looked whether less helps at all");
        half(&mut throttle, 4);
        half(&mut throttle, 4);
        assert!(throttle.is_free());
    }
}
