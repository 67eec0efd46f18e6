//! TLS handshakes: certificates, and peers that break off, stall or talk nonsense.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use haul::model::{FailureKind, Phase};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::answers::MALFORMED_HEAD;
use super::case::{Case, Group, Verdict, complete, failed};
use super::lab::Lab;
use super::peer::{Peer, Step, send};
use super::tls_peer::{self, Amount, NAME};
use haul_testsupport::certs::{Authority, Leaf};
use haul_testsupport::server::{free_port, skip};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const WHOLE: Verdict = complete(200, 5);
const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

const fn tls(kind: FailureKind) -> Verdict {
    failed(Phase::Tls, kind)
}

pub(crate) fn group() -> Group {
    let mut cases = certificates();
    cases.extend(insecure());
    cases.extend(choices());
    cases.extend(no_tls());
    cases.extend(server_hellos());
    cases.extend(broken_off());
    cases.push(renegotiation());
    Group { title: "TLS handshakes", cases }
}

fn whole_answer() -> Vec<Step> {
    vec![Step::Request, send(OK)]
}

/// Fetches from a server that shows what `leaf` makes of an authority that is trusted.
fn shown(leaf: impl FnOnce(&Authority) -> Leaf, change: impl FnOnce(&mut haul::config::Config)) -> Verdict {
    let authority = Authority::new();
    let config = tls_peer::config(&leaf(&authority), BOTH, &["http/1.1"]);
    let peer = tls_peer::playing(config, whole_answer());
    tls_peer::lab(&authority, &peer).with(change).fetch(tls_peer::url(&peer, "/"))
}

/// How a certificate comes to be shown.
type Issue = fn(&Authority) -> Leaf;

fn expired(authority: &Authority) -> Leaf {
    authority.issue(&[NAME], |params| params.not_after = date_time_ymd(2020, 1, 1))
}

fn not_yet(authority: &Authority) -> Leaf {
    authority.issue(&[NAME], |params| params.not_before = date_time_ymd(2999, 1, 1))
}

fn other_name(authority: &Authority) -> Leaf {
    authority.issue(&["b.test"], |_| {})
}

fn unknown_issuer(_: &Authority) -> Leaf {
    kept(|stranger| stranger.issue(&[NAME], |_| {}))
}

/// The leaf of another authority, whose files stay.
fn kept(issue: impl FnOnce(&Authority) -> Leaf) -> Leaf {
    let other = Box::leak(Box::new(Authority::new()));
    issue(other)
}

fn self_signed(authority: &Authority) -> Leaf {
    let leaf = authority.issue(&[NAME], |_| {});
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([NAME.to_owned()]).expect("a valid name");
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(&leaf.certificate, certificate.pem()).expect("the directory is ours");
    std::fs::write(&leaf.key, key.serialize_pem()).expect("the directory is ours");
    leaf
}

