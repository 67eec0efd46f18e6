//! Answers that are not to the request they seem to answer, and hints about what comes next that are not to be believed.

use std::time::Duration;

use haul::config::Config;
use haul::model::{FailureKind, Phase};
use http::Method;

use super::answers::{CLOSED, OTHER_CONNECTION, SAME_CONNECTION, answer, same_or_other, then_next};
use super::case::{Case, Group, Verdict, complete, failed, until_close};
use super::lab::Lab;
use super::peer::{Peer, Step, send};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CONNECTIONS: &str = "RFC 9112 §9.3";

pub(crate) fn group() -> Group {
    let mut cases = late();
    cases.extend(unsafe_to_repeat());
    cases.extend(hints());
    cases.extend(given_up());
    cases.extend(ends());
    Group { title: "Answers to others, and hints not to be believed", cases }
}

/// Requests one after the other; the verdict on the second.
fn second(change: impl FnOnce(&mut Config), scripts: Vec<Vec<Step>>) -> Verdict {
    let peer = Peer::playing_each(scripts);
    Verdict::of(&Lab::new().with(change).fetch_in_turn([peer.url("/first"), peer.url("/next")])[1])
}

fn late() -> Vec<Case> {
    let first_byte = Duration::from_secs(2);
    let late = first_byte + Duration::from_millis(500);
    vec![
        Case::new(
            "answers a request after its time-out, then the next request",
            "RFC 9112 §9.2",
            OTHER_CONNECTION,
            move || {
                let first = vec![Step::Request, Step::Pause(late), send(OK)];
                second(|config| config.timeouts.first_byte = first_byte, same_or_other(first))
            },
        ),
        Case::new(
            "ends a body after its time-out, then the next request",
            "RFC 9112 §9.2",
            OTHER_CONNECTION,
            move || {
                let first = vec![Step::Request, send(&OK[..OK.len() - 1]), Step::Pause(late), send("o")];
                second(|config| config.timeouts.idle = first_byte, same_or_other(first))
            },
        ),
        Case::new(
            "a body over `--max-body` that does not end, then the next request",
            CONNECTIONS,
            OTHER_CONNECTION,
            || {
                let first = vec![Step::Request, send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhello, hello")];
                second(|config| config.body.max_decoded = 5, same_or_other(first))
            },
        ),
        Case::new(
            "answers an upload at its head and keeps the connection, then the next request",
            "RFC 9112 §9.5",
            OTHER_CONNECTION,
            || {
                let first = vec![Step::Head, send("HTTP/1.1 413 X\r\nContent-Length: 5\r\n\r\nlarge")];
                second(|config| post(config, vec![b'x'; 32 << 20]), same_or_other(first))
            },
        ),
    ]
}

fn post(config: &mut Config, body: Vec<u8>) {
    config.request.method = Method::POST;
    config.request.body = Some(body.into());
}

/// What is not idempotent is not sent twice, although a GET would be.
fn unsafe_to_repeat() -> Vec<Case> {
    let rows = [("closes", Step::End, CLOSED), ("resets", Step::Reset, failed(Phase::Head, FailureKind::Reset))];
    let case = |(does, step, expected)| {
        let what = format!("{does} when the next request, a POST, has come");
        Case::new(what, "RFC 9110 §9.2.2", expected, move || {
            // Without a promise to keep it a POST would go over another connection.
            let kept = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";
            let first = vec![Step::Request, send(kept), Step::Request, step];
            second(|config| post(config, b"x".to_vec()), vec![first, vec![Step::Request, send(OK)]])
        })
    };
    rows.into_iter().map(case).collect()
}

fn hints() -> Vec<Case> {
    let keep_alive = |value: &str, expected| {
        let what = format!("`Keep-Alive: {value}`, then the next request");
        let head = format!("HTTP/1.1 200 OK\r\nKeep-Alive: {value}\r\nContent-Length: 5\r\n\r\nhello");
        then_next(what, CONNECTIONS, expected, head)
    };
    let retry_after = |value: &'static str| {
        let what = format!("503 with `Retry-After: {value}`, then the next request");
        Case::new(what, "RFC 9110 §10.2.3", SAME_CONNECTION, move || {
            let head = format!("HTTP/1.1 503 X\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n");
            let first = vec![Step::Request, send(head)];
            // So long at the most.
            second(|config| config.retries.retry_after_max = Duration::from_millis(200), same_or_other(first))
        })
    };
    vec![
        keep_alive("timeout=18446744073709551615", SAME_CONNECTION),
        keep_alive("timeout=99999999999999999999999", SAME_CONNECTION),
        keep_alive("timeout=-1, max=-1", SAME_CONNECTION),
        keep_alive("timeout=, max", SAME_CONNECTION),
        retry_after("18446744073709551615"),
        retry_after("99999999999999999999999"),
        retry_after("-1"),
        retry_after("Fri, 31 Dec 9999 23:59:59 GMT"),
        retry_after("Thu, 01 Jan 1970 00:00:00 GMT"),
        retry_after("Thu, 99 Xxx 99999 99:99:99 GMT"),
        then_next(
            "200 with `Upgrade: h2c`, unasked, then the next request",
            "RFC 9110 §7.8",
            SAME_CONNECTION,
            "HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello",
        ),
        answer(
            "426 with `Upgrade: HTTP/2.0`",
            "RFC 9110 §15.5.22",
            complete(426, 5),
            "HTTP/1.1 426 X\r\nConnection: Upgrade\r\nUpgrade: HTTP/2.0\r\nContent-Length: 5\r\n\r\nhello",
        ),
    ]
}

