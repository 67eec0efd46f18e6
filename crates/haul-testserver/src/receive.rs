//! Request bodies: read to their end, so that the connection can be used again, and kept only where they are answered.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::payload::Cut;

/// The longest body that is kept.
const MOST_KEPT: usize = 1 << 20;
/// The longest body that is read and thrown away.
const MOST_READ: usize = 64 << 20;

/// How the request's body ended.
pub(super) enum ReceivedBody {
    /// All of it; empty when it was not to be kept.
    All(Bytes),
    /// It is longer than this.
    TooMuch(usize),
}

/// Reads the body. Fails when the peer has gone.
pub(super) async fn receive(mut body: Incoming, keep: bool) -> Result<ReceivedBody, Cut> {
    let most = if keep { MOST_KEPT } else { MOST_READ };
    let (mut kept, mut read) = (BytesMut::new(), 0);
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame.map_err(|_| Cut)?.into_data() else { continue };
        read += data.len();
        if read > most {
            return Ok(ReceivedBody::TooMuch(most));
        }
        if keep {
            kept.extend_from_slice(&data);
        }
    }
    Ok(ReceivedBody::All(kept.freeze()))
}
