//! TLS: whom to trust, who we are, sessions used again.

use crate::support::certs::Authority;
use crate::support::haul::{get, get_lines};
use crate::support::nginx::{Nginx, Setup};
use crate::support::record::body;

fn path(path: &std::path::Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn a_certificate_is_trusted_by_its_authority() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let url = nginx.tls_h1_url("/small");
    let run = get(&[&url, "--cacert", path(&nginx.authority.file()), "--body", "text"]);
    run.all_have(200);
    assert_eq!(body(run.only()), "small");
    assert_eq!(run.only()["version"], "HTTP/1.1");
    assert!(run.only()["timings_us"]["tls"].as_u64() > Some(0));

    get(&[&url, "--retries", "0"]).failed_in("tls", "certificate_untrusted");
    let stranger = Authority::new();
    get(&[&url, "--retries", "0", "--cacert", path(&stranger.file())]).failed_in("tls", "certificate_untrusted");
    get(&[&url, "--insecure"]).all_have(200);
}

#[test]
fn a_certificate_is_for_its_names() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let authority = nginx.authority.file();
    let rule = format!("other.example:{}:127.0.0.1", nginx.tls);
    let url = format!("https://other.example:{}/small", nginx.tls);
    let run = get(&[&url, "--resolve", &rule, "--cacert", path(&authority), "--retries", "0"]);
    run.failed_in("tls", "certificate_name");
    let by_address = format!("https://127.0.0.1:{}/small", nginx.tls);
    get(&[&by_address, "--cacert", path(&authority)]).all_have(200);
}

#[test]
fn a_client_certificate_is_shown() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let (authority, client) = (nginx.authority.file(), nginx.authority.issue(&["client"], |_| {}));
    let url = nginx.tls_h1_url("/client");
    let shown = ["--cert", path(&client.certificate), "--key", path(&client.key)];
    let asked = [&url, "--cacert", path(&authority), "--body", "text"];
    assert_eq!(body(get(&asked).all_have(200).only()), "NONE");
    assert_eq!(body(get(&[&asked[..], &shown].concat()).all_have(200).only()), "SUCCESS");
}

#[test]
fn sessions_are_used_again() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let authority = nginx.authority.file();
    let urls = (0..5).map(|_| nginx.tls_h1_url("/session"));
    let run = get_lines(urls, &["--cacert", path(&authority), "--per-host", "1", "--order", "input", "--body", "text"]);
    run.all_have(200);
    let sessions: Vec<_> = run.records.iter().map(body).collect();
    assert_eq!(sessions, [".", "r", "r", "r", "r"], "nginx: '.' is a new session, 'r' one used again");
    assert!(run.records.iter().all(|record| record["reused"] == false));
}
