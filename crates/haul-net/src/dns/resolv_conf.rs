//! `/etc/resolv.conf`, read as glibc's resolver reads it, faults included, so that haul asks whom curl asks. Pure.
//!
//! glibc has no word for a line it can't use: it passes over it, and asks this machine when no name server is left.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

/// glibc's MAXNS: further name servers are not asked.
const MAX_SERVERS: usize = 3;
/// glibc has no bound any more; each domain may cost every name that does not exist two questions.
const MAX_DOMAINS: usize = 64;
/// glibc's RES_MAXNDOTS, RES_MAXRETRANS and RES_MAXRETRY.
const MAX_DOTS: i32 = 15;
const MAX_TIMEOUT: i32 = 30;
const MAX_ATTEMPTS: i32 = 5;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ResolvConf {
    /// The name servers it names; see [`Self::asked`].
    pub(super) servers: Vec<SocketAddr>,
    /// Domains to look for a name in, without their final dots; the root is empty.
    pub(super) search: Vec<Box<str>>,
    pub(super) options: ResolvOptions,
}

/// The options that mean something here. Others (`debug`, `inet6`, `edns0`, which always holds, and the like) don't.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "resolv.conf's own switches, each by its name")]
pub(super) struct ResolvOptions {
    /// A name with as many dots is asked for as it is before it is searched for.
    pub(super) ndots: usize,
    /// How long a server is given before the next one is asked.
    pub(super) timeout: Option<Duration>,
    /// How often each server is asked.
    pub(super) attempts: Option<u32>,
    /// Begin with another server each time.
    pub(super) rotate: bool,
    /// Ask over TCP.
    pub(super) use_vc: bool,
    /// Ask for AAAA when A is answered, not at once.
    pub(super) single_request: bool,
    /// Don't ask for AAAA.
    pub(super) no_aaaa: bool,
    /// Keep to what the file said first.
    pub(super) no_reload: bool,
    /// Don't ask for a name without a dot as it is when it was searched for.
    pub(super) no_tld_query: bool,
    /// Ask for the AD bit.
    pub(super) trust_ad: bool,
}

impl Default for ResolvOptions {
    fn default() -> Self {
        Self {
            ndots: 1,
            timeout: None,
            attempts: None,
            rotate: false,
            use_vc: false,
            single_request: false,
            no_aaaa: false,
            no_reload: false,
            no_tld_query: false,
            trust_ad: false,
        }
    }
}

impl ResolvConf {
    /// Reads the file's text. `hostname` gives the search domain where none is named; `interface` the number of a
    /// network interface, for an IPv6 address that needs one.
    pub(super) fn parse(text: &[u8], hostname: &str, interface: impl Fn(&str) -> Option<u32>) -> Self {
        let mut conf = Self::default();
        let mut searches = false;
        for line in String::from_utf8_lossy(text).split('\n') {
            // A file from Windows: glibc would make the CR part of the last word.
            let line = line.strip_suffix('\r').unwrap_or(line);
            // The keyword begins the line and ends with a blank; all else is a comment, or as good as one.
            let Some((keyword, rest)) = line.split_once([' ', '\t']) else { continue };
            let mut words = rest.split([' ', '\t']).filter(|word| !word.is_empty());
            match keyword {
                "nameserver" => {
                    let server = words.next().and_then(|word| server(word, &interface));
                    conf.servers.extend(server.filter(|_| conf.servers.len() < MAX_SERVERS));
                }
                // The last of these lines that names anything holds.
                "domain" | "search" => {
                    let most = if keyword == "domain" { 1 } else { MAX_DOMAINS };
                    let named: Vec<Box<str>> = words.take(most).map(domain).collect();
                    if !named.is_empty() {
                        (conf.search, searches) = (named, true);
                    }
                }
                "options" => conf.options.set_all(rest),
                _ => {}
            }
        }
        if !searches {
            let own = hostname.split_once('.').map(|(_, domain)| domain).filter(|domain| !domain.is_empty());
            conf.search.extend(own.map(domain));
        }
        conf
    }

    /// The same, with these domains in the place of the file's, if there are any, and these options beside the file's.
    pub(super) fn with(mut self, search: &[String], options: &str) -> Self {
        if !search.is_empty() {
            self.search = search.iter().take(MAX_DOMAINS).map(|word| domain(word)).collect();
        }
        self.options.set_all(options);
        self
    }

