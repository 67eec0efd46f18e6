//! SNI rewritten, for TLS with hosts whose names rustls has no word for: `my-site-.blogs.test`, which browsers look up and connect to.
//!
//! rustls takes for a server's name only what its `DnsName` takes, and that has no label which begins or ends with a hyphen.
//! Neither its configuration nor its connection has another way to say a name. So rustls is given the name in another spelling,
//! of the same length: capital letters, which no normal host has, stand for what it does not take. Two things then see to it that
//! the peer gets the name as it is, and that both sides hash the same handshake:
//!
//! - [`SniRewriteStream`] puts the name into the ClientHello on its way out;
//! - the cipher suites' hash functions do so before they hash a ClientHello.
//!
//! The spelling says by itself what it stands for, so neither needs to know which connection it works for. Certificates are
//! checked by the same verifier as ever, and their names here, for the host as it is. Sessions are not resumed: rustls would take
//! names that differ only in the case of their letters for one. Known to fail: a client certificate over TLS 1.2, whose signature is
//! over the handshake as rustls wrote it.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::hash::{Context as HashContext, Hash, HashAlgorithm, Output};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme, SupportedCipherSuite, Tls12CipherSuite,
    Tls13CipherSuite,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::alt_names;

/// What may stand in a URL's host and not in a `DnsName`. The letter for each is as far from A as it is from the beginning. The
/// first, the hyphen, is odd only at the ends of a label; the last, the dot, only where a label should begin: no name server knows
/// such a host, but it may have been given an address.
const ODD: &[u8; 18] = b"-!\"$&'()*+,;=`{}~.";

const DOT: usize = ODD.len() - 1;

/// Whether rustls takes `host` only in another spelling.
pub(super) fn is_odd(host: &str) -> bool {
    host.split('.').any(|label| {
        label.is_empty()
            || label.starts_with('-')
            || label.ends_with('-')
            || label.bytes().any(|byte| ODD[1..].contains(&byte))
    })
}

/// `host`, without a final dot, in the spelling that rustls takes.
pub(super) fn respell(host: &str) -> String {
    let bytes = host.as_bytes();
    let is_end = |at: usize| at == 0 || bytes[at - 1] == b'.' || bytes.get(at + 1).is_none_or(|next| *next == b'.');
    let letter = |at: usize, byte: u8| match ODD.iter().position(|odd| *odd == byte) {
        Some(0) if !is_end(at) => byte,
        Some(DOT) if at > 0 && bytes[at - 1] != b'.' => byte,
        Some(number) => b'A' + number as u8,
        None => byte,
    };
    bytes.iter().enumerate().map(|(at, byte)| char::from(letter(at, *byte))).collect()
}

/// What [`respell`] made of a name, made good where it stands.
fn spell_out(name: &mut [u8]) {
    for byte in name.iter_mut().filter(|byte| byte.is_ascii_uppercase()) {
        *byte = ODD.get(usize::from(*byte - b'A')).copied().unwrap_or(*byte);
    }
}

/// The number of a ClientHello among the messages of a handshake (RFC 8446 §4).
const CLIENT_HELLO: u8 = 1;

/// Spells out the names in the ClientHellos among whole messages of a handshake.
fn spell_out_messages(mut messages: &mut [u8]) {
    while let Some((head, rest)) = messages.split_at_mut_checked(4) {
        let length = usize::from(head[1]) << 16 | usize::from(head[2]) << 8 | usize::from(head[3]);
        let Some((body, rest)) = rest.split_at_mut_checked(length) else { return };
        if head[0] == CLIENT_HELLO
            && let Some(name) = name_in(body)
        {
            spell_out(&mut body[name]);
        }
        messages = rest;
    }
}

/// Where the server's name stands in the body of a ClientHello (RFC 8446 §4.1.2, RFC 6066 §3).
fn name_in(hello: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut at = 2 + 32;
    let number = |at: usize, bytes: usize| {
        let digits = hello.get(at..at + bytes)?;
        Some(digits.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    // The session's id, the cipher suites, the compression methods: each with its length before it.
    for bytes in [1, 2, 1] {
        at += bytes + number(at, bytes)?;
    }
    at += 2;
    loop {
        let (kind, length) = (number(at, 2)?, number(at + 2, 2)?);
        if kind == 0 {
            let length = number(at + 7, 2)?;
            let name = at + 9..at + 9 + length;
            return (name.end <= hello.len()).then_some(name);
        }
        at += 4 + length;
    }
}

/// A stream to a host whose name rustls was given in another spelling.
#[derive(Debug)]
pub(super) struct SniRewriteStream<S> {
    stream: S,
    /// A ClientHello on its way out, and how much of it is out.
    hello: Vec<u8>,
    sent: usize,
    /// No ClientHello comes any more.
    greeted: bool,
}

impl<S> SniRewriteStream<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, hello: Vec::new(), sent: 0, greeted: false }
    }
}

