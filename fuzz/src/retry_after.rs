//! The bytes are the value of a `Retry-After` header.
//!
//! Promise: a value to which RFC 9110 §5.6.7 and §10.2.3 give a meaning is read as a second reading of them has it; blanks
//! around it change nothing; and a later look never finds a longer wait.

use std::time::{Duration, SystemTime};

use haul_core::policy::retry_after::parse;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777;
/// In seconds.
const DAY: i64 = 86_400;
const NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
/// Without their last three letters.
const LONG_NAMES: [&str; 7] = ["Sun", "Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads one value.
pub fn run(value: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    let wait = parse(value, now);
    assert_eq!(parse(&[b" \t", value, b"\t "].concat(), now), wait);
    let later = parse(value, now + Duration::from_secs(3600));
    assert_eq!(later.is_some(), wait.is_some());
    assert!(later <= wait, "{later:?} an hour later, {wait:?} before");
    let text = std::str::from_utf8(value).unwrap_or_default().trim_matches([' ', '\t']);
    let (meant, seconds) = (naive(text), wait.map(|wait| wait.as_secs()));
    // What the RFC gives no meaning may have one all the same.
    let is_meant = meant.iter().any(Option::is_some);
    assert!(!is_meant || meant.contains(&seconds), "{seconds:?}, not one of {meant:?}");
}

/// The waits in seconds that `text` may be taken to mean; `None` among them: that it means nothing.
fn naive(text: &str) -> Vec<Option<u64>> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return vec![Some(text.parse().unwrap_or(u64::MAX))];
    }
    let parts: Vec<_> = text.trim().split(' ').collect();
    let until = |date: i64| u64::try_from(date).map_or(0, |date| date.saturating_sub(NOW));
    let only = |date: Option<i64>| vec![date.map(until)];
    match parts[..] {
        // Sun, 06 Nov 1994 08:49:37 GMT
        [name, day, month, year, time, "GMT"] => {
            only(name.strip_suffix(',').and_then(|name| date(name, number(year, 4)?, month, number(day, 2)?, time)))
        }
        // Sun Nov  6 08:49:37 1994
        [name, month, "", day, time, year] => {
            only(number(year, 4).and_then(|year| date(name, year, month, number(day, 1)?, time)))
        }
        [name, month, day, time, year] => {
            only(number(year, 4).and_then(|year| date(name, year, month, number(day, 2)?, time)))
        }
        _ => in_some_century(text.trim()).map(|date| date.map(until)).to_vec(),
    }
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`, with any byte between date and time. Which century is for the reader to guess, so the
/// day's name may be that of another.
fn in_some_century(text: &str) -> [Option<i64>; 3] {
    let of = |century| {
        let (name, rest) = text.split_once("day, ").filter(|(_, rest)| rest.is_ascii() && rest.len() == 22)?;
        LONG_NAMES.iter().find(|own| **own == name)?;
        let month = rest[2..7].strip_prefix('-')?.strip_suffix('-')?;
        let time = rest[10..].strip_suffix(" GMT")?;
        let (year, day) = (century + number(&rest[7..9], 2)?, number(&rest[..2], 2)?);
        NAMES.iter().find_map(|name| date(name, year, month, day, time))
    };
    [of(1900), of(2000), None]
}

/// So many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    text.parse().ok().filter(|_| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Seconds since 1970, counted year by year and month by month.
fn date(name: &str, year: i64, month: &str, day: i64, time: &str) -> Option<i64> {
    let [hours, minutes, seconds] = time.split(':').map(|part| number(part, 2)).collect::<Option<Vec<_>>>()?[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)?;
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_valid = year >= 1970 && (1..=lengths[month]).contains(&day) && hours < 24 && minutes < 60 && seconds < 60;
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let days = years + lengths[..month].iter().sum::<i64>() + day - 1;
    // The first of January 1970 was a Thursday.
    let is_named = NAMES[usize::try_from(days + 4).ok()? % 7] == name;
    (is_valid && is_named).then_some(days * DAY + hours * 3600 + minutes * 60 + seconds)
}
