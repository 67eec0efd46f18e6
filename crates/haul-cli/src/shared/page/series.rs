//! What happened in each stretch of a run's time: a bounded number of equal intervals, which double when they are too few.
//! Pure.
//!
//! Owns the arithmetic of merging. A request counts in the interval in which it ended; the time it was under way is shared
//! out over all intervals that it touched, at a cost that does not depend on their number.

use std::time::Duration;

use haul::model::Time;

use super::parts::Parts;

/// Intervals at the most: half of that and more are shown, so a line is neither coarse nor all noise.
const MOST: usize = 128;
/// The first interval's length: short enough for a run of a tenth of a second.
const SHORTEST: Duration = Duration::from_millis(5);

/// What is counted of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestSpan {
    pub(super) start: Time,
    pub(super) end: Time,
    pub(super) failed: bool,
    pub(super) wire_bytes: u64,
    pub(super) parts: Parts,
}

/// One interval.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bin {
    pub(super) ended: u64,
    pub(super) failed: u64,
    pub(super) wire_bytes: u64,
    pub(super) parts: Parts,
    /// Nanoseconds under way in this interval, of requests that began or ended in it.
    busy: u64,
    /// How many more requests than in the interval before are under way during the whole of this one.
    more: i64,
}

/// A run's time in equal intervals from its start.
#[derive(Debug)]
pub(super) struct Series {
    interval: u64,
    bins: Vec<Bin>,
}

impl Default for Series {
    fn default() -> Self {
        Self { interval: nanoseconds(SHORTEST), bins: Vec::new() }
    }
}

/// One interval as it is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// Seconds from the run's start to its middle.
    pub(super) middle: f64,
    /// Its length in seconds.
    pub(super) seconds: f64,
    pub(super) bin: Bin,
    /// Requests under way, on average.
    pub(super) in_flight: f64,
}

impl Series {
    pub(super) fn add(&mut self, request: &RequestSpan) {
        let (start, end) = (request.start.as_nanos(), request.end.as_nanos().max(request.start.as_nanos()));
        // Each turn doubles the interval, so there are fewer than 64.
        while end / self.interval >= MOST as u64 {
            self.double();
        }
        let (first, last) = (self.place(start), self.place(end));
        if self.bins.len() <= last {
            self.bins.resize(last + 1, Bin::default());
        }
        self.share_out(start, end, first, last);
        let bin = &mut self.bins[last];
        bin.ended += 1;
        bin.failed += u64::from(request.failed);
        bin.wire_bytes += request.wire_bytes;
        bin.parts.add(&request.parts);
    }

    /// The number of the interval of `nanos`, which must be in one.
    fn place(&self, nanos: u64) -> usize {
        usize::try_from(nanos / self.interval).expect("less than the number of intervals")
    }

    fn share_out(&mut self, start: u64, end: u64, first: usize, last: usize) {
        if first == last {
            self.bins[first].busy += end - start;
            return;
        }
        self.bins[first].busy += (first as u64 + 1) * self.interval - start;
        self.bins[last].busy += end - last as u64 * self.interval;
        self.bins[first + 1].more += 1;
        self.bins[last].more -= 1;
    }

    /// Nanoseconds under way, for each interval.
    fn busy(&self) -> Vec<u64> {
        let under_way = |level: &mut i64, bin: &Bin| {
            *level += bin.more;
            Some(bin.busy + u64::try_from(*level).unwrap_or(0) * self.interval)
        };
        self.bins.iter().scan(0, under_way).collect()
    }

    fn double(&mut self) {
        for (bin, busy) in self.busy().into_iter().enumerate() {
            (self.bins[bin].busy, self.bins[bin].more) = (busy, 0);
        }
        self.bins = self.bins.chunks(2).map(|pair| pair.iter().copied().reduce(Bin::and).unwrap_or_default()).collect();
        self.interval *= 2;
    }

