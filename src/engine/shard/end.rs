//! The end of an attempt: what it means for the connection, the host and the job.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use http::header::{AGE, DATE, LOCATION, RETRY_AFTER};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};

use super::habits::{fault, is_timeout};
use super::hosts::Host;
use super::lane::{Flight, Next, Parcel};
use super::recipient::abandoned;
use super::{PoolKey, Shard};
use crate::conn::{Addressee, Context, Exchanged, Recipient, RequestBody, Sent};
use crate::engine::clock::SystemClock;
use crate::engine::mailbox::Mailbox;
use crate::model::{
    Attempt, CloseReason, Extra, Failure, FailureKind, GiveUpReason, HeaderList, Job, Outcome, Phase, Repeats,
    Response, Time, Timings,
};
use crate::policy::redirect::{self, Asked, Decision};
use crate::policy::{self, Blame, Fault, RetryFacts, Verdict, decide, is_wait, retry_after};
use crate::pool::{ConnId, Pool, Released};
use crate::sched::{Event, HostId, Report};

/// What a lane does that has settled a request: what has come for it meanwhile, or else `next`.
fn next_of(mailbox: &Mailbox<Parcel>, next: Next) -> Next {
    match mailbox.take() {
        Some(Parcel::Flight(flight)) => Next::Flight(flight),
        Some(Parcel::Leave(why)) => Next::Close(why),
        None => next,
    }
}

/// The most headers that room is kept for.
const MOST_SPARE: usize = 64;

impl Shard {
    /// Makes `request` that of a flight to `addressee`.
    pub(super) fn prepare(
        &self,
        request: &mut Request<RequestBody>,
        flight: &Flight,
        addressee: &Addressee,
        version: Version,
    ) -> Result<(), Failure> {
        if flight.is_abandoned() {
            return Err(abandoned());
        }
        let filled = self.template.fill(request, &flight.job, addressee, version, self.spare_headers.take());
        let unfit = || {
            let message = "the URL's host can't be put into an HTTP/2 request; try it with HTTP/1.1 alone";
            Failure::new(Phase::Send, FailureKind::BadRequest, message)
        };
        let prepared = filled.ok_or_else(unfit).and_then(|()| self.ask_hooks(flight, request.headers_mut()));
        match prepared {
            // After the hooks, which can't say anything about it.
            Ok(()) => self.template.tell_length(request, &flight.job),
            // Its headers and its body would wait in the lane for the next one.
            Err(_) => *request = Request::default(),
        }
        prepared
    }

    /// The method of its request.
    pub(super) fn method<'a>(&'a self, flight: &'a Flight) -> &'a Method {
        self.template.method(&flight.job)
    }

    /// What its exchange has to know.
    pub(super) fn context<'a>(&'a self, flight: &Flight, recipient: &'a dyn Recipient) -> Context<'a, SystemClock> {
        let config = &self.shared.config;
        Context {
            clock: &self.clock,
            // A job that may take longer than the others may take longer in each part, too.
            timeouts: match own_timeout(flight).filter(|own| *own > config.timeouts.total) {
                Some(own) => Cow::Owned(config.timeouts.within(own)),
                None => Cow::Borrowed(&config.timeouts),
            },
            body: &config.body,
            total: self.due(flight),
            redirect_body: (config.request.max_redirects > 0).then_some(&self.redirect_body),
            recipient,
        }
    }

    /// When the attempt is over at the latest.
    pub(super) fn due(&self, flight: &Flight) -> Time {
        flight.dispatched + own_timeout(flight).unwrap_or(self.shared.config.timeouts.total)
    }

    /// Settles the job of a request whose slot on the connection is free again, and finds the lane's next, which without a job
    /// for it is `next`. `now` may be later than the exchange's end, and is not earlier than what the scheduler was told before.
    pub(super) fn ended(
        self: &Rc<Self>,
        next: Next,
        remote: Option<std::net::SocketAddr>,
        flight: Flight,
        exchanged: Exchanged,
        mailbox: &Mailbox<Parcel>,
        now: Time,
    ) -> Next {
        self.board_waiting(self.pool_key(&flight));
        self.conclude(flight, remote, exchanged, now);
        self.turn(now);
        next_of(mailbox, next)
    }

