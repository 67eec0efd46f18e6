//! Outcomes on their way to the sink: counted, batched, handed over.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hdrhistogram::Histogram;

use crate::engine::message::ToOutlet;
use crate::engine::shared::Shared;
use crate::engine::top_hosts::TopHosts;
use crate::engine::window::LargeBytes;
use crate::model::{CompleteResponse, Failure, FailureKind, Outcome, Phase, Record};

/// Records per hand-over: one lock and one wake-up for so many, and at the most two changes of threads.
const BATCH: usize = 1024;
/// Bytes of records that are handed over however few they are: the sink's backlog counts them from then on.
const BATCH_BYTES: usize = 1 << 20;
/// The longest time the histogram tells apart; it takes 180 KiB.
const HOUR_IN_MICROS: u64 = 3_600_000_000;

/// What a shard has to tell at its end.
#[derive(Debug)]
pub(in crate::engine) struct ShardReport {
    /// Failures by where and why.
    pub(in crate::engine) failures: BTreeMap<(Phase, FailureKind), u64>,
    /// The attempts' total times of all jobs with a response, in microseconds.
    pub(in crate::engine) latency: Histogram<u64>,
    /// The slowest hosts and those that ended last.
    pub(in crate::engine) top_hosts: TopHosts,
    /// Requests in flight at the end.
    pub(in crate::engine) cut_off: u64,
}

impl Default for ShardReport {
    fn default() -> Self {
        let latency = Histogram::new_with_bounds(1, HOUR_IN_MICROS, 3).expect("bounds and digits are the library's");
        Self { failures: BTreeMap::new(), latency, top_hosts: TopHosts::default(), cut_off: 0 }
    }
}

/// Records that wait for the hand-over.
#[derive(Debug, Default)]
struct Waiting {
    records: Vec<Record>,
    /// What they hold in memory.
    cost: usize,
    /// The bytes of large jobs among them, as the window counts them.
    held: LargeBytes,
    /// The positions of jobs that have been replied to, for a source that wants to know.
    replied: Vec<u64>,
}

/// A shard's way to the sink, and its books of what went there.
pub(super) struct Outbox {
    index: usize,
    shared: Arc<Shared>,
    waiting: RefCell<Waiting>,
    report: RefCell<ShardReport>,
    waker: RefCell<Option<Waker>>,
}

impl Outbox {
    pub(super) fn new(index: usize, shared: &Arc<Shared>) -> Self {
        let (waiting, report, waker) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { index, shared: Arc::clone(shared), waiting, report, waker }
    }

    /// Hands an outcome to whom it is for: its reply at once, or the sink in a batch.
    pub(super) fn put(&self, mut outcome: Outcome) {
        match outcome.job.extra.as_mut().and_then(|extra| extra.reply.take()) {
            Some(reply) => {
                let (seq, held) = (outcome.job.seq, LargeBytes::by(&outcome.job));
                let is_cancelled =
                    matches!(&outcome.last.result, Err(failure) if failure.kind == FailureKind::Cancelled);
                reply.end(outcome);
                if self.shared.settles() && !is_cancelled {
                    self.note_reply(seq);
                }
                self.shared.window.ended(1, held);
                self.shared.window.safe(1);
            }
            None => self.queue(outcome),
        }
    }

    #[cold]
    fn note_reply(&self, seq: u64) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.replied.push(seq);
        let replied = waiting.replied.len();
        drop(waiting);
        self.look_after(replied, 0);
    }

    fn queue(&self, outcome: Outcome) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.held.add(LargeBytes::by(&outcome.job));
        waiting.cost += cost_of(&outcome);
        waiting.records.push(Record::Fetched(outcome));
        let (records, cost) = (waiting.records.len(), waiting.cost);
        drop(waiting);
        self.look_after(records, cost);
    }

    /// So many wait for the hand-over now, of so many bytes.
    fn look_after(&self, count: usize, cost: usize) {
        if count >= BATCH || cost >= BATCH_BYTES {
            self.flush();
        } else if count == 1
            && let Some(waker) = self.waker.borrow().as_ref()
        {
            waker.wake_by_ref();
        }
    }

    /// Takes an outcome into the books.
    pub(super) fn count(&self, outcome: &Outcome) {
        let counters = &self.shared.counters[self.index];
        let mut report = self.report.borrow_mut();
        counters.retries.add(retries(outcome));
        match &outcome.last.result {
            Ok(response) => {
                counters.succeeded.add(1);
                counters.body_bytes.add(response.body_bytes);
                counters.status[usize::from(response.status / 100).min(5)].add(1);
                let micros = u64::try_from(outcome.last.timings.total.as_micros()).unwrap_or(u64::MAX);
                report.latency.saturating_record(micros);
            }
            Err(Failure { kind: FailureKind::Cancelled, .. }) => counters.cancelled.add(1),
            Err(failure) => {
                counters.failed.add(1);
                *report.failures.entry((failure.phase, failure.kind)).or_default() += 1;
            }
        }
    }

    /// Jobs that end without a record: the run was stopped before they were tried.
    pub(super) fn cancelled(&self, jobs: usize) {
        self.shared.counters[self.index].cancelled.add(jobs as u64);
        self.shared.window.cancelled(jobs);
    }

    /// Requests in flight that end with the shard, and have no record either.
    pub(super) fn cut_off(&self, requests: u32) {
        self.cancelled(requests as usize);
        self.report.borrow_mut().cut_off = requests.into();
    }

    /// Hands the queued records over.
    pub(super) fn flush(&self) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.replied.is_empty() {
            self.shared.tell_outlet(ToOutlet::Replied(std::mem::take(&mut waiting.replied)));
        }
        if !waiting.records.is_empty() {
            let jobs = waiting.records.len();
            // Room for as many again: growing step by step copies each record about once more.
            let records = std::mem::replace(&mut waiting.records, Vec::with_capacity(jobs));
            let held = std::mem::take(&mut waiting.held);
            self.shared.backlog.add(std::mem::take(&mut waiting.cost));
            self.shared.deliver(records);
            self.shared.window.ended(jobs, held);
        }
    }

    /// Ready when a record waits.
    pub(super) fn poll_waiting(&self, cx: &Context<'_>) -> Poll<()> {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        let waiting = self.waiting.borrow();
        if waiting.records.is_empty() && waiting.replied.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// What the shard has to tell at its end, but for its hosts.
    pub(super) fn report(&self) -> ShardReport {
        self.report.take()
    }
}

