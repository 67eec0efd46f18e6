//! What is done with a response body: decode, cap, digest, keep.
//!
//! Owns the content codings and the body caps. Invariant: a body that is cut off, corrupt or over a cap is a failure,
//! never a shorter success; and however far the peer's bytes expand, memory stays within the kept bytes plus one piece
//! of [`PIECE`] bytes (and the coding's window) per coding. It must not know connections, protocols or clocks: a body
//! comes in as an [`http_body::Body`] and its end is what that body says it is.

mod brotli;
mod caps;
mod collector;
mod content_codings;
mod decoder;
mod memory_reservation;
mod receive;
mod spare;
mod stage;
#[cfg(test)]
mod testing;

pub use content_codings::{ContentCoding, ContentCodings};
pub use memory_reservation::MemoryReservation;
pub use receive::{BodyError, BodyPlan, ReceivedBody, receive};

/// The `Accept-Encoding` value that asks for every coding this module decodes.
pub const ACCEPT_ENCODING: &str = "gzip, deflate, br, zstd";

/// Bytes decoded at a time.
pub const PIECE: usize = 16 << 10;
