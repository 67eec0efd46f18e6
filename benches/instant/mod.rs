//! A network in memory whose every address answers at once: no system call, no other task, next to no cost. What is left is
//! haul's own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use haul::config::Config;
use haul::engine::{ByteStream, Connect, Connecting, Destination, Engine, Extensions, RunReport};
use haul::model::{Job, More, Rejected, Sink, Source, Time, WebUrl};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The response to everything, with a body of 1 KiB.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nServer: test\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nLast-Modified: Sat, 21 Nov 2026 09:00:00 GMT\r\nETag: \"1\"\r\nAccept-Ranges: bytes\r\n\r\n";
const BODY: &[u8] = &[b'x'; 1024];

/// Every address is there.
struct Instant;

impl Connect for Instant {
    fn connect(&self, _: &Destination<'_>) -> Connecting {
        Box::pin(async { Ok(Box::new(Peer::default()) as Box<dyn ByteStream>) })
    }
}

/// The other end of a stream. It never speaks first, and never leaves.
#[derive(Default)]
struct Peer {
    /// Whether it has a request that it has not answered.
    asked: bool,
    /// Who waits for the answer.
    reader: Option<Waker>,
}

impl AsyncRead for Peer {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !std::mem::take(&mut self.asked) {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        into.put_slice(HEAD);
        into.put_slice(BODY);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    /// A request is one write. Who waits for the answer is woken as by a socket: others get on before it reads.
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, request: &[u8]) -> Poll<io::Result<usize>> {
        assert!(request.ends_with(b"\r\n\r\n"), "a whole head and no body");
        self.asked = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(request.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// URLs in turn, until there have been enough.
struct InTurn {
    urls: Vec<WebUrl>,
    made: usize,
    requests: usize,
}

impl Source for InTurn {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let end = (self.made + max).min(self.requests);
        into.extend((self.made..end).map(|n| Ok(Job::new(n as u64, self.urls[n % self.urls.len()].clone(), now))));
        self.made = end;
        Ok(if end == self.requests { More::No } else { More::Yes })
    }
}

/// Requests to so many hosts, with 256 of them at once, by so many shards.
pub(crate) fn run(hosts: usize, shards: usize, requests: usize, sink: impl Sink + 'static) -> RunReport {
    let mut config = Config::default();
    config.limits.shards = shards;
    config.limits.per_host = config.limits.concurrency;
    // Enough for every host to have work, and the same memory for a long run as for a short one.
    config.limits.window = 1 << 14;
    let mut extensions = Extensions::default();
    extensions.connector = Some(Arc::new(Instant));
    let url = |host: usize| {
        let url = format!("http://10.{}.{}.{}/", host >> 16 & 255, host >> 8 & 255, host & 255);
        WebUrl::parse(&url).expect("a URL").0
    };
    let source = InTurn { urls: (0..hosts).map(url).collect(), made: 0, requests };
    let report = Engine::with(config, extensions).expect("good settings").run(Box::new(source), Box::new(sink));
    assert_eq!(report.totals.succeeded, requests as u64);
    report
}
