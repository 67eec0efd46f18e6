//! HTTP/2 floods and stalls: frames without end, heads without end, silence at each moment.

use std::time::Duration;

use haul::config::Config;
use haul::model::{FailureKind, Phase};

use super::case::{Case, Group, Verdict, complete, failed};
use super::h2::{
    ACK, CONTINUATION, DATA, END_HEADERS, GOAWAY, HEADERS, PADDED, PING, PRIORITY, SETTINGS, STATUS_200, answer,
    answer_with, block, case, case_with, data, field, frame, hello, indexed, indexing, last, lying, ok, soon,
    window_update,
};

const BAD: Verdict = failed(Phase::Head, FailureKind::Malformed);
const TOO_LARGE: Verdict = failed(Phase::Head, FailureKind::HeadTooLarge);
const TIMEOUT: Verdict = failed(Phase::Head, FailureKind::Timeout);
const BAD_BODY: Verdict = failed(Phase::Body, FailureKind::Malformed);
const TIMEOUT_BODY: Verdict = failed(Phase::Body, FailureKind::Timeout);

pub(crate) fn group() -> Group {
    let cases = [heads(), floods(), stalls(), other_tongues()];
    Group { title: "HTTP/2: floods, stalls and other protocols", cases: cases.into_iter().flatten().collect() }
}

/// A head of these bytes in as many frames as it takes, and a body.
fn head(block: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    for (n, piece) in block.chunks(60 << 10).enumerate() {
        frames.extend(frame(if n == 0 { HEADERS } else { CONTINUATION }, 0, 1, piece));
    }
    [frames, frame(CONTINUATION, END_HEADERS, 1, []), last(1, "hello")].concat()
}

fn heads() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §10.5.1";
    let fields = |count: usize, length: usize| {
        let field = |n: usize| field(format!("n{n:04}"), "v".repeat(length));
        [vec![STATUS_200], (0..count).flat_map(field).collect()].concat()
    };
    let flood = |block: Vec<u8>, flags| {
        move |conn: &mut super::h2::Conn| {
            conn.greet(&[])?;
            conn.request()?;
            conn.send(frame(HEADERS, 0, 1, [STATUS_200]))?;
            conn.flood(&frame(CONTINUATION, flags, 1, &block))
        }
    };
    vec![
        answer("sends 90 headers", RULE, complete(200, 5), head(&fields(90, 10))),
        answer("sends 101 headers", RULE, TOO_LARGE, head(&fields(101, 10))),
        answer("sends a head of 60 KiB", RULE, complete(200, 5), head(&fields(60, 1000))),
        answer("sends a head of 100 KiB", RULE, TOO_LARGE, head(&fields(100, 1000))),
        answer_with(
            "sends a head of 2 KiB where 1 KiB is allowed",
            RULE,
            TOO_LARGE,
            |config| config.body.max_head = 1024,
            head(&fields(2, 1000)),
        ),
        answer("sends a head of 1 MiB", RULE, TOO_LARGE, head(&fields(100, 10_000))).but(BAD),
        answer(
            "names a header of 4 KB a thousand times: 1 KB for 4 MB",
            "RFC 7541 §7.3",
            TOO_LARGE,
            head(&[vec![STATUS_200], indexing("a", "v".repeat(4000)), indexed(62).repeat(1000)].concat()),
        )
        .but(BAD),
        case("sends CONTINUATION without end, a header in each", "RFC 9113 §10.5", BAD, flood(field("a", "b"), 0)),
        case("sends CONTINUATION without end, empty", "RFC 9113 §10.5", BAD, flood(Vec::new(), 0)),
        case_with("sends 103 without end", "RFC 9110 §15.2", TOO_LARGE, soon, |conn| {
            conn.greet(&[])?;
            conn.request()?;
            conn.flood(&frame(HEADERS, END_HEADERS, 1, block([(":status", "103"), ("link", "x")])))
        }),
    ]
}

