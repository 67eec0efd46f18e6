//! What comes beside the one response: informational ones, answers nobody asked for, answers too early; and which
//! connections are used again.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use haul::model::{FailureKind, Phase};

use super::answers::{
    BAD_FRAMING, CLOSED, HEAD_TOO_LARGE, MALFORMED_HEAD, OTHER_CONNECTION, SAME_CONNECTION, TRUNCATED, answer,
    same_or_other, then_next,
};
use super::case::{Case, Group, Verdict, complete, failed};
use super::lab::{Lab, SOON};
use super::memory::{Delivery, Ending, exchange, runtime};
use super::peer::{Peer, Step, send};

const INFORMATIONAL: &str = "RFC 9110 §15.2";
const CONNECTIONS: &str = "RFC 9112 §9.3";
const ORDER: &str = "RFC 9112 §9.2";
const UPLOADS: &str = "RFC 9112 §9.5";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const WHOLE: Verdict = complete(200, 5);

pub(crate) fn group() -> Group {
    let mut cases = informational();
    cases.extend(endless_informational());
    cases.extend(unasked());
    cases.extend(reused());
    cases.extend(uploads());
    Group { title: "Beside the response", cases }
}

fn informational() -> Vec<Case> {
    let protocol = failed(Phase::Head, FailureKind::Protocol);
    let before = |what: &str, heads: &str| answer(what, INFORMATIONAL, WHOLE, format!("{heads}{OK}"));
    let many = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(20);
    vec![
        before("100, unasked, then the response", "HTTP/1.1 100 Continue\r\n\r\n"),
        before("102, then the response", "HTTP/1.1 102 Processing\r\n\r\n"),
        before("103 with headers, then the response", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        before("199, then the response", "HTTP/1.1 199 X\r\n\r\n"),
        before("20 times 103, then the response", &many),
        before("103 with `Content-Length: 5`, then the response", "HTTP/1.1 103 X\r\nContent-Length: 5\r\n\r\n"),
        before(
            "103 with `Transfer-Encoding: chunked`, then the response",
            "HTTP/1.1 103 X\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        before("103 with `Connection: close`, then the response", "HTTP/1.1 103 X\r\nConnection: close\r\n\r\n"),
        answer(
            "103 with `Content-Length: 5` and a body",
            INFORMATIONAL,
            MALFORMED_HEAD,
            format!("HTTP/1.1 103 X\r\nContent-Length: 5\r\n\r\nhello{OK}"),
        ),
        answer("100, then closes", INFORMATIONAL, CLOSED, "HTTP/1.1 100 Continue\r\n\r\n"),
        Case::new("100, then silence", INFORMATIONAL, failed(Phase::Head, FailureKind::Timeout), || {
            let peer = Peer::playing(vec![Step::Request, send("HTTP/1.1 100 Continue\r\n\r\n"), Step::Stall]);
            Lab::new().hasty(Phase::Head).fetch(peer.url("/"))
        }),
        answer("101, unasked", "RFC 9110 §15.2.2", protocol, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        answer("101 and a response", "RFC 9110 §15.2.2", protocol, format!("HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n{OK}")),
        answer(
            "101 to HTTP/2, and its SETTINGS",
            "RFC 9110 §15.2.2",
            protocol,
            b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        ),
        then_next(
            "103 and the response, then the next request",
            CONNECTIONS,
            SAME_CONNECTION,
            format!("HTTP/1.1 103 X\r\n\r\n{OK}"),
        ),
        then_next(
            "100 after the response, then the next request",
            CONNECTIONS,
            OTHER_CONNECTION,
            format!("{OK}HTTP/1.1 100 X\r\n\r\n"),
        ),
    ]
}

fn endless_informational() -> Vec<Case> {
    let endless = |what, heads: Vec<u8>| {
        Case::new(what, INFORMATIONAL, HEAD_TOO_LARGE, move || {
            let peer = Peer::playing(vec![Step::Request, Step::Flood(heads)]);
            Lab::new().fetch(peer.url("/"))
        })
    };
    let hints = |bytes: usize| format!("HTTP/1.1 103 X\r\nLink: {}\r\n\r\n", "x".repeat(bytes - 26));
    let one_length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n";
    let two_lengths = format!("{one_length}Content-Length: 9\x01\r\n\r\nhello");
    let five = format!("{}{}", hints(60 << 10).repeat(4), hints((16 << 10) - one_length.len()));
    vec![
        early(
            "256 KiB of 103, then a head that says two things about its length (in memory)",
            BAD_FRAMING,
            format!("{five}{two_lengths}"),
            Ending::Silence,
        ),
        early(
            "480 KiB of 103, then that head (in memory)",
            HEAD_TOO_LARGE,
            hints(60 << 10).repeat(8) + &two_lengths,
            Ending::Silence,
        ),
        endless("100 without an end, in large pieces", b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)),
        endless("100 without an end, one at a time", b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        endless(
            "103 of 8 KiB without an end",
            format!("HTTP/1.1 103 X\r\nLink: {}\r\n\r\n", "x".repeat(8 << 10)).into_bytes(),
        ),
    ]
}

/// Two requests, one after the other; the verdict on the second says which connection it went out on.
fn second(what: &str, rule: &'static str, expected: Verdict, first: Vec<Step>) -> Case {
    Case::new(what, rule, expected, move || {
        let peer = Peer::playing_each(same_or_other(first));
        Verdict::of(&Lab::new().fetch_all([peer.url("/first"), peer.url("/next")])[1])
    })
}

fn unasked() -> Vec<Case> {
    let banner = |what, expected, script: Vec<Step>| {
        Case::new(what, ORDER, expected, move || Lab::new().fetch(Peer::playing(script).url("/")))
    };
    vec![
        banner("sends its response without waiting for the request, then reads on", WHOLE, vec![send(OK), Step::Stall]),
        banner(
            "sends an SSH banner without waiting for the request",
            MALFORMED_HEAD,
            vec![send("SSH-2.0-X\r\n"), Step::Stall],
        ),
        early("its response is there before the request is written (in memory)", WHOLE, OK, Ending::Silence),
        early(
            "an SSH banner is there before the request is written (in memory)",
            MALFORMED_HEAD,
            "SSH-2.0\r\n",
            Ending::Silence,
        ),
        early("has closed before the request is written (in memory)", CLOSED, "", Ending::Eof),
        early(
            "has reset before the request is written (in memory)",
            failed(Phase::Head, FailureKind::Reset),
            "",
            Ending::Reset,
        ),
        then_next(
            "bytes that are no response after it, then the next request",
            ORDER,
            OTHER_CONNECTION,
            format!("{OK}\0"),
        ),
        then_next(
            "an empty line after the response, then the next request",
            ORDER,
            OTHER_CONNECTION,
            format!("{OK}\r\n"),
        ),
        then_next(
            "an unasked 408 after the response, then the next request",
            ORDER,
            OTHER_CONNECTION,
            format!("{OK}HTTP/1.1 408 X\r\nConnection: close\r\n\r\n"),
        ),
        Case::new("an unasked 408 on the parked connection, then the next request", ORDER, OTHER_CONNECTION, || {
            parked(send("HTTP/1.1 408 X\r\nConnection: close\r\n\r\n"))
        }),
        Case::new("a whole response on the parked connection, then the next request", ORDER, OTHER_CONNECTION, || {
            parked(send(OK))
        }),
        Case::new("one byte on the parked connection, then the next request", ORDER, OTHER_CONNECTION, || {
            parked(send("H"))
        }),
        Case::new("closes the parked connection, then the next request", CONNECTIONS, OTHER_CONNECTION, || {
            parked(Step::End)
        }),
        Case::new("resets the parked connection, then the next request", CONNECTIONS, OTHER_CONNECTION, || {
            parked(Step::Reset)
        }),
    ]
}

/// Whether bytes come before the request is written is a race over a network, and not in memory.
fn early(what: &'static str, expected: Verdict, bytes: impl Into<String>, ending: Ending) -> Case {
    let bytes = bytes.into();
    Case::new(what, ORDER, expected, move || {
        let pieces = vec![bytes.as_bytes()];
        let delivery = Delivery { pieces, ending, waits: false, early: true };
        runtime().block_on(exchange(&http::Method::GET, &delivery)).verdict
    })
}

/// The first request is over and its connection parked when another host is asked; then comes what is unasked, then that
/// host's answer, and only then the next request.
fn parked(unasked: Step) -> Verdict {
    let (is_parked, has_come) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let meet = |barrier: &Arc<Barrier>| Step::Meet(Arc::clone(barrier));
    let mut first = vec![Step::Request, send(OK), meet(&is_parked)];
    let mut other = vec![Step::Request, meet(&is_parked)];
    if matches!(unasked, Step::Reset) {
        // It comes with the script's end. Too late, it would hit the next request, which is then repeated.
        first.push(unasked);
        other.push(Step::Pause(SOON));
    } else {
        first.extend([unasked, meet(&has_come)]);
        other.push(meet(&has_come));
    }
    other.push(send(OK));
    let (peer, other) = (Peer::playing_each(same_or_other(first)), Peer::playing(other));
    Verdict::of(&Lab::new().fetch_in_turn([peer.url("/first"), other.url("/"), peer.url("/next")])[2])
}

fn reused() -> Vec<Case> {
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    let both = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    let listed = "HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 5\r\n\r\nhello";
    vec![
        then_next("`Connection: close` and stays open, then the next request", CONNECTIONS, OTHER_CONNECTION, close),
        then_next("`Connection: keep-alive` and `: close`, then the next request", CONNECTIONS, OTHER_CONNECTION, both),
        then_next("`Connection: x, CLOSE`, then the next request", CONNECTIONS, OTHER_CONNECTION, listed),
        second(
            "closes right after the response without a word, then the next request",
            CONNECTIONS,
            OTHER_CONNECTION,
            vec![Step::Request, send(OK), Step::End],
        ),
        second(
            "closes when the next request has come (a keep-alive race)",
            "RFC 9112 §9.3.1",
            OTHER_CONNECTION,
            vec![Step::Request, send(OK), Step::Request, Step::End],
        ),
        second(
            "resets when the next request has come",
            "RFC 9112 §9.3.1",
            OTHER_CONNECTION,
            vec![Step::Request, send(OK), Step::Request, Step::Reset],
        ),
        second(
            "half a head to the next request, then closes",
            "RFC 9112 §9.3.1",
            CLOSED,
            vec![Step::Request, send(OK), Step::Request, send("HTTP/1.1 2"), Step::End],
        ),
        second(
            "half a body to the next request, then closes",
            "RFC 9112 §8",
            TRUNCATED,
            vec![
                Step::Request,
                send(OK),
                Step::Request,
                send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
                Step::End,
            ],
        ),
    ]
}

/// A POST of a body far larger than what sockets hold.
fn upload(what: &str, expected: Verdict, script: Vec<Step>) -> Case {
    Case::new(what, UPLOADS, expected, move || {
        let lab = Lab::new().with(|config| {
            config.request.method = http::Method::POST;
            config.request.body = Some(vec![b'x'; 32 << 20].into());
        });
        lab.hasty_for(expected).fetch(Peer::playing(script).url("/"))
    })
}

fn uploads() -> Vec<Case> {
    let early = "HTTP/1.1 413 X\r\nContent-Length: 5\r\n\r\nlarge";
    let closing = "HTTP/1.1 413 X\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge";
    let until_close = "HTTP/1.1 413 X\r\n\r\nlarge";
    // Time enough for the answer to be read.
    let soon = Step::Pause(Duration::from_secs(1));
    let whole = complete(413, 5);
    let timeout = failed(Phase::Head, FailureKind::Timeout);
    let reset = failed(Phase::Head, FailureKind::Reset);
    vec![
        upload("upload of 32 MiB: reads it and answers", WHOLE, vec![Step::Request, send(OK)]),
        upload("upload: answers at its head, then reads on", whole, vec![Step::Head, send(early), Step::Stall]),
        upload(
            "upload: answers at its head with `Connection: close`, then reads on",
            whole,
            vec![Step::Head, send(closing), Step::Stall],
        ),
        upload(
            "upload: answers at its head, never reads on, ends its side",
            whole,
            vec![Step::Head, send(closing), Step::End, Step::Pause(Duration::from_millis(500)), Step::Drop],
        ),
        upload(
            "upload: answers at its head, then resets",
            whole,
            vec![Step::Head, send(closing), soon.clone(), Step::Reset],
        ),
        upload(
            "upload: answers at its head and closes with the rest unread",
            whole,
            vec![Step::Head, send(closing), soon.clone(), Step::Drop],
        ),
        upload(
            "upload: answers at its head without a length, then ends its side",
            super::case::until_close(413, 5),
            vec![Step::Head, send(until_close), Step::End, Step::Stall],
        ),
        upload(
            "upload: never reads the body, says nothing",
            timeout,
            vec![Step::Head, Step::Pause(Duration::from_secs(5)), Step::Drop],
        ),
        upload("upload: resets at its head", reset, vec![Step::Head, Step::Reset]),
    ]
}
