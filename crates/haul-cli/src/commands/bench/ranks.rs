//! Whether one series of measurements lies higher than another, by ranks. Pure.
//!
//! The Mann–Whitney test turned into an interval (Hodges and Lehmann): the shift between two series is the median of all
//! differences of a value of one and a value of the other, and the interval leaves out as many of them at each end as the
//! test allows. The test wants values that don't depend on each other, and seconds of one run do: what they have in common
//! with the second before is measured, and the interval is made wider by as much.

/// Of all intervals made so from equal series, 99 in 100 hold no shift.
pub(super) const CONFIDENCE: f64 = 0.99;

/// The normal distribution has this part of it between minus and plus so many standard deviations.
const Z: f64 = 2.575_829;

/// Values of a series that are compared, at most: of longer ones the means of neighbours. The differences are the square.
const MOST: usize = 500;

/// The least: of fewer nobody can say whether they depend on each other.
const LEAST: usize = 5;

/// The most that a value may seem to say of the next one.
const MOST_ALIKE: f64 = 0.9;

/// By how much one series lies above another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shift {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// How far `now` lies above `then`; `None` when there are too few values to tell, whatever they are: under five each, and
/// under seven mostly, because so few might well depend on each other.
pub(super) fn shift(then: &[f64], now: &[f64]) -> Option<Shift> {
    let (then, now) = (thinned(then), thinned(now));
    let (n, m) = (then.len() as f64, now.len() as f64);
    let deviation = (n * m * (n + m + 1.0) / 12.0 * dependence(&then, &now)).sqrt();
    let left_out = n * m / 2.0 - Z * deviation;
    if then.len().min(now.len()) < LEAST || left_out < 0.0 {
        return None;
    }
    let mut differences: Vec<f64> = now.iter().flat_map(|now| then.iter().map(move |then| now - then)).collect();
    differences.sort_unstable_by(f64::total_cmp);
    let left_out = usize::try_from(super::figures::whole(left_out)).ok()?;
    let low = *differences.get(left_out)?;
    Some(Shift { low, high: differences[differences.len() - 1 - left_out] })
}

/// The middle value.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    Some(f64::midpoint(sorted[last / 2], sorted[sorted.len() / 2]))
}

/// At most [`MOST`] values: the means of as many neighbours as it takes.
fn thinned(values: &[f64]) -> Vec<f64> {
    let group = values.len().div_ceil(MOST).max(1);
    values.chunks_exact(group).map(|group| group.iter().sum::<f64>() / group.len() as f64).collect()
}

/// By how much the variance of a rank sum grows because each value of a series says something of the next one.
fn dependence(then: &[f64], now: &[f64]) -> f64 {
    let alike = f64::midpoint(alike(then), alike(now)).clamp(0.0, MOST_ALIKE);
    (1.0 + alike) / (1.0 - alike)
}

/// How much a value's rank says of the next one's, from -1 to 1, and what so few values understate of it.
fn alike(values: &[f64]) -> f64 {
    let ranks = ranks(values);
    let count = ranks.len() as f64;
    let mean = ranks.iter().sum::<f64>() / count;
    let spread: f64 = ranks.iter().map(|rank| (rank - mean).powi(2)).sum();
    let common: f64 = ranks.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    let alike = if spread > 0.0 { common / spread } else { 0.0 };
    alike + 1.0 / count
}

/// The place of each value among all; equal ones share the middle of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |value: f64| values.iter().filter(|other| **other < value).count() as f64;
    let equal = |value: f64| values.iter().filter(|other| **other == value).count() as f64;
    values.iter().map(|value| below(*value) + (equal(*value) + 1.0) / 2.0).collect()
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    /// Values around `centre`, each `alike` to the one before.
    fn series(random: &mut Rng, count: usize, centre: f64, alike: f64) -> Vec<f64> {
        let mut noise = |_| (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        let mut last = noise(0);
        let next = |at| {
            last = alike * last + (1.0 - alike * alike).sqrt() * noise(at);
            centre + last
        };
        (0..count).map(next).collect()
    }

    /// In how many of 1,000 pairs of series a shift is shown.
    fn shown(count: usize, centre: f64, alike: f64) -> usize {
        let mut random = Rng::with_seed(5);
        let one = |_| {
            let then = series(&mut random, count, 0.0, alike);
            let now = series(&mut random, count, centre, alike);
            shift(&then, &now).is_some_and(|shift| shift.low > 0.0 || shift.high < 0.0)
        };
        (0..1000).map(one).filter(|shown| *shown).count()
    }

    #[test]
    fn equal_series_show_no_shift_but_once_in_a_hundred_times() {
        for count in [5, 10, 30, 60] {
            let shown = shown(count, 0.0, 0.0);
            assert!(shown <= 20, "{count}: {shown}");
        }
    }

    #[test]
    fn series_that_drift_do_not_show_it_as_a_shift() {
        for (count, alike) in [(10, 0.5), (30, 0.5), (60, 0.5), (60, 0.7)] {
            let shown = shown(count, 0.0, alike);
            assert!(shown <= 50, "{count} {alike}: {shown}");
        }
    }

    #[test]
    fn a_shift_is_shown() {
        assert!(shown(10, 3.0, 0.0) > 900, "{}", shown(10, 3.0, 0.0));
        assert!(shown(30, 1.5, 0.0) > 900, "{}", shown(30, 1.5, 0.0));
    }

    #[test]
    fn the_interval_is_that_of_the_books() {
        // All differences but the 15 at each end: the quantile of the test's statistic for ten and ten values.
        let then: Vec<f64> = [1.0, 7.0, 3.0, 9.0, 5.0, 2.0, 8.0, 4.0, 10.0, 6.0].into();
        let now: Vec<f64> = then.iter().rev().map(|value| value * 1.1 + 20.0).collect();
        let shift = shift(&then, &now).expect("enough");
        let mut differences: Vec<_> = now.iter().flat_map(|now| then.iter().map(move |then| now - then)).collect();
        differences.sort_unstable_by(f64::total_cmp);
        assert_eq!(shift, Shift { low: differences[15], high: differences[84] });
    }

    #[test]
    fn too_few_values_tell_nothing() {
        assert_eq!(shift(&[1.0, 2.0, 1.5, 1.7], &[100.0, 101.0, 99.0, 102.0]), None);
        assert_eq!((shift(&[], &[]), shift(&[1.0], &[]), median(&[])), (None, None, None));
        assert!(shift(&[1.0; 7], &[2.0; 7]).is_some_and(|shift| shift == Shift { low: 1.0, high: 1.0 }));
    }

    #[test]
    fn long_series_are_thinned() {
        assert_eq!(thinned(&[1.0; 1201]).len(), 400);
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 0.0]), [3.5, 2.0, 3.5, 1.0]);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }
}
