//! What `Debug` shows of headers and bodies: enough to find a mistake, nothing that says who the user is. Pure.

use std::fmt;

use http::{HeaderMap, HeaderName};

use super::redirected::stays_with_origin;

/// Headers in order, the values of credentials left out whether they are marked sensitive or not.
pub struct Redacted<'a>(pub &'a HeaderMap);

/// Whether the header's value says who the user is.
pub fn is_credential(name: &HeaderName) -> bool {
    stays_with_origin(name) && name != http::header::HOST
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.0 {
            let shown: &dyn fmt::Debug = if is_credential(name) { &format_args!("…") } else { value };
            map.entry(name, shown);
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn credentials_are_named_and_not_shown() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "cookie2", "proxy-authorization", "host", "x-a"] {
            headers.insert(name, HeaderValue::from_static("secret"));
        }
        assert_eq!(
            format!("{:?}", Redacted(&headers)),
            "{\"authorization\": …, \"cookie\": …, \"cookie2\": …, \"proxy-authorization\": …, \"host\": \"secret\", \
             \"x-a\": \"secret\"}"
        );
    }
}
