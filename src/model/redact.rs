//! Takes credentials out of texts that are no valid URL and still go into records.

use std::borrow::Cow;

/// `text` without the user information of the URLs in it: `http://me:secret@host/` becomes `http://host/`.
///
/// It also works on what only looks like a URL (a wrong port, a scheme forgotten, a URL inside broken JSON): what
/// stands between `:` and slashes, or the text's beginning, and an `@` is dropped.
pub(crate) fn without_credentials(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'@', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let from = rest[..at].rfind(is_delimiter).map_or(0, |delimiter| delimiter + 1);
        kept.push_str(&rest[..from]);
        let before = kept.trim_end_matches(['/', '\\']);
        if !(before.is_empty() || before.ends_with(':')) {
            kept.push_str(&rest[from..=at]);
        }
        rest = &rest[at + 1..];
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// Characters that end user information, or (the quote) the text a URL stands in. All are ASCII.
const fn is_delimiter(character: char) -> bool {
    matches!(character, '/' | '\\' | '?' | '#' | '"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_information_is_dropped_and_nothing_else() {
        for (text, expected) in [
            ("http://me:secret@host:99999/p", "http://host:99999/p"),
            ("http://me:se@cret@host/", "http://host/"),
            ("me:secret@host/path", "host/path"),
            (r"http:\\me:se{c, ret@host:99999", r"http:\\host:99999"),
            ("http:/me:secret@host:99999", "http:/host:99999"),
            (r#"{"url":"https://me:secret@host/","#, r#"{"url":"https://host/","#),
            ("http://host/~me@home?x=a@b", "http://host/~me@home?x=a@b"),
            ("http://host/", "http://host/"),
            ("http://a:b@one/ http://c:d@two/", "http://one/ http://two/"),
        ] {
            assert_eq!(without_credentials(text), expected);
        }
    }
}
