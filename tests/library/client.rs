//! The client, against an origin that misbehaves to order.

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::executor::block_on;
use haul::engine::Snapshot;
use haul::model::{BodyUse, Failure, FailureKind, Hooks, Outcome, Phase, RequestHead, Resolve, Resolved, ResponseHead};
use haul::{Client, Error, Request, blocking};
use haul_testsupport::origin::Origin;
use http_body_util::{BodyExt, Empty, Full};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tower::{ServiceBuilder, ServiceExt};

fn client() -> Client {
    Client::builder().retries(1).build().expect("valid settings")
}

/// Waits until the client's counts are as wished; fails after 5 s.
fn wait_until(client: &Client, what: &str, is: impl Fn(&Snapshot) -> bool) -> Snapshot {
    for _ in 0..500 {
        let now = client.handle().progress();
        if is(&now) {
            return now;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never {what}: {:?}", client.handle().progress());
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> (Phase, FailureKind) {
    let error = result.expect_err("fails");
    (error.phase(), error.kind())
}

#[test]
fn a_request_says_what_it_was_told_and_a_response_how_it_came() {
    let origin = Origin::start();
    let client = client();
    let post = || client.post(origin.url("/echo")).query([("q", "1 2")]).header("X-A", "1").json(&[1, 2]);
    let response = block_on(post().send()).expect("answered");
    assert_eq!((response.status().as_u16(), response.attempts(), response.reused()), (200, 1, false));
    assert_eq!(response.remote_addr().expect("TCP").port(), origin.port);
    assert_eq!(response.url(), origin.url("/echo?q=1+2"));
    assert!(response.timings().connect.is_some() && response.timings().first_byte.is_some());
    let text = block_on(response.text()).expect("whole");
    assert!(text.starts_with("POST /echo?q=1+2\n") && text.ends_with("\n[1,2]"), "{text}");
    assert!(text.contains("x-a: 1\n") && text.contains("content-type: application/json\n"), "{text}");
    // Until then the server might be one that closes after each response, which may cost a POST.
    std::thread::sleep(Duration::from_millis(50));
    assert!(block_on(post().send()).expect("answered").reused());
    assert_eq!(origin.connections(), 1);
}

#[test]
fn any_runtime_will_do() {
    let origin = Origin::start();
    let (client, url) = (client(), origin.url("/bytes/5"));
    let fetch = || async { client.get(&url).send().await.expect("answered").bytes().await.expect("whole").len() };
    assert_eq!(block_on(fetch()), 5);
    let one = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without timers or sockets");
    assert_eq!(one.block_on(fetch()), 5);
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let (own, url) = (client.clone(), url.clone());
    let task =
        many.spawn(async move { own.get(url).send().await.expect("answered").bytes().await.expect("whole").len() });
    assert_eq!(many.block_on(task).expect("no panic"), 5);
}

#[test]
fn a_long_body_comes_in_pieces_and_waits_for_its_reader() {
    let origin = Origin::start();
    let client = client();
    let mut response = block_on(client.get(origin.url("/bytes/20000000")).send()).expect("answered");
    std::thread::sleep(Duration::from_millis(300));
    let before = client.handle().progress();
    assert_eq!((before.in_flight, before.succeeded), (1, 0), "nobody has read it yet");
    let (mut bytes, mut pieces) = (0, 0);
    while let Some(piece) = block_on(response.chunk()).expect("no error") {
        bytes += piece.len();
        pieces += 1;
    }
    assert!(bytes == 20_000_000 && pieces > 20, "{bytes} bytes in {pieces} pieces");
    wait_until(&client, "done", |now| (now.succeeded, now.in_flight) == (1, 0));
    let long = block_on(client.get(origin.url("/bytes/70000")).send()).expect("answered");
    assert_eq!(block_on(long.into_body().bytes()).expect("whole").len(), 70_000);
}

#[test]
fn a_body_that_is_cut_off_is_never_whole() {
    let origin = Origin::start();
    let client = client();
    assert_eq!(kind(block_on(client.get(origin.url("/partial")).send())), (Phase::Body, FailureKind::Truncated));
    let mut response = block_on(client.get(origin.url("/cutchunk")).send()).expect("a head came");
    let mut seen = Vec::new();
    let error = loop {
        match block_on(response.chunk()) {
            Ok(Some(piece)) => seen.extend_from_slice(&piece),
            Ok(None) => panic!("{seen:?} is not the whole"),
            Err(error) => break error,
        }
    };
    assert_eq!((&seen[..], error.phase()), (&b"wiki"[..], Phase::Body));
    let again = block_on(client.get(origin.url("/cutchunk")).send()).expect("a head came");
    assert_eq!(kind(block_on(again.bytes())).0, Phase::Body);
    let asked = origin.seen().iter().filter(|seen| seen.target == "/cutchunk").count();
    assert_eq!(asked, 2, "what has been handed over is not tried again");
}

#[test]
fn statuses_that_ask_for_it_are_tried_again_and_the_last_one_is_the_response() {
    let origin = Origin::start();
    let client = client();
    let get = |path: &str| block_on(client.get(origin.url(path)).send()).expect("answered");
    let response = get("/retry/502/1");
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 2));
    let response = get("/status/504");
    assert_eq!((response.status().as_u16(), response.attempts()), (504, 2));
    let error = get("/status/404").error_for_status().expect_err("404");
    assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (FailureKind::Status, Some(404)));
    let target = origin.url("/echo");
    let response = get(&format!("/redirect/302?{target}"));
    assert_eq!((response.redirects().len(), response.url()), (1, &*target));
}

