//! Coded bodies and bodies in frames, for the tests of this module.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::codecs::{BrotliEncoder, EncodeV2};
use async_compression::core::Level;
use async_compression::core::util::{PartialBuffer, WriteBuffer};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http_body::{Body, Frame, SizeHint};

use super::content_codings::ContentCoding;

/// The forms a coded body has on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Gzip,
    Zlib,
    RawDeflate,
    Brotli,
    Zstd,
}

impl Form {
    pub(super) const ALL: [Self; 5] = [Self::Gzip, Self::Zlib, Self::RawDeflate, Self::Brotli, Self::Zstd];

    pub(super) fn coding(self) -> ContentCoding {
        match self {
            Self::Gzip => ContentCoding::Gzip,
            Self::Zlib | Self::RawDeflate => ContentCoding::Deflate,
            Self::Brotli => ContentCoding::Brotli,
            Self::Zstd => ContentCoding::Zstd,
        }
    }

    pub(super) fn encode(self, data: &[u8]) -> Vec<u8> {
        self.encode_from(data)
    }

    /// `len` zeros, coded.
    pub(super) fn bomb(self, len: u64) -> Vec<u8> {
        self.encode_from(io::repeat(0).take(len))
    }

    fn encode_from(self, mut data: impl Read) -> Vec<u8> {
        match self {
            Self::Gzip => written(GzEncoder::new(Vec::new(), Compression::default()), data, GzEncoder::finish),
            Self::Zlib => written(ZlibEncoder::new(Vec::new(), Compression::default()), data, ZlibEncoder::finish),
            Self::RawDeflate => {
                written(DeflateEncoder::new(Vec::new(), Compression::default()), data, DeflateEncoder::finish)
            }
            Self::Brotli => brotli(&mut data),
            Self::Zstd => zstd::encode_all(data, 1).expect("in memory"),
        }
    }
}

fn written<W: Write>(mut to: W, mut from: impl Read, finish: fn(W) -> io::Result<Vec<u8>>) -> Vec<u8> {
    io::copy(&mut from, &mut to).expect("in memory");
    finish(to).expect("in memory")
}

fn brotli(from: &mut impl Read) -> Vec<u8> {
    let quality = async_compression::brotli::EncoderParams::default().quality(Level::Fastest);
    let mut encoder = BrotliEncoder::new(quality);
    let (mut coded, mut input, mut output) = (Vec::new(), vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let len = from.read(&mut input).expect("in memory");
        let mut rest = PartialBuffer::new(&input[..len]);
        loop {
            let mut to = WriteBuffer::new_initialized(&mut output);
            let done = if len == 0 {
                encoder.finish(&mut to).expect("encodes")
            } else {
                encoder.encode(&mut rest, &mut to).expect("encodes");
                rest.unwritten().is_empty()
            };
            coded.extend_from_slice(to.written());
            if done {
                break;
            }
        }
        if len == 0 {
            return coded;
        }
    }
}

/// What a test body does next.
#[derive(Debug)]
pub(super) enum ScriptedStep<E = Infallible> {
    Data(Bytes),
    Trailers,
    Pending,
    Error(E),
}

/// A body that plays its turns.
#[derive(Debug)]
pub(super) struct ScriptedBody<E = Infallible> {
    pub(super) turns: VecDeque<ScriptedStep<E>>,
    pub(super) promised: u64,
}

impl<E> ScriptedBody<E> {
    pub(super) fn new(turns: impl IntoIterator<Item = ScriptedStep<E>>) -> Self {
        Self { turns: turns.into_iter().collect(), promised: 0 }
    }
}

impl<E: Unpin> Body for ScriptedBody<E> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        match self.turns.pop_front() {
            None => Poll::Ready(None),
            Some(ScriptedStep::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(ScriptedStep::Trailers) => Poll::Ready(Some(Ok(Frame::trailers(http::HeaderMap::new())))),
            Some(ScriptedStep::Error(error)) => Poll::Ready(Some(Err(error))),
            Some(ScriptedStep::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.promised);
        hint
    }
}
