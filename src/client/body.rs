//! A response's body, as it comes.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::error::Error;
use super::pipe::Receiver;
use crate::engine::Live;
use crate::model::{Failure, FailureKind, Phase};

/// A response's body: decoded, in pieces, as it comes. An [`http_body::Body`].
///
/// It ends without an error only when the body was whole. Dropping it cancels the rest. While nobody reads, at most
/// 256 KiB wait here, and then the peer waits; the total time-out goes on.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let url = server.url("/bytes/100000");
/// # futures::executor::block_on(async {
/// use futures::TryStreamExt;
/// use http_body_util::BodyDataStream;
///
/// let body = haul::Client::new()?.get(&url).send().await?.into_body();
/// let pieces: Vec<bytes::Bytes> = BodyDataStream::new(body).try_collect().await?;
/// assert_eq!(pieces.concat().len(), 100_000);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Body {
    pub(super) receiver: Receiver,
    /// Keeps the engine running for as long as something is to come.
    pub(super) _live: Option<Arc<Live>>,
    /// The most bytes that [`Self::bytes`] takes.
    pub(super) most: u64,
    /// Whether its content coding was undone on the way.
    pub(super) decoded: bool,
}

impl Body {
    pub(super) fn poll_piece(&self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        self.receiver.poll_piece(cx)
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The body is cut off, broken or over a cap. After an error comes the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|cx| self.poll_piece(cx)).await.transpose()
    }

    /// The rest of the body in one piece.
    ///
    /// # Errors
    /// As [`Self::chunk`]; and a body over [`crate::config::BodySettings::max_kept`] fails with kind `too_large`.
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        self.check(first.len())?;
        let mut all = BodyPieces::One(first);
        while let Some(piece) = self.chunk().await? {
            let mut bytes = match all {
                BodyPieces::One(first) => BytesMut::from(first),
                BodyPieces::Many(bytes) => bytes,
            };
            self.check(bytes.len() + piece.len())?;
            bytes.extend_from_slice(&piece);
            all = BodyPieces::Many(bytes);
        }
        Ok(match all {
            BodyPieces::One(first) => first,
            BodyPieces::Many(bytes) => bytes.freeze(),
        })
    }

    fn check(&self, bytes: usize) -> Result<(), Error> {
        if bytes as u64 <= self.most {
            return Ok(());
        }
        let message = format!("the body is larger than {} bytes (max_kept); read it in pieces", self.most);
        Err(Error::new(Failure::new(Phase::Body, FailureKind::TooLarge, message), self.receiver.url(), 1))
    }
}

/// A body being put together: its only piece stays as it came.
enum BodyPieces {
    One(Bytes),
    Many(BytesMut),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.receiver.left() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.receiver.left().map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("left", &self.receiver.left()).finish_non_exhaustive()
    }
}
