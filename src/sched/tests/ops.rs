//! A plan from a seed: settings, hosts, arrivals, disturbances. Small on purpose, so that limits bite.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::{Limits, Rate, RetrySettings};
use crate::model::{FailureKind, Time};
use crate::sched::{HostLimits, HostRules, SchedulerSettings, Verdict};

use super::world::{Latency, Mood, Name, Protocol, Script};

/// Something from outside, at a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Disturbance {
    Arrive(usize),
    Capacity(usize, u32),
    Address(usize, u8),
    Limits(usize, HostLimits),
    Concurrency(u32),
    NotBefore(Time),
    Pause,
    Resume,
    Stop,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) settings: SchedulerSettings,
    pub(super) hosts: Vec<Script>,
    /// Each group's limit, and the group of each host.
    pub(super) groups: Vec<u32>,
    pub(super) group_of: Vec<Option<usize>>,
    pub(super) disturbances: Vec<(Time, Disturbance)>,
    /// Whether several events are handled before actions are drained.
    pub(super) batched: bool,
}

/// Draws with names.
struct Dice(fastrand::Rng);

impl Dice {
    fn one_in(&mut self, sides: u32) -> bool {
        self.0.u32(..sides) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.0.usize(..from.len())].clone()
    }

    fn ms(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.0.u64(least..=most))
    }

    fn some(&mut self, least: u32, most: u32) -> NonZeroU32 {
        NonZeroU32::new(self.0.u32(least..=most)).expect("at least 1")
    }
}

pub(super) fn plan(seed: u64) -> Plan {
    let mut dice = Dice(fastrand::Rng::with_seed(seed));
    let settings = SchedulerSettings::new(&limits(&mut dice), &retries(&mut dice));
    let count = dice.0.usize(1..=12);
    let groups: Vec<_> = (0..dice.0.usize(0..=3)).map(|_| dice.0.u32(1..=4)).collect();
    let hosts: Vec<_> = (0..count).map(|_| script(&mut dice, &settings.host, count)).collect();
    let group_of =
        (0..count).map(|_| (!groups.is_empty() && dice.one_in(2)).then(|| dice.0.usize(..groups.len()))).collect();
    let mut disturbances = arrivals(&mut dice, count);
    let end = disturbances.last().map_or(Time::ZERO, |(at, _)| *at) + Duration::from_secs(60);
    disturb(&mut dice, count, end, &mut disturbances);
    disturbances.sort_by_key(|(at, _)| *at);
    Plan { settings, hosts, groups, group_of, disturbances, batched: dice.one_in(2) }
}

fn limits(dice: &mut Dice) -> Limits {
    Limits {
        concurrency: dice.some(1, 20),
        per_host: dice.some(1, 8),
        per_address: dice.one_in(3).then(|| dice.some(1, 4)),
        rate: dice.one_in(4).then(|| Rate::new(f64::from(dice.0.u32(2..200)))).flatten(),
        host_rate: dice.one_in(4).then(|| Rate::new(f64::from(dice.0.u32(1..100)))).flatten(),
        delay: if dice.one_in(3) { dice.ms(1, 2000) } else { Duration::ZERO },
        adaptive: dice.one_in(2),
        ..Limits::default()
    }
}

fn host_limits(dice: &mut Dice) -> HostLimits {
    HostLimits {
        concurrency: dice.some(1, 8),
        delay: if dice.one_in(2) { dice.ms(1, 4000) } else { Duration::ZERO },
        rate: dice.one_in(2).then(|| Rate::new(f64::from(dice.0.u32(1..100)))).flatten(),
    }
}

fn retries(dice: &mut Dice) -> RetrySettings {
    RetrySettings {
        retries: dice.0.u32(0..=3),
        unsafe_methods: dice.one_in(3),
        backoff_base: dice.ms(0, 800),
        backoff_max: dice.ms(500, 20_000),
        retry_after_max: dice.ms(1_000, 30_000),
        budget_ratio: dice.pick(&[0.0, 0.2, 1.0]),
        budget_floor: dice.0.u32(0..=10),
        dead_after: dice.pick(&[0, 1, 3, 5]),
        dead_for: dice.ms(0, 30_000),
        max_idle_hosts: usize::MAX,
        host_memory: dice.pick(&[Duration::ZERO, Duration::from_secs(1), Duration::from_secs(300)]),
    }
}

