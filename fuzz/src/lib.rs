//! What is fuzzed: one file per target, each with a `run` that takes any bytes and panics when a promise is broken.
//!
//! The fuzzer calls these functions with bytes of its own; `tests/corpus.rs` of the main crate includes this file and
//! calls them with the committed corpus. Nothing here opens a socket or waits for real time.

pub mod content_decoding;
pub mod frames;
pub mod h1_response;
pub mod h2_frames;
pub mod input_lines;
pub mod naive_h1;
pub mod naive_h2;
pub mod peer;
pub mod receive;
pub mod redirect;
pub mod retry_after;
pub mod scheduler_ops;

/// A target: what takes the bytes.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 7] = [
    ("content_decoding", content_decoding::run),
    ("h1_response", h1_response::run),
    ("h2_frames", h2_frames::run),
    ("input_lines", input_lines::run),
    ("redirect", redirect::run),
    ("retry_after", retry_after::run),
    ("scheduler_ops", scheduler_ops::run),
];
