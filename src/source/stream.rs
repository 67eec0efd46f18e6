//! A source for library users: any stream of URLs.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use futures_core::Stream;
use futures_util::FutureExt;
use futures_util::stream::{Fuse, StreamExt};

use super::entry::{At, InputPosition};
use super::item::{self, UrlItem};
use crate::model::{Job, More, Rejected, Source, Time};
use crate::wait::wait;

/// Reads URLs from a [`Stream`]: a channel, a queue, whatever brings them over time. Its items are URLs only, [`super::Tagged`] or not: no
/// comments, no JSON. What is ready is fetched at once, however long the next is in coming.
///
/// It is polled on a thread of the run's own, outside of any runtime, and no further ahead than the run's window
/// ([`crate::config::Limits::window`]). A stream that needs a runtime to be polled goes through a channel.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let url = server.url("/bytes/10");
/// use futures::channel::mpsc;
/// use haul::{config::Config, engine::Engine, sink::Null, source::UrlStream};
///
/// let (sender, urls) = mpsc::unbounded();
/// std::thread::spawn(move || (0..3).try_for_each(|n| sender.unbounded_send(format!("{url}?n={n}"))));
///
/// let report = Engine::new(Config::default())?.run(Box::new(UrlStream::new(urls)), Box::new(Null));
/// assert_eq!(report.totals.succeeded, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UrlStream<S: Stream> {
    items: Fuse<Pin<Box<S>>>,
    next_seq: u64,
}

impl<S: Stream<Item: UrlItem>> UrlStream<S> {
    /// Will read `items`.
    #[must_use]
    pub fn new(items: S) -> Self {
        Self { items: Box::pin(items).fuse(), next_seq: 0 }
    }
}

impl<S: Stream<Item: UrlItem> + Send> Source for UrlStream<S> {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let Self { items, next_seq } = self;
        Ok(read_ready(items, max, |item| {
            let at = At { seq: *next_seq, place: InputPosition::Item(*next_seq + 1), now };
            into.push(item::entry(&item, at));
            *next_seq += 1;
        }))
    }
}

/// Waits for an item, and takes it and those that are ready behind it, up to `max`.
pub(super) fn read_ready<S: Stream>(items: &mut Fuse<Pin<Box<S>>>, max: usize, mut take: impl FnMut(S::Item)) -> More {
    let Some(first) = wait(poll_fn(|cx| items.poll_next_unpin(cx))) else { return More::No };
    take(first);
    for _ in 1..max {
        // Whoever is not ready now is asked again, with a waker, by the next read.
        match items.next().now_or_never() {
            Some(Some(item)) => take(item),
            Some(None) => return More::No,
            None => break,
        }
    }
    More::Yes
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use futures::channel::mpsc;
    use futures::{SinkExt, stream};

    use super::*;

    fn read<S: Stream<Item: UrlItem> + Send>(source: &mut UrlStream<S>, max: usize) -> (Vec<String>, More) {
        let mut entries = Vec::new();
        let more = source.read(max, Time::ZERO, &mut entries).expect("streams don't fail");
        let text = |entry: Result<Job, Rejected>| match entry {
            Ok(job) => format!("{} {}", job.seq, job.url.as_str()),
            Err(rejected) => format!("{} bad {}", rejected.seq, rejected.given),
        };
        (entries.into_iter().map(text).collect(), more)
    }

    #[test]
    fn what_is_ready_comes_together_up_to_the_most_asked_for() {
        let mut source = UrlStream::new(stream::iter(["http://a.example/", " http://b.example/ ", "#"]));
        assert_eq!(read(&mut source, 2), (vec!["0 http://a.example/".into(), "1 http://b.example/".into()], More::Yes));
        assert_eq!(read(&mut source, 2), (vec!["2 bad #".into()], More::No));
        assert_eq!(read(&mut source, 2), (vec![], More::No), "the end stays the end");
    }

    #[test]
    fn nobody_waits_for_the_next_one() {
        let (sender, receiver) = mpsc::unbounded();
        let mut source = UrlStream::new(receiver);
        sender.unbounded_send("http://a.example/").expect("read");
        assert_eq!(read(&mut source, 9), (vec!["0 http://a.example/".into()], More::Yes));
        sender.unbounded_send("http://b.example/").expect("read");
        drop(sender);
        assert_eq!(read(&mut source, 9), (vec!["1 http://b.example/".into()], More::No));
    }

    #[test]
    fn it_sleeps_until_the_first_one_comes() {
        // Not one poll finds an item: each send waits until the one before has been taken.
        let (mut sender, receiver) = mpsc::channel(0);
        let feeder = thread::spawn(move || {
            for n in 0..3 {
                thread::sleep(Duration::from_millis(20));
                wait(sender.send(format!("http://a.example/{n}"))).expect("read");
            }
        });
        let mut source = UrlStream::new(receiver);
        let mut seen = Vec::new();
        loop {
            let (entries, more) = read(&mut source, 9);
            seen.extend(entries);
            if more == More::No {
                break;
            }
        }
        feeder.join().expect("no panic");
        assert_eq!(seen, ["0 http://a.example/0", "1 http://a.example/1", "2 http://a.example/2"]);
    }
}
