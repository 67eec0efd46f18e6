//! Certificates are checked unless the user says otherwise, and then haul says so.

use futures::executor::block_on;
use haul::Client;
use haul::model::{FailureKind, Phase};
use haul_testserver::TestServer;

use crate::{cacert, kind};
use haul_testsupport::haul::get;

const WARNING: &str = "certificates are not checked";

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent() {
    let origin = TestServer::start().expect("free ports");
    let url = origin.https_url("/");
    let run = get(&[&url, "--bearer", "hunter2"]);
    let message = run.failed_in("tls", "certificate_untrusted")["error"]["message"].as_str().expect("text");
    assert!(message.contains("--cacert"), "{message}");
    assert_eq!(run.only()["attempts"], 1, "nothing changes by asking again");
    let client = Client::builder().build().expect("valid settings");
    assert_eq!(kind(block_on(client.get(&url).send())), (Phase::Tls, FailureKind::CertificateUntrusted));
    assert_eq!(origin.stats().requests, 0);
}

#[test]
fn a_certificate_for_another_name_is_refused_although_its_issuer_is_trusted() {
    let origin = TestServer::start().expect("free ports");
    let cacert = cacert(&origin);
    let flags = ["--cacert", cacert.path().to_str().expect("a plain path"), "--resolve", "*:443:127.0.0.1"];
    let port = origin.https_url("").rsplit_once(':').expect("a port").1.to_owned();
    let resolve = flags[3].replace("443", &port);
    let wrong = format!("https://other.example:{port}/");
    get(&[&wrong, flags[0], flags[1], flags[2], &resolve]).failed_in("tls", "certificate_name");
    assert_eq!(origin.stats().requests, 0);
    get(&[&origin.https_url("/"), flags[0], flags[1]]).all_have(200);
}

#[test]
fn what_turns_it_off_is_loud() {
    let origin = TestServer::start().expect("free ports");
    let run = get(&[&origin.https_url("/"), "--insecure"]);
    run.all_have(200);
    assert!(run.stderr.contains(WARNING), "{}", run.stderr);
    let checked = get(&[&origin.url("/")]);
    assert!(!checked.all_have(200).stderr.contains(WARNING), "{}", checked.stderr);
}
