//! One URL to fetch, normalised by the WHATWG rules and split where the engine needs it split.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::net::IpAddr;

use url::Url;

use super::control::Control;
use super::failure::FailureKind;
use super::normal;
use super::redact::{has_password, has_user_information, names_http, names_mail, names_scheme};

/// The two schemes haul fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// The port used when the URL names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// User name and password found in a URL's authority. They are taken out of the URL and never written to records.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name, percent-decoded by nobody: as it stands in the URL.
    pub user: Box<str>,
    /// The password, likewise; empty when the URL has none.
    pub password: Box<str>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// A normalised absolute `http:` or `https:` URL without credentials and fragment.
///
/// Its text is stored once; the parts are slices of it.
///
/// ```
/// # extern crate haul_core as haul;
/// use haul::model::WebUrl;
///
/// let (url, credentials) = WebUrl::parse("HTTP://me:pw@Example.com:80/a/../b?q#top")?;
/// assert_eq!((url.as_str(), url.origin(), url.target()), ("http://example.com/b?q", "http://example.com", "/b?q"));
/// assert_eq!(&*credentials.expect("some").user, "me");
/// # Ok::<(), haul::model::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WebUrl {
    text: Box<str>,
    /// Where the path begins: `text[..path_at]` is the origin, `text[path_at..]` path and query.
    path_at: u32,
}

impl WebUrl {
    /// Parses and normalises `input`. Credentials in it are returned apart.
    ///
    /// # Errors
    /// [`UrlError`] says what is wrong with it and how to fix it.
    pub fn parse(input: &str) -> Result<(Self, Option<Credentials>), UrlError> {
        match normal::path_at(input) {
            Some(path_at) => Ok((Self::new(input.into(), path_at)?, None)),
            None => Self::parse_any(input),
        }
    }

    fn new(text: Box<str>, path_at: u32) -> Result<Self, UrlError> {
        let target = text.len() - path_at as usize;
        let url = Self { text, path_at };
        // The whole origin is hardly ever as long.
        let host = if path_at as usize > LONGEST_HOST { url.host().len() } else { 0 };
        if host > LONGEST_HOST {
            let message = format!(
                "the host's name has {host} bytes, and names have {LONGEST_HOST} at most; something is missing, perhaps the slash behind it"
            );
            return Err(UrlError::new(FailureKind::BadUrl, message));
        }
        if target <= LONGEST_TARGET {
            return Ok(url);
        }
        let message = format!(
            "the URL is too long: its path and query have {target} bytes of {}, and at most {LONGEST_TARGET} can be sent; \
             send what is long in a body",
            url.text.len()
        );
        Err(UrlError::new(FailureKind::BadUrl, message))
    }

    /// Parses by the full rules.
    fn parse_any(input: &str) -> Result<(Self, Option<Credentials>), UrlError> {
        // The URL standard drops tabs and line breaks without a word, and what was two lines becomes one URL.
        if let Some(control) = Control::find(input.trim_ascii(), b"") {
            return Err(UrlError::new(
                FailureKind::BadUrl,
                format!("the URL holds {control}; take it out, or percent-encode it if it is meant"),
            ));
        }
        let url = Url::parse(input).map_err(|error| UrlError::from_parse(error, input))?;
        check_scheme(input, &url)?;
        Self::from_url(url)
    }