fn certificates() -> Vec<Case> {
    let case = |what, rule, expected, leaf: Issue| Case::new(what, rule, expected, move || shown(leaf, |_| {}));
    vec![
        case("shows a certificate that is right", "", WHOLE, |authority| authority.issue(&[NAME], |_| {})),
        case(
            "a certificate for all of a top-level domain",
            "RFC 9525 §7.1",
            tls(FailureKind::CertificateName),
            |authority| authority.issue(&["*.test"], |_| {}),
        ),
        case("an expired certificate", "RFC 5280 §4.1.2.5", tls(FailureKind::CertificateExpired), expired),
        case("a certificate that is not yet valid", "RFC 5280 §4.1.2.5", tls(FailureKind::CertificateExpired), not_yet),
        case("a certificate for another name", "RFC 9525 §6", tls(FailureKind::CertificateName), other_name),
        case(
            "a wildcard certificate one level too high",
            "RFC 9525 §6.3",
            tls(FailureKind::CertificateName),
            |authority| authority.issue(&["*.a.test"], |_| {}),
        ),
        case(
            "a certificate with the name only in its subject",
            "RFC 9525 §2",
            tls(FailureKind::CertificateName),
            |authority| authority.issue(&[], |params| params.distinguished_name.push(DnType::CommonName, NAME)),
        ),
        case(
            "a certificate of an unknown authority",
            "RFC 5280 §6",
            tls(FailureKind::CertificateUntrusted),
            unknown_issuer,
        ),
        case("a self-signed certificate", "RFC 5280 §6", tls(FailureKind::CertificateUntrusted), self_signed),
        case(
            "a certificate for clients only",
            "RFC 5280 §4.2.1.12",
            tls(FailureKind::CertificateUntrusted),
            |authority| {
                authority
                    .issue(&[NAME], |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
            },
        ),
    ]
}

fn insecure() -> Vec<Case> {
    let rows: [(&str, Issue); 4] = [
        ("an expired certificate", expired),
        ("a certificate for another name", other_name),
        ("a certificate of an unknown authority", unknown_issuer),
        ("a self-signed certificate", self_signed),
    ];
    rows.map(|(what, leaf)| {
        Case::new(format!("{what}, with `--insecure`"), "", WHOLE, move || {
            shown(leaf, |config| (config.tls.ca_files, config.tls.insecure) = (Vec::new(), true))
        })
    })
    .into()
}

/// What the peers of these cases have in common.
fn good(versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> (Authority, ServerConfig) {
    let authority = Authority::new();
    let leaf = authority.issue(&[NAME], |_| {});
    let config = tls_peer::config(&leaf, versions, alpn);
    (authority, config)
}

fn choices() -> Vec<Case> {
    let alpn = |what, rule, expected, alpn: &'static [&'static str], script: Vec<Step>| {
        Case::new(what, rule, expected, move || {
            let (authority, config) = good(BOTH, alpn);
            let peer = tls_peer::playing(config, script);
            tls_peer::lab(&authority, &peer).fetch(tls_peer::url(&peer, "/"))
        })
    };
    let settings = send(b"\0\0\0\x04\0\0\0\0\0");
    let ciphers = |what, version, expected| {
        Case::new(what, "", expected, move || {
            let (authority, config) = good(&[version], &[]);
            let peer = tls_peer::playing(config, whole_answer());
            tls_peer::lab(&authority, &peer).fetch(tls_peer::url(&peer, "/"))
        })
    };
    vec![
        ciphers("speaks TLS 1.2 only", &TLS12, WHOLE),
        ciphers("speaks TLS 1.3 only", &TLS13, WHOLE),
        alpn("names no protocol (no ALPN), speaks HTTP/1.1", "RFC 7301 §3.1", WHOLE, &[], whole_answer()),
        alpn(
            "knows none of the protocols offered",
            "RFC 7301 §3.2",
            tls(FailureKind::Handshake),
            &["spdy/3"],
            whole_answer(),
        ),
        alpn(
            "agrees on http/1.1 and speaks HTTP/2",
            "RFC 7301 §3.2",
            MALFORMED_HEAD,
            &["http/1.1"],
            vec![Step::Request, settings],
        ),
        alpn(
            "agrees on h2 and speaks HTTP/1.1",
            "RFC 7301 §3.2",
            failed(Phase::Head, FailureKind::Protocol),
            &["h2"],
            vec![Step::Read, send(OK), Step::Stall],
        ),
        Case::new("sends 100 session tickets before its response", "RFC 8446 §4.6.1", WHOLE, || {
            let (authority, mut config) = good(&[&TLS13], &[]);
            config.send_tls13_tickets = 100;
            let peer = tls_peer::playing(config, whole_answer());
            tls_peer::lab(&authority, &peer).fetch(tls_peer::url(&peer, "/"))
        }),
    ]
}

/// A peer that does this on the TCP connection, where a handshake should be.
fn raw(what: &str, expected: Verdict, script: Vec<Step>) -> Case {
    Case::new(what, "", expected, move || {
        let peer = Peer::playing(script);
        Lab::new().hasty_for(expected).fetch(format!("https://{}/", peer.address))
    })
}

/// A record of this type.
fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&[kind, 3, 3, length[0], length[1]], payload].concat()
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

