//! How long does the server ask us to stay away? Reads `Retry-After` (RFC 9110 §10.2.3) as servers write it.
//!
//! Owns the header's forms: a number of seconds, a date, and what is meant for one of them. The wall clock is an argument. It
//! must not know what is done with the answer: the cap and the host's back-off belong to the scheduler.
//!
//! The RFC has digits, and dates in three forms. Beyond it, where only one meaning is possible:
//! - blanks, quotes or a plus sign around a number, a fraction, a unit (`5s`, `in 1 minute`, `250 ms`, `5 sec.`);
//! - several of these, one behind the other, as Go writes durations (`1m30s`), those of ISO 8601 (`PT30S`), and those of .NET
//!   (`00:01:30`, with days before a dot); not `1:30`, which may be minutes or hours;
//! - a comma at the end, a remark in brackets or behind a semicolon;
//! - a list, or several lines: all of them have to be understood, and the longest wait is what they have in common;
//! - dates with the wrong weekday or none, a year of two digits, another zone than GMT, one digit for a day, and those of ISO 8601.
//!
//! A number of seconds that would be more than 31 years is a date in seconds since 1970 (in milliseconds, with three digits more)
//! unless that date is more than a year away: servers that count their limits so (`x-ratelimit-reset`) write it here, too.
//! A negative number says nothing, and neither does what is not understood: the caller then waits as without the header.

use std::time::{Duration, SystemTime};

