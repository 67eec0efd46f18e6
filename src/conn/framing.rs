//! The framing rules hyper leaves to us, judged on the response head. Pure.

use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};

use crate::config::BodySettings;
use crate::model::{Failure, FailureKind, Phase};

/// Which headers of a head say where its body ends. Looked up once: each look-up takes about 100 instructions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Framing {
    /// `Transfer-Encoding` is there.
    coded: bool,
    /// `Content-Length` is there.
    sized: bool,
}

impl Framing {
    /// What `headers` say.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self { coded: headers.contains_key(TRANSFER_ENCODING), sized: headers.contains_key(CONTENT_LENGTH) }
    }

    /// Checks that the head gives the body one unambiguous length.
    ///
    /// # Errors
    /// * a `Transfer-Encoding` other than exactly one `chunked` (RFC 9112 §6.1, §6.3) where there can be a body: hyper would
    ///   read until close;
    /// * `101 Switching Protocols` nobody asked for (RFC 9110 §15.2.2).
    pub(super) fn check(self, head: &Parts, method: &Method) -> Result<(), Failure> {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let message = "the server switched protocols without being asked (101)";
            return Err(Failure::new(Phase::Head, FailureKind::Protocol, message));
        }
        if !self.coded || is_bodiless(head, method) || is_chunked(&head.headers) {
            return Ok(());
        }
        let message = "transfer-encoding is not exactly one 'chunked', so the body's end is unknown";
        Err(Failure::new(Phase::Head, FailureKind::BadFraming, message))
    }

    /// Whether the body ends only where the connection does (RFC 9112 §6.3, rule 8).
    pub(super) fn is_close_delimited(self, head: &Parts, method: &Method) -> bool {
        !self.coded && !self.sized && head.version < Version::HTTP_2 && !is_bodiless(head, method)
    }

    /// Whether the body has two lengths, of which the chunks' holds (RFC 9112 §6.3, rule 3). Whoever sends both is not to be
    /// trusted with where the next response begins.
    pub(super) const fn is_contradictory(self) -> bool {
        self.coded && self.sized
    }
}

/// Whether the transfer codings are one `chunked` and nothing else.
fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next().is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
    first && codings.next().is_none()
}

/// Checks an HTTP/2 head against the caps, which hyper keeps for HTTP/1.x alone.
pub(super) fn check_size(headers: &HeaderMap, settings: &BodySettings) -> Result<(), Failure> {
    if headers.len() <= settings.max_headers && size(headers) <= settings.max_head {
        return Ok(());
    }
    Err(Failure::new(Phase::Head, FailureKind::HeadTooLarge, HEAD_TOO_LARGE))
}

/// The size of an HTTP/2 head: its status line counts as the 17 bytes that it has at least in HTTP/1.1, and each field with its
/// name, its value and the four bytes around them there.
pub(super) fn size(headers: &HeaderMap) -> usize {
    const STATUS_LINE: usize = "HTTP/1.1 200 \r\n\r\n".len();
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>() + STATUS_LINE
}

/// How many times the largest head a response may take before its final head is complete: informational heads have no end of
/// their own.
const HEADS_A_RESPONSE: u64 = 4;

/// The bytes that a response may take before its final head.
pub(super) fn most_before_head(settings: &BodySettings) -> u64 {
    HEADS_A_RESPONSE.saturating_mul(largest_head(settings))
}

/// The bytes that one head may take, at the least.
pub(super) fn largest_head(settings: &BodySettings) -> u64 {
    settings.max_head.max(64 << 10) as u64
}

/// The failure of a response that takes more.
pub(super) fn endless_heads() -> Failure {
    let message = "the informational (1xx) heads before the response have more than four times --max-head";
    Failure::new(Phase::Head, FailureKind::HeadTooLarge, message)
}

/// What is said of a head over the caps, whatever its protocol.
pub(super) const HEAD_TOO_LARGE: &str =
    "the response head has more bytes or headers than allowed (--max-head, --max-headers)";

/// Checks that each of the `lines` of a head's bytes that says where the body ends has become a header: hyper passes over
/// lines that are not valid, and without them the body would seem to end elsewhere.
pub(super) fn check_lines(head: &Parts, method: &Method, lines: usize) -> Result<(), Failure> {
    let count = |name| head.headers.get_all(name).iter().count();
    if is_bodiless(head, method) || count(CONTENT_LENGTH) + count(TRANSFER_ENCODING) >= lines {
        return Ok(());
    }
    let message = "a content-length or transfer-encoding line is not valid, so the body's end is unknown";
    Err(Failure::new(Phase::Head, FailureKind::BadFraming, message))
}

/// Whether the response ends with its head, whatever its headers say (RFC 9112 §6.3, rule 1).
pub(super) fn is_bodiless(head: &Parts, method: &Method) -> bool {
    method == Method::HEAD
        || head.status.is_informational()
        || head.status == StatusCode::NO_CONTENT
        || head.status == StatusCode::NOT_MODIFIED
}

