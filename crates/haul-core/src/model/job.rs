//! A job: one URL to fetch and what the user said about it.
//!
//! Most jobs are a URL and nothing else, so everything else lives behind one pointer that is usually empty. What a
//! queued job costs beyond its URL's bytes is held by `crates/haul-cli/tests/footprint.rs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::hooks::Reply;
use super::outcome::Attempt;
use super::reason::GiveUpReason;
use super::time::Time;
use super::url::WebUrl;
use super::veil::Veiled;

/// One URL to fetch.
///
/// ```
/// # extern crate haul_core as haul;
/// use haul::model::{Job, Time, WebUrl};
///
/// let mut job = Job::new(0, WebUrl::parse("http://a.example/").expect("a URL").0, Time::ZERO);
/// job.extra_mut().id = Some("\"mine\"".into());
/// assert_eq!((job.given(), job.attempts()), ("http://a.example/", 0));
/// ```
#[derive(Debug)]
pub struct Job {
    /// The position in the input, from 0.
    pub seq: u64,
    /// What to fetch now: the URL given, or the redirect target reached so far.
    pub url: WebUrl,
    /// When the job was read; or was due, where the source says so.
    pub accepted: Time,
    /// Everything most jobs don't have.
    pub extra: Option<Box<Extra>>,
}

impl Job {
    /// A plain GET of `url` (or whatever the run's defaults say).
    #[must_use]
    pub const fn new(seq: u64, url: WebUrl, accepted: Time) -> Self {
        Self { seq, url, accepted, extra: None }
    }

    /// The rarely used part, made on first use.
    pub fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// The URL as the user wrote it (without credentials).
    #[must_use]
    pub fn given(&self) -> &str {
        self.extra.as_ref().and_then(|extra| extra.given.as_deref()).unwrap_or_else(|| self.url.as_str())
    }

    /// What differs from the run's default request.
    #[must_use]
    pub fn special(&self) -> Option<&Special> {
        self.extra.as_ref().and_then(|extra| extra.special.as_deref())
    }

    /// The bytes of text and body that it holds: its URL, the redirects behind it, its tag, what its request says differently.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.url.as_str().len() + self.extra.as_ref().map_or(0, |extra| extra.bytes())
    }

    /// Attempts that ended without being final.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.counts().all
    }

    /// What it has had so far.
    #[must_use]
    pub fn counts(&self) -> AttemptCounts {
        self.extra.as_ref().map(|extra| extra.counts).unwrap_or_default()
    }
}

/// The part of a job that most jobs don't have.
#[derive(Debug, Default)]
pub struct Extra {
    /// The URL as given, when it differs from its normal form or a redirect replaced it.
    pub given: Option<Box<str>>,
    /// The user's own tag: a JSON value as text, copied to the record unchanged.
    pub id: Option<Box<str>>,
    /// What differs from the run's default request.
    pub special: Option<Arc<Special>>,
    /// The job's bytes as the window counts them, for jobs too large to count as one of many: those it came with and those that
    /// redirects have added.
    pub held_bytes: u64,
    /// Of these, the ones that redirects have added.
    pub grown_bytes: u64,
    /// Redirects followed so far.
    pub hops: Vec<Hop>,
    /// What it has had so far.
    pub counts: AttemptCounts,
    /// Whom the job is done for, when it is not the sink.
    pub reply: Option<Box<dyn Reply>>,
    /// Why it was not tried again, once that is so.
    pub gave_up: Option<GiveUpReason>,
    /// What the last attempt brought, kept until another has ended.
    pub last: Option<Box<Attempt>>,
    /// Where its URL, the one given and the redirects are while they wait outside of memory.
    pub stowed: Option<usize>,
    /// The bytes of it that are counted while the job waits for another.
    pub kept_bytes: u64,
    /// Its body was not kept, for want of room.
    pub body_dropped: bool,
}

impl Extra {
    fn bytes(&self) -> usize {
        let own = self.given.as_ref().map_or(0, |given| given.len()) + self.id.as_ref().map_or(0, |id| id.len());
        let hops: usize = self.hops.iter().map(|hop| size_of::<Hop>() + hop.url.as_str().len()).sum();
        own + hops + self.special.as_ref().map_or(0, |special| special.bytes())
    }
}

/// What a header takes beside its text.
const HEADER: usize = 100;

impl Special {
    fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER);
        let method = self.method.as_ref().map_or(0, |method| method.as_str().len());
        headers.sum::<usize>() + method + self.body.as_ref().map_or(0, Bytes::len)
    }
}

/// A job's attempts that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// Those that were not final, over all hops.
    pub all: u32,
    /// Of these, the ones on the current hop that were not free: retries are counted per hop.
    pub on_hop: u32,
    /// And of these, the ones that are not counted as retries: the host had said to wait, and said so again.
    pub waits: u32,
    /// What connections did to it on the current hop.
    pub repeats: Repeats,
}

/// Attempts that came to nothing by the fault of a connection, and were made again for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// How many.
    pub made: u32,
    /// Of these, the last ones between which the host answered no request at all.
    pub barren: u8,
    /// How many requests the host had answered when the last one was made.
    pub answered: u32,
    /// Whether one was for a 421 (Misdirected Request).
    pub misdirected: bool,
    /// Connections opened before this one are not used for it: a count of the pool's.
    pub not_before: u64,
}

/// One redirect that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The URL that answered with the redirect.
    pub url: WebUrl,
    /// The method it was asked with: the same URL asked with another method is not a loop.
    pub method: Method,
    /// Its status: 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// A request that differs from the run's default.
#[derive(Clone, Default)]
pub struct Special {
    /// The method, if it is not the default.
    pub method: Option<Method>,
    /// Headers that replace or are added to the default ones.
    pub headers: HeaderMap,
    /// The body, if not the default: held in memory, cheap to send again.
    pub body: Option<Bytes>,
    /// True when the run's default body and its describing headers must not be sent (a redirect dropped them).
    pub without_body: bool,
    /// True when the run's default credentials must not be sent (a redirect left the origin).
    pub without_credentials: bool,
    /// The total time-out of an attempt, if not the run's.
    pub timeout: Option<Duration>,
    /// How the request leaves this machine.
    pub egress: Egress,
}

impl fmt::Debug for Special {
    /// Without the values of headers that hold credentials, and without the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, headers, body, without_body, without_credentials, timeout, egress } = self;
        f.debug_struct("Special")
            .field("method", method)
            .field("headers", &Veiled(headers))
            .field("body_bytes", &body.as_ref().map(Bytes::len))
            .field("without_body", without_body)
            .field("without_credentials", without_credentials)
            .field("timeout", timeout)
            .field("egress", egress)
            .finish()
    }
}

/// How a request leaves this machine (local address, later proxy or TLS identity): an index into the settings'
/// egress table. Together with the origin it is the connection pool's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Egress(pub u16);