    /// A request that its connection has no stream for goes back to its queue, for another one.
    #[cold]
    pub(super) fn sent_away(self: &Rc<Self>, next: Next, flight: Flight, mailbox: &Mailbox<Parcel>, now: Time) -> Next {
        self.board_waiting(self.pool_key(&flight));
        self.take_back(flight, now);
        self.turn(now);
        next_of(mailbox, next)
    }

    /// Frees the slot of a request that ended on the connection; what its lane does when there is nothing to carry.
    pub(super) fn release(&self, id: ConnId, flight: &Flight, sound: bool, exchanged: &Exchanged, now: Time) -> Next {
        if !sound {
            let why = if exchanged.result.is_err() { CloseReason::Failed } else { CloseReason::NotKeptAlive };
            self.closed(id, why);
            return Next::Close(why);
        }
        let mut pool = self.pool.borrow_mut();
        if self.answers_badly(&mut pool, id, flight.host, exchanged) {
            pool.drain(id, CloseReason::Suspect);
        }
        if exchanged.result.as_ref().is_err_and(is_timeout) {
            // Other streams may still get answers, but nothing new goes where one came too late.
            pool.drain(id, CloseReason::Failed);
        }
        if let Some(timeout) = exchanged.keep_alive_timeout() {
            pool.keep_alive_hint(id, timeout);
        }
        match pool.release(id, exchanged.sent != Sent::NoPlace, now) {
            Released::Parked { until } => Next::Park(until),
            Released::Shared => Next::Park(now + self.shared.config.pool.idle_timeout),
            Released::Spent { given } => {
                drop(pool);
                self.has_carried_all(flight.host, given);
                self.dismiss(id, CloseReason::Spent);
                Next::Close(CloseReason::Spent)
            }
            Released::Close(why) => {
                drop(pool);
                self.dismiss(id, why);
                Next::Close(why)
            }
        }
    }

    /// Whether what answers over this connection fails, by more than chance, while the host as a whole does not: one of many machines
    /// behind one address.
    fn answers_badly(&self, pool: &mut Pool<PoolKey>, id: ConnId, host: HostId, exchanged: &Exchanged) -> bool {
        let Some(head) = &exchanged.head else { return false };
        let verdict = || Verdict::of_status(head.status.as_u16(), || None, &self.shared.config.retries);
        let is_failing = head.status.is_server_error() && matches!(verdict(), Verdict::Troubled(_));
        let in_a_row = pool.answered(id, is_failing);
        is_failing && in_a_row >= self.sched.borrow().telling_run(host)
    }

    /// Nothing new goes over the host's connections of now.
    #[cold]
    pub(super) fn leave_connections(&self, key: PoolKey, why: CloseReason) {
        let idle = self.pool.borrow_mut().abandon(key, why);
        idle.into_iter().for_each(|id| self.dismiss(id, why));
    }

    /// The peer may have changed how many streams it allows.
    pub(super) fn update_streams(self: &Rc<Self>, id: ConnId, allowed: usize, host: HostId, now: Time) {
        let slots = self.streams(allowed);
        self.pool.borrow_mut().set_slots(id, slots);
        self.learn_capacity(host, self.host_streams(slots), now);
    }