/// The `timeout` parameter of `Keep-Alive` (RFC 2068 §19.7.1), when the response also keeps the connection open.
pub(super) fn keep_alive_timeout(headers: &HeaderMap) -> Option<Duration> {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    let value = headers.get(KEEP_ALIVE)?.to_str().ok()?;
    let closing = headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    let seconds = value.split(',').find_map(|parameter| parameter.trim().strip_prefix("timeout="))?;
    (!closing).then_some(Duration::from_secs(seconds.trim().parse().ok()?))
}

/// Whether the response says that the connection is kept.
pub(super) fn promises_keep_alive(headers: &HeaderMap) -> bool {
    let connection = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut options = connection.flat_map(|value| value.split(',')).map(str::trim);
    options.any(|option| option.eq_ignore_ascii_case("keep-alive")) || keep_alive_timeout(headers).is_some()
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn head(status: u16, headers: &[(&str, &str)]) -> Parts {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(()).expect("valid").into_parts().0
    }

    fn check(head: &Parts, method: &Method) -> Result<(), Failure> {
        Framing::of(&head.headers).check(head, method)
    }

    fn is_close_delimited(status: u16, headers: &[(&str, &str)], method: &Method) -> bool {
        let head = head(status, headers);
        Framing::of(&head.headers).is_close_delimited(&head, method)
    }

    #[test]
    fn only_one_chunked_is_a_transfer_encoding() {
        assert!(check(&head(200, &[]), &Method::GET).is_ok());
        assert!(check(&head(200, &[("transfer-encoding", " Chunked ")]), &Method::GET).is_ok());
        for bad in ["gzip", "gzip, chunked", "chunked, chunked", "identity", "", "chunked;q=1"] {
            let failure = check(&head(200, &[("transfer-encoding", bad)]), &Method::GET).expect_err(bad);
            assert_eq!(failure.kind, FailureKind::BadFraming);
        }
        let twice = head(200, &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]);
        assert!(check(&twice, &Method::GET).is_err());
        assert_eq!(check(&head(101, &[]), &Method::GET).expect_err("101").kind, FailureKind::Protocol);
    }

    #[test]
    fn a_response_without_a_body_may_say_any_transfer_encoding() {
        let coded = [("transfer-encoding", "gzip, chunked")];
        assert!(check(&head(204, &coded), &Method::GET).is_ok());
        assert!(check(&head(304, &coded), &Method::GET).is_ok());
        assert!(check(&head(200, &coded), &Method::HEAD).is_ok());
    }

    #[test]
    fn a_line_that_was_passed_over_is_missed() {
        let passed_over = head(200, &[("content-length", "5")]);
        assert!(check_lines(&passed_over, &Method::GET, 1).is_ok());
        assert_eq!(check_lines(&passed_over, &Method::GET, 2).expect_err("one more").kind, FailureKind::BadFraming);
        assert!(check_lines(&passed_over, &Method::HEAD, 2).is_ok(), "there is no body that could end elsewhere");
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_connection() {
        assert!(is_close_delimited(200, &[], &Method::GET));
        assert!(!is_close_delimited(200, &[("content-length", "0")], &Method::GET));
        assert!(!is_close_delimited(200, &[("transfer-encoding", "chunked")], &Method::GET));
        assert!(!is_close_delimited(200, &[], &Method::HEAD));
        assert!(!is_close_delimited(204, &[], &Method::GET));
        assert!(!is_close_delimited(304, &[], &Method::GET));
    }

    #[test]
    fn two_lengths_contradict_each_other() {
        let is_contradictory = |headers: &[_]| Framing::of(&head(200, headers).headers).is_contradictory();
        let (coded, sized) = (("transfer-encoding", "chunked"), ("content-length", "5"));
        assert!(is_contradictory(&[coded, sized]));
        assert!(!is_contradictory(&[coded]) && !is_contradictory(&[sized]) && !is_contradictory(&[]));
    }

    #[test]
    fn the_keep_alive_hint_is_read() {
        let timeout = |pairs: &[(&str, &str)]| keep_alive_timeout(&head(200, pairs).headers);
        assert_eq!(timeout(&[("keep-alive", "timeout=5, max=100")]), Some(Duration::from_secs(5)));
        assert_eq!(timeout(&[("keep-alive", "max=100, timeout=7")]), Some(Duration::from_secs(7)));
        assert_eq!(timeout(&[("keep-alive", "timeout=x")]), None);
        assert_eq!(timeout(&[("keep-alive", "timeout=5"), ("connection", "close")]), None);
        assert_eq!(timeout(&[]), None);
    }

    #[test]
    fn a_promise_to_keep_the_connection_is_read() {
        let promises = |pairs: &[(&str, &str)]| promises_keep_alive(&head(200, pairs).headers);
        assert!(promises(&[("connection", "Keep-Alive")]) && promises(&[("connection", "x, keep-alive")]));
        assert!(promises(&[("keep-alive", "timeout=5")]));
        assert!(!promises(&[]) && !promises(&[("connection", "close"), ("keep-alive", "timeout=5")]));
    }
}
