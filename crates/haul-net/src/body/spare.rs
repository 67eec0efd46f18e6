//! Codecs used again: making one costs up to 10 µs (zstd), as much as the rest of a small request.
//!
//! Owns the idle stages of its thread: at most [`MOST`] of them, each with its codec's buffers (up to 600 KiB of zstd's: a codec
//! with a large window is not kept). Only stages whose body ended well come here.

use std::cell::RefCell;

use super::codings::Coding;
use super::stage::Stage;

/// Idle stages kept by a thread. A body that comes in one frame needs its stages for one turn only, so a few serve
/// any number of connections.
const MOST: usize = 4;

thread_local! {
    static IDLE: RefCell<Vec<Stage>> = const { RefCell::new(Vec::new()) };
}

/// A stage that undoes `coding`, at its start.
pub(super) fn take(coding: Coding) -> Stage {
    let idle = IDLE.with_borrow_mut(|idle| {
        let at = idle.iter().rposition(|stage| stage.coding() == coding)?;
        Some(idle.swap_remove(at))
    });
    idle.unwrap_or_else(|| Stage::new(coding))
}

/// Keeps a stage for the next body.
pub(super) fn put(mut stage: Stage) {
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
        for coding in [Coding::Zstd, Coding::Gzip, Coding::Gzip, Coding::Brotli, Coding::Brotli, Coding::Deflate] {
            put(Stage::new(coding));
        }
        let idle = || IDLE.with_borrow(|idle| idle.iter().map(Stage::coding).collect::<Vec<_>>());
        assert_eq!(idle(), [Coding::Gzip, Coding::Brotli, Coding::Brotli, Coding::Deflate]);
        assert_eq!(take(Coding::Brotli).coding(), Coding::Brotli);
        assert_eq!(take(Coding::Zstd).coding(), Coding::Zstd);
        assert_eq!(idle().len(), 3);
    }
}
