//! The answers themselves, one function for each kind.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, Version};
use serde::Serialize;

use super::answer::Peer;
use super::ask::{Ask, ContentCoding, Framing, Reset};
use super::content;
use super::guide::guide;
use super::payload::{BodyEnding, Cut, Payload, Pieces};
use super::shelf::{GeneratedBody, Shelf};
use super::virtual_host::VirtualHost;

/// A response.
pub(super) type Reply = Response<Payload>;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Bytes announced by a body that ends early; half of them are sent.
const PROMISED: u64 = 1000;
/// The shortest pause of a drip: timers are no finer than about a millisecond.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

fn reply(kind: HeaderValue, body: Payload) -> Reply {
    let mut reply = Response::new(body);
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    reply
}

/// A short text.
pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = ok(body);
    *reply.status_mut() = status;
    reply
}

/// A short text, with status 200.
pub(super) fn ok(body: impl Into<Bytes>) -> Reply {
    reply(TEXT, Payload::whole(body))
}

/// 413. What is left of the body is not read, so the connection can't be used again.
pub(super) fn too_large(most: usize) -> Reply {
    let mut refused = text(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {most} bytes\n"));
    refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    refused
}

/// The answers that depend on nothing but what is asked for.
pub(super) async fn stored(shelf: &Shelf, ask: Ask) -> Reply {
    match ask {
        Ask::Bytes(length) => reply(BYTES, Payload::repeated(&shelf.random, length)),
        Ask::Text(length) => reply(TEXT, Payload::repeated(&shelf.text, length)),
        Ask::Chunked(length) => reply(BYTES, pieces(Pieces::new(&shelf.random, length).unannounced())),
        Ask::Json(count) => made(shelf, JSON, GeneratedBody::Json(count)).await,
        Ask::Encoded(coding, length) => {
            let mut reply = made(shelf, TEXT, GeneratedBody::Encoded(coding, length)).await;
            reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(token(coding)));
            reply
        }
        Ask::Html(number) => reply(HTML, Payload::whole(content::html(number))),
        Ask::Status(status) => text(status, format!("{status}\n")),
        Ask::Redirect(0) => ok("the end of the redirects\n"),
        Ask::Redirect(left) => redirect(format!("/redirect/{}", left - 1).parse().ok()),
        Ask::RedirectTo(target) => redirect(Some(target)),
        Ask::Drip { bytes, over } => reply(TEXT, drip(&shelf.text, bytes, over)),
        Ask::Truncate(framing) => truncated(&shelf.text, framing),
        _ => ok(guide()),
    }
}

fn pieces(pieces: Pieces) -> Payload {
    Payload::Pieces(Box::new(pieces))
}

async fn made(shelf: &Shelf, kind: HeaderValue, what: GeneratedBody) -> Reply {
    match shelf.body(what).await {
        Ok(body) => reply(kind, Payload::whole(body)),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the body can't be made: {error}\n")),
    }
}

const fn token(coding: ContentCoding) -> &'static str {
    match coding {
        ContentCoding::Gzip => "gzip",
        ContentCoding::Brotli => "br",
        ContentCoding::Zstd => "zstd",
        ContentCoding::Deflate => "deflate",
    }
}

fn redirect(target: Option<HeaderValue>) -> Reply {
    let mut reply = text(StatusCode::FOUND, "elsewhere\n");
    reply.headers_mut().extend(target.map(|target| (LOCATION, target)));
    reply
}

/// One byte at a time, or as few as the timers' grain allows.
fn drip(block: &Bytes, bytes: u64, over: Duration) -> Payload {
    let most = u64::try_from(over.as_nanos() / SHORTEST_PAUSE.as_nanos()).unwrap_or(u64::MAX);
    let count = bytes.min(most).max(1);
    let piece = usize::try_from(bytes.div_ceil(count)).unwrap_or(usize::MAX);
    let pause = over.div_f64(count as f64);
    pieces(Pieces::new(block, bytes).slowly(piece, pause))
}

