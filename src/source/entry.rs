//! What one line of input means: nothing, a job, or a rejected entry.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{Method, header};
use percent_encoding::percent_decode_str;

use super::json::{self, Refusal};
use super::request::basic_authorization;
use crate::model::{
    Credentials, Failure, FailureKind, Job, Phase, Rejected, RequestOverrides, Time, WebUrl, without_credentials,
    without_headers,
};

/// How much of a line that can't be read goes into its record, in bytes.
const EXCERPT: usize = 200;

/// How much of it is searched for credentials first.
const SEARCHED: usize = 4096;

/// How input is read.
#[derive(Clone, Debug)]
pub struct InputSettings {
    /// The longest line, in bytes. Default 1 MiB. A longer one is rejected. It bounds the memory that reading takes.
    pub max_line: usize,
    /// The largest window of an input that zstd has compressed, as the logarithm of its bytes. Default 27: 128 MiB, as the `zstd`
    /// command takes it. An input with a larger one is not read.
    pub max_window_log: u32,
    /// The method of a JSON line that has a body and names no method. Default POST. `None`: the run's own method.
    pub body_method: Option<Method>,
}

impl Default for InputSettings {
    fn default() -> Self {
        Self { max_line: 1 << 20, max_window_log: 27, body_method: Some(Method::POST) }
    }
}

/// Where a text stands in the input.
#[derive(Clone, Copy, Debug)]
pub(super) enum InputPosition<'a> {
    /// In a file: its name and the line's number, from 1.
    Line(&'a str, u64),
    /// On the command line or in an iterator: its number, from 1.
    Item(u64),
}

impl InputPosition<'_> {
    const fn number(self) -> u64 {
        match self {
            Self::Line(_, number) | Self::Item(number) => number,
        }
    }
}

impl fmt::Display for InputPosition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(name, number) => write!(f, "{name}:{number}"),
            Self::Item(number) => write!(f, "URL {number}"),
        }
    }
}

/// What an entry gets from its surroundings.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub(super) seq: u64,
    pub(super) place: InputPosition<'a>,
    pub(super) now: Time,
}

/// Reads one line. `None`: it is blank or a comment.
pub(super) fn line(bytes: &[u8], at: At<'_>, settings: &InputSettings) -> Option<Result<Job, Rejected>> {
    let bytes = bytes.trim_ascii();
    if matches!(bytes.first(), None | Some(b'#')) {
        return None;
    }
    Some(match std::str::from_utf8(bytes) {
        Ok(text) if bytes[0] == b'{' => object(text, at, settings),
        Ok(text) => url(text, at),
        Err(error) => Err(invalid_utf8(bytes, error.valid_up_to(), at)),
    })
}

/// Reads one URL.
pub(super) fn url(text: &str, at: At<'_>) -> Result<Job, Rejected> {
    job(text, None, at)
}

/// Reads one JSON object.
fn object(text: &str, at: At<'_>, settings: &InputSettings) -> Result<Job, Rejected> {
    let (id, request) = json::parse(text, settings.body_method.as_ref());
    let id = id.map(Into::into);
    match request.map_err(|refusal| refused(refusal, text, at)).and_then(|found| job(&found.url, found.overrides, at)) {
        Ok(mut job) if id.is_some() => {
            job.extra_mut().id = id;
            Ok(job)
        }
        Ok(job) => Ok(job),
        Err(rejected) => Err(Rejected { id, ..rejected }),
    }
}

fn refused(refusal: Refusal<'_>, text: &str, at: At<'_>) -> Rejected {
    let given = refusal.url.unwrap_or_else(|| excerpt(text.as_bytes()).into());
    at.reject(&given, refusal.kind, &refusal.message)
}

