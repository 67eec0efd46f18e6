//! The run's requests: what each says, and what is kept of its response.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::LOCATION;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};

use super::flight::{Flight, abandoned};
use super::hooks::HookList;
use crate::config::{BodySettings, Config};
use crate::conn::{ExchangeContext, Recipient, RequestAuthority, RequestBody, RequestTemplate};
use crate::engine::clock::SystemClock;
use crate::engine::shared::Shared;
use crate::engine::template::request_template;
use crate::model::{Attempt, Failure, FailureKind, HeaderList, Job, Phase, RequestHead, Time, WebUrl};
use crate::policy::redirect::{self, AnsweredRequest, Decision};
use crate::work;

/// The most headers that room is kept for.
const MOST_SPARE: usize = 64;

/// What is done with the bodies of redirects that are followed. They are read so that the connection can be used again;
/// over this many bytes a new one is cheaper. The caps on bodies are for those that somebody gets.
fn redirect_body(body: &BodySettings) -> BodySettings {
    const MOST: u64 = 64 << 10;
    BodySettings { decode: false, keep: false, digest: false, max_wire: MOST, max_decoded: u64::MAX, ..body.clone() }
}

/// What all requests of a shard have in common.
pub(super) struct Requests {
    shared: Arc<Shared>,
    template: RequestTemplate,
    /// What is done with the bodies of redirects: read as far as it is worth a connection, and dropped.
    redirect_body: BodySettings,
    /// The room of the last response's headers, for the next request's.
    spare_headers: Cell<HeaderMap>,
    hooks: HookList,
}

