//! Where next? Reads a redirect by the Fetch standard ("HTTP-redirect fetch") and RFC 9110 §15.4, and rewrites the
//! job for its next hop.
//!
//! Owns the redirect rules and the two lists of headers that are left behind. Invariant: what was stripped once stays
//! stripped on all later hops. It must not know queues, sockets or how a request is written.
//!
//! Where the standards leave a choice:
//! - A redirect without a `Location`, or with an empty one, is a result like any other, as in Chromium and curl: it says of
//!   nowhere to go, and its body is what the server shows instead.
//! - Several `Location` headers that lead to different places are refused, as browsers do: one of them may have been injected.
//!   Those that lead to the same place count as one, and empty ones do not count.
//! - Redirects are counted, and nothing else ends a chain, as in Fetch and curl: a page may send its visitor to itself, or to
//!   another page and back, before it lets him in. A chain over the limit that has come back to where it was is called a loop.
//! - Bytes above 0x7f in a `Location` are percent-encoded one by one, as Chromium does. The server then gets back the
//!   bytes it sent, whatever their charset; for UTF-8 this is what the URL standard does too.
//! - User name and password in a `Location` are not used.
//! - A step from `https:` down to `http:` is followed, as curl does, and is a change of origin like any other.
//! - 303 drops the body even when the method stays (a GET with a body): the target is another resource.

use std::sync::Arc;

use http::Method;

use crate::config::Setting;
use crate::model::{
    Failure, FailureKind, Hop, Job, Phase, UrlError, WebUrl, describes_body, remove_headers, stays_with_origin,
    without_credentials,
};
use crate::work::{self, AttemptCounts};

/// The request that was answered.
#[derive(Clone, Copy, Debug)]
pub struct AnsweredRequest<'a> {
    /// Its job, as it was when the request was sent.
    pub job: &'a Job,
    /// Its method: the job's own or the run's default.
    pub method: &'a Method,
    /// Redirects a job may follow; 0 means that redirects are results like any other.
    pub max_redirects: u32,
}

/// What to do with a response.
#[derive(Debug)]
pub enum Decision {
    /// It is the result: not a redirect, without `Location`, or redirects are not followed.
    Stay,
    /// Ask again elsewhere: [`follow`] does this to the job.
    Follow(NextHop),
    /// It is a redirect that can't be followed.
    Refuse(Failure),
}

/// A redirect to be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Where to.
    pub url: WebUrl,
    /// The status that said so: 301, 302, 303, 307 or 308.
    pub status: u16,
    /// The method of the request that was answered.
    pub asked_with: Method,
    /// The method of the next request.
    pub method: Method,
    /// The next request has no body and no header that describes one.
    pub drops_body: bool,
    /// The target is another origin: credentials stay behind.
    pub leaves_origin: bool,
}

/// Reads a response's status and its `Location` values, in the order they came.
pub fn decide<'v>(asked: AnsweredRequest<'_>, status: u16, locations: impl IntoIterator<Item = &'v [u8]>) -> Decision {
    if asked.max_redirects == 0 || !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Decision::Stay;
    }
    let target = match place(&asked.job.url, locations) {
        Ok(None) => return Decision::Stay,
        Ok(Some(url)) => Ok(url),
        Err(failure) => Err(failure),
    };
    match target.and_then(|url| step(asked, status, url)) {
        Ok(step) => Decision::Follow(step),
        Err(failure) => Decision::Refuse(failure),
    }
}

/// Whether a response with this status and this `Location` may be followed: what [`decide`] would not call a result. Whoever
/// reads the body asks before it has come.
pub fn is_redirect<'v>(status: u16, locations: impl IntoIterator<Item = &'v [u8]>) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308) && locations.into_iter().any(is_place)
}

/// Whether a `Location` says anything.
fn is_place(location: &[u8]) -> bool {
    !location.trim_ascii().is_empty()
}

