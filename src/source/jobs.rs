//! A source for library users: any stream of whole jobs, whose ends are told by tokens of the user's own.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures_core::Stream;
use futures_util::stream::{Fuse, StreamExt};

use super::stream::read_ready;
use crate::model::{Acknowledge, Ending, Job, More, Rejected, Settled, Source, Time};

/// Reads whole jobs from a [`Stream`], each with a token: a delivery tag of a queue, a row's number, whatever its owner knows it by. When
/// a job is over its token comes back, once, with how it ended: then the message can be acknowledged, or given back to its queue. What was
/// read and never taken in, because the run was being stopped, is dropped, token and all: up to 256 jobs, and the next that the stream
/// brings if the run waits for it then.
///
/// What a job says of itself counts but for its position in the input, which is assigned here. Read as [`super::UrlStream`] is.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let url = server.url("/bytes/10");
/// use std::sync::mpsc;
/// use futures::stream;
/// use haul::model::{Ending, Job, RequestOverrides, Time, WebUrl};
/// use haul::{config::Config, engine::Engine, sink::Null, source::JobStream};
///
/// let mut job = Job::new(0, WebUrl::parse(&url)?.0, Time::ZERO);
/// let method = Some(haul::http::Method::HEAD);
/// job.extra_mut().overrides = Some(RequestOverrides { method, ..RequestOverrides::default() }.into());
///
/// let (sender, settled) = mpsc::channel();
/// let jobs = stream::iter([("message 17", job)]);
/// let source = JobStream::new(jobs, move |token, ending| drop(sender.send((token, ending))));
/// Engine::new(Config::default())?.run(Box::new(source), Box::new(Null));
/// assert_eq!(settled.recv()?, ("message 17", Ending::Recorded));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JobStream<S: Stream, T> {
    items: Fuse<Pin<Box<S>>>,
    next_seq: u64,
    tokens: Tokens<T>,
    settled: Option<Box<dyn FnMut(T, Ending) + Send>>,
}

/// The tokens of jobs that are not over, by position: shared by the thread that reads and the one that writes.
type Tokens<T> = Arc<Mutex<HashMap<u64, T>>>;

impl<S: Stream<Item = (T, Job)>, T> JobStream<S, T> {
    /// Will read `items`. `settled` is called from the sink's thread, and holds up its records for as long as it takes.
    #[must_use]
    pub fn new(items: S, settled: impl FnMut(T, Ending) + Send + 'static) -> Self {
        let settled: Box<dyn FnMut(T, Ending) + Send> = Box::new(settled);
        Self { items: Box::pin(items).fuse(), next_seq: 0, tokens: Arc::default(), settled: Some(settled) }
    }
}

impl<S, T> Source for JobStream<S, T>
where
    S: Stream<Item = (T, Job)> + Send,
    T: Send + 'static,
{
    fn read(&mut self, max: usize, _: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let (mut seq, mut read) = (self.next_seq, Vec::new());
        let more = read_ready(&mut self.items, max, |(token, mut job)| {
            job.seq = seq;
            read.push((seq, token));
            into.push(Ok(job));
            seq += 1;
        });
        self.next_seq = seq;
        self.tokens.lock().expect("no holder of this lock panics").extend(read);
        Ok(more)
    }

    fn acknowledger(&mut self) -> Option<Box<dyn Acknowledge>> {
        let settled = self.settled.take()?;
        Some(Box::new(Settling { tokens: Arc::clone(&self.tokens), settled }))
    }
}

/// Gives tokens back.
struct Settling<T> {
    tokens: Tokens<T>,
    settled: Box<dyn FnMut(T, Ending) + Send>,
}

impl<T: Send> Acknowledge for Settling<T> {
    fn settled(&mut self, jobs: &[Settled]) {
        let mut tokens = self.tokens.lock().expect("no holder of this lock panics");
        let over: Vec<_> = jobs.iter().filter_map(|job| Some((tokens.remove(&job.seq)?, job.ending))).collect();
        drop(tokens);
        over.into_iter().for_each(|(token, ending)| (self.settled)(token, ending));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::stream;

    use super::*;
    use crate::model::WebUrl;

    #[test]
    fn tokens_come_back_once_and_positions_are_assigned() {
        let job = |path| Job::new(99, WebUrl::parse(&format!("http://a.example/{path}")).expect("a URL").0, Time::ZERO);
        let (sender, over) = mpsc::channel();
        let jobs = stream::iter([("a", job("a")), ("b", job("b")), ("c", job("c"))]);
        let mut source = JobStream::new(jobs, move |token, ending| sender.send((token, ending)).expect("heard"));
        let mut entries = Vec::new();
        assert_eq!(source.read(2, Time::ZERO, &mut entries).expect("streams don't fail"), More::Yes);
        assert_eq!(source.read(2, Time::ZERO, &mut entries).expect("streams don't fail"), More::No);
        let seqs: Vec<_> = entries.iter().flatten().map(|job| job.seq).collect();
        assert_eq!(seqs, [0, 1, 2]);
        let mut acknowledge = source.acknowledger().expect("it wants to know");
        let settled = |seq, ending| Settled { seq, ending };
        acknowledge.settled(&[
            settled(2, Ending::Recorded),
            settled(0, Ending::Cancelled),
            settled(2, Ending::Recorded),
        ]);
        drop(acknowledge);
        assert_eq!(over.iter().collect::<Vec<_>>(), [("c", Ending::Recorded), ("a", Ending::Cancelled)]);
    }
}