/// A server that gives its first connection, second connection … these parts, 50 ms apart, and closes it; the last answer
/// goes to all later ones.
fn scripted(answers: &'static [&'static [&'static str]]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("accepted");
            let mut lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            for part in answers[number.min(answers.len() - 1)] {
                stream.write_all(part.as_bytes()).expect("taken");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    });
    url
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn what_its_reader_has_seen_a_part_of_is_never_tried_again() {
    let url = scripted(&[&[CHUNKED, "4\r\nwiki\r\n"], &[CHUNKED, "9\r\nwikipedia\r\n0\r\n\r\n"]]);
    let client =
        Client::builder().config(|config| config.retries.unsafe_methods = true).build().expect("valid settings");
    let got = block_on(async { client.get(&url).send().await.expect("a head came").bytes().await });
    assert_eq!(kind(got).0, Phase::Body);
}

#[test]
fn a_body_in_one_piece_has_its_cap_however_many_pieces_it_came_in() {
    let url = scripted(&[&[CHUNKED, "4\r\nwiki\r\n", "5\r\npedia\r\n0\r\n\r\n"]]);
    let get = |most| {
        let client = Client::builder().config(|config| config.body.max_kept = most).build().expect("valid settings");
        block_on(async { client.get(&url).send().await.expect("a head came").bytes().await })
    };
    assert_eq!(kind(get(5)), (Phase::Body, FailureKind::TooLarge));
    assert_eq!(get(9).expect("within"), "wikipedia");
}

#[test]
fn who_leaves_while_his_connection_is_opened_leaves_nothing_behind() {
    // Accepts connections and says nothing: a TLS handshake that takes its whole time-out.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = Client::builder().config(|config| config.timeouts.tls = Duration::from_secs(20)).build();
    let client = client.expect("valid settings");
    block_on(async {
        let url = format!("https://{}/", silent.local_addr().expect("bound"));
        let mut waiting = Box::pin(client.get(url).send());
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        wait_until(&client, "in flight", |now| now.in_flight == 1);
    });
    let end = wait_until(&client, "cancelled", |now| (now.cancelled, now.in_flight) == (1, 0));
    assert_eq!((end.failed, end.queued), (0, 0));
}

#[test]
fn a_decoded_body_does_not_claim_to_be_coded() {
    let origin = haul_testserver::TestServer::start().expect("two free ports");
    let response = block_on(client().get(origin.url("/gzip/100000")).send()).expect("answered");
    assert_eq!(response.headers()["content-encoding"], "gzip", "the wire's");
    let response = http::Response::from(response);
    assert!(!response.headers().contains_key("content-encoding") && !response.headers().contains_key("content-length"));
    assert_eq!(block_on(response.into_body().bytes()).expect("whole").len(), 100_000);
}

#[test]
fn a_dropped_future_response_or_batch_leaves_nothing_behind() {
    let origin = Origin::start();
    let client = client();
    block_on(async {
        let waiting = client.get(origin.url("/slow/3000")).send();
        let mut waiting = Box::pin(waiting);
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        wait_until(&client, "in flight", |now| now.in_flight == 1);
    });
    wait_until(&client, "cancelled", |now| (now.cancelled, now.in_flight, now.queued) == (1, 0, 0));

    let response = block_on(client.get(origin.url("/bytes/5000000")).send()).expect("answered");
    drop(response);
    wait_until(&client, "cancelled", |now| (now.cancelled, now.in_flight) == (2, 0));

    let urls: Vec<String> = (0..50).map(|_| origin.url("/slow/3000")).collect();
    block_on(async {
        let mut batch = Box::pin(client.fetch_all(&urls));
        assert!(futures::poll!(batch.next()).is_pending());
        wait_until(&client, "in flight", |now| (now.in_flight, now.queued) == (8, 42));
    });
    let end = wait_until(&client, "cancelled", |now| (now.cancelled, now.in_flight, now.queued) == (52, 0, 0));
    assert_eq!((end.accepted, end.failed, end.succeeded), (52, 0, 0));
    assert_eq!(block_on(client.get(origin.url("/")).send()).expect("goes on").status(), 200);
}

#[test]
fn a_response_outlives_its_client() {
    let origin = Origin::start();
    let response = block_on(client().get(origin.url("/bytes/3000000")).send()).expect("answered");
    assert_eq!(block_on(response.bytes()).expect("whole").len(), 3_000_000);
}

#[test]
fn a_batch_gives_each_result_as_it_completes_with_its_tag() {
    let origin = Origin::start();
    let client = client();
    let paths = ["/slow/400", "/bytes/3", "no url", "/partial", "/status/404"];
    let requests = paths.map(|path| if path.starts_with('/') { (path, origin.url(path)) } else { (path, path.into()) });
    let results: Vec<_> = block_on(client.fetch_tagged(requests.clone()).collect());
    assert_eq!(results.len(), 5);
    let place = |tag| results.iter().position(|fetched| fetched.tag == tag);
    assert!(place("/slow/400") > place("/bytes/3"), "first done, first given");
    for fetched in results {
        assert_eq!((fetched.tag, &*fetched.url), (paths[fetched.index], &*requests[fetched.index].1));
        match fetched.tag {
            "no url" => assert_eq!(kind(fetched.result), (Phase::Input, FailureKind::BadUrl)),
            "/partial" => assert_eq!(kind(fetched.result), (Phase::Body, FailureKind::Truncated)),
            "/status/404" => assert_eq!(fetched.result.expect("a response").status(), 404),
            _ => assert_eq!(fetched.result.expect("a response").status(), 200),
        }
    }
    let ordered = block_on(client.fetch_all(requests.iter().map(|(_, url)| url)).in_order());
    assert!(ordered.iter().map(|fetched| fetched.index).eq(0..5));
}

#[test]
fn a_batch_reads_only_so_far_ahead() {
    let origin = Origin::start();
    let client = client();
    let read = AtomicUsize::new(0);
    let urls = (0..1000).map(|n| {
        read.fetch_add(1, Ordering::SeqCst);
        origin.url(&format!("/{n}"))
    });
    block_on(async {
        let mut batch = client.fetch_all(urls).look_ahead(10);
        for taken in 0..1000 {
            assert!(batch.next().await.expect("more").result.is_ok());
            assert!(read.load(Ordering::SeqCst) <= taken + 1 + 10);
        }
        assert!(batch.next().await.is_none());
    });
    assert!(origin.most_in_flight() <= 8);
}

/// Signs requests, refuses large bodies, counts ends.
#[derive(Default)]
struct Watcher {
    ended: AtomicUsize,
}

impl Hooks for Watcher {
    fn request(&self, request: &mut RequestHead<'_>) -> Result<(), Box<str>> {
        match request.job.url.target() {
            "/forbidden" => return Err("not this one".into()),
            "/panic" => panic!("on purpose"),
            _ => {}
        }
        request.headers.insert("transfer-encoding", "chunked".parse().expect("visible characters"));
        let signature = format!("{} {}", request.method, request.job.url.target());
        request.headers.insert("x-signature", signature.parse().expect("visible characters"));
        Ok(())
    }

    fn body(&self, head: &ResponseHead<'_>) -> BodyUse {
        let length = head.headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > 1_000_000) {
            return BodyUse::Refuse("over a megabyte".into());
        }
        BodyUse::Collect
    }

    fn outcome(&self, _: &Outcome) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn hooks_see_requests_heads_and_ends_and_may_refuse() {
    let origin = Origin::start();
    let watcher = Arc::new(Watcher::default());
    let client = Client::builder().hooks(Arc::clone(&watcher)).build().expect("valid settings");
    let get = |path: &str| block_on(client.get(origin.url(path)).send());
    let text = block_on(get("/echo").expect("answered").text()).expect("whole");
    assert!(text.contains("x-signature: GET /echo\n"), "{text}");
    assert_eq!(kind(get("/bytes/50000000")), (Phase::Head, FailureKind::Unwanted));
    assert_eq!(kind(get("/forbidden")), (Phase::Queue, FailureKind::Unwanted));
    assert_eq!(kind(get("/panic")), (Phase::Queue, FailureKind::Unwanted));
    assert_eq!(get("/").expect("no host is to blame").status(), 200);
    assert_eq!(watcher.ended.load(Ordering::SeqCst), 5);
    wait_until(&client, "all permits back", |now| now.in_flight == 0);
    assert!(!origin.seen().iter().any(|seen| seen.target == "/forbidden"));
    assert!(client.handle().progress().wire_bytes < 10_000_000, "refused unread");
}

#[test]
fn a_post_without_content_says_so_whatever_hooks_do() {
    let origin = Origin::start();
    let hooked = Client::builder().hooks(Watcher::default()).build().expect("valid settings");
    let url = origin.url("/echo");
    let told = |request: Request<Client>| {
        let text = block_on(block_on(request.send()).expect("answered").text()).expect("whole");
        text.lines().find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned))
    };
    for client in [client(), hooked] {
        let patch = client.request(http::Method::PATCH, &url);
        for request in [client.post(&url), client.put(&url), patch, client.delete(&url).body("")] {
            assert_eq!(told(request.clone()).as_deref(), Some("0"), "{request:?}");
        }
        assert_eq!(told(client.post(&url).body("four")).as_deref(), Some("4"));
        assert_eq!(told(client.post(origin.url("/redirect/307?/echo"))).as_deref(), Some("0"));
        for request in [client.get(&url), client.delete(&url), client.post(origin.url("/redirect/303?/echo"))] {
            assert_eq!(told(request.clone()), None, "{request:?}");
        }
        let other = http::Request::post(&url).body(bytes::Bytes::new()).expect("valid");
        let echoed = block_on(client.execute(other.into())).expect("answered");
        assert!(block_on(echoed.text()).expect("whole").contains("content-length: 0\n"));
    }
}