use http::header::{AGE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The least number of seconds that may be a date: 9 September 2001, or a wait of 31 years.
const EPOCH_FROM: u64 = 1_000_000_000;

/// A date further away than that is none.
const FURTHEST: Duration = Duration::from_secs(366 * 86_400);

/// The wait that `value` asks for, seen at `now`: a number of seconds, or a date (zero when it has passed).
///
/// `None` when it is neither. Numbers too large to count saturate; callers cut them to their own cap anyway.
#[must_use]
pub fn parse(value: &[u8], now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.split([';', '(']).next()?;
    let text = bare(bare(text).trim_end_matches(','));
    let text =
        text.split_once(' ').filter(|(word, _)| word.eq_ignore_ascii_case("in")).map_or(text, |(_, rest)| bare(rest));
    one(text, now).or_else(|| list(text, now))
}

/// The furthest that a server's clock is believed to be off.
const MOST_OFF: Duration = Duration::from_secs(86_400);

/// What a server's clock shows, by which it reckons the dates it names: the `Date` of its response, which is as old as its `Age`
/// says. `own`: what ours shows, which counts where it says nothing, or is off by more than a day.
#[must_use]
pub fn clock(date: Option<&[u8]>, age: Option<&[u8]>, own: SystemTime) -> SystemTime {
    let text = |value: &[u8]| std::str::from_utf8(value).ok().map(|text| bare(text).to_owned());
    let age = age.and_then(text).and_then(|age| number_of(&age, 9)).unwrap_or_default();
    let date = date.and_then(text).and_then(|date| httpdate::parse_http_date(&date).ok());
    let shown = date.and_then(|date| date.checked_add(Duration::from_secs(age.unsigned_abs())));
    shown.filter(|shown| apart(*shown, own) <= MOST_OFF).unwrap_or(own)
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

/// How long a response with these headers asks to stay away. Headers that count milliseconds are more exact, where there is one (Azure,
/// OpenAI). `own`: what our clock shows.
#[must_use]
pub fn asked(headers: &HeaderMap, own: SystemTime) -> Option<Duration> {
    const MILLIS: [HeaderName; 2] =
        [HeaderName::from_static("retry-after-ms"), HeaderName::from_static("x-ms-retry-after-ms")];
    let millis = MILLIS.iter().find_map(|name| parse_millis(headers.get(name)?.as_bytes()));
    let values = headers.get_all(RETRY_AFTER).iter().map(HeaderValue::as_bytes);
    let bytes = |name| headers.get(name).map(HeaderValue::as_bytes);
    millis.or_else(|| longest(values, clock(bytes(DATE), bytes(AGE), own)))
}

/// The longest wait of several `Retry-After` lines. One that is not understood does not count.
pub fn longest<'v>(values: impl IntoIterator<Item = &'v [u8]>, now: SystemTime) -> Option<Duration> {
    values.into_iter().filter_map(|value| parse(value, now)).max()
}

/// The wait of a header that counts milliseconds, as `retry-after-ms` does.
#[must_use]
pub fn parse_millis(value: &[u8]) -> Option<Duration> {
    let (whole, fraction, unit) = number(bare(std::str::from_utf8(value).ok()?))?;
    unit.is_empty().then(|| scaled(whole, fraction, 1, 1000))
}

/// Without blanks and quotes around it.
fn bare(text: &str) -> &str {
    text.trim_matches([' ', '\t', '"', '\''])
}

/// One number or one date.
fn one(text: &str, now: SystemTime) -> Option<Duration> {
    seconds(text, now).or_else(|| iso_duration(text)).or_else(|| Some(until(date(text)?, now)))
}

/// Numbers and dates with commas between them, which dates have within them, too.
fn list(text: &str, now: SystemTime) -> Option<Duration> {
    let mut longest = None;
    let mut parts = text.split(',').peekable();
    while let Some(part) = parts.next() {
        let alone = one(bare(part), now);
        let wait = alone.or_else(|| one(bare(&[part, ",", parts.next()?].concat()), now))?;
        longest = longest.max(Some(wait));
    }
    longest
}

fn until(date: SystemTime, now: SystemTime) -> Duration {
    date.duration_since(now).unwrap_or(Duration::ZERO)
}

/// A number of seconds, or a duration in one of the forms that name their units or show them by their place.
fn seconds(text: &str, now: SystemTime) -> Option<Duration> {
    let (whole, fraction, unit) = number(text)?;
    if unit.is_empty() {
        return Some(since_epoch(whole, now).unwrap_or_else(|| scaled(whole, fraction, 1, 1)));
    }
    spans(text).or_else(|| clock_face(text))
}

/// `5s`, `1m30s`, `1 hour 30 minutes`: numbers that each name their unit.
fn spans(text: &str) -> Option<Duration> {
    let (mut all, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let (whole, fraction, behind) = number(rest)?;
        let (name, behind) = behind.split_at(behind.bytes().take_while(u8::is_ascii_alphabetic).count());
        let (times, divisor) = unit(name)?;
        all = all.saturating_add(scaled(whole, fraction, times, divisor));
        rest = bare(behind.strip_prefix('.').unwrap_or(behind));
    }
    Some(all)
}

/// What a unit is, in seconds: how many, or the part of one.
fn unit(name: &str) -> Option<(u32, u32)> {
    Some(match name.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => (1, 1),
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => (1, 1000),
        "m" | "min" | "mins" | "minute" | "minutes" => (60, 1),
        "h" | "hr" | "hrs" | "hour" | "hours" => (3600, 1),
        "d" | "day" | "days" => (86_400, 1),
        _ => return None,
    })
}

/// `PT1M30S`, `P1D`: a duration of ISO 8601, without months and years, whose length is not known.
fn iso_duration(text: &str) -> Option<Duration> {
    let parts = text.strip_prefix(['P', 'p'])?;
    let (days, time) = parts.split_once(['T', 't']).unwrap_or((parts, ""));
    let days_alone = days.is_empty() || days.ends_with(['D', 'd']);
    (days_alone && days.len() + time.len() > 0).then_some(())?;
    Some(spans(days)?.saturating_add(spans(time)?))
}

/// `00:01:30`, `1.00:00:00`: hours, minutes and seconds, and days before a dot.
fn clock_face(text: &str) -> Option<Duration> {
    let (days, time) = text.split_once('.').filter(|(_, time)| time.contains(':')).unwrap_or(("0", text));
    let mut parts = time.split(':');
    let (hours, minutes, (seconds, fraction, rest)) =
        (number_of(parts.next()?, 9)?, number_of(parts.next()?, 9)?, number(parts.next()?)?);
    (rest.is_empty() && parts.next().is_none()).then_some(())?;
    let whole = number_of(days, 9)? * 86_400 + hours * 3600 + minutes * 60;
    Some(scaled(whole.unsigned_abs().saturating_add(seconds), fraction, 1, 1))
}

