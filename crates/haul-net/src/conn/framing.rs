//! The framing rules hyper leaves to us, judged on the response head. Pure.

use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};

use haul_core::config::{BodySettings, Setting};
use haul_core::model::{Failure, FailureKind, Phase};

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

    /// Where the body ends, if the head says one thing about it.
    ///
    /// # Errors
    /// * a `Transfer-Encoding` that does not come down to one `chunked` or to none (RFC 9112 §6.1, §6.3) where there can be a
    ///   body: hyper would read until close;
    /// * `101 Switching Protocols` nobody asked for (RFC 9110 §15.2.2).
    pub(super) fn end(self, head: &Parts, method: &Method) -> Result<BodyEnd, Failure> {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let message = "the server switched protocols without being asked (101)";
            return Err(Failure::new(Phase::Head, FailureKind::Protocol, message));
        }
        if is_bodiless(head, method) {
            return Ok(BodyEnd::Known);
        }
        if self.coded && !is_chunked(&head.headers) {
            return match coding(&head.headers)? {
                TransferCoding::Chunked { hyper: true } => Ok(BodyEnd::Known),
                TransferCoding::Chunked { hyper: false } => Ok(BodyEnd::Chunks),
                TransferCoding::None if self.sized => length(&head.headers).map(BodyEnd::After),
                TransferCoding::None => Ok(BodyEnd::Close),
            };
        }
        if self.coded {
            return Ok(BodyEnd::Known);
        }
        Ok(if self.sized || head.version >= Version::HTTP_2 { BodyEnd::Known } else { BodyEnd::Close })
    }

    /// Whether the head says more about the body's end than one thing: a length beside chunks (RFC 9112 §6.3, rule 3) or beside
    /// no coding at all, `chunked` more than once. Whoever sends that is not to be trusted with where the next response begins.
    pub(super) fn is_doubtful(self, head: &Parts, method: &Method) -> bool {
        self.coded && (self.sized || !(is_chunked(&head.headers) || is_bodiless(head, method)))
    }
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// Where hyper says: with its head, after its length, after its last chunk; in HTTP/2 with its stream.
    Known,
    /// With the connection (RFC 9112 §6.3, rule 8).
    Close,
    /// After so many bytes, though hyper reads until close.
    After(u64),
    /// After its last chunk, though hyper hands the chunks on as they are.
    Chunks,
}

/// Whether the transfer codings are one `chunked` and nothing else.
fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next().is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
    first && codings.next().is_none()
}

/// What a `Transfer-Encoding` of more words than `chunked` comes down to.
enum TransferCoding {
    /// It is empty, or says `identity`, which RFC 2616 had for no coding.
    None,
    /// `chunked`, said more than once or among empty elements or after `identity`: curl and browsers undo that once. Whether hyper
    /// does, who looks at what stands behind the last comma.
    Chunked { hyper: bool },
}

/// Reads a `Transfer-Encoding` that is not `chunked` alone.
///
/// # Errors
/// Any other coding, or `chunked` before `identity`: the body's end is unknown, or what it is.
fn coding(headers: &HeaderMap) -> Result<TransferCoding, Failure> {
    let all = headers.get_all(TRANSFER_ENCODING).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let is = |coding: &[u8], name: &[u8]| trim(coding).eq_ignore_ascii_case(name);
    // RFC 9110 §5.6.1: empty elements of a list do not count.
    let mut last = TransferCoding::None;
    for element in all {
        last = match last {
            _ if is(element, b"chunked") => TransferCoding::Chunked { hyper: true },
            TransferCoding::None if is(element, b"identity") || is(element, b"") => TransferCoding::None,
            TransferCoding::Chunked { .. } if is(element, b"") => TransferCoding::Chunked { hyper: false },
            _ => {
                let message = "transfer-encoding does not end with 'chunked' alone, so the body's end is unknown";
                return Err(Failure::new(Phase::Head, FailureKind::BadFraming, message));
            }
        };
    }
    Ok(last)
}

