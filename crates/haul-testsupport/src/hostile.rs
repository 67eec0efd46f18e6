//! Peers that never answer rightly, each in a way of its own: the second number of the address says which. Any other
//! numbers make another host of the same kind. One thread per connection, which ends with it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzEncoder;
use socket2::{Domain, SockRef, Socket, Type};

type Deed = fn(&mut TcpStream) -> io::Result<()>;

/// What a peer does, and whether it is asked over TLS. What is done ends with the connection closed.
const VICES: &[(&str, bool, Deed)] = &[
    ("closes when connected to", false, |_| Ok(())),
    ("resets when connected to", false, reset),
    ("never answers", false, |stream| hold(stream)),
    ("closes when asked", false, |stream| asked(stream)),
    ("resets when asked", false, |stream| asked(stream).and_then(|()| reset(stream))),
    ("resets within the head", false, |stream| {
        say(stream, "HTTP/1.1 200 OK\r\nX-Half: a").and_then(|()| reset(stream))
    }),
    ("resets within the body", false, |stream| say(stream, HALF).and_then(|()| reset(stream))),
    ("stalls within the head", false, |stream| say(stream, "HTTP/1.1 200 OK\r\nX-Half: a").and_then(|()| hold(stream))),
    ("stalls within the body", false, |stream| say(stream, HALF).and_then(|()| hold(stream))),
    ("drips its head", false, |stream| say(stream, "HTTP/1.1 200 OK\r\nX: ").and_then(|()| drip(stream))),
    ("drips its body", false, |stream| say(stream, HALF).and_then(|()| drip(stream))),
    ("speaks another protocol", false, |stream| say(stream, "SSH-2.0-OpenSSH_9.2\r\n\r\n")),
    ("cuts its body", false, |stream| say(stream, HALF)),
    ("cuts its chunks", false, |stream| say(stream, CHUNKED).and_then(|()| say_on(stream, "4\r\nwiki\r\n"))),
    ("sends bad chunks", false, |stream| say(stream, CHUNKED).and_then(|()| say_on(stream, "zz\r\nwiki\r\n0\r\n\r\n"))),
    ("gives two lengths", false, |stream| {
        say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok")
    }),
    ("hides the length", false, |stream| say(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok")),
    ("sends 1xx without end", false, |stream| {
        asked(stream).and_then(|()| pour(stream, "HTTP/1.1 103 Early Hints\r\n\r\n"))
    }),
    ("sends headers without end", false, |stream| {
        say(stream, "HTTP/1.1 200 OK\r\n").and_then(|()| pour(stream, "X-More: and more\r\n"))
    }),
    ("sends a body without end", false, |stream| {
        say(stream, CHUNKED).and_then(|()| pour(stream, "10\r\n0123456789abcdef\r\n"))
    }),
    ("sends a bomb", false, bomb),
    ("answers TLS with garbage", true, |stream| asked_anything(stream).and_then(|()| say_on(stream, "what is this? "))),
    ("never ends its handshake", true, |stream| hold(stream)),
    ("resets its handshake", true, |stream| asked_anything(stream).and_then(|()| reset(stream))),
];

const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf of it";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
/// The second number of the first kind's addresses.
const FIRST: u8 = 16;

/// All kinds of hostile peers, as long as it lives.
pub struct Hostile {
    port: u16,
    /// A port that nobody listens on; the socket keeps it from being given to somebody else.
    refusing: Socket,
    /// A listener whose queue is full: what goes there gets no answer.
    hole: (Socket, Vec<Socket>),
}

impl Hostile {
    /// Kinds of peers: those above, one that refuses connections, and one that swallows them.
    pub const KINDS: usize = VICES.len() + 2;

    /// Listens on a free port of all loopback addresses, and on no other interface. The threads end with the process.
    pub fn start() -> Self {
        let listener: TcpListener = bound(1024).expect("a free port on the loopback interface").into();
        let port = port_of(&SockRef::from(&listener));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || meet(stream));
            }
        });
        let refusing = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        refusing.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        let full = bound(0).expect("a free port on the loopback interface");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port_of(&SockRef::from(&full))));
        let callers = (0..4).map(|_| knock(address)).collect();
        Self { port, refusing, hole: (full, callers) }
    }

    /// A URL of the `host`th host of the `kind`th kind.
    pub fn url(&self, kind: usize, host: usize, path: usize) -> String {
        let [_, _, high, low] = u32::try_from(host).expect("small").to_be_bytes();
        let at = |second: usize, port| format!("127.{second}.{high}.{low}:{port}/{path}");
        let second = usize::from(FIRST) + kind;
        match VICES.get(kind) {
            Some((_, tls, _)) => format!("http{}://{}", if *tls { "s" } else { "" }, at(second, self.port)),
            None if kind == VICES.len() => format!("http://{}", at(second, port_of(&SockRef::from(&self.refusing)))),
            None => format!("http://{}", at(second, port_of(&SockRef::from(&self.hole.0)))),
        }
    }

    /// What the peer of this URL does.
    pub fn kind_of(url: &str) -> &'static str {
        let second = url.split('.').nth(1).and_then(|number| number.parse::<usize>().ok()).expect("an address");
        match second - usize::from(FIRST) {
            kind if kind < VICES.len() => VICES[kind].0,
            kind if kind == VICES.len() => "refuses",
            _ => "swallows",
        }
    }
}

