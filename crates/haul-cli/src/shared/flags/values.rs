//! Texts to typed values: each parser takes one flag's text, or says what is wrong with it and how to fix it.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use haul::config::{ConnectTo, Rate, ResolveRule};
use haul::model::WebUrl;
use haul::source;
use http::{HeaderName, HeaderValue, Method};

/// A time: `10s`, `250ms`, `1m30s`; a plain number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).trim_end().parse();
    seconds
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .or_else(|| humantime::parse_duration(text).ok())
        .ok_or_else(|| "not a time; write it like 10s, 250ms or 1m30s".to_owned())
}

/// A time that can run out.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("a time-out of 0 would fail everything; give a time like 10s".to_owned()),
        time => Ok(time),
    }
}

/// HTTP statuses, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statuses(pub(crate) Vec<u16>);

/// Statuses from 400 to 599 with commas between, or `none`.
pub(crate) fn statuses(text: &str) -> Result<Statuses, String> {
    if text == "none" {
        return Ok(Statuses(Vec::new()));
    }
    let status = |text: &str| text.trim().parse().ok().filter(|status| (400..600).contains(status));
    let statuses: Option<_> = text.split(',').map(status).collect();
    statuses.map(Statuses).ok_or_else(|| "not statuses; write numbers from 400 to 599 like 429,503, or none".to_owned())
}

/// Two times, the first of which is not longer: `500ms..60s`.
pub(crate) fn back_off(text: &str) -> Result<(Duration, Duration), String> {
    let (first, longest) =
        text.split_once("..").ok_or("not two times; write them like 500ms..60s, or 0..0 for no wait")?;
    let (first, longest) = (duration(first)?, duration(longest)?);
    if first > longest { Err("the first wait is longer than the longest".to_owned()) } else { Ok((first, longest)) }
}

/// A size in bytes: `2MiB` (1,048,576 each), `64k` (1,000 each), `1_000_000`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    parse_size::parse_size(text).map_err(|_| "not a size; write it like 2MiB, 64k or 1_000_000".to_owned())
}

/// How many, at least one.
pub(crate) fn count(text: &str) -> Result<NonZeroU32, String> {
    text.replace('_', "").parse().map_err(|_| format!("not a whole number from 1 to {}", u32::MAX))
}

/// So many per second, minute or hour.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match unit.trim() {
        "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let number: Option<f64> = number.trim().parse().ok();
    number
        .zip(seconds)
        .and_then(|(number, seconds)| Rate::new(number / seconds))
        .ok_or_else(|| "not a rate above 0; write it like 100, 100/s, 30/m or 1000/h".to_owned())
}

/// An HTTP method.
pub(crate) fn method(text: &str) -> Result<Method, String> {
    source::method(text).map_err(|error| error.to_string())
}

/// A header: `Name: value`, or `Name;` for an empty value.
pub(crate) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = match (text.split_once(':'), text.strip_suffix(';')) {
        (Some((name, value)), _) if !value.trim().is_empty() => (name, value),
        (None, Some(name)) => (name, ""),
        _ => return Err("not a header; write 'Name: value', or 'Name;' for an empty value".to_owned()),
    };
    source::header(name.trim(), value).map_err(|error| error.to_string())
}

/// The value of `authorization` for a bearer token.
pub(crate) fn bearer(text: &str) -> Result<HeaderValue, String> {
    source::bearer_authorization(text).map_err(|error| error.to_string())
}

/// The value of `user-agent`.
pub(crate) fn user_agent(text: &str) -> Result<HeaderValue, String> {
    source::header("user-agent", text).map(|(_, value)| value).map_err(|error| error.to_string())
}

/// `HOST:PORT:ADDR[,ADDR]…`; addresses may stand in brackets.
pub(crate) fn resolve(text: &str) -> Result<ResolveRule, String> {
    const FORM: &str = "not HOST:PORT:ADDR; write it like example.com:443:127.0.0.1 or *:443:[::1]";
    let (host, rest) = host_and_rest(text).ok_or(FORM)?;
    let (port, addresses) = rest.split_once(':').ok_or(FORM)?;
    let host = match host {
        "*" => None,
        host => Some(normal_host(host)?),
    };
    let addresses: Result<Vec<IpAddr>, String> = addresses.split(',').map(address).collect();
    Ok(ResolveRule { host, port: self::port(port)?, addresses: addresses? })
}

/// `HOST1:PORT1:HOST2:PORT2`; any part may be empty.
pub(crate) fn connect_to(text: &str) -> Result<ConnectTo, String> {
    const FORM: &str = "not HOST1:PORT1:HOST2:PORT2; write it like example.com:443:127.0.0.1:8443, or ::127.0.0.1:8443";
    let (from_host, rest) = host_and_rest(text).ok_or(FORM)?;
    let (from_port, rest) = rest.split_once(':').ok_or(FORM)?;
    let (to_host, to_port) = host_and_rest(rest).ok_or(FORM)?;
    let host = |text| Some(text).filter(|text: &&str| !text.is_empty()).map(normal_host).transpose();
    let port = |text| Some(text).filter(|text: &&str| !text.is_empty()).map(port).transpose();
    Ok(ConnectTo {
        from_host: host(from_host)?,
        from_port: port(from_port)?,
        to_host: host(to_host)?,
        to_port: port(to_port)?,
    })
}