    /// Settles an attempt: on to the next hop, done, or back to the scheduler for another try.
    pub(super) fn conclude(
        self: &Rc<Self>,
        mut flight: Flight,
        remote: Option<std::net::SocketAddr>,
        mut exchanged: Exchanged,
        now: Time,
    ) {
        // Nobody waits for another try, and the host is not to blame for the one that was given up.
        if exchanged.result.is_err() && flight.is_abandoned() {
            exchanged.result = Err(abandoned());
        }
        if let Some(extra) = &mut flight.job.extra {
            self.keepsakes.discard(extra);
        }
        let reused = flight.dial.is_none();
        if reused && !exchanged.sent.is_harmless() {
            self.shared.counters[self.index].reused.add(1);
        }
        if let (Ok(response), Some(shelf)) = (&mut exchanged.result, flight.shelf.take()) {
            response.body = shelf.take();
        }
        let before = flight.job.extra.as_ref().map_or(0, |extra| extra.hop_attempts);
        let verdict = self.verdict(&exchanged);
        let facts = self.facts(&mut flight, &exchanged, verdict, reused);
        let report = Report { started: flight.dispatched, verdict, attempt: before + 1 };
        let host = flight.host;
        let mut attempt = Attempt {
            timings: timings(&flight, exchanged.first_byte, exchanged.body, exchanged.ended.since(flight.dispatched)),
            result: exchanged.result,
            remote,
            reused,
            wire_bytes: exchanged.wire_bytes,
        };
        self.shared.counters[self.index].wire_bytes.add(attempt.wire_bytes);
        if !facts.is_free() {
            self.count_attempt(host, attempt.timings.total, attempt.result.is_err(), reused, now);
        }
        if let Some(head) = &exchanged.head
            && says_all(&attempt.result)
        {
            match self.redirect(&flight.job, head) {
                Decision::Stay => {}
                Decision::Follow(step) => return self.follow(host, flight.job, step, report, now),
                Decision::Refuse(failure) => attempt.result = Err(failure),
            }
        }
        if let Some(head) = exchanged.head {
            self.keep_head(&mut attempt, &head, exchanged.order);
            self.spare(head.headers);
        }
        if let Err(failure) = &attempt.result
            && verdict.blame() != Blame::Nobody
            && !facts.is_free()
        {
            self.note_trouble(host, failure);
        }
        if let (Ok(response), Verdict::Troubled(pause) | Verdict::PushedBack(pause)) = (&attempt.result, verdict) {
            self.note_trouble(host, &refusal(response.status, pause, self.shared.config.retries.retry_after_max));
        }
        // What its reader has seen a part of is over, however it ended.
        if (verdict == Verdict::Fine && !facts.is_free()) || flight.handed_over.get() {
            let before = self.held_before(host, now);
            self.sched.borrow_mut().handle(Event::Done { host, report }, now);
            self.log_host(host, before, now);
            let attempts = flight.job.attempts() + 1;
            self.leaves(host);
            self.deliver(Outcome { job: flight.job, attempts, last: attempt });
        } else {
            let comes_again = self.comes_again(verdict, facts);
            let key = (reused && matches!(verdict, Verdict::Troubled(_))).then(|| self.pool_key(&flight));
            let (tried, before) = (self.tried(&flight, &attempt), self.held_before(host, now));
            let extra = flight.job.extra_mut();
            extra.attempts += 1;
            let attempts = extra.attempts;
            if comes_again {
                self.keepsakes.put(extra, attempt);
            } else {
                extra.last = Some(Box::new(attempt));
            }
            self.stow_again(&mut flight.job);
            self.sched.borrow_mut().handle(Event::Failed { host, job: flight.job, report, facts }, now);
            // What answers over them may not be all of the host.
            if let Some(key) = key.filter(|_| self.sched.borrow().is_in_trouble(host)) {
                self.leave_connections(key, CloseReason::Suspect);
            }
            self.log_retry(tried, attempts, now);
            self.log_host(host, before, now);
        }
    }

    /// Whether the job will be tried again, as far as its own attempts say.
    fn comes_again(&self, verdict: Verdict, facts: RetryFacts) -> bool {
        !matches!(decide(verdict, facts, &self.shared.config.retries), policy::Decision::GiveUp(_))
    }

    /// Keeps the headers where the record, or the decoding of a text body, needs them.
    fn keep_head(&self, attempt: &mut Attempt, head: &Parts, order: Option<Vec<HeaderName>>) {
        let body = &self.shared.config.body;
        if (body.keep_headers || body.keep)
            && let Ok(response) = &mut attempt.result
        {
            response.headers = Some(match order {
                Some(names) => HeaderList::in_order(&head.headers, names),
                None => HeaderList::from(&head.headers),
            });
        }
    }

    /// Keeps the room of these headers for the next request, unless it is uncommonly large.
    fn spare(&self, mut headers: HeaderMap) {
        if headers.capacity() <= MOST_SPARE {
            headers.clear();
            self.spare_headers.set(headers);
        }
    }

    /// What an exchange says about its host.
    fn verdict(&self, exchanged: &Exchanged) -> Verdict {
        let status = exchanged.head.as_ref().filter(|_| says_all(&exchanged.result)).map(|head| head.status.as_u16());
        let retries = &self.shared.config.retries;
        let said = status.map(|status| Verdict::of_status(status, || retry_after(exchanged), retries));
        match (&exchanged.result, said.unwrap_or(Verdict::Fine)) {
            (Err(failure), Verdict::Fine) if is_timeout(failure) && failure.kind != FailureKind::TooSlow => {
                Verdict::Stalled(failure.kind)
            }
            (Err(failure), Verdict::Fine) => Verdict::Failed(failure.kind),
            (_, said) => said,
        }
    }

