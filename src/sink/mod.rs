//! Where records go: one format per file.
//!
//! Owns the shape of a record and the ways to write it. The invariant: a record is reported safe only after the
//! operating system has taken all its bytes. Nothing here knows hosts, limits or the engine.

mod json;
mod ndjson;
mod null;
mod order;
mod record;
mod text;

pub use ndjson::Ndjson;
pub use null::Null;
pub use order::InputOrder;
pub use record::{BodyForm, RecordFields, append_line};
