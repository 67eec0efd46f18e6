//! Whom an exchange is for: the run's hooks, and the job's own reply.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::response::Parts;

use super::Shard;
use super::flight::Flight;
use crate::attempt::{AttemptEnd, Sent};
use crate::body::MemoryReservation;
use crate::conn::Recipient;
use crate::engine::memory_budget::{BodySlot, BudgetedBody, MemoryBudget, Workspace};
use crate::model::{BodyUse, Clock, ResponseHead};

/// A flight's exchange, as seen by those who want its response.
pub(super) struct ForFlight<'a> {
    shard: &'a Shard,
    flight: &'a Flight,
    remote: Option<SocketAddr>,
    /// The number under which the body takes memory, where that is rationed.
    number: Cell<Option<u64>>,
}

impl Shard {
    /// Whom the exchange of `flight` is for.
    pub(super) const fn recipient<'a>(&'a self, flight: &'a Flight, remote: Option<SocketAddr>) -> ForFlight<'a> {
        ForFlight { shard: self, flight, remote, number: Cell::new(None) }
    }

    /// Whether a response with this head is not tried again, whatever happens to its body.
    fn is_last(&self, flight: &Flight, head: &Parts) -> bool {
        let status = head.status.as_u16();
        let end = AttemptEnd {
            result: Ok((status, head.version)),
            head: Some(status),
            sent: Sent::Answered,
            reused: flight.dial.is_none(),
        };
        let verdict = self.verdict(&end, Some(&head.headers));
        let now = self.clock.now();
        let (facts, _) = self.facts(flight, &end, verdict, now);
        !self.sched.borrow().may_come_again(flight.host, verdict, facts, now)
    }
}

impl ForFlight<'_> {
    /// The one number of all that the body takes.
    fn number(&self, memory_budget: &MemoryBudget) -> u64 {
        let number = self.number.get().unwrap_or_else(|| memory_budget.number());
        self.number.set(Some(number));
        number
    }

    /// What becomes of a body that is to be taken in: where memory is rationed, a kept one takes its share of that.
    fn collect(&self, head: &Parts) -> BodyUse {
        let shared = &self.shard.shared;
        match &shared.memory_budget {
            Some(memory_budget) if shared.config.body.keep => {
                let slot = BodySlot::default();
                *self.flight.slot.borrow_mut() = Some(Rc::clone(&slot));
                let promised = promised(head, shared.config.body.decode);
                BodyUse::Stream(Box::new(BudgetedBody::new(memory_budget, self.number(memory_budget), promised, slot)))
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

    fn head(&self, head: &Parts, first_byte: Duration, followed: bool) -> BodyUse {
        self.shard.head_came(self.flight.host);
        let (hooks, reply) = (self.shard.requests.hooks(), self.flight.reply());
        if hooks.is_empty() && (reply.is_none() || followed) {
            return if followed { BodyUse::Collect } else { self.collect(head) };
        }
        let parts = head;
        let mut head = ResponseHead::new(&self.flight.job, head.status, head.version, &head.headers);
        head.remote = self.remote;
        head.reused = self.flight.dial.is_none();
        head.timings = self.flight.timings(Some(first_byte), None, Duration::ZERO);
        head.followed = followed;
        head.last = !followed && self.shard.is_last(self.flight, parts);
        match (hooks.response(&head), reply) {
            (BodyUse::Collect, _) if followed => BodyUse::Collect,
            (BodyUse::Collect, Some(reply)) if head.last => {
                let body_use = reply.head(&head);
                self.flight.handed_over.set(matches!(body_use, BodyUse::Stream(_)));
                body_use
            }
            (BodyUse::Collect, _) => self.collect(parts),
            (body_use, _) => body_use,
        }
    }

    fn reservation(&self) -> Option<Box<dyn MemoryReservation>> {
        let memory_budget = self.shard.shared.memory_budget.as_ref()?;
        Some(Box::new(Workspace::new(memory_budget, self.number(memory_budget))))
    }

    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.flight.poll_gone(cx)
    }
}
