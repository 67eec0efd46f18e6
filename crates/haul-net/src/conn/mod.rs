//! One exchange on one connection: HTTP/1.1 driven inline, HTTP/2 by streams.
//!
//! A lane owns an [`H1`] or shares an [`H2`] and sends one request at a time; `exchange` is the
//! same for both. An HTTP/1.1 connection has no task of its own: whoever waits for the response polls it, so a
//! request costs one write, one read and no task switch.
//!
//! Owns: the settings of hyper (HTTP/1.1) and h2, the phase time-outs of an exchange, the mapping of their errors to failures,
//! the framing rules they leave to us. Must not know: the scheduler, the pool, which request comes next.

mod chunks;
mod connection;
mod drive;
mod error;
mod exchange;
mod frames;
mod framing;
mod h1;
mod h2;
mod h2_request;
mod h2_server;
mod h2_wire;
mod head;
mod last_words;
mod payload;
mod places;
mod portion;
mod preface;
mod request;
mod status_line;
mod streams;
mod timer;
mod watch;
mod wire;

pub use connection::{Connection, Exclusive, Multiplexed};
pub use exchange::{Context, Exchanged, Recipient};
pub use h1::H1;
pub use h2::{Goodbye, H2};
pub use payload::RequestBody;
pub use request::{Addressee, RequestTemplate};
pub use timer::LazyTimer;
