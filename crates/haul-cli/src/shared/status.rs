//! The progress line's text.

use std::num::NonZeroU32;
use std::time::Duration;

use haul::engine::{Bottleneck, Estimate, Snapshot};
use indicatif::HumanCount;

use super::bound;
use super::times::{coarse, per_second};

/// What a progress line is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusData<'a> {
    pub(crate) now: &'a Snapshot,
    /// A few seconds before: for the rate shown.
    pub(crate) before: &'a Snapshot,
    /// Longer before: for the time left, which should not jump about.
    pub(crate) long_before: &'a Snapshot,
    pub(crate) estimate: Option<&'a Estimate>,
    pub(crate) concurrency: NonZeroU32,
}

/// How a line is made shorter, step by step: fields up to this level are left out, host names are cut to this length, and
/// "bound by" becomes "by".
const STEPS: [(u8, usize, &str); 7] = [
    (0, 48, "bound by"),
    (1, 48, "bound by"),
    (2, 48, "bound by"),
    (3, 48, "bound by"),
    (3, 16, "bound by"),
    (3, 16, "by"),
    (4, 16, "by"),
];

/// How far a run is and what bounds it, in `width` columns. What matters least is left out first.
pub(crate) fn line(view: &StatusData<'_>, width: usize) -> String {
    let mut shortest = String::new();
    for (level, name, by) in STEPS {
        shortest = join(&fields(view, name, by), level);
        if shortest.chars().count() <= width {
            return shortest;
        }
    }
    let cut: String = shortest.chars().take(width.saturating_sub(1)).collect();
    format!("{cut}…")
}

/// The fields, each with the level from which on it is left out.
fn fields(view: &StatusData<'_>, name: usize, by: &str) -> Vec<(u8, String)> {
    let now = view.now;
    let mut fields = vec![
        (u8::MAX, format!("{} done", HumanCount(now.done()))),
        (u8::MAX, format!("{} failed", HumanCount(now.failed))),
        (u8::MAX, format!("{}/s", HumanCount(rate(now, view.before)))),
        (3, format!("{}/{} in flight", HumanCount(now.in_flight), HumanCount(u32::from(view.concurrency).into()))),
        (1, format!("{} queued", HumanCount(now.queued))),
    ];
    if let Some(estimate) = view.estimate {
        fields.push((2, format!("{} left", hosts(estimate.hosts_left))));
        fields.extend(time_left(view, estimate).map(|left| (4, format!("ETA {}", coarse(left)))));
        fields.push((u8::MAX, bound::now(estimate, view.concurrency, name, by)));
    }
    fields.insert(0, (u8::MAX, coarse(now.elapsed)));
    fields
}

fn join(fields: &[(u8, String)], level: u8) -> String {
    let mut fields = fields.iter().filter(|(from, _)| *from > level).map(|(_, text)| &**text);
    let elapsed = fields.next().unwrap_or_default();
    format!("{elapsed}: {}", fields.collect::<Vec<_>>().join(", "))
}

/// So many hosts.
fn hosts(count: u64) -> String {
    format!("{} host{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

/// How long the run may still take, once all input has been read: what the longest host needs, or all that is left at the
/// pace so far.
pub(crate) fn time_left(view: &StatusData<'_>, estimate: &Estimate) -> Option<Duration> {
    if !estimate.input_ended || estimate.bound == Bottleneck::Paused {
        return None;
    }
    let (now, before) = (view.now, view.long_before);
    let done = now.done().saturating_sub(before.done());
    let span = now.elapsed.saturating_sub(before.elapsed);
    let left = now.queued + now.in_flight;
    let by_pace = (done > 0).then(|| Duration::try_from_secs_f64(span.as_secs_f64() * left as f64 / done as f64).ok());
    let by_host = estimate.longest.as_ref().map(|longest| longest.left);
    by_pace.flatten().max(by_host)
}

/// URLs done per second between two moments.
fn rate(now: &Snapshot, before: &Snapshot) -> u64 {
    per_second(now.done().saturating_sub(before.done()), now.elapsed.saturating_sub(before.elapsed))
}

#[cfg(test)]
mod tests {
    use haul::sched::HostBottleneck;

    use super::*;
    use crate::shared::bound::tests::estimate;

    fn snapshot(done: u64, seconds: u64) -> Snapshot {
        let elapsed = Duration::from_secs(seconds);
        Snapshot { succeeded: done, failed: 20, queued: 1234, in_flight: 56, elapsed, ..Snapshot::default() }
    }

    fn text(estimate: Option<&Estimate>, width: usize) -> String {
        let [now, before, long_before] = [snapshot(4000, 12), snapshot(2990, 10), snapshot(0, 2)];
        let concurrency = NonZeroU32::new(256).expect("not zero");
        let view = StatusData { now: &now, before: &before, long_before: &long_before, estimate, concurrency };
        line(&view, width)
    }

    #[test]
    fn all_is_said_where_there_is_room() {
        let estimate = estimate(Bottleneck::Hosts(HostBottleneck::Delay), 1, HostBottleneck::Delay);
        assert_eq!(
            text(Some(&estimate), 200),
            "12s: 4,020 done, 20 failed, 505/s, 56/256 in flight, 1,234 queued, 7 hosts left, ETA 2m10s, \
             bound by host a.rather.long-name-of-a-host.example:8443 (--delay)"
        );
        assert_eq!(text(None, 200), "12s: 4,020 done, 20 failed, 505/s, 56/256 in flight, 1,234 queued");
    }

    #[test]
    fn the_least_important_goes_first_and_then_the_middle_of_a_name() {
        let few = estimate(Bottleneck::Concurrency, 1, HostBottleneck::Delay);
        assert_eq!(text(Some(&few), 80), "12s: 4,020 done, 20 failed, 505/s, ETA 2m10s, bound by --concurrency 256");
        assert_eq!(
            text(Some(&few), 100),
            "12s: 4,020 done, 20 failed, 505/s, 56/256 in flight, ETA 2m10s, bound by --concurrency 256"
        );
        let long = estimate(Bottleneck::Hosts(HostBottleneck::Delay), 1, HostBottleneck::Delay);
        assert_eq!(
            text(Some(&long), 80),
            "12s: 4,020 done, 20 failed, 505/s, ETA 2m10s, by host a.rather…le:8443 (--delay)"
        );
        for width in 1..200 {
            assert!(text(Some(&long), width).chars().count() <= width, "{width}");
        }
    }

    #[test]
    fn the_time_left_is_known_only_when_the_input_is() {
        let mut estimate = estimate(Bottleneck::Concurrency, 1, HostBottleneck::Delay);
        estimate.longest.as_mut().expect("set").left = Duration::from_secs(1);
        assert!(
            text(Some(&estimate), 200).contains(" ETA 3s,"),
            "1,290 left, 4,000 in 10 s: {}",
            text(Some(&estimate), 200)
        );
        estimate.input_ended = false;
        assert!(!text(Some(&estimate), 200).contains("ETA"));
        let paused = Estimate { bound: Bottleneck::Paused, input_ended: true, ..estimate };
        assert!(text(Some(&paused), 200).ends_with("7 hosts left, paused"));
    }
}