impl<S: AsyncWrite + Unpin> SniRewriteStream<S> {
    /// Ready when no byte of a ClientHello is left here.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.hello.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.hello[self.sent..]))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
        self.hello = Vec::new();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

/// What a record is that rustls writes whole, in one piece, as it does until the handshake is done.
fn is_hello(record: &[u8]) -> bool {
    matches!(record, [HANDSHAKE, _, _, _, _, CLIENT_HELLO, ..])
}

/// The types of records (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
const CHANGE_CIPHER_SPEC: u8 = 20;
/// A record's type, version and length.
const RECORD_HEAD: usize = 5;

impl<S: AsyncRead + Unpin> AsyncRead for SniRewriteStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SniRewriteStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_sent(cx))?;
        if this.greeted || !is_hello(buf) {
            // Between two ClientHellos, the second of which the server has asked for, rustls may change ciphers.
            this.greeted |= buf.first() != Some(&CHANGE_CIPHER_SPEC);
            return Pin::new(&mut this.stream).poll_write(cx, buf);
        }
        this.hello = buf.to_vec();
        spell_out_messages(&mut this.hello[RECORD_HEAD..]);
        match this.poll_sent(cx) {
            // What is left is sent with the next write or flush.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(buf.len())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// `provider` with hash functions that spell names out. Its cipher suites have to live for ever, so they are made once, of those
/// that the process came upon first; there is but one provider in it.
pub(super) fn provider(provider: CryptoProvider) -> CryptoProvider {
    static SUITES: LazyLock<Vec<SupportedCipherSuite>> = LazyLock::new(|| {
        let suites = rustls::crypto::aws_lc_rs::DEFAULT_CIPHER_SUITES.iter();
        suites.map(|suite| respelling(*suite)).collect()
    });
    CryptoProvider { cipher_suites: SUITES.clone(), ..provider }
}

fn respelling(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let common = |common: &CipherSuiteCommon| CipherSuiteCommon {
        hash_provider: Box::leak(Box::new(SniRewritingHash(common.hash_provider))),
        ..*common
    };
    match suite {
        SupportedCipherSuite::Tls12(suite) => SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
            common: common(&suite.common),
            ..*suite
        }))),
        SupportedCipherSuite::Tls13(suite) => SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
            common: common(&suite.common),
            ..*suite
        }))),
    }
}

