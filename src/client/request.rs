//! A request as a caller writes it, and the job it becomes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::model::{Control, Extra, Failure, FailureKind, Phase, Redacted, RequestOverrides, WebUrl};
use crate::source::{self, authorized};

/// A request: plain data, cheap to clone, good for any client. [`super::Client::get`] and its like make one that is bound
/// to its client and can be sent.
///
/// What is wrong with a part of it (a URL, a header) is told when it is sent: as an error of phase `input`.
///
/// ```
/// use haul::Request;
///
/// let request = Request::get("http://127.0.0.1:8080/search").query([("q", "two words")]).header("x-a", "1");
/// assert_eq!(request.url(), "http://127.0.0.1:8080/search?q=two+words");
/// ```
#[derive(Clone)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request<C = ()> {
    pub(super) client: C,
    url: Box<str>,
    method: Method,
    headers: HeaderMap,
    body: Option<Bytes>,
    timeout: Option<Duration>,
    /// What is wrong with it: the first thing.
    mistake: Option<Box<str>>,
}

impl Request {
    /// A request with any method.
    pub fn new(method: Method, url: impl AsRef<str>) -> Self {
        Self::of((), method, url.as_ref())
    }

    /// A GET request.
    pub fn get(url: impl AsRef<str>) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST request.
    pub fn post(url: impl AsRef<str>) -> Self {
        Self::new(Method::POST, url)
    }

    /// Binds it to a client.
    pub(super) fn bind<C>(self, client: C) -> Request<C> {
        let Self { client: (), url, method, headers, body, timeout, mistake } = self;
        Request { client, url, method, headers, body, timeout, mistake }
    }
}

impl<C> Request<C> {
    pub(super) fn of(client: C, method: Method, url: &str) -> Self {
        let headers = HeaderMap::new();
        Self { client, url: url.trim().into(), method, headers, body: None, timeout: None, mistake: None }
    }

    /// Takes it from its client.
    pub(super) fn unbind(self) -> (C, Request) {
        let Self { client, url, method, headers, body, timeout, mistake } = self;
        (client, Request { client: (), url, method, headers, body, timeout, mistake })
    }

    /// The URL as it stands now.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets a header, in the place of one of the same name that haul or the client's settings would send.
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match source::header(name.as_ref(), value.as_ref()) {
            Ok((name, value)) => self.with(name, value),
            Err(error) => self.wrong(error.to_string()),
        }
    }

    /// Sets headers.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        for name in headers.keys() {
            if let Err(error) = source::header(name.as_str(), "") {
                return self.wrong(error.to_string());
            }
            self.headers.remove(name);
        }
        headers.iter().for_each(|(name, value)| {
            self.headers.append(name.clone(), value.clone());
        });
        self
    }

    /// Appends parameters to the URL's query.
    pub fn query<K: AsRef<str>, V: AsRef<str>>(mut self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        match Url::parse(&self.url) {
            // A control character would be gone, and nobody told.
            Ok(mut url) if Control::find(&self.url, b"").is_none() => {
                url.query_pairs_mut().extend_pairs(pairs);
                self.url = String::from(url).into();
                self
            }
            // What is wrong with the URL is told by its own reading.
            _ => self,
        }
    }

    /// Sends Basic authorization.
    pub fn basic_auth(self, user: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Self {
        let value = source::basic_authorization(user.as_ref(), password.as_ref());
        self.with(AUTHORIZATION, value)
    }

    /// Sends Bearer authorization.
    pub fn bearer_auth(self, token: impl AsRef<str>) -> Self {
        match source::bearer_authorization(token.as_ref()) {
            Ok(value) => self.with(AUTHORIZATION, value),
            Err(error) => self.wrong(error.to_string()),
        }
    }

    /// Sets the body. It is held in memory, so that it can be sent again.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends `value` as JSON, and asks for JSON.
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        self.headers.entry(CONTENT_TYPE).or_insert(JSON);
        self.headers.entry(ACCEPT).or_insert(JSON);
        match serde_json::to_vec(value) {
            Ok(body) => self.body(body),
            Err(error) => self.wrong(format!("the value can't be written as JSON: {error}")),
        }
    }

    /// Sends `pairs` as a form.
    pub fn form<K: AsRef<str>, V: AsRef<str>>(mut self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.headers.entry(CONTENT_TYPE).or_insert(FORM);
        self.body(Serializer::new(String::new()).extend_pairs(pairs).finish())
    }

    /// The total time-out of each attempt, body included, in the place of the client's. One that is longer than the
    /// client's is also the least that the head, and a pause in the body, may take.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    fn wrong(mut self, mistake: String) -> Self {
        self.mistake.get_or_insert_with(|| mistake.into());
        self
    }
}

