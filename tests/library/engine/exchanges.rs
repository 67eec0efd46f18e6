//! Hooks see every exchange, in their order, and state of a thread's own needs no lock.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use haul::config::Config;
use haul::engine::{Engine, Extensions};
use haul::model::{Attempt, BodyUse, BodyWriter, Failure, Hooks, Job, Outcome, RequestHead, ResponseHead};
use haul::save::{Naming, SaveBodies};
use haul::sink::Null;
use haul::source::Urls;

use super::{Origin, config};

/// Writes down what it sees.
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, line: String) {
        self.0.lock().expect("no holder panics").push(line);
    }
}

impl Hooks for Diary {
    fn request(&self, head: &mut RequestHead<'_>) -> Result<(), Box<str>> {
        assert!(head.remote.is_some() && head.headers.contains_key("host") && head.version == http::Version::HTTP_11);
        self.note(format!("{} {} after {}", head.method, head.job.url.target(), head.earlier_attempts));
        Ok(())
    }

    fn head(&self, head: &ResponseHead<'_>) {
        let what = if head.followed { ", followed" } else { "" };
        self.note(format!("  {}{what}", head.status.as_u16()));
    }

    fn body(&self, head: &ResponseHead<'_>) -> BodyUse {
        self.note(format!("  a body{}", if head.last { "" } else { ", perhaps not the last" }));
        BodyUse::Collect
    }

    fn attempt(&self, job: &Job, attempt: &Attempt) {
        let result = attempt.result.as_ref();
        let end = result.map_or_else(|failure| failure.kind.to_string(), |response| response.status.to_string());
        self.note(format!("  ended with {end} at {}", job.url.target()));
    }

    fn outcome(&self, outcome: &Outcome) {
        self.note(format!("{} attempts", outcome.attempts));
    }
}

fn run(config: Config, extensions: Extensions, urls: Vec<String>) {
    let count = urls.len() as u64;
    let report =
        Engine::with(config, extensions).expect("valid settings").run(Box::new(Urls::new(urls)), Box::new(Null));
    assert_eq!(report.totals.succeeded, count);
}

#[test]
fn redirects_and_repeated_attempts_are_seen() {
    let (origin, diary) = (Origin::start(), Arc::default());
    let mut extensions = Extensions::default();
    extensions.add_hooks(Diary(Arc::clone(&diary)));
    let mut config = config();
    config.limits.concurrency = super::count(1);
    let urls = ["/redirect/302?/retry/503/1", "/drop/2", "/status/404"];
    run(config, extensions, urls.iter().map(|path| origin.url(path)).collect());
    let mut of_each = diary.lock().expect("no holder panics").join("\n");
    // A job's retry comes behind the others' first attempts.
    for path in ["/redirect/302?/retry/503/1", "/retry/503/1", "/drop/2"] {
        of_each = of_each.replace(&format!(" {path}"), "");
    }
    let exchanges = |wanted: &str| of_each.matches(wanted).count();
    assert_eq!(exchanges("  302, followed\n  ended with 302"), 1, "{of_each}");
    assert_eq!(exchanges("  503\n  a body, perhaps not the last\n  ended with 503"), 1, "{of_each}");
    assert_eq!(exchanges("  ended with closed"), 2, "{of_each}");
    assert_eq!(exchanges("  200\n  a body\n  ended with 200"), 2, "{of_each}");
    assert_eq!(exchanges("GET /status/404 after 0\n  404\n  a body\n  ended with 404"), 1, "{of_each}");
    assert_eq!((exchanges("3 attempts"), exchanges("1 attempts")), (2, 1), "{of_each}");
    assert_eq!((exchanges("GET"), exchanges("after 0"), exchanges("after 1"), exchanges("after 2")), (7, 3, 2, 2));
}

/// Counts bytes in state of its own thread.
struct Tally {
    bytes: Rc<Cell<usize>>,
    all: Arc<AtomicUsize>,
}

struct Counting(Rc<Cell<usize>>);

impl BodyWriter for Counting {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, piece: Bytes) {
        self.0.set(self.0.get() + piece.len());
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Box<str>>, Failure>> {
        Poll::Ready(Ok(None))
    }
}

impl Hooks for Tally {
    fn body(&self, _: &ResponseHead<'_>) -> BodyUse {
        BodyUse::Stream(Box::new(Counting(Rc::clone(&self.bytes))))
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.all.fetch_add(self.bytes.get(), Ordering::SeqCst);
    }
}

#[test]
fn another_can_stand_beside_the_one_that_saves_and_has_state_of_its_thread() {
    let (origin, directory) = (Origin::start(), tempfile::tempdir().expect("writable"));
    let (made, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let save = Arc::new(SaveBodies::into(directory.path(), Naming::Request).expect("writable"));
    let mut extensions = Extensions::default();
    extensions.add_hooks(Arc::clone(&save));
    let (times, bytes) = (Arc::clone(&made), Arc::clone(&all));
    extensions.add_hooks_per_thread(move || {
        times.fetch_add(1, Ordering::SeqCst);
        Tally { bytes: Rc::default(), all: Arc::clone(&bytes) }
    });
    let mut config = config();
    config.limits.shards = 2;
    let urls = (0..20).map(|n| origin.url_on(&format!("h{n}.localhost"), &format!("/page/{n}"))).collect();
    run(config, extensions, urls);
    save.close();
    let entries = |path: &Path| fs::read_dir(path).expect("readable").map(|entry| entry.expect("readable").path());
    let files = entries(directory.path()).flat_map(|folder| entries(&folder).collect::<Vec<_>>());
    let saved: Vec<_> = files.map(|file| fs::read(file).expect("a file").len()).collect();
    assert_eq!((made.load(Ordering::SeqCst), save.saved(), saved.len()), (2, 20, 20));
    assert!(saved[0] > 0);
    assert_eq!(all.load(Ordering::SeqCst), saved.iter().sum::<usize>());
}
