//! What a URL asks the origin for. Pure: text in, a value out, or a sentence that says how to write it.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use url::form_urlencoded;

use super::bucket::RateLimit;
use super::guide::PATHS;
use super::params::{self, BadUrl};

/// What a path asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    /// The page that lists all paths.
    Guide,
    /// This status.
    Status(StatusCode),
    /// A short answer after this time.
    Delay(Duration),
    /// So many pseudo-random bytes.
    Bytes(u64),
    /// So many bytes of text.
    Text(u64),
    /// The same as `Bytes`, without an announced length.
    Chunked(u64),
    /// So many bytes of text, under a content coding.
    Encoded(ContentCoding, u64),
    /// A list of so many items.
    Json(u64),
    /// A web page of this number.
    Html(u64),
    /// So many redirects in a row.
    Redirect(u64),
    /// A redirect to there.
    RedirectTo(HeaderValue),
    /// 429 beyond this limit.
    Limited(RateLimit),
    /// 503 so many times, then 200.
    Flaky(u64),
    /// Bytes that come slowly.
    Drip { bytes: u64, over: Duration },
    /// A connection that ends in a reset.
    Reset(Reset),
    /// A body that ends before it is complete.
    Truncate(Framing),
    /// The request, as JSON.
    Echo,
    /// The request's headers, as JSON.
    Headers,
}

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ContentCoding {
    Gzip,
    Brotli,
    Zstd,
    Deflate,
}

/// Where a reset comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    /// Before the head.
    Head,
    /// After half of the body.
    Body,
    /// Before the head, and over HTTP/2 the connection with all its streams.
    Connection,
}

/// How a body says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    Chunked,
}

/// What a query adds to any path.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Extras {
    /// Waits so long before answering.
    pub(super) delay: Duration,
    /// Answers with this status instead.
    pub(super) status: Option<StatusCode>,
    /// Adds these headers.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// Most items of a list, and the highest number of a web page.
const MOST_ITEMS: u64 = 10_000;
/// The highest number of a web page.
pub(super) const LAST_PAGE: u64 = 1_000_000;
/// Most headers that a query may add.
const MOST_HEADERS: usize = 100;

/// The path's place in [`PATHS`], by its first segment; `None` when there is no such path.
pub(super) fn class(path: &str) -> Option<usize> {
    let name = segments(path)?.0;
    PATHS.iter().position(|entry| entry.name == name)
}

/// What `path` and `query` ask for. `path` has a place in [`PATHS`].
pub(super) fn ask(path: &str, query: &str) -> Result<(Ask, Extras), BadUrl> {
    let (name, rest) = segments(path).unwrap_or_default();
    let ask = what(name, rest, query).map_err(|BadUrl(why)| BadUrl(format!("{why}{}", hint(name))))?;
    Ok((ask, extras(query)?))
}

/// The first segment, and what is behind it.
fn segments(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    Some(path.split_once('/').unwrap_or((path, "")))
}

/// How to write what begins with `name`.
fn hint(name: &str) -> String {
    let entry = PATHS.iter().find(|entry| entry.name == name);
    entry.map(|entry| format!("; write it like {}", entry.example)).unwrap_or_default()
}

fn what(name: &str, rest: &str, query: &str) -> Result<Ask, BadUrl> {
    let bytes = || params::number(rest, 0..=params::MOST_BYTES);
    let encoded = |coding| Ok(Ask::Encoded(coding, params::number(rest, 0..=params::MOST_MADE)?));
    match name {
        "bytes" => Ok(Ask::Bytes(bytes()?)),
        "text" => Ok(Ask::Text(bytes()?)),
        "chunked" => Ok(Ask::Chunked(bytes()?)),
        "json" => Ok(Ask::Json(params::number(rest, 0..=MOST_ITEMS)?)),
        "html" => Ok(Ask::Html(params::number(rest, 0..=LAST_PAGE)?)),
        "gzip" => encoded(ContentCoding::Gzip),
        "br" => encoded(ContentCoding::Brotli),
        "zstd" => encoded(ContentCoding::Zstd),
        "deflate" => encoded(ContentCoding::Deflate),
        "status" => Ok(Ask::Status(params::status(rest)?)),
        "delay" => Ok(Ask::Delay(params::time(rest)?)),
        "redirect" => Ok(Ask::Redirect(params::number(rest, 0..=100)?)),
        "flaky" => Ok(Ask::Flaky(params::number(rest, 0..=1000)?)),
        "reset" => reset(rest),
        "truncate" => truncate(rest),
        _ => no_more(rest).and_then(|()| by_query(name, query)),
    }
}