    /// The servers that are asked: this machine's when the file names none.
    pub(super) fn asked(&self) -> Vec<SocketAddr> {
        if self.servers.is_empty() { vec![(Ipv4Addr::LOCALHOST, 53).into()] } else { self.servers.clone() }
    }
}

impl ResolvOptions {
    fn set_all(&mut self, mut text: &str) {
        let blank = |c: char| c == ' ' || c == '\t';
        loop {
            text = text.trim_start_matches(blank);
            if text.is_empty() {
                return;
            }
            self.set(text);
            text = text.find(blank).map_or("", |end| &text[end..]);
        }
    }

    /// Sets the option that `word` begins with. Each is known by its own beginning, as in glibc: longer names first.
    fn set(&mut self, word: &str) {
        if let Some(number) = word.strip_prefix("ndots:") {
            // glibc keeps four bits, of a negative number, too.
            self.ndots = usize::try_from(atoi(number).min(MAX_DOTS) & 15).unwrap_or_default();
        } else if let Some(number) = word.strip_prefix("timeout:") {
            let seconds = atoi(number).clamp(1, MAX_TIMEOUT).unsigned_abs();
            self.timeout = Some(Duration::from_secs(seconds.into()));
        } else if let Some(number) = word.strip_prefix("attempts:") {
            self.attempts = Some(atoi(number).clamp(1, MAX_ATTEMPTS).unsigned_abs());
        } else if word.starts_with("rotate") {
            self.rotate = true;
        } else if word.starts_with("use-vc") {
            self.use_vc = true;
        } else if word.starts_with("single-request-reopen") {
            // Each family has a socket of its own here anyway.
        } else if word.starts_with("single-request") {
            self.single_request = true;
        } else if word.starts_with("no-aaaa") {
            self.no_aaaa = true;
        } else if word.starts_with("no-reload") {
            self.no_reload = true;
        } else if word.starts_with("no-tld-query") || word.starts_with("no_tld_query") {
            self.no_tld_query = true;
        } else if word.starts_with("trust-ad") {
            self.trust_ad = true;
        }
    }
}

fn domain(word: &str) -> Box<str> {
    let word = word.strip_prefix('.').unwrap_or(word);
    word.strip_suffix('.').unwrap_or(word).into()
}

/// The number a text begins with, as glibc's `atoi` reads it: behind white space, with a sign, the lower half of 64 bits; 0 for none.
fn atoi(text: &str) -> i32 {
    let text = text.trim_start_matches(|c: char| c == '\x0b' || c.is_ascii_whitespace());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
    let end = if digits == 0 { 0 } else { text.len() - unsigned.len() + digits };
    let (number, bound) = (&text[..end], if text.starts_with('-') { i64::MIN } else { i64::MAX });
    let number: i64 = if end == 0 { 0 } else { number.parse().unwrap_or(bound) };
    i32::from_be_bytes(*number.to_be_bytes().last_chunk().expect("four of eight"))
}

fn server(word: &str, interface: impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    if let Some(address) = inet_aton(word) {
        return Some((address, 53).into());
    }
    let (address, zone) = word.split_once('%').map_or((word, None), |(address, zone)| (address, Some(zone)));
    let address: Ipv6Addr = address.parse().ok()?;
    // glibc takes an address whose zone it does not know without one.
    let scope = zone.and_then(|zone| zone.parse().ok().or_else(|| interface(zone))).unwrap_or(0);
    Some(SocketAddrV6::new(address, 53, 0, scope).into())
}

