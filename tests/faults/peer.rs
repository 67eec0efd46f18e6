//! The peer at the other end of every stream: a small server that answers well, whatever the stream does to it.
//!
//! The path says how: see [`answer`] for HTTP/1.1 and [`answer_h2`] for HTTP/2.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{Request, Response};
use tokio::io::{self, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream};
use tokio_rustls::TlsAcceptor;

use crate::net::Site;

/// What the peers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// What an address has been asked.
#[derive(Default)]
pub(crate) struct Visits {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Visits {
    /// One more connection; its number, from 1.
    pub(crate) fn connected(&self) -> usize {
        self.connections.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// One more whole request; its number, from 1.
    fn asked(&self) -> usize {
        self.requests.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// The body that a path stands for.
pub(crate) fn body(path: &str) -> Vec<u8> {
    let (what, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    match what {
        "empty" | "head" => Vec::new(),
        "redirect" | "hop" => body("/len/300"),
        "again" | "push-back" | "refused" | "goaway" | "early" | "hangup" | "close" | "trailers" | "gzip"
        | "chunked" | "pieces" | "upload" | "shut" => text(3000),
        _ => text(rest.parse().unwrap_or(100)),
    }
}

fn text(length: usize) -> Vec<u8> {
    b"the quick brown fox jumps over the lazy dog, ".iter().copied().cycle().take(length).collect()
}

/// Serves one connection to its end. An error means that the stream has failed; there is nobody to tell.
pub(crate) async fn serve(
    stream: DuplexStream,
    tls: Option<TlsAcceptor>,
    protocol: Protocol,
    site: Arc<Site>,
    nth: usize,
) {
    let _ = match tls {
        None => speak(stream, protocol, &site, nth).await,
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => speak(stream, protocol, &site, nth).await,
            Err(error) => Err(error),
        },
    };
}

async fn speak<S>(stream: S, protocol: Protocol, site: &Arc<Site>, nth: usize) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    match protocol {
        Protocol::Http1 => speak_h1(BufReader::new(stream), site).await,
        Protocol::Http2 => speak_h2(stream, site, nth).await.map_err(io::Error::other),
    }
}

async fn speak_h1<S>(mut stream: BufReader<S>, site: &Site) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for on_this in 1.. {
        let Some((path, length)) = head(&mut stream).await? else { break };
        if path == "/refuse-upload" {
            // Without reading it.
            site.visits.asked();
            stream.write_all(b"HTTP/1.1 413 X\r\nConnection: close\r\nContent-Length: 100\r\n\r\n").await?;
            stream.write_all(&body("/len/100")).await?;
            break;
        }
        stream.read_exact(&mut vec![0; length]).await?;
        let goes_on = answer(&mut stream, &path, site.visits.asked(), on_this).await?;
        stream.flush().await?;
        if !goes_on {
            break;
        }
    }
    stream.shutdown().await
}

/// The path and the length of the body of the next request.
async fn head<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<(String, usize)>> {
    let (mut path, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            return Ok(path.map(|path| (path, length)));
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
    }
}

/// Answers; false when the connection ends with it. `nth` counts the address's requests, `on_this` the connection's.
async fn answer<S>(stream: &mut S, path: &str, nth: usize, on_this: usize) -> io::Result<bool>
where
    S: AsyncWrite + Unpin,
{
    let text = body(path);
    let what = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match what {
        "empty" => stream.write_all(b"HTTP/1.1 204 X\r\n\r\n").await?,
        "head" => stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 3000\r\n\r\n").await?,
        "chunked" | "trailers" => {
            stream.write_all(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
            for piece in text.chunks(700) {
                stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                stream.write_all(piece).await?;
                stream.write_all(b"\r\n").await?;
            }
            let end: &[u8] = if what == "trailers" { b"0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n" } else { b"0\r\n\r\n" };
            stream.write_all(end).await?;
        }
        "close" => {
            stream.write_all(b"HTTP/1.0 200 X\r\n\r\n").await?;
            stream.write_all(&text).await?;
            return Ok(false);
        }
        "gzip" => {
            let coded = gzip(&text);
            let head = format!("HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", coded.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&coded).await?;
        }
        "pieces" => {
            stream.write_all(format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", text.len()).as_bytes()).await?;
            for piece in text.chunks(250) {
                stream.write_all(piece).await?;
                tokio::task::yield_now().await;
            }
        }
        "early" => {
            stream.write_all(b"HTTP/1.1 103 X\r\nLink: </a>\r\n\r\nHTTP/1.1 102 X\r\n\r\n").await?;
            tokio::task::yield_now().await;
            plain(stream, "200 X", "", &text).await?;
        }
        // Once redirected, to the path that follows.
        "redirect" => {
            let to = path.strip_prefix("/redirect").unwrap_or("/");
            plain(stream, "302 X", &format!("Location: {to}\r\n"), b"moved").await?;
        }
        "again" if nth == 1 => plain(stream, "502 X", "", b"no").await?,
        "push-back" if nth == 1 => plain(stream, "503 X", "Retry-After: 0\r\n", b"no").await?,
        // Two answers a connection, of which the second does not say that it is the last.
        "hangup" => {
            plain(stream, "200 X", "", &text).await?;
            return Ok(on_this < 2);
        }
        "shut" => {
            plain(stream, "200 X", "Connection: close\r\n", &text).await?;
            return Ok(false);
        }
        _ => plain(stream, "200 X", "Keep-Alive: timeout=5\r\n", &text).await?,
    }
    Ok(true)
}

async fn plain<S: AsyncWrite + Unpin>(stream: &mut S, status: &str, headers: &str, body: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await
}

fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    coder.write_all(text).expect("into memory");
    coder.finish().expect("into memory")
}

async fn speak_h2<S>(stream: S, site: &Arc<Site>, nth: usize) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(next) = connection.accept().await {
        let (request, respond) = next?;
        let goaway = request.uri().path() == "/goaway" && nth == 1;
        tokio::task::spawn_local(answer_h2(request, respond, Arc::clone(site)));
        if goaway {
            connection.graceful_shutdown();
        }
    }
    Ok(())
}

async fn answer_h2(request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>, site: Arc<Site>) {
    let (head, mut upload) = request.into_parts();
    let path = head.uri.path().to_owned();
    while let Some(Ok(piece)) = upload.data().await {
        let _ = upload.flow_control().release_capacity(piece.len());
    }
    let nth = site.visits.asked();
    if path == "/refused" && nth == 1 {
        return respond.send_reset(Reason::REFUSED_STREAM);
    }
    let (status, location) = match path.strip_prefix("/redirect") {
        Some(to) => (302, Some(to.to_owned())),
        None => (200, None),
    };
    let mut response = Response::builder().status(status);
    if let Some(location) = location {
        response = response.header("location", location);
    }
    let Ok(mut stream) = respond.send_response(response.body(()).expect("valid"), false) else { return };
    let mut text = Bytes::from(if status == 302 { b"moved".to_vec() } else { body(&path) });
    while !text.is_empty() {
        stream.reserve_capacity(text.len());
        let Some(Ok(room)) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
        let piece = text.split_to(room.min(text.len()));
        if stream.send_data(piece, false).is_err() {
            return;
        }
    }
    let _ = stream.send_data(Bytes::new(), true);
}