fn floods() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §10.5";
    let kinds = [
        ("PING", frame(PING, 0, 0, [0; 8])),
        ("PING that answers none", frame(PING, ACK, 0, [0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, [0, 4, 0, 0, 0xff, 0xff])),
        ("empty SETTINGS", frame(SETTINGS, 0, 0, [])),
        ("PRIORITY", frame(PRIORITY, 0, 1, [0, 0, 0, 0, 9])),
        ("WINDOW_UPDATE by 1", window_update(0, 1)),
        ("the stream's WINDOW_UPDATE by 1", window_update(1, 1)),
        ("GOAWAY that spares the request", frame(GOAWAY, 0, 0, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])),
        ("ALTSVC", frame(0xa, 0, 0, [&[0, 3][..], b"a.b", b"h2=\":1\""].concat())),
        ("ORIGIN", frame(0xc, 0, 0, [&[0, 11][..], b"https://a.b"].concat())),
        ("empty frames of an unknown type", frame(0xef, 0, 0, [])),
        ("frames of an unknown type", frame(0xee, 0, 0, [0; 100])),
    ];
    let mut cases = Vec::new();
    for (name, bytes) in kinds {
        let (unread, within) = (bytes.clone(), bytes.clone());
        cases.push(case(format!("sends {name} without end"), RULE, BAD, move |conn| {
            conn.greet(&[])?;
            conn.request()?;
            conn.flood(&bytes)
        }));
        cases.push(case(format!("sends {name} without end and reads nothing"), RULE, BAD, move |conn| {
            conn.greet(&[])?;
            conn.request()?;
            conn.flood_unread(&unread)
        }));
        cases.push(case(format!("sends {name} without end in the body"), RULE, BAD_BODY, move |conn| {
            conn.greet(&[])?;
            conn.request()?;
            conn.send(ok(1, []))?;
            conn.flood(&within)
        }));
    }
    let in_body = |what: &str, expected, bytes: Vec<u8>| {
        case(what, RULE, expected, move |conn| {
            conn.greet(&[])?;
            conn.request()?;
            conn.send(ok(1, []))?;
            conn.flood(&bytes)
        })
    };
    cases.push(in_body("sends empty DATA without end", BAD_BODY, data(1, [])));
    cases.push(in_body("sends DATA of padding without end", BAD_BODY, frame(DATA, PADDED, 1, [1, 0])));
    cases.push(answer(
        "sends an empty DATA frame after each of 5,000 bytes",
        "RFC 9113 §6.1",
        complete(200, 5_005),
        [ok(1, []), [data(1, "x"), data(1, [])].concat().repeat(5_000), last(1, "hello")].concat(),
    ));
    cases.push(answer(
        "sends 5,000 PINGs before the answer",
        RULE,
        complete(200, 5),
        [frame(PING, 0, 0, [0; 8]).repeat(5_000), hello(1)].concat(),
    ));
    for (name, bytes) in [("DATA", data(1, [b'x'; 100])), ("heads", ok(1, []))] {
        let what = format!("sends {name} of a stream that has ended, without end, while another waits");
        cases.push(Case::new(what, RULE, BAD, move || {
            let peer = super::h2::serve(move |conn| {
                conn.greet(&[])?;
                let stream = conn.request()?;
                conn.send(hello(stream))?;
                conn.request()?;
                conn.flood(&bytes)
            });
            let mut outcomes = super::h2::lab().fetch_all(["/a", "/b"].map(|path| peer.url(path)));
            assert_eq!(Verdict::of(&outcomes[0]), complete(200, 5));
            Verdict::of(&outcomes.remove(1))
        }));
    }
    cases.push(Case::new("sends WINDOW_UPDATE by 1 without end to an upload that it does not take", RULE, BAD, || {
        let peer = super::h2::serve(|conn| {
            conn.greet(&[(super::h2::INITIAL_WINDOW_SIZE, 0)])?;
            conn.request()?;
            conn.flood(&window_update(0, 1))
        });
        super::h2::lab().with(super::h2::post(100_000)).fetch(peer.url("/"))
    }));
    cases.push(Case::new(
        "resets a stream that has ended, without end; then a good connection",
        RULE,
        complete(200, 10),
        || {
            let peer = super::h2::serve(|conn| {
                conn.greet(&[])?;
                let stream = conn.request()?;
                conn.send(hello(stream))?;
                if conn.number > 0 {
                    return Ok(());
                }
                conn.flood(&super::h2::reset(stream, 0))
            });
            super::h2::together(super::h2::lab().fetch_in_turn(["/a", "/b"].map(|path| peer.url(path))))
        },
    ));
    cases.push(answer_with(
        "sends a byte more than is taken",
        "",
        failed(Phase::Body, FailureKind::TooLarge),
        |config| config.body.max_wire = 99_999,
        [ok(1, []), data(1, [b'x'; 10_000]).repeat(10)].concat(),
    ));
    cases
}

