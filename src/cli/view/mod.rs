//! The live view of a run on a terminal: rate, latency, statuses, limits and hosts, and keys to steer by.
//!
//! `feed` and `model` gather, `keys` understands, `draw` draws: all pure; `screen` alone touches the terminal. The view sees a
//! run through its [`Handle`] and through what passes to and from it, on threads that don't fetch; without the view none of
//! this exists. While it is on, everything told on standard error is held back ([`super::console`]) and told after it.

mod draw;
mod feed;
mod keys;
mod model;
mod screen;

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use haul::engine::Handle;
use haul::model::{Acknowledge, Job, More, Rejected, Sink, Source, Time};
use nix::unistd;

use self::feed::Feed;
use super::since::Since;
use super::tee::tee;

pub(super) use self::screen::restore;

/// What is being watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A fetch, of hosts that each have a backlog.
    Get,
    /// A load: what is queued is only read ahead.
    Bench,
}

/// Whether there is a terminal to draw on: standard error is one, this process may use it now (it is not in the background),
/// and it can be drawn on.
pub(super) fn is_possible() -> bool {
    let stderr = io::stderr();
    let in_front = || unistd::tcgetpgrp(&stderr).is_ok_and(|group| group == unistd::getpgrp());
    stderr.is_terminal() && in_front() && !is_dumb()
}

#[expect(clippy::disallowed_methods, reason = "the terminal's kind is told in the environment alone")]
fn is_dumb() -> bool {
    std::env::var("TERM").is_ok_and(|kind| kind == "dumb")
}

/// A view being shown.
pub(super) struct View {
    stop: Sender<()>,
    /// None where no thread was to be had: the run goes on unseen.
    thread: Option<JoinHandle<()>>,
}

/// A run's two ends.
pub(super) type Ends = (Box<dyn Source>, Box<dyn Sink>);

impl View {
    /// Shows the run of `handle`, whose ends become those returned.
    pub(super) fn start(subject: Subject, handle: Handle, (source, sink): Ends) -> (Self, Ends) {
        let feed = Shared(Arc::new(Mutex::new(Feed::new(subject == Subject::Get, Since::of(&*source)))));
        let (seen, went) = (feed.clone(), feed.clone());
        let sink = tee(sink, move |batch| went.lock().went(batch));
        let source = Box::new(Watched { onward: source, feed: seen });
        let (stop, stopped) = mpsc::channel();
        let show = move || screen::show(subject, &handle, &feed, &stopped);
        let thread = thread::Builder::new().name("haul-view".to_owned()).spawn(show).ok();
        (Self { stop, thread }, (source, sink))
    }

    /// Ends the view: the terminal is as it was.
    pub(super) fn finish(self) {
        drop(self.stop);
        // It fails only when the thread has panicked, which it has told already.
        let _ = self.thread.map(JoinHandle::join);
    }
}

/// The feed, filled by one thread at each end and emptied by the view's.
#[derive(Clone)]
struct Shared(Arc<Mutex<Feed>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Feed> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// A source that shows what it reads.
struct Watched {
    onward: Box<dyn Source>,
    feed: Shared,
}

impl Source for Watched {
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
