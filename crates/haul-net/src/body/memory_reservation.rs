//! The memory reservation of a body: what its decoding takes is asked for first.

use std::task::{Context, Poll};

/// Memory for one body's decoders: their windows and tables. Given back when dropped.
pub trait MemoryReservation {
    /// Ready once `bytes` in all may be taken; the body waits until then. What it has taken already without having been
    /// allowed to, because its peer decided how much, is among them and counts at once.
    fn poll_reserve(&mut self, bytes: u64, cx: &mut Context<'_>) -> Poll<()>;
}