    /// Resolves `reference` (a `Location` value) against this URL.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn join(&self, reference: &str) -> Result<(Self, Option<Credentials>), UrlError> {
        let base = Url::parse(&self.text).map_err(|error| UrlError::from_parse(error, &self.text))?;
        let reference = with_two_slashes(reference);
        let url = base.join(&reference).map_err(|error| UrlError::from_parse(error, &reference))?;
        check_scheme(&reference, &url)?;
        Self::from_url(url)
    }

    fn from_url(mut url: Url) -> Result<(Self, Option<Credentials>), UrlError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlError::scheme(&url));
        }
        if url.port() == Some(0) {
            return Err(UrlError::new(FailureKind::BadPort, "port 0 can't be connected to; use 1 to 65535"));
        }
        let credentials = (!url.username().is_empty() || url.password().is_some())
            .then(|| Credentials { user: url.username().into(), password: url.password().unwrap_or_default().into() });
        if credentials.is_some() {
            // Both calls only fail on URLs without a host, which the scheme rules out.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        url.set_fragment(None);
        let path_at = url::Position::BeforePath;
        // url itself keeps its positions in 32 bits.
        let path_at = url[..path_at].len() as u32;
        Ok((Self::new(String::from(url).into_boxed_str(), path_at)?, credentials))
    }

    /// The root of an origin that [`Self::origin`] gave.
    #[doc(hidden)]
    #[must_use]
    pub fn root_of(origin: &str) -> Self {
        Self { text: [origin, "/"].concat().into(), path_at: origin.len() as u32 }
    }

    /// The whole URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        if self.text.as_bytes()[4] == b's' { Scheme::Https } else { Scheme::Http }
    }

    /// Scheme, host and (unless default) port: `https://example.com:8443`. The same text for the same origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.text[..self.path_at as usize]
    }

    /// Host and (unless default) port, as the `Host` header has it.
    #[must_use]
    pub fn authority(&self) -> &str {
        let scheme_len = if self.scheme() == Scheme::Https { 8 } else { 7 };
        &self.text[scheme_len..self.path_at as usize]
    }

    /// The host: a lower-case (punycode) name, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host_and_port().0
    }

    /// The host, and the port where one is named.
    fn host_and_port(&self) -> (&str, Option<&str>) {
        let authority = self.authority();
        let digits = authority.bytes().rev().take_while(u8::is_ascii_digit).count();
        // A normal port is digits alone, and an address of the sixth version ends with a bracket.
        match authority[..authority.len() - digits].strip_suffix(':') {
            Some(host) if digits > 0 => (host, Some(&authority[host.len() + 1..])),
            _ => (authority, None),
        }
    }

    /// The host as an address, when it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        let host = self.host();
        match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(v6) => v6.parse().ok().map(IpAddr::V6),
            None => host.parse().ok().map(IpAddr::V4),
        }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        let named = self.host_and_port().1.and_then(|port| port.parse().ok());
        named.unwrap_or_else(|| self.scheme().default_port())
    }

    /// Path and query: what goes into the request line. Never empty; starts with `/`.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.text[self.path_at as usize..]
    }
}

/// The longest name of a host, with a dot at its end (RFC 1035 §2.3.4: 255 octets in a message, two of them not in the text).
const LONGEST_HOST: usize = 254;

/// The longest path and query, in bytes, that a request can carry: the `http` crate, which all of hyper and h2 stand on, keeps
/// positions in them in 16 bits.
const LONGEST_TARGET: usize = 65_534;

/// `reference` with two slashes where it begins with more. After two, the URL standard passes over all that follow ("special
/// authority ignore slashes state"), and takes a backslash for a slash; `Url::join` would find an empty host.
fn with_two_slashes(reference: &str) -> Cow<'_, str> {
    // The standard takes these off both ends before it looks at anything.
    let trimmed = reference.trim_matches(|c: char| c <= ' ');
    let rest = trimmed.trim_start_matches(['/', '\\', '\t', '\n', '\r']);
    let slashes = trimmed[..trimmed.len() - rest.len()].bytes().filter(|byte| matches!(byte, b'/' | b'\\')).count();
    if slashes > 2 { Cow::Owned(["//", rest].concat()) } else { Cow::Borrowed(reference) }
}

/// Refuses a URL, which was read from `input`, that has a second scheme where its host should be: `http://http://me:pw@host/`,
/// `https://https//me:pw@host/`. By the letter it is one, of the host `http` and with the path `//me:pw@host/`. Nobody means that,
/// and the password would be part of a path like any other.
fn check_scheme(input: &str, url: &Url) -> Result<(), UrlError> {
    let host = url.host_str().unwrap_or_default();
    let rest = url[url::Position::BeforePath..].trim_start_matches('/');
    let is_second = if names_http(host) {
        has_empty_port(input, url) || has_user_information(rest)
    } else {
        // `http://a.example://b` is a URL like any other: the port is empty.
        has_empty_port(input, url) && (names_scheme(host) || has_password(rest))
    };
    if !is_second {
        return Ok(());
    }
    let message = "there is a second scheme in the place of the host; write the URL as http://host/path";
    Err(UrlError::new(FailureKind::BadUrl, message))
}

