//! HTTP/2 over TLS, and healthy neighbours: what one bad stream does to its connection, and one bad server to the others.

use std::sync::Arc;

use haul::model::{FailureKind, Phase};
use rustls::{ServerConnection, StreamOwned};

use super::case::{Case, Group, Verdict, complete, failed};
use super::h2::{
    CONTINUATION, Conn, GOAWAY, HEADERS, INTERNAL_ERROR, PING, STATUS_200, Script, block, data, frame, hello, lab,
    last, lying, ok, play, reset, serve, together,
};
use super::lab::{Lab, SOON};
use super::peer::Peer;
use super::tls_peer;
use haul_testsupport::certs::Authority;

const FINE: Verdict = complete(200, 5);

pub(crate) fn group() -> Group {
    let cases = [streams(), servers(), over_tls()].into_iter().flatten().collect();
    Group { title: "HTTP/2: bad neighbours, and TLS", cases }
}

/// Four URLs on one connection, of which the second is answered like this. The verdict is the second's, if the others
/// came whole.
fn second(what: &str, rule: &'static str, expected: Verdict, answer: fn(u32) -> Vec<u8>) -> Case {
    Case::new(what, rule, expected, move || {
        let peer = serve(move |conn| {
            conn.greet(&[])?;
            let first = conn.request()?;
            conn.send(hello(first))?;
            let three = [conn.request()?, conn.request()?, conn.request()?];
            // Between the heads and the ends of its neighbours.
            conn.send([ok(three[1], []), ok(three[2], []), answer(three[0])].concat())?;
            conn.send([last(three[2], "hello"), last(three[1], "hello")].concat())?;
            // What was cut off on a connection already in use may be asked again.
            loop {
                let again = conn.request()?;
                conn.send(answer(again))?;
            }
        });
        let lab = lab().with(|config| config.limits.per_host = 4.try_into().expect("not zero"));
        let mut outcomes = lab.fetch_all((0..4).map(|n| peer.url(&format!("/{n}"))));
        let bad = Verdict::of(&outcomes.remove(1));
        match (together(outcomes), peer.connections()) {
            (Verdict::Complete { bytes: 15, .. }, 1) => bad,
            (other, _) => other,
        }
    })
}

fn streams() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §5.4.2";
    let bad = |phase| failed(phase, FailureKind::Malformed);
    vec![
        second("resets one stream of four", RULE, failed(Phase::Head, FailureKind::Reset), |id| {
            reset(id, INTERNAL_ERROR)
        }),
        second("sends a malformed head on one stream of four", RULE, bad(Phase::Head), |id| {
            frame(HEADERS, 4, id, block([("server", "x")]))
        }),
        second("sends one byte too few on one stream of four", RULE, bad(Phase::Body), |id| {
            [ok(id, [("content-length", "5")]), last(id, "hell")].concat()
        }),
        second(
            "sends a head of 100 KiB on one stream of four",
            RULE,
            failed(Phase::Head, FailureKind::HeadTooLarge),
            |id| {
                let field = block([("a", "x".repeat(50_000).as_str()), ("b", "x".repeat(50_000).as_str())]);
                [
                    frame(HEADERS, 0, id, [STATUS_200]),
                    frame(CONTINUATION, 0, id, &field[..60_000]),
                    frame(CONTINUATION, 4, id, &field[60_000..]),
                ]
                .concat()
            },
        ),
    ]
}

/// Forty URLs of a healthy server, and four of one that does this, at once. The verdict is the healthy ones' together.
fn beside(what: &str, script: impl Script) -> Case {
    Case::new(format!("40 URLs of a good server, while another {what}"), "", complete(200, 40 * 5), move || {
        let bad = serve(script);
        let good = serve(|conn| {
            conn.greet(&[])?;
            loop {
                let stream = conn.request()?;
                conn.send(hello(stream))?;
            }
        });
        let lab = lab().with(|config| {
            config.limits.per_host = 4.try_into().expect("not zero");
            config.timeouts.total = SOON * 3;
        });
        // The bad ones first.
        let urls = (0..4).map(|n| bad.url(&format!("/{n}"))).chain((0..40).map(|n| good.url(&format!("/{n}"))));
        let outcomes = lab.fetch_all(urls).split_off(4);
        together(outcomes)
    })
}

