//! HTTP/2 heads and what ends a message: pseudo-headers, field names and values, content-length, trailers, 1xx.

use haul::model::{FailureKind, Phase};

use super::case::{Case, Group, Verdict, complete, failed};
use super::h2::{
    DATA, END_HEADERS, END_STREAM, HEADERS, STATUS_200, answer, answer_with, block, data, field, frame, hello, indexed,
    indexing, int, last, ok,
};

const BAD: Verdict = failed(Phase::Head, FailureKind::Malformed);
const BAD_BODY: Verdict = failed(Phase::Body, FailureKind::Malformed);
const FINE: Verdict = complete(200, 5);

pub(crate) fn group() -> Group {
    let cases = [pseudo(), fields(), hpack(), lengths(), trailers(), informational(), bodiless()];
    Group { title: "HTTP/2: heads, lengths and trailers", cases: cases.into_iter().flatten().collect() }
}

/// A head of these bytes, and a body.
fn head(what: &str, rule: &'static str, expected: Verdict, block: impl AsRef<[u8]>) -> Case {
    answer(what, rule, expected, [frame(HEADERS, END_HEADERS, 1, block), last(1, "hello")].concat())
}

/// `:status: 200`, these fields, and a body.
fn with(what: &str, rule: &'static str, expected: Verdict, name: &str, value: impl AsRef<[u8]>) -> Case {
    head(what, rule, expected, [vec![STATUS_200], field(name, value)].concat())
}

fn pseudo() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §8.3.2";
    vec![
        head("sends no :status", RULE, BAD, block([("server", "x")])),
        head("sends an empty head", RULE, BAD, []),
        head("sends :status twice", "RFC 9113 §8.3", BAD, [STATUS_200, STATUS_200]),
        head(
            "sends :status after a regular field",
            "RFC 9113 §8.3",
            BAD,
            [field("server", "x"), vec![STATUS_200]].concat(),
        ),
        with("sends a request's pseudo-header, :path", "RFC 9113 §8.3", BAD, ":path", "/").but(FINE),
        with("sends an unknown pseudo-header", "RFC 9113 §8.3", BAD, ":reason", "OK"),
        head("sends an empty :status", RULE, BAD, block([(":status", "")])),
        head("sends :status: abc", RULE, BAD, block([(":status", "abc")])),
        head("sends :status: 20", RULE, BAD, block([(":status", "20")])),
        head("sends :status: 2000", RULE, BAD, block([(":status", "2000")])),
        head("sends :status: 200 OK", RULE, BAD, block([(":status", "200 OK")])),
        head("sends :status: 099", RULE, BAD, block([(":status", "099")])),
        head("sends :status: -20", RULE, BAD, block([(":status", "-20")])),
        head("sends :status: 999", "RFC 9110 §15", complete(999, 5), block([(":status", "999")])),
    ]
}

fn fields() -> Vec<Case> {
    const NAME: &str = "RFC 9113 §8.2.1";
    const CONNECTION: &str = "RFC 9113 §8.2.2";
    vec![
        with("sends an upper-case name", "RFC 9113 §8.2", BAD, "Server", "x"),
        with("sends an empty name", NAME, BAD, "", "x"),
        with("sends a name with a space", NAME, BAD, "a b", "x"),
        with("sends a name with a colon", NAME, BAD, "a:b", "x"),
        with("sends a name with a byte above 0x7f", NAME, BAD, "n\u{e9}", "x"),
        with("sends a value with NUL", NAME, BAD, "a", "x\0y"),
        with("sends a value with CR LF", NAME, BAD, "a", "x\r\nset-cookie: y"),
        with("sends a value with bytes above 0x7f", NAME, FINE, "a", b"\xe9\xff"),
        with("sends an empty value", NAME, FINE, "a", ""),
        with("sends connection: close", CONNECTION, BAD, "connection", "close"),
        with("sends keep-alive", CONNECTION, BAD, "keep-alive", "timeout=5"),
        with("sends proxy-connection", CONNECTION, BAD, "proxy-connection", "close"),
        with("sends upgrade", CONNECTION, BAD, "upgrade", "h2c"),
        with("sends transfer-encoding: chunked", CONNECTION, BAD, "transfer-encoding", "chunked"),
        with("sends transfer-encoding: gzip", CONNECTION, BAD, "transfer-encoding", "gzip"),
    ]
}

