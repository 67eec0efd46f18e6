//! One exchange on one connection: HTTP/1.1 driven inline, HTTP/2 by streams.
//!
//! A lane owns an [`H1`] or shares an [`H2`] and sends one request at a time; `exchange` is the
//! same for both. An HTTP/1.1 connection has no task of its own: whoever waits for the response polls it, so a
//! request costs one write, one read and no task switch.
//!
//! Owns: the settings of hyper (HTTP/1.1) and h2, the phase time-outs of an exchange, the mapping of their errors to failures,
//! the framing rules they leave to us. Must not know: the scheduler, the pool, which request comes next.

mod chunk_decoder;
mod connection;
mod deadlines;
mod defer_write_errors;
mod drive;
mod error;
mod exchange;
mod frame_filter;
mod framing;
mod h1;
mod h2;
mod h2_io;
mod h2_peer;
mod h2_request;
mod head;
mod payload;
mod preface;
mod recording_io;
mod request;
mod silly_window;
mod status_line;
mod stream_slots;
mod streams;
mod timer;

pub use connection::{Connection, ExclusiveConnection, MultiplexedConnection};
pub use exchange::{ExchangeContext, ExchangeOutcome, Recipient};
pub use h1::H1;
pub use h2::{H2, H2Drain};
pub use payload::RequestBody;
pub use request::{RequestAuthority, RequestTemplate};
pub use timer::LazyTimer;
