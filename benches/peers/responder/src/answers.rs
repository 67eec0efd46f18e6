//! The responses, made once: which one a request gets is told by how its path begins.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A response and what happens besides sending it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) bytes: &'static [u8],
    pub(crate) then: Then,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Then {
    /// The connection stays open.
    Stay,
    /// The connection is closed once the response has been sent.
    Close,
    /// The response is sent a second later.
    Slow,
}

/// Every response there is. It is never freed.
#[derive(Clone, Copy)]
pub(crate) struct Answers {
    /// By the beginning of the path; of two that fit, the longer one stands first.
    by_path: &'static [(&'static [u8], Answer)],
    unknown: Answer,
}

impl Answers {
    pub(crate) fn new() -> Self {
        let page = |size: usize| text(size);
        let stay = |bytes: Vec<u8>| Answer { bytes: bytes.leak(), then: Then::Stay };
        let plain = |size| stay(response("200 OK", "", "keep-alive", &page(size)));
        let gzip = |size| stay(response("200 OK", "Content-Encoding: gzip\r\n", "keep-alive", &zipped(&page(size))));
        let close = response("200 OK", "", "close", &page(1024));
        let by_path: Vec<(&'static [u8], Answer)> = vec![
            (b"/1k ", plain(1024)),
            (b"/1k?", plain(1024)),
            (b"/close", Answer { bytes: close.leak(), then: Then::Close }),
            (b"/slow", Answer { then: Then::Slow, ..plain(1024) }),
            (b"/64k.gz", gzip(64 << 10)),
            (b"/64k", plain(64 << 10)),
            (b"/1m.gz", gzip(1 << 20)),
            (b"/1m", plain(1 << 20)),
        ];
        Self { by_path: by_path.leak(), unknown: stay(response("404 Not Found", "", "keep-alive", b"no such path\n")) }
    }

    /// The answer to this request head.
    pub(crate) fn to(self, head: &[u8]) -> Answer {
        let path = head.get(4..).unwrap_or_default();
        let fits = |entry: &&(&[u8], Answer)| path.starts_with(entry.0);
        self.by_path.iter().find(fits).map_or(self.unknown, |entry| entry.1)
    }
}

/// Text that gzip makes about a fifth of.
fn text(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut word = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!(
            "{} ",
            ["fetch", "host", "queue", "limit", "record", "stream", "answer", "window"][(state >> 29) as usize]
        ) + &format!("{:x}\n", (state >> 16) & 0xff)
    };
    let mut page = Vec::with_capacity(size + 16);
    while page.len() < size {
        page.extend_from_slice(word().as_bytes());
    }
    page.truncate(size);
    page
}

fn zipped(page: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(page).and_then(|()| encoder.finish()).expect("a vector takes everything")
}

fn response(status: &str, coding: &str, connection: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: responder\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n{coding}Connection: {connection}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_says_which_answer() {
        let answers = Answers::new();
        let length = |head: &[u8]| answers.to(head).bytes.len();
        assert!((1024..1300).contains(&length(b"GET /1k HTTP/1.1\r\n\r\n")));
        assert!((1024..1300).contains(&length(b"GET /1k?17 HTTP/1.1\r\n\r\n")));
        assert!(length(b"GET /64k HTTP/1.1\r\n\r\n") > 64 << 10);
        assert!((5_000..32_000).contains(&length(b"GET /64k.gz HTTP/1.1\r\n\r\n")), "{}", length(b"GET /64k.gz "));
        assert!(length(b"GET /1m HTTP/1.1\r\n\r\n") > 1 << 20);
        assert!(answers.to(b"GET /1km HTTP/1.1\r\n\r\n").bytes.starts_with(b"HTTP/1.1 404"));
        assert!(answers.to(b"").bytes.starts_with(b"HTTP/1.1 404"));
        assert_eq!(answers.to(b"GET /close HTTP/1.1\r\n\r\n").then, Then::Close);
        assert_eq!(answers.to(b"GET /slow HTTP/1.1\r\n\r\n").then, Then::Slow);
    }
}
