//! The request sent where a job says nothing else.

use bytes::Bytes;
use http::{HeaderMap, Method};

/// Method, headers, body, redirects.
#[derive(Clone, Debug)]
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
