//! The loop: accepts, waits for sockets, gives slow answers when they are due.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::{ServerConfig, ServerConnection};
use slab::Slab;
use socket2::{Domain, Socket, Type};

use crate::answers::Answers;
use crate::connection::{Connection, Protocol, Turn};
use crate::counts::Counts;
use crate::h1::Heads;
use crate::h2::Frames;

/// How much later a slow answer comes.
const SLOW: Duration = Duration::from_secs(1);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Events looked at in one turn.
const EVENTS: usize = 1024;

#[expect(clippy::disallowed_methods, reason = "the one place where the origin reads the clock, once a turn")]
fn read_clock() -> Instant {
    Instant::now()
}

/// A port and what is spoken there.
pub(crate) struct Port {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    h2: bool,
}

impl Port {
    /// A free port of every address, for what comes over the loopback device only.
    pub(crate) fn open(tls: Option<Arc<ServerConfig>>, h2: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind_device(Some(b"lo"))?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Self { listener: TcpListener::from_std(socket.into()), tls, h2 })
    }

    pub(crate) fn number(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    fn connection(&self, stream: TcpStream) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        let tls = match &self.tls {
            Some(config) => Some(Box::new(ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?)),
            None => None,
        };
        let protocol = if self.h2 { Protocol::H2(Box::new(Frames::new())) } else { Protocol::H1(Heads::default()) };
        Ok(Connection::new(stream, tls, protocol))
    }
}

/// A slow answer, and which connection it is for: the key may have got another one since, the serial number has not.
struct Due {
    at: Instant,
    key: usize,
    serial: u64,
    bytes: &'static [u8],
}

pub(crate) struct Server {
    poll: Poll,
    ports: Vec<Port>,
    connections: Slab<(u64, Connection)>,
    next_serial: u64,
    /// In order of time, because all are equally slow. At most one for each request that a client waits for.
    due: VecDeque<Due>,
    answers: Answers,
    counts: Arc<Counts>,
    started: Instant,
    buffer: Vec<u8>,
}

impl Server {
    pub(crate) fn new(mut ports: Vec<Port>, counts: Arc<Counts>) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (number, port) in ports.iter_mut().enumerate() {
            poll.registry().register(&mut port.listener, Token(number), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            ports,
            connections: Slab::new(),
            next_serial: 0,
            due: VecDeque::new(),
            answers: Answers::new(),
            counts,
            started: read_clock(),
            buffer: vec![0; 64 << 10],
        })
    }

    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut now = self.started;
        loop {
            let wait = self.due.front().map(|due| due.at.saturating_duration_since(now));
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            now = read_clock();
            let mut answered = 0;
            for event in &events {
                let token = event.token().0;
                if token < self.ports.len() {
                    self.accept(token);
                } else {
                    answered += self.turn(token - self.ports.len(), event, now);
                }
            }
            if answered > 0 {
                self.counts.answered_at(now.duration_since(self.started).as_micros() as u64);
            }
            self.give_due(now);
        }
    }

    /// Takes all that wait. What goes wrong is the client's affair.
    fn accept(&mut self, port: usize) {
        while let Ok((stream, _)) = self.ports[port].listener.accept() {
            let Ok(mut connection) = self.ports[port].connection(stream) else { continue };
            let entry = self.connections.vacant_entry();
            let token = Token(self.ports.len() + entry.key());
            let both = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut connection.stream, token, both).is_ok() {
                entry.insert((self.next_serial, connection));
                self.next_serial += 1;
                self.counts.connected();
            }
        }
    }

    /// How many requests were answered at once.
    fn turn(&mut self, key: usize, event: &Event, now: Instant) -> u64 {
        let Some((serial, connection)) = self.connections.get_mut(key) else { return 0 };
        let serial = *serial;
        let turn = if event.is_readable() {
            connection.readable(event.is_read_closed(), self.answers, &self.counts, &mut self.buffer)
        } else {
            connection.writable().map(|()| Turn::default())
        };
        let Ok(turn) = turn else {
            self.close(key);
            return 0;
        };
        self.due.extend(turn.slow.into_iter().map(|bytes| Due { at: now + SLOW, key, serial, bytes }));
        turn.answered
    }

    fn close(&mut self, key: usize) {
        self.connections.remove(key);
        self.counts.disconnected();
    }

    fn give_due(&mut self, now: Instant) {
        while let Some(due) = self.due.pop_front_if(|due| due.at <= now) {
            let Some((serial, connection)) = self.connections.get_mut(due.key) else { continue };
            if *serial == due.serial && connection.answer(due.bytes).is_err() {
                self.close(due.key);
            }
        }
    }
}
