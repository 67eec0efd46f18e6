//! How long each part of an attempt may take.

use std::time::Duration;

use clap::Args;
use haul::config::Timeouts;

use super::{set, values};

#[derive(Debug, Args)]
#[command(next_help_heading = "Time-outs")]
pub(crate) struct TimeoutArgs {
    /// The whole attempt: name, connection, request, response [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(crate) timeout: Option<Duration>,
    /// Name resolution [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(crate) dns_timeout: Option<Duration>,
    /// Opening the connection, over all addresses [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(crate) connect_timeout: Option<Duration>,
    /// The TLS handshake [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(crate) tls_timeout: Option<Duration>,
    /// From the request until the response head is complete [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(crate) first_byte_timeout: Option<Duration>,
    /// Between two reads of the body [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Bytes per second that a body must reach, judged after 10 s; 0 means no minimum [default: 0]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) min_rate: Option<u64>,
}

impl TimeoutArgs {
    /// The time-outs these flags set.
    pub(crate) fn settings(&self) -> Timeouts {
        let mut timeouts = Timeouts::default();
        set(&mut timeouts.total, self.timeout);
        set(&mut timeouts.dns, self.dns_timeout);
        set(&mut timeouts.connect, self.connect_timeout);
        set(&mut timeouts.tls, self.tls_timeout);
        set(&mut timeouts.first_byte, self.first_byte_timeout);
        set(&mut timeouts.idle, self.idle_timeout);
        set(&mut timeouts.min_rate, self.min_rate);
        timeouts
    }
}
