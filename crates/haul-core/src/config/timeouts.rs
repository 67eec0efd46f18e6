//! How long each phase of an attempt may take.

use std::time::Duration;

/// One time-out per phase; each failure by time-out names its phase. `Duration::ZERO` is not "none": there is always
/// a bound.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// Name resolution, all tries together. Default 10 s.
    pub dns: Duration,
    /// TCP connect over all addresses (happy eyeballs). Default 10 s.
    pub connect: Duration,
    /// TLS handshake. Default 10 s.
    pub tls: Duration,
    /// From the request being sent until the response head is complete. Default 30 s.
    pub first_byte: Duration,
    /// Between two reads of the body. Default 30 s.
    pub idle: Duration,
    /// The whole attempt: dial, request, response, body. Default 60 s.
    pub total: Duration,
    /// The least mean body rate in bytes per second, judged from [`Self::min_rate_after`] on. Default 0: none.
    pub min_rate: u64,
    /// How long a body may take before its rate is judged. Default 10 s.
    pub min_rate_after: Duration,
}

impl Timeouts {
    /// The same with a total of `total`, and with as much for the response's head and for the pauses in its body, so that
    /// the total is what counts.
    #[must_use]
    pub fn within(&self, total: Duration) -> Self {
        Self { total, first_byte: self.first_byte.max(total), idle: self.idle.max(total), ..self.clone() }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            dns: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            tls: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(60),
            min_rate: 0,
            min_rate_after: Duration::from_secs(10),
        }
    }
}
