//! A network in this process: every address is a peer of its own, and every one has a fault of its own.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use haul::engine::{ByteStream, Connect, Connecting, Destination};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::peer::{self, Protocol, Visits};

/// What happens at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing ever.
    None,
    /// The step fails with a reset, and the stream is dead.
    Error,
    /// This and every later step moves one byte.
    Short,
    /// The step never ends, nor does any later one of the stream.
    Stall,
    /// Reading finds the end; writing finds nobody.
    Eof,
    /// The step goes well, and the one who waits for the response is told to leave.
    Cancel,
}

/// Steps between which a stream is looked at: a buffer of this size stands between haul and its peer.
const BUFFER: usize = 16 << 10;

/// What one address has to go through.
pub(crate) struct Site {
    fault: Fault,
    /// The step it happens at, from 1; connects, reads, writes, flushes and shutdowns of all the address's streams count.
    at: usize,
    steps: AtomicUsize,
    /// Streams and connects that have not been dropped.
    alive: AtomicUsize,
    /// Told at the step of a `Cancel`.
    pub(crate) leave: tokio::sync::Notify,
    pub(crate) visits: Visits,
}

impl Site {
    pub(crate) fn new(fault: Fault, at: usize) -> Self {
        Self {
            fault,
            at,
            steps: AtomicUsize::new(0),
            alive: AtomicUsize::new(0),
            leave: tokio::sync::Notify::new(),
            visits: Visits::default(),
        }
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps.load(Ordering::SeqCst)
    }

    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    /// Whether the step that is about to be taken is the faulty one, or a later one where that counts.
    fn is_due(&self) -> bool {
        let next = self.steps() + 1;
        next == self.at || (self.fault == Fault::Short && next > self.at)
    }

    /// A step has been taken.
    fn step(&self) {
        let taken = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        if taken == self.at && self.fault == Fault::Cancel {
            self.leave.notify_one();
        }
    }
}

/// Counts as alive until it is dropped.
struct Alive(Arc<Site>);

impl Alive {
    fn new(site: &Arc<Site>) -> Self {
        site.alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(site))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The network.
pub(crate) struct Net {
    protocol: Protocol,
    pub(crate) sites: HashMap<IpAddr, Arc<Site>>,
    tls: Option<tokio_rustls::TlsAcceptor>,
    /// Addresses asked for that are nobody's.
    pub(crate) strays: Mutex<Vec<SocketAddr>>,
}

impl Net {
    pub(crate) fn new(
        protocol: Protocol,
        tls: Option<Arc<rustls::ServerConfig>>,
        sites: HashMap<IpAddr, Arc<Site>>,
    ) -> Self {
        Self { protocol, sites, tls: tls.map(Into::into), strays: Mutex::default() }
    }
}

impl Connect for Net {
    fn connect(&self, to: &Destination<'_>) -> Connecting {
        let address = to.endpoint.address().expect("names are looked up here");
        let Some(site) = self.sites.get(&address.ip()) else {
            self.strays.lock().expect("lock").push(address);
            return Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) });
        };
        let (site, alive, tls, protocol) = (Arc::clone(site), Alive::new(site), self.tls.clone(), self.protocol);
        Box::pin(async move {
            if site.is_due() {
                match site.fault {
                    Fault::Error | Fault::Eof => {
                        site.step();
                        return Err(io::ErrorKind::ConnectionRefused.into());
                    }
                    Fault::Stall => {
                        site.step();
                        std::future::pending::<()>().await;
                    }
                    Fault::None | Fault::Short | Fault::Cancel => {}
                }
            }
            site.step();
            let (ours, theirs) = tokio::io::duplex(BUFFER);
            let nth = site.visits.connected();
            tokio::task::spawn_local(peer::serve(theirs, tls, protocol, Arc::clone(&site), nth));
            Ok(Box::new(Faulty { inner: ours, site, dead: None, _alive: alive }) as Box<dyn ByteStream>)
        })
    }
}

/// A stream whose steps are counted, one of which goes wrong.
struct Faulty {
    inner: DuplexStream,
    site: Arc<Site>,
    dead: Option<Fault>,
    _alive: Alive,
}

impl Faulty {
    /// What becomes of a step instead of what should; `None` when it may be taken.
    fn fate(&mut self) -> Option<Fault> {
        if self.dead.is_none() && self.site.is_due() && !matches!(self.site.fault, Fault::None | Fault::Cancel) {
            if self.site.fault == Fault::Short {
                return Some(Fault::Short);
            }
            self.site.step();
            self.dead = Some(self.site.fault);
        }
        self.dead
    }

    /// A step that moves nothing itself: flush or shutdown.
    fn poll_plain(
        &mut self,
        cx: &mut Context<'_>,
        step: impl FnOnce(Pin<&mut DuplexStream>, &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        match self.fate() {
            Some(Fault::Error) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(Fault::Stall) => Poll::Pending,
            Some(Fault::Eof) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            _ => {
                let result = ready!(step(Pin::new(&mut self.inner), cx));
                self.site.step();
                Poll::Ready(result)
            }
        }
    }
}

impl AsyncRead for Faulty {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let fate = self.fate();
        let result = match fate {
            Some(Fault::Error) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(Fault::Stall) => return Poll::Pending,
            Some(Fault::Eof) => return Poll::Ready(Ok(())),
            Some(Fault::Short) => {
                let mut byte = [0; 1];
                let mut one = ReadBuf::new(&mut byte);
                let result = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut one));
                buf.put_slice(one.filled());
                result
            }
            _ => ready!(Pin::new(&mut self.inner).poll_read(cx, buf)),
        };
        self.site.step();
        Poll::Ready(result)
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let fate = self.fate();
        let bytes = match fate {
            Some(Fault::Error) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(Fault::Stall) => return Poll::Pending,
            Some(Fault::Eof) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Some(Fault::Short) => &bytes[..bytes.len().min(1)],
            _ => bytes,
        };
        let result = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes));
        self.site.step();
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_plain(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_plain(cx, AsyncWrite::poll_shutdown)
    }
}
