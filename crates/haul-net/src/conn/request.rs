//! From a job to the request on the wire. Pure.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::{Authority, PathAndQuery, Scheme as UriScheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

use super::RequestBody;
use haul_core::config::RequestSettings;
use haul_core::model::{Job, RequestOverrides, Scheme, WebUrl, describes_body, remove_headers, stays_with_origin};

/// Whom all requests of a connection are for, made once for them.
#[derive(Debug)]
pub struct RequestAuthority {
    /// The `Host` of its origin.
    host: HeaderValue,
    /// HTTP/2's `:authority` for a job without a `Host` of its own; `None` when it can't be one.
    authority: Option<Authority>,
}

/// What all requests of a run have in common, made once.
#[derive(Debug)]
pub struct RequestTemplate {
    method: Method,
    /// haul's own headers, then the user's. `Host`, which is the host's, comes before them.
    headers: HeaderMap,
    /// The user's own `Host`, if any.
    host: Option<HeaderValue>,
    /// `None`: the user gave none. An empty one is one, too.
    body: Option<Bytes>,
}

impl RequestTemplate {
    /// The run's default request, with `own` as haul's headers, which the user's replace.
    #[must_use]
    pub fn new(settings: &RequestSettings, own: &[(http::HeaderName, HeaderValue)]) -> Self {
        let mut headers = HeaderMap::with_capacity(settings.headers.len() + own.len());
        for (name, value) in own {
            headers.insert(name.clone(), value.clone());
        }
        replace(&mut headers, &settings.headers);
        let host = headers.remove(HOST);
        Self { method: settings.method.clone(), headers, host, body: settings.body.clone() }
    }

    /// Whom the requests for `url` and for others of its origin are for. What the URL parser lets through can be put into a
    /// header.
    #[must_use]
    pub fn authority(&self, url: &WebUrl) -> RequestAuthority {
        let host = HeaderValue::from_str(url.authority()).unwrap_or_else(|_| HeaderValue::from_static(""));
        let authority = Authority::try_from(self.host.as_ref().unwrap_or(&host).as_bytes()).ok();
        RequestAuthority { host, authority }
    }

    /// The method `job` is sent with.
    #[must_use]
    pub fn method<'a>(&'a self, job: &'a Job) -> &'a Method {
        job.overrides().and_then(|overrides| overrides.method.as_ref()).unwrap_or(&self.method)
    }

    /// The body that `job` is sent with, empty or not. `None`: nobody gave it one, or a redirect has dropped it.
    fn body<'a>(&'a self, job: &'a Job) -> Option<&'a Bytes> {
        match job.overrides() {
            Some(overrides) if overrides.without_body => None,
            Some(RequestOverrides { body: Some(body), .. }) => Some(body),
            _ => self.body.as_ref(),
        }
    }

    /// Says in the head of `request`, which is the one for `job`, how long its body is: servers answer 411 to a POST that does
    /// not say that it has none. Without a body only methods whose meaning lies in one say so (RFC 9110 §8.6); a body that was
    /// given is told of, empty or not. What hyper writes by itself over HTTP/1.1, the length of a body with content, is left to it.
    pub fn tell_length(&self, request: &mut Request<RequestBody>, job: &Job) {
        let body = self.body(job);
        let length = body.map_or(0, Bytes::len);
        let is_told = match length {
            0 => body.is_some() || expects_content(request.method()),
            _ => request.version() == Version::HTTP_2,
        };
        if is_told {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
    }

    /// Makes `request` the one for `job`, whose origin is `authority`: origin form for HTTP/1.1, absolute form (which becomes
    /// the pseudo-headers) for HTTP/2. `spare`: an empty map whose room is used; hyper puts the response's
    /// headers into it, so one that comes from a response has enough. The request is written where it stands: it has 240 bytes,
    /// and to return it through two functions would move them four times.
    ///
    /// `None` when the path can't be put into HTTP, which the URL parser rules out, or the host can't be put into HTTP/2.
    #[must_use]
    pub fn fill(
        &self,
        request: &mut Request<RequestBody>,
        job: &Job,
        authority: &RequestAuthority,
        version: Version,
        spare: HeaderMap,
    ) -> Option<()> {
        *request.body_mut() = self.body(job).map_or_else(RequestBody::default, |body| RequestBody::new(body.clone()));
        *request.method_mut() = self.method.clone();
        *request.version_mut() = version;
        *request.headers_mut() = spare;
        let headers = request.headers_mut();
        let (h2, overrides) = (version == Version::HTTP_2, job.overrides());
        // HTTP/2 has none: it would be put in to be taken out again and parsed.
        if !h2 {
            headers.append(HOST, self.host.as_ref().unwrap_or(&authority.host).clone());
        }
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        if let Some(overrides) = overrides {
            specialise(request, overrides, &authority.host);
        }
        let path = PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(job.url.target().as_bytes())).ok()?;
        *request.uri_mut() = if h2 {
            let authority = match overrides.and_then(|_| request.headers_mut().remove(HOST)) {
                None => authority.authority.clone()?,
                Some(host) => Authority::try_from(host.as_bytes()).ok()?,
            };
            absolute(job.url.scheme(), authority, path)?
        } else {
            Uri::from(path)
        };
        Some(())
    }
}

