//! A whole list of requests, and their results as they complete.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::Fuse;

use super::body::Body;
use super::error::Error;
use super::inbox::{Completion, Inbox, ToInbox};
use super::pipe::Receiver;
use super::{Client, Request, Response};
use crate::body::ContentCodings;

/// Requests put under way before their results are taken, unless said otherwise.
const LOOK_AHEAD: usize = 4096;

/// One request's result.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let url = server.url("/bytes/3");
/// let client = haul::blocking::Client::new()?;
/// for fetched in client.fetch_tagged([("mine", &url)]) {
///     assert_eq!((fetched.tag, fetched.result?.bytes()?.len()), ("mine", 3));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Fetched<T = (), R = Response> {
    /// The request's position in the batch, from 0.
    pub index: usize,
    /// What the caller attached to the request.
    pub tag: T,
    /// The URL as given.
    pub url: Box<str>,
    /// The response, its body already here and whole, or why there is none.
    pub result: Result<R, Error>,
}

/// What goes with a request to its end.
pub(super) struct Slip<T> {
    pub(super) index: usize,
    tag: T,
    url: Box<str>,
}

type Requests<'a, T> = Pin<Box<dyn Stream<Item = (T, Request)> + Send + 'a>>;

/// A list of requests under way: a [`Stream`] of their results as they complete.
///
/// Bodies are held in memory, each up to [`crate::config::BodySettings::max_kept`], those of results that nobody has taken yet
/// included: at most [`Self::look_ahead`] of them. Dropping the batch cancels what has
/// not ended.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let mirrors = [server.url("/delay/30s"), server.url("/bytes/1000")];
/// # futures::executor::block_on(async {
/// // The first good answer wins; the others are cancelled.
/// let client = haul::Client::new()?;
/// let mut batch = client.fetch_all(&mirrors);
/// let first = loop {
///     let fetched = batch.next().await.ok_or("no mirror has it")?;
///     if let Ok(response) = fetched.result.and_then(haul::Response::error_for_status) {
///         break response;
///     }
/// };
/// drop(batch);
/// assert_eq!(first.url(), mirrors[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a batch does nothing until its results are asked for"]
pub struct Batch<'a, T> {
    client: Client,
    requests: Fuse<Requests<'a, T>>,
    inbox: Arc<Inbox<T>>,
    look_ahead: usize,
    next_index: usize,
    /// Requests put under way whose results have not been taken.
    outstanding: usize,
}

impl<'a, T: Send + 'static> Batch<'a, T> {
    pub(super) fn new<R: Into<Request>>(client: Client, requests: impl Stream<Item = (T, R)> + Send + 'a) -> Self {
        let requests: Requests<'a, T> = Box::pin(requests.map(|(tag, request)| (tag, request.into())));
        Self {
            client,
            requests: requests.fuse(),
            inbox: Inbox::new(),
            look_ahead: LOOK_AHEAD,
            next_index: 0,
            outstanding: 0,
        }
    }

    /// How many requests are put under way before their results are taken: how far hosts can be interleaved, and the most
    /// results that wait in memory. Default 4096, at least 1.
    pub fn look_ahead(mut self, requests: usize) -> Self {
        self.look_ahead = requests.max(1);
        self
    }

    /// All results, in the order of the requests.
    pub async fn in_order(mut self) -> Vec<Fetched<T>> {
        let mut all = Vec::with_capacity(self.requests.size_hint().0);
        while let Some(fetched) = self.next().await {
            all.push(fetched);
        }
        all.sort_unstable_by_key(|fetched| fetched.index);
        all
    }

    /// The next result to complete; `None` after the last.
    pub async fn next(&mut self) -> Option<Fetched<T>> {
        poll_fn(|cx| self.poll_next_result(cx)).await
    }

    fn poll_next_result(&mut self, cx: &mut Context<'_>) -> Poll<Option<Fetched<T>>> {
        // By halves: requests put under way together are handed over together.
        if self.outstanding <= self.look_ahead / 2 {
            self.put_under_way(cx);
        }
        match self.inbox.poll_take(cx) {
            Poll::Ready(ended) => {
                self.outstanding -= 1;
                Poll::Ready(Some(self.fetched(ended)))
            }
            Poll::Pending if self.outstanding == 0 && self.requests.is_done() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Puts requests under way, as many as there are and the look-ahead allows.
    fn put_under_way(&mut self, cx: &mut Context<'_>) {
        let mut jobs = Vec::new();
        while self.outstanding < self.look_ahead {
            let Poll::Ready(Some((tag, request))) = self.requests.poll_next_unpin(cx) else { break };
            let slip = Slip { index: self.next_index, tag, url: super::shown(request.url()) };
            self.next_index += 1;
            self.outstanding += 1;
            match request.into_job() {
                Ok((url, mut extra)) => {
                    extra.reply = Some(Box::new(ToInbox::new(Arc::clone(&self.inbox), slip)));
                    jobs.push((url, extra));
                }
                Err(failure) => self.inbox.put(Completion { slip, attempts: 0, result: Err(failure) }),
            }
        }
        self.client.live.submit(jobs);
    }

    fn fetched(&self, ended: Completion<T>) -> Fetched<T> {
        let Completion { slip: Slip { index, tag, url }, attempts, result } = ended;
        let result = match result {
            Ok((head, body)) => {
                let decoded = self.client.decodes && !ContentCodings::of(&head.headers).is_empty();
                let body = Body { receiver: Receiver::whole(body), _live: None, most: u64::MAX, decoded };
                Ok(Response { head, body })
            }
            Err(failure) => Err(Error::new(failure, url.clone(), attempts)),
        };
        Fetched { index, tag, url, result }
    }
}

impl<T: Send + 'static> Stream for Batch<'_, T> {
    type Item = Fetched<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Fetched<T>>> {
        self.poll_next_result(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (lower, upper) = self.requests.size_hint();
        let upper = upper.and_then(|upper| upper.checked_add(self.outstanding));
        (lower.saturating_add(self.outstanding), upper)
    }
}

impl<T> Drop for Batch<'_, T> {
    fn drop(&mut self) {
        self.inbox.leave();
    }
}

impl<T> fmt::Debug for Batch<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("taken", &(self.next_index - self.outstanding))
            .field("outstanding", &self.outstanding)
            .finish_non_exhaustive()
    }
}
