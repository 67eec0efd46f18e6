//! The embedded origin: a test server of many hosts that behaves, and misbehaves, to order.
//!
//! It speaks HTTP/1.1 and HTTP/2 on one port and both within TLS on another. The path says what is answered (`/bytes/1024`,
//! `/status/404`, `/drip`, `/reset/body`; `/` lists all), the host's name what the whole host is like
//! (`slow.h17.localhost`; see [`Manner`]). Everything asked for has a cap, and it listens on loopback unless told
//! otherwise.
//!
//! Owns its threads, sockets and certificates; it stops when dropped. Invariant: what a request gets depends on the
//! request, its host's name, what that host was asked before, and chance; never on another host. It must not know the
//! client side: scheduler, pool, engine.

mod answer;
mod ask;
mod bucket;
mod certificate;
mod clock;
mod content;
mod flight;
mod guide;
mod handle;
mod manner;
mod params;
mod payload;
mod receive;
mod reply;
mod serve;
mod server_state;
mod settings;
mod shelf;
mod socket;
mod stats;
mod virtual_host;

pub use guide::guide;
pub use handle::TestServer;
pub use manner::Manner;
pub use settings::TestServerSettings;
pub use stats::{HostStats, TestServerStats};
