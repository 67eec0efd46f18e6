//! TLS against the grain: downgrades, keys that do not fit, floods, and certificates that are wanted from haul.

use std::sync::Arc;
use std::time::Duration;

use haul::model::{FailureKind, Phase};
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::answers::{OTHER_CONNECTION, same_or_other};
use super::case::{Case, Group, Verdict, complete, failed};
use super::lab::Lab;
use super::peer::{Peer, Step, play, send};
use super::tls_peer::{self, NAME};
use haul_testsupport::certs::{Authority, Leaf};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const WHOLE: Verdict = complete(200, 5);
const HANDSHAKE: Verdict = failed(Phase::Tls, FailureKind::Handshake);
const PROTOCOL: Verdict = failed(Phase::Head, FailureKind::Protocol);

pub(crate) fn group() -> Group {
    let mut cases = certificates();
    cases.extend(wanted());
    cases.extend(hellos());
    cases.extend(after_the_handshake());
    Group { title: "TLS against the grain", cases }
}

/// Fetches from a server of this configuration.
fn fetch(authority: &Authority, config: ServerConfig, script: Vec<Step>) -> Verdict {
    let peer = tls_peer::playing(config, script);
    tls_peer::lab(authority, &peer).fetch(tls_peer::url(&peer, "/"))
}

fn answering() -> Vec<Step> {
    vec![Step::Request, send(OK)]
}

/// One certificate, with a key that may be another's.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn chain(leaf: &Leaf) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from_pem_file(&leaf.certificate).expect("PEM")]
}

/// A server that shows one leaf's certificate and signs with a key that may be another's; nothing is checked here.
fn unchecked(shown: &Leaf, signing: &Leaf, version: &'static SupportedProtocolVersion) -> ServerConfig {
    let key = PrivateKeyDer::from_pem_file(&signing.key).expect("PEM");
    let key = default_provider().key_provider.load_private_key(key).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_protocol_versions(&[version]);
    let builder = builder.expect("suites for the version").with_no_client_auth();
    builder.with_cert_resolver(Arc::new(Shows(Arc::new(CertifiedKey::new(chain(shown), key)))))
}

fn certificates() -> Vec<Case> {
    let untrusted = failed(Phase::Tls, FailureKind::CertificateUntrusted);
    let mismatched = |what, version| {
        Case::new(what, "RFC 8446 §4.4.3", untrusted, move || {
            let authority = Authority::new();
            let (shown, signing) = (authority.issue(&[NAME], |_| {}), authority.issue(&["b.test"], |_| {}));
            fetch(&authority, unchecked(&shown, &signing, version), answering())
        })
    };
    vec![
        mismatched("shows a good certificate whose key it does not have", &TLS13),
        mismatched("shows a good certificate whose key it does not have (TLS 1.2)", &TLS12),
        Case::new("a certificate of 5,000 names, over 64 KiB", "", HANDSHAKE, || {
            let authority = Authority::new();
            let names: Vec<_> =
                std::iter::once(NAME.to_owned()).chain((0..5000).map(|n| format!("host-{n}.test"))).collect();
            let leaf = authority.issue(&names.iter().map(String::as_str).collect::<Vec<_>>(), |_| {});
            fetch(&authority, unchecked(&leaf, &leaf, &TLS13), answering())
        }),
    ]
}

/// Servers that want a certificate of haul's, which has none.
fn wanted() -> Vec<Case> {
    let case = |what: &str, expected, version: &'static SupportedProtocolVersion, is_needed: bool| {
        Case::new(what, "RFC 8446 §4.4.2.4", expected, move || {
            let authority = Authority::new();
            let leaf = authority.issue(&[NAME], |_| {});
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(authority.file()).expect("PEM")).expect("a certificate");
            let provider = Arc::new(default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            let verifier = if is_needed { verifier } else { verifier.allow_unauthenticated() };
            let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]);
            let builder = builder.expect("suites for the version");
            let key = PrivateKeyDer::from_pem_file(&leaf.key).expect("PEM");
            let config = builder
                .with_client_cert_verifier(verifier.build().expect("roots"))
                .with_single_cert(chain(&leaf), key)
                .expect("a pair");
            fetch(&authority, config, answering())
        })
    };
    vec![
        case("asks for a certificate, and takes it that there is none", WHOLE, &TLS13, false),
        case("asks for a certificate, and takes it that there is none (TLS 1.2)", WHOLE, &TLS12, false),
        case("wants a certificate", HANDSHAKE, &TLS13, true),
        case("wants a certificate (TLS 1.2)", HANDSHAKE, &TLS12, true),
    ]
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&[kind, 3, 3, length[0], length[1]], payload].concat()
}

/// A ServerHello of TLS 1.2 with this random value, cipher and extensions.
fn hello(random: &[u8; 32], cipher: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let short = |length: usize| u8::try_from(length).expect("a short hello");
    let body = [&[3, 3], &random[..], &[0], &cipher, &[0, 0, short(extensions.len())], extensions].concat();
    record(22, &[&[2, 0, 0, short(body.len())], &body[..]].concat())
}

