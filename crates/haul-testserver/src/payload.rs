//! The bodies of responses: whole, or in pieces with pauses and, to order, an end that comes too early.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::flight::Flight;
use super::socket::ResetFlag;

/// How long before an early end what was sent may take to arrive: a reset overtakes what is still under way.
const BEFORE_END: Duration = Duration::from_millis(20);

/// A response's body.
#[derive(Debug)]
pub(super) enum Payload {
    /// In one piece; `None` once it is sent.
    Whole(Option<Bytes>),
    /// In pieces.
    Pieces(Box<Pieces>),
}

/// A response that ends before it is complete. Where the connection is to be reset, its flag is set before.
#[derive(Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut off, as was asked for")
    }
}

impl std::error::Error for Cut {}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// What comes after the last piece.
#[derive(Debug)]
pub(super) enum BodyEnding {
    /// The proper end.
    Complete,
    /// The end, although more was announced.
    Early,
    /// No end: the connection closes, or is reset where there is a flag.
    Cut(Option<ResetFlag>),
}

/// A block repeated, piece by piece.
#[derive(Debug)]
pub(super) struct Pieces {
    block: Bytes,
    /// Where in the block the next piece begins.
    at: usize,
    left: u64,
    /// Bytes in a piece at the most.
    piece: usize,
    /// Before each piece.
    pause: Duration,
    wait: Option<Pin<Box<Sleep>>>,
    /// Whether the length is announced from what is left.
    announced: bool,
    ending: BodyEnding,
    /// The request counts as in flight until the last piece is handed over: after it, the client may rightly send the
    /// next.
    flight: Option<Flight>,
}

impl Payload {
    pub(super) const EMPTY: Self = Self::Whole(None);

    pub(super) fn whole(body: impl Into<Bytes>) -> Self {
        Self::Whole(Some(body.into()).filter(|body: &Bytes| !body.is_empty()))
    }

    /// The first `length` bytes of `block` repeated, with an announced length.
    pub(super) fn repeated(block: &Bytes, length: u64) -> Self {
        match usize::try_from(length) {
            Ok(length) if length <= block.len() => Self::whole(block.slice(..length)),
            _ => Self::Pieces(Box::new(Pieces::new(block, length))),
        }
    }

    /// What is sent from now on counts as in flight.
    pub(super) fn carry(&mut self, flight: Flight) {
        if let Self::Pieces(pieces) = self {
            pieces.flight = Some(flight);
        }
    }
}

impl Pieces {
    /// The first `length` bytes of `block` repeated, as fast as they are taken.
    pub(super) fn new(block: &Bytes, length: u64) -> Self {
        Self {
            block: block.clone(),
            at: 0,
            left: length,
            piece: block.len(),
            pause: Duration::ZERO,
            wait: None,
            announced: true,
            ending: BodyEnding::Complete,
            flight: None,
        }
    }

    /// Without an announced length.
    pub(super) fn unannounced(mut self) -> Self {
        self.announced = false;
        self
    }

    /// In pieces of at most `piece` bytes with a pause before each.
    pub(super) fn slowly(mut self, piece: usize, pause: Duration) -> Self {
        (self.piece, self.pause) = (piece.clamp(1, self.block.len()), pause);
        self.wait = self.sleep();
        self
    }

    /// With another ending.
    pub(super) fn ending(mut self, ending: BodyEnding) -> Self {
        self.ending = ending;
        self
    }

    fn sleep(&self) -> Option<Pin<Box<Sleep>>> {
        let pause = match (self.left, &self.ending) {
            (0, BodyEnding::Complete) => Duration::ZERO,
            (0, _) => BEFORE_END,
            _ => self.pause,
        };
        (!pause.is_zero()).then(|| Box::pin(tokio::time::sleep(pause)))
    }

    /// The next piece; there is something left.
    fn next(&mut self) -> Bytes {
        let rest = self.block.len() - self.at;
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest).min(self.piece);
        let piece = self.block.slice(self.at..self.at + length);
        self.at = (self.at + length) % self.block.len();
        self.left -= length as u64;
        if self.left == 0 {
            self.flight = None;
        }
        self.wait = self.sleep();
        piece
    }

    fn end(&self) -> Option<Result<Frame<Bytes>, Cut>> {
        match &self.ending {
            BodyEnding::Complete | BodyEnding::Early => None,
            BodyEnding::Cut(flag) => {
                if let Some(flag) = flag {
                    flag.set();
                }
                Some(Err(Cut))
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(context));
            self.wait = None;
        }
        Poll::Ready(if self.left == 0 { self.end() } else { Some(Ok(Frame::data(self.next()))) })
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Pieces(pieces) => pieces.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_none(),
            Self::Pieces(pieces) => pieces.left == 0 && matches!(pieces.ending, BodyEnding::Complete),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Self::Pieces(pieces) if pieces.announced => SizeHint::with_exact(pieces.left),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn block() -> Bytes {
        Bytes::from_static(b"abcde")
    }

    #[tokio::test]
    async fn a_block_is_repeated_to_the_length() {
        for length in [0, 1, 5, 6, 17] {
            let body = Payload::repeated(&block(), length);
            assert_eq!(body.size_hint().exact(), Some(length));
            let bytes = body.collect().await.expect("complete").to_bytes();
            assert_eq!(bytes, "abcde".repeat(4)[..usize::try_from(length).expect("small")], "{length}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_come_slowly() {
        let pieces = Pieces::new(&block(), 7).slowly(2, Duration::from_secs(1)).unannounced();
        let mut body = Payload::Pieces(Box::new(pieces));
        assert_eq!(body.size_hint().exact(), None);
        let started = tokio::time::sleep(Duration::ZERO).deadline();
        let mut sizes = Vec::new();
        while let Some(frame) = body.frame().await {
            sizes.push(frame.expect("complete").into_data().expect("data").len());
        }
        let ended = tokio::time::sleep(Duration::ZERO).deadline();
        assert_eq!((sizes, (ended - started).as_secs()), (vec![2, 2, 1, 2], 4));
    }

    #[tokio::test(start_paused = true)]
    async fn an_early_end_is_an_end_and_a_cut_is_an_error() {
        let early = Payload::Pieces(Box::new(Pieces::new(&block(), 3).ending(BodyEnding::Early)));
        assert_eq!(early.collect().await.expect("an end").to_bytes(), "abc");
        let flag = ResetFlag::default();
        let pieces = Pieces::new(&block(), 3).ending(BodyEnding::Cut(Some(flag.clone())));
        let mut cut = Payload::Pieces(Box::new(pieces));
        assert!(cut.frame().await.expect("a piece").is_ok() && !flag.is_set() && !cut.is_end_stream());
        assert!(cut.frame().await.expect("an error").is_err() && flag.is_set());
    }
}
