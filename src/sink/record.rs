//! The record: every field, in one place, in the order in which it is written. docs/reference/RECORDS.md describes them.
//!
//! All fields are always there, `null` where they don't apply, except those that a setting asks for (`headers`,
//! `body`, `body_charset`, `body_lossy`, `body_sha256`, `saved`) and the four that mark a rarity (`body_complete_by_close`,
//! `body_dropped`, `gave_up`, `error.line`).

use std::borrow::Cow;
use std::time::Duration;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use http::Version;
use http::header::{self, HeaderName};
use serde::Serialize;
use serde::ser::Serializer;
use serde_json::value::RawValue;

use super::json::{Drain, Object, address, key};
use super::text::header_text;
use crate::config::Setting;
use crate::model::{CompleteResponse, Failure, GiveUpReason, HeaderList, Hop, Outcome, Record, Rejected, Timings};
use crate::text::{self, Text};

/// Which optional fields records have.
#[derive(Clone, Debug, Default)]
pub struct RecordFields {
    /// `headers`: the response headers. Needs them kept.
    pub headers: bool,
    /// `body`: the decoded body. Needs it kept; [`BodyForm::Text`] also needs the headers kept, for the charset.
    pub body: Option<BodyForm>,
    /// `body_sha256`. Needs the digest computed.
    pub digest: bool,
    /// `saved`: where the body was written to. Needs hooks that write bodies.
    pub saved: bool,
    /// What settings are called in `error.message`, where the program that writes the records has names of its own for them.
    /// Default: as [`Setting::name`], between backticks.
    pub setting_names: Option<fn(Setting) -> &'static str>,
}

/// How a body stands in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// As text, by the rule of [`Response::text`](crate::Response::text).
    Text,
    /// As base64 (RFC 4648, with padding).
    Base64,
}

/// Appends `record` to `line` as one line of JSON, with its line break.
pub fn append_line(record: &Record, fields: &RecordFields, line: &mut Vec<u8>) {
    append(record, fields, Object::open(line));
    line.push(b'\n');
}

/// The same in pieces: where the line is long, `drain` takes what there is of it from time to time.
pub(super) fn append_line_in_pieces<'o>(
    record: &Record,
    fields: &RecordFields,
    line: &'o mut Vec<u8>,
    drain: &'o mut Drain<'o>,
) {
    append(record, fields, Object::draining(line, drain));
}

fn append(record: &Record, fields: &RecordFields, mut row: Object<'_>) {
    match record {
        Record::Fetched(outcome) => fetched(outcome, fields, &mut row),
        Record::Rejected(rejected) => self::rejected(rejected, fields, &mut row),
    }
    row.close();
}

fn fetched(outcome: &Outcome, fields: &RecordFields, row: &mut Object<'_>) {
    let (job, last) = (&outcome.job, &outcome.last);
    let response = last.result.as_ref().ok();
    let extra = job.extra.as_deref();
    row.number(key!("seq"), job.seq);
    id(extra.and_then(|extra| extra.id.as_deref()), row);
    row.text(key!("url"), job.given());
    row.text(key!("final_url"), job.url.as_str());
    row.number_or_null(key!("status"), response.map(|response| response.status));
    row.text_or_null(key!("version"), response.map(|response| version_name(response.version)));
    content(response.map(|response| (response, job.url.host())), last.wire_bytes, fields, row);
    if job.is_body_dropped() {
        row.bool(key!("body_dropped"), true);
    }
    if let Some(reason) = job.gave_up().filter(|reason| *reason != GiveUpReason::Final) {
        row.text(key!("gave_up"), reason.name());
    }
    match job.hops() {
        [] => row.key(key!("redirects")).extend_from_slice(b"[]"),
        hops => row.any(key!("redirects"), &Redirects(hops)),
    }
    row.number(key!("attempts"), outcome.attempts);
    match last.remote {
        Some(remote) => address(row.key(key!("remote_addr")), remote),
        None => row.null(key!("remote_addr")),
    }
    row.bool(key!("reused"), last.reused);
    timings(Some(&last.timings), row);
    match &last.result {
        Ok(_) => row.null(key!("error")),
        Err(failure) => row.any(key!("error"), &Error::of(failure, None, fields)),
    }
}

fn rejected(rejected: &Rejected, fields: &RecordFields, row: &mut Object<'_>) {
    row.number(key!("seq"), rejected.seq);
    id(rejected.id.as_deref(), row);
    row.text(key!("url"), &rejected.given);
    for key in [key!("final_url"), key!("status"), key!("version")] {
        row.null(key);
    }
    content(None, 0, fields, row);
    row.any(key!("redirects"), &Redirects(&[]));
    row.number(key!("attempts"), 0_u64);
    row.null(key!("remote_addr"));
    row.bool(key!("reused"), false);
    timings(None, row);
    row.any(key!("error"), &Error::of(&rejected.failure, Some(rejected.line), fields));
}