fn hellos() -> Vec<Case> {
    let raw = |what: &str, rule, script: Vec<Step>| {
        Case::new(what, rule, HANDSHAKE, move || {
            let peer = Peer::playing(script);
            Lab::new()
                .with(|config| config.timeouts.tls = Duration::from_secs(2))
                .fetch(format!("https://{}/", peer.address))
        })
    };
    let downgrade = |last: u8| {
        let mut random = [7; 32];
        random[24..].copy_from_slice(&[0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, last]);
        Step::Send(hello(&random, [0xc0, 0x2b], &[]))
    };
    // The random value that makes a ServerHello a HelloRetryRequest: SHA-256 of "HelloRetryRequest".
    let retry: [u8; 32] = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2,
        0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ];
    let retry = |group: [u8; 2]| {
        let extensions = [[0, 43, 0, 2, 3, 4], [0, 51, 0, 2, group[0], group[1]]].concat();
        Step::Send(hello(&retry, [0x13, 0x01], &extensions))
    };
    let (p384, unknown) = ([0, 24], [0x7f, 0x7f]);
    vec![
        raw(
            "a ServerHello of TLS 1.2 that says it is a downgrade",
            "RFC 8446 §4.1.3",
            vec![Step::Read, downgrade(1), Step::Stall],
        ),
        raw(
            "a ServerHello of TLS 1.2 that says it is a downgrade to 1.1",
            "RFC 8446 §4.1.3",
            vec![Step::Read, downgrade(0), Step::Stall],
        )
        .but(failed(Phase::Tls, FailureKind::Timeout)),
        raw(
            "asks for another key share twice",
            "RFC 8446 §4.1.4",
            vec![Step::Read, retry(p384), Step::Read, retry(p384), Step::Stall],
        ),
        raw(
            "asks for a key share of a group that was not offered",
            "RFC 8446 §4.1.4",
            vec![Step::Read, retry(unknown), Step::Stall],
        ),
        raw(
            "change_cipher_spec without an end",
            "RFC 8446 §5",
            vec![Step::Read, Step::Flood(record(20, &[1]).repeat(100))],
        ),
        Case::new("asks for another key share once", "RFC 8446 §4.1.4", WHOLE, || {
            let authority = Authority::new();
            let leaf = authority.issue(&[NAME], |_| {});
            let mut provider = default_provider();
            provider.kx_groups = vec![kx_group::SECP384R1];
            let builder = ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[&TLS13]);
            let builder = builder.expect("suites for the version").with_no_client_auth();
            let key = PrivateKeyDer::from_pem_file(&leaf.key).expect("PEM");
            fetch(&authority, builder.with_single_cert(chain(&leaf), key).expect("a pair"), answering())
        }),
    ]
}

fn after_the_handshake() -> Vec<Case> {
    let case = |what: &str, rule, expected, script: Vec<Step>| {
        Case::new(what, rule, expected, move || {
            let authority = Authority::new();
            let leaf = authority.issue(&[NAME], |_| {});
            fetch(&authority, tls_peer::config(&leaf, &[&TLS13], &[]), script)
        })
    };
    let (head, body) = OK.split_at(OK.len() - 5);
    vec![
        case(
            "changes its keys ten times between head and body",
            "RFC 8446 §4.6.3",
            WHOLE,
            vec![Step::Request, send(head), Step::Rekey(10), send(body)],
        ),
        case(
            "changes its keys without an end",
            "RFC 8446 §4.6.3",
            PROTOCOL,
            vec![Step::Request, Step::Rekey(1_000_000)],
        ),
        case(
            "change_cipher_spec in the clear in place of a response",
            "RFC 8446 §5",
            PROTOCOL,
            vec![Step::Request, Step::Raw(record(20, &[1])), Step::Stall],
        ),
        case(
            "a hello in the clear in place of a response",
            "RFC 8446 §5",
            PROTOCOL,
            vec![Step::Request, Step::Raw(hello(&[7; 32], [0x13, 0x01], &[])), Step::Stall],
        ),
        case(
            "an empty record in place of a response",
            "RFC 8446 §5",
            PROTOCOL,
            vec![Step::Request, Step::Raw(record(23, &[])), Step::Stall],
        ),
        Case::new(
            "has forgotten its session tickets, at the next request",
            "RFC 8446 §4.2.11",
            OTHER_CONNECTION,
            forgetful,
        ),
    ]
}

/// Each connection is served as if by another process with the same certificate.
fn forgetful() -> Verdict {
    let authority = Authority::new();
    let leaf = authority.issue(&[NAME], |_| {});
    let configs = [0; 2].map(|_| Arc::new(tls_peer::config(&leaf, &[&TLS13], &[])));
    let scripts = same_or_other(vec![
        Step::Request,
        send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"),
    ]);
    let peer = Peer::serving(move |tcp, number| {
        let number = number.min(1);
        let connection = ServerConnection::new(Arc::clone(&configs[number])).expect("a valid configuration");
        play(&mut StreamOwned::new(connection, tcp), &scripts[number]);
    });
    let lab = tls_peer::lab(&authority, &peer);
    Verdict::of(&lab.fetch_in_turn([tls_peer::url(&peer, "/first"), tls_peer::url(&peer, "/next")])[1])
}