/// Without the white space that HTTP has around an element of a list.
fn trim(element: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = element.iter().position(|byte| !is_blank(byte)).unwrap_or(element.len());
    let to = element.iter().rposition(|byte| !is_blank(byte)).map_or(from, |at| at + 1);
    &element[from..to]
}

/// The one `Content-Length`, of a head whose length hyper has not looked at.
fn length(headers: &HeaderMap) -> Result<u64, Failure> {
    let lines = headers.get_all(CONTENT_LENGTH).iter();
    let mut lengths = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(|text| {
        let text = std::str::from_utf8(trim(text)).ok()?;
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    });
    let first = lengths.next().flatten();
    first.filter(|_| lengths.all(|length| length == first)).ok_or_else(|| {
        let message = "content-length is not one number, so the body's end is unknown";
        Failure::new(Phase::Head, FailureKind::BadFraming, message)
    })
}

/// Checks an HTTP/2 head against the caps, which hyper keeps for HTTP/1.x alone.
pub(super) fn check_size(headers: &HeaderMap, settings: &BodySettings) -> Result<(), Failure> {
    if headers.len() <= settings.max_headers && size(headers) <= settings.max_head {
        return Ok(());
    }
    Err(Failure::new(Phase::Head, FailureKind::HeadTooLarge, head_too_large()))
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
    let message =
        format!("the informational (1xx) heads before the response have more than four times `{}`", Setting::MaxHead);
    Failure::new(Phase::Head, FailureKind::HeadTooLarge, message)
}