    /// What the job may still expect. Writes down in it what it has had.
    fn facts(&self, flight: &mut Flight, exchanged: &Exchanged, verdict: Verdict, reused: bool) -> RetryFacts {
        let fault = fault(exchanged, reused);
        if fault.is_none() && verdict == Verdict::Fine {
            return RetryFacts { attempt: 1, replayable: true, fault: None };
        }
        let idempotent = self.template.method(&flight.job).is_idempotent() || self.shared.config.retries.unsafe_methods;
        let replayable = idempotent || exchanged.sent.is_harmless() || fault.is_some_and(Fault::is_harmless);
        let timed_out = reused && exchanged.result.as_ref().is_err_and(is_timeout);
        if fault == Some(Fault::Http11Required) {
            self.go_to_http1(self.pool_key(flight), flight.host);
        }
        let extra = flight.job.extra_mut();
        let repeats = fault.map(|fault| fault.repeats(extra.repeats, self.answered(flight.host), flight.crowded.get()));
        if fault.is_some_and(Fault::wants_new) || timed_out {
            extra.repeats.not_before = self.pool.borrow().opened();
        }
        let is_free = match repeats {
            Some(Some(repeats)) if replayable => {
                extra.repeats = Repeats { not_before: extra.repeats.not_before, ..repeats };
                true
            }
            // Nobody is to blame, though it can't be repeated.
            Some(_) if !replayable => true,
            _ => false,
        };
        let waits = exchanged.sent == Sent::Declined && self.takes_others(extra, flight.host, flight.crowded.get());
        if !(is_free || waits) {
            extra.hop_attempts += 1;
            let host_said_so = self.sched.borrow().has_said_wait(flight.host);
            extra.hop_waits += u32::from(is_wait(verdict, host_said_so, extra.hop_waits, &self.shared.config.retries));
        }
        let attempt = (extra.hop_attempts - extra.hop_waits).max(u32::from(!waits));
        RetryFacts { attempt, replayable, fault: fault.filter(|_| is_free) }
    }

    /// Whether a request that the peer has not looked at, because it is asked too much, waits without that being an attempt: as long
    /// as it takes others.
    fn takes_others(&self, extra: &mut Extra, host: HostId, crowded: bool) -> bool {
        let repeats = Fault::Unprocessed.repeats(extra.repeats, self.answered(host), crowded);
        extra.repeats = repeats.unwrap_or(extra.repeats);
        repeats.is_some()
    }

    fn redirect(&self, job: &Job, head: &Parts) -> Decision {
        if !head.status.is_redirection() {
            return Decision::Stay;
        }
        let asked =
            Asked { job, method: self.template.method(job), max_redirects: self.shared.config.request.max_redirects };
        let locations = head.headers.get_all(LOCATION).iter().map(HeaderValue::as_bytes);
        redirect::decide(asked, head.status.as_u16(), locations)
    }

    /// Sends the job on to the next hop's host.
    fn follow(self: &Rc<Self>, host: HostId, mut job: Job, step: redirect::Step, report: Report, now: Time) {
        let before = self.held_before(host, now);
        self.sched.borrow_mut().handle(Event::Done { host, report }, now);
        self.log_host(host, before, now);
        self.log_redirect(&job, &step);
        self.leaves(host);
        self.shared.counters[self.index].redirects.add(1);
        redirect::follow(&mut job, step);
        let shard = self.shared.shard_of(&job.url);
        if shard == self.index {
            self.continued(job, now);
        } else {
            self.shared.send(shard, crate::engine::message::Message::Continued(job));
        }
    }

    /// The scheduler gives a job back: its last attempt is its result, or the reason is.
    pub(super) fn give_up(&self, host: HostId, mut job: Job, reason: GiveUpReason) {
        let attempts = job.attempts();
        self.leaves(host);
        if let Some(extra) = &mut job.extra {
            extra.gave_up = Some(reason);
        }
        if let Err(failure) = self.unstow(&mut job) {
            return self.deliver(Outcome { job, attempts, last: Attempt::unsent(failure) });
        }
        match job.extra.as_mut().and_then(|extra| self.keepsakes.redeem(extra)) {
            // Whoever waits for a response would take one without its body for whole; a record says that it has none.
            Some(_) if job.extra.as_ref().is_some_and(|extra| extra.body_dropped && extra.reply.is_some()) => {
                let last = Attempt::unsent(self.untried(host, reason));
                self.deliver(Outcome { job, attempts, last });
            }
            Some(last) => self.deliver(Outcome { job, attempts, last }),
            None if reason == GiveUpReason::Stopped => self.cancelled(1),
            None => {
                let last = Attempt::unsent(self.untried(host, reason));
                self.deliver(Outcome { job, attempts, last });
            }
        }
    }

