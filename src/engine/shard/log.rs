//! What a shard logs: the events of its jobs, connections and hosts, as `tracing` events with fields.
//!
//! Owns the targets, the levels and the fields (docs/reference/LOGS.md has them all). Whoever has something to say calls a function here
//! from where it happens; while nobody listens at its level that is one load and one comparison, and nothing is formatted,
//! cloned or asked.

use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tracing::{Level, debug, enabled, info, trace};

use super::Shard;
use super::flight::Flight;
use super::host::Host;
use crate::conn::ExchangeOutcome;
use crate::model::{Attempt, CloseReason, DeferReason, Failure, FailureKind, Job, Outcome, Resolved, Time};
use crate::policy::redirect::NextHop;
use crate::pool::ConnId;
use crate::protocol::Protocol;
use crate::sched::{Capacity, HeldAgainst, HostId};
use crate::work;

/// The events of requests and their jobs.
const REQUEST: &str = "haul::request";
/// Those of connections.
const CONNECTION: &str = "haul::connection";
/// Those of hosts.
const HOST: &str = "haul::host";

/// Milliseconds, as they stand in events.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn ms_of(time: Option<Duration>) -> Option<f64> {
    time.map(ms)
}

/// A connection's name in the log: its shard and its number there.
#[derive(Clone, Copy, Debug)]
struct Name(usize, u64);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// An open connection whose end will be logged: when the last of those who hold this lets go.
#[derive(Debug)]
pub(super) struct CloseLog {
    origin: Box<str>,
    name: Name,
    remote: Option<SocketAddr>,
    /// Why it ends, once that is known. The run's end asks nobody.
    why: Cell<Option<CloseReason>>,
}

impl CloseLog {
    /// Why the connection ends. The first reason given is the one.
    pub(super) fn because(this: Option<&Rc<Self>>, why: CloseReason) {
        if let Some(ending) = this {
            ending.why.set(ending.why.get().or(Some(why)));
        }
    }
}

impl Drop for CloseLog {
    fn drop(&mut self) {
        let Self { origin, name, remote, why } = self;
        let why = why.get().unwrap_or(CloseReason::Shutdown);
        debug!(
            target: CONNECTION,
            url = %origin,
            connection = %name,
            remote = remote.map(tracing::field::display),
            reason = %why,
            "connection closed"
        );
    }
}

/// A failed attempt of a job, kept while it is decided what becomes of the job.
pub(super) struct FailedAttempt {
    url: String,
    /// How it ended, in words.
    cause: String,
}

/// Whether the events of a host are listened to: what is held against it is compared then.
fn watches_hosts() -> bool {
    enabled!(target: HOST, Level::INFO)
}

impl Shard {
    fn name(&self, id: ConnId) -> Name {
        Name(self.index, id.number())
    }

    /// A request goes out over a connection.
    pub(super) fn log_request(&self, flight: &Flight, id: ConnId, remote: Option<SocketAddr>) {
        if enabled!(target: REQUEST, Level::TRACE) {
            self.trace_request(flight, id, remote);
        }
    }

    #[cold]
    fn trace_request(&self, flight: &Flight, id: ConnId, remote: Option<SocketAddr>) {
        trace!(
            target: REQUEST,
            url = %flight.job.url,
            method = %self.requests.method(flight),
            attempt = work::attempts(&flight.job) + 1,
            connection = %self.name(id),
            reused = flight.dial.is_none(),
            remote = remote.map(tracing::field::display),
            "request"
        );
    }

    /// An exchange has ended, well or not.
    pub(super) fn log_exchange(
        &self,
        flight: &Flight,
        id: ConnId,
        remote: Option<SocketAddr>,
        exchanged: &ExchangeOutcome,
    ) {
        if enabled!(target: REQUEST, Level::TRACE) {
            self.trace_exchange(flight, id, remote, exchanged);
        }
    }

    #[cold]
    fn trace_exchange(&self, flight: &Flight, id: ConnId, remote: Option<SocketAddr>, exchanged: &ExchangeOutcome) {
        // Without a head there is a failure, and that has an event of its own.
        let Some(head) = &exchanged.head else { return };
        trace!(
            target: REQUEST,
            url = %flight.job.url,
            status = head.status.as_u16(),
            version = ?head.version,
            connection = %self.name(id),
            reused = flight.dial.is_none(),
            remote = remote.map(tracing::field::display),
            first_byte_ms = ms_of(exchanged.first_byte),
            total_ms = ms(exchanged.ended.since(flight.dispatched)),
            wire_bytes = exchanged.wire_bytes,
            "response"
        );
    }

