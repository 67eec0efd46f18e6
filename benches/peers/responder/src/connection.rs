//! One connection: bytes in, through TLS or not, answers out as far as the socket takes them.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use rustls::{HandshakeKind, ServerConnection};

use crate::answers::{Answer, Answers, Then};
use crate::counts::Counts;
use crate::h1::Heads;
use crate::h2::Frames;

/// Answers that may wait to be sent, and bytes of HTTP/2 among them: a client that asks for more without reading is cut off.
const WAITING: usize = 4096;

pub(crate) enum Protocol {
    H1(Heads),
    H2(Box<Frames>),
}

/// What waits to be sent.
enum Piece {
    Fixed(&'static [u8]),
    Made(Vec<u8>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Fixed(bytes) => bytes,
            Self::Made(bytes) => bytes,
        }
    }
}

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    tls: Option<Box<ServerConnection>>,
    protocol: Protocol,
    waiting: VecDeque<Piece>,
    /// Bytes of the first waiting piece that were sent.
    sent: usize,
    closing: bool,
    shook_hands: bool,
}

/// What a turn brought.
#[derive(Default)]
pub(crate) struct Turn {
    /// Requests that were answered at once.
    pub(crate) answered: u64,
    /// Answers to be given a second later.
    pub(crate) slow: Vec<&'static [u8]>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, tls: Option<Box<ServerConnection>>, protocol: Protocol) -> Self {
        Self { stream, tls, protocol, waiting: VecDeque::new(), sent: 0, closing: false, shook_hands: false }
    }

    /// Reads what is there and answers. An error, or none: the connection is over.
    ///
    /// `ended`: the client's end is there too, behind the bytes; there will be no other event for it.
    pub(crate) fn readable(
        &mut self,
        ended: bool,
        answers: Answers,
        counts: &Counts,
        buffer: &mut [u8],
    ) -> io::Result<Turn> {
        let mut turn = Turn::default();
        loop {
            let (count, more) = self.read(counts, buffer)?;
            self.take(&buffer[..count], answers, counts, &mut turn)?;
            if !more && !ended {
                break;
            }
        }
        self.writable()?;
        Ok(turn)
    }

    /// Bytes of the client's, and whether there may be more; its end is an error.
    fn read(&mut self, counts: &Counts, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        let Some(tls) = &mut self.tls else {
            return match self.stream.read(buffer) {
                Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => Ok((count, count == buffer.len())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok((0, false)),
                Err(error) => Err(error),
            };
        };
        let more = match tls.read_tls(&mut self.stream) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => return Err(error),
        };
        tls.process_new_packets().map_err(io::Error::other)?;
        if !self.shook_hands && !tls.is_handshaking() {
            self.shook_hands = true;
            counts.shook_hands(tls.handshake_kind() == Some(HandshakeKind::Resumed));
        }
        match tls.reader().read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok((count, true)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok((0, more)),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, bytes: &[u8], answers: Answers, counts: &Counts, turn: &mut Turn) -> io::Result<()> {
        let useful = match &mut self.protocol {
            Protocol::H1(heads) => heads.take(bytes, |head| {
                counts.asked(1);
                let Answer { bytes, then } = answers.to(head);
                match then {
                    Then::Slow => turn.slow.push(bytes),
                    Then::Stay | Then::Close => {
                        turn.answered += 1;
                        self.waiting.push_back(Piece::Fixed(bytes));
                    }
                }
                self.closing |= then == Then::Close;
            }),
            Protocol::H2(frames) => {
                let mut out = Vec::new();
                let requests = frames.take(bytes, &mut out);
                counts.asked(requests.unwrap_or(0));
                turn.answered += requests.unwrap_or(0);
                self.waiting.extend((!out.is_empty()).then_some(Piece::Made(out)));
                requests.is_some()
            }
        };
        if !useful || self.waiting.len() > WAITING {
            return Err(io::Error::other("a client that is none of ours"));
        }
        Ok(())
    }

    /// Gives a slow answer.
    pub(crate) fn answer(&mut self, bytes: &'static [u8]) -> io::Result<()> {
        self.waiting.push_back(Piece::Fixed(bytes));
        self.writable()
    }

    /// Sends what the socket takes. An error: the connection is over, the end of one that was to be closed included.
    pub(crate) fn writable(&mut self) -> io::Result<()> {
        let done = match &mut self.tls {
            None => self.send_plain()?,
            Some(tls) => {
                for piece in self.waiting.drain(..) {
                    tls.writer().write_all(piece.bytes())?;
                }
                if self.closing {
                    tls.send_close_notify();
                }
                send_records(tls, &mut self.stream)?
            }
        };
        if done && self.closing { Err(ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Whether everything has been sent.
    fn send_plain(&mut self) -> io::Result<bool> {
        while let Some(piece) = self.waiting.front() {
            let rest = &piece.bytes()[self.sent..];
            match self.stream.write(rest) {
                Ok(count) if count == rest.len() => {
                    self.waiting.pop_front();
                    self.sent = 0;
                }
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn send_records(tls: &mut ServerConnection, stream: &mut TcpStream) -> io::Result<bool> {
    while tls.wants_write() {
        match tls.write_tls(stream) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
