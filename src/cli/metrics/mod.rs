//! `--metrics ADDR`: a run's numbers for Prometheus, over HTTP, for as long as the run goes on.
//!
//! `answer` decides, `text` writes, `tally` counts what the engine's own counters don't tell: all pure; `server` is the only
//! part that touches the network. Without the flag none of this exists and nothing is added to a request. With it the sink's
//! thread takes one lock per batch and counts each record; the threads that fetch do nothing more.

mod address;
mod answer;
mod server;
mod tally;
mod text;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use haul::engine::{Engine, Handle};
use haul::model::Sink;

pub(super) use self::address::address;
use self::server::Server;
use self::tally::Tally;
use self::text::{Facts, Format};
use super::console;
use super::since::Since;
use super::tee::tee;

/// The metrics of one run. Dropped, they are gone: the port is free again.
pub(super) struct Metrics {
    server: Server,
    tally: Arc<Mutex<Tally>>,
}

impl Metrics {
    /// Serves the numbers of the run of `engine` on `address`, if there is one, and says where, unless `quiet`.
    ///
    /// # Errors
    /// The address can't be listened on; the message says what to change.
    pub(super) fn of(engine: &Engine, address: Option<SocketAddr>, quiet: bool) -> Result<Option<Self>, String> {
        let metrics = address.map(|address| Self::start(address, engine.handle())).transpose()?;
        if let Some(metrics) = metrics.as_ref().filter(|_| !quiet) {
            console::tell(&format!("haul: metrics at http://{}/metrics", metrics.server.address));
        }
        Ok(metrics)
    }

    fn start(address: SocketAddr, handle: Handle) -> Result<Self, String> {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let counted = Arc::clone(&tally);
        let page = move |format: Format| {
            let tally = counted.lock().expect("no holder of this lock panics").clone();
            let (now, limits, outlook) = (handle.progress(), handle.limits(), handle.outlook());
            text::page(Facts { now, limits, outlook, tally }, format)
        };
        let server = Server::start(address, Box::new(page)).map_err(|error| {
            format!("can't serve --metrics on {address}: {error}; give another port, or 0 for a free one")
        })?;
        Ok(Self { server, tally })
    }

    /// A sink that counts what goes to `onward`; `onward` itself if there is nothing to count for.
    pub(super) fn counting(metrics: Option<&Self>, since: Since, onward: Box<dyn Sink>) -> Box<dyn Sink> {
        let Some(metrics) = metrics else { return onward };
        let tally = Arc::clone(&metrics.tally);
        tee(onward, move |batch| tally.lock().expect("no holder of this lock panics").count(batch, since))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use haul::config::Config;

    use super::*;

    #[test]
    fn the_server_is_there_until_it_is_dropped() {
        let engine = Engine::new(Config::default()).expect("settings that make sense");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let metrics = Metrics::of(&engine, Some(any), true).expect("a free port").expect("asked for");
        let address = metrics.server.address;
        let taken = Metrics::of(&engine, Some(address), true).err().expect("its port is in use");
        assert!(taken.contains("give another port"), "{taken}");
        let waiting = TcpStream::connect(address).expect("it listens");
        drop(metrics);
        assert!(TcpStream::connect(address).is_err(), "it is gone, whoever still waits");
        drop(waiting);
        assert!(Metrics::of(&engine, None, true).expect("nothing to do").is_none());
    }
}
