//! Names and connections against servers that nobody here wrote, and against peers of our own.

#![expect(clippy::unwrap_used, reason = "a test may panic, and says where")]

mod dial;
mod dns;