/// Whether a colon and two slashes follow the host.
fn has_empty_port(input: &str, url: &Url) -> bool {
    if !url.path().starts_with("//") {
        return false;
    }
    let Some((scheme, rest)) = input.split_once(':') else { return false };
    if !scheme.trim_start().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let rest = rest.trim_start_matches(['/', '\\']);
    rest.split(['/', '\\', '?', '#']).next().is_some_and(|authority| authority.ends_with(':'))
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is not a URL haul can fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError {
    /// One of the URL kinds: `bad_url`, `unsupported_scheme`, `empty_host`, `bad_port`.
    pub kind: FailureKind,
    /// What is wrong and how to fix it.
    pub message: Box<str>,
}

/// What is said of a host and path alone.
const NO_SCHEME: &str = "not an absolute URL; write it with its scheme, as https://host/path";

impl UrlError {
    fn new(kind: FailureKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: message.into() }
    }

    fn scheme(url: &Url) -> Self {
        let scheme = url.scheme();
        if !url.has_authority() && url.path().contains('@') && !names_mail(scheme) {
            // `me:secret@host/`: not a scheme but a user, whose name may be the secret.
            return Self::new(FailureKind::BadUrl, NO_SCHEME);
        }
        Self::new(
            FailureKind::UnsupportedScheme,
            format!("scheme '{scheme}' is not supported; haul fetches http:// and https:// URLs"),
        )
    }

    fn from_parse(error: url::ParseError, input: &str) -> Self {
        match error {
            url::ParseError::EmptyHost => {
                Self::new(FailureKind::EmptyHost, "the URL has no host; write it as http://host/path")
            }
            url::ParseError::InvalidPort => Self::new(FailureKind::BadPort, "the port is not a number from 1 to 65535"),
            url::ParseError::RelativeUrlWithoutBase => {
                let looks_like_host = input.split(['/', ':']).next().is_some_and(|host| host.contains('.'));
                Self::new(FailureKind::BadUrl, if looks_like_host { NO_SCHEME } else { "not an absolute URL" })
            }
            other => Self::new(FailureKind::BadUrl, format!("not a valid URL: {other}")),
        }
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> WebUrl {
        WebUrl::parse(text).map(|(url, _)| url).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_parts_are_where_http_needs_them() {
        let url = parse("HTTPS://Example.COM:443/a/../b?q=1#frag");
        assert_eq!(url.as_str(), "https://example.com/b?q=1");
        assert_eq!(url.origin(), "https://example.com");
        assert_eq!((url.host(), url.port(), url.target()), ("example.com", 443, "/b?q=1"));
        let url = parse("http://[::1]:8080");
        assert_eq!((url.authority(), url.host(), url.port(), url.target()), ("[::1]:8080", "[::1]", 8080, "/"));
        assert_eq!(url.ip(), Some("::1".parse().expect("literal")));
        let url = parse("http://[::1]/x?y");
        assert_eq!((url.host(), url.port()), ("[::1]", 80));
        assert_eq!(parse("http://2130706433/").host(), "127.0.0.1");
        assert_eq!(parse("http://a.example?x").target(), "/?x");
    }

    /// What the short cut takes must be exactly what the full rules would make of it.
    fn check_short_cut(text: &str) -> bool {
        let Some(path_at) = normal::path_at(text) else { return false };
        let (url, credentials) = WebUrl::parse_any(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((url.as_str(), url.path_at, credentials), (text, path_at, None));
        true
    }

    #[test]
    fn the_short_cut_takes_plain_urls_and_leaves_the_others() {
        for text in [
            "http://a.example/",
            "https://www.example.com/a/b.html?q=1&r=%20x",
            "http://localhost:8080/",
            "http://a-b.example:65535//x//y/?a[]=1?b",
            "http://127.0.0.1/",
            "http://127.0.0.1:8080/a?b",
            "https://a.example:80/~me/@x;y=z,(1)!$&*+:%2F",
        ] {
            assert!(check_short_cut(text), "{text} is plain");
        }
        for text in [
            "http://a.example",
            "http://a.example?x",
            "HTTP://a.example/",
            "http://A.example/",
            "http://a.example:80/",
            "https://a.example:443/",
            "http://a.example:/",
            "http://a.example:08080/",
            "http://a.example:0/",
            "http://a.example:65536/",
            "http://127.1/",
            "http://127.0.0.01/",
            "http://127.0.0.1./",
            "http://127.0.0.256/",
            "http://1/",
            "http://0x7f.1/",
            "http://a.0x/",
            "http://a.1./",
            "http://a..b/",
            "http://.a/",
            "http://xn--bcher-kva.example/",
            "http://me@a.example/",
            "http://me:x@a.example/",
            "http://[::1]/",
            "http://a.example/./b",
            "http://a.example/b/..",
            "http://a.example/%2E%2e/b",
            "http://a.example/a\\b",
            "http://a.example/#x",
            "http://a.example/a b",
            "http://a.example/é",
            "http://a.example/?a'b",
            "http://a.example/?é",
            "http:///a.example/",
            "ftp://a.example/",
            "",
        ] {
            assert!(!check_short_cut(text), "{text} is not plain");
        }
    }

    #[test]
    fn the_short_cut_is_right_about_every_pair_of_bytes_in_every_place() {
        let mut plain = 0;
        for pair in (0..128_u32 * 128).map(|n| [n / 128, n % 128].map(|byte| char::from_u32(byte).expect("ASCII"))) {
            let pair = String::from_iter(pair);
            for text in [
                format!("http://{pair}/"),
                format!("http://a.{pair}/"),
                format!("http://a{pair}b.example/"),
                format!("http://a.example:{pair}/"),
                format!("http://a.example{pair}/x"),
                format!("http://a.example/{pair}"),
                format!("http://a.example/x{pair}/y"),
                format!("http://a.example/%{pair}"),
                format!("http://a.example/?{pair}x"),
            ] {
                plain += usize::from(check_short_cut(&text));
            }
        }
        assert!(plain > 10_000, "only {plain} were plain");
    }

    proptest::proptest! {
        #[test]
        fn the_short_cut_agrees_with_the_full_rules(
            plain in "https?://[a-z0-9]{1,4}(\\.[a-z-]{1,4}){0,2}(:[1-9][0-9]{0,4}|:80|:443)?(/[a-zA-Z0-9_.%-]{0,5}){1,3}(\\?[a-z=&%]{0,6})?",
            odd in "[ -~]{1,2}|%2[eE]|/?\\.\\.?/|xn--|[0-9.]{1,4}|0x",
            place in proptest::prelude::any::<proptest::sample::Index>(),
        ) {
            check_short_cut(&plain);
            let at = place.index(plain.len());
            check_short_cut(&format!("{}{odd}{}", &plain[..at], &plain[at..]));
        }
    }

    #[test]
    fn credentials_leave_the_url() {
        let (url, credentials) = WebUrl::parse("http://me:secret@example.com/").expect("valid");
        assert_eq!(url.as_str(), "http://example.com/");
        let credentials = credentials.expect("present");
        assert_eq!((&*credentials.user, &*credentials.password), ("me", "secret"));
        assert!(!format!("{credentials:?}").contains("secret"));
    }

    #[test]
    fn each_bad_url_has_its_kind() {
        let kind = |text: &str| WebUrl::parse(text).expect_err(text).kind;
        assert_eq!(kind("ftp://example.com/"), FailureKind::UnsupportedScheme);
        assert_eq!(kind("http://"), FailureKind::EmptyHost);
        assert_eq!(kind("http://:80/"), FailureKind::EmptyHost);
        assert_eq!(kind("http://example.com:99999/"), FailureKind::BadPort);
        assert_eq!(kind("http://example.com:0/"), FailureKind::BadPort);
        assert_eq!(kind("example.com/path"), FailureKind::BadUrl);
        assert_eq!(kind("nonsense"), FailureKind::BadUrl);
        assert_eq!(kind("mailto:a@b"), FailureKind::UnsupportedScheme);
        assert_eq!(kind("ssh://me@a.example/"), FailureKind::UnsupportedScheme);
    }

    #[test]
    fn a_user_in_the_place_of_a_scheme_is_not_named() {
        for text in ["t0ken:x@a.example/", "t0ken:@a.example", "t0ken:x/y@a.example/"] {
            let error = WebUrl::parse(text).expect_err(text);
            assert_eq!((error.kind, &*error.message), (FailureKind::BadUrl, NO_SCHEME), "{text}");
        }
    }

    #[test]
    fn a_second_scheme_is_no_host() {
        for text in [
            "http://http://a.example/",
            "http://https://me:pw@a.example/",
            "https://http://me:pw@a.example/",
            "http:http://a.example/",
            "http:/http://a.example/",
            "HTTP://HTTP://a.example/",
            "http:\\\\http:\\\\a.example/",
            "http://ftp://a.example/",
            "http://www.http://a.example/",
            "http://x://me:pw@a.example/",
            "https://https//me:pw@a.example/",
            "http://http//me:pw@a.example/",
            "http://HTTP//me:pw@a.example/",
            "http://http/me:pw@a.example/",
            "http://http:/me:pw@a.example/",
            "http://http:80//me:pw@a.example/",
            "https://https//:me:pw@a.example/",
            "http://http;//me:pw@a.example/",
            "http://http.//me:pw@a.example/",
            "http://http,//me:pw@a.example/",
            "http://www.http//me:pw@a.example/",
            "http://http//t0ken@a.example/",
            "http://http//me:p/w@a.example/",
            "http://http//me:p?w@a.example/",
            "http://http//me:pw%40a.example/",
            "http://http//me:pw\u{ff20}a.example/",
        ] {
            let error = WebUrl::parse(text).expect_err(text);
            assert!(error.kind == FailureKind::BadUrl && error.message.contains("second scheme"), "{text}: {error}");
            let base = parse("http://b.example/");
            // One slash or none, and the scheme of the base: a path.
            if !text.starts_with("http:h") && !text.starts_with("http:/h") {
                assert!(base.join(text).is_err(), "{text}");
            }
        }
        for text in [
            "http://http/",
            "http://http//a.example/",
            "http://a.example/http://b.example/",
            "http://a.example//b:c@d/",
            "http://a.example:80//x",
            "http://a.example:/x",
            "http://a.example?u=http://b.example//",
            "http://example.com://a",
            "http://example.ws://a",
            "http://example.com://~me@home/",
            "http://localhost://",
            "http://http/@me",
            "http://http/x?q=me@home",
            "http://http/x/~me@home",
            "http://ftp/me@home",
        ] {
            assert!(WebUrl::parse(text).is_ok(), "{text}");
        }
        assert_eq!(parse("http://example.com://a").as_str(), "http://example.com//a", "an empty port is the usual one");
        let join = |reference| parse("http://b.example/").join(reference);
        assert!(join("//http//me:pw@a.example/").is_err() && join("//http://me:pw@a.example/").is_err());
        assert!(join("//a.example://b").is_ok());
        assert_eq!(parse("http://b.example/").join("/x://y").expect("a path").0.as_str(), "http://b.example/x://y");
    }

    #[test]
    fn a_target_as_long_as_can_be_sent_is_a_url_and_a_longer_one_is_told_its_length() {
        let of = |target: usize, more: &str| format!("http://a.example/{}{more}", "x".repeat(target - 1));
        for more in ["", "#top"] {
            let longest = parse(&of(LONGEST_TARGET, more));
            assert!(http::uri::PathAndQuery::try_from(longest.target()).is_ok());
            let error = WebUrl::parse(&of(LONGEST_TARGET + 1, more)).expect_err("longer");
            assert_eq!(error.kind, FailureKind::BadUrl);
            assert!(error.message.contains("65535 bytes of 65551, and at most 65534"), "{error}");
        }
        assert!(http::uri::PathAndQuery::try_from(&*"/".repeat(LONGEST_TARGET + 1)).is_err());
        let unencoded = format!("http://a.example/{}", "é".repeat(LONGEST_TARGET / 6 + 1));
        assert!(WebUrl::parse(&unencoded).is_err(), "its length is that of what is sent");
        assert!(parse("http://a.example/").join(&of(LONGEST_TARGET + 1, "")).is_err());
    }

    #[test]
    fn a_host_has_no_longer_name_than_names_can_have() {
        let of = |length: usize| ["a.", &"b".repeat(length - 2)].concat();
        for (host, fits) in [(254, true), (255, false), (100_000, false)] {
            for url in [format!("http://{}/", of(host)), format!("https://u:p@{}:8443/x", of(host).to_uppercase())] {
                let parsed = WebUrl::parse(&url);
                assert_eq!(parsed.is_ok(), fits, "{host}");
                assert!(parsed.err().is_none_or(|error| error.kind == FailureKind::BadUrl));
            }
            assert_eq!(parse("http://a.example/").join(&format!("//{}/", of(host))).is_ok(), fits, "{host}");
        }
    }

    #[test]
    fn a_reference_is_resolved_as_the_url_standard_says() {
        let base = parse("http://a.example/x/y?q");
        for (reference, expected) in [
            ("///b.example/p", "http://b.example/p"),
            ("////b.example/p", "http://b.example/p"),
            ("//b.example/p", "http://b.example/p"),
            ("\\\\b.example\\p", "http://b.example/p"),
            ("/\\b.example/p", "http://b.example/p"),
            ("\\/b.example/p", "http://b.example/p"),
            ("/\\/b.example/p", "http://b.example/p"),
            (" \t///b.example/p \n", "http://b.example/p"),
            ("/\t/\n/b.example/p", "http://b.example/p"),
            ("///b.example:8080//p", "http://b.example:8080//p"),
            ("///me:pw@b.example/", "http://b.example/"),
            ("http:///b.example/p", "http://b.example/p"),
            ("http:\\\\\\b.example/p", "http://b.example/p"),
            ("https:///b.example/p", "https://b.example/p"),
            ("https:b.example/p", "https://b.example/p"),
            ("https:/b.example/p", "https://b.example/p"),
            ("http:p", "http://a.example/x/p"),
            ("http:/p", "http://a.example/p"),
            ("http:?p", "http://a.example/x/y?p"),
            ("http:", "http://a.example/x/y?q"),
            ("\\p", "http://a.example/p"),
            ("..\\p", "http://a.example/p"),
            ("/a//b///c", "http://a.example/a//b///c"),
            ("?///b.example", "http://a.example/x/y?///b.example"),
            ("#top", "http://a.example/x/y?q"),
            ("p q", "http://a.example/x/p%20q"),
            ("/\tp\r\nq", "http://a.example/pq"),
        ] {
            let (url, _) = base.join(reference).unwrap_or_else(|error| panic!("{reference:?}: {error}"));
            assert_eq!(url.as_str(), expected, "{reference:?}");
        }
        for nowhere in ["//", "///", "\\\\", "///?x", "///:80/", "http:///", "//b.example:99999/", "///%00/"] {
            assert!(base.join(nowhere).is_err(), "{nowhere}");
        }
    }

    #[test]
    fn control_characters_are_refused_with_their_place_wherever_they_stand() {
        for text in ["http://a.\0b/", "http://a.example/\r\nx: y", "http://a.example/?q=\t1", "\u{1}http://a.example/"]
        {
            let error = WebUrl::parse(text).expect_err(text);
            let place = text.find(|c: char| c.is_ascii_control()).expect("one") + 1;
            assert_eq!(error.kind, FailureKind::BadUrl);
            assert!(error.message.contains(&format!("at its byte {place};")), "{}", error.message);
        }
        assert_eq!(parse(" http://a.example/\r\n").as_str(), "http://a.example/", "around it they are white space");
        assert_eq!(parse("http://a.example/%0D%0Ax").target(), "/%0D%0Ax");
    }

    #[test]
    fn a_location_is_resolved_against_the_url() {
        let base = parse("http://a.example/x/y?q");
        assert_eq!(base.join("../z").expect("relative").0.as_str(), "http://a.example/z");
        assert_eq!(base.join("//b.example/").expect("scheme-relative").0.as_str(), "http://b.example/");
        assert_eq!(base.join("javascript:alert(1)").expect_err("scheme").kind, FailureKind::UnsupportedScheme);
    }
}
