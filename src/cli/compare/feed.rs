//! The source of a mode: the list, whole or in portions, for one engine or for several that share it.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use haul::model::{Acknowledge, Job, More, Rejected, Source, Time};

use super::list::Target;
use super::mode::Pace;

/// What is left of a list, for all who share it.
#[derive(Debug)]
pub(super) struct Shared {
    list: Arc<[Target]>,
    /// The place of the first URL that nobody has taken.
    next: AtomicUsize,
}

impl Shared {
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
pub(super) type Places = Arc<Mutex<Vec<usize>>>;

/// Counts what was handed out and has not ended.
#[derive(Debug, Default)]
struct Gate {
    under_way: Mutex<usize>,
    ended: Condvar,
}

impl Gate {
    /// Waits until fewer than so many are under way; how many there are then.
    fn wait_for_fewer_than(&self, most: usize) -> usize {
        let mut under_way = self.under_way.lock().expect("no holder of this lock panics");
        while *under_way >= most {
            under_way = self.ended.wait(under_way).expect("no holder of this lock panics");
        }
        *under_way
    }

    fn handed_out(&self, count: usize) {
        *self.under_way.lock().expect("no holder of this lock panics") += count;
    }
}

/// Tells a gate what has ended.
struct Ended(Arc<Gate>);

impl Acknowledge for Ended {
    fn acknowledge(&mut self, seqs: &[u64]) {
        *self.0.under_way.lock().expect("no holder of this lock panics") -= seqs.len();
        self.0.ended.notify_all();
    }
}

/// Gives URLs of a list at its pace.
#[derive(Debug)]
pub(super) struct Feed {
    shared: Arc<Shared>,
    pace: Pace,
    /// What is left of the batch begun.
    left: usize,
    gate: Arc<Gate>,
    places: Places,
}

impl Feed {
    pub(super) fn new(shared: Arc<Shared>, pace: Pace) -> Self {
        Self { shared, pace, left: 0, gate: Arc::default(), places: Places::default() }
    }

    /// Which URLs it has given.
    pub(super) fn places(&self) -> Places {
        Arc::clone(&self.places)
    }

    /// Waits until there may be more; how many there may be, at least one.
    fn room(&mut self) -> usize {
        match self.pace {
            Pace::Whole => usize::MAX,
            Pace::Sliding(most) => most.get() as usize - self.gate.wait_for_fewer_than(most.get() as usize),
            Pace::Batches(size) => {
                if self.left == 0 {
                    self.gate.wait_for_fewer_than(1);
                    self.left = size.get() as usize;
                }
                self.left
            }
        }
    }

    fn job(&self, seq: u64, place: usize, now: Time) -> Job {
        let Target { url, special } = &self.shared.list[place];
        let mut job = Job::new(seq, url.clone(), now);
        if let Some(special) = special {
            job.extra_mut().special = Some(Arc::clone(special));
        }
        job
    }
}

impl Source for Feed {
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

    fn acknowledger(&mut self) -> Option<Box<dyn Acknowledge>> {
        Some(Box::new(Ended(Arc::clone(&self.gate))))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::cli::compare::list::tests::targets;

    fn read(feed: &mut Feed, max: usize) -> (usize, More) {
        let mut jobs = Vec::new();
        let more = feed.read(max, Time::ZERO, &mut jobs).expect("can't fail");
        (jobs.len(), more)
    }

    fn count(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).expect("not zero")
    }

    #[test]
    fn the_whole_list_is_given_at_once() {
        let mut feed = Feed::new(Shared::new(targets(300).into()), Pace::Whole);
        assert_eq!(read(&mut feed, 256), (256, More::Yes));
        assert_eq!(read(&mut feed, 256), (44, More::No));
    }

    #[test]
    fn a_batch_comes_when_the_one_before_has_ended() {
        let mut feed = Feed::new(Shared::new(targets(10).into()), Pace::Batches(count(4)));
        let mut ended = feed.acknowledger().expect("it has one");
        assert_eq!(read(&mut feed, 3), (3, More::Yes));
        assert_eq!(read(&mut feed, 3), (1, More::Yes), "the rest of the batch");
        ended.acknowledge(&[0, 2, 1]);
        let waiting = std::thread::spawn(move || (read(&mut feed, 9), read(&mut feed, 9)));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished(), "one of four has not ended");
        ended.acknowledge(&[3]);
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished(), "the second batch has not ended");
        ended.acknowledge(&[4, 5, 6, 7]);
        assert_eq!(waiting.join().expect("no panic"), ((4, More::Yes), (2, More::No)));
    }

    #[test]
    fn a_limit_lets_the_next_in_for_each_that_ends() {
        let mut feed = Feed::new(Shared::new(targets(5).into()), Pace::Sliding(count(3)));
        let mut ended = feed.acknowledger().expect("it has one");
        assert_eq!(read(&mut feed, 9), (3, More::Yes));
        let waiting = std::thread::spawn(move || (read(&mut feed, 9), feed));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished(), "three are under way");
        ended.acknowledge(&[1]);
        let (one, mut feed) = waiting.join().expect("no panic");
        assert_eq!(one, (1, More::Yes));
        ended.acknowledge(&[0, 2]);
        assert_eq!(read(&mut feed, 9), (1, More::No));
    }

    #[test]
    fn those_who_share_a_list_get_each_url_once() {
        let shared = Shared::new(targets(3).into());
        let mut feeds = [0, 1].map(|_| Feed::new(Arc::clone(&shared), Pace::Sliding(count(1))));
        let mut ended = feeds[0].acknowledger().expect("it has one");
        assert_eq!((read(&mut feeds[0], 9).0, read(&mut feeds[1], 9).0), (1, 1));
        ended.acknowledge(&[0]);
        assert_eq!(read(&mut feeds[0], 9), (1, More::Yes));
        let places = feeds.map(|feed| feed.places().lock().expect("unharmed").clone());
        assert_eq!(places, [vec![0, 2], vec![1]]);
    }
}
