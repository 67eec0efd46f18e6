//! Which of the framings holds: Transfer-Encoding, both, none, and responses that have no body whatever they say.

use haul::model::{FailureKind, Phase};

use super::answers::{BAD_FRAMING, OTHER_CONNECTION, SAME_CONNECTION, TRUNCATED, answer, ok, same_or_other, then_next};
use super::case::{Case, Group, Verdict, complete, failed, until_close};
use super::lab::Lab;
use super::peer::{Peer, Step, send};

const CODINGS: &str = "RFC 9112 §6.1";
const LENGTH: &str = "RFC 9112 §6.3";
const WHOLE: Verdict = complete(200, 5);

pub(crate) fn group() -> Group {
    let mut cases = codings();
    cases.extend(both());
    cases.extend(until_the_end());
    cases.extend(bodiless());
    cases.extend(bodiless_to_head());
    Group { title: "Transfer-Encoding, close-delimited and bodiless responses", cases }
}

const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";

/// These header lines, and chunks.
fn lines(what: &str, rule: &'static str, expected: Verdict, lines: &str) -> Case {
    ok(what, rule, expected, format!("{lines}\r\n\r\n{CHUNKS}"))
}

fn codings() -> Vec<Case> {
    let values = [
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, identity",
        "chunked;q=1",
        "chunked chunked",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "chunked\u{a0}",
        "trailers",
    ];
    let coded = |value: &str, expected| {
        let text = format!("Transfer-Encoding: {value}");
        lines(&format!("`{text}`"), CODINGS, expected, &text)
    };
    let refused = values.map(|value| coded(value, BAD_FRAMING));
    let mut cases = vec![
        lines("`Transfer-Encoding: Chunked`", CODINGS, WHOLE, "Transfer-Encoding: Chunked"),
        lines("`Transfer-Encoding : chunked`", "RFC 9112 §5.1", WHOLE, "Transfer-Encoding : chunked"),
        lines(
            "`Transfer-Encoding:` and `chunked` in a folded line",
            "RFC 9112 §5.2",
            WHOLE,
            "Transfer-Encoding:\r\n chunked",
        ),
    ];
    cases.extend(refused);
    cases.extend(
        ["chunked, chunked", "identity, chunked", ", chunked", "chunked,", "chunked, , "]
            .map(|value| coded(value, WHOLE)),
    );
    cases.extend(uncoded());
    cases.extend(with_a_comma());
    cases.extend([
        lines(
            "`Transfer-Encoding: chunked` twice",
            CODINGS,
            WHOLE,
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        ),
        then_next(
            "`Transfer-Encoding: chunked` twice, then the next request",
            CODINGS,
            OTHER_CONNECTION,
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}"),
        ),
        lines(
            "`Transfer-Encoding: gzip` and `: chunked`",
            CODINGS,
            BAD_FRAMING,
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        ),
        lines(
            "`Transfer-Encoding: chunked` and `: gzip`",
            CODINGS,
            BAD_FRAMING,
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
        ),
        lines(
            "`Transfer-Encoding: chunked` and a control character (0x01)",
            CODINGS,
            BAD_FRAMING,
            "Transfer-Encoding: chunked\x01",
        ),
        answer(
            "HTTP/1.0 with `Transfer-Encoding: chunked`",
            CODINGS,
            BAD_FRAMING,
            format!("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}"),
        ),
    ]);
    cases
}

/// `chunked,`, which hyper does not take for `chunked`.
fn with_a_comma() -> Vec<Case> {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\n\r\n";
    let with = |what: &str, expected, body: &str| {
        answer(format!("`chunked,` and {what}"), CODINGS, expected, format!("{head}{body}"))
    };
    let script = |what: &str, expected, body: &str, then: Step| {
        let answer = send(format!("{head}{body}"));
        Case::new(format!("`chunked,` and {what}"), CODINGS, expected, move || {
            Lab::new().fetch(Peer::playing(vec![Step::Request, answer, then]).url("/"))
        })
    };
    vec![
        script("chunks, and the connection stays open", WHOLE, CHUNKS, Step::Stall),
        with("chunks, and more", WHOLE, &format!("{CHUNKS}HTTP/1.1 404 X\r\n\r\n")),
        with("no last chunk, then closes", TRUNCATED, "5\r\nhello\r\n"),
        with("half a chunk, then closes", TRUNCATED, "5\r\nhe"),
        script("half a chunk, then resets", RESET, "5\r\nhe", Step::Reset),
        with("no chunks", failed(Phase::Body, FailureKind::Malformed), "hello"),
        with("a bare LF after a size", failed(Phase::Body, FailureKind::Malformed), "5\nhello\r\n0\r\n\r\n"),
        Case::new(
            "`chunked,` and zeros before a chunk's size",
            CODINGS,
            failed(Phase::Body, FailureKind::Malformed),
            {
                let script = vec![Step::Request, send(head), Step::Flood(vec![b'0'; 16 << 10])];
                move || Lab::new().fetch(Peer::playing(script).url("/"))
            },
        ),
        then_next("`chunked,`, then the next request", CODINGS, OTHER_CONNECTION, format!("{head}{CHUNKS}")),
    ]
}

