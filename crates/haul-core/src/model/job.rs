//! A job: one URL to fetch and what the user said about it. Where the engine stands with it is `work`'s.
//!
//! Most jobs are a URL and nothing else, so everything else lives behind one pointer that is usually empty. What a
//! queued job costs beyond its URL's bytes is held by `crates/haul-cli/tests/footprint.rs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::hooks::Reply;
use super::reason::GiveUpReason;
use super::redacted::Redacted;
use super::time::Time;
use super::url::WebUrl;
use super::work::Work;

/// One URL to fetch.
///
/// ```
/// # extern crate haul_core as haul;
/// use haul::model::{Job, Time, WebUrl};
///
/// let mut job = Job::new(0, WebUrl::parse("http://a.example/").expect("a URL").0, Time::ZERO);
/// job.extra_mut().id = Some("\"mine\"".into());
/// assert_eq!((job.given(), job.hops()), ("http://a.example/", &[][..]));
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
    pub fn overrides(&self) -> Option<&RequestOverrides> {
        self.extra.as_ref().and_then(|extra| extra.overrides.as_deref())
    }

    /// The bytes of text and body that it holds: its URL, the redirects behind it, its tag, what its request says differently.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.url.as_str().len() + self.extra.as_ref().map_or(0, |extra| extra.bytes())
    }

    /// The redirects that were followed, in order.
    #[must_use]
    pub fn hops(&self) -> &[Hop] {
        self.extra.as_ref().map_or(&[][..], |extra| &extra.work.hops)
    }

    /// Why it was not tried again, once that is so.
    #[must_use]
    pub fn gave_up(&self) -> Option<GiveUpReason> {
        self.extra.as_ref()?.work.gave_up
    }

    /// Whether the body of its response was not kept, for want of room.
    #[must_use]
    pub fn is_body_dropped(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.work.body_dropped)
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
    pub overrides: Option<Arc<RequestOverrides>>,
    /// Whom the job is done for, when it is not the sink.
    pub reply: Option<Box<dyn Reply>>,
    /// Where the engine stands with it.
    pub(super) work: Work,
}

impl Extra {
    fn bytes(&self) -> usize {
        let own = self.given.as_ref().map_or(0, |given| given.len()) + self.id.as_ref().map_or(0, |id| id.len());
        let hops: usize = self.work.hops.iter().map(|hop| size_of::<Hop>() + hop.url.as_str().len()).sum();
        own + hops + self.overrides.as_ref().map_or(0, |overrides| overrides.bytes())
    }
}

/// What a header takes beside its text.
const HEADER: usize = 100;

impl RequestOverrides {
    fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER);
        let method = self.method.as_ref().map_or(0, |method| method.as_str().len());
        headers.sum::<usize>() + method + self.body.as_ref().map_or(0, Bytes::len)
    }
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
pub struct RequestOverrides {
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

impl fmt::Debug for RequestOverrides {
    /// Without the values of headers that hold credentials, and without the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, headers, body, without_body, without_credentials, timeout, egress } = self;
        f.debug_struct("RequestOverrides")
            .field("method", method)
            .field("headers", &Redacted(headers))
            .field("body_bytes", &body.as_ref().map(Bytes::len))
            .field("without_body", without_body)
            .field("without_credentials", without_credentials)
            .field("timeout", timeout)
            .field("egress", egress)
            .finish()
    }
}

/// How a request leaves this machine: a place in [`NetworkSettings::egress`](crate::config::NetworkSettings::egress), which may be counted
/// from 0. Together with the origin it is the connection pool's key. A request that asks for a place beyond the end fails with kind
/// `bad_request`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Egress(pub u16);
