//! Peers that are slow, and peers that stall, reset or close at every phase.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use haul::model::{FailureKind, Phase};
use socket2::{Domain, Socket, Type};

use super::answers::{CLOSED, TRUNCATED};
use super::case::{Case, Group, Verdict, complete, failed, until_close};
use super::lab::{Lab, SOON};
use super::peer::{Peer, Step, play, send};

pub(crate) fn group() -> Group {
    let mut cases = connects();
    cases.extend(addresses());
    cases.extend(drips());
    cases.extend(MOMENTS.iter().flat_map(|moment| [moment.stalls(), moment.resets(), moment.closes()]));
    Group { title: "Slow peers; stalls, resets and closes at every phase", cases }
}

fn hasty_for_head() -> Lab {
    Lab::new().hasty(HEAD)
}

fn connects() -> Vec<Case> {
    let connect = |kind| failed(Phase::Connect, kind);
    vec![
        Case::new("refuses the connection", "", connect(FailureKind::Refused), || {
            let (port, _kept) = refusing();
            Lab::new().fetch(format!("http://127.0.0.1:{port}/"))
        }),
        Case::new("answers no SYN (a full accept queue)", "", connect(FailureKind::Timeout), || {
            let (listener, _queue) = black_hole();
            Lab::new().hasty(Phase::Connect).fetch(format!("http://{}/", listener.local_addr().expect("bound")))
        }),
        Case::new(
            "never accepts the connection that the system has opened",
            "",
            failed(Phase::Head, FailureKind::Timeout),
            || {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
                hasty_for_head().fetch(format!("http://{}/", listener.local_addr().expect("bound")))
            },
        ),
        Case::new("accepts and does not read", "", failed(Phase::Head, FailureKind::Timeout), || {
            hasty_for_head().fetch(Peer::playing(vec![Step::Pause(Duration::from_secs(2)), Step::Drop]).url("/"))
        }),
    ]
}

/// A listener whose queue is full: the streams fill it.
fn black_hole() -> (TcpListener, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    socket.listen(1).expect("bound");
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().expect("bound");
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        assert!(queue.len() < 200, "the queue of a listener with a backlog of 1 took 200 connections");
        queue.push(stream);
    }
    (listener, queue)
}

/// A name with two addresses, 127.0.0.1 and 127.0.0.2.
fn addresses() -> Vec<Case> {
    let on_two = |port, timeout| {
        let lab = Lab::new().with(|config| {
            config.timeouts.connect = timeout;
            let addresses = vec![Ipv4Addr::LOCALHOST.into(), SECOND.into()];
            config.network.resolve = vec![haul::config::ResolveRule { host: None, port, addresses }];
        });
        lab.fetch(format!("http://a.test:{port}/"))
    };
    vec![
        Case::new("answers no SYN on its first address, answers on its second", EYEBALLS, WHOLE, move || {
            let (listener, _queue) = black_hole();
            let port = listener.local_addr().expect("bound").port();
            let _second = second(port);
            on_two(port, Duration::from_secs(15))
        }),
        Case::new("refuses on its first address, answers on its second", EYEBALLS, WHOLE, move || {
            let (port, _kept) = refusing();
            let _second = second(port);
            on_two(port, Duration::from_secs(15))
        }),
        Case::new(
            "refuses on both of its addresses",
            EYEBALLS,
            failed(Phase::Connect, FailureKind::Refused),
            move || {
                let (port, _kept) = refusing();
                on_two(port, Duration::from_secs(15))
            },
        ),
        Case::new(
            "answers no SYN on its first address, refuses on its second",
            EYEBALLS,
            failed(Phase::Connect, FailureKind::Refused),
            move || {
                let (listener, _queue) = black_hole();
                on_two(listener.local_addr().expect("bound").port(), Duration::from_secs(1))
            },
        ),
        Case::new(
            "has an address that is no host's (multicast)",
            "",
            failed(Phase::Connect, FailureKind::Unreachable),
            || Lab::new().fetch("http://224.0.0.1/"),
        ),
    ]
}

const EYEBALLS: &str = "RFC 8305 §5";
const WHOLE: Verdict = complete(200, 5);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A good server on the second address.
fn second(port: u16) -> Peer {
    let listener = TcpListener::bind((SECOND, port)).expect("free on this address, too");
    let answer = [Step::Request, send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")];
    Peer::listening(listener, move |mut stream, _| play(&mut stream, &answer))
}

/// A port of this machine's that refuses connections for as long as the socket is kept: bound, and not listening.
fn refusing() -> (u16, Socket) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    let port = socket.local_addr().expect("bound").as_socket().expect("IPv4").port();
    (port, socket)
}

