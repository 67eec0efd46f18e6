//! Where a user's own code takes part in a fetch: before a request, on a response head, where a body goes, at the end.
//!
//! All of it runs on the threads that fetch, so none of it may block.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode, Version};

use super::failure::Failure;
use super::job::Job;
use super::outcome::{Attempt, Outcome};
use super::timing::Timings;

/// A request about to be sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The job it is sent for: its URL is the one given, or the redirect target reached so far.
    pub job: &'a Job,
    /// Its method.
    pub method: &'a Method,
    /// The protocol that it goes out over.
    pub version: Version,
    /// The peer; `None` over a Unix socket, and where its name was looked up at the far end.
    pub remote: Option<SocketAddr>,
    /// Attempts of this job that ended before this one; 0 for the first.
    pub earlier_attempts: u32,
    /// Its headers as they are sent, haul's own and what hooks before this one have made of them included. `content-length`,
    /// `transfer-encoding`, `connection`, `upgrade` and `trailer` are haul's own: what is put there is taken out again.
    pub headers: &'a mut HeaderMap,
}

impl<'a> RequestHead<'a> {
    /// The head of a job's first attempt over HTTP/1.1. For tests of hooks, which set the other fields.
    #[must_use]
    pub const fn new(job: &'a Job, method: &'a Method, headers: &'a mut HeaderMap) -> Self {
        Self { job, method, version: Version::HTTP_11, remote: None, earlier_attempts: 0, headers }
    }
}

/// The head of a response whose body is still to come.
#[derive(Debug)]
#[non_exhaustive]
pub struct ResponseHead<'a> {
    /// The job it answers: URL, tag, redirects followed.
    pub job: &'a Job,
    /// The status code.
    pub status: StatusCode,
    /// The protocol it came over.
    pub version: Version,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The peer; `None` over a Unix socket, and where its name was looked up at the far end.
    pub remote: Option<SocketAddr>,
    /// Whether the connection had served a request before.
    pub reused: bool,
    /// How long it took so far; `body` and `total` are not yet known.
    pub timings: Timings,
    /// Whether this response is the job's result if its body comes whole. False where its status (408, 429, 502, 503, 504)
    /// may lead to another attempt: the job has one left, the run is not being stopped, the pause that it asks for is not too long.
    pub last: bool,
    /// Whether it is a redirect that is followed if it may be: then its body is read for the connection's sake, and given to nobody.
    pub followed: bool,
}

impl<'a> ResponseHead<'a> {
    /// The head of a first response over a new connection that is the job's result, its times not measured. For tests of hooks, which
    /// set the other fields.
    #[must_use]
    pub fn new(job: &'a Job, status: StatusCode, version: Version, headers: &'a HeaderMap) -> Self {
        let timings = Timings::default();
        Self { job, status, version, headers, remote: None, reused: false, timings, last: true, followed: false }
    }

    /// The body's length on the wire, where the head says it.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
    }

    /// The media type without its parameters, as written: `text/html`.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        self.headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next().map(str::trim)
    }
}

/// What becomes of a response's body.
pub enum BodyUse {
    /// It is taken in as the settings say: counted, and kept or dropped.
    Collect,
    /// It is not read. The job fails with kind `unwanted` and this message, and its connection is closed.
    Refuse(Box<str>),
    /// It goes here, decoded, and is not kept.
    Stream(Box<dyn BodyWriter>),
}

