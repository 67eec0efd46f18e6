//! Bytes from the network as text: header values and bodies.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use http::{HeaderValue, header};

use crate::model::HeaderList;

/// A header value as text: UTF-8 where it is, else each byte as the character of the same number (Latin-1).
pub(super) fn header_text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().map(|&byte| char::from(byte)).collect()),
    }
}

/// A body as text, by the charset of its `content-type`, else as UTF-8. True when bytes that are not text in that
/// charset were replaced.
///
/// A byte order mark wins over the header, as in browsers, and is not part of the text.
pub(super) fn body_text<'a>(body: &'a [u8], headers: Option<&HeaderList>) -> (Cow<'a, str>, bool) {
    let named = headers
        .and_then(|headers| headers.get(&header::CONTENT_TYPE))
        .and_then(|value| charset(value.as_bytes()))
        .and_then(|label| Encoding::for_label_no_replacement(&label));
    let (text, _, lossy) = named.unwrap_or(UTF_8).decode(body);
    (text, lossy)
}

/// The `charset` parameter of a media type, without its quotes.
fn charset(content_type: &[u8]) -> Option<Vec<u8>> {
    content_type.split(|&byte| byte == b';').skip(1).find_map(|parameter| {
        let equals = parameter.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (parameter[..equals].trim_ascii(), parameter[equals + 1..].trim_ascii());
        let unquoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
        name.eq_ignore_ascii_case(b"charset").then(|| unquoted.to_vec())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &[u8], content_type: &'static str) -> (String, bool) {
        let headers = HeaderList::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        let (text, lossy) = body_text(body, Some(&headers));
        (text.into_owned(), lossy)
    }

    #[test]
    fn the_charset_named_is_the_charset_used() {
        assert_eq!(text(b"caf\xe9", "text/html; charset=iso-8859-1"), ("café".into(), false));
        assert_eq!(text(b"caf\xe9", "text/html;x=y; Charset = \"Latin1\""), ("café".into(), false));
        assert_eq!(text(b"\x82\xa0", "text/plain;charset=Shift_JIS"), ("あ".into(), false));
        assert_eq!(text("café".as_bytes(), "text/html"), ("café".into(), false));
        assert_eq!(text("café".as_bytes(), "text/html; charset=nonsense"), ("café".into(), false));
        assert_eq!(body_text(b"plain", None), (Cow::Borrowed("plain"), false));
    }

    #[test]
    fn replaced_bytes_are_admitted() {
        assert_eq!(text(b"caf\xe9", "text/html; charset=utf-8"), ("caf\u{fffd}".into(), true));
        assert!(body_text(b"\xff\x00", None).1);
    }

    #[test]
    fn header_values_are_always_text() {
        let value = |bytes: &[u8]| header_text(&HeaderValue::from_bytes(bytes).expect("valid")).into_owned();
        assert_eq!(value(b"plain"), "plain");
        assert_eq!(value("é".as_bytes()), "é");
        assert_eq!(value(b"\xe9"), "é");
    }
}
