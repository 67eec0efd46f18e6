//! Times and rates, as people read them.

use std::time::Duration;

/// `count` per second of `time`, rounded.
pub(crate) fn per_second(count: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos().max(1);
    u64::try_from((u128::from(count) * 1_000_000_000 + nanos / 2) / nanos).unwrap_or(u64::MAX)
}

/// A time in whole seconds, as `2h05m`, `5m09s` or `9s`: the least of its digits change with each look anyway.
pub(crate) fn coarse(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest:02}s"),
        (..100, _) => format!("{hours}h{minutes:02}m"),
        _ => format!("{} days", hours / 24),
    }
}

/// A time as `2h05m09s`, `5m09s`, `9.2s` or `340ms`.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) if seconds == 0 => format!("{}ms", time.as_millis()),
        (0, 0) => format!("{}.{}s", seconds, time.subsec_millis() / 100),
        (0, _) => format!("{minutes}m{rest:02}s"),
        _ => format!("{hours}h{minutes:02}m{rest:02}s"),
    }
}

/// A short time with three digits that matter.
pub(crate) fn short(time: Duration) -> String {
    match time.as_micros() {
        0..1_000 => format!("{}us", time.as_micros()),
        1_000..10_000 => format!("{:.2}ms", time.as_secs_f64() * 1e3),
        10_000..1_000_000 => format!("{:.0}ms", time.as_secs_f64() * 1e3),
        _ => clock(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_the_digits_that_matter() {
        let clock = |millis| clock(Duration::from_millis(millis));
        assert_eq!((clock(340), clock(9_270), clock(309_000)), ("340ms".into(), "9.2s".into(), "5m09s".into()));
        assert_eq!(clock(7_509_000), "2h05m09s");
        let coarse = |seconds| coarse(Duration::from_secs(seconds));
        assert_eq!(
            (coarse(9), coarse(309), coarse(7509), coarse(1_000_000)),
            ("9s".into(), "5m09s".into(), "2h05m".into(), "11 days".into())
        );
        assert_eq!(per_second(5, Duration::ZERO), 5_000_000_000);
        assert_eq!(per_second(3, Duration::from_secs(2)), 2);
    }
}