fn no_tls() -> Vec<Case> {
    let (handshake, protocol) = (tls(FailureKind::Handshake), tls(FailureKind::Protocol));
    let (closed, timeout, reset) = (tls(FailureKind::Closed), tls(FailureKind::Timeout), tls(FailureKind::Reset));
    let alert = |level, description| Step::Send(record(ALERT, &[level, description]));
    vec![
        raw("accepts and says nothing", timeout, vec![Step::Stall]),
        raw("closes at once", closed, vec![]),
        raw("closes after the client's hello", closed, vec![Step::Read]),
        raw("resets after the client's hello", reset, vec![Step::Read, Step::Reset]),
        raw("answers in plain HTTP", protocol, vec![Step::Read, send("HTTP/1.1 400 Bad Request\r\n\r\n")]),
        raw("an SSH banner", protocol, vec![send("SSH-2.0-OpenSSH_9.2\r\n"), Step::Stall]),
        raw("a kilobyte of 0xff", protocol, vec![Step::Read, send([0xff; 1024]), Step::Stall]),
        raw("a kilobyte of zeros", protocol, vec![Step::Read, send([0; 1024]), Step::Stall]),
        raw("alert handshake_failure (no common cipher)", handshake, vec![Step::Read, alert(2, 40)]),
        raw("alert protocol_version (no common version)", handshake, vec![Step::Read, alert(2, 70)]),
        raw("alert unrecognized_name", handshake, vec![Step::Read, alert(2, 112)]),
        raw("alert internal_error", reset, vec![Step::Read, alert(2, 80)]),
        raw("alert 255, which does not exist", handshake, vec![Step::Read, alert(2, 255)]),
        raw("alert close_notify", closed, vec![Step::Read, alert(1, 0)]),
        raw("warnings without an end", handshake, vec![Step::Read, Step::Flood(record(ALERT, &[1, 90]).repeat(100))]),
        raw(
            "half a record, then closes",
            closed,
            vec![Step::Read, Step::Send(vec![22, 3, 3, 0, 100, 2, 0]), Step::End],
        ),
        raw(
            "half a record, then silence",
            timeout,
            vec![Step::Read, Step::Send(vec![22, 3, 3, 0, 100, 2, 0]), Step::Stall],
        ),
        raw(
            "a record of 65,535 bytes",
            handshake,
            vec![Step::Read, Step::Send([&[22, 3, 3, 255, 255], &[0; 4096][..]].concat()), Step::Stall],
        ),
        raw("an empty handshake record", handshake, vec![Step::Read, Step::Send(record(HANDSHAKE, &[])), Step::Stall]),
        raw(
            "application data in place of a hello",
            handshake,
            vec![Step::Read, Step::Send(record(23, &[0; 32])), Step::Stall],
        ),
        raw(
            "a handshake message of 16 MiB",
            handshake,
            vec![
                Step::Read,
                Step::Send(record(HANDSHAKE, &[2, 255, 255, 255])),
                Step::Flood(record(HANDSHAKE, &[0; 4096])),
            ],
        ),
        raw(
            "a request for renegotiation in place of a hello",
            handshake,
            vec![Step::Read, Step::Send(record(HANDSHAKE, &[0, 0, 0, 0])), Step::Stall],
        ),
        raw(
            "a client's hello in place of a server's",
            handshake,
            vec![Step::Read, Step::Send(record(HANDSHAKE, &[1, 0, 0, 2, 3, 3])), Step::Stall],
        ),
    ]
}

/// A ServerHello of TLS 1.2.
fn server_hello(version: [u8; 2], cipher: [u8; 2], compression: u8, alpn: &str) -> Vec<u8> {
    let name = u8::try_from(alpn.len()).expect("a short name");
    let extension: Vec<u8> = [&[0, 16, 0, name + 3, 0, name + 1, name], alpn.as_bytes()].concat();
    let extensions = if alpn.is_empty() { Vec::new() } else { [&[0, name + 7], &extension[..]].concat() };
    let body = [&version, &[7; 32][..], &[0], &cipher, &[compression], &extensions].concat();
    let length = u8::try_from(body.len()).expect("a short hello");
    record(HANDSHAKE, &[&[2, 0, 0, length], &body[..]].concat())
}

fn server_hellos() -> Vec<Case> {
    // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, which every client offers, and RC4, which none does.
    let (good, rc4) = ([0xc0, 0x2b], [0x00, 0x05]);
    let handshake = tls(FailureKind::Handshake);
    let hello = |what: &str, expected, version, cipher, compression, alpn| {
        raw(what, expected, vec![Step::Read, Step::Send(server_hello(version, cipher, compression, alpn)), Step::Stall])
    };
    vec![
        hello("a good ServerHello, then silence", tls(FailureKind::Timeout), [3, 3], good, 0, "http/1.1"),
        hello("a ServerHello with a protocol (ALPN) that was not offered", handshake, [3, 3], good, 0, "spdy/3"),
        hello("a ServerHello of TLS 1.1", handshake, [3, 2], good, 0, ""),
        hello("a ServerHello of SSL 3", handshake, [3, 0], good, 0, ""),
        hello("a ServerHello with a cipher that was not offered", handshake, [3, 3], rc4, 0, ""),
        hello("a ServerHello with compression", handshake, [3, 3], good, 1, ""),
    ]
}

