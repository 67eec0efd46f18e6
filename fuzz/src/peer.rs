//! A peer in memory: it hears what is sent to it, and says what a script holds, piece by piece.
//!
//! Invariant: nothing is said before its turn, and each piece is a wake-up of its own. What the bytes mean is not known here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use haul::engine::{ByteStream, Connect, Connecting, Destination};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads of a stream that has ended, after which nobody can be said to have noticed the end.
const MOST_READS_OF_THE_END: u32 = 1_000;

/// What comes after the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The connection is closed.
    Close,
    /// Nothing ever.
    Silence,
    /// The connection is reset.
    Reset,
}

/// All that a peer will say.
#[derive(Clone, Debug)]
pub struct Script {
    /// Each turn's pieces. A turn begins when the peer has been asked as often as there were turns before, and once more.
    pub turns: Vec<Vec<Vec<u8>>>,
    /// What comes then.
    pub end: End,
    /// Counts the requests in all that the peer has heard.
    pub requests: fn(&[u8]) -> usize,
    /// The first turn waits for no request.
    pub speaks_first: bool,
}

impl Script {
    /// Cuts `bytes` by a plan of lengths: 0 ends a turn; what the plan leaves is the last piece.
    pub fn cut(bytes: &[u8], plan: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut turns = vec![Vec::new()];
        let mut rest = bytes;
        for length in plan {
            if *length == 0 {
                turns.push(Vec::new());
                continue;
            }
            let (piece, left) = rest.split_at(rest.len().min(usize::from(*length)));
            rest = left;
            turns.last_mut().expect("there is one").push(piece.to_vec());
        }
        turns.last_mut().expect("there is one").push(rest.to_vec());
        turns.iter_mut().for_each(|pieces| pieces.retain(|piece| !piece.is_empty()));
        turns
    }

    /// The same bytes in the same turns, in as few pieces as there can be.
    pub fn in_one_piece(&self) -> Self {
        Self { turns: self.turns.iter().map(|pieces| vec![pieces.concat()]).collect(), ..self.clone() }
    }

    /// The bytes of each turn.
    pub fn said(&self) -> Vec<Vec<u8>> {
        self.turns.iter().map(|pieces| pieces.concat()).collect()
    }

    /// Pieces in all.
    pub fn pieces(&self) -> usize {
        self.turns.iter().map(Vec::len).sum()
    }
}

/// The stream to a peer.
pub struct Peer {
    script: Arc<Script>,
    turn: usize,
    piece: usize,
    /// Bytes of the piece that are said.
    said: usize,
    /// A piece was just said, or the peer was just asked: the next comes with the next wake-up.
    rested: bool,
    heard: Vec<u8>,
    reader: Option<Waker>,
    reads_of_the_end: u32,
}

impl Peer {
    /// A peer that has heard and said nothing yet.
    pub fn new(script: Arc<Script>) -> Self {
        Self { script, turn: 0, piece: 0, said: 0, rested: false, heard: Vec::new(), reader: None, reads_of_the_end: 0 }
    }

    fn may_speak(&self) -> bool {
        (self.script.requests)(&self.heard) + usize::from(self.script.speaks_first) > self.turn
    }

    /// Moves on to what is to be said next; false when that was all.
    fn find_piece(&mut self) -> bool {
        while let Some(pieces) = self.script.turns.get(self.turn) {
            match pieces.get(self.piece) {
                Some(piece) if self.said < piece.len() => return true,
                Some(_) => (self.piece, self.said, self.rested) = (self.piece + 1, 0, false),
                None if self.turn + 1 == self.script.turns.len() => return false,
                None => (self.turn, self.piece, self.rested) = (self.turn + 1, 0, false),
            }
        }
        false
    }

    fn end(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.reads_of_the_end += 1;
        assert!(self.reads_of_the_end < MOST_READS_OF_THE_END, "the stream has ended and is read on and on");
        match self.script.end {
            End::Close => Poll::Ready(Ok(())),
            End::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            End::Silence => self.wait(cx),
        }
    }

    fn wait(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncRead for Peer {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let more = self.find_piece();
        if !self.may_speak() {
            return self.wait(cx);
        }
        if !std::mem::replace(&mut self.rested, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !more {
            return self.end(cx);
        }
        let script = Arc::clone(&self.script);
        let rest = &script.turns[self.turn][self.piece][self.said..];
        let now = &rest[..rest.len().min(buf.remaining())];
        buf.put_slice(now);
        self.said += now.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.heard.extend_from_slice(buf);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A network where every address is a peer with this script.
pub struct Net(pub Arc<Script>);

impl Connect for Net {
    fn connect(&self, _: &Destination<'_>) -> Connecting {
        let peer = Peer::new(Arc::clone(&self.0));
        Box::pin(async { Ok(Box::new(peer) as Box<dyn ByteStream>) })
    }
}
