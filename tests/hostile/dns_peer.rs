//! The hostile name server: UDP and TCP on one port, raw messages.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const AAAA: u16 = 28;

/// A question as it came.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) id: u16,
    /// Without the final dot, in small letters.
    pub(crate) name: String,
    pub(crate) kind: u16,
    pub(crate) tcp: bool,
    /// Whether it has an OPT record.
    pub(crate) edns: bool,
    /// How many questions came before it.
    pub(crate) number: usize,
    /// The question section, as it stands in the message.
    section: Vec<u8>,
}

/// What the server does about a question, in this order.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// Sends this message from where it was asked.
    Say(Vec<u8>),
    /// Sends it from another port.
    SayFromElsewhere(Vec<u8>),
    Wait(Duration),
    /// Over TCP: closes the connection after this many bytes of the message, its length included.
    Break(Vec<u8>, usize),
}

/// An answer in the making.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) id: u16,
    pub(crate) code: u8,
    pub(crate) truncated: bool,
    section: Vec<u8>,
    records: Vec<Vec<u8>>,
    /// What stands behind the answer, and how many records of each section it is.
    rest: (u16, u16, Vec<u8>),
}

impl Answer {
    /// No records, no error.
    pub(crate) fn to(question: &Question) -> Self {
        let section = question.section.clone();
        Self { id: question.id, code: 0, truncated: false, section, records: Vec::new(), rest: (0, 0, Vec::new()) }
    }

    pub(crate) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn truncated(mut self) -> Self {
        self.truncated = true;
        self
    }

    pub(crate) fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    /// As if another name had been asked for.
    pub(crate) fn about(mut self, name: &str) -> Self {
        let kind = self.section.split_off(self.section.len() - 4);
        self.section = [labels(name), kind].concat();
        self
    }

    pub(crate) fn record(mut self, name: &str, kind: u16, ttl: u32, data: &[u8]) -> Self {
        let length = u16::try_from(data.len()).expect("short");
        let fixed = [&kind.to_be_bytes()[..], &1_u16.to_be_bytes(), &ttl.to_be_bytes(), &length.to_be_bytes()].concat();
        self.records.push([labels(name), fixed, data.to_vec()].concat());
        self
    }

    /// The authority and additional sections, as they are.
    pub(crate) fn rest(mut self, authorities: u16, additionals: u16, bytes: &[u8]) -> Self {
        self.rest = (authorities, additionals, bytes.to_vec());
        self
    }

    pub(crate) fn address(self, name: &str, ttl: u32, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => self.record(name, A, ttl, &v4.octets()),
            IpAddr::V6(v6) => self.record(name, AAAA, ttl, &v6.octets()),
        }
    }

    pub(crate) fn alias(self, name: &str, of: &str) -> Self {
        self.record(name, CNAME, 60, &labels(of))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let flags: u16 = 0x8180 | u16::from(self.code) | if self.truncated { 0x0200 } else { 0 };
        let count = u16::try_from(self.records.len()).expect("few");
        let (authorities, additionals, rest) = &self.rest;
        let head = [self.id, flags, 1, count, *authorities, *additionals];
        let head: Vec<u8> = head.into_iter().flat_map(u16::to_be_bytes).collect();
        [&head[..], &self.section, &self.records.concat(), rest].concat()
    }

    pub(crate) fn said(&self) -> Vec<Deed> {
        vec![Deed::Say(self.bytes())]
    }
}

/// A name in its form on the wire, uncompressed.
pub(crate) fn labels(name: &str) -> Vec<u8> {
    let label = |label: &str| [&[u8::try_from(label.len()).expect("short")][..], label.as_bytes()].concat();
    let labels: Vec<u8> = name.split('.').filter(|label| !label.is_empty()).flat_map(label).collect();
    [labels, vec![0]].concat()
}

/// A running name server; it stops when dropped.
pub(crate) struct Names {
    pub(crate) address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Names {
    /// Answers as the function says, over UDP and, if told to, over TCP.
    pub(crate) fn answering(tcp: bool, script: impl Fn(&Question) -> Vec<Deed> + Send + Sync + 'static) -> Self {
        let (udp, listener) = sockets(tcp);
        let address = udp.local_addr().expect("bound");
        let (stopped, script) = (Arc::new(AtomicBool::new(false)), Arc::new(script));
        let names = Self { address, stopped: Arc::clone(&stopped) };
        if let Some(listener) = listener {
            let (stopped, script) = (Arc::clone(&stopped), Arc::clone(&script));
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    if stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    let script = Arc::clone(&script);
                    thread::spawn(move || serve_tcp(&stream, &*script));
                }
            });
        }
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            for number in 0.. {
                let Ok((length, from)) = udp.recv_from(&mut buffer) else { continue };
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Some(question) = parse(&buffer[..length], false, number) else { continue };
                let (udp, script) = (udp.try_clone().expect("a descriptor"), Arc::clone(&script));
                thread::spawn(move || script(&question).into_iter().for_each(|deed| do_udp(&udp, from, deed)));
            }
        });
        names
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.send_to(&[], self.address));
        let _ = TcpStream::connect(self.address);
    }
}

/// A UDP socket and, if wanted, a TCP listener on the same port.
fn sockets(tcp: bool) -> (UdpSocket, Option<TcpListener>) {
    for _ in 0..100 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        if !tcp {
            return (udp, None);
        }
        if let Ok(listener) = TcpListener::bind(udp.local_addr().expect("bound")) {
            return (udp, Some(listener));
        }
    }
    panic!("no port that is free for UDP and TCP");
}

fn parse(message: &[u8], tcp: bool, number: usize) -> Option<Question> {
    let id = u16::from_be_bytes(message.get(..2)?.try_into().ok()?);
    let (mut at, mut name) = (12, Vec::new());
    while let Some(&length @ 1..) = message.get(at) {
        name.push(String::from_utf8_lossy(message.get(at + 1..)?.get(..length.into())?).to_lowercase());
        at += 1 + usize::from(length);
    }
    let section = message.get(12..at + 5)?.to_vec();
    let kind = u16::from_be_bytes(message.get(at + 1..at + 3)?.try_into().ok()?);
    let edns = message.get(10..12)? != [0, 0];
    Some(Question { id, name: name.join("."), kind, tcp, edns, number, section })
}

fn do_udp(udp: &UdpSocket, to: SocketAddr, deed: Deed) {
    let _ = match deed {
        Deed::Say(message) => udp.send_to(&message, to),
        Deed::SayFromElsewhere(message) => {
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|other| other.send_to(&message, to))
        }
        Deed::Wait(time) => {
            thread::sleep(time);
            Ok(0)
        }
        Deed::Break(..) => Ok(0),
    };
}

/// The questions of one connection, until it ends or is broken.
fn serve_tcp(mut stream: &TcpStream, script: &(impl Fn(&Question) -> Vec<Deed> + ?Sized)) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(40))).ok()?;
    for number in 0.. {
        let mut length = [0; 2];
        stream.read_exact(&mut length).ok()?;
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut message).ok()?;
        for deed in script(&parse(&message, true, number)?) {
            match deed {
                Deed::Say(message) | Deed::SayFromElsewhere(message) => stream.write_all(&framed(&message)).ok()?,
                Deed::Wait(time) => thread::sleep(time),
                Deed::Break(message, after) => {
                    stream.write_all(&framed(&message)[..after]).ok()?;
                    return None;
                }
            }
        }
    }
    None
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).expect("64 KiB at most").to_be_bytes()[..], message].concat()
}