fn broken_off() -> Vec<Case> {
    let rows: [(&str, &'static SupportedProtocolVersion, Amount); 7] = [
        ("in a record's header", &TLS13, Amount::Bytes(3)),
        ("in its ServerHello", &TLS13, Amount::Bytes(60)),
        ("after its ServerHello", &TLS13, Amount::Records(1)),
        ("in its certificate", &TLS13, Amount::Bytes(400)),
        ("in its ServerHello (TLS 1.2)", &TLS12, Amount::Bytes(60)),
        ("in its certificate (TLS 1.2)", &TLS12, Amount::Bytes(400)),
        ("after its first flight (TLS 1.2)", &TLS12, Amount::Records(1)),
    ];
    let then = [
        ("closes", Step::End, FailureKind::Closed),
        ("resets", Step::Reset, FailureKind::Reset),
        ("stalls", Step::Stall, FailureKind::Timeout),
    ];
    let mut cases = Vec::new();
    for (does, step, kind) in then {
        for (when, version, amount) in rows {
            let step = step.clone();
            cases.push(Case::new(format!("{does} {when}"), "", tls(kind), move || {
                break_off(version, amount, step, tls(kind))
            }));
        }
    }
    let what = "closes after n bytes of its handshake, n = 0, 25, 50 … 500";
    cases.push(Case::new(what, "", tls(FailureKind::Closed), || {
        let verdicts =
            (0..=500).step_by(25).map(|n| break_off(&TLS13, Amount::Bytes(n), Step::End, tls(FailureKind::Closed)));
        verdicts.reduce(|all, one| if one == all { all } else { panic!("{one}, and {all}") }).expect("some")
    }));
    cases
}

fn break_off(version: &'static SupportedProtocolVersion, amount: Amount, then: Step, expected: Verdict) -> Verdict {
    let (authority, config) = good(&[version], &["http/1.1"]);
    let peer = tls_peer::breaking_off(config, amount, then);
    tls_peer::lab(&authority, &peer).hasty_for(expected).fetch(tls_peer::url(&peer, "/"))
}

/// A server of OpenSSL's that asks for renegotiation in the middle of a body: nothing else speaks that any more.
fn renegotiation() -> Case {
    let expected = failed(Phase::Body, FailureKind::Reset);
    Case::new(
        "asks for renegotiation in a body (TLS 1.2), and gives up when told no",
        "RFC 5246 §7.4.1.1",
        expected,
        move || {
            let authority = Authority::new();
            let leaf = authority.issue(&[NAME], |_| {});
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            let mut command = Command::new("openssl");
            command.args(["s_server", "-tls1_2", "-accept", &address.to_string()]);
            command.arg("-cert").arg(&leaf.certificate).arg("-key").arg(&leaf.key);
            let Ok(child) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
                skip("openssl");
                return expected;
            };
            let mut openssl = OpenSsl(child);
            let answering = openssl.renegotiate_in_a_body();
            let verdict = Lab::new()
                .with(|config| {
                    config.tls.ca_files = vec![authority.file()];
                    config.network.resolve = vec![haul::config::ResolveRule {
                        host: None,
                        port: address.port(),
                        addresses: vec![address.ip()],
                    }];
                })
                .fetch(format!("https://{NAME}:{}/", address.port()));
            drop(answering.join().expect("no panic"));
            verdict
        },
    )
}

/// Ends with the case.
struct OpenSsl(Child);

impl OpenSsl {
    /// Waits until it listens; then, on a thread of its own, answers the first request, with `R` for renegotiation in the
    /// middle of the body. Its input, which has to stay open, is handed back.
    fn renegotiate_in_a_body(&mut self) -> std::thread::JoinHandle<ChildStdin> {
        let mut input = self.0.stdin.take().expect("piped");
        let mut lines = BufReader::new(self.0.stdout.take().expect("piped")).lines().map_while(Result::ok);
        lines.by_ref().find(|line| line.contains("ACCEPT")).expect("it listens");
        std::thread::spawn(move || {
            let asked = lines.by_ref().find(|line| line.starts_with("GET "));
            assert!(asked.is_some(), "no request came");
            let steps: [&[u8]; 3] = [b"HTTP/1.1 200 OK\nContent-Length: 10\n\nhello", b"R\n", b"world"];
            for step in steps {
                // Fails once the server has given up.
                let _ = input.write_all(step);
                // Each has to be a read of its own to be taken for a command.
                std::thread::sleep(Duration::from_millis(200));
            }
            input
        })
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
