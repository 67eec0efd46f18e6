//! Medians, and intervals around them that assume nothing of how times are distributed. Pure.
//!
//! The interval of a median is between two of the sorted values themselves: the median of whatever they were drawn from lies
//! below the k-th smallest of n with the probability that fewer than k of n fair coins fall on one side. Of all such pairs
//! the narrowest is taken that holds with the wanted confidence. With fewer than six values there is none.

use statrs::distribution::{Binomial, DiscreteCDF};

/// How sure an interval has to be, at least.
const CONFIDENCE: f64 = 0.95;

/// Rounds below which there are no intervals.
pub(super) const FEWEST: usize = 6;

/// A median and, where there are enough values, an interval for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MedianEstimate {
    pub(super) median: f64,
    pub(super) interval: Option<Interval>,
}

/// Bounds for a median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// What two ways' times say of each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Finding {
    /// The second is faster, by a factor between these.
    Faster(Interval),
    /// The second is slower: it takes longer by a factor between these.
    Slower(Interval),
    /// The interval has 1 in it.
    NoDifference,
    /// There are too few rounds to say.
    Unknown,
}

/// The median of `values` and its interval. `None`: there are no values.
pub(super) fn estimate(values: impl IntoIterator<Item = f64>) -> Option<MedianEstimate> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len();
    let upper = *sorted.get(count / 2)?;
    let median = if count.is_multiple_of(2) { f64::midpoint(sorted[count / 2 - 1], upper) } else { upper };
    let interval = rank(count).map(|rank| Interval { low: sorted[rank - 1], high: sorted[count - rank] });
    Some(MedianEstimate { median, interval })
}

/// How many times as fast the second is as the first: the rounds' ratios, because what disturbs a round disturbs both.
pub(super) fn speed_up(first: &[f64], second: &[f64]) -> Option<MedianEstimate> {
    estimate(first.iter().zip(second).map(|(first, second)| first / second))
}

/// What the rounds show.
pub(super) fn find(first: &[f64], second: &[f64]) -> Finding {
    let Some(Interval { low, high }) = speed_up(first, second).and_then(|estimate| estimate.interval) else {
        return Finding::Unknown;
    };
    if low > 1.0 {
        Finding::Faster(Interval { low, high })
    } else if high < 1.0 {
        Finding::Slower(Interval { low: 1.0 / high, high: 1.0 / low })
    } else {
        Finding::NoDifference
    }
}

/// The largest k for which the k-th smallest and the k-th largest of so many values enclose the median surely enough.
fn rank(count: usize) -> Option<usize> {
    (1..=count / 2).take_while(|rank| confidence_of(*rank, count) >= CONFIDENCE).last()
}

fn confidence_of(rank: usize, count: usize) -> f64 {
    let coins = Binomial::new(0.5, count as u64).expect("a half is a probability");
    1.0 - 2.0 * coins.cdf(rank as u64 - 1)
}

/// How sure the intervals of so many values are; `None` where there are none.
pub(super) fn confidence(count: usize) -> Option<f64> {
    rank(count).map(|rank| confidence_of(rank, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
        let interval = estimate(values).expect("values").interval;
        interval.map(|Interval { low, high }| (low, high))
    }

    #[test]
    fn medians_of_odd_and_even_numbers() {
        let median = |values: &[f64]| estimate(values.iter().copied()).map(|estimate| estimate.median);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    /// The ranks are those of the published tables of confidence limits for the median at 95 %.
    #[test]
    fn the_ranks_are_those_of_the_tables() {
        let known = [(5, None), (6, Some(1)), (7, Some(1)), (8, Some(1)), (9, Some(2)), (12, Some(3)), (20, Some(6))];
        for (count, expected) in known {
            assert_eq!(rank(count), expected, "of {count}");
        }
        assert_eq!((rank(FEWEST - 1), rank(FEWEST).is_some()), (None, true));
        assert_eq!(rank(50), Some(18));
        assert_eq!(rank(100), Some(40));
    }

    #[test]
    fn the_confidence_is_exact() {
        assert_eq!(confidence(5), None);
        assert!((confidence(6).expect("enough") - 0.968_75).abs() < 1e-12);
        assert!((confidence(7).expect("enough") - 0.984_375).abs() < 1e-12);
        assert!((confidence(20).expect("enough") - 0.958_6).abs() < 1e-4);
    }

    #[test]
    fn an_interval_is_between_two_of_the_values() {
        let values = [9.0, 2.0, 7.0, 4.0, 5.0, 6.0, 3.0, 8.0, 1.0];
        assert_eq!(interval(values), Some((2.0, 8.0)), "the second smallest and the second largest");
        assert_eq!(interval(values[..5].iter().copied()), None);
    }

    /// Of many samples with a known median, the wanted share of intervals has it: the property that gives them their name.
    #[test]
    fn intervals_hold_the_median_as_often_as_they_say() {
        let mut random = fastrand::Rng::with_seed(7);
        let holds = (0..4000).filter(|_| {
            // Skewed, with the median ln 2.
            let sample = (0..9).map(|_| -(1.0 - random.f64()).ln());
            let (low, high) = interval(sample).expect("enough");
            low <= std::f64::consts::LN_2 && std::f64::consts::LN_2 <= high
        });
        let (share, wanted) = (holds.count() as f64 / 4000.0, confidence(9).expect("enough"));
        assert!((share - wanted).abs() < 0.01, "{share} of {wanted}");
    }

    #[test]
    fn a_difference_is_found_only_where_the_interval_allows_it() {
        let slow = [30.0, 33.0, 30.0, 36.0, 30.0, 31.0];
        let fast = [10.0, 10.0, 10.0, 10.0, 10.0, 10.0];
        assert_eq!(find(&slow, &fast), Finding::Faster(Interval { low: 3.0, high: 3.6 }));
        let Finding::Slower(Interval { low, high }) = find(&fast, &slow) else { panic!("not slower") };
        assert!((low - 3.0).abs() < 1e-9 && (high - 3.6).abs() < 1e-9, "{low} {high}");
        assert_eq!(find(&slow, &[31.0, 30.0, 31.0, 30.0, 31.0, 31.0]), Finding::NoDifference);
        assert_eq!(find(&slow[..5], &fast[..5]), Finding::Unknown, "too few");
    }

    #[test]
    fn rounds_are_compared_with_themselves() {
        let disturbed = [10.0, 40.0, 10.0, 20.0, 10.0, 80.0];
        let twice: Vec<f64> = disturbed.iter().map(|time| time / 2.0).collect();
        assert_eq!(find(&disturbed, &twice), Finding::Faster(Interval { low: 2.0, high: 2.0 }));
    }
}
