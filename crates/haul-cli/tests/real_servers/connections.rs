//! Connections over HTTP/1.1: kept, given up, led elsewhere, refused.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};

use haul_testsupport::haul::{Run, get, get_lines};
use haul_testsupport::nginx::{Nginx, Setup};
use haul_testsupport::record::body;

/// The server's numbers of the connections that were used.
fn connections(run: &Run) -> HashSet<&str> {
    run.records.iter().filter_map(|record| body(record).split(' ').next()).collect()
}

#[test]
fn connections_are_kept_and_used_again() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let run = get_lines((0..60).map(|_| nginx.url("/connection")), &["--per-host", "3", "--body", "text"]);
    run.all_have(200);
    assert_eq!(run.records.len(), 60);
    let used = connections(&run).len();
    assert!(used <= 3, "{used} connections");
    let fresh = run.records.iter().filter(|record| record["reused"] == false).count();
    assert_eq!(fresh, used, "the first request on a connection is not a reuse, all others are");
    for record in &run.records {
        assert_eq!(record["version"], "HTTP/1.1");
        assert_eq!(record["remote_addr"], format!("127.0.0.1:{}", nginx.port()));
        assert_eq!(record["timings_us"]["connect"].is_null(), record["reused"] == true, "{record}");
    }
}

#[test]
fn a_server_that_closes_after_three_requests_costs_no_failure() {
    let Some(nginx) = Nginx::start(&Setup { keepalive_requests: 3, ..Setup::default() }) else { return };
    let run = get_lines((0..200).map(|_| nginx.url("/connection")), &["--body", "text"]);
    run.all_have(200);
    assert_eq!(run.records.len(), 200);
    assert!(connections(&run).len() >= 200 / 3);
}

#[test]
fn a_server_that_closes_idle_connections_costs_no_failure() {
    let Some(nginx) = Nginx::start(&Setup { keepalive_timeout: 1, ..Setup::default() }) else { return };
    let run = get_lines((0..4).map(|_| nginx.url("/connection")), &["--delay", "1100ms", "--body", "text"]);
    run.all_have(200);
    assert_eq!(connections(&run).len(), 4);
}

/// A POST may be sent once: it goes over no connection that may have been closed.
#[test]
fn no_post_is_lost_on_connections_that_the_server_closes() {
    for (keepalive_requests, keepalive_timeout) in [(1, 60), (3, 60), (10, 60), (1000, 1)] {
        let Some(nginx) = Nginx::start(&Setup { keepalive_requests, keepalive_timeout, ..Setup::default() }) else {
            return;
        };
        let flags = ["-X", "POST", "-d", "x", "--per-host", "20", "--retries", "0"];
        let run = get_lines((0..500).map(|_| nginx.url("/request")), &flags);
        run.all_have(200);
        assert!(run.records.iter().all(|record| record["attempts"] == 1), "{keepalive_requests} a connection");
    }
    let Some(nginx) = Nginx::start(&Setup { keepalive_timeout: 1, ..Setup::default() }) else { return };
    let run = get_lines((0..4).map(|_| nginx.url("/request")), &["-X", "POST", "-d", "x", "--delay", "1100ms"]);
    run.all_have(200);
}

#[test]
fn a_unix_socket_takes_the_place_of_the_address() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let socket = nginx.socket();
    let socket = socket.to_str().expect("a plain path");
    let run = get(&["http://made.up/request", "--unix-socket", socket, "--body", "text"]);
    run.all_have(200);
    assert_eq!(body(run.only()), format!("GET made.up unix:{socket}"));
    assert!(run.only()["remote_addr"].is_null());
}

#[test]
fn a_fixed_address_takes_the_place_of_dns() {
    let Some(nginx) = Nginx::start(&Setup { addresses: 2, ..Setup::default() }) else { return };
    let port = nginx.port();
    let one = format!("one.example:{port}:127.0.0.2");
    let any = format!("*:{port}:127.0.0.1");
    let urls = [format!("http://one.example:{port}/request"), format!("http://other.example:{port}/request")];
    let run = get_lines(&urls, &["--resolve", &one, "--resolve", &any, "--body", "text", "--order", "input"]);
    run.all_have(200);
    assert_eq!(body(&run.records[0]), format!("GET one.example:{port} 127.0.0.2"));
    assert_eq!(body(&run.records[1]), format!("GET other.example:{port} 127.0.0.1"));
}

#[test]
fn a_redirected_connection_keeps_the_host() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let rule = format!("one.example:80:127.0.0.1:{}", nginx.port());
    let run = get(&["http://one.example/request", "--connect-to", &rule, "--body", "text"]);
    run.all_have(200);
    assert_eq!(body(run.only()), "GET one.example 127.0.0.1");
    assert_eq!(run.only()["final_url"], "http://one.example/request");
}

#[test]
fn a_refused_connection_is_a_record_like_any_other() {
    let port = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.local_addr().expect("bound").port()
    };
    let run = get(&[&format!("http://127.0.0.1:{port}/"), "--retries", "0"]);
    let record = run.failed_in("connect", "refused");
    assert_eq!(record["attempts"], 1);
}