fn bound(backlog: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind_device(Some(b"lo"))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    socket.listen(backlog)?;
    Ok(socket)
}

fn port_of(socket: &SockRef<'_>) -> u16 {
    socket.local_addr().ok().and_then(|address| address.as_socket()).expect("bound").port()
}

/// A connection under way, made or not.
fn knock(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    // Being under way counts as an error.
    let _ = socket.connect(&address.into());
    socket
}

fn meet(mut stream: TcpStream) {
    let Ok(SocketAddr::V4(local)) = stream.local_addr() else { return };
    let kind = usize::from(local.ip().octets()[1].wrapping_sub(FIRST));
    let Some((_, _, deed)) = VICES.get(kind) else { return };
    // Whatever the caller does not stand for too long.
    let patience = Some(Duration::from_secs(30));
    let set = stream.set_read_timeout(patience).and_then(|()| stream.set_write_timeout(patience));
    // That the caller has gone is what is wanted.
    let _ = set.and_then(|()| deed(&mut stream));
}

/// Reads a request's head.
fn asked(stream: &mut TcpStream) -> io::Result<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(())
}

fn asked_anything(stream: &mut TcpStream) -> io::Result<()> {
    stream.read(&mut [0; 4096]).map(drop)
}

fn say(stream: &mut TcpStream, what: &str) -> io::Result<()> {
    asked(stream)?;
    say_on(stream, what)
}

fn say_on(stream: &mut TcpStream, what: &str) -> io::Result<()> {
    stream.write_all(what.as_bytes())
}

fn reset(stream: &mut TcpStream) -> io::Result<()> {
    SockRef::from(&*stream).set_linger(Some(Duration::ZERO))
}

/// Waits until the caller has gone.
fn hold(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

fn drip(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        stream.write_all(b"x")?;
        thread::sleep(Duration::from_millis(100));
    }
}

/// The same again and again, 16 KiB at once, at most 1.6 MB a second.
fn pour(stream: &mut TcpStream, what: &str) -> io::Result<()> {
    let much = what.repeat((16 << 10) / what.len());
    loop {
        stream.write_all(much.as_bytes())?;
        thread::sleep(Duration::from_millis(10));
    }
}

/// 64 MiB in 64 KiB.
fn bomb(stream: &mut TcpStream) -> io::Result<()> {
    static CODED: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let (mut coded, zeros) = (Vec::new(), io::repeat(0).take(64 << 20));
        GzEncoder::new(zeros, Compression::fast()).read_to_end(&mut coded).expect("in memory");
        coded
    });
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", CODED.len());
    say(stream, &head)?;
    stream.write_all(&CODED)
}
