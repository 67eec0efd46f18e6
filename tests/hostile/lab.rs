//! haul as a whole, run on one URL or several, and what must hold after every run whatever the peer did.

use std::io;
use std::num::NonZeroU32;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use haul::config::Config;
use haul::engine::{Engine, Extensions};
use haul::model::{Outcome, Record, Sink};
use haul::source::Urls;

use super::case::Verdict;

/// For the one time-out that a case expects to run out. All others are too long to do so on a busy machine.
pub(crate) const SOON: Duration = Duration::from_millis(300);
/// For the others. Below the runner's deadline.
const LATE: Duration = Duration::from_secs(15);

/// A run to be.
pub(crate) struct Lab {
    pub(crate) config: Config,
    pub(crate) extensions: Extensions,
}

impl Lab {
    /// One request at a time, no retries, bodies kept, time-outs that do not run out by chance.
    pub(crate) fn new() -> Self {
        let mut config = Config::default();
        config.limits.shards = 1;
        config.limits.per_host = NonZeroU32::MIN;
        config.retries.retries = 0;
        config.body.keep = true;
        let timeouts = &mut config.timeouts;
        for timeout in [&mut timeouts.dns, &mut timeouts.connect, &mut timeouts.tls, &mut timeouts.first_byte] {
            *timeout = LATE;
        }
        (timeouts.idle, timeouts.total) = (LATE, LATE + Duration::from_secs(5));
        Self { config, extensions: Extensions::default() }
    }

    /// With other settings.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Fetches one URL.
    pub(crate) fn fetch(self, url: impl Into<String>) -> Verdict {
        Verdict::of(&self.fetch_all([url.into()])[0])
    }

    /// Fetches URLs; the outcomes come in the URLs' order. Holds that none was lost and none counted twice.
    pub(crate) fn fetch_all(self, urls: impl IntoIterator<Item = String>) -> Vec<Outcome> {
        let urls: Vec<String> = urls.into_iter().collect();
        let wanted = urls.len() as u64;
        let (sender, receiver) = channel();
        let engine = Engine::with(self.config, self.extensions).expect("valid settings");
        let report = engine.run(Box::new(Urls::new(urls)), Box::new(Tap(sender)));
        let totals = report.totals;
        assert_eq!((totals.accepted, totals.cancelled), (wanted, 0), "accepted, cancelled");
        assert_eq!(totals.succeeded + totals.failed, wanted, "succeeded + failed");
        let mut outcomes: Vec<Outcome> = receiver.iter().collect();
        outcomes.sort_by_key(|outcome| outcome.job.seq);
        let seqs: Vec<u64> = outcomes.iter().map(|outcome| outcome.job.seq).collect();
        assert_eq!(seqs, (0..wanted).collect::<Vec<_>>(), "one record for each URL");
        outcomes
    }
}

/// Sends the records to the case.
struct Tap(Sender<Outcome>);

impl Sink for Tap {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        for record in batch.drain(..) {
            safe.push(record.seq());
            match record {
                Record::Fetched(outcome) => self.0.send(outcome).expect("the case waits for the run's end"),
                Record::Rejected(rejected) => panic!("the lab's URLs are valid: {rejected:?}"),
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