/// Headers, body and what is known of the body; what a setting does not ask for is left out.
///
/// `from`: the response and the host that it came from.
fn content(from: Option<(&CompleteResponse, &str)>, wire_bytes: u64, fields: &RecordFields, row: &mut Object<'_>) {
    let response = from.map(|(response, _)| response);
    if fields.headers {
        row.any(key!("headers"), &response.and_then(|response| response.headers.as_ref()).map(Headers));
    }
    if let Some(form) = fields.body {
        let body = from.and_then(|(response, host)| Body::of(response, host, form));
        row.any(key!("body"), &body);
        if form == BodyForm::Text {
            let text = body.as_ref().and_then(Body::text);
            row.text_or_null(key!("body_charset"), text.map(|text| text.charset));
            row.any(key!("body_lossy"), &text.map(|text| text.lossy));
        }
    }
    row.number_or_null(key!("body_bytes"), response.map(|response| response.body_bytes));
    row.number(key!("wire_bytes"), wire_bytes);
    if fields.digest {
        row.any(key!("body_sha256"), &response.and_then(|response| response.sha256.as_ref()).map(Hex));
    }
    if fields.saved {
        row.text_or_null(key!("saved"), response.and_then(|response| response.saved.as_deref()));
    }
    if response.is_some_and(|response| response.close_delimited) {
        row.bool(key!("body_complete_by_close"), true);
    }
}

fn id(id: Option<&str>, row: &mut Object<'_>) {
    match id {
        Some(id) => row.any(key!("id"), &Id(id)),
        None => row.null(key!("id")),
    }
}

/// Whole microseconds per phase; `null` where the phase did not happen.
fn timings(timings: Option<&Timings>, row: &mut Object<'_>) {
    let mut phases = Object::open(row.key(key!("timings_us")));
    phases.number_or_null(key!("queued"), timings.map(|timings| micros(timings.queued)));
    if let Some(time) = timings.and_then(|timings| timings.backed_off) {
        phases.number(key!("backed_off"), micros(time));
    }
    phases.number_or_null(key!("dns"), timings.and_then(|timings| timings.dns).map(micros));
    phases.number_or_null(key!("connect"), timings.and_then(|timings| timings.connect).map(micros));
    phases.number_or_null(key!("tls"), timings.and_then(|timings| timings.tls).map(micros));
    phases.number_or_null(key!("first_byte"), timings.and_then(|timings| timings.first_byte).map(micros));
    phases.number_or_null(key!("body"), timings.and_then(|timings| timings.body).map(micros));
    phases.number_or_null(key!("total"), timings.map(|timings| micros(timings.total)));
    phases.close();
}

/// The protocol's name as records have it.
const fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

/// The user's tag: JSON text, copied unchanged. Line breaks in it (white space, by JSON's rules) would break the
/// line, so they become spaces; what is no JSON at all becomes a string.
struct Id<'a>(&'a str);

impl Serialize for Id<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match self.0.contains(['\n', '\r']) {
            true => Cow::Owned(self.0.replace(['\n', '\r'], " ")),
            false => Cow::Borrowed(self.0),
        };
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => serializer.serialize_str(self.0),
        }
    }
}

/// Headers as a list of [name, value].
struct Headers<'a>(&'a HeaderList);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(name, value)| (name.as_str(), header_text(value))))
    }
}

/// A body in the form asked for.
enum Body<'a> {
    Text(Text<'a>),
    Base64(&'a [u8]),
}

impl<'a> Body<'a> {
    fn of(response: &'a CompleteResponse, host: &str, form: BodyForm) -> Option<Self> {
        let body = response.body.as_deref()?;
        Some(match form {
            BodyForm::Base64 => Self::Base64(body),
            BodyForm::Text => {
                let of = |wanted: HeaderName| {
                    let headers = response.headers.iter().flat_map(HeaderList::iter);
                    headers.filter(move |(name, _)| *name == wanted).map(|(_, value)| value.as_bytes())
                };
                let options = of(header::X_CONTENT_TYPE_OPTIONS).next();
                Self::Text(text::read(body, of(header::CONTENT_TYPE), options, host))
            }
        })
    }

    const fn text(&self) -> Option<&Text<'a>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Base64(_) => None,
        }
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(Text { text, .. }) => serializer.serialize_str(text),
            Self::Base64(bytes) => serializer.collect_str(&Base64Display::new(bytes, &STANDARD)),
        }
    }
}

