//! The messages of one question, sent and received as [`QuerySchedule`] says.
//!
//! Each question has a random number and, for each server, a socket of its own with a port that the system chooses at random;
//! the socket is connected, so that nobody else is heard and a server that is not there says so at once.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{AnswerContent, DnsAnswer, DnsQuestion, ParsedMessage, read};
use super::name_servers::NameServers;
use super::query_schedule::{
    NameServerError, QueryAction, QueryAttempt, QuerySchedule, QueryTransport, ResourceShortage, ServerEvent,
};
use haul_core::model::Time;

/// More than the questions allow; a longer message counts as cut.
const DATAGRAM: usize = 4096;
/// Messages that are no answer, listened to on one socket: whoever sends more is not waited out.
const MAX_STRANGERS: usize = 1000;

/// How a question ended.
#[derive(Debug)]
pub(super) enum QueryOutcome {
    Answered(usize, AnswerContent),
    NoName(usize),
    /// What each server asked did, and what this machine lacked.
    Failed(Vec<(usize, NameServerError)>, Option<ResourceShortage>),
}

/// A server's word, and the socket it came over, if that may have more.
type ListenResult = (usize, ServerEvent, Option<Rc<UdpSocket>>);
type PendingReplies<'a> = FuturesUnordered<Pin<Box<dyn Future<Output = ListenResult> + 'a>>>;

/// Asks `question` until `schedule` says how it ended.
pub(super) async fn ask(
    question: &DnsQuestion,
    mut schedule: QuerySchedule,
    servers: &RefCell<NameServers>,
    clock: &dyn Fn() -> Time,
) -> QueryOutcome {
    let mut sockets = Vec::new();
    let mut listening: PendingReplies<'_> = FuturesUnordered::new();
    loop {
        let now = clock();
        schedule.overdue(now).for_each(|(server, asked)| servers.borrow_mut().silent(server, asked, now));
        schedule.learn(|server| servers.borrow().overdue_after(server).map(|usual| spread(usual, question.id)));
        match schedule.next(now) {
            QueryAction::Ask(ask) => {
                if let Err(heard) = send(ask, question, &servers.borrow(), &mut sockets, &listening) {
                    schedule.heard(ask.server, heard, now);
                }
            }
            QueryAction::Wait(until) => tokio::select! {
                biased;
                Some((server, heard, socket)) = listening.next(), if !listening.is_empty() => {
                    let now = clock();
                    note(server, &heard, schedule.took(server, now), &mut servers.borrow_mut(), now);
                    schedule.heard(server, heard, now);
                    listening.extend(socket.map(|socket| listen(server, socket, question)));
                }
                () = tokio::time::sleep(until.since(now)) => {}
            },
            QueryAction::Answered(server, content) => return QueryOutcome::Answered(server, content),
            QueryAction::NoName(server) => return QueryOutcome::NoName(server),
            QueryAction::GiveUp => {
                let (failures, lack) = schedule.failures();
                return QueryOutcome::Failed(failures, lack.cloned());
            }
        }
    }
}

/// Up to twice as long as is usual, by a random number, so that questions lost together are not lost together again.
fn spread(usual: Duration, random: u16) -> Duration {
    usual + usual * u32::from(random >> 8) / 256
}

/// What an answer tells of its server.
fn note(server: usize, heard: &ServerEvent, took: Option<Duration>, servers: &mut NameServers, now: Time) {
    let ServerEvent::Answer(answer) = heard else { return };
    servers.heard(server, answer.edns, took, now);
    // It refused EDNS, or was silent until it was asked without.
    if !answer.edns && (!answer.to_edns || matches!(answer.code, 1 | 4 | 16)) {
        servers.no_edns(server);
    }
}

/// Sends the question over the server's socket, which is listened to from then on.
fn send<'a>(
    ask: QueryAttempt,
    question: &'a DnsQuestion,
    servers: &NameServers,
    sockets: &mut Vec<(usize, Rc<UdpSocket>)>,
    listening: &PendingReplies<'a>,
) -> Result<(), ServerEvent> {
    let address = servers.address(ask.server);
    let bytes = question.bytes(!ask.plain && servers.edns(ask.server, ask.repeated));
    if ask.over == QueryTransport::Tcp {
        listening.push(Box::pin(async move { (ask.server, over_tcp(address, bytes, question).await, None) }));
        return Ok(());
    }
    let known = sockets.iter().find(|(server, _)| *server == ask.server).map(|(_, socket)| Rc::clone(socket));
    let socket = match known {
        Some(socket) => socket,
        None => {
            let socket = Rc::new(open(address).map_err(|error| failed(&error))?);
            sockets.push((ask.server, Rc::clone(&socket)));
            listening.push(listen(ask.server, Rc::clone(&socket), question));
            socket
        }
    };
    // Past tokio, which does not know yet whether the new socket can be written to: it can, or the machine lacks memory.
    socket2::SockRef::from(&*socket).send(&bytes).map(drop).map_err(|error| failed(&error))
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr =
        if address.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    socket.connect(address)?;
    UdpSocket::from_std(socket)
}

fn listen(
    server: usize,
    socket: Rc<UdpSocket>,
    question: &DnsQuestion,
) -> Pin<Box<dyn Future<Output = ListenResult> + '_>> {
    Box::pin(async move {
        let heard = over_udp(&socket, question).await;
        let more = matches!(heard, ServerEvent::Answer(_) | ServerEvent::Nonsense);
        (server, heard, more.then_some(socket))
    })
}

