//! The beginning of an attempt: its request, and what its exchange has to know.

use std::borrow::Cow;
use std::time::Duration;

use http::{Method, Request, Version};

use super::Shard;
use super::lane::Flight;
use super::recipient::abandoned;
use crate::conn::{Addressee, Context, Recipient, RequestBody};
use crate::engine::clock::SystemClock;
use crate::model::{Failure, FailureKind, Phase, Time};

impl Shard {
    /// Makes `request` that of a flight to `addressee`.
    pub(super) fn prepare(
        &self,
        request: &mut Request<RequestBody>,
        flight: &Flight,
        addressee: &Addressee,
        version: Version,
    ) -> Result<(), Failure> {
        if flight.is_abandoned() {
            return Err(abandoned());
        }
        let filled = self.template.fill(request, &flight.job, addressee, version, self.spare_headers.take());
        let unfit = || {
            let message = "the URL's host can't be put into an HTTP/2 request; try it with HTTP/1.1 alone";
            Failure::new(Phase::Send, FailureKind::BadRequest, message)
        };
        let prepared = filled.ok_or_else(unfit).and_then(|()| self.ask_hooks(flight, request.headers_mut()));
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
    pub(super) fn context<'a>(&'a self, flight: &Flight, recipient: &'a dyn Recipient) -> Context<'a, SystemClock> {
        let config = &self.shared.config;
        Context {
            clock: &self.clock,
            // A job that may take longer than the others may take longer in each part, too.
            timeouts: match own_timeout(flight).filter(|own| *own > config.timeouts.total) {
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
        flight.dispatched + own_timeout(flight).unwrap_or(self.shared.config.timeouts.total)
    }
}

/// The job's own total time-out.
fn own_timeout(flight: &Flight) -> Option<Duration> {
    flight.job.special()?.timeout
}