/// Bytes in lower-case hexadecimal.
struct Hex<'a>(&'a [u8; 32]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        serializer.serialize_str(std::str::from_utf8(&text).expect("digits are ASCII"))
    }
}

/// The redirects followed, in order.
struct Redirects<'a>(&'a [Hop]);

impl Serialize for Redirects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|hop| Redirect { url: hop.url.as_str(), status: hop.status }))
    }
}

#[derive(Serialize)]
struct Redirect<'a> {
    url: &'a str,
    status: u16,
}

/// Whole microseconds, saturating after 584,000 years.
const fn micros(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(duration.subsec_micros() as u64)
}

/// What went wrong.
#[derive(Serialize)]
struct Error<'a> {
    phase: &'static str,
    kind: &'static str,
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
}

impl<'a> Error<'a> {
    fn of(failure: &'a Failure, line: Option<u64>, fields: &RecordFields) -> Self {
        let message = match fields.setting_names {
            Some(name) => Setting::rename(&failure.message, name),
            None => Cow::Borrowed(&*failure.message),
        };
        Self { phase: failure.phase.name(), kind: failure.kind.name(), message, line }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{Attempt, FailureKind, Job, Phase, Time, WebUrl};

    fn rejected(id: Option<&str>) -> Record {
        Record::Rejected(Rejected {
            seq: 0,
            line: 1,
            given: "a\nb".into(),
            id: id.map(Into::into),
            failure: Failure::new(Phase::Input, FailureKind::BadUrl, "list:1: not an absolute URL"),
        })
    }

    fn line(record: &Record, fields: &RecordFields) -> String {
        let mut line = Vec::new();
        append_line(record, fields, &mut line);
        let text = String::from_utf8(line).expect("JSON is UTF-8");
        assert_eq!(text.find('\n'), Some(text.len() - 1), "a record is one line: {text}");
        text
    }

    fn response(response: CompleteResponse) -> Record {
        let (url, _) = WebUrl::parse("http://a.example/").expect("valid");
        let job = Job::new(3, url, Time::ZERO);
        let last = Attempt { result: Ok(response), ..Attempt::unsent(Failure::new(Phase::Queue, FailureKind::Io, "")) };
        Record::Fetched(Outcome { job, attempts: 1, last })
    }

    #[test]
    fn the_id_is_copied_and_never_breaks_the_line() {
        let id = |text| {
            let line = line(&rejected(Some(text)), &RecordFields::default());
            line.split("\"id\":").nth(1).and_then(|rest| rest.split(",\"url\"").next()).expect("id").to_owned()
        };
        assert_eq!(id("{\"a\": 2.50}"), "{\"a\": 2.50}");
        assert_eq!(id("[1,\n2]"), "[1, 2]");
        assert_eq!(id("not JSON"), "\"not JSON\"");
    }

    #[test]
    fn optional_fields_are_there_when_asked_for_even_if_null() {
        let plain = line(&rejected(None), &RecordFields::default());
        assert!(!plain.contains("\"headers\"") && !plain.contains("\"body\":null,\"body_bytes\""), "{plain}");
        let all =
            RecordFields { headers: true, body: Some(BodyForm::Text), digest: true, saved: true, setting_names: None };
        let full = line(&rejected(None), &all);
        assert!(
            full.contains(r#""headers":null,"body":null,"body_charset":null,"body_lossy":null,"body_bytes":null"#),
            "{full}"
        );
        assert!(full.contains(r#""body_sha256":null"#), "{full}");
        assert!(full.contains(r#""line":1"#), "{full}");
    }

    #[test]
    fn bodies_and_digests_are_written_as_asked() {
        let record = response(CompleteResponse {
            status: 200,
            version: Version::HTTP_2,
            headers: None,
            body: Some(Bytes::from_static(b"\xff\x00")),
            body_bytes: 2,
            sha256: Some([0xab; 32]),
            saved: None,
            close_delimited: true,
        });
        let text = line(
            &record,
            &RecordFields { body: Some(BodyForm::Text), digest: true, headers: true, ..RecordFields::default() },
        );
        assert!(text.contains("\"body\":\"\u{fffd}\\u0000\",\"body_charset\":\"UTF-8\",\"body_lossy\":true"), "{text}");
        assert!(text.contains(&"ab".repeat(32)) && text.contains("\"body_complete_by_close\":true"), "{text}");
        assert!(text.contains("\"version\":\"HTTP/2\""), "{text}");
        let base64 = line(&record, &RecordFields { body: Some(BodyForm::Base64), ..RecordFields::default() });
        assert!(base64.contains("\"body\":\"/wA=\",\"body_bytes\":2"), "{base64}");
    }
}
