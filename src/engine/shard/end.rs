//! The end of an attempt: what it means for the host and the job.

use std::rc::Rc;

use http::HeaderMap;

use super::Shard;
use super::flight::{Flight, abandoned};
use crate::attempt::{self, AttemptEnd, Beside};
use crate::conn::ExchangeOutcome;
use crate::engine::clock::SystemClock;
use crate::engine::message::Message;
use crate::model::{Attempt, CloseReason, Job, Outcome, Time};
use crate::policy::redirect::{self, Decision};
use crate::policy::{Blame, Fault, RetryFacts, Verdict, retry_after};
use crate::sched::{Event, HostId, Report};
use crate::work::{self, AttemptCounts};

/// Whether another of its host's addresses may do better.
fn is_of_address(verdict: Verdict) -> bool {
    matches!(verdict.blame(), Blame::Unreachable(_) | Blame::Overloaded) && !matches!(verdict, Verdict::PushedBack(_))
}

impl Shard {
    /// Settles an attempt: on to the next hop, done, or back to the scheduler for another try.
    pub(super) fn conclude(
        self: &Rc<Self>,
        mut flight: Flight,
        remote: Option<std::net::SocketAddr>,
        mut exchanged: ExchangeOutcome,
        now: Time,
    ) {
        // Nobody waits for another try, and the host is not to blame for the one that was given up.
        if exchanged.result.is_err() && flight.is_abandoned() {
            exchanged.result = Err(abandoned());
        }
        if flight.job.extra.is_some() {
            self.keepsakes.discard(work::of_mut(&mut flight.job));
        }
        let reused = flight.dial.is_none();
        if reused && !exchanged.sent.is_harmless() {
            self.shared.counters[self.index].reused.add(1);
        }
        if let (Ok(response), Some(slot)) = (&mut exchanged.result, flight.slot.take()) {
            response.body = slot.take();
        }
        let (earlier, failing_since) =
            work::of(&flight.job).map_or((0, None), |work| (work.counts.on_hop, work.counts.failing_since));
        let end = exchanged.end(reused);
        let (says_all, verdict) =
            (end.says_all(), self.verdict(&end, exchanged.head.as_ref().map(|head| &head.headers)));
        let facts =
            if end.is_well(verdict) { RetryFacts::WELL } else { self.take_note(&mut flight, &end, verdict, now) };
        let host = flight.host;
        let of_host = self.verdict_of_host(host, verdict, &exchanged.result);
        let report = Report { started: flight.dispatched, verdict: of_host, attempt: earlier + 1, failing_since };
        let mut attempt = Attempt {
            timings: flight.timings(exchanged.first_byte, exchanged.body, exchanged.ended.since(flight.dispatched)),
            result: exchanged.result,
            remote,
            reused,
            wire_bytes: exchanged.wire_bytes,
        };
        self.shared.counters[self.index].wire_bytes.add(attempt.wire_bytes);
        if let Some(head) = &exchanged.head {
            self.requests.keep_head(&mut attempt, head, exchanged.order);
        }
        self.requests.hooks().attempt(&flight.job, &attempt);
        if !facts.is_free() {
            let (took, failed) = (attempt.timings.total, attempt.result.is_err());
            self.hosts.change(host, |host| host.count_attempt(took, failed, reused, now));
        }
        if let Some(head) = exchanged.head.as_ref().filter(|_| says_all) {
            match self.requests.redirect(&flight.job, head) {
                Decision::Stay => {}
                Decision::Follow(step) => return self.follow(host, flight.job, step, report, now),
                Decision::Refuse(failure) => attempt.result = Err(failure),
            }
        }
        if let Some(head) = exchanged.head {
            self.requests.spare(head.headers);
        }
        let status = attempt.result.as_ref().map(|response| response.status);
        if let Some(trouble) = attempt::trouble(status, verdict, facts, self.shared.config.retries.retry_after_max) {
            self.note_trouble(host, trouble);
        }
        // What its reader has seen a part of is over, however it ended.
        if (verdict == Verdict::Fine && !facts.is_free()) || flight.handed_over.get() {
            let before = self.held_before(host, now);
            self.sched.borrow_mut().handle(Event::Done { host, report }, now);
            self.log_host(host, before, now);
            let attempts = work::attempts(&flight.job) + 1;
            self.hosts.leaves(host);
            self.deliver(Outcome { job: flight.job, attempts, last: attempt });
        } else {
            let key = (reused && matches!(verdict, Verdict::Troubled(_))).then(|| self.pool_key(&flight));
            let (tried, before) = (self.tried(&flight, &attempt), self.held_before(host, now));
            let attempts = work::attempts(&flight.job) + 1;
            let speaks_of_address = !facts.is_free() && is_of_address(verdict);
            let job = |may_come_again| self.put_away(flight.job, attempt, may_come_again);
            self.sched.borrow_mut().failed(host, report, facts, job, now);
            if speaks_of_address {
                self.note_failed_address(host, remote);
            }
            // What answers over them may not be all of the host.
            if let Some(key) = key.filter(|_| self.sched.borrow().is_in_trouble(host)) {
                self.connections.leave(key, CloseReason::Suspect);
            }
            self.log_retry(tried, attempts, now);
            self.log_host(host, before, now);
        }
    }