/// A job from its URL and what else was said about it.
fn job(text: &str, overrides: Option<RequestOverrides>, at: At<'_>) -> Result<Job, Rejected> {
    let (url, credentials) = WebUrl::parse(text).map_err(|error| at.reject(text, error.kind, &error.message))?;
    let mut job = Job::new(at.seq, url, at.now);
    if text != job.url.as_str() && credentials.is_none() {
        job.extra_mut().given = Some(text.into());
    }
    let overrides = match credentials {
        Some(credentials) => Some(authorized(overrides.unwrap_or_default(), &credentials)),
        None => overrides,
    };
    if let Some(overrides) = overrides {
        job.extra_mut().overrides = Some(Arc::new(overrides));
    }
    Ok(job)
}

/// Adds a URL's credentials, unless the job has an `authorization` header of its own.
pub(crate) fn authorized(mut overrides: RequestOverrides, credentials: &Credentials) -> RequestOverrides {
    let decode = |text: &str| Cow::<[u8]>::from(percent_decode_str(text)).into_owned();
    overrides
        .headers
        .entry(header::AUTHORIZATION)
        .or_insert_with(|| basic_authorization(&decode(&credentials.user), &decode(&credentials.password)));
    overrides
}

/// A line over the cap, by its beginning.
pub(super) fn too_long(start: &[u8], at: At<'_>, settings: &InputSettings) -> Rejected {
    let message = format!("the line is longer than {} bytes; shorten it or raise the cap", settings.max_line);
    at.reject(&excerpt(start), FailureKind::LineTooLong, &message)
}

fn invalid_utf8(bytes: &[u8], valid: usize, at: At<'_>) -> Rejected {
    let message = format!("not UTF-8 at column {}; convert the input, for example with iconv", valid + 1);
    at.reject(&excerpt(bytes), FailureKind::InvalidUtf8, &message)
}

/// The beginning of a line, as text, without credentials: they are taken out before it is cut, while the `@` that ends them
/// can still be seen. Where it can't, all that may be one goes.
fn excerpt(bytes: &[u8]) -> String {
    let mut start = String::from_utf8_lossy(&bytes[..bytes.len().min(SEARCHED)]);
    let authority = start.rfind("://").map(|at| at + 3);
    if let Some(from) = authority.filter(|&from| bytes.len() > SEARCHED && !start[from..].contains(['/', '@'])) {
        start = format!("{}…", &start[..from]).into();
    }
    let told = without_credentials(&start);
    if bytes.len() <= EXCERPT || told.len() <= EXCERPT {
        return told.into_owned();
    }
    let end = (0..=EXCERPT).rev().find(|&end| told.is_char_boundary(end)).expect("0 is one");
    format!("{}…", &told[..end])
}

