//! A server that parses nothing and, once a connection is open, allocates nothing: what is counted in this process is the
//! client's alone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nServer: test\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nLast-Modified: Sat, 21 Nov 2026 09:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"1\"\r\nAccept-Ranges: bytes\r\n\r\n";

/// Starts a thread for each connection that answers each request head with 1 KiB. Where they listen.
pub fn responder() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || respond(stream));
        }
    });
    address
}

/// Heads come one at a time: the client waits for the answer.
fn respond(mut stream: TcpStream) {
    let response = [HEAD, &[b'x'; 1024]].concat();
    let mut request = [0; 4096];
    let mut filled = 0;
    while let Ok(count @ 1..) = stream.read(&mut request[filled..]) {
        filled += count;
        if request[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            if stream.write_all(&response).is_err() {
                return;
            }
        }
    }
}
