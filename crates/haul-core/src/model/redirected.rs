//! Which request headers a redirect leaves behind. One list for a job's own headers and for the run's.

use http::header::{
    AUTHORIZATION, COOKIE, EXPECT, HOST, LAST_MODIFIED, PROXY_AUTHORIZATION, TRAILER, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName};

/// Whether a header must not follow to another origin: it says who the user is, or names the old host.
#[must_use]
pub fn stays_with_origin(name: &HeaderName) -> bool {
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST].contains(name) || name == "cookie2"
}

/// Whether a header describes the request's body, and goes when the body goes.
#[must_use]
pub fn describes_body(name: &HeaderName) -> bool {
    [TRANSFER_ENCODING, EXPECT, TRAILER, LAST_MODIFIED].contains(name)
        || matches!(name.as_str(), "digest" | "repr-digest")
        || name.as_str().starts_with("content-")
}

/// Takes out the headers that go.
pub fn remove_headers(headers: &mut HeaderMap, goes: fn(&HeaderName) -> bool) {
    let names: Vec<_> = headers.keys().filter(|name| goes(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}
