//! haul as a whole, run on one URL or several, and what must hold after every run whatever the peer did.

use std::io;
use std::num::NonZeroU32;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use haul::config::Config;
use haul::engine::{Engine, Extensions};
use haul::model::{FailureKind, Job, More, Outcome, Phase, Record, Rejected, Sink, Source, Time};
use haul::source::Urls;

use super::case::Verdict;

/// For the one time-out that a case expects to run out.
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

    /// In a hurry for this part of the exchange. The other time-outs do not run out by chance.
    pub(crate) fn hasty(self, phase: Phase) -> Self {
        self.with(|config| match phase {
            Phase::Connect => config.timeouts.connect = SOON,
            Phase::Tls => config.timeouts.tls = SOON,
            Phase::Head => config.timeouts.first_byte = SOON,
            _ => config.timeouts.idle = SOON,
        })
    }

    /// In a hurry where this verdict is one of time having run out.
    pub(crate) fn hasty_for(self, expected: Verdict) -> Self {
        match expected {
            Verdict::Failed { phase, kind: FailureKind::Timeout } => self.hasty(phase),
            _ => self,
        }
    }

    /// Fetches one URL.
    pub(crate) fn fetch(self, url: impl Into<String>) -> Verdict {
        Verdict::of(&self.fetch_all([url.into()])[0])
    }

    /// Fetches URLs; the outcomes come in the URLs' order. Holds that none was lost and none counted twice.
    pub(crate) fn fetch_all(self, urls: impl IntoIterator<Item = String>) -> Vec<Outcome> {
        let urls: Vec<String> = urls.into_iter().collect();
        let wanted = urls.len();
        let (sender, receiver) = channel();
        self.run(Box::new(Urls::new(urls)), Box::new(Tap(sender)), wanted);
        in_order(receiver, wanted)
    }

    /// The same, but a URL is not given to haul before the record of the one before has been written.
    pub(crate) fn fetch_in_turn(self, urls: impl IntoIterator<Item = String>) -> Vec<Outcome> {
        let urls: Vec<String> = urls.into_iter().collect();
        let wanted = urls.len();
        let (sender, receiver) = channel();
        let (written, turns) = channel();
        written.send(()).expect("the other end is here");
        let source = InTurn { urls: Urls::new(urls), turns };
        self.run(Box::new(source), Box::new(Telling { sink: Tap(sender), written }), wanted);
        in_order(receiver, wanted)
    }

    /// Runs to the end, and holds the law of conservation.
    fn run(self, source: Box<dyn Source>, sink: Box<dyn Sink>, wanted: usize) {
        let engine = Engine::with(self.config, self.extensions).expect("valid settings");
        let totals = engine.run(source, sink).totals;
        assert_eq!((totals.accepted, totals.cancelled), (wanted as u64, 0), "accepted, cancelled");
        assert_eq!(totals.succeeded + totals.failed, wanted as u64, "succeeded + failed");
    }
}

/// The outcomes by their numbers, of which each has to be there once.
fn in_order(outcomes: Receiver<Outcome>, wanted: usize) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = outcomes.iter().collect();
    outcomes.sort_by_key(|outcome| outcome.job.seq);
    let seqs: Vec<u64> = outcomes.iter().map(|outcome| outcome.job.seq).collect();
    assert_eq!(seqs, (0..wanted as u64).collect::<Vec<_>>(), "one record for each URL");
    outcomes
}

/// Gives the next URL when it is its turn.
struct InTurn {
    urls: Urls<std::vec::IntoIter<String>>,
    turns: Receiver<()>,
}

impl Source for InTurn {
    fn read(&mut self, _: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        // The sink goes only after the source has ended.
        self.turns.recv().expect("the sink is there");
        self.urls.read(1, now, into)
    }
}

/// Says when a record has been written.
struct Telling {
    sink: Tap,
    written: Sender<()>,
}

impl Sink for Telling {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        let written = batch.len();
        self.sink.write(batch, safe)?;
        // After the last one nobody may listen any more.
        for _ in 0..written {
            let _ = self.written.send(());
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