/// What is said of a head over the caps, whatever its protocol.
pub(super) fn head_too_large() -> String {
    let (bytes, headers) = (Setting::MaxHead, Setting::MaxHeaders);
    format!("the response head has more bytes or headers than allowed (`{bytes}`, `{headers}`)")
}

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

    fn end(head: &Parts, method: &Method) -> Result<BodyEnd, FailureKind> {
        Framing::of(&head.headers).end(head, method).map_err(|failure| failure.kind)
    }

    fn of(lines: &[(&str, &str)]) -> Result<BodyEnd, FailureKind> {
        end(&head(200, lines), &Method::GET)
    }

    const CODED: &str = "transfer-encoding";
    const SIZED: &str = "content-length";

    #[test]
    fn chunked_is_a_transfer_coding_however_often_it_is_said() {
        for good in [" Chunked ", "chunked, chunked", "chunked,chunked, chunked", "identity, chunked", ", chunked"] {
            assert_eq!(of(&[(CODED, good)]), Ok(BodyEnd::Known), "{good}");
            assert_eq!(of(&[(CODED, good), (SIZED, "9")]), Ok(BodyEnd::Known), "{good}: the chunks hold");
        }
        assert_eq!(of(&[(CODED, "chunked"), (CODED, "Chunked")]), Ok(BodyEnd::Known));
        assert_eq!(of(&[(CODED, "identity"), (CODED, "chunked")]), Ok(BodyEnd::Known));
        assert_eq!(end(&head(101, &[]), &Method::GET), Err(FailureKind::Protocol));
        for good in ["chunked,", "chunked ,\t, ", "identity, chunked,"] {
            assert_eq!(of(&[(CODED, good)]), Ok(BodyEnd::Chunks), "{good}");
            assert_eq!(of(&[(CODED, good), (SIZED, "9")]), Ok(BodyEnd::Chunks), "{good}: the chunks hold");
        }
        assert_eq!(of(&[(CODED, "chunked"), (CODED, "")]), Ok(BodyEnd::Chunks));
        assert_eq!(of(&[(CODED, "chunked,"), (CODED, "chunked")]), Ok(BodyEnd::Known));
    }

    #[test]
    fn no_transfer_coding_is_none() {
        for none in ["identity", " Identity", "identity, identity", "", ",", " , identity,"] {
            assert_eq!(of(&[(CODED, none)]), Ok(BodyEnd::Close), "{none:?}");
            assert_eq!(of(&[(CODED, none), (SIZED, "5")]), Ok(BodyEnd::After(5)), "{none:?}");
        }
        assert_eq!(of(&[(CODED, "identity"), (CODED, "")]), Ok(BodyEnd::Close));
        assert_eq!(of(&[(CODED, "identity"), (SIZED, "5, 05"), (SIZED, " 5")]), Ok(BodyEnd::After(5)));
        for bad in ["", "+5", "5 5", "5,", "5, 6", "x", "18446744073709551616"] {
            assert_eq!(of(&[(CODED, "identity"), (SIZED, bad)]), Err(FailureKind::BadFraming), "{bad}");
        }
        assert_eq!(of(&[(CODED, "identity"), (SIZED, "5"), (SIZED, "6")]), Err(FailureKind::BadFraming));
    }

    #[test]
    fn any_other_transfer_coding_is_refused() {
        for bad in [
            "gzip",
            "gzip, chunked",
            "chunked, gzip",
            "chunked, identity",
            "chunked,, gzip",
            "chunked, chunked;",
            "chunked;q=1",
            "identity;q=1",
            "identity gzip",
            "xidentity",
            "chunked chunked",
            "chunked\u{a0}",
        ] {
            for length in [&[][..], &[(SIZED, "5")]] {
                let lines = [&[(CODED, bad)], length].concat();
                assert_eq!(of(&lines), Err(FailureKind::BadFraming), "{bad}");
            }
        }
        assert_eq!(of(&[(CODED, "chunked"), (CODED, "identity")]), Err(FailureKind::BadFraming));
        assert_eq!(of(&[(CODED, "gzip"), (CODED, "chunked")]), Err(FailureKind::BadFraming));
    }

    #[test]
    fn a_response_without_a_body_may_say_any_transfer_encoding() {
        let coded = [(CODED, "gzip, chunked")];
        assert_eq!(end(&head(204, &coded), &Method::GET), Ok(BodyEnd::Known));
        assert_eq!(end(&head(304, &coded), &Method::GET), Ok(BodyEnd::Known));
        assert_eq!(end(&head(200, &coded), &Method::HEAD), Ok(BodyEnd::Known));
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
        assert_eq!(of(&[]), Ok(BodyEnd::Close));
        assert_eq!(of(&[(SIZED, "0")]), Ok(BodyEnd::Known));
        assert_eq!(of(&[(CODED, "chunked")]), Ok(BodyEnd::Known));
        assert_eq!(end(&head(200, &[]), &Method::HEAD), Ok(BodyEnd::Known));
        assert_eq!(end(&head(204, &[]), &Method::GET), Ok(BodyEnd::Known));
        assert_eq!(end(&head(304, &[]), &Method::GET), Ok(BodyEnd::Known));
        let mut h2 = head(200, &[]);
        h2.version = Version::HTTP_2;
        assert_eq!(Framing::default().end(&h2, &Method::GET).expect("frames tell"), BodyEnd::Known);
    }

    #[test]
    fn more_than_one_word_about_the_end_is_doubtful() {
        let is_doubtful = |lines: &[(&str, &str)]| {
            let head = head(200, lines);
            Framing::of(&head.headers).is_doubtful(&head, &Method::GET)
        };
        for lines in [
            &[(CODED, "chunked"), (SIZED, "5")][..],
            &[(CODED, "identity"), (SIZED, "5")],
            &[(CODED, "chunked, chunked")],
            &[(CODED, "chunked"), (CODED, "chunked")],
        ] {
            assert!(is_doubtful(lines), "{lines:?}");
        }
        let bodiless = head(204, &[(CODED, "gzip")]);
        assert!(!Framing::of(&bodiless.headers).is_doubtful(&bodiless, &Method::GET));
        assert!(!is_doubtful(&[(CODED, "chunked")]) && !is_doubtful(&[(SIZED, "5")]) && !is_doubtful(&[]));
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
