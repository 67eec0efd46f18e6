//! A run over URLs that come while it goes: from a channel, a queue, another task.
//!
//! In Scrapy: `start_requests` as a generator. In Python: workers around an `asyncio.Queue`.

mod common;

use std::error::Error;
use std::thread;
use std::time::Duration;

use futures::SinkExt;
use futures::channel::mpsc;
use futures::executor::block_on;
use haul::config::Config;
use haul::engine::Engine;
use haul::sink::{Ndjson, RecordFields};
use haul::source::UrlStream;

fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["/bytes/1000", "/json/3", "/html/1", "/status/404"])?;

    let (mut sender, receiver) = mpsc::channel(100);
    thread::spawn(move || {
        for url in urls {
            thread::sleep(Duration::from_millis(100));
            // A full channel waits until haul has read on; an error means that the run is over.
            if block_on(sender.send(url)).is_err() {
                break;
            }
        }
    });

    let engine = Engine::new(Config::default())?;
    let sink = Ndjson::new(std::io::stdout(), "standard output", RecordFields::default());
    let report = engine.run(Box::new(UrlStream::new(receiver)), Box::new(sink));
    eprintln!("{} succeeded in {:.1?}", report.totals.succeeded, report.totals.elapsed);
    Ok(())
}
