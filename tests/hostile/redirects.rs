//! Redirects: loops, chains, targets that are no URLs, targets nobody should reach, and what becomes of the request.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use haul::config::{Config, ResolveRule};
use haul::model::{FailureKind, Phase};
use http::Method;

use super::case::{Case, Group, Verdict, complete, failed};
use super::lab::Lab;
use super::peer::Peer;
use super::tls_peer;
use haul_testsupport::certs::Authority;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const FOLLOWED: Verdict = complete(200, 5);
const LOOP: Verdict = failed(Phase::Head, FailureKind::RedirectLoop);
const LIMIT: Verdict = failed(Phase::Head, FailureKind::RedirectLimit);
const BAD: Verdict = failed(Phase::Head, FailureKind::RedirectBadLocation);
const FILTERED: Verdict = failed(Phase::Connect, FailureKind::AddressRefused);

pub(crate) fn group() -> Group {
    let cases = [loops(), targets(), forms(), forbidden(), methods(), bodies(), schemes()];
    Group { title: "Redirects", cases: cases.into_iter().flatten().collect() }
}

/// A request: its target and all of its head.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    head: &'a str,
    body: usize,
    port: u16,
}

/// A server of well-formed exchanges that answers as the function says.
fn site(answer: impl Fn(&Asked<'_>) -> Vec<u8> + Send + Sync + 'static) -> Peer {
    Peer::serving(move |stream, _| while serve(&stream, &answer).is_some() {})
}

fn serve(mut stream: &TcpStream, answer: &impl Fn(&Asked<'_>) -> Vec<u8>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("haul's own head");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse().expect("haul's own length")];
    stream.read_exact(&mut body).ok()?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let asked = Asked { method, path, head: &head, body: body.len(), port: stream.local_addr().ok()?.port() };
    stream.write_all(&answer(&asked)).ok()
}

fn redirect(status: u16, location: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Elsewhere\r\nContent-Length: 0\r\nLocation: ");
    [head.as_bytes(), location.as_ref(), b"\r\n\r\n"].concat()
}

/// `/start/here` redirects to the location, in which `PORT` stands for the peer's port. All else is answered well.
fn to(what: impl Into<String>, rule: &'static str, expected: Verdict, location: impl AsRef<[u8]>) -> Case {
    to_and(what, rule, expected, location, |_| true)
}

/// The same, if the second request is as it should be.
fn to_and(
    what: impl Into<String>,
    rule: &'static str,
    expected: Verdict,
    location: impl AsRef<[u8]>,
    right: impl Fn(&Asked<'_>) -> bool + Send + Sync + 'static,
) -> Case {
    let location = location.as_ref().to_vec();
    Case::new(what, rule, expected, move || {
        let site = site(move |asked| match asked.path {
            "/start/here" => redirect(302, with_port(&location, asked.port)),
            _ if right(asked) => OK.to_vec(),
            _ => b"HTTP/1.1 400 Wrong\r\nContent-Length: 0\r\n\r\n".to_vec(),
        });
        Lab::new().fetch(site.url("/start/here"))
    })
}

fn with_port(location: &[u8], port: u16) -> Vec<u8> {
    let Some(at) = location.windows(4).position(|four| four == b"PORT") else { return location.to_vec() };
    [&location[..at], port.to_string().as_bytes(), &location[at + 4..]].concat()
}

fn loops() -> Vec<Case> {
    const RULE: &str = "RFC 9110 §15.4";
    let by = |what: &str, expected, max: u32, answer: Answer| {
        Case::new(what, RULE, expected, move || {
            let site = site(answer);
            Lab::new().with(|config| config.request.max_redirects = max).fetch(site.url("/0"))
        })
    };
    let always = |answer: fn(&Asked<'_>) -> Vec<u8>| -> Answer { Box::new(answer) };
    vec![
        by("to itself", LOOP, 10, always(|asked| redirect(302, asked.path))),
        by("to itself with another fragment", LOOP, 10, always(|asked| redirect(302, format!("{}#x", asked.path)))),
        by(
            "to itself by its name in other letters",
            LOOP,
            10,
            always(|asked| redirect(301, format!("HTTP://127.0.0.1:{}/%30/../0", asked.port))),
        ),
        by(
            "to and fro between two",
            LOOP,
            10,
            always(|asked| redirect(302, if asked.path == "/0" { "/1" } else { "/0" })),
        ),
        by(
            "to and fro through a query",
            LOOP,
            10,
            always(|asked| redirect(302, if asked.path == "/0" { "?a" } else { "/0" })),
        ),
        by("to itself once, and then answers", FOLLOWED, 10, once_more(1)),
        by("to itself nine times, and then answers", FOLLOWED, 10, once_more(9)),
        by("to itself eleven times where ten are allowed", LOOP, 10, once_more(11)),
        by("to another and back, and then answers", FOLLOWED, 10, there_and_back()),
        by("on and on, a new URL each time", LIMIT, 10, always(|asked| redirect(302, format!("{}0", asked.path)))),
        by("ten times where ten are allowed", FOLLOWED, 10, always(|asked| chain(asked, 10))),
        by("eleven times where ten are allowed", LIMIT, 10, always(|asked| chain(asked, 11))),
        by("once where one is allowed", FOLLOWED, 1, always(|asked| chain(asked, 1))),
        by("once where none is followed", complete(302, 0), 0, always(|asked| chain(asked, 1))),
        by("a thousand times where as many are allowed", FOLLOWED, 1000, always(|asked| chain(asked, 1000))),
    ]
}

type Answer = Box<dyn Fn(&Asked<'_>) -> Vec<u8> + Send + Sync>;

/// Redirects to itself so many times, as a wall that wants a cookie set does, and then answers.
fn once_more(times: usize) -> Answer {
    let asked_before = AtomicUsize::new(0);
    Box::new(
        move |asked| {
            if asked_before.fetch_add(1, Ordering::Relaxed) < times { redirect(302, asked.path) } else { OK.to_vec() }
        },
    )
}

/// Redirects to another page, and from there back.
fn there_and_back() -> Answer {
    let home = once_more(1);
    Box::new(move |asked| match (asked.path, home(asked)) {
        ("/0", answer) if answer == OK => answer,
        ("/0", _) => redirect(302, "/there"),
        _ => redirect(302, "/0"),
    })
}

/// `/0` to `/1` and so on, so many times.
fn chain(asked: &Asked<'_>, times: u32) -> Vec<u8> {
    match asked.path[1..].parse::<u32>().expect("our own path") {
        n if n < times => redirect(302, format!("/{}", n + 1)),
        _ => OK.to_vec(),
    }
}

/// Locations that are no URL, or none that can be fetched.
fn targets() -> Vec<Case> {
    const RULE: &str = "RFC 9110 §10.2.2";
    let bad = |location: &str| to(format!("to `{location}`"), RULE, BAD, location);
    let mut cases: Vec<Case> = [
        "http://",
        "http:///",
        "http://[::1",
        "http://[1.2.3.4]/",
        "http://a b/",
        "http:// /",
        "http://%20/",
        "http://%00/",
        "http://a%2fb/",
        "http://a<b>/",
        "http://999.1.1.1/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:x/",
        "http://127.0.0.1:0/",
        "http://:80/",
        "http://user@/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/plain,hello",
        "mailto:a@b.test",
        "ws://127.0.0.1/",
        "about:blank",
    ]
    .map(bad)
    .into();
    let two = |what: &str, expected, second: &str| {
        to(what, "RFC 9110 §5.3", expected, format!("/there\r\nLocation: {second}"))
    };
    cases.extend([
        two("to two different places", BAD, "/elsewhere"),
        two("to the same place twice", FOLLOWED, "/there"),
        to(
            "to a host name of 300 letters, longer than any name is",
            "RFC 1035 §2.3.4",
            BAD,
            format!("http://{}.test/", "a".repeat(300)),
        ),
        two("to the same place, written in two ways", FOLLOWED, "http://127.0.0.1:PORT/start/../there#part"),
        two("to a place and to nothing", FOLLOWED, ""),
        to("to nothing: an empty location, which makes a result of it", RULE, complete(302, 0), ""),
        to("to white space", RULE, complete(302, 0), " \t "),
        Case::new("to nothing, with a page of its own, gzipped", RULE, complete(302, 5), || {
            let mut page = Vec::new();
            let mut coder = flate2::read::GzEncoder::new(&b"hello"[..], flate2::Compression::fast());
            coder.read_to_end(&mut page).expect("in memory");
            let head = "HTTP/1.1 302 Found\r\nLocation:\r\nContent-Encoding: gzip\r\nContent-Length: ";
            let bytes = [format!("{head}{}\r\n\r\n", page.len()).as_bytes(), &page].concat();
            Lab::new().fetch(site(move |_| bytes.clone()).url("/"))
        }),
    ]);
    cases
}

/// Ways to write a location that can be fetched.
fn forms() -> Vec<Case> {
    const RULE: &str = "RFC 3986 §5.2";
    let path = |what: &str, location: &[u8], path: &'static str| {
        to_and(what, RULE, FOLLOWED, location, move |asked| asked.path == path)
    };
    let long = format!("/{}", "x".repeat(50_000));
    let length = long.len();
    vec![
        path("to `there`", b"there", "/start/there"),
        path("to `./there`", b"./there", "/start/there"),
        path("to `../../../there`", b"../../../there", "/there"),
        path("to `/there`", b"/there", "/there"),
        path("to `?a=b`", b"?a=b", "/start/here?a=b"),
        path("to `//127.0.0.1:PORT/there`", b"//127.0.0.1:PORT/there", "/there"),
        path("to `///127.0.0.1:PORT/there`, with a slash more", b"///127.0.0.1:PORT/there", "/there"),
        path("to `/\\127.0.0.1:PORT/there`, with a backslash", b"/\\127.0.0.1:PORT/there", "/there"),
        path("to `\\\\127.0.0.1:PORT\\there`, with backslashes", b"\\\\127.0.0.1:PORT\\there", "/there"),
        path("to `http:///127.0.0.1:PORT/there`", b"http:///127.0.0.1:PORT/there", "/there"),
        path("to `http:there`, relative", b"http:there", "/start/there"),
        path("to `http:/there`, without an authority", b"http:/there", "/there"),
        path("to `\\there`, with a backslash", b"\\there", "/there"),
        path("to ` /there `, in spaces", b"  /there  ", "/there"),
        path("to `/th<TAB>ere`", b"/th\tere", "/there"),
        path("to `/there#part`: the fragment stays here", b"/there#part", "/there"),
        path("to a path in UTF-8", "/caf\u{e9}".as_bytes(), "/caf%C3%A9"),
        path("to a path in Latin-1", b"/caf\xe9", "/caf%E9"),
        path("to a path with a space", b"/a b", "/a%20b"),
        path("to a path with a lone percent sign", b"/100%", "/100%"),
        to_and("to a path with an escaped CR LF", "RFC 9112 §2.2", FOLLOWED, "/%0d%0aX-Injected:%201", |asked| {
            asked.path == "/%0d%0aX-Injected:%201" && !asked.head.contains("\nX-Injected")
        }),
        to_and(
            "to a URL with a user and a password, which are not sent",
            "RFC 9110 §4.2.4",
            FOLLOWED,
            "http://user:secret@127.0.0.1:PORT/there",
            |asked| !asked.head.to_ascii_lowercase().contains("authorization") && !asked.head.contains("secret"),
        ),
        to_and("to a path of 50,000 bytes", RULE, FOLLOWED, &long, move |asked| asked.path.len() == length),
    ]
}

/// Redirects to addresses that a filter refuses: everything but 127.0.0.1.
fn forbidden() -> Vec<Case> {
    let filtered = |what: &str, location: &str| {
        let location = location.to_owned();
        Case::new(format!("to {what}, which the address filter refuses"), "", FILTERED, move || {
            let site = site(move |asked| redirect(302, with_port(location.as_bytes(), asked.port)));
            let mut lab = Lab::new().with(|config| {
                let address: IpAddr = [127, 0, 0, 2].into();
                config.network.resolve = vec![ResolveRule {
                    host: Some("internal.test".into()),
                    port: site.address.port(),
                    addresses: vec![address],
                }];
            });
            lab.extensions.address_filter = Some(Arc::new(|address| address == IpAddr::from([127, 0, 0, 1])));
            lab.fetch(site.url("/"))
        })
    };
    vec![
        filtered("an address", "http://127.0.0.2:PORT/"),
        filtered("an address as one number", "http://2130706434:PORT/"),
        filtered("an address in hexadecimal", "http://0x7f.0.0.0x2:PORT/"),
        filtered("an address in octal", "http://0177.0.0.2:PORT/"),
        filtered("a shortened address", "http://127.2:PORT/"),
        filtered("an address in full-width digits", "http://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.2:PORT/"),
        filtered("an address with a final dot", "http://127.0.0.2.:PORT/"),
        filtered("an IPv6 address", "http://[::1]:PORT/"),
        filtered("an IPv4 address written as IPv6", "http://[::ffff:127.0.0.2]:PORT/"),
        filtered("the unspecified address", "http://0.0.0.0:PORT/"),
        filtered("a link-local address", "http://169.254.169.254/latest/meta-data/"),
        filtered("a name with such an address", "http://internal.test:PORT/"),
        filtered("that address over https", "https://127.0.0.2:PORT/"),
    ]
}

fn methods() -> Vec<Case> {
    const RULE: &str = "RFC 9110 §15.4";
    let mut cases = Vec::new();
    let mut becomes = |status: u16, method: Method, then: &'static str| {
        let (body, arrives) = if method == Method::HEAD { (0, 0) } else { (3, if then == "GET" { 0 } else { 3 }) };
        let expected = if method == Method::HEAD { complete(200, 0) } else { FOLLOWED };
        let described = if arrives > 0 { " with its body" } else { "" };
        let what = format!("{status} for {method}: asks again by {then}{described}");
        cases.push(Case::new(what, RULE, expected, move || {
            let site = site(move |asked| match asked.path {
                "/" => redirect(status, "/there"),
                _ if (asked.method, asked.body) != (then, arrives) => redirect(500, "/wrong"),
                _ if then == "HEAD" => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec(),
                _ => OK.to_vec(),
            });
            let change = |config: &mut Config| {
                config.request.method = method;
                config.request.body = (body > 0).then(|| vec![b'x'; body].into());
            };
            Lab::new().with(change).fetch(site.url("/"))
        }));
    };
    for (status, then) in [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")] {
        becomes(status, Method::POST, then);
    }
    for (status, then) in [(301, "PUT"), (302, "PUT"), (303, "GET"), (307, "PUT"), (308, "PUT")] {
        becomes(status, Method::PUT, then);
    }
    for status in [301, 302, 303, 307, 308] {
        becomes(status, Method::HEAD, "HEAD");
    }
    for status in [201, 300, 304, 305, 306, 399] {
        let what = format!("{status} with a location is a result, not a redirect");
        let expected = complete(status, 0);
        cases.push(Case::new(what, RULE, expected, move || {
            Lab::new().fetch(site(move |_| redirect(status, "/there")).url("/"))
        }));
    }
    cases.push(Case::new("302 without a location is a result", RULE, complete(302, 2), || {
        Lab::new().fetch(site(|_| b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nno".to_vec()).url("/"))
    }));
    cases
}

/// What comes with the redirect, and who is there at its target.
fn bodies() -> Vec<Case> {
    let with = |what: &str, expected, change: fn(&mut Config), rest: &str| {
        let rest = rest.to_owned();
        Case::new(what, "RFC 9110 §15.4", expected, move || {
            let site = site(move |asked| match asked.path {
                "/" => format!("HTTP/1.1 302 Found\r\nLocation: /there\r\n{rest}").into_bytes(),
                _ => OK.to_vec(),
            });
            Lab::new().with(change).fetch(site.url("/"))
        })
    };
    let none: fn(&mut Config) = |_| {};
    let soon: fn(&mut Config) = |config| config.timeouts.idle = super::lab::SOON;
    let hours: fn(&mut Config) = |config| {
        let timeouts = &mut config.timeouts;
        (timeouts.idle, timeouts.total) = (Duration::from_secs(3600), Duration::from_secs(3600));
    };
    let six = "Content-Length: 6\r\n\r\nhello!";
    let megabyte = "x".repeat(1 << 20);
    let refused = failed(Phase::Connect, FailureKind::Refused);
    vec![
        with("with a body of 2 bytes", FOLLOWED, none, "Content-Length: 2\r\n\r\nno"),
        with("with a body of 1 MiB", FOLLOWED, none, &format!("Content-Length: 1048576\r\n\r\n{megabyte}")),
        with("with a body of 1 TiB to come", FOLLOWED, none, "Content-Length: 1099511627776\r\n\r\nx"),
        with(
            "with a chunked body of 1 MiB that never ends",
            FOLLOWED,
            none,
            &format!("Transfer-Encoding: chunked\r\n\r\n100000\r\n{megabyte}\r\n"),
        ),
        with("with a body over `--max-body`", FOLLOWED, |config| config.body.max_decoded = 5, six),
        with("with a body over what is kept", FOLLOWED, |config| config.body.max_kept = 5, six),
        with("with a body over `--max-wire`", FOLLOWED, |config| config.body.max_wire = 5, six),
        with(
            "with chunks over `--max-body`",
            FOLLOWED,
            |config| config.body.max_decoded = 5,
            "Transfer-Encoding: chunked\r\n\r\n6\r\nhello!\r\n0\r\n\r\n",
        ),
        Case::new("with a body over `--max-body`, on one connection", "RFC 9112 §9.3", FOLLOWED, || {
            let peer = Peer::playing(vec![
                super::peer::Step::Request,
                super::peer::send("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 6\r\n\r\nhello!"),
                super::peer::Step::Request,
                super::peer::send(OK),
            ]);
            Lab::new().with(|config| config.body.max_decoded = 5).fetch(peer.url("/"))
        }),
        with("with a body that stalls", FOLLOWED, soon, "Content-Length: 5\r\n\r\nhe"),
        with("with a body that never comes", FOLLOWED, hours, "Content-Length: 5\r\n\r\n"),
        with("with neither a length nor an end", FOLLOWED, hours, "\r\n"),
        with("with broken chunks", FOLLOWED, none, "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        with(
            "with a body that is not the gzip it says",
            FOLLOWED,
            none,
            "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno",
        ),
        with(
            "with a transfer coding nobody knows",
            failed(Phase::Head, FailureKind::BadFraming),
            none,
            "Transfer-Encoding: x\r\n\r\n",
        ),
        Case::new("to a port where nobody listens", "", refused, || {
            // A free port may be another case's by then; this one is nobody's on loopback.
            Lab::new().fetch(site(|_| redirect(302, "http://127.0.0.1:1/")).url("/"))
        }),
        Case::new(
            "between two hosts of one request at a time each, from twelve URLs",
            "",
            complete(200, 12 * 5),
            || {
                let there = site(|_| OK.to_vec());
                let address = there.address;
                let here = site(move |asked| redirect(302, format!("http://{address}{}", asked.path)));
                super::h2::together(Lab::new().fetch_all((0..12).map(|n| here.url(&format!("/{n}")))))
            },
        ),
        Case::new(
            "within a host that allows one request at a time, from twelve URLs",
            "",
            complete(200, 12 * 5),
            || {
                let here = site(|asked| match asked.path.len() {
                    0..4 => redirect(302, format!("{}/x", asked.path)),
                    _ => OK.to_vec(),
                });
                super::h2::together(Lab::new().fetch_all((10..22).map(|n| here.url(&format!("/{n}")))))
            },
        ),
        Case::new("to a host that has stopped answering, while others are fetched", "", complete(200, 12 * 5), || {
            let dead = Peer::serving(|stream, _| {
                let _ = (&stream).read_to_end(&mut Vec::new());
            });
            let address = dead.address;
            let here = site(move |asked| match asked.path {
                "/0" => redirect(302, format!("http://{address}/")),
                _ => OK.to_vec(),
            });
            let lab = Lab::new().with(|config| config.timeouts.first_byte = Duration::from_millis(300));
            let mut outcomes = lab.fetch_all((0..13).map(|n| here.url(&format!("/{n}"))));
            let first = Verdict::of(&outcomes.remove(0));
            if first == failed(Phase::Head, FailureKind::Timeout) { super::h2::together(outcomes) } else { first }
        }),
    ]
}

fn schemes() -> Vec<Case> {
    let tls = |authority: &Authority, answer: Vec<u8>| {
        let leaf = authority.issue(&[tls_peer::NAME], |_| {});
        let config = tls_peer::config(&leaf, rustls::ALL_VERSIONS, &["http/1.1"]);
        tls_peer::playing(config, vec![super::peer::Step::Request, super::peer::send(answer)])
    };
    vec![
        Case::new("from http to https", "", FOLLOWED, move || {
            let authority = Authority::new();
            let secure = tls(&authority, OK.to_vec());
            let location = tls_peer::url(&secure, "/");
            let site = site(move |_| redirect(301, &location));
            // The rule for names holds for the secure port alone.
            tls_peer::lab(&authority, &secure).fetch(site.url("/"))
        }),
        Case::new("from https to http", "Fetch §4.4", FOLLOWED, move || {
            let authority = Authority::new();
            let site = site(|_| OK.to_vec());
            let secure = tls(&authority, redirect(302, site.url("/")));
            tls_peer::lab(&authority, &secure).fetch(tls_peer::url(&secure, "/"))
        }),
        Case::new(
            "from http to https with a certificate for another name",
            "RFC 9110 §4.3.4",
            failed(Phase::Tls, FailureKind::CertificateName),
            move || {
                let authority = Authority::new();
                let other = tls(&authority, OK.to_vec());
                let location = format!("https://b.test:{}/", other.address.port());
                let site = site(move |_| redirect(302, &location));
                tls_peer::lab(&authority, &other).fetch(site.url("/"))
            },
        ),
    ]
}
