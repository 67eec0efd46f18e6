//! The origin's threads: each has a runtime of its own and serves whole connections. The first also accepts them and
//! deals them out.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use socket2::{Domain, Socket as RawSocket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::answer::{Peer, answer};
use super::server_state::TestServerState;
use super::socket::{ResetFlag, Socket};

/// Connections accepted and not yet taken by their thread. Beyond it accepting waits.
const DEALT: usize = 256;
/// A client that has not finished its TLS handshake by then is closed.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long accepting rests when there is no descriptor to be had.
const REST: Duration = Duration::from_millis(20);

/// The running threads. They end, with all connections, when this is dropped.
#[derive(Debug)]
pub(super) struct Threads {
    /// The threads end when this is gone.
    stop: Option<watch::Sender<()>>,
    handles: Vec<JoinHandle<()>>,
}

/// A listening socket.
pub(super) struct Listener {
    pub(super) listener: std::net::TcpListener,
    pub(super) tls: bool,
}

/// A connection on its way to its thread.
struct QueuedConnection {
    stream: std::net::TcpStream,
    tls: bool,
}

/// Listens on `address`.
///
/// # Errors
/// The address is taken or not this machine's.
pub(super) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A port used a minute ago can be used again; it can't be shared.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    // As long as the system allows: clients come by the hundred.
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

impl Threads {
    /// Starts `count` threads that serve what arrives on `listeners`.
    ///
    /// # Errors
    /// There is no descriptor or no thread to be had.
    pub(super) fn start(
        shared: &Arc<TestServerState>,
        tls: &Arc<ServerConfig>,
        listeners: Vec<Listener>,
        count: usize,
    ) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(());
        let mut threads = Self { stop: Some(stop), handles: Vec::with_capacity(count) };
        let mut others = Vec::with_capacity(count);
        for number in 1..count {
            let (deal, dealt) = mpsc::channel(DEALT);
            others.push(deal);
            let work = |worker| take_dealt(worker, dealt);
            threads.spawn(number, runtime()?, WorkerSeed::of(number, shared, tls), stopped.clone(), work)?;
        }
        let runtime = runtime()?;
        let listeners = register(&runtime, listeners)?;
        let work = |worker| accept_all(worker, listeners, others);
        threads.spawn(0, runtime, WorkerSeed::of(0, shared, tls), stopped, work)?;
        Ok(threads)
    }

    fn spawn<F: Future<Output = ()> + 'static>(
        &mut self,
        number: usize,
        runtime: Runtime,
        seed: WorkerSeed,
        mut stopped: watch::Receiver<()>,
        work: impl FnOnce(Rc<Worker>) -> F + Send + 'static,
    ) -> io::Result<()> {
        let run = move || {
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, async {
                spawn_local(work(Rc::new(Worker::new(seed))));
                // An error: the other end is gone, which is the sign.
                let _ = stopped.changed().await;
            });
        };
        self.handles.push(thread::Builder::new().name(format!("haul-origin-{number}")).spawn(run)?);
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop = None;
        for handle in self.handles.drain(..) {
            // It fails only when the thread has panicked, which it has told already.
            let _ = handle.join();
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}

fn register(runtime: &Runtime, listeners: Vec<Listener>) -> io::Result<Vec<(TcpListener, bool)>> {
    let _inside = runtime.enter();
    listeners.into_iter().map(|entry| Ok((TcpListener::from_std(entry.listener)?, entry.tls))).collect()
}

/// What a worker is made from, on its own thread.
struct WorkerSeed {
    shared: Arc<TestServerState>,
    tls: TlsAcceptor,
    dice: u64,
}

impl WorkerSeed {
    fn of(number: usize, shared: &Arc<TestServerState>, tls: &Arc<ServerConfig>) -> Self {
        Self { shared: Arc::clone(shared), tls: TlsAcceptor::from(Arc::clone(tls)), dice: number as u64 }
    }
}

/// A thread's part of the origin.
struct Worker {
    shared: Arc<TestServerState>,
    tls: TlsAcceptor,
    http: auto::Builder<LocalExecutor>,
    dice: Rc<RefCell<Rng>>,
}

/// Runs HTTP/2 streams on their connection's thread.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

impl Worker {
    fn new(seed: WorkerSeed) -> Self {
        let dice = Rc::new(RefCell::new(Rng::with_seed(seed.dice)));
        Self { shared: seed.shared, tls: seed.tls, http: auto::Builder::new(LocalExecutor), dice }
    }

    /// Serves a connection to its end.
    async fn serve(self: Rc<Self>, stream: TcpStream, tls: bool) {
        // It fails only when the connection is gone already.
        let _ = stream.set_nodelay(true);
        let open = OpenConnection::new(&self.shared);
        let reset = ResetFlag::default();
        let socket = Socket::new(stream, reset.clone());
        let peer = Rc::new(Peer {
            shared: Arc::clone(&self.shared),
            number: open.number,
            tls,
            reset,
            dice: Rc::clone(&self.dice),
            last: RefCell::default(),
        });
        if !tls {
            self.speak(socket, peer).await;
        } else if let Ok(Ok(stream)) = timeout(HANDSHAKE, self.tls.accept(socket)).await {
            self.speak(stream, peer).await;
        }
        drop(open);
    }

    /// HTTP/1.1 or HTTP/2, whichever the client begins with.
    async fn speak(&self, io: impl AsyncRead + AsyncWrite + Unpin + 'static, peer: Rc<Peer>) {
        let service = service_fn(move |request| answer(Rc::clone(&peer), request));
        // An error is the client's doing, or was asked for.
        let _ = self.http.serve_connection(TokioIo::new(io), service).await;
    }
}

/// A connection that counts as open.
struct OpenConnection {
    shared: Arc<TestServerState>,
    number: u64,
}

impl OpenConnection {
    fn new(shared: &Arc<TestServerState>) -> Self {
        let number = shared.counters.connections.fetch_add(1, Relaxed) + 1;
        shared.counters.open.rise();
        Self { shared: Arc::clone(shared), number }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.shared.counters.open.fall();
    }
}

async fn accept_all(
    worker: Rc<Worker>,
    listeners: Vec<(TcpListener, bool)>,
    others: Vec<mpsc::Sender<QueuedConnection>>,
) {
    for (listener, tls) in listeners {
        spawn_local(accept(Rc::clone(&worker), listener, tls, others.clone()));
    }
}

/// Accepts connections and deals them to the threads in turn.
async fn accept(worker: Rc<Worker>, listener: TcpListener, tls: bool, others: Vec<mpsc::Sender<QueuedConnection>>) {
    for turn in (0..=others.len()).cycle() {
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptor, or a client that left while it waited.
            sleep(REST).await;
            continue;
        };
        let Some(other) = others.get(turn.wrapping_sub(1)) else {
            spawn_local(Rc::clone(&worker).serve(stream, tls));
            continue;
        };
        if let Ok(stream) = stream.into_std() {
            // It fails only when the threads are ending.
            let _ = other.send(QueuedConnection { stream, tls }).await;
        }
    }
}

async fn take_dealt(worker: Rc<Worker>, mut dealt: mpsc::Receiver<QueuedConnection>) {
    while let Some(QueuedConnection { stream, tls }) = dealt.recv().await {
        if let Ok(stream) = TcpStream::from_std(stream) {
            spawn_local(Rc::clone(&worker).serve(stream, tls));
        }
    }
}