fn stalls() -> Vec<Case> {
    const RULE: &str = "";
    let after = |what: &str, expected, bytes: Vec<u8>| answer_with(what, RULE, expected, soon, bytes);
    let slow = |config: &mut Config| {
        config.timeouts.min_rate = 1000;
        config.timeouts.min_rate_after = super::lab::SOON;
    };
    vec![
        case_with("accepts, reads, and says nothing", RULE, TIMEOUT, soon, |_| Ok(())),
        case_with("stops within its settings", RULE, TIMEOUT, soon, |conn| {
            conn.preface()?;
            conn.send(&frame(SETTINGS, 0, 0, [])[..5])
        }),
        after("stops after its settings", TIMEOUT, Vec::new()),
        after("stops within a frame's header", TIMEOUT, hello(1)[..4].to_vec()),
        after("stops within the head", TIMEOUT, lying(10, HEADERS, END_HEADERS, 1, &[STATUS_200])),
        after("stops before CONTINUATION", TIMEOUT, frame(HEADERS, 0, 1, [STATUS_200])),
        after("stops after 103", TIMEOUT, frame(HEADERS, END_HEADERS, 1, block([(":status", "103")]))),
        after("stops after the head", TIMEOUT_BODY, ok(1, [])),
        after("stops within a DATA frame", TIMEOUT_BODY, [ok(1, []), lying(10, DATA, 1, 1, b"he")].concat()),
        after("stops before END_STREAM", TIMEOUT_BODY, [ok(1, [("content-length", "5")]), data(1, "hello")].concat()),
        case_with("sends an empty DATA frame every 50 ms", RULE, TIMEOUT_BODY, soon, |conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            conn.send(ok(stream, []))?;
            loop {
                conn.send(data(stream, []))?;
                std::thread::sleep(Duration::from_millis(50));
            }
        }),
        case_with(
            "sends a byte of the body at a time",
            RULE,
            failed(Phase::Body, FailureKind::TooSlow),
            slow,
            |conn| {
                conn.greet(&[])?;
                let stream = conn.request()?;
                conn.send(ok(stream, []))?;
                loop {
                    conn.send(data(stream, "x"))?;
                    std::thread::sleep(Duration::from_millis(20));
                }
            },
        ),
    ]
}

fn other_tongues() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §3.4";
    let protocol = failed(Phase::Head, FailureKind::Protocol);
    let says = |what: &str, expected, bytes: &'static [u8]| {
        case(what, RULE, expected, move |conn| {
            conn.preface()?;
            conn.send(bytes)
        })
    };
    let closed = failed(Phase::Head, FailureKind::Closed);
    let resets = failed(Phase::Head, FailureKind::Reset);
    vec![
        says("answers HTTP/1.1 400", protocol, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        says("answers HTTP/1.1 200", protocol, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        says("answers a TLS alert", protocol, b"\x15\x03\x03\x00\x02\x02\x46"),
        says("greets like SSH", protocol, b"SSH-2.0-OpenSSH_9.6\r\n"),
        says("sends zeros", protocol, &[0; 100]),
        case("closes after the preface", "", closed, super::h2::Conn::end),
        case("closes after the request", "", closed, |conn| {
            conn.greet(&[])?;
            conn.request()?;
            conn.end()
        }),
        case("closes in mid-body", "", failed(Phase::Body, FailureKind::Truncated), |conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            conn.send([ok(stream, []), data(stream, "he")].concat())?;
            conn.end()
        }),
        Case::new("resets the connection after the preface, fifty times over", "", closed, move || {
            let peer = super::h2::serve(|conn| {
                conn.preface()?;
                conn.cut()
            });
            let verdicts = (0..50).map(|_| super::h2::lab().fetch(peer.url("/")));
            // Where the reset finds the request, hyper has no word for it but that the connection is gone.
            verdicts
                .map(|verdict| if verdict == resets { closed } else { verdict })
                .find(|v| *v != closed)
                .unwrap_or(closed)
        }),
        case("resets the connection after the request", "", resets, |conn| {
            conn.greet(&[])?;
            // With nothing left to write, haul finds the reset by reading.
            let mut left = 2;
            conn.until(|frame| {
                left -= u8::from(frame.is(HEADERS, END_HEADERS) || frame.is(SETTINGS, ACK));
                left == 0
            })?;
            conn.cut()
        }),
    ]
}
