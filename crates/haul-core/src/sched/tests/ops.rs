//! A plan from a seed: settings, hosts, arrivals, disturbances. Small on purpose, so that limits bite; some are bent to
//! an extreme that the usual draw never comes near.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::{Limits, Rate, RetrySettings};
use crate::model::{FailureKind, Time};
use crate::sched::{Capacity, Gate, Gates, HostLimits, HostRules, SchedulerSettings, Verdict};

use super::world::{Latency, Mood, Name, Protocol, Script};

const DAY: Duration = Duration::from_secs(86_400);
/// The last day there is: sums that reach past it mean never, and need not agree to the nanosecond.
pub(super) const END_OF_TIME: Time = Time::from_nanos(u64::MAX - 86_400_000_000_000);

/// Something from outside, at a time. What holds everything up says for how long, so that none needs another to end it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Disturbance {
    /// A job for a host, and the number that settles what it meets.
    Arrive(usize, u64),
    Capacity(usize, u32),
    Address(usize, Option<u8>),
    Limits(usize, HostLimits),
    Concurrency(u32),
    /// No permit at all for a while.
    Drought(Duration),
    NotBefore(Duration),
    /// For a while each start has to be granted.
    Shut(Duration),
    Pause(Duration),
    Stop,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Settles jitter, latencies and answers.
    pub(super) seed: u64,
    pub(super) settings: SchedulerSettings,
    pub(super) hosts: Vec<Script>,
    /// Each group's limit.
    pub(super) groups: Vec<NonZeroU32>,
    pub(super) disturbances: Vec<(Time, Disturbance)>,
    /// Whether several events are handled before actions are drained.
    pub(super) batched: bool,
    /// Jobs let in and not ended, at most: the others wait outside, in order.
    pub(super) window: Option<NonZeroU32>,
}

impl Plan {
    /// Whether it may outlast time itself: its longest span, once for each attempt there may be, is more than the clock's
    /// 584 years.
    pub(super) fn is_endless(&self) -> bool {
        let retries = &self.settings.retries;
        let pushed_back = retries.retry_after_max.max(retries.backoff_max);
        let spans = [self.longest_spacing(), pushed_back, retries.dead_for.saturating_mul(8), retries.host_memory];
        let attempts = self.disturbances.len().max(1).saturating_mul(retries.retries as usize + 1);
        let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
        let latency = self.hosts.iter().map(|host| host.latency.longest()).max().unwrap_or_default();
        let longest = spans.into_iter().max().unwrap_or_default().saturating_add(latency);
        Time::ZERO + longest.saturating_mul(attempts) > END_OF_TIME
    }

    /// The longest time between two starts that any limit asks for.
    fn longest_spacing(&self) -> Duration {
        let spacing = |delay: Duration, rate: Option<Rate>| delay.max(rate.map_or(Duration::ZERO, Rate::interval));
        let hosts = self.hosts.iter().map(|host| spacing(host.rules.delay, host.rules.rate));
        let limits = self.disturbances.iter().filter_map(|(_, what)| match what {
            Disturbance::Limits(_, limits) => Some(spacing(limits.delay, limits.rate)),
            _ => None,
        });
        hosts.chain(limits).chain(self.settings.interval).max().unwrap_or_default()
    }
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

/// The extremes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bent {
    /// Hundreds of hosts with a job or two each.
    ManyHosts,
    /// Everything falls on a whole second.
    EqualTimes,
    /// Everything is a nanosecond apart.
    Nanoseconds,
    /// The clock stands still: no latency, no delay, no back-off.
    Still,
    /// Days between starts, months of back-off.
    Days,
    /// Settings at the end of what they can hold.
    Endless,
    /// A full window: what comes next waits for what is there to end.
    Window,
    /// No breaker and all retries paid for: what becomes of a job depends on nothing but the job.
    Settled,
}

pub(super) fn plan(seed: u64) -> Plan {
    let mut dice = Dice(fastrand::Rng::with_seed(seed));
    let bent = match dice.0.u8(..64) {
        0 => Some(Bent::ManyHosts),
        1..=4 => Some(Bent::EqualTimes),
        5..=7 => Some(Bent::Nanoseconds),
        8..=10 => Some(Bent::Still),
        11..=13 => Some(Bent::Days),
        14..=16 => Some(Bent::Endless),
        17..=22 => Some(Bent::Window),
        23..=31 => Some(Bent::Settled),
        _ => None,
    };
    let mut plan = draw(&mut dice, seed, bent);
    if let Some(bent) = bent {
        plan.bend(bent, &mut dice);
    }
    plan.disturbances.sort_by_key(|(at, _)| *at);
    plan
}

