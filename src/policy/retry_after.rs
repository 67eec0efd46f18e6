//! How long does the server ask us to stay away? Reads `Retry-After` (RFC 9110 §10.2.3).
//!
//! Owns the header's two forms. The wall clock is an argument. It must not know what is done with the answer: the
//! cap and the host's back-off belong to the scheduler.

use std::time::{Duration, SystemTime};

/// The wait that `value` asks for, seen at `now`: a number of seconds, or a date (zero when it has passed).
///
/// `None` when it is neither. Numbers too large to count saturate; callers cut them to their own cap anyway.
#[must_use]
pub fn parse(value: &[u8], now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    #[test]
    fn seconds_and_dates_are_read() {
        let table: &[(&str, Option<u64>)] = &[
            ("0", Some(0)),
            ("120", Some(120)),
            (" 120\t", Some(120)),
            ("00007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sat, 05 Nov 1994 08:49:37 GMT", Some(0)),
            ("", None),
            (" ", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1e3", None),
            ("0x10", None),
            ("12 seconds", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:50:37", None),
            ("Sun, 99 Nov 1994 08:50:37 GMT", None),
            ("١٢", None),
        ];
        for (text, seconds) in table {
            assert_eq!(parse(text.as_bytes(), now()), seconds.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(parse(b"\xff", now()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&value, now());
        }

        #[test]
        fn every_later_date_is_as_far_as_it_is(ahead in 0_u64..4_000_000_000) {
            let date = httpdate::fmt_http_date(now() + Duration::from_secs(ahead));
            prop_assert_eq!(parse(date.as_bytes(), now()), Some(Duration::from_secs(ahead)));
        }

        #[test]
        fn dates_with_any_fields_are_read_without_panic(
            day in 0_u32..100, year in 0_u32..10_000, hour in 0_u32..100, minute in 0_u32..100, second in 0_u32..100,
        ) {
            let _ = parse(format!("Sun, {day:02} Nov {year:04} {hour:02}:{minute:02}:{second:02} GMT").as_bytes(), now());
        }
    }
}
