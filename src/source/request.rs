//! Checks the parts of a request as users write them, and makes the headers that carry credentials.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::{self, HeaderName, HeaderValue};

use crate::model::{Control, is_credential};

/// Headers that describe the connection or the message's length. haul writes them itself; one from a user would
/// break the framing.
pub(crate) const RESERVED_HEADERS: &[HeaderName] =
    &[header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE, header::TRAILER];

/// Why a method or header can't be sent: what is wrong with it and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError(Box<str>);

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RequestError {}

/// A method from its name. The six common ones are meant whatever their case, as in browsers; others are taken as
/// they stand.
///
/// # Errors
/// It is not a token, or it is CONNECT.
///
/// ```
/// assert_eq!(haul::source::method("post")?, haul::http::Method::POST);
/// assert!(haul::source::method("CONNECT").is_err());
/// # Ok::<(), haul::source::RequestError>(())
/// ```
pub fn method(name: &str) -> Result<Method, RequestError> {
    const COMMON: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS];
    if let Some(common) = COMMON.into_iter().find(|common| common.as_str().eq_ignore_ascii_case(name)) {
        return Ok(common);
    }
    match Method::from_bytes(name.as_bytes()) {
        Ok(Method::CONNECT) => Err(RequestError("CONNECT opens a tunnel, which haul can't record".into())),
        Ok(method) => Ok(method),
        Err(_) => {
            let (shown, place) = (name.escape_debug(), first_wrong(name));
            let message = format!("'{shown}' is not an HTTP method{place}; write it like GET or POST");
            Err(RequestError(message.into()))
        }
    }
}

/// A header from its name and value as text. White space around the value is dropped; text beyond ASCII is sent as
/// UTF-8. Values of headers that hold credentials (`authorization`, `cookie`, `proxy-authorization`)
/// are marked sensitive.
///
/// # Errors
/// The name is not a token, the value holds a line break or another control character, or the header is one that haul
/// must write itself.
///
/// ```
/// let (name, value) = haul::source::header("X-Tag", " 7 ")?;
/// assert_eq!((name.as_str(), value.as_bytes()), ("x-tag", &b"7"[..]));
/// assert!(haul::source::header("x-tag", "a\r\nb").is_err());
/// # Ok::<(), haul::source::RequestError>(())
/// ```
pub fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), RequestError> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        let (shown, place) = (name.escape_debug(), first_wrong(name));
        RequestError(format!("'{shown}' is not a header name{place}; use letters, digits and '-'").into())
    })?;
    if RESERVED_HEADERS.contains(&parsed) {
        return Err(RequestError(format!("haul sets the header '{parsed}' itself; leave it out").into()));
    }
    let value = value.trim_ascii();
    if let Some(control) = Control::find(value, b"\t") {
        return Err(RequestError(format!("the value of header '{parsed}' holds {control}; take it out").into()));
    }
    let mut value = HeaderValue::from_bytes(value.as_bytes()).expect("no control character in it");
    value.set_sensitive(is_credential(&parsed));
    Ok((parsed, value))
}

/// The `authorization` value of the Basic scheme (RFC 7617).
///
/// ```
/// assert_eq!(haul::source::basic_authorization(b"me", b"pw"), "Basic bWU6cHc=");
/// ```
#[must_use]
pub fn basic_authorization(user: &[u8], password: &[u8]) -> HeaderValue {
    let token = STANDARD.encode([user, b":", password].concat());
    sensitive(&format!("Basic {token}"))
}

/// The `authorization` value of the Bearer scheme (RFC 6750).
///
/// # Errors
/// The token holds characters that can't stand in a header.
///
/// ```
/// assert_eq!(haul::source::bearer_authorization("abc")?, "Bearer abc");
/// # Ok::<(), haul::source::RequestError>(())
/// ```
pub fn bearer_authorization(token: &str) -> Result<HeaderValue, RequestError> {
    let wrong = token.bytes().position(|byte| !byte.is_ascii_graphic());
    if wrong.is_none() && !token.is_empty() {
        return Ok(sensitive(&format!("Bearer {token}")));
    }
    let place = wrong.map_or_else(|| ", and is empty".to_owned(), |at| format!("; its byte {} is not", at + 1));
    Err(RequestError(format!("the bearer token must be visible ASCII characters without spaces{place}").into()))
}

/// Where `name` has its first byte that a token (RFC 9110 §5.6.2) must not have, as words of a message.
fn first_wrong(name: &str) -> String {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let wrong = name.bytes().position(|byte| !in_token(byte));
    wrong.map_or_else(String::new, |at| format!(" because of its byte {}", at + 1))
}

/// `value` is visible ASCII and spaces.
fn sensitive(value: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(value).expect("visible ASCII");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_taken_as_users_write_them() {
        let (name, value) = header("X-Name", "  Zoë ").expect("valid");
        assert_eq!((name.as_str(), value.as_bytes()), ("x-name", "Zoë".as_bytes()));
        for name in ["Cookie", "Authorization", "Proxy-Authorization"] {
            assert!(header(name, "a=b").expect("valid").1.is_sensitive(), "{name}");
        }
        assert!(!header("x-a", "a\tb").expect("valid").1.is_sensitive());
        assert_eq!(header("x-empty", "").expect("valid").1, "");
    }

    #[test]
    fn what_would_break_the_message_is_refused() {
        let refused = |name, value| header(name, value).expect_err(name).to_string();
        assert!(refused("x-a", "one\r\nx-b: two").contains("a line break at its byte 4"));
        assert!(refused("x-a", "nul\0").contains("the control character 0x00 at its byte 4"));
        assert!(refused("bad name", "x").contains("not a header name because of its byte 4"));
        assert!(refused("", "x").contains("not a header name"));
        assert!(refused("Content-Length", "5").contains("haul sets"));
        assert!(refused("transfer-encoding", "chunked").contains("haul sets"));
    }

    #[test]
    fn methods_are_tokens_and_the_common_ones_have_no_case() {
        assert_eq!(method("post"), Ok(Method::POST));
        assert_eq!(method("Purge").expect("a token").as_str(), "Purge");
        for name in ["", "GET /", "CONNECT", "G\u{e9}T"] {
            assert!(method(name).is_err(), "{name}");
        }
    }

    #[test]
    fn credentials_become_authorization_values() {
        let value = basic_authorization(b"Aladdin", b"open sesame");
        assert_eq!(value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(value.is_sensitive());
        assert_eq!(bearer_authorization("abc").expect("valid"), "Bearer abc");
        assert!(bearer_authorization("a b").is_err());
        assert!(bearer_authorization("").is_err());
    }
}
