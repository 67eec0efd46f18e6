//! The least of a SOCKS5 server (RFC 1928): no authentication, CONNECT by name, and one name that it knows.

#![expect(clippy::disallowed_methods, reason = "a server's tasks belong to no shard")]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const BY_NAME: u8 = 3;
const SUCCEEDED: u8 = 0;
const HOST_UNREACHABLE: u8 = 4;

/// Starts one on this machine, for which `known` is this machine. It ends with the runtime.
pub(crate) fn start(known: &'static str) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let (address, listener) = (listener.local_addr()?, TcpListener::from_std(listener)?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, known));
        }
    });
    Ok(address)
}

async fn serve(mut client: TcpStream, known: &str) -> io::Result<()> {
    let [_version, methods] = read(&mut client).await?;
    client.read_exact(&mut vec![0; methods.into()]).await?;
    client.write_all(&[VERSION, NO_AUTHENTICATION]).await?;
    let [_version, _connect, _reserved, kind, length] = read(&mut client).await?;
    assert_eq!(kind, BY_NAME, "names are looked up here");
    let mut name = vec![0; length.into()];
    client.read_exact(&mut name).await?;
    let (name, port) = (String::from_utf8_lossy(&name), u16::from_be_bytes(read(&mut client).await?));
    println!("the proxy is asked for {name}");
    let target = if name == known { TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok() } else { None };
    let reply = if target.is_some() { SUCCEEDED } else { HOST_UNREACHABLE };
    client.write_all(&[VERSION, reply, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    if let Some(mut target) = target {
        tokio::io::copy_bidirectional(&mut client, &mut target).await?;
    }
    Ok(())
}

async fn read<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}
