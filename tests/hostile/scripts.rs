//! Responses of every form that is delivered in many ways: what each comes to, and where it is whole.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use haul::model::{FailureKind, Phase};
use http::Method;

use super::answers::{BAD_FRAMING, MALFORMED_BODY, MALFORMED_HEAD};
use super::case::{Verdict, complete, failed, until_close};
use super::memory::Ending;

/// A response.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) what: &'static str,
    pub(crate) method: Method,
    pub(crate) bytes: Vec<u8>,
    /// What comes after its last byte.
    pub(crate) ending: Ending,
    /// Where it is whole, by its framing. What comes after is not its own. `usize::MAX` for what never is.
    pub(crate) whole_at: usize,
    pub(crate) expected: Verdict,
}

fn script(what: &'static str, expected: Verdict, bytes: impl AsRef<[u8]>) -> Script {
    let bytes = bytes.as_ref().to_vec();
    let whole_at = bytes.len();
    Script { what, method: Method::GET, bytes, ending: Ending::Silence, whole_at, expected }
}

impl Script {
    fn to(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// It is over when the connection is.
    fn until_eof(mut self) -> Self {
        (self.ending, self.whole_at) = (Ending::Eof, usize::MAX);
        self
    }

    /// With bytes after it.
    fn and_more(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    /// It never comes to be a whole response.
    fn broken(mut self) -> Self {
        self.whole_at = usize::MAX;
        self
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.whole_at == usize::MAX && self.ending == Ending::Silence
    }

    /// What a response may be called of which so many bytes came before the end. `told`: whether the end is one that the
    /// server has meant, and not one that anybody on the way can make.
    pub(crate) fn may_be_said(&self, verdict: Verdict, came: usize, ending: Ending, told: bool) -> bool {
        use {FailureKind as Kind, Phase as In, Verdict as Is};
        let cut = came < self.whole_at;
        match (verdict, ending) {
            (Is::Complete { .. }, _) => !cut,
            (Is::UntilClose { .. }, Ending::Eof) => told && self.ending == Ending::Eof,
            (Is::Failed { phase: In::Head, kind: Kind::Closed }, Ending::Eof) => cut,
            (Is::Failed { phase: In::Body | In::Decode, kind: Kind::Truncated }, Ending::Eof) => cut,
            (Is::Failed { phase: In::Head | In::Body, kind: Kind::Reset }, Ending::Reset) => cut,
            _ => false,
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn in_chunks(body: &[u8], size: usize) -> Vec<u8> {
    let chunks = body.chunks(size).map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    [chunks.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat()
}

pub(crate) fn whole() -> Vec<Script> {
    let coded = gzip(b"hello, hello, hello");
    let head = |rest: &str| format!("{OK}{rest}\r\n\r\n").into_bytes();
    let length = head(&format!("Content-Encoding: gzip\r\nContent-Length: {}", coded.len()));
    let chunked = head("Content-Encoding: gzip\r\nTransfer-Encoding: chunked");
    let trailers = "5;a=b;c=\"d\"\r\nhello\r\n07 \r\n, world\r\n0;e\r\nX: 1\r\nContent-Length: 9\r\n\r\n";
    vec![
        script("a body with a length", complete(200, 5), format!("{OK}Content-Length: 5\r\n\r\nhello")),
        script("an empty body", complete(200, 0), format!("{OK}Content-Length: 0\r\n\r\n")),
        script("gzip with a length", complete(200, 19), [length, coded.clone()].concat()),
        script("one chunk", complete(200, 5), format!("{OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")),
        script("no chunk", complete(200, 0), format!("{OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        script(
            "chunks with extensions and trailers",
            complete(200, 12),
            format!("{OK}Transfer-Encoding: chunked\r\n\r\n{trailers}"),
        ),
        script("gzip in chunks of seven bytes", complete(200, 19), [chunked, in_chunks(&coded, 7)].concat()),
        script(
            "both lengths",
            complete(200, 5),
            format!("{OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ),
        script(
            "identity with a length",
            complete(200, 5),
            format!("{OK}Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello"),
        ),
        script(
            "identity with a length, and more",
            complete(200, 2),
            format!("{OK}Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi"),
        )
        .and_more(b"HTTP/1.1 404 X\r\n\r\n"),
        script(
            "chunked twice",
            complete(200, 2),
            format!("{OK}Transfer-Encoding: chunked, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
        ),
        script(
            "`chunked,`",
            complete(200, 2),
            format!("{OK}Transfer-Encoding: chunked,\r\n\r\n2;a\r\nhi\r\n0\r\nX: 1\r\n\r\n"),
        ),
        script("HTTP/1.0 with a length", complete(200, 5), "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        script(
            "two informational heads before",
            complete(200, 5),
            format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: </a>\r\n\r\n{OK}Content-Length: 5\r\n\r\nhello"
            ),
        ),
        script("a second response after it", complete(200, 2), format!("{OK}Content-Length: 2\r\n\r\nhi"))
            .and_more(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"),
        script(
            "more chunks after the last",
            complete(200, 2),
            format!("{OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
        )
        .and_more(b"2\r\nho\r\n0\r\n\r\n"),
    ]
}

pub(crate) fn until_the_end() -> Vec<Script> {
    let coded = gzip(b"hello, hello, hello");
    vec![
        script("no length", until_close(200, 5), format!("{OK}X: 1\r\n\r\nhello")).until_eof(),
        script("no length and no header", until_close(200, 5), format!("{OK}\r\nhello")).until_eof(),
        script("identity", until_close(200, 5), format!("{OK}Transfer-Encoding: identity\r\n\r\nhello")).until_eof(),
        script("HTTP/1.0 without a length", until_close(200, 5), "HTTP/1.0 200 OK\r\n\r\nhello").until_eof(),
        script(
            "gzip without a length",
            until_close(200, 19),
            [format!("{OK}Content-Encoding: gzip\r\n\r\n").as_bytes(), &coded].concat(),
        )
        .until_eof(),
    ]
}

pub(crate) fn bodiless() -> Vec<Script> {
    let ok = |rest| format!("{OK}{rest}\r\n\r\n");
    vec![
        script("204", complete(204, 0), "HTTP/1.1 204 No Content\r\n\r\n"),
        script("304 with a length", complete(304, 0), "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        script("304 with a body", complete(304, 0), "HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n").and_more(b"hello"),
        script("to HEAD, a length", complete(200, 0), ok("Content-Length: 5")).to(Method::HEAD),
        script("to HEAD, chunked", complete(200, 0), ok("Transfer-Encoding: chunked")).to(Method::HEAD),
        script("to HEAD, with a body", complete(200, 0), ok("Content-Length: 5")).to(Method::HEAD).and_more(b"hello"),
    ]
}

pub(crate) fn lenient() -> Vec<Script> {
    let body = "Content-Length: 5\r\n\r\nhello";
    vec![
        script("bare LFs", complete(200, 5), "HTTP/1.1 200 OK\nX: 1\nContent-Length: 5\n\nhello"),
        script("empty lines first", complete(200, 5), format!("\r\n\r\n{OK}{body}")),
        script("no reason", complete(200, 5), format!("HTTP/1.1 200\r\n{body}")),
        script("an odd status line", complete(200, 5), format!("\r\nhttp/1.2   200\tO\x01K\r\n{body}")),
        script(
            "folded lines",
            complete(200, 5),
            format!("{OK}X: 1\r\n 2\r\n\t3\r\nContent-Length:\r\n 5\r\n\r\nhello"),
        ),
        script(
            "lines that are passed over",
            complete(200, 5),
            format!("{OK} X: 1\r\nnonsense\r\n: 1\r\nA B: 1\r\nX\x01: 1\r\nY: \x7f\r\n{body}"),
        ),
        script("blanks before colons", complete(200, 5), format!("{OK}X : 1\r\nContent-Length\t : 5\r\n\r\nhello")),
        script("empty values", complete(200, 5), format!("{OK}X:\r\nY: \r\nZ:\t\r\n{body}")),
    ]
}

pub(crate) fn broken() -> Vec<Script> {
    let corrupt = failed(Phase::Decode, FailureKind::Corrupt);
    let protocol = failed(Phase::Head, FailureKind::Protocol);
    let chunks = |body: &str| format!("{OK}Transfer-Encoding: chunked\r\n\r\n{body}");
    let mut flipped = gzip(b"hello, hello, hello");
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    let flipped =
        [format!("{OK}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", flipped.len()).as_bytes(), &flipped]
            .concat();
    let rows = [
        ("gzip with a wrong checksum", corrupt, flipped),
        ("a chunk size `5x`", MALFORMED_BODY, chunks("5x\r\nhello\r\n0\r\n\r\n").into()),
        ("a chunk size over 2⁶⁴", MALFORMED_BODY, chunks("10000000000000000\r\nhello\r\n0\r\n\r\n").into()),
        ("a chunk longer than its size", MALFORMED_BODY, chunks("4\r\nhello\r\n0\r\n\r\n").into()),
        ("a bare LF in a chunk extension", MALFORMED_BODY, chunks("5;a\nhello\r\n0\r\n\r\n").into()),
        ("a trailer without a colon", MALFORMED_BODY, chunks("5\r\nhello\r\n0\r\nnonsense\r\n\r\n").into()),
        ("`Transfer-Encoding: gzip`", BAD_FRAMING, format!("{OK}Transfer-Encoding: gzip\r\n\r\nhello").into()),
        (
            "differing Content-Lengths",
            BAD_FRAMING,
            format!("{OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!").into(),
        ),
        ("NUL in a header", MALFORMED_HEAD, format!("{OK}X: a\0b\r\nContent-Length: 5\r\n\r\nhello").into()),
        ("a status of two digits", MALFORMED_HEAD, "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello".into()),
        ("an SSH banner", MALFORMED_HEAD, "SSH-2.0-OpenSSH_9.2\r\n".into()),
        ("101", protocol, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello".into()),
    ];
    rows.map(|(what, expected, bytes)| script(what, expected, bytes).broken()).into()
}
