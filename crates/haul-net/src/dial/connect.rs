//! Runs the race of `race.rs` with real sockets. The first to connect wins; the others are closed.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;

use super::clock::{Bound, Clock};
use super::error::Losses;
use super::own::{Connect, OwnStream};
use super::race::{Race, Step};
use super::tcp::{self, SocketOptions};

/// A connect to one of several addresses.
pub(super) struct Opening<'a> {
    /// In the order to try them.
    pub(super) candidates: Vec<SocketAddr>,
    pub(super) options: SocketOptions,
    /// Who opens streams in place of TCP.
    pub(super) connector: Option<&'a dyn Connect>,
    /// The wait before the next address is tried.
    pub(super) pace: Duration,
    pub(super) bound: Bound,
    pub(super) clock: &'a Clock,
}

/// What was opened.
pub(super) enum Opened {
    Tcp(TcpStream),
    Own(OwnStream),
}

/// One attempt under way.
struct Attempt {
    index: usize,
    connect: Pin<Box<dyn Future<Output = io::Result<Opened>>>>,
}

impl Opening<'_> {
    /// The first connection that opens. At most as many steps as there are addresses, times three.
    pub(super) async fn run(self) -> Result<(Opened, SocketAddr), Losses> {
        let mut race = Race::new(self.candidates.len(), self.pace, self.bound.started, self.bound.end);
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut losses = Losses::default();
        loop {
            match race.step(self.clock.now()) {
                Step::Start(index) => {
                    attempts.push(Attempt { index, connect: self.connect(self.candidates[index]) });
                }
                Step::Abandon(index) => {
                    attempts.retain(|attempt| attempt.index != index);
                    losses.tried.push((self.candidates[index], None));
                }
                Step::Wait(until) => {
                    let wait = until.since(self.clock.now());
                    let Ok((index, result)) = tokio::time::timeout(wait, first(&mut attempts)).await else { continue };
                    let address = self.candidates[index];
                    match result {
                        Ok(stream) => return Ok((stream, address)),
                        Err(error) => losses.tried.push((address, Some(error))),
                    }
                    race.failed(index, self.clock.now());
                }
                Step::Exhausted => return Err(losses),
                Step::TimedOut => {
                    losses.timed_out = true;
                    losses.tried.extend(attempts.iter().map(|attempt| (self.candidates[attempt.index], None)));
                    return Err(losses);
                }
            }
        }
    }

    fn connect(&self, address: SocketAddr) -> Pin<Box<dyn Future<Output = io::Result<Opened>>>> {
        let options = self.options;
        match self.connector {
            None => Box::pin(async move { tcp::connect(address, options).await.map(Opened::Tcp) }),
            Some(connector) => {
                let connecting = connector.connect(address);
                Box::pin(async move { connecting.await.map(|stream| Opened::Own(OwnStream::new(stream))) })
            }
        }
    }
}

/// The next attempt that ends; it is taken out of `attempts`.
async fn first(attempts: &mut Vec<Attempt>) -> (usize, io::Result<Opened>) {
    poll_fn(|cx| {
        for at in 0..attempts.len() {
            if let Poll::Ready(result) = attempts[at].connect.as_mut().poll(cx) {
                return Poll::Ready((attempts.swap_remove(at).index, result));
            }
        }
        Poll::Pending
    })
    .await
}
