//! A small scripted HTTP/1.1 server on loopback, for tests of the command. One thread per connection.
//!
//! `/ok` answers `ok\n`; `/status/N` answers with that status; `/slow/MS` waits first; `/redirect` leads to `/ok`;
//! `/latin` is ISO 8859-1 text; `/echo` answers with the request as JSON.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// A server that runs until the test's process ends.
pub(crate) struct Server {
    address: SocketAddr,
}

/// A request as it was read.
struct Request {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Server {
    /// Starts a server on a free port.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The peer may go away at any time; then the connection is over.
                thread::spawn(move || serve(stream).ok());
            }
        });
        Self { address }
    }

    /// A port on which nobody listens.
    pub(crate) fn closed_port() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.local_addr().expect("bound").port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{}{path}", self.address, if path.starts_with('/') { "" } else { "/" })
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

fn serve(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(request) = read(&mut reader)? {
        writer.write_all(&respond(&request))?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, target, headers, body }))
}

fn respond(request: &Request) -> Vec<u8> {
    let path = request.target.split('?').next().unwrap_or_default();
    let number = path.rsplit('/').next().and_then(|text| text.parse().ok());
    let (status, header, body) = match path {
        "/echo" => (200, "content-type: application/json", echo(request)),
        "/latin" => (200, "content-type: text/plain; charset=iso-8859-1", b"caf\xe9".to_vec()),
        "/redirect" => (302, "location: /ok", Vec::new()),
        _ if path.starts_with("/status/") => (number.unwrap_or(200), "x-a: b", b"status\n".to_vec()),
        _ => {
            if path.starts_with("/slow/") {
                thread::sleep(Duration::from_millis(number.unwrap_or(0)));
            }
            (200, "x-a: b", b"ok\n".to_vec())
        }
    };
    let head = format!("HTTP/1.1 {status} Text\r\ncontent-length: {}\r\n{header}\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}

fn echo(request: &Request) -> Vec<u8> {
    let json = serde_json::json!({
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body": String::from_utf8_lossy(&request.body),
    });
    json.to_string().into_bytes()
}
