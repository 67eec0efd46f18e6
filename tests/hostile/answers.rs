//! Cases that are one answer: the peer reads the request, sends these bytes, and ends the connection in good order.

use haul::model::{FailureKind, Phase};

use super::case::{Case, Verdict, failed};
use super::lab::Lab;
use super::peer::{Peer, Step, send};

/// What most broken answers come to.
pub(crate) const MALFORMED_HEAD: Verdict = failed(Phase::Head, FailureKind::Malformed);
pub(crate) const MALFORMED_BODY: Verdict = failed(Phase::Body, FailureKind::Malformed);
pub(crate) const BAD_FRAMING: Verdict = failed(Phase::Head, FailureKind::BadFraming);
pub(crate) const TRUNCATED: Verdict = failed(Phase::Body, FailureKind::Truncated);
pub(crate) const HEAD_TOO_LARGE: Verdict = failed(Phase::Head, FailureKind::HeadTooLarge);
pub(crate) const CLOSED: Verdict = failed(Phase::Head, FailureKind::Closed);

/// The peer answers with these bytes.
pub(crate) fn answer(
    what: impl Into<String>,
    rule: &'static str,
    expected: Verdict,
    bytes: impl AsRef<[u8]> + Send + 'static,
) -> Case {
    Case::new(what, rule, expected, move || {
        let peer = Peer::playing(vec![Step::Request, send(bytes)]);
        Lab::new().fetch(peer.url("/"))
    })
}

/// The peer answers with `HTTP/1.1 200 OK`, then these bytes: header lines, the empty line, the body.
pub(crate) fn ok(what: impl Into<String>, rule: &'static str, expected: Verdict, rest: impl AsRef<[u8]>) -> Case {
    answer(what, rule, expected, [b"HTTP/1.1 200 OK\r\n", rest.as_ref()].concat())
}

/// What the answer to the request after a hostile one says about the connection it came on.
pub(crate) const SAME_CONNECTION: Verdict = super::case::complete(200, 4);
pub(crate) const OTHER_CONNECTION: Verdict = super::case::complete(200, 5);

/// The peer answers a first request with these bytes. The verdict is that on a second request to it: whether it went out on
/// the same connection, or on another one.
pub(crate) fn then_next(
    what: impl Into<String>,
    rule: &'static str,
    expected: Verdict,
    bytes: impl AsRef<[u8]> + Send + 'static,
) -> Case {
    Case::new(what, rule, expected, move || {
        let peer = Peer::playing_each(same_or_other(vec![Step::Request, send(bytes)]));
        let outcomes = Lab::new().fetch_all([peer.url("/first"), peer.url("/next")]);
        Verdict::of(&outcomes[1])
    })
}

/// Scripts for two connections: the first goes on with the answer that says so.
pub(crate) fn same_or_other(mut first: Vec<Step>) -> Vec<Vec<Step>> {
    first.extend([Step::Request, send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsame")]);
    let other = vec![Step::Request, send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")];
    vec![first, other]
}