/// The paths that have no second segment.
fn by_query(name: &str, query: &str) -> Result<Ask, BadUrl> {
    match name {
        "" => Ok(Ask::Guide),
        "echo" => Ok(Ask::Echo),
        "headers" => Ok(Ask::Headers),
        "redirect-to" => redirect_to(query),
        "limited" => limited(query),
        "drip" => drip(query),
        _ => Err(BadUrl(format!("there is no path '/{name}'"))),
    }
}

fn no_more(rest: &str) -> Result<(), BadUrl> {
    if rest.is_empty() { Ok(()) } else { Err(BadUrl(format!("'{rest}' is one segment too many"))) }
}

fn reset(rest: &str) -> Result<Ask, BadUrl> {
    match rest {
        "head" => Ok(Ask::Reset(Reset::Head)),
        "body" => Ok(Ask::Reset(Reset::Body)),
        "connection" => Ok(Ask::Reset(Reset::Connection)),
        _ => Err(BadUrl(format!("'{rest}' is none of head, body and connection"))),
    }
}

fn truncate(rest: &str) -> Result<Ask, BadUrl> {
    match rest {
        "length" => Ok(Ask::Truncate(Framing::Length)),
        "chunked" => Ok(Ask::Truncate(Framing::Chunked)),
        _ => Err(BadUrl(format!("'{rest}' is neither length nor chunked"))),
    }
}

fn redirect_to(query: &str) -> Result<Ask, BadUrl> {
    let target = value(query, "url").ok_or_else(|| BadUrl("the query has no url".to_owned()))?;
    HeaderValue::from_str(&target)
        .map(Ask::RedirectTo)
        .map_err(|_| BadUrl("the url has characters that no header can carry".to_owned()))
}

fn limited(query: &str) -> Result<Ask, BadUrl> {
    let rate = value(query, "rate").map_or(Ok(1.0), |text| params::rate(&text))?;
    let burst = value(query, "burst").map_or(Ok(1), |text| params::number(&text, 1..=1_000_000))?;
    Ok(Ask::Limited(RateLimit::new(rate, u32::try_from(burst).unwrap_or(u32::MAX))))
}

fn drip(query: &str) -> Result<Ask, BadUrl> {
    let bytes = value(query, "bytes").map_or(Ok(100), |text| params::number(&text, 1..=params::MOST_BYTES))?;
    let over = value(query, "over").map_or(Ok(Duration::from_secs(1)), |text| params::time(&text))?;
    Ok(Ask::Drip { bytes, over })
}

