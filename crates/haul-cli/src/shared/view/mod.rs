//! The live view of a run on a terminal: rate, latency, statuses, limits and hosts, and keys to steer by.
//!
//! `feed` and `model` gather, `keys` understands, `draw` draws: all pure; `screen` alone touches the terminal. The view sees a
//! run through its [`Handle`] and through what passes to and from it, on threads that don't fetch; without the view none of
//! this exists. Of runs that follow each other it shows the one under way, on one screen. While it is on, everything told on
//! standard error is held back ([`super::console`]) and told after it.

mod draw;
mod feed;
mod keys;
mod model;
mod screen;

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use haul::engine::Handle;
use haul::model::{Acknowledge, Job, More, Rejected, Sink, Source, Time};
use nix::unistd;

use self::feed::Feed;
use super::since::Since;
use super::tee::tee;

pub(crate) use self::screen::restore;

/// What is being watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A fetch, of hosts that each have a backlog.
    Get,
    /// A load: where it has no plan, what is queued is only read ahead.
    Bench,
}

/// Which run is shown.
#[derive(Clone, Debug)]
struct RunLabel {
    subject: Subject,
    /// What it is among the others, if it has any.
    name: String,
    since: Since,
}

impl RunLabel {
    /// Whether what was read and is not done waits for something: it is to be fetched, or it is due.
    fn has_backlog(&self) -> bool {
        self.subject == Subject::Get || self.since == Since::Due
    }
}

/// Whether there is a terminal to draw on: standard error is one, this process may use it now (it is not in the background),
/// and it can be drawn on.
pub(crate) fn is_possible() -> bool {
    let stderr = io::stderr();
    let in_front = || unistd::tcgetpgrp(&stderr).is_ok_and(|group| group == unistd::getpgrp());
    stderr.is_terminal() && in_front() && !is_dumb()
}

#[expect(clippy::disallowed_methods, reason = "the terminal's kind is told in the environment alone")]
fn is_dumb() -> bool {
    std::env::var("TERM").is_ok_and(|kind| kind == "dumb")
}

/// A view of runs that follow each other. Dropped, it is over: the terminal is as it was.
pub(crate) struct View {
    subject: Subject,
    /// What is shown from now on; the view's end is that nothing more can come.
    scenes: Option<SyncSender<Scene>>,
    /// None where no thread was to be had: the runs go on unseen.
    thread: Option<JoinHandle<()>>,
}

/// A run being shown.
struct Scene {
    which: RunLabel,
    handle: Handle,
    feed: SharedFeed,
}

/// A run's two ends.
pub(crate) type Ends = (Box<dyn Source>, Box<dyn Sink>);

impl View {
    /// A view that shows nothing yet.
    pub(crate) fn start(subject: Subject) -> Self {
        let (scenes, come) = mpsc::sync_channel(1);
        let show = move || screen::show(&come);
        let thread = thread::Builder::new().name("haul-view".to_owned()).spawn(show).ok();
        Self { subject, scenes: Some(scenes), thread }
    }

    /// Shows the run of `handle`, which is about to begin, if there is a view; its ends become those returned.
    pub(crate) fn showing(view: Option<&Self>, name: &str, handle: Handle, (source, sink): Ends) -> Ends {
        let Some(Self { subject, scenes: Some(scenes), .. }) = view else { return (source, sink) };
        let which = RunLabel { subject: *subject, name: name.to_owned(), since: Since::of(&*source) };
        let feed = SharedFeed(Arc::new(Mutex::new(Feed::new(which.has_backlog(), which.since))));
        let (seen, went) = (feed.clone(), feed.clone());
        // It fails only when there is no thread to show it.
        let _ = scenes.send(Scene { which, handle, feed });
        let sink = tee(sink, move |batch| went.lock().went(batch));
        (Box::new(FeedSource { onward: source, feed: seen }), sink)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.scenes = None;
        // It fails only when the thread has panicked, which it has told already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The feed, filled by one thread at each end and emptied by the view's.
#[derive(Clone)]
struct SharedFeed(Arc<Mutex<Feed>>);

impl SharedFeed {
    fn lock(&self) -> MutexGuard<'_, Feed> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// A source that shows what it reads.
struct FeedSource {
    onward: Box<dyn Source>,
    feed: SharedFeed,
}

impl Source for FeedSource {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let before = into.len();
        let read = self.onward.read(max, now, into);
        self.feed.lock().came(&into[before..]);
        read
    }

    fn sets_times(&self) -> bool {
        self.onward.sets_times()
    }

    fn acknowledger(&mut self) -> Option<Box<dyn Acknowledge>> {
        self.onward.acknowledger()
    }
}
