//! The client: one request at a time or a whole batch, from any runtime or none, over the engine that runs for it.
//!
//! Owns the way from a call to a job and back: requests, replies, bodies as they come. Invariant: whoever drops a future,
//! a response or a batch cancels what it stood for; nothing of it stays behind. It must not know lanes, connections or
//! the scheduler: it submits jobs and is told how they end.

mod batch;
pub mod blocking;
mod body;
mod builder;
mod error;
mod head;
mod inbox;
mod pipe;
mod request;
mod response;
mod service;

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;

use futures_core::Stream;
use futures_util::stream;
use http::Method;

pub use self::batch::{Batch, Fetched};
pub use self::body::Body;
pub use self::builder::ClientBuilder;
pub use self::error::Error;
pub use self::request::Request;
pub use self::response::Response;

use self::head::Head;
use self::pipe::Receiver;
use crate::body::ContentCodings;
use crate::engine::{Handle, Live, StartError};

/// Fetches URLs. Clones are cheap and share everything: limits, connections, names.
///
/// Its requests go through the same scheduler as a run of a million URLs: any number may be waiting, and as many are in
/// flight as the limits allow, over all hosts, per host and per address. It brings its own threads, so its futures can be
/// awaited in any runtime; [`crate::blocking`] needs none.
///
/// When the last clone, response and batch of a client is dropped, its threads end and its connections close.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let url = server.url("/json/3");
/// # futures::executor::block_on(async {
/// let client = haul::Client::new()?;
/// let response = client.get(&url).header("accept", "application/json").send().await?;
/// assert_eq!(response.status(), 200);
/// println!("{} from {:?}", response.text().await?, url);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    live: Arc<Live>,
    /// The most bytes of a body that is read into one piece.
    most: u64,
    /// Whether content codings are undone.
    decodes: bool,
}

