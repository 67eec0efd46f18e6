//! What haul sends over HTTP/2 to a peer that makes it wait, gives up on an answer, or takes an upload in crumbs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::select;
use haul::Client;
use haul::model::{FailureKind, Phase};

use super::case::{Case, Group, Verdict, complete, failed};
use super::h2::{
    ACK, Conn, DATA, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, NO_ERROR, RST_STREAM, SETTINGS, case_with,
    data, frame, goaway, hello, lab, last, ok, post, serve, settings, together, window_update,
};
use super::lab::SOON;

const FINE: Verdict = complete(200, 5);

pub(crate) fn group() -> Group {
    let cases = [waiting(), resetting(), giving_up(), headers(), uploads()];
    Group {
        title: "HTTP/2: requests that wait, that are given up, and that upload",
        cases: cases.into_iter().flatten().collect(),
    }
}

/// Greets with one stream allowed, and reads the request that then is in service.
fn one_stream(conn: &mut Conn) -> io::Result<u32> {
    conn.greet(&[(MAX_CONCURRENT_STREAMS, 1)])?;
    conn.request()
}

fn waiting() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §5.1.2";
    let paths = |count: usize| (0..count).map(|n| format!("/{n}"));
    let at_once = |config: &mut haul::config::Config| config.limits.per_host = 4.try_into().expect("not zero");
    vec![
        Case::new(
            "allows one stream on one connection, and the first request hangs: the others' clock has not begun",
            RULE,
            complete(200, 15),
            {
                move || {
                    let peer = serve(|conn| {
                        if conn.number > 0 {
                            conn.greet(&[(MAX_CONCURRENT_STREAMS, 1)])?;
                        } else {
                            one_stream(conn)?;
                            conn.until(|frame| frame.kind == RST_STREAM)?;
                        }
                        loop {
                            let stream = conn.request()?;
                            // Each in its own time, and all of them later than the first one's.
                            std::thread::sleep(SOON / 2);
                            conn.send(hello(stream))?;
                        }
                    });
                    let lab = lab().with(at_once).with(|config| {
                        config.timeouts.first_byte = SOON;
                        config.pool.max_h2_connections = 1;
                    });
                    let mut outcomes = lab.fetch_all(paths(4).map(|path| peer.url(&path)));
                    assert_eq!(Verdict::of(&outcomes.remove(0)), failed(Phase::Head, FailureKind::Timeout));
                    together(outcomes)
                }
            },
        ),
        Case::new(
            "allows no stream after one that goes on: what waits ends with its total time, and is never sent",
            RULE,
            failed(Phase::Send, FailureKind::TotalTimeout),
            move || {
                let asked = Arc::new(AtomicUsize::new(0));
                let count = Arc::clone(&asked);
                let peer = serve(move |conn| {
                    conn.preface()?;
                    conn.polite = false;
                    let stream = conn.request()?;
                    let none = settings(&[(MAX_CONCURRENT_STREAMS, 0)]);
                    conn.send([none, frame(SETTINGS, ACK, 0, []), ok(stream, [])].concat())?;
                    count.fetch_add(1, Ordering::Relaxed);
                    let mut alive = true;
                    while alive {
                        let frame = conn.read()?;
                        count.fetch_add(usize::from(frame.kind == HEADERS), Ordering::Relaxed);
                        alive = frame.kind != RST_STREAM;
                    }
                    conn.until(|frame| {
                        count.fetch_add(usize::from(frame.kind == HEADERS), Ordering::Relaxed);
                        false
                    })?;
                    Ok(())
                });
                let lab = lab().with(at_once).with(|config| config.timeouts.total = 2 * SOON);
                let mut outcomes = lab.fetch_all(paths(4).map(|path| peer.url(&path)));
                assert_eq!(Verdict::of(&outcomes.remove(0)), failed(Phase::Body, FailureKind::TotalTimeout));
                assert_eq!(asked.load(Ordering::Relaxed), 1, "requests that the peer has seen");
                let verdicts: Vec<_> = outcomes.iter().map(Verdict::of).collect();
                assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
                verdicts[0]
            },
        ),
        Case::new(
            "allows one stream and closes: what waits is asked on another connection",
            RULE,
            complete(200, 15),
            {
                move || {
                    let peer = serve(|conn| {
                        if conn.number == 0 {
                            one_stream(conn)?;
                            conn.acknowledged()?;
                            return conn.end();
                        }
                        conn.greet(&[])?;
                        loop {
                            let stream = conn.request()?;
                            conn.send(hello(stream))?;
                        }
                    });
                    let mut outcomes = lab().with(at_once).fetch_all(paths(4).map(|path| peer.url(&path)));
                    assert_eq!(Verdict::of(&outcomes.remove(0)), failed(Phase::Head, FailureKind::Closed));
                    together(outcomes)
                }
            },
        ),
    ]
}

