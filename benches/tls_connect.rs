//! What hyper-rustls costs beside haul's own dialer: to connect and shake hands, and per request afterwards.
//!
//! Client and server are threads of this process, each with a current-thread runtime. `connect` opens a connection,
//! reads five bytes (the session tickets come with them) and closes it. `request` sends one GET over a connection
//! kept open and driven by hyper, and reads its 1 KiB response.
//!
//! Measured is the processor time of the client's thread, its system calls included: what haul pays, whatever the
//! server or the rest of the machine does meanwhile.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};
use haul::config::Config;
use haul::model::{Egress, Failure, FailureKind, Phase, Resolve, Resolved, Scheme, Time};
use haul_net::dial::{Dialer, Io, Target, Tls};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::rt::{Read, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use nix::time::{ClockId, clock_gettime};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

/// Processor time of the thread.
struct ThreadTime;

impl ThreadTime {
    fn now() -> Duration {
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock every Linux has").into()
    }
}

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::now().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// What the server does with a connection.
#[derive(Clone, Copy)]
enum Serve {
    /// Says `hello` and waits for the end.
    Hello,
    /// Answers every request with 1 KiB.
    Requests,
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A certificate for 127.0.0.1 and its key.
fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    (cert.der().clone(), PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key"))
}

/// Starts a server on a thread of its own; with a certificate it speaks TLS. It ends with the process.
fn start(tls: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>, serve: Serve) -> SocketAddr {
    let acceptor = tls.map(|(certificate, key)| {
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("suites")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a pair");
        TlsAcceptor::from(Arc::new(config))
    });
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        LocalSet::new().block_on(&runtime(), async move {
            let listener = TcpListener::from_std(listener).expect("a runtime");
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("open");
                let acceptor = acceptor.clone();
                tokio::task::spawn_local(async move {
                    match acceptor {
                        None => answer(stream, serve).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                answer(stream, serve).await;
                            }
                        }
                    }
                });
            }
        });
    });
    address
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, serve: Serve) {
    let mut buffer = [0; 4096];
    if let Serve::Hello = serve {
        let _ = stream.write_all(b"hello").await;
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        return;
    }
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n{}", "x".repeat(1024));
    // A request is one small write, so one read brings all of it.
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Names are not used here.
struct NoNames;

impl Resolve for NoNames {
    fn resolve<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Result<Resolved, Failure>> + 'a>> {
        Box::pin(async { Err(Failure::new(Phase::Dns, FailureKind::NameNotFound, "")) })
    }
}

/// haul's dialer, trusting the certificate in `file`.
fn dialer(file: &tempfile::NamedTempFile, session_hosts: usize) -> Dialer {
    let mut config = Config::default();
    config.tls.ca_files = vec![file.path().into()];
    config.tls.session_hosts = session_hosts;
    let tls = Tls::new(&config.tls, true).expect("a good file");
    #[expect(clippy::disallowed_methods, reason = "the bench's own clock")]
    let start = std::time::Instant::now();
    Dialer::new(&config, Arc::new(tls), Rc::new(NoNames), move || Time::ZERO + start.elapsed())
}

async fn dial(dialer: &Dialer, scheme: Scheme, to: SocketAddr) -> Io {
    let target = Target { scheme, host: "127.0.0.1", port: to.port() };
    dialer.dial(&target, Egress::default(), Duration::from_secs(10)).await.expect("a listening server").io
}

/// hyper-rustls with the same trust, provider and protocols.
fn connector(certificate: &CertificateDer<'static>, session_hosts: usize) -> HttpsConnector<HttpConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8 * session_hosts);
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(Duration::from_secs(10)));
    HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().wrap_connector(http)
}

type HyperStream = MaybeHttpsStream<TokioIo<TcpStream>>;

async fn call(connector: &mut HttpsConnector<HttpConnector>, scheme: &str, to: SocketAddr) -> HyperStream {
    let uri = format!("{scheme}://{to}/").parse().expect("a URL");
    connector.call(uri).await.expect("a listening server")
}

fn connect(criterion: &mut Criterion<ThreadTime>) {
    let (certificate, key) = certificate();
    let file = pem_file(&certificate);
    let server = start(Some((certificate.clone(), key)), Serve::Hello);
    let runtime = runtime();
    let mut group = criterion.benchmark_group("connect");
    for (sessions, label) in [(0, "full"), (1, "resumed")] {
        let dialer = dialer(&file, sessions);
        group.bench_function(format!("haul/{label}"), |bench| {
            bench.iter(|| {
                runtime.block_on(async {
                    let mut stream = dial(&dialer, Scheme::Https, server).await;
                    stream.read_exact(&mut [0; 5]).await.expect("a greeting");
                });
            });
        });
        let mut connector = connector(&certificate, sessions);
        group.bench_function(format!("hyper-rustls/{label}"), |bench| {
            bench.iter(|| {
                runtime.block_on(async {
                    let mut stream = TokioIo::new(call(&mut connector, "https", server).await);
                    stream.read_exact(&mut [0; 5]).await.expect("a greeting");
                });
            });
        });
    }
    group.finish();
}

/// One GET over a connection kept open.
async fn get(sender: &mut SendRequest<Empty<Bytes>>) -> usize {
    let request = hyper::Request::get("/").header("host", "127.0.0.1").body(Empty::new()).expect("a request");
    let response = sender.send_request(request).await.expect("a response");
    response.into_body().collect().await.expect("a body").to_bytes().len()
}

/// hyper over this stream, its connection driven by a local task.
async fn opened(stream: impl Read + Write + Unpin + 'static) -> SendRequest<Empty<Bytes>> {
    let (sender, connection) = handshake(stream).await.expect("a handshake without input or output");
    tokio::task::spawn_local(connection);
    sender
}

fn request(criterion: &mut Criterion<ThreadTime>) {
    let (certificate, key) = certificate();
    let file = pem_file(&certificate);
    let tls = start(Some((certificate.clone(), key)), Serve::Requests);
    let plain = start(None, Serve::Requests);
    let (runtime, local) = (runtime(), LocalSet::new());
    let mut group = criterion.benchmark_group("request");
    for (scheme, server, label) in [(Scheme::Http, plain, "http"), (Scheme::Https, tls, "https")] {
        let dialer = dialer(&file, 1);
        let mut sender =
            local.block_on(&runtime, async { opened(TokioIo::new(dial(&dialer, scheme, server).await)).await });
        group.bench_function(format!("haul/{label}"), |bench| {
            bench.iter(|| black_box(local.block_on(&runtime, get(&mut sender))));
        });
        let mut connector = connector(&certificate, 1);
        let mut sender = local.block_on(&runtime, async { opened(call(&mut connector, label, server).await).await });
        group.bench_function(format!("hyper-rustls/{label}"), |bench| {
            bench.iter(|| black_box(local.block_on(&runtime, get(&mut sender))));
        });
    }
    group.finish();
}

/// The certificate as the PEM file that `--cacert` names.
fn pem_file(certificate: &CertificateDer<'_>) -> tempfile::NamedTempFile {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    std::fs::write(file.path(), pem).expect("our file");
    file
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ThreadTime);
    targets = connect, request
}
criterion_main!(benches);
