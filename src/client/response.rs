//! A response: its head, how it came, and its body still to be read.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode, Version};
use serde::de::DeserializeOwned;

use super::body::Body;
use super::error::Error;
use super::head::Head;
use crate::model::{Failure, FailureKind, Hop, Phase, Timings};

/// A response whose head has come. Its body is read by [`Self::bytes`], [`Self::text`], [`Self::json`], piece by piece
/// with [`Self::chunk`], or as an [`http_body::Body`] from [`Self::into_body`].
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let url = server.url("/bytes/1000000");
/// # futures::executor::block_on(async {
/// let mut response = haul::Client::new()?.get(&url).send().await?.error_for_status()?;
/// println!("{} from {:?} after {:?}", response.status(), response.remote_addr(), response.timings().first_byte);
/// let mut bytes = 0;
/// while let Some(piece) = response.chunk().await? {
///     bytes += piece.len();
/// }
/// assert_eq!(bytes, 1_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Response {
    pub(super) head: Head,
    pub(super) body: Body,
}

impl Response {
    /// The status code. Statuses like 404 are responses, not errors; see [`Self::error_for_status`].
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The protocol it came over.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.head.version
    }

    /// The headers. They are those of the wire: a decoded body still has its `content-encoding` here.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The URL that answered, in its normal form: the end of the redirects.
    #[must_use]
    pub fn url(&self) -> &str {
        self.head.url.as_str()
    }

    /// The redirects that led here.
    #[must_use]
    pub fn redirects(&self) -> &[Hop] {
        &self.head.redirects
    }

    /// The peer; `None` over a Unix socket, and where its name was looked up at the far end.
    #[must_use]
    pub const fn remote_addr(&self) -> Option<SocketAddr> {
        self.head.remote
    }

    /// Whether the connection had served a request before.
    #[must_use]
    pub const fn reused(&self) -> bool {
        self.head.reused
    }

    /// Attempts made over all redirects, this one included.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.head.attempts
    }

    /// How long each phase took. Of a body that is still being read, `body` is `None` and `total` is zero.
    #[must_use]
    pub const fn timings(&self) -> &Timings {
        &self.head.timings
    }

    /// Where a hook has written the body, as its [`crate::model::BodyWriter`] says.
    #[must_use]
    pub fn saved(&self) -> Option<&str> {
        self.head.saved.as_deref()
    }

    /// The response, unless its status is 400 or above.
    ///
    /// # Errors
    /// An error of kind `status`.
    pub fn error_for_status(self) -> Result<Self, Error> {
        if self.status().is_client_error() || self.status().is_server_error() {
            return Err(Error::status_error(self.status(), self.url(), self.attempts()));
        }
        Ok(self)
    }

    /// The whole body.
    ///
    /// # Errors
    /// It is cut off, broken, or over a cap.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        self.body.bytes().await
    }

    /// The whole body as text.
    ///
    /// It is the text that a browser would show. The charset is that of a byte order mark, else of `content-type`, else of the
    /// document's own declaration (a page's `meta`, an XML declaration, a style sheet's `@charset`), else UTF-8 if the bytes
    /// are UTF-8, else guessed from the bytes. JSON is UTF-8. What is no text in that charset becomes U+FFFD.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub async fn text(self) -> Result<String, Error> {
        let bytes = self.body.bytes().await?;
        Ok(self.head.text(&bytes).text.into_owned())
    }

    /// The whole body, read as JSON into a type.
    ///
    /// JSON is UTF-8, and may have a byte order mark. A body that is not is read by the charset that it says it has.
    ///
    /// # Errors
    /// As [`Self::bytes`]; and kind `corrupt` (phase `decode`) when it is not the JSON that the type wants.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let bytes = self.body.bytes().await?;
        self.head.json(&bytes).map_err(|error| {
            let message = format!("the body is not the JSON expected: {error}");
            let failure = Failure::new(Phase::Decode, FailureKind::Corrupt, message);
            Error::new(failure, self.head.url.as_str(), self.head.attempts)
        })
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// It is cut off, broken, or over a cap.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.body.chunk().await
    }

    /// The body alone.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }
}

impl From<Response> for http::Response<Body> {
    /// Status, version, headers and body. Where the body's coding was undone, `content-encoding` and `content-length`, which
    /// are those of the wire, are left out. How it came ([`Timings`], the peer's [`SocketAddr`]) is in the extensions.
    fn from(response: Response) -> Self {
        let Response { head, body } = response;
        let mut other = Self::new(body);
        *other.status_mut() = head.status;
        *other.version_mut() = head.version;
        *other.headers_mut() = head.headers;
        if other.body().decoded {
            other.headers_mut().remove(CONTENT_ENCODING);
            other.headers_mut().remove(CONTENT_LENGTH);
        }
        other.extensions_mut().insert(head.timings);
        if let Some(remote) = head.remote {
            other.extensions_mut().insert(remote);
        }
        other
    }
}
