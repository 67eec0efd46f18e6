//! Where a body ends: RFC 9112 §6 and §7, rule by rule.

use haul::model::{FailureKind, Phase};

use super::case::{Case, Group, Verdict, complete, failed};
use super::lab::Lab;
use super::peer::{Peer, Step, send};

pub(crate) fn group() -> Group {
    let bad = failed(Phase::Head, FailureKind::BadFraming);
    Group {
        title: "HTTP/1.x framing",
        cases: vec![
            ok(
                "says the body's length and sends as much",
                "RFC 9112 §6.3",
                complete(200, 5),
                "Content-Length: 5\r\n\r\nhello",
            ),
            ok("says an unknown transfer coding", "RFC 9112 §6.3", bad, "Transfer-Encoding: gzip\r\n\r\nhello"),
        ],
    }
}

/// A peer that answers with `HTTP/1.1 200 OK`, these header lines and body, and closes.
fn ok(what: &str, rule: &'static str, expected: Verdict, rest: &'static str) -> Case {
    Case::new(what, rule, expected, move || {
        let peer = Peer::playing(vec![Step::Request, send(format!("HTTP/1.1 200 OK\r\n{rest}"))]);
        Lab::new().fetch(peer.url("/"))
    })
}
