//! What change of the limits would help most: each is tried, and the bound computed anew. Pure.

use std::num::NonZeroU32;
use std::time::Duration;

use haul::config::{Limits, Rate};

/// A change that saves less than this share helps nothing worth naming.
const WORTH_NAMING: f64 = 0.01;

/// If no change by itself saves this share, two together are tried.
const MUCH: f64 = 0.05;

/// How often the best change is doubled at most: 65,536 times the limit given.
const DOUBLINGS: u32 = 16;

/// A limit that can be loosened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knob {
    Concurrency,
    PerHost,
    PerSite,
    Delay,
    HostRate,
    Rate,
}

impl Knob {
    const ALL: [Self; 6] = [Self::PerHost, Self::Concurrency, Self::PerSite, Self::Delay, Self::HostRate, Self::Rate];

    /// Loosens this limit by `factor`; false if it is not set, so that there is nothing to loosen.
    fn loosen(self, limits: &mut Limits, factor: u32) -> bool {
        let times = |count: NonZeroU32| count.saturating_mul(NonZeroU32::new(factor).unwrap_or(NonZeroU32::MIN));
        let faster = |rate: Option<Rate>| rate.and_then(|rate| Rate::new(rate.per_second() * f64::from(factor)));
        match self {
            Self::Concurrency => limits.concurrency = times(limits.concurrency),
            Self::PerHost => limits.per_host = times(limits.per_host),
            Self::PerSite => limits.per_site = limits.per_site.map(times),
            Self::Delay => limits.delay /= factor.max(1),
            Self::HostRate => limits.host_rate = faster(limits.host_rate),
            Self::Rate => limits.rate = faster(limits.rate),
        }
        match self {
            Self::Concurrency | Self::PerHost => true,
            Self::PerSite => limits.per_site.is_some(),
            Self::Delay => !limits.delay.is_zero(),
            Self::HostRate => limits.host_rate.is_some(),
            Self::Rate => limits.rate.is_some(),
        }
    }

    /// The flag with its value in `limits`.
    fn flag(self, limits: &Limits) -> String {
        let rate = |rate: Option<Rate>| rate.map(rate_text).unwrap_or_default();
        match self {
            Self::Concurrency => format!("-c {}", limits.concurrency),
            Self::PerHost => format!("--per-host {}", limits.per_host),
            Self::PerSite => format!("--per-site {}", limits.per_site.map_or(0, NonZeroU32::get)),
            Self::Delay => format!("--delay {}", time_text(limits.delay)),
            Self::HostRate => format!("--host-rate {}", rate(limits.host_rate)),
            Self::Rate => format!("--rate {}", rate(limits.rate)),
        }
    }
}

/// A rate as its flag takes it, per second, minute or hour, whichever needs no fraction.
pub(super) fn rate_text(rate: Rate) -> String {
    let per_second = rate.per_second();
    let whole = |per: f64| (per - per.round()).abs() < 1e-6 * per;
    if whole(per_second) {
        format!("{:.0}/s", per_second)
    } else if whole(per_second * 60.0) {
        format!("{:.0}/m", per_second * 60.0)
    } else {
        format!("{}/h", (per_second * 360_000.0).round().max(1.0) / 100.0)
    }
}

/// A time as its flag takes it.
pub(super) fn time_text(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

/// A changed command line and what it comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// The flags with their new values: `--per-host 16`.
    pub(super) flags: String,
    /// The bound then.
    pub(super) time: Duration,
    /// The share of the bound that is saved: 0.5 is half.
    pub(super) saves: f64,
}

/// What helps, and what doesn't.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Changes {
    /// Changes by a factor of two that help, the best first.
    pub(super) helpful: Vec<Change>,
    /// How far the best one goes: the last doubling that still helps. `None`: the first was the last.
    pub(super) as_far_as: Option<Change>,
    /// Two changes that help together where none helps much alone.
    pub(super) together: Option<Change>,
    /// Changes that make no difference.
    pub(super) useless: Vec<String>,
}

