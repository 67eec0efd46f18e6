//! Records where they are wanted: here as CSV.
//!
//! In Scrapy: a feed exporter or an item pipeline.

mod common;

use std::error::Error;
use std::io::{self, Write};

use haul::config::Config;
use haul::engine::Engine;
use haul::model::{Record, Sink};
use haul::source::Urls;

/// Writes one line per URL. It is called from a thread of its own, so it may block: while it does, fetching goes on until
/// 64 MiB of records wait.
struct Csv<W>(W);

impl<W: Write + Send> Sink for Csv<W> {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        for record in batch.drain(..) {
            match &record {
                Record::Fetched(outcome) => match &outcome.last.result {
                    Ok(response) => {
                        writeln!(self.0, "{},{},{}", outcome.job.given(), response.status, response.body_bytes)?
                    }
                    Err(failure) => writeln!(self.0, "{},{},", outcome.job.given(), failure.kind)?,
                },
                Record::Rejected(line) => writeln!(self.0, "{},{},", line.given, line.failure.kind)?,
            }
            // Said only of what is written: a source that must not lose work forgets a URL now.
            safe.push(record.seq());
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["/bytes/1000", "/status/404", "/gzip/5000", "/truncate/length", "nonsense"])?;

    let engine = Engine::new(Config::default())?;
    println!("url,status,bytes");
    let report = engine.run(Box::new(Urls::new(urls)), Box::new(Csv(io::stdout())));
    if let Some(error) = report.sink_error {
        return Err(error.into());
    }
    eprintln!("{} succeeded, {} failed", report.totals.succeeded, report.totals.failed);
    Ok(())
}
