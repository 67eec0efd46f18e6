//! Codecs used again: making one costs up to 10 µs (zstd), as much as the rest of a small request.
//!
//! Owns the idle stages of its thread: at most [`MOST`] of them, each with its codec's buffers (up to 600 KiB of zstd's: a codec
//! with a large window is not kept). Only stages whose body ended well come here.

use std::cell::RefCell;

use super::content_codings::ContentCoding;
use super::stage::DecoderStage;

/// Idle stages kept by a thread. A body that comes in one frame needs its stages for one turn only, so a few serve
/// any number of connections.
const MOST: usize = 4;

thread_local! {
    static IDLE: RefCell<Vec<DecoderStage>> = const { RefCell::new(Vec::new()) };
}

/// A stage that undoes `coding`, at its start.
pub(super) fn take(coding: ContentCoding) -> DecoderStage {
    let idle = IDLE.with_borrow_mut(|idle| {
        let at = idle.iter().rposition(|stage| stage.coding() == coding)?;
        Some(idle.swap_remove(at))
    });
    idle.unwrap_or_else(|| DecoderStage::new(coding))
}

/// Keeps a stage for the next body.
pub(super) fn put(mut stage: DecoderStage) {
    stage.reset();
    IDLE.with_borrow_mut(|idle| {
        if idle.len() >= MOST {
            // The oldest goes, so that the codings in use stay.
            idle.remove(0);
        }
        idle.push(stage);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_stages_are_kept_and_found_by_their_coding() {
        for coding in [
            ContentCoding::Zstd,
            ContentCoding::Gzip,
            ContentCoding::Gzip,
            ContentCoding::Brotli,
            ContentCoding::Brotli,
            ContentCoding::Deflate,
        ] {
            put(DecoderStage::new(coding));
        }
        let idle = || IDLE.with_borrow(|idle| idle.iter().map(DecoderStage::coding).collect::<Vec<_>>());
        assert_eq!(idle(), [ContentCoding::Gzip, ContentCoding::Brotli, ContentCoding::Brotli, ContentCoding::Deflate]);
        assert_eq!(take(ContentCoding::Brotli).coding(), ContentCoding::Brotli);
        assert_eq!(take(ContentCoding::Zstd).coding(), ContentCoding::Zstd);
        assert_eq!(idle().len(), 3);
    }
}
