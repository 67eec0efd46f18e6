//! The bytes are the redirects of one job, a line each: a byte that picks the status, then the `Location` values, with
//! a zero byte between two of them. (A header value holds neither line ends nor zero bytes.)
//!
//! Promise: a job never follows more redirects than allowed, never to the same URL with the same method, and what it
//! left behind once (credentials on leaving the origin, the body on a 303) stays behind.

use std::sync::Arc;

use haul::model::{FailureKind, Job, Phase, Special, Time, WebUrl};
use haul::policy::redirect::{Asked, Decision, Step, decide, follow};
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderValue, Method};

const MAX_REDIRECTS: u32 = 4;
const STATUSES: [u16; 6] = [301, 302, 303, 307, 308, 200];

/// Follows these redirects from a POST with credentials.
pub fn run(bytes: &[u8]) {
    let mut job = posted();
    let (mut left_origin, mut dropped_body) = (false, false);
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((pick, locations)) = line.split_first() else { return };
        let status = STATUSES[usize::from(*pick) % STATUSES.len()];
        let locations: Vec<&[u8]> = locations.split(|byte| *byte == 0).collect();
        let method = job.special().and_then(|special| special.method.clone()).unwrap_or(Method::GET);
        let asked = Asked { job: &job, method: &method, max_redirects: MAX_REDIRECTS };
        match decide(asked, status, locations.iter().copied()) {
            Decision::Stay => return,
            Decision::Refuse(failure) => return check_refusal(failure.phase, failure.kind),
            Decision::Follow(step) => {
                check_step(&job, &step, locations[0]);
                left_origin |= step.leaves_origin;
                dropped_body |= step.drops_body;
                follow(&mut job, step);
                check_job(&job, left_origin, dropped_body);
            }
        }
    }
}

fn posted() -> Job {
    let url = WebUrl::parse("https://a.example/x/y?q").expect("valid").0;
    let mut job = Job::new(0, url, Time::ZERO);
    let value = |text| HeaderValue::from_static(text);
    let headers = [(AUTHORIZATION, value("Basic eDp5")), (COOKIE, value("k=v")), (CONTENT_TYPE, value("text/plain"))];
    job.extra_mut().special = Some(Arc::new(Special {
        method: Some(Method::POST),
        headers: HeaderMap::from_iter(headers),
        body: Some("body".into()),
        ..Special::default()
    }));
    job
}

fn check_refusal(phase: Phase, kind: FailureKind) {
    use FailureKind::{RedirectBadLocation, RedirectLimit, RedirectLoop};
    assert_eq!(phase, Phase::Head);
    assert!(matches!(kind, RedirectBadLocation | RedirectLimit | RedirectLoop), "{kind}");
}

fn check_step(job: &Job, step: &Step, location: &[u8]) {
    assert_eq!(step.leaves_origin, step.url.origin() != job.url.origin());
    let (again, credentials) = WebUrl::parse(step.url.as_str()).expect("it was parsed before");
    assert_eq!((&again, credentials.is_none()), (&step.url, true));
    if let Some(text) = std::str::from_utf8(location).ok().filter(|text| text.is_ascii()) {
        assert_eq!(job.url.join(text).expect("it was joined before").0, step.url);
    }
}

fn check_job(job: &Job, left_origin: bool, dropped_body: bool) {
    let hops = &job.extra.as_ref().expect("it has hops").hops;
    assert!(hops.len() <= MAX_REDIRECTS as usize, "{} redirects", hops.len());
    let special = job.special().expect("it had one from the start");
    let method = special.method.as_ref().unwrap_or(&Method::GET);
    assert!(hops.iter().all(|hop| (&hop.url, &hop.method) != (&job.url, method)), "back at {}", job.url);
    if left_origin {
        assert!(special.without_credentials);
        assert!(!special.headers.contains_key(AUTHORIZATION) && !special.headers.contains_key(COOKIE));
    }
    if dropped_body {
        assert!(special.without_body && special.body.is_none() && !special.headers.contains_key(CONTENT_TYPE));
    }
}
