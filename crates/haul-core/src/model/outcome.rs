//! The end of a job: its single final record.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Version;

use super::failure::Failure;
use super::headers::HeaderList;
use super::job::Job;
use super::timing::Timings;

/// A job and what its last attempt brought. Every accepted job ends in exactly one of these.
#[derive(Debug)]
pub struct Outcome {
    /// The job: position, URLs, the user's tag, redirects followed.
    pub job: Job,
    /// Attempts made over all hops; 0 when the job was given up without one.
    pub attempts: u32,
    /// The last attempt.
    pub last: Attempt,
}

/// What one attempt brought.
#[derive(Debug)]
pub struct Attempt {
    /// The response, complete and checked, or the failure.
    pub result: Result<CompleteResponse, Failure>,
    /// How long each phase took.
    pub timings: Timings,
    /// The peer, once connected; `None` over a Unix socket, and where its name was looked up at the far end.
    pub remote: Option<SocketAddr>,
    /// Whether the connection had served a request before.
    pub reused: bool,
    /// Body bytes received, before decoding. Counted for failures too.
    pub wire_bytes: u64,
}

impl Attempt {
    /// An attempt that never reached a connection.
    #[must_use]
    pub fn unsent(failure: Failure) -> Self {
        Self { result: Err(failure), timings: Timings::default(), remote: None, reused: false, wire_bytes: 0 }
    }
}

/// A complete response: never a truncated or mis-framed one.
#[derive(Debug)]
pub struct CompleteResponse {
    /// The status code, 200 to 599 as a rule.
    pub status: u16,
    /// The protocol it came over.
    pub version: Version,
    /// The headers, where the run keeps them.
    pub headers: Option<HeaderList>,
    /// The decoded body, where the run keeps it.
    pub body: Option<Bytes>,
    /// Decoded body bytes, kept or not.
    pub body_bytes: u64,
    /// SHA-256 of the decoded body, where the run asks for it.
    pub sha256: Option<[u8; 32]>,
    /// Where the body was written to instead of being kept, as its [`super::BodyWriter`] says.
    pub saved: Option<Box<str>>,
    /// The body's end was the connection's end (HTTP/1.0 style): nothing in the protocol proves it complete.
    pub close_delimited: bool,
}