fn script(dice: &mut Dice, rules: &HostRules, hosts: usize) -> Script {
    let h2 = dice.one_in(3);
    let needs_address = !dice.one_in(3);
    let per_address = if dice.one_in(4) { Some(dice.some(1, 4)) } else { rules.per_address };
    let capacity = if h2 { 1 } else { u32::MAX };
    Script {
        rules: HostRules { needs_address, capacity, per_address, ..rules.clone() },
        latency: latency(dice),
        mood: mood(dice, hosts),
        name: if needs_address { name(dice) } else { Name::Known },
        protocol: if h2 { Protocol::Http2(dice.0.u32(1..=100)) } else { Protocol::Http1 },
        address: dice.0.u8(..3),
    }
}

fn latency(dice: &mut Dice) -> Latency {
    match dice.0.u8(..4) {
        0 => Latency::Fixed(dice.ms(1, 500)),
        1 => Latency::Between(dice.ms(0, 50), dice.ms(50, 3000)),
        2 => Latency::HeavyTail(dice.ms(5, 300)),
        _ => Latency::Fixed(Duration::ZERO),
    }
}

fn verdict(dice: &mut Dice) -> Verdict {
    match dice.0.u8(..6) {
        0 => Verdict::Troubled,
        1 => Verdict::PushedBack(None),
        2 => Verdict::PushedBack(Some(dice.pick(&[0, 1, 20, 5000].map(Duration::from_secs)))),
        _ => Verdict::Failed(dice.pick(FailureKind::ALL)),
    }
}

fn mood(dice: &mut Dice, hosts: usize) -> Mood {
    match dice.0.u8(..12) {
        0..4 => Mood::Fine,
        4 | 5 => Mood::Flaky(dice.0.u32(2..20), (0..3).map(|_| verdict(dice)).collect()),
        6 | 7 => {
            let from = Time::ZERO + dice.ms(0, 20_000);
            Mood::Outage(from, from + dice.ms(100, 120_000), verdict(dice))
        }
        8 => Mood::Strict(dice.0.u32(1..=4), dice.one_in(2).then(|| dice.ms(0, 10_000))),
        9 => Mood::Stale(dice.0.u32(2..10)),
        10 => Mood::Starved(dice.0.u32(2..10)),
        _ => Mood::Moved(dice.0.usize(..hosts)),
    }
}

fn name(dice: &mut Dice) -> Name {
    let kind = dice.pick(&[
        FailureKind::NameNotFound,
        FailureKind::NoAddress,
        FailureKind::ServerFailure,
        FailureKind::Timeout,
    ]);
    match dice.0.u8(..8) {
        0 => Name::FailsAlways(kind),
        1 => Name::FailsFirst(dice.0.u32(1..4), kind),
        _ => Name::Known,
    }
}

/// Sorted by host at once, shuffled at once, or trickling in.
fn arrivals(dice: &mut Dice, hosts: usize) -> Vec<(Time, Disturbance)> {
    // One plan in forty is long enough for the bound on waiting to bite.
    let count = if dice.one_in(40) { 600 } else { dice.0.usize(1..=150) };
    let mut to: Vec<_> = (0..count).map(|_| dice.0.usize(..hosts).min(dice.0.usize(..hosts))).collect();
    let trickle = dice.one_in(2).then(|| dice.0.u64(1..=3_000));
    if dice.one_in(2) {
        to.sort_unstable();
    }
    let mut at = Time::ZERO;
    to.into_iter()
        .map(|host| {
            at = at + Duration::from_millis(trickle.map_or(0, |most| dice.0.u64(..=most)));
            (at, Disturbance::Arrive(host))
        })
        .collect()
}

fn disturb(dice: &mut Dice, hosts: usize, end: Time, into: &mut Vec<(Time, Disturbance)>) {
    let when = |dice: &mut Dice| Time::from_nanos(dice.0.u64(..end.as_nanos()));
    for _ in 0..dice.0.u32(..16) {
        let host = dice.0.usize(..hosts);
        let what = match dice.0.u8(..7) {
            0 => Disturbance::Capacity(host, dice.0.u32(1..=20)),
            1 => Disturbance::Address(host, dice.0.u8(..3)),
            2 => Disturbance::Concurrency(dice.0.u32(1..=20)),
            3 => {
                let at = when(dice);
                into.push((at, Disturbance::NotBefore(at + dice.ms(1, 3000))));
                continue;
            }
            4 | 5 => Disturbance::Limits(host, host_limits(dice)),
            _ => {
                let at = when(dice);
                into.push((at, Disturbance::Pause));
                into.push((at + dice.ms(1, 10_000), Disturbance::Resume));
                continue;
            }
        };
        into.push((when(dice), what));
    }
    if dice.one_in(8) {
        into.push((when(dice), Disturbance::Stop));
    }
}
