//! A small HTTP/1.1 origin that misbehaves to order: the path says how. One thread per connection.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// A request as the origin saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The connection it came on, counted from 0.
    pub connection: usize,
}

#[derive(Default)]
struct Book {
    seen: Mutex<Vec<Seen>>,
    /// How often each target was asked for.
    asked: Mutex<HashMap<String, usize>>,
    connections: AtomicUsize,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    stop: AtomicBool,
}

impl Book {
    /// Waits as long as `/slow/MILLIS` says. Counted as in flight until just before the answer is written: after it,
    /// the client may rightly have sent the next request.
    fn count_while_waiting(&self, target: &str) {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        sleep_ms(target.split('/').nth(2).expect("milliseconds"));
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The origin; it stops accepting when dropped.
pub struct Origin {
    pub port: u16,
    book: Arc<Book>,
}

impl Origin {
    /// Listens on a free port of all loopback addresses (127.0.0.0/8), and on no other interface.
    pub fn start() -> Self {
        let listener = listen_on_loopback().expect("a free port on the loopback interface");
        let port = listener.local_addr().expect("bound").port();
        let book = Arc::new(Book::default());
        let accepting = Arc::clone(&book);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let book = Arc::clone(&accepting);
                let number = book.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || serve(stream, number, &book));
            }
        });
        Self { port, book }
    }

    /// `http://127.0.0.1:port` + path.
    pub fn url(&self, path: &str) -> String {
        self.url_on("127.0.0.1", path)
    }

    /// The same on another host.
    pub fn url_on(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.port)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.book.seen.lock().expect("lock").clone()
    }

    pub fn connections(&self) -> usize {
        self.book.connections.load(Ordering::SeqCst)
    }

    /// The most in flight at once since this was asked last.
    pub fn most_in_flight(&self) -> usize {
        self.book.most_in_flight.swap(self.book.in_flight.load(Ordering::SeqCst), Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.book.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn listen_on_loopback() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind_device(Some(b"lo"))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

fn serve(stream: TcpStream, connection: usize, book: &Book) {
    let _ = stream.set_nodelay(true);
    let Ok(read_half) = stream.try_clone() else { return };
    let mut reader = BufReader::new(read_half);
    let mut stream = stream;
    while let Some(mut seen) = read_request(&mut reader) {
        seen.connection = connection;
        let nth = {
            let mut asked = book.asked.lock().expect("lock");
            let nth = asked.entry(seen.target.clone()).or_default();
            *nth += 1;
            *nth
        };
        let target = seen.target.clone();
        let request = seen.clone();
        book.seen.lock().expect("lock").push(seen);
        if target.starts_with("/slow/") {
            book.count_while_waiting(&target);
        }
        let goes_on = answer(&mut stream, &target, nth, &request);
        if !matches!(goes_on, Ok(true)) {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the origin notes when requests come")]
fn read_request(reader: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let value = |name: &str| headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
    let length = value("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { at: Instant::now(), method, target, headers, body, connection: 0 })
}

fn ok(stream: &mut TcpStream, body: &str) -> io::Result<bool> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    Ok(true)
}

fn sleep_ms(millis: &str) {
    thread::sleep(Duration::from_millis(millis.parse().expect("milliseconds")));
}

/// Answers by the path's first segment; false closes the connection. `nth` counts how often the target was asked for.
fn answer(stream: &mut TcpStream, target: &str, nth: usize, request: &Seen) -> io::Result<bool> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let (what, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match what {
        "slow" => ok(stream, "slow"),
        "status" => {
            let body = "status";
            write!(stream, "HTTP/1.1 {rest} X\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
            Ok(true)
        }
        // /retry/STATUS/TIMES: the status so many times, then 200.
        "retry" => {
            let (status, times) = rest.split_once('/').expect("status/times");
            if nth <= times.parse().expect("a number") {
                write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{query}\r\n\r\n")?;
                return Ok(true);
            }
            ok(stream, "at last")
        }
        // /drop/TIMES: closes without an answer so many times, then 200.
        "drop" => {
            if nth <= rest.parse().expect("a number") {
                Ok(false)
            } else {
                ok(stream, "at last")
            }
        }
        // /redirect/STATUS?LOCATION
        "redirect" => {
            write!(stream, "HTTP/1.1 {rest} X\r\nLocation: {query}\r\nContent-Length: 4\r\n\r\ngone")?;
            Ok(true)
        }
        "close" => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")?;
            Ok(false)
        }
        // Closes after the response without having said so.
        "hangup" => {
            ok(stream, "ok")?;
            Ok(false)
        }
        "eof" => {
            write!(stream, "HTTP/1.1 200 OK\r\n\r\nuntil the end")?;
            Ok(false)
        }
        "partial" => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")?;
            Ok(false)
        }
        "chunks" => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n"
            )?;
            Ok(true)
        }
        "badchunk" => {
            write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nwiki\r\n0\r\n\r\n")?;
            Ok(true)
        }
        "cutchunk" => {
            write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n")?;
            Ok(false)
        }
        "te" => {
            write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nwhat is this")?;
            Ok(false)
        }
        "switch" => {
            write!(stream, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")?;
            Ok(true)
        }
        "garbage" => {
            write!(stream, "SSH-2.0-OpenSSH_9.2\r\n\r\n")?;
            Ok(false)
        }
        // In one write: bytes that come later, when the next request is already out, look like its response to anyone.
        "extra" => {
            let extra = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong";
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{extra}").as_bytes())?;
            Ok(true)
        }
        "bighead" => {
            write!(stream, "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 2\r\n\r\nok", "x".repeat(100_000))?;
            Ok(true)
        }
        "bytes" => {
            let body = "x".repeat(rest.parse().expect("a size"));
            ok(stream, &body)
        }
        // /drip/MILLIS/BYTES: one byte at a time.
        "drip" => {
            let (millis, bytes) = rest.split_once('/').expect("millis/bytes");
            let bytes: usize = bytes.parse().expect("a number");
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n")?;
            for _ in 0..bytes {
                sleep_ms(millis);
                stream.write_all(b"x")?;
            }
            Ok(true)
        }
        "stall" => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")?;
            thread::sleep(Duration::from_secs(5));
            Ok(false)
        }
        "order" => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nB: 1\r\nset-cookie: b\r\nA: 2\r\nContent-Length: 0\r\n\r\n"
            )?;
            Ok(true)
        }
        "echo" => {
            let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            let body =
                format!("{} {}\n{headers}\n{}", request.method, request.target, String::from_utf8_lossy(&request.body));
            ok(stream, &body)
        }
        _ => ok(stream, "ok"),
    }
}
