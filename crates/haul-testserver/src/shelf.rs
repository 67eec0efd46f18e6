//! Bodies ready to be sent. What costs time to make is made once and kept.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::ask::ContentCoding;
use super::content;

/// Bytes kept of bodies that were made. When it is full everything is thrown away and made again when asked for.
const MOST_KEPT: usize = 32 << 20;

/// A body that has to be made: what, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum GeneratedBody {
    Json(u64),
    Encoded(ContentCoding, u64),
}

/// The origin's bodies.
#[derive(Debug)]
pub(super) struct Shelf {
    /// Pseudo-random bytes; longer bodies repeat them.
    pub(super) random: Bytes,
    /// Text; longer bodies repeat it.
    pub(super) text: Bytes,
    kept: Mutex<BodyCache>,
}

#[derive(Debug, Default)]
struct BodyCache {
    bodies: HashMap<GeneratedBody, Bytes>,
    bytes: usize,
}

impl Shelf {
    pub(super) fn new() -> Self {
        Self { random: content::random_block(), text: content::text_block(), kept: Mutex::default() }
    }

    /// The body, made when it is not there. Making the largest takes some tens of milliseconds, in which its thread does
    /// nothing else.
    pub(super) async fn body(&self, made: GeneratedBody) -> io::Result<Bytes> {
        if let Some(body) = self.kept().bodies.get(&made) {
            return Ok(body.clone());
        }
        let body = match made {
            GeneratedBody::Json(count) => content::json(count).into(),
            GeneratedBody::Encoded(coding, length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                encode(coding, &content::repeated(&self.text, length)).await?.into()
            }
        };
        self.keep(made, &body);
        Ok(body)
    }

    fn keep(&self, made: GeneratedBody, body: &Bytes) {
        let mut kept = self.kept();
        if kept.bytes + body.len() > MOST_KEPT {
            *kept = BodyCache::default();
        }
        if kept.bodies.insert(made, body.clone()).is_none() {
            kept.bytes += body.len();
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BodyCache> {
        self.kept.lock().expect("no holder of this lock panics")
    }
}

/// `plain` under `coding`. It waits for nothing: the reader is memory.
async fn encode(coding: ContentCoding, plain: &[u8]) -> io::Result<Vec<u8>> {
    match coding {
        ContentCoding::Gzip => all(GzipEncoder::new(plain)).await,
        ContentCoding::Brotli => all(BrotliEncoder::with_quality(plain, Level::Precise(4))).await,
        ContentCoding::Zstd => all(ZstdEncoder::new(plain)).await,
        ContentCoding::Deflate => all(ZlibEncoder::new(plain)).await,
    }
}

async fn all(mut encoder: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut encoded = Vec::new();
    encoder.read_to_end(&mut encoded).await?;
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_are_kept_within_the_bound() {
        let shelf = Shelf::new();
        let json = shelf.body(GeneratedBody::Json(3)).await.expect("made");
        assert_eq!(shelf.body(GeneratedBody::Json(3)).await.expect("kept").as_ptr(), json.as_ptr());
        for length in 0..40 {
            shelf.keep(GeneratedBody::Json(100 + length), &Bytes::from(vec![0; 1 << 20]));
            let kept = shelf.kept();
            assert!(kept.bytes <= MOST_KEPT);
            assert_eq!(kept.bytes, kept.bodies.values().map(Bytes::len).sum::<usize>());
        }
    }

    #[tokio::test]
    async fn codings_make_text_smaller() {
        let shelf = Shelf::new();
        for coding in [ContentCoding::Gzip, ContentCoding::Brotli, ContentCoding::Zstd, ContentCoding::Deflate] {
            let body = shelf.body(GeneratedBody::Encoded(coding, 10_000)).await.expect("made");
            assert!(!body.is_empty() && body.len() < 5000, "{coding:?}: {}", body.len());
        }
    }
}