fn hpack() -> Vec<Case> {
    const RULE: &str = "RFC 7541 §2.3.3";
    let begun = |bytes: &[u8]| [&[STATUS_200], bytes].concat();
    vec![
        head("names entry 0 of the table", RULE, BAD, begun(&[0x80])),
        head("names an entry that is not in the table", RULE, BAD, begun(&indexed(62))),
        head("names an entry beyond any table", "RFC 7541 §5.1", BAD, begun(&int(0x80, 7, usize::MAX >> 4))),
        head("sends an integer that never ends", "RFC 7541 §5.1", BAD, begun(&[0xff; 20])),
        head("cuts a string short", "RFC 7541 §5.2", BAD, begun(&[0x00, 5, b'a'])),
        head("says a string of 4 GiB", "RFC 7541 §5.2", BAD, begun(&[vec![0], int(0, 7, 1 << 32)].concat())),
        head("sends Huffman code that is none", "RFC 7541 §5.2", BAD, begun(&[0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0])),
        head("sends Huffman padding of zeros", "RFC 7541 §5.2", BAD, begun(&[0x00, 1, b'a', 0x81, 0x18])),
        head("sends random bytes", "RFC 9113 §4.3", BAD, [0xde, 0xad, 0xbe, 0xef, 0x00, 0xff, 0x80, 0x3f]),
        head("grows the table over what we allow", "RFC 7541 §6.3", BAD, [int(0x20, 5, 1 << 20), begun(&[])].concat()),
        head("sets the table's size after a field", "RFC 7541 §4.2", BAD, begun(&int(0x20, 5, 0))),
        head("empties the table first", "RFC 7541 §6.3", FINE, [int(0x20, 5, 0), begun(&[])].concat()),
        head(
            "sends a field once and names it three times",
            "RFC 7541 §6.1",
            FINE,
            begun(&[indexing("a", "b"), indexed(62).repeat(3)].concat()),
        ),
    ]
}

fn lengths() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §8.1.1";
    let says = |length: &str, rest: Vec<u8>| [ok(1, [("content-length", length)]), rest].concat();
    let headers_only = |length: &str| {
        frame(HEADERS, END_HEADERS | END_STREAM, 1, [vec![STATUS_200], field("content-length", length)].concat())
    };
    vec![
        answer("says five bytes and sends five", RULE, FINE, says("5", last(1, "hello"))),
        answer("says five bytes and sends four", RULE, BAD_BODY, says("5", last(1, "hell"))),
        answer("says five bytes and sends six", RULE, BAD_BODY, says("5", last(1, "hello!"))),
        answer("says five bytes, sends six, and does not end", RULE, BAD_BODY, says("5", data(1, "hello!"))),
        answer(
            "says five bytes, sends them, and ends with an empty frame",
            RULE,
            FINE,
            says("5", [data(1, "hello"), last(1, "")].concat()),
        ),
        answer(
            "says five bytes and ends after four with trailers",
            RULE,
            BAD_BODY,
            says("5", [data(1, "hell"), frame(HEADERS, END_HEADERS | END_STREAM, 1, field("a", "b"))].concat()),
        ),
        answer("says five bytes and ends with the head", RULE, BAD, headers_only("5")),
        answer("says no bytes and ends with the head", RULE, complete(200, 0), headers_only("0")),
        answer("says abc bytes", "RFC 9110 §8.6", BAD, says("abc", last(1, "hello"))),
        answer("says +5 bytes", "RFC 9110 §8.6", BAD, says("+5", last(1, "hello"))),
        answer("says 2^64 bytes", "RFC 9110 §8.6", BAD, says("18446744073709551616", last(1, "hello"))),
        answer("says an empty length", "RFC 9110 §8.6", BAD_BODY, says("", last(1, "hello"))),
        answer(
            "says five bytes and six",
            "RFC 9110 §8.6",
            BAD,
            [ok(1, [("content-length", "5"), ("content-length", "6")]), last(1, "hello")].concat(),
        ),
        answer(
            "says five bytes twice",
            "RFC 9110 §8.6",
            FINE,
            [ok(1, [("content-length", "5"), ("content-length", "5")]), last(1, "hello")].concat(),
        ),
    ]
}