    /// What to show of a run that ended at `end`. A last interval that is less than half over is shown with the one before.
    pub(super) fn stretches(&self, end: Time) -> Vec<Stretch> {
        let end = end.as_nanos().max(((self.bins.len() as u64).saturating_sub(1) * self.interval).saturating_add(1));
        let mut shown: Vec<(u64, u64, Bin, u64)> = Vec::new();
        for (place, (bin, busy)) in self.bins.iter().zip(self.busy()).enumerate() {
            let from = place as u64 * self.interval;
            let to = end.min(from.saturating_add(self.interval));
            match shown.last_mut().filter(|_| (to - from) * 2 < self.interval) {
                Some(last) => *last = (last.0, to, last.2.and(*bin), last.3 + busy),
                None => shown.push((from, to, *bin, busy)),
            }
        }
        let stretch = |(from, to, bin, busy): (u64, u64, Bin, u64)| Stretch {
            middle: (from as f64 + to as f64) / 2e9,
            seconds: (to - from) as f64 / 1e9,
            bin,
            in_flight: busy as f64 / (to - from) as f64,
        };
        shown.into_iter().map(stretch).collect()
    }
}

impl Bin {
    fn and(mut self, other: Self) -> Self {
        self.ended += other.ended;
        self.failed += other.failed;
        self.wire_bytes += other.wire_bytes;
        self.busy += other.busy;
        self.parts.add(&other.parts);
        self
    }
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(start: u64, end: u64) -> RequestSpan {
        let (start, end) = (Time::from_millis(start), Time::from_millis(end));
        RequestSpan { start, end, failed: false, wire_bytes: 1, parts: Parts::default() }
    }

    /// Milliseconds under way in each stretch, by adding up what each request spent there.
    fn exactly(requests: &[(u64, u64)], from: f64, to: f64) -> f64 {
        let within = |&(start, end): &(u64, u64)| (to.min(end as f64) - from.max(start as f64)).max(0.0);
        requests.iter().map(within).sum()
    }

    #[test]
    fn time_under_way_is_shared_out_exactly_however_often_intervals_double() {
        let mut rng = fastrand::Rng::with_seed(1);
        for length in [100, 1280, 5000, 100_000] {
            let pick = |rng: &mut fastrand::Rng| {
                let start = rng.u64(0..length);
                (start, start + rng.u64(0..length / 3))
            };
            let requests: Vec<_> = (0..500).map(|_| pick(&mut rng)).collect();
            let mut series = Series::default();
            for &(start, end) in &requests {
                series.add(&request(start, end));
            }
            let end = requests.iter().map(|request| request.1).max().expect("some");
            let stretches = series.stretches(Time::from_millis(end));
            assert!(stretches.len() <= MOST, "{}", stretches.len());
            assert_eq!(stretches.iter().map(|stretch| stretch.bin.ended).sum::<u64>(), 500);
            for stretch in stretches {
                let (from, to) = (stretch.middle - stretch.seconds / 2.0, stretch.middle + stretch.seconds / 2.0);
                let exact = exactly(&requests, from * 1e3, to * 1e3) / (stretch.seconds * 1e3);
                assert!((stretch.in_flight - exact).abs() < 1e-3, "{stretch:?}: {exact}");
            }
        }
    }

    #[test]
    fn a_last_interval_that_has_hardly_begun_is_shown_with_the_one_before() {
        let mut series = Series::default();
        series.add(&request(0, 3));
        series.add(&request(0, 6));
        let stretches = series.stretches(Time::from_millis(6));
        assert_eq!(
            stretches.iter().map(|stretch| (stretch.bin.ended, stretch.seconds)).collect::<Vec<_>>(),
            [(2, 0.006)]
        );
        assert_eq!(series.stretches(Time::from_millis(9)).len(), 2);
    }

    #[test]
    fn times_that_no_run_reaches_are_counted_too() {
        let mut series = Series::default();
        series.add(&RequestSpan { end: Time::NEVER, ..request(0, 0) });
        let stretches = series.stretches(Time::NEVER);
        assert!((MOST / 2..=MOST).contains(&stretches.len()), "{}", stretches.len());
        assert_eq!(stretches.iter().map(|stretch| stretch.bin.ended).sum::<u64>(), 1);
    }
}