/// Tries each change, and what comes of it.
pub(super) fn search(limits: &Limits, bound: impl Fn(&Limits) -> Duration) -> Changes {
    let before = bound(limits);
    if before.is_zero() {
        return Changes::default();
    }
    let attempt = |knobs: &[Knob], factor| {
        let mut changed = limits.clone();
        let all_set = knobs.iter().all(|knob| knob.loosen(&mut changed, factor));
        let flags: Vec<_> = knobs.iter().map(|knob| knob.flag(&changed)).collect();
        let time = all_set.then(|| bound(&changed))?;
        let saves = 1.0 - time.as_secs_f64() / before.as_secs_f64();
        Some(Change { flags: flags.join(" "), time, saves })
    };
    let mut tried: Vec<(Knob, Change)> =
        Knob::ALL.into_iter().filter_map(|knob| Some((knob, attempt(&[knob], 2)?))).collect();
    tried.sort_by_key(|(_, change)| change.time);
    let best = tried.first().filter(|(_, change)| change.saves >= WORTH_NAMING).cloned();
    let together = match &best {
        Some((_, change)) if change.saves >= MUCH => None,
        _ => pairs().filter_map(|pair| attempt(&pair, 2)).min_by_key(|change| change.time),
    };
    let as_far_as = best.and_then(|(knob, change)| farthest(change, |factor| attempt(&[knob], factor)));
    let (helpful, useless) =
        tried.into_iter().map(|(_, change)| change).partition(|change| change.saves >= WORTH_NAMING);
    let useless: Vec<Change> = useless;
    Changes {
        helpful,
        as_far_as,
        together: together.filter(|change| change.saves >= MUCH),
        useless: useless.into_iter().map(|change| change.flags).collect(),
    }
}

/// Every two different limits.
fn pairs() -> impl Iterator<Item = [Knob; 2]> {
    let knobs = Knob::ALL.into_iter().enumerate();
    knobs.flat_map(|(at, first)| Knob::ALL.into_iter().skip(at + 1).map(move |second| [first, second]))
}

/// Doubles a change for as long as that helps.
fn farthest(mut best: Change, attempt: impl Fn(u32) -> Option<Change>) -> Option<Change> {
    let mut farthest = None;
    for doubling in 2..=DOUBLINGS {
        match attempt(1 << doubling) {
            Some(change) if change.time.as_secs_f64() <= best.time.as_secs_f64() * (1.0 - WORTH_NAMING) => {
                best = change.clone();
                farthest = Some(change);
            }
            _ => break,
        }
    }
    farthest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).expect("not zero")
    }

    /// One host of 960 requests and 9,040 others, a second each.
    fn bound(limits: &Limits) -> Duration {
        let host = 960_u64.div_ceil(limits.per_host.get().into());
        let all = 10_000 / u64::from(limits.concurrency.get());
        Duration::from_secs(host.max(all))
    }

    #[test]
    fn the_best_change_comes_first_and_goes_as_far_as_it_helps() {
        let changes = search(&Limits::default(), bound);
        assert_eq!(changes.helpful.len(), 1);
        assert_eq!((&*changes.helpful[0].flags, changes.helpful[0].saves), ("--per-host 16", 0.5));
        let last = changes.as_far_as.expect("more helps");
        assert_eq!((&*last.flags, last.time.as_secs()), ("--per-host 32", 39), "-c 256 bounds it from there on");
        assert_eq!((changes.useless, changes.together), (vec!["-c 512".to_owned()], None));
    }

    #[test]
    fn where_two_limits_bound_alike_both_are_changed() {
        let limits = Limits { per_host: count(24), concurrency: count(250), ..Limits::default() };
        let changes = search(&limits, bound);
        assert!(changes.helpful.is_empty() && changes.as_far_as.is_none());
        let both = changes.together.expect("both");
        assert_eq!((&*both.flags, both.time.as_secs()), ("--per-host 48 -c 500", 20));
    }

    #[test]
    fn only_limits_that_are_set_are_loosened() {
        let rate = |per_second| Some(Rate::new(per_second).expect("a rate"));
        let limits = Limits {
            per_site: Some(count(3)),
            delay: Duration::from_millis(500),
            host_rate: rate(0.5),
            rate: rate(0.125),
            ..Limits::default()
        };
        let changes = search(&limits, |_| Duration::from_secs(1));
        let flags = ["--per-host 16", "-c 512", "--per-site 6", "--delay 250ms", "--host-rate 1/s", "--rate 15/m"];
        assert_eq!((changes.useless, changes.together), (flags.map(str::to_owned).to_vec(), None));
        assert_eq!(search(&limits, |_| Duration::ZERO), Changes::default(), "nothing to do");
    }

    #[test]
    fn rates_are_written_as_their_flag_takes_them() {
        let text = |per_second| rate_text(Rate::new(per_second).expect("a rate"));
        assert_eq!([text(1000.0), text(0.5), text(1.0 / 60.0), text(0.001)], ["1000/s", "30/m", "1/m", "3.6/h"]);
        assert_eq!(time_text(Duration::from_millis(1500)), "1s500ms");
    }
}
