//! TCP sockets: made, set up, connected.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use tokio::net::{TcpSocket, TcpStream};

/// How sockets are set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct SocketOptions {
    /// The address to bind to; `None` leaves it to the system.
    pub(super) local: Option<IpAddr>,
    /// Whether `TCP_NODELAY` is set.
    pub(super) nodelay: bool,
}

/// Connects to `address`.
///
/// # Errors
/// The system's, except that "address not available" is told apart: it stays what it is when local ports have run
/// out, and becomes "network unreachable" when this machine has no address to reach the peer from.
pub(super) async fn connect(address: SocketAddr, options: SocketOptions) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if options.nodelay {
        socket.set_nodelay(true)?;
    }
    if let Some(local) = options.local {
        bind(&socket, local)?;
    }
    match socket.connect(address).await {
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && !has_source(address, options.local) => {
            Err(io::Error::new(io::ErrorKind::NetworkUnreachable, "network unreachable from this machine"))
        }
        result => result,
    }
}

/// Binds to `local` and leaves the choice of the port to the connect, so that a port may serve once per peer instead
/// of once. A kernel without the option chooses the port now: fewer connections, but no failure.
fn bind(socket: &TcpSocket, local: IpAddr) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true);
    socket.bind(SocketAddr::new(local, 0)).map_err(|error| match error.kind() {
        io::ErrorKind::AddrNotAvailable => {
            io::Error::new(io::ErrorKind::InvalidInput, format!("local address {local} is not on this machine"))
        }
        _ => error,
    })
}

/// Whether this machine has an address to reach `peer` from. Asks the routing table; nothing is sent.
fn has_source(peer: SocketAddr, local: Option<IpAddr>) -> bool {
    let any = if peer.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    UdpSocket::bind((local.unwrap_or(any), 0)).and_then(|socket| socket.connect(peer)).is_ok()
}
