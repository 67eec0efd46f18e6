//! What haul makes of a script: by one connection on a virtual clock, and by a whole run.
//!
//! Promise: every exchange and every connection ends, and a run has one outcome for each of its jobs.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use haul::config::{BodySettings, Config, Timeouts};
use haul::engine::{Engine, Extensions};
use haul::model::{BodyUse, Clock, CompleteResponse, Failure, FailureKind, Phase, Record, Sink, Time};
use haul::source::Urls;
use haul_net::conn::{
    Connection as _, ExchangeContext, ExchangeOutcome, ExclusiveConnection as _, H1, H2, LazyTimer, Recipient,
};
use http::response::Parts;
use http::{Method, Request, Version};

use super::peer::{Net, Peer, Script};

/// Small, so that small inputs reach them.
const MAX_HEAD: usize = 2_048;
const MAX_HEADERS: usize = 16;
const MAX_BODY: u64 = 1 << 20;
/// Far more than the pieces and frames of an input can ask for.
const MOST_POLLS: u32 = 100_000;
/// A connection that nobody uses any more is gone after this, on the virtual clock.
const GOODBYE: Duration = Duration::from_secs(5);

/// What became of one request, as far as a user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A response called complete.
    Success {
        /// Its status.
        status: u16,
        /// Its body, decoded.
        body: Bytes,
        /// The body's bytes on the wire.
        wire: u64,
    },
    /// A failure.
    Failure(Phase, FailureKind),
}

impl Verdict {
    fn new(result: Result<CompleteResponse, Failure>, wire: u64) -> Self {
        match result {
            Ok(CompleteResponse { status, body, .. }) => {
                Self::Success { status, body: body.expect("bodies are kept"), wire }
            }
            Err(failure) => Self::Failure(failure.phase, failure.kind),
        }
    }

    /// Whether it is one.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Success { .. })
    }

    /// Where it failed, if it did.
    pub const fn failed_in(&self) -> Option<Phase> {
        match self {
            Self::Success { .. } => None,
            Self::Failure(phase, _) => Some(*phase),
        }
    }

    /// Whether it took a time-out to end it.
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Failure(_, FailureKind::Timeout | FailureKind::TotalTimeout))
    }
}

impl From<ExchangeOutcome> for Verdict {
    fn from(exchanged: ExchangeOutcome) -> Self {
        Self::new(exchanged.result, exchanged.wire_bytes)
    }
}

/// The settings that all of it is done with.
fn body_settings() -> BodySettings {
    BodySettings {
        keep: true,
        keep_headers: true,
        max_wire: MAX_BODY,
        max_decoded: MAX_BODY,
        max_head: MAX_HEAD,
        max_headers: MAX_HEADERS,
        ..BodySettings::default()
    }
}

/// The runtime's clock, which stands still while anything moves, and jumps to the next timer else.
struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now(&self) -> Time {
        Time::ZERO + self.0.elapsed()
    }

    fn instant(&self, at: Time) -> std::time::Instant {
        // A year is as good as never, and can be added.
        self.0.into_std() + at.since(Time::ZERO).min(Duration::from_secs(86_400 * 365))
    }
}

/// Waits for everything.
struct Taker;

impl Recipient for Taker {
    fn head(&self, _: &Parts, _: Duration, _: bool) -> BodyUse {
        BodyUse::Collect
    }

    fn poll_gone(&self, _: &mut TaskContext<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// A request on its own.
struct Asker<'a> {
    clock: Virtual,
    body: &'a BodySettings,
    method: &'a Method,
}

impl<'a> Asker<'a> {
    #[expect(clippy::disallowed_methods, reason = "the virtual clock's start")]
    fn new(body: &'a BodySettings, method: &'a Method) -> Self {
        Self { clock: Virtual(tokio::time::Instant::now()), body, method }
    }

    fn timer(&self) -> LazyTimer {
        LazyTimer::new(&self.clock, Time::NEVER)
    }

    fn request(&self, version: Version) -> Request<haul_net::conn::RequestBody> {
        let uri = if version == Version::HTTP_2 { "http://a.example/" } else { "/" };
        let mut request = Request::builder().method(self.method).uri(uri).version(version);
        if version != Version::HTTP_2 {
            request = request.header("host", "a.example");
        }
        request.body(haul_net::conn::RequestBody::default()).expect("valid")
    }

    fn context(&self) -> ExchangeContext<'_, Virtual> {
        let timeouts = Timeouts::default();
        ExchangeContext {
            clock: &self.clock,
            total: self.clock.now() + timeouts.total,
            timeouts: std::borrow::Cow::Owned(timeouts),
            body: self.body,
            redirect_body: None,
            recipient: &Taker,
        }
    }
}

