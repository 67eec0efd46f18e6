//! Where jobs come from: one format per file.
//!
//! Owns reading and checking input: files, pipes, command-line arguments, any iterator or stream. The invariant: every line
//! that is neither blank nor a comment becomes exactly one job or one rejected entry, and `seq` counts both without a
//! gap. Nothing here knows hosts, limits or the engine.

mod entry;
mod format;
mod inputs;
mod item;
mod jobs;
mod json;
mod lines;
mod open;
mod request;
mod stream;
mod urls;

pub use entry::InputSettings;
pub(crate) use entry::authorized;
pub use inputs::{Input, Inputs};
pub use item::{Tagged, UrlItem};
pub use jobs::JobStream;
pub(crate) use request::RESERVED_HEADERS;
pub use request::{RequestError, basic_authorization, bearer_authorization, header, method};
pub use stream::UrlStream;
pub use urls::Urls;