    /// A connection is open. What is returned says so when it no longer is.
    pub(super) fn log_opened(
        &self,
        flight: &Flight,
        id: ConnId,
        remote: Option<SocketAddr>,
        protocol: Protocol,
        resumed: bool,
    ) -> Option<Rc<CloseLog>> {
        if !enabled!(target: CONNECTION, Level::DEBUG) {
            return None;
        }
        let (dial, origin, name) = (flight.dial.unwrap_or_default(), flight.job.url.origin(), self.name(id));
        debug!(
            target: CONNECTION,
            url = %origin,
            connection = %name,
            remote = remote.map(tracing::field::display),
            protocol = %protocol.name(),
            dns_ms = ms_of(dial.dns),
            connect_ms = ms_of(dial.connect),
            tls_ms = ms_of(dial.tls),
            tls_resumed = dial.tls.map(|_| resumed),
            "connection opened"
        );
        Some(Rc::new(CloseLog { origin: origin.into(), name, remote, why: Cell::new(None) }))
    }

    /// A redirect is followed.
    pub(super) fn log_redirect(&self, job: &Job, step: &NextHop) {
        let hops = || job.hops().len();
        debug!(
            target: REQUEST,
            url = %job.url,
            to = %step.url,
            status = step.status,
            method = %step.method,
            hop = hops() + 1,
            "redirect"
        );
    }

    /// What an attempt was, if somebody wants to know what becomes of its job.
    pub(super) fn tried(&self, flight: &Flight, attempt: &Attempt) -> Option<FailedAttempt> {
        enabled!(target: REQUEST, Level::DEBUG).then(|| {
            let cause = match &attempt.result {
                Ok(response) => format!("status {}", response.status),
                Err(Failure { phase, kind, message, .. }) => format!("{phase}/{kind}: {message}"),
            };
            FailedAttempt { url: flight.job.url.to_string(), cause }
        })
    }

    /// The job of an attempt comes again, or not: then its end is logged.
    pub(super) fn log_retry(&self, tried: Option<FailedAttempt>, attempts: u32, now: Time) {
        let Some(FailedAttempt { url, cause }) = tried else { return };
        if let Some(due) = self.sched.borrow().comes_again_at() {
            let wait_ms = ms(due.since(now));
            debug!(target: REQUEST, %url, attempts, wait_ms, %cause, "retry");
        }
    }

    /// A job's end: failures, and responses that were not tried again though they ask for it.
    pub(super) fn log_outcome(&self, outcome: &Outcome) {
        if enabled!(target: REQUEST, Level::INFO) {
            log_end(outcome);
        }
    }

    /// The name of a host is looked up: its jobs wait for that.
    pub(super) fn log_resolving(&self, url: &str) {
        debug!(target: HOST, %url, "looking up name");
    }

    /// It was found, or not.
    pub(super) fn log_resolved(&self, url: &str, answer: &Result<Resolved, Failure>, took: Duration) {
        let dns_ms = ms(took);
        match answer {
            Ok(resolved) => {
                debug!(target: HOST, %url, addresses = ?resolved.addresses, dns_ms, "name found");
            }
            Err(failure) => {
                info!(target: HOST, %url, kind = %failure.kind, error = %failure.message, dns_ms, "name not found");
            }
        }
    }

    /// It has become known how many requests a host's connections carry at once.
    pub(super) fn log_capacity(&self, host: HostId, capacity: Capacity) {
        if enabled!(target: HOST, Level::DEBUG) {
            let requests = if let Capacity::Streams(all) = capacity { Some(all.get()) } else { None };
            self.with_origin(host, |url| {
                debug!(target: HOST, %url, requests_at_once = requests, "connections known");
            });
        }
    }

    /// A host is asked over HTTP/1.1 alone from now on.
    pub(super) fn log_http1(&self, host: HostId) {
        if enabled!(target: HOST, Level::DEBUG) {
            self.with_origin(host, |url| debug!(target: HOST, %url, "host wants HTTP/1.1"));
        }
    }

