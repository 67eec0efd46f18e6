//! The metrics server: a thread of its own with a small runtime. It ends, with its connections, when it is dropped.
//!
//! Whatever clients do costs no more than this thread: at most [`CONNECTIONS`] at once, one request each, all of it within
//! [`WHOLE`], heads of at most [`HEAD`] bytes. Further connections wait in the system's queue.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use super::response::{ScrapeResponse, answer};
use super::text::Format;

/// Connections served at once: a few scrapers, and somebody who looks.
const CONNECTIONS: usize = 16;
/// How long a connection may take from its beginning to the end of the answer.
const WHOLE: Duration = Duration::from_secs(5);
/// The longest head, and the most that is held of a connection's input.
const HEAD: usize = 16 << 10;
/// How long accepting rests when there is no descriptor to be had.
const REST: Duration = Duration::from_millis(100);

/// A running server.
#[derive(Debug)]
pub(super) struct MetricsServer {
    pub(super) address: SocketAddr,
    /// The thread ends when this is gone.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Makes the page; called for each request.
pub(super) type Page = Box<dyn Fn(Format) -> String + Send>;

impl MetricsServer {
    /// Listens on `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken, the address is not this machine's, or there is no descriptor or thread to be had.
    pub(super) fn start(address: SocketAddr, page: Page) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let site = PageService { page, local: address.ip().is_loopback() };
        let run = move || serve(&runtime, listener, site, stopped);
        let thread = thread::Builder::new().name("haul-metrics".to_owned()).spawn(run)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.stop = None;
        // It fails only when the thread has panicked, which it has told already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What is served.
struct PageService {
    page: Page,
    local: bool,
}

fn serve(runtime: &Runtime, listener: TcpListener, site: PageService, stopped: oneshot::Receiver<()>) {
    LocalSet::new().block_on(runtime, async {
        tokio::select! {
            // An error: the other end is gone, which is the sign.
            _ = stopped => {}
            () = accept_all(listener, Rc::new(site)) => {}
        }
    });
}

async fn accept_all(listener: TcpListener, site: Rc<PageService>) {
    let mut connections = JoinSet::new();
    loop {
        if connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        // Those that have ended make room.
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn_local(timeout(WHOLE, connection(stream, Rc::clone(&site))));
            }
            Err(_) => sleep(REST).await,
        }
    }
}

/// One request and its answer. A client that breaks off, or speaks no HTTP, is its own affair.
fn connection(stream: TcpStream, site: Rc<PageService>) -> impl Future<Output = ()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = site.respond(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let served =
        http1::Builder::new().keep_alive(false).max_buf_size(HEAD).serve_connection(TokioIo::new(stream), service);
    async move { drop(served.await) }
}

impl PageService {
    fn respond(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        match answer(request.method(), request.uri().path(), request.headers(), self.local) {
            ScrapeResponse::Page(format) => {
                let mut response = Response::new(Full::from((self.page)(format)));
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media()));
                response
            }
            ScrapeResponse::Refusal(status, why) => {
                let mut response = Response::new(Full::from(why));
                *response.status_mut() = status;
                response
            }
        }
    }
}