/// Attempts beyond one per hop.
fn retries(outcome: &Outcome) -> u64 {
    let hops = outcome.job.hops().len() as u64;
    u64::from(outcome.attempts).saturating_sub(hops + 1)
}

/// What a record holds in memory until it is written, about.
pub(in crate::engine) fn cost(record: &Record) -> usize {
    match record {
        Record::Fetched(outcome) => cost_of(outcome),
        Record::Rejected(line) => {
            let id = line.id.as_ref().map_or(0, |id| id.len());
            size_of::<Record>() + line.given.len() + id + line.failure.message.len()
        }
    }
}

fn cost_of(outcome: &Outcome) -> usize {
    let text = match &outcome.last.result {
        Ok(response) => content(response),
        Err(failure) => failure.message.len(),
    };
    size_of::<Record>() + outcome.job.bytes() + text
}

/// The buffer that a response was read into, of which its headers and its body are parts: the smallest, and the usual one.
const READ_BUFFER: usize = 8 << 10;

/// What a header takes beside its text.
const HEADER: usize = size_of::<(http::HeaderName, http::HeaderValue)>();

/// What is kept of a response.
fn content(response: &CompleteResponse) -> usize {
    let Some(headers) = &response.headers else { return response.body.as_ref().map_or(0, bytes::Bytes::len) };
    let headers: usize = headers.iter().map(|(name, value)| HEADER + name.as_str().len() + value.len()).sum();
    READ_BUFFER + headers + response.body.as_ref().map_or(0, bytes::Bytes::len)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::config::Config;
    use crate::engine::Engine;
    use crate::model::{Attempt, Job, Time, WebUrl};

    fn outbox() -> Outbox {
        let mut config = Config::default();
        config.limits.shards = 1;
        Outbox::new(0, &Engine::new(config).expect("a machine that can run haul").shared)
    }

    /// Takes in an outcome whose failure has a message of so many bytes.
    fn put(outbox: &Outbox, bytes: usize, kind: FailureKind) {
        outbox.shared.window.admit(1, 0);
        let job = Job::new(0, WebUrl::parse("http://a.example/").expect("a URL").0, Time::ZERO);
        let last = Attempt::unsent(Failure::new(Phase::Connect, kind, "m".repeat(bytes)));
        let outcome = Outcome { job, attempts: 3, last };
        outbox.count(&outcome);
        outbox.put(outcome);
    }

    fn waits(outbox: &Outbox) -> usize {
        let count = outbox.waiting.borrow().records.len();
        let is_ready = outbox.poll_waiting(&Context::from_waker(Waker::noop())).is_ready();
        assert_eq!(is_ready, count > 0);
        count
    }

    #[test]
    fn records_wait_until_they_are_many_or_large_or_it_is_time() {
        let outbox = outbox();
        (0..BATCH - 1).for_each(|_| put(&outbox, 1, FailureKind::Refused));
        assert_eq!(waits(&outbox), BATCH - 1);
        put(&outbox, 1, FailureKind::Refused);
        assert_eq!(waits(&outbox), 0, "a batch is full");
        put(&outbox, BATCH_BYTES, FailureKind::Refused);
        assert_eq!(waits(&outbox), 0, "one is as large as many");
        put(&outbox, 1, FailureKind::Refused);
        outbox.flush();
        assert_eq!(waits(&outbox), 0);
    }

    #[test]
    fn the_books_tell_failures_from_what_was_cancelled() {
        let outbox = outbox();
        put(&outbox, 1, FailureKind::Refused);
        put(&outbox, 1, FailureKind::Refused);
        put(&outbox, 1, FailureKind::Cancelled);
        let counters = &outbox.shared.counters[0];
        assert_eq!((counters.failed.get(), counters.cancelled.get(), counters.retries.get()), (2, 1, 6));
        assert_eq!(outbox.report().failures, BTreeMap::from([((Phase::Connect, FailureKind::Refused), 2)]));
    }
}