/// The wait until a number of seconds or milliseconds since 1970, if it may be one.
fn since_epoch(whole: u64, now: SystemTime) -> Option<Duration> {
    [whole, whole / 1000].into_iter().find_map(|seconds| {
        let date = (seconds >= EPOCH_FROM).then(|| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))?;
        Some(until(date?, now)).filter(|wait| *wait <= FURTHEST)
    })
}

/// A number's whole part, its fraction in billionths, and the unit behind it.
fn number(text: &str) -> Option<(u64, u32, &str)> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (digits, rest) = digits(text);
    let whole = if digits.is_empty() { return None } else { digits.parse().unwrap_or(u64::MAX) };
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => self::digits(rest),
        None => ("", rest),
    };
    let billionths = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let billionths = billionths.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some((whole, billionths, bare(rest)))
}

/// The digits that `text` begins with, and the rest.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// `whole` and `fraction` times `times`, divided by `divisor`.
fn scaled(whole: u64, fraction: u32, times: u32, divisor: u32) -> Duration {
    Duration::new(whole, fraction).saturating_mul(times) / divisor
}

/// A date in any of the forms.
fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok().or_else(|| iso_date(text)).or_else(|| loose_date(text))
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// `2026-11-29T14:30:00Z`, with a blank for the T, with a fraction, with another zone or none.
fn iso_date(text: &str) -> Option<SystemTime> {
    let (day, rest) = text.split_at_checked("2026-11-29".len())?;
    let mut parts = day.split('-').map(|part| number_of(part, 4));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    let at = rest.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.')).count();
    let (time, zone) = rest.split_at(at);
    let month = MONTHS.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    // Go writes the zone twice.
    moment(year, month, day, time, bare(zone).split(' ').next().unwrap_or_default())
}

/// Day, month, year and time in any order, as cookies' dates are read (RFC 6265 §5.1.1). A weekday does not count.
fn loose_date(text: &str) -> Option<SystemTime> {
    let (mut day, mut month, mut year, mut time, mut zone) = (None, None, None, "", "");
    for word in text.split([' ', '\t', ',']).flat_map(words).filter(|word| !word.is_empty()) {
        let is = |names: &[&'static str]| names.iter().copied().find(|name| begins_with(word, name));
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            match word.len() {
                _ if word.contains(':') => time = word,
                1 | 2 if day.is_none() => day = Some(number_of(word, 2)?),
                2 | 4 if year.is_none() => year = Some(full_year(word)?),
                _ => return None,
            }
        } else if let Some(name) = is(&MONTHS) {
            month = Some(name);
        } else if is(&DAYS).is_none() {
            zone = Some(word).filter(|_| zone.is_empty() && !time.is_empty())?;
        }
    }
    moment(year?, month?, day?, time, zone)
}

/// `06-Nov-94` is three words, and `-0500` one.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_zone = text.starts_with(['+', '-']) || text.starts_with(|first: char| first.is_ascii_uppercase());
    text.split(move |separator| separator == '-' && !is_zone)
}

/// Whether a word is a name of three letters, or begins with one, as `November` does.
fn begins_with(word: &str, name: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.')
        && word.split_at_checked(name.len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case(name))
}

/// A year; one of two digits as RFC 6265 has it.
fn full_year(digits: &str) -> Option<i64> {
    let year = number_of(digits, 4)?;
    Some(match (digits.len(), year) {
        (2, 70..) => 1900 + year,
        (2, _) => 2000 + year,
        _ => year,
    })
}

/// The moment that a date's parts mean. httpdate counts the days; it wants the right weekday, so it is shown all of them.
fn moment(year: i64, month: &str, day: i64, time: &str, zone: &str) -> Option<SystemTime> {
    let mut parts = time.split('.').next()?.split(':').map(|part| number_of(part, 2));
    let (hours, minutes) = if time.is_empty() { (0, 0) } else { (parts.next()??, parts.next()??) };
    // A leap second has no number of its own.
    let seconds = parts.next().filter(|_| !time.is_empty()).unwrap_or(Some(0))?.min(59);
    let rest = format!("{day:02} {month} {year:04} {hours:02}:{minutes:02}:{seconds:02} GMT");
    let date = DAYS.iter().find_map(|name| httpdate::parse_http_date(&format!("{name}, {rest}")).ok())?;
    let offset = offset(zone)?;
    let apart = Duration::from_secs(offset.unsigned_abs());
    if offset < 0 { date.checked_add(apart) } else { date.checked_sub(apart) }
}

