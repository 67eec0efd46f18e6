//! The source of a mode: the list, whole or in portions, for one engine or for several that share it.

use std::io;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use haul::model::{Hooks, Job, More, Outcome, Rejected, Source, Time};

use crate::shared::experiment::Target;

/// What is left of a list, for all who share it.
#[derive(Debug)]
pub(super) struct SharedList {
    list: Arc<[Target]>,
    /// The place of the first URL that nobody has taken.
    next: AtomicUsize,
}

impl SharedList {
    pub(super) fn new(list: Arc<[Target]>) -> Arc<Self> {
        Arc::new(Self { list, next: AtomicUsize::new(0) })
    }

    /// The place of a URL that is the caller's now.
    fn take(&self) -> Option<usize> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        (place < self.list.len()).then_some(place)
    }
}

/// The places in the list of the URLs that an engine has taken: the n-th job is that of the n-th place.
pub(super) type JobPositions = Arc<Mutex<Vec<usize>>>;

/// Counts what was handed out and has not ended. It is told on the thread that fetches: no other has to wake up in between.
#[derive(Debug, Default)]
struct Gate {
    under_way: Mutex<usize>,
    ended: Condvar,
}

impl Gate {
    fn wait_until_all_have_ended(&self) {
        let mut under_way = self.under_way.lock().expect("no holder of this lock panics");
        while *under_way > 0 {
            under_way = self.ended.wait(under_way).expect("no holder of this lock panics");
        }
    }

    fn handed_out(&self, count: usize) {
        *self.under_way.lock().expect("no holder of this lock panics") += count;
    }

    fn one_has_ended(&self) {
        let mut under_way = self.under_way.lock().expect("no holder of this lock panics");
        *under_way -= 1;
        if *under_way == 0 {
            self.ended.notify_all();
        }
    }
}

impl Hooks for Gate {
    fn outcome(&self, _: &Outcome) {
        self.one_has_ended();
    }
}

/// Gives URLs of a list: all of them, or so many at a time, the next ones when all of those before have ended.
#[derive(Debug)]
pub(super) struct ListSource {
    shared: Arc<SharedList>,
    /// `None`: the whole list.
    portion: Option<usize>,
    /// What is left of the portion begun.
    left: usize,
    gate: Arc<Gate>,
    places: JobPositions,
}

impl ListSource {
    /// `portion`: how many at a time; `None`: all.
    pub(super) fn new(shared: Arc<SharedList>, portion: Option<NonZeroU32>) -> Self {
        Self {
            shared,
            portion: portion.map(|count| count.get() as usize),
            left: 0,
            gate: Arc::default(),
            places: JobPositions::default(),
        }
    }

    /// Which URLs it has given.
    pub(super) fn places(&self) -> JobPositions {
        Arc::clone(&self.places)
    }

    /// What its engine has to be given to tell it what has ended; `None`: it does not ask.
    pub(super) fn hooks(&self) -> Option<Arc<impl Hooks + Send + Sync + use<>>> {
        self.portion.map(|_| Arc::clone(&self.gate))
    }

    /// Waits until there may be more; how many there may be, at least one.
    fn room(&mut self) -> usize {
        let Some(portion) = self.portion else { return usize::MAX };
        if self.left == 0 {
            self.gate.wait_until_all_have_ended();
            self.left = portion;
        }
        self.left
    }

    fn job(&self, seq: u64, place: usize, now: Time) -> Job {
        let Target { url, overrides } = &self.shared.list[place];
        let mut job = Job::new(seq, url.clone(), now);
        if let Some(overrides) = overrides {
            job.extra_mut().overrides = Some(Arc::clone(overrides));
        }
        job
    }
}

impl Source for ListSource {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let room = self.room().min(max);
        let mut places = self.places.lock().expect("no holder of this lock panics");
        let taken: Vec<usize> = std::iter::from_fn(|| self.shared.take()).take(room).collect();
        into.extend((places.len() as u64..).zip(&taken).map(|(seq, place)| Ok(self.job(seq, *place, now))));
        places.extend(&taken);
        self.gate.handed_out(taken.len());
        self.left = self.left.saturating_sub(taken.len());
        Ok(if taken.len() < room { More::No } else { More::Yes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::compare::list::tests::targets;

    fn read(feed: &mut ListSource, max: usize) -> (usize, More) {
        let mut jobs = Vec::new();
        let more = feed.read(max, Time::ZERO, &mut jobs).expect("can't fail");
        (jobs.len(), more)
    }

    #[test]
    fn the_whole_list_is_given_at_once() {
        let mut feed = ListSource::new(SharedList::new(targets(300).into()), None);
        assert_eq!(read(&mut feed, 256), (256, More::Yes));
        assert_eq!(read(&mut feed, 256), (44, More::No));
        assert!(feed.hooks().is_none());
    }

    #[test]
    fn a_portion_comes_when_the_one_before_has_ended() {
        let mut feed = ListSource::new(SharedList::new(targets(10).into()), NonZeroU32::new(4));
        let gate = Arc::clone(&feed.gate);
        assert_eq!(read(&mut feed, 3), (3, More::Yes));
        assert_eq!(read(&mut feed, 3), (1, More::Yes), "the rest of the portion");
        (0..3).for_each(|_| gate.one_has_ended());
        let waiting = std::thread::spawn(move || (read(&mut feed, 9), read(&mut feed, 9)));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished(), "one of four has not ended");
        gate.one_has_ended();
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished(), "the second portion has not ended");
        (0..4).for_each(|_| gate.one_has_ended());
        assert_eq!(waiting.join().expect("no panic"), ((4, More::Yes), (2, More::No)));
    }

    #[test]
    fn those_who_share_a_list_get_each_url_once() {
        let shared = SharedList::new(targets(3).into());
        let mut feeds = [0, 1].map(|_| ListSource::new(Arc::clone(&shared), NonZeroU32::new(1)));
        assert_eq!((read(&mut feeds[0], 9).0, read(&mut feeds[1], 9).0), (1, 1));
        feeds[0].gate.one_has_ended();
        assert_eq!(read(&mut feeds[0], 9), (1, More::Yes));
        let places = feeds.map(|feed| feed.places().lock().expect("unharmed").clone());
        assert_eq!(places, [vec![0, 2], vec![1]]);
    }
}