    /// Nothing is started any longer, or again.
    pub(super) fn log_pause(&self, paused: bool, why: &'static str) {
        let shard = self.index;
        if paused {
            debug!(target: HOST, shard, %why, "all hosts paused");
        } else {
            debug!(target: HOST, shard, %why, "all hosts go on");
        }
    }

    /// What is held against the host, if somebody wants to know how that changes.
    pub(super) fn held_before(&self, host: HostId, now: Time) -> Option<HeldAgainst> {
        watches_hosts().then(|| self.sched.borrow().held_against(host, now))
    }

    /// What is held against the host has perhaps changed.
    pub(super) fn log_host(&self, host: HostId, before: Option<HeldAgainst>, now: Time) {
        if let Some(before) = before {
            self.compare_host(host, before, now);
        }
    }

    #[cold]
    fn compare_host(&self, host: HostId, before: HeldAgainst, now: Time) {
        let after = self.sched.borrow().held_against(host, now);
        if after == before {
            return;
        }
        self.hosts.with(host, |known| log_held(known, before, after, now));
    }

    fn with_origin(&self, host: HostId, say: impl FnOnce(&str)) {
        self.hosts.with(host, |host| say(&host.origin));
    }
}

/// What is held against a host has changed.
fn log_held(known: &Host, before: HeldAgainst, after: HeldAgainst, now: Time) {
    let (url, cause) = (&*known.origin, known.trouble().map(|trouble| tracing::field::display(&trouble.message)));
    match (before.dead, after.dead) {
        (before, Some(kind)) if before.is_none() => {
            let for_ms = ms(after.dead_until.since(now));
            info!(target: HOST, %url, reason = %kind, for_ms, cause, "host given up");
        }
        _ if before.is_tripped && !after.is_tripped => info!(target: HOST, %url, "host answers again"),
        _ => {}
    }
    if after.rests_until > now.max(before.rests_until) {
        let for_ms = ms(after.rests_until.since(now));
        info!(target: HOST, %url, reason = %DeferReason::BackOff, for_ms, cause, "host paused");
    } else if before.rests_until > now && after.rests_until <= now {
        debug!(target: HOST, %url, "host's pause is over");
    }
    log_throttle(url, before, after);
}

/// This machine had nothing to look a name up with.
pub(super) fn log_lack(name: &str, failure: &Failure, wait: Duration) {
    debug!(target: HOST, %name, error = %failure.message, wait_ms = ms(wait), "looking up name again");
}

/// How fast a host is asked has changed by what its answers showed.
fn log_throttle(url: &str, before: HeldAgainst, after: HeldAgainst) {
    let pace = |held: HeldAgainst| (held.spacing, held.at_once);
    if pace(before) == pace(after) {
        return;
    }
    let spacing_ms = (!after.spacing.is_zero()).then(|| ms(after.spacing));
    let at_once = (after.at_once < u32::MAX).then_some(after.at_once);
    match (before.is_free(), after.is_free()) {
        (true, false) => info!(target: HOST, %url, spacing_ms, at_once, "host throttled"),
        (false, true) => info!(target: HOST, %url, "host no longer throttled"),
        _ => debug!(target: HOST, %url, spacing_ms, at_once, "host throttled more or less"),
    }
}

/// How a job ended, if not well.
#[cold]
fn log_end(outcome: &Outcome) {
    let (job, attempts) = (&outcome.job, outcome.attempts);
    let gave_up = job.gave_up();
    let gave_up = gave_up.map(tracing::field::display);
    match &outcome.last.result {
        Err(Failure { kind: FailureKind::Cancelled, message, .. }) => {
            debug!(target: REQUEST, url = %job.url, attempts, error = %message, "cancelled");
        }
        Err(Failure { phase, kind, message, .. }) => {
            let hops = job.hops().len();
            info!(
                target: REQUEST,
                url = %job.url,
                phase = %phase,
                kind = %kind,
                attempts,
                redirects = (hops > 0).then_some(hops),
                gave_up,
                error = %message,
                "failed"
            );
        }
        Ok(response) if gave_up.is_some() => {
            info!(target: REQUEST, url = %job.url, status = response.status, attempts, gave_up, "not tried again");
        }
        Ok(_) => {}
    }
}
