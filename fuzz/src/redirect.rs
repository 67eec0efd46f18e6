//! The bytes are the redirects of one job, a line each: a byte that picks the status, then the `Location` values, with
//! a zero byte between two of them. (A header value holds neither line ends nor zero bytes.)
//!
//! Promise: a job never follows more redirects than allowed, never to the same URL with the same method; a plain absolute
//! `Location` leads to the host it names; and what was left behind once (credentials on leaving the origin, the body on a
//! 303) stays behind: it is neither in the job nor in the request made of it, whose line and `Host` hold nothing but what a
//! URL may.

use std::sync::Arc;

use haul::config::RequestSettings;
use haul::model::{FailureKind, Job, Phase, RequestOverrides, Time, WebUrl};
use haul_core::policy::redirect::{AnsweredRequest, Decision, NextHop, decide, follow};
use haul_net::conn::RequestTemplate;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};
use hyper::body::Body as _;

const MAX_REDIRECTS: u32 = 4;
/// What a host may hold by the URL standard and not by RFC 3986.
const ODD: [char; 4] = ['`', '{', '}', '"'];
const STATUSES: [u16; 6] = [301, 302, 303, 307, 308, 200];

/// Follows these redirects from a POST with credentials.
pub fn run(bytes: &[u8]) {
    let mut job = posted();
    let template = RequestTemplate::new(&of_the_run(), &[]);
    let (mut left_origin, mut dropped_body) = (false, false);
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((pick, locations)) = line.split_first() else { return };
        let status = STATUSES[usize::from(*pick) % STATUSES.len()];
        let locations: Vec<&[u8]> = locations.split(|byte| *byte == 0).collect();
        let method = job.overrides().and_then(|overrides| overrides.method.clone()).unwrap_or(Method::GET);
        let asked = AnsweredRequest { job: &job, method: &method, max_redirects: MAX_REDIRECTS };
        match decide(asked, status, locations.iter().copied()) {
            Decision::Stay => return,
            Decision::Refuse(failure) => return check_refusal(failure.phase, failure.kind),
            Decision::Follow(step) => {
                let named = locations.iter().find(|location| !location.trim_ascii().is_empty());
                check_step(&job, &step, named.expect("an empty one leads nowhere"));
                left_origin |= step.leaves_origin;
                dropped_body |= step.drops_body;
                follow(&mut job, step);
                check_job(&job, left_origin, dropped_body);
                check_request(&job, &template, left_origin, dropped_body);
            }
        }
    }
}

fn posted() -> Job {
    let url = WebUrl::parse("https://a.example/x/y?q").expect("valid").0;
    let mut job = Job::new(0, url, Time::ZERO);
    let value = |text| HeaderValue::from_static(text);
    let headers = [(AUTHORIZATION, value("Basic eDp5")), (COOKIE, value("k=v")), (CONTENT_TYPE, value("text/plain"))];
    job.extra_mut().overrides = Some(Arc::new(RequestOverrides {
        method: Some(Method::POST),
        headers: HeaderMap::from_iter(headers),
        body: Some("body".into()),
        ..RequestOverrides::default()
    }));
    job
}

/// What every request of the run brings, until it leaves the origin or drops its body.
fn of_the_run() -> RequestSettings {
    let secret = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, HeaderName::from_static("cookie2"), HOST];
    let headers = secret.into_iter().chain([CONTENT_TYPE]).map(|name| (name, HeaderValue::from_static("of-the-run")));
    RequestSettings { headers: headers.collect(), body: Some("of the run".into()), ..RequestSettings::default() }
}

fn check_refusal(phase: Phase, kind: FailureKind) {
    use FailureKind::{RedirectBadLocation, RedirectLimit, RedirectLoop};
    assert_eq!(phase, Phase::Head);
    assert!(matches!(kind, RedirectBadLocation | RedirectLimit | RedirectLoop), "{kind}");
}

fn check_step(job: &Job, step: &NextHop, location: &[u8]) {
    assert_eq!(step.leaves_origin, step.url.origin() != job.url.origin());
    let (again, credentials) = WebUrl::parse(step.url.as_str()).expect("it was parsed before");
    assert_eq!((&again, credentials.is_none()), (&step.url, true));
    if let Some(text) = std::str::from_utf8(location).ok().filter(|text| text.is_ascii()) {
        assert_eq!(job.url.join(text).expect("it was joined before").0, step.url);
        if let Some(host) = plain_host(text) {
            assert_eq!(step.url.host(), host, "{text}");
        }
    }
}

/// The host that an absolute URL names, where all readers agree: a plain name, with a user and a port or without.
fn plain_host(location: &str) -> Option<&str> {
    let rest = location.strip_prefix("http://").or_else(|| location.strip_prefix("https://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host_and_port = authority.rsplit('@').next()?;
    let host = host_and_port.split(':').next()?;
    let is_plain = host.split('.').all(|label| {
        label.starts_with(|char: char| char.is_ascii_lowercase())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with("xn--")
    });
    (is_plain && !rest.contains(['\\', '\t', '\n', '\r'])).then_some(host)
}

fn check_job(job: &Job, left_origin: bool, dropped_body: bool) {
    let hops = job.hops();
    assert!(hops.len() <= MAX_REDIRECTS as usize, "{} redirects", hops.len());
    let overrides = job.overrides().expect("it had one from the start");
    if left_origin {
        assert!(overrides.without_credentials);
        assert!(!overrides.headers.contains_key(AUTHORIZATION) && !overrides.headers.contains_key(COOKIE));
    }
    if dropped_body {
        assert!(overrides.without_body && overrides.body.is_none() && !overrides.headers.contains_key(CONTENT_TYPE));
    }
}

/// The request says what the job does, though the run's settings bring everything again.
fn check_request(job: &Job, template: &RequestTemplate, left_origin: bool, dropped_body: bool) {
    assert!(HeaderValue::from_str(job.url.authority()).is_ok(), "a host and a port");
    let authority = template.authority(&job.url);
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut request = Request::default();
        if template.fill(&mut request, job, &authority, version, HeaderMap::new()).is_none() {
            // Such a job fails: the standard lets hosts be named so, and no name server knows them.
            assert!(version == Version::HTTP_2 && job.url.host().contains(ODD), "{} can't be asked for", job.url);
            continue;
        }
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().expect("it has a path").as_str();
        assert_eq!(target, job.url.target());
        assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()), "{target:?}");
        let host = head.headers.get(HOST).map(HeaderValue::as_bytes);
        let host = host.or_else(|| head.uri.authority().map(|authority| authority.as_str().as_bytes()));
        let host = host.expect("every request says whom it asks");
        assert!(host.iter().all(|byte| byte.is_ascii_graphic() && !b"@/?#\\".contains(byte)), "{host:?}");
        if left_origin {
            assert_eq!(host, job.url.authority().as_bytes(), "the old host is told to the new");
            let secret = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, HeaderName::from_static("cookie2")];
            assert!(!secret.iter().any(|name| head.headers.contains_key(name)), "{:?}", head.headers);
        }
        if dropped_body {
            assert!(!head.headers.contains_key(CONTENT_TYPE));
            assert_eq!(body.size_hint().exact(), Some(0));
        }
    }
}
