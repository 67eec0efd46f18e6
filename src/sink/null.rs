//! Writes nothing: for measuring the rest.

use std::io;

use crate::model::{Record, Sink};

/// Drops every record and calls it safe.
///
/// ```
/// use haul::{config::Config, engine::Engine, sink::Null, source::Urls};
///
/// let report = Engine::new(Config::default())?.run(Box::new(Urls::new(["no URL"])), Box::new(Null));
/// assert_eq!(report.totals.rejected, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

impl Sink for Null {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        safe.extend(batch.drain(..).map(|record| record.seq()));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