impl Client {
    /// A client with the default settings.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn new() -> Result<Self, StartError> {
        Self::builder().build()
    }

    /// A client with other settings.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A GET request.
    pub fn get(&self, url: impl AsRef<str>) -> Request<Self> {
        self.request(Method::GET, url)
    }

    /// A HEAD request.
    pub fn head(&self, url: impl AsRef<str>) -> Request<Self> {
        self.request(Method::HEAD, url)
    }

    /// A POST request.
    pub fn post(&self, url: impl AsRef<str>) -> Request<Self> {
        self.request(Method::POST, url)
    }

    /// A PUT request.
    pub fn put(&self, url: impl AsRef<str>) -> Request<Self> {
        self.request(Method::PUT, url)
    }

    /// A DELETE request.
    pub fn delete(&self, url: impl AsRef<str>) -> Request<Self> {
        self.request(Method::DELETE, url)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> Request<Self> {
        Request::of(self.clone(), method, url.as_ref())
    }

    /// Sends a request that was made without a client.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn execute(&self, request: Request) -> impl Future<Output = Result<Response, Error>> + Send + use<> {
        request.bind(self.clone()).send()
    }

    /// Fetches all of `requests` (URLs or [`Request`]s) and gives their results as they complete.
    ///
    /// The iterator is read as far ahead as [`Batch::look_ahead`] says. One failed URL is one result that is an error.
    ///
    /// ```
    /// # use futures::StreamExt;
    /// # let server = haul_testserver::TestServer::start()?;
    /// # let urls: Vec<String> = (0..5).map(|n| server.url(&format!("/bytes/{n}"))).collect();
    /// # futures::executor::block_on(async {
    /// let client = haul::Client::new()?;
    /// let mut batch = client.fetch_all(&urls);
    /// while let Some(fetched) = batch.next().await {
    ///     match fetched.result {
    ///         Ok(response) => println!("{}: {}", fetched.url, response.status()),
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fetch_all<'a, I>(&self, requests: I) -> Batch<'a, ()>
    where
        I: IntoIterator<Item: Into<Request>, IntoIter: Send + 'a>,
    {
        self.fetch_stream(stream::iter(requests.into_iter().map(|request| ((), request))))
    }

    /// The same for pairs of a tag and a request: each result carries its tag, so that it is matched to what it is for
    /// without a map.
    ///
    /// ```
    /// # let server = haul_testserver::TestServer::start()?;
    /// # let products = [("kettle", server.url("/json/1")), ("teapot", server.url("/status/404"))];
    /// # futures::executor::block_on(async {
    /// let client = haul::Client::new()?;
    /// for fetched in client.fetch_tagged(products).in_order().await {
    ///     println!("{}: {}", fetched.tag, fetched.result?.status());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fetch_tagged<'a, T, R, I>(&self, requests: I) -> Batch<'a, T>
    where
        T: Send + 'static,
        R: Into<Request>,
        I: IntoIterator<Item = (T, R), IntoIter: Send + 'a>,
    {
        self.fetch_stream(stream::iter(requests))
    }

    /// The same for requests that come over time: each is put under way as soon as it is there.
    ///
    /// ```
    /// # let server = haul_testserver::TestServer::start()?;
    /// # let url = server.url("/html/1");
    /// # futures::executor::block_on(async {
    /// use futures::channel::mpsc;
    ///
    /// let (queue, requests) = mpsc::unbounded();
    /// let client = haul::Client::new()?;
    /// let mut batch = client.fetch_stream(requests);
    /// // A tag of any type: here how deep in the site the page is.
    /// queue.unbounded_send((1, url))?;
    /// let fetched = batch.next().await.expect("one is under way");
    /// assert_eq!((fetched.tag, fetched.result?.status().as_u16()), (1, 200));
    /// drop(queue);
    /// assert!(batch.next().await.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fetch_stream<'a, T, R, S>(&self, requests: S) -> Batch<'a, T>
    where
        T: Send + 'static,
        R: Into<Request>,
        S: Stream<Item = (T, R)> + Send + 'a,
    {
        Batch::new(self.clone(), requests)
    }

    /// The control handle: progress, pause and resume, limits, an orderly stop.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.live.handle()
    }

    fn respond(&self, head: Head, receiver: Receiver) -> Response {
        let live = receiver.left().is_none().then(|| Arc::clone(&self.live));
        let decoded = self.decodes && !ContentCodings::of(&head.headers).is_empty();
        Response { head, body: Body { receiver, _live: live, most: self.most, decoded } }
    }

    /// Submits a request; what comes back will be told to the receiver.
    fn submit(&self, request: Request) -> Result<Receiver, Error> {
        let given: Box<str> = request.url().into();
        let (url, mut extra) = request.into_job().map_err(|failure| Error::new(failure, shown(&given), 0))?;
        let (sender, receiver) = pipe::pipe(extra.given.as_deref().unwrap_or(url.as_str()).into());
        extra.reply = Some(Box::new(sender));
        self.live.submit([(url, extra)]);
        Ok(receiver)
    }
}

/// A URL that can't be read, as messages show it.
fn shown(given: &str) -> Box<str> {
    crate::model::without_credentials(given).into()
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("progress", &self.handle().progress()).finish_non_exhaustive()
    }
}

impl Request<Client> {
    /// Sends the request and waits for the response's head (and, where it is known to be no longer than 64 KiB, its body).
    ///
    /// Nothing happens until the future is polled; dropping it cancels the request. It may be polled in any runtime.
    ///
    /// # Errors
    /// There is no response: the URL can't be read, the host can't be reached, a time-out … after as many attempts as the
    /// client's settings allow.
    ///
    /// A response whose body is over 256 KiB and not read keeps its place among the requests in flight. Who wants the heads
    /// of many large bodies first, and reads them later, waits for himself until the total time-out: read each body, or
    /// drop it, before waiting for the next `per_host` ones.
    pub async fn send(self) -> Result<Response, Error> {
        let (client, request) = self.unbind();
        let receiver = client.submit(request)?;
        let head = poll_fn(|cx| receiver.poll_head(cx)).await?;
        Ok(client.respond(head, receiver))
    }
}
