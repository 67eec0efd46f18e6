//! Texts of a URL to typed values, each with its cap. Pure.
//!
//! The caps keep one request from holding the origin's memory or time: sizes that are sent from one block may be large,
//! sizes that have to be made first may not.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;

/// Why a URL can't be served: a sentence for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadUrl(pub(super) String);

/// The longest body, sent piece by piece from one block.
pub(super) const MOST_BYTES: u64 = 1 << 30;
/// The longest body that has to be made in memory.
pub(super) const MOST_MADE: u64 = 8 << 20;
/// The longest wait, for each place where one can be asked for.
pub(super) const MOST_WAIT: Duration = Duration::from_secs(60);

/// A whole number in `range`.
pub(super) fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, BadUrl> {
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| BadUrl(format!("'{text}' is not a whole number from {} to {}", range.start(), range.end())))
}

/// A time: `250ms`, `1.5s`; a plain number is milliseconds. At most [`MOST_WAIT`].
pub(super) fn time(text: &str) -> Result<Duration, BadUrl> {
    let (number, millis) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1.0),
        (None, Some(number)) => (number, 1000.0),
        (None, None) => (text, 1.0),
    };
    let seconds = number.parse().ok().map(|number: f64| number * millis / 1000.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| *time <= MOST_WAIT)
        .ok_or_else(|| BadUrl(format!("'{text}' is not a time up to 60s, like 250ms, 1.5s or 250 (milliseconds)")))
}

/// So many per second: above 0, at most a million.
pub(super) fn rate(text: &str) -> Result<f64, BadUrl> {
    text.parse()
        .ok()
        .filter(|rate| *rate > 0.0 && *rate <= 1e6)
        .ok_or_else(|| BadUrl(format!("'{text}' is not a number of requests a second above 0, like 10 or 0.5")))
}

/// A status that a final response can have.
pub(super) fn status(text: &str) -> Result<StatusCode, BadUrl> {
    text.parse()
        .ok()
        .filter(|code| (200..600).contains(code))
        .and_then(|code: u16| StatusCode::from_u16(code).ok())
        .ok_or_else(|| BadUrl(format!("'{text}' is not a status from 200 to 599")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_a_cap() {
        for (text, millis) in [("250ms", 250), ("250", 250), ("1.5s", 1500), ("0", 0), ("60s", 60_000)] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "ms", "61s", "-1", "nan", "inf", "1e300s", "1m", "soon"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_rates_and_statuses_have_caps() {
        assert_eq!(number("5", 0..=5), Ok(5));
        assert_eq!(number("6", 0..=5), Err(BadUrl("'6' is not a whole number from 0 to 5".into())));
        assert!(number("", 0..=5).is_err() && number("-1", 0..=5).is_err() && number("1e3", 0..=5000).is_err());
        assert_eq!(rate("0.5"), Ok(0.5));
        assert!(rate("0").is_err() && rate("nan").is_err() && rate("inf").is_err() && rate("-1").is_err());
        assert_eq!(status("404"), Ok(StatusCode::NOT_FOUND));
        assert!(status("100").is_err() && status("600").is_err() && status("x").is_err());
    }
}