/// Two requests at once; `victim` gets this answer, and the other one is answered once the victim's stream has been reset. The
/// verdict is the victim's.
fn reset_at_once(what: &str, expected: Verdict, victim: usize, streams: u32, answer: fn(u32) -> Vec<u8>) -> Case {
    let what = format!("{what} to the {} request of two, {streams} streams allowed", ["first", "second"][victim]);
    Case::new(what, "RFC 9113 §5.4.2", expected, move || {
        let peer = serve(move |conn| {
            conn.greet(&[(MAX_CONCURRENT_STREAMS, streams)])?;
            let both = [conn.request()?, conn.request()?];
            conn.send(answer(both[victim]))?;
            conn.until(|frame| frame.kind == RST_STREAM && frame.stream == both[victim])?;
            conn.send(hello(both[1 - victim]))
        });
        let lab = lab().with(|config| {
            config.limits.per_host = 2.try_into().expect("not zero");
            config.body.max_wire = 100;
            config.timeouts.idle = SOON;
            config.timeouts.first_byte = Duration::from_secs(5);
        });
        let mut outcomes = lab.fetch_all(["/0", "/1"].map(|path| peer.url(path)));
        let verdict = Verdict::of(&outcomes.remove(victim));
        assert_eq!(Verdict::of(&outcomes[0]), FINE, "the other one, which waits for the reset");
        verdict
    })
}

fn resetting() -> Vec<Case> {
    let too_large = failed(Phase::Body, FailureKind::TooLarge);
    let head_too_large = failed(Phase::Head, FailureKind::HeadTooLarge);
    let idle = failed(Phase::Body, FailureKind::Timeout);
    let mut cases = Vec::new();
    for (victim, streams) in [(0, 2), (1, 2), (0, 100), (1, 100)] {
        let case = |what, expected, answer| reset_at_once(what, expected, victim, streams, answer);
        cases.push(case("sends more than is taken", too_large, |id| [ok(id, []), data(id, [b'x'; 101])].concat()));
        cases.push(case("stops in mid-body", idle, |id| [ok(id, []), data(id, "x")].concat()));
        cases.push(case("sends too many headers", head_too_large, |id| {
            let fields: Vec<u8> = (0..101).flat_map(|n| super::h2::field(format!("n{n}"), "x")).collect();
            frame(HEADERS, 4, id, [vec![super::h2::STATUS_200], fields].concat())
        }));
    }
    cases
}

/// A program's request, which it gives up once the peer has said so much; the peer has to hear of it while nothing else is
/// asked. The peer allows `streams`.
fn given_up(what: &str, streams: u32, said: fn(u32) -> Vec<u8>, give_up: fn(&Client, String)) -> Case {
    let what = format!("is asked by a program that {what}, {streams} streams allowed: hears of it at once");
    Case::new(what, "RFC 9113 §5.4.2", complete(200, 0), move || {
        let (sender, heard) = channel();
        let sender = std::sync::Mutex::new(sender);
        let peer = serve(move |conn| {
            conn.greet(&[(MAX_CONCURRENT_STREAMS, streams)])?;
            let stream = conn.request()?;
            conn.send(said(stream))?;
            conn.until(|frame| frame.kind == RST_STREAM && frame.stream == stream)?;
            let _ = sender.lock().expect("no panic while it is held").send(());
            Ok(())
        });
        let client = Client::builder().config(|config| config.network.http2_prior_knowledge = true);
        let client = client.build().expect("valid settings");
        give_up(&client, peer.url("/"));
        heard.recv_timeout(Duration::from_secs(5)).map_or(Verdict::Hang, |()| complete(200, 0))
    })
}

fn giving_up() -> Vec<Case> {
    let drop_response = |client: &Client, url: String| {
        drop(block_on(client.get(url).send()).expect("a head"));
    };
    let drop_request = |client: &Client, url: String| {
        let sending = Box::pin(client.get(url).send());
        let time = Box::pin(async_sleep(SOON));
        drop(block_on(select(sending, time)));
    };
    let mut cases = Vec::new();
    for streams in [1, 100] {
        cases.push(given_up("drops a response", streams, |id| [ok(id, []), data(id, "x")].concat(), drop_response));
        cases.push(given_up("waits no longer for a head", streams, |_| Vec::new(), drop_request));
    }
    cases
}

/// Ready after a while, on any executor.
fn async_sleep(time: Duration) -> futures::channel::oneshot::Receiver<()> {
    let (sender, receiver) = futures::channel::oneshot::channel();
    std::thread::spawn(move || {
        std::thread::sleep(time);
        sender.send(())
    });
    receiver
}

