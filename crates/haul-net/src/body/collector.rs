//! What is left of a body: its size, its digest, its bytes.
//!
//! Owns the copy rule. A body that came in one frame is kept as that frame, without a copy, unless it is short: a frame
//! is a slice of a read buffer, and a kept slice keeps the whole buffer (8 KiB or more) from being used again.

use std::mem;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use haul_core::config::BodySettings;

/// Frames shorter than this are copied: half the smallest read buffer, so at most half of what is kept is waste.
const COPY_BELOW: usize = 4 << 10;

/// The most memory taken in advance on the word of `Content-Length`.
const MOST_TRUSTED: u64 = 256 << 10;

/// Takes a body's decoded bytes in.
pub(super) struct BodyCollector {
    pub(super) count: u64,
    /// Boxed: its 112 bytes would else be moved about for every body, and few runs ask for it.
    digest: Option<Box<Sha256>>,
    kept: BodyBuffer,
    expected: usize,
}

/// The bytes kept so far.
enum BodyBuffer {
    /// Not asked for.
    Dropped,
    /// None yet, or one frame as it came.
    Whole(Bytes),
    /// Copied together.
    Copied(Vec<u8>),
}

impl BodyCollector {
    /// `expected` is how many bytes the head promises. Without `keep` nothing is kept whatever the settings say.
    pub(super) fn new(settings: &BodySettings, expected: u64, keep: bool) -> Self {
        Self {
            count: 0,
            digest: settings.digest.then(|| Box::new(Sha256::new())),
            kept: if settings.keep && keep { BodyBuffer::Whole(Bytes::new()) } else { BodyBuffer::Dropped },
            expected: usize::try_from(expected.min(MOST_TRUSTED)).unwrap_or(0),
        }
    }

    /// Takes a frame, keeping it without a copy where that is sensible.
    pub(super) fn take_frame(&mut self, frame: Bytes) {
        match &mut self.kept {
            BodyBuffer::Whole(bytes) if bytes.is_empty() && frame.len() >= COPY_BELOW => {
                *bytes = frame.clone();
                self.account(&frame);
            }
            _ => self.take(&frame),
        }
    }

    /// Takes a piece of a buffer that is used again.
    pub(super) fn take(&mut self, piece: &[u8]) {
        self.account(piece);
        match &mut self.kept {
            BodyBuffer::Dropped => {}
            BodyBuffer::Copied(bytes) => bytes.extend_from_slice(piece),
            BodyBuffer::Whole(first) => {
                let mut bytes = Vec::with_capacity(self.expected.max(first.len() + piece.len()));
                bytes.extend_from_slice(first);
                bytes.extend_from_slice(piece);
                self.kept = BodyBuffer::Copied(bytes);
            }
        }
    }

    fn account(&mut self, piece: &[u8]) {
        self.count += piece.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(piece);
        }
    }

    /// The bytes and the digest, where they were asked for.
    pub(super) fn finish(&mut self) -> (Option<Bytes>, Option<[u8; 32]>) {
        let body = match mem::replace(&mut self.kept, BodyBuffer::Dropped) {
            BodyBuffer::Dropped => None,
            BodyBuffer::Whole(bytes) => Some(bytes),
            BodyBuffer::Copied(bytes) => Some(Bytes::from(bytes)),
        };
        (body, self.digest.take().map(|digest| digest.finalize().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(expected: u64) -> BodyCollector {
        BodyCollector::new(&BodySettings { keep: true, ..BodySettings::default() }, expected, true)
    }

    #[test]
    fn a_long_frame_is_kept_as_it_is_and_a_short_one_is_copied() {
        for (len, same) in [(COPY_BELOW, true), (COPY_BELOW - 1, false)] {
            let frame = Bytes::from(vec![7; len]);
            let mut collector = keep(len as u64);
            collector.take_frame(frame.clone());
            let body = collector.finish().0.expect("kept");
            assert_eq!(body, frame);
            assert_eq!(body.as_ptr() == frame.as_ptr(), same, "{len}");
        }
    }

    #[test]
    fn frames_are_joined_in_order() {
        let mut collector = keep(0);
        collector.take_frame(Bytes::from(vec![1; COPY_BELOW]));
        collector.take_frame(Bytes::from(vec![2; COPY_BELOW]));
        collector.take(&[3]);
        assert_eq!(collector.count, 2 * COPY_BELOW as u64 + 1);
        let body = collector.finish().0.expect("kept");
        assert_eq!(body, [vec![1; COPY_BELOW], vec![2; COPY_BELOW], vec![3]].concat());
    }

    #[test]
    fn a_promised_length_is_trusted_up_to_a_point() {
        for (promised, taken) in [(100, 100), (u64::MAX, MOST_TRUSTED)] {
            let mut collector = keep(promised);
            collector.take(b"x");
            let BodyBuffer::Copied(bytes) = collector.kept else { panic!("copied") };
            assert_eq!(bytes.capacity() as u64, taken);
        }
    }
}