/// An IPv4 address in any form that C's `inet_aton` knows: up to four numbers, decimal, octal or hexadecimal.
fn inet_aton(word: &str) -> Option<IpAddr> {
    let mut parts = word.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let last = parts.pop()?;
    if parts.len() > 3 || parts.iter().any(|part| *part > 255) {
        return None;
    }
    let bits = 32 - 8 * u32::try_from(parts.len()).ok()?;
    if bits < 32 && last >> bits != 0 {
        return None;
    }
    let high = parts.iter().enumerate().fold(0, |high, (at, part)| high | part << (24 - 8 * at));
    Some(Ipv4Addr::from_bits(high | last).into())
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    // `from_str_radix` takes a sign, too.
    if digits.starts_with(['+', '-']) { None } else { u32::from_str_radix(digits, radix).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ResolvConf {
        ResolvConf::parse(text.as_bytes(), "web", |name| (name == "eth0").then_some(7))
    }

    fn servers(text: &str) -> Vec<String> {
        parse(text).servers.iter().map(ToString::to_string).collect()
    }

    fn search(text: &str) -> Vec<String> {
        parse(text).search.iter().map(|domain| (**domain).to_owned()).collect()
    }

    #[test]
    fn name_servers_are_read_as_glibc_reads_them() {
        for (text, expected) in [
            ("nameserver 192.0.2.1\nnameserver 192.0.2.2", &["192.0.2.1:53", "192.0.2.2:53"][..]),
            ("nameserver\t192.0.2.1", &["192.0.2.1:53"]),
            ("nameserver   192.0.2.1  and more", &["192.0.2.1:53"]),
            ("nameserver 2001:db8::1", &["[2001:db8::1]:53"]),
            ("nameserver fe80::1%eth0", &["[fe80::1%7]:53"]),
            ("nameserver fe80::1%3", &["[fe80::1%3]:53"]),
            ("nameserver fe80::1%none", &["[fe80::1]:53"]),
            ("nameserver 127.1", &["127.0.0.1:53"]),
            ("nameserver 0x7f.0.0.010", &["127.0.0.8:53"]),
            ("nameserver 2130706433", &["127.0.0.1:53"]),
            // A fourth is not asked.
            (
                "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4",
                &["10.0.0.1:53", "10.0.0.2:53", "10.0.0.3:53"],
            ),
            // From Windows.
            ("nameserver 192.0.2.1\r\nsearch a.test\r\n", &["192.0.2.1:53"]),
            // None of these is a name server.
            ("# nameserver 192.0.2.1\n;nameserver 192.0.2.2", &[]),
            (" nameserver 192.0.2.1", &[]),
            ("Nameserver 192.0.2.1", &[]),
            ("nameserver192.0.2.1", &[]),
            ("nameservers 192.0.2.1", &[]),
            ("nameserver", &[]),
            ("nameserver ", &[]),
            ("nameserver 192.0.2.1#53", &[]),
            ("nameserver 192.0.2.1:53", &[]),
            ("nameserver [::1]:53", &[]),
            ("nameserver 1.2.3.4.5", &[]),
            ("nameserver 1.2.3.256", &[]),
            ("nameserver 256.1.1.1", &[]),
            ("nameserver +1.2.3.4", &[]),
            ("nameserver ns.test", &[]),
            ("", &[]),
        ] {
            assert_eq!(servers(text), expected, "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_spoil_their_line_alone() {
        let conf = ResolvConf::parse(b"\xff\xfe\nnameserver 192.0.2.1\0\nnameserver 192.0.2.2", "web", |_| None);
        assert_eq!(conf.servers, ["192.0.2.2:53".parse().unwrap()]);
    }

    #[test]
    fn without_a_name_server_this_machine_is_asked() {
        assert_eq!(parse("search a.test").asked(), ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!(parse("nameserver 192.0.2.1").asked(), ["192.0.2.1:53".parse().unwrap()]);
    }

    #[test]
    fn the_last_search_or_domain_line_that_names_anything_holds() {
        for (text, expected) in [
            ("search a.test b.test", &["a.test", "b.test"][..]),
            ("search\ta.test  \t b.test ", &["a.test", "b.test"]),
            ("search a.test\nsearch b.test", &["b.test"]),
            ("search a.test\ndomain b.test", &["b.test"]),
            ("domain a.test\nsearch b.test c.test", &["b.test", "c.test"]),
            ("domain a.test b.test", &["a.test"]),
            ("search a.test\nsearch \ndomain ", &["a.test"]),
            ("search a.test. .b.test", &["a.test", "b.test"]),
            ("search .", &[""]),
            ("search a.test\r\n", &["a.test"]),
            ("options ndots:2", &[]),
        ] {
            assert_eq!(search(text), expected, "{text:?}");
        }
        let many = format!("search{}", " a.test".repeat(100));
        assert_eq!(search(&many).len(), MAX_DOMAINS);
    }

    #[test]
    fn the_host_s_own_domain_is_searched_where_none_is_named() {
        for (hostname, expected) in [("web.corp.test", &["corp.test"][..]), ("web", &[]), ("web.", &[])] {
            let conf = ResolvConf::parse(b"nameserver 192.0.2.1", hostname, |_| None);
            assert_eq!(conf.search, expected.iter().map(|text| Box::from(*text)).collect::<Vec<_>>(), "{hostname}");
        }
        assert_eq!(ResolvConf::parse(b"search a.test", "web.corp.test", |_| None).search, [Box::from("a.test")]);
    }

    #[test]
    fn options_are_known_by_their_beginnings_and_bounded() {
        let options = |text: &str| parse(&format!("options {text}")).options;
        let of = |change: fn(&mut ResolvOptions)| {
            let mut options = ResolvOptions::default();
            change(&mut options);
            options
        };
        for (text, expected) in [
            ("", of(|_| {})),
            ("ndots:5", of(|o| o.ndots = 5)),
            ("ndots:0", of(|o| o.ndots = 0)),
            ("ndots:99", of(|o| o.ndots = 15)),
            ("ndots:99999999999", of(|o| o.ndots = 15)),
            ("ndots:99999999999999999999", of(|o| o.ndots = 15)),
            ("ndots:4294967298", of(|o| o.ndots = 2)),
            ("ndots:x", of(|o| o.ndots = 0)),
            ("ndots:-1", of(|o| o.ndots = 15)),
            ("ndots:-14", of(|o| o.ndots = 2)),
            ("ndots:-", of(|o| o.ndots = 0)),
            ("ndots:+3", of(|o| o.ndots = 3)),
            ("ndots:+-3", of(|o| o.ndots = 0)),
            // A blank before a number is passed over, as far as it is one.
            ("ndots: 2", of(|o| o.ndots = 2)),
            ("ndots:\t 2 rotate", of(|o| (o.ndots, o.rotate) = (2, true))),
            ("ndots: rotate", of(|o| (o.ndots, o.rotate) = (0, true))),
            ("ndots :2", of(|_| {})),
            ("timeout: 2 attempts: 4", of(|o| (o.timeout, o.attempts) = (Some(Duration::from_secs(2)), Some(4)))),
            ("timeout:-1 attempts:-1", of(|o| (o.timeout, o.attempts) = (Some(Duration::from_secs(1)), Some(1)))),
            ("ndots:3x", of(|o| o.ndots = 3)),
            ("ndots", of(|_| {})),
            ("timeout:2 attempts:4", of(|o| (o.timeout, o.attempts) = (Some(Duration::from_secs(2)), Some(4)))),
            ("timeout:0 attempts:0", of(|o| (o.timeout, o.attempts) = (Some(Duration::from_secs(1)), Some(1)))),
            ("timeout:99 attempts:99", of(|o| (o.timeout, o.attempts) = (Some(Duration::from_secs(30)), Some(5)))),
            ("rotate use-vc", of(|o| (o.rotate, o.use_vc) = (true, true))),
            ("single-request", of(|o| o.single_request = true)),
            ("single-request-reopen", of(|_| {})),
            ("no-aaaa\tno-reload no-tld-query", of(|o| (o.no_aaaa, o.no_reload, o.no_tld_query) = (true, true, true))),
            ("trust-ad edns0 inet6 debug unknown:1", of(|o| o.trust_ad = true)),
            ("rotate\noptions ndots:2", of(|o| (o.rotate, o.ndots) = (true, 2))),
        ] {
            assert_eq!(options(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_the_environment_says_comes_before_the_file() {
        let conf = parse("search a.test\noptions ndots:2 rotate").with(&["b.test.".to_owned()], "ndots:5 no-aaaa");
        assert_eq!(conf.search, [Box::from("b.test")]);
        assert_eq!((conf.options.ndots, conf.options.rotate, conf.options.no_aaaa), (5, true, true));
        // An empty domain is the root: the name as it is.
        assert_eq!(parse("search a.test").with(&[String::new()], "").search, [Box::from("")]);
        assert_eq!(parse("search a.test").with(&[], ""), parse("search a.test"));
    }
}
