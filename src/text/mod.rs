//! A body as text. Pure; knows nothing of haul.
//!
//! Owns the one rule by which bytes become text, for records and for responses alike. The text is the one that a browser
//! would show:
//!
//! 1. A byte order mark wins over everything (Encoding Standard, "decode").
//! 2. JSON is UTF-8 (RFC 8259 §8.1): a `charset` counts only where the bytes are not. Events, subtitles and cache manifests are UTF-8
//!    in any case (HTML Standard).
//! 3. The `charset` of `content-type`, as Fetch reads its lines ([`mime`]), if the Encoding Standard knows the label.
//! 4. What the document says of itself: the `meta` of a page's first 1024 bytes, an XML declaration, a style sheet's
//!    `@charset` ([`declared`]).
//! 5. UTF-8, if it is; or nearly is.
//! 6. The `meta` of a page's head beyond its first 1024 bytes; else the best guess from the bytes ([`guess`]).
//!
//! The invariant: every body becomes text, and what had to be replaced for it is admitted.

mod declared;
mod guess;
mod kind;
mod mime;

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use kind::Kind;

/// A body as text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Text<'b> {
    pub(crate) text: Cow<'b, str>,
    /// The charset it was read by: its name in the Encoding Standard.
    pub(crate) charset: &'static str,
    /// Whether bytes that are no text in that charset were replaced.
    pub(crate) lossy: bool,
}

/// Reads `body`, which came from `host` with these lines of `content-type`. `options`: the first of `x-content-type-options`.
pub(crate) fn read<'b, 'h>(
    body: &'b [u8],
    content_types: impl IntoIterator<Item = &'h [u8]>,
    options: Option<&[u8]>,
    host: &str,
) -> Text<'b> {
    let named = mime::extract(content_types);
    // This looks for a mark first, and leaves it out of the text.
    let (text, encoding, lossy) = encoding(body, named.as_ref(), mime::is_nosniff(options), host).decode(body);
    Text { text, charset: encoding.name(), lossy }
}

/// The encoding of a body without a byte order mark.
fn encoding(body: &[u8], named: Option<&data_url::mime::Mime>, nosniff: bool, host: &str) -> &'static Encoding {
    let kind = match named.filter(|mime| !Kind::is_unknown(mime)) {
        Some(mime) => Kind::of(mime),
        None if nosniff => Kind::Other,
        None => Kind::sniffed(body),
    };
    let charset = named.and_then(|mime| mime.get_parameter("charset")).and_then(|label| label_of(label.as_bytes()));
    if kind == Kind::Utf8 {
        return UTF_8;
    }
    if kind == Kind::Json {
        return match charset {
            Some(charset) if !guess::is_utf_8(body) => charset,
            _ => UTF_8,
        };
    }
    if let Some(encoding) = charset.or_else(|| declared::declared(kind, body)) {
        return encoding;
    }
    if guess::is_utf_8(body) || guess::is_nearly_utf_8(body) {
        return UTF_8;
    }
    let late = if kind == Kind::Html { declared::in_head(body) } else { None };
    late.unwrap_or_else(|| if kind.may_be_guessed(body) { guess::guessed(body, host) } else { UTF_8 })
}

/// The encoding of this label ("get an encoding").
fn label_of(label: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label(label)
}

#[cfg(test)]
mod tests;
