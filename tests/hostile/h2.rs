//! The server's side of HTTP/2, frame by frame: it writes any bytes, and reads as much as it takes to follow a client.
//! A script is a function over a [`Conn`]; what it returns as an error means that the client has left.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use haul::config::Config;
use socket2::SockRef;

use super::case::{Case, Verdict};
use super::lab::Lab;
use super::peer::{Line, Peer};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
pub(crate) const ENABLE_PUSH: u16 = 2;
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
pub(crate) const MAX_FRAME_SIZE: u16 = 5;
pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 6;

pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;
pub(crate) const HTTP_1_1_REQUIRED: u32 = 13;

/// The error codes of RFC 9113 §7.
pub(crate) const CODES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// A frame whose header says `length`, whatever the payload is.
pub(crate) fn lying(length: usize, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).expect("24 bits").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    lying(payload.as_ref().len(), kind, flags, stream, payload.as_ref())
}

pub(crate) fn data(stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(DATA, 0, stream, payload)
}

/// The last of a stream.
pub(crate) fn last(stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(DATA, END_STREAM, stream, payload)
}

pub(crate) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let entry = |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, values.iter().flat_map(entry).collect::<Vec<u8>>())
}

pub(crate) fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, [last.to_be_bytes(), code.to_be_bytes()].concat())
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, code.to_be_bytes())
}

pub(crate) fn window_update(stream: u32, by: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, by.to_be_bytes())
}

/// An HPACK integer (RFC 7541 §5.1) after the bits `first`.
pub(crate) fn int(first: u8, prefix: u32, value: usize) -> Vec<u8> {
    let most = (1_usize << prefix) - 1;
    if value < most {
        return vec![first | u8::try_from(value).expect("fits its prefix")];
    }
    let mut bytes = vec![first | u8::try_from(most).expect("fits its prefix")];
    let mut rest = value - most;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).expect("seven bits") | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).expect("seven bits"));
    bytes
}

/// A field as a literal, by `first` without indexing (0x00) or with (0x40).
fn literal(first: u8, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let (name, value) = (name.as_ref(), value.as_ref());
    [vec![first], int(0, 7, name.len()), name.to_vec(), int(0, 7, value.len()), value.to_vec()].concat()
}

/// A field that enters no table.
pub(crate) fn field(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    literal(0, name, value)
}

/// A field that enters the dynamic table, as its entry 62.
pub(crate) fn indexing(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    literal(0x40, name, value)
}

/// An entry of the tables.
pub(crate) fn indexed(entry: usize) -> Vec<u8> {
    int(0x80, 7, entry)
}

/// `:status: 200` in a byte.
pub(crate) const STATUS_200: u8 = 0x88;

pub(crate) fn block<const N: usize>(fields: [(&str, &str); N]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

/// A head of these fields after `:status: 200`.
pub(crate) fn ok<const N: usize>(stream: u32, fields: [(&str, &str); N]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, [vec![STATUS_200], block(fields)].concat())
}

/// A whole response with a body of five bytes.
pub(crate) fn hello(stream: u32) -> Vec<u8> {
    [ok(stream, []), last(stream, "hello")].concat()
}

/// A frame as it came.
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) const fn is(&self, kind: u8, flag: u8) -> bool {
        self.kind == kind && self.flags & flag != 0
    }

    pub(crate) const fn ends_stream(&self) -> bool {
        self.is(DATA, END_STREAM) || self.is(HEADERS, END_STREAM)
    }
}

/// A connection, seen from the server.
pub(crate) struct Conn {
    line: Box<dyn Line>,
    /// Its number at this peer, from 0.
    pub(crate) number: usize,
    /// Whether the client's SETTINGS and PINGs are acknowledged.
    pub(crate) polite: bool,
}

impl Conn {
    pub(crate) fn new(line: Box<dyn Line>, number: usize) -> Self {
        Self { line, number, polite: true }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.line.write_all(bytes.as_ref())?;
        self.line.flush()
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        self.line.tcp()
    }

    /// Reads the client's preface, up to its first frame.
    pub(crate) fn preface(&mut self) -> io::Result<()> {
        self.line.read_exact(&mut [0; 24])
    }

    /// The preface of both sides.
    pub(crate) fn greet(&mut self, values: &[(u16, u32)]) -> io::Result<()> {
        self.preface()?;
        self.send(settings(values))
    }

