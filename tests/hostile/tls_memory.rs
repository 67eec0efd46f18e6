//! A TLS server in memory: a real handshake, and then one response whose records come as a case wants them.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use http::Method;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use super::memory::{Said, exchange_over};
use super::tls_peer::{self, NAME};
use haul_testsupport::certs::Authority;

/// What the server sends once it has been asked.
#[derive(Clone, Debug)]
pub(crate) struct Sealed<'a> {
    /// The response, a record for each piece.
    pub(crate) records: Vec<&'a [u8]>,
    /// Whether a close_notify follows.
    pub(crate) bye: bool,
    /// Whether the connection ends then.
    pub(crate) ends: bool,
    /// How the records come.
    pub(crate) delivered: Delivered,
}

/// How the bytes of records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    AtOnce,
    /// One a read; those of the handshake, too.
    Bytewise,
    /// In two pieces.
    SplitAt(usize),
    /// So many, and then the connection ends.
    CutAt(usize),
}

/// A server's identity and who trusts it: one for many exchanges.
#[derive(Clone)]
pub(crate) struct Pair {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Pair {
    pub(crate) fn new(version: &'static SupportedProtocolVersion) -> Self {
        let authority = Authority::new();
        let server = Arc::new(tls_peer::config(&authority.issue(&[NAME], |_| {}), &[version], &["http/1.1"]));
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority.file()).expect("PEM")).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let client = builder.expect("suites for them").with_root_certificates(roots).with_no_client_auth();
        Self { server, client: Arc::new(client) }
    }

    /// Shakes hands, sends a request and receives what the server makes of it. Also says how many bytes its records have.
    pub(crate) async fn exchange(&self, method: &Method, sealed: &Sealed<'_>) -> (Said, usize) {
        let sent = Arc::new(AtomicUsize::new(0));
        let server = Server {
            connection: ServerConnection::new(Arc::clone(&self.server)).expect("a valid configuration"),
            answer: Some(Answer::of(sealed, Arc::clone(&sent))),
            bytewise: sealed.delivered == Delivered::Bytewise,
            request: Vec::new(),
            pieces: VecDeque::new(),
            ended: false,
            waited: false,
            reader: None,
        };
        let name = ServerName::try_from(NAME).expect("a valid name");
        let io = TlsConnector::from(Arc::clone(&self.client)).connect(name, server).await.expect("a whole handshake");
        let most = if sealed.delivered == Delivered::Bytewise { MOST_PIECES } else { 2 * sealed.records.len() + 8 };
        let said = exchange_over(io, method, most).await;
        (said, sent.load(Ordering::SeqCst))
    }
}

/// More than twice the bytes of any response here over TLS.
const MOST_PIECES: usize = 4096;

/// The response to be.
struct Answer {
    records: Vec<Vec<u8>>,
    bye: bool,
    ends: bool,
    delivered: Delivered,
    /// Told how many bytes were made of it.
    sent: Arc<AtomicUsize>,
}

impl Answer {
    fn of(sealed: &Sealed<'_>, sent: Arc<AtomicUsize>) -> Self {
        let records = sealed.records.iter().filter(|record| !record.is_empty()).map(|record| record.to_vec()).collect();
        Self { records, bye: sealed.bye, ends: sealed.ends, delivered: sealed.delivered, sent }
    }
}

/// The server's end of the connection, which is the client's transport: what is written to it is heard at once.
struct Server {
    connection: ServerConnection,
    answer: Option<Answer>,
    bytewise: bool,
    request: Vec<u8>,
    pieces: VecDeque<Vec<u8>>,
    ended: bool,
    /// Whether the next piece has been waited for.
    waited: bool,
    reader: Option<Waker>,
}

impl Server {
    fn hear(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.connection.read_tls(&mut bytes)?;
            let state = self.connection.process_new_packets().map_err(io::Error::other)?;
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            self.connection.reader().read_exact(&mut plain)?;
            self.request.extend(plain);
        }
        let said = self.sealed()?;
        self.send(&said);
        if self.request.ends_with(b"\r\n\r\n")
            && let Some(answer) = self.answer.take()
        {
            self.answer(&answer)?;
        }
        Ok(())
    }

    fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        for record in &answer.records {
            self.connection.writer().write_all(record)?;
        }
        if answer.bye {
            self.connection.send_close_notify();
        }
        let bytes = self.sealed()?;
        answer.sent.store(bytes.len(), Ordering::SeqCst);
        match answer.delivered {
            Delivered::AtOnce | Delivered::Bytewise => self.send(&bytes),
            Delivered::SplitAt(at) => {
                self.send(&bytes[..at]);
                self.send(&bytes[at..]);
            }
            Delivered::CutAt(at) => self.send(&bytes[..at]),
        }
        self.ended = answer.ends || matches!(answer.delivered, Delivered::CutAt(_));
        Ok(())
    }

    /// What TLS wants sent.
    fn sealed(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes)?;
        }
        Ok(bytes)
    }

    fn send(&mut self, bytes: &[u8]) {
        let size = if self.bytewise { 1 } else { bytes.len().max(1) };
        self.pieces.extend(bytes.chunks(size).map(<[u8]>::to_vec));
    }
}

impl AsyncRead for Server {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.pieces.is_empty() {
            self.reader = Some(cx.waker().clone());
            return if self.ended { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        if !std::mem::replace(&mut self.waited, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.waited = false;
        let mut piece = self.pieces.pop_front().expect("there is one");
        let rest = piece.split_off(piece.len().min(buf.remaining()));
        buf.put_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // After the end nobody listens.
        if !self.ended {
            self.hear(bytes)?;
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
