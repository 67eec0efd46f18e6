//! Which rule holds for a host: the first whose pattern matches it.
//!
//! Owns the patterns' syntax. Asked once per host, when it is first seen. Must not know: shards, schedulers.

use std::error::Error;
use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::config::HostRule;
use crate::model::WebUrl;

/// The rules of a run, in their order, ready to be asked which holds for a host.
///
/// ```
/// use haul::config::HostRule;
/// use haul::engine::Rules;
/// use haul::model::WebUrl;
///
/// let slow = HostRule { pattern: "*.slow.example".into(), concurrency: 2.try_into().ok(), ..HostRule::default() };
/// let rules = Rules::new(vec![slow])?;
/// let (url, _) = WebUrl::parse("http://a.slow.example/")?;
/// assert_eq!(rules.of(&url).and_then(|rule| rule.concurrency), 2.try_into().ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Rules {
    /// Those for any port, and those for one.
    hosts: Patterns,
    ports: Patterns,
    rules: Vec<HostRule>,
}

impl Rules {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// A pattern can't be used; the message says why.
    pub fn new(rules: Vec<HostRule>) -> Result<Self, PatternError> {
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for (rule, number) in rules.iter().zip(0..) {
            let (glob, has_port) = compile(&rule.pattern)?;
            if has_port { &mut ports } else { &mut hosts }.push((glob, number));
        }
        Ok(Self { hosts: Patterns::new(hosts)?, ports: Patterns::new(ports)?, rules })
    }

    /// The first rule for the URL's host.
    #[must_use]
    pub fn of(&self, url: &WebUrl) -> Option<&HostRule> {
        self.get(self.find(url)?)
    }

    /// The number of the first rule for the URL's host.
    pub(super) fn find(&self, url: &WebUrl) -> Option<RuleId> {
        if self.rules.is_empty() {
            return None;
        }
        let of_port = || self.ports.first(&format!("{}:{}", url.host(), url.port()));
        self.hosts.first(url.host()).into_iter().chain(of_port()).min().and_then(RuleId::of)
    }

    /// The rule with this number.
    pub(super) fn get(&self, number: RuleId) -> Option<&HostRule> {
        self.rules.get(number.index())
    }
}

/// Some of the patterns, which are asked together, and the number of each one's rule. Most need no regular expression, and so there may
/// be any number of them: names, and `*` before or after one.
#[derive(Debug)]
struct Patterns {
    set: GlobSet,
    numbers: Vec<usize>,
}

impl Patterns {
    fn new(globs: Vec<(Glob, usize)>) -> Result<Self, PatternError> {
        let mut set = GlobSetBuilder::new();
        let mut numbers = Vec::with_capacity(globs.len());
        for (glob, number) in globs {
            set.add(glob);
            numbers.push(number);
        }
        let too_many = |error| PatternError {
            message: format!("{} host patterns are too many: {error}", numbers.len()).into(),
            glob: Some(error),
        };
        Ok(Self { set: set.build().map_err(too_many)?, numbers })
    }

    /// The number of the first rule that matches.
    fn first(&self, host: &str) -> Option<usize> {
        self.set.matches(host).first().map(|index| self.numbers[*index])
    }
}

/// A rule's number, counted from 1: each host keeps one or none, and "none" takes no room then.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleId(NonZeroU32);

impl RuleId {
    fn of(index: usize) -> Option<Self> {
        u32::try_from(index + 1).ok().and_then(NonZeroU32::new).map(Self)
    }

    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Whether `pattern` can stand in a [`HostRule`].
///
/// # Errors
/// It can't; the message says why and how to write it.
///
/// ```
/// use haul::engine::check_pattern;
///
/// assert!(check_pattern("*.example.com").is_ok() && check_pattern("[::1]:8080").is_ok());
/// assert!(check_pattern("https://example.com/").is_err());
/// ```
pub fn check_pattern(pattern: &str) -> Result<(), PatternError> {
    compile(pattern).map(drop)
}

/// The pattern as a glob on the host, or, if it has a port (the second), on `host:port`.
fn compile(pattern: &str) -> Result<(Glob, bool), PatternError> {
    let wrong = |why: &str| Err(PatternError::new(pattern, &why));
    if pattern.is_empty() {
        return wrong("it matches no host; write * for all hosts");
    }
    if pattern.contains('/') {
        return wrong("a host has no scheme and no path; write it like example.com or *.example.com:8080");
    }
    if !pattern.is_ascii() || pattern.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return wrong("host names are compared in ASCII; write xn--… for others");
    }
    let (host, port) = split(pattern);
    let host = if is_ipv6(host) { globset::escape(host) } else { host.to_owned() };
    let whole = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    // The hosts of URLs are in lower case, and what minds no case always needs a regular expression.
    let glob = GlobBuilder::new(&whole.to_ascii_lowercase()).empty_alternates(true).build();
    Ok((glob.map_err(|error| PatternError::of_glob(pattern, error))?, port.is_some()))
}