/// A body that ends, in order, before what it announced.
fn truncated(block: &Bytes, framing: Framing) -> Reply {
    let half = Pieces::new(block, PROMISED / 2).unannounced();
    match framing {
        Framing::Chunked => reply(TEXT, pieces(half.ending(BodyEnding::Cut(None)))),
        Framing::Length => {
            let mut reply = reply(TEXT, pieces(half.ending(BodyEnding::Early)));
            reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(PROMISED));
            reply
        }
    }
}

/// A reset, at once or after half of a body.
pub(super) fn reset(peer: &Peer, version: Version, reset: Reset) -> Result<Reply, Cut> {
    match reset {
        Reset::Head => Err(peer.cut(version, false)),
        Reset::Connection => Err(peer.cut(version, true)),
        Reset::Body => {
            let flag = (version < Version::HTTP_2).then(|| peer.reset.clone());
            let half = Pieces::new(&peer.shared.shelf.text, PROMISED / 2).unannounced().ending(BodyEnding::Cut(flag));
            let mut reply = reply(TEXT, pieces(half));
            reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(PROMISED));
            Ok(reply)
        }
    }
}

/// 503 for the first `times` of this URL.
pub(super) fn flaky(site: &VirtualHost, times: u64, uri: &Uri) -> Reply {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    if site.is_among_the_first(times, target) {
        text(StatusCode::SERVICE_UNAVAILABLE, "not yet\n")
    } else {
        ok("at last\n")
    }
}

/// A request as it arrived.
#[derive(Serialize)]
struct Echo<'a> {
    method: &'a str,
    target: &'a str,
    host: &'a str,
    version: String,
    tls: bool,
    connection: u64,
    headers: Vec<(&'a str, String)>,
    /// `null` when it is not UTF-8.
    body: Option<&'a str>,
    body_base64: Option<String>,
    body_bytes: usize,
}

/// The request as JSON.
pub(super) fn echo(peer: &Peer, site: &VirtualHost, head: &Parts, body: &[u8]) -> Reply {
    let text = std::str::from_utf8(body).ok();
    json(&Echo {
        method: head.method.as_str(),
        target: head.uri.path_and_query().map_or("", |target| target.as_str()),
        host: &site.name,
        version: format!("{:?}", head.version),
        tls: peer.tls,
        connection: peer.number,
        headers: pairs(&head.headers),
        body: text,
        body_base64: text.is_none().then(|| STANDARD.encode(body)),
        body_bytes: body.len(),
    })
}

/// The request's headers as JSON.
pub(super) fn headers(head: &Parts) -> Reply {
    json(&pairs(&head.headers))
}

/// Names and values in the order they came; bytes that are not UTF-8 are replaced.
fn pairs(headers: &HeaderMap) -> Vec<(&str, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

fn json(value: &impl Serialize) -> Reply {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    reply(JSON, Payload::whole(text))
}

#[cfg(test)]
mod tests {
    use http_body::Body;

    use super::*;

    #[test]
    fn a_drip_is_as_fine_as_timers_are() {
        let block = content::text_block();
        for (bytes, over) in [(1, 0), (100, 1), (1_000_000, 60), (1 << 30, 0), (3, 60)] {
            let body = drip_in_runtime(&block, bytes, Duration::from_secs(over));
            assert_eq!(body.size_hint().exact(), Some(bytes));
        }
    }

    fn drip_in_runtime(block: &Bytes, bytes: u64, over: Duration) -> Payload {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let _inside = runtime.enter();
        drip(block, bytes, over)
    }

    #[tokio::test]
    async fn statuses_have_their_reason_as_text() {
        let shelf = Shelf::new();
        let reply = stored(&shelf, Ask::Status(StatusCode::NOT_FOUND)).await;
        assert_eq!((reply.status(), reply.body().size_hint().exact()), (StatusCode::NOT_FOUND, Some(14)));
    }
}
