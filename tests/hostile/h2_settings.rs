//! HTTP/2 settings and windows: bad values, changes under way, limits on streams, flow control that stalls or overflows.

use std::io;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use haul::config::Config;
use haul::model::{FailureKind, Phase};

use super::case::{Case, Group, Verdict, complete, failed};
use super::h2::{
    ACK, Conn, DATA, ENABLE_PUSH, END_STREAM, HEADER_TABLE_SIZE, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, PADDED, PING, REFUSED_STREAM, SETTINGS, answer, case, case_with, frame,
    hello, lab, last, ok, post, reset, serve, settings, soon, together, window_update,
};

const FINE: Verdict = complete(200, 5);
const BAD: Verdict = failed(Phase::Head, FailureKind::Malformed);
const NEVER_SENT: Verdict = failed(Phase::Send, FailureKind::TotalTimeout);
const TIMEOUT: Verdict = failed(Phase::Head, FailureKind::Timeout);

pub(crate) fn group() -> Group {
    let cases = [values(), changes(), streams(), windows()];
    Group { title: "HTTP/2: settings and windows", cases: cases.into_iter().flatten().collect() }
}

fn values() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §6.5.2";
    let set = |what: &str, expected, values: &[(u16, u32)]| {
        answer(format!("sets {what}, then answers"), RULE, expected, [settings(values), hello(1)].concat())
    };
    vec![
        answer(
            "sets ENABLE_PUSH to 1, which no server may, then answers",
            RULE,
            BAD,
            [settings(&[(ENABLE_PUSH, 1)]), hello(1)].concat(),
        )
        .but(FINE),
        set("ENABLE_PUSH to 2", BAD, &[(ENABLE_PUSH, 2)]),
        set("ENABLE_PUSH to 0", FINE, &[(ENABLE_PUSH, 0)]),
        set("INITIAL_WINDOW_SIZE to 2^31", BAD, &[(INITIAL_WINDOW_SIZE, 1 << 31)]),
        set("INITIAL_WINDOW_SIZE to 2^31-1", FINE, &[(INITIAL_WINDOW_SIZE, (1 << 31) - 1)]),
        set("MAX_FRAME_SIZE to 16383", BAD, &[(MAX_FRAME_SIZE, 16383)]),
        set("MAX_FRAME_SIZE to 2^24", BAD, &[(MAX_FRAME_SIZE, 1 << 24)]),
        set("MAX_FRAME_SIZE to 2^24-1", FINE, &[(MAX_FRAME_SIZE, (1 << 24) - 1)]),
        set("HEADER_TABLE_SIZE to 0", FINE, &[(HEADER_TABLE_SIZE, 0)]),
        set("HEADER_TABLE_SIZE to 4 GiB", FINE, &[(HEADER_TABLE_SIZE, u32::MAX)]),
        set("MAX_HEADER_LIST_SIZE to 0", FINE, &[(MAX_HEADER_LIST_SIZE, 0)]),
        set("a setting nobody knows", FINE, &[(0xfafa, 7)]),
        set("one setting to three values, the last one good", FINE, &[(3, 0), (3, 1), (3, 100)]),
        answer("acknowledges SETTINGS with a payload", "RFC 9113 §6.5", BAD, frame(SETTINGS, ACK, 0, [0; 6])),
    ]
}

fn changes() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §6.9.2";
    vec![
        case("never acknowledges our settings", "RFC 9113 §6.5.3", FINE, |conn| {
            conn.polite = false;
            conn.greet(&[])?;
            let stream = conn.request()?;
            conn.send(hello(stream))
        }),
        case("sends no settings but the answer", "RFC 9113 §3.4", failed(Phase::Head, FailureKind::Protocol), |conn| {
            conn.polite = false;
            conn.preface()?;
            let stream = conn.request()?;
            conn.send(hello(stream))
        }),
        case_with("shrinks an upload's window below zero and opens it again", RULE, FINE, post(100_000), |conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            receive(conn, 65_535)?;
            conn.send(settings(&[(INITIAL_WINDOW_SIZE, 0)]))?;
            conn.acknowledged()?;
            // The window is at -65535 now. At 0 nothing may come yet.
            conn.send([window_update(0, 1 << 20), window_update(stream, 65_535)].concat())?;
            if quiet(conn)? {
                conn.send(window_update(stream, 1 << 20))?;
            }
            conn.until(super::h2::Frame::ends_stream)?;
            conn.send(hello(stream))
        }),
        case_with("changes every setting in the middle of an upload", RULE, FINE, post(1 << 20), |conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            receive(conn, 30_000)?;
            conn.send(settings(&[(1, 0), (3, 1), (4, 70_000), (5, 20_000), (6, 10)]))?;
            conn.acknowledged()?;
            conn.send([window_update(0, 1 << 21), window_update(stream, 1 << 21)].concat())?;
            conn.until(super::h2::Frame::ends_stream)?;
            conn.send(hello(stream))
        }),
    ]
}

