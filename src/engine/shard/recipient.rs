//! Whom an exchange is for: the run's hooks, and the job's own reply.

use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::StatusCode;
use http::response::Parts;

use super::Shard;
use super::end::{of_status, timings};
use super::lane::Flight;
use crate::conn::Recipient;
use crate::model::{BodyUse, Failure, FailureKind, Hooks, Phase, Reply, ResponseHead};
use crate::policy::{Decision, RetryFacts, decide};

/// A flight's exchange, as seen by those who want its response.
pub(super) struct ForFlight<'a> {
    shard: &'a Shard,
    flight: &'a Flight,
    remote: Option<SocketAddr>,
}

impl Flight {
    /// Whom the job is done for, when it is not the sink.
    fn reply(&self) -> Option<&dyn Reply> {
        self.job.extra.as_ref()?.reply.as_deref()
    }

    /// Whether the one it is done for has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        let mut nobody = Context::from_waker(Waker::noop());
        self.reply().is_some_and(|reply| reply.poll_gone(&mut nobody).is_ready())
    }
}

/// The failure of a job that nobody waits for any longer, when its turn comes.
pub(super) fn abandoned() -> Failure {
    Failure::new(Phase::Queue, FailureKind::Cancelled, "nobody waits for this response any longer")
}

impl Shard {
    pub(super) fn hooks(&self) -> Option<&dyn Hooks> {
        self.shared.extensions.hooks.as_deref()
    }

    /// Whom the exchange of `flight` is for.
    pub(super) const fn recipient<'a>(&'a self, flight: &'a Flight, remote: Option<SocketAddr>) -> ForFlight<'a> {
        ForFlight { shard: self, flight, remote }
    }

    /// Whether a response with this status is not tried again, whatever happens to its body.
    fn is_last(&self, flight: &Flight, status: StatusCode) -> bool {
        let earlier = flight.job.extra.as_ref().map_or(0, |extra| extra.hop_attempts);
        let replayable = self.template.method(&flight.job).is_idempotent();
        let facts = RetryFacts { attempt: earlier + 1, replayable, free: false };
        !matches!(decide(of_status(status.as_u16(), None), facts, &self.shared.config.retries), Decision::Later)
    }
}

impl Recipient for ForFlight<'_> {
    fn head(&self, head: &Parts, first_byte: Duration) -> BodyUse {
        let (hooks, reply) = (self.shard.hooks(), self.flight.reply());
        if hooks.is_none() && reply.is_none() {
            return BodyUse::Collect;
        }
        let head = ResponseHead {
            job: &self.flight.job,
            status: head.status,
            version: head.version,
            headers: &head.headers,
            remote: self.remote,
            reused: self.flight.dial.is_none(),
            timings: timings(self.flight, Some(first_byte), None, Duration::ZERO),
            last: self.shard.is_last(self.flight, head.status),
        };
        match (hooks.map_or(BodyUse::Collect, |hooks| hooks.head(&head)), reply) {
            (BodyUse::Collect, Some(reply)) if head.last => {
                let body_use = reply.head(&head);
                self.flight.handed_over.set(matches!(body_use, BodyUse::Stream(_)));
                body_use
            }
            (body_use, _) => body_use,
        }
    }

    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.flight.reply().map_or(Poll::Pending, |reply| reply.poll_gone(cx))
    }
}
