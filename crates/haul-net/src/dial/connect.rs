//! Runs the race of `race.rs` with real sockets, or with the user's connector. The first to connect wins; the others are closed.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;

use super::Target;
use super::clock::{Bound, Clock};
use super::endpoint::Endpoint;
use super::error::Losses;
use super::own::{Connect, Destination, OwnStream};
use super::race::{Race, Step};
use super::tcp::{self, SocketOptions};
use haul_core::model::Egress;

/// How streams are opened.
#[derive(Clone, Copy)]
pub(super) enum Opener<'a> {
    Tcp(SocketOptions),
    /// By the user's code, for requests to this target, by this egress.
    Own(&'a dyn Connect, Target<'a>, Egress),
}

/// A connect to one of several endpoints.
pub(super) struct Opening<'a> {
    /// In the order to try them.
    pub(super) candidates: Vec<Endpoint<'a>>,
    pub(super) opener: Opener<'a>,
    /// The wait before the next one is tried.
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

impl<'a> Opening<'a> {
    /// The first connection that opens. At most as many steps as there are candidates, times three.
    pub(super) async fn run(self) -> Result<(Opened, Endpoint<'a>), Losses<'a>> {
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
                    let endpoint = self.candidates[index];
                    match result {
                        Ok(stream) => return Ok((stream, endpoint)),
                        Err(error) => losses.tried.push((endpoint, Some(error))),
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

    fn connect(&self, endpoint: Endpoint<'_>) -> Pin<Box<dyn Future<Output = io::Result<Opened>>>> {
        match (self.opener, endpoint) {
            (Opener::Own(connector, target, egress), endpoint) => {
                let connecting = connector.connect(&Destination { target, endpoint, egress });
                Box::pin(async move { connecting.await.map(|stream| Opened::Own(OwnStream::new(stream))) })
            }
            (Opener::Tcp(options), Endpoint::Address(address)) => {
                Box::pin(async move { tcp::connect(address, options).await.map(Opened::Tcp) })
            }
            (Opener::Tcp(_), Endpoint::Name { .. }) => {
                Box::pin(async { Err(io::Error::other("a name that is looked up at the far end needs a connector")) })
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