/// Reads DATA until so many bytes have come.
fn receive(conn: &mut Conn, bytes: usize) -> io::Result<()> {
    let mut seen = 0;
    while seen < bytes {
        let frame = conn.read()?;
        if frame.kind == DATA {
            seen += frame.payload.len();
        }
    }
    Ok(())
}

/// Asks and waits for an answer (PING): whether neither HEADERS nor DATA came before it.
fn quiet(conn: &mut Conn) -> io::Result<bool> {
    let mut quiet = true;
    conn.send(frame(PING, 0, 0, *b"quiet?!?"))?;
    conn.until(|frame| {
        quiet &= !matches!(frame.kind, HEADERS | DATA);
        frame.kind == PING && frame.flags & ACK != 0
    })?;
    Ok(quiet)
}

fn streams() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §5.1.2";
    let many = |config: &mut Config| config.limits.per_host = 8.try_into().expect("not zero");
    let hasty = |config: &mut Config| config.timeouts.total = super::lab::SOON;
    let paths = |count: usize| (0..count).map(|n| format!("/{n}"));
    vec![
        case_with("allows no stream, ever", RULE, NEVER_SENT, hasty, |conn| {
            none_at_first(conn)?;
            conn.stall()
        }),
        Case::new("allows no stream, ever, to three URLs at once", RULE, NEVER_SENT, move || {
            let peer = serve(|conn| {
                none_at_first(conn)?;
                conn.stall()
            });
            together(lab().with(hasty).with(many).fetch_all(paths(3).map(|path| peer.url(&path))))
        }),
        case("allows no stream, then one", RULE, FINE, |conn| {
            none_at_first(conn)?;
            conn.send(settings(&[(MAX_CONCURRENT_STREAMS, 1)]))?;
            let stream = conn.request()?;
            conn.send(hello(stream))
        }),
        Case::new("allows one stream to eight URLs: never gets two", RULE, complete(200, 8 * 5), move || {
            let peer = serve(|conn| {
                conn.greet(&[(MAX_CONCURRENT_STREAMS, 1)])?;
                one_by_one(conn)
            });
            together(lab().with(many).fetch_all(paths(8).map(|path| peer.url(&path))))
        }),
        Case::new(
            "allows one stream to each connection, and answers when ten of them have a request",
            RULE,
            complete(200, 60 * 5),
            move || {
                let met = Arc::new(Barrier::new(10));
                let peer = serve(move |conn| {
                    conn.greet(&[(MAX_CONCURRENT_STREAMS, 1)])?;
                    loop {
                        let stream = conn.request()?;
                        met.wait();
                        conn.send(hello(stream))?;
                    }
                });
                let ten = |config: &mut Config| config.limits.per_host = 10.try_into().expect("not zero");
                together(lab().with(ten).fetch_all(paths(60).map(|path| peer.url(&path))))
            },
        ),
        Case::new(
            "allows one stream to each connection, and never answers the first of eight URLs",
            RULE,
            complete(200, 7 * 5),
            move || {
                let peer = serve(|conn| {
                    conn.greet(&[(MAX_CONCURRENT_STREAMS, 1)])?;
                    if conn.number == 0 { conn.stall() } else { one_by_one(conn) }
                });
                let impatient = |config: &mut Config| {
                    config.timeouts.first_byte = Duration::from_secs(3);
                    config.retries.retries = 0;
                };
                let mut outcomes = lab().with(many).with(impatient).fetch_all(paths(8).map(|path| peer.url(&path)));
                let hung =
                    outcomes.iter().position(|outcome| Verdict::of(outcome) == TIMEOUT).expect("one has no answer");
                assert!(peer.connections() >= 7, "the others wait for nobody: {}", peer.connections());
                outcomes.remove(hung);
                together(outcomes)
            },
        ),
        Case::new("lowers the streams to none after three answers, for good", RULE, complete(200, 40 * 5), move || {
            let peer = serve(|conn| {
                conn.greet(&[(MAX_CONCURRENT_STREAMS, 10)])?;
                for answered in 1.. {
                    let stream = conn.request()?;
                    let end = if answered == 3 { settings(&[(MAX_CONCURRENT_STREAMS, 0)]) } else { Vec::new() };
                    conn.send([end, hello(stream)].concat())?;
                }
                Ok(())
            });
            together(lab().with(many).fetch_all(paths(40).map(|path| peer.url(&path))))
        }),
        Case::new("lowers the streams from ten to one while four are open", RULE, complete(200, 16 * 5), move || {
            let peer = serve(|conn| {
                if conn.number > 0 {
                    conn.greet(&[(MAX_CONCURRENT_STREAMS, 1)])?;
                    return one_by_one(conn);
                }
                conn.greet(&[(MAX_CONCURRENT_STREAMS, 10)])?;
                let first = conn.request()?;
                conn.send(hello(first))?;
                let mut open = Vec::new();
                while open.len() < 4 {
                    open.push(conn.request()?);
                }
                conn.send(settings(&[(MAX_CONCURRENT_STREAMS, 1)]))?;
                conn.until(|frame| {
                    open.extend((frame.kind == HEADERS).then_some(frame.stream));
                    frame.kind == SETTINGS && frame.flags & ACK != 0
                })?;
                conn.send(open.into_iter().flat_map(hello).collect::<Vec<u8>>())?;
                one_by_one(conn)
            });
            together(lab().with(many).fetch_all(paths(16).map(|path| peer.url(&path))))
        }),
    ]
}

