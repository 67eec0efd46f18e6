//! Responses over TLS: only close_notify tells an end from a cut.

use haul::model::{FailureKind, Phase};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::answers::{CLOSED, OTHER_CONNECTION, SAME_CONNECTION, TRUNCATED, same_or_other};
use super::case::{Case, Group, Verdict, complete, failed, until_close};
use super::lab::SOON;
use super::peer::{Step, send};
use super::tls_peer::{self, NAME};
use haul_testsupport::certs::Authority;

const TLS_ENDS: &str = "RFC 9112 §9.8";
const WHOLE: Verdict = complete(200, 5);
const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const NO_LENGTH: &str = "HTTP/1.1 200 OK\r\n\r\nhello";

pub(crate) fn group() -> Group {
    let mut cases = ends(&TLS13, "");
    cases.extend(ends(&TLS12, " (TLS 1.2)"));
    cases.extend(broken());
    cases.extend(reused());
    Group { title: "Responses over TLS", cases }
}

fn good(version: &'static SupportedProtocolVersion) -> (Authority, ServerConfig) {
    let authority = Authority::new();
    let config = tls_peer::config(&authority.issue(&[NAME], |_| {}), &[version], &["http/1.1"]);
    (authority, config)
}

fn case(
    what: String,
    rule: &'static str,
    expected: Verdict,
    version: &'static SupportedProtocolVersion,
    script: Vec<Step>,
) -> Case {
    Case::new(what, rule, expected, move || {
        let (authority, config) = good(version);
        let peer = tls_peer::playing(config, script);
        tls_peer::lab(&authority, &peer).hasty_for(expected).fetch(tls_peer::url(&peer, "/"))
    })
}

/// Each framing with each end.
fn ends(version: &'static SupportedProtocolVersion, note: &str) -> Vec<Case> {
    let reset = failed(Phase::Body, FailureKind::Reset);
    let rows: [(&str, Verdict, &str, Step); 15] = [
        ("a body with a length, close_notify", WHOLE, LENGTH, Step::End),
        ("a body with a length, closes without close_notify", WHOLE, LENGTH, Step::Cut),
        ("a body short of its length, close_notify", TRUNCATED, &LENGTH[..LENGTH.len() - 1], Step::End),
        ("a body short of its length, closes without close_notify", TRUNCATED, &LENGTH[..LENGTH.len() - 1], Step::Cut),
        ("chunks, closes without close_notify", WHOLE, CHUNKS, Step::Cut),
        ("chunks without the last, close_notify", TRUNCATED, &CHUNKS[..CHUNKS.len() - 5], Step::End),
        ("chunks without the last, closes without close_notify", TRUNCATED, &CHUNKS[..CHUNKS.len() - 5], Step::Cut),
        (
            "chunks without the last line end, closes without close_notify",
            TRUNCATED,
            &CHUNKS[..CHUNKS.len() - 2],
            Step::Cut,
        ),
        ("no length, close_notify", until_close(200, 5), NO_LENGTH, Step::End),
        ("no length, closes without close_notify", TRUNCATED, NO_LENGTH, Step::Cut),
        ("no length and no body, closes without close_notify", TRUNCATED, "HTTP/1.1 200 OK\r\n\r\n", Step::Cut),
        ("no length, resets", reset, NO_LENGTH, Step::Reset),
        ("half a head, close_notify", CLOSED, "HTTP/1.1 200 OK\r\nContent-", Step::End),
        ("half a head, closes without close_notify", CLOSED, "HTTP/1.1 200 OK\r\nContent-", Step::Cut),
        ("nothing, closes without close_notify", CLOSED, "", Step::Cut),
    ];
    rows.into_iter()
        .map(|(what, expected, bytes, end)| {
            let mut script = vec![Step::Request];
            script.extend((!bytes.is_empty()).then(|| send(bytes)));
            script.push(end);
            case(format!("{what}{note}"), TLS_ENDS, expected, version, script)
        })
        .collect()
}

fn broken() -> Vec<Case> {
    let timeout = failed(Phase::Head, FailureKind::Timeout);
    let head = |kind| failed(Phase::Head, kind);
    let body = |kind| failed(Phase::Body, kind);
    let rows: [(&str, Verdict, &str, Step); 9] = [
        ("nothing after the handshake", timeout, "", Step::Stall),
        ("resets after the handshake", head(FailureKind::Reset), "", Step::Reset),
        (
            "an alert in the clear in place of a response",
            head(FailureKind::Protocol),
            "",
            Step::Raw(vec![21, 3, 3, 0, 2, 2, 80]),
        ),
        ("plain HTTP after the handshake", head(FailureKind::Protocol), "", Step::Raw(LENGTH.into())),
        ("plain HTTP in a body without a length", body(FailureKind::Protocol), NO_LENGTH, Step::Raw(LENGTH.into())),
        (
            "a record that can't be decrypted in a body without a length",
            body(FailureKind::Protocol),
            NO_LENGTH,
            Step::Raw([&[23, 3, 3, 0, 32], &[0; 32][..]].concat()),
        ),
        (
            "a record of 65,535 bytes in a body without a length",
            body(FailureKind::Protocol),
            NO_LENGTH,
            Step::Raw([&[23, 3, 3, 255, 255], &[0; 4096][..]].concat()),
        ),
        (
            "half a record in a body without a length, then closes",
            TRUNCATED,
            NO_LENGTH,
            Step::Raw(vec![23, 3, 3, 0, 32, 0, 0]),
        ),
        ("half a record after a whole body, then closes", WHOLE, LENGTH, Step::Raw(vec![23, 3, 3, 0, 32, 0, 0])),
    ];
    rows.into_iter()
        .map(|(what, expected, bytes, then)| {
            let mut script = vec![Step::Request];
            script.extend((!bytes.is_empty()).then(|| send(bytes)));
            // What is broken is not to arrive together with what is whole.
            script.extend([Step::Pause(SOON), then, Step::Cut]);
            case(what.into(), "", expected, &TLS13, script)
        })
        .collect()
}

fn reused() -> Vec<Case> {
    let next = |what: &str, expected, first: Vec<Step>| {
        Case::new(what, "", expected, move || {
            let (authority, config) = good(&TLS13);
            let peer = tls_peer::playing_each(config, same_or_other(first));
            let lab = tls_peer::lab(&authority, &peer);
            let urls = [tls_peer::url(&peer, "/first"), tls_peer::url(&peer, "/next")];
            Verdict::of(&lab.fetch_all(urls)[1])
        })
    };
    vec![
        next("a whole response, then the next request", SAME_CONNECTION, vec![Step::Request, send(LENGTH)]),
        next(
            "a whole response, close_notify, then the next request",
            OTHER_CONNECTION,
            vec![Step::Request, send(LENGTH), Step::End],
        ),
        next(
            "a whole response, closes without close_notify, then the next request",
            OTHER_CONNECTION,
            vec![Step::Request, send(LENGTH), Step::Cut],
        ),
        next(
            "a second response in the same record, then the next request",
            OTHER_CONNECTION,
            vec![Step::Request, send(LENGTH.repeat(2))],
        ),
    ]
}
