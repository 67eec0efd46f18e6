//! The floor: an epoll loop that sends the same request and counts the bytes that come back. It parses nothing.
//!
//! How long a response is it asks once, at the start. A response that is longer or shorter than that ends the run.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use asked::Asked;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// A connection and how far its response has come.
struct Lane {
    stream: TcpStream,
    missing: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let asked = Asked::from_arguments()?;
    let rest = asked.url().strip_prefix("http://").ok_or("http:// only")?;
    let (authority, path) = rest.split_once('/').ok_or("a URL with a path")?;
    let address: SocketAddr = authority.parse()?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let (length, closes) = first_response(address, &request)?;
    let done = 1 + run(address, request.as_bytes(), length, closes, asked.count - 1, asked.connections)?;
    println!("{done}");
    Ok(())
}

/// How long the response is, and whether the server then closes.
fn first_response(address: SocketAddr, request: &str) -> Result<(usize, bool), Box<dyn Error>> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.write_all(request.as_bytes())?;
    let (mut response, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let count = stream.read(&mut buffer)?;
        response.extend_from_slice(&buffer[..count]);
        if let Some(end) = response.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(response[..end].to_vec())?;
            let field = |name| head.lines().find_map(|line: &str| line.strip_prefix(name)).map(str::trim);
            if !head.starts_with("HTTP/1.1 200") {
                return Err(head.into());
            }
            let body: usize = field("Content-Length:").ok_or("a Content-Length")?.parse()?;
            return Ok((end + 4 + body, field("Connection:") == Some("close")));
        }
        if count == 0 {
            return Err("no whole head".into());
        }
    }
}

/// How many responses came: `count`.
fn run(
    address: SocketAddr,
    request: &[u8],
    length: usize,
    closes: bool,
    count: usize,
    connections: usize,
) -> io::Result<usize> {
    let mut poll = Poll::new()?;
    let mut lanes = Vec::new();
    for key in 0..connections.min(count) {
        lanes.push(Lane { stream: connect(&poll, address, key)?, missing: 0 });
    }
    let (mut started, mut done) = (0, 0);
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 64 << 10];
    while done < count {
        poll.poll(&mut events, None)?;
        for event in &events {
            let lane = &mut lanes[event.token().0];
            if lane.missing == 0 && event.is_writable() && started < count {
                started += 1;
                lane.missing = send(lane, request, length)?;
            }
            while lane.missing > 0 {
                match lane.stream.read(&mut buffer) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(got) if got > lane.missing => return Err(io::Error::other("more than one response")),
                    Ok(got) => lane.missing -= got,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
                if lane.missing > 0 {
                    continue;
                }
                done += 1;
                if closes && started < count {
                    lane.stream = connect(&poll, address, event.token().0)?;
                } else if started < count {
                    started += 1;
                    lane.missing = send(lane, request, length)?;
                    // Nothing can be there yet: its event will come.
                    break;
                }
            }
        }
    }
    Ok(done)
}

/// Sends the request, which a socket without anything to send takes at once; so many bytes are awaited then.
fn send(lane: &mut Lane, request: &[u8], length: usize) -> io::Result<usize> {
    lane.stream.write_all(request)?;
    Ok(length)
}

fn connect(poll: &Poll, address: SocketAddr, key: usize) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    poll.registry().register(&mut stream, Token(key), Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}
