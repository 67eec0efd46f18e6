//! A server that answers every request, when a test lets it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A server, and where it is; `wait` returns when a request may be answered. Each connection has a thread of its own.
pub fn after(wait: impl Fn() + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let wait = Arc::new(wait);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let wait = Arc::clone(&wait);
            thread::spawn(move || answer_all(stream, &*wait));
        }
    });
    format!("http://{address}/")
}

/// One that answers at once, but stops for a second when the request number `at` has come: all its connections wait.
pub fn but_stalls_once(at: usize) -> String {
    let (asked, gate) = (AtomicUsize::new(0), Mutex::new(()));
    after(move || {
        let _passing = gate.lock().expect("no panic");
        if asked.fetch_add(1, Ordering::SeqCst) + 1 == at {
            thread::sleep(Duration::from_secs(1));
        }
    })
}

fn answer_all(stream: TcpStream, wait: &impl Fn()) {
    let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
        if line == "\r\n" {
            wait();
            if (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
        line.clear();
    }
}
