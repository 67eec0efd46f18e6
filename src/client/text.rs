//! A body as text, by whatever says best in which charset it is. Pure.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};
use http::{HeaderMap, header};

/// How far into a page its own declaration is looked for (HTML standard, "prescan a byte stream").
const PRESCAN: usize = 1024;

/// The body as text. A byte order mark wins; then the header; then the page's own declaration; then UTF-8, if it is; then
/// a guess from the bytes.
pub(super) fn decode(body: &[u8], headers: &HeaderMap) -> String {
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let named = labelled(content_type).or_else(|| declared(&body[..body.len().min(PRESCAN)]));
    let encoding = match named {
        Some(encoding) => encoding,
        None if std::str::from_utf8(body).is_ok() => UTF_8,
        None => guessed(body),
    };
    match encoding.decode(body).0 {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }
}

fn guessed(body: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(body, true);
    detector.guess(None, Utf8Detection::Allow)
}

/// The encoding that a page declares in a `meta` element. UTF-16 declared in bytes that could be read is UTF-8, as the
/// HTML standard says.
fn declared(start: &[u8]) -> Option<&'static Encoding> {
    let lower = start.to_ascii_lowercase();
    let meta = memchr::memmem::find(&lower, b"<meta")?;
    let encoding = labelled(&lower[meta..])?;
    Some(encoding.output_encoding())
}

/// The encoding named after the first `charset=`.
fn labelled(text: &[u8]) -> Option<&'static Encoding> {
    let lower = text.to_ascii_lowercase();
    let at = memchr::memmem::find(&lower, b"charset")? + b"charset".len();
    let value = text[at..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let quote = value.first().copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let value = &value[usize::from(quote.is_some())..];
    let ends = |byte: &u8| match quote {
        Some(quote) => *byte == quote,
        None => matches!(byte, b'"' | b'\'' | b';' | b'>' | b'/') || byte.is_ascii_whitespace(),
    };
    let end = value.iter().position(ends).unwrap_or(value.len());
    Encoding::for_label_no_replacement(&value[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content_type: &'static str, body: &[u8]) -> String {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type))]);
        decode(body, &headers)
    }

    #[test]
    fn the_header_wins_over_the_page_and_a_mark_over_both() {
        assert_eq!(text("text/html; charset=ISO-8859-1", b"caf\xe9"), "café");
        assert_eq!(text("text/html; Charset=\"windows-1252\"", b"<meta charset=utf-8>\x80"), "<meta charset=utf-8>€");
        assert_eq!(text("text/plain; charset=iso-8859-1", b"\xef\xbb\xbfcaf\xc3\xa9"), "café");
    }

    #[test]
    fn a_page_may_say_it_itself() {
        assert_eq!(text("text/html", b"<META charset='windows-1251'>\xcf\xf0\xe8"), "<META charset='windows-1251'>При");
        let old = b"<meta http-equiv=content-type content=\"text/html; charset=shift_jis\">\x83n";
        assert!(text("text/html", old).ends_with('ハ'));
        assert_eq!(text("text/html", b"<meta charset=utf-16>caf\xc3\xa9"), "<meta charset=utf-16>café");
        let late = [&b" ".repeat(PRESCAN)[..], b"<meta charset=windows-1251>\xc3\xa9"].concat();
        assert!(text("text/html", &late).ends_with('é'), "a declaration that late is none");
    }

    #[test]
    fn without_a_word_it_is_utf_8_or_the_best_guess() {
        assert_eq!(text("text/plain", "déjà vu".as_bytes()), "déjà vu");
        let russian = encoding_rs::WINDOWS_1251.encode("Привет, мир. Это обычный русский текст.").0;
        assert_eq!(text("", &russian), "Привет, мир. Это обычный русский текст.");
        assert_eq!(text("text/plain; charset=no-such", b"plain"), "plain");
        assert_eq!(text("text/plain; charset", b""), "");
    }
}
