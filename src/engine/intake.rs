//! The intake thread: reads the source, sends each job to the shard that owns its host.

use std::io;
use std::sync::Arc;

use super::message::{Message, ToOutlet};
use super::shard::cost;
use super::shared::Shared;
use super::window::LargeBytes;
use crate::model::{Clock, Failure, Job, More, Record, Rejected, Source};
use crate::work::{self, Work};

/// Entries per read: enough to make a hand-over cheap, few enough that the first ones are fetched at once.
const BATCH: usize = 256;

/// Reads `source` to its end, or until the run is stopped. Returns how reading ended.
pub(super) fn run(shared: &Arc<Shared>, mut source: Box<dyn Source>) -> io::Result<()> {
    let mut entries = Vec::with_capacity(BATCH);
    let keep_times = source.sets_times();
    loop {
        let more = source.read(BATCH, shared.clock.now(), &mut entries);
        if !keep_times {
            // A read may wait for its first entry: that is the source's time, not the time a job spends in a queue.
            let now = shared.clock.now();
            entries.iter_mut().flatten().for_each(|job| job.accepted = now);
        }
        if !entries.is_empty() && !hand_over(shared, &mut entries) {
            return Ok(());
        }
        match more {
            Ok(More::Yes) if !shared.is_stopped() => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Sends entries on their way once the window has room; false when the run is being stopped.
fn hand_over(shared: &Shared, entries: &mut Vec<Result<Job, Rejected>>) -> bool {
    let bytes = entries.iter_mut().flatten().map(|job| weigh(job, shared.small_job)).sum();
    if !shared.window.admit(entries.len(), bytes) {
        return false;
    }
    shared.intake.accepted.add(entries.len() as u64);
    if shared.settles() {
        let seq = |entry: &Result<Job, Rejected>| entry.as_ref().map_or_else(|line| line.seq, |job| job.seq);
        shared.tell_outlet(ToOutlet::Admitted(entries.iter().map(seq).collect()));
    }
    let mut jobs: Vec<Vec<Job>> = Vec::new();
    jobs.resize_with(shared.shards, || Vec::with_capacity(entries.len() / shared.shards));
    let mut rejected = Vec::new();
    let mut shard = 0;
    for entry in entries.drain(..) {
        match entry {
            Ok(job) => {
                // Lists are often sorted by host, and to find the shard of one takes 600 instructions of 800 here.
                if jobs[shard].last().is_none_or(|last| last.url.origin() != job.url.origin()) {
                    shard = shared.shard_of(&job.url);
                }
                jobs[shard].push(job);
            }
            Err(line) => {
                let Failure { phase, kind, message, .. } = &line.failure;
                tracing::info!(target: "haul::request", url = %line.given, %phase, %kind, error = %message, "refused");
                rejected.push(Record::Rejected(line));
            }
        }
    }
    if !rejected.is_empty() {
        let lines = rejected.len();
        shared.intake.rejected.add(lines as u64);
        shared.backlog.wait_in_intake();
        shared.backlog.add(rejected.iter().map(cost).sum());
        shared.deliver(rejected);
        shared.window.ended(lines, LargeBytes::default());
    }
    for (shard, jobs) in jobs.into_iter().enumerate().filter(|(_, jobs)| !jobs.is_empty()) {
        shared.send(shard, Message::Jobs(jobs));
    }
    true
}

/// The bytes of a large job, noted in it so that the window gets the same number back whatever redirects make of it.
fn weigh(job: &mut Job, small: usize) -> u64 {
    if job.extra.is_some() {
        // It may be one that has been through a run.
        *work::of_mut(job) = Work::default();
    }
    let bytes = job.bytes();
    if bytes <= small {
        return 0;
    }
    work::of_mut(job).held_bytes = bytes as u64;
    bytes as u64
}
