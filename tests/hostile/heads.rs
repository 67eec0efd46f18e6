//! Response heads: status lines and header lines.

use super::answers::{
    CLOSED, HEAD_TOO_LARGE, MALFORMED_HEAD, OTHER_CONNECTION, SAME_CONNECTION, answer, ok, then_next,
};
use super::case::{Case, Group, Verdict, complete, until_close};
use super::lab::Lab;
use super::peer::{Peer, Step, send};

const STATUS_LINE: &str = "RFC 9112 §4";
const VERSION: &str = "RFC 9112 §2.3";
const LINES: &str = "RFC 9112 §2.2";
const FIELDS: &str = "RFC 9112 §5";
const VALUES: &str = "RFC 9110 §5.5";
const WHOLE: Verdict = complete(200, 5);

pub(crate) fn group() -> Group {
    let mut cases = status_lines();
    cases.extend(statuses());
    cases.extend(versions());
    cases.extend(no_http());
    cases.extend(line_ends());
    cases.extend(names());
    cases.extend(values());
    cases.extend(sizes());
    Group { title: "Response heads", cases }
}

/// This status line before a body of five bytes.
fn line(what: &str, rule: &'static str, expected: Verdict, line: &str) -> Case {
    answer(what, rule, expected, format!("{line}\r\nContent-Length: 5\r\n\r\nhello"))
}

fn status_lines() -> Vec<Case> {
    vec![
        line("no reason: `HTTP/1.1 200 `", STATUS_LINE, WHOLE, "HTTP/1.1 200 "),
        line("no reason and no blank: `HTTP/1.1 200`", STATUS_LINE, WHOLE, "HTTP/1.1 200"),
        line("a reason of many words, tabs and UTF-8", STATUS_LINE, WHOLE, "HTTP/1.1 200 All \t is\u{a0}gut ✓"),
        line("a reason of 8 KiB", STATUS_LINE, WHOLE, &format!("HTTP/1.1 200 {}", "x".repeat(8 << 10))),
        line("two blanks before the status (one)", STATUS_LINE, WHOLE, "HTTP/1.1  200 OK"),
        line("a tab before the status", STATUS_LINE, MALFORMED_HEAD, "HTTP/1.1\t200 OK"),
        line("a tab after the status (a blank)", STATUS_LINE, WHOLE, "HTTP/1.1 200\tOK"),
        line("a blank before the version", STATUS_LINE, MALFORMED_HEAD, " HTTP/1.1 200 OK"),
        line("an empty line before the status line", LINES, WHOLE, "\r\nHTTP/1.1 200 OK"),
        line("NUL in the reason", STATUS_LINE, MALFORMED_HEAD, "HTTP/1.1 200 O\0K"),
        line("a control character (0x01) in the reason (a blank)", STATUS_LINE, WHOLE, "HTTP/1.1 200 O\x01K"),
        line("a bare CR in the reason", STATUS_LINE, MALFORMED_HEAD, "HTTP/1.1 200 O\rK"),
        line("no status: `HTTP/1.1`", STATUS_LINE, MALFORMED_HEAD, "HTTP/1.1"),
        line("no status: `HTTP/1.1 OK`", STATUS_LINE, MALFORMED_HEAD, "HTTP/1.1 OK"),
        line("status and reason without a blank: `HTTP/1.1 200OK`", STATUS_LINE, WHOLE, "HTTP/1.1 200OK"),
        line("`HTTP/1.1200 OK`", STATUS_LINE, MALFORMED_HEAD, "HTTP/1.1200 OK"),
        line("a request line", STATUS_LINE, MALFORMED_HEAD, "GET / HTTP/1.1"),
    ]
}

fn statuses() -> Vec<Case> {
    let status = |text: &str, expected| {
        line(&format!("status `{text}`"), "RFC 9110 §15", expected, &format!("HTTP/1.1 {text} X"))
    };
    vec![
        status("99", MALFORMED_HEAD),
        status("2", MALFORMED_HEAD),
        status("2000", MALFORMED_HEAD),
        status("0200", MALFORMED_HEAD),
        status("2xx", MALFORMED_HEAD),
        status("20x", MALFORMED_HEAD),
        status("+20", MALFORMED_HEAD),
        status("-20", MALFORMED_HEAD),
        status("0x1", MALFORMED_HEAD),
        status("２００", MALFORMED_HEAD),
        status("000", MALFORMED_HEAD),
        status("099", MALFORMED_HEAD),
        status("299", complete(299, 5)),
        status("418", complete(418, 5)),
        status("599", complete(599, 5)),
        status("600", complete(600, 5)),
        status("999", complete(999, 5)),
    ]
}

