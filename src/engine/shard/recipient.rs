//! Whom an exchange is for: the run's hooks, and the job's own reply.

use std::cell::Cell;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::response::Parts;

use super::Shard;
use super::end::timings;
use super::lane::Flight;
use crate::attempt::{Ended, Sent};
use crate::body::Room;
use crate::conn::Recipient;
use crate::engine::ration::{Ration, Rationed, Shelf, Workspace};
use crate::model::{BodyUse, Clock, Failure, FailureKind, Hooks, Outcome, Phase, Reply, RequestHead, ResponseHead};
use crate::source::OURS;

/// A flight's exchange, as seen by those who want its response.
pub(super) struct ForFlight<'a> {
    shard: &'a Shard,
    flight: &'a Flight,
    remote: Option<SocketAddr>,
    /// The number under which the body takes memory, where that is rationed.
    number: Cell<Option<u64>>,
}

impl Flight {
    /// Whom the job is done for, when it is not the sink.
    fn reply(&self) -> Option<&dyn Reply> {
        self.job.extra.as_ref()?.reply.as_deref()
    }

    /// Ready when the one it is done for has gone.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.reply().map_or(Poll::Pending, |reply| reply.poll_gone(cx))
    }

    /// Whether the one it is done for has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.poll_gone(&mut Context::from_waker(Waker::noop())).is_ready()
    }
}

/// What a job is told whose hook panicked.
const PANICKED: &str = "a hook panicked; its message is on standard error";

/// Calls code that is not ours: its panic must not take a permit or a job along.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// The failure of a job that nobody waits for any longer, when its turn comes.
pub(super) fn abandoned() -> Failure {
    Failure::new(Phase::Queue, FailureKind::Cancelled, "nobody waits for this response any longer")
}

impl Shard {
    fn hooks(&self) -> Option<&dyn Hooks> {
        self.shared.extensions.hooks.as_deref()
    }

    /// Lets the run's hooks change the request, or refuse it. What would break the framing is taken out again.
    pub(super) fn ask_hooks(&self, flight: &Flight, headers: &mut HeaderMap) -> Result<(), Failure> {
        let Some(hooks) = self.hooks() else { return Ok(()) };
        let (url, method, earlier_attempts) = (&flight.job.url, self.method(flight), flight.job.attempts());
        let mut head = RequestHead::new(url, method, earlier_attempts, headers);
        let refused = guarded(|| hooks.request(&mut head)).unwrap_or_else(|| Err(PANICKED.into()));
        OURS.iter().for_each(|name| drop(headers.remove(name)));
        refused.map_err(|message| Failure::new(Phase::Queue, FailureKind::Unwanted, message))
    }

    /// Tells the run's hooks of an outcome.
    pub(super) fn tell_hooks(&self, outcome: &Outcome) {
        if let Some(hooks) = self.hooks() {
            // There is nobody to tell of a panic but its own message.
            let _ = guarded(|| hooks.outcome(outcome));
        }
    }

    /// Whom the exchange of `flight` is for.
    pub(super) const fn recipient<'a>(&'a self, flight: &'a Flight, remote: Option<SocketAddr>) -> ForFlight<'a> {
        ForFlight { shard: self, flight, remote, number: Cell::new(None) }
    }

    /// Whether a response with this head is not tried again, whatever happens to its body.
    fn is_last(&self, flight: &Flight, head: &Parts) -> bool {
        let status = head.status.as_u16();
        let end = Ended {
            result: Ok((status, head.version)),
            head: Some(status),
            sent: Sent::Answered,
            reused: flight.dial.is_none(),
        };
        let verdict = self.verdict(&end, Some(&head.headers));
        let (facts, _) = self.facts(flight, &end, verdict);
        !self.sched.borrow().may_come_again(flight.host, verdict, facts, self.clock.now())
    }
}

impl ForFlight<'_> {
    /// The one number of all that the body takes.
    fn number(&self, ration: &Ration) -> u64 {
        let number = self.number.get().unwrap_or_else(|| ration.number());
        self.number.set(Some(number));
        number
    }

    /// What becomes of a body that is to be taken in: where memory is rationed, a kept one takes its share of that.
    fn collect(&self, head: &Parts) -> BodyUse {
        let shared = &self.shard.shared;
        match &shared.ration {
            Some(ration) if shared.config.body.keep => {
                let shelf = Shelf::default();
                *self.flight.shelf.borrow_mut() = Some(Rc::clone(&shelf));
                let promised = promised(head, shared.config.body.decode);
                BodyUse::Stream(Box::new(Rationed::new(ration, self.number(ration), promised, shelf)))
            }
            _ => BodyUse::Collect,
        }
    }
}

/// How long the decoded body will be, where the head says so.
fn promised(head: &Parts, decodes: bool) -> Option<u64> {
    if decodes && head.headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

impl Recipient for ForFlight<'_> {
    fn is_patient(&self) -> bool {
        self.flight.reply().is_none()
    }

    fn head(&self, head: &Parts, first_byte: Duration) -> BodyUse {
        self.shard.head_came(self.flight.host);
        let (hooks, reply) = (self.shard.hooks(), self.flight.reply());
        if hooks.is_none() && reply.is_none() {
            return self.collect(head);
        }
        let parts = head;
        let mut head = ResponseHead::new(&self.flight.job, head.status, head.version, &head.headers);
        head.remote = self.remote;
        head.reused = self.flight.dial.is_none();
        head.timings = timings(self.flight, Some(first_byte), None, Duration::ZERO);
        head.last = self.shard.is_last(self.flight, parts);
        let refusal = || BodyUse::Refuse(PANICKED.into());
        let wish = hooks.map_or(BodyUse::Collect, |hooks| guarded(|| hooks.head(&head)).unwrap_or_else(refusal));
        match (wish, reply) {
            (BodyUse::Collect, Some(reply)) if head.last => {
                let body_use = reply.head(&head);
                self.flight.handed_over.set(matches!(body_use, BodyUse::Stream(_)));
                body_use
            }
            (BodyUse::Collect, _) => self.collect(parts),
            (body_use, _) => body_use,
        }
    }

    fn room(&self) -> Option<Box<dyn Room>> {
        let ration = self.shard.shared.ration.as_ref()?;
        Some(Box::new(Workspace::new(ration, self.number(ration))))
    }

    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.flight.poll_gone(cx)
    }
}
