//! The origin that all contenders ask: it finds where a request ends and sends a response that was made before.
//!
//!     responder CA_FILE
//!
//! One thread serves three kinds of ports, on every address of 127/8: HTTP/1.1, the same over TLS (one port resumes sessions,
//! one does not), and HTTP/2 with prior knowledge. It takes only what arrives over the loopback device. The certificate to
//! trust goes to CA_FILE, the ports to standard output, as one line of JSON. For each line on standard input it tells its
//! counts, as one line of JSON; on the line `forget times` it first forgets when it answered. When standard input ends, so does it.

mod answers;
mod connection;
mod counts;
mod h1;
mod h2;
mod serve;
mod tls;

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::{env, fs, io, process, thread};

use counts::Counts;
use serve::{Port, Server};

fn main() -> io::Result<()> {
    let ca_file = env::args().nth(1).ok_or_else(|| io::Error::other("usage: responder CA_FILE"))?;
    let identity = tls::identity();
    fs::write(ca_file, &identity.pem)?;
    let counts = Arc::new(Counts::default());
    let tls_full = Port::open(Some(tls::config(&identity, tls::Sessions::None)), false)?;
    let tls_resumed = Port::open(Some(tls::config(&identity, tls::Sessions::Tickets)), false)?;
    let (h1, h2c) = (Port::open(None, false)?, Port::open(None, true)?);
    println!(
        r#"{{"h1":{},"h2c":{},"tls":{},"tls_resumed":{}}}"#,
        h1.number()?,
        h2c.number()?,
        tls_full.number()?,
        tls_resumed.number()?
    );
    io::stdout().flush()?;
    let told = Arc::clone(&counts);
    thread::spawn(move || tell(&told));
    Server::new(vec![h1, h2c, tls_full, tls_resumed], counts)?.run()
}

/// Answers each line of standard input with the counts; its end is the process's.
fn tell(counts: &Counts) -> ! {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        if line == "forget times" {
            counts.forget_times();
        }
        println!("{}", counts.json());
    }
    process::exit(0)
}