fn headers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, value) in
        [("keep-alive", "timeout=5"), ("proxy-connection", "keep-alive"), ("te", "gzip, trailers"), ("te", "gzip")]
    {
        let add = move |config: &mut haul::config::Config| {
            config.request.headers.insert(name, http::HeaderValue::from_static(value));
        };
        let what = format!("is asked by a user who sends {name}: {value}");
        cases.push(case_with(what, "RFC 9113 §8.2.2", FINE, add, |conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            conn.send(hello(stream))
        }));
    }
    cases
}

/// Takes an upload and gives its windows back as `back` says, after each DATA frame; answers with five bytes if no more than
/// `most` frames but the last had less than `least` bytes.
fn taken(conn: &mut Conn, window: u32, least: usize, most: usize, back: fn(u32, u32) -> Vec<u8>) -> io::Result<()> {
    conn.greet(&[(INITIAL_WINDOW_SIZE, window)])?;
    let (mut small, mut stream, mut before) = (0, 0, false);
    loop {
        let frame = conn.read()?;
        before |= frame.kind == SETTINGS && frame.flags & ACK != 0;
        if frame.kind == HEADERS {
            stream = frame.stream;
        }
        if frame.kind != DATA {
            continue;
        }
        if frame.ends_stream() {
            break;
        }
        small += usize::from(before && frame.payload.len() < least);
        conn.send(back(stream, u32::try_from(frame.payload.len()).expect("24 bits")))?;
    }
    conn.send(if small <= most {
        hello(stream)
    } else {
        [ok(stream, []), last(stream, format!("{small} small frames"))].concat()
    })
}

fn uploads() -> Vec<Case> {
    const RULE: &str = "RFC 9293 §3.8.6.2.1";
    let byte_by_byte = |stream, bytes: u32| -> Vec<u8> {
        (0..bytes).flat_map(|_| [window_update(0, 1), window_update(stream, 1)].concat()).collect()
    };
    let at_once = |stream, bytes| [window_update(0, bytes), window_update(stream, bytes)].concat();
    let case = |what: &str, bytes, window, least, most, back: fn(u32, u32) -> Vec<u8>| {
        case_with(what, RULE, FINE, post(bytes), move |conn| taken(conn, window, least, most, back))
    };
    vec![
        case("gives each byte of the window back alone", 1 << 20, 65_535, 4096, 0, byte_by_byte),
        case("gives the window back frame by frame", 1 << 20, 65_535, 4096, 0, at_once),
        case("has a window of 5,000 bytes and gives each back alone", 50_000, 5_000, 2_000, 0, byte_by_byte),
        case("has a window of 100 bytes", 10_000, 100, 50, 0, at_once),
        case("has a window of one byte", 1_000, 1, 1, 0, at_once),
        Case::new(
            "takes twenty uploads at once, and has less and less room for all of them together",
            RULE,
            complete(200, 100),
            || {
                // First each stream has all of its window; then all have as much together, and in crumbs.
                const WINDOW: u32 = 65_535;
                let peer = serve(|conn| {
                    conn.greet(&[])?;
                    conn.send(window_update(0, 19 * WINDOW))?;
                    let mut kept = 19 * WINDOW;
                    loop {
                        let frame = conn.read()?;
                        if frame.kind != DATA {
                            continue;
                        }
                        let length = u32::try_from(frame.payload.len()).expect("24 bits");
                        let now = kept.min(length);
                        kept -= now;
                        let crumbs = (0..length - now).step_by(1000).map(|at| (length - now - at).min(1000));
                        conn.send(crumbs.flat_map(|crumb| window_update(0, crumb)).collect::<Vec<u8>>())?;
                        let own =
                            if frame.ends_stream() { hello(frame.stream) } else { window_update(frame.stream, length) };
                        conn.send(own)?;
                    }
                });
                let lab = lab().with(post(300_000)).with(|config| {
                    config.limits.per_host = 20.try_into().expect("not zero");
                    config.timeouts.total = Duration::from_secs(3);
                });
                together(lab.fetch_all((0..20).map(|n| peer.url(&format!("/{n}")))))
            },
        ),
        case_with(
            "answers whole at the head, with the window closed, and ends",
            "RFC 9113 §8.1",
            FINE,
            post(200_000),
            |conn| {
                conn.greet(&[])?;
                let stream = conn.request()?;
                conn.send(hello(stream))?;
                conn.end()
            },
        ),
        case_with("the same, and leaves before", "RFC 9113 §8.1", FINE, post(200_000), |conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            conn.send([hello(stream), goaway(stream, NO_ERROR)].concat())?;
            conn.end()
        }),
        case_with("gives back less than half of its window and waits", RULE, FINE, post(70_000), |conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            let mut bytes = 0;
            while bytes < 65_535 {
                bytes += conn.until(|frame| frame.kind == DATA)?.payload.len();
            }
            while bytes < 70_000 {
                conn.send([window_update(0, 1_000), window_update(stream, 1_000)].concat())?;
                bytes += conn.until(|frame| frame.kind == DATA)?.payload.len();
            }
            conn.send(hello(stream))
        }),
    ]
}
