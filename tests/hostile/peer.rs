//! The hostile server: raw sockets, any bytes with any timing, by a script of steps for each connection.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// A peer waits no longer for a client than this: longer than any case lasts.
const PATIENCE: Duration = Duration::from_secs(40);

/// What the peer does next on a connection. At the script's end it closes in good order: it ends its side, then reads
/// until the client has left.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Reads a request: its head, and a body of its Content-Length.
    Request,
    /// Reads a request's head and leaves what follows in the socket.
    Head,
    /// Reads once: at least a byte, and what has come with it.
    Read,
    /// Waits until something has come, and leaves it where it is.
    Peek,
    /// Sends these bytes in one write.
    Send(Vec<u8>),
    /// Sends them on the TCP connection itself, past TLS.
    Raw(Vec<u8>),
    /// Sends them one at a time.
    Drip(Vec<u8>, Duration),
    /// Sends them again and again until the client leaves.
    Flood(Vec<u8>),
    /// Sends a byte out of band (TCP's urgent data).
    Urgent(u8),
    /// Over TLS 1.3, changes its keys so often and asks for the client's to be changed; nothing without TLS.
    Rekey(usize),
    /// Does nothing for so long.
    Pause(Duration),
    /// Waits until another peer has come to the same barrier.
    Meet(Arc<Barrier>),
    /// Ends its side: FIN, over TLS after close_notify.
    End,
    /// Ends its side without a close_notify; the same as `End` without TLS.
    Cut,
    /// Reads what comes and says nothing until the client leaves.
    Stall,
    /// Resets the connection (RST). The script ends.
    Reset,
    /// Closes at once, whatever has not been read: the system then sends RST. The script ends.
    Drop,
}

/// Shorthand: sends text.
pub(crate) fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().to_vec())
}

/// What a script is played on: a TCP connection, or TLS over one.
pub(crate) trait Line: Read + Write {
    fn tcp(&self) -> &TcpStream;

    /// Ends this side as its protocol wants it.
    fn end(&mut self) -> io::Result<()> {
        self.tcp().shutdown(Shutdown::Write)
    }

    /// Changes its keys.
    fn rekey(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Line for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

/// Plays a script to its end, or until the client leaves, and closes.
pub(crate) fn play(line: &mut impl Line, script: &[Step]) {
    for step in script {
        if !matches!(play_step(line, step), Ok(true)) {
            return;
        }
    }
    if line.end().is_ok() {
        let _ = drain(line);
    }
}

/// One step; false ends the script.
fn play_step(line: &mut impl Line, step: &Step) -> io::Result<bool> {
    match step {
        Step::Request => return read_request(line),
        Step::Head => return Ok(read_head(line)?.is_some()),
        Step::Read => return Ok(line.read(&mut [0; 16 << 10])? > 0),
        Step::Peek => return Ok(line.tcp().peek(&mut [0])? > 0),
        Step::Send(bytes) => line.write_all(bytes)?,
        Step::Raw(bytes) => line.tcp().write_all(bytes)?,
        Step::Drip(bytes, every) => {
            for byte in bytes {
                line.write_all(&[*byte])?;
                line.flush()?;
                thread::sleep(*every);
            }
        }
        // The client leaves long before: no case takes so many bytes.
        Step::Flood(bytes) => (0..1_000_000).try_for_each(|_| line.write_all(bytes))?,
        Step::Urgent(byte) => drop(SockRef::from(line.tcp()).send_out_of_band(&[*byte])?),
        Step::Rekey(times) => (0..*times).try_for_each(|_| line.rekey())?,
        Step::Pause(time) => thread::sleep(*time),
        Step::Meet(barrier) => {
            barrier.wait();
        }
        Step::End => line.end()?,
        Step::Cut => line.tcp().shutdown(Shutdown::Write)?,
        Step::Stall => drain(line)?,
        Step::Reset => {
            SockRef::from(line.tcp()).set_linger(Some(Duration::ZERO))?;
            return Ok(false);
        }
        Step::Drop => return Ok(false),
    }
    line.flush()?;
    Ok(true)
}

/// Reads until the client has left.
pub(crate) fn drain(line: &mut impl Read) -> io::Result<()> {
    let mut bytes = [0; 16 << 10];
    while line.read(&mut bytes)? > 0 {}
    Ok(())
}

/// Whether a whole request came.
pub(crate) fn read_request(line: &mut impl Read) -> io::Result<bool> {
    let Some(head) = read_head(line)? else { return Ok(false) };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map(str::trim);
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("haul's own length"))];
    line.read_exact(&mut body)?;
    Ok(true)
}

/// A request's head; `None` when the client left first. Byte by byte, so that nothing after it is taken.
pub(crate) fn read_head(line: &mut impl Read) -> io::Result<Option<String>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if line.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

/// A listening server; it stops accepting when dropped.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    stopped: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
}

impl Peer {
    /// Every connection plays this script.
    pub(crate) fn playing(script: Vec<Step>) -> Self {
        Self::playing_each(vec![script])
    }

    /// The first connection plays the first script, and so on; those after the last one play it too.
    pub(crate) fn playing_each(scripts: Vec<Vec<Step>>) -> Self {
        Self::serving(move |mut stream, number| play(&mut stream, &scripts[number.min(scripts.len() - 1)]))
    }

    /// `serve` is given each connection, with its number from 0, on a thread of its own.
    pub(crate) fn serving(serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        Self::listening(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"), serve)
    }

    /// The same on an address of the case's choice.
    pub(crate) fn listening(listener: TcpListener, serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().expect("bound");
        let (stopped, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let peer = Self { address, stopped: Arc::clone(&stopped), connections: Arc::clone(&connections) };
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (number, serve) = (connections.fetch_add(1, Ordering::SeqCst), Arc::clone(&serve));
                stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
                stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
                stream.set_nodelay(true).expect("an open socket");
                thread::spawn(move || serve(stream, number));
            }
        });
        peer
    }

    /// `http://127.0.0.1:PORT` and the path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}
