//! The ways out of this machine that a request can take.

use std::net::IpAddr;

/// One way out of this machine: an entry of [`NetworkSettings::egress`](super::NetworkSettings::egress). By default the
/// system chooses the local address, and names are looked up here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressSettings {
    /// The local address that its connections come from; targets of the other family can't be reached from it. Default: the
    /// system chooses for each connection.
    pub local_address: Option<IpAddr>,
    /// Names are looked up at the far end, as by a SOCKS proxy: the connector is given the name, and nothing is asked here.
    /// Needs a connector (`Extensions::connector`). The address is not known here, so `public_only` and an address filter can't
    /// be combined with it, and limits per address and a choice of family have no effect. Names that `resolve` has addresses
    /// for, and URLs with an address, go to the address all the same. Default false.
    pub remote_dns: bool,
}

impl EgressSettings {
    /// From this local address.
    #[must_use]
    pub fn from_address(address: IpAddr) -> Self {
        Self { local_address: Some(address), ..Self::default() }
    }
}