impl At<'_> {
    fn reject(self, given: &str, kind: FailureKind, message: &str) -> Rejected {
        // What is meant as JSON and is not has no fields that could be told apart.
        let given = if given.contains('{') { without_headers(given) } else { given.into() };
        Rejected {
            seq: self.seq,
            line: self.place.number(),
            given: without_credentials(&given).into(),
            id: None,
            failure: Failure::new(Phase::Input, kind, format!("{}: {message}", self.place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At<'static> = At { seq: 5, place: InputPosition::Line("list", 7), now: Time::ZERO };

    fn read(bytes: &[u8]) -> Result<Job, Rejected> {
        line(bytes, AT, &InputSettings::default()).expect("not blank")
    }

    fn rejected(bytes: &[u8]) -> (FailureKind, String, String) {
        let rejected = read(bytes).expect_err("bad");
        assert_eq!((rejected.seq, rejected.line, rejected.failure.phase), (5, 7, Phase::Input));
        (rejected.failure.kind, rejected.given.into(), rejected.failure.message.into())
    }

    #[test]
    fn blank_lines_and_comments_are_nothing() {
        for text in [&b""[..], b"  \t\r", b"# http://a.example/", b"   #"] {
            assert!(line(text, AT, &InputSettings::default()).is_none());
        }
    }

    #[test]
    fn a_normal_url_is_all_that_its_job_holds() {
        let job = read(b" http://a.example/x\r").expect("good");
        assert_eq!((job.seq, job.url.as_str(), job.extra.is_none()), (5, "http://a.example/x", true));
        assert_eq!(read(b"http://a.example#top").expect("good").given(), "http://a.example#top");
    }

    #[test]
    fn credentials_become_a_header_and_are_not_given() {
        let job = read(b"http://m%65:p%40ss@a.example/x").expect("good");
        assert_eq!((job.url.as_str(), job.given()), ("http://a.example/x", "http://a.example/x"));
        let authorization = &job.overrides().expect("credentials").headers["authorization"];
        assert_eq!(authorization, basic_authorization(b"me", b"p@ss"));
        let object = br#"{"url":"http://me:x@a.example/","headers":{"authorization":"Own"}}"#;
        assert_eq!(read(object).expect("good").overrides().expect("header").headers["authorization"], "Own");
    }

    #[test]
    fn an_object_brings_its_id_along_good_or_bad() {
        let job = read(br#"{"id": {"n": 1}, "url": "http://a.example"}"#).expect("good");
        assert_eq!(job.extra.expect("id").id.as_deref(), Some(r#"{"n": 1}"#));
        let bad = read(br#"{"id": 7, "url": "ftp://a.example"}"#).expect_err("scheme");
        assert_eq!((bad.id.as_deref(), &*bad.given), (Some("7"), "ftp://a.example"));
        let bad = read(br#"{"id": 7, "url": "http://me:x@a.example/", "x": 1}"#).expect_err("field");
        assert_eq!((bad.id.as_deref(), &*bad.given), (Some("7"), "http://a.example/"));
    }

    #[test]
    fn a_bad_line_says_where_and_what() {
        let (kind, given, message) = rejected(b"a.example/x");
        assert_eq!((kind, &*given), (FailureKind::BadUrl, "a.example/x"));
        assert_eq!(message, "list:7: not an absolute URL; write it with its scheme, as https://host/path");
        let (kind, given, message) = rejected(b"http://a\xff.example/");
        assert_eq!((kind, &*given), (FailureKind::InvalidUtf8, "http://a\u{fffd}.example/"));
        assert!(message.starts_with("list:7: not UTF-8 at column 9"), "{message}");
        let (kind, given, message) = rejected(br#"{"url": "http://me:x@a.example/" oops"#);
        assert_eq!((kind, &*given), (FailureKind::BadJson, "http://a.example/"));
        assert!(message.contains("column"), "{message}");
        assert_eq!(rejected(b"http://me:secret@a.example:99999/").1, "http://a.example:99999/");
        assert_eq!(rejected(br#"{"url": "http://a.example/", "headers": {"cookie": "secret"}"#).1, "http://a.example/");
        assert_eq!(rejected(br#"{"headers": {"cookie": "secret"}}"#).1, "{\"…");
        assert_eq!(rejected(br#"[{"headers": {"cookie": "secret"}}]"#).1, "[{\"…");
    }

    #[test]
    fn a_long_bad_line_is_shown_by_its_beginning() {
        let start = "é".repeat(5000);
        let rejected = too_long(start.as_bytes(), AT, &InputSettings::default());
        assert_eq!(rejected.failure.kind, FailureKind::LineTooLong);
        assert_eq!(&*rejected.given, format!("{}…", "é".repeat(EXCERPT / 2)));
        assert!(rejected.failure.message.contains("1048576 bytes"));
        let long = format!("http://me:{}@a.example:x/", "s".repeat(EXCERPT));
        let cut = too_long(long.as_bytes(), AT, &InputSettings::default());
        assert_eq!(&*cut.given, "http://a.example:x/", "taken out before it is cut");
        let endless = format!("http://me:{}@a.example/", "s".repeat(SEARCHED));
        assert_eq!(&*too_long(endless.as_bytes(), AT, &InputSettings::default()).given, "http://…");
        assert!(rejected_text_is_short(&format!("{{\"x\": \"{start}\"")));
    }

    fn rejected_text_is_short(text: &str) -> bool {
        rejected(text.as_bytes()).1.len() < EXCERPT + 10
    }
}
