//! A run that finds no descriptor for a while goes on when there are some again, as wide as before. A test of its own
//! process: the limit is the process's.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use haul::config::Config;
use haul::engine::Engine;
use haul::model::{Job, More, Record, Rejected, Sink, Source, Time, WebUrl};
use haul_testsupport::origin::Origin;

/// Gives one job; when it is done, takes all descriptors for half a second and gives the rest meanwhile.
struct Hoarder {
    urls: Vec<String>,
    next: u64,
    done: Receiver<()>,
}

impl Source for Hoarder {
    fn read(&mut self, _: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        if self.next == 1 {
            self.done.recv().expect("the first job's record");
            let hoard = hoard();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(500));
                drop(hoard);
            });
        }
        let Some(url) = self.urls.get(usize::try_from(self.next).expect("small")) else { return Ok(More::No) };
        into.push(Ok(Job::new(self.next, WebUrl::parse(url).expect("valid").0, now)));
        self.next += 1;
        Ok(More::Yes)
    }
}

/// All descriptors there are.
fn hoard() -> Vec<File> {
    let (_, hard) = rlimit::Resource::NOFILE.get().expect("a limit");
    rlimit::setrlimit(rlimit::Resource::NOFILE, 400, hard).expect("lower than before");
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// Counts what succeeded.
struct Count {
    fine: Sender<bool>,
    done: Sender<()>,
}

impl Sink for Count {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        for record in batch.drain(..) {
            safe.push(record.seq());
            let _ = self.done.send(());
            let _ = self.fine.send(matches!(record, Record::Fetched(outcome) if outcome.last.result.is_ok()));
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_want_of_descriptors_passes() {
    let origin = Origin::start();
    let urls = (0..201).map(|n| origin.url_on(&format!("127.0.7.{}", n % 20 + 1), &format!("/slow/20/{n}"))).collect();
    let (done, receiver) = channel();
    let (fine, results) = channel();
    let mut config = Config::default();
    config.limits.shards = 2;
    let engine = Engine::new(config).expect("valid");
    let report = engine.run(Box::new(Hoarder { urls, next: 0, done: receiver }), Box::new(Count { fine, done }));
    assert_eq!(results.iter().filter(|fine| *fine).count(), 201);
    assert_eq!(report.totals.failed, 0);
    assert!(origin.most_in_flight() > 10, "narrow for good: {} in flight", origin.most_in_flight());
}
