//! Takes credentials out of texts that are no valid URL and still go into records and messages. Pure.

use std::borrow::Cow;

/// `text` without the user information of the URLs in it: `http://me:secret@host/` becomes `http://host/`.
///
/// It also works on what only looks like a URL (a wrong port, a scheme forgotten, a URL inside broken JSON): what
/// stands between `:` and slashes, or the text's beginning, and an `@` is dropped.
pub(crate) fn without_credentials(text: &str) -> Cow<'_, str> {
    if !(text.contains('@') || text.contains("%40")) || is_mail(text) {
        return Cow::Borrowed(text);
    }
    match odd_user_information(text) {
        Some((from, to)) => Cow::Owned(format!("{}{}", &text[..from], without_plain_credentials(&text[to..]))),
        None => Cow::Owned(without_plain_credentials(text)),
    }
}

/// Without user information in which nothing stands that should have been encoded.
fn without_plain_credentials(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let from = rest[..at].rfind(is_delimiter).map_or(0, |delimiter| delimiter + 1);
        kept.push_str(&rest[..from]);
        let before = kept.trim_end_matches(['/', '\\']);
        let is_credentials =
            before.is_empty() || before.ends_with(':') || (is_word(before) && rest[from..at].contains(':'));
        if !is_credentials {
            kept.push_str(&rest[from..=at]);
        }
        rest = &rest[at + 1..];
    }
    kept.push_str(rest);
    kept
}

/// Whether `text` is one word, as a scheme is whose colon is missing or mistyped: `https//`, `http;//`.
fn is_word(text: &str) -> bool {
    !text.contains(|c: char| c == '.' || c.is_whitespace() || is_delimiter(c))
}

/// Whether `text` is an address of mail or of a chat, and not a host with user information before it, which has a password or
/// is followed by more than a host: `mailto:me@host`, `me@host`.
fn is_mail(text: &str) -> bool {
    match text.split_once(':') {
        Some((scheme, address)) => names_mail(scheme) && !address.contains(':'),
        None => !text.contains(is_delimiter) && text.matches('@').count() == 1,
    }
}

/// The schemes of addresses, which have an `@` and no password.
pub(super) fn names_mail(scheme: &str) -> bool {
    const ADDRESSES: [&str; 10] = ["mailto", "sip", "sips", "xmpp", "im", "pres", "acct", "news", "mid", "cid"];
    ADDRESSES.iter().any(|address| address.eq_ignore_ascii_case(scheme))
}

/// Where the user information of the first URL whose password holds a `/`, `?` or `#` as it is begins and ends. The URL is
/// cut there, so that the password's first part stands where a port should; a part that is no number tells.
fn odd_user_information(text: &str) -> Option<(usize, usize)> {
    text.match_indices("://").find_map(|(at, scheme_end)| odd_user_information_at(text, at + scheme_end.len()))
}

/// The same for a URL whose authority begins at `from`.
fn odd_user_information_at(text: &str, from: usize) -> Option<(usize, usize)> {
    let url = text[from..].split(|c: char| c == '"' || c.is_whitespace()).next()?;
    let authority = url.split(is_delimiter).next()?;
    let (_, port) = authority.rsplit_once(':').filter(|_| !authority.starts_with('['))?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    if is_port || authority.contains('@') {
        return None;
    }
    // A URL that was encoded as a whole, or in part.
    let encoded = || authority.rfind("%40").map(|at| at + "%40".len());
    let end = url.rfind('@').map(|at| at + 1).or_else(encoded)?;
    Some((from, from + end))
}

/// Characters that end user information, or (the quote) the text a URL stands in. All are ASCII.
const fn is_delimiter(character: char) -> bool {
    matches!(character, '/' | '\\' | '?' | '#' | '"')
}

/// `text`, a JSON object that could not be read, up to where headers or a body begin: those may hold credentials.
#[cfg(any(test, feature = "net"))]
pub(crate) fn without_headers(text: &str) -> Cow<'_, str> {
    const SECRETS: [&str; 4] = ["header", "authorization", "cookie", "body"];
    let lower = text.to_ascii_lowercase();
    match SECRETS.iter().filter_map(|word| lower.find(word)).min() {
        Some(from) => Cow::Owned(format!("{}…", &text[..from])),
        None => Cow::Borrowed(text),
    }
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
            ("http://host:99999/~me@home?x=a@b", "http://host:99999/~me@home?x=a@b"),
            ("http://[::1]x/~me@home", "http://[::1]x/~me@home"),
            ("http://host/", "http://host/"),
            ("http://a:b@one/ http://c:d@two/", "http://one/ http://two/"),
            ("http://http://me:secret@host/", "http://http://host/"),
            ("http:http:me:secret@host/", "host/"),
            ("ghp_secret@host/path", "host/path"),
            ("https://ghp_secret@host", "https://host"),
            ("view-source:https://me:secret@host/", "view-source:https://host/"),
            ("https//me:secret@host/", "https//host/"),
            ("http;//me:secret@host/", "http;//host/"),
            ("//me:secret@host:99999/", "//host:99999/"),
            ("http\u{ff1a}//me:secret@host/", "http\u{ff1a}//host/"),
            ("host.test/a:b@c", "host.test/a:b@c"),
        ] {
            assert_eq!(without_credentials(text), expected);
        }
    }

    #[test]
    fn an_address_of_mail_is_no_user_information() {
        for text in ["mailto:me@host", "MAILTO:me@host?subject=x@y", "me@host", "sip:me@host", "xmpp:me@host/room"] {
            assert_eq!(without_credentials(text), text);
        }
        for (text, expected) in [
            ("mailto:me:secret@host", "host"),
            ("me@host/x", "host/x"),
            ("me:secret@host", "host"),
            ("me@a@host", "host"),
        ] {
            assert_eq!(without_credentials(text), expected);
        }
    }

    #[test]
    fn a_password_that_should_have_been_encoded_is_dropped_whole() {
        for (text, expected) in [
            ("http://me:se/cret@host/p", "http://host/p"),
            ("http://me:se#c?r/e@t@host/p", "http://host/p"),
            (r#"{"url":"http://me:se/cret@host/","id":"a@b"}"#, r#"{"url":"http://host/","id":"a@b"}"#),
            ("http://me:se/cret@one/ http://c:d@two/", "http://one/ http://two/"),
            ("http://http://me:se/cret@host/", "http://http://host/"),
            ("http://one/ http://me:se/cret@two/", "http://one/ http://two/"),
            ("http://me:secret%40host/p%40q", "http://host/p%40q"),
            ("http://host:80%40/", "http:///"),
            ("http://host/p%40q", "http://host/p%40q"),
        ] {
            assert_eq!(without_credentials(text), expected);
        }
    }

    #[test]
    fn broken_objects_are_shown_up_to_their_headers() {
        for (text, expected) in [
            (r#"{"url":"http://a/","headers":{"Authorization":"Bearer s""#, r#"{"url":"http://a/","…"#),
            (r#"{'COOKIE': 's'"#, r#"{'…"#),
            (r#"{"url":"http://a/""#, r#"{"url":"http://a/""#),
        ] {
            assert_eq!(without_headers(text), expected);
        }
    }
}