    /// Puts the job's attempt into it, which is its result unless another one follows.
    fn put_away(&self, mut job: Job, attempt: Attempt, may_come_again: bool) -> Job {
        let work = work::of_mut(&mut job);
        work.counts.all += 1;
        if may_come_again {
            self.keepsakes.put(work, attempt);
        } else {
            work.last = Some(Box::new(attempt));
        }
        self.stowage.put_again(&mut job);
        job
    }

    /// What an attempt says of its host.
    pub(super) fn verdict(&self, end: &AttemptEnd<'_>, headers: Option<&HeaderMap>) -> Verdict {
        end.verdict(|| retry_after::asked(headers?, SystemClock::date()), &self.shared.config.retries)
    }

    /// What the job of an attempt may still expect, and what it has had then.
    pub(super) fn facts(
        &self,
        flight: &Flight,
        end: &AttemptEnd<'_>,
        verdict: Verdict,
        now: Time,
    ) -> (RetryFacts, AttemptCounts) {
        let mut counts = work::counts(&flight.job);
        if end.is_well(verdict) {
            return (RetryFacts::WELL, counts);
        }
        let beside = Beside {
            idempotent: !self.requests.is_once(flight),
            answered: self.hosts.with(flight.host, |host| host.tally.answered()).unwrap_or_default(),
            crowded: flight.crowded.get(),
            speaks_of_host: self.sched.borrow().speaks_of_host(flight.host, verdict, now),
            opened: self.connections.pool().opened(),
        };
        (attempt::facts(end, verdict, &beside, &mut counts, &self.shared.config.retries), counts)
    }

    /// The same once it has ended: that it had this attempt is written down in the job, and what it says of the connections is learnt.
    #[cold]
    fn take_note(&self, flight: &mut Flight, end: &AttemptEnd<'_>, verdict: Verdict, now: Time) -> RetryFacts {
        if end.fault() == Some(Fault::Http11Required) {
            self.go_to_http1(self.pool_key(flight), flight.host);
        }
        let (facts, mut counts) = self.facts(flight, end, verdict, now);
        if counts.on_hop > 0 {
            counts.failing_since.get_or_insert(flight.dispatched);
        }
        work::of_mut(&mut flight.job).counts = counts;
        facts
    }

    /// Sends the job on to the next hop's host.
    fn follow(self: &Rc<Self>, host: HostId, mut job: Job, step: redirect::NextHop, report: Report, now: Time) {
        let before = self.held_before(host, now);
        self.sched.borrow_mut().handle(Event::Done { host, report }, now);
        self.log_host(host, before, now);
        self.log_redirect(&job, &step);
        self.hosts.leaves(host);
        self.shared.counters[self.index].redirects.add(1);
        redirect::follow(&mut job, step);
        let shard = self.shared.shard_of(&job.url);
        if shard == self.index {
            self.continued(job, now);
        } else {
            self.shared.send(shard, Message::Continued(job));
        }
    }
}
