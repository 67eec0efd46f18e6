//! haul's own request headers.

use http::HeaderValue;
use http::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};

use crate::body::ACCEPT_ENCODING as CODINGS;
use crate::config::Config;
use crate::conn::RequestTemplate;

/// Sent unless the user names another.
const AGENT: &str = concat!("haul/", env!("CARGO_PKG_VERSION"));

/// The request that all jobs of a run start from.
pub(super) fn request_template(config: &Config) -> RequestTemplate {
    let mut own = vec![(USER_AGENT, HeaderValue::from_static(AGENT)), (ACCEPT, HeaderValue::from_static("*/*"))];
    if config.body.decode {
        own.push((ACCEPT_ENCODING, HeaderValue::from_static(CODINGS)));
    }
    RequestTemplate::new(&config.request, &own)
}
