//! What a request's head has to be in HTTP/2. Pure.

use http::header::{CONNECTION, CONTENT_LENGTH, TE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};

/// Makes `request` one for HTTP/2 with a body of so many bytes: without what speaks of a connection (RFC 9113
/// §8.2.2), and with the body's length wherever a server may ask for one (RFC 9110 §8.6; those that answer 411 are many).
pub(super) fn fit(request: &mut Request<()>, body: usize) {
    let expects_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let headers = request.headers_mut();
    // An empty body that was given is stated, whatever the method.
    let is_stated = headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
    if headers.keys().any(|name| is_misplaced(name.as_str())) {
        remove_misplaced(headers);
    }
    if body > 0 || expects_body || is_stated {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body));
    }
}

/// Whether a field may have to go. Asked of each field of each request: the length tells nearly all apart.
fn is_misplaced(name: &str) -> bool {
    match name.len() {
        2 => name == "te",
        7 => name == "upgrade",
        10 => matches!(name, "connection" | "keep-alive"),
        14 => matches!(name, "http2-settings" | "content-length"),
        16 => name == "proxy-connection",
        17 => name == "transfer-encoding",
        _ => false,
    }
}

fn remove_misplaced(headers: &mut HeaderMap) {
    let trailers = headers.get_all(TE).iter().any(|value| tokens(value).any(|token| token.eq("trailers")));
    // What `Connection` names belongs to the connection, too (RFC 9110 §7.6.1).
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(tokens)
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .collect();
    let misplaced = headers.keys().filter(|name| is_misplaced(name.as_str())).cloned();
    for name in misplaced.chain(named).collect::<Vec<_>>() {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// The members of a list, in lower case and without their parameters.
fn tokens(value: &HeaderValue) -> impl Iterator<Item = String> {
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let bare = |member: &str| member.split(';').next().unwrap_or_default().trim().to_owned();
    text.split(',').map(bare).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of these headers in a request with so many bytes of body.
    fn fitted(headers: &[(&str, &str)], method: &Method, body: usize) -> Vec<String> {
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        let map = request.headers_mut();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        fit(&mut request, body);
        request.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect()
    }

    #[test]
    fn what_speaks_of_a_connection_goes_and_all_else_stays() {
        for (name, value) in [
            ("Connection", "close"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("Upgrade", "websocket"),
            ("Transfer-Encoding", "chunked"),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
            ("TE", "gzip"),
            ("TE", ""),
            ("TE", "trailersome"),
            ("Content-Length", "5"),
        ] {
            let got = fitted(&[("x-before", "1"), (name, value), (name, value), ("x-after", "2")], &Method::GET, 0);
            let mut got: Vec<&str> = got.iter().map(String::as_str).collect();
            got.sort_unstable();
            assert_eq!(got, ["x-after: 2", "x-before: 1"], "{name}: {value}");
        }
        let kept =
            [("user-agent", "a"), ("accept", "*/*"), ("proxy-authorization", "x"), ("trailer", "y"), ("expect", "z")];
        assert_eq!(fitted(&kept, &Method::GET, 0).len(), kept.len());
    }

    #[test]
    fn te_keeps_trailers() {
        for values in [&["trailers"][..], &["gzip, trailers"], &["gzip", "Trailers;q=0.5"], &["trailers, deflate"]] {
            let headers: Vec<_> = values.iter().map(|value| ("te", *value)).collect();
            assert_eq!(fitted(&headers, &Method::GET, 0), ["te: trailers"], "{values:?}");
        }
    }

    #[test]
    fn what_connection_names_goes_too() {
        let headers = [("connection", "close, X-Hop"), ("x-hop", "1"), ("x-stays", "2"), ("connection", "te")];
        assert_eq!(fitted(&headers, &Method::GET, 0), ["x-stays: 2"]);
        let both = [("connection", "TE, close"), ("te", "trailers")];
        assert_eq!(fitted(&both, &Method::GET, 0), ["te: trailers"], "what it means holds in HTTP/2 as well");
    }

    #[test]
    fn the_length_of_a_body_is_stated_and_that_there_is_none_where_one_is_expected() {
        assert_eq!(
            fitted(&[("content-length", "0")], &Method::DELETE, 0),
            ["content-length: 0"],
            "an empty one was given"
        );
        for (method, body, expected) in [
            (Method::POST, 5, Some("content-length: 5")),
            (Method::GET, 5, Some("content-length: 5")),
            (Method::DELETE, 5, Some("content-length: 5")),
            (Method::POST, 0, Some("content-length: 0")),
            (Method::PUT, 0, Some("content-length: 0")),
            (Method::PATCH, 0, Some("content-length: 0")),
            (Method::GET, 0, None),
            (Method::HEAD, 0, None),
            (Method::DELETE, 0, None),
            (Method::OPTIONS, 0, None),
        ] {
            for given in [&[][..], &[("content-length", "7")]] {
                assert_eq!(fitted(given, &method, body), Vec::from_iter(expected), "{method} with {body} bytes");
            }
        }
    }
}
