//! Runs the race of `race.rs` with real sockets, or with the user's connector. The first to connect wins; the others are closed.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;

use super::Target;
use super::connector::{Connect, CustomStream, Destination};
use super::deadline::{DialClock, PhaseDeadline};
use super::endpoint::Endpoint;
use super::error::ConnectErrors;
use super::race::{Race, RaceAction};
use super::tcp::{self, SocketOptions};
use haul_core::model::Egress;

/// How streams are opened.
#[derive(Clone, Copy)]
pub(super) enum StreamOpener<'a> {
    Tcp(SocketOptions),
    /// By the user's code, for requests to this target, by this egress.
    Own(&'a dyn Connect, Target<'a>, Egress),
}

/// A connect to one of several endpoints.
pub(super) struct HappyEyeballs<'a> {
    /// In the order to try them.
    pub(super) candidates: Vec<Endpoint<'a>>,
    pub(super) opener: StreamOpener<'a>,
    /// The wait before the next one is tried.
    pub(super) pace: Duration,
    pub(super) deadline: PhaseDeadline,
    pub(super) clock: &'a DialClock,
}

/// What was opened.
pub(super) enum TransportStream {
    Tcp(TcpStream),
    Own(CustomStream),
}

/// One attempt under way.
struct ConnectAttempt {
    index: usize,
    connect: Pin<Box<dyn Future<Output = io::Result<TransportStream>>>>,
}

impl<'a> HappyEyeballs<'a> {
    /// The first connection that opens. At most as many steps as there are candidates, times three.
    pub(super) async fn run(self) -> Result<(TransportStream, Endpoint<'a>), ConnectErrors<'a>> {
        let mut race = Race::new(self.candidates.len(), self.pace, self.deadline.started, self.deadline.end);
        let mut attempts: Vec<ConnectAttempt> = Vec::new();
        let mut connect_errors = ConnectErrors::default();
        loop {
            match race.step(self.clock.now()) {
                RaceAction::Start(index) => {
                    attempts.push(ConnectAttempt { index, connect: self.connect(self.candidates[index]) });
                }
                RaceAction::Abandon(index) => {
                    attempts.retain(|attempt| attempt.index != index);
                    connect_errors.tried.push((self.candidates[index], None));
                }
                RaceAction::Wait(until) => {
                    let wait = until.since(self.clock.now());
                    let Ok((index, result)) = tokio::time::timeout(wait, first(&mut attempts)).await else { continue };
                    let endpoint = self.candidates[index];
                    match result {
                        Ok(stream) => return Ok((stream, endpoint)),
                        Err(error) => connect_errors.tried.push((endpoint, Some(error))),
                    }
                    race.failed(index, self.clock.now());
                }
                RaceAction::Exhausted => return Err(connect_errors),
                RaceAction::TimedOut => {
                    connect_errors.timed_out = true;
                    connect_errors.tried.extend(attempts.iter().map(|attempt| (self.candidates[attempt.index], None)));
                    return Err(connect_errors);
                }
            }
        }
    }

    fn connect(&self, endpoint: Endpoint<'_>) -> Pin<Box<dyn Future<Output = io::Result<TransportStream>>>> {
        match (self.opener, endpoint) {
            (StreamOpener::Own(connector, target, egress), endpoint) => {
                let connecting = connector.connect(&Destination { target, endpoint, egress });
                Box::pin(async move { connecting.await.map(|stream| TransportStream::Own(CustomStream::new(stream))) })
            }
            (StreamOpener::Tcp(options), Endpoint::Address(address)) => {
                Box::pin(async move { tcp::connect(address, options).await.map(TransportStream::Tcp) })
            }
            (StreamOpener::Tcp(_), Endpoint::Name { .. }) => {
                Box::pin(async { Err(io::Error::other("a name that is looked up at the far end needs a connector")) })
            }
        }
    }
}

/// The next attempt that ends; it is taken out of `attempts`.
async fn first(attempts: &mut Vec<ConnectAttempt>) -> (usize, io::Result<TransportStream>) {
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