/// One name, one address.
struct OneName(AtomicUsize);

impl Resolve for OneName {
    fn resolve<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<Resolved, Failure>> + 'a>> {
        Box::pin(async move {
            self.0.fetch_add(1, Ordering::SeqCst);
            if name != "known.test" {
                return Err(Failure::new(Phase::Dns, FailureKind::NameNotFound, "only known.test is known"));
            }
            Ok(Resolved { addresses: [IpAddr::from([127, 0, 0, 1])].into(), valid_for: Duration::from_secs(60) })
        })
    }
}

#[test]
fn names_and_addresses_are_the_callers_if_he_wants() {
    let origin = Origin::start();
    let client = Client::builder()
        .resolver(OneName(AtomicUsize::new(0)))
        .address_filter(|address| address != IpAddr::from([127, 0, 0, 9]))
        .build()
        .expect("valid settings");
    let get = |host: &str| block_on(client.get(origin.url_on(host, "/")).send());
    assert_eq!(get("known.test").expect("answered").status(), 200);
    assert_eq!(kind(get("other.test")), (Phase::Dns, FailureKind::NameNotFound));
    assert_eq!(kind(get("localhost")), (Phase::Dns, FailureKind::NameNotFound));
    assert_eq!(kind(get("127.0.0.9")), (Phase::Connect, FailureKind::AddressRefused));
}