async fn over_udp(socket: &UdpSocket, question: &DnsQuestion) -> ServerEvent {
    for _ in 0..MAX_STRANGERS {
        // That nobody listens there is an error, and nothing to read.
        let either = Interest::READABLE | Interest::ERROR;
        let received = socket.async_io(either, || {
            // Only when there is something to read does a look-up hold room for it.
            let mut buffer = [0; DATAGRAM];
            let length = (&*socket2::SockRef::from(socket)).read(&mut buffer)?;
            Ok((read(&buffer[..length], question), length))
        });
        match received.await {
            Ok((ParsedMessage::Stranger, _)) => {}
            Ok((ParsedMessage::Nonsense, DATAGRAM)) => return ServerEvent::Answer(DnsAnswer::cut()),
            Ok((ParsedMessage::Nonsense, _)) => return ServerEvent::Nonsense,
            Ok((ParsedMessage::Answer(answer), _)) => return ServerEvent::Answer(answer),
            Err(error) => return failed(&error),
        }
    }
    ServerEvent::Unreachable("it sends what nobody asked for".into())
}

async fn over_tcp(address: SocketAddr, question_bytes: Vec<u8>, question: &DnsQuestion) -> ServerEvent {
    let mut stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        // Said of no address of our own as well as of no port; a datagram needs the one, and no such port.
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && open(address).is_ok() => {
            return ServerEvent::Lack(ResourceShortage::Ports);
        }
        Err(error) => {
            return match failed(&error) {
                ServerEvent::Unreachable(why) => ServerEvent::Unreachable(format!("{why} over TCP").into()),
                // Before anything was said.
                ServerEvent::Cut => ServerEvent::Unreachable("it ends each connection over TCP".into()),
                heard => heard,
            };
        }
    };
    match exchange(&mut stream, &question_bytes).await {
        Ok(message) => match read(&message, question) {
            ParsedMessage::Answer(answer) => ServerEvent::Answer(answer),
            ParsedMessage::Stranger | ParsedMessage::Nonsense => ServerEvent::Nonsense,
        },
        Err(_) => ServerEvent::Cut,
    }
}

async fn exchange(stream: &mut TcpStream, question: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(question.len()).expect("a name has at most 255 bytes");
    stream.write_all(&[&length.to_be_bytes()[..], question].concat()).await?;
    let length = stream.read_u16().await?;
    // Its room grows with what comes: many servers at once may say much and send little.
    let mut message = Vec::new();
    stream.take(length.into()).read_to_end(&mut message).await?;
    if message.len() < length.into() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(message) }
}

/// What an error of a socket is about: something that this machine lacks, whoever is asked, or else the way to this one server. Of the
/// latter there are many, and most are set up: no address or route of the family, a zone that is none, a route or a filter that forbids.
fn failed(error: &io::Error) -> ServerEvent {
    use nix::libc;
    let text = || error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase();
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => ServerEvent::Lack(ResourceShortage::Descriptors),
        Some(libc::EADDRINUSE) => ServerEvent::Lack(ResourceShortage::Ports),
        Some(libc::ENOBUFS | libc::ENOMEM | libc::EAGAIN) => ServerEvent::Lack(ResourceShortage::Other(text().into())),
        Some(libc::ECONNRESET | libc::ECONNABORTED) => ServerEvent::Cut,
        Some(libc::ECONNREFUSED) => ServerEvent::Unreachable("nobody listens at its port".into()),
        _ => ServerEvent::Unreachable(format!("it can't be reached ({})", text()).into()),
    }
}

#[cfg(test)]
mod tests {
    use nix::libc;

    use super::*;

    #[test]
    fn whose_fault_an_error_is() {
        let of = |code| failed(&io::Error::from_raw_os_error(code));
        for (code, says) in [
            (libc::ECONNREFUSED, "nobody listens at its port"),
            (libc::ENETUNREACH, "it can't be reached (network is unreachable)"),
            (libc::EHOSTUNREACH, "it can't be reached (no route to host)"),
            (libc::ENETDOWN, "it can't be reached (network is down)"),
            (libc::ETIMEDOUT, "it can't be reached (connection timed out)"),
            // IPv6 is off, or there is no address of it.
            (libc::EADDRNOTAVAIL, "it can't be reached (cannot assign requested address)"),
            (libc::EAFNOSUPPORT, "it can't be reached (address family not supported by protocol)"),
            // A link-local address without a zone; a blackhole route.
            (libc::EINVAL, "it can't be reached (invalid argument)"),
            (libc::ENODEV, "it can't be reached (no such device)"),
            // A route that forbids; a filter that does, or whose table of connections is full.
            (libc::EACCES, "it can't be reached (permission denied)"),
            (libc::EPERM, "it can't be reached (operation not permitted)"),
            (libc::EMSGSIZE, "it can't be reached (message too long)"),
        ] {
            assert!(matches!(of(code), ServerEvent::Unreachable(why) if &*why == says), "{code}");
        }
        for code in [libc::EMFILE, libc::ENFILE] {
            assert!(matches!(of(code), ServerEvent::Lack(ResourceShortage::Descriptors)), "{code}");
        }
        assert!(matches!(of(libc::EADDRINUSE), ServerEvent::Lack(ResourceShortage::Ports)));
        for code in [libc::ENOBUFS, libc::EAGAIN, libc::ENOMEM] {
            assert!(matches!(of(code), ServerEvent::Lack(ResourceShortage::Other(_))), "{code}");
        }
    }
}