fn draw(dice: &mut Dice, seed: u64, bent: Option<Bent>) -> Plan {
    let settings = SchedulerSettings::new(&limits(dice), &retries(dice));
    let many = bent == Some(Bent::ManyHosts);
    let count = if many { dice.0.usize(100..=300) } else { dice.0.usize(1..=12) };
    let groups: Vec<_> = (0..dice.0.usize(0..=3)).map(|_| dice.some(1, 4)).collect();
    let hosts: Vec<_> = (0..count).map(|_| script(dice, &settings.host, count, groups.len())).collect();
    let jobs = match dice.0.u8(..40) {
        _ if many => count * 2,
        // Long enough for the bound on waiting to bite.
        0 => 600,
        _ => dice.0.usize(1..=150),
    };
    let mut disturbances = arrivals(dice, count, jobs);
    let end = disturbances.last().map_or(Time::ZERO, |(at, _)| *at) + Duration::from_secs(60);
    disturb(dice, count, end, &mut disturbances);
    let batched = dice.one_in(2);
    Plan { seed, settings, hosts, groups, disturbances, batched, window: None }
}

impl Plan {
    fn bend(&mut self, bent: Bent, dice: &mut Dice) {
        match bent {
            Bent::ManyHosts => {}
            Bent::EqualTimes => self.retime(|at| at.as_nanos() / 1_000_000_000 * 1_000_000_000, |_| 1_000_000_000),
            Bent::Nanoseconds => self.retime(|at| at.as_nanos() / 1_000_000_000, |latency| latency.as_millis() as u64),
            Bent::Still => self.stand_still(),
            Bent::Days => self.slow_down(dice),
            Bent::Endless => self.overflow(dice),
            Bent::Window => self.window = Some(dice.some(1, 40)),
            Bent::Settled => {
                self.settings.retries = RetrySettings {
                    dead_after: 0,
                    budget_floor: 100_000,
                    retries: dice.0.u32(0..=6),
                    ..self.settings.retries.clone()
                };
            }
        }
    }

    /// Every event and every latency at other nanoseconds.
    fn retime(&mut self, when: impl Fn(Time) -> u64, took: impl Fn(Duration) -> u64) {
        for (at, _) in &mut self.disturbances {
            *at = Time::from_nanos(when(*at));
        }
        for host in &mut self.hosts {
            let (Latency::Fixed(one) | Latency::Between(_, one) | Latency::HeavyTail(one)) = host.latency;
            host.latency = Latency::Fixed(Duration::from_nanos(took(one)));
        }
    }

    fn stand_still(&mut self) {
        self.retime(|_| 0, |_| 0);
        self.settings.interval = None;
        self.settings.retries.backoff_base = Duration::ZERO;
        self.hosts.iter_mut().for_each(|host| (host.rules.delay, host.rules.rate) = (Duration::ZERO, None));
    }

    fn slow_down(&mut self, dice: &mut Dice) {
        let days = |dice: &mut Dice| DAY * dice.0.u32(0..=100);
        for host in &mut self.hosts {
            host.rules.delay = days(dice);
            host.rules.rate = dice.one_in(3).then(|| Rate::new(1e-6)).flatten();
            if dice.one_in(3) {
                host.latency = Latency::Fixed(days(dice));
            }
        }
        let retries = &mut self.settings.retries;
        (retries.backoff_base, retries.backoff_max) = (days(dice), days(dice));
        (retries.retry_after_max, retries.dead_for, retries.host_memory) = (days(dice), days(dice), days(dice));
    }

    fn overflow(&mut self, dice: &mut Dice) {
        let most = |dice: &mut Dice, usual: Duration| {
            dice.pick(&[usual, usual, DAY * 100_000, Duration::from_nanos(u64::MAX - 1), Duration::MAX])
        };
        let retries = &mut self.settings.retries;
        retries.host_memory = most(dice, retries.host_memory);
        retries.dead_for = most(dice, retries.dead_for);
        retries.retry_after_max = most(dice, retries.retry_after_max);
        retries.backoff_base = most(dice, retries.backoff_base);
        retries.backoff_max = most(dice, retries.backoff_max);
        retries.budget_ratio = dice.pick(&[retries.budget_ratio, f64::INFINITY, 1e300]);
        retries.budget_floor = dice.pick(&[retries.budget_floor, u32::MAX]);
        retries.retries = dice.pick(&[retries.retries, 3]);
        self.settings.concurrency = dice.pick(&[self.settings.concurrency, NonZeroU32::MAX]);
        for host in &mut self.hosts {
            host.rules.delay = most(dice, host.rules.delay);
            host.rules.concurrency = dice.pick(&[host.rules.concurrency, NonZeroU32::MAX]);
            if dice.one_in(4) {
                host.rules.rate = Rate::new(dice.pick(&[1e-300, 1e-9, 1e300]));
            }
            if dice.one_in(4) {
                host.mood = Mood::Strict(dice.0.u32(1..=4), Some(Duration::MAX));
            }
        }
        if dice.one_in(4) {
            self.settings.interval = Some(most(dice, Duration::from_nanos(1)));
        }
    }
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
        outage: Duration::from_secs(dice.pick(&[0, 2, 90])),
        max_idle_hosts: dice.pick(&[0, 1, 2, 5, usize::MAX, usize::MAX]),
        host_memory: dice.pick(&[Duration::ZERO, Duration::from_secs(1), Duration::from_secs(300)]),
        ..RetrySettings::default()
    }
}

