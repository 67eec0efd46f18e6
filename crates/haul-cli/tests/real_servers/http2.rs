//! HTTP/2: by ALPN and by prior knowledge, within the streams a server allows.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use haul_testsupport::haul::{Run, get, get_lines};
use haul_testsupport::nghttpd::{LARGE, Nghttpd};
use haul_testsupport::nginx::{Nginx, Setup};
use haul_testsupport::record::body;

fn all_over_http2(run: &Run, count: usize) {
    run.all_have(200);
    assert_eq!(run.records.len(), count);
    for record in &run.records {
        assert_eq!(record["version"], "HTTP/2", "{record}");
    }
}

#[test]
fn alpn_chooses_http2_and_one_connection_carries_many_requests() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let authority = nginx.authority.file();
    let authority = authority.to_str().expect("a plain path");
    let urls = (0..300).map(|_| nginx.tls_url("/connection"));
    let run = get_lines(urls, &["--cacert", authority, "--per-host", "50", "--body", "text"]);
    all_over_http2(&run, 300);
    let used: HashSet<_> = run.records.iter().filter_map(|record| body(record).split(' ').next()).collect();
    assert!(used.len() <= 4, "{} connections for 50 requests at once", used.len());
    assert_eq!(run.records.iter().filter(|record| record["reused"] == false).count(), used.len());
}

#[test]
fn a_server_that_ends_connections_early_costs_no_failure() {
    let Some(nginx) = Nginx::start(&Setup { keepalive_requests: 10, ..Setup::default() }) else { return };
    let authority = nginx.authority.file();
    let authority = authority.to_str().expect("a plain path");
    let urls = (0..300).map(|_| nginx.tls_url("/connection"));
    let run = get_lines(urls, &["--cacert", authority, "--per-host", "20", "--body", "text"]);
    all_over_http2(&run, 300);
}

/// What a server has not processed is asked again for nothing, and it is soon known how many requests it takes.
#[test]
fn a_server_that_takes_few_requests_a_connection_costs_no_failure_and_hardly_an_attempt() {
    for keepalive_requests in [1, 3, 10, 30] {
        let Some(nginx) = Nginx::start(&Setup { keepalive_requests, ..Setup::default() }) else { return };
        let authority = nginx.authority.file();
        let authority = authority.to_str().expect("a plain path");
        for method in ["GET", "POST"] {
            let urls = (0..1000).map(|_| nginx.tls_url("/request"));
            let flags =
                ["--cacert", authority, "--per-host", "64", "--retries", "0", "-X", method, "--dead-after", "1"];
            let run = get_lines(urls, &flags);
            all_over_http2(&run, 1000);
            let attempts: u64 = run.records.iter().filter_map(|record| record["attempts"].as_u64()).sum();
            assert!(attempts < 1200, "{keepalive_requests} a connection: {attempts} attempts");
        }
    }
}

#[test]
fn prior_knowledge_needs_no_tls() {
    let Some(nghttpd) = Nghttpd::plain(&[]) else { return };
    let run = get_lines((0..100).map(|_| nghttpd.url("/small")), &["--http2-prior-knowledge", "--body", "text"]);
    all_over_http2(&run, 100);
    assert!(run.records.iter().all(|record| body(record) == "small"));
}

#[test]
fn alpn_chooses_http2_with_another_server() {
    let Some(nghttpd) = Nghttpd::tls(&[]) else { return };
    let authority = nghttpd.authority.file();
    let authority = authority.to_str().expect("a plain path");
    let run = get_lines((0..100).map(|_| nghttpd.url("/small")), &["--cacert", authority]);
    all_over_http2(&run, 100);
}

#[test]
fn a_server_with_few_streams_costs_no_failure_and_no_more_connections_than_the_host_s_limit_needs() {
    let Some(nghttpd) = Nghttpd::plain(&["-m", "3"]) else { return };
    let run = get_lines((0..300).map(|_| nghttpd.url("/small")), &["--http2-prior-knowledge", "--per-host", "60"]);
    all_over_http2(&run, 300);
    assert!(run.records.iter().all(|record| record["attempts"] == 1), "a stream was refused");
    let opened = run.records.iter().filter(|record| record["reused"] == false).count();
    // 60 requests at once, 3 on each.
    assert!(opened <= 20, "{opened} connections");
}

#[test]
fn large_bodies_flow_through_small_windows() {
    // 2^12 bytes of window for a connection and for a stream, padding on every frame.
    let Some(nghttpd) = Nghttpd::plain(&["-w", "12", "-W", "12", "-b", "17"]) else { return };
    let run = get_lines((0..20).map(|_| nghttpd.url("/large")), &["--http2-prior-knowledge", "--digest"]);
    all_over_http2(&run, 20);
    let expected: String = Sha256::digest(vec![b'x'; LARGE]).iter().map(|byte| format!("{byte:02x}")).collect();
    for record in &run.records {
        assert_eq!((&record["body_sha256"], &record["body_bytes"]), (&expected.clone().into(), &LARGE.into()));
    }
}

#[test]
fn trailers_and_bodies_without_length_are_read() {
    let Some(nghttpd) = Nghttpd::plain(&["--no-content-length", "--trailer", "x-after: 1"]) else { return };
    let run = get(&[&nghttpd.url("/large"), "--http2-prior-knowledge"]);
    all_over_http2(&run, 1);
    assert_eq!(run.only()["body_bytes"], LARGE);
}

#[test]
fn a_server_without_http1_is_a_failure_when_asked_for_it() {
    let Some(nghttpd) = Nghttpd::plain(&[]) else { return };
    let run = get(&[&nghttpd.url("/small"), "--retries", "0"]);
    assert_eq!((run.code, &run.only()["status"]), (Some(1), &serde_json::Value::Null), "{run:?}");
}

#[test]
fn a_server_without_http2_is_a_failure_when_told_to_know_it() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let run = get(&[&nginx.url("/small"), "--http2-prior-knowledge", "--retries", "0"]);
    assert_eq!((run.code, &run.only()["status"]), (Some(1), &serde_json::Value::Null), "{run:?}");
}