fn versions() -> Vec<Case> {
    let kept = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";
    let closing = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    vec![
        line("HTTP/1.0 with a length", VERSION, WHOLE, "HTTP/1.0 200 OK"),
        answer("HTTP/1.0 without a length", VERSION, until_close(200, 5), "HTTP/1.0 200 OK\r\n\r\nhello"),
        then_next("HTTP/1.0 with keep-alive, then the next request", "RFC 9112 §9.3", SAME_CONNECTION, kept),
        then_next("HTTP/1.0 without, then the next request", "RFC 9112 §9.3", OTHER_CONNECTION, closing),
        line("`HTTP/1.2`: a later minor version is to be read as 1.1", "RFC 9110 §2.5", WHOLE, "HTTP/1.2 200 OK"),
        answer(
            "`HTTP/1.2` and more blanks than one, behind `100 Continue`",
            "RFC 9110 §15.2",
            WHOLE,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.2  200 OK\r\nContent-Length: 5\r\n\r\nhello",
        ),
        line("`HTTP/2.0`", VERSION, MALFORMED_HEAD, "HTTP/2.0 200 OK"),
        line("`HTTP/2`", VERSION, MALFORMED_HEAD, "HTTP/2 200"),
        line("`HTTP/3.0`", VERSION, MALFORMED_HEAD, "HTTP/3.0 200 OK"),
        line("`HTTP/0.9`", VERSION, MALFORMED_HEAD, "HTTP/0.9 200 OK"),
        line("`HTTP/1.10`", VERSION, MALFORMED_HEAD, "HTTP/1.10 200 OK"),
        line("`HTTP/01.1`", VERSION, MALFORMED_HEAD, "HTTP/01.1 200 OK"),
        line("`HTTP/1`", VERSION, MALFORMED_HEAD, "HTTP/1 200 OK"),
        line("`http/1.1`", VERSION, WHOLE, "http/1.1 200 OK"),
        line("`HTTP / 1.1`", VERSION, MALFORMED_HEAD, "HTTP / 1.1 200 OK"),
        line("`ICY 200 OK`", VERSION, MALFORMED_HEAD, "ICY 200 OK"),
    ]
}