#[test]
fn the_tls_configuration_is_the_callers_if_he_wants() {
    let origin = haul_testserver::TestServer::start().expect("two free ports");
    let url = origin.https_url("/bytes/5");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(origin.ca_pem().as_bytes()).expect("PEM")).expect("a root");
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let own = Client::builder().tls(Arc::new(config)).build().expect("valid settings");
    let response = block_on(own.get(&url).send()).expect("trusted");
    assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
    assert_eq!(kind(block_on(client().get(&url).send())), (Phase::Tls, FailureKind::CertificateUntrusted));
}

#[test]
fn what_is_passed_between_threads_may_be() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    fn sent<T: Send + 'static>(_: T) {}
    let client = client();
    shared(&client);
    shared(&blocking::Client::from(client.clone()));
    sent(client.get("http://127.0.0.1/").send());
    sent(client.execute(Request::get("http://127.0.0.1/")));
    sent(client.fetch_all(["http://127.0.0.1/"]));
    fn outcome<T: Send + Sync>() {}
    outcome::<Outcome>();
    outcome::<Error>();
}

#[test]
fn threads_without_a_runtime_have_a_client_too() {
    let origin = Origin::start();
    let client = blocking::Client::new().expect("valid settings");
    let mut response = client.get(origin.url("/bytes/200000")).send().expect("answered");
    let mut start = [0; 10];
    response.read_exact(&mut start).expect("long enough");
    assert_eq!((&start, response.status().as_u16()), (b"xxxxxxxxxx", 200));
    let mut rest = Vec::new();
    response.read_to_end(&mut rest).expect("whole");
    assert_eq!(rest.len(), 199_990);
    let mut response = client.get(origin.url("/bytes/200000")).send().expect("answered");
    response.read_exact(&mut start).expect("long enough");
    assert_eq!(response.bytes().expect("the rest").len(), 199_990);
    let mut cut = client.get(origin.url("/cutchunk")).send().expect("a head came");
    assert!(cut.read_to_end(&mut Vec::new()).is_err());
    let urls = (0..20).map(|n| origin.url(&format!("/bytes/{n}")));
    let sizes = client
        .fetch_all(urls)
        .in_order()
        .into_iter()
        .map(|fetched| fetched.result.expect("a response").bytes().expect("whole").len());
    assert!(sizes.eq(0..20));
}