fn script(dice: &mut Dice, rules: &HostRules, hosts: usize, groups: usize) -> Script {
    let h2 = dice.one_in(3);
    let has_name = !dice.one_in(3);
    let per_address = if dice.one_in(4) { Some(dice.some(1, 4)) } else { rules.per_address };
    let capacity = if h2 { Capacity::Unknown } else { Capacity::OneEach };
    let gates = if has_name { Gate::Address.into() } else { Gates::NONE };
    let script = Script {
        rules: HostRules { gates, capacity, per_address, ..rules.clone() },
        latency: latency(dice),
        mood: mood(dice, hosts),
        name: if has_name { name(dice) } else { Name::Known },
        protocol: if h2 { Protocol::Http2(dice.0.u32(1..=100)) } else { Protocol::Http1 },
        address: address(dice),
        group: (groups > 0 && dice.one_in(2)).then(|| dice.0.usize(..groups)),
    };
    let gates = if dice.one_in(4) { gates.with(Gate::Robots) } else { gates };
    Script { rules: HostRules { gates, ..script.rules }, ..script }
}

fn address(dice: &mut Dice) -> Option<u8> {
    (!dice.one_in(8)).then(|| dice.0.u8(..3))
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
        0 => Verdict::Troubled(None),
        1 => Verdict::PushedBack(None),
        2 => Verdict::PushedBack(Some(dice.pick(&[0, 1, 20, 5000].map(Duration::from_secs)))),
        _ => Verdict::Failed(dice.pick(FailureKind::ALL)),
    }
}

fn mood(dice: &mut Dice, hosts: usize) -> Mood {
    match dice.0.u8(..14) {
        0..4 => Mood::Fine,
        4 | 5 => Mood::Flaky(dice.0.u32(2..20), (0..3).map(|_| verdict(dice)).collect()),
        6 | 7 => {
            let from = Time::ZERO + dice.ms(0, 20_000);
            Mood::Outage(from, from + dice.ms(100, 120_000), verdict(dice))
        }
        8 => Mood::Strict(dice.0.u32(1..=4), dice.one_in(2).then(|| dice.ms(0, 10_000))),
        9 => Mood::Stale(dice.0.u32(2..10)),
        10 => Mood::Starved(dice.0.u32(2..10)),
        11 => Mood::Shown(dice.0.u32(2..10), (0..2).map(|_| verdict(dice)).collect()),
        // Requests in flight at the same time are told different pauses, long ones before short ones.
        12 => Mood::Flaky(dice.0.u32(2..5), (0..3).map(|_| Verdict::PushedBack(Some(dice.ms(0, 30_000)))).collect()),
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
fn arrivals(dice: &mut Dice, hosts: usize, count: usize) -> Vec<(Time, Disturbance)> {
    let mut to: Vec<_> = (0..count).map(|_| dice.0.usize(..hosts).min(dice.0.usize(..hosts))).collect();
    let trickle = dice.one_in(2).then(|| dice.0.u64(1..=3_000));
    if dice.one_in(2) {
        to.sort_unstable();
    }
    let mut at = Time::ZERO;
    to.into_iter()
        .zip(0..)
        .map(|(host, key)| {
            at = at + Duration::from_millis(trickle.map_or(0, |most| dice.0.u64(..=most)));
            (at, Disturbance::Arrive(host, key))
        })
        .collect()
}

fn disturb(dice: &mut Dice, hosts: usize, end: Time, into: &mut Vec<(Time, Disturbance)>) {
    for _ in 0..dice.0.u32(..16) {
        let host = dice.0.usize(..hosts);
        let what = match dice.0.u8(..9) {
            0 => Disturbance::Capacity(host, dice.0.u32(1..=20)),
            1 => Disturbance::Address(host, address(dice)),
            2 => Disturbance::Concurrency(dice.0.u32(1..=20)),
            3 => Disturbance::NotBefore(dice.ms(1, 3000)),
            4 | 5 => Disturbance::Limits(host, host_limits(dice)),
            6 => Disturbance::Drought(dice.ms(1, 5000)),
            7 => Disturbance::Shut(dice.ms(1, 5000)),
            _ => Disturbance::Pause(dice.ms(1, 10_000)),
        };
        into.push((Time::from_nanos(dice.0.u64(..end.as_nanos())), what));
    }
    if dice.one_in(8) {
        into.push((Time::from_nanos(dice.0.u64(..end.as_nanos())), Disturbance::Stop));
    }
}
