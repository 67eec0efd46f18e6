//! What sort of document a body is, as far as that says how to read it.

use data_url::mime::Mime;

/// A sort of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Html,
    /// XML and what is made of it, XHTML included.
    Xml,
    Json,
    Css,
    /// What is UTF-8 by definition, whatever is said of it (HTML Standard): events, subtitles, manifests.
    Utf8,
    /// Pictures, sound, video, fonts: no text.
    Media,
    /// Anything else.
    Other,
}

/// Bytes that are looked at for the sort of a document (MIME Sniffing Standard, "resource header").
const HEADER: usize = 1445;

/// How a page begins (MIME Sniffing Standard, "identifying a resource with an unknown MIME type"), and with `meta`, which
/// nothing else begins with.
const PAGE: [&[u8]; 18] = [
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<script",
    b"<iframe",
    b"<h1",
    b"<div",
    b"<font",
    b"<table",
    b"<a",
    b"<style",
    b"<title",
    b"<b",
    b"<body",
    b"<br",
    b"<p",
    b"<!--",
    b"<meta",
];

impl Kind {
    /// The sort that this media type names.
    pub(super) fn of(mime: &Mime) -> Self {
        match (mime.type_.as_str(), mime.subtype.as_str()) {
            ("text", "html") => Self::Html,
            ("text" | "application", "xml" | "xml-external-parsed-entity") => Self::Xml,
            ("application", "xml-dtd") | ("text", "xsl") => Self::Xml,
            ("text", "event-stream" | "vtt" | "cache-manifest") => Self::Utf8,
            ("text" | "application", "json") => Self::Json,
            ("text", "css") => Self::Css,
            (_, subtype) if subtype.ends_with("+xml") => Self::Xml,
            (_, subtype) if subtype.ends_with("+json") => Self::Json,
            ("image" | "audio" | "video" | "font", _) => Self::Media,
            _ => Self::Other,
        }
    }

    /// Whether this media type says no more than none does (MIME Sniffing Standard §7). `*/*` is none already.
    pub(super) fn is_unknown(mime: &Mime) -> bool {
        mime.matches("unknown", "unknown") || mime.matches("application", "unknown")
    }

    /// The sort of a body that came without a media type, by its beginning.
    pub(super) fn sniffed(body: &[u8]) -> Self {
        let start = body.trim_ascii_start();
        let begins = |with: &&[u8]| {
            start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
                && matches!(start.get(with.len()), Some(b' ' | b'>'))
        };
        if PAGE.iter().any(begins) {
            Self::Html
        } else if start.starts_with(b"<?xml") {
            Self::Xml
        } else {
            Self::Other
        }
    }

    /// Whether a charset may be guessed for a body of this sort. Of what is no text, a guess would make nonsense that looks
    /// whole.
    pub(super) fn may_be_guessed(self, body: &[u8]) -> bool {
        match self {
            Self::Html | Self::Xml | Self::Css => true,
            Self::Json | Self::Utf8 | Self::Media => false,
            // "Binary data byte"
            Self::Other => !body[..body.len().min(HEADER)]
                .iter()
                .any(|byte| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_have_a_sort() {
        for (mime, expected) in [
            ("text/html", Kind::Html),
            ("application/xhtml+xml", Kind::Xml),
            ("application/rss+xml", Kind::Xml),
            ("image/svg+xml", Kind::Xml),
            ("text/xml", Kind::Xml),
            ("application/xml", Kind::Xml),
            ("application/xml-dtd", Kind::Xml),
            ("application/xml-external-parsed-entity", Kind::Xml),
            ("text/xml-external-parsed-entity", Kind::Xml),
            ("text/xsl", Kind::Xml),
            ("text/xml-dtd", Kind::Other),
            ("text/event-stream", Kind::Utf8),
            ("text/vtt", Kind::Utf8),
            ("text/cache-manifest", Kind::Utf8),
            ("text/json", Kind::Json),
            ("application/problem+json", Kind::Json),
            ("text/css", Kind::Css),
            ("image/png", Kind::Media),
            ("text/plain", Kind::Other),
            ("application/octet-stream", Kind::Other),
            ("text/xhtml", Kind::Other),
        ] {
            assert_eq!(Kind::of(&mime.parse().expect("a type")), expected, "{mime}");
        }
    }

    #[test]
    fn without_a_media_type_the_beginning_says_it() {
        for (body, expected) in [
            ("\n \t<!DOCTYPE html><p>", Kind::Html),
            ("<Html>", Kind::Html),
            ("<htmlx>", Kind::Other),
            ("<b>", Kind::Html),
            ("<meta charset=x>", Kind::Html),
            ("<?xml version=\"1.0\"?>", Kind::Xml),
            ("{\"a\": \"<html>\"}", Kind::Other),
            ("<html", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(Kind::sniffed(body.as_bytes()), expected, "{body}");
        }
    }
}
