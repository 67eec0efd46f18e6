//! Times as figures: histograms, their percentiles, and how they are written. Pure.
//!
//! Histograms are HDR: three significant digits, from a nanosecond to an hour. A percentile is the upper end of the bucket that
//! holds the exact one, less than 0.1 % above it; the least is the lower end of its bucket.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::shared::layout;
use crate::shared::times::short;

/// The longest time that is told apart: longer ones count as that.
const LONGEST: Duration = Duration::from_secs(3600);

/// An empty histogram of nanoseconds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, nanoseconds(LONGEST), 3).expect("bounds that make sense")
}

/// Counts a time.
pub(super) fn record(time: Duration, into: &mut Histogram<u64>) {
    into.saturating_record(nanoseconds(time));
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// In microseconds; `None` when nothing was counted.
pub(super) fn at(quantile: f64, nanoseconds: &Histogram<u64>) -> Option<f64> {
    (!nanoseconds.is_empty()).then(|| nanoseconds.value_at_quantile(quantile) as f64 / 1e3)
}

/// Times in microseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Times {
    pub(super) mean: f64,
    stddev: f64,
    pub(super) min: f64,
    pub(super) p50: f64,
    pub(super) p75: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

impl Times {
    /// The heads of the columns of [`Self::cells`].
    pub(super) const HEADS: [&str; 6] = ["mean", "p50", "p90", "p99", "p99.9", "longest"];

    pub(super) fn of(nanoseconds: &Histogram<u64>) -> Self {
        let at = |quantile| nanoseconds.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            mean: nanoseconds.mean().round() / 1e3,
            stddev: nanoseconds.stdev().round() / 1e3,
            min: nanoseconds.min() as f64 / 1e3,
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: nanoseconds.max() as f64 / 1e3,
        }
    }

    /// Those that people are shown, by [`Self::HEADS`].
    pub(super) fn cells(&self) -> [String; 6] {
        [self.mean, self.p50, self.p90, self.p99, self.p99_9, self.max].map(micros)
    }
}

/// A time in microseconds, as people read it.
pub(super) fn micros(microseconds: f64) -> String {
    short(Duration::try_from_secs_f64(microseconds / 1e6).unwrap_or_default())
}

/// As [`micros`]; a dash where there is none.
pub(super) fn micros_or_dash(microseconds: Option<f64>) -> String {
    microseconds.map_or_else(|| "-".to_owned(), micros)
}

/// Lines of cells under each other, all to the right.
pub(super) fn table(rows: Vec<Vec<String>>) -> String {
    // The last column of a page's table is to the left: that is an empty one.
    let rows: Vec<_> = rows.into_iter().map(|row| [row, vec![String::new()]].concat()).collect();
    let mut text = String::new();
    layout::table(&mut text, &rows);
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// So many per second.
pub(super) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { thousandths(count as f64 / seconds) } else { 0.0 }
}

/// Rounded to three places.
pub(super) fn thousandths(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

/// A rate, as people read it.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate < 10.0 => format!("{rate:.1}/s"),
        rate => format!("{}/s", indicatif::HumanCount(whole(rate.round()))),
    }
}

/// To the whole number below; what is more than fits is the most that does.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
pub(super) const fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shared::exactly::{hold, recorded};

    fn check(times: &[u64]) {
        let mut histogram = histogram();
        times.iter().for_each(|time| record(Duration::from_nanos(*time), &mut histogram));
        let (min, max) = (*times.iter().min().expect("some"), *times.iter().max().expect("some"));
        assert!(histogram.min() <= min && (min - histogram.min()) * 1000 <= min, "{}, exactly {min}", histogram.min());
        assert!(histogram.max() >= max, "{}, exactly {max}", histogram.max());
        let found = |per_mille: usize| (per_mille, at(per_mille as f64 / 1e3, &histogram).expect("some"));
        hold(times, [250, 500, 750, 900, 990, 999, 1000].map(found));
    }

    #[test]
    fn percentiles_are_within_a_thousandth_above_the_exact_ones() {
        check(&recorded());
        check(&[42]);
        check(&(1..=100_000).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn percentiles_of_any_times_are(times in prop::collection::vec(0..3_600_000_000_000_u64, 1..400)) {
            check(&times);
        }

        #[test]
        fn percentiles_of_short_times_are(times in prop::collection::vec(0..5_000_u64, 1..400)) {
            check(&times);
        }
    }

    #[test]
    fn times_beyond_the_longest_count_as_that() {
        let mut histogram = histogram();
        record(Duration::from_secs(1_000_000), &mut histogram);
        assert!((Times::of(&histogram).max / 3.6e9 - 1.0).abs() < 1e-3);
        assert_eq!((at(0.5, &self::histogram()), micros_or_dash(None)), (None, "-".to_owned()));
    }
}
