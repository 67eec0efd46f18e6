//! How many requests the connections of a host can carry at once.

use std::num::NonZeroU32;

/// What is known of how many requests at once the connections of a host can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// Its protocol is not known: one request on one connection finds out, and the others wait (the protocol gate).
    Unknown,
    /// One on each connection, of which there may be as many as the limits allow (HTTP/1.1).
    OneEach,
    /// So many, on all of its connections together (HTTP/2).
    Streams(NonZeroU32),
}

impl Capacity {
    /// Requests at once.
    pub(super) const fn most(self) -> u32 {
        match self {
            Self::Unknown => 1,
            Self::OneEach => u32::MAX,
            Self::Streams(streams) => streams.get(),
        }
    }
}