/// A name server: an address, with port 53 unless given.
pub(crate) fn dns_server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_default_port = || bare.parse().map(|address: IpAddr| SocketAddr::new(address, 53));
    text.parse()
        .or_else(|_| with_default_port())
        .map_err(|_| "not an address; write it like 127.0.0.1, 127.0.0.1:5353 or [::1]:5353".to_owned())
}

/// Splits `text` behind the host it begins with; an IPv6 address stands in brackets.
fn host_and_rest(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('[') {
        let (host, rest) = text.split_at(text.find(']')? + 1);
        return Some((host, rest.strip_prefix(':')?));
    }
    text.split_once(':')
}

/// A host as URLs have it: lower case, punycode, IPv6 in brackets.
fn normal_host(text: &str) -> Result<Box<str>, String> {
    let url = WebUrl::parse(&format!("http://{text}/")).ok().map(|(url, _)| url);
    url.filter(|url| url.target() == "/" && url.authority() == url.host())
        .map(|url| url.host().into())
        .ok_or_else(|| format!("'{text}' is not a host name or address"))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|&port| port != 0)
        .ok_or_else(|| format!("'{text}' is not a port; ports are from 1 to 65535"))
}

fn address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| format!("'{text}' is not an IP address; for a name use --connect-to"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, millis) in [
            ("10s", 10_000),
            ("250ms", 250),
            ("1m30s", 90_000),
            ("2", 2000),
            ("0.5", 500),
            ("1.5s", 1500),
            ("2h", 7_200_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1", "nan", "inf", "1e400", "10 parsecs"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(timeout("0").expect_err("zero").contains("would fail everything"));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn sizes_counts_and_rates() {
        for (text, bytes) in [("2MiB", 2 << 20), ("64k", 64_000), ("64KiB", 65_536), ("1_000_000", 1_000_000), ("0", 0)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert!(size("many").is_err() && size("-1").is_err() && size("").is_err());
        assert_eq!(count("1_000").expect("a count").get(), 1000);
        assert!(count("0").is_err() && count("-3").is_err() && count("4294967296").is_err());
        let per_second = |text| rate(text).expect(text).per_second();
        assert_eq!(
            (per_second("100"), per_second("100/s"), per_second("30/m"), per_second("36/h")),
            (100., 100., 0.5, 0.01)
        );
        for text in ["0", "-1", "nan", "1/d", "x", "", "/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_follow_the_habit() {
        let (name, value) = header("X-A: one: two").expect("valid");
        assert_eq!((name.as_str(), value), ("x-a", HeaderValue::from_static("one: two")));
        assert_eq!(header("X-Empty;").expect("valid").1, "");
        for text in ["X-A", "X-A:", "X-A: ", ": v", "", "Content-Length: 3", "a b: c"] {
            assert!(header(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fixed_addresses() {
        let rule = resolve("Example.COM:443:127.0.0.1,[::1],::2").expect("valid");
        assert_eq!((rule.host.as_deref(), rule.port, rule.addresses.len()), (Some("example.com"), 443, 3));
        assert_eq!(resolve("*:80:10.0.0.1").expect("valid").host, None);
        assert_eq!(resolve("[::1]:80:::1").expect("valid").host.as_deref(), Some("[::1]"));
        for text in ["", "a", "a:80", "a:x:127.0.0.1", "a:0:127.0.0.1", "a:80:", "a:80:b", "a/b:80:127.0.0.1"] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }

    #[test]
    fn redirected_connections() {
        let rule = connect_to("a.example:443:[::1]:8443").expect("valid");
        assert_eq!((rule.from_host.as_deref(), rule.from_port), (Some("a.example"), Some(443)));
        assert_eq!((rule.to_host.as_deref(), rule.to_port), (Some("[::1]"), Some(8443)));
        let rule = connect_to("::127.0.0.1:").expect("valid");
        assert_eq!((rule.from_host, rule.from_port, rule.to_port), (None, None, None));
        assert!(connect_to("a:1:b").is_err() && connect_to("").is_err() && connect_to("a:1:b:99999").is_err());
    }

    #[test]
    fn name_servers_have_a_default_port() {
        let server = |text| dns_server(text).expect(text).to_string();
        assert_eq!(server("127.0.0.1"), "127.0.0.1:53");
        assert_eq!(server("127.0.0.1:5353"), "127.0.0.1:5353");
        assert_eq!(
            (server("::1"), server("[::1]"), server("[::1]:54")),
            ("[::1]:53".into(), "[::1]:53".into(), "[::1]:54".into())
        );
        assert!(dns_server("dns.example").is_err());
    }
}