/// Makes `job` ask for the step's target next. The attempt that brought the redirect is over: it is counted, and the
/// target starts with a fresh count of retries.
pub fn follow(job: &mut Job, step: NextHop) {
    let from = std::mem::replace(&mut job.url, step.url);
    job.extra_mut().given.get_or_insert_with(|| from.as_str().into());
    let work = work::of_mut(job);
    work.hops.push(Hop { url: from, method: step.asked_with.clone(), status: step.status });
    work.counts = AttemptCounts { all: work.counts.all.saturating_add(1), ..AttemptCounts::default() };
    work.last = None;
    if step.method == step.asked_with && !step.drops_body && !step.leaves_origin {
        return;
    }
    let overrides = Arc::make_mut(job.extra_mut().overrides.get_or_insert_default());
    if step.method != step.asked_with {
        overrides.method = Some(step.method);
    }
    if step.drops_body {
        overrides.without_body = true;
        overrides.body = None;
        remove_headers(&mut overrides.headers, describes_body);
    }
    if step.leaves_origin {
        overrides.without_credentials = true;
        remove_headers(&mut overrides.headers, stays_with_origin);
    }
}

/// The one place that all of `locations` lead to from `base`. `None`: they say nothing.
fn place<'v>(base: &WebUrl, locations: impl IntoIterator<Item = &'v [u8]>) -> Result<Option<WebUrl>, Failure> {
    let mut locations = locations.into_iter().filter(|location| is_place(location));
    let Some(first) = locations.next() else { return Ok(None) };
    let url = target(base, first)?;
    let leads_there = |other: &[u8]| other == first || target(base, other).is_ok_and(|other| other == url);
    match locations.find(|other| !leads_there(other)) {
        None => Ok(Some(url)),
        Some(other) => Err(bad_location(format!(
            "two different locations in one redirect: '{}' and '{}'",
            excerpt(first),
            excerpt(other)
        ))),
    }
}

fn target(base: &WebUrl, location: &[u8]) -> Result<WebUrl, Failure> {
    let refuse = |error: UrlError| bad_location(format!("redirect to '{}': {error}", excerpt(location)));
    base.join(&ascii(location)).map(|(url, _)| url).map_err(refuse)
}

fn step(asked: AnsweredRequest<'_>, status: u16, url: WebUrl) -> Result<NextHop, Failure> {
    let method = next_method(status, asked.method);
    let hops = asked.job.hops();
    if hops.len() >= asked.max_redirects as usize {
        return Err(too_many(asked, hops, &url, &method));
    }
    Ok(NextHop {
        drops_body: status == 303 || method != *asked.method,
        leaves_origin: url.origin() != asked.job.url.origin(),
        asked_with: asked.method.clone(),
        url,
        status,
        method,
    })
}

/// The failure of a chain that would go on to `url` and has no step left.
fn too_many(asked: AnsweredRequest<'_>, hops: &[Hop], url: &WebUrl, method: &Method) -> Failure {
    let most = asked.max_redirects;
    let is_it = |seen: &WebUrl, with: &Method| seen == url && with == method;
    if is_it(&asked.job.url, asked.method) || hops.iter().any(|hop| is_it(&hop.url, &hop.method)) {
        let message =
            format!("redirected back to {url} after more than {most} redirects (`{}`): a loop", Setting::MaxRedirects);
        return head(FailureKind::RedirectLoop, message);
    }
    head(
        FailureKind::RedirectLimit,
        format!("more than {most} redirects; raise `{}` to follow them", Setting::MaxRedirects),
    )
}

fn next_method(status: u16, method: &Method) -> Method {
    match status {
        301 | 302 if *method == Method::POST => Method::GET,
        303 if *method != Method::HEAD => Method::GET,
        _ => method.clone(),
    }
}

/// `bytes` with everything above 0x7f percent-encoded.
fn ascii(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            text.extend(['%', char::from(HEX[usize::from(byte >> 4)]), char::from(HEX[usize::from(byte & 15)])]);
        }
    }
    text
}

/// The beginning of a value from the peer, safe to print and without the credentials of a URL.
fn excerpt(bytes: &[u8]) -> String {
    const MOST: usize = 200;
    let text = ascii(bytes);
    let told = without_credentials(&text);
    let shown = told.as_bytes()[..told.len().min(MOST)].escape_ascii();
    if told.len() > MOST { format!("{shown}…") } else { shown.to_string() }
}