/// No transfer coding, said in a header.
fn uncoded() -> Vec<Case> {
    let mut cases = Vec::new();
    for value in ["identity", "", "identity, identity", ","] {
        let text = format!("Transfer-Encoding: {value}");
        let until = format!("{text}\r\n\r\nhello");
        cases.push(ok(format!("`{text}`, five bytes, then closes"), LENGTH, until_close(200, 5), until));
    }
    let sized = |length: &str, body: &str| {
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let stays = Case::new("`identity` with a length, and the connection stays open", LENGTH, WHOLE, move || {
        let peer = Peer::playing(vec![Step::Request, send(sized("5", "hello")), Step::Stall]);
        Lab::new().fetch(peer.url("/"))
    });
    let with = |what: &str, expected, length: &str, body: &str| answer(what, LENGTH, expected, sized(length, body));
    cases.extend([
        with("`Transfer-Encoding: identity` and `Content-Length: 5`", WHOLE, "5", "hello"),
        stays,
        with("`identity` with a length, and more bytes", WHOLE, "5", "hello, and more"),
        with("`identity` with `Content-Length: 10`, then closes", TRUNCATED, "10", "hello"),
        with("`identity` with `Content-Length: 5, 6`", BAD_FRAMING, "5, 6", "hello"),
        with("`identity` with `Content-Length: x`", BAD_FRAMING, "x", "hello"),
        with("`identity` with `Content-Length: 67108865`, over `--max-wire`", TOO_LARGE, "67108865", "hello"),
        then_next(
            "`Transfer-Encoding: identity` and `Content-Length: 5`, then the next request",
            LENGTH,
            OTHER_CONNECTION,
            sized("5", "hello"),
        ),
        Case::new("`Transfer-Encoding: identity`, five bytes, then resets", LENGTH, RESET, || {
            let answer = send("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello");
            Lab::new().fetch(Peer::playing(vec![Step::Request, answer, Step::Reset]).url("/"))
        }),
    ]);
    cases
}

const RESET: Verdict = failed(Phase::Body, FailureKind::Reset);
const TOO_LARGE: Verdict = failed(Phase::Body, FailureKind::TooLarge);

fn both() -> Vec<Case> {
    let with = |length: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}")
    };
    vec![
        lines(
            "`Transfer-Encoding: chunked` and `Content-Length: 5`: the chunks hold",
            LENGTH,
            WHOLE,
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
        ),
        lines("the same in the other order", LENGTH, WHOLE, "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        answer("the same with `Content-Length: 3`", LENGTH, WHOLE, with("3")),
        answer("the same with `Content-Length: 99`", LENGTH, WHOLE, with("99")),
        answer("the same with `Content-Length: x`", LENGTH, WHOLE, with("x")),
        then_next(
            "`Transfer-Encoding: chunked` and `Content-Length: 15`, then the next request",
            LENGTH,
            OTHER_CONNECTION,
            with("15"),
        ),
        lines(
            "`Transfer-Encoding: gzip` and `Content-Length: 5`",
            LENGTH,
            BAD_FRAMING,
            "Transfer-Encoding: gzip\r\nContent-Length: 5",
        ),
    ]
}

fn until_the_end() -> Vec<Case> {
    vec![
        ok("no length, five bytes, then closes", LENGTH, until_close(200, 5), "X: 1\r\n\r\nhello"),
        ok("no length, nothing, then closes", LENGTH, until_close(200, 0), "X: 1\r\n\r\n"),
        ok(
            "no length and `Connection: keep-alive`, then closes",
            LENGTH,
            until_close(200, 5),
            "Connection: keep-alive\r\n\r\nhello",
        ),
        ok("no header at all, then closes", LENGTH, until_close(200, 5), "\r\nhello"),
        Case::new("no length, five bytes, then resets", LENGTH, RESET, || {
            let peer = Peer::playing(vec![Step::Request, send("HTTP/1.1 200 OK\r\n\r\nhello"), Step::Reset]);
            Lab::new().fetch(peer.url("/"))
        }),
        ok(
            "`Content-Length: 3` in a line folded under another header",
            "RFC 9112 §5.2",
            until_close(200, 5),
            "X: 1\r\n Content-Length: 3\r\n\r\nhello",
        ),
        Case::new("no length, then closes; the next request", LENGTH, OTHER_CONNECTION, || {
            let mut scripts = same_or_other(Vec::new());
            scripts[0] = vec![Step::Request, send("HTTP/1.1 200 OK\r\n\r\nhello")];
            let peer = Peer::playing_each(scripts);
            Verdict::of(&Lab::new().fetch_all([peer.url("/first"), peer.url("/next")])[1])
        }),
    ]
}