fn servers() -> Vec<Case> {
    let flood = |bytes: Vec<u8>| {
        move |conn: &mut Conn| {
            conn.greet(&[])?;
            conn.request()?;
            conn.flood(&bytes)
        }
    };
    let begun = |bytes: Vec<u8>| {
        move |conn: &mut Conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            conn.send(ok(stream, []))?;
            conn.flood(&bytes)
        }
    };
    vec![
        beside("says nothing", |_| Ok(())),
        beside("allows no stream", |conn| conn.greet(&[(3, 0)])),
        beside("floods it with PING", flood(frame(PING, 0, 0, [0; 8]))),
        beside("floods it with SETTINGS", flood(frame(super::h2::SETTINGS, 0, 0, []))),
        beside("floods it with heads", flood(frame(HEADERS, 4, 1, block([(":status", "103")])))),
        beside("floods it with CONTINUATION", flood(frame(CONTINUATION, 0, 1, []))),
        beside("floods it with a body", begun(data(1, [b'x'; 16_000]))),
        beside("floods it with empty DATA", begun(data(1, []))),
        beside("leaves again and again", |conn| {
            conn.greet(&[])?;
            conn.send(frame(GOAWAY, 0, 0, [0; 8]))?;
            conn.end()
        }),
        beside("breaks off within a frame", |conn| {
            conn.greet(&[])?;
            conn.request()?;
            conn.send(lying(1000, HEADERS, 4, 1, &[STATUS_200]))
        }),
    ]
}

/// A peer behind TLS that agrees on this protocol and plays the script.
fn secured(authority: &Authority, alpn: &[&str], script: impl Script) -> Peer {
    let leaf = authority.issue(&[tls_peer::NAME], |_| {});
    let config = Arc::new(tls_peer::config(&leaf, rustls::ALL_VERSIONS, alpn));
    Peer::serving(move |tcp, number| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("a valid configuration");
        play(Box::new(StreamOwned::new(connection, tcp)), number, &script);
    })
}

fn over_tls() -> Vec<Case> {
    let case =
        |what: &str, rule, expected, alpn: &'static [&'static str], script: fn(&mut Conn) -> std::io::Result<()>| {
            Case::new(what, rule, expected, move || {
                let authority = Authority::new();
                let peer = secured(&authority, alpn, script);
                let lab: Lab = tls_peer::lab(&authority, &peer);
                lab.fetch(tls_peer::url(&peer, "/"))
            })
        };
    vec![
        case("agrees on h2 by ALPN, and speaks it", "RFC 9113 §3.2", FINE, &["h2"], |conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            conn.send(hello(stream))
        }),
        case(
            "agrees on h2, and speaks HTTP/1.1",
            "RFC 9113 §3.4",
            failed(Phase::Head, FailureKind::Protocol),
            &["h2"],
            |conn| {
                conn.preface()?;
                conn.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            },
        ),
        case(
            "agrees on http/1.1, and speaks HTTP/2",
            "RFC 7301 §3.2",
            failed(Phase::Head, FailureKind::Malformed),
            &["http/1.1"],
            |conn| conn.send([super::h2::settings(&[]), hello(1)].concat()),
        ),
        case(
            "ends TLS in mid-body in good order",
            "RFC 9113 §8.1",
            failed(Phase::Body, FailureKind::Truncated),
            &["h2"],
            |conn| {
                conn.greet(&[])?;
                let stream = conn.request()?;
                conn.send([ok(stream, []), data(stream, "he")].concat())?;
                conn.end()
            },
        ),
        case(
            "closes in mid-body without close_notify",
            "RFC 9113 §8.1",
            failed(Phase::Body, FailureKind::Truncated),
            &["h2"],
            |conn| {
                conn.greet(&[])?;
                let stream = conn.request()?;
                conn.send([ok(stream, []), data(stream, "he")].concat())?;
                conn.shut()
            },
        ),
        case("closes without close_notify after END_STREAM", "RFC 9113 §8.1", FINE, &["h2"], |conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            conn.send(hello(stream))?;
            conn.shut()
        }),
        case("leaves before the first request, then answers", "RFC 9113 §6.8", FINE, &["h2"], |conn| {
            conn.greet(&[])?;
            if conn.number == 0 {
                conn.send(super::h2::goaway(0, 0))?;
                return conn.end();
            }
            let stream = conn.request()?;
            conn.send(hello(stream))
        }),
    ]
}