/// The URI HTTP/2's `:scheme`, `:authority` and `:path` are taken from.
fn absolute(scheme: Scheme, authority: Authority, path: PathAndQuery) -> Option<Uri> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(match scheme {
        Scheme::Http => UriScheme::HTTP,
        Scheme::Https => UriScheme::HTTPS,
    });
    parts.authority = Some(authority);
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).ok()
}

/// Applies what the job says differently from the run.
fn specialise(request: &mut Request<RequestBody>, overrides: &RequestOverrides, host: &HeaderValue) {
    if let Some(method) = &overrides.method {
        *request.method_mut() = method.clone();
    }
    let headers = request.headers_mut();
    if overrides.without_credentials {
        remove_headers(headers, stays_with_origin);
        // A `Host` of the user's own was meant for the origin that the redirect has left.
        headers.insert(HOST, host.clone());
    }
    if overrides.without_body {
        remove_headers(headers, describes_body);
    }
    replace(headers, &overrides.headers);
}

/// Whether a request with this method has content by its meaning, so that one without says so: Fetch names POST and PUT, RFC 5789
/// PATCH; of the others these do nothing without content (RFC 4918, RFC 3253, RFC 5323, QUERY).
fn expects_content(method: &Method) -> bool {
    match *method {
        Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS => false,
        Method::POST | Method::PUT | Method::PATCH => true,
        _ => matches!(method.as_str(), "QUERY" | "PROPFIND" | "PROPPATCH" | "REPORT" | "SEARCH"),
    }
}