fn bad_location(message: String) -> Failure {
    head(FailureKind::RedirectBadLocation, message)
}

fn head(kind: FailureKind, message: String) -> Failure {
    Failure::new(Phase::Head, kind, message)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;
    use crate::model::{RequestOverrides, Time};

    fn job(url: &str) -> Job {
        Job::new(7, WebUrl::parse(url).expect("valid").0, Time::ZERO)
    }

    fn ask(job: &Job, method: &Method, status: u16, locations: &[&[u8]]) -> Decision {
        decide(AnsweredRequest { job, method, max_redirects: 10 }, status, locations.iter().copied())
    }

    fn followed(job: &Job, method: &Method, status: u16, location: &[u8]) -> NextHop {
        match ask(job, method, status, &[location]) {
            Decision::Follow(step) => step,
            other => panic!("{status} {method} {}: {other:?}", excerpt(location)),
        }
    }

    fn refused(decision: Decision) -> FailureKind {
        match decision {
            Decision::Refuse(failure) => {
                assert_eq!(failure.phase, Phase::Head);
                failure.kind
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_status_and_method_has_its_next_method() {
        use Method as M;
        let custom = M::from_bytes(b"PROPFIND").expect("token");
        let table: &[(u16, M, M, bool)] = &[
            (301, M::GET, M::GET, false),
            (301, M::HEAD, M::HEAD, false),
            (301, M::POST, M::GET, true),
            (301, M::PUT, M::PUT, false),
            (301, custom.clone(), custom.clone(), false),
            (302, M::GET, M::GET, false),
            (302, M::HEAD, M::HEAD, false),
            (302, M::POST, M::GET, true),
            (302, M::DELETE, M::DELETE, false),
            (303, M::GET, M::GET, true),
            (303, M::HEAD, M::HEAD, true),
            (303, M::POST, M::GET, true),
            (303, M::PUT, M::GET, true),
            (303, custom, M::GET, true),
            (307, M::POST, M::POST, false),
            (307, M::GET, M::GET, false),
            (308, M::POST, M::POST, false),
            (308, M::PUT, M::PUT, false),
        ];
        for (status, method, next, drops_body) in table {
            let step = followed(&job("http://a.example/"), method, *status, b"/next");
            assert_eq!((&step.method, step.drops_body), (next, *drops_body), "{status} {method}");
            assert_eq!((&step.asked_with, step.status), (method, *status));
        }
    }

    #[test]
    fn messages_about_locations_hold_no_credentials() {
        for location in
            ["http://me:s3cret@a.example:99999/", "http://me:s3\u{e9}cret@:80/", "ftp://me:s3cret@a.example/"]
        {
            match ask(&job("http://a.example/"), &Method::GET, 302, &[location.as_bytes()]) {
                Decision::Refuse(failure) => assert!(!failure.message.contains("cret@"), "{}", failure.message),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn other_statuses_and_redirects_without_location_are_results() {
        for status in [200, 201, 204, 300, 304, 305, 306, 309, 399, 404, 500] {
            assert!(
                matches!(ask(&job("http://a.example/"), &Method::GET, status, &[b"/x"]), Decision::Stay),
                "{status}"
            );
        }
        assert!(matches!(ask(&job("http://a.example/"), &Method::GET, 302, &[]), Decision::Stay));
        let job = job("http://a.example/");
        let asked = AnsweredRequest { job: &job, method: &Method::GET, max_redirects: 0 };
        assert!(matches!(decide(asked, 302, [&b"/x"[..]]), Decision::Stay));
        assert!(matches!(decide(asked, 302, [&b"ftp://x"[..]]), Decision::Stay));
    }

    #[test]
    fn locations_are_resolved_as_browsers_resolve_them() {
        let table: &[(&[u8], &str)] = &[
            (b"/z", "http://a.example/z"),
            (b"z", "http://a.example/x/z"),
            (b"../z", "http://a.example/z"),
            (b"?k=v", "http://a.example/x/y?k=v"),
            (b"//b.example", "http://b.example/"),
            (b"https://a.example:443/", "https://a.example/"),
            (b"HTTP://B.Example/%7e", "http://b.example/%7e"),
            (b" /z ", "http://a.example/z"),
            (b"/z#frag", "http://a.example/z"),
            (b"http://me:secret@b.example/", "http://b.example/"),
            ("/é?ü".as_bytes(), "http://a.example/%C3%A9?%C3%BC"),
            (b"/caf\xe9", "http://a.example/caf%E9"),
            ("http://bücher.example/".as_bytes(), "http://xn--bcher-kva.example/"),
            (b"/a b", "http://a.example/a%20b"),
            (b"\\\\b.example\\z", "http://b.example/z"),
            (b"///b.example/z", "http://b.example/z"),
            (b"/\\b.example/z", "http://b.example/z"),
            (b"https:///b.example/z", "https://b.example/z"),
            (b"http:z", "http://a.example/x/z"),
        ];
        for (location, expected) in table {
            let step = followed(&job("http://a.example/x/y?q"), &Method::GET, 302, location);
            assert_eq!(step.url.as_str(), *expected, "{}", excerpt(location));
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let table: &[(&str, &[u8], bool)] = &[
            ("http://a.example/", b"/z", false),
            ("http://a.example/", b"http://a.example:80/z", false),
            ("http://a.example/", b"http://A.EXAMPLE/z", false),
            ("http://a.example/", b"http://a.example:81/", true),
            ("http://a.example/", b"https://a.example/", true),
            ("https://a.example/", b"http://a.example/", true),
            ("http://a.example/", b"http://www.a.example/", true),
        ];
        for (from, location, leaves) in table {
            assert_eq!(followed(&job(from), &Method::GET, 301, location).leaves_origin, *leaves, "{from}");
        }
    }

    #[test]
    fn unusable_locations_are_refused() {
        let bad: &[&[u8]] = &[
            b"ftp://b.example/",
            b"javascript:alert(1)",
            b"http://",
            b"http://b:0/",
            b"http://b:99999/",
            b"http://[::1",
        ];
        for location in bad {
            let kind = refused(ask(&job("http://a.example/"), &Method::GET, 302, &[location]));
            assert_eq!(kind, FailureKind::RedirectBadLocation, "{}", excerpt(location));
        }
        let two = ask(&job("http://a.example/"), &Method::GET, 302, &[b"/x", b"/x", b"/y"]);
        assert_eq!(refused(two), FailureKind::RedirectBadLocation);
        assert_eq!(
            refused(ask(&job("http://a.example/"), &Method::GET, 302, &[b"/x", b"ftp://y"])),
            FailureKind::RedirectBadLocation
        );
    }

    #[test]
    fn locations_that_lead_to_one_place_are_one() {
        let same: [&[&[u8]]; 5] = [
            &[b"/x", b"/x"],
            &[b"/x", b"http://a.example/x", b"x", b"HTTP://A.example:80/x#top"],
            &[b"", b"/x"],
            &[b"/x", b" ", b"/x"],
            &[b"/x", b""],
        ];
        for locations in same {
            match ask(&job("http://a.example/"), &Method::GET, 302, locations) {
                Decision::Follow(step) => assert_eq!(step.url.as_str(), "http://a.example/x"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_empty_location_makes_no_redirect() {
        let job = job("http://a.example/");
        let empty: [&[&[u8]]; 4] = [&[], &[b""], &[b" \t"], &[b"", b" "]];
        for locations in empty {
            assert!(matches!(ask(&job, &Method::GET, 302, locations), Decision::Stay));
            assert!(!is_redirect(302, locations.iter().copied()));
        }
        for status in [301, 302, 303, 307, 308] {
            assert!(is_redirect(status, [&b"/x"[..]]) && is_redirect(status, [&b""[..], b"/x"]));
        }
        for status in [200, 300, 304, 305, 306, 399] {
            assert!(!is_redirect(status, [&b"/x"[..]]));
        }
    }

    #[test]
    fn a_message_shows_only_printable_text_and_not_too_much_of_it() {
        let long = [b"ftp://\x1b[31m\xff".as_slice(), &[b'a'; 5000]].concat();
        let Decision::Refuse(failure) = ask(&job("http://a.example/"), &Method::GET, 302, &[&long]) else { panic!() };
        assert!(failure.message.chars().all(|c| !c.is_control()), "{failure}");
        assert!(failure.message.len() < 400, "{}", failure.message.len());
    }

    /// Follows the locations one after another and says how it ended.
    fn walk(job: &mut Job, method: Method, steps: &[(u16, &str)], max_redirects: u32) -> Option<FailureKind> {
        let mut method = method;
        for (status, location) in steps {
            match decide(AnsweredRequest { job, method: &method, max_redirects }, *status, [location.as_bytes()]) {
                Decision::Follow(step) => {
                    method = step.method.clone();
                    follow(job, step);
                }
                other => return Some(refused(other)),
            }
        }
        None
    }

    #[test]
    fn a_chain_that_comes_back_goes_on_as_long_as_redirects_are_left() {
        for steps in [
            &[(302, "/a")][..],
            &[(302, "#top")],
            &[(302, "/b"), (302, "/a")],
            &[(302, "/b"), (302, "/c"), (302, "/b"), (302, "/d")],
            &[(307, "/b"), (307, "/a")],
        ] {
            for method in [Method::GET, Method::POST] {
                assert_eq!(walk(&mut job("http://a.example/a"), method, steps, 4), None, "{steps:?}");
            }
        }
    }

    #[test]
    fn a_chain_over_the_limit_that_has_come_back_is_a_loop() {
        let kind = |method, steps: &[(u16, &str)], most| walk(&mut job("http://a.example/a"), method, steps, most);
        let (looped, limit) = (Some(FailureKind::RedirectLoop), Some(FailureKind::RedirectLimit));
        assert_eq!(kind(Method::GET, &[(302, "/a"), (302, "/a")], 1), looped);
        assert_eq!(kind(Method::GET, &[(302, "/b"), (302, "/c"), (302, "/b")], 2), looped);
        assert_eq!(kind(Method::GET, &[(302, "/b"), (302, "/a")], 1), looped);
        assert_eq!(kind(Method::POST, &[(307, "/b"), (307, "/a")], 1), looped);
        assert_eq!(kind(Method::POST, &[(302, "/b"), (302, "/a")], 1), limit, "asked with another method");
        assert_eq!(kind(Method::GET, &[(302, "/b"), (302, "/c")], 1), limit);
        assert_eq!(kind(Method::GET, &[(302, "/a?1"), (302, "/a?2")], 1), limit);
    }

    #[test]
    fn exactly_the_allowed_redirects_are_followed() {
        let steps = [(302, "/1"), (302, "/2"), (302, "/3")];
        let mut within = job("http://a.example/0");
        assert_eq!(walk(&mut within, Method::GET, &steps, 3), None);
        assert_eq!(within.hops().len(), 3);
        let mut beyond = job("http://a.example/0");
        assert_eq!(walk(&mut beyond, Method::GET, &steps, 2), Some(FailureKind::RedirectLimit));
        assert_eq!(beyond.url.as_str(), "http://a.example/2");
    }

    /// A job with a body, credentials and a harmless header of its own.
    fn laden() -> Job {
        let mut job = job("http://a.example/");
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "proxy-authorization", "host", "content-type", "content-md5", "x-mine"]
        {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("v"));
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("w"));
        }
        let overrides =
            RequestOverrides { headers, body: Some(Bytes::from_static(b"x")), ..RequestOverrides::default() };
        job.extra_mut().overrides = Some(Arc::new(overrides));
        job
    }

    fn names(job: &Job) -> Vec<&str> {
        job.overrides().expect("overrides").headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn the_job_keeps_what_the_next_request_may_carry() {
        // status, method, location → body kept, credentials kept
        let table = [
            (307, Method::POST, "/z", true, true),
            (307, Method::POST, "http://b.example/", true, false),
            (302, Method::POST, "/z", false, true),
            (302, Method::POST, "http://b.example/", false, false),
            (302, Method::PUT, "/z", true, true),
            (303, Method::PUT, "https://a.example/", false, false),
            (308, Method::GET, "/z", true, true),
        ];
        for (status, method, location, keeps_body, keeps_credentials) in table {
            let mut job = laden();
            assert_eq!(walk(&mut job, method.clone(), &[(status, location)], 10), None);
            let overrides = job.overrides().expect("overrides");
            assert_eq!(overrides.body.is_some(), keeps_body, "{status} {location}");
            assert_eq!(overrides.without_body, !keeps_body);
            assert_eq!(overrides.without_credentials, !keeps_credentials);
            let mut expected = vec!["x-mine"];
            expected.extend(keeps_body.then_some(["content-type", "content-md5"]).iter().flatten());
            let private = ["authorization", "cookie", "proxy-authorization", "host"];
            expected.extend(keeps_credentials.then_some(private).iter().flatten());
            let mut found = names(&job);
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{status} {method} {location}");
            assert_eq!(overrides.headers.get_all("x-mine").iter().count(), 2);
        }
    }

    #[test]
    fn what_is_stripped_stays_stripped() {
        let mut job = laden();
        let there_and_back = [(307, "http://b.example/"), (307, "http://a.example/back"), (303, "/z"), (307, "/y")];
        assert_eq!(walk(&mut job, Method::POST, &there_and_back, 10), None);
        let overrides = job.overrides().expect("overrides");
        assert!(overrides.without_credentials && overrides.without_body && overrides.body.is_none());
        assert_eq!(overrides.method, Some(Method::GET));
        assert_eq!(names(&job), ["x-mine"]);
    }

    #[test]
    fn the_job_remembers_where_it_came_from() {
        let mut job = job("http://a.example/0");
        let repeats = work::Repeats { made: 2, not_before: 9, ..work::Repeats::default() };
        work::of_mut(&mut job).counts =
            AttemptCounts { all: 2, on_hop: 2, waits: 1, failing_since: Some(Time::ZERO), repeats };
        assert_eq!(walk(&mut job, Method::GET, &[(301, "/1"), (302, "http://b.example/2")], 10), None);
        assert_eq!((job.seq, job.given(), job.url.as_str()), (7, "http://a.example/0", "http://b.example/2"));
        let hops: Vec<_> = job.hops().iter().map(|hop| (hop.url.as_str(), hop.status)).collect();
        assert_eq!(hops, [("http://a.example/0", 301), ("http://a.example/1", 302)]);
        assert_eq!(work::counts(&job), AttemptCounts { all: 4, ..AttemptCounts::default() });
    }

    #[test]
    fn a_plain_redirect_within_an_origin_needs_no_special_request() {
        let mut job = job("http://a.example/0");
        assert_eq!(walk(&mut job, Method::GET, &[(301, "/1")], 10), None);
        assert!(job.overrides().is_none());
    }

    #[test]
    fn shared_settings_of_other_jobs_are_left_alone() {
        let mut job = laden();
        let shared = Arc::clone(job.extra.as_ref().and_then(|extra| extra.overrides.as_ref()).expect("overrides"));
        assert_eq!(walk(&mut job, Method::POST, &[(302, "http://b.example/")], 10), None);
        assert!(shared.headers.contains_key("authorization") && shared.body.is_some());
    }

    proptest! {
        #[test]
        fn any_location_is_followed_or_refused(status in 0_u16..1000, location in prop::collection::vec(any::<u8>(), 0..200)) {
            let job = job("http://a.example/x?y");
            match ask(&job, &Method::POST, status, &[&location]) {
                Decision::Follow(step) => prop_assert!(step.url.as_str().is_ascii()),
                Decision::Refuse(failure) => prop_assert!(!failure.message.is_empty()),
                Decision::Stay => prop_assert!(!is_redirect(status, [&location[..]])),
            }
        }
    }
}