fn drips() -> Vec<Case> {
    let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: 1\r\n\r\n".to_vec();
    let slow = Duration::from_millis(20);
    let head = || send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    let drip = |what, expected, lab: fn() -> Lab, script: Vec<Step>| {
        Case::new(what, "", expected, move || lab().fetch(Peer::playing(script).url("/")))
    };
    vec![
        drip(
            "a byte every 2 ms, whole",
            complete(200, 5),
            Lab::new,
            vec![Step::Request, Step::Drip(whole.clone(), Duration::from_millis(2))],
        ),
        drip(
            "a byte every 2 ms, in chunks with extension and trailer",
            complete(200, 5),
            Lab::new,
            vec![Step::Request, Step::Drip(chunked, Duration::from_millis(2))],
        ),
        drip(
            "a byte of the head every 20 ms, past `--first-byte-timeout`",
            failed(Phase::Head, FailureKind::Timeout),
            hasty_for_head,
            vec![Step::Request, Step::Drip(whole, slow)],
        ),
        drip(
            "a byte of the body every 20 ms, past `--timeout`",
            failed(Phase::Body, FailureKind::TotalTimeout),
            || Lab::new().with(|config| config.timeouts.total = Duration::from_secs(2)),
            vec![Step::Request, head(), Step::Drip(vec![b'x'; 1000], slow)],
        ),
        drip(
            "a byte of the body every 20 ms, below `--min-rate`",
            failed(Phase::Body, FailureKind::TooSlow),
            || {
                Lab::new().with(|config| {
                    (config.timeouts.min_rate, config.timeouts.min_rate_after) = (1000, SOON);
                })
            },
            vec![Step::Request, head(), Step::Drip(vec![b'x'; 1000], slow)],
        ),
        drip(
            "103 every 20 ms, past `--first-byte-timeout`",
            failed(Phase::Head, FailureKind::Timeout),
            hasty_for_head,
            std::iter::once(Step::Request)
                .chain((0..100).flat_map(|_| [send("HTTP/1.1 103 X\r\n\r\n"), Step::Pause(slow)]))
                .collect(),
        ),
    ]
}

/// How far a peer comes before it stalls, resets or closes.
struct Moment {
    when: &'static str,
    /// Whether it reads the request first.
    reads: bool,
    sends: &'static str,
    phase: Phase,
    /// What is said when it closes then.
    closed: Verdict,
}

const fn moment(when: &'static str, sends: &'static str, phase: Phase, closed: Verdict) -> Moment {
    Moment { when, reads: true, sends, phase, closed }
}

const HEAD: Phase = Phase::Head;
const BODY: Phase = Phase::Body;

const MOMENTS: [Moment; 17] = [
    Moment { when: "before it has read the request", reads: false, sends: "", phase: HEAD, closed: CLOSED },
    moment("after the request", "", HEAD, CLOSED),
    moment("after one byte", "H", HEAD, CLOSED),
    moment("in the status line", "HTTP/1.1 2", HEAD, CLOSED),
    moment("after the status line", "HTTP/1.1 200 OK\r\n", HEAD, CLOSED),
    moment("in a header", "HTTP/1.1 200 OK\r\nContent-Le", HEAD, CLOSED),
    moment("before the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", HEAD, CLOSED),
    moment("in the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r", HEAD, CLOSED),
    moment("before a body with a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BODY, TRUNCATED),
    moment("in a body with a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", BODY, TRUNCATED),
    moment("before the chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BODY, TRUNCATED),
    moment("in a chunk's size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5", BODY, TRUNCATED),
    moment("in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", BODY, TRUNCATED),
    moment("between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", BODY, TRUNCATED),
    moment(
        "after the last chunk",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        BODY,
        TRUNCATED,
    ),
    moment("in the trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1", BODY, TRUNCATED),
    moment("in a body without a length", "HTTP/1.1 200 OK\r\n\r\nhello", BODY, until_close(200, 5)),
];

impl Moment {
    fn stalls(&self) -> Case {
        let expected = failed(self.phase, FailureKind::Timeout);
        let phase = self.phase;
        self.case("stalls", expected, move || Lab::new().hasty(phase), Step::Stall)
    }

    fn resets(&self) -> Case {
        self.case("resets", failed(self.phase, FailureKind::Reset), Lab::new, Step::Reset)
    }

    fn closes(&self) -> Case {
        self.case("closes", self.closed, Lab::new, Step::End)
    }

    fn case(&self, does: &str, expected: Verdict, lab: impl FnOnce() -> Lab + Send + 'static, then: Step) -> Case {
        let mut script = vec![if self.reads { Step::Request } else { Step::Peek }];
        script.extend((!self.sends.is_empty()).then(|| send(self.sends)));
        script.push(then);
        let what = format!("{does} {}", self.when);
        Case::new(what, "", expected, move || lab().fetch(Peer::playing(script).url("/")))
    }
}
