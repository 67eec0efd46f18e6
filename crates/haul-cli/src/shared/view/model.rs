//! What the view shows: fed with looks at the run, never reading a clock. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use haul::engine::{Estimate, LiveLimits, Snapshot};

use super::RunLabel;
use super::feed::{FeedSnapshot, Percentiles};
use crate::shared::{status, times};

/// Points kept: as many seconds, and no screen shows more.
const POINTS: usize = 600;

/// The time of one point.
const POINT: Duration = Duration::from_secs(1);

/// Over how many points the time left is estimated.
const ETA_POINTS: usize = 30;

/// One second of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    /// URLs done per second.
    pub(super) rate: u64,
    pub(super) latency: Option<Percentiles>,
}

/// What is shown.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) which: RunLabel,
    pub(super) now: Snapshot,
    pub(super) limits: LiveLimits,
    pub(super) estimate: Option<Estimate>,
    /// The newest last; never more than [`POINTS`].
    pub(super) points: VecDeque<Point>,
    pub(super) taken: FeedSnapshot,
    /// Whether the user holds the run.
    pub(super) paused: bool,
    pub(super) help: bool,
    /// The last thing told.
    pub(super) message: Option<String>,
    /// Snapshots at the points' ends, the newest last; never empty.
    ends: VecDeque<Snapshot>,
}

impl Model {
    pub(super) fn new(which: RunLabel, first: Snapshot, limits: LiveLimits) -> Self {
        Self {
            which,
            now: first,
            limits,
            estimate: None,
            points: VecDeque::new(),
            taken: FeedSnapshot::default(),
            paused: false,
            help: false,
            message: None,
            ends: VecDeque::from([first]),
        }
    }

    /// Another run begins; what was drawn over time goes on.
    pub(super) fn begin(&mut self, which: RunLabel, first: Snapshot, limits: LiveLimits) {
        let points = std::mem::take(&mut self.points);
        *self = Self { points, help: self.help, ..Self::new(which, first, limits) };
    }

    /// How the run is now.
    pub(super) fn note(&mut self, now: Snapshot, limits: LiveLimits, estimate: Option<Estimate>) {
        (self.now, self.limits) = (now, limits);
        if estimate.is_some() {
            self.estimate = estimate;
        }
    }

    /// Whether a point has come to its end, and [`Self::add`] is due.
    pub(super) fn is_due(&self) -> bool {
        self.now.elapsed.saturating_sub(self.end().elapsed) >= POINT
    }

    /// Ends a point now, with what was seen since the last one.
    pub(super) fn add(&mut self, taken: FeedSnapshot) {
        let last = self.end();
        let done = self.now.done().saturating_sub(last.done());
        let rate = times::per_second(done, self.now.elapsed.saturating_sub(last.elapsed));
        push(&mut self.points, Point { rate, latency: taken.latency }, POINTS);
        push(&mut self.ends, self.now, ETA_POINTS + 1);
        self.taken = taken;
    }

    fn end(&self) -> &Snapshot {
        self.ends.back().expect("never empty")
    }

    /// URLs done per second, as of the last point; within the first second, so far.
    pub(super) fn rate(&self) -> u64 {
        self.points.back().map_or_else(|| times::per_second(self.now.done(), self.now.elapsed), |point| point.rate)
    }

    /// How long the run may still take, where that can be said.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let estimate = self.estimate.as_ref().filter(|_| !self.paused)?;
        let first = self.ends.front().expect("never empty");
        let concurrency = self.limits.concurrency;
        let view = status::StatusData {
            now: &self.now,
            before: first,
            long_before: first,
            estimate: Some(estimate),
            concurrency,
        };
        status::time_left(&view, estimate)
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use haul::config::Limits;
    use haul::engine::Bottleneck;
    use haul::sched::HostBottleneck;

    use super::*;
    use crate::shared::bound::tests::estimate;
    use crate::shared::since::Since;
    use crate::shared::view::Subject;

    fn at(millis: u64, done: u64) -> Snapshot {
        Snapshot { elapsed: Duration::from_millis(millis), succeeded: done, queued: 100, ..Snapshot::default() }
    }

    fn which(name: &str) -> RunLabel {
        RunLabel { subject: Subject::Get, name: name.to_owned(), since: Since::Sent }
    }

    fn model() -> Model {
        Model::new(which(""), at(0, 0), LiveLimits::from(&Limits::default()))
    }

    #[test]
    fn a_point_is_a_second_or_as_long_as_it_took() {
        let mut model = model();
        let limits = model.limits;
        model.note(at(999, 50), limits, None);
        assert_eq!((model.is_due(), model.rate()), (false, 50));
        model.note(at(2000, 100), limits, None);
        assert!(model.is_due());
        model.add(FeedSnapshot::default());
        assert_eq!((model.is_due(), model.rate(), model.points.len()), (false, 50, 1));
        for second in 3..3000 {
            model.note(at(second * 1000, second * 50 + 50), limits, None);
            model.add(FeedSnapshot::default());
        }
        assert_eq!((model.points.len(), model.ends.len()), (POINTS, ETA_POINTS + 1), "bounded");
    }

    #[test]
    fn another_run_begins_anew_but_for_what_is_drawn_over_time() {
        let mut model = model();
        let limits = model.limits;
        model.note(at(1000, 50), limits, None);
        model.add(FeedSnapshot::default());
        (model.paused, model.help) = (true, true);
        model.begin(which("200/s"), at(0, 0), limits);
        assert_eq!(
            (model.which.name.as_str(), model.paused, model.help, model.points.len()),
            ("200/s", false, true, 1)
        );
        model.note(at(1000, 200), limits, None);
        model.add(FeedSnapshot::default());
        assert_eq!(model.points.iter().map(|point| point.rate).collect::<Vec<_>>(), [50, 200]);
    }

    #[test]
    fn the_time_left_is_not_told_while_the_run_is_held() {
        let mut model = model();
        let limits = model.limits;
        let mut known = estimate(Bottleneck::Concurrency, 1, HostBottleneck::Delay);
        known.longest = None;
        model.note(at(1000, 50), limits, Some(known));
        assert_eq!(model.time_left(), Some(Duration::from_secs(2)));
        model.paused = true;
        assert_eq!(model.time_left(), None);
    }
}
