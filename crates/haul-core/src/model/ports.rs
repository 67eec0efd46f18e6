//! The traits at the edges: where jobs come from, where records go, how names become addresses.
//!
//! The acknowledgement path is here from the start: source → job → outcome → sink has it → `settled`. A source
//! that must not lose work (a queue, a journal) forgets a job only then; a plain file ignores it.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::job::Job;
use super::outcome::Outcome;
use super::time::Time;

/// A line of input that can't become a job. It gets a record like any other.
#[derive(Debug)]
pub struct Rejected {
    /// Its position in the input, counted like a job's.
    pub seq: u64,
    /// The line number in its file, from 1.
    pub line: u64,
    /// The URL or the line's beginning, as far as it is text.
    pub given: Box<str>,
    /// The user's tag, when it could be read.
    pub id: Option<Box<str>>,
    /// What is wrong with it (phase `input`).
    pub failure: Failure,
}

/// What one input line ends as.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every record is the large variant; boxing it would cost an allocation a request"
)]
pub enum Record {
    /// A job that ended.
    Fetched(Outcome),
    /// A line that never became one.
    Rejected(Rejected),
}

impl Record {
    /// The position in the input.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Fetched(outcome) => outcome.job.seq,
            Self::Rejected(rejected) => rejected.seq,
        }
    }
}

/// Whether a source has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// Ask again.
    Yes,
    /// That was the end.
    No,
}

/// Where jobs come from. Called from a thread of its own, so it may block. For URLs alone there are
/// `haul::source::Urls` and `UrlStream`, for files `Inputs`.
///
/// ```
/// # extern crate haul_core as haul;
/// use std::io;
/// use std::ops::Range;
/// use haul::model::{Job, More, Rejected, Source, Time, WebUrl};
///
/// /// Numbered pages.
/// struct Pages(Range<u64>);
///
/// impl Source for Pages {
///     fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
///         for page in self.0.by_ref().take(max) {
///             let (url, _) = WebUrl::parse(&format!("http://shop.example/{page}")).map_err(io::Error::other)?;
///             let mut job = Job::new(page, url, now);
///             // JSON text; it comes back in the record.
///             job.extra_mut().id = Some(format!("{page}").into());
///             into.push(Ok(job));
///         }
///         Ok(if self.0.is_empty() { More::No } else { More::Yes })
///     }
/// }
/// ```
pub trait Source: Send {
    /// Appends up to `max` entries to `into`. Blocks until there is at least one or the end is reached, and returns
    /// as soon as the next one would block: fetching must not wait for a slow pipe to fill a batch.
    ///
    /// `seq` counts up from 0 over jobs and rejected lines together: no two have the same. `now` is when the read began, good enough
    /// for the jobs' time of reading: the engine sets that to when it ended, unless the source [sets times](Self::sets_times).
    ///
    /// # Errors
    /// When the input can't be read further. Entries appended before are still valid.
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More>;

    /// Whether the jobs' times ([`Job::accepted`]) are the source's own: when each was due, by a plan that does not wait for
    /// the run. The engine keeps them then, and a job that comes or starts late has been queued for as long.
    fn sets_times(&self) -> bool {
        false
    }

    /// The other end of the acknowledgement path, used from the sink's thread.
    fn acknowledger(&mut self) -> Option<Box<dyn Acknowledge>> {
        None
    }
}

/// How a job, or a rejected line, came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    /// Its record is with the sink, and safe there.
    Recorded,
    /// Its outcome went to the one who waited for it ([`Reply`](super::Reply)); it has no record.
    Replied,
    /// The run was stopped before it ended; it has no record. Its request may have been sent.
    Cancelled,
    /// It ended, and its record could not be written.
    Unwritten,
}

/// A job that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its position in the input ([`Job::seq`]).
    pub seq: u64,
    /// How.
    pub ending: Ending,
}

/// Receives the end of each job. Every job and every rejected line that a run admitted from its source is settled exactly once, in no
/// particular order. Jobs that a stop cut short are settled at the end of the run. Entries that were read but not admitted, because the
/// run was being stopped, are never settled.
pub trait Acknowledge: Send {
    /// These are over.
    fn settled(&mut self, jobs: &[Settled]);
}

/// Where records go. Called from a thread of its own, so it may block.
///
/// ```
/// # extern crate haul_core as haul;
/// use std::io;
/// use std::sync::mpsc::{Sender, channel};
/// use haul::model::{Failure, FailureKind, Phase, Record, Rejected, Sink};
///
/// /// Hands each record to another thread.
/// struct Hand(Sender<Record>);
///
/// impl Sink for Hand {
///     fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
///         for record in batch.drain(..) {
///             let seq = record.seq();
///             self.0.send(record).map_err(|_| io::Error::other("nobody takes records any more"))?;
///             safe.push(seq);
///         }
///         Ok(())
///     }
///
///     fn flush(&mut self) -> io::Result<()> {
///         Ok(())
///     }
/// }
///
/// let (sender, records) = channel();
/// let failure = Failure::new(Phase::Input, FailureKind::BadUrl, "no host");
/// let rejected = Rejected { seq: 7, line: 8, given: "http://".into(), id: None, failure };
/// let (mut batch, mut safe) = (vec![Record::Rejected(rejected)], Vec::new());
/// Hand(sender).write(&mut batch, &mut safe)?;
/// assert_eq!((records.recv()?.seq(), safe), (7, vec![7]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Sink: Send {
    /// Takes the records out of `batch`, and appends to `safe` the positions of all records, of this batch or an
    /// earlier one, that are now written. The order is the sink's own affair.
    ///
    /// # Errors
    /// When records can't be written. The run ends; nothing is silently lost.
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()>;

    /// Called when no record came for a moment: hand on what is buffered.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn flush(&mut self) -> io::Result<()>;

    /// Called once, after the last record: write whatever is still held back, and hand it on. A sink that keeps
    /// records until their turn comes can't know by itself that a turn never will.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn finish(&mut self, safe: &mut Vec<u64>) -> io::Result<()> {
        let _ = safe;
        self.flush()
    }
}

/// The addresses of a name.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// In the order to try them. Never empty.
    pub addresses: Arc<[IpAddr]>,
    /// How long they may be used.
    pub valid_for: Duration,
}

/// A future that stays on its thread.
type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// How names become addresses.
///
/// ```
/// # extern crate haul_core as haul;
/// use std::future::Future;
/// use std::net::IpAddr;
/// use std::pin::Pin;
/// use std::task::{Context, Poll, Waker};
/// use std::time::Duration;
/// use haul::model::{Failure, Resolve, Resolved};
///
/// /// Every name is this machine.
/// struct Here;
///
/// impl Resolve for Here {
///     fn resolve<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Result<Resolved, Failure>> + 'a>> {
///         let addresses = [IpAddr::from([127, 0, 0, 1])].into();
///         Box::pin(async move { Ok(Resolved { addresses, valid_for: Duration::from_secs(60) }) })
///     }
/// }
///
/// let mut looked_up = Here.resolve("shop.test");
/// let Poll::Ready(Ok(found)) = looked_up.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
/// assert_eq!(found.addresses[..], [IpAddr::from([127, 0, 0, 1])]);
/// ```
pub trait Resolve {
    /// Looks `name` up. `name` is never an address literal.
    ///
    /// # Errors
    /// A failure of phase `dns`, with a kind that tells NXDOMAIN, no address, server failure and time-out apart.
    fn resolve<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Resolved, Failure>>;
}
