//! The progress line's text.

use std::time::Duration;

use haul::engine::Snapshot;
use indicatif::HumanCount;

/// How far a run is, and how it went since `before`.
pub(super) fn line(now: &Snapshot, before: &Snapshot) -> String {
    format!(
        "{}: {} done, {} failed, {}/s, {} in flight, {} queued, {} hosts",
        clock(now.elapsed),
        HumanCount(now.succeeded + now.failed),
        HumanCount(now.failed),
        HumanCount(rate(now, before)),
        HumanCount(now.in_flight),
        HumanCount(now.queued),
        HumanCount(now.hosts),
    )
}

/// URLs done per second between two moments.
fn rate(now: &Snapshot, before: &Snapshot) -> u64 {
    let done = (now.succeeded + now.failed).saturating_sub(before.succeeded + before.failed);
    per_second(done, now.elapsed.saturating_sub(before.elapsed))
}

/// `count` per second of `time`, rounded.
pub(super) fn per_second(count: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos().max(1);
    u64::try_from((u128::from(count) * 1_000_000_000 + nanos / 2) / nanos).unwrap_or(u64::MAX)
}

/// A time as `2h05m09s`, `5m09s`, `9.2s` or `340ms`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) if seconds == 0 => format!("{}ms", time.as_millis()),
        (0, 0) => format!("{}.{}s", seconds, time.subsec_millis() / 100),
        (0, _) => format!("{minutes}m{rest:02}s"),
        _ => format!("{hours}h{minutes:02}m{rest:02}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_of_the_last_interval() {
        let seconds = Duration::from_secs;
        let before = Snapshot { succeeded: 1000, failed: 10, elapsed: seconds(10), ..Snapshot::default() };
        let now = Snapshot {
            succeeded: 2000,
            failed: 20,
            queued: 1234,
            in_flight: 256,
            hosts: 7,
            elapsed: seconds(12),
            ..Snapshot::default()
        };
        let text = "12.0s: 2,020 done, 20 failed, 505/s, 256 in flight, 1,234 queued, 7 hosts";
        assert_eq!(line(&now, &before), text);
    }

    #[test]
    fn times_keep_the_digits_that_matter() {
        let clock = |millis| clock(Duration::from_millis(millis));
        assert_eq!((clock(340), clock(9_270), clock(309_000)), ("340ms".into(), "9.2s".into(), "5m09s".into()));
        assert_eq!(clock(7_509_000), "2h05m09s");
        assert_eq!(per_second(5, Duration::ZERO), 5_000_000_000);
        assert_eq!(per_second(3, Duration::from_secs(2)), 2);
    }
}
