//! TLS: whom to trust, who we are, sessions used again.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use rcgen::{CertificateParams, date_time_ymd};
use serde_json::Value;

use haul_testsupport::certs::Authority;
use haul_testsupport::haul::{Run, get, get_lines};
use haul_testsupport::nginx::{Nginx, Setup};
use haul_testsupport::record::body;
use haul_testsupport::server::Server;

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
fn a_bad_certificate_is_looked_at_a_few_times_and_named_in_every_record() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let urls = (0..200).map(|n| nginx.tls_h1_url(&format!("/{n}")));
    let run = get_lines(urls, &["--dead-after", "3"]);
    assert_eq!(run.records.len(), 200);
    let tried = run.records.iter().filter(|record| record["attempts"] == 1).count();
    assert!((1..=40).contains(&tried), "{tried} handshakes");
    for record in &run.records {
        let error = &record["error"];
        assert_eq!((&error["phase"], &error["kind"]), (&"tls".into(), &"certificate_untrusted".into()), "{record}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains("--cacert")), "{record}");
    }
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

/// openssl with a certificate of `names` for whoever asks for `host` by SNI, and a fatal alert for all others.
fn openssl_for(authority: &Authority, names: &[&str], host: &str, flags: &[&str]) -> Option<Server> {
    openssl_with(authority, names, host, flags, |_| {})
}

/// The same, with a certificate as `change` wants it.
fn openssl_with(
    authority: &Authority,
    names: &[&str],
    host: &str,
    flags: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> Option<Server> {
    let leaf = authority.issue(names, change);
    let other = authority.issue(&["other.test"], |_| {});
    Server::start("openssl", |program, _, port| {
        let mut command = Command::new(program);
        command.args(["s_server", "-www", "-servername_fatal", "-accept", &format!("127.0.0.1:{port}")]);
        command.args(["-cert", path(&other.certificate), "-key", path(&other.key)]);
        command.args(["-cert2", path(&leaf.certificate), "-key2", path(&leaf.key), "-servername", host]).args(flags);
        command
    })
}

/// haul's record of `host` on the server.
fn of_host(server: &Server, host: &str, flags: &[&str]) -> Run {
    let port = server.address.port();
    let rule = format!("--resolve={host}:{port}:127.0.0.1");
    get(&[&[&*format!("https://{host}:{port}/"), &rule, "--retries", "0"], flags].concat())
}

/// rustls takes no label that begins or ends with a hyphen; browsers and curl do.
#[test]
fn a_host_that_browsers_connect_to_is_asked_for_by_its_name_and_checked_for_it() {
    let authority = Authority::new();
    let trusted = authority.file();
    let trusted = ["--cacert", path(&trusted)];
    for host in ["my-site-.blogs.test", "-a-.blogs.test", "a_b.blogs.test", "a--b.blogs.test", "a!b.blogs.test"] {
        // TLS 1.3; 1.3 with a second ClientHello, for another group; 1.2.
        for flags in [&["-tls1_3"][..], &["-tls1_3", "-groups", "P-384"], &["-tls1_2"]] {
            let Some(server) = openssl_for(&authority, &["*.blogs.test"], host, flags) else { return };
            of_host(&server, host, &trusted).all_have(200);
            of_host(&server, host, &["--insecure"]).all_have(200);
            of_host(&server, host, &[]).failed_in("tls", "certificate_untrusted");
        }
    }
}

/// No name server knows them, but they may be given an address.
#[test]
fn a_host_with_an_empty_label_is_asked_for_by_its_name_and_checked_for_it() {
    let authority = Authority::new();
    let trusted = authority.file();
    let trusted = ["--cacert", path(&trusted)];
    for host in ["a..blogs.test", ".a.blogs.test"] {
        for flags in [&["-tls1_3"][..], &["-tls1_3", "-groups", "P-384"], &["-tls1_2"]] {
            let Some(server) = openssl_for(&authority, &[host], host, flags) else { return };
            of_host(&server, host, &trusted).all_have(200);
            of_host(&server, host, &["--insecure"]).all_have(200);
        }
        let Some(server) = openssl_for(&authority, &["*.blogs.test", "a.blogs.test"], host, &[]) else { return };
        of_host(&server, host, &trusted).failed_in("tls", "certificate_name");
    }
}

#[test]
fn a_certificate_for_another_name_is_not_one_for_an_odd_name() {
    let authority = Authority::new();
    let trusted = authority.file();
    let trusted = ["--cacert", path(&trusted)];
    let host = "my-site-.blogs.test";
    let Some(server) = openssl_for(&authority, &[host], host, &[]) else { return };
    of_host(&server, host, &trusted).all_have(200);
    of_host(&server, host, &["--cacert", path(&Authority::new().file())]).failed_in("tls", "certificate_untrusted");
    // The second is how the name is spelt for rustls.
    for names in [&["*.other.test"][..], &["my-sitea.blogs.test"], &["my-site.blogs.test"], &["blogs.test"]] {
        let Some(server) = openssl_for(&authority, names, host, &[]) else { return };
        of_host(&server, host, &trusted).failed_in("tls", "certificate_name");
        of_host(&server, host, &["--insecure"]).all_have(200);
    }
    let Some(server) = openssl_with(&authority, &[host], host, &[], |leaf| leaf.not_after = date_time_ymd(2020, 1, 1))
    else {
        return;
    };
    of_host(&server, host, &trusted).failed_in("tls", "certificate_expired");
    let Some(server) = openssl_for(&authority, &["*.blogs.test"], "another.blogs.test", &[]) else { return };
    of_host(&server, host, &trusted).failed_in("tls", "handshake");
}

/// OpenSSL's server with a certificate that OpenSSL made for it with `openssl req -x509` and these arguments, and the file of that.
fn openssl(make: &[&str], serve: &[&str]) -> Option<(Server, PathBuf)> {
    let mut made = PathBuf::new();
    let server = Server::start("openssl", |program, directory, port| {
        let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        let mut req = Command::new(program);
        req.args(["req", "-x509", "-nodes", "-days", "2", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .args(make);
        assert!(req.stderr(Stdio::null()).status().expect("openssl runs").success(), "{make:?}");
        let mut command = Command::new(program);
        command.args(["s_server", "-www", "-accept", &format!("127.0.0.1:{port}")]);
        command.arg("-cert").arg(&certificate).arg("-key").arg(&key).args(serve);
        made = certificate;
        command
    })?;
    Some((server, made))
}

const RSA: [&str; 6] = ["-newkey", "rsa:2048", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];

#[test]
fn what_openssl_req_makes_is_trusted_when_it_is_given() {
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521", "-subj", "/CN=localhost"];
    let usage = [&RSA[..], &["-addext", "basicConstraints=CA:FALSE", "-addext", "keyUsage=digitalSignature"]].concat();
    let key_alone = ["-newkey", "ed25519", "-subj", "/CN=localhost"];
    let pss = [&["-newkey", "rsa-pss"], &RSA[2..]].concat();
    let hash = ["-pkeyopt", "rsa_pss_keygen_md:sha384", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha384"];
    let pss_with_hash = [&pss[..], &hash, &["-pkeyopt", "rsa_pss_keygen_saltlen:48"]].concat();
    for (make, serve) in [
        (&RSA[..], &[][..]),
        (&usage[..], &[]),
        (&key_alone[..], &[]),
        (&ec[..], &[]),
        (&RSA[..], &["-tls1_2"]),
        (&RSA[..], &["-tls1_3", "-groups", "P-521"]),
        (&pss[..], &["-tls1_3"]),
        (&pss_with_hash[..], &["-tls1_3"]),
        (&RSA[..], &["-tls1_2", "-groups", "P-521"]),
    ] {
        let Some((server, certificate)) = openssl(make, serve) else { return };
        let url = format!("https://localhost:{}/", server.address.port());
        let run = get(&[&url, "--ipv4", "--retries", "0", "--cacert", path(&certificate)]);
        assert_eq!(run.only()["status"], 200, "{make:?} {serve:?}: {}", run.only()["error"]);
        get(&[&url, "--ipv4", "--retries", "0"]).failed_in("tls", "certificate_untrusted");
    }
}

#[test]
fn what_haul_does_not_speak_is_named() {
    let ed448 = ["-newkey", "ed448", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    let short = [&["-newkey", "rsa:1024"], &RSA[2..]].concat();
    let pss = [&["-newkey", "rsa-pss"], &RSA[2..]].concat();
    let weak = &["-cipher", "DEFAULT@SECLEVEL=0"][..];
    for (make, serve, kind, says) in [
        (&RSA[..], &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"][..], "handshake", "CBC"),
        (&RSA[..], &["-tls1_2", "-cipher", "AES128-GCM-SHA256"], "handshake", "RSA or DHE key exchange"),
        (&RSA[..], &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], "handshake", "DHE"),
        (&RSA[..], &["-tls1_3", "-groups", "X448"], "handshake", "curves"),
        (&RSA[..], &["-tls1_2", "-Verify", "1"], "handshake", "a client certificate"),
        (&RSA[..], &["-tls1_3", "-Verify", "1"], "handshake", "a client certificate"),
        (&RSA[..], &["-tls1_3", "-alpn", "h2", "-Verify", "1"], "handshake", "a client certificate"),
        (&RSA[..], &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "handshake", "neither TLS 1.3 nor 1.2"),
        (&ed448[..], &[], "handshake", "Ed448"),
        (&pss[..], &["-tls1_2"], "handshake", "RSA-PSS alone"),
        (&short[..], weak, "certificate_untrusted", "fewer than 2048 bits"),
    ] {
        let Some((server, certificate)) = openssl(make, serve) else { return };
        let url = format!("https://localhost:{}/", server.address.port());
        let run = get(&[&url, "--ipv4", "--retries", "0", "--cacert", path(&certificate)]);
        let error = &run.only()["error"];
        assert_eq!((&error["phase"], &error["kind"]), (&"tls".into(), &kind.into()), "{serve:?}: {error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(says) && !message.contains("Failure"), "{serve:?}: {message}");
    }
}

/// With TLS 1.3 the refusal comes when the handshake is over for the client, and over HTTP/2 h2 keeps its text alone.
#[test]
fn a_client_certificate_that_the_server_does_not_accept_is_a_failed_handshake() {
    let stranger = Authority::new();
    let client = stranger.issue(&["client.test"], |_| {});
    let shown = ["--cert", path(&client.certificate), "--key", path(&client.key)];
    let long = stranger.file().with_file_name("long");
    std::fs::write(&long, vec![b'a'; 3_000_000]).expect("the directory is ours");
    let is_failed_handshake = |record: &Value| {
        let error = &record["error"];
        assert_eq!((&error["phase"], &error["kind"]), (&"tls".into(), &"handshake".into()), "{record}");
    };
    for version in [&["-tls1_2"][..], &["-tls1_3"], &["-tls1_3", "-alpn", "h2"]] {
        let serve = [version, &["-Verify", "1", "-verify_return_error"]].concat();
        let Some((server, certificate)) = openssl(&RSA, &serve) else { return };
        let urls = (0..60).map(|n| format!("https://localhost:{}/{n}", server.address.port()));
        let run = get_lines(urls, &[&["--ipv4", "--cacert", path(&certificate)], &shown[..]].concat());
        assert_eq!(run.records.len(), 60);
        for record in &run.records {
            is_failed_handshake(record);
            let message = record["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains("does not accept the client certificate"), "{version:?}: {message}");
        }
        // Who sends much meets an error of writing first.
        let body = format!("@{}", path(&long));
        let flags = [&["--ipv4", "--cacert", path(&certificate), "-d", &body], &shown[..]].concat();
        let run_of_uploads =
            get_lines((0..8).map(|n| format!("https://localhost:{}/{n}", server.address.port())), &flags);
        for record in &run_of_uploads.records {
            is_failed_handshake(record);
        }
        let tried: u64 = run.records.iter().filter_map(|record| record["attempts"].as_u64()).sum();
        assert!((1..=20).contains(&tried), "{version:?}: {tried} attempts");
    }
}

/// What OpenSSL makes of one key after another: of X.509 version 1, for RSA-PSS alone, on a curve with its point compressed.
#[test]
fn any_client_certificate_is_shown_whose_key_belongs_to_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| directory.path().join(name);
    let openssl_makes = |arguments: &[&str]| {
        let made = Command::new("openssl").args(arguments).current_dir(&directory).stderr(Stdio::null()).status();
        assert!(made.expect("openssl runs").success(), "{arguments:?}");
    };
    for (what, key) in [
        ("version 1", &["-algorithm", "RSA"][..]),
        ("RSA-PSS", &["-algorithm", "RSA-PSS"]),
        (
            "RSA-PSS with one hash",
            &[
                "-algorithm",
                "RSA-PSS",
                "-pkeyopt",
                "rsa_pss_keygen_md:sha384",
                "-pkeyopt",
                "rsa_pss_keygen_mgf1_md:sha384",
            ],
        ),
        ("an elliptic curve", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        (
            "a compressed point",
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "point-format:compressed"],
        ),
    ] {
        for version in ["-tls1_2", "-tls1_3"] {
            let Some((server, certificate)) = openssl(&RSA, &[version, "-Verify", "1"]) else { return };
            openssl_makes(&[&["genpkey", "-out", "client.key"], key].concat());
            openssl_makes(&["req", "-new", "-key", "client.key", "-subj", "/CN=me", "-out", "client.csr"]);
            openssl_makes(&["x509", "-req", "-in", "client.csr", "-key", "client.key", "-out", "client.pem"]);
            let url = format!("https://localhost:{}/", server.address.port());
            let (own, key) = (file("client.pem"), file("client.key"));
            let shown = ["--cert", path(&own), "--key", path(&key), "--cacert", path(&certificate)];
            let run = get(&[&[&url, "--ipv4", "--retries", "0"], &shown[..]].concat());
            assert_eq!(run.only()["status"], 200, "{what} {version}: {}", run.only()["error"]);
        }
    }
}