impl Requests {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            template: request_template(&shared.config),
            redirect_body: redirect_body(&shared.config.body),
            spare_headers: Cell::default(),
            hooks: HookList::made_by(shared.extensions.hooks()),
            shared: Arc::clone(shared),
        }
    }

    fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Whom requests for `url` are addressed to.
    pub(super) fn authority(&self, url: &WebUrl) -> RequestAuthority {
        self.template.authority(url)
    }

    /// Makes `request` that of a flight to `authority`.
    pub(super) fn prepare(
        &self,
        request: &mut Request<RequestBody>,
        flight: &Flight,
        authority: &RequestAuthority,
        version: Version,
        remote: Option<SocketAddr>,
    ) -> Result<(), Failure> {
        if flight.is_abandoned() {
            return Err(abandoned());
        }
        let filled = self.template.fill(request, &flight.job, authority, version, self.spare_headers.take());
        let unfit = || {
            let message = "the URL's host can't be put into an HTTP/2 request; try it with HTTP/1.1 alone";
            Failure::new(Phase::Send, FailureKind::BadRequest, message)
        };
        let prepared = filled.ok_or_else(unfit).and_then(|()| self.ask_hooks(flight, remote, request));
        match prepared {
            // After the hooks, which can't say anything about it.
            Ok(()) => self.template.tell_length(request, &flight.job),
            // Its headers and its body would wait in the lane for the next one.
            Err(_) => *request = Request::default(),
        }
        prepared
    }

    /// The method of its request.
    pub(super) fn method<'a>(&'a self, flight: &'a Flight) -> &'a Method {
        self.template.method(&flight.job)
    }

    /// What its exchange has to know.
    pub(super) fn context<'a>(
        &'a self,
        flight: &Flight,
        clock: &'a SystemClock,
        recipient: &'a dyn Recipient,
    ) -> ExchangeContext<'a, SystemClock> {
        let config = self.config();
        ExchangeContext {
            clock,
            // A job that may take longer than the others may take longer in each part, too.
            timeouts: match flight.own_timeout().filter(|own| *own > config.timeouts.total) {
                Some(own) => Cow::Owned(config.timeouts.within(own)),
                None => Cow::Borrowed(&config.timeouts),
            },
            body: &config.body,
            total: self.due(flight),
            redirect_body: (config.request.max_redirects > 0).then_some(&self.redirect_body),
            recipient,
        }
    }

    /// When the attempt is over at the latest.
    pub(super) fn due(&self, flight: &Flight) -> Time {
        flight.dispatched + flight.own_timeout().unwrap_or_else(|| self.config().timeouts.total)
    }

    /// Whether a request may be sent only once.
    pub(super) fn is_once(&self, flight: &Flight) -> bool {
        !self.config().retries.unsafe_methods && !self.method(flight).is_idempotent()
    }

    /// Where a response with this head sends its job.
    pub(super) fn redirect(&self, job: &Job, head: &Parts) -> Decision {
        if !head.status.is_redirection() {
            return Decision::Stay;
        }
        let asked = AnsweredRequest {
            job,
            method: self.template.method(job),
            max_redirects: self.config().request.max_redirects,
        };
        let locations = head.headers.get_all(LOCATION).iter().map(HeaderValue::as_bytes);
        redirect::decide(asked, head.status.as_u16(), locations)
    }

    /// Keeps the headers where the record, or the decoding of a text body, needs them.
    pub(super) fn keep_head(&self, attempt: &mut Attempt, head: &Parts, order: Option<Vec<HeaderName>>) {
        let body = &self.config().body;
        if (body.keep_headers || body.keep)
            && let Ok(response) = &mut attempt.result
        {
            response.headers = Some(match order {
                Some(names) => HeaderList::in_order(&head.headers, names),
                None => HeaderList::from(&head.headers),
            });
        }
    }

    /// Keeps the room of these headers for the next request, unless it is uncommonly large.
    pub(super) fn spare(&self, mut headers: HeaderMap) {
        if headers.capacity() <= MOST_SPARE {
            headers.clear();
            self.spare_headers.set(headers);
        }
    }

    /// The user's own code.
    pub(super) const fn hooks(&self) -> &HookList {
        &self.hooks
    }

    fn ask_hooks(
        &self,
        flight: &Flight,
        remote: Option<SocketAddr>,
        request: &mut Request<RequestBody>,
    ) -> Result<(), Failure> {
        if self.hooks.is_empty() {
            return Ok(());
        }
        let version = request.version();
        let mut head = RequestHead::new(&flight.job, self.method(flight), request.headers_mut());
        (head.version, head.remote, head.earlier_attempts) = (version, remote, work::attempts(&flight.job));
        self.hooks.request(&mut head)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::shard::hooks::PANICKED;
    use crate::engine::{Engine, Extensions};
    use crate::model::Hooks;
    use crate::sched::HostId;

    /// Adds a header, tries to break the framing, refuses what is secret, and panics where it is asked to.
    #[derive(Debug)]
    struct Meddling;

    impl Hooks for Meddling {
        fn request(&self, head: &mut RequestHead<'_>) -> Result<(), Box<str>> {
            assert!(!head.job.url.as_str().contains("panic"), "as asked");
            let length = HeaderValue::from_static("7");
            head.headers.insert(http::header::CONTENT_LENGTH, length);
            head.headers.insert("x-mine", HeaderValue::from_static("1"));
            if head.job.url.as_str().contains("secret") { Err("not that one".into()) } else { Ok(()) }
        }
    }

    fn prepared(url: &str) -> (Result<(), Failure>, Request<RequestBody>) {
        let mut config = Config::default();
        config.limits.shards = 1;
        let mut extensions = Extensions::default();
        extensions.add_hooks(Meddling);
        let requests = Requests::new(&Engine::with(config, extensions).expect("a machine that can run haul").shared);
        let url = WebUrl::parse(url).expect("a URL").0;
        let authority = requests.authority(&url);
        let flight = Flight::new(HostId(0), Job::new(0, url, Time::ZERO), Time::ZERO, Duration::ZERO);
        let mut request = Request::default();
        let result = requests.prepare(&mut request, &flight, &authority, Version::HTTP_11, None);
        (result, request)
    }

    #[test]
    fn hooks_change_headers_and_not_the_framing() {
        let (result, request) = prepared("http://a.example/x");
        assert!(result.is_ok());
        assert_eq!(request.headers().get("x-mine").map(HeaderValue::as_bytes), Some(&b"1"[..]));
        assert!(!request.headers().contains_key(http::header::CONTENT_LENGTH));
    }

    #[test]
    fn what_hooks_refuse_or_fail_over_is_not_sent_and_leaves_nothing_behind() {
        for (url, message) in [("http://a.example/secret", "not that one"), ("http://a.example/panic", PANICKED)] {
            let (result, request) = prepared(url);
            let failure = result.expect_err("refused");
            assert_eq!((failure.phase, failure.kind), (Phase::Queue, FailureKind::Unwanted));
            assert_eq!(&*failure.message, message);
            assert!(request.headers().is_empty());
        }
    }
}