/// Responses that are tried again, whose bodies nobody gets: what is wrong with them is nothing. The last one's is somebody's.
fn given_up() -> Vec<Case> {
    let case = |what: &str, status: u16, rest: &str, change: fn(&mut Config), times: usize, expected| {
        let head = format!("HTTP/1.1 {status} X\r\nRetry-After: 0\r\n{rest}");
        let what = format!("{status} {what}");
        Case::new(what, "RFC 9110 §15.6.4", expected, move || {
            let mut scripts = vec![vec![Step::Request, send(head)]; times];
            scripts.push(vec![Step::Request, send(OK)]);
            let lab = Lab::new().with(change).with(|config| {
                config.retries.retries = 1;
                config.retries.backoff_base = Duration::from_millis(1);
            });
            lab.fetch(Peer::playing_each(scripts).url("/"))
        })
    };
    let six = "Content-Length: 6\r\n\r\nhello!";
    let fine = complete(200, 5);
    let max_body: fn(&mut Config) = |config| config.body.max_decoded = 5;
    let max_wire: fn(&mut Config) = |config| config.body.max_wire = 5;
    let none: fn(&mut Config) = |_| {};
    let corrupt = "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno";
    vec![
        case("with a body over `--max-body`, then answers", 503, six, max_body, 1, fine),
        case("with a body over `--max-wire`, then answers", 503, six, max_wire, 1, fine),
        case("with a body that is not the gzip it says, then answers", 503, corrupt, none, 1, fine),
        case("with a body over `--max-body`, then answers", 502, six, max_body, 1, fine),
        case("with a body over `--max-body`, then answers", 429, six, max_body, 1, fine),
        case(
            "with a body over `--max-body`, twice",
            503,
            six,
            max_body,
            2,
            failed(Phase::Decode, FailureKind::TooLarge),
        ),
        case(
            "with a body over `--max-body`, which is not tried again",
            500,
            six,
            max_body,
            1,
            failed(Phase::Decode, FailureKind::TooLarge),
        ),
    ]
}

/// Whole responses that something violent follows at once, and bytes that are not part of the stream.
fn ends() -> Vec<Case> {
    let whole = complete(200, 5);
    let script = |what, expected, script: Vec<Step>| {
        Case::new(what, "", expected, move || Lab::new().fetch(Peer::playing(script).url("/")))
    };
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let (head, body) = OK.split_at(OK.len() - 5);
    vec![
        script("a whole body with a length, and resets at once", whole, vec![Step::Request, send(OK), Step::Reset]),
        script("whole chunks, and resets at once", whole, vec![Step::Request, send(chunks), Step::Reset]),
        script(
            "a byte of urgent data (out of band) between head and body",
            whole,
            vec![Step::Request, send(head), Step::Urgent(b'!'), send(body)],
        ),
        script("a byte of urgent data before the head", whole, vec![Step::Request, Step::Urgent(b'!'), send(OK)]),
        script(
            "ends its side before the request has come, then answers nothing",
            CLOSED,
            vec![Step::End, Step::Request, Step::Stall],
        ),
        script(
            "a body without a length, ends its side and reads on",
            until_close(200, 5),
            vec![Step::Request, send("HTTP/1.1 200 OK\r\n\r\nhello"), Step::End, Step::Stall],
        ),
    ]
}
