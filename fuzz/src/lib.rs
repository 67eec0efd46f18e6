//! What is fuzzed: one file per target, each with a `run` that takes any bytes and panics when a promise is broken.
//!
//! The fuzzer calls these functions with bytes of its own; `tests/corpus.rs` of the main crate includes this file and
//! calls them with the committed corpus. Nothing here opens a socket or reads a clock.

pub mod content_decoding;
pub mod input_lines;
pub mod redirect;
pub mod retry_after;
pub mod scheduler_ops;
