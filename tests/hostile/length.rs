//! Bodies whose length is said in advance.

use haul::model::{FailureKind, Phase};

use super::answers::{BAD_FRAMING, HEAD_TOO_LARGE, OTHER_CONNECTION, SAME_CONNECTION, TRUNCATED, ok, then_next};
use super::case::{Case, Group, complete, failed};
use super::lab::Lab;
use super::peer::{Peer, Step, send};

const SIX: &str = "RFC 9112 §6.3";

pub(crate) fn group() -> Group {
    let mut cases = valid();
    cases.extend(invalid());
    cases.extend(cut());
    cases.extend(too_long());
    Group { title: "Content-Length", cases }
}

fn valid() -> Vec<Case> {
    let whole = complete(200, 5);
    vec![
        ok("`Content-Length: 5` and five bytes", SIX, whole, "Content-Length: 5\r\n\r\nhello"),
        ok("`Content-Length: 0` and nothing", SIX, complete(200, 0), "Content-Length: 0\r\n\r\n"),
        ok(
            "`Content-Length: 0000000000000000000000005`",
            SIX,
            whole,
            "Content-Length: 0000000000000000000000005\r\n\r\nhello",
        ),
        ok("blanks and tabs around the number", SIX, whole, "Content-Length: \t 5 \t\r\n\r\nhello"),
        ok("no blank before the number", SIX, whole, "Content-Length:5\r\n\r\nhello"),
        ok("`CONTENT-LENGTH: 5`", SIX, whole, "CONTENT-LENGTH: 5\r\n\r\nhello"),
        ok("a blank before the colon", "RFC 9112 §5.1", whole, "Content-Length : 5\r\n\r\nhello"),
        ok("the number in a folded line", "RFC 9112 §5.2", whole, "Content-Length:\r\n 5\r\n\r\nhello"),
        ok("`Content-Length: 5` twice", SIX, whole, "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        ok("`Content-Length: 5, 5`", SIX, whole, "Content-Length: 5, 5\r\n\r\nhello"),
        then_next("`Content-Length: 5`, then the next request", "RFC 9112 §9.3", SAME_CONNECTION, OK_HELLO),
    ]
}

const OK_HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn invalid() -> Vec<Case> {
    let values = [
        "",
        "+5",
        "-5",
        "-0",
        "0x5",
        "5a",
        "a5",
        "5 5",
        "5.0",
        "5e0",
        "5;5",
        "'5'",
        "\"5\"",
        "five",
        "\u{ff15}",
        "5,",
        ",5",
        "5, 6",
        "5, x",
        "18446744073709551616",
        "99999999999999999999999999",
    ];
    let mut cases: Vec<_> = values
        .map(|value| {
            let expected = BAD_FRAMING;
            ok(format!("`Content-Length: {value}`"), SIX, expected, format!("Content-Length: {value}\r\n\r\nhello"))
        })
        .into();
    cases.extend([
        ok("`Content-Length: 5` and `: 6`", SIX, BAD_FRAMING, "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        ok("`Content-Length: 6` and `: 5`", SIX, BAD_FRAMING, "Content-Length: 6\r\nContent-Length: 5\r\n\r\nhello!"),
        ok(
            "`Content-Length: 5` and an empty one",
            SIX,
            BAD_FRAMING,
            "Content-Length: 5\r\nContent-Length:\r\n\r\nhello",
        ),
        ok(
            "`Content-Length: 10` and a control character (0x01), five bytes",
            SIX,
            BAD_FRAMING,
            "Content-Length: 10\x01\r\n\r\nhello",
        ),
        ok("`Content-Length 10`, without a colon, five bytes", SIX, BAD_FRAMING, "Content-Length 10\r\n\r\nhello"),
    ]);
    cases
}

fn cut() -> Vec<Case> {
    let reset = failed(Phase::Body, FailureKind::Reset);
    vec![
        ok("`Content-Length: 10`, five bytes, then closes", SIX, TRUNCATED, "Content-Length: 10\r\n\r\nhello"),
        ok("`Content-Length: 5`, nothing, then closes", SIX, TRUNCATED, "Content-Length: 5\r\n\r\n"),
        Case::new("`Content-Length: 10`, five bytes, then resets", SIX, reset, || {
            let peer = Peer::playing(vec![
                Step::Request,
                send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
                Step::Reset,
            ]);
            Lab::new().fetch(peer.url("/"))
        }),
        ok(
            "`Content-Length: 67108865`, over `--max-wire`",
            "",
            failed(Phase::Body, FailureKind::TooLarge),
            "Content-Length: 67108865\r\n\r\nhello",
        ),
        ok(
            "`Content-Length: 18446744073709551613`",
            "",
            failed(Phase::Body, FailureKind::TooLarge),
            "Content-Length: 18446744073709551613\r\n\r\nhello",
        ),
        ok(
            "`Content-Length: 18446744073709551615` (2⁶⁴ − 1)",
            "",
            failed(Phase::Body, FailureKind::TooLarge),
            "Content-Length: 18446744073709551615\r\n\r\nhello",
        )
        .but(HEAD_TOO_LARGE),
    ]
}

fn too_long() -> Vec<Case> {
    let rest = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more";
    let second = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    vec![
        ok("`Content-Length: 5` and more bytes", SIX, complete(200, 5), "Content-Length: 5\r\n\r\nhello, and more"),
        then_next("`Content-Length: 5` and more bytes, then the next request", "RFC 9112 §6.3", OTHER_CONNECTION, rest),
        then_next("a second whole response, then the next request", "RFC 9112 §6.3", OTHER_CONNECTION, second),
    ]
}
