//! One URL to fetch, normalised by the WHATWG rules and split where the engine needs it split.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;

use url::Url;

use super::control::Control;
use super::failure::FailureKind;
use super::normal;

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
    /// [`UrlError`] says what is wrong with it and how to mend it.
    pub fn parse(input: &str) -> Result<(Self, Option<Credentials>), UrlError> {
        match normal::path_at(input) {
            Some(path_at) => Ok((Self { text: input.into(), path_at }, None)),
            None => Self::parse_any(input),
        }
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
        Self::from_url(Url::parse(input).map_err(|error| UrlError::from_parse(error, input))?)
    }

    /// Resolves `reference` (a `Location` value) against this URL.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn join(&self, reference: &str) -> Result<(Self, Option<Credentials>), UrlError> {
        let base = Url::parse(&self.text).map_err(|error| UrlError::from_parse(error, &self.text))?;
        Self::from_url(base.join(reference).map_err(|error| UrlError::from_parse(error, reference))?)
    }

    fn from_url(mut url: Url) -> Result<(Self, Option<Credentials>), UrlError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlError::scheme(url.scheme()));
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
        let path_at = u32::try_from(url[..path_at].len())
            .map_err(|_| UrlError::new(FailureKind::BadUrl, "the URL is longer than 4 GiB"))?;
        Ok((Self { text: String::from(url).into_boxed_str(), path_at }, credentials))
    }

    /// The root of an origin that [`Self::origin`] gave.
    #[cfg(feature = "net")]
    pub(crate) fn root_of(origin: &str) -> Self {
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
    /// What is wrong and how to mend it.
    pub message: Box<str>,
}

impl UrlError {
    fn new(kind: FailureKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: message.into() }
    }

    fn scheme(scheme: &str) -> Self {
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
                let hint = if looks_like_host { "; write it with its scheme, as https://host/path" } else { "" };
                Self::new(FailureKind::BadUrl, format!("not an absolute URL{hint}"))
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
