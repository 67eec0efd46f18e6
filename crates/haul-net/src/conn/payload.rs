//! A request's body: in memory whole, sent piece by piece.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The most that is handed on at once. hyper copies what it is given behind the head into one buffer, so a body in one piece
/// would be there twice for each request that is being sent.
const PIECE: usize = 64 << 10;

/// What is sent as a request body: held whole in memory, cheap to send again.
#[derive(Clone, Debug, Default)]
pub struct RequestBody {
    rest: Bytes,
}

impl RequestBody {
    /// These bytes; none at all is no body.
    #[must_use]
    pub const fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    /// What has not been taken yet.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.rest
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_large_body_comes_in_pieces_that_share_its_bytes() {
        let bytes = Bytes::from(vec![7; 2 * PIECE + 1]);
        let mut body = RequestBody::new(bytes.clone());
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        let mut lengths = Vec::new();
        let mut at = 0;
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()))
        {
            let piece = frame.into_data().expect("data");
            assert_eq!(piece.as_ptr(), bytes[at..].as_ptr(), "no copy");
            at += piece.len();
            lengths.push(piece.len());
        }
        assert_eq!(lengths, [PIECE, PIECE, 1]);
        assert!(body.is_end_stream() && RequestBody::default().is_end_stream());
    }
}