/// The first value of `key`.
fn value(query: &str, key: &str) -> Option<String> {
    pairs(query).find(|(name, _)| name == key).map(|(_, value)| value)
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// What the query adds. Keys that mean nothing are ignored: they make URLs different from each other.
fn extras(query: &str) -> Result<Extras, BadUrl> {
    let mut extras = Extras::default();
    if query.is_empty() {
        return Ok(extras);
    }
    for (key, value) in pairs(query) {
        match &*key {
            "delay" => extras.delay = params::time(&value).map_err(|error| within("delay", error))?,
            "status" => extras.status = Some(params::status(&value).map_err(|error| within("status", error))?),
            "header" if extras.headers.len() < MOST_HEADERS => extras.headers.push(header(&value)?),
            "header" => return Err(BadUrl(format!("more than {MOST_HEADERS} headers"))),
            _ => {}
        }
    }
    Ok(extras)
}

/// Says which key of the query is meant.
fn within(key: &str, BadUrl(why): BadUrl) -> BadUrl {
    BadUrl(format!("{key}: {why}"))
}

/// `Name:value`. Headers that frame the message or belong to the connection are the origin's own.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), BadUrl> {
    const OWN: [&str; 6] = ["connection", "content-length", "keep-alive", "te", "transfer-encoding", "upgrade"];
    let parse = || {
        let (name, value) = text.split_once(':')?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok().filter(|name| !OWN.contains(&name.as_str()))?;
        Some((name, HeaderValue::from_str(value.trim()).ok()?))
    };
    parse().ok_or_else(|| BadUrl(format!("'{text}' is not a header that a query can add, like header=x-name:value")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(target: &str) -> Result<Ask, BadUrl> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        ask(path, query).map(|(ask, _)| ask)
    }

    #[test]
    fn paths_say_what_they_ask_for() {
        for (target, expected) in [
            ("/", Ask::Guide),
            ("/?n=1", Ask::Guide),
            ("/status/404", Ask::Status(StatusCode::NOT_FOUND)),
            ("/delay/250ms", Ask::Delay(Duration::from_millis(250))),
            ("/bytes/65536?n=17", Ask::Bytes(65_536)),
            ("/text/0", Ask::Text(0)),
            ("/chunked/10", Ask::Chunked(10)),
            ("/br/10", Ask::Encoded(ContentCoding::Brotli, 10)),
            ("/json/3", Ask::Json(3)),
            ("/html/7", Ask::Html(7)),
            ("/redirect/2", Ask::Redirect(2)),
            ("/redirect-to?url=%2Fa%3Fb", Ask::RedirectTo(HeaderValue::from_static("/a?b"))),
            ("/limited", Ask::Limited(RateLimit::new(1.0, 1))),
            ("/limited?rate=10&burst=5", Ask::Limited(RateLimit::new(10.0, 5))),
            ("/drip?bytes=7&over=2s", Ask::Drip { bytes: 7, over: Duration::from_secs(2) }),
            ("/reset/body", Ask::Reset(Reset::Body)),
            ("/truncate/chunked", Ask::Truncate(Framing::Chunked)),
            ("/flaky/2", Ask::Flaky(2)),
            ("/echo", Ask::Echo),
            ("/headers", Ask::Headers),
        ] {
            assert_eq!(asked(target), Ok(expected), "{target}");
        }
    }

    #[test]
    fn bad_values_are_told_how_to_write_them() {
        for (target, example) in [
            ("/bytes/many", "/bytes/1024"),
            ("/bytes/1073741825", "/bytes/1024"),
            ("/bytes/", "/bytes/1024"),
            ("/bytes/1/2", "/bytes/1024"),
            ("/gzip/8388609", "/gzip/1000"),
            ("/status/99", "/status/404"),
            ("/delay/61s", "/delay/250ms"),
            ("/redirect-to", "/redirect-to?url="),
            ("/redirect-to?url=%0A", "/redirect-to?url="),
            ("/limited?rate=0", "/limited?rate="),
            ("/drip?bytes=0", "/drip?bytes="),
            ("/reset/tail", "/reset/body"),
            ("/truncate", "/truncate/length"),
            ("/echo/more", "/echo"),
        ] {
            let BadUrl(why) = asked(target).expect_err(target);
            assert!(why.contains(&format!("; write it like {example}")), "{target}: {why}");
        }
    }

    #[test]
    fn bad_additions_are_told_by_their_key() {
        for (query, part) in [
            ("delay=never", "delay: 'never' is not a time"),
            ("n=1&status=1", "status: '1' is not a status"),
            ("header=nonsense", "header=x-name:value"),
            ("header=content-length:3", "header=x-name:value"),
            ("header=Transfer-Encoding:gzip", "header=x-name:value"),
            ("header=x:a%0Ab", "header=x-name:value"),
        ] {
            let BadUrl(why) = asked(&format!("/bytes/1?{query}")).expect_err(query);
            assert!(why.contains(part) && !why.contains("/bytes"), "{query}: {why}");
        }
    }

    #[test]
    fn a_query_adds_to_any_path() {
        let query = "delay=1s&header=X-A:+b&n=1&status=500&header=x-a:c";
        let (_, extras) = ask("/json/1", query).expect("valid");
        assert_eq!((extras.delay, extras.status), (Duration::from_secs(1), Some(StatusCode::INTERNAL_SERVER_ERROR)));
        let name = HeaderName::from_static("x-a");
        let headers = ["b", "c"].map(|value| (name.clone(), HeaderValue::from_static(value)));
        assert_eq!(extras.headers, headers);
        let many = "header=a:b&".repeat(MOST_HEADERS + 1);
        assert!(ask("/json/1", &many).is_err());
    }

    #[test]
    fn only_listed_paths_have_a_class() {
        assert_eq!(class("/bytes/1"), PATHS.iter().position(|entry| entry.name == "bytes"));
        assert_eq!(class("/"), PATHS.iter().position(|entry| entry.name.is_empty()));
        for path in ["", "*", "bytes/1", "/byte", "/bytes1", "//bytes"] {
            let class = class(path);
            assert!(class.is_none() || PATHS[class.expect("some")].name.is_empty(), "{path}");
        }
        assert_eq!(class("*"), None);
    }

    #[test]
    fn every_example_is_valid() {
        for entry in &PATHS {
            let path = entry.example.split('?').next().expect("a path");
            assert_eq!(class(path).map(|class| PATHS[class].name), Some(entry.name), "{}", entry.example);
            asked(entry.example).unwrap_or_else(|BadUrl(why)| panic!("{}: {why}", entry.example));
        }
    }
}