/// Greets with no stream allowed, and refuses what was sent before that was known.
fn none_at_first(conn: &mut Conn) -> io::Result<()> {
    conn.greet(&[(MAX_CONCURRENT_STREAMS, 0)])?;
    let mut early = Vec::new();
    conn.until(|frame| {
        early.extend((frame.kind == HEADERS).then_some(frame.stream));
        frame.kind == SETTINGS && frame.flags & ACK != 0
    })?;
    early.into_iter().try_for_each(|stream| conn.send(reset(stream, REFUSED_STREAM)))
}

/// Answers requests, and says so in the body when a second one came before the answer.
fn one_by_one(conn: &mut Conn) -> io::Result<()> {
    loop {
        let stream = conn.request()?;
        let alone = quiet(conn)?;
        conn.send(if alone { hello(stream) } else { [ok(stream, []), last(stream, "not alone")].concat() })?;
    }
}

/// Greets and reads a request whose stream then has a window of exactly 0: what was sent before that was known is paid for.
fn shut(conn: &mut Conn) -> io::Result<u32> {
    conn.greet(&[(INITIAL_WINDOW_SIZE, 0)])?;
    let (mut stream, mut sent) = (None, 0);
    conn.until(|frame| {
        match frame.kind {
            HEADERS => stream = Some(frame.stream),
            DATA => sent += u32::try_from(frame.payload.len()).expect("24 bits"),
            _ => {}
        }
        frame.kind == SETTINGS && frame.flags & ACK != 0
    })?;
    let stream = stream.map_or_else(|| conn.request(), Ok)?;
    if sent > 0 {
        conn.send([window_update(0, sent), window_update(stream, sent)].concat())?;
    }
    Ok(stream)
}

fn windows() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §6.9";
    let most = (1 << 31) - 1;
    vec![
        case_with(
            "never opens an upload's window",
            RULE,
            TIMEOUT,
            |config| {
                post(100_000)(config);
                soon(config);
            },
            move |conn| shut(conn).map(drop),
        ),
        case_with("opens an upload's window byte by byte", RULE, FINE, post(66_000), move |conn| {
            let stream = shut(conn)?;
            let mut ended = false;
            while !ended {
                conn.send([window_update(0, 1), window_update(stream, 1)].concat())?;
                ended = conn.until(|frame| frame.kind == DATA)?.ends_stream();
            }
            conn.send(hello(stream))
        }),
        case_with("opens the stream's window by 0", RULE, BAD, post(100_000), move |conn| {
            let stream = shut(conn)?;
            conn.send(window_update(stream, 0))
        }),
        answer("opens the connection's window by 0", RULE, BAD, window_update(0, 0)),
        case_with("overflows the stream's window", "RFC 9113 §6.9.1", BAD, post(100_000), move |conn| {
            let stream = shut(conn)?;
            conn.send([window_update(stream, most), window_update(stream, 1)].concat())
        }),
        answer("overflows the connection's window", "RFC 9113 §6.9.1", BAD, window_update(0, most)),
        case_with("overflows the window by its settings", "RFC 9113 §6.9.2", BAD, post(100_000), move |conn| {
            let stream = shut(conn)?;
            conn.send([window_update(stream, most - 5), settings(&[(INITIAL_WINDOW_SIZE, 6)])].concat())
        }),
        answer(
            "pads each byte of 4,000 with 255",
            "RFC 9113 §6.9.1",
            complete(200, 4_005),
            [ok(1, []), frame(DATA, PADDED, 1, [&[255, b'x'][..], &[0; 255]].concat()).repeat(4_000), last(1, "hello")]
                .concat(),
        ),
        answer(
            "ends with a frame of padding alone",
            "RFC 9113 §6.1",
            complete(200, 0),
            [ok(1, []), frame(DATA, PADDED | END_STREAM, 1, [3, 0, 0, 0])].concat(),
        ),
    ]
}
