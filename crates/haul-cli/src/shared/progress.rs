//! Watches a run from a thread of its own: keeps the progress line fresh, or tells now and then how far the run is where
//! there is no line, and remembers what bounded the run for how long.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use haul::engine::{Bottleneck, Estimate, Handle, Snapshot};

use super::console::{self, Console};
use super::status::{self, StatusData};

/// How often the line changes.
const TICK: Duration = Duration::from_millis(250);

/// Over how many ticks the rate is taken: 3 seconds.
const RATE_TICKS: usize = 12;

/// Over how many ticks the time left is estimated: 30 seconds.
const ETA_TICKS: usize = 120;

/// How often a run without a progress line tells how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The width of what is told without a terminal: all there is to say.
const UNBOUNDED: usize = 400;

/// How a run is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A progress line.
    Line,
    /// A message every ten seconds.
    Messages,
    /// Nothing here: only what bounds the run is remembered.
    Nothing,
}

/// What bounded a run, and for how long: longest first.
pub(crate) type BoundDurations = Vec<(Bottleneck, Duration)>;

/// A run being watched.
pub(crate) struct ProgressThread {
    stop: Sender<()>,
    thread: JoinHandle<BoundDurations>,
}

impl ProgressThread {
    /// Watches the run of `handle`.
    pub(crate) fn start(console: &Console, handle: Handle, show: Show) -> Self {
        let console = console.clone();
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            let mut log = ProgressHistory::new(handle.progress());
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let estimate = handle.estimate();
                log.note(handle.progress(), estimate.as_ref());
                let concurrency = handle.limits().concurrency;
                match (show, console.line()) {
                    (Show::Line, Some(line)) => {
                        let text = status::line(&log.view(estimate.as_ref(), concurrency), console::width());
                        line.set_message(console::lines(&text));
                    }
                    (Show::Messages, _) if log.is_due() => {
                        let text = status::line(&log.view(estimate.as_ref(), concurrency), UNBOUNDED);
                        console::tell(&format!("haul: {text}"));
                    }
                    _ => {}
                }
            }
            log.bounds()
        };
        Self { stop, thread: thread::spawn(watch) }
    }

    /// Ends the watch; what bounded the run.
    pub(crate) fn finish(self) -> BoundDurations {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

/// What was seen so far, as far as it is needed.
struct ProgressHistory {
    /// The last 30 seconds, never empty.
    snapshots: VecDeque<Snapshot>,
    bounds: BTreeMap<Bottleneck, Duration>,
    told: Duration,
}

impl ProgressHistory {
    fn new(first: Snapshot) -> Self {
        Self { snapshots: VecDeque::from([first]), bounds: BTreeMap::new(), told: Duration::ZERO }
    }

    fn note(&mut self, now: Snapshot, estimate: Option<&Estimate>) {
        if let (Some(estimate), Some(before)) = (estimate, self.snapshots.back()) {
            *self.bounds.entry(estimate.bound).or_default() += now.elapsed.saturating_sub(before.elapsed);
        }
        self.snapshots.push_back(now);
        if self.snapshots.len() > ETA_TICKS {
            self.snapshots.pop_front();
        }
    }

    /// Whether it is time to tell something; true once each time.
    fn is_due(&mut self) -> bool {
        let now = self.snapshots.back().map_or(Duration::ZERO, |now| now.elapsed);
        let due = now.saturating_sub(self.told) >= TELL_EVERY;
        if due {
            self.told = now;
        }
        due
    }

    fn view<'a>(&'a self, estimate: Option<&'a Estimate>, concurrency: std::num::NonZeroU32) -> StatusData<'a> {
        let last = self.snapshots.len() - 1;
        StatusData {
            now: &self.snapshots[last],
            before: &self.snapshots[last.saturating_sub(RATE_TICKS)],
            long_before: &self.snapshots[0],
            estimate,
            concurrency,
        }
    }

    fn bounds(self) -> BoundDurations {
        let mut bounds: BoundDurations = self.bounds.into_iter().collect();
        bounds.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        bounds
    }
}

#[cfg(test)]
mod tests {
    use haul::sched::HostBottleneck;

    use super::*;
    use crate::shared::bound::tests::estimate;

    fn at(millis: u64) -> Snapshot {
        Snapshot { elapsed: Duration::from_millis(millis), succeeded: millis, ..Snapshot::default() }
    }

    #[test]
    fn something_is_told_every_ten_seconds() {
        let mut log = ProgressHistory::new(at(0));
        let told: Vec<_> = (1..=140)
            .filter(|tick| {
                log.note(at(tick * 250), None);
                log.is_due()
            })
            .collect();
        assert_eq!(told, [40, 80, 120]);
        assert_eq!(log.snapshots.len(), ETA_TICKS, "bounded");
        let view = log.view(None, 1.try_into().expect("not zero"));
        assert_eq!((view.now.succeeded - view.before.succeeded, view.long_before.succeeded), (3000, 5250));
    }

    #[test]
    fn the_time_under_each_bound_is_added_up() {
        let mut log = ProgressHistory::new(at(0));
        log.note(at(250), None);
        for tick in 2..10 {
            let bound = if tick % 4 == 0 { Bottleneck::Names } else { Bottleneck::Hosts(HostBottleneck::Delay) };
            log.note(at(tick * 250), Some(&estimate(bound, 1, HostBottleneck::Delay)));
        }
        let millis = Duration::from_millis;
        assert_eq!(
            log.bounds(),
            [(Bottleneck::Hosts(HostBottleneck::Delay), millis(1500)), (Bottleneck::Names, millis(500))]
        );
    }
}