/// A hash function over a handshake as the peer sees it.
struct SniRewritingHash(&'static dyn Hash);

impl Hash for SniRewritingHash {
    fn start(&self) -> Box<dyn HashContext> {
        Box::new(SniRewritingHashContext(self.0.start()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        self.0.hash(data)
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.0.algorithm()
    }
}

struct SniRewritingHashContext(Box<dyn HashContext>);

impl HashContext for SniRewritingHashContext {
    fn fork_finish(&self) -> Output {
        self.0.fork_finish()
    }

    fn fork(&self) -> Box<dyn HashContext> {
        Box::new(Self(self.0.fork()))
    }

    fn finish(self: Box<Self>) -> Output {
        self.0.finish()
    }

    /// rustls hands on whole messages, one or several.
    fn update(&mut self, data: &[u8]) {
        let mut spelled = data.to_vec();
        spell_out_messages(&mut spelled);
        self.0.update(&spelled);
    }
}

/// Checks certificates as another verifier does, and their names for the host as it is.
#[derive(Debug)]
pub(super) struct HostNameVerifier {
    pub(super) verifier: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for HostNameVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        // The verifier looks at all else first, and then for the name in its other spelling, of which nothing follows.
        match self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            Ok(_) | Err(Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {}
            Err(error) => return Err(error),
        }
        let mut host = server_name.to_str().into_owned().into_bytes();
        spell_out(&mut host);
        let is_named = std::str::from_utf8(&host).is_ok_and(|host| alt_names::names(end_entity, host));
        if is_named { Ok(ServerCertVerified::assertion()) } else { Err(Error::InvalidCertificate(NotValidForName)) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    const HOST: &str = "-my-site-.blogs.test";

    #[test]
    fn a_name_is_odd_by_the_ends_of_its_labels_and_by_its_letters() {
        for host in [
            HOST,
            "-a.test",
            "a-.test",
            "a.-b.test",
            "a.test-",
            "-",
            "a!b.test",
            "a~.test",
            "a--.test",
            "xn--a-.test",
            "a..test",
            ".a.test",
            "a...test",
            "a..-b.test",
        ] {
            assert!(is_odd(host), "{host}");
            assert!(ServerName::try_from(host).is_err(), "{host}: rustls has learnt to take it");
            let respelled = respell(host);
            assert!(ServerName::try_from(respelled.clone()).is_ok(), "{respelled}");
            assert_eq!(respelled.len(), host.len());
            let mut bytes = respelled.into_bytes();
            spell_out(&mut bytes);
            assert_eq!(bytes, host.as_bytes());
        }
        for host in [
            "a.test",
            "a-b.test",
            "a--b.test",
            "_dmarc.test",
            "a_b_.test",
            "xn--bcher-kva.test",
            "1.test",
            "127.0.0.1",
            "::1",
        ] {
            assert!(!is_odd(host), "{host}");
            assert!(ServerName::try_from(host).is_ok() && respell(host) == host, "{host}");
        }
        let every: String = ODD.iter().map(|byte| char::from(*byte)).chain("a.test".chars()).collect();
        assert_eq!(respell(&every), "ABCDEFGHIJKLMNOPQ.a.test");
        assert_eq!(respell(".a..test"), "Ra.Rtest");
    }

    /// What rustls sends first to `host`.
    fn hello(host: &str) -> Vec<u8> {
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("both");
        let config = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let name = ServerName::try_from(respell(host)).expect("respelled");
        let mut bytes = Vec::new();
        let mut connection = ClientConnection::new(Arc::new(config), name).expect("valid");
        connection.write_tls(&mut bytes).expect("in memory");
        bytes
    }

    fn count(bytes: &[u8], text: &str) -> usize {
        bytes.windows(text.len()).filter(|part| *part == text.as_bytes()).count()
    }

    /// Takes a few bytes at a time, and nothing every other time.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        ready: bool,
    }

    impl AsyncWrite for Slow {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.ready = !self.ready;
            if !self.ready {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let some = &buf[..buf.len().min(7)];
            self.taken.extend_from_slice(some);
            Poll::Ready(Ok(some.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn the_peer_gets_the_name_as_it_is_and_all_else_as_rustls_wrote_it() {
        use tokio::io::AsyncWriteExt;
        let hello = hello(HOST);
        let respelled = respell(HOST);
        assert_eq!((count(&hello, &respelled), count(&hello, HOST)), (1, 0));
        let change = [CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1];
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("builds");
        let taken = runtime.block_on(async {
            let mut stream = SniRewriteStream::new(Slow::default());
            stream.write_all(&hello).await.expect("in memory");
            stream.write_all(&change).await.expect("in memory");
            stream.write_all(&hello).await.expect("in memory");
            stream.write_all(&[23, 3, 3, 0, 1, 0]).await.expect("in memory");
            stream.write_all(&hello).await.expect("in memory");
            stream.flush().await.expect("in memory");
            stream.stream.taken
        });
        assert_eq!((count(&taken, HOST), count(&taken, &respelled)), (2, 1), "the last is data");
        let first = &taken[..hello.len()];
        let differing = first.iter().zip(&hello).filter(|(sent, written)| sent != written).count();
        assert_eq!((first.len(), differing), (hello.len(), 2), "two hyphens");
        assert_eq!(taken.len(), 3 * hello.len() + change.len() + 6);
    }

    #[test]
    fn what_is_hashed_is_what_is_sent() {
        let hello = hello(HOST);
        let mut sent = hello.clone();
        spell_out_messages(&mut sent[RECORD_HEAD..]);
        assert_ne!(sent, hello);
        let other = [2, 0, 0, 3, b'A', b'B', b'C'];
        for suite in provider(rustls::crypto::aws_lc_rs::default_provider()).cipher_suites {
            let (spelling, common) = match suite {
                SupportedCipherSuite::Tls12(suite) => (suite.common.hash_provider, &suite.common),
                SupportedCipherSuite::Tls13(suite) => (suite.common.hash_provider, &suite.common),
            };
            assert_eq!(common.hash_provider.output_len(), spelling.output_len());
            let hashed = |parts: &[&[u8]]| {
                let mut context = spelling.start();
                parts.iter().for_each(|part| context.update(part));
                context.fork().finish().as_ref().to_vec()
            };
            let expected = spelling.hash(&[&sent[RECORD_HEAD..], &other].concat());
            assert_eq!(hashed(&[&hello[RECORD_HEAD..], &other]), expected.as_ref());
            assert_eq!(hashed(&[&[&hello[RECORD_HEAD..], &other].concat()]), expected.as_ref());
        }
    }

    #[test]
    fn bytes_that_are_no_hello_are_left_alone() {
        let hello = hello(HOST);
        for end in 0..hello.len() {
            let mut cut = hello[..end].to_vec();
            spell_out_messages(cut.get_mut(RECORD_HEAD..).unwrap_or_default());
            assert_eq!(cut, hello[..end], "not whole");
        }
        for at in 0..hello.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut other = hello.clone();
                other[at] = byte;
                spell_out_messages(&mut other[RECORD_HEAD..]);
            }
        }
    }
}