fn trailers() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §8.1";
    let after = |flags, block: &[u8]| [ok(1, []), data(1, "hello"), frame(HEADERS, flags, 1, block)].concat();
    let ending = END_HEADERS | END_STREAM;
    vec![
        answer("sends trailers", RULE, FINE, after(ending, &field("a", "b"))),
        answer("sends empty trailers", RULE, FINE, after(ending, &[])),
        answer("sends trailers that do not end the stream", RULE, BAD_BODY, after(END_HEADERS, &field("a", "b"))),
        answer("sends trailers with :status", RULE, BAD_BODY, after(ending, &[STATUS_200])).but(FINE),
        answer("sends trailers with an upper-case name", "RFC 9113 §8.2", BAD_BODY, after(ending, &field("A", "b"))),
        answer(
            "sends trailers and no DATA",
            RULE,
            complete(200, 0),
            [ok(1, []), frame(HEADERS, ending, 1, field("a", "b"))].concat(),
        ),
        answer("sends a second final head", RULE, BAD_BODY, [ok(1, []), hello(1)].concat()),
    ]
}

fn informational() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §8.1";
    let early = |code: &str, flags| frame(HEADERS, flags, 1, block([(":status", code)]));
    vec![
        answer("sends 100 first", RULE, FINE, [early("100", END_HEADERS), hello(1)].concat()),
        answer("sends 103 fifty times first", RULE, FINE, [early("103", END_HEADERS).repeat(50), hello(1)].concat()),
        answer("ends the stream with 103", RULE, BAD, early("103", END_HEADERS | END_STREAM)),
        answer("sends DATA after 103", RULE, BAD, [early("103", END_HEADERS), last(1, "hello")].concat()),
        answer(
            "sends 101 first, which means nothing here",
            "RFC 9110 §15.2",
            FINE,
            [early("101", END_HEADERS), hello(1)].concat(),
        ),
    ]
}

fn bodiless() -> Vec<Case> {
    let ends = |fields: Vec<u8>| frame(HEADERS, END_HEADERS | END_STREAM, 1, fields);
    let head = |config: &mut haul::config::Config| config.request.method = http::Method::HEAD;
    vec![
        answer("answers 204 without a body", "RFC 9110 §15.3.5", complete(204, 0), ends(block([(":status", "204")]))),
        answer(
            "answers 304 that says five bytes, without a body",
            "RFC 9110 §15.4.5",
            complete(304, 0),
            ends(block([(":status", "304"), ("content-length", "5")])),
        ),
        answer_with(
            "answers HEAD saying five bytes, without a body",
            "RFC 9110 §9.3.2",
            complete(200, 0),
            head,
            ends([vec![STATUS_200], field("content-length", "5")].concat()),
        ),
        answer_with(
            "answers HEAD saying 64 MiB and a byte, over `--max-wire`",
            "RFC 9110 §9.3.2",
            complete(200, 0),
            head,
            ends([vec![STATUS_200], field("content-length", "67108865")].concat()),
        ),
        answer(
            "answers 304 that says 64 MiB and a byte, over `--max-wire`",
            "RFC 9110 §15.4.5",
            complete(304, 0),
            ends(block([(":status", "304"), ("content-length", "67108865")])),
        ),
        answer_with("answers HEAD with a body", "RFC 9110 §9.3.2", BAD_BODY, head, hello(1)),
        answer(
            "answers 204 with a body",
            "RFC 9110 §15.3.5",
            BAD_BODY,
            [frame(HEADERS, END_HEADERS, 1, block([(":status", "204")])), last(1, "hello")].concat(),
        ),
        answer(
            "answers 304 with a body",
            "RFC 9110 §15.4.5",
            BAD_BODY,
            [frame(HEADERS, END_HEADERS, 1, block([(":status", "304")])), last(1, "hello")].concat(),
        ),
        answer(
            "answers 204 and ends with an empty DATA frame",
            "RFC 9110 §15.3.5",
            complete(204, 0),
            [frame(HEADERS, END_HEADERS, 1, block([(":status", "204")])), frame(DATA, END_STREAM, 1, [])].concat(),
        ),
    ]
}