/// How many seconds a zone is ahead of GMT: a number, one of RFC 5322 §4.3, or none, which is GMT.
fn offset(zone: &str) -> Option<i64> {
    const HOUR: i64 = 3600;
    let name = zone.to_ascii_uppercase();
    let (name, number) = name.split_at(name.find(['+', '-']).unwrap_or(name.len()));
    let named = match name {
        "" | "GMT" | "UTC" | "UT" | "Z" => 0,
        "EDT" => -4 * HOUR,
        "EST" | "CDT" => -5 * HOUR,
        "CST" | "MDT" => -6 * HOUR,
        "MST" | "PDT" => -7 * HOUR,
        "PST" => -8 * HOUR,
        _ => return None,
    };
    if number.is_empty() {
        return Some(named);
    }
    let digits: String = number[1..].chars().filter(|digit| *digit != ':').collect();
    let minutes = match digits.len() {
        2 => number_of(&digits, 2)? * 60,
        // Four bytes may be fewer letters.
        4 => number_of(digits.get(..2)?, 2)? * 60 + number_of(digits.get(2..)?, 2)?,
        _ => return None,
    };
    Some(named + if number.starts_with('-') { -60 * minutes } else { 60 * minutes })
}

/// A number of at most so many digits.
fn number_of(text: &str, most: usize) -> Option<i64> {
    let is_number = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
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
    fn zones_of_letters_that_take_several_bytes_are_none() {
        for zone in ["+3ù9", "-ù9:3", "+é", "-ééé"] {
            assert_eq!(offset(zone), None, "{zone}");
        }
    }

    fn check(table: &[(&str, Option<u64>)]) {
        for (text, seconds) in table {
            let wait = parse(text.as_bytes(), now());
            assert_eq!(wait.map(|wait| wait.as_secs()), *seconds, "{text:?}");
        }
    }

    #[test]
    fn seconds_and_dates_are_read() {
        check(&[
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
        ]);
    }

    #[test]
    fn what_can_mean_nothing_else_is_read() {
        check(&[
            ("+5", Some(5)),
            ("\"5\"", Some(5)),
            ("'5'", Some(5)),
            (" \" 5 \" ", Some(5)),
            ("5.", Some(5)),
            ("5.0", Some(5)),
            ("5s", Some(5)),
            ("5 s", Some(5)),
            ("5 Seconds", Some(5)),
            ("12 seconds", Some(12)),
            ("2m", Some(120)),
            ("1 minute", Some(60)),
            ("1h", Some(3600)),
            ("1 day", Some(86_400)),
            ("3000ms", Some(3)),
            ("18446744073709551615 days", Some(u64::MAX)),
            ("5,", Some(5)),
            ("5;", Some(5)),
            ("5; reason=busy", Some(5)),
            ("5 (seconds)", Some(5)),
            ("in 5 seconds", Some(5)),
            ("In 5 s", Some(5)),
            ("in a moment", None),
            ("(5)", None),
            ("5 sec.", Some(5)),
            ("1m30s", Some(90)),
            ("1h0m0s", Some(3600)),
            ("1 hour 30 minutes", Some(5400)),
            ("1m30", None),
            ("5 parsecs", None),
            ("5s!", None),
            ("00:00:30", Some(30)),
            ("00:01:30", Some(90)),
            ("1.00:00:05", Some(86_405)),
            ("00:00:30.0000000", Some(30)),
            ("1:30", None),
            ("1:2:3:4", None),
            ("0:0:5s", None),
            ("PT30S", Some(30)),
            ("pt1m30s", Some(90)),
            ("P1D", Some(86_400)),
            ("P1DT1H", Some(90_000)),
            ("P1M", None),
            ("PT", None),
            ("P", None),
            ("P5", None),
        ]);
        assert_eq!(parse(b"5.5", now()), Some(Duration::from_millis(5500)));
        assert_eq!(parse(b"0.0000000019", now()), Some(Duration::from_nanos(1)));
        assert_eq!(parse(b"250ms", now()), Some(Duration::from_millis(250)));
    }

    #[test]
    fn a_date_is_reckoned_by_the_clock_of_the_server() {
        let minutes = |date: &str, age: &str| {
            let shown = clock(Some(date.as_bytes()), Some(age.as_bytes()).filter(|age| !age.is_empty()), now());
            (shown.duration_since(SystemTime::UNIX_EPOCH).expect("later").as_secs() as i64 - 784_111_777) / 60
        };
        for (date, age, ahead) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", "", 0),
            ("Sun, 06 Nov 1994 09:49:37 GMT", "", 60),
            ("Sun, 06 Nov 1994 08:39:37 GMT", "", -10),
            ("Sun, 06 Nov 1994 08:39:37 GMT", "600", 0),
            ("Sun, 06 Nov 1994 08:39:37 GMT", "-1", -10),
            ("Thu, 01 Jan 1970 00:00:00 GMT", "", 0),
            ("Wed, 06 Nov 2094 08:49:37 GMT", "", 0),
            ("now", "", 0),
        ] {
            assert_eq!(minutes(date, age), ahead, "{date}, {age}");
        }
        assert_eq!(clock(None, None, now()), now());
    }

    #[test]
    fn of_several_the_longest_is_meant() {
        check(&[
            ("5, 5", Some(5)),
            ("5,7, 6", Some(7)),
            ("5, 5s", Some(5)),
            ("5, Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 GMT, 5", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 GMT, Sun, 06 Nov 1994 08:49:57 GMT", Some(60)),
            ("5, soon", None),
            ("5, 7,", Some(7)),
            (",", None),
        ]);
        let of = |lines: &[&str]| longest(lines.iter().map(|line| line.as_bytes()), now()).map(|wait| wait.as_secs());
        assert_eq!(of(&["5", "5"]), Some(5));
        assert_eq!(of(&["5", "Sun, 06 Nov 1994 08:50:37 GMT", "7"]), Some(60));
        assert_eq!(of(&["soon", "5", "-9"]), Some(5));
        assert_eq!(of(&["soon"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn dates_are_read_as_they_are_written() {
        check(&[
            ("Mon, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 6 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 94 08:50:37 GMT", Some(60)),
            ("Sun, 06-Nov-1994 08:50:37 GMT", Some(60)),
            ("Sun, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Monday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sunday, 06 November 1994 08:50:37 GMT", Some(60)),
            ("sun, 06 nov 1994 08:50:37 gmt", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 UTC", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 UT", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 Z", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 +0000", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 -0000", Some(60)),
            ("Sun, 06 Nov 1994 10:50:37 +0200", Some(60)),
            ("Sun, 06 Nov 1994 03:20:37 -0530", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 GMT+0000", Some(60)),
            ("Sun, 06 Nov 1994 10:50:37 GMT+02:00", Some(60)),
            ("Sun, 06 Nov 1994 03:50:37 EST", Some(60)),
            ("Sun, 06 Nov 1994 00:50:37 PST", Some(60)),
            ("Sun Nov 06 1994 10:50:37 GMT+0200 (Central European Time)", Some(60)),
            ("1994-11-06 08:50:37 +0000 UTC", Some(60)),
            ("1994-11-06 10:50:37.5 +0200 CEST", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37", Some(60)),
            ("Sun, 06 Nov 1994 08:51 GMT", Some(83)),
            ("Mon, 07 Nov 1994", Some(54_623)),
            ("Mon Nov 6 08:50:37 1994", Some(60)),
            ("Sun Nov  6 08:50:37 UTC 1994", Some(60)),
            ("Nov 6, 1994 08:50:37 GMT", Some(60)),
            ("\"Sun, 06 Nov 1994 08:50:37 GMT\"", Some(60)),
            ("Sun,06 Nov 1994 08:50:37 GMT", Some(60)),
            ("1994-11-06T08:50:37Z", Some(60)),
            ("1994-11-06T08:50:37.999Z", Some(60)),
            ("1994-11-06T08:50:37+00:00", Some(60)),
            ("1994-11-06T09:50:37+01:00", Some(60)),
            ("1994-11-06T03:50:37-0500", Some(60)),
            ("1994-11-06T09:50:37+01", Some(60)),
            ("1994-11-06 08:50:37", Some(60)),
            ("1994-11-06 08:50:37 UTC", Some(60)),
            ("1994-11-06t08:50z", Some(23)),
            ("1994-11-07", Some(54_623)),
            ("1994-11-06T08:48:37Z", Some(0)),
            ("Tue, 06 Nov 1984 08:50:37 GMT", Some(0)),
        ]);
        let year_end = SystemTime::UNIX_EPOCH + Duration::from_secs(915_148_799);
        assert_eq!(parse(b"Thu, 31 Dec 1998 23:59:60 GMT", year_end), Some(Duration::ZERO));
    }

    #[test]
    fn a_number_of_more_than_31_years_is_a_date_of_these_days() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_430_000);
        for (text, seconds) in [
            ("1764430060", 60),
            ("1764430060.5", 60),
            ("1764430060000", 60),
            ("1764430000", 0),
            ("1764429000", 0),
            ("1000000000", 0),
            ("999999999", 999_999_999),
            ("2000000000", 2_000_000_000),
            ("2000000000000", 2_000_000_000_000),
            ("18446744073709551615", u64::MAX),
            ("1764430060 s", 1_764_430_060),
        ] {
            assert_eq!(parse(text.as_bytes(), now).map(|wait| wait.as_secs()), Some(seconds), "{text}");
        }
    }

    #[test]
    fn milliseconds_have_a_header_of_their_own() {
        for (text, millis) in
            [("250", Some(250)), (" +250.0 ", Some(250)), ("0", Some(0)), ("-1", None), ("", None), ("1s", None)]
        {
            assert_eq!(parse_millis(text.as_bytes()), millis.map(Duration::from_millis), "{text:?}");
        }
        assert_eq!(parse_millis(b"1.5"), Some(Duration::from_micros(1500)));
        assert!(parse_millis(b"99999999999999999999999").is_some());
    }

    #[test]
    fn what_is_not_understood_says_nothing() {
        for text in [
            "",
            " ",
            "\"\"",
            "-1",
            "-0",
            "--5",
            "++5",
            "+-5",
            ".5",
            "1e3",
            "0x10",
            "5x",
            "5 bananas",
            "5 5",
            "soon",
            "never",
            "null",
            "NaN",
            "inf",
            "\u{661}\u{662}",
            "Sun",
            "Nov",
            "Sun, 06",
            "Sun, 06 Nov",
            "Sun, 99 Nov 1994 08:50:37 GMT",
            "Sun, 31 Nov 1994 08:50:37 GMT",
            "Sun, 06 Xxx 1994 08:50:37 GMT",
            "Sun, 06 Nov 1994 25:50:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:50:37 XYZ",
            "Sun, 06 Nov 1994 08:50:37 +00000",
            "06/11/1994 08:50:37",
            "1994-13-06T08:50:37Z",
            "1994-11-06T08:50:37X",
            "1994-11-06T08",
            "1994-11",
            "Thu, 99 Xxx 99999 99:99:99 GMT",
            "Sun, 06 Nov 19945 08:50:37 GMT",
        ] {
            assert_eq!(parse(text.as_bytes(), now()), None, "{text:?}");
        }
        assert_eq!(parse(b"\xff", now()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&value, now());
            let _ = parse_millis(&value);
        }

        #[test]
        fn texts_that_look_like_dates_are_read_without_panic(
            text in "[-+0-9:., TZa-zé\"]{0,40}|(Sun|Mon)?,? ?[0-9]{1,2}[- ](Nov|Feb)[- ][0-9]{2,5} [0-9:.]{0,9} ?[A-Z+-]{0,4}[0-9:]{0,6}",
        ) {
            let wait = parse(text.as_bytes(), now());
            let later = parse(text.as_bytes(), now() + Duration::from_secs(3600));
            prop_assert_eq!(later.is_some(), wait.is_some());
            prop_assert!(later <= wait);
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
