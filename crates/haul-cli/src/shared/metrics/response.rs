//! What a request to the metrics server is answered with. Pure.

use std::net::IpAddr;

use http::header::{ACCEPT, HOST};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};

use super::text::Format;

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScrapeResponse {
    /// The metrics.
    Page(Format),
    /// This status, and why.
    Refusal(StatusCode, &'static str),
}

/// Answers GET and HEAD of /metrics. `local`: the server listens on this machine alone, so only clients that call it by an
/// address or as localhost are served: a web page whose own name was made to point here (DNS rebinding) sends that name.
pub(super) fn answer(method: &Method, path: &str, headers: &HeaderMap, local: bool) -> ScrapeResponse {
    if local && !headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(is_local_name) {
        return ScrapeResponse::Refusal(StatusCode::MISDIRECTED_REQUEST, "ask by address or as localhost\n");
    }
    if path != "/metrics" {
        return ScrapeResponse::Refusal(StatusCode::NOT_FOUND, "there is only /metrics\n");
    }
    if method != Method::GET && method != Method::HEAD {
        return ScrapeResponse::Refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    let open = |accept: &str| accept.to_ascii_lowercase().contains("application/openmetrics-text");
    let open = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok()).any(open);
    ScrapeResponse::Page(if open { Format::OpenMetrics } else { Format::Prometheus })
}

/// Whether a `host` header can't be a name of somebody else's.
fn is_local_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, path: &str, headers: &[(&'static str, &str)], local: bool) -> ScrapeResponse {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), value.parse::<http::HeaderValue>().expect("a value"))
        });
        answer(&method.parse().expect("a method"), path, &headers.collect(), local)
    }

    fn status(answer: ScrapeResponse) -> u16 {
        match answer {
            ScrapeResponse::Page(_) => 200,
            ScrapeResponse::Refusal(status, _) => status.as_u16(),
        }
    }

    #[test]
    fn only_metrics_are_to_be_had() {
        let of = |method, path| status(asked(method, path, &[("host", "127.0.0.1:9100")], true));
        assert_eq!((of("GET", "/metrics"), of("HEAD", "/metrics"), of("POST", "/metrics")), (200, 200, 405));
        assert_eq!((of("GET", "/"), of("POST", "/metrics/"), of("GET", "/metrics2")), (404, 404, 404));
    }

    #[test]
    fn a_name_that_may_be_anybody_s_is_refused_on_this_machine_alone() {
        let of = |host, local| status(asked("GET", "/metrics", &[("host", host)], local));
        for host in ["127.0.0.1", "127.0.0.1:9100", "[::1]:9100", "localhost", "LocalHost:9100", "192.0.2.1"] {
            assert_eq!(of(host, true), 200, "{host}");
        }
        for host in ["evil.example", "evil.example:9100", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b"]
        {
            assert_eq!(of(host, true), 421, "{host}");
        }
        assert_eq!(status(asked("GET", "/metrics", &[], true)), 421, "none at all");
        assert_eq!(of("haul.monitoring.example", false), 200);
    }

    #[test]
    fn who_knows_the_newer_format_gets_it() {
        let of = |accept| asked("GET", "/metrics", &[("host", "[::1]"), ("accept", accept)], true);
        assert_eq!(of("*/*"), ScrapeResponse::Page(Format::Prometheus));
        assert_eq!(of("text/plain;version=0.0.4"), ScrapeResponse::Page(Format::Prometheus));
        let scraper = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5";
        assert_eq!(of(scraper), ScrapeResponse::Page(Format::OpenMetrics));
    }
}
