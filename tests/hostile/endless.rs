//! Bodies without an end: what is sent for ever ends at a cap, and never in memory.

use std::time::Duration;

use haul::config::Config;
use haul::model::{FailureKind, Phase};

use super::answers::MALFORMED_BODY;
use super::case::{Case, Group, Verdict, failed};
use super::lab::Lab;
use super::peer::{Peer, Step, send};

pub(crate) fn group() -> Group {
    Group { title: "Bodies without an end", cases: cases() }
}

const NO_LENGTH: &str = "HTTP/1.1 200 OK\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const TOO_LARGE: Verdict = failed(Phase::Body, FailureKind::TooLarge);

fn cases() -> Vec<Case> {
    let endless = |what, rule, expected, first: String, then: Vec<u8>| {
        Case::new(what, rule, expected, move || {
            let flood = Step::Flood(then.repeat((64 << 10) / then.len() + 1));
            let peer = Peer::playing(vec![Step::Request, send(first), flood]);
            Lab::new().with(|config| config.body.max_wire = 1 << 20).fetch(peer.url("/"))
        })
    };
    let chunked = |what, expected, first: &str, then: Vec<u8>| {
        endless(what, "RFC 9112 §7.1", expected, format!("{CHUNKED}{first}"), then)
    };
    let zeros = "0".repeat(120);
    let no_pause = |config: &mut Config| {
        (config.body.keep, config.timeouts.total) = (false, Duration::from_secs(1));
        (config.body.max_wire, config.body.max_decoded) = (u64::MAX, u64::MAX);
    };
    let total = failed(Phase::Body, FailureKind::TotalTimeout);
    vec![
        Case::new("chunks of one byte that never pause, past `--timeout`", "", total, move || {
            let flood = Step::Flood(b"1\r\nx\r\n".repeat(16 << 10));
            let peer = Peer::playing(vec![Step::Request, send(CHUNKED), flood]);
            Lab::new().with(no_pause).fetch(peer.url("/"))
        }),
        endless("a body without a length", "RFC 9112 §6.3", TOO_LARGE, NO_LENGTH.into(), vec![b'x']),
        chunked("chunks of a kilobyte", TOO_LARGE, "", [b"400\r\n", &[b'x'; 1024][..], b"\r\n"].concat()),
        chunked("chunks of one byte", TOO_LARGE, "", b"1\r\nx\r\n".into()),
        chunked("zeros before a chunk's size", MALFORMED_BODY, "", vec![b'0']),
        chunked("blanks after a chunk's size", MALFORMED_BODY, "5", vec![b' ']),
        chunked(
            "chunks of one byte, whose sizes have 120 zeros",
            MALFORMED_BODY,
            "",
            format!("{zeros}1\r\nx\r\n").into(),
        ),
    ]
}
