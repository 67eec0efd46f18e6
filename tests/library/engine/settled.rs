//! Each job that a run has taken from its source is settled exactly once, whatever becomes of it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use haul::config::Config;
use haul::engine::{Engine, RunReport};
use haul::model::{
    Acknowledge, BodyUse, Ending, Failure, FailureKind, Job, More, Outcome, Phase, Record, Rejected, Reply,
    ResponseHead, Settled, Sink, Source, Time, WebUrl,
};
use haul::sink::Null;

use haul_testsupport::origin::Origin;

/// What a source was told, by position.
type Book = Arc<Mutex<BTreeMap<u64, Vec<Ending>>>>;

/// Takes a reply of its own, and forgets it.
struct Forgetful;

impl Reply for Forgetful {
    fn head(&self, _: &ResponseHead<'_>) -> BodyUse {
        BodyUse::Collect
    }

    fn poll_gone(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn end(self: Box<Self>, _: Outcome) {}
}

/// Of each three entries one is recorded, one replied to, one rejected; and what is told of them is written down.
struct Thirds {
    url: String,
    next: u64,
    end: u64,
    book: Book,
}

impl Source for Thirds {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        for seq in (self.next..self.end).take(max) {
            let mut job = Job::new(seq, WebUrl::parse(&self.url).expect("a URL").0, now);
            let failure = Failure::new(Phase::Input, FailureKind::BadUrl, "no URL");
            into.push(match seq % 3 {
                0 => Ok(job),
                1 => {
                    job.extra_mut().reply = Some(Box::new(Forgetful));
                    Ok(job)
                }
                _ => Err(Rejected { seq, line: seq + 1, given: "#".into(), id: None, failure }),
            });
            self.next += 1;
        }
        Ok(if self.next < self.end { More::Yes } else { More::No })
    }

    fn acknowledger(&mut self) -> Option<Box<dyn Acknowledge>> {
        Some(Box::new(Clerk(Arc::clone(&self.book))))
    }
}

struct Clerk(Book);

impl Acknowledge for Clerk {
    fn settled(&mut self, jobs: &[Settled]) {
        let mut book = self.0.lock().expect("nobody panics");
        jobs.iter().for_each(|job| book.entry(job.seq).or_default().push(job.ending));
    }
}

/// Runs so many; what each was settled as.
fn run(
    config: Config,
    url: String,
    jobs: u64,
    sink: Box<dyn Sink>,
    stop: Option<Duration>,
) -> (RunReport, BTreeMap<Ending, usize>) {
    let book = Book::default();
    let source = Thirds { url, next: 0, end: jobs, book: Arc::clone(&book) };
    let engine = Engine::new(config).expect("valid settings");
    if let Some(after) = stop {
        let handle = engine.handle();
        std::thread::spawn(move || {
            std::thread::sleep(after);
            handle.stop_now();
        });
    }
    let report = engine.run(Box::new(source), sink);
    let book = book.lock().expect("nobody panics");
    let mut endings = BTreeMap::new();
    for (seq, told) in book.iter() {
        assert_eq!(told.len(), 1, "{seq}: {told:?}");
        *endings.entry(told[0]).or_default() += 1;
    }
    let taken = report.totals.accepted;
    assert_eq!(book.len() as u64, taken, "each that was taken in: {endings:?}");
    assert!(book.keys().copied().eq(0..taken));
    (report, endings)
}

#[test]
fn records_and_replies_are_told_apart() {
    let origin = Origin::start();
    for shards in [1, 2] {
        let mut config = super::config();
        config.limits.shards = shards;
        let (_, endings) = run(config, origin.url("/bytes/10"), 3000, Box::new(Null), None);
        assert_eq!(endings, BTreeMap::from([(Ending::Recorded, 2000), (Ending::Replied, 1000)]));
    }
}

#[test]
fn what_a_stop_cuts_short_is_cancelled_wherever_it_is() {
    let origin = Origin::start();
    for shards in [1, 2] {
        let mut config = super::config();
        (config.limits.shards, config.limits.window) = (shards, 500);
        let (report, endings) =
            run(config, origin.url("/delay/50ms"), 100_000, Box::new(Null), Some(Duration::from_millis(400)));
        assert!(report.stopped && report.totals.cancelled > 0);
        assert_eq!(endings.get(&Ending::Cancelled).copied(), Some(report.totals.cancelled as usize), "{endings:?}");
        assert!(endings.contains_key(&Ending::Recorded) && endings.contains_key(&Ending::Replied), "{endings:?}");
        assert!(!endings.contains_key(&Ending::Unwritten), "{endings:?}");
    }
}

#[test]
fn what_a_broken_sink_did_not_take_is_unwritten() {
    /// Takes so many records.
    struct Full(usize);
    impl Sink for Full {
        fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
            let fits = self.0.min(batch.len());
            safe.extend(batch.drain(..fits).map(|record| record.seq()));
            self.0 -= fits;
            if batch.is_empty() { Ok(()) } else { Err(io::Error::other("the disk is full")) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let origin = Origin::start();
    let (report, endings) = run(super::config(), origin.url("/bytes/10"), 3000, Box::new(Full(100)), None);
    assert_eq!(endings.get(&Ending::Recorded), Some(&100), "{endings:?}");
    assert_eq!(endings.get(&Ending::Unwritten).map(|count| *count as u64), Some(report.unwritten), "{endings:?}");
    assert!(report.sink_error.is_some() && report.unwritten > 0);
}
