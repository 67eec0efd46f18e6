//! The far end of a connection: an address, or a name that is looked up there. Pure.

use std::fmt;
use std::net::SocketAddr;

/// The far end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// An address, which the address filter has let pass.
    Address(SocketAddr),
    /// A name that has not been looked up here, because the egress has
    /// [`remote_dns`](haul_core::config::EgressSettings::remote_dns).
    Name {
        /// The name, lower-case.
        host: &'a str,
        /// The port.
        port: u16,
    },
}

impl Endpoint<'_> {
    /// The address, where it is known here.
    #[must_use]
    pub const fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Name { .. } => None,
        }
    }
}

impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}