/// Puts `own` in the place of headers of the same name.
fn replace(headers: &mut HeaderMap, own: &HeaderMap) {
    for name in own.keys() {
        headers.remove(name);
    }
    for (name, value) in own {
        headers.append(name.clone(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body::Body;

    use super::*;
    use haul_core::model::{Time, WebUrl};

    fn job(url: &str) -> Job {
        Job::new(0, WebUrl::parse(url).expect("valid").0, Time::ZERO)
    }

    fn template(headers: &[(&str, &str)]) -> RequestTemplate {
        let mut settings = RequestSettings { body: Some(Bytes::from_static(b"run")), ..RequestSettings::default() };
        for (name, value) in headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).expect("name");
            settings.headers.append(name, HeaderValue::from_str(value).expect("value"));
        }
        RequestTemplate::new(&settings, &[(http::header::ACCEPT, HeaderValue::from_static("*/*"))])
    }

    fn build(template: &RequestTemplate, job: &Job, version: Version) -> Request<RequestBody> {
        let mut request = Request::default();
        template.fill(&mut request, job, &template.authority(&job.url), version, HeaderMap::new()).expect("valid");
        request
    }

    #[test]
    fn http1_gets_origin_form_with_host_first_and_http2_gets_the_pseudo_headers() {
        let job = job("https://a.example:8443/p?q=1");
        let request = build(&template(&[("x-a", "1")]), &job, Version::HTTP_11);
        assert_eq!(request.uri(), "/p?q=1");
        let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["host", "accept", "x-a"]);
        assert_eq!(request.headers()[HOST], "a.example:8443");
        let request = build(&template(&[]), &job, Version::HTTP_2);
        assert_eq!(request.uri(), "https://a.example:8443/p?q=1");
        assert!(!request.headers().contains_key(HOST));
    }

    #[test]
    fn the_authority_of_http2_is_the_jobs_host_or_the_runs_or_the_urls() {
        let authority = |template: &RequestTemplate, job: &Job| {
            let request = build(template, job, Version::HTTP_2);
            assert!(!request.headers().contains_key(HOST));
            request.uri().authority().expect("absolute").to_string()
        };
        let mut job = job("https://a.example:8443/");
        assert_eq!(authority(&template(&[]), &job), "a.example:8443");
        let run = template(&[("host", "run.example")]);
        assert_eq!(authority(&run, &job), "run.example");
        let mut overrides = RequestOverrides::default();
        job.extra_mut().overrides = Some(Arc::new(overrides.clone()));
        assert_eq!(authority(&run, &job), "run.example");
        overrides.headers.insert(HOST, HeaderValue::from_static("job.example"));
        job.extra_mut().overrides = Some(Arc::new(overrides));
        assert_eq!(authority(&run, &job), "job.example");
        let elsewhere = RequestOverrides { without_credentials: true, ..RequestOverrides::default() };
        job.extra_mut().overrides = Some(Arc::new(elsewhere));
        assert_eq!(authority(&run, &job), "a.example:8443");
    }

    #[test]
    fn the_users_headers_replace_hauls_and_the_jobs_replace_both() {
        let mut job = job("http://a.example/");
        let mut overrides = RequestOverrides { method: Some(Method::PUT), ..RequestOverrides::default() };
        overrides.headers.insert("x-b", HeaderValue::from_static("job"));
        overrides.body = Some(Bytes::from_static(b"own body"));
        let template = template(&[("accept", "text/html"), ("x-b", "run"), ("host", "other.example")]);
        let request = build(&template, &job, Version::HTTP_11);
        assert_eq!(request.headers()["accept"], "text/html");
        assert_eq!(request.headers()["x-b"], "run");
        assert_eq!(request.headers()[HOST], "other.example");
        assert_eq!(request.body().size_hint().exact(), Some(3));
        job.extra_mut().overrides = Some(Arc::new(overrides));
        let request = build(&template, &job, Version::HTTP_11);
        assert_eq!(request.method(), Method::PUT);
        assert_eq!(request.headers()["x-b"], "job");
        assert_eq!(request.body().size_hint().exact(), Some(8));
    }

    /// What a request's head says of its length: the run's method and body, the job's, what a redirect has dropped.
    fn told(run: (&Method, Option<&str>), own: Option<(Option<&Method>, Option<&str>, bool)>) -> [Option<String>; 2] {
        let bytes = |body: &str| Bytes::copy_from_slice(body.as_bytes());
        let settings = RequestSettings { method: run.0.clone(), body: run.1.map(bytes), ..RequestSettings::default() };
        let template = RequestTemplate::new(&settings, &[]);
        let mut job = job("http://a.example/");
        if let Some((method, body, without_body)) = own {
            let body = body.map(bytes);
            let overrides =
                RequestOverrides { method: method.cloned(), body, without_body, ..RequestOverrides::default() };
            job.extra_mut().overrides = Some(Arc::new(overrides));
        }
        [Version::HTTP_11, Version::HTTP_2].map(|version| {
            let mut request = build(&template, &job, version);
            template.tell_length(&mut request, &job);
            let told = request.headers().get(CONTENT_LENGTH);
            told.map(|length| length.to_str().expect("digits").to_owned())
        })
    }

    #[test]
    fn a_body_without_content_is_told_where_the_method_or_the_user_means_one() {
        let custom = |name: &str| Method::from_bytes(name.as_bytes()).expect("a token");
        let zero = || Some("0".to_owned());
        for method in [Method::POST, Method::PUT, Method::PATCH, custom("QUERY"), custom("PROPFIND"), custom("REPORT")]
        {
            assert_eq!(told((&method, None), None), [zero(), zero()], "{method}");
            assert_eq!(told((&method, Some("")), None), [zero(), zero()], "{method}");
            assert_eq!(told((&Method::GET, None), Some((Some(&method), None, false))), [zero(), zero()], "{method}");
            assert_eq!(
                told((&Method::GET, None), Some((Some(&method), Some(""), false))),
                [zero(), zero()],
                "{method}"
            );
        }
        for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS, custom("PURGE")] {
            assert_eq!(told((&method, None), None), [None, None], "{method}");
            assert_eq!(told((&method, Some("")), None), [zero(), zero()], "{method}: given, though empty");
            assert_eq!(told((&method, None), Some((None, Some(""), false))), [zero(), zero()], "{method}");
            assert_eq!(told((&Method::POST, None), Some((Some(&method), None, false))), [None, None], "{method}");
            assert_eq!(told((&method, Some("x")), Some((None, None, true))), [None, None], "{method}: dropped");
        }
        assert_eq!(told((&Method::POST, Some("x")), Some((None, Some(""), false))), [zero(), zero()], "the job's own");
    }

    #[test]
    fn the_length_of_content_is_told_over_http2_and_by_hyper_over_http1() {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            assert_eq!(told((&method, Some("four")), None), [None, Some("4".into())], "{method}");
            assert_eq!(told((&method, None), Some((None, Some("two"), false))), [None, Some("3".into())], "{method}");
        }
    }

    #[test]
    fn nothing_of_an_earlier_request_is_left() {
        let template = template(&[]);
        let mut overrides = RequestOverrides { method: Some(Method::PUT), ..RequestOverrides::default() };
        overrides.headers.insert("x-own", HeaderValue::from_static("1"));
        overrides.body = Some(Bytes::from_static(b"own body"));
        let (plain, mut own) = (job("http://a.example/plain"), job("http://a.example/own"));
        own.extra_mut().overrides = Some(Arc::new(overrides));
        let authority = template.authority(&plain.url);
        let mut request = Request::default();
        template.fill(&mut request, &own, &authority, Version::HTTP_2, HeaderMap::new()).expect("valid");
        template.fill(&mut request, &plain, &authority, Version::HTTP_11, HeaderMap::new()).expect("valid");
        let expected = format!("{:?}", build(&template, &plain, Version::HTTP_11));
        assert_eq!(format!("{request:?}"), expected);
        let odd = RequestAuthority { host: HeaderValue::from_static("a`b.example"), authority: None };
        assert!(template.fill(&mut request, &own, &odd, Version::HTTP_2, HeaderMap::new()).is_none(), "half way");
        template.fill(&mut request, &plain, &authority, Version::HTTP_11, HeaderMap::new()).expect("valid");
        assert_eq!(format!("{request:?}"), expected);
    }

    #[test]
    fn what_a_redirect_dropped_stays_dropped() {
        let mut job = job("http://b.example/");
        job.extra_mut().overrides = Some(Arc::new(RequestOverrides {
            without_body: true,
            without_credentials: true,
            ..RequestOverrides::default()
        }));
        let template = template(&[
            ("authorization", "Basic eA=="),
            ("cookie", "a=b"),
            ("content-type", "text/plain"),
            ("host", "a.example"),
            ("x-keep", "1"),
        ]);
        let request = build(&template, &job, Version::HTTP_11);
        let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
        assert!(names.contains(&"x-keep") && !names.contains(&"authorization") && !names.contains(&"cookie"));
        assert!(!names.contains(&"content-type"));
        assert_eq!(request.headers()[HOST], "b.example");
        assert_eq!(request.body().size_hint().exact(), Some(0));
        let mut request = build(&template, &job, Version::HTTP_11);
        template.tell_length(&mut request, &job);
        assert!(!request.headers().contains_key(CONTENT_LENGTH));
    }
}