/// Runs `work` to its end on the virtual clock.
fn on_the_virtual_clock<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let local = tokio::task::LocalSet::new();
    let polls = Cell::new(0);
    let mut work = pin!(work);
    let bounded = poll_fn(|cx| {
        polls.set(polls.get() + 1);
        assert!(polls.get() < MOST_POLLS, "no end in sight");
        work.as_mut().poll(cx)
    });
    local.block_on(&runtime.expect("a runtime without input and output"), bounded)
}

/// One request after another over one HTTP/1.1 connection, as long as it can be used again.
pub fn h1(script: &Script, method: &Method) -> Vec<Verdict> {
    let body = body_settings();
    on_the_virtual_clock(async {
        let mut verdicts = Vec::new();
        let mut connection =
            H1::new(Peer::new(Arc::new(script.clone())), &body).await.expect("it does no input or output");
        let asker = Asker::new(&body, method);
        let mut timer = asker.timer();
        for _ in &script.turns {
            let mut request = asker.request(Version::HTTP_11);
            let exchanged = connection.exchange(&mut request, method, &asker.context(), &mut timer).await;
            verdicts.push(exchanged.into());
            if connection.why_not_reusable().is_some() || !stays_idle(&mut connection, script) {
                break;
            }
        }
        verdicts
    })
}

/// Whether an idle connection sees nothing, once all that was said has been read.
fn stays_idle(connection: &mut H1<Peer>, script: &Script) -> bool {
    let mut cx = TaskContext::from_waker(Waker::noop());
    // Each piece takes a look to be waited for, and one to be read.
    (0..2 * script.pieces() + 4).all(|_| connection.poll_idle(&mut cx).is_pending())
}

/// Two requests at once over one HTTP/2 connection. Then it is let go, and ends.
pub fn h2(script: &Script, method: &Method) -> Vec<Verdict> {
    let body = body_settings();
    on_the_virtual_clock(async {
        let opened = H2::new(Peer::new(Arc::new(script.clone())), &body).await;
        let (connection, driver) = opened.expect("the preface can be written");
        let driver = tokio::task::spawn_local(async { driver.await.run().await });
        let ask = async || {
            let mut connection = connection.clone();
            let asker = Asker::new(&body, method);
            let mut request = asker.request(Version::HTTP_2);
            Verdict::from(connection.exchange(&mut request, method, &asker.context(), &mut asker.timer()).await)
        };
        let (first, second) = tokio::join!(ask(), ask());
        drop(connection);
        tokio::time::timeout(GOODBYE, driver).await.expect("the connection ends").expect("and does not panic");
        vec![first, second]
    })
}

/// Hands outcomes on.
struct Hand(Sender<(u64, Verdict)>);

impl Sink for Hand {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        for record in batch.drain(..) {
            safe.push(record.seq());
            let Record::Fetched(outcome) = record else { panic!("a good URL is rejected") };
            let verdict = Verdict::new(outcome.last.result, outcome.last.wire_bytes);
            self.0.send((outcome.job.seq, verdict)).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// So many jobs for one host through an engine, one after the other.
pub fn run(script: &Script, method: &Method, version: Version, jobs: usize) -> Vec<Verdict> {
    let mut config = Config { body: body_settings(), ..Config::default() };
    config.limits.per_host = NonZeroU32::MIN;
    config.limits.shards = 1;
    config.limits.window = 16;
    config.request.method = method.clone();
    config.request.max_redirects = 0;
    config.retries.retries = 0;
    // A run's clock is the real one: nothing may ask it to wait.
    config.retries.backoff_base = Duration::ZERO;
    config.retries.dead_after = 0;
    config.network.http2_prior_knowledge = version == Version::HTTP_2;
    let mut extensions = Extensions::default();
    extensions.connector = Some(Arc::new(Net(Arc::new(script.clone()))));
    let engine = Engine::with(config, extensions).expect("valid settings");
    let (outcomes, received) = channel();
    let report = engine.run(Box::new(Urls::new(vec!["http://192.0.2.1/"; jobs])), Box::new(Hand(outcomes)));
    let mut received: Vec<_> = received.iter().collect();
    received.sort_by_key(|(seq, _)| *seq);
    assert!(received.iter().map(|(seq, _)| *seq).eq(0..jobs as u64), "not one outcome each: {received:?}");
    let successes = received.iter().filter(|(_, verdict)| verdict.is_success()).count() as u64;
    let totals = report.totals;
    assert_eq!((totals.succeeded, totals.failed, totals.cancelled), (successes, jobs as u64 - successes, 0));
    received.into_iter().map(|(_, verdict)| verdict).collect()
}
