//! haul's own request headers.

use http::HeaderValue;
use http::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};

use super::StartError;
use crate::body::ACCEPT_ENCODING as CODINGS;
use crate::config::{Config, RequestSettings};
use crate::conn::RequestTemplate;
use crate::source;

/// Sent unless the user names another.
const AGENT: &str = concat!("haul/", env!("CARGO_PKG_VERSION"));

/// Whether the settings' method and headers may be sent: no tunnel, and no header that frames the message.
pub(super) fn check(settings: &RequestSettings) -> Result<(), StartError> {
    source::method(settings.method.as_str()).map_err(StartError::Method)?;
    let wrong = settings.headers.keys().find_map(|name| source::header(name.as_str(), "").err());
    wrong.map_or(Ok(()), |error| Err(StartError::Header(error)))
}

/// The request that all jobs of a run start from.
pub(super) fn request_template(config: &Config) -> RequestTemplate {
    let mut own = vec![(USER_AGENT, HeaderValue::from_static(AGENT)), (ACCEPT, HeaderValue::from_static("*/*"))];
    if config.body.decode {
        own.push((ACCEPT_ENCODING, HeaderValue::from_static(CODINGS)));
    }
    RequestTemplate::new(&config.request, &own)
}