    /// The failure of a job that was given up without an attempt of its own.
    fn untried(&self, host: HostId, reason: GiveUpReason) -> Failure {
        let hosts = self.hosts.borrow();
        let trouble = hosts.get(host).and_then(Host::trouble);
        match (trouble, reason) {
            // What is known of a name holds for every URL under it.
            (Some(trouble), GiveUpReason::HostDead(cause)) if trouble.phase == Phase::Dns && trouble.kind == cause => {
                Failure::new(trouble.phase, trouble.kind, trouble.message.clone())
            }
            // What is known of a certificate, too; but here something was tried, and may come out otherwise one day.
            (Some(trouble), GiveUpReason::HostDead(cause)) if trouble.phase == Phase::Tls && trouble.kind == cause => {
                let message = format!("not tried, as the same came of the host's others in a row: {}", trouble.message);
                Failure::new(trouble.phase, trouble.kind, message)
            }
            (Some(trouble), _) => Failure::new(
                Phase::Queue,
                FailureKind::HostDead,
                format!("not tried: the host failed too often in a row (--dead-after); last: {}", trouble.message),
            ),
            (None, reason) => Failure::new(
                Phase::Queue,
                FailureKind::HostDead,
                format!("not tried: the host was given up ({reason})"),
            ),
        }
    }
}

/// The job's own total time-out.
fn own_timeout(flight: &Flight) -> Option<Duration> {
    flight.job.special()?.timeout
}

/// Whether a response that ended like this, with a head, has said there all that matters of one whose body nobody gets: a redirect
/// where to go, a 503 when to come again. What became of the body is nothing then.
fn says_all(result: &Result<Response, Failure>) -> bool {
    let of_body = |phase| matches!(phase, Phase::Body | Phase::Decode);
    result.as_ref().err().is_none_or(|failure| of_body(failure.phase) && failure.kind != FailureKind::Cancelled)
}

/// A response that asks to come again, as what is wrong with its host.
fn refusal(status: u16, pause: Option<Duration>, longest: Duration) -> Failure {
    let message = match pause {
        Some(pause) if pause > longest => {
            format!("it answered {status} and asks to come again in {pause:?}, longer than is waited for ({longest:?})")
        }
        Some(pause) => format!("it answered {status} and asked to come again in {pause:?}"),
        None => format!("it answered {status}"),
    };
    Failure::new(Phase::Head, FailureKind::Status, message)
}

/// How long the response asks to stay away. Headers that count milliseconds are more exact, where there is one (Azure, OpenAI).
fn retry_after(exchanged: &Exchanged) -> Option<Duration> {
    const MILLIS: [HeaderName; 2] =
        [HeaderName::from_static("retry-after-ms"), HeaderName::from_static("x-ms-retry-after-ms")];
    let headers = &exchanged.head.as_ref()?.headers;
    let millis = MILLIS.iter().find_map(|name| retry_after::parse_millis(headers.get(name)?.as_bytes()));
    let values = headers.get_all(RETRY_AFTER).iter().map(HeaderValue::as_bytes);
    let bytes = |name| headers.get(name).map(HeaderValue::as_bytes);
    millis.or_else(|| retry_after::longest(values, retry_after::clock(bytes(DATE), bytes(AGE), SystemClock::date())))
}

/// The times of an attempt, as far as they are known.
pub(super) fn timings(
    flight: &Flight,
    first_byte: Option<Duration>,
    body: Option<Duration>,
    total: Duration,
) -> Timings {
    let dial = flight.dial.unwrap_or_default();
    Timings {
        queued: flight.dispatched.since(flight.job.accepted),
        backed_off: flight.backed_off(),
        dns: dial.dns,
        connect: dial.connect,
        tls: dial.tls,
        first_byte,
        body,
        total,
    }
}
