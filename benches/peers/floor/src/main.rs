//! The floor: an epoll loop that sends the same request and counts the bytes that come back. It parses nothing.
//!
//! How long a response is it asks once, at the start. A response that is longer or shorter than that ends the run.

use std::error::Error;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::SocketAddr;

use asked::Asked;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// What is asked, and what is known of the answer.
struct Exchange {
    address: SocketAddr,
    request: String,
    /// Bytes of the response, its head included.
    length: usize,
    /// Whether the server closes after it.
    closes: bool,
}

/// A connection and how many bytes of its response are still to come.
struct Lane {
    stream: TcpStream,
    missing: usize,
}

struct Floor {
    poll: Poll,
    exchange: Exchange,
    lanes: Vec<Lane>,
    buffer: Vec<u8>,
    to_start: usize,
    done: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let asked = Asked::from_arguments()?;
    let exchange = Exchange::first(asked.url())?;
    let count = asked.count - 1;
    println!("{}", 1 + Floor::new(exchange, count, asked.connections)?.run(count)?);
    Ok(())
}

impl Exchange {
    /// Makes it once, to learn about the response.
    fn first(url: &str) -> Result<Self, Box<dyn Error>> {
        let rest = url.strip_prefix("http://").ok_or("http:// only")?;
        let (authority, path) = rest.split_once('/').ok_or("a URL with a path")?;
        let address = authority.parse()?;
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        let mut stream = std::net::TcpStream::connect::<SocketAddr>(address)?;
        stream.write_all(request.as_bytes())?;
        let mut responses = BufReader::new(stream);
        let (mut head, mut body, mut closes) = (0, None, false);
        for number in 0.. {
            let mut line = String::new();
            head += responses.read_line(&mut line)?;
            if number == 0 && !line.starts_with("HTTP/1.1 200") {
                return Err(format!("not a 200: {line}").into());
            }
            if let Some(length) = line.strip_prefix("Content-Length:") {
                body = Some(length.trim().parse::<usize>()?);
            }
            closes |= line.trim_end() == "Connection: close";
            if line.trim_end().is_empty() {
                break;
            }
        }
        Ok(Self { address, request, length: head + body.ok_or("a response without Content-Length")?, closes })
    }
}

impl Floor {
    fn new(exchange: Exchange, count: usize, connections: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let lane = |key| Ok(Lane { stream: connect(&poll, exchange.address, key)?, missing: 0 });
        let lanes = (0..connections.min(count)).map(lane).collect::<io::Result<_>>()?;
        Ok(Self { poll, exchange, lanes, buffer: vec![0; 64 << 10], to_start: count, done: 0 })
    }

    /// How many responses came: `count`.
    fn run(mut self, count: usize) -> io::Result<usize> {
        let mut events = Events::with_capacity(1024);
        while self.done < count {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                let key = event.token().0;
                if self.lanes[key].missing == 0 && event.is_writable() {
                    self.send(key)?;
                }
                self.receive(key)?;
            }
        }
        Ok(self.done)
    }

    /// Sends the next request, which a socket without anything to send takes at once.
    fn send(&mut self, key: usize) -> io::Result<()> {
        if self.to_start > 0 {
            self.to_start -= 1;
            self.lanes[key].stream.write_all(self.exchange.request.as_bytes())?;
            self.lanes[key].missing = self.exchange.length;
        }
        Ok(())
    }

    /// Reads until the socket has no more or the response is whole; then goes on to the next request.
    fn receive(&mut self, key: usize) -> io::Result<()> {
        while self.lanes[key].missing > 0 {
            let lane = &mut self.lanes[key];
            match lane.stream.read(&mut self.buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) if got > lane.missing => return Err(io::Error::other("more than one response")),
                Ok(got) => lane.missing -= got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            if lane.missing == 0 {
                self.done += 1;
                return self.go_on(key);
            }
        }
        Ok(())
    }

    /// The next response can't be there yet: its event will come.
    fn go_on(&mut self, key: usize) -> io::Result<()> {
        if !self.exchange.closes {
            return self.send(key);
        }
        if self.to_start > 0 {
            self.lanes[key].stream = connect(&self.poll, self.exchange.address, key)?;
        }
        Ok(())
    }
}

fn connect(poll: &Poll, address: SocketAddr, key: usize) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    poll.registry().register(&mut stream, Token(key), Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}