/// Host and port, unless it may be any.
fn split(pattern: &str) -> (&str, Option<&str>) {
    match pattern.rsplit_once(':') {
        Some((host, "*")) => (host, None),
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (pattern, None),
    }
}

/// An IPv6 address in brackets, which are not a choice of characters here.
fn is_ipv6(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bare.is_some_and(|bare| bare.parse::<Ipv6Addr>().is_ok())
}

/// Why a pattern can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    message: Box<str>,
    /// Of a pattern that is written like one.
    glob: Option<globset::Error>,
}

impl PatternError {
    fn new(pattern: &str, why: &dyn fmt::Display) -> Self {
        Self { message: format!("host pattern '{pattern}': {why}").into(), glob: None }
    }

    fn of_glob(pattern: &str, error: globset::Error) -> Self {
        Self { glob: Some(error.clone()), ..Self::new(pattern, error.kind()) }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for PatternError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.glob.as_ref().map(|error| error as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(patterns: &[&str]) -> Rules {
        let rule = |pattern: &&str| HostRule { pattern: (*pattern).to_owned(), ..HostRule::default() };
        Rules::new(patterns.iter().map(rule).collect()).expect("good patterns")
    }

    fn find(patterns: &[&str], url: &str) -> Option<usize> {
        rules(patterns).find(&WebUrl::parse(url).expect("valid").0).map(RuleId::index)
    }

    #[test]
    fn the_first_match_counts() {
        let patterns = ["api.example.com", "*.Example.com", "127.0.0.?", "*"];
        for (url, number) in [
            ("https://api.example.com/x", 0),
            ("http://a.b.example.com/", 1),
            ("http://example.com/", 3),
            ("http://127.0.0.7:81/", 2),
            ("http://127.0.0.17/", 3),
        ] {
            assert_eq!(find(&patterns, url), Some(number), "{url}");
        }
        assert_eq!(find(&["a.example"], "http://b.example/"), None);
        assert_eq!(find(&[], "http://b.example/"), None);
    }

    #[test]
    fn a_port_counts_only_where_one_is_given() {
        let patterns = ["a.example:8080", "a.example:443", "*:81"];
        let find = |url| find(&patterns, url);
        assert_eq!(find("http://a.example:8080/"), Some(0));
        assert_eq!(find("https://a.example/"), Some(1), "the scheme's own port is a port");
        assert_eq!(find("http://b.example:81/"), Some(2));
        assert_eq!(find("http://a.example/"), None);
    }

    #[test]
    fn names_with_and_without_what_stands_before_and_addresses_in_brackets() {
        assert_eq!(find(&["{,*.}example.com"], "http://example.com/"), Some(0));
        assert_eq!(find(&["{,*.}example.com"], "http://www.example.com/"), Some(0));
        assert_eq!(find(&["{,*.}example.com"], "http://myexample.com/"), None);
        assert_eq!(find(&["[::1]"], "http://[::1]:8080/"), Some(0));
        assert_eq!(find(&["[::1]:80"], "http://[::1]:8080/"), None);
        assert_eq!(find(&["[ab].example"], "http://b.example/"), Some(0));
    }

    #[test]
    fn there_may_be_tens_of_thousands() {
        for pattern in ["h#.example", "*.h#.example", "H#.example:*", "h#.example:80", "h#.*"] {
            let patterns: Vec<_> = (0..20_000).map(|number| pattern.replace('#', &number.to_string())).collect();
            let patterns: Vec<_> = patterns.iter().map(String::as_str).collect();
            let url = format!("http://{}h19999.example/", if pattern.starts_with('*') { "a." } else { "" });
            assert_eq!(find(&patterns, &url), Some(19_999), "{pattern}");
        }
    }

    #[test]
    fn too_many_that_are_hard_are_counted_and_not_repeated() {
        let rule = |number| HostRule { pattern: format!("{{,*.}}h{number}.ex?mple"), ..HostRule::default() };
        let message = Rules::new((0..20_000).map(rule).collect()).map(drop).expect_err("too many").to_string();
        assert!(message.starts_with("20000 host patterns are too many: ") && message.len() < 200, "{message}");
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        for (pattern, part) in [
            ("", "write *"),
            ("http://a.example", "no scheme"),
            ("a.example/x", "no path"),
            ("bücher.example", "xn--"),
            ("a example", "ASCII"),
            ("a[.example", "unclosed"),
            ("{a,b", "unclosed"),
        ] {
            let message = check_pattern(pattern).expect_err(pattern).to_string();
            assert!(message.contains(part) && message.contains(&format!("'{pattern}'")), "{message}");
        }
    }
}
