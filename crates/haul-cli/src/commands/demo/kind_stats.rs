//! What became of the demo's URLs, by kind of host: a sink that counts, and writes on if there is where to.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul::model::{FailureKind, Outcome, Record, Sink, Time};

use super::list::Kind;

/// What became of the URLs of one kind of host.
#[derive(Clone, Debug, Default)]
pub(super) struct KindStats {
    pub(super) responses: u64,
    pub(super) failed: u64,
    /// Responses with a status from 500.
    pub(super) server_errors: u64,
    /// URLs that were never tried, because their host was given up.
    pub(super) untried: u64,
    /// Attempts beyond the first, redirects not counted.
    pub(super) retries: u64,
    /// How long the last attempts took.
    pub(super) times: Vec<Duration>,
    /// When each ended, since the start.
    pub(super) ends: Vec<Duration>,
}

impl KindStats {
    fn count(&mut self, outcome: &Outcome) {
        match &outcome.last.result {
            Ok(response) => {
                self.responses += 1;
                self.server_errors += u64::from(response.status >= 500);
                self.times.push(outcome.last.timings.total);
            }
            Err(failure) => {
                self.failed += 1;
                self.untried += u64::from(failure.kind == FailureKind::HostDead);
            }
        }
        let hops = outcome.job.hops().len() as u64;
        self.retries += u64::from(outcome.attempts).saturating_sub(hops + 1);
        let timings = &outcome.last.timings;
        self.ends.push(outcome.job.accepted.since(Time::ZERO) + timings.queued + timings.total);
    }
}

/// By kind.
pub(super) type StatsByKind = HashMap<Kind, KindStats>;

/// Counts records on their way.
pub(super) struct CountingSink {
    /// The kind of each URL's host, by position.
    pub(super) kinds: Vec<Kind>,
    pub(super) tally: Arc<Mutex<StatsByKind>>,
    pub(super) onward: Box<dyn Sink>,
}

impl Sink for CountingSink {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        let mut tally = self.tally.lock().expect("no holder of this lock panics");
        for record in batch.iter() {
            if let Record::Fetched(outcome) = record
                && let Some(kind) = usize::try_from(outcome.job.seq).ok().and_then(|seq| self.kinds.get(seq))
            {
                tally.entry(*kind).or_default().count(outcome);
            }
        }
        drop(tally);
        self.onward.write(batch, safe)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.onward.flush()
    }

    fn finish(&mut self, safe: &mut Vec<u64>) -> io::Result<()> {
        self.onward.finish(safe)
    }
}