fn no_http() -> Vec<Case> {
    vec![
        answer("nothing, then closes", "", CLOSED, ""),
        answer("one byte, then closes", "", CLOSED, "H"),
        answer("a status line, then closes", "", CLOSED, "HTTP/1.1 200 OK\r\n"),
        answer("headers and no empty line, then closes", "", CLOSED, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
        answer("only an empty line, then closes", "", CLOSED, "\r\n"),
        answer("HTTP/0.9: only a body", "RFC 9112 §2.3", MALFORMED_HEAD, "<html>hello</html>\r\n"),
        answer("HTTP/0.9: a body of two bytes", "RFC 9112 §2.3", MALFORMED_HEAD, "hi"),
        answer("an SSH banner", "", MALFORMED_HEAD, "SSH-2.0-OpenSSH_9.2\r\n"),
        answer("an SMTP banner", "", MALFORMED_HEAD, "220 mail.example ESMTP\r\n"),
        answer("a TLS alert", "", MALFORMED_HEAD, b"\x15\x03\x01\x00\x02\x02\x0a"),
        answer("HTTP/2 SETTINGS", "", MALFORMED_HEAD, b"\0\0\0\x04\0\0\0\0\0"),
        answer("64 KiB of zeros", "", MALFORMED_HEAD, vec![0; 64 << 10]),
        answer("1,000 line ends, then closes", LINES, CLOSED, b"\r\n".repeat(1000)),
    ]
}

fn line_ends() -> Vec<Case> {
    vec![
        answer("bare LFs for line ends", LINES, WHOLE, "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
        answer("bare LF after the status line only", LINES, WHOLE, "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello"),
        answer("bare LF for the empty line only", LINES, WHOLE, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello"),
        answer("bare CRs for line ends", LINES, MALFORMED_HEAD, "HTTP/1.1 200 OK\rContent-Length: 5\r\rhello"),
        answer(
            "CR CR LF after the status line",
            LINES,
            MALFORMED_HEAD,
            "HTTP/1.1 200 OK\r\r\nContent-Length: 5\r\n\r\nhello",
        ),
        ok("CR CR LF after a header", LINES, MALFORMED_HEAD, "Content-Length: 5\r\r\n\r\nhello"),
        ok("LF CR for line ends", LINES, MALFORMED_HEAD, "\rContent-Length: 5\n\r\n\rhello"),
    ]
}

fn names() -> Vec<Case> {
    let field =
        |what: &str, rule, line: &str| ok(what, rule, WHOLE, format!("{line}\r\nContent-Length: 5\r\n\r\nhello"));
    vec![
        field("a header line without a colon (passed over)", FIELDS, "nonsense"),
        field("a blank before the colon (taken off)", "RFC 9112 §5.1", "X : 1"),
        field("a blank within a name (passed over)", FIELDS, "X Y: 1"),
        field("a line that begins with a blank after the status line (passed over)", LINES, " X: 1"),
        field("an empty name (passed over)", FIELDS, ": 1"),
        field("a name in UTF-8 (passed over)", FIELDS, "Größe: 1"),
        field("a control character (0x01) in a name (passed over)", FIELDS, "X\x01Y: 1"),
        field("a header line of one character (passed over)", FIELDS, "X"),
        field("a folded line (joined)", "RFC 9112 §5.2", "X: 1\r\n 2\r\n\t3"),
        field("a folded line that is empty", "RFC 9112 §5.2", "X: 1\r\n "),
        field("the same header 50 times", FIELDS, &["X: 1"; 50].join("\r\n")),
        ok("NUL in a name", FIELDS, MALFORMED_HEAD, "X\0Y: 1\r\nContent-Length: 5\r\n\r\nhello"),
        ok("a bare CR in a name", FIELDS, MALFORMED_HEAD, "X\rY: 1\r\nContent-Length: 5\r\n\r\nhello"),
    ]
}

fn values() -> Vec<Case> {
    let value = |what: &str, expected, value: &[u8]| {
        let bytes = [b"X: ", value, b"\r\nContent-Length: 5\r\n\r\nhello"].concat();
        ok(what, VALUES, expected, bytes)
    };
    vec![
        value("an empty value", WHOLE, b""),
        value("a value of bytes over 0x7f", WHOLE, b"\xff\xfe\x80"),
        value("a control character (0x01) in a value (passed over)", WHOLE, b"a\x01b"),
        value("DEL (0x7f) in a value (passed over)", WHOLE, b"a\x7fb"),
        value("NUL in a value", MALFORMED_HEAD, b"a\0b"),
        value("NUL at a value's end", MALFORMED_HEAD, b"a\0"),
        value("a bare CR in a value", MALFORMED_HEAD, b"a\rb"),
        value("a bare LF in a value: the next line begins (passed over)", WHOLE, b"a\nb"),
    ]
}

fn sizes() -> Vec<Case> {
    let headers = |count: usize| -> String { (1..count).map(|n| format!("x-{n}: 1\r\n")).collect() };
    let with = |count| format!("{}Content-Length: 5\r\n\r\nhello", headers(count));
    let one = |size| format!("X: {}\r\nContent-Length: 5\r\n\r\nhello", "x".repeat(size));
    let name = |size| format!("{}: 1\r\nContent-Length: 5\r\n\r\nhello", "x".repeat(size));
    let endless = |what, first: &'static str, then: &'static str| {
        Case::new(what, "", HEAD_TOO_LARGE, move || {
            let flood = Step::Flood(then.repeat(4096).into_bytes());
            let peer = Peer::playing(vec![Step::Request, send(first), flood]);
            Lab::new().fetch(peer.url("/"))
        })
    };
    vec![
        ok("100 headers, as many as `--max-headers`", "RFC 9110 §5.4", WHOLE, with(100)),
        ok("101 headers", "RFC 9110 §5.4", HEAD_TOO_LARGE, with(101)),
        ok("10,000 headers", "RFC 9110 §5.4", HEAD_TOO_LARGE, with(10_000)),
        ok("a value of 60,000 bytes", "RFC 9110 §5.4", WHOLE, one(60_000)),
        ok("a value of 70,000 bytes, over `--max-head`", "RFC 9110 §5.4", HEAD_TOO_LARGE, one(70_000)),
        ok("a value of 4 MiB", "RFC 9110 §5.4", HEAD_TOO_LARGE, one(4 << 20)),
        ok("a name of 60,000 bytes", "RFC 9110 §5.4", WHOLE, name(60_000)),
        ok("a name of 70,000 bytes", "RFC 9110 §5.4", HEAD_TOO_LARGE, name(70_000)),
        Case::new(
            "a name of 70,000 bytes under a `--max-head` of 1 MiB",
            "RFC 9110 §5.4",
            HEAD_TOO_LARGE,
            move || {
                let peer = Peer::playing(vec![Step::Request, send(format!("HTTP/1.1 200 OK\r\n{}", name(70_000)))]);
                Lab::new().with(|config| config.body.max_head = 1 << 20).fetch(peer.url("/"))
            },
        ),
        endless("a status line without an end", "HTTP/1.1 200 ", "x"),
        endless("a header line without an end", "HTTP/1.1 200 OK\r\nX: ", "x"),
        endless("header lines without an end", "HTTP/1.1 200 OK\r\n", "X: 1\r\n"),
        endless("folded lines without an end", "HTTP/1.1 200 OK\r\nX: 1\r\n", " 1\r\n"),
        endless("lines to be passed over without an end", "HTTP/1.1 200 OK\r\n", "nonsense\r\n"),
        endless("empty lines without an end", "", "\r\n"),
    ]
}
