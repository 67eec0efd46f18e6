//! The request sent where a job says nothing else.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::model::Redacted;

/// Method, headers, body, redirects.
#[derive(Clone)]
pub struct RequestSettings {
    /// Default GET.
    pub method: Method,
    /// Headers added to every request; they replace haul's own (`accept`, `user-agent` …) of the same name.
    pub headers: HeaderMap,
    /// The body. Default none.
    pub body: Option<Bytes>,
    /// Redirects followed per job. Default 10. 0 records the 3xx response itself.
    pub max_redirects: u32,
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self { method: Method::GET, headers: HeaderMap::new(), body: None, max_redirects: 10 }
    }
}

impl fmt::Debug for RequestSettings {
    /// Without the values of headers that hold credentials, and without the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, headers, body, max_redirects } = self;
        f.debug_struct("RequestSettings")
            .field("method", method)
            .field("headers", &Redacted(headers))
            .field("body_bytes", &body.as_ref().map(Bytes::len))
            .field("max_redirects", max_redirects)
            .finish()
    }
}