    /// The client's next frame. SETTINGS and PINGs are acknowledged on the way, if it is polite.
    pub(crate) fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.line.read_exact(&mut head)?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.line.read_exact(&mut payload)?;
        let frame = Frame { kind, flags, stream: u32::from_be_bytes(stream), payload };
        if self.polite && matches!(kind, SETTINGS | PING) && flags & ACK == 0 {
            let echo = if kind == PING { &frame.payload[..] } else { &[] };
            self.send(self::frame(kind, ACK, 0, echo))?;
        }
        Ok(frame)
    }

    /// Reads until a frame is as it should be.
    pub(crate) fn until(&mut self, mut wanted: impl FnMut(&Frame) -> bool) -> io::Result<Frame> {
        loop {
            let frame = self.read()?;
            if wanted(&frame) {
                return Ok(frame);
            }
        }
    }

    /// Reads the next request's head; says its stream.
    pub(crate) fn request(&mut self) -> io::Result<u32> {
        Ok(self.until(|frame| frame.is(HEADERS, END_HEADERS))?.stream)
    }

    /// Reads until the client has acknowledged SETTINGS.
    pub(crate) fn acknowledged(&mut self) -> io::Result<()> {
        self.until(|frame| frame.is(SETTINGS, ACK)).map(drop)
    }

    /// Reads until the client has left.
    pub(crate) fn stall(&mut self) -> io::Result<()> {
        io::copy(&mut self.line, &mut io::sink()).map(drop)
    }

    /// Sends this again and again until the client leaves, and reads what it answers.
    pub(crate) fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut answers = self.line.tcp().try_clone()?;
        thread::spawn(move || io::copy(&mut answers, &mut io::sink()));
        // Many at once: otherwise the flood is one of system calls.
        let many = bytes.repeat(1 + 8000 / bytes.len().max(1));
        loop {
            self.send(&many)?;
        }
    }

    /// The same, but reads nothing.
    pub(crate) fn flood_unread(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            self.send(bytes)?;
        }
    }

    /// Ends this side in good order and waits until the client has left.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.line.end()?;
        self.stall()
    }

    /// Ends this side without a close_notify, and waits until the client has left.
    pub(crate) fn shut(&mut self) -> io::Result<()> {
        self.line.tcp().shutdown(Shutdown::Write)?;
        self.stall()
    }

    /// Ends the connection by a TCP reset.
    pub(crate) fn cut(&mut self) -> io::Result<()> {
        SockRef::from(self.line.tcp()).set_linger(Some(Duration::ZERO))?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

/// What a peer does with a connection. At its end the peer keeps the connection open and silent until the client leaves.
pub(crate) trait Script: Fn(&mut Conn) -> io::Result<()> + Send + Sync + 'static {}
impl<F: Fn(&mut Conn) -> io::Result<()> + Send + Sync + 'static> Script for F {}

/// A peer that plays the script on every connection, by prior knowledge.
pub(crate) fn serve(script: impl Script) -> Peer {
    Peer::serving(move |stream: TcpStream, number| play(Box::new(stream), number, &script))
}

/// Plays the script on one connection.
pub(crate) fn play(line: Box<dyn Line>, number: usize, script: &impl Script) {
    let mut conn = Conn::new(line, number);
    let _ = script(&mut conn).and_then(|()| conn.stall());
}

/// The lab with HTTP/2 by prior knowledge.
pub(crate) fn lab() -> Lab {
    Lab::new().with(|config| config.network.http2_prior_knowledge = true)
}

/// One URL of a peer that plays the script.
pub(crate) fn case(what: impl Into<String>, rule: &'static str, expected: Verdict, script: impl Script) -> Case {
    case_with(what, rule, expected, |_| {}, script)
}

/// The same with other settings.
pub(crate) fn case_with(
    what: impl Into<String>,
    rule: &'static str,
    expected: Verdict,
    change: impl FnOnce(&mut Config) + Send + 'static,
    script: impl Script,
) -> Case {
    Case::new(what, rule, expected, move || {
        let peer = serve(script);
        lab().with(change).fetch(peer.url("/"))
    })
}

/// A peer that greets, reads a request, and answers with these bytes, which speak of stream 1. It says and does nothing
/// after them: the verdict must come of them alone.
pub(crate) fn answer(what: impl Into<String>, rule: &'static str, expected: Verdict, bytes: Vec<u8>) -> Case {
    answer_with(what, rule, expected, |_| {}, bytes)
}

/// The same with other settings.
pub(crate) fn answer_with(
    what: impl Into<String>,
    rule: &'static str,
    expected: Verdict,
    change: impl FnOnce(&mut Config) + Send + 'static,
    bytes: Vec<u8>,
) -> Case {
    case_with(what, rule, expected, change, move |conn| {
        conn.greet(&[])?;
        conn.request()?;
        conn.send(&bytes)
    })
}

/// Sends a request of the case's own: a POST with so many bytes of body.
pub(crate) fn post(bytes: usize) -> impl FnOnce(&mut Config) + Send + 'static {
    move |config| {
        config.request.method = http::Method::POST;
        config.request.body = Some(vec![b'x'; bytes].into());
    }
}

/// Lets the time-outs run out soon, for the cases in which one must.
pub(crate) fn soon(config: &mut Config) {
    config.timeouts.first_byte = super::lab::SOON;
    config.timeouts.idle = super::lab::SOON;
}

/// One verdict on several URLs that must all be complete: the bytes together, or the first failure.
pub(crate) fn together(outcomes: Vec<haul::model::Outcome>) -> Verdict {
    let mut all = 0;
    for outcome in &outcomes {
        match Verdict::of(outcome) {
            Verdict::Complete { status: 200, bytes } => all += bytes,
            other => return other,
        }
    }
    super::case::complete(200, all)
}
