//! Bodies in chunks.

use super::answers::{MALFORMED_BODY, OTHER_CONNECTION, SAME_CONNECTION, TRUNCATED, ok, then_next};
use super::case::{Case, Group, Verdict, complete};
use super::lab::Lab;
use super::peer::{Peer, Step, send};

const CHUNKS: &str = "RFC 9112 §7.1";
const EXTENSIONS: &str = "RFC 9112 §7.1.1";
const TRAILERS: &str = "RFC 9112 §7.1.2";
const WHOLE: Verdict = complete(200, 5);

pub(crate) fn group() -> Group {
    let mut cases = sizes();
    cases.extend(extensions());
    cases.extend(line_ends());
    cases.extend(ends());
    cases.extend(trailers());
    Group { title: "Chunked bodies", cases }
}

fn chunks(what: impl Into<String>, rule: &'static str, expected: Verdict, body: impl AsRef<[u8]>) -> Case {
    ok(what, rule, expected, [b"Transfer-Encoding: chunked\r\n\r\n", body.as_ref()].concat())
}

/// One chunk of this size line, `hello`, and the end.
fn size(what: &str, rule: &'static str, expected: Verdict, line: &str) -> Case {
    chunks(format!("chunk size {what}"), rule, expected, format!("{line}\r\nhello\r\n0\r\n\r\n"))
}

fn sizes() -> Vec<Case> {
    let bytewise = "1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n";
    vec![
        size("`5`", CHUNKS, WHOLE, "5"),
        chunks("five chunks of a byte", CHUNKS, WHOLE, bytewise),
        chunks("only the last chunk", CHUNKS, complete(200, 0), "0\r\n\r\n"),
        chunks("chunk size `A`", CHUNKS, complete(200, 10), "A\r\nhellohello\r\n0\r\n\r\n"),
        chunks("chunk size `a`", CHUNKS, complete(200, 10), "a\r\nhellohello\r\n0\r\n\r\n"),
        size("`00000000000000000000000005` (leading zeros)", CHUNKS, WHOLE, "00000000000000000000000005"),
        size("`5` and blanks", CHUNKS, WHOLE, "5 \t "),
        size("a blank and `5`", CHUNKS, MALFORMED_BODY, " 5"),
        size("none (an empty line)", CHUNKS, MALFORMED_BODY, ""),
        size("`g`", CHUNKS, MALFORMED_BODY, "g"),
        size("`5x`", CHUNKS, MALFORMED_BODY, "5x"),
        size("`5 5`", CHUNKS, MALFORMED_BODY, "5 5"),
        size("`+5`", CHUNKS, MALFORMED_BODY, "+5"),
        size("`-5`", CHUNKS, MALFORMED_BODY, "-5"),
        size("`0x5`", CHUNKS, MALFORMED_BODY, "0x5"),
        size("`5_`", CHUNKS, MALFORMED_BODY, "5_"),
        size("`5` and NUL", CHUNKS, MALFORMED_BODY, "5\0"),
        size("`10000000000000005` (2⁶⁴ + 5)", CHUNKS, MALFORMED_BODY, "10000000000000005"),
        size("`FFFFFFFFFFFFFFFFF` (17 digits)", CHUNKS, MALFORMED_BODY, "FFFFFFFFFFFFFFFFF"),
        size("`FFFFFFFFFFFFFFFF` (2⁶⁴ − 1), then closes", CHUNKS, TRUNCATED, "FFFFFFFFFFFFFFFF"),
        size("`6` before five bytes", CHUNKS, MALFORMED_BODY, "6"),
        size("`4` before five bytes", CHUNKS, MALFORMED_BODY, "4"),
    ]
}

fn extensions() -> Vec<Case> {
    let huge = format!("5;{}", "x".repeat(64 << 10));
    vec![
        size("`5;a`", EXTENSIONS, WHOLE, "5;a"),
        size("`5;a=b;c=\"d\"`", EXTENSIONS, WHOLE, "5;a=b;c=\"d\""),
        size("`5 ; a = b`", EXTENSIONS, WHOLE, "5 ; a = b"),
        size("`5;`", EXTENSIONS, WHOLE, "5;"),
        size("`5;` and control characters", EXTENSIONS, WHOLE, "5;\x01\x02"),
        size("`5;` and a bare CR", EXTENSIONS, MALFORMED_BODY, "5;a\rb"),
        chunks("chunk size `5;a` and a bare LF", EXTENSIONS, MALFORMED_BODY, "5;a\nhello\r\n0\r\n\r\n"),
        size("`5;` and an extension of 64 KiB", EXTENSIONS, MALFORMED_BODY, &huge),
        Case::new("a chunk extension without an end", EXTENSIONS, MALFORMED_BODY, || {
            let head = send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;");
            let peer = Peer::playing(vec![Step::Request, head, Step::Flood(vec![b'x'; 4096])]);
            Lab::new().fetch(peer.url("/"))
        }),
    ]
}

