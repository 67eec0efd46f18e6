//! hyper driven by hand: a task per connection that polls both its requests and hyper's connection, without a pool; plain, over
//! TLS, or HTTP/2 with as many requests at once on each connection as asked for.

use std::cell::Cell;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use asked::Asked;
use futures_util::future::{self, Either};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::rt::{Executor, Read, Write};
use hyper::{Request, Response, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsConnector;

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Run {
    asked: Asked,
    uri: Uri,
    path: Uri,
    host: header::HeaderValue,
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    done: Cell<usize>,
}

fn main() -> Outcome<()> {
    let asked = Asked::from_arguments()?;
    let uri: Uri = asked.url().parse()?;
    let authority = uri.authority().ok_or("an authority")?.as_str();
    let run = Rc::new(Run {
        path: uri.path().parse()?,
        host: authority.parse()?,
        address: authority.parse()?,
        tls: if uri.scheme_str() == Some("https") { Some(asked::tls()?) } else { None },
        done: Cell::new(0),
        uri,
        asked,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, all(&run))?;
    println!("{}", run.done.get());
    Ok(())
}

async fn all(run: &Rc<Run>) -> Outcome<()> {
    let lanes = (0..run.asked.connections).map(|_| {
        let run = Rc::clone(run);
        spawn_local(async move {
            match run.asked.streams {
                Some(streams) => multiplexed(&run, streams).await,
                None => one_by_one(&run).await,
            }
            .map_err(|error| error.to_string())
        })
    });
    for lane in future::try_join_all(lanes).await? {
        lane?;
    }
    Ok(())
}

/// One request after another over a connection, over a new one where the server closes.
async fn one_by_one(run: &Run) -> Outcome<()> {
    let mut next = run.asked.next();
    while next.is_some() {
        let stream = connect(run).await?;
        next = match &run.tls {
            None => over(run, TokioIo::new(stream), next).await?,
            Some(config) => {
                let name = ServerName::IpAddress(run.address.ip().into());
                let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
                over(run, TokioIo::new(stream), next).await?
            }
        };
    }
    Ok(())
}

async fn connect(run: &Run) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(run.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Uses the connection until there is nothing to do or it closes; what is to be done next.
async fn over<'a>(run: &'a Run, io: impl Read + Write + Unpin, mut next: Option<&'a str>) -> Outcome<Option<&'a str>> {
    let (mut sender, connection) = http1::handshake(io).await?;
    let requests = async {
        while next.is_some() {
            let mut request = Request::new(Empty::<Bytes>::new());
            *request.uri_mut() = run.path.clone();
            request.headers_mut().insert(header::HOST, run.host.clone());
            let response = sender.send_request(request).await?;
            let closes = response.headers().get(header::CONNECTION).is_some_and(|value| value == "close");
            read(run, response).await?;
            next = run.asked.next();
            if closes {
                break;
            }
        }
        Ok::<_, hyper::Error>(next)
    };
    match future::select(pin!(requests), connection).await {
        Either::Left((next, _)) => Ok(next?),
        // The connection is over, perhaps with the last response still to be read.
        Either::Right((ended, requests)) => {
            ended?;
            Ok(requests.await?)
        }
    }
}

async fn read(run: &Run, response: Response<Incoming>) -> hyper::Result<()> {
    let good = response.status() == 200;
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    run.done.set(run.done.get() + usize::from(good));
    Ok(())
}

#[derive(Clone)]
struct Local;

impl<F: Future + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}

async fn multiplexed(run: &Rc<Run>, streams: usize) -> Outcome<()> {
    let stream = connect(run).await?;
    let (sender, connection) = http2::handshake(Local, TokioIo::new(stream)).await?;
    let connection = spawn_local(connection);
    let lanes = (0..streams).map(|_| {
        let (run, mut sender) = (Rc::clone(run), sender.clone());
        spawn_local(async move {
            while run.asked.next().is_some() {
                let mut request = Request::new(Empty::<Bytes>::new());
                *request.uri_mut() = run.uri.clone();
                let response = sender.send_request(request).await?;
                read(&run, response).await?;
            }
            Ok::<_, hyper::Error>(())
        })
    });
    for lane in future::try_join_all(lanes).await? {
        lane?;
    }
    connection.abort();
    Ok(())
}
