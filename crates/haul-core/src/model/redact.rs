//! Takes credentials out of texts that are no valid URL and still go into records and messages. Pure.

use std::borrow::Cow;

/// `text` without the user information of the URLs in it: `http://me:secret@host/` becomes `http://host/`.
///
/// It also works on what only looks like a URL (a wrong port, a scheme forgotten, a URL inside broken JSON): what
/// stands between `:` and slashes, or the text's beginning, and an `@` is dropped.
pub fn without_credentials(text: &str) -> Cow<'_, str> {
    if !(text.contains(AT) || encoded_at(text).is_some()) || is_mail(text) {
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
    while let Some((at, sign)) = rest.char_indices().find(|(_, character)| AT.contains(character)) {
        let from = rest[..at].rfind(is_delimiter).map_or(0, |delimiter| delimiter + 1);
        kept.push_str(&rest[..from]);
        let before = kept.trim_end_matches(['/', '\\']);
        let last = before.rsplit(is_delimiter).next().unwrap_or_default();
        let is_credentials = before.is_empty()
            || ends_with_colon(before)
            || names_http(last)
            || (is_word(before) && rest[from..at].contains(':'));
        let end = at + sign.len_utf8();
        if !is_credentials {
            kept.push_str(&rest[from..end]);
        }
        rest = &rest[end..];
    }
    kept.push_str(rest);
    kept
}

/// The sign after user information, and those that are meant for it or become it: full width and small.
const AT: [char; 3] = ['@', '\u{ff20}', '\u{fe6b}'];

/// Whether `text` ends with a colon, or with one that was encoded.
fn ends_with_colon(text: &str) -> bool {
    text.ends_with([':', '\u{ff1a}', '\u{fe55}']) || text.ends_with("%3A") || text.ends_with("%3a")
}

/// Whether `host` is no host but `http` or `https`, whatever stands after it in the place of the colon.
pub(super) fn names_http(host: &str) -> bool {
    let word = host.trim_end_matches(|c: char| !c.is_alphanumeric());
    let label = word.rsplit('.').next().unwrap_or_default();
    ["http", "https"].iter().any(|scheme| scheme.eq_ignore_ascii_case(label))
}

/// Whether `host` is another scheme that URLs have.
pub(super) fn names_scheme(host: &str) -> bool {
    ["ftp", "ftps", "sftp", "file", "ws", "wss", "git", "ssh"].iter().any(|scheme| scheme.eq_ignore_ascii_case(host))
}

/// Whether what follows a host without its slashes begins with user information.
pub(super) fn has_user_information(rest: &str) -> bool {
    let first = rest.split(is_delimiter).next().unwrap_or_default();
    let at = first.find(AT).or_else(|| encoded_at(first).map(|(at, _)| at));
    at.is_some_and(|at| at > 0) || has_password(rest)
}

/// The same for user information with a password, which may hold what ends a host.
pub(super) fn has_password(rest: &str) -> bool {
    let first = rest.split(is_delimiter).next().unwrap_or_default();
    first.contains(':') && (rest.contains(AT) || encoded_at(rest).is_some())
}

/// Where the last of the signs that were encoded begins and ends.
fn encoded_at(text: &str) -> Option<(usize, usize)> {
    const ENCODED: [&str; 3] = ["%40", "%EF%BC%A0", "%EF%B9%AB"];
    let is = |part: Option<&str>, sign: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(sign));
    text.rmatch_indices('%').find_map(|(at, _)| {
        let sign = ENCODED.iter().find(|sign| is(text.get(at..at + sign.len()), sign))?;
        Some((at, at + sign.len()))
    })
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
    let is_slash = |c: char| matches!(c, '/' | '\\');
    text.match_indices(is_slash).find_map(|(at, _)| {
        let from = at + 1;
        let before = text[..from].trim_end_matches(is_slash);
        let word = before.rsplit(is_delimiter).next().unwrap_or_default();
        let is_second = names_http(word) && before[..before.len() - word.len()].ends_with(is_slash);
        let is_last_slash = !text[from..].starts_with(is_slash);
        let is_authority = is_last_slash && (is_second || ends_with_colon(before) && from - before.len() > 1);
        is_authority.then(|| odd_user_information_at(text, from, is_second)).flatten()
    })
}

/// The same for a URL whose authority begins at `from`. After a second scheme no number is a port.
fn odd_user_information_at(text: &str, from: usize, is_second: bool) -> Option<(usize, usize)> {
    let url = text[from..].split(|c: char| c == '"' || c.is_whitespace()).next()?;
    let authority = url.split(is_delimiter).next()?;
    let (_, port) = authority.rsplit_once(':').filter(|_| !authority.starts_with('['))?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && !is_second;
    if is_port || authority.contains(AT) {
        return None;
    }
    // A URL that was encoded as a whole, or in part.
    let encoded = || encoded_at(authority).map(|(_, end)| end);
    let end = url.char_indices().rfind(|(_, character)| AT.contains(character)).map(|(at, sign)| at + sign.len_utf8());
    let end = end.or_else(encoded)?;
    Some((from, from + end))
}

/// Characters that end user information, or (the quote) the text a URL stands in. All are ASCII.
const fn is_delimiter(character: char) -> bool {
    matches!(character, '/' | '\\' | '?' | '#' | '"')
}

/// `text`, a JSON object that could not be read, up to where headers or a body begin: those may hold credentials.
pub fn without_headers(text: &str) -> Cow<'_, str> {
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
            ("http://http%3A//me:secret@host/", "http://http%3A//host/"),
            ("http%3a//me:secret@host/", "http%3a//host/"),
            ("https://https//me:secret@host/", "https://https//host/"),
            ("http://http:/me:secret@host/", "http://http:/host/"),
            ("http://http;//me:secret@host/", "http://http;//host/"),
            ("https://https//:me:secret@host/", "https://https//host/"),
            ("https://https//t0ken@host/", "https://https//host/"),
            ("http://me:secret\u{ff20}host/", "http://host/"),
            ("http://me:secret\u{fe6b}host/p@q", "http://host/p@q"),
            ("http://host/p\u{ff20}q", "http://host/p\u{ff20}q"),
            ("http://me:secret%EF%BC%A0host/", "http://host/"),
            ("http://me:secret%ef%bc%a0host/", "http://host/"),
            ("http://http//me:secret%40host/", "http://http//host/"),
            ("http://http//me:12/34@host/", "http://http//host/"),
            ("https://https//me:se/cret@host/", "https://https//host/"),
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
