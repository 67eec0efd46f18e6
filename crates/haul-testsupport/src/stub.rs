//! A server that answers each request by a function: what none of the test servers says.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request's first line, and where it came to.
pub struct Request {
    line: String,
    pub port: u16,
}

impl Request {
    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }
}

/// What is sent, and after how long.
pub struct Answer {
    pub bytes: Arc<[u8]>,
    pub after: Duration,
}

impl From<Vec<u8>> for Answer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), after: Duration::ZERO }
    }
}

impl<const N: usize> From<&[u8; N]> for Answer {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.to_vec().into()
    }
}

/// The server, until the test's end.
pub struct Stub {
    port: u16,
}

impl Stub {
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), answer)
    }

    /// One that listens there.
    pub fn at(address: SocketAddr, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(address, move |stream, port| serve(stream, port, &answer))
    }

    /// Answers each request with `ok` when `wait` returns.
    pub fn answering_after(wait: impl Fn() + Send + Sync + 'static) -> Self {
        Self::start(move |_| {
            wait();
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".into()
        })
    }

    /// Answers at once, but stops for a second when the request number `at` has come: all its connections wait.
    pub fn that_stalls_once(at: usize) -> Self {
        let (asked, gate) = (AtomicUsize::new(0), Mutex::new(()));
        Self::answering_after(move || {
            let _passing = gate.lock().expect("no panic");
            if asked.fetch_add(1, Ordering::SeqCst) + 1 == at {
                thread::sleep(Duration::from_secs(1));
            }
        })
    }

    /// Speaks HTTP/2 and answers each request with a body of so many DATA frames of so many bytes.
    pub fn of_frames(count: usize, size: usize) -> Self {
        let body = frame(0, 0, 0, &vec![b'x'; size]).repeat(count);
        Self::with((Ipv4Addr::LOCALHOST, 0).into(), move |stream, _| serve_frames(stream, &body, 9 + size))
    }

    fn with(address: SocketAddr, serve: impl Fn(TcpStream, u16) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serve = Arc::clone(&serve);
                // It ends when its client goes.
                let serving = move || drop(serve(stream, port));
                thread::Builder::new().stack_size(128 << 10).spawn(serving).expect("a thread");
            }
        });
        Self { port }
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

/// Answers one request after another, until the peer goes.
fn serve(stream: TcpStream, port: u16, answer: &dyn Fn(&Request) -> Answer) -> io::Result<()> {
    let mut to = stream.try_clone()?;
    let mut from = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let (mut length, mut header) = (0, String::new());
        while from.read_line(&mut header)? > 2 {
            let lower = header.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            header.clear();
        }
        io::copy(&mut from.by_ref().take(length), &mut io::sink())?;
        let answer = answer(&Request { line, port });
        thread::sleep(answer.after);
        to.write_all(&answer.bytes)?;
    }
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Answers all requests on a connection. `body`: DATA frames of `each` bytes, without their stream.
fn serve_frames(mut stream: TcpStream, body: &[u8], each: usize) -> io::Result<()> {
    stream.read_exact(&mut [0; 24])?;
    stream.write_all(&frame(4, 0, 0, &[]))?;
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header)?;
        let [a, b, c, kind, flags, number @ ..] = header;
        io::copy(&mut (&stream).take(u32::from_be_bytes([0, a, b, c]).into()), &mut io::sink())?;
        if kind == 4 && flags & 1 == 0 {
            stream.write_all(&frame(4, 1, 0, &[]))?;
        }
        if kind == 1 {
            let id = u32::from_be_bytes(number);
            let mut own = body.to_vec();
            own.chunks_mut(each).for_each(|frame| frame[5..9].copy_from_slice(&number));
            stream.write_all(&[frame(1, 4, id, &[0x88]), own, frame(0, 1, id, &[])].concat())?;
        }
    }
}