/// Takes a body as it comes.
///
/// Dropped without [`Self::poll_finish`] having been ready, the body is not whole: what was written has to be undone or
/// marked as cut off. It stays on the thread it was made on.
///
/// ```
/// # extern crate haul_core as haul;
/// use std::task::{Context, Poll, Waker};
/// use haul::model::{BodyUse, BodyWriter, Failure, Hooks, ResponseHead};
///
/// /// Counts lines and keeps nothing.
/// struct Lines(usize);
///
/// impl BodyWriter for Lines {
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn write(&mut self, piece: bytes::Bytes) {
///         self.0 += piece.iter().filter(|byte| **byte == b'\n').count();
///     }
///
///     fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Box<str>>, Failure>> {
///         Poll::Ready(Ok(Some(format!("{} lines", self.0).into())))
///     }
/// }
///
/// struct CountLines;
///
/// impl Hooks for CountLines {
///     fn body(&self, _: &ResponseHead<'_>) -> BodyUse {
///         BodyUse::Stream(Box::new(Lines(0)))
///     }
/// }
///
/// let mut lines = Lines(0);
/// lines.write("one\ntwo\n".into());
/// let end = lines.poll_finish(&mut Context::from_waker(Waker::noop()));
/// assert!(matches!(end, Poll::Ready(Ok(Some(says))) if &*says == "2 lines"));
/// ```
pub trait BodyWriter {
    /// Ready when one more piece may be written. While it is not, nothing more is read from the peer, and the time-outs
    /// between reads stand still.
    ///
    /// # Errors
    /// The body can't be taken any further; the job fails with this.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>>;

    /// Takes a piece, never empty, of 64 KiB at the most as a rule. Called once after each ready [`Self::poll_ready`].
    fn write(&mut self, piece: Bytes);

    /// The body came whole. Ready when it is safe. Says where it is, for the record (`saved`).
    ///
    /// # Errors
    /// It can't be made safe; the job fails with this.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Box<str>>, Failure>>;
}

/// A user's own code in every exchange of a run: each attempt, each redirect. Every method has a default that changes nothing.
///
/// A run may have several, called in their order. The calls come from the threads that fetch, and must not block. A thread may have
/// one of its own, with state that needs no lock: each registrable domain belongs to one thread for the whole run, and with it
/// all exchanges with its hosts. One that panics refuses its request or response.
///
/// ```
/// # extern crate haul_core as haul;
/// use haul::model::{BodyUse, Hooks, Job, RequestHead, ResponseHead, Time, WebUrl};
/// use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
///
/// struct Polite;
///
/// impl Hooks for Polite {
///     fn request(&self, request: &mut RequestHead<'_>) -> Result<(), Box<str>> {
///         let attempt = HeaderValue::from(request.earlier_attempts + 1);
///         request.headers.insert("x-attempt", attempt);
///         Ok(())
///     }
///
///     fn body(&self, head: &ResponseHead<'_>) -> BodyUse {
///         match head.headers.get("content-type") {
///             Some(media) if media == "video/mp4" => BodyUse::Refuse("no videos".into()),
///             _ => BodyUse::Collect,
///         }
///     }
/// }
///
/// let (job, mut headers) = (Job::new(0, WebUrl::parse("http://a.example/film")?.0, Time::ZERO), HeaderMap::new());
/// assert!(Polite.request(&mut RequestHead::new(&job, &Method::GET, &mut headers)).is_ok());
/// assert_eq!(headers["x-attempt"], "1");
/// headers.insert("content-type", HeaderValue::from_static("video/mp4"));
/// let use_of = Polite.body(&ResponseHead::new(&job, StatusCode::OK, Version::HTTP_11, &headers));
/// assert!(matches!(use_of, BodyUse::Refuse(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Hooks {
    /// Called before each request is sent, redirects and retries included: to sign it, to set a token, to refuse it.
    ///
    /// # Errors
    /// The request is not sent, and no other hook is asked; the job fails with kind `unwanted` and this message.
    fn request(&self, request: &mut RequestHead<'_>) -> Result<(), Box<str>> {
        let _ = request;
        Ok(())
    }

    /// Called for each response head that can be read, before anything is decided by it: of redirects that are followed and of responses that may be tried
    /// again, too.
    fn head(&self, head: &ResponseHead<'_>) {
        let _ = head;
    }

    /// Called for each response head but those of redirects that are followed: says what becomes of the body. It is refused if one of
    /// the hooks refuses it, and goes to all that want it as a stream; where one of these fails the job does, and what another has finished
    /// stands.
    fn body(&self, head: &ResponseHead<'_>) -> BodyUse {
        let _ = head;
        BodyUse::Collect
    }

    /// Called at the end of each attempt, whatever becomes of its job: it may be tried again, or go on at a redirect's target.
    fn attempt(&self, job: &Job, attempt: &Attempt) {
        let _ = (job, attempt);
    }

    /// Called once for each job that ended with a response or a failure, before its record is written.
    fn outcome(&self, outcome: &Outcome) {
        let _ = outcome;
    }
}

impl<H: Hooks + ?Sized> Hooks for Arc<H> {
    fn request(&self, request: &mut RequestHead<'_>) -> Result<(), Box<str>> {
        (**self).request(request)
    }

    fn head(&self, head: &ResponseHead<'_>) {
        (**self).head(head);
    }

    fn body(&self, head: &ResponseHead<'_>) -> BodyUse {
        (**self).body(head)
    }

    fn attempt(&self, job: &Job, attempt: &Attempt) {
        (**self).attempt(job, attempt);
    }

    fn outcome(&self, outcome: &Outcome) {
        (**self).outcome(outcome);
    }
}

/// Whom a single job is done for, when it is not the sink: told of its head, and of its end.
///
/// Dropped without [`Self::end`], the job was cancelled.
pub trait Reply: Send + Sync {
    /// The head of the response that will be the result if its body comes whole. Whoever takes the body as a stream has
    /// taken the job: it is not tried again.
    fn head(&self, head: &ResponseHead<'_>) -> BodyUse;

    /// Ready when nobody waits any longer: the job is then cancelled.
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// The job ended.
    fn end(self: Box<Self>, outcome: Outcome);
}

impl fmt::Debug for BodyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Collect => "Collect",
            Self::Refuse(_) => "Refuse",
            Self::Stream(_) => "Stream",
        })
    }
}

impl fmt::Debug for dyn Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}