fn bodiless() -> Vec<Case> {
    let rows: [(&str, u16, &str); 8] = [
        ("204 without a length", 204, "\r\n"),
        ("204 with `Content-Length: 5`", 204, "Content-Length: 5\r\n\r\n"),
        ("204 with `Transfer-Encoding: chunked`", 204, "Transfer-Encoding: chunked\r\n\r\n"),
        ("204 with `Transfer-Encoding: gzip`", 204, "Transfer-Encoding: gzip\r\n\r\n"),
        ("304 without a length", 304, "\r\n"),
        ("304 with `Content-Length: 5`", 304, "Content-Length: 5\r\n\r\n"),
        ("304 with `Transfer-Encoding: chunked`", 304, "Transfer-Encoding: chunked\r\n\r\n"),
        ("304 with `Transfer-Encoding: gzip, chunked`", 304, "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    ];
    let mut cases = Vec::new();
    for (what, status, rest) in rows {
        let bytes = format!("HTTP/1.1 {status} X\r\n{rest}");
        let with_body = format!("{bytes}hello");
        cases.push(answer(what, LENGTH, complete(status, 0), bytes.clone()));
        cases.push(then_next(format!("{what}, then the next request"), LENGTH, SAME_CONNECTION, bytes));
        cases.push(answer(format!("{what}, and a body"), LENGTH, complete(status, 0), with_body.clone()));
        let next = format!("{what}, and a body, then the next request");
        cases.push(then_next(next, LENGTH, OTHER_CONNECTION, with_body));
    }
    cases.push(answer(
        "205 with a body",
        "RFC 9110 §15.3.6",
        complete(205, 5),
        "HTTP/1.1 205 X\r\nContent-Length: 5\r\n\r\nhello",
    ));
    cases.push(answer(
        "304 with an invalid Content-Length",
        LENGTH,
        complete(304, 0),
        "HTTP/1.1 304 X\r\nContent-Length: x\r\n\r\n",
    ));
    cases
}

fn bodiless_to_head() -> Vec<Case> {
    let rows = [
        ("no length", "\r\n"),
        ("`Content-Length: 5`", "Content-Length: 5\r\n\r\n"),
        ("`Transfer-Encoding: chunked`", "Transfer-Encoding: chunked\r\n\r\n"),
        ("`Transfer-Encoding: gzip, chunked`", "Transfer-Encoding: gzip, chunked\r\n\r\n"),
        ("`Content-Length: 5` and the body", "Content-Length: 5\r\n\r\nhello"),
        ("`Content-Length: 67108865`, over `--max-wire`", "Content-Length: 67108865\r\n\r\n"),
        ("a coding it does not have", "Content-Encoding: gzip, br, zstd, gzip\r\nContent-Length: 5\r\n\r\n"),
    ];
    rows.map(|(what, rest)| {
        Case::new(format!("to HEAD: {what}"), LENGTH, complete(200, 0), move || {
            let peer = Peer::playing(vec![Step::Request, send(format!("HTTP/1.1 200 OK\r\n{rest}"))]);
            Lab::new().with(|config| config.request.method = http::Method::HEAD).fetch(peer.url("/"))
        })
    })
    .into_iter()
    .chain([
        ok("to GET: `Content-Length: 5` and no body, as if to HEAD", LENGTH, TRUNCATED, "Content-Length: 5\r\n\r\n"),
        Case::new("to HEAD: `Content-Length: 5` and the body, then the next request", LENGTH, OTHER_CONNECTION, || {
            // To HEAD no body comes, so the answers differ in their statuses.
            let answer = |status: u16| send(format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n"));
            let first = vec![
                Step::Request,
                send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
                Step::Request,
                answer(500),
            ];
            let peer = Peer::playing_each(vec![first, vec![Step::Request, answer(200)]]);
            let lab = Lab::new().with(|config| config.request.method = http::Method::HEAD);
            match Verdict::of(&lab.fetch_all([peer.url("/first"), peer.url("/next")])[1]) {
                Verdict::Complete { status: 200, .. } => OTHER_CONNECTION,
                other => other,
            }
        }),
    ])
    .collect()
}
