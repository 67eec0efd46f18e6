//! How long each part of a fetch took.

use std::time::Duration;

/// The phases of the last attempt of a job, plus the time the job waited before it.
///
/// `dns`, `connect` and `tls` are `None` when the attempt used a connection that was already open (or when the
/// phase was not needed: an IP literal has no DNS phase, `http:` has no TLS phase).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the moment the job was read until its last attempt was dispatched.
    pub queued: Duration,
    /// The part of `queued` that the host's last rest took, in which nothing was asked of it: its back-off after failures, or a
    /// pause that it asked for (`Retry-After`). Whole milliseconds; `None` where it had none meanwhile. Earlier rests and a job's own
    /// wait before its retry are part of `queued` alone.
    pub backed_off: Option<Duration>,
    /// Name resolution.
    pub dns: Option<Duration>,
    /// TCP (or Unix socket) connect, happy eyeballs included.
    pub connect: Option<Duration>,
    /// TLS handshake.
    pub tls: Option<Duration>,
    /// From the request being handed to the connection until the response head was complete.
    pub first_byte: Option<Duration>,
    /// From the response head until the end of the body.
    pub body: Option<Duration>,
    /// From dispatch until the end of the last attempt.
    pub total: Duration,
}