#[test]
fn middleware_stacks_on_it() {
    let origin = Origin::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let stack = ServiceBuilder::new().concurrency_limit(2).timeout(Duration::from_millis(200)).service(client());
        let request =
            |path: &str| http::Request::get(origin.url(path)).body(Empty::<bytes::Bytes>::new()).expect("valid");
        let response = stack.clone().oneshot(request("/bytes/100000")).await.expect("answered");
        assert_eq!(BodyExt::collect(response.into_body()).await.expect("whole").to_bytes().len(), 100_000);
        let error = stack.clone().oneshot(request("/slow/3000")).await.expect_err("too slow");
        assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
        let post = http::Request::post(origin.url("/echo")).body(Full::<bytes::Bytes>::from("a body")).expect("valid");
        let echoed =
            BodyExt::collect(client().oneshot(post).await.expect("answered").into_body()).await.expect("whole");
        assert!(echoed.to_bytes().ends_with(b"a body"));
    });
}

#[test]
fn the_limits_are_those_of_a_run() {
    let origin = Origin::start();
    let client = Client::builder().config(|config| config.limits.delay = Duration::from_millis(60)).build();
    let results = block_on(client.expect("valid").fetch_all((0..4).map(|n| origin.url(&format!("/{n}")))).in_order());
    assert!(results.iter().all(|fetched| fetched.result.is_ok()));
    let seen = origin.seen();
    let span = seen.iter().map(|seen| seen.at).max().expect("four") - seen[0].at;
    assert!(span >= Duration::from_millis(150), "4 starts 60 ms apart: {span:?}");
}

#[test]
fn a_stopped_client_says_so() {
    let origin = Origin::start();
    let client = client();
    client.handle().stop_now();
    assert_eq!(kind(block_on(client.get(origin.url("/")).send())), (Phase::Queue, FailureKind::Cancelled));
    let results = block_on(client.fetch_all([origin.url("/"), origin.url("/")]).in_order());
    assert_eq!(results.len(), 2);
    assert!(results.into_iter().all(|fetched| kind(fetched.result).1 == FailureKind::Cancelled));
}

#[test]
fn a_requests_own_time_out_counts() {
    let origin = Origin::start();
    let client = Client::builder().retries(0).build().expect("valid settings");
    let longer = Client::builder().retries(0).config(|config| {
        config.timeouts.total = Duration::from_millis(200);
        config.timeouts.first_byte = Duration::from_millis(200);
    });
    let request = Request::get(origin.url("/slow/600")).timeout(Duration::from_secs(20));
    assert_eq!(block_on(longer.build().expect("valid").execute(request)).expect("in time").status(), 200);
    let request = Request::get(origin.url("/slow/3000")).timeout(Duration::from_millis(100));
    let error = block_on(client.execute(request)).expect_err("too slow");
    assert!(error.is_timeout() && error.kind() == FailureKind::TotalTimeout, "{error}");
    assert!(error.to_string().starts_with(&origin.url("/slow/3000")), "{error}");
}