fn line_ends() -> Vec<Case> {
    vec![
        chunks("a bare LF after the size", CHUNKS, MALFORMED_BODY, "5\nhello\r\n0\r\n\r\n"),
        chunks("a bare CR after the size", CHUNKS, MALFORMED_BODY, "5\rhello\r\n0\r\n\r\n"),
        chunks("no line end after the data", CHUNKS, MALFORMED_BODY, "5\r\nhello0\r\n\r\n"),
        chunks("a bare LF after the data", CHUNKS, MALFORMED_BODY, "5\r\nhello\n0\r\n\r\n"),
        chunks("a bare CR after the data", CHUNKS, MALFORMED_BODY, "5\r\nhello\r0\r\n\r\n"),
        chunks("an empty line between chunks", CHUNKS, MALFORMED_BODY, "5\r\nhello\r\n\r\n0\r\n\r\n"),
        chunks("a bare LF after the last chunk", CHUNKS, MALFORMED_BODY, "5\r\nhello\r\n0\n\r\n"),
        chunks("`0`, CRLF, and a bare LF at the end, then closes", CHUNKS, TRUNCATED, "5\r\nhello\r\n0\r\n\n"),
    ]
}

fn ends() -> Vec<Case> {
    let and_more =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n5\r\nworld\r\n0\r\n\r\n";
    let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    vec![
        chunks("a last chunk of `000`", CHUNKS, WHOLE, "5\r\nhello\r\n000\r\n\r\n"),
        chunks("a last chunk of `0;a=b`", EXTENSIONS, WHOLE, "5\r\nhello\r\n0;a=b\r\n\r\n"),
        chunks("a last chunk of `00000000000000000`", CHUNKS, WHOLE, "5\r\nhello\r\n00000000000000000\r\n\r\n"),
        chunks("a last chunk of `0x`", CHUNKS, MALFORMED_BODY, "5\r\nhello\r\n0x\r\n\r\n"),
        chunks("no last chunk, then closes", CHUNKS, TRUNCATED, "5\r\nhello\r\n"),
        chunks("`0` as the last byte, then closes", CHUNKS, TRUNCATED, "5\r\nhello\r\n0"),
        chunks("`0` and CRLF, no empty line, then closes", CHUNKS, TRUNCATED, "5\r\nhello\r\n0\r\n"),
        chunks("`0`, CRLF and CR, then closes", CHUNKS, TRUNCATED, "5\r\nhello\r\n0\r\n\r"),
        chunks("half a chunk, then closes", CHUNKS, TRUNCATED, "5\r\nhel"),
        chunks("nothing of the body, then closes", CHUNKS, TRUNCATED, ""),
        chunks("chunks after the last chunk", CHUNKS, WHOLE, "5\r\nhello\r\n0\r\n\r\n5\r\nworld\r\n0\r\n\r\n"),
        then_next("a whole chunked body, then the next request", CHUNKS, SAME_CONNECTION, whole),
        then_next("chunks after the last chunk, then the next request", CHUNKS, OTHER_CONNECTION, and_more),
    ]
}

fn trailers() -> Vec<Case> {
    let trailer = |what: &str, expected, lines: &str| {
        let body = format!("5\r\nhello\r\n0\r\n{lines}\r\n");
        chunks(format!("trailer section: {what}"), TRAILERS, expected, body)
    };
    let many: String = (0..1000).map(|n| format!("x-{n}: 1\r\n")).collect();
    vec![
        trailer("one field", WHOLE, "X: 1\r\n"),
        trailer("`Content-Length: 99`, which is forbidden", WHOLE, "Content-Length: 99\r\n"),
        trailer("`Transfer-Encoding: gzip`, which is forbidden", WHOLE, "Transfer-Encoding: gzip\r\n"),
        trailer("`Content-Encoding: gzip`, which is forbidden", WHOLE, "Content-Encoding: gzip\r\n"),
        trailer("a folded line", MALFORMED_BODY, "X: 1\r\n 2\r\n"),
        trailer("a line without a colon", MALFORMED_BODY, "nonsense\r\n"),
        trailer("NUL in a value", MALFORMED_BODY, "X: a\0b\r\n"),
        trailer("a bare CR in a value", MALFORMED_BODY, "X: a\rb\r\n"),
        trailer("1,000 fields", MALFORMED_BODY, &many),
        trailer("a field of 128 KiB", MALFORMED_BODY, &format!("X: {}\r\n", "x".repeat(128 << 10))),
        trailer("cut in a line, then closes", TRUNCATED, "X: 1"),
        chunks("trailer section: no empty line, then closes", TRAILERS, TRUNCATED, "5\r\nhello\r\n0\r\nX: 1\r\n"),
        Case::new("trailer section: fields without an end", TRAILERS, MALFORMED_BODY, || {
            let head = send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
            let peer = Peer::playing(vec![Step::Request, head, Step::Flood(b"X: 1\r\n".repeat(100))]);
            Lab::new().fetch(peer.url("/"))
        }),
        Case::new("trailer section: a line without an end", TRAILERS, MALFORMED_BODY, || {
            let head = send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ");
            let peer = Peer::playing(vec![Step::Request, head, Step::Flood(vec![b'x'; 4096])]);
            Lab::new().fetch(peer.url("/"))
        }),
    ]
}
