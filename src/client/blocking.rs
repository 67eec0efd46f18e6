//! The client for threads without a runtime: the same engine, and each call waits.
//!
//! Not for use inside an async task: it would hold up the task's thread.
//!
//! ```
//! # let server = haul_testserver::TestServer::start()?;
//! # let url = server.url("/bytes/10");
//! let client = haul::blocking::Client::new()?;
//! let response = client.get(&url).send()?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.bytes()?.len(), 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io::{self, Read};
use std::ops::Deref;

use bytes::{Buf, Bytes};
use http::Method;
use serde::de::DeserializeOwned;

use super::{Error, Fetched, Request};
use crate::engine::{Handle, StartError};
use crate::wait::wait;

/// Fetches URLs and waits for them. See [`crate::Client`], of which this is a shell.
#[derive(Clone, Debug)]
pub struct Client(super::Client);

impl Client {
    /// A client with the default settings. For others: `Client::from(haul::Client::builder()…build()?)`.
    ///
    /// # Errors
    /// As [`super::ClientBuilder::build`].
    pub fn new() -> Result<Self, StartError> {
        super::Client::new().map(Self)
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

    /// Sends a request that was made without a client, and waits for the response's head.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn execute(&self, request: Request) -> Result<Response, Error> {
        request.bind(self.clone()).send()
    }

    /// Fetches all of `requests` and gives their results as they complete.
    pub fn fetch_all<'a, I>(&self, requests: I) -> Batch<'a, ()>
    where
        I: IntoIterator<Item: Into<Request>, IntoIter: Send + 'a>,
    {
        Batch(self.0.fetch_all(requests))
    }

    /// The same for pairs of a tag and a request: each result carries its tag.
    pub fn fetch_tagged<'a, T, R, I>(&self, requests: I) -> Batch<'a, T>
    where
        T: Send + 'static,
        R: Into<Request>,
        I: IntoIterator<Item = (T, R), IntoIter: Send + 'a>,
    {
        Batch(self.0.fetch_tagged(requests))
    }

    /// The control handle: progress, pause and resume, limits, an orderly stop.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.0.handle()
    }
}

impl From<super::Client> for Client {
    fn from(client: super::Client) -> Self {
        Self(client)
    }
}

impl Request<Client> {
    /// Sends the request and waits for the response's head.
    ///
    /// # Errors
    /// As [`Request::<crate::Client>::send`](Request#method.send).
    pub fn send(self) -> Result<Response, Error> {
        let (client, request) = self.unbind();
        wait(client.0.execute(request)).map(Response::from)
    }
}

/// A response whose head has come. It is read by [`Self::bytes`], [`Self::text`], [`Self::json`], or as a [`Read`]. Status,
/// headers and all else that is known of it: see [`super::Response`], to which it derefs.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let url = server.url("/bytes/1000000");
/// let mut response = haul::blocking::Client::new()?.get(&url).send()?;
/// let bytes = std::io::copy(&mut response, &mut std::io::sink())?;
/// assert_eq!((response.status().as_u16(), bytes), (200, 1_000_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Response {
    response: super::Response,
    /// What has been taken and not yet read.
    piece: Bytes,
}

impl Response {
    /// The response, unless its status is 400 or above.
    ///
    /// # Errors
    /// An error of kind `status`.
    pub fn error_for_status(self) -> Result<Self, Error> {
        let Self { response, piece } = self;
        response.error_for_status().map(|response| Self { response, piece })
    }

    /// The response with what was taken and not read back in its place.
    fn unread(self) -> super::Response {
        self.response.body.receiver.put_back(self.piece);
        self.response
    }

    /// The whole body, or the rest of it.
    ///
    /// # Errors
    /// It is cut off, broken, or over a cap.
    pub fn bytes(self) -> Result<Bytes, Error> {
        wait(self.unread().bytes())
    }

    /// The whole body as text; see [`super::Response::text`].
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub fn text(self) -> Result<String, Error> {
        wait(self.unread().text())
    }

    /// The whole body, read as JSON into a type.
    ///
    /// # Errors
    /// As [`Self::bytes`]; and kind `corrupt` when it is not the JSON that the type wants.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        wait(self.unread().json())
    }
}

impl From<super::Response> for Response {
    fn from(response: super::Response) -> Self {
        Self { response, piece: Bytes::new() }
    }
}

impl Deref for Response {
    type Target = super::Response;

    fn deref(&self) -> &super::Response {
        &self.response
    }
}

/// The body as it comes. An error of the fetch is the source of the [`io::Error`].
impl Read for Response {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !into.is_empty() {
            self.piece = wait(self.response.chunk()).map_err(io::Error::other)?.unwrap_or_default();
        }
        let count = self.piece.len().min(into.len());
        self.piece.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

/// A list of requests under way: an iterator of their results as they complete. See [`super::Batch`].
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let urls: Vec<String> = (0..5).map(|n| server.url(&format!("/bytes/{n}"))).collect();
/// for fetched in haul::blocking::Client::new()?.fetch_all(&urls) {
///     println!("{}: {} bytes", fetched.url, fetched.result?.bytes()?.len());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a batch does nothing until its results are asked for"]
pub struct Batch<'a, T>(super::Batch<'a, T>);

impl<T: Send + 'static> Batch<'_, T> {
    /// See [`super::Batch::look_ahead`].
    pub fn look_ahead(self, requests: usize) -> Self {
        Self(self.0.look_ahead(requests))
    }

    /// All results, in the order of the requests.
    pub fn in_order(self) -> Vec<Fetched<T, Response>> {
        wait(self.0.in_order()).into_iter().map(blocking).collect()
    }
}

impl<T: Send + 'static> Iterator for Batch<'_, T> {
    type Item = Fetched<T, Response>;

    fn next(&mut self) -> Option<Self::Item> {
        wait(self.0.next()).map(blocking)
    }
}

fn blocking<T>(fetched: Fetched<T>) -> Fetched<T, Response> {
    let Fetched { index, tag, url, result } = fetched;
    Fetched { index, tag, url, result: result.map(Response::from) }
}