impl Request {
    /// The job it becomes: where to, and what differs from the client's default.
    pub(super) fn into_job(self) -> Result<(WebUrl, Box<Extra>), Failure> {
        let method = source::method(self.method.as_str()).err().map(|error| error.to_string().into());
        if let Some(mistake) = self.mistake.or(method) {
            return Err(Failure::new(Phase::Input, FailureKind::BadRequest, mistake));
        }
        let (url, credentials) =
            WebUrl::parse(&self.url).map_err(|error| Failure::new(Phase::Input, error.kind, error.message))?;
        let mut extra = Box::<Extra>::default();
        if *self.url != *url.as_str() && credentials.is_none() {
            extra.given = Some(self.url);
        }
        // The client's own default is a plain GET.
        let method = Some(self.method).filter(|method| method != Method::GET);
        let plain = method.is_none() && self.headers.is_empty() && self.body.is_none() && self.timeout.is_none();
        let own = RequestOverrides {
            method,
            headers: self.headers,
            body: self.body,
            timeout: self.timeout,
            ..RequestOverrides::default()
        };
        extra.overrides = match credentials {
            Some(credentials) => Some(Arc::new(authorized(own, &credentials))),
            None if plain => None,
            None => Some(Arc::new(own)),
        };
        Ok((url, extra))
    }
}

impl<C> fmt::Debug for Request<C> {
    /// Without credentials: the values of headers that hold them are left out, and those in the URL too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &super::shown(&self.url))
            .field("headers", &Redacted(&self.headers))
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .finish_non_exhaustive()
    }
}

impl From<&str> for Request {
    fn from(url: &str) -> Self {
        Self::get(url)
    }
}

impl From<&&str> for Request {
    fn from(url: &&str) -> Self {
        Self::get(url)
    }
}

impl From<Request<super::Client>> for Request {
    fn from(request: Request<super::Client>) -> Self {
        request.unbind().1
    }
}

impl From<String> for Request {
    fn from(url: String) -> Self {
        Self::get(url)
    }
}

impl From<&String> for Request {
    fn from(url: &String) -> Self {
        Self::get(url)
    }
}

impl From<Url> for Request {
    fn from(url: Url) -> Self {
        Self::get(url)
    }
}

/// A request of the `http` crate, its URI absolute and its body in memory. Headers about the connection and the message's
/// length are left out: haul sends its own.
impl<B: Into<Bytes>> From<http::Request<B>> for Request {
    fn from(request: http::Request<B>) -> Self {
        let (mut parts, body) = request.into_parts();
        let body: Bytes = body.into();
        source::RESERVED_HEADERS.iter().for_each(|name| drop(parts.headers.remove(name)));
        let own = Self::new(parts.method, parts.uri.to_string()).headers(parts.headers);
        if body.is_empty() { own } else { own.body(body) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(request: Request) -> (FailureKind, String) {
        let failure = request.into_job().expect_err("wrong");
        assert_eq!(failure.phase, Phase::Input);
        (failure.kind, failure.message.into())
    }

    #[test]
    fn a_plain_get_is_nothing_but_its_url() {
        let (url, extra) = Request::get(" http://a.example/x ").into_job().expect("good");
        assert_eq!(url.as_str(), "http://a.example/x");
        assert!(extra.overrides.is_none() && extra.given.is_none());
    }

    #[test]
    fn its_parts_become_the_jobs() {
        let request = Request::post("http://me:pw@a.example/x#top")
            .header("X-A", "1")
            .headers(HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/html"))]))
            .json(&[1, 2])
            .timeout(Duration::from_secs(3));
        let (url, extra) = request.into_job().expect("good");
        let overrides = extra.overrides.expect("differs");
        assert_eq!((url.as_str(), overrides.method.as_ref()), ("http://a.example/x", Some(&Method::POST)));
        assert_eq!(overrides.body.as_deref(), Some(&b"[1,2]"[..]));
        let header = |name: &str| overrides.headers[name].to_str().expect("text").to_owned();
        assert_eq!((header("x-a"), header("accept")), ("1".into(), "text/html".into()));
        assert_eq!(header("content-type"), "application/json");
        assert!(header("authorization").starts_with("Basic "), "credentials leave the URL");
        assert_eq!((extra.given, overrides.timeout), (None, Some(Duration::from_secs(3))));
    }

    #[test]
    fn forms_and_queries_are_encoded() {
        let request = Request::post("http://a.example/?x=1#f").query([("a b", "&")]).form([("k", "ä +")]);
        assert_eq!(request.url(), "http://a.example/?x=1&a+b=%26#f");
        assert_eq!(request.body.as_deref(), Some(&b"k=%C3%A4+%2B"[..]));
    }

    #[test]
    fn the_first_mistake_is_told_when_it_is_sent() {
        let (kind, message) = failure(Request::get("http://a.example/").header("a b", "x").bearer_auth("\n"));
        assert!(kind == FailureKind::BadRequest && message.contains("'a b'"), "{message}");
        assert!(failure(Request::get("http://a.example/").header("content-length", "3")).1.contains("content-length"));
        let forged = HeaderMap::from_iter([(http::header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))]);
        assert!(failure(Request::get("http://a.example/").headers(forged)).1.contains("transfer-encoding"));
        assert_eq!(failure(Request::get("a.example").query([("a", "b")])).0, FailureKind::BadUrl);
        assert_eq!(failure(Request::get("ftp://a.example/")).0, FailureKind::UnsupportedScheme);
    }

    #[test]
    fn requests_of_the_http_crate_are_taken_too() {
        let other = http::Request::put("http://a.example/")
            .header("x-a", "1")
            .header("content-length", "4")
            .body("text")
            .expect("valid");
        let request = Request::from(other);
        assert_eq!((request.method.as_str(), request.body.as_deref()), ("PUT", Some(&b"text"[..])));
        assert_eq!(request.headers["x-a"], "1");
    }
}
