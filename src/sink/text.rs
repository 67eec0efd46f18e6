//! Header values as text.

use std::borrow::Cow;

use http::HeaderValue;

/// A header value as text: UTF-8 where it is, else each byte as the character of the same number (Latin-1).
pub(super) fn header_text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().map(|&byte| char::from(byte)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_always_text() {
        let value = |bytes: &[u8]| header_text(&HeaderValue::from_bytes(bytes).expect("valid")).into_owned();
        assert_eq!(value(b"plain"), "plain");
        assert_eq!(value("é".as_bytes()), "é");
        assert_eq!(value(b"\xe9"), "é");
    }
}
